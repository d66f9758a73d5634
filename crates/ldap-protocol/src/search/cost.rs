//! What an operation may cost, told before it runs: how long its assertion values are, how many
//! terms it has, of how many entries, with how many values.
//!
//! What SSSD, Dovecot and Postfix send all day is quick: a few terms about one user. Everything
//! else is heavy, by what it may be and not by what it turns out to be.

use super::Needs;
use super::plan::{Candidates, Plan, Query};
use super::walk::{Position, holds};
use crate::attribute::Selection;
use crate::decode::Scope;
use crate::filter::{Filter, Matcher, preparing};
use crate::schema;
use crate::schema::{AttributeType, MEMBER, MEMBER_OF, MEMBER_UID};
use crate::session::{Identity, Job};
use crate::tree::{Fixed, Place, Tree};

use super::page::Wanted;

/// What kind of work an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// So little that it may be done where logins are.
    Quick,
    /// Anything more.
    Heavy,
}

/// The most work that preparing the assertion values of a quick operation is: two hundred bytes of
/// them, or sixteen thousand where they are ASCII.
const QUICK_PREPARING: usize = 16 * 1024;
/// The most values that a quick operation compares with a term.
const QUICK_TESTS: usize = 2048;
/// The most entries that it looks up.
const QUICK_ENTRIES: usize = 8;

/// About how many values there are: of a user, a group or a sudo rule, of all entries that are
/// always there, of the root DSE, and of the schema, whose values are long.
const ENTRY_VALUES: usize = 40;
const FIXED_VALUES: usize = 80;
const ROOT_VALUES: usize = 40;
const SCHEMA_VALUES: usize = 1500;

/// How many bytes of records and entries an operation may hold at once: a few users, or a batch,
/// and what is kept of each entry while many are sorted.
const QUICK_BYTES: usize = 16 * 1024;
pub(super) const HEAVY_BYTES: usize = 256 * 1024;
const SORTED_BYTES: usize = 256;

/// The class of an operation in a tree, and the plan of its search where one was made.
pub fn judge(job: &Job, identity: &Identity, tree: &Tree) -> (Class, Option<Plan>) {
    let mut plan = None;
    let quick = match job {
        Job::Search(wanted) => is_quick(wanted, identity, tree, &mut plan),
        Job::Compare(compare) => {
            preparing(&compare.value) <= QUICK_PREPARING
                && schema::attribute(&compare.attribute).is_none_or(|kind| !is_of_lists(kind))
        }
    };
    let class = if quick { Class::Quick } else { Class::Heavy };
    (class, plan)
}

/// How many bytes an operation may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Of records and entries, while it works.
    pub working: usize,
    /// Of a sorted list, until the last of it is sent.
    pub list: usize,
}

/// How many bytes an operation in a tree may hold, `most` being the most entries of a search.
pub fn room(job: &Job, identity: &Identity, class: Class, tree: &Tree, most: u32) -> Room {
    let working = match class {
        Class::Quick => QUICK_BYTES,
        Class::Heavy => HEAVY_BYTES,
    };
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    match job {
        Job::Search(wanted) if sorts_many(wanted, identity, tree) => Room {
            working: working.saturating_add(most.saturating_mul(SORTED_BYTES)),
            list: most.saturating_mul(size_of::<Position>()),
        },
        _ => Room { working, list: 0 },
    }
}

/// Whether a search puts more than a few entries in order: others than a user's own, which are
/// looked for below an entry.
fn sorts_many(wanted: &Wanted, identity: &Identity, tree: &Tree) -> bool {
    let search = &wanted.search;
    let many = matches!(identity, Identity::Service(proof) if proof.may_search())
        && wanted.sort.keys().is_some()
        && search.scope != Scope::Base;
    many && search.base.parse().is_ok_and(|base| {
        let tree = tree.around(&base);
        matches!(tree.locate(&base), Place::Fixed(_))
    })
}

/// Whether an attribute, or a subtype of it, can have values without number.
fn is_of_lists(kind: &AttributeType) -> bool {
    [&MEMBER, &MEMBER_UID, &MEMBER_OF]
        .iter()
        .any(|own| own.is_a(kind))
}

fn is_quick(wanted: &Wanted, identity: &Identity, tree: &Tree, plan: &mut Option<Plan>) -> bool {
    let search = &wanted.search;
    let long = search
        .filter
        .items()
        .into_iter()
        .map(Filter::work)
        .sum::<usize>();
    if wanted.sort.keys().is_some() || long > QUICK_PREPARING {
        return false;
    }
    let Ok(base) = search.base.parse() else {
        return true;
    };
    let tree = tree.around(&base);
    let values = match (tree.locate(&base), identity) {
        (Place::Root, _) => ROOT_VALUES,
        (Place::Subschema, _) => SCHEMA_VALUES,
        (Place::Fixed(which), Identity::Service(proof)) if proof.may_search() => {
            match entries(wanted, which, tree, plan) {
                Some(entries) => entries * ENTRY_VALUES + FIXED_VALUES,
                None => return false,
            }
        }
        (Place::Group(_), _) if Needs::of_wanted(wanted).members => return false,
        _ => ENTRY_VALUES,
    };
    search.filter.terms().saturating_mul(values) <= QUICK_TESTS
}

