//! What happened, as metrics and log lines. `docs/radius.md` lists the names.

use std::net::SocketAddr;
use std::sync::Arc;

use governor::{Quota, RateLimiter};
use metrics::{counter, gauge};
use tracing::{debug, info, warn};

use super::rate::{Gates, Given, Limiter, WORDS};
use doorward_domain::time::Clock;
use doorward_eap::Failure;
use doorward_radius_protocol::client::ClientSettings;
use doorward_radius_protocol::reason::{DropReason, RejectReason};
use doorward_radius_protocol::reply::{EapLogin, Reply};
use doorward_radius_protocol::transport::{Service, Transport};

/// Counts everything; warns about what an operator can cure, a few times a minute at most.
pub(super) struct Report {
    of_clients: Limiter,
    // Apart, or a flood from strangers would silence what is said of clients.
    of_strangers: Limiter,
}

impl Report {
    pub(super) fn new(clock: &Arc<dyn Clock>) -> Self {
        let quota = Quota::per_minute(WORDS);
        let limiter = || RateLimiter::direct_with_clock(quota, Given(Arc::clone(clock)));
        Self {
            of_clients: limiter(),
            of_strangers: limiter(),
        }
    }

    pub(super) fn dropped(
        &self,
        reason: DropReason,
        client: Option<&ClientSettings>,
        peer: SocketAddr,
    ) {
        let name = client.map_or("", |client| client.name().as_str());
        counter!(
            "doorward_radius_drops_total",
            "reason" => reason.as_str(),
            "client" => name.to_owned(),
        )
        .increment(1);
        let warnings = if client.is_some() {
            &self.of_clients
        } else {
            &self.of_strangers
        };
        match reason.cure() {
            Some(cure) if warnings.check().is_ok() => warn!(
                client.name = name,
                client.address = %peer,
                reason = reason.as_str(),
                "RADIUS datagram dropped: {cure}"
            ),
            _ => debug!(
                client.name = name,
                client.address = %peer,
                reason = reason.as_str(),
                "RADIUS datagram dropped"
            ),
        }
    }

    /// Whether there is room in the log for one more word about a stranger.
    pub(super) fn may_warn_of_strangers(&self) -> bool {
        self.of_strangers.check().is_ok()
    }
}

pub(super) fn packet(transport: Transport) {
    counter!("doorward_radius_datagrams_total", "service" => transport.as_str()).increment(1);
}

pub(super) fn replied(reply: &Reply, client: &ClientSettings) {
    counter!(
        "doorward_radius_replies_total",
        "code" => reply.code.string(),
        "client" => client.name().as_str().to_owned(),
    )
    .increment(1);
    if let Some(EapLogin { method, resumed }) = reply.eap {
        counter!(
            "doorward_radius_eap_logins_total",
            "method" => method.as_str(),
            "login" => if resumed { "resumed" } else { "full" },
            "client" => client.name().as_str().to_owned(),
        )
        .increment(1);
    }
}

pub(super) fn rejected_without_asking(
    reason: RejectReason,
    failure: Option<&Failure>,
    client: &ClientSettings,
    gates: &Gates,
) {
    counter!(
        "doorward_radius_rejects_without_asking_total",
        "reason" => reason.as_str(),
        "client" => client.name().as_str().to_owned(),
    )
    .increment(1);
    let name = client.name();
    let (reason, failure) = (reason.as_str(), failure.map(tracing::field::display));
    if gates.may_be_told_of(name) {
        info!(client.name = %name, reason, failure, "rejected without asking");
    } else {
        debug!(client.name = %name, reason, failure, "rejected without asking");
    }
}

pub(super) fn resent(client: &ClientSettings) {
    counter!(
        "doorward_radius_resends_total",
        "client" => client.name().as_str().to_owned(),
    )
    .increment(1);
}

pub(super) fn receive_error(service: Service) {
    counter!("doorward_radius_receive_errors_total", "service" => service.as_str()).increment(1);
}

pub(super) fn send_error(service: Service) {
    counter!("doorward_radius_send_errors_total", "service" => service.as_str()).increment(1);
}

/// One request being decided, as the gauge counts it.
pub(super) struct InFlight(());

impl InFlight {
    pub(super) fn new() -> Self {
        gauge!("doorward_radius_in_flight").increment(1.0);
        Self(())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        gauge!("doorward_radius_in_flight").decrement(1.0);
    }
}
