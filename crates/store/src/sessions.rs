//! Sessions that RADIUS clients report (RFC 2866), and their end by the gateway (RFC 5176).

use doorward_domain::account::AccountFacts;
use doorward_domain::device::MacAddress;
use doorward_domain::event::{Actor, ChangeEvent};
use doorward_domain::id::{AccountId, DeviceId, RequestId, SessionId};
use doorward_domain::name::{ClientName, ResourceName, Username};
use doorward_domain::session::{Answered, Demand, Ending, Nas, Octets, Particulars};
use doorward_domain::time::Timestamp;

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
