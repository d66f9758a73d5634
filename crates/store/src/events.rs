//! The audit log's reads and its retention (CONTRACT.md 9).

use std::future::Future;

use doorward_domain::event::Event;
use doorward_domain::id::EventId;
use doorward_domain::time::Timestamp;

use super::Unavailable;

/// Which events a query is about; absent keys match all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// About this user: the username as found then, or the account that has it now; or the
    /// device of this address. Without regard to case.
    pub user: Option<String>,
    /// At this resource.
    pub resource: Option<String>,
    /// At or after this instant; of several that are one, the newest.
    pub since: Option<Timestamp>,
    /// Before this instant.
    pub until: Option<Timestamp>,
    /// With this outcome: granted, `change_only`, refused, or change.
    pub outcome: Option<String>,
    /// After this event.
    pub after: Option<EventId>,
    /// At most this many.
    pub limit: usize,
    /// The newest `limit` instead of the oldest; the order given back is by time all the same.
    pub newest: bool,
}

/// Reads of the audit log.
pub trait EventStore: Send + Sync + 'static {
    /// Events that match, oldest first.
    fn events(
        &self,
        query: &EventQuery,
    ) -> impl Future<Output = Result<Vec<Event>, Unavailable>> + Send;

    /// When the newest event happened.
    fn newest_event(&self) -> impl Future<Output = Result<Option<Timestamp>, Unavailable>> + Send;

    /// Removes at most `limit` events older than `before`, and says how many went.
    fn forget_events(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<usize, Unavailable>> + Send;

    /// What the log takes, in bytes, its indexes included; near enough, and known without a scan.
    fn events_bytes(&self) -> impl Future<Output = Result<u64, Unavailable>> + Send;

    /// Counts anew what the log takes, once over all of it: the sum that is kept may have come from a
    /// backup that somebody changed.
    fn count_events_anew(&self) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Where the log takes more than `most` bytes, removes at most `limit` events, and says how
    /// many went: the oldest merged successes first, then what the gateway did by itself on a
    /// client's word, then other merged ones, then the oldest of the rest.
    fn shed_events(
        &self,
        most: u64,
        limit: usize,
    ) -> impl Future<Output = Result<usize, Unavailable>> + Send;
}
