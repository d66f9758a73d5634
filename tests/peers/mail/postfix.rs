//! Postfix: lookup tables, and logins through Dovecot.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, chown};

use super::{MailServer, POSTFIX, gateway, logs, place, run, serve_dovecot};
use crate::common::namespace::{inside, write};
use crate::common::{Gateway, PASSWORD, Ran, eventually};

/// The shipped files.
const MAIN: &str = include_str!("../../../deploy/postfix/main.cf");
const TABLES: [(&str, &str); 4] = [
    (
        "ldap-mailboxes.cf",
        include_str!("../../../deploy/postfix/ldap-mailboxes.cf"),
    ),
    (
        "ldap-aliases.cf",
        include_str!("../../../deploy/postfix/ldap-aliases.cf"),
    ),
    (
        "ldap-groups.cf",
        include_str!("../../../deploy/postfix/ldap-groups.cf"),
    ),
    (
        "ldap-senders.cf",
        include_str!("../../../deploy/postfix/ldap-senders.cf"),
    ),
];
const DOVECOT: &str = include_str!("../../../deploy/dovecot/dovecot-ldap.conf.ext");
/// Either mail server is known by its service account.
const BOTH_SERVICES: &str = ", service = [\"dovecot\", \"postfix\"]";

/// Puts the shipped files and what the package has of its own in their places.
fn place_files() {
    fs::create_dir_all("/etc/postfix").unwrap();
    let package = "/usr/share/postfix";
    fs::copy(
        format!("{package}/master.cf.dist"),
        "/etc/postfix/master.cf",
    )
    .unwrap();
    for file in ["postfix-files", "dynamicmaps.cf"] {
        let there = format!("/etc/postfix/{file}");
        if !fs::exists(&there).unwrap() {
            let _ = fs::copy(format!("{package}/{file}"), there);
        }
    }
    fs::write("/etc/postfix/main.cf", MAIN).unwrap();
    for (name, shipped) in TABLES {
        let path = format!("/etc/postfix/{name}");
        place(&path, shipped);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        chown(path, None, Some(POSTFIX)).unwrap();
    }
}

fn query(table: &str, key: &str) -> Ran {
    run(
        "postmap",
        &["-q", key, &format!("ldap:/etc/postfix/{table}")],
    )
}

#[track_caller]
fn assert_found(table: &str, key: &str, expected: &str) {
    let ran = query(table, key);
    assert_eq!(ran.code, Some(0), "{table} {key}: {ran:?}");
    assert_eq!(ran.stdout.trim_end(), expected, "{table} {key}");
}

/// Postfix tells "not found" from "not now": nothing, and nothing complained of.
#[track_caller]
fn assert_not_found(table: &str, key: &str) {
    let ran = query(table, key);
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (Some(1), ""),
        "{table} {key}"
    );
}

#[track_caller]
fn assert_not_now(table: &str, key: &str) {
    let ran = query(table, key);
    assert_eq!(ran.code, Some(1), "{table} {key}: {ran:?}");
    assert!(
        !ran.stderr.is_empty(),
        "{table} {key}: a temporary failure is complained of"
    );
}

fn add_people(gateway: &Gateway) {
    for name in ["alice", "bob", "susan"] {
        gateway.add_user(name);
    }
    let carol = ["user", "add", "carol", "--email", "c.archer@example.org"];
    gateway.run(&carol).assert_success();
    gateway.run(&["user", "suspend", "susan"]).assert_success();
    gateway.run(&["group", "add", "all"]).assert_success();
    gateway.run(&["group", "add", "empty"]).assert_success();
    gateway
        .run(&["group", "join", "all", "carol"])
        .assert_success();
    gateway
        .run(&["group", "join", "all", "--group", "staff"])
        .assert_success();
}

