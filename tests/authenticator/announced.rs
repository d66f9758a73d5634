//! Attempts that a relay announces are throttled by its client's address (CONTRACT.md 3.6).

use std::net::IpAddr;
use std::time::Duration;

use doorward_domain::id::RequestId;
use doorward_domain::origin::Protocol;
use doorward_domain::time::Clock as _;
use doorward_frontend_api::{
    Announcement, Claim, Conclusion, Leave, PasswordMark, Refusal, Throttles as _,
};

use crate::world::{RIGHT, World, resource_name};

const ATTACKER: &str = "203.0.113.9";
const OWNER: &str = "198.51.100.7";

fn announcement(world: &World, client: &str, login: &str, mark: &str) -> Announcement {
    let received = world.clock.now();
    Announcement {
        request: RequestId::new(received.wall),
        received,
        resource: resource_name("mail"),
        claim: Claim::Typed(login.to_owned()),
        client: client.parse().unwrap(),
        mark: PasswordMark::new(mark.as_bytes()).unwrap(),
    }
}

async fn allow(world: &World, client: &str, login: &str, mark: &str) -> Leave {
    let announcement = announcement(world, client, login, mark);
    world.authenticator.announce(announcement).await.unwrap()
}

async fn report(world: &World, client: &str, login: &str, mark: &str, conclusion: Conclusion) {
    let announcement = announcement(world, client, login, mark);
    let concluded = world.authenticator.conclude(announcement, conclusion);
    concluded.await.unwrap();
}

/// One wrong password by way of the relay: asked, tried over LDAP, reported. False where leave is
/// refused.
async fn wrong(world: &World, client: &str, number: usize) -> bool {
    let mark = format!("{number:04x}");
    let leave = allow(world, client, "alice", &mark).await;
    let conclusion = match leave {
        Leave::Given => {
            let password = format!("guess {number}");
            let refusal = world.refusal("mail", "alice", &password).await;
            let compared = [Refusal::WrongPassword, Refusal::RepeatedWrongPassword];
            assert!(refusal.is_some_and(|refusal| compared.contains(&refusal)));
            Conclusion::Wrong
        }
        Leave::Refused => Conclusion::Uncompared,
    };
    report(world, client, "alice", &mark, conclusion).await;
    leave == Leave::Given
}

#[tokio::test]
async fn contract_3_6_an_attacker_behind_a_relay_runs_dry_and_the_owner_behind_it_does_not() {
    let world = World::with_alice().await;
    let mut compared = 0;
    for number in 0..30 {
        compared += usize::from(wrong(&world, ATTACKER, number).await);
    }
    assert_eq!(compared, 20, "as many as the account's bucket holds");
    assert_eq!(allow(&world, OWNER, "alice", "beef").await, Leave::Given);
    assert_eq!(world.refusal("mail", "alice", RIGHT).await, None);
    report(&world, OWNER, "alice", "beef", Conclusion::Right).await;
    world.clock.advance(Duration::from_mins(1));
    assert!(wrong(&world, ATTACKER, 99).await, "one comes back a minute");
    assert!(!wrong(&world, ATTACKER, 100).await);

    let events = world.attempts().await;
    let throttled: Vec<_> = events
        .iter()
        .filter(|event| event.protocol == Protocol::AuthPolicy)
        .collect();
    assert!(!throttled.is_empty());
    let attacker: IpAddr = ATTACKER.parse().unwrap();
    assert!(throttled.iter().all(|event| {
        event.reason == Some(Refusal::Throttled) && event.origin.source == attacker.into()
    }));
}

#[tokio::test]
async fn what_nobody_announced_draws_from_the_relays_bucket() {
    let world = World::with_alice().await;
    for number in 0..20 {
        let password = format!("guess {number}");
        assert!(world.refusal("mail", "alice", &password).await.is_some());
    }
    let owner = world.refusal("mail", "alice", RIGHT).await;
    assert_eq!(owner, Some(Refusal::Throttled));
}

#[tokio::test]
async fn contract_3_4_the_same_wrong_password_again_is_one_guess() {
    let world = World::with_alice().await;
    for _ in 0..50 {
        assert!(wrong(&world, ATTACKER, 1).await);
    }
    for number in 2..=20 {
        assert!(wrong(&world, ATTACKER, number).await, "guess {number}");
    }
    assert!(!wrong(&world, ATTACKER, 21).await);
    assert!(
        !wrong(&world, ATTACKER, 1).await,
        "nobody guesses on by marks that were paid for"
    );
}

#[tokio::test]
async fn parallel_guesses_are_charged_before_the_first_is_reported() {
    let world = World::with_alice().await;
    let mut given = 0;
    for number in 0..30 {
        let leave = allow(&world, ATTACKER, "alice", &format!("{number:04x}")).await;
        given += usize::from(leave == Leave::Given);
    }
    assert_eq!(given, 20);
}

