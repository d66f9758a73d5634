//! `doorward user ssh-key`, with keys that `ssh-keygen` made.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::world::World;

/// Makes a pair of keys with OpenSSH; the public one as a line.
fn keygen(world: &World, name: &str, arguments: &[&str]) -> String {
    let file = world.path(name);
    let made = Command::new("ssh-keygen")
        .args(["-q", "-N", "", "-C", name, "-f"])
        .arg(&file)
        .args(arguments)
        .output()
        .expect("ssh-keygen of openssh-client");
    assert!(made.status.success(), "{made:?}");
    fs::read_to_string(world.path(&format!("{name}.pub"))).unwrap()
}

/// The fingerprint as OpenSSH shows it.
fn fingerprint(world: &World, name: &str) -> String {
    let shown = Command::new("ssh-keygen")
        .args(["-l", "-E", "sha256", "-f"])
        .arg(world.path(&format!("{name}.pub")))
        .output()
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    shown.split(' ').nth(1).unwrap().to_owned()
}

const ADD: [&str; 4] = ["user", "ssh-key", "add", "alice"];

#[test]
fn keys_of_every_type_are_added_listed_and_removed() {
    let world = World::with_alice();
    let kinds: [(&str, &[&str]); 5] = [
        ("ed25519", &["-t", "ed25519"]),
        ("p256", &["-t", "ecdsa", "-b", "256"]),
        ("p384", &["-t", "ecdsa", "-b", "384"]),
        ("p521", &["-t", "ecdsa", "-b", "521"]),
        ("rsa", &["-t", "rsa", "-b", "2048"]),
    ];
    let mut lines = Vec::new();
    for (name, arguments) in kinds {
        lines.push(keygen(&world, name, arguments));
    }
    world
        .type_in(&ADD, &format!("# mine\n\n{}", lines[..4].concat()))
        .ended(0)
        .prints("4 SSH keys");
    let file = world.path("rsa.pub");
    let from_file = [&ADD[..], &["--file", file.to_str().unwrap()]].concat();
    world.run(&from_file).ended(0).prints("5 SSH keys");
    world.run(&from_file).ended(1).complains("already");

    let listed = world.json(&["user", "ssh-key", "list", "alice"]);
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 5);
    for (((name, _), line), key) in kinds.iter().zip(&lines).zip(listed) {
        assert_eq!(key["key"], line.trim_end());
        assert_eq!(key["comment"], *name);
        assert_eq!(key["fingerprint"], fingerprint(&world, name));
    }
    let shown = world.run(&["user", "show", "alice"]).ended(0);
    shown.prints(&format!("{} p256", fingerprint(&world, "p256")));
    assert_eq!(world.show("alice")["ssh_keys"].as_array().unwrap().len(), 5);

    let remove = |which: &str| world.run(&["user", "ssh-key", "remove", "alice", which]);
    remove("p256").ended(0).prints("p256");
    remove(&fingerprint(&world, "rsa")).ended(0).prints("rsa");
    remove("rsa").ended(1).complains("no SSH key 'rsa'");
    let table = world.run(&["user", "ssh-key", "list", "alice"]).ended(0);
    assert_eq!(table.stdout.lines().count(), 4, "{}", table.stdout);

    let log = world.run(&["-o", "json", "events", "--user", "alice"]);
    let actions: Vec<String> = log
        .ended(0)
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["action"].to_string())
        .collect();
    let expected = [
        "\"user.add\"",
        "\"user.add_ssh_keys\"",
        "\"user.add_ssh_keys\"",
        "\"user.remove_ssh_key\"",
        "\"user.remove_ssh_key\"",
    ];
    assert_eq!(actions, expected);
}

#[test]
fn what_is_no_key_to_keep_is_refused_and_never_repeated() {
    let world = World::with_alice();
    let public = keygen(&world, "laptop", &["-t", "ed25519"]);
    let private = fs::read_to_string(world.path("laptop")).unwrap();
    let ran = world.type_in(&ADD, &private).ended(65);
    ran.complains("private key");
    let secret = private.lines().nth(1).unwrap();
    assert!(!ran.stderr.contains(secret) && !ran.stdout.contains(secret));

    let weak = keygen(&world, "weak", &["-t", "rsa", "-b", "1024"]);
    let both = format!("{public}{weak}");
    let ran = world.type_in(&ADD, &both).ended(65);
    ran.complains("line 2: the RSA key has 1024 bits");
    let forced = format!("command=\"/bin/true\" {public}");
    world.type_in(&ADD, &forced).ended(65).complains("options");
    world.type_in(&ADD, "").ended(65).complains("no key");
    assert_eq!(
        world.show("alice")["ssh_keys"],
        serde_json::json!([]),
        "all keys of a file or none"
    );
    let missing = [&ADD[..], &["--file", "/nowhere/id.pub"]].concat();
    world.run(&missing).ended(66).complains("/nowhere/id.pub");
    world
        .run(&["user", "ssh-key", "list", "alcie"])
        .ended(1)
        .complains("did you mean 'alice'");
}
