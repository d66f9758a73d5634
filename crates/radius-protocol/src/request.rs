//! What an Access-Request says, once its sender is known: who logs in, with what, from where.

use super::bypass::{self, Asked, Shown};
use super::challenges::{self, Challenged, MsChapAsked};
use super::reason::{DropReason, RejectReason};
use super::wire::{Keys, Packet, kind};
use doorward_domain::device::MacAddress;
use doorward_frontend_api::{Claim, Evidence};

/// Someone logs in with a password, or with a response to a challenge.
pub struct Login {
    /// User-Name. None, an empty one, or one that is not UTF-8 is malformed: no account has it.
    pub claim: Claim,
    /// User-Password, revealed: garbage where the client has another secret. Or a response.
    pub evidence: Evidence,
    /// What the reply must repeat, where it came by MS-CHAPv2.
    pub ms_chap: Option<MsChapAsked>,
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

/// Someone's EAP packet.
pub struct Eap {
    /// The packet, joined from its pieces; empty where the client wants us to begin.
    pub packet: Vec<u8>,
    /// The State of the challenge it answers.
    pub state: Option<Vec<u8>>,
    /// User-Name: the outer identity, which decides nothing.
    pub user_name: Vec<u8>,
    /// Framed-MTU: the longest frame on the way to the user.
    pub framed_mtu: Option<u32>,
    /// Where the user is.
    pub place: Place,
}

impl Eap {
    /// The identifier that an EAP-Failure must repeat.
    pub fn identifier(&self) -> u8 {
        identifier_of(&self.packet)
    }
}

impl std::fmt::Debug for Eap {
    /// Shows no packet and no name.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Eap")
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
    /// NAS-Port-Id, else NAS-Port: the port, by its name or its number.
    pub nas_port: Option<String>,
}

impl Place {
    /// What of the NAS the user is at, which no device can choose: by wire the port; else the access
    /// point's radio (the BSSID), since the port there is a number for each association.
    pub fn port(&self) -> Option<String> {
        match self.nas_port_type {
            Some(ETHERNET) => self.nas_port.clone(),
            _ => self.called_station.as_deref().and_then(leading_mac),
        }
    }
}

/// NAS-Port-Type of a wired port: Ethernet (RFC 2865 §5.41).
const ETHERNET: u32 = 15;

/// The MAC address that a Called-Station-Id begins with, in one spelling (RFC 3580 §3.20).
fn leading_mac(station: &str) -> Option<String> {
    [17, 14, 12]
        .into_iter()
        .filter_map(|length| station.get(..length))
        .find_map(|start| MacAddress::parse(start).ok())
        .map(|address| address.to_string())
}

/// What to do with an Access-Request.
#[derive(Debug)]
pub enum Wanted {
    /// Ask about this login.
    Login(Login),
    /// Ask about this device, which is known by its address alone.
    Device {
        /// Its address.
        address: MacAddress,
        /// Where it is.
        place: Place,
    },
    /// Go on with this conversation, or begin it.
    Eap(Eap),
    /// Reject it without asking about any account.
    Reject {
        /// Why.
        reason: RejectReason,
        /// The EAP identifier to fail, where the request carries EAP.
        eap: Option<u8>,
    },
}

/// Reads an Access-Request whose Message-Authenticator has been dealt with. Responses to challenges
/// are taken where `challenges` can be checked, devices by their address where `mab` says so.
///
/// # Errors
/// Where it must be dropped.
pub fn read(
    packet: &Packet<'_>,
    keys: &Keys,
    challenges: bool,
    mab: bool,
) -> Result<Wanted, DropReason> {
    let username = only(packet, kind::USER_NAME)?.unwrap_or_default();
    let hidden = only(packet, kind::USER_PASSWORD)?;
    let place = Place {
        called_station: only(packet, kind::CALLED_STATION_ID)?.map(text),
        calling_station: only(packet, kind::CALLING_STATION_ID)?.map(text),
        nas_identifier: packet.first(kind::NAS_IDENTIFIER).map(text),
        nas_port_type: number(packet, kind::NAS_PORT_TYPE),
        nas_port: packet
            .first(kind::NAS_PORT_ID)
            .map(text)
            .or_else(|| number(packet, kind::NAS_PORT).map(|port| port.to_string())),
    };
    let eap = eap_message(packet)?;
    let answered = challenges::read(packet, keys, username)?;
    let password = match (hidden, &eap, &answered) {
        (Some(hidden), None, Challenged::No) => {
            let revealed = keys.reveal_password(hidden, packet.authenticator());
            Some(revealed.map_err(|_| DropReason::MalformedPassword)?)
        }
        _ => None,
    };
    let alone = hidden.is_none() && eap.is_none();
    let asked = Asked {
        mab,
        service_type: number(packet, kind::SERVICE_TYPE),
        user_name: username,
        calling_station: place.calling_station.as_deref(),
        shown: match (&password, &answered) {
            (Some(password), _) if !password.is_empty() => Shown::Password(password),
            (Some(_), _) => Shown::Nothing,
            (None, Challenged::No) if alone => Shown::Nothing,
            (None, Challenged::Response { response, .. }) if alone => Shown::Response(response),
            (None, _) => Shown::Other,
        },
    };
    match bypass::device(&asked) {
        Ok(Some(address)) => return Ok(Wanted::Device { address, place }),
        Ok(None) => {}
        Err(reason) => {
            let eap = eap.as_deref().map(identifier_of);
            return Ok(Wanted::Reject { reason, eap });
        }
    }
    let login = |evidence, ms_chap, place| {
        Wanted::Login(Login {
            claim: Claim::of(username),
            evidence,
            ms_chap,
            place,
        })
    };
    if let Some(password) = password {
        return Ok(login(Evidence::password(&password), None, place));
    }
    Ok(match (hidden, eap, answered) {
        (None, Some(packet_of_eap), Challenged::No) => Wanted::Eap(Eap {
            packet: packet_of_eap,
            state: only(packet, kind::STATE)?.map(<[u8]>::to_vec),
            user_name: username.to_vec(),
            framed_mtu: number(packet, kind::FRAMED_MTU),
            place,
        }),
        (None, None, Challenged::Response { response, ms_chap }) if challenges => {
            login(Evidence::Response(response), ms_chap, place)
        }
        (None, None, _) => Wanted::Reject {
            reason: RejectReason::UnsupportedAuthentication,
            eap: None,
        },
        (_, eap, _) => Wanted::Reject {
            reason: RejectReason::AmbiguousCredentials,
            eap: eap.as_deref().map(identifier_of),
        },
    })
}

/// The identifier of an EAP-Response, which an EAP-Failure repeats (RFC 3748 §4.2). An EAP-Start is
/// empty and has none.
fn identifier_of(packet: &[u8]) -> u8 {
    match packet {
        [2, identifier, ..] => *identifier,
        _ => 0,
    }
}

/// The EAP packet, joined from its pieces, which stand one after another (RFC 3579 §3.1).
fn eap_message(packet: &Packet<'_>) -> Result<Option<Vec<u8>>, DropReason> {
    let mut joined: Option<Vec<u8>> = None;
    let mut ended = false;
    for attribute in packet.attributes() {
        match (attribute.kind == kind::EAP_MESSAGE, &mut joined) {
            (true, Some(_)) if ended => return Err(DropReason::EapMessageScattered),
            (true, joined) => joined
                .get_or_insert_default()
                .extend_from_slice(attribute.value),
            (false, Some(_)) => ended = true,
            (false, None) => {}
        }
    }
    Ok(joined)
}

fn number(packet: &Packet<'_>, kind: u8) -> Option<u32> {
    let value = packet.first(kind)?.try_into().ok()?;
    Some(u32::from_be_bytes(value))
}

/// The one value of an attribute that may stand there at most once (RFC 2865 §5.44). Taking the
/// first or the last of several would let a proxy and us read one packet as two requests.
pub(super) fn only<'a>(packet: &Packet<'a>, kind: u8) -> Result<Option<&'a [u8]>, DropReason> {
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
