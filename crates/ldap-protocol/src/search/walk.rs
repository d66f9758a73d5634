//! The one order in which entries are found: the fixed ones, then each kind by identifier.
//!
//! Identifiers never change and are never used again, so whoever goes on behind one meets no
//! entry twice and misses none that stayed, whatever changed in between. Nothing is held between
//! two looks but the [`Position`].

use std::collections::VecDeque;

use super::cost::Class;
use super::plan::{Candidates, Plan, Query};
use super::{Needs, Reach, Share, Shown, Stop, View};
use crate::attribute::Entry;
use crate::decode::{Scope, Search};
use crate::dn::DistinguishedName;
use crate::entries;
use crate::tree::Fixed;
use doorward_domain::id::{AccountId, GroupId, SudoRuleId};
use doorward_domain::names::{Lists, Part, Portion};
use doorward_frontend_api::{Answer, Undecided};
use doorward_frontend_api::{Group, GroupQuery, Person, PersonQuery, SudoQuery, SudoRole, Viewer};

/// How many entries are read at a time: so many that a reader is busy for a few milliseconds.
pub(super) const BATCH: usize = 64;
/// How many are read at a time at least, where several questions share a batch or a page is small;
/// and at most by what is quick.
const LEAST: usize = 8;
/// How many names the entries of one batch bring along together; longer lists are read one by one.
const NAMES: usize = 4096;
const QUICK_NAMES: usize = 256;

/// Where in the order an entry stands. It also names the entry, for as long as that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Position {
    /// An entry that is always there.
    Fixed(Fixed),
    /// A user.
    Person(AccountId),
    /// A group.
    Group(GroupId),
    /// A sudo rule.
    SudoRole(SudoRuleId),
}

/// Where a kind's entries begin for whoever goes on behind a position.
pub(super) enum Begin<I> {
    /// With the first.
    First,
    /// Behind this one.
    Behind(I),
    /// All of them lie before it.
    Nowhere,
}

/// A kind of entry that the directory is asked for, in batches by identifier.
pub(super) trait Kind: Query {
    /// What orders its entries.
    type Id: Copy + Ord + Send;
    /// What the directory returns.
    type Record: Send;
    /// The question that finds all of them.
    const ALL: Self;

    /// The question that finds one of them.
    fn only(id: Self::Id) -> Self;

    /// Asks for those behind `after`, as many as the portion has; fewer only at the end.
    fn ask<'a>(
        &'a self,
        view: &'a View<'_>,
        viewer: Viewer<'a>,
        after: Option<Self::Id>,
        portion: Portion,
    ) -> Answer<'a, Result<Vec<Self::Record>, Undecided>>;

    /// Whether the lists of names in its records are looked at.
    fn has_lists(needs: Needs) -> bool;

    /// Reads what was too long to come along, once there is room for it.
    fn complete(
        view: &View<'_>,
        viewer: Viewer<'_>,
        record: &mut Self::Record,
    ) -> impl Future<Output = Result<Option<Share>, Undecided>> + Send;

    /// A record's identifier.
    fn id(record: &Self::Record) -> Self::Id;

    /// Where an identifier stands in the order.
    fn position(id: Self::Id) -> Position;

    /// Where these entries begin behind `position`.
    fn begin(position: Position) -> Begin<Self::Id>;

    /// The record's entry, if this client may see it.
    fn entry(view: &View<'_>, record: &Self::Record) -> Option<Entry>;
}

impl Kind for PersonQuery {
    type Id = AccountId;
    type Record = Person;
    const ALL: Self = Self::All;

    fn only(id: AccountId) -> Self {
        Self::Id(id)
    }

