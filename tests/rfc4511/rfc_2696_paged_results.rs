//! What of RFC 2696 needs nobody bound: values, criticality, and the one page of the root DSE.
//! Pages of people are turned in `crates/ldap/src/tests/pages.rs`.

use crate::client::{Scope, Search, control_with, delete, extended, integer, octets, paged, tlv};
use crate::harness::Served;

const OID: &str = "1.2.840.113556.1.4.319";
const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";

#[test]
fn section_2_a_search_of_one_page_ends_with_an_empty_cookie() {
    let served = Served::new();
    let mut client = served.connect();
    let (entries, end) = client.search_with(&Search::new("", Scope::Base), &[paged(true, 10, b"")]);
    assert_eq!((entries.len(), end.code()), (1, 0));
    assert_eq!(end.page(), Some((vec![0], vec![])));
}

#[test]
fn section_2_a_value_that_is_none_is_a_protocol_error_critical_or_not() {
    let served = Served::new();
    let mut client = served.connect();
    let size = |size: &[u8]| tlv(0x30, &[tlv(2, size), octets("")].concat());
    for value in [
        None,
        Some(vec![]),
        Some(tlv(0x30, b"")),
        Some(tlv(0x30, &integer(1))),
        Some(tlv(0x30, &[octets(""), integer(1)].concat())),
        Some(tlv(0x30, &[integer(1), octets(""), octets("")].concat())),
        Some([tlv(0x30, &[integer(1), octets("")].concat()), vec![0, 0]].concat()),
        Some(vec![0x30, 0x80, 2, 1, 1, 4, 0, 0, 0]),
        Some(vec![0x30, 0x7f, 2, 1, 1, 4, 0]),
        Some(size(&[0xff])),
        Some(size(&[0, 0x80, 0, 0, 0])),
        Some(size(&[0; 9])),
        Some(size(&[])),
    ] {
        for critical in [true, false] {
            let control = control_with(OID, critical, value.as_deref());
            let (entries, end) = client.search_with(&Search::new("", Scope::Base), &[control]);
            assert_eq!((entries.len(), end.code()), (0, 2), "{value:?}");
            assert!(!end.diagnostic().is_empty());
        }
    }
    let twice = [paged(false, 1, b""), paged(false, 1, b"")];
    let (_, end) = client.search_with(&Search::new("", Scope::Base), &twice);
    assert_eq!(end.code(), 2);
}

#[test]
fn section_3_a_cookie_from_nowhere_is_refused() {
    let served = Served::new();
    let mut client = served.connect();
    for cookie in [&b"x"[..], &[0; 8], &[0, 0, 0, 0, 0, 0, 0, 1], &[7; 1000]] {
        for size in [0, 1, i32::MAX] {
            let control = paged(true, size, cookie);
            let (entries, end) = client.search_with(&Search::new("", Scope::Base), &[control]);
            assert_eq!((entries.len(), end.code()), (0, 53), "{cookie:?}");
            assert_eq!(end.page(), None);
        }
    }
}

#[test]
fn on_what_is_no_search_it_is_ignored_or_where_critical_refused() {
    let served = Served::new();
    let mut client = served.connect();
    for operation in [delete("dc=example,dc=org"), extended(WHO_AM_I, None)] {
        let answer = client.ask_with(&operation, &[paged(true, 10, b"")]);
        assert_eq!(answer.code(), 12);
        let answer = client.ask_with(&operation, &[paged(false, 10, b"")]);
        assert_ne!(answer.code(), 12);
        assert_eq!(answer.page(), None);
    }
}
