//! The controls we know (RFC 4511 section 4.1.11), and the password policy response control.
//!
//! A request's control is either known here, or ignored, or, where it is critical, the end of its
//! request.

mod paged;
mod sort;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use self::paged::{PAGED_RESULTS, PagedRequest, paged_response};
pub use self::sort::{SORT_KEYS, SORT_REQUEST, SORT_RESPONSE, Sort, SortKey, SortOutcome};
use super::decode::{Control, RequestKind};

/// The password policy control of draft-behera-ldap-password-policy, request and response.
pub const PASSWORD_POLICY: &str = "1.3.6.1.4.1.42.2.27.8.5.1";

/// Every control that the root DSE lists: those that do something.
pub const SUPPORTED: [&str; 3] = [PASSWORD_POLICY, PAGED_RESULTS, SORT_REQUEST];

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
        } else if kind == RequestKind::Search && for_searches(control) {
            // Read with the search, by [`SearchControls::read`].
        } else if control.critical && kind.has_response() {
            return Err(UnknownCritical);
        }
    }
    Ok(asked)
}

fn for_searches(control: &Control) -> bool {
    [PAGED_RESULTS, SORT_REQUEST].contains(&control.oid.as_str())
}

/// A control that is known, and not what its document defines: a sentence for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// How a client wants what it searches for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SearchControls {
    /// In pages.
    pub paged: Option<PagedRequest>,
    /// In this order.
    pub sort: Sort,
    /// Whether the order is a condition.
    pub sort_is_critical: bool,
}

impl SearchControls {
    /// Reads the controls of a search.
    ///
    /// # Errors
    /// One has a value that it cannot have, or came twice: protocolError, critical or not.
    pub fn read(controls: &[Control]) -> Result<Self, Malformed> {
        let mut read = Self::default();
        for control in controls {
            let value = control.value.as_deref();
            if control.oid == PAGED_RESULTS {
                let before = read.paged.replace(PagedRequest::read(value)?);
                if before.is_some() {
                    return Err(Malformed("the paged results control came twice"));
                }
            } else if control.oid == SORT_REQUEST {
                if read.sort != Sort::Unasked {
                    return Err(Malformed("the sort control came twice"));
                }
                read.sort = Sort::read(value)?;
                read.sort_is_critical = control.critical;
            }
        }
        Ok(read)
    }
}

/// What a password policy response says (draft-behera section 6.2). Never more than this:
/// `passwordExpired` beside a refused bind lets a user in through SSSD up to 2.9.0, and
/// `accountLocked` tells a stranger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordPolicy {
    /// Nothing applies.
    Nothing,
    /// The password expires in so long.
    ExpiresIn(Duration),
    /// The password must be changed before anything else.
    ChangeAfterReset,
    /// The password was not changed.
    NotChanged(PasswordPolicyError),
}

/// Why a password was not changed, by its number in draft-behera section 6.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordPolicyError {
    /// This user does not change this password.
    PasswordModNotAllowed = 3,
    /// The old password is wanted with the new one.
    MustSupplyOldPassword = 4,
    /// The new password is too easy.
    InsufficientPasswordQuality = 5,
    /// The new password is too short.
    PasswordTooShort = 6,
    /// The password was changed too recently.
    PasswordTooYoung = 7,
    /// The new password was used before.
    PasswordInHistory = 8,
    /// The new password is too long.
    PasswordTooLong = 9,
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
            Self::NotChanged(error) => element(0x81, &[error as u8]),
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
