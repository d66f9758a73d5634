//! EAP packets (RFC 3748 §4): parsing with every length checked, and writing.
//!
//! Must not know what carries them, nor any method.

/// Octets before the type: code, identifier, length.
pub const HEADER_LENGTH: usize = 4;
/// The longest packet taken, in octets: no RADIUS packet can carry a longer one.
pub const MAX_LENGTH: usize = 4096;

/// Method and message types (RFC 3748 §5, and the registry).
pub mod kind {
    /// Identity.
    pub const IDENTITY: u8 = 1;
    /// Legacy Nak, in responses alone.
    pub const NAK: u8 = 3;
    /// Generic Token Card.
    pub const GTC: u8 = 6;
    /// EAP-TLS (RFC 5216).
    pub const TLS: u8 = 13;
    /// EAP-TTLS (RFC 5281).
    pub const TTLS: u8 = 21;
    /// PEAP.
    pub const PEAP: u8 = 25;
    /// EAP-MSCHAPv2, inside a tunnel alone.
    pub const MSCHAPV2: u8 = 26;
    /// The TLVs that close a PEAP conversation (MS-PEAP 2.2.8).
    pub const EXTENSIONS: u8 = 33;
}

/// What a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// From the server.
    Request,
    /// From the peer.
    Response,
    /// The end, well.
    Success,
    /// The end, refused.
    Failure,
}

impl Code {
    const fn number(self) -> u8 {
        match self {
            Self::Request => 1,
            Self::Response => 2,
            Self::Success => 3,
            Self::Failure => 4,
        }
    }
}

/// Why octets are no EAP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Fewer octets than a header has, or than the Length field says.
    #[error("the packet is truncated")]
    Truncated,
    /// A Length field below that of a header, or above [`MAX_LENGTH`].
    #[error("the Length field is out of range")]
    Length,
    /// A code that RFC 3748 does not know.
    #[error("the code is unknown")]
    Code,
    /// A Request or Response without a type.
    #[error("there is no type")]
    NoType,
}

/// A packet whose lengths have been checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Its code.
    pub code: Code,
    /// Ties a response to its request.
    pub identifier: u8,
    /// The type of a request or response; nothing in a success or failure.
    pub kind: Option<u8>,
    /// What follows the type.
    pub data: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a packet. Octets past the Length field are padding (RFC 3748 §4.1).
    ///
    /// # Errors
    /// Names the rule it breaks; such a packet is discarded in silence.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let Some((&[code, identifier, high, low], _)) = bytes.split_first_chunk::<HEADER_LENGTH>()
        else {
            return Err(Malformed::Truncated);
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if !(HEADER_LENGTH..=MAX_LENGTH).contains(&length) {
            return Err(Malformed::Length);
        }
        let body = bytes
            .get(HEADER_LENGTH..length)
            .ok_or(Malformed::Truncated)?;
        let code = match code {
            1 => Code::Request,
            2 => Code::Response,
            3 => Code::Success,
            4 => Code::Failure,
            _ => return Err(Malformed::Code),
        };
        let (kind, data) = match (code, body) {
            (Code::Success | Code::Failure, []) => (None, body),
            (Code::Success | Code::Failure, _) => return Err(Malformed::Length),
            (_, [kind, data @ ..]) => (Some(*kind), data),
            (_, []) => return Err(Malformed::NoType),
        };
        Ok(Self {
            code,
            identifier,
            kind,
            data,
        })
    }
}

impl std::fmt::Debug for Packet<'_> {
    /// Shows the outline alone: the data may be a password.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Packet")
            .field("code", &self.code)
            .field("identifier", &self.identifier)
            .field("kind", &self.kind)
            .field("length", &self.data.len())
            .finish()
    }
}

/// Writes a request.
pub fn request(identifier: u8, kind: u8, data: &[u8]) -> Vec<u8> {
    typed(Code::Request, identifier, kind, data)
}

/// Writes a response, as a peer does.
pub fn response(identifier: u8, kind: u8, data: &[u8]) -> Vec<u8> {
    typed(Code::Response, identifier, kind, data)
}

/// Writes a success, which ends a conversation.
pub const fn success(identifier: u8) -> [u8; HEADER_LENGTH] {
    [Code::Success.number(), identifier, 0, 4]
}

/// Writes a failure, which ends a conversation.
pub const fn failure(identifier: u8) -> [u8; HEADER_LENGTH] {
    [Code::Failure.number(), identifier, 0, 4]
}

fn typed(code: Code, identifier: u8, kind: u8, data: &[u8]) -> Vec<u8> {
    let length = HEADER_LENGTH + 1 + data.len();
    // Whoever calls keeps to MAX_LENGTH; a longer one would not parse.
    let [high, low] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    let mut bytes = Vec::with_capacity(length);
    bytes.extend_from_slice(&[code.number(), identifier, high, low, kind]);
    bytes.extend_from_slice(data);
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_codes_and_types_are_checked() {
        let refused = |bytes: &[u8]| Packet::parse(bytes).unwrap_err();
        assert_eq!(refused(&[]), Malformed::Truncated);
        assert_eq!(refused(&[2, 1, 0]), Malformed::Truncated);
        assert_eq!(refused(&[2, 1, 0, 6, 1]), Malformed::Truncated);
        assert_eq!(refused(&[2, 1, 0, 3, 1]), Malformed::Length);
        assert_eq!(refused(&[2, 1, 0x10, 1, 1]), Malformed::Length);
        assert_eq!(refused(&[2, 1, 0, 4]), Malformed::NoType);
        assert_eq!(refused(&[5, 1, 0, 5, 1]), Malformed::Code);
        assert_eq!(refused(&[3, 1, 0, 5, 1]), Malformed::Length);
        assert_eq!(Packet::parse(&failure(7)).unwrap().code, Code::Failure);
        assert_eq!(Packet::parse(&success(7)).unwrap().identifier, 7);
    }

    proptest! {
        #[test]
        fn any_octets_parse_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = Packet::parse(&bytes);
        }

        #[test]
        fn what_is_written_reads_back_whatever_pads_it(
            identifier in any::<u8>(),
            kind in any::<u8>(),
            data in prop::collection::vec(any::<u8>(), 0..600),
            padding in prop::collection::vec(any::<u8>(), 0..4),
        ) {
            for (code, mut bytes) in [
                (Code::Request, request(identifier, kind, &data)),
                (Code::Response, response(identifier, kind, &data)),
            ] {
                bytes.extend_from_slice(&padding);
                let packet = Packet::parse(&bytes).unwrap();
                let expected = Packet { code, identifier, kind: Some(kind), data: &data };
                prop_assert_eq!(packet, expected);
            }
        }
    }
}
