//! What needs a granted verdict, which nothing outside this crate can make, or a look inside.
//! `tests/rfc2865` drives the server from outside.

mod connections;

use std::net::UdpSocket;

use super::*;
use doorward_domain::id::AccountId;
use doorward_domain::name::{ClientName, ResourceName};
use doorward_domain::resource::{AccessContext, ClientResources};
use doorward_domain::secret::Secret;
use doorward_domain::session::{Answered, Nas, SessionReport};
use doorward_domain::time::{Monotonic, Now, Timestamp};
use doorward_fixtures::proofs;
use doorward_frontend_api::coa::{CoaScan, PendingCoa};
use doorward_frontend_api::{
    Answer, Attempt, Authenticated, AuthenticatedService, ChangeProof, DeviceAttempt,
    ServiceAttempt, ServiceVerdict,
};
use doorward_observe::watch::{News, Topic};
use doorward_radius_protocol::wire::{
    Code, Draft, Packet, Presence, check_reply, hide_password, kind,
};

/// Grants everybody everything, once it is allowed to answer.
struct Grant(Semaphore);

impl Decide for Grant {
    fn decide(&self, _: Attempt) -> Answer<'_, Result<Verdict, Undecided>> {
        Box::pin(async {
            let _turn = self.0.acquire().await.unwrap();
            let account = AccountId::new(Timestamp::EPOCH);
            Ok(Verdict::Granted(proofs::authenticated(
                account,
                "Alice",
                Some("vpn"),
            )))
        })
    }

    fn decide_service(&self, _: ServiceAttempt) -> Answer<'_, Result<ServiceVerdict, Undecided>> {
        unreachable!()
    }

    fn still_granted<'a>(&'a self, _: &'a Authenticated) -> Answer<'a, Result<bool, Undecided>> {
        unreachable!()
    }

    fn still_change_only<'a>(&'a self, _: &'a ChangeProof) -> Answer<'a, Result<bool, Undecided>> {
        unreachable!()
    }

    fn still_bound<'a>(
        &'a self,
        _: &'a AuthenticatedService,
    ) -> Answer<'a, Result<bool, Undecided>> {
        unreachable!()
    }
}

impl DecideDevices for Grant {
    fn decide_device(&self, _: DeviceAttempt) -> Answer<'_, Result<DeviceVerdict, Undecided>> {
        unreachable!("no client lets devices in")
    }
}

impl OnlineSessions for Grant {
    fn record_session<'a>(
        &'a self,
        _: SessionReport,
        _: &'a AccessContext,
    ) -> Answer<'a, Result<(), Undecided>> {
        Box::pin(async { Ok(()) })
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
        unreachable!("nothing is pending")
    }

    fn disconnected<'a>(
        &'a self,
        _: &'a PendingCoa,
        _: Answered,
        _: Now,
    ) -> Answer<'a, Result<(), Undecided>> {
        unreachable!("nothing is pending")
    }

    fn nas_restarted(&self, _: Nas, _: Timestamp) -> Answer<'_, Result<(), Undecided>> {
        unreachable!()
    }
}

/// A clock that stands still.
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

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

fn settings(shared_secret: &str) -> Settings {
    let resources = ClientResources {
        client: ClientName::parse("gateway").unwrap(),
        resource: ResourceName::parse("vpn").unwrap(),
        ssid: Vec::new(),
        ssid_default: None,
        mab: false,
    };
    let networks = ["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
    let client = ClientSettings::new(&networks, secret(shared_secret), Arc::new(resources));
    Settings::new(Clients::new(vec![client.unwrap()]).unwrap())
}

struct Running {
    addresses: Vec<SocketAddr>,
    handle: Handle,
    grant: Arc<Grant>,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), ListenerFailed>>,
}

fn start(addresses: &[&str], turns: usize, max_in_flight: usize, settings: Settings) -> Running {
    let grant = Arc::new(Grant(Semaphore::new(turns)));
    let listen = Listen {
        authentication: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        accounting: vec!["127.0.0.1:0".parse().unwrap()],
        max_in_flight,
        ..Listen::nowhere()
    };
    let decide: Arc<dyn Decide> = Arc::clone(&grant) as _;
    let server = Server::bind(
        &listen,
        settings,
        decide,
        Arc::clone(&grant) as _,
        Arc::clone(&grant) as _,
        Arc::new(Still),
    )
    .unwrap();
    let addresses = server
        .addresses()
        .into_iter()
        .map(|(_, address)| address)
        .collect();
    let handle = server.handle();
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(server.run(shutdown.clone()));
    Running {
        addresses,
        handle,
        grant,
        shutdown,
        task,
    }
}

