//! Bytes to requests (RFC 4511 sections 4 and 5), every byte of them hostile.
//!
//! A message is refused by its length before its body is buffered, then walked once for nesting,
//! depth and number of elements, and only then read. Values stay bytes wherever RFC 4511 has
//! bytes: a password or an assertion in Latin-1 is a request like any other. Nothing here
//! answers, logs, or knows whether anybody is bound.

pub(crate) mod ber;
mod error;
mod framing;
mod message;
#[cfg(test)]
mod tests;

use std::fmt;
use std::num::NonZeroU32;

pub use error::{Answer, DecodeError, Reason};
pub use framing::{Incoming, MessageDecoder};
pub use message::{decode, frame_bytes};

use super::dn::{DistinguishedName, DnError};
use super::filter::Filter;
use doorward_domain::secret::Secret;

/// The largest message id (RFC 4511 section 4.1.1.1).
const MAX_INT: i64 = 0x7fff_ffff;

/// A message id: 0 to 2^31-1 (RFC 4511 section 4.1.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(i32);

impl MessageId {
    /// The id of what no request asked for (RFC 4511 section 4.4).
    pub const UNSOLICITED: Self = Self(0);

    /// An id, if the number can be one.
    pub fn new(number: i64) -> Option<Self> {
        i32::try_from(number)
            .ok()
            .filter(|number| *number >= 0)
            .map(Self)
    }

    /// The number.
    pub const fn get(self) -> i32 {
        self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// One request as a client sent it.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its id, never zero.
    pub id: MessageId,
    /// What it asks.
    pub operation: Operation,
    /// Its controls, in order, known or not.
    pub controls: Vec<Control>,
}

/// A control (RFC 4511 section 4.1.11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// Which control.
    pub oid: String,
    /// Whether the operation must fail where the control is not known.
    pub critical: bool,
    /// Its value as it came, undecoded.
    pub value: Option<Vec<u8>>,
}

/// A name as it came: not yet a DN, perhaps not even UTF-8.
///
/// Kept so that a search can answer invalidDNSyntax and a bind invalidCredentials.
#[derive(Clone, PartialEq, Eq)]
pub struct UnparsedDn(Vec<u8>);

impl UnparsedDn {
    /// Takes the bytes as they came.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// Whether no name was sent.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes as they came.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads the name.
    ///
    /// # Errors
    /// Says why it is no DN; text that is not UTF-8 is none.
    pub fn parse(&self) -> Result<DistinguishedName, DnError> {
        DistinguishedName::parse_bytes(&self.0)
    }
}

impl fmt::Debug for UnparsedDn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

/// What a request asks.
#[derive(Debug, Clone)]
pub enum Operation {
    /// Authenticate (RFC 4511 section 4.2).
    Bind(Bind),
    /// End the connection (section 4.3).
    Unbind,
    /// Read entries (section 4.5).
    Search(Search),
    /// Change an entry (section 4.6).
    Modify(Modify),
    /// Add an entry (section 4.7); recognised so that it can be refused.
    Add {
        /// The new entry.
        target: UnparsedDn,
    },
    /// Delete an entry (section 4.8); recognised so that it can be refused.
    Delete {
        /// The entry.
        target: UnparsedDn,
    },
    /// Rename or move an entry (section 4.9); recognised so that it can be refused.
    ModifyDn {
        /// The entry, by its present name.
        target: UnparsedDn,
    },
    /// Compare one attribute with one value (section 4.10).
    Compare(Compare),
    /// Stop working on an earlier request (section 4.11).
    Abandon(MessageId),
    /// An extended operation (section 4.12).
    Extended(Extended),
}

impl Operation {
    /// Which operation it is.
    pub const fn kind(&self) -> RequestKind {
        match self {
            Self::Bind(_) => RequestKind::Bind,
            Self::Unbind => RequestKind::Unbind,
            Self::Search(_) => RequestKind::Search,
            Self::Modify(_) => RequestKind::Modify,
            Self::Add { .. } => RequestKind::Add,
            Self::Delete { .. } => RequestKind::Delete,
            Self::ModifyDn { .. } => RequestKind::ModifyDn,
            Self::Compare(_) => RequestKind::Compare,
            Self::Abandon(_) => RequestKind::Abandon,
            Self::Extended(_) => RequestKind::Extended,
        }
    }
}

