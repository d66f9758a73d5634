//! What searches can do to everybody else: nothing. Floods of the costliest ones that are let
//! through, against the daemon as it ships; logins, Status-Server and other searches meanwhile, and
//! what the daemon holds in memory and how it ends.

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, Socket, Type};

use crate::common::ldap::LdapClient;
use crate::common::radius::{Reply, ask, status_server};
use crate::common::{BASE, Gateway, PASSWORD, Setting, eventually, eventually_within};
use crate::raw_ldap::{Client, Scope, Search, bind, equals, message, present, sorted, tlv};

const PATIENCE: Duration = Duration::from_secs(20);
const MEMBERS: u32 = 50_000;

/// With connections enough for a crowd from one address.
fn gateway() -> Gateway {
    let gateway = Gateway::start(&Setting {
        throttle: "relays = [\"127.0.0.0/8\"]\nrefusal_delay = \"10ms\"\n\
                   source_connections = 10000\n"
            .to_owned(),
        ldap: "max_connections = 2000\nmax_connections_per_source = 2000\ntime_limit = \"5s\"\n"
            .to_owned(),
        ..Setting::default()
    });
    gateway.add_user("alice");
    gateway.add_service("sssd");
    gateway
}

/// Puts fifty thousand users into the store, and all of them into one group: by hand, since the
/// command line would take hours.
fn add_crowd(gateway: &Gateway) {
    let mut store = Connection::open(gateway.path("doorward.db")).unwrap();
    store.busy_timeout(PATIENCE).unwrap();
    let change = store.transaction().unwrap();
    change
        .execute(
            "INSERT INTO groups (id, name, name_folded, gid_number, created, modified)
             VALUES (unhex('f0000000000000000000000000000000'), 'crowd', 'crowd', 900000, 0, 0)",
            [],
        )
        .unwrap();
    change
        .execute(
            "WITH RECURSIVE numbers (n) AS (
                 SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1
             )
             INSERT INTO accounts (id, username, username_folded, email, email_folded, uid_number,
                 gid_number, admin, suspended, never_expires, must_change, epoch, created, modified)
             SELECT unhex(printf('e%031x', n)), 'crowd' || n, 'crowd' || n,
                 'crowd' || n || '@example.org', 'crowd' || n || '@example.org', 1000000 + n,
                 900000, 0, 0, 0, 0, 1, 0, 0
             FROM numbers",
            [MEMBERS],
        )
        .unwrap();
    change
        .execute(
            "INSERT INTO group_users (container, account)
             SELECT groups.id, accounts.id FROM groups, accounts
             WHERE groups.name = 'crowd' AND accounts.username LIKE 'crowd%'",
            [],
        )
        .unwrap();
    change.commit().unwrap();
}

fn crowd_entry() -> Search {
    Search::new(&format!("cn=crowd,ou=groups,{BASE}"), Scope::Base)
}

fn service() -> String {
    format!("cn=sssd,ou=services,{BASE}")
}

fn bound(gateway: &Gateway, name: &str) -> Client {
    let mut client = Client::connect(gateway.hosts);
    assert_eq!(client.ask(&bind(name, PASSWORD)).code(), 0);
    client
}

fn any_of(term: &[u8], terms: usize) -> Vec<u8> {
    tlv(0xa1, &term.repeat(terms))
}

/// `(:caseIgnoreMatch:=x)`, which looks at every value of every attribute that is text.
fn extensible() -> Vec<u8> {
    tlv(
        0xa9,
        &[tlv(0x81, b"caseIgnoreMatch"), tlv(0x83, b"x")].concat(),
    )
}

/// What the daemon holds in memory, in bytes.
fn resident(gateway: &Gateway) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", gateway.process())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse::<usize>().unwrap() * 1024
}

