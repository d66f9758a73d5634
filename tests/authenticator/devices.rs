//! Devices that are known by their address alone.

use std::sync::Arc;

use doorward_domain::device::MacAddress;
use doorward_domain::event::{AttemptEvent, Outcome, Subject};
use doorward_domain::id::{DeviceId, RequestId};
use doorward_domain::name::ClientName;
use doorward_domain::origin::Origin;
use doorward_domain::reply::Vlan;
use doorward_domain::resource::ClientResources;
use doorward_domain::time::Clock as _;
use doorward_frontend_api::{DecideDevices as _, DeviceAttempt, DeviceVerdict, Refusal};
use doorward_store::changes::{Change, NewDevice};

use crate::world::{World, resource_name};

fn address(last: u8) -> MacAddress {
    MacAddress::from_octets([0, 0x11, 0x22, 0xaa, 0xbb, last]).unwrap()
}

async fn add(world: &World, last: u8, resource: &str) {
    let new = NewDevice {
        device: DeviceId::new(world.clock.now().wall),
        address: address(last),
        resources: vec![resource_name(resource)],
        vlan: Some(Vlan::parse("30").unwrap()),
        description: None,
    };
    world.apply(Change::AddDevice(new)).await;
}

/// A device that asks for `hosts`.
fn attempt(world: &World, address: MacAddress, mab: bool) -> DeviceAttempt {
    let now = world.clock.now();
    DeviceAttempt {
        request: RequestId::new(now.wall),
        received: now,
        client: Arc::new(ClientResources {
            client: ClientName::parse("switch").unwrap(),
            resource: resource_name("hosts"),
            ssid: Vec::new(),
            ssid_default: None,
            mab,
        }),
        called_station: None,
        address,
        origin: Origin::address("192.0.2.1".parse().unwrap()),
    }
}

async fn decide(world: &World, last: u8, mab: bool) -> DeviceVerdict {
    let attempt = attempt(world, address(last), mab);
    world.authenticator.decide_device(attempt).await.unwrap()
}

async fn refused(world: &World, last: u8, mab: bool) -> Refusal {
    match decide(world, last, mab).await {
        DeviceVerdict::Granted(proof) => panic!("{proof:?}"),
        DeviceVerdict::Refused(reason) => reason,
    }
}

fn about(events: &[AttemptEvent], last: u8) -> Vec<&AttemptEvent> {
    let subject = Subject::Device {
        device: address(last),
    };
    events
        .iter()
        .filter(|event| event.subject == subject)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_device_is_let_in_and_no_other_and_events_say_which() {
    let world = World::with_alice().await;
    add(&world, 1, "HOSTS").await;
    add(&world, 2, "mail").await;
    match decide(&world, 1, true).await {
        DeviceVerdict::Granted(proof) => {
            assert_eq!(proof.address(), address(1));
            assert_eq!(proof.resource(), &resource_name("hosts"));
            let told: Vec<String> = proof.reply().iter().map(ToString::to_string).collect();
            assert_eq!(told.len(), 1);
            assert!(told[0].contains("30"), "{told:?}");
        }
        DeviceVerdict::Refused(reason) => panic!("{reason}"),
    }
    assert_eq!(refused(&world, 1, false).await, Refusal::NoResource);
    assert_eq!(refused(&world, 2, true).await, Refusal::DeviceNotBound);
    for _ in 0..20 {
        assert_eq!(refused(&world, 3, true).await, Refusal::UnknownDevice);
    }
    let events = world.attempts().await;
    let granted = about(&events, 1);
    assert_eq!(granted[0].outcome, Outcome::Granted);
    assert_eq!(granted[0].resource, Some(resource_name("hosts")));
    assert_eq!(granted[0].client, ClientName::parse("switch").ok());
    assert_eq!(about(&events, 2).len(), 1);
    assert_eq!(about(&events, 3).len(), 1, "twenty tries are one event");
    let user = world.user("alice").await;
    assert_eq!(user.facts.locked_since, None);
}

/// One look into the store, and no place in the hashing queue.
#[tokio::test(flavor = "multi_thread")]
async fn unknown_devices_cost_no_hash_and_fill_no_log() {
    let world = Arc::new(World::new());
    let mut tries = tokio::task::JoinSet::new();
    for number in 0..1000_u16 {
        let world = Arc::clone(&world);
        tries.spawn(async move {
            let [high, low] = number.to_be_bytes();
            let address = MacAddress::from_octets([2, 0, 0, 0, high, low]).unwrap();
            let attempt = attempt(&world, address, true);
            world.authenticator.decide_device(attempt).await
        });
    }
    for decided in tries.join_all().await {
        assert!(matches!(
            decided,
            Ok(DeviceVerdict::Refused(Refusal::UnknownDevice))
        ));
    }
    let counted = world.pool.counters();
    assert_eq!(
        (counted.verified(), counted.dummies(), counted.turns()),
        (0, 0, 0)
    );
    let events = world.attempts().await;
    assert!(events.len() <= 2 * 257, "{}", events.len());
    let unnamed = events
        .iter()
        .filter(|event| event.subject == Subject::Devices);
    assert!((1..=2).contains(&unnamed.count()), "of one hour, or of two");
}
