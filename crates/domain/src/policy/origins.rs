//! What of an attempt's origin the other end cannot choose (CONTRACT.md 3.2): what counts by
//! origin counts by that, and by nothing that a guesser can make up anew for each guess.
//!
//! Pure; knows neither stores nor wire formats.

use std::net::{IpAddr, SocketAddr};

use crate::origin::{Origin, OriginKey, Protocol, Source};
use crate::resource::ResourceKind;

/// An origin, as far as it can be told from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identified {
    /// What is kept of it: failures, known accounts, and the buckets of accounts.
    pub key: OriginKey,
    /// Who is behind it.
    pub behind: Behind,
    /// The NAS that it lies behind, whatever it reports; none where no NAS stands between.
    pub nas: Option<Source>,
}

/// Who is behind an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Behind {
    /// One subscriber, as far as anybody can tell: an address.
    Subscriber,
    /// All users of a NAS that tells none of their addresses.
    Everybody,
    /// Those in reach of one access point, or at one port.
    Neighbours,
}

/// Identifies the origin of an attempt at a resource of this kind.
///
/// Over RADIUS that is the NAS with its port or its access point where users come by Wi-Fi or by
/// wire, and with the address that it reports elsewhere. A device's own address
/// (`Calling-Station-Id` of 802.1X) is the device's to choose, and so is a host name.
pub fn identify(kind: ResourceKind, protocol: Protocol, origin: &Origin) -> Identified {
    let source = origin.source.aggregate();
    if protocol != Protocol::Radius {
        return Identified {
            key: OriginKey::new(source.to_string()),
            behind: Behind::Subscriber,
            nas: None,
        };
    }
    let (within, behind) = if kind == ResourceKind::Wifi {
        (origin.port.clone(), Behind::Neighbours)
    } else {
        let address = origin.station.as_deref().and_then(reported_address);
        let within = address.map(|address| Source::from(address).aggregate().to_string());
        let behind = match within {
            Some(_) => Behind::Subscriber,
            None => Behind::Everybody,
        };
        (within, behind)
    };
    Identified {
        key: OriginKey::new(match within {
            Some(within) => format!("{source}|{}", within.to_ascii_lowercase()),
            None => source.to_string(),
        }),
        behind,
        nas: Some(source),
    }
}

/// The address in a `Calling-Station-Id`, as VPN gateways write it: `192.0.2.1`, `192.0.2.1[4500]`,
/// `192.0.2.1:4500`, `2001:db8::1`, `[2001:db8::1]:4500`. The port is the other end's to choose.
fn reported_address(station: &str) -> Option<IpAddr> {
    let station = station.trim();
    let alone = || station.parse::<IpAddr>().ok();
    let with_port = || station.parse::<SocketAddr>().ok().map(|at| at.ip());
    let with_port_in_brackets = || {
        let (address, port) = station.strip_suffix(']')?.split_once('[')?;
        port.parse::<u16>().ok()?;
        address.parse::<IpAddr>().ok()
    };
    alone().or_else(with_port).or_else(with_port_in_brackets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(station: Option<&str>, port: Option<&str>) -> Origin {
        Origin {
            source: "192.0.2.1".parse().unwrap(),
            station: station.map(str::to_owned),
            port: port.map(str::to_owned),
        }
    }

    fn key(kind: ResourceKind, station: Option<&str>, port: Option<&str>) -> String {
        let identified = identify(kind, Protocol::Radius, &origin(station, port));
        identified.key.as_str().to_owned()
    }

    #[test]
    fn contract_3_2_a_device_s_own_address_makes_no_origin() {
        let point = Some("00-10-A4-23-19-C0");
        let stations = ["02-00-00-00-00-01", "02-00-00-00-00-02", "192.0.2.77"];
        for station in stations {
            assert_eq!(
                key(ResourceKind::Wifi, Some(station), point),
                "192.0.2.1|00-10-a4-23-19-c0"
            );
            assert_eq!(key(ResourceKind::Wifi, Some(station), None), "192.0.2.1");
        }
        for station in ["02-00-00-00-00-01", "laptop.example.org", "alice", ""] {
            assert_eq!(key(ResourceKind::Vpn, Some(station), None), "192.0.2.1");
        }
    }

    #[test]
    fn contract_3_2_a_vpn_gateway_s_client_is_its_address_without_the_port() {
        for station in [
            "203.0.113.9",
            "203.0.113.9[4500]",
            "203.0.113.9:4711",
            " 203.0.113.9 ",
        ] {
            assert_eq!(
                key(ResourceKind::Vpn, Some(station), Some("7")),
                "192.0.2.1|203.0.113.9",
                "{station}"
            );
        }
        for station in ["2001:db8::1", "[2001:db8::2]:4500", "2001:db8::3[4500]"] {
            assert_eq!(
                key(ResourceKind::Vpn, Some(station), None),
                "192.0.2.1|2001:db8::",
                "{station}"
            );
        }
        let none = identify(ResourceKind::Vpn, Protocol::Radius, &origin(None, None));
        assert_eq!(none.behind, Behind::Everybody);
    }

    #[test]
    fn over_ldap_an_origin_is_the_other_end() {
        let here = identify(
            ResourceKind::Wifi,
            Protocol::Ldap,
            &origin(Some("x"), Some("y")),
        );
        assert_eq!(here.key.as_str(), "192.0.2.1");
        assert_eq!(here.behind, Behind::Subscriber);
        assert_eq!(here.nas, None);
    }
}
