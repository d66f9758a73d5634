//! Changing one's own password with Debian's `ldappasswd` and `ldapmodify`.

use std::fmt::Write as _;

use crate::common::ldap::LdapClient;
use crate::common::{BASE, Gateway, PASSWORD, Ran, Setting, client, client_with_input};

const NEW: &str = "marble thunder kettle";
const POLICY: [&str; 2] = ["-e", "ppolicy"];

fn gateway() -> Gateway {
    let gateway = Gateway::start(&Setting::default());
    gateway.add_user("alice");
    gateway
}

fn person(name: &str) -> String {
    format!("uid={name},ou=people,{BASE}")
}

/// Runs a program of ldap-utils against `hosts`, bound as a user.
fn bound(
    gateway: &Gateway,
    program: &str,
    (user, password): (&str, &str),
    more: &[&str],
    input: &str,
) -> Ran {
    let url = format!("ldap://{}", gateway.hosts);
    let name = person(user);
    let mut arguments = vec!["-x", "-H", &url, "-D", &name, "-w", password];
    arguments.extend(more);
    client_with_input(program, "ldap-utils", &arguments, input)
}

fn ldappasswd(gateway: &Gateway, who: (&str, &str), more: &[&str]) -> Ran {
    bound(gateway, "ldappasswd", who, more, "")
}

fn may_bind(gateway: &Gateway, user: &str, password: &str) -> bool {
    match bound(gateway, "ldapwhoami", (user, password), &[], "").code {
        Some(0) => true,
        Some(49) => false,
        other => panic!("{other:?}"),
    }
}

/// Holds a refusal to its result code and to what it says. `ldappasswd` exits with 1 and prints the
/// code, `ldapmodify` exits with it.
#[track_caller]
fn assert_refused(ran: &Ran, code: u8, parts: &[&str]) {
    assert_ne!(ran.code, Some(0), "{ran:?}");
    let told = format!("{}{}", ran.stdout, ran.stderr);
    assert!(told.contains(&format!("({code})")), "{ran:?}");
    for part in parts {
        assert!(told.contains(part), "'{part}': {ran:?}");
    }
}

/// Failures that count toward the lock.
fn failures(gateway: &Gateway, user: &str) -> u64 {
    let shown = gateway.json(&["user", "show", user, "-o", "json"]);
    shown["recent_failures"].as_u64().unwrap()
}

#[test]
fn rfc_3062_a_user_changes_the_password_and_the_old_one_is_stale() {
    let gateway = gateway();
    let mut elsewhere = LdapClient::connect(gateway.hosts).unwrap();
    assert_eq!(elsewhere.bind("alice", PASSWORD), Some(0));
    ldappasswd(&gateway, ("alice", PASSWORD), &["-a", PASSWORD, "-s", NEW]).assert_success();
    assert!(may_bind(&gateway, "alice", NEW));
    assert!(!may_bind(&gateway, "alice", PASSWORD));
    // What was bound before is nobody now.
    assert_eq!(elsewhere.search("uid", "alice").unwrap().1, 50);
    // By name, in another spelling, and back: the history forbids it.
    let name = format!("UID=Alice, OU=People,{BASE}");
    let again = ldappasswd(
        &gateway,
        ("alice", NEW),
        &["-a", NEW, "-s", PASSWORD, &name],
    );
    assert_refused(&again, 19, &["one of the last 5"]);
    assert!(may_bind(&gateway, "alice", NEW));
}

#[test]
fn without_the_old_password_nothing_is_changed_and_nothing_counts() {
    let gateway = gateway();
    let ran = ldappasswd(
        &gateway,
        ("alice", PASSWORD),
        &[&POLICY[..], &["-s", NEW]].concat(),
    );
    assert_refused(&ran, 53, &["present password", "requires old password"]);
    assert_eq!(failures(&gateway, "alice"), 0);
    assert!(may_bind(&gateway, "alice", PASSWORD));
}

