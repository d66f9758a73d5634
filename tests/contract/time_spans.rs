//! CONTRACT.md 7 and 10: what time alone causes.

use doorward_domain::account::{AccountFacts, Condition};
use doorward_domain::policy::conditions::conditions;
use doorward_domain::policy::time_spans::{
    Passed, Transition, expiry_warning, next_due, transitions_between, warnings_between,
};
use proptest::prelude::*;

use crate::common::{
    MILLISECOND, NOON, active, at, days, facts, instant, minutes, policy, suspect,
};

#[test]
fn contract_7_each_transition_is_reported_once_and_in_order() {
    let mut policy = policy();
    policy.lockout.unlock_after = Some(minutes(15));
    let facts = AccountFacts {
        start: Some(NOON.plus(days(1))),
        end: Some(NOON.plus(days(9))),
        change_by: Some(NOON.plus(days(5))),
        locked_since: Some(NOON.plus(days(3)).minus(minutes(15))),
        ..active()
    };
    let all = [
        (1, Transition::Started),
        (3, Transition::LockLapsed),
        (5, Transition::Expired),
        (9, Transition::Ended),
    ]
    .map(|(day, transition)| Passed {
        at: NOON.plus(days(day)),
        transition,
    });
    assert_eq!(
        transitions_between(&facts, &policy, NOON, at(NOON.plus(days(30)))),
        all
    );
    for passed in all {
        let before = passed.at.minus(MILLISECOND);
        assert_eq!(
            transitions_between(&facts, &policy, before, at(passed.at)),
            [passed]
        );
        // Neither before its instant nor again after it.
        let none: [Passed; 0] = [];
        assert_eq!(transitions_between(&facts, &policy, NOON, at(NOON)), none);
        assert_eq!(
            transitions_between(&facts, &policy, passed.at, at(passed.at.plus(MILLISECOND))),
            none
        );
    }
}

#[test]
fn contract_7_what_changes_nothing_is_not_reported() {
    let later = at(NOON.plus(days(200)));
    let suspended = AccountFacts {
        suspended: true,
        end: Some(NOON.plus(days(1))),
        password_set_at: None,
        ..AccountFacts::default()
    };
    assert_eq!(transitions_between(&suspended, &policy(), NOON, later), []);
    // A lock without `unlock_after` does not lapse.
    let locked = AccountFacts {
        locked_since: Some(NOON),
        never_expires: true,
        ..active()
    };
    assert_eq!(transitions_between(&locked, &policy(), NOON, later), []);
    assert_eq!(next_due(&locked, &policy(), NOON), None);
}

#[test]
fn contract_10_a_suspect_clock_causes_nothing() {
    let facts = AccountFacts {
        end: Some(NOON),
        change_by: Some(NOON.plus(days(2))),
        ..active()
    };
    let from = NOON.minus(days(1));
    assert_eq!(
        transitions_between(&facts, &policy(), from, suspect(NOON)),
        []
    );
    assert_eq!(
        warnings_between(&facts, &policy(), from, suspect(NOON)),
        None
    );
    // Asked again from where it stood, nothing was missed.
    assert_eq!(
        transitions_between(&facts, &policy(), from, at(NOON)).len(),
        1
    );
}

fn expiring(at: u64) -> AccountFacts {
    AccountFacts {
        change_by: Some(NOON.plus(days(at))),
        ..active()
    }
}

#[test]
fn contract_7_expiry_is_told_seven_three_and_one_days_before() {
    for (left, due) in [(7, 3), (3, 7), (1, 9)] {
        let due = NOON.plus(days(due));
        let warning =
            warnings_between(&expiring(10), &policy(), due.minus(MILLISECOND), at(due)).unwrap();
        assert_eq!((u64::from(warning.days), warning.due), (left, due));
        assert_eq!(warning.expires_at, NOON.plus(days(10)));
        assert_eq!(
            warnings_between(&expiring(10), &policy(), due, at(due.plus(minutes(1)))),
            None
        );
    }
}

