//! Which resource is asking, told by Unix sockets, client certificates, proxies and views, with
//! Debian's ldap-utils; what a proxy says before them is written here.

mod external;

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::common::client_ca::ClientCa;
use crate::common::namespace::{inside, lay};
use crate::common::{BASE, Gateway, PASSWORD, Ran, Setting, client, eventually};
use crate::raw_ldap::{Client, bind};

/// A gateway with more in its configuration, and alice.
fn gateway(change: impl FnOnce(&Gateway, String) -> String) -> Gateway {
    let mut gateway = Gateway::prepare(&Setting::default());
    let text = fs::read_to_string(gateway.config()).unwrap();
    let text = change(&gateway, text);
    fs::write(gateway.config(), text).unwrap();
    gateway.serve();
    gateway.run(&["group", "add", "staff"]).assert_success();
    gateway.add_user("alice");
    gateway
}

fn dn(user: &str) -> String {
    format!("uid={user},ou=people,{BASE}")
}

/// Where the last attempt came from, and at which resource.
fn last_attempt(gateway: &Gateway) -> (String, String) {
    let events = gateway.run(&["-o", "json", "events", "--limit", "200"]);
    events.assert_success();
    let last = events
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|event| find(&event, "origin").map(|origin| (origin, event)))
        // One that was counted in an event of before is as new as the newest of it.
        .max_by_key(|(_, event)| {
            let at = find(event, "last").or_else(|| find(event, "at"));
            at.and_then(|at| at.as_str().map(str::to_owned))
        })
        .unwrap_or_else(|| panic!("no attempt in {}", events.stdout));
    let (origin, event) = last;
    let resource = find(&event, "resource").unwrap_or_default();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    (text(&origin["address"]), text(&resource))
}

/// The first value of this key, however deep.
fn find(value: &serde_json::Value, key: &str) -> Option<serde_json::Value> {
    let object = value.as_object()?;
    object
        .get(key)
        .cloned()
        .or_else(|| object.values().find_map(|inner| find(inner, key)))
}

#[test]
fn a_unix_socket_knows_its_user_and_takes_passwords() {
    let own = Command::new("id").arg("-un").output().unwrap();
    let own = String::from_utf8(own.stdout).unwrap().trim().to_owned();
    let mut gateway = gateway(|gateway, text| {
        let path = gateway.path("ldapi");
        let path = path.display();
        format!(
            r#"{text}
[[ldap.listener]]
name = "local"
address = "unix:{path}"
socket_mode = "0600"

[[resource]]
name = "desk"
kind = "app"
match = {{ listener = "local", peer_user = "{own}" }}
"#
        )
    });
    gateway
        .run(&["resource", "bind", "desk", "--group", "staff"])
        .assert_success();
    let path = gateway.path("ldapi");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let url = format!("ldapi://{}", path.display().to_string().replace('/', "%2F"));
    let who = |password: &str| {
        let name = dn("alice");
        let arguments = ["-x", "-H", &url, "-D", &name, "-w", password];
        client("ldapwhoami", "ldap-utils", &arguments)
    };
    let right = who(PASSWORD);
    right.assert_success();
    assert_eq!(right.stdout.trim(), format!("dn:{}", dn("alice")));
    assert_eq!(who("wrong").code, Some(49));
    let expected = (format!("local:{own}"), "desk".to_owned());
    eventually(
        || format!("{:?}", last_attempt(&gateway)),
        || last_attempt(&gateway) == expected,
    );
    let told = gateway.run(&[
        "resource",
        "match",
        "--listener",
        "local",
        "--peer-user",
        "nobody",
    ]);
    assert!(
        told.stdout
            .contains("Unix user nobody is not among its users"),
        "{}",
        told.stdout
    );
    let process = gateway.process().to_string();
    Command::new("kill")
        .args(["-TERM", &process])
        .status()
        .unwrap();
    assert!(gateway.wait().success());
    assert!(!path.exists());
}

