//! Backup while others write, and restore while nobody does.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use crate::files::{self, Folder};

use super::fault::Fault;
use super::file::{self, Hold};
use super::schema::{self, Found, Schema};

/// How long a backup or restore waits for a lock.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a backup or a restore came to nothing; the store is as it was.
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
    /// Another process uses the store.
    #[error("another process uses {}: stop it first", .0.display())]
    InUse(PathBuf),
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
    let source = open_existing(from)?;
    check_version(&source, from)?;
    copy(&source, to)
}

/// Copies the database behind `source` into the new file `to`. Whoever may write in the folder can
/// have the copy fail, and not have it written elsewhere.
pub(super) fn copy(source: &Connection, to: &Path) -> Result<(), BackupError> {
    let failed = |error: std::io::Error| unwritable(to, &error);
    let (folder, name) = Folder::of(to).map_err(failed)?;
    if folder.has(&name).map_err(failed)? {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let partial = files::beside(&name, ".partial");
    folder.remove(&partial).map_err(failed)?;
    let file = folder
        .create(&partial, file::OWNERS_ALONE)
        .map_err(failed)?;
    let place = Place {
        folder: &folder,
        name: &partial,
        file: &file,
    };
    let copied = copy_into(source, &place).and_then(|()| {
        // Unlike a rename, a second name never replaces what somebody made in the meantime.
        folder
            .link(&partial, &name)
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::AlreadyExists => BackupError::Exists(to.to_owned()),
                _ => failed(error),
            })?;
        if folder.is(&name, &file).map_err(failed)? {
            Ok(())
        } else {
            Err(unwritable(to, &MOVED))
        }
    });
    let removed = folder.remove(&partial);
    copied?;
    removed.map_err(failed)?;
    folder.sync().map_err(failed)
}

/// What is said where somebody meddles with the file.
const MOVED: &str = "somebody put another file in its place";

/// A file that was made here, and the name it was made under.
struct Place<'a> {
    folder: &'a Folder,
    name: &'a OsStr,
    file: &'a File,
}

impl Place<'_> {
    fn path(&self) -> PathBuf {
        self.folder.path(self.name)
    }

    /// Whether the name still stands for the file.
    fn check(&self) -> Result<(), BackupError> {
        match self.folder.is(self.name, self.file) {
            Ok(true) => Ok(()),
            Ok(false) => Err(unwritable(&self.path(), &MOVED)),
            Err(error) => Err(unwritable(&self.path(), &error)),
        }
    }
}

fn copy_into(source: &Connection, place: &Place<'_>) -> Result<(), BackupError> {
    let path = &place.path();
    let failed = |error: rusqlite::Error| unwritable(path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let mut target = Connection::open_with_flags(path, flags).map_err(failed)?;
    // SQLite has opened what the name stood for; it is opened by the first statement at the latest.
    target
        .query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        .map_err(failed)?;
    place.check()?;
    let backup = Backup::new(source, &mut target).map_err(failed)?;
    // All pages in one step: one moment of the source, and no starting over as others write.
    let step = backup.step(-1).map_err(failed)?;
    drop(backup);
    if step != StepResult::Done {
        return Err(unwritable(path, &"the store was busy too long"));
    }
    // A copy is one file, whole in itself, not one with a write-ahead log beside it.
    let mode: String = target
        .query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))
        .map_err(failed)?;
    if mode != "delete" {
        return Err(unwritable(path, &"SQLite kept the write-ahead log"));
    }
    target
        .close()
        .map_err(|(_, error)| unwritable(path, &error))?;
    place.check()?;
    let written = place.file.metadata().map(|metadata| metadata.len());
    if !matches!(written, Ok(1..)) {
        return Err(unwritable(path, &MOVED));
    }
    place
        .file
        .sync_all()
        .map_err(|error| unwritable(path, &error))
}

/// Puts the backup `from` in the place of the store at `to`, which no process may be using. What
/// stood there before is kept beside it; its name is given back.
///
/// # Errors
/// Says what stands in the way; the store is as it was.
pub fn restore(from: &Path, to: &Path) -> Result<Option<PathBuf>, BackupError> {
    let source = open_existing(from)?;
    check_schema(&source, from)?;
    check_integrity(&source, from)?;

    if !file::folder(to).is_dir() {
        return Err(unwritable(to, &"its folder does not exist"));
    }
    let lock = file::open_lock(to).map_err(|error| unwritable(to, &error))?;
    if !file::hold(&lock, Hold::Alone).map_err(|error| unwritable(to, &error))? {
        return Err(BackupError::InUse(to.to_owned()));
    }
    let failed = |error: std::io::Error| unwritable(to, &error);
    let (folder, name) = Folder::of(to).map_err(failed)?;
    let fresh = files::beside(&name, ".restoring");
    folder.remove(&fresh).map_err(failed)?;
    copy(&source, &folder.path(&fresh))?;
    let kept = if folder.has(&name).map_err(failed)? {
        Some(set_aside(&folder, &name)?)
    } else {
        None
    };
    folder.rename(&fresh, &name).map_err(failed)?;
    folder.sync().map_err(failed)?;
    Ok(kept.map(|kept| file::folder(to).join(kept)))
}

/// Moves a store, its write-ahead log included, out of the way under a name that is free.
fn set_aside(folder: &Folder, name: &OsStr) -> Result<OsString, BackupError> {
    let failed = |error: std::io::Error| unwritable(&folder.path(name), &error);
    let mut kept = None;
    for number in 1..1000 {
        let free = match number {
            1 => files::beside(name, ".before-restore"),
            _ => files::beside(name, &format!(".before-restore.{number}")),
        };
        if !folder.has(&free).map_err(failed)? {
            kept = Some(free);
            break;
        }
    }
    let kept = kept.ok_or_else(|| {
        let reason = "too many stores are kept from earlier restores";
        unwritable(&folder.path(name), &reason)
    })?;
    // The log first: found without its database it is nothing, and a database without its log
    // would be an older one.
    for suffix in ["-wal", "-shm", ""] {
        let part = files::beside(name, suffix);
        match folder.rename(&part, &files::beside(&kept, suffix)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(unwritable(&folder.path(&part), &error));
            }
            _ => {}
        }
    }
    Ok(kept)
}

fn open_existing(path: &Path) -> Result<Connection, BackupError> {
    if !path.is_file() {
        return Err(unreadable(path, &"there is no such file"));
    }
    let open = |flags| {
        let connection = Connection::open_with_flags(path, flags)?;
        file::distrust(&connection)?;
        connection.busy_timeout(PATIENCE)?;
        // Reads the header, so that what is no database is found here.
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
        Ok::<_, rusqlite::Error>(connection)
    };
    open(OpenFlags::SQLITE_OPEN_READ_WRITE)
        .or_else(|_| open(OpenFlags::SQLITE_OPEN_READ_ONLY))
        .map_err(|error| unreadable(path, &error))
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
