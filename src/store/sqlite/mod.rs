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

use super::{Store, Unavailable};

use fault::Fault;
use merge::Merges;
use numbers::Numbering;
use readers::{Lane, Readers, View};
use writer::{Asked, Message};

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
