//! Remembered passwords: keyed digests, in this process's memory alone (CONTRACT.md 3.4).
//!
//! A digest is made under a random key of this process over the account, its credential epoch and
//! the password, so what is remembered dies with the epoch and never leaves the process. Names that
//! nobody has are remembered as accounts are, so that no count tells them apart (CONTRACT.md 5.2).

use std::time::Duration;

use hmac::{HmacReset, KeyInit as _, Mac as _};
use moka::sync::Cache;
use sha2::Sha256;
use uuid::Uuid;

use doorward_domain::challenge::ChallengeResponse;
use doorward_domain::id::Epoch;
use doorward_domain::origin::OriginKey;
use doorward_domain::secret::{Password, Secret};
use doorward_domain::time::Monotonic;

/// How many passwords are remembered at most of accounts, right and wrong ones together; as many
/// again of service accounts, and of names that nobody has; and as many payments.
const CAPACITY: u64 = 200_000;

/// Whose password it would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder<'a> {
    /// An account, at an epoch.
    Account(Uuid, Epoch),
    /// A service account, at an epoch.
    Service(Uuid, Epoch),
    /// A name that nobody has, in the form that is compared.
    Nobody(&'a str),
    /// A service account's name that none has, in the form that is compared.
    NoService(&'a str),
}

/// A keyed digest of who is guessed at and a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Digest {
    keyed: [u8; 32],
    room: Room,
}

/// Where a digest is remembered, so that no sort of name pushes out what is kept of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Room {
    Accounts,
    Services,
    Nobodies,
}

/// What a source has paid for: certain words, for a certain name, from it. It knows no account, so
/// that what is paid follows from what was sent (CONTRACT.md 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Payment([u8; 32]);

/// What is remembered of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It verified, and let somebody in.
    Right,
    /// It did not.
    Wrong,
    /// It verified, and was refused for another reason.
    RightAndRefused,
    /// It was refused and not looked at.
    NotLookedAt,
}

/// The process's memory of passwords.
pub(super) struct Memory {
    key: Secret,
    accounts: Cache<Digest, (Known, Monotonic)>,
    services: Cache<Digest, (Known, Monotonic)>,
    nobodies: Cache<Digest, (Known, Monotonic)>,
    paid: Cache<Payment, Monotonic>,
}

