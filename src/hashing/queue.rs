//! A bounded queue between async callers, who never block, and the workers' threads, who do.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::counters::PoolCounters;

pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    ready: Condvar,
    capacity: NonZeroUsize,
    counters: Arc<PoolCounters>,
}

struct State<T> {
    waiting: VecDeque<T>,
    closed: bool,
}

/// The item had no room, or the queue is closed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoRoom;

impl<T> Queue<T> {
    /// A queue of so many waiting items; those taken out already do not count.
    pub(super) fn new(capacity: NonZeroUsize, counters: Arc<PoolCounters>) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            ready: Condvar::new(),
            capacity,
            counters,
        }
    }

    /// Puts an item last, or drops it at once.
    pub(super) fn push(&self, item: T) -> Result<(), NoRoom> {
        let mut state = self.lock();
        if state.closed || state.waiting.len() >= self.capacity.get() {
            return Err(NoRoom);
        }
        state.waiting.push_back(item);
        self.counters.set_queue_depth(state.waiting.len());
        self.ready.notify_one();
        Ok(())
    }

    /// Takes the first item, blocking the thread until there is one; `None` once closed.
    pub(super) fn pop(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(item) = state.waiting.pop_front() {
                self.counters.set_queue_depth(state.waiting.len());
                return Some(item);
            }
            state = self
                .ready
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Drops what waits, and ends every `pop` now and later.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        self.counters.set_queue_depth(0);
        drop(state);
        drop(waiting);
        self.ready.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing that can panic runs under the lock, so that a poisoned one is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
