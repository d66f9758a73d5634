//! Filters: each kind by each attribute, plain and negated, and what no table reaches.

use super::{Case, filter, value, whole_tree};
use crate::answers::Entries;
use crate::client::{octets, tlv};
use crate::common::BASE;

/// Attributes with a value that some entry has, or nearly, and one that does not fit the syntax.
const ATTRIBUTES: [(&str, &str, &str); 52] = [
    ("objectClass", "posixAccount", "no class"),
    ("cn", "alice liddell", "\\ff"),
    ("commonName", "ALICE   LIDDELL", "\\ff"),
    ("sn", "liddell", "\\c3\\28"),
    ("name", "alice liddell", "\\ff"),
    ("uid", "ALICE", "\\ff"),
    ("0.9.2342.19200300.100.1.1", "carol.ann", "\\ff"),
    ("mail", "ALICE@example.ORG", "gr\\c3\\a4ce@example.org"),
    ("displayName", "two spaces heidi", "\\ff"),
    ("givenName", "alice", "\\ff"),
    ("uidNumber", "21002", "twenty"),
    ("gidNumber", "20000", "020000"),
    ("homeDirectory", "/home/alice", "/home/gr\\c3\\a4ce"),
    ("loginShell", "/bin/ZSH", "\\ff"),
    ("gecos", "frank, jr. + sons; <f> = #1", "\\ff"),
    ("member", "UID=alice, OU=people,dc=example,dc=org", "alice"),
    (
        "distinguishedName",
        "uid=alice,ou=people,dc=example,dc=org",
        "alice",
    ),
    ("memberOf", "cn=ADMINS,ou=groups,dc=example,dc=org", "cn"),
    ("memberUid", "alice", "gr\\c3\\a4ce"),
    ("description", "gr\\c3\\b6sse matters", "\\ff"),
    (
        "sshPublicKey",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH of the tests",
        "\\ff",
    ),
    ("entryDN", "uid=ALICE,ou=people,dc=example,dc=org", "uid"),
    ("createTimestamp", "20200101000000Z", "yesterday"),
    ("modifyTimestamp", "209901010000Z", "20200230000000Z"),
    ("pwdAccountLockedTime", "000001010000Z", "never"),
    ("pwdChangedTime", "20200101000000Z", "2020"),
    ("nsAccountLock", "true", "\\ff"),
    ("pwdReset", "TRUE", "true"),
    ("pwdLockout", "TRUE", "yes"),
    ("pwdAttribute", "userPassword", "no attribute"),
    ("hasSubordinates", "FALSE", "no"),
    ("structuralObjectClass", "groupOfNames", "no class"),
    ("subschemaSubentry", "CN=subschema", "subschema"),
    ("shadowExpire", "1", "0x1"),
    ("shadowLastChange", "1", "one"),
    ("sudoUser", "alice", "\\ff"),
    ("sudoHost", "db1.Example.org", "gr\\c3\\b6sse"),
    (
        "sudoCommand",
        "/usr/bin/systemctl restart nginx",
        "/bin/gr\\c3\\b6sse",
    ),
    ("sudoRunAs", "postgres", "gr\\c3\\b6sse"),
    ("sudoRunAsUser", "postgres", "\\ff"),
    ("sudoRunAsGroup", "postgres", "\\ff"),
    ("sudoOption", "!authenticate", "gr\\c3\\b6sse"),
    ("sudoOrder", "-7", "-07"),
    ("sudoNotBefore", "20200229000000Z", "2020-02-29"),
    ("sudoNotAfter", "20991231235959Z", "20991331000000Z"),
    ("1.3.6.1.4.1.15953.9.1.1", "Carol.Ann", "\\ff"),
    ("dc", "EXAMPLE", "ex\\c3\\a4mple"),
    ("o", "example", "\\ff"),
    ("ou", "People", "\\ff"),
    ("userPassword", "correct horse battery", "\\ff"),
    ("nonesuch", "any", "\\ff"),
    ("1.2.3.4.5", "any", "\\ff"),
];

