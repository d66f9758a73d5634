//! The facts of an account, its conditions and its status (CONTRACT.md 1).
//!
//! Nothing stores a status: `policy::conditions` derives it from these facts.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// What the store keeps about an account's standing; each fact is independent of the others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountFacts {
    /// An admin suspended the account.
    pub suspended: bool,
    /// The account takes effect at this instant.
    pub start: Option<Timestamp>,
    /// The account ends at this instant.
    pub end: Option<Timestamp>,
    /// When the password was set; none was ever set where this is absent.
    pub password_set_at: Option<Timestamp>,
    /// The password must be changed before this instant.
    pub change_by: Option<Timestamp>,
    /// Ageing does not apply.
    pub never_expires: bool,
    /// An admin set the password and asked for a change.
    pub must_change: bool,
    /// Failed attempts reached the threshold at this instant.
    pub locked_since: Option<Timestamp>,
}

/// One thing that may hold of an account (CONTRACT.md 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// The start date lies ahead.
    Staged,
    /// No password was ever set.
    PasswordPending,
    /// An admin set the password and asked for a change.
    MustChange,
    /// The password is too old, or a forced-change date has passed.
    Expired,
    /// Failed attempts reached the threshold.
    Locked,
    /// An admin suspended the account, or its end date has passed.
    Suspended,
}

impl Condition {
    /// Every condition, in the order of the contract's table.
    pub const ALL: [Self; 6] = [
        Self::Staged,
        Self::PasswordPending,
        Self::MustChange,
        Self::Expired,
        Self::Locked,
        Self::Suspended,
    ];

    /// The name in records and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Staged => "staged",
            Self::PasswordPending => "password_pending",
            Self::MustChange => "must_change",
            Self::Expired => "expired",
            Self::Locked => "locked",
            Self::Suspended => "suspended",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// The conditions that hold of an account at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Conditions(u8);

impl Conditions {
    /// No condition: an active account.
    pub const NONE: Self = Self(0);

    /// These conditions and `condition`.
    #[must_use]
    pub const fn with(self, condition: Condition) -> Self {
        Self(self.0 | condition.bit())
    }

    /// Whether `condition` holds.
    pub const fn holds(self, condition: Condition) -> bool {
        self.0 & condition.bit() != 0
    }

    /// Whether none holds.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The conditions that hold, in the order of the contract's table.
    pub fn iter(self) -> impl Iterator<Item = Condition> {
        Condition::ALL
            .into_iter()
            .filter(move |condition| self.holds(*condition))
    }
}

impl FromIterator<Condition> for Conditions {
    fn from_iter<I: IntoIterator<Item = Condition>>(conditions: I) -> Self {
        conditions.into_iter().fold(Self::NONE, Self::with)
    }
}

/// The word shown for an account (CONTRACT.md 1); the conditions decide, never the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    /// No condition holds, or only a change is due.
    #[serde(rename = "active")]
    Active,
    /// Staged, or no password was ever set.
    #[serde(rename = "inactive")]
    Inactive,
    /// The password has expired.
    #[serde(rename = "expired")]
    Expired,
    /// Locked by failed attempts.
    #[serde(rename = "locked")]
    Locked,
    /// Both.
    #[serde(rename = "expired, locked")]
    ExpiredLocked,
    /// Suspended, or past its end.
    #[serde(rename = "suspended")]
    Suspended,
}

impl Status {
    /// The word as shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Expired => "expired",
            Self::Locked => "locked",
            Self::ExpiredLocked => "expired, locked",
            Self::Suspended => "suspended",
        }
    }

    /// The status of an account of which these conditions hold: the one that closes most is shown.
    pub const fn of(conditions: Conditions) -> Self {
        if conditions.holds(Condition::Suspended) {
            Self::Suspended
        } else if conditions.holds(Condition::Staged)
            || conditions.holds(Condition::PasswordPending)
        {
            Self::Inactive
        } else {
            match (
                conditions.holds(Condition::Expired),
                conditions.holds(Condition::Locked),
            ) {
                (true, true) => Self::ExpiredLocked,
                (true, false) => Self::Expired,
                (false, true) => Self::Locked,
                (false, false) => Self::Active,
            }
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}
