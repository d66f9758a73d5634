//! A method at work: fragments into messages, messages into the tunnel, what was inside into a
//! question, the verdict into an end.
//!
//! Success carries the authenticator's proof by type; there is no other way to make one.

use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::conversation::{Failure, Login};
use super::fragments::{self, Assembly, Fragment, Outgoing};
use super::inner::{Inner, Request, Said};
use super::journal::Journal;
use super::keys::MasterSessionKey;
use super::packet::{self, Code, Packet};
use super::peap::{self, Ending};
use super::settings::{InnerMethod, Method, Settings};
use super::ttls::{self, Answer, Inside};
use super::tunnel::{ImpliedChallenge, Tunnel, TunnelFault};
use doorward_domain::certificate::Unreadable;
use doorward_domain::time::Now;
use doorward_domain::user_certificate;
use doorward_domain::user_certificate::NamedBy;
use doorward_frontend_api::{Authenticated, Verdict};

/// How long a user may take to type a password.
const PATIENCE: Duration = Duration::from_secs(30);

/// What tells a TLS 1.3 peer that nothing but success follows, where nothing else inside does
/// (RFC 9190 §2.5, RFC 9427 §4).
const COMMITMENT: [u8; 1] = [0];

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
    Success(Success),
}

/// How a method ended well.
pub(super) struct Success {
    pub(super) proof: Authenticated,
    pub(super) key: MasterSessionKey,
    pub(super) method: Method,
    pub(super) resumed: bool,
}

/// The method.
pub(super) struct Running {
    method: Method,
    tunnel: Tunnel,
    assembly: Assembly,
    outgoing: Option<Outgoing>,
    room: usize,
    /// Whether MS-CHAPv2 is taken in TTLS without EAP.
    takes_ms_chap: bool,
    /// The challenge that the peer answered, where it did so in TTLS without EAP.
    implied: Option<ImpliedChallenge>,
    inner: Inner,
    phase: Phase,
    /// Which name in a certificate counts; nothing where the peer shows none.
    named_by: Option<NamedBy>,
    /// Whether what was asked last is a session taken up again.
    resuming: bool,
}

/// What a peer said inside.
enum Spoken {
    /// A name and a password.
    Login(Login),
    /// A response of MS-CHAPv2 without EAP.
    MsChapV2(Answer),
    /// A response of EAP: its identifier where it has one, its type, and what follows.
    Eap(Option<u8>, u8, Zeroizing<Vec<u8>>),
}

