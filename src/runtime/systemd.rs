//! What systemd is told (`sd_notify(3)`). Without systemd nothing happens.

use std::time::Duration;

use sd_notify::{NotifyState, notify, watchdog_enabled};

/// The daemon answers requests.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The daemon stops.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// The daemon reloads its configuration; [`ready`] ends it.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The daemon is alive.
pub(super) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How often [`alive`] must be said: half of what the unit's `WatchdogSec` allows.
pub(super) fn watchdog_period() -> Option<Duration> {
    watchdog_enabled().map(|limit| limit / 2)
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = notify(state) {
        tracing::debug!(%error, "systemd was not told");
    }
}