#[test]
fn who_cannot_be_named_in_time_is_not_served_as_a_number() {
    if !inside("asking::who_cannot_be_named_in_time_is_not_served_as_a_number") {
        return;
    }
    let mut gateway = gateway(|gateway, text| {
        let path = gateway.path("ldapi");
        let path = path.display();
        format!(
            r#"{text}
[[ldap.listener]]
name = "local"
address = "unix:{path}"

[[resource]]
name = "desk"
kind = "app"
match = {{ listener = "local" }}
"#
        )
    });
    let bound = ["resource", "bind", "desk", "--group", "staff"];
    gateway.run(&bound).assert_success();
    let connect = || {
        let stream = UnixStream::connect(gateway.path("ldapi")).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Client::over(stream)
    };
    let alice = bind(&dn("alice"), PASSWORD);
    assert_eq!(connect().ask(&alice).code(), 0);

    // Whoever looks for a name now waits for ever: one more than there are turns.
    let names = gateway.path("passwd");
    let made = Command::new("mkfifo").arg(&names).status().unwrap();
    assert!(made.success());
    lay("/etc/passwd", &names);
    let mut nameless: Vec<_> = (0..5).map(|_| connect()).collect();
    for client in &mut nameless {
        assert!(client.is_closed());
    }
    let refused = "doorward_ldap_connections_refused_total";
    eventually(
        || gateway.metrics(),
        || gateway.metric(refused, "reason=\"peer\"") >= 5.0,
    );

    // Nor do the threads that hang hold the stop.
    let process = gateway.process().to_string();
    Command::new("kill")
        .args(["-TERM", &process])
        .status()
        .unwrap();
    assert!(gateway.wait().success());
}

/// The configuration with the TLS listener asking for certificates of the CA in `clients`.
fn asking_for_certificates(text: &str, clients: &Path) -> String {
    let clients = clients.display();
    text.replace(
        "[tls]\n",
        &format!("[tls]\nclient_ca = \"{clients}/ca.pem\"\nclient_crl = \"{clients}/crl.pem\"\n"),
    )
    .replace(
        "tls = \"implicit\"\n",
        "tls = \"implicit\"\nclient_certificate = \"optional\"\n",
    )
}

/// Has the daemon read its certificates and lists anew.
fn reload(gateway: &Gateway) {
    let process = gateway.process().to_string();
    Command::new("kill")
        .args(["-HUP", &process])
        .status()
        .unwrap();
}

/// ldap-utils over TLS, with this certificate for itself.
fn over_tls(
    gateway: &Gateway,
    program: &str,
    certificate: Option<(&Path, &str)>,
    arguments: &[&str],
) -> Ran {
    let url = format!("ldaps://{}", gateway.ldaps);
    showing(certificate, &url, program, arguments)
}

/// ldap-utils at a URL, with this certificate for itself.
fn showing(
    certificate: Option<(&Path, &str)>,
    url: &str,
    program: &str,
    arguments: &[&str],
) -> Ran {
    // The server's own certificate is for other names than this address.
    let mut command = vec!["LDAPTLS_REQCERT=never".to_owned()];
    if let Some((folder, name)) = certificate {
        command.push(format!("LDAPTLS_CERT={}/{name}.pem", folder.display()));
        command.push(format!("LDAPTLS_KEY={}/{name}.key", folder.display()));
    }
    command.extend([program, "-H", url].map(str::to_owned));
    command.extend(arguments.iter().map(|one| (*one).to_owned()));
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    client("env", "ldap-utils", &command)
}

#[test]
fn a_client_certificate_chooses_the_resource_until_it_is_revoked() {
    let other = tempfile::tempdir().unwrap();
    let mut made = None;
    let gateway = gateway(|gateway, text| {
        let ca = ClientCa::new(gateway.path("clients"));
        ca.issue("mx1.example.org", 7);
        ca.issue("mx2.example.org", 8);
        made = Some(ca);
        let text = asking_for_certificates(&text, &gateway.path("clients"));
        let (before, after) = text.split_once("[[resource]]").unwrap();
        format!(
            r#"{before}[[resource]]
name = "front"
kind = "email"
match = {{ listener = "hosts-tls", client_certificate = "MX1.example.org" }}

[[resource]]{after}"#
        )
    });
    let ca = made.unwrap();
    for resource in ["front", "hosts"] {
        gateway
            .run(&["resource", "bind", resource, "--group", "staff"])
            .assert_success();
    }
    let name = dn("alice");
    let bind = ["-x", "-D", &name, "-w", PASSWORD];
    let clients = gateway.path("clients");
    for (certificate, resource) in [
        (None, "hosts"),
        (Some("mx1.example.org"), "front"),
        (Some("mx2.example.org"), "hosts"),
    ] {
        let shown = certificate.map(|name| (clients.as_path(), name));
        over_tls(&gateway, "ldapwhoami", shown, &bind).assert_success();
        eventually(
            || format!("{:?}", last_attempt(&gateway)),
            || last_attempt(&gateway).1 == resource,
        );
    }

    // Of another CA.
    let stranger = ClientCa::new(other.path().join("clients"));
    stranger.issue("mx1.example.org", 7);
    let shown = Some((stranger.folder(), "mx1.example.org"));
    assert_ne!(over_tls(&gateway, "ldapwhoami", shown, &bind).code, Some(0));

    // Revoked while the daemon runs.
    ca.revoke(&[7]);
    reload(&gateway);
    let shown = Some((clients.as_path(), "mx1.example.org"));
    eventually(
        || gateway.log(),
        || over_tls(&gateway, "ldapwhoami", shown, &bind).code != Some(0),
    );
    let shown = Some((clients.as_path(), "mx2.example.org"));
    over_tls(&gateway, "ldapwhoami", shown, &bind).assert_success();

    // Revoked by another file, which the configuration names from now on.
    ca.revoke(&[7, 8]);
    fs::rename(clients.join("crl.pem"), clients.join("newer.pem")).unwrap();
    ca.revoke(&[7]);
    let text = fs::read_to_string(gateway.config()).unwrap();
    let named = text.replace("clients/crl.pem", "clients/newer.pem");
    assert_ne!(named, text);
    fs::write(gateway.config(), named).unwrap();
    over_tls(&gateway, "ldapwhoami", shown, &bind).assert_success();
    reload(&gateway);
    eventually(
        || gateway.log(),
        || over_tls(&gateway, "ldapwhoami", shown, &bind).code != Some(0),
    );
}

