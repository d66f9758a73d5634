//! One connection: bytes to requests, steps to bytes, and every wait bounded.
//!
//! One task owns the stream and does all reading and writing, so that answers never interleave
//! and StartTLS finds nothing in flight; operations run beside it and hand their answers over.
//! A client that does not read stops being read, and is closed when it stays so; one that hangs up
//! is noticed while it is not read, and ends what it asked for.

mod admission;
mod lag;
mod operations;
mod writing;

use std::collections::HashMap;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut as _, BytesMut};
use metrics::counter;
use tokio::io::AsyncReadExt as _;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, debug, debug_span, error};
use zeroize::Zeroize as _;

use self::admission::Admission;
use self::operations::{Event, Running, check, still};
use super::story::Story;
use super::stream::Stream;
use super::{Permit, Services};
use doorward_domain::certificate;
use doorward_domain::id::RequestId;
use doorward_domain::origin::Source;
use doorward_domain::time::Now;
use doorward_ldap_protocol::bind::Transport;
use doorward_ldap_protocol::decode::{Incoming, MessageDecoder, Operation, Request, RequestKind};
use doorward_ldap_protocol::limits::Phase;
use doorward_ldap_protocol::result::{Reply, Written};
use doorward_ldap_protocol::session::{Arrival, CloseReason, Closing, Conversation, Step};
use doorward_ldap_protocol::settings::{Settings, TlsMode};
use doorward_leftovers::overwrite_freed;
use doorward_net::WipingStream;

/// How many answers, and how many bytes of entries, may wait to be written before operations wait.
const ANSWERS_IN_FLIGHT: usize = 64;
const BYTES_IN_FLIGHT: usize = 64 * 1024;
/// How long it takes at most until a hang-up is seen while nothing is read.
const LOOK: Duration = Duration::from_millis(500);
/// How long operations, and what waits for them, may go on once the daemon stops.
const LAST_OPERATIONS: Duration = Duration::from_secs(5);
/// How many bytes are read at once, from a stranger and from who has bound.
const STRANGERS_ROOM: usize = 1024;
const READ_ROOM: usize = 8 * 1024;
/// How often a stranger is read for one message until that, too, takes turns: an ordinary bind is
/// there at once.
const FREE_READS: usize = 4;

/// Serves one accepted connection to its end.
pub(super) async fn serve<S>(
    stream: S,
    source: Source,
    settings: Arc<Settings>,
    services: Services,
    shutdown: CancellationToken,
    permit: Arc<Permit>,
) -> CloseReason
where
    S: Stream,
{
    let story = Story::new(&services, &settings, &source);
    story.opened();
    let reason = tokio::select! {
        reason = serve_messages(stream, source, settings, services, shutdown, &story, &permit) => reason,
        () = permit.lost() => CloseReason::Displaced,
    };
    story.closed(reason);
    reason
}

/// Talks in the clear, under TLS, or first the one and then the other.
async fn serve_messages<S>(
    stream: S,
    source: Source,
    settings: Arc<Settings>,
    services: Services,
    shutdown: CancellationToken,
    story: &Story,
    permit: &Arc<Permit>,
) -> CloseReason
where
    S: Stream,
{
    let transport = if settings.tls == TlsMode::Implicit {
        Transport::Tls
    } else {
        Transport::Plain
    };
    let conversation = Conversation::new(Arc::clone(&settings), source, transport);
    let handshake = settings.timeouts.handshake;
    if settings.tls == TlsMode::Implicit {
        let Some(config) = (services.tls)(settings.client_certificate) else {
            error!("there is no certificate for a listener with implicit TLS");
            return CloseReason::Handshake;
        };
        let talk = Beginning {
            conversation,
            services,
            shutdown,
            story: story.clone(),
            permit: Arc::clone(permit),
        };
        return protected(stream, config, handshake, talk).await;
    }
    let talk = Beginning {
        conversation,
        services: services.clone(),
        shutdown: shutdown.clone(),
        story: story.clone(),
        permit: Arc::clone(permit),
    };
    match Connection::new(stream, talk).run().await {
        Ending::Closed(reason) => reason,
        Ending::StartTls {
            stream,
            config,
            conversation,
        } => {
            let talk = Beginning {
                conversation: *conversation,
                services,
                shutdown,
                story: story.clone(),
                permit: Arc::clone(permit),
            };
            protected(stream, config, handshake, talk).await
        }
    }
}

