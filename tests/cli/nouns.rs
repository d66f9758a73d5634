//! Users, groups, resources, service accounts, policy, events: what each verb does and says.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::world::{OTHER_PASSWORD, PASSWORD, World};

fn strings(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one.as_str().unwrap())
        .collect()
}

#[test]
fn a_user_is_shown_by_the_names_scripts_rely_on() {
    let world = World::with_alice();
    let alice = world.show("ALICE");
    assert_eq!(alice["username"], "alice");
    assert_eq!(alice["email"], "alice@elsewhere.net");
    assert_eq!(alice["status"], "active");
    assert_eq!(alice["activated"], true);
    for field in [
        "account_locked",
        "password_expired",
        "password_never_expires",
        "suspended",
    ] {
        assert_eq!(alice[field], false, "{field}");
    }
    assert_eq!(alice["password_expiration_date"], Value::Null);
    assert_eq!(alice["home"], "/home/alice");
    assert!(alice["uid_number"].as_u64().unwrap() >= 20_000);
    assert!(
        !alice.to_string().contains("argon2"),
        "no hash is ever shown"
    );
}

#[test]
fn a_user_without_a_password_waits_for_its_link() {
    let world = World::new();
    let ran = world
        .run(&["user", "add", "ivan", "--email", "ivan@elsewhere.net"])
        .ended(0);
    ran.prints("doorward user activation-link ivan");
    let ivan = world.show("ivan");
    assert_eq!(ivan["status"], "inactive");
    assert_eq!(ivan["activated"], false);
    assert_eq!(ivan["conditions"], json!(["password_pending"]));

    world
        .run(&["user", "reset-link", "ivan"])
        .ended(1)
        .complains("activation-link");
    let link = world.json(&["user", "activation-link", "ivan"]);
    let token = link["link"].as_str().unwrap().rsplit('/').next().unwrap();
    assert_eq!(token.len(), 43, "256 bits in base64url");
    world.run(&["user", "activation-link", "ivan"]).ended(0);
    world.run(&["user", "activation-link", "ivan"]).ended(0);
    world
        .run(&["user", "activation-link", "ivan"])
        .ended(1)
        .complains("three links");
    let log = world.run(&["-o", "json", "events"]).ended(0).stdout;
    assert!(!log.contains(token), "a link appears in no log");
}

#[test]
fn dates_take_their_edge_of_the_day_in_the_configured_zone() {
    let world = World::new();
    let add = [
        "user",
        "add",
        "stan",
        "--email",
        "stan@elsewhere.net",
        "--start-date",
    ];
    world
        .run(&[&add[..], &["2099-01-01", "--end-date", "2099-01-31"]].concat())
        .ended(0);
    let stan = world.show("stan");
    assert_eq!(stan["start_date"], "2098-12-31T23:00:00.000Z");
    assert_eq!(stan["end_date"], "2099-01-31T23:00:00.000Z");
    assert_eq!(stan["status"], "inactive");
    world
        .run(&["user", "set", "stan", "end_date=2098-01-01"])
        .ended(65)
        .complains("before");
    world
        .run(&["user", "set", "stan", "start_date=", "full_name=Stan S"])
        .ended(0);
    let stan = world.show("stan");
    assert_eq!(stan["start_date"], Value::Null);
    assert_eq!(stan["full_name"], "Stan S");
}

#[test]
fn an_expired_user_is_mended_by_a_password_and_not_by_an_unlock() {
    let world = World::with_alice();
    world
        .run(&["user", "expire", "alice"])
        .ended(0)
        .complains("expired from now on");
    assert_eq!(world.show("alice")["status"], "expired");
    world
        .run(&["user", "unlock", "alice"])
        .ended(0)
        .prints("now expired");
    assert_eq!(world.show("alice")["password_expired"], true);
    world
        .type_in(
            &["user", "set-password", "alice", "--password-stdin"],
            OTHER_PASSWORD,
        )
        .ended(0);
    let alice = world.show("alice");
    assert_eq!(alice["status"], "active");
    assert_eq!(alice["password_change_by"], Value::Null);
}

