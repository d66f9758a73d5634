//! What is kept, and the commands on it, over whichever engine keeps it.
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

use std::fmt;
use std::sync::Arc;

pub use doorward_domain::unavailable::Unavailable;

pub use attempts::AttemptStore;

/// The store, over one of its engines. Clones are the same store; when the last one goes, what was
/// queued is committed.
#[derive(Clone)]
pub struct Store(Arc<Engine>);

/// What keeps the records. Commands name no engine but where they run their statements.
enum Engine {
    Sqlite(sqlite::Sqlite),
}

impl Store {
    fn sqlite(&self) -> &sqlite::Sqlite {
        let Engine::Sqlite(sqlite) = &*self.0;
        sqlite
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Store")
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}
