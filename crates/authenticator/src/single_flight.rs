//! Identical passwords in flight are one: one place, one hash (CONTRACT.md 3.3).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use doorward_domain::name::ResourceName;
use doorward_domain::origin::OriginKey;

use super::memory::{Digest, Known};
use doorward_frontend_api::verdict::Undecided;

/// Whose bucket was empty: that of an origin, at a resource, known there or not.
pub(super) type Bucket = (OriginKey, Option<ResourceName>, bool);

/// How a comparison ended, for everybody who waits for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FlightResult {
    /// The password is right.
    Right,
    /// It is settled, and remembered as this.
    Remembered(Known),
    /// The account is not as it was read: decide anew.
    Moved,
    /// It was throttled, and nothing compared.
    Throttled(Bucket),
    /// There was no verdict: no place, no room in the queue, or a broken store.
    Undecided(Undecided),
    /// There was no verdict either, but one of several hashes was compared, and so a guess made.
    Spent(Undecided),
}

impl FlightResult {
    /// Whether the price is spent: there was a verdict, and it was no, or as good as one.
    pub(super) const fn is_settled(&self) -> bool {
        match self {
            Self::Remembered(_) | Self::Throttled(_) | Self::Spent(_) => true,
            Self::Right | Self::Moved | Self::Undecided(_) => false,
        }
    }
}

/// Comparisons under way.
#[derive(Default)]
pub(super) struct SingleFlight {
    under_way: Arc<Mutex<HashMap<FlightKey, watch::Receiver<Option<FlightResult>>>>>,
}

/// What makes two attempts the same guess: account, epoch and password (all in the digest), and how
/// it is weighed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct FlightKey {
    pub(super) digest: Digest,
    /// Whether it counts, since only a counting guess holds a counting place. One at a service account
    /// counts where the account is looked at: what is not looked at is never let in by what is.
    pub(super) counting: bool,
}

/// Whether somebody compares this password already.
pub(super) enum Joined {
    /// Nobody did: whoever gets this compares, and tells the others.
    Leader(Leader),
    /// Somebody does: await the result.
    Follower(Follower),
}

/// The duty to compare. Dropped without a result, the others learn that there is no verdict.
pub(super) struct Leader {
    key: FlightKey,
    result: watch::Sender<Option<FlightResult>>,
    under_way: Arc<Mutex<HashMap<FlightKey, watch::Receiver<Option<FlightResult>>>>>,
}

/// A wait for somebody else's comparison.
pub(super) struct Follower(watch::Receiver<Option<FlightResult>>);

impl SingleFlight {
    /// Joins the comparison of a password; the first to join leads it.
    pub(super) fn join(&self, key: FlightKey) -> Joined {
        let mut under_way = self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match under_way.entry(key) {
            Entry::Occupied(entry) => Joined::Follower(Follower(entry.get().clone())),
            Entry::Vacant(entry) => {
                let (result, receiver) = watch::channel(None);
                entry.insert(receiver);
                Joined::Leader(Leader {
                    key,
                    result,
                    under_way: Arc::clone(&self.under_way),
                })
            }
        }
    }
}

impl Leader {
    /// Tells the followers how it ended.
    pub(super) fn complete(self, result: FlightResult) {
        // Nobody may be waiting.
        let _ = self.result.send(Some(result));
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.key);
    }
}

impl Follower {
    /// Waits for the result.
    pub(super) async fn result(mut self) -> FlightResult {
        match self.0.wait_for(Option::is_some).await {
            Ok(result) => result
                .clone()
                .unwrap_or(FlightResult::Undecided(Undecided::Busy)),
            Err(_) => FlightResult::Undecided(Undecided::Busy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Holder, Memory};
    use doorward_domain::id::Epoch;
    use doorward_domain::secret::Password;

    fn key() -> FlightKey {
        let password = Password::presented(b"x").unwrap();
        let memory = Memory::new().unwrap();
        FlightKey {
            digest: memory.digest(Holder::Account(uuid::Uuid::nil(), Epoch(1)), &password),
            counting: true,
        }
    }

    #[tokio::test]
    async fn followers_learn_how_the_leader_completed() {
        let flights = SingleFlight::default();
        let key = key();
        let Joined::Leader(lead) = flights.join(key) else {
            panic!("the first leads")
        };
        let Joined::Follower(follow) = flights.join(key) else {
            panic!("the second follows")
        };
        lead.complete(FlightResult::Remembered(Known::Wrong));
        assert_eq!(
            follow.result().await,
            FlightResult::Remembered(Known::Wrong)
        );
        assert!(matches!(flights.join(key), Joined::Leader(_)));
    }

    #[tokio::test]
    async fn a_leader_that_vanishes_leaves_no_verdict_and_no_trace() {
        let flights = SingleFlight::default();
        let key = key();
        let Joined::Leader(lead) = flights.join(key) else {
            panic!("the first leads")
        };
        let Joined::Follower(follow) = flights.join(key) else {
            panic!("the second follows")
        };
        drop(lead);
        assert_eq!(
            follow.result().await,
            FlightResult::Undecided(Undecided::Busy)
        );
        assert!(matches!(flights.join(key), Joined::Leader(_)));
    }
}
