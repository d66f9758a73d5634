mod certificates;
mod challenges;
mod keys;

use rustls::SupportedProtocolVersion;

use super::*;
use crate::peer::{
    Peer, Site, VERSIONS, certified, identity, in_avp, now, pap, peap_gtc, saying, talk, ttls_gtc,
};
use doorward_domain::id::AccountId;
use doorward_fixtures::proofs;
use doorward_frontend_api::verdict::Grant;
use doorward_frontend_api::{Authenticated, Refusal};

fn proof() -> Authenticated {
    proofs::prove(grant())
}

fn grant() -> Grant {
    let account = AccountId::from_uuid(uuid::Uuid::nil());
    proofs::grant(account, "alice", Some("wifi"))
}

fn ttls(site: &Site, version: &'static SupportedProtocolVersion) -> Peer {
    let said = pap(b"alice", b"correct horse battery");
    saying(site, version, Method::Ttls, 1000, said)
}

fn asked(step: Step) -> Login {
    match step {
        Step::Ask(login) => login,
        other => panic!("{other:?}"),
    }
}

fn refused(step: Step) -> ([u8; 4], Failure) {
    match step {
        Step::Done(Outcome::Refused { packet, failure }) => (packet, failure),
        other => panic!("{other:?}"),
    }
}

fn granted(step: Step) -> Granted {
    match step {
        Step::Done(Outcome::Granted(granted)) => *granted,
        other => panic!("{other:?}"),
    }
}

/// The same key, derived at the other end.
fn key_of(peer: &Peer, label: &[u8]) -> Vec<u8> {
    let v13 = peer.tls.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3);
    let number = [peer.method];
    let (label, context) = if v13 {
        (&b"EXPORTER_EAP_TLS_Key_Material"[..], Some(&number[..]))
    } else {
        (label, None)
    };
    let both = [0_u8; 128];
    let both = peer.tls.export_keying_material(both, label, context);
    both.unwrap().to_vec()
}

fn assert_key(granted: &Granted, peer: &Peer, label: &[u8]) {
    let key = key_of(peer, label);
    assert_eq!(granted.key.receive_key(), &key[..32]);
    assert_eq!(granted.key.send_key(), &key[32..64]);
}

#[test]
fn ttls_asks_for_the_inner_name_and_succeeds_with_the_peer_s_key() {
    for version in VERSIONS {
        for size in [100, 250, 1400] {
            let site = Site::with(|settings| settings.fragment_size = size);
            let mut conversation = site.conversation();
            let said = pap(b"alice", b"correct horse battery");
            let mut peer = saying(&site, version, Method::Ttls, size - 5, said);
            let first = conversation.receive(&identity(), now());
            let (step, _) = talk(&mut conversation, &mut peer, first, size);
            let login = asked(step);
            assert_eq!(login.claim, Claim::Typed("alice".to_owned()));
            let Evidence::Password(password) = login.evidence else {
                panic!("no password")
            };
            assert_eq!(password.as_bytes(), b"correct horse battery");

            let step = conversation.answer(Ok(Verdict::Granted(proof())));
            let (step, _) = talk(&mut conversation, &mut peer, step, size);
            let granted = granted(step);
            assert_eq!(granted.packet[0], 3);
            assert_eq!(granted.proof.username().as_str(), "alice");
            assert_key(&granted, &peer, b"ttls keying material");
            let after = conversation.receive(&identity(), now());
            assert!(matches!(after, Step::Discard(_)));
        }
    }
}

#[test]
fn gtc_inside_ttls_and_peap_succeeds_with_the_peer_s_key() {
    for version in VERSIONS {
        let site = Site::new();
        let password = b"correct horse battery";
        for (mut peer, label) in [
            (
                ttls_gtc(&site, version, b"alice", password),
                &b"ttls keying material"[..],
            ),
            (
                peap_gtc(site.client(version), b"alice", password),
                b"client EAP encryption",
            ),
        ] {
            let mut conversation = site.conversation();
            let first = conversation.receive(&identity(), now());
            let (step, _) = talk(&mut conversation, &mut peer, first, 1024);
            let login = asked(step);
            assert_eq!(login.claim, Claim::Typed("alice".to_owned()));
            let Evidence::Password(given) = login.evidence else {
                panic!("no password")
            };
            assert_eq!(given.as_bytes(), password);
            let step = conversation.answer(Ok(Verdict::Granted(proof())));
            let (step, _) = talk(&mut conversation, &mut peer, step, 1024);
            assert_key(&granted(step), &peer, label);
        }
    }
}

