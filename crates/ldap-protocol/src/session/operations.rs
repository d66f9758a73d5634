//! Searches (RFC 4511 section 4.5), extended operations (section 4.12) and writes (sections 4.6 to
//! 4.9).

use crate::bind::Transport;
use crate::controls::{Asked, SearchControls, Sort, paged_response};
use crate::decode::{Control, Extended, MessageId, RequestKind, Search};
use crate::extended;
use crate::result::{LdapResult, Reply, Response, ResultCode};
use crate::search::Wanted;
use crate::settings::TlsMode;

use super::Session;
use super::conversation::{Conversation, answer};
use super::paging::Turn;
use super::step::{Arrival, CloseReason, Closing, Job, Step, Task};

impl Conversation {
    pub(super) fn search(&mut self, id: MessageId, search: Search, controls: &[Control]) -> Step {
        let kind = RequestKind::Search;
        let asked = match SearchControls::read(controls) {
            Ok(asked) => asked,
            Err(malformed) => {
                let text = malformed.to_string();
                let result = LdapResult::with_diagnostic(ResultCode::ProtocolError, text);
                return answer(id, kind, result);
            }
        };
        if let Sort::Impossible(outcome) = &asked.sort
            && asked.sort_is_critical
        {
            // RFC 2891 section 2: nothing is sent but this, and why.
            let result = LdapResult::with_diagnostic(
                ResultCode::UnavailableCriticalExtension,
                "the results cannot be sorted so",
            );
            let reply = Reply::new(id, Response::SearchDone(result));
            return Step::Send(reply.with_control(outcome.control()));
        }
        // RFC 2696 section 3: a page as large as the size limit is the whole.
        let whole = |size| search.size_limit.is_some_and(|limit| size >= limit.get());
        let paged = asked
            .paged
            .filter(|paged| !(paged.cookie.is_empty() && whole(paged.size)));
        let page = match paged.map(|paged| self.paged.turn(&paged, &search, controls)) {
            None => None,
            Some(Turn::Page(page)) => Some(page),
            Some(Turn::Abandoned) => {
                let reply = Reply::new(id, Response::SearchDone(ResultCode::Success.into()));
                return Step::Send(reply.with_control(paged_response(b"")));
            }
            Some(Turn::Unknown) => {
                let result = LdapResult::with_diagnostic(
                    ResultCode::UnwillingToPerform,
                    "the cookie belongs to no search that this connection reads in pages",
                );
                return answer(id, kind, result);
            }
        };
        let wanted = Wanted {
            search,
            page,
            sort: asked.sort,
        };
        self.guarded(id, Task::Job(Job::Search(Box::new(wanted))))
    }

    pub(super) fn extended(
        &mut self,
        id: MessageId,
        request: &Extended,
        asked: Asked,
        arrival: Arrival,
    ) -> Step {
        let send = |response| Step::Send(Reply::new(id, response));
        match extended::Operation::named(&request.oid) {
            extended::Operation::StartTls => self.start_tls(id, request, arrival),
            // RFC 4532 section 2: the request has no value.
            extended::Operation::WhoAmI if request.value.is_some() => send(extended::refuse(
                ResultCode::ProtocolError,
                "WhoAmI takes no value",
            )),
            extended::Operation::WhoAmI => self.guarded(id, Task::WhoAmI),
            extended::Operation::PasswordModify => {
                self.password_modify(id, request, asked, arrival)
            }
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
