//! A user's certificate in DER: never a panic, never a name by one rule where the certificate has
//! none, and what is kept for events within its bound.
#![no_main]

use doorward_domain::user_certificate::{CertificateIdentity, NamedBy, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for named_by in [NamedBy::Mail, NamedBy::Upn, NamedBy::CommonName] {
        let Ok(certificate) = read(bytes, named_by) else {
            continue;
        };
        assert_eq!(certificate.named_by, named_by);
        let identity = certificate.identity;
        assert!(identity.serial().len() <= CertificateIdentity::LONGEST);
        assert!(identity.subject().chars().count() <= CertificateIdentity::LONGEST);
        // Whatever it is called stands in it, octet by octet.
        if let Some(name) = certificate.name.filter(|name| !name.is_empty()) {
            let octets = name.as_bytes();
            assert!(bytes.windows(octets.len()).any(|window| window == octets));
        }
    }
});
