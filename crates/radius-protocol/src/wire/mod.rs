//! RADIUS octets: parsing, checking and sealing packets (RFC 2865, 2869, 3579, 5997).
//!
//! Works on raw buffers, since a Message-Authenticator covers the packet exactly as it was sent.
//! Codes and attribute numbers come from the `radius` crate. Must not know sockets, clocks, clients
//! or accounts.

mod chap;
mod frame;
mod integrity;
mod keys;
mod mppe;
mod password;
mod seal;
#[cfg(test)]
mod tests;
pub mod vendor;

pub use chap::chap_response;
pub use frame::next_packet;
pub use integrity::{
    IntegrityFault, Presence, check_message_authenticator, check_reply, check_signed,
    response_authenticator, same,
};
pub use keys::{Keys, Token, token};
pub use mppe::{MICROSOFT, MppeKey, mppe_key, reveal_mppe_key};
pub use password::{MAX_HIDDEN_PASSWORD, MalformedPassword, hide_password, reveal_password};
pub use radius::core::code::Code;
pub use seal::{Draft, Oversized, ProxyStates};

/// Attribute numbers, by their registered names.
pub mod kind {
    pub use radius::core::rfc2865::{
        CALLED_STATION_ID_TYPE as CALLED_STATION_ID, CALLING_STATION_ID_TYPE as CALLING_STATION_ID,
        CHAP_CHALLENGE_TYPE as CHAP_CHALLENGE, CHAP_PASSWORD_TYPE as CHAP_PASSWORD,
        CLASS_TYPE as CLASS, FILTER_ID_TYPE as FILTER_ID,
        FRAMED_IP_ADDRESS_TYPE as FRAMED_IP_ADDRESS, FRAMED_MTU_TYPE as FRAMED_MTU,
        NAS_IDENTIFIER_TYPE as NAS_IDENTIFIER, NAS_IP_ADDRESS_TYPE as NAS_IP_ADDRESS,
        NAS_PORT_TYPE as NAS_PORT, NAS_PORT_TYPE_TYPE as NAS_PORT_TYPE,
        PROXY_STATE_TYPE as PROXY_STATE, SERVICE_TYPE_TYPE as SERVICE_TYPE,
        SESSION_TIMEOUT_TYPE as SESSION_TIMEOUT, STATE_TYPE as STATE,
        TERMINATION_ACTION_TYPE as TERMINATION_ACTION, USER_NAME_TYPE as USER_NAME,
        USER_PASSWORD_TYPE as USER_PASSWORD, VENDOR_SPECIFIC_TYPE as VENDOR_SPECIFIC,
    };
    pub use radius::core::rfc2866::{
        ACCT_DELAY_TIME_TYPE as ACCT_DELAY_TIME, ACCT_INPUT_OCTETS_TYPE as ACCT_INPUT_OCTETS,
        ACCT_INPUT_PACKETS_TYPE as ACCT_INPUT_PACKETS,
        ACCT_OUTPUT_OCTETS_TYPE as ACCT_OUTPUT_OCTETS,
        ACCT_OUTPUT_PACKETS_TYPE as ACCT_OUTPUT_PACKETS, ACCT_SESSION_ID_TYPE as ACCT_SESSION_ID,
        ACCT_SESSION_TIME_TYPE as ACCT_SESSION_TIME, ACCT_STATUS_TYPE_TYPE as ACCT_STATUS_TYPE,
        ACCT_TERMINATE_CAUSE_TYPE as ACCT_TERMINATE_CAUSE,
    };
    pub use radius::core::rfc2868::{
        TUNNEL_MEDIUM_TYPE_TYPE as TUNNEL_MEDIUM_TYPE,
        TUNNEL_PRIVATE_GROUP_ID_TYPE as TUNNEL_PRIVATE_GROUP_ID, TUNNEL_TYPE_TYPE as TUNNEL_TYPE,
    };
    pub use radius::core::rfc2869::{
        ACCT_INPUT_GIGAWORDS_TYPE as ACCT_INPUT_GIGAWORDS,
        ACCT_OUTPUT_GIGAWORDS_TYPE as ACCT_OUTPUT_GIGAWORDS, EAP_MESSAGE_TYPE as EAP_MESSAGE,
        EVENT_TIMESTAMP_TYPE as EVENT_TIMESTAMP,
        MESSAGE_AUTHENTICATOR_TYPE as MESSAGE_AUTHENTICATOR, NAS_PORT_ID_TYPE as NAS_PORT_ID,
    };
    pub use radius::core::rfc3162::NAS_IPV6_ADDRESS_TYPE as NAS_IPV6_ADDRESS;
    pub use radius::core::rfc3576::ERROR_CAUSE_TYPE as ERROR_CAUSE;
    pub use radius::core::rfc6911::FRAMED_IPV6_ADDRESS_TYPE as FRAMED_IPV6_ADDRESS;
}

