//! Changing one's own password: what Password Modify (RFC 3062) and a modify of `userPassword`
//! ask for, and what they are answered.
//!
//! Pure, and blind to accounts: whose password it is, whether the old one is right and whether
//! the new one will do is decided elsewhere.

mod request;
#[cfg(test)]
mod tests;

pub use request::{NotAPasswordModify, PasswordModify};

use super::controls::PasswordPolicyError;
use super::decode::{ChangeKind, Modify, UnparsedDn};
use super::result::{LdapResult, ResultCode};
use super::schema::{USER_PASSWORD, attribute};
use super::tree::{Place, Tree, name_key};
use doorward_domain::name::Username;
use doorward_domain::secret::{PasswordShape, Secret};
use doorward_frontend_api::{BrokenRule, NotChanged};

/// A change of password as it was asked for.
#[derive(Debug)]
pub struct PasswordAction {
    whose: Whose,
    /// The present password, where the request brings it.
    pub old: Option<Secret>,
    /// The password to be, where the request names one.
    pub new: Option<Secret>,
}

#[derive(Debug)]
enum Whose {
    /// Of whoever asks.
    Asker,
    /// Of the entry of this name.
    Entry(UnparsedDn),
    /// Of the user who goes by this name.
    Named(String),
    /// Of nothing that has a name here.
    Nobody,
}

/// What a modify is about.
#[derive(Debug)]
pub enum Modification {
    /// The password of one entry.
    Password(PasswordAction),
    /// A password, in a way that has no meaning here.
    Unclear,
    /// A password that somebody hashed already.
    Hashed,
    /// Anything else.
    Other,
}

impl From<PasswordModify> for PasswordAction {
    fn from(request: PasswordModify) -> Self {
        let whose = match request.user_identity {
            // RFC 3062 section 2: without a name it is the session's own.
            None => Whose::Asker,
            Some(name) if name.is_empty() => Whose::Asker,
            Some(name) => Whose::read(&name),
        };
        Self {
            whose,
            old: request.old_password,
            new: request.new_password,
        }
    }
}

impl Whose {
    /// A DN, or an authorization identity (RFC 4513 section 5.2.1.8).
    fn read(name: &[u8]) -> Self {
        if let Some(username) = name.strip_prefix(b"u:") {
            return std::str::from_utf8(username)
                .map_or(Self::Nobody, |text| Self::Named(text.to_owned()));
        }
        Self::Entry(UnparsedDn::new(name.strip_prefix(b"dn:").unwrap_or(name)))
    }
}

impl PasswordAction {
    /// Whether the password is that of this user.
    pub fn is_of(&self, user: &Username, tree: &Tree) -> bool {
        let own = |name: &str| name_key(name) == name_key(user.as_str());
        match &self.whose {
            Whose::Asker => true,
            Whose::Named(name) => own(name),
            Whose::Entry(name) => name
                .parse()
                .is_ok_and(|name| matches!(tree.around(&name).locate(&name), Place::Person(name) if own(&name))),
            Whose::Nobody => false,
        }
    }
}

impl Modification {
    /// Reads a modify. A password is changed by replacing `userPassword` with one value, or by
    /// deleting the old and adding the new one, in either order; deleting without a value names no
    /// old one.
    pub fn of(modify: Modify) -> Self {
        let about = |description: &str| attribute(description) == Some(&USER_PASSWORD);
        if !modify.changes.iter().any(|one| about(&one.attribute)) {
            return Self::Other;
        }
        let mut old = None;
        let mut new = None;
        let mut seen = Vec::new();
        for mut change in modify.changes {
            if !about(&change.attribute) || seen.contains(&change.kind) {
                return Self::Unclear;
            }
            seen.push(change.kind);
            let value = change.values.pop();
            if !change.values.is_empty() {
                return Self::Unclear;
            }
            match (change.kind, value) {
                (ChangeKind::Delete, value) => old = value,
                (ChangeKind::Add | ChangeKind::Replace, Some(value)) => new = Some(value),
                _ => return Self::Unclear,
            }
        }
        let whole = matches!(
            *seen,
            [ChangeKind::Replace]
                | [ChangeKind::Delete, ChangeKind::Add]
                | [ChangeKind::Add, ChangeKind::Delete]
        );
        if !whole {
            return Self::Unclear;
        }
        if new.as_ref().is_some_and(|new| names_a_scheme(new.expose())) {
            return Self::Hashed;
        }
        Self::Password(PasswordAction {
            whose: Whose::Entry(modify.target),
            old,
            new,
        })
    }
}

/// Whether a value begins as hashes do, `{SSHA}` and the like (RFC 2307 section 5.3). Tools that
/// modify `userPassword` hash by themselves; the rules cannot be held against a hash, and taken
/// for a password it would lock its owner out.
fn names_a_scheme(value: &[u8]) -> bool {
    let scheme = value.strip_prefix(b"{").and_then(|rest| {
        rest.split(|byte| *byte == b'}')
            .next()
            .filter(|part| part.len() < rest.len())
    });
    scheme.is_some_and(|scheme| {
        (1..=20).contains(&scheme.len())
            && scheme
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    })
}

