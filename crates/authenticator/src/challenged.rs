//! Responses to challenges (CHAP, MS-CHAPv2), held against the account's network password.
//!
//! They go the way of every attempt: throttle, lock, place, and one commit that settles it. What
//! differs is the comparison, which is cheap, and that two wrong responses cannot be told to come
//! of one wrong password: each is a guess.

use std::time::Duration;

use doorward_domain::challenge::ChallengeResponse;
use doorward_domain::resource::ResourceKind;
use doorward_domain::time::Now;
use doorward_hashes::network_password::{MsChapV2Success, verify};
use doorward_store::attempts::AttemptStore;

use super::Core;
use super::decision::Found;
use super::settings::Settings;

/// How long a former network password is stale rather than wrong (CONTRACT.md 3.5).
const STALE_FOR: Duration = Duration::from_hours(30 * 24);

/// What a response is, held against the account's network passwords.
pub(super) enum Answered {
    /// Computed from the network password.
    Right(Option<MsChapV2Success>),
    /// Computed from the former one.
    Stale,
    /// Computed from neither.
    Wrong,
    /// Nobody can say: the key in use opens nothing of this account.
    Unreadable,
}

/// Whether network passwords are good for anything at this door: Wi-Fi and VPN alone, and with the
/// key alone.
pub(super) fn admitted(settings: &Settings, kind: ResourceKind) -> bool {
    settings.network_passwords.is_some() && matches!(kind, ResourceKind::Wifi | ResourceKind::Vpn)
}

/// Holds a response against the network password, then against the former one.
pub(super) fn verify_response(
    settings: &Settings,
    found: &Found<'_>,
    response: &ChallengeResponse,
    now: Now,
) -> Answered {
    let record = &found.record;
    let (Some(key), Some(sealed)) = (&settings.network_passwords, &record.network_password) else {
        return Answered::Wrong;
    };
    let Ok(password) = key.open(record.account, sealed) else {
        tracing::warn!(
            account.id = %record.account,
            "a network password is sealed under another key than the one in use"
        );
        return Answered::Unreadable;
    };
    if let Some(verified) = verify(&password, response) {
        return Answered::Right(verified.ms_chap_v2);
    }
    let stale = record
        .former_network_password
        .as_ref()
        .filter(|former| now.wall < former.replaced_at.plus(STALE_FOR))
        .and_then(|former| key.open(record.account, &former.sealed).ok())
        .is_some_and(|former| verify(&former, response).is_some());
    if stale {
        Answered::Stale
    } else {
        Answered::Wrong
    }
}

impl<S: AttemptStore> Core<S> {
    /// Does the work of a comparison where there is nothing to compare with.
    pub(super) fn hold_against_nothing(&self, response: &ChallengeResponse) {
        let _ = verify(&self.decoy, response);
    }
}
