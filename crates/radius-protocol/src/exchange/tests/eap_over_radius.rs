use super::peer::{Peer, Site, VERSIONS, identity, pap, saying};
use super::*;
use crate::transport::{ConnectionId, Version};
use crate::wire::{MppeKey, reveal_mppe_key};
use doorward_eap::{Method, packet};

/// A NAS between a peer and the server: it copies EAP-Message and State.
struct Nas {
    fixture: Fixture,
    peer: Peer,
    user_name: Vec<u8>,
    station: Vec<u8>,
    identifier: u8,
    seconds: u64,
}

/// A connection of RADIUS/1.1.
const CLEAR: Transport = Transport::Tls {
    connection: ConnectionId(1),
    version: Version::V1_1,
};

/// A reply, as a NAS reads it.
#[derive(Debug)]
struct Seen {
    code: Code,
    eap: Vec<u8>,
    state: Option<Vec<u8>>,
    bytes: Vec<u8>,
}

fn seen(reply: &Reply) -> Seen {
    let packet = Packet::parse(&reply.bytes).unwrap();
    let proof = packet.first(kind::MESSAGE_AUTHENTICATOR);
    let first = packet.attributes().next().unwrap().value;
    assert!(proof.is_none_or(|proof| proof == first));
    Seen {
        code: packet.code(),
        eap: packet.all(kind::EAP_MESSAGE).flatten().copied().collect(),
        state: packet.first(kind::STATE).map(<[u8]>::to_vec),
        bytes: reply.bytes.to_vec(),
    }
}

impl Nas {
    fn new() -> Self {
        let site = Site::with(|settings| settings.bounds.sessions_per_device = 2);
        let said = pap(b"alice", b"correct horse battery");
        Self {
            fixture: Fixture {
                eap: Some(Arc::clone(&site.settings)),
                ..Fixture::new()
            },
            peer: saying(&site, VERSIONS[0], Method::Ttls, 900, said),
            user_name: b"anonymous@example.org".to_vec(),
            station: b"02-00-00-00-00-01".to_vec(),
            identifier: 0,
            seconds: 0,
        }
    }

    /// A request as the NAS sends it.
    fn request(&mut self, eap: &[u8], state: Option<&[u8]>) -> Vec<u8> {
        self.identifier = self.identifier.wrapping_add(1);
        let mut draft = Draft::new(Code::AccessRequest, self.identifier);
        draft.push(kind::USER_NAME, &self.user_name).unwrap();
        draft.push(kind::CALLING_STATION_ID, &self.station).unwrap();
        for piece in eap.chunks(253) {
            draft.push(kind::EAP_MESSAGE, piece).unwrap();
        }
        if let Some(state) = state {
            draft.push(kind::STATE, state).unwrap();
        }
        draft.push(kind::PROXY_STATE, b"proxy").unwrap();
        if self.fixture.transport == CLEAR {
            let token = [0, 0, 0, self.identifier];
            return draft.seal_with_token(token).unwrap();
        }
        draft.seal_request(&AUTHENTICATOR, &secret()).unwrap()
    }

    /// Sends a request and runs what there is to run.
    fn send(&mut self, datagram: &[u8]) -> Step {
        match self.fixture.receive_at(datagram, self.seconds) {
            Step::Converse(conversing) => {
                let now = now(self.seconds).mono;
                self.fixture.exchanges.conversed(conversing.run(), now)
            }
            step => step,
        }
    }

    fn begin(&mut self) -> Seen {
        let datagram = self.request(&identity(), None);
        self.challenged(&datagram)
    }

    fn challenged(&mut self, datagram: &[u8]) -> Seen {
        match self.send(datagram) {
            Step::Reply(reply) => {
                let seen = seen(&reply);
                assert_eq!(seen.code, Code::AccessChallenge);
                seen
            }
            other => panic!("{other:?}"),
        }
    }

