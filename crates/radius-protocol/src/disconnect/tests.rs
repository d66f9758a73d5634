use proptest::prelude::*;

use super::*;
use crate::wire::{Presence, check_signed};
use doorward_domain::id::SessionId;
use doorward_domain::name::ClientName;
use doorward_domain::reply::{ReplyAttribute, ReplyAttributes, Vlan};
use doorward_domain::session::{Particulars, Usage};
use doorward_domain::time::Timestamp;
use doorward_frontend_api::coa::CoaCause;

fn secret() -> Secret {
    Secret::new(b"a secret that is long enough".to_vec())
}

fn at(millis: u64) -> Now {
    Now {
        wall: Timestamp::from_millis(1_800_000_000_000),
        mono: Monotonic::from_start(Duration::from_millis(millis)),
        clock_suspect: false,
    }
}

fn due() -> PendingCoa {
    let octets = |text: &str| Octets::from(text.as_bytes());
    PendingCoa {
        session: SessionId::new(Timestamp::EPOCH),
        client: ClientName::parse("nas").unwrap(),
        acct_session: octets("0000001A"),
        particulars: Particulars {
            user_name: octets("alice"),
            source: "192.0.2.1".parse().unwrap(),
            server: None,
            nas_address: Some("10.0.0.1".parse().unwrap()),
            nas_identifier: Some(octets("ap7")),
            nas_port: Some(7),
            calling_station: Some(Octets::from(&[0xff, 0x01][..])),
            called_station: Some(octets("02-00-00-00-00-02:Corp")),
            address: None,
            usage: Usage::default(),
            terminate_cause: None,
        },
        action: CoaAction::Disconnect,
        username: None,
        device: None,
        account: None,
        resource: None,
        disconnects: 0,
        cause: CoaCause::NoLongerAdmitted("suspended"),
    }
}

fn request() -> Demanding {
    Demanding::new(&due(), 9, &secret(), at(0)).unwrap()
}

/// RFC 5176 §2.3, §3.3 to §3.6.
#[test]
fn a_request_names_the_session_and_proves_its_sender() {
    let request = request();
    let packet = Packet::parse(request.bytes()).unwrap();
    assert_eq!(packet.code(), Code::DisconnectRequest);
    assert_eq!(check_signed(&packet, &secret()), Ok(Presence::Verified));
    let attributes: Vec<(u8, &[u8])> = packet
        .attributes()
        .skip(1)
        .map(|attribute| (attribute.kind, attribute.value))
        .collect();
    let seconds = 1_800_000_000_u32.to_be_bytes();
    let expected: [(u8, &[u8]); 6] = [
        (kind::USER_NAME, b"alice"),
        (kind::NAS_IP_ADDRESS, &[10, 0, 0, 1]),
        (kind::NAS_IDENTIFIER, b"ap7"),
        (kind::CALLING_STATION_ID, &[0xff, 0x01]),
        (kind::ACCT_SESSION_ID, b"0000001A"),
        (kind::EVENT_TIMESTAMP, &seconds),
    ];
    assert_eq!(attributes, expected);
}

#[test]
fn what_the_client_did_not_say_is_left_out() {
    let mut pending = due();
    pending.particulars.user_name = Octets::Text(String::new());
    pending.particulars.nas_address = None;
    pending.particulars.nas_identifier = None;
    pending.particulars.calling_station = None;
    let request = Demanding::new(&pending, 9, &secret(), at(0)).unwrap();
    let packet = Packet::parse(request.bytes()).unwrap();
    let kinds: Vec<u8> = packet.attributes().map(|found| found.kind).collect();
    assert_eq!(kinds, [80, kind::ACCT_SESSION_ID, kind::EVENT_TIMESTAMP]);
}

/// RFC 5176 §2.2, §3.6: what names the session, then what is to hold.
#[test]
fn a_change_carries_the_reply_attributes_and_has_answers_of_its_own() {
    let vlan = ReplyAttribute::Vlan(Vlan::parse("40").unwrap());
    let mut pending = due();
    pending.action = CoaAction::Change(ReplyAttributes::new(vec![vlan]));
    let request = Demanding::new(&pending, 9, &secret(), at(0)).unwrap();
    let packet = Packet::parse(request.bytes()).unwrap();
    assert_eq!(packet.code(), Code::CoARequest);
    assert_eq!(check_signed(&packet, &secret()), Ok(Presence::Verified));
    let kinds: Vec<u8> = packet.attributes().map(|found| found.kind).collect();
    assert_eq!(kinds, [80, 1, 4, 32, 31, 44, 55, 64, 65, 81]);
    assert_eq!(packet.first(81), Some(&b"40"[..]));
    assert_eq!(
        request.receive(&reply(&request, Code::DisconnectACK, &[])),
        None
    );
    let agreed = reply(&request, Code::CoAACK, &[]);
    assert_eq!(request.receive(&agreed), Some(Answered::Acknowledged));
    let cause = [(kind::ERROR_CAUSE, &401_u32.to_be_bytes()[..])];
    let refused = reply(&request, Code::CoANAK, &cause);
    assert_eq!(
        request.receive(&refused),
        Some(Answered::Refused(Some(401)))
    );
}

