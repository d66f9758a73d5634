//! The differences that are known, and the list that holds them.

use std::collections::{BTreeMap, BTreeSet};

/// A request that the two answer in different ways.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Difference {
    pub(crate) request: String,
    pub(crate) doorward: String,
    pub(crate) slapd: String,
    /// What differs behind summaries that are the same.
    pub(crate) details: String,
}

impl Difference {
    fn line(&self) -> String {
        let Self {
            request,
            doorward,
            slapd,
            details,
        } = self;
        let line = format!("{request} | {doorward} | {slapd} | {details}");
        line.trim_end().to_owned()
    }
}

/// `[reason]`, then a line for each request: its name, what Doorward says, what slapd says.
const LIST: &str = include_str!("differences.txt");
/// Where each reason is explained, under a heading that is its name.
const PAGE: &str = include_str!("../../docs/slapd-differences.md");

fn listed() -> BTreeMap<String, BTreeSet<String>> {
    let mut reasons: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut reason = None;
    for line in LIST.lines().filter(|line| !line.trim().is_empty()) {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            reason = Some(name.to_owned());
            let before = reasons.insert(name.to_owned(), BTreeSet::new());
            assert!(before.is_none(), "the reason '{name}' comes twice");
        } else {
            let reason = reason.as_ref().expect("a reason before the first request");
            let requests = reasons.get_mut(reason).unwrap();
            assert!(requests.insert(line.trim_end().to_owned()), "twice: {line}");
        }
    }
    reasons
}

/// Fails unless exactly the listed differences were found.
pub(crate) fn hold(found: &[Difference]) {
    let found: BTreeSet<String> = found.iter().map(Difference::line).collect();
    let listed: BTreeSet<String> = listed().into_values().flatten().collect();
    let list = |lines: Vec<&String>| {
        let lines: Vec<&str> = lines.into_iter().map(String::as_str).collect();
        lines.join("\n")
    };
    let unlisted = list(found.difference(&listed).collect());
    let gone = list(listed.difference(&found).collect());
    assert!(
        unlisted.is_empty() && gone.is_empty(),
        "differences that tests/oracle/differences.txt does not list:\n{unlisted}\n\n\
         listed differences that are none:\n{gone}\n"
    );
}

#[test]
fn every_reason_is_explained_and_has_a_request() {
    let listed = listed();
    let explained: BTreeSet<&str> = PAGE
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .collect();
    let reasons: BTreeSet<&str> = listed.keys().map(String::as_str).collect();
    assert_eq!(reasons, explained);
    for (reason, requests) in &listed {
        assert!(!requests.is_empty(), "nothing differs for '{reason}'");
    }
}
