//! Entries on the wire (RFC 4511 section 4.5.2), written piece by piece: the lengths are counted
//! first, so that an entry of any size goes out through a buffer of a few kilobytes.

use bytes::{BufMut as _, BytesMut};

use crate::decode::MessageId;
use crate::decode::ber::tag;
use crate::values::ValueSet;

/// The tag of a search result entry.
const SEARCH_RESULT_ENTRY: u8 = 0x64;

/// An entry as a search returns it (RFC 4511 section 4.5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchEntry {
    /// Its name.
    pub dn: String,
    /// What was asked for and is there.
    pub attributes: Vec<PartialAttribute>,
}

/// An attribute as a search returns it; no values where only types were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartialAttribute {
    /// The attribute's name.
    pub name: &'static str,
    /// Its values.
    pub values: ValueSet,
}

impl SearchEntry {
    /// How many bytes of memory it holds alone, roughly.
    pub fn held(&self) -> usize {
        let attributes = self.attributes.iter().map(|own| own.values.held());
        attributes.sum::<usize>().saturating_add(self.dn.len())
    }
}

/// Whether all of an entry is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Written {
    /// There is more.
    Part,
    /// That was all.
    Whole,
}

/// An entry that is being written.
#[derive(Debug)]
pub struct EntryWriter {
    id: MessageId,
    entry: SearchEntry,
    /// The attribute that comes next, and its value that does; the attribute's head is written
    /// with its first value, and the message's with the first attribute.
    next: Next,
    scratch: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Head,
    Attribute(usize),
    Value { attribute: usize, value: usize },
}

impl EntryWriter {
    /// Nothing of the entry is written yet.
    pub const fn new(id: MessageId, entry: SearchEntry) -> Self {
        Self {
            id,
            entry,
            next: Next::Head,
            scratch: Vec::new(),
        }
    }

    /// Writes on until all is written, or `out` has `until` bytes or a value more.
    pub fn write(&mut self, out: &mut BytesMut, until: usize) -> Written {
        loop {
            match self.next {
                Next::Head => {
                    self.head(out);
                    self.next = Next::Attribute(0);
                }
                Next::Attribute(attribute) => {
                    let Some(own) = self.entry.attributes.get(attribute) else {
                        return Written::Whole;
                    };
                    let values = values_bytes(&own.values);
                    put_head(out, tag::SEQUENCE, attribute_bytes(own.name, values));
                    put(out, tag::OCTET_STRING, own.name.as_bytes());
                    put_head(out, tag::SET, values);
                    self.next = Next::Value {
                        attribute,
                        value: 0,
                    };
                }
                Next::Value { attribute, value } => {
                    let own = self.entry.attributes.get(attribute);
                    let found = own.and_then(|own| own.values.get(value, &mut self.scratch));
                    self.next = if let Some(found) = found {
                        put(out, tag::OCTET_STRING, found);
                        Next::Value {
                            attribute,
                            value: value + 1,
                        }
                    } else {
                        Next::Attribute(attribute + 1)
                    };
                }
            }
            if out.len() >= until {
                return Written::Part;
            }
        }
    }

    /// Everything before the first attribute.
    fn head(&self, out: &mut BytesMut) {
        let id = self.id.get().to_be_bytes();
        // An integer has as few octets as its sign allows (X.690 section 8.3.2).
        let skipped = id
            .windows(2)
            .take_while(|pair| matches!(pair, [0, next] if next.leading_zeros() > 0))
            .count();
        let id = id.get(skipped..).unwrap_or(&id);
        let attributes: usize = self
            .entry
            .attributes
            .iter()
            .map(|own| whole(attribute_bytes(own.name, values_bytes(&own.values))))
            .sum();
        let operation = whole(self.entry.dn.len()) + whole(attributes);
        put_head(out, tag::SEQUENCE, whole(id.len()) + whole(operation));
        put(out, tag::INTEGER, id);
        put_head(out, SEARCH_RESULT_ENTRY, operation);
        put(out, tag::OCTET_STRING, self.entry.dn.as_bytes());
        put_head(out, tag::SEQUENCE, attributes);
    }
}

/// The content of an attribute whose values take up so many bytes.
fn attribute_bytes(name: &str, values: usize) -> usize {
    whole(name.len()) + whole(values)
}

fn values_bytes(values: &ValueSet) -> usize {
    values.lengths().map(whole).sum()
}

/// The bytes of an element with so long a content.
const fn whole(content: usize) -> usize {
    1 + length_bytes(content) + content
}

/// The bytes of a length.
const fn length_bytes(length: usize) -> usize {
    if length < 0x80 {
        1
    } else {
        1 + significant(length)
    }
}

const fn significant(number: usize) -> usize {
    (usize::BITS - number.leading_zeros()).div_ceil(8) as usize
}

fn put_head(out: &mut BytesMut, identifier: u8, length: usize) {
    out.put_u8(identifier);
    let octets = length.to_be_bytes();
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.put_u8(short),
        _ => {
            let count = significant(length);
            // At most eight.
            out.put_u8(0x80 | u8::try_from(count).unwrap_or_default());
            out.put_slice(octets.get(octets.len() - count..).unwrap_or_default());
        }
    }
}

fn put(out: &mut BytesMut, identifier: u8, content: &[u8]) {
    put_head(out, identifier, content.len());
    out.put_slice(content);
}
