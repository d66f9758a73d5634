//! Reply attributes come with the verdict, of the same read, for RADIUS alone.

use std::sync::Arc;

use doorward_domain::name::{ClientName, GroupName, Username};
use doorward_domain::origin::Protocol;
use doorward_domain::reply::{FilterId, ReplyAttribute, Vlan};
use doorward_domain::resource::{AccessContext, ClientResources};
use doorward_frontend_api::{Attempt, Authenticated, Evidence, Verdict};
use doorward_store::changes::Change;
use doorward_store::records::{BoundTo, ReplyMapping};

use crate::world::{RIGHT, World, resource_name};

fn vlan(number: &str) -> ReplyAttribute {
    ReplyAttribute::Vlan(Vlan::parse(number).unwrap())
}

async fn map(world: &World, of: BoundTo, at: Option<&str>, attribute: ReplyAttribute) {
    let mapping = ReplyMapping {
        of,
        priority: None,
        resource: at.map(resource_name),
        attributes: vec![attribute],
    };
    world.apply(Change::SetReply { mapping, most: 64 }).await;
}

/// The attempt as a RADIUS client sends it.
fn by_radius(world: &World, password: &str) -> Attempt {
    let client = ClientResources {
        client: ClientName::parse("wlc1").unwrap(),
        resource: resource_name("app"),
        ssid: Vec::new(),
        ssid_default: None,
        mab: false,
    };
    Attempt {
        protocol: Protocol::Radius,
        asking: AccessContext::Radius {
            client: Arc::new(client),
            called_station: None,
        },
        ..world.attempt("app", "alice", password)
    }
}

async fn granted(world: &World, attempt: Attempt) -> Authenticated {
    match world.decide(attempt).await {
        Ok(Verdict::Granted(proof)) => proof,
        other => panic!("{other:?}"),
    }
}

fn texts(proof: &Authenticated) -> Vec<String> {
    proof.reply().iter().map(ToString::to_string).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_carries_what_is_mapped_at_its_resource_and_nothing_for_ldap() {
    let world = World::with_alice().await;
    let alice = BoundTo::User(Username::parse("alice").unwrap());
    map(&world, alice.clone(), Some("app"), vlan("20")).await;
    map(&world, alice, Some("mail"), vlan("99")).await;
    let everybody = BoundTo::Group(GroupName::parse("users").unwrap());
    let filter = ReplyAttribute::FilterId(FilterId::parse("staff").unwrap());
    map(&world, everybody, None, filter).await;
    let join = Change::Join {
        group: GroupName::parse("users").unwrap(),
        users: vec![Username::parse("alice").unwrap()],
        groups: Vec::new(),
    };
    world.apply(join).await;
    let proof = granted(&world, by_radius(&world, RIGHT)).await;
    assert_eq!(texts(&proof), ["vlan=20", "filter_id=staff"]);
    let by_ldap = granted(&world, world.attempt("app", "alice", RIGHT)).await;
    assert!(texts(&by_ldap).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_taken_up_again_gets_what_is_mapped_now() {
    let world = World::with_alice().await;
    let alice = || BoundTo::User(Username::parse("alice").unwrap());
    map(&world, alice(), None, vlan("20")).await;
    let proof = granted(&world, by_radius(&world, RIGHT)).await;
    map(&world, alice(), None, vlan("30")).await;
    let again = Attempt {
        evidence: Evidence::Resumed(proof.resumption_grant()),
        ..by_radius(&world, RIGHT)
    };
    assert_eq!(texts(&granted(&world, again).await), ["vlan=30"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shares_a_comparison_gets_attributes_as_well() {
    let world = Arc::new(World::with_alice().await);
    let alice = BoundTo::User(Username::parse("alice").unwrap());
    map(&world, alice, None, vlan("20")).await;
    let together = (0..10).map(|_| {
        let world = Arc::clone(&world);
        tokio::spawn(async move { texts(&granted(&world, by_radius(&world, RIGHT)).await) })
    });
    for one in together.collect::<Vec<_>>() {
        assert_eq!(one.await.unwrap(), ["vlan=20"]);
    }
}
