//! Names: every escape and spacing, what is none, what is not there; scopes and limits.

use super::{Asker, Case, filter};
use crate::client::{Scope, Search, integer, octets, tlv};
use crate::common::BASE;

/// Spellings of bases.
const BASES: [&str; 73] = [
    "uid=alice,ou=people,dc=example,dc=org",
    "UID=ALICE,OU=PEOPLE,DC=EXAMPLE,DC=ORG",
    "uid=alice, ou=people, dc=example, dc=org",
    "uid = alice , ou = people , dc = example , dc = org",
    "  uid=alice,ou=people,dc=example,dc=org  ",
    "uid=alice;ou=people;dc=example;dc=org",
    "uid=\"alice\",ou=people,dc=example,dc=org",
    "userid=alice,organizationalUnitName=people,domainComponent=example,dc=org",
    "0.9.2342.19200300.100.1.1=alice,2.5.4.11=people,dc=example,dc=org",
    "OID.0.9.2342.19200300.100.1.1=alice,ou=people,dc=example,dc=org",
    "uid=\\61lice,ou=people,dc=example,dc=org",
    "uid=\\61\\6c\\69\\63\\65,ou=people,dc=example,dc=org",
    "uid=\\61\\6C\\69\\63\\65,ou=people,dc=example,dc=org",
    "uid=#0405616c696365,ou=people,dc=example,dc=org",
    "uid=#0c05616c696365,ou=people,dc=example,dc=org",
    "uid=#0405616C696365,ou=people,dc=example,dc=org",
    "uid=#04,ou=people,dc=example,dc=org",
    "uid=#,ou=people,dc=example,dc=org",
    "uid=#zz,ou=people,dc=example,dc=org",
    "uid=#0405616c69636500,ou=people,dc=example,dc=org",
    "uid=\\#alice,ou=people,dc=example,dc=org",
    "uid=\\alice,ou=people,dc=example,dc=org",
    "uid=alice\\,ou=people,dc=example,dc=org",
    "uid=alice\\2cou\\3dpeople,dc=example,dc=org",
    "uid=alice\\20,ou=people,dc=example,dc=org",
    "uid=\\20alice,ou=people,dc=example,dc=org",
    "uid=alice\\ ,ou=people,dc=example,dc=org",
    "uid=\\ alice,ou=people,dc=example,dc=org",
    "uid=ali\\ ce,ou=people,dc=example,dc=org",
    "uid=ali ce,ou=people,dc=example,dc=org",
    "uid=al\\c2\\adice,ou=people,dc=example,dc=org",
    "uid=\\ef\\bc\\a1lice,ou=people,dc=example,dc=org",
    "uid=\\ff,ou=people,dc=example,dc=org",
    "uid=al\\00ice,ou=people,dc=example,dc=org",
    "uid=\\e5\\90\\8d,ou=people,dc=example,dc=org",
    "uid=名,ou=people,dc=example,dc=org",
    "uid=a\\\"\\+\\,\\;\\<\\>\\\\\\=,ou=people,dc=example,dc=org",
    "uid=a\"b,ou=people,dc=example,dc=org",
    "uid=a<b,ou=people,dc=example,dc=org",
    "uid=a>b,ou=people,dc=example,dc=org",
    "uid=a=b,ou=people,dc=example,dc=org",
    "uid=a#b,ou=people,dc=example,dc=org",
    "uid=a+b,ou=people,dc=example,dc=org",
    "uid=alice+cn=Alice Liddell,ou=people,dc=example,dc=org",
    "uid=alice+uid=bob,ou=people,dc=example,dc=org",
    "uid=alice+uid=alice,ou=people,dc=example,dc=org",
    "uid=alice+,ou=people,dc=example,dc=org",
    "+uid=alice,ou=people,dc=example,dc=org",
    "uid=,ou=people,dc=example,dc=org",
    "uid,ou=people,dc=example,dc=org",
    "=alice,ou=people,dc=example,dc=org",
    ",ou=people,dc=example,dc=org",
    "uid=alice,,ou=people,dc=example,dc=org",
    "uid=alice,ou=people,dc=example,dc=org,",
    "uid=alice,ou=people,dc=example,dc=org;",
    "u id=alice,ou=people,dc=example,dc=org",
    "1uid=alice,ou=people,dc=example,dc=org",
    "uid;binary=alice,ou=people,dc=example,dc=org",
    "nonesuch=alice,ou=people,dc=example,dc=org",
    "1.2.3.4=alice,ou=people,dc=example,dc=org",
    "uid=nobody,ou=people,dc=example,dc=org",
    "cn=alice,ou=people,dc=example,dc=org",
    "cn=below,uid=alice,ou=people,dc=example,dc=org",
    "cn=admins,ou=groups,dc=example,dc=org",
    "cn=ENGINEERS.eu,ou=groups,dc=example,dc=org",
    "cn=oracle,ou=services,dc=example,dc=org",
    "cn=ppolicy,ou=policies,dc=example,dc=org",
    "ou=nowhere,dc=example,dc=org",
    "cn=deep,ou=er,ou=nowhere,dc=example,dc=org",
    "dc=example,dc=org",
    "dc=org",
    "dc=elsewhere",
    "no name",
];

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    let look = |base: &str, scope| {
        Search::new(base, scope)
            .attributes(&["uid", "cn", "objectClass"])
            .bytes()
    };
    for base in BASES {
        cases.push(Case::operation(
            format!("base <{base}>"),
            look(base, Scope::Base),
        ));
        // The same name as a value.
        let holds = Search::new(BASE, Scope::Sub)
            .filter(tlv(0xa3, &[octets("member"), octets(base)].concat()))
            .attributes(&["1.1"]);
        cases.push(Case::operation(format!("member <{base}>"), holds.bytes()));
        let lacks = Search::new(BASE, Scope::Sub)
            .filter(tlv(0xa2, &holds.filter))
            .attributes(&["1.1"]);
        cases.push(Case::operation(
            format!("no member <{base}>"),
            lacks.bytes(),
        ));
    }
    for base in [
        BASE,
        "ou=people,dc=example,dc=org",
        "ou=groups,dc=example,dc=org",
        "ou=services,dc=example,dc=org",
        "ou=policies,dc=example,dc=org",
        "uid=alice,ou=people,dc=example,dc=org",
        "uid=nobody,ou=people,dc=example,dc=org",
        "ou=nowhere,dc=example,dc=org",
        "",
        "dc=org",
        "cn=subschema",
    ] {
        for asker in [Asker::Service, Asker::User, Asker::Anonymous] {
            // The schema and the root DSE are each server's own.
            let attributes: &[&str] = if base.is_empty() || base == "cn=subschema" {
                &["1.1"]
            } else {
                &["*", "+"]
            };
            for (name, scope) in [("base", 0), ("one", 1), ("sub", 2), ("subordinate", 3)] {
                let operation = scoped(base, scope, attributes);
                cases.push(
                    Case::operation(format!("scope {name} of <{base}> by {asker:?}"), operation)
                        .by(asker),
                );
            }
        }
    }
    cases.extend(limits());
    cases.extend(others_entries());
    cases
}

