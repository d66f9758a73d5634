//! `{SHA}`, `{SSHA}` and their SHA-2 kin: one digest of password and salt (RFC 2307, and
//! OpenLDAP's `{SSHA}`, `pw-sha2`).

use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::base64_variants::decode_standard;
use super::cost::{Cost, SHA1_NANOSECONDS, SHA256_NANOSECONDS, SHA512_NANOSECONDS};

/// A digest that schemes are built on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digest {
    Sha1,
    Sha256,
    Sha512,
}

impl Digest {
    pub(super) fn output_bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// Bytes that one compression takes in.
    pub(super) fn block_bytes(self) -> usize {
        match self {
            Self::Sha1 | Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }

    /// Estimated time of one compression.
    pub(super) fn block_nanoseconds(self) -> u64 {
        match self {
            Self::Sha1 => SHA1_NANOSECONDS,
            Self::Sha256 => SHA256_NANOSECONDS,
            Self::Sha512 => SHA512_NANOSECONDS,
        }
    }
}

/// Whether a scheme's name promises a salt after the digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Salting {
    Salted,
    Unsalted,
}

/// One digest of the password followed by the salt, if any.
pub(super) struct DigestHash {
    digest: Digest,
    salt: Vec<u8>,
    expected: Zeroizing<Vec<u8>>,
}

impl DigestHash {
    /// Reads what follows the scheme: base64 of the digest and then the salt.
    pub(super) fn parse(digest: Digest, salting: Salting, text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(decode_standard(text)?);
        let (expected, salt) = bytes.split_at_checked(digest.output_bytes())?;
        if (salting == Salting::Salted) == salt.is_empty() {
            return None;
        }
        Some(Self {
            digest,
            salt: salt.to_vec(),
            expected: Zeroizing::new(expected.to_vec()),
        })
    }

    pub(super) fn cost(&self, password_bytes: usize) -> Cost {
        let blocks = (password_bytes + self.salt.len()) / self.digest.block_bytes() + 2;
        Cost::time(blocks as u64, self.digest.block_nanoseconds())
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        let equal = match self.digest {
            Digest::Sha1 => self.compare(
                &Sha1::new()
                    .chain_update(password)
                    .chain_update(&self.salt)
                    .finalize(),
            ),
            Digest::Sha256 => self.compare(
                &Sha256::new()
                    .chain_update(password)
                    .chain_update(&self.salt)
                    .finalize(),
            ),
            Digest::Sha512 => self.compare(
                &Sha512::new()
                    .chain_update(password)
                    .chain_update(&self.salt)
                    .finalize(),
            ),
        };
        bool::from(equal)
    }

    fn compare(&self, computed: &[u8]) -> subtle::Choice {
        computed.ct_eq(&self.expected)
    }
}
