//! Reads of devices.

use rusqlite::{Connection, Row};
use uuid::Uuid;

use crate::records::DeviceRecord;
use doorward_domain::device::MacAddress;
use doorward_domain::id::DeviceId;
use doorward_domain::reply::Vlan;

use super::fault::Fault;
use super::rows::{Key, Page, first, instant};

const SELECT: &str =
    "SELECT id, address, resources, vlan, description, created, modified FROM devices";

/// The column of a device's identifier.
pub(super) fn device_key(device: DeviceId) -> Key {
    device.as_uuid().into_bytes()
}

/// A device's identifier out of its column.
pub(super) fn device_id(key: Key) -> DeviceId {
    DeviceId::from_uuid(Uuid::from_bytes(key))
}

/// An address out of its column.
pub(super) fn address(text: &str) -> Result<MacAddress, Fault> {
    MacAddress::parse(text).map_err(|refused| Fault::Damaged(refused.to_string()))
}

/// Devices after the one named.
pub(super) fn list(
    connection: &Connection,
    after_device: Option<DeviceId>,
    most: usize,
) -> Result<Vec<DeviceRecord>, Fault> {
    let behind = after_device.map(device_key);
    Page::new(connection, SELECT, behind, most, device).read("?3", true)
}

/// The device of an address.
pub(super) fn find(
    connection: &Connection,
    address: MacAddress,
) -> Result<Option<DeviceRecord>, Fault> {
    let sql = format!("{SELECT} WHERE address = ?1");
    first(connection, &sql, [address.to_string()], device)
}

fn device(row: &Row<'_>) -> Result<DeviceRecord, Fault> {
    let text: String = row.get(1)?;
    let resources: String = row.get(2)?;
    Ok(DeviceRecord {
        device: device_id(row.get(0)?),
        address: address(&text)?,
        resources: serde_json::from_str(&resources)?,
        vlan: row
            .get::<_, Option<String>>(3)?
            .map(|text| Vlan::parse(&text))
            .transpose()
            .map_err(|refused| Fault::Damaged(refused.to_string()))?,
        description: row.get(4)?,
        created: instant(row, 5)?,
        modified: instant(row, 6)?,
    })
}
