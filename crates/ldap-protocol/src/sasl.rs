//! SASL messages (RFC 4422): what a client says within the mechanisms that are known here.
//!
//! Pure: it reads bytes. Whether a mechanism is offered, and whom its names stand for, is
//! [`super::bind`]'s to know.

use doorward_domain::secret::Secret;

/// The longest name in a message of PLAIN (RFC 4616 section 2 asks for 255 octets at least).
pub const LONGEST_NAME: usize = 1024;

/// A mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// Whoever a lower layer has established (RFC 4422 appendix A).
    External,
    /// A name and a password (RFC 4616).
    Plain,
}

impl Mechanism {
    /// The mechanism of this name. Names are in capitals (RFC 4422 section 3.1).
    pub fn named(name: &str) -> Option<Self> {
        [Self::External, Self::Plain]
            .into_iter()
            .find(|mechanism| mechanism.name() == name)
    }

    /// Its registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::External => "EXTERNAL",
            Self::Plain => "PLAIN",
        }
    }
}

/// Bytes that are no message of their mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a message of this mechanism")]
pub struct Malformed;

/// A message of PLAIN.
#[derive(Debug, Clone)]
pub struct Plain {
    /// Who the client wants to act as; nobody else than [`Self::authentication`] where empty.
    pub authorization: String,
    /// Whose password this is.
    pub authentication: String,
    /// The password, as it came.
    pub password: Secret,
}

impl Plain {
    /// Reads `[authzid] NUL authcid NUL passwd` (RFC 4616 section 2). No part but the first may
    /// be empty, and there is no third NUL.
    ///
    /// # Errors
    /// It is none.
    pub fn read(message: &[u8]) -> Result<Self, Malformed> {
        let mut parts = message.split(|byte| *byte == 0);
        let (Some(authorization), Some(authentication), Some(password), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Malformed);
        };
        if authentication.is_empty() || password.is_empty() {
            return Err(Malformed);
        }
        Ok(Self {
            authorization: name(authorization)?,
            authentication: name(authentication)?,
            password: Secret::new(password.to_vec()),
        })
    }
}

/// A name in UTF-8 that is not too long.
fn name(bytes: &[u8]) -> Result<String, Malformed> {
    if bytes.len() > LONGEST_NAME {
        return Err(Malformed);
    }
    std::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|_| Malformed)
}

/// Reads the authorization identity that a message of EXTERNAL consists of; empty for whoever
/// the lower layer established (RFC 4422 appendix A.1).
///
/// # Errors
/// It is none.
pub fn external(message: &[u8]) -> Result<String, Malformed> {
    if message.contains(&0) {
        return Err(Malformed);
    }
    name(message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn write(authorization: &str, authentication: &str, password: &[u8]) -> Vec<u8> {
        let mut message = format!("{authorization}\0{authentication}\0").into_bytes();
        message.extend(password);
        message
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            authorization in "[^\0]{0,40}",
            authentication in "[^\0]{1,40}",
            password in proptest::collection::vec(1_u8.., 1..64),
        ) {
            let message = write(&authorization, &authentication, &password);
            let read = Plain::read(&message).unwrap();
            prop_assert_eq!(read.authorization, authorization);
            prop_assert_eq!(read.authentication, authentication);
            prop_assert_eq!(read.password.expose(), &password[..]);
        }

        #[test]
        fn any_bytes_are_read_or_refused(
            message in proptest::collection::vec(prop_oneof![Just(0_u8), any::<u8>()], 0..80),
        ) {
            if let Ok(read) = Plain::read(&message) {
                let again = write(&read.authorization, &read.authentication, read.password.expose());
                prop_assert_eq!(again, message.clone());
            }
            if let Ok(name) = external(&message) {
                prop_assert_eq!(name.as_bytes(), &message[..]);
            }
        }
    }

    #[test]
    fn malformed_messages_are_refused() {
        let long = write("", &"a".repeat(LONGEST_NAME + 1), b"x");
        for message in [
            &b""[..],
            b"alice",
            b"\0alice",
            b"\0alice\0",
            b"\0\0secret",
            b"\0alice\0secret\0",
            b"\0alice\0se\0cret",
            b"\0al\xffice\0secret",
            b"\xff\0alice\0secret",
            &long,
        ] {
            assert_eq!(Plain::read(message).err(), Some(Malformed), "{message:?}");
        }
    }

    #[test]
    fn a_password_need_not_be_utf8_and_is_never_shown() {
        let read = Plain::read(b"\0alice\0gr\xfcn").unwrap();
        assert_eq!(read.password.expose(), b"gr\xfcn");
        assert!(!format!("{read:?}").contains("gr"));
    }

    #[test]
    fn mechanisms_have_one_spelling() {
        assert_eq!(Mechanism::named("PLAIN"), Some(Mechanism::Plain));
        assert_eq!(Mechanism::named("EXTERNAL"), Some(Mechanism::External));
        assert_eq!(Mechanism::named("plain"), None);
        assert_eq!(Mechanism::named("GSSAPI"), None);
    }
}
