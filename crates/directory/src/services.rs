//! LDAP service accounts (CONTRACT.md 3.8).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ipnet::IpNet;
use zeroize::Zeroizing;

use doorward_domain::certificate::CertificateName;
use doorward_domain::id::ServiceId;
use doorward_domain::name::{ServiceName, Username};
use doorward_domain::policy::password::{BrokenRule, NewPasswordContext, check_new_password};
use doorward_domain::rules::PasswordRules;
use doorward_domain::secret::{HashText, Password};
use doorward_store::changes;
use doorward_store::changes::Change;

use super::{By, Directory, DirectoryError, ServiceView};
use doorward_domain::nearest::nearest;

/// A service account to be added.
#[derive(Debug)]
pub struct NewService {
    /// Its name.
    pub name: ServiceName,
    /// By what it binds.
    pub binds_by: BindsBy,
    /// Whether it may read people and groups.
    pub may_search: bool,
    /// Where it may come from; anywhere when empty.
    pub sources: Vec<IpNet>,
}

/// By what a new service account binds.
#[derive(Debug)]
pub enum BindsBy {
    /// A password; one is made where none is given.
    Password(Option<Password>),
    /// The client certificate of this name, and a password only where one is given.
    Certificate(CertificateName, Option<Password>),
}

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

impl Directory {
    /// Adds a service account.
    ///
    /// # Errors
    /// The name or the certificate's is taken, the password is refused, the store cannot answer.
    pub async fn add_service(
        &self,
        by: &By,
        new: NewService,
    ) -> Result<ServicePassword, DirectoryError> {
        by.admin()?;
        let NewService {
            name,
            binds_by,
            may_search,
            sources,
        } = new;
        let (password, certificate) = match binds_by {
            BindsBy::Password(password) => (Some(password), None),
            BindsBy::Certificate(certificate, password) => (password.map(Some), Some(certificate)),
        };
        let (hash, generated) = match password {
            Some(password) => {
                let (hash, generated) = self.service_hash(&name, password).await?;
                (Some(hash), generated)
            }
            None => (None, None),
        };
        let change = Change::AddService(changes::NewService {
            service: ServiceId::new(by.now.wall),
            name: name.clone(),
            password: hash,
            certificate,
            may_search,
            sources,
        });
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

    /// Says which client certificate binds a service account; none does without one. Whoever is
    /// bound as it must bind again.
    ///
    /// # Errors
    /// No such service account, the certificate binds another, the store cannot answer.
    pub async fn set_service_certificate(
        &self,
        by: &By,
        name: &str,
        certificate: Option<CertificateName>,
    ) -> Result<ServiceView, DirectoryError> {
        by.admin()?;
        let name = self.service_named(name).await?.name;
        let change = Change::SetServiceCertificate {
            name: name.clone(),
            certificate,
        };
        self.apply(by, change).await?;
        self.service_named(name.as_str()).await
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
