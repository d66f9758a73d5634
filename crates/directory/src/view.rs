//! Records as administrators see them: what `user show -o json` and the events print. The field
//! names are those that scripts rely on (CONTRACT.md 1).

use serde::Serialize;

use doorward_domain::account::{Condition, Status};
use doorward_domain::certificate::CertificateName;
use doorward_domain::id::{AccountId, GroupId, ServiceId};
use doorward_domain::name::{GroupName, MailAddress, ResourceName, ServiceName, Username};
use doorward_domain::policy::conditions::{conditions, expires_at, lock_lapses_at};
use doorward_domain::resource::{Override, Resource, ResourceKind};
use doorward_domain::rules::PolicySettings;
use doorward_domain::time::{Now, Timestamp};
use doorward_store::records::{Binding, BoundTo, GroupRecord, ServiceSummary, UserRecord};

use super::settings::PosixSettings;
use super::ssh_keys::SshKeyView;

/// A user. Times are RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the fields are those of the printed record"
)]
pub struct UserView {
    /// The account.
    pub id: AccountId,
    /// The username.
    pub username: Username,
    /// The mail address.
    pub email: MailAddress,
    /// Where links go instead.
    pub recovery_email: Option<MailAddress>,
    /// The full name.
    pub full_name: Option<String>,
    /// The word for how it stands.
    pub status: Status,
    /// What holds of it.
    pub conditions: Vec<Condition>,
    /// It has started and a password was set.
    pub activated: bool,
    /// Failed attempts locked it.
    pub account_locked: bool,
    /// Since when.
    #[serde(serialize_with = "time")]
    pub locked_since: Option<Timestamp>,
    /// When the lock opens by itself.
    #[serde(serialize_with = "time")]
    pub lock_lapses: Option<Timestamp>,
    /// The password has expired.
    pub password_expired: bool,
    /// When it does or did.
    #[serde(serialize_with = "time")]
    pub password_expiration_date: Option<Timestamp>,
    /// Ageing does not apply.
    pub password_never_expires: bool,
    /// When the password was set.
    #[serde(serialize_with = "time")]
    pub password_set_date: Option<Timestamp>,
    /// By when it must be changed, where an administrator said so.
    #[serde(serialize_with = "time")]
    pub password_change_by: Option<Timestamp>,
    /// When the network password was made, where there is one.
    #[serde(serialize_with = "time")]
    pub network_password_set_date: Option<Timestamp>,
    /// It must be changed before anything else.
    pub must_change_password: bool,
    /// Suspended, or past its end.
    pub suspended: bool,
    /// When the account takes effect.
    #[serde(serialize_with = "time")]
    pub start_date: Option<Timestamp>,
    /// When it ends.
    #[serde(serialize_with = "time")]
    pub end_date: Option<Timestamp>,
    /// It administers the gateway.
    pub admin: bool,
    /// The POSIX user number.
    pub uid_number: u32,
    /// The POSIX number of the primary group.
    pub gid_number: u32,
    /// The home directory.
    pub home: String,
    /// The login shell.
    pub shell: String,
    /// The groups it is in, directly or through others.
    pub groups: Vec<GroupName>,
    /// The resources it is bound to, directly or through groups.
    pub resources: Vec<ResourceName>,
    /// Distinct wrong passwords of the last 24 hours that are still counted for something.
    pub recent_failures: u32,
    /// Its SSH keys, oldest first.
    pub ssh_keys: Vec<SshKeyView>,
    /// When it was added.
    #[serde(serialize_with = "some_time")]
    pub created: Timestamp,
    /// When anything shown of it changed.
    #[serde(serialize_with = "some_time")]
    pub modified: Timestamp,
}

