//! Sessions.

use crate::sessions::{
    DemandState, DisconnectOutcome, KeptSessions, NewDemand, OpenSession, SessionFilter,
    SessionRecord, WaitingDemand,
};
use crate::{Store, Unavailable};
use doorward_domain::id::{RequestId, SessionId};
use doorward_domain::name::ClientName;
use doorward_domain::session::{Nas, SessionReport};
use doorward_domain::time::Timestamp;

use super::super::readers::Lane;
use super::super::waiting::Line;
use super::super::{demands, sessions};

/// How many sessions of a NAS that restarted end in one command.
const ENDED_AT_ONCE: usize = 100;

impl Store {
    /// Records a report, once however often it comes. A session that nobody saw begin begins with
    /// the first report of it; what is older than what is known changes nothing.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn record_session(&self, report: SessionReport) -> Result<(), Unavailable> {
        let line = Line::Report(report.nas.client.clone());
        self.write_in(line, move |connection| {
            sessions::record_report(connection, &report)
        })
        .await?;
        Ok(())
    }

    /// Ends every open session of a NAS that began before it restarted `at`.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn end_sessions_of(&self, nas: Nas, at: Timestamp) -> Result<(), Unavailable> {
        // In portions, so that nobody waits for all that a large one had.
        loop {
            let (line, nas) = (Line::Report(nas.client.clone()), nas.clone());
            let ended = self
                .write_in(line, move |connection| {
                    sessions::end_of_nas(connection, &nas, at, ENDED_AT_ONCE)
                })
                .await?;
            if ended < ENDED_AT_ONCE {
                return Ok(());
            }
        }
    }

    /// Sessions after the one named, in the order of their identifiers, at most `limit`.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn sessions(
        &self,
        filter: &SessionFilter,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Vec<SessionRecord>, Unavailable> {
        let filter = filter.clone();
        let found = self
            .read(Lane::Lookups, move |view| {
                sessions::list(view.connection, &filter, after, limit)
            })
            .await?;
        Ok(found)
    }

    /// Open sessions of known accounts and devices at known resources whose client may be asked at `now`, after
    /// the one named, at most `limit`.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn open_sessions(
        &self,
        now: Timestamp,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Vec<OpenSession>, Unavailable> {
        let found = self
            .read(Lane::Lookups, move |view| {
                sessions::open(view.connection, now, after, limit)
            })
            .await?;
        Ok(found)
    }

    /// An open session.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn open_session(
        &self,
        session: SessionId,
    ) -> Result<Option<SessionRecord>, Unavailable> {
        let found = self
            .read(Lane::Lookups, move |view| {
                sessions::open_one(view.connection, sessions::session_key(session))
            })
            .await?;
        Ok(found)
    }

    /// Asks for something of an open session's client; false where it is not open.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn ask_of_session(&self, new: NewDemand) -> Result<bool, Unavailable> {
        let asked = self
            .write(move |connection| demands::ask(connection, &new))
            .await?;
        Ok(asked)
    }

    /// Requests about open sessions that nobody took up and that have not lapsed, the oldest first,
    /// at most `limit`.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn waiting_demands(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<WaitingDemand>, Unavailable> {
        let found = self
            .read(Lane::Lookups, move |view| {
                demands::waiting(view.connection, now, limit)
            })
            .await?;
        Ok(found)
    }

    /// Takes a request up for the caller alone. False where another did, or it has lapsed.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn take_demand(
        &self,
        request: RequestId,
        now: Timestamp,
    ) -> Result<bool, Unavailable> {
        let taken = self
            .write(move |connection| demands::take(connection, request, now))
            .await?;
        Ok(taken)
    }

    /// How a request stands; none where there is none.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn demand_state(
        &self,
        request: RequestId,
    ) -> Result<Option<DemandState>, Unavailable> {
        let state = self
            .read(Lane::Lookups, move |view| {
                demands::state(view.connection, request)
            })
            .await?;
        Ok(state)
    }

    /// Takes it upon the caller to ask for a session's end at `now`; nobody else may ask before
    /// `again`. False where it is over or another took it.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn claim_disconnect(
        &self,
        session: SessionId,
        now: Timestamp,
        again: Timestamp,
    ) -> Result<bool, Unavailable> {
        let claimed = self
            .write(move |connection| sessions::claim(connection, session, now, again))
            .await?;
        Ok(claimed)
    }

    /// Records what became of it.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn settle_disconnect(&self, outcome: DisconnectOutcome) -> Result<(), Unavailable> {
        self.write(move |connection| sessions::settle(connection, &outcome))
            .await?;
        Ok(())
    }

    /// Ends at most `limit` open sessions that were last heard of before `before`; says how many.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn end_silent_sessions(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> Result<usize, Unavailable> {
        let ended = self
            .write(move |connection| sessions::end_silent(connection, before, limit))
            .await?;
        Ok(ended)
    }

    /// How many sessions are kept.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn kept_sessions(&self) -> Result<KeptSessions, Unavailable> {
        let kept = self
            .read(Lane::Scans, |view| sessions::kept(view.connection))
            .await?;
        Ok(kept)
    }

    /// Takes at most `limit` open sessions of a client to be over, those not heard of for longest
    /// first; says how many.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn end_oldest_sessions(
        &self,
        client: &ClientName,
        limit: usize,
    ) -> Result<usize, Unavailable> {
        let client = client.clone();
        let ended = self
            .write(move |connection| sessions::end_oldest(connection, &client, limit))
            .await?;
        Ok(ended)
    }

    /// Removes at most `limit` sessions of a client, those that were over first; says how many.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn forget_oldest_sessions(
        &self,
        client: &ClientName,
        limit: usize,
    ) -> Result<usize, Unavailable> {
        let client = client.clone();
        let gone = self
            .write(move |connection| sessions::forget_oldest(connection, &client, limit))
            .await?;
        Ok(gone)
    }

    /// Removes at most `limit` sessions that were over before `before`; says how many.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn forget_sessions(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> Result<usize, Unavailable> {
        let gone = self
            .write(move |connection| sessions::forget(connection, before, limit))
            .await?;
        Ok(gone)
    }
}
