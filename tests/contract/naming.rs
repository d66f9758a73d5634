//! CONTRACT.md 8: the names under which an account logs in.

use doorward_domain::login::LoginName;
use doorward_domain::policy::naming::{Realms, certified, interpret};
use doorward_domain::user_certificate::NamedBy;
use proptest::prelude::*;

fn realms() -> Realms {
    Realms::new(["example.org", "EXAMPLE"])
}

fn login(username: Option<&str>, mail: Option<&str>) -> LoginName {
    LoginName {
        username: username.map(str::to_owned),
        mail: mail.map(str::to_owned),
    }
}

#[test]
fn contract_8_every_form_of_a_name_is_the_same_account() {
    let alice = Some("alice");
    for typed in [
        "alice",
        "ALICE",
        "EXAMPLE\\alice",
        "example\\Alice",
        "Example.Org\\alice",
    ] {
        assert_eq!(
            interpret(typed, &realms()),
            Some(login(alice, None)),
            "{typed}"
        );
    }
    for typed in ["alice@example.org", "Alice@EXAMPLE.org"] {
        assert_eq!(
            interpret(typed, &realms()),
            Some(login(alice, Some("alice@example.org"))),
            "{typed}"
        );
    }
    assert_eq!(
        interpret("Alice.Liddell@elsewhere.net", &realms()),
        Some(login(None, Some("alice.liddell@elsewhere.net")))
    );
    // A realm need not look like a domain, nor a local part like a username.
    assert_eq!(
        interpret("alice@example", &realms()),
        Some(login(alice, Some("alice@example")))
    );
    assert_eq!(
        interpret("o'brien+x@example.org", &realms()),
        Some(login(None, Some("o'brien+x@example.org")))
    );
}

#[test]
fn contract_8_what_cannot_be_a_name_is_none() {
    for typed in [
        "",
        " alice",
        "alice ",
        "alice\0",
        "alice\n",
        "al ice",
        "9alice",
        "ELSEWHERE\\alice",
        "\\alice",
        "EXAMPLE\\",
        "EXAMPLE\\EXAMPLE\\alice",
        "EXAMPLE\\alice@example.org",
        "EXAMPLE \\alice",
        "@example.org",
        "alice@",
        "alice @example.org",
        "uid=alice,ou=people,dc=example,dc=org",
        "älice",
        &"a".repeat(31),
    ] {
        assert_eq!(interpret(typed, &realms()), None, "{typed:?}");
    }
    let long = format!("alice@{}", "a".repeat(400));
    assert_eq!(interpret(&long, &realms()), None);
}

#[test]
fn contract_8_without_realms_only_usernames_and_addresses_are_names() {
    let none = Realms::default();
    assert_eq!(interpret("alice", &none), Some(login(Some("alice"), None)));
    assert_eq!(interpret("EXAMPLE\\alice", &none), None);
    assert_eq!(
        interpret("alice@example.org", &none),
        Some(login(None, Some("alice@example.org")))
    );
    // An empty realm in the configuration is none.
    assert_eq!(interpret("\\alice", &Realms::new([""])), None);
}

#[test]
fn contract_8_the_name_in_a_certificate_means_one_thing() {
    let means = |named_by, name| certified(named_by, name, &realms());
    let alice = || Some(login(Some("alice"), None));
    let mail = |address| Some(login(None, Some(address)));
    assert_eq!(means(NamedBy::CommonName, "Alice"), alice());
    assert_eq!(means(NamedBy::Upn, "Alice@EXAMPLE.org"), alice());
    // Never the username of a realm, whoever has that address.
    let address = "Alice@example.org";
    assert_eq!(means(NamedBy::Mail, address), mail("alice@example.org"));
    for (named_by, name) in [
        (NamedBy::CommonName, "alice@example.org"),
        (NamedBy::CommonName, "EXAMPLE\\alice"),
        (NamedBy::CommonName, "Alice Liddell"),
        (NamedBy::CommonName, " alice"),
        (NamedBy::Upn, "alice"),
        (NamedBy::Upn, "alice@elsewhere.net"),
        (NamedBy::Upn, "alice@example.org@elsewhere.net"),
        (NamedBy::Upn, "EXAMPLE\\alice"),
        (NamedBy::Mail, "alice"),
        (NamedBy::Mail, "alice @example.org"),
        (NamedBy::Mail, "alice\0@example.org"),
    ] {
        assert_eq!(means(named_by, name), None, "{named_by} {name:?}");
    }
}

proptest! {
    #[test]
    fn contract_8_interpreting_never_fails_and_folds(typed in any::<String>()) {
        if let Some(name) = interpret(&typed, &realms()) {
            prop_assert!(name.username.is_some() || name.mail.is_some());
            for folded in [name.username, name.mail].into_iter().flatten() {
                prop_assert_eq!(&folded.to_ascii_lowercase(), &folded);
            }
        }
    }

    #[test]
    fn contract_8_case_never_matters(typed in "[A-Za-z][A-Za-z0-9._-]{0,29}(@[a-z]{1,9}\\.org)?") {
        let shouted = typed.to_ascii_uppercase();
        prop_assert_eq!(interpret(&typed, &realms()), interpret(&shouted, &realms()));
        prop_assert!(interpret(&typed, &realms()).is_some());
    }
}
