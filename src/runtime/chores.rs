//! What the daemon does by the clock, each in a task of its own that ends with the shutdown.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metrics::{counter, gauge};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::config::audit::Audit;
use doorward_directory::audit;
use doorward_directory::audit::Fill;
use doorward_directory::lifecycle;
use doorward_directory::lifecycle::Look;
use doorward_domain::time::Clock as _;
use doorward_ldap::Gate;
use doorward_store::{Store, Unavailable};

use super::clock::SystemClock;

/// How often time's effects are looked for: well within the minute of CONTRACT.md 7.
const LIFECYCLE: Duration = Duration::from_secs(15);
/// How often old events are removed.
const RETENTION: Duration = Duration::from_hours(1);
/// How often the log's size is looked at.
const ROOM: Duration = Duration::from_mins(1);
/// How often the clock is doubted.
const CLOCK: Duration = Duration::from_secs(5);
/// How often the store is probed.
const PROBE: Duration = Duration::from_secs(5);

/// Runs `chore` now and every `period` until shutdown, which it may meet half done: what it has the
/// store do is done command by command, each whole in itself.
pub(super) async fn every<F: Future<Output = ()>>(
    period: Duration,
    shutdown: CancellationToken,
    mut chore: impl FnMut() -> F,
) {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let work = async {
            ticks.tick().await;
            chore().await;
        };
        if shutdown.run_until_cancelled(work).await.is_none() {
            return;
        }
    }
}

/// Notices what time alone causes.
pub(super) async fn follow_time(
    store: Store,
    clock: Arc<SystemClock>,
    shutdown: CancellationToken,
) {
    every(LIFECYCLE, shutdown, || async {
        match lifecycle::notice(&store, clock.now()).await {
            Ok(Look::Wrote { transitions, mails }) if transitions + mails > 0 => {
                counter!("doorward_lifecycle_transitions_total")
                    .increment(u64::try_from(transitions).unwrap_or(0));
                tracing::info!(transitions, mails, "time passed");
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "what time caused was not noticed yet"),
        }
    })
    .await;
}

/// Removes events past their retention.
pub(super) async fn forget_events(
    store: Store,
    clock: Arc<SystemClock>,
    audit: impl Fn() -> Audit,
    shutdown: CancellationToken,
) {
    every(RETENTION, shutdown, || async {
        match audit::forget_old(&store, audit().retention, clock.now()).await {
            Ok(0) => {}
            Ok(gone) => tracing::info!(gone, "events past their retention were removed"),
            Err(error) => tracing::warn!(%error, "old events were not removed yet"),
        }
    })
    .await;
}

/// Keeps the log within its bytes, which are counted anew first, and says once when it comes near
/// them.
pub(super) async fn bound_events(
    store: Store,
    audit: impl Fn() -> Audit,
    shutdown: CancellationToken,
) {
    let told = AtomicBool::new(false);
    let counted = AtomicBool::new(false);
    every(ROOM, shutdown, || async {
        let most = audit().max_bytes;
        if !counted.load(Ordering::Relaxed) {
            match store.count_events_anew().await {
                Ok(()) => counted.store(true, Ordering::Relaxed),
                Err(error) => tracing::warn!(%error, "the audit log was not counted anew yet"),
            }
        }
        let looked = async {
            let fill = audit::fill(&store, most).await?;
            let gone = audit::keep_within(&store, most).await?;
            Ok::<_, Unavailable>((fill, gone))
        };
        match looked.await {
            Ok((fill, gone)) => {
                show_fill(fill);
                let nearly_full = fill.is_nearly_full();
                if nearly_full && !told.swap(nearly_full, Ordering::Relaxed) {
                    tracing::warn!(
                        percent = fill.percent(),
                        "the audit log is nearly full: raise audit.max_bytes, or events go before \
                         audit.retention, merged successes first"
                    );
                }
                told.store(nearly_full, Ordering::Relaxed);
                if gone > 0 {
                    tracing::warn!(gone, "events were removed: the audit log is full");
                }
            }
            Err(error) => tracing::warn!(%error, "the audit log's size was not looked at yet"),
        }
    })
    .await;
}

/// In whole hundredths: bytes would tell what a single attempt's event was about.
fn show_fill(fill: Fill) {
    #[expect(clippy::cast_precision_loss, reason = "hundredths are far below 2^52")]
    gauge!("doorward_audit_log_full_percent").set(fill.percent() as f64);
}

/// Doubts the wall clock.
pub(super) async fn doubt_clock(
    store: Store,
    clock: Arc<SystemClock>,
    shutdown: CancellationToken,
) {
    every(CLOCK, shutdown, || async {
        // Without an answer the clock is still compared with itself.
        let newest = store.newest_event().await.ok().flatten();
        clock.examine(newest);
    })
    .await;
}

/// Tells whether the store takes writes, so that where it does not Status-Server is answered with
/// silence (RFC 5997 4.2) and no LDAP connection is let in (CONTRACT.md 5.4).
///
/// It is looked at every [`PROBE`] and whenever the gate is told that it did not answer.
pub(super) async fn probe_store(
    store: Store,
    gate: Arc<Gate>,
    tell: impl Fn(bool),
    shutdown: CancellationToken,
) {
    loop {
        let Some(answer) = shutdown.run_until_cancelled(store.probe()).await else {
            return;
        };
        if let Err(error) = &answer {
            tracing::warn!(%error, "the store does not take writes");
        }
        gate.set_available(answer.is_ok());
        tell(answer.is_ok());
        gauge!("doorward_store_up").set(f64::from(answer.is_ok()));
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(PROBE) => {}
            () = gate.doubted() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn a_chore_that_has_much_to_do_does_not_hold_the_shutdown_up() {
        let (begun, shutdown) = (Arc::new(Notify::new()), CancellationToken::new());
        let begins = Arc::clone(&begun);
        let chores = every(RETENTION, shutdown.clone(), move || {
            begins.notify_one();
            std::future::pending()
        });
        let chores = tokio::spawn(chores);
        begun.notified().await;
        shutdown.cancel();
        // On one thread whoever was woken runs before this goes on.
        tokio::task::yield_now().await;
        assert!(chores.is_finished());
    }
}
