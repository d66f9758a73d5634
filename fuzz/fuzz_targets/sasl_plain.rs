//! Any bytes as a message of SASL PLAIN or EXTERNAL: what is read is written the same.
#![no_main]

use doorward_ldap_protocol::sasl::{Plain, external};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(plain) = Plain::read(bytes) {
        let mut written = plain.authorization.into_bytes();
        written.push(0);
        written.extend(plain.authentication.into_bytes());
        written.push(0);
        written.extend(plain.password.expose());
        assert_eq!(written, bytes);
    }
    if let Ok(name) = external(bytes) {
        assert_eq!(name.as_bytes(), bytes);
    }
});
