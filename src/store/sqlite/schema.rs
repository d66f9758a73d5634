//! The schema's versions: which this program knows, which a file has, and the way between.

use rusqlite::Connection;

use super::fault::Fault;
use super::rows::exists;

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

/// The newest version this program knows.
pub(super) fn known() -> i64 {
    embedded::migrations::runner()
        .get_migrations()
        .iter()
        .map(|migration| i64::from(migration.version()))
        .max()
        .unwrap_or(0)
}

/// Looks which version a file has.
pub(super) fn found(connection: &Connection) -> Result<Found, Fault> {
    let ours = exists(
        connection,
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'refinery_schema_history'",
        [],
    )?;
    if ours {
        let version = super::rows::number(
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

/// Brings a file to the newest version, all migrations in one transaction.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), String> {
    embedded::migrations::runner()
        .set_grouped(true)
        .run(connection)
        .map(drop)
        .map_err(|error| error.to_string())
}
