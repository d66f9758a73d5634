//! A stored hash: which scheme it is, what it costs, and whether a password matches it.

use std::fmt;

use super::argon2id::{Argon2Hash, Argon2Parameters, Memory};
use super::bcrypt_hash::BcryptHash;
use super::cost::{Cost, MAX_MEMORY_KIB, MAX_MILLISECONDS, TYPICAL_PASSWORD_BYTES};
use super::digest::{Digest, DigestHash, Salting};
use super::md5_crypt::Md5Crypt;
use super::pbkdf2_hash::Pbkdf2Hash;
use super::sha_crypt_hash::ShaCryptHash;
use super::yescrypt_hash::YescryptHash;
use doorward_domain::secret::{HashText, Password};

/// The longest text that is looked at as a hash, in bytes.
pub const MAX_HASH_BYTES: usize = 1024;

/// Why a text is no hash that verifies here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HashRefused {
    /// No hash at all.
    #[error("the password hash is empty")]
    Empty,
    /// Marked by `!` or `*`, as in a shadow file.
    #[error("the password hash is disabled (it starts with `!` or `*`)")]
    Disabled,
    /// Longer than [`MAX_HASH_BYTES`].
    #[error("the password hash is longer than {MAX_HASH_BYTES} bytes")]
    TooLong,
    /// A scheme that is not supported, cleartext included.
    #[error("the password hash's scheme is not supported")]
    UnknownScheme,
    /// A known scheme, wrongly written.
    #[error("the password hash is not a well-formed {scheme} hash")]
    Malformed {
        /// The scheme that was read.
        scheme: &'static str,
    },
    /// One verification would take longer than [`MAX_MILLISECONDS`].
    #[error(
        "verifying the password hash would take about {milliseconds} ms \
         (at most {MAX_MILLISECONDS} ms)"
    )]
    TooSlow {
        /// The estimate.
        milliseconds: u64,
    },
    /// One verification would take more than [`MAX_MEMORY_KIB`].
    #[error(
        "verifying the password hash would take {memory_kib} KiB of memory \
         (at most {MAX_MEMORY_KIB} KiB)"
    )]
    TooMuchMemory {
        /// The memory needed.
        memory_kib: u64,
    },
}

/// A hash whose scheme is known and well-formed.
pub struct StoredHash(Scheme);

enum Scheme {
    Argon2(Argon2Hash),
    Digest(DigestHash),
    Pbkdf2(Pbkdf2Hash),
    Md5Crypt(Md5Crypt),
    ShaCrypt(ShaCryptHash),
    Bcrypt(BcryptHash),
    Yescrypt(YescryptHash),
}

impl StoredHash {
    /// Reads a PHC string, an LDAP `{SCHEME}` value (RFC 2307; the name in any case), or a
    /// `crypt(3)` string with or without `{CRYPT}`.
    ///
    /// # Errors
    /// Says why the text is no hash. Cost is not looked at here.
    pub fn parse(hash: &HashText) -> Result<Self, HashRefused> {
        let text = hash.expose();
        if text.trim().is_empty() {
            return Err(HashRefused::Empty);
        }
        if text.len() > MAX_HASH_BYTES {
            return Err(HashRefused::TooLong);
        }
        let scheme = match text.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some((scheme, value)) => parse_ldap(scheme, value)?,
            None => parse_modular(text)?,
        };
        Ok(Self(scheme))
    }

    /// Whether the hash may be imported: one second and 64 MiB at most (CONTRACT.md 6).
    ///
    /// # Errors
    /// [`HashRefused::TooSlow`] or [`HashRefused::TooMuchMemory`].
    pub fn admit_for_import(&self) -> Result<(), HashRefused> {
        self.cost(TYPICAL_PASSWORD_BYTES).check()
    }

    /// What verifying a password of so many bytes costs, estimated.
    pub fn cost(&self, password_bytes: usize) -> Cost {
        match &self.0 {
            Scheme::Argon2(hash) => hash.cost(),
            Scheme::Digest(hash) => hash.cost(password_bytes),
            Scheme::Pbkdf2(hash) => hash.cost(),
            Scheme::Md5Crypt(_) => Md5Crypt::cost(password_bytes),
            Scheme::ShaCrypt(hash) => hash.cost(password_bytes),
            Scheme::Bcrypt(hash) => hash.cost(),
            Scheme::Yescrypt(hash) => hash.cost(),
        }
    }

    /// Whether the password matches, computed on the calling thread and compared in constant
    /// time; services go through `HashingPool` of `doorward-hashing`.
    ///
    /// # Errors
    /// Refuses, and computes nothing, where this hash and this password together exceed the
    /// bounds of [`Self::admit_for_import`]; SHA-crypt's cost grows with the password.
    pub fn matches(&self, password: &Password, memory: &mut Memory) -> Result<bool, HashRefused> {
        let password = password.as_bytes();
        self.cost(password.len()).check()?;
        Ok(match &self.0 {
            Scheme::Argon2(hash) => hash.matches(password, memory),
            Scheme::Digest(hash) => hash.matches(password),
            Scheme::Pbkdf2(hash) => hash.matches(password),
            Scheme::Md5Crypt(hash) => hash.matches(password),
            Scheme::ShaCrypt(hash) => hash.matches(password),
            Scheme::Bcrypt(hash) => hash.matches(password),
            Scheme::Yescrypt(hash) => hash.matches(password),
        })
    }

    /// Whether a verified password should be hashed anew: another scheme, or other parameters
    /// than these (CONTRACT.md 6).
    pub fn needs_rehash(&self, parameters: &Argon2Parameters) -> bool {
        match &self.0 {
            Scheme::Argon2(hash) => !hash.is_made_with(*parameters),
            _ => true,
        }
    }

    /// The scheme's name, for messages.
    pub fn scheme(&self) -> &'static str {
        match &self.0 {
            Scheme::Argon2(_) => "argon2",
            Scheme::Digest(_) => "SHA",
            Scheme::Pbkdf2(_) => "PBKDF2",
            Scheme::Md5Crypt(_) => "MD5-crypt",
            Scheme::ShaCrypt(_) => "SHA-crypt",
            Scheme::Bcrypt(_) => "bcrypt",
            Scheme::Yescrypt(_) => "yescrypt",
        }
    }
}

