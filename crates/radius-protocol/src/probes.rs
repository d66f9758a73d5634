//! Which Status-Servers were seen, so that one that was recorded and is sent again is told from what
//! its client sends. Each is answered all the same: this is for the allowances alone.
//!
//! Bounded in entries and time. Must not know what is asked or answered.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use super::duplicates::FINISHED_LIFETIME;
use super::transport::Digest;
use doorward_domain::time::Monotonic;

/// How many are remembered at most; past them the oldest is forgotten.
const CAPACITY: usize = 4096;

/// The Status-Servers of a moment ago, by their octets, which prove their client.
#[derive(Debug)]
pub struct Probes {
    lifetime: Duration,
    seen: HashSet<Digest>,
    /// The same by when they lapse.
    lapsing: VecDeque<(Monotonic, Digest)>,
}

impl Default for Probes {
    fn default() -> Self {
        Self::new(FINISHED_LIFETIME)
    }
}

impl Probes {
    /// None was seen; each is remembered for that long.
    pub fn new(lifetime: Duration) -> Self {
        Self {
            lifetime,
            seen: HashSet::new(),
            lapsing: VecDeque::new(),
        }
    }

    /// Whether whoever sends this may have recorded it.
    pub fn knows(&mut self, probe: &Digest, now: Monotonic) -> bool {
        self.forget(|_, lapses| lapses <= now);
        self.seen.contains(probe)
    }

    /// Remembers one from when it first came.
    pub fn note(&mut self, probe: Digest, now: Monotonic) {
        self.forget(|_, lapses| lapses <= now);
        if self.seen.insert(probe) {
            self.lapsing.push_back((now.plus(self.lifetime), probe));
        }
        self.forget(|count, _| count > CAPACITY);
    }

    /// Forgets the oldest for as long as there are too many, or they have lapsed.
    fn forget(&mut self, goes: impl Fn(usize, Monotonic) -> bool) {
        while let Some((lapses, probe)) = self.lapsing.front()
            && goes(self.lapsing.len(), *lapses)
        {
            self.seen.remove(probe);
            self.lapsing.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_secs(seconds))
    }

    fn probe(number: usize) -> Digest {
        let mut digest = Digest::default();
        digest[..8].copy_from_slice(&number.to_be_bytes());
        digest
    }

    #[test]
    fn what_came_is_known_for_a_while_however_often_it_comes() {
        let mut probes = Probes::new(Duration::from_secs(10));
        assert!(!probes.knows(&probe(1), at(0)));
        for second in 0..10 {
            probes.note(probe(1), at(second));
            assert!(probes.knows(&probe(1), at(second)));
            assert!(!probes.knows(&probe(2), at(second)));
        }
        assert!(!probes.knows(&probe(1), at(10)));
    }

    #[test]
    fn the_oldest_goes_first() {
        let mut probes = Probes::default();
        for number in 0..=CAPACITY {
            probes.note(probe(number), at(0));
        }
        assert!(!probes.knows(&probe(0), at(0)));
        assert!(probes.knows(&probe(1), at(0)));
        assert!(probes.knows(&probe(CAPACITY), at(0)));
    }
}
