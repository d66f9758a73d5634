//! `doorward watch` beside a daemon that real clients talk to: what is told, and what never is.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::common::{
    BASE, Gateway, PASSWORD, Ran, SECRET, Setting, client, client_with_input, doorward, eventually,
};

/// `doorward watch` in the background, and what it printed so far.
struct Watcher {
    process: Child,
    printed: Arc<Mutex<String>>,
}

impl Watcher {
    /// Starts it, and waits until it watches.
    fn start(gateway: &Gateway, arguments: &[&str]) -> Self {
        let mut command = doorward(&gateway.config());
        command.arg("watch").args(arguments);
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let printed = Arc::new(Mutex::new(String::new()));
        let mut complaints = BufReader::new(process.stderr.take().unwrap()).lines();
        if !arguments.contains(&"json") {
            let first = complaints.next().unwrap().unwrap();
            assert!(first.starts_with("-- watching"), "{first}");
        }
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let keep = Arc::clone(&printed);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut keep = keep.lock().unwrap();
                keep.push_str(&line);
                keep.push('\n');
            }
        });
        let watcher = Self { process, printed };
        if arguments.contains(&"json") {
            watcher.prints("{\"daemon\":\"watching\"}");
        }
        watcher
    }

    fn printed(&self) -> String {
        self.printed.lock().unwrap().clone()
    }

    /// Waits until it printed that.
    #[track_caller]
    fn prints(&self, text: &str) {
        eventually(
            || format!("'{text}' is not in:\n{}", self.printed()),
            || self.printed().contains(text),
        );
    }

    /// What it printed, once that is there; no secret is in it.
    #[track_caller]
    fn told(&self, until: &str) -> String {
        self.prints(until);
        let printed = self.printed();
        for secret in [PASSWORD, SECRET, "hunter2", "not this one"] {
            assert!(!printed.contains(secret), "'{secret}' is in:\n{printed}");
        }
        printed
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[track_caller]
fn has(printed: &str, texts: &[&str]) {
    for text in texts {
        assert!(printed.contains(text), "'{text}' is not in:\n{printed}");
    }
}

fn radclient(gateway: &Gateway, secret: &str, request: &str) -> Ran {
    let server = gateway.radius.to_string();
    let arguments = ["-r", "1", "-t", "2", &server, "auth", secret];
    client_with_input("radclient", "freeradius-utils", &arguments, request)
}

fn login(user: &str, password: &str) -> String {
    format!(
        "User-Name=\"{user}\",User-Password=\"{password}\",NAS-Port-Type=Virtual,\
         Calling-Station-Id=\"192.0.2.7\",Message-Authenticator=0x00\n"
    )
}

#[test]
fn a_login_over_radius_is_told_step_by_step() {
    let gateway = Gateway::start(&Setting::default());
    gateway.add_user("alice");
    let watcher = Watcher::start(&gateway, &["radius"]);
    radclient(&gateway, SECRET, &login("EXAMPLE\\\\alice", PASSWORD));
    let printed = watcher.told("Access-Accept");
    has(
        &printed,
        &[
            "vpn-gateway  Access-Request",
            "User-Name = 'EXAMPLE\\alice' (alice)",
            "User-Password = hidden",
            "NAS-Port-Type = Virtual",
            "Calling-Station-Id = '192.0.2.7'",
            "with a password at vpn (vpn)",
            "resource = client vpn-gateway: the resource is vpn",
            "granted: 'alice'",
            "Class = hidden, ",
            " ms",
        ],
    );
    radclient(&gateway, SECRET, &login("alice", "not this one"));
    let printed = watcher.told("Access-Reject");
    has(
        &printed,
        &[
            "refused: wrong_password, the password is wrong",
            "=> look for a device",
        ],
    );
    // A password in the wrong field.
    radclient(&gateway, SECRET, &login("hunter2", PASSWORD));
    let printed = watcher.told("refused: unknown_user");
    has(&printed, &["User-Name = (unknown name, 7 octets)"]);
    radclient(&gateway, "another secret", &login("alice", PASSWORD));
    let printed = watcher.told("no answer: message_authenticator_wrong");
    has(
        &printed,
        &["=> its Message-Authenticator is wrong; most likely the secrets differ"],
    );
}

#[test]
fn what_other_methods_bring_is_hidden_and_sessions_are_told() {
    let gateway = Gateway::start(&Setting::with_network_passwords());
    gateway.add_user("alice");
    let made = gateway.json(&["user", "network-password", "alice", "-o", "json"]);
    let network_password = made["network_password"].as_str().unwrap();
    let watcher = Watcher::start(&gateway, &["radius"]);
    for attribute in ["CHAP-Password", "MS-CHAP-Password"] {
        let request = format!(
            "User-Name=\"alice\",{attribute}=\"{network_password}\",\
             Message-Authenticator=0x00\n"
        );
        radclient(&gateway, SECRET, &request);
    }
    radclient(&gateway, SECRET, &login("alice", PASSWORD));
    let report = "Acct-Status-Type=Start,Acct-Session-Id=\"s1\",User-Name=\"alice\",\
                  NAS-Identifier=\"nas1\"\n";
    let server = gateway.accounting.to_string();
    let arguments = ["-r", "1", "-t", "2", &server, "acct", SECRET];
    client_with_input("radclient", "freeradius-utils", &arguments, report);
    let printed = watcher.told("the report is recorded");
    assert!(!printed.contains(network_password), "{printed}");
    has(
        &printed,
        &[
            "CHAP-Password = hidden, 17 octets",
            "asked about 'alice' with a response of CHAP at vpn (vpn)",
            "MS-CHAP-Challenge = hidden, 8 octets",
            "MS-CHAP-Response = hidden, 50 octets",
            "Accounting-Request ",
            "Acct-Status-Type = Start",
            "Acct-Session-Id = 's1'",
            "Accounting-Response ",
        ],
    );
    gateway.run(&["user", "suspend", "alice"]).assert_success();
    watcher.told("Disconnect-Request for the session of 'alice' to 127.0.0.1:3799: suspended");
}

#[test]
fn names_that_nobody_has_are_shown_to_who_asks() {
    let gateway = Gateway::start(&Setting::default());
    let watcher = Watcher::start(&gateway, &["radius", "--show-unknown-names"]);
    radclient(&gateway, SECRET, &login("mallory", PASSWORD));
    let printed = watcher.told("refused: unknown_user");
    has(
        &printed,
        &["User-Name = 'mallory' (no account has the name)"],
    );
}

fn eapol(gateway: &Gateway, identity: &str, ca: &str, phase1: &str) -> Ran {
    eapol_by(
        gateway,
        ("TTLS", "auth=PAP"),
        (identity, PASSWORD),
        ca,
        phase1,
    )
}

fn eapol_by(
    gateway: &Gateway,
    (method, phase2): (&str, &str),
    (identity, password): (&str, &str),
    ca: &str,
    phase1: &str,
) -> Ran {
    let configuration = format!(
        "network={{\nkey_mgmt=WPA-EAP\neap={method}\nidentity=\"{identity}\"\n\
         anonymous_identity=\"anonymous@example.org\"\npassword=\"{password}\"\n\
         ca_cert=\"{ca}\"\ndomain_match=\"localhost\"\nphase1=\"{phase1}\"\n\
         phase2=\"{phase2}\"\n}}\n"
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), configuration).unwrap();
    let file = file.path().to_str().unwrap();
    let (address, port) = (
        gateway.radius.ip().to_string(),
        gateway.radius.port().to_string(),
    );
    let arguments = [
        "-c", file, "-a", &address, "-p", &port, "-s", SECRET, "-t", "10",
    ];
    client("eapol_test", "eapoltest", &arguments)
}

