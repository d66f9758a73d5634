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
pub(crate) fn distance(one: &str, other: &str) -> usize {
    let beginning = |text: &str| text.chars().take(64).collect::<String>();
    strsim::osa_distance(&beginning(one), &beginning(other))
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
