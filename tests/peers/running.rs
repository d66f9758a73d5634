//! The daemon as its service manager sees it: ready, reload, certificates, logs, stop.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use crate::common::ldap::LdapClient;
use crate::common::{Gateway, PASSWORD, Setting, client, eventually};

fn tell(gateway: &Gateway, signal: &str) {
    let process = gateway.process().to_string();
    let told = Command::new("kill")
        .args(["-s", signal, &process])
        .status()
        .unwrap();
    assert!(told.success());
}

#[test]
fn systemd_is_told_ready_reloading_and_stopping() {
    let mut gateway = Gateway::prepare(&Setting::default());
    let path = gateway.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let told = || {
        let mut message = [0; 512];
        let length = socket.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..length]).into_owned()
    };
    gateway.serve_with(&[("NOTIFY_SOCKET", path.to_str().unwrap())]);
    assert!(told().contains("READY=1"));
    tell(&gateway, "HUP");
    assert!(told().contains("RELOADING=1"));
    assert!(told().contains("READY=1"));
    tell(&gateway, "TERM");
    assert!(told().contains("STOPPING=1"));
    assert_eq!(gateway.wait().code(), Some(0));
}

#[test]
fn a_hangup_puts_a_new_configuration_in_force_and_a_broken_one_changes_nothing() {
    let gateway = Gateway::start(&Setting::default());
    gateway.add_user("alice");
    let mut client = LdapClient::connect(gateway.hosts).unwrap();
    assert_eq!(client.bind("alice", PASSWORD), Some(0));

    let sound = fs::read_to_string(gateway.config()).unwrap();
    fs::write(
        gateway.config(),
        sound.replace("kind = \"endpoint\"", "kind = \"endpont\""),
    )
    .unwrap();
    tell(&gateway, "HUP");
    eventually(
        || format!("the broken file is refused:\n{}", gateway.log()),
        || gateway.log().contains("the old one stays"),
    );
    assert_eq!(client.bind("alice", PASSWORD), Some(0));

    // The listener no longer leads to a resource that alice is bound to.
    let moved = sound.replace(
        "listener = [\"hosts\", \"hosts-tls\"]",
        "listener = \"hosts-tls\"",
    );
    fs::write(gateway.config(), moved).unwrap();
    tell(&gateway, "HUP");
    eventually(
        || format!("the new one is in force:\n{}", gateway.log()),
        || client.bind("alice", PASSWORD) == Some(49),
    );
    fs::write(gateway.config(), sound).unwrap();
    tell(&gateway, "HUP");
    eventually(
        || format!("and back:\n{}", gateway.log()),
        || client.bind("alice", PASSWORD) == Some(0),
    );
}

#[test]
fn a_certificate_that_changes_is_picked_up() {
    let gateway = Gateway::start(&Setting::default());
    let serial = || {
        let address = gateway.ldaps.to_string();
        let shown = client(
            "sh",
            "dash",
            &[
                "-c",
                &format!(
                    "openssl s_client -connect {address} </dev/null 2>/dev/null \
                 | openssl x509 -noout -serial"
                ),
            ],
        );
        shown.stdout.trim().to_owned()
    };
    let before = serial();
    assert!(before.starts_with("serial="), "{before}");
    let certificates = gateway.path("certs");
    gateway
        .run(&["certs", certificates.to_str().unwrap()])
        .assert_success();
    eventually(
        || format!("the new certificate is in use:\n{}", gateway.log()),
        || serial() != before,
    );
}

#[test]
fn a_stop_lets_what_is_under_way_end_and_tells_who_is_connected() {
    let mut gateway = Gateway::start(&Setting::default());
    gateway.add_user("alice");
    let mut idle = LdapClient::connect(gateway.hosts).unwrap();
    assert_eq!(idle.bind("alice", PASSWORD), Some(0));
    tell(&gateway, "TERM");
    assert_eq!(gateway.wait().code(), Some(0), "{}", gateway.log());
    assert_eq!(idle.bind("alice", PASSWORD), None);
    assert!(LdapClient::connect(gateway.hosts).is_none());
    gateway.serve();
    let mut again = LdapClient::connect(gateway.hosts).unwrap();
    assert_eq!(again.bind("alice", PASSWORD), Some(0));
}

#[test]
fn logs_are_json_where_that_is_asked_for_and_hold_no_password() {
    let mut gateway = Gateway::prepare(&Setting::default());
    let text = fs::read_to_string(gateway.config()).unwrap();
    fs::write(
        gateway.config(),
        format!("{text}\n[log]\nformat = \"json\"\nlevel = \"trace\"\n"),
    )
    .unwrap();
    gateway.serve();
    gateway.run(&["group", "add", "staff"]).assert_success();
    gateway.add_user("alice");
    let mut client = LdapClient::connect(gateway.hosts).unwrap();
    assert!(client.bind("alice", PASSWORD).is_some());
    assert_eq!(client.bind("alice", "hunter2 of mine"), Some(49));
    let log = gateway.log();
    assert!(log.lines().count() > 3);
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["level"].is_string());
    }
    assert!(!log.contains(PASSWORD) && !log.contains("hunter2"), "{log}");
}

#[test]
fn an_administrator_follows_events_and_asks_whether_all_is_well() {
    let gateway = Gateway::start(&Setting::default());
    gateway.add_user("alice");
    gateway.run(&["healthcheck"]).assert_success();
    let mut client = LdapClient::connect(gateway.hosts).unwrap();
    assert_eq!(client.bind("alice", PASSWORD), Some(0));
    assert_eq!(client.bind("alice", "not this one"), Some(49));
    let events = gateway.run(&["events", "--user", "alice", "-o", "json"]);
    let events: Vec<serde_json::Value> = events
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let outcomes: Vec<_> = events
        .iter()
        .filter_map(|event| event["outcome"].as_str())
        .collect();
    assert_eq!(outcomes, ["granted", "refused"], "{events:?}");
    assert_eq!(events.last().unwrap()["reason"], "wrong_password");
    let metrics = gateway.metrics();
    assert!(metrics.contains("doorward_decisions_total"), "{metrics}");
}
