//! CHAP and MS-CHAPv2 in an exchange.

use super::*;
use crate::wire::{MICROSOFT, MppeKey, reveal_mppe_key, vendor};
use doorward_domain::challenge::{ChallengeResponse, MsChapV2Response};
use doorward_frontend_api::verdict::Grant;

/// A Vendor-Specific attribute of Microsoft's.
fn microsoft(number: u8, value: &[u8]) -> Vec<u8> {
    let length = u8::try_from(value.len() + 2).unwrap();
    [&MICROSOFT[..], &[number, length], value].concat()
}

/// An MS-CHAP2-Response whose parts are told apart.
fn response() -> Vec<u8> {
    let mut value = vec![77, 0];
    value.extend_from_slice(&[0x0e; 16]);
    value.extend_from_slice(&[0; 8]);
    value.extend_from_slice(&[0x1e; 24]);
    value
}

fn ms_chap() -> [(u8, Vec<u8>); 3] {
    [
        (kind::USER_NAME, b"EXAMPLE\\alice".to_vec()),
        (
            kind::VENDOR_SPECIFIC,
            microsoft(vendor::MS_CHAP_CHALLENGE, &[0xcc; 16]),
        ),
        (
            kind::VENDOR_SPECIFIC,
            microsoft(vendor::MS_CHAP2_RESPONSE, &response()),
        ),
    ]
}

fn sealed_of(attributes: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let borrowed: Vec<(u8, &[u8])> = attributes
        .iter()
        .map(|(kind, value)| (*kind, value.as_slice()))
        .collect();
    sealed(&borrowed)
}

fn checking() -> Fixture {
    Fixture {
        challenges: true,
        ..Fixture::new()
    }
}

fn rejected(fixture: &mut Fixture, datagram: &[u8]) -> (RejectReason, Vec<u8>) {
    match fixture.receive(datagram) {
        Step::Reject(reason, _, reply) => {
            assert_eq!(reply.code, Code::AccessReject);
            (reason, reply.bytes.to_vec())
        }
        other => panic!("{other:?}"),
    }
}

/// What a reply has of Microsoft's attributes.
fn of_microsoft(reply: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let packet = Packet::parse(reply).unwrap();
    vendor::attributes(&packet, MICROSOFT)
        .map(|(number, value)| (number, value.unwrap().to_vec()))
        .collect()
}

fn grant() -> Grant {
    let account = AccountId::new(Timestamp::EPOCH);
    proofs::grant(account, "alice", Some("wifi"))
}

#[test]
fn chap_is_asked_with_its_challenge_or_the_request_authenticator() {
    let password = [&[5][..], &[0x77; 16]].concat();
    let with = [
        (kind::USER_NAME, b"alice".to_vec()),
        (kind::CHAP_PASSWORD, password.clone()),
        (kind::CHAP_CHALLENGE, vec![0xcc; 9]),
    ];
    for (attributes, expected) in [
        (&with[..], vec![0xcc; 9]),
        (&with[..2], AUTHENTICATOR.to_vec()),
    ] {
        let question = checking().asked(&sealed_of(attributes));
        assert_eq!(question.attempt.claim, Claim::Typed("alice".to_owned()));
        let Evidence::Response(ChallengeResponse::Chap {
            identifier,
            challenge,
            response,
        }) = question.attempt.evidence
        else {
            panic!("no response")
        };
        assert_eq!((identifier, response), (5, [0x77; 16]));
        assert_eq!(challenge, expected);
    }
}

#[test]
fn chap_is_answered_as_a_password_is() {
    let mut fixture = checking();
    let password = [&[5][..], &[0x77; 16]].concat();
    let request = sealed(&[
        (kind::USER_NAME, b"alice"),
        (kind::CHAP_PASSWORD, &password),
    ]);
    let question = fixture.asked(&request);
    let refused = Verdict::Refused(Refusal::Suspended);
    let reply = fixture.replied(question.open, refused);
    assert_eq!(reply.code, Code::AccessReject);
    let packet = Packet::parse(&reply.bytes).unwrap();
    assert_eq!(packet.attributes().count(), 1);
}

#[test]
fn ms_chap_v2_is_asked_with_the_name_as_it_was_typed() {
    let question = checking().asked(&sealed_of(&ms_chap()));
    let name = "EXAMPLE\\alice".to_owned();
    assert_eq!(question.attempt.claim, Claim::Typed(name.clone()));
    let Evidence::Response(ChallengeResponse::MsChapV2(found)) = question.attempt.evidence else {
        panic!("no response")
    };
    let expected = MsChapV2Response {
        authenticator_challenge: [0xcc; 16],
        peer_challenge: [0x0e; 16],
        name: name.into_bytes(),
        response: [0x1e; 24],
    };
    assert_eq!(found, expected);
}

