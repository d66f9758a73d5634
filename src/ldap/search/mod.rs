//! Searches (RFC 4511 section 4.5): what a client may see of the tree, found and filtered.
//!
//! It reads through [`crate::directory::Read`] with the client's own rights and shows nothing
//! that those do not cover. Everybody reads the root DSE and the schema; a service account that
//! may search reads everything else; a user reads its own entry, and for it nothing else is
//! there: whatever it may not see is answered exactly like what does not exist.

pub mod plan;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;

use self::plan::{Candidates, Plan};
use super::attribute::{Entry, Selection};
use super::decode::{Scope, Search};
use super::dn::DistinguishedName;
use super::filter::Matcher;
use super::result::{LdapResult, ResultCode, SearchEntry};
use super::session::Identity;
use super::settings::Settings;
use super::tree::{Fixed, Place, Tree, name_key};
use super::{entries, root_dse};
use crate::authenticator::Undecided;
use crate::directory::{GroupQuery, PersonQuery, Read, Viewer};
use crate::domain::resource::Asking;
use crate::domain::time::Now;

/// How many entries are read at a time.
const BATCH: usize = 256;

/// Whose search or compare it is, and what it can reach.
pub struct View<'a> {
    /// The listener's settings.
    pub settings: &'a Settings,
    /// Who asks.
    pub identity: &'a Identity,
    /// The ground on which the resource is chosen.
    pub asking: &'a Asking,
    /// The directory.
    pub directory: &'a Arc<dyn Read>,
    /// When the request arrived.
    pub now: Now,
}

/// What an identity may read.
#[derive(Clone, Copy)]
enum Reach<'a> {
    /// The root DSE and the schema.
    Public,
    /// Those and its own entry, which is called this.
    Own(&'a str),
    /// Those and its own entry, by name alone: anything else is refused.
    OwnAlone(&'a str),
    /// Everything but service accounts.
    Everything,
}

impl View<'_> {
    fn tree(&self) -> &Tree {
        &self.settings.tree
    }

    fn reach(&self) -> Reach<'_> {
        match self.identity {
            Identity::User(proof) => Reach::Own(proof.username().as_str()),
            Identity::ChangeOnly(proof) => Reach::OwnAlone(proof.username().as_str()),
            Identity::Service(proof) if proof.may_search() => Reach::Everything,
            Identity::Anonymous | Identity::Service(_) => Reach::Public,
        }
    }

    /// Whether the entry of this user may be looked for at all. Asked before the directory is,
    /// so that not even time tells who else exists.
    fn may_read_person(&self, name: &str) -> bool {
        match self.reach() {
            Reach::Everything => true,
            Reach::Own(own) | Reach::OwnAlone(own) => name_key(own) == name_key(name),
            Reach::Public => false,
        }
    }

    /// The one entry that a place stands for, if it is there for this client.
    ///
    /// # Errors
    /// The directory cannot answer.
    pub(crate) async fn entry(&self, place: &Place) -> Result<Option<Entry>, Undecided> {
        let everything = matches!(self.reach(), Reach::Everything);
        Ok(match place {
            Place::Root => Some(root_dse::root_dse(self.settings)),
            Place::Subschema => Some(root_dse::subschema(self.tree())),
            Place::Fixed(which) if everything => Some(entries::fixed(self.tree(), *which)),
            Place::Person(name) if self.may_read_person(name) => {
                let Some(viewer) = self.identity.viewer() else {
                    return Ok(None);
                };
                let query = PersonQuery::Username(name_key(name));
                let found = self
                    .directory
                    .people(viewer, self.asking, &query, None, 1, self.now)
                    .await?;
                found
                    .into_iter()
                    .next()
                    .filter(|person| self.may_read_person(person.username.as_str()))
                    .map(|person| entries::person(self.tree(), &person, self.now.wall))
            }
            Place::Group(name) if everything => {
                let Some(viewer) = self.identity.viewer() else {
                    return Ok(None);
                };
                let query = GroupQuery::Name(name_key(name));
                let found = self.directory.groups(viewer, &query, None, 1).await?;
                found
                    .into_iter()
                    .next()
                    .map(|group| entries::group(self.tree(), &group))
            }
            _ => None,
        })
    }

    /// Refuses what this client may not ask about, whether or not it exists.
    ///
    /// # Errors
    /// insufficientAccessRights: to 32 SSSD would answer by forgetting its users, and Dovecot
    /// and Postfix by calling them unknown.
    pub(crate) fn admit(&self, place: &Place, scope: Scope) -> Result<(), LdapResult> {
        let refuse = |text: &str| {
            Err(LdapResult::with_diagnostic(
                ResultCode::InsufficientAccessRights,
                text,
            ))
        };
        if matches!(place, Place::Root | Place::Subschema) {
            return Ok(());
        }
        match (self.reach(), place) {
            (Reach::Everything | Reach::Own(_), _) => Ok(()),
            (Reach::OwnAlone(own), Place::Person(name))
                if scope == Scope::Base && name_key(own) == name_key(name) =>
            {
                Ok(())
            }
            (Reach::OwnAlone(_), _) => refuse("the password must be changed first"),
            (Reach::Public, _) if matches!(self.identity, Identity::Anonymous) => {
                refuse("bind first: anonymous clients read the root DSE and the schema")
            }
            (Reach::Public, _) => refuse("this service account may not search"),
        }
    }

    /// noSuchObject, with the nearest entry above that is always there. It is the same for what
    /// does not exist and for what this client may not see.
    pub(crate) fn no_such_object(&self, place: &Place) -> LdapResult {
        let nearest = match place {
            Place::Person(_) => Some(Fixed::People),
            Place::Group(_) => Some(Fixed::Groups),
            Place::Service(_) => Some(Fixed::Services),
            Place::Nowhere(nearest) => *nearest,
            Place::Root | Place::Subschema | Place::Fixed(_) => None,
        };
        let result = LdapResult::new(ResultCode::NoSuchObject);
        match nearest {
            Some(above) => result.matching(self.tree().fixed(above).to_string()),
            None => result,
        }
    }
}

