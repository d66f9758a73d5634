//! Where accounts were let in: an account is known at an origin for a while after
//! (CONTRACT.md 3.2). For how long is for the rules to say.

use std::time::Duration;

use rusqlite::{Connection, params};

use doorward_domain::id::AccountId;
use doorward_domain::origin::OriginKey;
use doorward_domain::time::Timestamp;

use super::fault::Fault;
use super::rows::{account_key, first, instant, run};

/// A later login is written down once in this time, so that logins cost no write for it.
const WRITTEN_AFTER: Duration = Duration::from_hours(24);

/// The most origins kept of an account; the newest stay.
const KEPT: u32 = 64;

/// When an account was last let in at an origin, within a day.
pub(super) fn admitted(
    connection: &Connection,
    account: AccountId,
    origin: &OriginKey,
) -> Result<Option<Timestamp>, Fault> {
    first(
        connection,
        "SELECT at FROM known_origins WHERE account = ?1 AND origin = ?2",
        (account_key(account), origin.as_str()),
        |row| instant(row, 0),
    )
}

/// Takes note that an account was let in at an origin.
pub(super) fn remember(
    connection: &Connection,
    account: AccountId,
    origin: &OriginKey,
    at: Timestamp,
) -> Result<(), Fault> {
    let key = account_key(account);
    let written = run(
        connection,
        "INSERT INTO known_origins (account, origin, at) VALUES (?1, ?2, ?3)
         ON CONFLICT (account, origin) DO UPDATE SET at = excluded.at WHERE at < ?4",
        params![
            key,
            origin.as_str(),
            at.as_millis(),
            at.minus(WRITTEN_AFTER).as_millis()
        ],
    )?;
    if written > 0 {
        run(
            connection,
            "DELETE FROM known_origins WHERE account = ?1 AND origin IN
             (SELECT origin FROM known_origins WHERE account = ?1
              ORDER BY at DESC LIMIT -1 OFFSET ?2)",
            (key, KEPT),
        )?;
    }
    Ok(())
}