    fn ask<'a>(
        &'a self,
        view: &'a View<'_>,
        viewer: Viewer<'a>,
        after: Option<AccountId>,
        portion: Portion,
    ) -> Answer<'a, Result<Vec<Person>, Undecided>> {
        view.directory
            .people(viewer, view.asking, self, after, portion, view.now)
    }

    fn has_lists(needs: Needs) -> bool {
        needs.groups
    }

    async fn complete(
        view: &View<'_>,
        viewer: Viewer<'_>,
        record: &mut Person,
    ) -> Result<Option<Share>, Undecided> {
        let Part::Apart { bytes } = record.groups else {
            return Ok(None);
        };
        let room = view.pace.list(bytes).await;
        let groups = view.directory.groups_of(viewer, record.account).await?;
        record.groups = Part::Here(groups.into());
        Ok(Some(room))
    }

    fn id(record: &Person) -> AccountId {
        record.account
    }

    fn position(id: AccountId) -> Position {
        Position::Person(id)
    }

    fn begin(position: Position) -> Begin<AccountId> {
        match position {
            Position::Fixed(_) => Begin::First,
            Position::Person(id) => Begin::Behind(id),
            Position::Group(_) | Position::SudoRole(_) => Begin::Nowhere,
        }
    }

    fn entry(view: &View<'_>, record: &Person) -> Option<Entry> {
        view.may_read_person(record.username.as_str())
            .then(|| entries::person(view.tree(), record, view.now.wall))
    }
}

impl Kind for GroupQuery {
    type Id = GroupId;
    type Record = Group;
    const ALL: Self = Self::All;

    fn only(id: GroupId) -> Self {
        Self::Id(id)
    }

    fn ask<'a>(
        &'a self,
        view: &'a View<'_>,
        viewer: Viewer<'a>,
        after: Option<GroupId>,
        portion: Portion,
    ) -> Answer<'a, Result<Vec<Group>, Undecided>> {
        view.directory.groups(viewer, self, after, portion)
    }

    fn has_lists(needs: Needs) -> bool {
        needs.members
    }

    async fn complete(
        view: &View<'_>,
        viewer: Viewer<'_>,
        record: &mut Group,
    ) -> Result<Option<Share>, Undecided> {
        let Part::Apart { bytes } = record.members else {
            return Ok(None);
        };
        let room = view.pace.list(bytes).await;
        let members = view.directory.members_of(viewer, record.group).await?;
        record.members = Part::Here(members.into());
        Ok(Some(room))
    }

    fn id(record: &Group) -> GroupId {
        record.group
    }

    fn position(id: GroupId) -> Position {
        Position::Group(id)
    }

    fn begin(position: Position) -> Begin<GroupId> {
        match position {
            Position::Fixed(_) | Position::Person(_) => Begin::First,
            Position::Group(id) => Begin::Behind(id),
            Position::SudoRole(_) => Begin::Nowhere,
        }
    }

    fn entry(view: &View<'_>, record: &Group) -> Option<Entry> {
        Some(entries::group(view.tree(), record))
    }
}

impl Kind for SudoQuery {
    type Id = SudoRuleId;
    type Record = SudoRole;
    const ALL: Self = Self::All;

    fn only(id: SudoRuleId) -> Self {
        Self::Id(id)
    }

    fn ask<'a>(
        &'a self,
        view: &'a View<'_>,
        viewer: Viewer<'a>,
        after: Option<SudoRuleId>,
        portion: Portion,
    ) -> Answer<'a, Result<Vec<SudoRole>, Undecided>> {
        view.directory
            .sudo_roles(viewer, self, after, portion.records)
    }

    fn has_lists(_: Needs) -> bool {
        false
    }

    async fn complete(
        _: &View<'_>,
        _: Viewer<'_>,
        _: &mut SudoRole,
    ) -> Result<Option<Share>, Undecided> {
        Ok(None)
    }

    fn id(record: &SudoRole) -> SudoRuleId {
        record.id
    }

    fn position(id: SudoRuleId) -> Position {
        Position::SudoRole(id)
    }

    fn begin(position: Position) -> Begin<SudoRuleId> {
        match position {
            Position::Fixed(_) | Position::Person(_) | Position::Group(_) => Begin::First,
            Position::SudoRole(id) => Begin::Behind(id),
        }
    }

    fn entry(view: &View<'_>, record: &SudoRole) -> Option<Entry> {
        Some(entries::sudo_role(view.tree(), record))
    }
}

