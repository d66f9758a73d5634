//! What of a packet, a TLS message or the content of a tunnel may be shown to an operator: its
//! outline and names, never a password, a response to a challenge or a key.

use super::avp::{self, Avp, code};
use super::fragments::Fragment;
use super::packet::{self, Code, Packet, kind};
use super::settings::Method;

/// An EAP packet as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenPacket {
    /// Its code.
    pub code: Code,
    /// Its identifier; none where PEAP took it off.
    pub identifier: Option<u8>,
    /// Its type; none in a success or failure.
    pub kind: Option<u8>,
    /// What can be said of its content.
    pub content: Content,
}

/// What can be said of a packet's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Who the peer says it is.
    Identity(Vec<u8>),
    /// The types that the peer would rather have.
    Wants(Vec<u8>),
    /// The start of a method that speaks TLS.
    Start,
    /// A part of a TLS message, or the whole.
    Fragment {
        /// How long the message is said to be.
        announced: Option<u32>,
        /// Whether more is to come.
        more: bool,
        /// How many octets are here; none is an acknowledgement.
        octets: usize,
    },
    /// How it ended, as the two ends of PEAP tell each other.
    Result(bool),
    /// So many octets that are not shown.
    Hidden(usize),
}

impl SeenPacket {
    /// Looks at a packet with its header; nothing where it is none.
    pub fn of(octets: &[u8]) -> Option<Self> {
        let packet = Packet::parse(octets).ok()?;
        let content = match packet.kind {
            Some(kind) => Content::of(packet.code, kind, packet.data),
            None => Content::Hidden(0),
        };
        Some(Self {
            code: packet.code,
            identifier: Some(packet.identifier),
            kind: packet.kind,
            content,
        })
    }

    /// Looks at a packet as PEAP has it in its tunnel, mostly without its header.
    fn in_peap(side: Side, octets: &[u8]) -> Option<Self> {
        let code = match side {
            Side::Peer => Code::Response,
            Side::Server => Code::Request,
        };
        let whole = Packet::parse(octets).is_ok_and(|packet| {
            let length = packet::HEADER_LENGTH + 1 + packet.data.len();
            packet.code == code && length == octets.len()
        });
        if whole {
            return Self::of(octets);
        }
        let (&kind, data) = octets.split_first()?;
        Some(Self {
            code,
            identifier: None,
            kind: Some(kind),
            content: Content::of(code, kind, data),
        })
    }
}

impl Content {
    fn of(code: Code, kind: u8, data: &[u8]) -> Self {
        match (code, kind) {
            (Code::Response, kind::IDENTITY) => Self::Identity(data.to_vec()),
            (Code::Response, kind::NAK) => Self::Wants(data.to_vec()),
            (_, kind::TLS | kind::TTLS | kind::PEAP) => match Fragment::parse(data) {
                Ok(fragment) => Self::Fragment {
                    announced: fragment.announced,
                    more: fragment.more,
                    octets: fragment.octets.len(),
                },
                Err(_) if code == Code::Request => Self::Start,
                Err(_) => Self::Hidden(data.len()),
            },
            // A mandatory Result TLV of two octets (MS-PEAP 2.2.8.1.1).
            (_, kind::EXTENSIONS) => match data {
                [0x80, 3, 0, 2, 0, result, ..] => Self::Result(*result == 1),
                _ => Self::Hidden(data.len()),
            },
            _ => Self::Hidden(data.len()),
        }
    }
}

/// Which end said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The device.
    Peer,
    /// This gateway.
    Server,
}

/// What was said inside a tunnel, as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeenInside {
    /// An EAP packet.
    Packet(SeenPacket),
    /// Attributes, as TTLS has them: code, vendor, and the value where it is a name.
    Attributes(Vec<(u32, Option<u32>, Option<Vec<u8>>)>),
    /// Anything else: so many octets.
    Other(usize),
}

impl SeenInside {
    /// Looks at what one end said.
    pub(super) fn of(method: Method, side: Side, plaintext: &[u8]) -> Self {
        let other = Self::Other(plaintext.len());
        if method == Method::Peap {
            return SeenPacket::in_peap(side, plaintext).map_or(other, Self::Packet);
        }
        if method != Method::Ttls {
            return other;
        }
        let Ok(avps) = avp::parse(plaintext) else {
            return other;
        };
        let is_eap = |avp: &&Avp<'_>| avp.vendor.is_none() && avp.code == code::EAP_MESSAGE;
        let mut packet = Vec::new();
        for avp in avps.iter().filter(is_eap) {
            packet.extend_from_slice(avp.data);
        }
        if let Some(packet) = SeenPacket::of(&packet) {
            return Self::Packet(packet);
        }
        let seen = |avp: &Avp<'_>| {
            let is_name = avp.vendor.is_none() && avp.code == code::USER_NAME;
            (avp.code, avp.vendor, is_name.then(|| avp.data.to_vec()))
        };
        Self::Attributes(avps.iter().map(seen).collect())
    }
}

/// A TLS record, as it may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    /// A message of the handshake in the clear, by its number (RFC 8446 section 4).
    Handshake(u8),
    /// From here on that end encrypts.
    ChangeCipherSpec,
    /// An alert in the clear, by its number.
    Alert(u8),
    /// Something encrypted.
    Encrypted,
}

/// The most records of one message that are looked at.
const MAX_RECORDS: usize = 32;

