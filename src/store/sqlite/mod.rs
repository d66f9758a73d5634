//! The store in one SQLite file: write-ahead log, full synchronisation, one writer that commits
//! whole groups of commands, several readers.
//!
//! Another process beside this one is normal: nothing read is kept across reads but what is
//! compared with the file first. It knows no rule of the gateway: instants and numbers are handed
//! in, and it counts and compares.

mod apply;
mod attempts;
mod backup;
mod demands;
mod devices;
mod events;
mod fault;
mod file;
mod groups;
mod known_origins;
mod lifecycle;
mod lists;
mod merge;
mod numbers;
mod open;
mod outbox;
mod places;
mod readers;
mod reply;
mod rows;
mod schema;
mod sessions;
mod sudo;
mod users;
mod writer;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

pub use backup::{BackupError, backup, restore};
pub use file::StrayJournal;
pub use open::{OpenError, OpenOptions};

use crate::domain::certificate::CertificateNames;
use crate::domain::device::MacAddress;
use crate::domain::event::{AttemptEvent, Event};
use crate::domain::id::{
    AccountId, DeviceId, EventId, GroupId, PlaceId, RequestId, ServiceId, SessionId, SudoRuleId,
};
use crate::domain::name::ResourceName;
use crate::domain::names::{Lists, Members, NameList, Part, Portion};
use crate::domain::origin::OriginKey;
use crate::domain::reply::ReplyGrant;
use crate::domain::rules::{PlaceLimits, PolicySettings};
use crate::domain::secret::HashText;
use crate::domain::session::{Nas, SessionReport};
use crate::domain::time::Timestamp;

use super::attempts::{
    AccountKey, AttemptRead, Confirmation, Fetch, PlaceAnswer, ServiceRecord, SettleAnswer,
    Settlement, TakePlace,
};
use super::changes::{
    Applied, ChangeRefused, Charged, Command, GroupFilter, Noticed, SudoFilter, TimeSpans,
    UserFilter,
};
use super::events::EventQuery;
use super::records::{
    Binding, BoundTo, DeviceRecord, GroupRecord, QueuedMail, ReplyMapping, ServiceSummary,
    SudoRuleRecord, UserEntries, UserRecord,
};
use super::sessions::{
    DemandState, DisconnectOutcome, NewDemand, OpenSession, SessionFilter, SessionRecord,
    WaitingDemand,
};
use super::{AttemptStore, DirectoryStore, EventStore, SessionStore, Store, Unavailable};

use fault::Fault;
use merge::{Gathered, Merges, count_dropped};
use numbers::Numbering;
use readers::{Lane, Readers, View};
use writer::{Asked, Message};

/// How many users of a group one read finds at most, where all of them are wanted.
const PIECE: usize = 2000;

/// The store in one SQLite file. Clones share its threads; when the last one goes, what was
/// queued is committed and the file closed.
#[derive(Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
}

