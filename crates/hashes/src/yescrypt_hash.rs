//! `$y$`: yescrypt, the default of `crypt(3)` on current Linux distributions.

use subtle::ConstantTimeEq as _;
use yescrypt::{Mode, Params};
use zeroize::Zeroizing;

use super::base64_variants::decode_crypt;
use super::cost::{Cost, YESCRYPT_UNIT_NANOSECONDS};

/// More than any parameters that are taken need.
const MAX_PARAMETER_CHARACTERS: usize = 16;
const MAX_SALT_BYTES: usize = 64;
/// The only length that `crypt(3)` writes. Any other is refused: an empty one would match every
/// password.
const OUTPUT_BYTES: usize = 32;

pub(super) struct YescryptHash {
    params: Params,
    salt: Vec<u8>,
    expected: Zeroizing<Vec<u8>>,
}

impl YescryptHash {
    /// Reads `$y$parameters$salt$hash` with the parameters `crypt(3)` writes: the default
    /// flavour, one lane, and nothing but memory and block size chosen.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut fields = text.strip_prefix("$y$")?.split('$');
        let (parameters, salt, expected) = (fields.next()?, fields.next()?, fields.next()?);
        if fields.next().is_some() || parameters.len() > MAX_PARAMETER_CHARACTERS {
            return None;
        }
        let params: Params = parameters.parse().ok()?;
        if Params::new(Mode::Rw, params.n(), params.r(), 1).ok()? != params {
            return None;
        }
        let salt = decode_crypt(salt)?;
        let expected = Zeroizing::new(decode_crypt(expected)?);
        let valid = salt.len() <= MAX_SALT_BYTES && expected.len() == OUTPUT_BYTES;
        valid.then_some(Self {
            params,
            salt,
            expected,
        })
    }

    pub(super) fn cost(&self) -> Cost {
        let units = self.params.n().saturating_mul(u64::from(self.params.r()));
        Cost::new(
            units.saturating_mul(YESCRYPT_UNIT_NANOSECONDS),
            units.div_ceil(8),
        )
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        let mut computed = Zeroizing::new([0; OUTPUT_BYTES]);
        yescrypt::yescrypt(password, &self.salt, &self.params, computed.as_mut_slice()).is_ok()
            && bool::from(computed.ct_eq(&self.expected))
    }
}
