//! Sessions of users as RADIUS clients report them: recorded for the front end, listed for
//! administrators.

use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use doorward_domain::device::MacAddress;
use doorward_domain::event::{Actor, ChangeEvent};
use doorward_domain::id::{AccountId, SessionId};
use doorward_domain::name::{ClientName, ResourceName, Username};
use doorward_domain::policy::access;
use doorward_domain::policy::access::Access;
use doorward_domain::policy::conditions::conditions;
use doorward_domain::policy::naming;
use doorward_domain::refusal::Refusal;
use doorward_domain::resource::AccessContext;
use doorward_domain::rules::PolicySettings;
use doorward_domain::session::{
    Answered, Demand, Ending, Nas, Octets, SessionOwner, SessionReport, Usage,
};
use doorward_domain::time::{Now, Timestamp};
use doorward_frontend_api::coa::{CoaAction, CoaCause, CoaScan, PendingCoa};
use doorward_frontend_api::{Answer, OnlineSessions, Undecided};
use doorward_store::sessions::{
    DisconnectOutcome, OpenSession, SessionFilter, SessionRecord, Standing,
};

use super::reading::undecided;
use super::settings::Settings;
use super::view::{some_time, time};
use super::{Directory, DirectoryError, PAGE};

impl OnlineSessions for Directory {
    fn record_session<'a>(
        &'a self,
        mut report: SessionReport,
        asking: &'a AccessContext,
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
    ) -> Answer<'_, Result<CoaScan, Undecided>> {
        Box::pin(async move {
            let version = self.store.directory_version().await.map_err(undecided)?;
            let mut due = self.demanded(now).await?;
            if seen == Some(version) {
                return Ok(CoaScan {
                    version,
                    pending: due,
                });
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
                    due.push(pending(
                        open.record,
                        CoaAction::Disconnect,
                        CoaCause::NoLongerAdmitted(reason),
                    ));
                }
                if count < PAGE {
                    return Ok(CoaScan {
                        version,
                        pending: due,
                    });
                }
            }
        })
    }

    fn claim_disconnect<'a>(
        &'a self,
        due: &'a PendingCoa,
        now: Now,
    ) -> Answer<'a, Result<bool, Undecided>> {
        Box::pin(async move {
            if let CoaCause::Requested { request, .. } = &due.cause {
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
        due: &'a PendingCoa,
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
                if let CoaAction::Change(attributes) = &due.action {
                    let told: Vec<String> = attributes.iter().map(ToString::to_string).collect();
                    after.insert("attributes".to_owned(), json!(told));
                }
            }
            let (actor, answers) = match &due.cause {
                CoaCause::NoLongerAdmitted(_) => (Actor::Gateway, None),
                CoaCause::Requested { request, actor } => (actor.clone(), Some(*request)),
            };
            let event = ChangeEvent {
                actor,
                action: due.action.action().to_owned(),
                target: due.owner(),
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
                    || (due.action == CoaAction::Disconnect && answered == Answered::Acknowledged),
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

impl Directory {
    /// What administrators asked for and nobody took up.
    async fn demanded(&self, now: Now) -> Result<Vec<PendingCoa>, Undecided> {
        let waiting = self.store.waiting_demands(now.wall, PAGE).await;
        let mut due = Vec::new();
        for demand in waiting.map_err(undecided)? {
            let wanted = match demand.demand {
                Demand::Disconnect => CoaAction::Disconnect,
                Demand::Reauthorize => {
                    let attributes = self.reply_now(&demand.session).await;
                    CoaAction::Change(attributes.map_err(undecided)?)
                }
            };
            let cause = CoaCause::Requested {
                request: demand.request,
                actor: demand.actor,
            };
            due.push(pending(demand.session, wanted, cause));
        }
        Ok(due)
    }
}

/// The request to send to the client of a session.
fn pending(record: SessionRecord, action: CoaAction, cause: CoaCause) -> PendingCoa {
    PendingCoa {
        session: record.id,
        client: record.nas.client,
        acct_session: record.session,
        particulars: record.particulars,
        action,
        username: record.username,
        device: record.address,
        account: record.account,
        resource: record.resource,
        disconnects: record.disconnects,
        cause,
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

impl Directory {
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
