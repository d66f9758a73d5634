//! `FIELD=VALUE` as administrators write it, read into a change of a user.

use jiff::tz::TimeZone;

use doorward_domain::name::MailAddress;
use doorward_domain::time::{DayEdge, Timestamp, parse_moment};
use doorward_store::changes::UserPatch;

use super::DirectoryError;
use super::users::check_full_name;
use doorward_domain::nearest::nearest;

/// The fields that can be set, in the order they are listed.
pub const FIELDS: [&str; 10] = [
    "email",
    "recovery_email",
    "full_name",
    "start_date",
    "end_date",
    "password_never_expires",
    "must_change_password",
    "home",
    "shell",
    "admin",
];

/// Fields that are shown and changed by a command of their own, or never.
const ELSEWHERE: [(&str, &str); 15] = [
    ("username", "use 'user rename NAME NEW'"),
    ("password", "use 'user set-password NAME'"),
    ("status", "it follows from the other fields and the time"),
    (
        "activated",
        "it follows from the password and the start date",
    ),
    ("suspended", "use 'user suspend NAME' or 'user resume NAME'"),
    ("account_locked", "use 'user unlock NAME'"),
    ("locked_since", "use 'user unlock NAME'"),
    (
        "password_expired",
        "use 'user expire NAME' or 'user set-password NAME'",
    ),
    (
        "password_expiration_date",
        "use 'user expire NAME --by DATE'",
    ),
    ("password_change_by", "use 'user expire NAME --by DATE'"),
    (
        "groups",
        "use 'group join GROUP USER' or 'group leave GROUP USER'",
    ),
    ("resources", "use 'resource bind RESOURCE --user USER'"),
    ("uid_number", "a number is given once and never changes"),
    ("gid_number", "it is the number of the primary group"),
    ("id", "it never changes"),
];

/// Reads fields and their values; an empty value or `none` clears a field that may be absent.
///
/// # Errors
/// A field is unknown, given twice or changed elsewhere; a value is refused.
pub fn parse_fields(
    fields: &[(String, String)],
    zone: &TimeZone,
    now: Timestamp,
) -> Result<UserPatch, DirectoryError> {
    if fields.is_empty() {
        return Err(DirectoryError::NothingGiven);
    }
    let mut patch = UserPatch::default();
    for (place, (field, value)) in fields.iter().enumerate() {
        if fields
            .iter()
            .take(place)
            .any(|(earlier, _)| earlier == field)
        {
            return Err(DirectoryError::Repeated(field.clone()));
        }
        set(&mut patch, field, value, zone, now)?;
    }
    Ok(patch)
}

fn set(
    patch: &mut UserPatch,
    field: &str,
    value: &str,
    zone: &TimeZone,
    now: Timestamp,
) -> Result<(), DirectoryError> {
    let given = (!value.is_empty() && value != "none").then_some(value);
    let moment = |edge| {
        given
            .map(|text| parse_moment(text, zone, edge, now))
            .transpose()
    };
    match field {
        "email" => patch.email = Some(MailAddress::parse(value)?),
        "recovery_email" => {
            patch.recovery_email = Some(given.map(MailAddress::parse).transpose()?);
        }
        "full_name" => {
            given.map(check_full_name).transpose()?;
            patch.full_name = Some(given.map(str::to_owned));
        }
        "start_date" => patch.start = Some(moment(DayEdge::Start)?),
        "end_date" => patch.end = Some(moment(DayEdge::End)?),
        "password_never_expires" => {
            patch.never_expires = Some(truth("password_never_expires", value)?);
        }
        "must_change_password" => {
            patch.must_change = Some(truth("must_change_password", value)?);
        }
        "home" => patch.home = Some(given.map(|text| path("home", text)).transpose()?),
        "shell" => patch.shell = Some(given.map(|text| path("shell", text)).transpose()?),
        "admin" => patch.admin = Some(truth("admin", value)?),
        _ => return Err(unknown(field)),
    }
    Ok(())
}

fn unknown(field: &str) -> DirectoryError {
    match ELSEWHERE.into_iter().find(|(name, _)| *name == field) {
        Some((field, instead)) => DirectoryError::OtherCommand { field, instead },
        None => DirectoryError::UnknownField {
            field: field.to_owned(),
            nearest: nearest(field, FIELDS)
                .and_then(|near| FIELDS.into_iter().find(|known| *known == near)),
        },
    }
}

fn truth(field: &'static str, value: &str) -> Result<bool, DirectoryError> {
    match value {
        "true" | "yes" => Ok(true),
        "false" | "no" => Ok(false),
        _ => Err(DirectoryError::BadValue {
            field,
            value: value.to_owned(),
            expected: "write true or false",
        }),
    }
}

/// An absolute path that breaks no line of `passwd(5)`.
fn path(field: &'static str, value: &str) -> Result<String, DirectoryError> {
    let shaped = value.starts_with('/')
        && value.len() <= 1024
        && !value.chars().any(|c| c.is_control() || c == ':');
    if shaped {
        return Ok(value.to_owned());
    }
    Err(DirectoryError::BadValue {
        field,
        value: value.to_owned(),
        expected: "write an absolute path without ':'",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_348_800_000);

    fn parse(fields: &[(&str, &str)]) -> Result<UserPatch, DirectoryError> {
        let fields: Vec<(String, String)> = fields
            .iter()
            .map(|(field, value)| ((*field).to_owned(), (*value).to_owned()))
            .collect();
        parse_fields(&fields, &TimeZone::UTC, NOW)
    }

    #[test]
    fn dates_take_their_edge_of_the_day() {
        let patch = parse(&[("start_date", "2027-01-01"), ("end_date", "2027-01-31")]).unwrap();
        assert_eq!(
            patch.start.unwrap().unwrap().rfc3339(),
            "2027-01-01T00:00:00.000Z"
        );
        assert_eq!(
            patch.end.unwrap().unwrap().rfc3339(),
            "2027-02-01T00:00:00.000Z"
        );
    }

    #[test]
    fn nothing_clears_what_may_be_absent_and_only_that() {
        let patch = parse(&[("full_name", ""), ("end_date", "none"), ("shell", "none")]).unwrap();
        assert_eq!(patch.full_name, Some(None));
        assert_eq!(patch.end, Some(None));
        assert_eq!(patch.shell, Some(None));
        assert_eq!(patch.email, None);
        assert!(parse(&[("email", "")]).is_err());
        assert!(parse(&[("admin", "")]).is_err());
    }

    #[test]
    fn every_refusal_says_what_to_write() {
        let told = |fields: &[(&str, &str)]| parse(fields).unwrap_err().to_string();
        assert!(told(&[("fullname", "A")]).contains("did you mean 'full_name'?"));
        assert!(told(&[("status", "active")]).contains("follows from"));
        assert!(told(&[("suspended", "true")]).contains("user suspend"));
        assert!(told(&[("admin", "maybe")]).contains("true or false"));
        assert!(told(&[("home", "home/ada")]).contains("absolute path"));
        assert!(told(&[("admin", "true"), ("admin", "no")]).contains("given twice"));
        assert!(told(&[]).contains("FIELD=VALUE"));
        assert!(told(&[("full_name", "a:b")]).contains("without ':'"));
    }

    #[test]
    fn every_field_listed_can_be_set() {
        for field in FIELDS {
            let value = match field {
                "email" | "recovery_email" => "ada@example.org",
                "start_date" | "end_date" => "2027-01-01",
                "home" | "shell" => "/x",
                "full_name" => "Ada",
                _ => "true",
            };
            assert!(parse(&[(field, value)]).is_ok(), "{field}");
        }
    }
}
