//! Any bytes as a filter, in BER and as text: what is read is written and read again the same,
//! and evaluating it for an entry ends.
#![no_main]

use std::sync::LazyLock;

use doorward_ldap_protocol::attribute::Entry;
use doorward_ldap_protocol::dn::DistinguishedName;
use doorward_ldap_protocol::filter::{Filter, Truth, evaluate};
use doorward_ldap_protocol::limits::Limits;
use doorward_ldap_protocol::schema::{COMMON_NAME, MAIL, MEMBER, MEMBER_UID, MODIFY_TIMESTAMP, OBJECT_CLASS, UID_NUMBER, USER_ID, USER_PASSWORD};
use libfuzzer_sys::fuzz_target;

static ENTRY: LazyLock<Entry> = LazyLock::new(|| {
    let dn = DistinguishedName::parse("uid=alice,ou=people,dc=example,dc=org");
    Entry::new(dn.expect("a valid name"))
        .with(&OBJECT_CLASS, "posixAccount")
        .with(&USER_ID, "alice")
        .with(&COMMON_NAME, "Alice  van Dyke")
        .with(&MAIL, "alice@example.org")
        .with(&UID_NUMBER, "20000")
        .with(&MEMBER, "uid=bob,dc=example,dc=org")
        .with(&MEMBER_UID, "bob")
        .with(&MODIFY_TIMESTAMP, "20260102030405Z")
        .with(&USER_PASSWORD, "x")
});

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    if let Ok(filter) = Filter::from_ber(bytes, &limits) {
        let again = Filter::from_ber(&filter.to_ber(), &limits);
        assert_eq!(again.as_ref(), Ok(&filter));
        check(&filter);
    }
    if let Ok(filter) = std::str::from_utf8(bytes).unwrap_or_default().parse::<Filter>() {
        assert_eq!(filter.to_string().parse().as_ref(), Ok(&filter));
        check(&filter);
    }
});

fn check(filter: &Filter) {
    let text = filter.to_string();
    assert!(!text.chars().any(char::is_control));
    let negated = evaluate(&Filter::Not(Box::new(filter.clone())), &*ENTRY);
    let expected = match evaluate(filter, &*ENTRY) {
        Truth::True => Truth::False,
        Truth::False => Truth::True,
        Truth::Undefined => Truth::Undefined,
    };
    assert_eq!(negated, expected);
}
