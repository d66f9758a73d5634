//! The policy and its versions (CONTRACT.md 1).

use doorward_domain::event::EventBody;
use doorward_domain::rules::PolicySettings;
use doorward_store::attempts::{AccountKey, Fetch};
use doorward_store::changes::{Change, ChangeRefused};
use doorward_store::{AttemptStore as _, Store};

use crate::world::*;

async fn next(store: &Store, threshold: u32) -> PolicySettings {
    let mut policy = PolicySettings::clone(&store.policy().await.unwrap());
    policy.version += 1;
    policy.lockout.threshold = threshold;
    policy
}

pub(crate) async fn the_default_policy_is_in_force_at_first(fixture: &impl Fixture) {
    let store = fixture.open();
    assert_eq!(*store.policy().await.unwrap(), PolicySettings::default());
    assert!(store.policy_history().await.unwrap().is_empty());
}

pub(crate) async fn a_policy_follows_the_one_in_force(fixture: &impl Fixture) {
    let store = fixture.open();
    let policy = next(&store, 5).await;
    apply(&store, Change::SetPolicy(policy.clone()))
        .await
        .unwrap();
    assert_eq!(*store.policy().await.unwrap(), policy);
    // Another who read the same version is too late.
    let refused = apply(&store, Change::SetPolicy(policy.clone())).await;
    assert_eq!(refused.unwrap_err(), ChangeRefused::Moved);
    let mut skipped = policy.clone();
    skipped.version += 2;
    let refused = apply(&store, Change::SetPolicy(skipped)).await;
    assert_eq!(refused.unwrap_err(), ChangeRefused::Moved);
    assert_eq!(*store.policy().await.unwrap(), policy);
}

pub(crate) async fn the_history_outlives_the_events(fixture: &impl Fixture) {
    let store = fixture.open();
    for (number, threshold) in [(0, 5), (1, 7)] {
        let policy = next(&store, threshold).await;
        apply_at(&store, START.plus(hours(number)), Change::SetPolicy(policy))
            .await
            .unwrap();
    }
    store
        .forget_events(START.plus(hours(100)), 100)
        .await
        .unwrap();
    assert!(events(&store).await.is_empty());
    let history = store.policy_history().await.unwrap();
    let changes: Vec<_> = history
        .iter()
        .map(|event| match &event.body {
            EventBody::Change(change) => (
                event.at,
                change.actor.clone(),
                change.before["lockout"]["threshold"].clone(),
                change.after["lockout"]["threshold"].clone(),
            ),
            EventBody::Attempt(_) => panic!("no change"),
        })
        .collect();
    assert_eq!(
        changes,
        [
            (START.plus(hours(1)), admin(), 5.into(), 7.into()),
            (START, admin(), 10.into(), 5.into()),
        ]
    );
    // Only what changed is told.
    let EventBody::Change(change) = &history[0].body else {
        panic!("no change");
    };
    assert_eq!(change.after["lockout"].as_object().unwrap().len(), 1);
    assert!(change.after.get("password").is_none());
}

pub(crate) async fn another_handle_sees_a_change_at_once(fixture: &impl Fixture) {
    let store = fixture.open();
    let other = fixture.open();
    let alice = add_user(&store, "alice").await;
    for threshold in [5, 6, 7] {
        let key = AccountKey::Id(alice);
        other
            .read_attempt(&key, None, None, Fetch::Verdict)
            .await
            .unwrap();
        let policy = next(&store, threshold).await;
        apply(&store, Change::SetPolicy(policy)).await.unwrap();
        let read = other
            .read_attempt(&key, None, None, Fetch::Verdict)
            .await
            .unwrap();
        assert_eq!(read.policy.lockout.threshold, threshold);
    }
}
