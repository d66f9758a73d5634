//! Token buckets of failed attempts (CONTRACT.md 3.6): a token is taken before a comparison and
//! given back on success or where nothing was compared.
//!
//! Pure functions over a bucket, and a map of buckets that never grows past its bound.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use crate::time::Monotonic;

/// How many tokens a bucket holds and how fast it fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The most tokens it holds; a bucket of zero refuses everything.
    pub capacity: u32,
    /// The time in which one token comes back; a bucket with zero is always full.
    pub refill: Duration,
}

/// The rate of a bucket keyed by account, origin and resource: at least as many tokens as the
/// lock threshold, so that where failures count the lock acts first (CONTRACT.md 3.6).
#[must_use]
pub fn account_rate(configured: Rate, threshold: u32) -> Rate {
    Rate {
        capacity: configured.capacity.max(threshold),
        ..configured
    }
}

/// How fast one account may be guessed at through one NAS where it is not known there, whatever
/// stations the NAS tells of: 20 at once, and 20 an hour (CONTRACT.md 3.2).
pub const NAS_RATE: Rate = Rate {
    capacity: 20,
    refill: Duration::from_mins(3),
};

/// How many comparisons of one account go ahead of the strangers at an origin where it is known, once
/// they fail (CONTRACT.md 3.7).
pub const AHEAD_OF_ACCOUNT: Rate = Rate {
    capacity: 3,
    refill: Duration::from_mins(5),
};

/// How many comparisons go ahead of the strangers from one origin, once they fail, whatever accounts
/// are known there (CONTRACT.md 3.7). Many users may log in there at once, each with a comparison
/// under way.
pub const AHEAD_OF_ORIGIN: Rate = Rate {
    capacity: 60,
    refill: Duration::from_secs(2),
};

/// How many accounts one source may lock at once, at most: it is throttled before the next one.
const LOCKS: u32 = 6;

/// The rate of a bucket keyed by source: never more tokens than lock six accounts (CONTRACT.md
/// 3.6).
#[must_use]
pub fn source_rate(configured: Rate, threshold: u32) -> Rate {
    Rate {
        capacity: configured.capacity.min(threshold.saturating_mul(LOCKS)),
        ..configured
    }
}

/// The rate of each of the two buckets of a source that is divided.
#[must_use]
pub fn half_of(rate: Rate) -> Rate {
    Rate {
        capacity: rate.capacity.div_ceil(2),
        ..rate
    }
}

/// How often a guess may miss what is remembered as right between two logins of the owner, where
/// the account's bucket is empty: a hundred times at once, and a hundred a day (NIST SP 800-63B
/// 5.2.2).
pub const MISSES: Rate = Rate {
    capacity: 100,
    refill: Duration::from_secs(24 * 3600 / 100),
};

/// One bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    tokens: u32,
    updated: Monotonic,
}

impl Bucket {
    /// A bucket that has never been drawn from.
    pub const fn fresh(rate: Rate, now: Monotonic) -> Self {
        Self {
            tokens: rate.capacity,
            updated: now,
        }
    }

    /// The tokens in it now.
    pub fn tokens(mut self, rate: Rate, now: Monotonic) -> u32 {
        self.refill(rate, now);
        self.tokens
    }

    /// Adds the tokens that came back since the last look, keeping the part of one that is still
    /// on its way.
    fn refill(&mut self, rate: Rate, now: Monotonic) {
        let elapsed = now.since(self.updated).as_nanos();
        let missing = rate.capacity.saturating_sub(self.tokens);
        let gained = elapsed
            .checked_div(rate.refill.as_nanos())
            .unwrap_or(u128::MAX);
        match u32::try_from(gained) {
            Ok(gained) if gained < missing => {
                self.tokens += gained;
                self.updated = self.updated.plus(rate.refill.saturating_mul(gained));
            }
            _ => {
                self.tokens = rate.capacity;
                self.updated = self.updated.max(now);
            }
        }
    }
}

/// Takes a token; false where none is left.
#[must_use]
pub fn take(bucket: &mut Bucket, rate: Rate, now: Monotonic) -> bool {
    bucket.refill(rate, now);
    match bucket.tokens.checked_sub(1) {
        Some(left) => {
            bucket.tokens = left;
            true
        }
        None => false,
    }
}

