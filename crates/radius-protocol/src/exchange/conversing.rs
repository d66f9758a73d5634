//! The steps of EAP conversations within exchanges: which conversation a packet goes to, and what
//! its answer becomes on the wire.

use std::sync::Arc;

use super::super::reason::{DropReason, RejectReason};
use super::super::request::{self, Place};
use super::super::sessions::{Binding, NotFound, SessionId, State};
use super::{Arrival, ExchangeId, Exchanges, Open, Step, ask, random, reason_of};
use doorward_domain::origin::Origin;
use doorward_domain::resource::AccessContext;
use doorward_domain::time::{Monotonic, Now};
use doorward_eap as eap;
use doorward_eap::{Conversation, Failure, Journal, Outcome};

/// The EAP conversation that an exchange is one step of, and what its question will need.
pub(super) struct Dialogue {
    pub(super) conversation: Box<Conversation>,
    pub(super) asking: AccessContext,
    pub(super) origin: Origin,
    pub(super) place: Place,
    pub(super) received: Now,
}

/// One step of an EAP conversation, to be run.
pub struct Conversing {
    open: Open,
    packet: Vec<u8>,
}

impl Conversing {
    pub(super) fn new(open: Open, packet: Vec<u8>) -> Self {
        Self { open, packet }
    }

    /// The identity of its exchange, for [`Exchanges::abandon`].
    pub fn id(&self) -> ExchangeId {
        self.open.id
    }

    /// The journal of its conversation.
    pub fn journal(&self) -> Journal {
        let dialogue = self.open.dialogue.as_ref();
        dialogue.map_or_else(Journal::default, |dialogue| {
            dialogue.conversation.journal().clone()
        })
    }

    /// Notes in this journal what happens in its conversation from here on.
    pub fn listen(&mut self, journal: Journal) {
        if let Some(dialogue) = &mut self.open.dialogue {
            dialogue.conversation.listen(journal);
        }
    }

    /// Runs it: a TLS computation at most, no waiting.
    pub fn run(mut self) -> Conversed {
        let step = match &mut self.open.dialogue {
            Some(dialogue) => {
                let received = dialogue.received;
                dialogue.conversation.receive(&self.packet, received)
            }
            None => eap::Step::Discard(eap::Discarded::Over),
        };
        Conversed {
            open: self.open,
            step,
        }
    }
}

impl std::fmt::Debug for Conversing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Conversing").finish_non_exhaustive()
    }
}

/// A step of an EAP conversation that was run.
pub struct Conversed {
    pub(super) open: Open,
    pub(super) step: eap::Step,
}

/// Why a packet has no conversation to go to.
pub(super) enum NoConversation {
    /// Its client is told so.
    Rejected(RejectReason),
    /// The conversation is being worked on.
    Busy,
}

impl From<NotFound> for NoConversation {
    fn from(fault: NotFound) -> Self {
        match fault {
            NotFound::Unknown => Self::Rejected(RejectReason::EapStateUnknown),
            NotFound::Busy => Self::Busy,
        }
    }
}

impl Exchanges {
    /// Takes a step of an EAP conversation that was run.
    pub fn conversed(&mut self, conversed: Conversed, now: Monotonic) -> Step {
        self.try_conversed(conversed, now)
            .unwrap_or_else(Step::Drop)
    }

    /// Takes a step of an EAP conversation back that there was no room to run: its retransmission
    /// finds all as it was.
    pub fn return_unrun(&mut self, conversing: Conversing) {
        let Open { id, dialogue, .. } = conversing.open;
        if let (Some(session), Some(dialogue)) = (id.session, dialogue) {
            self.sessions.put_back(session, dialogue.conversation);
        }
        self.duplicates.forget(id.ticket);
    }

    /// How many EAP conversations are open.
    pub fn conversations(&self) -> usize {
        self.sessions.len()
    }