impl UserView {
    pub(super) fn of(
        record: UserRecord,
        policy: &PolicySettings,
        posix: &PosixSettings,
        now: Now,
    ) -> Self {
        let facts = &record.facts;
        let conditions = conditions(facts, policy, now);
        let holds = |condition| conditions.holds(condition);
        Self {
            id: record.account,
            status: Status::of(conditions),
            conditions: conditions.iter().collect(),
            activated: !holds(Condition::Staged) && !holds(Condition::PasswordPending),
            account_locked: holds(Condition::Locked),
            locked_since: facts.locked_since.filter(|_| holds(Condition::Locked)),
            lock_lapses: lock_lapses_at(facts, policy).filter(|_| holds(Condition::Locked)),
            password_expired: holds(Condition::Expired),
            password_expiration_date: expires_at(facts, policy),
            password_never_expires: facts.never_expires,
            password_set_date: facts.password_set_at,
            password_change_by: facts.change_by,
            network_password_set_date: record.network_password_set_at,
            must_change_password: facts.must_change,
            suspended: holds(Condition::Suspended),
            start_date: facts.start,
            end_date: facts.end,
            admin: record.admin,
            uid_number: record.uid_number,
            gid_number: record.gid_number,
            home: record
                .home
                .unwrap_or_else(|| posix.home_of(&record.username)),
            shell: record.shell.unwrap_or_else(|| posix.shell.clone()),
            username: record.username,
            email: record.email,
            recovery_email: record.recovery_email,
            full_name: record.full_name,
            groups: record.groups,
            resources: record.resources,
            recent_failures: record.recent_failures,
            ssh_keys: record.ssh_keys.into_iter().map(SshKeyView::from).collect(),
            created: record.created,
            modified: record.modified,
        }
    }
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupView {
    /// The group.
    pub id: GroupId,
    /// Its name.
    pub name: GroupName,
    /// Its POSIX number.
    pub gid_number: u32,
    /// What it is for.
    pub description: Option<String>,
    /// Users in it directly.
    pub members: Vec<Username>,
    /// Groups in it directly.
    pub groups: Vec<GroupName>,
    /// Users in it directly or through other groups.
    pub users: Vec<Username>,
    /// Resources bound to it directly.
    pub resources: Vec<ResourceName>,
    /// When it was added.
    #[serde(serialize_with = "some_time")]
    pub created: Timestamp,
    /// When it or its membership changed.
    #[serde(serialize_with = "some_time")]
    pub modified: Timestamp,
}

impl From<GroupRecord> for GroupView {
    fn from(record: GroupRecord) -> Self {
        Self {
            id: record.group,
            name: record.name,
            gid_number: record.gid_number,
            description: record.description,
            members: record.direct_users,
            groups: record.groups,
            users: record.users,
            resources: record.resources,
            created: record.created,
            modified: record.modified,
        }
    }
}

/// A resource of the configuration, or one that only bindings still name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResourceView {
    /// Its name.
    pub name: ResourceName,
    /// Its kind; none where the configuration does not define it.
    pub kind: Option<ResourceKind>,
    /// Its own word on locked users.
    pub on_locked: Option<Override>,
    /// Its own word on expired users.
    pub on_expired: Option<Override>,
    /// Whether failures here count toward the lock.
    pub counts_failures: bool,
    /// When it is the one asking on a connection, for people.
    pub asks_when: String,
    /// Users bound directly.
    pub users: Vec<Username>,
    /// Groups bound.
    pub groups: Vec<GroupName>,
}

impl ResourceView {
    pub(super) fn of(resource: &Resource, bindings: &[Binding], clients: &[String]) -> Self {
        let mut view = Self::undefined(resource.name.clone(), bindings);
        view.kind = Some(resource.kind);
        view.on_locked = resource.on_locked;
        view.on_expired = resource.on_expired;
        view.counts_failures = resource.counts_failures();
        view.asks_when = asks_when(resource, clients);
        view
    }

    pub(super) fn undefined(name: ResourceName, bindings: &[Binding]) -> Self {
        let folded = name.folded();
        let mut users = Vec::new();
        let mut groups = Vec::new();
        for binding in bindings
            .iter()
            .filter(|one| one.resource.folded() == folded)
        {
            match &binding.to {
                BoundTo::User(user) => users.push(user.clone()),
                BoundTo::Group(group) => groups.push(group.clone()),
            }
        }
        Self {
            name,
            kind: None,
            on_locked: None,
            on_expired: None,
            counts_failures: false,
            asks_when: "never: the configuration does not define it".to_owned(),
            users,
            groups,
        }
    }
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn asks_when(resource: &Resource, clients: &[String]) -> String {
    let mut ways = Vec::new();
    if let Some(matched) = &resource.matched_by {
        let mut keys = Vec::new();
        let mut key = |word: &str, values: Vec<String>| {
            if !values.is_empty() {
                keys.push(format!("{word} {}", values.join(" or ")));
            }
        };
        key("listener", texts(&matched.listener));
        key("source", texts(&matched.source));
        key("Unix user", texts(&matched.peer_user));
        key("client certificate", texts(&matched.client_certificate));
        key("service account", texts(&matched.service));
        key("view", texts(&matched.base));
        ways.push(keys.join(" and "));
    }
    ways.extend(
        clients
            .iter()
            .map(|client| format!("RADIUS client {client}")),
    );
    if ways.is_empty() {
        "never: nothing leads here".to_owned()
    } else {
        ways.join("; ")
    }
}

/// A service account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceView {
    /// The service account.
    pub id: ServiceId,
    /// Its name.
    pub name: ServiceName,
    /// Whether it may read people and groups.
    pub may_search: bool,
    /// Where it may come from; anywhere when empty.
    pub sources: Vec<ipnet::IpNet>,
    /// How many passwords are live.
    pub passwords: usize,
    /// The name of the client certificate that binds it.
    pub certificate: Option<CertificateName>,
    /// When it was added.
    #[serde(serialize_with = "some_time")]
    pub created: Timestamp,
}

impl From<ServiceSummary> for ServiceView {
    fn from(record: ServiceSummary) -> Self {
        Self {
            id: record.service,
            name: record.name,
            may_search: record.may_search,
            sources: record.sources,
            passwords: record.passwords,
            certificate: record.certificate,
            created: record.created,
        }
    }
}

#[expect(clippy::ref_option, reason = "the shape serde asks for")]
pub(super) fn time<S: serde::Serializer>(
    at: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.collect_str(at),
        None => serializer.serialize_none(),
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the shape serde asks for"
)]
pub(super) fn some_time<S: serde::Serializer>(
    at: &Timestamp,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}
