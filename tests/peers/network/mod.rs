//! Networks that ask before they let anybody in: switches and VPN gateways, with Debian's programs
//! as `deploy/` configures them. Each test has three machines, in network namespaces with cables
//! between them.

mod ikev2;
mod openvpn;
mod pam;
mod proxy;
mod wired;

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::common::namespace::write;
use crate::common::{Gateway, Ran, Setting};
use crate::hosts::{Host, run};

/// The gateway's address, in the shipped files too.
const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
/// The secret of the NAS. No format in which it is written takes it for anything else.
const SECRET: &str = "laboratory-secret-of-28-byte";
/// The name in the certificate for EAP.
const NAME: &str = "radius.example.org";

/// A machine with a network of its own. The gateway's is the one that the test runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Machine {
    /// Asks the gateway by `eth0`, where it is 192.0.2.20, and has the user at `eth1`.
    Nas,
    /// Has the NAS at `eth0`.
    User,
}

impl Machine {
    fn name(self) -> &'static str {
        match self {
            Self::Nas => "nas",
            Self::User => "user",
        }
    }

    /// The command that runs a program there, in the folders of the test.
    fn command(self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args([&format!("--net=/run/netns/{}", self.name()), "--", program])
            .args(arguments);
        command
    }

    /// Runs a program there, for a bounded time.
    fn run(self, program: &str, arguments: &[&str]) -> Ran {
        let network = format!("--net=/run/netns/{}", self.name());
        run("nsenter", &[&[&network, "--", program], arguments].concat())
    }
}

/// A gateway, a NAS that asks it, and a user's machine behind the NAS.
struct Laboratory {
    host: Host,
    gateway: Gateway,
    /// What users want to reach, at the gateway's machine.
    page: TcpListener,
}

impl Laboratory {
    /// `client` are the lines of the NAS's entry beside its address and secret, `more` further
    /// lines of the file.
    fn new(client: &str, more: &str) -> Self {
        let host = Host::new(&[], "pam_permit.so", "passwd: files\ngroup: files\n");
        for line in [
            "netns add nas",
            "netns add user",
            "link add gateway0 type veth peer name eth0 netns nas",
            "-n nas link add eth1 type veth peer name eth0 netns user",
            "addr add 192.0.2.10/24 dev gateway0",
            "link set gateway0 up",
            "-n nas addr add 192.0.2.20/24 dev eth0",
            "-n nas link set lo up",
            "-n nas link set eth0 up",
            "-n nas link set eth1 up",
            "-n user link set lo up",
            "-n user link set eth0 up",
        ] {
            ip(line);
        }
        let gateway = Gateway::start(&Setting {
            radius_address: Some(GATEWAY),
            known_as: Some(NAME),
            more: format!(
                "[[radius.client]]\n\
                 name = \"nas\"\n\
                 address = \"192.0.2.20\"\n\
                 secret = \"{SECRET}\"\n\
                 {client}\n\
                 {more}\n"
            ),
            eap: "methods = [\"ttls\", \"peap\", \"tls\"]\ninner = [\"gtc\", \"mschapv2\"]\n\
                  client_ca = \"certs/ca.pem\"\nclient_name = \"common_name\"\n"
                .to_owned(),
            ..Setting::with_network_passwords()
        });
        gateway
            .run(&["policy", "set", "lockout.threshold=3"])
            .assert_success();
        let authority = std::fs::read_to_string(gateway.path("certs/ca.pem")).unwrap();
        write("/etc/doorward-ca.pem", &authority);
        let page = TcpListener::bind((GATEWAY, 80)).unwrap();
        page.set_nonblocking(true).unwrap();
        Self {
            host,
            gateway,
            page,
        }
    }

    /// Makes the NAS a VPN gateway: `vpn.example.org` for the user's machine, with a certificate in
    /// the folder that is returned. What is `inside` its tunnels is reached through it.
    fn open_way(&self, inside: &str) -> PathBuf {
        let certificates = self.gateway.path("vpn");
        let certs = ["certs", certificates.to_str().unwrap(), "--name"];
        self.gateway
            .run(&[&certs[..], &["vpn.example.org"]].concat())
            .assert_success();
        ip("-n nas addr add 198.51.100.1/24 dev eth1");
        ip("-n user addr add 198.51.100.2/24 dev eth0");
        ip(&format!("route add {inside} via 192.0.2.20"));
        let forward = "echo 1 >/proc/sys/net/ipv4/ip_forward";
        Machine::Nas.run("sh", &["-c", forward]).assert_success();
        let names = std::fs::read_to_string("/etc/hosts").unwrap();
        std::fs::write("/etc/hosts", names + "198.51.100.1 vpn.example.org\n").unwrap();
        certificates
    }

    /// Whether traffic of the user's machine gets as far as the gateway's within a second.
    fn passes(&self) -> bool {
        let page = format!("exec 3<>/dev/tcp/{GATEWAY}/80");
        let ran = Machine::User.run("timeout", &["1", "bash", "-c", &page]);
        // The queue of those who were not taken yet is short.
        while self.page.accept().is_ok() {}
        ran.code == Some(0)
    }

    /// Starts a daemon at a machine; it ends with the test at the latest.
    fn serve(&mut self, at: Machine, program: &str, arguments: &[&str]) {
        let command = at.command(program, arguments);
        self.host.serve_by(program, command);
    }

    /// What a daemon printed.
    fn printed(program: &str) -> String {
        std::fs::read_to_string(format!("/var/log/{program}.out")).unwrap_or_default()
    }

    /// The open sessions of a user.
    fn open(&self, user: &str) -> Vec<Value> {
        let open = self
            .gateway
            .json(&["sessions", "--user", user, "-o", "json"]);
        open.as_array().unwrap().clone()
    }

    /// The outcomes of the Disconnect-Requests about a user's sessions.
    fn disconnected(&self, user: &str) -> Vec<Value> {
        let told = self
            .gateway
            .run(&["events", "--outcome", "change", "-o", "json"]);
        told.assert_success();
        told.stdout
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|event| event["action"] == "session.disconnect" && event["target"] == user)
            .collect()
    }

    /// What all of them complained about.
    fn complaints(&self) -> String {
        format!("{}\n{}", self.gateway.log(), self.host.complaints())
    }
}

#[track_caller]
fn ip(arguments: &str) {
    let arguments: Vec<&str> = arguments.split(' ').collect();
    run("ip", &arguments).assert_success();
}

/// A shipped file with what its reader has to put in.
#[track_caller]
fn filled(shipped: &str, value: &str) -> String {
    let text = shipped.replace("replace-me", value);
    assert_ne!(text, shipped);
    text
}
