//! Secrets as types: no `Debug` of their content, wiped on drop.

use std::fmt;

use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

/// The longest password accepted, in bytes after normalisation (CONTRACT.md 6).
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// Why bytes cannot be a password at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordShape {
    /// No bytes.
    #[error("the password is empty")]
    Empty,
    /// More than [`MAX_PASSWORD_BYTES`].
    #[error("the password is longer than 1024 bytes")]
    TooLong,
    /// A NUL byte, which some verifiers would cut at.
    #[error("the password contains a NUL character")]
    ContainsNul,
    /// Bytes that are not UTF-8 where a new password is set.
    #[error("the password is not valid UTF-8")]
    NotUtf8,
}

/// A password as typed, NFC-normalised where it is UTF-8 (CONTRACT.md 6).
///
/// Bytes that are not UTF-8 are kept as they came: they can match an imported hash and never
/// anything set here, since [`Password::new`] refuses them.
#[derive(Clone)]
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    /// Takes a password that a client presents for verification.
    ///
    /// # Errors
    /// Names what makes the bytes no password at all.
    pub fn presented(bytes: &[u8]) -> Result<Self, PasswordShape> {
        if bytes.is_empty() {
            return Err(PasswordShape::Empty);
        }
        if bytes.len() > MAX_PASSWORD_BYTES {
            return Err(PasswordShape::TooLong);
        }
        if bytes.contains(&0) {
            return Err(PasswordShape::ContainsNul);
        }
        let normalised = match std::str::from_utf8(bytes) {
            Ok(text) => {
                // Reserved up front so that growing never leaves unwiped copies behind: NFC makes
                // no text more than three times as long in UTF-8.
                let mut composed = Zeroizing::new(String::with_capacity(bytes.len() * 3));
                composed.extend(text.nfc());
                composed.as_bytes().to_vec()
            }
            Err(_) => bytes.to_vec(),
        };
        if normalised.len() > MAX_PASSWORD_BYTES {
            return Err(PasswordShape::TooLong);
        }
        Ok(Self(Zeroizing::new(normalised)))
    }

    /// Takes a new password that is to be set.
    ///
    /// # Errors
    /// As [`Password::presented`], and refuses bytes that are not UTF-8.
    pub fn new(bytes: &[u8]) -> Result<Self, PasswordShape> {
        if std::str::from_utf8(bytes).is_err() {
            return Err(PasswordShape::NotUtf8);
        }
        Self::presented(bytes)
    }

    /// The normalised bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The password as text, where it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(…)")
    }
}

/// Any other secret: a RADIUS shared secret, a link's token, a key.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes ownership of the bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the one computation that needs them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The number of bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// A password hash as stored: a PHC string, or an imported scheme such as `{SSHA}…`.
///
/// Opaque everywhere but in `hashing`.
#[derive(Clone, PartialEq, Eq)]
pub struct HashText(Zeroizing<String>);

impl HashText {
    /// Wraps the text of a hash; `hashing` decides whether it can verify anything.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text, for `hashing` and the store.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for HashText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HashText(…)")
    }
}

/// A network password as it is kept: encrypted. Opaque everywhere but in `network_password`.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedNetworkPassword(Vec<u8>);

impl SealedNetworkPassword {
    /// Wraps the octets; `network_password` decides whether they can be opened.
    pub fn new(octets: Vec<u8>) -> Self {
        Self(octets)
    }

    /// The octets, for `network_password` and the store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SealedNetworkPassword {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SealedNetworkPassword(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composed_and_decomposed_forms_are_one_password() {
        let composed = Password::presented("caf\u{e9} au lait".as_bytes()).unwrap();
        let decomposed = Password::presented("cafe\u{301} au lait".as_bytes()).unwrap();
        assert_eq!(composed.as_bytes(), decomposed.as_bytes());
    }

    #[test]
    fn nul_empty_and_overlong_are_refused() {
        assert_eq!(Password::presented(b"").unwrap_err(), PasswordShape::Empty);
        assert_eq!(
            Password::presented(b"a\0b").unwrap_err(),
            PasswordShape::ContainsNul
        );
        assert_eq!(
            Password::presented(&[b'a'; 1025]).unwrap_err(),
            PasswordShape::TooLong
        );
        assert!(Password::presented(&[b'a'; 1024]).is_ok());
    }

    #[test]
    fn latin1_may_be_presented_and_never_set() {
        assert!(Password::presented(b"caf\xe9").is_ok());
        assert_eq!(
            Password::new(b"caf\xe9").unwrap_err(),
            PasswordShape::NotUtf8
        );
    }

    #[test]
    fn nothing_secret_is_shown() {
        let shown = format!(
            "{:?} {:?} {:?}",
            Password::presented(b"hunter2").unwrap(),
            Secret::new(b"hunter2".to_vec()),
            HashText::new("hunter2")
        );
        assert!(!shown.contains("hunter2"));
    }
}
