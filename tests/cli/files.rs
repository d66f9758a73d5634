//! What the commands leave on disk: backups that restore, and nothing that a daemon which is not
//! root could not use.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

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
    follow.args(["events", "--follow"]).stdout(Stdio::piped());
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
    follow.args(["events", "--follow"]).stdout(Stdio::piped());
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

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Every file and folder below one, by its path from there.
fn modes(folder: &Path, below: &Path, found: &mut BTreeMap<String, u32>) {
    for entry in fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
        found.insert(name.to_owned(), mode(&path));
        if path.is_dir() {
            modes(folder, &path, found);
        }
    }
}

#[test]
fn whatever_the_umask_is_files_and_folders_have_the_permissions_that_were_meant() {
    let mut seen = Vec::new();
    for umask in ["000", "022", "077"] {
        let folder = tempfile::tempdir().unwrap();
        let run = |arguments: &str| {
            let script = format!("umask {umask}; cd \"$1\" && exec \"$0\" {arguments}");
            let output = Command::new("sh")
                .args(["-c", &script, env!("CARGO_BIN_EXE_doorward")])
                .arg(folder.path())
                .stdin(Stdio::null())
                .output()
                .unwrap();
            assert!(output.status.success(), "{output:?}");
        };
        run("init --dir made");
        run("certs other/certs --name gateway.example.org");
        run("certs user other/certs alice");
        run("certs revoke other/certs");
        run("-c made/doorward.toml backup made/backup.db");
        run("-c made/doorward.toml restore made/backup.db");
        run("-c made/doorward.toml user list");
        let mut found = BTreeMap::new();
        modes(folder.path(), folder.path(), &mut found);
        // A certificate's name has its serial number.
        found.retain(|name, _| !name.starts_with("other/certs/users/"));
        seen.push(found);
    }
    let found = &seen[0];
    assert_eq!(&seen[1], found);
    assert_eq!(&seen[2], found);
    for (name, mode) in found {
        assert_eq!(
            mode & 0o022,
            0,
            "{name} is for its owner to write: {mode:o}"
        );
        let secret = name.contains(".key") || name.contains(".db");
        assert!(!secret || *mode == 0o600, "{name}: {mode:o}");
    }
    let expected = [
        ("made", 0o750),
        ("made/certs", 0o755),
        ("made/certs/server.key", 0o600),
        ("made/certs/server.pem", 0o644),
        ("made/doorward.db", 0o600),
        ("made/doorward.db.lock", 0o600),
        ("made/doorward.db.before-restore", 0o600),
        ("made/doorward.toml", 0o640),
        ("other", 0o755),
        ("other/certs/users", 0o755),
        ("other/certs/crl.pem", 0o644),
    ];
    for (name, mode) in expected {
        assert_eq!(found.get(name), Some(&mode), "{name} among {found:?}");
    }
}

/// The daemon's user may write in the store's folder, and root runs commands there.
#[test]
fn a_planted_link_leads_no_command_elsewhere() {
    let world = World::with_alice();
    let victim = world.path("victim");
    fs::write(&victim, "untouched").unwrap();
    let backup = world.path("backup.db");
    let text = backup.to_str().unwrap();
    for name in [
        "backup.db.partial",
        "doorward.db.restoring",
        "doorward.db.restoring.partial",
    ] {
        symlink(&victim, world.path(name)).unwrap();
    }
    world.run(&["backup", text]).ended(0);
    world.run(&["restore", text]).ended(0);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
    assert!(!fs::symlink_metadata(&backup).unwrap().is_symlink());

    // In the place of the backup itself, be it to something or to nothing.
    for target in [victim.clone(), world.path("nothing")] {
        fs::remove_file(&backup).unwrap();
        symlink(&target, &backup).unwrap();
        world
            .run(&["backup", text])
            .ended(1)
            .complains("overwrites nothing");
    }
    assert!(!world.path("nothing").exists());

    // In the place of the lock.
    fs::remove_file(world.path("doorward.db.lock")).unwrap();
    symlink(&victim, world.path("doorward.db.lock")).unwrap();
    let refused = world.run(&["user", "show", "alice"]);
    assert_ne!(refused.code, 0, "{refused:?}");
    assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
}
