//! Answers and their bytes. `ldap3_proto` writes the BER; this says what it is to write.

use std::io;

use bytes::BytesMut;
use ldap3_lber::write::encode_into;
use ldap3_proto::control::LdapControl;
use ldap3_proto::proto::{
    LdapBindResponse, LdapExtendedResponse, LdapMsg, LdapOp, LdapResult as WireResult,
    LdapResultCode,
};

use super::{LdapResult, ResultCode};
use crate::decode::{Answer, Control, DecodeError, MessageId, RequestKind};

/// The name of the notice that ends a connection (RFC 4511 section 4.4.1).
pub const NOTICE_OF_DISCONNECTION: &str = "1.3.6.1.4.1.1466.20036";

/// One message from us: an answer to a request, or a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The request's id, or [`MessageId::UNSOLICITED`].
    pub id: MessageId,
    /// The answer.
    pub response: Response,
    /// Response controls; their values are BER already.
    pub controls: Vec<Control>,
}

impl Reply {
    /// An answer without controls.
    pub fn new(id: MessageId, response: Response) -> Self {
        Self {
            id,
            response,
            controls: Vec::new(),
        }
    }

    /// The same with one more control.
    #[must_use]
    pub fn with_control(mut self, control: Control) -> Self {
        self.controls.push(control);
        self
    }

    /// The Notice of Disconnection; the connection ends after it (RFC 4511 section 4.4.1).
    pub fn notice_of_disconnection(code: ResultCode, diagnostic: impl Into<String>) -> Self {
        Self::new(
            MessageId::UNSOLICITED,
            Response::Extended {
                result: LdapResult::with_diagnostic(code, diagnostic),
                name: Some(NOTICE_OF_DISCONNECTION.to_owned()),
                value: None,
            },
        )
    }

    /// What the sender of a refused message is owed (RFC 4511 section 4.1.1).
    pub fn refusal(error: &DecodeError) -> Self {
        let code = error.result_code();
        let diagnostic = error.reason.diagnostic();
        let response = match error.answer {
            Answer::Respond { id, kind } => {
                Response::to(kind, LdapResult::with_diagnostic(code, diagnostic))
                    .map(|response| Self::new(id, response))
            }
            Answer::Disconnect { .. } => None,
        };
        response.unwrap_or_else(|| Self::notice_of_disconnection(code, diagnostic))
    }

    /// Appends the message's bytes.
    ///
    /// # Errors
    /// None in practice: the writer below grows a buffer in memory.
    pub fn encode_into(self, buffer: &mut BytesMut) -> io::Result<()> {
        let message = LdapMsg {
            msgid: self.id.get(),
            op: self.response.into_wire(),
            ctrl: self.controls.into_iter().map(wire_control).collect(),
        };
        encode_into(buffer, message.into())
    }
}

/// An answer of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// To a bind.
    Bind {
        /// How it ended.
        result: LdapResult,
        /// The SASL mechanism's next challenge.
        sasl_credentials: Option<Vec<u8>>,
    },
    /// The end of a search; what it found goes out [by itself](super::EntryWriter).
    SearchDone(LdapResult),
    /// To a modify.
    Modify(LdapResult),
    /// To an add.
    Add(LdapResult),
    /// To a delete.
    Delete(LdapResult),
    /// To a modify DN.
    ModifyDn(LdapResult),
    /// To a compare.
    Compare(LdapResult),
    /// To an extended request, or a notice.
    Extended {
        /// How it ended.
        result: LdapResult,
        /// The response's name, where it has one.
        name: Option<String>,
        /// Its value, BER or not, as the operation says.
        value: Option<Vec<u8>>,
    },
}

impl Response {
    /// The final answer to a request of this kind; `None` where none is ever sent.
    pub fn to(kind: RequestKind, result: impl Into<LdapResult>) -> Option<Self> {
        let result = result.into();
        Some(match kind {
            RequestKind::Bind => Self::Bind {
                result,
                sasl_credentials: None,
            },
            RequestKind::Search => Self::SearchDone(result),
            RequestKind::Modify => Self::Modify(result),
            RequestKind::Add => Self::Add(result),
            RequestKind::Delete => Self::Delete(result),
            RequestKind::ModifyDn => Self::ModifyDn(result),
            RequestKind::Compare => Self::Compare(result),
            RequestKind::Extended => Self::Extended {
                result,
                name: None,
                value: None,
            },
            RequestKind::Unbind | RequestKind::Abandon => return None,
        })
    }

