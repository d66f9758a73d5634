//! What reads the directory beside the connection: begun, answered, abandoned.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::{counter, histogram};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tracing::{Instrument as _, debug_span, error};

use super::super::Searches;
use super::super::stream::Stream;
use super::admission::weight;
use super::{BYTES_IN_FLIGHT, Connection, LOOK};
use doorward_domain::origin::Source;
use doorward_domain::time::Now;
use doorward_frontend_api::Read;
use doorward_frontend_api::{Decide, Undecided};
use doorward_ldap_protocol::compare;
use doorward_ldap_protocol::decode::{MessageId, RequestKind};
use doorward_ldap_protocol::result::{ResultCode, SearchEntry};
use doorward_ldap_protocol::search;
use doorward_ldap_protocol::search::cost;
use doorward_ldap_protocol::search::cost::Class;
use doorward_ldap_protocol::search::plan::Plan;
use doorward_ldap_protocol::search::{Ended, Found, Needs, Pace, Share, Taken, View};
use doorward_ldap_protocol::session::{CloseReason, Identity, Job, Step, Work};
use doorward_ldap_protocol::settings::Settings;

/// How long an operation that found an entry holds what it has while a client reads nothing. Then
/// it gives it back, and looks the entry up again when there is room for it.
const PATIENCE: Duration = Duration::from_millis(100);

/// What an operation hands over.
pub(super) enum Event {
    Found(Box<Handed>),
    /// Boxed, since a channel keeps room for many of the largest kind.
    Finished(Box<Result<Ended, Undecided>>),
}

/// An entry on its way to the client, with the room that it takes up until it is written.
pub(super) struct Handed {
    pub(super) entry: SearchEntry,
    _waiting: OwnedSemaphorePermit,
    _held: Option<Share>,
}

/// An operation that runs.
pub(super) struct Running {
    id: MessageId,
    kind: RequestKind,
    begun: Now,
    task: AbortHandle,
    /// What its request weighs, and the room that it has where it is long.
    pub(super) weight: usize,
    _request: Option<Share>,
}

