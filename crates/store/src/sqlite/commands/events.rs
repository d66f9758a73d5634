//! The log.

use crate::events::EventQuery;
use crate::{Store, Unavailable};
use doorward_domain::event::Event;
use doorward_domain::time::Timestamp;

use super::super::events;
use super::super::readers::Lane;

impl Store {
    /// Events that match, oldest first.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn events(&self, query: &EventQuery) -> Result<Vec<Event>, Unavailable> {
        let query = query.clone();
        let found = self
            .read(Lane::Lookups, move |view| {
                events::query(view.connection, &query)
            })
            .await?;
        Ok(found)
    }

    /// When the newest event happened.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn newest_event(&self) -> Result<Option<Timestamp>, Unavailable> {
        let newest = self
            .read(Lane::Lookups, |view| events::newest(view.connection))
            .await?;
        Ok(newest)
    }

    /// Removes at most `limit` events older than `before`, and says how many went.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn forget_events(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> Result<usize, Unavailable> {
        let gone = self
            .write(move |connection| events::forget(connection, before, limit))
            .await?;
        Ok(gone)
    }

    /// What the log takes, in bytes, its indexes included; near enough, and known without a scan.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn events_bytes(&self) -> Result<u64, Unavailable> {
        let bytes = self
            .read(Lane::Lookups, |view| events::bytes(view.connection))
            .await?;
        Ok(bytes)
    }

    /// Counts anew what the log takes, once over all of it: the sum that is kept may have come from a
    /// backup that somebody changed.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn count_events_anew(&self) -> Result<(), Unavailable> {
        let by = self
            .read(Lane::Scans, |view| events::miscounted(view.connection))
            .await?;
        self.write(move |connection| events::correct(connection, by))
            .await?;
        Ok(())
    }

    /// Where the log takes more than `most` bytes, removes at most `limit` events, and says how
    /// many went: the oldest merged successes first, then what the gateway did by itself on a
    /// client's word, then other merged ones, then the oldest of the rest.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn shed_events(&self, most: u64, limit: usize) -> Result<usize, Unavailable> {
        let gone = self
            .write(move |connection| events::shed(connection, most, limit))
            .await?;
        Ok(gone)
    }
}
