//! Wi-Fi as a supplicant sees it: Debian's `eapol_test`, which is `wpa_supplicant` with a RADIUS
//! client in place of the access point.

#[cfg(test)]
mod certificates;

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

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
    /// How often it logs in again after the first time, with the TLS session of before.
    again: usize,
}

impl<'a> Supplicant<'a> {
    fn ttls_pap(version: Version) -> Self {
        Self {
            method: "TTLS",
            version,
            phase2: "auth=PAP",
            identity: "alice",
            password: PASSWORD,
            fragment_size: 1398,
            again: 0,
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

    /// Every way to log in with a network password.
    fn by_challenge(version: Version, password: &'a str) -> [Self; 3] {
        let way = |method, phase2| Self {
            method,
            phase2,
            password,
            ..Self::ttls_pap(version)
        };
        [
            way("PEAP", "auth=MSCHAPV2"),
            way("TTLS", "auth=MSCHAPV2"),
            way("TTLS", "autheap=MSCHAPV2"),
        ]
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
        self.join_by(gateway, gateway.radius)
    }

    /// As [`Supplicant::join`], by way of another address.
    fn join_by(&self, gateway: &Gateway, server: SocketAddr) -> Ran {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), self.configuration(gateway)).unwrap();
        let file = file.path().to_str().unwrap();
        let (address, port) = (server.ip().to_string(), server.port().to_string());
        let again = format!("-r{}", self.again);
        let mut arguments = vec!["-c", file, "-a", &address, "-p", &port];
        arguments.extend(["-s", SECRET, "-t", "20", &again]);
        client("eapol_test", "eapoltest", &arguments)
    }
}

#[track_caller]
fn assert_joined(ran: &Ran, version: Version) {
    assert!(ran.stdout.contains(version.shown), "{}", ran.stdout);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("mismatch: 0"), "{}", ran.stdout);
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

