//! Reply attributes: mapped to users and groups, and what a user gets of them.

use serde::Serialize;

use doorward_domain::name::{GroupName, ResourceName, Username};
use doorward_domain::policy::reply::{Merged, merge};
use doorward_domain::reply::{ReplyAttribute, ReplyAttributes, ReplyGrant, ReplySource};
use doorward_store::changes::{Change, UserFilter};
use doorward_store::records::{BoundTo, ReplyMapping};

use super::bindings::{Grantee, no_resource};
use super::{By, Directory, DirectoryError, Done, Warning};

/// The most reply attributes of one user or group for one resource: far more than a packet holds
/// of any length.
pub const MAX_REPLY_ATTRIBUTES: usize = 64;

/// One attribute as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReplyAttributeView {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl From<&ReplyAttribute> for ReplyAttributeView {
    fn from(attribute: &ReplyAttribute) -> Self {
        Self {
            name: attribute.name().to_owned(),
            value: attribute.value(),
        }
    }
}

/// What is mapped to a user or a group for one resource, or for every one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReplyMappingView {
    /// The user it is mapped to.
    pub user: Option<Username>,
    /// Or the group.
    pub group: Option<GroupName>,
    /// The group's priority.
    pub priority: Option<i32>,
    /// The resource; every one where absent.
    pub resource: Option<ResourceName>,
    /// The attributes, in order.
    pub attributes: Vec<ReplyAttributeView>,
    /// The same, for whoever must know what they are in a packet.
    #[serde(skip)]
    pub stored: Vec<ReplyAttribute>,
}

impl From<ReplyMapping> for ReplyMappingView {
    fn from(mapping: ReplyMapping) -> Self {
        let (user, group) = match mapping.of {
            BoundTo::User(user) => (Some(user), None),
            BoundTo::Group(group) => (None, Some(group)),
        };
        Self {
            user,
            group,
            priority: mapping.priority,
            resource: mapping.resource,
            attributes: mapping.attributes.iter().map(Into::into).collect(),
            stored: mapping.attributes,
        }
    }
}

/// What becomes of an attribute that is mapped to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyFate {
    /// It holds.
    Holds,
    /// A nearer mapping has taken its place.
    Overruled,
    /// A group of the same priority has taken its place, by nothing but its name.
    OverruledByName,
}

/// One attribute that is mapped to a user, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReplyGrantView {
    /// The attribute.
    #[serde(flatten)]
    pub attribute: ReplyAttributeView,
    /// The group it comes from; none where it is the user's own.
    pub group: Option<GroupName>,
    /// That group's priority.
    pub priority: Option<i32>,
    /// The resource it is mapped for; every one where absent.
    pub resource: Option<ResourceName>,
    /// What becomes of it.
    pub fate: ReplyFate,
}

impl ReplyGrantView {
    fn new(grant: &ReplyGrant, fate: ReplyFate) -> Self {
        let (group, priority) = match &grant.from {
            ReplySource::User => (None, None),
            ReplySource::Group { name, priority } => (Some(name.clone()), Some(*priority)),
        };
        Self {
            attribute: (&grant.attribute).into(),
            group,
            priority,
            resource: grant.resource.clone(),
            fate,
        }
    }
}

/// What a user gets at a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyOfUser {
    /// The user.
    pub username: Username,
    /// The resource.
    pub resource: ResourceName,
    /// Everything that is mapped, what holds first.
    pub grants: Vec<ReplyGrantView>,
    /// What an Access-Accept is to carry, in order.
    pub attributes: ReplyAttributes,
}

impl Directory {
    /// Maps reply attributes to a user or a group, each in the place of all of its name there; for
    /// one resource, or for every one. A group's priority stays where none is given.
    ///
    /// # Errors
    /// No such user, group or resource; one attribute twice that may stand once; too many; nothing
    /// to change; the store cannot answer.
    pub async fn set_reply(
        &self,
        by: &By,
        of: &Grantee,
        resource: Option<&str>,
        attributes: Vec<ReplyAttribute>,
        priority: Option<i32>,
    ) -> Result<Done<ReplyMappingView>, DirectoryError> {
        by.admin()?;
        for (index, attribute) in attributes.iter().enumerate() {
            let same = |other: &ReplyAttribute| {
                other.folded() == attribute.folded()
                    && (other == attribute || !attribute.may_repeat())
            };
            if attributes.iter().skip(index + 1).any(same) {
                return Err(DirectoryError::Repeated(attribute.to_string()));
            }
        }
        let of = self.grantee(of).await?;
        let resource = resource.map(|name| self.defined(name)).transpose()?;
        let mapping = ReplyMapping {
            of,
            priority,
            resource,
            attributes,
        };
        let change = Change::SetReply {
            mapping: mapping.clone(),
            most: MAX_REPLY_ATTRIBUTES,
        };
        self.apply(by, change).await?;
        let all = self.store.reply_mappings().await?;
        let set = mapping_of(&all, &mapping.of, mapping.resource.as_ref());
        let warnings = self.clashes(&all, &set).await?;
        Ok(Done {
            value: set.into(),
            warnings,
        })
    }