/// How long the daemon has been on a processor, in clock ticks.
fn ticks(gateway: &Gateway) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", gateway.process())).unwrap();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn a_strangers_search_of_many_terms_is_refused_before_it_costs_anything() {
    const REQUESTS: u64 = 2000;
    let gateway = gateway();
    let mut client = Client::connect(gateway.hosts);
    let flood = Search::new("cn=subschema", Scope::Base)
        .filter(any_of(&extensible(), 240))
        .bytes();
    let before = ticks(&gateway);
    for _ in 0..REQUESTS {
        let answer = client.ask(&flood);
        assert_eq!((answer.tag, answer.code()), (0x65, 2));
    }
    // Ten milliseconds each it was, a tick; a hundredth of that is far more than a refusal takes.
    let spent = ticks(&gateway) - before;
    println!("{REQUESTS} refusals: {spent} ticks");
    assert!(spent < REQUESTS / 4, "{spent} ticks");
}

#[test]
fn long_assertion_values_cost_no_more_than_their_bytes() {
    const REQUESTS: u64 = 200;
    let gateway = gateway();
    // One character of three bytes that is compared as eighteen.
    let swelling = |characters: usize| equals("cn", &"\u{fdfa}".repeat(characters));
    let own = format!("uid=alice,ou=people,{BASE}");
    let searches = [
        ("a stranger's one long value", None, "", swelling(10_300)),
        ("seven of a stranger", None, "", any_of(&swelling(1_360), 7)),
        ("a user's one long value", Some(&own), "", swelling(80_000)),
        (
            "sixty of a user",
            Some(&own),
            own.as_str(),
            any_of(&swelling(1_360), 60),
        ),
    ];
    for (what, name, base, filter) in searches {
        let mut client = match name {
            Some(name) => bound(&gateway, name),
            None => Client::connect(gateway.hosts),
        };
        let search = Search::new(base, Scope::Base).filter(filter).bytes();
        let before = ticks(&gateway);
        for _ in 0..REQUESTS {
            assert_eq!(client.ask(&search).code(), 0);
        }
        let spent = ticks(&gateway) - before;
        println!("{what}: {REQUESTS} requests, {spent} ticks");
        // A stranger's was 14 ticks each, and a user's 109.
        let most = if name.is_some() { 30 } else { 5 };
        assert!(spent < most * REQUESTS, "{what}: {spent} ticks");
    }
}

/// Sends the same search again and again on connections of its own until told to stop, and reads
/// the answers; how many came.
fn flood(address: SocketAddr, name: Option<&str>, search: &[u8], stop: &AtomicBool) -> usize {
    let mut client = Client::connect(address);
    if let Some(name) = name {
        assert_eq!(client.ask(&bind(name, PASSWORD)).code(), 0);
    }
    let mut answered = 0;
    while !stop.load(Ordering::Relaxed) {
        client.send(search);
        loop {
            let answer = client.read().expect("the connection goes on");
            if answer.tag == 0x65 {
                // Success, the size limit, or the time limit.
                assert!([0, 3, 4].contains(&answer.code()), "{answer:?}");
                break;
            }
        }
        answered += 1;
    }
    answered
}

