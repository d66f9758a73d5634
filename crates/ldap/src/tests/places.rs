//! A place belongs to who is bound there, and to nobody longer than that.

use std::io::Write as _;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::client::message;
use super::*;
use doorward_ldap_protocol::extended::START_TLS;

/// Room for a single connection.
fn full() -> Caps {
    Caps {
        connections: 1,
        ..Caps::default()
    }
}

impl Served {
    /// Whether somebody who comes now gets in.
    fn lets_in(&self) -> bool {
        let mut newcomer = self.connect();
        let asked = message(1, &extended(WHO_AM_I, None), &[]);
        newcomer.stream.write_all(&asked).is_ok() && newcomer.read().is_some()
    }
}

/// With a certificate that no handshake gets to see.
fn with_tls() -> Served {
    #[derive(Debug)]
    struct Nothing;
    impl ResolvesServerCert for Nothing {
        fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
            None
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Nothing));
    let config = Arc::new(config);
    let tls: TlsSource = Arc::new(move |_| Some(Arc::clone(&config)));
    Served::with_tls(World::new(), settings(), tls)
}

#[test]
fn whatever_ends_a_session_makes_its_place_a_strangers() {
    let unreadable = tlv(0x60, &[&[2, 1, 3, 4, 0], &[2, 1, 0][..]].concat());
    let who_am_i = extended(WHO_AM_I, None);
    for (name, ending, stands) in [
        ("an anonymous bind", bind("", ""), true),
        ("a failed bind", bind(ALICE, "wrong"), true),
        ("an unreadable bind", unreadable, true),
        ("StartTLS", extended(START_TLS, None), true),
        ("who does not stand asks who it is", who_am_i, false),
        (
            "who does not stand searches",
            Search::new("", Scope::Base).bytes(),
            false,
        ),
    ] {
        let served = with_tls();
        let mut first = served.bound_as(ALICE);
        served.gate.set_caps(full());
        assert!(!served.lets_in(), "before {name}");
        served.world.stands.store(stands, Ordering::SeqCst);
        first.send(&ending);
        assert!(first.read().is_some());
        assert!(served.lets_in(), "{name}");
    }
}

#[test]
fn a_session_that_stands_no_more_ends_where_nothing_is_asked_or_what_asks_for_nothing() {
    for silent in [true, false] {
        let mut quick = settings();
        quick.timeouts.look_again = Duration::from_millis(20);
        let served = Served::with(World::new(), quick);
        let mut first = served.bound_as(ALICE);
        served.gate.set_caps(full());
        let looks = || served.world.decisions.load(Ordering::SeqCst);
        let before = looks();
        eventually(|| looks() > before + 1);
        assert!(!served.lets_in(), "it stands");
        served.world.stands.store(false, Ordering::SeqCst);
        let before = looks();
        eventually(|| {
            if !silent {
                first.send(&abandon(77));
            }
            looks() > before
        });
        // The look has begun, and its outcome follows.
        eventually(|| served.lets_in());
        assert_eq!(served.world.attempts.lock().unwrap().len(), 1);
    }
}

fn eventually(mut holds: impl FnMut() -> bool) {
    for _ in 0..900 {
        if holds() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    panic!("it never held");
}
