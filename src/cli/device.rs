//! `doorward device`: devices that are let in by their address alone.

use std::process::ExitCode;

use clap::Subcommand;

use doorward_directory::{DeviceView, DirectoryError, NewDevice, SetDevice};
use doorward_domain::device::MacAddress;
use doorward_domain::reply::Vlan;

use super::context::Context;
use super::failure::{self, Failure};
use super::output::{moment, names, warn};
use super::table::Table;

/// What to do with devices.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Add a device: known by its address, without password, account or lock.
    ///
    /// It is let in by RADIUS clients with `mab = true` alone. An address is easily forged: keep
    /// what such a device reaches small.
    Add {
        /// Its address, as 00-11-22-33-44-55, 00:11:22:33:44:55, 0011.2233.4455 or 001122334455.
        address: String,
        /// A resource that it may use; may be given several times.
        #[arg(long = "resource", value_name = "RESOURCE", required = true)]
        resources: Vec<String>,
        /// The VLAN that it is put into, by number or name; the port's own unless given.
        #[arg(long, value_name = "VLAN")]
        vlan: Option<String>,
        /// What it is.
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
    },
    /// List devices.
    List {
        /// Those of this resource.
        #[arg(long, value_name = "RESOURCE")]
        resource: Option<String>,
    },
    /// Show a device.
    Show {
        /// Its address.
        address: String,
    },
    /// Set values of a device: what is given replaces all of its kind, an empty VLAN or
    /// description clears it.
    Set {
        /// Its address.
        address: String,
        /// A resource that it may use; may be given several times.
        #[arg(long = "resource", value_name = "RESOURCE")]
        resources: Vec<String>,
        /// The VLAN that it is put into, by number or name.
        #[arg(long, value_name = "VLAN")]
        vlan: Option<String>,
        /// What it is.
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
    },
    /// Remove a device; its open sessions are ended.
    Remove {
        /// Its address.
        address: String,
    },
}

/// Runs the command.
pub(super) fn run(verb: Verb, context: &Context) -> anyhow::Result<ExitCode> {
    let output = context.output;
    let opened = context.open()?;
    let directory = &opened.directory;
    let parse = |text: &str| MacAddress::parse(text).map_err(DirectoryError::from);
    match verb {
        Verb::Add {
            address,
            resources,
            vlan,
            description,
        } => {
            let new = NewDevice {
                address: parse(&address)?,
                resources,
                vlan: vlan.as_deref().map(read_vlan).transpose()?,
                description,
            };
            let added = opened.wait(directory.add_device(&opened.by(), new))?;
            warn(&added.warnings);
            output.value(&added.value, |device| {
                let resources = names(&device.resources);
                format!("added device {} for {resources}", device.address)
            })?;
        }
        Verb::List { resource } => {
            let devices = opened.wait(directory.list_devices(resource.as_deref()))?;
            let headings = ["ADDRESS", "RESOURCES", "VLAN", "DESCRIPTION", "ADDED"];
            output.list(&devices, &headings, |device| {
                vec![
                    device.address.to_string(),
                    names(&device.resources),
                    device
                        .vlan
                        .as_ref()
                        .map_or_else(|| "-".to_owned(), ToString::to_string),
                    device.description.clone().unwrap_or_default(),
                    moment(device.created),
                ]
            })?;
        }
        Verb::Show { address } => {
            let device = opened.wait(directory.device(parse(&address)?))?;
            output.value(&device, show)?;
        }
        Verb::Set {
            address,
            resources,
            vlan,
            description,
        } => {
            let vlan = vlan.map(|text| match text.as_str() {
                "" => Ok(None),
                text => read_vlan(text).map(Some),
            });
            let set = SetDevice {
                vlan: vlan.transpose()?,
                resources: (!resources.is_empty()).then_some(resources),
                description: description.map(|text| Some(text).filter(|text| !text.is_empty())),
            };
            let set = opened.wait(directory.set_device(&opened.by(), parse(&address)?, set))?;
            warn(&set.warnings);
            output.value(&set.value, show)?;
        }
        Verb::Remove { address } => {
            let removed = opened.wait(directory.remove_device(&opened.by(), parse(&address)?))?;
            output.value(&removed, |address| format!("removed device {address}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read_vlan(text: &str) -> anyhow::Result<Vlan> {
    Vlan::parse(text).map_err(|refused| Failure::error(failure::DATA, refused.to_string()))
}

fn show(device: &DeviceView) -> String {
    let mut table = Table::facts();
    table.fact("device", Some(device.address.to_string()));
    table.fact("description", device.description.clone());
    table.fact("resources", Some(names(&device.resources)));
    table.fact("VLAN", device.vlan.as_ref().map(ToString::to_string));
    table.fact("added", Some(moment(device.created)));
    table.fact("changed", Some(moment(device.modified)));
    table.fact("id", Some(device.id.to_string()));
    table.render()
}
