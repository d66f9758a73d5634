//! Where an attempt comes from, and by which protocol.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The protocol an attempt came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// LDAP (RFC 4511).
    Ldap,
    /// RADIUS (RFC 2865).
    Radius,
    /// The portal and its API.
    Web,
    /// Dovecot's auth-policy protocol: a mail server asks on behalf of its client.
    #[serde(rename = "auth-policy")]
    AuthPolicy,
}

impl Protocol {
    /// The name in events and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ldap => "ldap",
            Self::Radius => "radius",
            Self::Web => "web",
            Self::AuthPolicy => "auth-policy",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// Where an attempt comes from: what one owner's success clears and a throttle keys on
/// (CONTRACT.md 3.2, 3.6).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The source address; for RADIUS the NAS's.
    pub address: IpAddr,
    /// `Calling-Station-Id`, where there is one.
    pub station: Option<String>,
}

impl Origin {
    /// An origin known by its address alone.
    pub fn address(address: IpAddr) -> Self {
        Self {
            address: address.to_canonical(),
            station: None,
        }
    }

    /// One text for the whole origin, for keys in the store.
    pub fn key(&self) -> String {
        match &self.station {
            Some(station) => format!("{}|{}", self.address, station.to_ascii_lowercase()),
            None => self.address.to_string(),
        }
    }
}
