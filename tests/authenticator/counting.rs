//! CONTRACT.md 3: what counts, what locks, and what parallel guessing cannot gain.

use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use doorward_domain::policy::lockout::{PLACE_LAPSE, place_limits};
use doorward_domain::resource::{Resource, ResourceKind};
use doorward_domain::rules::PolicySettings;
use doorward_domain::time::Clock as _;
use doorward_frontend_api::{Refusal, Undecided, Verdict};
use doorward_hashes::Argon2Parameters;
use doorward_store::changes::Change;

use crate::flood::Flood;
use crate::world::{RIGHT, World, refusal_of, resource_name};

#[tokio::test(flavor = "multi_thread")]
async fn ten_distinct_wrong_passwords_lock_and_no_more_are_compared() {
    let world = World::with_alice().await;
    let before = world.pool.counters().verified();
    for guess in 0..10 {
        let refusal = world
            .refusal("hosts", "alice", &format!("guess {guess}"))
            .await;
        assert_eq!(refusal, Some(Refusal::WrongPassword));
    }
    assert!(world.user("alice").await.facts.locked_since.is_some());
    assert_eq!(
        world.refusal("hosts", "alice", RIGHT).await,
        Some(Refusal::Locked)
    );
    assert_eq!(
        world.refusal("hosts", "alice", "guess 11").await,
        Some(Refusal::Locked)
    );
    assert_eq!(world.pool.counters().verified() - before, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_guesses_is_hashed_no_more_often_than_the_threshold() {
    let world = Arc::new(World::with_alice().await);
    let before = world.pool.counters().verified();
    let guesses: Vec<_> = (0..500)
        .map(|guess| {
            let world = Arc::clone(&world);
            tokio::spawn(async move {
                let attempt = world.attempt("hosts", "alice", &format!("guess {guess}"));
                world.decide(attempt).await
            })
        })
        .collect();
    let right = world.attempt("hosts", "alice", RIGHT);
    let right = world.decide(right).await;
    for guess in guesses {
        match guess.await.unwrap() {
            Ok(verdict) => assert!(refusal_of(verdict).is_some()),
            Err(undecided) => assert_eq!(undecided, Undecided::Busy),
        }
    }
    assert!(world.pool.counters().verified() - before <= 10);
    assert!(world.user("alice").await.facts.locked_since.is_some());
    match right {
        Ok(verdict) => assert!(refusal_of(verdict).is_some()),
        Err(undecided) => assert_eq!(undecided, Undecided::Busy),
    }
    assert_eq!(
        world.refusal("hosts", "alice", RIGHT).await,
        Some(Refusal::Locked)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_wrong_password_a_hundred_times_is_one_guess_and_one_hash() {
    let world = Arc::new(World::with_alice().await);
    let before = world.pool.counters().verified();
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.refusal("hosts", "alice", "old and wrong").await })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap().is_some());
    }
    for _ in 0..50 {
        let refusal = world.refusal("hosts", "alice", "old and wrong").await;
        assert_eq!(refusal, Some(Refusal::RepeatedWrongPassword));
    }
    assert_eq!(world.pool.counters().verified() - before, 1);
    assert_eq!(world.user("alice").await.recent_failures, 1);
    assert_eq!(world.refusal("hosts", "alice", RIGHT).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_whose_senders_are_given_up_count_as_they_would_have() {
    let world = World::with_alice().await;
    let before = world.pool.counters().verified();
    let guess = || Box::pin(world.decide(world.attempt("hosts", "alice", "wrong")));
    let mut context = Context::from_waker(Waker::noop());
    for mut given_up in [guess(), guess()] {
        assert!(given_up.as_mut().poll(&mut context).is_pending());
    }
    world.authenticator.drained().await;
    assert_eq!(world.pool.counters().verified() - before, 1);
    assert_eq!(world.user("alice").await.recent_failures, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_parallel_logins_with_the_right_password_all_succeed() {
    let world = Arc::new(World::with_alice().await);
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.refusal("hosts", "alice", RIGHT).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), None);
    }
    assert_eq!(world.user("alice").await.recent_failures, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_previous_password_is_stale_and_counts_nothing() {
    let world = World::with_alice().await;
    world.set_password("alice", "another fine password").await;
    for _ in 0..100 {
        assert!(world.refusal("hosts", "alice", RIGHT).await.is_some());
    }
    world.authenticator.drained().await;
    let alice = world.user("alice").await;
    assert_eq!(alice.recent_failures, 0);
    assert!(alice.facts.locked_since.is_none());
    assert_eq!(
        world
            .refusal("hosts", "alice", "another fine password")
            .await,
        None
    );
    let reasons = world.reasons().await;
    assert!(reasons.contains(&"stale_password"), "{reasons:?}");
    assert!(!reasons.contains(&"wrong_password"), "{reasons:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_guesses_among_stale_ones_still_lock() {
    let world = World::with_alice().await;
    world.set_password("alice", "another fine password").await;
    assert!(world.refusal("hosts", "alice", RIGHT).await.is_some());
    for guess in 0..10 {
        assert!(
            world
                .refusal("hosts", "alice", &format!("guess {guess}"))
                .await
                .is_some()
        );
    }
    world.authenticator.drained().await;
    assert!(world.user("alice").await.facts.locked_since.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_wrong_passwords_at_mail_lock_nothing() {
    let world = World::with_alice().await;
    for guess in 0..20 {
        assert!(
            world
                .refusal("mail", "alice", &format!("guess {guess}"))
                .await
                .is_some()
        );
    }
    assert!(world.user("alice").await.facts.locked_since.is_none());
    assert_eq!(world.refusal("hosts", "alice", RIGHT).await, None);
    assert_eq!(
        world.refusal("mail", "alice", "guess 21").await,
        Some(Refusal::Throttled),
        "where failures do not count, the throttle acts"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_clears_its_own_origins_failures_and_no_strangers() {
    let world = World::with_alice().await;
    let stranger: IpAddr = "203.0.113.9".parse().unwrap();
    for guess in 0..9 {
        let attempt = world.attempt_from("hosts", "alice", &format!("s {guess}"), stranger);
        assert!(refusal_of(world.decide(attempt).await.unwrap()).is_some());
        assert_eq!(world.refusal("hosts", "alice", RIGHT).await, None);
    }
    let attempt = world.attempt_from("hosts", "alice", "s 9", stranger);
    assert!(refusal_of(world.decide(attempt).await.unwrap()).is_some());
    assert!(world.user("alice").await.facts.locked_since.is_some());

    let other = World::with_alice().await;
    for guess in 0..15 {
        assert!(
            other
                .refusal("hosts", "alice", &format!("o {guess}"))
                .await
                .is_some()
        );
        if guess % 5 == 4 {
            assert_eq!(other.refusal("hosts", "alice", RIGHT).await, None);
        }
    }
    assert!(other.user("alice").await.facts.locked_since.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_outside_the_window_do_not_lock_and_the_daily_cap_does() {
    let world = World::with_alice().await;
    let mut locked_after = None;
    for guess in 0..100 {
        assert!(
            world
                .refusal("hosts", "alice", &format!("slow {guess}"))
                .await
                .is_some()
        );
        if world.user("alice").await.facts.locked_since.is_some() {
            locked_after = Some(guess + 1);
            break;
        }
        world.clock.advance(Duration::from_mins(4));
    }
    assert_eq!(
        locked_after,
        Some(100),
        "seven a window, and a hundred a day"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_while_locked_count_nothing_and_an_unlock_starts_afresh() {
    let world = World::with_alice().await;
    for guess in 0..30 {
        assert!(
            world
                .refusal("hosts", "alice", &format!("guess {guess}"))
                .await
                .is_some()
        );
    }
    let account = world.user("alice").await.account;
    world.apply(Change::Unlock { account }).await;
    assert_eq!(world.user("alice").await.recent_failures, 0);
    for guess in 0..9 {
        assert!(
            world
                .refusal("hosts", "alice", &format!("guess {guess}"))
                .await
                .is_some()
        );
    }
    assert_eq!(world.refusal("hosts", "alice", RIGHT).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_no_relay_is_throttled_over_many_names() {
    let world = World::with_alice().await;
    let stranger: IpAddr = "203.0.113.9".parse().unwrap();
    for guess in 0..40 {
        let attempt = world.attempt_from("hosts", &format!("nobody{guess}"), "x", stranger);
        let refusal = refusal_of(world.decide(attempt).await.unwrap());
        assert_eq!(refusal, Some(Refusal::UnknownUser));
    }
    let attempt = world.attempt_from("hosts", "alice", RIGHT, stranger);
    assert_eq!(
        refusal_of(world.decide(attempt).await.unwrap()),
        Some(Refusal::Throttled)
    );
    assert_eq!(
        world.refusal("hosts", "alice", RIGHT).await,
        None,
        "others are not concerned"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_nobody_waits_for_is_settled_all_the_same() {
    let world = World::with_alice().await;
    let attempt = world.attempt("hosts", "alice", "given up on");
    let gone = tokio::time::timeout(Duration::from_micros(1), world.decide(attempt)).await;
    drop(gone);
    world.authenticator.drained().await;
    assert_eq!(world.user("alice").await.recent_failures, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_3_7_guesses_from_everywhere_at_one_resource_hold_up_no_login_at_another() {
    let world = Arc::new(World::with_alice().await);
    let flood = Flood::at(&world, "hosts", 1500).await;
    let login = world.refusal("mail", "alice", RIGHT);
    let login = tokio::time::timeout(Duration::from_mins(1), login).await;
    assert!(flood.waiting() > 1000, "{} still wait", flood.waiting());
    assert_eq!(login.ok(), Some(None));
    flood.end().await;
}

/// How many guesses at alice at hosts hold a place, and how many were counted.
async fn charged(world: &World) -> (u32, u32) {
    let hosts = Resource::new(resource_name("hosts"), ResourceKind::Endpoint);
    let policy = PolicySettings::default();
    let limits = place_limits(&policy, &hosts, false, world.clock.now());
    let account = world.user("alice").await.account;
    let charged = world.store.charged(account, &limits).await.unwrap();
    (charged.open_counting, charged.failures)
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_3_3_what_waits_until_its_place_lapses_is_busy_and_never_compared() {
    let world = Arc::new(World::with_alice().await);
    let flood = Flood::at(&world, "hosts", 100).await;
    let before = world.pool.counters().verified();
    let guesses = |numbers: std::ops::Range<u32>| {
        numbers
            .map(|number| {
                let world = Arc::clone(&world);
                tokio::spawn(async move {
                    let password = format!("guess {number}");
                    world
                        .decide(world.attempt("hosts", "alice", &password))
                        .await
                })
            })
            .collect::<Vec<_>>()
    };
    let early = guesses(0..10);
    while charged(&world).await.0 < 10 {
        assert!(flood.waiting() > 10, "nothing holds a place yet");
    }
    world.clock.advance(PLACE_LAPSE + Duration::from_secs(1));
    assert_eq!(charged(&world).await, (0, 0), "their places have lapsed");
    let late = guesses(10..20);
    // All places are taken once more, or all that waited is gone.
    while charged(&world).await.0 < 10 && flood.waiting() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let cheap = Argon2Parameters::new(64, 1, 1).unwrap();
    world.pool.set_parameters(cheap);
    let mut verdicts = Vec::new();
    for guess in early.into_iter().chain(late) {
        verdicts.push(guess.await.unwrap());
    }
    assert_eq!(world.pool.counters().verified() - before, 10);
    let late = verdicts.split_off(10);
    for verdict in verdicts {
        assert_eq!(verdict.err(), Some(Undecided::Busy));
    }
    for verdict in late {
        assert!(refusal_of(verdict.unwrap()).is_some());
    }
    assert!(world.pool.counters().overdue() >= 10);
    assert!(world.user("alice").await.facts.locked_since.is_some());
    flood.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remembered_password_dies_with_the_account_s_epoch() {
    let world = World::with_alice().await;
    let before = world.pool.counters().verified();
    let verdict = world
        .decide(world.attempt("hosts", "alice", RIGHT))
        .await
        .unwrap();
    assert!(matches!(verdict, Verdict::Granted(_)));
    assert_eq!(world.refusal("hosts", "alice", RIGHT).await, None);
    assert_eq!(
        world.pool.counters().verified() - before,
        1,
        "the second one was remembered"
    );
    let account = world.user("alice").await.account;
    world.apply(Change::Suspend { account }).await;
    assert_eq!(
        world.refusal("hosts", "alice", RIGHT).await,
        Some(Refusal::Suspended)
    );
}