/// RFC 2868, RFC 3580: the access point is told of the VLAN, also where a session is taken up again
/// after it was changed (CVE-2017-9148's neighbour: attributes that a resumption forgets).
#[test]
fn an_accept_carries_the_vlan_also_when_a_session_is_taken_up_again() {
    let gateway = Gateway::start(&Setting::default());
    gateway.add_user("alice");
    let set = ["reply", "set", "--group", "staff", "vlan=20"];
    gateway
        .run(&[&set[..], &["session_timeout=8h"]].concat())
        .assert_success();
    for version in VERSIONS {
        let twice = Supplicant {
            again: 1,
            ..Supplicant::ttls_pap(version)
        };
        let ran = twice.join(&gateway);
        assert_joined(&ran, version);
        let accepts = ran.stdout.split("code=2 (Access-Accept)").skip(1);
        let accepts: Vec<&str> = accepts.collect();
        assert_eq!(accepts.len(), 2, "{}", ran.stdout);
        for accept in accepts {
            for line in [
                "Attribute 64 (Tunnel-Type) length=6",
                "Attribute 65 (Tunnel-Medium-Type) length=6",
                "Attribute 81 (Tunnel-Private-Group-Id) length=4",
                "Attribute 27 (Session-Timeout) length=6",
                "Attribute 29 (Termination-Action) length=6",
            ] {
                assert!(accept.contains(line), "{line}: {accept}");
            }
        }
    }
    let refused = Supplicant {
        password: "not this one",
        ..Supplicant::ttls_pap(VERSIONS[1])
    };
    let ran = refused.join(&gateway);
    assert_refused(&ran);
    assert!(!ran.stdout.contains("Tunnel"), "{}", ran.stdout);
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

/// Stands between a supplicant and the gateway: hands datagrams on both ways, and does something
/// after the first Access-Accept, before the supplicant hears of it.
struct Between {
    socket: UdpSocket,
    stop: AtomicBool,
}

impl Between {
    fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        Self {
            socket,
            stop: AtomicBool::new(false),
        }
    }

    fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    fn run(&self, gateway: SocketAddr, after_first_accept: impl FnOnce()) {
        let mut then = Some(after_first_accept);
        let mut supplicant = None;
        let mut buffer = [0; 4096];
        while !self.stop.load(Ordering::Relaxed) {
            let Ok((length, from)) = self.socket.recv_from(&mut buffer) else {
                continue;
            };
            let datagram = &buffer[..length];
            if from == gateway {
                if datagram[0] == 2
                    && let Some(then) = then.take()
                {
                    then();
                }
                self.socket.send_to(datagram, supplicant.unwrap()).unwrap();
            } else {
                supplicant = Some(from);
                self.socket.send_to(datagram, gateway).unwrap();
            }
        }
    }

    fn end(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Logs in twice with one supplicant, and does something in between.
fn join_twice(
    gateway: &Gateway,
    supplicant: &Supplicant<'_>,
    between: impl FnOnce() + Send,
) -> Ran {
    let way = Between::new();
    let twice = Supplicant {
        again: 1,
        ..supplicant.clone()
    };
    std::thread::scope(|scope| {
        scope.spawn(|| way.run(gateway.radius, between));
        let ran = twice.join_by(gateway, way.address());
        way.end();
        ran
    })
}

#[test]
fn sessions_are_taken_up_again() {
    let gateway = Gateway::start(&Setting::default());
    gateway.add_user("alice");
    for version in VERSIONS {
        for supplicant in Supplicant::all(version) {
            let again = Supplicant {
                again: 3,
                ..supplicant
            };
            let ran = again.join(&gateway);
            assert_joined(&ran, version);
            assert!(
                ran.stdout.contains("MPPE keys OK: 4  mismatch: 0"),
                "{}",
                ran.stdout
            );
            let resumed = ran.stdout.matches("Handshake finished - resumed=1").count();
            assert_eq!(resumed, 3, "{}", ran.stdout);
        }
    }
}

#[test]
fn sessions_are_over_once_the_account_changed() {
    let gateway = Gateway::start(&Setting::default());
    for (number, version) in VERSIONS.into_iter().enumerate() {
        for (method, supplicant) in Supplicant::all(version).into_iter().enumerate() {
            for change in ["suspend", "expire"] {
                let name = format!("user{number}{method}{change}");
                gateway.add_user(&name);
                let supplicant = Supplicant {
                    identity: &name,
                    ..supplicant.clone()
                };
                let ran = join_twice(&gateway, &supplicant, || {
                    gateway.run(&["user", change, &name]).assert_success();
                });
                assert_refused(&ran);
                // It was let in first, and then its session was refused, not a password anew.
                for line in ["CTRL-EVENT-EAP-SUCCESS", "Handshake finished - resumed=1"] {
                    assert!(ran.stdout.contains(line), "{}", ran.stdout);
                }
            }
        }
    }
}

/// A user in every state of CONTRACT.md 1, of the state's name; all but `active` are refused at a
/// VPN.
const STATES: [&str; 8] = [
    "active",
    "expired",
    "locked",
    "suspended",
    "mustchange",
    "pending",
    "staged",
    "unbound",
];

fn add_every_state(gateway: &Gateway) {
    let run = |arguments: &[&str]| {
        gateway.run(arguments).assert_success();
    };
    for name in ["active", "expired", "locked", "suspended", "mustchange"] {
        gateway.add_user(name);
    }
    let add = |name: &str, more: &[&str], password: &str| {
        let mail = format!("{name}@example.org");
        let arguments = [&["user", "add", name, "--email", &mail], more].concat();
        gateway
            .run_with_input(&arguments, password)
            .assert_success();
    };
    add("pending", &[], "");
    add(
        "staged",
        &["--password-stdin", "--start-date", "2999-01-01"],
        PASSWORD,
    );
    run(&["group", "join", "staff", "pending", "staged"]);
    add("unbound", &["--password-stdin"], PASSWORD);
    run(&["user", "expire", "expired"]);
    run(&["user", "suspend", "suspended"]);
    let new = [
        "user",
        "set-password",
        "mustchange",
        "--password-stdin",
        "--must-change",
    ];
    gateway
        .run_with_input(&new, "another horse battery")
        .assert_success();
    for guess in 0..10 {
        let guess = format!("guess {guess}");
        let supplicant = Supplicant {
            identity: "locked",
            password: &guess,
            ..Supplicant::ttls_pap(VERSIONS[0])
        };
        assert_refused(&supplicant.join(gateway));
    }
}

/// CONTRACT.md 1 and 2: the VPN's column of the table, by every way to log in.
#[test]
fn every_state_of_an_account_is_as_the_table_says() {
    let gateway = Gateway::start(&Setting::default());
    add_every_state(&gateway);
    for (version, ways) in VERSIONS.map(|version| (version, Supplicant::all(version))) {
        for supplicant in ways {
            for name in STATES {
                let password = match name {
                    "mustchange" => "another horse battery",
                    _ => PASSWORD,
                };
                let ran = Supplicant {
                    identity: name,
                    password,
                    ..supplicant.clone()
                }
                .join(&gateway);
                if name == "active" {
                    assert_joined(&ran, version);
                } else {
                    assert_refused(&ran);
                }
            }
        }
    }
}

/// A gateway that takes network passwords inside EAP, and alice's.
fn with_network_password(inner: &str) -> (Gateway, String) {
    let gateway = Gateway::start(&Setting {
        eap: format!("inner = {inner}\n"),
        ..Setting::with_network_passwords()
    });
    gateway.add_user("alice");
    let made = gateway.json(&["-o", "json", "user", "network-password", "alice"]);
    let password = made["network_password"].as_str().unwrap().to_owned();
    (gateway, password)
}

/// The supplicant checks the gateway's own proof of the password, and derives the keys itself.
#[test]
fn mschapv2_inside_peap_and_ttls_on_both_versions_of_tls() {
    let (gateway, password) = with_network_password(r#"["mschapv2", "gtc"]"#);
    for version in VERSIONS {
        for supplicant in Supplicant::by_challenge(version, &password) {
            assert_joined(&supplicant.join(&gateway), version);
            for wrong in ["not this one", PASSWORD] {
                let wrong = Supplicant {
                    password: wrong,
                    ..supplicant.clone()
                };
                assert_refused(&wrong.join(&gateway));
            }
            let stranger = Supplicant {
                identity: "nobody",
                ..supplicant.clone()
            };
            assert_refused(&stranger.join(&gateway));
            // The domain is no part of what is computed.
            let with_domain = Supplicant {
                identity: "EXAMPLE\\alice",
                ..supplicant
            };
            assert_joined(&with_domain.join(&gateway), version);
            gateway.run(&["user", "unlock", "alice"]).assert_success();
        }
        // Who wants to send the password still can.
        for supplicant in Supplicant::all(version) {
            assert_joined(&supplicant.join(&gateway), version);
        }
    }
}

#[test]
fn mschapv2_by_a_device_that_declines_what_is_offered_first() {
    let (gateway, password) = with_network_password(r#"["gtc", "mschapv2"]"#);
    for version in VERSIONS {
        for supplicant in Supplicant::by_challenge(version, &password) {
            assert_joined(&supplicant.join(&gateway), version);
        }
    }
}

#[test]
fn mschapv2_is_declined_where_it_is_not_enabled() {
    let (gateway, password) = with_network_password(r#"["gtc"]"#);
    for version in VERSIONS {
        for supplicant in Supplicant::by_challenge(version, &password) {
            assert_refused(&supplicant.join(&gateway));
        }
    }
}

/// CONTRACT.md 2, by the network password; and its TLS sessions end with it.
#[test]
fn a_network_password_is_gated_as_the_password_is_and_its_sessions_end_with_it() {
    let (gateway, password) = with_network_password(r#"["mschapv2"]"#);
    for version in VERSIONS {
        for supplicant in Supplicant::by_challenge(version, &password) {
            let again = Supplicant {
                again: 2,
                ..supplicant.clone()
            };
            let ran = again.join(&gateway);
            assert_joined(&ran, version);
            let resumed = ran.stdout.matches("Handshake finished - resumed=1").count();
            assert_eq!(resumed, 2, "{}", ran.stdout);
            gateway.run(&["user", "suspend", "alice"]).assert_success();
            assert_refused(&supplicant.join(&gateway));
            gateway.run(&["user", "resume", "alice"]).assert_success();
        }
    }
    let [supplicant, ..] = Supplicant::by_challenge(VERSIONS[1], &password);
    let ran = join_twice(&gateway, &supplicant, || {
        gateway
            .run(&["user", "network-password", "alice", "--revoke"])
            .assert_success();
    });
    assert_refused(&ran);
    for line in ["CTRL-EVENT-EAP-SUCCESS", "Handshake finished - resumed=1"] {
        assert!(ran.stdout.contains(line), "{}", ran.stdout);
    }
}
