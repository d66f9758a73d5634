//! Sessions are ended by Disconnect-Requests and changed by CoA-Requests (RFC 5176) to a NAS of our
//! own, written from the RFCs with none of the gateway's code in it.

use std::collections::BTreeSet;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};
use serde_json::Value;

use crate::common::ldap::LdapClient;
use crate::common::{Gateway, Ran, SECRET, Setting, eventually};
use crate::devices::SWITCH;

/// The device of every session that [`Nas::start`] reports.
const DEVICE: &str = "02-00-00-00-00-01";

/// Reports from the port at which it is to be asked, at the gateway's own address.
struct Nas {
    socket: UdpSocket,
    accounting: SocketAddr,
}

fn md5(head: &[u8], authenticator: &[u8], attributes: &[u8]) -> [u8; 16] {
    let mut digest = Md5::new();
    for part in [head, authenticator, attributes, SECRET.as_bytes()] {
        digest.update(part);
    }
    digest.finalize().into()
}

fn packet(code: u8, identifier: u8, request: &[u8], attributes: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(20 + attributes.len()).unwrap().to_be_bytes();
    let head = [code, identifier, high, low];
    let proof = md5(&head, request, attributes);
    [&head[..], &proof, attributes].concat()
}

fn attribute(kind: u8, value: &[u8]) -> Vec<u8> {
    let length = u8::try_from(value.len() + 2).unwrap();
    [&[kind, length], value].concat()
}

fn attributes(packet: &[u8]) -> Vec<(u8, &[u8])> {
    let (mut rest, mut found) = (&packet[20..], Vec::new());
    while let [kind, length, ..] = *rest {
        found.push((kind, &rest[2..usize::from(length)]));
        rest = &rest[usize::from(length)..];
    }
    found
}

impl Nas {
    fn of(gateway: &Gateway) -> Self {
        let socket = UdpSocket::bind((gateway.accounting.ip(), 3799)).unwrap();
        let patience = Some(Duration::from_secs(20));
        socket.set_read_timeout(patience).unwrap();
        Self {
            socket,
            accounting: gateway.accounting,
        }
    }

    fn receive(&self) -> Vec<u8> {
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).expect("a datagram in time");
        buffer[..length].to_vec()
    }

    /// Reports that a session began.
    fn start(&self, user: &str, session: &str) {
        let said = [
            attribute(40, &[0, 0, 0, 1]),
            attribute(44, session.as_bytes()),
            attribute(1, user.as_bytes()),
            attribute(31, b"02-00-00-00-00-01"),
            attribute(32, b"ap7"),
        ]
        .concat();
        let request = packet(4, 1, &[0; 16], &said);
        self.socket.send_to(&request, self.accounting).unwrap();
        let reply = self.receive();
        assert_eq!((reply[0], reply[1]), (5, 1));
    }

    /// The next request of this code, with its proofs checked, and who sent it.
    fn asked(&self, code: u8) -> (Vec<u8>, SocketAddr) {
        let mut buffer = [0; 4096];
        let (length, from) = self.socket.recv_from(&mut buffer).expect("it is asked");
        let request = buffer[..length].to_vec();
        assert_eq!(request[0], code);
        assert_eq!(from.ip(), self.accounting.ip(), "the address it reports to");
        let proof = md5(&request[..4], &[0; 16], &request[20..]);
        assert_eq!(request[4..20], proof);
        let mut zeroed = request.clone();
        zeroed[4..20].fill(0);
        assert_eq!(zeroed[20..22], [80, 18]);
        zeroed[22..38].fill(0);
        let mut mac = Hmac::<Md5>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(&zeroed);
        assert_eq!(request[22..38], mac.finalize().into_bytes()[..]);
        (request, from)
    }

    fn answer(&self, (request, from): &(Vec<u8>, SocketAddr), code: u8, said: &[u8]) {
        let reply = packet(code, request[1], &request[4..20], said);
        self.socket.send_to(&reply, from).unwrap();
    }
}

/// What a command of its own prints, which waits for the gateway while the NAS answers.
fn ask(gateway: &Gateway, verb: &str, nas: &Nas, answer: impl FnOnce(&Nas)) -> Ran {
    let open = gateway.json(&["sessions", "-o", "json"]);
    let id = open[0]["id"].as_str().unwrap().to_owned();
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| gateway.run(&["sessions", verb, &id, "-o", "json"]));
        answer(nas);
        asked.join().unwrap()
    })
}