#[test]
fn a_user_who_types_is_given_time() {
    let site = Site::new();
    let mut peer = peap_gtc(site.client(VERSIONS[1]), b"alice", b"x");
    let mut conversation = site.conversation();
    let mut step = conversation.receive(&identity(), now());
    let mut waits = Vec::new();
    while let Step::Send(challenge) = &step {
        waits.push(challenge.patience);
        let said = peer.respond(&challenge.packet);
        step = conversation.receive(&said, now());
    }
    asked(step);
    let last = waits.pop().unwrap();
    assert!(last.is_some_and(|patience| patience >= Duration::from_secs(30)));
    assert!(waits.iter().all(Option::is_none));
}

#[test]
fn peap_tells_a_refused_peer_inside_before_it_fails() {
    for version in VERSIONS {
        let site = Site::new();
        let mut conversation = site.conversation();
        let mut peer = peap_gtc(site.client(version), b"alice", b"wrong");
        let first = conversation.receive(&identity(), now());
        let (step, _) = talk(&mut conversation, &mut peer, first, 1024);
        asked(step);
        let step = conversation.answer(Ok(Verdict::Refused(Refusal::WrongPassword)));
        assert!(matches!(step, Step::Send(_)));
        // Whatever it says to that, also that it ended well, it has failed.
        let (step, _) = talk(&mut conversation, &mut peer, step, 1024);
        assert_eq!(refused(step).1, Failure::Refused);
    }
}

#[test]
fn success_said_before_the_inner_method_succeeds_at_nothing() {
    let success = packet::response(1, kind::EXTENSIONS, &[0x80, 3, 0, 2, 0, 1]);
    let bare = success[4..].to_vec();
    for version in VERSIONS {
        for said in [success.clone(), bare.clone(), vec![3, 1, 0, 4]] {
            let site = Site::new();
            // In place of its identity, and in place of its password.
            for at in 0..2 {
                let said = said.clone();
                let mut turn = 0;
                let config = site.client(version);
                let mut peer = Peer::new(config, Method::Peap, 900, move |came| {
                    if came.is_empty() {
                        return None;
                    }
                    turn += 1;
                    Some(if turn > at {
                        said.clone()
                    } else {
                        vec![kind::IDENTITY, b'a']
                    })
                });
                let mut conversation = site.conversation();
                let first = conversation.receive(&identity(), now());
                let (step, _) = talk(&mut conversation, &mut peer, first, 1024);
                refused(step);
            }
        }
    }
}

#[test]
fn inner_packets_out_of_turn_or_for_another_method_end_it() {
    let site = Site::new();
    for said in [
        in_avp(&packet::response(3, kind::GTC, b"correct horse battery")),
        in_avp(&packet::request(3, kind::IDENTITY, b"alice")),
        in_avp(&packet::success(3)),
        in_avp(b"no packet"),
        in_avp(&packet::response(3, kind::NAK, &[26])),
    ] {
        let mut peer = saying(&site, VERSIONS[1], Method::Ttls, 900, said);
        let mut conversation = site.conversation();
        let first = conversation.receive(&identity(), now());
        let (step, _) = talk(&mut conversation, &mut peer, first, 1024);
        refused(step);
    }
}

/// A TTLS peer with PAP that keeps its sessions in that configuration, and says its password each
/// time it is asked to.
fn returning(config: &Arc<rustls::ClientConfig>, method: Method) -> Peer {
    let config = Arc::clone(config);
    match method {
        Method::Ttls => {
            let mut said = Some(pap(b"alice", b"correct horse battery"));
            Peer::new(config, method, 900, move |came| {
                if came == [0] { None } else { said.take() }
            })
        }
        Method::Peap => peap_gtc(config, b"alice", b"correct horse battery"),
        Method::Tls => certified(config, 900).0,
    }
}

