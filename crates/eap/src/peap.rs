//! What PEAP (version 0) does differently inside its tunnel (MS-PEAP): inner packets lose their header, and
//! both ends tell each other how it ended before EAP does.

use super::conversation::Failure;
use super::inner::Request;
use super::packet::{self, Code, Packet, kind};

/// The Result TLV, which a receiver must know (MS-PEAP 2.2.8.1.1).
const RESULT: u16 = 3;
const MANDATORY: u16 = 0x8000;
const TYPE: u16 = 0x3fff;

/// How it ended, as the two tell each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Well.
    Success,
    /// Refused.
    Failure,
}

impl Ending {
    const fn number(self) -> u8 {
        match self {
            Self::Success => 1,
            Self::Failure => 2,
        }
    }
}

/// A request without its header (MS-PEAP 3.1.5.6).
pub(super) fn wrap(request: &Request) -> Vec<u8> {
    let mut plaintext = vec![request.kind];
    plaintext.extend_from_slice(&request.data);
    plaintext
}

/// The identifier, type and data of a response. Some peers leave the header on.
pub(super) fn unwrap(plaintext: &[u8]) -> Result<(Option<u8>, u8, &[u8]), Failure> {
    if let Ok(packet) = Packet::parse(plaintext)
        && let (Code::Response, Some(kind)) = (packet.code, packet.kind)
        && packet::HEADER_LENGTH + 1 + packet.data.len() == plaintext.len()
    {
        return Ok((Some(packet.identifier), kind, packet.data));
    }
    let (&kind, data) = plaintext.split_first().ok_or(Failure::Malformed)?;
    Ok((None, kind, data))
}

/// The request that tells how it ended; it keeps its header.
pub(super) fn tell(identifier: u8, ending: Ending) -> Vec<u8> {
    let [high, low] = (MANDATORY | RESULT).to_be_bytes();
    let tlv = [high, low, 0, 2, 0, ending.number()];
    packet::request(identifier, kind::EXTENSIONS, &tlv)
}

/// Whether the peer says that it ended well too: one Result TLV, and nothing it insists on that is
/// not known here.
pub(super) fn agrees(plaintext: &[u8], identifier: u8) -> bool {
    let Ok(packet) = Packet::parse(plaintext) else {
        return false;
    };
    let expected = (Code::Response, identifier, Some(kind::EXTENSIONS));
    if (packet.code, packet.identifier, packet.kind) != expected {
        return false;
    }
    let mut agreed = false;
    let mut rest = packet.data;
    while let Some((&[a, b, c, d], tail)) = rest.split_first_chunk::<4>() {
        let length = usize::from(u16::from_be_bytes([c, d]));
        let Some((value, tail)) = tail.split_at_checked(length) else {
            return false;
        };
        let head = u16::from_be_bytes([a, b]);
        match head & TYPE {
            RESULT if agreed => return false,
            RESULT => agreed = value == [0, Ending::Success.number()],
            _ if head & MANDATORY != 0 => return false,
            _ => {}
        }
        if head & TYPE == RESULT && !agreed {
            return false;
        }
        rest = tail;
    }
    agreed && rest.is_empty()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_ending_has_the_octets_that_peers_expect() {
        let octets = tell(9, Ending::Success);
        assert_eq!(octets, [1, 9, 0, 11, 33, 0x80, 3, 0, 2, 0, 1]);
        assert_eq!(tell(9, Ending::Failure).last(), Some(&2));
    }

    #[test]
    fn a_peer_agrees_by_one_result_and_nothing_unknown_it_insists_on() {
        let agrees = |tlvs: &[u8]| agrees(&packet::response(9, kind::EXTENSIONS, tlvs), 9);
        let success = [0x80, 3, 0, 2, 0, 1];
        assert!(agrees(&success));
        assert!(agrees(&[&success[..], &[0, 7, 0, 1, 5]].concat()));
        assert!(!agrees(&[]));
        assert!(!agrees(&[0x80, 3, 0, 2, 0, 2]));
        assert!(!agrees(&[0x80, 3, 0, 1, 1]));
        assert!(!agrees(&[&success[..], &success].concat()));
        assert!(!agrees(&[&success[..], &[0x80, 12, 0, 0]].concat()));
        assert!(!agrees(&[&success[..], &[0, 7, 0, 9, 5]].concat()));
        assert!(!agrees(&[&success[..], &[0]].concat()));
        let packet = packet::response(8, kind::EXTENSIONS, &success);
        assert!(!super::agrees(&packet, 9));
        let packet = packet::response(9, kind::GTC, &success);
        assert!(!super::agrees(&packet, 9));
    }

    #[test]
    fn a_header_is_taken_off_where_there_is_one() {
        let full = packet::response(9, kind::GTC, b"secret");
        assert_eq!(unwrap(&full).unwrap(), (Some(9), kind::GTC, &b"secret"[..]));
        let bare = [&[kind::GTC][..], b"secret"].concat();
        assert_eq!(unwrap(&bare).unwrap(), (None, kind::GTC, &b"secret"[..]));
        assert!(unwrap(&[]).is_err());
    }

    proptest! {
        #[test]
        fn any_octets_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = unwrap(&bytes);
            let _ = agrees(&packet::response(1, kind::EXTENSIONS, &bytes), 1);
        }
    }
}
