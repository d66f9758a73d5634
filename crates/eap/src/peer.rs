//! A peer to test with: rustls's client behind EAP's framing. Tests of this module and of whatever
//! carries it share it.

use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, SupportedProtocolVersion,
};

use doorward_domain::time::{Monotonic, Now, Timestamp};
use doorward_domain::user_certificate::NamedBy;
use doorward_eap::avp::{self, Avp, code};
use doorward_eap::fragments::{ACKNOWLEDGEMENT, Assembly, Fragment, Outgoing, START_DATA};
use doorward_eap::packet::{self, Code, Packet, kind};
use doorward_eap::settings::Bounds;
use doorward_eap::{
    Conversation, InnerMethod, Method, Resumption, Settings, Step, UserCertificates,
};

/// Both versions of TLS.
pub(crate) const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

pub(crate) fn now() -> Now {
    at(100)
}

/// A moment, in seconds; certificates of these tests hold in every one.
pub(crate) fn at(seconds: u64) -> Now {
    Now {
        wall: Timestamp::from_millis(1_800_000_000_000 + i64::try_from(seconds).unwrap() * 1000),
        mono: Monotonic::from_start(Duration::from_secs(seconds)),
        clock_suspect: false,
    }
}

/// A server's settings and what its peers trust.
pub(crate) struct Site {
    pub(crate) settings: Arc<Settings>,
    pub(crate) roots: Arc<RootCertStore>,
    users: Issuer<'static, KeyPair>,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["radius.example".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let key: PrivateKeyDer<'_> = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let tls = || {
            ServerConfig::builder_with_provider(Arc::clone(&provider))
                .with_protocol_versions(&[&TLS13, &TLS12])
                .unwrap()
        };
        let (users, ca) = authority();
        let mut trusted = RootCertStore::empty();
        trusted.add(ca).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(trusted), Arc::clone(&provider));
        let with_users = tls()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(chain.clone(), PrivateKeyDer::clone_key(&key))
            .unwrap();
        let with_users = Arc::new(with_users);
        let tls = tls()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let mut settings = Settings {
            methods: Method::ALL.to_vec(),
            inner: InnerMethod::ALL.to_vec(),
            tls: Arc::new(tls),
            certificates: Some(UserCertificates::new(NamedBy::CommonName, move || {
                Some(Arc::clone(&with_users))
            })),
            fragment_size: Settings::DEFAULT_FRAGMENT_SIZE,
            resumption: Some(Arc::new(Resumption::new(Duration::from_hours(1)))),
            bounds: Bounds::default(),
        };
        change(&mut settings);
        Self {
            settings: Arc::new(settings),
            roots: Arc::new(roots),
            users,
        }
    }

    /// A user's device with a certificate under these common names.
    pub(crate) fn device(
        &self,
        version: &'static SupportedProtocolVersion,
        common: &str,
    ) -> Arc<ClientConfig> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.users).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(Arc::clone(&self.roots))
            .with_client_auth_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            );
        Arc::new(config.unwrap())
    }

    pub(crate) fn conversation(&self) -> Conversation {
        Conversation::new(Arc::clone(&self.settings), None)
    }

    /// A device without a certificate.
    pub(crate) fn client(&self, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(Arc::clone(&self.roots))
            .with_no_client_auth();
        Arc::new(config)
    }
}

/// A CA for users.
fn authority() -> (Issuer<'static, KeyPair>, CertificateDer<'static>) {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Users");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().der().clone();
    (Issuer::new(params, key), certificate)
}

/// What a peer does inside its tunnel, once it stands: it is given what came, and gives what it
/// says, if anything.
type Inside = Box<dyn FnMut(Vec<u8>) -> Option<Vec<u8>>>;

/// The peer.
pub(crate) struct Peer {
    pub(crate) tls: ClientConnection,
    pub(crate) method: u8,
    room: usize,
    assembly: Assembly,
    outgoing: Option<Outgoing>,
    inside: Inside,
    /// All that it heard of TLS.
    pub(crate) heard: Vec<u8>,
}

impl Peer {
    pub(crate) fn new(
        config: Arc<ClientConfig>,
        method: Method,
        room: usize,
        inside: impl FnMut(Vec<u8>) -> Option<Vec<u8>> + 'static,
    ) -> Self {
        let name = ServerName::try_from("radius.example").unwrap();
        Self {
            tls: ClientConnection::new(config, name).unwrap(),
            method: method.number(),
            room,
            assembly: Assembly::default(),
            outgoing: None,
            inside: Box::new(inside),
            heard: Vec::new(),
        }
    }

    /// The response to a request.
    pub(crate) fn respond(&mut self, request: &[u8]) -> Vec<u8> {
        let packet = Packet::parse(request).unwrap();
        assert_eq!(packet.code, Code::Request);
        let respond = |kind, data: &[u8]| packet::response(packet.identifier, kind, data);
        match packet.kind.unwrap() {
            kind::IDENTITY => respond(kind::IDENTITY, b"anonymous@example.org"),
            other if other != self.method => respond(kind::NAK, &[self.method]),
            method => {
                let data = self.answer(packet.data);
                respond(method, &data)
            }
        }
    }

