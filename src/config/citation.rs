//! Complaints about a configuration file that point at the place: `path:line:column: message`,
//! the line itself and a `^~~~` below the word that is meant.
//!
//! Knows text and byte ranges, no TOML and no meaning. A line that holds an inline secret is shown
//! without it, since complaints end up in logs (CONTRACT.md 9).

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Where the parts of a key stand: its name and its value, as byte ranges of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) key: Range<usize>,
    pub(super) value: Range<usize>,
}

/// A configuration file's text, and where each of its keys stands.
#[derive(Debug, Clone)]
pub(super) struct Source {
    path: PathBuf,
    text: String,
    spans: BTreeMap<String, Span>,
}

impl Source {
    pub(super) fn new(path: &Path, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            spans: BTreeMap::new(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Remembers where `key` stands; keys are written `ldap.listener[0].name`.
    pub(super) fn remember(&mut self, key: String, span: Span) {
        self.spans.insert(key, span);
    }

    pub(super) fn knows(&self, key: &str) -> bool {
        self.spans.contains_key(key)
    }

    /// Cites the value of `key`, or the whole file where the file does not have it.
    pub(super) fn cite_value(&self, key: &str, message: impl Into<String>) -> Citation {
        match self.spans.get(key) {
            Some(span) => self.cite(span.value.clone(), message),
            None => self.cite_file(message),
        }
    }

    /// Cites the name of `key`, or the whole file where the file does not have it.
    pub(super) fn cite_key(&self, key: &str, message: impl Into<String>) -> Citation {
        match self.spans.get(key) {
            Some(span) => self.cite(span.key.clone(), message),
            None => self.cite_file(message),
        }
    }

    /// Cites the file as a whole.
    pub(super) fn cite_file(&self, message: impl Into<String>) -> Citation {
        Citation {
            path: self.path.clone(),
            place: None,
            message: message.into(),
        }
    }

    /// Cites a range of bytes; what lies past the end or inside a character is pulled into place.
    pub(super) fn cite(&self, range: Range<usize>, message: impl Into<String>) -> Citation {
        let start = self.boundary(range.start);
        let end = self.boundary(range.end).max(start);
        let (before, after) = self
            .text
            .split_at_checked(start)
            .unwrap_or((&self.text, ""));
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let indent = before.get(line_start..).unwrap_or_default();
        let rest = after.split('\n').next().unwrap_or_default();
        let rest = rest.strip_suffix('\r').unwrap_or(rest);
        let meant = rest.get(..end - start).unwrap_or(rest);
        let line = format!("{indent}{rest}");
        let masked = self.masked(line_start, &line);
        let width = meant.chars().count();
        let visible = masked
            .chars()
            .count()
            .saturating_sub(indent.chars().count());
        Citation {
            path: self.path.clone(),
            place: Some(Place {
                line: before.matches('\n').count() + 1,
                column: indent.chars().count() + 1,
                padding: indent
                    .chars()
                    .map(|c| if c == '\t' { '\t' } else { ' ' })
                    .collect(),
                width: width.min(visible).max(1),
                source: masked,
            }),
            message: message.into(),
        }
    }

    fn boundary(&self, position: usize) -> usize {
        let mut position = position.min(self.text.len());
        while !self.text.is_char_boundary(position) {
            position -= 1;
        }
        position
    }

    /// The line without the secrets on it. A key named `secret` hides the rest of its line, so
    /// that a file with broken syntax gives nothing away either.
    fn masked(&self, line_start: usize, line: &str) -> String {
        let line_end = line_start + line.len();
        let mut cut = self
            .spans
            .iter()
            .filter(|(key, _)| is_secret(key))
            .map(|(_, span)| span.value.clone())
            .filter(|secret| secret.start < line_end && line_start < secret.end)
            .map(|secret| secret.start.saturating_sub(line_start))
            .min();
        for (at, _) in line.match_indices("secret") {
            let tail = line.get(at + "secret".len()..).unwrap_or_default();
            let value = tail.trim_start_matches(['"', '\'', ' ', '\t']);
            if let Some(after) = value.strip_prefix('=') {
                let start = line.len() - after.len() + (after.len() - after.trim_start().len());
                cut = Some(cut.map_or(start, |known| known.min(start)));
            }
        }
        match cut.and_then(|cut| line.get(..cut)) {
            Some(shown) => format!("{shown}…"),
            None => line.to_owned(),
        }
    }
}

fn is_secret(key: &str) -> bool {
    key.rsplit('.').next() == Some("secret")
}

/// One place of a file and what is to be said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Citation {
    path: PathBuf,
    place: Option<Place>,
    message: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
    source: String,
    padding: String,
    width: usize,
}

impl fmt::Display for Citation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(place) = &self.place else {
            return write!(formatter, "{}: {}", self.path.display(), self.message);
        };
        writeln!(
            formatter,
            "{}:{}:{}: {}",
            self.path.display(),
            place.line,
            place.column,
            self.message
        )?;
        writeln!(formatter, "  {}", place.source)?;
        write!(
            formatter,
            "  {}^{}",
            place.padding,
            "~".repeat(place.width - 1)
        )
    }
}

