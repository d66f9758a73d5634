//! One peer's authentication: identity, the choice of a method, the tunnel, the question, the end.
//!
//! The outer identity decides nothing: it may be anonymous, and a proxy may have routed by it.
//! Who logs in is what the peer says inside the tunnel.

use std::sync::Arc;
use std::time::Duration;

use super::fragments::{self, FragmentFault};
use super::journal::{Journal, Note};
use super::keys::MasterSessionKey;
use super::packet::{self, Code, Packet, kind};
use super::running::{Running, Success, Turn};
use super::settings::{Method, Settings};
use doorward_domain::certificate::Unreadable;
use doorward_domain::time::Now;
use doorward_domain::user_certificate::UserCertificate;
use doorward_frontend_api::{Authenticated, Claim, Evidence, ResumptionGrant, Undecided, Verdict};

/// The most packets taken of one peer. A long chain of certificates in fragments of 100 octets
/// takes a hundred.
const MAX_ROUNDS: u16 = 256;
/// The most octets taken of one peer.
const MAX_OCTETS: usize = 131_072;

/// What to do next.
#[derive(Debug)]
#[must_use]
pub enum Step {
    /// Send this request and wait for its response.
    Send(Challenge),
    /// Ask the authenticator, then call [`Conversation::answer`].
    Ask(Login),
    /// The conversation is over.
    Done(Outcome),
    /// Nothing: the packet is none that was waited for, and the conversation goes on without it.
    Discard(Discarded),
    /// Nothing: there was no verdict. The same packet again asks again.
    Unanswered(Undecided),
}

/// A request for the peer.
#[derive(Debug)]
pub struct Challenge {
    /// The packet.
    pub packet: Vec<u8>,
    /// How long the peer may take to respond, where that is longer than a machine needs.
    pub patience: Option<Duration>,
}

/// What the peer brings to be let in.
#[derive(Clone)]
pub struct Login {
    /// Who it claims to be, as said inside the tunnel.
    pub claim: Claim,
    /// Its proof.
    pub evidence: Evidence,
}

impl Login {
    pub(super) fn new(name: &[u8], evidence: Evidence) -> Self {
        Self {
            claim: Claim::of(name),
            evidence,
        }
    }

    /// Whoever that certificate stands for.
    pub(super) fn certified(certificate: UserCertificate) -> Self {
        let claim = match &certificate.name {
            Some(name) => Claim::of(name.as_bytes()),
            None => Claim::Malformed(certificate.identity.to_string()),
        };
        Self {
            claim,
            evidence: Evidence::Certificate(Arc::new(certificate)),
        }
    }

    /// Whoever held that session.
    pub(super) fn again(ground: ResumptionGrant) -> Self {
        Self {
            claim: Claim::Typed(ground.username().as_str().to_owned()),
            evidence: Evidence::Resumed(ground),
        }
    }
}

impl std::fmt::Debug for Login {
    /// Shows neither name nor password: people type passwords into the name field.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Login").finish_non_exhaustive()
    }
}

/// How a conversation ended.
#[derive(Debug)]
pub enum Outcome {
    /// The peer is let in.
    Granted(Box<Granted>),
    /// It is not.
    Refused {
        /// The EAP-Failure to send.
        packet: [u8; packet::HEADER_LENGTH],
        /// Why, for the log.
        failure: Failure,
    },
}

/// All that an acceptance is made of.
#[derive(Debug)]
pub struct Granted {
    /// The EAP-Success to send.
    pub packet: [u8; packet::HEADER_LENGTH],
    /// The authenticator's proof.
    pub proof: Authenticated,
    /// The key that the peer has too.
    pub key: MasterSessionKey,
    /// The method it came by.
    pub method: Method,
    /// Whether a session was taken up again, rather than a password or a certificate brought.
    pub resumed: bool,
}

