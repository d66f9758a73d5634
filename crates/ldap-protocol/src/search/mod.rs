//! Searches (RFC 4511 section 4.5): what a client may see of the tree, found and filtered.
//!
//! It reads through [`doorward_frontend_api::Read`] with the client's own rights and shows nothing
//! that those do not cover. Everybody reads the root DSE and the schema; a service account that
//! may search reads everything else; a user reads its own entry, and for it nothing else is
//! there: whatever it may not see is answered exactly like what does not exist.
//!
//! `walk` is the order in which entries are found, `plan` what the directory is asked on the
//! way, `page` what is sent of it and when it stops, `sort` the way to send it in another order.
//! `cost` tells before what a search may cost, and `pace` lets it go on in slices, by turns of
//! sources that `shares` hands out.

pub mod cost;
mod pace;
mod page;
pub mod plan;
mod shares;
mod sort;
#[cfg(test)]
mod tests;
mod walk;

use std::future::Future;
use std::sync::Arc;

pub use self::pace::{Capacity, Pace, Pause};
pub use self::page::{Ended, Fingerprint, Page, Rest, Turned, Wanted};
use self::page::{Sender, Tally};
use self::plan::{Candidates, Plan};
pub use self::shares::Share;
pub use self::shares::Shares;
pub use self::sort::Sorted;
pub use self::walk::Position;
use self::walk::{Walk, first};
use super::attribute::{Entry, Selection};
use super::decode::Scope;
use super::dn::DistinguishedName;
use super::entries;
use super::result::{LdapResult, ResultCode, SearchEntry};
use super::sasl::Mechanism;
use super::session::Identity;
use super::settings::Settings;
use super::tree::{Fixed, Place, Tree, name_key};
use doorward_domain::resource::AccessContext;
use doorward_domain::time::Now;
use doorward_frontend_api::Undecided;
use doorward_frontend_api::{GroupQuery, PersonQuery, Read, SudoQuery};

/// Whose search or compare it is, and what it can reach.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The listener's settings.
    pub settings: &'a Settings,
    /// Who asks.
    pub identity: &'a Identity,
    /// The ground on which the resource is chosen.
    pub asking: &'a AccessContext,
    /// The SASL mechanisms by which the connection could bind.
    pub mechanisms: &'static [Mechanism],
    /// The directory.
    pub directory: &'a Arc<dyn Read>,
    /// When the request arrived.
    pub now: Now,
    /// How fast it goes.
    pub pace: &'a Pace<'a>,
    /// What is read of lists that may be long.
    pub needs: Needs,
    /// The plan of the search, where one was made to judge its cost.
    pub plan: Option<&'a Plan>,
}

/// Which lists of names an operation looks at. What it does not is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// Those of a group's members.
    pub members: bool,
    /// Those of a user's groups.
    pub groups: bool,
}

/// An entry, and the room in memory that its lists have.
pub(crate) struct Shown {
    /// The entry.
    pub(crate) entry: Entry,
    /// Held for as long as the entry, or what is sent of it.
    pub(crate) held: Option<Share>,
}

impl From<Entry> for Shown {
    fn from(entry: Entry) -> Self {
        Self { entry, held: None }
    }
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
    /// The tree, or the view in which the request's name lies.
    pub(crate) fn tree(&self) -> &Tree {
        let tree = &self.settings.tree;
        let view = match self.asking {
            AccessContext::Connection(circumstances) => circumstances.view.as_ref(),
            _ => None,
        };
        tree.of_view(view).unwrap_or(tree)
    }

