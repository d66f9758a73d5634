//! Sockets, tasks, rates and counts: the RADIUS front end's only input and output.
//!
//! One loop a socket takes datagrams in turn and does what [`Exchanges`] says; only a question to
//! the authenticator becomes a task of its own, and those are bounded. Must not judge packets.

mod disconnect;
pub mod radsec;
mod rate;
mod reply_path;
mod report;
mod socket;
mod story;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, Span, debug, error, info_span, warn};

use self::rate::Gates;
use self::reply_path::ReplyPath;
use self::report::{InFlight, Report};
use self::socket::{Received, Socket};
use self::story::Story;
use doorward_domain::id::RequestId;
use doorward_domain::time::{Clock, Monotonic};
use doorward_eap as eap;
use doorward_frontend_api::OnlineSessions;
use doorward_frontend_api::{Decide, DecideDevices, DeviceVerdict, Undecided, Verdict};
use doorward_observe::watch::Watch;
use doorward_radius_protocol::accounting::Report as Accounted;
use doorward_radius_protocol::client::{ClientSettings, Clients};
use doorward_radius_protocol::duplicates;
use doorward_radius_protocol::exchange::{
    Arrival, Conversing, DeviceQuestion, Examined, ExchangeId, Exchanges, Question, Recording,
    Step, Weight, examine,
};
use doorward_radius_protocol::reason::DropReason;
use doorward_radius_protocol::request::Place;
use doorward_radius_protocol::transport::{Service, Transport};
use doorward_radius_protocol::wire::MAX_LENGTH;

/// How many requests may be decided at a time, unless [`Listen`] says otherwise.
pub const MAX_IN_FLIGHT: usize = 4096;
/// How many reports may be recorded at a time, apart from requests being decided: more than the
/// store lets wait, which bounds them for each client and takes them in turns.
const REPORTS_IN_FLIGHT: usize = 2048;
/// How many datagrams that wait are taken at a time, before others on the same core have a turn.
const AT_A_TIME: usize = 64;
/// How long a loop rests after its socket failed, so that a lasting fault does not spin.
const REST_AFTER_ERROR: Duration = Duration::from_millis(50);

/// Where to listen; fixed for the life of the process.
#[derive(Debug, Clone)]
pub struct Listen {
    /// Addresses for Access-Request and Status-Server. `[::]` is IPv6 alone; give `0.0.0.0` too.
    pub authentication: Vec<SocketAddr>,
    /// Addresses for Accounting-Request and Status-Server.
    pub accounting: Vec<SocketAddr>,
    /// How many requests may be decided at a time.
    pub max_in_flight: usize,
    /// How many requests are remembered, so that none is decided twice.
    pub max_requests: usize,
    /// How long a reply is kept to be sent again (RFC 5080 §2.2.2).
    pub duplicate_lifetime: Duration,
    /// Where it is told what happens.
    pub watch: Watch,
}

impl Listen {
    /// Nowhere yet, with the default bounds: 4096 requests being decided, 16,384 remembered,
    /// replies for ten seconds.
    pub fn nowhere() -> Self {
        Self {
            authentication: Vec::new(),
            accounting: Vec::new(),
            max_in_flight: MAX_IN_FLIGHT,
            max_requests: duplicates::CAPACITY,
            duplicate_lifetime: duplicates::FINISHED_LIFETIME,
            watch: Watch::default(),
        }
    }
}

/// What a reload replaces as a whole.
#[derive(Debug)]
pub struct Settings {
    /// The clients.
    pub clients: Clients,
    /// How EAP conversations are held; nothing where they are not.
    pub eap: Option<Arc<eap::Settings>>,
    /// Whether responses to challenges can be checked (CHAP, MS-CHAPv2).
    pub challenges: bool,
    /// How many packets a second each client may send, on average, before they are dropped
    /// (CONTRACT.md 3.6): so many that are proven, so many that may be repeated by others, and so
    /// many that are not proven.
    pub datagrams_per_second: NonZeroU32,
    /// How many it may send at once.
    pub burst: NonZeroU32,
    /// The bounds on connections, where there are any.
    pub connections: radsec::Bounds,
}

impl Settings {
    /// Those clients with the default rate: 1000 datagrams a second, 2000 at once.
    pub fn new(clients: Clients) -> Self {
        Self {
            clients,
            eap: None,
            challenges: false,
            datagrams_per_second: const { NonZeroU32::new(1000).unwrap() },
            burst: const { NonZeroU32::new(2000).unwrap() },
            connections: radsec::Bounds::default(),
        }
    }
}

