//! Filters as BER (RFC 4511 section 4.5.1), within limits.

use super::{Assertion, Extensible, Filter, Substrings};
use crate::decode::ber;
use crate::decode::ber::{BerError, Element, Reader, tag};
use crate::limits::Limits;

const AND: u8 = 0xa0;
const OR: u8 = 0xa1;
const NOT: u8 = 0xa2;
const EQUALITY: u8 = 0xa3;
const SUBSTRINGS: u8 = 0xa4;
const GREATER_OR_EQUAL: u8 = 0xa5;
const LESS_OR_EQUAL: u8 = 0xa6;
const PRESENT: u8 = 0x87;
const APPROXIMATE: u8 = 0xa8;
const EXTENSIBLE: u8 = 0xa9;

const SUBSTRING_INITIAL: u8 = 0x80;
const SUBSTRING_ANY: u8 = 0x81;
const SUBSTRING_FINAL: u8 = 0x82;

const EXTENSIBLE_RULE: u8 = 0x81;
const EXTENSIBLE_ATTRIBUTE: u8 = 0x82;
const EXTENSIBLE_VALUE: u8 = 0x83;
const EXTENSIBLE_DN: u8 = 0x84;

/// Why bytes are no filter that we evaluate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FilterDecodeError {
    /// Not a filter of RFC 4511.
    #[error("the filter is malformed")]
    Malformed,
    /// More items than [`Limits::filter_nodes`].
    #[error("the filter has too many items")]
    TooLarge,
    /// Nested deeper than [`Limits::filter_depth`].
    #[error("the filter is nested too deep")]
    TooDeep,
}

impl From<BerError> for FilterDecodeError {
    fn from(_: BerError) -> Self {
        Self::Malformed
    }
}

/// What may still be read of one filter.
struct Budget {
    nodes: usize,
    depth: usize,
}

impl Budget {
    fn spend(&mut self) -> Result<(), FilterDecodeError> {
        self.nodes = self
            .nodes
            .checked_sub(1)
            .ok_or(FilterDecodeError::TooLarge)?;
        Ok(())
    }
}

impl Filter {
    /// Reads a filter that is the whole of `bytes`.
    ///
    /// # Errors
    /// Says why the bytes are no filter within `limits`.
    pub fn from_ber(bytes: &[u8], limits: &Limits) -> Result<Self, FilterDecodeError> {
        let mut reader = Reader::new(bytes);
        let filter = Self::read(reader.element()?, limits)?;
        reader.finish()?;
        Ok(filter)
    }

    /// Writes the filter as BER.
    pub fn to_ber(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    pub(crate) fn read(element: Element<'_>, limits: &Limits) -> Result<Self, FilterDecodeError> {
        let mut budget = Budget {
            nodes: limits.filter_nodes,
            depth: limits.filter_depth,
        };
        read(element, &mut budget)
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::And(filters) => write_set(out, AND, filters),
            Self::Or(filters) => write_set(out, OR, filters),
            Self::Not(filter) => ber::write(out, NOT, &filter.to_ber()),
            Self::Equality(assertion) => write_assertion(out, EQUALITY, assertion),
            Self::Substrings(substrings) => write_substrings(out, substrings),
            Self::GreaterOrEqual(assertion) => write_assertion(out, GREATER_OR_EQUAL, assertion),
            Self::LessOrEqual(assertion) => write_assertion(out, LESS_OR_EQUAL, assertion),
            Self::Present(attribute) => ber::write(out, PRESENT, attribute.as_bytes()),
            Self::Approximate(assertion) => write_assertion(out, APPROXIMATE, assertion),
            Self::Extensible(extensible) => write_extensible(out, extensible),
        }
    }
}

/// Reads one filter; recursion is bounded by [`Limits::filter_depth`].
fn read(element: Element<'_>, budget: &mut Budget) -> Result<Filter, FilterDecodeError> {
    budget.spend()?;
    budget.depth = budget
        .depth
        .checked_sub(1)
        .ok_or(FilterDecodeError::TooDeep)?;
    let filter = match element.identifier {
        AND => Filter::And(read_set(element, budget)?),
        OR => Filter::Or(read_set(element, budget)?),
        NOT => {
            let mut inside = element.reader();
            let filter = read(inside.element()?, budget)?;
            inside.finish()?;
            Filter::Not(Box::new(filter))
        }
        EQUALITY => Filter::Equality(read_assertion(element)?),
        SUBSTRINGS => Filter::Substrings(read_substrings(element, budget)?),
        GREATER_OR_EQUAL => Filter::GreaterOrEqual(read_assertion(element)?),
        LESS_OR_EQUAL => Filter::LessOrEqual(read_assertion(element)?),
        PRESENT => Filter::Present(description(element.content)?),
        APPROXIMATE => Filter::Approximate(read_assertion(element)?),
        EXTENSIBLE => Filter::Extensible(read_extensible(element)?),
        _ => return Err(FilterDecodeError::Malformed),
    };
    budget.depth += 1;
    Ok(filter)
}

