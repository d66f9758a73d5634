//! How fast operations go: in slices of about a millisecond, by turns of their sources, and with
//! so much in memory at once.
//!
//! A quick operation is of a source's few at a time. A heavy one, and a quick one that turns out to
//! be no such thing, has a turn for each slice; whoever else waits goes first once it is over. Neither
//! a turn nor room in memory is kept while a client is waited for: it would keep others from
//! working.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::cost::{Class, Room};
use super::plan::{Plan, Planning};
use super::shares::{Share, Shares};
use crate::attribute::Entry;
use crate::filter::{Filter, Matcher, Preparing, Progress, VALUE_WORK};
use crate::tree::Tree;
use doorward_domain::origin::Source;
use doorward_frontend_api::Answer;

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
/// The same for sorted lists, of which a client that does not read keeps what it has begun.
const SORTED: usize = 16 << 20;
const SORTED_EACH: usize = 4 << 20;
/// The same for long requests, from before they are read until they are answered.
const REQUESTS: usize = 32 << 20;
const REQUESTS_EACH: usize = 8 << 20;

/// Lets the runtime do what else is ready, between two slices.
pub type Pause = fn() -> Answer<'static, ()>;

/// What all operations share.
#[derive(Debug)]
pub struct Capacity {
    pause: Pause,
    quick: Arc<Shares>,
    quick_memory: Arc<Shares>,
    turns: Arc<Shares>,
    memory: Arc<Shares>,
    lists: Arc<Shares>,
    sorted: Arc<Shares>,
    requests: Arc<Shares>,
}

impl Capacity {
    /// As much as there is to do work with: so many heavy slices at once.
    pub fn new(turns: usize, pause: Pause) -> Self {
        let turns = turns.max(1);
        Self {
            pause,
            quick: Shares::new(usize::MAX, QUICK_AT_ONCE.max(turns)),
            quick_memory: Shares::new(QUICK_MEMORY, QUICK_MEMORY_EACH),
            turns: Shares::new(turns, turns),
            memory: Shares::new(MEMORY, MEMORY_EACH),
            lists: Shares::new(LISTS, LISTS_EACH),
            sorted: Shares::new(SORTED, SORTED_EACH),
            requests: Shares::new(REQUESTS, REQUESTS_EACH),
        }
    }

    /// Room for a long request, held until the share is dropped.
    pub async fn request(&self, source: &Source, bytes: usize) -> Share {
        self.requests.take(source, bytes).await
    }

    /// Room in memory for an operation, held until the share is dropped. Heavy ones take none of
    /// what look-ups need.
    async fn room(&self, source: &Source, class: Class, bytes: usize) -> Share {
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
    /// How much room in memory it needs.
    needs: Room,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    turn: Option<Share>,
    room: Option<Share>,
    sorted: Option<Share>,
    /// What is left of this slice.
    left: usize,
    /// Whether a slice was used up.
    went_on: bool,
}

impl<'a> Pace<'a> {
    /// That of an operation of a source, which may hold so much.
    pub const fn new(
        capacity: &'a Capacity,
        source: &'a Source,
        class: Class,
        needs: Room,
    ) -> Self {
        Self {
            capacity,
            source,
            class,
            needs,
            state: Mutex::new(State {
                turn: None,
                room: None,
                sorted: None,
                left: SLICE,
                went_on: false,
            }),
        }
    }

    /// What kind of operation it was taken for before it began.
    pub const fn class(&self) -> Class {
        self.class
    }

    /// Waits for room in memory, unless it has some, and then for a turn. Room for a sorted list
    /// comes first, since it is kept while the other is waited for.
    pub async fn enter(&self) {
        if self.needs.list > 0 && self.state().sorted.is_none() {
            let sorted = self.capacity.sorted.take(self.source, self.needs.list);
            let sorted = sorted.await;
            self.state().sorted = Some(sorted);
        }
        if self.state().room.is_none() {
            let room = self
                .capacity
                .room(self.source, self.class, self.needs.working);
            let room = room.await;
            self.state().room = Some(room);
        }
        self.begin().await;
    }

    /// Gives turn and room back: nothing is held any more but a sorted list.
    pub fn leave(&self) {
        let mut state = self.state();
        state.turn = None;
        state.room = None;
    }

    /// Gives back the room that is more than so many bytes.
    pub fn keep(&self, bytes: usize) {
        if let Some(room) = &mut self.state().room {
            room.shrink(bytes);
        }
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

    /// Prepares a filter, and where to look for what it is true of, if that is to be told as well.
    pub async fn prepare(&self, filter: &Filter, tree: Option<&Tree>) -> (Matcher, Option<Plan>) {
        let mut preparing = Preparing::new(filter);
        let mut planning = Planning::default();
        loop {
            self.begin().await;
            let Some(item) = preparing.step() else { break };
            if let Some(tree) = tree {
                planning.add(item, tree);
            }
            self.spend(item.work()).await;
        }
        let plan = tree.map(|_| planning.finish(filter));
        (preparing.finish(), plan)
    }

    /// Notes that a single value was prepared.
    pub async fn prepared(&self, work: usize) {
        self.spend(work).await;
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
        (self.capacity.pause)().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use doorward_fixtures::{block_on, waits_for};

    use super::*;

    #[test]
    fn long_requests_have_room_for_so_many_bytes_of_a_source() {
        block_on(async {
            const LONG: usize = 512 * 1024;
            let capacity = Capacity::new(1, || Box::pin(async {}));
            let [one, other] = [1, 2].map(|number| {
                let address = std::net::IpAddr::from([192, 0, 2, number]);
                Source::from(address)
            });
            let mut held = Vec::new();
            for _ in 0..REQUESTS_EACH / LONG {
                held.push(capacity.request(&one, LONG).await);
            }
            let mut waits = Box::pin(capacity.request(&one, LONG));
            assert!(waits_for(&mut waits));
            drop(capacity.request(&other, LONG).await);
            held.pop();
            assert!(!waits_for(&mut waits));
        });
    }

    #[test]
    fn look_ups_have_room_while_scans_that_nobody_reads_hold_all_of_theirs() {
        block_on(async {
            let capacity = Capacity::new(1, || Box::pin(async {}));
            let source = |number: u8| Source::from(std::net::IpAddr::from([192, 0, 2, number]));
            let mut held = Vec::new();
            for number in 0..4 {
                let source = source(number);
                let share = capacity.room(&source, Class::Heavy, MEMORY_EACH);
                held.push(share.await);
            }
            let waits = |class| {
                let source = source(9);
                waits_for(&mut Box::pin(capacity.room(&source, class, 16 * 1024)))
            };
            assert!(waits(Class::Heavy));
            assert!(!waits(Class::Quick));
        });
    }
}
