//! Connections whose other end is not known yet: behind a proxy that has not said for whom it
//! connects, or on a Unix socket before the system has named the peer.
//!
//! The gate counts by source and so cannot count these; they have a room of their own. Where it is
//! full the one that has waited longest gives way, so that who never says who it is shuts nobody
//! out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::gate::MAX_LEAVING;

/// How many connections of a listener may be waited for until it is known who they are, beside
/// those that its [`Gate`](super::Gate) lets in.
pub const MAX_OUTSIDE: usize = 512;

/// Those that wait.
#[derive(Default)]
pub(super) struct Outside(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    next: u64,
    turns: BTreeMap<u64, CancellationToken>,
    leaving: usize,
}

impl Outside {
    /// A turn to wait, at the price of the oldest where there is no room; none while too many of
    /// those that gave way are not gone yet.
    pub(super) fn wait(self: &Arc<Self>) -> Option<Turn> {
        let mut waiting = self.waiting();
        if waiting.turns.len() >= MAX_OUTSIDE {
            if waiting.leaving >= MAX_LEAVING {
                return None;
            }
            let (_, oldest) = waiting.turns.pop_first()?;
            oldest.cancel();
            waiting.leaving += 1;
        }
        let number = waiting.next;
        waiting.next += 1;
        let lost = CancellationToken::new();
        waiting.turns.insert(number, lost.clone());
        Some(Turn {
            outside: Arc::clone(self),
            number,
            lost,
        })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A turn to wait; given back when dropped.
pub(super) struct Turn {
    outside: Arc<Outside>,
    number: u64,
    lost: CancellationToken,
}

impl Turn {
    /// Waits until the turn is another's.
    pub(super) async fn lost(&self) {
        self.lost.cancelled().await;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut waiting = self.outside.waiting();
        if waiting.turns.remove(&self.number).is_none() {
            waiting.leaving = waiting.leaving.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_longest_gives_way_and_the_bound_holds() {
        let outside = Arc::<Outside>::default();
        let mut turns: Vec<Turn> = (0..MAX_OUTSIDE).map(|_| outside.wait().unwrap()).collect();
        assert!(turns.iter().all(|turn| !turn.lost.is_cancelled()));
        for number in 0..MAX_LEAVING {
            turns.push(outside.wait().unwrap());
            assert!(turns[number].lost.is_cancelled() && !turns[number + 1].lost.is_cancelled());
        }
        assert!(outside.wait().is_none(), "none of them is gone yet");
        drop(turns.remove(0));
        assert!(outside.wait().is_some());
        drop(turns);
        let waiting = outside.waiting();
        assert_eq!((waiting.turns.len(), waiting.leaving), (0, 0));
    }
}
