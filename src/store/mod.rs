//! What is kept, and the commands on it: traits and records that every store implements alike.
//!
//! A write is a whole command, one transaction each; whatever a command reports has been made
//! durable. No type of a concrete database stands here, and no rule: instants and numbers are
//! computed by `policy` and handed in, a store only counts and compares.

pub mod attempts;
pub mod changes;
pub mod events;
pub mod records;
pub mod sessions;
pub mod sqlite;

use std::future::Future;

pub use attempts::AttemptStore;
pub use changes::DirectoryStore;
pub use events::EventStore;
pub use sessions::SessionStore;

/// The store gives no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// As much waits as may. Nothing was begun, and nothing is wrong with the store.
    #[error("the store is busy: as much waits for it as may")]
    Busy,
    /// It is broken, full, held up past its deadline, or closed.
    #[error("the store is unavailable: {0}")]
    Broken(String),
}

impl Unavailable {
    pub(crate) fn closed() -> Self {
        Self::Broken("the store is closed".to_owned())
    }
}

/// A store complete enough to run the gateway.
pub trait Store: AttemptStore + DirectoryStore + EventStore + SessionStore {
    /// Writes something and reads it back, durably: what `healthcheck` and `/ready` ask.
    fn probe(&self) -> impl Future<Output = Result<(), Unavailable>> + Send;
}
