//! A user's certificate: the one name in it that says whose it is, and how events tell of it.
//!
//! Whether the certificate is good is TLS's to say; only good ones come here. Whose account a name
//! means is `policy`'s.

mod reading;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use reading::read;

/// Which name in a user's certificate says whose it is. One rule holds for every certificate: were
/// several kinds looked at, whoever may have one of them certified could choose among the accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NamedBy {
    /// The `rfc822Name` among its subject alternative names, which is the account's mail address.
    Mail,
    /// The user principal name among them (an `otherName` of type 1.3.6.1.4.1.311.20.2.3):
    /// username and realm.
    Upn,
    /// The common name of its subject, which is the username.
    CommonName,
}

impl NamedBy {
    /// The name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Upn => "upn",
            Self::CommonName => "common_name",
        }
    }
}

impl fmt::Display for NamedBy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// Which certificate it was. An authority signed all of it, so it is kept as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateIdentity {
    serial: String,
    subject: String,
}

impl CertificateIdentity {
    /// How much of each is kept, in characters.
    pub const LONGEST: usize = 256;

    /// Takes the serial number's octets and the subject in words; cut where they are too long. The
    /// number's sign octet is left out, as everybody does who prints one.
    pub fn new(serial: &[u8], subject: &str) -> Self {
        use fmt::Write as _;

        let serial = match serial {
            [0, rest @ ..] if !rest.is_empty() => rest,
            all => all,
        };
        let mut shown = String::with_capacity(2 * serial.len());
        for octet in serial.iter().take(Self::LONGEST / 2) {
            // Writing to a string does not fail.
            let _ = write!(shown, "{octet:02x}");
        }
        Self {
            serial: shown,
            subject: subject.chars().take(Self::LONGEST).collect(),
        }
    }

    /// The serial number in hexadecimal, as a revocation list names it.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// Its subject, such as `CN=alice, O=Example`.
    pub fn subject(&self) -> &str {
        &self.subject
    }
}

impl fmt::Display for CertificateIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} (serial {})", self.subject, self.serial)
    }
}

/// A user's certificate that was verified, its holder having proved to have its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserCertificate {
    /// Which kind of name was looked at.
    pub named_by: NamedBy,
    /// The one name of that kind; nothing where it has none, or several.
    pub name: Option<String>,
    /// Which certificate it is.
    pub identity: CertificateIdentity,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_has_a_bound() {
        let long = "x".repeat(5000);
        let identity = CertificateIdentity::new(&[0xab; 5000], &long);
        assert_eq!(identity.serial().len(), CertificateIdentity::LONGEST);
        assert_eq!(identity.subject().len(), CertificateIdentity::LONGEST);
        let short = CertificateIdentity::new(&[0, 0xaf], "CN=alice");
        assert_eq!(short.to_string(), "CN=alice (serial af)");
        assert_eq!(CertificateIdentity::new(&[0], "").serial(), "00");
    }
}
