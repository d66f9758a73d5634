//! The audit log: recording, merging, queries, retention (CONTRACT.md 9).

use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};
use uuid::Uuid;

use crate::events::EventQuery;
use crate::sessions::DisconnectOutcome;
use doorward_domain::device::MacAddress;
use doorward_domain::event::{AttemptEvent, ChangeEvent, Event, EventBody, Keeping, Subject};
use doorward_domain::id::EventId;
use doorward_domain::name::ResourceName;
use doorward_domain::refusal::Refusal;
use doorward_domain::time::Timestamp;

use super::fault::Fault;
use super::merge::{LONGEST_SPAN, Merged, key_of_disconnect, merge_key};
use super::rows::{Key, account_key, all, first, instant, limit, maybe_instant, meta, millis, run};

/// What a row takes, in SQL: its text, once in the table and once in each index that has it, and
/// what every row has.
macro_rules! size {
    () => {
        "300 + octet_length(body) + 2 * coalesce(octet_length(merge_key), 0) \
         + 2 * coalesce(octet_length(username), 0) + 2 * coalesce(octet_length(resource), 0)"
    };
}

/// Removes the oldest merged rows of an outcome, at most `?1`.
macro_rules! merged_rows {
    ($outcome:literal) => {
        concat!(
            "DELETE FROM events WHERE id IN
             (SELECT id FROM events INDEXED BY events_merged
              WHERE merge_key IS NOT NULL AND outcome = '",
            $outcome,
            "' ORDER BY at LIMIT ?1) RETURNING ",
            size!()
        )
    };
}

/// How far apart the first and the newest may be of the events that one row stands for.
const SPAN: Duration = Duration::from_secs(LONGEST_SPAN.unsigned_abs());
/// How many rows go at a time where the log is full, so that no more go than must.
const PORTION: usize = 100;

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

/// Records a change.
pub(super) fn record_change(
    connection: &Connection,
    at: Timestamp,
    change: &ChangeEvent,
) -> Result<EventId, Fault> {
    let body = EventBody::Change(change.clone());
    insert(connection, at, None, &body, None)
}

/// Records what the gateway asked a client by itself, or counts it in the row of its equals.
pub(super) fn count_disconnect(
    connection: &Connection,
    outcome: &DisconnectOutcome,
) -> Result<EventId, Fault> {
    let key = key_of_disconnect(outcome);
    let body = EventBody::Change(outcome.event.clone());
    insert(connection, outcome.at, None, &body, Some((&key, 1)))
}

/// Records an attempt, or counts it in the row of its equals; names the row.
pub(super) fn record_attempt(
    connection: &Connection,
    at: Timestamp,
    event: &AttemptEvent,
) -> Result<EventId, Fault> {
    let body = EventBody::Attempt(event.clone());
    match event.keeping() {
        Keeping::Apart => insert(connection, at, None, &body, None),
        Keeping::Counted | Keeping::Gathered => {
            let key = merge_key(at, event);
            insert(connection, at, None, &body, Some((&key, 1)))
        }
    }
}

/// Records merged events, or adds them to the row that stands for their equals.
pub(super) fn record_merged(
    connection: &Connection,
    key: &str,
    merged: &Merged,
) -> Result<(), Fault> {
    let body = EventBody::Attempt(merged.event.clone());
    let last = (merged.count > 1).then_some(merged.last);
    insert(
        connection,
        merged.at,
        last,
        &body,
        Some((key, merged.count)),
    )?;
    Ok(())
}

/// Inserts a row, or adds to the one that has the key; names the row.
fn insert(
    connection: &Connection,
    at: Timestamp,
    last: Option<Timestamp>,
    body: &EventBody,
    merged: Option<(&str, u32)>,
) -> Result<EventId, Fault> {
    let columns = columns(body);
    let key = next_id(connection, at)?.as_uuid().into_bytes();
    let row = first(
        connection,
        concat!(
            "INSERT INTO events
                 (id, at, last, count, account, username, resource, outcome, merge_key, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (merge_key) DO UPDATE SET
                 count = count + excluded.count,
                 last = max(coalesce(last, at), coalesce(excluded.last, excluded.at))
             RETURNING id, ",
            size!()
        ),
        params![
            key,
            at.as_millis(),
            millis(last),
            merged.map_or(1, |(_, count)| count),
            columns.account,
            columns.username,
            columns.resource,
            columns.outcome,
            merged.map(|(key, _)| key),
            serde_json::to_string(body)?,
        ],
        |row| Ok((row.get::<_, Key>(0)?, row.get::<_, i64>(1)?)),
    )?;
    let (stands, bytes) =
        row.ok_or_else(|| Fault::Damaged("an event was not recorded".to_owned()))?;
    if stands == key {
        grow(connection, bytes)?;
    }
    Ok(EventId::from_uuid(Uuid::from_bytes(stands)))
}

/// Keeps the sum of what the rows take.
fn grow(connection: &Connection, bytes: i64) -> Result<(), Fault> {
    run(
        connection,
        "UPDATE meta SET value = max(min(value, ?2) + ?1, 0) WHERE key = 'events_bytes'",
        // A damaged sum is no reason to record nothing.
        [bytes, i64::MAX / 2],
    )?;
    Ok(())
}

/// Counts anew what the rows take, in a file that may say anything of it.
pub(super) fn count_bytes(connection: &Connection) -> Result<(), Fault> {
    let counted = concat!(
        "UPDATE meta SET value = (SELECT coalesce(sum(",
        size!(),
        "), 0) FROM events) WHERE key = 'events_bytes'"
    );
    run(connection, counted, [])?;
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
    let Some(before) = body else { return Ok(()) };
    let mut body: EventBody = serde_json::from_str(&before)?;
    if let EventBody::Attempt(attempt) = &mut body {
        attempt.reason = Some(reason);
    }
    let after = serde_json::to_string(&body)?;
    let length = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX);
    let grown = length(&after).saturating_sub(length(&before));
    run(
        connection,
        "UPDATE events SET body = ?2 WHERE id = ?1",
        (key, after),
    )?;
    grow(connection, grown)
}

/// Reads an event from `id, at, last, count, body`.
pub(super) fn event(row: &Row<'_>) -> Result<Event, Fault> {
    let body: String = row.get(4)?;
    let count: i64 = row.get(3)?;
    Ok(Event {
        id: EventId::from_uuid(Uuid::from_bytes(row.get(0)?)),
        at: instant(row, 1)?,
        last: maybe_instant(row, 2)?,
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
        // The index knows only when the first happened of those that a row stands for.
        add("at >= #", since.minus(SPAN).as_millis().into());
        add("coalesce(last, at) >= #", since.as_millis().into());
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
        "SELECT id, at, last, count, body FROM events {filter} ORDER BY {order} {direction} LIMIT ?{}",
        values.len()
    );
    let mut found = all(connection, &sql, params_from_iter(values), event)?;
    if query.newest {
        found.reverse();
    }
    Ok(found)
}

/// When the newest event happened: the newest of those that the rows of the last [`SPAN`] stand for
/// is the newest of all.
pub(super) fn newest(connection: &Connection) -> Result<Option<Timestamp>, Fault> {
    Ok(first(
        connection,
        "SELECT max(coalesce(last, at)) FROM events
         WHERE at >= (SELECT max(at) FROM events) - ?1",
        [LONGEST_SPAN.saturating_mul(1000)],
        |row| maybe_instant(row, 0),
    )?
    .flatten())
}

/// Removes events older than `before`.
pub(super) fn forget(
    connection: &Connection,
    before: Timestamp,
    most: usize,
) -> Result<usize, Fault> {
    remove(
        connection,
        concat!(
            "DELETE FROM events WHERE id IN
             (SELECT id FROM events WHERE at < ?2 ORDER BY at LIMIT ?1) RETURNING ",
            size!()
        ),
        (limit(most), before.as_millis()),
    )
}

/// What the rows take together.
pub(super) fn bytes(connection: &Connection) -> Result<u64, Fault> {
    Ok(u64::try_from(meta(connection, "events_bytes")?).unwrap_or(0))
}

/// By how much the sum that is kept is wrong, both taken at one moment; goes over the whole log.
pub(super) fn miscounted(connection: &Connection) -> Result<i64, Fault> {
    let found = first(
        connection,
        concat!(
            "SELECT coalesce(sum(",
            size!(),
            "), 0), (SELECT value FROM meta WHERE key = 'events_bytes') FROM events"
        ),
        [],
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?)),
    )?;
    let (sum, believed) = found.unwrap_or_default();
    Ok(sum.saturating_sub(believed.unwrap_or(0)))
}

