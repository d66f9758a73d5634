//! Changes of one's own password: one at a time, since each may compare the new one with every former
//! one and costs its user nothing; and so many in a while, since each is an event that is kept as long
//! as any.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use doorward_domain::id::AccountId;
use doorward_domain::policy::buckets::{Buckets, Rate};
use doorward_domain::time::Monotonic;

/// How often one's own password may be changed: five times at once, then once in ten minutes.
pub(super) const OWN_CHANGES: Rate = Rate {
    capacity: 5,
    refill: Duration::from_mins(10),
};
/// How many accounts' allowances are kept at most.
const ACCOUNTS: usize = 10_000;

/// The accounts whose owners change the password now, or did lately.
#[derive(Debug)]
pub(super) struct Changing(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    under_way: HashSet<AccountId>,
    allowances: Buckets<AccountId>,
}

/// A change under way; it ends when this is dropped.
#[derive(Debug)]
#[must_use]
pub(super) struct Turn {
    account: AccountId,
    state: Arc<Mutex<State>>,
}

impl Default for Changing {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State {
            under_way: HashSet::new(),
            allowances: Buckets::new(ACCOUNTS),
        })))
    }
}

impl Changing {
    /// Begins a change, where the account has none under way.
    pub(super) fn begin(&self, account: AccountId) -> Option<Turn> {
        lock(&self.0).under_way.insert(account).then(|| Turn {
            account,
            state: Arc::clone(&self.0),
        })
    }
}

impl Turn {
    /// Takes one change from what the account may make in a while; false where none is left.
    #[must_use]
    pub(super) fn take(&self, now: Monotonic) -> bool {
        let mut state = lock(&self.state);
        state.allowances.take(self.account, OWN_CHANGES, now)
    }

    /// Gives it back: nothing was changed.
    pub(super) fn give_back(&self, now: Monotonic) {
        let mut state = lock(&self.state);
        state.allowances.give_back(&self.account, OWN_CHANGES, now);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        lock(&self.state).under_way.remove(&self.account);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
