//! Deciding an attempt by a user's certificate: nothing is compared, nothing is remembered, and
//! nothing counts toward a lock, since there is nothing to guess. State and bindings decide as they
//! do for a password (CONTRACT.md 2).

use doorward_domain::event::{Credential, Subject};
use doorward_domain::policy::naming;
use doorward_domain::refusal::Refusal;
use doorward_domain::time::Monotonic;
use doorward_domain::user_certificate::UserCertificate;
use doorward_store::attempts::{AccountKey, AttemptStore};

use super::Core;
use super::decision::{LoginTarget, Round};
use super::report::Report;
use doorward_frontend_api::attempt::Attempt;
use doorward_frontend_api::verdict::Undecided;

impl<S: AttemptStore> Core<S> {
    /// Decides for the account that the certificate stands for. One that stands for none is refused
    /// as a stranger's password is.
    pub(super) async fn certify(
        &self,
        attempt: &Attempt,
        begun: Monotonic,
        certificate: &UserCertificate,
    ) -> Result<Round, Undecided> {
        let settings = self.settings.load();
        let nobody = Subject::Certificate {
            certificate: certificate
                .name
                .as_deref()
                .unwrap_or(certificate.identity.subject())
                .chars()
                .take(Subject::LONGEST_CERTIFICATE)
                .collect(),
        };
        let mut report = Report::of(attempt, begun, nobody);
        report.credential = Some(Credential::Certificate(certificate.identity.clone()));
        let Some(asked) = LoginTarget::by(&settings, &attempt.asking) else {
            return self
                .refuse_stranger(&settings, attempt, &report, Refusal::NoResource)
                .await;
        };
        report.asked_by(asked.name.as_ref(), asked.kind());
        let named_by = certificate.named_by;
        let login = certificate
            .name
            .as_deref()
            .and_then(|name| naming::certified(named_by, name, &settings.realms));
        let Some(login) = login else {
            return self
                .refuse_stranger(&settings, attempt, &report, Refusal::UnknownCertificate)
                .await;
        };
        let key = AccountKey::Login(login);
        let read = self.read(&key, &asked, None, attempt.protocol).await?;
        if read.account.is_none() {
            return self
                .refuse_stranger(&settings, attempt, &report, Refusal::UnknownUser)
                .await;
        }
        self.decide_uncompared(report, asked, read, None).await
    }
}
