//! Which sessions their resources no longer admit (CONTRACT.md 2).

use std::sync::Arc;
use std::time::Duration;

use doorward_domain::name::{ClientName, ResourceName};
use doorward_domain::resource::{AccessContext, ClientResources};
use doorward_domain::session::{
    Answered, Happened, Nas, Octets, Particulars, SessionOwner, SessionReport, Usage,
};
use doorward_frontend_api::OnlineSessions as _;
use doorward_frontend_api::coa::PendingCoa;
use doorward_store::changes::UserPatch;

use crate::world::World;

/// A session of alice at a resource, of that name.
async fn begin(world: &World, resource: &str, user_name: &str) {
    let now = world.now().wall;
    let octets = |text: &str| Octets::from(text.as_bytes());
    let client = ClientName::parse("nas").unwrap();
    let report = SessionReport {
        nas: Nas {
            client: client.clone(),
            identity: octets("nas"),
        },
        session: octets(resource),
        happened: Happened::Began,
        at: now,
        received: now,
        owner: SessionOwner::Unknown,
        resource: None,
        particulars: Particulars {
            user_name: octets(user_name),
            source: "192.0.2.1".parse().unwrap(),
            server: None,
            nas_address: None,
            nas_identifier: None,
            nas_port: None,
            calling_station: None,
            called_station: None,
            address: None,
            usage: Usage::default(),
            terminate_cause: None,
        },
    };
    let asking = AccessContext::Radius {
        client: Arc::new(ClientResources {
            client,
            resource: ResourceName::parse(resource).unwrap(),
            ssid: Vec::new(),
            ssid_default: None,
            mab: false,
        }),
        called_station: None,
    };
    let recorded = world.directory.record_session(report, &asking).await;
    recorded.unwrap();
    world.advance(Duration::from_millis(2));
}

async fn world() -> World {
    let world = World::new().await;
    world.add("alice").await;
    begin(&world, "mail", "alice").await;
    begin(&world, "hosts", "Alice@Example.org").await;
    assert_eq!(due(&world).await, [] as [PendingCoa; 0]);
    world
}

async fn due(world: &World) -> Vec<PendingCoa> {
    let look = world.directory.no_longer_admitted(None, world.now()).await;
    look.unwrap().pending
}

async fn names(world: &World) -> Vec<String> {
    let due = due(world).await;
    due.iter().map(|due| due.acct_session.shown()).collect()
}

#[tokio::test]
async fn contract_2_a_lock_ends_no_session_where_locked_users_are_admitted() {
    let world = world().await;
    for number in 0..10 {
        world.guess("alice", &format!("wrong {number}")).await;
    }
    assert_eq!(names(&world).await, ["hosts"]);
    world
        .directory
        .unlock_user(&world.by(), "alice")
        .await
        .unwrap();
    assert_eq!(names(&world).await, [] as [String; 0]);
}

#[tokio::test]
async fn contract_2_suspension_removal_and_a_lost_binding_end_sessions() {
    let suspended = world().await;
    let at = suspended.now().wall;
    let by = suspended.by();
    let suspension = suspended.directory.suspend_user(&by, "alice", at);
    suspension.await.unwrap();
    assert_eq!(names(&suspended).await, ["mail", "hosts"]);
    let removed = world().await;
    let by = removed.by();
    let removal = removed.directory.remove_user(&by, "alice");
    removal.await.unwrap();
    assert_eq!(names(&removed).await, ["mail", "hosts"]);
    let unbound = world().await;
    let users = ["alice".to_owned()];
    let by = unbound.by();
    let leaving = unbound.directory.leave(&by, "staff", &users, &[]);
    leaving.await.unwrap();
    assert_eq!(names(&unbound).await, ["mail", "hosts"]);
}

#[tokio::test]
async fn contract_10_time_alone_ends_sessions() {
    let world = world().await;
    let end = world.now().wall.plus(Duration::from_mins(1));
    let patch = UserPatch {
        end: Some(Some(end)),
        ..UserPatch::default()
    };
    let by = world.by();
    let set = world.directory.set_user(&by, "alice", patch);
    let _warnings = set.await.unwrap();
    assert_eq!(names(&world).await, [] as [String; 0]);
    world.advance(Duration::from_secs(61));
    assert_eq!(names(&world).await, ["mail", "hosts"]);
}

#[tokio::test]
async fn a_look_is_made_where_something_changed_and_each_is_asked_for_once() {
    let world = world().await;
    let directory = &world.directory;
    let before = directory.no_longer_admitted(None, world.now()).await;
    let version = before.unwrap().version;
    let at = world.now().wall;
    directory
        .suspend_user(&world.by(), "alice", at)
        .await
        .unwrap();
    let look = directory
        .no_longer_admitted(Some(version), world.now())
        .await
        .unwrap();
    assert_eq!(look.pending.len(), 2);
    let same = directory.no_longer_admitted(Some(look.version), world.now());
    assert_eq!(same.await.unwrap().pending, []);

    let first = &look.pending[0];
    let claim = async || {
        directory
            .claim_disconnect(first, world.now())
            .await
            .unwrap()
    };
    assert!(claim().await);
    assert!(!claim().await, "somebody asks already");
    assert_eq!(names(&world).await, ["hosts"]);
    let told = directory.disconnected(first, Answered::Unanswered, world.now());
    told.await.unwrap();
    world.advance(Duration::from_secs(61));
    assert_eq!(names(&world).await, ["mail", "hosts"], "asked again later");
    let told = directory.disconnected(first, Answered::Acknowledged, world.now());
    told.await.unwrap();
    assert_eq!(names(&world).await, ["hosts"]);
}
