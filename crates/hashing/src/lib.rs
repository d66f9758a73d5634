//! The pool that computes password hashes, behind a bounded queue in which resources take turns.
//!
//! Knows no accounts, and no clock but a caller's: who may try, and until when, is decided by the
//! callers. The formats are in `doorward_hashes`.

mod counters;
mod pool;
mod queue;

pub use counters::PoolCounters;
pub use pool::{Comparison, Deadline, HashingPool, PoolSettings, QueueFull, Turns};
pub use queue::Lane;
