//! The hashing pool: a thread a core, each with its own argon2 memory, behind a bounded queue.
//!
//! Submitting never blocks: a full queue says so at once (CONTRACT.md 3.7), and to a job that
//! waits where another goes before it. A job whose caller has gone before it starts
//! is skipped, and so is one whose turn comes too late for its caller, who is told the same.

use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use arc_swap::ArcSwap;
use tokio::sync::oneshot;

use super::counters::{Event, PoolCounters};
use super::queue::{Lane, Precedence, Queue};
use doorward_domain::secret::{HashText, Password};
use doorward_domain::time::{Clock, Monotonic};
use doorward_hashes::StoredHash;
use doorward_hashes::{Argon2Parameters, Memory, hash_dummy, hash_password};

/// Jobs that may wait, unless configured.
const DEFAULT_QUEUE: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// Stands for the password where there is none to hash.
const DUMMY_PASSWORD: &[u8] = b"nobody's password";

/// How large a pool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSettings {
    /// Worker threads.
    pub threads: NonZeroUsize,
    /// Jobs that may wait, those running not counted.
    pub queue: NonZeroUsize,
    /// What new hashes and dummies are made with.
    pub parameters: Argon2Parameters,
}

impl Default for PoolSettings {
    /// A thread for every core, 256 waiting jobs, default parameters.
    fn default() -> Self {
        Self {
            threads: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            queue: DEFAULT_QUEUE,
            parameters: Argon2Parameters::default(),
        }
    }
}

/// There was no room to compute, or none in time, and so nothing is known about the password: never
/// to be taken for a wrong one (CONTRACT.md 3.7). Also said where the pool closes or a worker failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the hashing queue is full")]
pub struct QueueFull;

/// Until when a job may begin, by the clock of whoever asks for it.
#[derive(Clone)]
pub struct Deadline {
    clock: Arc<dyn Clock>,
    at: Monotonic,
}

impl Deadline {
    /// A job may begin until `at`, and not after it.
    pub fn new(clock: Arc<dyn Clock>, at: Monotonic) -> Self {
        Self { clock, at }
    }

    fn is_past(&self) -> bool {
        self.at < self.clock.now().mono
    }
}

/// What a password is, held against a hash.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// It matches.
    Right {
        /// Whether the hash is of another scheme or of older parameters and should be replaced
        /// after the answer. Never set for a password that could not be set here.
        needs_rehash: bool,
    },
    /// It does not match, or the hash is none that verifies here.
    Wrong,
}

/// Computes hashes on threads of its own. Dropping or closing it ends them.
pub struct HashingPool {
    shared: Arc<Shared>,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    queue: Queue<Waiting>,
    parameters: ArcSwap<Argon2Parameters>,
    counters: Arc<PoolCounters>,
}

/// A job in the queue.
struct Waiting {
    job: Job,
    /// Until when it may begin; without one it waits for as long as it takes.
    deadline: Option<Deadline>,
}

enum Job {
    Compare {
        hash: HashText,
        password: Password,
        purpose: Event,
        answer: oneshot::Sender<Comparison>,
    },
    Hash {
        password: Password,
        purpose: Event,
        answer: oneshot::Sender<HashText>,
    },
    Dummy {
        answer: oneshot::Sender<()>,
    },
    Turn {
        answer: oneshot::Sender<()>,
    },
    Run {
        work: Box<dyn FnOnce() + Send>,
        answer: oneshot::Sender<()>,
    },
}

impl HashingPool {
    /// Starts the threads, each of which allocates its memory.
    ///
    /// # Errors
    /// Fails where the operating system gives no more threads.
    pub fn start(settings: PoolSettings) -> io::Result<Self> {
        let counters = Arc::new(PoolCounters::default());
        let pool = Self {
            shared: Arc::new(Shared {
                queue: Queue::new(settings.queue, Arc::clone(&counters)),
                parameters: ArcSwap::from_pointee(settings.parameters),
                counters,
            }),
            workers: Mutex::new(Vec::with_capacity(settings.threads.get())),
        };
        for number in 0..settings.threads.get() {
            let shared = Arc::clone(&pool.shared);
            let worker = thread::Builder::new()
                .name(format!("hashing-{number}"))
                .spawn(move || shared.work())?;
            pool.workers
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(worker);
        }
        Ok(pool)
    }

