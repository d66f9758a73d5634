//! What is no LDAP message, or nearly one: lengths, tags, bytes too few and too many.

use super::{Case, Sent};
use crate::client::{Scope, Search, bind, integer, message, octets, tlv};

#[expect(clippy::too_many_lines, reason = "a table of requests")]
pub(super) fn all() -> Vec<Case> {
    let raw = |name: &str, bytes: Vec<u8>| Case::sent(format!("raw {name}"), Sent::Raw(bytes));
    let root = || Search::new("", Scope::Base).attributes(&["1.1"]).bytes();
    let search = |parts: &[Vec<u8>]| message(5, &tlv(0x63, &parts.concat()), &[]);
    let enumerated = |number: u8| tlv(0x0a, &[number]);
    let present = || tlv(0x87, b"objectClass");
    let no = || tlv(0x01, &[0]);
    let start = || {
        vec![
            octets(""),
            enumerated(0),
            enumerated(0),
            integer(0),
            integer(0),
        ]
    };
    let full = |filter: Vec<u8>| {
        let mut parts = start();
        parts.extend([no(), filter, tlv(0x30, &[])]);
        parts
    };
    let with_id = |id: Vec<u8>| tlv(0x30, &[id, root()].concat());
    let mut cases = vec![
        // The envelope.
        raw("a set", tlv(0x31, &[integer(5), root()].concat())),
        raw(
            "a primitive sequence",
            tlv(0x10, &[integer(5), root()].concat()),
        ),
        raw("an empty message", tlv(0x30, &[])),
        raw("an id alone", tlv(0x30, &integer(5))),
        raw("id zero", with_id(integer(0))),
        raw("id minus one", with_id(integer(-1))),
        raw("the largest id", with_id(integer(i32::MAX))),
        raw("an id of five bytes", with_id(tlv(0x02, &[0, 0, 0, 0, 5]))),
        raw(
            "an id above the largest",
            with_id(tlv(0x02, &[0, 0x80, 0, 0, 0])),
        ),
        raw(
            "an id of nine bytes",
            with_id(tlv(0x02, &[1, 0, 0, 0, 0, 0, 0, 0, 5])),
        ),
        raw("an id of no bytes", with_id(tlv(0x02, &[]))),
        raw("an id that is an octet string", with_id(octets([5]))),
        raw("an id that is enumerated", with_id(tlv(0x0a, &[5]))),
        raw("bytes behind the controls", {
            let controls = tlv(0xa0, &[]);
            tlv(0x30, &[integer(5), root(), controls, octets("x")].concat())
        }),
        raw("bytes behind the operation", {
            tlv(0x30, &[integer(5), root(), octets("x")].concat())
        }),
        raw("a component of a later version", {
            tlv(0x30, &[integer(5), root(), tlv(0x8b, b"x")].concat())
        }),
        raw("controls twice", {
            let controls = tlv(0xa0, &[]);
            tlv(
                0x30,
                &[integer(5), root(), controls.clone(), controls].concat(),
            )
        }),
        raw("controls in the primitive form", {
            tlv(0x30, &[integer(5), root(), tlv(0x80, &[])].concat())
        }),
        raw("an operation that is too short", {
            let mut bytes = tlv(0x30, &[integer(5), root()].concat());
            let length = bytes[1];
            bytes[1] = length - 1;
            bytes.truncate(usize::from(length) + 1);
            bytes
        }),
        // Lengths.
        raw(
            "an indefinite length",
            [vec![0x30, 0x80], integer(5), root(), vec![0, 0]].concat(),
        ),
        raw(
            "a reserved length",
            [vec![0x30, 0xff], integer(5), root()].concat(),
        ),
        raw("a length in more bytes than needed", {
            let content = [integer(5), root()].concat();
            let length = u8::try_from(content.len()).unwrap();
            [vec![0x30, 0x84, 0, 0, 0, length], content].concat()
        }),
        raw("a length in eight bytes", {
            let content = [integer(5), root()].concat();
            let length = u8::try_from(content.len()).unwrap();
            [vec![0x30, 0x88, 0, 0, 0, 0, 0, 0, 0, length], content].concat()
        }),
        raw(
            "a message of four gigabytes",
            vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 2, 1, 5],
        ),
        raw(
            "a tag of two bytes",
            [vec![0x3f, 0x10, 0x03], integer(5)].concat(),
        ),
        raw(
            "an inner length beyond the outer",
            vec![0x30, 0x05, 0x02, 0x01, 0x05, 0x63, 0x7f],
        ),
        raw("zeros", vec![0; 16]),
        raw("ones", vec![0xff; 16]),
        // The search.
        raw("a search of nothing", search(&[])),
        raw("a search of a name alone", search(&[octets("")])),
        raw("a search whose name is an integer", {
            let mut parts = full(present());
            parts[0] = integer(1);
            search(&parts)
        }),
        raw("a search whose scope is an integer", {
            let mut parts = full(present());
            parts[1] = integer(0);
            search(&parts)
        }),
        raw("a search whose scope has no bytes", {
            let mut parts = full(present());
            parts[1] = tlv(0x0a, &[]);
            search(&parts)
        }),
        raw("a search whose size limit is above the largest", {
            let mut parts = full(present());
            parts[3] = tlv(0x02, &[0, 0x80, 0, 0, 0]);
            search(&parts)
        }),
        raw("a search whose types-only has two bytes", {
            let mut parts = full(present());
            parts[5] = tlv(0x01, &[0, 0]);
            search(&parts)
        }),
        raw("a search whose types-only is 1", {
            let mut parts = full(present());
            parts[5] = tlv(0x01, &[1]);
            search(&parts)
        }),
        raw("a search without filter", search(&start())),
        raw("a search without attributes", search(&full(present())[..7])),
        raw("a search whose attributes are a set", {
            let mut parts = full(present());
            parts[7] = tlv(0x31, &[]);
            search(&parts)
        }),
        raw("a search whose attribute is an integer", {
            let mut parts = full(present());
            parts[7] = tlv(0x30, &integer(1));
            search(&parts)
        }),
        raw("a search with a part too many", {
            let mut parts = full(present());
            parts.push(octets("x"));
            search(&parts)
        }),
        raw("a name that is no UTF-8", {
            let mut parts = full(present());
            parts[0] = octets([0xff, 0xfe]);
            search(&parts)
        }),
    ];
    for (name, filter) in [
        ("an unknown choice", tlv(0x8f, b"x")),
        ("a constructed unknown choice", tlv(0xaf, b"")),
        ("a universal choice", octets("x")),
        ("a primitive conjunction", tlv(0x80, b"")),
        ("a negation of nothing", tlv(0xa2, b"")),
        (
            "a negation of two",
            tlv(0xa2, &[present(), present()].concat()),
        ),
        ("a constructed presence", tlv(0xa7, b"objectClass")),
        ("an equality of nothing", tlv(0xa3, b"")),
        ("an equality without value", tlv(0xa3, &octets("cn"))),
        (
            "an equality of three",
            tlv(0xa3, &[octets("cn"), octets("a"), octets("b")].concat()),
        ),
        (
            "an equality with an integer",
            tlv(0xa3, &[octets("uidNumber"), integer(1)].concat()),
        ),
        ("substrings without list", tlv(0xa4, &octets("cn"))),
        (
            "substrings with a set",
            tlv(0xa4, &[octets("cn"), tlv(0x31, &tlv(0x80, b"a"))].concat()),
        ),
        ("an extensible match of nothing", tlv(0xa9, b"")),
        (
            "an extensible match without value",
            tlv(0xa9, &tlv(0x82, b"cn")),
        ),
        (
            "an extensible match of a value alone",
            tlv(0xa9, &tlv(0x83, b"x")),
        ),
        (
            "an extensible match in wrong order",
            tlv(0xa9, &[tlv(0x83, b"x"), tlv(0x82, b"cn")].concat()),
        ),
        (
            "an extensible match with a long dn mark",
            tlv(
                0xa9,
                &[tlv(0x82, b"cn"), tlv(0x83, b"x"), tlv(0x84, &[0, 0])].concat(),
            ),
        ),
        (
            "an extensible match with a part too many",
            tlv(
                0xa9,
                &[tlv(0x82, b"cn"), tlv(0x83, b"x"), tlv(0x85, &[0])].concat(),
            ),
        ),
    ] {
        cases.push(raw(
            &format!("a filter that is {name}"),
            search(&full(filter)),
        ));
    }
    for (name, operation) in [
        ("an unknown request", tlv(0x7e, b"")),
        ("a universal request", octets("x")),
        (
            "a bind response",
            tlv(0x61, &[enumerated(0), octets(""), octets("")].concat()),
        ),
        (
            "a search entry",
            tlv(0x64, &[octets(""), tlv(0x30, b"")].concat()),
        ),
        ("a search in the primitive form", tlv(0x43, b"x")),
        ("a bind of nothing", tlv(0x60, b"")),
        ("a bind without name", tlv(0x60, &integer(3))),
        (
            "a bind without credentials",
            tlv(0x60, &[integer(3), octets("")].concat()),
        ),
        ("a bind whose version is a string", {
            tlv(0x60, &[octets("3"), octets(""), tlv(0x80, b"")].concat())
        }),
        ("a bind with a part too many", {
            let mut bytes = bind("", "");
            bytes.extend(octets("x"));
            bytes[1] += 3;
            bytes
        }),
        ("a SASL bind without mechanism", {
            tlv(0x60, &[integer(3), octets(""), tlv(0xa3, b"")].concat())
        }),
        ("a compare of nothing", tlv(0x6e, b"")),
        ("a compare without value", {
            let assertion = tlv(0x30, &octets("cn"));
            tlv(0x6e, &[octets(""), assertion].concat())
        }),
        ("a compare with a part too many", {
            let assertion = tlv(0x30, &[octets("cn"), octets("a"), octets("b")].concat());
            tlv(0x6e, &[octets(""), assertion].concat())
        }),
        ("a constructed delete", tlv(0x6a, &octets("dc=x"))),
        ("a delete of no UTF-8", tlv(0x4a, &[0xff])),
        ("a modify of nothing", tlv(0x66, b"")),
        ("an add of nothing", tlv(0x68, b"")),
        ("a rename of nothing", tlv(0x6c, b"")),
    ] {
        cases.push(raw(name, message(5, &operation, &[])));
    }
    // To a reader of BER it begins a message of 69 bytes.
    let http = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    cases.push(Case::sent("raw an HTTP request", Sent::Last(http.to_vec())));
    let whole = message(5, &root(), &[]);
    for (name, length) in [
        ("tag", 1),
        ("header", 2),
        ("start", 5),
        ("most", whole.len() - 1),
    ] {
        cases.push(Case::sent(
            format!("unfinished after its {name}"),
            Sent::Last(whole[..length].to_vec()),
        ));
    }
    cases
}
