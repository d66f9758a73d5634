//! Places and settlements (CONTRACT.md 3): counted and compared here, decided by the instants and
//! numbers handed in.

use std::time::Duration;

use rusqlite::{Connection, named_params, params};
use serde_json::json;

use crate::attempts::{Confirmation, PlaceAnswer, SettleAnswer, Settled, Settlement, TakePlace};
use crate::changes;
use crate::records::{MailKind, NewMail};
use doorward_domain::event::{Actor, AttemptEvent, ChangeEvent};
use doorward_domain::id::{AccountId, Epoch, FailureId, PlaceId};
use doorward_domain::name::Username;
use doorward_domain::refusal::Refusal;
use doorward_domain::rules::PlaceLimits;
use doorward_domain::time::Timestamp;

use super::events;
use super::fault::Fault;
use super::known_origins;
use super::outbox::queue_mail;
use super::rows::{
    account_key, all, epoch, exists, first, instant, maybe_instant, name, number, run,
    touch_directory,
};

/// A place that lapsed is kept this long, so that a settlement that comes late still counts.
const KEPT_AFTER_LAPSE: Duration = Duration::from_hours(1);

/// Failures are kept this long past the last count that looks at them, so that a clock that jumps
/// ahead and comes back has forgotten none.
const KEPT_AFTER_USE: Duration = Duration::from_hours(7 * 24);

/// How an account stands, as far as places are concerned.
struct Standing {
    username: Username,
    epoch: Epoch,
    locked_since: Option<Timestamp>,
}

fn standing(connection: &Connection, account: AccountId) -> Result<Option<Standing>, Fault> {
    first(
        connection,
        "SELECT username, epoch, locked_since FROM accounts WHERE id = ?1",
        [account_key(account)],
        |row| {
            Ok(Standing {
                username: name(row, 0, Username::parse)?,
                epoch: epoch(row, 1)?,
                locked_since: maybe_instant(row, 2)?,
            })
        },
    )
}

/// What has been charged to an account.
struct Charged {
    /// Failures that count toward the lock and are known to be guesses.
    confirmed: i64,
    /// Those and the ones still to be confirmed.
    counted: i64,
    /// Failures in the day, at resources that count, that are known to be guesses.
    day_confirmed: i64,
    /// Those and the ones still to be confirmed.
    day_counting: i64,
    /// Failures of every kind in the day.
    day: i64,
}

fn charged(
    connection: &Connection,
    account: AccountId,
    limits: &PlaceLimits,
) -> Result<Charged, Fault> {
    // A failure that nobody confirmed in time counts as confirmed.
    first(
        connection,
        "WITH seen AS (
             SELECT at, counting AND NOT cleared AND at >= :window AS counts,
                    at >= :day AS today, counting AND at >= :day AS counted_today,
                    (NOT provisional OR at < :lapsed) AS confirmed
             FROM failures WHERE account = :account AND at >= :oldest
         )
         SELECT coalesce(sum(counts AND confirmed), 0), coalesce(sum(counts), 0),
                coalesce(sum(counted_today AND confirmed), 0),
                coalesce(sum(counted_today), 0), coalesce(sum(today), 0)
         FROM seen",
        named_params! {
            ":window": limits.window_start.as_millis(),
            ":day": limits.day_start.as_millis(),
            ":lapsed": limits.lapsed_before.as_millis(),
            ":oldest": oldest(limits).as_millis(),
            ":account": account_key(account),
        },
        |row| {
            Ok(Charged {
                confirmed: row.get(0)?,
                counted: row.get(1)?,
                day_confirmed: row.get(2)?,
                day_counting: row.get(3)?,
                day: row.get(4)?,
            })
        },
    )?
    .ok_or_else(|| Fault::Damaged("a count gave nothing back".to_owned()))
}

/// The earliest instant a count looks back to.
fn oldest(limits: &PlaceLimits) -> Timestamp {
    limits.window_start.min(limits.day_start)
}