/// Gives a token back, never past the capacity.
pub fn give_back(bucket: &mut Bucket, rate: Rate, now: Monotonic) {
    bucket.refill(rate, now);
    bucket.tokens = bucket.tokens.saturating_add(1).min(rate.capacity);
}

/// Buckets by key, at most as many as its bound.
///
/// At the bound the fullest go first and the oldest among equals: a full one says nothing, and a
/// stranger who floods the map with keys pushes out the flood before any emptied bucket. Whatever
/// is pushed out comes back as a fresh bucket, never as more. Buckets of several rates may be in one
/// map: each is judged by the rate at which it was last drawn from.
#[derive(Debug)]
pub struct Buckets<K> {
    bound: usize,
    buckets: HashMap<K, Rated>,
}

/// A bucket, and at which rate it fills.
#[derive(Debug, Clone, Copy)]
struct Rated {
    bucket: Bucket,
    rate: Rate,
}

impl Rated {
    fn missing(self, now: Monotonic) -> u32 {
        let tokens = self.bucket.tokens(self.rate, now);
        self.rate.capacity.saturating_sub(tokens)
    }

    /// What is pushed out first: the fewest tokens missing, then the longest untouched.
    fn rank(self, now: Monotonic) -> (u32, Monotonic) {
        (self.missing(now), self.bucket.updated)
    }
}

impl<K: Hash + Eq> Buckets<K> {
    /// An empty map for at most `bound` buckets (at least one).
    pub fn new(bound: usize) -> Self {
        Self {
            bound: bound.max(1),
            buckets: HashMap::new(),
        }
    }

    /// Takes a token from the bucket of `key`; false where none is left.
    #[must_use]
    pub fn take(&mut self, key: K, rate: Rate, now: Monotonic) -> bool {
        if let Some(rated) = self.buckets.get_mut(&key) {
            rated.rate = rate;
            return take(&mut rated.bucket, rate, now);
        }
        self.make_room(now);
        let mut bucket = Bucket::fresh(rate, now);
        let taken = take(&mut bucket, rate, now);
        self.buckets.insert(key, Rated { bucket, rate });
        taken
    }

    /// Whether there is a token left in the bucket of `key`.
    pub fn has(&self, key: &K, rate: Rate, now: Monotonic) -> bool {
        let tokens = |rated: &Rated| rated.bucket.tokens(rate, now);
        self.buckets.get(key).map_or(rate.capacity, tokens) > 0
    }

    /// Gives a token back to the bucket of `key`; a bucket pushed out meanwhile is as good as full.
    pub fn give_back(&mut self, key: &K, rate: Rate, now: Monotonic) {
        if let Some(rated) = self.buckets.get_mut(key) {
            give_back(&mut rated.bucket, rate, now);
            if rated.bucket.tokens >= rate.capacity {
                self.buckets.remove(key);
            }
        }
    }

    /// Starts the bucket of `key` afresh.
    pub fn forget(&mut self, key: &K) {
        self.buckets.remove(key);
    }

    /// How many buckets there are.
    pub fn len(&self) -> usize {
        self.buckets.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// Makes room for one more. A sixteenth is freed at a time, so that a flood of new keys pays
    /// for a look through the map once in many insertions.
    fn make_room(&mut self, now: Monotonic) {
        if self.buckets.len() < self.bound {
            return;
        }
        self.buckets.retain(|_, rated| rated.missing(now) > 0);
        let keep = self.bound - (self.bound / 16).max(1);
        let excess = self.buckets.len().saturating_sub(keep);
        if excess == 0 {
            return;
        }
        let mut ranks: Vec<(u32, Monotonic)> =
            self.buckets.values().map(|rated| rated.rank(now)).collect();
        let (sooner, last, _) = ranks.select_nth_unstable(excess - 1);
        let last = *last;
        // Equal ranks may straddle the boundary: of those only as many go as are needed.
        let surely = sooner.iter().filter(|rank| **rank < last).count();
        let mut equals = excess - surely;
        self.buckets.retain(|_, rated| {
            let rank = rated.rank(now);
            if rank == last && equals > 0 {
                equals -= 1;
                return false;
            }
            rank >= last
        });
    }
}
