//! What happens on one connection, told to whoever watches. Nobody watching, nothing is made to be
//! told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use doorward_domain::certificate::CertificateNames;
use doorward_domain::origin::Source;
use doorward_domain::resource::AccessContext;
use doorward_domain::time::{Clock, Monotonic};
use doorward_frontend_api::{Attempt, ServiceAttempt, ServiceVerdict, Undecided, Verdict};
use doorward_ldap_protocol::decode::{MessageId, Request};
use doorward_ldap_protocol::narration;
use doorward_ldap_protocol::result::{Reply, Response};
use doorward_ldap_protocol::session::{CloseReason, Conversation, Identity};
use doorward_ldap_protocol::settings::{Settings, TlsMode};
use doorward_observe::watch::{
    Alert, Detail, Line, Name, Step, Thread, Told, Topic, Watch, Words, attempt, said,
};

use super::Services;

/// How many requests of a connection are remembered until they are answered.
const MAX_OPEN: usize = 256;

/// The story of a connection. Clones are the same story.
#[derive(Clone)]
pub(super) struct Story(Arc<Inner>);

struct Inner {
    watch: Watch,
    clock: Arc<dyn Clock>,
    number: u64,
    source: Source,
    settings: Arc<Settings>,
    open: Mutex<BTreeMap<MessageId, Open>>,
}

/// A request that is not answered yet.
#[derive(Clone)]
struct Open {
    received: Monotonic,
    about: Vec<Name>,
    clients: Vec<String>,
    entries: u64,
}

/// A line, before it is known where it belongs.
struct Draft {
    step: Step,
    words: Words,
    details: Vec<Detail>,
    advice: Option<&'static str>,
}

impl Draft {
    fn new(step: Step, words: impl Into<Words>) -> Self {
        Self {
            step,
            words: words.into(),
            details: Vec::new(),
            advice: None,
        }
    }
}

impl From<Told> for Draft {
    fn from(told: Told) -> Self {
        Self {
            advice: told.advice,
            ..Self::new(told.step, told.words)
        }
    }
}

/// Tells of a connection that was not let in.
pub(super) fn turned_away(
    services: &Services,
    settings: &Arc<Settings>,
    source: &Source,
    reason: &'static str,
) {
    if services.watch.is_on(Topic::Ldap) {
        let story = Story::new(services, settings, source);
        let text = format!("connection from {source} not let in: {reason}");
        story.tell(
            None,
            Draft {
                advice: narration::cure_of_turning_away(reason),
                ..Draft::new(Step::Closed, text)
            },
        );
    }
}

impl Story {
    pub(super) fn new(services: &Services, settings: &Arc<Settings>, source: &Source) -> Self {
        Self(Arc::new(Inner {
            watch: services.watch.clone(),
            clock: Arc::clone(&services.clock),
            number: services.watch.number(),
            source: source.clone(),
            settings: Arc::clone(settings),
            open: Mutex::default(),
        }))
    }

    fn is_on(&self) -> bool {
        self.0.watch.is_on(Topic::Ldap)
    }

    /// Looks at what is known of the request with that id, and changes it.
    fn with<T>(&self, id: MessageId, look: impl FnOnce(&mut Open) -> T) -> Option<T> {
        let open = &self.0.open;
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get_mut(&id).map(look)
    }

    fn tell(&self, id: Option<MessageId>, draft: Draft) {
        let open = id.and_then(|id| self.with(id, |open| open.clone()));
        let (about, more) = open.map_or_else(Default::default, |open| (open.about, open.clients));
        let Inner {
            source, settings, ..
        } = &*self.0;
        self.0.watch.tell(Line {
            at: self.0.clock.now().wall,
            topic: Topic::Ldap,
            thread: Thread {
                number: self.0.number,
                message: id.map(MessageId::get),
            },
            clients: [source.to_string(), settings.listener.to_string()]
                .into_iter()
                .chain(more)
                .collect(),
            step: draft.step,
            words: draft.words,
            details: draft.details,
            advice: draft.advice.map(Into::into),
            about,
        });
    }

