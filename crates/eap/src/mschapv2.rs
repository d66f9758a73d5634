//! EAP-MSCHAPv2 (draft-kamath-pppext-eap-mschapv2, MS-CHAP): MS-CHAPv2's packets behind a type of
//! EAP. It is spoken inside a tunnel alone.
//!
//! Must not know the password, nor what a response is computed of.

use doorward_domain::challenge::MsChapV2Response;

/// Octets before the value: what it is, identifier, length.
const HEADER: usize = 4;
/// Octets of a challenge.
const CHALLENGE: usize = 16;
/// Octets of a response: peer challenge, eight that are reserved, NT-Response, flags.
const RESPONSE: usize = 49;
/// The longest name taken, in octets: no account has one near it.
const MAX_NAME: usize = 256;
/// What the gateway calls itself.
const NAME: &[u8] = b"doorward";

/// What a packet is.
mod code {
    pub(super) const CHALLENGE: u8 = 1;
    pub(super) const RESPONSE: u8 = 2;
    pub(super) const SUCCESS: u8 = 3;
    pub(super) const FAILURE: u8 = 4;
}

/// What a peer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Its response to our challenge.
    Response {
        /// The identifier of the challenge.
        identifier: u8,
        /// The challenge that it made.
        peer_challenge: [u8; 16],
        /// NT-Response.
        response: [u8; 24],
        /// The name it answers under.
        name: Vec<u8>,
    },
    /// It has seen that the gateway knows the password too.
    Success,
    /// It has seen that it was refused.
    Failure,
}

/// Why octets are no packet of a peer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no packet of EAP-MSCHAPv2 that a peer sends")]
pub struct Malformed;

impl Said {
    /// Reads what follows the type in a response.
    ///
    /// # Errors
    /// A length that cannot be, or something that no peer says.
    pub fn parse(data: &[u8]) -> Result<Self, Malformed> {
        match data {
            // A peer that agrees or gives up says no more than that; what follows is ignored.
            [code::SUCCESS, ..] => Ok(Self::Success),
            [code::FAILURE, ..] => Ok(Self::Failure),
            [code::RESPONSE, identifier, high, low, value @ ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                if length != data.len() {
                    return Err(Malformed);
                }
                Self::response(*identifier, value).ok_or(Malformed)
            }
            _ => Err(Malformed),
        }
    }

    fn response(identifier: u8, value: &[u8]) -> Option<Self> {
        let (&size, value) = value.split_first()?;
        if usize::from(size) != RESPONSE {
            return None;
        }
        let (value, name) = value.split_at_checked(RESPONSE)?;
        let (&peer_challenge, rest) = value.split_first_chunk::<CHALLENGE>()?;
        let (_reserved, rest) = rest.split_first_chunk::<8>()?;
        let (&response, _flags) = rest.split_first_chunk::<24>()?;
        (name.len() <= MAX_NAME).then(|| Self::Response {
            identifier,
            peer_challenge,
            response,
            name: name.to_vec(),
        })
    }
}

/// A challenge that was sent, and waits for its response.
#[derive(Clone, Copy)]
pub(super) struct Challenge {
    pub(super) identifier: u8,
    pub(super) challenge: [u8; CHALLENGE],
}

