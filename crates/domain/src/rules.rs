//! The rules an administrator sets with `doorward policy`: lockout and passwords (CONTRACT.md 1, 3, 6).
//!
//! Data only; what the rules mean stands in `policy`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// When failed attempts lock an account (CONTRACT.md 3.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockoutRules {
    /// Distinct wrong passwords inside the window that lock.
    pub threshold: u32,
    /// The sliding window.
    pub window: Duration,
    /// After how long a lock opens by itself; never where absent.
    pub unlock_after: Option<Duration>,
    /// Distinct wrong passwords in 24 hours that lock whatever succeeded in between.
    pub daily_cap: u32,
}

/// What a new password must be, and how long it lasts (CONTRACT.md 6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordRules {
    /// After how long a password expires; never where absent.
    pub max_age: Option<Duration>,
    /// How long before that a user is warned.
    pub warn_before: Duration,
    /// Fewest characters.
    pub min_length: u32,
    /// How many of the classes lower case, upper case, digits and others must occur (0 to 4).
    pub classes: u32,
    /// How many former passwords, the present one included, may not be used again.
    pub history: u32,
    /// How long a password stays before its owner may change it again.
    pub min_age: Duration,
    /// Whether common passwords are refused.
    pub blocklist: Blocklist,
}

/// Which list of passwords is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Blocklist {
    /// Passwords that are common or easily guessed.
    Common,
    /// None.
    None,
}

/// A date by which everyone whose password was set under older rules must change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForcedChange {
    /// Passwords set before this instant are meant.
    pub set_before: Timestamp,
    /// Past this instant they are expired.
    pub by: Timestamp,
}

/// One version of the whole policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySettings {
    /// Moves by one with every change.
    pub version: u64,
    /// Lockout.
    pub lockout: LockoutRules,
    /// Passwords.
    pub password: PasswordRules,
    /// When ageing last took effect: age counts from here where the password is older.
    pub ageing_since: Timestamp,
    /// Forced changes, oldest first.
    pub forced_changes: Vec<ForcedChange>,
    /// When this version took effect: since then entries may say other things of whom they are
    /// about. The first version, and those written before this was kept, have no such time.
    #[serde(default = "no_time")]
    pub changed_at: Timestamp,
}

const fn no_time() -> Timestamp {
    Timestamp::EPOCH
}

impl Default for PolicySettings {
    fn default() -> Self {
        Self {
            version: 1,
            lockout: LockoutRules {
                threshold: 10,
                window: Duration::from_mins(30),
                unlock_after: None,
                daily_cap: 100,
            },
            password: PasswordRules {
                max_age: None,
                warn_before: Duration::from_hours(7 * 24),
                min_length: 12,
                classes: 0,
                history: 5,
                min_age: Duration::ZERO,
                blocklist: Blocklist::Common,
            },
            ageing_since: Timestamp::EPOCH,
            forced_changes: Vec::new(),
            changed_at: Timestamp::EPOCH,
        }
    }
}

/// The numbers by which the store grants a place (CONTRACT.md 3.2, 3.3), all instants computed
/// by the rules so that a store only counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaceLimits {
    /// Whether the resource counts failures toward the lock.
    pub counting: bool,
    /// Failures plus open places never exceed this.
    pub threshold: u32,
    /// Counting failures at or after this instant are inside the window.
    pub window_start: Timestamp,
    /// So many counting failures in the day lock; so many of every kind slow a kind that does not
    /// lock.
    pub daily_cap: u32,
    /// Failures at or after this instant are inside the day.
    pub day_start: Timestamp,
    /// Once the cap is reached a kind that does not lock gets one guess after this instant's
    /// last one; none where the attempt is not to be slowed.
    pub slow_since: Option<Timestamp>,
    /// Places taken before this instant were left by a crash and have lapsed.
    pub lapsed_before: Timestamp,
}