    /// Takes reply attributes of these names from a user or a group; all of them where none is
    /// named. Gives back what is left.
    ///
    /// # Errors
    /// No such user or group; nothing of that name is there; the store cannot answer.
    pub async fn unset_reply(
        &self,
        by: &By,
        of: &Grantee,
        resource: Option<&str>,
        names: Vec<String>,
    ) -> Result<ReplyMappingView, DirectoryError> {
        by.admin()?;
        let of = self.grantee(of).await?;
        // A resource that the configuration has lost leaves its mappings behind.
        let resource = resource.map(ResourceName::parse).transpose()?;
        let change = Change::UnsetReply {
            of: of.clone(),
            resource: resource.clone(),
            names,
        };
        self.apply(by, change).await?;
        let all = self.store.reply_mappings().await?;
        Ok(mapping_of(&all, &of, resource.as_ref()).into())
    }

    /// Every mapping: users' by name, then groups' by name.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn list_reply(&self) -> Result<Vec<ReplyMappingView>, DirectoryError> {
        let all = self.store.reply_mappings().await?;
        Ok(all.into_iter().map(Into::into).collect())
    }

    /// What a user gets at a resource, and where each comes from.
    ///
    /// # Errors
    /// No such user or resource, the store cannot answer.
    pub async fn reply_of(
        &self,
        user: &str,
        resource: &str,
    ) -> Result<ReplyOfUser, DirectoryError> {
        let resource = self.defined(resource)?;
        let record = self.user_named(user).await?;
        let grants = self
            .store
            .reply_grants(record.account, Some(&resource))
            .await?;
        let merged = merge(grants);
        Ok(ReplyOfUser {
            username: record.username,
            resource,
            grants: views(&merged),
            attributes: merged.attributes(),
        })
    }

    /// Resources that mappings name and the configuration does not define.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn unknown_reply_resources(&self) -> Result<Vec<ResourceName>, DirectoryError> {
        let settings = self.settings();
        let all = self.store.reply_mappings().await?;
        let mut names: Vec<ResourceName> = all
            .into_iter()
            .filter_map(|mapping| mapping.resource)
            .filter(|name| settings.resource(name).is_none())
            .collect();
        names.sort_by_cached_key(ResourceName::folded);
        names.dedup_by_key(|name| name.folded());
        Ok(names)
    }

    /// A resource of the configuration, by the name it has there.
    fn defined(&self, name: &str) -> Result<ResourceName, DirectoryError> {
        let settings = self.settings();
        ResourceName::parse(name)
            .ok()
            .and_then(|name| settings.resource(&name))
            .map(|resource| resource.name.clone())
            .ok_or_else(|| no_resource(&settings, name))
    }

    /// Where a group's mapping and another's of the same priority say different things to a user
    /// who is in both.
    async fn clashes(
        &self,
        all: &[ReplyMapping],
        set: &ReplyMapping,
    ) -> Result<Vec<Warning>, DirectoryError> {
        let BoundTo::Group(group) = &set.of else {
            return Ok(Vec::new());
        };
        let mut rivals: Vec<(&GroupName, String)> = Vec::new();
        for other in all {
            let BoundTo::Group(rival) = &other.of else {
                continue;
            };
            let as_near = other.priority == set.priority
                && other.resource.as_ref().map(ResourceName::folded)
                    == set.resource.as_ref().map(ResourceName::folded);
            if rival == group || !as_near {
                continue;
            }
            rivals.extend(disputed(set, other).map(|name| (rival, name)));
        }
        if rivals.is_empty() {
            return Ok(Vec::new());
        }
        let filter = UserFilter::MemberOf(group.to_string());
        let members = self.all_users(&filter).await?;
        Ok(rivals
            .into_iter()
            .filter_map(|(rival, attribute)| {
                let both = members
                    .iter()
                    .find(|member| member.groups.contains(rival))?;
                Some(Warning::ReplyClash {
                    attribute,
                    groups: [group.clone(), rival.clone()],
                    user: both.username.clone(),
                })
            })
            .collect())
    }
}

/// The mapping out of all; an empty one where it has gone.
fn mapping_of(all: &[ReplyMapping], of: &BoundTo, resource: Option<&ResourceName>) -> ReplyMapping {
    let folded = resource.map(ResourceName::folded);
    let found = all.iter().find(|mapping| {
        mapping.of == *of && mapping.resource.as_ref().map(ResourceName::folded) == folded
    });
    found.cloned().unwrap_or_else(|| ReplyMapping {
        of: of.clone(),
        priority: None,
        resource: resource.cloned(),
        attributes: Vec::new(),
    })
}

/// The names of attributes of which two mappings say different things.
fn disputed<'a>(
    one: &'a ReplyMapping,
    other: &'a ReplyMapping,
) -> impl Iterator<Item = String> + 'a {
    let values = |mapping: &'a ReplyMapping, folded: &str| -> Vec<&'a ReplyAttribute> {
        let of_name = |attribute: &&ReplyAttribute| attribute.folded() == folded;
        mapping.attributes.iter().filter(of_name).collect()
    };
    let mut names: Vec<String> = one.attributes.iter().map(ReplyAttribute::folded).collect();
    names.sort();
    names.dedup();
    names.into_iter().filter(move |name| {
        let theirs = values(other, name);
        !theirs.is_empty() && theirs != values(one, name)
    })
}

fn views(merged: &Merged) -> Vec<ReplyGrantView> {
    let holding = merged
        .chosen
        .iter()
        .map(|grant| ReplyGrantView::new(grant, ReplyFate::Holds));
    let overruled = merged.overruled.iter().map(|overruled| {
        let fate = if overruled.clash {
            ReplyFate::OverruledByName
        } else {
            ReplyFate::Overruled
        };
        ReplyGrantView::new(&overruled.grant, fate)
    });
    holding.chain(overruled).collect()
}
