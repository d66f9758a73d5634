//! Binds, controls, extended operations, abandons, writes: what is not a search or a compare.

use super::{Asker, Case, Sent, filter};
use crate::client::{
    Scope, Search, abandon, bind, bind_version, compare, delete, extended, integer, octets,
    sasl_bind, tlv, unbind,
};
use crate::common::{BASE, PASSWORD};

const ALICE: &str = "uid=alice,ou=people,dc=example,dc=org";
const PASSWORD_POLICY: &str = "1.3.6.1.4.1.42.2.27.8.5.1";
const PAGED: &str = "1.2.840.113556.1.4.319";
const SORT: &str = "1.2.840.113556.1.4.473";
const MANAGE_DSA_IT: &str = "2.16.840.1.113730.3.4.2";
const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";
const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
const CANCEL: &str = "1.3.6.1.1.8";

pub(super) fn all() -> Vec<Case> {
    [binds(), controls(), extensions(), abandons(), writes()].concat()
}

/// A control with every part as it is given.
fn control(oid: &str, critical: Option<u8>, value: Option<&[u8]>) -> Vec<u8> {
    let mut content = octets(oid);
    if let Some(critical) = critical {
        content.extend(tlv(0x01, &[critical]));
    }
    if let Some(value) = value {
        content.extend(octets(value));
    }
    tlv(0x30, &content)
}

fn talk(name: impl Into<String>, operations: &[Vec<u8>]) -> Case {
    let operations = operations
        .iter()
        .map(|operation| (operation.clone(), vec![]));
    Case::sent(name, Sent::Talk(operations.collect()))
}

/// A bind, and who it made of the connection.
fn bound(name: impl Into<String>, bind: Vec<u8>) -> Case {
    talk(name, &[bind, extended(WHO_AM_I, None)])
}

