//! The tree of names that is served, and what a name in it stands for.
//!
//! It knows shapes, not entries: that `uid=alice,ou=people,BASE` names a user, not whether there
//! is one. Every name it writes has one spelling, since SSSD takes the names it is given and
//! sends them back verbatim.

use super::dn::{DistinguishedName, Rdn};
use super::schema::{
    AttributeType, COMMON_NAME, LONGEST_ASSERTION, ORGANIZATION, ORGANIZATIONAL_UNIT, USER_ID,
    prepare,
};
use doorward_domain::name::{GroupName, ServiceName, SudoRuleName, Username, ViewName};

/// The name of the subschema entry, outside the base (RFC 4512 section 4.2).
pub const SUBSCHEMA: &str = "cn=subschema";

/// An entry that is always there, parents before what is in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fixed {
    /// The base itself.
    Base,
    /// Where users are.
    People,
    /// Where groups are.
    Groups,
    /// Where service accounts are, for binding only.
    Services,
    /// Where the password policy is.
    Policies,
    /// The password policy, as SSSD looks for it.
    PasswordPolicy,
    /// Where sudo rules are.
    Sudoers,
}

impl Fixed {
    /// All of them, parents first.
    pub const ALL: [Self; 7] = [
        Self::Base,
        Self::People,
        Self::Groups,
        Self::Services,
        Self::Policies,
        Self::PasswordPolicy,
        Self::Sudoers,
    ];
}

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The empty name.
    Root,
    /// The subschema entry.
    Subschema,
    /// An entry that is always there.
    Fixed(Fixed),
    /// A user, by what stands after `uid=`, as it was written.
    Person(String),
    /// A group, by what stands after `cn=`.
    Group(String),
    /// A service account, by what stands after `cn=`.
    Service(String),
    /// A sudo rule, by what stands after `cn=`.
    SudoRole(String),
    /// Nothing can be there. The nearest entry above that is always there, if any.
    Nowhere(Option<Fixed>),
}

/// The tree under one base.
#[derive(Debug, Clone)]
pub struct Tree {
    base: DistinguishedName,
    people: DistinguishedName,
    groups: DistinguishedName,
    services: DistinguishedName,
    policies: DistinguishedName,
    password_policy: DistinguishedName,
    sudoers: DistinguishedName,
    subschema: DistinguishedName,
    organization: String,
    /// The view that this tree is, where it is one.
    view: Option<ViewName>,
    /// The same tree again, under names of its own below the base.
    views: Vec<Tree>,
}

impl Tree {
    /// The tree under `base`, of an organisation called so.
    pub fn new(base: DistinguishedName, organization: impl Into<String>) -> Self {
        let unit = |name: &str| base.child(Rdn::new(&ORGANIZATIONAL_UNIT, name));
        let policies = unit("policies");
        Self {
            people: unit("people"),
            groups: unit("groups"),
            services: unit("services"),
            password_policy: policies.child(Rdn::new(&COMMON_NAME, "ppolicy")),
            policies,
            sudoers: unit("sudoers"),
            subschema: DistinguishedName::root().child(Rdn::new(&COMMON_NAME, "subschema")),
            organization: organization.into(),
            base,
            view: None,
            views: Vec::new(),
        }
    }

    /// The same with views (CONTRACT.md 4). Each is a naming context of its own, which shows what
    /// the tree shows under names of its own; a search from the base does not reach into it, so
    /// that nobody is found twice.
    #[must_use]
    pub fn with_views(mut self, names: impl IntoIterator<Item = ViewName>) -> Self {
        for name in names {
            if self.of_view(Some(&name)).is_some() {
                continue;
            }
            let base = self.base.child(Rdn::new(&ORGANIZATIONAL_UNIT, name.unit()));
            self.views.push(Self {
                view: Some(name),
                ..Self::new(base, self.organization.clone())
            });
        }
        self
    }

    /// The view that this tree is, where it is one.
    pub const fn view(&self) -> Option<&ViewName> {
        self.view.as_ref()
    }

    /// The tree in which `dn` lies: a view, or this one for everything else.
    pub fn around(&self, dn: &DistinguishedName) -> &Self {
        self.views
            .iter()
            .find(|view| dn.is_under(&view.base))
            .unwrap_or(self)
    }

    /// The tree of a view, or this one where there is none to look for; nothing where this tree
    /// has no such view.
    pub fn of_view(&self, name: Option<&ViewName>) -> Option<&Self> {
        match name {
            None => Some(self),
            Some(name) => self
                .views
                .iter()
                .find(|tree| tree.view.as_ref().map(ViewName::folded) == Some(name.folded())),
        }
    }

    /// The base.
    pub const fn base(&self) -> &DistinguishedName {
        &self.base
    }

    /// The organisation's name.
    pub fn organization(&self) -> &str {
        &self.organization
    }

