//! The exact reason of a refusal, for the audit log and `explain`. The wire never carries it
//! (CONTRACT.md 5.2).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::event::Keeping;

/// Why an attempt was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No resource's `match` holds.
    NoResource,
    /// The name belongs to no account.
    UnknownUser,
    /// The name has no shape that could belong to an account.
    MalformedName,
    /// The bytes cannot be a password: empty, too long, or with a NUL.
    MalformedPassword,
    /// No password was ever set.
    PasswordPending,
    /// A password that was not tried before in the window, and is wrong.
    WrongPassword,
    /// A wrong password that was tried before.
    RepeatedWrongPassword,
    /// The previous password.
    StalePassword,
    /// Too many failed attempts from this source, or for this account from this origin.
    Throttled,
    /// The account is locked.
    Locked,
    /// The start date lies ahead.
    Staged,
    /// The password must be changed first, and the client could not be told.
    MustChange,
    /// The password has expired.
    Expired,
    /// Suspended, or past its end.
    Suspended,
    /// Not bound to the resource.
    NotBound,
    /// The address belongs to no known device.
    UnknownDevice,
    /// A known device, and not for this resource.
    DeviceNotBound,
    /// A session of before, taken up again after the account's credentials changed.
    SessionOver,
    /// A response to a challenge, and the account has no network password.
    NoNetworkPassword,
    /// A response to a challenge where network passwords admit nobody: at a resource that is
    /// neither Wi-Fi nor VPN, or without the key they are sealed under.
    NetworkPasswordNotAdmitted,
    /// The network password is sealed under another key than the one in use.
    NetworkPasswordUnreadable,
    /// A service account from an address it may not come from.
    ServiceSource,
    /// A client certificate that stands for no service account, for several, or not for the one
    /// that it was to act as.
    UnknownCertificate,
}

impl Refusal {
    /// The name in events, metrics and `explain`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoResource => "no_resource",
            Self::UnknownUser => "unknown_user",
            Self::MalformedName => "malformed_name",
            Self::MalformedPassword => "malformed_password",
            Self::PasswordPending => "password_pending",
            Self::WrongPassword => "wrong_password",
            Self::RepeatedWrongPassword => "repeated_wrong_password",
            Self::StalePassword => "stale_password",
            Self::Throttled => "throttled",
            Self::Locked => "locked",
            Self::Staged => "staged",
            Self::MustChange => "must_change",
            Self::Expired => "expired",
            Self::Suspended => "suspended",
            Self::NotBound => "not_bound",
            Self::UnknownDevice => "unknown_device",
            Self::DeviceNotBound => "device_not_bound",
            Self::SessionOver => "session_over",
            Self::NoNetworkPassword => "no_network_password",
            Self::NetworkPasswordNotAdmitted => "network_password_not_admitted",
            Self::NetworkPasswordUnreadable => "network_password_unreadable",
            Self::ServiceSource => "service_source",
            Self::UnknownCertificate => "unknown_certificate",
        }
    }

    /// How the event of such a refusal is kept (CONTRACT.md 9). What one source can repeat without
    /// bound is never kept apart.
    pub const fn keeping(self) -> Keeping {
        match self {
            // Each is a guess, paid for with tokens and charged to the account.
            Self::WrongPassword | Self::StalePassword => Keeping::Apart,
            // They cost a hash or a comparison as a wrong password does, and a commit as well.
            Self::UnknownUser
            | Self::MalformedName
            | Self::MalformedPassword
            | Self::Staged
            | Self::MustChange
            | Self::Expired
            | Self::Suspended
            | Self::NotBound
            | Self::SessionOver
            | Self::ServiceSource => Keeping::Counted,
            Self::Throttled
            | Self::RepeatedWrongPassword
            | Self::Locked
            | Self::PasswordPending
            | Self::NoResource
            | Self::NoNetworkPassword
            | Self::NetworkPasswordNotAdmitted
            | Self::NetworkPasswordUnreadable
            | Self::UnknownCertificate
            | Self::UnknownDevice
            | Self::DeviceNotBound => Keeping::Gathered,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}
