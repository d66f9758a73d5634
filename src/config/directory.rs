//! `[directory]`: whose directory this is, and how its people write their names.

use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer};

/// What the directory is called.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// The suffix of every entry. Looked at for its rough shape only; `ldap` parses
    /// it (RFC 4514).
    pub base_dn: BaseDn,
    /// The name people see, in the root entry and in mail.
    #[serde(default = "organization")]
    pub organization: String,
    /// What may stand around a username: `example.org` in `alice@example.org`, `EXAMPLE` in
    /// `EXAMPLE\alice` (CONTRACT.md 8). Compared without regard to case.
    #[serde(default, deserialize_with = "super::value::list_or_empty")]
    pub realms: Vec<String>,
    /// The zone in which a bare date is a day (CONTRACT.md 10).
    #[serde(default = "utc", deserialize_with = "zone")]
    pub timezone: TimeZone,
}

fn organization() -> String {
    "Doorward".to_owned()
}

fn utc() -> TimeZone {
    TimeZone::UTC
}

fn zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TimeZone, D::Error> {
    let name = String::deserialize(deserializer)?;
    if name.eq_ignore_ascii_case("utc") {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(&name).map_err(|_| {
        serde::de::Error::custom(format!(
            "'{name}' is not a time zone of the tz database: write UTC or Europe/Berlin"
        ))
    })
}

/// The text of a suffix such as `dc=example,dc=org`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct BaseDn(String);

impl BaseDn {
    /// The suffix as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for BaseDn {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut escaped = false;
        let mut separates = |c| {
            let separates = c == ',' && !escaped;
            escaped = c == '\\' && !escaped;
            separates
        };
        let shaped = text.len() <= 512
            && text.split(&mut separates).all(|part| {
                part.split_once('=').is_some_and(|(attribute, value)| {
                    let attribute = attribute.trim();
                    attribute.starts_with(|c: char| c.is_ascii_alphanumeric())
                        && attribute
                            .chars()
                            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.')
                        && !value.trim().is_empty()
                })
            });
        if shaped {
            Ok(Self(text))
        } else {
            Err(format!(
                "'{text}' is not a base DN: write dc=example,dc=org"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_may_hold_escaped_commas() {
        for good in ["dc=example,dc=org", r"o=Smith\, Sons,c=GB", r"o=a\\,c=GB"] {
            assert_eq!(BaseDn::try_from(good.to_owned()).unwrap().as_str(), good);
        }
        for bad in [
            "example.org",
            "o=Smith, Sons",
            r"o=a\\,GB",
            "o=a,,c=GB",
            "o=",
        ] {
            assert!(BaseDn::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
