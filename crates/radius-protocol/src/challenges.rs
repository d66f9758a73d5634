//! CHAP and MS-CHAPv2 in RADIUS's own attributes (RFC 2865 5.3, 5.40; RFC 2548 2): what is read of
//! a request, and what its reply says to whoever spoke MS-CHAPv2.
//!
//! Must not know which password is right, nor what a response is computed of.

use super::reason::DropReason;
use super::request::only;
use super::wire::{
    Authenticator, Draft, Keys, MICROSOFT, MppeKey, Oversized, Packet, kind, vendor,
};
use doorward_domain::challenge::{ChallengeResponse, MsChapV2Response};
use doorward_frontend_api::{MsChapV2Failure, MsChapV2Success, Refusal};

/// Octets of an MS-CHAP2-Response: identifier, flags, peer challenge, eight that are reserved, and
/// the response.
const MS_CHAP2_RESPONSE: usize = 50;
/// The shortest CHAP-Challenge (RFC 2865 5.40).
const MIN_CHALLENGE: usize = 5;

/// What a request brings of these methods.
pub(super) enum Challenged {
    /// Nothing.
    No,
    /// Something that cannot be checked: MS-CHAP of version 1, a change of password, or attributes
    /// of an impossible shape.
    Unsupported,
    /// A response.
    Response {
        /// The response.
        response: ChallengeResponse,
        /// What a reply must repeat, where it came by MS-CHAPv2.
        ms_chap: Option<MsChapAsked>,
    },
}

/// What a reply to MS-CHAPv2 repeats of its request.
#[derive(Clone)]
pub struct MsChapAsked {
    identifier: u8,
    challenge: [u8; 16],
}

/// Reads them. What the user calls itself goes into what MS-CHAPv2 computes.
///
/// # Errors
/// One of the attributes is there twice.
pub(super) fn read(
    packet: &Packet<'_>,
    keys: &Keys,
    user_name: &[u8],
) -> Result<Challenged, DropReason> {
    let chap = only(packet, kind::CHAP_PASSWORD)?;
    let ms_chap = MsChap::of(packet)?;
    Ok(match (chap, ms_chap.is_there()) {
        (None, false) => Challenged::No,
        (Some(value), false) => chap_response(packet, keys, value)?,
        (None, true) => ms_chap
            .response(user_name)
            .unwrap_or(Challenged::Unsupported),
        (Some(_), true) => Challenged::Unsupported,
    })
}

fn chap_response(packet: &Packet<'_>, keys: &Keys, value: &[u8]) -> Result<Challenged, DropReason> {
    let challenge = match only(packet, kind::CHAP_CHALLENGE)? {
        Some(challenge) => Some(challenge).filter(|one| one.len() >= MIN_CHALLENGE),
        None => keys.implied_challenge(packet).map(|one| &one[..]),
    };
    let (Some(challenge), Some((&identifier, response))) = (challenge, value.split_first()) else {
        return Ok(Challenged::Unsupported);
    };
    Ok(match response.try_into() {
        Ok(response) => Challenged::Response {
            response: ChallengeResponse::Chap {
                identifier,
                challenge: challenge.to_vec(),
                response,
            },
            ms_chap: None,
        },
        Err(_) => Challenged::Unsupported,
    })
}

/// The attributes of MS-CHAP that a request has.
#[derive(Default)]
struct MsChap<'a> {
    challenge: Option<&'a [u8]>,
    response: Option<&'a [u8]>,
    /// Another version, a change of password, or one of an impossible length.
    other: bool,
}

impl<'a> MsChap<'a> {
    fn of(packet: &Packet<'a>) -> Result<Self, DropReason> {
        let mut this = Self::default();
        for (number, value) in vendor::attributes(packet, MICROSOFT) {
            let slot = match number {
                vendor::MS_CHAP_CHALLENGE => &mut this.challenge,
                vendor::MS_CHAP2_RESPONSE => &mut this.response,
                vendor::MS_CHAP_RESPONSE
                | vendor::MS_CHAP_CPW_1
                | vendor::MS_CHAP_CPW_2
                | vendor::MS_CHAP2_CPW => {
                    this.other = true;
                    continue;
                }
                _ => continue,
            };
            let Some(value) = value else {
                this.other = true;
                continue;
            };
            if slot.replace(value).is_some() {
                return Err(DropReason::RepeatedAttribute);
            }
        }
        Ok(this)
    }

    fn is_there(&self) -> bool {
        self.other || self.challenge.is_some() || self.response.is_some()
    }

    fn response(&self, user_name: &[u8]) -> Option<Challenged> {
        if self.other {
            return None;
        }
        let challenge = self.challenge?.try_into().ok()?;
        let whole: &[u8; MS_CHAP2_RESPONSE] = self.response?.try_into().ok()?;
        let (&[identifier, _flags], rest) = whole.split_first_chunk::<2>()?;
        let (&peer_challenge, rest) = rest.split_first_chunk::<16>()?;
        let (_reserved, response) = rest.split_at_checked(8)?;
        Some(Challenged::Response {
            response: ChallengeResponse::MsChapV2(MsChapV2Response {
                authenticator_challenge: challenge,
                peer_challenge,
                name: user_name.to_vec(),
                response: response.try_into().ok()?,
            }),
            ms_chap: Some(MsChapAsked {
                identifier,
                challenge,
            }),
        })
    }
}

impl MsChapAsked {
    /// Appends what an acceptance by MS-CHAPv2 carries: the proof that the gateway knows the
    /// password too, and the keys that a NAS may encrypt under (RFC 2548 2.3.3, 2.4). `salt` is
    /// random.
    ///
    /// # Errors
    /// Where the packet would pass 4096 octets.
    pub(super) fn push_success(
        &self,
        draft: &mut Draft,
        success: &MsChapV2Success,
        (keys, request, salt): (&Keys, &Authenticator, u16),
    ) -> Result<(), Oversized> {
        let text = success.authenticator_response();
        let proof = [&[self.identifier][..], text.as_bytes()].concat();
        draft.push_vendor(MICROSOFT, vendor::MS_CHAP2_SUCCESS, &proof)?;
        for (which, key, salt) in [
            (MppeKey::Receive, success.receive_key(), salt),
            (MppeKey::Send, success.send_key(), salt ^ 1),
        ] {
            let value = keys.mppe_key(which, key, salt, request);
            draft.push(kind::VENDOR_SPECIFIC, &value)?;
        }
        // Encryption is allowed, with keys of 128 bits alone: shorter ones protect nothing.
        let (allowed, of_128_bits) = (1_u32.to_be_bytes(), 4_u32.to_be_bytes());
        draft.push_vendor(MICROSOFT, vendor::MS_MPPE_ENCRYPTION_POLICY, &allowed)?;
        draft.push_vendor(MICROSOFT, vendor::MS_MPPE_ENCRYPTION_TYPES, &of_128_bits)
    }

    /// Appends what a refusal of MS-CHAPv2 carries (RFC 2548 2.1.5): that it failed, and more only
    /// where the response was right.
    ///
    /// # Errors
    /// Where the packet would pass 4096 octets.
    pub(super) fn push_failure(
        &self,
        draft: &mut Draft,
        refusal: Refusal,
    ) -> Result<(), Oversized> {
        let text = MsChapV2Failure::of(refusal).text(&self.challenge);
        let error = [&[self.identifier][..], text.as_bytes()].concat();
        draft.push_vendor(MICROSOFT, vendor::MS_CHAP_ERROR, &error)
    }
}