/// What stands between an attribute and its value, and around the value.
const KINDS: [(&str, &str, &str); 10] = [
    ("=", "", ""),
    ("~=", "", ""),
    (">=", "", ""),
    ("<=", "", ""),
    ("=", "", "*"),
    ("=*", "", ""),
    ("=", "*", "*"),
    (":=", "", ""),
    (":dn:=", "", ""),
    (":caseIgnoreMatch:=", "", ""),
];

/// What no table reaches: filters by hand.
const BY_HAND: [&str; 141] = [
    // True and false (RFC 4526), and the laws of three values.
    "(&)",
    "(|)",
    "(!(&))",
    "(!(|))",
    "(&(uid=alice)(&))",
    "(|(uid=alice)(|))",
    "(&(uid=alice)(nonesuch=1))",
    "(|(uid=alice)(nonesuch=1))",
    "(&(uid=alice)(!(nonesuch=1)))",
    "(|(uid=alice)(!(nonesuch=1)))",
    "(!(&(uid=alice)(nonesuch=1)))",
    "(!(|(uid=alice)(nonesuch=1)))",
    "(!(&(|)(nonesuch=1)))",
    "(!(|(&)(nonesuch=1)))",
    "(!(!(uid=alice)))",
    "(!(!(nonesuch=1)))",
    "(!(!(!(uid=alice))))",
    "(|(uidNumber=x)(uid=alice))",
    "(!(uidNumber=x))",
    "(&(objectClass=*)(!(objectClass=nosuchclass)))",
    // What clients send.
    "(&(uid=alice)(objectclass=posixAccount)(uid=*)(&(uidNumber=*)(!(uidNumber=0))))",
    "(&(uidNumber=21001)(objectclass=posixAccount)(uid=*)(&(uidNumber=*)(!(uidNumber=0))))",
    "(&(|(krbPrincipalName=alice)(mail=alice@example.org))(objectclass=posixAccount))",
    "(&(cn=admins)(objectClass=posixGroup)(cn=*)(&(gidNumber=*)(!(gidNumber=0))))",
    "(&(memberuid=alice)(objectClass=posixGroup)(cn=*)(&(gidNumber=*)(!(gidNumber=0))))",
    "(&(member=uid=alice,ou=people,dc=example,dc=org)(objectClass=posixGroup)(cn=*))",
    "(|(objectclass=posixAccount)(objectClass=posixGroup))",
    "(&(objectclass=posixAccount)(uid=*)(uidNumber=*)(gidNumber=*))",
    "(&(objectClass=sudoRole)(|(&(!(sudoHost=*))(cn=defaults))(sudoHost=ALL)(sudoHost=host)))",
    "(&(objectClass=posixGroup)(|(memberUid=alice)(member=uid=alice,ou=people,dc=example,dc=org)))",
    "(&(objectClass=shadowAccount)(uid=alice))",
    "(&(objectClass=posixAccount)(modifyTimestamp>=20200101000000Z)(!(modifyTimestamp=20200101000000Z)))",
    "(&(objectClass=inetOrgPerson)(|(mail=alice@example.org)(mailAlternateAddress=alice@example.org)))",
    // Classes: by OID, in any case, by a class above.
    "(objectClass=1.3.6.1.1.1.2.0)",
    "(objectClass=POSIXGROUP)",
    "(objectClass=person)",
    "(objectClass=top)",
    "(objectClass=2.5.6.0)",
    "(objectClass=9.9.9)",
    "(!(objectClass=9.9.9))",
    "(objectClass=posix*)",
    "(objectClass=cn)",
    "(objectClass=caseIgnoreMatch)",
    // Text: escapes, spaces, case, normalisation.
    "(cn=Erin \\5c Backslash)",
    "(cn=\\2astar \\28paren\\29 Mallory)",
    "(cn=*\\2a*)",
    "(cn=Frank, Jr. + Sons; <f> = #1)",
    "(cn=dave \"the knife\" o'neil)",
    "(cn=two spaces heidi)",
    "(cn=  Two    Spaces Heidi  )",
    "(cn=twospaces heidi)",
    "(cn=two*heidi)",
    "(cn=two *heidi)",
    "(cn=two  *  heidi)",
    "(cn=two*spaces*heidi)",
    "(cn=t*o*s*p*h*i)",
    "(cn=*o  S*)",
    "(cn=*oS*)",
    "(cn= two*)",
    "(cn=*heidi )",
    "(cn=* *)",
    "(cn=*  *)",
    "(cn=gr\\c3\\84CE \\c3\\9cN\\c3\\8fC\\c3\\96D\\c3\\89 \\e5\\90\\8d\\e5\\89\\8d)",
    "(cn=*\\e5\\90\\8d*)",
    "(cn=ivan strasse)",
    "(cn=IVAN STRASSE)",
    "(cn=ivan stra\\c3\\9fe)",
    "(cn=IVAN STRA\\e1\\ba\\9eE)",
    "(cn=str\\c3\\b6m decomposed)",
    "(cn=stro\\cc\\88m decomposed)",
    "(cn=alice wide)",
    "(cn=\\ef\\bc\\a1lice wide)",
    "(cn=\\ce\\bf\\ce\\b4\\cf\\85\\cf\\83\\cf\\83\\ce\\b5\\cf\\8d\\cf\\82 \\e1\\bd\\80\\ce\\b4\\cf\\85\\cf\\83\\cf\\83\\ce\\b5\\cf\\8d\\cf\\82)",
    "(cn=izoe i i)",
    "(cn=\\c4\\b0zoe i \\c4\\b1)",
    "(cn=ali\\00ce*)",
    "(cn=alice\\c2\\ad liddell)",
    "(cn=alice\\09liddell)",
    "(cn=)",
    "(uid=)",
    "(!(uid=))",
    "(!(uid=*x))",
    "(!(mail=))",
    "(!(description=\\20))",
    "(!(uidNumber=))",
    "(!(member=))",
    "(!(entryDN=))",
    "(!(objectClass=))",
    "(!(homeDirectory=))",
    "(description=)",
    "(mail=alice@example.org )",
    "(mail=ali*@EXAMPLE*)",
    "(mail=*@*.*)",
    "(description= leading space)",
    "(description=leading space)",
    "(description=12345)",
    "(description>=a)",
    "(cn>=m)",
    "(!(cn>=m))",
    // Numbers and times.
    "(uidNumber=21001)",
    "(uidNumber=021001)",
    "(uidNumber= 21001)",
    "(uidNumber=-21001)",
    "(uidNumber>=-1)",
    "(uidNumber<=99999999999999999999)",
    "(uidNumber>=4294967200)",
    "(&(uidNumber>=21001)(uidNumber<=21002))",
    "(uidNumber=2100*)",
    "(modifyTimestamp>=20200101)",
    "(modifyTimestamp>=202001010000Z)",
    "(modifyTimestamp>=2020010100Z)",
    "(modifyTimestamp>=20200101000000.5Z)",
    "(modifyTimestamp>=20200101000000+0130)",
    "(pwdAccountLockedTime=00000101000000Z)",
    // Extensible.
    "(cn:caseExactMatch:=Alice Liddell)",
    "(cn:caseExactMatch:=alice liddell)",
    "(cn:2.5.13.5:=Alice Liddell)",
    "(cn:2.5.13.2:=alice liddell)",
    "(uidNumber:integerMatch:=21001)",
    "(uidNumber:integerOrderingMatch:=21002)",
    "(uidNumber:caseIgnoreMatch:=21001)",
    "(cn:nosuchrule:=x)",
    "(!(cn:nosuchrule:=x))",
    "(ou:dn:=people)",
    "(dc:dn:=example)",
    "(ou:dn:caseExactMatch:=People)",
    // Rules of sudo, as sudo and SSSD ask for them, and by parts of them.
    "(&(objectClass=sudoRole)(|(sudoUser=alice)(sudoUser=%staff)(sudoUser=%#20000)(sudoUser=ALL)))",
    "(&(objectClass=sudoRole)(sudoUser=*)(sudoUser=+*))",
    "(&(objectClass=sudoRole)(cn=defaults))",
    "(&(objectClass=sudoRole)(|(&(!(sudoHost=*))(cn=defaults))(sudoHost=ALL)(sudoHost=web1)(sudoHost=192.0.2.0/24)(sudoHost=+*)(|(sudoHost=*\\5c*)(sudoHost=*?*)(sudoHost=*\\2a*)(sudoHost=*[*]*))))",
    "(&(objectClass=sudoRole)(|(!(sudoNotAfter=*))(sudoNotAfter>=20260101000000Z))(|(!(sudoNotBefore=*))(sudoNotBefore<=20260101000000Z)))",
    "(&(objectClass=sudoRole)(modifyTimestamp>=20200101000000Z)(!(modifyTimestamp=20200101000000Z)))",
    "(sudoUser=Alice)",
    "(sudoUser=%*)",
    "(sudoUser= alice )",
    "(sudoUser=carol.ann)",
    "(sudoHost=DB1.example.org)",
    "(sudoHost=db1.*.org)",
    "(sudoCommand=/usr/bin/psql -c \\5c\\2a)",
    "(cn=DATABASE)",
    "(sudoOrder>=0)",
];

