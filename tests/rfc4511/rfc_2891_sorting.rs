//! What of RFC 2891 needs nobody bound: values, result codes, criticality. People are sorted in
//! `crates/ldap/src/tests/pages.rs`.

use crate::client::{Answer, Client, Scope, Search, control_with, octets, sorted, tlv};
use crate::harness::Served;

const OID: &str = "1.2.840.113556.1.4.473";

fn ask(client: &mut Client, control: Vec<u8>) -> (usize, Answer) {
    let (entries, end) = client.search_with(&Search::new("", Scope::Base), &[control]);
    (entries.len(), end)
}

#[test]
fn section_1_1_a_value_that_is_none_is_a_protocol_error_critical_or_not() {
    let served = Served::new();
    let mut client = served.connect();
    let list = |key: &[u8]| Some(tlv(0x30, &tlv(0x30, key)));
    for value in [
        None,
        Some(vec![]),
        Some(tlv(0x30, b"")),
        list(b""),
        list(&tlv(2, &[1])),
        list(&octets([0xff])),
        list(&[octets("uid"), tlv(0x81, &[0xff]), tlv(0x80, b"2.5.13.3")].concat()),
        list(&[octets("uid"), tlv(0x81, &[])].concat()),
        list(&[octets("uid"), octets("cn")].concat()),
        Some([tlv(0x30, &tlv(0x30, &octets("uid"))), vec![0, 0]].concat()),
        Some(vec![0x30, 0x7f, 0x30, 5, 4, 3]),
    ] {
        for critical in [true, false] {
            let control = control_with(OID, critical, value.as_deref());
            let (entries, end) = ask(&mut client, control);
            assert_eq!((entries, end.code()), (0, 2), "{value:?}");
        }
    }
    let twice = [
        sorted(false, &[("uid", None, false)]),
        sorted(false, &[("cn", None, false)]),
    ];
    let (_, end) = client.search_with(&Search::new("", Scope::Base), &twice);
    assert_eq!(end.code(), 2);
}

#[test]
fn section_1_2_each_reason_has_its_code_and_names_the_attribute() {
    let served = Served::new();
    let mut client = served.connect();
    for (attribute, rule, code) in [
        ("nonsense", None, 16),
        ("uid;lang-en", None, 16),
        ("userPassword", None, 16),
        ("member", None, 18),
        ("objectClass", None, 18),
        ("uid", Some("caseIgnoreMatch"), 18),
        ("uid", Some("integerOrderingMatch"), 18),
        ("uidNumber", Some("2.5.13.3"), 18),
        ("uid", Some("1.2.3.4"), 18),
    ] {
        let keys = [("cn", None, false), (attribute, rule, false)];
        let expected = Some((code, Some(attribute.to_owned())));
        // Section 2: where it is critical nothing is sent but the reason; else all, unsorted.
        let (entries, end) = ask(&mut client, sorted(true, &keys));
        assert_eq!((entries, end.code()), (0, 12), "{attribute}");
        assert_eq!(end.sorted(), expected);
        let (entries, end) = ask(&mut client, sorted(false, &keys));
        assert_eq!((entries, end.code()), (1, 0), "{attribute}");
        assert_eq!(end.sorted(), expected);
    }
    let many = [("cn", None, false); 9];
    let (entries, end) = ask(&mut client, sorted(true, &many));
    assert_eq!((entries, end.code()), (0, 12));
    assert_eq!(end.sorted(), Some((53, None)));
    let (entries, end) = ask(&mut client, sorted(true, &many[..8]));
    assert_eq!((entries, end.code()), (1, 0));
    assert_eq!(end.sorted(), Some((0, None)));
}

#[test]
fn section_2_nothing_found_or_refused_has_no_response_control() {
    let served = Served::new();
    let mut client = served.connect();
    let sorted = [sorted(true, &[("uid", None, false)])];
    let nothing = Search::new("", Scope::Base).filter(crate::client::equals("cn", "x"));
    for (search, code) in [
        (nothing, 0),
        (Search::new("dc=example,dc=org", Scope::Sub), 50),
    ] {
        let (entries, end) = client.search_with(&search, &sorted);
        assert_eq!((entries.len(), end.code()), (0, code));
        assert_eq!(end.sorted(), None);
    }
}
