//! What an operation may cost, told before it runs: how many terms, of how many entries, with how
//! many values.
//!
//! What SSSD, Dovecot and Postfix send all day is quick: a few terms about one user. Everything
//! else is heavy, by what it may be and not by what it turns out to be.

use super::Needs;
use super::plan::{Candidates, Plan, Query};
use super::walk::holds;
use crate::ldap::attribute::Selection;
use crate::ldap::decode::Scope;
use crate::ldap::filter::Matcher;
use crate::ldap::schema::{self, AttributeType, MEMBER, MEMBER_OF, MEMBER_UID};
use crate::ldap::session::{Identity, Job};
use crate::ldap::tree::{Fixed, Place, Tree};

use super::page::Wanted;

/// What kind of work an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// So little that it may be done where logins are.
    Quick,
    /// Anything more.
    Heavy,
}

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
/// and what is kept of each entry while it is sorted.
const QUICK_BYTES: usize = 16 * 1024;
const HEAVY_BYTES: usize = 256 * 1024;
const SORTED_BYTES: usize = 256;

/// The class of an operation in a tree, and the plan of its search where one was made.
pub fn judge(job: &Job, identity: &Identity, tree: &Tree) -> (Class, Option<Plan>) {
    let mut plan = None;
    let quick = match job {
        Job::Search(wanted) => is_quick(wanted, identity, tree, &mut plan),
        Job::Compare(compare) => {
            schema::attribute(&compare.attribute).is_none_or(|kind| !is_of_lists(kind))
        }
    };
    let class = if quick { Class::Quick } else { Class::Heavy };
    (class, plan)
}

/// How many bytes an operation may hold, `most` being the most entries of a search.
pub fn bytes(job: &Job, class: Class, most: u32) -> usize {
    let own = match class {
        Class::Quick => QUICK_BYTES,
        Class::Heavy => HEAVY_BYTES,
    };
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    match job {
        Job::Search(wanted) if wanted.sort.keys().is_some() => {
            own.saturating_add(most.saturating_mul(SORTED_BYTES))
        }
        _ => own,
    }
}

/// Whether an attribute, or a subtype of it, can have values without number.
fn is_of_lists(kind: &AttributeType) -> bool {
    [&MEMBER, &MEMBER_UID, &MEMBER_OF]
        .iter()
        .any(|own| own.is_a(kind))
}

fn is_quick(wanted: &Wanted, identity: &Identity, tree: &Tree, plan: &mut Option<Plan>) -> bool {
    let search = &wanted.search;
    if wanted.sort.keys().is_some() {
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
    use crate::authenticator::AuthenticatedService;
    use crate::ldap::session::Identity;
    use crate::ldap::stubs;

    fn wanted(base: &str, scope: Scope, filter: &str, attributes: &[&str]) -> Wanted {
        Wanted::all(stubs::search(base, scope, filter, attributes))
    }

    fn class_of(wanted: Wanted, identity: &Identity) -> Class {
        let job = Job::Search(Box::new(wanted));
        judge(&job, identity, &stubs::settings().tree).0
    }

    fn service() -> Identity {
        Identity::Service(AuthenticatedService::for_tests("sssd", true).into())
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
