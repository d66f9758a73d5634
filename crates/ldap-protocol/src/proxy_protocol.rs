//! The PROXY protocol, versions 1 and 2 (`proxy-protocol.txt` of `HAProxy`, sections 2.1 and 2.2):
//! what a proxy says before the connection's own bytes about who is behind it.
//!
//! Pure: it looks at bytes and says how many more are the header's for certain, so that whoever
//! reads never takes one that belongs to TLS or LDAP. Whether a peer is believed at all is the
//! listener's to know.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The longest header of version 1, its end included (section 2.1).
const LONGEST_TEXT: usize = 107;
/// The shortest: `PROXY UNKNOWN` and its end.
const SHORTEST_TEXT: usize = 15;
const TEXT: &[u8] = b"PROXY ";
/// The signature of version 2 (section 2.2).
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The fixed part of version 2: signature, version and command, family, length.
const FIXED: usize = 16;
/// The longest variable part of version 2 that is read. Addresses take 36 bytes, 216 for Unix
/// sockets; the rest is for whoever sends type-length-values, which nobody reads here.
const LONGEST_BODY: usize = 2048;
/// The most bytes that are ever read of a header.
pub const LONGEST: usize = FIXED + LONGEST_BODY;

/// Who a header says is behind the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behind {
    /// The proxy itself: it asks on its own behalf (`LOCAL`), or does not know an address for
    /// whom it asks (`UNKNOWN`, `UNSPEC`, a Unix socket).
    Proxy,
    /// A client at this address. An IPv4-mapped one is IPv4.
    Client(IpAddr),
}

/// How far a header is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// So many more bytes are the header's for certain; at least one.
    Needs(usize),
    /// The header is whole, and the bytes end where it does.
    Whole(Behind),
}

/// The bytes are no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a PROXY protocol header")]
pub struct Malformed;

/// Reads the header of which these are the first bytes, and no more than the header.
///
/// # Errors
/// No header begins like this.
pub fn read(bytes: &[u8]) -> Result<Progress, Malformed> {
    match bytes.first() {
        None => Ok(Progress::Needs(1)),
        Some(b'P') => read_text(bytes),
        Some(_) => read_binary(bytes),
    }
}

/// Version 1: one line of text.
fn read_text(bytes: &[u8]) -> Result<Progress, Malformed> {
    let known = bytes.len().min(TEXT.len());
    if bytes.get(..known) != TEXT.get(..known) {
        return Err(Malformed);
    }
    let end = bytes.iter().position(|byte| *byte == b'\n');
    match end {
        None if bytes.len() >= LONGEST_TEXT => Err(Malformed),
        None if bytes.len() < SHORTEST_TEXT => Ok(Progress::Needs(SHORTEST_TEXT - bytes.len())),
        None if bytes.last() == Some(&b'\r') => Ok(Progress::Needs(1)),
        // At least the two bytes of its end are still to come.
        None => Ok(Progress::Needs(2.min(LONGEST_TEXT - bytes.len()))),
        Some(end) if end + 1 != bytes.len() => Err(Malformed),
        Some(_) => {
            let line = bytes
                .strip_prefix(TEXT)
                .and_then(|line| line.strip_suffix(b"\r\n"))
                .and_then(|line| std::str::from_utf8(line).ok())
                .ok_or(Malformed)?;
            line_of(line).map(Progress::Whole)
        }
    }
}

/// The line of version 1 behind `PROXY `.
fn line_of(line: &str) -> Result<Behind, Malformed> {
    let mut words = line.split(' ');
    let family = words.next().ok_or(Malformed)?;
    let rest: Vec<&str> = words.collect();
    match (family, rest.as_slice()) {
        // What follows it must be ignored.
        ("UNKNOWN", _) => Ok(Behind::Proxy),
        ("TCP4", &[source, destination, from, to]) => {
            ports(from, to)?;
            Ipv4Addr::from_str(destination).map_err(|_| Malformed)?;
            let source = Ipv4Addr::from_str(source).map_err(|_| Malformed)?;
            Ok(Behind::Client(IpAddr::V4(source)))
        }
        ("TCP6", &[source, destination, from, to]) => {
            ports(from, to)?;
            Ipv6Addr::from_str(destination).map_err(|_| Malformed)?;
            let source = Ipv6Addr::from_str(source).map_err(|_| Malformed)?;
            Ok(Behind::Client(IpAddr::V6(source).to_canonical()))
        }
        _ => Err(Malformed),
    }
}

/// Ports are decimal, without a sign and without leading zeros.
fn ports(from: &str, to: &str) -> Result<(), Malformed> {
    for port in [from, to] {
        let number: u16 = port.parse().map_err(|_| Malformed)?;
        if number.to_string() != port {
            return Err(Malformed);
        }
    }
    Ok(())
}

/// Version 2: sixteen bytes, and as many behind them as they say.
fn read_binary(bytes: &[u8]) -> Result<Progress, Malformed> {
    let known = bytes.len().min(SIGNATURE.len());
    if bytes.get(..known) != SIGNATURE.get(..known) {
        return Err(Malformed);
    }
    let Some((fixed, body)) = bytes.split_first_chunk::<FIXED>() else {
        return Ok(Progress::Needs(FIXED - bytes.len()));
    };
    let [.., version_and_command, family, high, low] = *fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST_BODY || body.len() > length {
        return Err(Malformed);
    }
    let (version, command) = (version_and_command >> 4, version_and_command & 0x0f);
    if version != 2 || command > 1 {
        return Err(Malformed);
    }
    if body.len() < length {
        return Ok(Progress::Needs(length - body.len()));
    }
    if command == 0 {
        // The family and the addresses of LOCAL must be ignored.
        return Ok(Progress::Whole(Behind::Proxy));
    }
    let behind = match family {
        // Unspecified; and a stream between Unix sockets.
        0x00 => Behind::Proxy,
        0x31 if length >= 216 => Behind::Proxy,
        // A stream over IPv4: two addresses, two ports.
        0x11 if length >= 12 => {
            let source = body.first_chunk::<4>().ok_or(Malformed)?;
            Behind::Client(IpAddr::V4(Ipv4Addr::from(*source)))
        }
        // A stream over IPv6.
        0x21 if length >= 36 => {
            let source = body.first_chunk::<16>().ok_or(Malformed)?;
            Behind::Client(IpAddr::V6(Ipv6Addr::from(*source)).to_canonical())
        }
        _ => return Err(Malformed),
    };
    Ok(Progress::Whole(behind))
}

#[cfg(test)]
mod tests;
