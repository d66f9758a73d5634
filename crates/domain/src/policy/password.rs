//! What a new password must be (CONTRACT.md 6). Every rule broken is named.
//!
//! The history needs hashes and is therefore checked elsewhere; its rule has a name here.

mod strength;
mod words;

use std::fmt;

use zeroize::Zeroizing;

use crate::name::{MailAddress, Username};
use crate::rules::{Blocklist, PasswordRules};
use crate::secret::Password;
use crate::time::Timestamp;

/// Whose password it is to be: what it must not be derived from.
#[derive(Debug, Clone, Copy)]
pub struct NewPasswordContext<'a> {
    /// The username.
    pub username: &'a Username,
    /// The mail address, where there is one.
    pub email: Option<&'a MailAddress>,
    /// The full name, where there is one.
    pub full_name: Option<&'a str>,
}

/// A rule that a new password breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BrokenRule {
    /// Not text: nothing could be said of its characters.
    NotText,
    /// Fewer characters than this.
    TooShort(u32),
    /// Fewer than this many of the classes lower case, upper case, digits and others.
    TooFewClasses(u32),
    /// The username, the mail address or the name, or little more than one of them.
    FromName,
    /// Common or easily guessed.
    Common,
    /// One of the last this many passwords.
    History(u32),
    /// Changed too recently: may be changed from this instant on.
    MinAge(Timestamp),
}

impl fmt::Display for BrokenRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotText => formatter.write_str("the password must be text in UTF-8"),
            Self::TooShort(least) => {
                write!(
                    formatter,
                    "the password must have at least {least} characters"
                )
            }
            Self::TooFewClasses(least) => write!(
                formatter,
                "the password must have at least {least} of: lower-case letters, upper-case \
                 letters, digits, other characters"
            ),
            Self::FromName => formatter.write_str(
                "the password must not be the username, the mail address or the name, nor \
                 little more than that",
            ),
            Self::Common => formatter.write_str(
                "the password is common or easily guessed: several unrelated words are better",
            ),
            Self::History(1) => formatter.write_str("the password must not be the present one"),
            Self::History(last) => {
                write!(formatter, "the password must not be one of the last {last}")
            }
            Self::MinAge(from) => write!(
                formatter,
                "the password was changed too recently: it may be changed again from {from}"
            ),
        }
    }
}

/// Every rule that a new password breaks, the history excepted; an empty list where it is good.
pub fn check_new_password(
    candidate: &Password,
    context: &NewPasswordContext<'_>,
    rules: &PasswordRules,
) -> Vec<BrokenRule> {
    let Some(text) = candidate.as_str() else {
        return vec![BrokenRule::NotText];
    };
    let mut broken = Vec::new();
    let least = usize::try_from(rules.min_length).unwrap_or(usize::MAX);
    if text.chars().count() < least {
        broken.push(BrokenRule::TooShort(rules.min_length));
    }
    if classes(text) < rules.classes {
        broken.push(BrokenRule::TooFewClasses(rules.classes));
    }
    if from_name(text, context) {
        broken.push(BrokenRule::FromName);
    }
    if rules.blocklist == Blocklist::Common && strength::is_common(text) {
        broken.push(BrokenRule::Common);
    }
    broken
}

/// Whether the owner may change the password already.
///
/// Not asked for a reset, a required change, or a change by an admin: the minimum age never
/// hinders those (CONTRACT.md 6).
///
/// # Errors
/// [`BrokenRule::MinAge`] with the instant from which it may be changed.
pub fn may_change_now(
    set_at: Option<Timestamp>,
    rules: &PasswordRules,
    now: Timestamp,
) -> Result<(), BrokenRule> {
    match set_at.map(|set_at| set_at.plus(rules.min_age)) {
        Some(from) if now < from && !rules.min_age.is_zero() => Err(BrokenRule::MinAge(from)),
        _ => Ok(()),
    }
}

/// How many of the four classes occur. Letters without case (as in Arabic or Chinese) are others.
fn classes(text: &str) -> u32 {
    let lower = text.chars().any(char::is_lowercase);
    let upper = text.chars().any(char::is_uppercase);
    let digit = text.chars().any(char::is_numeric);
    let other = text
        .chars()
        .any(|c| !c.is_lowercase() && !c.is_uppercase() && !c.is_numeric());
    [lower, upper, digit, other]
        .into_iter()
        .map(u32::from)
        .sum()
}

/// Whether the password is a name of its owner, forwards or backwards, or so little besides that
/// the names give most of it away.
fn from_name(text: &str, context: &NewPasswordContext<'_>) -> bool {
    let folded = Zeroizing::new(strength::fold(text));
    let length = folded.chars().count();
    let mut names: Vec<String> = Vec::new();
    let mut add = |name: &str| {
        let name = strength::fold(name);
        names.push(name.chars().rev().collect());
        names.push(name);
    };
    add(context.username.as_str());
    for part in context.username.as_str().split(['.', '_', '-']) {
        add(part);
    }
    if let Some(email) = context.email {
        add(email.as_str());
        for part in email.as_str().split(['@', '.', '_', '-', '+']) {
            add(part);
        }
    }
    if let Some(full_name) = context.full_name {
        for part in full_name.split_whitespace() {
            add(part);
        }
    }
    if names.contains(&*folded) {
        return true;
    }
    // Shorter parts would be found in too many honest passwords.
    names.retain(|name| name.chars().count() >= 3);
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    let mut rest = folded;
    for name in &names {
        rest = Zeroizing::new(rest.replace(name.as_str(), ""));
    }
    let rest_length = rest.chars().count();
    let rest_letters = rest.chars().filter(|c| c.is_alphabetic()).count();
    // Digits and punctuation around a name are the first thing tried; so is a name that makes up
    // most of the letters.
    rest_letters < length - rest_length
}
