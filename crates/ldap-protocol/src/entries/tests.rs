use std::time::Duration;

use super::*;
use crate::attribute::Selection;
use crate::dn::DistinguishedName;
use crate::stubs;
use doorward_domain::account::Conditions;
use doorward_domain::refusal::Refusal;
use doorward_fixtures::world::{NOON, World};

const DAY: Duration = Duration::from_hours(24);

fn tree() -> Tree {
    stubs::settings().tree
}

fn shown(entry: &Entry, kind: &AttributeType) -> Vec<String> {
    let values = entry.values_of(kind);
    let values = values.copied(0..values.len()).into_iter();
    values
        .map(|value| String::from_utf8(value).unwrap())
        .collect()
}

fn alice() -> Person {
    doorward_fixtures::world::person("Alice", 20_001)
}

#[test]
fn a_user_has_what_hosts_and_mail_servers_ask_for() {
    let entry = person(&tree(), &alice(), NOON);
    assert_eq!(
        entry.dn().to_string(),
        "uid=Alice,ou=people,dc=example,dc=org"
    );
    let expected = [
        (&USER_ID, "Alice"),
        (&COMMON_NAME, "Alice van Example"),
        (&SURNAME, "Example"),
        (&DISPLAY_NAME, "Alice van Example"),
        (&MAIL, "Alice@example.org"),
        (&UID_NUMBER, "20001"),
        (&GID_NUMBER, "20000"),
        (&HOME_DIRECTORY, "/home/Alice"),
        (&LOGIN_SHELL, "/bin/bash"),
        (&GECOS, "Alice van Example"),
        (&MEMBER_OF, "cn=staff,ou=groups,dc=example,dc=org"),
        (&ENTRY_DN, "uid=Alice,ou=people,dc=example,dc=org"),
        (&ENTRY_UUID, "00000000-0000-0000-0000-000000004e21"),
        (&CREATE_TIMESTAMP, "20261121120000Z"),
        (&MODIFY_TIMESTAMP, "20261122120000Z"),
        (&PWD_CHANGED_TIME, "20261122110000Z"),
        (&SHADOW_LAST_CHANGE, "20779"),
        (&STRUCTURAL_OBJECT_CLASS, "inetOrgPerson"),
        (&SUBSCHEMA_SUBENTRY, "cn=subschema"),
        (&HAS_SUBORDINATES, "FALSE"),
    ];
    for (kind, value) in expected {
        assert_eq!(shown(&entry, kind), [value], "{kind:?}");
    }
    assert_eq!(
        shown(&entry, &OBJECT_CLASS),
        [
            "top",
            "person",
            "organizationalPerson",
            "inetOrgPerson",
            "posixAccount",
            "shadowAccount",
            "ldapPublicKey"
        ]
    );
}

#[test]
fn ssh_keys_are_lines_of_their_own() {
    let lines = [
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIh2OUnFV4SUWvRG9POqDGXlUAdv/HnLloMWorepVRc5 laptop",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH",
    ];
    let mut alice = alice();
    alice.ssh_keys = lines.iter().map(|line| line.parse().unwrap()).collect();
    let entry = person(&tree(), &alice, NOON);
    assert_eq!(shown(&entry, &SSH_PUBLIC_KEY), lines);
    let bare = person(
        &tree(),
        &doorward_fixtures::world::person("bob", 20_003),
        NOON,
    );
    assert!(shown(&bare, &SSH_PUBLIC_KEY).is_empty());
}

#[test]
fn a_user_without_a_full_name_goes_by_the_username() {
    let mut alice = alice();
    alice.full_name = None;
    let entry = person(&tree(), &alice, NOON);
    for kind in [&COMMON_NAME, &SURNAME, &GECOS] {
        assert_eq!(shown(&entry, kind), ["Alice"], "{kind:?}");
    }
    assert!(shown(&entry, &DISPLAY_NAME).is_empty());
}

#[test]
fn the_comment_field_begins_no_other_field() {
    let mut alice = alice();
    alice.full_name = Some("Alice:0:0\nroot".to_owned());
    assert_eq!(
        shown(&person(&tree(), &alice, NOON), &GECOS),
        ["Alice 0 0 root"]
    );
}

#[test]
fn who_would_be_refused_carries_the_marks_and_nobody_else() {
    let mut alice = alice();
    let marks = [&PWD_ACCOUNT_LOCKED_TIME, &NS_ACCOUNT_LOCK, &SHADOW_EXPIRE];
    let entry = person(&tree(), &alice, NOON);
    for kind in marks {
        assert!(shown(&entry, kind).is_empty(), "{kind:?}");
    }
    // For any reason, no binding included.
    for refusal in [
        Refusal::NotBound,
        Refusal::Locked,
        Refusal::Suspended,
        Refusal::NoResource,
    ] {
        alice.standing.refused = Some(refusal);
        let entry = person(&tree(), &alice, NOON);
        assert_eq!(shown(&entry, &PWD_ACCOUNT_LOCKED_TIME), ["000001010000Z"]);
        assert_eq!(shown(&entry, &NS_ACCOUNT_LOCK), ["TRUE"]);
        assert_eq!(shown(&entry, &SHADOW_EXPIRE), ["1"]);
    }
}

