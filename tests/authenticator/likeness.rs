//! CONTRACT.md 5.2: what an attempt costs its source, and what work is done for it, follows from
//! what was sent, never from what the store holds.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use doorward_domain::id::{RequestId, ServiceId};
use doorward_domain::name::{ListenerName, ServiceName};
use doorward_domain::resource::ConnectionContext;
use doorward_domain::time::Clock as _;
use doorward_frontend_api::{
    Decide as _, Refusal, ServiceAttempt, ServiceEvidence, ServiceVerdict, Undecided,
};
use doorward_store::changes::{Change, NewService};

use crate::world::{RIGHT, World, refusal_of};

const STRANGER: &str = "203.0.113.9";

/// The tokens that a source has, by the tests' settings.
const TOKENS: usize = 40;

fn stranger() -> IpAddr {
    STRANGER.parse().unwrap()
}

/// Names that differ in what the store holds of them: an account, a locked one, one without a
/// password, a suspended one, one that is not bound, and none.
const NAMES: [&str; 6] = ["alice", "locked", "pending", "ended", "unbound", "nobody"];

async fn world() -> Arc<World> {
    let world = World::with_alice().await;
    for name in ["locked", "ended", "unbound", "mallory"] {
        world.add(name, Some(RIGHT)).await;
    }
    world.add("pending", None).await;
    for name in ["locked", "ended", "pending", "mallory"] {
        world.bind("hosts", name).await;
        world.bind("mail", name).await;
    }
    for guess in 0..10 {
        let refusal = world
            .refusal("hosts", "locked", &format!("guess {guess}"))
            .await;
        assert!(refusal.is_some());
    }
    assert!(world.user("locked").await.facts.locked_since.is_some());
    let account = world.user("ended").await.account;
    world.apply(Change::Suspend { account }).await;
    Arc::new(world)
}

async fn refused_to(world: &World, resource: &str, name: &str, password: &str) -> Option<Refusal> {
    let attempt = world.attempt_from(resource, name, password, stranger());
    refusal_of(world.decide(attempt).await.unwrap())
}

