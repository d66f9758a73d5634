//! CONTRACT.md 3.2 and 3.6: guesses count by what of their origin a guesser cannot choose, and an
//! owner keeps what they have where they were let in.

use std::sync::Arc;
use std::time::Duration;

use doorward_domain::origin::{Origin, Protocol};
use doorward_domain::resource::{AccessContext, ClientResources};
use doorward_frontend_api::{Attempt, Refusal, Verdict};
use doorward_store::changes::Change;

use crate::flood::Flood;
use crate::world::{RIGHT, World, refusal_of, resource_name};

const NAS: &str = "192.0.2.1";

/// An attempt through a NAS that tells of a station and of a port or an access point.
fn through(
    world: &World,
    resource: &str,
    (user, password): (&str, &str),
    station: Option<&str>,
    port: Option<&str>,
) -> Attempt {
    Attempt {
        protocol: Protocol::Radius,
        asking: AccessContext::Radius {
            client: Arc::new(ClientResources {
                client: doorward_domain::name::ClientName::parse("nas").unwrap(),
                resource: resource_name(resource),
                ssid: Vec::new(),
                ssid_default: None,
                mab: false,
            }),
            called_station: None,
        },
        origin: Origin {
            source: NAS.parse().unwrap(),
            station: station.map(str::to_owned),
            port: port.map(str::to_owned),
        },
        ..world.attempt(resource, user, password)
    }
}

async fn refusal(world: &World, attempt: Attempt) -> Option<Refusal> {
    refusal_of(world.decide(attempt).await.unwrap())
}

/// The text of a number as a device's address.
fn station(number: u32) -> String {
    let [a, b, c, d] = number.to_be_bytes();
    format!("02-00-{a:02X}-{b:02X}-{c:02X}-{d:02X}")
}