/// How many entries a search below one that is always there looks at; none where they may be many,
/// or have many values.
fn entries(wanted: &Wanted, which: Fixed, tree: &Tree, plan: &mut Option<Plan>) -> Option<usize> {
    let search = &wanted.search;
    if search.scope == Scope::Base {
        return Some(0);
    }
    let plan = plan.insert(Plan::new(&search.filter, tree));
    let in_scope = |container| holds(search.scope, which, container);
    let mut sum = 0;
    if in_scope(Fixed::People) {
        sum += few(&plan.people)?;
    }
    if in_scope(Fixed::Groups) {
        let groups = few(&plan.groups)?;
        if groups > 0 && Needs::of_wanted(wanted).members {
            return None;
        }
        sum += groups;
    }
    if in_scope(Fixed::Sudoers) {
        sum += few(&plan.sudo_roles)?;
    }
    (sum <= QUICK_ENTRIES).then_some(sum)
}

/// How many entries are found, each by a question of its own; none where a question finds more.
fn few<Q: Query>(candidates: &Candidates<Q>) -> Option<usize> {
    match candidates {
        Candidates::None => Some(0),
        Candidates::These(queries) if queries.iter().all(|query| query.weight() == 1) => {
            Some(queries.len())
        }
        Candidates::These(_) | Candidates::All => None,
    }
}

impl Needs {
    /// What a search needs.
    pub(super) fn of_wanted(wanted: &Wanted) -> Self {
        let search = &wanted.search;
        Self::of(
            &Matcher::new(&search.filter),
            &Selection::new(&search.attributes),
            wanted,
        )
    }

