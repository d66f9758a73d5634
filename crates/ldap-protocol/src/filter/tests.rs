//! Filters: the examples of RFC 4515 section 4, what is refused, bytes and text both ways, and
//! their truth for entries.

use proptest::prelude::*;

use super::*;
use crate::attribute::Entry;
use crate::dn::DistinguishedName;
use crate::limits::Limits;
use crate::result::ResultCode;
use crate::schema::{
    COMMON_NAME, DESCRIPTION, DOMAIN_COMPONENT, ENTRY_UUID, MAIL, MEMBER, MEMBER_UID,
    MODIFY_TIMESTAMP, OBJECT_CLASS, PWD_LOCKOUT, SSH_PUBLIC_KEY, SURNAME, UID_NUMBER, USER_ID,
    USER_PASSWORD,
};

fn filter(text: &str) -> Filter {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn examples_of_rfc_4515_section_4() {
    for text in [
        "(cn=Babs Jensen)",
        "(!(cn=Tim Howes))",
        "(&(objectClass=Person)(|(sn=Jensen)(cn=Babs J*)))",
        "(o=univ*of*mich*)",
        "(seeAlso=)",
        "(cn:caseExactMatch:=Fred Flintstone)",
        "(cn:=Betty Rubble)",
        "(sn:dn:2.4.6.8.10:=Barney Rubble)",
        "(o:dn:=Ace Industry)",
        "(:1.2.3:=Wilma Flintstone)",
        "(:dn:2.4.6.8.10:=Dino)",
        "(o=Parens R Us \\28for all your parenthetical needs\\29)",
        "(cn=*\\2a*)",
        "(filename=C:\\5cMyFile)",
        "(bin=\\00\\00\\00\\04)",
        "(sn=Lučić)",
        "(1.3.6.1.4.1.1466.0=\\04\\02Hi)",
        "(&)",
        "(|)",
        "(cn=*)",
        "(cn~=x)",
        "(cn>=x)",
        "(cn<=x)",
        "(userCertificate;binary=*)",
    ] {
        assert_eq!(filter(text).to_string(), text);
    }
    assert_eq!(
        filter("(:DN:2.4.6.8.10:=Dino)"),
        filter("(:dn:2.4.6.8.10:=Dino)")
    );
    assert_eq!(filter("(sn=Lu\\c4\\8di\\c4\\87)"), filter("(sn=Lučić)"));
    assert_eq!(
        filter("(o=univ*of*mich*)"),
        Filter::Substrings(Substrings {
            attribute: "o".into(),
            initial: Some(b"univ".to_vec()),
            any: vec![b"of".to_vec(), b"mich".to_vec()],
            last: None,
        })
    );
    assert_eq!(
        filter("(cn=*\\2A*)"),
        Filter::Substrings(Substrings {
            attribute: "cn".into(),
            initial: None,
            any: vec![b"*".to_vec()],
            last: None,
        })
    );
}

#[test]
fn refused_text() {
    for text in [
        "",
        "cn=a",
        "(cn=a",
        "(cn=a))",
        "()",
        "(=a)",
        "(cn)",
        "(c n=a)",
        "(cn=a(b)",
        "(cn=\\)",
        "(cn=\\4)",
        "(cn=\\zz)",
        "(cn=a**b)",
        "(cn>=a*)",
        "(!)",
        "(!(a=b)(c=d))",
        "(&(a=b)",
        "(:=x)",
        "(::=x)",
        "(:dn:=x)",
        "(cn:a:b:c:=x)",
        "(cn=a\0)",
        " (cn=a)",
        "(cn;=a)",
    ] {
        assert_eq!(
            text.parse::<Filter>(),
            Err(FilterParseError::Malformed),
            "{text}"
        );
    }
    let limits = Limits::default();
    let deep = "(!".repeat(limits.filter_depth) + "(a=b)" + &")".repeat(limits.filter_depth);
    assert_eq!(deep.parse::<Filter>(), Err(FilterParseError::TooDeep));
    let wide = format!("(&{})", "(a=b)".repeat(limits.filter_nodes));
    assert_eq!(wide.parse::<Filter>(), Err(FilterParseError::TooLarge));
}

#[test]
fn refused_bytes() {
    let read = |bytes: &[u8]| Filter::from_ber(bytes, &Limits::default());
    for bytes in [
        &b""[..],
        b"\x30\x00",
        b"\xa2\x00",
        b"\xa2\x06\x87\x01a\x87\x01b",
        b"\xa3\x06\x04\x01a\x04\x01",
        b"\xa3\x03\x04\x01a",
        b"\xa3\x08\x04\x01a\x04\x01b\x04\x00",
        b"\x87\x01\xff",
        // No piece, an empty one, two starts, a start after a middle, a piece after the end.
        b"\xa4\x05\x04\x01a\x30\x00",
        b"\xa4\x07\x04\x01a\x30\x02\x81\x00",
        b"\xa4\x0b\x04\x01a\x30\x06\x80\x01b\x80\x01c",
        b"\xa4\x0b\x04\x01a\x30\x06\x81\x01b\x80\x01c",
        b"\xa4\x0b\x04\x01a\x30\x06\x82\x01b\x81\x01c",
        // Neither rule nor attribute, and no value.
        b"\xa9\x03\x83\x01a",
        b"\xa9\x03\x82\x01a",
        b"\x87\x01a\x00",
    ] {
        assert_eq!(
            read(bytes),
            Err(FilterDecodeError::Malformed),
            "{bytes:02x?}"
        );
    }
}

#[test]
fn a_log_line_shows_no_password_and_stays_one_line() {
    let shown = |text: &str| filter(text).for_log().to_string();
    assert_eq!(
        shown("(|(userPassword=hunter2)(2.5.4.35=h*r2)(userpassword:octetStringMatch:=hunter2))"),
        "(|(userPassword=…)(2.5.4.35=…*…)(userpassword:octetStringMatch:=…))"
    );
    assert_eq!(shown("(userPassword;x-a=hunter2)"), "(userPassword;x-a=…)");
    assert_eq!(
        shown("(:octetStringMatch:=hunter2)"),
        "(:octetStringMatch:=…)"
    );
    assert_eq!(shown("(cn=hunter2)"), "(cn=hunter2)");
    let forged = Filter::equality("cn\n)(uid", b"a\nb\xff".to_vec());
    assert_eq!(forged.to_string(), "(cn\\0a\\29\\28uid=a\\0ab\\ff)");
}

fn alice() -> Entry {
    Entry::new(DistinguishedName::parse("uid=alice,ou=people,dc=example,dc=org").unwrap())
        .with(&OBJECT_CLASS, "top")
        .with(&OBJECT_CLASS, "posixAccount")
        .with(&USER_ID, "alice")
        .with(&COMMON_NAME, "Alice  van Dyke")
        .with(&SURNAME, "Dyke")
        .with(&MAIL, "Alice@Example.org")
        .with(&UID_NUMBER, "20000")
        .with(&MEMBER, "UID=Bob,ou=people,dc=example,dc=org")
        .with(&MEMBER_UID, "bob")
        .with(&MODIFY_TIMESTAMP, "20260102030405Z")
        .with(&ENTRY_UUID, "597ae2f6-16a6-1027-98f4-abcdefabcdef")
        .with(&PWD_LOCKOUT, "TRUE")
        .with(&SSH_PUBLIC_KEY, "ssh-ed25519 AAAA")
        .with(&USER_PASSWORD, "hunter2")
}

fn holds(text: &str) -> Truth {
    evaluate(&filter(text), &alice())
}

#[test]
fn truth_by_matching_rule() {
    for text in [
        "(uid=ALICE)",
        "(userid= alice )",
        "(0.9.2342.19200300.100.1.1=alice)",
        "(cn=alice van dyke)",
        "(cn=ＡLICE\u{a0}VAN DYKE)",
        "(mail=alice@example.ORG)",
        "(uidNumber=20000)",
        "(uidNumber>=20000)",
        "(uidNumber>=-3)",
        "(uidNumber<=20000)",
        "(memberUid=bob)",
        "(member=uid=bob, ou=people, dc=example, dc=org)",
        "(modifyTimestamp>=20260102030405Z)",
        "(modifyTimestamp>=20260102020405-0100)",
        "(modifyTimestamp<=20270101000000Z)",
        "(entryUUID=597AE2F6-16A6-1027-98F4-ABCDEFABCDEF)",
        "(pwdLockout=TRUE)",
        "(sshPublicKey=ssh-ed25519 AAAA)",
        "(objectClass=POSIXACCOUNT)",
        "(objectClass=1.3.6.1.1.1.2.0)",
        "(objectClass=*)",
        "(uid~=alice)",
        "(uid=al*)",
        "(uid=*i*e)",
        "(cn=alice *)",
        "(cn=* van *)",
        "(cn=* dyke)",
        "(cn=*ali*ce*dyke)",
        "(name=dyke)",
        "(name=*)",
        "(!(description=x))",
        "(!(description=*))",
        "(&)",
        "(&(uid=alice)(uidNumber=*))",
        "(|(foo=bar)(uid=alice))",
    ] {
        assert_eq!(holds(text), Truth::True, "{text}");
    }
    for text in [
        "(uid=bob)",
        "(uidNumber=2000)",
        "(uidNumber>=20001)",
        "(uidNumber<=3)",
        "(memberUid=Bob)",
        "(sshPublicKey=SSH-ed25519 AAAA)",
        "(pwdLockout=FALSE)",
        "(objectClass=posixGroup)",
        "(member=uid=eve,ou=people,dc=example,dc=org)",
        "(modifyTimestamp<=20260102030404Z)",
        "(uid=ali*ice)",
        "(uid=*x*)",
        "(cn=alicev*)",
        "(cn=*icevan*)",
        "(description=x)",
        "(description=*)",
        "(!(uid=alice))",
        "(|)",
        "(&(uid=alice)(uid=bob))",
        "(&(foo=bar)(uid=bob))",
    ] {
        assert_eq!(holds(text), Truth::False, "{text}");
    }
}

#[test]
fn what_cannot_be_said_is_undefined_also_when_negated() {
    for text in [
        // Unknown attributes and options, and what nobody may read.
        "(foo=bar)",
        "(foo=*)",
        "(uid;binary=alice)",
        "(userPassword=hunter2)",
        "(userPassword=*)",
        "(userPassword:octetStringMatch:=hunter2)",
        "(2.5.4.35=x)",
        // Values that do not fit.
        "(uidNumber=abc)",
        "(uidNumber=020000)",
        "(member=bob)",
        "(modifyTimestamp>=yesterday)",
        "(entryUUID=1)",
        "(pwdLockout=yes)",
        "(uid=)",
        "(cn:caseExactMatch:=)",
        "(objectClass=automount)",
        "(memberUid=b\\c3\\b6b)",
        "(cn=\\ff)",
        // Rules that the attribute does not have.
        "(uid>=a)",
        "(cn<=a)",
        "(uidNumber=2*)",
        "(member=uid*)",
        "(cn:integerMatch:=5)",
        "(mail:caseIgnoreMatch:=alice@example.org)",
        "(cn:1.2.840.113556.1.4.803:=2)",
        "(cn:caseIgnoreSubstringsMatch:=a)",
        "(&(uid=alice)(foo=bar))",
        "(|(uid=bob)(foo=bar))",
    ] {
        assert_eq!(holds(text), Truth::Undefined, "{text}");
        assert_eq!(holds(&format!("(!{text})")), Truth::Undefined, "(!{text})");
    }
}

#[test]
fn the_filters_that_sssd_sends() {
    assert_eq!(
        holds("(&(uid=alice)(objectclass=posixAccount)(uid=*)(&(uidNumber=*)(!(uidNumber=0))))"),
        Truth::True
    );
    assert_eq!(
        holds("(&(|(krbPrincipalName=alice)(mail=alice@example.org))(objectclass=posixAccount))"),
        Truth::True
    );
    assert_eq!(
        holds("(&(modifyTimestamp>=20260101000000Z)(!(modifyTimestamp=20260101000000Z)))"),
        Truth::True
    );
    assert!(!holds("(&(objectClass=sudoRole)(|(sudoHost=ALL)(!(sudoHost=*))))").is_true());
}

#[test]
fn a_filter_over_many_values_stops_where_it_may_do_no_more() {
    let mut group = Entry::new("cn=all,dc=example".parse().unwrap());
    group.add_all(&MEMBER_UID, (0..10_000).map(|number| format!("u{number}")));
    let terms: Vec<String> = (0..100)
        .map(|number| format!("(memberUid=x{number})"))
        .collect();
    let terms = terms.concat();
    let matcher = Matcher::new(&filter(&format!("(|{terms}(memberUid=u9999))")));
    let mut progress = Progress::new();
    let (mut portions, portion) = (0, 64 * 1024);
    let truth = loop {
        progress.allow(portion);
        if let Some(truth) = matcher.advance(&group, &mut progress) {
            break truth;
        }
        assert_eq!(progress.left(), 0);
        portions += 1;
    };
    assert_eq!(truth, Truth::True);
    let work = 101 * 10_000 * (VALUE_WORK + "u9999".len());
    assert!(
        portions > work / portion / 2 && portions < work / portion * 2,
        "{portions}"
    );
}

#[test]
fn what_a_filter_asks_for_is_known_before() {
    let asks = |text: &str| Matcher::new(&filter(text)).asks(&MEMBER);
    for text in [
        "(member=uid=a,dc=x)",
        "(!(member=*))",
        "(&(cn=a)(|(cn=b)(member:dn:=uid=a)))",
        "(:distinguishedNameMatch:=uid=a)",
    ] {
        assert!(asks(text), "{text}");
    }
    for text in [
        "(cn=a)",
        "(memberUid=a)",
        "(:caseIgnoreMatch:=a)",
        "(member=nonsense)",
        "(&)",
    ] {
        assert!(!asks(text), "{text}");
    }
}

#[test]
fn extensible_matches() {
    for text in [
        "(cn:=alice van dyke)",
        "(uid:caseExactMatch:=alice)",
        "(uid:2.5.13.5:=alice)",
        "(:caseIgnoreMatch:=ALICE)",
        "(:integerMatch:=20000)",
        "(ou:dn:=PEOPLE)",
        "(dc:dn:=example)",
        "(ou:dn:caseExactMatch:=people)",
        "(:dn:caseIgnoreMatch:=people)",
        "(uidNumber:integerOrderingMatch:=20001)",
        "(mail:caseIgnoreIA5Match:=alice@example.org)",
    ] {
        assert_eq!(holds(text), Truth::True, "{text}");
    }
    for text in [
        "(uid:caseExactMatch:=Alice)",
        "(ou:=people)",
        "(ou:dn:caseExactMatch:=PEOPLE)",
        "(:caseIgnoreMatch:=people)",
        "(:caseIgnoreMatch:=hunter2)",
        "(:octetStringMatch:=hunter2)",
        "(uidNumber:integerOrderingMatch:=20000)",
    ] {
        assert_eq!(holds(text), Truth::False, "{text}");
    }
}

/// An entry whose `description` the client may not read.
struct Veiled(Entry);

impl AttributeSource for Veiled {
    fn dn(&self) -> &DistinguishedName {
        AttributeSource::dn(&self.0)
    }

    fn values(&self, attribute: &'static schema::AttributeType) -> Values<'_> {
        if attribute == &DESCRIPTION {
            Values::Unreadable
        } else {
            self.0.values(attribute)
        }
    }

    fn attributes(&self) -> Vec<&'static schema::AttributeType> {
        self.0.attributes()
    }
}

#[test]
fn an_unreadable_attribute_tells_nothing() {
    let entry = Veiled(alice().with(&DESCRIPTION, "secret"));
    for text in [
        "(description=secret)",
        "(description=*)",
        "(description=s*)",
        "(description=no)",
    ] {
        assert_eq!(evaluate(&filter(text), &entry), Truth::Undefined, "{text}");
        assert_eq!(
            evaluate(&filter(&format!("(!{text})")), &entry),
            Truth::Undefined
        );
    }
    assert!(!evaluate(&filter("(:caseIgnoreMatch:=secret)"), &entry).is_true());
    assert_eq!(
        compare(&entry, "description", b"secret"),
        ResultCode::NoSuchAttribute
    );
}

#[test]
fn comparisons() {
    let entry = alice();
    for (attribute, value, code) in [
        ("UID", "ALICE", ResultCode::CompareTrue),
        ("uid", "bob", ResultCode::CompareFalse),
        ("description", "x", ResultCode::NoSuchAttribute),
        ("userPassword", "hunter2", ResultCode::NoSuchAttribute),
        // RFC 4511 section 4.10: a value of the attribute or of a subtype.
        ("name", "ALICE van dyke", ResultCode::CompareTrue),
        ("name", "bob", ResultCode::CompareFalse),
        ("distinguishedName", "uid=alice", ResultCode::CompareFalse),
        ("foo", "x", ResultCode::UndefinedAttributeType),
        ("uid;binary", "x", ResultCode::UndefinedAttributeType),
        ("uidNumber", "x", ResultCode::InvalidAttributeSyntax),
        ("uid", "", ResultCode::InvalidAttributeSyntax),
    ] {
        assert_eq!(
            compare(&entry, attribute, value.as_bytes()),
            code,
            "{attribute}={value}"
        );
    }
}

#[test]
fn negative_and_huge_numbers_are_ordered() {
    let entry = Entry::new(DistinguishedName::root())
        .with(&UID_NUMBER, "-5")
        .with(&DOMAIN_COMPONENT, "a");
    assert_eq!(evaluate(&filter("(uidNumber<=-4)"), &entry), Truth::True);
    assert_eq!(evaluate(&filter("(uidNumber>=-4)"), &entry), Truth::False);
    assert_eq!(
        evaluate(&filter("(uidNumber<=99999999999999999999)"), &entry),
        Truth::True
    );
}

fn description() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z][a-zA-Z0-9-]{0,8}",
        "[12]\\.[1-9][0-9]{0,3}",
        "[a-z]{2,4};[a-z-]{1,5}"
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..8),
        "\\PC{0,8}|[*()\\\\ \u{0}a]{0,5}".prop_map(String::into_bytes),
    ]
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    value().prop_filter("pieces are not empty", |piece| !piece.is_empty())
}

