//! From facts, policy and time to the conditions that hold (CONTRACT.md 1, 10).
//!
//! Every boundary belongs to what it begins: an account whose start is this very instant has
//! started, one whose end is this instant has ended, a password whose expiry is this instant has
//! expired.
//!
//! While the clock is suspect, time may add a condition and open nothing that failed attempts
//! closed: a lock does not lapse. Start, end and expiry are compared with the wall clock as it
//! stands, because nothing but the clock says whether they have passed, and to disbelieve it
//! would turn away everyone who ever had a start date. A caller whose clock is *behind* keeps
//! ended accounts ended by handing in a wall time no earlier than the newest event.

use crate::account::{AccountFacts, Condition, Conditions, Status};
use crate::rules::PolicySettings;
use crate::time::{Now, Timestamp};

/// The conditions that hold of an account now (CONTRACT.md 1).
pub fn conditions(facts: &AccountFacts, policy: &PolicySettings, now: Now) -> Conditions {
    let AccountFacts {
        suspended,
        start,
        end,
        password_set_at,
        change_by: _,
        never_expires: _,
        must_change,
        locked_since,
    } = facts;
    let has_password = password_set_at.is_some();
    let passed = |moment: Timestamp| moment <= now.wall;
    [
        (Condition::Staged, start.is_some_and(|start| !passed(start))),
        (Condition::PasswordPending, !has_password),
        // Without a password there is none to change; the account is pending instead.
        (Condition::MustChange, has_password && *must_change),
        (
            Condition::Expired,
            expires_at(facts, policy).is_some_and(passed),
        ),
        (
            Condition::Locked,
            locked_since.is_some()
                && (now.clock_suspect || !lock_lapses_at(facts, policy).is_some_and(passed)),
        ),
        (Condition::Suspended, *suspended || end.is_some_and(passed)),
    ]
    .into_iter()
    .filter_map(|(condition, holds)| holds.then_some(condition))
    .collect()
}

/// The status shown for an account now.
pub fn status(facts: &AccountFacts, policy: &PolicySettings, now: Now) -> Status {
    Status::of(conditions(facts, policy, now))
}

/// When the password expires or did expire: the earliest of ageing, the user's own date and the
/// forced changes that apply to it. Nothing where no password was ever set.
///
/// Age counts from the later of the day the password was set and the day ageing took effect.
/// "Never expires" exempts from ageing only: a forced change is meant for everyone.
pub fn expires_at(facts: &AccountFacts, policy: &PolicySettings) -> Option<Timestamp> {
    let set_at = facts.password_set_at?;
    let ageing = policy
        .password
        .max_age
        .filter(|_| !facts.never_expires)
        .map(|max_age| set_at.max(policy.ageing_since).plus(max_age));
    let forced = policy
        .forced_changes
        .iter()
        .filter(|forced| set_at < forced.set_before)
        .map(|forced| forced.by)
        .min();
    [ageing, forced, facts.change_by]
        .into_iter()
        .flatten()
        .min()
}

/// When the lock opens or did open by itself; never where the policy has no `unlock_after`, and
/// not while the clock is suspect, which [`conditions`] sees to.
pub fn lock_lapses_at(facts: &AccountFacts, policy: &PolicySettings) -> Option<Timestamp> {
    Some(facts.locked_since?.plus(policy.lockout.unlock_after?))
}
