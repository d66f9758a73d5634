//! 802.1X on a cable: hostapd with a port of a bridge, and `wpa_supplicant`.

use super::{Laboratory, Machine, SECRET, filled, ip, run};
use crate::common::namespace::{inside, write};
use crate::common::{PASSWORD, Ran, client_with_input, eventually};
use crate::hosts::{add_states, lock};

/// The shipped files.
const SWITCH: &str = include_str!("../../../deploy/hostapd/wired.conf");
const WIFI: &str = include_str!("../../../deploy/hostapd/wifi.conf");
const PORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/hostapd/port");
const TTLS_PAP: &str = include_str!("../../../deploy/wpa_supplicant/wired-ttls-pap.conf");
const PEAP_MSCHAPV2: &str = include_str!("../../../deploy/wpa_supplicant/wired-peap-mschapv2.conf");
const TLS: &str = include_str!("../../../deploy/wpa_supplicant/wired-tls.conf");
const PEAP_GTC: &str = include_str!("../../../deploy/wpa_supplicant/wired-peap-gtc.conf");

/// A way to log in: what the supplicant is configured with, and what it says of the method.
#[derive(Debug, Clone, Copy)]
struct Way {
    file: &'static str,
    instead: Option<(&'static str, &'static str)>,
    shown: &'static str,
    brings: Proof,
}

/// What the user logs in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    Password,
    NetworkPassword,
    Certificate,
}

const WAYS: [Way; 5] = [
    Way {
        file: TTLS_PAP,
        instead: None,
        shown: "EAP-TTLSv0 Phase2 method=PAP",
        brings: Proof::Password,
    },
    Way {
        file: TTLS_PAP,
        instead: Some(("\"auth=PAP\"", "\"autheap=GTC\"")),
        shown: "EAP-TTLSv0 Phase2 method=EAP-GTC",
        brings: Proof::Password,
    },
    Way {
        file: PEAP_GTC,
        instead: None,
        shown: "EAP-PEAPv0 Phase2 method=GTC",
        brings: Proof::Password,
    },
    Way {
        file: PEAP_MSCHAPV2,
        instead: None,
        shown: "EAP-PEAPv0 Phase2 method=MSCHAPV2",
        brings: Proof::NetworkPassword,
    },
    Way {
        file: TLS,
        instead: None,
        shown: "selectedMethod=13 (EAP-TLS)",
        brings: Proof::Certificate,
    },
];

/// What the file says of TLS, what is said instead, and the version that it makes.
const VERSIONS: [(&str, &str); 2] = [
    ("tls_disable_tlsv1_3=0", "eap_tls_version=TLSv1.3"),
    ("tls_disable_tlsv1_3=1", "eap_tls_version=TLSv1.2"),
];

impl Way {
    fn configuration(self, user: &str, password: &str, version: &str) -> String {
        let text = match self.brings {
            Proof::Certificate => self.file.to_owned(),
            Proof::Password | Proof::NetworkPassword => filled(self.file, password),
        };
        let text = match self.instead {
            Some((shipped, instead)) => {
                assert!(text.contains(shipped), "{text}");
                text.replace(shipped, instead)
            }
            None => text,
        };
        for shipped in ["\"alice\"", VERSIONS[0].0] {
            assert!(text.contains(shipped), "{text}");
        }
        text.replace("\"alice\"", &format!("\"{user}\""))
            .replace(VERSIONS[0].0, version)
    }
}

/// A laboratory whose NAS is a switch with one port, for the resource `wired`.
fn laboratory(resource: &str) -> Laboratory {
    let wired = format!("[[resource]]\nname = \"wired\"\nkind = \"wifi\"\n{resource}\n");
    let mut laboratory = Laboratory::new("resource = \"wired\"", &wired);
    let gateway = &laboratory.gateway;
    gateway
        .run(&["resource", "bind", "wired", "--group", "staff"])
        .assert_success();
    for line in [
        "-n nas link add br0 type bridge",
        "-n nas addr flush dev eth0",
        "-n nas link set eth0 master br0",
        // What it has learned before it is locked would stay.
        "-n nas link set eth1 down",
        "-n nas link set eth1 master br0",
        "-n nas link set br0 up",
        "-n nas addr add 192.0.2.20/24 dev br0",
        "-n user addr add 192.0.2.30/24 dev eth0",
    ] {
        ip(line);
    }
    let locked = [
        "link", "set", "dev", "eth1", "learning", "off", "locked", "on",
    ];
    Machine::Nas.run("bridge", &locked).assert_success();
    ip("-n nas link set eth1 up");
    write("/etc/hostapd/wired.conf", &filled(SWITCH, SECRET));
    laboratory.serve(Machine::Nas, "hostapd", &["/etc/hostapd/wired.conf"]);
    eventually(
        || laboratory.complaints(),
        || Laboratory::printed("hostapd").contains("AP-ENABLED"),
    );
    let port = ["-s", "/run", "-p", "/run/hostapd", "-i", "eth1", "-a", PORT];
    laboratory.serve(Machine::Nas, "hostapd_cli", &port);
    laboratory
}

