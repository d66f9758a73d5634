//! The README's first command, tried with Debian's own clients: every line of the demo's tour.

use std::io::{BufRead as _, BufReader};
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::common::radius::access_request;
use crate::common::{BASE, PASSWORD, Ran, client, client_with_input, doorward};

const HOSTS: &str = "ldap://127.0.0.1:3389";
const MAIL: &str = "ldap://127.0.0.1:3390";
const RADIUS: &str = "127.0.0.1:11812";
const SSSD: &str = "cn=sssd,ou=services,dc=example,dc=org";
const STAFF: &str = "dn: cn=staff,ou=groups,dc=example,dc=org";
const ALICE: &str = "dn: uid=alice,ou=people,dc=example,dc=org";

struct Demo {
    process: Child,
    folder: tempfile::TempDir,
}

impl Demo {
    /// Starts the demo and waits for its last line before the events.
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_doorward"))
            .args(["demo", "--dir"])
            .arg(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let is_last = |line: String| line.starts_with("Events as they happen");
        let ready = lines.by_ref().map_while(Result::ok).any(is_last);
        assert!(ready, "the demo ended before it was ready");
        // What it prints from here on is read, so that it never waits for its reader.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, folder }
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = doorward(&self.folder.path().join("doorward.toml"));
        command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.output().unwrap().into()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn person(name: &str) -> String {
    format!("uid={name},ou=people,{BASE}")
}

fn whoami(url: &str, dn: &str, more: &[&str]) -> Ran {
    let mut arguments = vec!["-x", "-H", url, "-D", dn, "-w", PASSWORD];
    arguments.extend(more);
    client("ldapwhoami", "ldap-utils", &arguments)
}

fn search(url: &str, dn: &str, filter: &str, attributes: &[&str]) -> Ran {
    let mut arguments = vec!["-x", "-LLL", "-o", "ldif-wrap=no", "-H", url];
    if !dn.is_empty() {
        arguments.extend(["-D", dn, "-w", PASSWORD]);
    }
    arguments.extend(["-b", BASE, filter]);
    arguments.extend(attributes);
    client("ldapsearch", "ldap-utils", &arguments)
}

fn radclient(request: &str, secret: &str) -> Ran {
    let arguments = ["-r", "1", "-t", "2", RADIUS, "auth", secret];
    client_with_input("radclient", "freeradius-utils", &arguments, request)
}

fn request(user: &str, more: &str) -> String {
    format!("User-Name=\"{user}\",User-Password=\"{PASSWORD}\"{more}\n")
}

#[track_caller]
fn assert_let_in(ran: &Ran, dn: &str) {
    ran.assert_success();
    assert_eq!(ran.stdout.trim(), format!("dn:{dn}"));
}

#[track_caller]
fn assert_refused(ran: &Ran) {
    assert_eq!(ran.code, Some(49), "{ran:?}");
    assert_eq!(
        ran.stderr.trim(),
        "ldap_bind: Invalid credentials (49)",
        "with an empty text"
    );
}

/// One test for all of it: the demo's ports are fixed.
#[test]
fn the_demo_is_as_the_table_says() {
    let demo = Demo::start();
    every_user_at_every_door();
    what_must_change_is_told(&demo);
    what_a_host_reads();
    what_the_marks_say();
    packets_over_radius();
    over_tls(&demo);
    let watched = demo.run(&["watch", "radius", "--for", "100ms"]);
    watched.assert_success();
    assert!(watched.stderr.starts_with("-- watching"), "{watched:?}");
}

fn every_user_at_every_door() {
    let table = [
        ("alice", true, true, true),
        ("ivan", false, false, false),
        ("erin", false, false, false),
        ("leo", false, true, false),
        ("elle", false, false, false),
        ("susan", false, false, false),
        ("stan", false, false, false),
        ("mona", false, false, false),
    ];
    for (name, hosts, mail, vpn) in table {
        let dn = person(name);
        for (url, admitted) in [(HOSTS, hosts), (MAIL, mail)] {
            let ran = whoami(url, &dn, &[]);
            if admitted {
                assert_let_in(&ran, &dn);
            } else {
                assert_refused(&ran);
            }
        }
        let ran = radclient(&request(name, ",Message-Authenticator=0x00"), "testing123");
        let expected = if vpn {
            "Received Access-Accept"
        } else {
            "Received Access-Reject"
        };
        assert!(ran.stdout.contains(expected), "{name}: {ran:?}");
    }
    assert_refused(&whoami(HOSTS, &person("nobody"), &[]));
}

fn what_must_change_is_told(demo: &Demo) {
    let asked = whoami(HOSTS, &person("mona"), &["-e", "ppolicy"]);
    asked.assert_success();
    let told = format!("{}{}", asked.stdout, asked.stderr);
    assert!(told.contains("Password must be changed"), "{asked:?}");
    let table = [
        ("alice", "active"),
        ("leo", "locked"),
        ("elle", "expired, locked"),
        ("stan", "inactive"),
    ];
    for (name, status) in table {
        let shown = demo.run(&["user", "show", name, "-o", "json"]);
        shown.assert_success();
        let shown: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
        assert_eq!(shown["status"], status);
    }
    let explained = demo.run(&["explain", "leo", "--resource", "hosts"]).stdout;
    assert!(
        explained.contains("locked") && explained.contains("unlock"),
        "{explained}"
    );
}

fn what_a_host_reads() {
    for (filter, expected) in [
        ("(uid=alice)", ALICE),
        ("(mail=alice@example.org)", ALICE),
        ("(&(objectClass=posixGroup)(cn=staff))", STAFF),
        ("(memberUid=alice)", STAFF),
        ("(member=uid=alice,ou=people,dc=example,dc=org)", STAFF),
    ] {
        let ran = search(HOSTS, SSSD, filter, &["1.1"]);
        ran.assert_success();
        assert!(ran.stdout.contains(expected), "{filter}: {}", ran.stdout);
    }
    let number = search(HOSTS, SSSD, "(uid=alice)", &["uidNumber"]).stdout;
    let number = number
        .lines()
        .find_map(|line| line.strip_prefix("uidNumber: "))
        .unwrap();
    let filter = format!("(&(objectClass=posixAccount)(uidNumber={number}))");
    assert!(
        search(HOSTS, SSSD, &filter, &["uid"])
            .stdout
            .contains("uid: alice")
    );

    let own = search(
        HOSTS,
        &person("alice"),
        "(objectClass=posixAccount)",
        &["uid"],
    )
    .stdout;
    let seen: Vec<&str> = own
        .lines()
        .filter(|line| line.starts_with("uid:"))
        .collect();
    assert_eq!(seen, ["uid: alice"], "a user reads itself and nobody else");

    let anonymous = search(HOSTS, "", "(uid=alice)", &[]);
    assert!(!anonymous.stdout.contains("alice"), "{anonymous:?}");
    let arguments = ["-x", "-LLL", "-H", HOSTS, "-s", "base", "-b", "", "+"];
    let root = client("ldapsearch", "ldap-utils", &arguments);
    assert!(
        root.stdout.contains("namingContexts: dc=example,dc=org"),
        "{root:?}"
    );
}

fn what_the_marks_say() {
    let marked = |url: &str, name: &str| {
        let ran = search(url, SSSD, &format!("(uid={name})"), &["+", "*"]);
        ran.assert_success();
        assert!(ran.stdout.contains(&format!("uid: {name}")), "{ran:?}");
        let marks = [
            "pwdAccountLockedTime: ",
            "nsAccountLock: TRUE",
            "shadowExpire: ",
        ]
        .map(|mark| ran.stdout.contains(mark));
        assert!(marks.iter().all(|mark| *mark == marks[0]), "{}", ran.stdout);
        marks[0]
    };
    assert!(marked(HOSTS, "susan") && marked(HOSTS, "leo") && marked(HOSTS, "erin"));
    assert!(!marked(HOSTS, "alice"));
    assert!(!marked(MAIL, "leo"), "at mail leo is let in");
}

fn packets_over_radius() {
    let silent = radclient(&request("alice", ""), "testing123");
    assert!(
        !silent.stdout.contains("Received"),
        "without a Message-Authenticator: {silent:?}"
    );
    let wrong = radclient(
        &request("alice", ",Message-Authenticator=0x00"),
        "wrong-secret",
    );
    assert!(
        !wrong.stdout.contains("Received"),
        "with a wrong secret: {wrong:?}"
    );

    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let packet = access_request(7, [9; 16], "alice", PASSWORD);
    let [first, second] = [0, 1].map(|_| {
        socket.send_to(&packet, RADIUS).unwrap();
        let mut reply = [0; 4096];
        let length = socket.recv(&mut reply).unwrap();
        reply[..length].to_vec()
    });
    assert_eq!(first[0], 2, "Access-Accept");
    assert_eq!(first[20], 80, "Message-Authenticator comes first");
    assert_eq!(first, second, "a replayed packet gets the same bytes again");
}

fn over_tls(demo: &Demo) {
    let ca = demo.folder.path().join("certs/ca.pem");
    let dn = person("alice");
    for (url, more) in [(HOSTS, &["-ZZ"][..]), ("ldaps://127.0.0.1:3636", &[])] {
        let mut command = Command::new("ldapwhoami");
        command
            .env("LDAPTLS_CACERT", &ca)
            .env("LDAPTLS_REQCERT", "demand");
        command
            .args(["-x", "-H", url, "-D", &dn, "-w", PASSWORD])
            .args(more);
        assert_let_in(&command.output().unwrap().into(), &dn);
    }
}