/// Where the entries that a search finds go.
pub trait Found: Sync {
    /// Takes an entry; false where nobody wants any more.
    fn take(&self, entry: SearchEntry) -> impl Future<Output = bool> + Send;
}

/// Why a search stops before its end.
enum Stop {
    /// As many entries as there may be were found, and one more.
    SizeLimit,
    /// Nobody takes the entries any more.
    Gone,
    /// The directory cannot answer.
    Undecided(Undecided),
}

impl From<Undecided> for Stop {
    fn from(undecided: Undecided) -> Self {
        Self::Undecided(undecided)
    }
}

/// Runs a search; what it finds goes out through `found` as it is found.
///
/// # Errors
/// The directory cannot answer.
pub async fn run<F: Found>(
    search: &Search,
    view: &View<'_>,
    found: &F,
) -> Result<LdapResult, Undecided> {
    let Ok(base) = search.base.parse() else {
        return Ok(LdapResult::with_diagnostic(
            ResultCode::InvalidDnSyntax,
            "the search base is not a distinguished name",
        ));
    };
    let place = view.tree().locate(&base);
    if let Err(refusal) = view.admit(&place, search.scope) {
        return Ok(refusal);
    }
    let own = view.settings.search.size;
    let limit = search
        .size_limit
        .map_or(own, |wanted| wanted.get().min(own));
    let mut running = Running {
        view,
        matcher: Matcher::new(&search.filter),
        selection: Selection::new(&search.attributes),
        types_only: search.types_only,
        left: limit,
        found,
    };
    match running.look(&base, &place, search).await {
        Ok(result) => Ok(result),
        Err(Stop::SizeLimit) => Ok(ResultCode::SizeLimitExceeded.into()),
        Err(Stop::Gone) => Ok(ResultCode::Other.into()),
        Err(Stop::Undecided(undecided)) => Err(undecided),
    }
}

struct Running<'a, F> {
    view: &'a View<'a>,
    matcher: Matcher,
    selection: Selection,
    types_only: bool,
    left: u32,
    found: &'a F,
}

