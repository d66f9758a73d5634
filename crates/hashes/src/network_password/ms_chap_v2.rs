//! MS-CHAPv2 (RFC 2759) and the keys that come of it (RFC 3079).
//!
//! DES, MD4 and SHA-1 are what the protocol is made of. A response gives the NT hash away to
//! whoever spends 2^56 tries on it, however strong the password; so it is no other password's hash.

use std::fmt;

use des::Des;
use des::cipher::{Array, BlockCipherEncrypt as _, KeyInit as _};
use md4::Md4;
use sha1::{Digest as _, Sha1};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::NetworkPassword;
use doorward_domain::challenge::MsChapV2Response;
use doorward_domain::refusal::Refusal;

type NtHash = Zeroizing<[u8; 16]>;

/// What a peer is shown in return for the right response, and the keys that both ends have then.
#[derive(Clone)]
pub struct MsChapV2Success {
    authenticator_response: [u8; 20],
    send_key: Zeroizing<[u8; 16]>,
    receive_key: Zeroizing<[u8; 16]>,
}

impl MsChapV2Success {
    /// What was computed elsewhere; says nothing about a password by itself.
    pub fn new(
        authenticator_response: [u8; 20],
        send_key: [u8; 16],
        receive_key: [u8; 16],
    ) -> Self {
        Self {
            authenticator_response,
            send_key: Zeroizing::new(send_key),
            receive_key: Zeroizing::new(receive_key),
        }
    }

    /// The authenticator response as it is sent: `S=` and 40 hexadecimal digits in capitals
    /// (RFC 2759 5). It proves that the gateway knows the password too.
    pub fn authenticator_response(&self) -> String {
        use fmt::Write as _;
        let mut text = String::with_capacity(42);
        text.push_str("S=");
        for octet in self.authenticator_response {
            // Writing to a String cannot fail.
            let _ = write!(text, "{octet:02X}");
        }
        text
    }

    /// MS-MPPE-Send-Key: what the NAS sends under (RFC 3079 3.3, RFC 2548 2.4.2).
    pub fn send_key(&self) -> &[u8] {
        &*self.send_key
    }

    /// MS-MPPE-Recv-Key: what the NAS receives under.
    pub fn receive_key(&self) -> &[u8] {
        &*self.receive_key
    }
}

impl fmt::Debug for MsChapV2Success {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MsChapV2Success(…)")
    }
}

/// Why a peer was refused, as MS-CHAPv2 says it (RFC 2759 6).
///
/// 648, that the password has expired, is never said: it asks for another, and the one that has
/// expired is not the one that a device could change here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MsChapV2Failure {
    /// 691: nothing more is said.
    Authentication,
    /// 647: the account is suspended, or has not begun.
    AccountDisabled,
    /// 649: the account may not get in here, or not now.
    NoDialInPermission,
}

impl MsChapV2Failure {
    /// What may be said of a refusal. All that is not said by [`Self::Authentication`] is found only
    /// once the response turned out to be right (CONTRACT.md 5.1, 5.3).
    pub fn of(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Suspended | Refusal::Staged => Self::AccountDisabled,
            Refusal::NotBound
            | Refusal::Expired
            | Refusal::MustChange
            | Refusal::PasswordPending => Self::NoDialInPermission,
            Refusal::NoResource
            | Refusal::UnknownUser
            | Refusal::MalformedName
            | Refusal::MalformedPassword
            | Refusal::WrongPassword
            | Refusal::RepeatedWrongPassword
            | Refusal::StalePassword
            | Refusal::Throttled
            | Refusal::Locked
            | Refusal::SessionOver
            | Refusal::NoNetworkPassword
            | Refusal::NetworkPasswordNotAdmitted
            | Refusal::NetworkPasswordUnreadable
            | Refusal::ServiceSource
            | Refusal::UnknownDevice
            | Refusal::DeviceNotBound
            | Refusal::UnknownCertificate => Self::Authentication,
        }
    }

    const fn code(self) -> u16 {
        match self {
            Self::AccountDisabled => 647,
            Self::NoDialInPermission => 649,
            Self::Authentication => 691,
        }
    }

    /// The text that is sent: the code, that there is no second try, and the challenge of a second
    /// try all the same, since the form asks for one.
    pub fn text(self, challenge: &[u8; 16]) -> String {
        use fmt::Write as _;
        let mut text = format!("E={} R=0 C=", self.code());
        for octet in challenge {
            // Writing to a String cannot fail.
            let _ = write!(text, "{octet:02X}");
        }
        text.push_str(" V=3 M=Refused");
        text
    }
}

