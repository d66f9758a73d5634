//! Everything but the hot path: users, groups, bindings, service accounts, policy, links.

use doorward_domain::certificate::CertificateName;
use doorward_domain::device::MacAddress;
use doorward_domain::event::{Actor, ChangeEvent};
use doorward_domain::id::{AccountId, DeviceId, Epoch, GroupId, ServiceId, SudoRuleId};
use doorward_domain::name::{
    GroupName, MailAddress, ResourceName, ServiceName, SudoRuleName, Username,
};
use doorward_domain::reply::Vlan;
use doorward_domain::rules::PolicySettings;
use doorward_domain::secret::{HashText, SealedNetworkPassword};
use doorward_domain::ssh_key::{SshFingerprint, SshPublicKey};
use doorward_domain::sudo::SudoRule;
use doorward_domain::time::Timestamp;

use super::Unavailable;
use super::records::{Binding, BoundTo, NewMail, ReplyMapping};

/// A command: one change by one actor, with the mail it causes, in one transaction. The store
/// writes the change event with the values before and after.
#[derive(Debug, Clone)]
pub struct Command {
    /// Now.
    pub at: Timestamp,
    /// Who asks.
    pub actor: Actor,
    /// What for.
    pub change: Change,
    /// Mail to queue in the same commit.
    pub mails: Vec<NewMail>,
}

/// A service account to be added.
#[derive(Debug, Clone)]
pub struct NewService {
    /// The new service account.
    pub service: ServiceId,
    /// Its name.
    pub name: ServiceName,
    /// Its password's hash; without one no password binds it.
    pub password: Option<HashText>,
    /// The name of the client certificate that binds it.
    pub certificate: Option<CertificateName>,
    /// Whether it may read people and groups.
    pub may_search: bool,
    /// Where it may come from; anywhere when empty.
    pub sources: Vec<ipnet::IpNet>,
}

/// A device to be added.
#[derive(Debug, Clone)]
pub struct NewDevice {
    /// The new device.
    pub device: DeviceId,
    /// Its address.
    pub address: MacAddress,
    /// The resources that it may use.
    pub resources: Vec<ResourceName>,
    /// The VLAN that it is put into.
    pub vlan: Option<Vlan>,
    /// What it is.
    pub description: Option<String>,
}

/// Fields of a device to set; absent ones stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DevicePatch {
    /// The resources that it may use, all of them.
    pub resources: Option<Vec<ResourceName>>,
    /// The VLAN that it is put into.
    pub vlan: Option<Option<Vlan>>,
    /// What it is.
    pub description: Option<Option<String>>,
}

/// A user to be added.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The new account.
    pub account: AccountId,
    /// The username.
    pub username: Username,
    /// The mail address.
    pub email: MailAddress,
    /// Where links go instead.
    pub recovery_email: Option<MailAddress>,
    /// The full name.
    pub full_name: Option<String>,
    /// When the account takes effect.
    pub start: Option<Timestamp>,
    /// When it ends.
    pub end: Option<Timestamp>,
    /// The POSIX number asked for; the next free one otherwise.
    pub uid_number: Option<u32>,
    /// The password's hash, where one is set at once.
    pub password: Option<HashText>,
    /// Whether that password must be changed at the first login.
    pub must_change: bool,
    /// Whether the user administers the gateway.
    pub admin: bool,
}

/// Fields of a user to set; absent ones stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserPatch {
    /// The mail address.
    pub email: Option<MailAddress>,
    /// Where links go instead.
    pub recovery_email: Option<Option<MailAddress>>,
    /// The full name.
    pub full_name: Option<Option<String>>,
    /// When the account takes effect. Moves the epoch.
    pub start: Option<Option<Timestamp>>,
    /// When it ends. Moves the epoch.
    pub end: Option<Option<Timestamp>>,
    /// Whether ageing does not apply. Moves the epoch.
    pub never_expires: Option<bool>,
    /// Whether the password must be changed. Moves the epoch.
    pub must_change: Option<bool>,
    /// The home directory.
    pub home: Option<Option<String>>,
    /// The login shell.
    pub shell: Option<Option<String>>,
    /// Whether the user administers the gateway. Moves the epoch.
    pub admin: Option<bool>,
}

/// A one-time link's purpose (CONTRACT.md 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkPurpose {
    /// Sets the first password.
    Activation,
    /// Sets another password.
    Reset,
}