#[test]
fn a_suspension_now_and_one_to_come() {
    let world = World::with_alice();
    world.run(&["user", "suspend", "alice"]).ended(0);
    assert_eq!(world.show("alice")["status"], "suspended");
    world
        .run(&["user", "reset-link", "alice"])
        .ended(1)
        .complains("no link would work");
    world
        .type_in(
            &["user", "set-password", "alice", "--password-stdin"],
            OTHER_PASSWORD,
        )
        .ended(0);
    assert_eq!(
        world.show("alice")["status"],
        "suspended",
        "a reset does not resume"
    );
    world.run(&["user", "resume", "alice"]).ended(0);
    assert_eq!(world.show("alice")["status"], "active");

    world
        .run(&["user", "suspend", "alice", "--at", "2099-06-30"])
        .ended(0);
    let alice = world.show("alice");
    assert_eq!(alice["status"], "active");
    assert_eq!(alice["end_date"], "2099-06-30T22:00:00.000Z");
    world
        .run(&["user", "suspend", "alice", "--at", "2001-01-01"])
        .ended(65)
        .complains("past");
}

#[test]
fn a_refused_password_names_every_rule_it_broke() {
    let world = World::with_alice();
    let set = |password: &str| {
        world.type_in(
            &["user", "set-password", "alice", "--password-stdin"],
            password,
        )
    };
    world.run(&["policy", "set", "password.classes=3"]).ended(0);
    let refused = set("alice").ended(65);
    refused.complains("at least 12 characters");
    refused.complains("at least 3 of");
    refused.complains("must not be the username");
    set(PASSWORD).ended(65).complains("one of the last 5");
    set("Velvet lantern 42").ended(0);
    set("").ended(65).complains("empty");
    world
        .run(&["policy", "set", "password.classes=0", "password.history=0"])
        .ended(0);
    set(PASSWORD).ended(0);
    set(PASSWORD).ended(0);
}

#[test]
fn fields_are_checked_and_the_nearest_is_named() {
    let world = World::with_alice();
    world
        .run(&["user", "set", "alice", "emial=a@b.c"])
        .ended(65)
        .complains("'email'");
    world
        .run(&["user", "set", "alice", "suspended=true"])
        .ended(65)
        .complains("user suspend");
    world.run(&["user", "set", "alice", "full_name"]).ended(64);
    world.run(&["user", "set", "alice"]).ended(64);
    world
        .run(&["user", "set", "alice", "shell=zsh"])
        .ended(65)
        .complains("absolute path");
    world
        .run(&["user", "show", "alise"])
        .ended(1)
        .complains("did you mean 'alice'?");
    world
        .run(&["user", "add", "al ice", "--email", "a@b.c"])
        .ended(65)
        .complains("username");
    world
        .run(&["user", "add", "ALICE", "--email", "other@b.c"])
        .ended(1)
        .complains("taken");
    world
        .run(&["user", "add", "bob", "--email", "Alice@elsewhere.net"])
        .ended(1)
        .complains("taken");
    world
        .run(&["user", "add", "bob", "--email", "b@b.c", "--uid", "0"])
        .ended(65);
}

#[test]
fn several_names_are_done_one_by_one_and_the_failed_one_is_told() {
    let world = World::with_alice();
    world.add("bob");
    let ran = world
        .run(&["user", "suspend", "alice", "nobody", "bob"])
        .ended(1);
    ran.complains("no user 'nobody'");
    assert_eq!(world.show("alice")["status"], "suspended");
    assert_eq!(world.show("bob")["status"], "suspended");
    let suspended = world.json(&["user", "list", "--status", "suspended"]);
    assert_eq!(suspended.as_array().unwrap().len(), 2);
    assert_eq!(
        world.json(&["user", "list", "--status", "active"]),
        json!([])
    );
    world.run(&["user", "list", "--status", "asleep"]).ended(64);
    let removed = world.json(&["user", "remove", "alice", "bob"]);
    assert_eq!(removed, json!(["alice", "bob"]));
    assert_eq!(world.json(&["user", "list"]), json!([]));
}

#[test]
fn a_renamed_user_keeps_its_account_and_a_number_is_never_used_again() {
    let world = World::with_alice();
    let before = world.show("alice");
    world.run(&["user", "rename", "alice", "Alicia"]).ended(0);
    let after = world.show("alicia");
    assert_eq!(after["id"], before["id"]);
    assert_eq!(after["username"], "Alicia");
    world.run(&["user", "remove", "alicia"]).ended(0);
    world.add("alice");
    assert_ne!(world.show("alice")["uid_number"], before["uid_number"]);
}

