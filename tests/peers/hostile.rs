//! What a client that never binds can hold of the daemon: the memory and the time that the
//! configuration gives it, whatever it sends, while others are served.

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};

use crate::common::ldap::LdapClient;
use crate::common::{Gateway, PASSWORD, Setting, eventually, eventually_within};
use crate::raw_ldap::{Client, Scope, Search, bind, extended, message, octets, present, tlv};

const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";
/// What a connection may cost beside the message it is sending: its buffers, its task, its place
/// among the others.
const CONNECTION_BYTES: usize = 24 * 1024;
const MESSAGE_BYTES: usize = 32 * 1024;
/// The longest answer to a stranger: the schema.
const ANSWER_BYTES: usize = 24 * 1024;

/// With connections enough for a crowd from one address, which are idle no longer than this.
fn gateway(anonymous_idle: &str) -> Gateway {
    let gateway = Gateway::start(&Setting {
        throttle: "relays = [\"127.0.0.0/8\"]\nrefusal_delay = \"10ms\"\n\
                   source_connections = 10000\n"
            .to_owned(),
        ldap: format!(
            "max_connections = 6000\nmax_connections_per_source = 6000\n\
             max_anonymous_message_bytes = {MESSAGE_BYTES}\n\
             anonymous_idle_timeout = \"{anonymous_idle}\"\n"
        ),
        ..Setting::default()
    });
    gateway.add_user("alice");
    gateway
}

/// Lets this process hold so many connections.
fn make_room(connections: u64) {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let wanted = connections + 1000;
    assert!(
        hard >= wanted,
        "this test needs {wanted} open files: ulimit -Hn says {hard}"
    );
    if soft < wanted {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    }
}

/// What the daemon holds in memory, in bytes.
fn resident(gateway: &Gateway) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", gateway.process())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim()
        .trim_end_matches(" kB")
        .parse::<usize>()
        .unwrap()
        * 1024
}

fn crowd(address: SocketAddr, count: usize) -> Vec<TcpStream> {
    let connect = |_| TcpStream::connect(address).unwrap();
    (0..count).map(connect).collect()
}

#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn await_open(gateway: &Gateway, count: usize) {
    let open = || gateway.metric("doorward_ldap_connections_open", "listener=\"hosts\"");
    eventually(
        || format!("{} of {count} are open", open()),
        || open() >= count as f64,
    );
}

/// Waits until so many were closed of those that are idle from now on at the latest.
#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn await_idle_closed(gateway: &Gateway, count: usize, idle_time: Duration) {
    let closed = || gateway.metric("doorward_ldap_connections_closed_total", "reason=\"idle\"");
    eventually_within(
        idle_time + Duration::from_mins(1),
        || format!("{} of {count} were closed", closed()),
        || closed() >= count as f64,
    );
}

fn assert_served(gateway: &Gateway) {
    let mut client = LdapClient::connect(gateway.hosts).unwrap();
    assert_eq!(client.bind("alice", PASSWORD), Some(0));
}

#[test]
fn five_thousand_idle_connections_hold_what_they_may_and_are_closed() {
    const COUNT: usize = 5000;
    make_room(5000);
    // So long that all are open before the first is closed, on a busy machine as well.
    let idle_time = Duration::from_mins(1);
    let gateway = gateway("1m");
    assert_served(&gateway);
    let before = resident(&gateway);
    let idle = crowd(gateway.hosts, COUNT);
    await_open(&gateway, COUNT);
    let grown = resident(&gateway).saturating_sub(before);
    println!(
        "{COUNT} idle connections: {grown} bytes, {} each",
        grown / COUNT
    );
    assert!(grown <= COUNT * CONNECTION_BYTES, "{grown} bytes");
    assert_served(&gateway);
    // The last one was opened at most now.
    await_idle_closed(&gateway, COUNT, idle_time);
    assert_served(&gateway);
    drop(idle);
}

#[test]
fn a_thousand_that_never_finish_a_message_hold_it_and_no_more() {
    const COUNT: usize = 1000;
    make_room(1000);
    let gateway = gateway("10s");
    assert_served(&gateway);
    let before = resident(&gateway);
    let mut crowd = crowd(gateway.hosts, COUNT);
    // All of the longest message but its last byte.
    let mut unfinished = vec![0x30, 0x82];
    unfinished.extend(u16::try_from(MESSAGE_BYTES - 4).unwrap().to_be_bytes());
    unfinished.resize(MESSAGE_BYTES - 1, 0);
    for stream in &mut crowd {
        stream.write_all(&unfinished).unwrap();
    }
    await_open(&gateway, COUNT);
    let held = || resident(&gateway).saturating_sub(before);
    eventually(
        || format!("the messages arrive: {}", held()),
        || held() >= COUNT * MESSAGE_BYTES / 2,
    );
    assert_served(&gateway);
    let grown = held();
    println!(
        "{COUNT} unfinished messages: {grown} bytes, {} each",
        grown / COUNT
    );
    assert!(
        grown <= COUNT * (MESSAGE_BYTES + CONNECTION_BYTES),
        "{grown} bytes"
    );
    await_idle_closed(&gateway, COUNT, Duration::from_secs(10));
    assert_served(&gateway);
}

