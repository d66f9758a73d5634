//! Root runs commands on a store whose folder is the daemon's user's, or on a backup out of
//! somebody's folder: whatever was planted there, nothing elsewhere is changed, read or deleted.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use tempfile::TempDir;

use crate::journal::plant;
use crate::world::{PASSWORD, World, run};

/// The daemon's user.
const DAEMON: u32 = 4242;

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Gives a folder with what is in it to the daemon's user.
fn give(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        lchown(entry.unwrap().path(), Some(DAEMON), Some(DAEMON)).unwrap();
    }
    chown(folder, Some(DAEMON), Some(DAEMON)).unwrap();
}

/// A world whose folder belongs to the daemon's user; none where root alone can make one.
fn daemons_world() -> Option<World> {
    if !is_root() {
        return None;
    }
    let world = World::with_alice();
    give(world.folder.path());
    Some(world)
}

/// A file of root's, where nobody else has a say.
struct Victim {
    folder: TempDir,
    content: &'static str,
}

impl Victim {
    fn new(content: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("victim"), content).unwrap();
        Self { folder, content }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("victim")
    }

    #[track_caller]
    fn is_untouched(&self) {
        assert_eq!(fs::read_to_string(self.path()).unwrap(), self.content);
        assert_eq!(fs::read_dir(self.folder.path()).unwrap().count(), 1);
    }
}

#[test]
fn a_journal_beside_the_store_has_root_delete_nothing() {
    let world = World::with_alice();
    let victim = Victim::new("root's");
    let journal = world.path("doorward.db-journal");
    for command in [
        &["user", "list"][..],
        &["backup", "backup.db"],
        &["healthcheck"],
        &["check"],
    ] {
        plant(&world.path("doorward.db"), &victim.path());
        let mut started = world.command();
        let ran = run(
            started.current_dir(world.folder.path()).args(command),
            PASSWORD,
        );
        assert_ne!(ran.code, 0, "{command:?}: {ran:?}");
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains("is a rollback journal"), "{said}");
        victim.is_untouched();
        assert!(journal.exists());
    }
    fs::remove_file(journal).unwrap();
    assert_eq!(world.show("alice")["status"], "active");
}

#[test]
fn a_journal_beside_a_backup_has_root_delete_nothing() {
    let world = World::with_alice();
    let victim = Victim::new("root's");
    let backup = world.path("backup.db");
    let text = backup.to_str().unwrap();
    world.run(&["backup", text]).ended(0);
    plant(&backup, &victim.path());
    world
        .run(&["restore", text])
        .ended(65)
        .complains("is a rollback journal");
    victim.is_untouched();
    // Whatever the file is, the journal is seen first.
    fs::write(&backup, "SQLite format 3\0 and nothing of the kind").unwrap();
    world
        .run(&["restore", text])
        .ended(65)
        .complains("is a rollback journal");
    victim.is_untouched();
    fs::remove_file(world.path("backup.db-journal")).unwrap();
    world
        .run(&["restore", text])
        .ended(66)
        .complains("file is not a database");
    assert_eq!(world.show("alice")["status"], "active");
}

/// What SQLite opens beside a database it opens with the rights of the folder's owner.
#[test]
fn a_link_in_the_place_of_the_log_has_root_write_nowhere() {
    let Some(world) = daemons_world() else { return };
    for name in ["doorward.db-wal", "doorward.db-shm"] {
        let victim = Victim::new("");
        symlink(victim.path(), world.path(name)).unwrap();
        lchown(world.path(name), Some(DAEMON), Some(DAEMON)).unwrap();
        let ran = world.run(&["user", "suspend", "alice"]);
        assert_ne!(ran.code, 0, "{name}: {ran:?}");
        ran.complains("as user 4242, to whom its folder belongs");
        victim.is_untouched();
        let backup = world.path("backup.db");
        assert_ne!(world.run(&["backup", backup.to_str().unwrap()]).code, 0);
        victim.is_untouched();
        fs::remove_file(world.path(name)).unwrap();
    }
    assert_eq!(world.show("alice")["status"], "active");
}

#[test]
fn a_store_that_is_a_link_is_not_written_through() {
    let world = World::with_alice();
    let victim = Victim::new("");
    fs::remove_file(world.path("doorward.db")).unwrap();
    symlink(victim.path(), world.path("doorward.db")).unwrap();
    world
        .run(&["user", "list"])
        .ended(69)
        .complains("it is a link");
    victim.is_untouched();
}

