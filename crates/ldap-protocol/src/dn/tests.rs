//! Names: the examples of RFC 4514 section 4, what is refused, and what is one name.

use proptest::prelude::*;

use super::*;
use crate::schema::{COMMON_NAME, DOMAIN_COMPONENT, ORGANIZATIONAL_UNIT, USER_ID};

fn dn(text: &str) -> DistinguishedName {
    DistinguishedName::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn values(text: &str) -> Vec<Vec<(String, Option<String>)>> {
    let part = |part: &NamePart| (part.attribute().to_owned(), part.text().map(str::to_owned));
    dn(text)
        .rdns()
        .iter()
        .map(|rdn| rdn.parts().iter().map(part).collect())
        .collect()
}

fn pair(attribute: &str, value: &str) -> (String, Option<String>) {
    (attribute.to_owned(), Some(value.to_owned()))
}

#[test]
fn examples_of_rfc_4514_section_4() {
    assert_eq!(
        values("UID=jsmith,DC=example,DC=net"),
        [
            [pair("uid", "jsmith")],
            [pair("dc", "example")],
            [pair("dc", "net")]
        ]
    );
    assert_eq!(
        values("OU=Sales+CN=J.  Smith,DC=example,DC=net"),
        [
            vec![pair("ou", "Sales"), pair("cn", "J.  Smith")],
            vec![pair("dc", "example")],
            vec![pair("dc", "net")],
        ]
    );
    assert_eq!(
        values("CN=James \\\"Jim\\\" Smith\\, III,DC=example,DC=net")
            .first()
            .unwrap(),
        &[pair("cn", "James \"Jim\" Smith, III")]
    );
    assert_eq!(
        values("CN=Before\\0dAfter,DC=example,DC=net")
            .first()
            .unwrap(),
        &[pair("cn", "Before\rAfter")]
    );
    assert_eq!(
        values("1.3.6.1.4.1.1466.0=#04024869"),
        [[pair("1.3.6.1.4.1.1466.0", "Hi")]]
    );
    assert_eq!(values("CN=Lu\\C4\\8Di\\C4\\87"), [[pair("cn", "Lučić")]]);
}

#[test]
fn escapes_and_spaces() {
    assert_eq!(values("cn=\\ a\\ "), [[pair("cn", " a ")]]);
    assert_eq!(values("cn= a b  "), [[pair("cn", "a b")]]);
    assert_eq!(values("cn=a\\  "), [[pair("cn", "a ")]]);
    assert_eq!(values("cn=\\23a"), [[pair("cn", "#a")]]);
    assert_eq!(values("cn=\\#a"), [[pair("cn", "#a")]]);
    assert_eq!(values("cn=a=b#c"), [[pair("cn", "a=b#c")]]);
    assert_eq!(values("uid=al\\2cice\\3d\\2B"), [[pair("uid", "al,ice=+")]]);
    assert_eq!(values("cn="), [[pair("cn", "")]]);
    assert_eq!(
        values(" ou = people , dc = example + o = Example "),
        [
            vec![pair("ou", "people")],
            vec![pair("dc", "example"), pair("o", "Example")]
        ]
    );
    assert!(dn("").is_root());
    assert!(dn("  ").is_root());
    assert_eq!(
        dn("cn=a\\00b").rdn().unwrap().value(&COMMON_NAME),
        Some("a\0b")
    );
}

#[test]
fn refused_text() {
    for (text, error) in [
        ("alice", DnError::MissingEquals),
        ("=a", DnError::AttributeType),
        ("c n=a", DnError::MissingEquals),
        ("1=a", DnError::AttributeType),
        ("1.02=a", DnError::AttributeType),
        ("cn;x=a", DnError::MissingEquals),
        ("cn=a,", DnError::AttributeType),
        (",cn=a", DnError::AttributeType),
        ("cn=a,,dc=b", DnError::AttributeType),
        ("cn=a+", DnError::AttributeType),
        ("cn=a;dc=b", DnError::Value),
        ("cn=\"a\"", DnError::Value),
        ("cn=a<b", DnError::Value),
        ("cn=a\0b", DnError::Value),
        ("cn=a\\", DnError::Value),
        ("cn=a\\4", DnError::Value),
        ("cn=a\\zz", DnError::Value),
        ("cn=\\ff", DnError::NotUtf8),
        ("cn=#", DnError::Hexadecimal),
        ("cn=#0", DnError::Hexadecimal),
        ("cn=#0402", DnError::Hexadecimal),
        ("cn=#04024869ff", DnError::Hexadecimal),
        ("cn=#04024869 x", DnError::Hexadecimal),
        ("cn=a+commonName=b", DnError::RepeatedType),
    ] {
        assert_eq!(DistinguishedName::parse(text), Err(error), "{text}");
    }
    assert_eq!(
        DistinguishedName::parse_bytes(b"cn=\xe9"),
        Err(DnError::NotUtf8)
    );
    let long = format!("cn={}", "a".repeat(MAX_DN_BYTES));
    assert_eq!(DistinguishedName::parse(&long), Err(DnError::TooLong));
    // One character that is compared as eighteen.
    let swelling = format!("cn={}", "\u{fdfa}".repeat(600));
    assert_eq!(DistinguishedName::parse(&swelling), Err(DnError::TooLong));
    let spaces = format!("cn={}", "a ".repeat(1000));
    assert!(DistinguishedName::parse(&spaces).is_ok());
    let deep = vec!["dc=a"; MAX_RDNS + 1].join(",");
    assert_eq!(DistinguishedName::parse(&deep), Err(DnError::TooLong));
    assert!(DistinguishedName::parse(&vec!["dc=a"; MAX_RDNS].join(",")).is_ok());
    let wide: Vec<String> = (0..=MAX_RDN_ATTRIBUTES)
        .map(|at| format!("x{at}=a"))
        .collect();
    assert_eq!(
        DistinguishedName::parse(&wide.join("+")),
        Err(DnError::TooLong)
    );
}

#[test]
fn one_name_in_many_spellings() {
    let name = dn("uid=alice,ou=people,dc=example,dc=org");
    for same in [
        "UID=Alice,OU=People,DC=Example,DC=Org",
        "userid=alice, ou=people, dc=example, dc=org",
        "0.9.2342.19200300.100.1.1=alice,2.5.4.11=people,\
         0.9.2342.19200300.100.1.25=example,domainComponent=org",
        "uid=\\61lice,organizationalUnitName=PEOPLE,dc=example,dc=org",
        "uid=#0405616c696365,ou=people,dc=example,dc=org",
        "uid=ａlice,ou= people ,dc=example,dc=org",
    ] {
        assert_eq!(dn(same), name, "{same}");
        assert_eq!(dn(same).normalised(), name.normalised());
    }
    for other in [
        "uid=alice2,ou=people,dc=example,dc=org",
        "uid=alice,ou=people,dc=example",
        "cn=alice,ou=people,dc=example,dc=org",
        "uid=alice+cn=a,ou=people,dc=example,dc=org",
        "uid=alice\\,ou\\=people,dc=example,dc=org",
    ] {
        assert_ne!(dn(other), name, "{other}");
    }
    assert_eq!(dn("cn=a+ou=b"), dn("ou=B + cn=A"));
    assert_eq!(dn("cn=J.  Smith"), dn("cn=j. smith"));
    // An integer written as BER is not the text of its digits.
    assert_ne!(dn("cn=#020101"), dn("cn=\\#020101"));
    assert_eq!(dn("cn=#020101"), dn("cn=#020101"));
}

#[test]
fn written_in_one_way() {
    for (text, written) in [
        (" UID = alice , 2.5.4.11=people", "uid=alice,ou=people"),
        ("cn=\\ a\\2c\\22b\\ ", "cn=\\ a\\,\\\"b\\ "),
        ("cn=\\ ", "cn=\\ "),
        ("cn=\\#x#", "cn=\\#x#"),
        ("cn=a\\0ab", "cn=a\\0ab"),
        ("cn=Lu\\C4\\8Di\\C4\\87", "cn=Lučić"),
        ("X-Y=a;b", ""),
        ("X-Y=a\\;b+1.2.3=c", "x-y=a\\;b+1.2.3=c"),
        ("CN=#0402 ", ""),
        ("CN=#04024869 ", "cn=#04024869"),
    ] {
        match DistinguishedName::parse(text) {
            Ok(name) => assert_eq!(name.to_string(), written, "{text}"),
            Err(_) => assert_eq!(written, "", "{text}"),
        }
    }
}

#[test]
fn places_in_the_tree() {
    let base = dn("dc=example,dc=org");
    let people = base.child(Rdn::new(&ORGANIZATIONAL_UNIT, "people"));
    let alice = people.child(Rdn::new(&USER_ID, "alice"));
    assert_eq!(alice.to_string(), "uid=alice,ou=people,dc=example,dc=org");
    assert_eq!(alice.parent(), Some(people.clone()));
    assert_eq!(DistinguishedName::root().parent(), None);
    assert_eq!(alice.relative_to(&base).map(<[Rdn]>::len), Some(2));
    assert_eq!(alice.relative_to(&alice).map(<[Rdn]>::len), Some(0));
    assert_eq!(people.relative_to(&alice), None);
    assert_eq!(dn("uid=a,dc=example,dc=net").relative_to(&base), None);
    assert!(alice.is_under(&base) && base.is_under(&base) && !base.is_under(&alice));
    assert!(alice.is_under(&DistinguishedName::root()));
    assert!(
        alice.is_child_of(&people) && !alice.is_child_of(&base) && !people.is_child_of(&people)
    );
    let view = base.child(Rdn::new(&ORGANIZATIONAL_UNIT, "mail"));
    let seen = alice.rebase(&base, &view).unwrap();
    assert_eq!(
        seen.to_string(),
        "uid=alice,ou=people,ou=mail,dc=example,dc=org"
    );
    assert_eq!(seen.rebase(&view, &base), Some(alice.clone()));
    assert_eq!(base.rebase(&alice, &view), None);
    assert_eq!(
        alice.rdn().and_then(|rdn| rdn.sole_value(&USER_ID)),
        Some("alice")
    );
    assert_eq!(
        alice
            .rdn()
            .and_then(|rdn| rdn.sole_value(&DOMAIN_COMPONENT)),
        None
    );
    assert_eq!(
        dn("uid=a+cn=b")
            .rdn()
            .and_then(|rdn| rdn.sole_value(&USER_ID)),
        None
    );
}

prop_compose! {
    fn any_part()(
        attribute in prop_oneof!["[a-zA-Z][a-zA-Z0-9-]{0,5}", "[12]\\.[1-9][0-9]{0,3}\\.0"],
        value in "\\PC{0,8}|[ #,+\"\\\\<>;=\u{0}\u{7f}a]{0,6}",
    ) -> (String, String) {
        (attribute, value)
    }
}

fn part(attribute: &str, value: &str) -> NamePart {
    let (value, mut left) = (Value::Text(value.to_owned()), usize::MAX);
    NamePart::within(attribute, value, &mut left).unwrap()
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(parts in proptest::collection::vec(any_part(), 0..5)) {
        let rdns = parts.iter().map(|(attribute, value)| {
            Rdn::of(vec![part(attribute, value)])
        });
        let name = DistinguishedName { rdns: rdns.collect() };
        let read = dn(&name.to_string());
        prop_assert_eq!(&read, &name);
        prop_assert_eq!(read.to_string(), name.to_string());
        for (read, (_, value)) in read.rdns().iter().zip(&parts) {
            prop_assert_eq!(read.parts().first().and_then(NamePart::text), Some(value.as_str()));
        }
    }

    #[test]
    fn the_normal_form_is_a_name_that_is_the_same(parts in proptest::collection::vec(any_part(), 0..5)) {
        let rdns = parts.iter().map(|(attribute, value)| {
            Rdn::of(vec![part(attribute, value)])
        });
        let name = DistinguishedName { rdns: rdns.collect() };
        prop_assert_eq!(dn(&name.normalised()), name);
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,40}|[a-c=,+\\\\# 0-9]{0,40}") {
        if let Ok(name) = DistinguishedName::parse(&text) {
            prop_assert_eq!(dn(&name.to_string()), name);
        }
    }
}
