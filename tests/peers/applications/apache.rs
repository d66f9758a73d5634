//! Apache httpd 2.4: who gets in at a place, and who at one for a group.

use std::fs;

use super::{administer, gateway, machine, place_secrets, status, wait_for};
use crate::common::namespace::inside;
use crate::common::{Gateway, PASSWORD, eventually};
use crate::failures::Disk;
use crate::hosts::{Host, nest_groups};

/// The shipped file.
const SHIPPED: &str = include_str!("../../../deploy/apache/doorward.conf");
const INTRANET: &str = "/intranet/";
const PAYROLL: &str = "/intranet/payroll/";

/// The shipped file with TLS from the first byte, changed as it says.
fn over_ldaps() -> String {
    let text = SHIPPED.replace("\"ldap://", "\"ldaps://").replace(
        "(objectClass=posixAccount)\" STARTTLS",
        "(objectClass=posixAccount)\"",
    );
    assert!(text.contains("ldaps://ldap.example.org"));
    assert!(!text.contains("\" STARTTLS"));
    text
}

/// A machine with Apache on it, started with this file.
fn serve(gateway: &Gateway, configuration: &str) -> Host {
    let mut host = install(gateway);
    start(&mut host, configuration);
    host
}

/// A machine with Apache on it, which has Debian's own configuration and does not run.
fn install(gateway: &Gateway) -> Host {
    let host = machine(gateway);
    for module in [
        "mpm_event",
        "alias",
        "auth_basic",
        "authn_core",
        "authz_core",
        "authz_host",
        "authz_user",
        "dir",
        "env",
        "ldap",
        "authnz_ldap",
        "mime",
    ] {
        administer("a2enmod", &["--quiet", module]);
    }
    administer("a2ensite", &["--quiet", "000-default"]);
    fs::write("/etc/apache2/ports.conf", "Listen 127.0.0.1:80\n").unwrap();
    place_secrets("/etc/apache2", 0);
    for place in [INTRANET, PAYROLL] {
        let folder = format!("/var/www/html{place}");
        fs::create_dir_all(&folder).unwrap();
        fs::write(format!("{folder}index.html"), "in\n").unwrap();
    }
    fs::create_dir_all("/var/log/apache2").unwrap();
    host
}

/// Starts Apache with this file.
fn start(host: &mut Host, configuration: &str) {
    fs::write("/etc/apache2/conf-available/doorward.conf", configuration).unwrap();
    administer("a2enconf", &["--quiet", "doorward"]);
    let command = ". /etc/apache2/envvars && mkdir -p $APACHE_RUN_DIR $APACHE_LOCK_DIR && \
                 exec apache2 -DFOREGROUND";
    host.serve("/bin/sh", &["-c", command]);
    wait_for(host, 80);
}

#[track_caller]
fn get(place: &str, user: &str, password: &str) -> u16 {
    let account = format!("{user}:{password}");
    let address = format!("http://127.0.0.1{place}");
    status(&["--user", &account, &address])
}

fn every_state_and_group(gateway: &Gateway) {
    nest_groups(gateway, "active");
    for arguments in [
        &["group", "add", "payroll"][..],
        &["group", "join", "payroll", "--group", "first"],
    ] {
        gateway.run(arguments).assert_success();
    }
    gateway.add_user("bob");

    assert_eq!(status(&["http://127.0.0.1/intranet/"]), 401, "nobody");
    for (user, expected) in [
        ("active", 200),
        ("ACTIVE", 200),
        ("bob", 200),
        ("mustchange", 401),
        ("staged", 401),
        ("pending", 401),
        ("expired", 401),
        ("locked", 401),
        ("both", 401),
        ("suspended", 401),
        ("ended", 401),
        ("unbound", 401),
        ("outsider", 401),
        ("nobody", 401),
        ("*", 401),
        ("active)(uid=*", 401),
    ] {
        assert_eq!(get(INTRANET, user, PASSWORD), expected, "{user}");
    }
    for password in ["wrong", ""] {
        assert_eq!(get(INTRANET, "active", password), 401, "{password:?}");
    }
    assert_eq!(get(PAYROLL, "active", PASSWORD), 200, "three groups down");
    assert_eq!(get(PAYROLL, "bob", PASSWORD), 403);
    assert_eq!(get(PAYROLL, "active", "wrong"), 401);
    assert_eq!(get(PAYROLL, "suspended", PASSWORD), 401);
    let log = fs::read_to_string("/var/log/apache2/access.log").unwrap();
    assert!(log.contains(" - active ["), "{log}");
    assert!(
        !log.contains(" - ACTIVE ["),
        "the username as it is kept:\n{log}"
    );
}

