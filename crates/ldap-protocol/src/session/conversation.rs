//! One connection's conversation: requests in, steps out (RFC 4511 sections 3.1, 4 and 5.3).
//!
//! Whoever drives it does what a [`Step`] says and comes back with what happened. It knows what
//! is outstanding, who is bound and how the connection is protected; it has no socket, no clock,
//! and asks nobody itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::paging::PagedSearches;
use super::step::{Arrival, CloseReason, Closing, Confirmation, Job, Step, Task, Work};
use super::{Binding, Identity, Session};
use crate::bind;
use crate::bind::Transport;
use crate::controls;
use crate::controls::paged_response;
use crate::decode::{Answer, DecodeError, MessageId, Operation, Request, RequestKind, UnparsedDn};
use crate::extended;
use crate::limits::Phase;
use crate::result::{LdapResult, Reply, Response, ResultCode};
use crate::sasl::Mechanism;
use crate::search::Ended;
use crate::settings::Settings;
use doorward_domain::certificate::CertificateNames;
use doorward_domain::name::ViewName;
use doorward_domain::origin::Source;
use doorward_domain::resource::{AccessContext, ConnectionContext};
use doorward_frontend_api::{AuthenticatedService, Undecided};

/// A connection as the protocol sees it.
#[derive(Debug)]
pub struct Conversation {
    pub(super) settings: Arc<Settings>,
    pub(super) circumstances: ConnectionContext,
    pub(super) transport: Transport,
    pub(super) session: Session,
    /// The view in which the name of the last bind lay: who is bound is called by it.
    pub(super) bound_in: Option<ViewName>,
    /// The service account last bound, for choosing the resource; user binds keep it.
    pub(super) last_service: Option<Arc<AuthenticatedService>>,
    /// How many sessions have ended.
    ended_sessions: u64,
    /// Requests that run, each with the sessions that had ended when it began.
    pub(super) outstanding: BTreeMap<MessageId, u64>,
    pub(super) paged: PagedSearches,
}

impl Conversation {
    /// A connection from `source` on which nothing was said yet.
    pub fn new(settings: Arc<Settings>, source: Source, transport: Transport) -> Self {
        let circumstances = ConnectionContext::new(settings.listener.clone(), source);
        Self {
            settings,
            circumstances,
            transport,
            session: Session::Anonymous,
            bound_in: None,
            last_service: None,
            ended_sessions: 0,
            outstanding: BTreeMap::new(),
            paged: PagedSearches::default(),
        }
    }

