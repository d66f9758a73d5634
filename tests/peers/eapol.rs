//! Wi-Fi as a supplicant sees it: Debian's `eapol_test`, which is `wpa_supplicant` with a RADIUS
//! client in place of the access point.

use std::fs;

use crate::common::{Gateway, PASSWORD, Ran, SECRET, Setting, client};

/// A version of TLS, as `wpa_supplicant` is told and as it tells.
#[derive(Debug, Clone, Copy)]
struct Version {
    phase1: &'static str,
    shown: &'static str,
}

const VERSIONS: [Version; 2] = [
    Version {
        phase1: "tls_disable_tlsv1_3=1",
        shown: "Using TLS version TLSv1.2",
    },
    Version {
        phase1: "tls_disable_tlsv1_3=0",
        shown: "Using TLS version TLSv1.3",
    },
];

/// What a supplicant is configured with.
#[derive(Debug, Clone)]
struct Supplicant<'a> {
    method: &'a str,
    version: Version,
    phase2: &'a str,
    identity: &'a str,
    password: &'a str,
    fragment_size: usize,
    arguments: &'a [&'a str],
}

impl Supplicant<'_> {
    fn ttls_pap(version: Version) -> Self {
        Self {
            method: "TTLS",
            version,
            phase2: "auth=PAP",
            identity: "alice",
            password: PASSWORD,
            fragment_size: 1398,
            arguments: &[],
        }
    }

    fn ttls_gtc(version: Version) -> Self {
        Self {
            phase2: "autheap=GTC",
            ..Self::ttls_pap(version)
        }
    }

    fn peap_gtc(version: Version) -> Self {
        Self {
            method: "PEAP",
            phase2: "auth=GTC",
            ..Self::ttls_pap(version)
        }
    }

    /// Every way to log in with a password.
    fn all(version: Version) -> [Self; 3] {
        [
            Self::ttls_pap(version),
            Self::ttls_gtc(version),
            Self::peap_gtc(version),
        ]
    }

    fn configuration(&self, gateway: &Gateway) -> String {
        let Self {
            method,
            version,
            phase2,
            identity,
            password,
            fragment_size,
            ..
        } = self;
        format!(
            "network={{\n\
             key_mgmt=WPA-EAP\n\
             eap={method}\n\
             identity=\"{identity}\"\n\
             anonymous_identity=\"anonymous@example.org\"\n\
             password=\"{password}\"\n\
             ca_cert=\"{ca}\"\n\
             domain_match=\"localhost\"\n\
             phase1=\"{phase1}\"\n\
             phase2=\"{phase2}\"\n\
             fragment_size={fragment_size}\n\
             }}\n",
            phase1 = version.phase1,
            ca = gateway.path("certs/ca.pem").display(),
        )
    }

    /// Logs in at the gateway; the exit code is 0 where it was let in, its keys are the gateway's
    /// and no packet was lost.
    fn join(&self, gateway: &Gateway) -> Ran {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), self.configuration(gateway)).unwrap();
        let (address, port) = (gateway.radius.ip(), gateway.radius.port());
        let file = file.path().to_str().unwrap();
        let (address, port) = (address.to_string(), port.to_string());
        let mut arguments = vec!["-c", file, "-a", &address, "-p", &port];
        arguments.extend(["-s", SECRET, "-t", "20"]);
        arguments.extend(self.arguments);
        client("eapol_test", "eapoltest", &arguments)
    }
}

#[track_caller]
fn assert_joined(ran: &Ran, version: Version) {
    assert!(ran.stdout.contains(version.shown), "{}", ran.stdout);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains("MPPE keys OK: 1  mismatch: 0"),
        "{}",
        ran.stdout
    );
}

#[track_caller]
fn assert_refused(ran: &Ran) {
    assert_ne!(ran.code, Some(0), "{}", ran.stdout);
    // An Access-Reject with an EAP-Failure inside, and not silence.
    assert!(
        ran.stdout.contains("CTRL-EVENT-EAP-FAILURE"),
        "{}\n{}",
        ran.stdout,
        ran.stderr
    );
}

#[test]
fn every_password_method_on_both_versions_of_tls() {
    let gateway = Gateway::start(&Setting::default());
    gateway.add_user("alice");
    for version in VERSIONS {
        for supplicant in Supplicant::all(version) {
            assert_joined(&supplicant.join(&gateway), version);
            let wrong = Supplicant {
                password: "not this one",
                ..supplicant.clone()
            };
            assert_refused(&wrong.join(&gateway));
            let stranger = Supplicant {
                identity: "nobody",
                ..supplicant
            };
            assert_refused(&stranger.join(&gateway));
        }
    }
}

#[test]
fn fragments_of_every_size_both_ways() {
    for size in [100, 101, 250, 1020, 1400] {
        let gateway = Gateway::start(&Setting {
            eap: format!("fragment_size = {size}\n"),
            ..Setting::default()
        });
        gateway.add_user("alice");
        for version in VERSIONS {
            for supplicant in [Supplicant::ttls_pap(version), Supplicant::peap_gtc(version)] {
                let supplicant = Supplicant {
                    fragment_size: size,
                    ..supplicant
                };
                assert_joined(&supplicant.join(&gateway), version);
            }
        }
    }
}