/// What a talk begins with.
struct Beginning {
    conversation: Conversation,
    services: Services,
    shutdown: CancellationToken,
    story: Story,
    permit: Arc<Permit>,
}

async fn protected<S>(
    stream: S,
    config: Arc<ServerConfig>,
    handshake: Duration,
    mut talk: Beginning,
) -> CloseReason
where
    S: Stream,
{
    // Whoever was bound before is not under TLS, and waits for the handshake as a stranger.
    talk.permit.note_bound(false);
    let accepting = TlsAcceptor::from(config).accept(WipingStream::new(stream));
    let accepted = tokio::select! {
        accepted = timeout(handshake, accepting) => accepted,
        // Nothing was asked for yet, and there is nobody to tell in the clear.
        () = talk.shutdown.cancelled() => return CloseReason::Shutdown,
    };
    let stream = match accepted {
        Ok(Ok(stream)) => stream,
        Ok(Err(failure)) => {
            talk.story.unprotected(&failure);
            debug!(error = %failure, "TLS handshake failed");
            return CloseReason::Handshake;
        }
        Err(_) => {
            talk.story.unprotected_in_time();
            debug!("TLS handshake took too long");
            return CloseReason::Handshake;
        }
    };
    let shown = stream.get_ref().1.peer_certificates();
    let names = match shown
        .and_then(<[_]>::first)
        .map(|der| certificate::names(der))
    {
        None => None,
        Some(Ok(names)) => Some(Arc::new(names)),
        Some(Err(unreadable)) => {
            debug!(error = %unreadable, "TLS handshake failed");
            return CloseReason::Handshake;
        }
    };
    talk.story.protected(stream.get_ref().1, names.as_deref());
    talk.conversation.protected(names);
    match Connection::new(Box::new(stream), talk).run().await {
        Ending::Closed(reason) => reason,
        // The conversation refuses StartTLS under TLS.
        Ending::StartTls { .. } => CloseReason::Handshake,
    }
}

enum Ending<S> {
    Closed(CloseReason),
    StartTls {
        stream: S,
        config: Arc<ServerConfig>,
        conversation: Box<Conversation>,
    },
}

/// What to do after a step.
enum Next {
    On,
    /// Go on; it was a login, or what needs the same decision.
    Decided,
    Handshake(Arc<ServerConfig>),
}

struct Connection<S> {
    stream: S,
    decoder: MessageDecoder,
    inbox: BytesMut,
    /// How often it was read since the last message, or turn.
    reads: usize,
    /// What is still to be written, behind a message in part or whole ones.
    outbox: BytesMut,
    /// Whether the last message of the outbox is whole. Behind a part no other can follow.
    tail: Written,
    conversation: Conversation,
    services: Services,
    shutdown: CancellationToken,
    story: Story,
    permit: Arc<Permit>,
    tasks: JoinSet<()>,
    running: HashMap<u64, Running>,
    begun: u64,
    /// Whether the next request may be read, and how long the last one was.
    admission: Admission,
    last_bytes: usize,
    answers: mpsc::Receiver<(u64, Event)>,
    answer_with: mpsc::Sender<(u64, Event)>,
    /// Room for bytes of entries that wait to be written.
    room: Arc<Semaphore>,
}

impl<S: Stream> Connection<S> {
    fn new(stream: S, beginning: Beginning) -> Self {
        let Beginning {
            conversation,
            services,
            shutdown,
            story,
            permit,
        } = beginning;
        let (answer_with, answers) = mpsc::channel(ANSWERS_IN_FLIGHT);
        Self {
            stream,
            decoder: MessageDecoder::new(conversation.settings().limits),
            inbox: BytesMut::new(),
            reads: 0,
            outbox: BytesMut::new(),
            tail: Written::Whole,
            conversation,
            services,
            shutdown,
            story,
            permit,
            tasks: JoinSet::new(),
            running: HashMap::new(),
            begun: 0,
            admission: Admission::default(),
            last_bytes: 0,
            answers,
            answer_with,
            room: Arc::new(Semaphore::new(BYTES_IN_FLIGHT)),
        }
    }

