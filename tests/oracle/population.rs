//! The tree that both servers hold: made in Doorward by its own commands, read out of it, and
//! handed to slapd as LDIF.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::answers::{self, Entries};
use crate::client::{Client, Scope, Search, bind};
use crate::common::{BASE, Gateway, PASSWORD, Setting};

/// The service account that reads everything.
pub(crate) const SERVICE: &str = "oracle";

/// Attributes that slapd makes of an entry itself, and stores none of.
const MADE_BY_SLAPD: [&str; 3] = ["entryDN", "hasSubordinates", "subschemaSubentry"];

/// Users: name, full name, further arguments. The names hold all that a value may need escaped
/// for, what case folding and normalisation change, and spaces.
const USERS: [(&str, Option<&str>, &[&str]); 20] = [
    ("alice", Some("Alice Liddell"), &["--uid", "21001"]),
    ("bob", None, &["--uid", "21002"]),
    ("Carol.Ann", Some("Carol Ann"), &["--uid", "21003"]),
    ("dave-x_1", Some("Dave \"The Knife\" O'Neil"), &[]),
    ("erin", Some("Erin \\ Backslash"), &[]),
    ("frank", Some("Frank, Jr. + Sons; <f> = #1"), &[]),
    ("grace", Some("Gräce Ünïcödé 名前"), &[]),
    ("heidi", Some("Two  Spaces   Heidi"), &[]),
    ("ivan", Some("Ivan Straße"), &[]),
    ("judy", Some("#hash Judy"), &[]),
    ("mallory", Some("*star (paren) Mallory"), &[]),
    ("niaj", Some("Stro\u{308}m Decomposed"), &[]),
    ("olivia", Some("Ａlice Wide"), &[]),
    ("peggy", Some("Peggy Suspended"), &[]),
    ("rupert", Some("Rupert Unbound"), &[]),
    ("sybil", Some("ΟΔΥΣΣΕΎΣ ὀδυσσεύς"), &[]),
    ("trent", Some("Trent Ended"), &["--end-date", "2020-02-29"]),
    ("victor", Some("Victor Ends"), &["--end-date", "2099-12-31"]),
    ("walter", Some("alice liddell"), &[]),
    ("zoe", Some("İzoe I ı"), &["--uid", "4294967200"]),
];

/// Groups: name, description, users, groups.
type GroupRow = (
    &'static str,
    Option<&'static str>,
    &'static [&'static str],
    &'static [&'static str],
);

const GROUPS: [GroupRow; 7] = [
    (
        "admins",
        Some("Admins, \"quoted\" \\ and (parens)*"),
        &["alice", "bob"],
        &[],
    ),
    (
        "Engineers.EU",
        Some("Größe   matters"),
        &["Carol.Ann", "grace"],
        &[],
    ),
    ("nested-1", Some("nested once"), &["erin"], &["admins"]),
    ("nested-2", Some(" leading space"), &[], &["nested-1"]),
    ("nested-3", None, &["alice"], &["nested-2", "Engineers.EU"]),
    ("numbers", Some("12345"), &["frank"], &[]),
    ("shout", Some("GRÖSSE MATTERS"), &["heidi"], &[]),
];

/// Rules of sudo: name, further arguments.
const SUDO_RULES: [(&str, &[&str]); 4] = [
    (
        "defaults",
        &["--option", "env_reset", "--option", "!lecture"],
    ),
    (
        "restart",
        &[
            "--group",
            "staff",
            "--host",
            "web*",
            "--command",
            "/usr/bin/systemctl restart nginx",
            "--option",
            "!authenticate",
        ],
    ),
    (
        "Database",
        &[
            "--user",
            "alice",
            "--user",
            "Carol.Ann",
            "--group",
            "Engineers.EU",
            "--host",
            "db1.Example.org",
            "--host",
            "!db2",
            "--host",
            "192.0.2.0/24",
            "--command",
            "/usr/bin/psql -c \\*",
            "--command",
            "!/bin/sh",
            "--run-as-user",
            "postgres",
            "--run-as-group",
            "postgres",
            "--order",
            "-7",
            "--not-before",
            "2020-02-29",
            "--not-after",
            "2099-12-31",
            "--description",
            "What the base, the \"big\" one, needs",
        ],
    ),
    (
        "everybody",
        &[
            "--all-users",
            "--host",
            "ALL",
            "--command",
            "/usr/bin/uptime",
            "--run-as-user",
            "ALL",
            "--order",
            "10",
        ],
    ),
];

