//! Changes of one's own password (RFC 3062), as far as the front end goes.

use super::client::{modify, password_modify};
use super::*;
use doorward_domain::time::Timestamp;
use doorward_frontend_api::{BrokenRule, NotChanged};

const NEW: &str = "marble thunder kettle";
const MONA: &str = "uid=mona,ou=people,dc=example,dc=org";
const ADD: u8 = 0;
const DELETE: u8 = 1;
const REPLACE: u8 = 2;

impl Served {
    fn asked(&self) -> usize {
        self.world.attempts.lock().unwrap().len()
    }

    fn set(&self) -> Vec<String> {
        self.world.passwords_set.lock().unwrap().clone()
    }

    /// Mona must change the password, and said that her client can show it.
    fn must_change(&self) -> Client {
        let mut client = self.connect();
        let policy = [control(PASSWORD_POLICY, false)];
        assert_eq!(client.ask_with(&bind(MONA, PASSWORD), &policy).code(), 0);
        client
    }

    fn not_changed(&self, reason: NotChanged) {
        *self.world.not_changed.lock().unwrap() = Some(reason);
    }
}

/// The value of the password policy control beside an answer.
fn policy(answer: &Answer) -> Vec<u8> {
    let value = answer.controls.iter().rposition(|byte| *byte == 0x30);
    value.map_or_else(Vec::new, |at| answer.controls[at..].to_vec())
}

#[test]
fn the_old_password_is_an_attempt_and_the_session_goes_on() {
    let served = Served::new();
    let mut client = served.bound_as(ALICE);
    let change = password_modify(None, Some(PASSWORD), Some(NEW));
    let answer = client.ask(&change);
    assert_eq!(
        (answer.code(), answer.name(), answer.value()),
        (0, None, None)
    );
    assert_eq!(served.asked(), 2, "the bind, and the old password");
    assert_eq!(served.set(), [NEW]);
    assert_eq!(who_am_i(&mut client), format!("dn:{ALICE}"));
    let asking = |at: usize| served.world.attempts.lock().unwrap()[at].asking.clone();
    assert_eq!(asking(0), asking(1), "of the same resource");
}

#[test]
fn a_wrong_old_password_is_refused_like_a_bind_and_changes_nothing() {
    let served = Served::new();
    let mut client = served.bound_as(ALICE);
    let change = password_modify(None, Some("wrong"), Some(NEW));
    let answer = client.ask_with(&change, &[control(PASSWORD_POLICY, false)]);
    assert_eq!((answer.code(), answer.diagnostic()), (49, String::new()));
    let empty = client.ask(&password_modify(None, Some(""), Some(NEW)));
    assert_eq!(empty.code(), 49);
    assert_eq!((served.asked(), served.set().len()), (3, 0));
    assert_eq!(who_am_i(&mut client), format!("dn:{ALICE}"));
}

#[test]
fn without_the_old_password_nobody_is_asked() {
    let served = Served::new();
    let mut client = served.bound_as(ALICE);
    let answer = client.ask_with(
        &password_modify(Some(ALICE), None, Some(NEW)),
        &[control(PASSWORD_POLICY, false)],
    );
    assert_eq!(answer.code(), 53);
    assert!(answer.diagnostic().contains("present password"));
    assert_eq!(policy(&answer), [0x30, 3, 0x81, 1, 4]);
    let replace = modify(ALICE, &[(REPLACE, "userPassword", &[NEW])]);
    let emptied = [
        (DELETE, "userPassword", &[][..]),
        (ADD, "userPassword", &[NEW]),
    ];
    for request in [replace, modify(ALICE, &emptied)] {
        assert_eq!(client.ask(&request).code(), 53);
    }
    assert_eq!((served.asked(), served.set().len()), (1, 0));
}