impl fmt::Debug for StoredHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "StoredHash({})", self.scheme())
    }
}

fn parse_ldap(scheme: &str, value: &str) -> Result<Scheme, HashRefused> {
    use {
        Digest::{Sha1, Sha256, Sha512},
        Salting::{Salted, Unsalted},
    };
    let digest = |digest, salting| {
        let hash = DigestHash::parse(digest, salting, value).map(Scheme::Digest);
        hash.ok_or(HashRefused::Malformed { scheme: "SHA" })
    };
    match scheme.to_ascii_uppercase().as_str() {
        "ARGON2" => parse_argon2(value),
        "CRYPT" => parse_modular(value),
        "SHA" => digest(Sha1, Unsalted),
        "SSHA" => digest(Sha1, Salted),
        "SHA256" => digest(Sha256, Unsalted),
        "SSHA256" => digest(Sha256, Salted),
        "SHA512" => digest(Sha512, Unsalted),
        "SSHA512" => digest(Sha512, Salted),
        "PBKDF2" | "PBKDF2-SHA1" => parse_pbkdf2(Sha1, value),
        "PBKDF2-SHA256" => parse_pbkdf2(Sha256, value),
        "PBKDF2-SHA512" => parse_pbkdf2(Sha512, value),
        "PBKDF2_SHA256" => Pbkdf2Hash::parse_packed(value)
            .map(Scheme::Pbkdf2)
            .ok_or(HashRefused::Malformed { scheme: "PBKDF2" }),
        _ => Err(HashRefused::UnknownScheme),
    }
}

/// Reads what starts with `$name$`.
fn parse_modular(text: &str) -> Result<Scheme, HashRefused> {
    if text.starts_with(['!', '*']) {
        return Err(HashRefused::Disabled);
    }
    let Some((name, value)) = text.strip_prefix('$').and_then(|rest| rest.split_once('$')) else {
        return Err(if text.is_empty() {
            HashRefused::Empty
        } else {
            HashRefused::UnknownScheme
        });
    };
    let known = |hash: Option<Scheme>, scheme| hash.ok_or(HashRefused::Malformed { scheme });
    match name {
        "argon2id" | "argon2i" | "argon2d" => parse_argon2(text),
        "pbkdf2" | "pbkdf2-sha1" => parse_pbkdf2(Digest::Sha1, value),
        "pbkdf2-sha256" => parse_pbkdf2(Digest::Sha256, value),
        "pbkdf2-sha512" => parse_pbkdf2(Digest::Sha512, value),
        "1" => known(Md5Crypt::parse(text).map(Scheme::Md5Crypt), "MD5-crypt"),
        "5" | "6" => known(ShaCryptHash::parse(text).map(Scheme::ShaCrypt), "SHA-crypt"),
        "2a" | "2b" | "2y" => known(BcryptHash::parse(text).map(Scheme::Bcrypt), "bcrypt"),
        "y" => known(YescryptHash::parse(text).map(Scheme::Yescrypt), "yescrypt"),
        _ => Err(HashRefused::UnknownScheme),
    }
}

fn parse_argon2(text: &str) -> Result<Scheme, HashRefused> {
    let hash = Argon2Hash::parse(text).map(Scheme::Argon2);
    hash.ok_or(HashRefused::Malformed { scheme: "argon2" })
}

fn parse_pbkdf2(digest: Digest, text: &str) -> Result<Scheme, HashRefused> {
    let hash = Pbkdf2Hash::parse(digest, text).map(Scheme::Pbkdf2);
    hash.ok_or(HashRefused::Malformed { scheme: "PBKDF2" })
}

#[cfg(test)]
mod tests;
