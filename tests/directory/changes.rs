//! Changes and their rights (CONTRACT.md 6).

use std::time::Duration;

use doorward_directory::{By, DirectoryError};
use doorward_domain::event::Actor;
use doorward_domain::name::Username;
use doorward_domain::rules::PolicySettings;
use doorward_frontend_api::Authenticated;
use doorward_frontend_api::{BrokenRule, Changed, Owner};
use doorward_hashing::{Comparison, Lane};
use doorward_store::changes::{ChangeRefused, LinkPurpose, UserPatch};
use doorward_store::records::MailKind;

use crate::world::{OTHER, RIGHT, World, password};

async fn rules(world: &World, changes: &[(&str, &str)]) {
    let changes: Vec<(String, String)> = changes
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    world
        .directory
        .set_policy(&world.by(), &changes, None)
        .await
        .unwrap();
}

fn broken(result: Result<impl Sized, DirectoryError>) -> Vec<BrokenRule> {
    match result {
        Err(DirectoryError::PasswordRefused(broken)) => broken,
        Err(other) => panic!("{other}"),
        Ok(_) => Vec::new(),
    }
}

/// Tells the change, and not the proof.
fn outcome(changed: Result<Changed, DirectoryError>) -> Result<&'static str, DirectoryError> {
    changed.map(|changed| match changed {
        Changed::SessionGoesOn(_) => "goes on",
        Changed::SessionOver => "over",
    })
}

#[tokio::test]
async fn only_administrators_change_others() {
    let world = World::new().await;
    world.add("alice").await;
    let by = By {
        actor: Actor::User {
            username: Username::parse("alice").unwrap(),
        },
        now: world.now(),
    };
    let directory = &world.directory;
    let refused = DirectoryError::NotAllowed;
    assert_eq!(
        directory.unlock_user(&by, "alice").await.unwrap_err(),
        refused
    );
    assert_eq!(
        directory.remove_user(&by, "alice").await.unwrap_err(),
        refused
    );
    let set = directory.set_password(&by, "alice", password(OTHER), false);
    assert_eq!(set.await.unwrap_err(), refused);
    assert_eq!(
        directory.set_policy(&by, &[], None).await.unwrap_err(),
        refused
    );
    let link = directory.make_link(&by, "alice", LinkPurpose::Reset);
    assert_eq!(link.await.unwrap_err(), refused);
}

#[tokio::test]
async fn the_history_is_as_long_as_the_policy_says() {
    let world = World::new().await;
    world.add("alice").await;
    rules(&world, &[("password.history", "2")]).await;
    let set = |text: &'static str| {
        let world = &world;
        async move {
            world
                .directory
                .set_password(&world.by(), "alice", password(text), false)
                .await
        }
    };
    assert_eq!(broken(set(RIGHT).await), [BrokenRule::History(2)]);
    assert_eq!(broken(set(OTHER).await), []);
    assert_eq!(broken(set(RIGHT).await), [BrokenRule::History(2)]);
    assert_eq!(broken(set("marble thunder kettle").await), []);
    assert_eq!(broken(set(RIGHT).await), [], "two others came since");
}

#[tokio::test]
async fn the_minimum_age_hinders_the_owner_and_neither_an_admin_nor_a_required_change() {
    let world = World::new().await;
    world.add("alice").await;
    rules(
        &world,
        &[("password.min_age", "1d"), ("password.history", "0")],
    )
    .await;
    let proof = world.signed_in("alice").await;
    let own = |text: &'static str| {
        let (world, proof) = (&world, &proof);
        async move {
            let change = world.directory.change_own_password(
                Owner::User(proof),
                password(text),
                world.now(),
            );
            outcome(change.await)
        }
    };
    let until = world.now().wall.plus(Duration::from_hours(24));
    assert_eq!(broken(own(OTHER).await), [BrokenRule::MinAge(until)]);
    world
        .directory
        .set_password(&world.by(), "alice", password(RIGHT), false)
        .await
        .unwrap();
    world.advance(Duration::from_hours(24));
    let proof = world.signed_in("alice").await;
    let late =
        world
            .directory
            .change_own_password(Owner::User(&proof), password(OTHER), world.now());
    assert_eq!(broken(outcome(late.await)), []);

    world
        .directory
        .set_password(&world.by(), "alice", password(RIGHT), true)
        .await
        .unwrap();
    let proof = world.may_change("alice").await;
    let owner = Owner::ChangeOnly(&proof);
    let changed = world
        .directory
        .change_own_password(owner, password(OTHER), world.now());
    changed.await.unwrap();
    let again = world
        .directory
        .change_own_password(owner, password(RIGHT), world.now());
    let moved = DirectoryError::Refused(ChangeRefused::Moved);
    assert_eq!(
        outcome(again.await).unwrap_err(),
        moved,
        "a proof is of one epoch"
    );
}

