//! The directory.

use std::sync::Arc;

use crate::changes::{
    Applied, ChangeRefused, Charged, Command, GroupFilter, Noticed, SudoFilter, TimeSpans,
    UserFilter,
};
use crate::records::{
    Binding, BoundTo, DeviceRecord, GroupRecord, QueuedMail, ReplyMapping, ServiceSummary,
    SudoRuleRecord, UserEntries, UserRecord,
};
use crate::{Store, Unavailable};
use doorward_domain::event::Event;
use doorward_domain::id::{AccountId, DeviceId, GroupId, SudoRuleId};
use doorward_domain::name::ResourceName;
use doorward_domain::names::{Lists, Members, NameList, Part, Portion};
use doorward_domain::reply::ReplyGrant;
use doorward_domain::rules::{PlaceLimits, PolicySettings};
use doorward_domain::secret::HashText;
use doorward_domain::time::Timestamp;

use super::super::fault::Fault;
use super::super::readers::{Lane, View};
use super::super::{apply, devices, groups, lifecycle, outbox, places, reply, rows, sudo, users};

impl Store {
    /// What is in a group, each piece by a read of its own, so that others are read in between.
    /// Whoever was in one of its groups all the while is found; who moves from one to another
    /// meanwhile may not be.
    async fn members_in_pieces(&self, group: GroupId) -> Result<Members, Fault> {
        let read = move |view: &mut View<'_>| {
            let containers = groups::inside(view.connection, group)?;
            Ok((containers, groups::groups_in(view.connection, group)?))
        };
        let (containers, groups) = self.read(Lane::Scans, read).await?;
        let mut users = NameList::default();
        for container in containers {
            let mut after = None;
            loop {
                let read = move |view: &mut View<'_>| {
                    groups::some_users_in(view.connection, container, after, groups::PIECE)
                };
                let (names, last) = self.read(Lane::Scans, read).await?;
                users.append(&names);
                after = last;
                if after.is_none() {
                    break;
                }
            }
        }
        // As much work as a few pieces, and done where they are.
        let users = self
            .read(Lane::Scans, move |_| Ok(users.distinct()))
            .await?;
        Ok(Members { users, groups })
    }
}

