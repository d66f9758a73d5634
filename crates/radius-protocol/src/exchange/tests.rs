mod accounting;
mod challenges;
mod devices;
mod eap_over_radius;
mod over_tls;
#[path = "../../../eap/src/peer.rs"]
#[expect(dead_code, reason = "the tests of EAP use more of it")]
mod peer;
mod reply_attributes;

use super::*;
use crate::wire::{Authenticator, Draft, check_reply, hide_password};
use doorward_domain::id::AccountId;
use doorward_domain::name::{ClientName, ResourceName};
use doorward_domain::resource::ClientResources;
use doorward_domain::secret::Secret;
use doorward_domain::time::Timestamp;
use doorward_fixtures::proofs;
use doorward_frontend_api::{Claim, Evidence, Refusal};

const AUTHENTICATOR: Authenticator = [0x42; 16];

fn now(seconds: u64) -> Now {
    Now {
        wall: Timestamp::from_millis(1_800_000_000_000),
        mono: Monotonic::from_start(Duration::from_secs(seconds)),
        clock_suspect: false,
    }
}

fn secret() -> Secret {
    Secret::new(b"a secret that is long enough".to_vec())
}

type Attributes<'a> = &'a [(u8, &'a [u8])];

struct Fixture {
    exchanges: Exchanges,
    client: Arc<ClientSettings>,
    transport: Transport,
    available: bool,
    challenges: bool,
    eap: Option<Arc<eap::Settings>>,
    peer: SocketAddr,
}

impl Fixture {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut ClientSettings)) -> Self {
        let resources = ClientResources {
            client: ClientName::parse("wlc1").unwrap(),
            resource: ResourceName::parse("wifi").unwrap(),
            ssid: Vec::new(),
            ssid_default: None,
            mab: false,
        };
        let networks = ["192.0.2.0/24".parse().unwrap()];
        let mut client = ClientSettings::new(&networks, secret(), Arc::new(resources)).unwrap();
        change(&mut client);
        Self {
            exchanges: Exchanges::default(),
            client: Arc::new(client),
            transport: Transport::Datagram(Service::Authentication),
            available: true,
            challenges: false,
            eap: None,
            peer: "[::ffff:192.0.2.1]:40000".parse().unwrap(),
        }
    }

    fn lenient() -> Self {
        Self::with(|client| client.require_message_authenticator = false)
    }

    fn arrival<'a>(&'a self, datagram: &'a [u8], seconds: u64) -> Arrival<'a> {
        Arrival {
            datagram,
            client: &self.client,
            transport: self.transport,
            peer: self.peer,
            local: "192.0.2.9:1812".parse().unwrap(),
            now: now(seconds),
            eap: self.eap.as_ref(),
            challenges: self.challenges,
            available: self.available,
        }
    }

    fn receive_at(&mut self, datagram: &[u8], seconds: u64) -> Step {
        let mut exchanges = std::mem::take(&mut self.exchanges);
        let step = exchanges.receive(&self.arrival(datagram, seconds));
        self.exchanges = exchanges;
        step
    }

    fn receive(&mut self, datagram: &[u8]) -> Step {
        self.receive_at(datagram, 0)
    }

    fn weight(&mut self, datagram: &[u8]) -> Weight {
        let mut exchanges = std::mem::take(&mut self.exchanges);
        let arrival = self.arrival(datagram, 0);
        let weight = exchanges.weight(&arrival, &examine(&arrival));
        self.exchanges = exchanges;
        weight
    }

    /// Sends from another port from here on.
    fn move_to(&mut self, port: u16) {
        self.peer.set_port(port);
    }

    fn dropped(&mut self, datagram: &[u8]) -> DropReason {
        match self.receive(datagram) {
            Step::Drop(reason) => reason,
            other => panic!("{other:?}"),
        }
    }

    fn asked(&mut self, datagram: &[u8]) -> Box<Question> {
        match self.receive(datagram) {
            Step::Ask(question) => question,
            other => panic!("{other:?}"),
        }
    }

    fn replied(&mut self, open: Open, verdict: Verdict) -> Reply {
        match self.exchanges.answer(open, Ok(verdict), now(1).mono) {
            Step::Reply(reply) => reply,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_the_secret_proves_is_told_from_what_anybody_can_send() {
    let credentials: Attributes<'_> = &[
        (kind::USER_NAME, b"alice"),
        (kind::USER_PASSWORD, &hidden(b"s3cret")),
    ];
    let mut fixture = Fixture::lenient();
    let proven = sealed(credentials);
    assert_eq!(fixture.weight(&proven), Weight::Request);
    let _asked = fixture.asked(&proven);
    for peer in ["192.0.2.1:40000", "192.0.2.1:999", "192.0.2.77:40000"] {
        fixture.peer = peer.parse().unwrap();
        assert_eq!(fixture.weight(&proven), Weight::Repetition);
    }
    let another = draft(credentials)
        .seal_request(&[0x43; 16], &secret())
        .unwrap();
    assert_eq!(fixture.weight(&another), Weight::Request);
    let mut forged = proven.clone();
    forged[25] ^= 1;
    let mut unserved = proven.clone();
    unserved[0] = 4;
    for unproven in [
        &bare(credentials)[..],
        &forged,
        &unserved,
        &proven[..30],
        b"",
    ] {
        assert_eq!(fixture.weight(unproven), Weight::Unproven);
    }
}

/// One probe that somebody recorded must not use up what those of the client need.
#[test]
fn a_status_server_weighs_as_a_request_until_it_is_sent_again() {
    let mut fixture = Fixture::lenient();
    let probe = |authenticator| {
        Draft::new(Code::StatusServer, 9)
            .seal_request(&authenticator, &secret())
            .unwrap()
    };
    let recorded = probe(AUTHENTICATOR);
    for weight in [Weight::Request, Weight::Repetition, Weight::Repetition] {
        assert_eq!(fixture.weight(&recorded), weight);
        assert!(matches!(fixture.receive(&recorded), Step::Reply(_)));
    }
    fixture.move_to(999);
    assert_eq!(fixture.weight(&recorded), Weight::Repetition);
    assert_eq!(fixture.weight(&probe([0x43; 16])), Weight::Request);
}

fn draft(attributes: Attributes<'_>) -> Draft {
    let mut draft = Draft::new(Code::AccessRequest, 9);
    for (kind, value) in attributes {
        draft.push(*kind, value).unwrap();
    }
    draft
}

fn hidden(password: &[u8]) -> Vec<u8> {
    hide_password(password, &AUTHENTICATOR, &secret()).unwrap()
}

fn sealed(attributes: Attributes<'_>) -> Vec<u8> {
    draft(attributes)
        .seal_request(&AUTHENTICATOR, &secret())
        .unwrap()
}

/// The same packet without its Message-Authenticator.
fn bare(attributes: Attributes<'_>) -> Vec<u8> {
    let mut bytes = sealed(attributes);
    bytes.drain(20..38);
    let [high, low] = u16::try_from(bytes.len()).unwrap().to_be_bytes();
    bytes[2..4].copy_from_slice(&[high, low]);
    bytes
}

fn login() -> Vec<u8> {
    sealed(&[
        (kind::USER_NAME, b"alice"),
        (kind::USER_PASSWORD, &hidden(b"pa55 word")),
    ])
}

fn granted() -> Verdict {
    let account = AccountId::new(Timestamp::EPOCH);
    Verdict::Granted(proofs::authenticated(account, "Alice", Some("wifi")))
}

fn kinds(packet: &Packet<'_>) -> Vec<u8> {
    packet
        .attributes()
        .map(|attribute| attribute.kind)
        .collect()
}

#[test]
fn a_login_becomes_an_attempt() {
    let mut fixture = Fixture::new();
    let question = fixture.asked(&sealed(&[
        (kind::USER_NAME, b"alice"),
        (kind::USER_PASSWORD, &hidden(b"pa55 word")),
        (kind::CALLED_STATION_ID, b"00-10-A4-23-19-C0:guest"),
        (kind::CALLING_STATION_ID, b"00-10-A4-23-19-C1"),
        (kind::NAS_IDENTIFIER, b"ap7"),
        (kind::NAS_PORT_TYPE, &[0, 0, 0, 19]),
    ]));
    let attempt = &question.attempt;
    assert_eq!(attempt.claim, Claim::Typed("alice".to_owned()));
    let Evidence::Password(password) = &attempt.evidence else {
        panic!("no password")
    };
    assert_eq!(password.as_bytes(), b"pa55 word");
    assert_eq!(
        attempt.asking,
        AccessContext::Radius {
            client: Arc::clone(&fixture.client.resources),
            called_station: Some("00-10-A4-23-19-C0:guest".to_owned()),
        }
    );
    assert_eq!(attempt.origin.source.to_string(), "192.0.2.1");
    assert_eq!(attempt.origin.station.as_deref(), Some("00-10-A4-23-19-C1"));
    assert!(!attempt.asked_for_password_policy);
    assert_eq!(question.place.nas_identifier.as_deref(), Some("ap7"));
    assert_eq!(question.place.nas_port_type, Some(19));
}

#[test]
fn an_access_accept_names_the_user_and_copies_proxy_states() {
    let mut fixture = Fixture::new();
    let question = fixture.asked(&sealed(&[
        (kind::PROXY_STATE, b"one"),
        (kind::USER_NAME, b"alice"),
        (kind::USER_PASSWORD, &hidden(b"pa55 word")),
        (kind::PROXY_STATE, b"two"),
    ]));
    let reply = fixture.replied(question.open, granted());
    let packet = Packet::parse(&reply.bytes).unwrap();
    assert_eq!(packet.code(), Code::AccessAccept);
    assert_eq!(
        check_reply(&packet, &AUTHENTICATOR, &secret()),
        Ok(Presence::Verified)
    );
    assert_eq!(kinds(&packet), [80, 1, 25, 33, 33]);
    assert_eq!(packet.first(kind::USER_NAME), Some(&b"Alice"[..]));
    assert_eq!(
        packet.all(kind::PROXY_STATE).collect::<Vec<_>>(),
        [b"one", b"two"]
    );
}

#[test]
fn an_access_reject_is_bare_whatever_the_reason() {
    let change = proofs::change_proof(AccountId::new(Timestamp::EPOCH), "alice");
    let verdicts = [
        Verdict::Refused(Refusal::WrongPassword),
        Verdict::Refused(Refusal::Locked),
        Verdict::Refused(Refusal::MalformedName),
        Verdict::ChangeOnly(change),
    ];
    let mut replies = Vec::new();
    for verdict in verdicts {
        let mut fixture = Fixture::new();
        let question = fixture.asked(&login());
        let reply = fixture.replied(question.open, verdict);
        let packet = Packet::parse(&reply.bytes).unwrap();
        assert_eq!(packet.code(), Code::AccessReject);
        assert_eq!(kinds(&packet), [80]);
        assert_eq!(
            check_reply(&packet, &AUTHENTICATOR, &secret()),
            Ok(Presence::Verified)
        );
        replies.push(reply.bytes);
    }
    replies.dedup();
    assert_eq!(replies.len(), 1);
}

#[test]
fn a_retransmission_is_asked_once_and_answered_with_the_same_bytes() {
    let mut fixture = Fixture::new();
    let question = fixture.asked(&login());
    assert_eq!(fixture.dropped(&login()), DropReason::DuplicateInFlight);
    let reply = fixture.replied(question.open, granted());
    let Step::Resend(again) = fixture.receive_at(&login(), 5) else {
        panic!("not resent")
    };
    assert_eq!(again, reply.bytes);
}

#[test]
fn a_copy_from_another_port_is_asked_nothing_and_gets_the_same_bytes() {
    let mut fixture = Fixture::new();
    // Octets behind the packet are no part of what is proven.
    let padded = [&login()[..], &[7; 5]].concat();
    let question = fixture.asked(&login());
    for port in 40_001..40_050 {
        fixture.move_to(port);
        assert_eq!(fixture.dropped(&padded), DropReason::DuplicateInFlight);
    }
    let reply = fixture.replied(question.open, granted());
    for port in 40_001..40_050 {
        fixture.move_to(port);
        let Step::Resend(again) = fixture.receive_at(&padded, 5) else {
            panic!("not resent")
        };
        assert_eq!(again, reply.bytes);
    }
}

#[test]
fn a_copy_without_proof_from_another_port_is_asked() {
    let mut fixture = Fixture::lenient();
    let unproven = bare(&[(kind::USER_NAME, b"alice"), (kind::USER_PASSWORD, &[0; 16])]);
    let first = fixture.asked(&unproven);
    fixture.move_to(40_001);
    let second = fixture.asked(&unproven);
    fixture.replied(first.open, granted());
    fixture.replied(second.open, granted());
}

#[test]
fn an_undecided_request_is_silent_and_its_retransmission_is_asked() {
    let cases = [
        (Undecided::Busy, DropReason::Busy),
        (
            Undecided::Unavailable("disk full".to_owned()),
            DropReason::Unavailable,
        ),
    ];
    for (undecided, reason) in cases {
        let mut fixture = Fixture::new();
        let question = fixture.asked(&login());
        let step = fixture
            .exchanges
            .answer(question.open, Err(undecided), now(1).mono);
        assert!(matches!(step, Step::Drop(given) if given == reason));
        let question = fixture.asked(&login());
        fixture.exchanges.abandon(question.open.id());
        let question = fixture.asked(&login());
        fixture.replied(question.open, granted());
    }
}

#[test]
fn the_answer_to_a_superseded_request_is_not_sent() {
    let mut fixture = Fixture::new();
    let first = fixture.asked(&login());
    let attributes: [(u8, &[u8]); 2] = [(kind::USER_NAME, b"bob"), (kind::USER_PASSWORD, &[0; 16])];
    let second = draft(&attributes)
        .seal_request(&[0x43; 16], &secret())
        .unwrap();
    let second = fixture.asked(&second);
    let late = fixture
        .exchanges
        .answer(first.open, Ok(granted()), now(1).mono);
    assert!(matches!(late, Step::Drop(DropReason::Superseded)));
    fixture.replied(second.open, granted());
    // Whoever was displaced by what somebody recorded asks again, and is answered.
    assert!(matches!(fixture.receive_at(&login(), 5), Step::Resend(_)));
}

#[test]
fn a_forged_packet_displaces_nothing() {
    let mut fixture = Fixture::new();
    let question = fixture.asked(&login());
    let mut forged = draft(&[(kind::USER_NAME, b"eve")])
        .seal_request(&[9; 16], &secret())
        .unwrap();
    forged[25] ^= 1;
    assert_eq!(
        fixture.dropped(&forged),
        DropReason::MessageAuthenticatorWrong
    );
    fixture.replied(question.open, granted());
}

#[test]
fn the_message_authenticator_is_required_unless_the_client_is_exempt() {
    let password = hidden(b"x");
    let request = bare(&[
        (kind::USER_NAME, b"alice"),
        (kind::USER_PASSWORD, &password),
    ]);
    assert_eq!(
        Fixture::new().dropped(&request),
        DropReason::MessageAuthenticatorMissing
    );
    let mut fixture = Fixture::lenient();
    let question = fixture.asked(&request);
    let reply = fixture.replied(question.open, granted());
    let packet = Packet::parse(&reply.bytes).unwrap();
    assert_eq!(kinds(&packet), [80, 1, 25]);
}

#[test]
fn an_exempt_client_still_proves_what_it_claims_to_prove() {
    let mut wrong = login();
    wrong[30] ^= 1;
    let reason = Fixture::lenient().dropped(&wrong);
    assert_eq!(reason, DropReason::MessageAuthenticatorWrong);
    let short = bare(&[(kind::USER_NAME, b"a"), (80, &[1, 2])]);
    assert_eq!(
        Fixture::lenient().dropped(&short),
        DropReason::MessageAuthenticatorSize
    );
    let twice = sealed(&[(80, &[0; 16])]);
    assert_eq!(
        Fixture::lenient().dropped(&twice),
        DropReason::MessageAuthenticatorRepeated
    );
}

#[test]
fn the_shape_of_blast_radius_is_dropped() {
    // CVE-2024-3596: the attacker adds Proxy-State, which the reply must repeat, to a request that
    // nothing protects, and so chooses octets under the Response Authenticator's MD5.
    let password = hidden(b"x");
    let attack = bare(&[
        (kind::USER_NAME, b"alice"),
        (kind::USER_PASSWORD, &password),
        (kind::PROXY_STATE, &[0xab; 253]),
    ]);
    assert_eq!(
        Fixture::lenient().dropped(&attack),
        DropReason::ProxyStateUnproven
    );
    let mut open = Fixture::with(|client| {
        client.require_message_authenticator = false;
        client.limit_proxy_state = false;
    });
    let question = open.asked(&attack);
    let reply = open.replied(question.open, Verdict::Refused(Refusal::WrongPassword));
    // Even then the attacker's octets come after a keyed hash of them.
    assert_eq!(kinds(&Packet::parse(&reply.bytes).unwrap()), [80, 33]);
}

#[test]
fn eap_needs_a_message_authenticator_from_everybody() {
    let request = bare(&[
        (kind::USER_NAME, b"alice"),
        (kind::EAP_MESSAGE, &[2, 5, 0, 4]),
    ]);
    let reason = Fixture::lenient().dropped(&request);
    assert_eq!(reason, DropReason::MessageAuthenticatorMissing);
}

#[test]
fn credentials_we_cannot_check_are_rejected_without_asking() {
    let ms_chap = [0, 0, 1, 55, 25, 52, 0];
    let cases: [(Attributes<'_>, RejectReason); 6] = [
        (
            &[(kind::CHAP_PASSWORD, &[1; 17])],
            RejectReason::UnsupportedAuthentication,
        ),
        (
            &[(kind::VENDOR_SPECIFIC, &ms_chap)],
            RejectReason::UnsupportedAuthentication,
        ),
        (&[], RejectReason::UnsupportedAuthentication),
        (
            &[
                (kind::CHAP_PASSWORD, &[1; 17]),
                (kind::USER_PASSWORD, &[0; 16]),
            ],
            RejectReason::AmbiguousCredentials,
        ),
        (
            &[(kind::USER_PASSWORD, &[0; 16]), (kind::EAP_MESSAGE, b"")],
            RejectReason::AmbiguousCredentials,
        ),
        (
            &[
                (kind::VENDOR_SPECIFIC, &ms_chap),
                (kind::USER_PASSWORD, &[0; 16]),
            ],
            RejectReason::AmbiguousCredentials,
        ),
    ];
    for (attributes, expected) in cases {
        let mut fixture = Fixture::new();
        let datagram = sealed(&[&[(kind::USER_NAME, &b"alice"[..])], attributes].concat());
        let Step::Reject(reason, _, reply) = fixture.receive(&datagram) else {
            panic!("{expected}")
        };
        assert_eq!(reason, expected);
        assert_eq!(reply.code, Code::AccessReject);
        let Step::Resend(again) = fixture.receive(&datagram) else {
            panic!("not resent")
        };
        assert_eq!(again, reply.bytes);
    }
}

#[test]
fn eap_is_failed_inside_the_reject() {
    let mut fixture = Fixture::new();
    let datagram = sealed(&[
        (kind::USER_NAME, b"alice"),
        (
            kind::EAP_MESSAGE,
            &[2, 77, 0, 10, 1, b'a', b'l', b'i', b'c', b'e'],
        ),
        (kind::PROXY_STATE, b"p"),
    ]);
    let Step::Reject(_, _, reply) = fixture.receive(&datagram) else {
        panic!("no reject")
    };
    let packet = Packet::parse(&reply.bytes).unwrap();
    assert_eq!(kinds(&packet), [80, 79, 33]);
    assert_eq!(packet.first(kind::EAP_MESSAGE), Some(&[4, 77, 0, 4][..]));
}

#[test]
fn names_no_account_has_are_asked_about_all_the_same() {
    for name in [&b""[..], b"\xff\xfe"] {
        let password = hidden(b"x");
        let datagram = sealed(&[(kind::USER_NAME, name), (kind::USER_PASSWORD, &password)]);
        let question = Fixture::new().asked(&datagram);
        assert!(matches!(question.attempt.claim, Claim::Malformed(_)));
    }
    let empty = sealed(&[
        (kind::USER_NAME, b"alice"),
        (kind::USER_PASSWORD, &hidden(b"")),
    ]);
    let question = Fixture::new().asked(&empty);
    assert!(matches!(question.attempt.evidence, Evidence::Unusable(_)));
}

#[test]
fn what_decides_may_stand_there_once() {
    let password = hidden(b"x");
    let once: [(u8, &[u8]); 4] = [
        (kind::USER_NAME, b"alice"),
        (kind::USER_PASSWORD, &password),
        (kind::CALLED_STATION_ID, b"ap:ssid"),
        (kind::CALLING_STATION_ID, b"phone"),
    ];
    for repeated in once {
        let datagram = sealed(&[&once[..], &[repeated]].concat());
        assert_eq!(
            Fixture::new().dropped(&datagram),
            DropReason::RepeatedAttribute
        );
    }
}

#[test]
fn impossible_packets_are_dropped() {
    let odd = sealed(&[(kind::USER_NAME, b"alice"), (kind::USER_PASSWORD, &[0; 17])]);
    assert_eq!(Fixture::new().dropped(&odd), DropReason::MalformedPassword);
    assert_eq!(
        Fixture::new().dropped(&login()[..40]),
        DropReason::Truncated
    );
    for code in [2, 3, 4, 5, 11, 13, 40, 43, 200] {
        let mut datagram = login();
        datagram[0] = code;
        assert_eq!(
            Fixture::new().dropped(&datagram),
            DropReason::UnexpectedCode,
            "{code}"
        );
    }
    let states = [(kind::PROXY_STATE, &[0_u8; 253][..]); 15];
    let rest = [
        (kind::PROXY_STATE, &[0_u8; 200][..]),
        (kind::CHAP_PASSWORD, &[0; 17]),
    ];
    let crowded = sealed(&[&states[..], &rest].concat());
    assert!(crowded.len() <= 4096);
    assert!(matches!(Fixture::new().receive(&crowded), Step::Reject(..)));
}

#[test]
fn proxy_states_that_leave_no_room_for_a_reply_are_dropped() {
    let mut attributes = vec![(kind::PROXY_STATE, &[0_u8; 253][..]); 15];
    attributes.push((kind::PROXY_STATE, &[0; 226]));
    assert_eq!(
        Fixture::new().dropped(&sealed(&attributes)),
        DropReason::ReplyTooLong
    );
}

#[test]
fn a_status_server_is_answered_on_each_port() {
    let request = Draft::new(Code::StatusServer, 5)
        .seal_request(&AUTHENTICATOR, &secret())
        .unwrap();
    for (service, code) in [
        (Service::Authentication, Code::AccessAccept),
        (Service::Accounting, Code::AccountingResponse),
    ] {
        let mut fixture = Fixture::lenient();
        fixture.transport = Transport::Datagram(service);
        let Step::Reply(reply) = fixture.receive(&request) else {
            panic!("no reply")
        };
        assert_eq!(reply.code, code);
        let packet = Packet::parse(&reply.bytes).unwrap();
        assert_eq!(kinds(&packet), [80]);
        assert_eq!(
            check_reply(&packet, &AUTHENTICATOR, &secret()),
            Ok(Presence::Verified)
        );

        let mut unproven = request[..20].to_vec();
        unproven[2..4].copy_from_slice(&[0, 20]);
        assert_eq!(
            fixture.dropped(&unproven),
            DropReason::MessageAuthenticatorMissing
        );
        fixture.available = false;
        assert_eq!(fixture.dropped(&request), DropReason::Unavailable);
    }
}