struct Inner {
    // Dropped in this order: readers, then the writer, so that the last connection to close is
    // one that may tidy the write-ahead log away.
    readers: Option<Readers>,
    queue: Option<SyncSender<Message>>,
    writer: Option<JoinHandle<()>>,
    merges: Arc<Merges>,
    deadline: Duration,
    numbering: Arc<Numbering>,
    path: PathBuf,
    _lock: File,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.readers = None;
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            drop(writer.join());
        }
    }
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SqliteStore")
            .field("path", &self.inner.path)
            .finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    async fn read<T, F>(&self, lane: Lane, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&mut View<'_>) -> Result<T, Fault> + Send + 'static,
    {
        let readers = self
            .inner
            .readers
            .as_ref()
            .ok_or_else(|| Unavailable("the store is closed".to_owned()))?;
        let answer = readers.ask(lane, work)?;
        self.answer(answer).await
    }

    /// What is in a group, each piece by a read of its own, so that others are read in between.
    /// Whoever was in it all the while is found, whatever changed meanwhile.
    async fn members_in_pieces(&self, group: GroupId) -> Result<Members, Fault> {
        let read = move |view: &mut View<'_>| {
            let containers = groups::inside(view.connection, group)?;
            Ok((containers, groups::groups_in(view.connection, group)?))
        };
        let (containers, groups) = self.read(Lane::Scans, read).await?;
        let mut users = NameList::default();
        for container in containers {
            let mut after = None;
            loop {
                let read = move |view: &mut View<'_>| {
                    groups::some_users_in(view.connection, container, after, PIECE)
                };
                let (names, last) = self.read(Lane::Scans, read).await?;
                users.append(&names);
                after = last;
                if after.is_none() {
                    break;
                }
            }
        }
        // As much work as a few pieces, and done where they are.
        let users = self
            .read(Lane::Scans, move |_| Ok(users.distinct()))
            .await?;
        Ok(Members { users, groups })
    }

    async fn write<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        let (job, answer) = Asked::job(work);
        self.send(Message::Job(job))?;
        self.answer(answer).await
    }

    fn send(&self, message: Message) -> Result<(), Unavailable> {
        let queue = self
            .inner
            .queue
            .as_ref()
            .ok_or_else(|| Unavailable("the store is closed".to_owned()))?;
        queue.try_send(message).map_err(|error| {
            Unavailable(match error {
                TrySendError::Full(_) => "the writer's queue is full".to_owned(),
                TrySendError::Disconnected(_) => "the store is closed".to_owned(),
            })
        })
    }

    async fn answer<T>(&self, answer: oneshot::Receiver<Result<T, Fault>>) -> Result<T, Fault> {
        match tokio::time::timeout(self.inner.deadline, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Unavailable("the store is closed".to_owned()).into()),
            Err(_) => Err(Unavailable("the store did not answer in time".to_owned()).into()),
        }
    }
}

impl AttemptStore for SqliteStore {
    async fn read_attempt(
        &self,
        key: &AccountKey,
        resource: Option<&ResourceName>,
        origin: Option<&OriginKey>,
        fetch: Fetch,
    ) -> Result<AttemptRead, Unavailable> {
        let (key, resource, origin) = (key.clone(), resource.cloned(), origin.cloned());
        let read = self
            .read(Lane::Attempts, move |view| {
                attempts::read(view, &key, resource.as_ref(), origin.as_ref(), fetch)
            })
            .await?;
        Ok(read)
    }

    async fn read_service(&self, name: &str) -> Result<Option<ServiceRecord>, Unavailable> {
        let name = name.to_owned();
        let read = self
            .read(Lane::Attempts, move |view| {
                attempts::service(view.connection, &name)
            })
            .await?;
        Ok(read)
    }

    async fn read_services_certified(
        &self,
        names: &CertificateNames,
    ) -> Result<Vec<ServiceRecord>, Unavailable> {
        let names = names.clone();
        let read = self
            .read(Lane::Attempts, move |view| {
                attempts::services_certified(view.connection, &names)
            })
            .await?;
        Ok(read)
    }

    async fn read_device(&self, address: MacAddress) -> Result<Option<DeviceRecord>, Unavailable> {
        let read = self
            .read(Lane::Attempts, move |view| {
                devices::find(view.connection, address)
            })
            .await?;
        Ok(read)
    }

    async fn take_place(&self, take: TakePlace) -> Result<PlaceAnswer, Unavailable> {
        let answer = self
            .write(move |connection| places::take(connection, &take))
            .await?;
        Ok(answer)
    }

    async fn give_back(&self, place: PlaceId) -> Result<(), Unavailable> {
        self.write(move |connection| places::give_back(connection, place))
            .await?;
        Ok(())
    }

    async fn settle(&self, settlement: Settlement) -> Result<SettleAnswer, Unavailable> {
        let answer = self
            .write(move |connection| places::settle(connection, &settlement))
            .await?;
        Ok(answer)
    }