    pub(super) fn opened(&self) {
        if self.is_on() {
            let Inner {
                source, settings, ..
            } = &*self.0;
            let tls = match settings.tls {
                TlsMode::StartTls => "StartTLS is offered",
                TlsMode::Implicit => "TLS from the first octet",
                TlsMode::None => "no TLS",
            };
            let text = format!("connection from {source} to {}, {tls}", settings.listener);
            self.tell(None, Draft::new(Step::Opened, text));
        }
    }

    pub(super) fn closed(&self, reason: CloseReason) {
        if self.is_on() {
            let text = format!("connection closed: {}", reason.label());
            self.tell(
                None,
                Draft {
                    advice: narration::cure_of_close(reason),
                    ..Draft::new(Step::Closed, text)
                },
            );
        }
    }

    /// Tells of a handshake that is over.
    pub(super) fn protected(
        &self,
        tls: &rustls::ServerConnection,
        names: Option<&CertificateNames>,
    ) {
        if self.is_on() {
            let version = tls.protocol_version();
            let version = version.map_or_else(String::new, |version| format!("{version:?}"));
            let cipher = tls.negotiated_cipher_suite();
            let cipher = cipher.map_or_else(String::new, |cipher| format!("{:?}", cipher.suite()));
            let mut draft = Draft::new(
                Step::Tls,
                format!("TLS is established: {version}, {cipher}"),
            );
            if let Some(names) = names {
                let names = said(names.to_string());
                draft.details.push(Detail::new("client certificate", names));
            }
            self.tell(None, draft);
        }
    }

    /// Tells of a handshake that failed.
    pub(super) fn unprotected(&self, failure: &std::io::Error) {
        if !self.is_on() {
            return;
        }
        let inner = failure.get_ref();
        let error = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let draft = match error.and_then(Alert::received) {
            Some(alert) => Draft {
                advice: alert.advice(),
                ..Draft::new(Step::Tls, format!("TLS alert from the client: {alert}"))
            },
            None => Draft::new(Step::Tls, format!("TLS failed here: {failure}")),
        };
        self.tell(None, draft);
    }

    /// Tells of a handshake that took too long.
    pub(super) fn unprotected_in_time(&self) {
        if self.is_on() {
            let text = "TLS failed here: the handshake took longer than ldap.handshake_timeout";
            self.tell(None, Draft::new(Step::Tls, text));
        }
    }

    /// Tells of a message that was refused by the decoder.
    pub(super) fn malformed(&self, reason: &'static str) {
        if self.is_on() {
            let text = format!("a message that is refused: {reason}");
            self.tell(None, Draft::new(Step::Request, text));
        }
    }

    pub(super) fn request(
        &self,
        request: &Request,
        conversation: &Conversation,
        received: Monotonic,
    ) {
        if !self.is_on() {
            return;
        }
        let identity = conversation.session().identity();
        let who = narration::identity(&identity);
        let service = match &identity {
            Identity::Service(proof) => Some(proof.name().to_string()),
            _ => None,
        };
        if request.operation.kind().has_response() {
            let open = &self.0.open;
            let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
            if open.len() >= MAX_OPEN {
                // Answered while nobody watched.
                open.clear();
            }
            let one = Open {
                received,
                about: who.clone().into_iter().collect(),
                clients: service.into_iter().collect(),
                entries: 0,
            };
            open.insert(request.id, one);
        }
        let (mut words, details) = narration::request(request, &conversation.settings().tree);
        if let Some(name) = who {
            words = words.and(", as ").name(name);
        }
        self.tell(
            Some(request.id),
            Draft {
                details,
                ..Draft::new(Step::Request, words)
            },
        );
    }

