//! The narrowest questions to the directory that find everything a filter can be true of.
//!
//! The plan may find too much, never too little: the whole filter is evaluated on what is found.
//! Of an And the best branch is enough, of an Or every branch is needed, and a Not says nothing
//! about where to look.

use uuid::Uuid;

use crate::dn::DistinguishedName;
use crate::entries::{
    GROUP_ATTRIBUTES, GROUP_CLASSES, PERSON_ATTRIBUTES, PERSON_CLASSES, SUDO_ATTRIBUTES,
    SUDO_CLASSES,
};
use crate::filter::{Assertion, Filter};
use crate::schema;
use crate::schema::{
    AttributeType, COMMON_NAME, ENTRY_DN, ENTRY_UUID, GID_NUMBER, MAIL, MEMBER, MEMBER_OF,
    MEMBER_UID, OBJECT_CLASS, ObjectClass, UID_NUMBER, USER_ID,
};
use crate::tree::{Place, Tree, asserted_key, name_key};
use doorward_domain::id::{AccountId, GroupId, SudoRuleId};
use doorward_frontend_api::{GroupQuery, PersonQuery, SudoQuery};

/// Where the entries of one kind are to be looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Candidates<Q> {
    /// None can match.
    None,
    /// Whatever matches is found by one of these.
    These(Vec<Q>),
    /// Any may match.
    All,
}

/// Where to look for what a filter can be true of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Users.
    pub people: Candidates<PersonQuery>,
    /// Groups.
    pub groups: Candidates<GroupQuery>,
    /// sudo rules.
    pub sudo_roles: Candidates<SudoQuery>,
}

impl Plan {
    /// Plans a search of the tree.
    pub fn new(filter: &Filter, tree: &Tree) -> Self {
        let mut planning = Planning::default();
        for item in filter.items() {
            planning.add(item, tree);
        }
        planning.finish(filter)
    }
}

/// A plan that is being made, one item of its filter after the other.
#[derive(Debug, Default)]
pub(super) struct Planning {
    people: Vec<Candidates<PersonQuery>>,
    groups: Vec<Candidates<GroupQuery>>,
    sudo_roles: Vec<Candidates<SudoQuery>>,
}

impl Planning {
    /// Adds the next item.
    pub(super) fn add(&mut self, item: &Filter, tree: &Tree) {
        self.people.push(of_item(item, tree));
        self.groups.push(of_item(item, tree));
        self.sudo_roles.push(of_item(item, tree));
    }

    /// The plan, all items of the filter being added.
    pub(super) fn finish(self, filter: &Filter) -> Plan {
        Plan {
            people: candidates(filter, &mut self.people.into_iter()),
            groups: candidates(filter, &mut self.groups.into_iter()),
            sudo_roles: candidates(filter, &mut self.sudo_roles.into_iter()),
        }
    }
}

/// A kind of entry that the directory can be asked for.
pub(super) trait Query: Sized + Clone + PartialEq {
    /// The classes of its entries.
    const CLASSES: &'static [&'static ObjectClass];
    /// The attributes that its entries can hold.
    const ATTRIBUTES: &'static [&'static AttributeType];

    /// What finds every entry with this value, if the directory has such a question.
    fn of(kind: &AttributeType, value: &[u8], tree: &Tree) -> Candidates<Self>;

    /// How many entries it may find, roughly: one, or some.
    fn weight(&self) -> usize;
}

const ONE: usize = 1;
const SOME: usize = 100;

fn weight<Q: Query>(candidates: &Candidates<Q>) -> usize {
    match candidates {
        Candidates::None => 0,
        Candidates::These(queries) => queries.iter().map(Query::weight).sum(),
        Candidates::All => usize::MAX,
    }
}

fn union<Q: Query>(one: Candidates<Q>, other: Candidates<Q>) -> Candidates<Q> {
    match (one, other) {
        (Candidates::All, _) | (_, Candidates::All) => Candidates::All,
        (Candidates::None, some) | (some, Candidates::None) => some,
        (Candidates::These(mut queries), Candidates::These(others)) => {
            for query in others {
                if !queries.contains(&query) {
                    queries.push(query);
                }
            }
            Candidates::These(queries)
        }
    }
}

