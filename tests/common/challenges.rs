//! The client's side of CHAP and MS-CHAPv2, written from RFC 1994, RFC 2759 and RFC 3079, none of
//! the gateway's code in it.

use std::fmt::Write as _;

use des::Des;
use des::cipher::{BlockCipherEncrypt as _, KeyInit as _};
use md4::Md4;
use md5::{Digest as _, Md5};
use sha1::Sha1;

/// A response of CHAP.
pub(crate) fn chap(identifier: u8, password: &str, challenge: &[u8]) -> [u8; 16] {
    Md5::digest([&[identifier], password.as_bytes(), challenge].concat()).into()
}

/// What a client of MS-CHAPv2 sends, and what it then expects.
#[derive(Debug, Clone)]
pub(crate) struct MsChapV2 {
    /// What the client was given.
    pub(crate) challenge: [u8; 16],
    /// What it made itself.
    pub(crate) peer_challenge: [u8; 16],
    /// NT-Response.
    pub(crate) response: [u8; 24],
    /// The authenticator response of a server that knows the password.
    pub(crate) expected: String,
    /// What the client sends under: MS-MPPE-Recv-Key of the server.
    pub(crate) send_key: [u8; 16],
    /// What the client receives under.
    pub(crate) receive_key: [u8; 16],
}

impl MsChapV2 {
    pub(crate) fn answer(
        name: &str,
        password: &str,
        challenge: [u8; 16],
        peer_challenge: [u8; 16],
    ) -> Self {
        let short = Sha1::digest([&peer_challenge[..], &challenge, name.as_bytes()].concat());
        let unicode: Vec<u8> = password.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let hash = Md4::digest(unicode);
        let mut keys = hash.to_vec();
        keys.resize(21, 0);
        let mut response = Vec::new();
        for key in keys.chunks(7) {
            // Eight groups of seven bits, each with a parity bit that nobody looks at.
            let bits: Vec<u8> = key
                .iter()
                .flat_map(|octet| (0..8).rev().map(move |bit| octet >> bit & 1))
                .collect();
            let group = |bits: &[u8]| bits.iter().fold(0, |group, bit| group << 1 | bit) << 1;
            let key: Vec<u8> = bits.chunks(7).map(group).collect();
            let mut block = [0; 8];
            block.copy_from_slice(&short[..8]);
            let mut block = block.into();
            Des::new_from_slice(&key).unwrap().encrypt_block(&mut block);
            response.extend_from_slice(&block);
        }
        let hash_hash = Md4::digest(hash);
        let inner = Sha1::digest(
            [
                &hash_hash[..],
                &response,
                b"Magic server to client signing constant",
            ]
            .concat(),
        );
        let digest = Sha1::digest(
            [
                &inner[..],
                &short[..8],
                b"Pad to make it do more than one iteration",
            ]
            .concat(),
        );
        let master =
            Sha1::digest([&hash_hash[..], &response, b"This is the MPPE Master Key"].concat());
        let key = |magic: &str| -> [u8; 16] {
            let whole = [&master[..16], &[0; 40], magic.as_bytes(), &[0xf2; 40]].concat();
            Sha1::digest(whole)[..16].try_into().unwrap()
        };
        Self {
            challenge,
            peer_challenge,
            response: response.try_into().unwrap(),
            expected: digest.iter().fold("S=".to_owned(), |mut text, octet| {
                write!(text, "{octet:02X}").unwrap();
                text
            }),
            send_key: key(
                "On the client side, this is the send key; on the server side, it is the receive \
                 key.",
            ),
            receive_key: key(
                "On the client side, this is the receive key; on the server side, it is the send \
                 key.",
            ),
        }
    }
}