/// One conversation of a peer that takes its session up where it can: what was asked, and the end.
fn once(site: &Site, peer: &mut Peer, verdict: Verdict) -> (Login, Result<Granted, Failure>) {
    let mut conversation = site.conversation();
    let first = conversation.receive(&identity(), now());
    let (step, _) = talk(&mut conversation, peer, first, 1024);
    let login = asked(step);
    let step = conversation.answer(Ok(verdict));
    let (step, _) = talk(&mut conversation, peer, step, 1024);
    let end = match step {
        Step::Done(Outcome::Granted(granted)) => Ok(*granted),
        step => Err(refused(step).1),
    };
    (login, end)
}

#[test]
fn a_session_is_taken_up_again_on_the_ground_it_was_granted_on() {
    for version in VERSIONS {
        for method in [Method::Ttls, Method::Peap] {
            let site = Site::new();
            let config = site.client(version);
            let mut peer = returning(&config, method);
            let (login, end) = once(&site, &mut peer, Verdict::Granted(proof()));
            assert!(matches!(login.evidence, Evidence::Password(_)));
            end.unwrap();
            // More than once: each time it is asked about anew.
            for _ in 0..3 {
                // The peer knows that it may be spared its password, and waits.
                let mut peer = match method {
                    Method::Ttls => Peer::new(Arc::clone(&config), method, 900, |_| None),
                    Method::Peap | Method::Tls => returning(&config, method),
                };
                let (login, end) = once(&site, &mut peer, Verdict::Granted(proof()));
                let Evidence::Resumed(ground) = login.evidence else {
                    panic!("{version:?} {method}: not taken up again")
                };
                assert_eq!(ground, proof().resumption_grant());
                assert_eq!(login.claim, Claim::Typed("alice".to_owned()));
                assert_key(&end.unwrap(), &peer, method.label());
            }
        }
    }
}

#[test]
fn a_session_whose_peer_was_refused_is_never_taken_up_again() {
    for version in VERSIONS {
        for method in [Method::Ttls, Method::Peap] {
            let site = Site::new();
            let config = site.client(version);
            for _ in 0..3 {
                let mut peer = returning(&config, method);
                let verdict = Verdict::Refused(Refusal::WrongPassword);
                let (login, end) = once(&site, &mut peer, verdict);
                // CVE-2017-9148: its TLS session was whole, and it must bring its password again.
                assert!(matches!(login.evidence, Evidence::Password(_)));
                assert_eq!(end.unwrap_err(), Failure::Refused);
            }
            assert!(site.settings.resumption.as_ref().unwrap().is_empty());
        }
    }
}

#[test]
fn a_session_whose_peer_never_said_who_it_is_is_never_taken_up_again() {
    for version in VERSIONS {
        let site = Site::new();
        let config = site.client(version);
        // The handshake ends and the peer goes silent.
        let mut peer = Peer::new(Arc::clone(&config), Method::Ttls, 900, |_| None);
        let mut conversation = site.conversation();
        let first = conversation.receive(&identity(), now());
        let (step, _) = talk(&mut conversation, &mut peer, first, 1024);
        refused(step);
        assert!(!peer.tls.is_handshaking());
        let mut peer = returning(&config, Method::Ttls);
        let (login, _) = once(&site, &mut peer, Verdict::Granted(proof()));
        assert!(matches!(login.evidence, Evidence::Password(_)));
    }
}

#[test]
fn a_session_whose_ground_is_gone_is_refused_and_forgotten() {
    for version in VERSIONS {
        let site = Site::new();
        let config = site.client(version);
        let mut peer = returning(&config, Method::Peap);
        once(&site, &mut peer, Verdict::Granted(proof())).1.unwrap();
        let mut peer = returning(&config, Method::Peap);
        let verdict = Verdict::Refused(Refusal::Locked);
        let (login, end) = once(&site, &mut peer, verdict);
        assert!(matches!(login.evidence, Evidence::Resumed(_)));
        assert_eq!(end.unwrap_err(), Failure::Refused);
        let mut peer = returning(&config, Method::Peap);
        let (login, _) = once(&site, &mut peer, Verdict::Granted(proof()));
        assert!(matches!(login.evidence, Evidence::Password(_)));
    }
}

