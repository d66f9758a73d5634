//! The socket for operators who watch (`doorward watch`): who may connect, what they are sent.
//!
//! A Unix socket, for root and the daemon's own user alone: by its permissions, and by what the
//! system says of who connects. Each watcher has a task of its own, which looks names up and
//! writes; the front ends never wait for it.

mod names;
pub mod wire;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nix::unistd::Uid;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::names::Names;
use self::wire::{Message, Order};
use crate::config::runtime::WatchSocket;
use doorward_directory::Directory;
use doorward_domain::resource::AccessContext;
use doorward_domain::time::Clock;
use doorward_net::{LocalListener, listen_local};
use doorward_observe::watch::{Chosen, Explain, MAX_WATCHERS, News, Sieve, Topic, Wanted, Watch};
use doorward_store::Store;

/// Only the daemon's user, and root, whom no permission keeps out.
const MODE: u32 = 0o600;
/// The longest order, in octets.
const LONGEST_ORDER: u64 = 4096;
/// How long an order may take to come.
const ORDER_WITHIN: Duration = Duration::from_secs(5);
/// How long a watcher may take nothing before it is let go.
const TAKE_WITHIN: Duration = Duration::from_mins(5);
/// How long to wait after the socket failed.
const REST_AFTER_ERROR: Duration = Duration::from_millis(200);

/// Listens where the configuration says. Nobody asked for the default place: where it cannot be
/// listened on, that is told and nothing else.
///
/// # Errors
/// The place that was asked for cannot be listened on.
pub(super) fn listen(socket: &WatchSocket) -> io::Result<Option<LocalListener>> {
    match socket {
        WatchSocket::Off => Ok(None),
        WatchSocket::At(path) => listen_local(path, MODE).map(Some),
        WatchSocket::Default => {
            let path = Path::new(WatchSocket::DEFAULT);
            let listener = listen_local(path, MODE);
            if let Err(error) = &listener {
                tracing::info!(
                    path = WatchSocket::DEFAULT,
                    %error,
                    "nobody can watch (doorward watch): set runtime.watch to another path"
                );
            }
            Ok(listener.ok())
        }
    }
}

/// What watchers are served with.
pub(super) struct Services {
    pub(super) watch: Watch,
    pub(super) store: Store,
    pub(super) directory: Arc<Directory>,
    pub(super) clock: Arc<dyn Clock>,
}

/// Serves watchers until shutdown.
pub(super) async fn serve(
    listener: LocalListener,
    services: Services,
    shutdown: CancellationToken,
) {
    let services = Arc::new(services);
    // One more than may watch, so that it can be told.
    let places = Arc::new(Semaphore::new(MAX_WATCHERS + 1));
    let mut watchers = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(_) = watchers.join_next(), if !watchers.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(stream) => {
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                    continue;
                };
                let services = Arc::clone(&services);
                let shutdown = shutdown.clone();
                watchers.spawn(async move {
                    let served = attend(stream, &services);
                    // Whoever went away is not missed.
                    tokio::select! { _ = served => {}, () = shutdown.cancelled() => {} }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept who wants to watch");
                tokio::time::sleep(REST_AFTER_ERROR).await;
            }
        }
    }
    watchers.shutdown().await;
}

/// Whether this user may watch.
fn may_watch(user: u32) -> bool {
    user == 0 || user == Uid::effective().as_raw()
}

async fn attend(stream: UnixStream, services: &Services) -> io::Result<()> {
    let user = stream.peer_cred()?.uid();
    let (read, mut write) = stream.into_split();
    if !may_watch(user) {
        tracing::warn!(user, "somebody who may not wanted to watch");
        let text = "root and the daemon's own user may watch, and nobody else".to_owned();
        return send(&mut write, &Message::Refused(text)).await;
    }
    let mut read = BufReader::new(read);
    let order = timeout(ORDER_WITHIN, order(&mut read)).await??;
    let Some(topic) = Topic::of(&order.topic) else {
        let text = format!("'{}' cannot be watched", order.topic);
        return send(&mut write, &Message::Refused(text)).await;
    };
    let mut watching = match services.watch.watch(topic) {
        Ok(watching) => watching,
        Err(refused) => return send(&mut write, &Message::Refused(refused.to_string())).await,
    };
    tracing::info!(user, topic = topic.as_str(), "somebody watches");
    send(&mut write, &Message::Watching).await?;
    let mut names = Names::new(services, order.show_unknown_names);
    let user = match order.user {
        Some(typed) => Some(names.account_of(&typed).await.unwrap_or(typed)),
        None => None,
    };
    let mut sieve = Sieve::new(Wanted {
        user,
        client: order.client,
    });
    loop {
        let told = tokio::select! {
            told = watching.next() => told,
            // Nothing more is said by who watches: this is the end of it.
            () = gone(&mut read) => return Ok(()),
        };
        match told {
            News::Lost(lost) => send(&mut write, &Message::Lost(lost)).await?,
            News::Line(line) => {
                names.learn(&line).await;
                for line in sieve.take(line, |name| names.account(name)) {
                    names.learn(&line).await;
                    let shown = wire::Shown::of(&line, |name| names.shown(name));
                    send(&mut write, &Message::Line(shown)).await?;
                }
            }
        }
    }
}

async fn order(read: &mut BufReader<OwnedReadHalf>) -> io::Result<Order> {
    let mut line = Vec::new();
    let mut bounded = read.take(LONGEST_ORDER);
    bounded.read_until(b'\n', &mut line).await?;
    Ok(serde_json::from_slice(&line)?)
}

async fn gone(read: &mut BufReader<OwnedReadHalf>) {
    let mut rest = [0; 64];
    while read.read(&mut rest).await.is_ok_and(|octets| octets > 0) {}
}

async fn send(write: &mut OwnedWriteHalf, message: &Message) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    timeout(TAKE_WITHIN, write.write_all(&line)).await?
}

/// Explains by the directory's own settings, which a reload replaces.
pub(super) struct Explainer(pub(super) Arc<Directory>);

impl Explain for Explainer {
    fn asking(&self, asking: &AccessContext) -> Chosen {
        let settings = self.0.settings();
        let explanation = settings.resources.explain_asking(asking);
        let mut because: Vec<String> = explanation.steps.iter().map(ToString::to_string).collect();
        if let (Some(_), AccessContext::Connection(_)) = (explanation.chosen, asking) {
            // Those before it did not match; the last one did.
            because.drain(..because.len().saturating_sub(1));
        }
        Chosen {
            resource: explanation
                .chosen
                .map(|resource| (resource.name.clone(), resource.kind)),
            because,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_the_daemons_own_user_may_watch_and_nobody_else() {
        let own = Uid::effective().as_raw();
        assert!(may_watch(0) && may_watch(own));
        assert!(!may_watch(own.wrapping_add(4711)));
    }

    #[tokio::test]
    async fn a_place_that_was_asked_for_is_listened_on_or_complained_of() {
        let folder = tempfile::tempdir().unwrap();
        let there = WatchSocket::At(folder.path().join("watch"));
        let listener = listen(&there).unwrap();
        assert!(listener.is_some());
        assert!(listen(&there).is_err(), "somebody listens there");
        let nowhere = WatchSocket::At(folder.path().join("missing/watch"));
        assert!(listen(&nowhere).is_err());
        assert!(listen(&WatchSocket::Off).unwrap().is_none());
    }
}
