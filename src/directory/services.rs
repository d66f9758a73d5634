//! LDAP service accounts (CONTRACT.md 3.8).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ipnet::IpNet;
use zeroize::Zeroizing;

use crate::domain::id::ServiceId;
use crate::domain::name::{ServiceName, Username};
use crate::domain::rules::PasswordRules;
use crate::domain::secret::{HashText, Password};
use crate::policy::password::{BrokenRule, NewPasswordContext, check_new_password};
use crate::store::changes::{Change, DirectoryStore};
use crate::store::{AttemptStore, EventStore};

use super::{By, Directory, DirectoryError, ServiceView, nearest};

/// A service account whose password was set.
#[derive(Clone)]
pub struct ServicePassword {
    /// The service account.
    pub service: ServiceView,
    /// The password where it was made here; shown once and kept nowhere.
    pub generated: Option<Password>,
}

impl fmt::Debug for ServicePassword {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ServicePassword")
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

impl<S: DirectoryStore + EventStore + AttemptStore> Directory<S> {
    /// Adds a service account; without a password one is made.
    ///
    /// # Errors
    /// The name is taken, the password is refused, the store cannot answer.
    pub async fn add_service(
        &self,
        by: &By,
        name: ServiceName,
        password: Option<Password>,
        may_search: bool,
        sources: Vec<IpNet>,
    ) -> Result<ServicePassword, DirectoryError> {
        by.admin()?;
        let (hash, generated) = self.service_hash(&name, password).await?;
        let change = Change::AddService {
            service: ServiceId::new(by.now.wall),
            name: name.clone(),
            password: hash,
            may_search,
            sources,
        };
        self.apply(by, change).await?;
        Ok(ServicePassword {
            service: self.service_named(name.as_str()).await?,
            generated,
        })
    }

    /// Gives a service account another password; without one it is made. With `keep_old` the
    /// present one stays live beside it, for a rotation.
    ///
    /// # Errors
    /// No such service account, the password is refused, the store cannot answer.
    pub async fn set_service_password(
        &self,
        by: &By,
        name: &str,
        password: Option<Password>,
        keep_old: bool,
    ) -> Result<ServicePassword, DirectoryError> {
        by.admin()?;
        let name = self.service_named(name).await?.name;
        let (hash, generated) = self.service_hash(&name, password).await?;
        let change = Change::SetServicePassword {
            name: name.clone(),
            password: hash,
            keep_old,
        };
        self.apply(by, change).await?;
        Ok(ServicePassword {
            service: self.service_named(name.as_str()).await?,
            generated,
        })
    }

    /// Removes a service account.
    ///
    /// # Errors
    /// No such service account, the store cannot answer.
    pub async fn remove_service(&self, by: &By, name: &str) -> Result<ServiceName, DirectoryError> {
        by.admin()?;
        let name = self.service_named(name).await?.name;
        self.apply(by, Change::RemoveService { name: name.clone() })
            .await?;
        Ok(name)
    }

    /// All service accounts, by name.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn list_services(&self) -> Result<Vec<ServiceView>, DirectoryError> {
        Ok(self
            .store
            .services()
            .await?
            .into_iter()
            .map(ServiceView::from)
            .collect())
    }

    async fn service_named(&self, name: &str) -> Result<ServiceView, DirectoryError> {
        let services = self.list_services().await?;
        let folded = name.to_ascii_lowercase();
        if let Some(found) = services
            .iter()
            .find(|service| service.name.folded() == folded)
        {
            return Ok(found.clone());
        }
        let known = services.iter().map(|service| service.name.as_str());
        Err(DirectoryError::NotFound {
            kind: "service account",
            name: name.to_owned(),
            nearest: nearest(name, known).map(str::to_owned),
        })
    }

    async fn service_hash(
        &self,
        name: &ServiceName,
        password: Option<Password>,
    ) -> Result<(HashText, Option<Password>), DirectoryError> {
        if let Some(password) = password {
            let rules = self.policy_in_force().await?.password.clone();
            let broken = broken_rules(name, &password, &rules);
            if !broken.is_empty() {
                return Err(DirectoryError::PasswordRefused(broken));
            }
            return Ok((self.hashing.hash(password).await?, None));
        }
        let password = generate()?;
        Ok((self.hashing.hash(password.clone()).await?, Some(password)))
    }
}

fn broken_rules(name: &ServiceName, password: &Password, rules: &PasswordRules) -> Vec<BrokenRule> {
    // A name that no user could have is nothing a password could be derived from.
    let Ok(username) = Username::parse(name.as_str()) else {
        let length = password.as_str().map_or(0, |text| text.chars().count());
        let least = usize::try_from(rules.min_length).unwrap_or(usize::MAX);
        let short = (length < least).then_some(BrokenRule::TooShort(rules.min_length));
        return short.into_iter().collect();
    };
    let context = NewPasswordContext {
        username: &username,
        email: None,
        full_name: None,
    };
    check_new_password(password, &context, rules)
}

/// A password of 192 random bits, in letters that no configuration file has to quote.
///
/// # Errors
/// The operating system gives no randomness.
pub fn generate() -> Result<Password, DirectoryError> {
    let mut random = Zeroizing::new([0_u8; 24]);
    getrandom::fill(&mut *random).map_err(|_| DirectoryError::NoRandomness)?;
    let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(*random));
    Ok(Password::new(text.as_bytes())?)
}
