//! CONTRACT.md 6, 7 and 10: what is hashed anew at a login, and what time alone causes, noticed
//! once.

use std::time::Duration;

use doorward_directory::lifecycle::{Look, notice};
use doorward_domain::secret::HashText;
use doorward_domain::time::Clock as _;
use doorward_frontend_api::Refusal;
use doorward_store::changes::{Change, UserPatch};
use doorward_store::events::EventQuery;

use crate::world::{RIGHT, World};

/// [`RIGHT`] in the oldest scheme that is still imported.
const SALTED_SHA1: &str = "{SSHA}/3PlN3UJp3C48c9ALKPgGvqO1T8BAgMEBQYHCA==";

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_hash_verifies_and_is_hashed_anew_after_the_answer() {
    let world = World::with_alice().await;
    let account = world.user("alice").await.account;
    let present = || async {
        let history = world.store.password_history(account, 1).await.unwrap();
        history[0].expose().to_owned()
    };
    let imported = HashText::new(SALTED_SHA1);
    let set = Change::SetPassword {
        account,
        password: imported,
        must_change: false,
        expected: None,
        keep_history: 5,
    };
    world.apply(set).await;
    let epoch = world.user("alice").await.epoch;
    let wrong = world.refusal("hosts", "alice", "not this one").await;
    assert_eq!(wrong, Some(Refusal::WrongPassword));
    assert_eq!(
        present().await,
        SALTED_SHA1,
        "a wrong password changes nothing"
    );
    assert_eq!(world.refusal("hosts", "alice", RIGHT).await, None);
    world.authenticator.drained().await;
    assert!(present().await.starts_with("$argon2id$"));
    assert_eq!(
        world.user("alice").await.epoch,
        epoch,
        "the same password: nothing is void"
    );
    assert_eq!(world.refusal("hosts", "alice", RIGHT).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_time_alone_causes_is_noticed_once_by_several_gateways() {
    let world = World::with_alice().await;
    let account = world.user("alice").await.account;
    let start = world.clock.now().wall.plus(Duration::from_hours(1));
    let end = world.clock.now().wall.plus(Duration::from_hours(3));
    let patch = UserPatch {
        start: Some(Some(start)),
        end: Some(Some(end)),
        ..UserPatch::default()
    };
    world.apply(Change::SetUser { account, patch }).await;
    assert!(matches!(
        notice(&world.store, world.clock.now()).await,
        Ok(Look::Wrote { .. })
    ));
    assert_eq!(
        world.refusal("hosts", "alice", RIGHT).await,
        Some(Refusal::Staged)
    );

    let mut transitions = 0;
    for _ in 0..2 {
        world.clock.advance(Duration::from_hours(2));
        let now = world.clock.now();
        let (one, other) = tokio::join!(notice(&world.store, now), notice(&world.store, now));
        for look in [one.unwrap(), other.unwrap()] {
            if let Look::Wrote {
                transitions: wrote, ..
            } = look
            {
                transitions += wrote;
            }
        }
        let admitted = world.refusal("hosts", "alice", RIGHT).await;
        let expected = (transitions == 2).then_some(Refusal::Suspended);
        assert_eq!(admitted, expected);
    }
    assert_eq!(transitions, 2, "one start and one end, each once");
    let query = EventQuery {
        outcome: Some("change".to_owned()),
        limit: 100,
        ..EventQuery::default()
    };
    let events = serde_json::to_string(&world.store.events(&query).await.unwrap()).unwrap();
    assert_eq!(events.matches("user.started").count(), 1, "{events}");
    assert_eq!(events.matches("user.ended").count(), 1, "{events}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspect_clock_notices_nothing() {
    let world = World::with_alice().await;
    let mut now = world.clock.now();
    now.clock_suspect = true;
    assert_eq!(notice(&world.store, now).await.unwrap(), Look::ClockSuspect);
}
