//! Server-side sorting (RFC 2891): what a client asks for, and how it went.

use super::Malformed;
use crate::decode::Control;
use crate::decode::ber;
use crate::decode::ber::{BerError, Reader, tag};
use crate::result::ResultCode;
use crate::schema;
use crate::schema::{AttributeType, MatchingRule, RuleKind};

/// The sort control of a request.
pub const SORT_REQUEST: &str = "1.2.840.113556.1.4.473";
/// The control of a response to it.
pub const SORT_RESPONSE: &str = "1.2.840.113556.1.4.474";

/// How many keys one request may name.
pub const SORT_KEYS: usize = 8;

const ORDERING_RULE: u8 = 0x80;
const REVERSE_ORDER: u8 = 0x81;
const FAILED_ATTRIBUTE: u8 = 0x80;

/// What entries are sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortKey {
    pub(crate) attribute: &'static AttributeType,
    pub(crate) rule: MatchingRule,
    pub(crate) reverse: bool,
}

/// How sorting went (RFC 2891 section 1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortOutcome {
    /// Success, or why it could not be sorted.
    pub code: ResultCode,
    /// The attribute that was the reason, as it was asked for.
    pub attribute: Option<String>,
}

impl SortOutcome {
    /// The response control.
    pub fn control(&self) -> Control {
        let mut inside = vec![tag::ENUMERATED, 1, self.code.number()];
        if let Some(attribute) = &self.attribute {
            ber::write(&mut inside, FAILED_ATTRIBUTE, attribute.as_bytes());
        }
        let mut value = Vec::new();
        ber::write(&mut value, tag::SEQUENCE, &inside);
        Control {
            oid: SORT_RESPONSE.to_owned(),
            critical: false,
            value: Some(value),
        }
    }
}

/// In which order a client wants what it searches for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Sort {
    /// Whatever comes first.
    #[default]
    Unasked,
    /// By these, the first one first.
    By(Vec<SortKey>),
    /// In one that we cannot make.
    Impossible(SortOutcome),
}

impl Sort {
    /// What to sort by, where that can be done.
    pub fn keys(&self) -> Option<&[SortKey]> {
        match self {
            Self::By(keys) => Some(keys),
            Self::Unasked | Self::Impossible(_) => None,
        }
    }

    /// What the client is told; none where it did not ask.
    pub fn outcome(&self) -> Option<SortOutcome> {
        match self {
            Self::Unasked => None,
            Self::By(_) => Some(SortOutcome {
                code: ResultCode::Success,
                attribute: None,
            }),
            Self::Impossible(outcome) => Some(outcome.clone()),
        }
    }

    /// Reads the value of the request control.
    ///
    /// # Errors
    /// It is not what RFC 2891 section 1.1 defines.
    pub fn read(value: Option<&[u8]>) -> Result<Self, Malformed> {
        let malformed = Malformed("the value of the sort control is wrong");
        let asked = value.and_then(|value| read(value).ok()).ok_or(malformed)?;
        if asked.is_empty() {
            return Err(Malformed("the sort control names no key"));
        }
        if asked.len() > SORT_KEYS {
            return Ok(Self::Impossible(SortOutcome {
                code: ResultCode::UnwillingToPerform,
                attribute: None,
            }));
        }
        let keys: Result<Vec<SortKey>, SortOutcome> = asked.iter().map(Asked::key).collect();
        Ok(keys.map_or_else(Self::Impossible, Self::By))
    }
}

/// A key as it was asked for.
struct Asked<'a> {
    attribute: &'a str,
    rule: Option<&'a [u8]>,
    reverse: bool,
}

impl Asked<'_> {
    fn key(&self) -> Result<SortKey, SortOutcome> {
        let because = |code| SortOutcome {
            code,
            attribute: Some(self.attribute.to_owned()),
        };
        let attribute = schema::attribute(self.attribute)
            .filter(|kind| kind.is_readable())
            .ok_or_else(|| because(ResultCode::NoSuchAttribute))?;
        let rule = match self.rule {
            None => attribute.sorting(),
            Some(name) => std::str::from_utf8(name)
                .ok()
                .and_then(MatchingRule::find)
                .filter(|rule| rule.kind() == RuleKind::Ordering && rule.fits(attribute.syntax())),
        };
        Ok(SortKey {
            attribute,
            rule: rule.ok_or_else(|| because(ResultCode::InappropriateMatching))?,
            reverse: self.reverse,
        })
    }
}

/// Reads the keys, one more than may be named at most.
fn read(value: &[u8]) -> Result<Vec<Asked<'_>>, BerError> {
    let mut outside = Reader::new(value);
    let mut list = outside.sequence()?;
    outside.finish()?;
    let mut keys = Vec::new();
    while !list.is_empty() && keys.len() <= SORT_KEYS {
        let mut key = list.sequence()?;
        let attribute = key.text()?;
        let rule = key.optional(ORDERING_RULE)?;
        let reverse = key.optional(REVERSE_ORDER)?.map(ber::boolean).transpose()?;
        key.finish()?;
        keys.push(Asked {
            attribute,
            rule,
            reverse: reverse.unwrap_or(false),
        });
    }
    Ok(keys)
}
