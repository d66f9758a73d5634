//! Answers to bytes: gathered, written within the time there is for it, and the last word.

use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use metrics::counter;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::yield_now;
use tokio::time::timeout;
use tracing::{debug, error};

use super::super::stream::Stream;
use super::lag::Lag;
use super::operations::Handed;
use super::{Connection, LOOK, READ_ROOM, after};
use doorward_ldap_protocol::decode::{MessageId, RequestKind};
use doorward_ldap_protocol::limits::Phase;
use doorward_ldap_protocol::result::{EntryWriter, Reply, Response, ResultCode, Written};
use doorward_ldap_protocol::session::CloseReason;

/// How many bytes are gathered before they are written, for a stranger and for who has bound.
const STRANGERS_WRITE_AT: usize = 4 * 1024;
const WRITE_AT: usize = 32 * 1024;
/// How much room for answers a connection keeps that waits for requests.
const KEPT_ROOM: usize = 4 * 1024;
/// How long, and for how many bytes, a client is listened to after the last word, so that its
/// unread bytes do not make the network throw that word away.
const LINGER: Duration = Duration::from_millis(500);
const LINGER_BYTES: usize = 256 * 1024;

impl<S: Stream> Connection<S> {
    /// Appends an answer to what is to be written.
    pub(super) fn put(&mut self, reply: Reply) {
        self.story.answered(&reply);
        let result = reply.response.result();
        counter!("doorward_ldap_results_total",
            "operation" => operation(&reply.response), "result" => result.code.name())
        .increment(1);
        debug!(message.id = reply.id.get(), result = %result.code, "answered");
        if let Err(failure) = reply.encode_into(&mut self.outbox) {
            error!(error = %failure, "an answer cannot be written down");
        }
    }

    /// Appends an entry, writing as much of it as is gathered on the way.
    pub(super) async fn put_entry(
        &mut self,
        id: MessageId,
        found: Handed,
    ) -> Result<(), CloseReason> {
        self.story.found(id);
        let mut writer = EntryWriter::new(id, found.entry);
        let mut lag = Lag::default();
        let until = self.write_at();
        loop {
            self.tail = writer.write(&mut self.outbox, until);
            if self.tail == Written::Whole {
                return Ok(());
            }
            self.write_out(&mut lag).await?;
            // A client that reads fast leaves nothing to wait for.
            yield_now().await;
        }
    }

    /// How many bytes of answers are written before more is gathered, or a further request done.
    pub(super) fn write_at(&self) -> usize {
        match self.conversation.phase() {
            Phase::Anonymous => STRANGERS_WRITE_AT,
            Phase::Bound => WRITE_AT,
        }
    }

    /// Writes what there is to write, together with whatever else is ready.
    pub(super) async fn flush(&mut self) -> Result<(), CloseReason> {
        while self.outbox.len() < self.write_at() {
            let Ok((serial, event)) = self.answers.try_recv() else {
                break;
            };
            self.answer(serial, event).await?;
        }
        self.write_out(&mut Lag::default()).await
    }

    /// Writes what was gathered, to a client that is as far behind already.
    async fn write_out(&mut self, lag: &mut Lag) -> Result<(), CloseReason> {
        if self.outbox.is_empty() {
            return Ok(());
        }
        let limit = self.conversation.settings().timeouts.write;
        let (bytes, begun) = (self.outbox.len(), self.services.clock.now().mono);
        let roomy = self.outbox.capacity() > KEPT_ROOM;
        let written = timeout(lag.left(limit), self.write_while_there()).await;
        lag.note(bytes, self.services.clock.now().mono.since(begun));
        self.outbox.clear();
        if roomy {
            self.outbox = BytesMut::new();
        }
        match written {
            Ok(Ok(())) if lag.left(limit).is_zero() => Err(CloseReason::SlowReader),
            Ok(written) => written,
            Err(_) => Err(CloseReason::SlowReader),
        }
    }

    /// Writes for as long as the client is there. Once the daemon stops, a client that takes
    /// nothing for a moment is waited for no more. What it has taken is taken out of the outbox at
    /// once: this may be given up on the way, and the last word then follows the rest.
    async fn write_while_there(&mut self) -> Result<(), CloseReason> {
        loop {
            let write = async {
                if self.outbox.is_empty() {
                    self.stream.flush().await.map(|()| 0)
                } else {
                    self.stream.write(&self.outbox).await
                }
            };
            match timeout(LOOK, write).await {
                Ok(Ok(0)) if self.outbox.is_empty() => return Ok(()),
                Ok(Ok(0) | Err(_)) => return Err(CloseReason::Gone),
                Ok(Ok(written)) => self.outbox.advance(written.min(self.outbox.len())),
                Err(_) if self.stream.has_hung_up() => return Err(CloseReason::Gone),
                Err(_) if self.shutdown.is_cancelled() => return Err(CloseReason::SlowReader),
                Err(_) => {}
            }
        }
    }

    /// Sends the last word and closes. None is sent in the middle of an entry, which it would be
    /// taken for a piece of.
    pub(super) async fn hang_up(&mut self, reason: CloseReason) {
        let silent = matches!(reason, CloseReason::Gone | CloseReason::SlowReader);
        if silent || self.tail == Written::Part {
            return;
        }
        if reason == CloseReason::Shutdown {
            self.put(Reply::notice_of_disconnection(
                ResultCode::Unavailable,
                "the server is shutting down",
            ));
        }
        let mut lag = Lag::default();
        let last = after(self.shutdown.clone(), LINGER);
        let written = tokio::select! {
            biased;
            written = self.write_out(&mut lag) => written,
            () = last => return,
        };
        if written.is_err() {
            return;
        }
        let closed = timeout(LINGER, self.stream.shutdown()).await;
        if !matches!(closed, Ok(Ok(()))) || reason == CloseReason::Unbind {
            return;
        }
        let rest = async {
            let mut left = LINGER_BYTES;
            while left > 0 {
                self.inbox.clear();
                self.inbox.reserve(READ_ROOM);
                match self.stream.read_buf(&mut self.inbox).await {
                    Ok(read) if read > 0 => left = left.saturating_sub(read),
                    _ => break,
                }
            }
        };
        let _ = timeout(LINGER, rest).await;
    }
}

fn operation(response: &Response) -> &'static str {
    match response {
        Response::Bind { .. } => RequestKind::Bind.label(),
        Response::SearchDone(_) => RequestKind::Search.label(),
        Response::Modify(_) => RequestKind::Modify.label(),
        Response::Add(_) => RequestKind::Add.label(),
        Response::Delete(_) => RequestKind::Delete.label(),
        Response::ModifyDn(_) => RequestKind::ModifyDn.label(),
        Response::Compare(_) => RequestKind::Compare.label(),
        Response::Extended { .. } => RequestKind::Extended.label(),
    }
}
