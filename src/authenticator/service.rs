//! Service accounts: no conditions, no bindings, no lock, throttled by source alone (CONTRACT.md 3.8).

use std::time::Duration;

use crate::domain::certificate::CertificateNames;
use crate::domain::event::{Outcome, Subject};
use crate::domain::origin::{Origin, OriginKey, Protocol, Source};
use crate::domain::refusal::Refusal;
use crate::domain::resource::ResourceKind;
use crate::domain::secret::Password;
use crate::hashing::{Comparison, Lane, QueueFull};
use crate::policy::origins::{Identified, identify};
use crate::store::attempts::{AttemptStore, ServiceRecord};

use super::Core;
use super::ahead::There;
use super::attempt::{ServiceAttempt, ServiceEvidence};
use super::memory::{Digest, Holder, Known};
use super::payment::Paid;
use super::report::Report;
use super::settings::Settings;
use super::throttle::{Names, Toll, Whom};
use super::verdict::{AuthenticatedService, ServiceVerdict, Undecided};

/// How long a wrong password of a service account is remembered.
const REMEMBER_WRONG: Duration = Duration::from_mins(30);

/// How many passwords of a service account are live at most (CONTRACT.md 3.8).
const SERVICE_HASHES: usize = 2;

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
        let digest = self.memory.digest(holder, password);
        let source = attempt.circumstances.source.aggregate();
        let unseen = match &found {
            None => Some(Refusal::UnknownUser),
            Some(record) if !may_come_from(record, &attempt.circumstances.source) => {
                Some(Refusal::ServiceSource)
            }
            Some(record) if record.passwords.is_empty() => Some(Refusal::PasswordPending),
            Some(_) => None,
        };
        let known = self.memory.recall(&digest, self.clock.now().mono);
        let Some(paid) = self.pay_for_service(&settings, attempt, &folded, password) else {
            return self.throttle_service(&report).await;
        };
        let again = match known {
            Some(Known::Wrong) => Some(unseen.unwrap_or(Refusal::RepeatedWrongPassword)),
            Some(_) => unseen,
            None => None,
        };
        match again {
            Some(reason) if paid.before() => {
                self.service_turn().await?;
                report.refuse_merged(&*self.store, reason, self.clock.now());
                return Ok(ServiceVerdict::Refused(reason));
            }
            Some(reason) => {
                if let Err(undecided) = self.work_for_nobody(SERVICE_HASHES).await {
                    self.pay_back(paid);
                    return Err(undecided);
                }
                return self.refuse_service(&report, reason).await;
            }
            None => {}
        }
        let compared = match (&found, unseen) {
            (Some(record), None) => self.compare_service(record, password, known, &source).await,
            _ => self.work_for_nobody(SERVICE_HASHES).await.map(|()| false),
        };
        match (compared, found) {
            (Err(undecided), _) => {
                self.pay_back(paid);
                Err(undecided)
            }
            (Ok(true), Some(record)) => {
                self.pay_back(paid);
                self.remember_service(digest, Known::Right, settings.remember_for);
                self.services_seen.insert((record.service, source), ());
                self.grant_service(&report, record).await
            }
            (Ok(_), _) => {
                let known = match unseen {
                    Some(_) => Known::NotLookedAt,
                    None => Known::Wrong,
                };
                self.remember_service(digest, known, REMEMBER_WRONG);
                self.refuse_service(&report, unseen.unwrap_or(Refusal::WrongPassword))
                    .await
            }
        }
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
        let Some(spent) = self.throttle.take_source(settings, &toll, now) else {
            return self.throttle_service(report).await;
        };
        if let Err(undecided) = self.work_for_nobody(SERVICE_HASHES).await {
            let now = self.clock.now().mono;
            self.throttle.give_source_back(spent, now);
            return Err(undecided);
        }
        self.refuse_service(report, Refusal::MalformedPassword)
            .await
    }

    async fn throttle_service(&self, report: &Report) -> Result<ServiceVerdict, Undecided> {
        self.service_turn().await?;
        report.refuse_merged(&*self.store, Refusal::Throttled, self.clock.now());
        Ok(ServiceVerdict::Refused(Refusal::Throttled))
    }

    /// Has the source pay for a password; none where it cannot.
    fn pay_for_service(
        &self,
        settings: &Settings,
        attempt: &ServiceAttempt,
        name: &str,
        password: &Password,
    ) -> Option<Paid> {
        let (from, relay) = charged(settings, attempt);
        let toll = Toll::of_source(&from, Names::Services, relay);
        let sent: [&[u8]; 2] = [b"service", password.as_bytes()];
        let payment = self.memory.payment(&from.key, name, &sent);
        self.pay(settings, &toll, payment, REMEMBER_WRONG)
    }

    fn remember_service(&self, digest: Digest, known: Known, span: Duration) {
        let now = self.clock.now().mono;
        self.memory.remember(digest, known, now, span);
    }

    /// Waits a turn among those who are not known.
    async fn service_turn(&self) -> Result<(), Undecided> {
        let turn = self.pool.of(Lane::Service).turn().await;
        turn.map_err(|QueueFull| Undecided::Busy)
    }

    /// Computes so many hashes that say nothing.
    async fn work_for_nobody(&self, hashes: usize) -> Result<(), Undecided> {
        for _ in 0..hashes {
            let dummy = self.pool.of(Lane::Service).dummy().await;
            dummy.map_err(|QueueFull| Undecided::Busy)?;
        }
        Ok(())
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

    /// Whether the password is one of the account's. A wrong one costs as many hashes as an account
    /// may have passwords, so that time does not tell how many there are.
    async fn compare_service(
        &self,
        record: &ServiceRecord,
        password: &Password,
        known: Option<Known>,
        source: &Source,
    ) -> Result<bool, Undecided> {
        if known == Some(Known::Right) {
            return Ok(true);
        }
        let there = There {
            whom: Whom::Service(record.service),
            origin: OriginKey::new(source.to_string()),
        };
        let seen = (record.service, source.clone());
        // Sources that an administrator gave to the account are known from the start.
        let known_here = !record.sources.is_empty() || self.services_seen.contains_key(&seen);
        let pass = if known_here {
            self.ahead.pass(&there, self.clock.now().mono)
        } else {
            None
        };
        let right = self.compare_hashes(record, password, pass.is_some()).await;
        let now = self.clock.now().mono;
        match right {
            Ok(true) => self.ahead.granted(&there, pass, now),
            Err(_) => self.ahead.undecided(pass, now),
            Ok(false) => {
                self.work_for_nobody(SERVICE_HASHES.saturating_sub(record.passwords.len()))
                    .await?;
                if pass.is_some() {
                    self.service_turn().await?;
                }
            }
        }
        right
    }

    /// Whether a password is one of the account's, ahead of the strangers or among them.
    async fn compare_hashes(
        &self,
        record: &ServiceRecord,
        password: &Password,
        ahead: bool,
    ) -> Result<bool, Undecided> {
        for hash in &record.passwords {
            let turns = self.pool.of(Lane::Service);
            let turns = if ahead { turns.known() } else { turns };
            let compared = turns.verify(hash.clone(), password.clone()).await;
            let compared = compared.map_err(|QueueFull| Undecided::Busy)?;
            if let Comparison::Right { needs_rehash } = compared {
                if needs_rehash {
                    self.rehash_service_later(record.service, hash.clone(), password.clone());
                }
                return Ok(true);
            }
        }
        Ok(false)
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
