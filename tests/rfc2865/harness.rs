//! A server on loopback, clients of it, and an authenticator whose answers the test gives.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use doorward_domain::name::{ClientName, ResourceName};
use doorward_domain::refusal::Refusal;
use doorward_domain::resource::{AccessContext, ClientResources};
use doorward_domain::secret::Secret;
use doorward_domain::session::{Answered, Nas, SessionReport};
use doorward_domain::time::{Clock, Monotonic, Now, Timestamp};
use doorward_frontend_api::OnlineSessions;
use doorward_frontend_api::coa::{CoaScan, PendingCoa};
use doorward_frontend_api::{
    Answer, Attempt, Authenticated, AuthenticatedService, ChangeProof, Decide, DecideDevices,
    DeviceAttempt, DeviceVerdict, ServiceAttempt, ServiceVerdict, Undecided, Verdict,
};
use doorward_radius::{Handle, Listen, Server, Settings, radsec};
use doorward_radius_protocol::client::{ClientSettings, Clients};
use doorward_radius_protocol::transport::Service;
use doorward_radius_protocol::wire::{
    Authenticator, Code, Draft, Packet, Presence, check_reply, hide_password, kind,
};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

type Decision = Result<Verdict, Undecided>;

/// The identifier of the Status-Servers that [`Client::fence`] sends.
const FENCE: u8 = 0xfe;

pub(crate) fn secret() -> Secret {
    Secret::new(b"testing123 and more".to_vec())
}

/// One question the server asked; dropped unanswered it makes the authenticator panic.
pub(crate) struct Question {
    pub(crate) attempt: Attempt,
    answer: oneshot::Sender<Decision>,
}

impl Question {
    /// Nothing outside the authenticator can grant, so a test can only refuse.
    pub(crate) fn refuse(self, refusal: Refusal) {
        self.answer.send(Ok(Verdict::Refused(refusal))).unwrap();
    }

    pub(crate) fn undecided(self, undecided: Undecided) {
        self.answer.send(Err(undecided)).unwrap();
    }
}

/// A question about a device.
pub(crate) struct DeviceQuestion {
    pub(crate) attempt: DeviceAttempt,
    pub(crate) answer: oneshot::Sender<Result<DeviceVerdict, Undecided>>,
}

struct Told {
    devices: mpsc::UnboundedSender<DeviceQuestion>,
    reports: mpsc::UnboundedSender<Reported>,
    asked: AtomicUsize,
    questions: mpsc::UnboundedSender<Question>,
}

/// A report that the server wants recorded; dropped unanswered it makes the recorder panic.
pub(crate) struct Reported {
    /// What is reported; nothing where a NAS restarted.
    pub(crate) report: Option<SessionReport>,
    /// Answers whether it is safe.
    pub(crate) answer: oneshot::Sender<Result<(), Undecided>>,
}

impl Told {
    fn report(&self, report: Option<SessionReport>) -> Answer<'_, Result<(), Undecided>> {
        let (answer, answered) = oneshot::channel();
        self.reports.send(Reported { report, answer }).unwrap();
        Box::pin(async { answered.await.expect("the test panics the recorder") })
    }
}

impl OnlineSessions for Told {
    fn record_session<'a>(
        &'a self,
        report: SessionReport,
        _: &'a AccessContext,
    ) -> Answer<'a, Result<(), Undecided>> {
        self.report(Some(report))
    }

    fn no_longer_admitted(&self, _: Option<u64>, _: Now) -> Answer<'_, Result<CoaScan, Undecided>> {
        Box::pin(async {
            Ok(CoaScan {
                version: 0,
                pending: Vec::new(),
            })
        })
    }

    fn claim_disconnect<'a>(
        &'a self,
        _: &'a PendingCoa,
        _: Now,
    ) -> Answer<'a, Result<bool, Undecided>> {
        unreachable!("nothing is due")
    }

    fn disconnected<'a>(
        &'a self,
        _: &'a PendingCoa,
        _: Answered,
        _: Now,
    ) -> Answer<'a, Result<(), Undecided>> {
        unreachable!("nothing is due")
    }

    fn nas_restarted(&self, _: Nas, _: Timestamp) -> Answer<'_, Result<(), Undecided>> {
        self.report(None)
    }
}

impl DecideDevices for Told {
    fn decide_device(
        &self,
        attempt: DeviceAttempt,
    ) -> Answer<'_, Result<DeviceVerdict, Undecided>> {
        let (answer, answered) = oneshot::channel();
        self.devices
            .send(DeviceQuestion { attempt, answer })
            .unwrap();
        Box::pin(async { answered.await.expect("the test panics the authenticator") })
    }
}

