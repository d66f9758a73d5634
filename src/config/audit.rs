//! `[audit]`: how long events are kept (CONTRACT.md 9).

use std::time::Duration;

use serde::Deserialize;

/// The audit log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Events older than this are removed.
    #[serde(deserialize_with = "super::value::span")]
    pub retention: Duration,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            retention: Duration::from_hours(400 * 24),
        }
    }
}