#[test]
fn a_view_has_the_same_people_under_its_own_name() {
    let gateway = gateway(|_, text| {
        let (before, after) = text.split_once("[[resource]]").unwrap();
        format!(
            r#"{before}[[resource]]
name = "webmail"
kind = "email"
match = {{ listener = "hosts", base = "ou=webmail" }}

[[resource]]{after}"#
        )
    });
    for resource in ["webmail", "hosts"] {
        gateway
            .run(&["resource", "bind", resource, "--group", "staff"])
            .assert_success();
    }
    gateway.add_service("sssd");
    let url = format!("ldap://{}", gateway.hosts);
    let view = format!("ou=webmail,{BASE}");
    let reader = format!("cn=sssd,ou=services,{BASE}");
    let search = |base: &str, filter: &str, attributes: &[&str]| {
        let mut arguments = vec![
            "-x",
            "-LLL",
            "-o",
            "ldif-wrap=no",
            "-H",
            &url,
            "-D",
            &reader,
            "-w",
            PASSWORD,
            "-b",
            base,
            filter,
        ];
        arguments.extend(attributes);
        client("ldapsearch", "ldap-utils", &arguments)
    };
    // Everything in the view carries its suffix, and filters mean names in it.
    let inside = search(&view, "(objectClass=*)", &["*", "+"]);
    inside.assert_success();
    let names: Vec<&str> = inside
        .stdout
        .lines()
        .filter(|line| line.contains("dc=example,dc=org") && !line.starts_with("namingContexts"))
        .collect();
    assert!(names.len() > 8, "{}", inside.stdout);
    for line in names {
        assert!(line.ends_with(&view), "{line}");
    }
    let filter = format!("(memberOf=cn=staff,ou=groups,{view})");
    let found = search(&view, &filter, &["memberOf"]);
    let alice = format!("dn: uid=alice,ou=people,{view}");
    assert!(found.stdout.contains(&alice), "{}", found.stdout);
    let missing = search(&format!("ou=nowhere,{view}"), "(uid=alice)", &[]);
    assert_eq!(missing.code, Some(32));
    assert!(
        missing.stderr.contains(&format!("Matched DN: {view}")),
        "{}",
        missing.stderr
    );
    // From the base nobody is found twice.
    let outside = search(BASE, "(uid=alice)", &["uid"]);
    assert_eq!(
        outside.stdout.matches("dn: ").count(),
        1,
        "{}",
        outside.stdout
    );
    assert!(!outside.stdout.contains("webmail"));

    // A locked user is let in by the view's resource and not by the other.
    let bind = |base: &str, password: &str| {
        let name = format!("uid=alice,ou=people,{base}");
        let arguments = ["-x", "-H", &url, "-D", &name, "-w", password];
        client("ldapwhoami", "ldap-utils", &arguments)
    };
    let who = bind(&view, PASSWORD);
    who.assert_success();
    assert_eq!(who.stdout.trim(), format!("dn:uid=alice,ou=people,{view}"));
    bind(BASE, PASSWORD).assert_success();
    for guess in 0..12 {
        bind(BASE, &format!("guess {guess}"));
    }
    assert_eq!(bind(BASE, PASSWORD).code, Some(49));
    bind(&view, PASSWORD).assert_success();
    // The marks are the view's.
    let marks = |base: &str| {
        let found = search(base, "(uid=alice)", &["pwdAccountLockedTime"]);
        found.stdout.contains("pwdAccountLockedTime")
    };
    assert!(!marks(&view));
    assert!(marks(BASE));
}