    /// The pool as one lane has it, for somebody who is not known.
    pub const fn of(&self, lane: Lane) -> Turns<'_> {
        Turns {
            pool: self,
            lane,
            precedence: Precedence::Unknown,
            deadline: None,
        }
    }

    /// As [`Turns::verify`], with a previous hash and after the answer: no guess (CONTRACT.md 3.5).
    /// It has no deadline: nobody waits for it, and late it still takes back what was counted.
    ///
    /// # Errors
    /// [`QueueFull`], and then nothing was compared.
    pub async fn verify_stale(
        &self,
        hash: HashText,
        password: Password,
    ) -> Result<Comparison, QueueFull> {
        let job = |answer| Job::Compare {
            hash,
            password,
            purpose: Event::StaleChecked,
            answer,
        };
        self.of(Lane::Afterwards).submit(job).await
    }

    /// Hashes a new password with the current parameters and a random salt.
    ///
    /// # Errors
    /// [`QueueFull`], and then there is no hash.
    pub async fn hash(&self, password: Password) -> Result<HashText, QueueFull> {
        let job = |answer| Job::Hash {
            password,
            purpose: Event::Set,
            answer,
        };
        self.of(Lane::Change).known().submit(job).await
    }

    /// As [`Self::hash`], for a verified password whose hash needs replacing.
    ///
    /// # Errors
    /// [`QueueFull`], and then there is no hash.
    pub async fn rehash(&self, password: Password) -> Result<HashText, QueueFull> {
        let job = |answer| Job::Hash {
            password,
            purpose: Event::Rehashed,
            answer,
        };
        self.of(Lane::Afterwards).submit(job).await
    }

    /// The parameters of new hashes.
    pub fn parameters(&self) -> Argon2Parameters {
        **self.shared.parameters.load()
    }

    /// Takes other parameters from the next job on; workers fit their memory to them.
    pub fn set_parameters(&self, parameters: Argon2Parameters) {
        self.shared.parameters.store(Arc::new(parameters));
    }

    /// What the pool has done.
    pub fn counters(&self) -> Arc<PoolCounters> {
        Arc::clone(&self.shared.counters)
    }

    /// Drops waiting jobs, whose callers read [`QueueFull`], and waits for the threads to finish
    /// the hash they are at: about a second at most, on the calling thread.
    pub fn close(&self) {
        self.shared.queue.close();
        let workers =
            std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner));
        for worker in workers {
            // A worker catches the panics of its jobs; there is nothing to learn from its end.
            let _ = worker.join();
        }
    }

    /// Runs other work on a hashing thread. Nothing that ships does: tests hold a thread with it, to
    /// fill the queue behind.
    ///
    /// # Errors
    /// The queue is full, or what waited went for something that goes before it.
    #[doc(hidden)]
    pub async fn run(&self, work: impl FnOnce() + Send + 'static) -> Result<(), QueueFull> {
        let job = |answer| Job::Run {
            work: Box::new(work),
            answer,
        };
        self.of(Lane::Change).submit(job).await
    }
}

/// The pool as one lane has it: what is compared for an attempt, and what stands for a comparison
/// where there is none. All that one attempt may need goes by the same lane, or the time it waits
/// would tell which it was; and who goes ahead because of being known waits behind the others after
/// all before being refused (CONTRACT.md 5.2).
pub struct Turns<'a> {
    pool: &'a HashingPool,
    lane: Lane,
    precedence: Precedence,
    deadline: Option<Deadline>,
}