impl<F: Found> Running<'_, F> {
    async fn look(
        &mut self,
        base: &DistinguishedName,
        place: &Place,
        search: &Search,
    ) -> Result<LdapResult, Stop> {
        match place {
            Place::Fixed(which) => {
                self.containers(base, search.scope).await?;
                self.below(*which, search).await?;
            }
            // The root DSE is no part of any tree (RFC 4512 section 5.1).
            Place::Root if search.scope != Scope::Base => {
                return Ok(self.view.no_such_object(place));
            }
            _ => {
                let Some(entry) = self.view.entry(place).await? else {
                    return Ok(self.view.no_such_object(place));
                };
                // Nothing stands below it.
                if search.scope != Scope::OneLevel {
                    self.offer(&entry).await?;
                }
            }
        }
        Ok(ResultCode::Success.into())
    }

    /// Offers the fixed entries in scope. To a user they are there to search from and no more.
    async fn containers(&mut self, base: &DistinguishedName, scope: Scope) -> Result<(), Stop> {
        if !matches!(self.view.reach(), Reach::Everything) {
            return Ok(());
        }
        for which in Fixed::ALL {
            let dn = self.view.tree().fixed(which);
            let in_scope = match scope {
                Scope::Base => dn == base,
                Scope::OneLevel => dn.is_child_of(base),
                Scope::Subtree => dn.is_under(base),
            };
            if in_scope {
                let entry = entries::fixed(self.view.tree(), which);
                self.offer(&entry).await?;
            }
        }
        Ok(())
    }

    /// Offers the users and groups in scope.
    async fn below(&mut self, base: Fixed, search: &Search) -> Result<(), Stop> {
        let Some(viewer) = self.view.identity.viewer() else {
            return Ok(());
        };
        let holds = |container| match search.scope {
            Scope::Base => false,
            Scope::OneLevel => base == container,
            Scope::Subtree => base == container || base == Fixed::Base,
        };
        let plan = match self.view.reach() {
            Reach::Everything => Plan::new(&search.filter, self.view.tree()),
            Reach::Own(name) => Plan {
                people: Candidates::These(vec![PersonQuery::Username(name_key(name))]),
                groups: Candidates::None,
            },
            Reach::OwnAlone(_) | Reach::Public => return Ok(()),
        };
        if holds(Fixed::People) {
            self.people(viewer, &plan.people).await?;
        }
        if holds(Fixed::Groups) {
            self.groups(viewer, &plan.groups).await?;
        }
        Ok(())
    }

    async fn people(
        &mut self,
        viewer: Viewer<'_>,
        candidates: &Candidates<PersonQuery>,
    ) -> Result<(), Stop> {
        let all = [PersonQuery::All];
        let queries: &[PersonQuery] = match candidates {
            Candidates::None => return Ok(()),
            Candidates::These(queries) => queries,
            Candidates::All => &all,
        };
        let mut seen = HashSet::new();
        for query in queries {
            let mut after = None;
            loop {
                let view = self.view;
                let batch = view
                    .directory
                    .people(viewer, view.asking, query, after, BATCH, view.now)
                    .await?;
                let last = batch.len() < BATCH;
                for person in batch {
                    after = Some(person.account);
                    let fresh = queries.len() == 1 || seen.insert(person.account);
                    if fresh && view.may_read_person(person.username.as_str()) {
                        let entry = entries::person(view.tree(), &person, view.now.wall);
                        self.offer(&entry).await?;
                    }
                }
                if last {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn groups(
        &mut self,
        viewer: Viewer<'_>,
        candidates: &Candidates<GroupQuery>,
    ) -> Result<(), Stop> {
        let all = [GroupQuery::All];
        let queries: &[GroupQuery] = match candidates {
            Candidates::None => return Ok(()),
            Candidates::These(queries) => queries,
            Candidates::All => &all,
        };
        let mut seen = HashSet::new();
        for query in queries {
            let mut after = None;
            loop {
                let batch = self
                    .view
                    .directory
                    .groups(viewer, query, after, BATCH)
                    .await?;
                let last = batch.len() < BATCH;
                for group in batch {
                    after = Some(group.group);
                    if queries.len() == 1 || seen.insert(group.group) {
                        let entry = entries::group(self.view.tree(), &group);
                        self.offer(&entry).await?;
                    }
                }
                if last {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Sends the entry if the filter is true of it.
    async fn offer(&mut self, entry: &Entry) -> Result<(), Stop> {
        if !self.matcher.evaluate(entry).is_true() {
            return Ok(());
        }
        self.left = self.left.checked_sub(1).ok_or(Stop::SizeLimit)?;
        let selected = self.selection.apply(entry, self.types_only);
        if self.found.take(selected).await {
            Ok(())
        } else {
            Err(Stop::Gone)
        }
    }
}