/// More of them, by extensible match.
const EXTENSIBLE: [&str; 30] = [
    ":dn:caseIgnoreMatch:=people",
    ":distinguishedNameMatch:=uid=alice,ou=people,dc=example,dc=org",
    ":objectIdentifierMatch:=posixGroup",
    ":integerMatch:=21001",
    ":nosuchrule:=x",
    "cn:caseIgnoreSubstringsMatch:=alice",
    "member:distinguishedNameMatch:=uid=alice,ou=people,dc=example,dc=org",
    "mail:caseIgnoreIA5Match:=alice@example.org",
    "mail:caseExactIA5Match:=alice@example.org",
    "uid:caseExactMatch:=Carol.Ann",
    "uid:caseExactMatch:=carol.ann",
    "name:caseExactMatch:=Alice Liddell",
    "cn:generalizedTimeMatch:=x",
    "cn:octetStringMatch:=Alice Liddell",
    // A rule without an attribute: all attributes of its syntax (RFC 4511 section 4.5.1.7.7).
    ":caseExactMatch:=alice",
    ":caseExactMatch:=postgres",
    ":caseIgnoreMatch:=CAROL.ANN",
    ":caseExactIA5Match:=alice",
    ":caseExactIA5Match:=ALL",
    ":caseIgnoreIA5Match:=all",
    ":caseIgnoreIA5Match:=DB1.EXAMPLE.ORG",
    ":generalizedTimeMatch:=20200229000000Z",
    ":octetStringMatch:=alice",
    ":booleanMatch:=TRUE",
    ":integerOrderingMatch:=-6",
    "sudoUser:caseIgnoreMatch:=ALICE",
    "sudoUser:caseExactIA5Match:=alice",
    "sudoHost:caseExactMatch:=ALL",
    "sudoHost:caseIgnoreIA5Match:=all",
    "sudoOrder:integerOrderingMatch:=0",
];

