//! What is done after the answer: whether a wrong password was the previous one, and hashing a
//! right one anew.

use std::time::Duration;

use doorward_domain::id::{AccountId, EventId, FailureId, ServiceId};
use doorward_domain::name::ResourceName;
use doorward_domain::rules::PlaceLimits;
use doorward_domain::secret::{HashText, Password};
use doorward_hashing::Comparison;
use doorward_store::attempts::{AttemptStore, Confirmation, PreviousPassword};
use doorward_store::records::{MailKind, NewMail};

use super::Core;

/// How often a full queue or a broken store is tried again.
const TRIES: u32 = 20;
/// How long between two tries: all of them end before a provisional failure counts by itself.
const PAUSE: Duration = Duration::from_millis(500);

/// A wrong password that was counted, and may turn out to be stale.
pub(super) struct Suspected {
    pub(super) account: AccountId,
    pub(super) resource: Option<ResourceName>,
    pub(super) failure: FailureId,
    pub(super) event: EventId,
    pub(super) limits: PlaceLimits,
}

impl<S: AttemptStore> Core<S> {
    /// Compares a wrong password with the previous one (CONTRACT.md 3.5). A failure that cannot
    /// be confirmed counts as wrong by itself.
    pub(super) fn check_stale_later(
        &self,
        suspected: Suspected,
        previous: PreviousPassword,
        password: Password,
    ) {
        let Some(core) = self.itself.upgrade() else {
            return;
        };
        self.background.spawn(async move {
            if let Some(stale) = core.is_right(&previous.hash, &password).await {
                core.confirm(suspected, stale).await;
            }
        });
    }

    /// Says of a wrong password that it is known to be stale.
    pub(super) fn confirm_stale_later(&self, suspected: Suspected) {
        let Some(core) = self.itself.upgrade() else {
            return;
        };
        self.background
            .spawn(async move { core.confirm(suspected, true).await });
    }

    async fn confirm(&self, suspected: Suspected, stale: bool) {
        let Suspected {
            account,
            resource,
            failure,
            event,
            limits,
        } = suspected;
        let kind = if stale {
            MailKind::StalePassword
        } else {
            MailKind::Locked
        };
        for _ in 0..TRIES {
            let confirmation = Confirmation {
                failure,
                event,
                account,
                at: self.clock.now().wall,
                stale,
                limits,
                mail: Some(NewMail {
                    account,
                    kind,
                    details: serde_json::json!({ "resource": resource }),
                }),
            };
            match self.store.confirm_failure(confirmation).await {
                Ok(_) => break,
                Err(error) => tracing::warn!(%error, "a failure was not confirmed yet"),
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.places.freed(account);
    }

    async fn is_right(&self, hash: &HashText, password: &Password) -> Option<bool> {
        for _ in 0..TRIES {
            match self.pool.verify_stale(hash.clone(), password.clone()).await {
                Ok(comparison) => return Some(matches!(comparison, Comparison::Right { .. })),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
        None
    }

    /// Hashes a right password anew with the parameters in force (CONTRACT.md 6). Where the queue
    /// is full it is left for the next login.
    pub(super) fn rehash_later(&self, account: AccountId, old: HashText, password: Password) {
        let Some(core) = self.itself.upgrade() else {
            return;
        };
        self.background.spawn(async move {
            let Ok(new) = core.pool.rehash(password).await else {
                return;
            };
            if let Err(error) = core.store.rehash(account, old, new).await {
                tracing::warn!(%error, "a hash was not replaced; the next login tries again");
            }
        });
    }

    /// As [`Core::rehash_later`], for a service account.
    pub(super) fn rehash_service_later(
        &self,
        service: ServiceId,
        old: HashText,
        password: Password,
    ) {
        let Some(core) = self.itself.upgrade() else {
            return;
        };
        self.background.spawn(async move {
            let Ok(new) = core.pool.rehash(password).await else {
                return;
            };
            if let Err(error) = core.store.rehash_service(service, old, new).await {
                tracing::warn!(%error, "a hash was not replaced; the next bind tries again");
            }
        });
    }
}
