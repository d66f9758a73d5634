//! One request and its reply, as a state machine without socket or clock.
//!
//! [`Exchanges::receive`] takes a datagram of a known client and says what to do; where that is to
//! ask, [`Exchanges::answer`] takes the verdict and says what to send. The order of the checks is
//! the defence: nothing is remembered, computed or asked for a packet whose sender is not proven
//! as far as the client's entry demands.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::client::ClientSettings;
use super::duplicates::{Admission, Duplicates, Key, Ticket};
use super::reason::{DropReason, RejectReason};
use super::reply::{self, Envelope, Reply};
use super::request::{self, Place, Wanted};
use super::wire::{
    self, Code, Packet, Presence, check_message_authenticator, kind, response_authenticator,
};
use crate::authenticator::{Attempt, Undecided, Verdict};
use crate::domain::id::RequestId;
use crate::domain::origin::{Origin, Protocol};
use crate::domain::resource::Asking;
use crate::domain::time::{Monotonic, Now};

/// Which service a socket offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Access-Request (port 1812).
    Authentication,
    /// Accounting-Request (port 1813).
    Accounting,
}

impl Service {
    /// The name in metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Accounting => "accounting",
        }
    }
}

/// A datagram from a known client.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// Its octets, padding included.
    pub datagram: &'a [u8],
    /// The client that the source address belongs to.
    pub client: &'a Arc<ClientSettings>,
    /// What the socket serves.
    pub service: Service,
    /// Where it came from.
    pub peer: SocketAddr,
    /// The socket it came to.
    pub local: SocketAddr,
    /// When it came.
    pub now: Now,
    /// Whether requests can be decided; a Status-Server is answered only then (RFC 5997 §4.2).
    pub available: bool,
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
    /// Send this Access-Reject, for which nothing was asked.
    Reject(RejectReason, Reply),
    /// Ask the authenticator, then call [`Exchanges::answer`]; where that cannot be,
    /// [`Exchanges::abandon`].
    Ask(Box<Question>),
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

/// An exchange that waits for its verdict.
pub struct Open {
    id: ExchangeId,
    envelope: Envelope,
}

impl Open {
    /// Its identity, for [`Exchanges::abandon`].
    pub fn id(&self) -> ExchangeId {
        self.id
    }
}

/// The identity of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExchangeId(Ticket);

/// Every exchange that is open or was answered a moment ago.
#[derive(Debug, Default)]
pub struct Exchanges {
    duplicates: Duplicates,
}

impl Exchanges {
    /// Remembers at most that many requests, and their replies for that long.
    pub fn new(capacity: usize, lifetime: Duration) -> Self {
        Self {
            duplicates: Duplicates::new(capacity, lifetime),
        }
    }

    /// Takes a datagram.
    pub fn receive(&mut self, arrival: &Arrival<'_>) -> Step {
        self.try_receive(arrival).unwrap_or_else(Step::Drop)
    }

    /// Takes the verdict of a question. Without one the request is forgotten, so that its
    /// retransmission is decided.
    pub fn answer(
        &mut self,
        open: Open,
        verdict: &Result<Verdict, Undecided>,
        now: Monotonic,
    ) -> Step {
        let Open { id, envelope } = open;
        let reply = match verdict {
            Ok(Verdict::Granted(proof)) => envelope.accept(proof),
            Ok(Verdict::ChangeOnly(_) | Verdict::Refused(_)) => envelope.reject(None),
            Err(undecided) => {
                self.duplicates.forget(id.0);
                return Step::Drop(match undecided {
                    Undecided::Busy => DropReason::Busy,
                    Undecided::Unavailable(_) => DropReason::Unavailable,
                });
            }
        };
        self.conclude(id, reply, now)
            .map_or_else(Step::Drop, Step::Reply)
    }

    /// Gives an exchange up that will not be answered. Changes nothing where it was.
    pub fn abandon(&mut self, id: ExchangeId) {
        self.duplicates.forget(id.0);
    }

