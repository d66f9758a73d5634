//! Service accounts (CONTRACT.md 3.8).

use doorward_domain::certificate::{CertificateName, CertificateNames};
use doorward_domain::event::EventBody;
use doorward_domain::id::ServiceId;
use doorward_domain::name::ServiceName;
use doorward_store::attempts::ServiceRecord;
use doorward_store::changes::{Change, ChangeRefused, NewService};
use doorward_store::{AttemptStore as _, Store};

use crate::world::*;

fn dovecot() -> ServiceName {
    ServiceName::parse("Dovecot").unwrap()
}

async fn add(store: &Store) -> ServiceId {
    let service = ServiceId::new(START);
    apply(
        store,
        Change::AddService(NewService {
            service,
            name: dovecot(),
            password: Some(hash("one")),
            certificate: None,
            may_search: true,
            sources: vec!["10.0.5.10/32".parse().unwrap(), "fd00::/8".parse().unwrap()],
        }),
    )
    .await
    .unwrap();
    service
}

async fn read(store: &Store) -> ServiceRecord {
    store.read_service("dovecot").await.unwrap().unwrap()
}

async fn rotate(store: &Store, new: &str, keep_old: bool) {
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
        Change::AddService(NewService {
            service: ServiceId::new(START),
            name: ServiceName::parse("DOVECOT").unwrap(),
            password: Some(hash("x")),
            certificate: None,
            may_search: false,
            sources: Vec::new(),
        }),
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

fn certificate(name: &str) -> CertificateName {
    CertificateName::parse(name).unwrap()
}

/// The names of the service accounts that a certificate of these names binds.
async fn bound_by(store: &Store, names: &[&str]) -> Vec<String> {
    let names: CertificateNames = names.iter().map(|name| certificate(name)).collect();
    let found = store.read_services_certified(&names).await.unwrap();
    found.iter().map(|one| one.name.to_string()).collect()
}

async fn map(store: &Store, to: Option<&str>) -> Result<(), ChangeRefused> {
    let change = Change::SetServiceCertificate {
        name: dovecot(),
        certificate: to.map(certificate),
    };
    apply(store, change).await.map(drop)
}

pub(crate) async fn a_certificate_binds_one_service(fixture: &impl Fixture) {
    let store = fixture.open();
    add(&store).await;
    let first = read(&store).await.epoch;
    assert_eq!(bound_by(&store, &["mx1.example.org"]).await, [""; 0]);
    map(&store, Some("MX1.example.org")).await.unwrap();
    let mapped = read(&store).await;
    assert!(mapped.epoch > first);
    assert_eq!(mapped.passwords, [hash("one")]);
    let listed = store.services().await.unwrap();
    assert_eq!(listed[0].certificate, Some(certificate("MX1.example.org")));
    // Once, however many of its names say so, and by no other name.
    let names = ["other", "mx1.EXAMPLE.org", "mx1.example.org"];
    assert_eq!(bound_by(&store, &names).await, ["Dovecot"]);
    assert_eq!(bound_by(&store, &["dovecot", "mx2"]).await, [""; 0]);
    // The same one again, in another spelling, is no other.
    map(&store, Some("mx1.example.org")).await.unwrap();

    let another = |name: &str, certificate_name: &str| {
        Change::AddService(NewService {
            service: ServiceId::new(START),
            name: ServiceName::parse(name).unwrap(),
            password: None,
            certificate: Some(certificate(certificate_name)),
            may_search: false,
            sources: Vec::new(),
        })
    };
    let taken = apply(&store, another("postfix", "Mx1.Example.Org")).await;
    assert!(matches!(taken, Err(ChangeRefused::Taken { .. })));
    apply(&store, another("postfix", "mx2.example.org"))
        .await
        .unwrap();
    let postfix = store.read_service("postfix").await.unwrap().unwrap();
    assert!(postfix.passwords.is_empty());
    let taken = map(&store, Some("mx2.example.org")).await;
    assert!(matches!(taken, Err(ChangeRefused::Taken { .. })));
    let both = ["mx1.example.org", "mx2.example.org"];
    assert_eq!(bound_by(&store, &both).await, ["Dovecot", "postfix"]);

    // Taken away, it is free for another.
    map(&store, None).await.unwrap();
    assert!(read(&store).await.epoch > mapped.epoch);
    assert_eq!(bound_by(&store, &both).await, ["postfix"]);
    apply(&store, another("imap", "mx1.example.org"))
        .await
        .unwrap();
    let missing = Change::SetServiceCertificate {
        name: ServiceName::parse("nobody").unwrap(),
        certificate: None,
    };
    let missing = apply(&store, missing).await;
    assert!(matches!(missing, Err(ChangeRefused::NotFound { .. })));

    let events = store.events(&all_events()).await.unwrap();
    let told: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.body {
            EventBody::Change(change) if change.action == "service.set_certificate" => {
                Some((change.before.clone(), change.after.clone()))
            }
            _ => None,
        })
        .collect();
    let expected = (
        serde_json::json!({ "certificate": "mx1.example.org" }),
        serde_json::json!({ "certificate": null }),
    );
    assert!(told.contains(&expected), "{told:?}");
}