#[test]
fn the_end_of_an_account_is_a_day() {
    let mut alice = alice();
    let expire = |alice: &Person| shown(&person(&tree(), alice, NOON), &SHADOW_EXPIRE);
    let today = NOON.as_days();
    // Ends tomorrow at noon: closed from the day after, and exactly at noon by the marks.
    alice.standing.ends_at = Some(NOON.plus(DAY));
    assert_eq!(expire(&alice), [(today + 2).to_string()]);
    // Ends at midnight: closed from that day.
    alice.standing.ends_at = Some(Timestamp::from_millis((today + 1) * 86_400_000));
    assert_eq!(expire(&alice), [(today + 1).to_string()]);
    // Refused for another reason before its end.
    alice.standing.refused = Some(Refusal::Locked);
    assert_eq!(expire(&alice), ["1"]);
    // Past its end.
    alice.standing.ends_at = Some(NOON.minus(DAY));
    assert_eq!(expire(&alice), [(today - 1).to_string()]);
}

#[test]
fn the_age_of_a_password_is_shown_in_days() {
    let mut alice = alice();
    alice.standing.expires_at = Some(NOON.plus(DAY * 30));
    let entry = person(&tree(), &alice, NOON);
    assert_eq!(shown(&entry, &SHADOW_MAX), ["30"]);
    assert_eq!(shown(&entry, &SHADOW_WARNING), ["7"]);
    assert_eq!(shown(&entry, &SHADOW_LAST_CHANGE), ["20779"]);
    assert!(shown(&entry, &PWD_RESET).is_empty());
    alice.standing.warned_before = Duration::from_secs(1);
    let entry = person(&tree(), &alice, NOON);
    assert_eq!(shown(&entry, &SHADOW_WARNING), ["1"]);
    alice.standing.warned_before = Duration::ZERO;
    let entry = person(&tree(), &alice, NOON);
    assert!(shown(&entry, &SHADOW_WARNING).is_empty());
    alice.standing.conditions = Conditions::NONE.with(Condition::MustChange);
    let entry = person(&tree(), &alice, NOON);
    assert_eq!(shown(&entry, &SHADOW_LAST_CHANGE), ["0"]);
    assert_eq!(shown(&entry, &PWD_RESET), ["TRUE"]);
    assert_eq!(shown(&entry, &PWD_CHANGED_TIME), ["20261122110000Z"]);
    alice.standing.password_set_at = None;
    alice.standing.conditions = Conditions::NONE.with(Condition::PasswordPending);
    let entry = person(&tree(), &alice, NOON);
    assert!(shown(&entry, &SHADOW_MAX).is_empty());
    assert!(shown(&entry, &SHADOW_LAST_CHANGE).is_empty());
}

#[test]
fn the_last_good_day_by_the_shadow_is_never_before_the_expiry() {
    let mut alice = alice();
    for hours in 0..72 {
        let expires_at = NOON.plus(Duration::from_hours(hours));
        alice.standing.expires_at = Some(expires_at);
        let entry = person(&tree(), &alice, NOON);
        let number = |kind| shown(&entry, kind)[0].parse::<i64>().unwrap();
        // pam_unix and nslcd: expired where today is later than the last change and the maximum.
        let first_closed = number(&SHADOW_LAST_CHANGE) + number(&SHADOW_MAX) + 1;
        assert!(
            first_closed * 86_400_000 >= expires_at.as_millis(),
            "{hours}"
        );
    }
}

#[test]
fn failures_that_count_are_told_one_by_one() {
    let mut alice = alice();
    assert!(shown(&person(&tree(), &alice, NOON), &PWD_FAILURE_TIME).is_empty());
    let at = |millis| NOON.plus(Duration::from_millis(millis));
    alice.standing.failures = vec![at(0), at(7), at(7), at(1_000)];
    assert_eq!(
        shown(&person(&tree(), &alice, NOON), &PWD_FAILURE_TIME),
        [
            "20261122120000.000Z",
            "20261122120000.007Z",
            "20261122120001.000Z"
        ]
    );
}

#[test]
fn a_group_names_its_members_in_both_ways() {
    let world = World::new();
    let entry = group(&tree(), &world.groups[0]);
    assert_eq!(
        entry.dn().to_string(),
        "cn=staff,ou=groups,dc=example,dc=org"
    );
    assert_eq!(
        shown(&entry, &MEMBER),
        [
            "uid=Alice,ou=people,dc=example,dc=org",
            "uid=bob,ou=people,dc=example,dc=org",
            "uid=susan,ou=people,dc=example,dc=org",
            "cn=interns,ou=groups,dc=example,dc=org"
        ]
    );
    assert_eq!(shown(&entry, &MEMBER_UID), ["Alice", "bob", "susan"]);
    assert_eq!(
        shown(&entry, &OBJECT_CLASS),
        ["top", "groupOfNames", "posixGroup"]
    );
    assert_eq!(shown(&entry, &DESCRIPTION), ["Everybody"]);
}

