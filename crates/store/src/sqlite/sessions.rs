//! Sessions that RADIUS clients report.
//!
//! Clients repeat reports under new identifiers, and the network reorders them; what is kept is the
//! newest row of a key, open or not, and each report is held against it.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};
use uuid::Uuid;

use crate::sessions::{
    DisconnectOutcome, KeptSessions, OpenSession, SessionFilter, SessionRecord, Standing,
};
use doorward_domain::id::SessionId;
use doorward_domain::login::LoginName;
use doorward_domain::name::{ClientName, ResourceName, Username};
use doorward_domain::session::{
    Ending, Happened, Nas, Octets, Particulars, SessionOwner, SessionReport,
};
use doorward_domain::time::Timestamp;

use super::attempts::{BOUND, FACTS, facts};
use super::demands;
use super::devices::{self, address, device_id, device_key};
use super::events::{count_disconnect, record_change};
use super::fault::Fault;
use super::rows::{
    Key, account_id, account_key, after, all, exists, first, instant, limit, maybe_instant, name,
    run,
};

/// The columns of a session, in the order [`record`] reads them.
const COLUMNS: &str = "s.id, s.client, s.nas, s.session, s.account, a.username, s.resource, \
                       s.started, s.seen, s.ended, s.ending, s.disconnects, s.body, \
                       s.device, d.address";
/// How many of them there are.
const COLUMN_COUNT: usize = 15;
const TABLES: &str = "radius_sessions s LEFT JOIN accounts a ON a.id = s.account \
                      LEFT JOIN devices d ON d.id = s.device";

pub(super) fn session_key(session: SessionId) -> Key {
    session.as_uuid().into_bytes()
}

fn octets(row: &Row<'_>, column: usize) -> Result<Octets, Fault> {
    Ok(Octets::from(row.get::<_, Vec<u8>>(column)?.as_slice()))
}

fn record(row: &Row<'_>) -> Result<SessionRecord, Fault> {
    let ending = row
        .get::<_, Option<String>>(10)?
        .map(|text| {
            Ending::parse(&text).ok_or_else(|| Fault::Damaged(format!("'{text}' is no ending")))
        })
        .transpose()?;
    let body: String = row.get(12)?;
    Ok(SessionRecord {
        id: SessionId::from_uuid(Uuid::from_bytes(row.get(0)?)),
        nas: Nas {
            client: name(row, 1, ClientName::parse)?,
            identity: octets(row, 2)?,
        },
        session: octets(row, 3)?,
        account: row.get::<_, Option<Key>>(4)?.map(account_id),
        username: row
            .get::<_, Option<String>>(5)?
            .map(|text| Username::parse(&text))
            .transpose()?,
        resource: row
            .get::<_, Option<String>>(6)?
            .map(|text| ResourceName::parse(&text))
            .transpose()?,
        device: row.get::<_, Option<Key>>(13)?.map(device_id),
        address: row
            .get::<_, Option<String>>(14)?
            .map(|text| address(&text))
            .transpose()?,
        started: instant(row, 7)?,
        seen: instant(row, 8)?,
        ended: maybe_instant(row, 9)?.zip(ending),
        disconnects: row.get(11)?,
        particulars: serde_json::from_str(&body)?,
    })
}

/// The newest session of a key.
fn newest(connection: &Connection, report: &SessionReport) -> Result<Option<SessionRecord>, Fault> {
    let sql = format!(
        "SELECT {COLUMNS} FROM {TABLES} WHERE s.client = ?1 AND s.nas = ?2 AND s.session = ?3
         ORDER BY s.ended IS NULL DESC, s.id DESC LIMIT 1"
    );
    let nas = &report.nas;
    first(
        connection,
        &sql,
        params![
            nas.client.as_str(),
            nas.identity.as_bytes(),
            report.session.as_bytes()
        ],
        record,
    )
}