#[test]
fn a_peer_that_takes_a_session_up_and_brings_its_password_all_the_same_is_asked_by_it() {
    // TLS 1.3 lets it say the password with the end of the handshake.
    let site = Site::new();
    let config = site.client(VERSIONS[1]);
    for _ in 0..2 {
        let mut peer = returning(&config, Method::Ttls);
        let (login, end) = once(&site, &mut peer, Verdict::Granted(proof()));
        assert!(matches!(login.evidence, Evidence::Password(_)));
        end.unwrap();
    }
}

#[test]
fn sessions_are_not_kept_where_none_may_be() {
    for version in VERSIONS {
        let site = Site::with(|settings| settings.resumption = None);
        let config = site.client(version);
        for _ in 0..2 {
            let mut peer = returning(&config, Method::Peap);
            let (login, end) = once(&site, &mut peer, Verdict::Granted(proof()));
            assert!(matches!(login.evidence, Evidence::Password(_)));
            end.unwrap();
        }
    }
}

#[test]
fn every_refusal_is_the_same_packet() {
    let site = Site::new();
    for version in VERSIONS {
        let mut packets = Vec::new();
        for verdict in [
            Verdict::Refused(Refusal::WrongPassword),
            Verdict::Refused(Refusal::Locked),
            Verdict::Refused(Refusal::UnknownUser),
            Verdict::ChangeOnly(proofs::change_proof(
                AccountId::from_uuid(uuid::Uuid::nil()),
                "mona",
            )),
        ] {
            let mut conversation = site.conversation();
            let mut peer = ttls(&site, version);
            let first = conversation.receive(&identity(), now());
            let (step, _) = talk(&mut conversation, &mut peer, first, 1024);
            asked(step);
            let (packet, failure) = refused(conversation.answer(Ok(verdict)));
            assert_eq!(failure, Failure::Refused);
            packets.push(packet);
        }
        packets.dedup();
        assert_eq!(packets.len(), 1);
    }
}

#[test]
fn a_question_without_verdict_is_kept_and_asked_again_by_the_same_packet_alone() {
    let site = Site::new();
    let mut conversation = site.conversation();
    let mut peer = ttls(&site, VERSIONS[0]);
    let first = conversation.receive(&identity(), now());
    let (step, said) = talk(&mut conversation, &mut peer, first, 1024);
    asked(step);
    for undecided in [Undecided::Busy, Undecided::Unavailable("down".to_owned())] {
        let step = conversation.answer(Err(undecided.clone()));
        assert!(matches!(step, Step::Unanswered(kept) if kept == undecided));
        let mut other = said.clone();
        *other.last_mut().unwrap() ^= 1;
        let step = conversation.receive(&other, now());
        assert!(matches!(step, Step::Discard(Discarded::NotWaitedFor)));
        let again = asked(conversation.receive(&said, now()));
        assert_eq!(again.claim, Claim::Typed("alice".to_owned()));
    }
    granted(conversation.answer(Ok(Verdict::Granted(proof()))));
}

#[test]
fn a_nas_may_let_us_begin() {
    let site = Site::new();
    let mut conversation = site.conversation();
    let mut peer = ttls(&site, VERSIONS[1]);
    let first = conversation.receive(&[], now());
    let (step, _) = talk(&mut conversation, &mut peer, first, 1024);
    asked(step);
}

#[test]
fn a_peer_that_wants_nothing_that_is_enabled_fails() {
    let site = Site::new();
    for nak in [&[][..], &[0], &[4, 26], &[kind::TTLS], &[254]] {
        let mut conversation = site.conversation();
        let Step::Send(offer) = conversation.receive(&identity(), now()) else {
            panic!("no offer")
        };
        let nak = packet::response(offer.packet[1], kind::NAK, nak);
        let (_, failure) = refused(conversation.receive(&nak, now()));
        assert_eq!(failure, Failure::NoCommonMethod);
    }
}

