//! What several subjects need: a time, an active account, and the facts behind each condition.

use std::time::Duration;

use doorward_domain::account::{AccountFacts, Condition, Conditions};
use doorward_domain::name::ResourceName;
use doorward_domain::resource::{Door, Resource, ResourceKind};
use doorward_domain::rules::PolicySettings;
use doorward_domain::time::{Monotonic, Now, Timestamp};
use proptest::prelude::*;

/// 2026-11-22T12:00:00Z.
pub(crate) const NOON: Timestamp = Timestamp::from_millis(1_795_348_800_000);
pub(crate) const MILLISECOND: Duration = Duration::from_millis(1);

pub(crate) fn days(count: u64) -> Duration {
    Duration::from_secs(count * 86_400)
}

pub(crate) fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

pub(crate) fn at(wall: Timestamp) -> Now {
    Now {
        wall,
        mono: Monotonic::from_start(days(1)),
        clock_suspect: false,
    }
}

pub(crate) fn suspect(wall: Timestamp) -> Now {
    Now {
        clock_suspect: true,
        ..at(wall)
    }
}

/// Ageing after 90 days, no `unlock_after`.
pub(crate) fn policy() -> PolicySettings {
    let mut policy = PolicySettings::default();
    policy.password.max_age = Some(days(90));
    policy
}

/// An account of which no condition holds at noon.
pub(crate) fn active() -> AccountFacts {
    AccountFacts {
        password_set_at: Some(NOON.minus(days(10))),
        ..AccountFacts::default()
    }
}

/// The account with the facts behind one more condition.
pub(crate) fn put(mut facts: AccountFacts, condition: Condition) -> AccountFacts {
    match condition {
        Condition::Staged => facts.start = Some(NOON.plus(days(1))),
        Condition::PasswordPending => facts.password_set_at = None,
        Condition::MustChange => facts.must_change = true,
        Condition::Expired => facts.change_by = Some(NOON.minus(days(1))),
        Condition::Locked => facts.locked_since = Some(NOON.minus(days(1))),
        Condition::Suspended => facts.suspended = true,
    }
    facts
}

/// Every column of the table of section 2.
pub(crate) fn doors() -> Vec<Door> {
    ResourceKind::ALL
        .into_iter()
        .map(Door::Resource)
        .chain([Door::PortalSignIn, Door::PortalLink])
        .collect()
}

/// Every set of conditions.
pub(crate) fn all_sets() -> impl Iterator<Item = Conditions> {
    (0_u32..1 << Condition::ALL.len()).map(|bits| {
        Condition::ALL
            .into_iter()
            .enumerate()
            .filter(|(place, _)| bits & (1 << place) != 0)
            .map(|(_, condition)| condition)
            .collect()
    })
}

pub(crate) fn name(text: &str) -> ResourceName {
    ResourceName::parse(text).unwrap()
}

pub(crate) fn resource(text: &str, kind: ResourceKind) -> Resource {
    Resource::new(name(text), kind)
}

/// Instants within a few months of noon.
pub(crate) fn instant() -> impl Strategy<Value = Timestamp> {
    (-10_000_000_000_i64..10_000_000_000)
        .prop_map(|millis| Timestamp::from_millis(NOON.as_millis() + millis))
}

/// Any facts.
pub(crate) fn facts() -> impl Strategy<Value = AccountFacts> {
    let moment = || proptest::option::of(instant());
    (
        any::<bool>(),
        moment(),
        moment(),
        moment(),
        moment(),
        any::<bool>(),
        any::<bool>(),
        moment(),
    )
        .prop_map(
            |(
                suspended,
                start,
                end,
                password_set_at,
                change_by,
                never_expires,
                must_change,
                locked_since,
            )| AccountFacts {
                suspended,
                start,
                end,
                password_set_at,
                change_by,
                never_expires,
                must_change,
                locked_since,
            },
        )
}
