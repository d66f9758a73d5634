//! The audit log: recording, merging, queries, retention (CONTRACT.md 9).

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};
use uuid::Uuid;

use crate::domain::device::MacAddress;
use crate::domain::event::{ChangeEvent, Event, EventBody, Subject};
use crate::domain::id::EventId;
use crate::domain::name::ResourceName;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::store::events::EventQuery;

use super::fault::Fault;
use super::merge::Merged;
use super::rows::{Key, account_key, all, first, instant, limit, run};

/// What is queried of an event, apart from its body.
struct Columns {
    account: Option<Key>,
    username: Option<String>,
    resource: Option<String>,
    outcome: &'static str,
}

fn columns(body: &EventBody) -> Columns {
    match body {
        EventBody::Attempt(attempt) => {
            let (account, username) = match &attempt.subject {
                Subject::Account { account, username } => {
                    (Some(account_key(*account)), Some(username.folded()))
                }
                Subject::Device { device } => (None, Some(device.to_string().to_ascii_lowercase())),
                Subject::Service { .. }
                | Subject::Certificate { .. }
                | Subject::Devices
                | Subject::Unknown { .. } => (None, None),
            };
            Columns {
                account,
                username,
                resource: attempt.resource.as_ref().map(ResourceName::folded),
                outcome: attempt.outcome.as_str(),
            }
        }
        EventBody::Change(change) => Columns {
            account: change.account.map(account_key),
            // What is asked for by name: a user's changes, and a device's.
            username: (change.account.is_some() || MacAddress::parse(&change.target).is_ok())
                .then(|| change.target.to_ascii_lowercase()),
            resource: change.resource.as_ref().map(ResourceName::folded),
            outcome: "change",
        },
    }
}

/// An identifier that sorts after every event recorded so far, whatever the clock did: who
/// follows the log by identifiers misses nothing.
fn next_id(connection: &Connection, at: Timestamp) -> Result<EventId, Fault> {
    let fresh = EventId::new(at).as_uuid();
    let newest = first(connection, "SELECT max(id) FROM events", [], |row| {
        Ok(row.get::<_, Option<Key>>(0)?)
    })?
    .flatten()
    .map(Uuid::from_bytes);
    Ok(EventId::from_uuid(match newest {
        Some(newest) if newest >= fresh => Uuid::from_u128(newest.as_u128().saturating_add(1)),
        _ => fresh,
    }))
}

/// Records an event.
pub(super) fn record(
    connection: &Connection,
    at: Timestamp,
    body: &EventBody,
) -> Result<EventId, Fault> {
    let id = next_id(connection, at)?;
    insert(connection, id, at, 1, None, body)?;
    Ok(id)
}

/// Records a change.
pub(super) fn record_change(
    connection: &Connection,
    at: Timestamp,
    change: &ChangeEvent,
) -> Result<EventId, Fault> {
    record(connection, at, &EventBody::Change(change.clone()))
}

/// Records merged events, or adds them to the row that stands for their equals.
pub(super) fn record_merged(
    connection: &Connection,
    key: &str,
    merged: &Merged,
) -> Result<(), Fault> {
    let id = next_id(connection, merged.at)?;
    let body = EventBody::Attempt(merged.event.clone());
    insert(connection, id, merged.at, merged.count, Some(key), &body)
}

fn insert(
    connection: &Connection,
    id: EventId,
    at: Timestamp,
    count: u32,
    merge_key: Option<&str>,
    body: &EventBody,
) -> Result<(), Fault> {
    let columns = columns(body);
    run(
        connection,
        "INSERT INTO events (id, at, count, account, username, resource, outcome, merge_key, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (merge_key) DO UPDATE SET count = count + excluded.count",
        params![
            id.as_uuid().into_bytes(),
            at.as_millis(),
            count,
            columns.account,
            columns.username,
            columns.resource,
            columns.outcome,
            merge_key,
            serde_json::to_string(body)?,
        ],
    )?;
    Ok(())
}

