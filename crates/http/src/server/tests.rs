use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

const BOUNDS: Bounds = Bounds {
    connections: 16,
    per_source: 8,
    headers: Duration::from_secs(30),
    idle: Duration::from_secs(30),
};
/// Without patience.
const HASTY: Bounds = Bounds {
    headers: Duration::from_millis(100),
    idle: Duration::from_millis(100),
    ..BOUNDS
};
const REQUEST: &str = "GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n";

struct Echo;

impl Service for Echo {
    fn admits(&self, _: &Source) -> bool {
        true
    }

    fn turned_away(&self, _: Turned) {}

    async fn respond(&self, request: Request<Incoming>) -> Response<Body> {
        // As large as no buffer between here and a client that does not read.
        let text = match request.uri().path() {
            "/large" => "x".repeat(64 << 20),
            _ => "served\n".to_owned(),
        };
        response(StatusCode::OK, "text/plain", text)
    }
}

struct Running {
    address: SocketAddr,
    shutdown: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
}

async fn start(bounds: Bounds) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(serve(listener, bounds, Arc::new(Echo), shutdown.clone()));
    Running {
        address,
        shutdown,
        serving,
    }
}

async fn ask(running: &Running) -> String {
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(REQUEST.as_bytes()).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    reply
}

async fn half_sent(running: &Running) -> TcpStream {
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: h")
        .await
        .unwrap();
    stream
}

async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    !matches!(stream.read(&mut byte).await, Ok(1..))
}

#[tokio::test]
async fn half_sent_requests_keep_nobody_out() {
    let running = start(BOUNDS).await;
    let mut strangers = Vec::new();
    for _ in 0..100 {
        strangers.push(half_sent(&running).await);
        if strangers.len() % 10 == 0 {
            assert!(ask(&running).await.ends_with("served\n"));
        }
    }
    // All but the last few have lost their places.
    for stream in &mut strangers[..90] {
        assert!(is_closed(stream).await);
    }
    running.shutdown.cancel();
}

#[tokio::test]
async fn one_that_says_half_a_request_is_closed() {
    let running = start(HASTY).await;
    let mut stream = half_sent(&running).await;
    assert!(is_closed(&mut stream).await);
}

#[tokio::test]
async fn one_that_does_not_read_its_answer_is_closed() {
    let running = start(HASTY).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let request = REQUEST.replace("GET / ", "GET /large ");
    stream.write_all(request.as_bytes()).await.unwrap();
    // The connection is closed while its answer is under way, so that its end is a reset or comes
    // before all of it.
    sleep(HASTY.idle * 10).await;
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply).await;
    assert!(reply.len() < 64 << 20, "{}", reply.len());
}

#[tokio::test]
async fn a_request_of_too_many_headers_is_refused() {
    let running = start(BOUNDS).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let headers = "X: y\r\n".repeat(MAX_HEADERS + 1);
    let request = REQUEST.replace("Connection: close\r\n", &headers);
    let _ = stream.write_all(request.as_bytes()).await;
    let mut reply = String::new();
    let _ = stream.read_to_string(&mut reply).await;
    assert!(reply.starts_with("HTTP/1.1 431 "), "{reply}");
}

#[tokio::test]
async fn a_shutdown_waits_for_no_idle_connection() {
    let running = start(BOUNDS).await;
    let _idle = TcpStream::connect(running.address).await.unwrap();
    assert!(ask(&running).await.ends_with("served\n"));
    running.shutdown.cancel();
    running.serving.await.unwrap();
}