#[tokio::test]
async fn a_right_password_costs_nothing_however_often_it_is_asked_about() {
    let world = World::with_alice().await;
    for _ in 0..50 {
        for _ in 0..2 {
            assert_eq!(allow(&world, OWNER, "alice", "beef").await, Leave::Given);
        }
        report(&world, OWNER, "alice", "beef", Conclusion::Right).await;
    }
    for number in 0..20 {
        assert!(wrong(&world, OWNER, number).await);
    }
}

#[tokio::test]
async fn a_name_that_nobody_has_runs_dry_as_a_known_one_does() {
    let world = World::with_alice().await;
    for login in ["nobody", "no such name at all"] {
        let mut given = 0;
        for number in 0..30 {
            let mark = format!("{number:04x}");
            if allow(&world, ATTACKER, login, &mark).await == Leave::Given {
                given += 1;
                report(&world, ATTACKER, login, &mark, Conclusion::Wrong).await;
            }
        }
        assert_eq!(given, 20, "{login}");
    }
}

#[tokio::test]
async fn every_spelling_of_a_name_and_every_address_of_a_subscriber_is_one() {
    let world = World::with_alice().await;
    let spellings = [
        "alice",
        "ALICE",
        "alice@example.org",
        "alice@mail.example",
        "EXAMPLE\\alice",
    ];
    let mut given = 0;
    for number in 0..30_usize {
        let client = format!("2001:db8:0:1::{number:x}");
        let login = spellings[number % spellings.len()];
        let leave = allow(&world, &client, login, &format!("{number:04x}")).await;
        given += usize::from(leave == Leave::Given);
    }
    assert_eq!(given, 20);
}

#[tokio::test]
async fn spellings_tell_nobody_whether_a_name_is_somebodys() {
    let world = World::with_alice().await;
    for name in ["alice", "nobody"] {
        let spellings = [
            name.to_owned(),
            name.to_uppercase(),
            format!("{name}@example.org"),
            format!("example\\{name}"),
        ];
        let mut given = 0;
        for number in 0..30 {
            let login = &spellings[number % spellings.len()];
            let client = if name == "alice" { ATTACKER } else { OWNER };
            let mark = format!("{number:04x}");
            // Asked twice before the report, as where several connections try the same password.
            if allow(&world, client, login, &mark).await == Leave::Given {
                let other = &spellings[(number + 1) % spellings.len()];
                assert_eq!(allow(&world, client, other, &mark).await, Leave::Given);
                given += 1;
                report(&world, client, login, &mark, Conclusion::Wrong).await;
            }
        }
        assert_eq!(given, 20, "{name}");
    }
}

#[tokio::test]
async fn an_address_that_guesses_at_many_accounts_runs_dry_too() {
    let world = World::with_alice().await;
    let mut given = 0;
    for number in 0..60 {
        let login = format!("user{number}");
        let leave = allow(&world, ATTACKER, &login, "06d2").await;
        given += usize::from(leave == Leave::Given);
    }
    assert_eq!(given, 40, "as many as a source's bucket holds");
}

/// The owner reads mail by way of the relay all the time; that makes nobody else behind it known.
#[tokio::test]
async fn contract_3_2_a_crowd_of_clients_behind_a_relay_reaches_the_daily_cap() {
    let world = World::with_alice().await;
    let own = async |mark: &str| {
        assert_eq!(allow(&world, OWNER, "alice", mark).await, Leave::Given);
        let refusal = world.refusal("mail", "alice", RIGHT).await;
        let conclusion = match refusal {
            None => Conclusion::Right,
            Some(_) => Conclusion::Wrong,
        };
        report(&world, OWNER, "alice", mark, conclusion).await;
        refusal
    };
    assert_eq!(own("0a").await, None);
    let mut compared = 0;
    for number in 0..150 {
        let (client, mark) = (format!("203.0.113.{number}"), format!("{number:04x}"));
        assert_eq!(allow(&world, &client, "alice", &mark).await, Leave::Given);
        let password = format!("guess {number}");
        let refusal = world.refusal("mail", "alice", &password).await;
        compared += usize::from(refusal == Some(Refusal::WrongPassword));
        report(&world, &client, "alice", &mark, Conclusion::Wrong).await;
    }
    assert!((100..=101).contains(&compared), "{compared} were compared");
    assert_eq!(own("0b").await, None, "where the owner was let in before");
}

#[tokio::test]
async fn contract_3_6_a_throttled_guess_may_match_what_is_remembered_a_hundred_times() {
    let world = World::with_alice().await;
    let guess = async |number: usize| {
        let password = format!("guess {number}");
        assert!(world.refusal("mail", "alice", &password).await.is_some());
    };
    assert_eq!(world.refusal("mail", "alice", RIGHT).await, None);
    // Of the bucket that the relay has for the account, and past it.
    for number in 0..20 + 99 {
        guess(number).await;
    }
    assert_eq!(world.refusal("mail", "alice", RIGHT).await, None);
    for number in 0..100 {
        guess(1000 + number).await;
    }
    let throttled = Some(Refusal::Throttled);
    assert_eq!(world.refusal("mail", "alice", RIGHT).await, throttled);
    world.clock.advance(Duration::from_mins(1));
    assert_eq!(world.refusal("mail", "alice", RIGHT).await, None);
}
