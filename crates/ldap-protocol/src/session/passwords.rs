//! Changing one's own password (RFC 3062, and a modify of `userPassword`).
//!
//! A session is no proof of a password for good: it may have been left open, or be spoken on by
//! whoever can put words into the mouth of an application that holds it. So a change needs the
//! old password with it, which is an attempt like any other, counted and throttled, so that a
//! session is no place to guess at; but for a session that may do nothing else, which its bind
//! has only just proved.

use super::Identity;
use super::conversation::{Conversation, undecided_answer};
use super::step::{OwnerCheck, PasswordTask, Proof, ProvenChange, Step, Task};
use crate::controls::{Asked, PasswordPolicy};
use crate::decode::{Extended, MessageId, Modify, RequestKind};
use crate::password::{Modification, PasswordAction, PasswordModify, Refusal};
use crate::result::{LdapResult, Reply, Response, ResultCode};
use doorward_domain::id::AccountId;
use doorward_domain::name::Username;
use doorward_domain::origin::{Origin, Protocol};
use doorward_domain::secret::{Password, Secret};
use doorward_frontend_api::{Attempt, Claim, Evidence, Undecided, Verdict};
use doorward_frontend_api::{Changed, NotChanged};

use super::step::Arrival;

/// Whoever waits for the answer, as far as the answer needs it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client {
    pub(super) id: MessageId,
    pub(super) kind: RequestKind,
    pub(super) asked: Asked,
}

impl Client {
    fn answer(self, result: LdapResult, policy: PasswordPolicy) -> Step {
        let Some(response) = Response::to(self.kind, result) else {
            return Step::Nothing;
        };
        let reply = Reply::new(self.id, response);
        Step::Send(if self.asked.password_policy {
            reply.with_control(policy.control())
        } else {
            reply
        })
    }

    fn refuse(self, refusal: Refusal) -> Step {
        let policy = refusal
            .policy
            .map_or(PasswordPolicy::Nothing, PasswordPolicy::NotChanged);
        self.answer(refusal.result, policy)
    }
}

impl Conversation {
    /// Takes a Password Modify request.
    pub(super) fn password_modify(
        &mut self,
        id: MessageId,
        request: &Extended,
        asked: Asked,
        arrival: Arrival,
    ) -> Step {
        let kind = RequestKind::Extended;
        let client = Client { id, kind, asked };
        let value = request.value.as_ref().map(Secret::expose);
        match PasswordModify::from_ber(value) {
            Ok(request) => self.password_action(client, PasswordAction::from(request), arrival),
            Err(error) => client.refuse(Refusal::malformed(error)),
        }
    }

    /// Takes a modify, which is either a change of password or refused.
    pub(super) fn modify(
        &mut self,
        id: MessageId,
        modify: Modify,
        asked: Asked,
        arrival: Arrival,
    ) -> Step {
        let kind = RequestKind::Modify;
        let client = Client { id, kind, asked };
        match Modification::of(modify) {
            Modification::Password(action) => self.password_action(client, action, arrival),
            Modification::Unclear => client.refuse(Refusal::unclear()),
            Modification::Hashed => client.refuse(Refusal::hashed()),
            Modification::Other => self.write(id, kind),
        }
    }

    fn password_action(
        &mut self,
        client: Client,
        action: PasswordAction,
        arrival: Arrival,
    ) -> Step {
        if !self.takes_passwords() {
            return client.refuse(Refusal::in_the_clear());
        }
        let task = PasswordTask {
            client,
            action,
            arrival,
        };
        self.guarded(client.id, Task::Password(Box::new(task)))
    }

    /// Does what can be done before anybody is asked; the session stands.
    pub(super) fn change_password(&mut self, task: PasswordTask) -> Step {
        let PasswordTask {
            client,
            action,
            arrival,
        } = task;
        let (account, user, must_change) = match self.session.identity() {
            Identity::Anonymous => return client.refuse(Refusal::anonymous()),
            Identity::Service(_) => return client.refuse(Refusal::service_account()),
            Identity::User(proof) => (proof.account(), proof.username().clone(), None),
            Identity::ChangeOnly(proof) => (proof.account(), proof.username().clone(), Some(proof)),
        };
        if !action.is_of(&user, &self.settings.tree) {
            return client.refuse(Refusal::not_ones_own());
        }
        let Some(new) = &action.new else {
            return client.refuse(Refusal::no_new_password());
        };
        let new = match Password::new(new.expose()) {
            Ok(new) => new,
            Err(shape) => return client.refuse(Refusal::shape(shape)),
        };
        match (&action.old, must_change) {
            (Some(old), _) => {
                let attempt = self.own_attempt(&user, Evidence::password(old.expose()), arrival);
                let check = OwnerCheck {
                    client,
                    account,
                    new,
                };
                let task = Task::OldPassword(Box::new(attempt), Box::new(check));
                self.attempt(client.id, task)
            }
            (None, Some(proof)) => {
                let proof = Proof::ChangeOnly(proof);
                Step::ChangePassword(Box::new(ProvenChange { client, proof, new }))
            }
            (None, None) => client.refuse(Refusal::no_old_password()),
        }
    }

    fn own_attempt(&self, user: &Username, evidence: Evidence, arrival: Arrival) -> Attempt {
        Attempt {
            request: arrival.request,
            received: arrival.now,
            protocol: Protocol::Ldap,
            asking: self.asking(self.bound_in.clone()),
            claim: Claim::Typed(user.as_str().to_owned()),
            evidence,
            origin: Origin::of(self.circumstances.source.clone()),
            // So that the old password of a user who must change it is right as well.
            asked_for_password_policy: true,
        }
    }

    /// Takes the verdict on the old password.
    pub fn old_password_decided(
        &mut self,
        check: OwnerCheck,
        verdict: Result<Verdict, Undecided>,
    ) -> Step {
        let OwnerCheck {
            client,
            account,
            new,
        } = check;
        let same = |proven: AccountId| proven == account;
        let proof = match verdict {
            Ok(Verdict::Granted(proof)) if same(proof.account()) => Proof::User(Box::new(proof)),
            Ok(Verdict::ChangeOnly(proof)) if same(proof.account()) => {
                Proof::ChangeOnly(std::sync::Arc::new(proof))
            }
            Ok(_) => return client.refuse(Refusal::old_password()),
            Err(undecided) => return undecided_answer(client.id, client.kind, &undecided),
        };
        Step::ChangePassword(Box::new(ProvenChange { client, proof, new }))
    }

    /// Takes what came of a change. A session that could do nothing else is over with it: whether
    /// the new password lets the user in is asked by the next bind.
    pub fn password_changed(
        &mut self,
        change: &ProvenChange,
        outcome: Result<Changed, NotChanged>,
    ) -> Step {
        let client = change.client;
        match outcome {
            Ok(changed) => {
                let binding = self.end_session();
                self.session = match changed {
                    Changed::SessionGoesOn(proof) => binding.granted(proof),
                    Changed::SessionOver => binding.nobody(),
                };
                client.answer(ResultCode::Success.into(), PasswordPolicy::Nothing)
            }
            Err(reason) => match Refusal::of(reason) {
                Ok(refusal) => client.refuse(refusal),
                Err(undecided) => undecided_answer(client.id, client.kind, &undecided),
            },
        }
    }
}
