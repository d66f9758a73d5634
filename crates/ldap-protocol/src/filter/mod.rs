//! Search filters: the tree, its bytes (RFC 4511 section 4.5.1), its text (RFC 4515), and its
//! truth for an entry in three values.
//!
//! Assertion values are bytes; what they mean is for the attribute's matching rule. Nothing here
//! knows where entries come from.

mod evaluate;
mod text;
mod wire;

#[cfg(test)]
mod tests;

use std::fmt;

pub use evaluate::{
    AttributeSource, Comparison, Matcher, Preparing, Progress, Truth, VALUE_WORK, Values, compare,
    evaluate,
};
pub use text::FilterParseError;
pub use wire::FilterDecodeError;

use super::schema;

/// A search filter (RFC 4511 section 4.5.1.7).
#[derive(Clone, PartialEq, Eq)]
pub enum Filter {
    /// All of these; true where there is none (RFC 4526).
    And(Vec<Filter>),
    /// Any of these; false where there is none (RFC 4526).
    Or(Vec<Filter>),
    /// The opposite.
    Not(Box<Filter>),
    /// A value equals this one.
    Equality(Assertion),
    /// A value has these pieces in this order.
    Substrings(Substrings),
    /// A value is this one or comes after it.
    GreaterOrEqual(Assertion),
    /// A value is this one or comes before it.
    LessOrEqual(Assertion),
    /// The attribute is there.
    Present(String),
    /// A value is near this one; we take it as equality, which RFC 4511 allows.
    Approximate(Assertion),
    /// A rule named in the filter.
    Extensible(Extensible),
}

/// How much more it is to prepare a byte that is not ASCII: one character can become eighteen.
const SWELLING: usize = 64;

/// How much work it is to prepare an assertion value, as [`Progress`] counts it.
pub fn preparing(value: &[u8]) -> usize {
    if value.is_ascii() {
        value.len()
    } else {
        value.len().saturating_mul(SWELLING)
    }
}

/// An attribute description and a value.
#[derive(Clone, PartialEq, Eq)]
pub struct Assertion {
    /// The description as it came, known or not.
    pub attribute: String,
    /// The value as it came.
    pub value: Vec<u8>,
}

/// Pieces of a value; at least one, none of them empty.
#[derive(Clone, PartialEq, Eq)]
pub struct Substrings {
    /// The description as it came, known or not.
    pub attribute: String,
    /// What the value starts with.
    pub initial: Option<Vec<u8>>,
    /// What comes after that, in order.
    pub any: Vec<Vec<u8>>,
    /// What the value ends with.
    pub last: Option<Vec<u8>>,
}

/// An assertion with a rule of its own (RFC 4511 section 4.5.1.7.7).
#[derive(Clone, PartialEq, Eq)]
pub struct Extensible {
    /// The matching rule; the attribute's equality rule where there is none.
    pub rule: Option<String>,
    /// The attribute; every attribute that the rule fits where there is none.
    pub attribute: Option<String>,
    /// The value as it came.
    pub value: Vec<u8>,
    /// Whether the attributes in the entry's name count as well.
    pub dn_attributes: bool,
}

impl Filter {
    /// `(attribute=value)`.
    pub fn equality(attribute: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        Self::Equality(Assertion {
            attribute: attribute.into(),
            value: value.into(),
        })
    }

    /// `(attribute=*)`.
    pub fn present(attribute: impl Into<String>) -> Self {
        Self::Present(attribute.into())
    }

    /// How many items it has that ask an entry, each piece of a value counted.
    pub fn terms(&self) -> usize {
        match self {
            Self::And(filters) | Self::Or(filters) => filters.iter().map(Self::terms).sum(),
            Self::Not(filter) => filter.terms(),
            Self::Substrings(substrings) => 2 + substrings.any.len(),
            _ => 1,
        }
    }

    /// Its items that ask an entry, in order.
    pub fn items(&self) -> Vec<&Self> {
        let mut items = Vec::new();
        self.collect_items(&mut items);
        items
    }

    /// As deep as the filter, which its decoder bounds.
    fn collect_items<'a>(&'a self, items: &mut Vec<&'a Self>) {
        match self {
            Self::And(filters) | Self::Or(filters) => {
                for filter in filters {
                    filter.collect_items(items);
                }
            }
            Self::Not(filter) => filter.collect_items(items),
            item => items.push(item),
        }
    }

    /// How much work it is to prepare an item's values, as [`Progress`] counts it.
    pub fn work(&self) -> usize {
        match self {
            Self::Equality(assertion)
            | Self::Approximate(assertion)
            | Self::GreaterOrEqual(assertion)
            | Self::LessOrEqual(assertion) => preparing(&assertion.value),
            Self::Extensible(extensible) => preparing(&extensible.value),
            Self::Substrings(substrings) => {
                let ends = substrings.initial.iter().chain(&substrings.last);
                let pieces = ends.chain(&substrings.any);
                pieces.map(|piece| preparing(piece)).sum()
            }
            Self::Present(_) | Self::And(_) | Self::Or(_) | Self::Not(_) => 0,
        }
    }

    /// The filter's text for a log line, without the values compared to attributes that nobody
    /// may read: one of them is the password.
    pub fn for_log(&self) -> impl fmt::Display + '_ {
        text::Shown {
            filter: self,
            values: text::ValuesShown::Readable,
        }
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.for_log(), formatter)
    }
}

/// `Debug` of a filter's parts names the attribute and leaves the values out: see
/// [`Filter::for_log`].
macro_rules! debug_without_values {
    ($($part:ident),+) => {
        $(impl fmt::Debug for $part {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter
                    .debug_struct(stringify!($part))
                    .field("attribute", &self.attribute)
                    .finish_non_exhaustive()
            }
        })+
    };
}

debug_without_values!(Assertion, Substrings, Extensible);

/// Whether the values of the attribute may be shown at all.
fn is_showable(attribute: &str) -> bool {
    let base = attribute.split(';').next().unwrap_or_default();
    schema::attribute(base).is_none_or(schema::AttributeType::is_readable)
}
