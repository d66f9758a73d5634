//! What a TTLS peer says inside its tunnel (RFC 5281 §11): who it is, and its password.

use zeroize::Zeroizing;

use super::avp::{self, Avp, code, microsoft};
use super::conversation::{Failure, Login};
use super::tunnel::ImpliedChallenge;
use doorward_domain::challenge::{ChallengeResponse, MsChapV2Response};
use doorward_frontend_api::{Evidence, MsChapV2Success};

/// What the peer brings.
pub(super) enum Inside {
    /// A name and a password (PAP, RFC 5281 §11.2.5).
    Login(Login),
    /// An EAP packet (RFC 5281 §11.2.1).
    Eap(Vec<u8>),
    /// A name and a response of MS-CHAPv2 (RFC 5281 §11.2.4).
    MsChapV2(Answer),
}

/// A response to the challenge that both ends derive, as the peer says it.
pub(super) struct Answer {
    name: Vec<u8>,
    claimed: ImpliedChallenge,
    peer_challenge: [u8; 16],
    response: [u8; 24],
}

impl Answer {
    fn read(name: &[u8], challenge: &[u8], response: &[u8]) -> Option<Self> {
        let challenge = challenge.try_into().ok()?;
        let response: &[u8; 50] = response.try_into().ok()?;
        let (&[identifier, _flags], rest) = response.split_first_chunk::<2>()?;
        let (&peer_challenge, rest) = rest.split_first_chunk::<16>()?;
        let (_reserved, response) = rest.split_first_chunk::<8>()?;
        Some(Self {
            name: name.to_vec(),
            claimed: ImpliedChallenge {
                challenge,
                identifier,
            },
            peer_challenge,
            response: response.try_into().ok()?,
        })
    }

    /// What is to be verified: the response to this very tunnel's challenge, and to no other.
    ///
    /// # Errors
    /// The peer answered another.
    pub(super) fn login(self, implied: &ImpliedChallenge) -> Result<Login, Failure> {
        if self.claimed != *implied {
            return Err(Failure::Malformed);
        }
        let response = MsChapV2Response {
            authenticator_challenge: implied.challenge,
            peer_challenge: self.peer_challenge,
            name: self.name.clone(),
            response: self.response,
        };
        let evidence = Evidence::Response(ChallengeResponse::MsChapV2(response));
        Ok(Login::new(&self.name, evidence))
    }
}

/// Reads the AVPs of one message.
///
/// # Errors
/// They are malformed, ambiguous, or ask for a method that is served by nothing here.
pub(super) fn read(plaintext: &[u8]) -> Result<Inside, Failure> {
    let avps = avp::parse(plaintext).map_err(|_| Failure::Malformed)?;
    let mut name = None;
    let mut password = None;
    let mut eap: Option<Vec<u8>> = None;
    let (mut challenge, mut response) = (None, None);
    for Avp {
        code,
        vendor,
        mandatory,
        data,
    } in avps
    {
        let slot = match (vendor, code) {
            (None, code::USER_NAME) => &mut name,
            (None, code::USER_PASSWORD) => &mut password,
            (Some(microsoft::VENDOR), microsoft::CHALLENGE) => &mut challenge,
            (Some(microsoft::VENDOR), microsoft::RESPONSE) => &mut response,
            (None, code::EAP_MESSAGE) => {
                eap.get_or_insert_default().extend_from_slice(data);
                continue;
            }
            // RFC 5281 §10.1: an unknown mandatory AVP ends the conversation.
            _ if mandatory => return Err(Failure::NoCommonMethod),
            _ => continue,
        };
        if slot.replace(data).is_some() {
            return Err(Failure::Malformed);
        }
    }
    let answer = challenge.zip(response);
    if answer.is_none() && (challenge.is_some() || response.is_some()) {
        return Err(Failure::Malformed);
    }
    match (name, password, eap, answer) {
        // A User-Name beside it says nothing: the packet has an identity of its own.
        (_, None, Some(eap), None) => Ok(Inside::Eap(eap)),
        (Some(name), Some(password), None, None) => Ok(Inside::Login(Login::new(
            name,
            Evidence::password(&unpadded(password)),
        ))),
        (Some(name), None, None, Some((challenge, response))) => {
            Answer::read(name, challenge, response)
                .map(Inside::MsChapV2)
                .ok_or(Failure::Malformed)
        }
        _ => Err(Failure::NoCommonMethod),
    }
}

