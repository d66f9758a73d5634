//! What reads the directory beside the connection: begun, answered, abandoned.

use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, histogram};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tracing::{Instrument as _, debug_span, error};

use super::Talk;
use crate::authenticator::{Decide, Undecided};
use crate::directory::Read;
use crate::domain::time::Now;
use crate::ldap::compare;
use crate::ldap::decode::{MessageId, RequestKind};
use crate::ldap::result::{Reply, Response, ResultCode, SearchEntry};
use crate::ldap::search::{self, Ended, Found, View};
use crate::ldap::session::{CloseReason, Identity, Job, Step, Work};
use crate::ldap::settings::Settings;

/// What an operation hands over.
pub(super) enum Event {
    Found(SearchEntry),
    /// Boxed, since a channel keeps room for many of the largest kind.
    Finished(Box<Result<Ended, Undecided>>),
}

/// An operation that runs.
pub(super) struct Running {
    id: MessageId,
    kind: RequestKind,
    begun: Now,
    task: AbortHandle,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Talk<S> {
    /// Lets every operation end, and hands out its answers, before a bind.
    pub(super) async fn finish_operations(&mut self) -> Result<(), CloseReason> {
        while !self.running.is_empty() {
            self.flush().await?;
            tokio::select! {
                biased;
                Some((serial, event)) = self.answers.recv() => {
                    self.answer(serial, event)?;
                }
                Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    check(&ended)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn start(&mut self, work: Work, now: Now) {
        let serial = self.begun;
        self.begun += 1;
        let (id, kind) = (work.id, work.job.kind());
        let operation = operate(
            work,
            Arc::clone(self.conversation.settings()),
            Arc::clone(&self.services.directory),
            now,
            serial,
            self.answer_with.clone(),
        );
        let span = debug_span!("operation", message.id = id.get(), operation = kind.label());
        let task = self.tasks.spawn(operation.instrument(span));
        self.running.insert(
            serial,
            Running {
                id,
                kind,
                begun: now,
                task,
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
    pub(super) fn answer(&mut self, serial: u64, event: Event) -> Result<(), CloseReason> {
        let Some(running) = self.running.get(&serial) else {
            return Ok(());
        };
        let id = running.id;
        match event {
            Event::Found(entry) => self.put(Reply::new(id, Response::SearchEntry(entry))),
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

/// Runs an operation within the time there is for it.
async fn operate(
    work: Work,
    settings: Arc<Settings>,
    directory: Arc<dyn Read>,
    now: Now,
    serial: u64,
    answers: mpsc::Sender<(u64, Event)>,
) {
    let wanted = match &work.job {
        Job::Search(wanted) => wanted.search.time_limit,
        Job::Compare(_) => None,
    };
    let own = settings.search.time;
    let limit = wanted.map_or(own, |seconds| {
        Duration::from_secs(u64::from(seconds.get())).min(own)
    });
    let outlet = Outlet {
        serial,
        answers: &answers,
    };
    let outcome = timeout(limit, work_off(&work, &settings, &directory, now, &outlet))
        .await
        .unwrap_or_else(|_| Ok(ResultCode::TimeLimitExceeded.into()));
    // Nobody listens where the connection has ended.
    let _ = answers
        .send((serial, Event::Finished(Box::new(outcome))))
        .await;
}

async fn work_off(
    work: &Work,
    settings: &Settings,
    directory: &Arc<dyn Read>,
    now: Now,
    outlet: &Outlet<'_>,
) -> Result<Ended, Undecided> {
    let view = View {
        settings,
        identity: &work.identity,
        asking: &work.asking,
        mechanisms: work.mechanisms,
        directory,
        now,
    };
    match &work.job {
        Job::Search(wanted) => search::run(wanted, &view, outlet).await,
        Job::Compare(wanted) => compare::run(wanted, &view).await.map(Ended::from),
    }
}

/// Hands over the entries of one search.
struct Outlet<'a> {
    serial: u64,
    answers: &'a mpsc::Sender<(u64, Event)>,
}

impl Found for Outlet<'_> {
    async fn take(&self, entry: SearchEntry) -> bool {
        self.answers
            .send((self.serial, Event::Found(entry)))
            .await
            .is_ok()
    }
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