    /// What the peer answers to a challenge, as a request.
    fn answer(&mut self, challenge: &Seen) -> Vec<u8> {
        let said = self.peer.respond(&challenge.eap);
        self.request(&said, challenge.state.as_deref())
    }

    /// Goes on until the authenticator is asked; gives the request that led to it too.
    fn ask(&mut self) -> (Box<Question>, Vec<u8>) {
        let mut challenge = self.begin();
        for _ in 0..50 {
            let datagram = self.answer(&challenge);
            match self.send(&datagram) {
                Step::Reply(reply) => challenge = seen(&reply),
                Step::Ask(question) => return (question, datagram),
                other => panic!("{other:?}"),
            }
        }
        panic!("never asked")
    }
}

fn rejected(step: Step) -> (RejectReason, Seen) {
    match step {
        Step::Reject(reason, _, reply) => {
            let seen = seen(&reply);
            assert_eq!(seen.code, Code::AccessReject);
            assert_eq!(seen.eap[0], 4, "an EAP-Failure");
            (reason, seen)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_accept_carries_success_keys_and_the_account_s_name() {
    let mut nas = Nas::new();
    let (question, _) = nas.ask();
    assert_eq!(question.attempt.claim, Claim::Typed("alice".to_owned()));
    assert_eq!(
        question.attempt.origin.station.as_deref(),
        Some("02-00-00-00-00-01")
    );
    let reply = nas.fixture.replied(question.open, granted());
    let packet = Packet::parse(&reply.bytes).unwrap();
    assert_eq!(packet.code(), Code::AccessAccept);
    assert_eq!(kinds(&packet), [80, 79, 26, 26, 1, 25, 33]);
    assert_eq!(packet.first(kind::EAP_MESSAGE).unwrap()[0], 3);
    assert_eq!(packet.first(kind::USER_NAME), Some(&b"Alice"[..]));
    let key = nas
        .peer
        .tls
        .export_keying_material([0; 128], b"ttls keying material", None);
    let key = key.unwrap();
    let values: Vec<&[u8]> = packet.all(kind::VENDOR_SPECIFIC).collect();
    for (which, value, expected) in [
        (MppeKey::Receive, values[0], &key[..32]),
        (MppeKey::Send, values[1], &key[32..64]),
    ] {
        let revealed = reveal_mppe_key(which, value, &AUTHENTICATOR, &secret());
        assert_eq!(revealed.unwrap().as_slice(), expected, "{which:?}");
    }
    assert_ne!(values[0][6..8], values[1][6..8], "salts differ");
    assert_eq!(nas.fixture.exchanges.conversations(), 0);
}

#[test]
fn an_accept_carries_the_users_attributes_and_asks_a_port_to_authenticate_again() {
    let mut nas = Nas::new();
    let (question, _) = nas.ask();
    let verdict = reply_attributes::granted_with(&["vlan=20", "session_timeout=8h"]);
    let reply = nas.fixture.replied(question.open, verdict);
    let packet = Packet::parse(&reply.bytes).unwrap();
    assert_eq!(
        kinds(&packet),
        [80, 79, 26, 26, 1, 25, 64, 65, 81, 27, 29, 33]
    );
    assert_eq!(packet.first(81), Some(&b"20"[..]));
    assert_eq!(packet.first(29), Some(&[0, 0, 0, 1][..]));
}

#[test]
fn rfc_9765_5_1_4_over_tls_the_keys_are_in_the_clear() {
    let mut nas = Nas::new();
    nas.fixture.transport = CLEAR;
    let (question, _) = nas.ask();
    let reply = nas.fixture.replied(question.open, granted());
    let packet = Packet::parse(&reply.bytes).unwrap();
    assert_eq!(kinds(&packet), [79, 26, 26, 1, 25, 33]);
    let key = nas
        .peer
        .tls
        .export_keying_material([0; 128], b"ttls keying material", None);
    let key = key.unwrap();
    let values: Vec<&[u8]> = packet.all(kind::VENDOR_SPECIFIC).collect();
    assert_eq!(values[0], [&[0, 0, 1, 55, 17, 34], &key[..32]].concat());
    assert_eq!(values[1], [&[0, 0, 1, 55, 16, 34], &key[32..64]].concat());
}

#[test]
fn a_refusal_is_an_eap_failure_in_a_bare_reject_whatever_the_reason() {
    let mut replies = Vec::new();
    for refusal in [Refusal::WrongPassword, Refusal::Locked, Refusal::NotBound] {
        let mut nas = Nas::new();
        let (question, _) = nas.ask();
        let verdict = Verdict::Refused(refusal);
        let reply = nas.fixture.replied(question.open, verdict);
        let packet = Packet::parse(&reply.bytes).unwrap();
        assert_eq!(kinds(&packet), [80, 79, 33]);
        replies.push(reply.bytes);
    }
    replies.dedup();
    assert_eq!(replies.len(), 1);
}

#[test]
fn a_retransmission_in_the_middle_gets_the_same_bytes() {
    let mut nas = Nas::new();
    let datagram = nas.request(&identity(), None);
    let first = nas.challenged(&datagram);
    for _ in 0..3 {
        match nas.send(&datagram) {
            Step::Resend(bytes) => assert_eq!(bytes, first.bytes),
            other => panic!("{other:?}"),
        }
    }
    let datagram = nas.answer(&first);
    let second = nas.challenged(&datagram);
    assert!(matches!(nas.send(&datagram), Step::Resend(bytes) if bytes == second.bytes));
    assert_ne!(first.state, second.state);
}

#[test]
fn a_copy_from_another_port_gets_the_challenge_and_the_conversation_goes_on() {
    let mut nas = Nas::new();
    let first = nas.begin();
    let datagram = nas.answer(&first);
    // Whoever is faster than the NAS takes nothing from it.
    nas.fixture.move_to(41_000);
    let second = nas.challenged(&datagram);
    nas.fixture.move_to(40_000);
    let Step::Resend(again) = nas.send(&datagram) else {
        panic!("not resent")
    };
    assert_eq!(again, second.bytes);
    let datagram = nas.answer(&second);
    assert!(matches!(nas.send(&datagram), Step::Reply(_) | Step::Ask(_)));
}

#[test]
fn a_challenge_that_was_displaced_goes_to_the_retransmission() {
    let mut nas = Nas::new();
    let datagram = nas.request(&identity(), None);
    let Step::Converse(conversing) = nas.fixture.receive(&datagram) else {
        panic!("no conversation")
    };
    let mut recorded = Draft::new(Code::AccessRequest, nas.identifier);
    recorded.push(kind::USER_NAME, b"bob").unwrap();
    recorded.push(kind::USER_PASSWORD, &[0; 16]).unwrap();
    let recorded = recorded.seal_request(&[1; 16], &secret()).unwrap();
    let _asked = nas.fixture.asked(&recorded);
    let now = now(0).mono;
    let step = nas.fixture.exchanges.conversed(conversing.run(), now);
    assert!(matches!(step, Step::Drop(DropReason::Superseded)));
    let Step::Resend(bytes) = nas.send(&datagram) else {
        panic!("not resent")
    };
    let challenge = seen(&Reply {
        code: Code::AccessChallenge,
        bytes,
        eap: None,
    });
    let datagram = nas.answer(&challenge);
    assert!(matches!(nas.send(&datagram), Step::Reply(_) | Step::Ask(_)));
}

#[test]
fn a_replayed_state_is_rejected_and_the_conversation_goes_on() {
    let mut nas = Nas::new();
    let first = nas.begin();
    let datagram = nas.answer(&first);
    let second = nas.challenged(&datagram);
    // The same packet under the State that was used, as a new request.
    let said = packet::response(first.eap[1], 21, &[0]);
    let replayed = nas.request(&said, first.state.as_deref());
    let (reason, _) = rejected(nas.send(&replayed));
    assert_eq!(reason, RejectReason::EapStateUnknown);
    let datagram = nas.answer(&second);
    assert!(matches!(nas.send(&datagram), Step::Reply(_) | Step::Ask(_)));
}

#[test]
fn a_state_from_another_device_user_or_client_is_rejected() {
    for change in 0..3 {
        let mut nas = Nas::new();
        let first = nas.begin();
        match change {
            0 => nas.station = b"02-00-00-00-00-02".to_vec(),
            1 => nas.user_name = b"somebody@example.org".to_vec(),
            _ => {
                let resources = ClientResources {
                    client: ClientName::parse("other").unwrap(),
                    ..(*nas.fixture.client.resources).clone()
                };
                let networks = ["192.0.2.0/24".parse().unwrap()];
                let client = ClientSettings::new(&networks, secret(), Arc::new(resources));
                nas.fixture.client = Arc::new(client.unwrap());
            }
        }
        let datagram = nas.answer(&first);
        let (reason, _) = rejected(nas.send(&datagram));
        assert_eq!(reason, RejectReason::EapStateUnknown);
    }
}

#[test]
fn two_rounds_of_one_conversation_at_once_are_one() {
    let mut nas = Nas::new();
    let first = nas.begin();
    let datagram = nas.answer(&first);
    let Step::Converse(conversing) = nas.fixture.receive(&datagram) else {
        panic!("no conversation")
    };
    let said = packet::response(first.eap[1], 21, &[0]);
    let other = nas.request(&said, first.state.as_deref());
    assert!(matches!(
        nas.fixture.receive(&other),
        Step::Drop(DropReason::EapBusy)
    ));
    let step = nas
        .fixture
        .exchanges
        .conversed(conversing.run(), now(0).mono);
    assert!(matches!(step, Step::Reply(_)));
}

#[test]
fn without_verdict_the_retransmission_asks_again() {
    let mut nas = Nas::new();
    let (question, datagram) = nas.ask();
    let step = nas
        .fixture
        .exchanges
        .answer(question.open, Err(Undecided::Busy), now(1).mono);
    assert!(matches!(step, Step::Drop(DropReason::Busy)));
    let Step::Ask(question) = nas.send(&datagram) else {
        panic!("not asked again")
    };
    assert_eq!(question.attempt.claim, Claim::Typed("alice".to_owned()));
    let reply = nas.fixture.replied(question.open, granted());
    assert_eq!(reply.code, Code::AccessAccept);
    assert!(matches!(nas.send(&datagram), Step::Resend(bytes) if bytes == reply.bytes));
}

#[test]
fn a_step_that_found_no_room_is_run_by_its_retransmission() {
    let mut nas = Nas::new();
    let first = nas.begin();
    let datagram = nas.answer(&first);
    let Step::Converse(conversing) = nas.fixture.receive(&datagram) else {
        panic!("no conversation")
    };
    nas.fixture.exchanges.return_unrun(*conversing);
    nas.challenged(&datagram);
}

#[test]
fn a_step_whose_task_dies_takes_its_conversation_along() {
    let mut nas = Nas::new();
    let datagram = nas.request(&identity(), None);
    let Step::Converse(conversing) = nas.fixture.receive(&datagram) else {
        panic!("no conversation")
    };
    nas.fixture.exchanges.abandon(conversing.id());
    assert_eq!(nas.fixture.exchanges.conversations(), 0);
    drop(conversing);
    nas.challenged(&datagram);
}

#[test]
fn scattered_pieces_are_dropped_and_whole_ones_joined() {
    let mut nas = Nas::new();
    let datagram = sealed(&[
        (kind::EAP_MESSAGE, &[2, 7, 0, 6]),
        (kind::USER_NAME, b"anonymous@example.org"),
        (kind::EAP_MESSAGE, &[1, b'a']),
    ]);
    assert!(matches!(
        nas.send(&datagram),
        Step::Drop(DropReason::EapMessageScattered)
    ));
    let datagram = sealed(&[
        (kind::EAP_MESSAGE, &[2, 7, 0, 6]),
        (kind::EAP_MESSAGE, &[1, b'a']),
        (kind::USER_NAME, b"anonymous@example.org"),
    ]);
    nas.challenged(&datagram);
}

#[test]
fn an_empty_eap_message_lets_us_begin() {
    let mut nas = Nas::new();
    let datagram = sealed(&[(kind::USER_NAME, b"a"), (kind::EAP_MESSAGE, b"")]);
    let challenge = nas.challenged(&datagram);
    assert_eq!(challenge.eap[4], 1, "an Identity request");
}

#[test]
fn framed_mtu_is_kept_to() {
    let mut nas = Nas::new();
    let eap = identity();
    let datagram = sealed(&[
        (kind::USER_NAME, b"anonymous@example.org"),
        (kind::CALLING_STATION_ID, b"02-00-00-00-00-01"),
        (kind::FRAMED_MTU, &200_u32.to_be_bytes()),
        (kind::EAP_MESSAGE, &eap),
    ]);
    let mut challenge = nas.challenged(&datagram);
    for _ in 0..4 {
        assert!(challenge.eap.len() <= 196);
        let datagram = nas.answer(&challenge);
        challenge = nas.challenged(&datagram);
    }
}

#[test]
fn ten_thousand_half_open_conversations_of_one_client_hinder_no_other() {
    let mut nas = Nas::new();
    let quiet = Arc::clone(&nas.fixture.client);
    let resources = ClientResources {
        client: ClientName::parse("loud").unwrap(),
        ..(*quiet.resources).clone()
    };
    let networks = ["192.0.2.0/24".parse().unwrap()];
    let loud = ClientSettings::new(&networks, secret(), Arc::new(resources));
    let loud = Arc::new(loud.unwrap());
    let mut opened = 0_u32;
    // Each from a device of its own, and under an authenticator of its own.
    let mut flood = |nas: &mut Nas| {
        nas.fixture.client = Arc::clone(&loud);
        nas.fixture.peer.set_port(40_001);
        for _ in 0..2000 {
            opened += 1;
            let mut authenticator = AUTHENTICATOR;
            authenticator[..4].copy_from_slice(&opened.to_be_bytes());
            let mut draft = Draft::new(Code::AccessRequest, opened.to_be_bytes()[3]);
            draft.push(kind::USER_NAME, b"anonymous").unwrap();
            let station = format!("{opened:012x}");
            draft
                .push(kind::CALLING_STATION_ID, station.as_bytes())
                .unwrap();
            draft.push(kind::EAP_MESSAGE, &identity()).unwrap();
            let datagram = draft.seal_request(&authenticator, &secret()).unwrap();
            assert!(matches!(nas.send(&datagram), Step::Reply(_)));
        }
        nas.fixture.client = Arc::clone(&quiet);
        nas.fixture.peer.set_port(40_000);
    };
    // One step of the quiet client's between each two thousand of the other's.
    let mut challenge = nas.begin();
    let question = loop {
        flood(&mut nas);
        let datagram = nas.answer(&challenge);
        match nas.send(&datagram) {
            Step::Reply(reply) => challenge = seen(&reply),
            Step::Ask(question) => break question,
            other => panic!("{other:?}"),
        }
    };
    flood(&mut nas);
    flood(&mut nas);
    let reply = nas.fixture.replied(question.open, granted());
    assert_eq!(reply.code, Code::AccessAccept);
    let bounds = nas.fixture.eap.as_ref().unwrap().bounds;
    assert!(nas.fixture.exchanges.conversations() <= bounds.sessions_per_client);
    assert!(opened >= 10_000);
}
