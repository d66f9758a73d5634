//! `[audit]`: how long events are kept, and how much room they may take (CONTRACT.md 9).

use std::time::Duration;

use serde::Deserialize;

/// The audit log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Events older than this are removed.
    #[serde(deserialize_with = "super::value::span")]
    pub retention: Duration,
    /// What all events together may take, in bytes; where they would take more, merged successes
    /// go first, then other merged ones, then the oldest.
    #[serde(deserialize_with = "super::value::bytes")]
    pub max_bytes: u64,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            retention: Duration::from_hours(400 * 24),
            max_bytes: 2 << 30,
        }
    }
}