impl Memory {
    /// An empty memory under a fresh random key.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        let mut key = vec![0_u8; 32];
        getrandom::fill(&mut key)?;
        Ok(Self {
            key: Secret::new(key),
            accounts: Cache::new(CAPACITY),
            services: Cache::new(CAPACITY),
            nobodies: Cache::new(CAPACITY),
            paid: Cache::new(CAPACITY),
        })
    }

    /// The digest of a password.
    pub(super) fn digest(&self, holder: Holder<'_>, password: &Password) -> Digest {
        self.of(holder, &[b"password", password.as_bytes()])
    }

    /// The digest of a response to a challenge: the same one again is no other guess.
    pub(super) fn response_digest(
        &self,
        holder: Holder<'_>,
        response: &ChallengeResponse,
    ) -> Digest {
        self.of(
            holder,
            &[&[&b"response"[..]][..], &response.parts()].concat(),
        )
    }

    /// The digest of a guess that is known by a mark alone: at whom, where, from where.
    pub(super) fn mark_digest(
        &self,
        holder: Holder<'_>,
        resource: &str,
        origin: &OriginKey,
        mark: &[u8],
    ) -> Digest {
        let origin = origin.as_str().as_bytes();
        self.of(holder, &[b"mark", resource.as_bytes(), origin, mark])
    }

    /// What a source would pay for by sending this for a name, in the form that is compared.
    pub(super) fn payment(&self, source: &OriginKey, name: &str, sent: &[&[u8]]) -> Payment {
        let around: [&[u8]; 3] = [b"paid", source.as_str().as_bytes(), name.as_bytes()];
        Payment(self.keyed(&[&around[..], sent].concat()))
    }

    /// Whether that was paid for.
    pub(super) fn is_paid(&self, payment: &Payment, now: Monotonic) -> bool {
        self.paid.get(payment).is_some_and(|until| now < until)
    }

    /// Notes that it was paid for, for a while.
    pub(super) fn pay(&self, payment: Payment, now: Monotonic, span: Duration) {
        self.paid.insert(payment, now.plus(span));
    }

    /// Notes that the price was given back.
    pub(super) fn refund(&self, payment: &Payment) {
        self.paid.invalidate(payment);
    }

    fn of(&self, holder: Holder<'_>, parts: &[&[u8]]) -> Digest {
        let at_epoch = |id: Uuid, epoch: Epoch| {
            let epoch = epoch.0.to_be_bytes();
            let whom: [&[u8]; 2] = [id.as_bytes(), &epoch];
            self.keyed(&[&whom[..], parts].concat())
        };
        let (keyed, room) = match holder {
            Holder::Account(id, epoch) => (at_epoch(id, epoch), Room::Accounts),
            Holder::Service(id, epoch) => (at_epoch(id, epoch), Room::Services),
            Holder::Nobody(name) => {
                let whom = [name.as_bytes()];
                (self.keyed(&[&whom[..], parts].concat()), Room::Nobodies)
            }
            Holder::NoService(name) => {
                let whom: [&[u8]; 2] = [b"service", name.as_bytes()];
                (self.keyed(&[&whom[..], parts].concat()), Room::Nobodies)
            }
        };
        Digest { keyed, room }
    }

    /// The digest under which a name that matches no account is logged.
    pub(super) fn name_digest(&self, name: &str) -> String {
        let keyed = self.keyed(&[b"name", name.as_bytes()]);
        keyed.iter().take(8).fold(String::new(), |mut text, byte| {
            use std::fmt::Write as _;
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// What is remembered of a password and has not lapsed.
    pub(super) fn recall(&self, digest: &Digest, now: Monotonic) -> Option<Known> {
        self.cache(digest)
            .get(digest)
            .and_then(|(known, until)| (now < until).then_some(known))
    }

    /// Remembers a password for a while.
    pub(super) fn remember(&self, digest: Digest, known: Known, now: Monotonic, span: Duration) {
        if !span.is_zero() {
            self.cache(&digest).insert(digest, (known, now.plus(span)));
        }
    }

    fn cache(&self, digest: &Digest) -> &Cache<Digest, (Known, Monotonic)> {
        match digest.room {
            Room::Accounts => &self.accounts,
            Room::Services => &self.services,
            Room::Nobodies => &self.nobodies,
        }
    }

    fn keyed(&self, parts: &[&[u8]]) -> [u8; 32] {
        // HMAC takes keys of any length (RFC 2104 2), so this branch is never taken; the fallback
        // digest matches nothing that was remembered.
        let Ok(mut mac) = HmacReset::<Sha256>::new_from_slice(self.key.expose()) else {
            return [0; 32];
        };
        for part in parts {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        // In its place, where it is wiped: moving it would leave a copy of the last block, which
        // has the password.
        mac.finalize_reset().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn a_password_is_forgotten_with_its_time_and_its_epoch() {
        let memory = Memory::new().unwrap();
        let holder = |epoch| Holder::Account(Uuid::from_u128(7), Epoch(epoch));
        let password = Password::presented(b"correct horse battery").unwrap();
        let digest = memory.digest(holder(1), &password);
        memory.remember(digest, Known::Right, at(10), Duration::from_mins(1));
        assert_eq!(memory.recall(&digest, at(69)), Some(Known::Right));
        assert_eq!(memory.recall(&digest, at(70)), None);
        let later = memory.digest(holder(2), &password);
        assert_eq!(memory.recall(&later, at(11)), None);
    }

    #[test]
    fn another_process_makes_another_digest() {
        let password = Password::presented(b"correct horse battery").unwrap();
        let [one, two] = [Memory::new().unwrap(), Memory::new().unwrap()]
            .map(|memory| memory.digest(Holder::Nobody("alice"), &password));
        assert_ne!(one, two);
    }

    #[test]
    fn the_parts_of_a_digest_cannot_run_into_each_other() {
        let memory = Memory::new().unwrap();
        assert_ne!(memory.keyed(&[b"ab", b"c"]), memory.keyed(&[b"a", b"bc"]));
    }
}
