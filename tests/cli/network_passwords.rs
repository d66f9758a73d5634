//! `doorward user network-password`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::world::World;

/// A world with `alice` and a key for network passwords.
fn world_with_key() -> World {
    let world = World::with_alice();
    let key = world.path("network.key");
    fs::write(&key, "5eed".repeat(16)).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let with = "[radius]\nnetwork_password_key_file = \"network.key\"\n";
    world.write(&World::configuration().replace("[radius]\n", with));
    world
}

const MAKE: [&str; 3] = ["user", "network-password", "alice"];
const REVOKE: [&str; 4] = ["user", "network-password", "alice", "--revoke"];

#[test]
fn one_is_shown_once_and_said_to_be_there() {
    let world = world_with_key();
    let since = |world: &World| world.show("alice")["network_password_set_date"].clone();
    assert_eq!(since(&world), Value::Null);
    let made = world.json(&MAKE);
    assert_eq!(made["username"], "alice");
    let password = made["network_password"].as_str().unwrap().to_owned();
    assert_eq!(password.len(), 23, "{password}");
    let first = since(&world);
    assert!(first.as_str().is_some());
    world
        .run(&["user", "show", "alice"])
        .ended(0)
        .prints("network password set");

    // For people the password alone, and the rest on standard error.
    let ran = world.run(&MAKE).ended(0);
    let other = ran.stdout.trim_end().to_owned();
    assert_eq!(other.len(), 23, "{other}");
    assert_ne!(other, password);
    ran.complains("not shown again");

    let log = world
        .run(&["-o", "json", "events", "--user", "alice"])
        .ended(0);
    let shown = world.run(&["-o", "json", "user", "show", "alice"]).ended(0);
    let store = fs::read(world.path("doorward.db")).unwrap();
    for secret in [&password, &other] {
        assert!(!log.stdout.contains(secret) && !shown.stdout.contains(secret));
        assert!(!store.windows(5).any(|part| part == &secret.as_bytes()[..5]));
    }
    let actions = log
        .stdout
        .lines()
        .filter(|line| line.contains("user.set_network_password"));
    assert_eq!(actions.count(), 2, "{}", log.stdout);

    world.run(&REVOKE).ended(0).prints("revoked");
    assert_eq!(since(&world), Value::Null);
    world
        .run(&REVOKE)
        .ended(1)
        .complains("has no network password");
    world
        .run(&["user", "network-password", "alcie"])
        .ended(1)
        .complains("did you mean 'alice'");
}

#[test]
fn without_a_key_none_is_made_and_one_can_be_revoked() {
    let world = world_with_key();
    world.run(&MAKE).ended(0);
    world.write(World::configuration());
    world
        .run(&MAKE)
        .ended(78)
        .complains("network_password_key_file");
    world.run(&REVOKE).ended(0);
}

#[test]
fn a_key_that_is_none_is_cited_by_check_and_makes_nothing() {
    let world = world_with_key();
    fs::write(world.path("network.key"), "hunter2").unwrap();
    for arguments in [&MAKE[..], &["check"]] {
        let ran = world.run(arguments);
        assert_ne!(ran.code, 0);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains("doorward.toml:"), "{said}");
        assert!(said.contains("64 hexadecimal digits"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let since = &world.show("alice")["network_password_set_date"];
    assert_eq!(*since, Value::Null);
}