    /// Which resource asks, as a detail; and remembers it.
    fn place(&self, id: MessageId, asking: &AccessContext) -> (String, Vec<Detail>) {
        let chosen = self.0.watch.chosen(asking);
        let place = match &chosen.resource {
            Some((name, kind)) => format!("{name} ({kind})"),
            None => "no resource".to_owned(),
        };
        self.with(id, |open| {
            let resource = chosen.resource.as_ref().map(|(name, _)| name.to_string());
            let service = match asking {
                AccessContext::Connection(circumstances) => circumstances.service.as_ref(),
                _ => None,
            };
            open.clients.extend(resource);
            open.clients.extend(service.map(ToString::to_string));
        });
        let because = chosen.because.into_iter();
        let details = because.map(|step| Detail::new("resource", step));
        (place, details.collect())
    }

    pub(super) fn question(&self, id: MessageId, asked: &Attempt) {
        if self.is_on() {
            let (place, details) = self.place(id, &asked.asking);
            let words = attempt::question(asked).and(format!(" at {place}"));
            self.tell(
                Some(id),
                Draft {
                    details,
                    ..Draft::new(Step::Question, words)
                },
            );
        }
    }

    pub(super) fn verdict(&self, id: MessageId, verdict: &Result<Verdict, Undecided>) {
        if self.is_on() {
            self.tell(Some(id), attempt::verdict(verdict).into());
        }
    }

    pub(super) fn service_question(&self, id: MessageId, asked: &ServiceAttempt) {
        if self.is_on() {
            let words = attempt::service_question(asked);
            self.tell(Some(id), Draft::new(Step::Question, words));
        }
    }

    pub(super) fn service_verdict(
        &self,
        id: MessageId,
        verdict: &Result<ServiceVerdict, Undecided>,
    ) {
        if self.is_on() {
            self.tell(Some(id), attempt::service_verdict(verdict).into());
        }
    }

    /// Tells that what a session rested on stands no more.
    pub(super) fn stands(&self, id: MessageId, stands: &Result<bool, Undecided>) {
        if self.is_on() && !matches!(stands, Ok(true)) {
            let text = match stands {
                Err(undecided) => format!("the session cannot be looked at: {undecided}"),
                Ok(_) => {
                    "what the session rested on changed: from here on nobody is bound".to_owned()
                }
            };
            self.tell(Some(id), Draft::new(Step::Verdict, text));
        }
    }

    /// Tells which resource a search or compare is answered for.
    pub(super) fn runs(&self, id: MessageId, asking: &AccessContext) {
        if self.is_on() {
            let (place, details) = self.place(id, asking);
            let words = Words::of(format!("answered as {place} sees it"));
            self.tell(
                Some(id),
                Draft {
                    details,
                    ..Draft::new(Step::Question, words)
                },
            );
        }
    }

    /// Counts an entry of an answer.
    pub(super) fn found(&self, id: MessageId) {
        if self.is_on() {
            self.with(id, |open| open.entries += 1);
        }
    }

    /// Tells of an answer.
    pub(super) fn answered(&self, reply: &Reply) {
        if !self.is_on() {
            return;
        }
        let mut text = narration::result(reply.response.result());
        if matches!(reply.response, Response::SearchDone(_)) {
            let entries = self.with(reply.id, |open| open.entries).unwrap_or_default();
            text = format!("{text}, {entries} entries");
        }
        if let Some(received) = self.with(reply.id, |open| open.received) {
            let took = self.0.clock.now().mono.since(received);
            text = format!("{text}, after {} ms", took.as_millis());
        }
        let id = (reply.id != MessageId::UNSOLICITED).then_some(reply.id);
        self.tell(id, Draft::new(Step::Reply, text));
        self.forget(reply.id);
    }

    /// Forgets a request that is not answered.
    pub(super) fn forget(&self, id: MessageId) {
        let open = &self.0.open;
        open.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
    }
}