fn sorted(addresses: &str) -> Vec<&str> {
    let mut addresses: Vec<&str> = addresses.trim_end().split(',').collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

#[test]
fn tables_of_mailboxes_aliases_and_groups() {
    if !inside("mail::postfix::tables_of_mailboxes_aliases_and_groups") {
        return;
    }
    let gateway = gateway(BOTH_SERVICES, "", None);
    add_people(&gateway);
    let _server = MailServer::new(&gateway);
    place_files();
    assert_found("ldap-mailboxes.cf", "alice@example.org", "alice/Maildir/");
    assert_found("ldap-mailboxes.cf", "Alice@Example.org", "alice/Maildir/");
    assert_found(
        "ldap-mailboxes.cf",
        "c.archer@example.org",
        "carol/Maildir/",
    );
    assert_found("ldap-mailboxes.cf", "susan@example.org", "susan/Maildir/");
    assert_found(
        "ldap-aliases.cf",
        "carol@example.org",
        "c.archer@example.org",
    );
    assert_found("ldap-senders.cf", "c.archer@example.org", "carol");
    for (table, key) in [
        ("ldap-mailboxes.cf", "nobody@example.org"),
        ("ldap-mailboxes.cf", "*@example.org"),
        ("ldap-aliases.cf", "nobody@example.org"),
        ("ldap-aliases.cf", "alice@elsewhere.example"),
        ("ldap-groups.cf", "nogroup@example.org"),
        ("ldap-groups.cf", "empty@example.org"),
    ] {
        assert_not_found(table, key);
    }
    let staff = ["alice@example.org", "bob@example.org", "susan@example.org"];
    let found = query("ldap-groups.cf", "staff@example.org");
    assert_eq!(sorted(&found.stdout), staff, "{found:?}");
    let found = query("ldap-groups.cf", "all@example.org");
    let all = [
        &staff[..1],
        &["bob@example.org", "c.archer@example.org"],
        &staff[2..],
    ]
    .concat();
    assert_eq!(sorted(&found.stdout), all, "groups in groups: {found:?}");
}

/// Without TLS, since with it Postfix speaks version 3 whatever it is told. Its authors' default is
/// version 2, Debian's 3.
fn without_tls(version: &str) {
    let (name, shipped) = TABLES[0];
    let text = shipped.replace("version = 3\nstart_tls = yes\n", version);
    assert_ne!(text, shipped);
    place(&format!("/etc/postfix/{name}"), &text);
}

#[test]
fn version_2_of_ldap_needs_the_listeners_leave_and_the_default_none() {
    if !inside("mail::postfix::version_2_of_ldap_needs_the_listeners_leave_and_the_default_none") {
        return;
    }
    let mut gateway = gateway(BOTH_SERVICES, "plaintext_bind = \"loopback\"", None);
    gateway.add_user("alice");
    let _server = MailServer::new(&gateway);
    place_files();
    without_tls("version = 2\n");
    assert_not_now("ldap-mailboxes.cf", "alice@example.org");
    for version in ["", "version = 3\n"] {
        without_tls(version);
        assert_found("ldap-mailboxes.cf", "alice@example.org", "alice/Maildir/");
    }
    let text = fs::read_to_string(gateway.config()).unwrap();
    let admitting = text.replace(
        "name = \"mail-starttls\"\n",
        "name = \"mail-starttls\"\nldapv2_bind = \"allow\"\n",
    );
    assert_ne!(text, admitting);
    fs::write(gateway.config(), admitting).unwrap();
    gateway.kill();
    gateway.serve();
    without_tls("version = 2\n");
    assert_found("ldap-mailboxes.cf", "alice@example.org", "alice/Maildir/");
    assert_not_found("ldap-mailboxes.cf", "nobody@example.org");
}

#[test]
fn nobody_in_particular_and_the_wrong_password_get_a_temporary_failure() {
    if !inside("mail::postfix::nobody_in_particular_and_the_wrong_password_get_a_temporary_failure")
    {
        return;
    }
    let gateway = gateway(BOTH_SERVICES, "", None);
    gateway.add_user("alice");
    let _server = MailServer::new(&gateway);
    place_files();
    let (name, shipped) = TABLES[0];
    let path = format!("/etc/postfix/{name}");
    let anonymous: String = shipped
        .lines()
        .filter(|line| !line.starts_with("bind_"))
        .flat_map(|line| [line, "\n"])
        .collect();
    write(&path, &anonymous);
    assert_not_now(name, "alice@example.org");
    write(&path, shipped);
    assert_not_now(name, "alice@example.org");
    place(&path, shipped);
    assert_found(name, "alice@example.org", "alice/Maildir/");
}

fn swaks(user: &str, password: &str, from: &str) -> Ran {
    let arguments = [
        "--server",
        "127.0.0.1",
        "--tls",
        "--auth",
        "PLAIN",
        "--auth-user",
        user,
        "--auth-password",
        password,
        "--from",
        from,
        "--to",
        "bob@example.org",
        "--quit-after",
        "RCPT",
        "--timeout",
        "30",
    ];
    run("swaks", &arguments)
}

#[test]
fn logins_through_dovecot() {
    if !inside("mail::postfix::logins_through_dovecot") {
        return;
    }
    let gateway = gateway(BOTH_SERVICES, "", None);
    add_people(&gateway);
    let mut server = MailServer::new(&gateway);
    place_files();
    serve_dovecot(&mut server, DOVECOT);
    // Messages go to a file: there is no syslog here.
    run("postconf", &["-e", "maillog_file=/var/log/postfix.log"]).assert_success();
    server.serve("/usr/sbin/postfix", &["start-fg"]);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 25));
    eventually(logs, || TcpStream::connect(address).is_ok());

    let sent = swaks("alice", PASSWORD, "alice@example.org");
    assert_eq!(sent.code, Some(0), "{sent:?}\n{}", logs());
    assert!(sent.stdout.contains("235 2.7.0"), "{sent:?}");
    let other = swaks("alice", PASSWORD, "bob@example.org");
    assert!(
        other.stdout.contains("553 5.7.1"),
        "as somebody else: {other:?}"
    );
    for (user, password) in [
        ("alice", "wrong"),
        ("nobody", PASSWORD),
        ("susan", PASSWORD),
    ] {
        let refused = swaks(user, password, "alice@example.org");
        assert!(refused.stdout.contains("535 5.7.8"), "{user}: {refused:?}");
    }
}
