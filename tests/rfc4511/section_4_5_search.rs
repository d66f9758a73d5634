//! What anybody may read, and what nobody may without binding.

use doorward_ldap_protocol::settings::TlsMode;

use crate::client::{Scope, Search, compare, equals};
use crate::harness::{Served, settings};

#[test]
fn rfc_4512_section_5_1_anybody_reads_the_root_dse() {
    let served = Served::new();
    let mut client = served.connect();
    let (entries, end) = client.search(&Search::new("", Scope::Base).attributes(&["*", "+"]));
    assert_eq!((entries.len(), end.code()), (1, 0));
    let root = &entries[0];
    assert_eq!(root.entry().0, "");
    assert_eq!(root.values("namingContexts"), ["dc=example,dc=org"]);
    assert_eq!(root.values("defaultNamingContext"), ["dc=example,dc=org"]);
    assert_eq!(root.values("subschemaSubentry"), ["cn=subschema"]);
    assert_eq!(root.values("supportedLDAPVersion"), ["3"]);
    assert_eq!(
        root.values("supportedControl"),
        [
            "1.3.6.1.4.1.42.2.27.8.5.1",
            "1.2.840.113556.1.4.319",
            "1.2.840.113556.1.4.473"
        ]
    );
    assert_eq!(
        root.values("supportedExtension"),
        [
            "1.3.6.1.4.1.4203.1.11.3",
            "1.3.6.1.4.1.4203.1.11.1",
            "1.3.6.1.4.1.1466.20037"
        ]
    );
    assert!(
        root.values("supportedFeatures")
            .contains(&"1.3.6.1.4.1.4203.1.5.1".to_owned())
    );
    assert_eq!(root.values("vendorName"), ["Doorward"]);
    // SSSD stumbles over attributes without values.
    assert!(root.entry().1.iter().all(|(_, values)| !values.is_empty()));
    let (plain, _) = client.search(&Search::new("", Scope::Base));
    assert!(plain[0].values("namingContexts").is_empty());
}

#[test]
fn only_what_works_is_advertised() {
    let served = Served::with(settings(TlsMode::None));
    let mut client = served.connect();
    let (entries, _) =
        client.search(&Search::new("", Scope::Base).attributes(&["supportedExtension"]));
    assert_eq!(
        entries[0].values("supportedExtension"),
        ["1.3.6.1.4.1.4203.1.11.3", "1.3.6.1.4.1.4203.1.11.1"]
    );
}

#[test]
fn rfc_4512_section_4_2_anybody_reads_the_schema() {
    let served = Served::new();
    let mut client = served.connect();
    let wanted = [
        "attributeTypes",
        "objectClasses",
        "matchingRules",
        "ldapSyntaxes",
    ];
    let search = Search::new("CN=Subschema", Scope::Base)
        .filter(equals("objectClass", "subschema"))
        .attributes(&wanted);
    let (entries, end) = client.search(&search);
    assert_eq!((entries.len(), end.code()), (1, 0));
    for attribute in wanted {
        assert!(!entries[0].values(attribute).is_empty(), "{attribute}");
    }
}

#[test]
fn anything_else_wants_a_bind_first() {
    let served = Served::new();
    let mut client = served.connect();
    for base in [
        "dc=example,dc=org",
        "ou=people,dc=example,dc=org",
        "uid=alice,ou=people,dc=example,dc=org",
        "uid=nobody,ou=people,dc=example,dc=org",
        "dc=elsewhere",
    ] {
        for scope in [Scope::Base, Scope::One, Scope::Sub] {
            let (entries, end) = client.search(&Search::new(base, scope));
            assert!(entries.is_empty());
            assert_eq!((end.code(), end.matched().as_str()), (50, ""), "{base}");
        }
        assert_eq!(
            client.ask(&compare(base, "uid", "alice")).code(),
            50,
            "{base}"
        );
    }
}

#[test]
fn the_root_dse_stands_in_no_tree() {
    let served = Served::new();
    let mut client = served.connect();
    for scope in [Scope::One, Scope::Sub] {
        let (entries, end) = client.search(&Search::new("", scope));
        assert!(entries.is_empty());
        assert_eq!(end.code(), 32);
    }
}

#[test]
fn a_base_that_is_no_name_is_told() {
    let served = Served::new();
    let mut client = served.connect();
    let (_, end) = client.search(&Search::new("nonsense", Scope::Sub));
    assert_eq!(end.code(), 34);
    assert_eq!(client.ask(&compare("nonsense", "uid", "x")).code(), 34);
}

#[test]
fn section_4_10_the_root_dse_can_be_compared() {
    let served = Served::new();
    let mut client = served.connect();
    assert_eq!(
        client.ask(&compare("", "supportedLDAPVersion", "3")).code(),
        6
    );
    assert_eq!(
        client.ask(&compare("", "supportedLDAPVersion", "2")).code(),
        5
    );
    assert_eq!(client.ask(&compare("", "altServer", "ldap://x")).code(), 16);
}
