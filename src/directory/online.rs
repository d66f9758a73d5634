//! Sessions of users as RADIUS clients report them: recorded for the front end, listed for
//! administrators.

use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use crate::authenticator::{Answer, Undecided};
use crate::domain::device::MacAddress;
use crate::domain::event::{Actor, ChangeEvent};
use crate::domain::id::{AccountId, RequestId, SessionId};
use crate::domain::name::{ClientName, ResourceName, Username};
use crate::domain::refusal::Refusal;
use crate::domain::reply::ReplyAttributes;
use crate::domain::resource::Asking;
use crate::domain::rules::PolicySettings;
use crate::domain::session::{
    Answered, Demand, Ending, Nas, Octets, Particulars, SessionOwner, SessionReport, Usage,
};
use crate::domain::time::{Now, Timestamp};
use crate::policy::access::{self, Access};
use crate::policy::conditions::conditions;
use crate::policy::naming;
use crate::store::changes::DirectoryStore;
use crate::store::sessions::{
    DisconnectOutcome, OpenSession, SessionFilter, SessionRecord, SessionStore, Standing,
};
use crate::store::{AttemptStore, EventStore};

use super::reading::undecided;
use super::settings::Settings;
use super::view::{some_time, time};
use super::{Directory, DirectoryError, PAGE};

/// What the RADIUS front end does with sessions.
pub trait OnlineSessions: Send + Sync {
    /// Records a report; `Ok` means that it is durable. Where no Class named the account, its
    /// User-Name does; where none named the resource, `asking` does.
    fn record_session<'a>(
        &'a self,
        report: SessionReport,
        asking: &'a Asking,
    ) -> Answer<'a, Result<(), Undecided>>;

    /// What is to be asked of clients: what administrators asked for, and the end of open sessions
    /// that their resources no longer admit, where anything changed since the directory was at the
    /// version `seen`, or all there are where none is given.
    fn no_longer_admitted(
        &self,
        seen: Option<u64>,
        now: Now,
    ) -> Answer<'_, Result<Look, Undecided>>;

    /// Takes it upon the caller to ask, and nobody else for a while; false where another did, or the
    /// session is over.
    fn claim_disconnect<'a>(
        &'a self,
        due: &'a Due,
        now: Now,
    ) -> Answer<'a, Result<bool, Undecided>>;

    /// Records what came of asking.
    fn disconnected<'a>(
        &'a self,
        due: &'a Due,
        answered: Answered,
        now: Now,
    ) -> Answer<'a, Result<(), Undecided>>;

    /// Ends every session of a NAS that began before it restarted `at`; `Ok` means durably.
    fn nas_restarted(&self, nas: Nas, at: Timestamp) -> Answer<'_, Result<(), Undecided>>;
}

