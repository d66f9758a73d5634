//! `$1$`, MD5-crypt: Poul-Henning Kamp's scheme of 1994, for hashes imported from old systems.

use md5::{Digest as _, Md5};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::base64_variants::{is_crypt_alphabet, push_crypt};
use super::cost::{Cost, MD5_NANOSECONDS};

const PREFIX: &str = "$1$";
const ROUNDS: u32 = 1000;
const MAX_SALT_BYTES: usize = 8;
const HASH_CHARACTERS: usize = 22;

pub(super) struct Md5Crypt {
    salt: String,
    expected: Zeroizing<String>,
}

impl Md5Crypt {
    /// Reads `$1$salt$hash`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (salt, expected) = text.strip_prefix(PREFIX)?.split_once('$')?;
        let valid = salt.len() <= MAX_SALT_BYTES
            && expected.len() == HASH_CHARACTERS
            && is_crypt_alphabet(expected);
        valid.then(|| Self {
            salt: salt.to_owned(),
            expected: Zeroizing::new(expected.to_owned()),
        })
    }

    pub(super) fn cost(password_bytes: usize) -> Cost {
        // A round takes in the password at most twice, the salt, one output and the padding.
        let blocks = (2 * password_bytes + MAX_SALT_BYTES + 16 + 9).div_ceil(64) as u64;
        Cost::time(u64::from(ROUNDS) * blocks, MD5_NANOSECONDS)
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        let computed = Zeroizing::new(encode(&digest(password, self.salt.as_bytes())));
        bool::from(computed.as_bytes().ct_eq(self.expected.as_bytes()))
    }
}

fn digest(password: &[u8], salt: &[u8]) -> [u8; 16] {
    let alternate: [u8; 16] = Md5::new()
        .chain_update(password)
        .chain_update(salt)
        .chain_update(password)
        .finalize()
        .into();
    let mut hasher = Md5::new();
    hasher.update(password);
    hasher.update(PREFIX);
    hasher.update(salt);
    // As much of the alternate digest, repeated, as the password is long.
    for chunk in password.chunks(alternate.len()) {
        hasher.update(alternate.get(..chunk.len()).unwrap_or_default());
    }
    // For each bit of the length, lowest first: a NUL where it is set, else the password's first
    // byte. An accident of the original code that became the format.
    let mut length = password.len();
    while length > 0 {
        if length & 1 == 1 {
            hasher.update([0]);
        } else {
            hasher.update(password.get(..1).unwrap_or_default());
        }
        length >>= 1;
    }
    let mut state: [u8; 16] = hasher.finalize().into();
    for round in 0..ROUNDS {
        let odd = round % 2 == 1;
        let mut hasher = Md5::new();
        hasher.update(if odd { password } else { &state });
        if round % 3 != 0 {
            hasher.update(salt);
        }
        if round % 7 != 0 {
            hasher.update(password);
        }
        hasher.update(if odd { &state } else { password });
        state = hasher.finalize().into();
    }
    state
}

/// Writes the digest in the scheme's order: bytes 0, 6, 12, then 1, 7, 13 and so on, 11 last.
fn encode(digest: &[u8; 16]) -> String {
    let [
        b0,
        b1,
        b2,
        b3,
        b4,
        b5,
        b6,
        b7,
        b8,
        b9,
        b10,
        b11,
        b12,
        b13,
        b14,
        b15,
    ] = *digest;
    let mut text = String::with_capacity(HASH_CHARACTERS);
    for (high, middle, low) in [
        (b0, b6, b12),
        (b1, b7, b13),
        (b2, b8, b14),
        (b3, b9, b15),
        (b4, b10, b5),
    ] {
        push_crypt(&mut text, u32::from_be_bytes([0, high, middle, low]), 4);
    }
    push_crypt(&mut text, u32::from(b11), 2);
    text
}
