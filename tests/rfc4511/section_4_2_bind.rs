//! Binds that let nobody in, and what is told of them.

use doorward_domain::origin::Protocol;
use doorward_domain::resource::AccessContext;
use doorward_frontend_api::{Claim, Evidence, Undecided};
use doorward_ldap_protocol::settings::{PlaintextBind, TlsMode};

use crate::client::{
    Scope, Search, bind, bind_version, control, extended, sasl_bind, sasl_bind_with,
};
use crate::harness::{Served, settings};

const ALICE: &str = "uid=Alice,ou=people,dc=example,dc=org";
const SSSD: &str = "cn=sssd,ou=services,dc=example,dc=org";
const PASSWORD_POLICY: &str = "1.3.6.1.4.1.42.2.27.8.5.1";
const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";

#[test]
fn section_4_2_only_version_3_is_spoken() {
    let served = Served::new();
    let mut client = served.connect();
    for version in [1, 2, 4, 127] {
        let answer = client.ask(&bind_version(version, "", ""));
        assert_eq!(answer.code(), 2);
        assert!(answer.diagnostic().contains("version 3"));
    }
    assert_eq!(client.ask(&bind("", "")).code(), 0);
}

#[test]
fn rfc_4616_plain_asks_as_a_simple_bind_does() {
    let served = Served::new();
    let mut client = served.connect();
    for (message, code) in [
        (&b"\0alice\0secret"[..], 49),
        (b"u:alice\0alice\0secret", 49),
        (b"\0uid=alice,ou=people,dc=example,dc=org\0secret", 49),
        (b"bob\0alice\0secret", 49),
        (b"\0alice\0", 2),
        (b"\0\0secret", 2),
        (b"", 2),
    ] {
        let answer = client.ask(&sasl_bind_with("PLAIN", Some(message)));
        assert_eq!(answer.code(), code, "{message:?}");
    }
    assert_eq!(client.ask(&sasl_bind("PLAIN")).code(), 2);
    let attempts = served.nobody.attempts.lock().unwrap();
    let claims: Vec<&Claim> = attempts.iter().map(|attempt| &attempt.claim).collect();
    assert_eq!(claims, [&Claim::Typed("alice".to_owned()); 3]);
}

#[test]
fn rfc_4512_section_5_1_plain_is_offered_where_it_would_be_taken() {
    let offered = |settings| {
        let served = Served::with(settings);
        let (found, _) = served
            .connect()
            .search(&Search::new("", Scope::Base).attributes(&["+", "*"]));
        found[0].values("supportedSASLMechanisms")
    };
    let mut open = settings(TlsMode::StartTls);
    assert_eq!(offered(open.clone()), Vec::<String>::new());
    open.plaintext_bind = PlaintextBind::Loopback;
    assert_eq!(offered(open), ["PLAIN"]);
}

#[test]
fn rfc_4422_appendix_a_external_needs_a_certificate() {
    let served = Served::new();
    for identity in [None, Some(&b""[..]), Some(b"u:sssd"), Some(b"dn:\0")] {
        let bind = sasl_bind_with("EXTERNAL", identity);
        let mut client = served.connect();
        assert_eq!(client.ask(&bind).code(), 7);
        assert_eq!(client.ask(&extended(START_TLS, None)).code(), 0);
        let answer = served.protect(client).ask(&bind);
        assert_eq!(answer.code(), 7);
        assert!(answer.diagnostic().contains("certificate"));
    }
    assert_eq!(served.nobody.asked(), 0);
}

#[test]
fn section_4_2_1_other_mechanisms_are_not_known() {
    let served = Served::new();
    let mut client = served.connect();
    for mechanism in ["external", "GSSAPI", "plain", ""] {
        assert_eq!(client.ask(&sasl_bind(mechanism)).code(), 7);
    }
    assert_eq!(served.nobody.asked(), 0);
}

#[test]
fn rfc_4513_section_5_1_nobody_is_asked_without_a_name_and_a_password() {
    let served = Served::new();
    let mut client = served.connect();
    assert_eq!(client.ask(&bind("", "")).code(), 0);
    assert_eq!(client.ask(&bind(ALICE, "")).code(), 53);
    assert_eq!(client.ask(&bind(SSSD, "")).code(), 53);
    assert_eq!(client.ask(&bind("", "secret")).code(), 49);
    assert_eq!(served.nobody.asked(), 0);
}