#[test]
fn sasl_plain_is_a_bind_like_any_other() {
    let gateway = gateway(|_, text| text);
    gateway
        .run(&["resource", "bind", "hosts", "--group", "staff"])
        .assert_success();
    let bind = |url: &str, user: &str, password: &str| {
        // OpenLDAP's client refuses PLAIN by itself unless it is told not to.
        let arguments = [
            "-Y", "PLAIN", "-O", "none", "-H", url, "-U", user, "-w", password,
        ];
        client("ldapwhoami", "ldap-utils", &arguments)
    };
    let url = format!("ldap://{}", gateway.hosts);
    for user in ["alice", "alice@example.org"] {
        let right = bind(&url, user, PASSWORD);
        right.assert_success();
        assert_eq!(right.stdout.trim(), format!("dn:{}", dn("alice")));
    }
    assert_eq!(bind(&url, "alice", "wrong").code, Some(49));
}

/// A connection that begins with these bytes, as a proxy's does.
fn proxied(address: SocketAddr, header: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream.write_all(header).unwrap();
    stream
}

#[test]
fn who_is_behind_a_proxy_is_the_source_in_the_clear_and_before_tls() {
    let gateway = gateway(|gateway, text| {
        let ip = gateway.hosts.ip();
        format!(
            r#"{text}
[[ldap.listener]]
name = "proxied"
address = "{ip}:3391"
plaintext_bind = "allow"
proxy_protocol = ["127.0.0.0/8"]
sources = ["192.0.2.0/24"]

[[ldap.listener]]
name = "proxied-tls"
address = "{ip}:3637"
tls = "implicit"
proxy_protocol = ["127.0.0.0/8"]

[[resource]]
name = "behind"
kind = "app"
match = {{ listener = ["proxied", "proxied-tls"], source = "192.0.2.0/24" }}
"#
        )
    });
    gateway
        .run(&["resource", "bind", "behind", "--group", "staff"])
        .assert_success();
    let at = |port| SocketAddr::from((gateway.hosts.ip(), port));
    let seen = |address: &str| {
        let expected = (address.to_owned(), "behind".to_owned());
        eventually(
            || format!("{:?}", last_attempt(&gateway)),
            || last_attempt(&gateway) == expected,
        );
    };

    // Version 1, and LDAP right behind it.
    let header = b"PROXY TCP4 192.0.2.7 127.0.0.1 50000 389\r\n";
    let mut clear = Client::over(proxied(at(3391), header));
    assert_eq!(clear.ask(&bind(&dn("alice"), PASSWORD)).code(), 0);
    seen("192.0.2.7");

    // Version 2, and TLS right behind it.
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c".to_vec();
    header.extend([192, 0, 2, 8, 127, 0, 0, 1, 0xc3, 0x50, 0x02, 0x7c]);
    let mut roots = RootCertStore::empty();
    let ca = gateway.path("certs").join("ca.pem");
    roots
        .add(CertificateDer::from_pem_file(ca).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = StreamOwned::new(session, proxied(at(3637), &header));
    let mut protected = Client::over(stream);
    assert_eq!(protected.ask(&bind(&dn("alice"), PASSWORD)).code(), 0);
    seen("192.0.2.8");

    // The proxy's own address is nobody's excuse.
    let elsewhere = b"PROXY TCP4 198.51.100.7 127.0.0.1 50000 389\r\n";
    assert!(Client::over(proxied(at(3391), elsewhere)).is_closed());
    // Where no proxy is listed a header is no LDAP, and where one is LDAP is no header.
    let mut unlisted = Client::over(proxied(
        gateway.hosts,
        b"PROXY TCP4 192.0.2.7 127.0.0.1 50000 389\r\n",
    ));
    assert!(unlisted.read().is_none_or(|answer| answer.is_notice()));
    let mut bare = Client::connect(at(3391));
    bare.send(&bind(&dn("alice"), PASSWORD));
    assert!(bare.is_closed());
    seen("192.0.2.8");
}