/// The account that a login name stands for.
fn account_of(connection: &Connection, login: &LoginName) -> Result<Option<Key>, Fault> {
    for (column, value) in [
        ("username_folded", &login.username),
        ("email_folded", &login.mail),
    ] {
        let Some(value) = value else { continue };
        let sql = format!("SELECT id FROM accounts WHERE {column} = ?1");
        let found = first(connection, &sql, [value], |row| Ok(row.get(0)?))?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Whose a session is, as columns hold it; one of the two at most.
#[derive(Clone, Copy, Default)]
struct Owner {
    account: Option<Key>,
    device: Option<Key>,
}

impl Owner {
    fn of(connection: &Connection, report: &SessionReport) -> Result<Self, Fault> {
        let mut owner = Self::default();
        match &report.owner {
            SessionOwner::Account(account) => owner.account = Some(account_key(*account)),
            SessionOwner::Login(login) => owner.account = account_of(connection, login)?,
            SessionOwner::Device(device) => owner.device = Some(device_key(*device)),
            SessionOwner::Address(address) => {
                let found = devices::find(connection, *address)?;
                owner.device = found.map(|found| device_key(found.device));
            }
            SessionOwner::Unknown => {}
        }
        Ok(owner)
    }
}

/// Records a report.
pub(super) fn record_report(connection: &Connection, report: &SessionReport) -> Result<(), Fault> {
    let owner = Owner::of(connection, report)?;
    let Some(known) = newest(connection, report)? else {
        return insert(connection, report, owner);
    };
    let of_another = known.particulars.user_name != report.particulars.user_name;
    match known.ended {
        None if report.happened == Happened::Began && of_another => {
            end(connection, known.id, report.at, Ending::Replaced)?;
            insert(connection, report, owner)
        }
        None => update(connection, &known, report, owner),
        Some(_) if of_another => insert(connection, report, owner),
        // Given up too early.
        Some((_, Ending::Silent)) if report.happened != Happened::Began => {
            update(connection, &known, report, owner)
        }
        // The client's last word on what was ended without it.
        Some((ended, ending)) if report.happened == Happened::Over && ending != Ending::Stopped => {
            update(connection, &known, report, owner)?;
            end(connection, known.id, ended, ending)
        }
        Some((ended, _)) if is_late(report, &known, ended) => Ok(()),
        Some(_) => insert(connection, report, owner),
    }
}

/// Whether a report tells of what was over already.
fn is_late(report: &SessionReport, known: &SessionRecord, ended: Timestamp) -> bool {
    let seconds = report.particulars.usage.seconds;
    let within = seconds > 0 && seconds <= known.particulars.usage.seconds;
    report.at <= ended || (report.happened != Happened::Began && within)
}

fn ending_of(report: &SessionReport) -> (Option<i64>, Option<&'static str>) {
    match report.happened {
        Happened::Over => (Some(report.at.as_millis()), Some(Ending::Stopped.as_str())),
        Happened::Began | Happened::GoesOn => (None, None),
    }
}

fn insert(connection: &Connection, report: &SessionReport, owner: Owner) -> Result<(), Fault> {
    let lasted = std::time::Duration::from_secs(report.particulars.usage.seconds);
    let (ended, ending) = ending_of(report);
    run(
        connection,
        "INSERT INTO radius_sessions (id, client, nas, session, account, resource, started, seen,
                                      ended, ending, disconnects, disconnect_at, body, device)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, 0, ?11, ?12)",
        params![
            session_key(SessionId::new(report.received)),
            report.nas.client.as_str(),
            report.nas.identity.as_bytes(),
            report.session.as_bytes(),
            owner.account,
            report.resource.as_ref().map(ResourceName::as_str),
            report.at.minus(lasted).as_millis(),
            report.received.as_millis(),
            ended,
            ending,
            serde_json::to_string(&report.particulars)?,
            owner.device,
        ],
    )?;
    Ok(())
}

/// Joins a report to the session it is about; one that is older than what is known adds nothing.
fn update(
    connection: &Connection,
    known: &SessionRecord,
    report: &SessionReport,
    owner: Owner,
) -> Result<(), Fault> {
    let old = &known.particulars;
    let mut new = report.particulars.clone();
    let over = report.happened == Happened::Over;
    if !over && new.usage.seconds < old.usage.seconds {
        new.usage = old.usage;
    }
    let Particulars {
        nas_address,
        nas_identifier,
        nas_port,
        calling_station,
        called_station,
        address,
        ..
    } = &mut new;
    nas_address.get_or_insert_from(old.nas_address.as_ref());
    nas_identifier.get_or_insert_from(old.nas_identifier.as_ref());
    nas_port.get_or_insert_from(old.nas_port.as_ref());
    calling_station.get_or_insert_from(old.calling_station.as_ref());
    called_station.get_or_insert_from(old.called_station.as_ref());
    address.get_or_insert_from(old.address.as_ref());
    let (ended, ending) = ending_of(report);
    run(
        connection,
        // Whoever is told last holds it: one port may serve a device, and then a user.
        "UPDATE radius_sessions SET account = iif(?8 IS NULL, coalesce(?2, account), NULL),
             resource = coalesce(?3, resource), seen = max(seen, ?4), ended = ?5, ending = ?6,
             body = ?7, device = iif(?2 IS NULL, coalesce(?8, device), NULL)
         WHERE id = ?1",
        params![
            session_key(known.id),
            owner.account,
            report.resource.as_ref().map(ResourceName::as_str),
            report.received.as_millis(),
            ended,
            ending,
            serde_json::to_string(&new)?,
            owner.device,
        ],
    )?;
    Ok(())
}

