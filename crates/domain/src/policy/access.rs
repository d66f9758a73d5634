//! Who gets in where: the table of CONTRACT.md 2, and the AND over its rows.

use std::fmt;

use crate::account::{Condition, Conditions};
use crate::refusal::Refusal;
use crate::resource::{Door, Override, Resource, ResourceKind};

/// A cell of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permit {
    /// Let in.
    Yes,
    /// A session that can change the password, read its own entry and ask who it is. At a
    /// resource only where the bind asked for password policy, else nothing.
    ChangeOnly,
    /// An activation link may be used; a reset link may not.
    Activation,
    /// Refused.
    No,
}

impl Permit {
    /// Every cell there is.
    pub const ALL: [Self; 4] = [Self::Yes, Self::ChangeOnly, Self::Activation, Self::No];
}

/// The cell of the table for one condition at one door, before any override (CONTRACT.md 2).
pub const fn permit(condition: Condition, door: Door) -> Permit {
    use Condition::{Expired, Locked, MustChange, PasswordPending, Staged, Suspended};
    use Door::{PortalLink, PortalSignIn};
    use ResourceKind::{App, Email, Endpoint, Vpn, Wifi};

    match (condition, door) {
        (PasswordPending, PortalLink) => Permit::Activation,

        (MustChange, Door::Resource(Endpoint | App) | PortalSignIn) | (Expired, PortalSignIn) => {
            Permit::ChangeOnly
        }

        // Locked users keep mail, because that is where the reset link arrives.
        (Locked, Door::Resource(Email)) | (MustChange | Expired | Locked, PortalLink) => {
            Permit::Yes
        }

        (Staged | Suspended, _)
        | (PasswordPending, Door::Resource(_) | PortalSignIn)
        | (MustChange, Door::Resource(Vpn | Wifi | Email))
        | (Expired, Door::Resource(_))
        | (Locked, Door::Resource(Endpoint | Vpn | Wifi | App) | PortalSignIn) => Permit::No,
    }
}

/// The AND of two cells: what both permit. Two different partial permits have nothing in common.
#[must_use]
pub const fn combine(one: Permit, other: Permit) -> Permit {
    use Permit::{Activation, ChangeOnly, No, Yes};

    match (one, other) {
        (Yes, both) | (both, Yes) => both,
        (ChangeOnly, ChangeOnly) => ChangeOnly,
        (Activation, Activation) => Activation,
        (No, _) | (_, No) | (ChangeOnly, Activation) | (Activation, ChangeOnly) => No,
    }
}

/// What the conditions together permit at a door, with the resource's own word on two rows.
///
/// An override replaces its own row and no other: a user who is expired and locked gets into a
/// resource that allows the expired only if it admits the locked as well. The portal's doors have
/// no overrides.
pub fn access(
    conditions: Conditions,
    door: Door,
    on_locked: Option<Override>,
    on_expired: Option<Override>,
) -> Permit {
    conditions
        .iter()
        .map(|condition| cell(condition, door, on_locked, on_expired).0)
        .fold(Permit::Yes, combine)
}

/// The cell that is in force, and whether the resource's own word made it.
fn cell(
    condition: Condition,
    door: Door,
    on_locked: Option<Override>,
    on_expired: Option<Override>,
) -> (Permit, Option<Override>) {
    let word = match (condition, door) {
        (Condition::Locked, Door::Resource(_)) => on_locked,
        (Condition::Expired, Door::Resource(_)) => on_expired,
        _ => None,
    };
    let permit = match word {
        Some(Override::Allow) => Permit::Yes,
        Some(Override::Deny) => Permit::No,
        None => permit(condition, door),
    };
    (permit, word)
}

/// What the right password leads to at a resource.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Let in.
    Granted,
    /// A session for changing the password.
    ChangeOnly,
    /// Refused, with the exact reason.
    Refused(Refusal),
}

/// The order in which reasons are reported where several close a door: first what no user can
/// mend, then what was never begun, then the lock, then the password, and the binding last. The
/// lock stands before the expiry, because it closes the door before any password is compared.
pub const REASON_ORDER: [Condition; 6] = [
    Condition::Suspended,
    Condition::Staged,
    Condition::PasswordPending,
    Condition::Locked,
    Condition::Expired,
    Condition::MustChange,
];

/// The refusal a condition leads to.
pub const fn refusal_of(condition: Condition) -> Refusal {
    match condition {
        Condition::Staged => Refusal::Staged,
        Condition::PasswordPending => Refusal::PasswordPending,
        Condition::MustChange => Refusal::MustChange,
        Condition::Expired => Refusal::Expired,
        Condition::Locked => Refusal::Locked,
        Condition::Suspended => Refusal::Suspended,
    }
}

