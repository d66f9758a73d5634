//! The same exchange for packets that come on a connection of TLS (RFC 6614, RFC 9765).

use super::*;
use crate::transport::{ConnectionId, SECRET, Version};
use crate::wire::response_authenticator;

fn on(version: Version) -> Fixture {
    let mut fixture = Fixture::new();
    fixture.transport = connection(1, version);
    fixture
}

fn connection(number: u64, version: Version) -> Transport {
    Transport::Tls {
        connection: ConnectionId(number),
        version,
    }
}

fn radsec() -> Secret {
    Secret::new(SECRET.to_vec())
}

/// An Access-Request of RADIUS/1.0 under "radsec".
fn plain_login() -> Draft {
    let hidden = hide_password(b"pa55 word", &AUTHENTICATOR, &radsec()).unwrap();
    draft(&[
        (kind::USER_NAME, b"alice"),
        (kind::USER_PASSWORD, &hidden),
        (kind::PROXY_STATE, b"one"),
    ])
}

/// An Access-Request of RADIUS/1.1.
fn clear_login(token: u8, name: &[u8], more: Attributes<'_>) -> Vec<u8> {
    let mut draft = draft(&[(kind::USER_NAME, name), (kind::USER_PASSWORD, b"pa55 word")]);
    for (kind, value) in more {
        draft.push(*kind, value).unwrap();
    }
    draft.seal_with_token([0, 0, 0, token]).unwrap()
}

fn password(question: &Question) -> &[u8] {
    match &question.attempt.evidence {
        Evidence::Password(password) => password.as_bytes(),
        other => panic!("{other:?}"),
    }
}

/// The same packet without its Message-Authenticator.
fn without_proof(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.drain(20..38);
    let [high, low] = u16::try_from(bytes.len()).unwrap().to_be_bytes();
    bytes[2..4].copy_from_slice(&[high, low]);
    bytes
}

#[test]
fn rfc_6614_2_3_the_secret_of_a_connection_is_radsec() {
    let mut fixture = on(Version::V1_0);
    let request = plain_login()
        .seal_request(&AUTHENTICATOR, &radsec())
        .unwrap();
    let question = fixture.asked(&request);
    assert_eq!(password(&question), b"pa55 word");
    let reply = fixture.replied(question.open, granted());
    let packet = Packet::parse(&reply.bytes).unwrap();
    assert_eq!(kinds(&packet), [80, 1, 25, 33]);
    assert_eq!(
        check_reply(&packet, &AUTHENTICATOR, &radsec()),
        Ok(Presence::Verified)
    );

    let mut fixture = on(Version::V1_0);
    assert_eq!(
        fixture.dropped(&login()),
        DropReason::MessageAuthenticatorWrong,
        "the client's own secret is that of its datagrams"
    );
}

#[test]
fn tls_proves_what_has_no_message_authenticator_but_eap() {
    let mut fixture = on(Version::V1_0);
    let request = plain_login()
        .seal_request(&AUTHENTICATOR, &radsec())
        .unwrap();
    let question = fixture.asked(&without_proof(request));
    assert_eq!(password(&question), b"pa55 word");

    let eap = draft(&[(kind::EAP_MESSAGE, &[2, 1, 0, 5, 1])]);
    let eap = eap.seal_request(&AUTHENTICATOR, &radsec()).unwrap();
    assert_eq!(
        on(Version::V1_0).dropped(&without_proof(eap)),
        DropReason::MessageAuthenticatorMissing
    );
}

#[test]
fn rfc_6614_2_1_a_connection_carries_every_service() {
    let mut fixture = on(Version::V1_0);
    let status = Draft::new(Code::StatusServer, 3)
        .seal_request(&AUTHENTICATOR, &radsec())
        .unwrap();
    let Step::Reply(reply) = fixture.receive(&status) else {
        panic!("no reply")
    };
    assert_eq!(reply.code, Code::AccessAccept);

    let mut report = Draft::new(Code::AccountingRequest, 4);
    report.push(kind::ACCT_STATUS_TYPE, &[0, 0, 0, 1]).unwrap();
    report.push(kind::ACCT_SESSION_ID, b"0000001A").unwrap();
    let signed = report.seal_signed(&radsec()).unwrap();
    assert!(matches!(fixture.receive(&signed), Step::Record(_)));
    let foreign = report.seal_signed(&secret()).unwrap();
    assert_eq!(fixture.dropped(&foreign), DropReason::AccountingWrong);

    let mut fixture = on(Version::V1_1);
    let clear = report.seal_with_token([0, 0, 0, 9]).unwrap();
    let Step::Record(recording) = fixture.receive(&clear) else {
        panic!("not recorded")
    };
    let step = fixture
        .exchanges
        .recorded(recording.open, Ok(()), now(1).mono);
    let Step::Reply(reply) = step else {
        panic!("no reply")
    };
    assert_eq!(
        reply.bytes[..],
        [[5, 0, 0, 20, 0, 0, 0, 9], [0; 8], [0; 8]].concat()[..20]
    );
    let clear = Draft::new(Code::StatusServer, 0)
        .seal_with_token([0, 0, 0, 10])
        .unwrap();
    assert!(matches!(fixture.receive(&clear), Step::Reply(_)));
}

