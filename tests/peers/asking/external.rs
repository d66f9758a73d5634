//! SASL EXTERNAL: service accounts bound by client certificates, with Debian's ldap-utils.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};

use super::{asking_for_certificates, dn, gateway, over_tls, reload, showing};
use crate::common::client_ca::ClientCa;
use crate::common::{BASE, Gateway, PASSWORD, eventually};

/// A gateway whose TLS listener asks for certificates, with two of one CA, and `dovecot`, which
/// the first of them binds.
fn gateway_with_external() -> (Gateway, ClientCa) {
    let mut made = None;
    let gateway = gateway(|gateway, text| {
        let ca = ClientCa::new(gateway.path("clients"));
        ca.issue("mx1.example.org", 7);
        ca.issue("mx2.example.org", 8);
        made = Some(ca);
        asking_for_certificates(&text, &gateway.path("clients"))
    });
    gateway.add_user("bob");
    let add = ["service", "add", "dovecot", "--search"];
    let mapped = ["--certificate", "MX1.example.org"];
    gateway
        .run(&[&add[..], &mapped[..]].concat())
        .assert_success();
    (gateway, made.unwrap())
}

const EXTERNAL: [&str; 3] = ["-Y", "EXTERNAL", "-Q"];

#[test]
fn sasl_external_binds_the_service_account_that_the_certificate_is_mapped_to() {
    let (gateway, ca) = gateway_with_external();
    let service = |name: &str| format!("cn={name},ou=services,{BASE}");
    let who = |certificate: Option<&str>, more: &[&str]| {
        let shown = certificate.map(|name| (ca.folder(), name));
        let arguments = [&EXTERNAL[..], more].concat();
        over_tls(&gateway, "ldapwhoami", shown, &arguments)
    };
    let own = format!("dn:{}", service("dovecot"));
    for more in [&[][..], &["-X", "u:dovecot"], &["-X", &own]] {
        let bound = who(Some("mx1.example.org"), more);
        bound.assert_success();
        assert_eq!(bound.stdout.trim(), own);
    }
    // It reads with the rights of the account.
    let shown = Some((ca.folder(), "mx1.example.org"));
    let search = [&EXTERNAL[..], &["-LLL", "-b", BASE, "(uid=alice)", "mail"]].concat();
    let found = over_tls(&gateway, "ldapsearch", shown, &search);
    found.assert_success();
    assert!(found.stdout.contains("mail: "), "{}", found.stdout);

    // Nobody else's, and nobody without one.
    gateway.add_service("mx2.example.org");
    for other in ["postfix", "mx2.example.org"] {
        let name = format!("dn:{}", service(other));
        assert_eq!(who(Some("mx1.example.org"), &["-X", &name]).code, Some(49));
    }
    let alice = format!("dn:{}", dn("alice"));
    assert_eq!(who(Some("mx1.example.org"), &["-X", &alice]).code, Some(49));
    // One of the same CA, though a service account has its very name.
    for more in [&[][..], &["-X", &own], &["-X", "u:mx2.example.org"]] {
        assert_eq!(who(Some("mx2.example.org"), more).code, Some(49));
    }
    assert_ne!(who(None, &[]).code, Some(0));
    // Refusals that repeat are written a moment after they were answered.
    let events = || gateway.run(&["events", "--limit", "50"]).stdout;
    for told in ["certificate of mx2.example.org", "unknown_certificate"] {
        eventually(events, || events().contains(told));
    }

    // Offered where it would be taken.
    let offered = |certificate: Option<&str>| {
        let shown = certificate.map(|name| (ca.folder(), name));
        let arguments = [
            "-x",
            "-LLL",
            "-s",
            "base",
            "-b",
            "",
            "supportedSASLMechanisms",
        ];
        let found = over_tls(&gateway, "ldapsearch", shown, &arguments);
        found.assert_success();
        found.stdout.contains("EXTERNAL")
    };
    assert!(offered(Some("mx2.example.org")));
    assert!(!offered(None));

    ca.revoke(&[7]);
    reload(&gateway);
    eventually(
        || gateway.log(),
        || !matches!(who(Some("mx1.example.org"), &[]).code, Some(0 | 49)),
    );
}

