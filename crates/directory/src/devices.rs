//! Devices that are let in by their address alone: added, listed, changed, removed.

use serde::Serialize;

use doorward_domain::device::MacAddress;
use doorward_domain::id::DeviceId;
use doorward_domain::name::ResourceName;
use doorward_domain::reply::Vlan;
use doorward_domain::time::Timestamp;
use doorward_store::AttemptStore as _;
use doorward_store::changes;
use doorward_store::changes::{Change, DevicePatch};
use doorward_store::records::DeviceRecord;

use super::bindings::no_resource;
use super::groups::check_description;
use super::settings::Settings;
use super::view::some_time;
use super::{By, Directory, DirectoryError, Done, PAGE, Warning};

/// A device to be added; resources by names that are still to be looked up.
#[derive(Debug, Clone)]
pub struct NewDevice {
    /// Its address.
    pub address: MacAddress,
    /// The resources that it may use.
    pub resources: Vec<String>,
    /// The VLAN that it is put into.
    pub vlan: Option<Vlan>,
    /// What it is.
    pub description: Option<String>,
}

/// What to set of a device; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct SetDevice {
    /// The resources that it may use, all of them.
    pub resources: Option<Vec<String>>,
    /// The VLAN that it is put into.
    pub vlan: Option<Option<Vlan>>,
    /// What it is.
    pub description: Option<Option<String>>,
}

/// A device as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceView {
    /// The device.
    pub id: DeviceId,
    /// Its address.
    pub address: MacAddress,
    /// The resources that it may use.
    pub resources: Vec<ResourceName>,
    /// The VLAN that it is put into; the port's own where absent.
    pub vlan: Option<Vlan>,
    /// What it is.
    pub description: Option<String>,
    /// When it was added.
    #[serde(serialize_with = "some_time")]
    pub created: Timestamp,
    /// When it was changed.
    #[serde(serialize_with = "some_time")]
    pub modified: Timestamp,
}

impl From<DeviceRecord> for DeviceView {
    fn from(record: DeviceRecord) -> Self {
        Self {
            id: record.device,
            address: record.address,
            resources: record.resources,
            vlan: record.vlan,
            description: record.description,
            created: record.created,
            modified: record.modified,
        }
    }
}

impl Directory {
    /// Adds a device.
    ///
    /// # Errors
    /// The address is known, no such resource, the store cannot answer.
    pub async fn add_device(
        &self,
        by: &By,
        new: NewDevice,
    ) -> Result<Done<DeviceView>, DirectoryError> {
        by.admin()?;
        if let Some(text) = &new.description {
            check_description(text)?;
        }
        let settings = self.settings();
        let resources = resources(&settings, &new.resources)?;
        let change = Change::AddDevice(changes::NewDevice {
            device: DeviceId::new(by.now.wall),
            address: new.address,
            resources,
            vlan: new.vlan,
            description: new.description,
        });
        self.apply(by, change).await?;
        self.done(&settings, new.address).await
    }

    /// Sets fields of a device. Which sessions it may keep is looked at anew.
    ///
    /// # Errors
    /// No such device or resource, nothing to set, the store cannot answer.
    pub async fn set_device(
        &self,
        by: &By,
        address: MacAddress,
        set: SetDevice,
    ) -> Result<Done<DeviceView>, DirectoryError> {
        by.admin()?;
        let SetDevice {
            resources: named,
            vlan,
            description,
        } = set;
        if let Some(Some(text)) = &description {
            check_description(text)?;
        }
        let settings = self.settings();
        let patch = DevicePatch {
            resources: named
                .map(|named| resources(&settings, &named))
                .transpose()?,
            vlan,
            description,
        };
        if patch == DevicePatch::default() {
            return Err(DirectoryError::NothingGiven);
        }
        self.apply(by, Change::SetDevice { address, patch }).await?;
        self.done(&settings, address).await
    }

    /// Removes a device; its sessions are ended.
    ///
    /// # Errors
    /// No such device, the store cannot answer.
    pub async fn remove_device(
        &self,
        by: &By,
        address: MacAddress,
    ) -> Result<MacAddress, DirectoryError> {
        by.admin()?;
        self.apply(by, Change::RemoveDevice { address }).await?;
        Ok(address)
    }

    /// A device by its address.
    ///
    /// # Errors
    /// No such device, the store cannot answer.
    pub async fn device(&self, address: MacAddress) -> Result<DeviceView, DirectoryError> {
        let found = self.store.read_device(address).await?;
        found
            .map(DeviceView::from)
            .ok_or_else(|| DirectoryError::NotFound {
                kind: "device",
                name: address.to_string(),
                nearest: None,
            })
    }

    /// Devices, or those of one resource, by address.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn list_devices(
        &self,
        resource: Option<&str>,
    ) -> Result<Vec<DeviceView>, DirectoryError> {
        let wanted = resource.map(str::to_ascii_lowercase);
        let mut views: Vec<DeviceView> = Vec::new();
        let mut after = None;
        loop {
            let page = self.store.devices(after, PAGE).await?;
            let count = page.len();
            after = page.last().map(|record| record.device);
            let of_it = page.into_iter().filter(|record| match &wanted {
                Some(wanted) => record.resources.iter().any(|name| name.folded() == *wanted),
                None => true,
            });
            views.extend(of_it.map(DeviceView::from));
            if count < PAGE {
                views.sort_by_key(|view| view.address);
                return Ok(views);
            }
        }
    }

    async fn done(
        &self,
        settings: &Settings,
        address: MacAddress,
    ) -> Result<Done<DeviceView>, DirectoryError> {
        let view = self.device(address).await?;
        let unreached = view
            .resources
            .iter()
            .filter(|name| !reached(settings, name));
        Ok(Done {
            warnings: unreached
                .cloned()
                .map(Warning::NoClientForDevices)
                .collect(),
            value: view,
        })
    }
}

/// The resources of these names, each once, as the configuration spells them.
fn resources(settings: &Settings, named: &[String]) -> Result<Vec<ResourceName>, DirectoryError> {
    let mut found: Vec<ResourceName> = Vec::new();
    for text in named {
        let resource = ResourceName::parse(text)
            .ok()
            .and_then(|name| settings.resource(&name))
            .ok_or_else(|| no_resource(settings, text))?;
        if !found.contains(&resource.name) {
            found.push(resource.name.clone());
        }
    }
    if found.is_empty() {
        return Err(DirectoryError::BadValue {
            field: "resource",
            value: String::new(),
            expected: "a device is for at least one (remove it: doorward device remove)",
        });
    }
    Ok(found)
}

/// Whether devices can ask for a resource at all.
fn reached(settings: &Settings, resource: &ResourceName) -> bool {
    let folded = resource.folded();
    let clients = settings.doors.clients.iter().map(|door| &door.resources);
    clients.filter(|client| client.mab).any(|client| {
        let by_ssid = client.ssid.iter().map(|(_, name)| name);
        [&client.resource]
            .into_iter()
            .chain(by_ssid)
            .chain(&client.ssid_default)
            .any(|name| name.folded() == folded)
    })
}
