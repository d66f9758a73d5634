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
        if let Some(byte) = CRYPT.get(index as usize) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode_crypt(bytes: &[u8]) -> String {
        let mut text = String::new();
        for group in bytes.chunks(3) {
            let mut bits = [0_u8; 4];
            bits[..group.len()].copy_from_slice(group);
            push_crypt(&mut text, u32::from_le_bytes(bits), group.len() + 1);
        }
        text
    }

    proptest! {
        #[test]
        fn crypt_base64_returns_what_went_in(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let text = encode_crypt(&bytes);
            prop_assert!(is_crypt_alphabet(&text));
            prop_assert_eq!(decode_crypt(&text), Some(bytes));
        }

        #[test]
        fn adapted_base64_reads_both_dialects(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let standard = encode_standard(&bytes);
            prop_assert_eq!(decode_adapted(&standard.replace('+', ".")), Some(bytes.clone()));
            prop_assert_eq!(decode_adapted(&standard), Some(bytes));
        }
    }

    #[test]
    fn a_lone_character_is_no_group() {
        assert_eq!(decode_crypt("a"), None);
        assert_eq!(decode_crypt("ab!d"), None);
    }

    #[test]
    fn decimals_have_digits_alone() {
        assert_eq!(decimal("1000"), Some(1000));
        for refused in ["", "+1", "-1", " 1", "1 ", "0x1", "4294967296"] {
            assert_eq!(decimal(refused), None, "{refused:?}");
        }
    }
}
