//! Bad input and a broken store: the RFC's answer or silence, other connections untouched, counted;
//! and service that comes back by itself.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::common::ldap::LdapClient;
use crate::common::radius::{Reply, access_request, ask};
use crate::common::{Gateway, PASSWORD, Setting, eventually};

const PATIENCE: Duration = Duration::from_secs(10);

/// Sends bytes and reads until the gateway closes or nothing more comes.
fn exchange(gateway: &Gateway, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(gateway.hosts).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(3)))
        .unwrap();
    // The gateway may close before all of it is written.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

#[test]
fn garbage_over_ldap_closes_no_other_connection_and_is_counted() {
    let gateway = Gateway::start(&Setting::default());
    gateway.add_user("alice");
    let mut other = LdapClient::connect(gateway.hosts).unwrap();
    assert_eq!(other.bind("alice", PASSWORD), Some(0));

    let deep: Vec<u8> = [[0xa0, 0x84, 0, 0, 0x0f, 0xff]; 600].concat();
    let mut deep_search = vec![0x30, 0x84];
    deep_search.extend_from_slice(&u32::try_from(deep.len() + 3).unwrap().to_be_bytes());
    deep_search.extend_from_slice(&[2, 1, 1]);
    deep_search.extend_from_slice(&deep);
    let inputs: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\n\r\n",
        &[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff],
        &deep_search,
        &[0x30, 0x0c, 2, 1, 1, 0x60, 7, 2, 1, 3, 4, 0, 0x80, 9],
        &[0xff; 64],
    ];
    for input in inputs {
        let answer = exchange(&gateway, input);
        let notice = b"1.3.6.1.4.1.1466.20036";
        let disconnected = answer.windows(notice.len()).any(|window| window == notice);
        let protocol_error = answer.windows(3).any(|window| window == [0x0a, 1, 2]);
        assert!(
            answer.is_empty() || disconnected || protocol_error,
            "{input:02x?} was answered by {answer:02x?}"
        );
    }
    assert_eq!(
        other.search("uid", "alice").unwrap().0.len(),
        1,
        "the other one goes on"
    );
    let counted = gateway.metric("doorward_ldap_malformed_total", "");
    assert!(
        counted >= 4.0,
        "{counted} were counted:\n{}",
        gateway.metrics()
    );
}

#[test]
fn garbage_over_radius_gets_silence_and_is_counted() {
    let gateway = Gateway::start(&Setting::default());
    gateway.add_user("alice");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let good = access_request(3, [5; 16], "alice", PASSWORD);
    let mut long = good.clone();
    long[2..4].copy_from_slice(&4000_u16.to_be_bytes());
    let mut tampered = good.clone();
    *tampered.last_mut().unwrap() ^= 1;
    let inputs: [&[u8]; 6] = [b"", &[1], &good[..19], &long, &tampered, &[0xff; 4096]];
    for input in inputs {
        socket.send_to(input, gateway.radius).unwrap();
        let mut reply = [0; 4096];
        assert!(
            socket.recv(&mut reply).is_err(),
            "{} bytes were answered",
            input.len()
        );
    }
    assert_eq!(
        ask(gateway.radius, "alice", PASSWORD, PATIENCE),
        Reply::Accept
    );
    let counted = gateway.metric("doorward_radius_drops_total", "");
    assert!(
        counted >= 5.0,
        "{counted} were counted:\n{}",
        gateway.metrics()
    );
}

/// A small disk of its own, as root alone can make one.
pub(crate) struct Disk(tempfile::TempDir);

impl Disk {
    pub(crate) fn mount() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m,mode=0700", "doorward-test"])
            .arg(folder.path())
            .status()
            .unwrap();
        assert!(
            mounted.success(),
            "a tmpfs cannot be mounted: run the tests as root"
        );
        Self(folder)
    }

    /// The folder on it.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes every byte that is left.
    pub(crate) fn fill(&self) {
        let mut filler = File::create(self.0.path().join("filler")).unwrap();
        for size in [65_536, 1] {
            while filler.write_all(&vec![0; size]).is_ok() {}
        }
    }

    pub(crate) fn empty(&self) {
        fs::remove_file(self.0.path().join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_unavailable_over_ldap_silence_over_radius_and_heals() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        assert!(std::env::var_os("CI").is_none(), "CI must run this as root");
        eprintln!("not run: a full disk needs root, to mount a small one");
        return;
    }
    let disk = Disk::mount();
    let store = Some(disk.path().to_owned());
    let gateway = Gateway::start(&Setting {
        store,
        ..Setting::default()
    });
    gateway.add_user("alice");
    let mut client = LdapClient::connect(gateway.hosts).unwrap();
    assert_eq!(client.bind("alice", PASSWORD), Some(0));

    disk.fill();
    // What SQLite has already reserved may last for a few more.
    let code = (0..2000)
        .map(|_| client.bind("alice", PASSWORD))
        .find(|code| *code != Some(0));
    assert_eq!(code, Some(Some(52)), "never 49\n{}", gateway.log());
    assert_eq!(
        client.bind("alice", PASSWORD),
        None,
        "and the connection is closed"
    );
    assert_eq!(
        ask(gateway.radius, "alice", PASSWORD, Duration::from_secs(2)),
        Reply::Silence
    );

    disk.empty();
    eventually(
        || format!("service did not resume:\n{}", gateway.log()),
        || {
            // Connections are refused until the store is seen to answer.
            let code = LdapClient::connect(gateway.hosts)
                .and_then(|mut client| client.bind("alice", PASSWORD));
            assert!(
                [None, Some(0), Some(52)].contains(&code),
                "never a wrong password: {code:?}"
            );
            code == Some(0)
        },
    );
    assert_eq!(
        ask(gateway.radius, "alice", PASSWORD, PATIENCE),
        Reply::Accept
    );
    let shown = gateway.json(&["user", "show", "alice", "-o", "json"]);
    assert_eq!(shown["recent_failures"], 0);
}

#[test]
fn check_points_at_the_broken_key() {
    let gateway = Gateway::prepare(&Setting::default());
    let text = fs::read_to_string(gateway.config()).unwrap();
    let broken = text.replace(
        "plaintext_bind = \"loopback\"",
        "plaintext_bnd = \"loopback\"",
    );
    fs::write(gateway.config(), &broken).unwrap();
    let line = 1 + broken
        .lines()
        .position(|line| line.contains("plaintext_bnd"))
        .unwrap();
    let ran = gateway.run(&["check"]);
    assert_eq!(ran.code, Some(78), "{ran:?}");
    assert!(
        ran.stderr.contains(&format!("doorward.toml:{line}:1: ")),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("plaintext_bind"),
        "the nearest key: {}",
        ran.stderr
    );
}
