//! How values are written: spans of time, networks, addresses, lists that may be one text.
//!
//! Each reader says what was expected; the place is added by whoever reads the file.

use std::fmt;
use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};
use serde::de::value::StrDeserializer;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use doorward_domain::origin::{Relays, Source};
use doorward_domain::time::parse_span;

/// Reads `30s`, `5m`, `400d`.
pub(super) fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_span(&text).map_err(D::Error::custom)
}

/// Units of sizes, as IEC 80000-13 writes them, and their bytes.
const UNITS: [(&str, u64); 4] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Reads a size in bytes, as `2GiB` or `512MiB`.
pub(super) fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    size(&text).map_err(D::Error::custom)
}

fn size(text: &str) -> Result<u64, String> {
    UNITS
        .into_iter()
        .find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, bytes)))
        .filter(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|(number, bytes)| number.parse::<u64>().ok()?.checked_mul(bytes))
        .ok_or_else(|| format!("'{text}' is not a size: write 512MiB, 2GiB or 1TiB"))
}

/// Reads one value or a list of at least one.
///
/// An empty list is refused: in a `match` or in `sources` it could be read as "nobody" as well as
/// "everybody".
pub(super) fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: for<'a> Deserialize<'a>,
{
    let values = list_or_empty(deserializer)?;
    if values.is_empty() {
        return Err(D::Error::custom(
            "the list is empty: leave the key out, or name at least one",
        ));
    }
    Ok(values)
}

/// Reads one value or a list, which may be empty.
pub(super) fn list_or_empty<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: for<'a> Deserialize<'a>,
{
    deserializer.deserialize_any(OneOrMany(PhantomData))
}

struct OneOrMany<T>(PhantomData<T>);

impl<'de, T: for<'a> Deserialize<'a>> Visitor<'de> for OneOrMany<T> {
    type Value = Vec<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("text in quotes or a list of such texts")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        T::deserialize(StrDeserializer::new(text)).map(|value| vec![value])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = sequence.next_element()? {
            values.push(value);
        }
        Ok(values)
    }
}

/// Reads one or more networks.
pub(super) fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let networks: Vec<Network> = list(deserializer)?;
    Ok(networks.into_iter().map(|network| network.0).collect())
}

/// Reads networks; there may be none.
pub(super) fn networks_or_none<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<IpNet>, D::Error> {
    let networks: Vec<Network> = list_or_empty(deserializer)?;
    Ok(networks.into_iter().map(|network| network.0).collect())
}

/// Reads networks and Unix users, as `local:dovecot`; there may be none.
pub(super) fn relays<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Relays, D::Error> {
    let texts: Vec<String> = list_or_empty(deserializer)?;
    let mut relays = Relays::default();
    for text in texts {
        match text.parse() {
            Ok(Source::Local(user)) => relays.users.push(user),
            _ => relays
                .networks
                .push(Network::try_from(text).map_err(D::Error::custom)?.0),
        }
    }
    Ok(relays)
}

/// A network in CIDR form, or one address. An IPv4-mapped network is IPv4 (CONTRACT.md 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Network(IpNet);

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let network = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => text.parse::<IpNet>().map_err(|_| {
                format!("'{text}' is not a network: write 10.0.0.0/8, 10.1.2.3 or fd00::/8")
            })?,
        };
        let network = canonical(network);
        if network.trunc() != network {
            return Err(format!(
                "'{text}' has address bits beyond its prefix: write {} for the network, or {} for \
                 the one address",
                network.trunc(),
                network.addr()
            ));
        }
        Ok(Self(network))
    }
}

fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(six) = network else {
        return network;
    };
    let mapped = six.addr().to_ipv4_mapped();
    match (mapped, six.prefix_len().checked_sub(96)) {
        (Some(four), Some(prefix)) => Ipv4Net::new(four, prefix).map_or(network, IpNet::V4),
        _ => network,
    }
}

/// Reads addresses with their ports; there may be none.
pub(super) fn addresses_or_none<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<SocketAddr>, D::Error> {
    let addresses: Vec<Address> = list_or_empty(deserializer)?;
    Ok(addresses.into_iter().map(|address| address.0).collect())
}

/// Reads one or more addresses to listen on.
pub(super) fn listen<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<ListenAddress>, D::Error> {
    list(deserializer)
}