impl Charged {
    /// Whether known guesses alone are enough to lock.
    fn locks(&self, limits: &PlaceLimits) -> bool {
        limits.counting
            && (self.confirmed >= i64::from(limits.threshold)
                || self.day_confirmed >= i64::from(limits.daily_cap))
    }
}

/// What is charged to an account, for whoever explains it; charges nothing.
pub(super) fn look(
    connection: &Connection,
    account: AccountId,
    limits: &PlaceLimits,
) -> Result<changes::Charged, Fault> {
    let charged = charged(connection, account, limits)?;
    let count = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    let key = account_key(account);
    let lapsed = limits.lapsed_before.as_millis();
    let open = first(
        connection,
        "SELECT count(*), coalesce(sum(counting), 0) FROM places WHERE account = ?1 AND at >= ?2",
        (key, lapsed),
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)),
    )?;
    let (open, open_counting) = open.unwrap_or_default();
    let newest = first(
        connection,
        "SELECT max(at) FROM (SELECT at FROM failures WHERE account = ?1
                              UNION ALL SELECT at FROM places WHERE account = ?1)",
        [key],
        |row| maybe_instant(row, 0),
    )?;
    Ok(changes::Charged {
        failures: count(charged.counted),
        failures_today: count(charged.day),
        counting_today: count(charged.day_counting),
        open_counting: count(open_counting),
        open: count(open),
        newest: newest.flatten(),
    })
}

/// When the failures that [`charged`] counts toward the lock were charged, oldest first.
pub(super) fn failure_times(
    connection: &Connection,
    account: AccountId,
    limits: &PlaceLimits,
) -> Result<Vec<Timestamp>, Fault> {
    all(
        connection,
        "SELECT at FROM failures
         WHERE account = ?1 AND counting AND NOT cleared AND at >= ?2 ORDER BY at",
        (account_key(account), limits.window_start.as_millis()),
        |row| instant(row, 0),
    )
}

/// Charges an attempt ([`TakePlace`]).
pub(super) fn take(connection: &Connection, take: &TakePlace) -> Result<PlaceAnswer, Fault> {
    let limits = &take.limits;
    let Some(standing) = standing(connection, take.account)? else {
        return Ok(PlaceAnswer::Moved);
    };
    if standing.epoch != take.epoch {
        return Ok(PlaceAnswer::Moved);
    }
    forget_old(connection, take.account, limits)?;
    let charged = charged(connection, take.account, limits)?;
    if charged.locks(limits) {
        let mail = NewMail {
            account: take.account,
            kind: MailKind::Locked,
            details: json!({}),
        };
        lock(connection, take.account, &standing, take.at, Some(&mail))?;
        return Ok(PlaceAnswer::Moved);
    }
    let key = account_key(take.account);
    let lapsed = limits.lapsed_before.as_millis();
    let cap = i64::from(limits.daily_cap);
    if limits.counting {
        let open_counting = number(
            connection,
            "SELECT count(*) FROM places WHERE account = ?1 AND at >= ?2 AND counting",
            (key, lapsed),
        )?;
        if charged.day_counting + open_counting >= cap
            || charged.counted + open_counting >= i64::from(limits.threshold)
        {
            return Ok(PlaceAnswer::Full);
        }
    } else if let Some(slow_since) = limits.slow_since {
        let open = number(
            connection,
            "SELECT count(*) FROM places WHERE account = ?1 AND at >= ?2",
            (key, lapsed),
        )?;
        let guessed_lately = || {
            exists(
                connection,
                "SELECT 1 FROM failures WHERE account = ?1 AND at > ?2
             UNION ALL SELECT 1 FROM places WHERE account = ?1 AND at > ?2",
                (key, slow_since.as_millis()),
            )
        };
        if charged.day + open >= cap && guessed_lately()? {
            return Ok(PlaceAnswer::Slowed);
        }
    }
    let place = PlaceId::new(take.at);
    run(
        connection,
        "INSERT INTO places (id, account, at, origin, counting) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            place.as_uuid().into_bytes(),
            key,
            take.at.as_millis(),
            take.origin.as_str(),
            limits.counting
        ],
    )?;
    Ok(PlaceAnswer::Taken(place))
}

