//! Distinguished names: their text (RFC 4514) and when two of them are one (RFC 4517 section
//! 4.2.15).
//!
//! A name keeps the values as they were given and compares by a normal form: attribute types by
//! their schema name whatever alias or OID was written, values without regard to case, to
//! compatibility variants of characters, or to how many spaces separate words. It knows nothing
//! of the tree that is served.

mod parse;
#[cfg(test)]
mod tests;
mod write;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use super::decode::ber::{Reader, tag};
use super::schema::{self, AttributeType, prepare};

/// The longest name read, in bytes.
pub const MAX_DN_BYTES: usize = 2048;
/// The most bytes that the values of a name may make as they are compared, which is more than they
/// ever make in ASCII.
const MAX_NORMAL_BYTES: usize = 2 * MAX_DN_BYTES;
/// The most relative names in one name.
pub const MAX_RDNS: usize = 32;
/// The most attributes in one relative name.
pub const MAX_RDN_ATTRIBUTES: usize = 8;

/// Why text is no distinguished name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DnError {
    /// Longer than [`MAX_DN_BYTES`], as it is or as it is compared, or more parts than
    /// [`MAX_RDNS`] or [`MAX_RDN_ATTRIBUTES`].
    #[error("the name is too long")]
    TooLong,
    /// The text, or a value after its escapes are undone, is not UTF-8.
    #[error("the name is not UTF-8")]
    NotUtf8,
    /// What stands before an equals sign is neither a name nor an OID.
    #[error("the name has an invalid attribute type")]
    AttributeType,
    /// A part without an equals sign.
    #[error("the name lacks an equals sign")]
    MissingEquals,
    /// A character that must be escaped, or an escape that is none.
    #[error("the name has an invalid character or escape")]
    Value,
    /// A `#` value that is not the hexadecimal form of one BER element.
    #[error("the name has an invalid hexadecimal value")]
    Hexadecimal,
    /// One attribute type twice in a relative name.
    #[error("the name repeats an attribute type")]
    RepeatedType,
}

/// A value in a relative name.
#[derive(Debug, Clone)]
enum Value {
    /// Text.
    Text(String),
    /// One BER element, written after `#`.
    Ber(Vec<u8>),
}

/// One attribute of a relative name, `uid=alice`.
#[derive(Debug, Clone)]
pub struct NamePart {
    attribute: String,
    value: Value,
    normal: String,
}

impl NamePart {
    /// A part whose value makes no more than `left` bytes of normal form, which it uses up; none
    /// where it makes more.
    fn within(attribute: &str, value: Value, left: &mut usize) -> Option<Self> {
        // Known types by their first schema name, so that aliases and OIDs are one; the others
        // have no regard for case (RFC 4512 section 2.5).
        let attribute = schema::attribute(attribute).map_or_else(
            || attribute.to_ascii_lowercase(),
            |known| known.name().to_owned(),
        );
        let mut normal = attribute.to_ascii_lowercase();
        normal.push('=');
        if let Some(text) = value_text(&value) {
            let prepared = prepare::whole_within(text, prepare::Case::Fold, *left)?;
            *left = left.saturating_sub(prepared.len());
            write::escape_into(&mut normal, prepared.trim_matches(' '));
        } else if let Value::Ber(bytes) = &value {
            normal.push('#');
            normal.push_str(&write::hexadecimal(bytes));
        }
        Some(Self {
            attribute,
            value,
            normal,
        })
    }

    /// The attribute type: the schema's name, or lower case where the schema does not know it.
    pub fn attribute(&self) -> &str {
        &self.attribute
    }

    /// Whether the part is of this type.
    pub fn is(&self, attribute: &AttributeType) -> bool {
        self.attribute == attribute.name()
    }

    /// The value as text as it was given; `None` for a hexadecimal value that is no string.
    pub fn text(&self) -> Option<&str> {
        value_text(&self.value)
    }
}

/// The text of a value, also of one written as the BER of a string type.
fn value_text(value: &Value) -> Option<&str> {
    const UTF8_STRING: u8 = 0x0c;
    const PRINTABLE_STRING: u8 = 0x13;
    const IA5_STRING: u8 = 0x16;
    match value {
        Value::Text(text) => Some(text),
        Value::Ber(bytes) => {
            let element = Reader::new(bytes).element().ok()?;
            match element.identifier {
                tag::OCTET_STRING | UTF8_STRING | PRINTABLE_STRING | IA5_STRING => {
                    std::str::from_utf8(element.content).ok()
                }
                _ => None,
            }
        }
    }
}

/// A relative distinguished name: one attribute or more, in no order that matters.
#[derive(Debug, Clone)]
pub struct Rdn {
    parts: Vec<NamePart>,
    normal: String,
}

impl Rdn {
    /// One attribute with text.
    pub fn new(attribute: &AttributeType, value: impl Into<String>) -> Self {
        let (value, mut left) = (Value::Text(value.into()), usize::MAX);
        let part = NamePart::within(attribute.name(), value, &mut left);
        Self::of(part.into_iter().collect())
    }

