//! An attempt that a relay announces before it brings it (CONTRACT.md 3.6).

use std::net::IpAddr;

use doorward_domain::id::RequestId;
use doorward_domain::name::ResourceName;
use doorward_domain::time::Now;

use crate::attempt::Claim;

/// Tells one password from another without saying which: what a relay sends of a salted and
/// truncated hash. Two passwords may share one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordMark(Vec<u8>);

impl PasswordMark {
    /// The longest mark that is looked at, in bytes: a whole SHA-512 in hexadecimal.
    pub const MAX_BYTES: usize = 128;

    /// Takes a mark as it was sent; nothing where it is too long.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() <= Self::MAX_BYTES).then(|| Self(bytes.to_vec()))
    }

    /// The mark as it was sent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// An attempt that a relay is about to bring.
#[derive(Debug, Clone)]
pub struct Announcement {
    /// The request, for the log.
    pub request: RequestId,
    /// When it arrived.
    pub received: Now,
    /// The resource the relay speaks for.
    pub resource: ResourceName,
    /// Who the client claims to be.
    pub claim: Claim,
    /// The client's own address.
    pub client: IpAddr,
    /// Its password's mark.
    pub mark: PasswordMark,
}

/// Whether an announced attempt may be brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Leave {
    /// It may.
    Given,
    /// The client has failed too often.
    Refused,
}

/// What a relay says came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conclusion {
    /// The client got in.
    Right,
    /// It did not.
    Wrong,
    /// Nothing was compared: leave was refused, or somebody was out of order.
    Uncompared,
}
