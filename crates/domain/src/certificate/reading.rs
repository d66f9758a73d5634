//! The names in a client's certificate (RFC 5280 sections 4.1.2.6 and 4.2.1.6).
//!
//! Reads what TLS has verified; decides nothing. An otherName and a directory name say nothing
//! here.

use std::net::IpAddr;

use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::{AlternativeName, CertificateNames};

/// A certificate that cannot be read. Whoever showed it must not go on as if without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client's certificate cannot be read")]
pub struct Unreadable;

/// The names of a certificate in DER.
///
/// # Errors
/// It is none, or one of its subject alternative names cannot be read: what it says would otherwise
/// be looked for in the common name.
pub fn names(der: &[u8]) -> Result<CertificateNames, Unreadable> {
    let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| Unreadable)?;
    if !rest.is_empty() {
        return Err(Unreadable);
    }
    let extension = certificate
        .subject_alternative_name()
        .map_err(|_| Unreadable)?;
    let alternative: Vec<AlternativeName<'_>> = extension
        .iter()
        .flat_map(|extension| &extension.value.general_names)
        .filter_map(|name| match name {
            GeneralName::DNSName(text) => Some(Ok(AlternativeName::Dns(text))),
            GeneralName::RFC822Name(text) => Some(Ok(AlternativeName::Mail(text))),
            GeneralName::URI(text) => Some(Ok(AlternativeName::Uri(text))),
            GeneralName::IPAddress(octets) => Some(address(octets).map(AlternativeName::Address)),
            GeneralName::Invalid(..) => Some(Err(Unreadable)),
            _ => None,
        })
        .collect::<Result<_, _>>()?;
    let common: Vec<&str> = certificate
        .subject()
        .iter_common_name()
        .filter_map(|name| name.as_str().ok())
        .collect();
    Ok(CertificateNames::new(&alternative, &common))
}

fn address(octets: &[u8]) -> Result<IpAddr, Unreadable> {
    if let Ok(four) = <[u8; 4]>::try_from(octets) {
        return Ok(four.into());
    }
    let sixteen = <[u8; 16]>::try_from(octets).map_err(|_| Unreadable)?;
    Ok(sixteen.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::string::Ia5String;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::super::CertificateName;
    use super::*;

    fn certificate(common: &str, alternative: &[SanType]) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common);
        params.subject_alt_names = alternative.to_vec();
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        made.der().to_vec()
    }

    fn known(der: &[u8]) -> Vec<String> {
        let names = names(der).unwrap();
        names.iter().map(CertificateName::to_string).collect()
    }

    #[test]
    fn alternative_names_are_read_and_then_the_common_name_is_not() {
        let text = |text: &str| Ia5String::try_from(text).unwrap();
        let der = certificate(
            "front",
            &[
                SanType::DnsName(text("mx1.example.org")),
                SanType::Rfc822Name(text("alice@example.org")),
                SanType::URI(text("spiffe://example.org/mail")),
                SanType::IpAddress([192, 0, 2, 1].into()),
            ],
        );
        assert_eq!(
            known(&der),
            [
                "mx1.example.org",
                "alice@example.org",
                "spiffe://example.org/mail",
                "192.0.2.1"
            ]
        );
    }

    #[test]
    fn without_them_the_common_name_is() {
        assert_eq!(known(&certificate("Mail Front", &[])), ["Mail Front"]);
    }

    #[test]
    fn bytes_behind_a_certificate_are_refused() {
        let mut der = certificate("front", &[]);
        der.push(0);
        assert_eq!(names(&der), Err(Unreadable));
        assert_eq!(names(b""), Err(Unreadable));
    }

    #[test]
    fn an_alternative_name_that_cannot_be_read_leaves_no_other() {
        let text = |text: &str| SanType::DnsName(Ia5String::try_from(text).unwrap());
        let mail = SanType::Rfc822Name(Ia5String::try_from("alice@example.org").unwrap());
        for names_in_it in [
            vec![text("mx1.example.org")],
            vec![mail, text("mx1.example.org")],
        ] {
            let mut der = certificate("front", &names_in_it);
            let place = der.windows(3).position(|bytes| bytes == b"mx1").unwrap();
            der[place] = 0xff;
            assert_eq!(names(&der), Err(Unreadable));
        }
    }

    proptest! {
        #[test]
        fn no_change_makes_it_panic(place in any::<prop::sample::Index>(), byte: u8) {
            static DER: std::sync::LazyLock<Vec<u8>> =
                std::sync::LazyLock::new(|| certificate("front", &[]));
            let mut der = DER.clone();
            let place = place.index(der.len());
            der[place] = byte;
            let _ = names(&der);
        }
    }
}
