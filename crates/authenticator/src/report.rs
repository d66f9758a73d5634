//! The event and the metrics of a decision: one of each, made here alone, so that neither drifts
//! from what was decided.

use metrics::{counter, histogram};

use doorward_domain::event::{AttemptEvent, Credential, Keeping, Outcome, Subject};
use doorward_domain::id::RequestId;
use doorward_domain::name::ResourceName;
use doorward_domain::origin::{Origin, OriginKey, Protocol};
use doorward_domain::policy::asking::ssid_of;
use doorward_domain::policy::origins::identify;
use doorward_domain::refusal::Refusal;
use doorward_domain::resource::{AccessContext, ResourceKind};
use doorward_domain::time::{Monotonic, Now, Timestamp};
use doorward_store::attempts::AttemptStore;

use doorward_frontend_api::Announcement;
use doorward_frontend_api::attempt::{Attempt, DeviceAttempt, ServiceAttempt};
use doorward_frontend_api::verdict::Undecided;

/// What every event of one attempt has in common.
#[derive(Debug, Clone)]
pub(super) struct Report {
    request: RequestId,
    received: Now,
    begun: Monotonic,
    protocol: Protocol,
    asking: AccessContext,
    origin: Origin,
    origin_key: Option<OriginKey>,
    resource: Option<ResourceName>,
    pub(super) subject: Subject,
    pub(super) credential: Option<Credential>,
}

impl Report {
    pub(super) fn of(attempt: &Attempt, begun: Monotonic, subject: Subject) -> Self {
        Self {
            request: attempt.request,
            received: attempt.received,
            begun,
            protocol: attempt.protocol,
            asking: attempt.asking.clone(),
            origin: attempt.origin.clone(),
            origin_key: None,
            resource: None,
            subject,
            credential: None,
        }
    }

    pub(super) fn of_service(attempt: &ServiceAttempt, subject: Subject) -> Self {
        Self {
            request: attempt.request,
            received: attempt.received,
            begun: attempt.received.mono,
            protocol: Protocol::Ldap,
            asking: AccessContext::Connection(attempt.circumstances.clone()),
            origin: Origin::of(attempt.circumstances.source.clone()),
            origin_key: None,
            resource: None,
            subject,
            credential: None,
        }
    }

    pub(super) fn of_device(
        attempt: &DeviceAttempt,
        asking: AccessContext,
        subject: Subject,
    ) -> Self {
        Self {
            request: attempt.request,
            received: attempt.received,
            begun: attempt.received.mono,
            protocol: Protocol::Radius,
            asking,
            origin: attempt.origin.clone(),
            origin_key: None,
            resource: None,
            subject,
            credential: None,
        }
    }

    pub(super) fn of_announced(announcement: &Announcement, subject: Subject) -> Self {
        Self {
            request: announcement.request,
            received: announcement.received,
            begun: announcement.received.mono,
            protocol: Protocol::AuthPolicy,
            asking: AccessContext::Announced(announcement.resource.clone()),
            origin: Origin::address(announcement.client),
            origin_key: None,
            resource: Some(announcement.resource.clone()),
            subject,
            credential: None,
        }
    }

    /// When its decision began, which may be long after it arrived.
    pub(super) fn begun(&self) -> Monotonic {
        self.begun
    }

    /// Takes what it is that asks: its name, where it has one, and of which kind it is, by which
    /// origins are told apart.
    pub(super) fn asked_by(&mut self, resource: Option<&ResourceName>, kind: ResourceKind) {
        self.resource = resource.cloned();
        self.origin_key = Some(identify(kind, self.protocol, &self.origin).key);
    }

    /// The resource that asks, where one does.
    pub(super) fn resource(&self) -> Option<&ResourceName> {
        self.resource.as_ref()
    }

    /// The event of an outcome.
    pub(super) fn event(
        &self,
        outcome: Outcome,
        reason: Option<Refusal>,
        now: Now,
    ) -> AttemptEvent {
        let (listener, client, ssid) = match &self.asking {
            AccessContext::Connection(circumstances) => {
                (Some(circumstances.listener.clone()), None, None)
            }
            AccessContext::Radius {
                client,
                called_station,
            } => (
                None,
                Some(client.client.clone()),
                ssid_of(called_station.as_deref()).map(str::to_owned),
            ),
            AccessContext::Announced(_) | AccessContext::Portal => (None, None, None),
        };
        let duration = now.mono.since(self.received.mono);
        AttemptEvent {
            request: self.request,
            protocol: self.protocol,
            resource: self.resource.clone(),
            subject: self.subject.clone(),
            origin: self.origin.clone(),
            origin_key: self.origin_key.clone(),
            listener,
            client,
            ssid,
            credential: self.credential.clone(),
            outcome,
            reason,
            duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Records a refusal that settles nothing, before the answer or within a second, as it is to be
    /// kept (CONTRACT.md 9).
    pub(super) async fn refuse<S: AttemptStore>(
        &self,
        store: &S,
        reason: Refusal,
        now: Now,
    ) -> Result<(), Undecided> {
        let event = self.event(Outcome::Refused, Some(reason), now);
        count(&event);
        match event.keeping() {
            Keeping::Gathered => store.merge_attempt(now.wall, event),
            Keeping::Apart | Keeping::Counted => record(store, now.wall, event).await?,
        }
        Ok(())
    }

    /// As [`Report::refuse`], in a commit of its own however the refusal is kept, so that how long
    /// it takes does not tell why it was refused.
    pub(super) async fn refuse_in_a_commit<S: AttemptStore>(
        &self,
        store: &S,
        reason: Refusal,
        now: Now,
    ) -> Result<(), Undecided> {
        if reason.keeping() == Keeping::Gathered {
            self.refuse_merged(store, reason, now);
            return keep_pace(store).await;
        }
        self.refuse(store, reason, now).await
    }

    /// Records a refusal that was given before, whatever its reason: gathered with its equals.
    pub(super) fn refuse_merged<S: AttemptStore>(&self, store: &S, reason: Refusal, now: Now) {
        let event = self.event(Outcome::Refused, Some(reason), now);
        count(&event);
        store.merge_attempt(now.wall, event);
    }

    /// Records a decision that settles nothing.
    pub(super) async fn decided<S: AttemptStore>(
        &self,
        store: &S,
        outcome: Outcome,
        now: Now,
    ) -> Result<(), Undecided> {
        let event = self.event(outcome, None, now);
        count(&event);
        record(store, now.wall, event).await
    }
}

async fn record<S: AttemptStore>(
    store: &S,
    at: Timestamp,
    event: AttemptEvent,
) -> Result<(), Undecided> {
    store
        .record_attempt(at, event)
        .await
        .map(drop)
        .map_err(Undecided::from)
}

/// Waits as a commit of an attempt does.
pub(super) async fn keep_pace<S: AttemptStore>(store: &S) -> Result<(), Undecided> {
    store.keep_pace().await.map_err(Undecided::from)
}

/// Counts a decision once.
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of one decision are far below 2^52"
)]
pub(super) fn count(event: &AttemptEvent) {
    let resource = event
        .resource
        .as_ref()
        .map_or("none", ResourceName::as_str)
        .to_owned();
    let reason = event.reason.map_or("none", Refusal::as_str);
    counter!(
        "doorward_decisions_total",
        "protocol" => event.protocol.as_str(),
        "resource" => resource,
        "outcome" => event.outcome.as_str(),
        "reason" => reason,
    )
    .increment(1);
    histogram!("doorward_decision_seconds", "protocol" => event.protocol.as_str())
        .record(event.duration_ms as f64 / 1000.0);
}