fn reply(request: &Demanding, code: Code, attributes: &[(u8, &[u8])]) -> Vec<u8> {
    let packet = Packet::parse(request.bytes()).unwrap();
    let mut draft = Draft::new(code, packet.identifier());
    for (kind, value) in attributes {
        draft.push(*kind, value).unwrap();
    }
    let mut bytes = draft.seal_signed(&secret()).unwrap();
    // Without Message-Authenticator, as some clients answer.
    bytes.drain(20..38);
    let [high, low] = u16::try_from(bytes.len()).unwrap().to_be_bytes();
    bytes[2..4].copy_from_slice(&[high, low]);
    let proof = response_authenticator(&bytes, packet.authenticator(), &secret());
    bytes[4..20].copy_from_slice(&proof);
    bytes
}

#[test]
fn an_answer_counts_only_with_its_proof() {
    let request = request();
    let agreed = reply(&request, Code::DisconnectACK, &[]);
    assert_eq!(request.receive(&agreed), Some(Answered::Acknowledged));
    for at in [0, 1, 2, 3, 7, 19] {
        let mut forged = agreed.clone();
        forged[at] ^= 1;
        assert_eq!(request.receive(&forged), None, "octet {at}");
    }
    let refused = reply(
        &request,
        Code::DisconnectNAK,
        &[(kind::ERROR_CAUSE, &503_u32.to_be_bytes())],
    );
    assert_eq!(
        request.receive(&refused),
        Some(Answered::Refused(Some(503)))
    );
    let refused = reply(&request, Code::DisconnectNAK, &[]);
    assert_eq!(request.receive(&refused), Some(Answered::Refused(None)));
    let other = reply(&request, Code::CoAACK, &[]);
    assert_eq!(request.receive(&other), None);
    // Its own octets, thrown back.
    assert_eq!(request.receive(request.bytes()), None);
    // The answer to another request, of the same identifier.
    let mut later = due();
    later.acct_session = Octets::Text("0000001B".to_owned());
    let later = Demanding::new(&later, 9, &secret(), at(0)).unwrap();
    assert_eq!(later.receive(&agreed), None);
}

/// Walks through a request that nobody answers; says when it was sent and when it was given up.
fn unanswered(mut chance: impl FnMut() -> u8) -> (Vec<u64>, u64) {
    let mut request = request();
    let (mut now, mut sent) = (0, Vec::new());
    loop {
        match request.next(at(now).mono, chance()) {
            Next::Send => sent.push(now),
            Next::Wait(span) => {
                assert!(!span.is_zero());
                now += u64::try_from(span.as_millis()).unwrap().max(1);
            }
            Next::GiveUp => return (sent, now),
        }
    }
}

/// RFC 5080 §2.2.1: two seconds, doubled, each a tenth more or less; half a minute in all.
#[test]
fn it_is_sent_at_once_and_again_with_growing_waits() {
    let (sent, over) = unanswered(|| 127);
    assert_eq!(sent.len(), 4, "{sent:?}");
    assert_eq!(sent[0], 0);
    assert!((1_990..2_010).contains(&sent[1]), "{sent:?}");
    assert!((5_900..6_100).contains(&sent[2]), "{sent:?}");
    assert!((13_800..14_200).contains(&sent[3]), "{sent:?}");
    assert!((29_900..=30_001).contains(&over), "{over}");
}

proptest! {
    #[test]
    fn whatever_chance_says_it_ends(chances in prop::collection::vec(any::<u8>(), 1..20)) {
        let mut chances = chances.into_iter().cycle();
        let (sent, over) = unanswered(|| chances.next().unwrap());
        prop_assert_eq!(sent.len(), 4);
        prop_assert!(over <= 30_001);
    }

    #[test]
    fn any_octets_are_an_answer_or_none(octets in prop::collection::vec(any::<u8>(), 0..80)) {
        prop_assert_eq!(request().receive(&octets), None);
    }
}