/// RFC 2548 2.3.3, 2.4: what a client and its NAS need of an acceptance.
#[test]
fn an_acceptance_by_ms_chap_v2_has_its_proof_and_its_keys() {
    let mut fixture = checking();
    let question = fixture.asked(&sealed_of(&ms_chap()));
    let granted = Verdict::Granted(proofs::prove(proofs::by_ms_chap_v2(grant())));
    let reply = fixture.replied(question.open, granted);
    assert_eq!(reply.code, Code::AccessAccept);
    let found = of_microsoft(&reply.bytes);
    let value = |number| {
        let mut all = found.iter().filter(|(one, _)| *one == number);
        let value = all.next().unwrap().1.clone();
        assert!(all.next().is_none());
        value
    };
    let success = [&[77][..], b"S=", "AB".repeat(20).as_bytes()].concat();
    assert_eq!(value(vendor::MS_CHAP2_SUCCESS), success);
    assert_eq!(value(vendor::MS_MPPE_ENCRYPTION_POLICY), [0, 0, 0, 1]);
    assert_eq!(value(vendor::MS_MPPE_ENCRYPTION_TYPES), [0, 0, 0, 4]);
    let packet = Packet::parse(&reply.bytes).unwrap();
    let key = |which| {
        packet
            .all(kind::VENDOR_SPECIFIC)
            .find_map(|value| reveal_mppe_key(which, value, &AUTHENTICATOR, &secret()))
            .unwrap()
    };
    assert_eq!(key(MppeKey::Send).as_slice(), &[0x5e; 16]);
    assert_eq!(key(MppeKey::Receive).as_slice(), &[0x4e; 16]);
    let name = packet.first(kind::USER_NAME).unwrap();
    assert_eq!(name, b"alice");
}

/// CONTRACT.md 5.2, 5.3: one error for everything, but for who knows the password.
#[test]
fn a_refusal_by_ms_chap_v2_tells_more_only_after_the_right_response() {
    let told = |refusal| {
        let mut fixture = checking();
        let question = fixture.asked(&sealed_of(&ms_chap()));
        let reply = fixture.replied(question.open, Verdict::Refused(refusal));
        assert_eq!(reply.code, Code::AccessReject);
        let found = of_microsoft(&reply.bytes);
        let [(vendor::MS_CHAP_ERROR, error)] = &found[..] else {
            panic!("{found:?}")
        };
        assert_eq!(error[0], 77);
        let text = String::from_utf8(error[1..].to_vec()).unwrap();
        let challenge = "CC".repeat(16);
        let rest = format!(" R=0 C={challenge} V=3 M=Refused");
        text.strip_suffix(&rest).unwrap().to_owned()
    };
    for refusal in [
        Refusal::WrongPassword,
        Refusal::RepeatedWrongPassword,
        Refusal::UnknownUser,
        Refusal::Locked,
        Refusal::Throttled,
        Refusal::NoNetworkPassword,
        Refusal::NetworkPasswordNotAdmitted,
        Refusal::NetworkPasswordUnreadable,
        Refusal::NoResource,
        Refusal::MalformedName,
    ] {
        assert_eq!(told(refusal), "E=691", "{refusal}");
    }
    assert_eq!(told(Refusal::Suspended), "E=647");
    assert_eq!(told(Refusal::Staged), "E=647");
    for refusal in [Refusal::Expired, Refusal::MustChange, Refusal::NotBound] {
        assert_eq!(told(refusal), "E=649", "{refusal}");
    }
}

/// MS-CHAP of version 1 is broken beyond use; a change of password has nothing to change here.
#[test]
fn what_cannot_be_checked_is_rejected_without_asking() {
    let [name, challenge, right] = ms_chap();
    let of = |number, value: &[u8]| (kind::VENDOR_SPECIFIC, microsoft(number, value));
    let unsupported: Vec<Vec<(u8, Vec<u8>)>> = vec![
        vec![challenge.clone(), of(vendor::MS_CHAP_RESPONSE, &response())],
        vec![
            challenge.clone(),
            right.clone(),
            of(vendor::MS_CHAP_RESPONSE, &response()),
        ],
        vec![
            challenge.clone(),
            right.clone(),
            of(vendor::MS_CHAP2_CPW, &[0; 68]),
        ],
        vec![challenge.clone()],
        vec![right.clone()],
        vec![challenge.clone(), of(vendor::MS_CHAP2_RESPONSE, &[0; 49])],
        vec![challenge.clone(), of(vendor::MS_CHAP2_RESPONSE, &[0; 51])],
        vec![of(vendor::MS_CHAP_CHALLENGE, &[0; 8]), right.clone()],
        vec![(kind::CHAP_PASSWORD, vec![0; 16])],
        vec![(kind::CHAP_PASSWORD, vec![])],
        vec![
            (kind::CHAP_PASSWORD, vec![0; 17]),
            (kind::CHAP_CHALLENGE, vec![0; 4]),
        ],
        vec![
            (kind::CHAP_PASSWORD, vec![0; 17]),
            challenge.clone(),
            right.clone(),
        ],
    ];
    for attributes in unsupported {
        let whole = [vec![name.clone()], attributes].concat();
        let (reason, reply) = rejected(&mut checking(), &sealed_of(&whole));
        assert_eq!(reason, RejectReason::UnsupportedAuthentication, "{whole:?}");
        assert_eq!(of_microsoft(&reply), [], "{whole:?}");
    }
    let twice = [
        name.clone(),
        challenge.clone(),
        challenge.clone(),
        right.clone(),
    ];
    let dropped = checking().dropped(&sealed_of(&twice));
    assert_eq!(dropped, DropReason::RepeatedAttribute);
    let both = [
        name,
        challenge,
        right,
        (kind::USER_PASSWORD, hidden(b"pa55 word")),
    ];
    let (reason, _) = rejected(&mut checking(), &sealed_of(&both));
    assert_eq!(reason, RejectReason::AmbiguousCredentials);
}

#[test]
fn where_network_passwords_are_off_nothing_is_asked() {
    let (reason, _) = rejected(&mut Fixture::new(), &sealed_of(&ms_chap()));
    assert_eq!(reason, RejectReason::UnsupportedAuthentication);
}
