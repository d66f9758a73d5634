//! What a front end and the core say to each other: attempts, verdicts and their proofs, reads with
//! the reader's rights, sessions that RADIUS clients report.
//!
//! A front end holds the core behind the traits [`Decide`], [`DecideDevices`], [`Throttles`],
//! [`Read`], [`ChangeOwnPassword`] and [`OnlineSessions`], so that neither knows the other. Must not
//! know protocols, stores, clocks or tokio.

pub mod announcement;
pub mod attempt;
pub mod authority;
pub mod coa;
pub mod decide;
pub mod entry;
pub mod own_password;
pub mod read;
pub mod sessions;
pub mod verdict;

use std::pin::Pin;

pub use announcement::{Announcement, Conclusion, Leave, PasswordMark};
pub use attempt::{Attempt, Claim, DeviceAttempt, Evidence, ServiceAttempt, ServiceEvidence};
pub use decide::{Decide, DecideDevices, Throttles};
pub use entry::{Group, Person, Standing, SudoRole};
pub use own_password::{BrokenRule, ChangeOwnPassword, Changed, NotChanged, Owner};
pub use read::{GroupQuery, PersonQuery, Read, SudoQuery, Viewer};
pub use sessions::OnlineSessions;
pub use verdict::{
    AdmittedDevice, Authenticated, AuthenticatedService, ChangeProof, DeviceVerdict,
    MsChapV2Failure, MsChapV2Success, Refusal, ResumptionGrant, ServiceVerdict, Undecided, Verdict,
};

/// An answer to come, behind a trait object.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
