//! More asked of the store than may wait.

use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};

use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::*;
use crate::attempts::{AccountKey, Fetch};
use doorward_domain::id::{AccountId, PlaceId};
use doorward_domain::name::ClientName;

/// Room for eight, and one thread of each kind.
fn crowded(folder: &Path) -> Store {
    let mut options = options().creating();
    options.queue = 8;
    options.readers = 1;
    Store::open(&folder.join("doorward.db"), &options).unwrap()
}

/// Work that tells when it begins and ends when what is given back is dropped.
fn held() -> (
    impl FnOnce() + Send + 'static,
    oneshot::Receiver<()>,
    Sender<()>,
) {
    let (begun, begins) = oneshot::channel();
    let (release, released) = channel();
    let work = move || {
        begun.send(()).unwrap();
        let _ = released.recv();
    };
    (work, begins, release)
}

/// Holds a reading thread up until what is given back is dropped.
async fn hold_reader(store: &Store, lane: Lane) -> Sender<()> {
    let (work, begins, release) = held();
    let store = store.clone();
    tokio::spawn(async move {
        let read = store.read(lane, move |_| {
            work();
            Ok(())
        });
        read.await.unwrap();
    });
    begins.await.unwrap();
    release
}

/// Holds the writer up until what is given back is dropped.
async fn hold_writer(store: &Store) -> Sender<()> {
    let (work, begins, release) = held();
    let store = store.clone();
    tokio::spawn(async move {
        let written = store.write(move |_| {
            work();
            Ok(())
        });
        written.await.unwrap();
    });
    begins.await.unwrap();
    release
}

/// Lets other tasks run until it is so.
async fn until(so: impl Fn() -> bool) {
    while !so() {
        tokio::task::yield_now().await;
    }
}

fn reads(store: &Store, lane: Lane) -> (usize, usize, usize) {
    store.sqlite().readers.as_ref().unwrap().counts(lane)
}

#[tokio::test]
async fn a_full_queue_is_busy_and_the_probe_passes_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = crowded(folder.path());
    let reader = hold_reader(&store, Lane::Attempts).await;
    let writer = hold_writer(&store).await;
    let mut waiting = JoinSet::new();
    for _ in 0..8 {
        let (one, other) = (store.clone(), store.clone());
        waiting.spawn(async move { one.read(Lane::Attempts, |_| Ok(())).await.unwrap() });
        waiting.spawn(async move { other.write(|_| Ok(())).await.unwrap() });
    }
    until(|| reads(&store, Lane::Attempts).2 == 8 && store.sqlite().queue.counts().2 == 8).await;

    let key = AccountKey::Id(AccountId::new(START));
    let read = store.read_attempt(&key, None, None, Fetch::Verdict).await;
    assert_eq!(read.unwrap_err(), Unavailable::Busy);
    let written = store.record_attempt(START, event()).await;
    assert_eq!(written.unwrap_err(), Unavailable::Busy);

    // What was charged before is settled all the same.
    let settling = store.clone();
    waiting.spawn(async move { settling.give_back(PlaceId::new(START)).await.unwrap() });
    until(|| store.sqlite().queue.counts().2 == 9).await;

    let prober = store.clone();
    let probe = tokio::spawn(async move { prober.probe().await });
    until(|| store.sqlite().queue.counts().0 == 1).await;
    drop(writer);
    until(|| reads(&store, Lane::Attempts) == (1, 0, 8)).await;
    drop(reader);
    assert_eq!(probe.await.unwrap(), Ok(()));
    while let Some(done) = waiting.join_next().await {
        done.unwrap();
    }
}

#[tokio::test]
async fn whoever_is_in_holds_up_no_attempt_and_nobody_else_who_is_in() {
    let folder = tempfile::tempdir().unwrap();
    let store = crowded(folder.path());
    let again = hold_reader(&store, Lane::Again).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let (alice, bob) = (AccountId::new(START), AccountId::new(START));
    let mut waiting = JoinSet::new();
    for (account, name, count) in [(alice, "alice", 8), (bob, "bob", 1)] {
        for _ in 0..count {
            let (store, told) = (store.clone(), Arc::clone(&told));
            waiting.spawn(async move {
                let work = move |_: &mut View<'_>| {
                    told.lock().unwrap().push(name);
                    Ok(())
                };
                let read = store.read_again(Asker::Account(account), work);
                read.await.unwrap();
            });
        }
        until(|| reads(&store, Lane::Again).2 >= count).await;
    }
    until(|| reads(&store, Lane::Again).2 == 9).await;
    let refused = store.read_account_again(alice, None).await.unwrap_err();
    assert_eq!(refused, Unavailable::Busy);
    // Its threads are held up, and an attempt is answered.
    let key = AccountKey::Id(alice);
    let read = store.read_attempt(&key, None, None, Fetch::Verdict).await;
    assert!(read.unwrap().account.is_none());

    drop(again);
    while let Some(done) = waiting.join_next().await {
        done.unwrap();
    }
    let told = told.lock().unwrap();
    assert_eq!(told.iter().position(|name| *name == "bob"), Some(1));
}

#[tokio::test]
async fn reports_of_a_client_keep_out_neither_those_of_another_nor_attempts() {
    let folder = tempfile::tempdir().unwrap();
    let store = crowded(folder.path());
    let writer = hold_writer(&store).await;
    let client = |name| Line::Report(ClientName::parse(name).unwrap());
    let mut waiting = JoinSet::new();
    for (name, waits) in [("loud", 1), ("loud", 2), ("quiet", 3)] {
        let store = store.clone();
        let line = client(name);
        let queue = Arc::clone(&store.sqlite().queue);
        waiting.spawn(async move { store.write_in(line, |_| Ok(())).await.unwrap() });
        until(|| queue.counts().1 == waits).await;
    }
    let refused = store.write_in(client("loud"), |_| Ok(())).await;
    assert!(matches!(
        refused.unwrap_err(),
        Fault::Unavailable(Unavailable::Busy)
    ));
    let attempting = store.clone();
    let attempt = tokio::spawn(async move { attempting.record_attempt(START, event()).await });
    until(|| store.sqlite().queue.counts() == (0, 3, 1)).await;
    drop(writer);
    attempt.await.unwrap().unwrap();
    while let Some(done) = waiting.join_next().await {
        done.unwrap();
    }
}
