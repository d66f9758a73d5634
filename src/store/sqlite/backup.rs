//! Backup while others write, and restore while nobody does.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

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
    check_schema(&source, from)?;
    copy(&source, to)
}

/// Copies the database behind `source` into the new file `to`.
pub(super) fn copy(source: &Connection, to: &Path) -> Result<(), BackupError> {
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let partial = file::beside(to, ".partial");
    match std::fs::remove_file(&partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(unwritable(&partial, &error));
        }
        _ => {}
    }
    file::create_owned(&partial).map_err(|error| unwritable(&partial, &error))?;
    let copied = copy_into(source, &partial).and_then(|()| {
        // Unlike a rename, a hard link never replaces what somebody made in the meantime.
        std::fs::hard_link(&partial, to).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => BackupError::Exists(to.to_owned()),
            _ => unwritable(to, &error),
        })
    });
    let removed = std::fs::remove_file(&partial);
    copied?;
    removed.map_err(|error| unwritable(&partial, &error))?;
    file::sync_folder(to).map_err(|error| unwritable(to, &error))
}

fn copy_into(source: &Connection, path: &Path) -> Result<(), BackupError> {
    let failed = |error: rusqlite::Error| unwritable(path, &error);
    let mut target =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
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
    std::fs::File::open(path)
        .and_then(|file| file.sync_all())
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
    let fresh = file::beside(to, ".restoring");
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(unwritable(&fresh, &error));
        }
        _ => {}
    }
    copy(&source, &fresh)?;
    let kept = if to.exists() {
        Some(set_aside(to)?)
    } else {
        None
    };
    std::fs::rename(&fresh, to).map_err(|error| unwritable(to, &error))?;
    file::sync_folder(to).map_err(|error| unwritable(to, &error))?;
    Ok(kept)
}

/// Moves a store, its write-ahead log included, out of the way under a name that is free.
fn set_aside(path: &Path) -> Result<PathBuf, BackupError> {
    let kept = (1..1000)
        .map(|number| match number {
            1 => file::beside(path, ".before-restore"),
            _ => file::beside(path, &format!(".before-restore.{number}")),
        })
        .find(|name| !name.exists())
        .ok_or_else(|| unwritable(path, &"too many stores are kept from earlier restores"))?;
    // The log first: found without its database it is nothing, and a database without its log
    // would be an older one.
    for suffix in ["-wal", "-shm", ""] {
        let part = file::beside(path, suffix);
        match std::fs::rename(&part, file::beside(&kept, suffix)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(unwritable(&part, &error));
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
        connection.busy_timeout(PATIENCE)?;
        // Reads the header, so that what is no database is found here.
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
        Ok::<_, rusqlite::Error>(connection)
    };
    open(OpenFlags::SQLITE_OPEN_READ_WRITE)
        .or_else(|_| open(OpenFlags::SQLITE_OPEN_READ_ONLY))
        .map_err(|error| unreadable(path, &error))
}

fn check_schema(connection: &Connection, path: &Path) -> Result<(), BackupError> {
    let foreign = |reason: String| BackupError::Foreign {
        path: path.to_owned(),
        reason,
    };
    let known = Schema::ours().known();
    match schema::found(connection).map_err(|fault: Fault| unreadable(path, &fault))? {
        Found::Version(version) if version <= known => Ok(()),
        Found::Version(version) => Err(foreign(format!(
            "its schema version is {version}, and versions up to {known} are known"
        ))),
        Found::Empty => Err(foreign("it is empty".to_owned())),
        Found::Foreign => Err(foreign("it belongs to another program".to_owned())),
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