#[test]
fn sasl_external_binds_behind_start_tls_and_who_shows_none_where_one_is_required_does_nothing() {
    let mut made = None;
    let gateway = gateway(|gateway, text| {
        let ca = ClientCa::new(gateway.path("clients"));
        ca.issue("mx1.example.org", 7);
        ca.issue("mx2.example.org", 8);
        ca.revoke(&[8]);
        let strange = ClientCa::new(gateway.path("strangers"));
        strange.issue("mx1.example.org", 7);
        made = Some((ca, strange));
        // Of the listeners with StartTLS the first asks for a certificate, the second insists.
        let text = asking_for_certificates(&text, &gateway.path("clients"));
        let asks = |mode| format!("tls = \"starttls\"\nclient_certificate = \"{mode}\"\n");
        text.replacen("tls = \"starttls\"\n", &asks("optional"), 1)
            .replace("tls = \"starttls\"\nplain", &(asks("required") + "plain"))
    });
    let (ca, strange) = made.unwrap();
    let add = ["service", "add", "dovecot", "--search"];
    let mapped = ["--certificate", "mx1.example.org"];
    gateway
        .run(&[&add[..], &mapped[..]].concat())
        .assert_success();
    for resource in ["hosts", "mail"] {
        gateway
            .run(&["resource", "bind", resource, "--group", "staff"])
            .assert_success();
    }
    let own = format!("dn:cn=dovecot,ou=services,{BASE}");
    let (asking, insisting) = (gateway.hosts, gateway.mail);
    let who = |address, certificate: Option<(&ClientCa, &str)>, more: &[&str]| {
        let shown = certificate.map(|(ca, name)| (ca.folder(), name));
        let arguments = [&["-ZZ"][..], more].concat();
        let ran = showing(
            shown,
            &format!("ldap://{address}"),
            "ldapwhoami",
            &arguments,
        );
        (ran.code, ran.stdout.trim().to_owned())
    };
    let good = Some((&ca, "mx1.example.org"));
    for address in [asking, insisting] {
        assert_eq!(who(address, good, &EXTERNAL), (Some(0), own.clone()));
        // One that was revoked, or is another CA's, ends the handshake, required or not.
        for bad in [(&ca, "mx2.example.org"), (&strange, "mx1.example.org")] {
            let (code, said) = who(address, Some(bad), &EXTERNAL);
            assert!(!matches!(code, Some(0 | 7 | 49)), "{code:?} {said}");
        }
    }
    // Without one: a password where it is asked for, nothing at all where it is required.
    let alice = dn("alice");
    let password = ["-x", "-D", &alice, "-w", PASSWORD];
    let bound = (Some(0), format!("dn:{alice}"));
    assert_eq!(who(asking, None, &password), bound);
    let (code, _) = who(asking, None, &EXTERNAL);
    assert_ne!(code, Some(0));
    for more in [&EXTERNAL[..], &password, &["-x"]] {
        let (code, said) = who(insisting, None, more);
        assert!(!matches!(code, Some(0 | 7 | 49)), "{code:?} {said}");
    }
    // Shown, a certificate is no login: users bind beside it as ever.
    assert_eq!(who(insisting, good, &password), bound);
}

#[test]
fn a_certificate_taken_away_ends_the_session_that_it_began() {
    let (gateway, ca) = gateway_with_external();
    let url = format!("ldaps://{}", gateway.ldaps);
    // A page at a time on one connection, each after a key is pressed; lines as they come.
    let pages = || {
        let mut command = Command::new("stdbuf");
        command
            .args(["-oL", "ldapsearch", "-H", &url, "-LLL", "-b", BASE])
            .args(EXTERNAL)
            .args(["-E", "pr=1/prompt", "(uid=*)", "uid"])
            .env("LDAPTLS_REQCERT", "never")
            .env("LDAPTLS_CERT", ca.path("mx1.example.org.pem"))
            .env("LDAPTLS_KEY", ca.path("mx1.example.org.key"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("uid: ") {
            line.clear();
            let read = lines.read_line(&mut line).unwrap();
            assert_ne!(read, 0, "{:?}", child.wait_with_output());
        }
        (child, lines)
    };
    let press = |(mut child, mut lines): (Child, BufReader<_>)| {
        // Fewer pages than this; a client that is gone takes none.
        let _ = child.stdin.take().unwrap().write_all(&b"\n".repeat(20));
        let mut rest = String::new();
        lines.read_to_string(&mut rest).unwrap();
        (child.wait().unwrap().code(), rest)
    };
    let (code, rest) = press(pages());
    assert_eq!(code, Some(0), "{rest}");
    assert!(rest.contains("uid: "), "{rest}");

    let begun = pages();
    gateway
        .run(&["service", "set-certificate", "dovecot", "--none"])
        .assert_success();
    let (code, rest) = press(begun);
    assert!(matches!(code, Some(50 | 53)), "{code:?} {rest}");
    assert!(!rest.contains("uid: "), "{rest}");
}
