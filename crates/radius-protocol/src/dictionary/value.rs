//! Values as octets: one way of writing each type.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use jiff::tz::TimeZone;

use super::Shape;
use doorward_domain::time::{DayEdge, Timestamp, parse_moment};

/// How a value of that type is written, for who wrote it otherwise.
pub(super) fn expected(shape: Shape) -> &'static str {
    match shape {
        Shape::Text => "text without control characters",
        Shape::Octets(_) => "0x and hexadecimal digits, two for each octet, as many as it has",
        Shape::Ipv4 => "an IPv4 address",
        Shape::Ipv6 => "an IPv6 address",
        Shape::Address => "an address",
        Shape::Ipv4Prefix => "an IPv4 network such as 192.0.2.0/24",
        Shape::Ipv6Prefix => "an IPv6 network such as 2001:db8::/64",
        Shape::Byte => "a number from 0 to 255, or the name of one in the dictionary",
        Shape::Short => "a number from 0 to 65535, or the name of one in the dictionary",
        Shape::Integer => "a number from 0 to 4294967295, or the name of one in the dictionary",
        Shape::Integer64 => "a number of 64 bits, or the name of one in the dictionary",
        Shape::Signed => "a number from -2147483648 to 2147483647",
        Shape::Date => "a time such as 2027-01-31T18:00:00Z, or seconds since 1970",
        Shape::InterfaceId => "four groups of hexadecimal digits such as 0:0:0:1",
        Shape::Ethernet => "an address such as 00:00:5e:00:53:01",
        Shape::Unsendable(_) => "nothing",
    }
}

/// The octets of a value; nothing where it is not written so. `named` gives the number of a name.
pub(super) fn octets(
    shape: Shape,
    text: &str,
    named: impl FnOnce(&str) -> Option<u64>,
) -> Option<Vec<u8>> {
    let number = |text: &str| text.parse::<u64>().ok().or_else(|| named(text));
    Some(match shape {
        Shape::Text => {
            let plain = !text.is_empty() && !text.chars().any(char::is_control);
            plain.then(|| text.as_bytes().to_vec())?
        }
        Shape::Octets(width) => {
            let octets = hexadecimal(text)?;
            if width.is_some_and(|width| octets.len() != width) {
                return None;
            }
            octets
        }
        Shape::Ipv4 => text.parse::<Ipv4Addr>().ok()?.octets().to_vec(),
        Shape::Ipv6 => text.parse::<Ipv6Addr>().ok()?.octets().to_vec(),
        Shape::Address => match text.parse::<IpAddr>().ok()? {
            IpAddr::V4(four) => four.octets().to_vec(),
            IpAddr::V6(six) => six.octets().to_vec(),
        },
        // A reserved octet, the prefix's length, the prefix (RFC 3162 §2.3, RFC 8044 §3.11).
        Shape::Ipv4Prefix => {
            let network = text.parse::<Ipv4Net>().ok()?.trunc();
            [&[0, network.prefix_len()][..], &network.addr().octets()].concat()
        }
        Shape::Ipv6Prefix => {
            let network = text.parse::<Ipv6Net>().ok()?.trunc();
            [&[0, network.prefix_len()][..], &network.addr().octets()].concat()
        }
        Shape::Byte => vec![u8::try_from(number(text)?).ok()?],
        Shape::Short => u16::try_from(number(text)?).ok()?.to_be_bytes().to_vec(),
        Shape::Integer => u32::try_from(number(text)?).ok()?.to_be_bytes().to_vec(),
        Shape::Integer64 => number(text)?.to_be_bytes().to_vec(),
        Shape::Signed => text.parse::<i32>().ok()?.to_be_bytes().to_vec(),
        Shape::Date => {
            let seconds = match text.parse::<u64>() {
                Ok(seconds) => seconds,
                Err(_) => seconds(text)?,
            };
            u32::try_from(seconds).ok()?.to_be_bytes().to_vec()
        }
        Shape::InterfaceId => {
            let groups: Vec<&str> = text.split(':').collect();
            let groups: [&str; 4] = groups.try_into().ok()?;
            let mut octets = Vec::with_capacity(8);
            for group in groups {
                octets.extend(hexadecimal_number(group, 4)?.to_be_bytes());
            }
            octets
        }
        Shape::Ethernet => {
            let parts: Vec<&str> = text.split([':', '-']).collect();
            let parts: [&str; 6] = parts.try_into().ok()?;
            let mut octets = Vec::with_capacity(6);
            for part in parts {
                octets.push(u8::try_from(hexadecimal_number(part, 2)?).ok()?);
            }
            octets
        }
        Shape::Unsendable(_) => return None,
    })
}

/// A number of at most so many hexadecimal digits.
fn hexadecimal_number(text: &str, digits: usize) -> Option<u16> {
    let shaped = text.len() <= digits && text.chars().all(|c| c.is_ascii_hexdigit());
    shaped.then(|| u16::from_str_radix(text, 16).ok())?
}

/// What stands after 0x, two digits an octet.
fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x")?.as_bytes();
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() || pairs.is_empty() {
        return None;
    }
    let digit = |octet: u8| char::from(octet).to_digit(16);
    pairs
        .iter()
        .map(|&[high, low]| u8::try_from(digit(high)? * 16 + digit(low)?).ok())
        .collect()
}

fn seconds(text: &str) -> Option<u64> {
    // A date has no "now": the beginning of a day is one in UTC.
    let at = parse_moment(text, &TimeZone::UTC, DayEdge::Start, Timestamp::EPOCH).ok()?;
    u64::try_from(at.as_millis())
        .ok()
        .map(|millis| millis / 1000)
}
