//! Devices that are let in by their address alone: the requests of their clients, and the answers.

use super::*;
use crate::accounting::read_class;
use crate::wire::chap_response;
use doorward_domain::device::MacAddress;
use doorward_domain::id::DeviceId;
use doorward_domain::reply::{ReplyAttribute, ReplyAttributes, Vlan};
use doorward_fixtures::proofs;
use doorward_frontend_api::DeviceVerdict;

const NAME: (u8, &[u8]) = (kind::USER_NAME, b"001122aabbcc");
const STATION: (u8, &[u8]) = (kind::CALLING_STATION_ID, b"00-11-22-AA-BB-CC");
const CALL_CHECK: (u8, &[u8]) = (kind::SERVICE_TYPE, &[0, 0, 0, 10]);

fn fixture() -> Fixture {
    Fixture::with(|client| {
        client.resources = Arc::new(ClientResources {
            mab: true,
            ..(*client.resources).clone()
        });
    })
}

fn asked(fixture: &mut Fixture, datagram: &[u8]) -> Box<DeviceQuestion> {
    match fixture.receive(datagram) {
        Step::AskDevice(question) => question,
        other => panic!("{other:?}"),
    }
}

fn by_pap() -> Vec<u8> {
    let password = hidden(b"001122aabbcc");
    sealed(&[
        NAME,
        (kind::USER_PASSWORD, &password),
        CALL_CHECK,
        (kind::CALLED_STATION_ID, b"00-10-A4-23-19-C0:guest"),
        STATION,
        (kind::PROXY_STATE, b"one"),
    ])
}

#[test]
fn a_switch_asks_about_a_device_and_no_account() {
    let mut fixture = fixture();
    let question = asked(&mut fixture, &by_pap());
    let attempt = question.attempt;
    assert_eq!(attempt.address.to_string(), "00-11-22-AA-BB-CC");
    assert!(attempt.client.mab);
    assert_eq!(
        attempt.called_station.as_deref(),
        Some("00-10-A4-23-19-C0:guest")
    );
    assert_eq!(attempt.origin.station.as_deref(), Some("00-11-22-AA-BB-CC"));

    let mut chap = vec![9];
    chap.extend(chap_response(9, NAME.1, &AUTHENTICATOR));
    let by_authenticator = sealed(&[NAME, (kind::CHAP_PASSWORD, &chap), STATION]);
    let mut chap = vec![9];
    chap.extend(chap_response(9, NAME.1, b"a challenge"));
    let by_challenge = sealed(&[
        NAME,
        (kind::CHAP_PASSWORD, &chap),
        (kind::CHAP_CHALLENGE, b"a challenge"),
        STATION,
    ]);
    let without = sealed(&[NAME, CALL_CHECK, STATION]);
    let empty = sealed(&[NAME, (kind::USER_PASSWORD, &hidden(b"")), STATION]);
    for datagram in [by_authenticator, by_challenge, without, empty] {
        let attempt = asked(&mut self::fixture(), &datagram).attempt;
        let address = MacAddress::parse("001122aabbcc").unwrap();
        assert_eq!(attempt.address, address);
    }
}

