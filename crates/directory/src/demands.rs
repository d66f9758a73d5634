//! What administrators ask of the clients of open sessions: asked here, taken up by whichever
//! gateway sees it first, answered in the store.

use std::time::Duration;

use doorward_domain::id::{RequestId, SessionId};
use doorward_domain::policy::reply;
use doorward_domain::reply::ReplyAttributes;
use doorward_domain::session::Demand;
use doorward_domain::time::Now;
use doorward_store::AttemptStore as _;
use doorward_store::Unavailable;
use doorward_store::attempts::{AccountKey, Fetch};
use doorward_store::sessions::{DemandState, NewDemand, SessionRecord};

use super::{By, Directory, DirectoryError, SessionView};

/// How long a request waits for a gateway to take it up. Past it none does, so that what was asked
/// while none ran is not done when nobody expects it any more.
pub const WAITS: Duration = Duration::from_secs(10);

impl Directory {
    /// An open session; stale is one that was not heard of for `stale_after`.
    ///
    /// # Errors
    /// No such session, or it is over; the store cannot answer.
    pub async fn open_session(
        &self,
        session: SessionId,
        stale_after: Duration,
        now: Now,
    ) -> Result<SessionView, DirectoryError> {
        let record = self.open_record(session).await?;
        Ok(SessionView::of(record, now.wall.minus(stale_after)))
    }

    /// Asks a gateway to ask the client of an open session for something.
    ///
    /// # Errors
    /// No such session, or it is over; its client would be told nothing; the store cannot answer.
    pub async fn demand_of_session(
        &self,
        by: &By,
        session: SessionId,
        demand: Demand,
    ) -> Result<RequestId, DirectoryError> {
        by.admin()?;
        let record = self.open_record(session).await?;
        if demand == Demand::Reauthorize && self.reply_now(&record).await?.is_empty() {
            return Err(DirectoryError::NothingToTell);
        }
        let request = RequestId::new(by.now.wall);
        let asked = self.store.ask_of_session(NewDemand {
            request,
            session,
            demand,
            actor: by.actor.clone(),
            at: by.now.wall,
            lapses: by.now.wall.plus(WAITS),
        });
        if asked.await? {
            Ok(request)
        } else {
            Err(not_open(session))
        }
    }

    /// How a request stands; none where it was forgotten.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn demand_state(
        &self,
        request: RequestId,
    ) -> Result<Option<DemandState>, DirectoryError> {
        Ok(self.store.demand_state(request).await?)
    }

    async fn open_record(&self, session: SessionId) -> Result<SessionRecord, DirectoryError> {
        let found = self.store.open_session(session).await?;
        found.ok_or_else(|| not_open(session))
    }

    /// The reply attributes that whoever has a session would get now.
    pub(super) async fn reply_now(
        &self,
        record: &SessionRecord,
    ) -> Result<ReplyAttributes, Unavailable> {
        if let Some(account) = record.account {
            let key = AccountKey::Id(account);
            let read = self
                .store
                .read_attempt(&key, record.resource.as_ref(), None, Fetch::Accept)
                .await?;
            let grants = read.account.map(|record| record.reply).unwrap_or_default();
            return Ok(reply::merge(grants).attributes());
        }
        let device = match record.address {
            Some(address) => self.store.read_device(address).await?,
            None => None,
        };
        Ok(reply::of_device(device.and_then(|device| device.vlan)))
    }
}

fn not_open(session: SessionId) -> DirectoryError {
    DirectoryError::NotFound {
        kind: "open session",
        name: session.to_string(),
        nearest: None,
    }
}
