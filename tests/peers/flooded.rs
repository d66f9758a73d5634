//! Strangers who take up room, connections over LDAP and datagrams over RADIUS, and whoever logs in
//! meanwhile (CONTRACT.md 3.6).

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::common::ldap::LdapClient;
use crate::common::radius::{Reply, access_request, ask, status_server};
use crate::common::{Gateway, PASSWORD, Setting, eventually};
use crate::raw_ldap::{Scope, Search, bind, message};

const SOURCES: u8 = 8;
const PER_SOURCE: usize = 8;
const CONNECTIONS: usize = SOURCES as usize * PER_SOURCE;

/// Where somebody logs in from, and nobody else is.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 250, 1, 1);

/// No relays, and room for no more than the strangers can take.
fn gateway() -> Gateway {
    let gateway = Gateway::start(&Setting {
        throttle: "refusal_delay = \"10ms\"\n".to_owned(),
        ldap: format!(
            "max_connections = {CONNECTIONS}\nmax_connections_per_source = {PER_SOURCE}\n"
        ),
        ..Setting::default()
    });
    gateway.add_user("alice");
    gateway
}

/// What strangers do with a connection.
#[derive(Debug, Clone, Copy)]
enum Habit {
    Nothing,
    SendPartOfAMessage,
    BindAnonymously,
    GuessWrong,
}

impl Habit {
    fn sent(self) -> Vec<u8> {
        match self {
            Self::Nothing => Vec::new(),
            Self::SendPartOfAMessage => vec![0x30, 0x82, 0x10, 0x00, 0x02],
            Self::BindAnonymously => message(1, &bind("", ""), &[]),
            Self::GuessWrong => message(1, &bind("uid=nobody", "a guess"), &[]),
        }
    }
}

fn connect(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    socket.into()
}

/// As many connections as there is room for, from a few addresses, all of them at the daemon.
fn strangers(gateway: &Gateway, to: SocketAddr, habit: Habit) -> Vec<TcpStream> {
    let accepted = || {
        gateway.metric("doorward_ldap_connections_total", "")
            + gateway.metric("doorward_ldap_connections_refused_total", "")
    };
    let before = accepted();
    let inside: Vec<TcpStream> = (0..CONNECTIONS)
        .map(|number| {
            let last = u8::try_from(number).unwrap() % SOURCES;
            let mut stream = connect(Ipv4Addr::new(127, 250, 0, 1 + last), to);
            // Who was turned away may have been told so already.
            let _ = stream.write_all(&habit.sent());
            stream
        })
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "a small count")]
    let all = CONNECTIONS as f64;
    eventually(String::new, || accepted() - before >= all);
    inside
}

fn login(gateway: &Gateway, from: Ipv4Addr) -> Option<i64> {
    LdapClient::connect_from(from, gateway.hosts)?.bind("alice", PASSWORD)
}

#[test]
fn strangers_who_take_all_connections_shut_nobody_out() {
    let gateway = gateway();
    for habit in [
        Habit::Nothing,
        Habit::SendPartOfAMessage,
        Habit::BindAnonymously,
        Habit::GuessWrong,
    ] {
        let held = strangers(&gateway, gateway.hosts, habit);
        for number in 0..10 {
            let from = Ipv4Addr::new(127, 250, 2, 1 + number);
            assert_eq!(login(&gateway, from), Some(0), "{habit:?}, login {number}");
        }
        drop(held);
    }
    let held = strangers(&gateway, gateway.ldaps, Habit::Nothing);
    assert_eq!(login(&gateway, ELSEWHERE), Some(0), "no handshake comes");
    drop(held);
    let displaced = gateway.metric(
        "doorward_ldap_connections_closed_total",
        "reason=\"displaced\"",
    );
    assert!(displaced > 0.0, "{}", gateway.metrics());
}

