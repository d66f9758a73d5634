//! Who sent a packet: Message-Authenticator (RFC 3579 §3.2) and Response Authenticator
//! (RFC 2865 §3).

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};
use subtle::ConstantTimeEq as _;

use super::{Attribute, Authenticator, HEADER_LENGTH, Packet, kind};
use doorward_domain::secret::Secret;

/// Whether a packet proved its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It carries no Message-Authenticator.
    Absent,
    /// It carries exactly one, and it is right.
    Verified,
}

/// Why a packet's proof is not accepted. Each means a silent discard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IntegrityFault {
    /// More than one Message-Authenticator.
    #[error("more than one Message-Authenticator")]
    Repeated,
    /// A Message-Authenticator that is not 16 octets long.
    #[error("the Message-Authenticator has the wrong size")]
    Size,
    /// A Message-Authenticator computed with another secret, or over another packet.
    #[error("the Message-Authenticator is wrong")]
    Wrong,
    /// A reply that does not answer the request it is held against.
    #[error("the Response Authenticator is wrong")]
    Response,
}

/// Checks the Message-Authenticator of a request, wherever among the attributes it stands.
///
/// # Errors
/// Says what is wrong with one that is there.
pub fn check_message_authenticator(
    packet: &Packet<'_>,
    secret: &Secret,
) -> Result<Presence, IntegrityFault> {
    check_under(packet, packet.authenticator(), secret)
}

/// Checks that a reply answers the request with that authenticator, as a client must
/// (RFC 2865 §3); its Message-Authenticator too, where it has one.
///
/// # Errors
/// Says which proof failed.
pub fn check_reply(
    reply: &Packet<'_>,
    request: &Authenticator,
    secret: &Secret,
) -> Result<Presence, IntegrityFault> {
    let expected = response_authenticator(reply.bytes(), request, secret);
    if !same(&expected, reply.authenticator()) {
        return Err(IntegrityFault::Response);
    }
    check_under(reply, request, secret)
}

/// Checks an Accounting-Request, a Disconnect-Request or a CoA-Request: its Request Authenticator is
/// computed like that of a reply to zeroes (RFC 2866 §3, RFC 5176 §2.3); so is its
/// Message-Authenticator, where it has one (RFC 5176 §3.4).
///
/// # Errors
/// Says which proof failed.
pub fn check_signed(packet: &Packet<'_>, secret: &Secret) -> Result<Presence, IntegrityFault> {
    check_reply(packet, &[0; 16], secret)
}

/// The Response Authenticator of a reply: MD5 over code, identifier, length, the request's
/// authenticator, the reply's attributes and the secret (RFC 2865 §3).
pub fn response_authenticator(
    reply: &[u8],
    request: &Authenticator,
    secret: &Secret,
) -> Authenticator {
    let mut digest = Md5::new();
    digest.update(reply.get(..4).unwrap_or_default());
    digest.update(request);
    digest.update(reply.get(HEADER_LENGTH..).unwrap_or_default());
    digest.update(secret.expose());
    digest.finalize().into()
}

/// Whether an authenticator is the expected one, in the same time either way.
pub fn same(expected: &Authenticator, received: &[u8]) -> bool {
    expected.ct_eq(received).into()
}

/// HMAC-MD5 over a packet with that authenticator in its header and zeroes in place of the 16
/// octets that start at `hole`, counted from the first attribute.
pub(super) fn message_authenticator(
    packet: &[u8],
    authenticator: &Authenticator,
    hole: usize,
    secret: &Secret,
) -> Option<Authenticator> {
    let (head, attributes) = packet.split_at_checked(HEADER_LENGTH)?;
    let (before, rest) = attributes.split_at_checked(hole)?;
    let (_, after) = rest.split_at_checked(16)?;
    let mut mac = Hmac::<Md5>::new_from_slice(secret.expose()).ok()?;
    mac.update(head.get(..4)?);
    mac.update(authenticator);
    mac.update(before);
    mac.update(&[0; 16]);
    mac.update(after);
    Some(mac.finalize().into_bytes().into())
}

fn check_under(
    packet: &Packet<'_>,
    authenticator: &Authenticator,
    secret: &Secret,
) -> Result<Presence, IntegrityFault> {
    let mut found: Option<(usize, &[u8])> = None;
    let mut offset = 0;
    for Attribute { kind, value } in packet.attributes() {
        if kind == kind::MESSAGE_AUTHENTICATOR && found.replace((offset + 2, value)).is_some() {
            return Err(IntegrityFault::Repeated);
        }
        offset += 2 + value.len();
    }
    let Some((hole, value)) = found else {
        return Ok(Presence::Absent);
    };
    if value.len() != 16 {
        return Err(IntegrityFault::Size);
    }
    let expected = message_authenticator(packet.bytes(), authenticator, hole, secret);
    match expected {
        Some(expected) if same(&expected, value) => Ok(Presence::Verified),
        _ => Err(IntegrityFault::Wrong),
    }
}