/// Fills a gap with what was known.
trait Fill<T> {
    fn get_or_insert_from(&mut self, known: Option<&T>);
}

impl<T: Clone> Fill<T> for Option<T> {
    fn get_or_insert_from(&mut self, known: Option<&T>) {
        if self.is_none() {
            *self = known.cloned();
        }
    }
}

fn end(
    connection: &Connection,
    session: SessionId,
    at: Timestamp,
    ending: Ending,
) -> Result<(), Fault> {
    run(
        connection,
        "UPDATE radius_sessions SET ended = ?2, ending = ?3 WHERE id = ?1",
        (session_key(session), at.as_millis(), ending.as_str()),
    )?;
    Ok(())
}

/// Ends sessions of a NAS that restarted.
pub(super) fn end_of_nas(
    connection: &Connection,
    nas: &Nas,
    at: Timestamp,
    most: usize,
) -> Result<usize, Fault> {
    run(
        connection,
        "UPDATE radius_sessions SET ended = ?3, ending = ?4 WHERE id IN
         (SELECT id FROM radius_sessions
          WHERE client = ?1 AND nas = ?2 AND ended IS NULL AND started <= ?3 LIMIT ?5)",
        params![
            nas.client.as_str(),
            nas.identity.as_bytes(),
            at.as_millis(),
            Ending::NasRestarted.as_str(),
            limit(most),
        ],
    )
}

/// Sessions that match.
pub(super) fn list(
    connection: &Connection,
    filter: &SessionFilter,
    from: Option<SessionId>,
    most: usize,
) -> Result<Vec<SessionRecord>, Fault> {
    let mut conditions = vec!["s.id > ?1".to_owned()];
    let mut values: Vec<Value> = vec![after(from.map(session_key)).into()];
    let mut add = |condition: &str, value: &str| {
        values.push(value.to_owned().into());
        conditions.push(condition.replace('#', &format!("?{}", values.len())));
    };
    if let Some(user) = &filter.user {
        add("a.username_folded = #", &user.to_ascii_lowercase());
    }
    if let Some(device) = &filter.device {
        add("d.address = #", &device.to_string());
    }
    if let Some(resource) = &filter.resource {
        add("s.resource = # COLLATE NOCASE", resource);
    }
    if let Some(client) = &filter.client {
        add("s.client = # COLLATE NOCASE", client);
    }
    if !filter.ended {
        conditions.push("s.ended IS NULL".to_owned());
    }
    values.push(limit(most).into());
    let sql = format!(
        "SELECT {COLUMNS} FROM {TABLES} WHERE {} ORDER BY s.id LIMIT ?{}",
        conditions.join(" AND "),
        values.len()
    );
    all(connection, &sql, params_from_iter(values), record)
}

/// Open sessions with what decides whether they may stay.
pub(super) fn open(
    connection: &Connection,
    now: Timestamp,
    from: Option<SessionId>,
    most: usize,
) -> Result<Vec<OpenSession>, Fault> {
    let sql = format!(
        "SELECT {COLUMNS}, d.resources, {FACTS} FROM {TABLES}
         WHERE s.ended IS NULL AND (s.account IS NOT NULL OR s.device IS NOT NULL)
             AND s.resource IS NOT NULL
             AND s.disconnect_at <= ?1 AND s.id > ?2
         ORDER BY s.id LIMIT ?3"
    );
    let found = all(
        connection,
        &sql,
        params![now.as_millis(), after(from.map(session_key)), limit(most)],
        |row| {
            let record = record(row)?;
            let standing = if record.device.is_some() {
                let resources: Option<String> = row.get(COLUMN_COUNT)?;
                let resources = resources.map(|text| serde_json::from_str(&text));
                Standing::Device {
                    resources: resources.transpose()?,
                }
            } else {
                Standing::Account {
                    facts: match record.username {
                        Some(_) => Some(facts(row, COLUMN_COUNT + 1)?),
                        None => None,
                    },
                    bound: false,
                }
            };
            Ok(OpenSession { record, standing })
        },
    )?;
    found
        .into_iter()
        .map(|mut open| {
            let record = &open.record;
            if let (Standing::Account { bound, .. }, Some(account), Some(resource)) =
                (&mut open.standing, record.account, &record.resource)
            {
                *bound = exists(connection, BOUND, (account_key(account), resource.folded()))?;
            }
            Ok(open)
        })
        .collect()
}

