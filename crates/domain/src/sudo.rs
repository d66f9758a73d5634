//! sudo rules as hosts read them (`sudoers.ldap(5)`), each value parsed once at the edge.
//!
//! It knows what a value may look like; which rule wins on a host is for sudo.

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::name::{GroupName, SudoRuleName, Username};
use super::time::Timestamp;

/// The most values of one kind in a rule.
pub const MAX_SUDO_VALUES: usize = 64;

/// Why a text is no value of a sudo rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is no {kind}: {rule}")]
pub struct NotASudoValue {
    text: String,
    kind: &'static str,
    rule: &'static str,
}

macro_rules! value {
    ($(#[$meta:meta])* $name:ident, $kind:literal, $most:literal, $shaped:path, $rule:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Parses a value as `sudoers.ldap(5)` writes it.
            ///
            /// # Errors
            /// The text breaks the rule, which the error states.
            pub fn parse(text: &str) -> Result<Self, NotASudoValue> {
                let printable = text.chars().all(|c| c == ' ' || c.is_ascii_graphic());
                if printable && text.trim() == text && text.len() <= $most && $shaped(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(NotASudoValue {
                        text: text.chars().take(80).collect(),
                        kind: $kind,
                        rule: $rule,
                    })
                }
            }

            /// The value as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotASudoValue;

            fn try_from(text: String) -> Result<Self, NotASudoValue> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    };
}

value!(
    /// A host the rule is for; `!` before it makes it one the rule is not for.
    SudoHost,
    "host of a sudo rule",
    255,
    is_host,
    "write ALL, a host's name with or without wildcards, an address, a network or +NETGROUP, \
     each with or without '!' before it"
);
value!(
    /// A command the rule lets run; `!` before it makes it one that may not.
    SudoCommand,
    "command of a sudo rule",
    1024,
    is_command,
    "write ALL, list, 'sudoedit /a/file', or a whole path with or without arguments, each with \
     or without '!' or a digest such as 'sha256:…' before it; sudoedit has no path of its own"
);
value!(
    /// As whom commands may run.
    SudoRunAsUser,
    "user to run commands as",
    256,
    is_run_as_user,
    "write ALL, a name, #NUMBER, %GROUP, %#NUMBER or +NETGROUP, each with or without '!' before it"
);
value!(
    /// With which group commands may run.
    SudoRunAsGroup,
    "group to run commands as",
    256,
    is_run_as_group,
    "write ALL, a name or #NUMBER, each with or without '!' before it"
);
value!(
    /// An option of sudo, in force where the rule is.
    SudoOption,
    "option of sudo",
    1024,
    is_option,
    "write NAME, !NAME, NAME=VALUE, NAME+=VALUE or NAME-=VALUE, without spaces around the sign"
);

fn positive(text: &str) -> &str {
    text.strip_prefix('!').unwrap_or(text)
}

/// A name of a user or group on some host.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-@\\$".contains(c))
}

fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && text.parse::<u32>().is_ok()
}

fn is_netgroup(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(is_name)
}

fn is_host(text: &str) -> bool {
    let host = positive(text);
    let pattern = |c: char| c.is_ascii_alphanumeric() || "._-*?[]!^".contains(c);
    let named = host.chars().all(pattern) && !host.is_empty() && !host.starts_with(['!', '-']);
    named || is_netgroup(host) || is_network(host)
}

/// An address, or a network by its length or by its mask.
fn is_network(text: &str) -> bool {
    let masked = |text: &str| {
        text.split_once('/')
            .is_some_and(|(address, mask)| match (address.parse(), mask.parse()) {
                (Ok(IpAddr::V4(address)), Ok(IpAddr::V4(mask))) => {
                    ipnet::Ipv4Net::with_netmask(address, mask).is_ok()
                }
                _ => false,
            })
    };
    text.parse::<IpAddr>().is_ok() || text.parse::<IpNet>().is_ok() || masked(text)
}

fn is_command(text: &str) -> bool {
    let Some(command) = after_digests(positive(text)) else {
        return false;
    };
    let (program, arguments) = command.split_once(' ').unwrap_or((command, ""));
    match program {
        "ALL" | "list" => arguments.is_empty(),
        "sudoedit" => arguments
            .split_whitespace()
            .all(|file| file.starts_with('/')),
        // sudo 1.9.10 and later take a regular expression between these two.
        _ if program.starts_with("^/") => command.contains('$'),
        _ => program.starts_with('/') && !program.ends_with("/sudoedit"),
    }
}

/// What follows digests of the command, `sha256:…` one or several with commas between; none where
/// one of them is no digest.
fn after_digests(text: &str) -> Option<&str> {
    let sizes = [
        ("sha224", 28),
        ("sha256", 32),
        ("sha384", 48),
        ("sha512", 64),
    ];
    let size = |algorithm: &str| {
        let known = sizes.iter().find(|(name, _)| *name == algorithm);
        known.map(|(_, size)| *size)
    };
    let algorithm = text.split(':').next().unwrap_or_default();
    if size(algorithm).is_none() {
        return Some(text);
    }
    let (digests, command) = text.split_once(' ')?;
    let shaped = digests.split(',').all(|digest| {
        digest.split_once(':').is_some_and(|(algorithm, value)| {
            size(algorithm).is_some_and(|size: usize| {
                let hexadecimal =
                    value.len() == 2 * size && value.chars().all(|c| c.is_ascii_hexdigit());
                let base64 = value.len() == size.div_ceil(3) * 4
                    && value
                        .chars()
                        .all(|c| c.is_ascii_alphanumeric() || "+/=".contains(c));
                hexadecimal || base64
            })
        })
    });
    shaped.then_some(command)
}

