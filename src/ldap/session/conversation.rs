//! One connection's conversation: requests in, steps out (RFC 4511 sections 3.1, 4 and 5.3).
//!
//! Whoever drives it does what a [`Step`] says and comes back with what happened. It knows what
//! is outstanding, who is bound and how the connection is protected; it has no socket, no clock,
//! and asks nobody itself.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::{Binding, Identity, Session};
use crate::authenticator::{Attempt, ServiceAttempt, ServiceVerdict, Undecided, Verdict};
use crate::domain::id::RequestId;
use crate::domain::origin::{Origin, Protocol};
use crate::domain::resource::{Asking, Circumstances, canonical};
use crate::domain::time::Now;
use crate::ldap::bind::{self, Named, Transport, Wish};
use crate::ldap::controls::{self, Asked, PasswordPolicy};
use crate::ldap::decode::{
    Answer, Bind, Compare, DecodeError, Extended, MessageId, Operation, Request, RequestKind,
    Search,
};
use crate::ldap::extended;
use crate::ldap::limits::Phase;
use crate::ldap::result::{LdapResult, Reply, Response, ResultCode};
use crate::ldap::settings::{Settings, TlsMode};

/// What is known of a request besides its content.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// When it arrived.
    pub now: Now,
    /// Its id in logs and events.
    pub request: RequestId,
    /// Whether bytes of a further message have been read already.
    pub bytes_behind: bool,
}

/// What to do next.
#[derive(Debug)]
#[must_use]
pub enum Step {
    /// Nothing.
    Nothing,
    /// Send this.
    Send(Reply),
    /// Let every outstanding operation end, then hand the request in again: a bind is processed
    /// alone (RFC 4511 section 4.2.1).
    WaitForOperations(Box<Request>),
    /// Ask the authenticator, then call [`Conversation::user_decided`].
    AskUser(Box<Attempt>, UserBind),
    /// Ask the authenticator, then call [`Conversation::service_decided`].
    AskService(Box<ServiceAttempt>, ServiceBind),
    /// Ask whether this still stands, then call [`Conversation::confirmed`].
    Confirm(Identity, Box<Confirmation>),
    /// Do this beside whatever else goes on, then call [`Conversation::finished`].
    Run(Box<Work>),
    /// Stop doing this, and say nothing about it (RFC 4511 section 4.11).
    Abandon(MessageId),
    /// Send this, then begin a TLS handshake.
    StartTls(Reply),
    /// Send what there is to send, and end the connection.
    Close(Closing),
}

/// How a connection ends.
#[derive(Debug)]
pub struct Closing {
    /// What is sent first.
    pub replies: Vec<Reply>,
    /// Why, for the log and a metric.
    pub reason: CloseReason,
}

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The client asked.
    Unbind,
    /// The client went away.
    Gone,
    /// What came was no message.
    Malformed,
    /// The id of an outstanding request came again.
    RepeatedId,
    /// Something came in the clear behind StartTLS.
    BytesBehindStartTls,
    /// The store cannot answer.
    Unavailable,
    /// The TLS handshake failed.
    Handshake,
    /// Nothing came for too long.
    Idle,
    /// The client did not take what was sent to it.
    SlowReader,
    /// The daemon stops.
    Shutdown,
    /// A defect of ours.
    Panic,
}

impl CloseReason {
    /// The reason as the value of a metric's label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Unbind => "unbind",
            Self::Gone => "gone",
            Self::Malformed => "malformed",
            Self::RepeatedId => "repeated_id",
            Self::BytesBehindStartTls => "bytes_behind_starttls",
            Self::Unavailable => "unavailable",
            Self::Handshake => "handshake",
            Self::Idle => "idle",
            Self::SlowReader => "slow_reader",
            Self::Shutdown => "shutdown",
            Self::Panic => "panic",
        }
    }
}

/// A user's bind that waits for its verdict.
#[derive(Debug)]
pub struct UserBind {
    id: MessageId,
    binding: Binding,
    asked: Asked,
}