    /// What a search needs whose filter and list of attributes are prepared.
    pub(super) fn of(matcher: &Matcher, selection: &Selection, wanted: &Wanted) -> Self {
        let sorts = |kind: &AttributeType| {
            let keys = wanted.sort.keys().unwrap_or_default();
            keys.iter().any(|key| kind.is_a(key.attribute))
        };
        let needs =
            |kind: &AttributeType| selection.wants(kind) || matcher.asks(kind) || sorts(kind);
        Self {
            members: needs(&MEMBER) || needs(&MEMBER_UID),
            groups: needs(&MEMBER_OF),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controls::{Sort, SortKey};
    use crate::decode::{Compare, UnparsedDn};
    use crate::schema::{COMMON_NAME, MatchingRule};
    use crate::session::Identity;
    use crate::stubs;
    use doorward_domain::id::AccountId;
    use doorward_fixtures::proofs;

    fn wanted(base: &str, scope: Scope, filter: &str, attributes: &[&str]) -> Wanted {
        Wanted::all(stubs::search(base, scope, filter, attributes))
    }

    fn class_of(wanted: Wanted, identity: &Identity) -> Class {
        let job = Job::Search(Box::new(wanted));
        judge(&job, identity, &stubs::settings().tree).0
    }

    fn service() -> Identity {
        Identity::Service(proofs::service("sssd", true).into())
    }

    const BASE: &str = "dc=example,dc=org";

    #[test]
    fn what_hosts_and_mail_servers_send_all_day_is_quick() {
        for filter in [
            "(&(uid=Alice)(objectclass=posixAccount)(uid=*)(&(uidNumber=*)(!(uidNumber=0))))",
            "(&(uidNumber=20001)(objectclass=posixAccount)(uid=*)(&(uidNumber=*)(!(uidNumber=0))))",
            "(&(objectClass=posixAccount)(|(uid=alice)(mail=alice@example.org)))",
            "(mail=alice@example.org)",
            "(&(uid=alice)(memberOf=cn=staff,ou=groups,dc=example,dc=org))",
        ] {
            let lookup = wanted(BASE, Scope::Subtree, filter, &[]);
            assert_eq!(class_of(lookup, &service()), Class::Quick, "{filter}");
        }
        let root = wanted("", Scope::Base, "(objectClass=*)", &["*", "+"]);
        assert_eq!(class_of(root, &Identity::Anonymous), Class::Quick);
        let schema = wanted(
            "cn=subschema",
            Scope::Base,
            "(objectClass=subschema)",
            &["+"],
        );
        assert_eq!(class_of(schema, &Identity::Anonymous), Class::Quick);
    }

    #[test]
    fn what_may_be_much_is_heavy() {
        let many = |term: &str, count: usize| format!("(|{})", term.repeat(count));
        for filter in [
            "(uid=*)".to_owned(),
            "(cn=A*)".to_owned(),
            "(memberOf=cn=staff,ou=groups,dc=example,dc=org)".to_owned(),
            "(&(objectClass=posixGroup)(memberUid=alice))".to_owned(),
            many("(uid=alice)(description=x)", 120),
            (0..20)
                .map(|user| format!("(uid=u{user})"))
                .fold(String::from("(|"), |sum, one| sum + &one)
                + ")",
        ] {
            let scan = wanted(BASE, Scope::Subtree, &filter, &["uid"]);
            assert_eq!(class_of(scan, &service()), Class::Heavy, "{filter}");
        }
        let own = wanted(
            "uid=Alice,ou=people,dc=example,dc=org",
            Scope::Base,
            &many("(description=x)", 240),
            &[],
        );
        assert_eq!(class_of(own, &service()), Class::Heavy);
        let schema = wanted(
            "cn=subschema",
            Scope::Base,
            &many("(:caseIgnoreMatch:=x)", 7),
            &[],
        );
        assert_eq!(class_of(schema, &Identity::Anonymous), Class::Heavy);
    }

    #[test]
    fn long_assertion_values_are_heavy_wherever_they_are_looked_for() {
        let filter = |value: &str, count: usize| format!("(cn={})", value.repeat(count));
        for (filter, class) in [
            (filter("a", 16_000), Class::Quick),
            (filter("a", 17_000), Class::Heavy),
            (filter("\u{fdfa}", 80), Class::Quick),
            (filter("\u{fdfa}", 90), Class::Heavy),
            (format!("(cn=*{}*)", "\u{fdfa}".repeat(90)), Class::Heavy),
            (format!("(cn:=x{})", "\u{fdfa}".repeat(90)), Class::Heavy),
        ] {
            let root = wanted("", Scope::Base, &filter, &[]);
            assert_eq!(class_of(root, &Identity::Anonymous), class);
            let own = wanted(
                "uid=Alice,ou=people,dc=example,dc=org",
                Scope::Base,
                &filter,
                &[],
            );
            assert_eq!(class_of(own, &service()), class);
        }
        let class_of = |value: &str| {
            let compare = Job::Compare(Compare {
                entry: UnparsedDn::new(BASE.as_bytes().to_vec()),
                attribute: "cn".to_owned(),
                value: value.as_bytes().to_vec(),
            });
            judge(&compare, &service(), &stubs::settings().tree).0
        };
        assert_eq!(class_of("staff"), Class::Quick);
        assert_eq!(class_of(&"\u{fdfa}".repeat(90)), Class::Heavy);
    }

    #[test]
    fn only_what_is_sorted_takes_room_for_it() {
        let room_of = |base: &str, scope: Scope, identity: &Identity| {
            let key = SortKey {
                attribute: &COMMON_NAME,
                rule: MatchingRule::CaseIgnoreOrdering,
                reverse: false,
            };
            let wanted = Wanted {
                sort: Sort::By(vec![key]),
                ..wanted(base, scope, "(objectClass=*)", &[])
            };
            let job = Job::Search(Box::new(wanted));
            room(
                &job,
                identity,
                Class::Heavy,
                &stubs::settings().tree,
                10_000,
            )
        };
        let own = "uid=Alice,ou=people,dc=example,dc=org";
        let alice = Identity::User(
            proofs::authenticated(AccountId::from_uuid(uuid::Uuid::nil()), "alice", None).into(),
        );
        let few = Room {
            working: HEAVY_BYTES,
            list: 0,
        };
        assert_eq!(room_of("cn=subschema", Scope::Subtree, &alice), few);
        assert_eq!(room_of(own, Scope::Base, &alice), few);
        assert_eq!(room_of(BASE, Scope::Subtree, &alice), few);
        assert_eq!(room_of(BASE, Scope::Base, &service()), few);
        assert_eq!(room_of(own, Scope::Subtree, &service()), few);
        let many = Room {
            working: HEAVY_BYTES + 10_000 * SORTED_BYTES,
            list: 10_000 * size_of::<Position>(),
        };
        assert_eq!(room_of(BASE, Scope::Subtree, &service()), many);
    }

    #[test]
    fn members_make_a_group_heavy_and_nothing_else_of_it() {
        let staff = "cn=staff,ou=groups,dc=example,dc=org";
        let group = |filter: &str, attributes: &[&str]| {
            class_of(wanted(staff, Scope::Base, filter, attributes), &service())
        };
        assert_eq!(group("(objectClass=*)", &["gidNumber"]), Class::Quick);
        assert_eq!(group("(objectClass=*)", &[]), Class::Heavy);
        assert_eq!(group("(objectClass=*)", &["memberUid"]), Class::Heavy);
        assert_eq!(group("(member=*)", &["cn"]), Class::Heavy);
        assert_eq!(
            group("(:distinguishedNameMatch:=cn=x)", &["cn"]),
            Class::Heavy
        );
    }
}
