//! EAP-TLS: users who log in by a certificate.

use std::path::PathBuf;

use super::*;
use crate::common::eventually;

/// A device with a certificate.
#[derive(Debug, Clone)]
struct Device {
    certificate: PathBuf,
    key: PathBuf,
    version: Version,
    fragment_size: usize,
    again: usize,
}

/// A gateway that takes certificates of its own CA, by that rule, and no other method.
fn gateway_by(rule: &str, more: &str) -> Gateway {
    let mut gateway = Gateway::prepare(&Setting {
        eap: format!(
            "methods = [\"tls\"]\nclient_ca = \"certs/ca.pem\"\nclient_crl = \"certs/crl.pem\"\n\
             client_name = \"{rule}\"\n{more}"
        ),
        ..Setting::default()
    });
    revoke(&gateway, &[]);
    gateway.serve();
    gateway.add_staff();
    gateway
}

fn revoke(gateway: &Gateway, which: &[&str]) {
    let folder = gateway.path("certs");
    let arguments = [&["certs", "revoke", folder.to_str().unwrap()], which].concat();
    gateway.run(&arguments).assert_success();
}

impl Device {
    /// One with a certificate of the gateway's own CA.
    fn of(gateway: &Gateway, name: &str, more: &[&str]) -> Self {
        let folder = gateway.path("certs");
        let folder = folder.to_str().unwrap();
        let arguments = [&["-o", "json", "certs", "user", folder, name], more].concat();
        let made = gateway.json(&arguments);
        let path = |key: &str| PathBuf::from(made[key].as_str().unwrap());
        Self {
            certificate: path("certificate"),
            key: path("private_key"),
            version: VERSIONS[1],
            fragment_size: 1398,
            again: 0,
        }
    }

    fn join(&self, gateway: &Gateway) -> Ran {
        let file = tempfile::NamedTempFile::new().unwrap();
        let configuration = format!(
            "network={{\nkey_mgmt=WPA-EAP\neap=TLS\nidentity=\"anonymous@example.org\"\n\
             ca_cert=\"{ca}\"\ndomain_match=\"localhost\"\nclient_cert=\"{certificate}\"\n\
             private_key=\"{key}\"\nphase1=\"{phase1}\"\nfragment_size={fragment_size}\n}}\n",
            ca = gateway.path("certs/ca.pem").display(),
            certificate = self.certificate.display(),
            key = self.key.display(),
            phase1 = self.version.phase1,
            fragment_size = self.fragment_size,
        );
        fs::write(file.path(), configuration).unwrap();
        let (address, port) = (
            gateway.radius.ip().to_string(),
            gateway.radius.port().to_string(),
        );
        let again = format!("-r{}", self.again);
        let file = file.path().to_str().unwrap();
        let mut arguments = vec!["-c", file, "-a", &address, "-p", &port];
        arguments.extend(["-s", SECRET, "-t", "20", &again]);
        client("eapol_test", "eapoltest", &arguments)
    }

    fn on(&self, version: Version) -> Self {
        Self {
            version,
            ..self.clone()
        }
    }
}

/// The octets that the supplicant shows of a key, in hexadecimal.
fn key<'a>(ran: &'a Ran, name: &str) -> &'a str {
    let line = ran.stdout.lines().find(|line| line.contains(name));
    let line = line.unwrap_or_else(|| panic!("no {name}: {}", ran.stdout));
    line.rsplit(": ").next().unwrap().trim()
}

#[test]
fn a_certificate_lets_its_user_in_by_the_rule_in_force() {
    let names: &[&str] = &["--mail", "alice@example.org", "--upn", "alice@EXAMPLE"];
    for rule in ["common_name", "mail", "upn"] {
        let gateway = gateway_by(rule, "");
        gateway.add_user("alice");
        // Its names but for the one that counts are somebody else's.
        gateway.add_user("mallory");
        let alice = match rule {
            "common_name" => Device::of(&gateway, "alice", &["--mail", "mallory@example.org"]),
            _ => Device::of(&gateway, "mallory", names),
        };
        for version in VERSIONS {
            assert_joined(&alice.on(version).join(&gateway), version);
        }
        if rule != "common_name" {
            let bare = Device::of(&gateway, "alice", &[]);
            assert_refused(&bare.join(&gateway));
        }
        let ran = gateway.run(&["events", "--user", "alice", "--outcome", "granted"]);
        // Both in one event, or in one each where a minute began between them.
        let lines = ran.stdout.lines().filter(|line| line.contains("CN="));
        let times = lines.map(|line| if line.contains("(2 times") { 2 } else { 1 });
        assert_eq!(times.sum::<u32>(), 2, "{}", ran.stdout);
        assert!(
            ran.stdout.contains("with certificate CN="),
            "{}",
            ran.stdout
        );
        let logins = gateway.metric("doorward_radius_eap_logins_total", "method=\"tls\"");
        assert!((logins - 2.0).abs() < 0.1, "{logins}");
    }
}