/// A client whose replies must come from the very address it sends to.
async fn client(server: SocketAddr) -> tokio::net::UdpSocket {
    let any = if server.is_ipv4() {
        "127.0.0.1:0"
    } else {
        "[::1]:0"
    };
    let socket = UdpSocket::bind(any).unwrap();
    socket.set_nonblocking(true).unwrap();
    let socket = tokio::net::UdpSocket::from_std(socket).unwrap();
    socket.connect(server).await.unwrap();
    socket
}

fn login(identifier: u8, shared_secret: &str) -> Vec<u8> {
    let mut draft = Draft::new(Code::AccessRequest, identifier);
    let authenticator = [identifier; 16];
    draft.push(kind::USER_NAME, b"alice").unwrap();
    let hidden = hide_password(b"a password", &authenticator, &secret(shared_secret)).unwrap();
    draft.push(kind::USER_PASSWORD, &hidden).unwrap();
    draft
        .seal_request(&authenticator, &secret(shared_secret))
        .unwrap()
}

fn status(identifier: u8, shared_secret: &str) -> Vec<u8> {
    let draft = Draft::new(Code::StatusServer, identifier);
    draft
        .seal_request(&[identifier; 16], &secret(shared_secret))
        .unwrap()
}

fn report(identifier: u8, shared_secret: &str) -> Vec<u8> {
    let mut draft = Draft::new(Code::AccountingRequest, identifier);
    draft.push(kind::ACCT_STATUS_TYPE, &[0, 0, 0, 1]).unwrap();
    draft.push(kind::ACCT_SESSION_ID, b"1A").unwrap();
    draft.push(kind::USER_NAME, b"alice").unwrap();
    draft.seal_signed(&secret(shared_secret)).unwrap()
}

async fn received(socket: &tokio::net::UdpSocket) -> Vec<u8> {
    let mut buffer = vec![0; 4096];
    let length = socket.recv(&mut buffer).await.unwrap();
    buffer.truncate(length);
    buffer
}

