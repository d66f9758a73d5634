//! Records as the store gives them back, and mail to come.

use serde::{Deserialize, Serialize};

use std::sync::Arc;

use doorward_domain::account::AccountFacts;
use doorward_domain::certificate::CertificateName;
use doorward_domain::device::MacAddress;
use doorward_domain::id::{AccountId, DeviceId, Epoch, GroupId, ServiceId, SudoRuleId};
use doorward_domain::name::{GroupName, MailAddress, ResourceName, ServiceName, Username};
use doorward_domain::names::{NameList, Part};
use doorward_domain::reply::{ReplyAttribute, Vlan};
use doorward_domain::rules::PolicySettings;
use doorward_domain::ssh_key::SshPublicKey;
use doorward_domain::sudo::SudoRule;
use doorward_domain::time::Timestamp;

/// A user, without any hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// The account; shown as `entryUUID`.
    pub account: AccountId,
    /// The username.
    pub username: Username,
    /// The mail address.
    pub email: MailAddress,
    /// Where links go instead, if set.
    pub recovery_email: Option<MailAddress>,
    /// The full name.
    pub full_name: Option<String>,
    /// The POSIX user number, never used again.
    pub uid_number: u32,
    /// The POSIX number of the primary group.
    pub gid_number: u32,
    /// The home directory, where it is not the configured pattern.
    pub home: Option<String>,
    /// The login shell, where it is not the configured one.
    pub shell: Option<String>,
    /// Whether the user administers the gateway.
    pub admin: bool,
    /// When its network password was made; nothing where it has none.
    pub network_password_set_at: Option<Timestamp>,
    /// The facts of its standing.
    pub facts: AccountFacts,
    /// The credential epoch.
    pub epoch: Epoch,
    /// When it was added.
    pub created: Timestamp,
    /// When anything shown of it changed.
    pub modified: Timestamp,
    /// The groups it is in, directly or through others, sorted by name.
    pub groups: Vec<GroupName>,
    /// The resources it is bound to, directly or through groups, sorted by name.
    pub resources: Vec<ResourceName>,
    /// Distinct wrong passwords of the last 24 hours that are still counted for something.
    pub recent_failures: u32,
    /// Its SSH keys, in the order in which they were added.
    pub ssh_keys: Vec<SshKeyRecord>,
}

/// Users as entries show them, and the policy by which they stand, of one moment.
#[derive(Debug, Clone)]
pub struct UserEntries {
    /// The users, each with what was wanted of its groups. The records themselves have no groups
    /// and count no failures.
    pub users: Vec<(UserRecord, Part<NameList>)>,
    /// The policy in force.
    pub policy: Arc<PolicySettings>,
}

/// An SSH key of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshKeyRecord {
    /// The key.
    pub key: SshPublicKey,
    /// When it was added.
    pub added: Timestamp,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRecord {
    /// The group; shown as `entryUUID`.
    pub group: GroupId,
    /// Its name.
    pub name: GroupName,
    /// Its POSIX number, never used again.
    pub gid_number: u32,
    /// What it is for.
    pub description: Option<String>,
    /// Users in it, directly or through other groups, sorted by name.
    pub users: Vec<Username>,
    /// Users in it directly.
    pub direct_users: Vec<Username>,
    /// Groups in it directly.
    pub groups: Vec<GroupName>,
    /// Resources bound to it directly.
    pub resources: Vec<ResourceName>,
    /// When it was added.
    pub created: Timestamp,
    /// When it or its membership changed.
    pub modified: Timestamp,
}

/// A sudo rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SudoRuleRecord {
    /// The rule; shown as `entryUUID`.
    pub id: SudoRuleId,
    /// What it says.
    pub rule: SudoRule,
    /// When it was added.
    pub created: Timestamp,
    /// When it, or the name of a user in it, changed.
    pub modified: Timestamp,
}

/// A device that is known by its address alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRecord {
    /// The device.
    pub device: DeviceId,
    /// Its address.
    pub address: MacAddress,
    /// The resources that it may use.
    pub resources: Vec<ResourceName>,
    /// The VLAN that it is put into; the port's own where absent.
    pub vlan: Option<Vlan>,
    /// What it is.
    pub description: Option<String>,
    /// When it was added.
    pub created: Timestamp,
    /// When it was changed.
    pub modified: Timestamp,
}

/// A service account, without any hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSummary {
    /// The service account.
    pub service: ServiceId,
    /// Its name.
    pub name: ServiceName,
    /// Whether it may read people and groups.
    pub may_search: bool,
    /// Where it may come from; anywhere when empty.
    pub sources: Vec<ipnet::IpNet>,
    /// How many passwords are live.
    pub passwords: usize,
    /// The name of the client certificate that binds it; none does where it is empty.
    pub certificate: Option<CertificateName>,
    /// When it was added.
    pub created: Timestamp,
}

/// A binding of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The resource.
    pub resource: ResourceName,
    /// To whom.
    pub to: BoundTo,
}

/// What a resource is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoundTo {
    /// One user.
    User(Username),
    /// A group, its nested groups included.
    Group(GroupName),
}

/// The reply attributes mapped to a user or a group for one resource, or for every one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyMapping {
    /// To whom.
    pub of: BoundTo,
    /// A group's priority: of two, the one with the higher number holds. A user has none.
    pub priority: Option<i32>,
    /// For which resource; for every one where absent.
    pub resource: Option<ResourceName>,
    /// The attributes, in order.
    pub attributes: Vec<ReplyAttribute>,
}

/// What a mail is about; the text is made when it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailKind {
    /// An activation link.
    Activation,
    /// A reset link.
    ResetLink,
    /// The account was locked, and how to get out.
    Locked,
    /// The password expires soon.
    ExpiryWarning,
    /// The password has expired.
    Expired,
    /// The password was changed.
    PasswordChanged,
    /// The previous password is still in use somewhere.
    StalePassword,
}

/// Mail to be queued with the change that caused it (CONTRACT.md 7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMail {
    /// About whom.
    pub account: AccountId,
    /// What it is about.
    pub kind: MailKind,
    /// What its text needs, never a secret.
    pub details: serde_json::Value,
}

/// Mail waiting to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedMail {
    /// Its number in the queue.
    pub number: i64,
    /// When it was queued.
    pub queued: Timestamp,
    /// The mail.
    pub mail: NewMail,
}
