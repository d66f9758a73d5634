//! CONTRACT.md 1 and 10: facts, conditions, status.

use doorward_domain::account::{AccountFacts, Condition, Conditions, Status};
use doorward_domain::policy::access::way_out;
use doorward_domain::policy::conditions::{conditions, expires_at, lock_lapses_at, status};
use doorward_domain::rules::ForcedChange;
use doorward_domain::time::Timestamp;
use proptest::prelude::*;

use crate::common::{
    MILLISECOND, NOON, active, at, days, facts, instant, minutes, policy, put, suspect,
};

fn one(condition: Condition) -> Conditions {
    Conditions::NONE.with(condition)
}

fn holds_at(facts: &AccountFacts, condition: Condition, wall: Timestamp) -> bool {
    conditions(facts, &policy(), at(wall)).holds(condition)
}

/// The table of section 1, row by row: the condition, the status shown, and a word that the way
/// out must name.
const TABLE: [(Condition, &str, &str); 6] = [
    (Condition::Staged, "inactive", "date"),
    (Condition::PasswordPending, "inactive", "activation link"),
    (Condition::MustChange, "active", "the user changes"),
    (Condition::Expired, "expired", "reset"),
    (Condition::Locked, "locked", "unlock"),
    (Condition::Suspended, "suspended", "resume"),
];

#[test]
fn contract_1_every_row_of_the_table_has_its_test() {
    let rows: Vec<Condition> = TABLE.iter().map(|row| row.0).collect();
    assert_eq!(rows, Condition::ALL);
}

#[test]
fn contract_1_each_condition_follows_from_its_facts_alone() {
    assert_eq!(conditions(&active(), &policy(), at(NOON)), Conditions::NONE);
    for (condition, shown, way) in TABLE {
        let facts = put(active(), condition);
        assert_eq!(
            conditions(&facts, &policy(), at(NOON)),
            one(condition),
            "{condition}"
        );
        assert_eq!(
            status(&facts, &policy(), at(NOON)).as_str(),
            shown,
            "{condition}"
        );
        assert!(way_out(condition).contains(way), "{condition}");
    }
}

#[test]
fn contract_1_every_pair_of_facts_makes_a_pair_of_conditions() {
    for first in Condition::ALL {
        for second in Condition::ALL {
            let facts = put(put(active(), first), second);
            let held = conditions(&facts, &policy(), at(NOON));
            let pair = one(first).with(second);
            // Without a password there is none to change or to expire.
            let expected = if pair.holds(Condition::PasswordPending) {
                pair.iter()
                    .filter(|c| !matches!(c, Condition::MustChange | Condition::Expired))
                    .collect()
            } else {
                pair
            };
            assert_eq!(held, expected, "{first} and {second}");
        }
    }
}

#[test]
fn contract_1_the_status_of_every_pair() {
    use Condition::{Expired, Locked, MustChange, PasswordPending, Staged, Suspended};
    let shown = |first, second| Status::of(one(first).with(second)).as_str();
    for (first, second, expected) in [
        (Staged, PasswordPending, "inactive"),
        (Staged, MustChange, "inactive"),
        (Staged, Expired, "inactive"),
        (Staged, Locked, "inactive"),
        (Staged, Suspended, "suspended"),
        (PasswordPending, MustChange, "inactive"),
        (PasswordPending, Expired, "inactive"),
        (PasswordPending, Locked, "inactive"),
        (PasswordPending, Suspended, "suspended"),
        (MustChange, Expired, "expired"),
        (MustChange, Locked, "locked"),
        (MustChange, Suspended, "suspended"),
        (Expired, Locked, "expired, locked"),
        (Expired, Suspended, "suspended"),
        (Locked, Suspended, "suspended"),
    ] {
        assert_eq!(shown(first, second), expected, "{first} and {second}");
        assert_eq!(shown(second, first), expected, "{second} and {first}");
    }
    assert_eq!(Status::of(Conditions::NONE).as_str(), "active");
}

#[test]
fn contract_1_a_start_and_an_end_take_effect_at_their_instant() {
    let starting = AccountFacts {
        start: Some(NOON),
        ..active()
    };
    assert!(holds_at(
        &starting,
        Condition::Staged,
        NOON.minus(MILLISECOND)
    ));
    assert!(!holds_at(&starting, Condition::Staged, NOON));

    let ending = AccountFacts {
        end: Some(NOON),
        ..active()
    };
    assert!(!holds_at(
        &ending,
        Condition::Suspended,
        NOON.minus(MILLISECOND)
    ));
    assert!(holds_at(&ending, Condition::Suspended, NOON));
}

#[test]
fn contract_1_a_password_expires_at_the_instant_it_reaches_the_age() {
    let facts = AccountFacts {
        password_set_at: Some(NOON.minus(days(90))),
        ..active()
    };
    assert_eq!(expires_at(&facts, &policy()), Some(NOON));
    assert!(!holds_at(
        &facts,
        Condition::Expired,
        NOON.minus(MILLISECOND)
    ));
    assert!(holds_at(&facts, Condition::Expired, NOON));
}

#[test]
fn contract_1_age_counts_from_the_later_of_the_password_and_the_policy() {
    let mut policy = policy();
    let facts = AccountFacts {
        password_set_at: Some(NOON.minus(days(1000))),
        ..active()
    };
    policy.ageing_since = NOON.minus(days(1));
    assert_eq!(expires_at(&facts, &policy), Some(NOON.plus(days(89))));
    policy.ageing_since = NOON.minus(days(2000));
    assert_eq!(expires_at(&facts, &policy), Some(NOON.minus(days(910))));
}

