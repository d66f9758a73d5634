//! One Disconnect-Request or CoA-Request from its first sending to its outcome (RFC 5176), without
//! socket or clock.
//!
//! The request names the session by all that its client said of it, proves its sender with the
//! client's secret and a Message-Authenticator, and carries the time, so that one that was captured
//! ends no session later. It is sent again as RFC 5080 §2.2.1 says, always the same octets.

use std::net::IpAddr;
use std::time::Duration;

use super::attributes::{AtTimeout, push_attributes};
use super::wire::{
    Authenticator, Code, Draft, Oversized, Packet, check_reply, kind, response_authenticator,
};
use doorward_domain::secret::Secret;
use doorward_domain::session::{Answered, Octets};
use doorward_domain::time::{Monotonic, Now};
use doorward_frontend_api::coa::{CoaAction, PendingCoa};

/// The port that RFC 5176 §2.3 assigns.
pub const PORT: u16 = 3799;
/// The wait after the first sending, about (RFC 5080 §2.2.1, IRT).
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// No wait is longer, about (MRT).
const LONGEST_WAIT: Duration = Duration::from_secs(16);
/// How often it is sent: as often as leaves time for an answer (MRC allows five).
const SENDINGS: u32 = 4;
/// How long all of it may take (MRD).
const PATIENCE: Duration = Duration::from_secs(30);

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Next {
    /// Send [`Demanding::bytes`], then ask again.
    Send,
    /// Wait for a reply that long, then ask again.
    Wait(Duration),
    /// Nobody answered.
    GiveUp,
}

/// A Disconnect-Request or CoA-Request under way.
pub struct Demanding {
    bytes: Vec<u8>,
    acknowledging: Code,
    refusing: Code,
    authenticator: Authenticator,
    secret: Secret,
    sent: u32,
    wait: Duration,
    next: Monotonic,
    ends: Monotonic,
}

impl std::fmt::Debug for Demanding {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Demanding")
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}

impl Demanding {
    /// Writes the request for a session. A CoA-Request carries, behind what names the session, the
    /// reply attributes that are to hold (RFC 5176 §3.6).
    ///
    /// # Errors
    /// The reply attributes leave no room for each other.
    pub fn new(
        pending: &PendingCoa,
        identifier: u8,
        secret: &Secret,
        now: Now,
    ) -> Result<Self, Oversized> {
        let (code, acknowledging, refusing) = match &pending.action {
            CoaAction::Disconnect => (
                Code::DisconnectRequest,
                Code::DisconnectACK,
                Code::DisconnectNAK,
            ),
            CoaAction::Change(_) => (Code::CoARequest, Code::CoAACK, Code::CoANAK),
        };
        let mut draft = Draft::new(code, identifier);
        let said = &pending.particulars;
        let mut push = |kind, value: Option<&[u8]>| match value {
            Some(value) if !value.is_empty() => draft.push(kind, value),
            _ => Ok(()),
        };
        push(kind::USER_NAME, Some(said.user_name.as_bytes()))?;
        match said.nas_address {
            Some(IpAddr::V4(address)) => push(kind::NAS_IP_ADDRESS, Some(&address.octets()))?,
            Some(IpAddr::V6(address)) => push(kind::NAS_IPV6_ADDRESS, Some(&address.octets()))?,
            None => {}
        }
        let nas = said.nas_identifier.as_ref();
        push(kind::NAS_IDENTIFIER, nas.map(Octets::as_bytes))?;
        let device = said.calling_station.as_ref();
        push(kind::CALLING_STATION_ID, device.map(Octets::as_bytes))?;
        push(kind::ACCT_SESSION_ID, Some(pending.acct_session.as_bytes()))?;
        let seconds = u32::try_from(now.wall.as_seconds()).unwrap_or(u32::MAX);
        push(kind::EVENT_TIMESTAMP, Some(&seconds.to_be_bytes()))?;
        if let CoaAction::Change(attributes) = &pending.action {
            let left_out = push_attributes(&mut draft, attributes, AtTimeout::End, 0)?;
            // What the session was told to do at its timeout it still is. Half of what holds would be another authorization than anybody mapped.
            if !left_out.is_empty() {
                return Err(Oversized);
            }
        }
        let bytes = draft.seal_signed(secret)?;
        let authenticator = response_authenticator(&bytes, &[0; 16], secret);
        Ok(Self {
            bytes,
            acknowledging,
            refusing,
            authenticator,
            secret: secret.clone(),
            sent: 0,
            wait: Duration::ZERO,
            next: now.mono,
            ends: now.mono.plus(PATIENCE),
        })
    }

    /// The octets to send.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What to do at `now`; `chance` is random, so that requests sent together are not all sent
    /// again together.
    pub fn next(&mut self, now: Monotonic, chance: u8) -> Next {
        if now >= self.ends {
            return Next::GiveUp;
        }
        if now < self.next {
            return Next::Wait(self.next.min(self.ends).since(now));
        }
        if self.sent >= SENDINGS {
            return Next::GiveUp;
        }
        self.sent += 1;
        let doubled = if self.wait.is_zero() {
            FIRST_WAIT
        } else {
            self.wait.saturating_mul(2).min(LONGEST_WAIT)
        };
        // Between nine and eleven tenths of it.
        let tenth = doubled / 10;
        self.wait = (doubled + tenth * 2 * u32::from(chance) / 255).saturating_sub(tenth);
        self.next = now.plus(self.wait);
        Next::Send
    }

    /// Reads what came back; nothing where it is no answer to this request, whoever sent it.
    pub fn receive(&self, datagram: &[u8]) -> Option<Answered> {
        let reply = Packet::parse(datagram).ok()?;
        let identifier = self.bytes.get(1).copied()?;
        if reply.identifier() != identifier
            || check_reply(&reply, &self.authenticator, &self.secret).is_err()
        {
            return None;
        }
        let code = reply.code();
        if code == self.acknowledging {
            return Some(Answered::Acknowledged);
        }
        (code == self.refusing).then(|| {
            let cause = reply.first(kind::ERROR_CAUSE);
            let cause = cause.and_then(|value| value.try_into().ok());
            Answered::Refused(cause.map(u32::from_be_bytes))
        })
    }
}

#[cfg(test)]
mod tests;
