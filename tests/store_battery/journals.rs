//! What stands beside a database, or in its place, and would have SQLite do more than is meant:
//! rollback journals, links, logs, nothing at all.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use doorward_store::Store;
use doorward_store::changes::UserFilter;
use doorward_store::sqlite::{BackupError, OpenError, backup, restore};
use rusqlite::Connection;
use rustix::fs::inotify;

use crate::journal::plant;
use crate::world::*;

/// A folder with a closed store, with alice in it, and a backup.
struct Made {
    folder: tempfile::TempDir,
}

impl Made {
    async fn new() -> Self {
        let made = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let store = Store::open(&made.store(), &options().creating()).unwrap();
        add_user(&store, "alice").await;
        backup(&made.store(), &made.copy()).unwrap();
        made
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn store(&self) -> PathBuf {
        self.path("doorward.db")
    }

    fn copy(&self) -> PathBuf {
        self.path("copy.db")
    }

    fn victim(&self) -> PathBuf {
        let victim = self.path("victim");
        fs::write(&victim, "untouched").unwrap();
        victim
    }

    async fn has_alice(&self) {
        let store = Store::open(&self.store(), &options()).unwrap();
        let filter = UserFilter::Username("alice".to_owned());
        assert_eq!(store.users(&filter, None, 10).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_journal_beside_a_database_is_refused_before_it_is_obeyed() {
    let made = Made::new().await;
    let victim = made.victim();
    plant(&made.store(), &victim);
    let refused = Store::open(&made.store(), &options()).unwrap_err();
    assert!(matches!(refused, OpenError::Journal(_)), "{refused}");
    let refused = Store::open(&made.store(), &options().creating()).unwrap_err();
    assert!(matches!(refused, OpenError::Journal(_)), "{refused}");
    let refused = backup(&made.store(), &made.path("other.db")).unwrap_err();
    assert!(matches!(refused, BackupError::Journal(_)), "{refused}");
    assert!(!made.path("other.db").exists());

    plant(&made.copy(), &victim);
    let refused = restore(&made.copy(), &made.path("other.db")).unwrap_err();
    assert!(matches!(refused, BackupError::Journal(_)), "{refused}");
    assert!(!made.path("other.db").exists());
    assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");

    // Whoever opens it with SQLite alone does obey it.
    let obeys = Connection::open(made.copy()).unwrap();
    obeys
        .query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        .unwrap();
    assert!(!victim.exists());
}

#[tokio::test]
async fn a_running_store_opens_nothing_beside_a_journal_either() {
    let made = Made::new().await;
    let victim = made.victim();
    let store = Store::open(&made.store(), &options()).unwrap();
    store.probe().await.unwrap();
    plant(&made.copy(), &victim);
    for (from, to) in [
        ("doorward.db", "aside.db"),
        ("doorward.db-wal", "aside.db-wal"),
        ("doorward.db-shm", "aside.db-shm"),
        ("copy.db-journal", "doorward.db-journal"),
        ("copy.db", "doorward.db"),
    ] {
        fs::rename(made.path(from), made.path(to)).unwrap();
    }
    let refused = store.probe().await.unwrap_err();
    let told = refused.to_string();
    assert!(told.contains("rollback journal"), "{told}");
    assert!(store.policy().await.is_err());
    assert!(victim.exists());
    fs::remove_file(made.path("doorward.db-journal")).unwrap();
    store.probe().await.unwrap();
}

#[tokio::test]
async fn a_restore_sets_a_journal_aside_with_its_store() {
    let made = Made::new().await;
    let victim = made.victim();
    plant(&made.store(), &victim);
    let kept = restore(&made.copy(), &made.store()).unwrap().unwrap();
    let name = kept.file_name().unwrap().to_str().unwrap();
    assert!(made.path(&format!("{name}-journal")).exists());
    made.has_alice().await;
    assert!(victim.exists());
}

/// SQLite would write what is in it into whatever database has the name.
#[tokio::test]
async fn a_log_without_its_database_comes_beside_no_other() {
    let made = Made::new().await;
    let store = Store::open(&made.store(), &options()).unwrap();
    add_user(&store, "bob").await;
    let log = fs::read(made.path("doorward.db-wal")).unwrap();
    assert!(!log.is_empty());
    drop(store);
    fs::remove_file(made.store()).unwrap();
    // What is restored has a log of its own, and the other is kept under a name that is free.
    for kept in [
        "doorward.db.before-restore-wal",
        "doorward.db.before-restore.2-wal",
    ] {
        fs::write(made.path("doorward.db-wal"), &log).unwrap();
        let named = restore(&made.copy(), &made.store()).unwrap();
        let store = Store::open(&made.store(), &options()).unwrap();
        let users = store.users(&UserFilter::All, None, 10).await.unwrap();
        let users: Vec<_> = users.iter().map(|user| user.username.as_str()).collect();
        assert_eq!(users, ["alice"]);
        drop(store);
        assert_eq!(named, Some(made.path(kept)));
        assert_eq!(fs::read(made.path(kept)).unwrap(), log);
        fs::remove_file(made.store()).unwrap();
    }
    // And no backup is written beside one.
    let other = made.path("other.db-wal");
    fs::write(&other, &log).unwrap();
    let refused = backup(&made.copy(), &made.path("other.db")).unwrap_err();
    assert!(
        matches!(&refused, BackupError::Exists(named) if *named == other),
        "{refused}"
    );
}

/// The names of journals that are made in a folder while something is done there.
fn journals_made(folder: &Path, work: impl FnOnce()) -> Vec<String> {
    let watch = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
    inotify::add_watch(&watch, folder, inotify::WatchFlags::CREATE).unwrap();
    work();
    let mut buffer = [std::mem::MaybeUninit::uninit(); 8192];
    let mut events = inotify::Reader::new(watch, &mut buffer);
    let mut made = Vec::new();
    while let Ok(event) = events.next() {
        let name = event.file_name().map(|name| name.to_str().unwrap());
        made.extend(name.map(str::to_owned));
    }
    assert!(!made.is_empty(), "something was made");
    made.retain(|name| name.ends_with("-journal"));
    made
}

/// So that a crash leaves none, and refusing one shuts nobody out of their store.
#[tokio::test]
async fn no_journal_is_ever_made_beside_a_store() {
    let made = Made::new().await;
    let folder = made.folder.path();
    let none: [&str; 0] = [];
    let fresh = made.path("fresh.db");
    let open = |path: &Path| drop(Store::open(path, &options().creating()).unwrap());
    assert_eq!(journals_made(folder, || open(&fresh)), none);
    // A backup is in rollback mode, and so is a store that was restored.
    assert_eq!(journals_made(folder, || open(&made.copy())), none);
    let copy = made.path("second.db");
    assert_eq!(
        journals_made(folder, || backup(&made.store(), &copy).unwrap()),
        none
    );
    assert_eq!(
        journals_made(folder, || drop(restore(&copy, &made.store()).unwrap())),
        none
    );
    assert_eq!(journals_made(folder, || open(&made.store())), none);
    made.has_alice().await;
    // The watch does see one.
    let plain = || {
        let connection = Connection::open(&copy).unwrap();
        connection.execute_batch("CREATE TABLE more (id)").unwrap();
    };
    assert_eq!(journals_made(folder, plain), ["second.db-journal"]);
}

#[tokio::test]
async fn an_empty_file_is_no_store_unless_one_may_be_made() {
    let made = Made::new().await;
    fs::write(made.store(), "").unwrap();
    let refused = Store::open(&made.store(), &options()).unwrap_err();
    assert!(matches!(refused, OpenError::Empty(_)), "{refused}");
    assert_eq!(fs::metadata(made.store()).unwrap().len(), 0);
    // A database without a table in it is as empty.
    let connection = Connection::open(made.store()).unwrap();
    connection
        .execute_batch("CREATE TABLE gone (id); DROP TABLE gone;")
        .unwrap();
    drop(connection);
    let refused = Store::open(&made.store(), &options()).unwrap_err();
    assert!(matches!(refused, OpenError::Empty(_)), "{refused}");
    drop(Store::open(&made.store(), &options().creating()).unwrap());
    drop(Store::open(&made.store(), &options()).unwrap());
}

#[tokio::test]
async fn a_link_may_lead_to_the_folder_and_not_to_the_file() {
    let made = Made::new().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join("link");
    symlink(made.folder.path(), &link).unwrap();
    drop(Store::open(&link.join("doorward.db"), &options()).unwrap());
    backup(&link.join("doorward.db"), &link.join("linked.db")).unwrap();
    restore(&link.join("linked.db"), &link.join("doorward.db")).unwrap();
    made.has_alice().await;

    let file = elsewhere.path().join("doorward.db");
    symlink(made.store(), &file).unwrap();
    let before = fs::read(made.store()).unwrap();
    for options in [options(), options().creating()] {
        let refused = Store::open(&file, &options).unwrap_err();
        assert!(refused.to_string().contains("it is a link"), "{refused}");
    }
    let refused = backup(&file, &elsewhere.path().join("copy.db")).unwrap_err();
    assert!(refused.to_string().contains("it is a link"), "{refused}");
    let refused = restore(&file, &elsewhere.path().join("other.db")).unwrap_err();
    assert!(refused.to_string().contains("it is a link"), "{refused}");
    assert_eq!(fs::read(made.store()).unwrap(), before);
}

#[tokio::test]
async fn what_stands_beside_a_backup_is_not_restored_along() {
    let made = Made::new().await;
    fs::write(made.path("copy.db-wal"), "").unwrap();
    let refused = restore(&made.copy(), &made.store()).unwrap_err();
    assert!(refused.to_string().contains("write-ahead log"), "{refused}");
    fs::remove_file(made.path("copy.db-wal")).unwrap();
    restore(&made.copy(), &made.store()).unwrap();
    // What is not even a database is copied nowhere.
    fs::write(made.copy(), "a secret of somebody else's").unwrap();
    let refused = restore(&made.copy(), &made.store()).unwrap_err();
    assert!(
        matches!(refused, BackupError::Unreadable { .. }),
        "{refused}"
    );
    made.has_alice().await;
}

/// Believed, it would have the log emptied, or let it grow.
#[tokio::test]
async fn what_a_backup_says_its_log_takes_is_counted_anew() {
    let made = Made::new().await;
    let store = Store::open(&made.store(), &options()).unwrap();
    let bytes = store.events_bytes().await.unwrap();
    assert!(bytes > 0);
    drop(store);
    for said in [0, 1_i64 << 60] {
        let connection = Connection::open(made.copy()).unwrap();
        let sql = "UPDATE meta SET value = ?1 WHERE key = 'events_bytes'";
        assert_eq!(connection.execute(sql, [said]).unwrap(), 1);
        drop(connection);
        restore(&made.copy(), &made.store()).unwrap();
        let store = Store::open(&made.store(), &options()).unwrap();
        assert_eq!(store.events_bytes().await.unwrap(), bytes);
    }
}

/// As after `kill -9` in the middle of one.
#[tokio::test]
async fn what_a_backup_and_a_restore_left_half_done_is_cleared_away() {
    let made = Made::new().await;
    for left in ["second.db.partial", "doorward.db.restoring"] {
        fs::create_dir(made.path(left)).unwrap();
        for suffix in ["", "-journal", "-wal", "-shm"] {
            let name = left.rsplit_once('.').unwrap().0;
            fs::write(made.path(&format!("{left}/{name}{suffix}")), "left").unwrap();
        }
    }
    backup(&made.store(), &made.path("second.db")).unwrap();
    restore(&made.path("second.db"), &made.store()).unwrap();
    assert!(!made.path("second.db.partial").exists());
    assert!(!made.path("doorward.db.restoring").exists());
    made.has_alice().await;
}
