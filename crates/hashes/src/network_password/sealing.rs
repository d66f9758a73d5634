//! Network passwords at rest: AES-256-GCM under a key that lies in a file of its own, bound to the
//! account, so that no other account's can be put in its place.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use zeroize::Zeroizing;

use super::{NetworkPassword, NoRandomness};
use doorward_domain::id::AccountId;
use doorward_domain::secret::{SealedNetworkPassword, Secret};

/// The first octet of what is sealed: a later format has another.
const FORMAT: u8 = 1;
/// Octets that AES-256-GCM adds.
const TAG: usize = 16;

/// The key has not 32 octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key of network passwords has not 32 octets")]
pub struct WrongKeyLength;

/// What was sealed under another key, for another account, or was tampered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the network password was not sealed under this key for this account")]
pub struct Unreadable;

/// The key that network passwords are sealed under.
pub struct SealingKey(RandomizedNonceKey);

impl SealingKey {
    /// Takes the 32 octets of a key.
    ///
    /// # Errors
    /// They are more or fewer.
    pub fn new(key: &Secret) -> Result<Self, WrongKeyLength> {
        RandomizedNonceKey::new(&AES_256_GCM, key.expose())
            .map(Self)
            .map_err(|_| WrongKeyLength)
    }

    /// Seals the network password of an account: format, nonce, ciphertext and tag.
    ///
    /// # Errors
    /// The system gives no randomness for the nonce.
    pub fn seal(
        &self,
        account: AccountId,
        password: &NetworkPassword,
    ) -> Result<SealedNetworkPassword, NoRandomness> {
        let clear = password.as_str().as_bytes();
        // Room for the tag up front: growing would leave an unwiped copy behind.
        let mut text = Zeroizing::new(Vec::with_capacity(clear.len() + TAG));
        text.extend_from_slice(clear);
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(bound_to(account)), &mut *text)
            .map_err(|_| NoRandomness)?;
        let mut sealed = vec![FORMAT];
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&text);
        Ok(SealedNetworkPassword::new(sealed))
    }

    /// Opens what was sealed for that account.
    ///
    /// # Errors
    /// It was not sealed under this key for this account.
    pub fn open(
        &self,
        account: AccountId,
        sealed: &SealedNetworkPassword,
    ) -> Result<NetworkPassword, Unreadable> {
        let (&format, rest) = sealed.as_bytes().split_first().ok_or(Unreadable)?;
        let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>().ok_or(Unreadable)?;
        if format != FORMAT {
            return Err(Unreadable);
        }
        let mut text = Zeroizing::new(text.to_vec());
        let clear = self
            .0
            .open_in_place(Nonce::from(nonce), Aad::from(bound_to(account)), &mut text)
            .map_err(|_| Unreadable)?;
        let clear = std::str::from_utf8(clear).map_err(|_| Unreadable)?;
        Ok(NetworkPassword::unsealed(Zeroizing::new(clear.to_owned())))
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SealingKey(…)")
    }
}

/// What a sealed password is bound to: its purpose, its format, its account.
fn bound_to(account: AccountId) -> Vec<u8> {
    let mut data = b"doorward network password".to_vec();
    data.push(FORMAT);
    data.extend_from_slice(account.as_uuid().as_bytes());
    data
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use doorward_domain::time::Timestamp;

    fn key(octet: u8) -> SealingKey {
        SealingKey::new(&Secret::new(vec![octet; 32])).unwrap()
    }

    #[test]
    fn a_key_has_32_octets() {
        for length in [0, 16, 31, 33, 64] {
            let refused = SealingKey::new(&Secret::new(vec![1; length]));
            assert_eq!(refused.unwrap_err(), WrongKeyLength, "{length}");
        }
    }

    #[test]
    fn another_key_another_account_and_another_octet_open_nothing() {
        let account = AccountId::new(Timestamp::EPOCH);
        let password = NetworkPassword::for_tests("7k3m9-2xq8d-0n4tz-vw5hr");
        let sealed = key(1).seal(account, &password).unwrap();
        let shown = format!("{sealed:?} {password:?} {:?}", key(1));
        assert!(!shown.contains("7k3m9"), "{shown}");
        let clear = password.as_str().as_bytes();
        assert!(!sealed.as_bytes().windows(5).any(|part| part == &clear[..5]));
        assert_eq!(
            key(1).open(account, &sealed).unwrap().as_str(),
            password.as_str()
        );
        assert_eq!(key(2).open(account, &sealed).unwrap_err(), Unreadable);
        let other = AccountId::new(Timestamp::EPOCH);
        assert_eq!(key(1).open(other, &sealed).unwrap_err(), Unreadable);
        for index in 0..sealed.as_bytes().len() {
            let mut octets = sealed.as_bytes().to_vec();
            octets[index] ^= 1;
            let sealed = SealedNetworkPassword::new(octets);
            assert_eq!(key(1).open(account, &sealed).unwrap_err(), Unreadable);
        }
    }

    #[test]
    fn the_same_password_is_never_sealed_alike() {
        let account = AccountId::new(Timestamp::EPOCH);
        let password = NetworkPassword::for_tests("7k3m9-2xq8d-0n4tz-vw5hr");
        let [one, other] = [(); 2].map(|()| key(1).seal(account, &password).unwrap());
        assert_ne!(one, other);
    }

    proptest! {
        #[test]
        fn what_is_sealed_is_opened(text in "[ -~]{1,64}") {
            let account = AccountId::new(Timestamp::EPOCH);
            let sealed = key(9).seal(account, &NetworkPassword::for_tests(&text)).unwrap();
            let opened = key(9).open(account, &sealed).unwrap();
            prop_assert_eq!(opened.as_str(), text.as_str());
        }

        #[test]
        fn any_octets_open_nothing(octets in prop::collection::vec(any::<u8>(), 0..80)) {
            let account = AccountId::new(Timestamp::EPOCH);
            prop_assert!(key(9).open(account, &SealedNetworkPassword::new(octets)).is_err());
        }
    }
}