#[test]
fn logins_and_lookups_are_answered_while_the_costliest_searches_run() {
    const EACH: usize = 8;
    const ROUNDS: usize = 30;
    let gateway = gateway();
    add_crowd(&gateway);
    let alice = format!("uid=alice,ou=people,{BASE}");
    let terms = any_of(&equals("description", "x"), 240);
    let everybody = Search::new(BASE, Scope::Sub)
        .filter(tlv(0xa0, &[present("uid"), tlv(0xa2, &terms)].concat()))
        .attributes(&["uid"]);
    let members = crowd_entry()
        .attributes(&["cn"])
        .filter(any_of(&equals("memberUid", "nobody"), 200));
    let own = Search::new(&alice, Scope::Base).filter(any_of(&extensible(), 240));
    let schema = Search::new("cn=subschema", Scope::Base).filter(any_of(&extensible(), 7));
    let floods = [
        (None, schema.bytes()),
        (Some(alice.clone()), own.bytes()),
        (Some(service()), everybody.bytes()),
        (Some(service()), members.bytes()),
    ];
    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for (name, search) in &floods {
            for _ in 0..EACH {
                scope.spawn(|| {
                    let own = flood(gateway.hosts, name.as_deref(), search, &stop);
                    answered.fetch_add(own, Ordering::Relaxed);
                });
            }
        }
        let victims = || {
            let mut host = bound(&gateway, &service());
            let lookup = Search::new(BASE, Scope::Sub).filter(equals("uid", "alice"));
            let mut times = Vec::new();
            for _ in 0..ROUNDS {
                let mut took = Vec::new();
                let mut measure = |what: &mut dyn FnMut()| {
                    let begun = now();
                    what();
                    took.push(begun.elapsed());
                };
                measure(&mut || {
                    let mut client = LdapClient::connect(gateway.hosts).unwrap();
                    assert_eq!(client.bind("alice", PASSWORD), Some(0));
                });
                measure(&mut || {
                    let reply = ask(gateway.radius, "alice", PASSWORD, PATIENCE);
                    assert_eq!(reply, Reply::Accept);
                });
                measure(&mut || assert!(status_server(gateway.radius, PATIENCE)));
                measure(&mut || {
                    let (entries, end) = host.search(&lookup);
                    assert_eq!((entries.len(), end.code()), (1, 0));
                });
                times.push(took);
            }
            for (index, what) in ["bind", "Access-Request", "Status-Server", "lookup"]
                .iter()
                .enumerate()
            {
                let mut own: Vec<Duration> = times.iter().map(|took| took[index]).collect();
                own.sort();
                println!(
                    "{what}: p50 {:?}, worst {:?}",
                    own[ROUNDS / 2],
                    own[ROUNDS - 1]
                );
            }
        };
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(victims));
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
    println!("{answered:?} searches of the floods were answered");
}

/// How many answers of the schema are more than fits into the network.
const FILLING: i32 = 250;

/// Connections of a service that ask for the group sixteen times and read nothing.
fn deaf(gateway: &Gateway, count: usize) -> Vec<TcpStream> {
    deaf_for(gateway, &service(), count, 16, &crowd_entry(), &[])
}

/// Connections of somebody who asks for something so many times and reads nothing.
fn deaf_for(
    gateway: &Gateway,
    name: &str,
    count: usize,
    times: i32,
    search: &Search,
    controls: &[Vec<u8>],
) -> Vec<TcpStream> {
    let requests: Vec<u8> = (2..2 + times)
        .flat_map(|id| message(id, &search.bytes(), controls))
        .collect();
    let connect = |_| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        // Little fits into the network, so that the answers wait in the daemon.
        socket.set_recv_buffer_size(4096).unwrap();
        socket.connect(&gateway.hosts.into()).unwrap();
        let mut client = Client::over(TcpStream::from(socket));
        assert_eq!(client.ask(&bind(name, PASSWORD)).code(), 0);
        let stream = client.stream;
        // What is not read on the other side need not go out.
        stream
            .set_write_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        let _ = (&stream).write_all(&requests);
        stream
    };
    (0..count).map(connect).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long it took is printed, and nothing rests on it"
)]
fn now() -> Instant {
    Instant::now()
}

fn open(gateway: &Gateway) -> f64 {
    gateway.metric("doorward_ldap_connections_open", "")
}

#[test]
fn whoever_reads_nothing_takes_no_room_from_the_searches_of_others() {
    let gateway = gateway();
    let alice = format!("uid=alice,ou=people,{BASE}");
    let schema = Search::new("cn=subschema", Scope::Base).attributes(&["*", "+"]);
    let order = [sorted(false, &[("cn", None, false)])];
    for (count, controls) in [(8, &order[..]), (70, &[])] {
        let crowd = deaf_for(&gateway, &alice, count, FILLING, &schema, controls);
        let mut host = bound(&gateway, &service());
        let lookup = Search::new(BASE, Scope::Sub).filter(equals("uid", "alice"));
        let group = Search::new(BASE, Scope::Sub)
            .filter(equals("objectClass", "posixGroup"))
            .attributes(&["cn", "memberUid"]);
        let begun = now();
        for _ in 0..10 {
            // Before, they took longer than a search may (3).
            assert_eq!(host.search(&lookup).1.code(), 0);
            assert_eq!(host.search(&group).1.code(), 0);
        }
        println!(
            "{count} that read nothing: twenty searches took {:?}",
            begun.elapsed()
        );
        drop(crowd);
    }
}

