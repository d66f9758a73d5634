//! Throttles of failed attempts, by source and by account, origin and resource (CONTRACT.md 3.6).

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::id::{AccountId, Epoch};
use crate::domain::name::ResourceName;
use crate::domain::origin::{Origin, Protocol, Source};
use crate::domain::time::Monotonic;
use crate::policy::buckets::{Buckets, Rate, account_rate};

use super::settings::Settings;

/// How many buckets of each sort are kept at most.
const BOUND: usize = 100_000;

/// An account's bucket. The epoch is part of the key, so that an unlock or a reset starts afresh.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct AccountKey {
    whom: Whom,
    origin: String,
    resource: Option<ResourceName>,
}

/// Who is guessed at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Whom {
    /// An account, under the epoch that was read.
    Account(AccountId, Epoch),
    /// A name that belongs to nobody, by its digest: where a name is asked about before its
    /// password is looked at, unknown ones must run dry as known ones do.
    Nobody(String),
}

/// The buckets of failed attempts.
pub(super) struct Throttle {
    sources: Mutex<Buckets<Source>>,
    accounts: Mutex<Buckets<AccountKey>>,
}

/// The tokens an attempt took, to be given back on success or where nothing was compared.
#[must_use]
pub(super) struct Tokens {
    source: Option<(Source, Rate)>,
    account: Option<(AccountKey, Rate)>,
}

/// Whose bucket an attempt draws from, besides its source's.
pub(super) struct Target<'a> {
    pub(super) whom: Whom,
    pub(super) resource: Option<&'a ResourceName>,
    pub(super) threshold: u32,
}

impl Throttle {
    /// Buckets that were never drawn from.
    pub(super) fn new() -> Self {
        Self {
            sources: Mutex::new(Buckets::new(BOUND)),
            accounts: Mutex::new(Buckets::new(BOUND)),
        }
    }

    /// Takes a token from every bucket concerned, or none.
    pub(super) fn take(
        &self,
        settings: &Settings,
        protocol: Protocol,
        origin: &Origin,
        target: Option<Target<'_>>,
        now: Monotonic,
    ) -> Option<Tokens> {
        // Many users stand behind a NAS, as behind any relay.
        let spared = protocol == Protocol::Radius || settings.relays.include(&origin.source);
        let source = (!spared).then(|| (origin.source.aggregate(), settings.source_rate));
        if let Some((source, rate)) = &source
            && !held(&self.sources).take(source.clone(), *rate, now)
        {
            return None;
        }
        let account = target.map(|target| bucket(settings, origin, target));
        if let Some((key, rate)) = &account
            && !held(&self.accounts).take(key.clone(), *rate, now)
        {
            self.give_back(
                Tokens {
                    source,
                    account: None,
                },
                now,
            );
            return None;
        }
        Some(Tokens { source, account })
    }

    /// Takes a token from the account's bucket alone, for good: it pays for a hash that looks at no
    /// password. False where there is none.
    pub(super) fn spend(
        &self,
        settings: &Settings,
        origin: &Origin,
        target: Target<'_>,
        now: Monotonic,
    ) -> bool {
        let (key, rate) = bucket(settings, origin, target);
        held(&self.accounts).take(key, rate, now)
    }

    /// Gives tokens back.
    pub(super) fn give_back(&self, tokens: Tokens, now: Monotonic) {
        if let Some((source, rate)) = tokens.source {
            held(&self.sources).give_back(&source, rate, now);
        }
        if let Some((key, rate)) = tokens.account {
            held(&self.accounts).give_back(&key, rate, now);
        }
    }
}

/// The account's bucket, and how it fills.
fn bucket(settings: &Settings, origin: &Origin, target: Target<'_>) -> (AccountKey, Rate) {
    let key = AccountKey {
        whom: target.whom,
        origin: origin.key(),
        resource: target.resource.cloned(),
    };
    (key, account_rate(settings.account_rate, target.threshold))
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
