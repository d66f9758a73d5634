//! From TOML to sections: reads each section and each entry by itself, so that one reading finds
//! several faults, and turns what the parser says into sentences with a place.
//!
//! Knows the shape of the file and no meaning: whether names fit together is `check`'s business.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::citation::{ConfigError, ConfigErrors, Source, Span};

/// The most faults of syntax reported at once: past these they are echoes of each other.
const MAX_SYNTAX_ERRORS: usize = 5;

/// Every name that may stand at the top of the file.
pub(super) const SECTIONS: [&str; 17] = [
    "directory",
    "posix",
    "store",
    "tls",
    "ldap",
    "radius",
    "auth_policy",
    "eap",
    "web",
    "mail",
    "throttle",
    "hashing",
    "metrics",
    "audit",
    "log",
    "runtime",
    "resource",
];

/// One reading of one file.
pub(super) struct Reader<'t> {
    source: Source,
    root: DeTable<'t>,
    errors: Vec<ConfigError>,
}

impl<'t> Reader<'t> {
    /// Parses the text and notes where every key stands.
    pub(super) fn new(mut source: Source, text: &'t str) -> Self {
        let (root, faults) = DeTable::parse_recoverable(text);
        let root = root.into_inner();
        remember(&mut source, "", &root);
        let mut errors: Vec<ConfigError> = faults
            .iter()
            .map(|fault| explain(&source, "", fault, 0..0))
            .collect();
        // The parser repeats itself until it finds its feet: the first word on each line will do.
        errors.sort_by_key(ConfigError::position);
        errors.dedup_by_key(|error| error.position().map(|(line, _)| line));
        errors.truncate(MAX_SYNTAX_ERRORS);
        Self {
            source,
            root,
            errors,
        }
    }

    /// Goes on only where the syntax is sound: broken syntax loses sections, and what is then
    /// missing is no fault of its own.
    pub(super) fn syntax(&mut self) -> Result<(), ConfigErrors> {
        ConfigErrors::from_list(std::mem::take(&mut self.errors))
    }

    /// Ends the reading: what nobody asked for is an unknown section.
    pub(super) fn finish(mut self) -> (Source, Vec<ConfigError>) {
        for key in self.root.keys() {
            let message = unknown_key(key.get_ref(), &SECTIONS);
            self.errors
                .push(ConfigError(self.source.cite(key.span(), message)));
        }
        (self.source, self.errors)
    }

    /// Reads `[name]`; nothing where it is absent or was refused.
    pub(super) fn section<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let value = self.root.remove(name)?;
        self.table(&format!("[{name}]"), value)
    }

    /// Reads `[[name]]`, every entry by itself.
    pub(super) fn entries<T: DeserializeOwned>(&mut self, name: &str) -> Vec<T> {
        self.root
            .remove(name)
            .map(|value| self.array(name, value))
            .unwrap_or_default()
    }

    /// Reads `[[section.name]]`, leaving the rest of the section.
    pub(super) fn entries_of<T: DeserializeOwned>(&mut self, section: &str, name: &str) -> Vec<T> {
        let taken = match self.root.get_mut(section).map(Spanned::get_mut) {
            Some(DeValue::Table(table)) => table.remove(name),
            _ => None,
        };
        taken
            .map(|value| self.array(&format!("{section}.{name}"), value))
            .unwrap_or_default()
    }

    fn array<T: DeserializeOwned>(&mut self, path: &str, value: Spanned<DeValue<'_>>) -> Vec<T> {
        let label = format!("[[{path}]]");
        let span = value.span();
        let DeValue::Array(entries) = value.into_inner() else {
            let message = format!("there may be several of these: write {label}");
            self.errors
                .push(ConfigError(self.source.cite(span, message)));
            return Vec::new();
        };
        entries
            .into_iter()
            .filter_map(|entry| self.table(&label, entry))
            .collect()
    }

    /// Reads one table. A key that is refused is taken out and the rest read again, so that every
    /// wrong key of a table is named, not only the first.
    fn table<T: DeserializeOwned>(
        &mut self,
        label: &str,
        mut value: Spanned<DeValue<'_>>,
    ) -> Option<T> {
        if !matches!(value.get_ref(), DeValue::Table(_)) {
            let message = format!("expected a table: write {label}");
            self.errors
                .push(ConfigError(self.source.cite(value.span(), message)));
            return None;
        }
        let whole = value.span();
        let mut refused = false;
        loop {
            let fault = match T::deserialize(ValueDeserializer::from(value.clone())) {
                Ok(read) => return Some(read),
                Err(fault) => fault,
            };
            let DeValue::Table(table) = value.get_mut() else {
                return None;
            };
            let taken = fault.span().is_some_and(|span| take_out(table, span.start));
            // A fault of the whole table, such as a key that is missing, may be the echo of a key
            // that was just taken out.
            if taken || !refused {
                self.errors
                    .push(explain(&self.source, label, &fault, whole.clone()));
            }
            if !taken {
                return None;
            }
            refused = true;
        }
    }
}

