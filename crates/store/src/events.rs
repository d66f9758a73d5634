//! The audit log's reads and its retention (CONTRACT.md 9).

use doorward_domain::id::EventId;
use doorward_domain::time::Timestamp;

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