fn is_run_as_user(text: &str) -> bool {
    let user = positive(text);
    let group = user.strip_prefix('%').unwrap_or(user);
    is_name(group) || group.strip_prefix('#').is_some_and(is_number) || is_netgroup(user)
}

fn is_run_as_group(text: &str) -> bool {
    let group = positive(text);
    is_name(group) || group.strip_prefix('#').is_some_and(is_number)
}

fn is_option(text: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    if let Some(word) = text.strip_prefix('!') {
        return is_word(word);
    }
    match text.split_once('=') {
        None => is_word(text),
        Some((word, value)) => {
            let word = word.strip_suffix(['+', '-']).unwrap_or(word);
            is_word(word) && !value.is_empty() && !value.starts_with(' ')
        }
    }
}

/// For whom a rule is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SudoSubject {
    /// Every user of a host, also those that no directory knows.
    Everybody,
    /// One user.
    User(Username),
    /// The members of a group, also through groups in it.
    Group(GroupName),
}

impl SudoSubject {
    /// The value of `sudoUser`; none for a user whose name is what sudo calls everybody.
    pub fn value(&self) -> Option<String> {
        match self {
            Self::Everybody => Some(EVERYBODY.to_owned()),
            Self::User(name) if name.as_str() == EVERYBODY => None,
            Self::User(name) => Some(name.to_string()),
            Self::Group(name) => Some(format!("%{name}")),
        }
    }
}

/// What sudo calls everybody.
const EVERYBODY: &str = "ALL";

/// What a rule says, apart from whom it is for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SudoTerms {
    /// Where.
    pub hosts: Vec<SudoHost>,
    /// What.
    pub commands: Vec<SudoCommand>,
    /// As which users; root where empty.
    pub run_as_users: Vec<SudoRunAsUser>,
    /// With which groups.
    pub run_as_groups: Vec<SudoRunAsGroup>,
    /// With which options.
    pub options: Vec<SudoOption>,
    /// Of two rules that fit, the one with the higher number holds.
    pub order: Option<i32>,
    /// From when on.
    pub not_before: Option<Timestamp>,
    /// Until when.
    pub not_after: Option<Timestamp>,
    /// What it is for.
    pub description: Option<String>,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SudoRule {
    /// Its name; `cn`.
    pub name: SudoRuleName,
    /// For whom: everybody first, then users, then groups, each by name.
    pub subjects: Vec<SudoSubject>,
    /// The rest.
    pub terms: SudoTerms,
}

/// Why values make no rule together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotASudoRule {
    /// For nobody.
    #[error("the rule is for nobody: give --user, --group or --all-users")]
    NoSubject,
    /// For no host.
    #[error("the rule is for no host: give --host (ALL for every host)")]
    NoHost,
    /// For no command.
    #[error("the rule is for no command: give --command (ALL for every command)")]
    NoCommand,
    /// The defaults hold more than options.
    #[error(
        "'defaults' holds what is in force for every rule, so it takes --option and \
         --description alone"
    )]
    MoreThanDefaults,
    /// The defaults hold nothing.
    #[error("'defaults' needs at least one --option")]
    NoDefault,
    /// It ends before it begins.
    #[error("the rule would end before it begins: move --not-before or --not-after")]
    EndsBeforeStart,
    /// Too many values.
    #[error("a sudo rule has at most 64 values of one kind: make two rules of it")]
    TooMany,
}

impl SudoRule {
    /// Whether the values make a rule that sudo can use. A rule in the store may have lost its
    /// last user since.
    ///
    /// # Errors
    /// Names the first thing that is missing or contradicts another.
    pub fn check(&self) -> Result<(), NotASudoRule> {
        let SudoTerms {
            hosts,
            commands,
            run_as_users,
            run_as_groups,
            options,
            order,
            not_before,
            not_after,
            description: _,
        } = &self.terms;
        let most = [
            self.subjects.len(),
            hosts.len(),
            commands.len(),
            run_as_users.len(),
            run_as_groups.len(),
            options.len(),
        ];
        if most.into_iter().any(|count| count > MAX_SUDO_VALUES) {
            return Err(NotASudoRule::TooMany);
        }
        if self.name.is_defaults() {
            let alone = self.subjects.is_empty()
                && hosts.is_empty()
                && commands.is_empty()
                && run_as_users.is_empty()
                && run_as_groups.is_empty()
                && order.is_none()
                && not_before.is_none()
                && not_after.is_none();
            return match (alone, options.is_empty()) {
                (false, _) => Err(NotASudoRule::MoreThanDefaults),
                (true, true) => Err(NotASudoRule::NoDefault),
                (true, false) => Ok(()),
            };
        }
        if self.subjects.is_empty() {
            return Err(NotASudoRule::NoSubject);
        }
        if hosts.is_empty() {
            return Err(NotASudoRule::NoHost);
        }
        if commands.is_empty() {
            return Err(NotASudoRule::NoCommand);
        }
        if not_before
            .zip(*not_after)
            .is_some_and(|(from, to)| to <= from)
        {
            return Err(NotASudoRule::EndsBeforeStart);
        }
        Ok(())
    }
}