/// The kinds of request of RFC 4511.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// Section 4.2.
    Bind,
    /// Section 4.3; has no response.
    Unbind,
    /// Section 4.5.
    Search,
    /// Section 4.6.
    Modify,
    /// Section 4.7.
    Add,
    /// Section 4.8.
    Delete,
    /// Section 4.9.
    ModifyDn,
    /// Section 4.10.
    Compare,
    /// Section 4.11; has no response.
    Abandon,
    /// Section 4.12.
    Extended,
}

impl RequestKind {
    /// Whether the request is answered at all.
    pub const fn has_response(self) -> bool {
        !matches!(self, Self::Unbind | Self::Abandon)
    }

    /// The kind as the value of a metric's label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::Unbind => "unbind",
            Self::Search => "search",
            Self::Modify => "modify",
            Self::Add => "add",
            Self::Delete => "delete",
            Self::ModifyDn => "modify_dn",
            Self::Compare => "compare",
            Self::Abandon => "abandon",
            Self::Extended => "extended",
        }
    }
}

/// A bind request (RFC 4511 section 4.2).
#[derive(Debug, Clone)]
pub struct Bind {
    /// The protocol version asked for, 1 to 127; only 3 is LDAP as we know it.
    pub version: u8,
    /// Who the client says it is.
    pub name: UnparsedDn,
    /// What it brings to prove it.
    pub authentication: Authentication,
}

/// What a bind request brings.
#[derive(Debug, Clone)]
pub enum Authentication {
    /// A password, as bytes; empty for an anonymous or unauthenticated bind.
    Simple(Secret),
    /// A SASL mechanism's step.
    Sasl {
        /// The mechanism's name.
        mechanism: String,
        /// Its credentials; absent and empty differ (RFC 4513 section 5.2).
        credentials: Option<Secret>,
    },
    /// A choice that RFC 4511 does not define: authMethodNotSupported is the answer.
    Unknown,
}

/// How far below the base a search looks (RFC 4511 section 4.5.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The base alone.
    Base,
    /// What stands directly below the base.
    OneLevel,
    /// The base and all below it.
    Subtree,
}

/// When aliases are followed (RFC 4511 section 4.5.1.3). We hold none, so it never matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deref {
    /// Never.
    Never,
    /// Below the base.
    InSearching,
    /// In finding the base.
    FindingBase,
    /// Both.
    Always,
}

/// A search request (RFC 4511 section 4.5.1).
#[derive(Debug, Clone)]
pub struct Search {
    /// Where to start.
    pub base: UnparsedDn,
    /// How far to look.
    pub scope: Scope,
    /// When to follow aliases.
    pub deref: Deref,
    /// The most entries the client wants; `None` for no limit of its own.
    pub size_limit: Option<NonZeroU32>,
    /// The most seconds the client waits; `None` for no limit of its own.
    pub time_limit: Option<NonZeroU32>,
    /// Whether to leave the values out.
    pub types_only: bool,
    /// Which entries.
    pub filter: Filter,
    /// Which attributes of them, as they came; see [`crate::attribute::Selection`].
    pub attributes: Vec<String>,
}

/// A compare request (RFC 4511 section 4.10).
#[derive(Clone)]
pub struct Compare {
    /// The entry.
    pub entry: UnparsedDn,
    /// The attribute's description.
    pub attribute: String,
    /// The assertion value; may be a password, so `Debug` leaves it out.
    pub value: Vec<u8>,
}

impl fmt::Debug for Compare {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Compare")
            .field("entry", &self.entry)
            .field("attribute", &self.attribute)
            .finish_non_exhaustive()
    }
}

/// A modify request (RFC 4511 section 4.6).
#[derive(Debug, Clone)]
pub struct Modify {
    /// The entry.
    pub target: UnparsedDn,
    /// What is to be changed, in order.
    pub changes: Vec<ModifyChange>,
}

/// One change of a modify request.
#[derive(Debug, Clone)]
pub struct ModifyChange {
    /// How.
    pub kind: ChangeKind,
    /// The attribute's description.
    pub attribute: String,
    /// The values; any may be a password.
    pub values: Vec<Secret>,
}

/// How a modify request changes an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// Adds values.
    Add,
    /// Deletes values, or all.
    Delete,
    /// Puts values in the place of all.
    Replace,
    /// A kind that RFC 4511 does not define, such as increment (RFC 4525).
    Other,
}

/// An extended request (RFC 4511 section 4.12).
#[derive(Debug, Clone)]
pub struct Extended {
    /// Which operation.
    pub oid: String,
    /// Its value, undecoded; a password change carries passwords here.
    pub value: Option<Secret>,
}