#[test]
fn who_has_bound_stays_whoever_comes() {
    let gateway = gateway();
    gateway.add_service("lookup");
    let mut bound = LdapClient::connect_from(ELSEWHERE, gateway.hosts).unwrap();
    assert_eq!(bound.bind_service("lookup", PASSWORD), Some(0));
    for _ in 0..3 {
        let held = strangers(&gateway, gateway.hosts, Habit::Nothing);
        let (entries, code) = bound.search("uid", "alice").unwrap();
        assert_eq!((entries.len(), code), (1, 0));
        drop(held);
    }
}

#[test]
fn strangers_at_ones_own_address_do_not_shut_it_out() {
    let gateway = gateway();
    let held: Vec<TcpStream> = (0..PER_SOURCE)
        .map(|_| connect(ELSEWHERE, gateway.hosts))
        .collect();
    for number in 0..10 {
        assert_eq!(login(&gateway, ELSEWHERE), Some(0), "login {number}");
    }
    drop(held);
}

/// What all strangers together may have done: in a second, and at once.
const TURNS: f64 = 1000.0;
const TURNS_AT_ONCE: f64 = 200.0;

#[expect(
    clippy::disallowed_methods,
    reason = "no more may be done in a span than there are turns in it, however long it is"
)]
fn now() -> Instant {
    Instant::now()
}

/// Asks for the root DSE for as long as it is answered, many times before it reads.
fn ask_on(mut stream: TcpStream) {
    const AT_ONCE: usize = 50;
    let asked = message(1, &Search::new("", Scope::Base).bytes(), &[]).repeat(AT_ONCE);
    let mut answers = stream.try_clone().unwrap();
    thread::spawn(move || while stream.write_all(&asked).is_ok() {});
    let _ = io::copy(&mut answers, &mut io::sink());
}

#[test]
fn strangers_who_ask_without_end_have_so_much_done_together_and_hold_up_nobody() {
    const LOGINS: u32 = 20;
    let gateway = gateway();
    gateway.add_service("lookup");
    let mut bound = LdapClient::connect_from(ELSEWHERE, gateway.hosts).unwrap();
    assert_eq!(bound.bind_service("lookup", PASSWORD), Some(0));
    let held = strangers(&gateway, gateway.hosts, Habit::Nothing);
    let flood: Vec<_> = held
        .iter()
        .map(|stream| {
            let stream = stream.try_clone().unwrap();
            thread::spawn(move || ask_on(stream))
        })
        .collect();
    let asked = || gateway.metric("doorward_ldap_requests_total", "operation=\"search\"");
    eventually(|| gateway.metrics(), || asked() > TURNS_AT_ONCE);
    let (begun, before) = (now(), asked());
    let (mut logins, mut look_ups, mut statuses) = (Vec::new(), Vec::new(), Vec::new());
    let timed = |spans: &mut Vec<Duration>, done: &mut dyn FnMut()| {
        let begun = now();
        done();
        spans.push(begun.elapsed());
    };
    for number in 0..LOGINS {
        timed(&mut logins, &mut || {
            let from = Ipv4Addr::new(127, 250, 3, 1 + u8::try_from(number).unwrap());
            assert_eq!(login(&gateway, from), Some(0), "login {number}");
        });
        timed(&mut look_ups, &mut || {
            let (entries, code) = bound.search("uid", "alice").unwrap();
            assert_eq!((entries.len(), code), (1, 0));
        });
        timed(&mut statuses, &mut || {
            assert!(status_server(gateway.radius, Duration::from_secs(10)));
        });
    }
    let done = asked() - before - f64::from(LOGINS);
    let span = begun.elapsed();
    for (name, spans) in [
        ("logins", &mut logins),
        ("look-ups", &mut look_ups),
        ("statuses", &mut statuses),
    ] {
        spans.sort();
        let (half, most) = (spans[spans.len() / 2], spans[spans.len() - 1]);
        println!("{name}: half within {half:?}, all within {most:?}");
    }
    println!("{done} of strangers in {span:?}");
    let most = TURNS * span.as_secs_f64() + TURNS_AT_ONCE;
    assert!(done <= most, "{done} of {most}");
    for stream in held {
        let _ = stream.shutdown(Shutdown::Both);
    }
    for each in flood {
        each.join().unwrap();
    }
}

