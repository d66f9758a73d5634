//! Resources and who is bound to them; which resource is asking (CONTRACT.md 2, 4).

use doorward_domain::name::ResourceName;
use doorward_domain::resource::{AccessContext, ClientResources, ResourceKind};
use doorward_store::changes::{Change, UserFilter};
use doorward_store::records::{Binding, BoundTo};

use super::reading::is_bound;
use super::settings::Settings;
use super::users::mail_closes;
use super::{By, Directory, DirectoryError, Done, ResourceView};
use doorward_domain::nearest::nearest;

/// To whom a resource is bound, as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grantee {
    /// A user.
    User(String),
    /// A group, its nested groups included.
    Group(String),
}

/// Which resource is asking, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Matched {
    /// The resource; none where the attempt would be refused.
    pub resource: Option<ResourceName>,
    /// Its kind.
    pub kind: Option<ResourceKind>,
    /// What was looked at, in order; the last is the deciding step.
    pub steps: Vec<String>,
}

impl Directory {
    /// The resources of the configuration in its order, then those that only bindings still name.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn list_resources(&self) -> Result<Vec<ResourceView>, DirectoryError> {
        let bindings = self.store.bindings().await?;
        let settings = self.settings();
        let mut views: Vec<ResourceView> = settings
            .resources
            .iter()
            .map(|resource| {
                ResourceView::of(resource, &bindings, &clients_of(&settings, &resource.name))
            })
            .collect();
        for name in unknown(&settings, &bindings) {
            views.push(ResourceView::undefined(name, &bindings));
        }
        Ok(views)
    }

    /// Names that bindings use and the configuration does not define.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn unknown_bindings(&self) -> Result<Vec<ResourceName>, DirectoryError> {
        Ok(unknown(&self.settings(), &self.store.bindings().await?))
    }

    /// A resource by name.
    ///
    /// # Errors
    /// No such resource, the store cannot answer.
    pub async fn resource(&self, name: &str) -> Result<ResourceView, DirectoryError> {
        let wanted = name.to_ascii_lowercase();
        let found = self
            .list_resources()
            .await?
            .into_iter()
            .find(|view| view.name.folded() == wanted);
        found.ok_or_else(|| no_resource(&self.settings(), name))
    }

    /// Binds a resource of the configuration to a user or a group.
    ///
    /// # Errors
    /// No such resource, user or group; bound already; the store cannot answer.
    pub async fn bind(
        &self,
        by: &By,
        resource: &str,
        to: &Grantee,
    ) -> Result<Done<Binding>, DirectoryError> {
        by.admin()?;
        let settings = self.settings();
        let found = ResourceName::parse(resource)
            .ok()
            .and_then(|name| settings.resource(&name))
            .ok_or_else(|| no_resource(&settings, resource))?;
        let binding = Binding {
            resource: found.name.clone(),
            to: self.grantee(to).await?,
        };
        self.apply(by, Change::Bind(binding.clone())).await?;
        let mut warnings = Vec::new();
        if found.kind == ResourceKind::Email {
            let filter = match &binding.to {
                BoundTo::User(name) => UserFilter::Username(name.to_string()),
                BoundTo::Group(name) => UserFilter::MemberOf(name.to_string()),
            };
            let reached = self.all_users(&filter).await?;
            warnings.extend(reached.iter().filter_map(|record| {
                mail_closes(&settings, record, |resource| is_bound(record, resource))
            }));
        }
        Ok(Done {
            value: binding,
            warnings,
        })
    }

    /// Unbinds a resource, also one that the configuration does not define any more.
    ///
    /// # Errors
    /// No such user or group, not bound, the store cannot answer.
    pub async fn unbind(
        &self,
        by: &By,
        resource: &str,
        to: &Grantee,
    ) -> Result<Binding, DirectoryError> {
        by.admin()?;
        let name = self.resource(resource).await?.name;
        let binding = Binding {
            resource: name,
            to: self.grantee(to).await?,
        };
        self.apply(by, Change::Unbind(binding.clone())).await?;
        Ok(binding)
    }

    /// Which resource is asking, and why.
    pub fn explain_asking(&self, asking: &AccessContext) -> Matched {
        let settings = self.settings();
        let found = settings.resources.explain_asking(asking);
        Matched {
            resource: found.chosen.map(|resource| resource.name.clone()),
            kind: found.chosen.map(|resource| resource.kind),
            steps: found.steps.iter().map(ToString::to_string).collect(),
        }
    }

    pub(super) async fn grantee(&self, to: &Grantee) -> Result<BoundTo, DirectoryError> {
        Ok(match to {
            Grantee::User(name) => BoundTo::User(self.user_named(name).await?.username),
            Grantee::Group(name) => BoundTo::Group(self.group_named(name).await?.name),
        })
    }
}

fn unknown(settings: &Settings, bindings: &[Binding]) -> Vec<ResourceName> {
    let mut names: Vec<ResourceName> = bindings
        .iter()
        .map(|binding| &binding.resource)
        .filter(|name| settings.resource(name).is_none())
        .cloned()
        .collect();
    names.sort_by_cached_key(ResourceName::folded);
    names.dedup_by_key(|name| name.folded());
    names
}

/// The RADIUS clients that can ask for a resource.
fn clients_of(settings: &Settings, resource: &ResourceName) -> Vec<String> {
    let folded = resource.folded();
    let names = |named: &ResourceName| named.folded() == folded;
    let way = |client: &ClientResources| {
        let by_default = if client.ssid.is_empty() {
            names(&client.resource)
        } else {
            names(&client.resource) || client.ssid_default.as_ref().is_some_and(names)
        };
        let ssids: Vec<&str> = client
            .ssid
            .iter()
            .filter(|(_, named)| names(named))
            .map(|(ssid, _)| ssid.as_str())
            .collect();
        match (by_default, ssids.is_empty()) {
            (true, _) => Some(client.client.to_string()),
            (false, false) => Some(format!(
                "{} with SSID {}",
                client.client,
                ssids.join(" or ")
            )),
            (false, true) => None,
        }
    };
    settings
        .doors
        .clients
        .iter()
        .filter_map(|door| way(&door.resources))
        .collect()
}

pub(super) fn no_resource(settings: &Settings, name: &str) -> DirectoryError {
    let known = settings
        .resources
        .iter()
        .map(|resource| resource.name.as_str());
    DirectoryError::NotFound {
        kind: "resource",
        name: name.to_owned(),
        nearest: nearest(name, known).map(str::to_owned),
    }
}
