//! Reads: a few threads, each with a connection of its own, each read inside one transaction so
//! that all it sees is of one moment. They never wait for the writer.
//!
//! What logins read, what is read again for who is in, what is looked up by name or number, and
//! what goes over many records have threads and queues of their own: no login waits for who is in
//! or for a search, and no look-up for a scan.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::Unavailable;
use crate::changes::{GroupFilter, UserFilter};
use doorward_domain::names::Lists;
use doorward_domain::rules::PolicySettings;

use super::fault::Fault;
use super::file::{self, Access, Identity};
use super::rows::policy_text;
use super::turns::Bounds;
use super::waiting::{Line, Waiting};
use super::writer::guarded;

/// How much scans give way to everything else, as nice(1) has it.
const SCANS_NICE: i32 = 10;
/// How many times what one may have waiting to be looked at again all may have together.
const AGAIN_IN_ALL: usize = 8;

type Task = Box<dyn FnOnce(&mut Reader) + Send>;

/// What a read works with.
pub(super) struct View<'reader> {
    /// A connection inside a transaction.
    pub(super) connection: &'reader Connection,
    remembered: &'reader mut Option<(String, Arc<PolicySettings>)>,
}

impl View<'_> {
    /// The policy in force. Its text is read every time, since another process may have changed
    /// it, and parsed only when it is another.
    pub(super) fn policy(&mut self) -> Result<Arc<PolicySettings>, Fault> {
        let text = policy_text(self.connection)?;
        if let Some((known, policy)) = self.remembered.as_ref()
            && *known == text
        {
            return Ok(Arc::clone(policy));
        }
        let policy: Arc<PolicySettings> = Arc::new(serde_json::from_str(&text)?);
        *self.remembered = Some((text, Arc::clone(&policy)));
        Ok(policy)
    }
}

/// One reading thread's state.
struct Reader {
    path: PathBuf,
    busy: Duration,
    connection: Option<(Connection, Identity)>,
    remembered: Option<(String, Arc<PolicySettings>)>,
}

impl Reader {
    fn read<T>(
        &mut self,
        work: impl FnOnce(&mut View<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let (connection, identity) = self.usable()?;
        let remembered = &mut self.remembered;
        let outcome = guarded(|| {
            let transaction = connection.unchecked_transaction()?;
            let outcome = work(&mut View {
                connection: &transaction,
                remembered,
            });
            transaction.rollback()?;
            outcome
        });
        let keep = outcome
            .as_ref()
            .err()
            .is_none_or(|fault| !fault.spoils_connection());
        if keep && connection.is_autocommit() {
            self.connection = Some((connection, identity));
        }
        outcome
    }
}

impl Reader {
    /// The connection, opened anew where another file, or none, stands under the name.
    fn usable(&mut self) -> Result<(Connection, Identity), Fault> {
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
        let connection = file::connect(&self.path, Access::Read, self.busy)?;
        Ok((connection, here))
    }
}

/// For what a read is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// What attempts need, and whether the store answers.
    Attempts,
    /// Whether somebody who was let in may stay, in turns by who it is.
    Again,
    /// A few records, found by an index.
    Lookups,
    /// Any number of records, or a list of any length.
    Scans,
}

impl Lane {
    /// Where users are looked for.
    pub(super) const fn of_users(filter: &UserFilter) -> Self {
        match filter {
            UserFilter::Id(_)
            | UserFilter::Username(_)
            | UserFilter::UidNumber(_)
            | UserFilter::Mail(_) => Self::Lookups,
            UserFilter::MemberOf(_) | UserFilter::All => Self::Scans,
        }
    }

    /// Where groups are looked for, whose members may be many.
    pub(super) const fn of_groups(filter: &GroupFilter, members: Lists) -> Self {
        match (filter, members) {
            (
                GroupFilter::Id(_) | GroupFilter::Name(_) | GroupFilter::GidNumber(_),
                Lists::Unasked,
            ) => Self::Lookups,
            _ => Self::Scans,
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Attempts => "attempt",
            Self::Again => "again",
            Self::Lookups => "lookup",
            Self::Scans => "scan",
        }
    }
}