#[test]
fn whoever_must_change_needs_no_old_password_and_binds_anew() {
    let served = Served::new();
    for request in [
        password_modify(Some(MONA), None, Some(NEW)),
        password_modify(None, Some(PASSWORD), Some(NEW)),
        modify(MONA, &[(REPLACE, "2.5.4.35", &[NEW])]),
    ] {
        let mut client = served.must_change();
        assert_eq!(who_am_i(&mut client), format!("dn:{MONA}"));
        assert_eq!(client.ask(&request).code(), 0);
        assert_eq!(who_am_i(&mut client), "");
    }
    assert_eq!(served.set(), [NEW; 3]);
    let mut client = served.must_change();
    let wrong = password_modify(None, Some("wrong"), Some(NEW));
    assert_eq!(client.ask(&wrong).code(), 49);
    assert_eq!(served.set().len(), 3);
}

#[test]
fn only_ones_own_password_in_whatever_spelling() {
    let served = Served::new();
    let mut client = served.bound_as(ALICE);
    for own in [
        "",
        "UID=alice, OU=People,dc=Example,dc=org",
        "0.9.2342.19200300.100.1.1=\\41lice,ou=people,dc=example,dc=org",
        "dn:uid=alice,ou=people,dc=example,dc=org",
        "u:ALICE",
    ] {
        let change = password_modify(Some(own), Some(PASSWORD), Some(NEW));
        assert_eq!(client.ask(&change).code(), 0, "{own}");
    }
    let asked = served.asked();
    for other in [
        BOB,
        "u:bob",
        "dn:",
        "u:",
        "alice",
        "no name",
        "uid=alice,ou=people,dc=elsewhere",
        "cn=alice,ou=groups,dc=example,dc=org",
    ] {
        let change = password_modify(Some(other), Some(PASSWORD), Some(NEW));
        let answer = client.ask(&change);
        assert_eq!(answer.code(), 50, "{other}");
        assert!(answer.diagnostic().contains("own password"));
    }
    let change = modify(BOB, &[(REPLACE, "userPassword", &[NEW])]);
    assert_eq!(client.ask(&change).code(), 50);
    assert_eq!(served.asked(), asked);
}

#[test]
fn a_service_account_changes_no_password() {
    let served = Served::new();
    let mut client = served.bound_as(SSSD);
    for name in [None, Some(SSSD), Some(ALICE)] {
        let answer = client.ask(&password_modify(name, Some(PASSWORD), Some(NEW)));
        assert_eq!(answer.code(), 50);
        assert!(answer.diagnostic().contains("administrator"));
    }
    assert_eq!((served.asked(), served.set().len()), (0, 0));
}

