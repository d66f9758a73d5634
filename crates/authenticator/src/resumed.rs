//! Deciding an attempt to take a session up again: the account is looked at anew, nothing is
//! compared, and nothing is charged, since there is nothing to guess.

use doorward_domain::event::{Credential, Outcome, Subject};
use doorward_domain::policy::access::Access;
use doorward_domain::policy::conditions::conditions;
use doorward_domain::policy::reply::merge;
use doorward_domain::refusal::Refusal;
use doorward_domain::time::Monotonic;
use doorward_store::attempts::{AccountKey, AttemptRead, AttemptStore};

use super::challenged::admitted;
use super::decision::{LoginTarget, Round};
use super::report::Report;
use super::{AUTHORITY, Core};
use doorward_frontend_api::attempt::Attempt;
use doorward_frontend_api::verdict::{Authenticated, Grant, ResumptionGrant, Undecided, Verdict};

impl<S: AttemptStore> Core<S> {
    /// Decides whether the ground still holds: the same account, nothing about its credentials
    /// changed since, its state and bindings admit it now to whatever asks now, and so does what it
    /// got in by.
    pub(super) async fn resume(
        &self,
        attempt: &Attempt,
        begun: Monotonic,
        ground: &ResumptionGrant,
    ) -> Result<Round, Undecided> {
        let settings = self.settings.load();
        let subject = Subject::Account {
            account: ground.account(),
            username: ground.username().clone(),
        };
        let mut report = Report::of(attempt, begun, subject);
        report.credential = Some(Credential::Session);
        let Some(asked) = LoginTarget::by(&settings, &attempt.asking) else {
            return self.refuse_uncompared(&report, Refusal::NoResource).await;
        };
        report.asked_by(asked.name.as_ref(), asked.kind());
        let key = AccountKey::Id(ground.account());
        let read = self.read(&key, &asked, None, attempt.protocol).await?;
        self.decide_uncompared(report, asked, read, Some(ground))
            .await
    }

    /// Decides by state and bindings alone, and by the ground where there is one. A change-only
    /// session is made of a right password and of nothing else, so where the table offers one the
    /// user is refused.
    pub(super) async fn decide_uncompared(
        &self,
        mut report: Report,
        asked: LoginTarget,
        read: AttemptRead,
        ground: Option<&ResumptionGrant>,
    ) -> Result<Round, Undecided> {
        let Some(record) = read.account else {
            return self.refuse_uncompared(&report, Refusal::UnknownUser).await;
        };
        report.subject = Subject::Account {
            account: record.account,
            username: record.username.clone(),
        };
        let now = self.clock.now();
        let holding = conditions(&record.facts, &read.policy, now);
        let moved = ground.is_some_and(|ground| ground.epoch() != record.epoch);
        let by_network_password = ground.is_some_and(ResumptionGrant::by_network_password);
        let shut = by_network_password && !admitted(&self.settings.load(), asked.kind());
        let reason = match asked.judge(holding, record.bound, false) {
            Access::Granted if shut => Some(Refusal::NetworkPasswordNotAdmitted),
            Access::Granted if moved => Some(Refusal::SessionOver),
            Access::Granted => None,
            Access::ChangeOnly => Some(Refusal::MustChange),
            Access::Refused(reason) => Some(reason),
        };
        if let Some(reason) = reason {
            return self.refuse_uncompared(&report, reason).await;
        }
        report.decided(&*self.store, Outcome::Granted, now).await?;
        Ok(Round::Verdict(Verdict::Granted(Authenticated::prove(
            Grant {
                account: record.account,
                username: record.username,
                epoch: record.epoch,
                resource: asked.name,
                expires_in: None,
                reply: merge(record.reply).attributes(),
                ms_chap_v2: None,
                by_network_password,
            },
            &AUTHORITY,
        ))))
    }
}
