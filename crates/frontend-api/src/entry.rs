//! People and groups as front ends read them, each with its standing at the resource that asks.

use std::time::Duration;

use doorward_domain::account::Conditions;
use doorward_domain::id::{AccountId, GroupId, SudoRuleId};
use doorward_domain::name::{GroupName, MailAddress, Username};
use doorward_domain::names::{Members, NameList, Part};
use doorward_domain::refusal::Refusal;
use doorward_domain::ssh_key::SshPublicKey;
use doorward_domain::sudo::SudoRule;
use doorward_domain::time::Timestamp;

/// How a user stands at the resource that asks (CONTRACT.md 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Why it would be refused there, for whatever reason, no binding and no resource included;
    /// none where it would be let in, or led to a change. A refused user's entry carries the
    /// marks and no SSH key.
    pub refused: Option<Refusal>,
    /// The conditions that hold.
    pub conditions: Conditions,
    /// When the password was set.
    pub password_set_at: Option<Timestamp>,
    /// When it expires, where that will close the resource that asks.
    pub expires_at: Option<Timestamp>,
    /// How long before that the user is warned.
    pub warned_before: Duration,
    /// When the wrong passwords came that count toward the lock now, oldest first. Told to the user
    /// itself alone: to whoever else can read entries it would say how many guesses are left.
    pub failures: Vec<Timestamp>,
    /// When the account ends.
    pub ends_at: Option<Timestamp>,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The account; `entryUUID`.
    pub account: AccountId,
    /// The username; `uid`.
    pub username: Username,
    /// The full name; `cn` is this, else the username.
    pub full_name: Option<String>,
    /// The mail address.
    pub email: MailAddress,
    /// The POSIX user number.
    pub uid_number: u32,
    /// The POSIX number of the primary group.
    pub gid_number: u32,
    /// The home directory, the configured pattern filled in.
    pub home: String,
    /// The login shell.
    pub shell: String,
    /// The groups it is in, directly or through others, sorted by name.
    pub groups: Part<NameList>,
    /// The SSH keys it may log in with at the resource that asks; none where it would be refused,
    /// or let in to change the password only.
    pub ssh_keys: Vec<SshPublicKey>,
    /// When it was added.
    pub created: Timestamp,
    /// When anything shown of it changed, by a change or by time alone.
    pub modified: Timestamp,
    /// How it stands at the resource that asks.
    pub standing: Standing,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The group; `entryUUID`.
    pub group: GroupId,
    /// Its name; `cn`.
    pub name: GroupName,
    /// Its POSIX number.
    pub gid_number: u32,
    /// What it is for.
    pub description: Option<String>,
    /// Users in it, directly or through other groups: `memberUid`, and `member`. Groups in it
    /// directly: also `member`. Both sorted by name.
    pub members: Part<Members>,
    /// When it was added.
    pub created: Timestamp,
    /// When it or its membership changed.
    pub modified: Timestamp,
}

/// A sudo rule. Users in it are named however they stand: what closes an account on a host is its
/// own entry, and hosts keep rules for hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SudoRole {
    /// The rule; `entryUUID`.
    pub id: SudoRuleId,
    /// What it says.
    pub rule: SudoRule,
    /// When it was added.
    pub created: Timestamp,
    /// When it, or the name of a user in it, changed.
    pub modified: Timestamp,
}