impl<S> OnlineSessions for Directory<S>
where
    S: DirectoryStore + EventStore + AttemptStore + SessionStore,
{
    fn record_session<'a>(
        &'a self,
        mut report: SessionReport,
        asking: &'a Asking,
    ) -> Answer<'a, Result<(), Undecided>> {
        Box::pin(async move {
            let settings = self.settings();
            if report.resource.is_none() {
                let asks = settings.resources.asking(asking);
                report.resource = asks.map(|resource| resource.name.clone());
            }
            if let (SessionOwner::Unknown, Octets::Text(typed)) =
                (&report.owner, &report.particulars.user_name)
            {
                let login = naming::interpret(typed, &settings.realms);
                report.owner = login.map_or(SessionOwner::Unknown, SessionOwner::Login);
            }
            let recorded = self.store.record_session(report).await;
            recorded.map_err(undecided)
        })
    }

    fn no_longer_admitted(
        &self,
        seen: Option<u64>,
        now: Now,
    ) -> Answer<'_, Result<Look, Undecided>> {
        Box::pin(async move {
            let version = self.store.directory_version().await.map_err(undecided)?;
            let mut due = self.demanded(now).await?;
            if seen == Some(version) {
                return Ok(Look { version, due });
            }
            let policy = self.store.policy().await.map_err(undecided)?;
            let settings = self.settings();
            let mut after = None;
            loop {
                let page = self.store.open_sessions(now.wall, after, PAGE).await;
                let page = page.map_err(undecided)?;
                let count = page.len();
                after = page.last().map(|open| open.record.id);
                for open in page {
                    let Some(reason) = no_longer(&open, &settings, &policy, now) else {
                        continue;
                    };
                    due.push(Due::of(open.record, Wanted::End, Cause::NoLonger(reason)));
                }
                if count < PAGE {
                    return Ok(Look { version, due });
                }
            }
        })
    }

    fn claim_disconnect<'a>(
        &'a self,
        due: &'a Due,
        now: Now,
    ) -> Answer<'a, Result<bool, Undecided>> {
        Box::pin(async move {
            if let Cause::Asked { request, .. } = &due.cause {
                let taken = self.store.take_demand(*request, now.wall).await;
                return taken.map_err(undecided);
            }
            let wait = AGAIN.saturating_mul(1 << due.disconnects.min(6));
            let again = now.wall.plus(wait.min(Duration::from_hours(1)));
            let claimed = self
                .store
                .claim_disconnect(due.session, now.wall, again)
                .await;
            claimed.map_err(undecided)
        })
    }

    fn disconnected<'a>(
        &'a self,
        due: &'a Due,
        answered: Answered,
        now: Now,
    ) -> Answer<'a, Result<(), Undecided>> {
        Box::pin(async move {
            let said = &due.particulars;
            let mut after = json!({ "outcome": answered.as_str() });
            if let Some(after) = after.as_object_mut() {
                if let Some(cause) = answered.error_cause() {
                    after.insert("error_cause".to_owned(), json!(cause));
                }
                if let Wanted::Change(attributes) = &due.wanted {
                    let told: Vec<String> = attributes.iter().map(ToString::to_string).collect();
                    after.insert("attributes".to_owned(), json!(told));
                }
            }
            let (actor, answers) = match &due.cause {
                Cause::NoLonger(_) => (Actor::Gateway, None),
                Cause::Asked { request, actor } => (actor.clone(), Some(*request)),
            };
            let event = ChangeEvent {
                actor,
                action: due.wanted.action().to_owned(),
                target: due.whose(),
                account: due.account,
                resource: due.resource.clone(),
                before: json!({
                    "client": due.client,
                    "session": due.acct_session.in_brief(),
                    "calling_station": said.calling_station.as_ref().map(Octets::in_brief),
                    "reason": due.reason(),
                }),
                after,
            };
            let settled = self.store.settle_disconnect(DisconnectOutcome {
                session: due.session,
                client: due.client.clone(),
                at: now.wall,
                answered,
                over: answered.is_of_unknown_session()
                    || (due.wanted == Wanted::End && answered == Answered::Acknowledged),
                answers,
                event,
            });
            settled.await.map_err(undecided)
        })
    }

    fn nas_restarted(&self, nas: Nas, at: Timestamp) -> Answer<'_, Result<(), Undecided>> {
        Box::pin(async move {
            let ended = self.store.end_sessions_of(nas, at).await;
            ended.map_err(undecided)
        })
    }
}

/// What a look at open sessions found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The directory's version before it.
    pub version: u64,
    /// What is to be asked.
    pub due: Vec<Due>,
}

/// What is to be asked of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The session's end.
    End,
    /// That these reply attributes hold from now on.
    Change(ReplyAttributes),
}

impl Wanted {
    /// The action of its event.
    pub const fn action(&self) -> &'static str {
        match self {
            Self::End => "session.disconnect",
            Self::Change(_) => "session.reauthorize",
        }
    }
}

/// Why it is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cause {
    /// The session's resource no longer admits it.
    NoLonger(&'static str),
    /// Somebody asked for it.
    Asked { request: RequestId, actor: Actor },
}

