//! The policy: shown, changed, looked back on, and tried out before it is saved (CONTRACT.md 1).

use serde::Serialize;

use doorward_domain::account::{Condition, Status};
use doorward_domain::event::Event;
use doorward_domain::name::Username;
use doorward_domain::policy::conditions::{conditions, expires_at};
use doorward_domain::policy::lockout::place_limits;
use doorward_domain::policy::settings;
use doorward_domain::resource::Resource;
use doorward_domain::rules::PolicySettings;
use doorward_domain::time::{Now, Timestamp};
use doorward_store::changes::{Change, UserFilter};
use doorward_store::records::UserRecord;

use super::view::{some_time, time};
use super::{By, Directory, DirectoryError};

/// A policy as it is printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyView {
    /// Moves by one with every change.
    pub version: u64,
    /// Every key and its value.
    #[serde(serialize_with = "keys")]
    pub keys: Vec<(&'static str, String)>,
    /// Age counts from here where a password is older.
    #[serde(serialize_with = "time")]
    pub ageing_since: Option<Timestamp>,
    /// Dates by which older passwords must be changed.
    pub forced_changes: Vec<ForcedChangeView>,
}

/// A date by which older passwords must be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ForcedChangeView {
    /// Passwords set before this instant are meant.
    #[serde(serialize_with = "some_time")]
    pub set_before: Timestamp,
    /// Past this instant they are expired.
    #[serde(serialize_with = "some_time")]
    pub by: Timestamp,
}

fn keys<S: serde::Serializer>(
    keys: &[(&'static str, String)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(keys.iter().map(|(key, value)| (key, value)))
}

impl From<&PolicySettings> for PolicyView {
    fn from(policy: &PolicySettings) -> Self {
        Self {
            version: policy.version,
            keys: settings::show(policy),
            ageing_since: Some(policy.ageing_since)
                .filter(|since| policy.password.max_age.is_some() && *since > Timestamp::EPOCH),
            forced_changes: policy
                .forced_changes
                .iter()
                .map(|forced| ForcedChangeView {
                    set_before: forced.set_before,
                    by: forced.by,
                })
                .collect(),
        }
    }
}

/// A policy that is not saved, and whom it would touch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyPreview {
    /// The policy as it would be.
    pub policy: PolicyView,
    /// The users it would touch, sorted by name.
    pub affected: Vec<Affected>,
}

/// What a policy would do to a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Affected {
    /// Who.
    pub username: Username,
    /// How it stands.
    pub status: Status,
    /// How it would stand at once.
    pub status_after: Status,
    /// When the password expires.
    #[serde(serialize_with = "time")]
    pub expires: Option<Timestamp>,
    /// When it would expire.
    #[serde(serialize_with = "time")]
    pub expires_after: Option<Timestamp>,
    /// Its failures would lock it at the next attempt.
    pub locks_at_next_attempt: bool,
}

impl Directory {
    /// The policy in force.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn policy(&self) -> Result<PolicyView, DirectoryError> {
        Ok(PolicyView::from(&*self.policy_in_force().await?))
    }

    /// Every change of the policy, newest first.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn policy_history(&self) -> Result<Vec<Event>, DirectoryError> {
        Ok(self.store.policy_history().await?)
    }

    /// Changes the policy. With `change_by`, every password set before now must be changed by
    /// then.
    ///
    /// # Errors
    /// A key or value is refused, somebody else changed it in between, the store cannot answer.
    pub async fn set_policy(
        &self,
        by: &By,
        changes: &[(String, String)],
        change_by: Option<Timestamp>,
    ) -> Result<PolicyView, DirectoryError> {
        by.admin()?;
        let present = self.policy_in_force().await?;
        let next = settings::apply(&present, changes, change_by, by.now.wall)?;
        let view = PolicyView::from(&next);
        self.apply(by, Change::SetPolicy(next)).await?;
        Ok(view)
    }

    /// What [`Directory::set_policy`] would do, and to whom; nothing is changed.
    ///
    /// # Errors
    /// A key or value is refused, the store cannot answer.
    pub async fn preview_policy(
        &self,
        changes: &[(String, String)],
        change_by: Option<Timestamp>,
        now: Now,
    ) -> Result<PolicyPreview, DirectoryError> {
        let present = self.policy_in_force().await?;
        let next = settings::apply(&present, changes, change_by, now.wall)?;
        let mut affected = Vec::new();
        for record in self.all_users(&UserFilter::All).await? {
            let one = self.affected(&record, &present, &next, now).await?;
            if one.status != one.status_after
                || one.expires != one.expires_after
                || one.locks_at_next_attempt
            {
                affected.push(one);
            }
        }
        affected.sort_by_cached_key(|one| one.username.folded());
        Ok(PolicyPreview {
            policy: PolicyView::from(&next),
            affected,
        })
    }

    async fn affected(
        &self,
        record: &UserRecord,
        present: &PolicySettings,
        next: &PolicySettings,
        now: Now,
    ) -> Result<Affected, DirectoryError> {
        let after = conditions(&record.facts, next, now);
        let locks = !after.holds(Condition::Locked)
            && record.recent_failures > 0
            && self.would_lock(record, next, now).await?
            && !self.would_lock(record, present, now).await?;
        Ok(Affected {
            username: record.username.clone(),
            status: Status::of(conditions(&record.facts, present, now)),
            status_after: Status::of(after),
            expires: expires_at(&record.facts, present),
            expires_after: expires_at(&record.facts, next),
            locks_at_next_attempt: locks,
        })
    }

    /// Whether the failures counted now reach what a policy allows.
    async fn would_lock(
        &self,
        record: &UserRecord,
        policy: &PolicySettings,
        now: Now,
    ) -> Result<bool, DirectoryError> {
        let settings = self.settings();
        let Some(resource) = settings
            .resources
            .iter()
            .find(|one| Resource::counts_failures(one))
        else {
            return Ok(false);
        };
        let limits = place_limits(policy, resource, false, now);
        let charged = self.store.charged(record.account, &limits).await?;
        Ok(charged.failures >= limits.threshold || charged.counting_today >= limits.daily_cap)
    }
}
