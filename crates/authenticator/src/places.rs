//! Waiting for a free place, up to a second (CONTRACT.md 3.3).
//!
//! The store grants places. Here stands only who asks it next: of all attempts at one account
//! that found it full, one at a time asks again, so that a flood costs the writer little.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use doorward_domain::id::{AccountId, PlaceId};
use doorward_domain::time::Clock;
use doorward_store::attempts::{AttemptStore, PlaceAnswer, TakePlace};

use doorward_frontend_api::verdict::Undecided;

/// How long an attempt waits for a place.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// How often the store is asked again where nothing was settled here: another process may have.
pub(super) const ASK_AGAIN: Duration = Duration::from_millis(25);

/// What came of asking for a place.
pub(super) enum Placed {
    /// Charged.
    Taken(PlaceId),
    /// The daily cap slows this kind.
    Slowed,
    /// The account is not as it was read.
    Moved,
    /// None was free within a second.
    NoneFree,
}

/// The queues before accounts that were found full.
#[derive(Default)]
pub(super) struct Places {
    gates: Mutex<HashMap<AccountId, Arc<Gate>>>,
}

#[derive(Default)]
struct Gate {
    turn: tokio::sync::Mutex<()>,
    freed: Notify,
}

impl Places {
    /// Takes a place, waiting for one if none is free.
    pub(super) async fn take<S: AttemptStore>(
        &self,
        store: &S,
        clock: &dyn Clock,
        take: TakePlace,
    ) -> Result<Placed, Undecided> {
        if let Some(placed) = ask(store, take.clone()).await? {
            return Ok(placed);
        }
        let account = take.account;
        let gate = self.gate(account);
        let placed = wait(&gate, store, clock, take).await;
        self.leave(account, gate);
        placed
    }

    /// Wakes whoever waits for a place of this account.
    pub(super) fn freed(&self, account: AccountId) {
        let gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(&account) {
            gate.freed.notify_one();
        }
    }

    fn gate(&self, account: AccountId) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(gates.entry(account).or_default())
    }

    fn leave(&self, account: AccountId, gate: Arc<Gate>) {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        drop(gate);
        if gates
            .get(&account)
            .is_some_and(|gate| Arc::strong_count(gate) == 1)
        {
            gates.remove(&account);
        }
    }
}

async fn wait<S: AttemptStore>(
    gate: &Gate,
    store: &S,
    clock: &dyn Clock,
    take: TakePlace,
) -> Result<Placed, Undecided> {
    let deadline = clock.now().mono.plus(PATIENCE);
    let left = || deadline.since(clock.now().mono);
    let Ok(_turn) = timeout(left(), gate.turn.lock()).await else {
        return Ok(Placed::NoneFree);
    };
    loop {
        // Never cancelled half way: the place would be taken and nobody would know.
        if let Some(placed) = ask(
            store,
            TakePlace {
                at: clock.now().wall,
                ..take.clone()
            },
        )
        .await?
        {
            return Ok(placed);
        }
        let left = left();
        if left.is_zero() {
            return Ok(Placed::NoneFree);
        }
        // Either way the store is asked again.
        let _ = timeout(left.min(ASK_AGAIN), gate.freed.notified()).await;
    }
}

async fn ask<S: AttemptStore>(store: &S, take: TakePlace) -> Result<Option<Placed>, Undecided> {
    let answer = store.take_place(take).await.map_err(Undecided::from)?;
    Ok(match answer {
        PlaceAnswer::Taken(place) => Some(Placed::Taken(place)),
        PlaceAnswer::Slowed => Some(Placed::Slowed),
        PlaceAnswer::Moved => Some(Placed::Moved),
        PlaceAnswer::Full => None,
    })
}
