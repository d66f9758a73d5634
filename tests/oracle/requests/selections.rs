//! Attribute lists: stars, pluses, OIDs, options, classes, repetitions; types without values.

use super::Case;
use crate::client::{Scope, Search};
use crate::common::BASE;

const LISTS: [&[&str]; 46] = [
    &[],
    &["*"],
    &["+"],
    &["*", "+"],
    &["+", "*"],
    &["*", "*"],
    &["1.1"],
    &["1.1", "cn"],
    &["cn", "1.1"],
    &["1.1", "*"],
    &["1.1", "+"],
    &["1.1", "1.1"],
    &["cn"],
    &["CN"],
    &["commonName"],
    &["2.5.4.3"],
    &["cn", "cn"],
    &["cn", "CN", "commonName", "2.5.4.3"],
    &["name"],
    &["name", "cn"],
    &["distinguishedName"],
    &["cn;binary"],
    &["cn;lang-en"],
    &["cn", "cn;lang-en"],
    &["cn;"],
    &["userCertificate;binary"],
    &["nonesuch"],
    &["nonesuch", "cn"],
    &["9.9.9"],
    &["@posixAccount"],
    &["@person"],
    &["@nonesuch"],
    &["!cn"],
    &[""],
    &["", "cn"],
    &["c n"],
    &["*cn"],
    &["memberOf"],
    &["memberof", "*"],
    &["entryUUID", "entryDN", "structuralObjectClass"],
    &["*", "entryDN"],
    &["+", "cn"],
    &["userPassword"],
    &["hasSubordinates", "subschemaSubentry"],
    &["member", "memberUid"],
    &[
        "objectClass",
        "uid",
        "userPassword",
        "uidNumber",
        "gidNumber",
        "gecos",
        "homeDirectory",
        "loginShell",
        "krbPrincipalName",
        "cn",
        "memberOf",
        "modifyTimestamp",
        "shadowLastChange",
        "shadowMin",
        "shadowMax",
        "shadowWarning",
        "shadowInactive",
        "shadowExpire",
        "shadowFlag",
        "krbLastPwdChange",
        "krbPasswordExpiration",
        "pwdAttribute",
        "authorizedService",
        "accountExpires",
        "userAccountControl",
        "nsAccountLock",
        "host",
        "rhost",
        "loginDisabled",
        "loginExpirationTime",
        "loginAllowedTimeMap",
        "sshPublicKey",
        "userCertificate;binary",
        "mail",
    ],
];

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for list in LISTS {
        for types_only in [false, true] {
            let mut search = Search::new(BASE, Scope::Sub).attributes(list);
            search.types_only = types_only;
            let what = if types_only { "types" } else { "values" };
            let name = if list.len() > 6 {
                "those of SSSD".to_owned()
            } else {
                format!("{list:?}")
            };
            cases.push(Case::operation(
                format!("select {what} {name}"),
                search.bytes(),
            ));
        }
    }
    // What the root DSE and the schema say is each server's own; what is asked for is not.
    for (base, list) in [
        ("", &["supportedLDAPVersion"] as &[&str]),
        ("", &["namingContexts"]),
        ("", &["NAMINGCONTEXTS", "1.3.6.1.4.1.1466.101.120.15"]),
        ("", &["objectClass", "nonesuch"]),
        ("", &["altServer"]),
        ("cn=subschema", &["objectClass"]),
        ("cn=subschema", &["cn", "entryDN"]),
    ] {
        let search = Search::new(base, Scope::Base).attributes(list);
        cases.push(Case::operation(
            format!("select of <{base}> <{}>", list.join(" ")),
            search.bytes(),
        ));
    }
    cases
}
