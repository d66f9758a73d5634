//! Attackers with many connections: one thread for all of them, so that the attack takes no more
//! than one core from the daemon.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::measuring::Attack;
use crate::raw_ldap::message;
use crate::wire::{PATIENCE, operation, result};

/// One attacker's connection; whatever goes wrong on it is nothing.
pub(crate) struct Talker {
    pub(crate) stream: TcpStream,
    inbox: BytesMut,
    next: i32,
}

impl Talker {
    pub(crate) async fn open(from: Ipv4Addr, to: SocketAddr) -> Option<Self> {
        let socket = TcpSocket::new_v4().ok()?;
        socket.bind(SocketAddr::from((from, 0))).ok()?;
        let stream = timeout(PATIENCE, socket.connect(to)).await.ok()?.ok()?;
        stream.set_nodelay(true).ok()?;
        Some(Self {
            stream,
            inbox: BytesMut::new(),
            next: 0,
        })
    }

    /// Sends an operation.
    pub(crate) async fn send(&mut self, operation: &[u8]) -> Option<()> {
        self.next += 1;
        self.stream
            .write_all(&message(self.next, operation, &[]))
            .await
            .ok()
    }

    /// The next operation that comes.
    pub(crate) async fn receive(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some(length) = whole(&self.inbox) {
                let message = self.inbox.split_to(length);
                let mut rest = &message[..];
                return Some(operation(crate::raw_ldap::element(&mut rest).1));
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.inbox)).await;
            read.ok()?.ok().filter(|read| *read > 0)?;
        }
    }

    /// The result of the next operation that ends; entries are passed over.
    pub(crate) async fn result(&mut self) -> Option<u8> {
        loop {
            let (tag, content) = self.receive().await?;
            if tag != 0x64 {
                return result(&content);
            }
        }
    }

    /// Asks and waits for the result.
    pub(crate) async fn ask(&mut self, operation: &[u8]) -> Option<u8> {
        self.send(operation).await?;
        self.result().await
    }
}

/// The length of the first message where all of it is there.
fn whole(bytes: &[u8]) -> Option<usize> {
    let short = usize::from(*bytes.get(1)?);
    let (header, length) = match short.checked_sub(128) {
        None => (2, short),
        Some(digits) => {
            let digits = bytes.get(2..2 + digits)?;
            let length = digits
                .iter()
                .fold(0, |sum, digit| sum << 8 | usize::from(*digit));
            (2 + digits.len(), length)
        }
    };
    (bytes.len() >= header + length).then_some(header + length)
}

/// Runs that many members until the attack is over. Whoever ends before begins again after a
/// moment.
pub(crate) fn run<F, M>(attack: &Arc<Attack>, count: usize, member: M)
where
    F: Future<Output = Option<()>> + Send + 'static,
    M: Fn(usize, Arc<Attack>) -> F + Clone + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut members = JoinSet::new();
        for number in 0..count {
            let (attack, member) = (Arc::clone(attack), member.clone());
            members.spawn(async move {
                while attack.goes_on() {
                    member(number, Arc::clone(&attack)).await;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            });
        }
        let left = attack.left() + Duration::from_secs(1);
        // Who still waits for an answer is dropped, and hangs up with it.
        let _ = timeout(left, async { while members.join_next().await.is_some() {} }).await;
    });
    runtime.shutdown_background();
}
