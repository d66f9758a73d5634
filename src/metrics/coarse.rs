//! What the page keeps to itself: whatever would tell an unknown name from a wrong password or a
//! locked account. Whoever can bind and read the page would otherwise see in it what the refusal
//! did not say (CONTRACT.md 5.2).

use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Label, Metadata, Recorder, SharedString, Unit,
};

/// Not shown. What was hashed says what was compared with, and so does how long it took; what time
/// caused says that somebody's lock has lapsed.
const HIDDEN: [&str; 3] = [
    "doorward_hashes_total",
    "doorward_decision_seconds",
    "doorward_lifecycle_transitions_total",
];
/// Shown without its exact reason.
const DECISIONS: &str = "doorward_decisions_total";
const REASON: &str = "reason";
/// The reasons that are told: they follow from how the request came, whoever it named.
const TOLD: [&str; 2] = ["none", "no_resource"];
/// What stands for every other.
const REFUSED: &str = "refused";

/// A recorder that is told less.
pub(super) struct Coarse<R>(pub(super) R);

fn is_hidden(name: &str) -> bool {
    HIDDEN.contains(&name)
}

/// The key without its exact reason.
fn coarsened(key: &Key) -> Key {
    if key.name() != DECISIONS {
        return key.clone();
    }
    let labels = key.labels().map(|label| {
        if label.key() == REASON && !TOLD.contains(&label.value()) {
            Label::from_static_parts(REASON, REFUSED)
        } else {
            label.clone()
        }
    });
    Key::from_parts(DECISIONS, labels.collect::<Vec<_>>())
}

impl<R: Recorder> Recorder for Coarse<R> {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        if !is_hidden(key.as_str()) {
            self.0.describe_counter(key, unit, description);
        }
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        if !is_hidden(key.as_str()) {
            self.0.describe_gauge(key, unit, description);
        }
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        if !is_hidden(key.as_str()) {
            self.0.describe_histogram(key, unit, description);
        }
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        if is_hidden(key.name()) {
            return Counter::noop();
        }
        self.0.register_counter(&coarsened(key), metadata)
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        if is_hidden(key.name()) {
            return Gauge::noop();
        }
        self.0.register_gauge(key, metadata)
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        if is_hidden(key.name()) {
            return Histogram::noop();
        }
        self.0.register_histogram(key, metadata)
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn no_reason_of_a_refusal_that_hangs_on_the_account_is_shown() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&Coarse(recorder), || {
            for reason in ["unknown_user", "wrong_password", "locked", "throttled"] {
                metrics::counter!(DECISIONS, "outcome" => "refused", REASON => reason).increment(1);
            }
            metrics::counter!(DECISIONS, "outcome" => "granted", REASON => "none").increment(1);
            metrics::counter!(HIDDEN[0], "purpose" => "dummy").absolute(7);
            metrics::histogram!(HIDDEN[1], "protocol" => "ldap").record(0.2);
        });
        let page = handle.render();
        assert!(
            page.contains("doorward_decisions_total{outcome=\"refused\",reason=\"refused\"} 4"),
            "{page}"
        );
        assert!(page.contains("reason=\"none\"} 1"), "{page}");
        for hidden in HIDDEN {
            assert!(!page.contains(hidden), "{page}");
        }
    }
}