#[test]
fn a_conversation_of_eap_is_told_and_so_is_an_alert_of_tls() {
    let gateway = Gateway::start(&Setting {
        eap: "methods = [\"peap\", \"ttls\"]\n".to_owned(),
        ..Setting::default()
    });
    gateway.add_user("alice");
    let good = gateway.path("certs/ca.pem");
    let good = good.to_str().unwrap();
    let other = gateway.path("other");
    gateway
        .run(&["certs", other.to_str().unwrap()])
        .assert_success();
    let wrong = other.join("ca.pem");
    let wrong = wrong.to_str().unwrap();
    for (number, phase1) in ["tls_disable_tlsv1_3=1", "tls_disable_tlsv1_3=0"]
        .into_iter()
        .enumerate()
    {
        let watcher = Watcher::start(&gateway, &["radius"]);
        assert_eq!(eapol(&gateway, "alice", good, phase1).code, Some(0));
        let printed = watcher.told("Access-Accept");
        has(
            &printed,
            &[
                "EAP-Message = Response ",
                ", Identity 'anonymous@example.org'",
                "Nak: the device wants EAP-TTLS",
                "TLS from the device, ",
                ": ClientHello",
                ["TLS is established: TLSv1_2", "TLS is established: TLSv1_3"][number],
                "inside, the device says: User-Name 'alice', User-Password hidden",
                "asked about 'alice' with a password at vpn (vpn)",
                "granted: 'alice'",
                "EAP-Message = Success",
                "MS-MPPE-Recv-Key = hidden, ",
            ],
        );
        assert_ne!(eapol(&gateway, "alice", wrong, phase1).code, Some(0));
        let printed = watcher.told("rejected without asking about an account: eap_tls");
        has(
            &printed,
            &[
                "TLS alert from the device: unknown_ca (48)",
                "=> the other end does not trust the CA of the certificate it was shown",
            ],
        );
    }
}