/// Decides a user's access to a resource, the password being right (CONTRACT.md 2).
///
/// A change-only session is given only where the bind asked for password policy; elsewhere the
/// refusal is [`Refusal::MustChange`]. The first reason in [`REASON_ORDER`] is the one reported,
/// [`Refusal::NotBound`] after all of them; a change-only session needs the binding as well.
pub fn judge(
    conditions: Conditions,
    bound: bool,
    resource: &Resource,
    asked_for_password_policy: bool,
) -> Access {
    let mut granted = Access::Granted;
    for condition in REASON_ORDER {
        if !conditions.holds(condition) {
            continue;
        }
        let (permit, _) = at_resource(condition, resource);
        match permit {
            Permit::Yes => {}
            Permit::ChangeOnly if asked_for_password_policy => granted = Access::ChangeOnly,
            Permit::ChangeOnly | Permit::Activation | Permit::No => {
                return Access::Refused(refusal_of(condition));
            }
        }
    }
    if bound {
        granted
    } else {
        Access::Refused(Refusal::NotBound)
    }
}

/// Whether a locked user is refused at this resource, so that nothing needs to be verified there
/// while the lock holds (CONTRACT.md 3.1).
pub fn locked_is_refused(resource: &Resource) -> bool {
    at_resource(Condition::Locked, resource).0 != Permit::Yes
}

/// Whether an expired user is refused at this resource.
pub fn expired_is_refused(resource: &Resource) -> bool {
    at_resource(Condition::Expired, resource).0 != Permit::Yes
}

fn at_resource(condition: Condition, resource: &Resource) -> (Permit, Option<Override>) {
    cell(
        condition,
        Door::Resource(resource.kind),
        resource.on_locked,
        resource.on_expired,
    )
}

/// What bears on a door: a condition, or the missing binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A condition of the account.
    Condition(Condition),
    /// No binding, directly or through a group.
    NotBound,
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Condition(condition) => condition.fmt(formatter),
            Self::NotBound => formatter.write_str("not_bound"),
        }
    }
}

/// One thing that holds of an account and what it does to a resource's door, for `explain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// What holds.
    pub cause: Cause,
    /// What it alone permits here.
    pub permit: Permit,
    /// The rule that says so.
    pub rule: String,
    /// How to leave it.
    pub way_out: &'static str,
}

impl Closing {
    /// Whether it closes this door to an ordinary login.
    pub fn closes(&self) -> bool {
        self.permit != Permit::Yes
    }
}

/// Everything that holds of an account and bears on a resource, in the order reasons are reported:
/// the first that [closes](Closing::closes) is the deciding one. Conditions that leave this door
/// open are listed too, saying so.
pub fn closed_by(conditions: Conditions, bound: bool, resource: &Resource) -> Vec<Closing> {
    let mut closings: Vec<Closing> = REASON_ORDER
        .into_iter()
        .filter(|condition| conditions.holds(*condition))
        .map(|condition| {
            let (permit, word) = at_resource(condition, resource);
            Closing {
                cause: Cause::Condition(condition),
                permit,
                rule: rule_text(condition, permit, word, resource),
                way_out: way_out(condition),
            }
        })
        .collect();
    if !bound {
        closings.push(Closing {
            cause: Cause::NotBound,
            permit: Permit::No,
            rule: format!(
                "a user reaches '{}' only when bound to it, directly or through a group",
                resource.name
            ),
            way_out: "an admin binds the user, or a group the user is in, to the resource",
        });
    }
    closings
}

fn rule_text(
    condition: Condition,
    permit: Permit,
    word: Option<Override>,
    resource: &Resource,
) -> String {
    let who = match condition {
        Condition::Staged => "a user whose start date lies ahead",
        Condition::PasswordPending => "a user without a password",
        Condition::MustChange => "a user who must change the password",
        Condition::Expired => "a user whose password has expired",
        Condition::Locked => "a locked user",
        Condition::Suspended => "a suspended user",
    };
    let what = match permit {
        Permit::Yes => "is let in",
        Permit::ChangeOnly => "may change the password, where the bind asks for password policy",
        Permit::Activation => "may use an activation link",
        Permit::No => "is refused",
    };
    let ground = match (condition, word) {
        (Condition::Locked, Some(_)) => format!("on_locked of resource '{}'", resource.name),
        (Condition::Expired, Some(_)) => format!("on_expired of resource '{}'", resource.name),
        _ => format!("kind {}", resource.kind),
    };
    format!("{who} {what} ({ground})")
}

/// How a user leaves a condition (the last column of CONTRACT.md 1).
pub const fn way_out(condition: Condition) -> &'static str {
    match condition {
        Condition::Staged => "the start date comes, or an admin moves it",
        Condition::PasswordPending => {
            "the user follows an activation link, or an admin sets a password"
        }
        Condition::MustChange => "the user changes the password",
        Condition::Expired => {
            "a self-service reset, a mailed link or an admin's reset; an unlock does not help"
        }
        Condition::Locked => {
            "an admin unlocks the account, or any password reset; or `lockout.unlock_after`, if set"
        }
        Condition::Suspended => {
            "an admin resumes the account, moving an end date that has passed; \
             neither a reset nor an unlock helps"
        }
    }
}
