//! CHAP (RFC 2865 §2.2) and MS-CHAPv2 (RFC 2548 §2.3) through the server.

use doorward_domain::challenge::ChallengeResponse;
use doorward_domain::refusal::Refusal;
use doorward_frontend_api::Evidence;
use doorward_radius_protocol::wire::{Code, MICROSOFT, Packet, kind, vendor};

use crate::harness::{Running, check, seal};

fn microsoft(number: u8, value: &[u8]) -> Vec<u8> {
    let length = u8::try_from(value.len() + 2).unwrap();
    [&MICROSOFT[..], &[number, length], value].concat()
}

/// An MS-CHAPv2 request whose response is no response to anything.
fn ms_chap(identifier: u8) -> Vec<u8> {
    let challenge = microsoft(vendor::MS_CHAP_CHALLENGE, &[0xcc; 16]);
    let response = microsoft(
        vendor::MS_CHAP2_RESPONSE,
        &[[7].as_slice(), &[0; 49]].concat(),
    );
    let attributes: [(u8, &[u8]); 3] = [
        (kind::USER_NAME, b"alice"),
        (kind::VENDOR_SPECIFIC, &challenge),
        (kind::VENDOR_SPECIFIC, &response),
    ];
    seal(identifier, [identifier; 16], &attributes)
}

fn chap(identifier: u8) -> Vec<u8> {
    let password = [[5].as_slice(), &[0x77; 16]].concat();
    let attributes: [(u8, &[u8]); 2] = [
        (kind::USER_NAME, b"alice"),
        (kind::CHAP_PASSWORD, &password),
    ];
    seal(identifier, [identifier; 16], &attributes)
}

/// CONTRACT 5.2, 5.3: the same octets for every refusal that is found before the response turned
/// out to be right.
#[tokio::test]
async fn every_refusal_before_the_right_response_is_the_same_bytes() {
    let mut replies = Vec::new();
    for refusal in [
        Refusal::UnknownUser,
        Refusal::WrongPassword,
        Refusal::RepeatedWrongPassword,
        Refusal::Locked,
        Refusal::Throttled,
        Refusal::NoResource,
        Refusal::NoNetworkPassword,
        Refusal::NetworkPasswordNotAdmitted,
        Refusal::NetworkPasswordUnreadable,
    ] {
        let mut running = Running::checking_challenges();
        let client = running.client().await;
        client.send(&ms_chap(1)).await;
        running.question().await.refuse(refusal);
        let reply = client.receive().await;
        check(&reply, &[1; 16]);
        replies.push(reply);
    }
    replies.dedup();
    assert_eq!(replies.len(), 1);
    let packet = Packet::parse(&replies[0]).unwrap();
    assert_eq!(packet.code(), Code::AccessReject);
    let told: Vec<_> = vendor::attributes(&packet, MICROSOFT).collect();
    let [(vendor::MS_CHAP_ERROR, Some([7, text @ ..]))] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert!(text.starts_with(b"E=691 R=0 C="));
}

/// RFC 2865 §2.2: without CHAP-Challenge the Request Authenticator is the challenge.
#[tokio::test]
async fn chap_without_a_challenge_is_asked_with_the_request_authenticator() {
    let mut running = Running::checking_challenges();
    let client = running.client().await;
    client.send(&chap(9)).await;
    let question = running.question().await;
    let Evidence::Response(ChallengeResponse::Chap { challenge, .. }) = &question.attempt.evidence
    else {
        panic!("no response")
    };
    assert_eq!(challenge, &[9; 16]);
    question.refuse(Refusal::WrongPassword);
    let reply = client.receive().await;
    check(&reply, &[9; 16]);
    assert_eq!(Packet::parse(&reply).unwrap().attributes().count(), 1);
}

/// RFC 5080 §2.2.2: a response that comes again is decided, and counted, once.
#[tokio::test]
async fn three_retransmissions_of_a_response_cause_one_decision() {
    let mut running = Running::checking_challenges();
    let client = running.client().await;
    for _ in 0..4 {
        client.send(&ms_chap(1)).await;
    }
    client.fence().await;
    running.question().await.refuse(Refusal::WrongPassword);
    let reply = client.receive().await;
    client.send(&ms_chap(1)).await;
    assert_eq!(client.receive().await, reply);
    assert_eq!(running.asked(), 1);
}

#[tokio::test]
async fn where_responses_cannot_be_checked_nobody_is_asked() {
    let running = Running::start();
    let client = running.client().await;
    for request in [ms_chap(1), chap(2)] {
        client.send(&request).await;
        let reply = client.receive().await;
        check(&reply, &[request[1]; 16]);
        let packet = Packet::parse(&reply).unwrap();
        assert_eq!(packet.code(), Code::AccessReject);
        assert_eq!(packet.attributes().count(), 1);
    }
    assert_eq!(running.asked(), 0);
}
