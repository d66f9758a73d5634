//! One request and its reply, as a state machine without socket or clock.
//!
//! [`Exchanges::receive`] takes a datagram of a known client and says what to do; where that is to
//! ask, [`Exchanges::answer`] takes the verdict and says what to send. A step of an EAP conversation
//! costs a TLS computation and is handed out as [`Conversing`], to be run by whoever has a core to
//! spare and brought back to [`Exchanges::conversed`]. The order of the checks is the defence:
//! nothing is remembered, computed or asked for a packet whose sender is not proven as far as the
//! client's entry demands.

mod conversing;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::accounting::{self, Report, Way};
use super::challenges::MsChapAsked;
use super::client::ClientSettings;
use super::duplicates::{Admission, Duplicates, Identity, Key, Ticket};
use super::probes::Probes;
use super::reason::{DropReason, RejectReason};
use super::reply::{self, Envelope, Reply};
use super::request::{self, Place, Wanted};
use super::sessions::{SessionId, Sessions};
use super::transport::{Proof, Service, Transport};
use super::wire::{self, Code, IntegrityFault, Keys, Packet, Presence, kind};
use doorward_domain::id::RequestId;
use doorward_domain::origin::{Origin, Protocol};
use doorward_domain::resource::AccessContext;
use doorward_domain::time::{Monotonic, Now};
use doorward_eap as eap;
use doorward_eap::{Failure, Login};
use doorward_frontend_api::{Attempt, DeviceAttempt, DeviceVerdict, Undecided, Verdict};

pub use conversing::{Conversed, Conversing};
use conversing::{Dialogue, NoConversation};

/// A packet from a known client.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// Its octets, padding included.
    pub datagram: &'a [u8],
    /// The client that the source address, or the certificate, belongs to.
    pub client: &'a Arc<ClientSettings>,
    /// How it came.
    pub transport: Transport,
    /// Where it came from.
    pub peer: SocketAddr,
    /// The address it came to.
    pub local: SocketAddr,
    /// When it came.
    pub now: Now,
    /// How EAP conversations are held; nothing where they are not.
    pub eap: Option<&'a Arc<eap::Settings>>,
    /// Whether responses to challenges can be checked (CHAP, MS-CHAPv2).
    pub challenges: bool,
    /// Whether requests can be decided; a Status-Server is answered only then (RFC 5997 §4.2).
    pub available: bool,
}

/// A packet that makes sense and whose proof was looked at, before anything is remembered for it;
/// made by [`examine`].
#[derive(Debug)]
pub struct Examined<'a> {
    packet: Packet<'a>,
    keys: Keys,
    identity: Identity,
}

/// What a packet is to the allowance of its client (CONTRACT.md 3.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Weight {
    /// Proven, and not seen before: only who has the secret can make one.
    Request,
    /// Proven, and known: whoever recorded a request or a Status-Server can send it again.
    Repetition,
    /// Proven by nothing, wrongly proven, or no packet that is served here: anybody who forges the
    /// client's address can send it.
    Unproven,
}

/// Looks at a packet of a known client: its form, its code and its proof. Costs one digest over
/// its octets at most, and another where the first has proven it; remembers nothing.
///
/// # Errors
/// It is to be dropped.
pub fn examine<'a>(arrival: &Arrival<'a>) -> Result<Examined<'a>, DropReason> {
    let transport = arrival.transport;
    let packet = Packet::parse(arrival.datagram)?;
    let keys = transport.keys(arrival.client);
    let presence = match packet.code() {
        code if !transport.serves(code) => {
            // Some of these are answered to who has shown a certificate.
            if !transport.is_tls() {
                return Err(DropReason::UnexpectedCode);
            }
            Presence::Verified
        }
        Code::AccessRequest => prove(&packet, arrival, &keys)?,
        // Mandatory whatever the client's entry says (RFC 5997 §4.2).
        Code::StatusServer => match keys.check(&packet)? {
            Presence::Absent => return Err(DropReason::MessageAuthenticatorMissing),
            Presence::Verified => Presence::Verified,
        },
        Code::AccountingRequest => {
            keys.check_signed(&packet).map_err(|fault| match fault {
                IntegrityFault::Response => DropReason::AccountingWrong,
                fault => fault.into(),
            })?;
            Presence::Verified
        }
        _ => return Err(DropReason::UnexpectedCode),
    };
    let key = Key {
        peer: arrival.peer,
        local: arrival.local,
        request: transport.name(&packet),
    };
    let identity = Identity {
        key,
        authenticator: transport.fingerprint(&packet),
        proof: transport.proof(&packet, presence),
    };
    Ok(Examined {
        packet,
        keys,
        identity,
    })
}

