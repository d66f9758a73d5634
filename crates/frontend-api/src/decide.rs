//! What front ends see of the authenticator.

use crate::{
    Announcement, Answer, Attempt, Authenticated, AuthenticatedService, ChangeProof, Conclusion,
    DeviceAttempt, DeviceVerdict, Leave, ServiceAttempt, ServiceVerdict, Undecided, Verdict,
};

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

/// What front ends see of the authenticator that devices come by, which have no account.
pub trait DecideDevices: Send + Sync {
    /// Decides a device's attempt; a refusal is answered when [`Decide::decide`]'s would be.
    fn decide_device(&self, attempt: DeviceAttempt)
    -> Answer<'_, Result<DeviceVerdict, Undecided>>;
}

/// What a front end sees of the throttles where the attempt itself comes by way of somebody else:
/// a mail server asks here on behalf of its client before it logs the client in over LDAP.
pub trait Throttles: Send + Sync {
    /// Asks leave for an attempt that is about to come, and charges it to its client.
    fn announce(&self, announcement: Announcement) -> Answer<'_, Result<Leave, Undecided>>;

    /// Says what came of an announced attempt.
    fn conclude(
        &self,
        announcement: Announcement,
        conclusion: Conclusion,
    ) -> Answer<'_, Result<(), Undecided>>;
}
