//! The numbers by which places are granted (CONTRACT.md 3.2, 3.3, 10), as instants, so that a
//! store only counts.

use std::time::Duration;

use crate::resource::Resource;
use crate::rules::{PlaceLimits, PolicySettings};
use crate::time::{Now, Timestamp};

/// How long a place that a crash left open stays taken (CONTRACT.md 3.3).
pub const PLACE_LAPSE: Duration = Duration::from_secs(30);

/// How long after its decision began an attempt may begin to be compared; past that it is busy. Its
/// place is taken later than it began, so at least half of its time is left for the comparison and for the
/// commit that settles it.
pub const COMPARE_WITHIN: Duration = Duration::from_secs(PLACE_LAPSE.as_secs() / 2);

/// The span of the daily cap (CONTRACT.md 3.2).
pub const DAY: Duration = Duration::from_hours(24);

/// Past the daily cap, a kind that does not lock gets one guess in this span (CONTRACT.md 3.2).
pub const SLOW: Duration = Duration::from_mins(15);

/// How long an account is known at an origin where it was let in (CONTRACT.md 3.2).
pub const KNOWN_FOR: Duration = Duration::from_hours(30 * 24);

/// Before every instant there is: a span that reaches back without limit.
const ALWAYS: Timestamp = Timestamp::from_millis(i64::MIN);

/// What a store may grant for one attempt at a resource.
///
/// While the clock is suspect the window and the day reach back without limit and no place
/// lapses, so that a jump of the clock forgets no failure and frees no place. The one guess in 15
/// minutes stays what it is: it limits a rate and forgets nothing.
///
/// With `known` the account was let in at this origin lately: an origin keeps what it has for
/// itself, and is not slowed because of guesses elsewhere.
pub fn place_limits(
    policy: &PolicySettings,
    resource: &Resource,
    known: bool,
    now: Now,
) -> PlaceLimits {
    let back = |span: Duration| {
        if now.clock_suspect {
            ALWAYS
        } else {
            now.wall.minus(span)
        }
    };
    PlaceLimits {
        counting: resource.counts_failures(),
        threshold: policy.lockout.threshold,
        window_start: back(policy.lockout.window),
        daily_cap: policy.lockout.daily_cap,
        day_start: back(DAY),
        slow_since: (!known).then(|| now.wall.minus(SLOW)),
        lapsed_before: back(PLACE_LAPSE),
    }
}

/// Whether an account that was last let in at an origin at `admitted` is known there.
pub fn is_known(admitted: Option<Timestamp>, now: Now) -> bool {
    admitted.is_some_and(|admitted| now.wall < admitted.plus(KNOWN_FOR))
}

/// How long a wrong password is remembered: as long as the longest count that it stands in, so
/// that it is counted once there too (CONTRACT.md 3.4).
pub fn remember_wrong(policy: &PolicySettings) -> Duration {
    policy.lockout.window.max(DAY)
}
