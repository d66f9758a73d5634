//! What can go wrong between a command and the file, and what each becomes outside.

use rusqlite::ErrorCode;

use crate::Unavailable;
use crate::changes::ChangeRefused;
use doorward_domain::name::NotAName;

use super::file::StrayJournal;

/// Why a piece of work on the database came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// SQLite said no.
    #[error("{0}")]
    Database(#[from] rusqlite::Error),
    /// A row holds what this program never writes.
    #[error("a row is damaged: {0}")]
    Damaged(String),
    /// A rule of the directory said no; nothing is wrong with the store.
    #[error("{0}")]
    Refused(#[from] ChangeRefused),
    /// The work was never done, or its commit failed.
    #[error("{0}")]
    Unavailable(#[from] Unavailable),
    /// Something stands beside the file that SQLite would obey.
    #[error("{0}")]
    Journal(#[from] StrayJournal),
}

impl Fault {
    /// Whether the file, rather than this one piece of work, is at fault.
    pub(super) fn is_of_the_file(&self) -> bool {
        match self {
            Self::Database(error) => matches!(
                error.sqlite_error_code(),
                Some(
                    ErrorCode::DiskFull
                        | ErrorCode::SystemIoFailure
                        | ErrorCode::ReadOnly
                        | ErrorCode::CannotOpen
                        | ErrorCode::NotADatabase
                        | ErrorCode::OutOfMemory
                        | ErrorCode::PermissionDenied
                        | ErrorCode::FileLockingProtocolFailed
                        | ErrorCode::DatabaseBusy
                        | ErrorCode::DatabaseLocked
                )
            ),
            Self::Unavailable(_) | Self::Journal(_) => true,
            Self::Damaged(_) | Self::Refused(_) => false,
        }
    }

    /// Whether the connection is better opened anew before the next attempt.
    pub(super) fn spoils_connection(&self) -> bool {
        match self {
            Self::Database(error) => matches!(
                error.sqlite_error_code(),
                Some(
                    ErrorCode::SystemIoFailure
                        | ErrorCode::ReadOnly
                        | ErrorCode::CannotOpen
                        | ErrorCode::NotADatabase
                        | ErrorCode::DatabaseCorrupt
                        | ErrorCode::FileLockingProtocolFailed
                )
            ),
            _ => false,
        }
    }
}

impl From<Fault> for Unavailable {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unavailable(unavailable) => unavailable,
            other => Self::Broken(other.to_string()),
        }
    }
}

impl From<Fault> for ChangeRefused {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(refused) => refused,
            other => Self::Unavailable(other.into()),
        }
    }
}

impl From<NotAName> for Fault {
    fn from(error: NotAName) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}
