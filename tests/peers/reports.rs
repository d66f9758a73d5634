//! More reports of sessions than can be recorded.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use md5::{Digest as _, Md5};

use crate::common::ldap::LdapClient;
use crate::common::radius::{Reply, ask, status_server};
use crate::common::{Gateway, PASSWORD, SECRET, Setting, eventually};

const PATIENCE: Duration = Duration::from_secs(10);

/// An Accounting-Request (RFC 2866) that says a session of this number began, and as much as one
/// may say.
fn start(number: u32) -> Vec<u8> {
    let mut packet = vec![4, number.to_le_bytes()[0], 0, 0];
    packet.extend_from_slice(&[0; 16]);
    let mut attribute = |kind: u8, value: &[u8]| {
        packet.push(kind);
        packet.push(u8::try_from(value.len() + 2).unwrap());
        packet.extend_from_slice(value);
    };
    attribute(40, &[0, 0, 0, 1]);
    attribute(44, format!("{number:08x}").as_bytes());
    for kind in [1, 30, 31, 32] {
        attribute(kind, &[1; 250]);
    }
    let length = u16::try_from(packet.len()).unwrap().to_be_bytes();
    packet[2..4].copy_from_slice(&length);
    let proof = Md5::new()
        .chain_update(&packet)
        .chain_update(SECRET)
        .finalize();
    packet[4..20].copy_from_slice(&proof);
    packet
}

/// Reports new sessions from one address until told to stop, far more of them than are recorded
/// meanwhile.
#[expect(
    clippy::disallowed_methods,
    reason = "another process is reported to, which no clock of ours drives"
)]
fn report(from: &str, to: SocketAddr, stop: &AtomicBool) {
    let socket = UdpSocket::bind(from).unwrap();
    for number in 0..200_000 {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        socket.send_to(&start(number), to).unwrap();
        if number % 64 == 0 {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn one_client_that_reports_without_end_takes_nothing_from_logins() {
    let gateway = Gateway::start(&Setting {
        throttle: "relays = [\"127.0.0.0/8\"]\nrefusal_delay = \"10ms\"\n\
                   client_datagrams = 100000\n"
            .to_owned(),
        vpn_gateway: "[\"127.0.0.1/32\"]".to_owned(),
        more: format!(
            "[[radius.client]]\nname = \"loud\"\naddress = [\"127.0.9.1/32\"]\n\
             secret = \"{SECRET}\"\nresource = \"vpn\"\n"
        ),
        ..Setting::default()
    });
    gateway.add_user("alice");
    let stop = Arc::new(AtomicBool::new(false));
    let reporter = {
        let (stop, to) = (Arc::clone(&stop), gateway.accounting);
        thread::spawn(move || report("127.0.9.1:0", to, &stop))
    };
    let drops = |reason: &str| {
        let label = format!("reason=\"{reason}\"");
        gateway.metric("doorward_radius_drops_total", &label)
    };
    eventually(|| gateway.metrics(), || drops("busy") > 0.0);
    for _ in 0..20 {
        let mut client = LdapClient::connect(gateway.hosts).expect("a connection");
        assert_eq!(client.bind("alice", PASSWORD), Some(0));
        assert!(status_server(gateway.radius, PATIENCE));
        assert_eq!(
            ask(gateway.radius, "alice", PASSWORD, PATIENCE),
            Reply::Accept
        );
    }
    stop.store(true, Ordering::Relaxed);
    reporter.join().unwrap();
    assert!(drops("unavailable") < 1.0, "{}", gateway.metrics());
    assert!(gateway.metric("doorward_store_up", "") > 0.0);
}
