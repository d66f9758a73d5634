//! Sessions.

use crate::sessions::{
    DemandState, DisconnectOutcome, KeptSessions, NewDemand, OpenSession, SessionFilter,
    SessionRecord, WaitingDemand,
};
use crate::{SessionStore, Unavailable};
use doorward_domain::id::{RequestId, SessionId};
use doorward_domain::name::ClientName;
use doorward_domain::session::{Nas, SessionReport};
use doorward_domain::time::Timestamp;

use super::super::readers::Lane;
use super::super::waiting::Line;
use super::super::{SqliteStore, demands, sessions};

/// How many sessions of a NAS that restarted end in one command.
const ENDED_AT_ONCE: usize = 100;

impl SessionStore for SqliteStore {
    async fn record_session(&self, report: SessionReport) -> Result<(), Unavailable> {
        let line = Line::Report(report.nas.client.clone());
        self.write_in(line, move |connection| {
            sessions::record_report(connection, &report)
        })
        .await?;
        Ok(())
    }

    async fn end_sessions_of(&self, nas: Nas, at: Timestamp) -> Result<(), Unavailable> {
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

    async fn sessions(
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

    async fn open_sessions(
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

    async fn open_session(&self, session: SessionId) -> Result<Option<SessionRecord>, Unavailable> {
        let found = self
            .read(Lane::Lookups, move |view| {
                sessions::open_one(view.connection, sessions::session_key(session))
            })
            .await?;
        Ok(found)
    }

    async fn ask_of_session(&self, new: NewDemand) -> Result<bool, Unavailable> {
        let asked = self
            .write(move |connection| demands::ask(connection, &new))
            .await?;
        Ok(asked)
    }

    async fn waiting_demands(
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

    async fn take_demand(&self, request: RequestId, now: Timestamp) -> Result<bool, Unavailable> {
        let taken = self
            .write(move |connection| demands::take(connection, request, now))
            .await?;
        Ok(taken)
    }

    async fn demand_state(&self, request: RequestId) -> Result<Option<DemandState>, Unavailable> {
        let state = self
            .read(Lane::Lookups, move |view| {
                demands::state(view.connection, request)
            })
            .await?;
        Ok(state)
    }

    async fn claim_disconnect(
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

    async fn settle_disconnect(&self, outcome: DisconnectOutcome) -> Result<(), Unavailable> {
        self.write(move |connection| sessions::settle(connection, &outcome))
            .await?;
        Ok(())
    }

    async fn end_silent_sessions(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> Result<usize, Unavailable> {
        let ended = self
            .write(move |connection| sessions::end_silent(connection, before, limit))
            .await?;
        Ok(ended)
    }

    async fn kept_sessions(&self) -> Result<KeptSessions, Unavailable> {
        let kept = self
            .read(Lane::Scans, |view| sessions::kept(view.connection))
            .await?;
        Ok(kept)
    }

    async fn end_oldest_sessions(
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

    async fn forget_oldest_sessions(
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

    async fn forget_sessions(&self, before: Timestamp, limit: usize) -> Result<usize, Unavailable> {
        let gone = self
            .write(move |connection| sessions::forget(connection, before, limit))
            .await?;
        Ok(gone)
    }
}
