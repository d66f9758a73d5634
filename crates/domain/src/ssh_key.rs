//! OpenSSH public keys, parsed once at the edge (`sshd(8)`, on the file of authorised keys;
//! RFC 4253 section 6.6, RFC 5656 section 3.1, RFC 8709 section 4, OpenSSH's `PROTOCOL.u2f`).
//!
//! It knows the shape of keys and verifies no signature: that is for `sshd`.

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// The longest line, in bytes: the largest RSA key takes less than three thousand.
const MAX_LINE: usize = 4096;
/// The longest comment, in bytes.
const MAX_COMMENT: usize = 256;
/// The fewest bits of an RSA key; below it signatures can be forged.
pub const MIN_RSA_BITS: usize = 2048;
/// The most bits of an RSA key that OpenSSH takes.
const MAX_RSA_BITS: usize = 16_384;

/// Why a line is no public key that may be kept. The line itself is never quoted: it may be
/// anything, a private key included.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotASshKey {
    /// Nothing is there.
    #[error("there is no key: give a line such as 'ssh-ed25519 AAAA… comment'")]
    Empty,
    /// Too many bytes.
    #[error("the line is longer than 4096 bytes, which no key is")]
    TooLong,
    /// A private key.
    #[error(
        "this is a private key, which belongs on its owner's device alone: give the public one, \
         the file that ends in .pub (if this key was sent to anybody, make a new one)"
    )]
    Private,
    /// Another program's form of a public key.
    #[error("this is not OpenSSH's form of a public key: 'ssh-keygen -i -f FILE' converts it")]
    ForeignForm,
    /// Options before the key.
    #[error(
        "the line has options before the key, which are not kept here: give the line from the \
         key's type on, and restrict logins in sshd_config on the hosts"
    )]
    Options,
    /// A certificate.
    #[error(
        "this is a certificate, which hosts check by its authority: give the public key itself"
    )]
    Certificate,
    /// A DSA key.
    #[error("DSA keys are broken and refused by OpenSSH: make a new one (ssh-keygen -t ed25519)")]
    Dsa,
    /// A type that is not known.
    #[error(
        "the line does not begin with a type of key: ssh-ed25519, ecdsa-sha2-nistp256, -nistp384, \
         -nistp521, ssh-rsa, sk-ssh-ed25519@openssh.com or sk-ecdsa-sha2-nistp256@openssh.com"
    )]
    UnknownType,
    /// The second word is not base64.
    #[error("what follows the type is not base64: copy the whole line")]
    NotBase64,
    /// The blob names another type than the line.
    #[error("the line names another type than the key it holds")]
    OtherType,
    /// The blob is not what its type says.
    #[error("the key is damaged or cut off: copy the whole line")]
    Damaged,
    /// An RSA key that is too short or too long.
    #[error("the RSA key has {0} bits: it must have 2048 to 16384 (ssh-keygen -t ed25519)")]
    RsaBits(usize),
    /// A comment with control characters, or too long.
    #[error("the comment is longer than 256 bytes or has control characters")]
    Comment,
}

/// A type of public key that OpenSSH takes today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SshKeyType {
    /// Ed25519.
    Ed25519,
    /// ECDSA over P-256.
    EcdsaP256,
    /// ECDSA over P-384.
    EcdsaP384,
    /// ECDSA over P-521.
    EcdsaP521,
    /// RSA.
    Rsa,
    /// Ed25519 on a FIDO token.
    TokenEd25519,
    /// ECDSA over P-256 on a FIDO token.
    TokenEcdsaP256,
}

impl SshKeyType {
    const ALL: [Self; 7] = [
        Self::Ed25519,
        Self::EcdsaP256,
        Self::EcdsaP384,
        Self::EcdsaP521,
        Self::Rsa,
        Self::TokenEd25519,
        Self::TokenEcdsaP256,
    ];

