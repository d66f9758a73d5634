//! Dictionaries: which attribute a name is, and which octets a value is in it.
//!
//! They are read from text in FreeRADIUS's format; a small one is built in. A name and a value
//! become a [`ReplyAttribute`](doorward_domain::reply::ReplyAttribute) once, where they are set; no
//! packet is written by a dictionary.
//! Knows no files: whoever reads them brings their text.

mod parse;
mod resolve;
#[cfg(test)]
mod tests;
mod value;

use std::collections::HashMap;
use std::sync::Arc;

pub use parse::{Fault, Faults, Files, NoFiles, Source};
pub use resolve::RefusedAttribute;

/// The attributes of RFCs that make sense in an Access-Accept, and those of vendors that are asked
/// for most.
const BUILT_IN: &str = include_str!("built_in.txt");

/// How a vendor writes its attributes (`format=` in a dictionary; RFC 2865 §5.26 suggests 1,1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Format {
    /// Octets of an attribute's number: 1, 2 or 4.
    number: usize,
    /// Octets of its length: 0, 1 or 2.
    length: usize,
    /// Whether an octet follows that says whether more is to come.
    continued: bool,
}

impl Format {
    const USUAL: Self = Self {
        number: 1,
        length: 1,
        continued: false,
    };

    /// Octets before an attribute's value.
    const fn header(self) -> usize {
        self.number + self.length + if self.continued { 1 } else { 0 }
    }
}

/// A vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Vendor {
    name: String,
    number: u32,
    format: Format,
}

/// What a value is, and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    /// Octets; exactly so many where a number is given.
    Octets(Option<usize>),
    Ipv4,
    Ipv6,
    Address,
    Ipv4Prefix,
    Ipv6Prefix,
    Byte,
    Short,
    Integer,
    Integer64,
    Signed,
    Date,
    InterfaceId,
    Ethernet,
    /// Something that is not sent, and why.
    Unsendable(&'static str),
}

/// An attribute of a dictionary.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Definition {
    name: String,
    vendor: Option<Arc<Vendor>>,
    number: u32,
    shape: Shape,
    /// Whether a tag may stand before its value (RFC 2868).
    tagged: bool,
}

/// What one reading gave: names are folded.
#[derive(Debug, Clone, Default)]
struct Tables {
    attributes: HashMap<String, Definition>,
    /// Names of values, by the attribute's name.
    values: HashMap<String, HashMap<String, u64>>,
    vendors: HashMap<String, Arc<Vendor>>,
}

/// The dictionaries in use: what files say goes before what is built in.
#[derive(Debug, Clone, Default)]
pub struct Dictionary {
    read: Tables,
    built_in: Tables,
}

impl Dictionary {
    /// What is built in, alone.
    pub fn built_in() -> Self {
        Self::read(Vec::new(), &mut NoFiles).unwrap_or_default()
    }

    /// Reads dictionaries, one after another, above what is built in.
    ///
    /// # Errors
    /// What cannot be understood, each with its file and line.
    pub fn read(sources: Vec<Source>, files: &mut dyn Files) -> Result<Self, Faults> {
        let own = Source {
            name: "built-in dictionary".to_owned(),
            text: BUILT_IN.to_owned(),
        };
        Ok(Self {
            built_in: parse::read(vec![own], &mut NoFiles)?,
            read: parse::read(sources, files)?,
        })
    }

    /// How many attributes files have defined.
    pub fn len(&self) -> usize {
        self.read.attributes.len()
    }

    /// Whether files have defined none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn attribute(&self, folded: &str) -> Option<&Definition> {
        let found = self.read.attributes.get(folded);
        found.or_else(|| self.built_in.attributes.get(folded))
    }

    /// The number that a name stands for among an attribute's values.
    fn value(&self, definition: &Definition, name: &str) -> Option<u64> {
        let attribute = definition.name.to_ascii_lowercase();
        let name = name.to_ascii_lowercase();
        [&self.read, &self.built_in]
            .into_iter()
            .find_map(|tables| tables.values.get(&attribute)?.get(&name))
            .copied()
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let all = [&self.read, &self.built_in].into_iter();
        all.flat_map(|tables| tables.attributes.values())
            .map(|definition| definition.name.as_str())
    }
}
