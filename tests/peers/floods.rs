//! What strangers can fill or use up besides the protocols: the disk, by way of the audit log
//! (CONTRACT.md 9), and the listeners for HTTP; and what the status page tells them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use crate::common::ldap::LdapClient;
use crate::common::radius::{Reply, ask};
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