#[expect(clippy::too_many_lines, reason = "a table of requests")]
fn binds() -> Vec<Case> {
    let simple = |content: &[u8]| tlv(0x80, content);
    let any = |version: &[u8], name: &[u8], choice: Vec<u8>| {
        tlv(0x60, &[tlv(0x02, version), octets(name), choice].concat())
    };
    let mut cases = Vec::new();
    for (name, dn, password) in [
        ("anonymous", "", ""),
        ("a user", ALICE, PASSWORD),
        (
            "a user in capitals",
            "UID=ALICE, OU=People,DC=example,DC=org",
            PASSWORD,
        ),
        (
            "a user by escapes",
            "uid=\\61lice,ou=people,dc=example,dc=org",
            PASSWORD,
        ),
        (
            "a user by OID",
            "0.9.2342.19200300.100.1.1=alice,ou=people,dc=example,dc=org",
            PASSWORD,
        ),
        (
            "a user by BER",
            "uid=#0405616c696365,ou=people,dc=example,dc=org",
            PASSWORD,
        ),
        (
            "a user in mixed case",
            "uid=carol.ann,ou=people,dc=example,dc=org",
            PASSWORD,
        ),
        (
            "a service account",
            "cn=oracle,ou=services,dc=example,dc=org",
            PASSWORD,
        ),
        ("a wrong password", ALICE, "wrong"),
        ("a password in other case", ALICE, "CORRECT horse battery"),
        (
            "a password with a space behind",
            ALICE,
            "correct horse battery ",
        ),
        ("an empty password", ALICE, ""),
        ("an empty name", "", PASSWORD),
        ("nobody", "uid=nobody,ou=people,dc=example,dc=org", PASSWORD),
        (
            "nobody without password",
            "uid=nobody,ou=people,dc=example,dc=org",
            "",
        ),
        ("a group", "cn=admins,ou=groups,dc=example,dc=org", PASSWORD),
        (
            "a group without password",
            "cn=admins,ou=groups,dc=example,dc=org",
            "",
        ),
        ("a container", "ou=people,dc=example,dc=org", PASSWORD),
        ("the base", BASE, PASSWORD),
        ("another base", "uid=alice,dc=elsewhere", PASSWORD),
        ("the subschema entry", "cn=subschema", PASSWORD),
        ("no name", "alice", PASSWORD),
        ("no name and no password", "alice", ""),
        (
            "a name with a repeated type",
            "uid=alice+uid=alice,ou=people,dc=example,dc=org",
            PASSWORD,
        ),
        (
            "a name with a bad escape",
            "uid=\\zz,ou=people,dc=example,dc=org",
            PASSWORD,
        ),
    ] {
        cases.push(bound(format!("bind {name}"), bind(dn, password)));
    }
    for version in [0, 1, 2, 3, 4, 127] {
        cases.push(bound(
            format!("bind version {version} anonymous"),
            bind_version(version, "", ""),
        ));
        cases.push(bound(
            format!("bind version {version} of a user"),
            bind_version(version, ALICE, PASSWORD),
        ));
    }
    cases.push(bound("bind version 128", bind_version(128, "", "")));
    cases.push(bound("bind version -1", bind_version(-1, "", "")));
    for mechanism in ["EXTERNAL", "NONESUCH", ""] {
        cases.push(bound(
            format!("bind SASL '{mechanism}'"),
            sasl_bind(mechanism),
        ));
    }
    for tag in [0x81, 0x82, 0xa4, 0x8a, 0x04] {
        cases.push(bound(
            format!("bind choice {tag:#x}"),
            any(&[3], ALICE.as_bytes(), tlv(tag, PASSWORD.as_bytes())),
        ));
    }
    cases.push(bound(
        "bind password that is no UTF-8",
        any(&[3], ALICE.as_bytes(), simple(&[0xff, 0xfe])),
    ));
    cases.push(bound(
        "bind password with a zero",
        any(&[3], ALICE.as_bytes(), simple(b"correct horse battery\0")),
    ));
    cases.push(bound(
        "bind name that is no UTF-8",
        any(&[3], &[0xff], simple(b"x")),
    ));
    // A bind ends the session before it, whatever comes of it (RFC 4513 section 4).
    let who = || extended(WHO_AM_I, None);
    let good = || bind(ALICE, PASSWORD);
    for (name, second) in [
        ("a wrong password", bind(ALICE, "wrong")),
        ("an empty password", bind(ALICE, "")),
        ("anonymous", bind("", "")),
        ("no name", bind("alice", PASSWORD)),
        ("version 2", bind_version(2, ALICE, PASSWORD)),
        ("version 4", bind_version(4, ALICE, PASSWORD)),
        ("an unknown mechanism", sasl_bind("NONESUCH")),
        ("an unknown choice", any(&[3], b"", tlv(0x8a, b""))),
        (
            "another user",
            bind("uid=bob,ou=people,dc=example,dc=org", PASSWORD),
        ),
    ] {
        cases.push(talk(
            format!("bind twice, then with {name}"),
            &[good(), second, who()],
        ));
    }
    for (name, value, critical) in [
        ("without value", None, None),
        ("critical", None, Some(0xff)),
        ("with a value", Some(b"\x30\x00".as_slice()), None),
    ] {
        for (what, request) in [
            ("right", bind(ALICE, PASSWORD)),
            ("wrong", bind(ALICE, "wrong")),
            ("anonymous", bind("", "")),
        ] {
            let controls = vec![control(PASSWORD_POLICY, critical, value)];
            cases.push(Case::sent(
                format!("bind with password policy {name}, {what}"),
                Sent::Talk(vec![(request, controls), (who(), vec![])]),
            ));
        }
    }
    for (name, critical) in [("critical", Some(0xff)), ("not critical", None)] {
        let controls = vec![control("1.2.3.4", critical, None)];
        cases.push(Case::sent(
            format!("bind with an unknown control, {name}"),
            Sent::Talk(vec![(good(), controls), (who(), vec![])]),
        ));
    }
    cases
}

