mod crowded;

use rusqlite::Connection;

use super::*;
use crate::AttemptStore as _;
use crate::changes::{Change, ChangeRefused, Command, GroupFilter};
use crate::events::EventQuery;
use doorward_domain::event::{AttemptEvent, Outcome, Subject};
use doorward_domain::id::{GroupId, RequestId};
use doorward_domain::name::GroupName;
use doorward_domain::origin::{Origin, Protocol};
use doorward_domain::time::Timestamp;

const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn event() -> AttemptEvent {
    AttemptEvent {
        request: RequestId::new(START),
        protocol: Protocol::Ldap,
        resource: None,
        subject: Subject::Unknown {
            digest: "00".repeat(32),
            length: 7,
        },
        origin: Origin::address([192, 0, 2, 1].into()),
        origin_key: None,
        listener: None,
        client: None,
        ssid: None,
        credential: None,
        outcome: Outcome::Refused,
        reason: None,
        duration_ms: 1,
    }
}

fn open(folder: &Path) -> Store {
    Store::open(&folder.join("doorward.db"), &options().creating()).unwrap()
}

/// Lets the file grow by no more than `pages`, or freely.
async fn limit_growth(store: &Store, pages: Option<i64>) {
    store
        .write(move |connection| {
            let now: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
            let most = pages.map_or(i64::from(u32::MAX - 1), |pages| now + pages);
            let sql = format!("PRAGMA max_page_count = {most}");
            connection.query_row(&sql, [], |_| Ok(()))?;
            Ok(())
        })
        .await
        .unwrap();
}

async fn add_group(store: &Store, name: &str, description: String) -> Result<(), ChangeRefused> {
    store
        .apply(Command {
            at: START,
            actor: doorward_domain::event::Actor::Gateway,
            change: Change::AddGroup {
                group: GroupId::new(START),
                name: GroupName::parse(name).unwrap(),
                gid_number: None,
                description: Some(description),
            },
            mails: Vec::new(),
        })
        .await
        .map(drop)
}

#[tokio::test]
async fn every_connection_is_durable_and_readers_cannot_write() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let settings = |connection: &Connection| {
        let one = |name: &str| -> rusqlite::Result<rusqlite::types::Value> {
            connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
        };
        Ok((
            one("journal_mode")?,
            one("synchronous")?,
            one("foreign_keys")?,
            one("query_only")?,
        ))
    };
    let writer = store.write(settings).await.unwrap();
    let reader = store
        .read(Lane::Lookups, move |view| settings(view.connection))
        .await
        .unwrap();
    let wal = || "wal".to_owned().into();
    assert_eq!(writer, (wal(), 2.into(), 1.into(), 0.into()));
    assert_eq!(reader, (wal(), 2.into(), 1.into(), 1.into()));
    let refused = store
        .read(Lane::Lookups, |view| {
            rows::set_meta(view.connection, "probe", 7)
        })
        .await;
    assert!(refused.is_err());
    store.probe().await.unwrap();
}

#[tokio::test]
async fn a_full_disk_is_unavailable_and_service_resumes() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    limit_growth(&store, Some(4)).await;
    let mut answered = Vec::new();
    let mut refused = None;
    for _ in 0..10_000 {
        match store.record_attempt(START, event()).await {
            Ok(id) => answered.push(id),
            Err(unavailable) => {
                refused = Some(unavailable);
                break;
            }
        }
    }
    let refused = refused.expect("the disk filled up");
    assert!(refused.to_string().contains("full"), "{refused}");
    let big = add_group(&store, "big", "x".repeat(100_000)).await;
    assert!(matches!(big, Err(ChangeRefused::Unavailable(_))), "{big:?}");
    // Reads go on, and whatever was answered is there.
    let query = EventQuery {
        limit: 100_000,
        ..EventQuery::default()
    };
    let recorded: Vec<_> = store
        .events(&query)
        .await
        .unwrap()
        .into_iter()
        .map(|event| event.id)
        .collect();
    assert_eq!(recorded, answered);
    // What was to be merged meanwhile waits.
    store.merge_attempt(START, event());
    assert!(add_group(&store, "big", "x".repeat(100_000)).await.is_err());

    limit_growth(&store, None).await;
    add_group(&store, "big", "x".repeat(100_000)).await.unwrap();
    store.record_attempt(START, event()).await.unwrap();
    store.probe().await.unwrap();
    // The merged one, the group, and the one after it.
    let now = store.events(&query).await.unwrap();
    assert_eq!(now.len(), answered.len() + 3);
}

