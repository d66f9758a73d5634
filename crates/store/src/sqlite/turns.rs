//! What waits in turns: a line for each of those who ask, bounded for each and in all.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// How many may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Of each who asks.
    pub(super) each: usize,
    /// Of all.
    pub(super) in_all: usize,
}

impl Bounds {
    /// So many, whoever asks.
    pub(super) const fn of_all(most: usize) -> Self {
        Self {
            each: most,
            in_all: most,
        }
    }
}

/// What had no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoRoom;

/// What waits, by who asks; each who has something there is served once a round.
pub(super) struct InTurns<K, T> {
    bounds: Bounds,
    lines: HashMap<K, VecDeque<T>>,
    /// Whoever has a line, the next to be served first.
    round: VecDeque<K>,
    waiting: usize,
}

impl<K: Clone + Eq + Hash, T> InTurns<K, T> {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            lines: HashMap::new(),
            round: VecDeque::new(),
            waiting: 0,
        }
    }

    /// Puts an item at the end of its line. Where all together have no room left, the last item
    /// of the longest line gives way, if that stays no shorter than this one becomes.
    pub(super) fn put(&mut self, key: K, item: T) -> Result<(), NoRoom> {
        let own = self.lines.get(&key).map_or(0, VecDeque::len);
        if own >= self.bounds.each {
            return Err(NoRoom);
        }
        if self.waiting >= self.bounds.in_all {
            self.shorten_longest(own.saturating_add(1))?;
        }
        let line = self.lines.entry(key.clone()).or_default();
        if line.is_empty() {
            self.round.push_back(key);
        }
        line.push_back(item);
        self.waiting = self.waiting.saturating_add(1);
        Ok(())
    }

    fn shorten_longest(&mut self, floor: usize) -> Result<(), NoRoom> {
        let longest = self.lines.values_mut().max_by_key(|line| line.len());
        match longest {
            // What is left stands at least as long, so the line and its turn stay.
            Some(line) if line.len() > floor => {
                line.pop_back();
                self.waiting = self.waiting.saturating_sub(1);
                Ok(())
            }
            _ => Err(NoRoom),
        }
    }

    /// The first of the line whose turn it is.
    pub(super) fn take(&mut self) -> Option<T> {
        let key = self.round.pop_front()?;
        let line = self.lines.get_mut(&key)?;
        let item = line.pop_front();
        if line.is_empty() {
            self.lines.remove(&key);
        } else {
            self.round.push_back(key);
        }
        self.waiting = self.waiting.saturating_sub(1);
        item
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    #[cfg(test)]
    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(turns: &mut InTurns<char, u32>) -> Vec<u32> {
        std::iter::from_fn(|| turns.take()).collect()
    }

    #[test]
    fn whoever_asks_much_waits_behind_its_own() {
        let mut turns = InTurns::new(Bounds::of_all(10));
        for number in 0..4 {
            turns.put('a', number).unwrap();
        }
        turns.put('b', 10).unwrap();
        turns.put('c', 20).unwrap();
        turns.put('c', 21).unwrap();
        assert_eq!(drain(&mut turns), [0, 10, 20, 1, 21, 2, 3]);
        assert!(turns.is_empty());
        turns.put('a', 5).unwrap();
        assert_eq!(drain(&mut turns), [5]);
    }

    #[test]
    fn nobody_has_more_than_its_share_and_none_is_kept_out_by_others() {
        let bounds = Bounds { each: 4, in_all: 6 };
        let mut turns = InTurns::new(bounds);
        for number in 0..4 {
            turns.put('a', number).unwrap();
        }
        assert_eq!(turns.put('a', 4), Err(NoRoom));
        turns.put('b', 10).unwrap();
        turns.put('b', 11).unwrap();
        assert_eq!(turns.waiting(), 6);
        // The longest gives way until they are equal, and no further.
        turns.put('c', 20).unwrap();
        turns.put('b', 12).unwrap_err();
        turns.put('c', 21).unwrap();
        assert_eq!(turns.put('c', 22), Err(NoRoom));
        assert_eq!(turns.waiting(), 6);
        assert_eq!(drain(&mut turns), [0, 10, 20, 1, 11, 21]);
    }

    #[test]
    fn no_room_at_all_is_no_room() {
        let mut turns = InTurns::new(Bounds::of_all(0));
        assert_eq!(turns.put('a', 1), Err(NoRoom));
        assert!(turns.take().is_none());
    }
}