    fn try_receive(&mut self, arrival: &Arrival<'_>) -> Result<Step, DropReason> {
        let client = arrival.client;
        let packet = Packet::parse(arrival.datagram)?;
        match (packet.code(), arrival.service) {
            (Code::AccessRequest, Service::Authentication) => {
                let presence = prove(&packet, client)?;
                self.access(arrival, &packet, presence)
            }
            (Code::StatusServer, service) => {
                // Mandatory whatever the client's entry says (RFC 5997 §4.2).
                if check_message_authenticator(&packet, client.secret())? == Presence::Absent {
                    return Err(DropReason::MessageAuthenticatorMissing);
                }
                if !arrival.available {
                    return Err(DropReason::Unavailable);
                }
                let reply = reply::alive(&packet, client, service == Service::Accounting)
                    .map_err(|_| DropReason::ReplyTooLong)?;
                Ok(Step::Reply(reply))
            }
            (Code::AccountingRequest, Service::Accounting) => {
                // RFC 2866 §3 computes the Request Authenticator like that of a reply to zeroes.
                // No acknowledgement: it would say that the record is safe (RFC 2866 §4.1).
                let expected = response_authenticator(packet.bytes(), &[0; 16], client.secret());
                if wire::same(&expected, packet.authenticator()) {
                    Err(DropReason::AccountingNotConfigured)
                } else {
                    Err(DropReason::AccountingWrong)
                }
            }
            _ => Err(DropReason::UnexpectedCode),
        }
    }

    fn access(
        &mut self,
        arrival: &Arrival<'_>,
        packet: &Packet<'_>,
        presence: Presence,
    ) -> Result<Step, DropReason> {
        let client = arrival.client;
        let wanted = request::read(packet, client.secret())?;
        let envelope = Envelope::new(packet, client).map_err(|_| DropReason::ReplyTooLong)?;
        let key = Key {
            peer: arrival.peer,
            local: arrival.local,
            identifier: packet.identifier(),
        };
        let proven = presence == Presence::Verified;
        let now = arrival.now;
        let id = match self
            .duplicates
            .admit(key, packet.authenticator(), proven, now.mono)
        {
            Admission::New(ticket) => ExchangeId(ticket),
            Admission::Finished(bytes) => return Ok(Step::Resend(bytes)),
            Admission::InFlight => return Err(DropReason::DuplicateInFlight),
            Admission::Conflicting => return Err(DropReason::Conflicting),
            Admission::Full => return Err(DropReason::TableFull),
        };
        let login = match wanted {
            Wanted::Login(login) => login,
            Wanted::Reject { reason, eap } => {
                let reply = self.conclude(id, envelope.reject(eap), now.mono)?;
                return Ok(Step::Reject(reason, reply));
            }
        };
        let attempt = Attempt {
            request: RequestId::new(now.wall),
            received: now,
            protocol: Protocol::Radius,
            asking: Asking::Radius {
                client: Arc::clone(&client.resources),
                called_station: login.place.called_station.clone(),
            },
            claim: login.claim,
            evidence: login.evidence,
            origin: Origin {
                source: arrival.peer.ip().into(),
                station: login.place.calling_station.clone(),
            },
            asked_for_password_policy: false,
        };
        let open = Open { id, envelope };
        Ok(Step::Ask(Box::new(Question {
            open,
            attempt,
            place: login.place,
        })))
    }

    fn conclude(
        &mut self,
        id: ExchangeId,
        reply: Result<Reply, wire::Oversized>,
        now: Monotonic,
    ) -> Result<Reply, DropReason> {
        let Ok(reply) = reply else {
            self.duplicates.forget(id.0);
            return Err(DropReason::ReplyTooLong);
        };
        if self.duplicates.finish(id.0, reply.bytes.clone(), now) {
            Ok(reply)
        } else {
            Err(DropReason::Superseded)
        }
    }
}

/// Holds an Access-Request against what its client's entry demands.
fn prove(packet: &Packet<'_>, client: &ClientSettings) -> Result<Presence, DropReason> {
    let presence = check_message_authenticator(packet, client.secret())?;
    if presence == Presence::Absent {
        // EAP never goes without one (RFC 3579 §3.1).
        if client.require_message_authenticator || packet.has(kind::EAP_MESSAGE) {
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