#[expect(clippy::too_many_lines, reason = "a table of requests")]
fn controls() -> Vec<Case> {
    let mut cases = Vec::new();
    let search = |text: &str| {
        Search::new(BASE, Scope::Sub)
            .filter(filter(text))
            .attributes(&["1.1"])
            .bytes()
    };
    let alice = || search("(uid=alice)");
    let page = |size: i32, cookie: &[u8]| tlv(0x30, &[integer(size), octets(cookie)].concat());
    let by = |kind: &str| tlv(0x30, &tlv(0x30, &octets(kind)));
    let list: Vec<(&str, Vec<Vec<u8>>)> = vec![
        ("none in the list", vec![]),
        ("unknown", vec![control("1.2.3.4", None, None)]),
        ("unknown false", vec![control("1.2.3.4", Some(0), None)]),
        (
            "unknown critical",
            vec![control("1.2.3.4", Some(0xff), None)],
        ),
        (
            "unknown critical 1",
            vec![control("1.2.3.4", Some(1), None)],
        ),
        (
            "unknown with a value",
            vec![control("1.2.3.4", None, Some(b"x"))],
        ),
        (
            "unknown critical with a value",
            vec![control("1.2.3.4", Some(0xff), Some(b"x"))],
        ),
        ("empty name", vec![control("", None, None)]),
        ("empty name critical", vec![control("", Some(0xff), None)]),
        ("no OID", vec![control("paged", None, None)]),
        (
            "twice unknown",
            vec![
                control("1.2.3.4", None, None),
                control("1.2.3.4", None, None),
            ],
        ),
        ("ManageDsaIT", vec![control(MANAGE_DSA_IT, None, None)]),
        (
            "ManageDsaIT critical",
            vec![control(MANAGE_DSA_IT, Some(0xff), None)],
        ),
        (
            "ManageDsaIT with a value",
            vec![control(MANAGE_DSA_IT, None, Some(b"x"))],
        ),
        (
            "password policy",
            vec![control(PASSWORD_POLICY, None, None)],
        ),
        (
            "password policy critical",
            vec![control(PASSWORD_POLICY, Some(0xff), None)],
        ),
        ("paged without value", vec![control(PAGED, None, None)]),
        (
            "paged critical without value",
            vec![control(PAGED, Some(0xff), None)],
        ),
        (
            "paged empty value",
            vec![control(PAGED, Some(0xff), Some(b""))],
        ),
        (
            "paged nonsense",
            vec![control(PAGED, Some(0xff), Some(b"nonsense"))],
        ),
        (
            "paged with an unknown cookie",
            vec![control(PAGED, Some(0xff), Some(&page(2, b"nonsense")))],
        ),
        (
            "paged of negative size",
            vec![control(PAGED, Some(0xff), Some(&page(-1, b"")))],
        ),
        (
            "paged of a thousand",
            vec![control(PAGED, Some(0xff), Some(&page(1000, b"")))],
        ),
        (
            "paged twice",
            vec![
                control(PAGED, None, Some(&page(9, b""))),
                control(PAGED, None, Some(&page(9, b""))),
            ],
        ),
        ("sort by uid", vec![control(SORT, None, Some(&by("uid")))]),
        (
            "sort by uid critical",
            vec![control(SORT, Some(0xff), Some(&by("uid")))],
        ),
        (
            "sort by what is unknown",
            vec![control(SORT, None, Some(&by("nonesuch")))],
        ),
        (
            "sort by what is unknown critical",
            vec![control(SORT, Some(0xff), Some(&by("nonesuch")))],
        ),
        ("sort without value", vec![control(SORT, Some(0xff), None)]),
        (
            "sort nonsense",
            vec![control(SORT, Some(0xff), Some(b"nonsense"))],
        ),
        (
            "sort by nothing",
            vec![control(SORT, Some(0xff), Some(b"\x30\x00"))],
        ),
    ];
    for (name, controls) in list {
        cases.push(Case::controlled(
            format!("control {name}"),
            alice(),
            controls,
        ));
    }
    for (name, operation) in [
        ("compare", compare(ALICE, "uid", "alice")),
        ("WhoAmI", extended(WHO_AM_I, None)),
        ("delete", delete("uid=nobody,ou=people,dc=example,dc=org")),
    ] {
        for critical in [None, Some(0xff)] {
            let kind = if critical.is_some() {
                "critical"
            } else {
                "plain"
            };
            for (what, oid) in [
                ("unknown", "1.2.3.4"),
                ("paged", PAGED),
                ("ManageDsaIT", MANAGE_DSA_IT),
            ] {
                cases.push(Case::controlled(
                    format!("control {what} {kind} on {name}"),
                    operation.clone(),
                    vec![control(oid, critical, Some(&page(1, b"")))],
                ));
            }
        }
    }
    // What no control is: raw contents in their place.
    for (name, bytes) in [
        ("empty sequence", tlv(0x30, &[])),
        ("an integer", integer(1)),
        ("a name that is an integer", tlv(0x30, &integer(1))),
        (
            "criticality of two bytes",
            tlv(0x30, &[octets("1.2.3.4"), tlv(1, &[0, 0])].concat()),
        ),
        (
            "criticality of no bytes",
            tlv(0x30, &[octets("1.2.3.4"), tlv(1, &[])].concat()),
        ),
        (
            "value before criticality",
            tlv(
                0x30,
                &[octets("1.2.3.4"), octets("x"), tlv(1, &[0xff])].concat(),
            ),
        ),
        (
            "three parts too many",
            tlv(
                0x30,
                &[octets("1.2.3.4"), octets("x"), octets("y")].concat(),
            ),
        ),
    ] {
        cases.push(Case::sent(
            format!("control made of {name}"),
            Sent::Talk(vec![(alice(), vec![bytes])]),
        ));
    }
    cases
}

