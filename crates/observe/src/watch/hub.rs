//! Who watches, and the buffer between what happens and each of them.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Poll;

use atomic_waker::AtomicWaker;

use super::{Chosen, Explain, Line, Topic, unexplained};
use doorward_domain::resource::AccessContext;

/// How many may watch at a time.
pub const MAX_WATCHERS: usize = 8;
/// How many lines wait for a watcher, and how much memory they may take, in octets.
const MAX_LINES: usize = 4096;
const MAX_OCTETS: usize = 1 << 20;

/// Where front ends tell what happens. Clones are the same; one that nobody else has tells nobody.
#[derive(Clone)]
pub struct Watch(Arc<Hub>);

struct Hub {
    radius: AtomicUsize,
    ldap: AtomicUsize,
    numbers: AtomicU64,
    rings: Mutex<Vec<Arc<Ring>>>,
    explain: OnceLock<Arc<dyn Explain>>,
}

/// As many watch as may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{MAX_WATCHERS} others watch already, and no more may")]
pub struct TooMany;

impl Default for Watch {
    fn default() -> Self {
        Self(Arc::new(Hub {
            radius: AtomicUsize::new(0),
            ldap: AtomicUsize::new(0),
            numbers: AtomicU64::new(0),
            rings: Mutex::default(),
            explain: OnceLock::new(),
        }))
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Watch")
            .field("watchers", &self.0.rings().len())
            .finish_non_exhaustive()
    }
}

impl Watch {
    /// Whether anybody watches. Without, nothing need be made to be told.
    pub fn is_on(&self, topic: Topic) -> bool {
        self.0.count(topic).load(Ordering::Relaxed) > 0
    }

    /// A number that no other conversation or connection has.
    pub fn number(&self) -> u64 {
        self.0.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Tells everybody who watches.
    pub fn tell(&self, line: Line) {
        let line = Arc::new(line);
        for ring in self.0.rings().iter() {
            if ring.topic == line.topic {
                ring.push(Arc::clone(&line));
            }
        }
    }

    /// Lets resources be explained from here on. The first who is set stays.
    pub fn explain_with(&self, explain: Arc<dyn Explain>) {
        let _ = self.0.explain.set(explain);
    }

    /// Which resource asks, and why that one.
    pub fn chosen(&self, asking: &AccessContext) -> Chosen {
        self.0.explain.get_or_init(unexplained).asking(asking)
    }

    /// Begins to watch.
    ///
    /// # Errors
    /// [`MAX_WATCHERS`] do already.
    pub fn watch(&self, topic: Topic) -> Result<Watching, TooMany> {
        let mut rings = self.0.rings();
        if rings.len() >= MAX_WATCHERS {
            return Err(TooMany);
        }
        let ring = Arc::new(Ring {
            topic,
            held: Mutex::default(),
            news: AtomicWaker::new(),
        });
        rings.push(Arc::clone(&ring));
        self.0.count(topic).fetch_add(1, Ordering::Relaxed);
        drop(rings);
        Ok(Watching {
            hub: Arc::clone(&self.0),
            ring,
        })
    }
}

impl Hub {
    fn count(&self, topic: Topic) -> &AtomicUsize {
        match topic {
            Topic::Radius => &self.radius,
            Topic::Ldap => &self.ldap,
        }
    }

    fn rings(&self) -> MutexGuard<'_, Vec<Arc<Ring>>> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What waits for one watcher.
struct Ring {
    topic: Topic,
    held: Mutex<Held>,
    news: AtomicWaker,
}

#[derive(Default)]
struct Held {
    lines: VecDeque<Arc<Line>>,
    octets: usize,
    lost: u64,
}

impl Ring {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a line; the oldest make room for it.
    fn push(&self, line: Arc<Line>) {
        let mut held = self.held();
        held.octets += line.size();
        held.lines.push_back(line);
        while held.lines.len() > MAX_LINES || held.octets > MAX_OCTETS {
            let Some(oldest) = held.lines.pop_front() else {
                break;
            };
            held.octets = held.octets.saturating_sub(oldest.size());
            held.lost += 1;
        }
        drop(held);
        self.news.wake();
    }

    fn pop(&self) -> Option<News> {
        let mut held = self.held();
        if held.lost > 0 {
            return Some(News::Lost(std::mem::take(&mut held.lost)));
        }
        let line = held.lines.pop_front()?;
        held.octets = held.octets.saturating_sub(line.size());
        Some(News::Line(line))
    }
}

/// What a watcher is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Something happened.
    Line(Arc<Line>),
    /// So many lines were lost here, since they were not taken in time.
    Lost(u64),
}

/// Somebody who watches, until this is dropped.
pub struct Watching {
    hub: Arc<Hub>,
    ring: Arc<Ring>,
}

impl Watching {
    /// What happens next. Nothing is lost where this is dropped before it is ready.
    pub async fn next(&mut self) -> News {
        poll_fn(|context| {
            // Before it is looked at, or a line in between would wake nobody.
            self.ring.news.register(context.waker());
            self.ring.pop().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

impl fmt::Debug for Watching {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Watching")
            .field("topic", &self.ring.topic)
            .finish_non_exhaustive()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let count = self.hub.count(self.ring.topic);
        count.fetch_sub(1, Ordering::Relaxed);
        let mut rings = self.hub.rings();
        rings.retain(|ring| !Arc::ptr_eq(ring, &self.ring));
    }
}
