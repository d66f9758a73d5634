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
pub(super) enum Landing {
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

impl Landing {
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
pub(super) struct Flights {
    under_way: Arc<Mutex<HashMap<FlightKey, watch::Receiver<Option<Landing>>>>>,
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
pub(super) enum Boarding {
    /// Nobody did: whoever gets this compares, and tells the others.
    Lead(Lead),
    /// Somebody does: await the landing.
    Follow(Follow),
}

/// The duty to compare. Dropped without a landing, the others learn that there is no verdict.
pub(super) struct Lead {
    key: FlightKey,
    landing: watch::Sender<Option<Landing>>,
    under_way: Arc<Mutex<HashMap<FlightKey, watch::Receiver<Option<Landing>>>>>,
}

/// A wait for somebody else's comparison.
pub(super) struct Follow(watch::Receiver<Option<Landing>>);

impl Flights {
    /// Boards the comparison of a password, the first one to lead it.
    pub(super) fn board(&self, key: FlightKey) -> Boarding {
        let mut under_way = self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match under_way.entry(key) {
            Entry::Occupied(entry) => Boarding::Follow(Follow(entry.get().clone())),
            Entry::Vacant(entry) => {
                let (landing, receiver) = watch::channel(None);
                entry.insert(receiver);
                Boarding::Lead(Lead {
                    key,
                    landing,
                    under_way: Arc::clone(&self.under_way),
                })
            }
        }
    }
}

impl Lead {
    /// Tells everybody how it ended.
    pub(super) fn land(self, landing: Landing) {
        // Nobody may be waiting.
        let _ = self.landing.send(Some(landing));
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.key);
    }
}

impl Follow {
    /// Waits for the landing.
    pub(super) async fn landing(mut self) -> Landing {
        match self.0.wait_for(Option::is_some).await {
            Ok(landing) => landing
                .clone()
                .unwrap_or(Landing::Undecided(Undecided::Busy)),
            Err(_) => Landing::Undecided(Undecided::Busy),
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
    async fn followers_learn_how_the_leader_landed() {
        let flights = Flights::default();
        let key = key();
        let Boarding::Lead(lead) = flights.board(key) else {
            panic!("the first leads")
        };
        let Boarding::Follow(follow) = flights.board(key) else {
            panic!("the second follows")
        };
        lead.land(Landing::Remembered(Known::Wrong));
        assert_eq!(follow.landing().await, Landing::Remembered(Known::Wrong));
        assert!(matches!(flights.board(key), Boarding::Lead(_)));
    }

    #[tokio::test]
    async fn a_leader_that_vanishes_leaves_no_verdict_and_no_trace() {
        let flights = Flights::default();
        let key = key();
        let Boarding::Lead(lead) = flights.board(key) else {
            panic!("the first leads")
        };
        let Boarding::Follow(follow) = flights.board(key) else {
            panic!("the second follows")
        };
        drop(lead);
        assert_eq!(follow.landing().await, Landing::Undecided(Undecided::Busy));
        assert!(matches!(flights.board(key), Boarding::Lead(_)));
    }
}
