//! MS-CHAPv2 inside a tunnel: in EAP, and in TTLS's attributes.

use std::cell::{Cell, RefCell};
use std::io::Write as _;
use std::rc::Rc;

use super::*;
use crate::InnerMethod;
use crate::avp;
use crate::avp::{Avp, code, microsoft};
use crate::fragments::ACKNOWLEDGEMENT;
use doorward_domain::challenge::{ChallengeResponse, MsChapV2Response};
use doorward_fixtures::proofs;

/// What every peer here answers with.
const PEER_CHALLENGE: [u8; 16] = [0x0e; 16];
const RESPONSE: [u8; 24] = [0x1e; 24];
/// The proof of a verdict made for tests, as it is sent.
const EXPECTED: &str = "S=ABABABABABABABABABABABABABABABABABABABAB";

/// What a peer of EAP-MSCHAPv2 says to what follows the type of a request.
fn answer(asked: &[u8]) -> Vec<u8> {
    match asked {
        [1, identifier, ..] => {
            let mut said = vec![2, *identifier, 0, 59, 49];
            said.extend_from_slice(&PEER_CHALLENGE);
            said.extend_from_slice(&[0; 8]);
            said.extend_from_slice(&RESPONSE);
            said.extend_from_slice(b"\0alice");
            said
        }
        [3, ..] => {
            assert!(asked.ends_with(format!("{EXPECTED} M=Welcome").as_bytes()));
            vec![3]
        }
        [4, ..] => vec![4],
        other => panic!("{other:?}"),
    }
}

/// A PEAP peer of EAP-MSCHAPv2 that says this to what it is asked.
fn peap(
    site: &Site,
    version: &'static SupportedProtocolVersion,
    mut says: impl FnMut(&[u8]) -> Vec<u8> + 'static,
) -> Peer {
    Peer::new(
        site.client(version),
        Method::Peap,
        900,
        move |came| match came.as_slice() {
            [] => None,
            [kind::IDENTITY] => Some([&[kind::IDENTITY][..], b"alice"].concat()),
            [kind::GTC, ..] => Some(vec![kind::NAK, kind::MSCHAPV2]),
            [kind::MSCHAPV2, asked @ ..] => Some([&[kind::MSCHAPV2][..], &says(asked)].concat()),
            told => {
                let asked = Packet::parse(told).unwrap();
                assert_eq!(asked.kind, Some(kind::EXTENSIONS));
                let said = packet::response(asked.identifier, kind::EXTENSIONS, asked.data);
                Some(said)
            }
        },
    )
}

/// A TTLS peer of EAP-MSCHAPv2.
fn ttls_eap(site: &Site, version: &'static SupportedProtocolVersion) -> Peer {
    let mut begun = false;
    Peer::new(site.client(version), Method::Ttls, 900, move |came| {
        if came.is_empty() {
            let first = !std::mem::replace(&mut begun, true);
            return first.then(|| in_avp(&packet::response(3, kind::IDENTITY, b"alice")));
        }
        let avps = avp::parse(&came).unwrap();
        let asked = Packet::parse(avps[0].data).unwrap();
        let said = match asked.kind.unwrap() {
            kind::MSCHAPV2 => {
                packet::response(asked.identifier, kind::MSCHAPV2, &answer(asked.data))
            }
            _ => packet::response(asked.identifier, kind::NAK, &[kind::MSCHAPV2]),
        };
        Some(in_avp(&said))
    })
}

/// What a TTLS peer of MS-CHAPv2 says without EAP, to a challenge and under an identifier.
fn attributes(challenge: &[u8], identifier: u8) -> Vec<u8> {
    let mut response = vec![identifier, 0];
    response.extend_from_slice(&PEER_CHALLENGE);
    response.extend_from_slice(&[0; 8]);
    response.extend_from_slice(&RESPONSE);
    let mut bytes = Vec::new();
    for (code, vendor, data) in [
        (code::USER_NAME, None, &b"alice"[..]),
        (microsoft::CHALLENGE, Some(microsoft::VENDOR), challenge),
        (microsoft::RESPONSE, Some(microsoft::VENDOR), &response),
    ] {
        let avp = Avp {
            code,
            vendor,
            mandatory: true,
            data,
        };
        avp::push(&mut bytes, &avp);
    }
    bytes
}

/// A TTLS peer that says nothing by itself, and keeps what it hears.
fn listening(site: &Site, version: &'static SupportedProtocolVersion) -> (Peer, Heard) {
    let heard = Heard::default();
    let ear = Rc::clone(&heard);
    let peer = Peer::new(site.client(version), Method::Ttls, 900, move |came| {
        ear.borrow_mut().extend_from_slice(&came);
        None
    });
    (peer, heard)
}

type Heard = Rc<RefCell<Vec<u8>>>;

