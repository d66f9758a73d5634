//! Envelope, ids, controls, and bytes that are no message.

use crate::client::{
    Scope, Search, bind, control, delete, extended, message, not, octets, present, tlv, unbind,
};
use crate::harness::Served;

const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";

/// Somebody else's connection, which must not notice anything.
fn still_served(served: &Served) {
    let mut bystander = served.connect();
    assert_eq!(bystander.ask(&extended(WHO_AM_I, None)).code(), 0);
}

#[test]
fn section_4_1_1_garbage_is_answered_with_a_notice_and_the_end() {
    let served = Served::new();
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
        b"\0\0\0\0",
        b"\x30\x80\x02\x01\x01",
        b"\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x30\x03\x02\x01\x01",
        b"\x30\x05\x02\x01\x01\x61\x00",
        b"\x30\x05\x04\x01\x01\x42\x00",
        // Lengths that do not nest.
        b"\x30\x0c\x02\x01\x01\x60\x7f\x02\x01\x03\x04\x00\x80\x00",
    ] {
        let mut client = served.connect();
        client.raw(garbage);
        let notice = client.read().unwrap();
        assert!(notice.is_notice(), "{garbage:?}");
        assert_eq!(notice.code(), 2, "{garbage:?}");
        assert!(client.is_closed());
        still_served(&served);
    }
    assert_eq!(served.nobody.asked(), 0);
}

#[test]
fn section_4_1_1_a_message_too_long_is_refused_by_its_header() {
    let served = Served::new();
    let mut client = served.connect();
    // 16 MiB announced, four bytes sent: nobody waits for the rest.
    client.raw(&[0x30, 0x84, 1, 0, 0, 0]);
    let notice = client.read().unwrap();
    assert!(notice.is_notice());
    assert_eq!(notice.code(), 2);
    assert!(client.is_closed());
    still_served(&served);
}

#[test]
fn section_4_1_1_a_request_that_breaks_its_grammar_is_told_in_kind() {
    let served = Served::new();
    let mut client = served.connect();
    let mut deep = present("uid");
    for _ in 0..60 {
        deep = not(&deep);
    }
    let wide = tlv(0xa0, &present("uid").repeat(1000));
    for filter in [deep, wide] {
        let search = Search::new("dc=example,dc=org", Scope::Sub).filter(filter);
        let answer = client.ask(&search.bytes());
        assert_eq!((answer.tag, answer.code()), (0x65, 2));
    }
    let half_a_bind = tlv(0x60, &octets("not a version"));
    let answer = client.ask(&half_a_bind);
    assert_eq!((answer.tag, answer.code()), (0x61, 2));
    let controls: Vec<Vec<u8>> = (0..40).map(|_| control("1.2.3", false)).collect();
    assert_eq!(
        client.ask_with(&extended(WHO_AM_I, None), &controls).code(),
        2
    );
    // The connection goes on.
    assert_eq!(client.ask(&extended(WHO_AM_I, None)).code(), 0);
    assert_eq!(served.nobody.asked(), 0);
}

#[test]
fn section_4_1_1_a_nest_of_a_thousand_ends_one_connection_at_most() {
    let served = Served::new();
    let mut client = served.connect();
    let mut deep = present("uid");
    for _ in 0..4000 {
        deep = not(&deep);
    }
    client.send(&Search::new("", Scope::Base).filter(deep).bytes());
    assert_eq!(client.read().unwrap().code(), 2);
    still_served(&served);
}

#[test]
fn section_4_1_1_1_ids_that_are_none_end_the_connection() {
    let served = Served::new();
    for id in [&[0_u8][..], &[0xff], &[0, 0x80, 0, 0, 0], &[]] {
        let mut client = served.connect();
        let who = extended(WHO_AM_I, None);
        client.raw(&tlv(0x30, &[tlv(0x02, id), who].concat()));
        let notice = client.read().unwrap();
        assert!(notice.is_notice(), "{id:?}");
        assert!(client.is_closed());
    }
    let mut client = served.connect();
    client.raw(&message(i32::MAX, &extended(WHO_AM_I, None), &[]));
    assert_eq!(client.read().unwrap().id, i64::from(i32::MAX));
}

#[test]
fn a_message_may_come_byte_by_byte_and_several_at_once() {
    let served = Served::new();
    let mut client = served.connect();
    for byte in message(7, &extended(WHO_AM_I, None), &[]) {
        client.raw(&[byte]);
    }
    assert_eq!(client.read().unwrap().id, 7);
    let several: Vec<u8> = (8..58)
        .flat_map(|id| message(id, &extended(WHO_AM_I, None), &[]))
        .collect();
    client.raw(&several);
    for id in 8..58 {
        assert_eq!(client.read().unwrap().id, id);
    }
}

#[test]
fn section_4_1_11_unknown_critical_controls() {
    let served = Served::new();
    let mut client = served.connect();
    // Virtual list views, which we do not have.
    let critical = [control("2.16.840.1.113730.3.4.9", true)];
    for operation in [
        bind("uid=alice,ou=people,dc=example,dc=org", "secret"),
        Search::new("", Scope::Base).bytes(),
        extended(WHO_AM_I, None),
        delete("dc=example,dc=org"),
    ] {
        assert_eq!(client.ask_with(&operation, &critical).code(), 12);
    }
    assert_eq!(served.nobody.asked(), 0);
    let ignored = [control("2.16.840.1.113730.3.4.9", false)];
    assert_eq!(
        client.ask_with(&extended(WHO_AM_I, None), &ignored).code(),
        0
    );
    // On what has no answer criticality is ignored: the connection ends as asked.
    client.send_with(&unbind(), &critical);
    assert!(client.is_closed());
}

#[test]
fn sections_4_6_to_4_9_writes_are_refused_in_kind() {
    let served = Served::new();
    let mut client = served.connect();
    let name = octets("uid=alice,ou=people,dc=example,dc=org");
    let nothing = tlv(0x30, b"");
    for (request, response) in [
        (tlv(0x66, &[name.clone(), nothing.clone()].concat()), 0x67),
        (tlv(0x68, &[name.clone(), nothing].concat()), 0x69),
        (delete("uid=alice,ou=people,dc=example,dc=org"), 0x6b),
        (
            tlv(0x6c, &[name, octets("uid=bob"), tlv(1, &[0xff])].concat()),
            0x6d,
        ),
    ] {
        let answer = client.ask(&request);
        assert_eq!((answer.tag, answer.code()), (response, 53));
        assert!(!answer.diagnostic().is_empty());
    }
}
