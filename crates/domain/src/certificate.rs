//! The names in a client's certificate, and how one is named in the configuration (CONTRACT.md 4).
//!
//! Whether the certificate is good is TLS's to say; only names of good ones come here.

mod reading;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use reading::{Unreadable, names};

/// The longest name, in bytes: as long as a name in DNS or an address in mail can be.
const LONGEST: usize = 255;

/// A name that a certificate may carry, as an administrator writes it: `mx1.example.org`,
/// `alice@example.org`, `spiffe://example.org/mail`, `192.0.2.1`, or the common name of one without
/// any such.
///
/// What it is follows from its form: an IP address is one, else with a colon it is a URI, with an
/// at sign a mail address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CertificateName(String);

/// A text that no certificate is to be known by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is no name of a certificate: write what its subject alternative name says \
     (mx1.example.org, alice@example.org, spiffe://example.org/mail, 192.0.2.1), or its common \
     name"
)]
pub struct NotACertificateName(String);

impl CertificateName {
    /// Takes a name.
    ///
    /// # Errors
    /// It is empty, too long, has spaces around it or a control character in it.
    pub fn parse(text: &str) -> Result<Self, NotACertificateName> {
        let shaped = !text.is_empty()
            && text.len() <= LONGEST
            && text.trim() == text
            && !text.chars().any(char::is_control);
        if shaped {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotACertificateName(text.to_owned()))
        }
    }

    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is compared: names in DNS, common names and the domains of mail addresses have no
    /// regard for case; the rest of a mail address, and a URI, are what they are; an address is
    /// compared as an address.
    pub fn folded(&self) -> String {
        if let Some(address) = self.address() {
            return address.to_string();
        }
        if self.is_uri() {
            return self.0.clone();
        }
        match self.0.rsplit_once('@') {
            Some((local, domain)) => format!("{local}@{}", domain.to_ascii_lowercase()),
            None => self.0.to_lowercase(),
        }
    }

    fn address(&self) -> Option<IpAddr> {
        self.0.parse().ok()
    }

    fn is_uri(&self) -> bool {
        self.0.contains(':') && self.address().is_none()
    }

    fn is_mail(&self) -> bool {
        !self.is_uri() && self.0.contains('@')
    }
}

impl fmt::Display for CertificateName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for CertificateName {
    type Err = NotACertificateName;

    fn from_str(text: &str) -> Result<Self, NotACertificateName> {
        Self::parse(text)
    }
}

impl TryFrom<String> for CertificateName {
    type Error = NotACertificateName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<CertificateName> for String {
    fn from(name: CertificateName) -> Self {
        name.0
    }
}

/// The names of a certificate that was verified.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CertificateNames {
    known_by: Vec<CertificateName>,
}

impl CertificateNames {
    /// Takes what the certificate says: the subject alternative names of the kinds DNS, mail, URI
    /// and IP address, and the common names of its subject. Where there is any alternative name, the common
    /// names say nothing (RFC 6125 section 6.4.4): authorities check the former.
    ///
    /// A name whose form belongs to another kind (a DNS name with an at sign) is left out: it
    /// would be taken for what the authority did not mean.
    pub fn new(alternative: &[AlternativeName<'_>], common: &[&str]) -> Self {
        let parse = |text: &str| CertificateName::parse(text).ok();
        let known_by = if alternative.is_empty() {
            common
                .iter()
                .filter_map(|text| parse(text).filter(|name| !name.is_uri() && !name.is_mail()))
                .collect()
        } else {
            alternative
                .iter()
                .filter_map(|name| match name {
                    AlternativeName::Dns(text) => parse(text).filter(|name| {
                        !name.is_uri() && !name.is_mail() && name.address().is_none()
                    }),
                    AlternativeName::Address(address) => parse(&address.to_string()),
                    AlternativeName::Mail(text) => parse(text).filter(CertificateName::is_mail),
                    AlternativeName::Uri(text) => parse(text).filter(CertificateName::is_uri),
                })
                .collect()
        };
        Self { known_by }
    }

    /// Whether the certificate is known by this name.
    pub fn includes(&self, name: &CertificateName) -> bool {
        let folded = name.folded();
        self.known_by.iter().any(|own| own.folded() == folded)
    }

    /// The names it is known by.
    pub fn iter(&self) -> std::slice::Iter<'_, CertificateName> {
        self.known_by.iter()
    }
}

impl<'a> IntoIterator for &'a CertificateNames {
    type Item = &'a CertificateName;
    type IntoIter = std::slice::Iter<'a, CertificateName>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<CertificateName> for CertificateNames {
    fn from_iter<I: IntoIterator<Item = CertificateName>>(names: I) -> Self {
        Self {
            known_by: names.into_iter().collect(),
        }
    }
}

impl fmt::Display for CertificateNames {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, name) in self.known_by.iter().enumerate() {
            if place > 0 {
                formatter.write_str(", ")?;
            }
            fmt::Display::fmt(name, formatter)?;
        }
        Ok(())
    }
}

/// A subject alternative name (RFC 5280 section 4.2.1.6) of a kind that counts here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlternativeName<'a> {
    /// `dNSName`
    Dns(&'a str),
    /// `rfc822Name`
    Mail(&'a str),
    /// `uniformResourceIdentifier`
    Uri(&'a str),
    /// `iPAddress`
    Address(IpAddr),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> CertificateName {
        CertificateName::parse(text).unwrap()
    }

    #[test]
    fn names_compare_as_their_kind_does() {
        let names = CertificateNames::new(
            &[
                AlternativeName::Dns("MX1.example.org"),
                AlternativeName::Mail("Alice@Example.ORG"),
                AlternativeName::Uri("spiffe://example.org/Mail"),
                AlternativeName::Address("2001:db8::1".parse().unwrap()),
            ],
            &["Front"],
        );
        for known in [
            "2001:DB8:0::1",
            "mx1.EXAMPLE.org",
            "Alice@example.org",
            "spiffe://example.org/Mail",
        ] {
            assert!(names.includes(&name(known)), "{known}");
        }
        for unknown in [
            "alice@example.org",
            "spiffe://example.org/mail",
            "mx2.example.org",
            "Front",
        ] {
            assert!(!names.includes(&name(unknown)), "{unknown}");
        }
    }

    #[test]
    fn a_common_name_counts_where_there_is_no_other() {
        let names = CertificateNames::new(&[], &["Mail Front", "alice@example.org", "a:b"]);
        assert!(names.includes(&name("mail front")));
        assert_eq!(names.iter().count(), 1);
        assert_eq!(names.to_string(), "Mail Front");
    }

    #[test]
    fn a_name_in_the_form_of_another_kind_is_left_out() {
        let names = CertificateNames::new(
            &[
                AlternativeName::Dns("alice@example.org"),
                AlternativeName::Dns("spiffe://example.org"),
                AlternativeName::Dns("192.0.2.1"),
                AlternativeName::Uri("2001:db8::1"),
                AlternativeName::Mail("mx1.example.org"),
                AlternativeName::Mail("mailto:alice@example.org"),
                AlternativeName::Uri("mx1.example.org"),
            ],
            &["Front"],
        );
        assert_eq!(names, CertificateNames::default());
    }

    #[test]
    fn what_no_certificate_is_known_by() {
        for text in ["", " mx1", "mx1\n", &"a".repeat(256)] {
            assert!(CertificateName::parse(text).is_err(), "{text:?}");
        }
    }
}
