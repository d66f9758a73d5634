//! CONTRACT.md 2: who gets in where. The expected cells are the written tables below, and nothing
//! computed.

use std::collections::HashSet;

use doorward_domain::account::{Condition, Conditions};
use doorward_domain::policy::access::{
    Access, Cause, Permit, REASON_ORDER, access, closed_by, combine, expired_is_refused, judge,
    locked_is_refused, permit,
};
use doorward_domain::refusal::Refusal;
use doorward_domain::resource::{Door, Override, Resource, ResourceKind};
use proptest::prelude::*;

use crate::common::{all_sets, doors, resource};

/// The columns of the table, in its order.
const COLUMNS: &str = "endpoint  vpn  wifi  app  email  sign-in  link";

/// The table, word by word; "change" stands for "change only".
const TABLE: &str = "
none               | yes    yes yes yes    yes yes    yes
staged             | no     no  no  no     no  no     no
password pending   | no     no  no  no     no  no     activation
must change        | change no  no  change no  change yes
expired            | no     no  no  no     no  change yes
locked             | no     no  no  no     yes no     yes
suspended          | no     no  no  no     no  no     no
expired + locked   | no     no  no  no     no  no     yes
";

/// Every pair of conditions, spelled out.
const PAIRS: &str = "
staged + password pending      | no no no no no no     no
staged + must change           | no no no no no no     no
staged + expired               | no no no no no no     no
staged + locked                | no no no no no no     no
staged + suspended             | no no no no no no     no
password pending + must change | no no no no no no     activation
password pending + expired     | no no no no no no     activation
password pending + locked      | no no no no no no     activation
password pending + suspended   | no no no no no no     no
must change + expired          | no no no no no change yes
must change + locked           | no no no no no no     yes
must change + suspended        | no no no no no no     no
expired + locked               | no no no no no no     yes
expired + suspended            | no no no no no no     no
locked + suspended             | no no no no no no     no
";

fn row_of(condition: Condition) -> &'static str {
    match condition {
        Condition::Staged => "staged",
        Condition::PasswordPending => "password pending",
        Condition::MustChange => "must change",
        Condition::Expired => "expired",
        Condition::Locked => "locked",
        Condition::Suspended => "suspended",
    }
}

fn column_of(door: Door) -> &'static str {
    match door {
        Door::Resource(ResourceKind::Endpoint) => "endpoint",
        Door::Resource(ResourceKind::Vpn) => "vpn",
        Door::Resource(ResourceKind::Wifi) => "wifi",
        Door::Resource(ResourceKind::App) => "app",
        Door::Resource(ResourceKind::Email) => "email",
        Door::PortalSignIn => "sign-in",
        Door::PortalLink => "link",
    }
}

fn cell(word: &str) -> Permit {
    match word {
        "yes" => Permit::Yes,
        "no" => Permit::No,
        "change" => Permit::ChangeOnly,
        "activation" => Permit::Activation,
        other => panic!("no cell: {other}"),
    }
}

/// The conditions a row's title names.
fn titled(title: &str) -> Conditions {
    if title == "none" {
        return Conditions::NONE;
    }
    title
        .split(" + ")
        .map(|name| {
            Condition::ALL
                .into_iter()
                .find(|condition| row_of(*condition) == name)
                .unwrap_or_else(|| panic!("no condition: {name}"))
        })
        .collect()
}

/// The rows of a written table: the conditions and the cell of every door.
fn read(table: &str) -> Vec<(Conditions, Vec<(Door, Permit)>)> {
    let columns: Vec<Door> = COLUMNS
        .split_whitespace()
        .map(|name| {
            doors()
                .into_iter()
                .find(|door| column_of(*door) == name)
                .unwrap_or_else(|| panic!("no door: {name}"))
        })
        .collect();
    table
        .trim()
        .lines()
        .map(|line| {
            let (title, cells) = line.split_once('|').unwrap();
            let cells: Vec<Permit> = cells.split_whitespace().map(cell).collect();
            assert_eq!(cells.len(), columns.len(), "{title}");
            (
                titled(title.trim()),
                columns.iter().copied().zip(cells).collect(),
            )
        })
        .collect()
}

#[test]
fn contract_2_the_written_tables_are_whole() {
    let columns: HashSet<&str> = COLUMNS.split_whitespace().collect();
    let known: HashSet<&str> = doors().into_iter().map(column_of).collect();
    assert_eq!(columns, known);

    let rows: HashSet<Conditions> = read(TABLE).into_iter().map(|row| row.0).collect();
    for condition in Condition::ALL {
        assert!(
            rows.contains(&Conditions::NONE.with(condition)),
            "{condition}"
        );
    }
    assert!(rows.contains(&Conditions::NONE));

    let pairs: HashSet<Conditions> = read(PAIRS).into_iter().map(|row| row.0).collect();
    for first in Condition::ALL {
        for second in Condition::ALL {
            let pair = Conditions::NONE.with(first).with(second);
            assert!(
                first == second || pairs.contains(&pair),
                "{first} and {second}"
            );
        }
    }
    assert_eq!(pairs.len(), 15);
}