    /// Talks to the end. Whatever it waits for, a daemon that stops waits no longer than it gives
    /// operations: what was being decided is decided all the same, and nobody is told.
    async fn run(mut self) -> Ending<S> {
        let last = after(self.shutdown.clone(), LAST_OPERATIONS);
        let talked = tokio::select! {
            biased;
            talked = self.talk() => talked,
            () = last => Err(CloseReason::Shutdown),
        };
        match talked {
            Ok(config) => {
                let Self {
                    stream,
                    conversation,
                    ..
                } = self;
                Ending::StartTls {
                    stream,
                    config,
                    conversation: Box::new(conversation),
                }
            }
            Err(reason) => {
                // Nobody takes the answers any more.
                self.tasks.abort_all();
                self.hang_up(reason).await;
                Ending::Closed(reason)
            }
        }
    }

    /// Talks until the connection is to be protected, or ends.
    async fn talk(&mut self) -> Result<Arc<ServerConfig>, CloseReason> {
        let mut idle = self.idle();
        let look_again = self.conversation.settings().timeouts.look_again;
        let mut again = Box::pin(sleep(look_again));
        loop {
            while !self.shutdown.is_cancelled() && self.has_room() && self.admits() {
                let Some(incoming) = self.next_message()? else {
                    break;
                };
                self.reads = 0;
                // A message that waits is held once.
                self.give_room_back();
                if !is_bind(&incoming) {
                    self.turn().await?;
                }
                let next = self.take(incoming).await?;
                self.admission = Admission::Short;
                match next {
                    Next::On | Next::Decided => idle = self.idle(),
                    Next::Handshake(config) => return Ok(config),
                }
                if self.outbox.len() >= self.write_at() {
                    self.flush().await?;
                }
            }
            self.flush().await?;
            let stopping = self.shutdown.is_cancelled();
            if stopping && self.running.is_empty() {
                return Err(CloseReason::Shutdown);
            }
            let may_read = !stopping && self.has_room() && self.admits();
            if may_read && self.reads >= FREE_READS {
                self.turn().await?;
                self.reads = 0;
            }
            let room = match self.conversation.phase() {
                Phase::Anonymous => STRANGERS_ROOM,
                Phase::Bound => READ_ROOM,
            };
            self.inbox.reserve(room);
            // A message that grew leaves more room than that; it is not filled at once.
            let mut inbox = (&mut self.inbox).limit(room);
            tokio::select! {
                biased;
                Some((serial, event)) = self.answers.recv() => {
                    self.answer(serial, event).await?;
                    idle = self.idle();
                }
                Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    check(&ended)?;
                }
                () = self.admission.room() => idle = self.idle(),
                () = self.shutdown.cancelled(), if !stopping => {}
                () = &mut again => {
                    if self.conversation.session().is_bound() && !self.look_again().await {
                        idle = self.idle();
                    }
                    again = Box::pin(sleep(look_again));
                }
                read = self.stream.read_buf(&mut inbox), if may_read => match read {
                    Ok(0) | Err(_) => return Err(CloseReason::Gone),
                    Ok(read) => {
                        overwrite_freed(read);
                        self.reads += 1;
                    }
                },
                () = &mut idle, if self.running.is_empty() => return Err(CloseReason::Idle),
                () = sleep(LOOK), if !may_read => self.look()?,
            }
        }
    }

    /// Looks whether the client is still there, while it is not read.
    fn look(&self) -> Result<(), CloseReason> {
        if self.stream.has_hung_up() {
            Err(CloseReason::Gone)
        } else {
            Ok(())
        }
    }

    /// Whether a further operation may begin. A stranger has one at a time, so that it holds one
    /// request and one answer.
    fn has_room(&self) -> bool {
        let at_once = match self.conversation.phase() {
            Phase::Anonymous => 1,
            Phase::Bound => self.conversation.settings().search.at_once.max(1),
        };
        self.running.len() < at_once && self.has_room_for_requests()
    }

    /// The time until the next request. It begins with the last one, whatever single bytes come. A
    /// long one that has room takes it from others.
    fn idle(&self) -> Pin<Box<Sleep>> {
        let timeouts = &self.conversation.settings().timeouts;
        Box::pin(sleep(if matches!(self.admission, Admission::Admitted(_)) {
            timeouts.handshake
        } else if self.conversation.session().is_bound() {
            timeouts.bound_idle
        } else {
            timeouts.anonymous_idle
        }))
    }

    fn next_message(&mut self) -> Result<Option<Incoming>, CloseReason> {
        self.decoder.set_phase(self.conversation.phase());
        let bytes = self.inbox.len();
        match self.decoder.next_message(&mut self.inbox) {
            Ok(incoming) => {
                self.last_bytes = bytes.saturating_sub(self.inbox.len());
                Ok(incoming)
            }
            Err(refused) => {
                self.story.malformed(refused.reason.label());
                malformed(refused.reason.label());
                self.put(Reply::refusal(&refused));
                Err(CloseReason::Malformed)
            }
        }
    }

    /// Forgets the last message with the room that it took. What came behind it is no longer than
    /// what is read at once.
    fn give_room_back(&mut self) {
        let behind = BytesMut::from(self.inbox.as_ref());
        // A password may have come in part.
        self.inbox.as_mut().zeroize();
        self.inbox = behind;
    }

    async fn take(&mut self, incoming: Incoming) -> Result<Next, CloseReason> {
        match incoming {
            Incoming::Request(request) => {
                let now = self.services.clock.now();
                let kind = request.operation.kind();
                let arrival = Arrival {
                    now,
                    request: RequestId::new(now.wall),
                    bytes_behind: !self.inbox.is_empty(),
                };
                counter!("doorward_ldap_requests_total", "operation" => kind.label()).increment(1);
                let span = debug_span!(
                    "request",
                    request.id = %arrival.request,
                    message.id = request.id.get(),
                    operation = kind.label(),
                );
                log(&request);
                self.story.request(&request, &self.conversation, now.mono);
                let next = self.step(*request, arrival).instrument(span).await?;
                self.note_who(Some(kind));
                if kind == RequestKind::Bind && !matches!(next, Next::Decided) {
                    self.turn().await?;
                }
                if matches!(kind, RequestKind::Bind | RequestKind::Extended) {
                    self.took(kind, now);
                }
                Ok(next)
            }
            Incoming::Refused(refused) => {
                self.story.malformed(refused.reason.label());
                malformed(refused.reason.label());
                let step = self.conversation.refused(&refused);
                self.note_who(None);
                self.settle(step, self.services.clock.now())
            }
        }
    }

    /// Lets the place follow who is bound. A bind alone makes somebody of nobody, and its source
    /// known; much else may make nobody of somebody.
    fn note_who(&self, kind: Option<RequestKind>) {
        let bound = self.conversation.session().is_bound();
        if !bound || kind == Some(RequestKind::Bind) {
            self.permit.note_bound(bound);
        }
    }

    /// Looks whether who is bound still may be, for a client that asks for nothing which would
    /// tell. Where it cannot be told now, it is at the next look.
    async fn look_again(&mut self) -> bool {
        let identity = self.conversation.session().identity();
        let stands = still(self.services.decide.as_ref(), &identity).await;
        if matches!(stands, Ok(false)) {
            self.conversation.stands_no_more();
            self.note_who(None);
        }
        self.conversation.session().is_bound()
    }

    /// Waits until a stranger may have something done; whoever is bound need not. What it is owed
    /// is written first, since a turn that has come is waited for by others.
    async fn turn(&mut self) -> Result<(), CloseReason> {
        if self.conversation.phase() == Phase::Bound {
            return Ok(());
        }
        self.flush().await?;
        let permit = Arc::clone(&self.permit);
        let mut turn = pin!(permit.turn());
        loop {
            tokio::select! {
                biased;
                () = &mut turn => return Ok(()),
                () = self.shutdown.cancelled() => return Err(CloseReason::Shutdown),
                () = sleep(LOOK) => self.look()?,
            }
        }
    }

    /// Does what the conversation says until the request is answered or runs.
    async fn step(&mut self, request: Request, arrival: Arrival) -> Result<Next, CloseReason> {
        let id = request.id;
        let mut step = self.conversation.receive(request, arrival);
        let mut decided = false;
        loop {
            step = match step {
                Step::WaitForOperations(request) => {
                    self.finish_operations().await?;
                    self.conversation.receive(*request, arrival)
                }
                Step::AskUser(attempt, bind) => {
                    self.story.question(id, &attempt);
                    // What was found before goes out while this is decided.
                    self.flush().await?;
                    let verdict = self.services.decide.decide(*attempt).await;
                    self.story.verdict(id, &verdict);
                    decided = true;
                    self.conversation.user_decided(bind, verdict)
                }
                Step::AskService(attempt, bind) => {
                    self.story.service_question(id, &attempt);
                    self.flush().await?;
                    let verdict = self.services.decide.decide_service(*attempt).await;
                    self.story.service_verdict(id, &verdict);
                    decided = true;
                    self.conversation.service_decided(bind, verdict)
                }
                Step::AskOwner(attempt, check) => {
                    self.story.question(id, &attempt);
                    self.flush().await?;
                    let verdict = self.services.decide.decide(*attempt).await;
                    self.story.verdict(id, &verdict);
                    self.conversation.old_password_decided(*check, verdict)
                }
                Step::ChangePassword(change) => {
                    self.flush().await?;
                    let changed = self.services.passwords.change_own_password(
                        change.owner(),
                        change.new_password().clone(),
                        self.services.clock.now(),
                    );
                    let outcome = changed.await;
                    self.conversation.password_changed(&change, outcome)
                }
                Step::Confirm(identity, confirmation) => {
                    let stands = still(self.services.decide.as_ref(), &identity).await;
                    self.story.stands(id, &stands);
                    self.conversation.confirmed(*confirmation, stands)
                }
                Step::StartTls(reply) => {
                    let id = reply.id;
                    let Some(config) =
                        (self.services.tls)(self.conversation.settings().client_certificate)
                    else {
                        self.put(Conversation::no_tls(id));
                        return Ok(Next::On);
                    };
                    self.put(reply);
                    self.flush().await?;
                    return Ok(Next::Handshake(config));
                }
                other => {
                    let next = self.settle(other, arrival.now)?;
                    return Ok(if decided { Next::Decided } else { next });
                }
            };
        }
    }

    /// Does the last step of a request.
    fn settle(&mut self, step: Step, now: Now) -> Result<Next, CloseReason> {
        match step {
            Step::Send(reply) => self.put(reply),
            Step::Run(work) => {
                self.story.runs(work.id, &work.asking);
                self.start(*work, now);
            }
            Step::Abandon(id) => self.abandon(id),
            Step::Close(closing) => return Err(self.close(closing)),
            _ => {}
        }
        Ok(Next::On)
    }

    fn close(&mut self, closing: Closing) -> CloseReason {
        for reply in closing.replies {
            self.put(reply);
        }
        closing.reason
    }
}

fn is_bind(incoming: &Incoming) -> bool {
    matches!(incoming, Incoming::Request(request) if request.operation.kind() == RequestKind::Bind)
}

/// Waits until the daemon has been stopping for so long.
async fn after(shutdown: CancellationToken, span: Duration) {
    shutdown.cancelled().await;
    sleep(span).await;
}

fn malformed(reason: &'static str) {
    counter!("doorward_ldap_malformed_total", "reason" => reason).increment(1);
    debug!(reason, "malformed message");
}

fn log(request: &Request) {
    if let Operation::Search(search) = &request.operation {
        debug!(
            base = ?search.base,
            scope = ?search.scope,
            filter = %search.filter.for_log(),
            "search"
        );
    }
}
