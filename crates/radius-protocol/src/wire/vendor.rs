//! Attributes inside Vendor-Specific ones (RFC 2865 5.26), as Microsoft and most others write them:
//! a number and a length, an octet each.

use super::{Packet, kind, split_attribute};

/// MS-CHAP-Response: version 1.
pub const MS_CHAP_RESPONSE: u8 = 1;
/// MS-CHAP-Error.
pub const MS_CHAP_ERROR: u8 = 2;
/// MS-CHAP-CPW-1: a change of password.
pub const MS_CHAP_CPW_1: u8 = 3;
/// MS-CHAP-CPW-2: a change of password.
pub const MS_CHAP_CPW_2: u8 = 4;
/// MS-MPPE-Encryption-Policy.
pub const MS_MPPE_ENCRYPTION_POLICY: u8 = 7;
/// MS-MPPE-Encryption-Types.
pub const MS_MPPE_ENCRYPTION_TYPES: u8 = 8;
/// MS-CHAP-Challenge.
pub const MS_CHAP_CHALLENGE: u8 = 11;
/// MS-CHAP2-Response.
pub const MS_CHAP2_RESPONSE: u8 = 25;
/// MS-CHAP2-Success.
pub const MS_CHAP2_SUCCESS: u8 = 26;
/// MS-CHAP2-CPW: a change of password.
pub const MS_CHAP2_CPW: u8 = 27;

/// Every attribute of one vendor, number and value, in order. One whose length is impossible has no
/// value, and ends the Vendor-Specific one it is in.
pub fn attributes<'a>(
    packet: &Packet<'a>,
    vendor: [u8; 4],
) -> impl Iterator<Item = (u8, Option<&'a [u8]>)> + use<'a> {
    packet
        .all(kind::VENDOR_SPECIFIC)
        .filter_map(move |value| value.strip_prefix(&vendor))
        .flat_map(|mut rest| {
            std::iter::from_fn(move || {
                let number = *rest.first()?;
                let (value, tail) = match split_attribute(rest) {
                    Some((attribute, tail)) => (Some(attribute.value), tail),
                    None => (None, &[][..]),
                };
                rest = tail;
                Some((number, value))
            })
        })
}