#[test]
fn an_empty_store_is_not_a_new_one() {
    let world = World::with_alice();
    fs::write(world.path("doorward.db"), "").unwrap();
    world
        .run(&["user", "list"])
        .ended(69)
        .complains("is empty: restore a backup");
    assert_eq!(fs::metadata(world.path("doorward.db")).unwrap().len(), 0);
}

#[test]
fn an_administrators_link_leads_to_the_stores_folder() {
    let Some(world) = daemons_world() else { return };
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let link = place.path().join("link");
    symlink(world.folder.path(), &link).unwrap();
    let url = format!("sqlite://{}", link.join("doorward.db").display());
    let config = World::configuration().replace("sqlite://doorward.db", &url);
    world.write(&config);
    assert_eq!(world.show("alice")["status"], "active");
    // Somebody else's leads nowhere.
    lchown(&link, Some(DAEMON), Some(DAEMON)).unwrap();
    world
        .run(&["user", "list"])
        .ended(77)
        .complains("a link of somebody else's leads there");
}

#[test]
fn a_store_of_the_daemons_is_backed_up_to_where_root_alone_may_write() {
    let Some(world) = daemons_world() else { return };
    let roots = tempfile::tempdir().unwrap();
    let backup = roots.path().join("backup.db");
    let text = backup.to_str().unwrap();
    world.run(&["backup", text]).ended(0);
    let made = fs::metadata(&backup).unwrap();
    assert_eq!((made.uid(), made.mode() & 0o777), (0, 0o600));
    world.run(&["user", "remove", "alice"]).ended(0);
    world.run(&["restore", text]).ended(0);
    assert_eq!(world.show("alice")["status"], "active");
    let restored = fs::metadata(world.path("doorward.db")).unwrap();
    assert_eq!((restored.uid(), restored.gid()), (DAEMON, DAEMON));
    // And where everybody may make names and nobody take away another's.
    fs::set_permissions(roots.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    let other = roots.path().join("other.db");
    world.run(&["backup", other.to_str().unwrap()]).ended(0);
    fs::set_permissions(roots.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let third = roots.path().join("third.db");
    world
        .run(&["backup", third.to_str().unwrap()])
        .ended(74)
        .complains("others than root may write");
}

#[test]
fn a_link_in_the_place_of_a_backup_gives_no_file_of_roots_away() {
    let Some(world) = daemons_world() else { return };
    let roots = World::with_alice();
    let backup = world.path("backup.db");
    symlink(roots.path("doorward.db"), &backup).unwrap();
    world
        .run(&["restore", backup.to_str().unwrap()])
        .ended(66)
        .complains("it is a link");
    let restored = fs::metadata(world.path("doorward.db")).unwrap();
    assert_eq!(restored.uid(), DAEMON);
    assert!(!world.path("doorward.db.before-restore").exists());
}

/// Whoever owns the folder may name a file there that they cannot read.
#[test]
fn a_second_name_in_the_place_of_a_backup_gives_no_file_of_roots_away() {
    let Some(world) = daemons_world() else { return };
    let roots = World::with_alice();
    let theirs = world.path("backup.db");
    let text = theirs.to_str().unwrap();
    fs::hard_link(roots.path("doorward.db"), &theirs).unwrap();
    world
        .run(&["restore", text])
        .ended(66)
        .complains("it has another name elsewhere");
    assert!(!world.path("doorward.db.before-restore").exists());
    // Nor where everybody may make names.
    let shared = tempfile::tempdir().unwrap();
    fs::set_permissions(shared.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    let linked = shared.path().join("backup.db");
    fs::hard_link(&theirs, &linked).unwrap();
    world
        .run(&["restore", linked.to_str().unwrap()])
        .ended(66)
        .complains("it has another name elsewhere");
    // In a folder of one's own a second name is one's own doing.
    let own = roots.path("doorward.db");
    world.run(&["restore", own.to_str().unwrap()]).ended(0);
    // And a file that has one name alone may lie anywhere.
    fs::remove_file(&linked).unwrap();
    fs::remove_file(&own).unwrap();
    world.run(&["restore", text]).ended(0);
    assert_eq!(world.show("alice")["status"], "active");
}

#[test]
fn root_uses_no_store_where_others_could_plant_something() {
    if !is_root() {
        return;
    }
    let world = World::with_alice();
    let allow = |mode| {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(world.folder.path(), permissions).unwrap();
    };
    for mode in [0o770, 0o1777] {
        allow(mode);
        world
            .run(&["user", "list"])
            .ended(77)
            .complains("others than root may write in root's folder");
    }
    allow(0o755);
    world.run(&["user", "list"]).ended(0);
}

#[test]
fn root_uses_no_store_in_whose_place_others_could_put_another() {
    let Some(world) = daemons_world() else { return };
    let above = tempfile::tempdir().unwrap();
    let inner = above.path().join("inner");
    fs::rename(world.folder.path(), &inner).unwrap();
    let url = format!("sqlite://{}", inner.join("doorward.db").display());
    let config = World::configuration().replace("sqlite://doorward.db", &url);
    fs::create_dir(world.folder.path()).unwrap();
    world.write(&config);
    let allow = |mode| {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(above.path(), permissions).unwrap();
    };
    allow(0o1777);
    let [backup, other] = ["backup.db", "other.db"].map(|name| inner.join(name));
    let [backup, other] = [&backup, &other].map(|path| path.to_str().unwrap());
    world.run(&["user", "list"]).ended(0);
    world.run(&["backup", backup]).ended(0);
    allow(0o777);
    for command in [
        &["user", "list"][..],
        &["backup", other],
        &["restore", backup],
    ] {
        let ran = world.run(command);
        assert_ne!(ran.code, 0, "{command:?}: {ran:?}");
        ran.complains("chmod +t");
    }
    // Where a backup goes, as well.
    let roots = World::with_alice();
    roots
        .run(&["backup", other])
        .ended(74)
        .complains("chmod +t");
}

/// A command that goes on until it is killed.
fn follow(world: &World) -> Child {
    let mut follow = world.command();
    follow.args(["events", "--follow"]).stdout(Stdio::piped());
    let mut follow = follow.spawn().unwrap();
    let mut line = String::new();
    let out = follow.stdout.as_mut().unwrap();
    BufReader::new(out).read_line(&mut line).unwrap();
    follow
}

#[test]
fn what_touches_the_store_has_its_owners_rights_and_nothing_else_has() {
    let Some(world) = daemons_world() else { return };
    let mut child = follow(&world);
    let mut seen = 0;
    for task in fs::read_dir(format!("/proc/{}/task", child.id())).unwrap() {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let line = |key: &str| status.lines().find_map(|line| line.strip_prefix(key));
        let of_store = line("Name:\t").unwrap().starts_with("store-");
        let expected = if of_store { DAEMON } else { 0 };
        for key in ["Uid:", "Gid:"] {
            let numbers: Vec<&str> = line(key).unwrap().split_whitespace().collect();
            // Real, effective, saved, and for files. The real one keeps the owner's other
            // processes away.
            let expected = ["0", &expected.to_string(), "0", &expected.to_string()];
            assert_eq!(numbers, expected, "{status}");
        }
        if of_store {
            seen += 1;
            assert_eq!(line("Groups:").unwrap().trim(), "", "{status}");
            assert_eq!(line("CapEff:").unwrap().trim(), "0000000000000000");
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(seen > 1, "{seen} threads of the store's");
}

/// A store in rollback mode is what a restore leaves; the first to open it changes that.
#[test]
fn a_command_that_is_killed_as_it_opens_a_restored_store_leaves_it_usable() {
    let world = World::with_alice();
    let backup = world.path("backup.db");
    world.run(&["backup", backup.to_str().unwrap()]).ended(0);
    let mut versions = BTreeSet::new();
    // Until one was killed before the switch and one after it.
    for round in 0..500_u64 {
        if round >= 24 && versions.len() > 1 {
            break;
        }
        for suffix in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(world.path(&format!("doorward.db{suffix}")));
        }
        fs::copy(&backup, world.path("doorward.db")).unwrap();
        let mut command = world.command();
        command
            .args(["events", "--follow"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        // At a different point of its start each time.
        std::thread::park_timeout(std::time::Duration::from_millis(round * 2));
        child.kill().unwrap();
        child.wait().unwrap();
        let header = fs::read(world.path("doorward.db")).unwrap();
        // The file format's version: 2 is with a write-ahead log.
        versions.insert(header[18]);
        assert!(!world.path("doorward.db-journal").exists(), "{round}");
        assert_eq!(world.show("alice")["status"], "active", "{round}");
    }
    assert_eq!(versions, BTreeSet::from([1, 2]));
}
