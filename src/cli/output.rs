//! The one place that prints: tables for people, JSON for scripts, warnings on standard error.
//! A reader that goes away ends a command quietly.

use std::fmt::Display;
use std::io::{self, Write as _};

use clap::ValueEnum;
use serde::Serialize;

use doorward_domain::time::Timestamp;

use super::table::{Table, lines};

/// How many warnings of one command are shown one by one.
const WARNINGS: usize = 10;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Table,
    /// For scripts.
    Json,
}

/// Where results go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    format: Format,
}

impl Output {
    pub(super) fn new(format: Format) -> Self {
        Self { format }
    }

    pub(super) fn is_json(self) -> bool {
        self.format == Format::Json
    }

    /// Prints a value: `people` makes the table or sentence.
    pub(super) fn value<T: Serialize + ?Sized>(
        self,
        value: &T,
        people: impl FnOnce(&T) -> String,
    ) -> io::Result<()> {
        match self.format {
            Format::Json => text(&serde_json::to_string_pretty(value)?),
            Format::Table => text(people(value).trim_end_matches('\n')),
        }
    }

    /// Prints a list as a table, or as a JSON array.
    pub(super) fn list<T: Serialize>(
        self,
        items: &[T],
        headings: &[&str],
        row: impl Fn(&T) -> Vec<String>,
    ) -> io::Result<()> {
        self.value(items, |items| {
            let mut table = Table::new(headings);
            for item in items {
                table.row(row(item));
            }
            table.render()
        })
    }

    /// Prints one JSON line, or a line for people.
    pub(super) fn line<T: Serialize>(
        self,
        value: &T,
        people: impl FnOnce(&T) -> String,
    ) -> io::Result<()> {
        match self.format {
            Format::Json => text(&serde_json::to_string(value)?),
            Format::Table => text(&people(value)),
        }
    }

    /// Prints a sentence on standard error, for people only.
    pub(super) fn note(self, text: &str) {
        if !self.is_json() {
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }
}

/// Prints text and a line break.
pub(super) fn text(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

/// Prints warnings on standard error.
pub(super) fn warn<W: Display>(warnings: &[W]) {
    let mut stderr = io::stderr().lock();
    // A warning that nobody can read changes nothing about what was done.
    for warning in warnings.iter().take(WARNINGS) {
        let _ = writeln!(stderr, "warning: {}", lines(&warning.to_string()));
    }
    if let Some(more) = warnings
        .len()
        .checked_sub(WARNINGS)
        .filter(|more| *more > 0)
    {
        let _ = writeln!(stderr, "warning: and {more} more of this kind");
    }
}

/// A time for people: UTC, to the second.
pub(super) fn moment(at: Timestamp) -> String {
    let text = at.rfc3339();
    match text.get(..19) {
        Some(text) => format!("{}Z", text.replace('T', " ")),
        None => text,
    }
}

/// Names in one cell.
pub(super) fn names<N: Display>(names: &[N]) -> String {
    names
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Yes or no.
pub(super) fn yes(holds: bool) -> String {
    if holds { "yes" } else { "no" }.to_owned()
}
