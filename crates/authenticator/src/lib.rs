//! The one place that says yes: attempt to verdict (CONTRACT.md 3 and 5).
//!
//! It knows no protocol and no engine of the store. Front ends see it as [`Decide`].

mod afterwards;
mod ahead;
mod announced;
mod certified;
mod challenged;
mod comparison;
mod decision;
mod devices;
mod guess;
mod memory;
mod nobody;
mod payment;
mod places;
mod report;
mod resumed;
mod service;
pub mod settings;
mod single_flight;
mod throttle;

use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use moka::sync::Cache;
use tokio_util::task::TaskTracker;

use doorward_domain::id::ServiceId;
use doorward_domain::name::ResourceName;
use doorward_domain::origin::Source;
use doorward_domain::policy::access::Access;
use doorward_domain::policy::conditions::conditions;
use doorward_domain::time::{Clock, Now};
use doorward_frontend_api::authority::Authority;
use doorward_frontend_api::{
    Announcement, Answer, Attempt, Authenticated, AuthenticatedService, ChangeProof, Conclusion,
    Decide, DecideDevices, DeviceAttempt, DeviceVerdict, Leave, ServiceAttempt, ServiceVerdict,
    Throttles, Undecided, Verdict,
};
use doorward_hashes::network_password::{NetworkPassword, NoRandomness};
use doorward_hashing::HashingPool;
use doorward_store::Store;
use doorward_store::attempts::AttemptStore;

pub use settings::Settings;

/// What proofs are made with.
#[expect(
    clippy::disallowed_methods,
    reason = "the authenticator is the one place that says yes"
)]
const AUTHORITY: Authority = Authority::of_the_core();

/// The authenticator over the store.
pub struct Authenticator(Deciding<Store>);

/// The authenticator over anything that attempts can be kept in: unit tests put a store of their own
/// under it.
struct Deciding<S>(Arc<Core<S>>);

/// How many service accounts are known at how many sources, at most.
const SERVICES_SEEN: u64 = 10_000;

struct Core<S> {
    itself: Weak<Self>,
    store: Arc<S>,
    pool: Arc<HashingPool>,
    clock: Arc<dyn Clock>,
    settings: ArcSwap<Settings>,
    memory: memory::Memory,
    flights: single_flight::SingleFlight,
    places: places::Places,
    nobodies: nobody::Nobodies,
    throttle: throttle::Throttle,
    ahead: ahead::Ahead,
    announced: announced::Announced,
    /// Stands for the network password where there is none.
    decoy: NetworkPassword,
    /// Service accounts, and where they have bound since the process began.
    services_seen: Cache<(ServiceId, Source), ()>,
    sightings: devices::Sightings,
    background: TaskTracker,
}

impl Authenticator {
    /// An authenticator that remembers nothing yet.
    ///
    /// # Errors
    /// The system gives no randomness for the process's key.
    pub fn new(
        store: Store,
        pool: Arc<HashingPool>,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> Result<Self, NoRandomness> {
        Deciding::new(Arc::new(store), pool, clock, settings).map(Self)
    }

    /// Puts other settings in force; what is under way ends by the old ones.
    pub fn set_settings(&self, settings: Settings) {
        let Deciding(core) = &self.0;
        core.settings.store(Arc::new(settings));
    }

    /// Waits until everything begun is settled, comparisons after the answer included.
    pub async fn drained(&self) {
        let Deciding(core) = &self.0;
        core.background.close();
        core.background.wait().await;
    }
}

impl Throttles for Authenticator {
    fn announce(&self, announcement: Announcement) -> Answer<'_, Result<Leave, Undecided>> {
        self.0.announce(announcement)
    }

    fn conclude(
        &self,
        announcement: Announcement,
        conclusion: Conclusion,
    ) -> Answer<'_, Result<(), Undecided>> {
        self.0.conclude(announcement, conclusion)
    }
}

impl DecideDevices for Authenticator {
    fn decide_device(
        &self,
        attempt: DeviceAttempt,
    ) -> Answer<'_, Result<DeviceVerdict, Undecided>> {
        self.0.decide_device(attempt)
    }
}

impl Decide for Authenticator {
    fn decide(&self, attempt: Attempt) -> Answer<'_, Result<Verdict, Undecided>> {
        self.0.decide(attempt)
    }

    fn decide_service(
        &self,
        attempt: ServiceAttempt,
    ) -> Answer<'_, Result<ServiceVerdict, Undecided>> {
        self.0.decide_service(attempt)
    }

    fn still_granted<'a>(
        &'a self,
        proof: &'a Authenticated,
    ) -> Answer<'a, Result<bool, Undecided>> {
        self.0.still_granted(proof)
    }

    fn still_change_only<'a>(
        &'a self,
        proof: &'a ChangeProof,
    ) -> Answer<'a, Result<bool, Undecided>> {
        self.0.still_change_only(proof)
    }

    fn still_bound<'a>(
        &'a self,
        proof: &'a AuthenticatedService,
    ) -> Answer<'a, Result<bool, Undecided>> {
        self.0.still_bound(proof)
    }
}