    fn of(parts: Vec<NamePart>) -> Self {
        let mut normal: Vec<&str> = parts.iter().map(|part| part.normal.as_str()).collect();
        normal.sort_unstable();
        let normal = normal.join("+");
        Self { parts, normal }
    }

    /// Its attributes, in the order given; at least one.
    pub fn parts(&self) -> &[NamePart] {
        &self.parts
    }

    /// The text of its attribute of this type.
    pub fn value(&self, attribute: &AttributeType) -> Option<&str> {
        self.parts
            .iter()
            .find(|part| part.is(attribute))
            .and_then(NamePart::text)
    }

    /// The value where it is a single attribute of this type, as `uid=alice` is.
    pub fn sole_value(&self, attribute: &AttributeType) -> Option<&str> {
        match self.parts.as_slice() {
            [part] if part.is(attribute) => part.text(),
            _ => None,
        }
    }
}

impl PartialEq for Rdn {
    fn eq(&self, other: &Self) -> bool {
        self.normal == other.normal
    }
}

impl Eq for Rdn {}

impl Hash for Rdn {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.normal.hash(state);
    }
}

/// A distinguished name; the empty one names the root.
///
/// Equality, ordering of nothing, and hash are those of the normal form; `Display` writes the
/// values as they were given, as RFC 4514 section 2 does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct DistinguishedName {
    /// The most specific first, as in the text.
    rdns: Vec<Rdn>,
}

impl DistinguishedName {
    /// The empty name.
    pub const fn root() -> Self {
        Self { rdns: Vec::new() }
    }

    /// Reads the text of RFC 4514 section 3, and the spaces around separators that RFC 2253
    /// section 4 allowed and people type.
    ///
    /// # Errors
    /// Says why the text is no name.
    pub fn parse(text: &str) -> Result<Self, DnError> {
        if text.len() > MAX_DN_BYTES {
            return Err(DnError::TooLong);
        }
        parse::name(text).map(|rdns| Self { rdns })
    }

    /// Reads text as it came from a client.
    ///
    /// # Errors
    /// As [`DistinguishedName::parse`], and refuses what is not UTF-8.
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, DnError> {
        std::str::from_utf8(bytes)
            .map_err(|_| DnError::NotUtf8)
            .and_then(Self::parse)
    }

    /// Whether it names the root.
    pub fn is_root(&self) -> bool {
        self.rdns.is_empty()
    }

    /// Its relative names, the most specific first.
    pub fn rdns(&self) -> &[Rdn] {
        &self.rdns
    }

    /// The most specific relative name.
    pub fn rdn(&self) -> Option<&Rdn> {
        self.rdns.first()
    }

    /// The name one level up; `None` of the root.
    pub fn parent(&self) -> Option<Self> {
        self.rdns.split_first().map(|(_, rest)| Self {
            rdns: rest.to_vec(),
        })
    }

    /// The name one level down.
    #[must_use]
    pub fn child(&self, rdn: Rdn) -> Self {
        let mut rdns = Vec::with_capacity(self.rdns.len() + 1);
        rdns.push(rdn);
        rdns.extend_from_slice(&self.rdns);
        Self { rdns }
    }

    /// The relative names that stand before `base`: none where it is `base` itself, `None` where
    /// it does not end in `base`.
    pub fn relative_to(&self, base: &Self) -> Option<&[Rdn]> {
        let above = self.rdns.len().checked_sub(base.rdns.len())?;
        let (relative, suffix) = self.rdns.split_at_checked(above)?;
        (suffix == base.rdns).then_some(relative)
    }

    /// Whether it is `base` or stands below it: the subtree scope.
    pub fn is_under(&self, base: &Self) -> bool {
        self.relative_to(base).is_some()
    }

    /// Whether it stands directly below `base`: the one-level scope.
    pub fn is_child_of(&self, base: &Self) -> bool {
        self.relative_to(base)
            .is_some_and(|relative| relative.len() == 1)
    }

    /// The same relative names below another base; `None` where it does not end in `from`.
    pub fn rebase(&self, from: &Self, to: &Self) -> Option<Self> {
        let mut rdns = self.relative_to(from)?.to_vec();
        rdns.extend_from_slice(&to.rdns);
        Some(Self { rdns })
    }

    /// The normal form: the same text for all names that are one.
    pub fn normalised(&self) -> String {
        let parts: Vec<&str> = self.rdns.iter().map(|rdn| rdn.normal.as_str()).collect();
        parts.join(",")
    }
}

impl FromStr for DistinguishedName {
    type Err = DnError;

    fn from_str(text: &str) -> Result<Self, DnError> {
        Self::parse(text)
    }
}

impl fmt::Display for DistinguishedName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write::name(formatter, &self.rdns)
    }
}

impl fmt::Display for Rdn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write::rdn(formatter, self)
    }
}
