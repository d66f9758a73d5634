//! The one place that reads the clocks, and that doubts the wall clock (CONTRACT.md 10).

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use doorward_domain::time::{Clock, Monotonic, Now, Timestamp};

/// A jump of the wall clock past this is not believed.
const JUMP: Duration = Duration::from_hours(24);
/// How far the wall clock may stand behind the newest event, as two machines' clocks may.
const BEHIND: Duration = Duration::from_mins(1);

/// The system's clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
    /// Wall time minus monotonic time, in milliseconds, when the wall clock was last believed.
    offset: AtomicI64,
    suspect: AtomicBool,
    /// While suspect: wall time is not earlier than this, so that nothing that ended revives.
    floor: AtomicI64,
}

impl SystemClock {
    /// Starts the monotonic clock.
    pub fn start() -> Self {
        let clock = Self {
            start: instant(),
            offset: AtomicI64::new(0),
            suspect: AtomicBool::new(false),
            floor: AtomicI64::new(i64::MIN),
        };
        clock.offset.store(wall().as_millis(), Ordering::Relaxed);
        clock
    }

    /// Looks whether the wall clock jumped or stands behind the newest event; raises or lifts
    /// `clock_suspect`, and says whether it is raised.
    pub fn examine(&self, newest_event: Option<Timestamp>) -> bool {
        let system = wall();
        let passed = instant().saturating_duration_since(self.start);
        let offset = system.as_millis().saturating_sub(millis(passed));
        let drift = offset.abs_diff(self.offset.load(Ordering::Relaxed));
        let jumped = u128::from(drift) > JUMP.as_millis();
        let behind = newest_event.is_some_and(|newest| newest.since(system) > BEHIND);
        let floor = newest_event
            .filter(|_| behind)
            .map_or(i64::MIN, Timestamp::as_millis);
        self.floor.store(floor, Ordering::Relaxed);
        if !jumped {
            // Small corrections by NTP are followed, so that they never add up to a jump.
            self.offset.store(offset, Ordering::Relaxed);
        }
        let suspect = jumped || behind;
        let before = self.suspect.swap(suspect, Ordering::Relaxed);
        if suspect && !before {
            let way_out = if behind {
                "until it is set right, or has come to the time of the newest event"
            } else {
                "until it is set right (after a jump that was no mistake, restart doorward)"
            };
            tracing::error!(
                jumped,
                behind,
                "the clock is suspect: locks do not lapse and mail is held {way_out}"
            );
        } else if before && !suspect {
            tracing::info!("the clock is trusted again");
        }
        suspect
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        Now {
            wall: wall().max(Timestamp::from_millis(self.floor.load(Ordering::Relaxed))),
            mono: Monotonic::from_start(instant().saturating_duration_since(self.start)),
            clock_suspect: self.suspect.load(Ordering::Relaxed),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn instant() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn wall() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(millis(since))
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newest_event_in_the_future_makes_the_clock_suspect_until_it_is_past() {
        let clock = SystemClock::start();
        assert!(!clock.examine(None));
        let ahead = clock.now().wall.plus(Duration::from_hours(1));
        assert!(clock.examine(Some(ahead)));
        assert!(clock.now().clock_suspect);
        assert!(
            clock.now().wall >= ahead,
            "what ended before the newest event stays ended"
        );
        assert!(!clock.examine(Some(wall())));
        assert!(!clock.now().clock_suspect);
    }

    #[test]
    fn a_jump_past_a_day_is_not_believed() {
        let clock = SystemClock::start();
        clock
            .offset
            .fetch_sub(millis(JUMP) + 60_000, Ordering::Relaxed);
        assert!(clock.examine(None));
        assert!(clock.examine(None), "and stays so");
    }
}
