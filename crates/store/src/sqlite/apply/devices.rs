//! Changes of devices.

use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::changes::{DevicePatch, NewDevice};
use crate::records::DeviceRecord;
use doorward_domain::device::MacAddress;
use doorward_domain::reply::Vlan;
use doorward_domain::time::Timestamp;

use super::super::devices::{device_key, find};
use super::super::fault::Fault;
use super::super::rows::run;
use super::{Changed, differences, not_found, taken};

fn changed(action: &'static str, address: MacAddress, before: Value, after: Value) -> Changed {
    Changed {
        action,
        target: address.to_string(),
        account: None,
        resource: None,
        before,
        after,
    }
}

/// A device as events show it.
fn shown(device: &DeviceRecord) -> Value {
    json!({
        "resources": device.resources,
        "vlan": device.vlan,
        "description": device.description,
    })
}

fn existing(connection: &Connection, address: MacAddress) -> Result<DeviceRecord, Fault> {
    find(connection, address)?.ok_or_else(|| not_found("device", &address))
}

pub(super) fn add(
    connection: &Connection,
    at: Timestamp,
    new: &NewDevice,
) -> Result<Changed, Fault> {
    if find(connection, new.address)?.is_some() {
        return Err(taken("address", &new.address));
    }
    run(
        connection,
        "INSERT INTO devices (id, address, resources, vlan, description, created, modified)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
        params![
            device_key(new.device),
            new.address.to_string(),
            serde_json::to_string(&new.resources)?,
            new.vlan.as_ref().map(Vlan::as_str),
            new.description,
            at.as_millis(),
        ],
    )?;
    let after = shown(&existing(connection, new.address)?);
    Ok(changed("device.add", new.address, Value::Null, after))
}

pub(super) fn set(
    connection: &Connection,
    at: Timestamp,
    address: MacAddress,
    patch: &DevicePatch,
) -> Result<Changed, Fault> {
    let before = existing(connection, address)?;
    let DevicePatch {
        resources,
        vlan,
        description,
    } = patch.clone();
    let after = DeviceRecord {
        resources: resources.unwrap_or_else(|| before.resources.clone()),
        vlan: vlan.unwrap_or_else(|| before.vlan.clone()),
        description: description.unwrap_or_else(|| before.description.clone()),
        ..before.clone()
    };
    run(
        connection,
        "UPDATE devices SET resources = ?2, vlan = ?3, description = ?4, modified = ?5
         WHERE id = ?1",
        params![
            device_key(before.device),
            serde_json::to_string(&after.resources)?,
            after.vlan.as_ref().map(Vlan::as_str),
            after.description,
            at.as_millis(),
        ],
    )?;
    let (before, after) = differences(&shown(&before), &shown(&after));
    Ok(changed("device.set", address, before, after))
}

pub(super) fn remove(connection: &Connection, address: MacAddress) -> Result<Changed, Fault> {
    let before = existing(connection, address)?;
    run(
        connection,
        "DELETE FROM devices WHERE id = ?1",
        [device_key(before.device)],
    )?;
    let shown = shown(&before);
    Ok(changed("device.remove", address, shown, Value::Null))
}