#[tokio::test]
async fn one_command_gone_wrong_undoes_itself_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    // Held up, so that the three come into one transaction.
    let other = Connection::open(store.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let bump = |connection: &Connection| {
        let value = rows::meta(connection, "probe")? + 1;
        rows::set_meta(connection, "probe", value)?;
        Ok(value)
    };
    let (first, broken, defect, last) = tokio::join!(
        store.write(bump),
        store.write::<(), _>(move |connection| {
            bump(connection)?;
            Err(Fault::Damaged("on purpose".to_owned()))
        }),
        store.write::<(), _>(move |connection| {
            bump(connection)?;
            panic!("on purpose")
        }),
        async {
            let last = store.write(bump);
            other.execute_batch("ROLLBACK").unwrap();
            last.await
        },
    );
    assert_eq!(first.unwrap(), 1);
    assert!(broken.is_err() && defect.is_err());
    assert_eq!(last.unwrap(), 2);
    assert_eq!(store.write(bump).await.unwrap(), 3);
}

fn options() -> OpenOptions {
    OpenOptions::new(GroupName::parse("users").unwrap())
}

/// The version after this program's own.
fn next_version() -> i64 {
    schema::Schema::ours().known() + 1
}

fn later(sql: &'static str) -> schema::Schema {
    schema::Schema::ours().and(next_version(), "later", sql)
}

async fn group_names(store: &Store) -> Vec<String> {
    let found = store.groups(&GroupFilter::All, None, 10).await.unwrap();
    // Groups added within one millisecond come in any order.
    let mut names: Vec<String> = found
        .into_iter()
        .map(|group| group.name.to_string())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn an_older_schema_is_backed_up_and_migrated() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let path = store.path().to_owned();
    add_group(&store, "staff", String::new()).await.unwrap();
    let later = later("CREATE TABLE later (number INTEGER)");
    let mut impatient = options();
    impatient.busy = Duration::from_millis(50);
    // Not under the feet of a process that knows the older one only.
    let refused = Store::open_as(&path, &impatient, &later).unwrap_err();
    assert!(matches!(refused, OpenError::InUse(_)), "{refused}");
    add_group(&store, "more", String::new()).await.unwrap();
    drop(store);

    let store = Store::open_as(&path, &options(), &later).unwrap();
    assert_eq!(group_names(&store).await, ["more", "staff"]);
    store
        .write(|connection| rows::run(connection, "INSERT INTO later VALUES (1)", []))
        .await
        .unwrap();
    drop(store);
    let refused = Store::open(&path, &options()).unwrap_err();
    let next = next_version();
    assert!(
        matches!(refused, OpenError::Newer { found, known, .. } if found == next && known + 1 == next),
        "{refused}"
    );
    // What was there before is a store of the older schema.
    let kept = file::beside(&path, &format!(".before-migration-{next}.db"));
    let store = Store::open(&kept, &options()).unwrap();
    assert_eq!(group_names(&store).await, ["more", "staff"]);
    drop(store);
    assert!(matches!(
        restore(&path, &folder.path().join("other.db")),
        Err(BackupError::Foreign { .. })
    ));
}

#[tokio::test]
async fn a_migration_that_fails_leaves_the_older_schema() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let path = store.path().to_owned();
    add_group(&store, "staff", String::new()).await.unwrap();
    drop(store);
    let broken = later("CREATE TABLE later (number INTEGER); INSERT INTO nowhere VALUES (1);");
    let refused = Store::open_as(&path, &options(), &broken).unwrap_err();
    assert!(matches!(refused, OpenError::Migration { .. }), "{refused}");
    let store = Store::open(&path, &options()).unwrap();
    assert_eq!(group_names(&store).await, ["staff"]);
    drop(store);
    // Mended, it goes through.
    let mended = later("CREATE TABLE later (number INTEGER)");
    let store = Store::open_as(&path, &options(), &mended).unwrap();
    assert_eq!(group_names(&store).await, ["staff"]);
}

