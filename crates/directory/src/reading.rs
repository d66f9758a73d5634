//! What front ends read, and the rights they read it with.

use doorward_domain::account::Conditions;
use doorward_domain::id::{AccountId, GroupId, SudoRuleId};
use doorward_domain::name::ResourceName;
use doorward_domain::names::{Members, NameList, Part, Portion};
use doorward_domain::policy::access;
use doorward_domain::policy::access::{Access, Permit};
use doorward_domain::policy::conditions::{conditions, expires_at};
use doorward_domain::policy::lockout::place_limits;
use doorward_domain::policy::time_spans::transitions_between;
use doorward_domain::refusal::Refusal;
use doorward_domain::resource::{AccessContext, Door, Resource};
use doorward_domain::rules::PolicySettings;
use doorward_domain::time::Now;
use doorward_frontend_api::{Answer, Undecided};
use doorward_store::Unavailable;
use doorward_store::changes::{GroupFilter, SudoFilter, UserFilter};
use doorward_store::records::{GroupRecord, SudoRuleRecord, UserEntries, UserRecord};

use super::Directory;
use super::settings::{PosixSettings, Settings};
use doorward_frontend_api::entry::{Group, Person, Standing, SudoRole};
use doorward_frontend_api::read::{GroupQuery, PersonQuery, Read, SudoQuery, Viewer};

impl Read for Directory {
    fn resource_asking(&self, asking: &AccessContext) -> Option<ResourceName> {
        let settings = self.settings();
        settings
            .resources
            .asking(asking)
            .map(|resource| resource.name.clone())
    }

    fn people<'a>(
        &'a self,
        viewer: Viewer<'a>,
        asking: &'a AccessContext,
        query: &'a PersonQuery,
        after: Option<AccountId>,
        portion: Portion,
        now: Now,
    ) -> Answer<'a, Result<Vec<Person>, Undecided>> {
        Box::pin(async move {
            let rights = rights(viewer);
            let found = match &rights {
                Rights::Everything => self
                    .store
                    .user_entries(&user_filter(query), after, portion)
                    .await
                    .map_err(undecided)?,
                Rights::Itself(account) => {
                    let own = UserFilter::Id(*account);
                    let found = self.store.user_entries(&own, None, portion).await;
                    let mut found = found.map_err(undecided)?;
                    let within = match query {
                        PersonQuery::MemberOf(group) => {
                            let groups = self.store.groups_of(*account).await;
                            let groups = groups.map_err(undecided)?;
                            groups.iter().any(|name| name.eq_ignore_ascii_case(group))
                        }
                        _ => true,
                    };
                    found.users.retain(|(record, _)| {
                        within
                            && matches(record, query)
                            && after.is_none_or(|after| record.account > after)
                    });
                    found
                }
                Rights::Nothing => return Ok(Vec::new()),
            };
            let UserEntries { users, policy } = found;
            let settings = self.settings();
            let asks = Asks::of(&settings, asking);
            let mut people = Vec::with_capacity(users.len());
            for (record, groups) in users {
                let mut person = person(record, groups, &settings.posix, &policy, asks, now);
                if let (Rights::Itself(account), Asks::Resource(resource)) = (&rights, asks) {
                    let limits = place_limits(&policy, resource, false, now);
                    let failures = self.store.failure_times(*account, &limits);
                    person.standing.failures = failures.await.map_err(undecided)?;
                }
                people.push(person);
            }
            Ok(people)
        })
    }

    fn groups<'a>(
        &'a self,
        viewer: Viewer<'a>,
        query: &'a GroupQuery,
        after: Option<GroupId>,
        portion: Portion,
    ) -> Answer<'a, Result<Vec<Group>, Undecided>> {
        Box::pin(async move {
            match rights(viewer) {
                Rights::Everything => {
                    let filter = group_filter(query);
                    let records = self
                        .store
                        .group_entries(&filter, after, portion)
                        .await
                        .map_err(undecided)?;
                    let groups = records.into_iter();
                    Ok(groups
                        .map(|(record, members)| group(record, members))
                        .collect())
                }
                Rights::Itself(_) | Rights::Nothing => Ok(Vec::new()),
            }
        })
    }

    fn groups_of<'a>(
        &'a self,
        viewer: Viewer<'a>,
        account: AccountId,
    ) -> Answer<'a, Result<NameList, Undecided>> {
        Box::pin(async move {
            let readable = match rights(viewer) {
                Rights::Everything => true,
                Rights::Itself(own) => own == account,
                Rights::Nothing => false,
            };
            if !readable {
                return Ok(NameList::default());
            }
            self.store.groups_of(account).await.map_err(undecided)
        })
    }

    fn members_of<'a>(
        &'a self,
        viewer: Viewer<'a>,
        group: GroupId,
    ) -> Answer<'a, Result<Members, Undecided>> {
        Box::pin(async move {
            match rights(viewer) {
                Rights::Everything => self.store.members_of(group).await.map_err(undecided),
                Rights::Itself(_) | Rights::Nothing => Ok(Members::default()),
            }
        })
    }

    fn sudo_roles<'a>(
        &'a self,
        viewer: Viewer<'a>,
        query: &'a SudoQuery,
        after: Option<SudoRuleId>,
        limit: usize,
    ) -> Answer<'a, Result<Vec<SudoRole>, Undecided>> {
        Box::pin(async move {
            let filter = match (rights(viewer), query) {
                (Rights::Itself(_) | Rights::Nothing, _) => return Ok(Vec::new()),
                (Rights::Everything, SudoQuery::Id(id)) => SudoFilter::Id(*id),
                (Rights::Everything, SudoQuery::Name(name)) => SudoFilter::Name(name.clone()),
                (Rights::Everything, SudoQuery::All) => SudoFilter::All,
            };
            let records = self.store.sudo_rules(&filter, after, limit).await;
            let role = |record: SudoRuleRecord| SudoRole {
                id: record.id,
                rule: record.rule,
                created: record.created,
                modified: record.modified,
            };
            Ok(records.map_err(undecided)?.into_iter().map(role).collect())
        })
    }
}

