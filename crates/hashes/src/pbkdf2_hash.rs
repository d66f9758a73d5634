//! PBKDF2 (RFC 8018 §5.2) as OpenLDAP, 389 Directory Server, passlib and PHC strings write it.

use hmac::Hmac;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::base64_variants::{decimal, decode_adapted, decode_standard};
use super::cost::Cost;
use super::digest::Digest;

/// Shorter outputs would match too easily, longer ones nobody writes.
const EXPECTED_BYTES: std::ops::RangeInclusive<usize> = 16..=256;
/// 389 Directory Server's `{PBKDF2_SHA256}`: iterations, salt and output of fixed lengths.
const PACKED_SALT_BYTES: usize = 64;
const PACKED_OUTPUT_BYTES: usize = 256;

pub(super) struct Pbkdf2Hash {
    digest: Digest,
    iterations: u32,
    salt: Vec<u8>,
    expected: Zeroizing<Vec<u8>>,
}

impl Pbkdf2Hash {
    /// Reads `iterations$salt$hash` in adapted base64 (OpenLDAP's `pw-pbkdf2`, 389 Directory
    /// Server, passlib), or `i=iterations[,l=length]$salt$hash` (PHC).
    pub(super) fn parse(digest: Digest, text: &str) -> Option<Self> {
        let mut fields = text.split('$');
        let (parameters, salt, expected) = (fields.next()?, fields.next()?, fields.next()?);
        if fields.next().is_some() {
            return None;
        }
        let (iterations, length) = match parameters.strip_prefix("i=") {
            None => (parameters, None),
            Some(phc) => match phc.split_once(",l=") {
                None => (phc, None),
                Some((iterations, length)) => (iterations, Some(decimal(length)?)),
            },
        };
        let length = match length {
            None => digest.output_bytes(),
            Some(length) => usize::try_from(length).ok()?,
        };
        // A part of an output is the output of a shorter length, so that a hash cut short would
        // still match. The length is therefore the scheme's, or written down.
        let expected = decode_adapted(expected)?;
        if expected.len() != length {
            return None;
        }
        Self::new(
            digest,
            decimal(iterations)?,
            decode_adapted(salt)?,
            expected,
        )
    }

    /// Reads 389 Directory Server's older `{PBKDF2_SHA256}`: one base64 of iterations (four
    /// bytes, big-endian), 64 bytes of salt and 256 of output.
    pub(super) fn parse_packed(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(decode_standard(text)?);
        let (iterations, rest) = bytes.split_first_chunk::<4>()?;
        let (salt, expected) = rest.split_at_checked(PACKED_SALT_BYTES)?;
        if expected.len() != PACKED_OUTPUT_BYTES {
            return None;
        }
        let iterations = u32::from_be_bytes(*iterations);
        Self::new(Digest::Sha256, iterations, salt.to_vec(), expected.to_vec())
    }

    fn new(digest: Digest, iterations: u32, salt: Vec<u8>, expected: Vec<u8>) -> Option<Self> {
        let expected = Zeroizing::new(expected);
        let valid = iterations > 0 && !salt.is_empty() && EXPECTED_BYTES.contains(&expected.len());
        valid.then_some(Self {
            digest,
            iterations,
            salt,
            expected,
        })
    }

    pub(super) fn cost(&self) -> Cost {
        let chunks = self.expected.len().div_ceil(self.digest.output_bytes()) as u64;
        let compressions = u64::from(self.iterations)
            .saturating_mul(2)
            .saturating_mul(chunks);
        Cost::time(compressions, self.digest.block_nanoseconds())
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        let mut computed = Zeroizing::new(vec![0; self.expected.len()]);
        let (salt, iterations) = (&self.salt, self.iterations);
        let derived = match self.digest {
            Digest::Sha1 => pbkdf2::pbkdf2::<Hmac<Sha1>>(password, salt, iterations, &mut computed),
            Digest::Sha256 => {
                pbkdf2::pbkdf2::<Hmac<Sha256>>(password, salt, iterations, &mut computed)
            }
            Digest::Sha512 => {
                pbkdf2::pbkdf2::<Hmac<Sha512>>(password, salt, iterations, &mut computed)
            }
        };
        derived.is_ok() && bool::from(computed.ct_eq(&self.expected))
    }
}