/// Lets a TTLS peer say what it makes of the challenge that both ends derive, as soon as its tunnel
/// stands. Gives that challenge too.
fn say_of_implied(
    conversation: &mut Conversation,
    peer: &mut Peer,
    says: impl FnOnce([u8; 17]) -> Vec<u8>,
) -> (Step, [u8; 17]) {
    let mut step = conversation.receive(&identity(), now());
    loop {
        let Step::Send(challenge) = &step else {
            panic!("{step:?}")
        };
        let said = peer.respond(&challenge.packet);
        let packet = Packet::parse(&said).unwrap();
        if !peer.tls.is_handshaking() && packet.data == ACKNOWLEDGEMENT {
            let derived = peer
                .tls
                .export_keying_material([0; 17], b"ttls challenge", None);
            let derived = derived.unwrap();
            peer.tls.writer().write_all(&says(derived)).unwrap();
            let said = packet::response(packet.identifier, kind::TTLS, &peer.say());
            return (conversation.receive(&said, now()), derived);
        }
        step = conversation.receive(&said, now());
    }
}

fn answered(login: Login) -> MsChapV2Response {
    assert_eq!(login.claim, Claim::Typed("alice".to_owned()));
    let Evidence::Response(ChallengeResponse::MsChapV2(response)) = login.evidence else {
        panic!("no response")
    };
    assert_eq!(response.peer_challenge, PEER_CHALLENGE);
    assert_eq!(response.response, RESPONSE);
    assert_eq!(response.name, b"alice");
    response
}

fn by_ms_chap() -> Verdict {
    Verdict::Granted(proofs::prove(proofs::by_ms_chap_v2(grant())))
}

#[test]
fn eap_mschapv2_inside_ttls_and_peap_succeeds_with_the_peer_s_key() {
    for version in VERSIONS {
        let site = Site::new();
        let mut challenges = Vec::new();
        for (mut peer, label) in [
            (ttls_eap(&site, version), &b"ttls keying material"[..]),
            (peap(&site, version, answer), b"client EAP encryption"),
        ] {
            let mut conversation = site.conversation();
            let first = conversation.receive(&identity(), now());
            let (step, _) = talk(&mut conversation, &mut peer, first, 1024);
            challenges.push(answered(asked(step)).authenticator_challenge);
            let step = conversation.answer(Ok(by_ms_chap()));
            let (step, _) = talk(&mut conversation, &mut peer, step, 1024);
            assert_key(&granted(step), &peer, label);
        }
        assert_ne!(
            challenges[0], challenges[1],
            "a challenge is never used twice"
        );
    }
}

#[test]
fn mschapv2_in_ttls_attributes_is_told_the_proof_inside() {
    for version in VERSIONS {
        let site = Site::new();
        let (mut peer, heard) = listening(&site, version);
        let mut conversation = site.conversation();
        let (step, challenge) = say_of_implied(&mut conversation, &mut peer, |challenge| {
            attributes(&challenge[..16], challenge[16])
        });
        let response = answered(asked(step));
        assert_eq!(response.authenticator_challenge, challenge[..16]);
        let step = conversation.answer(Ok(by_ms_chap()));
        let (step, _) = talk(&mut conversation, &mut peer, step, 1024);
        assert_key(&granted(step), &peer, b"ttls keying material");
        let heard = heard.borrow();
        let avps = avp::parse(&heard).unwrap();
        let expected = [&challenge[16..], EXPECTED.as_bytes()].concat();
        let [one] = avps.as_slice() else {
            panic!("{avps:?}")
        };
        assert_eq!(
            (one.code, one.vendor),
            (microsoft::SUCCESS, Some(microsoft::VENDOR))
        );
        assert_eq!(one.data, expected);
    }
}

/// RFC 5281 §11.2.4: a response recorded in another tunnel answers another challenge.
#[test]
fn a_response_to_another_tunnel_s_challenge_ends_it_and_asks_nobody() {
    for version in VERSIONS {
        for change in [0, 15, 16] {
            let site = Site::new();
            let (mut peer, _) = listening(&site, version);
            let mut conversation = site.conversation();
            let (step, _) = say_of_implied(&mut conversation, &mut peer, |mut challenge| {
                challenge[change] ^= 1;
                attributes(&challenge[..16], challenge[16])
            });
            assert_eq!(refused(step).1, Failure::Malformed);
        }
    }
}

#[test]
fn a_response_to_another_challenge_of_eap_ends_it_and_asks_nobody() {
    for version in VERSIONS {
        let site = Site::new();
        let mut peer = peap(&site, version, |asked| {
            let mut said = answer(asked);
            said[1] ^= 1;
            said
        });
        let mut conversation = site.conversation();
        let first = conversation.receive(&identity(), now());
        let (step, _) = talk(&mut conversation, &mut peer, first, 1024);
        assert_eq!(refused(step).1, Failure::OutOfTurn);
    }
}

/// FreeRADIUS CVE-2006-1354: a peer that says "success" in place of its response.
#[test]
fn agreement_said_before_the_response_succeeds_at_nothing() {
    for version in VERSIONS {
        for said in [vec![3], vec![4], vec![3, 1, 0, 4]] {
            let site = Site::new();
            let mut peer = peap(&site, version, move |_| said.clone());
            let mut conversation = site.conversation();
            let first = conversation.receive(&identity(), now());
            let (step, _) = talk(&mut conversation, &mut peer, first, 1024);
            assert_eq!(refused(step).1, Failure::OutOfTurn);
        }
    }
}

