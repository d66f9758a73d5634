//! Network passwords: made here, sealed at rest, and held against the responses of CHAP and
//! MS-CHAPv2, which no password hash can serve (CONTRACT.md 6).
//!
//! Knows neither accounts' rules nor clocks nor stores: who may try, and what came of it, is the
//! authenticator's.

mod chap;
mod generation;
mod ms_chap_v2;
mod sealing;

use doorward_domain::challenge::ChallengeResponse;

pub use generation::{NetworkPassword, NoRandomness};
pub use ms_chap_v2::{MsChapV2Failure, MsChapV2Success};
pub use sealing::{SealingKey, Unreadable, WrongKeyLength};

/// A response that was computed from the right network password.
#[derive(Debug)]
pub struct Verified {
    /// What the peer is to be shown in return, where it came by MS-CHAPv2.
    pub ms_chap_v2: Option<MsChapV2Success>,
}

/// Holds a response against a network password, in the same time for every wrong one.
pub fn verify(password: &NetworkPassword, response: &ChallengeResponse) -> Option<Verified> {
    match response {
        ChallengeResponse::Chap {
            identifier,
            challenge,
            response,
        } => chap::verify(password, *identifier, challenge, response)
            .then_some(Verified { ms_chap_v2: None }),
        ChallengeResponse::MsChapV2(response) => {
            ms_chap_v2::verify(password, response).map(|success| Verified {
                ms_chap_v2: Some(success),
            })
        }
    }
}