    /// The name of the subschema entry.
    pub const fn subschema(&self) -> &DistinguishedName {
        &self.subschema
    }

    /// The name of an entry that is always there.
    pub const fn fixed(&self, entry: Fixed) -> &DistinguishedName {
        match entry {
            Fixed::Base => &self.base,
            Fixed::People => &self.people,
            Fixed::Groups => &self.groups,
            Fixed::Services => &self.services,
            Fixed::Policies => &self.policies,
            Fixed::PasswordPolicy => &self.password_policy,
            Fixed::Sudoers => &self.sudoers,
        }
    }

    /// A user's name.
    pub fn person(&self, name: &Username) -> DistinguishedName {
        self.people.child(Rdn::new(&USER_ID, name.as_str()))
    }

    /// A group's name.
    pub fn group(&self, name: &GroupName) -> DistinguishedName {
        self.groups.child(Rdn::new(&COMMON_NAME, name.as_str()))
    }

    /// What stands before and after a username in the name of its entry: no character of it needs
    /// another spelling there.
    pub(crate) fn around_person(&self) -> (String, String) {
        (format!("{}=", USER_ID.name()), format!(",{}", self.people))
    }

    /// What stands before and after a group's name in the name of its entry.
    pub(crate) fn around_group(&self) -> (String, String) {
        (
            format!("{}=", COMMON_NAME.name()),
            format!(",{}", self.groups),
        )
    }

    /// A service account's name.
    pub fn service(&self, name: &ServiceName) -> DistinguishedName {
        self.services.child(Rdn::new(&COMMON_NAME, name.as_str()))
    }

    /// A sudo rule's name.
    pub fn sudo_role(&self, name: &SudoRuleName) -> DistinguishedName {
        self.sudoers.child(Rdn::new(&COMMON_NAME, name.as_str()))
    }

    /// What `dn` stands for.
    pub fn locate(&self, dn: &DistinguishedName) -> Place {
        if dn.is_root() {
            return Place::Root;
        }
        if *dn == self.subschema {
            return Place::Subschema;
        }
        if let Some(entry) = Fixed::ALL
            .into_iter()
            .find(|entry| dn == self.fixed(*entry))
        {
            return Place::Fixed(entry);
        }
        let below =
            |container: &DistinguishedName, kind: &AttributeType| match dn.relative_to(container) {
                Some([rdn]) => rdn.sole_value(kind).map(str::to_owned),
                _ => None,
            };
        if let Some(name) = below(&self.people, &USER_ID) {
            return Place::Person(name);
        }
        if let Some(name) = below(&self.groups, &COMMON_NAME) {
            return Place::Group(name);
        }
        if let Some(name) = below(&self.services, &COMMON_NAME) {
            return Place::Service(name);
        }
        if let Some(name) = below(&self.sudoers, &COMMON_NAME) {
            return Place::SudoRole(name);
        }
        // The deepest comes last in the list.
        let nearest = Fixed::ALL
            .into_iter()
            .rev()
            .find(|entry| dn.is_under(self.fixed(*entry)));
        Place::Nowhere(nearest)
    }
}

/// A name as users and groups are looked up by: without regard to case, spaces or compatibility
/// variants, as the matching rules of `uid`, `cn` and names compare (RFC 4517 section 4.2.11).
pub(crate) fn name_key(text: &str) -> String {
    key_of(&prepare::whole(text, prepare::Case::Fold))
}

/// The same of what a client asserts; none where it is longer than a value can be.
pub(crate) fn asserted_key(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok();
    let text = text.filter(|text| text.len() <= LONGEST_ASSERTION)?;
    let prepared = prepare::whole_within(text, prepare::Case::Fold, LONGEST_ASSERTION)?;
    Some(key_of(&prepared))
}