pub(super) fn undecided(error: Unavailable) -> Undecided {
    error.into()
}

enum Rights {
    Everything,
    Itself(AccountId),
    Nothing,
}

fn rights(viewer: Viewer<'_>) -> Rights {
    match viewer {
        Viewer::Service(proof) if proof.may_search() => Rights::Everything,
        Viewer::Service(_) => Rights::Nothing,
        Viewer::User(proof) => Rights::Itself(proof.account()),
        Viewer::ChangeOnly(proof) => Rights::Itself(proof.account()),
    }
}

fn user_filter(query: &PersonQuery) -> UserFilter {
    match query {
        PersonQuery::Id(account) => UserFilter::Id(*account),
        PersonQuery::Username(name) => UserFilter::Username(name.clone()),
        PersonQuery::UidNumber(number) => UserFilter::UidNumber(*number),
        PersonQuery::Mail(address) => UserFilter::Mail(address.clone()),
        PersonQuery::MemberOf(group) => UserFilter::MemberOf(group.clone()),
        PersonQuery::All => UserFilter::All,
    }
}

fn group_filter(query: &GroupQuery) -> GroupFilter {
    match query {
        GroupQuery::Id(group) => GroupFilter::Id(*group),
        GroupQuery::Name(name) => GroupFilter::Name(name.clone()),
        GroupQuery::GidNumber(number) => GroupFilter::GidNumber(*number),
        GroupQuery::HasUser(name) => GroupFilter::HasUser(name.clone()),
        GroupQuery::HasGroup(name) => GroupFilter::HasGroup(name.clone()),
        GroupQuery::All => GroupFilter::All,
    }
}

/// Whether the one user a viewer may read is among those asked for.
fn matches(record: &UserRecord, query: &PersonQuery) -> bool {
    match query {
        PersonQuery::Id(account) => record.account == *account,
        PersonQuery::Username(name) => record.username.folded() == name.to_ascii_lowercase(),
        PersonQuery::UidNumber(number) => record.uid_number == *number,
        PersonQuery::Mail(address) => record.email.folded() == address.to_lowercase(),
        // Groups are no part of the record, and were looked at.
        PersonQuery::MemberOf(_) | PersonQuery::All => true,
    }
}

