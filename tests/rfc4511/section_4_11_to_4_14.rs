//! Abandon, extended operations and StartTLS.

use doorward_ldap_protocol::settings::TlsMode;

use crate::client::{Scope, Search, abandon, bind, extended, message};
use crate::harness::{Served, settings};

const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";

#[test]
fn section_4_11_an_abandon_has_no_answer() {
    let served = Served::new();
    let mut client = served.connect();
    for target in [0, 1, 99, i32::MAX] {
        client.send(&abandon(target));
    }
    let id = client.send(&extended(WHO_AM_I, None));
    assert_eq!(client.read().unwrap().id, i64::from(id));
}

#[test]
fn rfc_4532_nobody_is_nobody() {
    let served = Served::new();
    let mut client = served.connect();
    let answer = client.ask(&extended(WHO_AM_I, None));
    assert_eq!(
        (answer.code(), answer.name(), answer.value()),
        (0, None, Some(Vec::new()))
    );
    assert_eq!(client.ask(&extended(WHO_AM_I, Some(b"x"))).code(), 2);
}

#[test]
fn section_4_12_unknown_operations_are_refused() {
    let served = Served::new();
    let mut client = served.connect();
    assert_eq!(client.ask(&extended("1.2.3.4", None)).code(), 2);
}

#[test]
fn section_4_14_start_tls_protects_the_connection_once() {
    let served = Served::new();
    let mut client = served.connect();
    let answer = client.ask(&extended(START_TLS, None));
    assert_eq!(
        (answer.code(), answer.name().as_deref()),
        (0, Some(START_TLS))
    );
    let mut client = served.protect(client);
    assert_eq!(client.ask(&extended(WHO_AM_I, None)).code(), 0);
    let (entries, _) = client.search(&Search::new("", Scope::Base));
    assert_eq!(entries.len(), 1);
    assert_eq!(client.ask(&extended(START_TLS, None)).code(), 1);
    assert_eq!(
        client
            .ask(&bind("uid=alice,ou=people,dc=example,dc=org", "x"))
            .code(),
        49
    );
}

#[test]
fn section_4_14_1_bytes_behind_start_tls_are_thrown_away() {
    let served = Served::new();
    for behind in [
        message(2, &extended(WHO_AM_I, None), &[]),
        vec![0x30],
        vec![0x16, 3, 1],
    ] {
        let mut client = served.connect();
        let mut bytes = message(1, &extended(START_TLS, None), &[]);
        bytes.extend_from_slice(&behind);
        client.raw(&bytes);
        let answer = client.read().unwrap();
        assert_eq!((answer.id, answer.code()), (1, 2));
        assert!(client.read().unwrap().is_notice());
        assert!(client.is_closed());
    }
}

#[test]
fn section_4_14_2_start_tls_only_where_it_is_offered() {
    let served = Served::with(settings(TlsMode::None));
    let mut client = served.connect();
    assert_eq!(client.ask(&extended(START_TLS, None)).code(), 2);
    let served = Served::new();
    let mut client = served.connect();
    assert_eq!(client.ask(&extended(START_TLS, Some(b""))).code(), 2);
    assert_eq!(client.ask(&extended(START_TLS, None)).code(), 0);
}

#[test]
fn a_handshake_that_fails_ends_the_connection() {
    let served = Served::new();
    let mut client = served.connect();
    assert_eq!(client.ask(&extended(START_TLS, None)).code(), 0);
    client.raw(&message(2, &extended(WHO_AM_I, None), &[]));
    // A TLS alert, and no LDAP.
    let mut rest = Vec::new();
    let _ = std::io::Read::read_to_end(&mut client.stream, &mut rest);
    assert_ne!(rest.first(), Some(&0x30));
}

#[test]
fn implicit_tls_begins_with_the_first_byte() {
    let served = Served::with(settings(TlsMode::Implicit));
    let mut client = served.protect(served.connect());
    assert_eq!(client.ask(&extended(WHO_AM_I, None)).code(), 0);
    assert_eq!(client.ask(&extended(START_TLS, None)).code(), 1);
    assert_eq!(
        client
            .ask(&bind("uid=alice,ou=people,dc=example,dc=org", "x"))
            .code(),
        49
    );
}