/// A read of so many records, with the lists in them that are looked at.
fn portion<Q: Kind>(view: &View<'_>, records: usize) -> Portion {
    let names = match view.pace.class() {
        Class::Quick => QUICK_NAMES,
        Class::Heavy => NAMES,
    };
    let lists = if Q::has_lists(view.needs) {
        Lists::UpTo(names)
    } else {
        Lists::Unasked
    };
    Portion { records, lists }
}

/// A record's entry, whole, if this client may see it.
async fn show<Q: Kind>(
    view: &View<'_>,
    viewer: Viewer<'_>,
    mut record: Q::Record,
) -> Result<Option<Shown>, Undecided> {
    let held = Q::complete(view, viewer, &mut record).await?;
    view.pace.begin().await;
    let entry = Q::entry(view, &record);
    view.pace.made_entry().await;
    Ok(entry.map(|entry| Shown { entry, held }))
}

/// The first entry that answers a question, if this client may see it.
pub(super) async fn first<Q: Kind + Sync>(
    view: &View<'_>,
    query: Q,
) -> Result<Option<Shown>, Undecided> {
    let Some(viewer) = view.identity.viewer() else {
        return Ok(None);
    };
    view.pace.begin().await;
    let found = query.ask(view, viewer, None, portion::<Q>(view, 1)).await?;
    match found.into_iter().next() {
        Some(record) => show::<Q>(view, viewer, record).await,
        None => Ok(None),
    }
}

/// The entry that stands at a position, if it is still there for this client.
pub(super) async fn entry_at(
    view: &View<'_>,
    position: Position,
) -> Result<Option<Shown>, Undecided> {
    match position {
        Position::Fixed(which) => Ok(Some(entries::fixed(view.tree(), which).into())),
        Position::Person(id) => first(view, PersonQuery::only(id)).await,
        Position::Group(id) => first(view, GroupQuery::only(id)).await,
        Position::SudoRole(id) => first(view, SudoQuery::only(id)).await,
    }
}

/// Whether the entries in a container are in scope of a search below `which`.
pub(super) fn holds(scope: Scope, which: Fixed, container: Fixed) -> bool {
    match scope {
        Scope::Base => false,
        Scope::OneLevel => which == container,
        Scope::Subtree => which == container || which == Fixed::Base,
    }
}

/// What is done with the entries of a walk.
pub(super) trait Visit: Send {
    /// Takes an entry in scope, whether or not the filter is true of it.
    fn visit(
        &mut self,
        position: Position,
        entry: Shown,
    ) -> impl Future<Output = Result<(), Stop>> + Send;
}

/// A walk over what a search may find below an entry that is always there.
pub(super) struct Walk<'a> {
    view: &'a View<'a>,
    base: &'a DistinguishedName,
    which: Fixed,
    search: &'a Search,
    plan: &'a Plan,
    behind: Option<Position>,
    batch: usize,
}

impl<'a> Walk<'a> {
    /// The whole walk below `which`, which is called `base`.
    pub(super) fn new(
        view: &'a View<'a>,
        base: &'a DistinguishedName,
        which: Fixed,
        search: &'a Search,
        plan: &'a Plan,
    ) -> Self {
        Self {
            view,
            base,
            which,
            search,
            plan,
            behind: None,
            batch: match view.pace.class() {
                Class::Quick => LEAST,
                Class::Heavy => BATCH,
            },
        }
    }

    /// Through whose eyes.
    pub(super) const fn view(&self) -> &'a View<'a> {
        self.view
    }

    /// The walk from behind an entry on, of which about so many will be wanted.
    pub(super) fn behind(mut self, position: Option<Position>, wanted: usize) -> Self {
        self.behind = position;
        // One more than wanted tells whether there is more.
        self.batch = wanted.saturating_add(1).clamp(LEAST, self.batch);
        self
    }

