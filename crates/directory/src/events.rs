//! The audit log, read (CONTRACT.md 9).

use doorward_domain::event::Event;
use doorward_store::events::EventQuery;

use super::{Directory, DirectoryError};

impl Directory {
    /// Events that match, oldest first.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn events(&self, query: &EventQuery) -> Result<Vec<Event>, DirectoryError> {
        Ok(self.store.events(query).await?)
    }
}