impl Laboratory {
    /// Plugs in a device with an address of its own, whose supplicant says who it is.
    fn plug_in(&mut self, device: u8, configuration: &str) -> String {
        let device = format!("02:00:00:00:01:{device:02x}");
        ip("-n user link set eth0 down");
        ip(&format!("-n user link set eth0 address {device}"));
        ip("-n user link set eth0 up");
        write("/etc/wpa_supplicant.conf", configuration);
        let arguments = [
            "-D",
            "wired",
            "-i",
            "eth0",
            "-c",
            "/etc/wpa_supplicant.conf",
        ];
        self.serve(Machine::User, "wpa_supplicant", &arguments);
        device
    }

    fn unplug(&mut self) {
        self.host.stop_last();
    }

    /// Waits until the device is let in, by the word of both sides and by its traffic.
    #[track_caller]
    fn assert_in(&self, device: &str) {
        eventually(
            || format!("{:?}\n{}", status(), self.complaints()),
            || status().stdout.contains("suppPortStatus=Authorized"),
        );
        let status = status().stdout;
        for line in ["wpa_state=COMPLETED", "EAP state=SUCCESS"] {
            assert!(status.contains(line), "{line}: {status}");
        }
        eventually(
            || format!("{:?}\n{}", port(device), self.complaints()),
            || port(device).stdout.contains("[AUTHORIZED]"),
        );
        eventually(|| self.complaints(), || self.passes());
    }

    /// Waits until the device was refused, by the word of both sides and by its traffic.
    #[track_caller]
    fn assert_refused(&self, device: &str) {
        eventually(
            || format!("{:?}\n{}", status(), self.complaints()),
            || status().stdout.contains("EAP state=FAILURE"),
        );
        let status = status().stdout;
        assert!(status.contains("suppPortStatus=Unauthorized"), "{status}");
        assert!(!port(device).stdout.contains("[AUTHORIZED]"));
        assert!(!self.passes());
    }

    /// Waits until the port is shut again and the session over.
    #[track_caller]
    fn assert_off(&self, user: &str, device: &str) {
        eventually(
            || format!("{:?}\n{}", port(device), self.complaints()),
            || !port(device).stdout.contains("[AUTHORIZED]"),
        );
        eventually(|| self.complaints(), || !self.passes());
        eventually(|| self.complaints(), || self.open(user).is_empty());
    }
}

/// What the supplicant says.
fn status() -> Ran {
    run(
        "wpa_cli",
        &[
            "-s",
            "/run",
            "-p",
            "/run/wpa_supplicant",
            "-i",
            "eth0",
            "status",
        ],
    )
}

/// What the switch says of a device.
fn port(device: &str) -> Ran {
    run(
        "hostapd_cli",
        &[
            "-s",
            "/run",
            "-p",
            "/run/hostapd",
            "-i",
            "eth1",
            "sta",
            device,
        ],
    )
}

#[test]
fn every_method_opens_the_port_until_the_account_is_suspended() {
    if !inside("network::wired::every_method_opens_the_port_until_the_account_is_suspended") {
        return;
    }
    let mut laboratory = laboratory("");
    laboratory.gateway.add_user("alice");
    assert!(!laboratory.passes(), "the port is shut");
    let made = ["user", "network-password", "alice", "-o", "json"];
    let made = laboratory.gateway.json(&made);
    let network_password = made["network_password"].as_str().unwrap().to_owned();
    let authority = laboratory.gateway.path("certs");
    let made = ["certs", "user", authority.to_str().unwrap(), "alice"];
    laboratory.gateway.run(&made).assert_success();
    for made in std::fs::read_dir(authority.join("users")).unwrap() {
        let made = made.unwrap().path();
        let kind = made.extension().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&made).unwrap();
        write(&format!("/etc/doorward-user.{kind}"), &text);
    }
    let mut number = 0;
    for (version, spoken) in VERSIONS {
        for way in WAYS {
            number += 1;
            let password = match way.brings {
                Proof::NetworkPassword => &network_password,
                Proof::Password | Proof::Certificate => PASSWORD,
            };
            let configuration = way.configuration("alice", password, version);
            let device = laboratory.plug_in(number, &configuration);
            laboratory.assert_in(&device);
            let shown = status().stdout;
            for line in [way.shown, spoken] {
                assert!(shown.contains(line), "{line}: {shown}");
            }
            let port = port(&device).stdout;
            assert!(port.contains("dot1xAuthSessionUserName=alice"), "{port}");
            eventually(
                || laboratory.complaints(),
                || !laboratory.open("alice").is_empty(),
            );
            let open = laboratory.open("alice");
            let station = device.to_uppercase().replace(':', "-");
            assert_eq!(open.len(), 1, "{open:?}");
            assert_eq!(open[0]["calling_station"], *station);
            assert_eq!(open[0]["resource"], "wired");
            assert_eq!(open[0]["nas"], "switch1");

            let suspend = ["user", "suspend", "alice"];
            laboratory.gateway.run(&suspend).assert_success();
            laboratory.assert_off("alice", &device);
            eventually(
                || laboratory.complaints(),
                || {
                    let told = laboratory.disconnected("alice");
                    let counts = told.iter().filter_map(|event| event["count"].as_u64());
                    counts.sum::<u64>() == u64::from(number)
                },
            );
            for told in laboratory.disconnected("alice") {
                assert_eq!(told["after"]["outcome"], "acknowledged");
                assert_eq!(told["before"]["reason"], "suspended");
            }

            // It tries again, with the TLS session that it kept.
            for word in ["logoff", "logon"] {
                run(
                    "wpa_cli",
                    &[
                        "-s",
                        "/run",
                        "-p",
                        "/run/wpa_supplicant",
                        "-i",
                        "eth0",
                        word,
                    ],
                )
                .assert_success();
            }
            laboratory.assert_refused(&device);
            laboratory.unplug();
            let resume = ["user", "resume", "alice"];
            laboratory.gateway.run(&resume).assert_success();
        }
    }
}

