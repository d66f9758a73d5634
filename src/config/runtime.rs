//! `[runtime]`: how the process ends.

use std::time::Duration;

use serde::Deserialize;

/// The process.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Runtime {
    /// How long connections and attempts under way may take to end after the signal to stop.
    #[serde(deserialize_with = "super::value::span")]
    pub shutdown_deadline: Duration,
}

impl Default for Runtime {
    fn default() -> Self {
        Self {
            shutdown_deadline: Duration::from_secs(10),
        }
    }
}
