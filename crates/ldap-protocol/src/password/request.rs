//! The request value of Password Modify (RFC 3062 section 2), and its writer.
//!
//! ```text
//! PasswdModifyRequestValue ::= SEQUENCE {
//!     userIdentity    [0]  OCTET STRING OPTIONAL
//!     oldPasswd       [1]  OCTET STRING OPTIONAL
//!     newPasswd       [2]  OCTET STRING OPTIONAL }
//! ```
//!
//! The bounds are the message's: the value is no longer than that, has three elements at most and
//! nests nothing. How long a password or a name may be is the business of those who take them.

use crate::decode::ber;
use crate::decode::ber::{BerError, Reader, tag};
use doorward_domain::secret::Secret;

const USER_IDENTITY: u8 = 0x80;
const OLD_PASSWORD: u8 = 0x81;
const NEW_PASSWORD: u8 = 0x82;

/// What a Password Modify request carries; absent and empty differ.
#[derive(Debug, Clone, Default)]
pub struct PasswordModify {
    /// Whose password: a DN or another name, as it came.
    pub user_identity: Option<Vec<u8>>,
    /// The present password.
    pub old_password: Option<Secret>,
    /// The password to be.
    pub new_password: Option<Secret>,
}

/// The value is no `PasswdModifyRequestValue`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value is no Password Modify request (RFC 3062)")]
pub struct NotAPasswordModify;

impl From<BerError> for NotAPasswordModify {
    fn from(_: BerError) -> Self {
        Self
    }
}

impl PasswordModify {
    /// Reads a request's value; a request without one names nothing at all.
    ///
    /// # Errors
    /// Anything but one sequence of the three components, in order, and nothing behind them: the
    /// type has no extension mark.
    pub fn from_ber(value: Option<&[u8]>) -> Result<Self, NotAPasswordModify> {
        let Some(value) = value else {
            return Ok(Self::default());
        };
        let mut outside = Reader::new(value);
        let mut inside = outside.sequence()?;
        outside.finish()?;
        let user_identity = inside.optional(USER_IDENTITY)?.map(<[u8]>::to_vec);
        let old_password = inside.optional(OLD_PASSWORD)?.map(secret);
        let new_password = inside.optional(NEW_PASSWORD)?.map(secret);
        inside.finish()?;
        Ok(Self {
            user_identity,
            old_password,
            new_password,
        })
    }

    /// Writes the value.
    pub fn to_ber(&self) -> Secret {
        let mut inside = Vec::new();
        if let Some(identity) = &self.user_identity {
            ber::write(&mut inside, USER_IDENTITY, identity);
        }
        if let Some(old) = &self.old_password {
            ber::write(&mut inside, OLD_PASSWORD, old.expose());
        }
        if let Some(new) = &self.new_password {
            ber::write(&mut inside, NEW_PASSWORD, new.expose());
        }
        let inside = Secret::new(inside);
        let mut out = Vec::with_capacity(inside.len() + 10);
        ber::write(&mut out, tag::SEQUENCE, inside.expose());
        Secret::new(out)
    }
}

fn secret(bytes: &[u8]) -> Secret {
    Secret::new(bytes.to_vec())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(request: &PasswordModify) -> [Option<Vec<u8>>; 3] {
        let bytes = |secret: &Option<Secret>| secret.as_ref().map(|one| one.expose().to_vec());
        [
            request.user_identity.clone(),
            bytes(&request.old_password),
            bytes(&request.new_password),
        ]
    }

    fn read(value: &[u8]) -> Option<[Option<Vec<u8>>; 3]> {
        PasswordModify::from_ber(Some(value))
            .ok()
            .map(|request| parts(&request))
    }

    #[test]
    fn every_component_may_be_absent_and_so_may_the_value() {
        let nothing = PasswordModify::from_ber(None).unwrap();
        assert_eq!(parts(&nothing), [None, None, None]);
        assert_eq!(read(&[0x30, 0]), Some([None, None, None]));
        assert_eq!(
            read(&[0x30, 3, 0x82, 1, b'n']),
            Some([None, None, Some(b"n".to_vec())])
        );
        let empty = Some(Vec::new());
        assert_eq!(read(&[0x30, 2, 0x81, 0]), Some([None, empty, None]));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for wrong in [
            &b""[..],
            &[0x30],
            &[0x04, 0],
            // The indefinite form, a length beyond the end, bytes behind.
            &[0x30, 0x80, 0, 0],
            &[0x30, 5, 0x82, 1, b'n'],
            &[0x30, 3, 0x82, 4, b'n'],
            &[0x30, 0, 0],
            // Out of order, twice, unknown, constructed.
            &[0x30, 6, 0x82, 1, b'n', 0x81, 1, b'o'],
            &[0x30, 6, 0x82, 1, b'n', 0x82, 1, b'm'],
            &[0x30, 3, 0x83, 1, b'x'],
            &[0x30, 3, 0xa2, 1, b'n'],
        ] {
            assert_eq!(read(wrong), None, "{wrong:02x?}");
        }
    }

    #[test]
    fn an_independent_writer_is_understood() {
        use ldap3_proto::proto::{LdapExtendedRequest, LdapPasswordModifyRequest};
        let request = LdapExtendedRequest::from(LdapPasswordModifyRequest {
            user_identity: Some("uid=alice,ou=people,dc=example,dc=org".to_owned()),
            old_password: Some("old".to_owned()),
            new_password: Some("new".to_owned()),
        });
        let [identity, old, new] = read(&request.value.unwrap()).unwrap();
        assert_eq!(identity.unwrap(), b"uid=alice,ou=people,dc=example,dc=org");
        assert_eq!(
            (old.unwrap(), new.unwrap()),
            (b"old".to_vec(), b"new".to_vec())
        );
    }

    #[test]
    fn no_password_is_shown() {
        let request = PasswordModify {
            user_identity: None,
            old_password: Some(secret(b"hunter2")),
            new_password: Some(secret(b"hunter3")),
        };
        assert!(!format!("{request:?}").contains("hunter"));
    }

    fn bytes() -> impl Strategy<Value = Option<Vec<u8>>> {
        proptest::option::of(proptest::collection::vec(any::<u8>(), 0..300))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(identity in bytes(), old in bytes(), new in bytes()) {
            let request = PasswordModify {
                user_identity: identity,
                old_password: old.map(Secret::new),
                new_password: new.map(Secret::new),
            };
            prop_assert_eq!(read(request.to_ber().expose()), Some(parts(&request)));
        }

        #[test]
        fn any_bytes_are_read_or_refused(
            value in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            if let Ok(request) = PasswordModify::from_ber(Some(&value)) {
                prop_assert_eq!(read(request.to_ber().expose()), Some(parts(&request)));
            }
        }
    }
}
