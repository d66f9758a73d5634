//! Sessions that RADIUS clients report (RFC 2866), and their end by the gateway (RFC 5176).

use std::future::Future;

use doorward_domain::account::AccountFacts;
use doorward_domain::device::MacAddress;
use doorward_domain::event::{Actor, ChangeEvent};
use doorward_domain::id::{AccountId, DeviceId, RequestId, SessionId};
use doorward_domain::name::{ClientName, ResourceName, Username};
use doorward_domain::session::{Answered, Demand, Ending, Nas, Octets, Particulars, SessionReport};
use doorward_domain::time::Timestamp;

use super::Unavailable;

/// A session as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// Its identifier here.
    pub id: SessionId,
    /// Who reports it.
    pub nas: Nas,
    /// Acct-Session-Id.
    pub session: Octets,
    /// The account, where one is known.
    pub account: Option<AccountId>,
    /// That account's username now; none where it was removed.
    pub username: Option<Username>,
    /// The device, where it is one's.
    pub device: Option<DeviceId>,
    /// That device's address; none where it was removed.
    pub address: Option<MacAddress>,
    /// The resource that the user got into.
    pub resource: Option<ResourceName>,
    /// When it began.
    pub started: Timestamp,
    /// When it was last heard of.
    pub seen: Timestamp,
    /// When it was over, and why.
    pub ended: Option<(Timestamp, Ending)>,
    /// How often its client was asked to end it.
    pub disconnects: u32,
    /// All else.
    pub particulars: Particulars,
}

/// An open session with what decides whether its resource still admits whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSession {
    /// The session; its resource is known, and its account or its device.
    pub record: SessionRecord,
    /// How that stands.
    pub standing: Standing,
}

/// How whoever has a session stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// An account.
    Account {
        /// Its facts; none where it was removed.
        facts: Option<AccountFacts>,
        /// Whether it is bound to the session's resource, directly or through groups.
        bound: bool,
    },
    /// A device.
    Device {
        /// The resources that it may use; none where it was removed.
        resources: Option<Vec<ResourceName>>,
    },
}

/// Which sessions a read is about; absent keys match all. Text is compared without regard to case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// Of this user, by the username it has now.
    pub user: Option<String>,
    /// Of this device.
    pub device: Option<MacAddress>,
    /// At this resource.
    pub resource: Option<String>,
    /// Reported by this client.
    pub client: Option<String>,
    /// Those that are over as well.
    pub ended: bool,
}

/// How many sessions are kept of each client that has any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeptSessions {
    /// Those that are open.
    pub open: Vec<(ClientName, usize)>,
    /// Those that are over.
    pub ended: Vec<(ClientName, usize)>,
}

/// What an administrator asks of a session's client.
#[derive(Debug, Clone)]
pub struct NewDemand {
    /// The request.
    pub request: RequestId,
    /// The session.
    pub session: SessionId,
    /// What for.
    pub demand: Demand,
    /// Who asks.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
    /// When it is too late to take it up.
    pub lapses: Timestamp,
}

/// A request that nobody took up yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingDemand {
    /// The request.
    pub request: RequestId,
    /// What for.
    pub demand: Demand,
    /// Who asks.
    pub actor: Actor,
    /// The session, which is open.
    pub session: SessionRecord,
}

/// How a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DemandState {
    /// Nobody took it up.
    Waiting,
    /// A gateway asks the client.
    Taken,
    /// This came of it.
    Answered(Answered),
}

/// What became of asking a client about a session.
#[derive(Debug, Clone)]
pub struct DisconnectOutcome {
    /// The session.
    pub session: SessionId,
    /// Who was asked.
    pub client: ClientName,
    /// When.
    pub at: Timestamp,
    /// How it answered.
    pub answered: Answered,
    /// Whether it is over.
    pub over: bool,
    /// The request that this answers; none where the gateway asked by itself.
    pub answers: Option<RequestId>,
    /// The event that tells of it. Where the gateway asked by itself it is counted with its equals of
    /// the same minute.
    pub event: ChangeEvent,
}

/// The commands and reads of sessions.
pub trait SessionStore: Send + Sync + 'static {
    /// Records a report, once however often it comes. A session that nobody saw begin begins with
    /// the first report of it; what is older than what is known changes nothing.
    fn record_session(
        &self,
        report: SessionReport,
    ) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Ends every open session of a NAS that began before it restarted `at`.
    fn end_sessions_of(
        &self,
        nas: Nas,
        at: Timestamp,
    ) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Sessions after the one named, in the order of their identifiers, at most `limit`.
    fn sessions(
        &self,
        filter: &SessionFilter,
        after: Option<SessionId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<SessionRecord>, Unavailable>> + Send;

    /// Open sessions of known accounts and devices at known resources whose client may be asked at `now`, after
    /// the one named, at most `limit`.
    fn open_sessions(
        &self,
        now: Timestamp,
        after: Option<SessionId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<OpenSession>, Unavailable>> + Send;

    /// An open session.
    fn open_session(
        &self,
        session: SessionId,
    ) -> impl Future<Output = Result<Option<SessionRecord>, Unavailable>> + Send;

    /// Asks for something of an open session's client; false where it is not open.
    fn ask_of_session(
        &self,
        new: NewDemand,
    ) -> impl Future<Output = Result<bool, Unavailable>> + Send;

    /// Requests about open sessions that nobody took up and that have not lapsed, the oldest first,
    /// at most `limit`.
    fn waiting_demands(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<WaitingDemand>, Unavailable>> + Send;

    /// Takes a request up for the caller alone. False where another did, or it has lapsed.
    fn take_demand(
        &self,
        request: RequestId,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, Unavailable>> + Send;

    /// How a request stands; none where there is none.
    fn demand_state(
        &self,
        request: RequestId,
    ) -> impl Future<Output = Result<Option<DemandState>, Unavailable>> + Send;

    /// Takes it upon the caller to ask for a session's end at `now`; nobody else may ask before
    /// `again`. False where it is over or another took it.
    fn claim_disconnect(
        &self,
        session: SessionId,
        now: Timestamp,
        again: Timestamp,
    ) -> impl Future<Output = Result<bool, Unavailable>> + Send;

    /// Records what became of it.
    fn settle_disconnect(
        &self,
        outcome: DisconnectOutcome,
    ) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Ends at most `limit` open sessions that were last heard of before `before`; says how many.
    fn end_silent_sessions(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<usize, Unavailable>> + Send;

    /// How many sessions are kept.
    fn kept_sessions(&self) -> impl Future<Output = Result<KeptSessions, Unavailable>> + Send;

    /// Takes at most `limit` open sessions of a client to be over, those not heard of for longest
    /// first; says how many.
    fn end_oldest_sessions(
        &self,
        client: &ClientName,
        limit: usize,
    ) -> impl Future<Output = Result<usize, Unavailable>> + Send;

    /// Removes at most `limit` sessions of a client, those that were over first; says how many.
    fn forget_oldest_sessions(
        &self,
        client: &ClientName,
        limit: usize,
    ) -> impl Future<Output = Result<usize, Unavailable>> + Send;

    /// Removes at most `limit` sessions that were over before `before`; says how many.
    fn forget_sessions(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<usize, Unavailable>> + Send;
}
