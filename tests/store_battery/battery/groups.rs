//! Groups, nested eight levels deep.

use doorward_domain::id::GroupId;
use doorward_store::Store;
use doorward_store::changes::{Change, ChangeRefused, GroupFilter, UserFilter};
use doorward_store::records::GroupRecord;

use crate::world::*;

async fn group(store: &Store, name: &str) -> GroupRecord {
    let mut found = store
        .groups(&GroupFilter::Name(name.to_owned()), None, 2)
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    found.remove(0)
}

pub(crate) async fn users_of_nested_groups_are_members(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let bob = add_user(&store, "bob").await;
    for name in ["outer", "middle", "inner"] {
        add_group(&store, name).await;
    }
    join(&store, "outer", &[], &["middle"]).await.unwrap();
    join(&store, "middle", &["bob"], &["inner"]).await.unwrap();
    join(&store, "inner", &["alice"], &[]).await.unwrap();
    assert_eq!(
        user(&store, alice).await.groups,
        ["inner", "middle", "outer"].map(group_name)
    );
    assert_eq!(
        user(&store, bob).await.groups,
        ["middle", "outer"].map(group_name)
    );
    let outer = group(&store, "outer").await;
    assert_eq!(outer.users, ["alice", "bob"].map(username));
    assert!(outer.direct_users.is_empty());
    assert_eq!(outer.groups, [group_name("middle")]);
    let middle = group(&store, "middle").await;
    assert_eq!(middle.users, ["alice", "bob"].map(username));
    assert_eq!(middle.direct_users, [username("bob")]);
    // Membership on two ways is one membership.
    join(&store, "outer", &["alice"], &["inner"]).await.unwrap();
    assert_eq!(user(&store, alice).await.groups.len(), 3);
    assert_eq!(
        group(&store, "outer").await.users,
        ["alice", "bob"].map(username)
    );
}

pub(crate) async fn cycles_are_refused(fixture: &impl Fixture) {
    let store = fixture.open();
    for name in ["one", "two", "three"] {
        add_group(&store, name).await;
    }
    join(&store, "one", &[], &["two"]).await.unwrap();
    join(&store, "two", &[], &["three"]).await.unwrap();
    let cycle = |inner: &str, outer: &str| ChangeRefused::Cycle {
        inner: group_name(inner),
        outer: group_name(outer),
    };
    assert_eq!(
        join(&store, "three", &[], &["one"]).await.unwrap_err(),
        cycle("one", "three")
    );
    assert_eq!(
        join(&store, "two", &[], &["one"]).await.unwrap_err(),
        cycle("one", "two")
    );
    assert_eq!(
        join(&store, "one", &[], &["one"]).await.unwrap_err(),
        cycle("one", "one")
    );
    assert!(group(&store, "three").await.groups.is_empty());
}

pub(crate) async fn groups_nest_eight_levels_and_no_deeper(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    for number in 1..=9 {
        add_group(&store, &format!("level{number}")).await;
    }
    for number in 1..8 {
        join(
            &store,
            &format!("level{number}"),
            &[],
            &[&format!("level{}", number + 1)],
        )
        .await
        .unwrap();
    }
    join(&store, "level8", &["alice"], &[]).await.unwrap();
    apply(&store, Change::Bind(to_group("level1", "vpn")))
        .await
        .unwrap();
    assert_eq!(user(&store, alice).await.groups.len(), 8);
    assert_eq!(group(&store, "level1").await.users, [username("alice")]);
    assert!(bound(&store, alice, "vpn").await);
    assert_eq!(
        store
            .users(&UserFilter::MemberOf("level1".to_owned()), None, 5)
            .await
            .unwrap()
            .len(),
        1
    );
    // Neither inside nor outside is there room for a ninth.
    assert_eq!(
        join(&store, "level8", &[], &["level9"]).await.unwrap_err(),
        ChangeRefused::TooDeep
    );
    assert_eq!(
        join(&store, "level9", &[], &["level1"]).await.unwrap_err(),
        ChangeRefused::TooDeep
    );
    join(&store, "level7", &[], &["level9"]).await.unwrap();
}

pub(crate) async fn joining_and_leaving_twice_is_nothing_new(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    add_user(&store, "bob").await;
    add_group(&store, "staff").await;
    join(&store, "staff", &["alice"], &[]).await.unwrap();
    let again = join(&store, "staff", &["ALICE"], &[]).await;
    assert!(matches!(again, Err(ChangeRefused::Nothing(_))));
    join(&store, "staff", &["alice", "bob"], &[]).await.unwrap();
    let leave = || Change::Leave {
        group: group_name("staff"),
        users: vec![username("alice")],
        groups: Vec::new(),
    };
    apply(&store, leave()).await.unwrap();
    assert!(user(&store, alice).await.groups.is_empty());
    let again = apply(&store, leave()).await;
    assert!(matches!(again, Err(ChangeRefused::Nothing(_))));
    // One name that does not exist refuses them all.
    let refused = join(&store, "staff", &["alice", "nobody"], &[]).await;
    assert!(matches!(refused, Err(ChangeRefused::NotFound { .. })));
    assert!(user(&store, alice).await.groups.is_empty());
}

