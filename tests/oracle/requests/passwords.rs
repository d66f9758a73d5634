//! Changes of one's own password (RFC 3062, and modifies of `userPassword`). They come last: the
//! two trees are no longer alike behind them.

use super::{Case, Sent};
use crate::client::{bind, extended, modify, octets, password_modify, tlv};
use crate::common::PASSWORD;
use crate::population::service;

const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";
const PASSWORD_MODIFY: &str = "1.3.6.1.4.1.4203.1.11.1";
const NEW: &str = "marble thunder kettle";
const BASE: &str = crate::common::BASE;

fn person(name: &str) -> String {
    format!("uid={name},ou=people,{BASE}")
}

fn talk(name: impl Into<String>, operations: Vec<Vec<u8>>) -> Case {
    let operations = operations.into_iter().map(|operation| (operation, vec![]));
    Case::sent(name, Sent::Talk(operations.collect()))
}

/// A change on a bound connection, who is bound after it, and which password is good.
fn change(what: &str, name: &str, operation: Vec<u8>) -> Case {
    let who = extended(WHO_AM_I, None);
    talk(
        format!("password {what}"),
        vec![
            bind(&person(name), PASSWORD),
            operation,
            who.clone(),
            bind(&person(name), PASSWORD),
            bind(&person(name), NEW),
            who,
        ],
    )
}

pub(super) fn all() -> Vec<Case> {
    let mut cases = vec![
        change(
            "of oneself, unnamed",
            "judy",
            password_modify(None, Some(PASSWORD), Some(NEW)),
        ),
        change(
            "of oneself, named",
            "niaj",
            password_modify(Some(&person("niaj")), Some(PASSWORD), Some(NEW)),
        ),
        change(
            "of oneself in another spelling",
            "olivia",
            password_modify(
                Some("UID = OLIVIA, OU=People , DC=example,DC=org"),
                Some(PASSWORD),
                Some(NEW),
            ),
        ),
        change(
            "of oneself by u:",
            "sybil",
            password_modify(Some("u:sybil"), Some(PASSWORD), Some(NEW)),
        ),
        change(
            "of oneself by dn:",
            "dave-x_1",
            password_modify(
                Some(&format!("dn:{}", person("dave-x_1"))),
                Some(PASSWORD),
                Some(NEW),
            ),
        ),
        change(
            "with a wrong old one",
            "erin",
            password_modify(None, Some("wrong"), Some(NEW)),
        ),
        change(
            "without the old one",
            "frank",
            password_modify(None, None, Some(NEW)),
        ),
        change(
            "to a short one",
            "grace",
            password_modify(None, Some(PASSWORD), Some("short")),
        ),
        change(
            "to an empty one",
            "Carol.Ann",
            password_modify(None, Some(PASSWORD), Some("")),
        ),
        change(
            "by a modify",
            "walter",
            modify(
                &person("walter"),
                &[
                    (1, "userPassword", &[PASSWORD]),
                    (0, "userPassword", &[NEW]),
                ],
            ),
        ),
        change(
            "by a modify with a wrong old one",
            "victor",
            modify(
                &person("victor"),
                &[(1, "userPassword", &["wrong"]), (0, "userPassword", &[NEW])],
            ),
        ),
        change(
            "by a modify of somebody else's",
            "victor",
            modify(
                &person("alice"),
                &[
                    (1, "userPassword", &[PASSWORD]),
                    (0, "userPassword", &[NEW]),
                ],
            ),
        ),
        change(
            "by a modify that changes more",
            "victor",
            modify(
                &person("victor"),
                &[(2, "userPassword", &[NEW]), (2, "description", &["x"])],
            ),
        ),
    ];
    cases.extend(of_others());
    cases.extend(values());
    cases
}

/// Who may not, and whose may not be changed.
fn of_others() -> Vec<Case> {
    let mut cases = Vec::new();
    for (asker, first) in [
        ("nobody", bind("", "")),
        ("nobody after a refusal", bind(&person("alice"), "wrong")),
        ("a service account", bind(&service(BASE), PASSWORD)),
        ("another user", bind(&person("ivan"), PASSWORD)),
    ] {
        for (whose, identity) in [
            ("somebody's", Some(person("alice"))),
            ("nobody's", Some(person("nobody"))),
            ("a group's", Some(format!("cn=admins,ou=groups,{BASE}"))),
            ("what is elsewhere", Some("dc=elsewhere".to_owned())),
            ("no name", Some("no name".to_owned())),
        ] {
            let change = password_modify(identity.as_deref(), Some(PASSWORD), Some(NEW));
            cases.push(talk(
                format!("password by {asker}: {whose}"),
                vec![first.clone(), change],
            ));
        }
    }
    for (asker, first) in [
        ("nobody", bind("", "")),
        ("a service account", bind(&service(BASE), PASSWORD)),
    ] {
        let change = password_modify(None, Some(PASSWORD), Some(NEW));
        cases.push(talk(
            format!("password by {asker}: its own"),
            vec![first, change],
        ));
    }
    cases
}

/// Values that RFC 3062 does not define.
fn values() -> Vec<Case> {
    let (name, old, new) = (
        tlv(0x80, person("heidi").as_bytes()),
        tlv(0x81, PASSWORD.as_bytes()),
        tlv(0x82, NEW.as_bytes()),
    );
    let sequence = |parts: &[&[u8]]| tlv(0x30, &parts.concat());
    [
        ("an empty value", vec![]),
        ("no sequence", b"x".to_vec()),
        ("a set", tlv(0x31, &[&old[..], &new].concat())),
        ("parts out of order", sequence(&[&new, &old])),
        ("a part twice", sequence(&[&old, &old, &new])),
        ("an unknown part", sequence(&[&old, &new, &tlv(0x83, b"x")])),
        ("octet strings", sequence(&[&octets("x"), &octets("y")])),
        (
            "something behind it",
            [sequence(&[&name, &old, &new]), octets("x")].concat(),
        ),
        ("a length too long", b"\x30\x05\x82\x01x".to_vec()),
    ]
    .into_iter()
    .map(|(what, value)| {
        talk(
            format!("password of {what}"),
            vec![
                bind(&person("heidi"), PASSWORD),
                extended(PASSWORD_MODIFY, Some(&value)),
            ],
        )
    })
    .collect()
}