/// Octets before the first attribute: code, identifier, length, authenticator.
pub const HEADER_LENGTH: usize = 20;
/// The longest packet, in octets (RFC 2865 §3).
pub const MAX_LENGTH: usize = 4096;
/// The most attributes a packet may carry. No RFC bounds it; an honest packet has a few dozen.
pub const MAX_ATTRIBUTES: usize = 200;
/// The longest value of one attribute, in octets (RFC 2865 §5).
pub const MAX_VALUE: usize = 253;

/// A Request or Response Authenticator.
pub type Authenticator = [u8; 16];

/// Why octets are no RADIUS packet. Each means a silent discard (RFC 2865 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Fewer octets than a header has.
    #[error("shorter than a RADIUS header")]
    Short,
    /// The Length field is below 20 or above 4096.
    #[error("the Length field is out of range")]
    Length,
    /// The datagram ends before the Length field says.
    #[error("the datagram is shorter than its Length field")]
    Truncated,
    /// An attribute's length is below 2, or reaches past the packet.
    #[error("an attribute has an impossible length")]
    Attribute,
    /// More than [`MAX_ATTRIBUTES`] attributes.
    #[error("too many attributes")]
    TooMany,
}

/// One attribute of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// The attribute's number; the unknown ones too.
    pub kind: u8,
    /// Its value, 0 to 253 octets.
    pub value: &'a [u8],
}

/// A packet whose header and attribute lengths have been checked, borrowed from a datagram.
#[derive(Clone, Copy)]
pub struct Packet<'a> {
    bytes: &'a [u8],
    code: u8,
    identifier: u8,
    authenticator: &'a Authenticator,
    attributes: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a datagram. Octets past the Length field are padding and ignored (RFC 2865 §3).
    ///
    /// # Errors
    /// Names the rule that the datagram breaks.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, Malformed> {
        let Some((header, _)) = datagram.split_first_chunk::<HEADER_LENGTH>() else {
            return Err(Malformed::Short);
        };
        let &[code, identifier, high, low, ref authenticator @ ..] = header;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if !(HEADER_LENGTH..=MAX_LENGTH).contains(&length) {
            return Err(Malformed::Length);
        }
        let bytes = datagram.get(..length).ok_or(Malformed::Truncated)?;
        let attributes = bytes.get(HEADER_LENGTH..).unwrap_or_default();

        let mut rest = attributes;
        let mut count = 0;
        while !rest.is_empty() {
            let (_, tail) = split_attribute(rest).ok_or(Malformed::Attribute)?;
            count += 1;
            if count > MAX_ATTRIBUTES {
                return Err(Malformed::TooMany);
            }
            rest = tail;
        }
        Ok(Self {
            bytes,
            code,
            identifier,
            authenticator,
            attributes,
        })
    }

    /// The packet's code, `Code::Invalid` where it is none we know.
    pub fn code(&self) -> Code {
        Code::from(self.code)
    }

    /// The identifier that a reply repeats.
    pub fn identifier(&self) -> u8 {
        self.identifier
    }

    /// The 16 octets of the authenticator field.
    pub fn authenticator(&self) -> &'a Authenticator {
        self.authenticator
    }

    /// The packet without padding: exactly as many octets as its Length field says.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Every attribute, in order.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes {
            rest: self.attributes,
        }
    }

    /// The values of every attribute of that number, in order.
    pub fn all(&self, kind: u8) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.attributes()
            .filter(move |attribute| attribute.kind == kind)
            .map(|attribute| attribute.value)
    }

    /// The value of the first attribute of that number.
    pub fn first(&self, kind: u8) -> Option<&'a [u8]> {
        self.all(kind).next()
    }

    /// Whether an attribute of that number is there.
    pub fn has(&self, kind: u8) -> bool {
        self.first(kind).is_some()
    }
}

impl std::fmt::Debug for Packet<'_> {
    /// Shows the outline only: attribute values may be personal or secret.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Packet")
            .field("code", &self.code().string())
            .field("identifier", &self.identifier)
            .field("length", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// Iterates over a packet's attributes; made by [`Packet::attributes`].
#[derive(Debug, Clone)]
pub struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let (attribute, rest) = split_attribute(self.rest)?;
        self.rest = rest;
        Some(attribute)
    }
}

/// Cuts the first attribute off; `None` where there is none or its length is impossible.
fn split_attribute(bytes: &[u8]) -> Option<(Attribute<'_>, &[u8])> {
    let (&[kind, length], rest) = bytes.split_first_chunk::<2>()?;
    let (value, rest) = rest.split_at_checked(usize::from(length).checked_sub(2)?)?;
    Some((Attribute { kind, value }, rest))
}