#[test]
fn planning_knows_every_attribute_that_is_rendered() {
    let world = World::new();
    let mut full = world.people[1].clone();
    full.standing.expires_at = Some(NOON.plus(DAY));
    full.standing.conditions = Conditions::NONE.with(Condition::MustChange);
    full.standing.failures = vec![NOON];
    let held = |entry: &Entry| {
        let all = Selection::new(&["*", "+"]).apply(entry.clone(), true);
        all.attributes
            .into_iter()
            .map(|own| own.name)
            .collect::<Vec<_>>()
    };
    for name in held(&person(&tree(), &full, NOON)) {
        assert!(
            PERSON_ATTRIBUTES.iter().any(|kind| kind.name() == name),
            "{name}"
        );
    }
    for name in held(&group(&tree(), &world.groups[0])) {
        assert!(
            GROUP_ATTRIBUTES.iter().any(|kind| kind.name() == name),
            "{name}"
        );
    }
    for name in held(&sudo_role(&tree(), &restart())) {
        assert!(
            SUDO_ATTRIBUTES.iter().any(|kind| kind.name() == name),
            "{name}"
        );
    }
}

/// A sudo rule with a value of every kind.
fn restart() -> SudoRole {
    use doorward_domain::id::SudoRuleId;
    use doorward_domain::name::{GroupName, SudoRuleName, Username};
    use doorward_domain::sudo::*;
    let username = |name: &str| SudoSubject::User(Username::parse(name).unwrap());
    SudoRole {
        id: SudoRuleId::from_uuid(uuid::Uuid::from_u128(7)),
        rule: SudoRule {
            name: SudoRuleName::parse("Restart").unwrap(),
            subjects: vec![
                username("ALL"),
                username("alice"),
                SudoSubject::Group(GroupName::parse("staff").unwrap()),
            ],
            terms: SudoTerms {
                hosts: vec![SudoHost::parse("web*").unwrap()],
                commands: vec![SudoCommand::parse("/usr/bin/systemctl restart nginx").unwrap()],
                run_as_users: vec![SudoRunAsUser::parse("#0").unwrap()],
                run_as_groups: vec![SudoRunAsGroup::parse("adm").unwrap()],
                options: vec![SudoOption::parse("!authenticate").unwrap()],
                order: Some(-5),
                not_before: Some(NOON),
                not_after: Some(NOON.plus(DAY)),
                description: Some("Web masters".to_owned()),
            },
        },
        created: NOON,
        modified: NOON,
    }
}

#[test]
fn a_sudo_rule_has_what_sudo_reads() {
    let entry = sudo_role(&tree(), &restart());
    assert_eq!(
        entry.dn().to_string(),
        "cn=Restart,ou=sudoers,dc=example,dc=org"
    );
    let expected: [(&AttributeType, &[&str]); 13] = [
        (&OBJECT_CLASS, &["top", "sudoRole"]),
        (&COMMON_NAME, &["Restart"]),
        (&DESCRIPTION, &["Web masters"]),
        // Not the user called as everybody is.
        (&SUDO_USER, &["alice", "%staff"]),
        (&SUDO_HOST, &["web*"]),
        (&SUDO_COMMAND, &["/usr/bin/systemctl restart nginx"]),
        (&SUDO_RUN_AS_USER, &["#0"]),
        (&SUDO_RUN_AS_GROUP, &["adm"]),
        (&SUDO_OPTION, &["!authenticate"]),
        (&SUDO_ORDER, &["-5"]),
        (&SUDO_NOT_BEFORE, &["20261122120000Z"]),
        (&SUDO_NOT_AFTER, &["20261123120000Z"]),
        (&MODIFY_TIMESTAMP, &["20261122120000Z"]),
    ];
    for (kind, values) in expected {
        assert_eq!(shown(&entry, kind), values, "{kind:?}");
    }
}

#[test]
fn the_base_is_an_organisation_by_any_name() {
    let classes = |base: &str| {
        let tree = Tree::new(DistinguishedName::parse(base).unwrap(), "Example Ltd");
        let entry = fixed(&tree, Fixed::Base);
        (shown(&entry, &OBJECT_CLASS), shown(&entry, &ORGANIZATION))
    };
    let example = || vec!["Example Ltd".to_owned()];
    assert_eq!(
        classes("dc=example,dc=org"),
        (
            ["top", "organization", "dcObject"]
                .map(str::to_owned)
                .to_vec(),
            example()
        )
    );
    assert_eq!(
        classes("ou=unit,dc=org"),
        (
            ["top", "organizationalUnit"].map(str::to_owned).to_vec(),
            vec![]
        )
    );
    let (classes, names) = classes("o=Example");
    assert_eq!(classes, ["top", "organization"]);
    assert_eq!(names, ["Example", "Example Ltd"]);
}

#[test]
fn sssd_finds_the_policy_it_looks_for() {
    let entry = fixed(&tree(), Fixed::PasswordPolicy);
    assert_eq!(
        entry.dn().to_string(),
        "cn=ppolicy,ou=policies,dc=example,dc=org"
    );
    assert_eq!(shown(&entry, &PWD_LOCKOUT), ["TRUE"]);
}
