//! How long and how many of the sessions that RADIUS clients report are kept.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::config::audit::Audit;
use crate::domain::name::ClientName;
use crate::domain::time::{Clock as _, Timestamp};
use crate::store::{Store, Unavailable};

use super::chores::every;
use super::clock::SystemClock;

/// How often sessions are tidied up.
const PERIOD: Duration = Duration::from_mins(1);
/// How many at a time, so that logins never wait long for the writer.
const PORTION: usize = 100;
/// How many of a kind each time: more than a client may report meanwhile by the default rate.
const MOST: usize = 200_000;

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
pub(super) async fn tidy<S: Store>(
    store: Arc<S>,
    clock: Arc<SystemClock>,
    end_after: Duration,
    audit: impl Fn() -> Audit,
    shutdown: CancellationToken,
) {
    every(PERIOD, shutdown, || async {
        let now = clock.now();
        let tidied = async {
            if !now.clock_suspect {
                let silent = now.wall.minus(end_after);
                let old = now.wall.minus(audit().retention);
                forget(&*store, silent, old).await?;
            }
            bound(&*store, OPEN, ENDED).await
        };
        if let Err(error) = tidied.await {
            tracing::warn!(%error, "sessions were not tidied up yet");
        }
    })
    .await;
}

async fn forget(store: &impl Store, silent: Timestamp, old: Timestamp) -> Result<(), Unavailable> {
    let ended = in_portions(MOST, |limit| store.end_silent_sessions(silent, limit)).await?;
    let gone = in_portions(MOST, |limit| store.forget_sessions(old, limit)).await?;
    if ended + gone > 0 {
        tracing::info!(ended, gone, "sessions were tidied up");
    }
    Ok(())
}

async fn bound(store: &impl Store, open: Room, ended: Room) -> Result<(), Unavailable> {
    let kept = store.kept_sessions().await?;
    for (client, over) in surplus(&kept.open, open) {
        let step = |limit| store.end_oldest_sessions(client, limit);
        let count = in_portions(over.min(MOST), step).await?;
        tracing::warn!(
            client.name = %client,
            count,
            "a RADIUS client has more sessions open than are kept: those not heard of for longest \
             were taken to be over"
        );
    }
    for (client, over) in surplus(&kept.ended, ended) {
        let step = |limit| store.forget_oldest_sessions(client, limit);
        let count = in_portions(over.min(MOST), step).await?;
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
async fn in_portions<F>(most: usize, step: impl Fn(usize) -> F) -> Result<usize, Unavailable>
where
    F: Future<Output = Result<usize, Unavailable>>,
{
    let mut done: usize = 0;
    while done < most {
        let portion = PORTION.min(most.saturating_sub(done));
        let did = step(portion).await?;
        done = done.saturating_add(did);
        if did < portion {
            break;
        }
    }
    Ok(done)
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
    use std::net::Ipv4Addr;

    use super::*;
    use crate::domain::name::GroupName;
    use crate::domain::session::{
        Happened, Nas, Octets, Particulars, SessionOwner, SessionReport, Usage,
    };
    use crate::store::SessionStore as _;
    use crate::store::sqlite::{OpenOptions, SqliteStore};

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

    #[tokio::test]
    async fn what_is_kept_is_bounded_for_each_client_and_in_portions() {
        let folder = tempfile::tempdir().unwrap();
        let options = OpenOptions::new(GroupName::parse("users").unwrap()).creating();
        let store = SqliteStore::open(&folder.path().join("doorward.db"), &options).unwrap();
        let open = u32::try_from(PORTION).unwrap() + 100;
        for number in 0..open {
            let loud = report("loud", number, Happened::Began);
            store.record_session(loud).await.unwrap();
        }
        for number in 0..5 {
            let quiet = report("quiet", number, Happened::Over);
            store.record_session(quiet).await.unwrap();
        }
        let room = Room {
            each: 7,
            in_all: 10,
        };
        bound(
            &store,
            room,
            Room {
                each: 1000,
                in_all: 1000,
            },
        )
        .await
        .unwrap();
        let kept = store.kept_sessions().await.unwrap();
        assert_eq!(kept.open, counts(&[("loud", 7)]));
        let over = usize::try_from(open).unwrap() - 7;
        assert_eq!(kept.ended, counts(&[("loud", over), ("quiet", 5)]));

        bound(&store, room, room).await.unwrap();
        let kept = store.kept_sessions().await.unwrap();
        assert_eq!(kept.open, counts(&[("loud", 7)]));
        assert_eq!(kept.ended, counts(&[("loud", 5), ("quiet", 5)]));
    }
}
