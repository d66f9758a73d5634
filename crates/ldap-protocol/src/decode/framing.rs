//! Messages on a stream.

use bytes::{Buf as _, BytesMut};
use zeroize::Zeroize as _;

use super::error::Answer;
use super::{DecodeError, Request, decode, frame_bytes};
use crate::limits::{Limits, Phase};

/// What came in whole.
#[derive(Debug, Clone)]
pub enum Incoming {
    /// A request.
    Request(Box<Request>),
    /// A message that is refused with a response of its own kind; the connection may go on.
    Refused(DecodeError),
}

/// Frames messages, and wipes what it has read: passwords travel in them.
#[derive(Debug)]
pub struct MessageDecoder {
    limits: Limits,
    phase: Phase,
}

impl MessageDecoder {
    /// A decoder for a connection on which nobody has bound yet.
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

    /// Takes the next message out of what was received; `None` where it is not there in whole.
    ///
    /// # Errors
    /// What came calls for a Notice of Disconnection; no further message can come.
    pub fn next_message(
        &mut self,
        received: &mut BytesMut,
    ) -> Result<Option<Incoming>, DecodeError> {
        let length = frame_bytes(received, &self.limits, self.phase)?;
        let Some(message) = length.and_then(|length| received.get_mut(..length)) else {
            return Ok(None);
        };
        let decoded = decode(message, &self.limits.of(self.phase));
        message.zeroize();
        let length = message.len();
        received.advance(length);
        match decoded {
            Ok(request) => Ok(Some(Incoming::Request(Box::new(request)))),
            Err(error) => match error.answer {
                Answer::Respond { .. } => Ok(Some(Incoming::Refused(error))),
                Answer::Disconnect { .. } => Err(error),
            },
        }
    }
}