/// What to do next.
#[derive(Debug)]
#[must_use]
pub enum Step {
    /// Nothing; count it.
    Drop(DropReason),
    /// Send these bytes again.
    Resend(Bytes),
    /// Send this.
    Reply(Reply),
    /// Send this Access-Reject, for which nothing was asked. How EAP failed, where it did, is for
    /// the log, and not for the peer.
    Reject(RejectReason, Option<Failure>, Reply),
    /// Ask the authenticator, then call [`Exchanges::answer`]; where that cannot be,
    /// [`Exchanges::abandon`].
    Ask(Box<Question>),
    /// Ask the authenticator about a device, then call [`Exchanges::answer_device`]; where that
    /// cannot be, [`Exchanges::abandon`].
    AskDevice(Box<DeviceQuestion>),
    /// Run this outside of any lock and bring the result to [`Exchanges::conversed`]; where that
    /// cannot be, [`Exchanges::return_unrun`].
    Converse(Box<Conversing>),
    /// Record this durably, then call [`Exchanges::recorded`]; where that cannot be,
    /// [`Exchanges::abandon`].
    Record(Box<Recording>),
}

/// A report to be recorded.
#[derive(Debug)]
pub struct Recording {
    /// The exchange that waits for it.
    pub open: Open,
    /// What the client reports.
    pub report: Report,
}

/// A question to the authenticator.
pub struct Question {
    /// The exchange that waits for the answer.
    pub open: Open,
    /// What to ask.
    pub attempt: Attempt,
    /// What the client says about the user's whereabouts, for the log.
    pub place: Place,
}

impl std::fmt::Debug for Question {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Question")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// A question to the authenticator about a device.
#[derive(Debug)]
pub struct DeviceQuestion {
    /// The exchange that waits for the answer.
    pub open: Open,
    /// What to ask.
    pub attempt: DeviceAttempt,
    /// What the client says about the device's whereabouts, for the log.
    pub place: Place,
}

/// An exchange that waits for its verdict.
pub struct Open {
    id: ExchangeId,
    envelope: Envelope,
    dialogue: Option<Box<Dialogue>>,
    ms_chap: Option<MsChapAsked>,
}

impl Open {
    /// Its identity, for [`Exchanges::abandon`].
    pub fn id(&self) -> ExchangeId {
        self.id
    }
}

impl std::fmt::Debug for Open {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Open")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The identity of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExchangeId {
    ticket: Ticket,
    session: Option<SessionId>,
}

/// Every exchange that is open or was answered a moment ago, and every EAP conversation between
/// two of its exchanges.
#[derive(Debug, Default)]
pub struct Exchanges {
    duplicates: Duplicates,
    probes: Probes,
    sessions: Sessions,
}

impl Exchanges {
    /// Remembers at most that many requests, and their replies for that long.
    pub fn new(capacity: usize, lifetime: Duration) -> Self {
        Self {
            duplicates: Duplicates::new(capacity, lifetime),
            probes: Probes::new(lifetime),
            sessions: Sessions::default(),
        }
    }

    /// Takes a datagram.
    pub fn receive(&mut self, arrival: &Arrival<'_>) -> Step {
        self.take(arrival, examine(arrival))
    }

    /// Takes a datagram that was examined.
    pub fn take(
        &mut self,
        arrival: &Arrival<'_>,
        examined: Result<Examined<'_>, DropReason>,
    ) -> Step {
        examined
            .and_then(|examined| self.try_take(arrival, examined))
            .unwrap_or_else(Step::Drop)
    }

