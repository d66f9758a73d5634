//! Logs: `tracing` as text or as JSON lines, to standard error.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogShape {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Sends log lines of `level` and above to standard error. A second call changes nothing.
pub fn start_logging(shape: LogShape, level: LevelFilter) {
    // Below a warning these crates say what came over the wire, passwords included.
    let targets = Targets::new()
        .with_default(level)
        .with_target("ldap3_proto", LevelFilter::OFF)
        .with_target("ldap3_lber", LevelFilter::OFF)
        .with_target("radius", LevelFilter::OFF)
        .with_target("rustls", level.min(LevelFilter::WARN));
    let colours = io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(colours)
        .with_writer(move || Lines {
            to: io::stderr(),
            colours,
        });
    let lines = match shape {
        LogShape::Text => lines.with_target(false).boxed(),
        LogShape::Json => lines.json().flatten_event(true).boxed(),
    };
    // Already started: the first one stays.
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(targets))
        .try_init();
}

/// Warns in a text of our own that points at a place in a file, on lines below its first.
pub(super) fn warn_in_lines(text: &str) {
    for line in text.lines() {
        tracing::warn!("{line}");
    }
}

/// Writes what it is given as one line: nothing that a client says, and a line happens to carry, may
/// begin a line of its own or speak to the terminal of whoever reads it.
struct Lines<W> {
    to: W,
    /// Whether the formatter's own colours go through.
    colours: bool,
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        self.to
            .write_all(one_line(&text, self.colours).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// A line, whose end alone is one, with an escape for each character that does something else than
/// stand there; the escape is one in JSON as well.
fn one_line(line: &str, colours: bool) -> Cow<'_, str> {
    let (text, end) = match line.strip_suffix('\n') {
        Some(text) => (text, "\n"),
        None => (line, ""),
    };
    if !text.contains(acts) {
        return Cow::Borrowed(line);
    }
    let mut escaped = String::with_capacity(line.len() + 16);
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let taken = if let Some(colour) = colour(rest).filter(|_| colours) {
            escaped.push_str(colour);
            colour.len()
        } else {
            escape(next, &mut escaped);
            next.len_utf8()
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    escaped.push_str(end);
    Cow::Owned(escaped)
}

fn escape(c: char, to: &mut String) {
    match c {
        '\n' => to.push_str("\\n"),
        '\r' => to.push_str("\\r"),
        '\t' => to.push_str("\\t"),
        // All of them are of four digits; a string takes what is written to it.
        c if acts(c) => {
            let _ = write!(to, "\\u{:04x}", u32::from(c));
        }
        c => to.push(c),
    }
}

/// Whether a character ends a line, moves a cursor, or turns round what follows it.
pub(crate) fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The sequence that sets one colour or weight of those that the formatter uses, where one stands
/// at the beginning.
fn colour(text: &str) -> Option<&str> {
    let (number, _) = text.strip_prefix("\u{1b}[")?.split_once('m')?;
    let one = matches!(
        number,
        "0" | "1" | "2" | "3" | "31" | "32" | "33" | "34" | "35"
    );
    text.get(..number.len() + 3).filter(|_| one)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const FORGED: &str =
        "x\r\n2026-11-30T11:00:00Z  INFO forged\u{1b}[31m\u{9b}2J\u{2028}\u{202e}\u{7f}";

    /// What is written of events that carry [`FORGED`] in each way there is.
    fn written(json: bool, colours: bool) -> String {
        let kept = Kept::default();
        let to = kept.clone();
        let lines = tracing_subscriber::fmt::layer()
            .with_ansi(colours)
            .with_writer(move || Lines {
                to: to.clone(),
                colours,
            });
        let lines = if json {
            lines.json().boxed()
        } else {
            lines.boxed()
        };
        let subscriber = tracing_subscriber::registry().with(lines);
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("a span", of = FORGED);
            let _inside = span.enter();
            tracing::info!(shown = %FORGED, plain = FORGED, written = ?FORGED, "a line");
            tracing::info!("{FORGED}");
            let error: &dyn std::error::Error = &io::Error::other(FORGED);
            tracing::info!(error, "an error");
        });
        String::from_utf8(kept.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn what_a_line_carries_begins_no_other_and_does_nothing_to_a_terminal() {
        for json in [false, true] {
            let written = written(json, false);
            assert_eq!(written.lines().count(), 3, "{written}");
            assert!(written.contains("forged"), "{written}");
            assert!(!written.contains(|c| c != '\n' && acts(c)), "{written:?}");
            if json {
                for line in written.lines() {
                    let _: serde_json::Value = serde_json::from_str(line).unwrap();
                }
            }
        }
    }

    #[test]
    fn the_formatter_s_colours_alone_reach_a_terminal() {
        let written = written(false, true);
        assert_eq!(written.lines().count(), 3, "{written}");
        assert!(
            written.contains("\u{1b}[32m"),
            "its level is green: {written:?}"
        );
        for (at, _) in written.match_indices('\u{1b}') {
            assert!(colour(&written[at..]).is_some(), "{written:?}");
        }
        assert_eq!(
            one_line("\u{1b}[2J\u{1b}[8mx\n", true),
            "\\u001b[2J\\u001b[8mx\n"
        );
    }

    proptest! {
        #[test]
        fn a_line_is_one_line_and_as_it_was_where_nothing_acts(text in ".*", rest in any::<String>()) {
            let line = format!("{text}{rest}\n");
            let written = one_line(&line, false);
            prop_assert!(!written.trim_end_matches('\n').contains(acts));
            prop_assert!(written.ends_with('\n'));
            if !text.contains(acts) && !rest.contains(acts) {
                prop_assert_eq!(&*written, line.as_str());
            }
        }
    }
}