    async fn confirm_failure(
        &self,
        confirmation: Confirmation,
    ) -> Result<SettleAnswer, Unavailable> {
        let answer = self
            .write(move |connection| places::confirm(connection, &confirmation))
            .await?;
        Ok(answer)
    }

    async fn keep_pace(&self) -> Result<(), Unavailable> {
        self.write(rows::touch_probe).await?;
        Ok(())
    }

    async fn record_attempt(
        &self,
        at: Timestamp,
        event: AttemptEvent,
    ) -> Result<EventId, Unavailable> {
        let id = self
            .write(move |connection| places::record_attempt(connection, at, &event))
            .await?;
        Ok(id)
    }

    fn merge_attempt(&self, at: Timestamp, event: AttemptEvent) {
        match self.inner.merges.add(at, event) {
            // A full queue needs no telling: the writer takes along what waits here with the
            // next group.
            Gathered::First | Gathered::Crowded => drop(self.send(Message::Merged)),
            Gathered::Joined => {}
            Gathered::Dropped => count_dropped(1),
        }
    }

    async fn rehash(
        &self,
        account: AccountId,
        old: HashText,
        new: HashText,
    ) -> Result<(), Unavailable> {
        self.write(move |connection| attempts::rehash(connection, account, &old, &new))
            .await?;
        Ok(())
    }

    async fn rehash_service(
        &self,
        service: ServiceId,
        old: HashText,
        new: HashText,
    ) -> Result<(), Unavailable> {
        self.write(move |connection| attempts::rehash_service(connection, service, &old, &new))
            .await?;
        Ok(())
    }
}