/// Those of a filter by those of its items, in order; as deep as the filter, which its decoder
/// bounds.
fn candidates<Q: Query>(
    filter: &Filter,
    items: &mut impl Iterator<Item = Candidates<Q>>,
) -> Candidates<Q> {
    match filter {
        Filter::And(filters) => filters
            .iter()
            .map(|filter| candidates(filter, items))
            .min_by_key(weight)
            .unwrap_or(Candidates::All),
        Filter::Or(filters) => filters
            .iter()
            .map(|filter| candidates(filter, items))
            .fold(Candidates::None, union),
        Filter::Not(filter) => {
            // Its items are passed over.
            candidates(filter, items);
            Candidates::All
        }
        _ => items.next().unwrap_or(Candidates::All),
    }
}

/// Those of one item.
fn of_item<Q: Query>(item: &Filter, tree: &Tree) -> Candidates<Q> {
    match item {
        Filter::Equality(assertion) | Filter::Approximate(assertion) => equality(assertion, tree),
        Filter::Present(attribute) => can_hold::<Q>(attribute),
        Filter::Substrings(substrings) => can_hold::<Q>(&substrings.attribute),
        Filter::GreaterOrEqual(assertion) | Filter::LessOrEqual(assertion) => {
            can_hold::<Q>(&assertion.attribute)
        }
        Filter::Extensible(_) | Filter::And(_) | Filter::Or(_) | Filter::Not(_) => Candidates::All,
    }
}

/// All where an entry can hold the attribute or a subtype of it, else none.
fn can_hold<Q: Query>(attribute: &str) -> Candidates<Q> {
    let held = |kind: &AttributeType| Q::ATTRIBUTES.iter().any(|own| own.is_a(kind));
    if schema::attribute(attribute).is_some_and(held) {
        Candidates::All
    } else {
        Candidates::None
    }
}

fn equality<Q: Query>(assertion: &Assertion, tree: &Tree) -> Candidates<Q> {
    let all = can_hold::<Q>(&assertion.attribute);
    let Some(kind) = schema::attribute(&assertion.attribute) else {
        return Candidates::None;
    };
    if all == Candidates::None {
        return Candidates::None;
    }
    if *kind == OBJECT_CLASS {
        let class = std::str::from_utf8(&assertion.value)
            .ok()
            .and_then(|text| schema::class(text.trim()));
        return if class.is_some_and(|class| Q::CLASSES.contains(&class)) {
            Candidates::All
        } else {
            Candidates::None
        };
    }
    Q::of(kind, &assertion.value, tree)
}

fn number(value: &[u8]) -> Option<u32> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn uuid(value: &[u8]) -> Option<Uuid> {
    Uuid::parse_str(std::str::from_utf8(value).ok()?).ok()
}

fn place(value: &[u8], tree: &Tree) -> Option<Place> {
    DistinguishedName::parse_bytes(value)
        .ok()
        .map(|dn| tree.locate(&dn))
}

impl Query for PersonQuery {
    const CLASSES: &'static [&'static ObjectClass] = &PERSON_CLASSES;
    const ATTRIBUTES: &'static [&'static AttributeType] = &PERSON_ATTRIBUTES;

    fn of(kind: &AttributeType, value: &[u8], tree: &Tree) -> Candidates<Self> {
        let query = if *kind == USER_ID {
            asserted_key(value).map(Self::Username)
        } else if *kind == UID_NUMBER {
            number(value).map(Self::UidNumber)
        } else if *kind == MAIL {
            asserted_key(value).map(Self::Mail)
        } else if *kind == ENTRY_UUID {
            uuid(value).map(|uuid| Self::Id(AccountId::from_uuid(uuid)))
        } else if *kind == ENTRY_DN {
            match place(value, tree) {
                Some(Place::Person(name)) => Some(Self::Username(name_key(&name))),
                _ => None,
            }
        } else if *kind == MEMBER_OF {
            match place(value, tree) {
                Some(Place::Group(name)) => Some(Self::MemberOf(name_key(&name))),
                _ => None,
            }
        } else {
            return Candidates::All;
        };
        query.map_or(Candidates::None, |query| Candidates::These(vec![query]))
    }

    fn weight(&self) -> usize {
        match self {
            Self::MemberOf(_) => SOME,
            Self::All => usize::MAX,
            _ => ONE,
        }
    }
}

