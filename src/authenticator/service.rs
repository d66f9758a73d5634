//! Service accounts: no conditions, no bindings, no lock, throttled by source alone (CONTRACT.md 3.8).

use crate::domain::event::{Outcome, Subject};
use crate::domain::origin::{Origin, Protocol};
use crate::domain::refusal::Refusal;
use crate::domain::secret::Password;
use crate::hashing::Comparison;
use crate::store::attempts::{AttemptStore, ServiceRecord};

use super::Core;
use super::attempt::{Evidence, ServiceAttempt};
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
        let settings = self.settings.load();
        let unknown = Subject::Unknown {
            digest: self.memory.name_digest(&attempt.name),
            length: attempt.name.len(),
        };
        let mut report = Report::of_service(attempt, unknown);
        let origin = Origin::of(attempt.circumstances.source.clone());
        let now = self.clock.now().mono;
        let Some(tokens) = self
            .throttle
            .take(&settings, Protocol::Ldap, &origin, None, now)
        else {
            self.pool.turn().await.map_err(|_| Undecided::Busy)?;
            return self.refuse_service(&report, Refusal::Throttled).await;
        };
        let found = self
            .store
            .read_service(&attempt.name.to_lowercase())
            .await
            .map_err(|error| Undecided::Unavailable(error.to_string()))?;
        let Some(record) = found else {
            self.pool.dummy().await.map_err(|_| Undecided::Busy)?;
            return self.refuse_service(&report, Refusal::UnknownUser).await;
        };
        report.subject = Subject::Service {
            service: record.name.clone(),
        };
        let Evidence::Password(password) = &attempt.evidence else {
            self.pool.dummy().await.map_err(|_| Undecided::Busy)?;
            return self
                .refuse_service(&report, Refusal::MalformedPassword)
                .await;
        };
        // A local socket has no address, and so is no source of an account that has some.
        let from = attempt.circumstances.source.address();
        if !record.sources.is_empty()
            && !from.is_some_and(|from| record.sources.iter().any(|net| net.contains(&from)))
        {
            self.pool.dummy().await.map_err(|_| Undecided::Busy)?;
            return self.refuse_service(&report, Refusal::ServiceSource).await;
        }
        match self.compare_service(&settings, &record, password).await {
            Ok(Compared::Right) => {
                self.throttle.give_back(tokens, self.clock.now().mono);
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
            Ok(Compared::Wrong) => self.refuse_service(&report, Refusal::WrongPassword).await,
            Ok(Compared::WrongAgain) => {
                self.throttle.give_back(tokens, self.clock.now().mono);
                self.pool.turn().await.map_err(|_| Undecided::Busy)?;
                self.refuse_service(&report, Refusal::RepeatedWrongPassword)
                    .await
            }
            Err(undecided) => {
                self.throttle.give_back(tokens, self.clock.now().mono);
                Err(undecided)
            }
        }
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
            let compared = self.pool.verify(hash.clone(), password.clone()).await;
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

enum Compared {
    Right,
    Wrong,
    WrongAgain,
}