#[test]
fn contract_2_every_cell_of_the_table() {
    for (conditions, cells) in read(TABLE) {
        for (door, expected) in cells {
            let held: Vec<Condition> = conditions.iter().collect();
            assert_eq!(
                access(conditions, door, None, None),
                expected,
                "{held:?} at {door:?}"
            );
            if let [condition] = held[..] {
                assert_eq!(permit(condition, door), expected, "{condition} at {door:?}");
            }
        }
    }
}

#[test]
fn contract_2_every_pair_of_conditions_at_every_door() {
    for (conditions, cells) in read(PAIRS) {
        for (door, expected) in cells {
            let held: Vec<Condition> = conditions.iter().collect();
            assert_eq!(
                access(conditions, door, None, None),
                expected,
                "{held:?} at {door:?}"
            );
        }
    }
}

#[test]
fn contract_2_more_conditions_never_open_a_door() {
    for conditions in all_sets() {
        for door in doors() {
            let before = access(conditions, door, None, None);
            for condition in Condition::ALL {
                let after = access(conditions.with(condition), door, None, None);
                assert_eq!(
                    combine(before, after),
                    after,
                    "{conditions:?} and {condition}"
                );
            }
        }
    }
}

#[test]
fn contract_2_a_suspended_or_staged_user_gets_in_nowhere_whatever_is_overridden() {
    for condition in [Condition::Suspended, Condition::Staged] {
        for conditions in all_sets().map(|set| set.with(condition)) {
            for door in doors() {
                let word = Some(Override::Allow);
                assert_eq!(access(conditions, door, word, word), Permit::No);
            }
        }
    }
}

#[test]
fn contract_2_an_override_replaces_its_row_and_no_other() {
    let locked = Conditions::NONE.with(Condition::Locked);
    let expired = Conditions::NONE.with(Condition::Expired);
    let both = locked.with(Condition::Expired);
    let (allow, deny) = (Some(Override::Allow), Some(Override::Deny));
    for kind in ResourceKind::ALL {
        let door = Door::Resource(kind);
        assert_eq!(access(locked, door, allow, None), Permit::Yes);
        assert_eq!(access(locked, door, deny, None), Permit::No);
        assert_eq!(
            access(locked, door, None, allow),
            permit(Condition::Locked, door)
        );
        assert_eq!(access(expired, door, None, allow), Permit::Yes);
        assert_eq!(access(expired, door, None, deny), Permit::No);
        assert_eq!(
            access(expired, door, allow, None),
            permit(Condition::Expired, door)
        );
        assert_eq!(access(both, door, allow, None), Permit::No);
        assert_eq!(access(both, door, deny, allow), Permit::No);
        assert_eq!(access(both, door, allow, allow), Permit::Yes);
        for condition in [
            Condition::Staged,
            Condition::PasswordPending,
            Condition::MustChange,
            Condition::Suspended,
        ] {
            let one = Conditions::NONE.with(condition);
            assert_eq!(access(one, door, allow, allow), permit(condition, door));
        }
    }
    // The portal is no resource and has no overrides.
    assert_eq!(access(locked, Door::PortalSignIn, allow, allow), Permit::No);
    assert_eq!(access(both, Door::PortalLink, deny, deny), Permit::Yes);
}

#[test]
fn contract_2_no_binding_no_access() {
    for kind in ResourceKind::ALL {
        let door = resource("r", kind);
        assert_eq!(judge(Conditions::NONE, true, &door, false), Access::Granted);
        assert_eq!(
            judge(Conditions::NONE, false, &door, true),
            Access::Refused(Refusal::NotBound)
        );
    }
    // Not even for changing the password.
    let hosts = resource("hosts", ResourceKind::Endpoint);
    assert_eq!(
        judge(
            Conditions::NONE.with(Condition::MustChange),
            false,
            &hosts,
            true
        ),
        Access::Refused(Refusal::NotBound)
    );
}

#[test]
fn contract_2_change_only_is_for_binds_that_asked() {
    let must_change = Conditions::NONE.with(Condition::MustChange);
    for kind in ResourceKind::ALL {
        let door = resource("r", kind);
        let asked = judge(must_change, true, &door, true);
        let refused = Access::Refused(Refusal::MustChange);
        assert_eq!(judge(must_change, true, &door, false), refused);
        match kind {
            ResourceKind::Endpoint | ResourceKind::App => assert_eq!(asked, Access::ChangeOnly),
            ResourceKind::Vpn | ResourceKind::Wifi | ResourceKind::Email => {
                assert_eq!(asked, refused);
            }
        }
    }
}

