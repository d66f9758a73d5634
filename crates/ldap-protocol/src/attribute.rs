//! Entries on their way to a client, and which of their attributes it asked for (RFC 4511
//! section 4.5.1.8).
//!
//! An entry here is what one client may see of one object at this moment; it is made for an
//! answer and forgotten. Nothing here decides who may see what.

#[cfg(test)]
mod tests;

use super::dn::DistinguishedName;
use super::filter::{AttributeSource, Values};
use super::result::{PartialAttribute, SearchEntry};
use super::schema::{self, AttributeType};
use super::values::{self, Run, ValueSet};

/// An attribute that is there: one value or more.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Attribute {
    kind: &'static AttributeType,
    values: ValueSet,
}

/// An entry. Attributes without values are never part of one, since clients stumble over them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    dn: DistinguishedName,
    attributes: Vec<Attribute>,
}

impl Entry {
    /// An entry without attributes.
    pub const fn new(dn: DistinguishedName) -> Self {
        Self {
            dn,
            attributes: Vec::new(),
        }
    }

    /// Adds a value; the order of values is kept, and one that is there already is not repeated.
    pub fn add(&mut self, kind: &'static AttributeType, value: impl Into<Vec<u8>>) {
        let value = value.into();
        self.with_list(kind, |values| {
            if !values.contains(&value) {
                values.push(value);
            }
        });
    }

    /// Adds several values.
    pub fn add_all<V: Into<Vec<u8>>>(
        &mut self,
        kind: &'static AttributeType,
        values: impl IntoIterator<Item = V>,
    ) {
        // The search for repeated values would cost a long list its square.
        let mut values = values.into_iter().map(Into::into).peekable();
        if values.peek().is_some() {
            self.with_list(kind, |list| list.extend(values));
        }
    }

    /// Gives an attribute the values that are made of names, in the place of any it has.
    pub fn set_made(&mut self, kind: &'static AttributeType, runs: Vec<Run>) {
        self.remove(kind);
        let values = ValueSet::Made(runs);
        if !values.is_empty() {
            self.attributes.push(Attribute { kind, values });
        }
    }

    /// Lets the list of an attribute's values grow.
    fn with_list(&mut self, kind: &'static AttributeType, grow: impl FnOnce(&mut Vec<Vec<u8>>)) {
        let found = self.attributes.iter_mut().find(|own| own.kind == kind);
        if let Some(own) = found {
            match &mut own.values {
                ValueSet::Listed(list) => grow(list),
                ValueSet::Made(_) => {
                    let mut list = own.values.copied(0..own.values.len());
                    grow(&mut list);
                    own.values = ValueSet::Listed(list);
                }
            }
            return;
        }
        let mut list = Vec::new();
        grow(&mut list);
        let values = ValueSet::Listed(list);
        self.attributes.push(Attribute { kind, values });
    }

    /// The same entry with one more value.
    #[must_use]
    pub fn with(mut self, kind: &'static AttributeType, value: impl Into<Vec<u8>>) -> Self {
        self.add(kind, value);
        self
    }

    /// Takes an attribute away.
    pub fn remove(&mut self, kind: &AttributeType) {
        self.attributes.retain(|own| own.kind != kind);
    }

    /// Its name.
    pub const fn dn(&self) -> &DistinguishedName {
        &self.dn
    }

    /// The values of an attribute; none where it is absent.
    pub fn values_of(&self, kind: &AttributeType) -> &ValueSet {
        self.attributes
            .iter()
            .find(|own| own.kind == kind)
            .map_or(&values::NONE, |own| &own.values)
    }
}

impl Entry {
    /// The sets of values of an attribute and of its subtypes.
    pub(crate) fn values_of_kind<'a>(
        &'a self,
        kind: &'a AttributeType,
    ) -> impl Iterator<Item = &'a ValueSet> {
        let own = self.attributes.iter().filter(|own| own.kind.is_a(kind));
        own.map(|own| &own.values)
    }
}

impl AttributeSource for Entry {
    fn dn(&self) -> &DistinguishedName {
        &self.dn
    }

    fn values(&self, attribute: &'static AttributeType) -> Values<'_> {
        if attribute.is_readable() {
            Values::Readable(self.values_of(attribute))
        } else {
            Values::Unreadable
        }
    }

    fn attributes(&self) -> Vec<&'static AttributeType> {
        self.attributes.iter().map(|own| own.kind).collect()
    }
}

/// The attributes that a search asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    user: bool,
    operational: bool,
    named: Vec<&'static AttributeType>,
}

impl Selection {
    /// Reads the list of a search request: names and OIDs, `*`, `+` (RFC 3673) and `1.1`. An
    /// empty list means `*`. Unknown names and names with options select nothing.
    pub fn new<S: AsRef<str>>(requested: &[S]) -> Self {
        let mut selection = Self {
            user: requested.is_empty(),
            operational: false,
            named: vec![],
        };
        for name in requested {
            match name.as_ref() {
                "*" => selection.user = true,
                "+" => selection.operational = true,
                // `1.1` asks for nothing, and beside other names says nothing; it is no name.
                name => {
                    if let Some(kind) = schema::attribute(name)
                        && !selection.named.contains(&kind)
                    {
                        selection.named.push(kind);
                    }
                }
            }
        }
        selection
    }

    /// Whether the search asks for this attribute, so that costly ones are made only then.
    pub fn wants(&self, kind: &AttributeType) -> bool {
        let by_usage = if kind.is_operational() {
            self.operational
        } else {
            self.user
        };
        by_usage || self.named.iter().any(|named| kind.is_a(named))
    }

    /// What of an entry goes to the client, under the schema's names.
    pub fn apply(&self, entry: Entry, types_only: bool) -> SearchEntry {
        let dn = entry.dn.to_string();
        let wanted = entry
            .attributes
            .into_iter()
            .filter(|own| own.kind.is_readable() && self.wants(own.kind));
        let attributes = wanted.map(|own| PartialAttribute {
            name: own.kind.name(),
            values: if types_only {
                ValueSet::Listed(Vec::new())
            } else {
                own.values
            },
        });
        SearchEntry {
            dn,
            attributes: attributes.collect(),
        }
    }
}

/// Selects the requested attributes of one entry. For many entries make a [`Selection`] once.
pub fn select<S: AsRef<str>>(entry: Entry, requested: &[S], types_only: bool) -> SearchEntry {
    Selection::new(requested).apply(entry, types_only)
}
