//! `[posix]`: what accounts look like to Unix hosts (RFC 2307).

use serde::Deserialize;

use doorward_domain::name::{GroupName, Username};

/// Numbers, homes and shells of users.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Posix {
    /// Users' and groups' numbers start here and are never used again.
    pub first_id: u32,
    /// The group every user has as its first.
    pub primary_group: GroupName,
    /// Where homes lie.
    pub home: HomeTemplate,
    /// The login shell.
    pub shell: Shell,
}

impl Default for Posix {
    fn default() -> Self {
        Self {
            first_id: 20_000,
            primary_group: users(),
            home: HomeTemplate("/home/{username}".to_owned()),
            shell: Shell("/bin/bash".to_owned()),
        }
    }
}

#[expect(
    clippy::expect_used,
    reason = "the literal is a group name, as a test asserts"
)]
fn users() -> GroupName {
    GroupName::parse("users").expect("'users' is a group name")
}

/// A path with `{username}` in it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HomeTemplate(String);

impl HomeTemplate {
    const PLACE: &'static str = "{username}";

    /// The home of one user.
    pub fn of(&self, username: &Username) -> String {
        self.0.replace(Self::PLACE, username.as_str())
    }

    /// The template as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for HomeTemplate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let rest = text.replacen(Self::PLACE, "", 1);
        if is_absolute(&text) && rest != text && !rest.contains(['{', '}']) {
            Ok(Self(text))
        } else {
            Err(format!(
                "'{text}' is not a home: write an absolute path with {{username}} in it, once"
            ))
        }
    }
}

/// An absolute path of a program.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Shell(String);

impl Shell {
    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Shell {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if is_absolute(&text) {
            Ok(Self(text))
        } else {
            Err(format!("'{text}' is not the absolute path of a shell"))
        }
    }
}

/// Absolute, and nothing that would break a line of `passwd(5)`.
fn is_absolute(text: &str) -> bool {
    text.starts_with('/') && !text.contains(':') && !text.chars().any(char::is_control)
}