/// Adds what [`miscounted`] found to the sum, whatever came and went since.
pub(super) fn correct(connection: &Connection, by: i64) -> Result<(), Fault> {
    run(
        connection,
        "UPDATE meta SET value = max(value + ?1, 0) WHERE key = 'events_bytes' AND ?1 <> 0",
        [by],
    )?;
    Ok(())
}

/// What goes first where the log is full, and what after it. An index has merged rows by outcome
/// and age; what is left after them is found in the order of time without looking further.
const FIRST_TO_GO: [&str; 5] = [
    merged_rows!("granted"),
    merged_rows!("change_only"),
    merged_rows!("change"),
    merged_rows!("refused"),
    concat!(
        "DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY at LIMIT ?1) RETURNING ",
        size!()
    ),
];

/// Removes events where the log takes more than `most` bytes.
pub(super) fn shed(connection: &Connection, most: u64, limit: usize) -> Result<usize, Fault> {
    let mut gone = 0;
    for rows in FIRST_TO_GO {
        while gone < limit && bytes(connection)? > most {
            let portion = PORTION.min(limit.saturating_sub(gone));
            let went = remove(connection, rows, [super::rows::limit(portion)])?;
            gone += went;
            if went < portion {
                break;
            }
        }
    }
    Ok(gone)
}

/// Removes the rows that a statement names, and takes what they took from the sum.
fn remove(
    connection: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
) -> Result<usize, Fault> {
    let sizes = all(connection, sql, params, |row| Ok(row.get::<_, i64>(0)?))?;
    let freed = sizes
        .iter()
        .fold(0_i64, |sum, size| sum.saturating_add(*size));
    if !sizes.is_empty() {
        grow(connection, freed.saturating_neg())?;
    }
    Ok(sizes.len())
}
