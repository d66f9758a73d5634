//! Network passwords: made and shown once, or revoked.

use doorward_domain::name::Username;
use doorward_hashes::network_password::{NetworkPassword, SealingKey};
use doorward_store::changes::Change;

use super::{By, Directory, DirectoryError, UserView};

/// A network password that was made: the only time it is shown.
#[derive(Debug)]
pub struct NewNetworkPassword {
    /// Whose.
    pub username: Username,
    /// The password.
    pub password: NetworkPassword,
}

impl Directory {
    /// Makes a network password for a user, in the place of the one before. Lock, failures and the
    /// password of everything else stay as they are.
    ///
    /// # Errors
    /// No such user, no randomness, the store cannot answer.
    pub async fn make_network_password(
        &self,
        by: &By,
        name: &str,
        key: &SealingKey,
    ) -> Result<NewNetworkPassword, DirectoryError> {
        by.admin()?;
        let record = self.user_named(name).await?;
        let account = record.account;
        let no_randomness = |_| DirectoryError::NoRandomness;
        let password = NetworkPassword::generate().map_err(no_randomness)?;
        let sealed = key.seal(account, &password).map_err(no_randomness)?;
        let change = Change::SetNetworkPassword {
            account,
            password: Some(sealed),
        };
        self.apply(by, change).await?;
        Ok(NewNetworkPassword {
            username: record.username,
            password,
        })
    }

    /// Takes a user's network password away.
    ///
    /// # Errors
    /// No such user, the user has none, the store cannot answer.
    pub async fn revoke_network_password(
        &self,
        by: &By,
        name: &str,
    ) -> Result<UserView, DirectoryError> {
        by.admin()?;
        let account = self.user_named(name).await?.account;
        let change = Change::SetNetworkPassword {
            account,
            password: None,
        };
        self.apply(by, change).await?;
        self.view(self.record(account).await?, by.now).await
    }
}