/// A gateway whose clients may send little.
fn sparing(client_datagrams: u32) -> Gateway {
    let gateway = Gateway::start(&Setting {
        throttle: format!(
            "relays = [\"127.0.0.0/8\"]\nrefusal_delay = \"10ms\"\n\
             client_datagrams = {client_datagrams}\n"
        ),
        ..Setting::default()
    });
    gateway.add_user("alice");
    gateway
}

/// Sends them from the NAS's own address; each is one that the daemon has taken in.
fn flood(gateway: &Gateway, datagrams: impl Iterator<Item = Vec<u8>>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for datagram in datagrams {
        socket.send_to(&datagram, gateway.radius).unwrap();
    }
}

#[test]
fn forged_datagrams_use_up_nothing_of_whom_they_pretend_to_be() {
    // Ten times the allowance, and no more than the receive buffer of the socket holds: what the
    // system drops before it is read says nothing.
    const FORGED: u16 = 200;
    let gateway = sparing(20);
    let genuine = |number: u16| {
        let [high, low] = number.to_be_bytes();
        let mut authenticator = [7; 16];
        authenticator[..2].copy_from_slice(&[high, low]);
        access_request(low, authenticator, "alice", "a guess")
    };
    let wrong = |number| {
        let mut datagram = genuine(number);
        *datagram.last_mut().unwrap() ^= 1;
        datagram
    };
    let without = |number| {
        let mut datagram = genuine(number);
        let length = datagram.len() - 18;
        datagram.truncate(length);
        datagram[2..4].copy_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
        datagram
    };
    let broken = |number| without(number)[..19].to_vec();
    let recorded = access_request(9, [9; 16], "alice", PASSWORD);
    for (kind, forged) in [
        ("wrong", &wrong as &dyn Fn(u16) -> Vec<u8>),
        ("without", &without),
        ("broken", &broken),
        ("recorded", &|_| recorded.clone()),
    ] {
        flood(&gateway, (0..FORGED).map(forged));
        let reply = ask(gateway.radius, "alice", PASSWORD, Duration::from_secs(10));
        assert_eq!(reply, Reply::Accept, "{kind}: {}", gateway.metrics());
    }
    let limited = gateway.metric(
        "doorward_radius_drops_total",
        "reason=\"unproven_rate_limited\"",
    );
    assert!(limited > 0.0, "{}", gateway.metrics());
    let shown = gateway.json(&["user", "show", "alice", "-o", "json"]);
    assert_eq!(shown["recent_failures"], 0, "{shown}");
}

#[test]
fn a_recorded_request_from_other_ports_uses_up_nothing_either() {
    const PORTS: usize = 200;
    let gateway = sparing(20);
    let recorded = access_request(9, [9; 16], "alice", "a guess");
    let ports: Vec<UdpSocket> = (0..PORTS)
        .map(|_| UdpSocket::bind("127.0.0.1:0").unwrap())
        .collect();
    for port in &ports {
        port.send_to(&recorded, gateway.radius).unwrap();
    }
    let reply = ask(gateway.radius, "alice", PASSWORD, Duration::from_secs(10));
    assert_eq!(reply, Reply::Accept, "{}", gateway.metrics());
    let decided = |code| gateway.metric("doorward_radius_replies_total", code);
    eventually(|| gateway.metrics(), || decided("Access-Reject") > 0.0);
    let (accepted, rejected) = (decided("Access-Accept"), decided("Access-Reject"));
    assert_eq!((accepted, rejected), (1.0, 1.0), "{}", gateway.metrics());
}

#[test]
fn who_has_the_secret_is_still_bounded() {
    let gateway = sparing(5);
    let datagrams =
        (0..200_u8).map(|number| access_request(number, [number; 16], "alice", PASSWORD));
    flood(&gateway, datagrams);
    let limited = || gateway.metric("doorward_radius_drops_total", "reason=\"rate_limited\"");
    eventually(|| gateway.metrics(), || limited() > 0.0);
}
