//! `$5$` and `$6$`, SHA-crypt: Ulrich Drepper's scheme of glibc 2.7.

use sha_crypt::{PasswordHashRef, PasswordVerifier as _, ShaCrypt};
use zeroize::Zeroizing;

use super::base64_variants::{decimal, is_crypt_alphabet};
use super::cost::Cost;
use super::digest::Digest;

const DEFAULT_ROUNDS: u32 = 5000;
/// What the scheme allows: `crypt(3)` raises fewer rounds to the minimum and stores that.
const ROUNDS: std::ops::RangeInclusive<u32> = 1000..=999_999_999;
const MAX_SALT_BYTES: usize = 16;

pub(super) struct ShaCryptHash {
    digest: Digest,
    rounds: u32,
    text: Zeroizing<String>,
}

impl ShaCryptHash {
    /// Reads `$5$[rounds=N$]salt$hash` and `$6$…`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (digest, rest) = match (text.strip_prefix("$5$"), text.strip_prefix("$6$")) {
            (Some(rest), _) => (Digest::Sha256, rest),
            (_, Some(rest)) => (Digest::Sha512, rest),
            _ => return None,
        };
        let (rounds, rest) = match rest.strip_prefix("rounds=") {
            None => (DEFAULT_ROUNDS, rest),
            Some(rest) => {
                let (rounds, rest) = rest.split_once('$')?;
                (decimal(rounds)?, rest)
            }
        };
        let (salt, hash) = rest.split_once('$')?;
        let hash_characters = match digest {
            Digest::Sha256 => 43,
            _ => 86,
        };
        let valid = ROUNDS.contains(&rounds)
            && salt.len() <= MAX_SALT_BYTES
            && hash.len() == hash_characters
            && is_crypt_alphabet(hash)
            && PasswordHashRef::new(text).is_ok();
        valid.then(|| Self {
            digest,
            rounds,
            text: Zeroizing::new(text.to_owned()),
        })
    }

    pub(super) fn cost(&self, password_bytes: usize) -> Cost {
        // A round takes in the password at most twice, the salt, one output and the padding.
        let bytes = 2 * password_bytes + MAX_SALT_BYTES + self.digest.output_bytes() + 17;
        let blocks = bytes.div_ceil(self.digest.block_bytes()) as u64;
        Cost::time(
            u64::from(self.rounds).saturating_mul(blocks),
            self.digest.block_nanoseconds(),
        )
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        // The crate compares in constant time.
        ShaCrypt::default()
            .verify_password(password, self.text.as_str())
            .is_ok()
    }
}
