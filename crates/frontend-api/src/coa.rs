//! What the clients of open sessions are to be asked (RFC 5176): Disconnect-Requests and
//! CoA-Requests.

use doorward_domain::device::MacAddress;
use doorward_domain::event::Actor;
use doorward_domain::id::{AccountId, RequestId, SessionId};
use doorward_domain::name::{ClientName, ResourceName, Username};
use doorward_domain::reply::ReplyAttributes;
use doorward_domain::session::{Octets, Particulars};

/// What a look at the open sessions found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoaScan {
    /// The directory's version before it.
    pub version: u64,
    /// The requests to send.
    pub pending: Vec<PendingCoa>,
}

/// What a request asks of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CoaAction {
    /// To end the session.
    Disconnect,
    /// To let these reply attributes hold from now on.
    Change(ReplyAttributes),
}

impl CoaAction {
    /// The action of its event.
    pub const fn action(&self) -> &'static str {
        match self {
            Self::Disconnect => "session.disconnect",
            Self::Change(_) => "session.reauthorize",
        }
    }
}

/// Why a client is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CoaCause {
    /// The session's resource no longer admits it, for this reason.
    NoLongerAdmitted(&'static str),
    /// An administrator requested it.
    Requested {
        /// The request, which waits for its answer.
        request: RequestId,
        /// Who.
        actor: Actor,
    },
}

/// A request to send to the client of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingCoa {
    /// The session.
    pub session: SessionId,
    /// The client that reports it.
    pub client: ClientName,
    /// Acct-Session-Id.
    pub acct_session: Octets,
    /// What the client reported of it.
    pub particulars: Particulars,
    /// What to ask.
    pub action: CoaAction,
    /// The user, where it is known.
    pub username: Option<Username>,
    /// The device, where the session is a device's.
    pub device: Option<MacAddress>,
    /// The account.
    pub account: Option<AccountId>,
    /// The resource.
    pub resource: Option<ResourceName>,
    /// How often the client was asked to end it before.
    pub disconnects: u32,
    /// Why.
    pub cause: CoaCause,
}

impl PendingCoa {
    /// Why its client is asked, as in events.
    pub fn reason(&self) -> &'static str {
        match self.cause {
            CoaCause::NoLongerAdmitted(reason) => reason,
            CoaCause::Requested { .. } => "asked",
        }
    }

    /// Whether an administrator requested it.
    pub const fn is_requested(&self) -> bool {
        matches!(self.cause, CoaCause::Requested { .. })
    }

    /// Its owner, as in events: the user, the device, or the User-Name that was reported.
    pub fn owner(&self) -> String {
        match (&self.username, self.device) {
            (Some(username), _) => username.to_string(),
            (None, Some(device)) => device.to_string(),
            (None, None) => self.particulars.user_name.in_brief(),
        }
    }
}