#[test]
fn groups_nest_and_refuse_to_contain_themselves() {
    let world = World::with_alice();
    world
        .run(&["group", "add", "staff", "--gid", "30000"])
        .ended(0);
    world
        .run(&["group", "add", "ops", "--description", "On call"])
        .ended(0);
    world.run(&["group", "join", "ops", "alice"]).ended(0);
    world
        .run(&["group", "join", "staff", "--group", "ops"])
        .ended(0);
    world
        .run(&["group", "join", "ops", "--group", "staff"])
        .ended(1)
        .complains("itself");
    world.run(&["group", "join", "ops"]).ended(64);
    let staff = world.json(&["group", "show", "staff"]);
    assert_eq!(staff["gid_number"], 30_000);
    assert_eq!(staff["members"], json!([]));
    assert_eq!(staff["users"], json!(["alice"]));
    assert_eq!(staff["groups"], json!(["ops"]));
    assert_eq!(strings(&world.show("alice")["groups"]), ["ops", "staff"]);
    world.run(&["group", "leave", "ops", "alice"]).ended(0);
    assert_eq!(world.json(&["group", "show", "staff"])["users"], json!([]));
    world
        .run(&["group", "remove", "users"])
        .ended(1)
        .complains("primary group");
    world.run(&["group", "remove", "ops"]).ended(0);
    world.run(&["group", "show", "ops"]).ended(1);
}

#[test]
fn only_resources_of_the_configuration_are_bound() {
    let world = World::with_alice();
    world.run(&["group", "add", "staff"]).ended(0);
    world
        .run(&["resource", "bind", "hots", "--user", "alice"])
        .ended(1)
        .complains("'hosts'");
    world.run(&["resource", "bind", "hosts"]).ended(64);
    world
        .run(&[
            "resource", "bind", "hosts", "--user", "alice", "--group", "staff",
        ])
        .ended(64);
    world
        .run(&["resource", "bind", "HOSTS", "--user", "alice"])
        .ended(0);
    world
        .run(&["resource", "bind", "wifi", "--group", "staff"])
        .ended(0);
    world.run(&["group", "join", "staff", "alice"]).ended(0);
    assert_eq!(
        strings(&world.show("alice")["resources"]),
        ["hosts", "wifi"]
    );
    let hosts = world.json(&["resource", "show", "hosts"]);
    assert_eq!(hosts["kind"], "endpoint");
    assert_eq!(hosts["users"], json!(["alice"]));
    world
        .run(&["resource", "unbind", "hosts", "--user", "alice"])
        .ended(0);
    world
        .run(&["resource", "unbind", "hosts", "--user", "alice"])
        .ended(1);
    assert_eq!(strings(&world.show("alice")["resources"]), ["wifi"]);
}

#[test]
fn mail_that_an_expired_user_could_not_read_is_warned_of() {
    let world = World::new();
    let add = ["user", "add", "erin", "--email", "erin@example.org"];
    world.run(&add).ended(0).complains("no recovery address");
    world
        .run(&["resource", "bind", "mail", "--user", "erin"])
        .ended(0)
        .complains("recovery");
    world
        .run(&["user", "set", "erin", "recovery_email=erin@elsewhere.net"])
        .ended(0);
    world.run(&["group", "add", "staff"]).ended(0);
    world
        .run(&["resource", "bind", "mail", "--group", "staff"])
        .ended(0);
    let joined = world.run(&["group", "join", "staff", "erin"]).ended(0);
    assert_eq!(joined.stderr, "");
    let long = [
        "user",
        "add",
        "a-rather-long-username",
        "--email",
        "long@elsewhere.net",
    ];
    world.run(&long).ended(0).complains("Windows");
}