#[tokio::test]
async fn both_families_answer_from_the_address_they_were_asked_at() {
    let running = start(&["0.0.0.0:0", "[::]:0"], 9, 9, settings("s3cret"));
    let port = running.addresses[0].port();
    let port_v6 = running.addresses[1].port();
    let servers = [
        format!("127.0.0.1:{port}"),
        format!("127.0.0.53:{port}"),
        format!("[::1]:{port_v6}"),
    ];
    for server in servers {
        let socket = client(server.parse().unwrap()).await;
        socket.send(&login(1, "s3cret")).await.unwrap();
        // The socket is connected: a reply from another address would never arrive.
        let reply = received(&socket).await;
        let packet = Packet::parse(&reply).unwrap();
        assert_eq!(packet.code(), Code::AccessAccept, "{server}");
        let presence = check_reply(&packet, &[1; 16], &secret("s3cret"));
        assert_eq!(presence, Ok(Presence::Verified));
        assert_eq!(packet.first(kind::USER_NAME), Some(&b"Alice"[..]));
    }
    running.shutdown.cancel();
    running.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_reload_replaces_the_secret_and_spares_the_request_being_decided() {
    let running = start(&["127.0.0.1:0"], 0, 9, settings("old secret"));
    let socket = client(running.addresses[0]).await;
    socket.send(&login(1, "old secret")).await.unwrap();
    socket.send(&status(2, "old secret")).await.unwrap();
    assert_eq!(received(&socket).await[1], 2);
    running.handle.replace(settings("new secret"));
    running.grant.0.add_permits(1);
    let reply = received(&socket).await;
    let packet = Packet::parse(&reply).unwrap();
    assert_eq!(
        check_reply(&packet, &[1; 16], &secret("old secret")),
        Ok(Presence::Verified)
    );

    socket.send(&status(3, "old secret")).await.unwrap();
    socket.send(&status(4, "new secret")).await.unwrap();
    assert_eq!(received(&socket).await[1], 4);
}

#[tokio::test]
async fn shutting_down_waits_for_the_request_being_decided() {
    let running = start(&["127.0.0.1:0"], 0, 9, settings("s3cret"));
    let socket = client(running.addresses[0]).await;
    socket.send(&login(1, "s3cret")).await.unwrap();
    socket.send(&status(2, "s3cret")).await.unwrap();
    assert_eq!(received(&socket).await[1], 2);
    running.shutdown.cancel();
    running.grant.0.add_permits(1);
    running.task.await.unwrap().unwrap();
    let reply = received(&socket).await;
    assert_eq!(Packet::parse(&reply).unwrap().code(), Code::AccessAccept);
}

#[tokio::test]
async fn whoever_watches_is_told_each_step_and_no_secret() {
    use doorward_observe::watch::Step::{Dropped, Question, Reply, Request, Verdict};
    let running = start(&["127.0.0.1:0"], 9, 9, settings("s3cret"));
    let watch = running.handle.shared.watch.clone();
    let socket = client(running.addresses[0]).await;
    // Before anybody watches nothing is kept.
    socket.send(&login(1, "s3cret")).await.unwrap();
    received(&socket).await;
    let mut watching = watch.watch(Topic::Radius).unwrap();
    socket.send(&login(2, "other")).await.unwrap();
    socket.send(&login(3, "s3cret")).await.unwrap();
    received(&socket).await;
    let mut told = Vec::new();
    while told.len() < 6 {
        let News::Line(line) = watching.next().await else {
            panic!("lines were lost")
        };
        let name = |name: &doorward_observe::watch::Name| format!("<{}>", name.typed);
        let details = line.details.iter();
        let details = details.map(|one| format!("\n{} = {}", one.name, one.value.written(name)));
        let text = line.words.written(name) + &details.collect::<String>();
        for secret in ["s3cret", "other"] {
            assert!(!text.contains(secret), "{text}");
        }
        // It is what the question says of the evidence, too.
        assert!(
            line.step == Question || !text.contains("a password"),
            "{text}"
        );
        told.push((line.thread.number, line.step, text, line.advice.clone()));
    }
    let steps: Vec<_> = told.iter().map(|line| line.1).collect();
    assert_eq!(steps, [Request, Dropped, Request, Question, Verdict, Reply]);
    assert!(
        told[0]
            .2
            .contains("User-Name = <alice>\nUser-Password = hidden")
    );
    assert!(
        told[1].2.contains("message_authenticator_wrong"),
        "{}",
        told[1].2
    );
    assert!(told[1].3.as_ref().unwrap().contains("the secrets differ"));
    assert!(
        told[2].2.starts_with("Access-Request 3 from 127.0.0.1:"),
        "{}",
        told[2].2
    );
    assert!(
        told[3].2.starts_with("asked about <alice> with a password"),
        "{}",
        told[3].2
    );
    assert_eq!(told[4].2, "granted: <Alice>");
    assert!(told[5].2.starts_with("Access-Accept 3, "), "{}", told[5].2);
    assert_ne!(told[1].0, told[2].0, "each request is a story of its own");
    assert_eq!(told[2].0, told[5].0);
}

#[tokio::test]
async fn without_room_a_request_is_forgotten_and_its_retransmission_decided() {
    let running = start(&["127.0.0.1:0"], 0, 1, settings("s3cret"));
    let socket = client(running.addresses[0]).await;
    socket.send(&login(1, "s3cret")).await.unwrap();
    socket.send(&login(2, "s3cret")).await.unwrap();
    socket.send(&status(3, "s3cret")).await.unwrap();
    assert_eq!(received(&socket).await[1], 3);
    running.grant.0.add_permits(1);
    assert_eq!(received(&socket).await[1], 1);
    // The permit is given back a moment after the reply has left.
    let permits = Arc::clone(&running.handle.shared.permits);
    drop(permits.acquire().await.unwrap());
    socket.send(&login(2, "s3cret")).await.unwrap();
    assert_eq!(received(&socket).await[1], 2);
}

#[tokio::test]
async fn reports_and_logins_take_no_room_from_each_other() {
    let running = start(&["127.0.0.1:0"], 0, 1, settings("s3cret"));
    let logins = client(running.addresses[0]).await;
    logins.send(&login(1, "s3cret")).await.unwrap();
    logins.send(&status(2, "s3cret")).await.unwrap();
    assert_eq!(received(&logins).await[1], 2);
    let reports = client(running.addresses[1]).await;
    reports.send(&report(3, "s3cret")).await.unwrap();
    assert_eq!(received(&reports).await[1], 3);

    running.grant.0.add_permits(2);
    assert_eq!(received(&logins).await[1], 1);
    let shared = &running.handle.shared;
    drop(shared.permits.acquire().await.unwrap());
    let every = u32::try_from(REPORTS_IN_FLIGHT).unwrap();
    let _full = shared.reports.acquire_many(every).await.unwrap();
    reports.send(&report(4, "s3cret")).await.unwrap();
    reports.send(&status(5, "s3cret")).await.unwrap();
    assert_eq!(received(&reports).await[1], 5);
    logins.send(&login(6, "s3cret")).await.unwrap();
    assert_eq!(received(&logins).await[1], 6);
}

#[tokio::test]
async fn a_client_past_its_rate_is_dropped_unread() {
    let mut slow = settings("s3cret");
    slow.datagrams_per_second = NonZeroU32::new(1).unwrap();
    slow.burst = NonZeroU32::new(2).unwrap();
    let running = start(&["127.0.0.1:0"], 9, 9, slow);
    let socket = client(running.addresses[0]).await;
    for identifier in 1..=5 {
        socket.send(&status(identifier, "s3cret")).await.unwrap();
    }
    assert_eq!(received(&socket).await[1], 1);
    assert_eq!(received(&socket).await[1], 2);
    // The rate is the client's, on whatever port; a reload starts it afresh.
    let other = client(running.addresses[0]).await;
    other.send(&status(6, "s3cret")).await.unwrap();
    running.shutdown.cancel();
    running.task.await.unwrap().unwrap();
    assert!(socket.try_recv(&mut [0; 64]).is_err());
    assert!(other.try_recv(&mut [0; 64]).is_err());
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let listen = Listen {
        authentication: vec![address],
        ..Listen::nowhere()
    };
    let decide = Arc::new(Grant(Semaphore::new(0)));
    let (devices, sessions) = (Arc::clone(&decide) as _, Arc::clone(&decide) as _);
    let clock = Arc::new(Still);
    let fault = Server::bind(&listen, settings("s"), decide, devices, sessions, clock)
        .err()
        .unwrap();
    assert!(fault.to_string().contains(&address.to_string()), "{fault}");
}

#[tokio::test]
async fn what_happens_is_counted_under_the_names_of_the_manual() {
    // The runtime of this test has one thread, so a recorder of the thread sees every task.
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let _local = metrics::set_default_local_recorder(&recorder);
    let running = start(&["127.0.0.1:0"], 9, 9, settings("s3cret"));
    let socket = client(running.addresses[0]).await;
    socket.send(b"garbage").await.unwrap();
    socket.send(&login(1, "another secret")).await.unwrap();
    socket.send(&login(2, "s3cret")).await.unwrap();
    received(&socket).await;
    socket.send(&login(2, "s3cret")).await.unwrap();
    received(&socket).await;
    let eap = [
        (kind::USER_NAME, &b"alice"[..]),
        (kind::EAP_MESSAGE, &[2, 1, 0, 4]),
    ];
    let mut draft = Draft::new(Code::AccessRequest, 3);
    for (kind, value) in eap {
        draft.push(kind, value).unwrap();
    }
    socket
        .send(&draft.seal_request(&[3; 16], &secret("s3cret")).unwrap())
        .await
        .unwrap();
    received(&socket).await;
    running.shutdown.cancel();
    running.task.await.unwrap().unwrap();

    let rendered = recorder.handle().render();
    for line in [
        r#"doorward_radius_datagrams_total{service="authentication"} 5"#,
        r#"doorward_radius_drops_total{reason="short",client="gateway"} 1"#,
        r#"doorward_radius_drops_total{reason="message_authenticator_wrong",client="gateway"} 1"#,
        r#"doorward_radius_replies_total{code="Access-Accept",client="gateway"} 1"#,
        r#"doorward_radius_replies_total{code="Access-Reject",client="gateway"} 1"#,
        r#"doorward_radius_resends_total{client="gateway"} 1"#,
        r#"doorward_radius_rejects_without_asking_total{reason="unsupported_authentication",client="gateway"} 1"#,
        "doorward_radius_in_flight 0",
    ] {
        assert!(
            rendered.lines().any(|rendered| rendered == line),
            "{line}\n{rendered}"
        );
    }
}

#[test]
fn the_manual_lists_every_metric() {
    let manual = include_str!("../../../docs/radius.md");
    let source = include_str!("report.rs");
    let names: Vec<_> = source
        .split('"')
        .filter(|part| part.starts_with("doorward_"))
        .collect();
    assert_eq!(names.len(), 10, "nine names, one of them twice");
    for name in names {
        assert!(
            manual.contains(&format!("`{name}`")),
            "docs/radius.md lacks {name}"
        );
    }
}
