//! A true server on loopback with an authenticator that lets nobody in: proofs cannot be made
//! outside the crate, where `crates/ldap/src/tests.rs` tests what they open.

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use doorward_domain::id::{AccountId, GroupId, SudoRuleId};
use doorward_domain::name::{ListenerName, ResourceName};
use doorward_domain::names::{Members, NameList, Portion};
use doorward_domain::resource::AccessContext;
use doorward_domain::secret::Password;
use doorward_domain::time::{Clock, Monotonic, Now, Timestamp};
use doorward_frontend_api::{
    Answer, Attempt, Authenticated, AuthenticatedService, ChangeProof, Decide, Refusal,
    ServiceAttempt, ServiceVerdict, Undecided, Verdict,
};
use doorward_frontend_api::{
    ChangeOwnPassword, Changed, Group, GroupQuery, NotChanged, Owner, Person, PersonQuery, Read,
    SudoQuery, SudoRole, Viewer,
};
use doorward_ldap::{Caps, Gate, Searches, Server, Services, TlsSource};
use doorward_ldap_protocol::dn::DistinguishedName;
use doorward_ldap_protocol::settings::{PlaintextBind, Settings, TlsMode};
use doorward_ldap_protocol::tree::Tree;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::client::Client;

/// Refuses everybody, and counts.
#[derive(Default)]
pub(crate) struct Nobody {
    pub(crate) attempts: Mutex<Vec<Attempt>>,
    pub(crate) service_attempts: Mutex<Vec<ServiceAttempt>>,
    pub(crate) undecided: Mutex<Option<Undecided>>,
    reads: AtomicUsize,
}

impl Nobody {
    pub(crate) fn asked(&self) -> usize {
        self.attempts.lock().unwrap().len() + self.service_attempts.lock().unwrap().len()
    }

    fn broken(&self) -> Result<(), Undecided> {
        self.undecided.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

impl Decide for Nobody {
    fn decide(&self, attempt: Attempt) -> Answer<'_, Result<Verdict, Undecided>> {
        self.attempts.lock().unwrap().push(attempt);
        Box::pin(async {
            self.broken()?;
            Ok(Verdict::Refused(Refusal::WrongPassword))
        })
    }

    fn decide_service(
        &self,
        attempt: ServiceAttempt,
    ) -> Answer<'_, Result<ServiceVerdict, Undecided>> {
        self.service_attempts.lock().unwrap().push(attempt);
        Box::pin(async {
            self.broken()?;
            Ok(ServiceVerdict::Refused(Refusal::WrongPassword))
        })
    }

    fn still_granted<'a>(&'a self, _: &'a Authenticated) -> Answer<'a, Result<bool, Undecided>> {
        Box::pin(async { Ok(false) })
    }

    fn still_change_only<'a>(&'a self, _: &'a ChangeProof) -> Answer<'a, Result<bool, Undecided>> {
        Box::pin(async { Ok(false) })
    }

    fn still_bound<'a>(
        &'a self,
        _: &'a AuthenticatedService,
    ) -> Answer<'a, Result<bool, Undecided>> {
        Box::pin(async { Ok(false) })
    }
}

impl Read for Nobody {
    fn resource_asking(&self, _: &AccessContext) -> Option<ResourceName> {
        None
    }

