//! Logs: `tracing` as text or as JSON lines, to standard error.

use std::io::IsTerminal as _;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogShape {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Sends log lines of `level` and above to standard error. A second call changes nothing.
pub fn start_logging(shape: LogShape, level: LevelFilter) {
    // Below a warning these crates say what came over the wire, passwords included.
    let targets = Targets::new()
        .with_default(level)
        .with_target("ldap3_proto", LevelFilter::OFF)
        .with_target("ldap3_lber", LevelFilter::OFF)
        .with_target("radius", LevelFilter::OFF)
        .with_target("rustls", level.min(LevelFilter::WARN))
        .with_target("refinery_core", level.min(LevelFilter::WARN));
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let lines = match shape {
        LogShape::Text => lines.with_target(false).boxed(),
        LogShape::Json => lines.json().flatten_event(true).boxed(),
    };
    // Already started: the first one stays.
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(targets))
        .try_init();
}
