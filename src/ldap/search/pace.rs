//! How fast operations go: in slices of about a millisecond, by turns of their sources, and with
//! so much in memory at once.
//!
//! A quick operation is of a source's few at a time. A heavy one, and a quick one that turns out to
//! be no such thing, has a turn for each slice; whoever else waits goes first once it is over. No
//! turn is kept while a client is waited for, or room: it would keep others from working.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::cost::Class;
use super::shares::{Share, Shares};
use crate::domain::origin::Source;
use crate::ldap::attribute::Entry;
use crate::ldap::filter::{Matcher, Progress, VALUE_WORK};

/// The work of one slice, as [`Progress`] counts it: less than a millisecond.
const SLICE: usize = 64 * 1024;
/// What it costs to make an entry of a record, in the same measure.
const ENTRY_WORK: usize = 2 * 1024;

/// How many quick operations of one source run at once, where there are few processors.
const QUICK_AT_ONCE: usize = 4;
/// How many bytes operations may hold of records and entries: all of them, and those of one source.
const MEMORY: usize = 64 << 20;
const MEMORY_EACH: usize = 16 << 20;
/// The same for quick operations, which have room of their own.
const QUICK_MEMORY: usize = 16 << 20;
const QUICK_MEMORY_EACH: usize = 1 << 20;
/// The same for long lists of names.
const LISTS: usize = 32 << 20;
const LISTS_EACH: usize = 8 << 20;

/// What all operations share.
#[derive(Debug)]
pub struct Capacity {
    quick: Arc<Shares>,
    quick_memory: Arc<Shares>,
    turns: Arc<Shares>,
    memory: Arc<Shares>,
    lists: Arc<Shares>,
}

impl Capacity {
    /// As much as there is to do work with: so many heavy slices at once.
    pub fn new(turns: usize) -> Self {
        let turns = turns.max(1);
        Self {
            quick: Shares::new(usize::MAX, QUICK_AT_ONCE.max(turns)),
            quick_memory: Shares::new(QUICK_MEMORY, QUICK_MEMORY_EACH),
            turns: Shares::new(turns, turns),
            memory: Shares::new(MEMORY, MEMORY_EACH),
            lists: Shares::new(LISTS, LISTS_EACH),
        }
    }

    /// Room in memory for an operation, held until the share is dropped. Heavy ones keep theirs
    /// while a client reads nothing, and so take none of what look-ups need.
    pub async fn room(&self, source: &Source, class: Class, bytes: usize) -> Share {
        let memory = match class {
            Class::Quick => &self.quick_memory,
            Class::Heavy => &self.memory,
        };
        memory.take(source, bytes).await
    }
}

/// One operation's pace.
#[derive(Debug)]
pub struct Pace<'a> {
    capacity: &'a Capacity,
    source: &'a Source,
    class: Class,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    turn: Option<Share>,
    /// What is left of this slice.
    left: usize,
    /// Whether a slice was used up.
    went_on: bool,
}

impl<'a> Pace<'a> {
    /// That of an operation of a source.
    pub const fn new(capacity: &'a Capacity, source: &'a Source, class: Class) -> Self {
        Self {
            capacity,
            source,
            class,
            state: Mutex::new(State {
                turn: None,
                left: SLICE,
                went_on: false,
            }),
        }
    }

    /// What kind of operation it was taken for before it began.
    pub const fn class(&self) -> Class {
        self.class
    }

    /// Waits for a turn, unless it has one.
    pub async fn begin(&self) {
        let shares = {
            let state = self.state();
            if state.turn.is_some() {
                return;
            }
            match self.class {
                Class::Quick if !state.went_on => &self.capacity.quick,
                Class::Quick | Class::Heavy => &self.capacity.turns,
            }
        };
        let turn = shares.take(self.source, 1).await;
        self.state().turn = Some(turn);
    }

    /// Gives the turn back for as long as something else is waited for.
    pub fn rest(&self) {
        self.state().turn = None;
    }

    /// Notes that an entry was made.
    pub async fn made_entry(&self) {
        self.spend(ENTRY_WORK).await;
    }

    /// Notes that a value was looked at.
    pub async fn looked_at_value(&self) {
        self.begin().await;
        self.spend(VALUE_WORK).await;
    }

    /// Whether a filter is true of an entry; `progress` is room that is used again.
    pub async fn matches(&self, matcher: &Matcher, entry: &Entry, progress: &mut Progress) -> bool {
        progress.restart();
        loop {
            self.begin().await;
            let allowed = self.state().left;
            progress.allow(allowed);
            let truth = matcher.advance(entry, progress);
            self.spend(allowed - progress.left()).await;
            if let Some(truth) = truth {
                return truth.is_true();
            }
        }
    }

    /// Room for a long list of names, held until the share is dropped. A turn is given back.
    pub async fn list(&self, bytes: usize) -> Share {
        self.rest();
        self.capacity.lists.take(self.source, bytes).await
    }

    /// Notes work, and lets others go first once the slice is used up.
    async fn spend(&self, work: usize) {
        {
            let mut state = self.state();
            state.left = state.left.saturating_sub(work);
            if state.left > 0 {
                return;
            }
            state.left = SLICE;
            state.went_on = true;
            state.turn = None;
        }
        tokio::task::yield_now().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn look_ups_have_room_while_scans_that_nobody_reads_hold_all_of_theirs() {
        let capacity = Capacity::new(1);
        let source = |number: u8| Source::from(std::net::IpAddr::from([192, 0, 2, number]));
        let mut held = Vec::new();
        for number in 0..4 {
            let source = source(number);
            let share = capacity.room(&source, Class::Heavy, MEMORY_EACH);
            held.push(share.await);
        }
        let waits = |class| {
            let (capacity, source) = (&capacity, source(9));
            async move {
                let room = capacity.room(&source, class, 16 * 1024);
                tokio::time::timeout(Duration::from_millis(100), room)
                    .await
                    .is_err()
            }
        };
        assert!(waits(Class::Heavy).await);
        assert!(!waits(Class::Quick).await);
    }
}