    fn reach(&self) -> Reach<'_> {
        match self.identity {
            Identity::User(proof) => Reach::Own(proof.username().as_str()),
            Identity::ChangeOnly(proof) => Reach::OwnAlone(proof.username().as_str()),
            Identity::Service(proof) if proof.may_search() => Reach::Everything,
            Identity::Anonymous | Identity::Service(_) => Reach::Public,
        }
    }

    /// Where to look, if that does not follow from what is looked for.
    fn confined(&self) -> Option<Plan> {
        let people = match self.reach() {
            Reach::Everything => return None,
            Reach::Own(name) => Candidates::These(vec![PersonQuery::Username(name_key(name))]),
            Reach::OwnAlone(_) | Reach::Public => Candidates::None,
        };
        Some(Plan {
            people,
            groups: Candidates::None,
            sudo_roles: Candidates::None,
        })
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
    pub(crate) async fn entry(&self, place: &Place) -> Result<Option<Shown>, Undecided> {
        let everything = matches!(self.reach(), Reach::Everything);
        Ok(match place {
            Place::Root => Some(self.settings.root_dse(self.mechanisms).clone().into()),
            Place::Subschema => Some(self.settings.subschema().clone().into()),
            Place::Fixed(which) if everything => Some(entries::fixed(self.tree(), *which).into()),
            Place::Person(name) if self.may_read_person(name) => {
                first(self, PersonQuery::Username(name_key(name))).await?
            }
            Place::Group(name) if everything => {
                first(self, GroupQuery::Name(name_key(name))).await?
            }
            Place::SudoRole(name) if everything => {
                first(self, SudoQuery::Name(name_key(name))).await?
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
            Place::SudoRole(_) => Some(Fixed::Sudoers),
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
    /// Takes an entry and the room that it has, and gives the turn back where it must wait to. It
    /// waits for a moment at most.
    fn take(
        &self,
        entry: SearchEntry,
        held: Option<Share>,
        pace: &Pace<'_>,
    ) -> impl Future<Output = Taken> + Send;

    /// Waits, however long it takes, until what was not taken last will be; false where nobody
    /// wants any more.
    fn ready(&self) -> impl Future<Output = bool> + Send;
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is on its way.
    Yes,
    /// Others before it are still waited for: it is to be looked up again once they are gone.
    NotYet,
    /// Nobody wants any more.
    Never,
}

/// Why a search stops before its end.
enum Stop {
    /// The client does not read. It goes on from there when it does.
    NotYet,
    /// The page is full, and there is more.
    PageFull,
    /// As many entries as there may be were found, and one more.
    SizeLimit,
    /// Nobody takes the entries any more.
    Gone,
    /// There is nothing to find anything in.
    Refused(LdapResult),
    /// The directory cannot answer.
    Undecided(Undecided),
}

impl From<Undecided> for Stop {
    fn from(undecided: Undecided) -> Self {
        Self::Undecided(undecided)
    }
}

/// Runs a search, or a page of one; what it finds goes out through `found` as it is found.
///
/// # Errors
/// The directory cannot answer.
pub async fn run<F: Found>(
    wanted: &Wanted,
    view: &View<'_>,
    found: &F,
) -> Result<Ended, Undecided> {
    let search = &wanted.search;
    let Ok(base) = search.base.parse() else {
        return Ok(LdapResult::with_diagnostic(
            ResultCode::InvalidDnSyntax,
            "the search base is not a distinguished name",
        )
        .into());
    };
    let place = view.tree().locate(&base);
    if let Err(refusal) = view.admit(&place, search.scope) {
        return Ok(refusal.into());
    }
    let mut tally = Tally::new(wanted, view.settings.search.size);
    // Whose client does not read holds nothing but the request and where it stands, a sorted list
    // perhaps.
    while found.ready().await {
        view.pace.enter().await;
        let went = go_on(wanted, &base, &place, view, found, &mut tally).await;
        if let Err(Stop::NotYet) = went {
            view.pace.leave();
            continue;
        }
        return tally.end(wanted, went);
    }
    tally.end(wanted, Err(Stop::Gone))
}

/// Prepares a search, and goes on with it from where it stands.
async fn go_on<F: Found>(
    wanted: &Wanted,
    base: &DistinguishedName,
    place: &Place,
    view: &View<'_>,
    found: &F,
    tally: &mut Tally,
) -> Result<(), Stop> {
    let search = &wanted.search;
    let confined = view.confined();
    let unplanned = matches!(place, Place::Fixed(_)) && confined.is_none() && view.plan.is_none();
    let tree = unplanned.then(|| view.tree());
    let (matcher, made) = view.pace.prepare(&search.filter, tree).await;
    let selection = Selection::new(&search.attributes);
    let view = &View {
        needs: Needs::of(&matcher, &selection, wanted),
        ..*view
    };
    let mut sender = Sender::new(wanted, view, found, matcher, selection, tally);
    match place {
        Place::Fixed(which) => {
            let Some(plan) = confined.as_ref().or(view.plan).or(made.as_ref()) else {
                return Ok(());
            };
            let walk = Walk::new(view, base, *which, search, plan);
            match wanted.sort.keys() {
                Some(keys) => sender.send_sorted(&walk, keys).await,
                None => sender.send_all(walk).await,
            }
        }
        // The root DSE is no part of any tree (RFC 4512 section 5.1).
        Place::Root if search.scope != Scope::Base => {
            Err(Stop::Refused(view.no_such_object(place)))
        }
        _ => {
            let Some(entry) = view.entry(place).await? else {
                return Err(Stop::Refused(view.no_such_object(place)));
            };
            // Nothing stands below it.
            if search.scope == Scope::OneLevel {
                Ok(())
            } else {
                view.pace.made_entry().await;
                sender.offer(entry).await.map(drop)
            }
        }
    }
}
