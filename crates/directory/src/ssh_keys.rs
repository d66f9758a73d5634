//! Users' SSH keys: added, listed, removed.

use serde::Serialize;

use doorward_domain::name::Username;
use doorward_domain::ssh_key::{SshFingerprint, SshPublicKey};
use doorward_domain::time::Timestamp;
use doorward_store::changes::{Change, ChangeRefused};
use doorward_store::records::SshKeyRecord;

use super::view::some_time;
use super::{By, Directory, DirectoryError};
use doorward_domain::nearest::nearest;

/// How many SSH keys a user may have: every login fetches them all.
pub const MAX_SSH_KEYS: usize = 32;

/// An SSH key of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SshKeyView {
    /// Its type, such as `ssh-ed25519`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// SHA-256 of it, as `ssh-keygen -l` shows it.
    pub fingerprint: SshFingerprint,
    /// What its owner calls it.
    pub comment: String,
    /// The line that hosts get.
    pub key: SshPublicKey,
    /// When it was added.
    #[serde(serialize_with = "some_time")]
    pub added: Timestamp,
}

impl From<SshKeyRecord> for SshKeyView {
    fn from(SshKeyRecord { key, added }: SshKeyRecord) -> Self {
        Self {
            kind: key.kind().as_str(),
            fingerprint: key.fingerprint(),
            comment: key.comment().to_owned(),
            key,
            added,
        }
    }
}

/// The SSH keys of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SshKeysView {
    /// Whose.
    pub username: Username,
    /// The keys, oldest first.
    pub ssh_keys: Vec<SshKeyView>,
}

impl Directory {
    /// A user's SSH keys.
    ///
    /// # Errors
    /// No such user, the store cannot answer.
    pub async fn ssh_keys(&self, name: &str) -> Result<SshKeysView, DirectoryError> {
        let record = self.user_named(name).await?;
        Ok(SshKeysView {
            username: record.username,
            ssh_keys: record.ssh_keys.into_iter().map(SshKeyView::from).collect(),
        })
    }

    /// Adds SSH keys to a user, those that are new.
    ///
    /// # Errors
    /// No such user, none is new, more keys than a user may have, the store cannot answer.
    pub async fn add_ssh_keys(
        &self,
        by: &By,
        name: &str,
        keys: Vec<SshPublicKey>,
    ) -> Result<SshKeysView, DirectoryError> {
        by.admin()?;
        // Before the command, so that no more than a handful reaches the store.
        if keys.len() > MAX_SSH_KEYS {
            return Err(ChangeRefused::TooManyKeys(MAX_SSH_KEYS).into());
        }
        let account = self.user_named(name).await?.account;
        let change = Change::AddSshKeys {
            account,
            keys,
            most: MAX_SSH_KEYS,
        };
        self.apply(by, change).await?;
        self.ssh_keys(name).await
    }

    /// Takes an SSH key from a user, named by its fingerprint or by its comment, where one key
    /// alone has that.
    ///
    /// # Errors
    /// No such user or key, the comment names several, the store cannot answer.
    pub async fn remove_ssh_key(
        &self,
        by: &By,
        name: &str,
        which: &str,
    ) -> Result<SshKeyView, DirectoryError> {
        by.admin()?;
        let record = self.user_named(name).await?;
        let named: Vec<&SshKeyRecord> = record
            .ssh_keys
            .iter()
            .filter(|one| one.key.fingerprint().to_string() == which || one.key.comment() == which)
            .collect();
        let found = match named.as_slice() {
            [] => {
                let comments = record.ssh_keys.iter().map(|one| one.key.comment());
                return Err(DirectoryError::NotFound {
                    kind: "SSH key",
                    name: which.to_owned(),
                    nearest: nearest(which, comments).map(str::to_owned),
                });
            }
            [one] => (*one).clone(),
            _ => return Err(DirectoryError::SeveralKeys(which.to_owned())),
        };
        let change = Change::RemoveSshKey {
            account: record.account,
            fingerprint: found.key.fingerprint(),
        };
        self.apply(by, change).await?;
        Ok(found.into())
    }
}
