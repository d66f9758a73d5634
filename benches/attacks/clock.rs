//! The machine's clock, which no clock of the daemon's stands for.

use std::time::{Duration, Instant};

/// What time it is.
#[expect(clippy::disallowed_methods, reason = "what is measured is time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Waits.
#[expect(
    clippy::disallowed_methods,
    reason = "attackers and victims keep a pace"
)]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Waits until then.
pub(crate) fn pause_until(then: Instant) {
    pause(then.saturating_duration_since(now()));
}

/// A pace: so many a second, none made up for that could not be kept.
pub(crate) struct Pace {
    next: Instant,
    step: Duration,
}

impl Pace {
    pub(crate) fn new(per_second: f64) -> Self {
        Self {
            next: now(),
            step: Duration::from_secs_f64(1.0 / per_second),
        }
    }

    /// When the next one is due.
    pub(crate) fn next(&mut self) -> Instant {
        let due = self.next;
        // A tenth of a second behind is caught up with; more was never possible.
        let earliest = now().checked_sub(Duration::from_millis(100));
        self.next = earliest.map_or(due, |earliest| due.max(earliest)) + self.step;
        due
    }
}

/// As milliseconds.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
