//! The one place that says yes: attempt to verdict (CONTRACT.md 3 and 5).
//!
//! It knows no protocol and no concrete store. Front ends see it as [`Decide`].

pub mod attempt;
pub mod verdict;

use std::future::Future;
use std::pin::Pin;

pub use attempt::{Attempt, Claim, Evidence, ServiceAttempt};
pub use verdict::{
    Authenticated, AuthenticatedService, ChangeProof, Refusal, ServiceVerdict, Undecided, Verdict,
};

/// An answer to come, behind a trait object.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What front ends see of the authenticator.
///
/// A refusal is answered at a whole multiple of `refusal_delay` after the attempt arrived
/// (CONTRACT.md 5.2): whoever awaits it sends the moment it is there. Dropping the future does not
/// undo the attempt: what was charged is settled all the same.
pub trait Decide: Send + Sync {
    /// Decides a user's attempt.
    fn decide(&self, attempt: Attempt) -> Answer<'_, Result<Verdict, Undecided>>;

    /// Decides a service account's attempt.
    fn decide_service(
        &self,
        attempt: ServiceAttempt,
    ) -> Answer<'_, Result<ServiceVerdict, Undecided>>;

    /// Whether access once granted still stands: the account is looked at again (CONTRACT.md 2).
    fn still_granted<'a>(&'a self, proof: &'a Authenticated)
    -> Answer<'a, Result<bool, Undecided>>;

    /// As [`Decide::still_granted`], for a session that may only change the password.
    fn still_change_only<'a>(
        &'a self,
        proof: &'a ChangeProof,
    ) -> Answer<'a, Result<bool, Undecided>>;

    /// As [`Decide::still_granted`], for a service account.
    fn still_bound<'a>(
        &'a self,
        proof: &'a AuthenticatedService,
    ) -> Answer<'a, Result<bool, Undecided>>;
}
