//! What strangers can fill or use up besides the protocols: the disk, by way of the audit log
//! (CONTRACT.md 9), and the listeners for HTTP; and what the status page tells them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use crate::common::ldap::LdapClient;
use crate::common::radius::{Reply, ask, ask_saying, sealed_request};
use crate::common::{Gateway, PASSWORD, Setting, eventually};

const INVALID_CREDENTIALS: i64 = 49;
const PATIENCE: Duration = Duration::from_secs(10);

/// A gateway whose status page tells what it tells by default.
fn with_the_default_page() -> Setting {
    Setting {
        metrics: String::new(),
        ..Setting::default()
    }
}

fn events(gateway: &Gateway, outcome: &str) -> Vec<serde_json::Value> {
    let arguments = [
        "events",
        "--since",
        "1h",
        "--outcome",
        outcome,
        "-o",
        "json",
    ];
    let ran = gateway.run(&arguments);
    ran.assert_success();
    let lines = ran.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn count(events: &[serde_json::Value]) -> u64 {
    events
        .iter()
        .map(|event| event["count"].as_u64().unwrap())
        .sum()
}

#[test]
fn contract_9_one_user_that_binds_again_and_again_takes_a_row_a_minute() {
    let gateway = Gateway::start(&Setting::default());
    gateway.add_user("alice");
    gateway.add_service("sssd");
    let mut client = LdapClient::connect(gateway.hosts).unwrap();
    for _ in 0..150 {
        assert_eq!(client.bind("alice", PASSWORD), Some(0));
        assert_eq!(client.bind_service("sssd", PASSWORD), Some(0));
    }
    let granted = events(&gateway, "granted");
    assert_eq!(count(&granted), 300, "none is lost");
    // Two accounts, and a minute may have begun meanwhile.
    assert!(granted.len() <= 2 * 3, "{} rows", granted.len());
    let merged = granted.iter().find(|event| event["count"] != 1).unwrap();
    assert!(merged["last"].as_str() > merged["at"].as_str(), "{merged}");
}

#[test]
fn contract_9_names_that_nobody_has_take_a_row_a_minute_over_radius_too() {
    let gateway = Gateway::start(&Setting::default());
    gateway.add_user("alice");
    for number in 0..60 {
        let name = match number % 2 {
            0 => format!("nobody{number}"),
            _ => format!("no body{number}"),
        };
        assert_eq!(ask(gateway.radius, &name, "guess", PATIENCE), Reply::Reject);
    }
    let refused = events(&gateway, "refused");
    assert_eq!(count(&refused), 60);
    // Unknown ones and malformed ones, and a minute may have begun meanwhile.
    assert!(refused.len() <= 2 * 2, "{} rows", refused.len());
}

#[test]
fn contract_9_a_right_password_that_is_refused_takes_a_row_a_minute() {
    let gateway = Gateway::start(&Setting::default());
    gateway.add_user("alice");
    gateway.add_user("bob");
    gateway.run(&["user", "suspend", "alice"]).assert_success();
    gateway
        .run(&["group", "leave", "staff", "bob"])
        .assert_success();
    let mut client = LdapClient::connect(gateway.hosts).unwrap();
    for _ in 0..60 {
        for user in ["alice", "bob"] {
            assert_eq!(client.bind(user, PASSWORD), Some(INVALID_CREDENTIALS));
        }
    }
    // What merges is durable within a second.
    let refused = || events(&gateway, "refused");
    eventually(
        || count(&refused()).to_string(),
        || count(&refused()) == 120,
    );
    assert!(refused().len() <= 2 * 2, "{} rows", refused().len());
}

/// Over the VPN the origin is the address that the NAS reports, without the port (CONTRACT.md 3.2):
/// who logs in from elsewhere within the owner's minute has an event.
#[test]
fn contract_9_logins_from_two_addresses_behind_one_nas_are_two_events() {
    let gateway = Gateway::start(&Setting::default());
    gateway.add_user("alice");
    let owner = ["192.0.2.10[4500]", "192.0.2.10[4501]", "192.0.2.10"];
    for station in owner.iter().chain(&["203.0.113.66"]) {
        let said = [(31, station.as_bytes())];
        for (user, answer) in [("alice", Reply::Accept), ("nobody", Reply::Reject)] {
            let got = ask_saying(gateway.radius, user, PASSWORD, &said, PATIENCE);
            assert_eq!(got, answer, "{user} from {station}");
        }
    }
    for outcome in ["granted", "refused"] {
        let told = events(&gateway, outcome);
        let told = told.iter().map(|event| {
            let station = event["origin"]["station"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            (station, event["count"].as_u64().unwrap())
        });
        let mut counts: BTreeMap<bool, u64> = BTreeMap::new();
        for (station, count) in told {
            *counts.entry(station == "203.0.113.66").or_default() += count;
        }
        assert_eq!(counts, BTreeMap::from([(false, 3), (true, 1)]), "{outcome}");
    }
}

/// Whoever is in reach of an access point can have EAP fail as often as they like.
#[test]
fn contract_9_eap_that_fails_again_and_again_is_told_a_few_times_a_minute() {
    let gateway = Gateway::start(&Setting::default());
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(gateway.radius).unwrap();
    let mut identifier = 0;
    let mut send = |eap: &[u8], state: Option<&[u8]>| {
        identifier += 1;
        let mut attributes = vec![(1, &b"x"[..]), (31, &[b'x'; 200][..]), (79, eap)];
        attributes.extend(state.map(|state| (24, state)));
        let request = sealed_request(identifier, [identifier; 16], &attributes);
        socket.send(&request).unwrap();
        let mut reply = [0; 4096];
        let length = socket.recv(&mut reply).unwrap();
        reply[..length].to_vec()
    };
    let before = gateway.log().len();
    for _ in 0..40 {
        let question = send(&[2, 1, 0, 6, 1, b'x'], None);
        assert_eq!(question[0], 11, "a challenge");
        let attribute = |kind| {
            let mut rest = &question[20..];
            while rest[0] != kind {
                rest = &rest[usize::from(rest[1])..];
            }
            rest[2..usize::from(rest[1])].to_vec()
        };
        // No method at all is offered in its place.
        let refused = send(&[2, attribute(79)[1], 0, 6, 3, 0], Some(&attribute(24)));
        assert_eq!(refused[0], 3, "a reject");
    }
    let log = gateway.log().split_off(before);
    let told = log
        .lines()
        .filter(|line| line.contains("eap_no_common_method"));
    // Half a minute may bring some more.
    assert!((1..=10).contains(&told.count()), "{log}");
    assert!(log.len() < 10 * 200, "{} bytes:\n{log}", log.len());
}

/// The page's counters and gauges that an attempt may move, by name and labels.
fn shown(gateway: &Gateway) -> BTreeMap<String, f64> {
    let page = gateway.metrics();
    let lines = page.lines().filter(|line| line.starts_with("doorward_"));
    lines
        // How long an operation took is measured as well at its other end.
        .filter(|line| !line.starts_with("doorward_ldap_request_seconds"))
        .filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        })
        .collect()
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "what the daemon does after an answer is waited for, which no clock of ours drives"
)]
fn contract_5_2_the_status_page_tells_no_more_of_a_refusal_than_the_wire() {
    let gateway = Gateway::start(&with_the_default_page());
    for user in ["alice", "locked", "suspended", "renewed"] {
        gateway.add_user(user);
    }
    gateway
        .run(&["user", "suspend", "suspended"])
        .assert_success();
    // With a former password, which a wrong one is compared with afterwards.
    gateway
        .run_with_input(
            &["user", "set-password", "renewed", "--password-stdin"],
            "velvet lantern orchard",
        )
        .assert_success();
    let mut client = LdapClient::connect(gateway.hosts).unwrap();
    for guess in 0..10 {
        client.bind("locked", &format!("guess {guess}"));
    }
    let mut moved = BTreeMap::new();
    for user in ["nobody", "alice", "locked", "suspended", "renewed"] {
        // What the first of its kind makes appear was there before for those that follow.
        for password in ["a first wrong one", "not this one"] {
            // What is done after an answer is done.
            std::thread::sleep(Duration::from_millis(300));
            let before = shown(&gateway);
            assert_eq!(client.bind(user, password), Some(INVALID_CREDENTIALS));
            std::thread::sleep(Duration::from_millis(300));
            let after = shown(&gateway);
            let difference: BTreeMap<String, String> = after
                .iter()
                .map(|(name, value)| (name, value - before.get(name).unwrap_or(&0.0)))
                .filter(|(_, difference)| *difference != 0.0)
                .map(|(name, difference)| (name.clone(), difference.to_string()))
                .collect();
            moved.insert(user, difference);
        }
    }
    let unknown = &moved["nobody"];
    assert!(!unknown.is_empty());
    for (user, difference) in &moved {
        assert_eq!(difference, unknown, "{user}");
    }
    let page = gateway.metrics();
    for told in ["unknown_user", "wrong_password", "locked", "dummy", "stale"] {
        assert!(!page.contains(told), "{told}: {page}");
    }
}

#[test]
fn half_sent_requests_to_the_status_page_take_nothing_from_ldap() {
    let gateway = Gateway::start(&with_the_default_page());
    gateway.add_user("alice");
    let files = || {
        let folder = format!("/proc/{}/fd", gateway.process());
        fs::read_dir(folder).unwrap().count()
    };
    let before = files();
    let mut strangers = Vec::new();
    for _ in 0..2000 {
        let mut stream = TcpStream::connect(gateway.status).unwrap();
        // Those that have lost their place are closed by now.
        let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: h");
        strangers.push(stream);
    }
    gateway.run(&["healthcheck"]).assert_success();
    let mut client = LdapClient::connect(gateway.hosts).unwrap();
    assert_eq!(client.bind("alice", PASSWORD), Some(0));
    eventually(
        || format!("{} files, {before} before", files()),
        || files() <= before + 128,
    );
    drop(strangers);
}
