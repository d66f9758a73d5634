//! The keys, computed once more from the secrets of the TLS session and by the RFCs alone, without
//! the exporter that both ends share: RFC 5246 §5 and RFC 5705 in TLS 1.2, RFC 8446 §7.5 in TLS 1.3.

use std::fmt::Write as _;
use std::sync::Mutex;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256, Sha384};

use super::*;

/// The hash of a cipher suite.
#[derive(Debug, Clone, Copy)]
enum Hash {
    Sha256,
    Sha384,
}

impl Hash {
    fn of(peer: &Peer) -> Self {
        let suite = format!("{:?}", peer.tls.negotiated_cipher_suite().unwrap().suite());
        if suite.ends_with("SHA384") {
            Self::Sha384
        } else {
            assert!(suite.ends_with("SHA256"), "{suite}");
            Self::Sha256
        }
    }

    fn digest(self, octets: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(octets).to_vec(),
            Self::Sha384 => Sha384::digest(octets).to_vec(),
        }
    }

    fn hmac(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        let octets = parts.concat();
        match self {
            Self::Sha256 => {
                let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
                mac.update(&octets);
                mac.finalize().into_bytes().to_vec()
            }
            Self::Sha384 => {
                let mut mac = Hmac::<Sha384>::new_from_slice(key).unwrap();
                mac.update(&octets);
                mac.finalize().into_bytes().to_vec()
            }
        }
    }

    /// `P_hash` of RFC 5246 §5.
    fn prf(self, secret: &[u8], seed: &[u8], length: usize) -> Vec<u8> {
        let mut output = Vec::new();
        let mut a = self.hmac(secret, &[seed]);
        while output.len() < length {
            output.extend(self.hmac(secret, &[&a, seed]));
            a = self.hmac(secret, &[&a]);
        }
        output.truncate(length);
        output
    }

    /// HKDF-Expand-Label of RFC 8446 §7.1.
    fn expand_label(self, secret: &[u8], label: &[u8], context: &[u8], length: u16) -> Vec<u8> {
        let label = [b"tls13 ", label].concat();
        let mut info = length.to_be_bytes().to_vec();
        for part in [&label[..], context] {
            info.push(u8::try_from(part.len()).unwrap());
            info.extend_from_slice(part);
        }
        let mut output = Vec::new();
        let mut last = Vec::new();
        for number in 1_u8.. {
            last = self.hmac(secret, &[&last, &info, &[number]]);
            output.extend_from_slice(&last);
            if output.len() >= usize::from(length) {
                break;
            }
        }
        output.truncate(length.into());
        output
    }
}

/// A secret of a session: its label, the client's random, itself.
type Line = (String, Vec<u8>, Vec<u8>);

/// The secrets of a session, as a peer may log them.
#[derive(Debug, Default)]
struct Secrets(Mutex<Vec<Line>>);

impl rustls::KeyLog for Secrets {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let line = (label.to_owned(), client_random.to_vec(), secret.to_vec());
        self.0.lock().unwrap().push(line);
    }
}

impl Secrets {
    fn find(&self, label: &str) -> (Vec<u8>, Vec<u8>) {
        let lines = self.0.lock().unwrap();
        let found = lines.iter().find(|(own, _, _)| own == label);
        let (_, random, secret) = found.unwrap_or_else(|| panic!("no {label}"));
        (random.clone(), secret.clone())
    }
}

/// The random of a `ServerHello`, which the first message begins with: a record's header of five
/// octets, four of the handshake message, two of the version.
fn server_random(peer: &Peer) -> &[u8] {
    assert_eq!((peer.heard[0], peer.heard[5]), (22, 2), "a ServerHello");
    &peer.heard[11..43]
}

#[test]
fn every_method_s_key_is_what_the_rfcs_make_of_the_session_s_secrets() {
    for version in VERSIONS {
        for method in Method::ALL {
            let site = Site::new();
            let secrets = Arc::new(Secrets::default());
            let mut config = (*site.device(version, "alice")).clone();
            config.key_log = Arc::clone(&secrets) as _;
            let mut peer = returning(&Arc::new(config), method);
            let (_, end) = once(&site, &mut peer, Verdict::Granted(proof()));
            let key = end.unwrap().key;
            let hash = Hash::of(&peer);
            let expected = if peer.tls.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3)
            {
                let (_, exporter) = secrets.find("EXPORTER_SECRET");
                let label = b"EXPORTER_EAP_TLS_Key_Material";
                let length = u16::try_from(exporter.len()).unwrap();
                let derived = hash.expand_label(&exporter, label, &hash.digest(&[]), length);
                let context = hash.digest(&[method.number()]);
                hash.expand_label(&derived, b"exporter", &context, 128)
            } else {
                let (client_random, master) = secrets.find("CLIENT_RANDOM");
                let label: &[u8] = match method {
                    Method::Ttls => b"ttls keying material",
                    Method::Peap | Method::Tls => b"client EAP encryption",
                };
                let seed = [label, &client_random, server_random(&peer)].concat();
                hash.prf(&master, &seed, 128)
            };
            assert_eq!(key.receive_key(), &expected[..32], "{version:?} {method}");
            assert_eq!(key.send_key(), &expected[32..64], "{version:?} {method}");
        }
    }
}

#[test]
fn the_functions_are_those_of_the_published_vectors() {
    // P_SHA256 (posted to the IETF's TLS list in 2009 for RFC 5246).
    let secret = [
        0x9b, 0xbe, 0x43, 0x6b, 0xa9, 0x40, 0xf0, 0x17, 0xb1, 0x76, 0x52, 0x84, 0x9a, 0x71, 0xdb,
        0x35,
    ];
    let seed = [
        0xa0, 0xba, 0x9f, 0x93, 0x6c, 0xda, 0x31, 0x18, 0x27, 0xa6, 0xf7, 0x96, 0xff, 0xd5, 0x19,
        0x8c,
    ];
    let output = Hash::Sha256.prf(&secret, &[b"test label", &seed[..]].concat(), 100);
    let mut shown = String::new();
    for octet in output {
        write!(shown, "{octet:02x}").unwrap();
    }
    assert_eq!(
        shown,
        "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9\
         c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789ba\
         a48082d122ee42c5a72e5a5110fff70187347b66"
    );
}
