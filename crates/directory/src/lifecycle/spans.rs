//! Which facts can have been touched by a span of time: a superset, so that a store finds the few
//! users concerned by index and the rules decide about each.

use std::time::Duration;

use doorward_domain::policy::time_spans::WARNING_DAYS;
use doorward_domain::rules::PolicySettings;
use doorward_domain::time::Timestamp;
use doorward_store::changes::TimeSpans;

/// The beginning of time, for spans that reach back without limit.
const ALWAYS: Timestamp = Timestamp::from_millis(i64::MIN);

/// The spans that the time after `from` and up to `to` touches.
pub(super) fn touched(policy: &PolicySettings, from: Timestamp, to: Timestamp) -> TimeSpans {
    let longest = WARNING_DAYS.into_iter().max().unwrap_or(0);
    let mut password_set = Vec::new();
    // An expiry in the span itself, and one whose warning falls into it.
    for days in std::iter::once(0).chain(WARNING_DAYS) {
        let ahead = days_of(days);
        let (after, until) = (from.plus(ahead), to.plus(ahead));
        if let Some(max_age) = policy.password.max_age {
            password_set.push((after.minus(max_age), until.minus(max_age)));
            let oldest_expire = policy.ageing_since.plus(max_age);
            if after < oldest_expire && oldest_expire <= until {
                password_set.push((ALWAYS, policy.ageing_since));
            }
        }
        for forced in &policy.forced_changes {
            if after < forced.by && forced.by <= until {
                password_set.push((ALWAYS, forced.set_before));
            }
        }
    }
    TimeSpans {
        dates: (from, to.plus(days_of(longest))),
        password_set,
        locked: policy
            .lockout
            .unlock_after
            .map(|after| (from.minus(after), to.minus(after))),
    }
}

fn days_of(days: u32) -> Duration {
    Duration::from_secs(u64::from(days) * 86_400)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use doorward_domain::account::AccountFacts;
    use doorward_domain::policy::time_spans::{transitions_between, warnings_between};
    use doorward_domain::rules::ForcedChange;
    use doorward_domain::time::{Monotonic, Now};

    const DAY: i64 = 86_400_000;

    fn is_touched(facts: &AccountFacts, spans: &TimeSpans) -> bool {
        let within = |at: Option<Timestamp>, (after, until): (Timestamp, Timestamp)| {
            at.is_some_and(|at| after < at && at <= until)
        };
        within(facts.start, spans.dates)
            || within(facts.end, spans.dates)
            || within(facts.change_by, spans.dates)
            || spans
                .password_set
                .iter()
                .any(|span| within(facts.password_set_at, *span))
            || spans
                .locked
                .is_some_and(|span| within(facts.locked_since, span))
    }

    fn instant() -> impl Strategy<Value = Timestamp> {
        (0_i64..60 * 4).prop_map(|quarter_days| Timestamp::from_millis(quarter_days * DAY / 4))
    }

    fn facts() -> impl Strategy<Value = AccountFacts> {
        let optional = || proptest::option::of(instant());
        (
            optional(),
            optional(),
            optional(),
            optional(),
            optional(),
            any::<bool>(),
            any::<bool>(),
        )
            .prop_map(
                |(start, end, set, change_by, locked, never_expires, suspended)| AccountFacts {
                    suspended,
                    start,
                    end,
                    password_set_at: set,
                    change_by,
                    never_expires,
                    must_change: false,
                    locked_since: locked,
                },
            )
    }

    proptest! {
        #[test]
        fn nobody_whom_time_changes_is_left_out(
            facts in facts(),
            ageing_since in instant(),
            max_age in proptest::option::of(0_u64..40),
            unlock_after in proptest::option::of(0_u64..40),
            forced in proptest::option::of((instant(), instant())),
            from in instant(),
            length in 1_i64..20,
        ) {
            let mut policy = PolicySettings { ageing_since, ..PolicySettings::default() };
            policy.password.max_age = max_age.map(|days| Duration::from_secs(days * 86_400));
            policy.lockout.unlock_after =
                unlock_after.map(|days| Duration::from_secs(days * 86_400));
            policy.forced_changes = forced
                .map(|(set_before, by)| ForcedChange { set_before, by })
                .into_iter()
                .collect();
            let to = Timestamp::from_millis(from.as_millis() + length * DAY / 4);
            let now = Now { wall: to, mono: Monotonic::default(), clock_suspect: false };
            let changed = !transitions_between(&facts, &policy, from, now).is_empty()
                || warnings_between(&facts, &policy, from, now).is_some();
            if changed {
                prop_assert!(is_touched(&facts, &touched(&policy, from, to)));
            }
        }
    }
}
