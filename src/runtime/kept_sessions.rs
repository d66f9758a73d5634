//! How long and how many of the sessions that RADIUS clients report are kept.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::config::audit::Audit;
use doorward_domain::name::ClientName;
use doorward_domain::time::{Clock as _, Timestamp};
use doorward_store::{Store, Unavailable};

use super::chores::every;
use super::clock::SystemClock;

/// How often sessions are tidied up.
const PERIOD: Duration = Duration::from_mins(1);
/// How many at a time, so that logins never wait long for the writer.
const PORTION: usize = 100;
/// How many of a kind each time: more than a client may report meanwhile by the default rate.
const MOST: usize = 200_000;

/// How long to wait before the store is asked again that had no room.
const PAUSE: Duration = Duration::from_millis(5);
/// How often it is asked again for what is old, and as often for what is too much: all together
/// that takes about as long as it is until the next time.
const PAUSES: u128 = PERIOD.as_millis() / PAUSE.as_millis() / 2;

/// How many are kept.
#[derive(Debug, Clone, Copy)]
struct Room {
    /// Of one client.
    each: usize,
    /// Of all together.
    in_all: usize,
}

/// Those that are open, which are looked at every few seconds.
const OPEN: Room = Room {
    each: 50_000,
    in_all: 100_000,
};
/// Those that are over.
const ENDED: Room = Room {
    each: 500_000,
    in_all: 1_000_000,
};

/// Ends sessions that nothing was heard of for long, removes those that were over before the
/// events' retention, and bounds how many are kept.
pub(super) async fn tidy(
    store: Store,
    clock: Arc<SystemClock>,
    end_after: Duration,
    audit: impl Fn() -> Audit,
    shutdown: CancellationToken,
) {
    every(PERIOD, shutdown, || async {
        let now = clock.now();
        let old = (!now.clock_suspect).then(|| Old {
            silent: now.wall.minus(end_after),
            over: now.wall.minus(audit().retention),
        });
        if let Err(error) = pass(&store, old, OPEN, ENDED).await {
            tracing::warn!(%error, "sessions were not tidied up yet");
        }
    })
    .await;
}

/// What is old.
#[derive(Debug, Clone, Copy)]
struct Old {
    /// Nothing was heard of an open session since.
    silent: Timestamp,
    /// It was over by then.
    over: Timestamp,
}

/// Tidies up once. What is too much goes whatever became of what is old.
async fn pass(store: &Store, old: Option<Old>, open: Room, ended: Room) -> Result<(), Unavailable> {
    let forgot = match old {
        Some(old) => forget(store, old).await,
        None => Ok(()),
    };
    bound(store, open, ended).await.and(forgot)
}

async fn forget(store: &Store, old: Old) -> Result<(), Unavailable> {
    let mut patience = Patience(PAUSES);
    let silent = |limit| store.end_silent_sessions(old.silent, limit);
    let ended = in_portions(MOST, &mut patience, silent).await?;
    let over = |limit| store.forget_sessions(old.over, limit);
    let gone = in_portions(MOST, &mut patience, over).await?;
    if ended + gone > 0 {
        tracing::info!(ended, gone, "sessions were tidied up");
    }
    Ok(())
}

async fn bound(store: &Store, open: Room, ended: Room) -> Result<(), Unavailable> {
    let mut patience = Patience(PAUSES);
    let kept = patience.ask(|| store.kept_sessions()).await?;
    for (client, over) in surplus(&kept.open, open) {
        let step = |limit| store.end_oldest_sessions(client, limit);
        let count = in_portions(over.min(MOST), &mut patience, step).await?;
        tracing::warn!(
            client.name = %client,
            count,
            "a RADIUS client has more sessions open than are kept: those not heard of for longest \
             were taken to be over"
        );
    }
    for (client, over) in surplus(&kept.ended, ended) {
        let step = |limit| store.forget_oldest_sessions(client, limit);
        let count = in_portions(over.min(MOST), &mut patience, step).await?;
        tracing::warn!(
            client.name = %client,
            count,
            "a RADIUS client has more sessions than are kept: the oldest that are over were \
             removed before audit.retention"
        );
    }
    Ok(())
}