    fn answer(&mut self, data: &[u8]) -> Vec<u8> {
        if data == START_DATA {
            return self.say();
        }
        let fragment = Fragment::parse(data).unwrap();
        if self.outgoing.is_some() {
            assert!(fragment.is_acknowledgement());
            return self.next();
        }
        let Some(message) = self.assembly.push(&fragment).unwrap() else {
            return ACKNOWLEDGEMENT.to_vec();
        };
        self.heard.extend_from_slice(&message);
        let mut rest = message.as_slice();
        while !rest.is_empty() {
            self.tls.read_tls(&mut rest).unwrap();
            if self.tls.process_new_packets().is_err() {
                return self.say();
            }
        }
        if !self.tls.is_handshaking() {
            let mut came = Vec::new();
            let _ = self.tls.reader().read_to_end(&mut came);
            if let Some(said) = (self.inside)(came) {
                self.tls.writer().write_all(&said).unwrap();
            }
        }
        self.say()
    }

    /// What TLS wants sent, as the data of a response.
    pub(crate) fn say(&mut self) -> Vec<u8> {
        let mut octets = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut octets).unwrap();
        }
        if octets.is_empty() {
            return ACKNOWLEDGEMENT.to_vec();
        }
        self.outgoing = Some(Outgoing::new(octets, self.room));
        self.next()
    }

    fn next(&mut self) -> Vec<u8> {
        let outgoing = self.outgoing.as_mut().unwrap();
        let data = outgoing.next_data();
        if outgoing.is_sent() {
            self.outgoing = None;
        }
        data
    }
}

/// Lets the two talk until the conversation asks or ends. Gives the last packet of the peer's too.
pub(crate) fn talk(
    conversation: &mut Conversation,
    peer: &mut Peer,
    first: Step,
    longest: usize,
) -> (Step, Vec<u8>) {
    let mut step = first;
    let mut said = Vec::new();
    for _ in 0..300 {
        let Step::Send(challenge) = &step else {
            return (step, said);
        };
        assert!(challenge.packet.len() <= longest);
        said = peer.respond(&challenge.packet);
        step = conversation.receive(&said, now());
    }
    panic!("no end")
}

/// The peer's identity, with which a NAS begins.
pub(crate) fn identity() -> Vec<u8> {
    packet::response(7, kind::IDENTITY, b"anonymous@example.org")
}

/// What a TTLS peer with PAP says inside its tunnel.
pub(crate) fn pap(name: &[u8], password: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (code, data) in [(code::USER_NAME, name), (code::USER_PASSWORD, password)] {
        let avp = Avp {
            code,
            vendor: None,
            mandatory: true,
            data,
        };
        avp::push(&mut bytes, &avp);
    }
    bytes
}

/// A peer that says one thing inside its tunnel, as soon as it stands.
pub(crate) fn saying(
    site: &Site,
    version: &'static SupportedProtocolVersion,
    method: Method,
    room: usize,
    said: Vec<u8>,
) -> Peer {
    let mut said = Some(said);
    Peer::new(site.client(version), method, room, move |_| said.take())
}

/// Wraps an EAP packet as a TTLS peer does.
pub(crate) fn in_avp(packet: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let avp = Avp {
        code: code::EAP_MESSAGE,
        vendor: None,
        mandatory: true,
        data: packet,
    };
    avp::push(&mut bytes, &avp);
    bytes
}

/// A TTLS peer with GTC inside.
pub(crate) fn ttls_gtc(
    site: &Site,
    version: &'static SupportedProtocolVersion,
    name: &'static [u8],
    password: &'static [u8],
) -> Peer {
    let mut begun = false;
    Peer::new(site.client(version), Method::Ttls, 900, move |came| {
        if came.is_empty() {
            let first = !std::mem::replace(&mut begun, true);
            return first.then(|| in_avp(&packet::response(3, kind::IDENTITY, name)));
        }
        let avps = avp::parse(&came).unwrap();
        let asked = Packet::parse(avps[0].data).unwrap();
        assert_eq!(asked.kind, Some(kind::GTC));
        let said = packet::response(asked.identifier, kind::GTC, password);
        Some(in_avp(&said))
    })
}

/// An EAP-TLS peer; gives what came inside its tunnel too.
pub(crate) fn certified(config: Arc<ClientConfig>, room: usize) -> (Peer, Arc<Mutex<Vec<u8>>>) {
    let inside = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&inside);
    let peer = Peer::new(config, Method::Tls, room, move |came| {
        kept.lock().unwrap().extend(came);
        None
    });
    (peer, inside)
}

/// A PEAP peer with GTC inside, which agrees that it ended well.
pub(crate) fn peap_gtc(
    config: Arc<ClientConfig>,
    name: &'static [u8],
    password: &'static [u8],
) -> Peer {
    Peer::new(config, Method::Peap, 900, move |came| {
        match came.as_slice() {
            [] => None,
            [kind::IDENTITY] => Some([&[kind::IDENTITY][..], name].concat()),
            [kind::GTC, ..] => Some([&[kind::GTC][..], password].concat()),
            told => {
                let asked = Packet::parse(told).unwrap();
                assert_eq!(asked.kind, Some(kind::EXTENSIONS));
                Some(packet::response(
                    asked.identifier,
                    kind::EXTENSIONS,
                    asked.data,
                ))
            }
        }
    })
}
