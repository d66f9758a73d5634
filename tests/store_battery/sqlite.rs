//! What SQLite alone must do: files, schema, durability, a full disk, backup and restore.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use doorward_domain::id::AccountId;
use doorward_domain::name::ClientName;
use doorward_domain::origin::Origin;
use doorward_domain::refusal::Refusal;
use doorward_domain::session::{
    Happened, Nas, Octets, Particulars, SessionOwner, SessionReport, Usage,
};
use doorward_domain::ssh_key::SshPublicKey;
use doorward_domain::time::Timestamp;
use doorward_store::Store;
use doorward_store::attempts::{AccountKey, Fetch, PlaceAnswer};
use doorward_store::changes::{Change, ChangeRefused, UserFilter};
use doorward_store::sqlite::{BackupError, OpenError, OpenOptions, backup, restore};
use doorward_store::{AttemptStore as _, Unavailable};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::world::*;

/// A folder with a store in it.
pub(crate) struct Folder(TempDir);

impl Folder {
    fn path(&self) -> PathBuf {
        self.0.path().join("doorward.db")
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

impl Fixture for Folder {
    fn open(&self) -> Store {
        Store::open(&self.path(), &options().creating()).unwrap()
    }
}

pub(crate) fn fixture() -> Folder {
    Folder(tempfile::tempdir().unwrap())
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn the_file_is_in_wal_mode_and_for_its_owner_alone() {
    let folder = fixture();
    let store = folder.open();
    add_user(&store, "alice").await;
    let beside = Connection::open(folder.path()).unwrap();
    let journal: String = beside
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .unwrap();
    assert_eq!(journal, "wal");
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let file = folder.beside(&format!("doorward.db{suffix}"));
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn what_stands_in_the_way_is_named() {
    let folder = fixture();
    let open = |path: &Path, options: &OpenOptions| Store::open(path, options).unwrap_err();
    assert!(matches!(
        open(&folder.beside("no/doorward.db"), &options().creating()),
        OpenError::FolderMissing(_)
    ));
    assert!(matches!(
        open(&folder.path(), &options()),
        OpenError::Missing(_)
    ));
    let text = folder.beside("text.db");
    std::fs::write(
        &text,
        "this is a text and no database, whatever its name says",
    )
    .unwrap();
    assert!(matches!(
        open(&text, &options()),
        OpenError::NotADatabase(_)
    ));
    let other = folder.beside("other.db");
    Connection::open(&other)
        .unwrap()
        .execute_batch("CREATE TABLE songs (title TEXT)")
        .unwrap();
    assert!(matches!(open(&other, &options()), OpenError::Foreign(_)));
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let folder = fixture();
    drop(folder.open());
    Connection::open(folder.path())
        .unwrap()
        .execute(
            "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
             SELECT 99, 'from_the_future', applied_on, checksum FROM refinery_schema_history
             LIMIT 1",
            [],
        )
        .unwrap();
    let refused = Store::open(&folder.path(), &options()).unwrap_err();
    let OpenError::Newer { found, known, .. } = refused else {
        panic!("{refused}");
    };
    assert_eq!(found, 99);
    let shown = refused.to_string();
    let newest = format!("up to {known}:");
    assert!(shown.contains("99") && shown.contains(&newest), "{shown}");
}

#[tokio::test]
async fn everything_is_there_after_the_store_is_opened_again() {
    let folder = fixture();
    let store = folder.open();
    let alice = add_user(&store, "alice").await;
    let attempt = Attempt::new(&store, alice, START).await;
    attempt.fail(&store).await;
    store.merge_attempt(START, attempt_event(alice, Some(Refusal::Locked), HERE));
    let before = user(&store, alice).await;
    drop(store);
    // The last to close tidies the log away.
    assert!(!folder.beside("doorward.db-wal").exists());
    let store = Store::open(&folder.path(), &options()).unwrap();
    assert_eq!(user(&store, alice).await, before);
    // group.add, user.add, the failure, and what waited to be merged when it closed.
    assert_eq!(events(&store).await.len(), 4);
}

#[tokio::test]
async fn a_file_taken_away_is_unavailable_until_it_is_back() {
    let folder = fixture();
    let store = folder.open();
    let alice = add_user(&store, "alice").await;
    let aside = tempfile::tempdir().unwrap();
    let names = ["doorward.db", "doorward.db-wal", "doorward.db-shm"];
    for name in names {
        std::fs::rename(folder.beside(name), aside.path().join(name)).unwrap();
    }
    assert!(store.probe().await.is_err());
    assert!(store.policy().await.is_err());
    assert!(
        store
            .record_attempt(START, attempt_event(alice, None, HERE))
            .await
            .is_err()
    );
    assert!(!folder.path().exists(), "nothing is made in its place");
    for name in names {
        std::fs::rename(aside.path().join(name), folder.beside(name)).unwrap();
    }
    store.probe().await.unwrap();
    assert_eq!(read(&store, alice).await.username, username("alice"));
    drop(store);
    let store = folder.open();
    assert_eq!(read(&store, alice).await.account, alice);
}

#[tokio::test]
async fn another_file_in_its_place_is_taken_up_whole() {
    let folder = fixture();
    let store = folder.open();
    let alice = add_user(&store, "alice").await;
    let copy = folder.beside("copy.db");
    backup(&folder.path(), &copy).unwrap();
    let bob = add_user(&store, "bob").await;
    // Every reader has a connection to the file that goes away.
    for _ in 0..50 {
        assert_eq!(read(&store, bob).await.account, bob);
    }
    for suffix in ["", "-wal", "-shm"] {
        let name = folder.beside(&format!("doorward.db{suffix}"));
        std::fs::rename(&name, folder.beside(&format!("aside.db{suffix}"))).unwrap();
    }
    std::fs::rename(&copy, folder.path()).unwrap();
    let carol = add_user(&store, "carol").await;
    for _ in 0..50 {
        let users = store.users(&UserFilter::All, None, 10).await.unwrap();
        let accounts: Vec<_> = users.iter().map(|user| user.account).collect();
        assert!(accounts.contains(&alice) && accounts.contains(&carol));
        assert!(!accounts.contains(&bob));
    }
    drop(store);
    let store = folder.open();
    assert_eq!(read(&store, carol).await.account, carol);
    let aside = Store::open(&folder.beside("aside.db"), &options()).unwrap();
    assert_eq!(read(&aside, bob).await.account, bob);
}

#[tokio::test]
async fn a_writer_held_up_by_another_process_tells_so_and_resumes() {
    let folder = fixture();
    let mut impatient = options().creating();
    impatient.busy = std::time::Duration::from_millis(50);
    let store = Store::open(&folder.path(), &impatient).unwrap();
    let other = Connection::open(folder.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = store.probe().await.unwrap_err();
    assert!(refused.to_string().contains("locked"), "{refused}");
    assert!(store.policy().await.is_ok(), "reads do not wait");
    other.execute_batch("ROLLBACK").unwrap();
    store.probe().await.unwrap();
}

#[tokio::test]
async fn merged_events_that_could_not_be_committed_are_tried_again_unasked() {
    let folder = fixture();
    let mut impatient = options().creating();
    impatient.busy = std::time::Duration::from_millis(50);
    let store = Store::open(&folder.path(), &impatient).unwrap();
    let other = Connection::open(folder.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let account = AccountId::new(START);
    let refused = Some(Refusal::Locked);
    store.merge_attempt(START, attempt_event(account, refused, HERE));
    // Taken along by a commit that fails.
    assert!(store.probe().await.is_err());
    other.execute_batch("ROLLBACK").unwrap();
    for _ in 0..500 {
        if !events(&store).await.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(events(&store).await.len(), 1);
}

#[tokio::test]
async fn a_damaged_row_is_unavailable_for_its_reader_alone() {
    let folder = fixture();
    let store = folder.open();
    let alice = add_user(&store, "alice").await;
    let bob = add_user(&store, "bob").await;
    Connection::open(folder.path())
        .unwrap()
        .execute(
            "UPDATE accounts SET username = 'not a name' WHERE username = 'alice'",
            [],
        )
        .unwrap();
    let key = AccountKey::Id(alice);
    let refused = store
        .read_attempt(&key, None, None, Fetch::Verdict)
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("damaged"), "{refused}");
    let change = Change::Unlock { account: alice };
    assert!(matches!(
        apply(&store, change).await,
        Err(ChangeRefused::Unavailable(_))
    ));
    assert_eq!(read(&store, bob).await.username, username("bob"));
    unlock(&store, bob, START).await;
}

#[tokio::test]
async fn an_ssh_key_that_cannot_be_read_is_left_out_and_nothing_else_is() {
    let folder = fixture();
    let store = folder.open();
    let alice = add_user(&store, "alice").await;
    let keys = [
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIh2OUnFV4SUWvRG9POqDGXlUAdv/HnLloMWorepVRc5 laptop",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH token",
    ]
    .map(|line| SshPublicKey::parse(line).unwrap());
    let change = |keys: &[SshPublicKey], most| Change::AddSshKeys {
        account: alice,
        keys: keys.to_vec(),
        most,
    };
    apply(&store, change(&keys, 8)).await.unwrap();
    Connection::open(folder.path())
        .unwrap()
        .execute(
            "UPDATE ssh_keys SET line = 'ssh-dss AAAA' WHERE number =
             (SELECT min(number) FROM ssh_keys)",
            [],
        )
        .unwrap();
    let read = user(&store, alice).await;
    let left: Vec<&SshPublicKey> = read.ssh_keys.iter().map(|record| &record.key).collect();
    assert_eq!(left, [&keys[1]]);
    // It has its place among so many all the same.
    let another = SshPublicKey::parse(
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI",
    );
    assert!(matches!(
        apply(&store, change(&[another.unwrap()], 2)).await,
        Err(ChangeRefused::TooManyKeys(2))
    ));
}

#[tokio::test]
async fn a_damaged_file_is_refused_or_unavailable() {
    let folder = fixture();
    let store = folder.open();
    for number in 0..50 {
        add_user(&store, &format!("user{number}")).await;
    }
    drop(store);
    let mut bytes = std::fs::read(folder.path()).unwrap();
    let length = bytes.len();
    for byte in &mut bytes[4096..length] {
        *byte ^= 0x5a;
    }
    std::fs::write(folder.path(), bytes).unwrap();
    match Store::open(&folder.path(), &options()) {
        Err(_) => {}
        Ok(store) => {
            assert!(store.users(&UserFilter::All, None, 100).await.is_err());
        }
    }
    let refused = restore(&folder.path(), &folder.beside("other.db")).unwrap_err();
    assert!(!matches!(refused, BackupError::InUse(_)), "{refused}");
    assert!(!folder.beside("other.db").exists());
}

#[tokio::test]
async fn a_backup_is_one_file_and_restores_to_the_same() {
    let folder = fixture();
    let store = folder.open();
    let alice = add_user(&store, "alice").await;
    let copy = folder.beside("copy.db");
    // While the store is in use.
    backup(&folder.path(), &copy).unwrap();
    assert_eq!(mode(&copy), 0o600);
    assert!(!folder.beside("copy.db-wal").exists());
    assert!(!folder.beside("copy.db.partial").exists());
    assert!(matches!(
        backup(&folder.path(), &copy),
        Err(BackupError::Exists(_))
    ));
    let bob = add_user(&store, "bob").await;
    assert!(matches!(
        restore(&copy, &folder.path()),
        Err(BackupError::InUse(_))
    ));
    assert_eq!(read(&store, bob).await.account, bob);
    drop(store);

    let kept = restore(&copy, &folder.path()).unwrap().unwrap();
    let store = folder.open();
    assert_eq!(read(&store, alice).await.account, alice);
    assert_eq!(
        store.users(&UserFilter::All, None, 10).await.unwrap().len(),
        1
    );
    // What stood there before is a store still.
    let before = Store::open(&kept, &options()).unwrap();
    assert_eq!(read(&before, bob).await.account, bob);
    drop((store, before));
    // A second restore keeps both, and one to nowhere keeps nothing.
    let second = restore(&copy, &folder.path()).unwrap().unwrap();
    assert_ne!(second, kept);
    assert_eq!(restore(&copy, &folder.beside("fresh.db")).unwrap(), None);
}

#[tokio::test]
async fn a_restore_keeps_a_log_that_was_left_by_a_crash() {
    let folder = fixture();
    let store = folder.open();
    add_user(&store, "alice").await;
    let copy = folder.beside("copy.db");
    backup(&folder.path(), &copy).unwrap();
    let bob = add_user(&store, "bob").await;
    // As after a crash: database and log as they are, nobody holding them.
    let crashed = fixture();
    for suffix in ["", "-wal"] {
        std::fs::copy(
            folder.beside(&format!("doorward.db{suffix}")),
            crashed.beside(&format!("doorward.db{suffix}")),
        )
        .unwrap();
    }
    let kept = restore(&copy, &crashed.path()).unwrap().unwrap();
    let restored = crashed.open();
    assert_eq!(
        restored
            .users(&UserFilter::All, None, 10)
            .await
            .unwrap()
            .len(),
        1
    );
    let before = Store::open(&kept, &options()).unwrap();
    assert_eq!(read(&before, bob).await.account, bob);
}

#[test]
fn what_cannot_be_restored_is_named_and_changes_nothing() {
    let folder = fixture();
    drop(folder.open());
    let text = folder.beside("text.db");
    std::fs::write(
        &text,
        "no database at all, and longer than a header would be; so there",
    )
    .unwrap();
    let other = folder.beside("other.db");
    Connection::open(&other)
        .unwrap()
        .execute_batch("CREATE TABLE songs (title TEXT)")
        .unwrap();
    let before = std::fs::read(folder.path()).unwrap();
    for from in [text, folder.beside("missing.db")] {
        assert!(matches!(
            restore(&from, &folder.path()),
            Err(BackupError::Unreadable { .. })
        ));
    }
    assert!(matches!(
        restore(&other, &folder.path()),
        Err(BackupError::Foreign { .. })
    ));
    assert_eq!(std::fs::read(folder.path()).unwrap(), before);
}

#[tokio::test]
async fn what_root_makes_belongs_to_the_owner_of_the_folder() {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        println!("needs root");
        return;
    }
    let folder = fixture();
    std::os::unix::fs::chown(folder.0.path(), Some(65_534), Some(65_534)).unwrap();
    let store = folder.open();
    add_user(&store, "alice").await;
    let copy = folder.beside("copy.db");
    backup(&folder.path(), &copy).unwrap();
    for name in [
        "doorward.db",
        "doorward.db-wal",
        "doorward.db-shm",
        "doorward.db.lock",
        "copy.db",
    ] {
        let metadata = std::fs::metadata(folder.beside(name)).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (65_534, 65_534), "{name}");
    }
    drop(store);
    restore(&copy, &folder.path()).unwrap();
    let metadata = std::fs::metadata(folder.path()).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (65_534, 65_534));
}

#[tokio::test]
async fn a_queue_that_is_full_refuses_at_once_and_what_was_taken_is_done() {
    let folder = fixture();
    let mut small = options().creating();
    small.queue = 4;
    let store = Store::open(&folder.path(), &small).unwrap();
    // Another process holds the writer up, so that the queue fills.
    let other = Connection::open(folder.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let store = store.clone();
        tasks.spawn(async move {
            let event = attempt_event(AccountId::new(START), None, HERE);
            store.record_attempt(START, event).await
        });
    }
    let mut full = 0;
    let mut done = 0;
    let mut released = false;
    while let Some(answer) = tasks.join_next().await {
        match answer.unwrap() {
            Ok(_) => done += 1,
            Err(unavailable) => {
                assert_eq!(unavailable, Unavailable::Busy);
                full += 1;
            }
        }
        if !released {
            other.execute_batch("ROLLBACK").unwrap();
            released = true;
        }
    }
    assert!(full > 0 && done > 0, "{full} refused, {done} done");
    assert_eq!(
        events(&store).await.len(),
        done,
        "what was answered is there, and nothing else"
    );
}

/// A place that nobody knows of would be in the way of the account's owner until it lapsed.
#[tokio::test]
async fn a_place_for_which_nobody_waits_any_more_is_not_taken_and_what_is_given_back_is() {
    let folder = fixture();
    let store = folder.open();
    let alice = add_user(&store, "alice").await;
    let attempt = Attempt::new(&store, alice, START).await;
    let place = attempt.place(&store).await;
    let mut hasty = options();
    hasty.deadline = std::time::Duration::from_millis(10);
    let hasty = Store::open(&folder.path(), &hasty).unwrap();
    // Another process holds the writer up for longer than anybody waits.
    let other = Connection::open(folder.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let late = hasty.give_back(place).await;
    assert!(matches!(late, Err(Unavailable::Broken(_))), "{late:?}");
    for _ in 0..3 {
        let late = hasty.take_place(attempt.asking()).await;
        assert!(matches!(late, Err(Unavailable::Broken(_))), "{late:?}");
    }
    other.execute_batch("ROLLBACK").unwrap();
    // Works off what waits.
    drop(hasty);
    for _ in 0..3 {
        attempt.place(&store).await;
    }
    assert_eq!(attempt.take(&store).await, PlaceAnswer::Full);
}

#[tokio::test]
async fn many_processes_may_make_the_store_at_once() {
    let folder = fixture();
    let path = folder.path();
    let threads: Vec<_> = (0..12)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || Store::open(&path, &options().creating()))
        })
        .collect();
    let stores: Vec<Store> = threads
        .into_iter()
        .map(|thread| thread.join().unwrap().unwrap())
        .collect();
    add_user(&stores[0], "alice").await;
    for store in &stores {
        assert_eq!(
            store.users(&UserFilter::All, None, 10).await.unwrap().len(),
            1
        );
    }
    assert_eq!(
        stores[0].lifecycle_cursor().await.unwrap(),
        Timestamp::EPOCH
    );
}

/// A backup that somebody got hold of and gave back with something in it that would be run.
#[tokio::test]
async fn nothing_is_restored_that_brings_more_than_a_store() {
    let folder = fixture();
    let store = folder.open();
    add_user(&store, "alice").await;
    drop(store);
    for (number, (planted, named)) in [
        (
            "CREATE TRIGGER planted AFTER UPDATE ON accounts
             BEGIN UPDATE accounts SET admin = 1; END",
            "trigger 'planted'",
        ),
        (
            "CREATE VIEW planted AS SELECT * FROM accounts",
            "view 'planted'",
        ),
        ("CREATE TABLE planted (id INTEGER)", "table 'planted'"),
        ("CREATE INDEX planted ON events (count)", "index 'planted'"),
        (
            "CREATE VIRTUAL TABLE planted USING fts5(text)",
            "table 'planted",
        ),
        ("ALTER TABLE meta ADD COLUMN planted TEXT", "table 'meta'"),
        ("DROP INDEX events_at", "index 'events_at'"),
        (
            "ALTER TABLE events RENAME TO hidden;
             CREATE VIEW events AS SELECT * FROM hidden",
            "'",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let copy = folder.beside(&format!("backup{number}.db"));
        backup(&folder.path(), &copy).unwrap();
        let connection = Connection::open(&copy).unwrap();
        connection.execute_batch(planted).unwrap();
        drop(connection);
        let refused = restore(&copy, &folder.path()).unwrap_err();
        let said = refused.to_string();
        assert!(said.contains(named), "{planted}: {said}");
        assert!(said.contains("is not as version"), "{planted}: {said}");
    }
    // What SQLite keeps for itself is no stranger.
    let copy = folder.beside("analysed.db");
    backup(&folder.path(), &copy).unwrap();
    let connection = Connection::open(&copy).unwrap();
    connection.execute_batch("ANALYZE").unwrap();
    drop(connection);
    restore(&copy, &folder.path()).unwrap();
    let store = folder.open();
    assert_eq!(events(&store).await.len(), 2);
}

/// Whoever put one into the daemon's own file.
#[tokio::test]
async fn a_trigger_in_the_file_is_not_run() {
    let folder = fixture();
    drop(folder.open());
    let connection = Connection::open(folder.path()).unwrap();
    connection
        .execute_batch(
            "CREATE TRIGGER planted AFTER INSERT ON events
             BEGIN UPDATE meta SET value = 4711 WHERE key = 'next_uid'; END",
        )
        .unwrap();
    drop(connection);
    let store = folder.open();
    add_user(&store, "alice").await;
    drop(store);
    let connection = Connection::open(folder.path()).unwrap();
    let value: i64 = connection
        .query_row("SELECT value FROM meta WHERE key = 'next_uid'", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_ne!(value, 4711);
}

/// The sum that is kept is what the rows take, near enough to bound them by it.
#[tokio::test]
async fn the_logs_bytes_are_those_of_its_pages() {
    let folder = fixture();
    let store = folder.open();
    let pages = || {
        let connection = Connection::open(folder.path()).unwrap();
        let count: i64 = connection
            .query_row(
                "SELECT sum(pgsize) FROM dbstat
                 WHERE name LIKE 'events%' OR name LIKE 'sqlite_autoindex_events%'",
                [],
                |row| row.get(0),
            )
            .unwrap();
        count
    };
    let before = pages();
    let alice = AccountId::new(START);
    let mut tasks = Vec::new();
    for number in 0..6000_u64 {
        // From many sources and at many times, merged and not.
        let reason = (number % 3 == 0).then_some(Refusal::WrongPassword);
        let mut event = attempt_event(alice, reason, HERE);
        let source =
            std::net::Ipv4Addr::from_bits(0x0a00_0000 + u32::try_from(number % 500).unwrap());
        event.origin = Origin::address(source.into());
        let (store, at) = (
            store.clone(),
            START.plus(std::time::Duration::from_secs(number * 7)),
        );
        tasks.push(tokio::spawn(async move {
            store.record_attempt(at, event).await.unwrap();
        }));
        if tasks.len() == 200 {
            for task in tasks.drain(..) {
                task.await.unwrap();
            }
        }
    }
    let sum = i64::try_from(store.events_bytes().await.unwrap()).unwrap();
    let taken = pages() - before;
    assert!(
        taken * 3 / 4 <= sum && sum <= taken * 3 / 2,
        "{sum} is told where {taken} are taken"
    );
}

/// The sum is believed for as long as the log is kept: what a backup says of it is not.
#[tokio::test]
async fn a_sum_that_somebody_changed_is_counted_anew() {
    for wrong in [0, 1 << 60, i64::MAX, -5] {
        let folder = fixture();
        let store = folder.open();
        let event = |number: u64| {
            let at = START.plus(std::time::Duration::from_secs(number));
            store.record_attempt(at, attempt_event(AccountId::new(START), None, HERE))
        };
        for number in 0..200 {
            event(number * 60).await.unwrap();
        }
        let right = store.events_bytes().await.unwrap();
        let beside = Connection::open(folder.path()).unwrap();
        beside
            .execute(
                "UPDATE meta SET value = ?1 WHERE key = 'events_bytes'",
                [wrong],
            )
            .unwrap();
        store.count_events_anew().await.unwrap();
        assert_eq!(store.events_bytes().await.unwrap(), right, "from {wrong}");
        store.count_events_anew().await.unwrap();
        assert_eq!(store.events_bytes().await.unwrap(), right, "from {wrong}");
        // And what is recorded before it is counted is no reason to fail.
        beside
            .execute(
                "UPDATE meta SET value = ?1 WHERE key = 'events_bytes'",
                [wrong],
            )
            .unwrap();
        event(60_000).await.unwrap();
    }
}

/// What one report may say at most: five attributes of 253 octets that are no text one likes to
/// read, and a session that nobody knows.
fn longest_report(number: u32) -> SessionReport {
    let longest = Octets::from([1; 253].as_slice());
    let mut session = [1; 253];
    session[..4].copy_from_slice(&number.to_be_bytes());
    SessionReport {
        nas: Nas {
            client: ClientName::parse("nas").unwrap(),
            identity: longest.clone(),
        },
        session: Octets::from(session.as_slice()),
        happened: Happened::Began,
        at: START,
        received: START,
        owner: SessionOwner::Unknown,
        resource: Some(resource("vpn")),
        particulars: Particulars {
            user_name: longest.clone(),
            source: "192.0.2.1".parse().unwrap(),
            server: Some("192.0.2.2".parse().unwrap()),
            nas_address: Some("192.0.2.1".parse().unwrap()),
            nas_identifier: Some(longest.clone()),
            nas_port: Some(u32::MAX),
            calling_station: Some(longest.clone()),
            called_station: Some(longest),
            address: Some("192.0.2.3".parse().unwrap()),
            usage: Usage::default(),
            terminate_cause: None,
        },
    }
}

#[tokio::test]
async fn the_longest_report_takes_less_than_six_kib() {
    let folder = fixture();
    let store = folder.open();
    let size = || {
        let beside = Connection::open(folder.path()).unwrap();
        let done = beside.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        done.unwrap();
        std::fs::metadata(folder.path()).unwrap().len()
    };
    let before = size();
    for number in 0..500 {
        store.record_session(longest_report(number)).await.unwrap();
    }
    let each = (size() - before) / 500;
    println!("{each} bytes a report");
    assert!(each < 6 * 1024, "{each}");
}