fn read_set(element: Element<'_>, budget: &mut Budget) -> Result<Vec<Filter>, FilterDecodeError> {
    let mut inside = element.reader();
    let mut filters = Vec::new();
    while !inside.is_empty() {
        filters.push(read(inside.element()?, budget)?);
    }
    Ok(filters)
}

fn description(content: &[u8]) -> Result<String, FilterDecodeError> {
    let text = std::str::from_utf8(content).map_err(|_| FilterDecodeError::Malformed)?;
    Ok(text.to_owned())
}

fn read_assertion(element: Element<'_>) -> Result<Assertion, FilterDecodeError> {
    let mut inside = element.reader();
    let attribute = inside.text()?.to_owned();
    let value = inside.octets()?.to_vec();
    inside.finish()?;
    Ok(Assertion { attribute, value })
}

fn read_substrings(
    element: Element<'_>,
    budget: &mut Budget,
) -> Result<Substrings, FilterDecodeError> {
    let mut inside = element.reader();
    let attribute = inside.text()?.to_owned();
    let mut pieces = inside.sequence()?;
    inside.finish()?;
    let mut substrings = Substrings {
        attribute,
        initial: None,
        any: Vec::new(),
        last: None,
    };
    if pieces.is_empty() {
        return Err(FilterDecodeError::Malformed);
    }
    while !pieces.is_empty() {
        budget.spend()?;
        let piece = pieces.element()?;
        let first = substrings.initial.is_none() && substrings.any.is_empty();
        if piece.content.is_empty() || substrings.last.is_some() {
            return Err(FilterDecodeError::Malformed);
        }
        let content = piece.content.to_vec();
        match piece.identifier {
            SUBSTRING_INITIAL if first => substrings.initial = Some(content),
            SUBSTRING_ANY => substrings.any.push(content),
            SUBSTRING_FINAL => substrings.last = Some(content),
            _ => return Err(FilterDecodeError::Malformed),
        }
    }
    Ok(substrings)
}

fn read_extensible(element: Element<'_>) -> Result<Extensible, FilterDecodeError> {
    let mut inside = element.reader();
    let rule = inside
        .optional(EXTENSIBLE_RULE)?
        .map(description)
        .transpose()?;
    let attribute = inside
        .optional(EXTENSIBLE_ATTRIBUTE)?
        .map(description)
        .transpose()?;
    let value = inside
        .optional(EXTENSIBLE_VALUE)?
        .ok_or(FilterDecodeError::Malformed)?
        .to_vec();
    let dn_attributes = inside
        .optional(EXTENSIBLE_DN)?
        .map(ber::boolean)
        .transpose()?
        .unwrap_or(false);
    inside.finish()?;
    if rule.is_none() && attribute.is_none() {
        return Err(FilterDecodeError::Malformed);
    }
    Ok(Extensible {
        rule,
        attribute,
        value,
        dn_attributes,
    })
}

fn write_set(out: &mut Vec<u8>, identifier: u8, filters: &[Filter]) {
    let mut inside = Vec::new();
    for filter in filters {
        filter.write(&mut inside);
    }
    ber::write(out, identifier, &inside);
}

fn write_assertion(out: &mut Vec<u8>, identifier: u8, assertion: &Assertion) {
    let mut inside = Vec::new();
    ber::write(
        &mut inside,
        tag::OCTET_STRING,
        assertion.attribute.as_bytes(),
    );
    ber::write(&mut inside, tag::OCTET_STRING, &assertion.value);
    ber::write(out, identifier, &inside);
}

fn write_substrings(out: &mut Vec<u8>, substrings: &Substrings) {
    let mut pieces = Vec::new();
    if let Some(initial) = &substrings.initial {
        ber::write(&mut pieces, SUBSTRING_INITIAL, initial);
    }
    for piece in &substrings.any {
        ber::write(&mut pieces, SUBSTRING_ANY, piece);
    }
    if let Some(last) = &substrings.last {
        ber::write(&mut pieces, SUBSTRING_FINAL, last);
    }
    let mut inside = Vec::new();
    ber::write(
        &mut inside,
        tag::OCTET_STRING,
        substrings.attribute.as_bytes(),
    );
    ber::write(&mut inside, tag::SEQUENCE, &pieces);
    ber::write(out, SUBSTRINGS, &inside);
}

fn write_extensible(out: &mut Vec<u8>, extensible: &Extensible) {
    let mut inside = Vec::new();
    if let Some(rule) = &extensible.rule {
        ber::write(&mut inside, EXTENSIBLE_RULE, rule.as_bytes());
    }
    if let Some(attribute) = &extensible.attribute {
        ber::write(&mut inside, EXTENSIBLE_ATTRIBUTE, attribute.as_bytes());
    }
    ber::write(&mut inside, EXTENSIBLE_VALUE, &extensible.value);
    if extensible.dn_attributes {
        ber::write(&mut inside, EXTENSIBLE_DN, &[0xff]);
    }
    ber::write(out, EXTENSIBLE, &inside);
}