/// What the daemon holds at most while so many connections send requests as fast as they are taken
/// and read no answer: what each sends first, and what follows.
fn held_by_who_reads_nothing(gateway: &Gateway, count: usize, first: &[u8], then: &[u8]) -> usize {
    let before = resident(gateway);
    let connect = |_| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        // Little fits into the network, so that the answers wait in the daemon.
        socket.set_recv_buffer_size(4096).unwrap();
        socket.connect(&gateway.hosts.into()).unwrap();
        let mut stream = TcpStream::from(socket);
        stream.write_all(first).unwrap();
        stream.set_nonblocking(true).unwrap();
        stream
    };
    let mut crowd: Vec<TcpStream> = (0..count).map(connect).collect();
    let mut left = vec![then.len(); count];
    let (mut most, mut rounds_alike) = (0, 0);
    eventually(
        || "the daemon reads on and on".to_owned(),
        || {
            let mut taken = 0;
            for (stream, left) in crowd.iter_mut().zip(&mut left) {
                let next = &then[then.len() - *left..];
                if let Ok(written) = stream.write(next) {
                    *left -= written;
                    taken += written;
                }
            }
            most = most.max(resident(gateway).saturating_sub(before));
            rounds_alike = if taken > 0 { 0 } else { rounds_alike + 1 };
            rounds_alike > 500
        },
    );
    println!(
        "{count} that read nothing: {most} bytes, {} each",
        most / count
    );
    most
}

/// A first message makes room to read into, then come requests.
#[test]
fn who_reads_no_answers_holds_no_more_than_who_asks_once() {
    const COUNT: usize = 50;
    let gateway = gateway("1m");
    assert_served(&gateway);
    let large = extended("1.2.3.4", Some(&vec![0; MESSAGE_BYTES - 100]));
    let large = message(1, &large, &[]);
    let deletes = [0x30, 5, 2, 1, 1, 0x4a, 0].repeat(20_000);
    let most = held_by_who_reads_nothing(&gateway, COUNT, &large, &deletes);
    assert!(
        most <= COUNT * (MESSAGE_BYTES + CONNECTION_BYTES),
        "{most} bytes"
    );
    assert_served(&gateway);
}

/// As many searches as a bound connection may have at once, each of the largest message that a
/// stranger may send or for the largest entry that a stranger may read.
#[test]
fn who_searches_much_at_once_holds_no_more_than_who_searches_once() {
    // So many that what searching costs for a moment does not count.
    const COUNT: usize = 300;
    let gateway = gateway("1m");
    assert_served(&gateway);
    let schema = Search::new("cn=subschema", Scope::Base).attributes(&["*", "+"]);
    let long = octets("x".repeat(MESSAGE_BYTES - 200));
    let wordy = Search::new("cn=subschema", Scope::Base)
        .filter(tlv(0xa3, &[octets("cn"), long].concat()))
        .attributes(&["*", "+"]);
    let many = |search: &Search| -> Vec<u8> {
        (1..=64)
            .flat_map(|id| message(id, &search.bytes(), &[]))
            .collect()
    };
    let most = held_by_who_reads_nothing(&gateway, COUNT, &many(&schema), &many(&wordy));
    assert!(
        most <= COUNT * (MESSAGE_BYTES + ANSWER_BYTES + CONNECTION_BYTES),
        "{most} bytes"
    );
    assert_served(&gateway);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "bytes come slowly, as they do")]
