//! What an Access-Request says, once its sender is known: who logs in, with what, from where.

use super::reason::{DropReason, RejectReason};
use super::wire::{Packet, kind, reveal_password};
use crate::authenticator::{Claim, Evidence};
use crate::domain::secret::Secret;

/// Microsoft's enterprise number (RFC 2548).
const MICROSOFT: [u8; 4] = 311_u32.to_be_bytes();
/// MS-CHAP-Response, MS-CHAP-Challenge and MS-CHAP2-Response (RFC 2548 §2).
const MS_CHAP: [u8; 3] = [1, 11, 25];

/// Someone logs in with a password.
pub struct Login {
    /// User-Name. None, an empty one, or one that is not UTF-8 is malformed: no account has it.
    pub claim: Claim,
    /// User-Password, revealed. Garbage where the client has another secret.
    pub evidence: Evidence,
    /// Where the user is.
    pub place: Place,
}

impl std::fmt::Debug for Login {
    /// Shows neither name nor password: people type passwords into the name field.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Login")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// What the client says about where the user is; for the resource, the origin and the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// Called-Station-Id: on Wi-Fi the access point and the SSID (RFC 3580 §3.20).
    pub called_station: Option<String>,
    /// Calling-Station-Id: the user's device.
    pub calling_station: Option<String>,
    /// NAS-Identifier.
    pub nas_identifier: Option<String>,
    /// NAS-Port-Type: 19 is Wi-Fi, 15 Ethernet, 5 virtual.
    pub nas_port_type: Option<u32>,
}

/// What to do with an Access-Request.
#[derive(Debug)]
pub enum Wanted {
    /// Ask about this login.
    Login(Login),
    /// Reject it without asking about any account.
    Reject {
        /// Why.
        reason: RejectReason,
        /// The EAP identifier to fail, where the request carries EAP.
        eap: Option<u8>,
    },
}

/// Reads an Access-Request whose Message-Authenticator has been dealt with.
///
/// # Errors
/// Where it must be dropped.
pub fn read(packet: &Packet<'_>, secret: &Secret) -> Result<Wanted, DropReason> {
    let username = only(packet, kind::USER_NAME)?;
    let hidden = only(packet, kind::USER_PASSWORD)?;
    let place = Place {
        called_station: only(packet, kind::CALLED_STATION_ID)?.map(text),
        calling_station: only(packet, kind::CALLING_STATION_ID)?.map(text),
        nas_identifier: packet.first(kind::NAS_IDENTIFIER).map(text),
        nas_port_type: packet
            .first(kind::NAS_PORT_TYPE)
            .and_then(|value| value.try_into().ok())
            .map(u32::from_be_bytes),
    };
    let eap = packet.first(kind::EAP_MESSAGE).map(eap_identifier);
    let other = eap.is_some() || packet.has(kind::CHAP_PASSWORD) || has_ms_chap(packet);
    let reject = |reason| Ok(Wanted::Reject { reason, eap });
    let Some(hidden) = hidden else {
        return reject(RejectReason::UnsupportedAuthentication);
    };
    if other {
        return reject(RejectReason::AmbiguousCredentials);
    }
    let password = reveal_password(hidden, packet.authenticator(), secret)
        .map_err(|_| DropReason::MalformedPassword)?;
    Ok(Wanted::Login(Login {
        claim: claim(username.unwrap_or_default()),
        evidence: Evidence::password(&password),
        place,
    }))
}

fn claim(name: &[u8]) -> Claim {
    match std::str::from_utf8(name) {
        Ok(name) if !name.is_empty() => Claim::Typed(name.to_owned()),
        _ => Claim::Malformed(text(name)),
    }
}

/// The one value of an attribute that may stand there at most once (RFC 2865 §5.44). Taking the
/// first or the last of several would let a proxy and us read one packet as two requests.
fn only<'a>(packet: &Packet<'a>, kind: u8) -> Result<Option<&'a [u8]>, DropReason> {
    let mut values = packet.all(kind);
    let value = values.next();
    if values.next().is_some() {
        return Err(DropReason::RepeatedAttribute);
    }
    Ok(value)
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// The identifier that an EAP-Failure must repeat: the one of the EAP-Response (RFC 3748 §4.2).
/// An EAP-Start is empty and has none.
fn eap_identifier(message: &[u8]) -> u8 {
    match message {
        [2, identifier, ..] => *identifier,
        _ => 0,
    }
}

fn has_ms_chap(packet: &Packet<'_>) -> bool {
    packet.all(kind::VENDOR_SPECIFIC).any(|value| {
        value
            .strip_prefix(&MICROSOFT)
            .and_then(|rest| rest.first())
            .is_some_and(|vendor_kind| MS_CHAP.contains(vendor_kind))
    })
}