#[test]
fn the_port_stays_shut_for_everybody_who_is_refused() {
    if !inside("network::wired::the_port_stays_shut_for_everybody_who_is_refused") {
        return;
    }
    let mut laboratory = laboratory("");
    add_states(&laboratory.gateway);
    let version = VERSIONS[0].0;
    let refused = [
        "mustchange",
        "staged",
        "pending",
        "expired",
        "locked",
        "both",
        "suspended",
        "ended",
        "unbound",
        "nobody",
    ];
    for (number, user) in (1..).zip(refused) {
        let configuration = WAYS[0].configuration(user, PASSWORD, version);
        let device = laboratory.plug_in(number, &configuration);
        laboratory.assert_refused(&device);
        laboratory.unplug();
    }
    let wrong = WAYS[0].configuration("active", "not this one", version);
    let device = laboratory.plug_in(100, &wrong);
    laboratory.assert_refused(&device);
    laboratory.unplug();
    let right = WAYS[0].configuration("active", PASSWORD, version);
    let device = laboratory.plug_in(101, &right);
    laboratory.assert_in(&device);
}

/// CONTRACT.md 2: what a lock ends is up to the resource.
#[test]
fn a_lock_leaves_a_session_alone_where_locked_users_are_admitted() {
    if !inside("network::wired::a_lock_leaves_a_session_alone_where_locked_users_are_admitted") {
        return;
    }
    let mut laboratory = laboratory("on_locked = \"allow\"");
    for user in ["alice", "bob"] {
        laboratory.gateway.add_user(user);
    }
    let configuration = WAYS[0].configuration("alice", PASSWORD, VERSIONS[0].0);
    let device = laboratory.plug_in(1, &configuration);
    laboratory.assert_in(&device);
    // Another session, of which the switch only said so.
    let start = format!(
        "Acct-Status-Type=Start,Acct-Session-Id=\"b\",NAS-Identifier=\"switch1\",User-Name=\"bob\",\
         NAS-IP-Address={}\n",
        "192.0.2.20"
    );
    let server = laboratory.gateway.accounting.to_string();
    let radclient = Machine::Nas.name();
    let network = format!("--net=/run/netns/{radclient}");
    let arguments = [&network, "--", "radclient", &server, "acct", SECRET];
    client_with_input("nsenter", "util-linux", &arguments, &start).assert_success();

    lock(&laboratory.gateway, "alice");
    // What came later has been seen to; so has the lock.
    let suspend = ["user", "suspend", "bob"];
    laboratory.gateway.run(&suspend).assert_success();
    eventually(
        || laboratory.complaints(),
        || !laboratory.disconnected("bob").is_empty(),
    );
    assert_eq!(laboratory.disconnected("alice").len(), 0);
    assert_eq!(laboratory.open("alice").len(), 1);
    assert!(laboratory.passes());
}

/// No radio is there to serve it: hostapd understands the file, and only then looks for one.
#[test]
fn hostapd_understands_the_file_for_wifi() {
    if !inside("network::wired::hostapd_understands_the_file_for_wifi") {
        return;
    }
    let laboratory = laboratory("");
    write("/etc/hostapd/wifi.conf", &filled(WIFI, SECRET));
    let ran = run("hostapd", &["/etc/hostapd/wifi.conf"]);
    let shown = format!("{}{}", ran.stdout, ran.stderr);
    assert!(shown.contains("nl80211"), "{shown}");
    for complaint in ["Line ", "errors found in configuration"] {
        assert!(!shown.contains(complaint), "{shown}");
    }
    drop(laboratory);
}