/// Forgets what no count looks at any more.
fn forget_old(
    connection: &Connection,
    account: AccountId,
    limits: &PlaceLimits,
) -> Result<(), Fault> {
    let key = account_key(account);
    run(
        connection,
        "DELETE FROM failures WHERE account = ?1 AND at < ?2",
        (key, oldest(limits).minus(KEPT_AFTER_USE).as_millis()),
    )?;
    run(
        connection,
        "DELETE FROM places WHERE account = ?1 AND at < ?2",
        (
            key,
            limits.lapsed_before.minus(KEPT_AFTER_LAPSE).as_millis(),
        ),
    )?;
    Ok(())
}

/// Gives a place back.
pub(super) fn give_back(connection: &Connection, place: PlaceId) -> Result<(), Fault> {
    run(
        connection,
        "DELETE FROM places WHERE id = ?1",
        [place.as_uuid().into_bytes()],
    )?;
    Ok(())
}

/// Ends a place; tells when it was taken, unless an unlock or reset voided it.
fn end_place(
    connection: &Connection,
    account: AccountId,
    place: Option<PlaceId>,
) -> Result<Option<Timestamp>, Fault> {
    let Some(place) = place else { return Ok(None) };
    first(
        connection,
        "DELETE FROM places WHERE id = ?1 AND account = ?2 RETURNING at",
        (place.as_uuid().into_bytes(), account_key(account)),
        |row| instant(row, 0),
    )
}

/// Settles an attempt ([`Settlement`]).
pub(super) fn settle(
    connection: &Connection,
    settlement: &Settlement,
) -> Result<SettleAnswer, Fault> {
    let account = settlement.account;
    let standing = standing(connection, account)?;
    let taken_at = end_place(connection, account, settlement.place)?;
    let mut failure = None;
    let mut locked = false;
    match &settlement.settled {
        Settled::Admitted { origin, clears } => {
            if standing.map(|standing| standing.epoch) != Some(settlement.epoch) {
                return Ok(SettleAnswer::Moved);
            }
            known_origins::remember(connection, account, origin, settlement.at)?;
            if *clears {
                run(
                    connection,
                    "UPDATE failures SET cleared = 1 WHERE account = ?1 AND origin = ?2",
                    (account_key(account), origin.as_str()),
                )?;
            }
            let event = record_attempt(connection, settlement.at, &settlement.event)?;
            return Ok(SettleAnswer::Done {
                failure,
                locked,
                event,
            });
        }
        Settled::GivenBack => {}
        Settled::Wrong {
            origin,
            counting,
            provisional,
        } => {
            if let (Some(standing), Some(taken_at)) = (&standing, taken_at) {
                // The lock was reached while this attempt was under way: it counts for the day
                // and starts no new series.
                let since_locked = standing.epoch != settlement.epoch
                    && standing
                        .locked_since
                        .is_some_and(|locked| locked >= taken_at);
                let id = FailureId::new(settlement.at);
                run(
                    connection,
                    "INSERT INTO failures
                     (id, account, at, origin, counting, cleared, provisional)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    params![
                        id.as_uuid().into_bytes(),
                        account_key(account),
                        settlement.at.as_millis(),
                        origin.as_str(),
                        counting,
                        since_locked,
                        provisional
                    ],
                )?;
                failure = Some(id);
                locked = !since_locked
                    && *counting
                    && charged(connection, account, &settlement.limits)?.locks(&settlement.limits);
            }
        }
    }
    let event = record_attempt(connection, settlement.at, &settlement.event)?;
    if let (true, Some(standing)) = (locked, &standing) {
        lock(
            connection,
            account,
            standing,
            settlement.at,
            settlement.mail_if_locked.as_ref(),
        )?;
    }
    Ok(SettleAnswer::Done {
        failure,
        locked,
        event,
    })
}

