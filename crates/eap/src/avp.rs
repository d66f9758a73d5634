//! The attributes inside a TTLS tunnel (RFC 5281 §10): a sequence of Diameter AVPs, padded to four
//! octets.
//!
//! Must not know what they mean.

/// The most AVPs taken in one message; an honest one has a handful.
pub const MAX_AVPS: usize = 32;
/// The longest sequence taken, in octets: one TLS record's worth.
pub const MAX_LENGTH: usize = 16_384;

const VENDOR: u8 = 0x80;
const MANDATORY: u8 = 0x40;

/// Codes of the AVPs without vendor that TTLS uses (RFC 5281 §13.2).
pub mod code {
    /// User-Name.
    pub const USER_NAME: u32 = 1;
    /// User-Password: in the clear, since the tunnel hides it.
    pub const USER_PASSWORD: u32 = 2;
    /// CHAP-Password.
    pub const CHAP_PASSWORD: u32 = 3;
    /// EAP-Message.
    pub const EAP_MESSAGE: u32 = 79;
}

/// Microsoft's enterprise number, and the codes of its AVPs that TTLS uses (RFC 2548, RFC 5281
/// §11.2.4).
pub mod microsoft {
    /// The enterprise number.
    pub const VENDOR: u32 = 311;
    /// MS-CHAP-Challenge.
    pub const CHALLENGE: u32 = 11;
    /// MS-CHAP2-Response.
    pub const RESPONSE: u32 = 25;
    /// MS-CHAP2-Success.
    pub const SUCCESS: u32 = 26;
}

/// Why octets are no sequence of AVPs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// An AVP ends before its header, or before its length says.
    #[error("an AVP is truncated")]
    Truncated,
    /// A length below that of the header.
    #[error("an AVP has an impossible length")]
    Length,
    /// More than [`MAX_AVPS`], or longer than [`MAX_LENGTH`].
    #[error("too many AVPs")]
    TooMany,
}

/// One AVP.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Avp<'a> {
    /// Its code.
    pub code: u32,
    /// The enterprise number that the code belongs to; none is the IETF.
    pub vendor: Option<u32>,
    /// Whether a receiver that does not know it must fail.
    pub mandatory: bool,
    /// Its value, without padding.
    pub data: &'a [u8],
}

impl std::fmt::Debug for Avp<'_> {
    /// Shows no value: one of them is the password.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Avp")
            .field("code", &self.code)
            .field("vendor", &self.vendor)
            .finish_non_exhaustive()
    }
}

/// Reads a sequence. The padding of the last one may be missing.
///
/// # Errors
/// Names the rule it breaks.
pub fn parse(bytes: &[u8]) -> Result<Vec<Avp<'_>>, Malformed> {
    if bytes.len() > MAX_LENGTH {
        return Err(Malformed::TooMany);
    }
    let mut avps = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        if avps.len() >= MAX_AVPS {
            return Err(Malformed::TooMany);
        }
        let (avp, tail) = split(rest)?;
        avps.push(avp);
        rest = tail;
    }
    Ok(avps)
}

fn split(bytes: &[u8]) -> Result<(Avp<'_>, &[u8]), Malformed> {
    let (header, rest) = bytes.split_first_chunk::<8>().ok_or(Malformed::Truncated)?;
    let &[a, b, c, d, flags, high, middle, low] = header;
    let length = u32::from_be_bytes([0, high, middle, low]);
    let length = usize::try_from(length).map_err(|_| Malformed::Length)?;
    let mut body = length.checked_sub(8).ok_or(Malformed::Length)?;
    let (vendor, rest) = if flags & VENDOR == 0 {
        (None, rest)
    } else {
        body = body.checked_sub(4).ok_or(Malformed::Length)?;
        let (vendor, rest) = rest.split_first_chunk::<4>().ok_or(Malformed::Truncated)?;
        (Some(u32::from_be_bytes(*vendor)), rest)
    };
    let (data, rest) = rest.split_at_checked(body).ok_or(Malformed::Truncated)?;
    let padding = body.next_multiple_of(4) - body;
    let avp = Avp {
        code: u32::from_be_bytes([a, b, c, d]),
        vendor,
        mandatory: flags & MANDATORY != 0,
        data,
    };
    Ok((avp, rest.get(padding..).unwrap_or_default()))
}

/// Appends one AVP with its padding. Values are shorter than 2²⁴ octets.
pub fn push(bytes: &mut Vec<u8>, avp: &Avp<'_>) {
    let header = if avp.vendor.is_some() { 12 } else { 8 };
    let length = u32::try_from(header + avp.data.len()).unwrap_or(u32::MAX);
    let [_, high, middle, low] = length.to_be_bytes();
    let mut flags = 0;
    if avp.vendor.is_some() {
        flags |= VENDOR;
    }
    if avp.mandatory {
        flags |= MANDATORY;
    }
    bytes.extend_from_slice(&avp.code.to_be_bytes());
    bytes.extend_from_slice(&[flags, high, middle, low]);
    if let Some(vendor) = avp.vendor {
        bytes.extend_from_slice(&vendor.to_be_bytes());
    }
    bytes.extend_from_slice(avp.data);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_are_checked() {
        let refused = |bytes: &[u8]| parse(bytes).unwrap_err();
        assert_eq!(refused(&[0, 0, 0, 1, 0, 0, 0]), Malformed::Truncated);
        assert_eq!(refused(&[0, 0, 0, 1, 0, 0, 0, 7]), Malformed::Length);
        assert_eq!(refused(&[0, 0, 0, 1, 0, 0, 0, 9]), Malformed::Truncated);
        assert_eq!(refused(&[0, 0, 0, 1, 0x80, 0, 0, 11]), Malformed::Length);
        assert_eq!(
            refused(&[0, 0, 0, 1, 0x80, 0, 0, 12, 0, 0, 0]),
            Malformed::Truncated
        );
        assert_eq!(
            refused(&[0, 0, 0, 1, 0, 255, 255, 255, 0]),
            Malformed::Truncated
        );
        let many = [0, 0, 0, 1, 0, 0, 0, 8].repeat(MAX_AVPS + 1);
        assert_eq!(refused(&many), Malformed::TooMany);
        assert_eq!(refused(&vec![0; MAX_LENGTH + 1]), Malformed::TooMany);
    }

    #[test]
    fn the_last_padding_may_be_missing() {
        let bytes = [0, 0, 0, 1, 0x40, 0, 0, 11, b'b', b'o', b'b'];
        let avps = parse(&bytes).unwrap();
        assert_eq!(avps.len(), 1);
        assert!(avps[0].mandatory && avps[0].vendor.is_none());
        assert_eq!(avps[0].data, b"bob");
    }

    type Owned = (u32, Option<u32>, bool, Vec<u8>);

    fn owned() -> impl Strategy<Value = Vec<Owned>> {
        let data = prop::collection::vec(any::<u8>(), 0..40);
        let one = (any::<u32>(), any::<Option<u32>>(), any::<bool>(), data);
        prop::collection::vec(one, 0..8)
    }

    proptest! {
        #[test]
        fn any_octets_parse_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn what_is_written_reads_back(list in owned()) {
            let mut bytes = Vec::new();
            for (code, vendor, mandatory, data) in &list {
                let avp = Avp { code: *code, vendor: *vendor, mandatory: *mandatory, data };
                push(&mut bytes, &avp);
            }
            let read: Vec<Owned> = parse(&bytes)
                .unwrap()
                .into_iter()
                .map(|avp| (avp.code, avp.vendor, avp.mandatory, avp.data.to_vec()))
                .collect();
            prop_assert_eq!(read, list);
        }
    }
}
