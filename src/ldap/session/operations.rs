//! Extended operations (RFC 4511 section 4.12) and writes (sections 4.6 to 4.9).

use crate::ldap::bind::Transport;
use crate::ldap::decode::{Extended, MessageId, RequestKind};
use crate::ldap::extended;
use crate::ldap::result::{LdapResult, Reply, ResultCode};
use crate::ldap::settings::TlsMode;

use super::Session;
use super::conversation::{Conversation, answer};
use super::step::{Arrival, CloseReason, Closing, Step, Task};

impl Conversation {
    pub(super) fn extended(&mut self, id: MessageId, request: &Extended, arrival: Arrival) -> Step {
        let send = |response| Step::Send(Reply::new(id, response));
        match extended::Operation::named(&request.oid) {
            extended::Operation::StartTls => self.start_tls(id, request, arrival),
            // RFC 4532 section 2: the request has no value.
            extended::Operation::WhoAmI if request.value.is_some() => send(extended::refuse(
                ResultCode::ProtocolError,
                "WhoAmI takes no value",
            )),
            extended::Operation::WhoAmI => self.guarded(id, Task::WhoAmI),
            extended::Operation::PasswordModify => send(extended::refuse(
                ResultCode::UnwillingToPerform,
                extended::NO_PASSWORD_CHANGE,
            )),
            extended::Operation::Unknown => send(extended::refuse(
                ResultCode::ProtocolError,
                "the extended operation is not known",
            )),
        }
    }

    /// RFC 4511 section 4.14.
    fn start_tls(&mut self, id: MessageId, request: &Extended, arrival: Arrival) -> Step {
        let refuse = |code, text: &str| {
            let result = LdapResult::with_diagnostic(code, text);
            Reply::new(id, extended::start_tls(result))
        };
        if arrival.bytes_behind {
            // What came in the clear must not be taken for protected. Clients wait for the
            // answer, so these bytes are somebody else's.
            let reply = refuse(ResultCode::ProtocolError, "bytes came behind StartTLS");
            let notice = Reply::notice_of_disconnection(
                ResultCode::ProtocolError,
                "bytes came behind StartTLS",
            );
            return Step::Close(Closing {
                replies: vec![reply, notice],
                reason: CloseReason::BytesBehindStartTls,
            });
        }
        if request.value.is_some() {
            let text = "StartTLS takes no value";
            return Step::Send(refuse(ResultCode::ProtocolError, text));
        }
        if self.transport == Transport::Tls {
            let text = "the connection is protected already";
            return Step::Send(refuse(ResultCode::OperationsError, text));
        }
        if self.settings.tls != TlsMode::StartTls {
            let text = "StartTLS is not offered here";
            return Step::Send(refuse(ResultCode::ProtocolError, text));
        }
        if !self.outstanding.is_empty() {
            let text = "operations are outstanding";
            return Step::Send(refuse(ResultCode::OperationsError, text));
        }
        Step::StartTls(Reply::new(id, extended::start_tls(ResultCode::Success)))
    }

    /// The answer to StartTLS where there is no certificate to begin with.
    pub fn no_tls(id: MessageId) -> Reply {
        let result =
            LdapResult::with_diagnostic(ResultCode::Unavailable, "TLS is not available now");
        Reply::new(id, extended::start_tls(result))
    }

    pub(super) fn write(&self, id: MessageId, kind: RequestKind) -> Step {
        let result = if let Session::ChangeOnly(_) = self.session {
            LdapResult::with_diagnostic(
                ResultCode::InsufficientAccessRights,
                "the password must be changed first",
            )
        } else {
            LdapResult::with_diagnostic(ResultCode::UnwillingToPerform, extended::READ_ONLY)
        };
        answer(id, kind, result)
    }
}