/// A service account's bind that waits for its verdict.
#[derive(Debug)]
pub struct ServiceBind {
    id: MessageId,
    binding: Binding,
    asked: Asked,
}

/// An operation that waits until it is known whether its session still stands.
#[derive(Debug)]
pub struct Confirmation {
    id: MessageId,
    task: Task,
}

/// An operation that reads the directory.
#[derive(Debug)]
pub struct Work {
    /// The request's id.
    pub id: MessageId,
    /// Who it is done for.
    pub identity: Identity,
    /// The ground on which the resource is chosen, as for a bind.
    pub asking: Asking,
    /// What is to be done.
    pub job: Job,
}

/// What reads the directory.
#[derive(Debug)]
pub enum Job {
    /// A search.
    Search(Search),
    /// A compare.
    Compare(Compare),
}

impl Job {
    /// The kind of request it came as.
    pub const fn kind(&self) -> RequestKind {
        match self {
            Self::Search(_) => RequestKind::Search,
            Self::Compare(_) => RequestKind::Compare,
        }
    }
}

/// What needs a session that stands.
#[derive(Debug)]
enum Task {
    Job(Job),
    WhoAmI,
}

impl Task {
    const fn kind(&self) -> RequestKind {
        match self {
            Self::Job(job) => job.kind(),
            Self::WhoAmI => RequestKind::Extended,
        }
    }
}

/// A connection as the protocol sees it.
#[derive(Debug)]
pub struct Conversation {
    settings: Arc<Settings>,
    circumstances: Circumstances,
    transport: Transport,
    session: Session,
    outstanding: BTreeSet<MessageId>,
}

impl Conversation {
    /// A connection from `source` on which nothing was said yet.
    pub fn new(settings: Arc<Settings>, source: IpAddr, transport: Transport) -> Self {
        let circumstances = Circumstances {
            listener: settings.listener.clone(),
            source: canonical(source),
            service: None,
        };
        Self {
            settings,
            circumstances,
            transport,
            session: Session::Anonymous,
            outstanding: BTreeSet::new(),
        }
    }

    /// Who the connection speaks as.
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// Which allowance the next message has.
    pub const fn phase(&self) -> Phase {
        if self.session.is_bound() {
            Phase::Bound
        } else {
            Phase::Anonymous
        }
    }

    /// The listener's settings.
    pub const fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Takes a request.
    pub fn receive(&mut self, request: Request, arrival: Arrival) -> Step {
        let kind = request.operation.kind();
        match &request.operation {
            Operation::Unbind => {
                return Step::Close(Closing {
                    replies: Vec::new(),
                    reason: CloseReason::Unbind,
                });
            }
            Operation::Abandon(target) => {
                let target = *target;
                return if self.outstanding.remove(&target) {
                    Step::Abandon(target)
                } else {
                    Step::Nothing
                };
            }
            _ => {}
        }
        if self.outstanding.contains(&request.id) {
            // An answer could belong to either (RFC 4511 section 4.1.1.1).
            return Self::disconnect(
                ResultCode::ProtocolError,
                "the id of an outstanding request was used again",
                CloseReason::RepeatedId,
            );
        }
        if kind == RequestKind::Bind && !self.outstanding.is_empty() {
            return Step::WaitForOperations(Box::new(request));
        }
        let Request {
            id,
            operation,
            controls,
        } = request;
        let asked = controls::read(kind, &controls);
        if asked.is_err() && kind != RequestKind::Bind {
            let code = ResultCode::UnavailableCriticalExtension;
            return answer(id, kind, LdapResult::with_diagnostic(code, UNKNOWN_CONTROL));
        }
        match operation {
            Operation::Bind(bind) => self.bind(id, &bind, asked.ok(), arrival),
            Operation::Search(search) => self.guarded(id, Task::Job(Job::Search(search))),
            Operation::Compare(compare) => self.guarded(id, Task::Job(Job::Compare(compare))),
            Operation::Extended(extended) => self.extended(id, &extended, arrival),
            Operation::Modify { .. }
            | Operation::Add { .. }
            | Operation::Delete { .. }
            | Operation::ModifyDn { .. } => self.write(id, kind),
            Operation::Unbind | Operation::Abandon(_) => Step::Nothing,
        }
    }

