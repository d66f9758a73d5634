//! CONTRACT.md 2 and 5 through the authenticator: states, bindings, names, and access that does
//! not outlive its ground.

use doorward_domain::name::Username;
use doorward_frontend_api::{Attempt, Decide as _, Evidence, Refusal, Verdict};
use doorward_store::changes::{Change, UserPatch};
use doorward_store::records::{Binding, BoundTo};

use crate::world::{RIGHT, World, refusal_of, resource_name};

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_user_reads_mail_and_nothing_else() {
    let world = World::with_alice().await;
    for guess in 0..10 {
        assert!(
            world
                .refusal("hosts", "alice", &format!("guess {guess}"))
                .await
                .is_some()
        );
    }
    assert_eq!(world.refusal("mail", "alice", RIGHT).await, None);
    assert_eq!(
        world.refusal("hosts", "alice", RIGHT).await,
        Some(Refusal::Locked)
    );
    assert_eq!(
        world.refusal("app", "alice", RIGHT).await,
        Some(Refusal::Locked)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_user_gets_nothing_and_a_reset_clears_lock_and_expiry() {
    let world = World::with_alice().await;
    let alice = world.user("alice").await;
    world
        .apply(Change::Expire {
            account: alice.account,
            by: alice.created,
        })
        .await;
    for resource in ["hosts", "mail", "app"] {
        assert_eq!(
            world.refusal(resource, "alice", RIGHT).await,
            Some(Refusal::Expired)
        );
    }
    for guess in 0..10 {
        assert!(
            world
                .refusal("hosts", "alice", &format!("guess {guess}"))
                .await
                .is_some()
        );
    }
    assert_eq!(
        world.refusal("mail", "alice", RIGHT).await,
        Some(Refusal::Expired)
    );
    world
        .apply(Change::Unlock {
            account: alice.account,
        })
        .await;
    assert_eq!(
        world.refusal("hosts", "alice", RIGHT).await,
        Some(Refusal::Expired),
        "an unlock leaves the expiry alone"
    );
    world.set_password("alice", "another fine password").await;
    assert_eq!(
        world
            .refusal("hosts", "alice", "another fine password")
            .await,
        None
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_binding_no_access() {
    let world = World::with_alice().await;
    world.add("bob", Some(RIGHT)).await;
    world.bind("mail", "bob").await;
    assert_eq!(world.refusal("mail", "bob", RIGHT).await, None);
    assert_eq!(
        world.refusal("hosts", "bob", RIGHT).await,
        Some(Refusal::NotBound)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_type_a_name_is_the_same_account() {
    let world = World::with_alice().await;
    let names = [
        "alice",
        "ALICE",
        "EXAMPLE\\alice",
        "alice@example.org",
        "Alice@Mail.example",
    ];
    for name in names {
        assert_eq!(world.refusal("hosts", name, RIGHT).await, None, "{name}");
    }
    for (guess, name) in names.iter().cycle().take(10).enumerate() {
        assert!(
            world
                .refusal("hosts", name, &format!("guess {guess}"))
                .await
                .is_some()
        );
    }
    assert!(
        world.user("alice").await.facts.locked_since.is_some(),
        "with the same counter"
    );
    assert_eq!(
        world.refusal("hosts", "OTHER\\alice", RIGHT).await,
        Some(Refusal::MalformedName)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn must_change_is_a_change_only_session_where_the_client_asked_and_else_a_refusal() {
    let world = World::with_alice().await;
    let account = world.user("alice").await.account;
    let patch = UserPatch {
        must_change: Some(true),
        ..UserPatch::default()
    };
    world.apply(Change::SetUser { account, patch }).await;
    assert_eq!(
        world.refusal("hosts", "alice", RIGHT).await,
        Some(Refusal::MustChange)
    );
    assert_eq!(
        world.refusal("mail", "alice", RIGHT).await,
        Some(Refusal::MustChange)
    );
    let mut attempt = world.attempt("hosts", "alice", RIGHT);
    attempt.asked_for_password_policy = true;
    let verdict = world.decide(attempt).await.unwrap();
    let Verdict::ChangeOnly(proof) = verdict else {
        panic!("{verdict:?}")
    };
    assert!(world.authenticator.still_change_only(&proof).await.unwrap());
    world.set_password("alice", "another fine password").await;
    assert!(!world.authenticator.still_change_only(&proof).await.unwrap());
    let mut attempt = world.attempt("mail", "alice", "another fine password");
    attempt.asked_for_password_policy = true;
    assert_eq!(refusal_of(world.decide(attempt).await.unwrap()), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn access_does_not_outlive_its_ground() {
    for end in ["suspend", "unbind", "password"] {
        let world = World::with_alice().await;
        let verdict = world
            .decide(world.attempt("hosts", "alice", RIGHT))
            .await
            .unwrap();
        let Verdict::Granted(proof) = verdict else {
            panic!("{verdict:?}")
        };
        assert!(world.authenticator.still_granted(&proof).await.unwrap());
        let account = world.user("alice").await.account;
        match end {
            "suspend" => world.apply(Change::Suspend { account }).await,
            "unbind" => {
                let binding = Binding {
                    resource: resource_name("hosts"),
                    to: BoundTo::User(proof.username().clone()),
                };
                world.apply(Change::Unbind(binding)).await;
            }
            _ => world.set_password("alice", "another fine password").await,
        }
        assert!(
            !world.authenticator.still_granted(&proof).await.unwrap(),
            "{end}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_users_cost_a_hash_too() {
    let world = World::with_alice().await;
    let before = world.pool.counters().dummies();
    assert_eq!(
        world.refusal("hosts", "nobody", "x").await,
        Some(Refusal::UnknownUser)
    );
    world.add("pending", None).await;
    assert_eq!(
        world.refusal("hosts", "pending", "x").await,
        Some(Refusal::PasswordPending)
    );
    assert_eq!(world.pool.counters().dummies() - before, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_looks_at_no_password_costs_no_more_hashes_than_guesses_would() {
    let world = World::with_alice().await;
    world.add("pending", None).await;
    let before = world.pool.counters().dummies();
    for guess in 0..60 {
        let password = format!("guess {guess}");
        let refusal = world.refusal("hosts", "pending", &password).await;
        assert_eq!(refusal, Some(Refusal::PasswordPending));
    }
    // The account's bucket holds twenty, and one a minute comes back.
    let dummies = world.pool.counters().dummies() - before;
    assert!((20..=22).contains(&dummies), "{dummies}");
    // Another account of the same source has its own.
    assert_eq!(world.refusal("hosts", "alice", RIGHT).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_with_a_nul_or_of_no_length_is_refused_and_counts_nothing() {
    let world = World::with_alice().await;
    for password in ["", "correct\0horse", &"x".repeat(1025)] {
        let refusal = world.refusal("hosts", "alice", password).await;
        assert_eq!(refusal, Some(Refusal::MalformedPassword));
    }
    assert_eq!(world.user("alice").await.recent_failures, 0);
}

/// An attempt to take up again what the right password was granted.
async fn again(world: &World, resource: &str) -> Attempt {
    let attempt = world.attempt(resource, "alice", RIGHT);
    let Ok(Verdict::Granted(proof)) = world.decide(attempt.clone()).await else {
        panic!("not granted")
    };
    Attempt {
        evidence: Evidence::Resumed(proof.resumption_grant()),
        ..attempt
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_taken_up_again_is_granted_while_its_ground_holds() {
    let world = World::with_alice().await;
    let attempt = again(&world, "hosts").await;
    for _ in 0..3 {
        let verdict = world.decide(attempt.clone()).await;
        let Ok(Verdict::Granted(proof)) = verdict else {
            panic!("{verdict:?}")
        };
        assert_eq!(proof.username().as_str(), "alice");
        assert_eq!(proof.resource().unwrap().as_str(), "hosts");
    }
    // It is decided for whatever asks now, not for what asked then.
    let world = World::with_alice().await;
    let mut attempt = again(&world, "hosts").await;
    world.add("bob", Some(RIGHT)).await;
    attempt.asking = world.attempt("nowhere", "alice", RIGHT).asking;
    assert_eq!(
        refusal_of(world.decide(attempt).await.unwrap()),
        Some(Refusal::NoResource)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_not_taken_up_again_after_a_lock_or_any_other_change() {
    let world = World::with_alice().await;
    let attempt = again(&world, "hosts").await;
    for guess in 0..10 {
        assert!(
            world
                .refusal("hosts", "alice", &format!("guess {guess}"))
                .await
                .is_some()
        );
    }
    assert_eq!(
        refusal_of(world.decide(attempt.clone()).await.unwrap()),
        Some(Refusal::Locked)
    );
    // The lock opens and the session stays over.
    let account = world.user("alice").await.account;
    world.apply(Change::Unlock { account }).await;
    assert_eq!(
        refusal_of(world.decide(attempt).await.unwrap()),
        Some(Refusal::SessionOver)
    );

    let attempt = again(&world, "hosts").await;
    world.set_password("alice", "another good password").await;
    assert_eq!(
        refusal_of(world.decide(attempt).await.unwrap()),
        Some(Refusal::SessionOver)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_not_taken_up_again_by_an_account_that_is_gone_or_lost_its_binding() {
    let world = World::with_alice().await;
    let attempt = again(&world, "hosts").await;
    let hosts = Binding {
        resource: resource_name("hosts"),
        to: BoundTo::User(Username::parse("alice").unwrap()),
    };
    world.apply(Change::Unbind(hosts)).await;
    assert_eq!(
        refusal_of(world.decide(attempt.clone()).await.unwrap()),
        Some(Refusal::NotBound)
    );
    let account = world.user("alice").await.account;
    world.apply(Change::RemoveUser { account }).await;
    assert_eq!(
        refusal_of(world.decide(attempt).await.unwrap()),
        Some(Refusal::UnknownUser)
    );
}
