//! Service accounts: no conditions, no bindings, no lock, throttled by source alone (CONTRACT.md 3.8).

mod passwords;
#[cfg(test)]
mod tests;

use doorward_domain::certificate::CertificateNames;
use doorward_domain::event::{Outcome, Subject};
use doorward_domain::origin::{Origin, Protocol, Source};
use doorward_domain::policy::origins::{Identified, identify};
use doorward_domain::refusal::Refusal;
use doorward_domain::resource::ResourceKind;
use doorward_domain::secret::Password;
use doorward_store::attempts::{AttemptStore, ServiceRecord};

use super::memory::Holder;
use super::report::Report;
use super::settings::Settings;
use super::throttle::{Names, Toll};
use super::{AUTHORITY, Core};
use doorward_frontend_api::attempt::{ServiceAttempt, ServiceEvidence};
use doorward_frontend_api::verdict::{
    AuthenticatedService, ServiceGrant, ServiceVerdict, Undecided,
};

use passwords::{GuessedAt, ServiceGuess};

impl<S: AttemptStore> Core<S> {
    /// Decides a service account's bind; the answer is not delayed here.
    pub(super) async fn judge_service(
        &self,
        attempt: &ServiceAttempt,
    ) -> Result<ServiceVerdict, Undecided> {
        match &attempt.evidence {
            ServiceEvidence::Password { name, password } => {
                let password = password.as_ref().ok();
                self.judge_service_password(attempt, name, password).await
            }
            ServiceEvidence::Certificate { names, acting_as } => {
                self.judge_service_certificate(attempt, names, acting_as.as_deref())
                    .await
            }
        }
    }

    async fn judge_service_password(
        &self,
        attempt: &ServiceAttempt,
        name: &str,
        password: Option<&Password>,
    ) -> Result<ServiceVerdict, Undecided> {
        let settings = self.settings.load();
        let unknown = Subject::Unknown {
            digest: self.memory.name_digest(name),
            length: name.len(),
        };
        let mut report = Report::of_service(attempt, unknown);
        let folded = name.to_lowercase();
        let found = self
            .store
            .read_service(&folded)
            .await
            .map_err(Undecided::from)?;
        let holder = match &found {
            Some(record) => Holder::Service(record.service.as_uuid(), record.epoch),
            None => Holder::NoService(&folded),
        };
        if let Some(record) = &found {
            report.subject = subject(record);
        }
        let Some(password) = password else {
            return self
                .refuse_malformed_password(&settings, attempt, &report)
                .await;
        };
        let source = &attempt.circumstances.source;
        let at = match &found {
            None => GuessedAt::Unseen(Refusal::UnknownUser),
            Some(record) if !may_come_from(record, source) => {
                GuessedAt::Unseen(Refusal::ServiceSource)
            }
            Some(record) if record.passwords.is_empty() => {
                GuessedAt::Unseen(Refusal::PasswordPending)
            }
            Some(record) => GuessedAt::Account(record),
        };
        let (from, relay) = charged(&settings, attempt);
        let guess = ServiceGuess {
            settings: &settings,
            source,
            from: &from,
            relay,
            name: &folded,
            at,
            password,
            digest: self.memory.digest(holder, password),
            report: &report,
        };
        self.weigh_service(&guess).await
    }

    /// Refuses what is no password, for a token each time: nothing is remembered of it.
    async fn refuse_malformed_password(
        &self,
        settings: &Settings,
        attempt: &ServiceAttempt,
        report: &Report,
    ) -> Result<ServiceVerdict, Undecided> {
        let (from, relay) = charged(settings, attempt);
        let toll = Toll::of_source(&from, Names::Services, relay);
        let now = self.clock.now().mono;
        let Some(token) = self.throttle.take_source(settings, &toll, now) else {
            return self.refuse_service_again(report, Refusal::Throttled).await;
        };
        let (spent, worked) = self.work_for_nobody(report).await;
        if !spent {
            let now = self.clock.now().mono;
            self.throttle.give_source_back(token, now);
        }
        worked?;
        self.refuse_service(report, Refusal::MalformedPassword)
            .await
    }

    /// Refuses what needs no hash and is not to cost one, after a turn; however often it comes, it is
    /// one event a minute.
    async fn refuse_service_again(
        &self,
        report: &Report,
        reason: Refusal,
    ) -> Result<ServiceVerdict, Undecided> {
        self.service_turn(report).await?;
        report.refuse_merged(&*self.store, reason, self.clock.now());
        Ok(ServiceVerdict::Refused(reason))
    }

    /// Decides by a certificate. It is no guess: nothing is charged and nothing is hashed.
    async fn judge_service_certificate(
        &self,
        attempt: &ServiceAttempt,
        names: &CertificateNames,
        acting_as: Option<&str>,
    ) -> Result<ServiceVerdict, Undecided> {
        let mut report = Report::of_service(attempt, Subject::certificate(names));
        let mut found = self
            .store
            .read_services_certified(names)
            .await
            .map_err(Undecided::from)?;
        if let Some(name) = acting_as {
            found.retain(|record| record.name.folded() == name.to_lowercase());
        }
        let (Some(record), true) = (found.pop(), found.is_empty()) else {
            return self
                .refuse_service(&report, Refusal::UnknownCertificate)
                .await;
        };
        report.subject = subject(&record);
        if may_come_from(&record, &attempt.circumstances.source) {
            self.grant_service(&report, &record).await
        } else {
            self.refuse_service(&report, Refusal::ServiceSource).await
        }
    }

    async fn grant_service(
        &self,
        report: &Report,
        record: &ServiceRecord,
    ) -> Result<ServiceVerdict, Undecided> {
        report
            .decided(&*self.store, Outcome::Granted, self.clock.now())
            .await?;
        Ok(ServiceVerdict::Granted(AuthenticatedService::prove(
            ServiceGrant {
                service: record.service,
                name: record.name.clone(),
                epoch: record.epoch,
                may_search: record.may_search,
            },
            &AUTHORITY,
        )))
    }

    /// Refuses what was looked at, or worked on as if it were: in one commit either way.
    async fn refuse_service(
        &self,
        report: &Report,
        reason: Refusal,
    ) -> Result<ServiceVerdict, Undecided> {
        report
            .refuse_in_a_commit(&*self.store, reason, self.clock.now())
            .await?;
        Ok(ServiceVerdict::Refused(reason))
    }
}

/// Whose bucket an attempt draws from, and whether it is spared as a relay.
fn charged(settings: &Settings, attempt: &ServiceAttempt) -> (Identified, bool) {
    let source = &attempt.circumstances.source;
    let from = identify(
        ResourceKind::App,
        Protocol::Ldap,
        &Origin::of(source.clone()),
    );
    (from, settings.relays.include(source))
}

fn subject(record: &ServiceRecord) -> Subject {
    Subject::Service {
        service: record.name.clone(),
    }
}

/// A local socket has no address, and so is no source of an account that has some.
fn may_come_from(record: &ServiceRecord, source: &Source) -> bool {
    record.sources.is_empty()
        || source
            .address()
            .is_some_and(|from| record.sources.iter().any(|net| net.contains(&from)))
}
