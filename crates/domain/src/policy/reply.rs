//! Which reply attributes a user gets, out of all that are mapped to it and to its groups.
//!
//! For each attribute one mapping holds: the user's own before any group's; of groups the one with
//! the higher priority; of mappings as near, the one for the resource that asks before the one for
//! every resource; and where two groups are as near still, the one whose name comes first, which
//! is a clash that whoever shows the outcome can tell of.

use std::cmp::Reverse;

use crate::name::GroupName;
use crate::reply::{ReplyAttribute, ReplyAttributes, ReplyGrant, ReplySource, Vlan};

/// A grant that another one has overruled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overruled {
    /// The grant.
    pub grant: ReplyGrant,
    /// Only a name decided: the two groups have one priority and say different things.
    pub clash: bool,
}

/// What holds of an account's grants, and what does not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Merged {
    /// What holds, nearest first.
    pub chosen: Vec<ReplyGrant>,
    /// What does not.
    pub overruled: Vec<Overruled>,
}

impl Merged {
    /// What an Access-Accept is to carry.
    pub fn attributes(self) -> ReplyAttributes {
        let chosen = self.chosen.into_iter();
        ReplyAttributes::new(chosen.map(|grant| grant.attribute).collect())
    }
}

/// What an Access-Accept is to carry for a device.
pub fn of_device(vlan: Option<Vlan>) -> ReplyAttributes {
    let vlan = vlan.map(ReplyAttribute::Vlan);
    ReplyAttributes::new(vlan.into_iter().collect())
}

/// How near a grant is, but for the name of its group: the lowest holds.
fn nearness(grant: &ReplyGrant) -> (Option<Reverse<i32>>, bool) {
    let group = match &grant.from {
        ReplySource::User => None,
        ReplySource::Group { priority, .. } => Some(Reverse(*priority)),
    };
    (group, grant.resource.is_none())
}

fn group(grant: &ReplyGrant) -> Option<&GroupName> {
    match &grant.from {
        ReplySource::User => None,
        ReplySource::Group { name, .. } => Some(name),
    }
}

/// Chooses among the grants of one account at one resource, in whatever order they come; values of
/// one mapping keep theirs.
pub fn merge(mut grants: Vec<ReplyGrant>) -> Merged {
    grants.sort_by_cached_key(|grant| (nearness(grant), group(grant).map(GroupName::folded)));
    let mut merged = Merged::default();
    for grant in grants {
        let name = grant.attribute.folded();
        let mut holding = merged
            .chosen
            .iter()
            .filter(|chosen| chosen.attribute.folded() == name)
            .peekable();
        let Some(first) = holding.peek() else {
            merged.chosen.push(grant);
            continue;
        };
        let same_mapping = nearness(first) == nearness(&grant) && group(first) == group(&grant);
        if same_mapping {
            merged.chosen.push(grant);
            continue;
        }
        let clash = nearness(first) == nearness(&grant)
            && holding.all(|chosen| chosen.attribute != grant.attribute);
        merged.overruled.push(Overruled { grant, clash });
    }
    merged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::name::ResourceName;
    use crate::reply::{FilterId, ReplyAttribute, Vlan};

    fn vlan(number: u16) -> ReplyAttribute {
        ReplyAttribute::Vlan(Vlan::parse(&number.to_string()).unwrap())
    }

    fn filter(name: &str) -> ReplyAttribute {
        ReplyAttribute::FilterId(FilterId::parse(name).unwrap())
    }

    fn of_user(attribute: ReplyAttribute) -> ReplyGrant {
        ReplyGrant {
            from: ReplySource::User,
            resource: None,
            attribute,
        }
    }

    fn of_group(name: &str, priority: i32, attribute: ReplyAttribute) -> ReplyGrant {
        let name = GroupName::parse(name).unwrap();
        ReplyGrant {
            from: ReplySource::Group { name, priority },
            resource: None,
            attribute,
        }
    }

    fn at_wifi(grant: ReplyGrant) -> ReplyGrant {
        let resource = Some(ResourceName::parse("wifi").unwrap());
        ReplyGrant { resource, ..grant }
    }

    /// The attributes that hold, as they are written.
    fn holding(grants: Vec<ReplyGrant>) -> Vec<String> {
        let attributes = merge(grants).attributes();
        attributes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_users_own_holds_before_any_groups() {
        let grants = vec![
            at_wifi(of_group("staff", 100, vlan(20))),
            of_user(vlan(30)),
            of_group("staff", 100, filter("staff")),
        ];
        assert_eq!(holding(grants), ["vlan=30", "filter_id=staff"]);
    }

    #[test]
    fn of_groups_the_higher_priority_holds_even_before_the_resource() {
        let grants = vec![
            at_wifi(of_group("staff", 0, vlan(20))),
            of_group("quarantine", 100, vlan(666)),
        ];
        assert_eq!(holding(grants), ["vlan=666"]);
    }

    #[test]
    fn of_one_priority_what_is_for_the_resource_holds() {
        let grants = vec![
            of_group("admins", 0, vlan(10)),
            at_wifi(of_group("staff", 0, vlan(20))),
            at_wifi(of_user(filter("wifi"))),
            of_user(filter("anywhere")),
        ];
        assert_eq!(holding(grants), ["vlan=20", "filter_id=wifi"]);
    }

    #[test]
    fn a_clash_is_decided_by_name_and_said() {
        let grants = vec![
            of_group("staff", 5, vlan(20)),
            of_group("Guests", 5, vlan(30)),
        ];
        let merged = merge(grants);
        assert_eq!(merged.chosen[0].attribute, vlan(30));
        assert!(merged.overruled[0].clash);
        let agreeing = vec![
            of_group("staff", 5, vlan(20)),
            of_group("guests", 5, vlan(20)),
        ];
        assert!(!merge(agreeing).overruled[0].clash);
        let ranked = vec![
            of_group("staff", 5, vlan(20)),
            of_group("guests", 4, vlan(30)),
        ];
        assert!(!merge(ranked).overruled[0].clash);
    }

    #[test]
    fn values_of_one_mapping_stand_together_and_those_of_another_do_not_join_them() {
        let grants = vec![
            of_group("staff", 1, filter("b")),
            of_group("guests", 0, filter("c")),
            of_group("staff", 1, filter("a")),
        ];
        assert_eq!(holding(grants), ["filter_id=b", "filter_id=a"]);
    }

    fn any_grant() -> impl Strategy<Value = ReplyGrant> {
        let attribute = prop_oneof![
            (1_u16..6).prop_map(vlan),
            "[ab]".prop_map(|name| filter(&name)),
        ];
        let source = prop::option::of(("[a-d]", 0..3_i32));
        (source, any::<bool>(), attribute).prop_map(|(source, wifi, attribute)| {
            let grant = match source {
                None => of_user(attribute),
                // One group has one priority.
                Some((name, _)) if name == "a" => of_group("a", 1, attribute),
                Some((name, _)) if name == "b" => of_group("b", 1, attribute),
                Some((name, _)) => of_group(&name, 2, attribute),
            };
            if wifi { at_wifi(grant) } else { grant }
        })
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_the_order_of_mappings_does_not_matter(
            grants in prop::collection::vec(any_grant(), 0..12),
        ) {
            let merged = merge(grants.clone());
            prop_assert_eq!(merged.chosen.len() + merged.overruled.len(), grants.len());
            let mut turned = grants;
            // Values of one mapping keep their order; mappings change theirs.
            turned.sort_by_key(|grant| Reverse((nearness(grant), group(grant).cloned())));
            prop_assert_eq!(merge(turned).attributes(), merged.attributes());
        }
    }
}