/// Gives a recorded attempt another reason; nothing happens where it was forgotten already.
pub(super) fn change_reason(
    connection: &Connection,
    event: EventId,
    reason: Refusal,
) -> Result<(), Fault> {
    let key = event.as_uuid().into_bytes();
    let body = first(
        connection,
        "SELECT body FROM events WHERE id = ?1",
        [key],
        |row| Ok(row.get::<_, String>(0)?),
    )?;
    let Some(body) = body else { return Ok(()) };
    let mut body: EventBody = serde_json::from_str(&body)?;
    if let EventBody::Attempt(attempt) = &mut body {
        attempt.reason = Some(reason);
    }
    run(
        connection,
        "UPDATE events SET body = ?2 WHERE id = ?1",
        (key, serde_json::to_string(&body)?),
    )?;
    Ok(())
}

/// Reads an event from `id, at, count, body`.
pub(super) fn event(row: &Row<'_>) -> Result<Event, Fault> {
    let body: String = row.get(3)?;
    let count: i64 = row.get(2)?;
    Ok(Event {
        id: EventId::from_uuid(Uuid::from_bytes(row.get(0)?)),
        at: instant(row, 1)?,
        count: u32::try_from(count).unwrap_or(u32::MAX),
        body: serde_json::from_str(&body)?,
    })
}

/// Events that match, in the order they were recorded, which is that of their identifiers.
pub(super) fn query(connection: &Connection, query: &EventQuery) -> Result<Vec<Event>, Fault> {
    let mut conditions = Vec::new();
    let mut values: Vec<Value> = Vec::new();
    let mut add = |condition: &str, value: Value| {
        values.push(value);
        conditions.push(condition.replace('#', &format!("?{}", values.len())));
    };
    if let Some(user) = &query.user {
        add(
            "(username = # OR account = (SELECT id FROM accounts WHERE username_folded = #))",
            user.to_ascii_lowercase().into(),
        );
    }
    if let Some(resource) = &query.resource {
        add("resource = #", resource.to_ascii_lowercase().into());
    }
    if let Some(since) = query.since {
        add("at >= #", since.as_millis().into());
    }
    if let Some(until) = query.until {
        add("at < #", until.as_millis().into());
    }
    if let Some(outcome) = &query.outcome {
        add("outcome = #", outcome.clone().into());
    }
    if let Some(after) = query.after {
        add("id > #", after.as_uuid().as_bytes().to_vec().into());
    }
    values.push(limit(query.limit).into());
    let filter = if conditions.is_empty() {
        String::new()
    } else {
        format!("WHERE {}", conditions.join(" AND "))
    };
    // The plus keeps SQLite from walking the whole log in its order where an instant narrows it.
    let order = if query.since.is_some() { "+id" } else { "id" };
    let direction = if query.newest { "DESC" } else { "ASC" };
    let sql = format!(
        "SELECT id, at, count, body FROM events {filter} ORDER BY {order} {direction} LIMIT ?{}",
        values.len()
    );
    let mut found = all(connection, &sql, params_from_iter(values), event)?;
    if query.newest {
        found.reverse();
    }
    Ok(found)
}

/// When the newest event happened.
pub(super) fn newest(connection: &Connection) -> Result<Option<Timestamp>, Fault> {
    Ok(first(connection, "SELECT max(at) FROM events", [], |row| {
        super::rows::maybe_instant(row, 0)
    })?
    .flatten())
}

/// Removes events older than `before`.
pub(super) fn forget(
    connection: &Connection,
    before: Timestamp,
    most: usize,
) -> Result<usize, Fault> {
    run(
        connection,
        "DELETE FROM events WHERE id IN
         (SELECT id FROM events WHERE at < ?1 ORDER BY at LIMIT ?2)",
        (before.as_millis(), limit(most)),
    )
}
