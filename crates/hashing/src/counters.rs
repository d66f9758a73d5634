//! What the pool has done, counted since its start.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters of one [`super::HashingPool`], read by metrics and tests.
///
/// A computation is counted before it runs, and so before its answer is seen.
#[derive(Debug, Default)]
pub struct PoolCounters {
    verified: AtomicU64,
    stale_checked: AtomicU64,
    dummies: AtomicU64,
    set: AtomicU64,
    rehashed: AtomicU64,
    turns: AtomicU64,
    abandoned: AtomicU64,
    overdue: AtomicU64,
    failed: AtomicU64,
    queue_full: AtomicU64,
    queue_depth: AtomicU64,
}

/// One thing that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Verified,
    StaleChecked,
    Dummy,
    Set,
    Rehashed,
    Turn,
    Abandoned,
    Overdue,
    Failed,
    QueueFull,
}

impl PoolCounters {
    pub(super) fn count(&self, event: Event) {
        let counter = match event {
            Event::Verified => &self.verified,
            Event::StaleChecked => &self.stale_checked,
            Event::Dummy => &self.dummies,
            Event::Set => &self.set,
            Event::Rehashed => &self.rehashed,
            Event::Turn => &self.turns,
            Event::Abandoned => &self.abandoned,
            Event::Overdue => &self.overdue,
            Event::Failed => &self.failed,
            Event::QueueFull => &self.queue_full,
        };
        counter.fetch_add(1, Relaxed);
    }

    pub(super) fn set_queue_depth(&self, depth: usize) {
        self.queue_depth.store(depth as u64, Relaxed);
    }

    /// Passwords compared with an account's current hash: guesses, as the lockout sees them.
    pub fn verified(&self) -> u64 {
        self.verified.load(Relaxed)
    }

    /// Passwords compared with a previous hash, after the answer.
    pub fn stale_checked(&self) -> u64 {
        self.stale_checked.load(Relaxed)
    }

    /// Dummies computed where there was no hash to compare with.
    pub fn dummies(&self) -> u64 {
        self.dummies.load(Relaxed)
    }

    /// New passwords hashed.
    pub fn set(&self) -> u64 {
        self.set.load(Relaxed)
    }

    /// Verified passwords hashed anew.
    pub fn rehashed(&self) -> u64 {
        self.rehashed.load(Relaxed)
    }

    /// Turns taken in the queue without computing.
    pub fn turns(&self) -> u64 {
        self.turns.load(Relaxed)
    }

    /// Jobs skipped since nobody waited for them any more.
    pub fn abandoned(&self) -> u64 {
        self.abandoned.load(Relaxed)
    }

    /// Jobs dropped since they had waited too long for their callers.
    pub fn overdue(&self) -> u64 {
        self.overdue.load(Relaxed)
    }

    /// Jobs that ended without an answer: a worker panicked, or had no randomness.
    pub fn failed(&self) -> u64 {
        self.failed.load(Relaxed)
    }

    /// Jobs refused since the queue was full.
    pub fn queue_full(&self) -> u64 {
        self.queue_full.load(Relaxed)
    }

    /// Jobs waiting now.
    pub fn queue_depth(&self) -> u64 {
        self.queue_depth.load(Relaxed)
    }
}