    fn people<'a>(
        &'a self,
        _: Viewer<'a>,
        _: &'a AccessContext,
        _: &'a PersonQuery,
        _: Option<AccountId>,
        _: Portion,
        _: Now,
    ) -> Answer<'a, Result<Vec<Person>, Undecided>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(Vec::new()) })
    }

    fn groups<'a>(
        &'a self,
        _: Viewer<'a>,
        _: &'a GroupQuery,
        _: Option<GroupId>,
        _: Portion,
    ) -> Answer<'a, Result<Vec<Group>, Undecided>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(Vec::new()) })
    }

    fn groups_of<'a>(
        &'a self,
        _: Viewer<'a>,
        _: AccountId,
    ) -> Answer<'a, Result<NameList, Undecided>> {
        unreachable!("nobody has a viewer")
    }

    fn members_of<'a>(
        &'a self,
        _: Viewer<'a>,
        _: GroupId,
    ) -> Answer<'a, Result<Members, Undecided>> {
        unreachable!("nobody has a viewer")
    }

    fn sudo_roles<'a>(
        &'a self,
        _: Viewer<'a>,
        _: &'a SudoQuery,
        _: Option<SudoRuleId>,
        _: usize,
    ) -> Answer<'a, Result<Vec<SudoRole>, Undecided>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(Vec::new()) })
    }
}

impl ChangeOwnPassword for Nobody {
    fn change_own_password<'a>(
        &'a self,
        _: Owner<'a>,
        _: Password,
        _: Now,
    ) -> Answer<'a, Result<Changed, NotChanged>> {
        unreachable!("nobody has a proof")
    }
}

struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Now {
        Now {
            wall: Timestamp::from_millis(1_795_348_800_000),
            mono: Monotonic::default(),
            clock_suspect: false,
        }
    }
}

/// A certificate for `localhost`, and what a client needs to believe it.
struct Certificate {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl Certificate {
    fn new() -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let certificate: CertificateDer<'static> = made.cert.der().clone();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key.into())
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            server: Arc::new(server),
            client: Arc::new(client),
        }
    }
}

/// A server that runs until it is dropped.
pub(crate) struct Served {
    pub(crate) nobody: Arc<Nobody>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    certificate: Certificate,
    _runtime: Runtime,
}

pub(crate) type Protected = Client<StreamOwned<ClientConnection, TcpStream>>;

pub(crate) fn settings(tls: TlsMode) -> Settings {
    let base = DistinguishedName::parse("dc=example,dc=org").unwrap();
    let listener = ListenerName::parse("hosts").unwrap();
    Settings::new(listener, tls, Tree::new(base, "Example"))
}

impl Served {
    /// With StartTLS on offer, and passwords in the clear from loopback.
    pub(crate) fn new() -> Self {
        let mut settings = settings(TlsMode::StartTls);
        settings.plaintext_bind = PlaintextBind::Loopback;
        Self::with(settings)
    }

    pub(crate) fn with(settings: Settings) -> Self {
        Self::capped(settings, Caps::default())
    }

    pub(crate) fn capped(settings: Settings, caps: Caps) -> Self {
        let nobody = Arc::new(Nobody::default());
        let certificate = Certificate::new();
        let config = Arc::clone(&certificate.server);
        let tls: TlsSource = Arc::new(move |_| Some(Arc::clone(&config)));
        let clock: Arc<dyn Clock> = Arc::new(StoppedClock);
        let gate = Gate::new(caps, Arc::clone(&clock));
        let runtime = Runtime::new().unwrap();
        let services = Services {
            decide: Arc::clone(&nobody) as Arc<dyn Decide>,
            directory: Arc::clone(&nobody) as Arc<dyn Read>,
            searches: Searches::new(runtime.handle().clone(), 2),
            passwords: Arc::clone(&nobody) as Arc<dyn ChangeOwnPassword>,
            clock,
            tls,
            gate: Arc::clone(&gate),
            watch: doorward_observe::watch::Watch::default(),
        };
        let socket = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = socket.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        runtime.spawn(Server::new(settings, services).serve(vec![socket], shutdown.clone()));
        Self {
            nobody,
            gate,
            address,
            shutdown,
            certificate,
            _runtime: runtime,
        }
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// Does a TLS handshake on what the client has.
    pub(crate) fn protect(&self, client: Client) -> Protected {
        let name = ServerName::try_from("localhost").unwrap();
        let session = ClientConnection::new(Arc::clone(&self.certificate.client), name).unwrap();
        Client::over(StreamOwned::new(session, client.stream))
    }
}
