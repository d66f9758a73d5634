//! Attempts that a relay announces before it brings them, and reports afterwards, with the address
//! of its own client (CONTRACT.md 3.6).
//!
//! A relay such as a mail server brings everybody's attempts from one address, so that throttles by
//! origin would see all its clients as one. What it announces is charged to the client's address
//! instead: a token is taken when leave is given, and given back when the password turns out to be
//! right or one that was tried before. The attempt itself then draws nothing from the relay's own
//! bucket.
//!
//! Knows no password: a guess is told from another by the mark that the relay gives it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use doorward_domain::event::Subject;
use doorward_domain::name::ResourceName;
use doorward_domain::origin::{Origin, Protocol};
use doorward_domain::policy::lockout::remember_wrong;
use doorward_domain::policy::naming::interpret;
use doorward_domain::policy::origins::{Identified, identify};
use doorward_domain::refusal::Refusal;
use doorward_domain::resource::ResourceKind;
use doorward_domain::time::Monotonic;
use doorward_store::attempts::{AccountKey, AttemptStore, Fetch};

use super::Core;
use super::memory::{Digest, Holder, Known};
use super::report::Report;
use super::settings::Settings;
use super::throttle::{AccountTokens, Names, SourceToken, Toll, Whom};
use doorward_frontend_api::attempt::Claim;
use doorward_frontend_api::verdict::Undecided;
use doorward_frontend_api::{Announcement, Conclusion, Leave};

/// How long a relay may take over an attempt that it announced. Then the token is as good as spent.
const LAPSE: Duration = Duration::from_mins(1);

/// How many announced attempts are held at most; what is announced beyond them is charged for good.
const BOUND: usize = 10_000;

