//! A bounded queue between async callers, who never block, and the workers' threads, who do.
//!
//! Who is known goes before who is not, four turns in five where both wait, so that a flood of
//! made-up names takes a share of the hashing and no more (CONTRACT.md 3.7). Among equals there
//! are lanes, which take turns: who fills one holds up nobody in another. Where the whole is full,
//! who is known takes the place of who is not, and a lane that has less than its share takes the
//! last place of the longest one.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::counters::{Event, PoolCounters};
use doorward_domain::name::ResourceName;

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

/// Who goes first where several wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precedence {
    /// What comes of somebody who was let in from there lately.
    Known,
    /// Everything else.
    Unknown,
}

/// How many turns in a row the known have while others wait.
const KNOWN_IN_A_ROW: u32 = 4;

pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    ready: Condvar,
    capacity: NonZeroUsize,
    counters: Arc<PoolCounters>,
}

struct State<T> {
    known: Lanes<T>,
    unknown: Lanes<T>,
    /// How many of the known were taken since one of the others was.
    known_in_a_row: u32,
    closed: bool,
}

/// What waits at one precedence.
struct Lanes<T> {
    /// Those in which something waits, the next to take its turn first.
    lanes: VecDeque<(Lane, VecDeque<T>)>,
    /// What waits in all of them.
    waiting: usize,
}

/// The item had no room, or the queue is closed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoRoom;

impl<T> Queue<T> {
    /// A queue of so many waiting items; those taken out already do not count.
    pub(super) fn new(capacity: NonZeroUsize, counters: Arc<PoolCounters>) -> Self {
        let state = State {
            known: Lanes::empty(),
            unknown: Lanes::empty(),
            known_in_a_row: 0,
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
    /// lane, or of who is less known, its place: that one is dropped.
    pub(super) fn push(&self, precedence: Precedence, lane: Lane, item: T) -> Result<(), NoRoom> {
        let mut state = self.lock();
        if state.closed {
            return Err(NoRoom);
        }
        let displaced = if state.waiting() < self.capacity.get() {
            None
        } else {
            Some(state.make_room(precedence, &lane).ok_or(NoRoom)?)
        };
        state.at(precedence).put(lane, item);
        self.counters.set_queue_depth(state.waiting());
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
                self.counters.set_queue_depth(state.waiting());
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
        let waiting = [
            std::mem::replace(&mut state.known, Lanes::empty()),
            std::mem::replace(&mut state.unknown, Lanes::empty()),
        ];
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
    fn waiting(&self) -> usize {
        self.known.waiting.saturating_add(self.unknown.waiting)
    }

    fn at(&mut self, precedence: Precedence) -> &mut Lanes<T> {
        match precedence {
            Precedence::Known => &mut self.known,
            Precedence::Unknown => &mut self.unknown,
        }
    }

    /// Takes an item out for one that goes before it.
    fn make_room(&mut self, precedence: Precedence, lane: &Lane) -> Option<T> {
        let lesser = match precedence {
            Precedence::Known => self.unknown.drop_longest(0),
            Precedence::Unknown => None,
        };
        lesser.or_else(|| self.at(precedence).make_room(lane))
    }

    fn take(&mut self) -> Option<T> {
        let others_first = self.known_in_a_row >= KNOWN_IN_A_ROW;
        if !others_first && let Some(item) = self.known.take() {
            self.known_in_a_row = self.known_in_a_row.saturating_add(1);
            return Some(item);
        }
        self.known_in_a_row = 0;
        self.unknown.take().or_else(|| self.known.take())
    }
}

impl<T> Lanes<T> {
    const fn empty() -> Self {
        Self {
            lanes: VecDeque::new(),
            waiting: 0,
        }
    }

    /// Takes the last item of the longest lane out, if it stays no shorter than `lane` becomes.
    fn make_room(&mut self, lane: &Lane) -> Option<T> {
        let own = self.lanes.iter().find(|(known, _)| known == lane);
        let own = own.map_or(0, |(_, waiting)| waiting.len());
        self.drop_longest(own.saturating_add(1))
    }

    /// Takes the last item of the longest lane out, where that is longer than `length`.
    fn drop_longest(&mut self, length: usize) -> Option<T> {
        let longest = |(_, (_, waiting)): &(usize, &(Lane, VecDeque<T>))| waiting.len();
        let (index, _) = self.lanes.iter().enumerate().max_by_key(longest)?;
        let (_, waiting) = self.lanes.get_mut(index)?;
        if waiting.len() <= length {
            return None;
        }
        let dropped = waiting.pop_back();
        if waiting.is_empty() {
            self.lanes.remove(index);
        }
        self.waiting = self.waiting.saturating_sub(1);
        dropped
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