    /// The name in a line and in a blob.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ssh-ed25519",
            Self::EcdsaP256 => "ecdsa-sha2-nistp256",
            Self::EcdsaP384 => "ecdsa-sha2-nistp384",
            Self::EcdsaP521 => "ecdsa-sha2-nistp521",
            Self::Rsa => "ssh-rsa",
            Self::TokenEd25519 => "sk-ssh-ed25519@openssh.com",
            Self::TokenEcdsaP256 => "sk-ecdsa-sha2-nistp256@openssh.com",
        }
    }

    fn named(name: &str) -> Result<Self, NotASshKey> {
        if let Some(kind) = Self::ALL.into_iter().find(|kind| kind.as_str() == name) {
            return Ok(kind);
        }
        Err(if name.ends_with("-cert-v01@openssh.com") {
            NotASshKey::Certificate
        } else if name == "ssh-dss" {
            NotASshKey::Dsa
        } else {
            NotASshKey::UnknownType
        })
    }
}

impl fmt::Display for SshKeyType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// SHA-256 of a key, as `ssh-keygen -l` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SshFingerprint([u8; 32]);

impl SshFingerprint {
    /// The digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for SshFingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SHA256:{}", STANDARD_NO_PAD.encode(self.0))
    }
}

impl Serialize for SshFingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A public key: type, key and comment, without options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshPublicKey {
    kind: SshKeyType,
    blob: Vec<u8>,
    comment: String,
}

impl SshPublicKey {
    /// Parses one line of a `.pub` or `authorized_keys` file.
    ///
    /// # Errors
    /// Says what the line is instead of a key that may be kept.
    pub fn parse(line: &str) -> Result<Self, NotASshKey> {
        let line = line.trim();
        if line.is_empty() {
            return Err(NotASshKey::Empty);
        }
        refuse_other_forms(line)?;
        if line.len() > MAX_LINE {
            return Err(NotASshKey::TooLong);
        }
        let (first, rest) = word(line);
        let kind = SshKeyType::named(first).map_err(|refused| match refused {
            NotASshKey::UnknownType if holds_a_type(rest) => NotASshKey::Options,
            refused => refused,
        })?;
        let (encoded, comment) = word(rest);
        if comment.len() > MAX_COMMENT || comment.chars().any(char::is_control) {
            return Err(NotASshKey::Comment);
        }
        let blob = STANDARD
            .decode(encoded)
            .map_err(|_| NotASshKey::NotBase64)?;
        check(kind, &blob)?;
        Ok(Self {
            kind,
            blob,
            comment: comment.to_owned(),
        })
    }

    /// Its type.
    pub const fn kind(&self) -> SshKeyType {
        self.kind
    }

    /// What tells it from every other key.
    pub fn fingerprint(&self) -> SshFingerprint {
        SshFingerprint(Sha256::digest(&self.blob).into())
    }

    /// What its owner calls it; may be empty.
    pub fn comment(&self) -> &str {
        &self.comment
    }
}

/// The line that `sshd` reads.
impl fmt::Display for SshPublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.kind, STANDARD.encode(&self.blob))?;
        if !self.comment.is_empty() {
            write!(formatter, " {}", self.comment)?;
        }
        Ok(())
    }
}

impl FromStr for SshPublicKey {
    type Err = NotASshKey;

    fn from_str(line: &str) -> Result<Self, NotASshKey> {
        Self::parse(line)
    }
}

impl Serialize for SshPublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The first word, and what follows it.
fn word(text: &str) -> (&str, &str) {
    let blank = |c: char| c == ' ' || c == '\t';
    match text.split_once(blank) {
        Some((word, rest)) => (word, rest.trim_matches(blank)),
        None => (text, ""),
    }
}

/// Whether a later word is a type of key, so that what stands before it are options.
fn holds_a_type(text: &str) -> bool {
    text.split([' ', '\t'])
        .any(|word| !matches!(SshKeyType::named(word), Err(NotASshKey::UnknownType)))
}