/// What is built of attribute descriptions with options, and of what is no description at all.
const DESCRIPTIONS: [&str; 10] = [
    "cn;binary",
    "cn;lang-en",
    "cn;x-none",
    "userCertificate;binary",
    "CN;",
    ";binary",
    "c n",
    "9cn",
    "",
    "cn=",
];

pub(super) fn all(entries: &Entries) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |text: String| {
        let operation = whole_tree(filter(&text));
        cases.push(Case::operation(format!("filter {text}"), operation));
    };
    for (attribute, good, bad) in ATTRIBUTES {
        for (operator, before, after) in KINDS {
            if operator == "=*" {
                add(format!("({attribute}=*)"));
                add(format!("(!({attribute}=*))"));
                continue;
            }
            for value in [good, bad] {
                let item = format!("({attribute}{operator}{before}{value}{after})");
                add(format!("(!{item})"));
                add(item);
            }
        }
    }
    for text in BY_HAND {
        add(text.to_owned());
    }
    for text in EXTENSIBLE {
        add(format!("({text})"));
        add(format!("(!({text}))"));
    }
    let named =
        |name: &str, bytes: Vec<u8>| Case::operation(format!("filter {name}"), whole_tree(bytes));
    for description in DESCRIPTIONS {
        let equality = tlv(0xa3, &[octets(description), octets("x")].concat());
        let present = tlv(0x87, description.as_bytes());
        cases.extend([
            named(
                &format!("description '{description}' equality"),
                equality.clone(),
            ),
            named(
                &format!("description '{description}' not equality"),
                tlv(0xa2, &equality),
            ),
            named(
                &format!("description '{description}' present"),
                present.clone(),
            ),
            named(
                &format!("description '{description}' not present"),
                tlv(0xa2, &present),
            ),
        ]);
    }
    // Values that differ from run to run.
    for (rdn, attribute) in [
        ("uid=alice", "entryUUID"),
        ("cn=admins", "entryUUID"),
        ("uid=alice", "createTimestamp"),
    ] {
        let own = value(entries, rdn, attribute);
        for (kind, text) in [
            ("equal", format!("({attribute}={own})")),
            ("upper", format!("({attribute}={})", own.to_uppercase())),
            ("not", format!("(!({attribute}={own}))")),
            ("at least", format!("({attribute}>={own})")),
            ("at most", format!("({attribute}<={own})")),
            ("start", format!("({attribute}={}*)", &own[..4])),
        ] {
            let operation = whole_tree(filter(&text));
            cases.push(Case::operation(
                format!("filter {attribute} of {rdn} {kind}"),
                operation,
            ));
        }
    }
    cases.extend(odd_pieces());
    let deep = (0..30).fold(filter("(uid=alice)"), |inner, _| {
        tlv(0xa2, &tlv(0xa0, &inner))
    });
    cases.push(named("thirty negations of a conjunction", deep));
    let wide: Vec<String> = (0..200).map(|n| format!("(uidNumber={n})")).collect();
    let wide = wide.concat();
    cases.push(named(
        "two hundred alternatives",
        filter(&format!("(|{wide}(uid=bob))")),
    ));
    let base = format!("(entryDN:dnSubtreeMatch:=ou=people,{BASE})");
    cases.push(named("dnSubtreeMatch", filter(&base)));
    cases
}