/// At which door a standing is judged.
#[derive(Debug, Clone, Copy)]
enum Asks<'a> {
    Resource(&'a Resource),
    Portal,
    Nobody,
}

impl<'a> Asks<'a> {
    fn of(settings: &'a Settings, asking: &AccessContext) -> Self {
        match (asking, settings.resources.asking(asking)) {
            (AccessContext::Portal, _) => Self::Portal,
            (_, Some(resource)) => Self::Resource(resource),
            (_, None) => Self::Nobody,
        }
    }

    fn refusal(self, conditions: Conditions, record: &UserRecord) -> Option<Refusal> {
        match self {
            Self::Resource(resource) => {
                // A change-only session is a way in: the client that asked for it is led there.
                let access = access::judge(conditions, is_bound(record, resource), resource, true);
                match access {
                    Access::Granted | Access::ChangeOnly => None,
                    Access::Refused(refusal) => Some(refusal),
                }
            }
            Self::Portal => access::REASON_ORDER
                .into_iter()
                .filter(|condition| conditions.holds(*condition))
                .find(|condition| {
                    let permit = access::permit(*condition, Door::PortalSignIn);
                    !matches!(permit, Permit::Yes | Permit::ChangeOnly)
                })
                .map(access::refusal_of),
            Self::Nobody => Some(Refusal::NoResource),
        }
    }

    /// Whether an expired password closes this door.
    fn refuses_the_expired(self) -> bool {
        match self {
            Self::Resource(resource) => access::expired_is_refused(resource),
            Self::Portal | Self::Nobody => true,
        }
    }

    /// Whether a login without a password is let in whole: nobody could be led to a change of
    /// password by an SSH key.
    fn takes_keys(self, conditions: Conditions, record: &UserRecord) -> bool {
        match self {
            Self::Resource(resource) => {
                let bound = is_bound(record, resource);
                access::judge(conditions, bound, resource, false) == Access::Granted
            }
            Self::Portal | Self::Nobody => false,
        }
    }
}

/// Whether a user is bound to a resource, directly or through groups.
pub(super) fn is_bound(record: &UserRecord, resource: &Resource) -> bool {
    let folded = resource.name.folded();
    record.resources.iter().any(|name| name.folded() == folded)
}

fn person(
    record: UserRecord,
    groups: Part<NameList>,
    posix: &PosixSettings,
    policy: &PolicySettings,
    asks: Asks<'_>,
    now: Now,
) -> Person {
    let conditions = conditions(&record.facts, policy, now);
    let standing = Standing {
        refused: asks.refusal(conditions, &record),
        conditions,
        password_set_at: record.facts.password_set_at,
        expires_at: expires_at(&record.facts, policy).filter(|_| asks.refuses_the_expired()),
        warned_before: policy.password.warn_before,
        failures: Vec::new(),
        ends_at: record.facts.end,
    };
    // Clients that look for what changed since they last asked (SSSD's enumeration) are to find
    // who was opened or closed by time alone as well, and everybody after a change of the policy,
    // from which follow the days of the password and who is expired.
    let modified = transitions_between(&record.facts, policy, record.modified, now)
        .last()
        .map_or(record.modified, |passed| passed.at)
        .max(policy.changed_at);
    let takes_keys = asks.takes_keys(conditions, &record);
    Person {
        account: record.account,
        home: record
            .home
            .unwrap_or_else(|| posix.home_of(&record.username)),
        shell: record.shell.unwrap_or_else(|| posix.shell.clone()),
        username: record.username,
        full_name: record.full_name,
        email: record.email,
        uid_number: record.uid_number,
        gid_number: record.gid_number,
        groups,
        ssh_keys: record
            .ssh_keys
            .into_iter()
            .filter(|_| takes_keys)
            .map(|record| record.key)
            .collect(),
        created: record.created,
        modified,
        standing,
    }
}

fn group(record: GroupRecord, members: Part<Members>) -> Group {
    Group {
        group: record.group,
        name: record.name,
        gid_number: record.gid_number,
        description: record.description,
        members,
        created: record.created,
        modified: record.modified,
    }
}
