//! Service accounts: no conditions, no bindings, no lock, throttled by source alone (CONTRACT.md 3.8).

use crate::domain::certificate::CertificateNames;
use crate::domain::event::{Outcome, Subject};
use crate::domain::origin::{Origin, Protocol, Source};
use crate::domain::refusal::Refusal;
use crate::domain::secret::Password;
use crate::hashing::{Comparison, Lane};
use crate::store::attempts::{AttemptStore, ServiceRecord};

use super::Core;
use super::attempt::{ServiceAttempt, ServiceEvidence};
use super::memory::Known;
use super::report::Report;
use super::verdict::{AuthenticatedService, ServiceVerdict, Undecided};

/// How long a wrong password of a service account is remembered.
const REMEMBER_WRONG: std::time::Duration = std::time::Duration::from_mins(30);

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
        let turns = self.pool.of(Lane::Service);
        let unknown = Subject::Unknown {
            digest: self.memory.name_digest(name),
            length: name.len(),
        };
        let mut report = Report::of_service(attempt, unknown);
        let origin = Origin::of(attempt.circumstances.source.clone());
        let now = self.clock.now().mono;
        let Some(tokens) = self
            .throttle
            .take(&settings, Protocol::Ldap, &origin, None, now)
        else {
            turns.turn().await.map_err(|_| Undecided::Busy)?;
            return self.refuse_service(&report, Refusal::Throttled).await;
        };
        let found = self
            .store
            .read_service(&name.to_lowercase())
            .await
            .map_err(|error| Undecided::Unavailable(error.to_string()))?;
        let Some(record) = found else {
            turns.dummy().await.map_err(|_| Undecided::Busy)?;
            return self.refuse_service(&report, Refusal::UnknownUser).await;
        };
        report.subject = subject(&record);
        let Some(password) = password else {
            turns.dummy().await.map_err(|_| Undecided::Busy)?;
            return self
                .refuse_service(&report, Refusal::MalformedPassword)
                .await;
        };
        if !may_come_from(&record, &attempt.circumstances.source) {
            turns.dummy().await.map_err(|_| Undecided::Busy)?;
            return self.refuse_service(&report, Refusal::ServiceSource).await;
        }
        if record.passwords.is_empty() {
            turns.dummy().await.map_err(|_| Undecided::Busy)?;
            return self.refuse_service(&report, Refusal::PasswordPending).await;
        }
        match self.compare_service(&settings, &record, password).await {
            Ok(Compared::Right) => {
                self.throttle.give_back(tokens, self.clock.now().mono);
                self.grant_service(&report, record).await
            }
            Ok(Compared::Wrong) => self.refuse_service(&report, Refusal::WrongPassword).await,
            Ok(Compared::WrongAgain) => {
                self.throttle.give_back(tokens, self.clock.now().mono);
                turns.turn().await.map_err(|_| Undecided::Busy)?;
                self.refuse_service(&report, Refusal::RepeatedWrongPassword)
                    .await
            }
            Err(undecided) => {
                self.throttle.give_back(tokens, self.clock.now().mono);
                Err(undecided)
            }
        }
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
            .map_err(|error| Undecided::Unavailable(error.to_string()))?;
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
            self.grant_service(&report, record).await
        } else {
            self.refuse_service(&report, Refusal::ServiceSource).await
        }
    }

    async fn grant_service(
        &self,
        report: &Report,
        record: ServiceRecord,
    ) -> Result<ServiceVerdict, Undecided> {
        report
            .decided(&*self.store, Outcome::Granted, self.clock.now())
            .await?;
        Ok(ServiceVerdict::Granted(AuthenticatedService {
            service: record.service,
            name: record.name,
            epoch: record.epoch,
            may_search: record.may_search,
        }))
    }

    async fn compare_service(
        &self,
        settings: &super::settings::Settings,
        record: &ServiceRecord,
        password: &Password,
    ) -> Result<Compared, Undecided> {
        let digest = self
            .memory
            .digest(record.service.as_uuid(), record.epoch, password);
        match self.memory.recall(&digest, self.clock.now().mono) {
            Some(Known::Right) => return Ok(Compared::Right),
            Some(Known::Wrong) => return Ok(Compared::WrongAgain),
            None => {}
        }
        for hash in &record.passwords {
            let turns = self.pool.of(Lane::Service);
            let compared = turns.verify(hash.clone(), password.clone()).await;
            let Comparison::Right { needs_rehash } = compared.map_err(|_| Undecided::Busy)? else {
                continue;
            };
            let now = self.clock.now().mono;
            self.memory
                .remember(digest, Known::Right, now, settings.remember_for);
            if needs_rehash {
                self.rehash_service_later(record.service, hash.clone(), password.clone());
            }
            return Ok(Compared::Right);
        }
        self.memory
            .remember(digest, Known::Wrong, self.clock.now().mono, REMEMBER_WRONG);
        Ok(Compared::Wrong)
    }

    async fn refuse_service(
        &self,
        report: &Report,
        reason: Refusal,
    ) -> Result<ServiceVerdict, Undecided> {
        report
            .refuse(&*self.store, reason, self.clock.now())
            .await?;
        Ok(ServiceVerdict::Refused(reason))
    }
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

enum Compared {
    Right,
    Wrong,
    WrongAgain,
}
