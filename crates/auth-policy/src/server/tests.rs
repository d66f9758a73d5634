use std::sync::Mutex;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use doorward_domain::name::ResourceName;
use doorward_domain::secret::Secret;
use doorward_domain::time::{Monotonic, Now, Timestamp};
use doorward_frontend_api::{Answer, Conclusion, Leave, Undecided};
use doorward_http::server::MAX_HEADERS;

const KEY: &str = "a long random key";
const BODY_TEXT: &str = r#"{"login":"alice","remote":"203.0.113.9","pwhash":"06d2"}"#;

struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Now {
        Now {
            wall: Timestamp::EPOCH,
            mono: Monotonic::default(),
            clock_suspect: false,
        }
    }
}

/// Refuses mallory, cannot decide about bob, and notes what it is told.
#[derive(Default)]
struct Told(Mutex<Vec<(String, Option<Conclusion>)>>);

impl Told {
    fn note(&self, announcement: &Announcement, conclusion: Option<Conclusion>) -> String {
        let (Claim::Typed(login) | Claim::Malformed(login)) = announcement.claim.clone();
        self.0.lock().unwrap().push((login.clone(), conclusion));
        login
    }
}

impl Throttles for Told {
    fn announce(&self, announcement: Announcement) -> Answer<'_, Result<Leave, Undecided>> {
        let login = self.note(&announcement, None);
        Box::pin(async move {
            match login.as_str() {
                "mallory" => Ok(Leave::Refused),
                "bob" => Err(Undecided::Unavailable("the store is away".to_owned())),
                _ => Ok(Leave::Given),
            }
        })
    }

    fn conclude(
        &self,
        announcement: Announcement,
        conclusion: Conclusion,
    ) -> Answer<'_, Result<(), Undecided>> {
        self.note(&announcement, Some(conclusion));
        Box::pin(async { Ok(()) })
    }
}

struct Running {
    address: SocketAddr,
    told: Arc<Told>,
    shutdown: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
}

async fn start(source: &str) -> Running {
    let told = Arc::new(Told::default());
    let settings = Settings {
        key: Secret::new(KEY.as_bytes().to_vec()),
        sources: vec![source.parse().unwrap()],
        resource: ResourceName::parse("mail").unwrap(),
    };
    let server = Server::new(settings, Arc::clone(&told) as _, Arc::new(StoppedClock));
    let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(server.serve(listener, shutdown.clone()));
    Running {
        address,
        told,
        shutdown,
        serving,
    }
}

/// Sends a request and reads until the server closes.
async fn exchange(running: &Running, request: &str) -> String {
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let _ = stream.write_all(request.as_bytes()).await;
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply).await;
    String::from_utf8(reply).unwrap()
}

fn post(query: &str, key: &str, body: &str) -> String {
    format!(
        "POST /{query} HTTP/1.1\r\nHost: policy\r\nX-API-Key: {key}\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn leave_is_given_and_refused_and_reports_are_taken() {
    let running = start("127.0.0.0/8").await;
    let reply = exchange(&running, &post("?command=allow", KEY, BODY_TEXT)).await;
    assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
    assert!(reply.ends_with(r#"{"status":0,"msg":""}"#), "{reply}");
    let mallory = BODY_TEXT.replace("alice", "mallory");
    let reply = exchange(&running, &post("?command=allow", KEY, &mallory)).await;
    assert!(reply.ends_with(r#"{"status":-1,"msg":""}"#), "{reply}");
    let report = BODY_TEXT.replace('}', r#","success":false,"policy_reject":false}"#);
    let reply = exchange(&running, &post("?command=report", KEY, &report)).await;
    assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
    let told = running.told.0.lock().unwrap().clone();
    let expected = [
        ("alice".to_owned(), None),
        ("mallory".to_owned(), None),
        ("alice".to_owned(), Some(Conclusion::Wrong)),
    ];
    assert_eq!(told, expected);
    running.shutdown.cancel();
    running.serving.await.unwrap();
}

#[tokio::test]
async fn no_verdict_is_neither_leave_nor_refusal() {
    let running = start("127.0.0.0/8").await;
    let bob = BODY_TEXT.replace("alice", "bob");
    let reply = exchange(&running, &post("?command=allow", KEY, &bob)).await;
    assert!(reply.starts_with("HTTP/1.1 503 "), "{reply}");
}

#[tokio::test]
async fn nobody_is_asked_without_the_key_or_for_what_is_no_request() {
    let running = start("127.0.0.0/8").await;
    let good = post("?command=allow", KEY, BODY_TEXT);
    let long = "x".repeat(MAX_BODY_BYTES + 1);
    let headers = "A: b\r\n".repeat(MAX_HEADERS);
    let bloated = good.replace("Host:", &format!("{headers}Host:"));
    for (request, code) in [
        (post("?command=allow", "another key", BODY_TEXT), "401"),
        (good.replace("X-API-Key", "X-Other"), "401"),
        (good.replace("POST", "GET"), "405"),
        (post("", KEY, BODY_TEXT), "400"),
        (post("?command=allow", KEY, "{}"), "400"),
        (post("?command=allow", KEY, &long), "400"),
        (bloated, "431"),
        ("nothing like it\r\n\r\n".to_owned(), "400"),
    ] {
        let reply = exchange(&running, &request).await;
        let status = format!("HTTP/1.1 {code} ");
        assert!(reply.starts_with(&status), "{request:.120}: {reply}");
    }
    assert!(running.told.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn who_is_no_source_is_closed_before_a_byte_is_read() {
    let running = start("192.0.2.0/24").await;
    let reply = exchange(&running, &post("?command=allow", KEY, BODY_TEXT)).await;
    assert_eq!(reply, "");
    assert!(running.told.0.lock().unwrap().is_empty());
}
