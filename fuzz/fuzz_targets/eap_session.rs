//! One EAP conversation: packets as they come, or a TLS peer, with a certificate where it is asked
//! for one, that says inside its tunnel what the input says. Never a panic, never success without the authenticator's proof, never a packet
//! longer than allowed.
#![no_main]

use std::io::Write as _;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use doorward_frontend_api::{Refusal, Undecided, Verdict};
use doorward_domain::time::{Monotonic, Now, Timestamp};
use doorward_domain::user_certificate::NamedBy;
use doorward_eap::fragments::{ACKNOWLEDGEMENT, Assembly, Fragment, Outgoing, START_DATA};
use doorward_eap::packet;
use doorward_eap::packet::{Packet, kind};
use doorward_eap::settings::Bounds;
use doorward_eap::{Conversation, InnerMethod, Journal, Method, Outcome, Resumption, Settings, Step, UserCertificates};
use doorward_radius_protocol::narration;
use libfuzzer_sys::fuzz_target;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig};

const LONGEST: usize = 600;
const NOW: Now = Now {
    wall: Timestamp::from_millis(1_800_000_000_000),
    mono: Monotonic::from_start(Duration::from_secs(100)),
    clock_suspect: false,
};

static SITE: LazyLock<(Arc<Settings>, [Arc<ClientConfig>; 2])> = LazyLock::new(|| {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["radius.example".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let tls = || {
        ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .unwrap()
    };
    let own = || {
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        (vec![certificate.der().clone()], key)
    };
    // The user's certificate vouches for itself.
    let mut user = rcgen::CertificateParams::default();
    user.distinguished_name
        .push(rcgen::DnType::CommonName, "alice");
    let user_key = rcgen::KeyPair::generate().unwrap();
    let user = user.self_signed(&user_key).unwrap();
    let mut users = RootCertStore::empty();
    users.add(user.der().clone()).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(users), Arc::clone(&provider));
    let (chain, private) = own();
    let certified = tls()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(chain, private)
        .unwrap();
    let certified = Arc::new(certified);
    let (chain, private) = own();
    let plain = tls()
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .unwrap();
    let settings = Settings {
        methods: Method::ALL.to_vec(),
        inner: InnerMethod::ALL.to_vec(),
        tls: Arc::new(plain),
        certificates: Some(UserCertificates::new(NamedBy::CommonName, move || {
            Some(Arc::clone(&certified))
        })),
        fragment_size: LONGEST,
        resumption: Some(Arc::new(Resumption::new(Duration::from_hours(1)))),
        bounds: Bounds::default(),
    };
    let roots = Arc::new(roots);
    let clients = [&TLS12, &TLS13].map(|version| {
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(Arc::clone(&roots))
            .with_client_auth_cert(
                vec![user.der().clone()],
                PrivatePkcs8KeyDer::from(user_key.serialize_der()).into(),
            );
        Arc::new(config.unwrap())
    });
    (Arc::new(settings), clients)
});

/// A conversation that somebody watches.
fn watched() -> Conversation {
    let mut conversation = Conversation::new(Arc::clone(&SITE.0), None);
    conversation.listen(Journal::open(1));
    conversation
}

/// Answers questions without ever granting; gives what comes of it.
fn settle(conversation: &mut Conversation, step: Step, busy: bool) -> Step {
    let step = match step {
        Step::Ask(_) if busy => {
            let step = conversation.answer(Err(Undecided::Busy));
            assert!(matches!(step, Step::Unanswered(_)));
            conversation.answer(Ok(Verdict::Refused(Refusal::WrongPassword)))
        }
        Step::Ask(_) => conversation.answer(Ok(Verdict::Refused(Refusal::WrongPassword))),
        step => step,
    };
    let _ = narration::notes(conversation.journal().take());
    match &step {
        Step::Send(challenge) => assert!(challenge.packet.len() <= LONGEST),
        Step::Done(Outcome::Granted(_)) => panic!("success without a proof"),
        _ => {}
    }
    step
}

/// The next few octets of the input, by a length in front of them.
fn piece<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (&length, tail) = rest.split_first()?;
    let (piece, tail) = tail.split_at(usize::from(length).min(tail.len()));
    *rest = tail;
    Some(piece)
}

fn packets(mut rest: &[u8]) {
    let mut conversation = watched();
    let mut identifier = 0;
    while let Some(piece) = piece(&mut rest) {
        // The first octet says whether the identifier is the one that is waited for.
        let octets = match piece.split_first() {
            Some((0, data)) => packet::response(
                identifier,
                data.first().copied().unwrap_or_default(),
                data.get(1..).unwrap_or_default(),
            ),
            _ => piece.to_vec(),
        };
        let step = conversation.receive(&octets, NOW);
        if let Step::Send(challenge) = settle(&mut conversation, step, true) {
            identifier = challenge.packet[1];
        }
    }
}

fn tunnel(choice: u8, mut rest: &[u8]) {
    let method = Method::ALL[usize::from(choice >> 2) % Method::ALL.len()];
    let config = Arc::clone(&SITE.1[usize::from(choice & 1)]);
    let name = ServerName::try_from("radius.example").unwrap();
    let mut tls = ClientConnection::new(config, name).unwrap();
    let mut conversation = watched();
    let mut assembly = Assembly::default();
    let mut outgoing: Option<Outgoing> = None;
    let mut step = conversation.receive(&packet::response(1, kind::IDENTITY, b"a"), NOW);
    for _ in 0..64 {
        let Step::Send(challenge) = &step else { return };
        let asked = Packet::parse(&challenge.packet).unwrap();
        let said = if asked.kind == Some(method.number()) {
            let mut whole = asked.data == START_DATA;
            if !whole && outgoing.is_none() {
                let fragment = Fragment::parse(asked.data).unwrap();
                if let Some(message) = assembly.push(&fragment).unwrap() {
                    whole = true;
                    let mut octets = message.as_slice();
                    while !octets.is_empty() {
                        tls.read_tls(&mut octets).unwrap();
                        if tls.process_new_packets().is_err() {
                            return;
                        }
                    }
                    if !tls.is_handshaking()
                        && let Some(piece) = piece(&mut rest)
                    {
                        tls.writer().write_all(piece).unwrap();
                    }
                }
            }
            if whole {
                let mut octets = Vec::new();
                while tls.wants_write() {
                    tls.write_tls(&mut octets).unwrap();
                }
                outgoing = (!octets.is_empty()).then(|| Outgoing::new(octets, LONGEST));
            }
            let data = match &mut outgoing {
                Some(sending) => sending.next_data(),
                None => ACKNOWLEDGEMENT.to_vec(),
            };
            if outgoing.as_ref().is_some_and(Outgoing::is_sent) {
                outgoing = None;
            }
            packet::response(asked.identifier, method.number(), &data)
        } else {
            packet::response(asked.identifier, kind::NAK, &[method.number()])
        };
        let next = conversation.receive(&said, NOW);
        step = settle(&mut conversation, next, choice & 2 != 0);
    }
}

fuzz_target!(|bytes: &[u8]| {
    match bytes.split_first() {
        Some((choice, rest)) if choice & 0x80 == 0 => tunnel(*choice, rest),
        Some((_, rest)) => packets(rest),
        None => {}
    }
});
