//! One change of one's own password at a time: each may compare the new one with every former one,
//! and costs its user nothing, so that one user could keep the hashing queue full.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::id::AccountId;

/// The accounts whose owners change the password now.
#[derive(Debug, Default)]
pub(super) struct Changing(Arc<Mutex<HashSet<AccountId>>>);

/// A change under way; it ends when this is dropped.
#[derive(Debug)]
#[must_use]
pub(super) struct Turn {
    account: AccountId,
    changing: Arc<Mutex<HashSet<AccountId>>>,
}

impl Changing {
    /// Begins a change, where the account has none under way.
    pub(super) fn begin(&self, account: AccountId) -> Option<Turn> {
        let mut changing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        changing.insert(account).then(|| Turn {
            account,
            changing: Arc::clone(&self.0),
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        changing.remove(&self.account);
    }
}