#[tokio::test]
async fn the_session_that_changed_the_password_goes_on_and_no_other() {
    let world = World::new().await;
    world.add("alice").await;
    let asking = world.signed_in("alice").await;
    let other = world.signed_in("alice").await;
    let changed = world
        .directory
        .change_own_password(Owner::User(&asking), password(OTHER), world.now())
        .await;
    let Ok(Changed::SessionGoesOn(renewed)) = changed else {
        panic!("{changed:?}")
    };
    assert!(world.still_granted(&renewed).await);
    assert!(!world.still_granted(&asking).await);
    assert!(!world.still_granted(&other).await);
    // The other session's proof is of the epoch before.
    let late = world.directory.change_own_password(
        Owner::User(&other),
        password("marble thunder kettle"),
        world.now(),
    );
    let moved = DirectoryError::Refused(ChangeRefused::Moved);
    assert_eq!(outcome(late.await).unwrap_err(), moved);
}

#[tokio::test]
async fn changes_of_one_password_come_one_at_a_time() {
    let world = World::new().await;
    world.add("alice").await;
    world.add("bob").await;
    let alice = world.signed_in("alice").await;
    let bob = world.signed_in("bob").await;
    let change = |proof, to| {
        let new = password(to);
        let directory = &world.directory;
        directory.change_own_password(Owner::User(proof), new, world.now())
    };
    // Looked at in this order, and the first goes to the store before the others are.
    let (first, second, others) = tokio::join!(
        biased;
        change(&alice, OTHER),
        change(&alice, "marble thunder kettle"),
        change(&bob, OTHER),
    );
    let Ok(Changed::SessionGoesOn(renewed)) = first else {
        panic!("{first:?}")
    };
    assert_eq!(outcome(second), Err(DirectoryError::Busy));
    assert_eq!(outcome(others), Ok("goes on"));
    // A change that ended, refused or not, makes room.
    for _ in 0..2 {
        assert!(!broken(change(&renewed, OTHER).await).is_empty());
    }
}

/// Each change is an event that is kept as long as any: a user makes no log full of them.
#[tokio::test]
async fn one_s_own_password_changes_so_often_in_a_while() {
    let world = World::new().await;
    world.add("alice").await;
    let mut proof = world.signed_in("alice").await;
    let change = async |proof: Authenticated, new: &str| {
        let new = password(new);
        let now = world.now();
        let owner = Owner::User(&proof);
        match world.directory.change_own_password(owner, new, now).await {
            Ok(Changed::SessionGoesOn(renewed)) => Ok(renewed),
            other => Err((proof, broken(other))),
        }
    };
    let another = |number: u32| format!("marble thunder kettle {number}");
    for number in 0..5 {
        // What changes nothing takes nothing.
        let (same, _) = change(proof, "short").await.unwrap_err();
        proof = change(same, &another(number)).await.unwrap();
    }
    let (kept, refused) = change(proof, &another(5)).await.unwrap_err();
    let again = world.now().wall.plus(Duration::from_mins(10));
    assert_eq!(refused, [BrokenRule::MinAge(again)]);
    world.advance(Duration::from_mins(10));
    let renewed = change(kept, &another(5)).await.unwrap();
    let (_, refused) = change(renewed, &another(6)).await.unwrap_err();
    assert_eq!(refused.len(), 1);
    let mails = world.store.queued_mail(100).await.unwrap();
    assert_eq!(mails.len(), 1, "one of them waits: {mails:?}");
    // An administrator is not hindered.
    world
        .directory
        .set_password(
            &world.by(),
            "alice",
            password("brittle walnut canyon"),
            false,
        )
        .await
        .unwrap();
}

