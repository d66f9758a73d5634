//! What time alone changes about an account between two instants (CONTRACT.md 7, 10).
//!
//! While the clock is suspect nothing is said to have passed: whoever follows time keeps the
//! instant reached and asks again from there, so that nothing is missed and nothing is acted on
//! because of a clock that jumped.

use std::time::Duration;

use crate::account::AccountFacts;
use crate::rules::PolicySettings;
use crate::time::{Now, Timestamp};

use super::conditions::{expires_at, lock_lapses_at};

/// What the passing of an instant did to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transition {
    /// The start date came.
    Started,
    /// The password expired.
    Expired,
    /// The end date passed.
    Ended,
    /// `unlock_after` ran out.
    LockLapsed,
}

impl Transition {
    /// The name in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Expired => "expired",
            Self::Ended => "ended",
            Self::LockLapsed => "lock_lapsed",
        }
    }
}

/// A transition and its instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Passed {
    /// When it took effect.
    pub at: Timestamp,
    /// What it was.
    pub transition: Transition,
}

/// What time alone changed after `from` and up to `to`, under the same facts and policy, in order
/// of time. A suspended account does not end, and one without a password does not expire.
pub fn transitions_between(
    facts: &AccountFacts,
    policy: &PolicySettings,
    from: Timestamp,
    to: Now,
) -> Vec<Passed> {
    if to.clock_suspect {
        return Vec::new();
    }
    let mut passed: Vec<Passed> = instants(facts, policy)
        .into_iter()
        .filter(|passed| from < passed.at && passed.at <= to.wall)
        .collect();
    passed.sort_unstable();
    passed
}

/// The next instant after `after` at which time alone changes something or a warning is due.
pub fn next_due(
    facts: &AccountFacts,
    policy: &PolicySettings,
    after: Timestamp,
) -> Option<Timestamp> {
    instants(facts, policy)
        .into_iter()
        .map(|passed| passed.at)
        .chain(warnings(facts, policy).map(|warning| warning.due))
        .filter(|at| *at > after)
        .min()
}

fn instants(facts: &AccountFacts, policy: &PolicySettings) -> Vec<Passed> {
    [
        (facts.start, Transition::Started),
        (expires_at(facts, policy), Transition::Expired),
        (facts.end.filter(|_| !facts.suspended), Transition::Ended),
        (lock_lapses_at(facts, policy), Transition::LockLapsed),
    ]
    .into_iter()
    .filter_map(|(at, transition)| at.map(|at| Passed { at, transition }))
    .collect()
}

/// How many days before the expiry a user is told (CONTRACT.md 7), the earliest first.
pub const WARNING_DAYS: [u32; 3] = [7, 3, 1];

/// A warning that a password will expire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExpiryWarning {
    /// How many days before the expiry it is due.
    pub days: u32,
    /// When it is due.
    pub due: Timestamp,
    /// When the password expires.
    pub expires_at: Timestamp,
}

/// The expiry warnings that fell due after `from` and up to `to`, none earlier than
/// `password.warn_before` allows.
///
/// Where several fell due at once (after a standstill), only the last is told: that seven days
/// are left is no longer true. Once the password has expired none is.
pub fn warnings_between(
    facts: &AccountFacts,
    policy: &PolicySettings,
    from: Timestamp,
    to: Now,
) -> Option<ExpiryWarning> {
    if to.clock_suspect {
        return None;
    }
    warnings(facts, policy)
        .filter(|warning| from < warning.due && warning.due <= to.wall)
        .filter(|warning| to.wall < warning.expires_at)
        .last()
}

fn warnings(facts: &AccountFacts, policy: &PolicySettings) -> impl Iterator<Item = ExpiryWarning> {
    let warn_before = policy.password.warn_before;
    expires_at(facts, policy)
        .into_iter()
        .flat_map(move |expires_at| {
            WARNING_DAYS.into_iter().filter_map(move |days| {
                let span = Duration::from_secs(u64::from(days) * 86_400);
                (span <= warn_before).then(|| ExpiryWarning {
                    days,
                    due: expires_at.minus(span),
                    expires_at,
                })
            })
        })
}

/// Whether a login now should mention the expiry to come: it lies ahead, within
/// `password.warn_before`. The time left, where it should.
pub fn expiry_warning(facts: &AccountFacts, policy: &PolicySettings, now: Now) -> Option<Duration> {
    let expires_at = expires_at(facts, policy)?;
    let left = expires_at.since(now.wall);
    (!left.is_zero() && left <= policy.password.warn_before).then_some(left)
}
