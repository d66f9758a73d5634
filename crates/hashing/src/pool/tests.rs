use super::*;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::task::Poll;
use std::time::Duration;

use doorward_domain::time::{Now, Timestamp};

const LANE: Lane = Lane::Attempt(None);
const SSHA: &str = "{SSHA}1DHomNfcVd3Hhs7/Z7SbP0Fmf/4BAgME/v8AEA==";
const SSHA_PASSWORD: &str = "Grüße aus Köln";

fn pool(threads: usize, queue: usize) -> HashingPool {
    HashingPool::start(PoolSettings {
        threads: NonZeroUsize::new(threads).unwrap(),
        queue: NonZeroUsize::new(queue).unwrap(),
        parameters: Argon2Parameters::new(64, 1, 1).unwrap(),
    })
    .unwrap()
}

fn password(text: &str) -> Password {
    Password::new(text.as_bytes()).unwrap()
}

/// Polls once, which submits the job.
async fn poll_once<F: Future>(future: &mut Pin<Box<F>>) -> Option<F::Output> {
    poll_fn(|context| {
        Poll::Ready(match future.as_mut().poll(context) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}

/// Occupies one worker until the sender it returns is dropped.
async fn hold_worker(
    pool: &HashingPool,
) -> (
    Pin<Box<impl Future<Output = Result<(), QueueFull>>>>,
    mpsc::Sender<()>,
) {
    let (release, held) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    let mut running = Box::pin(pool.run(move || {
        started.send(()).unwrap();
        let _ = held.recv();
    }));
    assert_eq!(poll_once(&mut running).await, None);
    has_started.recv().unwrap();
    (running, release)
}

#[tokio::test]
async fn right_is_right_and_wrong_is_wrong() {
    let pool = pool(1, 8);
    let hash = pool.hash(password("correct horse")).await.unwrap();
    assert!(hash.expose().starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
    let right = pool
        .of(LANE)
        .verify(hash.clone(), password("correct horse"))
        .await;
    assert_eq!(
        right,
        Ok(Comparison::Right {
            needs_rehash: false
        })
    );
    assert_eq!(
        pool.of(LANE).verify(hash, password("correct mule")).await,
        Ok(Comparison::Wrong)
    );
    assert_eq!((pool.counters().set(), pool.counters().verified()), (1, 2));
}

#[tokio::test]
async fn an_imported_hash_and_older_parameters_ask_for_a_rehash() {
    let pool = pool(1, 8);
    let asks = Ok(Comparison::Right { needs_rehash: true });
    assert_eq!(
        pool.of(LANE)
            .verify(HashText::new(SSHA), password(SSHA_PASSWORD))
            .await,
        asks
    );

    let old = pool.hash(password("correct horse")).await.unwrap();
    let stronger = Argon2Parameters::new(128, 2, 1).unwrap();
    pool.set_parameters(stronger);
    assert_eq!(pool.parameters(), stronger);
    assert_eq!(
        pool.of(LANE).verify(old, password("correct horse")).await,
        asks
    );
    let new = pool.rehash(password("correct horse")).await.unwrap();
    assert!(new.expose().starts_with("$argon2id$v=19$m=128,t=2,p=1$"));
    let settled = Ok(Comparison::Right {
        needs_rehash: false,
    });
    assert_eq!(
        pool.of(LANE).verify(new, password("correct horse")).await,
        settled
    );
    assert_eq!(pool.counters().rehashed(), 1);
}

#[tokio::test]
async fn bytes_that_could_not_be_set_are_not_hashed_anew() {
    let hash = HashText::new("{SSHA}WLAY/FoNyxvVKQmLRDqMgCMrL2JzYWx0");
    let latin1 = Password::presented(b"caf\xe9").unwrap();
    let right = pool(1, 8).of(LANE).verify(hash, latin1).await;
    assert_eq!(
        right,
        Ok(Comparison::Right {
            needs_rehash: false
        })
    );
}

#[tokio::test]
async fn what_is_no_hash_never_verifies_and_counts_as_one_comparison() {
    let pool = pool(1, 8);
    let none = [
        "",
        "*",
        "!",
        "x",
        "{CLEARTEXT}x",
        "$y$j75$saltsaltsalt$",
        "$2b$31$abcdefghijklmnopqrstuuHvGdZDEanK7yrqWa358SPCvFlhmF5wC",
    ];
    for text in none {
        let compared = pool
            .of(LANE)
            .verify(HashText::new(text), password("x"))
            .await;
        assert_eq!(compared, Ok(Comparison::Wrong), "{text:?}");
    }
    assert_eq!(pool.counters().verified(), none.len() as u64);
}

#[tokio::test]
async fn a_full_queue_says_so_at_once_and_loses_nothing_that_waits() {
    let pool = pool(1, 1);
    let counters = pool.counters();
    let hash = pool.hash(password("correct horse")).await.unwrap();
    let (running, release) = hold_worker(&pool).await;

    let mut waiting = Box::pin(
        pool.of(LANE)
            .known()
            .verify(hash.clone(), password("correct horse")),
    );
    assert_eq!(poll_once(&mut waiting).await, None);
    assert_eq!(counters.queue_depth(), 1);

    // Polled once, with the worker still held: refused without waiting for anything.
    let mut verify = Box::pin(
        pool.of(LANE)
            .verify(hash.clone(), password("correct horse")),
    );
    assert_eq!(poll_once(&mut verify).await, Some(Err(QueueFull)));
    let mut stale = Box::pin(pool.verify_stale(hash, password("correct horse")));
    assert_eq!(poll_once(&mut stale).await, Some(Err(QueueFull)));
    assert_eq!(
        poll_once(&mut Box::pin(pool.of(LANE).dummy())).await,
        Some(Err(QueueFull))
    );
    assert_eq!(
        poll_once(&mut Box::pin(pool.of(LANE).turn())).await,
        Some(Err(QueueFull))
    );
    assert!(pool.hash(password("another")).await.is_err());
    assert!(pool.rehash(password("another")).await.is_err());
    assert_eq!(counters.queue_full(), 6);
    assert_eq!(counters.verified(), 0);

    drop(release);
    assert_eq!(running.await, Ok(()));
    assert_eq!(
        waiting.await,
        Ok(Comparison::Right {
            needs_rehash: false
        })
    );
    assert_eq!((counters.verified(), counters.queue_depth()), (1, 0));
    assert_eq!(pool.of(LANE).dummy().await, Ok(()));
}

#[tokio::test]
async fn a_job_whose_caller_has_gone_is_skipped() {
    let pool = pool(1, 8);
    let (running, release) = hold_worker(&pool).await;
    let mut gone = Box::pin(
        pool.of(LANE)
            .verify(HashText::new(SSHA), password(SSHA_PASSWORD)),
    );
    assert_eq!(poll_once(&mut gone).await, None);
    drop(gone);
    let mut behind = Box::pin(pool.of(LANE).turn());
    assert_eq!(poll_once(&mut behind).await, None);
    drop(release);
    assert_eq!((running.await, behind.await), (Ok(()), Ok(())));
    let counters = pool.counters();
    assert_eq!(
        (counters.abandoned(), counters.verified(), counters.turns()),
        (1, 0, 1)
    );
}

/// A clock that stands still unless it is moved.
#[derive(Default)]
struct SetClock(AtomicU64);

impl Clock for SetClock {
    fn now(&self) -> Now {
        Now {
            wall: Timestamp::EPOCH,
            mono: second(self.0.load(Ordering::SeqCst)),
            clock_suspect: false,
        }
    }
}

fn second(number: u64) -> Monotonic {
    Monotonic::from_start(Duration::from_secs(number))
}

#[tokio::test]
async fn contract_3_7_what_waits_past_its_deadline_is_dropped_and_says_so() {
    let pool = pool(1, 16);
    let clock = Arc::new(SetClock::default());
    let (running, release) = hold_worker(&pool).await;
    let by = |number| {
        let as_clock: Arc<dyn Clock> = Arc::clone(&clock) as _;
        pool.of(LANE).until(Deadline::new(as_clock, second(number)))
    };
    let hash = || HashText::new(SSHA);
    let mut late = Box::pin(by(15).verify(hash(), password(SSHA_PASSWORD)));
    let mut late_and_known = Box::pin(by(15).known().verify(hash(), password(SSHA_PASSWORD)));
    let mut dummy = Box::pin(by(15).dummy());
    let mut turn = Box::pin(by(15).turn());
    let mut in_time = Box::pin(by(16).verify(hash(), password(SSHA_PASSWORD)));
    let mut stale = Box::pin(pool.verify_stale(hash(), password(SSHA_PASSWORD)));
    let mut set = Box::pin(pool.hash(password("another")));
    assert_eq!(poll_once(&mut late).await, None);
    assert_eq!(poll_once(&mut late_and_known).await, None);
    assert_eq!(poll_once(&mut dummy).await, None);
    assert_eq!(poll_once(&mut turn).await, None);
    assert_eq!(poll_once(&mut in_time).await, None);
    assert_eq!(poll_once(&mut stale).await, None);
    assert!(poll_once(&mut set).await.is_none());
    clock.0.store(16, Ordering::SeqCst);
    drop(release);
    assert_eq!(running.await, Ok(()));
    assert_eq!(
        (late.await, late_and_known.await),
        (Err(QueueFull), Err(QueueFull))
    );
    assert_eq!((dummy.await, turn.await), (Err(QueueFull), Err(QueueFull)));
    let right = Ok(Comparison::Right { needs_rehash: true });
    assert_eq!((in_time.await, stale.await), (right, right));
    assert!(set.await.is_ok());
    let counters = pool.counters();
    let done = (counters.verified(), counters.dummies(), counters.turns());
    assert_eq!((counters.overdue(), done), (4, (1, 0, 0)));
}

#[tokio::test]
async fn a_turn_waits_for_its_place_in_the_queue() {
    let pool = pool(1, 8);
    let (running, release) = hold_worker(&pool).await;
    let mut turn = Box::pin(pool.of(LANE).turn());
    assert_eq!(poll_once(&mut turn).await, None);
    drop(release);
    assert_eq!((running.await, turn.await), (Ok(()), Ok(())));
    assert_eq!((pool.counters().turns(), pool.counters().dummies()), (1, 0));
}

#[tokio::test]
async fn dummies_and_stale_checks_are_no_guesses() {
    let pool = pool(2, 8);
    assert_eq!(pool.of(LANE).dummy().await, Ok(()));
    let stale = pool.verify_stale(HashText::new(SSHA), password("no")).await;
    assert_eq!(stale, Ok(Comparison::Wrong));
    let counters = pool.counters();
    assert_eq!(
        (
            counters.dummies(),
            counters.stale_checked(),
            counters.verified()
        ),
        (1, 1, 0)
    );
}

#[tokio::test]
async fn a_panic_costs_one_answer_and_no_worker() {
    let pool = pool(1, 8);
    for failed in 1..=3 {
        assert_eq!(pool.run(|| panic!("on purpose")).await, Err(QueueFull));
        // The counter moves after the answer is lost; the next job comes after both.
        let right = pool
            .of(LANE)
            .verify(HashText::new(SSHA), password(SSHA_PASSWORD))
            .await;
        assert_eq!(right, Ok(Comparison::Right { needs_rehash: true }));
        assert_eq!(pool.counters().failed(), failed);
    }
}

#[tokio::test]
async fn closing_answers_whoever_waits_and_ends_the_threads() {
    let pool = pool(2, 8);
    let (first, release_first) = hold_worker(&pool).await;
    let (second, release_second) = hold_worker(&pool).await;
    let mut waiting = Box::pin(pool.of(LANE).turn());
    assert_eq!(poll_once(&mut waiting).await, None);
    drop((release_first, release_second));
    pool.close();
    assert_eq!((first.await, second.await), (Ok(()), Ok(())));
    // Taken by a worker before the close, or dropped by it: answered in both cases.
    let _ = waiting.await;
    assert!(pool.workers.lock().unwrap().is_empty());
    assert_eq!(pool.of(LANE).turn().await, Err(QueueFull));
    pool.close();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_are_all_answered() {
    let pool = Arc::new(pool(3, 64));
    let hash = pool.hash(password("correct horse")).await.unwrap();
    let tasks: Vec<_> = (0..60)
        .map(|number| {
            let (pool, hash) = (Arc::clone(&pool), hash.clone());
            tokio::spawn(async move {
                let typed = if number % 3 == 0 {
                    "correct horse"
                } else {
                    "correct mule"
                };
                pool.of(LANE).verify(hash, password(typed)).await
            })
        })
        .collect();
    let mut right = 0;
    for task in tasks {
        match task.await.unwrap().unwrap() {
            Comparison::Right { needs_rehash } => {
                assert!(!needs_rehash);
                right += 1;
            }
            Comparison::Wrong => {}
        }
    }
    assert_eq!((right, pool.counters().verified()), (20, 60));
    assert_eq!(pool.counters().queue_depth(), 0);
}
