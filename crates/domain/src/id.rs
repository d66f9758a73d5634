//! Identifiers: version 7 UUIDs, so that they sort by age and serve as `entryUUID`.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::time::Timestamp;

macro_rules! identifier {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes a new identifier that sorts by `at`.
            pub fn new(at: Timestamp) -> Self {
                Self(version_seven(at))
            }

            /// Takes an identifier back from the store.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID.
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map(Self).map_err(serde::de::Error::custom)
            }
        }
    };
}

identifier!(
    /// A user's account.
    AccountId
);
identifier!(
    /// A group.
    GroupId
);
identifier!(
    /// A sudo rule.
    SudoRuleId
);
identifier!(
    /// A service account.
    ServiceId
);
identifier!(
    /// A device that is known by its address alone.
    DeviceId
);
identifier!(
    /// One request on any protocol; ties log lines and events together.
    RequestId
);
identifier!(
    /// One event of the audit log.
    EventId
);
identifier!(
    /// A place: an attempt charged before anything was compared (CONTRACT.md 3.3).
    PlaceId
);
identifier!(
    /// A counted wrong password.
    FailureId
);
identifier!(
    /// A session that a RADIUS client reported.
    SessionId
);

fn version_seven(at: Timestamp) -> Uuid {
    let mut random = [0_u8; 10];
    // Without randomness an identifier could repeat; two equal ones are refused by the store's
    // keys, so the fallback can cost availability and never identity.
    if getrandom::fill(&mut random).is_err() {
        random = [0; 10];
    }
    let millis = u64::try_from(at.as_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// Moves with an account's password, lock, unlock, suspension, dates and must-change;
/// what was remembered under another epoch is void.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);