#[test]
fn what_is_not_waited_for_is_ignored() {
    let site = Site::new();
    let mut conversation = site.conversation();
    let Step::Send(offer) = conversation.receive(&identity(), now()) else {
        panic!("no offer")
    };
    let identifier = offer.packet[1];
    for packet in [
        packet::response(identifier.wrapping_add(1), kind::TTLS, &[0]),
        packet::request(identifier, kind::TTLS, &[0]),
        packet::success(identifier).to_vec(),
        vec![2, identifier],
        Vec::new(),
    ] {
        let step = conversation.receive(&packet, now());
        assert!(matches!(step, Step::Discard(_)), "{packet:?}");
    }
    let mut peer = ttls(&site, VERSIONS[1]);
    let said = peer.respond(&offer.packet);
    let step = conversation.receive(&said, now());
    let (step, _) = talk(&mut conversation, &mut peer, step, 1024);
    asked(step);
}

#[test]
fn a_peer_that_distrusts_the_certificate_fails_and_its_alert_is_told() {
    let site = Site::new();
    let other = Site::new();
    for version in VERSIONS {
        let mut conversation = site.conversation();
        let mut peer = ttls(&other, version);
        let first = conversation.receive(&identity(), now());
        let (step, _) = talk(&mut conversation, &mut peer, first, 1024);
        let (_, failure) = refused(step);
        assert!(matches!(failure, Failure::Tls(text) if text.contains("alert")));
    }
}

#[test]
fn octets_that_are_no_tls_get_an_alert_and_then_the_failure() {
    let site = Site::new();
    let mut conversation = site.conversation();
    let Step::Send(offer) = conversation.receive(&identity(), now()) else {
        panic!("no offer")
    };
    let noise = packet::response(offer.packet[1], kind::TTLS, b"\0this is not TLS");
    let Step::Send(alert) = conversation.receive(&noise, now()) else {
        panic!("no alert")
    };
    // A TLS record of the alert type.
    assert_eq!(alert.packet[6], 21);
    let acknowledged = packet::response(alert.packet[1], kind::TTLS, &[0]);
    let (_, failure) = refused(conversation.receive(&acknowledged, now()));
    assert!(matches!(failure, Failure::Tls(_)));
}

#[test]
fn octets_while_ours_are_still_being_sent_end_it() {
    let site = Site::with(|settings| settings.fragment_size = 100);
    let mut conversation = site.conversation();
    let mut peer = ttls(&site, VERSIONS[1]);
    let Step::Send(offer) = conversation.receive(&identity(), now()) else {
        panic!("no offer")
    };
    let hello = peer.respond(&offer.packet);
    let Step::Send(fragment) = conversation.receive(&hello, now()) else {
        panic!("no fragment")
    };
    assert!(fragment.packet[5] & 0x40 != 0, "more is to come");
    let octets = packet::response(fragment.packet[1], kind::TTLS, &[0, 22, 3, 3]);
    let (_, failure) = refused(conversation.receive(&octets, now()));
    assert_eq!(failure, Failure::OutOfTurn);
}

#[test]
fn fragments_without_end_end_it() {
    let site = Site::new();
    let mut conversation = site.conversation();
    let mut step = conversation.receive(&identity(), now());
    // One octet at a time of a message that is said to be long.
    let mut data = vec![0xc0, 0, 1, 0, 0, 22];
    for _ in 0..400 {
        let Step::Send(challenge) = &step else { break };
        let packet = packet::response(challenge.packet[1], kind::TTLS, &data);
        step = conversation.receive(&packet, now());
        data = vec![0x40, 22];
    }
    let (_, failure) = refused(step);
    assert_eq!(failure, Failure::TooLong);
}

#[test]
fn nothing_shown_holds_a_name_or_a_password() {
    let login = Login::new(b"hunter2", Evidence::password(b"hunter2"));
    let shown = format!("{login:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
}