/// Where to listen: an address with its port, or a Unix socket as `unix:/run/doorward/ldapi`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub enum ListenAddress {
    /// An address and a port.
    Network(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

/// The longest path of a Unix socket on Linux, in bytes (unix(7)).
const LONGEST_SOCKET_PATH: usize = 107;

impl TryFrom<String> for ListenAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let Some(path) = text.strip_prefix("unix:") else {
            return match Address::try_from(text) {
                Ok(address) => Ok(Self::Network(address.0)),
                Err(message) => Err(format!("{message}, or unix:/run/doorward/ldapi")),
            };
        };
        if !path.starts_with('/') || path.ends_with('/') {
            return Err(format!(
                "'{text}' names no Unix socket: write unix: and its whole path, as in \
                 unix:/run/doorward/ldapi"
            ));
        }
        if path.len() > LONGEST_SOCKET_PATH {
            return Err(format!(
                "the path of a Unix socket has at most {LONGEST_SOCKET_PATH} bytes, and this has \
                 {}",
                path.len()
            ));
        }
        Ok(Self::Unix(PathBuf::from(path)))
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(address) => fmt::Display::fmt(address, formatter),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

/// Reads permissions of a file in octal.
pub(super) fn file_mode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let text = String::deserialize(deserializer)?;
    let octal = text.len() <= 4 && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    u32::from_str_radix(&text, 8)
        .ok()
        .filter(|mode| octal && *mode <= 0o777)
        .ok_or_else(|| {
            D::Error::custom(format!(
                "'{text}' is no mode of a socket: write permissions in octal, as \"0660\""
            ))
        })
}

/// Reads one address with its port.
pub(super) fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    Address::deserialize(deserializer).map(|address| address.0)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Address(SocketAddr);

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| {
            format!(
                "'{text}' is not an address with a port: write 127.0.0.1:389, 0.0.0.0:389 or \
                 [::1]:389"
            )
        })
    }
}

/// The value of a key that is promised and comes with a later version: there is none yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct NotBuilt;

impl<'de> Deserialize<'de> for NotBuilt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Taking the value gives the complaint its place.
        serde::de::IgnoredAny::deserialize(deserializer)?;
        Err(D::Error::custom(
            "not built yet: this key comes with a later version; leave it out",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_canonical_and_exact() {
        let read = |text: &str| Network::try_from(text.to_owned()).map(|net| net.0.to_string());
        assert_eq!(read("10.0.0.0/8").unwrap(), "10.0.0.0/8");
        assert_eq!(read("10.1.2.3").unwrap(), "10.1.2.3/32");
        assert_eq!(read("::1").unwrap(), "::1/128");
        assert_eq!(read("::ffff:10.0.0.0/104").unwrap(), "10.0.0.0/8");
        assert_eq!(read("::ffff:10.1.2.3").unwrap(), "10.1.2.3/32");
        assert_eq!(
            read("10.0.5.10/8").unwrap_err(),
            "'10.0.5.10/8' has address bits beyond its prefix: write 10.0.0.0/8 for the network, \
             or 10.0.5.10 for the one address"
        );
        assert!(read("10.0.0.0/33").is_err());
        assert!(read("example.org").is_err());
    }

    #[test]
    fn sizes_need_a_unit() {
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(size("2GiB"), Ok(2 << 30));
        for wrong in [
            "2",
            "2GB",
            "2 GiB",
            "-1GiB",
            "+1GiB",
            "GiB",
            "99999999999TiB",
            "",
        ] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn addresses_need_a_port() {
        let read = |text: &str| Address::try_from(text.to_owned()).map(|found| found.0);
        assert_eq!(read("[::1]:389").unwrap().port(), 389);
        assert!(
            read("127.0.0.1")
                .unwrap_err()
                .contains("write 127.0.0.1:389")
        );
        assert!(read("localhost:389").is_err());
    }

    #[test]
    fn a_unix_socket_is_named_by_its_whole_path() {
        let read = |text: &str| ListenAddress::try_from(text.to_owned());
        let path = "unix:/run/doorward/ldapi";
        assert_eq!(read(path).unwrap().to_string(), path);
        assert_eq!(read("127.0.0.1:389").unwrap().to_string(), "127.0.0.1:389");
        for wrong in ["unix:ldapi", "unix:", "unix:/run/doorward/"] {
            assert!(
                read(wrong).unwrap_err().contains("its whole path"),
                "{wrong}"
            );
        }
        assert!(
            read("/run/doorward/ldapi")
                .unwrap_err()
                .contains("or unix:/run")
        );
        let longest = format!("unix:/{}", "a".repeat(LONGEST_SOCKET_PATH - 1));
        assert!(read(&longest).is_ok());
        let long = read(&format!("{longest}a")).unwrap_err();
        assert_eq!(
            long,
            "the path of a Unix socket has at most 107 bytes, and this has 108"
        );
    }
}
