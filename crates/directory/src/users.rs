//! Users: added, changed, renamed, suspended, unlocked, removed (CONTRACT.md 1, 6, 8).

use std::time::Duration;

use doorward_domain::account::{Condition, Status};
use doorward_domain::id::AccountId;
use doorward_domain::name::{MailAddress, ResourceName, Username};
use doorward_domain::policy::conditions::{conditions, status};
use doorward_domain::resource::{Override, Resource, ResourceKind};
use doorward_domain::secret::Password;
use doorward_domain::time::{Now, Timestamp};
use doorward_store::changes::{Change, NewUser, UserFilter, UserPatch};
use doorward_store::records::{MailKind, NewMail, UserRecord};

use super::passwords::Whose;
use super::reading::is_bound;
use super::settings::Settings;
use super::{By, Directory, DirectoryError, Done, PAGE, UserView, Warning};
use doorward_domain::nearest::nearest;

/// A user to be added.
#[derive(Debug, Clone)]
pub struct AddUser {
    /// The username.
    pub username: Username,
    /// The mail address.
    pub email: MailAddress,
    /// Where links go instead.
    pub recovery_email: Option<MailAddress>,
    /// The full name.
    pub full_name: Option<String>,
    /// When the account takes effect.
    pub start: Option<Timestamp>,
    /// When it ends.
    pub end: Option<Timestamp>,
    /// The POSIX number asked for; the next free one otherwise.
    pub uid_number: Option<u32>,
    /// The password; none leaves it to an activation link.
    pub password: Option<Password>,
    /// Whether that password must be changed first.
    pub must_change: bool,
    /// Whether the user administers the gateway.
    pub admin: bool,
}

impl AddUser {
    /// A user with a name, an address and nothing else.
    pub fn new(username: Username, email: MailAddress) -> Self {
        Self {
            username,
            email,
            recovery_email: None,
            full_name: None,
            start: None,
            end: None,
            uid_number: None,
            password: None,
            must_change: false,
            admin: false,
        }
    }
}

/// What a suspension came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspended {
    /// In force.
    Now,
    /// By an end date to come.
    At(Timestamp),
}

impl Directory {
    /// Adds a user. Without a password the account waits for its activation link.
    ///
    /// # Errors
    /// A name, address or number is taken, a value or the password is refused, the store cannot
    /// answer.
    pub async fn add_user(&self, by: &By, user: AddUser) -> Result<Done<UserView>, DirectoryError> {
        by.admin()?;
        if let (Some(start), Some(end)) = (user.start, user.end)
            && end <= start
        {
            return Err(DirectoryError::EndsBeforeStart);
        }
        if let Some(number) = user.uid_number {
            check_number("uid_number", number)?;
        }
        if let Some(full_name) = &user.full_name {
            check_full_name(full_name)?;
        }
        let password = match user.password {
            Some(password) => {
                let policy = self.policy_in_force().await?;
                let owner = Whose {
                    username: &user.username,
                    email: &user.email,
                    full_name: user.full_name.as_deref(),
                };
                Some(
                    self.hash_new(password, owner, &policy.password, &[])
                        .await?,
                )
            }
            None => None,
        };
        let account = AccountId::new(by.now.wall);
        // Whoever is not to start yet gets no link (CONTRACT.md 6).
        let invited = password.is_none() && user.start.is_none_or(|start| start <= by.now.wall);
        let mails = invited
            .then(|| mail(account, MailKind::Activation))
            .into_iter()
            .collect();
        let change = Change::AddUser(NewUser {
            account,
            username: user.username,
            email: user.email,
            recovery_email: user.recovery_email,
            full_name: user.full_name,
            start: user.start,
            end: user.end,
            uid_number: user.uid_number,
            password,
            must_change: user.must_change,
            admin: user.admin,
        });
        self.apply_with(by, change, mails).await?;
        let record = self.record(account).await?;
        let settings = self.settings();
        let mut warnings = Vec::new();
        warnings.extend(long_name(&settings, &record.username));
        // Nobody is bound at once; being added where there is a mail system, one soon will be.
        warnings.extend(mail_closes(&settings, &record, |_| true));
        Ok(Done {
            value: self.view(record, by.now).await?,
            warnings,
        })
    }

    /// Sets fields of a user, as [`super::parse_fields`] reads them.
    ///
    /// # Errors
    /// No such user, an address is taken, the dates contradict each other, the store cannot
    /// answer.
    pub async fn set_user(
        &self,
        by: &By,
        name: &str,
        patch: UserPatch,
    ) -> Result<Done<UserView>, DirectoryError> {
        by.admin()?;
        let record = self.user_named(name).await?;
        let start = patch.start.unwrap_or(record.facts.start);
        let end = patch.end.unwrap_or(record.facts.end);
        let dates_given = patch.start.is_some() || patch.end.is_some();
        if dates_given && start.zip(end).is_some_and(|(start, end)| end <= start) {
            return Err(DirectoryError::EndsBeforeStart);
        }
        let account = record.account;
        self.apply(by, Change::SetUser { account, patch }).await?;
        let record = self.record(account).await?;
        let settings = self.settings();
        let warnings =
            mail_closes(&settings, &record, |resource| is_bound(&record, resource)).into_iter();
        Ok(Done {
            warnings: warnings.collect(),
            value: self.view(record, by.now).await?,
        })
    }

