//! Asks clients about their sessions (RFC 5176): to end those that their resources no longer admit,
//! and what administrators asked for. Looks for them, asks, and has the outcome recorded.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use tokio::net::UdpSocket;
use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::Shared;
use super::story::Story;
use doorward_domain::name::ClientName;
use doorward_domain::secret::Secret;
use doorward_domain::session::Answered;
use doorward_domain::time::Monotonic;
use doorward_frontend_api::coa::{CoaAction, PendingCoa};
use doorward_radius_protocol::client::{ClientSettings, Disconnect};
use doorward_radius_protocol::disconnect::{Demanding, Next};
use doorward_radius_protocol::wire::MAX_LENGTH;

/// How often it is asked whether anything changed: one number read from the store.
const LOOK: Duration = Duration::from_millis(500);
/// How often all open sessions are looked at though nothing changed: time changes what is admitted
/// without a word, and a session may be reported after the change that ends it.
const LOOK_AT_ALL: Duration = Duration::from_secs(5);
/// How many are asked for at a time.
const AT_ONCE: usize = 64;

/// Looks and asks until shutdown.
pub(super) async fn follow(shared: Arc<Shared>, shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut seen = None;
    let mut looked = Monotonic::default();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let now = shared.clock.now();
        if now.mono.since(looked) >= LOOK_AT_ALL {
            seen = None;
        }
        if seen.is_none() {
            looked = now.mono;
        }
        let look = match shared.sessions.no_longer_admitted(seen, now).await {
            Ok(look) => look,
            Err(error) => {
                // The store's probe says so, louder.
                debug!(%error, "sessions were not looked at");
                continue;
            }
        };
        seen = Some(look.version);
        for pending in look.pending {
            let live = shared.live.load_full();
            let client = live
                .clients
                .iter()
                .find(|client| *client.name() == pending.client);
            let Some(way) = client.and_then(|client| way(client, &pending)) else {
                continue;
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                // The rest at the next look.
                seen = None;
                break;
            };
            let shared = Arc::clone(&shared);
            let tasks = shared.tasks.clone();
            let shutdown = shutdown.clone();
            tasks.spawn(async move {
                let ended = disconnect(&shared, &way, &pending);
                // A claim lapses, and another gateway or the next start asks again.
                tokio::select! { () = ended => {}, () = shutdown.cancelled() => {} }
                drop(place);
            });
        }
    }
}

/// Where to ask; nowhere where the client's entry says so.
fn way(client: &ClientSettings, pending: &PendingCoa) -> Option<Way> {
    match &client.disconnect {
        Disconnect::Off => None,
        Disconnect::At {
            address,
            port,
            secret,
        } => Some(Way {
            client: client.name().clone(),
            to: SocketAddr::new(address.unwrap_or(pending.particulars.source), *port),
            secret: secret.as_ref().unwrap_or(client.secret()).clone(),
        }),
    }
}

/// How a client is asked.
struct Way {
    client: ClientName,
    to: SocketAddr,
    secret: Secret,
}

async fn disconnect(shared: &Shared, way: &Way, pending: &PendingCoa) {
    let now = shared.clock.now();
    match shared.sessions.claim_disconnect(pending, now).await {
        Ok(true) => {}
        // Another gateway has it, or it is over.
        Ok(false) => return,
        Err(error) => return warn!(%error, "a client was not asked about a session yet"),
    }
    let story = Story::of_demand(shared, way.client.as_str(), way.to, pending);
    let outcome = match ask(shared, way, pending).await {
        Ok(outcome) => outcome,
        Err(error) => {
            if shared.live.load().gates.may_be_told_of(&way.client) {
                warn!(client.name = %way.client, client.address = %way.to, %error,
                    "a client cannot be asked about a session");
            }
            Answered::Unanswered
        }
    };
    story.demanded(outcome);
    let word = outcome.as_str();
    let counted = match &pending.action {
        CoaAction::Disconnect => "doorward_radius_disconnects_total",
        CoaAction::Change(_) => "doorward_radius_reauthorizations_total",
    };
    counter!(counted, "outcome" => word, "client" => way.client.as_str().to_owned()).increment(1);
    let session = pending.acct_session.in_brief();
    if pending.is_requested() || shared.live.load().gates.may_be_told_of(&way.client) {
        info!(client.name = %way.client, client.address = %way.to, outcome = word, session,
            action = pending.action.action(), "a client was asked about a session");
    } else {
        debug!(client.name = %way.client, client.address = %way.to, outcome = word, session,
            action = pending.action.action(), "a client was asked about a session");
    }
    let now = shared.clock.now();
    if let Err(error) = shared.sessions.disconnected(pending, outcome, now).await {
        warn!(%error, "what a client answered about a session was not recorded");
    }
}

/// From the address that the client reports to, where that can be, since that is the one it knows.
async fn socket(pending: &PendingCoa, to: SocketAddr) -> std::io::Result<UdpSocket> {
    let any = if to.is_ipv4() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED)
    } else {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED)
    };
    let known = pending.particulars.server;
    let known = known.filter(|address| address.is_ipv4() == to.is_ipv4());
    let socket = match known {
        Some(address) => match UdpSocket::bind((address, 0)).await {
            Ok(socket) => socket,
            Err(_) => UdpSocket::bind((any, 0)).await?,
        },
        None => UdpSocket::bind((any, 0)).await?,
    };
    socket.connect(to).await?;
    Ok(socket)
}

async fn ask(shared: &Shared, way: &Way, pending: &PendingCoa) -> std::io::Result<Answered> {
    let socket = socket(pending, way.to).await?;
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(std::io::Error::other)?;
    let [identifier, chances @ ..] = random;
    let mut chances = chances.into_iter().cycle();
    let now = shared.clock.now();
    let mut request =
        Demanding::new(pending, identifier, &way.secret, now).map_err(std::io::Error::other)?;
    let mut buffer = vec![0; MAX_LENGTH];
    loop {
        let now = shared.clock.now().mono;
        match request.next(now, chances.next().unwrap_or_default()) {
            // A port that nobody listens on is told by the next call; it may be listened on later.
            Next::Send => drop(socket.send(request.bytes()).await),
            Next::GiveUp => return Ok(Answered::Unanswered),
            Next::Wait(span) => match tokio::time::timeout(span, socket.recv(&mut buffer)).await {
                Ok(Ok(length)) => {
                    let datagram = buffer.get(..length).unwrap_or_default();
                    if let Some(outcome) = request.receive(datagram) {
                        return Ok(outcome);
                    }
                }
                Ok(Err(_)) => tokio::time::sleep(super::REST_AFTER_ERROR).await,
                Err(_) => {}
            },
        }
    }
}