impl Query for GroupQuery {
    const CLASSES: &'static [&'static ObjectClass] = &GROUP_CLASSES;
    const ATTRIBUTES: &'static [&'static AttributeType] = &GROUP_ATTRIBUTES;

    fn of(kind: &AttributeType, value: &[u8], tree: &Tree) -> Candidates<Self> {
        let query = if *kind == COMMON_NAME {
            asserted_key(value).map(Self::Name)
        } else if *kind == GID_NUMBER {
            number(value).map(Self::GidNumber)
        } else if *kind == MEMBER_UID {
            asserted_key(value).map(Self::HasUser)
        } else if *kind == ENTRY_UUID {
            uuid(value).map(|uuid| Self::Id(GroupId::from_uuid(uuid)))
        } else if *kind == ENTRY_DN {
            match place(value, tree) {
                Some(Place::Group(name)) => Some(Self::Name(name_key(&name))),
                _ => None,
            }
        } else if *kind == MEMBER {
            match place(value, tree) {
                Some(Place::Person(name)) => Some(Self::HasUser(name_key(&name))),
                Some(Place::Group(name)) => Some(Self::HasGroup(name_key(&name))),
                _ => None,
            }
        } else {
            return Candidates::All;
        };
        query.map_or(Candidates::None, |query| Candidates::These(vec![query]))
    }

    fn weight(&self) -> usize {
        match self {
            Self::HasUser(_) | Self::HasGroup(_) => SOME,
            Self::All => usize::MAX,
            _ => ONE,
        }
    }
}