    /// Gives a user another username.
    ///
    /// # Errors
    /// No such user, the name is taken, the store cannot answer.
    pub async fn rename_user(
        &self,
        by: &By,
        name: &str,
        username: Username,
    ) -> Result<Done<UserView>, DirectoryError> {
        by.admin()?;
        let account = self.user_named(name).await?.account;
        let warnings = long_name(&self.settings(), &username).into_iter().collect();
        self.apply(by, Change::Rename { account, username }).await?;
        Ok(Done {
            value: self.view(self.record(account).await?, by.now).await?,
            warnings,
        })
    }

    /// Removes a user; its numbers are never used again.
    ///
    /// # Errors
    /// No such user, the store cannot answer.
    pub async fn remove_user(&self, by: &By, name: &str) -> Result<Username, DirectoryError> {
        by.admin()?;
        let record = self.user_named(name).await?;
        let account = record.account;
        self.apply(by, Change::RemoveUser { account }).await?;
        Ok(record.username)
    }

    /// Clears a lock and all failed attempts; leaves an expired password expired.
    ///
    /// # Errors
    /// No such user, the store cannot answer.
    pub async fn unlock_user(&self, by: &By, name: &str) -> Result<UserView, DirectoryError> {
        by.admin()?;
        let account = self.user_named(name).await?.account;
        self.apply(by, Change::Unlock { account }).await?;
        self.view(self.record(account).await?, by.now).await
    }

    /// The users who are locked, those alone that were locked within `since` where it is given.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn locked_users(
        &self,
        since: Option<Duration>,
        now: Now,
    ) -> Result<Vec<Username>, DirectoryError> {
        let policy = self.policy_in_force().await?;
        let from = since.map(|span| now.wall.minus(span));
        Ok(self
            .all_users(&UserFilter::All)
            .await?
            .into_iter()
            .filter(|record| conditions(&record.facts, &policy, now).holds(Condition::Locked))
            .filter(|record| from.is_none_or(|from| record.facts.locked_since >= Some(from)))
            .map(|record| record.username)
            .collect())
    }

    /// Forces a password change by an instant; past it the password is expired.
    ///
    /// # Errors
    /// No such user, the user never had a password, the store cannot answer.
    pub async fn expire_user(
        &self,
        by: &By,
        name: &str,
        until: Timestamp,
    ) -> Result<Done<UserView>, DirectoryError> {
        by.admin()?;
        let record = self.user_named(name).await?;
        if record.facts.password_set_at.is_none() {
            return Err(DirectoryError::NeverHadPassword(record.username));
        }
        let account = record.account;
        self.apply(by, Change::Expire { account, by: until })
            .await?;
        let record = self.record(account).await?;
        let settings = self.settings();
        let mut warnings = Vec::new();
        if until <= by.now.wall {
            warnings.push(Warning::ExpiredAtOnce(record.username.clone()));
        }
        warnings.extend(mail_closes(&settings, &record, |resource| {
            is_bound(&record, resource)
        }));
        Ok(Done {
            value: self.view(record, by.now).await?,
            warnings,
        })
    }

    /// Suspends a user at once, or sets the end date where the instant lies ahead.
    ///
    /// # Errors
    /// No such user, the account would end before it starts, the store cannot answer.
    pub async fn suspend_user(
        &self,
        by: &By,
        name: &str,
        at: Timestamp,
    ) -> Result<(UserView, Suspended), DirectoryError> {
        by.admin()?;
        let record = self.user_named(name).await?;
        let account = record.account;
        let (change, suspended) = if at > by.now.wall {
            if record.facts.start.is_some_and(|start| at <= start) {
                return Err(DirectoryError::EndsBeforeStart);
            }
            let patch = UserPatch {
                end: Some(Some(at)),
                ..UserPatch::default()
            };
            (Change::SetUser { account, patch }, Suspended::At(at))
        } else {
            (Change::Suspend { account }, Suspended::Now)
        };
        self.apply(by, change).await?;
        Ok((
            self.view(self.record(account).await?, by.now).await?,
            suspended,
        ))
    }

    /// Resumes a user, and moves a past end date away.
    ///
    /// # Errors
    /// No such user, the store cannot answer.
    pub async fn resume_user(&self, by: &By, name: &str) -> Result<UserView, DirectoryError> {
        by.admin()?;
        let account = self.user_named(name).await?.account;
        self.apply(by, Change::Resume { account }).await?;
        self.view(self.record(account).await?, by.now).await
    }

    /// A user by name.
    ///
    /// # Errors
    /// No such user, the store cannot answer.
    pub async fn user(&self, name: &str, now: Now) -> Result<UserView, DirectoryError> {
        self.view(self.user_named(name).await?, now).await
    }

    /// All users, sorted by name; those alone with `wanted` as their status where it is given.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn list_users(
        &self,
        wanted: Option<Status>,
        now: Now,
    ) -> Result<Vec<UserView>, DirectoryError> {
        let policy = self.policy_in_force().await?;
        let settings = self.settings();
        let mut views: Vec<UserView> = self
            .all_users(&UserFilter::All)
            .await?
            .into_iter()
            .filter(|record| {
                wanted.is_none_or(|wanted| status(&record.facts, &policy, now) == wanted)
            })
            .map(|record| UserView::of(record, &policy, &settings.posix, now))
            .collect();
        views.sort_by_cached_key(|view| view.username.folded());
        Ok(views)
    }

    pub(super) async fn view(
        &self,
        record: UserRecord,
        now: Now,
    ) -> Result<UserView, DirectoryError> {
        let policy = self.policy_in_force().await?;
        Ok(UserView::of(record, &policy, &self.settings().posix, now))
    }

    pub(super) async fn record(&self, account: AccountId) -> Result<UserRecord, DirectoryError> {
        let found = self.store.users(&UserFilter::Id(account), None, 1).await?;
        found
            .into_iter()
            .next()
            .ok_or_else(|| DirectoryError::NotFound {
                kind: "user",
                name: account.to_string(),
                nearest: None,
            })
    }

    pub(super) async fn user_named(&self, name: &str) -> Result<UserRecord, DirectoryError> {
        let filter = UserFilter::Username(name.to_owned());
        if let Some(record) = self.store.users(&filter, None, 1).await?.into_iter().next() {
            return Ok(record);
        }
        // Only a person reads this, and only after a slip: the whole list may be looked through.
        let known = self.all_users(&UserFilter::All).await?;
        let known = known.iter().map(|record| record.username.as_str());
        Err(DirectoryError::NotFound {
            kind: "user",
            name: name.to_owned(),
            nearest: nearest(name, known).map(str::to_owned),
        })
    }

    pub(super) async fn all_users(
        &self,
        filter: &UserFilter,
    ) -> Result<Vec<UserRecord>, DirectoryError> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let page = self.store.users(filter, after, PAGE).await?;
            let full = page.len() >= PAGE;
            after = page.last().map(|record| record.account);
            all.extend(page);
            if !full {
                return Ok(all);
            }
        }
    }
}

