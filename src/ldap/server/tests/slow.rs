//! Clients that take long answers slowly, over a stream that keeps next to nothing for them.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::client::message;
use super::*;

impl Stream for DuplexStream {
    fn has_hung_up(&self) -> bool {
        false
    }
}

/// A connection on which the service account that may search is bound.
pub(super) struct Over {
    pub(super) client: DuplexStream,
    pub(super) shutdown: CancellationToken,
    pub(super) served: JoinHandle<CloseReason>,
}

pub(super) async fn talk_over(world: World, settings: Settings) -> Over {
    let (mut client, stream) = tokio::io::duplex(1024);
    let world = Arc::new(world);
    let clock: Arc<dyn Clock> = Arc::new(StoppedClock);
    let gate = Gate::new(Caps::default(), Arc::clone(&clock));
    let source: Source = "192.0.2.1".parse().unwrap();
    let permit = Arc::new(gate.enter(&source).unwrap());
    let services = Services {
        decide: Arc::clone(&world) as Arc<dyn Decide>,
        directory: Arc::clone(&world) as Arc<dyn Read>,
        searches: Searches::new(Handle::current(), 2),
        passwords: world,
        clock,
        tls: Arc::new(|_| None),
        gate,
        watch: Watch::default(),
    };
    let mut settings = settings;
    settings.plaintext_bind = crate::ldap::settings::PlaintextBind::Allow;
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
        shutdown,
        served,
    }
}
