//! The table holds together, and its descriptions have the grammar of RFC 4512 section 4.1.

use std::collections::HashSet;

use super::*;

#[test]
fn names_and_oids_are_unique_and_found() {
    let mut seen = HashSet::new();
    for kind in ALL_TYPES {
        assert!(names::is_numeric_oid(kind.oid()), "{}", kind.oid());
        assert_eq!(attribute(kind.oid()), Some(*kind));
        assert!(seen.insert(kind.oid().to_owned()), "{}", kind.oid());
        for name in kind.names() {
            assert!(names::is_oid(name), "{name}");
            assert_eq!(attribute(name), Some(*kind));
            assert_eq!(attribute(&name.to_ascii_uppercase()), Some(*kind));
            assert!(seen.insert(name.to_ascii_lowercase()), "{name}");
        }
    }
    for known in ALL_CLASSES {
        assert!(seen.insert(known.oid().to_owned()), "{}", known.oid());
        for name in known.names() {
            assert_eq!(class(&name.to_ascii_uppercase()), Some(*known));
            assert!(seen.insert(name.to_ascii_lowercase()), "{name}");
        }
    }
    for rule in MatchingRule::ALL {
        assert_eq!(MatchingRule::find(rule.oid()), Some(*rule));
        assert_eq!(
            MatchingRule::find(&rule.name().to_ascii_uppercase()),
            Some(*rule)
        );
        assert!(
            seen.insert(rule.name().to_ascii_lowercase()),
            "{}",
            rule.name()
        );
    }
    assert_eq!(attribute("uid;binary"), None);
    assert_eq!(attribute(""), None);
}

#[test]
fn every_rule_fits_its_attribute_and_does_what_it_is_used_for() {
    for kind in ALL_TYPES {
        let rules = [
            (kind.equality(), RuleKind::Equality),
            (kind.ordering(), RuleKind::Ordering),
            (kind.substring(), RuleKind::Substrings),
        ];
        for (rule, use_) in rules {
            let Some(rule) = rule else { continue };
            assert_eq!(rule.kind(), use_, "{kind:?}");
            assert!(rule.fits(kind.syntax()), "{kind:?}");
        }
        if let Some(superior) = kind.superior {
            assert_eq!(superior.syntax(), kind.syntax());
            assert!(kind.is_a(superior) && !superior.is_a(kind) && superior.has_subtypes());
        }
    }
}

#[test]
fn the_password_is_never_readable() {
    let hidden: Vec<&str> = ALL_TYPES
        .iter()
        .filter(|kind| !kind.is_readable())
        .map(|kind| kind.name())
        .collect();
    assert_eq!(hidden, ["userPassword"]);
}

#[test]
fn descriptions_as_in_rfc_4512() {
    let types = attribute_types();
    for expected in [
        "( 2.5.4.3 NAME ( 'cn' 'commonName' ) DESC 'Name the object is known by (RFC 4519)' \
         SUP name EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch \
         SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
        "( 1.3.6.1.1.1.1.0 NAME 'uidNumber' DESC 'Number of the user on a host (RFC 2307)' \
         EQUALITY integerMatch ORDERING integerOrderingMatch \
         SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )",
        "( 2.5.18.2 NAME 'modifyTimestamp' DESC 'When the entry last changed (RFC 4512)' \
         EQUALITY generalizedTimeMatch ORDERING generalizedTimeOrderingMatch \
         SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 SINGLE-VALUE NO-USER-MODIFICATION \
         USAGE directoryOperation )",
        "( 1.3.6.1.4.1.1466.101.120.5 NAME 'namingContexts' DESC 'Trees served here (RFC 4512)' \
         EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 \
         NO-USER-MODIFICATION USAGE dSAOperation )",
    ] {
        assert!(types.iter().any(|own| own == expected), "{expected}");
    }
    assert!(!types.iter().any(|own| own.contains("defaultNamingContext")));
    assert!(
        object_classes().contains(
            &"( 1.3.6.1.1.1.2.0 NAME 'posixAccount' DESC 'Account on a host (RFC 2307)' SUP top \
          AUXILIARY MUST ( cn $ uid $ uidNumber $ gidNumber $ homeDirectory ) \
          MAY ( userPassword $ loginShell $ gecos $ description ) )"
                .to_owned()
        )
    );
    assert!(matching_rules().contains(
        &"( 2.5.13.14 NAME 'integerMatch' SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 )".to_owned()
    ));
    assert!(
        ldap_syntaxes().contains(&"( 1.3.6.1.4.1.1466.115.121.1.27 DESC 'INTEGER' )".to_owned())
    );
}

#[test]
fn every_value_is_one_balanced_description_without_stray_quotes() {
    let all = [
        attribute_types(),
        object_classes(),
        matching_rules(),
        ldap_syntaxes(),
    ]
    .concat();
    for value in all {
        assert!(value.starts_with("( ") && value.ends_with(" )"), "{value}");
        assert_eq!(value.matches('\'').count() % 2, 0, "{value}");
        let outside: String = value.split('\'').step_by(2).collect();
        assert_eq!(
            outside.matches('(').count(),
            outside.matches(')').count(),
            "{value}"
        );
        assert!(!value.contains("  "), "{value}");
    }
}

#[test]
fn schema_values_match_by_their_first_component() {
    let rule = MatchingRule::ObjectIdentifierFirstComponent;
    let value = attribute_types()
        .into_iter()
        .find(|own| own.contains("'uid'"))
        .unwrap();
    assert_eq!(
        rule.key(value.as_bytes()),
        rule.key(b"0.9.2342.19200300.100.1.1")
    );
    assert_eq!(rule.key(value.as_bytes()), rule.key(b"uid"));
    assert_ne!(rule.key(value.as_bytes()), rule.key(b"cn"));
    assert_eq!(rule.key(b"nothing"), None);
}
