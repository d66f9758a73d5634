//! Where an attempt comes from, and by which protocol.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;
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

/// The Unix user at the other end of a local socket: its name, or its number where it has none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PeerUser(String);

/// A text that is no Unix user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no Unix user: write its name, or its number where it has no name")]
pub struct NotAPeerUser(String);

impl PeerUser {
    /// The longest name (`LOGIN_NAME_MAX` on Linux).
    const LONGEST: usize = 256;

    /// The user of this number. A name that reads as a number is no name: it could be taken for
    /// another user's number.
    pub fn new(number: u32, name: Option<&str>) -> Self {
        name.filter(|name| !name.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|name| Self::parse(name).ok())
            .unwrap_or_else(|| Self(number.to_string()))
    }

    /// Takes a name or a number as it is written.
    ///
    /// # Errors
    /// It is empty, too long, or has spaces or control characters in it.
    pub fn parse(text: &str) -> Result<Self, NotAPeerUser> {
        let shaped = !text.is_empty()
            && text.len() <= Self::LONGEST
            && !text.chars().any(|c| c.is_control() || c.is_whitespace());
        if shaped {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAPeerUser(text.to_owned()))
        }
    }

    /// The name, or the number.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PeerUser {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for PeerUser {
    type Err = NotAPeerUser;

    fn from_str(text: &str) -> Result<Self, NotAPeerUser> {
        Self::parse(text)
    }
}

impl TryFrom<String> for PeerUser {
    type Error = NotAPeerUser;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<PeerUser> for String {
    fn from(user: PeerUser) -> Self {
        user.0
    }
}

/// The other end of a connection, or of a datagram.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    /// A host, by its address; an IPv4-mapped one is IPv4.
    Address(IpAddr),
    /// A process of this machine on a Unix socket, by its user. It is no address, so that no
    /// network a rule names can hold it.
    Local(PeerUser),
}

/// What stands before a Unix user in the text of a [`Source`].
const LOCAL: &str = "local:";

impl Source {
    /// The address, where it has one.
    pub const fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Local(_) => None,
        }
    }

    /// The Unix user, where that is what is known.
    pub const fn peer_user(&self) -> Option<&PeerUser> {
        match self {
            Self::Address(_) => None,
            Self::Local(user) => Some(user),
        }
    }

    /// Whether it is this machine.
    pub fn is_this_machine(&self) -> bool {
        match self {
            Self::Address(address) => address.is_loopback(),
            Self::Local(_) => true,
        }
    }

    /// What one subscriber cannot choose within: an IPv6 address is its /64.
    #[must_use]
    pub fn aggregate(&self) -> Self {
        match self {
            Self::Address(IpAddr::V6(address)) => Self::Address(IpAddr::V6(Ipv6Addr::from_bits(
                address.to_bits() & !u128::from(u64::MAX),
            ))),
            other => other.clone(),
        }
    }
}

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        Self::Address(address.to_canonical())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => fmt::Display::fmt(address, formatter),
            Self::Local(user) => write!(formatter, "{LOCAL}{user}"),
        }
    }
}

/// A text that is no source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no source: write an address, or local:USER for a Unix user on a local socket")]
pub struct NotASource(String);

impl FromStr for Source {
    type Err = NotASource;

    fn from_str(text: &str) -> Result<Self, NotASource> {
        let wrong = || NotASource(text.to_owned());
        match text.strip_prefix(LOCAL) {
            Some(user) => PeerUser::parse(user).map(Self::Local).map_err(|_| wrong()),
            None => text.parse::<IpAddr>().map(Self::from).map_err(|_| wrong()),
        }
    }
}

impl TryFrom<String> for Source {
    type Error = NotASource;

    fn try_from(text: String) -> Result<Self, NotASource> {
        text.parse()
    }
}

impl From<Source> for String {
    fn from(source: Source) -> Self {
        source.to_string()
    }
}

/// Sources behind which many users stand, such as mail servers and bastions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Relays {
    /// Their networks.
    pub networks: Vec<IpNet>,
    /// On a local socket, their Unix users.
    pub users: Vec<PeerUser>,
}

impl Relays {
    /// Whether this source is one.
    pub fn include(&self, source: &Source) -> bool {
        match source {
            Source::Address(address) => self
                .networks
                .iter()
                .any(|network| network.contains(address)),
            Source::Local(user) => self.users.contains(user),
        }
    }
}

/// Where an attempt comes from, as the other end says and as it is seen. What of it the other end
/// cannot choose is for [`crate::policy::origins`] to say.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The other end; for RADIUS the NAS.
    #[serde(rename = "address")]
    pub source: Source,
    /// `Calling-Station-Id`, where there is one.
    pub station: Option<String>,
    /// The port or the access point of the NAS, as it names them, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
}

impl Origin {
    /// An origin known by its address alone.
    pub fn address(address: IpAddr) -> Self {
        Self::of(Source::from(address))
    }

    /// An origin known by the other end alone.
    pub fn of(source: Source) -> Self {
        Self {
            source,
            station: None,
            port: None,
        }
    }
}

/// One text for all of an origin that the other end cannot choose: what one owner's success
/// clears, what an account is known by, and what throttles key on (CONTRACT.md 3.2, 3.6). Only
/// [`crate::policy::origins`] makes them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OriginKey(String);

impl OriginKey {
    /// Takes a key as it was written.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the store.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_written_and_read() {
        for text in ["192.0.2.1", "2001:db8::1", "local:postfix", "local:1000"] {
            assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
        }
        let mapped: Source = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(mapped.to_string(), "192.0.2.1");
        for text in ["", "local:", "local:a b", "postfix", "192.0.2.1:389"] {
            assert!(text.parse::<Source>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_user_without_a_fit_name_is_its_number() {
        assert_eq!(PeerUser::new(1000, Some("alice")).as_str(), "alice");
        for name in [None, Some(""), Some("0"), Some("a b"), Some("a\n")] {
            assert_eq!(PeerUser::new(1000, name).as_str(), "1000");
        }
    }

    #[test]
    fn an_origin_reads_as_it_always_did() {
        let text = r#"{"address":"192.0.2.1","station":null}"#;
        let origin: Origin = serde_json::from_str(text).unwrap();
        assert_eq!(origin, Origin::address([192, 0, 2, 1].into()));
        assert_eq!(serde_json::to_string(&origin).unwrap(), text);
    }
}
