//! What the configuration says about deciding; swapped whole on reload.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::origin::Relays;
use crate::network_password::SealingKey;
use crate::policy::asking::Resources;
use crate::policy::buckets::Rate;
use crate::policy::naming::Realms;

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