    /// Takes a message that was refused, but whose sender is told in kind.
    pub fn refused(&mut self, error: &DecodeError) -> Step {
        if let Answer::Respond {
            kind: RequestKind::Bind,
            ..
        } = error.answer
        {
            // RFC 4513 section 4: a bind that failed is a bind.
            self.session = std::mem::take(&mut self.session).bind().nobody();
        }
        let reply = Reply::refusal(error);
        match error.answer {
            Answer::Respond { .. } => Step::Send(reply),
            Answer::Disconnect { .. } => Step::Close(Closing {
                replies: vec![reply],
                reason: CloseReason::Malformed,
            }),
        }
    }

    fn bind(&mut self, id: MessageId, bind: &Bind, asked: Option<Asked>, arrival: Arrival) -> Step {
        let binding = std::mem::take(&mut self.session).bind();
        let source = self.circumstances.source;
        let (named, wish) = bind::read(bind, &self.settings, self.transport, source);
        // User binds on it, failed ones too, keep the service account last bound; it stays away
        // from here on unless this very bind succeeds (CONTRACT.md 4).
        if named != Named::User {
            self.circumstances.service = None;
        }
        let Some(asked) = asked else {
            self.session = binding.nobody();
            let code = ResultCode::UnavailableCriticalExtension;
            return bind_answer(id, LdapResult::with_diagnostic(code, UNKNOWN_CONTROL));
        };
        match wish {
            Wish::Answer(result) => {
                self.session = binding.nobody();
                bind_answer(id, result)
            }
            Wish::Anonymous => {
                self.session = binding.nobody();
                bind_answer(id, ResultCode::Success.into())
            }
            Wish::User(claim, evidence) => {
                let attempt = Attempt {
                    request: arrival.request,
                    received: arrival.now,
                    protocol: Protocol::Ldap,
                    asking: self.asking(),
                    claim,
                    evidence,
                    origin: Origin::address(source),
                    asked_for_password_policy: asked.password_policy,
                };
                Step::AskUser(Box::new(attempt), UserBind { id, binding, asked })
            }
            Wish::Service(name, evidence) => {
                let attempt = ServiceAttempt {
                    request: arrival.request,
                    received: arrival.now,
                    circumstances: self.circumstances.clone(),
                    name,
                    evidence,
                };
                Step::AskService(Box::new(attempt), ServiceBind { id, binding, asked })
            }
        }
    }

    /// Takes the verdict on a user's bind.
    pub fn user_decided(&mut self, bind: UserBind, verdict: Result<Verdict, Undecided>) -> Step {
        let UserBind { id, binding, asked } = bind;
        match verdict {
            Ok(Verdict::Granted(proof)) => {
                let policy = PasswordPolicy::of_granted(proof.expires_in());
                self.session = binding.granted(proof);
                bound(id, asked, policy)
            }
            Ok(Verdict::ChangeOnly(proof)) => {
                self.session = binding.change_only(proof);
                bound(id, asked, PasswordPolicy::ChangeAfterReset)
            }
            Ok(Verdict::Refused(_)) => {
                self.session = binding.nobody();
                bind_answer(id, ResultCode::InvalidCredentials.into())
            }
            Err(undecided) => {
                self.session = binding.nobody();
                undecided_answer(id, RequestKind::Bind, &undecided)
            }
        }
    }

    /// Takes the verdict on a service account's bind.
    pub fn service_decided(
        &mut self,
        bind: ServiceBind,
        verdict: Result<ServiceVerdict, Undecided>,
    ) -> Step {
        let ServiceBind { id, binding, asked } = bind;
        match verdict {
            Ok(ServiceVerdict::Granted(proof)) => {
                self.circumstances.service = Some(proof.name().clone());
                self.session = binding.service(proof);
                bound(id, asked, PasswordPolicy::Nothing)
            }
            Ok(ServiceVerdict::Refused(_)) => {
                self.session = binding.nobody();
                bind_answer(id, ResultCode::InvalidCredentials.into())
            }
            Err(undecided) => {
                self.session = binding.nobody();
                undecided_answer(id, RequestKind::Bind, &undecided)
            }
        }
    }