#[test]
fn every_broken_rule_is_told_and_the_control_names_the_first() {
    let served = Served::new();
    let mut client = served.bound_as(ALICE);
    let change = password_modify(None, Some(PASSWORD), Some("short"));
    let mut refused = |rules: Vec<BrokenRule>| {
        served.not_changed(NotChanged::Broken(rules));
        let answer = client.ask_with(&change, &[control(PASSWORD_POLICY, true)]);
        assert_eq!(answer.code(), 19);
        (answer.diagnostic(), policy(&answer))
    };
    let (text, control) = refused(vec![
        BrokenRule::TooShort(12),
        BrokenRule::FromName,
        BrokenRule::History(5),
    ]);
    for part in ["at least 12", "username", "last 5"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(control, [0x30, 3, 0x81, 1, 6]);
    let numbers = [
        (BrokenRule::MinAge(Timestamp::EPOCH), 7),
        (BrokenRule::History(5), 8),
        (BrokenRule::Common, 5),
        (BrokenRule::TooFewClasses(3), 5),
    ];
    for (rule, number) in numbers {
        assert_eq!(refused(vec![rule]).1, [0x30, 3, 0x81, 1, number], "{rule}");
    }
    assert_eq!(who_am_i(&mut client), format!("dn:{ALICE}"));
}

#[test]
fn what_can_be_no_password_is_refused_before_anybody_is_asked() {
    let served = Served::new();
    let mut client = served.bound_as(ALICE);
    let long = "x".repeat(1025);
    for (new, number) in [("", 6), (long.as_str(), 9), ("a\0b", 5)] {
        let change = password_modify(None, Some(PASSWORD), Some(new));
        let answer = client.ask_with(&change, &[control(PASSWORD_POLICY, false)]);
        assert_eq!(answer.code(), 19);
        assert_eq!(policy(&answer), [0x30, 3, 0x81, 1, number]);
    }
    let none = client.ask(&password_modify(None, Some(PASSWORD), None));
    assert_eq!(none.code(), 53);
    assert!(none.diagnostic().contains("no new password"));
    assert_eq!((served.asked(), served.set().len()), (1, 0));
}

#[test]
fn a_modify_of_the_password_means_the_same() {
    let served = Served::new();
    let mut client = served.bound_as(ALICE);
    let (old, new) = (&[PASSWORD][..], &[NEW][..]);
    let by_turns = [
        [(DELETE, "userPassword", old), (ADD, "USERPASSWORD", new)],
        [(ADD, "2.5.4.35", new), (DELETE, "userPassword", old)],
    ];
    for changes in by_turns {
        assert_eq!(client.ask(&modify(ALICE, &changes)).code(), 0);
    }
    assert_eq!(served.set(), [NEW; 2]);
    let wrong = [
        (DELETE, "userPassword", &["wrong"][..]),
        (ADD, "userPassword", new),
    ];
    assert_eq!(client.ask(&modify(ALICE, &wrong)).code(), 49);
    let asked = served.asked();
    let unclear: [&[(u8, &str, &[&str])]; 8] = [
        &[(ADD, "userPassword", new)],
        &[(DELETE, "userPassword", old)],
        &[(REPLACE, "userPassword", &[])],
        &[(REPLACE, "userPassword", &[NEW, PASSWORD])],
        &[
            (REPLACE, "userPassword", new),
            (DELETE, "userPassword", old),
        ],
        &[
            (DELETE, "userPassword", old),
            (ADD, "userPassword", new),
            (REPLACE, "mail", &["a@b"]),
        ],
        &[
            (DELETE, "userPassword", old),
            (DELETE, "userPassword", old),
            (ADD, "userPassword", new),
        ],
        &[(3, "userPassword", new)],
    ];
    for changes in unclear {
        let answer = client.ask(&modify(ALICE, changes));
        assert_eq!(answer.code(), 53, "{changes:?}");
        assert!(answer.diagnostic().contains("userPassword"));
    }
    let hash = [
        (DELETE, "userPassword", old),
        (ADD, "userPassword", &["{SSHA}xyz"][..]),
    ];
    let answer = client.ask(&modify(ALICE, &hash));
    assert_eq!(answer.code(), 19);
    assert!(answer.diagnostic().contains("hash"));
    assert_eq!((served.asked(), served.set().len()), (asked, 2));
}

#[test]
fn what_else_keeps_a_password_from_being_changed() {
    let served = Served::new();
    let mut client = served.bound_as(ALICE);
    let change = password_modify(None, Some(PASSWORD), Some(NEW));
    for (reason, code, part) in [
        (NotChanged::Locked, 53, "locked"),
        (NotChanged::Moved, 53, "meanwhile"),
        (NotChanged::Undecided(Undecided::Busy), 51, ""),
    ] {
        served.not_changed(reason);
        let answer = client.ask(&change);
        assert_eq!(answer.code(), code);
        assert!(answer.diagnostic().contains(part));
    }
    // A session that no longer stands is nobody's.
    served.world.stands.store(false, Ordering::SeqCst);
    assert_eq!(client.ask(&change).code(), 50);
    served.world.stands.store(true, Ordering::SeqCst);
    assert_eq!(client.ask(&change).code(), 50);
    let mut client = served.bound_as(ALICE);
    let broken = Undecided::Unavailable("broken".to_owned());
    served.not_changed(NotChanged::Undecided(broken));
    assert_eq!(client.ask(&change).code(), 52);
    assert!(client.read().unwrap().is_notice());
    assert!(client.is_closed());
    assert!(served.set().is_empty());
}
