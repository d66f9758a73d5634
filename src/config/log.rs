//! `[log]`: what the process writes to standard error. Not the audit log, which is in the store.

use serde::Deserialize;

/// The process's log.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// For people or for machines.
    pub format: LogFormat,
    /// The least important lines that are written.
    pub level: LogLevel,
}

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// How important a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Something failed that should not.
    Error,
    /// Something works and should be looked at.
    Warn,
    /// What happens, a line for each connection and decision at most.
    #[default]
    Info,
    /// What happens inside.
    Debug,
    /// Everything but secrets.
    Trace,
}

impl LogLevel {
    /// The name in the configuration, which `tracing` knows too.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}
