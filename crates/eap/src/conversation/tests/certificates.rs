//! EAP-TLS (RFC 5216, RFC 9190).

use std::io::Write as _;
use std::sync::Mutex;

use super::*;
use doorward_domain::user_certificate::{NamedBy, UserCertificate};
use doorward_fixtures::proofs;

fn certificate_of(login: &Login) -> Arc<UserCertificate> {
    match &login.evidence {
        Evidence::Certificate(certificate) => Arc::clone(certificate),
        other => panic!("{other:?}"),
    }
}

fn is_v13(version: &SupportedProtocolVersion) -> bool {
    version.version == rustls::ProtocolVersion::TLSv1_3
}

/// Until the authenticator is asked, or the conversation ends before.
fn until_asked(site: &Site, peer: &mut Peer, longest: usize) -> (Conversation, Step) {
    let mut conversation = site.conversation();
    let first = conversation.receive(&identity(), now());
    let (step, _) = talk(&mut conversation, peer, first, longest);
    (conversation, step)
}

#[test]
fn a_certificate_is_asked_about_and_succeeds_with_the_peer_s_key() {
    for version in VERSIONS {
        for size in [100, 250, 1400] {
            let site = Site::with(|settings| settings.fragment_size = size);
            let (mut peer, inside) = certified(site.device(version, "alice"), size - 5);
            let (mut conversation, step) = until_asked(&site, &mut peer, size);
            let login = asked(step);
            assert_eq!(login.claim, Claim::Typed("alice".to_owned()));
            let certificate = certificate_of(&login);
            assert_eq!(certificate.named_by, NamedBy::CommonName);
            assert_eq!(certificate.name.as_deref(), Some("alice"));
            assert_eq!(certificate.identity.subject(), "CN=alice");
            assert!(certificate.identity.serial().len() > 8);
            assert!(inside.lock().unwrap().is_empty(), "nothing said so far");

            let step = conversation.answer(Ok(Verdict::Granted(proof())));
            let (step, last) = talk(&mut conversation, &mut peer, step, size);
            let granted = granted(step);
            assert_eq!((granted.packet[0], granted.method), (3, Method::Tls));
            assert!(!granted.resumed);
            assert_key(&granted, &peer, b"client EAP encryption");
            // RFC 9190 §2.1.1: one octet says that nothing but success follows.
            let expected: &[u8] = if is_v13(version) { &[0] } else { &[] };
            assert_eq!(*inside.lock().unwrap(), expected);
            // Either end is acknowledged by an empty response.
            assert_eq!(&last[4..], [kind::TLS, 0]);
            let after = conversation.receive(&identity(), now());
            assert!(matches!(after, Step::Discard(_)));
        }
    }
}

#[test]
fn a_refused_certificate_gets_the_packet_that_everybody_gets() {
    for version in VERSIONS {
        for refusal in [Refusal::Suspended, Refusal::UnknownUser, Refusal::NotBound] {
            let site = Site::new();
            let (mut peer, inside) = certified(site.device(version, "alice"), 900);
            let (mut conversation, step) = until_asked(&site, &mut peer, 1024);
            asked(step);
            let step = conversation.answer(Ok(Verdict::Refused(refusal)));
            let (packet, failure) = refused(step);
            assert_eq!((packet[0], failure), (4, Failure::Refused));
            // It was never told that its handshake succeeded.
            assert!(inside.lock().unwrap().is_empty());
            assert_eq!(peer.tls.is_handshaking(), !is_v13(version));
        }
        let site = Site::new();
        let (mut peer, _) = certified(site.device(version, "alice"), 900);
        let (mut conversation, step) = until_asked(&site, &mut peer, 1024);
        asked(step);
        let account = AccountId::from_uuid(uuid::Uuid::nil());
        let change = Verdict::ChangeOnly(proofs::change_proof(account, "alice"));
        assert_eq!(refused(conversation.answer(Ok(change))).1, Failure::Refused);
    }
}

#[test]
fn a_certificate_of_nobody_is_asked_about_all_the_same() {
    let site = Site::new();
    let (mut peer, _) = certified(site.device(VERSIONS[1], ""), 900);
    let (_, step) = until_asked(&site, &mut peer, 1024);
    let login = asked(step);
    // What it is refused for is the authenticator's to say, and to write down.
    assert!(matches!(login.claim, Claim::Malformed(_)));
}