/// A search of any scope, a wrong one included.
fn scoped(base: &str, scope: u8, attributes: &[&str]) -> Vec<u8> {
    search(base, scope, 0, 0, 0, attributes)
}

fn search(base: &str, scope: u8, deref: u8, size: i32, time: i32, attributes: &[&str]) -> Vec<u8> {
    let names: Vec<Vec<u8>> = attributes.iter().map(octets).collect();
    let content = [
        octets(base),
        tlv(0x0a, &[scope]),
        tlv(0x0a, &[deref]),
        integer(size),
        integer(time),
        tlv(0x01, &[0]),
        filter("(objectClass=*)"),
        tlv(0x30, &names.concat()),
    ];
    tlv(0x63, &content.concat())
}

fn limits() -> Vec<Case> {
    let mut cases = Vec::new();
    for size in [0, 1, 2, 5, 1000, i32::MAX, -1] {
        let operation = search(BASE, 2, 0, size, 0, &["1.1"]);
        cases.push(Case::operation(format!("size limit {size}"), operation).of_any_entries());
    }
    // As many as there are is no excess.
    for size in [1, 2] {
        let operation = search("ou=people,dc=example,dc=org", 0, 0, size, 0, &["1.1"]);
        cases.push(Case::operation(
            format!("size limit {size} of one entry"),
            operation,
        ));
    }
    for time in [1, 1000, i32::MAX, -1] {
        let operation = search(BASE, 2, 0, 0, time, &["1.1"]);
        cases.push(Case::operation(format!("time limit {time}"), operation));
    }
    for deref in 0..=4 {
        let operation = search(BASE, 2, deref, 0, 0, &["1.1"]);
        cases.push(Case::operation(format!("deref {deref}"), operation));
    }
    for scope in [4, 127, 255] {
        cases.push(Case::operation(
            format!("scope {scope}"),
            scoped(BASE, scope, &["1.1"]),
        ));
    }
    cases
}

/// What a user, or nobody, may ask about others.
fn others_entries() -> Vec<Case> {
    let mut cases = Vec::new();
    for asker in [Asker::User, Asker::Anonymous] {
        for (base, scope) in [
            ("uid=bob,ou=people,dc=example,dc=org", Scope::Base),
            ("cn=admins,ou=groups,dc=example,dc=org", Scope::Base),
            ("uid=ALICE, ou=people,dc=example,dc=org", Scope::Base),
            ("no name", Scope::Base),
        ] {
            let operation = Search::new(base, scope).bytes();
            cases.push(Case::operation(format!("read <{base}> by {asker:?}"), operation).by(asker));
        }
        for text in [
            "(uid=alice)",
            "(uid=bob)",
            "(!(uid=alice))",
            "(|(uid=alice)(uid=bob))",
            "(memberOf=cn=admins,ou=groups,dc=example,dc=org)",
            "(userPassword=*)",
        ] {
            let operation = super::whole_tree(filter(text));
            cases.push(
                Case::operation(format!("look for {text} by {asker:?}"), operation).by(asker),
            );
        }
    }
    cases
}