/// Has something done in portions until so much is done or nothing is left; says how much was.
async fn in_portions<F>(
    most: usize,
    patience: &mut Patience,
    step: impl Fn(usize) -> F,
) -> Result<usize, Unavailable>
where
    F: Future<Output = Result<usize, Unavailable>>,
{
    let mut done: usize = 0;
    while done < most {
        let portion = PORTION.min(most.saturating_sub(done));
        let did = patience.ask(|| step(portion)).await?;
        done = done.saturating_add(did);
        if did < portion {
            break;
        }
    }
    Ok(done)
}

/// How often the store is asked again that has no room: that many log in at once is no reason to
/// leave the rest for the next time.
#[derive(Debug)]
struct Patience(u128);

impl Patience {
    async fn ask<T, F>(&mut self, ask: impl Fn() -> F) -> Result<T, Unavailable>
    where
        F: Future<Output = Result<T, Unavailable>>,
    {
        loop {
            match (ask().await, self.0.checked_sub(1)) {
                (Err(Unavailable::Busy), Some(left)) => {
                    self.0 = left;
                    tokio::time::sleep(PAUSE).await;
                }
                (answer, _) => return answer,
            }
        }
    }
}

/// Whose is too much, and how much: who has most gives way, until all the others fit.
fn surplus(counts: &[(ClientName, usize)], room: Room) -> Vec<(&ClientName, usize)> {
    let most = most_of_each(counts, room);
    counts
        .iter()
        .map(|(client, count)| (client, count.saturating_sub(most)))
        .filter(|(_, over)| *over > 0)
        .collect()
}