    /// What a packet is to the allowance of its client.
    pub fn weight(
        &mut self,
        arrival: &Arrival<'_>,
        examined: &Result<Examined<'_>, DropReason>,
    ) -> Weight {
        let Ok(examined) = examined else {
            return Weight::Unproven;
        };
        let Examined {
            packet, identity, ..
        } = examined;
        match (identity.proof, packet.code()) {
            (Proof::Absent, _) => Weight::Unproven,
            (Proof::Octets(digest), Code::StatusServer)
                if self.probes.knows(&digest, arrival.now.mono) =>
            {
                Weight::Repetition
            }
            _ if self.duplicates.knows(identity, arrival.now.mono) => Weight::Repetition,
            _ => Weight::Request,
        }
    }

    /// Takes the verdict of a question. Without one the request is forgotten, so that its
    /// retransmission is decided; an EAP conversation keeps its question for that.
    pub fn answer(
        &mut self,
        mut open: Open,
        verdict: Result<Verdict, Undecided>,
        now: Monotonic,
    ) -> Step {
        if let Some(dialogue) = &mut open.dialogue {
            let step = dialogue.conversation.answer(verdict);
            return self.conversed(Conversed { open, step }, now);
        }
        let Open {
            id,
            envelope,
            ms_chap,
            ..
        } = open;
        let reply = match verdict {
            Ok(Verdict::Granted(proof)) => match random() {
                Ok(salt) => {
                    let salt = u16::from_be_bytes(salt);
                    envelope.accept(&proof, ms_chap.as_ref(), salt)
                }
                Err(reason) => {
                    self.duplicates.forget(id.ticket);
                    return Step::Drop(reason);
                }
            },
            Ok(Verdict::Refused(refusal)) => match &ms_chap {
                Some(asked) => envelope.reject_ms_chap(asked, refusal),
                None => envelope.reject(None),
            },
            Ok(Verdict::ChangeOnly(_)) => envelope.reject(None),
            Err(undecided) => {
                self.duplicates.forget(id.ticket);
                return Step::Drop(reason_of(&undecided));
            }
        };
        self.conclude(id, reply, now)
            .map_or_else(Step::Drop, Step::Reply)
    }

    /// As [`Exchanges::answer`], for a device.
    pub fn answer_device(
        &mut self,
        open: Open,
        verdict: Result<DeviceVerdict, Undecided>,
        now: Monotonic,
    ) -> Step {
        let Open { id, envelope, .. } = open;
        let reply = match verdict {
            Ok(DeviceVerdict::Granted(proof)) => envelope.accept_device(&proof),
            Ok(DeviceVerdict::Refused(_)) => envelope.reject(None),
            Err(undecided) => {
                self.duplicates.forget(id.ticket);
                return Step::Drop(reason_of(&undecided));
            }
        };
        self.conclude(id, reply, now)
            .map_or_else(Step::Drop, Step::Reply)
    }

    /// Takes word of a report: recorded durably, or not. Where it was not, the client hears nothing
    /// and its retransmission is recorded (RFC 2866 §2).
    pub fn recorded(&mut self, open: Open, outcome: Result<(), Undecided>, now: Monotonic) -> Step {
        let Open { id, envelope, .. } = open;
        if let Err(undecided) = outcome {
            self.duplicates.forget(id.ticket);
            return Step::Drop(reason_of(&undecided));
        }
        self.conclude(id, envelope.recorded(), now)
            .map_or_else(Step::Drop, Step::Reply)
    }

    /// Gives an exchange up that will not be answered. Changes nothing where it was.
    pub fn abandon(&mut self, id: ExchangeId) {
        if self.duplicates.forget(id.ticket)
            && let Some(session) = id.session
        {
            self.sessions.close(session);
        }
    }