impl Query for SudoQuery {
    const CLASSES: &'static [&'static ObjectClass] = &SUDO_CLASSES;
    const ATTRIBUTES: &'static [&'static AttributeType] = &SUDO_ATTRIBUTES;

    fn of(kind: &AttributeType, value: &[u8], tree: &Tree) -> Candidates<Self> {
        let query = if *kind == COMMON_NAME {
            asserted_key(value).map(Self::Name)
        } else if *kind == ENTRY_UUID {
            uuid(value).map(|uuid| Self::Id(SudoRuleId::from_uuid(uuid)))
        } else if *kind == ENTRY_DN {
            match place(value, tree) {
                Some(Place::SudoRole(name)) => Some(Self::Name(name_key(&name))),
                _ => None,
            }
        } else {
            return Candidates::All;
        };
        query.map_or(Candidates::None, |query| Candidates::These(vec![query]))
    }

    fn weight(&self) -> usize {
        match self {
            Self::All => usize::MAX,
            Self::Id(_) | Self::Name(_) => ONE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(filter: &str) -> Plan {
        let base = DistinguishedName::parse("dc=example,dc=org").unwrap();
        let filter: Filter = filter.parse().unwrap();
        Plan::new(&filter, &Tree::new(base, "Example"))
    }

    fn people(filter: &str) -> Candidates<PersonQuery> {
        plan(filter).people
    }

    fn groups(filter: &str) -> Candidates<GroupQuery> {
        plan(filter).groups
    }

    fn username(name: &str) -> PersonQuery {
        PersonQuery::Username(name.to_owned())
    }

    #[test]
    fn the_lookups_of_sssd_are_single_questions() {
        assert_eq!(
            plan("(&(uid=Alice)(objectclass=posixAccount)(uid=*)(&(uidNumber=*)(!(uidNumber=0))))"),
            Plan {
                people: Candidates::These(vec![username("alice")]),
                groups: Candidates::None,
                sudo_roles: Candidates::None,
            }
        );
        assert_eq!(
            people("(&(uidNumber=20001)(objectclass=posixAccount)(uid=*))"),
            Candidates::These(vec![PersonQuery::UidNumber(20001)])
        );
        assert_eq!(
            plan("(&(cn=Staff)(objectClass=posixGroup)(cn=*)(&(gidNumber=*)(!(gidNumber=0))))"),
            Plan {
                people: Candidates::None,
                groups: Candidates::These(vec![GroupQuery::Name("staff".to_owned())]),
                sudo_roles: Candidates::None,
            }
        );
        assert_eq!(
            groups(
                "(&(member=uid=alice,ou=people,dc=example,dc=org)(objectClass=posixGroup)(cn=*))"
            ),
            Candidates::These(vec![GroupQuery::HasUser("alice".to_owned())])
        );
        assert_eq!(
            groups("(&(memberuid=alice)(objectClass=posixGroup)(cn=*))"),
            Candidates::These(vec![GroupQuery::HasUser("alice".to_owned())])
        );
        assert_eq!(
            plan("(&(objectclass=posixAccount)(uid=*)(uidNumber=*)(gidNumber=*))"),
            Plan {
                people: Candidates::All,
                groups: Candidates::None,
                sudo_roles: Candidates::None,
            }
        );
    }

    #[test]
    fn sudo_rules_are_asked_for_alone() {
        let sssd = "(&(objectClass=sudoRole)(|(&(!(sudoHost=*))(cn=defaults))(sudoHost=ALL)\
                    (sudoHost=web1.example.org)(sudoHost=+*)))";
        assert_eq!(
            plan(sssd),
            Plan {
                people: Candidates::None,
                groups: Candidates::None,
                sudo_roles: Candidates::All,
            }
        );
        assert_eq!(
            plan("(&(objectClass=sudoRole)(cn=Restart))").sudo_roles,
            Candidates::These(vec![SudoQuery::Name("restart".to_owned())])
        );
        let dn = "(entryDN=cn=restart,ou=sudoers,dc=example,dc=org)";
        assert_eq!(
            plan(dn).sudo_roles,
            Candidates::These(vec![SudoQuery::Name("restart".to_owned())])
        );
    }

    #[test]
    fn an_or_is_the_union_without_repetition() {
        let mail = PersonQuery::Mail("alice@example.org".to_owned());
        assert_eq!(
            people("(|(mail=alice@example.org)(uid=alice)(userid=ALICE)(krbPrincipalName=alice))"),
            Candidates::These(vec![mail, username("alice")])
        );
        assert_eq!(people("(|(uid=alice)(sn=Liddell))"), Candidates::All);
        assert_eq!(people("(|)"), Candidates::None);
    }

    #[test]
    fn an_and_takes_the_narrower_branch() {
        assert_eq!(
            people("(&(memberOf=cn=staff,ou=groups,dc=example,dc=org)(uid=alice))"),
            Candidates::These(vec![username("alice")])
        );
        assert_eq!(
            people("(&(sn=L*)(memberOf=cn=Staff,ou=groups,dc=example,dc=org))"),
            Candidates::These(vec![PersonQuery::MemberOf("staff".to_owned())])
        );
        assert_eq!(people("(&)"), Candidates::All);
        assert_eq!(people("(&(uid=alice)(memberUid=alice))"), Candidates::None);
    }

    #[test]
    fn what_cannot_be_true_asks_nothing() {
        for filter in [
            "(uidNumber=abc)",
            "(uidNumber=-1)",
            "(userPassword=secret)",
            "(nosuchattribute=x)",
            "(uid;lang-en=alice)",
            "(objectClass=nosuchclass)",
            "(objectClass=organizationalUnit)",
            "(memberOf=cn=staff,dc=elsewhere)",
            "(entryUUID=nonsense)",
            "(memberUid=*)",
        ] {
            assert_eq!(people(filter), Candidates::None, "{filter}");
        }
    }

    #[test]
    fn a_not_and_a_rule_of_its_own_leave_all_open() {
        assert_eq!(people("(!(uid=alice))"), Candidates::All);
        assert_eq!(people("(uid:caseExactMatch:=alice)"), Candidates::All);
        assert_eq!(
            people("(modifyTimestamp>=20260101000000Z)"),
            Candidates::All
        );
        assert_eq!(people("(name=Alice)"), Candidates::All);
    }

    #[test]
    fn values_are_looked_up_as_they_compare() {
        assert_eq!(
            people("(uid= \u{ff21}lice )"),
            Candidates::These(vec![username("alice")])
        );
        assert_eq!(
            people("(entryDN=UID=Alice, ou=people, dc=example, dc=org)"),
            Candidates::These(vec![username("alice")])
        );
    }
}