/// What to answer to the right response; nothing where it is wrong.
pub(super) fn verify(
    password: &NetworkPassword,
    answered: &MsChapV2Response,
) -> Option<MsChapV2Success> {
    let hash = nt_hash(password.as_str());
    let challenge = challenge_hash(answered);
    let expected = challenge_response(challenge, &hash);
    if !bool::from(expected.ct_eq(&answered.response)) {
        return None;
    }
    let hash_hash = md4(&*hash);
    let master = master_key(&hash_hash, &answered.response);
    Some(MsChapV2Success {
        authenticator_response: authenticator_response(&hash_hash, &answered.response, challenge),
        send_key: start_key(&master, SERVER_SENDS),
        receive_key: start_key(&master, SERVER_RECEIVES),
    })
}

/// `NtPasswordHash` (RFC 2759 8.3): MD4 of the password in UTF-16.
fn nt_hash(password: &str) -> NtHash {
    let mut unicode = Zeroizing::new(Vec::with_capacity(2 * password.len()));
    for unit in password.encode_utf16() {
        unicode.extend_from_slice(&unit.to_le_bytes());
    }
    md4(&unicode)
}

fn md4(octets: &[u8]) -> NtHash {
    Zeroizing::new(Md4::digest(octets).into())
}

/// `ChallengeHash` (RFC 2759 8.2), the name without the domain before it.
fn challenge_hash(answered: &MsChapV2Response) -> [u8; 8] {
    let name = answered.name.rsplit(|&octet| octet == b'\\').next();
    let digest: [u8; 20] = Sha1::new()
        .chain_update(answered.peer_challenge)
        .chain_update(answered.authenticator_challenge)
        .chain_update(name.unwrap_or_default())
        .finalize()
        .into();
    first(&digest)
}

/// `ChallengeResponse` (RFC 2759 8.5): the challenge under three keys of DES, made of the hash.
fn challenge_response(challenge: [u8; 8], hash: &[u8; 16]) -> [u8; 24] {
    let mut padded = Zeroizing::new([0_u8; 21]);
    padded
        .iter_mut()
        .zip(hash)
        .for_each(|(to, from)| *to = *from);
    let mut response = [0; 24];
    let keys = padded.as_chunks::<7>().0;
    for (key, out) in keys.iter().zip(response.as_chunks_mut::<8>().0) {
        let key = Zeroizing::new(with_parity(*key));
        let mut block = Array::from(challenge);
        Des::new(&Array::from(*key)).encrypt_block(&mut block);
        *out = block.into();
    }
    response
}

/// `DesEncrypt`'s key (RFC 2759 8.6): seven bits an octet, the parity bit left zero, which DES does
/// not look at.
fn with_parity(key: [u8; 7]) -> [u8; 8] {
    let bits = key
        .iter()
        .fold(0, |bits, &octet| bits << 8 | u64::from(octet));
    let octet = |index: u32| u8::try_from((bits >> (49 - 7 * index)) & 0x7f).unwrap_or(0) << 1;
    [0, 1, 2, 3, 4, 5, 6, 7].map(octet)
}

/// `GenerateAuthenticatorResponse` (RFC 2759 8.7).
fn authenticator_response(
    hash_hash: &[u8; 16],
    response: &[u8; 24],
    challenge: [u8; 8],
) -> [u8; 20] {
    let digest = Sha1::new()
        .chain_update(hash_hash)
        .chain_update(response)
        .chain_update(b"Magic server to client signing constant")
        .finalize();
    Sha1::new()
        .chain_update(digest)
        .chain_update(challenge)
        .chain_update(b"Pad to make it do more than one iteration")
        .finalize()
        .into()
}

/// What is mixed into the key that the server sends under (RFC 3079 3.4).
const SERVER_SENDS: &[u8] = b"On the client side, this is the receive key; \
                              on the server side, it is the send key.";
/// What is mixed into the key that the server receives under.
const SERVER_RECEIVES: &[u8] = b"On the client side, this is the send key; \
                                 on the server side, it is the receive key.";

/// `GetMasterKey` (RFC 3079 3.4).
fn master_key(hash_hash: &[u8; 16], response: &[u8; 24]) -> Zeroizing<[u8; 16]> {
    Zeroizing::new(first(
        &Sha1::new()
            .chain_update(hash_hash)
            .chain_update(response)
            .chain_update(b"This is the MPPE Master Key")
            .finalize()
            .into(),
    ))
}

/// `GetAsymmetricStartKey` (RFC 3079 3.4), of 128 bits.
fn start_key(master: &[u8; 16], whose: &[u8]) -> Zeroizing<[u8; 16]> {
    Zeroizing::new(first(
        &Sha1::new()
            .chain_update(master)
            .chain_update([0; 40])
            .chain_update(whose)
            .chain_update([0xf2; 40])
            .finalize()
            .into(),
    ))
}