    /// Lets a task through where nobody is bound, else asks first whether the session stands:
    /// access once granted does not outlive its ground (CONTRACT.md 2).
    fn guarded(&mut self, id: MessageId, task: Task) -> Step {
        match self.session.identity() {
            Identity::Anonymous => self.start(id, task),
            identity => Step::Confirm(identity, Box::new(Confirmation { id, task })),
        }
    }

    /// Takes the answer on whether the session stands. One that does not is over, and the
    /// operation is done for nobody.
    pub fn confirmed(
        &mut self,
        confirmation: Confirmation,
        stands: Result<bool, Undecided>,
    ) -> Step {
        let Confirmation { id, task } = confirmation;
        match stands {
            Ok(true) => self.start(id, task),
            Ok(false) => {
                if matches!(self.session, Session::Service(_)) {
                    self.circumstances.service = None;
                }
                self.session = Session::Anonymous;
                self.start(id, task)
            }
            Err(undecided) => undecided_answer(id, task.kind(), &undecided),
        }
    }

    fn start(&mut self, id: MessageId, task: Task) -> Step {
        let identity = self.session.identity();
        match task {
            Task::WhoAmI => {
                let dn = identity.dn(&self.settings.tree);
                Step::Send(Reply::new(id, extended::who_am_i(dn)))
            }
            Task::Job(job) => {
                self.outstanding.insert(id);
                Step::Run(Box::new(Work {
                    id,
                    identity,
                    asking: self.asking(),
                    job,
                }))
            }
        }
    }

    /// Whether an operation was neither answered nor abandoned.
    pub fn is_outstanding(&self, id: MessageId) -> bool {
        self.outstanding.contains(&id)
    }

    /// Takes the final answer of an operation that was run; `None` is sent for one that was
    /// abandoned.
    pub fn finished(
        &mut self,
        id: MessageId,
        kind: RequestKind,
        outcome: Result<LdapResult, Undecided>,
    ) -> Step {
        if !self.outstanding.remove(&id) {
            return Step::Nothing;
        }
        match outcome {
            Ok(result) => answer(id, kind, result),
            Err(undecided) => undecided_answer(id, kind, &undecided),
        }
    }

    fn extended(&mut self, id: MessageId, request: &Extended, arrival: Arrival) -> Step {
        let send = |response| Step::Send(Reply::new(id, response));
        match extended::Operation::named(&request.oid) {
            extended::Operation::StartTls => self.start_tls(id, request, arrival),
            // RFC 4532 section 2: the request has no value.
            extended::Operation::WhoAmI if request.value.is_some() => send(extended::refuse(
                ResultCode::ProtocolError,
                "WhoAmI takes no value",
            )),
            extended::Operation::WhoAmI => self.guarded(id, Task::WhoAmI),
            extended::Operation::PasswordModify => send(extended::refuse(
                ResultCode::UnwillingToPerform,
                extended::NO_PASSWORD_CHANGE,
            )),
            extended::Operation::Unknown => send(extended::refuse(
                ResultCode::ProtocolError,
                "the extended operation is not known",
            )),
        }
    }