#[test]
fn every_state_and_group_over_starttls() {
    if inside("applications::apache::every_state_and_group_over_starttls") {
        let gateway = gateway(None);
        let _host = serve(&gateway, SHIPPED);
        every_state_and_group(&gateway);
    }
}

#[test]
fn every_state_and_group_over_ldaps() {
    if inside("applications::apache::every_state_and_group_over_ldaps") {
        let gateway = gateway(None);
        let _host = serve(&gateway, &over_ldaps());
        every_state_and_group(&gateway);
    }
}

/// Lets `active` in, takes away the group and then the account's leave, and says what Apache makes
/// of it each time.
fn after_a_change(configuration: &str) -> [u16; 2] {
    let gateway = gateway(None);
    gateway.run(&["group", "add", "payroll"]).assert_success();
    gateway
        .run(&["group", "join", "payroll", "active"])
        .assert_success();
    let _host = serve(&gateway, configuration);
    for place in [INTRANET, PAYROLL] {
        assert_eq!(get(place, "active", PASSWORD), 200);
    }
    gateway
        .run(&["group", "leave", "payroll", "active"])
        .assert_success();
    let left = get(PAYROLL, "active", PASSWORD);
    gateway.run(&["user", "suspend", "active"]).assert_success();
    [left, get(INTRANET, "active", PASSWORD)]
}

#[test]
fn a_change_is_in_force_at_the_next_request() {
    if inside("applications::apache::a_change_is_in_force_at_the_next_request") {
        assert_eq!(after_a_change(SHIPPED), [403, 401]);
    }
}

/// Why the shipped file says it.
#[test]
fn without_the_lines_on_its_cache_apache_lets_suspended_users_in() {
    if inside("applications::apache::without_the_lines_on_its_cache_apache_lets_suspended_users_in")
    {
        let text = SHIPPED
            .replace("LDAPCacheEntries 0\n", "")
            .replace("LDAPOpCacheEntries 0\n", "");
        assert_eq!(after_a_change(&text), [200, 200]);
    }
}

#[test]
fn no_password_goes_to_a_gateway_of_an_unknown_authority() {
    if !inside("applications::apache::no_password_goes_to_a_gateway_of_an_unknown_authority") {
        return;
    }
    let gateway = gateway(None);
    let other = gateway.path("other");
    let other = other.to_str().unwrap();
    gateway.run(&["certs", other]).assert_success();
    let authority = format!("{other}/ca.pem");
    let mut host = install(&gateway);
    for shipped in [SHIPPED.to_owned(), over_ldaps()] {
        let text = shipped.replace("/etc/apache2/doorward-ca.pem", &authority);
        start(&mut host, &text);
        assert_eq!(get(INTRANET, "active", PASSWORD), 500);
        host.stop();
    }
    let asked = || {
        let events = gateway.run(&["events", "-o", "json"]).stdout;
        events
            .lines()
            .any(|line| line.contains(r#""protocol":"ldap""#) && line.contains("intranet"))
    };
    assert!(!asked());
    start(&mut host, SHIPPED);
    assert_eq!(get(INTRANET, "active", PASSWORD), 200);
    eventually(|| host.complaints(), asked);
}

/// The store breaks between two requests, and mends.
fn a_broken_store(configuration: &str) {
    let disk = Disk::mount();
    let gateway = gateway(Some(disk.path().to_owned()));
    let host = serve(&gateway, configuration);
    assert_eq!(get(INTRANET, "active", PASSWORD), 200);
    disk.fill();
    // What SQLite has already reserved may last for a few more.
    let failed = (0..2000)
        .map(|_| get(INTRANET, "active", PASSWORD))
        .find(|status| *status != 200);
    assert_eq!(failed, Some(500));
    for password in [PASSWORD, "wrong"] {
        assert_eq!(get(INTRANET, "active", password), 500, "{password}");
    }
    disk.empty();
    eventually(
        || host.complaints(),
        || {
            let status = get(INTRANET, "active", PASSWORD);
            assert_ne!(status, 401);
            status == 200
        },
    );
}

#[test]
fn a_broken_store_is_a_server_error_over_starttls() {
    if inside("applications::apache::a_broken_store_is_a_server_error_over_starttls") {
        a_broken_store(SHIPPED);
    }
}

#[test]
fn a_broken_store_is_a_server_error_over_ldaps() {
    if inside("applications::apache::a_broken_store_is_a_server_error_over_ldaps") {
        a_broken_store(&over_ldaps());
    }
}
