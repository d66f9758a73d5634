//! Compares: true, false, absent, undefined, of the wrong syntax, of nothing.

use super::{Asker, Case, value};
use crate::answers::Entries;
use crate::client::{compare, octets, tlv};

const ALICE: &str = "uid=alice,ou=people,dc=example,dc=org";
const ADMINS: &str = "cn=admins,ou=groups,dc=example,dc=org";

const DATABASE: &str = "cn=Database,ou=sudoers,dc=example,dc=org";

const ASSERTIONS: [(&str, &str, &str); 80] = [
    (ALICE, "uid", "alice"),
    (ALICE, "UID", "ALICE"),
    (ALICE, "userid", "alice"),
    (ALICE, "0.9.2342.19200300.100.1.1", "alice"),
    (ALICE, "uid", "bob"),
    (ALICE, "uid", ""),
    (ALICE, "cn", "alice   LIDDELL"),
    (ALICE, "cn", " alice liddell "),
    (ALICE, "cn", "aliceliddell"),
    (ALICE, "name", "alice liddell"),
    (ALICE, "name", "nobody"),
    (ALICE, "mail", "ALICE@EXAMPLE.ORG"),
    (ALICE, "mail", "gräce@example.org"),
    (ALICE, "uidNumber", "21001"),
    (ALICE, "uidNumber", "021001"),
    (ALICE, "uidNumber", "x"),
    (ALICE, "uidNumber", ""),
    (ALICE, "uidNumber", "99999999999999999999999999"),
    (ALICE, "homeDirectory", "/home/alice"),
    (ALICE, "homeDirectory", "/HOME/alice"),
    (ALICE, "objectClass", "posixAccount"),
    (ALICE, "objectClass", "POSIXACCOUNT"),
    (ALICE, "objectClass", "1.3.6.1.1.1.2.0"),
    (ALICE, "objectClass", "posixGroup"),
    (ALICE, "objectClass", "nonesuch"),
    (ALICE, "objectClass", "9.9.9"),
    (ALICE, "memberOf", "CN=admins, ou=groups,dc=example,dc=org"),
    (ALICE, "memberOf", "cn=shout,ou=groups,dc=example,dc=org"),
    (ALICE, "memberOf", "no name"),
    (ALICE, "entryDN", "UID=alice,ou=people,dc=example,dc=org"),
    (ALICE, "entryDN", "no name"),
    (ALICE, "entryUUID", "00000000-0000-0000-0000-000000000000"),
    (ALICE, "entryUUID", "x"),
    (ALICE, "hasSubordinates", "FALSE"),
    (ALICE, "hasSubordinates", "TRUE"),
    (ALICE, "hasSubordinates", "false"),
    (ALICE, "subschemaSubentry", "CN=Subschema"),
    (ALICE, "structuralObjectClass", "inetOrgPerson"),
    (ALICE, "createTimestamp", "20200101000000Z"),
    (ALICE, "createTimestamp", "x"),
    (ALICE, "givenName", "alice"),
    (ALICE, "telephoneNumber", "1"),
    (ALICE, "description", "x"),
    (ALICE, "sshPublicKey", "x"),
    (ALICE, "pwdAccountLockedTime", "000001010000Z"),
    (ALICE, "pwdReset", "TRUE"),
    (ALICE, "userPassword", "correct horse battery"),
    (ALICE, "userPassword", "wrong"),
    (ALICE, "nonesuch", "x"),
    (ALICE, "1.2.3.4", "x"),
    (ALICE, "cn;binary", "x"),
    (ALICE, "cn;lang-en", "x"),
    (ALICE, "c n", "x"),
    (ALICE, "", "x"),
    (ALICE, "*", "x"),
    (ADMINS, "member", "UID=alice,OU=people,dc=example,dc=org"),
    (ADMINS, "member", "uid=zoe,ou=people,dc=example,dc=org"),
    (ADMINS, "member", "alice"),
    (ADMINS, "memberUid", "alice"),
    (ADMINS, "memberUid", "ALICE"),
    (ADMINS, "description", "Admins, \"quoted\" \\ and (parens)*"),
    (DATABASE, "sudoUser", "alice"),
    (DATABASE, "sudoUser", "ALICE"),
    (DATABASE, "sudoUser", "%Engineers.EU"),
    (DATABASE, "sudoHost", "db1.Example.org"),
    (DATABASE, "sudoHost", "DB1.example.org"),
    (DATABASE, "sudoCommand", "/usr/bin/psql -c \\*"),
    (DATABASE, "sudoRunAsUser", "postgres"),
    (DATABASE, "sudoRunAs", "postgres"),
    (DATABASE, "sudoOrder", "-7"),
    (DATABASE, "sudoOrder", "-07"),
    (DATABASE, "sudoNotBefore", "202002290000Z"),
    (DATABASE, "sudoNotAfter", "later"),
    (DATABASE, "sudoOption", "gr\u{fc}n"),
    (DATABASE, "structuralObjectClass", "sudoRole"),
    ("uid=nobody,ou=people,dc=example,dc=org", "uid", "nobody"),
    ("uid=nobody,ou=people,dc=example,dc=org", "nonesuch", "x"),
    ("dc=elsewhere", "dc", "elsewhere"),
    ("no name", "uid", "x"),
    ("cn=oracle,ou=services,dc=example,dc=org", "cn", "oracle"),
];

pub(super) fn all(entries: &Entries) -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, attribute, value) in ASSERTIONS {
        cases.push(Case::operation(
            format!("compare <{name}> {attribute}={value}"),
            compare(name, attribute, value),
        ));
    }
    for (name, attribute, value) in [
        ("", "supportedLDAPVersion", "3"),
        ("", "supportedLDAPVersion", "2"),
        ("", "objectClass", "top"),
        ("", "nonesuch", "x"),
        ("cn=subschema", "objectClass", "subschema"),
        ("cn=subschema", "cn", "SUBSCHEMA"),
        ("ou=people,dc=example,dc=org", "ou", "people"),
        (ALICE, "uid", "alice"),
        (ALICE, "uid", "bob"),
        (ALICE, "userPassword", "correct horse battery"),
        (ALICE, "nonesuch", "x"),
        ("uid=bob,ou=people,dc=example,dc=org", "uid", "bob"),
        ("uid=nobody,ou=people,dc=example,dc=org", "uid", "nobody"),
    ] {
        for asker in [Asker::User, Asker::Anonymous] {
            let operation = compare(name, attribute, value);
            cases.push(
                Case::operation(
                    format!("compare <{name}> {attribute}={value} by {asker:?}"),
                    operation,
                )
                .by(asker),
            );
        }
    }
    let uuid = value(entries, "uid=alice", "entryUUID");
    cases.push(Case::operation(
        "compare the entryUUID of alice",
        compare(ALICE, "entryUUID", &uuid.to_uppercase()),
    ));
    let bytes = tlv(0x30, &[octets("cn"), octets([0xff, 0xfe])].concat());
    cases.push(Case::operation(
        "compare cn with no UTF-8",
        tlv(0x6e, &[octets(ALICE), bytes].concat()),
    ));
    cases
}