impl Challenge {
    /// A random one.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub(super) fn new(identifier: u8) -> Result<Self, getrandom::Error> {
        let mut challenge = [0; CHALLENGE];
        getrandom::fill(&mut challenge)?;
        Ok(Self {
            identifier,
            challenge,
        })
    }

    /// What follows the type in the request that asks.
    pub(super) fn request(&self) -> Vec<u8> {
        let value = [&[16][..], &self.challenge, NAME].concat();
        self.packet(code::CHALLENGE, &value)
    }

    /// What the peer's answer is to be verified as; nothing where it answers another challenge.
    pub(super) fn answered(&self, said: Said) -> Option<MsChapV2Response> {
        match said {
            Said::Response {
                identifier,
                peer_challenge,
                response,
                name,
            } if identifier == self.identifier => Some(MsChapV2Response {
                authenticator_challenge: self.challenge,
                peer_challenge,
                name,
                response,
            }),
            Said::Response { .. } | Said::Success | Said::Failure => None,
        }
    }

    /// What follows the type in the request that tells of success, by what proves that the gateway
    /// knows the password.
    pub(super) fn success(&self, authenticator_response: &str) -> Vec<u8> {
        let text = format!("{authenticator_response} M=Welcome");
        self.packet(code::SUCCESS, text.as_bytes())
    }

    /// What follows the type in the request that tells of failure.
    pub(super) fn failure(&self, text: &str) -> Vec<u8> {
        self.packet(code::FAILURE, text.as_bytes())
    }

    fn packet(&self, code: u8, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(HEADER + value.len()).unwrap_or(u16::MAX);
        let [high, low] = length.to_be_bytes();
        [&[code, self.identifier, high, low], value].concat()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn response(identifier: u8, name: &[u8]) -> Vec<u8> {
        let length = u16::try_from(54 + name.len()).unwrap().to_be_bytes();
        let mut data = vec![2, identifier, length[0], length[1], 49];
        data.extend_from_slice(&[0x0e; 16]);
        data.extend_from_slice(&[0; 8]);
        data.extend_from_slice(&[0x1e; 24]);
        data.push(0);
        data.extend_from_slice(name);
        data
    }

    #[test]
    fn a_response_is_read_by_its_parts() {
        let said = Said::parse(&response(9, b"alice")).unwrap();
        let challenge = Challenge {
            identifier: 9,
            challenge: [0xcc; 16],
        };
        let answered = challenge.answered(said.clone()).unwrap();
        assert_eq!(answered.authenticator_challenge, [0xcc; 16]);
        assert_eq!(answered.peer_challenge, [0x0e; 16]);
        assert_eq!(answered.response, [0x1e; 24]);
        assert_eq!(answered.name, b"alice");
        let other = Challenge {
            identifier: 8,
            ..challenge
        };
        assert!(other.answered(said).is_none());
        assert!(challenge.answered(Said::Success).is_none());
    }

    #[test]
    fn impossible_lengths_and_what_no_peer_says_are_refused() {
        let right = response(9, b"alice");
        let change = |at: usize, to: u8| {
            let mut changed = right.clone();
            changed[at] = to;
            changed
        };
        for wrong in [
            Vec::new(),
            vec![2],
            vec![2, 9, 0, 4],
            change(0, 1),
            change(0, 7),
            change(3, 58),
            change(3, 60),
            change(4, 48),
            change(4, 50),
            right[..58].to_vec(),
            response(9, b"")[..53].to_vec(),
            response(9, &[b'a'; 257]),
        ] {
            assert_eq!(Said::parse(&wrong), Err(Malformed), "{wrong:?}");
        }
        assert_eq!(Said::parse(&[3]), Ok(Said::Success));
        assert_eq!(Said::parse(&[4]), Ok(Said::Failure));
    }

    #[test]
    fn what_we_say_has_the_octets_that_peers_expect() {
        let challenge = Challenge {
            identifier: 9,
            challenge: [0xcc; 16],
        };
        let asked = challenge.request();
        assert_eq!(asked[..5], [1, 9, 0, 29, 16]);
        assert_eq!(asked[5..21], [0xcc; 16]);
        assert_eq!(&asked[21..], b"doorward");
        let told = challenge.success("S=00");
        assert_eq!(told, b"\x03\x09\x00\x12S=00 M=Welcome");
        let told = challenge.failure("E=691 R=0");
        assert_eq!(told, b"\x04\x09\x00\x0dE=691 R=0");
    }

    #[test]
    fn no_two_challenges_are_alike() {
        let [one, other] = [(); 2].map(|()| Challenge::new(1).unwrap().challenge);
        assert_ne!(one, other);
    }

    proptest! {
        #[test]
        fn any_octets_are_read_or_refused(data in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Said::parse(&data);
        }

        #[test]
        fn every_name_is_read_whole(name in prop::collection::vec(any::<u8>(), 0..=256)) {
            let Ok(Said::Response { name: read, .. }) = Said::parse(&response(1, &name)) else {
                panic!("refused")
            };
            prop_assert_eq!(read, name);
        }
    }
}