/// The most that each may keep so that all have room.
fn most_of_each(counts: &[(ClientName, usize)], room: Room) -> usize {
    let fits = |most: usize| {
        let kept = counts.iter().map(|(_, count)| (*count).min(most));
        kept.sum::<usize>() <= room.in_all
    };
    if fits(room.each) {
        return room.each;
    }
    let (mut fitting, mut too_much) = (0, room.each);
    while too_much - fitting > 1 {
        let middle = usize::midpoint(fitting, too_much);
        if fits(middle) {
            fitting = middle;
        } else {
            too_much = middle;
        }
    }
    fitting
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::net::Ipv4Addr;
    use std::path::Path;

    use super::*;
    use doorward_domain::name::GroupName;
    use doorward_domain::session::{
        Happened, Nas, Octets, Particulars, SessionOwner, SessionReport, Usage,
    };
    use doorward_store::Store;
    use doorward_store::sqlite::OpenOptions;

    fn client(name: &str) -> ClientName {
        ClientName::parse(name).unwrap()
    }

    fn counts(of: &[(&str, usize)]) -> Vec<(ClientName, usize)> {
        of.iter()
            .map(|(name, count)| (client(name), *count))
            .collect()
    }

    #[test]
    fn who_keeps_most_gives_way() {
        let room = Room {
            each: 10,
            in_all: 20,
        };
        for (kept, over) in [
            (&[][..], &[][..]),
            (&[("a", 10), ("b", 10)], &[]),
            (&[("a", 11), ("b", 3)], &[("a", 1)]),
            (&[("a", 50), ("b", 9), ("c", 3)], &[("a", 42), ("b", 1)]),
            (
                &[("a", 8), ("b", 8), ("c", 8)],
                &[("a", 2), ("b", 2), ("c", 2)],
            ),
        ] {
            let kept = counts(kept);
            let found: Vec<_> = surplus(&kept, room)
                .into_iter()
                .map(|(client, count)| (client.clone(), count))
                .collect();
            assert_eq!(found, counts(over), "{kept:?}");
        }
        let nothing = Room { each: 0, in_all: 0 };
        assert_eq!(surplus(&counts(&[("a", 1)]), nothing).len(), 1);
    }

    fn report(of: &str, number: u32, happened: Happened) -> SessionReport {
        let at = Timestamp::from_millis(1_800_000_000_000 + i64::from(number));
        let identity = Octets::Text(of.to_owned());
        SessionReport {
            nas: Nas {
                client: client(of),
                identity: identity.clone(),
            },
            session: Octets::Text(number.to_string()),
            happened,
            at,
            received: at,
            owner: SessionOwner::Unknown,
            resource: None,
            particulars: Particulars {
                user_name: identity,
                source: Ipv4Addr::LOCALHOST.into(),
                server: None,
                nas_address: None,
                nas_identifier: None,
                nas_port: None,
                calling_station: None,
                called_station: None,
                address: None,
                usage: Usage::default(),
                terminate_cause: None,
            },
        }
    }

    fn store(folder: &Path) -> Store {
        let options = OpenOptions::new(GroupName::parse("users").unwrap()).creating();
        Store::open(&folder.join("doorward.db"), &options).unwrap()
    }

    const ROOM: Room = Room {
        each: 7,
        in_all: 10,
    };

    #[tokio::test]
    async fn what_is_kept_is_bounded_for_each_client_and_in_portions() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let open = u32::try_from(PORTION).unwrap() + 100;
        for number in 0..open {
            let loud = report("loud", number, Happened::Began);
            store.record_session(loud).await.unwrap();
        }
        for number in 0..5 {
            let quiet = report("quiet", number, Happened::Over);
            store.record_session(quiet).await.unwrap();
        }
        let wide = Room {
            each: 1000,
            in_all: 1000,
        };
        pass(&store, None, ROOM, wide).await.unwrap();
        let kept = store.kept_sessions().await.unwrap();
        assert_eq!(kept.open, counts(&[("loud", 7)]));
        let over = usize::try_from(open).unwrap() - 7;
        assert_eq!(kept.ended, counts(&[("loud", over), ("quiet", 5)]));

        pass(&store, None, ROOM, ROOM).await.unwrap();
        let kept = store.kept_sessions().await.unwrap();
        assert_eq!(kept.open, counts(&[("loud", 7)]));
        assert_eq!(kept.ended, counts(&[("loud", 5), ("quiet", 5)]));
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded_though_what_is_old_cannot_go() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        for number in 0..8 {
            let open = report("loud", number, Happened::Began);
            store.record_session(open).await.unwrap();
        }
        let over = report("quiet", 0, Happened::Over);
        store.record_session(over).await.unwrap();
        // Something else refers to what was over long ago.
        rusqlite::Connection::open(folder.path().join("doorward.db"))
            .unwrap()
            .execute_batch(
                "CREATE TABLE holds (session REFERENCES radius_sessions (id));
                 INSERT INTO holds SELECT id FROM radius_sessions WHERE ended IS NOT NULL;",
            )
            .unwrap();
        let old = Old {
            silent: Timestamp::from_millis(0),
            over: Timestamp::from_millis(2_000_000_000_000),
        };
        let told = pass(&store, Some(old), ROOM, ROOM).await;
        assert!(matches!(told, Err(Unavailable::Broken(_))), "{told:?}");
        let kept = store.kept_sessions().await.unwrap();
        assert_eq!(kept.open, counts(&[("loud", 7)]));
    }

    #[tokio::test]
    async fn a_store_that_is_busy_is_asked_again_so_and_so_often() {
        let asked = Cell::new(0_usize);
        // Busy two times of three.
        let step = |limit| {
            asked.set(asked.get() + 1);
            std::future::ready(match asked.get() % 3 {
                0 => Ok(limit),
                _ => Err(Unavailable::Busy),
            })
        };
        let mut patience = Patience(4);
        let done = in_portions(2 * PORTION, &mut patience, step).await;
        assert_eq!((done, asked.get()), (Ok(2 * PORTION), 6));
        let told = in_portions(PORTION, &mut patience, step).await;
        assert_eq!((told, asked.get()), (Err(Unavailable::Busy), 7));
        // Where it is broken, asking again is for the next time.
        let broken = |_| std::future::ready(Err(Unavailable::closed()));
        let told = in_portions(PORTION, &mut Patience(4), broken).await;
        assert_eq!(told, Err(Unavailable::closed()));
    }
}
