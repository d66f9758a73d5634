//! What the configuration says about deciding; swapped whole on reload.

use std::sync::Arc;
use std::time::Duration;

use doorward_domain::origin::Relays;
use doorward_domain::policy::asking::Resources;
use doorward_domain::policy::buckets::Rate;
use doorward_domain::policy::naming::Realms;
use doorward_hashes::network_password::SealingKey;

/// The authenticator's settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The resources, in file order.
    pub resources: Resources,
    /// The realms that may stand before or after a username.
    pub realms: Realms,
    /// Sources behind which many users stand, spared by the throttle by source.
    pub relays: Relays,
    /// What network passwords are sealed under; without it they admit nobody.
    pub network_passwords: Option<Arc<SealingKey>>,
    /// Refusals leave at whole multiples of this after the attempt arrived.
    pub refusal_delay: Duration,
    /// How long a right password is remembered.
    pub remember_for: Duration,
    /// Failed attempts by source.
    pub source_rate: Rate,
    /// Failed attempts by account, origin and resource.
    pub account_rate: Rate,
}