fn key_of(prepared: &str) -> String {
    prepared.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The naming attribute of the base, and its value.
pub(crate) fn base_name(tree: &Tree) -> (String, String) {
    let part = tree.base.rdn().and_then(|rdn| rdn.parts().first());
    match part.and_then(|part| part.text().map(|text| (part.attribute(), text))) {
        Some((attribute, text)) => (attribute.to_owned(), text.to_owned()),
        None => (ORGANIZATION.name().to_owned(), tree.organization.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        Tree::new(
            DistinguishedName::parse("dc=example,dc=org").unwrap(),
            "Example",
        )
    }

    fn locate(text: &str) -> Place {
        tree().locate(&DistinguishedName::parse(text).unwrap())
    }

    #[test]
    fn names_stand_for_what_the_tree_says() {
        assert_eq!(locate(""), Place::Root);
        assert_eq!(locate("CN=SubSchema"), Place::Subschema);
        assert_eq!(locate("DC=Example, dc=ORG"), Place::Fixed(Fixed::Base));
        assert_eq!(
            locate("cn=ppolicy,ou=policies,dc=example,dc=org"),
            Place::Fixed(Fixed::PasswordPolicy)
        );
        assert_eq!(
            locate("UID=Alice,OU=People,dc=example,dc=org"),
            Place::Person("Alice".to_owned())
        );
        assert_eq!(
            locate("cn=staff,ou=groups,dc=example,dc=org"),
            Place::Group("staff".to_owned())
        );
        assert_eq!(
            locate("cn=sssd,ou=services,dc=example,dc=org"),
            Place::Service("sssd".to_owned())
        );
        assert_eq!(
            locate("cn=Restart,ou=SUDOers,dc=example,dc=org"),
            Place::SudoRole("Restart".to_owned())
        );
    }

    #[test]
    fn what_cannot_be_names_the_nearest_entry_above() {
        let people = Place::Nowhere(Some(Fixed::People));
        assert_eq!(locate("cn=alice,ou=people,dc=example,dc=org"), people);
        assert_eq!(locate("uid=alice+cn=a,ou=people,dc=example,dc=org"), people);
        assert_eq!(locate("cn=x,uid=alice,ou=people,dc=example,dc=org"), people);
        assert_eq!(
            locate("ou=nowhere,dc=example,dc=org"),
            Place::Nowhere(Some(Fixed::Base))
        );
        assert_eq!(locate("dc=org"), Place::Nowhere(None));
        assert_eq!(
            locate("uid=alice,ou=people,dc=elsewhere"),
            Place::Nowhere(None)
        );
    }

    #[test]
    fn a_view_is_the_tree_again_under_its_own_name() {
        let parse = |text: &str| DistinguishedName::parse(text).unwrap();
        let tree = tree().with_views(
            ["ou=mail", "ou=web", "ou=MAIL"].map(|name| ViewName::parse(name).unwrap()),
        );
        let alice = parse("uid=alice,OU=people,ou=Mail,dc=example,dc=org");
        let mail = tree.around(&alice);
        assert_eq!(mail.view().unwrap().unit(), "mail");
        assert_eq!(mail.locate(&alice), Place::Person("alice".to_owned()));
        let name = Username::parse("alice").unwrap();
        assert_eq!(
            mail.person(&name).to_string(),
            "uid=alice,ou=people,ou=mail,dc=example,dc=org"
        );
        assert_eq!(
            mail.locate(&parse("ou=mail,dc=example,dc=org")),
            Place::Fixed(Fixed::Base)
        );
        for outside in [
            "",
            "cn=subschema",
            "dc=example,dc=org",
            "uid=alice,ou=people,dc=example,dc=org",
            "ou=email,dc=example,dc=org",
            "ou=mail,ou=people,dc=example,dc=org",
        ] {
            assert_eq!(tree.around(&parse(outside)).view(), None, "{outside}");
        }
        // A view is not to be seen from outside.
        assert_eq!(
            tree.locate(&parse("ou=mail,dc=example,dc=org")),
            Place::Nowhere(Some(Fixed::Base))
        );
    }

    #[test]
    fn no_view_has_the_name_of_what_is_there() {
        let tree = tree();
        for entry in Fixed::ALL {
            let Some([rdn]) = tree.fixed(entry).relative_to(tree.base()) else {
                continue;
            };
            let unit = rdn.sole_value(&ORGANIZATIONAL_UNIT).unwrap();
            assert!(ViewName::parse(&format!("ou={unit}")).is_err(), "{unit}");
        }
    }

    #[test]
    fn written_names_are_found_again() {
        let tree = tree();
        let name = Username::parse("Alice.B-c_1").unwrap();
        let dn = tree.person(&name);
        assert_eq!(
            dn.to_string(),
            "uid=Alice.B-c_1,ou=people,dc=example,dc=org"
        );
        assert_eq!(tree.locate(&dn), Place::Person("Alice.B-c_1".to_owned()));
    }

    proptest::proptest! {
        #[test]
        fn names_stand_in_entries_as_they_are(
            user in "[a-zA-Z][a-zA-Z0-9._-]{0,29}",
            group in "[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}",
        ) {
            let tree = tree();
            let (before, after) = tree.around_person();
            let dn = tree.person(&Username::parse(&user).unwrap()).to_string();
            proptest::prop_assert_eq!(format!("{before}{user}{after}"), dn);
            let (before, after) = tree.around_group();
            let dn = tree.group(&GroupName::parse(&group).unwrap()).to_string();
            proptest::prop_assert_eq!(format!("{before}{group}{after}"), dn);
        }
    }

    #[test]
    fn keys_have_no_regard_for_case_width_or_spaces() {
        assert_eq!(name_key("  ＡLICE "), "alice");
        assert_eq!(name_key("a  B"), "a b");
    }
}