/// Notes the place of every key below `table`.
fn remember(source: &mut Source, path: &str, table: &DeTable<'_>) {
    for (key, value) in table {
        let path = if path.is_empty() {
            key.get_ref().to_string()
        } else {
            format!("{path}.{}", key.get_ref())
        };
        let span = Span {
            key: key.span(),
            value: value.span(),
        };
        source.remember(path.clone(), span);
        remember_value(source, &path, value.get_ref());
    }
}

fn remember_value(source: &mut Source, path: &str, value: &DeValue<'_>) {
    match value {
        DeValue::Table(table) => remember(source, path, table),
        DeValue::Array(entries) => {
            for (index, entry) in entries.iter().enumerate() {
                let path = format!("{path}[{index}]");
                let span = Span {
                    key: entry.span(),
                    value: entry.span(),
                };
                source.remember(path.clone(), span);
                remember_value(source, &path, entry.get_ref());
            }
        }
        _ => {}
    }
}

/// Takes the innermost key at `position` out of the table, where there is one.
fn take_out(table: &mut DeTable<'_>, position: usize) -> bool {
    let found = table
        .iter()
        .find(|(key, value)| key.span().contains(&position) || covers(value, position))
        .map(|(key, _)| key.get_ref().to_string());
    let Some(key) = found else {
        return false;
    };
    if let Some(DeValue::Table(inner)) = table.get_mut(key.as_str()).map(Spanned::get_mut)
        && take_out(inner, position)
    {
        return true;
    }
    table.remove(key.as_str()).is_some()
}

fn covers(value: &Spanned<DeValue<'_>>, position: usize) -> bool {
    value.span().contains(&position)
        || match value.get_ref() {
            DeValue::Table(table) => table
                .iter()
                .any(|(key, value)| key.span().contains(&position) || covers(value, position)),
            DeValue::Array(entries) => entries.iter().any(|entry| covers(entry, position)),
            _ => false,
        }
}

/// Says in our words what the parser said, with its place or else that of the `whole` table.
fn explain(
    source: &Source,
    label: &str,
    fault: &toml::de::Error,
    whole: Range<usize>,
) -> ConfigError {
    let said = fault.message();
    let message = if let Some(key) = missing(said) {
        format!("{label} has no `{key}`")
    } else if let Some((word, known)) = unknown(said, "unknown field ") {
        unknown_key(word, &known)
    } else if let Some((word, known)) = unknown(said, "unknown variant ") {
        let choice = listed(&known);
        match nearest(word, &known) {
            Some(near) => format!("`{word}` is not one of {choice}; did you mean `{near}`?"),
            None => format!("`{word}` is not one of {choice}"),
        }
    } else if let Some(wrong) = said.strip_prefix("invalid type: ") {
        format!("wrong type: {wrong}")
    } else {
        said.to_owned()
    };
    ConfigError(source.cite(fault.span().unwrap_or(whole), message))
}

/// The key of "missing field `key`".
fn missing(said: &str) -> Option<&str> {
    said.strip_prefix("missing field `")?.strip_suffix('`')
}

/// The word and the known words of "unknown field `word`, expected one of `a`, `b`".
fn unknown<'m>(said: &'m str, prefix: &str) -> Option<(&'m str, Vec<&'m str>)> {
    let rest = said.strip_prefix(prefix)?.strip_prefix('`')?;
    let (word, expected) = rest.split_once("`, expected ")?;
    let known = expected.split('`').skip(1).step_by(2).collect();
    Some((word, known))
}

fn unknown_key(word: &str, known: &[&str]) -> String {
    match nearest(word, known) {
        Some(near) => format!("unknown key `{word}`; did you mean `{near}`?"),
        None => format!("unknown key `{word}`; known here: {}", listed(known)),
    }
}

fn listed(words: &[&str]) -> String {
    words
        .iter()
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The known word nearest to `word`, at most three edits away and nearer than a wholly new word.
pub(super) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    known
        .iter()
        .map(|candidate| (edits(word, candidate), *candidate))
        .filter(|(edits, candidate)| *edits <= 3 && *edits < candidate.chars().count())
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// The Levenshtein distance. A word of kilobytes is near to nothing, and computing it would cost
/// as much.
fn edits(from: &str, to: &str) -> usize {
    if from.len() > 64 {
        return usize::MAX;
    }
    strsim::levenshtein(from, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        assert_eq!(edits("", ""), 0);
        assert_eq!(edits("adress", "address"), 1);
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("abc", ""), 3);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("plaintext-bind", "plaintext_bind"), 1);
    }

    #[test]
    fn the_nearest_word_is_near() {
        assert_eq!(nearest("adress", &["name", "address"]), Some("address"));
        assert_eq!(nearest("colour", &["name", "address"]), None);
        assert_eq!(nearest("x", &["tls"]), None);
    }

    #[test]
    fn what_the_parser_says_is_taken_apart() {
        assert_eq!(
            unknown(
                "unknown field `x`, expected one of `a`, `b`, `c`",
                "unknown field "
            ),
            Some(("x", vec!["a", "b", "c"]))
        );
        assert_eq!(
            unknown("unknown field `x`, expected `a` or `b`", "unknown field "),
            Some(("x", vec!["a", "b"]))
        );
        assert_eq!(missing("missing field `name`"), Some("name"));
        assert_eq!(missing("something else"), None);
    }
}
