//! Prometheus metrics: the recorder, and what each metric means.
//!
//! The modules that know something count it where it happens, once; here stands only what the
//! names mean, and what of it whoever reads the page is told. Labels are bounded: protocols,
//! resources, clients of the configuration, reasons.

mod coarse;

use metrics::{SetRecorderError, Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};

use coarse::Coarse;

/// How much the page tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// No more than the wire tells of a refusal (CONTRACT.md 5.2).
    Coarse,
    /// Everything.
    Exact,
}

/// Why there is no recorder.
#[derive(Debug, thiserror::Error)]
#[error("the metrics cannot be recorded: {0}")]
pub struct NotInstalled(String);

impl From<BuildError> for NotInstalled {
    fn from(error: BuildError) -> Self {
        Self(error.to_string())
    }
}

impl<R> From<SetRecorderError<R>> for NotInstalled {
    fn from(error: SetRecorderError<R>) -> Self {
        Self(error.to_string())
    }
}

/// Seconds, for everything that is measured in them: from a cache hit to a client's patience.
const SECONDS: [f64; 11] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// Makes the process's recorder; its handle renders the page.
///
/// # Errors
/// A recorder is installed already.
pub fn install(detail: Detail) -> Result<PrometheusHandle, NotInstalled> {
    let recorder = PrometheusBuilder::new()
        .set_buckets(&SECONDS)?
        .build_recorder();
    let handle = recorder.handle();
    match detail {
        Detail::Exact => metrics::set_global_recorder(recorder)?,
        Detail::Coarse => metrics::set_global_recorder(Coarse(recorder))?,
    }
    describe();
    Ok(handle)
}

fn describe() {
    describe_counter!(
        "doorward_decisions_total",
        "Decisions by protocol, resource, outcome and reason"
    );
    describe_histogram!(
        "doorward_decision_seconds",
        Unit::Seconds,
        "From an attempt's arrival to its decision, the refusal delay not included"
    );
    describe_counter!(
        "doorward_decisions_failed_total",
        "Decisions that ended without a verdict because of a fault in the gateway"
    );
    describe_counter!(
        "doorward_events_dropped_total",
        "Mergeable audit events dropped because the store's writer was full"
    );
    describe_gauge!(
        "doorward_audit_log_full_percent",
        "How full the audit log is, in hundredths of audit.max_bytes"
    );
    describe_counter!(
        "doorward_hashes_total",
        "Password hashes computed, by purpose"
    );
    describe_counter!(
        "doorward_hash_queue_full_total",
        "Jobs refused by a full hashing queue"
    );
    describe_counter!(
        "doorward_hash_overdue_total",
        "Jobs dropped since they had waited too long in the hashing queue"
    );
    describe_gauge!(
        "doorward_hash_queue_depth",
        "Jobs waiting in the hashing queue"
    );
    describe_gauge!(
        "doorward_clock_suspect",
        "1 while the wall clock is not believed"
    );
    describe_gauge!(
        "doorward_store_up",
        "1 while the store answers and takes writes"
    );
    describe_counter!(
        "doorward_status_connections_refused_total",
        "Connections to the status page that were turned away"
    );
    describe_counter!(
        "doorward_reloads_total",
        "Reloads of the configuration, by outcome"
    );
    describe_counter!(
        "doorward_lifecycle_transitions_total",
        "Transitions that time alone caused"
    );
}
