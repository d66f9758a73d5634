//! Rows that no command writes, as a file that was tampered with has them.

use rusqlite::Connection;

use doorward_store::Store;
use doorward_store::sqlite::{BackupError, backup, restore};

use crate::world::{add_user, options};

/// A policy that cannot be read, and two that could not be set.
const POLICIES: [(&str, &str); 3] = [
    ("UPDATE policies SET settings = '{}'", "cannot be read"),
    (
        "UPDATE policies SET settings = replace(settings, '\"threshold\":10', '\"threshold\":0')",
        "'0' is no value for lockout.threshold: write a number from 1 to 100",
    ),
    (
        "UPDATE policies SET settings =
         replace(settings, '\"threshold\":10', '\"threshold\":4294967295')",
        "'4294967295' is no value for lockout.threshold",
    ),
];

#[tokio::test]
async fn a_backup_whose_policy_could_not_be_set_is_not_restored() {
    let folder = tempfile::tempdir().unwrap();
    let [path, copy] = ["doorward.db", "copy.db"].map(|name| folder.path().join(name));
    let store = Store::open(&path, &options().creating()).unwrap();
    add_user(&store, "alice").await;
    drop(store);
    for (damage, told) in POLICIES {
        backup(&path, &copy).unwrap();
        let damaged = Connection::open(&copy).unwrap();
        assert_eq!(damaged.execute(damage, []).unwrap(), 1);
        drop(damaged);
        let refused = restore(&copy, &path).unwrap_err();
        assert!(matches!(refused, BackupError::Damaged { .. }), "{refused}");
        assert!(refused.to_string().contains(told), "{refused}");
        std::fs::remove_file(&copy).unwrap();
    }
    let store = Store::open(&path, &options()).unwrap();
    assert_eq!(store.policy().await.unwrap().lockout.threshold, 10);
}

/// Nobody gets in by it, so that clients had better try their next server.
#[tokio::test]
async fn a_store_whose_policy_cannot_be_read_answers_no_probe() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("doorward.db");
    let store = Store::open(&path, &options().creating()).unwrap();
    store.probe().await.unwrap();
    let (damage, _) = POLICIES[0];
    Connection::open(&path)
        .unwrap()
        .execute(damage, [])
        .unwrap();
    assert!(store.probe().await.is_err());
}
