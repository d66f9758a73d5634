//! The audit log's upkeep: events past their retention go (CONTRACT.md 9).
//!
//! Events are written by the store in the transaction of what they tell of, so nothing here can
//! lose one that was promised. It knows no clock and no timer: `runtime` calls [`forget_old`].

use std::time::Duration;

use crate::domain::time::Now;
use crate::store::Unavailable;
use crate::store::events::EventStore;

/// How many events go in one transaction, so that logins never wait long for the writer.
const BATCH: usize = 2_000;
/// How many transactions one call makes at most; the rest waits for the next call.
const BATCHES: usize = 50;

/// Removes events older than `retention` and says how many went. Nothing goes while the clock is
/// suspect.
///
/// # Errors
/// The store cannot answer; what went before stays gone.
pub async fn forget_old<S: EventStore>(
    store: &S,
    retention: Duration,
    now: Now,
) -> Result<usize, Unavailable> {
    if now.clock_suspect {
        return Ok(0);
    }
    let before = now.wall.minus(retention);
    let mut gone = 0;
    for _ in 0..BATCHES {
        let went = store.forget_events(before, BATCH).await?;
        gone += went;
        if went < BATCH {
            break;
        }
    }
    Ok(gone)
}
