//! Explanations that need failures and open places (CONTRACT.md 3, 5.6).

use std::time::Duration;

use doorward_directory::{Answer, Explanation, Question};
use doorward_domain::account::Status;
use doorward_domain::refusal::Refusal;

use crate::world::World;

async fn explain(world: &World, resource: &str) -> Explanation {
    let question = Question {
        user: "leo".to_owned(),
        resource: resource.to_owned(),
        from: None,
        at: world.now(),
    };
    world.directory.explain(&question).await.unwrap()
}

async fn guesses(world: &World, number: u32) {
    for guess in 0..number {
        world
            .guess("leo", &format!("a wrong password, number {guess}"))
            .await;
    }
}

#[tokio::test]
async fn a_locked_user_keeps_mail_and_nothing_else() {
    let world = World::new().await;
    world.add("leo").await;
    guesses(&world, 10).await;
    let hosts = explain(&world, "hosts").await;
    assert_eq!(hosts.answer, Answer::Refused);
    assert_eq!(hosts.reason, Some(Refusal::Locked));
    assert_eq!(hosts.status, Status::Locked);
    assert!(hosts.holds[0].way_out.contains("doorward user unlock leo"));
    assert!(
        hosts.holds[0]
            .when
            .as_deref()
            .unwrap()
            .starts_with("since ")
    );
    let mail = explain(&world, "mail").await;
    assert!(mail.grants());
    assert!(!mail.holds[0].closes);
    assert!(
        mail.rule.contains("a locked user is let in (kind email)"),
        "{}",
        mail.rule
    );
    assert!(!mail.counted.counts_here);
}

#[tokio::test]
async fn failures_are_counted_as_places_are_granted() {
    let world = World::new().await;
    world.add("leo").await;
    guesses(&world, 9).await;
    let told = explain(&world, "hosts").await;
    assert!(told.grants());
    assert_eq!((told.counted.failures, told.counted.failures_today), (9, 9));
    assert_eq!((told.counted.threshold, told.counted.daily_cap), (10, 100));
    assert!(told.counted.place_free);

    // Outside the window they count for the day alone.
    world.advance(Duration::from_mins(31));
    let told = explain(&world, "hosts").await;
    assert_eq!((told.counted.failures, told.counted.failures_today), (0, 9));

    world
        .directory
        .unlock_user(&world.by(), "leo")
        .await
        .unwrap();
    assert_eq!(explain(&world, "hosts").await.counted.failures_today, 0);
}

#[tokio::test]
async fn a_tightened_threshold_locks_at_the_next_attempt_and_that_is_said() {
    let world = World::new().await;
    world.add("leo").await;
    guesses(&world, 5).await;
    let tighter = [("lockout.threshold".to_owned(), "5".to_owned())];
    world
        .directory
        .set_policy(&world.by(), &tighter, None)
        .await
        .unwrap();
    let told = explain(&world, "hosts").await;
    assert_eq!(told.answer, Answer::Refused);
    assert_eq!(told.reason, Some(Refusal::Locked));
    assert_eq!(told.status, Status::Active, "not yet");
    assert!(!told.counted.place_free);
    let leo = async || {
        world
            .directory
            .user("leo", world.now())
            .await
            .unwrap()
            .status
    };
    assert_eq!(leo().await, Status::Active);
    world.guess("leo", "another wrong password").await;
    assert_eq!(leo().await, Status::Locked);
}