/// The peer must agree that the gateway knows the password: one that does not is no peer that was
/// let in.
#[test]
fn a_peer_that_does_not_agree_gets_no_key() {
    for version in VERSIONS {
        for said in [vec![4], answer(&[1, 1]), vec![9]] {
            let site = Site::new();
            let mut peer = peap(&site, version, move |asked| match asked {
                [3, ..] => said.clone(),
                asked => answer(asked),
            });
            let mut conversation = site.conversation();
            let first = conversation.receive(&identity(), now());
            let (step, _) = talk(&mut conversation, &mut peer, first, 1024);
            answered(asked(step));
            let step = conversation.answer(Ok(by_ms_chap()));
            let (step, _) = talk(&mut conversation, &mut peer, step, 1024);
            refused(step);
        }
    }
}

/// CONTRACT.md 5.2, 5.3: one error for everything but what was found after the right response, and
/// the same EAP-Failure whatever the peer says to it.
#[test]
fn a_refused_peer_is_told_inside_and_fails() {
    for version in VERSIONS {
        for (refusal, code) in [
            (Refusal::WrongPassword, "E=691 "),
            (Refusal::UnknownUser, "E=691 "),
            (Refusal::Locked, "E=691 "),
            (Refusal::Suspended, "E=647 "),
        ] {
            for reply in [vec![4], vec![3], Vec::new()] {
                let site = Site::new();
                let agrees = reply == [4];
                let told = Rc::new(Cell::new(false));
                let was_told = Rc::clone(&told);
                let mut peer = peap(&site, version, move |asked| match asked {
                    [4, _, _, _, text @ ..] => {
                        assert!(text.starts_with(code.as_bytes()));
                        was_told.set(true);
                        reply.clone()
                    }
                    asked => answer(asked),
                });
                let mut conversation = site.conversation();
                let first = conversation.receive(&identity(), now());
                let (step, _) = talk(&mut conversation, &mut peer, first, 1024);
                answered(asked(step));
                let step = conversation.answer(Ok(Verdict::Refused(refusal)));
                let (step, _) = talk(&mut conversation, &mut peer, step, 1024);
                let (_, failure) = refused(step);
                assert!(told.get());
                assert_eq!(failure == Failure::Refused, agrees, "{failure}");
            }
        }
    }
    let site = Site::new();
    let mut peer = ttls_eap(&site, VERSIONS[1]);
    let mut conversation = site.conversation();
    let first = conversation.receive(&identity(), now());
    let (step, _) = talk(&mut conversation, &mut peer, first, 1024);
    answered(asked(step));
    let step = conversation.answer(Ok(Verdict::Refused(Refusal::WrongPassword)));
    let (step, _) = talk(&mut conversation, &mut peer, step, 1024);
    assert_eq!(refused(step).1, Failure::Refused);
}

#[test]
fn only_what_is_enabled_is_offered_or_taken() {
    let site = Site::with(|settings| settings.inner = vec![InnerMethod::Gtc]);
    for version in VERSIONS {
        let mut peer = peap(&site, version, answer);
        let mut conversation = site.conversation();
        let first = conversation.receive(&identity(), now());
        let (step, _) = talk(&mut conversation, &mut peer, first, 1024);
        assert_eq!(refused(step).1, Failure::NoCommonMethod);

        let (mut peer, _) = listening(&site, version);
        let mut conversation = site.conversation();
        let (step, _) = say_of_implied(&mut conversation, &mut peer, |challenge| {
            attributes(&challenge[..16], challenge[16])
        });
        assert_eq!(refused(step).1, Failure::NoCommonMethod);
    }
}

/// A peer that wants the password in place of the challenge says so, and is asked for it.
#[test]
fn a_peer_that_wants_the_token_gets_it_after_a_challenge_was_offered() {
    let site = Site::with(|settings| {
        settings.inner = vec![InnerMethod::MsChapV2, InnerMethod::Gtc];
    });
    for version in VERSIONS {
        let offered = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&offered);
        let mut peer = Peer::new(site.client(version), Method::Peap, 900, move |came| {
            let (&kind, _) = came.split_first()?;
            seen.borrow_mut().push(kind);
            Some(match kind {
                kind::IDENTITY => [&[kind::IDENTITY][..], b"alice"].concat(),
                kind::GTC => [&[kind::GTC][..], b"hunter2"].concat(),
                _ => vec![kind::NAK, kind::GTC],
            })
        });
        let mut conversation = site.conversation();
        let first = conversation.receive(&identity(), now());
        let (step, _) = talk(&mut conversation, &mut peer, first, 1024);
        assert!(matches!(asked(step).evidence, Evidence::Password(_)));
        let expected = [kind::IDENTITY, kind::MSCHAPV2, kind::GTC];
        assert_eq!(*offered.borrow(), expected);
    }
}
