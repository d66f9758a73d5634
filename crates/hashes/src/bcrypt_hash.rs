//! `$2a$`, `$2b$`, `$2y$`: bcrypt.
//!
//! bcrypt reads 72 bytes and ignores the rest. Since nothing is truncated here (CONTRACT.md 6),
//! a longer password never verifies: its owner gets in again by a reset. `$2x$` marks hashes of
//! a broken implementation and is not taken; `$2a$` and `$2y$` are the same function for all
//! passwords in UTF-8.

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::base64_variants::{decimal, decode_bcrypt};
use super::cost::{BCRYPT_ROUND_NANOSECONDS, Cost};

const MAX_PASSWORD_BYTES: usize = 72;
const HASH_CHARACTERS: usize = 60;
const SALT_CHARACTERS: usize = 22;
const OUTPUT_BYTES: usize = 23;

pub(super) struct BcryptHash {
    cost: u32,
    salt: [u8; 16],
    expected: Zeroizing<Vec<u8>>,
}

impl BcryptHash {
    /// Reads `$2b$NN$` and 53 characters of salt and hash.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() != HASH_CHARACTERS {
            return None;
        }
        let rest = ["$2a$", "$2b$", "$2y$"]
            .iter()
            .find_map(|prefix| text.strip_prefix(prefix))?;
        let (cost, rest) = rest.split_once('$')?;
        let cost = (cost.len() == 2).then(|| decimal(cost)).flatten()?;
        let (salt, expected) = rest.split_at_checked(SALT_CHARACTERS)?;
        let salt = decode_bcrypt(salt)?.try_into().ok()?;
        let expected = Zeroizing::new(decode_bcrypt(expected)?);
        let valid = (4..=31).contains(&cost) && expected.len() == OUTPUT_BYTES;
        valid.then_some(Self {
            cost,
            salt,
            expected,
        })
    }

    pub(super) fn cost(&self) -> Cost {
        Cost::time(
            1_u64.checked_shl(self.cost).unwrap_or(u64::MAX),
            BCRYPT_ROUND_NANOSECONDS,
        )
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        // Terminated by NUL where there is room. A password too long costs the same time.
        let key: Zeroizing<Vec<u8>> = Zeroizing::new(
            password
                .iter()
                .copied()
                .chain([0])
                .take(MAX_PASSWORD_BYTES)
                .collect(),
        );
        let computed = Zeroizing::new(bcrypt::bcrypt(self.cost, self.salt, &key));
        let equal = computed
            .get(..OUTPUT_BYTES)
            .is_some_and(|computed| bool::from(computed.ct_eq(&self.expected)));
        equal && password.len() <= MAX_PASSWORD_BYTES
    }
}
