//! The base64 dialects that hashes are written in.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

/// Padding or none, and whatever the unused last bits hold: old software leaves them set.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_encode_padding(false)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);

const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BCRYPT: GeneralPurpose = GeneralPurpose::new(&alphabet::BCRYPT, LENIENT);

/// Standard base64, without padding: PHC strings.
pub(super) fn encode_standard(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Standard base64, padded or not.
pub(super) fn decode_standard(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Passlib's adapted base64, `.` for `+`; also takes standard base64.
pub(super) fn decode_adapted(text: &str) -> Option<Vec<u8>> {
    decode_standard(&text.replace('.', "+"))
}

/// bcrypt's alphabet.
pub(super) fn decode_bcrypt(text: &str) -> Option<Vec<u8>> {
    BCRYPT.decode(text).ok()
}

/// The alphabet of `crypt(3)`.
const CRYPT: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Whether every byte belongs to the alphabet of `crypt(3)`.
pub(super) fn is_crypt_alphabet(text: &str) -> bool {
    text.bytes().all(|byte| CRYPT.contains(&byte))
}

/// Writes `characters` characters of six bits each, lowest bits first, as `crypt(3)` does.
pub(super) fn push_crypt(text: &mut String, bits: u32, characters: usize) {
    for place in 0..characters {
        let index = (bits >> (6 * place)) & 0x3f;
        if let Some(byte) = CRYPT.iter().nth(index as usize) {
            text.push(char::from(*byte));
        }
    }
}

/// Reads groups of four characters as three bytes, lowest bits first: yescrypt's salt and hash.
pub(super) fn decode_crypt(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    for group in text.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for (place, byte) in group.iter().enumerate() {
            let value = CRYPT.iter().position(|known| known == byte)?;
            bits |= u32::try_from(value).ok()? << (6 * place);
        }
        let whole = match group.len() {
            4 => 3,
            3 => 2,
            2 => 1,
            _ => return None,
        };
        bytes.extend(bits.to_le_bytes().iter().take(whole));
    }
    Some(bytes)
}

/// A decimal number of digits alone: no sign, no space.
pub(super) fn decimal(text: &str) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}