#[test]
fn the_resource_that_asks_is_named_with_the_reason() {
    let world = World::new();
    let matched = world.json(&["resource", "match", "--listener", "hosts"]);
    assert_eq!(matched["resource"], "hosts");
    let through = |ssid: &str| {
        world.json(&["resource", "match", "--client", "wlc1", "--ssid", ssid])["resource"].clone()
    };
    assert_eq!(through("guest"), "guest-wifi");
    let refused = world
        .run(&["resource", "match", "--client", "wlc1", "--ssid", "x"])
        .ended(1);
    refused.prints("refused");
    world
        .run(&["resource", "match", "--client", "wlc2"])
        .ended(1)
        .complains("'wlc1'");
    world.run(&["resource", "match"]).ended(64);
}

#[test]
fn a_certificate_and_a_base_are_what_a_resource_may_rest_on() {
    let world = World::new();
    let resource = |name: &str, key: &str| {
        format!(
            "[[resource]]\nname = \"{name}\"\nkind = \"app\"\nmatch = {{ listener = \"hosts\", {key} }}\n\n"
        )
    };
    let first = [
        resource("front", "client_certificate = \"MX1.example.org\""),
        resource("view", "base = \"ou=mail\""),
        "[[resource]]\nname = \"mail\"".to_owned(),
    ];
    world.write(&World::configuration().replace("[[resource]]\nname = \"mail\"", &first.concat()));
    for (more, expected) in [
        (["--certificate", "mx1.EXAMPLE.org"], "front"),
        (["--certificate", "mx2.example.org"], "hosts"),
        (["--base", "ou=Mail"], "view"),
    ] {
        let arguments = [&["resource", "match", "--listener", "hosts"], &more[..]].concat();
        assert_eq!(world.json(&arguments)["resource"], expected, "{more:?}");
    }
}

#[test]
fn a_service_password_that_is_made_is_shown_once() {
    let world = World::new();
    let ran = world
        .run(&["service", "add", "sssd", "--search", "--from", "10.0.0.0/8"])
        .ended(0);
    let password = ran.stdout.trim().to_owned();
    assert_eq!(password.len(), 32);
    let listed = world.json(&["service", "list"]);
    assert_eq!(listed[0]["name"], "sssd");
    assert_eq!(listed[0]["may_search"], true);
    assert_eq!(listed[0]["sources"], json!(["10.0.0.0/8"]));
    assert_eq!(listed[0]["passwords"], 1);
    assert!(!listed.to_string().contains(&password));
    let set = [
        "service",
        "set-password",
        "sssd",
        "--password-stdin",
        "--keep-old",
    ];
    world.type_in(&set, OTHER_PASSWORD).ended(0);
    assert_eq!(world.json(&["service", "list"])[0]["passwords"], 2);
    world
        .type_in(&["service", "add", "x", "--password-stdin"], "short")
        .ended(65);
    world
        .run(&["service", "add", "y", "--from", "10.0.0.1/8"])
        .ended(64)
        .complains("prefix");
    world.run(&["service", "remove", "sssd"]).ended(0);
    world.run(&["service", "remove", "sssd"]).ended(1);
}

#[test]
fn a_certificate_is_mapped_to_one_service_account_and_taken_away() {
    let world = World::new();
    let add = |name: &str, certificate: &str| {
        world.run(&["service", "add", name, "--certificate", certificate])
    };
    let ran = add("dovecot", "MX1.example.org").ended(0);
    assert_eq!(ran.stdout.trim(), "added service account dovecot");
    let listed = world.json(&["service", "list"]);
    assert_eq!(listed[0]["certificate"], "MX1.example.org");
    assert_eq!(listed[0]["passwords"], 0);
    add("postfix", "mx1.example.org")
        .ended(1)
        .complains("the certificate name 'mx1.example.org' is taken");
    add("postfix", " mx2").ended(64).complains("no name");
    add("postfix", "spiffe://example.org/mail").ended(0);
    let set =
        |arguments: &[&str]| world.run(&[&["service", "set-certificate"], arguments].concat());
    set(&["postfix", "mx1.example.org"]).ended(1);
    set(&["dovecot", "--none"])
        .ended(0)
        .complains("nothing binds it");
    set(&["postfix", "mx1.example.org"])
        .ended(0)
        .prints("the certificate of mx1.example.org binds service account postfix");
    set(&["postfix"]).ended(64);
    set(&["postfix", "x", "--none"]).ended(64);
    set(&["postfxi", "x"]).ended(1).complains("'postfix'");
    world
        .run(&["service", "list"])
        .ended(0)
        .prints("mx1.example.org");
    // A password beside it, where one is given.
    let both = [
        "service",
        "add",
        "imap",
        "--certificate",
        "imap",
        "--password-stdin",
    ];
    world.type_in(&both, OTHER_PASSWORD).ended(0);
    let listed = world.json(&["service", "list"]);
    assert_eq!(listed[1]["name"], "imap");
    assert_eq!(listed[1]["passwords"], 1);
    assert_eq!(listed[1]["certificate"], "imap");
    world
        .run(&["events", "--limit", "20"])
        .ended(0)
        .prints("service.set_certificate");
}

