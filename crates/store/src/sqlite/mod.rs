//! The store in one SQLite file: write-ahead log, full synchronisation, one writer that commits
//! whole groups of commands, several readers.
//!
//! Another process beside this one is normal: nothing read is kept across reads but what is
//! compared with the file first. It knows no rule of the gateway: instants and numbers are handed
//! in, and it counts and compares.

mod apply;
mod attempts;
mod backup;
mod commands;
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
mod turns;
mod users;
mod waiting;
mod writer;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

pub use backup::{BackupError, backup, restore};
pub use file::StrayJournal;
pub use open::{OpenError, OpenOptions};

use super::{Store, Unavailable};

use fault::Fault;
use merge::Merges;
use numbers::Numbering;
use readers::{Lane, Readers, View};
use waiting::{Asker, Line, Waiting};
use writer::{Asked, Job, Wanted};

/// The engine: its threads, and what they share. When it goes, what was queued is committed and the
/// file closed.
pub(crate) struct Sqlite {
    // Dropped in this order: readers, then the writer, so that the last connection to close is
    // one that may tidy the write-ahead log away.
    readers: Option<Readers>,
    queue: Arc<Waiting<Box<dyn Job>>>,
    writer: Option<JoinHandle<()>>,
    merges: Arc<Merges>,
    deadline: Duration,
    numbering: Arc<Numbering>,
    path: PathBuf,
    _lock: File,
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.readers = None;
        self.queue.close();
        if let Some(writer) = self.writer.take() {
            drop(writer.join());
        }
    }
}

impl Store {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.sqlite().path
    }

    async fn read<T, F>(&self, lane: Lane, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&mut View<'_>) -> Result<T, Fault> + Send + 'static,
    {
        self.read_in(lane, Line::Common, work).await
    }

    /// Reads for somebody who was let in.
    async fn read_again<T, F>(&self, asker: Asker, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&mut View<'_>) -> Result<T, Fault> + Send + 'static,
    {
        self.read_in(Lane::Again, Line::Of(asker), work).await
    }

    async fn read_in<T, F>(&self, lane: Lane, turn: Line, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&mut View<'_>) -> Result<T, Fault> + Send + 'static,
    {
        let readers = self
            .sqlite()
            .readers
            .as_ref()
            .ok_or_else(Unavailable::closed)?;
        let answer = readers.ask(lane, turn, work)?;
        self.answer(answer).await
    }

    async fn write<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        self.write_in(Line::Common, work).await
    }

    async fn write_in<T, F>(&self, turn: Line, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        self.write_where(Wanted::Always, turn, work).await
    }

    /// Writes what is of use to who waits for it alone: nothing, where that is nobody by then.
    async fn write_while_awaited<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        self.write_where(Wanted::WhileAwaited, Line::Common, work)
            .await
    }

    async fn write_where<T, F>(&self, wanted: Wanted, turn: Line, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        let (job, answer) = Asked::job(work, wanted);
        self.sqlite().queue.put(turn, job)?;
        self.answer(answer).await
    }

    async fn answer<T>(&self, answer: oneshot::Receiver<Result<T, Fault>>) -> Result<T, Fault> {
        match tokio::time::timeout(self.sqlite().deadline, answer).await {
            Ok(Ok(answer)) => answer,
            // It gave way to what had less waiting.
            Ok(Err(_)) => Err(Unavailable::Busy.into()),
            Err(_) => {
                let late = "the store did not answer in time".to_owned();
                Err(Unavailable::Broken(late).into())
            }
        }
    }
}

impl Store {
    /// Writes something and reads it back, durably, and reads the policy, which everything is decided
    /// by: what `healthcheck` and `/ready` ask.
    ///
    /// # Errors
    /// What was written is not what is read, or something of it could not be done.
    pub async fn probe(&self) -> Result<(), Unavailable> {
        let written = self.write_in(Line::Probe, rows::touch_probe).await?;
        let read = self
            .read_in(Lane::Attempts, Line::Probe, |view| {
                // Without it nothing can be decided.
                view.policy()?;
                rows::meta(view.connection, "probe")
            })
            .await?;
        // Another process may have probed in between.
        if read < written {
            return Err(Unavailable::Broken(
                "what was written is not what is read".to_owned(),
            ));
        }
        Ok(())
    }
}
