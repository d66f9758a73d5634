//! Reply attributes as octets (RFC 2865, RFC 2868, RFC 3580), and as many of them as a packet has
//! room for. Knows nothing of where they come from.

#[cfg(test)]
mod tests;

use super::wire::{Draft, HEADER_LENGTH, MAX_LENGTH, MAX_VALUE, Oversized, kind};
use doorward_domain::reply::{ReplyAttribute, ReplyAttributes};

/// A VLAN (RFC 3580 §3.31).
const TUNNEL_TYPE_VLAN: u32 = 13;
/// Every kind of IEEE 802 medium (RFC 2868 §3.2).
const TUNNEL_MEDIUM_IEEE_802: u32 = 6;
/// The client sends an Access-Request when the time is over (RFC 2865 §5.29).
const TERMINATION_ACTION_RADIUS_REQUEST: u32 = 1;

/// How many octets of an Access-Accept are left for reply attributes at least, Proxy-States apart:
/// beside the header, the Message-Authenticator, an EAP-Success, two keys, the longest User-Name and
/// the longest Class of ours.
pub const ROOM: usize = MAX_LENGTH - HEADER_LENGTH - 18 - 6 - 2 * 58 - 32 - 101;

/// What the client is to do at the end of Session-Timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtTimeout {
    /// End the session, which is what no Termination-Action says: a VPN, a dial-up.
    End,
    /// Authenticate again and go on meanwhile: a port or an access point (RFC 3580 §3.17).
    Reauthenticate,
}

/// One attribute of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Its number.
    pub kind: u8,
    /// Its value.
    pub value: Vec<u8>,
}

impl Encoded {
    fn new(kind: u8, value: &[u8]) -> Self {
        Self {
            kind,
            value: value.to_vec(),
        }
    }

    /// Its octets in a packet, its header included.
    pub fn length(&self) -> usize {
        2 + self.value.len()
    }
}

/// An integer with a tag before it, in four octets (RFC 2868 §3.1). Integers past three octets do
/// not exist there.
pub fn tagged_integer(tag: u8, value: u32) -> [u8; 4] {
    let [_, high, middle, low] = value.to_be_bytes();
    [tag, high, middle, low]
}

/// The attributes of a packet that one reply attribute is: all of them say something, or none.
pub fn encode(attribute: &ReplyAttribute, at_timeout: AtTimeout) -> Vec<Encoded> {
    match attribute {
        // Tag 0 throughout, for there is no other tunnel to choose from (RFC 3580 §3.31); a text
        // has no octet for it then (RFC 2868 §3.6).
        ReplyAttribute::Vlan(vlan) => vec![
            Encoded::new(kind::TUNNEL_TYPE, &tagged_integer(0, TUNNEL_TYPE_VLAN)),
            Encoded::new(
                kind::TUNNEL_MEDIUM_TYPE,
                &tagged_integer(0, TUNNEL_MEDIUM_IEEE_802),
            ),
            Encoded::new(kind::TUNNEL_PRIVATE_GROUP_ID, vlan.as_str().as_bytes()),
        ],
        ReplyAttribute::SessionTimeout(timeout) => {
            let seconds = timeout.seconds().to_be_bytes();
            let mut both = vec![Encoded::new(kind::SESSION_TIMEOUT, &seconds)];
            if at_timeout == AtTimeout::Reauthenticate {
                let action = TERMINATION_ACTION_RADIUS_REQUEST.to_be_bytes();
                both.push(Encoded::new(kind::TERMINATION_ACTION, &action));
            }
            both
        }
        ReplyAttribute::FilterId(filter) => {
            vec![Encoded::new(kind::FILTER_ID, filter.as_str().as_bytes())]
        }
        ReplyAttribute::Class(class) => {
            vec![Encoded::new(kind::CLASS, class.as_str().as_bytes())]
        }
        ReplyAttribute::Other(other) => {
            let resolved = other.resolved();
            vec![Encoded::new(resolved.kind, &resolved.octets)]
        }
    }
}

/// What a packet carries of some reply attributes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fitted<'a> {
    /// What it carries, in order.
    pub carried: Vec<(&'a ReplyAttribute, Vec<Encoded>)>,
    /// What it has no room for.
    pub left_out: Vec<&'a ReplyAttribute>,
}

/// Chooses what fits into so many octets: from the first on, up to the first that does not.
pub fn fit(attributes: &ReplyAttributes, at_timeout: AtTimeout, room: usize) -> Fitted<'_> {
    let says_action = attributes.iter().any(|attribute| {
        matches!(attribute, ReplyAttribute::Other(other)
            if other.resolved().kind == kind::TERMINATION_ACTION)
    });
    // What was said of it by hand holds.
    let at_timeout = if says_action {
        AtTimeout::End
    } else {
        at_timeout
    };
    let mut fitted = Fitted::default();
    let mut room = room;
    for attribute in attributes {
        let encoded = encode(attribute, at_timeout);
        let length: usize = encoded.iter().map(Encoded::length).sum();
        match room.checked_sub(length) {
            Some(rest) if fitted.left_out.is_empty() => {
                room = rest;
                fitted.carried.push((attribute, encoded));
            }
            _ => fitted.left_out.push(attribute),
        }
    }
    fitted
}

/// Appends what fits beside so many octets that are still to come, and gives back what does not.
///
/// # Errors
/// Never: what is appended fits.
pub fn push_attributes<'a>(
    draft: &mut Draft,
    attributes: &'a ReplyAttributes,
    at_timeout: AtTimeout,
    to_come: usize,
) -> Result<Vec<&'a ReplyAttribute>, Oversized> {
    let room = MAX_LENGTH.saturating_sub(draft.length() + to_come);
    let fitted = fit(attributes, at_timeout, room);
    for encoded in fitted.carried.iter().flat_map(|(_, encoded)| encoded) {
        debug_assert!(
            encoded.value.len() <= MAX_VALUE,
            "checked where it was made"
        );
        draft.push(encoded.kind, &encoded.value)?;
    }
    Ok(fitted.left_out)
}
