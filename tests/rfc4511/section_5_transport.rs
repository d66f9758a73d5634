//! Connections: who may open one, how many, and how long they may stay silent.

use std::num::NonZeroU32;
use std::time::Duration;

use doorward_domain::resource::AccessContext;
use doorward_ldap::Caps;
use doorward_ldap_protocol::settings::{PlaintextBind, TlsMode};

use crate::client::{bind, extended, message};
use crate::harness::{Served, settings};

const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";
const START_TLS: &str = "1.3.6.1.4.1.1466.20037";

fn caps(connections: usize, per_source: usize, burst: u32) -> Caps {
    let burst = NonZeroU32::new(burst).unwrap();
    Caps {
        connections,
        per_source,
        rate: NonZeroU32::MIN,
        burst,
        ..Caps::default()
    }
}

#[test]
fn who_is_not_listed_may_not_connect() {
    let mut elsewhere = settings(TlsMode::None);
    elsewhere.sources = vec!["192.0.2.0/24".parse().unwrap()];
    let served = Served::with(elsewhere);
    assert!(served.connect().is_closed());
    let mut here = settings(TlsMode::None);
    here.sources = vec![
        "192.0.2.0/24".parse().unwrap(),
        "127.0.0.0/8".parse().unwrap(),
    ];
    let served = Served::with(here);
    assert_eq!(served.connect().ask(&extended(WHO_AM_I, None)).code(), 0);
}

#[test]
fn past_the_bounds_a_connection_takes_the_oldest_place_where_nobody_has_bound() {
    for caps in [caps(2, 9, 99), caps(9, 2, 99)] {
        let served = Served::capped(settings(TlsMode::None), caps);
        let mut inside: Vec<_> = (0..2).map(|_| served.connect()).collect();
        for client in &mut inside {
            assert_eq!(client.ask(&extended(WHO_AM_I, None)).code(), 0);
        }
        let mut next = served.connect();
        assert_eq!(next.ask(&extended(WHO_AM_I, None)).code(), 0);
        assert!(inside[0].is_closed());
        assert_eq!(inside[1].ask(&extended(WHO_AM_I, None)).code(), 0);
        assert_eq!(served.gate.open(), 2);
    }
}

#[test]
fn connections_that_come_too_fast_are_closed_and_others_stay() {
    let served = Served::capped(settings(TlsMode::None), caps(9, 9, 2));
    let mut inside: Vec<_> = (0..2).map(|_| served.connect()).collect();
    for client in &mut inside {
        assert_eq!(client.ask(&extended(WHO_AM_I, None)).code(), 0);
    }
    assert!(served.connect().is_closed());
    for client in &mut inside {
        assert_eq!(client.ask(&extended(WHO_AM_I, None)).code(), 0);
    }
}

#[test]
fn a_place_is_free_again_when_its_connection_ends() {
    let served = Served::capped(settings(TlsMode::None), caps(1, 1, 99));
    for _ in 0..5 {
        let mut client = served.connect();
        assert_eq!(client.ask(&extended(WHO_AM_I, None)).code(), 0);
        drop(client);
        while served.gate.open() > 0 {
            std::thread::yield_now();
        }
    }
}

#[test]
fn silence_ends_a_connection_and_single_bytes_are_silence() {
    let mut impatient = settings(TlsMode::None);
    impatient.timeouts.anonymous_idle = Duration::from_millis(200);
    let served = Served::with(impatient);
    let mut silent = served.connect();
    assert!(silent.is_closed());
    let mut dripping = served.connect();
    let request = message(1, &extended(WHO_AM_I, None), &[]);
    let (all_but_one, _) = request.split_at(request.len() - 1);
    for byte in all_but_one {
        dripping.raw(&[*byte]);
    }
    assert!(dripping.is_closed());
}

#[test]
fn a_handshake_that_never_comes_ends_the_connection() {
    let mut impatient = settings(TlsMode::Implicit);
    impatient.timeouts.handshake = Duration::from_millis(100);
    let served = Served::with(impatient);
    assert!(served.connect().is_closed());
}

#[test]
fn section_4_4_1_shutting_down_is_told() {
    let served = Served::new();
    let mut client = served.connect();
    assert_eq!(client.ask(&bind("", "")).code(), 0);
    served.shutdown.cancel();
    let notice = client.read().unwrap();
    assert!(notice.is_notice());
    assert_eq!(notice.code(), 52);
    assert!(client.is_closed());
}

