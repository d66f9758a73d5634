//! Clients that take long answers slowly, over a stream that keeps next to nothing for them.

use std::sync::Mutex;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::client::message;
use super::loads::with_members;
use super::*;
use doorward_domain::time::{Monotonic, Now};
use doorward_fixtures::world::now;

impl Stream for DuplexStream {
    fn has_hung_up(&self) -> bool {
        false
    }
}

/// A clock that goes on when it is told to.
#[derive(Default)]
pub(super) struct HandClock(Mutex<Duration>);

impl HandClock {
    fn go_on(&self, span: Duration) {
        *self.0.lock().unwrap() += span;
    }
}

impl Clock for HandClock {
    fn now(&self) -> Now {
        Now {
            mono: Monotonic::from_start(*self.0.lock().unwrap()),
            ..now()
        }
    }
}

/// A connection on which the service account that may search is bound.
pub(super) struct Over {
    pub(super) client: DuplexStream,
    pub(super) clock: Arc<HandClock>,
    pub(super) shutdown: CancellationToken,
    pub(super) served: JoinHandle<CloseReason>,
}

pub(super) async fn serve_messages(world: World, settings: Settings) -> Over {
    let (mut client, stream) = tokio::io::duplex(1024);
    let world = Arc::new(world);
    let clock = Arc::new(HandClock::default());
    let gate = Gate::new(Caps::default(), Arc::clone(&clock) as Arc<dyn Clock>);
    let source: Source = "192.0.2.1".parse().unwrap();
    let permit = Arc::new(gate.enter(&source).unwrap());
    let services = Services {
        decide: Arc::clone(&world) as Arc<dyn Decide>,
        directory: Arc::clone(&world) as Arc<dyn Read>,
        searches: Searches::new(Handle::current(), 2),
        passwords: world,
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        tls: Arc::new(|_| None),
        gate,
        watch: Watch::default(),
    };
    let mut settings = settings;
    settings.plaintext_bind = PlaintextBind::Allow;
    let shutdown = CancellationToken::new();
    let (settings, stopping) = (Arc::new(settings), shutdown.clone());
    let serve = connection::serve(stream, source, settings, services, stopping, permit);
    let served = tokio::spawn(serve);
    let bind = message(1, &bind(SSSD, PASSWORD), &[]);
    client.write_all(&bind).await.unwrap();
    let mut head = [0; 2];
    client.read_exact(&mut head).await.unwrap();
    let mut rest = vec![0; usize::from(head[1])];
    client.read_exact(&mut rest).await.unwrap();
    Over {
        client,
        clock,
        shutdown,
        served,
    }
}

/// The bytes that are written at once.
const PIECE: usize = 32 * 1024;
/// The members of the group that is read.
const MEMBERS: usize = 50_000;
/// What a client must take a second in the long run.
const FLOOR: usize = 4096;

/// What came of reading the group's entry at a rate.
struct Took {
    whole: usize,
    bytes: usize,
    span: Duration,
    /// Why the connection ended; none where all was read.
    ended: Option<CloseReason>,
}

fn seconds(bytes: usize, rate: usize) -> Duration {
    Duration::from_secs(1) * u32::try_from(bytes).unwrap() / u32::try_from(rate).unwrap()
}

/// Reads it, so many bytes a second.
async fn read_at(rate: usize) -> Took {
    const STEP: usize = 1024;
    let over = serve_messages(with_members(MEMBERS), settings()).await;
    let mut client = over.client;
    let search = Search::new(STAFF, Scope::Base).attributes(&["member"]);
    let search = message(2, &search.bytes(), &[]);
    client.write_all(&search).await.unwrap();
    let mut head = [0; 5];
    client.read_exact(&mut head).await.unwrap();
    let [0x30, 0x83, length @ ..] = head else {
        panic!("no long message: {head:?}")
    };
    let length = length
        .into_iter()
        .fold(0, |sum, digit| sum << 8 | usize::from(digit));
    let (whole, mut bytes, mut span) = (head.len() + length, head.len(), Duration::ZERO);
    let mut step = [0; STEP];
    while bytes < whole {
        let next = STEP.min(whole - bytes);
        if client.read_exact(&mut step[..next]).await.is_err() {
            break;
        }
        bytes += next;
        span += seconds(next, rate);
        over.clock.go_on(seconds(next, rate));
    }
    let ended = if bytes < whole {
        Some(over.served.await.unwrap())
    } else {
        None
    };
    Took {
        whole,
        bytes,
        span,
        ended,
    }
}

#[tokio::test]
async fn a_slow_line_has_the_time_that_a_long_entry_takes() {
    // A line of 64 kbit/s, and the slowest that there is.
    for rate in [8000, FLOOR] {
        let took = read_at(rate).await;
        println!("{} bytes in {:?} at {rate} B/s", took.bytes, took.span);
        assert_eq!((took.bytes, took.ended), (took.whole, None), "{rate}");
    }
}

#[tokio::test]
async fn who_falls_behind_the_slowest_line_is_closed_in_the_middle_of_an_entry() {
    let limit = settings().timeouts.write;
    for rate in [100, 1092, 2000, 3000] {
        let took = read_at(rate).await;
        println!("{} bytes in {:?} at {rate} B/s", took.bytes, took.span);
        let most = limit + seconds(took.bytes, FLOOR) + seconds(PIECE, rate);
        assert!(took.span <= most, "{rate}: {:?}", took.span);
        assert_eq!(took.ended, Some(CloseReason::SlowReader), "{rate}");
    }
}