/// The session of this key, while it is open.
pub(super) fn open_one(
    connection: &Connection,
    session: Key,
) -> Result<Option<SessionRecord>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM {TABLES} WHERE s.id = ?1 AND s.ended IS NULL");
    first(connection, &sql, [session], record)
}

/// Takes a session's end upon the caller.
pub(super) fn claim(
    connection: &Connection,
    session: SessionId,
    now: Timestamp,
    again: Timestamp,
) -> Result<bool, Fault> {
    let claimed = run(
        connection,
        "UPDATE radius_sessions SET disconnects = disconnects + 1, disconnect_at = ?3
         WHERE id = ?1 AND ended IS NULL AND disconnect_at <= ?2",
        (session_key(session), now.as_millis(), again.as_millis()),
    )?;
    Ok(claimed > 0)
}

/// Records what became of it.
pub(super) fn settle(connection: &Connection, outcome: &DisconnectOutcome) -> Result<(), Fault> {
    if outcome.over {
        // Its Stop may have come first.
        run(
            connection,
            "UPDATE radius_sessions SET ended = ?2, ending = ?3 WHERE id = ?1 AND ended IS NULL",
            (
                session_key(outcome.session),
                outcome.at.as_millis(),
                Ending::Disconnected.as_str(),
            ),
        )?;
    }
    match outcome.answers {
        Some(request) => {
            demands::settle(connection, request, outcome.answered)?;
            record_change(connection, outcome.at, &outcome.event)?;
        }
        None => {
            count_disconnect(connection, outcome)?;
        }
    }
    Ok(())
}

/// Ends sessions that nothing was heard of, when that was.
pub(super) fn end_silent(
    connection: &Connection,
    before: Timestamp,
    most: usize,
) -> Result<usize, Fault> {
    run(
        connection,
        "UPDATE radius_sessions SET ended = seen, ending = ?3 WHERE id IN
         (SELECT id FROM radius_sessions WHERE ended IS NULL AND seen < ?1 ORDER BY seen LIMIT ?2)",
        (before.as_millis(), limit(most), Ending::Silent.as_str()),
    )
}

/// How many sessions are kept.
pub(super) fn kept(connection: &Connection) -> Result<KeptSessions, Fault> {
    let counts = all(
        connection,
        "SELECT client, count(*) - count(ended), count(ended)
         FROM radius_sessions INDEXED BY radius_sessions_client GROUP BY client",
        [],
        |row| {
            let count =
                |column| Ok::<_, Fault>(usize::try_from(row.get::<_, i64>(column)?).unwrap_or(0));
            Ok((name(row, 0, ClientName::parse)?, count(1)?, count(2)?))
        },
    )?;
    let mut kept = KeptSessions::default();
    for (client, open, ended) in counts {
        if open > 0 {
            kept.open.push((client.clone(), open));
        }
        if ended > 0 {
            kept.ended.push((client, ended));
        }
    }
    Ok(kept)
}

/// Ends the sessions of a client that were not heard of for longest, when that was.
pub(super) fn end_oldest(
    connection: &Connection,
    client: &ClientName,
    most: usize,
) -> Result<usize, Fault> {
    run(
        connection,
        "UPDATE radius_sessions SET ended = seen, ending = ?3 WHERE id IN
         (SELECT id FROM radius_sessions INDEXED BY radius_sessions_client
          WHERE client = ?1 AND ended IS NULL ORDER BY seen LIMIT ?2)",
        (client.as_str(), limit(most), Ending::Silent.as_str()),
    )
}

/// Removes the sessions of a client that were over first.
pub(super) fn forget_oldest(
    connection: &Connection,
    client: &ClientName,
    most: usize,
) -> Result<usize, Fault> {
    run(
        connection,
        "DELETE FROM radius_sessions WHERE id IN
         (SELECT id FROM radius_sessions INDEXED BY radius_sessions_client
          WHERE client = ?1 AND ended IS NOT NULL ORDER BY ended LIMIT ?2)",
        (client.as_str(), limit(most)),
    )
}

/// Removes sessions that were over long ago.
pub(super) fn forget(
    connection: &Connection,
    before: Timestamp,
    most: usize,
) -> Result<usize, Fault> {
    run(
        connection,
        "DELETE FROM radius_sessions WHERE id IN
         (SELECT id FROM radius_sessions WHERE ended IS NOT NULL AND ended < ?1
          ORDER BY ended LIMIT ?2)",
        (before.as_millis(), limit(most)),
    )
}