/// The tokens of attempts that are under way, by whom they are guesses at.
#[derive(Default)]
pub(super) struct Announced(Mutex<HashMap<HeldKey, Vec<Held>>>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct HeldKey {
    whom: Whom,
    resource: ResourceName,
}

struct Held {
    guess: Digest,
    client: IpAddr,
    /// Whether the attempt itself has come.
    brought: bool,
    tokens: Charged,
    until: Monotonic,
}

/// What an announced attempt was charged.
#[must_use]
struct Charged {
    source: SourceToken,
    account: AccountTokens,
}

/// A guess as the throttles know it.
struct Guess {
    whom: Whom,
    digest: Digest,
    threshold: u32,
    /// How long a wrong one is remembered.
    window: Duration,
    report: Report,
}

impl Announced {
    /// Whether a relay has announced an attempt on this account there, and not reported it yet.
    pub(super) fn is_announced(
        &self,
        whom: &Whom,
        resource: Option<&ResourceName>,
        now: Monotonic,
    ) -> bool {
        let Some(resource) = resource else {
            return false;
        };
        let key = HeldKey {
            whom: whom.clone(),
            resource: resource.clone(),
        };
        self.held()
            .get(&key)
            .is_some_and(|held| held.iter().any(|one| now < one.until))
    }

    /// The client of an attempt on this account that a relay announced and now brings: of several,
    /// the one that was announced first and not brought yet.
    pub(super) fn bring(
        &self,
        whom: &Whom,
        resource: Option<&ResourceName>,
        now: Monotonic,
    ) -> Option<IpAddr> {
        let key = HeldKey {
            whom: whom.clone(),
            resource: resource?.clone(),
        };
        let mut held = self.held();
        let announced = held.get_mut(&key)?;
        let open = |one: &Held| now < one.until;
        let next = announced.iter().position(|one| open(one) && !one.brought);
        let next = next.or_else(|| announced.iter().position(open))?;
        let one = announced.get_mut(next)?;
        one.brought = true;
        Some(one.client)
    }

    fn holds(&self, key: &HeldKey, guess: &Digest, now: Monotonic) -> bool {
        self.held().get(key).is_some_and(|held| {
            held.iter()
                .any(|one| one.guess == *guess && now < one.until)
        })
    }

    /// Holds tokens until the report. Where there is no room they are as good as spent.
    fn hold(&self, key: HeldKey, one: Held, now: Monotonic) {
        let mut held = self.held();
        if held.values().map(Vec::len).sum::<usize>() >= BOUND {
            held.retain(|_, held| {
                held.retain(|one| now < one.until);
                !held.is_empty()
            });
            if held.values().map(Vec::len).sum::<usize>() >= BOUND {
                return;
            }
        }
        held.entry(key).or_default().push(one);
    }

    fn release(&self, key: &HeldKey, guess: &Digest, now: Monotonic) -> Option<Charged> {
        let mut held = self.held();
        let of_account = held.get_mut(key)?;
        of_account.retain(|one| now < one.until);
        let place = of_account.iter().position(|one| one.guess == *guess);
        let tokens = place.map(|place| of_account.swap_remove(place).tokens);
        if of_account.is_empty() {
            held.remove(key);
        }
        tokens
    }

    fn held(&self) -> MutexGuard<'_, HashMap<HeldKey, Vec<Held>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AttemptStore> Core<S> {
    /// Gives leave to an attempt that is about to come, and charges its client.
    pub(super) async fn announce(&self, announcement: &Announcement) -> Result<Leave, Undecided> {
        let settings = self.settings.load();
        let guess = self.guess(&settings, announcement).await?;
        let key = guess.key(announcement);
        let now = self.clock.now().mono;
        // Asked again after the comparison, or the same password on several connections.
        if self.announced.holds(&key, &guess.digest, now) {
            return Ok(Leave::Given);
        }
        let Some(tokens) = self.charge_client(&settings, announcement, &guess, now) else {
            guess
                .report
                .refuse(&*self.store, Refusal::Throttled, self.clock.now())
                .await?;
            return Ok(Leave::Refused);
        };
        if self.memory.recall(&guess.digest, now) == Some(Known::Wrong) {
            // One guess, however often it is made. There had to be a token for it all the same:
            // passwords share marks, and nobody is to guess on by those that were paid for.
            self.uncharge(tokens, now);
        } else {
            let held = Held {
                guess: guess.digest,
                client: announcement.client,
                brought: false,
                tokens,
                until: now.plus(LAPSE),
            };
            self.announced.hold(key, held, now);
        }
        Ok(Leave::Given)
    }

    /// Takes note of what came of an announced attempt.
    pub(super) async fn conclude(
        &self,
        announcement: &Announcement,
        conclusion: Conclusion,
    ) -> Result<(), Undecided> {
        let settings = self.settings.load();
        let guess = self.guess(&settings, announcement).await?;
        let now = self.clock.now().mono;
        let held = self
            .announced
            .release(&guess.key(announcement), &guess.digest, now);
        let known = self.memory.recall(&guess.digest, now) == Some(Known::Wrong);
        if conclusion == Conclusion::Wrong && !known {
            // A report without an announcement is charged too; with an empty bucket there is
            // nothing left to take.
            if held.is_none() {
                let _spent = self.charge_client(&settings, announcement, &guess, now);
            }
            self.memory
                .remember(guess.digest, Known::Wrong, now, guess.window);
        } else if let Some(tokens) = held {
            self.uncharge(tokens, now);
        }
        Ok(())
    }

    /// Takes a token from the buckets of the client's address.
    fn charge_client(
        &self,
        settings: &Settings,
        announcement: &Announcement,
        guess: &Guess,
        now: Monotonic,
    ) -> Option<Charged> {
        let from = origin(announcement);
        let toll = Toll {
            from: &from,
            names: Names::Users,
            relay: settings.relays.include(&announcement.client.into()),
            known: false,
            whom: guess.whom.clone(),
            resource: Some(&announcement.resource),
            threshold: guess.threshold,
        };
        let source = self.throttle.take_source(settings, &toll, now)?;
        let Some(account) = self.throttle.take_account(settings, &toll, now) else {
            self.throttle.give_source_back(source, now);
            return None;
        };
        Some(Charged { source, account })
    }

    fn uncharge(&self, Charged { source, account }: Charged, now: Monotonic) {
        self.throttle.give_source_back(source, now);
        self.throttle.give_account_back(account, now);
    }

    async fn guess(
        &self,
        settings: &Settings,
        announcement: &Announcement,
    ) -> Result<Guess, Undecided> {
        let (Claim::Typed(typed) | Claim::Malformed(typed)) = &announcement.claim;
        let login = match &announcement.claim {
            Claim::Typed(typed) => interpret(typed, &settings.realms),
            Claim::Malformed(_) => None,
        };
        // A name of no account's shape is looked up as one that nobody has, as slowly.
        let login = login.unwrap_or_default();
        let name = login.canonical(typed);
        let read = self
            .store
            .read_attempt(
                &AccountKey::Login(login),
                Some(&announcement.resource),
                None,
                Fetch::Verdict,
            )
            .await
            .map_err(Undecided::from)?;
        let holder = match &read.account {
            Some(record) => Holder::Account(record.account.as_uuid(), record.epoch_of_guesses()),
            None => Holder::Nobody(&name),
        };
        let resource = announcement.resource.as_str();
        let mark = announcement.mark.as_bytes();
        let from = origin(announcement).key;
        let digest = self.memory.mark_digest(holder, resource, &from, mark);
        let (whom, subject) = match read.account {
            Some(record) => (
                Whom::account(&record),
                Subject::Account {
                    account: record.account,
                    username: record.username,
                },
            ),
            None => (
                Whom::Nobody(self.memory.name_digest(&name)),
                Subject::Unknown {
                    digest: self.memory.name_digest(typed),
                    length: typed.len(),
                },
            ),
        };
        Ok(Guess {
            whom,
            digest,
            threshold: read.policy.lockout.threshold,
            window: remember_wrong(&read.policy),
            report: Report::of_announced(announcement, subject),
        })
    }
}

impl Guess {
    fn key(&self, announcement: &Announcement) -> HeldKey {
        HeldKey {
            whom: self.whom.clone(),
            resource: announcement.resource.clone(),
        }
    }
}

/// What the client's buckets go by.
fn origin(announcement: &Announcement) -> Identified {
    let origin = Origin::address(announcement.client);
    identify(ResourceKind::Email, Protocol::AuthPolicy, &origin)
}