/// A session about which its client is to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Its identifier here.
    pub session: SessionId,
    /// Who reports it.
    pub client: ClientName,
    /// Acct-Session-Id.
    pub acct_session: Octets,
    /// What the client said of it.
    pub particulars: Particulars,
    /// What for.
    pub wanted: Wanted,
    username: Option<Username>,
    device: Option<MacAddress>,
    account: Option<AccountId>,
    resource: Option<ResourceName>,
    disconnects: u32,
    cause: Cause,
}

impl Due {
    fn of(record: SessionRecord, wanted: Wanted, cause: Cause) -> Self {
        Self {
            session: record.id,
            client: record.nas.client,
            acct_session: record.session,
            particulars: record.particulars,
            wanted,
            username: record.username,
            device: record.address,
            account: record.account,
            resource: record.resource,
            disconnects: record.disconnects,
            cause,
        }
    }
}

impl<S> Directory<S>
where
    S: DirectoryStore + EventStore + AttemptStore + SessionStore,
{
    /// What administrators asked for and nobody took up.
    async fn demanded(&self, now: Now) -> Result<Vec<Due>, Undecided> {
        let waiting = self.store.waiting_demands(now.wall, PAGE).await;
        let mut due = Vec::new();
        for demand in waiting.map_err(undecided)? {
            let wanted = match demand.demand {
                Demand::Disconnect => Wanted::End,
                Demand::Reauthorize => {
                    let attributes = self.reply_now(&demand.session).await;
                    Wanted::Change(attributes.map_err(undecided)?)
                }
            };
            let cause = Cause::Asked {
                request: demand.request,
                actor: demand.actor,
            };
            due.push(Due::of(demand.session, wanted, cause));
        }
        Ok(due)
    }
}

impl Due {
    /// Whose it is, where that is known.
    pub fn username(&self) -> Option<&Username> {
        self.username.as_ref()
    }

    /// The device, where it is one's.
    pub fn device(&self) -> Option<MacAddress> {
        self.device
    }

    /// Why its client is asked, as in events.
    pub fn reason(&self) -> &'static str {
        match self.cause {
            Cause::NoLonger(reason) => reason,
            Cause::Asked { .. } => "asked",
        }
    }

    /// Whether somebody asked for it.
    pub const fn is_asked_for(&self) -> bool {
        matches!(self.cause, Cause::Asked { .. })
    }

    fn whose(&self) -> String {
        match (&self.username, self.device) {
            (Some(username), _) => username.to_string(),
            (None, Some(device)) => device.to_string(),
            (None, None) => self.particulars.user_name.in_brief(),
        }
    }
}

#[cfg(test)]
impl Due {
    /// One out of nothing, for unit tests of front ends alone.
    pub(crate) fn for_tests(
        acct_session: Octets,
        particulars: Particulars,
        wanted: Wanted,
    ) -> Self {
        Self {
            session: SessionId::new(Timestamp::EPOCH),
            client: ClientName::parse("nas").unwrap(),
            acct_session,
            particulars,
            wanted,
            username: None,
            device: None,
            account: None,
            resource: None,
            disconnects: 0,
            cause: Cause::NoLonger("suspended"),
        }
    }
}

/// How long until a session is asked for again after the first time; doubled each time, up to an
/// hour.
const AGAIN: Duration = Duration::from_mins(1);

/// The reason for which a session's resource no longer admits whose it is; none where it does.
fn no_longer(
    open: &OpenSession,
    settings: &Settings,
    policy: &PolicySettings,
    now: Now,
) -> Option<&'static str> {
    let name = open.record.resource.as_ref()?;
    let rules = settings.resources.get(name);
    let (facts, bound) = match &open.standing {
        Standing::Account { facts: None, .. } => return Some("user_removed"),
        Standing::Device { resources: None } => return Some("device_removed"),
        Standing::Account {
            facts: Some(facts),
            bound,
        } => (facts, *bound),
        Standing::Device {
            resources: Some(admitted),
        } => {
            let folded = name.folded();
            let admits = admitted.iter().any(|name| name.folded() == folded);
            return match rules {
                None => Some("resource_removed"),
                Some(_) => (!admits).then_some(Refusal::DeviceNotBound.as_str()),
            };
        }
    };
    let Some(rules) = rules else {
        return Some("resource_removed");
    };
    let conditions = conditions(facts, policy, now);
    match access::judge(conditions, bound, rules, false) {
        Access::Granted => None,
        Access::ChangeOnly => Some(Refusal::MustChange.as_str()),
        Access::Refused(reason) => Some(reason.as_str()),
    }
}

