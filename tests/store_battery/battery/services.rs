//! Service accounts (CONTRACT.md 3.8).

use doorward::domain::id::ServiceId;
use doorward::domain::name::ServiceName;
use doorward::store::attempts::ServiceRecord;
use doorward::store::changes::{Change, ChangeRefused};
use doorward::store::{AttemptStore as _, DirectoryStore as _, Store};

use crate::world::*;

fn dovecot() -> ServiceName {
    ServiceName::parse("Dovecot").unwrap()
}

async fn add(store: &impl Store) -> ServiceId {
    let service = ServiceId::new(START);
    apply(
        store,
        Change::AddService {
            service,
            name: dovecot(),
            password: hash("one"),
            may_search: true,
            sources: vec!["10.0.5.10/32".parse().unwrap(), "fd00::/8".parse().unwrap()],
        },
    )
    .await
    .unwrap();
    service
}

async fn read(store: &impl Store) -> ServiceRecord {
    store.read_service("dovecot").await.unwrap().unwrap()
}

async fn rotate(store: &impl Store, new: &str, keep_old: bool) {
    apply(
        store,
        Change::SetServicePassword {
            name: dovecot(),
            password: hash(new),
            keep_old,
        },
    )
    .await
    .unwrap();
}

pub(crate) async fn a_service_account_is_read_back(fixture: &impl Fixture) {
    let store = fixture.open();
    let service = add(&store).await;
    let found = read(&store).await;
    assert_eq!(found.service, service);
    assert_eq!(found.name, dovecot());
    assert_eq!(found.passwords, [hash("one")]);
    assert!(found.may_search);
    assert_eq!(found.sources.len(), 2);
    assert!(store.read_service("other").await.unwrap().is_none());
    let listed = store.services().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].sources, found.sources);
    assert_eq!((listed[0].passwords, listed[0].created), (1, START));
    let again = apply(
        &store,
        Change::AddService {
            service: ServiceId::new(START),
            name: ServiceName::parse("DOVECOT").unwrap(),
            password: hash("x"),
            may_search: false,
            sources: Vec::new(),
        },
    )
    .await;
    assert!(matches!(again, Err(ChangeRefused::Taken { .. })));
}

pub(crate) async fn a_rotation_keeps_two_passwords_at_most(fixture: &impl Fixture) {
    let store = fixture.open();
    add(&store).await;
    let first = read(&store).await.epoch;
    rotate(&store, "two", true).await;
    let found = read(&store).await;
    assert_eq!(found.passwords, ["two", "one"].map(hash));
    assert!(found.epoch > first);
    rotate(&store, "three", true).await;
    assert_eq!(read(&store).await.passwords, ["three", "two"].map(hash));
    rotate(&store, "four", false).await;
    assert_eq!(read(&store).await.passwords, [hash("four")]);
}

pub(crate) async fn a_service_hash_is_replaced(fixture: &impl Fixture) {
    let store = fixture.open();
    let service = add(&store).await;
    rotate(&store, "two", true).await;
    let before = read(&store).await.epoch;
    store
        .rehash_service(service, hash("one"), hash("better"))
        .await
        .unwrap();
    store
        .rehash_service(service, hash("gone"), hash("worse"))
        .await
        .unwrap();
    let found = read(&store).await;
    assert_eq!(found.passwords, ["two", "better"].map(hash));
    assert_eq!(found.epoch, before);
}

pub(crate) async fn a_removed_service_is_gone(fixture: &impl Fixture) {
    let store = fixture.open();
    add(&store).await;
    apply(&store, Change::RemoveService { name: dovecot() })
        .await
        .unwrap();
    assert!(store.read_service("dovecot").await.unwrap().is_none());
    assert!(store.services().await.unwrap().is_empty());
}