/// A gateway that holds the tree under a base.
pub(crate) fn gateway(base: &str) -> Gateway {
    let mut gateway = Gateway::prepare(&Setting::default());
    let text = fs::read_to_string(gateway.config()).unwrap();
    let named = format!("base_dn = '{base}'");
    let text = text.replace(&format!("base_dn = \"{BASE}\""), &named);
    assert!(text.contains(&named));
    fs::write(gateway.config(), text).unwrap();
    gateway.serve();
    gateway.run(&["group", "add", "staff"]).assert_success();
    gateway
        .run(&["resource", "bind", "hosts", "--group", "staff"])
        .assert_success();
    for (name, full_name, more) in USERS {
        let mail = format!("{name}@Example.org");
        let mut arguments = vec!["user", "add", name, "--email", &mail, "--password-stdin"];
        if let Some(full_name) = full_name {
            arguments.extend(["--full-name", full_name]);
        }
        arguments.extend(more);
        gateway
            .run_with_input(&arguments, PASSWORD)
            .assert_success();
        if name != "rupert" {
            gateway
                .run(&["group", "join", "staff", name])
                .assert_success();
        }
    }
    for name in ["alice", "peggy"] {
        gateway
            .run_with_input(&["user", "ssh-key", "add", name], &ssh_key())
            .assert_success();
    }
    gateway.run(&["user", "suspend", "peggy"]).assert_success();
    gateway
        .run(&[
            "user",
            "set",
            "bob",
            "shell=/bin/zsh",
            "home=/srv/Home of bob",
        ])
        .assert_success();
    for (name, description, users, groups) in GROUPS {
        let mut arguments = vec!["group", "add", name];
        if let Some(description) = description {
            arguments.extend(["--description", description]);
        }
        gateway.run(&arguments).assert_success();
        let mut arguments = vec!["group", "join", name];
        arguments.extend(users);
        if !groups.is_empty() {
            arguments.push("--group");
            arguments.extend(groups);
        }
        gateway.run(&arguments).assert_success();
    }
    for (name, more) in SUDO_RULES {
        gateway
            .run(&[&["sudo", "add", name], more].concat())
            .assert_success();
    }
    gateway.add_service(SERVICE);
    gateway
}

fn ssh_key() -> String {
    let blob = [b"\0\0\0\x0bssh-ed25519\0\0\0\x20".as_slice(), &[7; 32]].concat();
    format!("ssh-ed25519 {} of the tests", BASE64_STANDARD.encode(blob))
}

/// Everything that a server has under a base.
pub(crate) fn read(address: SocketAddr, base: &str) -> Entries {
    let mut client = Client::connect(address);
    let name = service(base);
    assert_eq!(client.ask(&bind(&name, PASSWORD)).code(), 0);
    let search = Search::new(base, Scope::Sub).attributes(&["*", "+"]);
    let (found, done) = client.search(&search);
    assert_eq!(done.code(), 0);
    found.iter().map(answers::entry).collect()
}

/// The name of the service account.
pub(crate) fn service(base: &str) -> String {
    format!("cn={SERVICE},ou=services,{base}")
}

/// The entries as LDIF, parents first, with passwords and the service account, which Doorward
/// keeps to itself.
pub(crate) fn ldif(entries: &Entries, base: &str) -> String {
    let mut text = String::new();
    let mut names: Vec<&String> = entries.keys().collect();
    names.sort_by_key(|name| (name.matches(',').count(), *name));
    for name in names {
        line(&mut text, "dn", name);
        for (kind, values) in &entries[name] {
            if MADE_BY_SLAPD.contains(&kind.as_str()) {
                continue;
            }
            for value in values {
                line(&mut text, kind, value);
            }
        }
        if name.starts_with("uid=") {
            line(&mut text, "userPassword", PASSWORD);
        }
        text.push('\n');
    }
    line(&mut text, "dn", &service(base));
    for (kind, value) in [
        ("objectClass", "applicationProcess"),
        ("objectClass", "simpleSecurityObject"),
        ("structuralObjectClass", "applicationProcess"),
        ("cn", SERVICE),
        ("userPassword", PASSWORD),
    ] {
        line(&mut text, kind, value);
    }
    text
}

fn line(text: &mut String, kind: &str, value: &str) {
    writeln!(text, "{kind}:: {}", BASE64_STANDARD.encode(value)).unwrap();
}