/// Says what a provisional failure was ([`Confirmation`]).
pub(super) fn confirm(
    connection: &Connection,
    confirmation: &Confirmation,
) -> Result<SettleAnswer, Fault> {
    let account = confirmation.account;
    let failure = (
        confirmation.failure.as_uuid().into_bytes(),
        account_key(account),
    );
    let standing = standing(connection, account)?;
    let mut locked = false;
    let counted = if confirmation.stale {
        run(
            connection,
            "DELETE FROM failures WHERE id = ?1 AND account = ?2",
            failure,
        )?;
        events::change_reason(connection, confirmation.event, Refusal::StalePassword)?;
        if let Some(mail) = &confirmation.mail {
            tell_stale(connection, confirmation, mail)?;
        }
        false
    } else {
        let counted = run(
            connection,
            "UPDATE failures SET provisional = 0 WHERE id = ?1 AND account = ?2 AND provisional",
            failure,
        )? > 0;
        if let (true, Some(standing)) = (counted, &standing) {
            // A failure cleared since, by a success of its origin or by the lock, locks nothing.
            let live = exists(
                connection,
                "SELECT 1 FROM failures WHERE id = ?1 AND account = ?2 AND NOT cleared AND counting",
                failure,
            )?;
            locked = live
                && charged(connection, account, &confirmation.limits)?.locks(&confirmation.limits);
            if locked {
                lock(
                    connection,
                    account,
                    standing,
                    confirmation.at,
                    confirmation.mail.as_ref(),
                )?;
            }
        }
        counted
    };
    Ok(SettleAnswer::Done {
        failure: counted.then_some(confirmation.failure),
        locked,
        event: confirmation.event,
    })
}

/// Queues mail about a stale password, at most once a day and account.
fn tell_stale(
    connection: &Connection,
    confirmation: &Confirmation,
    mail: &NewMail,
) -> Result<(), Fault> {
    let told = run(
        connection,
        "UPDATE accounts SET stale_told = ?2
         WHERE id = ?1 AND (stale_told IS NULL OR stale_told < ?3)",
        (
            account_key(confirmation.account),
            confirmation.at.as_millis(),
            confirmation.limits.day_start.as_millis(),
        ),
    )?;
    if told > 0 {
        queue_mail(connection, confirmation.at, mail)?;
    }
    Ok(())
}

/// Locks an account: the fact, the epoch, the event, the mail; the failures that did it are spent.
fn lock(
    connection: &Connection,
    account: AccountId,
    standing: &Standing,
    at: Timestamp,
    mail: Option<&NewMail>,
) -> Result<(), Fault> {
    let key = account_key(account);
    run(
        connection,
        "UPDATE accounts SET locked_since = ?2, epoch = epoch + 1, modified = ?2 WHERE id = ?1",
        (key, at.as_millis()),
    )?;
    run(
        connection,
        "UPDATE failures SET cleared = 1 WHERE account = ?1",
        [key],
    )?;
    events::record_change(
        connection,
        at,
        &ChangeEvent {
            actor: Actor::Gateway,
            action: "user.lock".to_owned(),
            target: standing.username.to_string(),
            account: Some(account),
            resource: None,
            before: json!({ "locked_since": standing.locked_since.map(Timestamp::rfc3339) }),
            after: json!({ "locked_since": at.rfc3339() }),
        },
    )?;
    if let Some(mail) = mail {
        queue_mail(connection, at, mail)?;
    }
    touch_directory(connection)
}

/// Records a decision.
pub(super) fn record_attempt(
    connection: &Connection,
    at: Timestamp,
    event: &AttemptEvent,
) -> Result<doorward_domain::id::EventId, Fault> {
    events::record_attempt(connection, at, event)
}
