//! Devices known by their address alone.

use doorward_domain::device::MacAddress;
use doorward_domain::id::DeviceId;
use doorward_domain::reply::Vlan;
use doorward_store::AttemptStore as _;
use doorward_store::Store;
use doorward_store::changes::{Change, ChangeRefused, DevicePatch, NewDevice};
use doorward_store::records::DeviceRecord;
use serde_json::json;

use crate::world::*;

fn mac(text: &str) -> MacAddress {
    MacAddress::parse(text).unwrap()
}

fn printer() -> NewDevice {
    NewDevice {
        device: DeviceId::new(START),
        address: mac("00:11:22:aa:bb:cc"),
        resources: vec![resource("wired"), resource("Printers")],
        vlan: Some(Vlan::parse("30").unwrap()),
        description: Some("Printer, 2nd floor".to_owned()),
    }
}

async fn find(store: &Store, address: &str) -> Option<DeviceRecord> {
    store.read_device(mac(address)).await.unwrap()
}

pub(crate) async fn a_device_is_kept_changed_and_removed(fixture: &impl Fixture) {
    let store = fixture.open();
    let new = printer();
    let added = apply(&store, Change::AddDevice(new.clone())).await.unwrap();
    assert_eq!(added.event.action, "device.add");
    assert_eq!(added.event.target, "00-11-22-AA-BB-CC");
    assert_eq!(added.event.account, None);
    let expected = DeviceRecord {
        device: new.device,
        address: new.address,
        resources: new.resources.clone(),
        vlan: new.vlan.clone(),
        description: new.description.clone(),
        created: START,
        modified: START,
    };
    let other = fixture.open();
    assert_eq!(find(&other, "001122AABBCC").await, Some(expected.clone()));
    assert_eq!(find(&other, "00-11-22-AA-BB-CD").await, None);

    let again = apply(&store, Change::AddDevice(printer())).await;
    assert!(matches!(again, Err(ChangeRefused::Taken { .. })));

    let later = START.plus(minutes(5));
    let patch = DevicePatch {
        resources: Some(vec![resource("wired")]),
        ..DevicePatch::default()
    };
    let address = new.address;
    let set = apply_at(&store, later, Change::SetDevice { address, patch });
    let event = set.await.unwrap().event;
    assert_eq!(event.before, json!({ "resources": ["wired", "Printers"] }));
    assert_eq!(event.after, json!({ "resources": ["wired"] }));
    let patch = DevicePatch {
        vlan: Some(Some(Vlan::parse("printers").unwrap())),
        description: Some(None),
        ..DevicePatch::default()
    };
    let set = apply_at(&store, later, Change::SetDevice { address, patch });
    set.await.unwrap();
    let changed = find(&store, "0011.22aa.bbcc").await.unwrap();
    assert_eq!(
        changed,
        DeviceRecord {
            resources: vec![resource("wired")],
            vlan: Some(Vlan::parse("printers").unwrap()),
            description: None,
            modified: later,
            ..expected
        }
    );

    let removed = apply(&store, Change::RemoveDevice { address }).await;
    assert_eq!(removed.unwrap().event.action, "device.remove");
    assert_eq!(find(&store, "00-11-22-AA-BB-CC").await, None);
    for change in [
        Change::RemoveDevice { address },
        Change::SetDevice {
            address,
            patch: DevicePatch::default(),
        },
    ] {
        let missing = apply(&store, change).await;
        assert!(matches!(missing, Err(ChangeRefused::NotFound { .. })));
    }
}

pub(crate) async fn devices_come_in_pages(fixture: &impl Fixture) {
    let store = fixture.open();
    for number in 0..5_u8 {
        let new = NewDevice {
            device: DeviceId::new(START.plus(minutes(number.into()))),
            address: MacAddress::from_octets([0, 0, 0, 0, 1, number]).unwrap(),
            ..printer()
        };
        apply(&store, Change::AddDevice(new)).await.unwrap();
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.devices(after, 2).await.unwrap();
        assert!(page.len() <= 2);
        after = page.last().map(|record| record.device);
        found.extend(page.iter().map(|record| record.address.octets()[5]));
        if page.len() < 2 {
            break;
        }
    }
    assert_eq!(found, [0, 1, 2, 3, 4]);
}