#[tokio::test]
async fn contract_1_whoever_is_locked_does_not_open_the_lock_by_a_change() {
    let world = World::new().await;
    world.add("alice").await;
    let proof = world.signed_in_at("mail", "alice").await;
    for number in 0..PolicySettings::default().lockout.threshold {
        world.guess("alice", &format!("wrong {number}")).await;
    }
    // Mail lets the locked in: there the password is still right.
    let again = world.signed_in_at("mail", "alice").await;
    let change =
        world
            .directory
            .change_own_password(Owner::User(&again), password(OTHER), world.now());
    assert!(matches!(change.await, Err(DirectoryError::Locked(_))));
    let old =
        world
            .directory
            .change_own_password(Owner::User(&proof), password(OTHER), world.now());
    assert!(old.await.is_err());
}

#[tokio::test]
async fn a_changed_password_is_told_by_mail_queued_with_the_change() {
    let world = World::new().await;
    world.add("alice").await;
    world
        .directory
        .set_password(&world.by(), "alice", password(OTHER), false)
        .await
        .unwrap();
    let mails = world.store.queued_mail(10).await.unwrap();
    let kinds: Vec<MailKind> = mails.iter().map(|queued| queued.mail.kind).collect();
    assert_eq!(kinds, [MailKind::PasswordChanged]);
    assert!(!mails[0].mail.details.to_string().contains(OTHER));
}

#[tokio::test]
async fn what_is_stored_is_a_hash_of_the_new_password() {
    let world = World::new().await;
    world.add("alice").await;
    let account = world.directory.user("alice", world.now()).await.unwrap().id;
    let hashes = world.store.password_history(account, 5).await.unwrap();
    assert_eq!(hashes.len(), 1);
    assert!(!hashes[0].expose().contains(RIGHT));
    let compared = world
        .pool
        .of(Lane::Change)
        .verify(hashes[0].clone(), password(RIGHT))
        .await
        .unwrap();
    assert!(matches!(
        compared,
        Comparison::Right {
            needs_rehash: false
        }
    ));
}

#[tokio::test]
async fn a_link_is_for_those_who_can_use_it() {
    let world = World::new().await;
    world.add("alice").await;
    let directory = &world.directory;
    let link = async |purpose| directory.make_link(&world.by(), "alice", purpose).await;
    assert!(matches!(
        link(LinkPurpose::Activation).await.unwrap_err(),
        DirectoryError::HasPassword(_)
    ));
    let made = link(LinkPurpose::Reset).await.unwrap().value;
    assert_eq!(
        made.expires(),
        world.now().wall.plus(Duration::from_hours(1))
    );
    assert!(!format!("{made:?}").contains(made.expose().rsplit('/').next().unwrap()));

    let patch = UserPatch {
        start: Some(Some(world.now().wall.plus(Duration::from_hours(1)))),
        ..UserPatch::default()
    };
    let _ = directory
        .set_user(&world.by(), "alice", patch)
        .await
        .unwrap();
    assert!(matches!(
        link(LinkPurpose::Reset).await.unwrap_err(),
        DirectoryError::LinkWouldNotWork { .. }
    ));
    world.advance(Duration::from_hours(1));
    assert!(
        link(LinkPurpose::Reset).await.is_ok(),
        "the start date came"
    );
}

#[tokio::test]
async fn a_preview_names_those_whose_failures_would_lock_them() {
    let world = World::new().await;
    world.add("alice").await;
    let preview = async |changes: &[(&str, &str)]| {
        let changes: Vec<(String, String)> = changes
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        world
            .directory
            .preview_policy(&changes, None, world.now())
            .await
            .unwrap()
    };
    assert!(
        preview(&[("lockout.threshold", "1")])
            .await
            .affected
            .is_empty()
    );
    for guess in ["wrong guess one", "wrong guess two"] {
        world.guess("alice", guess).await;
    }
    assert!(
        preview(&[("lockout.threshold", "3")])
            .await
            .affected
            .is_empty()
    );
    let touched = preview(&[("lockout.threshold", "2")]).await.affected;
    assert_eq!(touched.len(), 1);
    assert!(touched[0].locks_at_next_attempt);
    assert_eq!(touched[0].status.as_str(), "active");
}
