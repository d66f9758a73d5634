//! The log.

use crate::events::EventQuery;
use crate::{EventStore, Unavailable};
use doorward_domain::event::Event;
use doorward_domain::time::Timestamp;

use super::super::readers::Lane;
use super::super::{SqliteStore, events};

impl EventStore for SqliteStore {
    async fn events(&self, query: &EventQuery) -> Result<Vec<Event>, Unavailable> {
        let query = query.clone();
        let found = self
            .read(Lane::Lookups, move |view| {
                events::query(view.connection, &query)
            })
            .await?;
        Ok(found)
    }

    async fn newest_event(&self) -> Result<Option<Timestamp>, Unavailable> {
        let newest = self
            .read(Lane::Lookups, |view| events::newest(view.connection))
            .await?;
        Ok(newest)
    }

    async fn forget_events(&self, before: Timestamp, limit: usize) -> Result<usize, Unavailable> {
        let gone = self
            .write(move |connection| events::forget(connection, before, limit))
            .await?;
        Ok(gone)
    }

    async fn events_bytes(&self) -> Result<u64, Unavailable> {
        let bytes = self
            .read(Lane::Lookups, |view| events::bytes(view.connection))
            .await?;
        Ok(bytes)
    }

    async fn count_events_anew(&self) -> Result<(), Unavailable> {
        let by = self
            .read(Lane::Scans, |view| events::miscounted(view.connection))
            .await?;
        self.write(move |connection| events::correct(connection, by))
            .await?;
        Ok(())
    }

    async fn shed_events(&self, most: u64, limit: usize) -> Result<usize, Unavailable> {
        let gone = self
            .write(move |connection| events::shed(connection, most, limit))
            .await?;
        Ok(gone)
    }
}