pub(super) fn mail(account: AccountId, kind: MailKind) -> NewMail {
    NewMail {
        account,
        kind,
        details: serde_json::Value::Object(serde_json::Map::new()),
    }
}

/// The least number given to a person: those below belong to the host (Debian Policy 9.2.2).
const LEAST_NUMBER: u32 = 1000;

/// Refuses numbers that hosts keep for themselves, root's above all.
pub(super) fn check_number(field: &'static str, number: u32) -> Result<(), DirectoryError> {
    // 65534 is nobody; 65535 and 4294967295 stand for "none" in system calls.
    if number < LEAST_NUMBER || [65_534, 65_535].contains(&number) || number > u32::MAX - 2 {
        return Err(DirectoryError::BadValue {
            field,
            value: number.to_string(),
            expected: "1000 or more, and not 65534 or 65535",
        });
    }
    Ok(())
}

/// Refuses full names that would break a line of `passwd(5)`.
pub(super) fn check_full_name(name: &str) -> Result<(), DirectoryError> {
    let shaped = !name.trim().is_empty()
        && name.len() <= 256
        && !name.chars().any(|c| c.is_control() || c == ':');
    if shaped {
        return Ok(());
    }
    Err(DirectoryError::BadValue {
        field: "full_name",
        value: name.to_owned(),
        expected: "up to 256 bytes, without ':' and control characters",
    })
}

fn long_name(settings: &Settings, username: &Username) -> Option<Warning> {
    let fleet = settings
        .resources
        .iter()
        .any(|resource| resource.kind == ResourceKind::Endpoint);
    let long = username.as_str().chars().count() > Username::WINDOWS_MAX;
    (fleet && long).then(|| Warning::LongForWindows(username.clone()))
}

/// Whether a user could not read the mail with the reset link once the password has expired
/// (CONTRACT.md 6): there is no recovery address, and the mail system that serves the address is
/// itself a resource that expired users do not reach.
pub(super) fn mail_closes(
    settings: &Settings,
    record: &UserRecord,
    bound: impl Fn(&Resource) -> bool,
) -> Option<Warning> {
    if record.recovery_email.is_some() || !settings.is_own_mail(&record.email) {
        return None;
    }
    let closing: Option<&ResourceName> = settings
        .resources
        .iter()
        .filter(|resource| resource.kind == ResourceKind::Email)
        .filter(|resource| resource.on_expired != Some(Override::Allow))
        .find(|resource| bound(resource))
        .map(|resource| &resource.name);
    closing.map(|resource| Warning::MailClosesWithPassword {
        username: record.username.clone(),
        email: record.email.clone(),
        resource: resource.clone(),
    })
}
