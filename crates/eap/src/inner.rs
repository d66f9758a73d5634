//! EAP inside a tunnel: identity, then Generic Token Card (RFC 3748 §5.6), which carries a password
//! that hashes can be held against, or MS-CHAPv2, whose response the network password answers. TTLS
//! and PEAP share it; each wraps it in its own way.

use super::conversation::{Failure, Login};
use super::mschapv2;
use super::packet::kind;
use super::settings::InnerMethod;
use doorward_domain::challenge::ChallengeResponse;
use doorward_frontend_api::{Evidence, MsChapV2Failure, Verdict};

/// What a peer may show to the user when it asks for the password.
const PROMPT: &[u8] = b"Password: ";

/// A request for the peer inside the tunnel.
pub(super) struct Request {
    /// Its identifier.
    pub(super) identifier: u8,
    /// Its type.
    pub(super) kind: u8,
    /// What follows.
    pub(super) data: Vec<u8>,
}

/// What a response led to.
pub(super) enum Said {
    /// Ask this next.
    Request(Request),
    /// The peer has said all it must.
    Login(Login),
}

/// The conversation inside.
pub(super) struct Inner {
    identifier: u8,
    /// The methods not yet offered.
    methods: Vec<InnerMethod>,
    stage: Stage,
}

enum Stage {
    /// The peer is to say who it is.
    Identity,
    /// This one is to prove it, or to ask for another method.
    Proof { name: Vec<u8>, asked: Asked },
    /// It brought a response to this challenge; the authenticator was asked.
    Answered(mschapv2::Challenge),
    /// It was told that it got in, and is to agree that the gateway knows the password too.
    Agreeing,
    /// It was told that it was refused.
    Told,
    /// It has said all it must.
    Over,
}

/// What was asked.
#[derive(Clone, Copy)]
enum Asked {
    Token,
    Challenge(mschapv2::Challenge),
}

impl Inner {
    /// A conversation by these methods, the preferred one first.
    pub(super) fn new(methods: &[InnerMethod]) -> Self {
        Self {
            identifier: 0,
            methods: methods.to_vec(),
            stage: Stage::Identity,
        }
    }

    /// The first request, where the server begins.
    pub(super) fn greeting(&self) -> Request {
        Request {
            identifier: self.identifier,
            kind: kind::IDENTITY,
            data: Vec::new(),
        }
    }

    /// The identifier of the next request.
    pub(super) fn next_identifier(&self) -> u8 {
        self.identifier.wrapping_add(1)
    }

    /// Takes a response. One without an identifier, as PEAP strips it, answers the last request.
    pub(super) fn receive(
        &mut self,
        identifier: Option<u8>,
        kind: u8,
        data: &[u8],
    ) -> Result<Said, Failure> {
        let answers = identifier.is_none_or(|one| one == self.identifier);
        match std::mem::replace(&mut self.stage, Stage::Over) {
            // A TTLS peer begins by itself, with an identifier of its own (RFC 5281 §11.2.1).
            Stage::Identity if kind == kind::IDENTITY => {
                self.identifier = identifier.unwrap_or(self.identifier);
                let first = self.methods.first().copied();
                self.offer(first, data.to_vec())
            }
            Stage::Proof { name, .. } if kind == kind::NAK && answers => {
                let wanted = data.iter().filter_map(|&number| InnerMethod::of(number));
                let next = wanted.into_iter().find(|one| self.methods.contains(one));
                self.offer(next, name)
            }
            Stage::Proof {
                name,
                asked: Asked::Token,
            } if kind == kind::GTC && answers => {
                Ok(Said::Login(Login::new(&name, Evidence::password(data))))
            }
            Stage::Proof {
                name,
                asked: Asked::Challenge(challenge),
            } if kind == kind::MSCHAPV2 && answers => {
                let said = mschapv2::Said::parse(data).map_err(|_| Failure::Malformed)?;
                let response = challenge.answered(said).ok_or(Failure::OutOfTurn)?;
                self.stage = Stage::Answered(challenge);
                let evidence = Evidence::Response(ChallengeResponse::MsChapV2(response));
                Ok(Said::Login(Login::new(&name, evidence)))
            }
            _ => Err(Failure::OutOfTurn),
        }
    }

    /// What the method itself has to say about the verdict before the tunnel does, if anything.
    pub(super) fn tell(&mut self, verdict: &Verdict) -> Option<Request> {
        let Stage::Answered(challenge) = &self.stage else {
            return None;
        };
        let (stage, data) = match verdict {
            Verdict::Granted(proof) => {
                let success = proof.ms_chap_v2()?;
                let text = success.authenticator_response();
                (Stage::Agreeing, challenge.success(&text))
            }
            Verdict::Refused(refusal) => {
                let text = MsChapV2Failure::of(*refusal).text(&challenge.challenge);
                (Stage::Told, challenge.failure(&text))
            }
            // A way to change the password, which is not this one.
            Verdict::ChangeOnly(_) => return None,
        };
        self.stage = stage;
        self.identifier = self.next_identifier();
        Some(Request {
            identifier: self.identifier,
            kind: kind::MSCHAPV2,
            data,
        })
    }

    /// Takes the peer's word on what it was told.
    pub(super) fn agreed(
        &mut self,
        identifier: Option<u8>,
        kind: u8,
        data: &[u8],
    ) -> Result<(), Failure> {
        if kind != kind::MSCHAPV2 || identifier.is_some_and(|one| one != self.identifier) {
            return Err(Failure::OutOfTurn);
        }
        let said = mschapv2::Said::parse(data).map_err(|_| Failure::Malformed)?;
        match (std::mem::replace(&mut self.stage, Stage::Over), said) {
            (Stage::Agreeing, mschapv2::Said::Success) | (Stage::Told, mschapv2::Said::Failure) => {
                Ok(())
            }
            _ => Err(Failure::OutOfTurn),
        }
    }

    /// Offers a method that was not offered yet.
    fn offer(&mut self, method: Option<InnerMethod>, name: Vec<u8>) -> Result<Said, Failure> {
        let method = method.ok_or(Failure::NoCommonMethod)?;
        self.methods.retain(|one| *one != method);
        self.identifier = self.next_identifier();
        let (asked, data) = match method {
            InnerMethod::Gtc => (Asked::Token, PROMPT.to_vec()),
            InnerMethod::MsChapV2 => {
                let challenge = mschapv2::Challenge::new(self.identifier)
                    .map_err(|fault| Failure::Tls(fault.to_string()))?;
                (Asked::Challenge(challenge), challenge.request())
            }
        };
        self.stage = Stage::Proof { name, asked };
        Ok(Said::Request(Request {
            identifier: self.identifier,
            kind: method.number(),
            data,
        }))
    }
}
