//! The keys of `doorward policy`: reading, bounds, profiles, and what a change
//! carries with it (CONTRACT.md 1).

use std::time::Duration;

use crate::nearest::distance;
use crate::rules::{Blocklist, ForcedChange, PolicySettings};
use crate::time::{Timestamp, format_span, parse_span};

/// Every key, in the order they are shown.
pub const KEYS: [&str; 11] = [
    "lockout.threshold",
    "lockout.window",
    "lockout.unlock_after",
    "lockout.daily_cap",
    "password.max_age",
    "password.warn_before",
    "password.min_length",
    "password.classes",
    "password.history",
    "password.min_age",
    "password.blocklist",
];

/// The key that sets several at once.
pub const PROFILE: &str = "profile";

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);
const YEAR: Duration = Duration::from_hours(365 * 24);

/// Why a change of policy is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyKeyError {
    /// No such key.
    #[error("'{key}' is no policy key{}", nearest.map(|near| format!(": did you mean '{near}'?")).unwrap_or_default())]
    UnknownKey {
        /// What was written.
        key: String,
        /// The key most like it.
        nearest: Option<&'static str>,
    },
    /// A key given twice.
    #[error("'{key}' is given twice")]
    Repeated {
        /// The key.
        key: String,
    },
    /// A value of the wrong shape, or out of bounds.
    #[error("'{value}' is no value for {key}: write {expected}")]
    BadValue {
        /// The key.
        key: &'static str,
        /// What was written.
        value: String,
        /// What would do.
        expected: &'static str,
    },
    /// Two values that cannot stand together.
    #[error("{0}")]
    Contradiction(&'static str),
    /// The date by which passwords must be changed has passed.
    #[error(
        "the date by which passwords must be changed, {0}, has passed: everyone would be expired at once"
    )]
    ChangeByPassed(Timestamp),
    /// Neither a key nor a date.
    #[error("nothing to change: give KEY=VALUE or a date by which passwords must be changed")]
    Nothing,
}

/// The settings after a change: one version on, with what a change carries.
///
/// A profile is applied first, whatever the order, so that keys given beside it override it.
/// Switching ageing on, or shortening it, makes age count from now, so that nobody is expired at
/// once. `change_by` expires, past that date, everyone whose password was set before now.
///
/// # Errors
/// Nothing is changed where any key or value is refused; the error says which and what would do.
pub fn apply<K: AsRef<str>, V: AsRef<str>>(
    settings: &PolicySettings,
    changes: &[(K, V)],
    change_by: Option<Timestamp>,
    now: Timestamp,
) -> Result<PolicySettings, PolicyKeyError> {
    let changes: Vec<(&str, &str)> = changes
        .iter()
        .map(|(key, value)| (key.as_ref().trim(), value.as_ref().trim()))
        .collect();
    if changes.is_empty() && change_by.is_none() {
        return Err(PolicyKeyError::Nothing);
    }
    for (place, (key, _)) in changes.iter().enumerate() {
        if changes
            .iter()
            .skip(place + 1)
            .any(|(other, _)| other == key)
        {
            return Err(PolicyKeyError::Repeated {
                key: (*key).to_owned(),
            });
        }
    }

    let mut next = settings.clone();
    for (_, value) in changes.iter().filter(|(key, _)| *key == PROFILE) {
        for (key, value) in profile(value)? {
            set(&mut next, key, value)?;
        }
    }
    for (key, value) in changes.iter().filter(|(key, _)| *key != PROFILE) {
        set(&mut next, key, value)?;
    }
    contradictions(&next)?;

    if shortened(settings.password.max_age, next.password.max_age) {
        next.ageing_since = now;
    }
    if let Some(by) = change_by {
        if by < now {
            return Err(PolicyKeyError::ChangeByPassed(by));
        }
        // One that asks the same people for a later date has nothing left to say.
        next.forced_changes.retain(|forced| forced.by < by);
        next.forced_changes.push(ForcedChange {
            set_before: now,
            by,
        });
    }
    next.version = settings.version.saturating_add(1);
    next.changed_at = now;
    Ok(next)
}

