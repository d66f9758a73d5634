//! Remembered passwords: keyed digests, in this process's memory alone (CONTRACT.md 3.4).
//!
//! A digest is made under a random key of this process over the account, its credential epoch and
//! the password, so what is remembered dies with the epoch and never leaves the process.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use moka::sync::Cache;
use sha2::Sha256;
use uuid::Uuid;

use crate::domain::challenge::ChallengeResponse;
use crate::domain::id::Epoch;
use crate::domain::secret::{Password, Secret};
use crate::domain::time::Monotonic;

/// How many passwords are remembered at most, right and wrong ones together.
const CAPACITY: u64 = 200_000;

/// A keyed digest of an account, its epoch and a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Digest([u8; 32]);

/// What is remembered of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It verified.
    Right,
    /// It did not.
    Wrong,
}

/// The process's memory of passwords.
pub(super) struct Memory {
    key: Secret,
    known: Cache<Digest, (Known, Monotonic)>,
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
            known: Cache::new(CAPACITY),
        })
    }

    /// The digest of a password of an account at an epoch.
    pub(super) fn digest(&self, account: Uuid, epoch: Epoch, password: &Password) -> Digest {
        self.keyed(&[
            b"password",
            account.as_bytes(),
            &epoch.0.to_be_bytes(),
            password.as_bytes(),
        ])
    }

    /// The digest of a response to a challenge of an account at an epoch: the same one again is
    /// no other guess.
    pub(super) fn response_digest(
        &self,
        account: Uuid,
        epoch: Epoch,
        response: &ChallengeResponse,
    ) -> Digest {
        let epoch = epoch.0.to_be_bytes();
        let around: [&[u8]; 3] = [b"response", account.as_bytes(), &epoch];
        self.keyed(&[&around[..], &response.parts()].concat())
    }

    /// The digest under which a name that matches no account is logged.
    pub(super) fn name_digest(&self, name: &str) -> String {
        let Digest(bytes) = self.keyed(&[b"name", name.as_bytes()]);
        bytes.iter().take(8).fold(String::new(), |mut text, byte| {
            use std::fmt::Write as _;
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// The digest of a guess that is known by a mark alone: at whom, where, from where.
    pub(super) fn mark_digest(
        &self,
        whom: &[&[u8]],
        resource: &str,
        origin: &str,
        mark: &[u8],
    ) -> Digest {
        let around: [&[u8]; 4] = [b"mark", resource.as_bytes(), origin.as_bytes(), mark];
        self.keyed(&[&around[..], whom].concat())
    }

    /// What is remembered of a password and has not lapsed.
    pub(super) fn recall(&self, digest: &Digest, now: Monotonic) -> Option<Known> {
        self.known
            .get(digest)
            .and_then(|(known, until)| (now < until).then_some(known))
    }

    /// Remembers a password for a while.
    pub(super) fn remember(&self, digest: Digest, known: Known, now: Monotonic, span: Duration) {
        if !span.is_zero() {
            self.known.insert(digest, (known, now.plus(span)));
        }
    }

    fn keyed(&self, parts: &[&[u8]]) -> Digest {
        // HMAC takes keys of any length (RFC 2104 2), so this branch is never taken; the fallback
        // digest matches nothing that was remembered.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.key.expose()) else {
            return Digest([0; 32]);
        };
        for part in parts {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        Digest(mac.finalize().into_bytes().into())
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
        let account = Uuid::from_u128(7);
        let password = Password::presented(b"correct horse battery").unwrap();
        let digest = memory.digest(account, Epoch(1), &password);
        memory.remember(digest, Known::Right, at(10), Duration::from_mins(1));
        assert_eq!(memory.recall(&digest, at(69)), Some(Known::Right));
        assert_eq!(memory.recall(&digest, at(70)), None);
        let later = memory.digest(account, Epoch(2), &password);
        assert_eq!(memory.recall(&later, at(11)), None);
    }

    #[test]
    fn another_process_makes_another_digest() {
        let password = Password::presented(b"correct horse battery").unwrap();
        let [one, two] = [Memory::new().unwrap(), Memory::new().unwrap()]
            .map(|memory| memory.digest(Uuid::from_u128(7), Epoch(1), &password));
        assert_ne!(one, two);
    }

    #[test]
    fn the_parts_of_a_digest_cannot_run_into_each_other() {
        let memory = Memory::new().unwrap();
        assert_ne!(memory.keyed(&[b"ab", b"c"]), memory.keyed(&[b"a", b"bc"]));
    }
}