/// The first octets of a digest.
fn first<const N: usize>(digest: &[u8; 20]) -> [u8; N] {
    let mut octets = [0; N];
    octets
        .iter_mut()
        .zip(digest)
        .for_each(|(to, from)| *to = *from);
    octets
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 2759 9.2 and RFC 3079 3.5.3.
    fn vector() -> (NetworkPassword, MsChapV2Response) {
        let response = MsChapV2Response {
            authenticator_challenge: 0x5b5d_7c7d_7b3f_2f3e_3c2c_6021_3226_2628_u128.to_be_bytes(),
            peer_challenge: 0x2140_2324_255e_262a_2829_5f2b_3a33_7c7e_u128.to_be_bytes(),
            name: b"User".to_vec(),
            response: [
                0x82, 0x30, 0x9e, 0xcd, 0x8d, 0x70, 0x8b, 0x5e, 0xa0, 0x8f, 0xaa, 0x39, 0x81, 0xcd,
                0x83, 0x54, 0x42, 0x33, 0x11, 0x4a, 0x3d, 0x85, 0xd6, 0xdf,
            ],
        };
        (NetworkPassword::for_tests("clientPass"), response)
    }

    #[test]
    fn rfc_2759_9_2_hashes() {
        let hash = nt_hash("clientPass");
        let expected = 0x44eb_ba8d_5312_b8d6_1147_4411_f569_89ae_u128.to_be_bytes();
        assert_eq!(*hash, expected);
        let expected = 0x41c0_0c58_4bd2_d91c_4017_a2a1_2fa5_9f3f_u128.to_be_bytes();
        assert_eq!(*md4(&*hash), expected);
        let (_, response) = vector();
        let expected = 0xd02e_4386_bce9_1226_u64.to_be_bytes();
        assert_eq!(challenge_hash(&response), expected);
    }

    #[test]
    fn rfc_2759_9_2_response_and_what_answers_it() {
        let (password, response) = vector();
        let success = verify(&password, &response).unwrap();
        assert_eq!(
            success.authenticator_response(),
            "S=407A5589115FD0D6209F510FE9C04566932CDA56"
        );
    }

    #[test]
    fn rfc_2759_9_3_des_keys() {
        let key = [0xfc, 0x15, 0x6a, 0xf7, 0xed, 0xcd, 0x6c];
        let parity_aside = [0xfd, 0x0b, 0x5b, 0x5e, 0x7f, 0x6e, 0x34, 0xd9].map(|octet| octet & !1);
        assert_eq!(with_parity(key), parity_aside);
    }

    #[test]
    fn rfc_3079_3_5_3_keys() {
        let (password, response) = vector();
        let hash_hash = md4(&*nt_hash(password.as_str()));
        let master = master_key(&hash_hash, &response.response);
        let expected = 0xfdec_e371_7a8c_838c_b388_e527_ae3c_dd31_u128.to_be_bytes();
        assert_eq!(*master, expected);
        let success = verify(&password, &response).unwrap();
        let expected = 0x8b7c_dc14_9b99_3a1b_a118_cb15_3f56_dccb_u128.to_be_bytes();
        assert_eq!(success.send_key(), expected);
        assert_ne!(success.receive_key(), success.send_key());
    }

    #[test]
    fn the_domain_is_no_part_of_the_name() {
        let (password, mut response) = vector();
        response.name = b"EXAMPLE\\User".to_vec();
        assert!(verify(&password, &response).is_some());
        response.name = b"EXAMPLE".to_vec();
        assert!(verify(&password, &response).is_none());
    }

    #[test]
    fn every_part_counts() {
        let (password, right) = vector();
        let mut wrong = Vec::new();
        for index in 0..16 {
            let mut other = right.clone();
            other.authenticator_challenge[index] ^= 1;
            wrong.push(other);
            let mut other = right.clone();
            other.peer_challenge[index] ^= 1;
            wrong.push(other);
        }
        for index in 0..24 {
            let mut other = right.clone();
            other.response[index] ^= 1;
            wrong.push(other);
        }
        for response in wrong {
            assert!(verify(&password, &response).is_none());
        }
        let other = NetworkPassword::for_tests("clientpass");
        assert!(verify(&other, &right).is_none());
        let shown = format!("{:?} {right:?}", verify(&password, &right));
        assert_eq!(shown, "Some(MsChapV2Success(…)) MsChapV2Response(…)");
    }

    proptest! {
        #[test]
        fn seven_octets_keep_all_their_bits(key in any::<[u8; 7]>()) {
            let spread = with_parity(key);
            let joined = spread.iter().fold(0_u64, |bits, octet| bits << 7 | u64::from(octet >> 1));
            prop_assert_eq!(&joined.to_be_bytes()[1..], &key[..]);
        }
    }
}