/// How many tokens the stranger's source still has: guesses at names of their own until one is
/// throttled.
async fn tokens_left(world: &World) -> usize {
    for spent in 0..=TOKENS {
        let name = format!("counted{spent}");
        if refused_to(world, "app", &name, "x").await == Some(Refusal::Throttled) {
            return spent;
        }
    }
    panic!("a source has more tokens than it may");
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_5_2_the_same_wrong_password_costs_its_source_one_token_whoever_it_is_for() {
    for name in NAMES {
        let world = world().await;
        for _ in 0..60 {
            assert!(refused_to(&world, "hosts", name, "x").await.is_some());
        }
        assert_eq!(tokens_left(&world).await, TOKENS - 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_5_2_distinct_wrong_passwords_cost_their_source_a_token_each_whoever_they_are_for()
{
    for resource in ["hosts", "mail"] {
        for name in NAMES {
            let world = world().await;
            for guess in 0..30 {
                let password = format!("x {guess}");
                assert!(
                    refused_to(&world, resource, name, &password)
                        .await
                        .is_some()
                );
            }
            let left = tokens_left(&world).await;
            assert_eq!(left, TOKENS - 30, "{name} at {resource}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_5_2_as_many_hashes_are_computed_whoever_the_guesses_are_for() {
    for resource in ["hosts", "mail"] {
        let mut computed = Vec::new();
        for name in NAMES {
            let world = world().await;
            let hashes = || {
                let counters = world.pool.counters();
                counters.verified() + counters.dummies()
            };
            let before = hashes();
            let mut each = Vec::new();
            for guess in 0..30 {
                let password = format!("x {guess}");
                assert!(
                    refused_to(&world, resource, name, &password)
                        .await
                        .is_some()
                );
                each.push(hashes() - before);
            }
            computed.push((name, each));
        }
        let (_, first) = &computed[0];
        for (name, each) in &computed {
            assert_eq!(each, first, "{name} at {resource}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_5_2_what_was_paid_for_is_paid_for_whatever_became_of_the_account() {
    for name in ["alice", "nobody"] {
        let world = world().await;
        // The tenth locks the account.
        for _ in 0..2 {
            for guess in 0..10 {
                let password = format!("x {guess}");
                assert!(refused_to(&world, "hosts", name, &password).await.is_some());
            }
        }
        assert_eq!(tokens_left(&world).await, TOKENS - 10, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_5_2_each_spelling_of_a_name_is_paid_for_whether_or_not_they_are_one_account_s() {
    for name in ["alice", "nobody"] {
        let world = world().await;
        let address = format!("{name}@mail.example");
        for spelling in [name, &address] {
            assert!(refused_to(&world, "hosts", spelling, "x").await.is_some());
        }
        assert_eq!(tokens_left(&world).await, TOKENS - 2, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_5_2_a_right_password_costs_what_a_wrong_one_does_where_it_is_refused() {
    for password in [RIGHT, "x"] {
        let world = world().await;
        // Remembered as right, and sent by somebody else where it opens nothing.
        assert_eq!(world.refusal("hosts", "mallory", RIGHT).await, None);
        assert!(
            refused_to(&world, "app", "mallory", password)
                .await
                .is_some()
        );
        assert_eq!(tokens_left(&world).await, TOKENS - 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_5_2_what_another_source_guessed_is_paid_for_again() {
    for name in ["alice", "nobody"] {
        let world = world().await;
        assert!(world.refusal("hosts", name, "old").await.is_some());
        assert!(refused_to(&world, "hosts", name, "old").await.is_some());
        assert_eq!(tokens_left(&world).await, TOKENS - 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_5_2_parallel_guesses_are_busy_alike_whoever_they_are_for() {
    let mut busy = Vec::new();
    for name in ["alice", "pending", "nobody"] {
        let world = world().await;
        // Slow enough that all are under way at once.
        let costly = doorward_hashes::Argon2Parameters::new(65_536, 6, 1).unwrap();
        world.pool.set_parameters(costly);
        if name == "alice" {
            world.set_password("alice", RIGHT).await;
        }
        let guesses: Vec<_> = (0..20)
            .map(|guess| {
                let world = Arc::clone(&world);
                tokio::spawn(async move {
                    let source = format!("198.51.100.{guess}").parse().unwrap();
                    let password = format!("x {guess}");
                    world
                        .decide(world.attempt_from("hosts", name, &password, source))
                        .await
                })
            })
            .collect();
        let mut count = 0;
        for guess in guesses {
            match guess.await.unwrap() {
                Ok(verdict) => assert!(refusal_of(verdict).is_some()),
                Err(undecided) => {
                    assert_eq!(undecided, Undecided::Busy);
                    count += 1;
                }
            }
        }
        busy.push(count > 0);
    }
    assert_eq!(
        busy, [busy[0]; 3],
        "an account, one without a password, nobody"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_5_2_what_is_refused_again_takes_a_turn_and_no_hash_also_where_it_is_right() {
    let world = world().await;
    for (name, password) in [
        ("ended", RIGHT),
        ("unbound", RIGHT),
        ("locked", RIGHT),
        ("pending", RIGHT),
        ("alice", "x"),
        ("nobody", RIGHT),
    ] {
        assert!(refused_to(&world, "hosts", name, password).await.is_some());
        let counters = world.pool.counters();
        let before = (
            counters.verified() + counters.dummies(),
            counters.turns(),
            world.reasons().await.len(),
        );
        for _ in 0..5 {
            assert!(refused_to(&world, "hosts", name, password).await.is_some());
        }
        let after = (
            counters.verified() + counters.dummies(),
            counters.turns(),
            world.reasons().await.len(),
        );
        assert_eq!(after.0, before.0, "hashes for {name}");
        assert_eq!(after.1, before.1 + 5, "turns for {name}");
        assert!(
            after.2 <= before.2 + 2,
            "events for {name}: {before:?} {after:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_password_that_was_refused_lets_in_as_soon_as_the_state_does() {
    let world = world().await;
    let refused = || world.refusal("hosts", "unbound", RIGHT);
    assert_eq!(refused().await, Some(Refusal::NotBound));
    assert_eq!(refused().await, Some(Refusal::NotBound));
    world.bind("hosts", "unbound").await;
    assert_eq!(refused().await, None, "the very next attempt");
    let locked = world.user("locked").await.account;
    assert_eq!(
        world.refusal("hosts", "locked", RIGHT).await,
        Some(Refusal::Locked)
    );
    world.apply(Change::Unlock { account: locked }).await;
    assert_eq!(world.refusal("hosts", "locked", RIGHT).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_3_4_a_wrong_password_is_one_guess_for_as_long_as_it_counts() {
    let world = World::with_alice().await;
    for _ in 0..48 {
        assert!(world.refusal("mail", "alice", "old").await.is_some());
        assert!(world.refusal("hosts", "alice", "old").await.is_some());
        world.clock.advance(Duration::from_mins(29));
    }
    let account = world.user("alice").await.account;
    let resource = doorward_domain::resource::Resource::new(
        crate::world::resource_name("hosts"),
        doorward_domain::resource::ResourceKind::Endpoint,
    );
    let policy = doorward_domain::rules::PolicySettings::default();
    let limits = doorward_domain::policy::lockout::place_limits(
        &policy,
        &resource,
        false,
        world.clock.now(),
    );
    let charged = world.store.charged(account, &limits).await.unwrap();
    assert_eq!(charged.failures_today, 1, "one guess in a day");
}

/// How many hashes each of these attempts costs.
async fn hashes_of(world: &World, attempts: impl AsyncFn(usize), count: usize) -> Vec<u64> {
    let counters = world.pool.counters();
    let mut each = Vec::new();
    for number in 0..count {
        let before = counters.verified() + counters.dummies();
        attempts(number).await;
        each.push(counters.verified() + counters.dummies() - before);
    }
    each
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_5_2_what_locked_an_account_is_spared_a_hash_there_as_at_nobody() {
    for resource in ["hosts", "mail"] {
        let mut seen = Vec::new();
        for name in ["alice", "pending", "nobody"] {
            let world = world().await;
            for guess in 0..10 {
                let password = format!("x {guess}");
                assert!(refused_to(&world, "hosts", name, &password).await.is_some());
            }
            if name == "alice" {
                assert!(world.user(name).await.facts.locked_since.is_some());
            }
            let again = async |guess| {
                let password = format!("x {guess}");
                let refusal = refused_to(&world, resource, name, &password).await;
                assert!(refusal.is_some());
            };
            seen.push(hashes_of(&world, again, 10).await);
        }
        assert_eq!(seen, [const { [0; 10] }; 3], "{resource}");
    }
}

/// What is remembered of an account must not tell that two names are one account's, nor that
/// somebody else guessed at it before.
#[tokio::test(flavor = "multi_thread")]
async fn contract_5_2_a_guess_costs_a_hash_until_its_own_source_has_made_it_of_that_name() {
    for name in ["alice", "ended", "nobody"] {
        let world = world().await;
        assert!(world.refusal("hosts", name, "x").await.is_some());
        let address = format!("{name}@mail.example");
        for (spelling, hashes) in [(name, [1, 0]), (&address, [1, 0])] {
            let guess = async |_| {
                assert!(refused_to(&world, "hosts", spelling, "x").await.is_some());
            };
            let seen = hashes_of(&world, guess, 2).await;
            assert_eq!(seen, hashes, "{spelling}");
        }
    }
}

async fn refused_to_service(world: &World, name: &str, password: &[u8]) -> Refusal {
    let attempt = service_attempt(world, name, password);
    match world.authenticator.decide_service(attempt).await.unwrap() {
        ServiceVerdict::Refused(refusal) => refusal,
        ServiceVerdict::Granted(_) => panic!("{name} was let in"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_5_2_guesses_at_a_service_tell_nothing_of_a_user_of_that_name() {
    let mut seen = Vec::new();
    for name in ["alice", "nobody"] {
        let world = world().await;
        for guess in 0..5 {
            let password = format!("x {guess}");
            refused_to_service(&world, name, password.as_bytes()).await;
        }
        let guess = async |guess| {
            let password = format!("x {guess}");
            assert!(refused_to(&world, "hosts", name, &password).await.is_some());
        };
        seen.push(hashes_of(&world, guess, 5).await);
    }
    assert_eq!(seen, [[1; 5], [1; 5]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_5_2_a_services_right_password_costs_as_a_wrong_one_where_it_may_not_come_from() {
    let world = world().await;
    add_service(&world, "search", &["192.0.2.0/24"]).await;
    let mut from_there = service_attempt(&world, "search", RIGHT.as_bytes());
    from_there.circumstances.source =
        doorward_domain::origin::Source::Address("192.0.2.7".parse().unwrap());
    let verdict = world.authenticator.decide_service(from_there).await;
    assert!(matches!(verdict, Ok(ServiceVerdict::Granted(_))));
    for password in ["x", RIGHT, "y"] {
        let guess = async |_| {
            let refusal = refused_to_service(&world, "search", password.as_bytes()).await;
            assert_eq!(refusal, Refusal::ServiceSource);
        };
        assert_eq!(hashes_of(&world, guess, 2).await, [2, 0], "{password}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_3_6_what_is_no_password_costs_a_token_each_time() {
    for service in [false, true] {
        let world = world().await;
        add_service(&world, "search", &[]).await;
        let mut refusals = Vec::new();
        for _ in 0..=TOKENS {
            refusals.push(if service {
                Some(refused_to_service(&world, "search", b"\0").await)
            } else {
                refused_to(&world, "hosts", "alice", "\0").await
            });
        }
        let throttled = refusals.pop().unwrap();
        assert_eq!(throttled, Some(Refusal::Throttled), "a service: {service}");
        let malformed = Some(Refusal::MalformedPassword);
        assert!(refusals.iter().all(|refusal| *refusal == malformed));
    }
}

async fn add_service(world: &World, name: &str, from: &[&str]) {
    let password = world.hash(RIGHT).await;
    world
        .apply(Change::AddService(NewService {
            service: ServiceId::new(world.clock.now().wall),
            name: ServiceName::parse(name).unwrap(),
            password: Some(password),
            certificate: None,
            may_search: true,
            sources: from.iter().map(|net| net.parse().unwrap()).collect(),
        }))
        .await;
}

fn service_attempt(world: &World, name: &str, password: &[u8]) -> ServiceAttempt {
    let now = world.clock.now();
    let listener = ListenerName::parse("hosts").unwrap();
    ServiceAttempt {
        request: RequestId::new(now.wall),
        received: now,
        circumstances: ConnectionContext::new(listener, stranger()),
        evidence: ServiceEvidence::password(name.to_owned(), password),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_5_2_guesses_at_service_accounts_cost_alike_whether_or_not_there_is_one() {
    let mut seen = Vec::new();
    for name in ["search", "elsewhere", "nobody"] {
        let world = World::with_alice().await;
        add_service(&world, "search", &[]).await;
        add_service(&world, "elsewhere", &["192.0.2.0/24"]).await;
        let counters = world.pool.counters();
        let hashes = || counters.verified() + counters.dummies();
        let before = hashes();
        let mut each = Vec::new();
        for password in ["x", "x", "y", "x", "z"] {
            let verdict = world
                .authenticator
                .decide_service(service_attempt(&world, name, password.as_bytes()))
                .await
                .unwrap();
            assert!(matches!(verdict, ServiceVerdict::Refused(_)));
            each.push((hashes() - before, counters.turns()));
        }
        let mut left = 0;
        while refused_to_service(&world, &format!("counted{left}"), b"x").await
            != Refusal::Throttled
        {
            left += 1;
        }
        seen.push((each, left));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
    assert_eq!(seen[0].1, TOKENS - 3);
}

/// Guesses at users come from a host by whoever reaches its sshd; its SSSD binds from there too.
#[tokio::test(flavor = "multi_thread")]
async fn contract_3_8_guesses_at_users_shut_out_no_service_account_of_their_source() {
    let world = world().await;
    add_service(&world, "search", &[]).await;
    let own = async || {
        let attempt = service_attempt(&world, "search", RIGHT.as_bytes());
        let verdict = world.authenticator.decide_service(attempt).await.unwrap();
        matches!(verdict, ServiceVerdict::Granted(_))
    };
    assert!(own().await);
    assert_eq!(tokens_left(&world).await, TOKENS);
    assert_eq!(
        refused_to(&world, "hosts", "alice", "x").await,
        Some(Refusal::Throttled)
    );
    assert!(own().await);
}

/// How soon there is no room may follow from what the store holds: an account's place is taken and
/// given back, a name that nobody has takes none.
#[tokio::test(flavor = "multi_thread")]
async fn contract_5_2_who_is_told_busy_waits_as_who_is_refused() {
    let world = world().await;
    add_service(&world, "search", &[]).await;
    let delay = Duration::from_millis(300);
    world
        .authenticator
        .set_settings(doorward_authenticator::Settings {
            refusal_delay: delay,
            ..crate::world::settings()
        });
    world.pool.close();
    for name in ["alice", "nobody"] {
        let (begun, attempt) = (
            world.clock.now().mono,
            world.attempt_from("hosts", name, "x", stranger()),
        );
        assert!(matches!(world.decide(attempt).await, Err(Undecided::Busy)));
        assert!(world.clock.now().mono.since(begun) >= delay, "{name}");
    }
    for name in ["search", "nobody"] {
        let (begun, attempt) = (world.clock.now().mono, service_attempt(&world, name, b"x"));
        let verdict = world.authenticator.decide_service(attempt).await;
        assert!(matches!(verdict, Err(Undecided::Busy)));
        assert!(world.clock.now().mono.since(begun) >= delay, "{name}");
    }
}
