//! Service accounts, by password and by client certificate (CONTRACT.md 3.8).

use std::net::IpAddr;
use std::sync::Arc;

use doorward_domain::certificate::{CertificateName, CertificateNames};
use doorward_domain::event::Subject;
use doorward_domain::id::{RequestId, ServiceId};
use doorward_domain::name::{ListenerName, ServiceName};
use doorward_domain::resource::ConnectionContext;
use doorward_domain::time::Clock as _;
use doorward_frontend_api::{
    AuthenticatedService, Decide as _, Refusal, ServiceAttempt, ServiceEvidence, ServiceVerdict,
};
use doorward_store::changes::{Change, NewService};

use crate::flood::Flood;
use crate::world::{RIGHT, World};

const HERE: &str = "127.0.0.1";

fn certificate(name: &str) -> CertificateName {
    CertificateName::parse(name).unwrap()
}

fn shown(names: &[&str], acting_as: Option<&str>) -> ServiceEvidence {
    ServiceEvidence::Certificate {
        names: Arc::new(
            names
                .iter()
                .map(|name| certificate(name))
                .collect::<CertificateNames>(),
        ),
        acting_as: acting_as.map(str::to_owned),
    }
}

async fn add(world: &World, name: &str, bound_by: &str, from: &[&str]) {
    world
        .apply(Change::AddService(NewService {
            service: ServiceId::new(world.clock.now().wall),
            name: ServiceName::parse(name).unwrap(),
            password: None,
            certificate: Some(certificate(bound_by)),
            may_search: true,
            sources: from.iter().map(|net| net.parse().unwrap()).collect(),
        }))
        .await;
}

async fn map(world: &World, name: &str, to: Option<&str>) {
    world
        .apply(Change::SetServiceCertificate {
            name: ServiceName::parse(name).unwrap(),
            certificate: to.map(certificate),
        })
        .await;
}

fn attempt(world: &World, source: &str, evidence: ServiceEvidence) -> ServiceAttempt {
    let now = world.clock.now();
    let listener = ListenerName::parse("hosts").unwrap();
    let source: IpAddr = source.parse().unwrap();
    ServiceAttempt {
        request: RequestId::new(now.wall),
        received: now,
        circumstances: ConnectionContext::new(listener, source),
        evidence,
    }
}

async fn decide(world: &World, source: &str, evidence: ServiceEvidence) -> ServiceVerdict {
    let attempt = attempt(world, source, evidence);
    world.authenticator.decide_service(attempt).await.unwrap()
}

async fn granted(world: &World, evidence: ServiceEvidence) -> AuthenticatedService {
    match decide(world, HERE, evidence).await {
        ServiceVerdict::Granted(proof) => proof,
        ServiceVerdict::Refused(refusal) => panic!("{refusal}"),
    }
}

