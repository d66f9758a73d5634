//! The one writer: a thread that takes what is queued into one transaction, commits it, and only
//! then answers. It knows no command; a job brings its own statements.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::Unavailable;

use super::fault::Fault;
use super::file::{self, Access, Identity};
use super::merge::Merges;
use super::waiting::{Waiting, Woken};

/// The most jobs one transaction takes besides reports.
const GROUP: usize = 256;
/// The most reports one transaction takes, so that whoever logs in waits for few of them.
const REPORTS: usize = 32;
/// How long merged events may wait for company before they are committed by themselves.
const LINGER: Duration = Duration::from_millis(250);
/// How long merged events wait for another try after a commit failed.
const RETRY: Duration = Duration::from_secs(1);

/// Whether a job's changes stay.
pub(super) enum Outcome {
    /// They stay.
    Committed,
    /// They are rolled back, and the job alone is told.
    RolledBack,
    /// The file is at fault: the whole group is rolled back.
    Failed(Unavailable, bool),
}

/// One piece of work of the writer.
pub(super) trait Job: Send {
    /// Does it, inside a savepoint.
    fn run(&mut self, connection: &Connection) -> Outcome;
    /// Tells who asked, after the commit succeeded or failed.
    fn answer(self: Box<Self>, committed: Result<(), &Unavailable>);
}

/// A job with somebody waiting for what it gives.
pub(super) struct Asked<T, F> {
    work: Option<F>,
    outcome: Option<Result<T, Fault>>,
    reply: oneshot::Sender<Result<T, Fault>>,
    wanted: Wanted,
}

/// Whether a job is done though whoever asked has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// It is.
    Always,
    /// It is not: what it does is of use to who asked alone, and would be in the way otherwise.
    WhileAwaited,
}

impl<T, F> Asked<T, F>
where
    T: Send + 'static,
    F: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
{
    /// A job and where its answer arrives.
    pub(super) fn job(
        work: F,
        wanted: Wanted,
    ) -> (Box<dyn Job>, oneshot::Receiver<Result<T, Fault>>) {
        let (reply, answer) = oneshot::channel();
        let job = Self {
            work: Some(work),
            outcome: None,
            reply,
            wanted,
        };
        (Box::new(job), answer)
    }
}

impl<T, F> Job for Asked<T, F>
where
    T: Send + 'static,
    F: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
{
    fn run(&mut self, connection: &Connection) -> Outcome {
        let Some(work) = self.work.take() else {
            return Outcome::RolledBack;
        };
        if self.wanted == Wanted::WhileAwaited && self.reply.is_closed() {
            return Outcome::RolledBack;
        }
        let outcome = guarded(|| work(connection));
        let ran = match &outcome {
            Ok(_) => Outcome::Committed,
            Err(fault) if fault.is_of_the_file() || connection.is_autocommit() => Outcome::Failed(
                Unavailable::Broken(fault.to_string()),
                fault.spoils_connection(),
            ),
            Err(_) => Outcome::RolledBack,
        };
        self.outcome = Some(outcome);
        ran
    }

    fn answer(self: Box<Self>, committed: Result<(), &Unavailable>) {
        let answer = match (committed, self.outcome) {
            (Ok(()), Some(outcome)) => outcome,
            (Ok(()), None) => Err(Unavailable::Broken("the command was not run".to_owned()).into()),
            // What a rule refused changed nothing, whatever became of the others.
            (Err(_), Some(Err(Fault::Refused(refused)))) => Err(refused.into()),
            (Err(unavailable), _) => Err(unavailable.clone().into()),
        };
        // Whoever asked may have gone away.
        drop(self.reply.send(answer));
    }
}

/// Does `work`; a panic in it is a defect of this program that must not take the writer along.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(Fault::Damaged(
            "the store met a defect of its own".to_owned(),
        ))
    })
}

/// The writer's state, moved into its thread.
pub(super) struct Writer {
    pub(super) path: PathBuf,
    pub(super) busy: Duration,
    /// Rung where merged events wait and none did before.
    pub(super) queue: Arc<Waiting<Box<dyn Job>>>,
    pub(super) merges: Arc<Merges>,
    pub(super) connection: Option<(Connection, Identity)>,
    pub(super) failing: bool,
}

