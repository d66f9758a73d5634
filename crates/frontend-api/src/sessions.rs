//! Sessions of users as RADIUS clients report them.

use doorward_domain::resource::AccessContext;
use doorward_domain::session::{Answered, Nas, SessionReport};
use doorward_domain::time::{Now, Timestamp};

use crate::coa::{CoaScan, PendingCoa};
use crate::{Answer, Undecided};

/// What the RADIUS front end does with sessions.
pub trait OnlineSessions: Send + Sync {
    /// Records a report; `Ok` means that it is durable. Where no Class named the account, its
    /// User-Name does; where none named the resource, `asking` does.
    fn record_session<'a>(
        &'a self,
        report: SessionReport,
        asking: &'a AccessContext,
    ) -> Answer<'a, Result<(), Undecided>>;

    /// What is to be asked of clients: what administrators asked for, and the end of open sessions
    /// that their resources no longer admit, where anything changed since the directory was at the
    /// version `seen`, or all there are where none is given.
    fn no_longer_admitted(
        &self,
        seen: Option<u64>,
        now: Now,
    ) -> Answer<'_, Result<CoaScan, Undecided>>;

    /// Takes it upon the caller to ask, and nobody else for a while; false where another did, or the
    /// session is over.
    fn claim_disconnect<'a>(
        &'a self,
        due: &'a PendingCoa,
        now: Now,
    ) -> Answer<'a, Result<bool, Undecided>>;

    /// Records what came of asking.
    fn disconnected<'a>(
        &'a self,
        due: &'a PendingCoa,
        answered: Answered,
        now: Now,
    ) -> Answer<'a, Result<(), Undecided>>;

    /// Ends every session of a NAS that began before it restarted `at`; `Ok` means durably.
    fn nas_restarted(&self, nas: Nas, at: Timestamp) -> Answer<'_, Result<(), Undecided>>;
}