/// What a command changes.
#[derive(Debug, Clone)]
pub enum Change {
    /// Adds a user.
    AddUser(NewUser),
    /// Sets fields of a user.
    SetUser {
        /// The account.
        account: AccountId,
        /// The fields.
        patch: UserPatch,
    },
    /// Sets a password: clears lock, failures, open places, forced date and must-change, voids
    /// all links, moves the epoch, keeps the replaced hash in the history.
    SetPassword {
        /// The account.
        account: AccountId,
        /// The new hash.
        password: HashText,
        /// Whether it must be changed at the next login.
        must_change: bool,
        /// Refused as [`ChangeRefused::Moved`] unless the account is still at this epoch, where
        /// given.
        expected: Option<Epoch>,
        /// How many former hashes to keep.
        keep_history: u32,
    },
    /// Gives a user another network password, or takes it away where there is none: that is
    /// refused as [`ChangeRefused::Nothing`] where the user has none. Keeps the one before, moves
    /// the epoch, and leaves all else alone.
    SetNetworkPassword {
        /// The account.
        account: AccountId,
        /// The new one.
        password: Option<SealedNetworkPassword>,
    },
    /// Clears a lock, failures and open places; moves the epoch. Leaves expiry alone.
    Unlock {
        /// The account.
        account: AccountId,
    },
    /// Forces a password change by a date.
    Expire {
        /// The account.
        account: AccountId,
        /// Past this instant the password is expired.
        by: Timestamp,
    },
    /// Suspends at once.
    Suspend {
        /// The account.
        account: AccountId,
    },
    /// Resumes, and moves a past end date away.
    Resume {
        /// The account.
        account: AccountId,
    },
    /// Gives a user another username.
    Rename {
        /// The account.
        account: AccountId,
        /// The new username.
        username: Username,
    },
    /// Removes a user; its numbers are never used again.
    RemoveUser {
        /// The account.
        account: AccountId,
    },
    /// Adds SSH keys to a user, all that are new or none; refused as
    /// [`ChangeRefused::TooManyKeys`] past `most`. The epoch stays: no credential that is compared
    /// here changes.
    AddSshKeys {
        /// The account.
        account: AccountId,
        /// The keys.
        keys: Vec<SshPublicKey>,
        /// How many keys a user may have.
        most: usize,
    },
    /// Takes an SSH key from a user.
    RemoveSshKey {
        /// The account.
        account: AccountId,
        /// Which one.
        fingerprint: SshFingerprint,
    },
    /// Adds a group.
    AddGroup {
        /// The new group.
        group: GroupId,
        /// Its name.
        name: GroupName,
        /// The POSIX number asked for; the next free one otherwise.
        gid_number: Option<u32>,
        /// What it is for.
        description: Option<String>,
    },
    /// Removes a group and what hangs on it.
    RemoveGroup {
        /// Its name.
        name: GroupName,
    },
    /// Adds users and groups to a group; cycles and more than eight levels are refused.
    Join {
        /// The group.
        group: GroupName,
        /// Users to add.
        users: Vec<Username>,
        /// Groups to add.
        groups: Vec<GroupName>,
    },
    /// Takes users and groups out of a group.
    Leave {
        /// The group.
        group: GroupName,
        /// Users to take out.
        users: Vec<Username>,
        /// Groups to take out.
        groups: Vec<GroupName>,
    },
    /// Binds a resource.
    Bind(Binding),
    /// Unbinds a resource.
    Unbind(Binding),
    /// Adds a service account.
    AddService(NewService),
    /// Gives a service account another password.
    SetServicePassword {
        /// Its name.
        name: ServiceName,
        /// The new hash.
        password: HashText,
        /// Whether the newest of the old ones stays live.
        keep_old: bool,
    },
    /// Says which client certificate binds a service account; its epoch moves.
    SetServiceCertificate {
        /// Its name.
        name: ServiceName,
        /// The certificate's name; no certificate binds it without one.
        certificate: Option<CertificateName>,
    },
    /// Removes a service account.
    RemoveService {
        /// Its name.
        name: ServiceName,
    },
    /// Adds a device.
    AddDevice(NewDevice),
    /// Sets fields of a device.
    SetDevice {
        /// Its address.
        address: MacAddress,
        /// The fields.
        patch: DevicePatch,
    },
    /// Removes a device.
    RemoveDevice {
        /// Its address.
        address: MacAddress,
    },
    /// Adds a sudo rule.
    AddSudoRule {
        /// The new rule.
        id: SudoRuleId,
        /// What it says.
        rule: SudoRule,
    },
    /// Gives a sudo rule other values; its name stays.
    SetSudoRule {
        /// The rule as it was read; refused as [`ChangeRefused::Moved`] where it is another now.
        before: Box<SudoRule>,
        /// The rule as it shall be.
        after: Box<SudoRule>,
    },
    /// Removes a sudo rule.
    RemoveSudoRule {
        /// Its name.
        name: SudoRuleName,
    },
    /// Maps reply attributes, each in the place of all of its name in that mapping; refused as
    /// [`ChangeRefused::TooManyAttributes`] past `most`. The epoch stays: no credential changes.
    SetReply {
        /// To whom, for which resource, which; the priority of a group stays where none is given.
        mapping: ReplyMapping,
        /// How many attributes a mapping may have.
        most: usize,
    },
    /// Takes reply attributes out of a mapping.
    UnsetReply {
        /// Of whom.
        of: BoundTo,
        /// For which resource; the mapping for every resource where absent.
        resource: Option<ResourceName>,
        /// Their names; all where empty.
        names: Vec<String>,
    },
    /// Puts a policy in force; refused as [`ChangeRefused::Moved`] unless its version is one more
    /// than the one in force.
    SetPolicy(PolicySettings),
    /// Keeps a one-time link; refused as [`ChangeRefused::TooManyLinks`] when three live.
    AddLink {
        /// For whom.
        account: AccountId,
        /// What it does.
        purpose: LinkPurpose,
        /// SHA-256 of its token.
        token_digest: [u8; 32],
        /// When it lapses.
        expires: Timestamp,
    },
}