/// Why a change of password was refused, in the words of both the result and, for whoever asked
/// for it, the password policy control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The result.
    pub result: LdapResult,
    /// The control's error.
    pub policy: Option<PasswordPolicyError>,
}

impl Refusal {
    fn new(code: ResultCode, text: impl Into<String>, policy: Option<PasswordPolicyError>) -> Self {
        Self {
            result: LdapResult::with_diagnostic(code, text),
            policy,
        }
    }

    /// Nobody is bound, as after a bind that failed: SSSD up to 2.9.0 asks even then.
    pub fn anonymous() -> Self {
        let text = "bind with the present password before changing it";
        Self::new(ResultCode::InsufficientAccessRights, text, None)
    }

    /// A service account asks.
    pub fn service_account() -> Self {
        let text = "users change their own passwords; an administrator sets the others";
        Self::new(ResultCode::InsufficientAccessRights, text, None)
    }

    /// It is somebody else's password, or nobody's.
    pub fn not_ones_own() -> Self {
        let text = "only one's own password can be changed here";
        let policy = Some(PasswordPolicyError::PasswordModNotAllowed);
        Self::new(ResultCode::InsufficientAccessRights, text, policy)
    }

    /// The password would go over the wire in the clear.
    pub fn in_the_clear() -> Self {
        let text = "use TLS before sending a password";
        Self::new(ResultCode::ConfidentialityRequired, text, None)
    }

    /// There is no new password. None is made up here: it would have to travel back.
    pub fn no_new_password() -> Self {
        let text = "the request names no new password, and none is made up here";
        Self::new(ResultCode::UnwillingToPerform, text, None)
    }

    /// A session is not enough to change a password with. nslcd asks like this first, and asks
    /// again with the old password whatever the code is.
    pub fn no_old_password() -> Self {
        let text = "the present password must be sent with the new one";
        let policy = Some(PasswordPolicyError::MustSupplyOldPassword);
        Self::new(ResultCode::UnwillingToPerform, text, policy)
    }

    /// The old password is not right, or the account may no longer be here: as at a bind, nothing
    /// says which.
    pub fn old_password() -> Self {
        Self::new(ResultCode::InvalidCredentials, "", None)
    }

    /// `userPassword` is not changed in that way.
    pub fn unclear() -> Self {
        let text = "userPassword is changed by replacing it with one value, or by deleting the \
                    old value and adding the new one, in a request of its own";
        Self::new(ResultCode::UnwillingToPerform, text, None)
    }

    /// The new password comes as a hash.
    pub fn hashed() -> Self {
        let text = "the new password looks like a hash: send the password itself";
        let policy = Some(PasswordPolicyError::InsufficientPasswordQuality);
        Self::new(ResultCode::ConstraintViolation, text, policy)
    }

    /// The value is no Password Modify request.
    pub fn malformed(error: NotAPasswordModify) -> Self {
        Self::new(ResultCode::ProtocolError, error.to_string(), None)
    }

    /// The bytes can be no new password.
    pub fn shape(shape: PasswordShape) -> Self {
        let policy = match shape {
            PasswordShape::Empty => PasswordPolicyError::PasswordTooShort,
            PasswordShape::TooLong => PasswordPolicyError::PasswordTooLong,
            PasswordShape::ContainsNul | PasswordShape::NotUtf8 => {
                PasswordPolicyError::InsufficientPasswordQuality
            }
        };
        let text = format!("the new password was refused: {shape}");
        Self::new(ResultCode::ConstraintViolation, text, Some(policy))
    }

    /// The new password breaks rules; every one of them is told.
    pub fn broken(rules: &[BrokenRule]) -> Self {
        let told: Vec<String> = rules.iter().map(ToString::to_string).collect();
        let policy = rules.iter().map(|rule| match rule {
            BrokenRule::MinAge(_) => PasswordPolicyError::PasswordTooYoung,
            BrokenRule::TooShort(_) => PasswordPolicyError::PasswordTooShort,
            BrokenRule::History(_) => PasswordPolicyError::PasswordInHistory,
            BrokenRule::NotText
            | BrokenRule::TooFewClasses(_)
            | BrokenRule::FromName
            | BrokenRule::Common => PasswordPolicyError::InsufficientPasswordQuality,
        });
        // The control has room for one: the first, as the rules are told.
        Self::new(
            ResultCode::ConstraintViolation,
            told.join("; "),
            policy.into_iter().next(),
        )
    }

    /// The directory changed nothing, for another reason than that it cannot tell.
    ///
    /// # Errors
    /// There is no telling.
    pub fn of(reason: NotChanged) -> Result<Self, doorward_frontend_api::Undecided> {
        Ok(match reason {
            NotChanged::Broken(rules) => Self::broken(&rules),
            NotChanged::Locked => Self::new(
                ResultCode::UnwillingToPerform,
                "the account is locked: use a reset link or ask an administrator",
                Some(PasswordPolicyError::PasswordModNotAllowed),
            ),
            NotChanged::Moved => Self::new(
                ResultCode::UnwillingToPerform,
                "the account was changed meanwhile: bind and try again",
                None,
            ),
            NotChanged::Undecided(undecided) => return Err(undecided),
        })
    }
}
