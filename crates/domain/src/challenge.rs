//! Answers to challenges: what CHAP and MS-CHAPv2 bring in place of a password.

use std::fmt;

/// A response to a challenge. Whoever sees the two can guess at the password, so neither is shown.
#[derive(Clone, PartialEq, Eq)]
pub enum ChallengeResponse {
    /// CHAP (RFC 1994): MD5 of the identifier, the password and the challenge.
    Chap {
        /// The identifier of the challenge.
        identifier: u8,
        /// The challenge.
        challenge: Vec<u8>,
        /// What was answered.
        response: [u8; 16],
    },
    /// MS-CHAPv2 (RFC 2759).
    MsChapV2(MsChapV2Response),
}

/// What a peer answers in MS-CHAPv2 (RFC 2759 4).
#[derive(Clone, PartialEq, Eq)]
pub struct MsChapV2Response {
    /// The challenge that the peer was given.
    pub authenticator_challenge: [u8; 16],
    /// The challenge that the peer made.
    pub peer_challenge: [u8; 16],
    /// The name that the peer answered under, as it was sent. What stands before a backslash is no
    /// part of what was computed (RFC 2759 4).
    pub name: Vec<u8>,
    /// NT-Response.
    pub response: [u8; 24],
}

impl ChallengeResponse {
    /// Every part of it, for a digest by which the same response is known again.
    pub fn parts(&self) -> Vec<&[u8]> {
        match self {
            Self::Chap {
                identifier,
                challenge,
                response,
            } => vec![
                b"chap",
                std::slice::from_ref(identifier),
                challenge,
                response,
            ],
            Self::MsChapV2(MsChapV2Response {
                authenticator_challenge,
                peer_challenge,
                name,
                response,
            }) => vec![
                b"ms-chap-v2",
                authenticator_challenge,
                peer_challenge,
                name,
                response,
            ],
        }
    }
}

impl fmt::Debug for ChallengeResponse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Chap { .. } => "Chap(…)",
            Self::MsChapV2(_) => "MsChapV2(…)",
        })
    }
}

impl fmt::Debug for MsChapV2Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MsChapV2Response(…)")
    }
}
