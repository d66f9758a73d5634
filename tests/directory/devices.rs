//! Sessions of devices that are known by their address alone.

use std::sync::Arc;

use doorward_directory::{NewDevice, SetDevice, Settings};
use doorward_domain::device::MacAddress;
use doorward_domain::name::{ClientName, ResourceName};
use doorward_domain::resource::{AccessContext, ClientResources};
use doorward_domain::session::{
    Happened, Nas, Octets, Particulars, SessionOwner, SessionReport, Usage,
};
use doorward_frontend_api::OnlineSessions as _;
use doorward_frontend_api::coa::PendingCoa;

use crate::world::World;

fn address() -> MacAddress {
    MacAddress::parse("00-11-22-AA-BB-CC").unwrap()
}

/// A world with a device for `hosts` and an open session of it.
async fn world() -> World {
    let world = World::new().await;
    let new = NewDevice {
        address: address(),
        resources: vec!["hosts".to_owned()],
        vlan: None,
        description: None,
    };
    let added = world.directory.add_device(&world.by(), new).await.unwrap();
    assert_eq!(added.warnings.len(), 1, "no client lets devices in");
    let (now, octets) = (world.now().wall, |text: &str| Octets::from(text.as_bytes()));
    let client = ClientName::parse("switch").unwrap();
    let report = SessionReport {
        nas: Nas {
            client: client.clone(),
            identity: octets("switch"),
        },
        session: octets("0001"),
        happened: Happened::Began,
        at: now,
        received: now,
        owner: SessionOwner::Address(address()),
        resource: None,
        particulars: Particulars {
            user_name: octets("001122aabbcc"),
            source: "192.0.2.1".parse().unwrap(),
            server: None,
            nas_address: None,
            nas_identifier: None,
            nas_port: None,
            calling_station: Some(octets("00-11-22-AA-BB-CC")),
            called_station: None,
            address: None,
            usage: Usage::default(),
            terminate_cause: None,
        },
    };
    let asking = AccessContext::Radius {
        client: Arc::new(ClientResources {
            client,
            resource: ResourceName::parse("hosts").unwrap(),
            ssid: Vec::new(),
            ssid_default: None,
            mab: true,
        }),
        called_station: None,
    };
    let recorded = world.directory.record_session(report, &asking).await;
    recorded.unwrap();
    assert_eq!(due(&world).await, 0);
    world
}

async fn due(world: &World) -> usize {
    let look = world.directory.no_longer_admitted(None, world.now()).await;
    look.unwrap().pending.len()
}

#[tokio::test]
async fn a_device_loses_its_sessions_with_their_resource() {
    let world = world().await;
    world.directory.set_settings(Settings::default());
    let look = world.directory.no_longer_admitted(None, world.now()).await;
    let reasons: Vec<_> = look
        .unwrap()
        .pending
        .iter()
        .map(PendingCoa::reason)
        .collect();
    assert_eq!(reasons, ["resource_removed"]);
}

#[tokio::test]
async fn a_device_that_is_removed_or_moved_elsewhere_loses_its_sessions() {
    let removed = world().await;
    let by = removed.by();
    let removal = removed.directory.remove_device(&by, address());
    removal.await.unwrap();
    assert_eq!(due(&removed).await, 1);

    let moved = world().await;
    let set = async |resource: &str| {
        let set = SetDevice {
            resources: Some(vec![resource.to_owned()]),
            ..SetDevice::default()
        };
        let by = moved.by();
        let _warned = moved
            .directory
            .set_device(&by, address(), set)
            .await
            .unwrap();
    };
    set("mail").await;
    assert_eq!(due(&moved).await, 1);
    set("HOSTS").await;
    assert_eq!(due(&moved).await, 0);
}