/// A fault for which the configuration is refused, with the place it stands at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(pub(super) Citation);

impl ConfigError {
    /// What is wrong, without the place.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The line and column, both from 1, columns in characters; nothing where the whole file or
    /// something outside it is meant.
    pub fn position(&self) -> Option<(usize, usize)> {
        self.0
            .place
            .as_ref()
            .map(|place| (place.line, place.column))
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl std::error::Error for ConfigError {}

/// Every fault found in one reading; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// Joins faults; nothing where there are none.
    ///
    /// # Errors
    /// There is at least one fault.
    pub fn from_list(errors: Vec<ConfigError>) -> Result<(), Self> {
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Self(errors))
        }
    }

    /// The faults, in the order they were found.
    pub fn iter(&self) -> std::slice::Iter<'_, ConfigError> {
        self.0.iter()
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

impl<'e> IntoIterator for &'e ConfigErrors {
    type Item = &'e ConfigError;
    type IntoIter = std::slice::Iter<'e, ConfigError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(formatter)?;
            }
            error.fmt(formatter)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Something that works and is unwise, with the place it stands at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigWarning(pub(super) Citation);

impl ConfigWarning {
    /// What is unwise, without the place.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl fmt::Display for ConfigWarning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn source(text: &str) -> Source {
        Source::new(Path::new("door.toml"), text)
    }

    #[test]
    fn columns_count_characters_and_tabs_stay_tabs() {
        let cited = source("a = 1\n\tföö = bär\n").cite(15..19, "no such thing");
        assert_eq!(
            cited.to_string(),
            "door.toml:2:8: no such thing\n  \tföö = bär\n  \t      ^~~"
        );
    }

    #[test]
    fn a_range_over_several_lines_is_marked_on_its_first() {
        let cited = source("list = [\n  1,\n]\r\n").cite(7..14, "too long");
        assert_eq!(
            cited.to_string(),
            "door.toml:1:8: too long\n  list = [\n         ^"
        );
    }

    #[test]
    fn the_end_of_the_file_can_be_cited() {
        let cited = source("a =").cite(3..3, "a value is missing");
        assert_eq!(
            cited.to_string(),
            "door.toml:1:4: a value is missing\n  a =\n     ^"
        );
    }

    #[test]
    fn a_line_with_a_secret_is_shown_without_it() {
        let text = "client = { name = 'a', secret = 'hunter2', adress = 1 }";
        for range in [0..6, 44..50, 33..42] {
            let shown = source(text).cite(range, "x").to_string();
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(shown.contains("secret = …"), "{shown}");
        }
        let quoted = source("\"secret\" = \"hunter2").cite(0..3, "x").to_string();
        assert!(!quoted.contains("hunter2"), "{quoted}");
    }

    #[test]
    fn a_secret_over_several_lines_is_hidden_by_its_place() {
        let mut source = source("secret = \"\"\"\nhunter2\n\"\"\" # and more\n");
        let span = Span {
            key: 0..6,
            value: 9..24,
        };
        source.remember("radius.client[0].secret".to_owned(), span);
        assert!(!source.cite(14..16, "x").to_string().contains("hunter2"));
    }

    proptest! {
        #[test]
        fn any_range_of_any_text_can_be_cited(text in "\\PC*(\n\\PC*){0,3}", a in 0_usize..64, b in 0_usize..64) {
            let shown = source(&text).cite(a..b, "here").to_string();
            prop_assert!(shown.contains(": here\n"));
        }
    }
}