fn assertion() -> impl Strategy<Value = Assertion> {
    (description(), value()).prop_map(|(attribute, value)| Assertion { attribute, value })
}

fn any_filter() -> impl Strategy<Value = Filter> {
    let pieces = (
        description(),
        proptest::option::of(piece()),
        proptest::collection::vec(piece(), 0..3),
        proptest::option::of(piece()),
    );
    let pieces = pieces.prop_filter_map("a piece", |(attribute, initial, any, last)| {
        let some = initial.is_some() || !any.is_empty() || last.is_some();
        some.then_some(Filter::Substrings(Substrings {
            attribute,
            initial,
            any,
            last,
        }))
    });
    let rule = "[a-ce-z][a-zA-Z0-9-]{0,8}|2\\.5\\.13\\.[1-9]";
    let extensible = (
        proptest::option::of(rule),
        proptest::option::of(description()),
        value(),
        any::<bool>(),
    );
    let extensible = extensible.prop_filter_map(
        "a rule or an attribute",
        |(rule, attribute, value, dn_attributes)| {
            let some = rule.is_some() || attribute.is_some();
            some.then_some(Filter::Extensible(Extensible {
                rule,
                attribute,
                value,
                dn_attributes,
            }))
        },
    );
    let leaf = prop_oneof![
        assertion().prop_map(Filter::Equality),
        assertion().prop_map(Filter::GreaterOrEqual),
        assertion().prop_map(Filter::LessOrEqual),
        assertion().prop_map(Filter::Approximate),
        description().prop_map(Filter::Present),
        pieces,
        extensible,
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Filter::And),
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Filter::Or),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

