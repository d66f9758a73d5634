//! EAP inside a tunnel: identity, then Generic Token Card (RFC 3748 §5.6), which carries a password
//! that hashes can be held against. TTLS and PEAP share it; each wraps it in its own way.

use super::conversation::{Failure, Login};
use super::packet::kind;
use crate::authenticator::Evidence;

/// What a peer may show to the user when it asks for the password.
const PROMPT: &[u8] = b"Password: ";

/// A request for the peer inside the tunnel.
pub(super) struct Request {
    /// Its identifier.
    pub(super) identifier: u8,
    /// Its type.
    pub(super) kind: u8,
    /// What follows.
    pub(super) data: &'static [u8],
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
    stage: Stage,
}

enum Stage {
    /// The peer is to say who it is.
    Identity,
    /// This one is to give its password.
    Token { name: Vec<u8> },
    /// It has.
    Over,
}

impl Inner {
    pub(super) fn new() -> Self {
        Self {
            identifier: 0,
            stage: Stage::Identity,
        }
    }

    /// The first request, where the server begins.
    pub(super) fn greeting(&self) -> Request {
        Request {
            identifier: self.identifier,
            kind: kind::IDENTITY,
            data: &[],
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
        match std::mem::replace(&mut self.stage, Stage::Over) {
            // A TTLS peer begins by itself, with an identifier of its own (RFC 5281 §11.2.1).
            Stage::Identity if kind == kind::IDENTITY => {
                self.identifier = identifier.unwrap_or(self.identifier).wrapping_add(1);
                self.stage = Stage::Token {
                    name: data.to_vec(),
                };
                Ok(Said::Request(Request {
                    identifier: self.identifier,
                    kind: kind::GTC,
                    data: PROMPT,
                }))
            }
            Stage::Token { .. } if kind == kind::NAK => Err(Failure::NoCommonMethod),
            Stage::Token { name }
                if kind == kind::GTC && identifier.is_none_or(|one| one == self.identifier) =>
            {
                Ok(Said::Login(Login::new(&name, Evidence::password(data))))
            }
            _ => Err(Failure::OutOfTurn),
        }
    }
}
