//! What a user's certificate says: whose it is, by the one kind of name that counts, and which it
//! is (RFC 5280 §4.1.2.2, §4.1.2.6, §4.2.1.6).
//!
//! Reads what TLS has verified; decides nothing.

use x509_parser::asn1_rs::{Error, FromDer as _, TaggedExplicit, Utf8String};
use x509_parser::oid_registry::Oid;
use x509_parser::prelude::{GeneralName, X509Certificate};

use super::super::certificate::Unreadable;
use super::{CertificateIdentity, NamedBy, UserCertificate};

/// 1.3.6.1.4.1.311.20.2.3 in DER, the type of a user principal name ([MS-WCCE] 2.2.2.7.7.4).
const USER_PRINCIPAL_NAME: [u8; 10] = [0x2b, 6, 1, 4, 1, 0x82, 0x37, 20, 2, 3];

/// Reads a certificate in DER. Where it has several names of the kind that counts, it stands for
/// nobody: which was meant cannot be told.
///
/// # Errors
/// It is none, or one of its names cannot be read, whatever its kind.
pub fn read(der: &[u8], named_by: NamedBy) -> Result<UserCertificate, Unreadable> {
    let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| Unreadable)?;
    if !rest.is_empty() {
        return Err(Unreadable);
    }
    let alternative = certificate
        .subject_alternative_name()
        .map_err(|_| Unreadable)?;
    let alternative: Vec<&GeneralName<'_>> = alternative
        .iter()
        .flat_map(|extension| &extension.value.general_names)
        .collect();
    if alternative
        .iter()
        .any(|name| matches!(name, GeneralName::Invalid(..)))
    {
        return Err(Unreadable);
    }
    let names: Vec<String> = match named_by {
        NamedBy::Mail => alternative
            .iter()
            .filter_map(|name| match name {
                GeneralName::RFC822Name(text) => Some((*text).to_owned()),
                _ => None,
            })
            .collect(),
        NamedBy::Upn => alternative
            .iter()
            .filter_map(|name| match name {
                GeneralName::OtherName(kind, value) => principal(kind, value),
                _ => None,
            })
            .collect::<Result<_, _>>()?,
        NamedBy::CommonName => certificate
            .subject()
            .iter_common_name()
            .map(|name| name.as_str().map(str::to_owned).map_err(|_| Unreadable))
            .collect::<Result<_, _>>()?,
    };
    let mut names = names.into_iter();
    let name = names.next().filter(|_| names.next().is_none());
    Ok(UserCertificate {
        named_by,
        name,
        identity: CertificateIdentity::new(
            certificate.raw_serial(),
            &certificate.subject().to_string(),
        ),
    })
}