/// An address could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for RADIUS {} on {address}: {source}", .service.as_str())]
pub struct BindFault {
    /// What was to be served.
    pub service: Service,
    /// The address.
    pub address: SocketAddr,
    /// Why not.
    pub source: std::io::Error,
}

/// A listening loop ended on its own: a defect, after which the process must be restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a RADIUS listener failed")]
pub struct ListenerFailed;

/// The bound server, before it runs.
pub struct Server {
    sockets: Vec<(Service, Arc<Socket>)>,
    radsec: Option<radsec::Listen>,
    shared: Arc<Shared>,
}

/// What the running server is steered by.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl Server {
    /// Binds every address, within a tokio runtime.
    ///
    /// # Errors
    /// Names the first address that cannot be listened on.
    pub fn bind(
        listen: &Listen,
        settings: Settings,
        decide: Arc<dyn Decide>,
        devices: Arc<dyn DecideDevices>,
        sessions: Arc<dyn OnlineSessions>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, BindFault> {
        let authentication = listen
            .authentication
            .iter()
            .map(|at| (Service::Authentication, at));
        let accounting = listen.accounting.iter().map(|at| (Service::Accounting, at));
        let sockets = authentication
            .chain(accounting)
            .map(|(service, &address)| match Socket::bind(address) {
                Ok(socket) => Ok((service, Arc::new(socket))),
                Err(source) => Err(BindFault {
                    service,
                    address,
                    source,
                }),
            })
            .collect::<Result<_, _>>()?;
        let live = Live::new(settings, &clock);
        let shared = Shared {
            live: ArcSwap::from_pointee(live),
            exchanges: Mutex::new(Exchanges::new(
                listen.max_requests,
                listen.duplicate_lifetime,
            )),
            available: AtomicBool::new(true),
            connected: radsec::Connected::default(),
            permits: Arc::new(Semaphore::new(listen.max_in_flight)),
            reports: Arc::new(Semaphore::new(REPORTS_IN_FLIGHT)),
            tasks: TaskTracker::new(),
            report: Report::new(&clock),
            watch: listen.watch.clone(),
            decide,
            devices,
            sessions,
            clock,
        };
        Ok(Self {
            sockets,
            radsec: None,
            shared: Arc::new(shared),
        })
    }

    /// Serves connections of TLS as well (RFC 6614).
    #[must_use]
    pub fn with_radsec(mut self, listen: radsec::Listen) -> Self {
        self.radsec = Some(listen);
        self
    }

    /// The addresses in use, in the order of [`Listen`]: port 0 has become a real one.
    pub fn addresses(&self) -> Vec<(Service, SocketAddr)> {
        self.sockets
            .iter()
            .map(|(service, socket)| (*service, socket.local()))
            .collect()
    }

    /// A handle to steer the server by while it runs.
    pub fn handle(&self) -> Handle {
        Handle {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Serves until told to stop, then waits for the requests being decided. Whoever awaits it
    /// sets the deadline: dropping it leaves them unanswered, and their clients retry elsewhere.
    ///
    /// # Errors
    /// Where a listener failed on its own.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), ListenerFailed> {
        let mut loops = JoinSet::new();
        for (service, socket) in self.sockets {
            let shared = Arc::clone(&self.shared);
            loops.spawn(serve(shared, socket, service, shutdown.clone()));
        }
        if let Some(radsec::Listen { listeners, tls }) = self.radsec {
            for listener in listeners {
                let (shared, tls) = (Arc::clone(&self.shared), Arc::clone(&tls));
                loops.spawn(radsec::serve(shared, listener, tls, shutdown.clone()));
            }
        }
        let sessions = disconnect::follow(Arc::clone(&self.shared), shutdown.clone());
        loops.spawn(sessions);
        let mut outcome = Ok(());
        while let Some(ended) = loops.join_next().await {
            if ended.is_err() || !shutdown.is_cancelled() {
                error!("a RADIUS listener failed");
                outcome = Err(ListenerFailed);
                shutdown.cancel();
            }
        }
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
        outcome
    }
}

impl Handle {
    /// Replaces clients and rates at once. Requests being decided keep the secret they came under.
    pub fn replace(&self, settings: Settings) {
        let live = Live::new(settings, &self.shared.clock);
        self.shared.live.store(Arc::new(live));
    }

    /// Says whether requests can be decided at all. While they cannot, Status-Server stays
    /// unanswered and clients fail over (RFC 5997 §4.2).
    pub fn set_available(&self, available: bool) {
        self.shared.available.store(available, Ordering::Relaxed);
    }
}

struct Shared {
    live: ArcSwap<Live>,
    exchanges: Mutex<Exchanges>,
    available: AtomicBool,
    connected: radsec::Connected,
    permits: Arc<Semaphore>,
    reports: Arc<Semaphore>,
    tasks: TaskTracker,
    report: Report,
    watch: Watch,
    decide: Arc<dyn Decide>,
    devices: Arc<dyn DecideDevices>,
    sessions: Arc<dyn OnlineSessions>,
    clock: Arc<dyn Clock>,
}

struct Live {
    clients: Clients,
    eap: Option<Arc<eap::Settings>>,
    challenges: bool,
    gates: Gates,
    connections: radsec::Bounds,
}

impl Live {
    fn new(settings: Settings, clock: &Arc<dyn Clock>) -> Self {
        let gates = Gates::new(&settings, clock);
        Self {
            clients: settings.clients,
            eap: settings.eap,
            challenges: settings.challenges,
            connections: settings.connections,
            gates,
        }
    }
}

impl Shared {
    /// The table survives a panic elsewhere: each of its operations leaves it whole.
    fn exchanges(&self) -> MutexGuard<'_, Exchanges> {
        self.exchanges
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(
    shared: Arc<Shared>,
    socket: Arc<Socket>,
    service: Service,
    shutdown: CancellationToken,
) {
    let mut buffer = vec![0; MAX_LENGTH];
    loop {
        let received = tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            received = socket.receive(&mut buffer) => received,
        };
        let mut next = Some(received);
        for _ in 0..AT_A_TIME {
            match next {
                Some(Ok(received)) => {
                    let datagram = buffer.get(..received.length).unwrap_or_default();
                    take(&shared, &socket, service, datagram, received).await;
                }
                Some(Err(fault)) => {
                    // An ICMP error to an earlier reply comes here too: never a reason to end.
                    report::receive_error(service);
                    warn!(service = service.as_str(), error = %fault, "cannot receive RADIUS datagrams");
                    tokio::time::sleep(REST_AFTER_ERROR).await;
                    break;
                }
                None => break,
            }
            next = socket.receive_waiting(&mut buffer);
        }
    }
}

async fn take(
    shared: &Arc<Shared>,
    socket: &Arc<Socket>,
    service: Service,
    datagram: &[u8],
    received: Received,
) {
    let transport = Transport::Datagram(service);
    report::packet(transport);
    let peer = received.back.peer();
    let live = shared.live.load();
    let ways = (peer, received.local);
    let Some(client) = live.clients.find(peer.ip()) else {
        Story::unread(
            shared,
            None,
            ways,
            datagram.len(),
            DropReason::UnknownClient,
        );
        return shared.report.dropped(DropReason::UnknownClient, None, peer);
    };
    let arrival = Arrival {
        datagram,
        client,
        transport,
        peer,
        local: received.local,
        now: shared.clock.now(),
        eap: live.eap.as_ref(),
        challenges: live.challenges,
        available: shared.available.load(Ordering::Relaxed),
    };
    let examined = examine(&arrival);
    let weight = shared.exchanges().weight(&arrival, &examined);
    if !live.gates.admit(client.name(), weight) {
        let reason = match weight {
            Weight::Request | Weight::Repetition => DropReason::RateLimited,
            Weight::Unproven => DropReason::UnprovenRateLimited,
        };
        Story::unread(shared, Some(client), ways, datagram.len(), reason);
        return shared.report.dropped(reason, Some(client), peer);
    }
    let back = ReplyPath::Datagram {
        socket: Arc::clone(socket),
        service,
        to: received.back,
    };
    handle(shared, &arrival, examined, back).await;
}

/// Does what the exchange says of a packet; tells why where that is nothing.
async fn handle(
    shared: &Arc<Shared>,
    arrival: &Arrival<'_>,
    examined: Result<Examined<'_>, DropReason>,
    back: ReplyPath,
) -> Option<DropReason> {
    let client = arrival.client;
    let mut step = shared.exchanges().take(arrival, examined);
    let story = Story::of(shared, arrival, &mut step);
    let task = |work| Task {
        work,
        client: Arc::clone(client),
        story: story.clone(),
    };
    match step {
        Step::Drop(reason) => {
            story.dropped(reason);
            shared.report.dropped(reason, Some(client), back.peer());
            return Some(reason);
        }
        Step::Resend(bytes) => {
            story.resent(&bytes);
            report::resent(client);
            back.send(&bytes).await;
        }
        Step::Reply(reply) => {
            story.replied(&reply.bytes);
            report::replied(&reply, client);
            back.send(&reply.bytes).await;
        }
        Step::Reject(reason, failure, reply) => {
            story.rejected(reason);
            story.replied(&reply.bytes);
            let live = shared.live.load();
            report::rejected_without_asking(reason, failure.as_ref(), client, &live.gates);
            report::replied(&reply, client);
            back.send(&reply.bytes).await;
        }
        Step::Ask(question) => work(shared, task(Work::Ask(question)), back),
        Step::AskDevice(question) => work(shared, task(Work::AskDevice(question)), back),
        Step::Converse(conversing) => work(shared, task(Work::Converse(conversing)), back),
        Step::Record(recording) => work(shared, task(Work::Record(recording)), back),
    }
    None
}

/// What takes longer than the loop may wait.
enum Work {
    Ask(Box<Question>),
    AskDevice(Box<DeviceQuestion>),
    Converse(Box<Conversing>),
    Record(Box<Recording>),
}

/// Work, whose it is, and its story so far.
struct Task {
    work: Work,
    client: Arc<ClientSettings>,
    story: Story,
}

/// Starts the task that works on a request and answers it, where there is room for one.
fn work(shared: &Arc<Shared>, task: Task, back: ReplyPath) {
    let Task {
        work,
        client,
        story,
    } = task;
    let id = match &work {
        Work::Ask(question) => question.open.id(),
        Work::AskDevice(question) => question.open.id(),
        Work::Converse(conversing) => conversing.id(),
        Work::Record(recording) => recording.open.id(),
    };
    let permits = match &work {
        Work::Record(_) => &shared.reports,
        Work::Ask(_) | Work::AskDevice(_) | Work::Converse(_) => &shared.permits,
    };
    let Ok(permit) = Arc::clone(permits).try_acquire_owned() else {
        match work {
            Work::Ask(_) | Work::AskDevice(_) | Work::Record(_) => shared.exchanges().abandon(id),
            Work::Converse(conversing) => shared.exchanges().return_unrun(*conversing),
        }
        story.dropped(DropReason::Overloaded);
        return shared
            .report
            .dropped(DropReason::Overloaded, Some(&client), back.peer());
    };
    let gone = back.clone();
    let flight = Flight {
        shared: Arc::clone(shared),
        id,
        story,
        _gauge: InFlight::new(),
        _permit: permit,
    };
    let worked = async move {
        let step = match work {
            Work::Ask(question) => flight.decide(*question, &client, &back).await,
            Work::AskDevice(question) => flight.decide_device(*question, &client, &back).await,
            Work::Record(recording) => flight.record(*recording).await,
            Work::Converse(conversing) => {
                let conversed = conversing.run();
                flight.story.notes();
                let now = flight.shared.clock.now().mono;
                let step = flight.shared.exchanges().conversed(conversed, now);
                match step {
                    Step::Ask(question) => flight.decide(*question, &client, &back).await,
                    step => step,
                }
            }
        };
        flight.end(step, &client, &back).await;
    };
    shared.tasks.spawn(async move {
        tokio::select! {
            () = gone.gone() => {}
            () = worked => {}
        }
    });
}

/// One request being worked on. However it ends, its entry does not stay open.
struct Flight {
    shared: Arc<Shared>,
    id: ExchangeId,
    story: Story,
    _gauge: InFlight,
    _permit: OwnedSemaphorePermit,
}

impl Flight {
    /// Asks the authenticator.
    async fn decide(&self, question: Question, client: &ClientSettings, back: &ReplyPath) -> Step {
        let span = span_of(
            question.attempt.request,
            &question.place,
            client,
            back.peer(),
        );
        let Question { open, attempt, .. } = question;
        self.story.question(&attempt);
        let received = attempt.received.mono;
        let decided = self.shared.decide.decide(attempt);
        let verdict = decided.instrument(span.clone()).await;
        let now = self.decided(&span, received, verdict_name(&verdict));
        self.story.verdict(&verdict);
        let step = self.shared.exchanges().answer(open, verdict, now);
        self.story.notes();
        step
    }

    /// Asks the authenticator about a device.
    async fn decide_device(
        &self,
        question: DeviceQuestion,
        client: &ClientSettings,
        back: &ReplyPath,
    ) -> Step {
        let span = span_of(
            question.attempt.request,
            &question.place,
            client,
            back.peer(),
        );
        let DeviceQuestion { open, attempt, .. } = question;
        self.story.question_of_device(&attempt);
        let received = attempt.received.mono;
        span.record("device", tracing::field::display(attempt.address));
        let decided = self.shared.devices.decide_device(attempt);
        let verdict = decided.instrument(span.clone()).await;
        let word = match &verdict {
            Ok(DeviceVerdict::Granted(_)) => "granted",
            Ok(DeviceVerdict::Refused(refusal)) => refusal.as_str(),
            Err(undecided) => undecided_name(undecided),
        };
        let now = self.decided(&span, received, word);
        self.story.verdict_of_device(&verdict);
        self.shared.exchanges().answer_device(open, verdict, now)
    }

    /// Writes down how a decision ended; says when that was.
    fn decided(&self, span: &Span, received: Monotonic, verdict: &str) -> Monotonic {
        let now = self.shared.clock.now().mono;
        let duration_ms = u64::try_from(now.since(received).as_millis()).unwrap_or(u64::MAX);
        span.record("verdict", verdict);
        span.record("duration_ms", duration_ms);
        span.in_scope(|| debug!("decided"));
        now
    }

    /// Has a report recorded.
    async fn record(&self, recording: Recording) -> Step {
        let Recording { open, report } = recording;
        let sessions = &self.shared.sessions;
        let outcome = match report {
            Accounted::Session(one) => sessions.record_session(one.report, &one.asking).await,
            Accounted::Restarted { nas, at } => sessions.nas_restarted(nas, at).await,
        };
        self.story.recorded(&outcome);
        let now = self.shared.clock.now().mono;
        self.shared.exchanges().recorded(open, outcome, now)
    }

    /// Sends what came of it.
    async fn end(&self, step: Step, client: &ClientSettings, back: &ReplyPath) {
        match step {
            Step::Reply(reply) => {
                self.story.replied(&reply.bytes);
                report::replied(&reply, client);
                back.send(&reply.bytes).await;
            }
            Step::Reject(reason, failure, reply) => {
                self.story.rejected(reason);
                self.story.replied(&reply.bytes);
                let live = self.shared.live.load();
                report::rejected_without_asking(reason, failure.as_ref(), client, &live.gates);
                report::replied(&reply, client);
                back.send(&reply.bytes).await;
            }
            Step::Drop(reason) => {
                self.story.dropped(reason);
                self.shared
                    .report
                    .dropped(reason, Some(client), back.peer());
            }
            // What was worked on yields a reply or silence.
            Step::Resend(_)
            | Step::Ask(_)
            | Step::AskDevice(_)
            | Step::Converse(_)
            | Step::Record(_) => {}
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.shared.exchanges().abandon(self.id);
    }
}

fn span_of(request: RequestId, place: &Place, client: &ClientSettings, peer: SocketAddr) -> Span {
    info_span!(
        "radius.request",
        request.id = %request,
        client.name = %client.name(),
        client.address = %peer,
        nas.identifier = place.nas_identifier.as_deref(),
        nas.port_type = place.nas_port_type,
        station.called = place.called_station.as_deref(),
        station.calling = place.calling_station.as_deref(),
        device = tracing::field::Empty,
        verdict = tracing::field::Empty,
        duration_ms = tracing::field::Empty,
    )
}

fn verdict_name(verdict: &Result<Verdict, Undecided>) -> &'static str {
    match verdict {
        Ok(Verdict::Granted(_)) => "granted",
        Ok(Verdict::ChangeOnly(_)) => "change_only",
        Ok(Verdict::Refused(refusal)) => refusal.as_str(),
        Err(undecided) => undecided_name(undecided),
    }
}

fn undecided_name(undecided: &Undecided) -> &'static str {
    match undecided {
        Undecided::Busy => "busy",
        Undecided::Unavailable(_) => "unavailable",
    }
}
