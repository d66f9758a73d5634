//! A VPN by `IKEv2` with strongSwan at both ends: the VPN gateway asks by `eap-radius`, the user's
//! machine logs in by EAP-TTLS.

use super::{Laboratory, Machine, SECRET, filled, ip, run};
use crate::common::namespace::{inside, write};
use crate::common::{PASSWORD, Ran, eventually};

/// The shipped files.
const CONNECTION: &str = include_str!("../../../deploy/strongswan/gateway.conf");
const RADIUS: &str = include_str!("../../../deploy/strongswan/radius.conf");
const CLIENT: &str = include_str!("../../../deploy/strongswan/client.conf");

/// A folder of strongSwan's at a machine.
fn folder(at: Machine) -> String {
    format!("/etc/strongswan-{}", at.name())
}

/// Runs `swanctl` at a machine.
fn swanctl(at: Machine, arguments: &[&str]) -> Ran {
    let folder = folder(at);
    let (configuration, connections) = (
        format!("STRONGSWAN_CONF={folder}/strongswan.conf"),
        format!("SWANCTL_DIR={folder}/swanctl"),
    );
    let socket = format!("unix:///run/charon-{}.vici", at.name());
    let command = [&configuration, &connections, "swanctl", arguments[0]];
    at.run(
        "env",
        &[&command[..], &["--uri", &socket], &arguments[1..]].concat(),
    )
}

impl Laboratory {
    /// Starts strongSwan at a machine with a connection, and what is in `settings`.
    fn serve_charon(&mut self, at: Machine, connection: &str, settings: &str) {
        let (name, folder) = (at.name(), folder(at));
        std::fs::create_dir(&folder).unwrap();
        run("cp", &["-a", "/etc/swanctl", &folder]).assert_success();
        write(&format!("{folder}/doorward.conf"), settings);
        // IPsec in charon itself: not every kernel has it. Both machines have one /run.
        let own = format!(
            "include /etc/strongswan.conf\n\
             include {folder}/doorward.conf\n\
             charon-systemd {{\n\
             plugins {{\n\
             kernel-libipsec {{\nload = 10\n}}\n\
             vici {{\nsocket = unix:///run/charon-{name}.vici\n}}\n\
             }}\n\
             filelog {{\nlog {{\npath = /var/log/charon-{name}.log\ndefault = 1\n}}\n}}\n\
             }}\n"
        );
        write(&format!("{folder}/strongswan.conf"), &own);
        write(
            &format!("{folder}/swanctl/conf.d/doorward.conf"),
            connection,
        );
        for (from, to) in [("certs", "doorward.pem"), ("vpn", "vpn.pem")] {
            let from = self.gateway.path(from).join("ca.pem");
            std::fs::copy(from, format!("{folder}/swanctl/x509ca/{to}")).unwrap();
        }
        let configuration = format!("STRONGSWAN_CONF={folder}/strongswan.conf");
        let command = at.command("env", &[&configuration, "charon-systemd"]);
        self.host.serve_by(&format!("charon-{name}"), command);
        eventually(
            || format!("{:?}\n{}", swanctl(at, &["--stats"]), self.complaints()),
            || swanctl(at, &["--stats"]).code == Some(0),
        );
    }

    #[track_caller]
    fn load(&self, at: Machine) {
        let loaded = swanctl(at, &["--load-all"]);
        assert_eq!(loaded.code, Some(0), "{loaded:?}\n{}", self.complaints());
    }
}

/// Connects with a password; whether there is a tunnel then.
fn connect(laboratory: &Laboratory, user: &str, password: &str) -> Ran {
    let text = filled(CLIENT, password).replace("= alice", &format!("= {user}"));
    let file = format!("{}/swanctl/conf.d/doorward.conf", folder(Machine::User));
    write(&file, &text);
    swanctl(Machine::User, &["--load-creds", "--clear"]).assert_success();
    laboratory.load(Machine::User);
    let how = ["--initiate", "--child", "vpn", "--timeout", "20"];
    swanctl(Machine::User, &how)
}

/// The tunnels that a machine has.
fn tunnels(at: Machine) -> String {
    swanctl(at, &["--list-sas"]).stdout
}

#[test]
fn users_are_let_in_until_they_are_suspended() {
    if !inside("network::ikev2::users_are_let_in_until_they_are_suspended") {
        return;
    }
    let mut laboratory = Laboratory::new("resource = \"vpn\"", "");
    let certificates = laboratory.open_way("10.8.0.0/24");
    // What the tunnel itself is carried by stays out of it.
    ip("-n user rule add pref 100 to 198.51.100.0/24 lookup main");

    laboratory.serve_charon(Machine::Nas, CONNECTION, &filled(RADIUS, SECRET));
    for (from, to) in [("pem", "x509"), ("key", "private")] {
        let from = certificates.join(format!("server.{from}"));
        let extension = from.extension().unwrap().to_str().unwrap().to_owned();
        let to = format!("{}/swanctl/{to}/vpn.{extension}", folder(Machine::Nas));
        std::fs::copy(from, to).unwrap();
    }
    laboratory.load(Machine::Nas);
    laboratory.serve_charon(Machine::User, &filled(CLIENT, PASSWORD), "");

    for user in ["alice", "locked"] {
        laboratory.gateway.add_user(user);
    }
    crate::hosts::lock(&laboratory.gateway, "locked");
    for (user, password) in [
        ("alice", "not this one"),
        ("nobody", PASSWORD),
        ("locked", PASSWORD),
    ] {
        let refused = connect(&laboratory, user, password);
        assert_ne!(refused.code, Some(0), "{user}: {refused:?}");
        assert!(
            refused.stdout.contains("received EAP_FAILURE"),
            "{user}: {refused:?}\n{}",
            laboratory.complaints()
        );
        assert!(!laboratory.passes());
    }

    let connected = connect(&laboratory, "alice", PASSWORD);
    assert_eq!(
        connected.code,
        Some(0),
        "{connected:?}\n{}",
        laboratory.complaints()
    );
    let shown = tunnels(Machine::Nas);
    for word in ["EAP: 'alice' [10.8.0.1]", "INSTALLED"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    eventually(|| laboratory.complaints(), || laboratory.passes());
    eventually(
        || laboratory.complaints(),
        || !laboratory.open("alice").is_empty(),
    );
    let open = laboratory.open("alice");
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(open[0]["calling_station"], "198.51.100.2");
    assert_eq!(open[0]["nas"], "vpn1");

    let suspend = ["user", "suspend", "alice"];
    laboratory.gateway.run(&suspend).assert_success();
    for at in [Machine::Nas, Machine::User] {
        eventually(
            || format!("{}\n{}", tunnels(at), laboratory.complaints()),
            || !tunnels(at).contains("ESTABLISHED"),
        );
    }
    assert!(!laboratory.passes());
    eventually(
        || laboratory.complaints(),
        || laboratory.open("alice").is_empty() && !laboratory.disconnected("alice").is_empty(),
    );
    let told = laboratory.disconnected("alice");
    assert_eq!(told[0]["after"]["outcome"], "acknowledged", "{told:?}");
    let again = connect(&laboratory, "alice", PASSWORD);
    assert_ne!(again.code, Some(0), "{again:?}");
}
