//! A method at work: fragments into messages, messages into the tunnel, what was inside into a
//! question, the verdict into an end.
//!
//! Success carries the authenticator's proof by type; there is no other way to make one.

use std::time::Duration;

use super::conversation::{Failure, Login};
use super::fragments::{self, Assembly, Fragment, Outgoing};
use super::keys::MasterSessionKey;
use super::packet;
use super::settings::{Method, Settings};
use super::ttls::{self, Inside};
use super::tunnel::{Tunnel, TunnelFault};
use crate::authenticator::{Authenticated, Verdict};
use crate::domain::time::Now;

/// What the method wants done.
pub(super) enum Turn {
    /// Send a request with that data.
    Send {
        data: Vec<u8>,
        patience: Option<Duration>,
    },
    /// Ask the authenticator.
    Ask(Login),
    /// The peer is let in, and knows all it must.
    Success {
        proof: Authenticated,
        key: MasterSessionKey,
        method: Method,
    },
}

/// The method.
pub(super) struct Running {
    method: Method,
    tunnel: Tunnel,
    assembly: Assembly,
    outgoing: Option<Outgoing>,
    room: usize,
    phase: Phase,
}

enum Phase {
    /// TLS is being agreed on.
    Handshake,
    /// The peer is to say who it is.
    Inside,
    /// The authenticator was asked.
    Asking(Login),
    /// The peer was let in and is to acknowledge the last that TLS had to say.
    Closing(Authenticated),
    /// A TLS alert tells the peer that it failed.
    Alerting(Failure),
    /// Nothing more is taken.
    Over,
}

impl Running {
    /// A method that was accepted, before its first octet.
    pub(super) fn start(
        settings: &Settings,
        method: Method,
        packet_length: usize,
        now: Now,
    ) -> Result<Self, Failure> {
        Ok(Self {
            method,
            tunnel: Tunnel::new(&settings.tls, now).map_err(tls)?,
            assembly: Assembly::default(),
            outgoing: None,
            room: packet_length.saturating_sub(packet::HEADER_LENGTH + 1),
            phase: Phase::Handshake,
        })
    }

    pub(super) fn method(&self) -> Method {
        self.method
    }

    /// The question that waits for its verdict.
    pub(super) fn question(&self) -> Option<Login> {
        match &self.phase {
            Phase::Asking(login) => Some(login.clone()),
            _ => None,
        }
    }

    /// Takes what follows the type in a response.
    pub(super) fn receive(&mut self, data: &[u8], now: Now) -> Result<Turn, Failure> {
        let fragment = Fragment::parse(data)?;
        if let Some(outgoing) = &mut self.outgoing {
            if !fragment.is_acknowledgement() {
                return Err(Failure::OutOfTurn);
            }
            let data = outgoing.next_data();
            if outgoing.is_sent() {
                self.outgoing = None;
            }
            return Ok(Turn::Send {
                data,
                patience: None,
            });
        }
        let Some(message) = self.assembly.push(&fragment)? else {
            return Ok(acknowledge());
        };
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Handshake => self.shake_hands(&message, now),
            Phase::Inside => {
                let plaintext = match self.tunnel.feed(&message, now) {
                    Ok(plaintext) => plaintext,
                    Err(fault) => return self.alert(fault),
                };
                self.inside(&plaintext)
            }
            Phase::Closing(proof) if message.is_empty() => self.succeed(proof),
            Phase::Alerting(failure) => Err(failure),
            Phase::Closing(_) | Phase::Asking(_) | Phase::Over => Err(Failure::OutOfTurn),
        }
    }

    /// Takes the verdict.
    pub(super) fn answer(&mut self, verdict: Verdict) -> Result<Turn, Failure> {
        match verdict {
            Verdict::Granted(proof) => {
                let output = self.tunnel.output();
                if output.is_empty() {
                    return self.succeed(proof);
                }
                self.phase = Phase::Closing(proof);
                Ok(self.send(output))
            }
            Verdict::ChangeOnly(_) | Verdict::Refused(_) => Err(Failure::Refused),
        }
    }

    fn shake_hands(&mut self, message: &[u8], now: Now) -> Result<Turn, Failure> {
        let plaintext = match self.tunnel.feed(message, now) {
            Ok(plaintext) => plaintext,
            Err(fault) => return self.alert(fault),
        };
        if !self.tunnel.is_established() {
            self.phase = Phase::Handshake;
            let output = self.tunnel.output();
            return if output.is_empty() {
                Err(Failure::OutOfTurn)
            } else {
                Ok(self.send(output))
            };
        }
        // In TLS 1.3 the peer's first words may come with the end of its handshake (RFC 9427 §3,
        // RFC 5281 §7.4).
        if !plaintext.is_empty() {
            return self.inside(&plaintext);
        }
        self.phase = Phase::Inside;
        let output = self.tunnel.output();
        Ok(self.send(output))
    }

    fn inside(&mut self, plaintext: &[u8]) -> Result<Turn, Failure> {
        match ttls::read(plaintext)? {
            Inside::Login(login) => {
                self.phase = Phase::Asking(login.clone());
                Ok(Turn::Ask(login))
            }
        }
    }

    fn succeed(&mut self, proof: Authenticated) -> Result<Turn, Failure> {
        let key = self.tunnel.key(self.method).map_err(tls)?;
        tracing::debug!(
            method = self.method.as_str(),
            tls = ?self.tunnel.version(),
            "EAP succeeded"
        );
        Ok(Turn::Success {
            proof,
            key,
            method: self.method,
        })
    }

    /// Lets the peer know that TLS failed, where TLS has a word for it (RFC 5216 §2.1.3).
    fn alert(&mut self, fault: TunnelFault) -> Result<Turn, Failure> {
        let failure = tls(fault);
        let output = self.tunnel.output();
        if output.is_empty() {
            return Err(failure);
        }
        self.phase = Phase::Alerting(failure);
        Ok(self.send(output))
    }

    /// Sends a message, or an empty packet where there is nothing to say and it is our turn.
    fn send(&mut self, message: Vec<u8>) -> Turn {
        if message.is_empty() {
            return acknowledge();
        }
        let mut outgoing = Outgoing::new(message, self.room);
        let data = outgoing.next_data();
        if !outgoing.is_sent() {
            self.outgoing = Some(outgoing);
        }
        Turn::Send {
            data,
            patience: None,
        }
    }
}

fn acknowledge() -> Turn {
    Turn::Send {
        data: fragments::ACKNOWLEDGEMENT.to_vec(),
        patience: None,
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn tls(fault: TunnelFault) -> Failure {
    Failure::Tls(fault.to_string())
}
