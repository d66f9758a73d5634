//! The name most like one that was mistyped.

/// The one of `known` most like `written`, where one is like it at all: at most a third of its
/// letters differ.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_lowercase();
    known
        .into_iter()
        .map(|name| (distance(&written, &name.to_lowercase()), name))
        .min()
        .filter(|(distance, name)| *distance <= (name.chars().count() / 3).max(1))
        .map(|(_, name)| name)
}

/// How many letters must be put in, taken out, replaced or swapped with their neighbour to turn
/// one text into the other. Texts past 64 letters are compared by their beginning.
fn distance(one: &str, other: &str) -> usize {
    let one: Vec<char> = one.chars().take(64).collect();
    let other: Vec<char> = other.chars().take(64).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.iter().enumerate() {
        let mut next = vec![line + 1];
        for (column, wanted) in other.iter().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX);
            let mut best = (at(&row, column) + usize::from(letter != wanted))
                .min(at(&row, column + 1) + 1)
                .min(at(&next, column) + 1);
            let swapped = column
                .checked_sub(1)
                .zip(line.checked_sub(1))
                .filter(|(left, above)| {
                    other.get(*left) == Some(letter) && one.get(*above) == Some(wanted)
                });
            if let Some((left, _)) = swapped {
                best = best.min(at(&before, left).saturating_add(1));
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_found_and_another_word_is_not() {
        let known = ["email", "full_name", "start_date"];
        assert_eq!(nearest("emial", known), Some("email"));
        assert_eq!(nearest("fullname", known), Some("full_name"));
        assert_eq!(nearest("start_dat", known), Some("start_date"));
        assert_eq!(nearest("password", known), None);
        assert_eq!(nearest("x", []), None);
    }
}
