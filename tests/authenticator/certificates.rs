//! Logins by a user's certificate: state and bindings decide as for a password; nothing is compared
//! and nothing is counted.

use std::sync::Arc;

use doorward_domain::event::{AttemptEvent, Credential, Outcome, Subject};
use doorward_domain::name::Username;
use doorward_domain::user_certificate::{CertificateIdentity, NamedBy, UserCertificate};
use doorward_frontend_api::{Attempt, Claim, Evidence, Refusal, Verdict};
use doorward_store::changes::{Change, UserPatch};
use doorward_store::records::{Binding, BoundTo};

use crate::world::{RIGHT, World, refusal_of, resource_name};

fn certificate(named_by: NamedBy, name: Option<&str>) -> Arc<UserCertificate> {
    Arc::new(UserCertificate {
        named_by,
        name: name.map(str::to_owned),
        identity: CertificateIdentity::new(&[0x1f, 0xab], "CN=alice"),
    })
}

/// An attempt whose claim says nothing: only the certificate counts.
fn by(world: &World, resource: &str, certificate: &Arc<UserCertificate>) -> Attempt {
    Attempt {
        claim: Claim::Typed("mallory".to_owned()),
        evidence: Evidence::Certificate(Arc::clone(certificate)),
        ..world.attempt(resource, "mallory", RIGHT)
    }
}

async fn refusal(world: &World, resource: &str, named_by: NamedBy, name: &str) -> Option<Refusal> {
    let certificate = certificate(named_by, Some(name));
    refusal_of(
        world
            .decide(by(world, resource, &certificate))
            .await
            .unwrap(),
    )
}