#[test]
fn contract_2_judging_agrees_with_the_table_for_every_set() {
    for conditions in all_sets() {
        for kind in ResourceKind::ALL {
            let door = resource("r", kind);
            let permitted = access(conditions, Door::Resource(kind), None, None);
            let judged = judge(conditions, true, &door, true);
            match permitted {
                Permit::Yes => assert_eq!(judged, Access::Granted),
                Permit::ChangeOnly => assert_eq!(judged, Access::ChangeOnly),
                Permit::Activation | Permit::No => {
                    assert!(
                        matches!(judged, Access::Refused(_)),
                        "{conditions:?} at {kind}"
                    );
                }
            }
            // Whoever did not ask, or is not bound, gets no more.
            assert_ne!(judge(conditions, true, &door, false), Access::ChangeOnly);
            assert!(matches!(
                judge(conditions, false, &door, true),
                Access::Refused(_)
            ));
        }
    }
}

#[test]
fn contract_5_the_first_reason_of_several_is_reported() {
    let hosts = resource("hosts", ResourceKind::Endpoint);
    let mut conditions: Conditions = Condition::ALL.into_iter().collect();
    for (reported, left) in [
        (Refusal::Suspended, Condition::Suspended),
        (Refusal::Staged, Condition::Staged),
        (Refusal::PasswordPending, Condition::PasswordPending),
        (Refusal::Locked, Condition::Locked),
        (Refusal::Expired, Condition::Expired),
        (Refusal::MustChange, Condition::MustChange),
    ] {
        assert_eq!(
            judge(conditions, false, &hosts, false),
            Access::Refused(reported)
        );
        conditions = conditions.iter().filter(|held| *held != left).collect();
    }
    assert_eq!(
        judge(conditions, false, &hosts, false),
        Access::Refused(Refusal::NotBound)
    );
    let order: HashSet<Condition> = REASON_ORDER.into_iter().collect();
    assert_eq!(order.len(), Condition::ALL.len());
}

#[test]
fn contract_5_a_condition_that_leaves_the_door_open_is_not_the_reason() {
    let mail = resource("mail", ResourceKind::Email);
    let locked = Conditions::NONE.with(Condition::Locked);
    assert_eq!(judge(locked, true, &mail, false), Access::Granted);
    assert_eq!(
        judge(locked, false, &mail, false),
        Access::Refused(Refusal::NotBound)
    );
    assert_eq!(
        judge(locked.with(Condition::Expired), true, &mail, false),
        Access::Refused(Refusal::Expired)
    );
}

#[test]
fn contract_3_where_locked_users_are_refused_nothing_is_verified() {
    for kind in ResourceKind::ALL {
        let mut door = resource("r", kind);
        assert_eq!(locked_is_refused(&door), kind != ResourceKind::Email);
        assert!(expired_is_refused(&door));
        door.on_locked = Some(Override::Allow);
        assert!(!locked_is_refused(&door));
        door.on_locked = Some(Override::Deny);
        assert!(locked_is_refused(&door));
    }
}

#[test]
fn contract_5_explain_lists_every_condition_and_the_deciding_one_first() {
    let mut mail = resource("mail", ResourceKind::Email);
    let conditions = Conditions::NONE
        .with(Condition::Locked)
        .with(Condition::Expired);
    let closings = closed_by(conditions, false, &mail);
    let told: Vec<(Cause, bool)> = closings.iter().map(|c| (c.cause, c.closes())).collect();
    assert_eq!(
        told,
        [
            (Cause::Condition(Condition::Locked), false),
            (Cause::Condition(Condition::Expired), true),
            (Cause::NotBound, true),
        ]
    );
    assert!(closings[1].way_out.contains("an unlock does not help"));
    assert!(closings[1].rule.contains("kind email"));

    mail.on_locked = Some(Override::Deny);
    let closings = closed_by(conditions, true, &mail);
    assert!(closings[0].closes());
    assert!(closings[0].rule.contains("on_locked of resource 'mail'"));
    assert!(closed_by(Conditions::NONE, true, &mail).is_empty());
}

#[test]
fn contract_5_the_first_closing_is_the_reason_reported() {
    for conditions in all_sets() {
        for kind in ResourceKind::ALL {
            for bound in [true, false] {
                let door: Resource = resource("r", kind);
                let first = closed_by(conditions, bound, &door)
                    .into_iter()
                    .find(doorward_domain::policy::access::Closing::closes)
                    .map(|closing| closing.cause.to_string());
                let reported = match judge(conditions, bound, &door, false) {
                    Access::Refused(reason) => Some(reason.to_string()),
                    Access::Granted | Access::ChangeOnly => None,
                };
                assert_eq!(first, reported);
            }
        }
    }
}

fn permits() -> impl Strategy<Value = Permit> {
    proptest::sample::select(Permit::ALL.to_vec())
}

proptest! {
    #[test]
    fn contract_2_and_is_commutative_associative_and_idempotent(
        a in permits(),
        b in permits(),
        c in permits(),
    ) {
        prop_assert_eq!(combine(a, b), combine(b, a));
        prop_assert_eq!(combine(a, combine(b, c)), combine(combine(a, b), c));
        prop_assert_eq!(combine(a, a), a);
        prop_assert_eq!(combine(a, Permit::Yes), a);
        prop_assert_eq!(combine(a, Permit::No), Permit::No);
    }
}