/// Wraps a packet for the peer.
pub(super) fn wrap(packet: &[u8]) -> Vec<u8> {
    let mut plaintext = Vec::with_capacity(packet.len() + 12);
    let avp = Avp {
        code: code::EAP_MESSAGE,
        vendor: None,
        mandatory: true,
        data: packet,
    };
    avp::push(&mut plaintext, &avp);
    plaintext
}

/// What tells a peer of MS-CHAPv2 that it got in, and proves that the gateway knows the password
/// too.
pub(super) fn success(implied: &ImpliedChallenge, success: &MsChapV2Success) -> Vec<u8> {
    let text = success.authenticator_response();
    let data = [&[implied.identifier][..], text.as_bytes()].concat();
    let mut plaintext = Vec::with_capacity(data.len() + 16);
    let avp = Avp {
        code: microsoft::SUCCESS,
        vendor: Some(microsoft::VENDOR),
        mandatory: true,
        data: &data,
    };
    avp::push(&mut plaintext, &avp);
    plaintext
}

/// The password without the NULs that hide its length (RFC 5281 §11.2.5).
fn unpadded(padded: &[u8]) -> Zeroizing<Vec<u8>> {
    let end = padded
        .iter()
        .rposition(|&octet| octet != 0)
        .map_or(0, |last| last + 1);
    Zeroizing::new(padded.get(..end).unwrap_or_default().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use doorward_frontend_api::Claim;

    fn written(list: &[(u32, Option<u32>, bool, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (code, vendor, mandatory, data) in list {
            let avp = Avp {
                code: *code,
                vendor: *vendor,
                mandatory: *mandatory,
                data,
            };
            avp::push(&mut bytes, &avp);
        }
        bytes
    }

    #[test]
    fn a_name_and_a_padded_password_are_a_login() {
        let bytes = written(&[
            (code::USER_NAME, None, true, b"alice"),
            (4000, None, false, b"unknown and not mandatory"),
            (code::USER_PASSWORD, None, true, b"correct horse\0\0\0"),
        ]);
        let Ok(Inside::Login(login)) = read(&bytes) else {
            panic!("no login")
        };
        assert_eq!(login.claim, Claim::Typed("alice".to_owned()));
        let Evidence::Password(password) = login.evidence else {
            panic!("no password")
        };
        assert_eq!(password.as_bytes(), b"correct horse");
    }

    #[test]
    fn what_is_ambiguous_or_not_understood_is_refused() {
        let name: (u32, Option<u32>, bool, &[u8]) = (code::USER_NAME, None, true, b"alice");
        let password: (u32, Option<u32>, bool, &[u8]) = (code::USER_PASSWORD, None, true, b"x");
        for list in [
            vec![name],
            vec![password],
            vec![],
            vec![name, password, (4000, None, true, b"")],
            vec![name, password, (code::USER_PASSWORD, Some(311), true, b"")],
            vec![name, (code::CHAP_PASSWORD, None, true, b"")],
            vec![name, password, (code::EAP_MESSAGE, None, true, b"")],
        ] {
            let refused = read(&written(&list));
            assert!(matches!(refused, Err(Failure::NoCommonMethod)), "{list:?}");
        }
        for list in [vec![name, name, password], vec![name, password, password]] {
            assert!(matches!(read(&written(&list)), Err(Failure::Malformed)));
        }
        assert!(matches!(read(b"short"), Err(Failure::Malformed)));
    }
}
