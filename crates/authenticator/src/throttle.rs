//! Throttles of failed attempts: by source, and by account, origin and resource (CONTRACT.md 3.6).
//!
//! What an attempt takes follows from what was sent and from where, never from whether the name
//! belongs to anybody (CONTRACT.md 5.2).

use std::sync::{Mutex, MutexGuard, PoisonError};

use doorward_domain::id::{AccountId, Epoch, ServiceId};
use doorward_domain::name::ResourceName;
use doorward_domain::origin::{OriginKey, Source};
use doorward_domain::policy::buckets::{
    Buckets, MISSES, NAS_RATE, Rate, account_rate, half_of, source_rate,
};
use doorward_domain::policy::origins::{Behind, Identified};
use doorward_domain::time::Monotonic;
use doorward_store::attempts::AttemptRecord;

use super::settings::Settings;

/// How many buckets of each sort are kept at most.
const BOUND: usize = 100_000;

/// A source's bucket. All users of a NAS that tells no addresses would share one: those who are
/// known there have another than the rest, so that made-up names shut out none of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct SourceKey {
    origin: OriginKey,
    names: Names,
    known: bool,
}

/// Which names a source sends. Each sort has a bucket, so that guesses at users, which anybody can
/// have a host make, do not shut out the service account that the host itself binds as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Names {
    Users,
    Services,
}

/// An account's bucket. The epoch is part of the key, so that an unlock or a reset starts afresh.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct AccountKey {
    whom: Whom,
    from: From,
    resource: Option<ResourceName>,
}

/// From where an account's bucket is drawn from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum From {
    Origin(OriginKey),
    /// From all of a NAS where the account is not known.
    Nas(Source),
}

/// Who is guessed at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Whom {
    /// An account, under the epoch that its buckets go by.
    Account(AccountId, Epoch),
    /// A name that belongs to nobody, by its digest.
    Nobody(String),
    /// A service account.
    Service(ServiceId),
}

impl Whom {
    /// An account that was found.
    pub(super) fn account(record: &AttemptRecord) -> Self {
        Self::Account(record.account, record.epoch_of_guesses())
    }
}

/// The buckets of failed attempts.
pub(super) struct Throttle {
    sources: Mutex<Buckets<SourceKey>>,
    accounts: Mutex<Buckets<AccountKey>>,
    /// What missed the password that is remembered, where an account's bucket was empty.
    misses: Mutex<Buckets<AccountKey>>,
}

/// The token that an attempt took of its source, where one is taken.
#[must_use]
#[derive(Default)]
pub(super) struct SourceToken(Option<(SourceKey, Rate)>);

/// The tokens that an attempt took of an account's buckets.
#[must_use]
#[derive(Default)]
pub(super) struct AccountTokens(Vec<(AccountKey, Rate)>);

/// Whose buckets an attempt draws from.
pub(super) struct Toll<'a> {
    /// Where it comes from.
    pub(super) from: &'a Identified,
    pub(super) names: Names,
    /// A source behind which many users stand: it has no bucket.
    pub(super) relay: bool,
    /// Whether the account was let in there lately.
    pub(super) known: bool,
    pub(super) whom: Whom,
    pub(super) resource: Option<&'a ResourceName>,
    /// The threshold of the lock.
    pub(super) threshold: u32,
}

impl<'a> Toll<'a> {
    /// What draws from its source's bucket alone.
    pub(super) const fn of_source(from: &'a Identified, names: Names, relay: bool) -> Self {
        Self {
            from,
            names,
            relay,
            known: false,
            whom: Whom::Nobody(String::new()),
            resource: None,
            threshold: u32::MAX,
        }
    }
}

impl Throttle {
    /// Buckets that were never drawn from.
    pub(super) fn new() -> Self {
        Self {
            sources: Mutex::new(Buckets::new(BOUND)),
            accounts: Mutex::new(Buckets::new(BOUND)),
            misses: Mutex::new(Buckets::new(BOUND)),
        }
    }