/// Refuses private keys, in every armour they come in, and public keys in that of RFC 4716 or PEM.
fn refuse_other_forms(text: &str) -> Result<(), NotASshKey> {
    if text.contains("PRIVATE KEY") || text.starts_with("PuTTY-User-Key-File") {
        return Err(NotASshKey::Private);
    }
    if text.starts_with("---- BEGIN SSH2") || text.starts_with("-----BEGIN") {
        return Err(NotASshKey::ForeignForm);
    }
    Ok(())
}

/// Holds a blob against its type, to its last byte.
fn check(kind: SshKeyType, blob: &[u8]) -> Result<(), NotASshKey> {
    let mut blob = Blob(blob);
    if blob.string()? != kind.as_str().as_bytes() {
        return Err(NotASshKey::OtherType);
    }
    match kind {
        SshKeyType::Ed25519 => blob.exactly(32)?,
        SshKeyType::TokenEd25519 => {
            blob.exactly(32)?;
            blob.application()?;
        }
        SshKeyType::EcdsaP256 => blob.point(b"nistp256", 32)?,
        SshKeyType::EcdsaP384 => blob.point(b"nistp384", 48)?,
        SshKeyType::EcdsaP521 => blob.point(b"nistp521", 66)?,
        SshKeyType::TokenEcdsaP256 => {
            blob.point(b"nistp256", 32)?;
            blob.application()?;
        }
        SshKeyType::Rsa => {
            let exponent = blob.number()?;
            let modulus = blob.number()?;
            let odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
            if !odd(exponent) || exponent == [1] || !odd(modulus) {
                return Err(NotASshKey::Damaged);
            }
            let bits = bits(modulus);
            if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
                return Err(NotASshKey::RsaBits(bits));
            }
        }
    }
    if blob.0.is_empty() {
        Ok(())
    } else {
        Err(NotASshKey::Damaged)
    }
}

fn bits(number: &[u8]) -> usize {
    let leading = number.first().map_or(0, |first| first.leading_zeros());
    (number.len() * 8).saturating_sub(usize::try_from(leading).unwrap_or(0))
}

/// What is left of a blob (RFC 4251 section 5).
struct Blob<'a>(&'a [u8]);

impl<'a> Blob<'a> {
    fn string(&mut self) -> Result<&'a [u8], NotASshKey> {
        let (length, rest) = self.0.split_first_chunk().ok_or(NotASshKey::Damaged)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let (string, rest) = rest.split_at_checked(length).ok_or(NotASshKey::Damaged)?;
        self.0 = rest;
        Ok(string)
    }

    fn exactly(&mut self, length: usize) -> Result<(), NotASshKey> {
        if self.string()?.len() == length {
            Ok(())
        } else {
            Err(NotASshKey::Damaged)
        }
    }

    /// What a token's key is for: `ssh:` and perhaps more.
    fn application(&mut self) -> Result<(), NotASshKey> {
        if self.string()?.is_empty() {
            return Err(NotASshKey::Damaged);
        }
        Ok(())
    }

    /// A curve's name and an uncompressed point with coordinates of `size` bytes.
    fn point(&mut self, curve: &[u8], size: usize) -> Result<(), NotASshKey> {
        if self.string()? != curve {
            return Err(NotASshKey::Damaged);
        }
        match self.string()?.split_first() {
            Some((4, coordinates)) if coordinates.len() == 2 * size => Ok(()),
            _ => Err(NotASshKey::Damaged),
        }
    }

    /// A positive number, without the zero that keeps it positive.
    fn number(&mut self) -> Result<&'a [u8], NotASshKey> {
        match self.string()? {
            [0, rest @ ..] if rest.first().is_some_and(|first| *first >= 0x80) => Ok(rest),
            number @ [1..=0x7f, ..] => Ok(number),
            _ => Err(NotASshKey::Damaged),
        }
    }
}