    /// Walks until the end, or until the visitor stops it.
    pub(super) async fn run<V: Visit>(&self, visitor: &mut V) -> Result<(), Stop> {
        self.containers(visitor).await?;
        let Some(viewer) = self.view.identity.viewer() else {
            return Ok(());
        };
        let plan = self.plan;
        if self.holds(Fixed::People) {
            self.kind(viewer, &plan.people, visitor).await?;
        }
        if self.holds(Fixed::Groups) {
            self.kind(viewer, &plan.groups, visitor).await?;
        }
        if self.holds(Fixed::Sudoers) {
            self.kind(viewer, &plan.sudo_roles, visitor).await?;
        }
        Ok(())
    }

    fn holds(&self, container: Fixed) -> bool {
        holds(self.search.scope, self.which, container)
    }

    /// The fixed entries in scope. To a user they are there to search from and no more.
    async fn containers<V: Visit>(&self, visitor: &mut V) -> Result<(), Stop> {
        if !matches!(self.view.reach(), Reach::Everything) {
            return Ok(());
        }
        for which in Fixed::ALL {
            let position = Position::Fixed(which);
            let dn = self.view.tree().fixed(which);
            let in_scope = match self.search.scope {
                Scope::Base => dn == self.base,
                Scope::OneLevel => dn.is_child_of(self.base),
                Scope::Subtree => dn.is_under(self.base),
            };
            if in_scope && self.behind.is_none_or(|behind| position > behind) {
                let entry = entries::fixed(self.view.tree(), which);
                visitor.visit(position, entry.into()).await?;
            }
        }
        Ok(())
    }

    async fn kind<Q: Kind + Sync, V: Visit>(
        &self,
        viewer: Viewer<'_>,
        candidates: &Candidates<Q>,
        visitor: &mut V,
    ) -> Result<(), Stop> {
        let all = [Q::ALL];
        let queries: &[Q] = match candidates {
            Candidates::None => return Ok(()),
            Candidates::These(queries) => queries,
            Candidates::All => &all,
        };
        let after = match self.behind.map_or(Begin::First, Q::begin) {
            Begin::First => None,
            Begin::Behind(id) => Some(id),
            Begin::Nowhere => return Ok(()),
        };
        let mut records = Merged::new(queries, after, self.batch);
        while let Some(record) = records.next(self.view, viewer).await? {
            let position = Q::position(Q::id(&record));
            if let Some(shown) = show::<Q>(self.view, viewer, record).await? {
                visitor.visit(position, shown).await?;
            }
        }
        Ok(())
    }
}

/// The answers to several questions as one run by identifier, what several find but once. About
/// one batch for all of them together waits in memory, since they share it.
struct Merged<'a, Q: Kind> {
    streams: Vec<Stream<'a, Q>>,
    batch: usize,
}

struct Stream<'a, Q: Kind> {
    query: &'a Q,
    after: Option<Q::Id>,
    waiting: VecDeque<Q::Record>,
    ended: bool,
}

impl<'a, Q: Kind> Merged<'a, Q> {
    fn new(queries: &'a [Q], after: Option<Q::Id>, batch: usize) -> Self {
        let stream = |query| Stream {
            query,
            after,
            waiting: VecDeque::new(),
            ended: false,
        };
        Self {
            batch: (batch / queries.len().max(1)).max(LEAST),
            streams: queries.iter().map(stream).collect(),
        }
    }

    async fn next(
        &mut self,
        view: &View<'_>,
        viewer: Viewer<'_>,
    ) -> Result<Option<Q::Record>, Undecided> {
        for stream in &mut self.streams {
            if !stream.waiting.is_empty() || stream.ended {
                continue;
            }
            view.pace.begin().await;
            let portion = portion::<Q>(view, self.batch);
            let asked = stream.query.ask(view, viewer, stream.after, portion);
            let found = asked.await?;
            stream.ended = found.len() < self.batch;
            stream.after = found.last().map(Q::id).or(stream.after);
            stream.waiting = found.into();
        }
        let front = |stream: &Stream<'_, Q>| stream.waiting.front().map(Q::id);
        let least = self.streams.iter().filter_map(front).min();
        let mut taken = None;
        for stream in &mut self.streams {
            if least.is_some() && front(stream) == least {
                taken = stream.waiting.pop_front();
            }
        }
        Ok(taken)
    }
}