impl Store {
    /// Carries a command out.
    ///
    /// # Errors
    /// Why it is refused; nothing is changed.
    pub async fn apply(&self, command: Command) -> Result<Applied, ChangeRefused> {
        let numbering = Arc::clone(&self.sqlite().numbering);
        let applied = self
            .write(move |connection| apply::apply(connection, &numbering, &command))
            .await?;
        Ok(applied)
    }

    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method's path is not general enough over the view's lifetime"
    )]
    /// The policy in force.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn policy(&self) -> Result<Arc<PolicySettings>, Unavailable> {
        let policy = self.read(Lane::Lookups, |view| view.policy()).await?;
        Ok(policy)
    }

    /// Users after the one named, in the order of their identifiers, at most `limit`.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn users(
        &self,
        filter: &UserFilter,
        after: Option<AccountId>,
        limit: usize,
    ) -> Result<Vec<UserRecord>, Unavailable> {
        let filter = filter.clone();
        let lane = Lane::of_users(&filter);
        let found = self
            .read(lane, move |view| {
                users::list(view.connection, &filter, after, limit)
            })
            .await?;
        Ok(found)
    }

    /// Groups after the one named, in the order of their identifiers, at most `limit`.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn groups(
        &self,
        filter: &GroupFilter,
        after: Option<GroupId>,
        limit: usize,
    ) -> Result<Vec<GroupRecord>, Unavailable> {
        let filter = filter.clone();
        let lane = Lane::of_groups(&filter, Lists::UpTo(usize::MAX));
        let found = self
            .read(lane, move |view| {
                groups::list(view.connection, &filter, after, limit)
            })
            .await?;
        Ok(found)
    }

    /// Users as entries show them, after the one named, in the order of their identifiers, each
    /// with what the portion wants of its groups.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn user_entries(
        &self,
        filter: &UserFilter,
        after: Option<AccountId>,
        portion: Portion,
    ) -> Result<UserEntries, Unavailable> {
        let filter = filter.clone();
        let lane = Lane::of_users(&filter);
        let found = self
            .read(lane, move |view| {
                let users = users::entries(view.connection, &filter, after, portion)?;
                let policy = view.policy()?;
                Ok(UserEntries { users, policy })
            })
            .await?;
        Ok(found)
    }

    /// Groups as entries show them, after the one named, in the order of their identifiers, each
    /// with what the portion wants of its members. The records themselves have neither members nor
    /// resources.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn group_entries(
        &self,
        filter: &GroupFilter,
        after: Option<GroupId>,
        portion: Portion,
    ) -> Result<Vec<(GroupRecord, Part<Members>)>, Unavailable> {
        let filter = filter.clone();
        let lane = Lane::of_groups(&filter, portion.lists);
        let found = self
            .read(lane, move |view| {
                groups::entries(view.connection, &filter, after, portion)
            })
            .await?;
        Ok(found)
    }

    /// The groups an account is in, directly or through others.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn groups_of(&self, account: AccountId) -> Result<NameList, Unavailable> {
        let found = self
            .read(Lane::Scans, move |view| {
                users::groups_of(view.connection, account)
            })
            .await?;
        Ok(found)
    }

    /// What is in a group; nothing where the group is gone.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn members_of(&self, group: GroupId) -> Result<Members, Unavailable> {
        Ok(self.members_in_pieces(group).await?)
    }

    /// sudo rules after the one named, in the order of their identifiers, at most `limit`.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn sudo_rules(
        &self,
        filter: &SudoFilter,
        after: Option<SudoRuleId>,
        limit: usize,
    ) -> Result<Vec<SudoRuleRecord>, Unavailable> {
        let filter = filter.clone();
        let found = self
            .read(Lane::Lookups, move |view| {
                sudo::list(view.connection, &filter, after, limit)
            })
            .await?;
        Ok(found)
    }

    /// All mappings of reply attributes: users' by name, then groups' by name, each for every
    /// resource first.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn reply_mappings(&self) -> Result<Vec<ReplyMapping>, Unavailable> {
        let found = self
            .read(Lane::Lookups, |view| reply::mappings(view.connection))
            .await?;
        Ok(found)
    }

    /// The reply attributes mapped to an account at a resource, by itself and by its groups, nested
    /// ones included, as [`crate::attempts::Fetch::Accept`] reads them.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn reply_grants(
        &self,
        account: AccountId,
        resource: Option<&ResourceName>,
    ) -> Result<Vec<ReplyGrant>, Unavailable> {
        let resource = resource.cloned();
        let found = self
            .read(Lane::Lookups, move |view| {
                reply::grants(view.connection, account, resource.as_ref())
            })
            .await?;
        Ok(found)
    }

    /// All service accounts, by name.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn services(&self) -> Result<Vec<ServiceSummary>, Unavailable> {
        let found = self
            .read(Lane::Lookups, |view| groups::services(view.connection))
            .await?;
        Ok(found)
    }

    /// Devices after the one named, in the order of their identifiers, at most `limit`.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn devices(
        &self,
        after: Option<DeviceId>,
        limit: usize,
    ) -> Result<Vec<DeviceRecord>, Unavailable> {
        let found = self
            .read(Lane::Lookups, move |view| {
                devices::list(view.connection, after, limit)
            })
            .await?;
        Ok(found)
    }

    /// All bindings, by resource.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn bindings(&self) -> Result<Vec<Binding>, Unavailable> {
        let found = self
            .read(Lane::Lookups, |view| groups::bindings(view.connection))
            .await?;
        Ok(found)
    }

    /// The chain by which an account is bound to a resource: the user alone, or the groups from
    /// the bound one down; none where it is not bound.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn binding_path(
        &self,
        account: AccountId,
        resource: &ResourceName,
    ) -> Result<Option<Vec<BoundTo>>, Unavailable> {
        let resource = resource.clone();
        let found = self
            .read(Lane::Lookups, move |view| {
                groups::binding_path(view.connection, account, &resource)
            })
            .await?;
        Ok(found)
    }

    /// The present and former hashes of an account's password, newest first, for the history rule.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn password_history(
        &self,
        account: AccountId,
        limit: u32,
    ) -> Result<Vec<HashText>, Unavailable> {
        let found = self
            .read(Lane::Lookups, move |view| {
                users::password_history(view.connection, account, limit)
            })
            .await?;
        Ok(found)
    }

    /// What is charged to an account, counted as a place is granted under `limits`. Nothing is
    /// charged by looking.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn charged(
        &self,
        account: AccountId,
        limits: &PlaceLimits,
    ) -> Result<Charged, Unavailable> {
        let limits = *limits;
        let found = self
            .read(Lane::Lookups, move |view| {
                places::look(view.connection, account, &limits)
            })
            .await?;
        Ok(found)
    }

    /// When the failures that count toward the lock under `limits` were charged, oldest first.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn failure_times(
        &self,
        account: AccountId,
        limits: &PlaceLimits,
    ) -> Result<Vec<Timestamp>, Unavailable> {
        let limits = *limits;
        let found = self
            .read(Lane::Lookups, move |view| {
                places::failure_times(view.connection, account, &limits)
            })
            .await?;
        Ok(found)
    }

    /// Every change of policy, newest first, as events.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn policy_history(&self) -> Result<Vec<Event>, Unavailable> {
        let found = self
            .read(Lane::Lookups, |view| {
                apply::policy::history(view.connection)
            })
            .await?;
        Ok(found)
    }

    /// Where lifecycle stands.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn lifecycle_cursor(&self) -> Result<Timestamp, Unavailable> {
        let cursor = self
            .read(Lane::Lookups, |view| lifecycle::cursor(view.connection))
            .await?;
        Ok(cursor)
    }

    /// Users that `spans` touch, after the one named, at most `limit`.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn users_touched_by_time(
        &self,
        spans: &TimeSpans,
        after: Option<AccountId>,
        limit: usize,
    ) -> Result<Vec<UserRecord>, Unavailable> {
        let spans = spans.clone();
        let found = self
            .read(Lane::Lookups, move |view| {
                users::touched_by_time(view.connection, &spans, after, limit)
            })
            .await?;
        Ok(found)
    }

    /// Writes what lifecycle found; false, and nothing written, where another moved the cursor
    /// first.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn notice(&self, noticed: Noticed) -> Result<bool, Unavailable> {
        let moved = self
            .write(move |connection| lifecycle::notice(connection, &noticed))
            .await?;
        Ok(moved)
    }

    /// Mail waiting, oldest first.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn queued_mail(&self, limit: usize) -> Result<Vec<QueuedMail>, Unavailable> {
        let found = self
            .read(Lane::Lookups, move |view| {
                outbox::queued(view.connection, limit)
            })
            .await?;
        Ok(found)
    }

    /// A number that moves with every change of users, groups, bindings and policy.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn directory_version(&self) -> Result<u64, Unavailable> {
        let version = self
            .read(Lane::Lookups, |view| {
                rows::meta(view.connection, "directory_version")
            })
            .await?;
        Ok(u64::try_from(version).unwrap_or(0))
    }
}
