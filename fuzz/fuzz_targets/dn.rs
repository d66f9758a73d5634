//! Any bytes as a name: what is read is written and read again the same, and its normal form
//! names the same entry.
#![no_main]

use doorward_ldap_protocol::dn::{DistinguishedName, MAX_DN_BYTES};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(name) = DistinguishedName::parse_bytes(bytes) else { return };
    let written = name.to_string();
    assert!(!written.chars().any(char::is_control));
    // Escapes and compatibility forms can make a name longer than what may be read.
    if written.len() <= MAX_DN_BYTES {
        let again = DistinguishedName::parse(&written).expect("what is written is a name");
        assert_eq!(again, name);
        assert_eq!(again.to_string(), written);
    }
    let normal = name.normalised();
    if normal.len() <= MAX_DN_BYTES {
        let again = DistinguishedName::parse(&normal).expect("the normal form is a name");
        assert_eq!(again, name);
        assert_eq!(again.normalised(), normal);
    }
    assert!(name.is_under(&name));
    if let Some(parent) = name.parent() {
        assert!(name.is_child_of(&parent));
    }
});
