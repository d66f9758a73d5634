//! What was done and is unwise, said beside the result.

use std::fmt;

use doorward_domain::name::{GroupName, MailAddress, ResourceName, Username};

/// A result, and what is unwise about it.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done<T> {
    /// The result.
    pub value: T,
    /// What is unwise about it.
    pub warnings: Vec<Warning>,
}

/// Something that works and is unwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// Windows hosts refuse local accounts with so long a name (CONTRACT.md 8).
    LongForWindows(Username),
    /// The mail with a reset link would arrive where an expired user cannot read it
    /// (CONTRACT.md 6).
    MailClosesWithPassword {
        /// The user.
        username: Username,
        /// Its address.
        email: MailAddress,
        /// The mail system that serves it.
        resource: ResourceName,
    },
    /// No portal is configured: the link has no address.
    NoPortal,
    /// The forced change lies in the past: the password is expired at once.
    ExpiredAtOnce(Username),
    /// A resource that no device can reach.
    NoClientForDevices(ResourceName),
    /// A binding of something the configuration does not define.
    UnknownResource(ResourceName),
    /// Reply attributes for something the configuration does not define.
    UnknownReplyResource(ResourceName),
    /// Two groups of one priority map different values of one reply attribute to one user.
    ReplyClash {
        /// The attribute.
        attribute: String,
        /// The groups.
        groups: [GroupName; 2],
        /// A user who is in both.
        user: Username,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LongForWindows(username) => write!(
                formatter,
                "'{username}' is longer than {} characters: Windows hosts refuse such a local \
                 account",
                Username::WINDOWS_MAX
            ),
            Self::MailClosesWithPassword {
                username,
                email,
                resource,
            } => write!(
                formatter,
                "'{username}' has no recovery address, and mail to {email} is read through \
                 '{resource}': once the password has expired a reset link could not be read \
                 (set recovery_email)"
            ),
            Self::NoPortal => formatter.write_str(
                "no portal is configured ([web] public_url): put the portal's address before the \
                 link",
            ),
            Self::ExpiredAtOnce(username) => {
                write!(
                    formatter,
                    "the password of '{username}' is expired from now on"
                )
            }
            Self::NoClientForDevices(resource) => write!(
                formatter,
                "no RADIUS client that lets devices in asks for '{resource}' (set mab = true in \
                 its [[radius.client]])"
            ),
            Self::UnknownReplyResource(resource) => write!(
                formatter,
                "the configuration defines no resource '{resource}': the reply attributes mapped for \
                 it go out nowhere"
            ),
            Self::ReplyClash {
                attribute,
                groups: [one, other],
                user,
            } => write!(
                formatter,
                "'{user}' is in '{one}' and in '{other}', which map different values of \
                 {attribute} at one priority: the group whose name comes first holds (give one of \
                 them another --priority)"
            ),
            Self::UnknownResource(resource) => write!(
                formatter,
                "the configuration defines no resource '{resource}': the binding opens nothing"
            ),
        }
    }
}
