//! The database file as the file system sees it: who owns it, which one it is, who holds it.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};

use super::fault::Fault;
use super::open::OpenError;
use crate::Unavailable;
use doorward_files as files;
use doorward_files::{Acting, Folder, Wanted};

/// The permissions of everything the store makes.
pub(super) const OWNERS_ALONE: u32 = 0o600;

/// Which file a connection was opened on; another one under the same name is not it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }

    /// The file that stands under `path` now.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        std::fs::symlink_metadata(path).map(|metadata| Self::of(&metadata))
    }
}

/// Appends to the file's name: `doorward.db` and `.lock` give `doorward.db.lock`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The folder a file stands in.
pub(super) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// What SQLite keeps beside a database: the write-ahead log, its index, a rollback journal.
pub(super) const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// A rollback journal beside a database. SQLite would write back whatever pages are in it, and
/// delete the file that it names as its super-journal. This program leaves none, whenever it is
/// killed.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "{} is a rollback journal, and doorward leaves none: it can have been put there to change the \
     database or to have another file deleted. Where another program wrote to the database and \
     was killed, let that program open it, as the owner of the folder; otherwise move the journal \
     away",
    .0.display()
)]
pub struct StrayJournal(PathBuf);

/// Whether there is none beside a database.
pub(super) fn refuse_journal(folder: &Folder, name: &OsStr) -> Result<(), Fault> {
    let journal = files::beside(name, "-journal");
    match folder.has(&journal) {
        Ok(false) => Ok(()),
        Ok(true) => Err(StrayJournal(folder.path(&journal)).into()),
        Err(error) => Err(unavailable(&folder.path(&journal), &error)),
    }
}

fn unavailable(path: &Path, error: &io::Error) -> Fault {
    Unavailable::Broken(format!("{}: {error}", path.display())).into()
}

/// The folder that a store is in, and the rights with which what is in there is touched by this
/// thread and those that it starts.
pub(super) fn enter(path: &Path) -> io::Result<(Folder, OsString, Acting)> {
    let (folder, name) = Folder::of(path)?;
    folder.refuse_company(Wanted::Names)?;
    let acting = Acting::as_owner_of(&folder)?;
    Ok((folder, name, acting))
}

/// How this process holds the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// Beside others.
    Shared,
    /// Alone: to migrate or to restore.
    Alone,
}

/// Opens the lock file beside the database, making it where it is missing. A lock on it says that
/// a process uses the store; the kernel drops it with the process.
pub(super) fn open_lock(folder: &Folder, name: &OsStr) -> io::Result<File> {
    let lock = files::beside(name, ".lock");
    match folder.create(&lock, OWNERS_ALONE) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => folder.open_file(&lock),
        made => made,
    }
    .map_err(|error| {
        let lock = folder.path(&lock);
        io::Error::new(
            error.kind(),
            format!("its lock file {}: {error}", lock.display()),
        )
    })
}

/// How long to wait between two tries for the lock.
pub(super) const STEP: Duration = Duration::from_millis(20);

/// How many tries fill about `patience`.
pub(super) fn tries(patience: Duration) -> u128 {
    patience.as_millis() / STEP.as_millis() + 1
}

/// Tries to take the lock; false where others keep it.
pub(super) fn hold(lock: &File, how: Hold) -> io::Result<bool> {
    let taken = match how {
        Hold::Shared => lock.try_lock_shared(),
        Hold::Alone => lock.try_lock(),
    };
    match taken {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// What a connection may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Read and write.
    Write,
    /// Read only.
    Read,
}

/// Opens a connection to a database that exists, follows no link to it, and trusts nothing in it.
pub(super) fn open(
    folder: &Folder,
    name: &OsStr,
    flags: OpenFlags,
    busy: Duration,
) -> Result<Connection, Fault> {
    refuse_journal(folder, name)?;
    let flags = flags | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(folder.path(name), flags)?;
    distrust(&connection)?;
    connection.busy_timeout(busy)?;
    Ok(connection)
}

/// Opens a connection to a database that exists, with every setting the store depends on, and
/// reads back the two that durability depends on.
pub(super) fn connect(path: &Path, access: Access, busy: Duration) -> Result<Connection, Fault> {
    // A reader is opened for writing too, because in WAL mode it maps the shared-memory file;
    // query_only keeps it from changing anything.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let (folder, name) = Folder::of(path).map_err(|error| unavailable(path, &error))?;
    let connection = open(&folder, &name, flags, busy)?;
    connection.set_prepared_statement_cache_capacity(256);
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, 64 * 1024 * 1024)?;
    connection.execute_batch(
        "PRAGMA foreign_keys = ON;
         PRAGMA synchronous = FULL;
         PRAGMA journal_size_limit = 67108864;
         PRAGMA temp_store = MEMORY;",
    )?;
    if journal_mode(&connection, "PRAGMA journal_mode")? != "wal" {
        no_journal(&connection)?;
    }
    let mode = journal_mode(&connection, "PRAGMA journal_mode = WAL")?;
    let synchronous: i64 = connection.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
    if mode != "wal" || synchronous != 2 {
        return Err(Fault::Unavailable(Unavailable::Broken(format!(
            "SQLite did not take the write-ahead log and full synchronisation \
             (journal_mode={mode}, synchronous={synchronous})"
        ))));
    }
    if access == Access::Read {
        connection.execute_batch("PRAGMA query_only = ON")?;
    }
    Ok(connection)
}

fn journal_mode(connection: &Connection, pragma: &str) -> rusqlite::Result<String> {
    connection.query_row(pragma, [], |row| row.get(0))
}

/// Has a connection keep in memory what it would roll back to, so that no crash leaves a rollback
/// journal ([`StrayJournal`]). It is for what a crash cannot tear: the switch to the write-ahead
/// log, which writes one sector, and copies, which are made anew. A database with a write-ahead log
/// gives it up.
pub(super) fn no_journal(connection: &Connection) -> rusqlite::Result<()> {
    match journal_mode(connection, "PRAGMA journal_mode = MEMORY")?.as_str() {
        "memory" => Ok(()),
        // It stays as it was where another connection uses it.
        _ => Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
            Some("the journal mode could not be changed".to_owned()),
        )),
    }
}

/// Has a connection run nothing that a file brings along: no trigger, no view, no function but the
/// harmless ones, no other database; and lets nobody write past SQLite's own checks. Our schema has
/// no trigger and no view.
pub(super) fn distrust(connection: &Connection) -> rusqlite::Result<()> {
    for (switch, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
    ] {
        connection.set_db_config(switch, on)?;
    }
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.execute_batch("PRAGMA cell_size_check = ON")
}

/// Says in a sentence why the file under `path` cannot be used, where the file system tells.
pub(super) fn explain(path: &Path, fault: &Fault) -> OpenError {
    if let Fault::Journal(stray) = fault {
        return stray.clone().into();
    }
    if let Fault::Database(error) = fault {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => {
                return OpenError::NotADatabase(path.to_owned());
            }
            Some(rusqlite::ErrorCode::ReadOnly | rusqlite::ErrorCode::CannotOpen) => {
                return OpenError::NotWritable {
                    path: path.to_owned(),
                    reason: error.to_string(),
                };
            }
            _ => {}
        }
    }
    OpenError::Broken {
        path: path.to_owned(),
        reason: fault.to_string(),
    }
}