/// The text of a user principal name; nothing where it is another kind of name.
fn principal(kind: &Oid<'_>, value: &[u8]) -> Option<Result<String, Unreadable>> {
    if kind.as_bytes() != USER_PRINCIPAL_NAME {
        return None;
    }
    let read = TaggedExplicit::<Utf8String<'_>, Error, 0>::from_der(value);
    Some(match read {
        Ok(([], text)) => Ok(text.into_inner().string()),
        _ => Err(Unreadable),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::string::Ia5String;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

    use super::*;

    const UPN: [u64; 10] = [1, 3, 6, 1, 4, 1, 311, 20, 2, 3];

    fn certificate(common: &[&str], alternative: &[SanType]) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (place, name) in common.iter().enumerate() {
            // rcgen keeps one value of each type; another type is made the same below.
            let kind = match place {
                0 => DnType::CommonName,
                _ => DnType::CustomDnType(vec![2, 5, 4, 4]),
            };
            params.distinguished_name.push(kind, *name);
        }
        params.subject_alt_names = alternative.to_vec();
        params.serial_number = Some(vec![0x1f, 0x00, 0xab].into());
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let mut der = made.der().to_vec();
        if common.len() > 1 {
            // surname (2.5.4.4) becomes commonName (2.5.4.3), in issuer and subject.
            let places: Vec<usize> = der
                .windows(5)
                .enumerate()
                .filter(|(_, octets)| *octets == [6, 3, 0x55, 4, 4])
                .map(|(place, _)| place)
                .collect();
            for place in places {
                der[place + 4] = 3;
            }
        }
        der
    }

    fn mail(text: &str) -> SanType {
        SanType::Rfc822Name(Ia5String::try_from(text).unwrap())
    }

    fn upn(text: &str) -> SanType {
        SanType::OtherName((UPN.to_vec(), text.into()))
    }

    fn name(der: &[u8], named_by: NamedBy) -> Option<String> {
        read(der, named_by).unwrap().name
    }

    #[test]
    fn each_rule_takes_its_own_kind_of_name_and_no_other() {
        let der = certificate(
            &["alice"],
            &[
                mail("alice@mail.example"),
                upn("alice@example.org"),
                SanType::DnsName(Ia5String::try_from("laptop.example.org").unwrap()),
                SanType::OtherName((vec![1, 3, 6, 1, 5, 2, 2], "mallory".into())),
            ],
        );
        let expected = |text: &str| Some(text.to_owned());
        assert_eq!(name(&der, NamedBy::Mail), expected("alice@mail.example"));
        assert_eq!(name(&der, NamedBy::Upn), expected("alice@example.org"));
        assert_eq!(name(&der, NamedBy::CommonName), expected("alice"));
        let bare = certificate(&["alice"], &[]);
        assert_eq!(name(&bare, NamedBy::Mail), None);
        assert_eq!(name(&bare, NamedBy::Upn), None);
        let nameless = certificate(&[], &[mail("alice@mail.example")]);
        assert_eq!(name(&nameless, NamedBy::CommonName), None);
    }

    #[test]
    fn a_certificate_of_two_is_one_of_nobody() {
        let two = certificate(
            &["alice", "bob"],
            &[
                mail("alice@mail.example"),
                mail("bob@mail.example"),
                upn("alice@example.org"),
                upn("bob@example.org"),
            ],
        );
        for named_by in [NamedBy::Mail, NamedBy::Upn, NamedBy::CommonName] {
            assert_eq!(name(&two, named_by), None, "{named_by}");
        }
    }

    #[test]
    fn which_it_is_is_told_as_a_revocation_list_does() {
        let der = certificate(&["alice"], &[]);
        let identity = read(&der, NamedBy::CommonName).unwrap().identity;
        assert_eq!(identity.serial(), "1f00ab");
        assert_eq!(identity.subject(), "CN=alice");
    }

    #[test]
    fn what_cannot_be_read_is_nobody_s() {
        let mut longer = certificate(&["alice"], &[]);
        longer.push(0);
        assert_eq!(read(&longer, NamedBy::CommonName), Err(Unreadable));
        assert_eq!(read(b"", NamedBy::CommonName), Err(Unreadable));
        // One name that cannot be read, beside a good one.
        let mut broken = certificate(&["alice"], &[mail("alice@a"), mail("mallory@a")]);
        let place = broken.windows(7).position(|octets| octets == b"mallory");
        broken[place.unwrap()] = 0xff;
        for named_by in [NamedBy::Mail, NamedBy::CommonName] {
            assert_eq!(read(&broken, named_by), Err(Unreadable));
        }
        let mut broken = certificate(&["alice"], &[upn("alice@a"), upn("mallory@a")]);
        let place = broken.windows(7).position(|octets| octets == b"mallory");
        broken[place.unwrap()] = 0xff;
        assert_eq!(read(&broken, NamedBy::Upn), Err(Unreadable));
    }

    proptest! {
        #[test]
        fn no_change_makes_it_panic(place in any::<prop::sample::Index>(), byte: u8) {
            static DER: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
                certificate(&["alice"], &[mail("alice@a"), upn("alice@a")])
            });
            let mut der = DER.clone();
            let place = place.index(der.len());
            der[place] = byte;
            for named_by in [NamedBy::Mail, NamedBy::Upn, NamedBy::CommonName] {
                let _ = read(&der, named_by);
            }
        }
    }
}
