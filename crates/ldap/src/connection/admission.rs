//! How much of its client's requests a connection holds: a few short ones, or a long one that has
//! room among those of all connections, from before it is read until it is answered. What finds
//! no room waits unread.

use std::pin::Pin;
use std::sync::Arc;

use super::super::stream::Stream;
use super::Connection;
use doorward_ldap_protocol::decode::frame_bytes;
use doorward_ldap_protocol::limits::Phase;
use doorward_ldap_protocol::search::Share;
use doorward_ldap_protocol::session::Job;

/// The longest request that needs no room of its own.
const SHORT: usize = 4 * 1024;
/// How much requests may weigh that run, before a further one is read.
const RUNNING: usize = 32 * 1024;
/// What an item of a filter, and the name of an attribute, weigh besides their bytes.
const ITEM: usize = 128;
/// How many bytes of room a byte of a long request needs: it is there as it came and as it is read.
const COPIES: usize = 2;

/// Whether the request that comes next may be read.
#[derive(Default)]
pub(super) enum Admission {
    /// As far as is known, it is short.
    #[default]
    Short,
    /// It is long, and there is no room for it yet.
    Waits(Pin<Box<dyn Future<Output = Share> + Send>>),
    /// It is long, and there is.
    Admitted(Share),
}

impl Admission {
    /// Waits until there is room; for ever where none is waited for.
    pub(super) async fn room(&mut self) {
        match self {
            Self::Waits(room) => *self = Self::Admitted(room.await),
            Self::Short | Self::Admitted(_) => std::future::pending().await,
        }
    }

    /// The room that a long request has.
    pub(super) fn take(&mut self) -> Option<Share> {
        match std::mem::take(self) {
            Self::Admitted(share) => Some(share),
            Self::Short | Self::Waits(_) => None,
        }
    }
}

impl<S: Stream> Connection<S> {
    /// Whether the message that begins in the inbox may be read to its end. A stranger has one at
    /// a time, of no more than few bytes.
    pub(super) fn admits(&mut self) -> bool {
        match self.admission {
            Admission::Waits(_) => return false,
            Admission::Admitted(_) => return true,
            Admission::Short => {}
        }
        let phase = self.conversation.phase();
        let limits = &self.conversation.settings().limits;
        // What is no message is refused when it is read.
        let bytes = frame_bytes(&self.inbox, limits, phase).ok().flatten();
        let Some(bytes) = bytes.filter(|bytes| *bytes > SHORT && phase == Phase::Bound) else {
            return true;
        };
        let capacity = Arc::clone(&self.services.searches.capacity);
        let source = self.conversation.source().aggregate();
        let room = async move { capacity.request(&source, bytes * COPIES).await };
        self.admission = Admission::Waits(Box::pin(room));
        false
    }

    /// Whether the requests that run leave room for a further one.
    pub(super) fn has_room_for_requests(&self) -> bool {
        let weights = self.running.values().map(|running| running.weight);
        weights.sum::<usize>() < RUNNING
    }
}

/// What a request weighs that came in so many bytes.
pub(super) fn weight(job: &Job, bytes: usize) -> usize {
    let items = match job {
        Job::Search(wanted) => {
            let search = &wanted.search;
            search
                .filter
                .terms()
                .saturating_add(search.attributes.len())
        }
        Job::Compare(_) => 1,
    };
    bytes.saturating_add(items.saturating_mul(ITEM))
}