impl DirectoryStore for SqliteStore {
    async fn apply(&self, command: Command) -> Result<Applied, ChangeRefused> {
        let numbering = Arc::clone(&self.inner.numbering);
        let applied = self
            .write(move |connection| apply::apply(connection, &numbering, &command))
            .await?;
        Ok(applied)
    }

    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method's path is not general enough over the view's lifetime"
    )]
    async fn policy(&self) -> Result<Arc<PolicySettings>, Unavailable> {
        let policy = self.read(Lane::Lookups, |view| view.policy()).await?;
        Ok(policy)
    }

    async fn users(
        &self,
        filter: &UserFilter,
        after: Option<AccountId>,
        limit: usize,
    ) -> Result<Vec<UserRecord>, Unavailable> {
        let filter = filter.clone();
        let lane = Lane::of_users(&filter);
        let found = self
            .read(lane, move |view| {
                users::list(view.connection, &filter, after, limit)
            })
            .await?;
        Ok(found)
    }

    async fn groups(
        &self,
        filter: &GroupFilter,
        after: Option<GroupId>,
        limit: usize,
    ) -> Result<Vec<GroupRecord>, Unavailable> {
        let filter = filter.clone();
        let lane = Lane::of_groups(&filter, Lists::UpTo(usize::MAX));
        let found = self
            .read(lane, move |view| {
                groups::list(view.connection, &filter, after, limit)
            })
            .await?;
        Ok(found)
    }

    async fn user_entries(
        &self,
        filter: &UserFilter,
        after: Option<AccountId>,
        portion: Portion,
    ) -> Result<UserEntries, Unavailable> {
        let filter = filter.clone();
        let lane = Lane::of_users(&filter);
        let found = self
            .read(lane, move |view| {
                let users = users::entries(view.connection, &filter, after, portion)?;
                let policy = view.policy()?;
                Ok(UserEntries { users, policy })
            })
            .await?;
        Ok(found)
    }

    async fn group_entries(
        &self,
        filter: &GroupFilter,
        after: Option<GroupId>,
        portion: Portion,
    ) -> Result<Vec<(GroupRecord, Part<Members>)>, Unavailable> {
        let filter = filter.clone();
        let lane = Lane::of_groups(&filter, portion.lists);
        let found = self
            .read(lane, move |view| {
                groups::entries(view.connection, &filter, after, portion)
            })
            .await?;
        Ok(found)
    }

    async fn groups_of(&self, account: AccountId) -> Result<NameList, Unavailable> {
        let found = self
            .read(Lane::Scans, move |view| {
                users::groups_of(view.connection, account)
            })
            .await?;
        Ok(found)
    }

    async fn members_of(&self, group: GroupId) -> Result<Members, Unavailable> {
        Ok(self.members_in_pieces(group).await?)
    }

    async fn sudo_rules(
        &self,
        filter: &SudoFilter,
        after: Option<SudoRuleId>,
        limit: usize,
    ) -> Result<Vec<SudoRuleRecord>, Unavailable> {
        let filter = filter.clone();
        let found = self
            .read(Lane::Lookups, move |view| {
                sudo::list(view.connection, &filter, after, limit)
            })
            .await?;
        Ok(found)
    }

    async fn reply_mappings(&self) -> Result<Vec<ReplyMapping>, Unavailable> {
        let found = self
            .read(Lane::Lookups, |view| reply::mappings(view.connection))
            .await?;
        Ok(found)
    }

    async fn reply_grants(
        &self,
        account: AccountId,
        resource: Option<&ResourceName>,
    ) -> Result<Vec<ReplyGrant>, Unavailable> {
        let resource = resource.cloned();
        let found = self
            .read(Lane::Lookups, move |view| {
                reply::grants(view.connection, account, resource.as_ref())
            })
            .await?;
        Ok(found)
    }

    async fn services(&self) -> Result<Vec<ServiceSummary>, Unavailable> {
        let found = self
            .read(Lane::Lookups, |view| groups::services(view.connection))
            .await?;
        Ok(found)
    }

    async fn devices(
        &self,
        after: Option<DeviceId>,
        limit: usize,
    ) -> Result<Vec<DeviceRecord>, Unavailable> {
        let found = self
            .read(Lane::Lookups, move |view| {
                devices::list(view.connection, after, limit)
            })
            .await?;
        Ok(found)
    }

    async fn bindings(&self) -> Result<Vec<Binding>, Unavailable> {
        let found = self
            .read(Lane::Lookups, |view| groups::bindings(view.connection))
            .await?;
        Ok(found)
    }

    async fn binding_path(
        &self,
        account: AccountId,
        resource: &ResourceName,
    ) -> Result<Option<Vec<BoundTo>>, Unavailable> {
        let resource = resource.clone();
        let found = self
            .read(Lane::Lookups, move |view| {
                groups::binding_path(view.connection, account, &resource)
            })
            .await?;
        Ok(found)
    }

    async fn password_history(
        &self,
        account: AccountId,
        limit: u32,
    ) -> Result<Vec<HashText>, Unavailable> {
        let found = self
            .read(Lane::Lookups, move |view| {
                users::password_history(view.connection, account, limit)
            })
            .await?;
        Ok(found)
    }

    async fn charged(
        &self,
        account: AccountId,
        limits: &PlaceLimits,
    ) -> Result<Charged, Unavailable> {
        let limits = *limits;
        let found = self
            .read(Lane::Lookups, move |view| {
                places::look(view.connection, account, &limits)
            })
            .await?;
        Ok(found)
    }

    async fn failure_times(
        &self,
        account: AccountId,
        limits: &PlaceLimits,
    ) -> Result<Vec<Timestamp>, Unavailable> {
        let limits = *limits;
        let found = self
            .read(Lane::Lookups, move |view| {
                places::failure_times(view.connection, account, &limits)
            })
            .await?;
        Ok(found)
    }

    async fn policy_history(&self) -> Result<Vec<Event>, Unavailable> {
        let found = self
            .read(Lane::Lookups, |view| {
                apply::policy::history(view.connection)
            })
            .await?;
        Ok(found)
    }

    async fn lifecycle_cursor(&self) -> Result<Timestamp, Unavailable> {
        let cursor = self
            .read(Lane::Lookups, |view| lifecycle::cursor(view.connection))
            .await?;
        Ok(cursor)
    }

    async fn users_touched_by_time(
        &self,
        spans: &TimeSpans,
        after: Option<AccountId>,
        limit: usize,
    ) -> Result<Vec<UserRecord>, Unavailable> {
        let spans = spans.clone();
        let found = self
            .read(Lane::Lookups, move |view| {
                users::touched_by_time(view.connection, &spans, after, limit)
            })
            .await?;
        Ok(found)
    }

    async fn notice(&self, noticed: Noticed) -> Result<bool, Unavailable> {
        let moved = self
            .write(move |connection| lifecycle::notice(connection, &noticed))
            .await?;
        Ok(moved)
    }

    async fn queued_mail(&self, limit: usize) -> Result<Vec<QueuedMail>, Unavailable> {
        let found = self
            .read(Lane::Lookups, move |view| {
                outbox::queued(view.connection, limit)
            })
            .await?;
        Ok(found)
    }

    async fn directory_version(&self) -> Result<u64, Unavailable> {
        let version = self
            .read(Lane::Lookups, |view| {
                rows::meta(view.connection, "directory_version")
            })
            .await?;
        Ok(u64::try_from(version).unwrap_or(0))
    }
}

