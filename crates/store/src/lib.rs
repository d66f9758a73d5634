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

pub use doorward_domain::unavailable::Unavailable;

pub use attempts::AttemptStore;
pub use changes::DirectoryStore;
pub use events::EventStore;
pub use sessions::SessionStore;

/// A store complete enough to run the gateway.
pub trait Store: AttemptStore + DirectoryStore + EventStore + SessionStore {
    /// Writes something and reads it back, durably: what `healthcheck` and `/ready` ask.
    fn probe(&self) -> impl Future<Output = Result<(), Unavailable>> + Send;
}