    /// Who the connection speaks as.
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// Where the connection comes from.
    pub const fn source(&self) -> &Source {
        &self.circumstances.source
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
                return if self.outstanding.remove(&target).is_some() {
                    Step::Abandon(target)
                } else {
                    Step::Nothing
                };
            }
            _ => {}
        }
        if self.outstanding.contains_key(&request.id) {
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
            Operation::Search(search) => self.search(id, search, &controls),
            Operation::Compare(compare) => self.guarded(id, Task::Job(Job::Compare(compare))),
            Operation::Extended(extended) => {
                self.extended(id, &extended, asked.unwrap_or_default(), arrival)
            }
            Operation::Modify(modify) => {
                self.modify(id, modify, asked.unwrap_or_default(), arrival)
            }
            Operation::Add { .. } | Operation::Delete { .. } | Operation::ModifyDn { .. } => {
                self.write(id, kind)
            }
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
            // RFC 4513 section 4: a bind that failed is a bind. Whose it was cannot be told.
            self.session = self.end_session().nobody();
            self.last_service = None;
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

    /// Ends the session; what was begun under it and waits for more is forgotten.
    pub(super) fn end_session(&mut self) -> Binding {
        self.paged.clear();
        self.ended_sessions += 1;
        std::mem::take(&mut self.session).bind()
    }

    /// Lets a task through where nobody is bound, else asks first whether the session stands:
    /// access once granted does not outlive its ground (CONTRACT.md 2).
    pub(super) fn guarded(&mut self, id: MessageId, task: Task) -> Step {
        match self.session.identity() {
            Identity::Anonymous => self.start(id, task),
            identity => Self::confirm(identity, id, task),
        }
    }

    /// Lets an attempt through where no service account chooses its resource, else asks first
    /// whether that one stands: it may have been removed, or given another password.
    pub(super) fn attempt(&mut self, id: MessageId, task: Task) -> Step {
        match &self.last_service {
            None => self.start(id, task),
            Some(proof) => Self::confirm(Identity::Service(Arc::clone(proof)), id, task),
        }
    }

    fn confirm(identity: Identity, id: MessageId, task: Task) -> Step {
        Step::Confirm(identity, Box::new(Confirmation { id, task }))
    }

    /// Takes the answer on whether the session stands, or the service account last bound. A
    /// session that does not is over, and the operation is done for nobody; a service account
    /// that does not chooses no resource any more.
    pub fn confirmed(
        &mut self,
        confirmation: Confirmation,
        stands: Result<bool, Undecided>,
    ) -> Step {
        let Confirmation { id, mut task } = confirmation;
        match stands {
            Ok(true) => self.start(id, task),
            Ok(false) => {
                if let Some(attempt) = task.attempt() {
                    self.last_service = None;
                    if let AccessContext::Connection(circumstances) = &mut attempt.asking {
                        circumstances.service = None;
                    }
                } else {
                    self.stands_no_more();
                }
                self.start(id, task)
            }
            Err(undecided) => undecided_answer(id, task.kind(), &undecided),
        }
    }

    /// Ends a session whose ground has gone, which may be seen while nothing is asked.
    pub fn stands_no_more(&mut self) {
        if matches!(self.session, Session::Service(_)) {
            self.last_service = None;
        }
        self.session = self.end_session().nobody();
    }

    fn start(&mut self, id: MessageId, task: Task) -> Step {
        let identity = self.session.identity();
        match task {
            Task::WhoAmI => {
                let tree = &self.settings.tree;
                let bound_in = tree.of_view(self.bound_in.as_ref()).unwrap_or(tree);
                let dn = identity.dn(bound_in);
                Step::Send(Reply::new(id, extended::who_am_i(dn)))
            }
            Task::Password(task) => self.change_password(*task),
            Task::OldPassword(attempt, check) => Step::AskOwner(attempt, check),
            Task::UserBind(attempt, bind) => Step::AskUser(attempt, bind),
            Task::Job(job) => {
                self.outstanding.insert(id, self.ended_sessions);
                let view = self.view_of(job.name());
                Step::Run(Box::new(Work {
                    id,
                    identity,
                    asking: self.asking(view),
                    mechanisms: self.mechanisms(),
                    job,
                }))
            }
        }
    }

    /// Whether an operation was neither answered nor abandoned.
    pub fn is_outstanding(&self, id: MessageId) -> bool {
        self.outstanding.contains_key(&id)
    }

    /// Takes the final answer of an operation that was run; `None` is sent for one that was
    /// abandoned.
    pub fn finished(
        &mut self,
        id: MessageId,
        kind: RequestKind,
        outcome: Result<Ended, Undecided>,
    ) -> Step {
        let Some(ended_before) = self.outstanding.remove(&id) else {
            return Step::Nothing;
        };
        match outcome {
            Ok(ended) => self.ended(id, kind, ended, ended_before == self.ended_sessions),
            Err(undecided) => undecided_answer(id, kind, &undecided),
        }
    }

    /// The answer of an operation, with the controls of what it did in pages or in order.
    fn ended(
        &mut self,
        id: MessageId,
        kind: RequestKind,
        ended: Ended,
        session_goes_on: bool,
    ) -> Step {
        let Some(response) = Response::to(kind, ended.result) else {
            return Step::Nothing;
        };
        let mut reply = Reply::new(id, response);
        if let Some(sorted) = ended.sorted {
            reply = reply.with_control(sorted.control());
        }
        if let Some(turned) = ended.turned {
            let identifiers = usize::try_from(self.settings.search.size).unwrap_or(usize::MAX);
            let cookie = turned.rest.map(|(rest, sent)| {
                if session_goes_on {
                    self.paged.keep(turned.request, rest, sent, identifiers)
                } else {
                    // There is more, but not for who asks on from here.
                    self.paged.unknown()
                }
            });
            let cookie = cookie.as_ref().map_or(&[][..], |cookie| cookie.as_slice());
            reply = reply.with_control(paged_response(cookie));
        }
        Step::Send(reply)
    }

    /// The handshake succeeded. Nothing from before counts: whoever spoke then may have been
    /// somebody else (RFC 4513 section 3.1.5 allows it, and it is the safe choice).
    ///
    /// `certificate` has the names of the client's certificate, where it showed one and it was
    /// verified.
    pub fn protected(&mut self, certificate: Option<Arc<CertificateNames>>) {
        self.transport = Transport::Tls;
        self.session = self.end_session().nobody();
        self.last_service = None;
        self.circumstances.certificate = certificate;
    }

    /// The ground on which the resource is chosen for a request whose name lies in `view`.
    pub(super) fn asking(&self, view: Option<ViewName>) -> AccessContext {
        let service = self.last_service.as_ref();
        AccessContext::Connection(ConnectionContext {
            view,
            service: service.map(|proof| proof.name().clone()),
            ..self.circumstances.clone()
        })
    }

    /// The view in which a name lies.
    pub(super) fn view_of(&self, name: &UnparsedDn) -> Option<ViewName> {
        let dn = name.parse().ok()?;
        self.settings.tree.around(&dn).view().cloned()
    }

    /// The SASL mechanisms by which the connection could bind now.
    fn mechanisms(&self) -> &'static [Mechanism] {
        if self.circumstances.certificate.is_some() {
            // It came by TLS, under which a password may come as well.
            &[Mechanism::External, Mechanism::Plain]
        } else if self.takes_passwords() {
            &[Mechanism::Plain]
        } else {
            &[]
        }
    }

    /// Whether a password may come over the connection as it is now.
    pub(super) fn takes_passwords(&self) -> bool {
        bind::takes_passwords(&self.settings, self.transport, &self.circumstances.source)
    }

    fn disconnect(code: ResultCode, diagnostic: &str, reason: CloseReason) -> Step {
        let notice = Reply::notice_of_disconnection(code, diagnostic);
        Step::Close(Closing {
            replies: vec![notice],
            reason,
        })
    }
}

pub(super) const UNKNOWN_CONTROL: &str = "a critical control is not known";

pub(super) fn answer(id: MessageId, kind: RequestKind, result: LdapResult) -> Step {
    Response::to(kind, result).map_or(Step::Nothing, |response| {
        Step::Send(Reply::new(id, response))
    })
}

/// No verdict is never a wrong password (CONTRACT.md 5.4): busy where waiting helps, else
/// unavailable and the end, so that clients try their next server.
pub(super) fn undecided_answer(id: MessageId, kind: RequestKind, undecided: &Undecided) -> Step {
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
