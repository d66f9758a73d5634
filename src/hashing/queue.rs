//! A bounded queue between async callers, who never block, and the workers' threads, who do.
//!
//! It has lanes, which take turns: who fills one holds up nobody in another. Where the whole is
//! full, a lane that has less than its share takes the last place of the longest one.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::counters::{Event, PoolCounters};
use crate::domain::name::ResourceName;

/// Whose job it is. What waits in one lane waits for what came before it there; lanes take turns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lane {
    /// An attempt at a resource, or at none: the portal, and what asks as nothing that is known.
    Attempt(Option<ResourceName>),
    /// A service account's bind.
    Service,
    /// A change of a password.
    Change,
    /// Former passwords, and what is done after an answer.
    Afterwards,
}

pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    ready: Condvar,
    capacity: NonZeroUsize,
    counters: Arc<PoolCounters>,
}

struct State<T> {
    /// Those in which something waits, the next to take its turn first.
    lanes: VecDeque<(Lane, VecDeque<T>)>,
    /// What waits in all of them.
    waiting: usize,
    closed: bool,
}

/// The item had no room, or the queue is closed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoRoom;

impl<T> Queue<T> {
    /// A queue of so many waiting items; those taken out already do not count.
    pub(super) fn new(capacity: NonZeroUsize, counters: Arc<PoolCounters>) -> Self {
        let state = State {
            lanes: VecDeque::new(),
            waiting: 0,
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            ready: Condvar::new(),
            capacity,
            counters,
        }
    }

    /// Puts an item last in its lane, or drops it at once. It may cost the last item of a longer
    /// lane its place: that one is dropped.
    pub(super) fn push(&self, lane: Lane, item: T) -> Result<(), NoRoom> {
        let mut state = self.lock();
        if state.closed {
            return Err(NoRoom);
        }
        let displaced = if state.waiting < self.capacity.get() {
            None
        } else {
            Some(state.make_room(&lane).ok_or(NoRoom)?)
        };
        state.put(lane, item);
        self.counters.set_queue_depth(state.waiting);
        drop(state);
        if displaced.is_some() {
            self.counters.count(Event::QueueFull);
        }
        self.ready.notify_one();
        Ok(())
    }

    /// Takes the first item of the lane whose turn it is, blocking the thread until there is one;
    /// `None` once closed.
    pub(super) fn pop(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(item) = state.take() {
                self.counters.set_queue_depth(state.waiting);
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
        state.waiting = 0;
        let waiting = std::mem::take(&mut state.lanes);
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

impl<T> State<T> {
    /// Takes the last item of the longest lane out, if it stays no shorter than `lane` becomes.
    fn make_room(&mut self, lane: &Lane) -> Option<T> {
        let own = self.lanes.iter().find(|(known, _)| known == lane);
        let own = own.map_or(0, |(_, waiting)| waiting.len());
        let (_, longest) = self
            .lanes
            .iter_mut()
            .max_by_key(|(_, waiting)| waiting.len())?;
        if longest.len() <= own.saturating_add(1) {
            return None;
        }
        self.waiting = self.waiting.saturating_sub(1);
        longest.pop_back()
    }

    fn put(&mut self, lane: Lane, item: T) {
        self.waiting = self.waiting.saturating_add(1);
        match self.lanes.iter_mut().find(|(known, _)| *known == lane) {
            Some((_, waiting)) => waiting.push_back(item),
            None => self.lanes.push_back((lane, VecDeque::from([item]))),
        }
    }

    fn take(&mut self) -> Option<T> {
        let (lane, mut waiting) = self.lanes.pop_front()?;
        let item = waiting.pop_front()?;
        self.waiting = self.waiting.saturating_sub(1);
        if !waiting.is_empty() {
            self.lanes.push_back((lane, waiting));
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests;
