//! Backup while others write, and restore while nobody does.

mod placed;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use doorward_files as files;
use doorward_files::{Acting, Folder, Wanted};

use doorward_domain::policy::settings;
use doorward_domain::rules::PolicySettings;

use super::events;
use super::fault::Fault;
use super::file::{self, Hold, StrayJournal};
use super::rows;
use super::schema::{self, Found, Schema};
use placed::Placed;

/// How long a backup or restore waits for a lock.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a backup or a restore came to nothing; the store is as it was, but for
/// [`BackupError::Displaced`].
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file to write exists.
    #[error("{} exists: a backup overwrites nothing, name another file", .0.display())]
    Exists(PathBuf),
    /// The file to read does not exist or cannot be read.
    #[error("{} cannot be read: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// The file cannot be written.
    #[error("{} cannot be written: {reason}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// The file to restore from is damaged.
    #[error("{} is damaged and was not restored: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite's check says first.
        reason: String,
    },
    /// The file to restore from holds something else, or a newer schema.
    #[error("{} is no store this doorward can use: {reason}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is.
        reason: String,
    },
    /// A rollback journal is beside the file.
    #[error(transparent)]
    Journal(#[from] StrayJournal),
    /// The new store could not be put in place, nor what stood there before put back.
    #[error(
        "{} cannot be written: {reason}; what stood there before could not be put back ({back}): \
         rename {}",
        path.display(),
        renamed(parts)
    )]
    Displaced {
        /// The store.
        path: PathBuf,
        /// Why the new one could not be put in place.
        reason: String,
        /// Why the old one could not be put back.
        back: String,
        /// Where each part of the old one is, and where it was.
        parts: Vec<(PathBuf, PathBuf)>,
    },
    /// Another process uses the store.
    #[error("another process uses {}: stop it first", .0.display())]
    InUse(PathBuf),
}

fn renamed(parts: &[(PathBuf, PathBuf)]) -> String {
    let parts = parts
        .iter()
        .map(|(is, was)| format!("{} to {}", is.display(), was.display()));
    parts.collect::<Vec<_>>().join(", ")
}

