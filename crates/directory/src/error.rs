//! Why the directory did not do what was asked. Each message says what to do instead.

use doorward_domain::account::Status;
use doorward_domain::device::NotAMacAddress;
use doorward_domain::name::{GroupName, NotAName, Username};
use doorward_domain::policy::password::BrokenRule;
use doorward_domain::policy::settings::PolicyKeyError;
use doorward_domain::secret::PasswordShape;
use doorward_domain::sudo::{NotASudoRule, NotASudoValue};
use doorward_domain::time::{NotASpan, NotATime};
use doorward_store::Unavailable;
use doorward_store::changes::ChangeRefused;

/// Why the directory did not do what was asked; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// The store refused the change, or cannot answer.
    #[error(transparent)]
    Refused(#[from] ChangeRefused),
    /// There is no such thing.
    #[error("there is no {kind} '{name}'{}", did_you_mean(nearest.as_deref()))]
    NotFound {
        /// user, group, resource, …
        kind: &'static str,
        /// The name looked for.
        name: String,
        /// A name like it.
        nearest: Option<String>,
    },
    /// The actor may not do this.
    #[error("only an administrator may do this")]
    NotAllowed,
    /// A text is no name of its kind.
    #[error(transparent)]
    Name(#[from] NotAName),
    /// A text is no device's address.
    #[error(transparent)]
    Address(#[from] NotAMacAddress),
    /// A text is no time.
    #[error(transparent)]
    Time(#[from] NotATime),
    /// A text is no span of time.
    #[error(transparent)]
    Span(#[from] NotASpan),
    /// A text is no value of a sudo rule.
    #[error(transparent)]
    SudoValue(#[from] NotASudoValue),
    /// Values make no sudo rule together.
    #[error(transparent)]
    SudoRule(#[from] NotASudoRule),
    /// A user whose name is what sudo calls everybody.
    #[error(
        "to sudo '{0}' means everybody, so no rule can name this user: rename it, or name a group"
    )]
    StandsForEverybody(String),
    /// A value of a field is refused.
    #[error("'{value}' is no {field}: {expected}")]
    BadValue {
        /// The field.
        field: &'static str,
        /// What was given.
        value: String,
        /// What would do.
        expected: &'static str,
    },
    /// No such field of a user.
    #[error("a user has no field '{field}'{}", did_you_mean(*nearest))]
    UnknownField {
        /// What was written.
        field: String,
        /// The field most like it.
        nearest: Option<&'static str>,
    },
    /// A field that another command changes, or none.
    #[error("'{field}' is not set this way: {instead}")]
    OtherCommand {
        /// The field.
        field: &'static str,
        /// What to do.
        instead: &'static str,
    },
    /// The same field twice.
    #[error("'{0}' is given twice")]
    Repeated(String),
    /// A session whose client would be told nothing.
    #[error(
        "no reply attribute is mapped to whoever has this session, so its client has nothing to \
         apply"
    )]
    NothingToTell,
    /// Nothing to do.
    #[error("nothing to change: give FIELD=VALUE")]
    NothingGiven,
    /// The account would end before it starts.
    #[error("the account would end before it starts: move the start or the end date")]
    EndsBeforeStart,
    /// The bytes cannot be a password.
    #[error(transparent)]
    PasswordShape(#[from] PasswordShape),
    /// A locked user would change the password.
    #[error("'{0}' is locked: unlock it first, or make a reset link (reset-link)")]
    Locked(Username),
    /// A new password breaks rules; all of them are named.
    #[error("the password was refused: {}", list(.0))]
    PasswordRefused(Vec<BrokenRule>),
    /// An activation link for somebody who has a password.
    #[error("'{0}' has a password already: make a reset link instead (reset-link)")]
    HasPassword(Username),
    /// A reset link for somebody who never had a password.
    #[error("'{0}' never had a password: make an activation link instead (activation-link)")]
    NeverHadPassword(Username),
    /// A link for somebody who could not use it (CONTRACT.md 2).
    #[error("'{username}' is {status}: no link would work; {instead}")]
    LinkWouldNotWork {
        /// Whose.
        username: Username,
        /// How the account stands.
        status: Status,
        /// What to do.
        instead: &'static str,
    },
    /// A comment that several SSH keys of a user have.
    #[error("several SSH keys are called '{0}': give the fingerprint (doorward user ssh-key list)")]
    SeveralKeys(String),
    /// The primary group cannot be removed.
    #[error("'{0}' is the primary group of every user and cannot be removed")]
    PrimaryGroup(GroupName),
    /// A change of policy is refused.
    #[error(transparent)]
    Policy(#[from] PolicyKeyError),
    /// The hashing queue is full.
    #[error("too many passwords are being hashed at this moment: repeat it")]
    Busy,
    /// The operating system gives no randomness.
    #[error("the operating system gives no random numbers, so no secret can be made")]
    NoRandomness,
}

impl From<Unavailable> for DirectoryError {
    fn from(error: Unavailable) -> Self {
        Self::Refused(ChangeRefused::Unavailable(error))
    }
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest
        .map(|near| format!(": did you mean '{near}'?"))
        .unwrap_or_default()
}

fn list(broken: &[BrokenRule]) -> String {
    let rules: Vec<String> = broken.iter().map(ToString::to_string).collect();
    rules.join("; ")
}
