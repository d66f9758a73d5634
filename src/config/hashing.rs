//! `[hashing]`: what a password hash costs, and how many may wait for one (CONTRACT.md 3.7, 6).

use std::num::NonZeroUsize;
use std::time::Duration;

use serde::Deserialize;

/// Argon2id's parameters and the pool's size.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hashing {
    /// Memory of one hash, in KiB.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub passes: u32,
    /// Lanes of one hash.
    pub lanes: u32,
    /// Threads that hash; one a core where absent.
    pub threads: Option<NonZeroUsize>,
    /// How many attempts may wait for a thread.
    pub queue: NonZeroUsize,
    /// How long a password that was right stands in for its hash; 0 for never.
    #[serde(deserialize_with = "super::value::span")]
    pub remember_for: Duration,
}

impl Default for Hashing {
    fn default() -> Self {
        Self {
            memory_kib: 19_456,
            passes: 2,
            lanes: 1,
            threads: None,
            queue: NonZeroUsize::MIN.saturating_add(127),
            remember_for: Duration::from_mins(5),
        }
    }
}