#[test]
fn requests_that_wait_hold_what_they_may() {
    const COUNT: usize = 60;
    // Long requests have room for 8 MiB of one source, and each connection for a message besides.
    const HELD: usize = (8 + 16 + 32) << 20;
    let gateway = gateway();
    let alice = format!("uid=alice,ou=people,{BASE}");
    let before = resident(&gateway);
    let long = Search::new(&alice, Scope::Base).filter(equals("cn", &"a".repeat(250_000)));
    let order = [sorted(false, &[("cn", None, false)])];
    let schema = Search::new("cn=subschema", Scope::Base).attributes(&["*", "+"]);
    let crowd = deaf_for(&gateway, &alice, 8, FILLING, &schema, &order);
    let mut waiting = Vec::new();
    for _ in 0..COUNT / 10 {
        waiting.extend(deaf_for(&gateway, &alice, 10, 16, &long, &order));
    }
    let held = resident(&gateway).saturating_sub(before);
    println!("{COUNT} connections, 16 requests of 250 kB each: {held} bytes");
    // 245 MB it was.
    assert!(held < HELD, "{held} bytes");
    let mut host = bound(&gateway, &service());
    let lookup = Search::new(BASE, Scope::Sub).filter(equals("uid", "alice"));
    assert_eq!(host.search(&lookup).1.code(), 0);
    drop((crowd, waiting));
}

/// Lists of names take 8 MiB of one source's, batches and entries 16 MiB, long requests 8 MiB, each
/// connection its buffers of 32 KiB and sixteen operations of a few kilobytes; the readers' caches
/// of SQLite a few megabytes more.
const HELD: usize = (8 + 16 + 16 + 8 + 24) << 20;

#[test]
fn answers_that_nobody_reads_hold_what_they_may_and_are_gone_with_their_client() {
    const COUNT: usize = 200;
    let gateway = gateway();
    add_crowd(&gateway);
    // What reading the group once costs stays.
    let mut client = bound(&gateway, &service());
    let (entries, end) = client.search(&crowd_entry());
    assert_eq!(
        (entries[0].values("memberUid").len(), end.code()),
        (50_000, 0)
    );
    let before = resident(&gateway);
    let crowd = deaf(&gateway, COUNT);
    let mut most = 0;
    for _ in 0..100 {
        most = most.max(resident(&gateway).saturating_sub(before));
        let mut client = LdapClient::connect(gateway.hosts).unwrap();
        assert_eq!(client.bind("alice", PASSWORD), Some(0));
    }
    println!("{COUNT} that read nothing: {most} bytes");
    assert!(most < HELD, "{most} bytes");
    drop((crowd, client));
    eventually(
        || format!("{} are open", open(&gateway)),
        || open(&gateway) < 0.5,
    );
    let left = resident(&gateway).saturating_sub(before);
    println!("after they left: {left} bytes");
    assert!(left < HELD / 2, "{left} bytes");
    let mut client = bound(&gateway, &service());
    assert_eq!(client.search(&crowd_entry()).1.code(), 0);
}

#[test]
fn the_daemon_ends_in_time_whoever_does_not_read() {
    let mut gateway = gateway();
    add_crowd(&gateway);
    let crowd = deaf(&gateway, 100);
    let process = i32::try_from(gateway.process()).unwrap();
    kill_process(Pid::from_raw(process).unwrap(), Signal::TERM).unwrap();
    let begun = now();
    let status = format!("/proc/{process}/stat");
    // The deadline is ten seconds, and this the time after which it is no longer kept.
    eventually_within(
        Duration::from_secs(15),
        || "the daemon goes on".to_owned(),
        || fs::read_to_string(&status).map_or(true, |stat| stat.contains(") Z ")),
    );
    println!("it ended after {:?}", begun.elapsed());
    assert!(gateway.wait().success(), "{}", gateway.log());
    drop(crowd);
}
