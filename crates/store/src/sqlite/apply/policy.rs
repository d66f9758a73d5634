//! Changes of the policy, every version kept (CONTRACT.md 1).

use rusqlite::{Connection, params};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::changes::ChangeRefused;
use doorward_domain::event::{ChangeEvent, Event, EventBody};
use doorward_domain::id::EventId;
use doorward_domain::rules::PolicySettings;
use doorward_domain::time::Timestamp;

use super::super::fault::Fault;
use super::super::rows::{all, first, instant, run};
use super::{Changed, differences};

fn column(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

pub(super) fn set(connection: &Connection, settings: &PolicySettings) -> Result<Changed, Fault> {
    let before = first(
        connection,
        "SELECT settings FROM policies ORDER BY version DESC LIMIT 1",
        [],
        |row| Ok(row.get::<_, String>(0)?),
    )?
    .ok_or_else(|| Fault::Damaged("there is no policy".to_owned()))?;
    let before: PolicySettings = serde_json::from_str(&before)?;
    if Some(settings.version) != before.version.checked_add(1) {
        return Err(ChangeRefused::Moved.into());
    }
    run(
        connection,
        "INSERT INTO policies (version, settings) VALUES (?1, ?2)",
        (column(settings.version), serde_json::to_string(settings)?),
    )?;
    let (old, new) = nested(&told(&before)?, &told(settings)?);
    Ok(Changed {
        action: "policy.set",
        target: "policy".to_owned(),
        account: None,
        resource: None,
        before: old,
        after: new,
    })
}

/// What an event tells of a policy: it has a time of its own.
fn told(settings: &PolicySettings) -> Result<Value, Fault> {
    let mut value = serde_json::to_value(settings)?;
    if let Value::Object(keys) = &mut value {
        keys.remove("changed_at");
    }
    Ok(value)
}

/// What differs, key by key within `lockout` and `password`.
fn nested(before: &Value, after: &Value) -> (Value, Value) {
    let (Value::Object(old), Value::Object(new)) = differences(before, after) else {
        return (before.clone(), after.clone());
    };
    let mut outcome = (Map::new(), Map::new());
    for (key, old_value) in old {
        let new_value = new.get(&key).cloned().unwrap_or(Value::Null);
        let (old_value, new_value) = differences(&old_value, &new_value);
        outcome.0.insert(key.clone(), old_value);
        outcome.1.insert(key, new_value);
    }
    (outcome.0.into(), outcome.1.into())
}

/// Keeps the event beside the version: the history outlives the audit log's retention.
pub(super) fn remember_event(
    connection: &Connection,
    version: u64,
    id: EventId,
    at: Timestamp,
    event: &ChangeEvent,
) -> Result<(), Fault> {
    run(
        connection,
        "UPDATE policies SET event = ?2, at = ?3, body = ?4 WHERE version = ?1",
        params![
            column(version),
            id.as_uuid().into_bytes(),
            at.as_millis(),
            serde_json::to_string(&EventBody::Change(event.clone()))?,
        ],
    )?;
    Ok(())
}

/// Every change of policy, newest first.
pub(in crate::sqlite) fn history(connection: &Connection) -> Result<Vec<Event>, Fault> {
    all(
        connection,
        "SELECT event, at, body FROM policies WHERE event IS NOT NULL ORDER BY version DESC",
        [],
        |row| {
            let body: String = row.get(2)?;
            Ok(Event {
                id: EventId::from_uuid(Uuid::from_bytes(row.get(0)?)),
                at: instant(row, 1)?,
                last: None,
                count: 1,
                body: serde_json::from_str(&body)?,
            })
        },
    )
}
