//! The audit log, read (CONTRACT.md 9).

use crate::domain::event::Event;
use crate::store::changes::DirectoryStore;
use crate::store::events::EventQuery;
use crate::store::{AttemptStore, EventStore};

use super::{Directory, DirectoryError};

impl<S: DirectoryStore + EventStore + AttemptStore> Directory<S> {
    /// Events that match, oldest first.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn events(&self, query: &EventQuery) -> Result<Vec<Event>, DirectoryError> {
        Ok(self.store.events(query).await?)
    }
}
