//! Sessions of users as RADIUS clients report them: recorded for the front end, listed for
//! administrators.

use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;

use crate::authenticator::{Answer, Undecided};
use crate::domain::id::{AccountId, SessionId};
use crate::domain::name::{ClientName, ResourceName, Username};
use crate::domain::resource::Asking;
use crate::domain::session::{Ending, Nas, Octets, SessionReport, Usage};
use crate::domain::time::{Now, Timestamp};
use crate::policy::naming;
use crate::store::changes::DirectoryStore;
use crate::store::sessions::{SessionFilter, SessionRecord, SessionStore};
use crate::store::{AttemptStore, EventStore};

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
            if let (None, Octets::Text(typed)) = (report.account, &report.particulars.user_name) {
                report.login = naming::interpret(typed, &settings.realms);
            }
            let recorded = self.store.record_session(report).await;
            recorded.map_err(|error| Undecided::Unavailable(error.0))
        })
    }

    fn nas_restarted(&self, nas: Nas, at: Timestamp) -> Answer<'_, Result<(), Undecided>> {
        Box::pin(async move {
            let ended = self.store.end_sessions_of(nas, at).await;
            ended.map_err(|error| Undecided::Unavailable(error.0))
        })
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
    fn of(record: SessionRecord, stale_before: Timestamp) -> Self {
        let particulars = record.particulars;
        let shown = |octets: Option<Octets>| octets.map(|octets| octets.shown());
        Self {
            id: record.id,
            user: record.username,
            account: record.account,
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
