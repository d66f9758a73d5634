//! Bindings (CONTRACT.md 2).

use doorward_store::changes::{Change, ChangeRefused};
use doorward_store::records::BoundTo;

use crate::world::*;

pub(crate) async fn a_user_bound_directly_is_bound(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let bob = add_user(&store, "bob").await;
    apply(&store, Change::Bind(to_user("Alice", "vpn")))
        .await
        .unwrap();
    assert!(bound(&store, alice, "vpn").await);
    assert!(!bound(&store, alice, "mail").await);
    assert!(!bound(&store, bob, "vpn").await);
    assert_eq!(user(&store, alice).await.resources, [resource("vpn")]);
}

pub(crate) async fn a_user_bound_through_nested_groups_is_bound(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    add_group(&store, "outer").await;
    add_group(&store, "inner").await;
    join(&store, "outer", &[], &["inner"]).await.unwrap();
    join(&store, "inner", &["alice"], &[]).await.unwrap();
    for (group, of) in [("outer", "vpn"), ("inner", "mail"), ("outer", "mail")] {
        apply(&store, Change::Bind(to_group(group, of)))
            .await
            .unwrap();
    }
    assert!(bound(&store, alice, "vpn").await);
    assert!(bound(&store, alice, "mail").await);
    assert_eq!(
        user(&store, alice).await.resources,
        ["mail", "vpn"].map(resource)
    );
    // A group inside a bound one is bound, one outside is not.
    let bob = add_user(&store, "bob").await;
    join(&store, "outer", &["bob"], &[]).await.unwrap();
    assert!(bound(&store, bob, "vpn").await);
    apply(&store, Change::Bind(to_group("inner", "wifi")))
        .await
        .unwrap();
    assert!(!bound(&store, bob, "wifi").await);
}

pub(crate) async fn unbinding_closes_at_once(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let before = epoch(&store, alice).await;
    apply(&store, Change::Bind(to_user("alice", "vpn")))
        .await
        .unwrap();
    apply(&store, Change::Unbind(to_user("alice", "VPN")))
        .await
        .unwrap();
    assert!(!bound(&store, alice, "vpn").await);
    let again = apply(&store, Change::Unbind(to_user("alice", "vpn"))).await;
    assert!(matches!(again, Err(ChangeRefused::Nothing(_))));
    // Bindings are read fresh: the epoch has nothing to do with them.
    assert_eq!(epoch(&store, alice).await, before);
}

pub(crate) async fn the_path_names_the_groups_from_the_bound_one_down(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    for name in ["outer", "middle", "inner", "aside"] {
        add_group(&store, name).await;
    }
    join(&store, "outer", &[], &["middle"]).await.unwrap();
    join(&store, "middle", &[], &["inner"]).await.unwrap();
    join(&store, "inner", &["alice"], &[]).await.unwrap();
    join(&store, "aside", &["alice"], &[]).await.unwrap();
    let path = async |of: &str| store.binding_path(alice, &resource(of)).await.unwrap();
    assert_eq!(path("vpn").await, None);
    apply(&store, Change::Bind(to_group("outer", "vpn")))
        .await
        .unwrap();
    let groups = |names: &[&str]| -> Option<Vec<BoundTo>> {
        Some(
            names
                .iter()
                .map(|name| BoundTo::Group(group_name(name)))
                .collect(),
        )
    };
    assert_eq!(path("vpn").await, groups(&["outer", "middle", "inner"]));
    apply(&store, Change::Bind(to_group("aside", "vpn")))
        .await
        .unwrap();
    assert_eq!(path("vpn").await, groups(&["aside"]));
    apply(&store, Change::Bind(to_user("alice", "vpn")))
        .await
        .unwrap();
    assert_eq!(
        path("vpn").await,
        Some(vec![BoundTo::User(username("alice"))])
    );
}

pub(crate) async fn bindings_are_listed_and_not_doubled(fixture: &impl Fixture) {
    let store = fixture.open();
    add_user(&store, "alice").await;
    add_group(&store, "staff").await;
    for binding in [
        to_group("staff", "vpn"),
        to_user("alice", "vpn"),
        to_user("alice", "mail"),
    ] {
        apply(&store, Change::Bind(binding)).await.unwrap();
    }
    let again = apply(&store, Change::Bind(to_user("ALICE", "Vpn"))).await;
    assert!(matches!(again, Err(ChangeRefused::Nothing(_))));
    assert_eq!(
        store.bindings().await.unwrap(),
        [
            to_user("alice", "mail"),
            to_user("alice", "vpn"),
            to_group("staff", "vpn"),
        ]
    );
}