#[test]
fn both_halves_of_the_key_are_the_supplicant_s() {
    let gateway = gateway_by("common_name", "");
    gateway.add_user("alice");
    let alice = Device::of(&gateway, "alice", &[]);
    for version in VERSIONS {
        let ran = alice.on(version).join(&gateway);
        assert_joined(&ran, version);
        // eapol_test compares the first half by itself, and not the second.
        let derived = key(&ran, "EAP-TLS: Derived key - hexdump").replace(' ', "");
        let receive = key(&ran, "MS-MPPE-Recv-Key (crypt)").replace(' ', "");
        let send = key(&ran, "MS-MPPE-Send-Key (sign)").replace(' ', "");
        assert_eq!(derived.len(), 128, "{derived}");
        assert_eq!(derived, format!("{receive}{send}"));
    }
}

#[test]
fn fragments_of_every_size_both_ways_with_certificates() {
    for size in [100, 101, 250, 1020, 1400] {
        let gateway = gateway_by("common_name", &format!("fragment_size = {size}\n"));
        gateway.add_user("alice");
        let alice = Device {
            fragment_size: size,
            ..Device::of(&gateway, "alice", &[])
        };
        for version in VERSIONS {
            assert_joined(&alice.on(version).join(&gateway), version);
        }
    }
}

#[test]
fn no_session_is_taken_up_again() {
    let gateway = gateway_by("common_name", "");
    gateway.add_user("alice");
    let alice = Device {
        again: 3,
        ..Device::of(&gateway, "alice", &[])
    };
    for version in VERSIONS {
        let ran = alice.on(version).join(&gateway);
        assert_joined(&ran, version);
        let resumed = ran.stdout.matches("Handshake finished - resumed=1").count();
        assert_eq!(resumed, 0, "{}", ran.stdout);
    }
    let full = gateway.metric("doorward_radius_eap_logins_total", "login=\"full\"");
    assert!((full - 8.0).abs() < 0.1, "{full}");
}

/// CONTRACT.md 1 and 2: the VPN's column of the table holds for certificates as well.
#[test]
fn every_state_of_an_account_is_as_the_table_says_for_certificates() {
    let mut gateway = Gateway::prepare(&Setting {
        eap: "methods = [\"ttls\", \"tls\"]\nclient_ca = \"certs/ca.pem\"\n\
              client_name = \"common_name\"\n"
            .to_owned(),
        ..Setting::default()
    });
    gateway.serve();
    gateway.add_staff();
    add_every_state(&gateway);
    for name in STATES.into_iter().chain(["nobody"]) {
        let device = Device::of(&gateway, name, &[]);
        for version in VERSIONS {
            let ran = device.on(version).join(&gateway);
            if name == "active" {
                assert_joined(&ran, version);
            } else {
                assert_refused(&ran);
            }
        }
    }
    // Nothing was counted toward anybody's lock.
    let suspended = gateway.json(&["-o", "json", "user", "show", "suspended"]);
    assert_eq!(suspended["account_locked"], false, "{suspended}");
}

#[test]
fn a_certificate_of_another_ca_or_that_was_revoked_is_refused() {
    let gateway = gateway_by("common_name", "");
    let elsewhere = Gateway::prepare(&Setting::default());
    gateway.add_user("alice");
    let foreign = Device::of(&elsewhere, "alice", &[]);
    let alice = Device::of(&gateway, "alice", &[]);
    for version in VERSIONS {
        assert_joined(&alice.on(version).join(&gateway), version);
        assert_refused(&foreign.on(version).join(&gateway));
    }
    let shown = || gateway.log();
    assert!(gateway.log().contains("UnknownIssuer"), "{}", gateway.log());
    let file = alice.certificate.to_str().unwrap();
    revoke(&gateway, &[file]);
    // The daemon looks at the list by itself.
    eventually(shown, || alice.join(&gateway).code != Some(0));
    for version in VERSIONS {
        let ran = alice.on(version).join(&gateway);
        assert_refused(&ran);
        assert!(
            ran.stdout.contains("certificate revoked"),
            "an alert: {}",
            ran.stdout
        );
    }
    assert!(gateway.log().contains("Revoked"), "{}", gateway.log());
}

#[test]
fn a_new_certificate_of_the_gateway_s_is_shown_to_the_next_device() {
    let gateway = gateway_by("common_name", "");
    gateway.add_user("alice");
    let alice = Device::of(&gateway, "alice", &[]);
    let shown = |ran: &Ran| {
        let line = ran
            .stdout
            .lines()
            .find(|line| line.contains("CTRL-EVENT-EAP-PEER-CERT depth=0"));
        let line = line.unwrap_or_else(|| panic!("no certificate: {}", ran.stdout));
        line.rsplit("hash=").next().unwrap().to_owned()
    };
    let first = shown(&alice.join(&gateway));
    assert_eq!(shown(&alice.join(&gateway)), first);
    let folder = gateway.path("certs");
    gateway
        .run(&["certs", folder.to_str().unwrap()])
        .assert_success();
    eventually(
        || gateway.log(),
        || {
            let ran = alice.join(&gateway);
            assert_joined(&ran, VERSIONS[1]);
            shown(&ran) != first
        },
    );
}
