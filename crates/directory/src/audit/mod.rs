//! The audit log's upkeep: events past their retention go, and so do those that do not fit into
//! the bytes the log may take (CONTRACT.md 9).
//!
//! Events are written by the store in the transaction of what they tell of, so nothing here can
//! lose one that was promised. It knows no clock and no timer: `runtime` calls [`forget_old`] and
//! [`keep_within`].

use std::time::Duration;

use doorward_domain::time::Now;
use doorward_store::{Store, Unavailable};

/// How many events go in one transaction, so that logins never wait long for the writer.
const BATCH: usize = 2_000;
/// How many transactions one call makes at most; the rest waits for the next call.
const BATCHES: usize = 50;
/// From how many hundredths on the log is nearly full.
const NEARLY_FULL: u64 = 80;

/// Removes events older than `retention` and says how many went. Nothing goes while the clock is
/// suspect.
///
/// # Errors
/// The store cannot answer; what went before stays gone.
pub async fn forget_old(
    store: &Store,
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

/// How full the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// What it takes, in bytes.
    pub bytes: u64,
    /// What it may take, in bytes.
    pub most: u64,
}

impl Fill {
    /// In whole hundredths.
    pub const fn percent(self) -> u64 {
        let most = if self.most == 0 { 1 } else { self.most };
        self.bytes.saturating_mul(100) / most
    }

    /// Whether somebody should make room, or give it more, before events go that are not old.
    pub const fn is_nearly_full(self) -> bool {
        self.percent() >= NEARLY_FULL
    }
}

/// How full the log is; `most` is what it may take, in bytes.
///
/// # Errors
/// The store cannot answer.
pub async fn fill(store: &Store, most: u64) -> Result<Fill, Unavailable> {
    let bytes = store.events_bytes().await?;
    Ok(Fill { bytes, most })
}

/// Removes events until the log takes `most` bytes, merged successes first, and says how many went.
/// Where that would hold up logins for long the rest waits for the next call.
///
/// # Errors
/// The store cannot answer; what went before stays gone.
pub async fn keep_within(store: &Store, most: u64) -> Result<usize, Unavailable> {
    let mut gone = 0;
    for _ in 0..BATCHES {
        let went = store.shed_events(most, BATCH).await?;
        gone += went;
        if went < BATCH {
            break;
        }
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_nearly_full_at_four_fifths() {
        let fill = |bytes| Fill { bytes, most: 1000 };
        assert_eq!(fill(799).percent(), 79);
        assert!(!fill(799).is_nearly_full());
        assert!(fill(800).is_nearly_full());
        assert_eq!(Fill { bytes: 5, most: 0 }.percent(), 500);
    }
}
