//! What a server said, in a form in which two servers can be compared.
//!
//! Diagnostic texts are left out, as are the order of entries, of attributes and of values, none
//! of which mean anything (RFC 4511 sections 4.1.7, 4.1.9 and 4.5.2).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::client::{Answer, element};

/// The values of an attribute, as text where they are text.
type Values = BTreeSet<String>;

/// The entries of an answer: name, attributes, values.
pub(crate) type Entries = BTreeMap<String, BTreeMap<String, Values>>;

/// How the talk about one request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The connection can be used further.
    Open,
    /// The server closed it.
    Closed,
}

/// All that a server said to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) entries: Entries,
    /// The final answers, as text: more than one only to raw bytes.
    pub(crate) finals: Vec<String>,
    pub(crate) end: End,
}

impl Outcome {
    /// Gathers answers.
    pub(crate) fn of(answers: &[Answer], end: End) -> Self {
        let mut outcome = Self {
            entries: Entries::new(),
            finals: Vec::new(),
            end,
        };
        for answer in answers {
            if answer.tag == ENTRY {
                let (name, attributes) = entry(answer);
                let before = outcome.entries.insert(name.clone(), attributes);
                assert!(before.is_none(), "{name} came twice");
            } else {
                outcome.finals.push(finish(answer));
            }
        }
        outcome
    }

    /// One line: how it ended and how much came before.
    pub(crate) fn summary(&self) -> String {
        let mut text = self.finals.join(" then ");
        if !self.entries.is_empty() {
            write!(text, " entries={}", self.entries.len()).unwrap();
        }
        if self.end == End::Closed {
            text.push_str(" closed");
        }
        text.trim().to_owned()
    }

    /// What is in one and not in the other, where the summaries are the same.
    pub(crate) fn details(&self, other: &Self) -> String {
        let mut text = String::new();
        for (side, names) in [
            ("doorward", only(&self.entries, &other.entries)),
            ("slapd", only(&other.entries, &self.entries)),
        ] {
            if !names.is_empty() {
                let shown = names.iter().take(4).copied().collect::<Vec<_>>().join(",");
                write!(text, " only-{side}={shown}").unwrap();
                if let Some(more) = names.len().checked_sub(4).filter(|more| *more > 0) {
                    write!(text, " and {more} more").unwrap();
                }
            }
        }
        let mut attributes = BTreeSet::new();
        for (name, ours) in &self.entries {
            let Some(theirs) = other.entries.get(name) else {
                continue;
            };
            for kind in ours.keys().chain(theirs.keys()) {
                if ours.get(kind) != theirs.get(kind) {
                    attributes.insert(kind.as_str());
                }
            }
        }
        if !attributes.is_empty() {
            let attributes: Vec<&str> = attributes.into_iter().collect();
            write!(text, " attributes={}", attributes.join(",")).unwrap();
        }
        text.trim().to_owned()
    }
}

/// The first parts of the names that one has and the other has not.
fn only<'a>(one: &'a Entries, two: &Entries) -> Vec<&'a str> {
    let names = one.keys().filter(|name| !two.contains_key(*name));
    names.map(|name| first_rdn(name)).collect()
}

fn first_rdn(name: &str) -> &str {
    match name.split_once(',') {
        Some((first, _)) => first,
        None if name.is_empty() => "(root)",
        None => name,
    }
}

const ENTRY: u8 = 0x64;
const REFERENCE: u8 = 0x73;
const INTERMEDIATE: u8 = 0x79;

/// The entry that an answer carries.
pub(crate) fn entry(answer: &Answer) -> (String, BTreeMap<String, Values>) {
    let mut content = answer.content.as_slice();
    let name = text(element(&mut content).1);
    let mut list = element(&mut content).1;
    let mut attributes = BTreeMap::new();
    while !list.is_empty() {
        let mut attribute = element(&mut list).1;
        let kind = text(element(&mut attribute).1);
        let mut set = element(&mut attribute).1;
        let mut values = Values::new();
        while !set.is_empty() {
            let value = text(element(&mut set).1);
            assert!(values.insert(value.clone()), "{name}: {kind}={value} twice");
        }
        let before = attributes.insert(kind.clone(), values);
        assert!(before.is_none(), "{name}: {kind} came twice");
    }
    (name, attributes)
}

/// A final answer as text: its kind, code, matchedDN, and what else it carries.
fn finish(answer: &Answer) -> String {
    let mut out = match answer.tag {
        0x61 => "bind",
        0x65 => "search",
        0x67 => "modify",
        0x69 => "add",
        0x6b => "delete",
        0x6d => "rename",
        0x6f => "compare",
        0x78 if answer.is_notice() => "notice",
        0x78 => "extended",
        REFERENCE | INTERMEDIATE => panic!("nobody asked for that: {answer:?}"),
        other => panic!("what is {other:#x}? {answer:?}"),
    }
    .to_owned();
    let mut content = answer.content.as_slice();
    let (_, code) = element(&mut content);
    let code = code.iter().fold(0, |sum, byte| sum << 8 | i64::from(*byte));
    write!(out, " {code}").unwrap();
    let matched = text(element(&mut content).1);
    if !matched.is_empty() {
        write!(out, " matched={matched}").unwrap();
    }
    element(&mut content);
    while !content.is_empty() {
        let (tag, value) = element(&mut content);
        // The name of a response is told by its request.
        if tag == 0x8b {
            write!(out, " value={}", text(value)).unwrap();
        } else if tag != 0x8a {
            write!(out, " {tag:#x}={}", text(value)).unwrap();
        }
    }
    let mut controls = answer.controls.as_slice();
    while !controls.is_empty() {
        let (_, mut list) = element(&mut controls);
        while !list.is_empty() {
            let mut control = element(&mut list).1;
            let name = text(element(&mut control).1);
            write!(out, " control={name}").unwrap();
            while !control.is_empty() {
                let (tag, value) = element(&mut control);
                if tag == 0x04 {
                    write!(out, ":{}", hexadecimal(value)).unwrap();
                }
            }
        }
    }
    out
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| format!("#{}", hexadecimal(bytes)))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02x}").unwrap();
        out
    })
}
