//! What front ends may read, and with whose rights.

use crate::{Answer, Authenticated, AuthenticatedService, ChangeProof, Undecided};
use doorward_domain::id::{AccountId, GroupId, SudoRuleId};
use doorward_domain::name::ResourceName;
use doorward_domain::names::{Members, NameList, Portion};
use doorward_domain::resource::AccessContext;
use doorward_domain::time::Now;

use super::entry::{Group, Person, SudoRole};

/// With whose rights a read is made: a service account that may search reads people
/// and groups, a user reads itself, anybody else nothing.
#[derive(Debug, Clone, Copy)]
pub enum Viewer<'a> {
    /// A bound service account.
    Service(&'a AuthenticatedService),
    /// A bound user.
    User(&'a Authenticated),
    /// A user who must change the password first.
    ChangeOnly(&'a ChangeProof),
}

/// Which people are wanted. Text is compared without regard to case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonQuery {
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
    /// Everybody the viewer may read.
    All,
}

/// Which groups are wanted. Text is compared without regard to case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupQuery {
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

/// Which sudo rules are wanted. Text is compared without regard to case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SudoQuery {
    /// By identifier.
    Id(SudoRuleId),
    /// By name.
    Name(String),
    /// All.
    All,
}

/// What front ends see of the directory.
pub trait Read: Send + Sync {
    /// The resource that is asking, if any.
    fn resource_asking(&self, asking: &AccessContext) -> Option<ResourceName>;

    /// People after the one named, in the order of their identifiers, as many as the portion has
    /// room for (fewer only at the end), each with its standing at the resource that is asking and
    /// with what the portion wants of its groups.
    fn people<'a>(
        &'a self,
        viewer: Viewer<'a>,
        asking: &'a AccessContext,
        query: &'a PersonQuery,
        after: Option<AccountId>,
        portion: Portion,
        now: Now,
    ) -> Answer<'a, Result<Vec<Person>, Undecided>>;

    /// Groups after the one named, in the order of their identifiers, as many as the portion has
    /// room for (fewer only at the end), each with what the portion wants of its members.
    fn groups<'a>(
        &'a self,
        viewer: Viewer<'a>,
        query: &'a GroupQuery,
        after: Option<GroupId>,
        portion: Portion,
    ) -> Answer<'a, Result<Vec<Group>, Undecided>>;

    /// The groups of a user that were [apart](doorward_domain::names::Part::Apart); none where the
    /// viewer may not read the user.
    fn groups_of<'a>(
        &'a self,
        viewer: Viewer<'a>,
        account: AccountId,
    ) -> Answer<'a, Result<NameList, Undecided>>;

    /// The members of a group that were [apart](doorward_domain::names::Part::Apart); none where the
    /// viewer may not read the group.
    fn members_of<'a>(
        &'a self,
        viewer: Viewer<'a>,
        group: GroupId,
    ) -> Answer<'a, Result<Members, Undecided>>;

    /// sudo rules after the one named, in the order of their identifiers, at most `limit` (fewer
    /// only at the end).
    fn sudo_roles<'a>(
        &'a self,
        viewer: Viewer<'a>,
        query: &'a SudoQuery,
        after: Option<SudoRuleId>,
        limit: usize,
    ) -> Answer<'a, Result<Vec<SudoRole>, Undecided>>;
}