impl Writer {
    /// Serves until nobody can ask any more; what was queued and merged by then is written.
    pub(super) fn serve(mut self) {
        loop {
            match self.queue.wait(self.patience()) {
                Woken::Over => break,
                Woken::Work | Woken::Late => {}
                Woken::Rung => {
                    self.queue.wait(Some(LINGER));
                }
            }
            let group = self.queue.group(GROUP, REPORTS);
            self.commit(group);
        }
        self.commit(Vec::new());
    }

    /// How long to wait for work: merged events that could not be committed are tried again though
    /// nobody asks for anything.
    fn patience(&self) -> Option<Duration> {
        (self.failing && !self.merges.is_empty()).then_some(RETRY)
    }

    fn commit(&mut self, mut group: Vec<Box<dyn Job>>) {
        if group.is_empty() && self.merges.is_empty() {
            return;
        }
        let committed = self.transact(&mut group);
        // Once when it breaks and once when it heals, not for every command in between.
        match &committed {
            Err(unavailable) if !self.failing => {
                tracing::error!(reason = %unavailable, "the store cannot commit");
            }
            Ok(()) if self.failing => tracing::info!("the store commits again"),
            _ => {}
        }
        self.failing = committed.is_err();
        for job in group {
            job.answer(committed.as_ref().copied());
        }
    }

    fn transact(&mut self, group: &mut [Box<dyn Job>]) -> Result<(), Unavailable> {
        let (connection, identity) = self.usable()?;
        let merged = self.merges.take();
        let done = in_transaction(&connection, |connection| {
            for job in group {
                connection.prepare_cached("SAVEPOINT job")?.execute([])?;
                match job.run(connection) {
                    Outcome::Committed => {}
                    Outcome::RolledBack => {
                        connection.prepare_cached("ROLLBACK TO job")?.execute([])?;
                    }
                    Outcome::Failed(unavailable, spoils) => {
                        return Err(Failed {
                            unavailable,
                            spoils,
                        });
                    }
                }
                connection.prepare_cached("RELEASE job")?.execute([])?;
            }
            for (key, event) in &merged {
                super::events::record_merged(connection, key, event)?;
            }
            Ok(())
        });
        match done {
            Ok(()) => {
                self.connection = Some((connection, identity));
                Ok(())
            }
            Err(failed) => {
                self.merges.put_back(merged);
                if !failed.spoils {
                    self.connection = Some((connection, identity));
                }
                Err(failed.unavailable)
            }
        }
    }

    /// The connection, opened anew where it was given up or where another file, or none, stands
    /// under the name: writing on into a file that was removed would lose everything.
    fn usable(&mut self) -> Result<(Connection, Identity), Unavailable> {
        let here = Identity::at(&self.path);
        if let Some((connection, identity)) = self.connection.take() {
            if here.as_ref().is_ok_and(|here| *here == identity) {
                return Ok((connection, identity));
            }
            // SQLite sees itself that the file was moved, and leaves the new one's log alone.
            drop(connection);
        }
        let here =
            here.map_err(|error| Unavailable::Broken(format!("{}: {error}", self.path.display())))?;
        let connection = file::connect(&self.path, Access::Write, self.busy)?;
        Ok((connection, here))
    }
}

struct Failed {
    unavailable: Unavailable,
    spoils: bool,
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self {
            spoils: fault.spoils_connection(),
            unavailable: fault.into(),
        }
    }
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Fault::from(error).into()
    }
}

fn in_transaction(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<(), Failed>,
) -> Result<(), Failed> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let done = work(connection).and_then(|()| {
        connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    });
    match done {
        Ok(()) => Ok(()),
        Err(mut failed) => {
            // SQLite may have rolled back by itself.
            if !connection.is_autocommit() && connection.execute_batch("ROLLBACK").is_err() {
                failed.spoils = true;
            }
            Err(failed)
        }
    }
}