proptest! {
    #[test]
    fn text_is_read_back(filter in any_filter()) {
        prop_assert_eq!(filter.to_string().parse::<Filter>(), Ok(filter));
    }

    #[test]
    fn bytes_are_read_back(filter in any_filter()) {
        prop_assert_eq!(Filter::from_ber(&filter.to_ber(), &Limits::default()), Ok(filter));
    }

    #[test]
    fn not_is_its_own_inverse_and_de_morgan_holds(left in any_filter(), right in any_filter()) {
        let entry = alice();
        let not = |filter: &Filter| Filter::Not(Box::new(filter.clone()));
        prop_assert_eq!(evaluate(&not(&not(&left)), &entry), evaluate(&left, &entry));
        let both = Filter::And(vec![left.clone(), right.clone()]);
        let either = Filter::Or(vec![not(&left), not(&right)]);
        prop_assert_eq!(evaluate(&not(&both), &entry), evaluate(&either, &entry));
    }

    #[test]
    fn in_portions_it_is_as_true_as_at_once(filter in any_filter(), portion in 1_usize..500) {
        let mut entry = alice();
        entry.add_all(&MEMBER, (0..5).map(|number| format!("uid=u{number},dc=example")));
        entry.add_all(&MEMBER_UID, (0..5).map(|number| format!("u{number}")));
        let matcher = Matcher::new(&filter);
        let mut progress = Progress::new();
        let mut portions = 0;
        let truth = loop {
            progress.allow(portion);
            if let Some(truth) = matcher.advance(&entry, &mut progress) {
                break truth;
            }
            portions += 1;
            prop_assert!(portions < 100_000);
        };
        prop_assert_eq!(truth, matcher.evaluate(&entry));
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,40}|[(&|!)a=*:~<>\\\\0-9]{0,40}") {
        if let Ok(filter) = text.parse::<Filter>() {
            prop_assert_eq!(filter.to_string().parse::<Filter>(), Ok(filter));
        }
    }

    #[test]
    fn a_piece_of_a_value_is_found_in_it(
        before in "[a-zA-Z ]{0,6}", piece in "[a-zA-Z]{1,4}", after in "[a-zA-Z ]{0,6}",
    ) {
        let entry = Entry::new(DistinguishedName::root())
            .with(&COMMON_NAME, format!("{before}{piece}{after}"));
        let search = |initial: bool, last: bool| {
            evaluate(&Filter::Substrings(Substrings {
                attribute: "cn".into(),
                initial: initial.then(|| format!("{before}{piece}").into_bytes()),
                any: if initial || last { vec![] } else { vec![piece.clone().into_bytes()] },
                last: last.then(|| format!("{piece}{after}").into_bytes()),
            }), &entry)
        };
        prop_assert_eq!(search(false, false), Truth::True);
        prop_assert_eq!(search(true, false), Truth::True);
        prop_assert_eq!(search(false, true), Truth::True);
    }
}
