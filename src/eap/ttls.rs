//! What a TTLS peer says inside its tunnel (RFC 5281 §11): who it is, and its password.

use zeroize::Zeroizing;

use super::avp::{self, Avp, code};
use super::conversation::{Failure, Login};
use crate::authenticator::Evidence;

/// What the peer brings.
pub(super) enum Inside {
    /// A name and a password (PAP, RFC 5281 §11.2.5).
    Login(Login),
    /// An EAP packet (RFC 5281 §11.2.1).
    Eap(Vec<u8>),
}

/// Reads the AVPs of one message.
///
/// # Errors
/// They are malformed, ambiguous, or ask for a method that passwords kept as hashes cannot serve.
pub(super) fn read(plaintext: &[u8]) -> Result<Inside, Failure> {
    let avps = avp::parse(plaintext).map_err(|_| Failure::Malformed)?;
    let mut name = None;
    let mut password = None;
    let mut eap: Option<Vec<u8>> = None;
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
    match (name, password, eap) {
        // A User-Name beside it says nothing: the packet has an identity of its own.
        (_, None, Some(eap)) => Ok(Inside::Eap(eap)),
        (Some(name), Some(password), None) => Ok(Inside::Login(Login::new(
            name,
            Evidence::password(&unpadded(password)),
        ))),
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
    use crate::authenticator::Claim;

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