#[test]
fn rfc_6614_2_5_what_is_not_served_is_refused_by_name() {
    for (request, refusal) in [
        (Code::DisconnectRequest, Code::DisconnectNAK),
        (Code::CoARequest, Code::CoANAK),
    ] {
        let mut fixture = on(Version::V1_0);
        let bytes = Draft::new(request, 7).seal_signed(&radsec()).unwrap();
        let Step::Reply(reply) = fixture.receive(&bytes) else {
            panic!("no reply")
        };
        let packet = Packet::parse(&reply.bytes).unwrap();
        assert_eq!(packet.code(), refusal);
        assert_eq!(packet.first(kind::ERROR_CAUSE), Some(&[0, 0, 1, 150][..]));
        let asked = response_authenticator(&bytes, &[0; 16], &radsec());
        assert!(check_reply(&packet, &asked, &radsec()).is_ok());

        let forged = Draft::new(request, 7).seal_signed(&secret()).unwrap();
        assert_eq!(
            fixture.dropped(&forged),
            DropReason::MessageAuthenticatorWrong
        );
        let mut datagrams = Fixture::new();
        assert_eq!(datagrams.dropped(&forged), DropReason::UnexpectedCode);
    }
    let accept = Draft::new(Code::AccessAccept, 7);
    let accept = accept.seal_request(&AUTHENTICATOR, &radsec()).unwrap();
    assert_eq!(
        on(Version::V1_0).dropped(&accept),
        DropReason::UnexpectedCode
    );
}

#[test]
fn rfc_9765_a_login_in_the_clear_is_answered_by_its_token() {
    let mut fixture = on(Version::V1_1);
    // RFC 9765 §5.2: a Message-Authenticator, right or wrong, says nothing.
    let more: Attributes<'_> = &[
        (kind::MESSAGE_AUTHENTICATOR, b"nonsense"),
        (kind::PROXY_STATE, b"one"),
    ];
    let question = fixture.asked(&clear_login(3, b"alice", more));
    assert_eq!(password(&question), b"pa55 word");
    assert_eq!(question.attempt.claim, Claim::Typed("alice".to_owned()));
    let reply = fixture.replied(question.open, granted());
    assert_eq!(reply.bytes[..2], [2, 0]);
    assert_eq!(reply.bytes[4..20], [&[0, 0, 0, 3][..], &[0; 12]].concat());
    let packet = Packet::parse(&reply.bytes).unwrap();
    assert_eq!(kinds(&packet), [1, 25, 33]);

    let empty = draft(&[(kind::USER_NAME, b"alice"), (kind::USER_PASSWORD, b"")]);
    assert_eq!(
        fixture.dropped(&empty.seal_with_token([1; 4]).unwrap()),
        DropReason::MalformedPassword
    );
}

#[test]
fn a_token_that_is_used_again_gets_no_other_request_s_answer() {
    let mut fixture = on(Version::V1_1);
    let first = clear_login(3, b"alice", &[]);
    let question = fixture.asked(&first);
    assert_eq!(fixture.dropped(&first), DropReason::DuplicateInFlight);
    let reply = fixture.replied(question.open, granted());
    assert!(matches!(fixture.receive(&first), Step::Resend(bytes) if bytes == reply.bytes));

    let question = fixture.asked(&clear_login(3, b"mallory", &[]));
    assert_eq!(question.attempt.claim, Claim::Typed("mallory".to_owned()));
}

#[test]
fn connections_share_no_names_with_each_other_or_with_datagrams() {
    let mut fixture = on(Version::V1_0);
    let request = plain_login()
        .seal_request(&AUTHENTICATOR, &radsec())
        .unwrap();
    let _first = fixture.asked(&request);
    fixture.transport = connection(2, Version::V1_0);
    let _second = fixture.asked(&request);
    fixture.transport = Transport::Datagram(Service::Authentication);
    let _third = fixture.asked(&login());
}
