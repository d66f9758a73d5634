//! Messages on a stream: the decoder and encoder that `tokio_util` frames a connection with.

use std::io;

use bytes::{Buf as _, BytesMut};
use tokio_util::codec::{Decoder, Encoder};
use zeroize::Zeroize as _;

use super::error::Answer;
use super::{DecodeError, Request, decode, frame_bytes};
use crate::ldap::limits::{Limits, Phase};
use crate::ldap::result::Reply;

/// What came in whole.
#[derive(Debug, Clone)]
pub enum Incoming {
    /// A request.
    Request(Box<Request>),
    /// A message that is refused with a response of its own kind; the connection may go on.
    Refused(DecodeError),
}

/// Why no further message can come from this connection.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The transport failed, or ended inside a message.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// What came calls for a Notice of Disconnection.
    #[error(transparent)]
    Refused(DecodeError),
}

/// Frames messages, and wipes what it has read: passwords travel in them.
#[derive(Debug)]
pub struct MessageCodec {
    limits: Limits,
    phase: Phase,
}

impl MessageCodec {
    /// A codec for a connection on which nobody has bound yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            phase: Phase::Anonymous,
        }
    }

    /// Sets which allowance counts from the next message on.
    pub fn set_phase(&mut self, phase: Phase) {
        self.phase = phase;
    }
}

impl Decoder for MessageCodec {
    type Item = Incoming;
    type Error = CodecError;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Incoming>, CodecError> {
        let length = frame_bytes(buffer, &self.limits, self.phase).map_err(CodecError::Refused)?;
        let Some(message) = length.and_then(|length| buffer.get_mut(..length)) else {
            return Ok(None);
        };
        let decoded = decode(message, &self.limits.of(self.phase));
        message.zeroize();
        let length = message.len();
        buffer.advance(length);
        match decoded {
            Ok(request) => Ok(Some(Incoming::Request(Box::new(request)))),
            Err(error) => match error.answer {
                Answer::Respond { .. } => Ok(Some(Incoming::Refused(error))),
                Answer::Disconnect { .. } => Err(CodecError::Refused(error)),
            },
        }
    }
}

impl Encoder<Reply> for MessageCodec {
    type Error = io::Error;

    fn encode(&mut self, reply: Reply, buffer: &mut BytesMut) -> io::Result<()> {
        reply.encode_into(buffer)
    }
}