pub(crate) async fn a_group_is_removed_with_what_hangs_on_it(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    add_group(&store, "outer").await;
    add_group(&store, "staff").await;
    join(&store, "outer", &[], &["staff"]).await.unwrap();
    join(&store, "staff", &["alice"], &[]).await.unwrap();
    apply(&store, Change::Bind(to_group("staff", "vpn")))
        .await
        .unwrap();
    assert!(bound(&store, alice, "vpn").await);
    apply(
        &store,
        Change::RemoveGroup {
            name: group_name("STAFF"),
        },
    )
    .await
    .unwrap();
    assert!(!bound(&store, alice, "vpn").await);
    assert!(user(&store, alice).await.groups.is_empty());
    assert!(store.bindings().await.unwrap().is_empty());
    assert!(group(&store, "outer").await.groups.is_empty());
}

pub(crate) async fn groups_are_found_by_every_filter(fixture: &impl Fixture) {
    let store = fixture.open();
    add_user(&store, "alice").await;
    let outer = GroupId::new(START);
    apply(
        &store,
        Change::AddGroup {
            group: outer,
            name: group_name("Outer"),
            gid_number: Some(70_000),
            description: Some("everybody".to_owned()),
        },
    )
    .await
    .unwrap();
    add_group(&store, "inner").await;
    join(&store, "outer", &[], &["inner"]).await.unwrap();
    join(&store, "inner", &["alice"], &[]).await.unwrap();
    let names = async |filter: GroupFilter| {
        let mut names: Vec<String> = store
            .groups(&filter, None, 10)
            .await
            .unwrap()
            .into_iter()
            .map(|group| group.name.to_string())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(GroupFilter::Id(outer)).await, ["Outer"]);
    assert_eq!(
        names(GroupFilter::Name("OUTER".to_owned())).await,
        ["Outer"]
    );
    assert_eq!(names(GroupFilter::GidNumber(70_000)).await, ["Outer"]);
    assert_eq!(
        names(GroupFilter::HasUser("Alice".to_owned())).await,
        ["Outer", "inner"]
    );
    assert_eq!(
        names(GroupFilter::HasGroup("Inner".to_owned())).await,
        ["Outer"]
    );
    assert_eq!(names(GroupFilter::All).await, ["Outer", "inner", "users"]);
    let read = group(&store, "outer").await;
    assert_eq!(read.description.as_deref(), Some("everybody"));
    assert_eq!((read.created, read.modified), (START, START));
    let page = store.groups(&GroupFilter::All, None, 2).await.unwrap();
    let rest = store
        .groups(&GroupFilter::All, Some(page[1].group), 2)
        .await
        .unwrap();
    assert_eq!((page.len(), rest.len()), (2, 1));
    let taken = apply(
        &store,
        Change::AddGroup {
            group: GroupId::new(START),
            name: group_name("OUTER"),
            gid_number: None,
            description: None,
        },
    )
    .await;
    assert!(matches!(taken, Err(ChangeRefused::Taken { .. })));
}

pub(crate) async fn the_primary_group_is_made_with_the_first_user(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let bob = add_user(&store, "bob").await;
    let users = group(&store, "users").await;
    assert_eq!(user(&store, alice).await.gid_number, users.gid_number);
    assert_eq!(user(&store, bob).await.gid_number, users.gid_number);
    // A primary group is a number; its members are those who joined.
    assert!(users.users.is_empty());
    assert_eq!(actions(&store).await, ["group.add", "user.add", "user.add"]);
}

pub(crate) async fn membership_marks_what_it_touches_as_modified(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let bob = add_user(&store, "bob").await;
    for name in ["outer", "inner", "other"] {
        add_group(&store, name).await;
    }
    join(&store, "outer", &[], &["inner"]).await.unwrap();
    let later = START.plus(minutes(1));
    apply_at(
        &store,
        later,
        Change::Join {
            group: group_name("inner"),
            users: vec![username("alice")],
            groups: Vec::new(),
        },
    )
    .await
    .unwrap();
    assert_eq!(group(&store, "inner").await.modified, later);
    assert_eq!(group(&store, "outer").await.modified, later);
    assert_eq!(group(&store, "other").await.modified, START);
    assert_eq!(user(&store, alice).await.modified, later);
    assert_eq!(user(&store, bob).await.modified, START);
}