#[test]
fn contract_1_never_expires_exempts_from_ageing_and_from_no_forced_change() {
    let mut policy = policy();
    let mut facts = AccountFacts {
        password_set_at: Some(NOON.minus(days(1000))),
        never_expires: true,
        ..active()
    };
    assert_eq!(expires_at(&facts, &policy), None);
    policy.forced_changes.push(ForcedChange {
        set_before: NOON.minus(days(5)),
        by: NOON.plus(days(5)),
    });
    assert_eq!(expires_at(&facts, &policy), Some(NOON.plus(days(5))));
    facts.change_by = Some(NOON.plus(days(2)));
    assert_eq!(expires_at(&facts, &policy), Some(NOON.plus(days(2))));
}

#[test]
fn contract_1_a_forced_change_is_for_passwords_set_under_older_rules() {
    let mut policy = policy();
    policy.password.max_age = None;
    let forced = ForcedChange {
        set_before: NOON,
        by: NOON.plus(days(30)),
    };
    policy.forced_changes.push(forced);
    let set = |at| AccountFacts {
        password_set_at: Some(at),
        ..AccountFacts::default()
    };
    let older = set(NOON.minus(MILLISECOND));
    assert_eq!(expires_at(&older, &policy), Some(forced.by));
    assert!(
        !conditions(&older, &policy, at(forced.by.minus(MILLISECOND))).holds(Condition::Expired)
    );
    assert!(conditions(&older, &policy, at(forced.by)).holds(Condition::Expired));
    assert_eq!(expires_at(&set(NOON), &policy), None);
}

#[test]
fn contract_1_the_earliest_of_all_expiries_counts() {
    let mut policy = policy();
    for by in [NOON.plus(days(40)), NOON.plus(days(20))] {
        policy.forced_changes.push(ForcedChange {
            set_before: NOON,
            by,
        });
    }
    let mut facts = active();
    assert_eq!(expires_at(&facts, &policy), Some(NOON.plus(days(20))));
    facts.change_by = Some(NOON.plus(days(50)));
    assert_eq!(expires_at(&facts, &policy), Some(NOON.plus(days(20))));
    policy.password.max_age = Some(days(12));
    assert_eq!(expires_at(&facts, &policy), Some(NOON.plus(days(2))));
}

#[test]
fn contract_1_a_lock_opens_by_itself_only_where_the_policy_says_so() {
    let mut policy = policy();
    let locked = AccountFacts {
        locked_since: Some(NOON),
        ..active()
    };
    assert_eq!(lock_lapses_at(&locked, &policy), None);
    assert!(conditions(&locked, &policy, at(NOON.plus(days(9999)))).holds(Condition::Locked));

    policy.lockout.unlock_after = Some(minutes(15));
    let lapse = NOON.plus(minutes(15));
    assert_eq!(lock_lapses_at(&locked, &policy), Some(lapse));
    assert!(conditions(&locked, &policy, at(lapse.minus(MILLISECOND))).holds(Condition::Locked));
    assert!(!conditions(&locked, &policy, at(lapse)).holds(Condition::Locked));
}

#[test]
fn contract_10_no_lock_is_lost_while_the_clock_is_suspect() {
    let mut policy = policy();
    policy.lockout.unlock_after = Some(minutes(15));
    let locked = put(active(), Condition::Locked);
    assert!(!conditions(&locked, &policy, at(NOON)).holds(Condition::Locked));
    assert!(conditions(&locked, &policy, suspect(NOON)).holds(Condition::Locked));
    assert!(conditions(&locked, &policy, suspect(NOON.plus(days(900)))).holds(Condition::Locked));
}

#[test]
fn contract_10_a_start_that_has_passed_stays_passed_while_the_clock_is_suspect() {
    let started = AccountFacts {
        start: Some(NOON.minus(days(3))),
        ..active()
    };
    assert!(conditions(&started, &policy(), suspect(NOON)).is_empty());
    let staged = put(active(), Condition::Staged);
    assert!(conditions(&staged, &policy(), suspect(NOON)).holds(Condition::Staged));
}

proptest! {
    #[test]
    fn contract_10_suspicion_opens_nothing(facts in facts(), wall in instant()) {
        let mut policy = policy();
        policy.lockout.unlock_after = Some(minutes(15));
        let trusted = conditions(&facts, &policy, at(wall));
        let suspected = conditions(&facts, &policy, suspect(wall));
        for condition in trusted.iter() {
            prop_assert!(suspected.holds(condition), "{}", condition);
        }
        for condition in suspected.iter() {
            prop_assert!(trusted.holds(condition) || condition == Condition::Locked);
        }
    }

    #[test]
    fn contract_1_time_alone_never_stages_an_account_nor_ends_an_expiry(
        facts in facts(),
        one in instant(),
        other in instant(),
    ) {
        let (earlier, later) = (one.min(other), one.max(other));
        let before = conditions(&facts, &policy(), at(earlier));
        let after = conditions(&facts, &policy(), at(later));
        prop_assert!(before.holds(Condition::Staged) || !after.holds(Condition::Staged));
        prop_assert!(!before.holds(Condition::Expired) || after.holds(Condition::Expired));
        prop_assert!(!before.holds(Condition::Suspended) || after.holds(Condition::Suspended));
        prop_assert_eq!(
            before.holds(Condition::PasswordPending),
            after.holds(Condition::PasswordPending)
        );
    }

    #[test]
    fn contract_1_a_status_is_active_only_where_nothing_closes(facts in facts(), wall in instant()) {
        let held = conditions(&facts, &policy(), at(wall));
        let harmless = held.iter().all(|condition| condition == Condition::MustChange);
        prop_assert_eq!(Status::of(held) == Status::Active, harmless);
    }
}