fn told(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

#[test]
fn a_session_is_ended_by_hand_and_the_answer_is_printed() {
    let gateway = Gateway::start(&Setting::default());
    let nas = Nas::of(&gateway);
    gateway.add_user("alice");
    nas.start("alice", "0001");
    let refused = ask(&gateway, "disconnect", &nas, |nas| {
        let asked = nas.asked(40);
        nas.answer(&asked, 42, &attribute(101, &501_u32.to_be_bytes()));
    });
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert_eq!(told(&refused)["outcome"], "refused");
    assert_eq!(told(&refused)["error_cause"], 501);
    assert_eq!(open(&gateway), 1);
    let agreed = ask(&gateway, "disconnect", &nas, |nas| {
        let asked = nas.asked(40);
        assert!(attributes(&asked.0).contains(&(44, b"0001")));
        nas.answer(&asked, 41, &[]);
    });
    agreed.assert_success();
    assert_eq!(told(&agreed)["outcome"], "acknowledged");
    assert_eq!(open(&gateway), 0);
    let events = outcomes(&gateway);
    assert_eq!(events.len(), 2, "{events:?}");
    for event in &events {
        assert_eq!(event["before"]["reason"], "asked");
        assert_eq!(event["actor"], "local_login");
    }
    let over = gateway.run(&[
        "sessions",
        "disconnect",
        told(&agreed)["session"].as_str().unwrap(),
    ]);
    assert_eq!(over.code, Some(1));
    assert!(over.stderr.contains("there is no open session"), "{over:?}");
}

/// What is mapped to a user after the session began.
#[test]
fn a_user_s_new_vlan_is_told_and_a_refusal_of_it_is_printed() {
    let gateway = Gateway::start(&Setting::default());
    let nas = Nas::of(&gateway);
    gateway.add_user("alice");
    nas.start("alice", "0001");
    gateway
        .run(&["reply", "set", "--user", "alice", "vlan=40"])
        .assert_success();
    let refused = ask(&gateway, "reauthorize", &nas, |nas| {
        let asked = nas.asked(43);
        let said = attributes(&asked.0);
        assert!(said.contains(&(1, b"alice")), "{said:?}");
        assert!(said.contains(&(81, b"40")), "{said:?}");
        nas.answer(&asked, 45, &attribute(101, &401_u32.to_be_bytes()));
    });
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert_eq!(told(&refused)["error_cause"], 401);
    assert_eq!(open(&gateway), 1, "it goes on as it was");
}

/// A device's session, at a client that lets devices in.
#[test]
fn another_vlan_is_told_to_the_client_of_an_open_session_and_it_goes_on() {
    let gateway = Gateway::start(&Setting {
        more: SWITCH.to_owned(),
        ..Setting::default()
    });
    let nas = Nas::of(&gateway);
    let device = |arguments: &[&str]| {
        let command = [&["device"], arguments].concat();
        gateway.run(&command).assert_success();
    };
    device(&["add", DEVICE, "--resource", "wired"]);
    nas.start("020000000001", "0001");
    let nothing = ask(&gateway, "reauthorize", &nas, |_| {});
    assert_eq!(nothing.code, Some(1));
    assert!(nothing.stderr.contains("no reply attribute"), "{nothing:?}");
    device(&["set", DEVICE, "--vlan", "40"]);
    let agreed = ask(&gateway, "reauthorize", &nas, |nas| {
        let asked = nas.asked(43);
        let said = attributes(&asked.0);
        for (kind, value) in [
            (44, &b"0001"[..]),
            (31, DEVICE.as_bytes()),
            (64, &[0, 0, 0, 13]),
            (65, &[0, 0, 0, 6]),
            (81, b"40"),
        ] {
            assert!(said.contains(&(kind, value)), "{kind}: {said:?}");
        }
        nas.answer(&asked, 44, &[]);
    });
    agreed.assert_success();
    assert_eq!(told(&agreed)["outcome"], "acknowledged");
    assert_eq!(open(&gateway), 1, "it goes on");
    let events = gateway.run(&["events", "--outcome", "change", "-o", "json"]);
    assert!(events.stdout.contains("session.reauthorize"), "{events:?}");

    device(&["remove", DEVICE]);
    let asked = nas.asked(40);
    nas.answer(&asked, 41, &[]);
    eventually(|| gateway.log(), || open(&gateway) == 0);
    let outcomes = outcomes(&gateway);
    assert_eq!(outcomes[0]["before"]["reason"], "device_removed");
}

/// What is asked for while no gateway runs is not done later.
#[test]
fn without_a_gateway_the_command_says_so() {
    let mut gateway = Gateway::start(&Setting::default());
    let nas = Nas::of(&gateway);
    gateway.add_user("alice");
    nas.start("alice", "0001");
    gateway.kill();
    let nobody = ask(&gateway, "disconnect", &nas, |_| {});
    assert_eq!(nobody.code, Some(69), "{nobody:?}");
    assert!(
        nobody.stderr.contains("no gateway took it up"),
        "{nobody:?}"
    );
}

fn open(gateway: &Gateway) -> usize {
    let open = gateway.json(&["sessions", "-o", "json"]);
    open.as_array().unwrap().len()
}

fn outcomes(gateway: &Gateway) -> Vec<Value> {
    let told = gateway.run(&["events", "--outcome", "change", "-o", "json"]);
    told.assert_success();
    told.stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|event| event["action"] == "session.disconnect")
        .collect()
}

