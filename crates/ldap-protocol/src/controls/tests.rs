//! The values of controls, both ways.

use proptest::prelude::*;

use super::*;
use crate::decode::ber;
use crate::decode::ber::{Reader, tag};
use crate::result::ResultCode;

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

fn element(identifier: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    ber::write(&mut out, identifier, content);
    out
}

fn paged(size: u32, cookie: &[u8]) -> Vec<u8> {
    let size = [&[0][..], &size.to_be_bytes()].concat();
    sequence(&[
        element(tag::INTEGER, &size),
        element(tag::OCTET_STRING, cookie),
    ])
}

fn key(attribute: &str, rule: Option<&str>, reverse: Option<bool>) -> Vec<u8> {
    let rule = rule.map(|rule| element(0x80, rule.as_bytes()));
    let reverse = reverse.map(|reverse| element(0x81, &[u8::from(reverse)]));
    sequence(&[
        element(tag::OCTET_STRING, attribute.as_bytes()),
        rule.unwrap_or_default(),
        reverse.unwrap_or_default(),
    ])
}

fn names(sort: &Sort) -> Vec<(String, &'static str, bool)> {
    let keys = sort.keys().unwrap_or_default();
    keys.iter()
        .map(|key| {
            (
                key.attribute.name().to_owned(),
                key.rule.name(),
                key.reverse,
            )
        })
        .collect()
}

#[test]
fn a_key_gets_the_rule_of_its_attribute_or_the_one_it_names() {
    let value = sequence(&[
        key("UID", None, None),
        key("2.5.4.3", Some("2.5.13.6"), Some(false)),
        key("uidnumber", None, Some(true)),
        key("memberUid", None, None),
        key(
            "modifyTimestamp",
            Some("generalizedtimeorderingmatch"),
            None,
        ),
    ]);
    assert_eq!(
        names(&Sort::read(Some(&value)).unwrap()),
        [
            ("uid".to_owned(), "caseIgnoreOrderingMatch", false),
            ("cn".to_owned(), "caseExactOrderingMatch", false),
            ("uidNumber".to_owned(), "integerOrderingMatch", true),
            ("memberUid".to_owned(), "caseExactIA5Match", false),
            (
                "modifyTimestamp".to_owned(),
                "generalizedTimeOrderingMatch",
                false
            ),
        ]
    );
}

#[test]
fn a_thousand_keys_are_not_read() {
    let value = sequence(&vec![key("nonsense", None, None); 1000]);
    let outcome = Sort::read(Some(&value)).unwrap().outcome().unwrap();
    assert_eq!(
        (outcome.code, outcome.attribute),
        (ResultCode::UnwillingToPerform, None)
    );
}

#[test]
fn responses_have_the_bytes_of_their_documents() {
    let response = |control: Control| (control.oid, control.critical, control.value.unwrap());
    assert_eq!(
        response(paged_response(&[7, 8])),
        (
            PAGED_RESULTS.to_owned(),
            false,
            vec![0x30, 7, 2, 1, 0, 4, 2, 7, 8]
        )
    );
    let outcome = SortOutcome {
        code: ResultCode::NoSuchAttribute,
        attribute: Some("x".to_owned()),
    };
    assert_eq!(
        response(outcome.control()),
        (
            SORT_RESPONSE.to_owned(),
            false,
            vec![0x30, 6, 0x0a, 1, 16, 0x80, 1, b'x']
        )
    );
}

fn control(oid: &str, critical: bool) -> Control {
    Control {
        oid: oid.to_owned(),
        critical,
        value: None,
    }
}

#[test]
fn a_critical_unknown_control_fails_what_has_an_answer() {
    let unknown = [control("1.2.3.4", true)];
    assert_eq!(read(RequestKind::Search, &unknown), Err(UnknownCritical));
    assert_eq!(read(RequestKind::Abandon, &unknown), Ok(Asked::default()));
    assert_eq!(read(RequestKind::Unbind, &unknown), Ok(Asked::default()));
    let ignored = [control("1.2.3.4", false)];
    assert_eq!(read(RequestKind::Search, &ignored), Ok(Asked::default()));
    let known = [control("1.2.3.4", false), control(PASSWORD_POLICY, true)];
    assert_eq!(
        read(RequestKind::Bind, &known),
        Ok(Asked {
            password_policy: true
        })
    );
}

#[test]
fn the_password_policy_response_has_the_bytes_clients_read() {
    let value = |policy: PasswordPolicy| policy.control().value.unwrap();
    assert_eq!(value(PasswordPolicy::Nothing), [0x30, 0]);
    assert_eq!(
        value(PasswordPolicy::ChangeAfterReset),
        [0x30, 3, 0x81, 1, 2]
    );
    assert_eq!(
        value(PasswordPolicy::ExpiresIn(Duration::from_hours(24))),
        [0x30, 7, 0xa0, 5, 0x80, 3, 1, 0x51, 0x80]
    );
    assert_eq!(PasswordPolicy::of_granted(None), PasswordPolicy::Nothing);
    let day = Duration::from_hours(24);
    assert_eq!(
        PasswordPolicy::of_granted(Some(day)),
        PasswordPolicy::ExpiresIn(day)
    );
    let seconds = |count| value(PasswordPolicy::ExpiresIn(Duration::from_secs(count)));
    assert_eq!(seconds(0), [0x30, 5, 0xa0, 3, 0x80, 1, 0]);
    assert_eq!(seconds(127), [0x30, 5, 0xa0, 3, 0x80, 1, 0x7f]);
    assert_eq!(seconds(128), [0x30, 6, 0xa0, 4, 0x80, 2, 0, 0x80]);
    assert_eq!(
        seconds(u64::MAX),
        [0x30, 8, 0xa0, 6, 0x80, 4, 0x7f, 0xff, 0xff, 0xff]
    );
}

proptest! {
    #[test]
    fn a_paged_value_is_read_as_it_was_written(size in 0_u32..=0x7fff_ffff, cookie: Vec<u8>) {
        let read = PagedRequest::read(Some(&paged(size, &cookie))).unwrap();
        prop_assert_eq!(read, PagedRequest { size, cookie });
    }

    #[test]
    fn a_paged_response_is_read_as_it_was_written(cookie: Vec<u8>) {
        let value = paged_response(&cookie).value.unwrap();
        let read = PagedRequest::read(Some(&value)).unwrap();
        prop_assert_eq!(read, PagedRequest { size: 0, cookie });
    }

    #[test]
    fn a_size_out_of_range_is_refused(size in 0x8000_0000_u32..) {
        prop_assert!(PagedRequest::read(Some(&paged(size, b""))).is_err());
    }

    #[test]
    fn a_sort_response_is_read_as_it_was_written(attribute in proptest::option::of("[a-z]{0,200}")) {
        let outcome = SortOutcome { code: ResultCode::Other, attribute };
        let value = outcome.control().value.unwrap();
        let mut inside = Reader::new(&value).sequence().unwrap();
        prop_assert_eq!(inside.enumerated(), Ok(i64::from(outcome.code.number())));
        let attribute = inside.optional(0x80).unwrap();
        prop_assert_eq!(attribute, outcome.attribute.as_deref().map(str::as_bytes));
    }

    #[test]
    fn no_bytes_make_them_panic(bytes: Vec<u8>, oid in 0..2) {
        let oid = if oid == 0 { PAGED_RESULTS } else { SORT_REQUEST };
        let control = Control { oid: oid.to_owned(), critical: true, value: Some(bytes) };
        let _ = SearchControls::read(&[control]);
    }
}
