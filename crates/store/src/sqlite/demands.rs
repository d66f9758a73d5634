//! What administrators ask of the clients of open sessions, from asking to its outcome.

use rusqlite::{Connection, params};
use uuid::Uuid;

use crate::sessions::{DemandState, NewDemand, WaitingDemand};
use doorward_domain::id::RequestId;
use doorward_domain::session::{Answered, Demand};
use doorward_domain::time::Timestamp;

use super::fault::Fault;
use super::rows::{Key, all, exists, first, limit, run};
use super::sessions::{self, session_key};

/// How long a request that is over is kept for whoever waits for its outcome.
const KEPT: std::time::Duration = std::time::Duration::from_hours(1);

fn request_key(request: RequestId) -> Key {
    request.as_uuid().into_bytes()
}

/// Asks; false where the session is not open.
pub(super) fn ask(connection: &Connection, new: &NewDemand) -> Result<bool, Fault> {
    let forgotten = new.at.minus(KEPT).as_millis();
    run(
        connection,
        "DELETE FROM session_requests WHERE lapses < ?1",
        [forgotten],
    )?;
    let open = exists(
        connection,
        "SELECT 1 FROM radius_sessions WHERE id = ?1 AND ended IS NULL",
        [session_key(new.session)],
    )?;
    if open {
        run(
            connection,
            "INSERT INTO session_requests (id, session, demand, actor, asked, lapses)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                request_key(new.request),
                session_key(new.session),
                new.demand.as_str(),
                serde_json::to_string(&new.actor)?,
                new.at.as_millis(),
                new.lapses.as_millis(),
            ],
        )?;
    }
    Ok(open)
}

/// Requests about open sessions that nobody took up.
pub(super) fn waiting(
    connection: &Connection,
    now: Timestamp,
    most: usize,
) -> Result<Vec<WaitingDemand>, Fault> {
    let found = all(
        connection,
        "SELECT id, session, demand, actor FROM session_requests
         WHERE taken IS NULL AND lapses > ?1 ORDER BY id LIMIT ?2",
        (now.as_millis(), limit(most)),
        |row| {
            let actor: String = row.get(3)?;
            Ok((
                RequestId::from_uuid(Uuid::from_bytes(row.get(0)?)),
                row.get::<_, Key>(1)?,
                demand(&row.get::<_, String>(2)?)?,
                serde_json::from_str(&actor)?,
            ))
        },
    )?;
    let mut demands = Vec::with_capacity(found.len());
    for (request, session, demand, actor) in found {
        if let Some(session) = sessions::open_one(connection, session)? {
            demands.push(WaitingDemand {
                request,
                demand,
                actor,
                session,
            });
        }
    }
    Ok(demands)
}

/// Takes a request up for the caller alone.
pub(super) fn take(
    connection: &Connection,
    request: RequestId,
    now: Timestamp,
) -> Result<bool, Fault> {
    let taken = run(
        connection,
        "UPDATE session_requests SET taken = ?2 WHERE id = ?1 AND taken IS NULL AND lapses > ?2",
        (request_key(request), now.as_millis()),
    )?;
    Ok(taken > 0)
}

/// Writes down what the client said.
pub(super) fn settle(
    connection: &Connection,
    request: RequestId,
    answered: Answered,
) -> Result<(), Fault> {
    run(
        connection,
        "UPDATE session_requests SET outcome = ?2, error_cause = ?3 WHERE id = ?1",
        (
            request_key(request),
            answered.as_str(),
            answered.error_cause(),
        ),
    )?;
    Ok(())
}

/// How a request stands; none where there is none.
pub(super) fn state(
    connection: &Connection,
    request: RequestId,
) -> Result<Option<DemandState>, Fault> {
    first(
        connection,
        "SELECT taken IS NOT NULL, outcome, error_cause FROM session_requests WHERE id = ?1",
        [request_key(request)],
        |row| {
            let outcome: Option<String> = row.get(1)?;
            let cause = row.get(2)?;
            let taken: bool = row.get(0)?;
            Ok(match outcome {
                Some(text) => DemandState::Answered(
                    Answered::read(&text, cause)
                        .ok_or_else(|| Fault::Damaged(format!("'{text}' is no outcome")))?,
                ),
                None if taken => DemandState::Taken,
                None => DemandState::Waiting,
            })
        },
    )
}

fn demand(text: &str) -> Result<Demand, Fault> {
    Demand::parse(text).ok_or_else(|| Fault::Damaged(format!("'{text}' is asked of no session")))
}