#[test]
fn what_is_said_inside_a_tunnel_is_told_without_what_proves_it() {
    let gateway = Gateway::start(&Setting {
        eap: "inner = [\"mschapv2\", \"gtc\"]\n".to_owned(),
        ..Setting::with_network_passwords()
    });
    gateway.add_user("alice");
    let made = gateway.json(&["user", "network-password", "alice", "-o", "json"]);
    let network_password = made["network_password"].as_str().unwrap();
    let ca = gateway.path("certs/ca.pem");
    let ca = ca.to_str().unwrap();
    for (method, password, said) in [
        (
            ("PEAP", "auth=MSCHAPV2"),
            network_password,
            "inside, the device says: Response, EAP-MSCHAPv2, hidden",
        ),
        (
            ("TTLS", "auth=MSCHAPV2"),
            network_password,
            "MS-CHAP2-Response hidden",
        ),
        (
            ("PEAP", "auth=GTC"),
            PASSWORD,
            "inside, the device says: Response, EAP-GTC, hidden",
        ),
        (("TTLS", "auth=PAP"), "not this one", "User-Password hidden"),
    ] {
        let watcher = Watcher::start(&gateway, &["radius"]);
        let ran = eapol_by(&gateway, method, ("alice", password), ca, "");
        let is_right = password != "not this one";
        assert_eq!(ran.code == Some(0), is_right, "{method:?}: {}", ran.stdout);
        let end = if is_right {
            "Access-Accept"
        } else {
            "Access-Reject"
        };
        let printed = watcher.told(end);
        has(&printed, &[said, "'alice'"]);
        assert!(!printed.contains(network_password), "{printed}");
    }
}

#[test]
fn one_user_is_watched_from_the_beginning_of_its_conversation() {
    let gateway = Gateway::start(&Setting::default());
    gateway.add_user("alice");
    gateway.add_user("bob");
    let ca = gateway.path("certs/ca.pem");
    let ca = ca.to_str().unwrap();
    let watcher = Watcher::start(&gateway, &["radius", "--user", "alice@example.org"]);
    let by_client = Watcher::start(&gateway, &["radius", "--client", "another"]);
    let of_alice = Watcher::start(
        &gateway,
        &["radius", "--user", "alice", "--client", "vpn-gateway"],
    );
    for name in ["bob", "alice"] {
        assert_eq!(eapol(&gateway, name, ca, "").code, Some(0));
    }
    radclient(&gateway, SECRET, &login("alice@example.org", PASSWORD));
    let printed = of_alice.told("User-Name = 'alice@example.org' (alice)");
    has(
        &printed,
        &[": ClientHello", "Identity 'anonymous@example.org'"],
    );
    assert!(!printed.contains("bob"), "{printed}");
    let printed = watcher.told("User-Name = 'alice@example.org' (alice)");
    has(&printed, &[": ClientHello"]);
    assert!(!printed.contains("bob"), "{printed}");
    assert_eq!(by_client.printed(), "");
}

#[test]
fn it_ends_when_told_and_waits_for_a_daemon_that_restarts() {
    let mut gateway = Gateway::start(&Setting::default());
    gateway.add_user("alice");
    let watcher = Watcher::start(&gateway, &["radius", "-o", "json"]);
    gateway.kill();
    watcher.prints("{\"daemon\":\"stopped\"}");
    gateway.serve();
    watcher.prints("{\"daemon\":\"back\"}");
    radclient(&gateway, SECRET, &login("alice", PASSWORD));
    let printed = watcher.told("\"step\":\"reply\"");
    for line in printed.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line.is_object(), "{line}");
    }
    let counted = std::thread::scope(|scope| {
        let counted = scope.spawn(|| gateway.run(&["watch", "radius", "--count", "2"]));
        eventually(
            || "the watcher never ended".to_owned(),
            || {
                radclient(&gateway, SECRET, &login("alice", PASSWORD));
                counted.is_finished()
            },
        );
        counted.join().unwrap()
    });
    let begun = counted.stdout.lines().filter(|line| line.contains("  #"));
    assert_eq!(begun.count(), 2, "{}", counted.stdout);
    gateway
        .run(&["watch", "ldap", "--for", "100ms"])
        .assert_success();
}