impl<S: AttemptStore> Deciding<S> {
    fn new(
        store: Arc<S>,
        pool: Arc<HashingPool>,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> Result<Self, NoRandomness> {
        let memory = memory::Memory::new().map_err(|_| NoRandomness)?;
        let decoy = NetworkPassword::generate()?;
        Ok(Self(Arc::new_cyclic(|itself| Core {
            itself: Weak::clone(itself),
            store,
            pool,
            clock,
            settings: ArcSwap::from_pointee(settings),
            memory,
            flights: single_flight::SingleFlight::default(),
            places: places::Places::default(),
            nobodies: nobody::Nobodies::new(),
            throttle: throttle::Throttle::new(),
            ahead: ahead::Ahead::new(),
            announced: announced::Announced::default(),
            decoy,
            services_seen: Cache::new(SERVICES_SEEN),
            sightings: devices::Sightings::new(),
            background: TaskTracker::new(),
        })))
    }
}

impl<S: AttemptStore> Core<S> {
    /// Runs a decision to its end, whether or not anybody still waits for it.
    async fn run_detached<T: Send + 'static>(
        &self,
        decision: impl Future<Output = Result<T, Undecided>> + Send + 'static,
    ) -> Result<T, Undecided> {
        match self.background.spawn(decision).await {
            Ok(decided) => decided,
            Err(error) => {
                metrics::counter!("doorward_decisions_failed_total").increment(1);
                tracing::error!(%error, "a decision ended without a verdict");
                Err(Undecided::Unavailable(
                    "a decision ended without a verdict".to_owned(),
                ))
            }
        }
    }

    /// Waits for the next whole multiple of `refusal_delay` after the attempt arrived. What is told
    /// busy waits as well: how soon there is no room may follow from what the store holds.
    async fn delay(&self, received: Now) {
        let step = self.settings.load().refusal_delay;
        if step.is_zero() {
            return;
        }
        let elapsed = self.clock.now().mono.since(received.mono);
        let over = elapsed.as_nanos() % step.as_nanos();
        let over = std::time::Duration::from_nanos(u64::try_from(over).unwrap_or(0));
        tokio::time::sleep(step.saturating_sub(over)).await;
    }

    /// Whether an account that got in would still get the same answer.
    async fn still(
        &self,
        account: doorward_domain::id::AccountId,
        epoch: doorward_domain::id::Epoch,
        resource: Option<&ResourceName>,
        access: Access,
    ) -> Result<bool, Undecided> {
        let settings = self.settings.load();
        let Some(asked) = decision::LoginTarget::named(&settings, resource) else {
            return Ok(false);
        };
        let read = self
            .store
            .read_account_again(account, resource)
            .await
            .map_err(Undecided::from)?;
        let Some(record) = read.account else {
            return Ok(false);
        };
        let holding = conditions(&record.facts, &read.policy, self.clock.now());
        Ok(record.epoch == epoch && asked.judge(holding, record.bound, true) == access)
    }
}

impl<S: AttemptStore> Throttles for Deciding<S> {
    fn announce(&self, announcement: Announcement) -> Answer<'_, Result<Leave, Undecided>> {
        Box::pin(async move { self.0.announce(&announcement).await })
    }

    fn conclude(
        &self,
        announcement: Announcement,
        conclusion: Conclusion,
    ) -> Answer<'_, Result<(), Undecided>> {
        Box::pin(async move { self.0.conclude(&announcement, conclusion).await })
    }
}

impl<S: AttemptStore> DecideDevices for Deciding<S> {
    fn decide_device(
        &self,
        attempt: DeviceAttempt,
    ) -> Answer<'_, Result<DeviceVerdict, Undecided>> {
        let received = attempt.received;
        let core = Arc::clone(&self.0);
        Box::pin(async move {
            let verdict = self
                .0
                .run_detached(async move { core.judge_device(&attempt).await })
                .await?;
            if let DeviceVerdict::Refused(_) = verdict {
                self.0.delay(received).await;
            }
            Ok(verdict)
        })
    }
}

impl<S: AttemptStore> Decide for Deciding<S> {
    fn decide(&self, attempt: Attempt) -> Answer<'_, Result<Verdict, Undecided>> {
        let received = attempt.received;
        let core = Arc::clone(&self.0);
        Box::pin(async move {
            let verdict = self
                .0
                .run_detached(async move { core.judge(&attempt).await })
                .await;
            if let Ok(Verdict::Refused(_)) | Err(Undecided::Busy) = verdict {
                self.0.delay(received).await;
            }
            verdict
        })
    }

    fn decide_service(
        &self,
        attempt: ServiceAttempt,
    ) -> Answer<'_, Result<ServiceVerdict, Undecided>> {
        let received = attempt.received;
        let core = Arc::clone(&self.0);
        Box::pin(async move {
            let verdict = self
                .0
                .run_detached(async move { core.judge_service(&attempt).await })
                .await;
            if let Ok(ServiceVerdict::Refused(_)) | Err(Undecided::Busy) = verdict {
                self.0.delay(received).await;
            }
            verdict
        })
    }

    fn still_granted<'a>(
        &'a self,
        proof: &'a Authenticated,
    ) -> Answer<'a, Result<bool, Undecided>> {
        let resource = proof.resource();
        Box::pin(
            self.0
                .still(proof.account(), proof.epoch(), resource, Access::Granted),
        )
    }

    fn still_change_only<'a>(
        &'a self,
        proof: &'a ChangeProof,
    ) -> Answer<'a, Result<bool, Undecided>> {
        let resource = proof.resource();
        Box::pin(
            self.0
                .still(proof.account(), proof.epoch(), resource, Access::ChangeOnly),
        )
    }

    fn still_bound<'a>(
        &'a self,
        proof: &'a AuthenticatedService,
    ) -> Answer<'a, Result<bool, Undecided>> {
        Box::pin(async move {
            let record = self
                .0
                .store
                .read_service_again(&proof.name().folded())
                .await
                .map_err(Undecided::from)?;
            Ok(record.is_some_and(|record| {
                record.service == proof.service() && record.epoch == proof.epoch()
            }))
        })
    }
}
