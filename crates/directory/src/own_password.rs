//! A user's change of its own password, for front ends.

use doorward_domain::secret::Password;
use doorward_domain::time::Now;
use doorward_frontend_api::{Answer, ChangeOwnPassword, Changed, NotChanged, Owner, Undecided};
use doorward_store::Unavailable;
use doorward_store::changes::ChangeRefused;

use super::{Directory, DirectoryError};

impl ChangeOwnPassword for Directory {
    fn change_own_password<'a>(
        &'a self,
        owner: Owner<'a>,
        password: Password,
        now: Now,
    ) -> Answer<'a, Result<Changed, NotChanged>> {
        Box::pin(async move {
            Self::change_own_password(self, owner, password, now)
                .await
                .map_err(NotChanged::from)
        })
    }
}

impl From<DirectoryError> for NotChanged {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::PasswordRefused(broken) => Self::Broken(broken),
            DirectoryError::Locked(_) => Self::Locked,
            DirectoryError::Busy
            | DirectoryError::Refused(ChangeRefused::Unavailable(Unavailable::Busy)) => {
                Self::Undecided(Undecided::Busy)
            }
            // Removed in between, or changed.
            DirectoryError::Refused(ChangeRefused::Moved | ChangeRefused::NotFound { .. })
            | DirectoryError::NotFound { .. } => Self::Moved,
            // Nothing else comes of a change of password but a store that cannot answer.
            other => Self::Undecided(Undecided::Unavailable(other.to_string())),
        }
    }
}