/// Why a command was not carried out; nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeRefused {
    /// There is no such thing.
    #[error("there is no {kind} '{name}'")]
    NotFound {
        /// user, group, service account.
        kind: &'static str,
        /// The name looked for.
        name: String,
    },
    /// The name, address or number is taken.
    #[error("the {kind} '{name}' is taken")]
    Taken {
        /// username, mail address, group name, uid number, …
        kind: &'static str,
        /// By what it was asked.
        name: String,
    },
    /// The number was used before, and numbers are never used again.
    #[error("the number {0} was used before and is never given again")]
    NumberUsed(u32),
    /// A group would contain itself.
    #[error("'{inner}' contains '{outer}' already: a group cannot contain itself")]
    Cycle {
        /// The group that would be inside.
        inner: GroupName,
        /// The group that would be outside.
        outer: GroupName,
    },
    /// Groups would nest deeper than eight levels.
    #[error("groups nest at most eight levels deep")]
    TooDeep,
    /// Already so, or not so to begin with.
    #[error("{0}")]
    Nothing(String),
    /// Three links live already.
    #[error("three links of this user live already: wait until one lapses")]
    TooManyLinks,
    /// More SSH keys than a user may have.
    #[error("a user has at most {0} SSH keys: remove one first")]
    TooManyKeys(usize),
    /// More reply attributes than a mapping may have.
    #[error(
        "a user or a group has at most {0} reply attributes for one resource: unset some first"
    )]
    TooManyAttributes(usize),
    /// Somebody else changed it in between.
    #[error("it was changed by somebody else in between: look again and repeat")]
    Moved,
    /// The store cannot answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// A command carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The event that was recorded.
    pub event: ChangeEvent,
    /// The credential epoch at which a password was set, the one after it: for
    /// [`Change::SetPassword`] alone.
    pub password_epoch: Option<Epoch>,
}

/// Which users a read is about. Text is compared without regard to case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserFilter {
    /// By identifier.
    Id(AccountId),
    /// By username.
    Username(String),
    /// By POSIX number.
    UidNumber(u32),
    /// By mail address.
    Mail(String),
    /// Members of this group, directly or through others.
    MemberOf(String),
    /// Everybody.
    All,
}

/// Which groups a read is about. Text is compared without regard to case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupFilter {
    /// By identifier.
    Id(GroupId),
    /// By name.
    Name(String),
    /// By POSIX number.
    GidNumber(u32),
    /// Groups this user is in, directly or through others.
    HasUser(String),
    /// Groups this group is in directly.
    HasGroup(String),
    /// All.
    All,
}

/// Which sudo rules a read is about. Text is compared without regard to case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SudoFilter {
    /// By identifier.
    Id(SudoRuleId),
    /// By name.
    Name(String),
    /// All.
    All,
}

/// Spans of facts that time alone may have turned into transitions since the last look: every
/// span is `(after, up to and including)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeSpans {
    /// Start and end dates, and personal forced-change dates, in here.
    pub dates: (Timestamp, Timestamp),
    /// Passwords set in one of these.
    pub password_set: Vec<(Timestamp, Timestamp)>,
    /// Locked in here.
    pub locked: Option<(Timestamp, Timestamp)>,
}

/// What is charged to an account at one moment, counted as a place is granted
/// (CONTRACT.md 3.2, 3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Charged {
    /// Failures that count toward the lock, inside the window.
    pub failures: u32,
    /// Failures of every kind inside the day.
    pub failures_today: u32,
    /// Those of them at resources that count.
    pub counting_today: u32,
    /// Open places of resources that count.
    pub open_counting: u32,
    /// Open places of every resource.
    pub open: u32,
    /// When the newest failure or open place of any kind was charged.
    pub newest: Option<Timestamp>,
}

/// What lifecycle found, to be written in one transaction with the cursor's move.
#[derive(Debug, Clone)]
pub struct Noticed {
    /// The cursor that was read.
    pub from: Timestamp,
    /// Where it moves.
    pub to: Timestamp,
    /// What happened.
    pub events: Vec<(Timestamp, ChangeEvent)>,
    /// Mail to queue.
    pub mails: Vec<NewMail>,
}
