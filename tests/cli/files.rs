//! What the commands leave on disk: backups that restore, and nothing that a daemon which is not
//! root could not use.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};

use crate::world::World;

#[test]
fn a_backup_restores_what_was_and_keeps_what_is() {
    let world = World::with_alice();
    let backup = world.path("backup.db");
    let backup_text = backup.to_str().unwrap();
    world.run(&["backup", backup_text]).ended(0);
    world
        .run(&["backup", backup_text])
        .ended(1)
        .complains("overwrites nothing");
    world.run(&["user", "remove", "alice"]).ended(0);
    world.run(&["user", "show", "alice"]).ended(1);
    let restored = world.json(&["restore", backup_text]);
    assert_eq!(world.show("alice")["status"], "active");
    assert!(fs::exists(restored["kept"].as_str().unwrap()).unwrap());
    world
        .run(&["restore", world.path("none.db").to_str().unwrap()])
        .ended(66);
    let other = world.path("other.db");
    fs::write(&other, "not a database, whatever its name says").unwrap();
    world.run(&["restore", other.to_str().unwrap()]).ended(66);
    assert_eq!(world.show("alice")["status"], "active");
}

#[test]
fn a_store_in_use_is_not_replaced() {
    let world = World::with_alice();
    let backup = world.path("backup.db");
    world.run(&["backup", backup.to_str().unwrap()]).ended(0);
    let mut follow = world.command();
    follow
        .args(["events", "--follow"])
        .stdout(std::process::Stdio::piped());
    let mut follow = follow.spawn().unwrap();
    let mut line = String::new();
    let out = follow.stdout.as_mut().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).unwrap();
    assert!(!line.is_empty());
    world
        .run(&["restore", backup.to_str().unwrap()])
        .ended(69)
        .complains("stop it first");
    follow.kill().unwrap();
    follow.wait().unwrap();
}

/// Root at the keyboard beside a daemon that is not root is how packages are run.
#[test]
fn root_leaves_no_file_that_only_root_can_use() {
    const DAEMON: u32 = 4242;
    let world = World::with_alice();
    if fs::metadata(world.path("doorward.db")).unwrap().uid() != 0 {
        // Only root can leave root's files behind.
        return;
    }
    chown(world.folder.path(), Some(DAEMON), Some(DAEMON)).unwrap();
    for entry in fs::read_dir(world.folder.path()).unwrap() {
        chown(entry.unwrap().path(), Some(DAEMON), Some(DAEMON)).unwrap();
    }
    world
        .run(&["backup", world.path("backup.db").to_str().unwrap()])
        .ended(0);
    fs::remove_file(world.path("doorward.db.lock")).unwrap();
    world.run(&["user", "suspend", "alice"]).ended(0);
    world
        .run(&["restore", world.path("backup.db").to_str().unwrap()])
        .ended(0);
    world.run(&["user", "suspend", "alice"]).ended(0);

    // A process that ended tidies its write-ahead log away; one that is killed leaves it.
    let mut follow = world.command();
    follow
        .args(["events", "--follow"])
        .stdout(std::process::Stdio::piped());
    let mut follow = follow.spawn().unwrap();
    let mut line = String::new();
    let out = follow.stdout.as_mut().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).unwrap();
    world.run(&["user", "resume", "alice"]).ended(0);
    follow.kill().unwrap();
    follow.wait().unwrap();

    for entry in fs::read_dir(world.folder.path()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name.contains(".db") {
            let metadata = entry.metadata().unwrap();
            assert_eq!(metadata.uid(), DAEMON, "{name}");
            assert_eq!(
                metadata.permissions().mode() & 0o077,
                0,
                "{name} is the owner's alone"
            );
        }
    }
}
