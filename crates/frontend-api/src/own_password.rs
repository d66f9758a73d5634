//! What front ends may change: the password of the user whose session asks for it, and nothing
//! else.

use doorward_domain::secret::Password;
use doorward_domain::time::Now;

pub use doorward_domain::policy::password::BrokenRule;

use crate::{Answer, Authenticated, ChangeProof, Undecided};

/// Whose password it is, by a proof that the present one was right.
#[derive(Debug, Clone, Copy)]
pub enum Owner<'a> {
    /// A user who got in.
    User(&'a Authenticated),
    /// A user who must change the password first.
    ChangeOnly(&'a ChangeProof),
}

/// A password was changed. Every session from before is over but, perhaps, the one that asked.
#[derive(Debug)]
pub enum Changed {
    /// The session that asked goes on, with this proof in place of its own.
    SessionGoesOn(Authenticated),
    /// It is over as well: whether the new password lets the user in was not asked.
    SessionOver,
}

/// Why a password was not changed; nothing was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotChanged {
    /// The new password breaks these rules: all there are, and at least one.
    Broken(Vec<BrokenRule>),
    /// The account is locked.
    Locked,
    /// The account is not as it was when the proof was made.
    Moved,
    /// There is no telling: no room to hash, or a store that cannot answer.
    Undecided(Undecided),
}

/// What front ends see of changing passwords.
pub trait ChangeOwnPassword: Send + Sync {
    /// Changes the password. The minimum age, and having changed it time and again just now, hinder
    /// it unless the change is required; a refused new password is no failed attempt (CONTRACT.md 6).
    fn change_own_password<'a>(
        &'a self,
        owner: Owner<'a>,
        password: Password,
        now: Now,
    ) -> Answer<'a, Result<Changed, NotChanged>>;
}
