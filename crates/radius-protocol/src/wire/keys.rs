//! What proves a packet, and what hides the secrets in it: MD5 under a shared secret (RADIUS/1.0),
//! or nothing but the TLS around it (RADIUS/1.1, RFC 9765).

use zeroize::Zeroizing;

use super::{
    Authenticator, Draft, IntegrityFault, MAX_HIDDEN_PASSWORD, MICROSOFT, MalformedPassword,
    MppeKey, Oversized, Packet, Presence, check_message_authenticator, check_signed, mppe_key,
    reveal_password,
};
use doorward_domain::secret::Secret;

/// By what a packet is proven and its secrets are hidden.
#[derive(Debug, Clone)]
pub enum Keys {
    /// MD5 under this secret.
    Md5(Secret),
    /// TLS: a packet has a Token in place of identifier and authenticator, no
    /// Message-Authenticator, and nothing in it is hidden.
    Tls,
}

impl Keys {
    /// Checks an Access-Request or a Status-Server. Under TLS a Message-Authenticator is ignored
    /// (RFC 9765 §5.2).
    ///
    /// # Errors
    /// Says what is wrong with a Message-Authenticator that is there.
    pub fn check(&self, packet: &Packet<'_>) -> Result<Presence, IntegrityFault> {
        match self {
            Self::Md5(secret) => check_message_authenticator(packet, secret),
            Self::Tls => Ok(Presence::Verified),
        }
    }

    /// Checks a request whose Request Authenticator is computed: an Accounting-Request, a
    /// Disconnect-Request or a CoA-Request.
    ///
    /// # Errors
    /// Says which proof failed.
    pub fn check_signed(&self, packet: &Packet<'_>) -> Result<Presence, IntegrityFault> {
        match self {
            Self::Md5(secret) => check_signed(packet, secret),
            Self::Tls => Ok(Presence::Verified),
        }
    }

    /// Reads a User-Password. Under TLS it is 1 to 128 octets as they are (RFC 9765 §5.1.1).
    ///
    /// # Errors
    /// Where the value's length is impossible.
    pub fn reveal_password(
        &self,
        value: &[u8],
        authenticator: &Authenticator,
    ) -> Result<Zeroizing<Vec<u8>>, MalformedPassword> {
        match self {
            Self::Md5(secret) => reveal_password(value, authenticator, secret),
            Self::Tls if (1..=MAX_HIDDEN_PASSWORD).contains(&value.len()) => {
                Ok(Zeroizing::new(value.to_vec()))
            }
            Self::Tls => Err(MalformedPassword),
        }
    }

    /// The challenge that a CHAP-Password without CHAP-Challenge answers (RFC 2865 §5.3). Under TLS
    /// there is none: the attribute must stand there (RFC 9765 §5.1.2).
    pub fn implied_challenge<'a>(&self, packet: &Packet<'a>) -> Option<&'a Authenticator> {
        match self {
            Self::Md5(_) => Some(packet.authenticator()),
            Self::Tls => None,
        }
    }

    /// The value of a Vendor-Specific attribute with a session's key in it. Under TLS the key stands
    /// there as it is (RFC 9765 §5.1.4). `salt` is unique in the packet.
    pub fn mppe_key(
        &self,
        which: MppeKey,
        key: &[u8],
        salt: u16,
        authenticator: &Authenticator,
    ) -> Vec<u8> {
        match self {
            Self::Md5(secret) => mppe_key(which, key, salt, authenticator, secret),
            Self::Tls => {
                let length = u8::try_from(2 + key.len()).unwrap_or(u8::MAX);
                [&MICROSOFT, &[which.number(), length][..], key].concat()
            }
        }
    }

    /// Writes a reply to the request with that authenticator.
    ///
    /// # Errors
    /// Where the packet is longer than 4096 octets.
    pub(crate) fn seal_reply(
        &self,
        draft: &Draft,
        request: &Authenticator,
    ) -> Result<Vec<u8>, Oversized> {
        match self {
            Self::Md5(secret) => draft.seal_reply(request, secret),
            Self::Tls => draft.seal_with_token(token(request)),
        }
    }

    /// Writes an Accounting-Response to the request with that authenticator.
    ///
    /// # Errors
    /// Where the packet is longer than 4096 octets.
    pub(crate) fn seal_accounting_reply(
        &self,
        draft: &Draft,
        request: &Authenticator,
    ) -> Result<Vec<u8>, Oversized> {
        match self {
            Self::Md5(secret) => draft.seal_accounting_reply(request, secret),
            Self::Tls => draft.seal_with_token(token(request)),
        }
    }
}

/// What ties a reply of RADIUS/1.1 to its request (RFC 9765 §4.1).
pub type Token = [u8; 4];

/// The Token, which stands where the authenticator begins.
pub fn token(authenticator: &Authenticator) -> Token {
    let [first, second, third, fourth, ..] = *authenticator;
    [first, second, third, fourth]
}

#[cfg(test)]
mod tests {
    use super::super::{Code, kind};
    use super::*;

    const AUTHENTICATOR: Authenticator = [7; 16];

    #[test]
    fn rfc_9765_5_1_1_a_password_stands_there_as_it_is() {
        let clear = |value: &[u8]| Keys::Tls.reveal_password(value, &AUTHENTICATOR);
        assert_eq!(clear(b"pass").unwrap().as_slice(), b"pass");
        assert_eq!(clear(b"pass\0").unwrap().as_slice(), b"pass\0");
        assert_eq!(clear(&[b'a'; 128]).unwrap().len(), 128);
        assert_eq!(clear(b"").unwrap_err(), MalformedPassword);
        assert_eq!(clear(&[b'a'; 129]).unwrap_err(), MalformedPassword);
    }

    #[test]
    fn rfc_9765_5_1_4_a_key_stands_there_as_it_is() {
        let value = Keys::Tls.mppe_key(MppeKey::Receive, &[9; 32], 5, &AUTHENTICATOR);
        assert_eq!(value[..4], MICROSOFT);
        assert_eq!(value[4..6], [17, 34]);
        assert_eq!(value[6..], [9; 32]);
    }

    #[test]
    fn rfc_9765_4_1_a_reply_has_the_token_and_zeroes() {
        let mut request = [0xee; 16];
        request[..4].copy_from_slice(&[1, 2, 3, 4]);
        let mut draft = Draft::new(Code::AccessAccept, 77);
        draft.push(kind::USER_NAME, b"alice").unwrap();
        let reply = Keys::Tls.seal_reply(&draft, &request).unwrap();
        assert_eq!(reply[..8], [2, 0, 0, 27, 1, 2, 3, 4]);
        assert_eq!(reply[8..20], [0; 12]);
        assert_eq!(&reply[20..], b"\x01\x07alice");
        assert!(
            !Packet::parse(&reply)
                .unwrap()
                .has(kind::MESSAGE_AUTHENTICATOR)
        );
    }

    #[test]
    fn rfc_9765_5_1_2_no_challenge_is_implied() {
        let bytes = [&[1, 0, 0, 20][..], &AUTHENTICATOR].concat();
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(Keys::Tls.implied_challenge(&packet), None);
        let shared = Keys::Md5(Secret::new(b"s".to_vec()));
        assert_eq!(shared.implied_challenge(&packet), Some(&AUTHENTICATOR));
    }
}
