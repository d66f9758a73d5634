//! Parallel guessing over LDAP and RADIUS, and what a crash may not lose (CONTRACT.md 3).

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::common::ldap::LdapClient;
use crate::common::radius::{Reply, access_request, ask};
use crate::common::{Gateway, PASSWORD, Setting, eventually};

const INVALID_CREDENTIALS: i64 = 49;
const BUSY: i64 = 51;
/// Long enough for a reply that waited for a place and for the refusal delay.
const PATIENCE: Duration = Duration::from_secs(10);

fn status(gateway: &Gateway, user: &str) -> String {
    gateway.json(&["user", "show", user, "-o", "json"])["status"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn ten_distinct_wrong_passwords_over_ldap_and_radius_lock_and_an_unlock_reopens_at_once() {
    let gateway = Gateway::start(&Setting::default());
    gateway.add_user("alice");
    let mut client = LdapClient::connect(gateway.hosts).unwrap();
    for guess in 0..10 {
        let password = format!("guess {guess}");
        if guess % 2 == 0 {
            assert_eq!(client.bind("alice", &password), Some(INVALID_CREDENTIALS));
        } else {
            assert_eq!(
                ask(gateway.radius, "alice", &password, PATIENCE),
                Reply::Reject
            );
        }
        let expected = if guess == 9 { "locked" } else { "active" };
        assert_eq!(
            status(&gateway, "alice"),
            expected,
            "after {} guesses",
            guess + 1
        );
    }
    assert_eq!(client.bind("alice", PASSWORD), Some(INVALID_CREDENTIALS));
    assert_eq!(
        ask(gateway.radius, "alice", PASSWORD, PATIENCE),
        Reply::Reject
    );
    let mut mail = LdapClient::connect(gateway.mail).unwrap();
    assert_eq!(
        mail.bind("alice", PASSWORD),
        Some(0),
        "a locked user reads mail"
    );
    gateway.run(&["user", "unlock", "alice"]).assert_success();
    assert_eq!(
        client.bind("alice", PASSWORD),
        Some(0),
        "on the very next attempt"
    );
    assert_eq!(
        ask(gateway.radius, "alice", PASSWORD, PATIENCE),
        Reply::Accept
    );
}

#[test]
fn unlocking_leaves_an_expiry_and_a_new_password_clears_both() {
    let gateway = Gateway::start(&Setting::default());
    gateway.add_user("elle");
    let mut client = LdapClient::connect(gateway.hosts).unwrap();
    for guess in 0..10 {
        assert_eq!(
            client.bind("elle", &format!("guess {guess}")),
            Some(INVALID_CREDENTIALS)
        );
    }
    gateway.run(&["user", "expire", "elle"]).assert_success();
    assert_eq!(status(&gateway, "elle"), "expired, locked");
    gateway.run(&["user", "unlock", "elle"]).assert_success();
    assert_eq!(status(&gateway, "elle"), "expired");
    assert_eq!(client.bind("elle", PASSWORD), Some(INVALID_CREDENTIALS));
    for guess in 10..20 {
        assert_eq!(
            client.bind("elle", &format!("guess {guess}")),
            Some(INVALID_CREDENTIALS)
        );
    }
    assert_eq!(status(&gateway, "elle"), "expired, locked");
    let new = "quite another passphrase";
    gateway
        .run_with_input(&["user", "set-password", "elle", "--password-stdin"], new)
        .assert_success();
    assert_eq!(status(&gateway, "elle"), "active");
    assert_eq!(client.bind("elle", new), Some(0));
}

#[test]
fn five_hundred_guesses_from_fifty_connections_hash_no_more_than_the_threshold() {
    // Hashes slow enough that guesses pile up before the first one is settled.
    let hashing = "memory_kib = 19456\npasses = 2\nqueue = 1024\n".to_owned();
    let gateway = Gateway::start(&Setting {
        hashing,
        ..Setting::default()
    });
    gateway.add_user("alice");
    let before = gateway.metric("doorward_hashes_total", "purpose=\"login\"");
    let next = Arc::new(AtomicUsize::new(0));
    let (hosts, radius) = (gateway.hosts, gateway.radius);
    let guessers: Vec<_> = (0..50)
        .map(|_| {
            let next = Arc::clone(&next);
            thread::spawn(move || {
                let mut client = LdapClient::connect(hosts).unwrap();
                loop {
                    let guess = next.fetch_add(1, Ordering::Relaxed);
                    if guess >= 500 {
                        return;
                    }
                    let code = client.bind("alice", &format!("guess {guess}")).unwrap();
                    assert!([INVALID_CREDENTIALS, BUSY].contains(&code), "{code}");
                    if guess.is_multiple_of(10) {
                        let reply = ask(radius, "alice", &format!("guess r{guess}"), PATIENCE);
                        assert_ne!(reply, Reply::Accept);
                    }
                }
            })
        })
        .collect();
    eventually(String::new, || next.load(Ordering::Relaxed) >= 450);
    let right = LdapClient::connect(hosts).unwrap().bind("alice", PASSWORD);
    assert_eq!(
        right,
        Some(INVALID_CREDENTIALS),
        "the right password among the last is refused"
    );
    for guesser in guessers {
        guesser.join().unwrap();
    }
    let hashed = gateway.metric("doorward_hashes_total", "purpose=\"login\"") - before;
    assert!(
        (1.0..=10.0).contains(&hashed),
        "{hashed} hashes were computed"
    );
    assert_eq!(status(&gateway, "alice"), "locked");
}

#[test]
fn three_retransmissions_of_a_slow_request_are_one_verification_and_one_failure() {
    // A slow hash, one at a time, and three of them before the one in question.
    let hashing = "memory_kib = 65536\npasses = 8\nthreads = 1\n".to_owned();
    let gateway = Gateway::start(&Setting {
        hashing,
        ..Setting::default()
    });
    gateway.add_user("alice");
    gateway.add_user("bob");
    let before = gateway.metric("doorward_hashes_total", "purpose=\"login\"");
    let hosts = gateway.hosts;
    let others = ["guess 1", "guess 2", "guess 3"]
        .map(|guess| thread::spawn(move || LdapClient::connect(hosts).unwrap().bind("bob", guess)));
    eventually(
        || gateway.metrics(),
        || gateway.metric("doorward_hash_queue_depth", "") >= 2.0,
    );
    let request = access_request(7, [9; 16], "alice", "not this one");
    let nas = UdpSocket::bind("127.0.0.1:0").unwrap();
    nas.set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let receive = || {
        let mut reply = [0; 4096];
        let received = nas.recv(&mut reply).ok()?;
        Some(reply[..received].to_vec())
    };
    let mut replies = Vec::new();
    for _ in 0..4 {
        nas.send_to(&request, gateway.radius).unwrap();
        replies.extend(receive());
    }
    if replies.is_empty() {
        nas.set_read_timeout(Some(4 * PATIENCE)).unwrap();
        replies.extend(receive());
    }
    for other in others {
        assert_eq!(other.join().unwrap(), Some(INVALID_CREDENTIALS));
    }
    let again = gateway.metric(
        "doorward_radius_drops_total",
        "reason=\"duplicate_in_flight\"",
    ) + gateway.metric("doorward_radius_resends_total", "");
    assert!((again - 3.0).abs() < f64::EPSILON, "{}", gateway.metrics());
    replies.dedup();
    assert!(matches!(replies.as_slice(), [reply] if reply[0] == 3));
    let hashed = gateway.metric("doorward_hashes_total", "purpose=\"login\"") - before;
    assert!((hashed - 4.0).abs() < f64::EPSILON, "{hashed}");
    let shown = gateway.json(&["user", "show", "alice", "-o", "json"]);
    assert_eq!(shown["recent_failures"], 1, "{shown}");
}

#[test]
fn the_same_wrong_password_counts_once_and_the_previous_one_nothing() {
    let gateway = Gateway::start(&Setting::default());
    gateway.add_user("alice");
    let mut client = LdapClient::connect(gateway.hosts).unwrap();
    for _ in 0..100 {
        assert_eq!(
            client.bind("alice", "not this one"),
            Some(INVALID_CREDENTIALS)
        );
    }
    let shown = gateway.json(&["user", "show", "alice", "-o", "json"]);
    assert_eq!(shown["recent_failures"], 1, "{shown}");
    let new = "quite another passphrase";
    gateway
        .run_with_input(&["user", "set-password", "alice", "--password-stdin"], new)
        .assert_success();
    for _ in 0..100 {
        assert_eq!(client.bind("alice", PASSWORD), Some(INVALID_CREDENTIALS));
    }
    let shown = || gateway.json(&["user", "show", "alice", "-o", "json"]);
    // That it was the previous one is found out after the answer.
    eventually(|| shown().to_string(), || shown()["recent_failures"] == 0);
    assert_eq!(shown()["status"], "active");
    assert_eq!(client.bind("alice", new), Some(0));
}

#[test]
fn fifty_parallel_logins_with_the_right_password_all_succeed() {
    let gateway = Gateway::start(&Setting::default());
    gateway.add_user("alice");
    let hosts = gateway.hosts;
    let logins: Vec<_> = (0..50)
        .map(|_| thread::spawn(move || LdapClient::connect(hosts).unwrap().bind("alice", PASSWORD)))
        .collect();
    for login in logins {
        assert_eq!(login.join().unwrap(), Some(0));
    }
}

#[test]
fn a_kill_in_a_storm_of_guesses_loses_no_answered_failure() {
    for round in 0..4_u64 {
        let mut gateway = Gateway::start(&Setting::default());
        gateway
            .run(&["policy", "set", "lockout.threshold=100"])
            .assert_success();
        gateway.add_user("alice");
        let answered = Arc::new(AtomicUsize::new(0));
        let hosts = gateway.hosts;
        let guessers: Vec<_> = (0..8)
            .map(|guesser| {
                let answered = Arc::clone(&answered);
                thread::spawn(move || {
                    let Some(mut client) = LdapClient::connect(hosts) else {
                        return;
                    };
                    for guess in 0..10_000 {
                        match client.bind("alice", &format!("guess {guesser} {guess}")) {
                            Some(INVALID_CREDENTIALS) => answered.fetch_add(1, Ordering::SeqCst),
                            Some(other) => panic!("result code {other}"),
                            None => return,
                        };
                    }
                })
            })
            .collect();
        // Fewer than the threshold, which the account's own throttle follows.
        let enough = 10 + usize::try_from(round).unwrap() * 17;
        eventually(
            || gateway.log(),
            || answered.load(Ordering::SeqCst) >= enough,
        );
        gateway.kill();
        for guesser in guessers {
            guesser.join().unwrap();
        }
        let answered = answered.load(Ordering::SeqCst);
        gateway.serve();
        let shown = gateway.json(&["user", "show", "alice", "-o", "json"]);
        let counted = shown["recent_failures"].as_u64().unwrap();
        assert!(
            counted >= answered as u64,
            "{answered} were answered and {counted} are counted"
        );
        let mut client = LdapClient::connect(gateway.hosts).unwrap();
        assert_eq!(client.bind("alice", PASSWORD), Some(0));
    }
}

#[test]
fn a_change_by_another_process_is_in_force_on_the_very_next_attempt() {
    let gateway = Gateway::start(&Setting::default());
    gateway.add_user("alice");
    let mut client = LdapClient::connect(gateway.hosts).unwrap();
    assert_eq!(client.bind("alice", PASSWORD), Some(0));
    assert_eq!(client.search("uid", "alice").unwrap().0.len(), 1);
    gateway.run(&["user", "suspend", "alice"]).assert_success();
    let (entries, code) = client.search("uid", "alice").unwrap();
    assert!(
        entries.is_empty(),
        "the session lost its ground, code {code}"
    );
    assert_eq!(client.bind("alice", PASSWORD), Some(INVALID_CREDENTIALS));
    gateway.run(&["user", "resume", "alice"]).assert_success();
    assert_eq!(client.bind("alice", PASSWORD), Some(0));
    gateway
        .run(&["group", "leave", "staff", "alice"])
        .assert_success();
    assert_eq!(client.bind("alice", PASSWORD), Some(INVALID_CREDENTIALS));
    assert_eq!(
        ask(gateway.radius, "alice", PASSWORD, PATIENCE),
        Reply::Reject
    );
}