/// Substrings in orders and numbers that RFC 4511 forbids.
fn odd_pieces() -> Vec<Case> {
    let substrings = |pieces: &[(u8, &str)]| {
        let list: Vec<Vec<u8>> = pieces
            .iter()
            .map(|(tag, text)| tlv(*tag, text.as_bytes()))
            .collect();
        tlv(0xa4, &[octets("cn"), tlv(0x30, &list.concat())].concat())
    };
    [
        ("none", substrings(&[])),
        ("empty initial", substrings(&[(0x80, "")])),
        ("empty any", substrings(&[(0x81, "")])),
        ("two initials", substrings(&[(0x80, "a"), (0x80, "l")])),
        ("initial after any", substrings(&[(0x81, "l"), (0x80, "a")])),
        ("any after final", substrings(&[(0x82, "l"), (0x81, "a")])),
        ("two finals", substrings(&[(0x82, "l"), (0x82, "l")])),
        ("unknown piece", substrings(&[(0x83, "l")])),
        (
            "initial any any final",
            substrings(&[(0x80, "AL"), (0x81, "ice"), (0x81, "dd"), (0x82, "LL")]),
        ),
        (
            "overlapping ends",
            substrings(&[(0x80, "alice liddell"), (0x82, "l")]),
        ),
    ]
    .into_iter()
    .map(|(name, bytes)| Case::operation(format!("pieces {name}"), whole_tree(bytes)))
    .collect()
}
