//! The controls we know (RFC 4511 section 4.1.11), and the password policy response control.
//!
//! A request's control is either known here, or ignored, or, where it is critical, the end of its
//! request.

use std::time::Duration;

use super::decode::{Control, RequestKind};

/// The password policy control of draft-behera-ldap-password-policy, request and response.
pub const PASSWORD_POLICY: &str = "1.3.6.1.4.1.42.2.27.8.5.1";

/// Every control that the root DSE lists: those that do something.
pub const SUPPORTED: [&str; 1] = [PASSWORD_POLICY];

/// What a request's controls ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// Password policy in the answer.
    pub password_policy: bool,
}

/// A critical control that is not known: the request must fail (RFC 4511 section 4.1.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a critical control is not known")]
pub struct UnknownCritical;

/// Reads the controls of a request.
///
/// # Errors
/// A critical one is not known, and the request is of a kind that has an answer; the criticality
/// of controls on the others is ignored.
pub fn read(kind: RequestKind, controls: &[Control]) -> Result<Asked, UnknownCritical> {
    let mut asked = Asked::default();
    for control in controls {
        if control.oid == PASSWORD_POLICY {
            asked.password_policy = true;
        } else if control.critical && kind.has_response() {
            return Err(UnknownCritical);
        }
    }
    Ok(asked)
}

/// What a bind's password policy response says (draft-behera section 6.2). Never more than
/// this: `passwordExpired` beside a refusal lets a user in through SSSD up to 2.9.0, and
/// `accountLocked` tells a stranger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordPolicy {
    /// Nothing applies.
    Nothing,
    /// The password expires in so long.
    ExpiresIn(Duration),
    /// The password must be changed before anything else.
    ChangeAfterReset,
}

impl PasswordPolicy {
    /// What a user who got in is told: a warning where there is one.
    pub fn of_granted(expires_in: Option<Duration>) -> Self {
        expires_in.map_or(Self::Nothing, Self::ExpiresIn)
    }

    /// The response control, its value in BER.
    pub fn control(self) -> Control {
        let inside = match self {
            Self::Nothing => Vec::new(),
            // warning [0] { timeBeforeExpiration [0] }: a CHOICE, hence the explicit tag.
            Self::ExpiresIn(span) => {
                let seconds = integer(span.as_secs());
                let warning = element(0x80, &seconds);
                element(0xa0, &warning)
            }
            // error [1]: changeAfterReset (2).
            Self::ChangeAfterReset => element(0x81, &[2]),
        };
        Control {
            oid: PASSWORD_POLICY.to_owned(),
            critical: false,
            value: Some(element(0x30, &inside)),
        }
    }
}

/// One BER element; the contents here are all shorter than 128 bytes.
fn element(identifier: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap_or(0);
    let mut out = Vec::with_capacity(content.len() + 2);
    out.push(identifier);
    out.push(length);
    out.extend_from_slice(content);
    out
}

/// The content of an `INTEGER (0 .. maxInt)`, in the fewest bytes.
fn integer(number: u64) -> Vec<u8> {
    let number = i32::try_from(number).unwrap_or(i32::MAX);
    let bytes = number.to_be_bytes();
    let mut rest: &[u8] = &bytes;
    // A leading zero goes unless the next byte would then read as negative.
    while let [0, next, ..] = rest {
        if *next >= 0x80 {
            break;
        }
        rest = rest.split_first().map_or(rest, |(_, after)| after);
    }
    rest.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(oid: &str, critical: bool) -> Control {
        Control {
            oid: oid.to_owned(),
            critical,
            value: None,
        }
    }

    #[test]
    fn a_critical_unknown_control_fails_what_has_an_answer() {
        let unknown = [control("1.2.3.4", true)];
        assert_eq!(read(RequestKind::Search, &unknown), Err(UnknownCritical));
        assert_eq!(read(RequestKind::Abandon, &unknown), Ok(Asked::default()));
        assert_eq!(read(RequestKind::Unbind, &unknown), Ok(Asked::default()));
        let ignored = [control("1.2.3.4", false)];
        assert_eq!(read(RequestKind::Search, &ignored), Ok(Asked::default()));
        let known = [control("1.2.3.4", false), control(PASSWORD_POLICY, true)];
        assert_eq!(
            read(RequestKind::Bind, &known),
            Ok(Asked {
                password_policy: true
            })
        );
    }

    #[test]
    fn the_password_policy_response_has_the_bytes_clients_read() {
        let value = |policy: PasswordPolicy| policy.control().value.unwrap();
        assert_eq!(value(PasswordPolicy::Nothing), [0x30, 0]);
        assert_eq!(
            value(PasswordPolicy::ChangeAfterReset),
            [0x30, 3, 0x81, 1, 2]
        );
        assert_eq!(
            value(PasswordPolicy::ExpiresIn(Duration::from_hours(24))),
            [0x30, 7, 0xa0, 5, 0x80, 3, 1, 0x51, 0x80]
        );
        assert_eq!(PasswordPolicy::of_granted(None), PasswordPolicy::Nothing);
        let day = Duration::from_hours(24);
        assert_eq!(
            PasswordPolicy::of_granted(Some(day)),
            PasswordPolicy::ExpiresIn(day)
        );
        let seconds = |count| value(PasswordPolicy::ExpiresIn(Duration::from_secs(count)));
        assert_eq!(seconds(0), [0x30, 5, 0xa0, 3, 0x80, 1, 0]);
        assert_eq!(seconds(127), [0x30, 5, 0xa0, 3, 0x80, 1, 0x7f]);
        assert_eq!(seconds(128), [0x30, 6, 0xa0, 4, 0x80, 2, 0, 0x80]);
        assert_eq!(
            seconds(u64::MAX),
            [0x30, 8, 0xa0, 6, 0x80, 4, 0x7f, 0xff, 0xff, 0xff]
        );
    }
}
