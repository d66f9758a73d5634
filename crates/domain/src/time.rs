//! Times: wall time in UTC milliseconds for facts, monotonic time for delays (CONTRACT.md 10).
//!
//! Nothing here reads a clock; `Now` is handed in.

use std::fmt;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// A wall-clock instant: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The epoch itself.
    pub const EPOCH: Self = Self(0);

    /// Takes milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Days since the epoch, rounded down, as `shadow(5)` counts them.
    pub const fn as_days(self) -> i64 {
        self.0.div_euclid(86_400_000)
    }

    /// This instant, later by `span`; saturates at the end of time.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis_of(span)))
    }

    /// This instant, earlier by `span`; saturates at the beginning of time.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis_of(span)))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }

    /// `YYYYmmddHHMMSSZ`, the only form of `GeneralizedTime` SSSD reads (RFC 4517 3.3.13).
    pub fn generalized(self) -> String {
        self.jiff().strftime("%Y%m%d%H%M%SZ").to_string()
    }

    /// The same with milliseconds, for values that must not run into one.
    pub fn generalized_millis(self) -> String {
        self.jiff().strftime("%Y%m%d%H%M%S%.3fZ").to_string()
    }

    /// RFC 3339 in UTC with milliseconds, for people and for JSON.
    pub fn rfc3339(self) -> String {
        self.jiff().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
    }

    fn jiff(self) -> jiff::Timestamp {
        let clamped = self.0.clamp(
            jiff::Timestamp::MIN.as_millisecond(),
            jiff::Timestamp::MAX.as_millisecond(),
        );
        jiff::Timestamp::from_millisecond(clamped).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.rfc3339())
    }
}

fn millis_of(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// Time since the process started, on a clock that never jumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Monotonic(Duration);

impl Monotonic {
    /// Takes the time since the process started.
    pub const fn from_start(span: Duration) -> Self {
        Self(span)
    }

    /// The time since the process started.
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// This instant, later by `span`.
    #[must_use]
    pub const fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }
}

/// Both clocks at one moment, and whether the wall clock may be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Wall time, for facts and windows.
    pub wall: Timestamp,
    /// Monotonic time, for throttles, delays and lifetimes of remembered things.
    pub mono: Monotonic,
    /// The wall clock is behind the newest event or jumped: nothing used revives and no lock is
    /// lost while this holds (CONTRACT.md 10).
    pub clock_suspect: bool,
}

/// The one who reads the clock. Only `runtime` (and tests) implement it.
pub trait Clock: Send + Sync {
    /// Both clocks now.
    fn now(&self) -> Now;
}

/// Which end of a bare date is meant (CONTRACT.md 10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayEdge {
    /// A start takes effect when its day begins.
    Start,
    /// An end or a forced change takes effect when its day is over.
    End,
}

/// Text that is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a time: write a date (2026-12-31), a time (2026-12-31T18:00, 2026-12-31T18:00:00Z) or 'now'"
)]
pub struct NotATime(pub String);

/// Reads a time as people write it: `now`, a bare date, a local time, or RFC 3339.
///
/// # Errors
/// The text is none of these.
pub fn parse_moment(
    text: &str,
    zone: &TimeZone,
    edge: DayEdge,
    now: Timestamp,
) -> Result<Timestamp, NotATime> {
    let refused = || NotATime(text.to_owned());
    let text = text.trim();
    if text.eq_ignore_ascii_case("now") {
        return Ok(now);
    }
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Ok(Timestamp::from_millis(instant.as_millisecond()));
    }
    if !text.contains(['T', 't', ' ', ':']) {
        let date: jiff::civil::Date = text.parse().map_err(|_| refused())?;
        let date = match edge {
            DayEdge::Start => date,
            DayEdge::End => date.tomorrow().map_err(|_| refused())?,
        };
        let zoned = date.to_zoned(zone.clone()).map_err(|_| refused())?;
        return Ok(Timestamp::from_millis(zoned.timestamp().as_millisecond()));
    }
    let local: jiff::civil::DateTime = text.parse().map_err(|_| refused())?;
    let zoned = local.to_zoned(zone.clone()).map_err(|_| refused())?;
    Ok(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
}

/// Text that is no span of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a span of time: write a number and one of ms, s, m, h, d (for example 30m)")]
pub struct NotASpan(pub String);

/// Reads a span: a number and a unit (`250ms`, `30s`, `30m`, `8h`, `7d`), or `0`.
///
/// # Errors
/// The text is no such span, or longer than 1,000 years.
pub fn parse_span(text: &str) -> Result<Duration, NotASpan> {
    let refused = || NotASpan(text.to_owned());
    let trimmed = text.trim();
    if trimmed == "0" {
        return Ok(Duration::ZERO);
    }
    let split = trimmed
        .find(|c: char| !c.is_ascii_digit())
        .ok_or_else(refused)?;
    let (number, unit) = trimmed.split_at(split);
    let number: u64 = number.parse().map_err(|_| refused())?;
    let unit_millis: u64 = match unit.trim() {
        "ms" => 1,
        "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 7 * 86_400_000,
        _ => return Err(refused()),
    };
    let millis = number.checked_mul(unit_millis).ok_or_else(refused)?;
    if millis > 1000 * 366 * 86_400_000 {
        return Err(refused());
    }
    Ok(Duration::from_millis(millis))
}

/// Writes a span the way [`parse_span`] reads it, in the largest unit that is exact.
pub fn format_span(span: Duration) -> String {
    let millis = span.as_millis();
    if millis == 0 {
        return "0".to_owned();
    }
    for (unit, size) in [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
    ] {
        if millis.is_multiple_of(size) {
            return format!("{}{unit}", millis / size);
        }
    }
    format!("{millis}ms")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOON: Timestamp = Timestamp::from_millis(1_795_348_800_000);

    #[test]
    fn a_bare_date_is_its_beginning_or_its_end_in_the_zone() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let start = parse_moment("2026-12-31", &berlin, DayEdge::Start, NOON).unwrap();
        let end = parse_moment("2026-12-31", &berlin, DayEdge::End, NOON).unwrap();
        assert_eq!(start.rfc3339(), "2026-12-30T23:00:00.000Z");
        assert_eq!(end.rfc3339(), "2026-12-31T23:00:00.000Z");
    }

    #[test]
    fn instants_local_times_and_now_are_read() {
        let utc = TimeZone::UTC;
        let read = |text| parse_moment(text, &utc, DayEdge::Start, NOON).map(Timestamp::rfc3339);
        assert_eq!(
            read("2026-12-31T18:00:00Z").unwrap(),
            "2026-12-31T18:00:00.000Z"
        );
        assert_eq!(
            read("2026-12-31T18:00").unwrap(),
            "2026-12-31T18:00:00.000Z"
        );
        assert_eq!(read("now").unwrap(), NOON.rfc3339());
        for bad in [
            "",
            "tomorrow",
            "2026-13-01",
            "2026-12-31T25:00",
            "20261231 x",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn generalized_time_has_the_one_form_clients_read() {
        assert_eq!(Timestamp::from_millis(0).generalized(), "19700101000000Z");
    }

    proptest! {
        #[test]
        fn spans_survive_writing_and_reading(millis in 0_u64..1_000_000_000_000) {
            let span = Duration::from_millis(millis);
            prop_assert_eq!(parse_span(&format_span(span)).unwrap(), span);
        }
    }
}
