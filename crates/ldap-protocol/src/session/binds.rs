//! Binds (RFC 4511 section 4.2, RFC 4513 section 5): who is asked, and what the verdict makes of
//! the session.

use std::sync::Arc;

use crate::bind;
use crate::bind::{BindAction, Named, ParsedBind};
use crate::controls::{Asked, PasswordPolicy};
use crate::decode::{Bind, MessageId, RequestKind};
use crate::result::{LdapResult, Reply, Response, ResultCode};
use doorward_domain::origin::{Origin, Protocol};
use doorward_frontend_api::{Attempt, ServiceAttempt, ServiceVerdict, Undecided, Verdict};

use super::conversation::{Conversation, UNKNOWN_CONTROL, undecided_answer};
use super::step::{Arrival, ServiceBind, Step, Task, UserBind};

impl Conversation {
    pub(super) fn bind(
        &mut self,
        id: MessageId,
        bind: &Bind,
        asked: Option<Asked>,
        arrival: Arrival,
    ) -> Step {
        let binding = self.end_session();
        let ParsedBind {
            named,
            view,
            action,
        } = bind::read(bind, &self.settings, self.transport, &self.circumstances);
        self.bound_in.clone_from(&view);
        // User binds on it, failed ones too, keep the service account last bound; it stays away
        // from here on unless this very bind succeeds (CONTRACT.md 4).
        if named != Named::User {
            self.last_service = None;
        }
        let Some(asked) = asked else {
            self.session = binding.nobody();
            let code = ResultCode::UnavailableCriticalExtension;
            return bind_answer(id, LdapResult::with_diagnostic(code, UNKNOWN_CONTROL));
        };
        match action {
            BindAction::Answer(result) => {
                self.session = binding.nobody();
                bind_answer(id, result)
            }
            BindAction::Anonymous => {
                self.session = binding.nobody();
                bind_answer(id, ResultCode::Success.into())
            }
            BindAction::User(claim, evidence) => {
                let attempt = Attempt {
                    request: arrival.request,
                    received: arrival.now,
                    protocol: Protocol::Ldap,
                    asking: self.asking(view),
                    claim,
                    evidence,
                    origin: Origin::of(self.circumstances.source.clone()),
                    asked_for_password_policy: asked.password_policy,
                };
                let bind = UserBind { id, binding, asked };
                self.attempt(id, Task::UserBind(Box::new(attempt), bind))
            }
            BindAction::Service(evidence) => {
                let attempt = ServiceAttempt {
                    request: arrival.request,
                    received: arrival.now,
                    circumstances: self.circumstances.clone(),
                    evidence,
                };
                Step::AskService(Box::new(attempt), ServiceBind { id, binding, asked })
            }
        }
    }

    /// Takes the verdict on a user's bind.
    pub fn user_decided(&mut self, bind: UserBind, verdict: Result<Verdict, Undecided>) -> Step {
        let UserBind { id, binding, asked } = bind;
        match verdict {
            Ok(Verdict::Granted(proof)) => {
                let policy = PasswordPolicy::of_granted(proof.expires_in());
                self.session = binding.granted(proof);
                bound(id, asked, policy)
            }
            Ok(Verdict::ChangeOnly(proof)) => {
                self.session = binding.change_only(proof);
                bound(id, asked, PasswordPolicy::ChangeAfterReset)
            }
            Ok(Verdict::Refused(_)) => {
                self.session = binding.nobody();
                bind_answer(id, ResultCode::InvalidCredentials.into())
            }
            Err(undecided) => {
                self.session = binding.nobody();
                undecided_answer(id, RequestKind::Bind, &undecided)
            }
        }
    }

    /// Takes the verdict on a service account's bind.
    pub fn service_decided(
        &mut self,
        bind: ServiceBind,
        verdict: Result<ServiceVerdict, Undecided>,
    ) -> Step {
        let ServiceBind { id, binding, asked } = bind;
        match verdict {
            Ok(ServiceVerdict::Granted(proof)) => {
                let proof = Arc::new(proof);
                self.last_service = Some(Arc::clone(&proof));
                self.session = binding.service(proof);
                bound(id, asked, PasswordPolicy::Nothing)
            }
            Ok(ServiceVerdict::Refused(_)) => {
                self.session = binding.nobody();
                bind_answer(id, ResultCode::InvalidCredentials.into())
            }
            Err(undecided) => {
                self.session = binding.nobody();
                undecided_answer(id, RequestKind::Bind, &undecided)
            }
        }
    }
}

fn bind_reply(id: MessageId, result: LdapResult) -> Reply {
    Reply::new(
        id,
        Response::Bind {
            result,
            sasl_credentials: None,
        },
    )
}

fn bind_answer(id: MessageId, result: LdapResult) -> Step {
    Step::Send(bind_reply(id, result))
}

/// A bind that succeeded, with the password policy where it was asked for.
fn bound(id: MessageId, asked: Asked, policy: PasswordPolicy) -> Step {
    let reply = bind_reply(id, ResultCode::Success.into());
    Step::Send(if asked.password_policy {
        reply.with_control(policy.control())
    } else {
        reply
    })
}