#[test]
fn who_may_not_watch_and_who_watches_too_slowly() {
    let gateway = Gateway::start(&Setting::default());
    gateway.add_user("alice");
    let socket = gateway.path("watch");
    // Nobody but its owner may open the socket; the folder would let everybody in.
    let mode = fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // One that orders and takes nothing.
    let mut stalled = UnixStream::connect(&socket).unwrap();
    let order = r#"{"topic":"radius","user":null,"client":null,"show_unknown_names":false}"#;
    writeln!(stalled, "{order}").unwrap();
    let resident = || {
        let status = fs::read_to_string(format!("/proc/{}/status", gateway.process())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    let flood = |count: usize| {
        let requests = login("alice", PASSWORD).repeat(count);
        let requests = requests.replace('\n', "\n\n");
        let server = gateway.radius.to_string();
        let arguments = [
            "-q", "-p", "20", "-r", "3", "-t", "3", &server, "auth", SECRET,
        ];
        let ran = client_with_input("radclient", "freeradius-utils", &arguments, &requests);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    };
    flood(500);
    let before = resident();
    flood(4000);
    let grown = resident().saturating_sub(before);
    assert!(
        grown < 16 * 1024,
        "{grown} KiB more for a watcher that takes nothing"
    );
    let mut lines = BufReader::new(stalled).lines();
    let lost = lines
        .by_ref()
        .map_while(Result::ok)
        .find(|line| line.starts_with("{\"lost\":"));
    assert!(lost.is_some(), "it was not told that it lost lines");
}

#[test]
fn a_stranger_is_refused() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        eprintln!("not run: another user takes root");
        return;
    }
    let gateway = Gateway::start(&Setting::default());
    let folder = gateway.path("");
    for path in [folder.clone(), gateway.config()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    // A configuration that anybody may read, with the same socket.
    let public = gateway.path("public.toml");
    fs::write(
        &public,
        "[directory]\nbase_dn = \"dc=example,dc=org\"\n[runtime]\nwatch = \"watch\"\n",
    )
    .unwrap();
    // Where anybody can reach it.
    let binary = gateway.path("doorward");
    fs::copy(env!("CARGO_BIN_EXE_doorward"), &binary).unwrap();
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&binary)
        .arg("-c")
        .arg(&public)
        .args(["watch", "radius", "--for", "5s"]);
    let ran = Ran::from(command.output().unwrap());
    assert_eq!(ran.code, Some(77), "{ran:?}");
    has(&ran.stderr, &["is for root and the daemon's user alone"]);
    // Also where the permissions would let it in.
    fs::set_permissions(gateway.path("watch"), fs::Permissions::from_mode(0o666)).unwrap();
    let ran = Ran::from(command.output().unwrap());
    has(&ran.stderr, &["root and the daemon's own user may watch"]);
    assert!(
        gateway
            .log()
            .contains("somebody who may not wanted to watch"),
        "{}",
        gateway.log()
    );
}

fn ldap(gateway: &Gateway, program: &str, dn: &str, password: &str, more: &[&str]) -> Ran {
    let url = format!("ldap://{}", gateway.hosts);
    let mut arguments = vec!["-x", "-H", &url, "-D", dn, "-w", password];
    arguments.extend(more);
    client(program, "ldap-utils", &arguments)
}

