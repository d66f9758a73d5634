//! Dovecot: IMAP logins by `auth_bind`, with a search and with a template, and by way of the
//! auth-policy protocol.

use super::{Login, MailServer, gateway, imap, serve_dovecot};
use crate::common::namespace::inside;
use crate::common::{Gateway, PASSWORD, eventually};
use crate::failures::Disk;

/// The shipped files.
const SEARCH: &str = include_str!("../../../deploy/dovecot/dovecot-ldap.conf.ext");
const TEMPLATE: &str = include_str!("../../../deploy/dovecot/dovecot-ldap-template.conf.ext");

/// Where people's own mail clients are.
const HOME: &str = "127.9.0.1";

fn status(gateway: &Gateway, user: &str) -> String {
    let shown = gateway.json(&["user", "show", user, "-o", "json"]);
    shown["status"].as_str().unwrap().to_owned()
}

/// Users in the states that matter, each let in or not as the contract says.
fn every_state(gateway: &Gateway) {
    for name in ["alice", "leo", "erin", "susan"] {
        gateway.add_user(name);
    }
    let mail = ["user", "add", "una", "--email", "una@example.org"];
    let una = [&mail[..], &["--password-stdin"]].concat();
    gateway.run_with_input(&una, PASSWORD).assert_success();
    let mut guesser = crate::common::ldap::LdapClient::connect(gateway.hosts).unwrap();
    for guess in 0..10 {
        assert_eq!(guesser.bind("leo", &format!("guess {guess}")), Some(49));
    }
    for arguments in [
        &["user", "suspend", "susan"][..],
        &["user", "expire", "erin", "--by", "2020-01-01"],
    ] {
        gateway.run(arguments).assert_success();
    }
    assert_eq!(status(gateway, "leo"), "locked");
    assert_eq!(status(gateway, "erin"), "expired");
    for (user, login) in [
        ("alice", Login::In),
        ("ALICE@example.org", Login::In),
        ("leo", Login::In),
        ("erin", Login::WrongPassword),
        ("susan", Login::WrongPassword),
        ("una", Login::WrongPassword),
        ("nobody", Login::WrongPassword),
        ("*", Login::WrongPassword),
        ("alice,ou=people", Login::WrongPassword),
    ] {
        assert_eq!(imap(HOME, user, PASSWORD), login, "{user}");
    }
    assert_eq!(imap(HOME, "alice", "wrong"), Login::WrongPassword);
    assert_eq!(imap(HOME, "leo", "wrong"), Login::WrongPassword);
}

/// Twenty wrong passwords, from as many addresses.
fn wrong_passwords_lock_nobody(gateway: &Gateway) {
    for number in 0..20 {
        let login = imap(
            &format!("127.9.1.{number}"),
            "alice",
            &format!("guess {number}"),
        );
        assert_eq!(login, Login::WrongPassword, "guess {number}");
    }
    assert_eq!(status(gateway, "alice"), "active");
    assert_eq!(imap(HOME, "alice", PASSWORD), Login::In);
}

#[test]
fn by_search_over_starttls() {
    if !inside("mail::dovecot::by_search_over_starttls") {
        return;
    }
    let gateway = gateway(", service = \"dovecot\"", "", None);
    let mut server = MailServer::new(&gateway);
    serve_dovecot(&mut server, SEARCH);
    every_state(&gateway);
    wrong_passwords_lock_nobody(&gateway);
}

#[test]
fn by_template_over_ldaps() {
    if !inside("mail::dovecot::by_template_over_ldaps") {
        return;
    }
    let gateway = gateway("", "", None);
    let mut server = MailServer::new(&gateway);
    serve_dovecot(&mut server, TEMPLATE);
    every_state(&gateway);
    wrong_passwords_lock_nobody(&gateway);
}

/// The store breaks between two logins, and mends.
fn a_broken_store(configuration: &str, match_more: &str) {
    let disk = Disk::mount();
    let gateway = gateway(match_more, "", Some(disk.path().to_owned()));
    gateway.add_user("alice");
    let mut server = MailServer::new(&gateway);
    serve_dovecot(&mut server, configuration);
    assert_eq!(imap(HOME, "alice", PASSWORD), Login::In);
    disk.fill();
    // What SQLite has already reserved may last for a few more.
    let failed = (0..2000)
        .map(|_| imap(HOME, "alice", PASSWORD))
        .find(|login| *login != Login::In);
    assert_eq!(failed, Some(Login::Unavailable));
    for _ in 0..3 {
        assert_eq!(imap(HOME, "alice", "wrong"), Login::Unavailable);
    }
    disk.empty();
    eventually(super::logs, || {
        let login = imap(HOME, "alice", PASSWORD);
        assert_ne!(login, Login::WrongPassword);
        login == Login::In
    });
}

#[test]
fn a_broken_store_is_a_temporary_failure_by_search() {
    if inside("mail::dovecot::a_broken_store_is_a_temporary_failure_by_search") {
        a_broken_store(SEARCH, ", service = \"dovecot\"");
    }
}

#[test]
fn a_broken_store_is_a_temporary_failure_by_template() {
    if inside("mail::dovecot::a_broken_store_is_a_temporary_failure_by_template") {
        a_broken_store(TEMPLATE, "");
    }
}

#[test]
fn an_attacker_is_throttled_by_address_and_the_owner_behind_the_same_server_is_not() {
    if !inside(
        "mail::dovecot::an_attacker_is_throttled_by_address_and_the_owner_behind_the_same_server_is_not",
    ) {
        return;
    }
    let gateway = gateway(", service = \"dovecot\"", "", None);
    gateway.add_user("alice");
    let mut server = MailServer::new(&gateway);
    serve_dovecot(&mut server, SEARCH);
    let attacker = "127.66.0.9";
    for number in 0..40 {
        let login = imap(attacker, "alice", &format!("guess {number}"));
        assert_eq!(login, Login::WrongPassword, "guess {number}");
    }
    let count = |label| gateway.metric("doorward_decisions_total", label);
    let compared = count("protocol=\"ldap\",resource=\"mail\",outcome=\"refused\"");
    assert!(
        (20.0..=22.0).contains(&compared),
        "as many as the account's bucket holds, and what came back meanwhile: {compared}"
    );
    assert!(count("protocol=\"auth-policy\"") >= 18.0);
    assert_eq!(imap(HOME, "alice", PASSWORD), Login::In);
    assert_eq!(
        imap(attacker, "alice", PASSWORD),
        Login::WrongPassword,
        "from there not even the right one"
    );
    assert_eq!(status(&gateway, "alice"), "active");
    let events = gateway
        .run(&["events", "--user", "alice", "-o", "json"])
        .stdout;
    let throttled: Vec<&str> = events
        .lines()
        .filter(|line| line.contains("auth-policy"))
        .collect();
    assert!(!throttled.is_empty(), "{events}");
    assert!(throttled.iter().all(|line| line.contains(attacker)));

    // A phone that keeps sending one old password takes one token, however often it sends it.
    for _ in 0..30 {
        assert_eq!(imap("127.9.2.1", "alice", "old"), Login::WrongPassword);
    }
    assert_eq!(imap("127.9.2.1", "alice", PASSWORD), Login::In);
}