    fn try_take(
        &mut self,
        arrival: &Arrival<'_>,
        examined: Examined<'_>,
    ) -> Result<Step, DropReason> {
        let transport = arrival.transport;
        let Examined {
            packet,
            keys,
            identity,
        } = examined;
        match packet.code() {
            code if !transport.serves(code) => {
                let reply = reply::unsupported(&packet, &keys).ok_or(DropReason::UnexpectedCode)?;
                keys.check_signed(&packet)?;
                Ok(Step::Reply(reply.map_err(|_| DropReason::ReplyTooLong)?))
            }
            Code::AccessRequest => self.access(arrival, &packet, &identity, keys),
            Code::StatusServer => {
                if let Proof::Octets(digest) = identity.proof {
                    self.probes.note(digest, arrival.now.mono);
                }
                if !arrival.available {
                    return Err(DropReason::Unavailable);
                }
                let accounting = transport == Transport::Datagram(Service::Accounting);
                let reply = reply::alive(&packet, &keys, accounting)
                    .map_err(|_| DropReason::ReplyTooLong)?;
                Ok(Step::Reply(reply))
            }
            Code::AccountingRequest => self.account(arrival, &packet, &identity, keys),
            _ => Err(DropReason::UnexpectedCode),
        }
    }

    fn account(
        &mut self,
        arrival: &Arrival<'_>,
        packet: &Packet<'_>,
        identity: &Identity,
        keys: Keys,
    ) -> Result<Step, DropReason> {
        let way = Way {
            client: arrival.client,
            peer: arrival.peer,
            local: arrival.local,
            now: arrival.now,
        };
        let report = accounting::read(packet, &way)?;
        let envelope =
            Envelope::new(packet, arrival.client, keys).map_err(|_| DropReason::ReplyTooLong)?;
        let ticket = match self.admit(identity, arrival.now.mono)? {
            Admitted::New(ticket) => ticket,
            Admitted::Finished(bytes) => return Ok(Step::Resend(bytes)),
        };
        let id = ExchangeId {
            ticket,
            session: None,
        };
        let Some(report) = report else {
            let reply = self.conclude(id, envelope.recorded(), arrival.now.mono)?;
            return Ok(Step::Reply(reply));
        };
        let open = Open {
            id,
            envelope,
            dialogue: None,
            ms_chap: None,
        };
        Ok(Step::Record(Box::new(Recording { open, report })))
    }

    /// Enters a request into the table, or finds what it was answered.
    fn admit(&mut self, identity: &Identity, now: Monotonic) -> Result<Admitted, DropReason> {
        match self.duplicates.admit(identity, now) {
            Admission::New(ticket) => Ok(Admitted::New(ticket)),
            Admission::Finished(bytes) => Ok(Admitted::Finished(bytes)),
            Admission::InFlight => Err(DropReason::DuplicateInFlight),
            Admission::Conflicting => Err(DropReason::Conflicting),
            Admission::Full => Err(DropReason::TableFull),
        }
    }

