//! Why a message was refused, and whether its sender can be told in the terms of its request.

use super::{MessageId, RequestKind};
use crate::result::ResultCode;

/// What is wrong with a message: the label of a metric, and a sentence for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Longer than [`crate::limits::Limits::message_bytes`].
    Oversized,
    /// BER elements nested too deep.
    TooDeep,
    /// Too many BER elements.
    TooManyNodes,
    /// A filter with too many items.
    FilterTooLarge,
    /// A filter nested too deep.
    FilterTooDeep,
    /// Too many controls.
    TooManyControls,
    /// Too many requested attributes.
    TooManyAttributes,
    /// Bytes that are not an `LDAPMessage`, or a request that breaks its own grammar.
    Malformed,
    /// A message id that is missing, zero, negative or above 2^31-1.
    MessageId,
    /// An operation that is no request of RFC 4511.
    UnknownOperation,
}

impl Reason {
    /// The reason as the value of a metric's label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Oversized => "oversized",
            Self::TooDeep => "too_deep",
            Self::TooManyNodes => "too_many_nodes",
            Self::FilterTooLarge => "filter_too_large",
            Self::FilterTooDeep => "filter_too_deep",
            Self::TooManyControls => "too_many_controls",
            Self::TooManyAttributes => "too_many_attributes",
            Self::Malformed => "malformed",
            Self::MessageId => "message_id",
            Self::UnknownOperation => "unknown_operation",
        }
    }

    /// A sentence for the diagnostic message; it repeats nothing of what was sent.
    pub const fn diagnostic(self) -> &'static str {
        match self {
            Self::Oversized => "the message is too long",
            Self::TooDeep => "the message is nested too deep",
            Self::TooManyNodes => "the message has too many elements",
            Self::FilterTooLarge => "the filter has too many items",
            Self::FilterTooDeep => "the filter is nested too deep",
            Self::TooManyControls => "the message has too many controls",
            Self::TooManyAttributes => "the search names too many attributes",
            Self::Malformed => "the message is malformed",
            Self::MessageId => "the message id is not valid",
            Self::UnknownOperation => "the operation is not known",
        }
    }
}

/// What the sender of a refused message must be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The response that belongs to this request; the connection may go on
    /// (RFC 4511 section 4.1.1).
    Respond {
        /// The request's id.
        id: MessageId,
        /// The request's kind. After a refused bind the connection is anonymous.
        kind: RequestKind,
    },
    /// A Notice of Disconnection, and the end of the connection (RFC 4511 section 4.4.1).
    Disconnect {
        /// The request's id, where it could be read; for the log only.
        id: Option<MessageId>,
    },
}

/// A refused message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", reason.diagnostic())]
pub struct DecodeError {
    /// What is wrong.
    pub reason: Reason,
    /// What the sender must be sent.
    pub answer: Answer,
}

impl DecodeError {
    /// The result code of the answer: always protocolError (RFC 4511 section 4.1.1).
    pub const fn result_code(&self) -> ResultCode {
        ResultCode::ProtocolError
    }

    pub(super) const fn disconnect(reason: Reason, id: Option<MessageId>) -> Self {
        Self {
            reason,
            answer: Answer::Disconnect { id },
        }
    }

    /// Answers in kind where the request has a response at all, else disconnects.
    pub(super) const fn respond(reason: Reason, id: MessageId, kind: RequestKind) -> Self {
        if kind.has_response() {
            Self {
                reason,
                answer: Answer::Respond { id, kind },
            }
        } else {
            Self::disconnect(reason, Some(id))
        }
    }
}
