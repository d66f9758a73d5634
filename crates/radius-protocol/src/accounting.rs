//! What an Accounting-Request says (RFC 2866), and the Class by which it says whose session it is.
//!
//! A client copies the Class of an Access-Accept into every report of that session (RFC 2865
//! §5.25). User-Name may be an outer identity that anybody can type, so ours names the account and
//! the resource under a MAC. Its key is the client's own secret: every gateway has it, and it lasts
//! over a restart. Who knows that secret can report what he likes anyway.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use uuid::Uuid;

use super::client::ClientSettings;
use super::reason::DropReason;
use super::wire::{Authenticator, Packet, kind};
use doorward_domain::device::MacAddress;
use doorward_domain::id::{AccountId, DeviceId};
use doorward_domain::name::ResourceName;
use doorward_domain::reply::OWN_CLASS;
use doorward_domain::resource::AccessContext;
use doorward_domain::session::{
    Happened, Nas, Octets, Particulars, SessionOwner, SessionReport, Usage,
};
use doorward_domain::time::{Now, Timestamp};
use doorward_frontend_api::{AdmittedDevice, Authenticated};

/// Octets of the MAC in it.
const PROOF: usize = 16;
/// Octets of the identifier of an account or a device.
const OWNER: usize = 16;
/// The longest delay believed: a client that was cut off sends what it kept.
const MAX_DELAY: Duration = Duration::from_hours(7 * 24);

/// What a client reports.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    /// Something of one session (Start, Interim-Update, Stop).
    Session(Box<OneSession>),
    /// It started or is about to stop: every session of before is over (Accounting-On,
    /// Accounting-Off).
    Restarted {
        /// Which.
        nas: Nas,
        /// When.
        at: Timestamp,
    },
}

/// A report about one session.
#[derive(Debug, Clone, PartialEq)]
pub struct OneSession {
    /// What it says.
    pub report: SessionReport,
    /// By what the resource is chosen where no Class names it.
    pub asking: AccessContext,
}

/// Whose sessions a Class speaks of. One kind's proof is none of the other's.
#[derive(Clone, Copy)]
enum Kind {
    Account,
    Device,
}

impl Kind {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Account => b"doorward class 1\0",
            Self::Device => b"doorward class 1 device\0",
        }
    }
}

/// The Class for an Access-Accept: "dw1", a MAC, the account, the resource.
pub fn class(client: &ClientSettings, proof: &Authenticated) -> Vec<u8> {
    let resource = proof.resource().map_or("", ResourceName::as_str);
    write_class(client, Kind::Account, proof.account().as_uuid(), resource)
}

/// As [`class`], for a device; nothing in it can be taken for an account.
pub fn class_of_device(client: &ClientSettings, proof: &AdmittedDevice) -> Vec<u8> {
    let resource = proof.resource().as_str();
    write_class(client, Kind::Device, proof.device().as_uuid(), resource)
}

fn write_class(client: &ClientSettings, kind: Kind, owner: Uuid, resource: &str) -> Vec<u8> {
    let owner = owner.into_bytes();
    let mut class = OWN_CLASS.as_bytes().to_vec();
    class.extend_from_slice(&proof_of(client, kind, &owner, resource));
    class.extend_from_slice(&owner);
    class.extend_from_slice(resource.as_bytes());
    class
}

/// Whose the session is and the resource that a Class of ours names; nothing where it is none, or
/// was made for another client.
pub fn read_class(
    client: &ClientSettings,
    class: &[u8],
) -> Option<(SessionOwner, Option<ResourceName>)> {
    let rest = class.strip_prefix(OWN_CLASS.as_bytes())?;
    let (proof, rest) = rest.split_first_chunk::<PROOF>()?;
    let (owner, resource) = rest.split_first_chunk::<OWNER>()?;
    let resource = std::str::from_utf8(resource).ok()?;
    let is = |kind| super::wire::same(&proof_of(client, kind, owner, resource), proof);
    let owner = Uuid::from_bytes(*owner);
    let owner = if is(Kind::Account) {
        SessionOwner::Account(AccountId::from_uuid(owner))
    } else if is(Kind::Device) {
        SessionOwner::Device(DeviceId::from_uuid(owner))
    } else {
        return None;
    };
    Some((owner, ResourceName::parse(resource).ok()))
}

fn proof_of(
    client: &ClientSettings,
    kind: Kind,
    owner: &[u8; OWNER],
    resource: &str,
) -> Authenticator {
    let mut short = [0; PROOF];
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(client.secret().expose()) else {
        return short;
    };
    mac.update(kind.label());
    mac.update(client.name().as_str().as_bytes());
    mac.update(&[0]);
    mac.update(owner);
    mac.update(resource.as_bytes());
    let whole = mac.finalize().into_bytes();
    short
        .iter_mut()
        .zip(whole)
        .for_each(|(to, from)| *to = from);
    short
}

/// Where an Accounting-Request came from.
#[derive(Debug, Clone, Copy)]
pub struct Way<'a> {
    /// The client.
    pub client: &'a Arc<ClientSettings>,
    /// Where it sends from.
    pub peer: SocketAddr,
    /// Our address that it sent to.
    pub local: SocketAddr,
    /// When it came.
    pub now: Now,
}

