use super::*;
use crate::accounting::Report;
use crate::wire::{check_signed, response_authenticator};

fn fixture() -> Fixture {
    let mut fixture = Fixture::lenient();
    fixture.transport = Transport::Datagram(Service::Accounting);
    fixture
}

fn draft(attributes: Attributes<'_>) -> Draft {
    let mut draft = Draft::new(Code::AccountingRequest, 5);
    for (kind, value) in attributes {
        draft.push(*kind, value).unwrap();
    }
    draft
}

/// With a Message-Authenticator.
fn signed(attributes: Attributes<'_>) -> Vec<u8> {
    draft(attributes).seal_signed(&secret()).unwrap()
}

/// Without one, as nearly every client reports.
fn plain(attributes: Attributes<'_>) -> Vec<u8> {
    let mut bytes = signed(attributes);
    bytes.drain(20..38);
    let [high, low] = u16::try_from(bytes.len()).unwrap().to_be_bytes();
    bytes[2..4].copy_from_slice(&[high, low]);
    sign(&mut bytes);
    bytes
}

fn sign(bytes: &mut [u8]) {
    let proof = response_authenticator(bytes, &[0; 16], &secret());
    bytes[4..20].copy_from_slice(&proof);
}

const START: Attributes<'_> = &[
    (kind::ACCT_STATUS_TYPE, &[0, 0, 0, 1]),
    (kind::ACCT_SESSION_ID, b"0000001A"),
    (kind::USER_NAME, b"alice"),
    (kind::PROXY_STATE, b"first"),
    (kind::PROXY_STATE, b"second"),
];

