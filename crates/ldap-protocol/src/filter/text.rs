//! Filters as text (RFC 4515).

use std::fmt::{self, Write as _};
use std::str::FromStr;

use super::{Assertion, Extensible, Filter, Substrings, is_showable};
use crate::limits::Limits;
use crate::schema;
use crate::schema::names;

/// Why text is no filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FilterParseError {
    /// Not the text of RFC 4515.
    #[error("the filter is malformed")]
    Malformed,
    /// More items than [`Limits::filter_nodes`] allows by default.
    #[error("the filter has too many items")]
    TooLarge,
    /// Nested deeper than [`Limits::filter_depth`] allows by default.
    #[error("the filter is nested too deep")]
    TooDeep,
}

impl FromStr for Filter {
    type Err = FilterParseError;

    fn from_str(text: &str) -> Result<Self, FilterParseError> {
        let limits = Limits::default();
        let mut parser = Parser {
            rest: text,
            nodes: limits.filter_nodes,
            depth: limits.filter_depth,
        };
        let filter = parser.filter()?;
        if parser.rest.is_empty() {
            Ok(filter)
        } else {
            Err(FilterParseError::Malformed)
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
    nodes: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn expect(&mut self, character: char) -> Result<(), FilterParseError> {
        self.rest = self
            .rest
            .strip_prefix(character)
            .ok_or(FilterParseError::Malformed)?;
        Ok(())
    }

    fn spend(&mut self) -> Result<(), FilterParseError> {
        self.nodes = self
            .nodes
            .checked_sub(1)
            .ok_or(FilterParseError::TooLarge)?;
        Ok(())
    }

    /// Reads one filter in its parentheses; recursion is bounded by `depth`.
    fn filter(&mut self) -> Result<Filter, FilterParseError> {
        self.spend()?;
        self.depth = self.depth.checked_sub(1).ok_or(FilterParseError::TooDeep)?;
        self.expect('(')?;
        let filter = match self.rest.chars().next() {
            Some('&') => Filter::And(self.set('&')?),
            Some('|') => Filter::Or(self.set('|')?),
            Some('!') => {
                self.expect('!')?;
                Filter::Not(Box::new(self.filter()?))
            }
            _ => {
                let end = self
                    .rest
                    .find(['(', ')'])
                    .ok_or(FilterParseError::Malformed)?;
                let (item, rest) = self
                    .rest
                    .split_at_checked(end)
                    .ok_or(FilterParseError::Malformed)?;
                self.rest = rest;
                self.item(item)?
            }
        };
        self.expect(')')?;
        self.depth += 1;
        Ok(filter)
    }

    fn set(&mut self, operator: char) -> Result<Vec<Filter>, FilterParseError> {
        self.expect(operator)?;
        let mut filters = Vec::new();
        while self.rest.starts_with('(') {
            filters.push(self.filter()?);
        }
        Ok(filters)
    }

    fn item(&mut self, item: &'a str) -> Result<Filter, FilterParseError> {
        let (left, right) = item.split_once('=').ok_or(FilterParseError::Malformed)?;
        if let Some(left) = left.strip_suffix(':') {
            return extensible(left, right);
        }
        if let Some(left) = left.strip_suffix('~') {
            return Ok(Filter::Approximate(assertion(left, right)?));
        }
        if let Some(left) = left.strip_suffix('>') {
            return Ok(Filter::GreaterOrEqual(assertion(left, right)?));
        }
        if let Some(left) = left.strip_suffix('<') {
            return Ok(Filter::LessOrEqual(assertion(left, right)?));
        }
        if right == "*" {
            return Ok(Filter::Present(description(left)?));
        }
        if right.contains('*') {
            return self.substrings(left, right);
        }
        Ok(Filter::Equality(assertion(left, right)?))
    }

    fn substrings(&mut self, left: &str, right: &str) -> Result<Filter, FilterParseError> {
        let mut pieces = right
            .split('*')
            .map(unescape)
            .collect::<Result<Vec<_>, _>>()?;
        let last = pieces.pop().filter(|piece| !piece.is_empty());
        let mut pieces = pieces.into_iter();
        let initial = pieces.next().filter(|piece| !piece.is_empty());
        let any: Vec<Vec<u8>> = pieces.collect();
        for _ in 0..any.len() + usize::from(initial.is_some()) + usize::from(last.is_some()) {
            self.spend()?;
        }
        if any.iter().any(Vec::is_empty) {
            return Err(FilterParseError::Malformed);
        }
        Ok(Filter::Substrings(Substrings {
            attribute: description(left)?,
            initial,
            any,
            last,
        }))
    }
}

fn description(text: &str) -> Result<String, FilterParseError> {
    if names::is_attribute_description(text) {
        Ok(text.to_owned())
    } else {
        Err(FilterParseError::Malformed)
    }
}

fn assertion(left: &str, right: &str) -> Result<Assertion, FilterParseError> {
    Ok(Assertion {
        attribute: description(left)?,
        value: unescape_value(right)?,
    })
}

/// Reads `attr[:dn][:rule]` or `[:dn]:rule`, which stand before `:=`.
fn extensible(left: &str, right: &str) -> Result<Filter, FilterParseError> {
    let mut parts = left.split(':');
    let attribute = match parts.next() {
        None | Some("") => None,
        Some(text) => Some(description(text)?),
    };
    let mut rule = parts.next();
    let dn_attributes = rule.is_some_and(|text| text.eq_ignore_ascii_case("dn"));
    if dn_attributes {
        rule = parts.next();
    }
    let rule = match rule {
        None => None,
        Some(text) if names::is_oid(text) => Some(text.to_owned()),
        Some(_) => return Err(FilterParseError::Malformed),
    };
    if parts.next().is_some() || (rule.is_none() && attribute.is_none()) {
        return Err(FilterParseError::Malformed);
    }
    let value = unescape_value(right)?;
    Ok(Filter::Extensible(Extensible {
        rule,
        attribute,
        value,
        dn_attributes,
    }))
}

/// As [`unescape`], where a star has no meaning and so must be escaped.
fn unescape_value(text: &str) -> Result<Vec<u8>, FilterParseError> {
    if text.contains('*') {
        Err(FilterParseError::Malformed)
    } else {
        unescape(text)
    }
}

fn unescape(text: &str) -> Result<Vec<u8>, FilterParseError> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'\\' => {
                let (pair, after) = rest
                    .split_at_checked(2)
                    .ok_or(FilterParseError::Malformed)?;
                out.push(names::hexadecimal_byte(pair).ok_or(FilterParseError::Malformed)?);
                rest = after;
            }
            0 => return Err(FilterParseError::Malformed),
            other => out.push(other),
        }
    }
    Ok(out)
}