impl Decide for Told {
    fn decide(&self, attempt: Attempt) -> Answer<'_, Decision> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let (answer, answered) = oneshot::channel();
        self.questions.send(Question { attempt, answer }).unwrap();
        Box::pin(async { answered.await.expect("the test panics the authenticator") })
    }

    fn decide_service(&self, _: ServiceAttempt) -> Answer<'_, Result<ServiceVerdict, Undecided>> {
        unreachable!("RADIUS binds no service account")
    }

    fn still_granted<'a>(&'a self, _: &'a Authenticated) -> Answer<'a, Result<bool, Undecided>> {
        unreachable!("RADIUS keeps no session")
    }

    fn still_change_only<'a>(&'a self, _: &'a ChangeProof) -> Answer<'a, Result<bool, Undecided>> {
        unreachable!("RADIUS keeps no session")
    }

    fn still_bound<'a>(
        &'a self,
        _: &'a AuthenticatedService,
    ) -> Answer<'a, Result<bool, Undecided>> {
        unreachable!("RADIUS keeps no session")
    }
}

struct Still;

impl Clock for Still {
    fn now(&self) -> Now {
        Now {
            wall: Timestamp::from_millis(1_800_000_000_000),
            mono: Monotonic::from_start(Duration::from_secs(100)),
            clock_suspect: false,
        }
    }
}

/// An entry's resources.
pub(crate) fn resources(client: &str) -> ClientResources {
    ClientResources {
        client: ClientName::parse(client).unwrap(),
        resource: ResourceName::parse("vpn").unwrap(),
        ssid: Vec::new(),
        ssid_default: None,
        mab: false,
    }
}

/// A running server; it stops when this is dropped.
pub(crate) struct Running {
    pub(crate) handle: Handle,
    told: Arc<Told>,
    questions: mpsc::UnboundedReceiver<Question>,
    devices: mpsc::UnboundedReceiver<DeviceQuestion>,
    reports: mpsc::UnboundedReceiver<Reported>,
    authentication: SocketAddr,
    accounting: SocketAddr,
    _stop: DropGuard,
}

impl Running {
    pub(crate) fn start() -> Self {
        Self::with(false, false)
    }

    /// A server that takes responses to challenges.
    pub(crate) fn checking_challenges() -> Self {
        Self::with(false, true)
    }

    /// A server whose client lets devices in by their address, or not.
    pub(crate) fn letting_devices_in(mab: bool) -> Self {
        Self::with(mab, false)
    }

    fn with(mab: bool, challenges: bool) -> Self {
        let resources = ClientResources {
            mab,
            ..resources("loopback")
        };
        let networks = ["127.0.0.1/32".parse().unwrap()];
        let client = ClientSettings::new(&networks, secret(), Arc::new(resources)).unwrap();
        let mut settings = Settings::new(Clients::new(vec![client]).unwrap());
        settings.challenges = challenges;
        Self::serving(settings, None)
    }

    /// With these settings, and connections of TLS.
    pub(crate) fn serving(settings: Settings, tls: Option<radsec::Listen>) -> Self {
        let (sender, questions) = mpsc::unbounded_channel();
        let (reporter, reports) = mpsc::unbounded_channel();
        let (device_sender, devices) = mpsc::unbounded_channel();
        let told = Arc::new(Told {
            devices: device_sender,
            reports: reporter,
            asked: AtomicUsize::new(0),
            questions: sender,
        });
        let listen = Listen {
            authentication: vec!["127.0.0.1:0".parse().unwrap()],
            accounting: vec!["127.0.0.1:0".parse().unwrap()],
            ..Listen::nowhere()
        };
        let decide: Arc<dyn Decide> = Arc::clone(&told) as _;
        let server = Server::bind(
            &listen,
            settings,
            decide,
            Arc::clone(&told) as _,
            Arc::clone(&told) as _,
            Arc::new(Still),
        )
        .unwrap();
        let server = match tls {
            Some(listen) => server.with_radsec(listen),
            None => server,
        };
        let addresses = server.addresses();
        let at = |wanted| {
            addresses
                .iter()
                .find(|(service, _)| *service == wanted)
                .unwrap()
                .1
        };
        let (authentication, accounting) = (at(Service::Authentication), at(Service::Accounting));
        let handle = server.handle();
        let stop = CancellationToken::new();
        tokio::spawn(server.run(stop.clone()));
        Self {
            handle,
            told,
            questions,
            devices,
            reports,
            authentication,
            accounting,
            _stop: stop.drop_guard(),
        }
    }

    pub(crate) async fn client(&self) -> Client {
        self.client_from("127.0.0.1:0").await
    }

    pub(crate) async fn client_from(&self, address: &str) -> Client {
        Client::connect(address, self.authentication).await
    }

    pub(crate) async fn accounting_client(&self) -> Client {
        Client::connect("127.0.0.1:0", self.accounting).await
    }