#[test]
fn a_connection_over_ldap_is_told_request_by_request() {
    let gateway = Gateway::start(&Setting::default());
    gateway.add_user("alice");
    gateway.add_service("sssd");
    let watcher = Watcher::start(&gateway, &["ldap"]);
    let service = format!("cn=sssd,ou=services,{BASE}");
    for filter in [
        "(&(objectClass=posixAccount)(uid=alice))",
        "(|(cn=staff)(uid=hunter2)(userPassword=hunter2))",
    ] {
        let search = ["-LLL", "-b", BASE, filter, "uid", "mail"];
        ldap(&gateway, "ldapsearch", &service, PASSWORD, &search).assert_success();
    }
    let alice = format!("uid=alice,ou=people,{BASE}");
    let entry = format!("uid=alice,ou=people,{BASE}");
    let compare = [entry.as_str(), "userPassword:hunter2"];
    ldap(&gateway, "ldapcompare", &alice, PASSWORD, &compare);
    ldap(&gateway, "ldapwhoami", &alice, "not this one", &[]);
    let typed = format!("uid=hunter2,ou=people,{BASE}");
    ldap(&gateway, "ldapwhoami", &typed, PASSWORD, &[]);
    let printed = watcher.told("refused: unknown_user");
    has(
        &printed,
        &[
            "connection from 127.0.0.1 to hosts, StartTLS is offered",
            "bind as cn='sssd',ou=services,dc=example,dc=org with a password",
            "asked about service account 'sssd' with a password",
            "granted: service account 'sssd', may search",
            "search, subtree of 'dc=example,dc=org', as 'sssd'",
            "filter = (&(objectClass=posixAccount)(uid='alice'))",
            "attributes = 'uid' 'mail'",
            "answered as hosts (endpoint) sees it",
            "resource = hosts: every key of its `match` holds",
            "success (0), 1 entries, after ",
            "filter = (|(cn='staff')(uid=(unknown name, 7 octets))(userPassword=…))",
            "compare uid='alice',ou=people,dc=example,dc=org with (userPassword=…), as 'alice'",
            "bind as uid='alice',ou=people,dc=example,dc=org with a password",
            "asked about 'alice' with a password at hosts (endpoint)",
            "refused: wrong_password, the password is wrong",
            "invalidCredentials (49), after ",
            "bind as uid=(unknown name, 7 octets),ou=people,dc=example,dc=org with a password",
            "unbind",
            "connection closed: unbind",
        ],
    );
}

#[test]
fn tls_over_ldap_is_told_too() {
    let gateway = Gateway::start(&Setting::default());
    gateway.add_user("alice");
    let watcher = Watcher::start(&gateway, &["ldap"]);
    let alice = format!("uid=alice,ou=people,{BASE}");
    let url = format!("ldap://{}", gateway.hosts);
    let whoami = |ca: &std::path::Path| {
        let mut command = Command::new("ldapwhoami");
        command
            .env("LDAPTLS_CACERT", ca)
            .env("LDAPTLS_REQCERT", "demand")
            .args(["-x", "-ZZ", "-H", &url, "-D", &alice, "-w", PASSWORD]);
        Ran::from(command.output().unwrap())
    };
    // By address the name in the certificate does not fit.
    assert_ne!(whoami(&gateway.path("certs/ca.pem")).code, Some(0));
    let printed = watcher.told("connection closed: ");
    has(&printed, &["  StartTLS", "success (0), after "]);
    // A client that speaks TLS where it should not.
    let arguments = ["s_client", "-connect", &gateway.hosts.to_string()];
    client("openssl", "openssl", &arguments);
    has(
        &watcher.told("connection closed: malformed"),
        &["=> what came is no LDAP: a client that speaks TLS to a port without"],
    );
    let connect = gateway.ldaps.to_string();
    let wrong = gateway.path("other");
    gateway
        .run(&["certs", wrong.to_str().unwrap()])
        .assert_success();
    let ca = wrong.join("ca.pem");
    let arguments = [
        "s_client",
        "-connect",
        &connect,
        "-verify_return_error",
        "-CAfile",
        ca.to_str().unwrap(),
    ];
    client("openssl", "openssl", &arguments);
    let printed = watcher.told("TLS alert from the client: unknown_ca (48)");
    has(
        &printed,
        &[
            "connection from 127.0.0.1 to hosts-tls, TLS from the first octet",
            "=> the other end does not trust the CA of the certificate it was shown",
            "connection closed: handshake",
        ],
    );
}

#[test]
fn one_user_or_resource_is_watched_over_ldap() {
    let gateway = Gateway::start(&Setting::default());
    gateway.add_user("alice");
    gateway.add_user("bob");
    let of_alice = Watcher::start(&gateway, &["ldap", "--user", "alice@example.org"]);
    let of_hosts = Watcher::start(&gateway, &["ldap", "--client", "hosts", "--user", "bob"]);
    let of_mail = Watcher::start(&gateway, &["ldap", "--client", "mail"]);
    for name in ["bob", "alice"] {
        let dn = format!("uid={name},ou=people,{BASE}");
        ldap(&gateway, "ldapwhoami", &dn, PASSWORD, &[]).assert_success();
    }
    let printed = of_alice.told("granted: 'alice'");
    assert!(!printed.contains("bob"), "{printed}");
    let printed = of_hosts.told("granted: 'bob'");
    has(&printed, &["bind as uid='bob'"]);
    assert!(!printed.contains("alice"), "{printed}");
    assert_eq!(of_mail.printed(), "");
}