#[test]
fn a_suspension_by_another_process_ends_the_session() {
    let gateway = Gateway::start(&Setting::default());
    let nas = Nas::of(&gateway);
    gateway.add_user("alice");
    gateway.add_user("bob");
    nas.start("alice", "0001");
    nas.start("bob", "0002");
    assert_eq!(open(&gateway), 2);
    gateway.run(&["user", "suspend", "alice"]).assert_success();

    let asked = nas.asked(40);
    let said = attributes(&asked.0);
    for (kind, value) in [
        (1, &b"alice"[..]),
        (44, b"0001"),
        (31, b"02-00-00-00-00-01"),
        (32, b"ap7"),
    ] {
        assert!(said.contains(&(kind, value)), "{kind}: {said:?}");
    }
    assert!(
        said.iter()
            .any(|(kind, value)| *kind == 55 && value.len() == 4)
    );
    // Lost: the same octets come again. A forged answer changes nothing.
    let mut forged = asked.clone();
    forged.0[5] ^= 1;
    nas.answer(&forged, 41, &[]);
    let again = nas.asked(40);
    assert_eq!(again.0, asked.0);
    assert_eq!(open(&gateway), 2);
    nas.answer(&again, 41, &[]);
    eventually(|| gateway.log(), || open(&gateway) == 1);
    let told = outcomes(&gateway);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["target"], "alice");
    assert_eq!(told[0]["after"]["outcome"], "acknowledged");
    assert_eq!(told[0]["before"]["reason"], "suspended");
    let all = gateway.json(&["sessions", "--all", "--user", "alice", "-o", "json"]);
    assert_eq!(all[0]["ending"], "disconnected");
    let metric = "doorward_radius_disconnects_total";
    assert!(gateway.metric(metric, "acknowledged") > 0.0);
}

#[test]
fn a_lock_at_another_resource_ends_the_session_and_a_refusal_is_told() {
    let gateway = Gateway::start(&Setting::default());
    let nas = Nas::of(&gateway);
    gateway.add_user("alice");
    nas.start("alice", "0001");
    let guesses = gateway.json(&["user", "show", "alice", "-o", "json"]);
    assert_eq!(guesses["account_locked"], false);
    for number in 0..10 {
        let mut client = LdapClient::connect(gateway.hosts).unwrap();
        let code = client.bind("alice", &format!("wrong {number}"));
        assert_eq!(code, Some(49));
    }
    let asked = nas.asked(40);
    nas.answer(&asked, 42, &attribute(101, &501_u32.to_be_bytes()));
    eventually(|| gateway.log(), || !outcomes(&gateway).is_empty());
    let told = outcomes(&gateway);
    assert_eq!(told[0]["after"]["outcome"], "refused");
    assert_eq!(told[0]["after"]["error_cause"], 501);
    assert_eq!(told[0]["before"]["reason"], "locked");
    assert_eq!(open(&gateway), 1, "it goes on");
}

#[test]
fn an_unbinding_ends_the_session_and_a_nas_that_knows_it_no_more_is_believed() {
    let gateway = Gateway::start(&Setting::default());
    let nas = Nas::of(&gateway);
    gateway.add_user("alice");
    nas.start("alice", "0001");
    gateway
        .run(&["group", "leave", "staff", "alice"])
        .assert_success();
    let asked = nas.asked(40);
    nas.answer(&asked, 42, &attribute(101, &503_u32.to_be_bytes()));
    eventually(|| gateway.log(), || open(&gateway) == 0);
    assert_eq!(outcomes(&gateway)[0]["before"]["reason"], "not_bound");
}

/// A client that reports sessions of whom it may not let in, one after the other: it takes a row a
/// minute, and what it says is no line of its own in the process's log (CONTRACT.md 9).
#[test]
fn contract_9_a_nas_neither_fills_the_log_nor_writes_lines_into_it() {
    let gateway = Gateway::start(&Setting::default());
    let nas = Nas::of(&gateway);
    gateway.add_user("alice");
    let forged = "2026-11-30T11:00:00.000000Z  INFO forged";
    let sessions: Vec<String> = (0..12)
        .map(|number| format!("{number:04}\n{forged}\u{1b}[31m{}", "\u{1}".repeat(180)))
        .collect();
    for session in &sessions {
        nas.start("alice", session);
    }
    gateway.run(&["user", "suspend", "alice"]).assert_success();
    let mut waiting: BTreeSet<&[u8]> = sessions.iter().map(String::as_bytes).collect();
    while !waiting.is_empty() {
        let asked = nas.asked(40);
        nas.answer(&asked, 41, &[]);
        waiting.retain(|session| !attributes(&asked.0).contains(&(44, session)));
    }
    eventually(|| gateway.log(), || open(&gateway) == 0);
    let told = outcomes(&gateway);
    let count: u64 = told
        .iter()
        .map(|event| event["count"].as_u64().unwrap())
        .sum();
    assert_eq!(count, 12, "none is lost");
    // A minute may have begun meanwhile.
    assert!(told.len() <= 2, "{} rows", told.len());
    let longest = told.iter().map(|event| event.to_string().len()).max();
    assert!(longest < Some(1000), "{told:?}");
    let log = gateway.log();
    assert!(!log.lines().any(|line| line.starts_with(forged)), "{log}");
    assert!(log.chars().all(|c| c == '\n' || !c.is_control()), "{log:?}");
    let lines = log
        .lines()
        .filter(|line| line.contains("asked about a session"));
    assert!(lines.count() <= 6 + 2, "{log}");
}