    /// RFC 4511 section 4.14.
    fn start_tls(&mut self, id: MessageId, request: &Extended, arrival: Arrival) -> Step {
        let refuse = |code, text: &str| {
            let result = LdapResult::with_diagnostic(code, text);
            Reply::new(id, extended::start_tls(result))
        };
        if arrival.bytes_behind {
            // What came in the clear must not be taken for protected. Clients wait for the
            // answer, so these bytes are somebody else's.
            let reply = refuse(ResultCode::ProtocolError, "bytes came behind StartTLS");
            let notice = Reply::notice_of_disconnection(
                ResultCode::ProtocolError,
                "bytes came behind StartTLS",
            );
            return Step::Close(Closing {
                replies: vec![reply, notice],
                reason: CloseReason::BytesBehindStartTls,
            });
        }
        if request.value.is_some() {
            let text = "StartTLS takes no value";
            return Step::Send(refuse(ResultCode::ProtocolError, text));
        }
        if self.transport == Transport::Tls {
            let text = "the connection is protected already";
            return Step::Send(refuse(ResultCode::OperationsError, text));
        }
        if self.settings.tls != TlsMode::StartTls {
            let text = "StartTLS is not offered here";
            return Step::Send(refuse(ResultCode::ProtocolError, text));
        }
        if !self.outstanding.is_empty() {
            let text = "operations are outstanding";
            return Step::Send(refuse(ResultCode::OperationsError, text));
        }
        Step::StartTls(Reply::new(id, extended::start_tls(ResultCode::Success)))
    }

    /// The answer to StartTLS where there is no certificate to begin with.
    pub fn no_tls(id: MessageId) -> Reply {
        let result =
            LdapResult::with_diagnostic(ResultCode::Unavailable, "TLS is not available now");
        Reply::new(id, extended::start_tls(result))
    }

    /// The handshake succeeded. Nothing from before counts: whoever spoke then may have been
    /// somebody else (RFC 4513 section 3.1.5 allows it, and it is the safe choice).
    pub fn protected(&mut self) {
        self.transport = Transport::Tls;
        self.session = Session::Anonymous;
        self.circumstances.service = None;
    }

    fn write(&self, id: MessageId, kind: RequestKind) -> Step {
        let result = if let Session::ChangeOnly(_) = self.session {
            LdapResult::with_diagnostic(
                ResultCode::InsufficientAccessRights,
                "the password must be changed first",
            )
        } else {
            LdapResult::with_diagnostic(ResultCode::UnwillingToPerform, extended::READ_ONLY)
        };
        answer(id, kind, result)
    }

    fn asking(&self) -> Asking {
        Asking::Connection(self.circumstances.clone())
    }

    fn disconnect(code: ResultCode, diagnostic: &str, reason: CloseReason) -> Step {
        let notice = Reply::notice_of_disconnection(code, diagnostic);
        Step::Close(Closing {
            replies: vec![notice],
            reason,
        })
    }
}

const UNKNOWN_CONTROL: &str = "a critical control is not known";

fn answer(id: MessageId, kind: RequestKind, result: LdapResult) -> Step {
    Response::to(kind, result).map_or(Step::Nothing, |response| {
        Step::Send(Reply::new(id, response))
    })
}

fn bind_reply(id: MessageId, result: LdapResult) -> Reply {
    Reply::new(
        id,
        Response::Bind {
            result,
            sasl_credentials: None,
        },
    )
}

fn bind_answer(id: MessageId, result: LdapResult) -> Step {
    Step::Send(bind_reply(id, result))
}

/// A bind that succeeded, with the password policy where it was asked for.
fn bound(id: MessageId, asked: Asked, policy: PasswordPolicy) -> Step {
    let reply = bind_reply(id, ResultCode::Success.into());
    Step::Send(if asked.password_policy {
        reply.with_control(policy.control())
    } else {
        reply
    })
}

/// No verdict is never a wrong password (CONTRACT.md 5.4): busy where waiting helps, else
/// unavailable and the end, so that clients try their next server.
fn undecided_answer(id: MessageId, kind: RequestKind, undecided: &Undecided) -> Step {
    match undecided {
        Undecided::Busy => answer(id, kind, ResultCode::Busy.into()),
        Undecided::Unavailable(_) => {
            let response = Response::to(kind, ResultCode::Unavailable);
            let mut replies: Vec<Reply> = response
                .map(|response| Reply::new(id, response))
                .into_iter()
                .collect();
            replies.push(Reply::notice_of_disconnection(ResultCode::Unavailable, ""));
            Step::Close(Closing {
                replies,
                reason: CloseReason::Unavailable,
            })
        }
    }
}