#[test]
fn handshakes_that_do_not_come_do_not_hold_up_the_end() {
    for mode in [TlsMode::Implicit, TlsMode::StartTls] {
        let mut patient = settings(mode);
        patient.timeouts.handshake = Duration::from_mins(5);
        let served = Served::with(patient);
        let mut client = served.connect();
        if mode == TlsMode::StartTls {
            assert_eq!(client.ask(&extended(START_TLS, None)).code(), 0);
        }
        while served.gate.open() == 0 {
            std::thread::yield_now();
        }
        served.shutdown.cancel();
        assert!(client.is_closed(), "{mode:?}");
    }
}

/// A header of version 2 for a client over IPv4.
fn binary_header(client: [u8; 4]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c".to_vec();
    header.extend(client);
    header.extend([192, 0, 2, 1, 0xc3, 0x50, 0x01, 0x85]);
    header
}

#[test]
fn a_proxy_says_first_for_whom_it_connects() {
    let mut behind = settings(TlsMode::None);
    behind.plaintext_bind = PlaintextBind::Allow;
    behind.proxies = vec!["127.0.0.0/8".parse().unwrap()];
    behind.sources = vec!["192.0.2.0/24".parse().unwrap()];
    let served = Served::with(behind);
    let text = b"PROXY TCP4 192.0.2.7 192.0.2.1 50000 389\r\n".to_vec();
    for header in [text, binary_header([192, 0, 2, 7])] {
        let mut client = served.connect();
        let mut bytes = header;
        // The header and what follows it may come in one piece.
        bytes.extend(message(
            1,
            &bind("uid=alice,ou=people,dc=example,dc=org", "x"),
            &[],
        ));
        client.raw(&bytes);
        assert_eq!(client.read().unwrap().code(), 49);
        let attempts = served.nobody.attempts.lock().unwrap();
        let last = attempts.last().unwrap();
        assert_eq!(last.origin.source.to_string(), "192.0.2.7");
        let AccessContext::Connection(circumstances) = &last.asking else {
            panic!()
        };
        assert_eq!(circumstances.source, last.origin.source);
    }
    // Who is behind it must be listed, and it must say who.
    let who = message(1, &extended(WHO_AM_I, None), &[]);
    for header in [
        &b"PROXY TCP4 198.51.100.1 192.0.2.1 50000 389\r\n"[..],
        b"PROXY UNKNOWN\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 50000\r\n",
        &binary_header([198, 51, 100, 1]),
        b"",
    ] {
        let mut client = served.connect();
        client.raw(header);
        client.raw(&who);
        assert!(client.is_closed(), "{header:?}");
    }
}

#[test]
fn nobody_else_is_read_a_header_of() {
    let mut elsewhere = settings(TlsMode::None);
    elsewhere.proxies = vec!["192.0.2.1/32".parse().unwrap()];
    let served = Served::with(elsewhere);
    assert_eq!(served.connect().ask(&extended(WHO_AM_I, None)).code(), 0);
    let mut client = served.connect();
    client.raw(b"PROXY TCP4 192.0.2.7 192.0.2.1 50000 389\r\n");
    client.raw(&message(1, &extended(WHO_AM_I, None), &[]));
    let answer = client.read();
    assert!(answer.is_none_or(|answer| answer.is_notice()));
}

#[test]
fn the_bounds_count_who_is_behind_the_proxy() {
    let mut behind = settings(TlsMode::None);
    behind.proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let served = Served::capped(behind, caps(9, 1, 99));
    let connect = |client: [u8; 4]| {
        let mut connection = served.connect();
        connection.raw(&binary_header(client));
        connection
    };
    let mut one = connect([192, 0, 2, 7]);
    assert_eq!(one.ask(&extended(WHO_AM_I, None)).code(), 0);
    let mut again = connect([192, 0, 2, 7]);
    assert_eq!(again.ask(&extended(WHO_AM_I, None)).code(), 0);
    assert!(one.is_closed());
    let mut other = connect([192, 0, 2, 8]);
    for client in [&mut again, &mut other] {
        assert_eq!(client.ask(&extended(WHO_AM_I, None)).code(), 0);
    }
}