    /// How it ended.
    pub const fn result(&self) -> &LdapResult {
        match self {
            Self::Bind { result, .. }
            | Self::SearchDone(result)
            | Self::Modify(result)
            | Self::Add(result)
            | Self::Delete(result)
            | Self::ModifyDn(result)
            | Self::Compare(result)
            | Self::Extended { result, .. } => result,
        }
    }

    fn into_wire(self) -> LdapOp {
        match self {
            Self::Bind {
                result,
                sasl_credentials,
            } => LdapOp::BindResponse(LdapBindResponse {
                res: wire_result(result),
                saslcreds: sasl_credentials,
            }),
            Self::SearchDone(result) => LdapOp::SearchResultDone(wire_result(result)),
            Self::Modify(result) => LdapOp::ModifyResponse(wire_result(result)),
            Self::Add(result) => LdapOp::AddResponse(wire_result(result)),
            Self::Delete(result) => LdapOp::DelResponse(wire_result(result)),
            Self::ModifyDn(result) => LdapOp::ModifyDNResponse(wire_result(result)),
            Self::Compare(result) => LdapOp::CompareResult(wire_result(result)),
            Self::Extended {
                result,
                name,
                value,
            } => LdapOp::ExtendedResponse(LdapExtendedResponse {
                res: wire_result(result),
                name,
                value,
            }),
        }
    }
}

fn wire_result(result: LdapResult) -> WireResult {
    WireResult {
        code: wire_code(result.code),
        matcheddn: result.matched_dn,
        message: result.diagnostic,
        referral: Vec::new(),
    }
}

/// A control with its value as it is: `ldap3_proto` has no password policy response among the
/// controls it knows, and writes this variant's value unchanged.
fn wire_control(control: Control) -> LdapControl {
    LdapControl::Unknown {
        oid: control.oid,
        criticality: control.critical,
        value: control.value,
    }
}

fn wire_code(code: ResultCode) -> LdapResultCode {
    use LdapResultCode as Wire;
    match code {
        ResultCode::Success => Wire::Success,
        ResultCode::OperationsError => Wire::OperationsError,
        ResultCode::ProtocolError => Wire::ProtocolError,
        ResultCode::TimeLimitExceeded => Wire::TimeLimitExceeded,
        ResultCode::SizeLimitExceeded => Wire::SizeLimitExceeded,
        ResultCode::CompareFalse => Wire::CompareFalse,
        ResultCode::CompareTrue => Wire::CompareTrue,
        ResultCode::AuthMethodNotSupported => Wire::AuthMethodNotSupported,
        ResultCode::StrongerAuthRequired => Wire::StrongerAuthRequired,
        ResultCode::AdminLimitExceeded => Wire::AdminLimitExceeded,
        ResultCode::UnavailableCriticalExtension => Wire::UnavailableCriticalExtension,
        ResultCode::ConfidentialityRequired => Wire::ConfidentialityRequired,
        ResultCode::SaslBindInProgress => Wire::SaslBindInProgress,
        ResultCode::NoSuchAttribute => Wire::NoSuchAttribute,
        ResultCode::UndefinedAttributeType => Wire::UndefinedAttributeType,
        ResultCode::InappropriateMatching => Wire::InappropriateMatching,
        ResultCode::ConstraintViolation => Wire::ConstraintViolation,
        ResultCode::InvalidAttributeSyntax => Wire::InvalidAttributeSyntax,
        ResultCode::NoSuchObject => Wire::NoSuchObject,
        ResultCode::InvalidDnSyntax => Wire::InvalidDNSyntax,
        ResultCode::InappropriateAuthentication => Wire::InappropriateAuthentication,
        ResultCode::InvalidCredentials => Wire::InvalidCredentials,
        ResultCode::InsufficientAccessRights => Wire::InsufficentAccessRights,
        ResultCode::Busy => Wire::Busy,
        ResultCode::Unavailable => Wire::Unavailable,
        ResultCode::UnwillingToPerform => Wire::UnwillingToPerform,
        ResultCode::Other => Wire::Other,
        ResultCode::Canceled => Wire::Canceled,
        ResultCode::NoSuchOperation => Wire::NoSuchOperation,
        ResultCode::TooLate => Wire::TooLate,
        ResultCode::CannotCancel => Wire::CannotCancel,
    }
}
