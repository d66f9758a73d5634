//! New passwords: every rule that one breaks, the history included, and setting it
//! (CONTRACT.md 6). A refused new password is no failed attempt.

use doorward_domain::account::{Condition, Conditions};
use doorward_domain::event::Actor;
use doorward_domain::id::Epoch;
use doorward_domain::name::{MailAddress, Username};
use doorward_domain::policy::conditions::conditions;
use doorward_domain::policy::password::{
    BrokenRule, NewPasswordContext, check_new_password, may_change_now,
};
use doorward_domain::rules::{PasswordRules, PolicySettings};
use doorward_domain::secret::{HashText, Password};
use doorward_domain::time::Now;
use doorward_hashing::{Comparison, QueueFull};
use doorward_store::changes::{Applied, Change, ChangeRefused};
use doorward_store::records::{MailKind, UserRecord};

use super::changing::OWN_CHANGES;
use super::users::mail;
use super::{AUTHORITY, By, Directory, DirectoryError, UserView};
use doorward_frontend_api::own_password::{Changed, Owner};

/// Whose password it is to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whose<'a> {
    pub(super) username: &'a Username,
    pub(super) email: &'a MailAddress,
    pub(super) full_name: Option<&'a str>,
}

impl<'a> Whose<'a> {
    fn of(record: &'a UserRecord) -> Self {
        Self {
            username: &record.username,
            email: &record.email,
            full_name: record.full_name.as_deref(),
        }
    }
}

impl From<QueueFull> for DirectoryError {
    fn from(QueueFull: QueueFull) -> Self {
        Self::Busy
    }
}

impl Directory {
    /// Sets a user's password as an administrator: clears lock, failures and expiry, voids links.
    /// The minimum age does not hinder it; a suspended user stays suspended.
    ///
    /// # Errors
    /// No such user; the password breaks rules, all of which are named; the store cannot answer.
    pub async fn set_password(
        &self,
        by: &By,
        name: &str,
        password: Password,
        must_change: bool,
    ) -> Result<UserView, DirectoryError> {
        by.admin()?;
        let record = self.user_named(name).await?;
        let policy = self.policy_in_force().await?;
        self.put_password(by, &record, &policy, password, must_change, None)
            .await?;
        self.view(self.record(record.account).await?, by.now).await
    }

    /// Changes the password of the user whose session this is. The minimum age hinders it unless
    /// the change is required, and so does having changed it time and again just now: each change is
    /// an event that goes last where the log is full.
    ///
    /// A locked user is refused: a lock ends by an administrator, a link or time, and not by
    /// whoever found the password out at a resource that lets the locked in (CONTRACT.md 1).
    ///
    /// # Errors
    /// The account is locked, or not as it was when the session began; the password breaks rules,
    /// all of which are named; another change of it is under way (busy); the store cannot answer.
    pub async fn change_own_password(
        &self,
        owner: Owner<'_>,
        password: Password,
        now: Now,
    ) -> Result<Changed, DirectoryError> {
        let (account, epoch) = match owner {
            Owner::User(proof) => (proof.account(), proof.epoch()),
            Owner::ChangeOnly(proof) => (proof.account(), proof.epoch()),
        };
        let turn = self.changing.begin(account);
        let turn = turn.ok_or(DirectoryError::Busy)?;
        let record = self.record(account).await?;
        if epoch != record.epoch {
            return Err(ChangeRefused::Moved.into());
        }
        let policy = self.policy_in_force().await?;
        let holding = conditions(&record.facts, &policy, now);
        if holding.holds(Condition::Locked) {
            return Err(DirectoryError::Locked(record.username));
        }
        let required = change_is_required(holding);
        if !required {
            let refused = |broken| DirectoryError::PasswordRefused(vec![broken]);
            may_change_now(record.facts.password_set_at, &policy.password, now.wall)
                .map_err(refused)?;
            if !turn.take(now.mono) {
                let again = now.wall.plus(OWN_CHANGES.refill);
                return Err(refused(BrokenRule::MinAge(again)));
            }
        }
        let actor = Actor::User {
            username: record.username.clone(),
        };
        let by = By { actor, now };
        let applied = self
            .put_password(&by, &record, &policy, password, false, Some(epoch))
            .await
            .inspect_err(|_| {
                if !required {
                    turn.give_back(now.mono);
                }
            })?;
        Ok(match owner {
            Owner::User(proof) => applied
                .event
                .account
                .zip(applied.password_epoch)
                .and_then(|(account, epoch)| proof.renewed(account, epoch, &AUTHORITY))
                .map_or(Changed::SessionOver, Changed::SessionGoesOn),
            Owner::ChangeOnly(_) => Changed::SessionOver,
        })
    }

    async fn put_password(
        &self,
        by: &By,
        record: &UserRecord,
        policy: &PolicySettings,
        password: Password,
        must_change: bool,
        expected: Option<Epoch>,
    ) -> Result<Applied, DirectoryError> {
        let rules = &policy.password;
        let former = match rules.history {
            0 => Vec::new(),
            history => self.store.password_history(record.account, history).await?,
        };
        let hash = self
            .hash_new(password, Whose::of(record), rules, &former)
            .await?;
        let change = Change::SetPassword {
            account: record.account,
            password: hash,
            must_change,
            expected,
            // One is kept whatever the rule says: the previous password is stale, not a guess
            // (CONTRACT.md 3.5).
            keep_history: rules.history.max(1),
        };
        let mails = match record.facts.password_set_at {
            Some(_) => vec![mail(record.account, MailKind::PasswordChanged)],
            None => Vec::new(),
        };
        self.apply_with(by, change, mails).await
    }

    /// Hashes a new password that breaks no rule.
    pub(super) async fn hash_new(
        &self,
        password: Password,
        owner: Whose<'_>,
        rules: &PasswordRules,
        former: &[HashText],
    ) -> Result<HashText, DirectoryError> {
        let context = NewPasswordContext {
            username: owner.username,
            email: Some(owner.email),
            full_name: owner.full_name,
        };
        let mut broken = check_new_password(&password, &context, rules);
        for hash in former {
            // Counted as no guess: whoever sets a password holds none to be guessed.
            let found = self
                .hashing
                .verify_stale(hash.clone(), password.clone())
                .await?;
            if matches!(found, Comparison::Right { .. }) {
                broken.push(BrokenRule::History(rules.history));
                break;
            }
        }
        if !broken.is_empty() {
            return Err(DirectoryError::PasswordRefused(broken));
        }
        Ok(self.hashing.hash(password).await?)
    }
}

fn change_is_required(conditions: Conditions) -> bool {
    conditions.holds(Condition::MustChange) || conditions.holds(Condition::Expired)
}
