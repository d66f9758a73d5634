//! POSIX numbers: given once and never again (CONTRACT.md 8).

use rusqlite::Connection;

use crate::changes::ChangeRefused;
use doorward_domain::name::GroupName;

use super::fault::Fault;
use super::rows::{exists, meta, run, set_meta};

/// Where numbers start, and which group users get as their primary one.
#[derive(Debug)]
pub(super) struct Numbering {
    /// The first number given.
    pub(super) first: u32,
    /// The primary group of users.
    pub(super) primary_group: GroupName,
}

/// Which numbers are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Users'.
    Uid,
    /// Groups'.
    Gid,
}

impl Kind {
    const fn column(self) -> &'static str {
        match self {
            Self::Uid => "uid",
            Self::Gid => "gid",
        }
    }

    const fn counter(self) -> &'static str {
        match self {
            Self::Uid => "next_uid",
            Self::Gid => "next_gid",
        }
    }

    const fn taken_by(self) -> &'static str {
        match self {
            Self::Uid => "SELECT 1 FROM accounts WHERE uid_number = ?1",
            Self::Gid => "SELECT 1 FROM groups WHERE gid_number = ?1",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Uid => "uid number",
            Self::Gid => "gid number",
        }
    }
}

/// Gives the number asked for, or the next one that was never used.
pub(super) fn give(
    connection: &Connection,
    kind: Kind,
    first: u32,
    asked: Option<u32>,
) -> Result<u32, Fault> {
    let number = match asked {
        Some(number) => {
            if exists(connection, kind.taken_by(), [number])? {
                return Err(ChangeRefused::Taken {
                    kind: kind.words(),
                    name: number.to_string(),
                }
                .into());
            }
            if used(connection, kind, number)? {
                return Err(ChangeRefused::NumberUsed(number).into());
            }
            number
        }
        None => next(connection, kind, first)?,
    };
    run(
        connection,
        "INSERT INTO used_numbers (kind, number) VALUES (?1, ?2)",
        (kind.column(), number),
    )?;
    Ok(number)
}

fn next(connection: &Connection, kind: Kind, first: u32) -> Result<u32, Fault> {
    let counter = meta(connection, kind.counter())?;
    let mut number = u32::try_from(counter).unwrap_or(u32::MAX).max(first);
    // 65534 and 65535 mean nobody, and 2^32-1 an error, on many systems.
    while matches!(number, 65_534 | 65_535) || used(connection, kind, number)? {
        number = number
            .checked_add(1)
            .filter(|number| *number < u32::MAX - 1)
            .ok_or_else(|| {
                ChangeRefused::Nothing(format!("no {} is left to give", kind.words()))
            })?;
    }
    set_meta(connection, kind.counter(), i64::from(number) + 1)?;
    Ok(number)
}

fn used(connection: &Connection, kind: Kind, number: u32) -> Result<bool, Fault> {
    exists(
        connection,
        "SELECT 1 FROM used_numbers WHERE kind = ?1 AND number = ?2",
        (kind.column(), number),
    )
}