impl<S: Stream> Connection<S> {
    /// Lets every operation end, and hands out its answers, before a bind.
    pub(super) async fn finish_operations(&mut self) -> Result<(), CloseReason> {
        while !self.running.is_empty() {
            self.flush().await?;
            tokio::select! {
                biased;
                Some((serial, event)) = self.answers.recv() => {
                    self.answer(serial, event).await?;
                }
                Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    check(&ended)?;
                }
                () = sleep(LOOK) => self.look()?,
            }
        }
        Ok(())
    }

    pub(super) fn start(&mut self, work: Work, now: Now) {
        let serial = self.begun;
        self.begun += 1;
        let (id, kind) = (work.id, work.job.kind());
        let weight = weight(&work.job, self.last_bytes);
        let settings = self.conversation.settings();
        let (class, plan) = cost::judge(&work.job, &work.identity, &settings.tree);
        let operation = Operation {
            work,
            class,
            plan,
            settings: Arc::clone(settings),
            directory: Arc::clone(&self.services.directory),
            searches: self.services.searches.clone(),
            source: self.conversation.source().aggregate(),
            now,
            outlet: Outlet {
                serial,
                answers: self.answer_with.clone(),
                room: Arc::clone(&self.room),
                next: Mutex::default(),
            },
        };
        let span = debug_span!("operation", message.id = id.get(), operation = kind.label());
        let threads = operation.searches.threads.clone();
        let operation = operation.run().instrument(span);
        let task = match class {
            Class::Quick => self.tasks.spawn(operation),
            Class::Heavy => self.tasks.spawn_on(operation, &threads),
        };
        self.running.insert(
            serial,
            Running {
                id,
                kind,
                begun: now,
                task,
                weight,
                _request: self.admission.take(),
            },
        );
    }

    pub(super) fn abandon(&mut self, id: MessageId) {
        let found = self.running.iter().find(|(_, running)| running.id == id);
        if let Some(serial) = found.map(|(serial, _)| *serial)
            && let Some(running) = self.running.remove(&serial)
        {
            running.task.abort();
            self.story.forget(id);
        }
    }

    /// Takes what an operation hands over; what comes late from an abandoned one is dropped.
    pub(super) async fn answer(&mut self, serial: u64, event: Event) -> Result<(), CloseReason> {
        let Some(running) = self.running.get(&serial) else {
            return Ok(());
        };
        let id = running.id;
        match event {
            Event::Found(found) => self.put_entry(id, *found).await?,
            Event::Finished(outcome) => {
                let (kind, begun) = (running.kind, running.begun);
                self.running.remove(&serial);
                self.took(kind, begun);
                match self.conversation.finished(id, kind, *outcome) {
                    Step::Send(reply) => self.put(reply),
                    Step::Close(closing) => return Err(self.close(closing)),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    pub(super) fn took(&self, kind: RequestKind, begun: Now) {
        let span = self.services.clock.now().mono.since(begun.mono);
        histogram!("doorward_ldap_request_seconds", "operation" => kind.label())
            .record(span.as_secs_f64());
    }
}

/// An operation, and all that it runs with.
struct Operation {
    work: Work,
    class: Class,
    plan: Option<Plan>,
    settings: Arc<Settings>,
    directory: Arc<dyn Read>,
    searches: Searches,
    source: Source,
    now: Now,
    outlet: Outlet,
}

impl Operation {
    /// Runs it within the time there is for it, waiting for its turn included.
    async fn run(self) {
        let wanted = match &self.work.job {
            Job::Search(wanted) => wanted.search.time_limit,
            Job::Compare(_) => None,
        };
        let own = self.settings.search.time;
        let limit = wanted.map_or(own, |seconds| {
            Duration::from_secs(u64::from(seconds.get())).min(own)
        });
        let outcome = timeout(limit, self.work_off())
            .await
            .unwrap_or_else(|_| Ok(ResultCode::TimeLimitExceeded.into()));
        let Outlet {
            serial, answers, ..
        } = self.outlet;
        // Nobody listens where the connection has ended.
        let _ = answers
            .send((serial, Event::Finished(Box::new(outcome))))
            .await;
    }

    async fn work_off(&self) -> Result<Ended, Undecided> {
        let capacity = self.searches.capacity.as_ref();
        let Work { job, identity, .. } = &self.work;
        let (tree, most) = (&self.settings.tree, self.settings.search.size);
        let room = cost::room(job, identity, self.class, tree, most);
        let pace = Pace::new(capacity, &self.source, self.class, room);
        let view = View {
            settings: &self.settings,
            identity: &self.work.identity,
            asking: &self.work.asking,
            mechanisms: self.work.mechanisms,
            directory: &self.directory,
            now: self.now,
            pace: &pace,
            needs: Needs::default(),
            plan: self.plan.as_ref(),
        };
        match &self.work.job {
            Job::Search(wanted) => search::run(wanted, &view, &self.outlet).await,
            Job::Compare(wanted) => compare::run(wanted, &view).await.map(Ended::from),
        }
    }
}

/// Hands over the entries of one search.
struct Outlet {
    serial: u64,
    answers: mpsc::Sender<(u64, Event)>,
    room: Arc<Semaphore>,
    next: Mutex<Next>,
}

/// The entry that comes next among those that wait to be written.
#[derive(Default)]
struct Next {
    /// How many bytes it takes, where it was found before.
    bytes: u32,
    /// Room for it.
    room: Option<OwnedSemaphorePermit>,
}

impl Outlet {
    fn next(&self) -> MutexGuard<'_, Next> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Room for an entry of so many bytes, and a place; none where nobody wants any more.
    async fn place(
        &self,
        bytes: u32,
    ) -> Option<(OwnedSemaphorePermit, mpsc::Permit<'_, (u64, Event)>)> {
        let had = self.next().room.take();
        let had = had.filter(|room| room.num_permits() >= widened(bytes));
        let room = if let Some(room) = had {
            room
        } else {
            let room = Arc::clone(&self.room).acquire_many_owned(bytes);
            room.await.ok()?
        };
        let place = self.answers.reserve().await.ok()?;
        Some((room, place))
    }
}

impl Found for Outlet {
    async fn take(&self, entry: SearchEntry, held: Option<Share>, pace: &Pace<'_>) -> Taken {
        let bytes = entry.held().clamp(1, BYTES_IN_FLIGHT);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let mut found = std::pin::pin!(self.place(bytes));
        let found = tokio::select! {
            biased;
            found = &mut found => Ok(found),
            () = std::future::ready(()) => {
                pace.rest();
                timeout(PATIENCE, found).await
            }
        };
        match found {
            Ok(Some((waiting, slot))) => {
                let handed = Handed {
                    entry,
                    _waiting: waiting,
                    _held: held,
                };
                slot.send((self.serial, Event::Found(Box::new(handed))));
                Taken::Yes
            }
            Ok(None) => Taken::Never,
            Err(_) => {
                self.next().bytes = bytes;
                Taken::NotYet
            }
        }
    }

    async fn ready(&self) -> bool {
        let bytes = self.next().bytes;
        let Some((room, _)) = self.place(bytes.max(1)).await else {
            return false;
        };
        // Where nothing was found yet, what is found may be long in coming.
        self.next().room = Some(room).filter(|_| bytes > 0);
        true
    }
}

fn widened(bytes: u32) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Whether the session that an operation came on still stands.
pub(super) async fn still(decide: &dyn Decide, identity: &Identity) -> Result<bool, Undecided> {
    match identity {
        Identity::Anonymous => Ok(true),
        Identity::User(proof) => decide.still_granted(proof).await,
        Identity::ChangeOnly(proof) => decide.still_change_only(proof).await,
        Identity::Service(proof) => decide.still_bound(proof).await,
    }
}

/// An operation that panicked ends its connection: what it owed its client is lost.
pub(super) fn check(ended: &Result<(), tokio::task::JoinError>) -> Result<(), CloseReason> {
    match ended {
        Err(failure) if failure.is_panic() => {
            counter!("doorward_ldap_panics_total").increment(1);
            error!("a defect ended one LDAP operation and its connection");
            Err(CloseReason::Panic)
        }
        _ => Ok(()),
    }
}
