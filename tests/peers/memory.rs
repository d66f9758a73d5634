//! What of a password stays in the daemon's memory after it was decided about: nothing, whether it
//! came in the clear or under TLS, and whether the connection is open still or closed.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::common::radius::{Reply, ask};
use crate::common::{BASE, Gateway, Setting};

/// How often each way is gone, and how often a copy may be left by the TLS library after all: it
/// frees one that is out of our reach, and what is freed may be used again before it is wiped.
const ROUNDS: usize = 6;
const LEFT: usize = 1;

/// What an LDAP message is made of (X.690 8.1), shorter than 128 bytes.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag, u8::try_from(content.len()).unwrap()];
    bytes.extend(content);
    bytes
}

fn bind(password: &str) -> Vec<u8> {
    let dn = format!("uid=alice,ou=people,{BASE}");
    let mut request = element(2, &[3]);
    request.extend(element(4, dn.as_bytes()));
    request.extend(element(0x80, password.as_bytes()));
    let mut message = element(2, &[2]);
    message.extend(element(0x60, &request));
    element(0x30, &message)
}

fn start_tls() -> Vec<u8> {
    let name = element(0x80, b"1.3.6.1.4.1.1466.20037");
    let mut message = element(2, &[1]);
    message.extend(element(0x77, &name));
    element(0x30, &message)
}

/// How often the bytes stand in what the process may write to.
fn copies(process: u32, needle: &[u8]) -> usize {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let memory = File::open(format!("/proc/{process}/mem")).unwrap();
    let writable = maps.lines().filter(|line| line.contains(" rw"));
    writable
        .map(|line| {
            let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
            let from = u64::from_str_radix(from, 16).unwrap();
            let to = u64::from_str_radix(to, 16).unwrap();
            let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
            // What cannot be read is the kernel's.
            if memory.read_exact_at(&mut bytes, from).is_err() {
                return 0;
            }
            bytes
                .windows(needle.len())
                .filter(|window| *window == needle)
                .count()
        })
        .sum()
}

fn trusting(gateway: &Gateway) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let ca = gateway.path("certs").join("ca.pem");
    roots
        .add(CertificateDer::from_pem_file(ca).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

fn connect(gateway: &Gateway, way: &str) -> Box<dyn Stream> {
    let at = if way == "ldaps" {
        gateway.ldaps
    } else {
        gateway.hosts
    };
    let mut stream = TcpStream::connect(at).unwrap();
    if way == "plain" {
        return Box::new(stream);
    }
    if way == "starttls" {
        stream.write_all(&start_tls()).unwrap();
        assert!(stream.read(&mut [0; 512]).unwrap() > 0);
    }
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(trusting(gateway), name).unwrap();
    Box::new(StreamOwned::new(session, stream))
}

/// A wrong password that is nowhere else.
fn unique(way: &str, round: usize) -> String {
    format!("zq-{way}-{round}-Unique-{}", std::process::id())
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "what the daemon does after an answer is waited for, which no clock of ours drives"
)]
fn no_password_stays_in_memory_after_it_was_decided_about() {
    let gateway = Gateway::start(&Setting::default());
    gateway.add_user("alice");
    let settle = || std::thread::sleep(Duration::from_millis(300));
    for way in ["plain", "starttls", "ldaps", "radius"] {
        let mut left = 0;
        for round in 0..ROUNDS {
            let password = unique(way, round);
            // The account's lock is of no concern here.
            gateway.run(&["user", "unlock", "alice"]);
            let open = if way == "radius" {
                let reply = ask(gateway.radius, "alice", &password, Duration::from_secs(10));
                assert_eq!(reply, Reply::Reject);
                None
            } else {
                let mut stream = connect(&gateway, way);
                stream.write_all(&bind(&password)).unwrap();
                let mut answer = [0; 512];
                assert!(stream.read(&mut answer).unwrap() > 0);
                // Every other connection is closed, and the rest wait for a request.
                (round % 2 == 0).then_some(stream)
            };
            settle();
            left += usize::from(copies(gateway.process(), password.as_bytes()) > 0);
            drop(open);
        }
        assert!(left <= LEFT, "{way}: {left} of {ROUNDS} left a copy");
    }
}