#[tokio::test]
async fn a_store_of_the_first_version_is_backed_up_and_migrated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("doorward.db");
    let first = schema::Schema::ours().up_to(1);
    let store = Store::open_as(&path, &options().creating(), &first).unwrap();
    drop(store);
    // As the program of that version wrote them.
    let earlier = Connection::open(&path).unwrap();
    earlier
        .execute_batch(
            "INSERT INTO groups (id, name, name_folded, gid_number, created, modified)
             VALUES (zeroblob(16), 'staff', 'staff', 20000, 0, 0);
             INSERT INTO events (id, at, count, outcome, body)
             VALUES (zeroblob(16), 0, 1, 'change', '{}');",
        )
        .unwrap();
    drop(earlier);

    let store = Store::open(&path, &options()).unwrap();
    assert_eq!(group_names(&store).await, ["staff"]);
    // What the log takes is known from then on, and comes out even.
    let bytes = store.events_bytes().await.unwrap();
    assert!(bytes > 0, "{bytes}");
    assert_eq!(store.shed_events(bytes - 1, 10).await.unwrap(), 1);
    assert_eq!(store.events_bytes().await.unwrap(), 0);
    let tables = [
        "ssh_keys",
        "radius_sessions",
        "sudo_rules",
        "sudo_rule_users",
        "sudo_rule_groups",
    ];
    store
        .read(Lane::Lookups, move |view| {
            for table in tables {
                let sql = format!("SELECT count(*) FROM {table}");
                assert_eq!(rows::number(view.connection, &sql, [])?, 0, "{table}");
            }
            Ok(())
        })
        .await
        .unwrap();
    drop(store);
    let known = schema::Schema::ours().known();
    let kept = file::beside(&path, &format!(".before-migration-{known}.db"));
    let kept = Store::open_as(&kept, &options(), &first).unwrap();
    assert_eq!(group_names(&kept).await, ["staff"]);
}

#[tokio::test]
async fn long_lists_of_members_are_read_in_pieces_and_nobody_is_left_out_or_there_twice() {
    const USERS: usize = 2 * groups::PIECE + 1;
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for name in ["outer", "inner"] {
        add_group(&store, name, String::new()).await.unwrap();
    }
    let group = store
        .write(|connection| {
            connection.execute_batch(&format!(
                "WITH RECURSIVE numbers (n) AS (
                     SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {USERS}
                 )
                 INSERT INTO accounts (id, username, username_folded, email, email_folded,
                     uid_number, gid_number, admin, suspended, never_expires, must_change, epoch,
                     created, modified)
                 SELECT unhex(printf('e%031x', n)), printf('u%05d', n), printf('u%05d', n),
                     'u' || n || '@example.org', 'u' || n || '@example.org', 30000 + n, 20000,
                     0, 0, 0, 0, 1, 0, 0
                 FROM numbers;
                 INSERT INTO group_users SELECT groups.id, accounts.id FROM groups, accounts
                     WHERE groups.name = 'inner' OR accounts.username < 'u00100';
                 INSERT INTO group_groups SELECT outside.id, inside.id
                     FROM groups AS outside, groups AS inside
                     WHERE outside.name = 'outer' AND inside.name = 'inner';"
            ))?;
            let sql = "SELECT id FROM groups WHERE name = 'outer'";
            Ok(connection.query_row(sql, [], |row| row.get(0))?)
        })
        .await
        .unwrap();
    let members = store.members_of(rows::group_id(group)).await.unwrap();
    let expected: Vec<String> = (1..=USERS).map(|number| format!("u{number:05}")).collect();
    assert_eq!(members.users.iter().collect::<Vec<_>>(), expected);
    assert_eq!(members.groups.iter().collect::<Vec<_>>(), ["inner"]);
    // One read finds no more than it is asked for.
    let read = move |view: &mut View<'_>| {
        let inside = groups::inside(view.connection, rows::group_id(group))?;
        let found = groups::some_users_in(view.connection, inside[1], None, groups::PIECE)?;
        Ok((inside.len(), found.0.len(), found.1.is_some()))
    };
    let found = store.read(Lane::Scans, read).await.unwrap();
    assert_eq!(found, (2, groups::PIECE, true));
}