async fn alice(world: &World, resource: &str) -> Option<Refusal> {
    refusal(world, resource, NamedBy::CommonName, "alice").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_s_name_is_the_account_s_by_one_rule() {
    let world = World::with_alice().await;
    for (named_by, name) in [
        (NamedBy::CommonName, "Alice"),
        (NamedBy::Upn, "alice@example.org"),
        (NamedBy::Mail, "alice@mail.example"),
    ] {
        assert_eq!(refusal(&world, "hosts", named_by, name).await, None);
        let verdict = world
            .decide(by(&world, "hosts", &certificate(named_by, Some(name))))
            .await;
        let Ok(Verdict::Granted(proof)) = verdict else {
            panic!("{verdict:?}")
        };
        assert_eq!(proof.username().as_str(), "alice");
        assert_eq!(proof.resource().unwrap().as_str(), "hosts");
    }
    for (named_by, name, reason) in [
        // Good for another rule, and nobody's by this one.
        (
            NamedBy::CommonName,
            "alice@mail.example",
            Refusal::UnknownCertificate,
        ),
        (
            NamedBy::Upn,
            "alice@mail.example",
            Refusal::UnknownCertificate,
        ),
        (NamedBy::Mail, "alice", Refusal::UnknownCertificate),
        (NamedBy::Mail, "alice@example.org", Refusal::UnknownUser),
        (NamedBy::CommonName, "nobody", Refusal::UnknownUser),
    ] {
        let refused = refusal(&world, "hosts", named_by, name).await;
        assert_eq!(refused, Some(reason), "{named_by} {name}");
    }
    let nameless = certificate(NamedBy::CommonName, None);
    let verdict = world.decide(by(&world, "hosts", &nameless)).await.unwrap();
    assert_eq!(refusal_of(verdict), Some(Refusal::UnknownCertificate));
    assert_eq!(alice(&world, "nowhere").await, Some(Refusal::NoResource));
}

/// CONTRACT.md 2: the table is about the account, whatever was brought.
#[tokio::test(flavor = "multi_thread")]
async fn every_state_closes_the_doors_that_it_closes_to_a_password() {
    let world = World::with_alice().await;
    let account = world.user("alice").await.account;
    world.apply(Change::Suspend { account }).await;
    for resource in ["hosts", "mail", "app"] {
        assert_eq!(alice(&world, resource).await, Some(Refusal::Suspended));
    }

    let world = World::with_alice().await;
    let (account, by_now) = {
        let user = world.user("alice").await;
        (user.account, user.created)
    };
    let by = by_now;
    world.apply(Change::Expire { account, by }).await;
    for resource in ["hosts", "mail", "app"] {
        assert_eq!(alice(&world, resource).await, Some(Refusal::Expired));
    }

    let world = World::with_alice().await;
    for guess in 0..10 {
        let guess = format!("guess {guess}");
        assert!(world.refusal("hosts", "alice", &guess).await.is_some());
    }
    assert_eq!(alice(&world, "hosts").await, Some(Refusal::Locked));
    assert_eq!(alice(&world, "app").await, Some(Refusal::Locked));
    assert_eq!(alice(&world, "mail").await, None, "mail admits the locked");

    let world = World::with_alice().await;
    let pending = world.add("pending", None).await;
    world.bind("hosts", "pending").await;
    let refused = refusal(&world, "hosts", NamedBy::CommonName, "pending").await;
    assert_eq!(refused, Some(Refusal::PasswordPending));
    world.apply(Change::RemoveUser { account: pending }).await;
    let refused = refusal(&world, "hosts", NamedBy::CommonName, "pending").await;
    assert_eq!(refused, Some(Refusal::UnknownUser));

    let hosts = Binding {
        resource: resource_name("hosts"),
        to: BoundTo::User(Username::parse("alice").unwrap()),
    };
    world.apply(Change::Unbind(hosts)).await;
    assert_eq!(alice(&world, "hosts").await, Some(Refusal::NotBound));
    assert_eq!(alice(&world, "app").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_certificate_leads_to_a_change_of_the_password() {
    let world = World::with_alice().await;
    let account = world.user("alice").await.account;
    let patch = UserPatch {
        must_change: Some(true),
        ..UserPatch::default()
    };
    world.apply(Change::SetUser { account, patch }).await;
    let own = certificate(NamedBy::CommonName, Some("alice"));
    for resource in ["hosts", "mail", "app"] {
        // Where a password would lead to a change-only session, too: it takes the right password.
        let attempt = Attempt {
            asked_for_password_policy: true,
            ..by(&world, resource, &own)
        };
        let verdict = world.decide(attempt).await.unwrap();
        assert_eq!(refusal_of(verdict), Some(Refusal::MustChange));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_compared_counted_or_remembered() {
    let world = World::with_alice().await;
    for guess in 0..5 {
        let guess = format!("guess {guess}");
        assert!(world.refusal("hosts", "alice", &guess).await.is_some());
    }
    let before = world.user("alice").await.recent_failures;
    let hashed = world.pool.counters().dummies();
    for _ in 0..50 {
        assert_eq!(alice(&world, "hosts").await, None);
    }
    // A success that took no password clears nothing of what was guessed.
    assert_eq!(world.user("alice").await.recent_failures, before);
    let account = world.user("alice").await.account;
    world.apply(Change::Suspend { account }).await;
    for _ in 0..50 {
        assert_eq!(alice(&world, "hosts").await, Some(Refusal::Suspended));
    }
    assert_eq!(world.user("alice").await.recent_failures, before);
    assert_eq!(world.pool.counters().dummies(), hashed);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_tell_which_certificate_it_was() {
    let world = World::with_alice().await;
    let own = certificate(NamedBy::CommonName, Some("alice"));
    let expected = Some(Credential::Certificate(own.identity.clone()));
    assert_eq!(alice(&world, "hosts").await, None);
    let stranger = refusal(&world, "hosts", NamedBy::CommonName, "nobody").await;
    assert!(stranger.is_some());
    assert_eq!(world.refusal("hosts", "alice", RIGHT).await, None);
    let events = world.attempts().await;
    let [granted, refused, password] = &events[..] else {
        panic!("{events:?}")
    };
    let credentials = |event: &AttemptEvent| (event.outcome, event.credential.clone());
    assert_eq!(credentials(granted), (Outcome::Granted, expected.clone()));
    assert_eq!(credentials(refused), (Outcome::Refused, expected));
    assert_eq!(credentials(password), (Outcome::Granted, None));
    assert!(matches!(&granted.subject, Subject::Account { .. }));
    let named = Subject::Certificate {
        certificate: "nobody".to_owned(),
    };
    assert_eq!(refused.subject, named);
    let text = serde_json::to_string(granted).unwrap();
    let shown = r#""credential":{"certificate":{"serial":"1fab","subject":"CN=alice"}}"#;
    assert!(text.contains(shown), "{text}");
}