impl Turns<'_> {
    /// The same, ahead of who is not known.
    #[must_use]
    pub fn known(self) -> Self {
        Self {
            precedence: Precedence::Known,
            ..self
        }
    }

    /// The same, for what is of no use where it begins later.
    #[must_use]
    pub fn until(self, deadline: Deadline) -> Self {
        Self {
            deadline: Some(deadline),
            ..self
        }
    }

    /// Compares a password with an account's current hash. A hash that cannot be read, or whose
    /// cost is beyond the bounds, is [`Comparison::Wrong`] after the work of a dummy.
    ///
    /// # Errors
    /// [`QueueFull`], and then nothing was compared.
    pub async fn verify(self, hash: HashText, password: Password) -> Result<Comparison, QueueFull> {
        let job = |answer| Job::Compare {
            hash,
            password,
            purpose: Event::Verified,
            answer,
        };
        self.submit(job).await
    }

    /// Waits and works as one verification does, for a refusal that needs none (CONTRACT.md 5.2).
    ///
    /// # Errors
    /// [`QueueFull`], as a verification would have said.
    pub async fn dummy(self) -> Result<(), QueueFull> {
        let job = |answer| Job::Dummy { answer };
        self.submit(job).await
    }

    /// Waits in the queue as a verification does and computes nothing.
    ///
    /// # Errors
    /// [`QueueFull`], as a verification would have said.
    pub async fn turn(self) -> Result<(), QueueFull> {
        let job = |answer| Job::Turn { answer };
        self.submit(job).await
    }

    async fn submit<T>(self, job: impl FnOnce(oneshot::Sender<T>) -> Job) -> Result<T, QueueFull> {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting {
            job: job(answer),
            deadline: self.deadline,
        };
        let shared = &self.pool.shared;
        if shared
            .queue
            .push(self.precedence, self.lane, waiting)
            .is_err()
        {
            shared.counters.count(Event::QueueFull);
            return Err(QueueFull);
        }
        answered.await.map_err(|_| QueueFull)
    }
}

impl Drop for HashingPool {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn work(&self) {
        let mut memory = Memory::for_parameters(**self.parameters.load());
        while let Some(Waiting { job, deadline }) = self.queue.pop() {
            if job.is_abandoned() {
                self.counters.count(Event::Abandoned);
                continue;
            }
            if deadline.is_some_and(|deadline| deadline.is_past()) {
                self.counters.count(Event::Overdue);
                continue;
            }
            let parameters = **self.parameters.load();
            memory.fit(parameters);
            // The memory is scratch: whatever a panic leaves in it, the next job overwrites.
            let done = catch_unwind(AssertUnwindSafe(|| {
                self.run(job, parameters, &mut memory);
            }));
            if done.is_err() {
                self.counters.count(Event::Failed);
                tracing::error!("a hashing job panicked and was left without an answer");
            }
        }
    }

    /// Does one job. A caller who has gone meanwhile is nobody's loss: sends are unchecked.
    fn run(&self, job: Job, parameters: Argon2Parameters, memory: &mut Memory) {
        match job {
            Job::Compare {
                hash,
                password,
                purpose,
                answer,
            } => {
                self.counters.count(purpose);
                let _ = answer.send(compare(&hash, &password, parameters, memory));
            }
            Job::Hash {
                password,
                purpose,
                answer,
            } => {
                self.counters.count(purpose);
                match hash_password(&password, parameters, memory) {
                    Ok(hash) => {
                        let _ = answer.send(hash);
                    }
                    Err(error) => {
                        self.counters.count(Event::Failed);
                        tracing::error!(%error, "a password was not hashed");
                    }
                }
            }
            Job::Dummy { answer } => {
                self.counters.count(Event::Dummy);
                hash_dummy(DUMMY_PASSWORD, parameters, memory);
                let _ = answer.send(());
            }
            Job::Turn { answer } => {
                self.counters.count(Event::Turn);
                let _ = answer.send(());
            }
            Job::Run { work, answer } => {
                work();
                let _ = answer.send(());
            }
        }
    }
}

impl Job {
    fn is_abandoned(&self) -> bool {
        match self {
            Self::Compare { answer, .. } => answer.is_closed(),
            Self::Hash { answer, .. } => answer.is_closed(),
            Self::Dummy { answer } | Self::Turn { answer } | Self::Run { answer, .. } => {
                answer.is_closed()
            }
        }
    }
}

fn compare(
    hash: &HashText,
    password: &Password,
    parameters: Argon2Parameters,
    memory: &mut Memory,
) -> Comparison {
    let stored = StoredHash::parse(hash);
    let matched = stored
        .as_ref()
        .map_or(None, |stored| stored.matches(password, memory).ok());
    match (stored, matched) {
        (Ok(stored), Some(true)) => Comparison::Right {
            // Bytes that are not UTF-8 can match an imported hash and are never set here.
            needs_rehash: password.as_str().is_some() && stored.needs_rehash(&parameters),
        },
        (_, Some(_)) => Comparison::Wrong,
        (_, None) => {
            hash_dummy(password.as_bytes(), parameters, memory);
            Comparison::Wrong
        }
    }
}

#[cfg(test)]
mod tests;