    fn access(
        &mut self,
        arrival: &Arrival<'_>,
        packet: &Packet<'_>,
        identity: &Identity,
        keys: Keys,
    ) -> Result<Step, DropReason> {
        let client = arrival.client;
        let mab = client.resources.mab;
        let wanted = request::read(packet, &keys, arrival.challenges, mab)?;
        let envelope = Envelope::new(packet, client, keys).map_err(|_| DropReason::ReplyTooLong)?;
        let now = arrival.now;
        let ticket = match self.admit(identity, now.mono)? {
            Admitted::New(ticket) => ticket,
            Admitted::Finished(bytes) => return Ok(Step::Resend(bytes)),
        };
        let id = ExchangeId {
            ticket,
            session: None,
        };
        let origin = |place: &Place| Origin {
            source: arrival.peer.ip().into(),
            station: place.calling_station.clone(),
            port: place.port(),
        };
        let asking = |place: &Place| AccessContext::Radius {
            client: Arc::clone(&client.resources),
            called_station: place.called_station.clone(),
        };
        let (reason, eap) = match wanted {
            Wanted::Login(login) => {
                let place = login.place;
                let (asking, origin) = (asking(&place), origin(&place));
                let open = Open {
                    id,
                    envelope,
                    dialogue: None,
                    ms_chap: login.ms_chap,
                };
                let login = Login {
                    claim: login.claim,
                    evidence: login.evidence,
                };
                return Ok(ask(open, login, asking, origin, place, now));
            }
            Wanted::Device { address, place } => {
                let attempt = DeviceAttempt {
                    request: RequestId::new(now.wall),
                    received: now,
                    client: Arc::clone(&client.resources),
                    called_station: place.called_station.clone(),
                    address,
                    origin: origin(&place),
                };
                let open = Open {
                    id,
                    envelope,
                    dialogue: None,
                    ms_chap: None,
                };
                return Ok(Step::AskDevice(Box::new(DeviceQuestion {
                    open,
                    attempt,
                    place,
                })));
            }
            Wanted::Eap(eap) => match self.find(arrival, &eap) {
                Ok((session, conversation)) => {
                    let dialogue = Dialogue {
                        conversation,
                        asking: asking(&eap.place),
                        origin: origin(&eap.place),
                        place: eap.place,
                        received: now,
                    };
                    let open = Open {
                        id: ExchangeId {
                            ticket,
                            session: Some(session),
                        },
                        envelope,
                        dialogue: Some(Box::new(dialogue)),
                        ms_chap: None,
                    };
                    return Ok(Step::Converse(Box::new(Conversing::new(open, eap.packet))));
                }
                Err(NoConversation::Rejected(reason)) => (reason, Some(eap.identifier())),
                Err(NoConversation::Busy) => {
                    self.duplicates.forget(ticket);
                    return Err(DropReason::EapBusy);
                }
            },
            Wanted::Reject { reason, eap } => (reason, eap),
        };
        let reply = self.conclude(id, envelope.reject(eap), now.mono)?;
        Ok(Step::Reject(reason, None, reply))
    }

    fn conclude(
        &mut self,
        id: ExchangeId,
        reply: Result<Reply, wire::Oversized>,
        now: Monotonic,
    ) -> Result<Reply, DropReason> {
        let Ok(reply) = reply else {
            self.abandon(id);
            return Err(DropReason::ReplyTooLong);
        };
        if self.duplicates.finish(id.ticket, reply.bytes.clone(), now) {
            Ok(reply)
        } else {
            Err(DropReason::Superseded)
        }
    }
}

/// A request that may be worked on.
enum Admitted {
    New(Ticket),
    Finished(Bytes),
}

fn ask(
    open: Open,
    login: Login,
    asking: AccessContext,
    origin: Origin,
    place: Place,
    received: Now,
) -> Step {
    let attempt = Attempt {
        request: RequestId::new(received.wall),
        received,
        protocol: Protocol::Radius,
        asking,
        claim: login.claim,
        evidence: login.evidence,
        origin,
        asked_for_password_policy: false,
    };
    Step::Ask(Box::new(Question {
        open,
        attempt,
        place,
    }))
}

fn random<const N: usize>() -> Result<[u8; N], DropReason> {
    let mut octets = [0; N];
    getrandom::fill(&mut octets).map_err(|_| DropReason::Unavailable)?;
    Ok(octets)
}

fn reason_of(undecided: &Undecided) -> DropReason {
    match undecided {
        Undecided::Busy => DropReason::Busy,
        Undecided::Unavailable(_) => DropReason::Unavailable,
    }
}

/// Holds an Access-Request against what its client's entry demands of datagrams. Whoever is at the
/// other end of a connection has shown a certificate, and nobody writes to it but he.
fn prove(packet: &Packet<'_>, arrival: &Arrival<'_>, keys: &Keys) -> Result<Presence, DropReason> {
    let client = arrival.client;
    let presence = keys.check(packet)?;
    if presence == Presence::Absent {
        // EAP never goes without one (RFC 3579 §3.1).
        if packet.has(kind::EAP_MESSAGE) {
            return Err(DropReason::MessageAuthenticatorMissing);
        }
        if arrival.transport.is_tls() {
            return Ok(Presence::Verified);
        }
        if client.require_message_authenticator {
            return Err(DropReason::MessageAuthenticatorMissing);
        }
        if client.limit_proxy_state && packet.has(kind::PROXY_STATE) {
            return Err(DropReason::ProxyStateUnproven);
        }
    }
    Ok(presence)
}

#[cfg(test)]
mod tests;