    /// The next question, once it is asked.
    pub(crate) async fn question(&mut self) -> Question {
        self.questions.recv().await.unwrap()
    }

    /// The next question, if it was asked already.
    pub(crate) fn question_now(&mut self) -> Option<Question> {
        self.questions.try_recv().ok()
    }

    /// The question of a request that is sent until it is decided once more: what was there of it is
    /// forgotten a moment after its answer, and a client would retransmit as well.
    pub(crate) async fn question_anew(&mut self, client: &Client, request: &[u8]) -> Question {
        for _ in 0..MOST_SENDS {
            client.send(request).await;
            client.fence().await;
            if let Some(question) = self.question_now() {
                return question;
            }
        }
        panic!("the request was not decided once more")
    }

    /// As [`Running::question_anew`], of a report.
    pub(crate) async fn report_anew(&mut self, client: &Client, request: &[u8]) -> Reported {
        for _ in 0..MOST_SENDS {
            client.send(request).await;
            client.fence().await;
            if let Some(reported) = self.report_now() {
                return reported;
            }
        }
        panic!("the report was not recorded once more")
    }

    /// The next question about a device, once it is asked.
    pub(crate) async fn device_question(&mut self) -> DeviceQuestion {
        self.devices.recv().await.unwrap()
    }

    /// The next report, once it is to be recorded.
    pub(crate) async fn report(&mut self) -> Reported {
        self.reports.recv().await.unwrap()
    }

    /// The next report, if it is to be recorded already.
    pub(crate) fn report_now(&mut self) -> Option<Reported> {
        self.reports.try_recv().ok()
    }

    /// How many questions were asked.
    pub(crate) fn asked(&self) -> usize {
        self.told.asked.load(Ordering::SeqCst)
    }
}

/// How often a request is sent until it is decided once more.
const MOST_SENDS: usize = 1000;

pub(crate) struct Client(UdpSocket);

impl Client {
    async fn connect(from: &str, to: SocketAddr) -> Self {
        let socket = UdpSocket::bind(from).await.unwrap();
        socket.connect(to).await.unwrap();
        Self(socket)
    }

    pub(crate) async fn send(&self, datagram: &[u8]) {
        self.0.send(datagram).await.unwrap();
    }

    pub(crate) async fn receive(&self) -> Vec<u8> {
        let mut buffer = vec![0; 4096];
        let length = self.0.recv(&mut buffer).await.unwrap();
        buffer.truncate(length);
        buffer
    }

    /// Sends a Status-Server and takes its answer, which must be the next datagram: whatever was
    /// sent before has been taken by then, and got no answer.
    pub(crate) async fn fence(&self) -> Vec<u8> {
        self.send(&status(FENCE)).await;
        let reply = self.receive().await;
        assert_eq!(reply[1], FENCE, "a reply where silence was due");
        check(&reply, &[FENCE; 16]);
        reply
    }

    /// Whether nothing has come.
    pub(crate) fn silent(&self) -> bool {
        self.0.try_recv(&mut [0; 64]).is_err()
    }
}

/// Checks both proofs of a reply, and that the Message-Authenticator stands first.
pub(crate) fn check(reply: &[u8], request: &Authenticator) {
    let packet = Packet::parse(reply).unwrap();
    assert_eq!(
        check_reply(&packet, request, &secret()),
        Ok(Presence::Verified)
    );
    assert_eq!(
        packet.attributes().next().unwrap().kind,
        kind::MESSAGE_AUTHENTICATOR
    );
}

pub(crate) fn hidden(password: &[u8], authenticator: &Authenticator) -> Vec<u8> {
    hide_password(password, authenticator, &secret()).unwrap()
}

pub(crate) fn seal(
    identifier: u8,
    authenticator: Authenticator,
    attributes: &[(u8, &[u8])],
) -> Vec<u8> {
    let mut draft = Draft::new(Code::AccessRequest, identifier);
    for (kind, value) in attributes {
        draft.push(*kind, value).unwrap();
    }
    draft.seal_request(&authenticator, &secret()).unwrap()
}

/// An Access-Request for alice whose authenticator repeats its identifier.
pub(crate) fn login(identifier: u8, password: &[u8]) -> Vec<u8> {
    let authenticator = [identifier; 16];
    let password = hidden(password, &authenticator);
    let attributes: [(u8, &[u8]); 2] = [
        (kind::USER_NAME, b"alice"),
        (kind::USER_PASSWORD, &password),
    ];
    seal(identifier, authenticator, &attributes)
}

/// A Status-Server whose authenticator repeats its identifier.
pub(crate) fn status(identifier: u8) -> Vec<u8> {
    Draft::new(Code::StatusServer, identifier)
        .seal_request(&[identifier; 16], &secret())
        .unwrap()
}