fn shortened(before: Option<Duration>, after: Option<Duration>) -> bool {
    match (before, after) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(before), Some(after)) => after < before,
    }
}

fn contradictions(settings: &PolicySettings) -> Result<(), PolicyKeyError> {
    if settings
        .password
        .max_age
        .is_some_and(|max_age| settings.password.min_age >= max_age)
    {
        return Err(PolicyKeyError::Contradiction(
            "password.min_age must be shorter than password.max_age, \
             or nobody could change a password before it expires",
        ));
    }
    if settings.lockout.daily_cap < settings.lockout.threshold {
        return Err(PolicyKeyError::Contradiction(
            "lockout.daily_cap must be at least lockout.threshold",
        ));
    }
    Ok(())
}

/// Whether every value is one that [`apply`] would have set: a store may come from anywhere.
///
/// # Errors
/// The first that is not, with what would do.
pub fn check(settings: &PolicySettings) -> Result<(), PolicyKeyError> {
    let mut set_anew = settings.clone();
    for (key, value) in show(settings) {
        set(&mut set_anew, key, &value)?;
    }
    contradictions(settings)
}

/// The values of every key, written the way [`apply`] reads them.
pub fn show(settings: &PolicySettings) -> Vec<(&'static str, String)> {
    KEYS.into_iter()
        .map(|key| (key, value_of(settings, key)))
        .collect()
}

fn value_of(settings: &PolicySettings, key: &str) -> String {
    let span = |span: Option<Duration>| span.map_or_else(|| "never".to_owned(), format_span);
    let PolicySettings {
        lockout, password, ..
    } = settings;
    match key {
        "lockout.threshold" => lockout.threshold.to_string(),
        "lockout.window" => format_span(lockout.window),
        "lockout.unlock_after" => span(lockout.unlock_after),
        "lockout.daily_cap" => lockout.daily_cap.to_string(),
        "password.max_age" => span(password.max_age),
        "password.warn_before" => format_span(password.warn_before),
        "password.min_length" => password.min_length.to_string(),
        "password.classes" => password.classes.to_string(),
        "password.history" => password.history.to_string(),
        "password.min_age" => format_span(password.min_age),
        "password.blocklist" => match password.blocklist {
            Blocklist::Common => "common".to_owned(),
            Blocklist::None => "none".to_owned(),
        },
        _ => String::new(),
    }
}

fn set(settings: &mut PolicySettings, key: &str, value: &str) -> Result<(), PolicyKeyError> {
    let PolicySettings {
        lockout, password, ..
    } = settings;
    let Some(key) = KEYS.into_iter().find(|known| *known == key) else {
        return Err(PolicyKeyError::UnknownKey {
            key: key.to_owned(),
            nearest: nearest(key),
        });
    };
    let entry = Entry { key, value };
    match key {
        // More than 100 is past what NIST SP 800-63B 5.2.2 allows.
        "lockout.threshold" => {
            lockout.threshold = entry.number(1, 100, "a number from 1 to 100")?;
        }
        "lockout.window" => {
            lockout.window = entry.span(MINUTE, DAY, "a span from 1m to 1d, such as 30m")?;
        }
        "lockout.unlock_after" => {
            lockout.unlock_after = entry.span_or_never(
                MINUTE,
                YEAR,
                "'never', or a span from 1m to 365d, such as 15m",
            )?;
        }
        "lockout.daily_cap" => {
            lockout.daily_cap = entry.number(1, 10_000, "a number from 1 to 10000")?;
        }
        "password.max_age" => {
            password.max_age = entry.span_or_never(
                DAY,
                YEAR * 10,
                "'never', or a span from 1d to 3650d, such as 90d",
            )?;
        }
        "password.warn_before" => {
            password.warn_before =
                entry.span(Duration::ZERO, DAY * 90, "a span up to 90d, such as 7d")?;
        }
        "password.min_length" => {
            password.min_length = entry.number(1, 128, "a number from 1 to 128")?;
        }
        "password.classes" => {
            password.classes = entry.number(0, 4, "a number from 0 to 4")?;
        }
        "password.history" => {
            password.history = entry.number(0, 24, "a number from 0 to 24")?;
        }
        "password.min_age" => {
            password.min_age = entry.span(
                Duration::ZERO,
                DAY * 30,
                "a span up to 30d, such as 1d, or 0",
            )?;
        }
        "password.blocklist" => {
            password.blocklist = match value {
                "common" => Blocklist::Common,
                "none" => Blocklist::None,
                _ => return Err(entry.refused("'common' or 'none'")),
            };
        }
        _ => {}
    }
    Ok(())
}