enum Phase {
    /// TLS is being agreed on.
    Handshake,
    /// The peer is to acknowledge the end of the handshake, so that we can speak (PEAP).
    Greeting,
    /// The peer is to say who it is, and to prove it.
    Inside,
    /// The authenticator was asked.
    Asking(Login),
    /// The method inside told the peer how it ended, and the peer is to agree.
    Agreeing(Option<Authenticated>),
    /// The peer was let in and is to acknowledge the last that was said inside.
    Closing(Authenticated),
    /// The peer was refused and told so inside (PEAP).
    Refusing,
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
        let (config, resumption, named_by) = match (method, &settings.certificates) {
            (Method::Ttls | Method::Peap, _) => (
                Arc::clone(&settings.tls),
                settings.resumption.as_ref(),
                None,
            ),
            // A session taken up again would bring its certificate along unverified, and go on
            // after it was revoked or had expired. So none is kept.
            (Method::Tls, Some(certificates)) => (
                certificates.tls().ok_or(Failure::NoCommonMethod)?,
                None,
                Some(certificates.named_by()),
            ),
            (Method::Tls, None) => return Err(Failure::NoCommonMethod),
        };
        Ok(Self {
            method,
            tunnel: Tunnel::new(&config, resumption, method, now).map_err(tls)?,
            assembly: Assembly::default(),
            outgoing: None,
            room: packet_length.saturating_sub(packet::HEADER_LENGTH + 1),
            takes_ms_chap: settings.inner.contains(&InnerMethod::MsChapV2),
            implied: None,
            inner: Inner::new(&settings.inner),
            phase: Phase::Handshake,
            named_by,
            resuming: false,
        })
    }

    /// Notes in this journal what happens from here on.
    pub(super) fn listen(&mut self, journal: Journal) {
        self.tunnel.listen(journal);
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
            Phase::Greeting if message.is_empty() => self.greet(),
            Phase::Inside => match self.tunnel.feed(&message, now) {
                Ok(plaintext) => self.inside(&plaintext),
                Err(fault) => self.alert(fault),
            },
            Phase::Agreeing(proof) => match self.tunnel.feed(&message, now) {
                Ok(plaintext) => self.agree(&plaintext, proof),
                Err(fault) => self.alert(fault),
            },
            Phase::Closing(proof) => self.close(&message, proof, now),
            Phase::Refusing => Err(Failure::Refused),
            Phase::Alerting(failure) => Err(failure),
            Phase::Greeting | Phase::Asking(_) | Phase::Over => Err(Failure::OutOfTurn),
        }
    }

    /// Takes the verdict.
    pub(super) fn answer(&mut self, verdict: Verdict) -> Result<Turn, Failure> {
        let told = self.inner.tell(&verdict);
        let proof = match verdict {
            Verdict::Granted(proof) => Some(proof),
            Verdict::ChangeOnly(_) | Verdict::Refused(_) => None,
        };
        if proof.is_none() {
            self.tunnel.void();
        }
        match told {
            Some(request) => self.request(&request, None, Phase::Agreeing(proof)),
            None => self.conclude(proof),
        }
    }

    /// Takes the peer's word on what the method inside told it.
    fn agree(&mut self, plaintext: &[u8], proof: Option<Authenticated>) -> Result<Turn, Failure> {
        let Spoken::Eap(identifier, kind, data) = self.read(plaintext)? else {
            return Err(Failure::OutOfTurn);
        };
        self.inner.agreed(identifier, kind, &data)?;
        self.conclude(proof)
    }

    /// Tells the peer how it ended, as the tunnel's method does.
    fn conclude(&mut self, proof: Option<Authenticated>) -> Result<Turn, Failure> {
        let ms_chap = proof.as_ref().and_then(Authenticated::ms_chap_v2);
        if self.method == Method::Peap {
            let ending = match proof {
                Some(_) => Ending::Success,
                None => Ending::Failure,
            };
            let told = peap::tell(self.inner.next_identifier(), ending);
            self.tunnel.write(&told).map_err(tls)?;
        } else if proof.is_none() {
            return Err(Failure::Refused);
        } else if let (Some(implied), Some(success)) = (&self.implied, ms_chap) {
            let told = ttls::success(implied, success);
            self.tunnel.write(&told).map_err(tls)?;
        } else if self.tunnel.is_v13()
            && (self.method == Method::Tls || self.tunnel.resumed().is_some())
        {
            self.tunnel.write(&COMMITMENT).map_err(tls)?;
        }
        let output = self.tunnel.output();
        self.phase = match proof {
            Some(proof) if output.is_empty() => return self.succeed(proof),
            Some(proof) => Phase::Closing(proof),
            None => Phase::Refusing,
        };
        Ok(self.send(output, None))
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
                Ok(self.send(output, None))
            };
        }
        if let Some(named_by) = self.named_by {
            return self.certified(&plaintext, named_by);
        }
        // In TLS 1.3 the peer's first words may come with the end of its handshake (RFC 9427 §3,
        // RFC 5281 §7.4).
        if !plaintext.is_empty() {
            return self.inside(&plaintext);
        }
        if let Some(ground) = self.tunnel.resumed() {
            self.resuming = true;
            return Ok(self.ask(Login::again(ground)));
        }
        if self.method == Method::Peap && self.tunnel.is_v13() {
            return self.greet();
        }
        self.phase = if self.method == Method::Peap {
            // Peers take nothing of ours together with the end of a TLS 1.2 handshake.
            Phase::Greeting
        } else {
            Phase::Inside
        };
        let output = self.tunnel.output();
        Ok(self.send(output, None))
    }

    /// Asks for whoever the peer's certificate stands for. In TLS 1.2 the end of our handshake goes
    /// out with the verdict, so that a peer who is refused never takes it for success.
    fn certified(&mut self, plaintext: &[u8], named_by: NamedBy) -> Result<Turn, Failure> {
        if !plaintext.is_empty() {
            return Err(Failure::OutOfTurn);
        }
        let certificate = self.tunnel.peer_certificate().ok_or(Unreadable)?;
        let certificate = user_certificate::read(certificate, named_by)?;
        Ok(self.ask(Login::certified(certificate)))
    }

    fn ask(&mut self, login: Login) -> Turn {
        self.phase = Phase::Asking(login.clone());
        Turn::Ask(login)
    }

    /// Reads what the peer says inside.
    fn read(&self, plaintext: &[u8]) -> Result<Spoken, Failure> {
        match self.method {
            Method::Ttls => match ttls::read(plaintext)? {
                Inside::Login(login) => Ok(Spoken::Login(login)),
                Inside::MsChapV2(answer) => Ok(Spoken::MsChapV2(answer)),
                Inside::Eap(octets) => {
                    let packet = Packet::parse(&octets).map_err(|_| Failure::Malformed)?;
                    let (Code::Response, Some(kind)) = (packet.code, packet.kind) else {
                        return Err(Failure::Malformed);
                    };
                    let data = Zeroizing::new(packet.data.to_vec());
                    Ok(Spoken::Eap(Some(packet.identifier), kind, data))
                }
            },
            Method::Peap => {
                let (identifier, kind, data) = peap::unwrap(plaintext)?;
                let data = Zeroizing::new(data.to_vec());
                Ok(Spoken::Eap(identifier, kind, data))
            }
            // EAP-TLS ends with its handshake.
            Method::Tls => Err(Failure::OutOfTurn),
        }
    }

    /// Takes what the peer says inside.
    fn inside(&mut self, plaintext: &[u8]) -> Result<Turn, Failure> {
        let said = match self.read(plaintext)? {
            Spoken::Login(login) => Said::Login(login),
            Spoken::MsChapV2(answer) if self.takes_ms_chap => {
                let implied = self.tunnel.challenge().map_err(tls)?;
                self.implied = Some(implied);
                Said::Login(answer.login(&implied)?)
            }
            Spoken::MsChapV2(_) => return Err(Failure::NoCommonMethod),
            Spoken::Eap(identifier, kind, data) => self.inner.receive(identifier, kind, &data)?,
        };
        match said {
            Said::Request(request) => self.request(&request, Some(PATIENCE), Phase::Inside),
            Said::Login(login) => Ok(self.ask(login)),
        }
    }

    fn greet(&mut self) -> Result<Turn, Failure> {
        let greeting = self.inner.greeting();
        self.request(&greeting, None, Phase::Inside)
    }

    /// Asks or tells something inside the tunnel; what comes back is taken in that phase.
    fn request(
        &mut self,
        request: &Request,
        patience: Option<Duration>,
        phase: Phase,
    ) -> Result<Turn, Failure> {
        let plaintext = match self.method {
            Method::Ttls => {
                let packet = packet::request(request.identifier, request.kind, &request.data);
                ttls::wrap(&packet)
            }
            Method::Peap => peap::wrap(request),
            Method::Tls => return Err(Failure::OutOfTurn),
        };
        self.tunnel.write(&plaintext).map_err(tls)?;
        self.phase = phase;
        let output = self.tunnel.output();
        Ok(self.send(output, patience))
    }

    /// Takes the peer's last word: an acknowledgement, in PEAP that it ended well for it too.
    fn close(&mut self, message: &[u8], proof: Authenticated, now: Now) -> Result<Turn, Failure> {
        let plaintext = match self.tunnel.feed(message, now) {
            Ok(plaintext) => plaintext,
            Err(fault) => return self.alert(fault),
        };
        let agreed = match self.method {
            Method::Ttls | Method::Tls => message.is_empty(),
            Method::Peap => peap::agrees(&plaintext, self.inner.next_identifier()),
        };
        if agreed {
            self.succeed(proof)
        } else {
            Err(Failure::OutOfTurn)
        }
    }

    fn succeed(&mut self, proof: Authenticated) -> Result<Turn, Failure> {
        let key = self.tunnel.key().map_err(tls)?;
        self.tunnel.publish(&proof.resumption_grant());
        let resumed = self.resuming;
        tracing::debug!(
            method = self.method.as_str(),
            tls = ?self.tunnel.version(),
            resumed,
            "EAP succeeded"
        );
        Ok(Turn::Success(Success {
            proof,
            key,
            method: self.method,
            resumed,
        }))
    }

    /// Lets the peer know that TLS failed, where TLS has a word for it (RFC 5216 §2.1.3).
    fn alert(&mut self, fault: TunnelFault) -> Result<Turn, Failure> {
        let failure = tls(fault);
        let output = self.tunnel.output();
        if output.is_empty() {
            return Err(failure);
        }
        self.phase = Phase::Alerting(failure);
        Ok(self.send(output, None))
    }

    /// Sends a message, or an empty packet where there is nothing to say and it is our turn.
    fn send(&mut self, message: Vec<u8>, patience: Option<Duration>) -> Turn {
        if message.is_empty() {
            return acknowledge();
        }
        let mut outgoing = Outgoing::new(message, self.room);
        let data = outgoing.next_data();
        if !outgoing.is_sent() {
            self.outgoing = Some(outgoing);
        }
        Turn::Send { data, patience }
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
