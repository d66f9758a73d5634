//! Walks over pages and sorted answers: what both come to in the end.
//!
//! Cookies are each server's own, and so is the order of entries that are equal; the number of
//! entries on a page, the sum of all pages and the order by a key that nobody shares are not.

use std::net::SocketAddr;

use crate::answers::entry;
use crate::client::{Client, Scope, Search, bind, element, integer, octets, tlv};
use crate::common::{BASE, PASSWORD};
use crate::population::service;

const PAGED: &str = "1.2.840.113556.1.4.319";
const SORT: &str = "1.2.840.113556.1.4.473";

/// Holds both servers to each other.
pub(crate) fn alike(doorward: SocketAddr, slapd: SocketAddr) {
    let (mut ours, mut theirs) = (reader(doorward), reader(slapd));
    for size in [1, 2, 7, 34, 35, 36, 1000] {
        let (one, two) = (walk(&mut ours, size, &[]), walk(&mut theirs, size, &[]));
        let sizes = |pages: &[Vec<String>]| pages.iter().map(Vec::len).collect::<Vec<_>>();
        let sum = |pages: &[Vec<String>]| {
            let mut names = pages.concat();
            names.sort();
            names
        };
        assert_eq!(sum(&one), sum(&two), "pages of {size}");
        assert_eq!(sizes(&one), sizes(&two), "pages of {size}");
    }
    for (name, keys) in [
        ("uidNumber", key("uidNumber", None, false)),
        ("uidNumber backwards", key("uidNumber", None, true)),
        (
            "uid by name of the rule",
            key("uid", Some("caseIgnoreOrderingMatch"), false),
        ),
        (
            "uid by number of the rule, backwards",
            key("uid", Some("2.5.13.3"), true),
        ),
        (
            "gidNumber, then uidNumber backwards",
            [key("gidNumber", None, false), key("uidNumber", None, true)].concat(),
        ),
        (
            "what some lack, then uidNumber",
            [
                key("shadowExpire", None, false),
                key("uidNumber", None, false),
            ]
            .concat(),
        ),
        (
            "what some lack backwards, then uidNumber",
            [
                key("shadowExpire", None, true),
                key("uidNumber", None, false),
            ]
            .concat(),
        ),
    ] {
        let sort = control(SORT, &tlv(0x30, &keys));
        let (one, two) = (sorted(&mut ours, &sort), sorted(&mut theirs, &sort));
        assert_eq!(one.len(), 20, "{name}");
        assert_eq!(one, two, "{name}");
        // Sorting and paging together.
        assert_eq!(walk(&mut ours, 6, &[sort]).concat(), two, "{name} in pages");
    }
}

fn reader(address: SocketAddr) -> Client {
    let mut client = Client::connect(address);
    assert_eq!(client.ask(&bind(&service(BASE), PASSWORD)).code(), 0);
    client
}

/// A key to sort by (RFC 2891 section 1.1).
fn key(attribute: &str, rule: Option<&str>, backwards: bool) -> Vec<u8> {
    let mut content = octets(attribute);
    if let Some(rule) = rule {
        content.extend(tlv(0x80, rule.as_bytes()));
    }
    if backwards {
        content.extend(tlv(0x81, &[0xff]));
    }
    tlv(0x30, &content)
}

fn control(oid: &str, value: &[u8]) -> Vec<u8> {
    tlv(
        0x30,
        &[octets(oid), tlv(0x01, &[0xff]), octets(value)].concat(),
    )
}

/// The names of all entries, or of users where the search is sorted, page by page.
fn walk(client: &mut Client, size: i32, more: &[Vec<u8>]) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut cookie = Vec::new();
    loop {
        let value = tlv(0x30, &[integer(size), octets(&cookie)].concat());
        let controls = [&[control(PAGED, &value)], more].concat();
        let (names, answered) = search(client, more.is_empty(), &controls);
        pages.push(names);
        cookie = answered
            .into_iter()
            .find(|(name, _)| name == PAGED)
            .map(|(_, value)| {
                let mut outside = value.as_slice();
                let mut inside = element(&mut outside).1;
                element(&mut inside);
                element(&mut inside).1.to_vec()
            })
            .expect("a page says how to go on");
        if cookie.is_empty() {
            return pages;
        }
        assert!(pages.len() < 100, "no end: {pages:?}");
    }
}

fn sorted(client: &mut Client, sort: &[u8]) -> Vec<String> {
    search(client, false, &[sort.to_vec()]).0
}

/// Names of entries in the order in which they came, and the controls of the end.
fn search(
    client: &mut Client,
    all: bool,
    controls: &[Vec<u8>],
) -> (Vec<String>, Vec<(String, Vec<u8>)>) {
    let base = if all {
        BASE.to_owned()
    } else {
        format!("ou=people,{BASE}")
    };
    let scope = if all { Scope::Sub } else { Scope::One };
    let search = Search::new(&base, scope).attributes(&["1.1"]);
    client.send_with(&search.bytes(), controls);
    let mut names = Vec::new();
    loop {
        let answer = client.read().expect("the server closed");
        if answer.tag == 0x64 {
            names.push(entry(&answer).0);
            continue;
        }
        assert_eq!(answer.code(), 0, "{answer:?}");
        let mut outside = answer.controls.as_slice();
        let mut list = element(&mut outside).1;
        let mut found = Vec::new();
        while !list.is_empty() {
            let mut control = element(&mut list).1;
            let name = String::from_utf8(element(&mut control).1.to_vec()).unwrap();
            let value = control_value(control);
            found.push((name, value));
        }
        return (names, found);
    }
}

/// The value of a control, behind its criticality where that is written.
fn control_value(mut rest: &[u8]) -> Vec<u8> {
    while !rest.is_empty() {
        let (tag, value) = element(&mut rest);
        if tag == 0x04 {
            return value.to_vec();
        }
    }
    Vec::new()
}