/// Why a conversation failed, for the log; the peer is never told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The authenticator refused.
    #[error("refused")]
    Refused,
    /// The peer wants none of the methods offered, outside the tunnel or inside.
    #[error("the peer offers no method that is enabled here")]
    NoCommonMethod,
    /// TLS failed; what it said.
    #[error("TLS: {0}")]
    Tls(String),
    /// A fragment was refused.
    #[error("{0}")]
    Fragment(#[from] FragmentFault),
    /// The peer's certificate was verified and cannot be read all the same.
    #[error(transparent)]
    Certificate(#[from] Unreadable),
    /// What was inside the tunnel has no shape that makes sense.
    #[error("the content of the tunnel is malformed")]
    Malformed,
    /// A packet came out of turn.
    #[error("a packet came out of turn")]
    OutOfTurn,
    /// More packets or octets than a conversation needs.
    #[error("the conversation is too long")]
    TooLong,
}

impl Failure {
    /// The name in metrics.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::NoCommonMethod => "no_common_method",
            Self::Tls(_) => "tls",
            Self::Fragment(_) => "fragment",
            Self::Certificate(_) => "certificate",
            Self::Malformed => "malformed",
            Self::OutOfTurn => "out_of_turn",
            Self::TooLong => "too_long",
        }
    }
}

/// Why a packet was ignored (RFC 3748 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discarded {
    /// It is no EAP packet, or no response.
    Malformed,
    /// It answers another request than the last one.
    NotWaitedFor,
    /// The conversation is over.
    Over,
}

/// One peer's authentication.
pub struct Conversation {
    settings: Arc<Settings>,
    /// The longest EAP packet to send.
    packet_length: usize,
    /// The identifier of the last request; none before the first.
    identifier: Option<u8>,
    state: State,
    rounds: u16,
    octets: usize,
    /// The packet that led to a question without verdict.
    asked_by: Option<Vec<u8>>,
    journal: Journal,
}

enum State {
    /// Who is there?
    Identity,
    /// A method was offered and may be declined.
    Offered { method: Method, tried: Vec<Method> },
    /// The method runs.
    Running(Box<Running>),
    /// Success or failure was said.
    Over,
}

impl Conversation {
    /// A conversation that waits for its first packet.
    pub fn new(settings: Arc<Settings>, framed_mtu: Option<u32>) -> Self {
        Self {
            packet_length: settings.packet_length(framed_mtu),
            settings,
            identifier: None,
            state: State::Identity,
            rounds: 0,
            octets: 0,
            asked_by: None,
            journal: Journal::default(),
        }
    }

    /// Notes in this journal what happens from here on.
    pub fn listen(&mut self, journal: Journal) {
        if let State::Running(running) = &mut self.state {
            running.listen(journal.clone());
        }
        self.journal = journal;
    }

    /// The journal in which it notes what happens; closed unless somebody listens.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Takes a packet. An empty one is a NAS's way to let us begin (RFC 3579 §2.1).
    pub fn receive(&mut self, octets: &[u8], now: Now) -> Step {
        if octets.is_empty() && self.identifier.is_none() {
            return self.request(kind::IDENTITY, &[], None);
        }
        let Ok(packet) = Packet::parse(octets) else {
            return Step::Discard(Discarded::Malformed);
        };
        let (Code::Response, Some(kind)) = (packet.code, packet.kind) else {
            return Step::Discard(Discarded::Malformed);
        };
        if self
            .identifier
            .is_some_and(|identifier| identifier != packet.identifier)
        {
            return Step::Discard(Discarded::NotWaitedFor);
        }
        if let Some(asked_by) = &self.asked_by {
            return match &self.state {
                State::Running(running) if asked_by == octets => running
                    .question()
                    .map_or(Step::Discard(Discarded::NotWaitedFor), Step::Ask),
                _ => Step::Discard(Discarded::NotWaitedFor),
            };
        }
        self.rounds += 1;
        self.octets += octets.len();
        self.identifier = Some(packet.identifier);
        if self.rounds > MAX_ROUNDS || self.octets > MAX_OCTETS {
            return self.fail(Failure::TooLong);
        }
        let step = self.turn(kind, packet.data, now);
        if let Step::Ask(_) = step {
            self.asked_by = Some(octets.to_vec());
        }
        step
    }