    /// Takes a token of the source, where it has a bucket; none where that is empty.
    pub(super) fn take_source(
        &self,
        settings: &Settings,
        toll: &Toll<'_>,
        now: Monotonic,
    ) -> Option<SourceToken> {
        let Some((key, rate)) = source_bucket(settings, toll) else {
            return Some(SourceToken(None));
        };
        held(&self.sources)
            .take(key.clone(), rate, now)
            .then_some(SourceToken(Some((key, rate))))
    }

    /// Takes a token of every bucket of the account's that is concerned, or none.
    pub(super) fn take_account(
        &self,
        settings: &Settings,
        toll: &Toll<'_>,
        now: Monotonic,
    ) -> Option<AccountTokens> {
        let mut taken = AccountTokens::default();
        for (key, rate) in account_buckets(settings, toll) {
            if !held(&self.accounts).take(key.clone(), rate, now) {
                self.give_account_back(taken, now);
                return None;
            }
            taken.0.push((key, rate));
        }
        Some(taken)
    }

    /// Whether what is remembered as right still lets in where the account's bucket is empty. A
    /// stranger who shares the owner's origin keeps that bucket empty, and must not shut the owner
    /// out by it; but each wrong password that is tried meanwhile is a guess at the one remembered.
    pub(super) fn may_match(&self, settings: &Settings, toll: &Toll<'_>, now: Monotonic) -> bool {
        let (key, _) = origin_bucket(settings, toll);
        held(&self.misses).has(&key, MISSES, now)
    }

    /// Notes that a password which is not remembered as right was tried on an empty bucket.
    pub(super) fn miss(&self, settings: &Settings, toll: &Toll<'_>, now: Monotonic) {
        let (key, _) = origin_bucket(settings, toll);
        // With none left nothing matches until the owner is let in, or time passes.
        let _ = held(&self.misses).take(key, MISSES, now);
    }

    /// Notes that the owner was let in there.
    pub(super) fn matched(&self, settings: &Settings, toll: &Toll<'_>) {
        let (key, _) = origin_bucket(settings, toll);
        held(&self.misses).forget(&key);
    }

    /// Gives a source's token back.
    pub(super) fn give_source_back(&self, SourceToken(token): SourceToken, now: Monotonic) {
        if let Some((key, rate)) = token {
            held(&self.sources).give_back(&key, rate, now);
        }
    }

    /// Gives an account's tokens back.
    pub(super) fn give_account_back(&self, AccountTokens(tokens): AccountTokens, now: Monotonic) {
        let mut accounts = held(&self.accounts);
        for (key, rate) in tokens {
            accounts.give_back(&key, rate, now);
        }
    }
}

fn source_bucket(settings: &Settings, toll: &Toll<'_>) -> Option<(SourceKey, Rate)> {
    let rate = source_rate(settings.source_rate, toll.threshold);
    let (known, rate) = match toll.from.behind {
        _ if toll.relay => return None,
        Behind::Subscriber => (false, rate),
        Behind::Everybody => (toll.known, half_of(rate)),
        // Whoever is in reach of an access point could shut out all others there.
        Behind::Neighbours => return None,
    };
    let key = SourceKey {
        origin: toll.from.key.clone(),
        names: toll.names,
        known,
    };
    Some((key, rate))
}

/// The bucket of the account's where the attempt comes from.
fn origin_bucket(settings: &Settings, toll: &Toll<'_>) -> (AccountKey, Rate) {
    let from = From::Origin(toll.from.key.clone());
    account_bucket(toll, from, settings.account_rate)
}

fn account_bucket(toll: &Toll<'_>, from: From, rate: Rate) -> (AccountKey, Rate) {
    let key = AccountKey {
        whom: toll.whom.clone(),
        from,
        resource: toll.resource.cloned(),
    };
    (key, account_rate(rate, toll.threshold))
}

fn account_buckets(settings: &Settings, toll: &Toll<'_>) -> Vec<(AccountKey, Rate)> {
    // An origin where the account was let in keeps a bucket of its own.
    let nas = toll.from.nas.clone().filter(|_| !toll.known);
    let nas = nas.map(|nas| account_bucket(toll, From::Nas(nas), NAS_RATE));
    [origin_bucket(settings, toll)]
        .into_iter()
        .chain(nas)
        .collect()
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