fn unreadable(path: &Path, reason: &dyn std::fmt::Display) -> BackupError {
    BackupError::Unreadable {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

fn unwritable(path: &Path, reason: &dyn std::fmt::Display) -> BackupError {
    BackupError::Unwritable {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

/// Writes a copy of the store at `from`, as of one moment, into the new file `to`. Others may
/// read and write meanwhile.
///
/// # Errors
/// Says what stands in the way; `to` is not left behind half written.
pub fn backup(from: &Path, to: &Path) -> Result<(), BackupError> {
    let (folder, name, acting) = file::enter(from).map_err(|error| unreadable(from, &error))?;
    let source = open_store(&folder, &name, from)?;
    check_version(&source, from)?;
    // From here on SQLite has open what it reads of the source, and opens nothing more by name.
    source
        .execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema")
        .map_err(|error| unreadable(from, &error))?;
    drop(acting);
    let copied = copy(&source, to);
    // The last to close a store tidies up beside it.
    let _acting = Acting::as_owner_of(&folder).map_err(|error| unreadable(from, &error))?;
    drop(source);
    copied
}

/// Copies the database behind `source` into the new file `to`, with the rights of the owner of its
/// folder. Whoever may write in the folder can have the copy fail, and not have it written
/// elsewhere.
pub(super) fn copy(source: &Connection, to: &Path) -> Result<(), BackupError> {
    let failed = |error: std::io::Error| unwritable(to, &error);
    let (folder, name) = Folder::of(to).map_err(failed)?;
    folder.refuse_company(Wanted::OneName).map_err(failed)?;
    let acting = Acting::as_owner_of(&folder).map_err(failed)?;
    let failed = |error: std::io::Error| unwritable(to, &acting.tell(&error));
    // The log of another database would be taken for this one's.
    if let Some(there) = parts_of(&folder, &name).map_err(failed)?.first() {
        return Err(BackupError::Exists(file::folder(to).join(there)));
    }
    // What SQLite looks for beside the file that it writes, nobody else can put there.
    let partial = files::beside(&name, ".partial");
    let workshop = folder.make_workshop(&partial, &name).map_err(failed)?;
    let copied = copy_in(source, &workshop, &name, to).and_then(|()| {
        // Unlike a rename, a second name never replaces what somebody made in the meantime.
        workshop
            .link(&name, &folder, &name)
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::AlreadyExists => BackupError::Exists(to.to_owned()),
                _ => failed(error),
            })
    });
    let removed = folder.remove_workshop(&partial, &name);
    copied?;
    removed.map_err(failed)?;
    folder.sync().map_err(failed)
}

/// Copies into a new file in a folder where nobody else has a say.
fn copy_in(
    source: &Connection,
    workshop: &Folder,
    name: &OsStr,
    to: &Path,
) -> Result<(), BackupError> {
    let failed = |error: rusqlite::Error| unwritable(to, &error);
    let file = workshop
        .create(name, file::OWNERS_ALONE)
        .map_err(|error| unwritable(to, &error))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let mut target =
        file::open(workshop, name, flags, PATIENCE).map_err(|fault| unwritable(to, &fault))?;
    file::no_journal(&target).map_err(failed)?;
    let backup = Backup::new(source, &mut target).map_err(failed)?;
    // All pages in one step: one moment of the source, and no starting over as others write.
    let step = backup.step(-1).map_err(failed)?;
    drop(backup);
    if step != StepResult::Done {
        return Err(unwritable(to, &"the store was busy too long"));
    }
    make_whole(target).map_err(failed)?;
    file.sync_all().map_err(|error| unwritable(to, &error))
}

/// Closes a database so that it is one file, whole in itself, not one with a write-ahead log beside
/// it.
fn make_whole(database: Connection) -> rusqlite::Result<()> {
    file::no_journal(&database)?;
    database.close().map_err(|(_, error)| error)
}

/// Puts the backup `from` in the place of the store at `to`, which no process may be using. What
/// stood there before is kept beside it; its name is given back.
///
/// # Errors
/// Says what stands in the way; the store is as it was, or the error says where it is.
pub fn restore(from: &Path, to: &Path) -> Result<Option<PathBuf>, BackupError> {
    let mut given = open_given(from)?;
    let failed = |error: std::io::Error| unwritable(to, &error);
    let (folder, name, acting) = file::enter(to).map_err(failed)?;
    let failed = |error: std::io::Error| unwritable(to, &acting.tell(&error));
    let lock = file::open_lock(&folder, &name).map_err(failed)?;
    if !file::hold(&lock, Hold::Alone).map_err(failed)? {
        return Err(BackupError::InUse(to.to_owned()));
    }
    let fresh = files::beside(&name, ".restoring");
    let workshop = folder.make_workshop(&fresh, &name).map_err(failed)?;
    let placed = take_in(&mut given, &workshop, &name, from, to)
        .and_then(|()| Placed::put(&workshop, &folder, &name, to));
    let removed = folder.remove_workshop(&fresh, &name);
    let placed = placed?;
    let kept = placed.kept();
    match removed.and_then(|()| folder.sync()) {
        Ok(()) => Ok(kept),
        Err(error) => Err(placed.undo(&acting.tell(&error))),
    }
}

/// Opens a backup to read its bytes, with the rights of who asks, and once: nothing that stands
/// beside it has a say.
fn open_given(path: &Path) -> Result<File, BackupError> {
    let failed = |error: std::io::Error| unreadable(path, &error);
    let (folder, name) = Folder::of(path).map_err(failed)?;
    if !folder.has_file(&name).map_err(failed)? {
        return Err(unreadable(path, &"there is no such file"));
    }
    file::refuse_journal(&folder, &name).map_err(|fault| beside(path, fault))?;
    let log = files::beside(&name, "-wal");
    if folder.has(&log).map_err(failed)? {
        let reason = "a write-ahead log is beside it: that is a store and no backup. Where nobody \
                      uses it, put it in place of the other with its log, or back it up";
        return Err(unreadable(path, &reason));
    }
    let mut file = folder.open_to_read(&name).map_err(failed)?;
    // A second name may have been given to any file on the disk by who could not read it.
    if file.metadata().map_err(failed)?.nlink() != 1 && !folder.is_ones_own().map_err(failed)? {
        let reason = "it has another name elsewhere, and others than you may write in its folder: \
                      it may be a file that they cannot read. Where it is a backup, copy it to a \
                      folder of your own and restore the copy";
        return Err(unreadable(path, &reason));
    }
    let mut header = [0; SQLITE_HEADER.len()];
    // Nothing else is copied to where somebody else could read it.
    if file.read_exact(&mut header).is_err() || header != *SQLITE_HEADER {
        return Err(unreadable(path, &"it is no SQLite database"));
    }
    file.rewind().map_err(failed)?;
    Ok(file)
}

/// How a database begins.
const SQLITE_HEADER: &[u8; 16] = b"SQLite format 3\0";

/// Copies the bytes of a backup into a new file beside the store, and looks whether that is one.
fn take_in(
    given: &mut File,
    workshop: &Folder,
    name: &OsStr,
    from: &Path,
    to: &Path,
) -> Result<(), BackupError> {
    let mut file = workshop
        .create(name, file::OWNERS_ALONE)
        .map_err(|error| unwritable(to, &error))?;
    std::io::copy(given, &mut file).map_err(|error| unwritable(to, &error))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let database =
        file::open(workshop, name, flags, PATIENCE).map_err(|fault| unreadable(from, &fault))?;
    check_schema(&database, from)?;
    check_integrity(&database, from)?;
    check_policy(&database, from)?;
    // In rollback mode from here on, and with no journal on disk.
    file::no_journal(&database).map_err(|error| unreadable(from, &error))?;
    events::count_bytes(&database).map_err(|fault| unreadable(from, &fault))?;
    make_whole(database).map_err(|error| unreadable(from, &error))?;
    file.sync_all().map_err(|error| unwritable(to, &error))
}

/// What there is of a database: SQLite takes a log for its own though it was left by another.
fn parts_of(folder: &Folder, name: &OsStr) -> std::io::Result<Vec<OsString>> {
    let mut parts = Vec::new();
    for suffix in PARTS {
        let part = files::beside(name, suffix);
        if folder.has(&part)? {
            parts.push(part);
        }
    }
    Ok(parts)
}

/// What a database consists of.
const PARTS: [&str; 1 + file::COMPANIONS.len()] = {
    let [log, index, journal] = file::COMPANIONS;
    ["", log, index, journal]
};

/// Opens the store that is to be backed up.
fn open_store(folder: &Folder, name: &OsStr, path: &Path) -> Result<Connection, BackupError> {
    if !folder
        .has_file(name)
        .map_err(|error| unreadable(path, &error))?
    {
        return Err(unreadable(path, &"there is no such file"));
    }
    let open = |flags| {
        let connection = file::open(folder, name, flags, PATIENCE)?;
        // Reads the header, so that what is no database is found here.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok::<_, Fault>(connection)
    };
    open(OpenFlags::SQLITE_OPEN_READ_WRITE)
        .or_else(|_| open(OpenFlags::SQLITE_OPEN_READ_ONLY))
        .map_err(|fault| beside(path, fault))
}

/// What a fault of a file says, its journal apart.
fn beside(path: &Path, fault: Fault) -> BackupError {
    match fault {
        Fault::Journal(stray) => stray.into(),
        fault => unreadable(path, &fault),
    }
}

/// Whether it is a store, of a version that is known here.
fn check_version(connection: &Connection, path: &Path) -> Result<i64, BackupError> {
    let foreign = |reason: String| BackupError::Foreign {
        path: path.to_owned(),
        reason,
    };
    let known = Schema::ours().known();
    match schema::found(connection).map_err(|fault: Fault| unreadable(path, &fault))? {
        Found::Version(version) if version <= known => Ok(version),
        Found::Version(version) => Err(foreign(format!(
            "its schema version is {version}, and versions up to {known} are known"
        ))),
        Found::Empty => Err(foreign("it is empty".to_owned())),
        Found::Foreign => Err(foreign("it belongs to another program".to_owned())),
    }
}

/// Whether the schema is what migrations make, piece by piece: a file may come from anywhere, and
/// what it brings along besides tables would be run with the store's rights.
fn check_schema(connection: &Connection, path: &Path) -> Result<(), BackupError> {
    let version = check_version(connection, path)?;
    match schema::strange_piece(connection, version) {
        Ok(None) => Ok(()),
        Ok(Some(piece)) => Err(BackupError::Foreign {
            path: path.to_owned(),
            reason: format!("its {piece} is not as version {version} of the schema has it"),
        }),
        Err(fault) => Err(unreadable(path, &fault)),
    }
}

/// Whether the policy is one that could have been set. Nobody gets in by one that cannot be read, and
/// one without bounds admits any number of guesses.
fn check_policy(connection: &Connection, path: &Path) -> Result<(), BackupError> {
    let damaged = |reason: String| BackupError::Damaged {
        path: path.to_owned(),
        reason,
    };
    let text = rows::policy_text(connection).map_err(|fault| damaged(fault.to_string()))?;
    let policy: PolicySettings = serde_json::from_str(&text)
        .map_err(|error| damaged(format!("its policy cannot be read: {error}")))?;
    settings::check(&policy)
        .map_err(|error| damaged(format!("its policy is none that could be set: {error}")))
}

fn check_integrity(connection: &Connection, path: &Path) -> Result<(), BackupError> {
    let verdict: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .unwrap_or_else(|error| error.to_string());
    if verdict != "ok" {
        return Err(BackupError::Damaged {
            path: path.to_owned(),
            reason: verdict,
        });
    }
    let orphaned = connection
        .prepare("PRAGMA foreign_key_check")
        .and_then(|mut statement| statement.exists([]))
        .map_err(|error| unreadable(path, &error))?;
    if orphaned {
        return Err(BackupError::Damaged {
            path: path.to_owned(),
            reason: "rows refer to others that are missing".to_owned(),
        });
    }
    Ok(())
}