/// Reads an Accounting-Request whose authenticator has been verified. Nothing where there is
/// nothing to record: reports of tunnels and of kinds unknown (RFC 2867).
///
/// # Errors
/// Where it lacks what every report has (RFC 2866 §4.1), which no retransmission will mend.
pub fn read(packet: &Packet<'_>, way: &Way<'_>) -> Result<Option<Report>, DropReason> {
    let number = |kind| number(packet, kind);
    let status = number(kind::ACCT_STATUS_TYPE).ok_or(DropReason::AccountingMalformed)?;
    let delay = Duration::from_secs(number(kind::ACCT_DELAY_TIME).unwrap_or(0).into());
    let at = way.now.wall.minus(delay.min(MAX_DELAY));
    let nas_address = address(packet, kind::NAS_IP_ADDRESS, kind::NAS_IPV6_ADDRESS);
    let nas_identifier = octets(packet, kind::NAS_IDENTIFIER);
    let source = way.peer.ip().to_canonical();
    let identity = nas_identifier
        .clone()
        .unwrap_or_else(|| Octets::Text(nas_address.unwrap_or(source).to_string()));
    let nas = Nas {
        client: way.client.name().clone(),
        identity,
    };
    let happened = match status {
        1 => Happened::Began,
        2 => Happened::Over,
        3 => Happened::GoesOn,
        7 | 8 => return Ok(Some(Report::Restarted { nas, at })),
        _ => return Ok(None),
    };
    let session = octets(packet, kind::ACCT_SESSION_ID)
        .filter(|session| !session.as_bytes().is_empty())
        .ok_or(DropReason::AccountingMalformed)?;
    let known = packet
        .all(kind::CLASS)
        .find_map(|class| read_class(way.client, class));
    let local = way.local.ip().to_canonical();
    let particulars = Particulars {
        user_name: octets(packet, kind::USER_NAME).unwrap_or(Octets::Text(String::new())),
        source,
        server: (!local.is_unspecified()).then_some(local),
        nas_address,
        nas_identifier,
        nas_port: number(kind::NAS_PORT),
        calling_station: octets(packet, kind::CALLING_STATION_ID),
        called_station: octets(packet, kind::CALLED_STATION_ID),
        address: address(packet, kind::FRAMED_IP_ADDRESS, kind::FRAMED_IPV6_ADDRESS),
        usage: usage(packet),
        terminate_cause: number(kind::ACCT_TERMINATE_CAUSE),
    };
    let (owner, resource) = known.unwrap_or_else(|| (unclassed(way.client, &particulars), None));
    let asking = AccessContext::Radius {
        client: Arc::clone(&way.client.resources),
        called_station: particulars.called_station.as_ref().map(Octets::shown),
    };
    let report = SessionReport {
        nas,
        session,
        happened,
        at,
        received: way.now.wall,
        owner,
        resource,
        particulars,
    };
    Ok(Some(Report::Session(Box::new(OneSession {
        report,
        asking,
    }))))
}

/// Whose a session without a Class of ours may be, as far as the report itself tells.
fn unclassed(client: &ClientSettings, said: &Particulars) -> SessionOwner {
    let address = |octets: &Octets| MacAddress::parse(&octets.shown()).ok();
    match (address(&said.user_name), said.calling_station.as_ref()) {
        (Some(named), Some(station)) if client.resources.mab && address(station) == Some(named) => {
            SessionOwner::Address(named)
        }
        _ => SessionOwner::Unknown,
    }
}

fn usage(packet: &Packet<'_>) -> Usage {
    let count = |kind| u64::from(number(packet, kind).unwrap_or(0));
    // RFC 2869 §5.1: how often the 32 bits of octets have wrapped.
    let octets = |low, high| count(high) << 32 | count(low);
    Usage {
        seconds: count(kind::ACCT_SESSION_TIME),
        sent_octets: octets(kind::ACCT_INPUT_OCTETS, kind::ACCT_INPUT_GIGAWORDS),
        received_octets: octets(kind::ACCT_OUTPUT_OCTETS, kind::ACCT_OUTPUT_GIGAWORDS),
        sent_packets: count(kind::ACCT_INPUT_PACKETS),
        received_packets: count(kind::ACCT_OUTPUT_PACKETS),
    }
}

fn number(packet: &Packet<'_>, kind: u8) -> Option<u32> {
    let value = packet.first(kind)?.try_into().ok()?;
    Some(u32::from_be_bytes(value))
}

fn octets(packet: &Packet<'_>, kind: u8) -> Option<Octets> {
    packet.first(kind).map(Octets::from)
}

fn address(packet: &Packet<'_>, v4: u8, v6: u8) -> Option<IpAddr> {
    let four = packet.first(v4).and_then(|value| {
        let value: [u8; 4] = value.try_into().ok()?;
        Some(IpAddr::V4(Ipv4Addr::from(value)))
    });
    four.or_else(|| {
        let value: [u8; 16] = packet.first(v6)?.try_into().ok()?;
        Some(IpAddr::V6(Ipv6Addr::from(value)).to_canonical())
    })
}

#[cfg(test)]
mod tests;