#[test]
fn the_policy_is_versioned_previewed_and_looked_back_on() {
    let world = World::with_alice();
    assert_eq!(
        world.json(&["policy", "show"])["keys"]["lockout.threshold"],
        "10"
    );
    world
        .run(&["policy", "set", "lockout.treshold=3"])
        .ended(65)
        .complains("'lockout.threshold'");
    world
        .run(&["policy", "set", "lockout.threshold=0"])
        .ended(65);
    world.run(&["policy", "set"]).ended(64);

    let preview = world.json(&["policy", "set", "password.max_age=90d", "--preview"]);
    assert_eq!(preview["affected"][0]["username"], "alice");
    assert_eq!(
        preview["affected"][0]["status_after"], "active",
        "ageing expires nobody at once"
    );
    assert!(preview["affected"][0]["expires_after"].is_string());
    assert_eq!(
        world.json(&["policy", "show"])["version"],
        1,
        "a preview saves nothing"
    );

    world
        .run(&["policy", "set", "profile=cis", "--change-by", "2099-01-31"])
        .ended(0);
    let policy = world.json(&["policy", "show"]);
    assert_eq!(policy["version"], 2);
    assert_eq!(policy["keys"]["lockout.threshold"], "5");
    assert_eq!(
        policy["forced_changes"][0]["by"],
        "2099-01-31T23:00:00.000Z"
    );
    let alice = world.show("alice");
    assert!(alice["password_expiration_date"].is_string());
    let history = world.json(&["policy", "history"]);
    assert_eq!(history[0]["login"], "grace");
    assert_eq!(history[0]["before"]["lockout"]["threshold"], 10);
    assert_eq!(history[0]["after"]["lockout"]["threshold"], 5);
}

#[test]
fn every_change_is_an_event_and_every_line_is_json() {
    let world = World::with_alice();
    world.run(&["user", "suspend", "alice"]).ended(0);
    let ran = world
        .run(&["-o", "json", "events", "--user", "alice"])
        .ended(0);
    let events: Vec<Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let actions: Vec<&str> = events
        .iter()
        .map(|one| one["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["user.add", "user.suspend"]);
    assert_eq!(events[1]["actor"], "local_login");
    assert_eq!(events[1]["login"], "grace");
    assert_eq!(events[1]["after"], json!({ "suspended": true }));
    assert!(events[1]["at"].as_str().unwrap().ends_with('Z'));
    assert!(!ran.stdout.contains("argon2"));

    let none = world.run(&["events", "--outcome", "refused"]).ended(0);
    assert_eq!(none.stdout, "");
    world.run(&["events", "--outcome", "maybe"]).ended(64);
    world.run(&["events", "--since", "yesterday"]).ended(65);
    let newest = world.run(&["events", "-n", "1"]).ended(0);
    newest.prints("user.suspend alice by grace (local login)");
}

#[test]
fn a_change_is_seen_by_another_process_as_it_happens() {
    use std::io::{BufRead as _, BufReader};
    let world = World::with_alice();
    let mut follow = world.command();
    follow.args([
        "-o", "json", "events", "--user", "alice", "--follow", "-n", "1",
    ]);
    let mut follow = follow
        .stdout(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(next()["action"], "user.add");
    world.run(&["user", "suspend", "alice"]).ended(0);
    assert_eq!(next()["action"], "user.suspend");
    world.run(&["user", "resume", "alice"]).ended(0);
    assert_eq!(next()["action"], "user.resume");
    // Nobody reads any more: the process ends by itself and quietly at the next event.
    drop(lines);
    world.run(&["user", "suspend", "alice"]).ended(0);
    assert!(follow.wait().unwrap().success());
}
