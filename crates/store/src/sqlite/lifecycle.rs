//! Where lifecycle stands, and what it found written together with its cursor's move.

use rusqlite::Connection;

use crate::changes::Noticed;
use doorward_domain::time::Timestamp;

use super::events::record_change;
use super::fault::Fault;
use super::outbox::queue_mail;
use super::rows::{meta, run};

/// Where lifecycle stands; the epoch in a store it never looked at.
pub(super) fn cursor(connection: &Connection) -> Result<Timestamp, Fault> {
    meta(connection, "lifecycle_cursor").map(Timestamp::from_millis)
}

/// Moves the cursor and writes what was found; false where another moved it first.
pub(super) fn notice(connection: &Connection, noticed: &Noticed) -> Result<bool, Fault> {
    let moved = run(
        connection,
        "UPDATE meta SET value = ?2 WHERE key = 'lifecycle_cursor' AND value = ?1",
        (noticed.from.as_millis(), noticed.to.as_millis()),
    )?;
    if moved == 0 {
        return Ok(false);
    }
    for (at, event) in &noticed.events {
        record_change(connection, *at, event)?;
    }
    for mail in &noticed.mails {
        queue_mail(connection, noticed.to, mail)?;
    }
    Ok(true)
}