    /// Takes the verdict on the last question.
    pub fn answer(&mut self, verdict: Result<Verdict, Undecided>) -> Step {
        let State::Running(running) = &mut self.state else {
            return Step::Discard(Discarded::Over);
        };
        let verdict = match verdict {
            Ok(verdict) => verdict,
            Err(undecided) => return Step::Unanswered(undecided),
        };
        self.asked_by = None;
        let turn = running.answer(verdict);
        self.follow(turn)
    }

    fn turn(&mut self, kind: u8, data: &[u8], now: Now) -> Step {
        match (&mut self.state, kind) {
            (State::Identity, kind::IDENTITY) => {
                let first = self.settings.offers().next();
                match first {
                    Some(method) => self.offer(method, Vec::new()),
                    None => self.fail(Failure::NoCommonMethod),
                }
            }
            (State::Offered { method, tried }, kind::NAK) => {
                let mut tried = std::mem::take(tried);
                tried.push(*method);
                match self.common(data, &tried) {
                    Some(method) => self.offer(method, tried),
                    None => self.fail(Failure::NoCommonMethod),
                }
            }
            (State::Offered { method, .. }, kind) if kind == method.number() => {
                let method = *method;
                match Running::start(&self.settings, method, self.packet_length, now) {
                    Ok(mut running) => {
                        running.listen(self.journal.clone());
                        self.state = State::Running(Box::new(running));
                        self.run(data, now)
                    }
                    Err(failure) => self.fail(failure),
                }
            }
            (State::Running(running), kind) if kind == running.method().number() => {
                self.run(data, now)
            }
            (State::Over, _) => Step::Discard(Discarded::Over),
            _ => self.fail(Failure::OutOfTurn),
        }
    }

    fn run(&mut self, data: &[u8], now: Now) -> Step {
        let State::Running(running) = &mut self.state else {
            return Step::Discard(Discarded::Over);
        };
        let turn = running.receive(data, now);
        self.follow(turn)
    }

    fn follow(&mut self, turn: Result<Turn, Failure>) -> Step {
        let number = match &self.state {
            State::Running(running) => running.method().number(),
            _ => 0,
        };
        match turn {
            Ok(Turn::Send { data, patience }) => self.request(number, &data, patience),
            Ok(Turn::Ask(login)) => Step::Ask(login),
            Ok(Turn::Success(success)) => {
                let Success {
                    proof,
                    key,
                    method,
                    resumed,
                } = success;
                self.state = State::Over;
                Step::Done(Outcome::Granted(Box::new(Granted {
                    packet: packet::success(self.identifier.unwrap_or_default()),
                    proof,
                    key,
                    method,
                    resumed,
                })))
            }
            Err(failure) => self.fail(failure),
        }
    }

    /// The first method of the peer's list that is enabled and was not tried (RFC 3748 §5.3.1).
    fn common(&self, wanted: &[u8], tried: &[Method]) -> Option<Method> {
        wanted
            .iter()
            .filter_map(|&number| Method::of(number))
            .find(|method| {
                self.settings.offers().any(|offered| offered == *method) && !tried.contains(method)
            })
    }

    fn offer(&mut self, method: Method, tried: Vec<Method>) -> Step {
        self.state = State::Offered { method, tried };
        self.request(method.number(), &fragments::START_DATA, None)
    }

    fn request(&mut self, kind: u8, data: &[u8], patience: Option<Duration>) -> Step {
        let identifier = self.identifier.map_or(0, |last| last.wrapping_add(1));
        self.identifier = Some(identifier);
        Step::Send(Challenge {
            packet: packet::request(identifier, kind, data),
            patience,
        })
    }

    /// Ends the conversation. The tunnel and all it knows go with it.
    fn fail(&mut self, failure: Failure) -> Step {
        self.state = State::Over;
        self.asked_by = None;
        self.journal.note(|| Note::Failed(failure.clone()));
        Step::Done(Outcome::Refused {
            packet: packet::failure(self.identifier.unwrap_or_default()),
            failure,
        })
    }
}

impl std::fmt::Debug for Conversation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match &self.state {
            State::Identity => "identity",
            State::Offered { .. } => "offered",
            State::Running(_) => "running",
            State::Over => "over",
        };
        formatter
            .debug_struct("Conversation")
            .field("state", &state)
            .field("rounds", &self.rounds)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