#[test]
fn an_access_accept_of_a_device_has_its_class_and_its_vlan_and_names_nobody() {
    let mut fixture = fixture();
    let open = asked(&mut fixture, &by_pap()).open;
    let device = DeviceId::new(Timestamp::EPOCH);
    let vlan = Vlan::parse("30").unwrap();
    let reply = ReplyAttributes::new(vec![ReplyAttribute::Vlan(vlan)]);
    let proof = proofs::device(device, "001122aabbcc", "wifi", reply);
    let verdict = Ok(DeviceVerdict::Granted(proof));
    let Step::Reply(reply) = fixture.exchanges.answer_device(open, verdict, now(1).mono) else {
        panic!("no reply")
    };
    let packet = Packet::parse(&reply.bytes).unwrap();
    assert_eq!(packet.code(), Code::AccessAccept);
    assert!(check_reply(&packet, &AUTHENTICATOR, &secret()).is_ok());
    assert_eq!(kinds(&packet)[0], kind::MESSAGE_AUTHENTICATOR);
    assert!(!packet.has(kind::USER_NAME));
    let class = packet.first(kind::CLASS).unwrap();
    let (owner, resource) = read_class(&fixture.client, class).unwrap();
    assert_eq!(
        owner,
        doorward_domain::session::SessionOwner::Device(device)
    );
    assert_eq!(resource, ResourceName::parse("wifi").ok());
    // Tunnel-Type VLAN, Tunnel-Medium-Type IEEE-802, Tunnel-Private-Group-ID (RFC 3580 §3.31).
    assert_eq!(packet.first(64).unwrap()[1..], [0, 0, 13]);
    assert_eq!(packet.first(65).unwrap()[1..], [0, 0, 6]);
    assert!(packet.first(81).unwrap().ends_with(b"30"));
    assert_eq!(packet.first(kind::PROXY_STATE), Some(&b"one"[..]));
}

#[test]
fn a_refused_device_is_refused_as_a_user_is() {
    let mut device = fixture();
    let open = asked(&mut device, &by_pap()).open;
    let verdict = Ok(DeviceVerdict::Refused(Refusal::UnknownDevice));
    let Step::Reply(of_device) = device.exchanges.answer_device(open, verdict, now(1).mono) else {
        panic!("no reply")
    };
    let mut user = Fixture::new();
    let open = user
        .asked(&sealed(&[
            (kind::USER_NAME, b"alice"),
            (kind::USER_PASSWORD, &hidden(b"001122aabbcc")),
            (kind::PROXY_STATE, b"one"),
        ]))
        .open;
    let of_user = user.replied(open, Verdict::Refused(Refusal::WrongPassword));
    assert_eq!(of_device, of_user);
}

#[test]
fn without_a_verdict_nothing_is_said_and_the_retransmission_is_decided() {
    let mut fixture = fixture();
    let open = asked(&mut fixture, &by_pap()).open;
    let step = fixture
        .exchanges
        .answer_device(open, Err(Undecided::Busy), now(1).mono);
    assert!(matches!(step, Step::Drop(DropReason::Busy)));
    asked(&mut fixture, &by_pap());
}

#[test]
fn what_cannot_be_a_devices_request_is_rejected_without_asking() {
    let password = hidden(b"another");
    let other: Attributes<'_> = &[NAME, (kind::USER_PASSWORD, &password), CALL_CHECK, STATION];
    let station: Attributes<'_> = &[
        NAME,
        CALL_CHECK,
        (kind::CALLING_STATION_ID, b"00-11-22-AA-BB-CD"),
    ];
    // An EAP-Response of identity, as a switch sends that does MAB by EAP-MD5.
    let eap: Attributes<'_> = &[
        NAME,
        CALL_CHECK,
        STATION,
        (kind::EAP_MESSAGE, b"\x02\x07\x00\x11\x01001122aabbcc"),
    ];
    for (attributes, expected) in [
        (other, RejectReason::MabMalformed),
        (station, RejectReason::MabMalformed),
        (eap, RejectReason::UnsupportedAuthentication),
    ] {
        match fixture().receive(&sealed(attributes)) {
            Step::Reject(reason, _, reply) => {
                assert_eq!(reason, expected);
                assert_eq!(reply.code, Code::AccessReject);
            }
            other => panic!("{other:?}"),
        }
    }
    let off = Fixture::new().receive(&by_pap());
    assert!(matches!(off, Step::Reject(RejectReason::MabDisabled, ..)));
}

#[test]
fn a_user_of_such_a_client_is_a_user() {
    let mut fixture = fixture();
    let password = hidden(b"pa55 word");
    let login = sealed(&[
        (kind::USER_NAME, b"alice"),
        (kind::USER_PASSWORD, &password),
        STATION,
    ]);
    assert_eq!(
        fixture.asked(&login).attempt.claim,
        Claim::Typed("alice".to_owned())
    );
}
