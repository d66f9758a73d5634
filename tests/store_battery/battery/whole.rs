//! The store as a whole: several handles, many commands at once.

use doorward_store::attempts::PlaceAnswer;
use doorward_store::changes::{Change, UserFilter};

use crate::world::*;

pub(crate) async fn a_second_handle_sees_what_the_first_wrote(fixture: &impl Fixture) {
    let first = fixture.open();
    let second = fixture.open();
    let alice = add_user(&first, "alice").await;
    assert_eq!(read(&second, alice).await.username, username("alice"));
    apply(&second, Change::Suspend { account: alice })
        .await
        .unwrap();
    assert!(facts(&first, alice).await.suspended);
    apply(&first, Change::Bind(to_user("alice", "vpn")))
        .await
        .unwrap();
    assert!(bound(&second, alice, "vpn").await);
    apply(&second, Change::Unbind(to_user("alice", "vpn")))
        .await
        .unwrap();
    assert!(!bound(&first, alice, "vpn").await);
}

pub(crate) async fn two_handles_share_one_threshold(fixture: &impl Fixture) {
    let first = fixture.open();
    let second = fixture.open();
    let alice = add_user(&first, "alice").await;
    let attempt = Attempt::new(&first, alice, START).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..60 {
        let store = if number % 2 == 0 {
            first.clone()
        } else {
            second.clone()
        };
        let attempt = attempt.clone();
        tasks.spawn(async move {
            match attempt.take(&store).await {
                PlaceAnswer::Taken(place) => {
                    attempt.settle(&store, Some(place), attempt.wrong()).await;
                    1
                }
                _ => 0,
            }
        });
    }
    let mut compared = 0;
    while let Some(count) = tasks.join_next().await {
        compared += count.unwrap();
    }
    assert_eq!(compared, 3);
    assert!(facts(&second, alice).await.locked_since.is_some());
}

pub(crate) async fn the_directory_version_moves_with_every_change(fixture: &impl Fixture) {
    let store = fixture.open();
    let mut last = store.directory_version().await.unwrap();
    let mut moved = async || {
        let now = store.directory_version().await.unwrap();
        let moved = now > last;
        last = now;
        moved
    };
    let alice = add_user(&store, "alice").await;
    assert!(moved().await);
    add_group(&store, "staff").await;
    assert!(moved().await);
    join(&store, "staff", &["alice"], &[]).await.unwrap();
    assert!(moved().await);
    apply(&store, Change::Bind(to_group("staff", "vpn")))
        .await
        .unwrap();
    assert!(moved().await);
    let attempt = Attempt::new(&store, alice, START).await;
    attempt.fail(&store).await;
    attempt.succeed(&store).await;
    assert!(!moved().await, "attempts are no changes");
    for _ in 0..3 {
        attempt.fail(&store).await;
    }
    assert!(moved().await, "a lock is one");
    let mut policy = doorward_domain::rules::PolicySettings::clone(&store.policy().await.unwrap());
    policy.version += 1;
    apply(&store, Change::SetPolicy(policy)).await.unwrap();
    assert!(moved().await);
}

pub(crate) async fn a_probe_answers(fixture: &impl Fixture) {
    let store = fixture.open();
    for _ in 0..3 {
        store.probe().await.unwrap();
    }
}

pub(crate) async fn many_commands_at_once_are_all_carried_out(fixture: &impl Fixture) {
    let store = fixture.open();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..200 {
        let store = store.clone();
        tasks.spawn(async move {
            // Every other name is asked for twice; one of the two is refused alone.
            let mut user = new_user(&format!("user{}", number / 2));
            user.email = address(&format!("user{number}@example.org"));
            apply(&store, Change::AddUser(user)).await.is_ok()
        });
    }
    let mut added = 0;
    while let Some(answer) = tasks.join_next().await {
        added += usize::from(answer.unwrap());
    }
    assert_eq!(added, 100);
    let users = store.users(&UserFilter::All, None, 1000).await.unwrap();
    assert_eq!(users.len(), 100);
    let mut numbers: Vec<u32> = users.iter().map(|user| user.uid_number).collect();
    numbers.sort_unstable();
    let expected: Vec<u32> = (20_000..20_100).collect();
    assert_eq!(numbers, expected);
    // One for each user, and one for the primary group.
    assert_eq!(store.events(&all_events()).await.unwrap().len(), 101);
}
