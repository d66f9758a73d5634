//! Reading as front ends do (CONTRACT.md 2).

use std::time::Duration;

use doorward_directory::Settings;
use doorward_domain::account::Condition;
use doorward_domain::names::{Lists, Part, Portion};
use doorward_domain::policy::asking::Resources;
use doorward_domain::refusal::Refusal;
use doorward_domain::resource::{AccessContext, Override, Resource, ResourceKind};
use doorward_frontend_api::{Group, GroupQuery, Person, PersonQuery, Read as _, Viewer};

use crate::world::{World, asking, resource};

/// What is found, by name: identifiers of one millisecond come in any order.
async fn people(
    world: &World,
    viewer: Viewer<'_>,
    asking: &AccessContext,
    query: &PersonQuery,
) -> Vec<Person> {
    let found = world.directory.people(
        viewer,
        asking,
        query,
        None,
        Portion::whole(100),
        world.now(),
    );
    let mut found = found.await.unwrap();
    found.sort_by(|one, other| one.username.cmp(&other.username));
    found
}

async fn groups(world: &World, viewer: Viewer<'_>, query: &GroupQuery) -> Vec<Group> {
    world
        .directory
        .groups(viewer, query, None, Portion::whole(100))
        .await
        .unwrap()
}

fn names(people: &[Person]) -> Vec<&str> {
    people
        .iter()
        .map(|person| person.username.as_str())
        .collect()
}

