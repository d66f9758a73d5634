//! Aligned tables for people.

/// A table: a line of headings, then a line a row, columns two spaces apart.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub(super) fn new(headings: &[&str]) -> Self {
        Self {
            rows: vec![
                headings
                    .iter()
                    .map(|heading| (*heading).to_owned())
                    .collect(),
            ],
        }
    }

    /// A table without headings: a name and a value a line.
    pub(super) fn facts() -> Self {
        Self::default()
    }

    /// Adds a row.
    pub(super) fn row<C: Into<String>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.rows
            .push(cells.into_iter().map(|cell| plain(&cell.into())).collect());
    }

    /// Adds a name and a value, where there is one.
    pub(super) fn fact(&mut self, name: &str, value: Option<impl Into<String>>) {
        if let Some(value) = value
            .map(Into::into)
            .filter(|value: &String| !value.is_empty())
        {
            self.row([name.to_owned(), value]);
        }
    }

    /// The table as text.
    pub(super) fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                let gap = width.saturating_sub(cell.chars().count()) + 2;
                line.extend(std::iter::repeat_n(' ', gap));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// A text that does nothing to a terminal: an SSID or a NAS's word is a stranger's.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// As [`plain`], line by line.
pub(super) fn lines(text: &str) -> String {
    text.split('\n').map(plain).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_and_lines_end_without_spaces() {
        let mut table = Table::new(&["NAME", "WHAT"]);
        table.row(["a", "first"]);
        table.row(["länger", ""]);
        assert_eq!(table.render(), "NAME    WHAT\na       first\nlänger\n");
    }

    #[test]
    fn a_stranger_cannot_speak_to_the_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
    }
}