async fn refused(world: &World, source: &str, evidence: ServiceEvidence) -> Refusal {
    match decide(world, source, evidence).await {
        ServiceVerdict::Granted(proof) => panic!("{}", proof.name()),
        ServiceVerdict::Refused(refusal) => refusal,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_binds_the_service_account_it_was_mapped_to_and_no_other() {
    let world = World::new();
    add(&world, "dovecot", "MX1.example.org", &[]).await;
    add(&world, "postfix", "mx2.example.org", &[]).await;
    for acting_as in [None, Some("Dovecot")] {
        let proof = granted(&world, shown(&["mx1.example.org", "imap"], acting_as)).await;
        assert_eq!(proof.name().as_str(), "dovecot");
        assert!(proof.may_search());
    }
    for (names, acting_as) in [
        // Its own name is no mapping.
        (&["dovecot"][..], None),
        (&["dovecot"], Some("dovecot")),
        (&["mx3.example.org"], None),
        (&[], None),
        // Another's.
        (&["mx1.example.org"], Some("postfix")),
        (&["mx1.example.org"], Some("nobody")),
        (&["mx1.example.org"], Some("")),
        // Of two, neither is meant.
        (&["mx1.example.org", "mx2.example.org"], None),
    ] {
        let refusal = refused(&world, HERE, shown(names, acting_as)).await;
        assert_eq!(refusal, Refusal::UnknownCertificate, "{names:?}");
    }
    let both = ["mx1.example.org", "mx2.example.org"];
    let proof = granted(&world, shown(&both, Some("postfix"))).await;
    assert_eq!(proof.name().as_str(), "postfix");

    let events = world.attempts().await;
    let named = |text: &str| {
        let subject = Subject::Certificate {
            certificate: text.to_owned(),
        };
        events.iter().any(|event| event.subject == subject)
    };
    assert!(named("mx3.example.org"), "{events:?}");
    assert!(named("mx1.example.org, mx2.example.org"), "{events:?}");
    // One event an account and minute.
    let granted = events.iter().filter(|event| event.reason.is_none());
    assert_eq!(granted.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_counts_only_from_the_service_accounts_sources() {
    let world = World::new();
    add(&world, "dovecot", "mx1.example.org", &["192.0.2.0/24"]).await;
    let evidence = || shown(&["mx1.example.org"], None);
    let elsewhere = refused(&world, "198.51.100.1", evidence()).await;
    assert_eq!(elsewhere, Refusal::ServiceSource);
    let verdict = decide(&world, "192.0.2.7", evidence()).await;
    assert!(matches!(verdict, ServiceVerdict::Granted(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_that_goes_takes_its_sessions_along() {
    let world = World::new();
    add(&world, "dovecot", "mx1.example.org", &[]).await;
    let evidence = || shown(&["mx1.example.org"], None);
    let stands =
        async |proof: &AuthenticatedService| world.authenticator.still_bound(proof).await.unwrap();
    let first = granted(&world, evidence()).await;
    assert!(stands(&first).await);
    map(&world, "dovecot", Some("mx2.example.org")).await;
    assert!(!stands(&first).await);
    let refusal = refused(&world, HERE, evidence()).await;
    assert_eq!(refusal, Refusal::UnknownCertificate);
    let second = granted(&world, shown(&["mx2.example.org"], None)).await;
    assert!(stands(&second).await);
    map(&world, "dovecot", None).await;
    assert!(!stands(&second).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_no_guesses_and_take_no_tokens() {
    let world = World::new();
    add(&world, "dovecot", "mx1.example.org", &[]).await;
    // More than the source's bucket holds.
    for _ in 0..60 {
        let refusal = refused(&world, "192.0.2.1", shown(&["mx3.example.org"], None)).await;
        assert_eq!(refusal, Refusal::UnknownCertificate);
    }
    // However many, they are one event a minute.
    assert!(world.attempts().await.len() <= 2);
    let verdict = decide(&world, "192.0.2.1", shown(&["mx1.example.org"], None)).await;
    assert!(matches!(verdict, ServiceVerdict::Granted(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_binds_an_account_that_has_none() {
    let world = World::new();
    add(&world, "dovecot", "mx1.example.org", &[]).await;
    for password in [RIGHT, "mx1.example.org", ""] {
        let evidence = ServiceEvidence::password("dovecot".to_owned(), password.as_bytes());
        let refusal = refused(&world, HERE, evidence).await;
        let expected = if password.is_empty() {
            Refusal::MalformedPassword
        } else {
            Refusal::PasswordPending
        };
        assert_eq!(refusal, expected);
    }
}

/// Adds `dovecot` with the password [`RIGHT`], which may come from anywhere.
async fn add_dovecot(world: &World) {
    let password = world.hash(RIGHT).await;
    world
        .apply(Change::AddService(NewService {
            service: ServiceId::new(world.clock.now().wall),
            name: ServiceName::parse("dovecot").unwrap(),
            password: Some(password),
            certificate: None,
            may_search: true,
            sources: Vec::new(),
        }))
        .await;
}

fn password(name: &str, password: &str) -> ServiceEvidence {
    ServiceEvidence::password(name.to_owned(), password.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_3_7_guesses_at_a_service_account_where_it_is_known_go_ahead_a_few_times() {
    let world = Arc::new(World::new());
    add_dovecot(&world).await;
    let evidence = |text: &str| password("dovecot", text);
    granted(&world, evidence(RIGHT)).await;
    let flood = Flood::at_services(&world, 200).await;
    let before = world.pool.counters().verified();
    for guess in 0..10 {
        let guess = attempt(&world, HERE, evidence(&format!("guess {guess}")));
        let world = Arc::clone(&world);
        tokio::spawn(async move { world.authenticator.decide_service(guess).await });
    }
    flood.goes_on_for(20).await;
    assert_eq!(world.pool.counters().verified() - before, 3);
    flood.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_3_3_the_same_words_for_a_service_account_in_flight_share_their_hashes() {
    for (name, text, hashes) in [
        ("dovecot", "wrong", 2),
        ("nobody", "wrong", 2),
        ("dovecot", RIGHT, 1),
    ] {
        let world = Arc::new(World::new());
        add_dovecot(&world).await;
        let parallel = (0..50).map(|_| {
            let attempt = attempt(&world, "192.0.2.1", password(name, text));
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.authenticator.decide_service(attempt).await })
        });
        for decided in parallel.collect::<Vec<_>>() {
            let granted = match decided.await.unwrap().unwrap() {
                ServiceVerdict::Granted(_) => true,
                ServiceVerdict::Refused(_) => false,
            };
            assert_eq!(granted, text == RIGHT);
        }
        let counters = world.pool.counters();
        assert_eq!(counters.verified() + counters.dummies(), hashes, "{name}");
    }
}

/// Whoever may bind from a host can empty the bucket that its SSSD draws from.
#[tokio::test(flavor = "multi_thread")]
async fn contract_3_6_a_throttled_source_still_has_its_service_accounts_remembered_password() {
    let world = World::new();
    world.clock.stop();
    add_dovecot(&world).await;
    let host = "192.0.2.1";
    let own = async || match decide(&world, host, password("dovecot", RIGHT)).await {
        ServiceVerdict::Granted(_) => None,
        ServiceVerdict::Refused(refusal) => Some(refusal),
    };
    let throttled = async |name: &str, text: &str| {
        let refusal = refused(&world, host, password(name, text)).await;
        assert_eq!(refusal, Refusal::Throttled);
    };
    assert_eq!(own().await, None);
    for number in 0..40 {
        let made_up = password(&format!("nobody{number}"), "x");
        let refusal = refused(&world, host, made_up).await;
        assert_eq!(refusal, Refusal::UnknownUser);
    }
    for number in 0..200 {
        throttled(&format!("nobody more{number}"), "x").await;
    }
    for number in 0..99 {
        throttled("dovecot", &format!("guess {number}")).await;
    }
    assert_eq!(own().await, None);
    for number in 0..100 {
        throttled("dovecot", &format!("another {number}")).await;
    }
    assert_eq!(own().await, Some(Refusal::Throttled), "too many guesses");
    let elsewhere = decide(&world, "192.0.2.2", password("dovecot", RIGHT)).await;
    assert!(matches!(elsewhere, ServiceVerdict::Granted(_)));
}