/// A session as administrators see it. Times are RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionView {
    /// Its identifier here.
    pub id: SessionId,
    /// The account's username; none where no account is known, or it was removed.
    pub user: Option<Username>,
    /// The account.
    pub account: Option<AccountId>,
    /// The device that was let in by its address alone; none where it is a user's, or was removed.
    pub device: Option<MacAddress>,
    /// The name that the client says.
    pub user_name: String,
    /// The resource that the user got into.
    pub resource: Option<ResourceName>,
    /// The RADIUS client.
    pub client: ClientName,
    /// The NAS among those of the client's entry.
    pub nas: String,
    /// Acct-Session-Id.
    pub session: String,
    /// The user's device.
    pub calling_station: Option<String>,
    /// On Wi-Fi the access point and the SSID.
    pub called_station: Option<String>,
    /// The address that the user was given.
    pub address: Option<IpAddr>,
    /// When it began.
    #[serde(serialize_with = "some_time")]
    pub started: Timestamp,
    /// When it was last heard of.
    #[serde(serialize_with = "some_time")]
    pub seen: Timestamp,
    /// It is open, and was not heard of for long.
    pub stale: bool,
    /// When it was over.
    #[serde(serialize_with = "time")]
    pub ended: Option<Timestamp>,
    /// Why.
    pub ending: Option<Ending>,
    /// Acct-Terminate-Cause.
    pub terminate_cause: Option<u32>,
    /// How much was moved.
    #[serde(flatten)]
    pub usage: Usage,
    /// How often its client was asked to end it.
    pub disconnects: u32,
}

impl SessionView {
    pub(super) fn of(record: SessionRecord, stale_before: Timestamp) -> Self {
        let particulars = record.particulars;
        let shown = |octets: Option<Octets>| octets.map(|octets| octets.shown());
        Self {
            id: record.id,
            user: record.username,
            account: record.account,
            device: record.address,
            user_name: particulars.user_name.shown(),
            resource: record.resource,
            client: record.nas.client,
            nas: record.nas.identity.shown(),
            session: record.session.shown(),
            calling_station: shown(particulars.calling_station),
            called_station: shown(particulars.called_station),
            address: particulars.address,
            started: record.started,
            seen: record.seen,
            stale: record.ended.is_none() && record.seen < stale_before,
            ended: record.ended.map(|(at, _)| at),
            ending: record.ended.map(|(_, ending)| ending),
            terminate_cause: particulars.terminate_cause,
            usage: particulars.usage,
            disconnects: record.disconnects,
        }
    }
}

impl<S> Directory<S>
where
    S: DirectoryStore + EventStore + AttemptStore + SessionStore,
{
    /// Sessions that match, the oldest first; stale is one that was not heard of for `stale_after`.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn sessions(
        &self,
        filter: &SessionFilter,
        stale_after: Duration,
        now: Now,
    ) -> Result<Vec<SessionView>, DirectoryError> {
        let stale_before = now.wall.minus(stale_after);
        let mut views = Vec::new();
        let mut after = None;
        loop {
            let page = self.store.sessions(filter, after, PAGE).await?;
            let count = page.len();
            after = page.last().map(|record| record.id);
            let of = |record| SessionView::of(record, stale_before);
            views.extend(page.into_iter().map(of));
            if count < PAGE {
                return Ok(views);
            }
        }
    }
}