fn extensions() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, oid, value) in [
        ("WhoAmI", WHO_AM_I, None),
        ("WhoAmI with a value", WHO_AM_I, Some(b"x".as_slice())),
        ("WhoAmI with an empty value", WHO_AM_I, Some(b"".as_slice())),
        ("unknown", "1.2.3.4", None),
        ("unknown with a value", "1.2.3.4", Some(b"x".as_slice())),
        ("of an empty name", "", None),
        ("of no OID", "whoami", None),
        ("cancel without value", CANCEL, None),
        (
            "cancel of what is not there",
            CANCEL,
            Some(b"\x30\x03\x02\x01\x63".as_slice()),
        ),
        ("StartTLS with a value", START_TLS, Some(b"x".as_slice())),
        ("notice of disconnection", "1.3.6.1.4.1.1466.20036", None),
    ] {
        for asker in [Asker::Service, Asker::User, Asker::Anonymous] {
            cases.push(
                Case::operation(
                    format!("extended {name} by {asker:?}"),
                    extended(oid, value),
                )
                .by(asker),
            );
        }
    }
    for (name, content) in [
        ("nothing", vec![]),
        ("a universal name", octets(WHO_AM_I)),
        ("a value alone", tlv(0x81, b"x")),
        (
            "value before name",
            [tlv(0x81, b"x"), tlv(0x80, WHO_AM_I.as_bytes())].concat(),
        ),
        ("a name that is no UTF-8", tlv(0x80, &[0xff])),
        (
            "a part too many",
            [tlv(0x80, WHO_AM_I.as_bytes()), tlv(0x85, b"x")].concat(),
        ),
    ] {
        cases.push(talk(
            format!("extended made of {name}"),
            &[tlv(0x77, &content)],
        ));
    }
    cases
}

fn abandons() -> Vec<Case> {
    // Whether the connection goes on is told by the request that is sent behind.
    let mut cases = Vec::new();
    for id in [0, 1, 77, i32::MAX, -1] {
        cases.push(Case::sent(
            format!("abandon {id}"),
            Sent::Unanswered(crate::client::message(5, &abandon(id), &[])),
        ));
    }
    cases.push(Case::sent(
        "abandon of its own id",
        Sent::Unanswered(crate::client::message(77, &abandon(77), &[])),
    ));
    cases.push(Case::sent(
        "abandon with an unknown critical control",
        Sent::Unanswered(crate::client::message(
            5,
            &abandon(1),
            &[control("1.2.3.4", Some(0xff), None)],
        )),
    ));
    cases.push(Case::sent(
        "abandon of no bytes",
        Sent::Unanswered(crate::client::message(5, &tlv(0x50, &[]), &[])),
    ));
    // In this form they are no requests, and answered as such.
    for (name, operation) in [
        ("abandon constructed", tlv(0x70, &integer(1))),
        ("unbind constructed", tlv(0x62, &[])),
    ] {
        cases.push(Case::sent(
            name,
            Sent::Raw(crate::client::message(5, &operation, &[])),
        ));
    }
    let critical = vec![control("1.2.3.4", Some(0xff), None)];
    for (name, operation, controls) in [
        ("unbind", unbind(), vec![]),
        ("unbind with content", tlv(0x42, b"x"), vec![]),
        (
            "unbind with an unknown critical control",
            unbind(),
            critical,
        ),
    ] {
        cases.push(Case::sent(
            name,
            Sent::Last(crate::client::message(5, &operation, &controls)),
        ));
    }
    cases
}

fn writes() -> Vec<Case> {
    let nobody = "uid=nobody,ou=people,dc=example,dc=org";
    let values =
        |kind: &str, value: &str| tlv(0x30, &[octets(kind), tlv(0x31, &octets(value))].concat());
    let add = |name: &str| {
        let list = tlv(0x30, &values("description", "x"));
        tlv(0x68, &[octets(name), list].concat())
    };
    let modify = |name: &str| {
        let change = tlv(
            0x30,
            &[tlv(0x0a, &[2]), values("description", "x")].concat(),
        );
        tlv(0x66, &[octets(name), tlv(0x30, &change)].concat())
    };
    let rename = |name: &str| {
        tlv(
            0x6c,
            &[octets(name), octets("uid=other"), tlv(0x01, &[0xff])].concat(),
        )
    };
    let mut cases = Vec::new();
    for asker in [Asker::Service, Asker::Anonymous] {
        for (what, name) in [
            ("somebody", ALICE),
            ("nobody", nobody),
            ("no name", "no name"),
        ] {
            for (verb, operation) in [
                ("add", add(name)),
                ("delete", delete(name)),
                ("modify", modify(name)),
                ("rename", rename(name)),
            ] {
                cases.push(
                    Case::operation(format!("{verb} {what} by {asker:?}"), operation).by(asker),
                );
            }
        }
    }
    cases
}
