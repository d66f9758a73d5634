//! Names, parsed once at the edge: users, groups, services, resources, listeners, clients.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text is not a name of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a {kind}: {rule}")]
pub struct NotAName {
    text: String,
    kind: &'static str,
    rule: &'static str,
}

/// A username keeps its case; two that differ only in case cannot both exist (CONTRACT.md 8).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Username(String);

impl Username {
    /// The longest username, in characters.
    pub const MAX: usize = 30;
    /// The length past which Windows hosts refuse a local account.
    pub const WINDOWS_MAX: usize = 20;

    /// Parses a username: a letter, then letters, digits, `.`, `_`, `-`; at most 30.
    ///
    /// # Errors
    /// The text breaks the rule, which the error states.
    pub fn parse(text: &str) -> Result<Self, NotAName> {
        let shaped = text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
            && text.len() <= Self::MAX;
        if shaped {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAName {
                text: text.to_owned(),
                kind: "username",
                rule: "a letter, then letters, digits, '.', '_' or '-'; at most 30 characters",
            })
        }
    }

    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that must be unique.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl fmt::Display for Username {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for Username {
    type Error = NotAName;

    fn try_from(text: String) -> Result<Self, NotAName> {
        Self::parse(&text)
    }
}

impl From<Username> for String {
    fn from(name: Username) -> Self {
        name.0
    }
}

macro_rules! label {
    ($(#[$meta:meta])* $name:ident, $kind:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The longest name, in characters.
            pub const MAX: usize = 64;

            /// Parses a name: a letter or digit, then letters, digits, `.`, `_`, `-`; at most 64.
            ///
            /// # Errors
            /// The text breaks the rule, which the error states.
            pub fn parse(text: &str) -> Result<Self, NotAName> {
                let shaped = text.starts_with(|c: char| c.is_ascii_alphanumeric())
                    && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
                    && text.len() <= Self::MAX;
                if shaped {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(NotAName {
                        text: text.to_owned(),
                        kind: $kind,
                        rule: "a letter or digit, then letters, digits, '.', '_' or '-'; \
                               at most 64 characters",
                    })
                }
            }

            /// The name as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The form that must be unique.
            pub fn folded(&self) -> String {
                self.0.to_ascii_lowercase()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAName;

            fn try_from(text: String) -> Result<Self, NotAName> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

label!(
    /// A group of users and of other groups.
    GroupName,
    "group name"
);
label!(
    /// An LDAP service account, such as the mail server's.
    ServiceName,
    "service account name"
);
label!(
    /// A sudo rule.
    SudoRuleName,
    "sudo rule name"
);

impl SudoRuleName {
    /// Whether sudo takes the rule for what is in force with every other (`sudoers.ldap(5)`).
    pub fn is_defaults(&self) -> bool {
        self.folded() == "defaults"
    }
}

label!(
    /// A resource of the configuration.
    ResourceName,
    "resource name"
);
label!(
    /// An LDAP listener of the configuration.
    ListenerName,
    "listener name"
);
label!(
    /// A RADIUS client (NAS) of the configuration.
    ClientName,
    "RADIUS client name"
);

/// A view of the tree, by the name under the base that it stands under: `ou=mail`
/// (CONTRACT.md 4). Compared without regard to case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ViewName(String);

impl ViewName {
    /// What the tree has under the base already.
    pub const TAKEN: [&str; 5] = ["people", "groups", "services", "policies", "sudoers"];

    /// Parses `ou=` and a name: a letter or digit, then letters, digits, `.`, `_`, `-`; at most
    /// 64, and none that the tree has already.
    ///
    /// # Errors
    /// The text breaks the rule, which the error states.
    pub fn parse(text: &str) -> Result<Self, NotAName> {
        let unit = text.split_once('=').and_then(|(attribute, unit)| {
            let shaped = attribute.eq_ignore_ascii_case("ou")
                && unit.starts_with(|c: char| c.is_ascii_alphanumeric())
                && unit
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
                && unit.len() <= 64
                && !Self::TAKEN
                    .iter()
                    .any(|taken| unit.eq_ignore_ascii_case(taken));
            shaped.then(|| unit.to_owned())
        });
        unit.map(Self).ok_or_else(|| NotAName {
            text: text.to_owned(),
            kind: "view",
            rule: "write ou=NAME, as in ou=mail: a letter or digit, then letters, digits, '.', \
                   '_' or '-', and not people, groups, services, policies or sudoers, which the \
                   tree has already",
        })
    }

    /// The name alone, without `ou=`.
    pub fn unit(&self) -> &str {
        &self.0
    }

    /// The form that is compared.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl fmt::Display for ViewName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ou={}", self.0)
    }
}

impl std::str::FromStr for ViewName {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        Self::parse(text)
    }
}

impl TryFrom<String> for ViewName {
    type Error = NotAName;

    fn try_from(text: String) -> Result<Self, NotAName> {
        Self::parse(&text)
    }
}

impl From<ViewName> for String {
    fn from(name: ViewName) -> Self {
        name.to_string()
    }
}

/// A mail address, as far as a directory needs to know one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MailAddress(String);

impl MailAddress {
    /// Parses `local@domain` without spaces or control characters, at most 254 bytes
    /// (RFC 5321 4.5.3.1.3).
    ///
    /// # Errors
    /// The text has another shape.
    pub fn parse(text: &str) -> Result<Self, NotAName> {
        let shaped = text.len() <= 254
            && !text.chars().any(|c| c.is_whitespace() || c.is_control())
            && text.rsplit_once('@').is_some_and(|(local, domain)| {
                !local.is_empty()
                    && !domain.is_empty()
                    && !domain.starts_with('.')
                    && !domain.ends_with('.')
            });
        if shaped {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAName {
                text: text.to_owned(),
                kind: "mail address",
                rule: "write name@domain, without spaces",
            })
        }
    }

    /// The address as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that must be unique.
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

impl fmt::Display for MailAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for MailAddress {
    type Error = NotAName;

    fn try_from(text: String) -> Result<Self, NotAName> {
        Self::parse(&text)
    }
}

impl From<MailAddress> for String {
    fn from(address: MailAddress) -> Self {
        address.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_keep_case_and_refuse_what_hosts_refuse() {
        assert_eq!(Username::parse("Ada.L").unwrap().folded(), "ada.l");
        for bad in ["", "9ada", "ada l", "ada@x", "_ada", "ädä", &"a".repeat(31)] {
            assert!(Username::parse(bad).is_err(), "{bad}");
        }
        assert!(Username::parse(&"a".repeat(30)).is_ok());
    }

    #[test]
    fn a_view_is_one_unit_that_the_tree_does_not_have() {
        let view = ViewName::parse("OU=Mail").unwrap();
        assert_eq!(view.to_string(), "ou=Mail");
        assert_eq!(view.folded(), "mail");
        for bad in [
            "mail",
            "ou=",
            "cn=mail",
            "ou=mail,ou=x",
            "ou=a b",
            "ou=People",
            "ou=a+cn=b",
        ] {
            assert!(ViewName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn mail_addresses_need_both_halves() {
        assert!(MailAddress::parse("ada@example.org").is_ok());
        for bad in [
            "ada",
            "@example.org",
            "ada@",
            "a da@example.org",
            "ada@.org",
        ] {
            assert!(MailAddress::parse(bad).is_err(), "{bad}");
        }
    }
}