impl EventStore for SqliteStore {
    async fn events(&self, query: &EventQuery) -> Result<Vec<Event>, Unavailable> {
        let query = query.clone();
        let found = self
            .read(Lane::Lookups, move |view| {
                events::query(view.connection, &query)
            })
            .await?;
        Ok(found)
    }

    async fn newest_event(&self) -> Result<Option<Timestamp>, Unavailable> {
        let newest = self
            .read(Lane::Lookups, |view| events::newest(view.connection))
            .await?;
        Ok(newest)
    }

    async fn forget_events(&self, before: Timestamp, limit: usize) -> Result<usize, Unavailable> {
        let gone = self
            .write(move |connection| events::forget(connection, before, limit))
            .await?;
        Ok(gone)
    }

    async fn events_bytes(&self) -> Result<u64, Unavailable> {
        let bytes = self
            .read(Lane::Lookups, |view| events::bytes(view.connection))
            .await?;
        Ok(bytes)
    }

    async fn count_events_anew(&self) -> Result<(), Unavailable> {
        let by = self
            .read(Lane::Scans, |view| events::miscounted(view.connection))
            .await?;
        self.write(move |connection| events::correct(connection, by))
            .await?;
        Ok(())
    }

    async fn shed_events(&self, most: u64, limit: usize) -> Result<usize, Unavailable> {
        let gone = self
            .write(move |connection| events::shed(connection, most, limit))
            .await?;
        Ok(gone)
    }
}

impl SessionStore for SqliteStore {
    async fn record_session(&self, report: SessionReport) -> Result<(), Unavailable> {
        self.write(move |connection| sessions::record_report(connection, &report))
            .await?;
        Ok(())
    }

    async fn end_sessions_of(&self, nas: Nas, at: Timestamp) -> Result<(), Unavailable> {
        self.write(move |connection| sessions::end_of_nas(connection, &nas, at))
            .await?;
        Ok(())
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

    async fn forget_sessions(&self, before: Timestamp, limit: usize) -> Result<usize, Unavailable> {
        let gone = self
            .write(move |connection| sessions::forget(connection, before, limit))
            .await?;
        Ok(gone)
    }
}

impl Store for SqliteStore {
    async fn probe(&self) -> Result<(), Unavailable> {
        let written = self.write(rows::touch_probe).await?;
        let read = self
            .read(Lane::Attempts, |view| rows::meta(view.connection, "probe"))
            .await?;
        // Another process may have probed in between.
        if read < written {
            return Err(Unavailable(
                "what was written is not what is read".to_owned(),
            ));
        }
        Ok(())
    }
}
