//! The schema's versions: which this program knows, which a file has, and the way between.

use std::collections::BTreeSet;

use refinery::Migration;
use rusqlite::Connection;

use super::fault::Fault;
use super::rows::{all, exists, number};

mod embedded {
    refinery::embed_migrations!("migrations/sqlite");
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing at all.
    Empty,
    /// Tables that are not ours.
    Foreign,
    /// Our tables, at this version.
    Version(i64),
}

/// The versions a program knows.
#[derive(Debug, Clone)]
pub(super) struct Schema(Vec<Migration>);

impl Schema {
    /// Those of this program.
    pub(super) fn ours() -> Self {
        Self(embedded::migrations::runner().get_migrations().clone())
    }

    /// The newest version known.
    pub(super) fn known(&self) -> i64 {
        self.0
            .iter()
            .map(|migration| i64::from(migration.version()))
            .max()
            .unwrap_or(0)
    }

    /// Brings a file to the newest version, all migrations in one transaction.
    pub(super) fn migrate(&self, connection: &mut Connection) -> Result<(), String> {
        refinery::Runner::new(&self.0)
            .set_grouped(true)
            .run(connection)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    /// These versions up to one, as an earlier program knew them.
    pub(super) fn up_to(mut self, last: i64) -> Self {
        self.0
            .retain(|migration| i64::from(migration.version()) <= last);
        self
    }

    /// These versions and one more, as a later program would know it.
    #[cfg(test)]
    pub(super) fn and(mut self, name: &str, sql: &str) -> Self {
        self.0.push(Migration::unapplied(name, sql).unwrap());
        self
    }
}

/// What a schema consists of: the kind, name and table of each piece, and the statement that made
/// it.
type Pieces = BTreeSet<(String, String, String, Option<String>)>;

fn pieces(connection: &Connection) -> Result<Pieces, Fault> {
    let found = all(
        connection,
        // Statistics are SQLite's own (ANALYZE), and no more than hints.
        "SELECT type, name, tbl_name, sql FROM sqlite_schema
         WHERE tbl_name NOT IN ('sqlite_stat1', 'sqlite_stat4')",
        [],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
    )?;
    Ok(found.into_iter().collect())
}

/// The name of a piece that a file has and the schema of its version does not, or the other way
/// round: a trigger, a view, a virtual table, a column somebody added. Migrations make the whole
/// schema, so that anything else in it is somebody else's.
pub(super) fn strange_piece(
    connection: &Connection,
    version: i64,
) -> Result<Option<String>, Fault> {
    let mut fresh = Connection::open_in_memory()?;
    Schema::ours()
        .up_to(version)
        .migrate(&mut fresh)
        .map_err(Fault::Damaged)?;
    let (found, ours) = (pieces(connection)?, pieces(&fresh)?);
    let strange = found.symmetric_difference(&ours).next();
    Ok(strange.map(|(kind, name, ..)| format!("{kind} '{name}'")))
}

/// Looks which version a file has.
pub(super) fn found(connection: &Connection) -> Result<Found, Fault> {
    let ours = exists(
        connection,
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'refinery_schema_history'",
        [],
    )?;
    if ours {
        let version = number(
            connection,
            "SELECT max(version) FROM refinery_schema_history",
            [],
        )?;
        if version > 0 {
            return Ok(Found::Version(version));
        }
    }
    let others = exists(
        connection,
        "SELECT 1 FROM sqlite_master WHERE name <> 'refinery_schema_history'
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
        [],
    )?;
    Ok(if others { Found::Foreign } else { Found::Empty })
}