#[test]
fn a_peer_without_a_certificate_or_with_another_ca_s_gets_an_alert() {
    for version in VERSIONS {
        let site = Site::new();
        let stranger = Site::new();
        for config in [site.client(version), {
            // It trusts this server, and has its certificate from elsewhere.
            let mut config = (*stranger.device(version, "alice")).clone();
            config.dangerous().set_certificate_verifier(verifier(&site));
            Arc::new(config)
        }] {
            let (mut peer, _) = certified(config, 900);
            let (_, step) = until_asked(&site, &mut peer, 1024);
            let (_, failure) = refused(step);
            assert!(matches!(failure, Failure::Tls(_)), "{failure}");
            // The last it heard was a TLS record of the alert type, told in TLS 1.2 in the clear.
            if !is_v13(version) {
                let place = peer.heard.len() - 7;
                assert_eq!(peer.heard[place], 21);
            }
        }
    }
}

fn verifier(site: &Site) -> Arc<dyn rustls::client::danger::ServerCertVerifier> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    rustls::client::WebPkiServerVerifier::builder_with_provider(Arc::clone(&site.roots), provider)
        .build()
        .unwrap()
}

#[test]
fn no_session_is_kept_and_none_of_another_method_counts() {
    for version in VERSIONS {
        let site = Site::new();
        let config = site.device(version, "alice");
        for _ in 0..3 {
            let (mut peer, _) = certified(Arc::clone(&config), 900);
            let (login, end) = once(&site, &mut peer, Verdict::Granted(proof()));
            certificate_of(&login);
            assert_eq!(
                peer.tls.handshake_kind(),
                Some(rustls::HandshakeKind::Full),
                "{version:?}"
            );
            end.unwrap();
        }
        assert!(site.settings.resumption.as_ref().unwrap().is_empty());
        // A session that a password made is none that a certificate would have.
        let mut peer = returning(&config, Method::Ttls);
        once(&site, &mut peer, Verdict::Granted(proof())).1.unwrap();
        assert!(!site.settings.resumption.as_ref().unwrap().is_empty());
        let (mut peer, _) = certified(Arc::clone(&config), 900);
        let (login, end) = once(&site, &mut peer, Verdict::Granted(proof()));
        certificate_of(&login);
        assert!(!end.unwrap().resumed);
    }
}

#[test]
fn words_inside_the_tunnel_are_none_of_this_method() {
    // TLS 1.3 lets a peer speak with the end of its handshake.
    let site = Site::new();
    let said = Mutex::new(Some(pap(b"alice", b"correct horse battery")));
    let config = site.device(VERSIONS[1], "alice");
    let mut peer = Peer::new(config, Method::Tls, 900, move |_| {
        said.lock().unwrap().take()
    });
    let (_, step) = until_asked(&site, &mut peer, 1024);
    assert_eq!(refused(step).1, Failure::OutOfTurn);
}

#[test]
fn the_last_word_of_the_server_is_acknowledged_by_nothing() {
    for version in VERSIONS {
        let site = Site::new();
        let (mut peer, _) = certified(site.device(version, "alice"), 900);
        let (mut conversation, step) = until_asked(&site, &mut peer, 1024);
        asked(step);
        let Step::Send(challenge) = conversation.answer(Ok(Verdict::Granted(proof()))) else {
            panic!("nothing to acknowledge")
        };
        // Whatever it says instead is no acknowledgement: here, an application's octets.
        let mut said = peer.respond(&challenge.packet);
        peer.tls.writer().write_all(b"more").unwrap();
        let mut octets = Vec::new();
        peer.tls.write_tls(&mut octets).unwrap();
        said.extend(octets);
        let data = &said[5..];
        let said = packet::response(challenge.packet[1], kind::TLS, data);
        let (_, failure) = refused(conversation.receive(&said, now()));
        assert_eq!(failure, Failure::OutOfTurn);
    }
}

#[test]
fn it_is_offered_only_where_certificates_are_taken() {
    let site = Site::with(|settings| {
        settings.certificates = None;
        settings.methods = vec![Method::Tls, Method::Ttls];
    });
    let mut conversation = site.conversation();
    let Step::Send(offer) = conversation.receive(&identity(), now()) else {
        panic!("no offer")
    };
    assert_eq!(offer.packet[4], kind::TTLS);
    let nak = packet::response(offer.packet[1], kind::NAK, &[kind::TLS]);
    let (_, failure) = refused(conversation.receive(&nak, now()));
    assert_eq!(failure, Failure::NoCommonMethod);
}