/// A key and what was written for it.
struct Entry<'a> {
    key: &'static str,
    value: &'a str,
}

impl Entry<'_> {
    fn refused(&self, expected: &'static str) -> PolicyKeyError {
        PolicyKeyError::BadValue {
            key: self.key,
            value: self.value.to_owned(),
            expected,
        }
    }

    fn number(&self, least: u32, most: u32, expected: &'static str) -> Result<u32, PolicyKeyError> {
        self.value
            .parse()
            .ok()
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| self.refused(expected))
    }

    fn span(
        &self,
        least: Duration,
        most: Duration,
        expected: &'static str,
    ) -> Result<Duration, PolicyKeyError> {
        parse_span(self.value)
            .ok()
            .filter(|span| (least..=most).contains(span))
            .ok_or_else(|| self.refused(expected))
    }

    fn span_or_never(
        &self,
        least: Duration,
        most: Duration,
        expected: &'static str,
    ) -> Result<Option<Duration>, PolicyKeyError> {
        if self.value == "never" {
            return Ok(None);
        }
        self.span(least, most, expected).map(Some)
    }
}

/// A profile: what it sets, the rest staying as it was.
fn profile(name: &str) -> Result<&'static [(&'static str, &'static str)], PolicyKeyError> {
    match name {
        // NIST SP 800-63B: length and a blocklist, no composition rules, no ageing.
        "nist" => Ok(&[
            ("lockout.threshold", "10"),
            ("lockout.window", "30m"),
            ("lockout.unlock_after", "never"),
            ("lockout.daily_cap", "100"),
            ("password.max_age", "never"),
            ("password.min_length", "15"),
            ("password.classes", "0"),
            ("password.history", "0"),
            ("password.min_age", "0"),
            ("password.blocklist", "common"),
        ]),
        // The CIS benchmarks' account policies: a long memory, a yearly change, a short lock.
        "cis" => Ok(&[
            ("lockout.threshold", "5"),
            ("lockout.window", "15m"),
            ("lockout.unlock_after", "15m"),
            ("lockout.daily_cap", "50"),
            ("password.max_age", "365d"),
            ("password.warn_before", "14d"),
            ("password.min_length", "14"),
            ("password.classes", "3"),
            ("password.history", "24"),
            ("password.min_age", "1d"),
            ("password.blocklist", "common"),
        ]),
        // What auditors of an older school ask for: a change every quarter.
        "classic" => Ok(&[
            ("lockout.threshold", "5"),
            ("lockout.window", "30m"),
            ("lockout.unlock_after", "30m"),
            ("lockout.daily_cap", "50"),
            ("password.max_age", "90d"),
            ("password.warn_before", "14d"),
            ("password.min_length", "8"),
            ("password.classes", "3"),
            ("password.history", "12"),
            ("password.min_age", "1d"),
            ("password.blocklist", "common"),
        ]),
        _ => Err(PolicyKeyError::BadValue {
            key: PROFILE,
            value: name.to_owned(),
            expected: "'nist', 'cis' or 'classic'",
        }),
    }
}

/// The key most like what was written, where one is like it at all.
fn nearest(written: &str) -> Option<&'static str> {
    let written = written.to_lowercase();
    KEYS.into_iter()
        .chain([PROFILE])
        .map(|key| {
            // `max_age` alone is as near to `password.max_age` as a key can be.
            let last = key.rsplit('.').next().unwrap_or(key);
            (distance(&written, key).min(distance(&written, last)), key)
        })
        .min()
        .filter(|(distance, key)| *distance <= key.len() / 3)
        .map(|(_, key)| key)
}
