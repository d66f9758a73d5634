//! Answers to bytes: gathered, written within the time there is for it, and the last word.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use metrics::counter;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;
use tracing::{debug, error};

use super::{READ_ROOM, Talk};
use crate::ldap::decode::RequestKind;
use crate::ldap::limits::Phase;
use crate::ldap::result::{Reply, Response};
use crate::ldap::session::CloseReason;

/// How many bytes are gathered before they are written, for a stranger and for who has bound.
const STRANGERS_WRITE_AT: usize = 4 * 1024;
const WRITE_AT: usize = 32 * 1024;
/// How much room for answers a connection keeps that waits for requests.
const KEPT_ROOM: usize = 4 * 1024;
/// How long, and for how many bytes, a client is listened to after the last word, so that its
/// unread bytes do not make the network throw that word away.
const LINGER: Duration = Duration::from_millis(500);
const LINGER_BYTES: usize = 256 * 1024;

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Talk<S> {
    /// Appends an answer to what is to be written.
    pub(super) fn put(&mut self, reply: Reply) {
        self.story.answered(&reply);
        if let Some(result) = reply.response.result() {
            counter!("doorward_ldap_results_total",
                "operation" => operation(&reply.response), "result" => result.code.name())
            .increment(1);
            debug!(message.id = reply.id.get(), result = %result.code, "answered");
        }
        if let Err(failure) = reply.encode_into(&mut self.outbox) {
            error!(error = %failure, "an answer cannot be written down");
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
            self.answer(serial, event)?;
        }
        if self.outbox.is_empty() {
            return Ok(());
        }
        let limit = self.conversation.settings().timeouts.write;
        let written = timeout(limit, write(&mut self.stream, &self.outbox)).await;
        self.outbox.clear();
        if self.outbox.capacity() > KEPT_ROOM {
            self.outbox = BytesMut::new();
        }
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(CloseReason::Gone),
            Err(_) => Err(CloseReason::SlowReader),
        }
    }

    /// Sends the last word and closes.
    pub(super) async fn hang_up(&mut self, reason: CloseReason) {
        if matches!(reason, CloseReason::Gone | CloseReason::SlowReader) {
            return;
        }
        let limit = self.conversation.settings().timeouts.write;
        let last_word = async {
            write(&mut self.stream, &self.outbox).await?;
            self.stream.shutdown().await
        };
        if !matches!(timeout(limit, last_word).await, Ok(Ok(()))) || reason == CloseReason::Unbind {
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

async fn write<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

fn operation(response: &Response) -> &'static str {
    match response {
        Response::Bind { .. } => RequestKind::Bind.label(),
        Response::SearchEntry(_) | Response::SearchDone(_) => RequestKind::Search.label(),
        Response::Modify(_) => RequestKind::Modify.label(),
        Response::Add(_) => RequestKind::Add.label(),
        Response::Delete(_) => RequestKind::Delete.label(),
        Response::ModifyDn(_) => RequestKind::ModifyDn.label(),
        Response::Compare(_) => RequestKind::Compare.label(),
        Response::Extended { .. } => RequestKind::Extended.label(),
    }
}
