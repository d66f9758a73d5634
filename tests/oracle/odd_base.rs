//! A base whose name needs every escape: all names under it hold it, so that both servers write
//! such names, and read each other's spellings.

use std::collections::BTreeMap;

use crate::answers::{Entries, entry};
use crate::client::{Client, Scope, Search, bind, octets, tlv};
use crate::common::PASSWORD;
use crate::slapd::Slapd;
use crate::{population, slapd};

/// As an administrator writes it.
const BASE: &str = r#"o=\#Söhne \, Töchter \+ \"Ltd\" \<3\> \; a\\b\ ,dc=example"#;

/// The same name in other spellings.
const SPELLINGS: [&str; 4] = [
    r"o=\23S\C3\B6hne \2C T\c3\b6chter \2b \22Ltd\22 \3c3\3e \3B a\5Cb\20,dc=example",
    r#"O = \#söhne   \,   töchter \+ \"ltd\" \<3\> \; A\\B\  , DC=EXAMPLE"#,
    r"2.5.4.10=\#So\cc\88hne \, T\c3\b6chter \+ \22Ltd\22 \<3\> \; a\\b,0.9.2342.19200300.100.1.25=example",
    r#"organizationName=\#SÖHNE \, TÖCHTER \+ \"LTD\" \<3\> \; a\5cb\ ,domainComponent=Example"#,
];

#[test]
fn names_of_every_escape_are_read_and_written_alike() {
    let scratch = tempfile::tempdir().unwrap();
    let test = "odd_base::names_of_every_escape_are_read_and_written_alike";
    if !slapd::is_there(test, &scratch) {
        return;
    }
    let gateway = population::gateway(BASE);
    let ours = population::read(gateway.hosts, BASE);
    let mut address = gateway.hosts;
    address.set_port(10389);
    let slapd = Slapd::start(address, BASE, &population::ldif(&ours, BASE));
    let theirs = population::read(slapd.address, BASE);
    assert_eq!(canonical_names(&ours), canonical_names(&theirs));
    assert!(ours.len() > 30);

    // Each understands the other's spelling, and those between: as a name to bind with, as a base
    // and as a value.
    let written = |entries: &Entries| {
        let name = entries.keys().find(|name| name.starts_with("o="));
        name.unwrap().clone()
    };
    let mut spellings: Vec<String> = SPELLINGS.iter().map(|&name| name.to_owned()).collect();
    spellings.extend([written(&ours), written(&theirs)]);
    for server in [gateway.hosts, slapd.address] {
        for base in &spellings {
            let mut client = Client::connect(server);
            let alice = format!("uid=alice,ou=people,{base}");
            for name in [&alice, &population::service(base)] {
                let bound = client.ask(&bind(name, PASSWORD));
                assert_eq!(bound.code(), 0, "{server}: {name}");
            }
            let all = Search::new(base, Scope::Sub).attributes(&["1.1"]);
            let (found, done) = client.search(&all);
            assert_eq!(
                (found.len(), done.code()),
                (ours.len(), 0),
                "{server}: {base}"
            );
            let holds = tlv(0xa3, &[octets("member"), octets(&alice)].concat());
            let (found, _) = client.search(&all.filter(holds));
            let groups: Vec<String> = found.iter().map(|found| entry(found).0).collect();
            assert_eq!(groups.len(), 5, "{server}: {base}: {groups:?}");
        }
    }
}

/// The entries with all names in one spelling.
fn canonical_names(entries: &Entries) -> Entries {
    let mut out = Entries::new();
    for (name, attributes) in entries {
        let mut spelled = BTreeMap::new();
        for (kind, values) in attributes {
            let values = if matches!(kind.as_str(), "member" | "memberOf" | "entryDN") {
                values.iter().map(|value| canonical(value)).collect()
            } else {
                values.clone()
            };
            spelled.insert(kind.clone(), values);
        }
        out.insert(canonical(name), spelled);
    }
    out
}

/// One spelling: all characters of values but letters and digits in hexadecimal.
fn canonical(name: &str) -> String {
    let mut bytes = name.bytes();
    let mut out = Vec::new();
    let mut in_value = false;
    while let Some(byte) = bytes.next() {
        match byte {
            b',' | b'+' => {
                in_value = false;
                out.push(byte);
            }
            b'=' if !in_value => {
                in_value = true;
                out.push(byte);
            }
            b'\\' => {
                let first = bytes.next().unwrap();
                let escaped = match char::from(first).to_digit(16) {
                    Some(high) => {
                        let low = bytes.next().unwrap();
                        let low = char::from(low).to_digit(16).unwrap();
                        u8::try_from(high << 4 | low).unwrap()
                    }
                    None => first,
                };
                put(&mut out, escaped);
            }
            other => put(&mut out, other),
        }
    }
    String::from_utf8(out).unwrap()
}

fn put(out: &mut Vec<u8>, byte: u8) {
    if byte.is_ascii_alphanumeric() || !byte.is_ascii() {
        out.push(byte);
    } else {
        out.extend(format!("\\{byte:02x}").bytes());
    }
}
