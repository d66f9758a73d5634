//! Any bytes as the value of a search's controls: what is read has bounds, and what is answered
//! can be read again.
#![no_main]

use doorward_ldap_protocol::controls::{PAGED_RESULTS, PagedRequest, SORT_KEYS, SORT_REQUEST, SearchControls, Sort, paged_response};
use doorward_ldap_protocol::decode::Control;
use libfuzzer_sys::fuzz_target;

fn control(oid: &str, value: &[u8]) -> Control {
    Control { oid: oid.to_owned(), critical: true, value: Some(value.to_vec()) }
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(paged) = PagedRequest::read(Some(bytes)) {
        assert!(paged.size <= i32::MAX.unsigned_abs() && paged.cookie.len() < bytes.len());
        let response = paged_response(&paged.cookie);
        let again = PagedRequest::read(response.value.as_deref()).expect("what we wrote");
        assert_eq!((again.size, again.cookie), (0, paged.cookie));
    }
    if let Ok(sort) = Sort::read(Some(bytes)) {
        assert_ne!(sort, Sort::Unasked);
        assert!(sort.keys().is_none_or(|keys| (1..=SORT_KEYS).contains(&keys.len())));
        let outcome = sort.outcome().expect("an outcome for whoever asked");
        let value = outcome.control().value.expect("a value");
        assert!(value.len() <= bytes.len() + 16);
    }
    let controls = [control(PAGED_RESULTS, bytes), control(SORT_REQUEST, bytes)];
    // The two values have nothing in common.
    assert!(SearchControls::read(&controls).is_err());
});
