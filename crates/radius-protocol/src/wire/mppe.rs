//! The keys that a NAS gets with an acceptance, hidden under salt (RFC 2548 §2.4.2, §2.4.3).

use md5::{Digest as _, Md5};
use zeroize::Zeroizing;

use super::Authenticator;
use doorward_domain::secret::Secret;

/// Microsoft's enterprise number (RFC 2548).
pub const MICROSOFT: [u8; 4] = 311_u32.to_be_bytes();

const BLOCK: usize = 16;

/// Which of the two keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MppeKey {
    /// MS-MPPE-Send-Key: the NAS sends under it.
    Send,
    /// MS-MPPE-Recv-Key: the NAS receives under it.
    Receive,
}

impl MppeKey {
    /// The vendor's number of the attribute.
    pub const fn number(self) -> u8 {
        match self {
            Self::Send => 16,
            Self::Receive => 17,
        }
    }
}

/// The value of a Vendor-Specific attribute with a key in it. `salt` must be unique in its packet;
/// its highest bit is set here, as it must be. Keys are shorter than 240 octets.
pub fn mppe_key(
    which: MppeKey,
    key: &[u8],
    salt: u16,
    authenticator: &Authenticator,
    secret: &Secret,
) -> Vec<u8> {
    let salt = (salt | 0x8000).to_be_bytes();
    let length = (1 + key.len()).next_multiple_of(BLOCK);
    let mut plain = Zeroizing::new(Vec::with_capacity(length));
    plain.push(u8::try_from(key.len()).unwrap_or(u8::MAX));
    plain.extend_from_slice(key);
    plain.resize(length, 0);

    let attribute = u8::try_from(4 + length).unwrap_or(u8::MAX);
    let mut value = Vec::with_capacity(8 + length);
    value.extend_from_slice(&MICROSOFT);
    value.extend_from_slice(&[which.number(), attribute]);
    value.extend_from_slice(&salt);
    let mut digest = Md5::new();
    digest.update(secret.expose());
    digest.update(authenticator);
    digest.update(salt);
    let mut pad: Zeroizing<[u8; BLOCK]> = Zeroizing::new(digest.finalize().into());
    for block in plain.as_chunks::<BLOCK>().0 {
        let start = value.len();
        value.extend(block.iter().zip(pad.iter()).map(|(clear, pad)| clear ^ pad));
        let mut digest = Md5::new();
        digest.update(secret.expose());
        digest.update(value.get(start..).unwrap_or_default());
        pad = Zeroizing::new(digest.finalize().into());
    }
    value
}

/// Reads what [`mppe_key`] wrote, as a NAS does; nothing where it is another attribute, or one
/// under another secret.
pub fn reveal_mppe_key(
    which: MppeKey,
    value: &[u8],
    authenticator: &Authenticator,
    secret: &Secret,
) -> Option<Zeroizing<Vec<u8>>> {
    let rest = value.strip_prefix(&MICROSOFT)?;
    let (&[number, length], rest) = rest.split_first_chunk::<2>()?;
    if number != which.number() || usize::from(length) != rest.len() + 2 {
        return None;
    }
    let (salt, hidden) = rest.split_first_chunk::<2>()?;
    let mut digest = Md5::new();
    digest.update(secret.expose());
    digest.update(authenticator);
    digest.update(salt);
    let mut pad: Zeroizing<[u8; BLOCK]> = Zeroizing::new(digest.finalize().into());
    let mut plain = Zeroizing::new(Vec::with_capacity(hidden.len()));
    for block in hidden.as_chunks::<BLOCK>().0 {
        plain.extend(
            block
                .iter()
                .zip(pad.iter())
                .map(|(hidden, pad)| hidden ^ pad),
        );
        let mut digest = Md5::new();
        digest.update(secret.expose());
        digest.update(block);
        pad = Zeroizing::new(digest.finalize().into());
    }
    let (&length, key) = plain.split_first()?;
    Some(Zeroizing::new(key.get(..usize::from(length))?.to_vec()))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_octets_are_those_of_another_implementation() {
        // Computed with an implementation of RFC 2548 §2.4.3 apart from this one, in Python's
        // hashlib: secret "testing123", Request Authenticator 00..0f, salt 0x8a5c, key 20..3f.
        let authenticator: Authenticator =
            std::array::from_fn(|index| u8::try_from(index).unwrap());
        let key: Vec<u8> = (0x20..0x40).collect();
        let secret = Secret::new(b"testing123".to_vec());
        let value = mppe_key(MppeKey::Receive, &key, 0x0a5c, &authenticator, &secret);
        let mut shown = String::new();
        for octet in value {
            write!(shown, "{octet:02x}").unwrap();
        }
        assert_eq!(
            shown,
            "0000013711348a5ccfd6b29fcf886434a990356a57312a1f7f82b5eeae4eb15caf2947e9cf7853ee1426551ac63038de4f47201811683e05"
        );
    }

    proptest! {
        #[test]
        fn keys_survive_hiding(
            key in prop::collection::vec(any::<u8>(), 0..=64),
            salt in any::<u16>(),
            authenticator in any::<[u8; 16]>(),
            secret in prop::collection::vec(any::<u8>(), 1..40),
        ) {
            let secret = Secret::new(secret);
            for which in [MppeKey::Send, MppeKey::Receive] {
                let value = mppe_key(which, &key, salt, &authenticator, &secret);
                prop_assert!(value[6] & 0x80 != 0);
                let revealed = reveal_mppe_key(which, &value, &authenticator, &secret).unwrap();
                prop_assert_eq!(revealed.as_slice(), &key[..]);
            }
        }

        #[test]
        fn any_octets_reveal_something_or_nothing(value in prop::collection::vec(any::<u8>(), 0..80)) {
            let secret = Secret::new(b"s".to_vec());
            let mut bytes = MICROSOFT.to_vec();
            bytes.extend_from_slice(&value);
            let _ = reveal_mppe_key(MppeKey::Send, &bytes, &[0; 16], &secret);
        }
    }
}