    /// The conversation that a packet belongs to, or a new one.
    pub(super) fn find(
        &mut self,
        arrival: &Arrival<'_>,
        eap: &request::Eap,
    ) -> Result<(SessionId, Box<Conversation>), NoConversation> {
        let Some(settings) = arrival.eap else {
            return Err(NoConversation::Rejected(
                RejectReason::UnsupportedAuthentication,
            ));
        };
        let binding = Binding {
            client: arrival.client.name().clone(),
            address: arrival.peer.ip().to_canonical(),
            user_name: eap.user_name.clone(),
            calling_station: eap.place.calling_station.clone(),
            called_station: eap.place.called_station.clone(),
        };
        let now = arrival.now.mono;
        if let Some(state) = &eap.state {
            return Ok(self.sessions.take(state, &binding, now)?);
        }
        let session = self.sessions.open(binding, &settings.bounds, now);
        let conversation = Conversation::new(Arc::clone(settings), eap.framed_mtu);
        Ok((session, Box::new(conversation)))
    }

    fn try_conversed(&mut self, conversed: Conversed, now: Monotonic) -> Result<Step, DropReason> {
        let Conversed { open, step } = conversed;
        let Open {
            id,
            envelope,
            dialogue,
            ms_chap: _,
        } = open;
        let (Some(session), Some(dialogue)) = (id.session, dialogue) else {
            return Err(DropReason::Superseded);
        };
        match step {
            eap::Step::Send(challenge) => {
                let state: State = random()?;
                let reply = envelope.challenge(&challenge, &state);
                let concluded = self.conclude(id, reply, now);
                // What is not sent now may go to a copy of the request, and be answered.
                if !self.duplicates.remembers(id.ticket) {
                    self.sessions.close(session);
                } else if !self.sessions.park(session, dialogue.conversation, state) {
                    return Err(DropReason::Superseded);
                }
                concluded.map(Step::Reply)
            }
            eap::Step::Ask(login) => {
                let (asking, origin) = (dialogue.asking.clone(), dialogue.origin.clone());
                let (place, received) = (dialogue.place.clone(), dialogue.received);
                let open = Open {
                    id,
                    envelope,
                    dialogue: Some(dialogue),
                    ms_chap: None,
                };
                Ok(ask(open, login, asking, origin, place, received))
            }
            eap::Step::Done(outcome) => {
                self.sessions.close(session);
                match outcome {
                    Outcome::Granted(granted) => {
                        let salt = u16::from_be_bytes(random()?);
                        let reply = envelope.accept_eap(&granted, salt);
                        Ok(Step::Reply(self.conclude(id, reply, now)?))
                    }
                    Outcome::Refused { packet, failure } => {
                        let [_, identifier, ..] = packet;
                        let reply = self.conclude(id, envelope.reject(Some(identifier)), now)?;
                        Ok(match reason_of_failure(&failure) {
                            None => Step::Reply(reply),
                            Some(reason) => Step::Reject(reason, Some(failure), reply),
                        })
                    }
                }
            }
            eap::Step::Discard(_) => {
                self.sessions.put_back(session, dialogue.conversation);
                self.duplicates.forget(id.ticket);
                Err(DropReason::EapDiscarded)
            }
            eap::Step::Unanswered(undecided) => {
                self.sessions.put_back(session, dialogue.conversation);
                self.duplicates.forget(id.ticket);
                Err(reason_of(&undecided))
            }
        }
    }
}

/// Why a conversation failed without the authenticator refusing, if so.
fn reason_of_failure(failure: &Failure) -> Option<RejectReason> {
    Some(match failure {
        Failure::Refused => return None,
        Failure::NoCommonMethod => RejectReason::EapNoCommonMethod,
        Failure::Tls(_) => RejectReason::EapTls,
        Failure::Certificate(_) => RejectReason::EapCertificate,
        Failure::Fragment(_) | Failure::Malformed | Failure::OutOfTurn => {
            RejectReason::EapMalformed
        }
        Failure::TooLong => RejectReason::EapTooLong,
    })
}