#[test]
fn contract_7_warnings_are_bounded_by_warn_before() {
    let mut policy = policy();
    let days_told = |policy: &_| {
        let span = |day| {
            (
                NOON.plus(days(day)).minus(MILLISECOND),
                at(NOON.plus(days(day))),
            )
        };
        (0..=10)
            .filter_map(|day| {
                let (from, to) = span(day);
                warnings_between(&expiring(10), policy, from, to).map(|w| w.days)
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(days_told(&policy), [7, 3, 1]);
    policy.password.warn_before = days(6);
    assert_eq!(days_told(&policy), [3, 1]);
    policy.password.warn_before = days(0);
    assert_eq!(days_told(&policy), [0; 0]);
}

#[test]
fn contract_7_after_a_standstill_only_what_is_still_true_is_told() {
    let told = |to: u64| {
        warnings_between(&expiring(10), &policy(), NOON, at(NOON.plus(days(to)))).map(|w| w.days)
    };
    assert_eq!(told(2), None);
    assert_eq!(told(4), Some(7));
    assert_eq!(told(8), Some(3));
    assert_eq!(told(9), Some(1));
    assert_eq!(told(10), None);
}

#[test]
fn contract_7_a_login_mentions_an_expiry_that_is_near() {
    let left =
        |expires, now: u64| expiry_warning(&expiring(expires), &policy(), at(NOON.plus(days(now))));
    assert_eq!(left(10, 2), None);
    assert_eq!(left(10, 3), Some(days(7)));
    assert_eq!(left(10, 9), Some(days(1)));
    assert_eq!(left(10, 10), None);
    let never = AccountFacts {
        never_expires: true,
        ..active()
    };
    assert_eq!(
        expiry_warning(&never, &policy(), at(NOON.plus(days(79)))),
        None
    );
}

proptest! {
    #[test]
    fn contract_7_a_span_cut_in_two_reports_the_same(
        facts in facts(),
        moments in [instant(), instant(), instant()],
    ) {
        let mut moments = moments;
        moments.sort();
        let [from, middle, to] = moments;
        let mut policy = policy();
        policy.lockout.unlock_after = Some(minutes(15));
        let whole = transitions_between(&facts, &policy, from, at(to));
        let mut halves = transitions_between(&facts, &policy, from, at(middle));
        halves.extend(transitions_between(&facts, &policy, middle, at(to)));
        prop_assert_eq!(whole, halves);
    }

    #[test]
    fn contract_7_every_change_of_conditions_has_a_transition(
        facts in facts(),
        one in instant(),
        other in instant(),
    ) {
        let (from, to) = (one.min(other), one.max(other));
        let mut policy = policy();
        policy.lockout.unlock_after = Some(minutes(15));
        let before = conditions(&facts, &policy, at(from));
        let after = conditions(&facts, &policy, at(to));
        let passed: Vec<Transition> = transitions_between(&facts, &policy, from, at(to))
            .into_iter()
            .map(|passed| passed.transition)
            .collect();
        for (condition, transition) in [
            (Condition::Staged, Transition::Started),
            (Condition::Expired, Transition::Expired),
            (Condition::Suspended, Transition::Ended),
            (Condition::Locked, Transition::LockLapsed),
        ] {
            let changed = before.holds(condition) != after.holds(condition);
            prop_assert_eq!(changed, passed.contains(&transition), "{}", condition);
        }
    }

    #[test]
    fn contract_7_nothing_happens_before_the_next_due_instant(
        facts in facts(),
        from in instant(),
    ) {
        let mut policy = policy();
        policy.lockout.unlock_after = Some(minutes(15));
        let due = next_due(&facts, &policy, from).unwrap_or(from.plus(days(400)));
        let before = at(due.minus(MILLISECOND));
        prop_assert_eq!(transitions_between(&facts, &policy, from, before), []);
        prop_assert_eq!(warnings_between(&facts, &policy, from, before), None);
    }
}
