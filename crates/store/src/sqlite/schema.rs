//! The schema's versions: which this program knows, which a file has, and the way between.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::fault::Fault;
use super::rows::{all, exists, number};

/// The way from one version of the schema to the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Migration {
    version: i64,
    name: &'static str,
    sql: &'static str,
}

/// All of them, in order.
const OURS: [Migration; 12] = [
    Migration {
        version: 1,
        name: "store",
        sql: include_str!("../../migrations/sqlite/V1__store.sql"),
    },
    Migration {
        version: 2,
        name: "ssh_keys",
        sql: include_str!("../../migrations/sqlite/V2__ssh_keys.sql"),
    },
    Migration {
        version: 3,
        name: "sudo_rules",
        sql: include_str!("../../migrations/sqlite/V3__sudo_rules.sql"),
    },
    Migration {
        version: 4,
        name: "radius_sessions",
        sql: include_str!("../../migrations/sqlite/V4__radius_sessions.sql"),
    },
    Migration {
        version: 5,
        name: "service_certificates",
        sql: include_str!("../../migrations/sqlite/V5__service_certificates.sql"),
    },
    Migration {
        version: 6,
        name: "reply_attributes",
        sql: include_str!("../../migrations/sqlite/V6__reply_attributes.sql"),
    },
    Migration {
        version: 7,
        name: "network_passwords",
        sql: include_str!("../../migrations/sqlite/V7__network_passwords.sql"),
    },
    Migration {
        version: 8,
        name: "devices",
        sql: include_str!("../../migrations/sqlite/V8__devices.sql"),
    },
    Migration {
        version: 9,
        name: "session_requests",
        sql: include_str!("../../migrations/sqlite/V9__session_requests.sql"),
    },
    Migration {
        version: 10,
        name: "known_origins",
        sql: include_str!("../../migrations/sqlite/V10__known_origins.sql"),
    },
    Migration {
        version: 11,
        name: "event_log_bounds",
        sql: include_str!("../../migrations/sqlite/V11__event_log_bounds.sql"),
    },
    Migration {
        version: 12,
        name: "sessions_by_client",
        sql: include_str!("../../migrations/sqlite/V12__sessions_by_client.sql"),
    },
];

/// Which migrations a file has been through. The text is that of stores of earlier versions, to the
/// letter, since a schema is compared by its text ([`strange_piece`]); nothing reads the checksum.
const HISTORY: &str = "CREATE TABLE IF NOT EXISTS refinery_schema_history(
             version int4 PRIMARY KEY,
             name VARCHAR(255),
             applied_on VARCHAR(255),
             checksum VARCHAR(255))";

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
        Self(OURS.to_vec())
    }

    /// The newest version known.
    pub(super) fn known(&self) -> i64 {
        let versions = self.0.iter().map(|migration| migration.version);
        versions.max().unwrap_or(0)
    }

    /// Brings a file to the newest version, all migrations in one transaction.
    pub(super) fn migrate(&self, connection: &mut Connection) -> Result<(), String> {
        let told = |error: rusqlite::Error| error.to_string();
        let transaction = connection.transaction().map_err(told)?;
        transaction.execute_batch(HISTORY).map_err(told)?;
        let reached: i64 = transaction
            .query_row(
                "SELECT coalesce(max(version), 0) FROM refinery_schema_history",
                [],
                |row| row.get(0),
            )
            .map_err(told)?;
        for Migration { version, name, sql } in &self.0 {
            if *version <= reached {
                continue;
            }
            let told = |error: rusqlite::Error| format!("migration {version} ({name}): {error}");
            transaction.execute_batch(sql).map_err(told)?;
            transaction
                .execute(
                    "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
                     VALUES (?1, ?2, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), '0')",
                    (version, name),
                )
                .map_err(told)?;
        }
        transaction.commit().map_err(told)
    }

    /// These versions up to one, as an earlier program knew them.
    pub(super) fn up_to(mut self, last: i64) -> Self {
        self.0.retain(|migration| migration.version <= last);
        self
    }

    /// These versions and one more, as a later program would know it.
    #[cfg(test)]
    pub(super) fn and(mut self, version: i64, name: &'static str, sql: &'static str) -> Self {
        self.0.push(Migration { version, name, sql });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_a_migration_and_their_versions_go_up_by_one() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");
        let mut there: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let mut ours: Vec<_> = OURS
            .iter()
            .map(|Migration { version, name, .. }| format!("V{version}__{name}.sql"))
            .collect();
        there.sort();
        ours.sort();
        assert_eq!(there, ours);
        let versions = OURS.iter().map(|migration| migration.version);
        assert!(versions.eq((1..).take(OURS.len())));
    }

    #[test]
    fn the_history_is_that_of_stores_of_earlier_versions() {
        let mut connection = Connection::open_in_memory().unwrap();
        Schema::ours().migrate(&mut connection).unwrap();
        let text: String = connection
            .query_row(
                "SELECT sql FROM sqlite_schema WHERE name = 'refinery_schema_history'",
                [],
                |row| row.get(0),
            )
            .unwrap();
        let before = "CREATE TABLE refinery_schema_history(\n             \
                      version int4 PRIMARY KEY,\n             \
                      name VARCHAR(255),\n             \
                      applied_on VARCHAR(255),\n             \
                      checksum VARCHAR(255))";
        assert_eq!(text, before);
    }

    /// A store may come from anywhere, and what stands beside a version says nothing.
    #[test]
    fn what_a_file_says_of_its_migrations_besides_their_versions_is_not_read() {
        let mut connection = Connection::open_in_memory().unwrap();
        Schema::ours().up_to(1).migrate(&mut connection).unwrap();
        connection
            .execute(
                "UPDATE refinery_schema_history SET applied_on = '', checksum = 'x'",
                [],
            )
            .unwrap();
        Schema::ours().migrate(&mut connection).unwrap();
        assert_eq!(
            found(&connection).unwrap(),
            Found::Version(Schema::ours().known())
        );
    }
}
