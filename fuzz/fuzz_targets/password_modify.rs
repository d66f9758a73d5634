//! Any bytes as the value of a Password Modify request: what is read is written and read again the
//! same, and an independent decoder that reads it too reads the same.
#![no_main]

use doorward_domain::secret::Secret;
use doorward_ldap_protocol::password::PasswordModify;
use ldap3_proto::proto::{LdapExtendedRequest, LdapPasswordModifyRequest};
use libfuzzer_sys::fuzz_target;

const OID: &str = "1.3.6.1.4.1.4203.1.11.1";

fn bytes(secret: Option<&Secret>) -> Option<&[u8]> {
    secret.map(Secret::expose)
}

fn same(one: &PasswordModify, other: &PasswordModify) -> bool {
    one.user_identity == other.user_identity
        && bytes(one.old_password.as_ref()) == bytes(other.old_password.as_ref())
        && bytes(one.new_password.as_ref()) == bytes(other.new_password.as_ref())
}

fuzz_target!(|value: &[u8]| {
    let Ok(request) = PasswordModify::from_ber(Some(value)) else { return };
    let again = PasswordModify::from_ber(Some(request.to_ber().expose())).expect("what is written");
    assert!(same(&request, &again));
    let wire = LdapExtendedRequest { name: OID.to_owned(), value: Some(value.to_vec()) };
    // It refuses text that is not UTF-8.
    let Ok(other) = LdapPasswordModifyRequest::try_from(&wire) else { return };
    let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert_eq!(other.user_identity, text(request.user_identity.as_deref()));
    assert!(other.old_password == text(bytes(request.old_password.as_ref())));
    assert!(other.new_password == text(bytes(request.new_password.as_ref())));
});
