//! The audit log, read (CONTRACT.md 9).

use doorward_domain::event::Event;
use doorward_store::changes::DirectoryStore;
use doorward_store::events::EventQuery;
use doorward_store::{AttemptStore, EventStore};

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