fn recording(fixture: &mut Fixture, request: &[u8]) -> Box<Recording> {
    match fixture.receive(request) {
        Step::Record(recording) => recording,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_report_is_acknowledged_once_it_is_safe_and_recorded_once() {
    for request in [signed(START), plain(START)] {
        let mut fixture = fixture();
        let recording = recording(&mut fixture, &request);
        assert!(matches!(recording.report, Report::Session(_)));
        for port in [40_001, 40_000] {
            fixture.move_to(port);
            assert_eq!(fixture.dropped(&request), DropReason::DuplicateInFlight);
        }
        let exchanges = &mut fixture.exchanges;
        let Step::Reply(reply) = exchanges.recorded(recording.open, Ok(()), now(1).mono) else {
            panic!("no reply")
        };
        assert_eq!(reply.code, Code::AccountingResponse);
        let packet = Packet::parse(&reply.bytes).unwrap();
        assert_eq!(kinds(&packet), [33, 33]);
        let asked = Packet::parse(&request).unwrap();
        assert_eq!(
            check_reply(&packet, asked.authenticator(), &secret()),
            Ok(Presence::Absent)
        );
        let again = fixture.receive(&request);
        assert!(matches!(again, Step::Resend(bytes) if bytes == reply.bytes));
    }
}

/// Its octets may be the same by chance: whose report it is follows from its address.
#[test]
fn a_report_from_another_address_is_another_s() {
    let (mut fixture, request) = (fixture(), plain(START));
    let first = recording(&mut fixture, &request);
    fixture.peer = "192.0.2.2:40000".parse().unwrap();
    let second = recording(&mut fixture, &request);
    assert_ne!(first.report, second.report);
}

#[test]
fn what_was_not_recorded_is_not_acknowledged_and_its_retransmission_is_recorded() {
    let (mut fixture, request) = (fixture(), plain(START));
    for undecided in [Undecided::Busy, Undecided::Unavailable("full".to_owned())] {
        let recording = recording(&mut fixture, &request);
        let exchanges = &mut fixture.exchanges;
        let step = exchanges.recorded(recording.open, Err(undecided), now(1).mono);
        assert!(matches!(step, Step::Drop(_)));
    }
    let recording = recording(&mut fixture, &request);
    fixture.exchanges.abandon(recording.open.id());
    assert!(matches!(fixture.receive(&request), Step::Record(_)));
}

#[test]
fn a_report_under_another_secret_is_dropped() {
    let mut wrong = plain(START);
    wrong[7] ^= 1;
    assert_eq!(fixture().dropped(&wrong), DropReason::AccountingWrong);
    // An Access-Request's random authenticator proves nothing.
    let unsigned = draft(START).seal_request(&[0; 16], &secret()).unwrap();
    assert_eq!(fixture().dropped(&unsigned), DropReason::AccountingWrong);
    let mut wrong = signed(START);
    wrong[25] ^= 1;
    sign(&mut wrong);
    let reason = fixture().dropped(&wrong);
    assert_eq!(reason, DropReason::MessageAuthenticatorWrong);
    assert_eq!(fixture().dropped(&login()), DropReason::UnexpectedCode);
    let mut elsewhere = Fixture::new();
    let reason = elsewhere.dropped(&plain(START));
    assert_eq!(reason, DropReason::UnexpectedCode);
}

#[test]
fn a_report_without_its_key_is_dropped_and_an_unknown_one_acknowledged() {
    for attributes in [&START[1..], &[START[0]]] {
        let reason = fixture().dropped(&plain(attributes));
        assert_eq!(reason, DropReason::AccountingMalformed);
    }
    // Tunnel-Start (RFC 2867): nothing here is to be recorded, and the client need not wait.
    let tunnel = plain(&[(kind::ACCT_STATUS_TYPE, &[0, 0, 0, 9])]);
    assert!(matches!(fixture().receive(&tunnel), Step::Reply(_)));
}

#[test]
fn a_restart_is_recorded_with_or_without_a_session() {
    for number in [7, 8] {
        let request = plain(&[
            (kind::ACCT_STATUS_TYPE, &[0, 0, 0, number]),
            (kind::NAS_IDENTIFIER, b"ap7"),
        ]);
        let recording = recording(&mut fixture(), &request);
        let Report::Restarted { nas, .. } = &recording.report else {
            panic!("{recording:?}")
        };
        assert_eq!(nas.identity.shown(), "ap7");
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let nibbles = bytes.iter().flat_map(|octet| [octet >> 4, octet & 15]);
    let digits = nibbles.map(|nibble| char::from_digit(nibble.into(), 16).unwrap());
    digits.collect()
}

/// Computed by another implementation of MD5 and HMAC over the rules of RFC 2866 §3 and
/// RFC 5176 §2.3 and §3.4, secret "xyzzy5461".
#[test]
fn signed_requests_are_those_of_the_rfcs() {
    let secret = Secret::new(b"xyzzy5461".to_vec());
    let cases: [(Code, u8, Attributes<'_>, &str); 2] = [
        (
            Code::AccountingRequest,
            7,
            &[
                (kind::ACCT_STATUS_TYPE, &[0, 0, 0, 1]),
                (kind::ACCT_SESSION_ID, b"0000001A"),
                (kind::USER_NAME, b"nemo"),
            ],
            "0407003ccd9d5a00c2c050e537bd51892bb082e55012139bfc99455830f41a50\
         747c96c9e0522806000000012c0a303030303030314101066e656d6f",
        ),
        (
            Code::DisconnectRequest,
            9,
            &[
                (kind::USER_NAME, b"nemo"),
                (kind::ACCT_SESSION_ID, b"0000001A"),
                (kind::NAS_IP_ADDRESS, &[192, 168, 1, 16]),
            ],
            "2809003ca7646d2639fdc4ad36b6ae2f3ba2dada501277099bf9293fd8190033\
         03ce9170d04101066e656d6f2c0a30303030303031410406c0a80110",
        ),
    ];
    for (code, identifier, attributes, expected) in cases {
        let mut draft = Draft::new(code, identifier);
        for (kind, value) in attributes {
            draft.push(*kind, value).unwrap();
        }
        let bytes = draft.seal_signed(&secret).unwrap();
        assert_eq!(hexadecimal(&bytes), expected);
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(check_signed(&packet, &secret), Ok(Presence::Verified));
    }
}