async fn with_networks(users: &[&str]) -> World {
    let world = World::with_alice().await;
    for user in users {
        if *user != "alice" {
            world.add(user, Some(RIGHT)).await;
            world.bind("hosts", user).await;
            world.bind("mail", user).await;
        }
        world.bind("vpn", user).await;
        world.bind("wifi", user).await;
    }
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_3_2_a_stranger_near_the_wifi_shuts_nobody_out_of_anything_else() {
    let world = with_networks(&["alice"]).await;
    // Mail is read from here, and the VPN is used from there.
    assert_eq!(world.refusal("mail", "alice", RIGHT).await, None);
    let before = world.pool.counters().verified();
    for number in 0..300_u32 {
        let password = format!("guess {number}");
        let device = station(number);
        let guess = ("alice", password.as_str());
        let point = Some("00-10-a4-23-19-c0");
        let attempt = through(&world, "wifi", guess, Some(&device), point);
        assert!(refusal(&world, attempt).await.is_some());
    }
    let hashed = world.pool.counters().verified() - before;
    assert!(hashed <= 20, "{hashed} guesses were looked at at once");
    assert_eq!(world.user("alice").await.facts.locked_since, None);
    assert_eq!(world.refusal("hosts", "alice", RIGHT).await, None);
    assert_eq!(world.refusal("mail", "alice", RIGHT).await, None);
    let vpn = through(&world, "vpn", ("alice", RIGHT), Some("203.0.113.7"), None);
    assert_eq!(refusal(&world, vpn).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_3_2_guesses_at_one_account_through_one_nas_are_bounded_in_the_hour() {
    let world = with_networks(&["alice"]).await;
    let before = world.pool.counters().verified();
    for number in 0..360_u32 {
        let (password, device) = (format!("guess {number}"), station(number));
        // Of each guess the guesser chooses the station, and walks from one access point to another.
        let point = station(0x1000 + number % 12);
        let guess = ("alice", password.as_str());
        let attempt = through(&world, "wifi", guess, Some(&device), Some(&point));
        assert!(refusal(&world, attempt).await.is_some());
        world.clock.advance(Duration::from_secs(10));
    }
    let hashed = world.pool.counters().verified() - before;
    assert!((20..=40).contains(&hashed), "{hashed} in an hour");
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_3_2_past_the_daily_cap_an_owner_reads_mail_where_they_did() {
    let world = with_networks(&["alice"]).await;
    assert_eq!(world.refusal("mail", "alice", RIGHT).await, None);
    // A hundred guesses from many places.
    for number in 0..100_u32 {
        let source = std::net::IpAddr::V4((0xc633_6400 | number).into());
        let password = format!("guess {number}");
        let attempt = world.attempt_from("mail", "alice", &password, source);
        assert!(refusal(&world, attempt).await.is_some());
    }
    let elsewhere = "203.0.113.9".parse().unwrap();
    let attempt = world.attempt_from("mail", "alice", RIGHT, elsewhere);
    assert_eq!(refusal(&world, attempt).await, Some(Refusal::Throttled));
    // Whatever is remembered of the right password: another one is as good.
    world.set_password("alice", "another fine password").await;
    let account = world.user("alice").await.account;
    for number in 0..100_u32 {
        let source = std::net::IpAddr::V4((0xc633_6500 | number).into());
        let password = format!("guess {number}");
        let attempt = world.attempt_from("mail", "alice", &password, source);
        assert!(refusal(&world, attempt).await.is_some());
    }
    let here = world.attempt("mail", "alice", "another fine password");
    assert_eq!(refusal(&world, here).await, None);
    assert_eq!(world.user("alice").await.account, account);
    assert_eq!(
        world
            .refusal("hosts", "alice", "another fine password")
            .await,
        None,
        "and nothing is locked"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_3_6_whoever_guesses_at_many_accounts_is_throttled_before_they_are_locked() {
    for station in [Some("203.0.113.9"), Some("203.0.113.9[4500]"), None] {
        let names: Vec<String> = (0..30).map(|number| format!("user{number}")).collect();
        let users: Vec<&str> = names.iter().map(String::as_str).collect();
        let world = with_networks(&users).await;
        for guess in 0..10 {
            for user in &users {
                let password = format!("guess {guess}");
                let attempt = through(&world, "vpn", (user, &password), station, None);
                assert!(refusal(&world, attempt).await.is_some());
            }
        }
        for user in &users {
            for guess in 0..10 {
                let password = format!("again {guess}");
                let attempt = through(&world, "vpn", (user, &password), station, None);
                assert!(refusal(&world, attempt).await.is_some());
            }
        }
        let mut locked = 0;
        for user in &users {
            locked += u32::from(world.user(user).await.facts.locked_since.is_some());
        }
        assert!(locked <= 6, "{locked} were locked from {station:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_3_6_made_up_names_through_a_nas_that_tells_no_addresses_shut_out_no_known_user() {
    let world = with_networks(&["alice"]).await;
    let vpn = |password| through(&world, "vpn", ("alice", password), None, None);
    assert_eq!(refusal(&world, vpn(RIGHT)).await, None);
    for number in 0..200 {
        let name = format!("nobody{number}");
        let attempt = through(&world, "vpn", (&name, "x"), None, None);
        assert!(refusal(&world, attempt).await.is_some());
    }
    let dummies = world.pool.counters().dummies();
    assert!(dummies <= 20, "{dummies} hashes for nobody");
    assert_eq!(refusal(&world, vpn(RIGHT)).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_3_7_known_users_are_let_in_while_made_up_names_fill_the_queue() {
    let world = Arc::new(with_networks(&["alice"]).await);
    assert_eq!(world.refusal("hosts", "alice", RIGHT).await, None);
    // Another password, so that nothing is remembered; the account is known here all the same.
    world.set_password("alice", "another fine password").await;
    // A device that still has the old one.
    for _ in 0..20 {
        assert!(world.refusal("hosts", "alice", RIGHT).await.is_some());
    }
    let flood = Flood::at(&world, "hosts", 800).await;
    let login = world.decide(world.attempt("hosts", "alice", "another fine password"));
    let login = tokio::time::timeout(Duration::from_mins(1), login).await;
    assert!(flood.waiting() > 500, "{} still wait", flood.waiting());
    assert!(matches!(login, Ok(Ok(Verdict::Granted(_)))));
    // And who is refused is no sooner told than the others.
    let wrong = world.decide(world.attempt("hosts", "alice", "a wrong one"));
    let wrong = tokio::time::timeout(Duration::from_secs(2), wrong).await;
    assert!(
        wrong.is_err(),
        "a known user's wrong password skipped the queue"
    );
    flood.end().await;
}

/// Sends guesses, which nobody waits for, and says how many are compared while the strangers have
/// their turn so often; four times as many could go ahead of them.
async fn compared_ahead(
    world: &Arc<World>,
    flood: &Flood,
    guesses: impl Iterator<Item = Attempt>,
    turns: u64,
) -> u64 {
    let before = world.pool.counters().verified();
    for guess in guesses {
        let world = Arc::clone(world);
        tokio::spawn(async move { world.decide(guess).await });
    }
    flood.goes_on_for(turns).await;
    world.pool.counters().verified() - before
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_3_7_guesses_at_the_known_go_no_further_ahead_than_their_origin_may() {
    let names: Vec<String> = (0..40).map(|number| format!("user{number}")).collect();
    let world = Arc::new(World::with_alice().await);
    for name in &names {
        world.add(name, Some(RIGHT)).await;
        world.bind("hosts", name).await;
        assert_eq!(world.refusal("hosts", name, RIGHT).await, None);
    }
    let flood = Flood::at(&world, "hosts", 800).await;
    let guesses = (0..5)
        .flat_map(|guess| {
            names
                .iter()
                .map(move |name| (name, format!("guess {guess}")))
        })
        .map(|(name, password)| world.attempt("hosts", name, &password));
    let ahead = compared_ahead(&world, &flood, guesses, 60).await;
    assert_eq!(ahead, 60, "of 200");
    flood.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_3_7_who_failed_a_few_times_where_they_are_known_waits_with_the_strangers() {
    let world = Arc::new(with_networks(&["alice", "bob"]).await);
    for user in ["alice", "bob"] {
        assert_eq!(world.refusal("hosts", user, RIGHT).await, None);
        world.set_password(user, "another fine password").await;
    }
    let flood = Flood::at(&world, "hosts", 800).await;
    let guesses = (0..9).map(|guess| world.attempt("hosts", "alice", &format!("guess {guess}")));
    assert_eq!(compared_ahead(&world, &flood, guesses, 20).await, 3);
    let attempt = |user| world.attempt("hosts", user, "another fine password");
    let [alice, bob] = ["alice", "bob"].map(attempt);
    let alice = compared_ahead(&world, &flood, [alice].into_iter(), 5).await;
    assert_eq!(alice, 0, "the next one waits, right or wrong");
    let bob = compared_ahead(&world, &flood, [bob].into_iter(), 5).await;
    assert_eq!(bob, 1, "others of the same origin do not");
    flood.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unlock_starts_the_buckets_of_an_account_afresh_and_a_lock_does_not() {
    let world = with_networks(&["alice"]).await;
    for guess in 0..25 {
        let refusal = world
            .refusal("hosts", "alice", &format!("guess {guess}"))
            .await;
        assert!(refusal.is_some());
    }
    let computed = world.pool.counters().verified() + world.pool.counters().dummies();
    assert_eq!(
        computed, 20,
        "ten guesses, and as many more as its bucket had"
    );
    let account = world.user("alice").await.account;
    world.apply(Change::Unlock { account }).await;
    for guess in 0..5 {
        let refusal = world
            .refusal("hosts", "alice", &format!("other {guess}"))
            .await;
        assert_eq!(refusal, Some(Refusal::WrongPassword));
    }
}