#[test]
fn section_4_2_2_every_refusal_is_the_same_bytes() {
    let served = Served::new();
    let mut bytes = Vec::new();
    for name in [
        ALICE,
        SSSD,
        "uid=nobody,ou=people,dc=example,dc=org",
        "cn=Alice,ou=people,dc=example,dc=org",
        "uid=alice,ou=people,dc=elsewhere",
        "dc=example,dc=org",
        "alice",
        "uid=\u{fffd},=,",
    ] {
        let mut client = served.connect();
        let answer = client.ask_with(&bind(name, "secret"), &[control(PASSWORD_POLICY, true)]);
        assert_eq!(answer.code(), 49);
        bytes.push((answer.content, answer.controls));
    }
    bytes.dedup();
    assert_eq!(bytes.len(), 1);
    assert_eq!(bytes[0], (vec![0x0a, 1, 49, 4, 0, 4, 0], vec![]));
    // All but the service account's were attempts of users: as slow as any other.
    assert_eq!(served.nobody.attempts.lock().unwrap().len(), 7);
    assert_eq!(served.nobody.service_attempts.lock().unwrap().len(), 1);
}

#[test]
fn an_attempt_carries_what_is_known_of_the_connection() {
    let served = Served::new();
    let mut client = served.connect();
    let policy = [control(PASSWORD_POLICY, false)];
    assert_eq!(client.ask_with(&bind(ALICE, "secret"), &policy).code(), 49);
    assert_eq!(client.ask(&bind("no name", "secret")).code(), 49);
    let attempts = served.nobody.attempts.lock().unwrap();
    let first = &attempts[0];
    assert_eq!(first.protocol, Protocol::Ldap);
    assert_eq!(first.claim, Claim::Typed("Alice".to_owned()));
    assert_eq!(first.origin.source.to_string(), "127.0.0.1");
    assert!(first.asked_for_password_policy);
    let Evidence::Password(password) = &first.evidence else {
        panic!()
    };
    assert_eq!(password.as_bytes(), b"secret");
    let AccessContext::Connection(circumstances) = &first.asking else {
        panic!()
    };
    assert_eq!(circumstances.listener.as_str(), "hosts");
    assert_eq!(circumstances.service, None);
    assert_eq!(attempts[1].claim, Claim::Malformed("no name".to_owned()));
    assert!(!attempts[1].asked_for_password_policy);
}

#[test]
fn rfc_4513_section_6_3_1_no_password_in_the_clear() {
    let mut refusing = settings(TlsMode::StartTls);
    refusing.plaintext_bind = PlaintextBind::Refuse;
    let served = Served::with(refusing);
    let mut client = served.connect();
    for name in [ALICE, SSSD, "nonsense", ""] {
        assert_eq!(client.ask(&bind(name, "secret")).code(), 13, "{name}");
    }
    assert_eq!(served.nobody.asked(), 0);
    assert_eq!(client.ask(&bind("", "")).code(), 0);
    // Under TLS it is an attempt.
    let start = client.ask(&extended("1.3.6.1.4.1.1466.20037", None));
    assert_eq!(start.code(), 0);
    let mut client = served.protect(client);
    assert_eq!(client.ask(&bind(ALICE, "secret")).code(), 49);
    assert_eq!(served.nobody.asked(), 1);
}

#[test]
fn no_verdict_is_no_wrong_password() {
    let served = Served::new();
    *served.nobody.undecided.lock().unwrap() = Some(Undecided::Busy);
    let mut client = served.connect();
    assert_eq!(client.ask(&bind(ALICE, "secret")).code(), 51);
    assert_eq!(client.ask(&bind(SSSD, "secret")).code(), 51);
    let down = Undecided::Unavailable("no space left on device".to_owned());
    *served.nobody.undecided.lock().unwrap() = Some(down);
    for name in [ALICE, SSSD] {
        let mut client = served.connect();
        assert_eq!(client.ask(&bind(name, "secret")).code(), 52);
        let notice = client.read().unwrap();
        assert!(notice.is_notice());
        assert_eq!((notice.code(), notice.diagnostic().as_str()), (52, ""));
        assert!(client.is_closed());
    }
    *served.nobody.undecided.lock().unwrap() = None;
    assert_eq!(served.connect().ask(&bind(ALICE, "secret")).code(), 49);
}

#[test]
fn section_4_2_1_requests_behind_a_bind_wait_for_it() {
    let served = Served::new();
    let mut client = served.connect();
    let bound = client.send(&bind(ALICE, "secret"));
    let asked = client.send(&extended(WHO_AM_I, None));
    let first = client.read().unwrap();
    assert_eq!((first.id, first.code()), (i64::from(bound), 49));
    let second = client.read().unwrap();
    assert_eq!(
        (second.id, second.value()),
        (i64::from(asked), Some(Vec::new()))
    );
}