impl Record {
    /// The records of one TLS message, as far as they can be told without its keys.
    pub(super) fn all_of(message: &[u8]) -> Vec<Self> {
        let mut records = Vec::new();
        let mut encrypts = false;
        let mut rest = message;
        while let Some((&[kind, _, _, high, low], tail)) = rest.split_first_chunk::<5>() {
            let length = usize::from(u16::from_be_bytes([high, low]));
            let Some((body, tail)) = tail.split_at_checked(length) else {
                break;
            };
            match (kind, body) {
                (20, _) => {
                    encrypts = true;
                    records.push(Self::ChangeCipherSpec);
                }
                (21, [_, description]) if !encrypts => records.push(Self::Alert(*description)),
                (22, body) if !encrypts => handshakes(body, &mut records),
                _ => records.push(Self::Encrypted),
            }
            records.dedup();
            if records.len() >= MAX_RECORDS {
                break;
            }
            rest = tail;
        }
        records
    }
}

/// Adds each message of the handshake that a record holds.
fn handshakes(body: &[u8], records: &mut Vec<Record>) {
    let mut rest = body;
    while let Some((&[kind, high, middle, low], tail)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes([0, high, middle, low]);
        let tail = usize::try_from(length).ok().and_then(|at| tail.get(at..));
        // One that is encrypted has no length that fits.
        let Some(tail) = tail else {
            records.push(if kind <= 24 {
                Record::Handshake(kind)
            } else {
                Record::Encrypted
            });
            return;
        };
        records.push(Record::Handshake(kind));
        if records.len() >= MAX_RECORDS {
            return;
        }
        rest = tail;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::peap;
    use crate::peap::Ending;

    #[test]
    fn passwords_are_not_seen() {
        let gtc = packet::response(7, kind::GTC, b"hunter2");
        let inner = [
            SeenInside::of(Method::Peap, Side::Peer, b"\x06hunter2"),
            SeenInside::of(Method::Peap, Side::Peer, &gtc),
            SeenInside::of(Method::Ttls, Side::Peer, &written(&[(79, &gtc)])),
            SeenInside::of(
                Method::Ttls,
                Side::Peer,
                &written(&[(1, b"alice"), (2, b"hunter2\0")]),
            ),
        ];
        for seen in inner {
            let shown = format!("{seen:?}");
            assert!(
                !shown.contains(&format!("{:?}", b"hunter2")[1..20]),
                "{shown}"
            );
        }
    }

    #[test]
    fn names_and_outlines_are_seen() {
        let attributes = written(&[(1, b"alice"), (2, b"hunter2\0")]);
        assert_eq!(
            SeenInside::of(Method::Ttls, Side::Peer, &attributes),
            SeenInside::Attributes(vec![(1, None, Some(b"alice".to_vec())), (2, None, None)])
        );
        let SeenInside::Packet(identity) = SeenInside::of(Method::Peap, Side::Peer, b"\x01alice")
        else {
            panic!("no packet")
        };
        assert_eq!(identity.content, Content::Identity(b"alice".to_vec()));
        let told = peap::tell(9, Ending::Failure);
        let SeenInside::Packet(told) = SeenInside::of(Method::Peap, Side::Server, &told) else {
            panic!("no packet")
        };
        assert_eq!(told.content, Content::Result(false));
        let nak = SeenPacket::of(&packet::response(1, kind::NAK, &[13, 25])).unwrap();
        assert_eq!(nak.content, Content::Wants(vec![13, 25]));
        let start = SeenPacket::of(&packet::request(1, kind::PEAP, &[0x20])).unwrap();
        assert_eq!(start.content, Content::Start);
        let first = SeenPacket::of(&packet::response(1, kind::TTLS, &[0xc0, 0, 0, 8, 0, 1, 2]));
        let fragment = Content::Fragment {
            announced: Some(2048),
            more: true,
            octets: 2,
        };
        assert_eq!(first.unwrap().content, fragment);
    }

    #[test]
    fn flights_and_alerts_are_seen_as_long_as_they_are_in_the_clear() {
        let hello = [22, 3, 1, 0, 6, 1, 0, 0, 2, 9, 9];
        assert_eq!(Record::all_of(&hello), [Record::Handshake(1)]);
        let alert = [21, 3, 3, 0, 2, 2, 48];
        assert_eq!(Record::all_of(&alert), [Record::Alert(48)]);
        let finished = [
            &[22, 3, 3, 0, 4, 16, 0, 0, 0][..],
            &[20, 3, 3, 0, 1, 1],
            &[22, 3, 3, 0, 5, 1, 2, 3, 4, 5],
        ];
        let expected = [
            Record::Handshake(16),
            Record::ChangeCipherSpec,
            Record::Encrypted,
        ];
        assert_eq!(Record::all_of(&finished.concat()), expected);
        let encrypted = [23, 3, 3, 0, 1, 0, 21, 3, 3, 0, 3, 7, 7, 7];
        assert_eq!(Record::all_of(&encrypted), [Record::Encrypted]);
    }

    fn written(list: &[(u32, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (code, data) in list {
            let avp = Avp {
                code: *code,
                vendor: None,
                mandatory: true,
                data,
            };
            avp::push(&mut bytes, &avp);
        }
        bytes
    }

    proptest! {
        #[test]
        fn any_octets_are_looked_at(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = SeenPacket::of(&bytes);
            prop_assert!(Record::all_of(&bytes).len() <= MAX_RECORDS + 1);
            for method in Method::ALL {
                for side in [Side::Peer, Side::Server] {
                    let _ = SeenInside::of(method, side, &bytes);
                }
            }
        }
    }
}