/// Which assertion values a filter's text shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ValuesShown {
    All,
    Readable,
}

/// A filter on its way to text.
pub(super) struct Shown<'a> {
    pub(super) filter: &'a Filter,
    pub(super) values: ValuesShown,
}

impl fmt::Display for Filter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(
            &Shown {
                filter: self,
                values: ValuesShown::All,
            },
            formatter,
        )
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.values;
        formatter.write_char('(')?;
        match self.filter {
            Filter::And(filters) => show_set(formatter, '&', filters, values)?,
            Filter::Or(filters) => show_set(formatter, '|', filters, values)?,
            Filter::Not(filter) => write!(formatter, "!{}", Shown { filter, values })?,
            Filter::Equality(assertion) => show_assertion(formatter, assertion, "=", values)?,
            Filter::GreaterOrEqual(assertion) => {
                show_assertion(formatter, assertion, ">=", values)?;
            }
            Filter::LessOrEqual(assertion) => show_assertion(formatter, assertion, "<=", values)?,
            Filter::Approximate(assertion) => show_assertion(formatter, assertion, "~=", values)?,
            Filter::Present(attribute) => {
                show_name(formatter, attribute)?;
                formatter.write_str("=*")?;
            }
            Filter::Substrings(substrings) => show_substrings(formatter, substrings, values)?,
            Filter::Extensible(extensible) => show_extensible(formatter, extensible, values)?,
        }
        formatter.write_char(')')
    }
}

fn show_set(
    formatter: &mut fmt::Formatter<'_>,
    operator: char,
    filters: &[Filter],
    values: ValuesShown,
) -> fmt::Result {
    formatter.write_char(operator)?;
    filters
        .iter()
        .try_for_each(|filter| write!(formatter, "{}", Shown { filter, values }))
}

fn show_assertion(
    formatter: &mut fmt::Formatter<'_>,
    assertion: &Assertion,
    operator: &str,
    values: ValuesShown,
) -> fmt::Result {
    show_name(formatter, &assertion.attribute)?;
    formatter.write_str(operator)?;
    show_value(formatter, &assertion.attribute, &assertion.value, values)
}

fn show_substrings(
    formatter: &mut fmt::Formatter<'_>,
    substrings: &Substrings,
    values: ValuesShown,
) -> fmt::Result {
    let attribute = &substrings.attribute;
    show_name(formatter, attribute)?;
    formatter.write_char('=')?;
    if let Some(initial) = &substrings.initial {
        show_value(formatter, attribute, initial, values)?;
    }
    formatter.write_char('*')?;
    for piece in &substrings.any {
        show_value(formatter, attribute, piece, values)?;
        formatter.write_char('*')?;
    }
    if let Some(last) = &substrings.last {
        show_value(formatter, attribute, last, values)?;
    }
    Ok(())
}

fn show_extensible(
    formatter: &mut fmt::Formatter<'_>,
    extensible: &Extensible,
    values: ValuesShown,
) -> fmt::Result {
    if let Some(attribute) = &extensible.attribute {
        show_name(formatter, attribute)?;
    }
    if extensible.dn_attributes {
        formatter.write_str(":dn")?;
    }
    if let Some(rule) = &extensible.rule {
        formatter.write_char(':')?;
        show_name(formatter, rule)?;
    }
    formatter.write_str(":=")?;
    // Without an attribute the value is meant for all of them, the unreadable included.
    let attribute = extensible
        .attribute
        .as_deref()
        .unwrap_or(schema::USER_PASSWORD.name());
    show_value(formatter, attribute, &extensible.value, values)
}

/// Writes a description; characters that no description has are escaped, so that whatever a
/// client sends cannot look like another filter or break a log line.
fn show_name(formatter: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b';' | b'_') {
            formatter.write_char(char::from(byte))?;
        } else {
            write!(formatter, "\\{byte:02x}")?;
        }
    }
    Ok(())
}

/// Writes a value with the escapes of RFC 4515 section 3; control characters and bytes that are
/// not UTF-8 are escaped too.
fn show_value(
    formatter: &mut fmt::Formatter<'_>,
    attribute: &str,
    value: &[u8],
    values: ValuesShown,
) -> fmt::Result {
    if values == ValuesShown::Readable && !is_showable(attribute) {
        return formatter.write_char('…');
    }
    for chunk in value.utf8_chunks() {
        for character in chunk.valid().chars() {
            if matches!(character, '*' | '(' | ')' | '\\') || character.is_control() {
                for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                    write!(formatter, "\\{byte:02x}")?;
                }
            } else {
                formatter.write_char(character)?;
            }
        }
        for byte in chunk.invalid() {
            write!(formatter, "\\{byte:02x}")?;
        }
    }
    Ok(())
}