/// The reading threads.
pub(super) struct Readers {
    attempts: Queue,
    again: Queue,
    lookups: Queue,
    scans: Queue,
}

impl Readers {
    /// Starts `count` threads for each lane, with room for `queue` reads to wait there.
    pub(super) fn start(
        path: &Path,
        busy: Duration,
        count: usize,
        queue: usize,
    ) -> std::io::Result<Self> {
        let start = |lane| Queue::start(path, busy, lane, count, queue);
        Ok(Self {
            attempts: start(Lane::Attempts)?,
            again: start(Lane::Again)?,
            lookups: start(Lane::Lookups)?,
            scans: start(Lane::Scans)?,
        })
    }

    /// What waits in a lane ([`Waiting::counts`]).
    #[cfg(test)]
    pub(super) fn counts(&self, lane: Lane) -> (usize, usize, usize) {
        self.of(lane).queue.counts()
    }

    const fn of(&self, lane: Lane) -> &Queue {
        match lane {
            Lane::Attempts => &self.attempts,
            Lane::Again => &self.again,
            Lane::Lookups => &self.lookups,
            Lane::Scans => &self.scans,
        }
    }

    /// Queues a read; its answer arrives at the receiver.
    pub(super) fn ask<T, F>(
        &self,
        lane: Lane,
        turn: Line,
        work: F,
    ) -> Result<oneshot::Receiver<Result<T, Fault>>, Unavailable>
    where
        T: Send + 'static,
        F: FnOnce(&mut View<'_>) -> Result<T, Fault> + Send + 'static,
    {
        self.of(lane).ask(turn, work)
    }
}

/// The threads of one lane, and what waits for them.
struct Queue {
    queue: Arc<Waiting<Task>>,
    threads: Vec<JoinHandle<()>>,
}

impl Queue {
    fn start(
        path: &Path,
        busy: Duration,
        lane: Lane,
        count: usize,
        queue: usize,
    ) -> std::io::Result<Self> {
        let room = match lane {
            Lane::Again => Bounds {
                each: queue,
                in_all: queue.saturating_mul(AGAIN_IN_ALL),
            },
            Lane::Attempts | Lane::Lookups | Lane::Scans => Bounds::of_all(queue),
        };
        let queue: Arc<Waiting<Task>> = Arc::new(Waiting::new(room, Bounds::of_all(0)));
        let mut started = Self {
            queue,
            threads: Vec::new(),
        };
        for number in 0..count.max(1) {
            let tasks = Arc::clone(&started.queue);
            let mut reader = Reader {
                path: path.to_owned(),
                busy,
                connection: None,
                remembered: None,
            };
            let thread = std::thread::Builder::new()
                .name(format!("store-{}-{number}", lane.label()))
                .spawn(move || {
                    if lane == Lane::Scans {
                        give_way();
                    }
                    while let Some(task) = tasks.next() {
                        task(&mut reader);
                    }
                })?;
            started.threads.push(thread);
        }
        Ok(started)
    }

    fn ask<T, F>(
        &self,
        turn: Line,
        work: F,
    ) -> Result<oneshot::Receiver<Result<T, Fault>>, Unavailable>
    where
        T: Send + 'static,
        F: FnOnce(&mut View<'_>) -> Result<T, Fault> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let task: Task = Box::new(move |reader| {
            // Whoever asked may have gone away.
            if !reply.is_closed() {
                drop(reply.send(reader.read(work)));
            }
        });
        self.queue.put(turn, task)?;
        Ok(answer)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

/// Lets this thread go behind those of logins where there are not processors enough for all.
fn give_way() {
    // The number is of the thread and not of the process on Linux; without it the thread is one
    // like any other.
    let _ = rustix::process::nice(SCANS_NICE);
}