#[test]
fn a_wrong_old_password_counts_once_and_ten_lock() {
    let gateway = gateway();
    let guess = |text: &str| {
        format!(
            "dn: {}\nchangetype: modify\ndelete: userPassword\nuserPassword: {text}\n-\n\
             add: userPassword\nuserPassword: {NEW}\n-\n\n",
            person("alice")
        )
    };
    let modify = |input: &str| bound(&gateway, "ldapmodify", ("alice", PASSWORD), &["-c"], input);
    let ran = modify(&guess("wrong").repeat(3));
    assert_refused(&ran, 49, &[]);
    assert_eq!(failures(&gateway, "alice"), 1, "the same one again is one");
    // The bind clears the failures of its own origin; what follows is one session.
    let mut guesses = String::new();
    for number in 0..10 {
        write!(guesses, "{}", guess(&format!("wrong {number}"))).unwrap();
    }
    let ran = modify(&format!("{guesses}{}", guess(PASSWORD)));
    assert_ne!(ran.code, Some(0));
    let shown = gateway.json(&["user", "show", "alice", "-o", "json"]);
    assert_eq!(shown["status"], "locked");
    assert!(!may_bind(&gateway, "alice", PASSWORD));
    assert!(!may_bind(&gateway, "alice", NEW));
    gateway.run(&["user", "unlock", "alice"]).assert_success();
    let ran = modify(&guess(PASSWORD));
    ran.assert_success();
    assert!(may_bind(&gateway, "alice", NEW));
}

#[test]
fn every_broken_rule_is_in_the_answer_and_none_counts() {
    let gateway = gateway();
    let arguments = [&POLICY[..], &["-a", PASSWORD, "-s", "alice1"]].concat();
    let ran = ldappasswd(&gateway, ("alice", PASSWORD), &arguments);
    assert_refused(
        &ran,
        19,
        &["at least 12 characters", "username", "too short"],
    );
    assert_eq!(failures(&gateway, "alice"), 0);
    let none = ldappasswd(&gateway, ("alice", PASSWORD), &["-a", PASSWORD]);
    assert_refused(&none, 53, &["no new password"]);
    assert!(may_bind(&gateway, "alice", PASSWORD));
}

#[test]
fn whoever_must_change_is_led_through_it() {
    let gateway = gateway();
    let set = [
        "user",
        "set-password",
        "alice",
        "--password-stdin",
        "--must-change",
    ];
    let temporary = "paper lantern orchard";
    gateway.run_with_input(&set, temporary).assert_success();
    let told = bound(&gateway, "ldapwhoami", ("alice", temporary), &POLICY, "");
    told.assert_success();
    assert!(format!("{}{}", told.stdout, told.stderr).contains("must be changed"));
    assert!(
        !may_bind(&gateway, "alice", temporary),
        "its client did not ask"
    );
    let easy = [&POLICY[..], &["-s", "short"]].concat();
    let ran = ldappasswd(&gateway, ("alice", temporary), &easy);
    assert_refused(&ran, 19, &["at least 12 characters"]);
    let change = [&POLICY[..], &["-s", NEW]].concat();
    ldappasswd(&gateway, ("alice", temporary), &change).assert_success();
    assert!(may_bind(&gateway, "alice", NEW));
}

#[test]
fn nobody_changes_what_is_not_ones_own_password() {
    let gateway = gateway();
    gateway.add_user("bob");
    let other = ldappasswd(
        &gateway,
        ("alice", PASSWORD),
        &["-a", PASSWORD, "-s", NEW, &person("bob")],
    );
    assert_refused(&other, 50, &["own password"]);
    assert!(may_bind(&gateway, "bob", PASSWORD));
    let mail = format!(
        "dn: {}\nchangetype: modify\nreplace: mail\nmail: a@b.org\n",
        person("alice")
    );
    let ran = bound(&gateway, "ldapmodify", ("alice", PASSWORD), &[], &mail);
    assert_refused(&ran, 53, &["administrator"]);
    let url = format!("ldap://{}", gateway.hosts);
    let nobody = client(
        "ldappasswd",
        "ldap-utils",
        &[
            "-x",
            "-H",
            &url,
            "-a",
            PASSWORD,
            "-s",
            NEW,
            &person("alice"),
        ],
    );
    assert_refused(&nobody, 50, &["bind"]);
}
