//! Password Modify, and the modify of `userPassword` that means the same, by whom nobody knows.
//! What a session can do with them is tested where one can be had: `crates/ldap/src/tests.rs`.

use doorward_ldap_protocol::settings::{PlaintextBind, TlsMode};

use crate::client::{Scope, Search, bind, extended, modify, password_modify};
use crate::harness::{Served, settings};

const PASSWORD_MODIFY: &str = "1.3.6.1.4.1.4203.1.11.1";
const ALICE: &str = "uid=alice,ou=people,dc=example,dc=org";
const REPLACE: u8 = 2;

#[test]
fn section_3_the_operation_is_announced() {
    let served = Served::new();
    let (entries, _) = served
        .connect()
        .search(&Search::new("", Scope::Base).attributes(&["+"]));
    let extensions = entries[0].values("supportedExtension");
    assert!(extensions.iter().any(|oid| oid == PASSWORD_MODIFY));
}

#[test]
fn whoever_is_not_bound_changes_nothing_and_nobody_is_asked() {
    let served = Served::new();
    let mut client = served.connect();
    let requests = [
        extended(PASSWORD_MODIFY, None),
        password_modify(None, None, None),
        password_modify(Some(ALICE), Some("old"), Some("a new password")),
        modify(ALICE, &[(REPLACE, "userPassword", &["a new password"])]),
    ];
    for request in &requests {
        let answer = client.ask(request);
        assert_eq!(answer.code(), 50);
        assert!(answer.diagnostic().contains("bind"));
    }
    assert_eq!(served.nobody.asked(), 0);
    // SSSD up to 2.9.0 asks also after a bind that failed.
    assert_eq!(client.ask(&bind(ALICE, "wrong")).code(), 49);
    for request in &requests {
        assert_eq!(client.ask(request).code(), 50);
    }
    assert_eq!(served.nobody.asked(), 1);
}

#[test]
fn no_password_travels_in_the_clear() {
    let mut strict = settings(TlsMode::StartTls);
    strict.plaintext_bind = PlaintextBind::Refuse;
    let served = Served::with(strict);
    let mut client = served.connect();
    let change = password_modify(None, Some("old"), Some("a new password"));
    assert_eq!(client.ask(&change).code(), 13);
    let change = modify(ALICE, &[(REPLACE, "userPassword", &["a new password"])]);
    assert_eq!(client.ask(&change).code(), 13);
}

#[test]
fn what_is_no_request_is_a_protocol_error_and_the_connection_goes_on() {
    let served = Served::new();
    let mut client = served.connect();
    for value in [&b""[..], b"new", &[0x30, 5, 0x82, 1, b'n'], &[0x30, 0, 0]] {
        assert_eq!(
            client.ask(&extended(PASSWORD_MODIFY, Some(value))).code(),
            2
        );
    }
    // A modify whose values are no set.
    let mut broken = modify(ALICE, &[(REPLACE, "userPassword", &["x"])]);
    let set = broken.iter().position(|byte| *byte == 0x31).unwrap();
    broken[set] = 0x30;
    assert_eq!(client.ask(&broken).code(), 2);
    assert_eq!(client.ask(&password_modify(None, None, None)).code(), 50);
}

#[test]
fn everything_else_is_read_only() {
    let served = Served::new();
    let mut client = served.connect();
    // SSSD's ldap_chpass_update_last_change among them.
    for (name, attribute) in [
        (ALICE, "shadowLastChange"),
        (ALICE, "mail"),
        ("", "no such"),
    ] {
        let answer = client.ask(&modify(name, &[(REPLACE, attribute, &["1"])]));
        assert_eq!(answer.code(), 53);
        assert!(answer.diagnostic().contains("administrator"));
    }
    assert_eq!(client.ask(&modify(ALICE, &[])).code(), 53);
}