#[tokio::test]
async fn a_searching_service_reads_everybody_and_one_that_may_not_nobody() {
    let world = World::new().await;
    world.add("alice").await;
    world.add("bob").await;
    let searches = world.service("sssd", true).await;
    let binds = world.service("printer", false).await;
    let hosts = asking("hosts");
    let all = PersonQuery::All;
    let found = people(&world, Viewer::Service(&searches), &hosts, &all).await;
    assert_eq!(names(&found), ["alice", "bob"]);
    assert!(
        people(&world, Viewer::Service(&binds), &hosts, &all)
            .await
            .is_empty()
    );
    assert_eq!(
        groups(&world, Viewer::Service(&searches), &GroupQuery::All)
            .await
            .len(),
        2
    );
    assert!(
        groups(&world, Viewer::Service(&binds), &GroupQuery::All)
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn a_user_reads_itself_whatever_is_asked() {
    let world = World::new().await;
    world.add("alice").await;
    world.add("bob").await;
    let alice = world.signed_in("alice").await;
    let viewer = Viewer::User(&alice);
    let hosts = asking("hosts");
    let own = people(&world, viewer, &hosts, &PersonQuery::All).await;
    assert_eq!(names(&own), ["alice"]);
    let number = own[0].uid_number;
    for query in [
        PersonQuery::Username("ALICE".to_owned()),
        PersonQuery::Mail("Alice@elsewhere.net".to_owned()),
        PersonQuery::UidNumber(number),
        PersonQuery::MemberOf("Staff".to_owned()),
        PersonQuery::Id(alice.account()),
    ] {
        assert_eq!(
            names(&people(&world, viewer, &hosts, &query).await),
            ["alice"],
            "{query:?}"
        );
    }
    for query in [
        PersonQuery::Username("bob".to_owned()),
        PersonQuery::Mail("bob@elsewhere.net".to_owned()),
        PersonQuery::UidNumber(number + 1),
        PersonQuery::MemberOf("nobody".to_owned()),
    ] {
        assert!(
            people(&world, viewer, &hosts, &query).await.is_empty(),
            "{query:?}"
        );
    }
    assert!(groups(&world, viewer, &GroupQuery::All).await.is_empty());
    let past = world.directory.people(
        viewer,
        &hosts,
        &PersonQuery::All,
        Some(alice.account()),
        Portion::whole(10),
        world.now(),
    );
    assert!(
        past.await.unwrap().is_empty(),
        "the cursor is past the only one"
    );
}

#[tokio::test]
async fn whoever_must_change_reads_itself_too() {
    let world = World::new().await;
    world.add("mona").await;
    world.add("alice").await;
    let patch = doorward_store::changes::UserPatch {
        must_change: Some(true),
        ..Default::default()
    };
    let _ = world
        .directory
        .set_user(&world.by(), "mona", patch)
        .await
        .unwrap();
    let mona = world.may_change("mona").await;
    let viewer = Viewer::ChangeOnly(&mona);
    let own = people(&world, viewer, &asking("hosts"), &PersonQuery::All).await;
    assert_eq!(names(&own), ["mona"]);
    assert_eq!(own[0].standing.refused, None, "it is led to a change");
    let at_mail = people(&world, viewer, &asking("mail"), &PersonQuery::All).await;
    assert_eq!(at_mail[0].standing.refused, Some(Refusal::MustChange));
}

#[tokio::test]
async fn the_standing_is_the_one_at_the_resource_that_asks() {
    let world = World::new().await;
    for name in ["alice", "erin", "susan", "ursula"] {
        world.add(name).await;
    }
    let by = world.by();
    let _ = world
        .directory
        .expire_user(&by, "erin", by.now.wall)
        .await
        .unwrap();
    world
        .directory
        .suspend_user(&by, "susan", by.now.wall)
        .await
        .unwrap();
    world
        .directory
        .leave(&by, "staff", &["ursula".to_owned()], &[])
        .await
        .unwrap();
    let service = world.service("sssd", true).await;
    let viewer = Viewer::Service(&service);
    let refused = async |asking: AccessContext| -> Vec<Option<Refusal>> {
        let found = people(&world, viewer, &asking, &PersonQuery::All).await;
        found.iter().map(|person| person.standing.refused).collect()
    };
    let at_a_resource = [
        None,
        Some(Refusal::Expired),
        Some(Refusal::Suspended),
        Some(Refusal::NotBound),
    ];
    assert_eq!(refused(asking("hosts")).await, at_a_resource);
    assert_eq!(refused(asking("mail")).await, at_a_resource);
    // No `match` holds: nobody gets in, and every entry says so.
    assert_eq!(
        refused(asking("elsewhere")).await,
        [Some(Refusal::NoResource); 4]
    );
    assert_eq!(
        refused(AccessContext::Portal).await,
        [None, None, Some(Refusal::Suspended), None],
        "the portal needs no binding, and leads the expired to a change"
    );
    let erin = PersonQuery::Username("erin".to_owned());
    let erin = people(&world, viewer, &asking("hosts"), &erin)
        .await
        .remove(0);
    assert!(erin.standing.conditions.holds(Condition::Expired));
    assert_eq!(erin.standing.expires_at, Some(by.now.wall));
}

#[tokio::test]
async fn homes_and_shells_are_the_configured_ones_unless_set() {
    let world = World::new().await;
    world.add("alice").await;
    let service = world.service("sssd", true).await;
    let viewer = Viewer::Service(&service);
    let alice = people(&world, viewer, &asking("hosts"), &PersonQuery::All)
        .await
        .remove(0);
    assert_eq!(alice.home, "/srv/home/alice");
    assert_eq!(alice.shell, "/bin/sh");
    assert_eq!(alice.groups.here().unwrap().len(), 1);
    let patch = doorward_store::changes::UserPatch {
        home: Some(Some("/home/a".to_owned())),
        ..Default::default()
    };
    let _ = world
        .directory
        .set_user(&world.by(), "alice", patch)
        .await
        .unwrap();
    let alice = people(&world, viewer, &asking("hosts"), &PersonQuery::All)
        .await
        .remove(0);
    assert_eq!(alice.home, "/home/a");
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repetition() {
    let world = World::new().await;
    for number in 0..7 {
        world.add(&format!("user{number}")).await;
    }
    let service = world.service("sssd", true).await;
    let (hosts, all) = (asking("hosts"), PersonQuery::All);
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let viewer = Viewer::Service(&service);
        let page =
            world
                .directory
                .people(viewer, &hosts, &all, after, Portion::whole(3), world.now());
        let page = page.await.unwrap();
        after = page.last().map(|person| person.account);
        seen.extend(page.iter().map(|person| person.username.to_string()));
        if page.len() < 3 {
            break;
        }
    }
    seen.sort();
    assert_eq!(
        seen,
        (0..7)
            .map(|number| format!("user{number}"))
            .collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_user_alone_is_told_when_the_failures_came() {
    let world = World::new().await;
    world.add("alice").await;
    let service = world.service("sssd", true).await;
    let alice = world.signed_in("alice").await;
    world.guess("alice", "wrong").await;
    let at = world.now().wall;
    world.advance(Duration::from_secs(1));
    let query = PersonQuery::Username("alice".to_owned());
    let failures = async |viewer| {
        let found = people(&world, viewer, &asking("hosts"), &query).await;
        found[0].standing.failures.clone()
    };
    assert_eq!(failures(Viewer::User(&alice)).await, [at]);
    assert!(failures(Viewer::Service(&service)).await.is_empty());
}

#[tokio::test]
async fn a_change_of_policy_is_a_modification_of_every_user() {
    let world = World::new().await;
    world.add("alice").await;
    let service = world.service("sssd", true).await;
    let modified = async || {
        let query = PersonQuery::Username("alice".to_owned());
        people(&world, Viewer::Service(&service), &asking("hosts"), &query)
            .await
            .remove(0)
            .modified
    };
    let before = modified().await;
    world.advance(Duration::from_hours(1));
    assert_eq!(modified().await, before);
    let ageing = [("password.max_age".to_owned(), "30d".to_owned())];
    world
        .directory
        .set_policy(&world.by(), &ageing, None)
        .await
        .unwrap();
    assert_eq!(modified().await, world.now().wall);
}

#[tokio::test]
async fn what_time_alone_changes_is_a_modification_and_expires_only_where_it_closes() {
    let mut settings = Settings::default();
    let allowing = Resource {
        on_expired: Some(Override::Allow),
        ..resource("lenient", ResourceKind::App)
    };
    let world = World::new().await;
    let hosts = resource("hosts", ResourceKind::Endpoint);
    settings.resources = Resources::new(vec![hosts, allowing]);
    world.directory.set_settings(settings);
    world.add("alice").await;
    let service = world.service("sssd", true).await;
    let ageing = [("password.max_age".to_owned(), "30d".to_owned())];
    world
        .directory
        .set_policy(&world.by(), &ageing, None)
        .await
        .unwrap();
    let query = PersonQuery::Username("alice".to_owned());
    let alice = async |listener: &str| {
        let viewer = Viewer::Service(&service);
        people(&world, viewer, &asking(listener), &query)
            .await
            .remove(0)
    };
    let before = alice("hosts").await;
    let expires_at = before.standing.expires_at.unwrap();
    assert_eq!(alice("lenient").await.standing.expires_at, None);
    world.advance(expires_at.since(world.now().wall) + Duration::from_hours(1));
    let after = alice("hosts").await;
    assert!(after.standing.conditions.holds(Condition::Expired));
    assert_eq!(after.modified, expires_at);
    assert!(before.modified < expires_at);
}

#[tokio::test]
async fn long_lists_stand_apart_and_lists_that_nobody_wants_are_left_out() {
    let world = World::new().await;
    for number in 0..6 {
        world.add(&format!("user{number}")).await;
    }
    let service = world.service("sssd", true).await;
    let viewer = Viewer::Service(&service);
    let staff = GroupQuery::Name("staff".to_owned());
    let read = async |lists| {
        let portion = Portion { records: 10, lists };
        let found = world.directory.groups(viewer, &staff, None, portion).await;
        found.unwrap().remove(0)
    };
    let whole = read(Lists::UpTo(6)).await;
    let members = whole.members.here().expect("six fit");
    assert_eq!(members.users.len(), 6);
    assert!(members.users.iter().is_sorted());
    let apart = read(Lists::UpTo(5)).await;
    let Part::Apart { bytes } = apart.members else {
        panic!("{apart:?}")
    };
    assert!(bytes >= members.users.text_bytes());
    let later = world.directory.members_of(viewer, apart.group).await;
    assert_eq!(later.unwrap(), **members);
    assert_eq!(read(Lists::Unasked).await.members, Part::Unasked);

    let (hosts, people) = (asking("hosts"), PersonQuery::All);
    let read = async |lists| {
        let portion = Portion { records: 10, lists };
        let found = world
            .directory
            .people(viewer, &hosts, &people, None, portion, world.now());
        found.await.unwrap().remove(0)
    };
    let apart = read(Lists::UpTo(0)).await;
    assert!(matches!(apart.groups, Part::Apart { .. }));
    let groups = world.directory.groups_of(viewer, apart.account).await;
    let whole = read(Lists::UpTo(1)).await;
    assert_eq!(
        Some(&groups.unwrap()),
        whole.groups.here().map(|list| &**list)
    );
}