fn who_sends_byte_by_byte_is_closed_like_who_sends_none() {
    const COUNT: usize = 200;
    let gateway = gateway("2s");
    let mut slow = crowd(gateway.hosts, COUNT);
    let request = message(1, &bind(&format!("cn={}", "x".repeat(3000)), "x"), &[]);
    // A byte comes ten times as often as would keep awake a timer that bytes reset.
    for byte in request.iter().take(150) {
        let mut open = 0;
        for stream in &mut slow {
            open += usize::from(stream.write_all(&[*byte]).is_ok());
        }
        if open == 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let closed = gateway.metric("doorward_ldap_connections_closed_total", "reason=\"idle\"");
    println!("{closed} were closed while their bytes came");
    await_idle_closed(&gateway, COUNT, Duration::from_secs(2));
    assert!(
        slow.iter_mut()
            .all(|stream| stream.write_all(b"x").is_err())
    );
    assert_served(&gateway);
}

#[test]
fn large_filters_and_long_lists_are_answered_and_the_connection_goes_on() {
    let gateway = gateway("1m");
    let mut client = Client::connect(gateway.hosts);
    let root = || Search::new("", Scope::Base);
    let strangers = [
        // 32 KiB of filter nodes: empty Ors in an And, and Nots inside one another.
        root().filter(tlv(0xa0, &[0xa1, 0].repeat(16_000))).bytes(),
        root()
            .filter((0..5_000).fold(present("cn"), |inside, _| tlv(0xa2, &inside)))
            .bytes(),
        root()
            .filter(tlv(0xa0, &present("cn").repeat(8_000)))
            .bytes(),
        attributes(10_000),
        attributes(129),
    ];
    for request in strangers {
        assert!(message(1, &request, &[]).len() <= MESSAGE_BYTES);
        let answer = client.ask(&request);
        assert_eq!((answer.tag, answer.code()), (0x65, 2));
        assert!(!answer.diagnostic().is_empty());
    }
    assert_eq!(client.ask(&extended(WHO_AM_I, None)).code(), 0);
    // As many as there may be are answered.
    client.send(&attributes(128));
    assert_eq!(client.read().unwrap().tag, 0x64);
    assert_eq!(client.read().unwrap().code(), 0);
    // One byte more than a message may have ends the connection before it is read.
    let large = message(9, &bind(&"x".repeat(MESSAGE_BYTES), ""), &[]);
    client.raw(&large[..large.len().min(4000)]);
    let notice = client.read().unwrap();
    assert!(notice.is_notice() && notice.code() == 2);
    assert!(client.is_closed());
    assert_served(&gateway);
}

/// A search of the root DSE for so many attributes.
fn attributes(count: usize) -> Vec<u8> {
    let names = octets("a").repeat(count);
    let parts = [
        octets(""),
        tlv(0x0a, &[0]),
        tlv(0x0a, &[0]),
        tlv(0x02, &[0]),
        tlv(0x02, &[0]),
        tlv(0x01, &[0]),
        present("objectClass"),
        tlv(0x30, &names),
    ];
    tlv(0x63, &parts.concat())
}

#[test]
fn bytes_behind_start_tls_end_the_connection_and_are_never_done() {
    let gateway = gateway("1m");
    let user = format!("uid=alice,ou=people,{}", crate::common::BASE);
    let start = message(1, &extended(START_TLS, None), &[]);
    for behind in [
        message(2, &bind(&user, PASSWORD), &[]),
        vec![0x30],
        vec![0x16; 60_000],
    ] {
        let mut client = Client::connect(gateway.hosts);
        client.raw(&[start.clone(), behind].concat());
        let refusal = client.read().unwrap();
        assert_eq!((refusal.id, refusal.code()), (1, 2));
        let notice = client.read().unwrap();
        assert!(notice.is_notice() && notice.code() == 2);
        assert!(client.is_closed());
    }
    let binds = gateway.metric("doorward_ldap_requests_total", "operation=\"bind\"");
    assert!(binds < 0.5, "{binds} binds were done");
    // Alone it is answered.
    let mut client = Client::connect(gateway.hosts);
    assert_eq!(client.ask(&extended(START_TLS, None)).code(), 0);
}

/// The daemon with so many open files as its soft limit.
fn serve_with_files(gateway: &mut Gateway, soft: u32, hard: u32) {
    let script = format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec \"$0\" -c \"$1\" serve");
    let mut command = Command::new("sh");
    command
        .args(["-c", &script, env!("CARGO_BIN_EXE_doorward")])
        .arg(gateway.config());
    gateway.serve_by(command);
}

#[test]
fn the_limit_of_open_files_is_raised_or_said_to_be_too_low() {
    let setting = Setting {
        ldap: "max_connections = 1000\nmax_connections_per_source = 1000\n".to_owned(),
        ..Setting::default()
    };
    let files = |gateway: &Gateway| {
        let limits = fs::read_to_string(format!("/proc/{}/limits", gateway.process())).unwrap();
        let line = limits
            .lines()
            .find(|line| line.starts_with("Max open files"))
            .unwrap();
        line.split_whitespace().nth(3).unwrap().to_owned()
    };
    let mut gateway = Gateway::prepare(&setting);
    serve_with_files(&mut gateway, 256, 2000);
    assert_eq!(files(&gateway), "2000");
    assert!(!gateway.log().contains("open files"), "{}", gateway.log());
    gateway.kill();
    serve_with_files(&mut gateway, 256, 512);
    assert_eq!(files(&gateway), "512");
    assert!(
        gateway
            .log()
            .contains("ldap.max_connections = 1000 needs 1320 open files"),
        "{}",
        gateway.log()
    );
}
