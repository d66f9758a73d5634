//! String preparation for matching (RFC 4518), without its tables of prohibited characters.
//!
//! Steps: map, fold case where the rule asks for it, normalise to NFKC, and make insignificant
//! spaces equal. A string of prohibited characters is compared like any other; it cannot equal
//! one that a directory holds.

use unicode_normalization::UnicodeNormalization as _;

/// Whether a rule has regard for case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    /// It has none.
    Fold,
    /// It has.
    Keep,
}

/// What part of a value a string is: spaces at an open end mean something (RFC 4518 section
/// 2.6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// A value, or an assertion about a whole one.
    Whole,
    /// The start of one.
    Initial,
    /// A piece from the middle.
    Any,
    /// The end of one.
    Final,
}

/// Prepares a whole value.
pub(crate) fn whole(text: &str, case: Case) -> String {
    part(text, case, Part::Whole)
}

/// Prepares a whole value; none where that makes more than so many bytes of it.
pub(crate) fn whole_within(text: &str, case: Case, most: usize) -> Option<String> {
    part_within(text, case, Part::Whole, most)
}

/// Prepares a value or a piece of one.
pub(crate) fn part(text: &str, case: Case, part: Part) -> String {
    part_within(text, case, part, usize::MAX).unwrap_or_default()
}

/// Prepares a value or a piece of one; none where that makes more than so many bytes of it, spaces
/// that are added aside. One character can become eighteen, so that what a client sends is given up
/// as soon as it is too long.
pub(crate) fn part_within(text: &str, case: Case, part: Part, most: usize) -> Option<String> {
    let prepared = if text.is_ascii() {
        let folded = map(text).map(|character| fold_ascii(character, case));
        collect(folded, most)
    } else {
        match case {
            // Folding can undo the normal form, so it is made after, and by way of upper case,
            // which joins what lower case alone keeps apart (ς and σ, ß and ss); lower case goes
            // before it as well, for the capitals that have a small form of their own (ẞ).
            Case::Fold => {
                let folded = map(text)
                    .nfkc()
                    .flat_map(char::to_lowercase)
                    .flat_map(char::to_uppercase)
                    .flat_map(char::to_lowercase)
                    .nfkc();
                collect(folded, most)
            }
            Case::Keep => collect(map(text).nfkc(), most),
        }
    };
    prepared.map(|prepared| spaces(&prepared, part))
}

fn collect(characters: impl Iterator<Item = char>, most: usize) -> Option<String> {
    let mut text = String::new();
    for character in characters {
        text.push(character);
        if text.len() > most {
            return None;
        }
    }
    Some(text)
}

fn fold_ascii(character: char, case: Case) -> char {
    match case {
        Case::Fold => character.to_ascii_lowercase(),
        Case::Keep => character,
    }
}

/// Maps spaces of all kinds to one and drops what has no width (RFC 4518 section 2.2).
fn map(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().filter_map(|character| match character {
        '\t'..='\r'
        | '\u{85}'
        | '\u{a0}'
        | '\u{1680}'
        | '\u{2000}'..='\u{200a}'
        | '\u{2028}'
        | '\u{2029}'
        | '\u{202f}'
        | '\u{205f}'
        | '\u{3000}' => Some(' '),
        '\u{ad}'
        | '\u{34f}'
        | '\u{1806}'
        | '\u{180b}'..='\u{180e}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{fffc}'
        | '\u{6dd}'
        | '\u{70f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2063}'
        | '\u{206a}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0001}'
        | '\u{e0020}'..='\u{e007f}' => None,
        control if control.is_control() => None,
        other => Some(other),
    })
}

/// Writes one space at a closed end and two between words, so that a piece with a space at an
/// open end matches where a word ends and nowhere else.
fn spaces(text: &str, part: Part) -> String {
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        return if part == Part::Whole {
            "  ".to_owned()
        } else {
            " ".to_owned()
        };
    }
    let leading = matches!(part, Part::Whole | Part::Initial) || text.starts_with(' ');
    let trailing = matches!(part, Part::Whole | Part::Final) || text.ends_with(' ');
    let mut out = String::with_capacity(text.len() + 2);
    if leading {
        out.push(' ');
    }
    out.push_str(&words.join("  "));
    if trailing {
        out.push(' ');
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spaces_as_in_the_examples_of_rfc_4518() {
        assert_eq!(whole("foo bar  ", Case::Fold), " foo  bar ");
        assert_eq!(whole("", Case::Fold), "  ");
        assert_eq!(whole("   ", Case::Fold), "  ");
        assert_eq!(part("foo bar  ", Case::Fold, Part::Initial), " foo  bar ");
        assert_eq!(part("foo bar  ", Case::Fold, Part::Any), "foo  bar ");
        assert_eq!(part("foo bar  ", Case::Fold, Part::Final), "foo  bar ");
        assert_eq!(part(" ", Case::Fold, Part::Any), " ");
    }

    #[test]
    fn case_width_and_composition_do_not_matter() {
        let variants = [
            "Ａlice Ström",
            "alice  Stro\u{308}m",
            "ALICE STRÖM",
            "al\u{ad}ice\tström",
        ];
        for variant in variants {
            assert_eq!(whole(variant, Case::Fold), " alice  ström ", "{variant}");
        }
        assert_eq!(whole("Straße", Case::Fold), whole("STRASSE", Case::Fold));
        assert_eq!(whole("ὈΔΥΣΣΕΎΣ", Case::Fold), whole("ὀδυσσεύς", Case::Fold));
        assert_ne!(whole("Alice", Case::Keep), whole("alice", Case::Keep));
    }

    #[test]
    fn what_grows_too_long_is_given_up() {
        let long = "\u{fdfa}".repeat(100);
        let prepared = whole(&long, Case::Fold);
        // Spaces between words are doubled after the bytes are counted.
        let bytes = prepared.len() - 2 - prepared.matches("  ").count();
        assert!(bytes > 10 * long.len());
        let within = |most| whole_within(&long, Case::Fold, most);
        assert_eq!(within(bytes), Some(prepared));
        assert_eq!(within(bytes - 1), None);
        assert_eq!(whole_within("ABCDE", Case::Fold, 4), None);
        assert_eq!(whole_within("ABCD", Case::Keep, 4).unwrap(), " ABCD ");
    }

    #[test]
    fn every_character_prepared_twice_is_prepared_once() {
        for character in '\0'..=char::MAX {
            let once = whole(&format!("x{character}x"), Case::Fold);
            assert_eq!(whole(&once, Case::Fold), once, "{character:?}");
        }
        assert_eq!(whole("STRAẞE", Case::Fold), whole("straße", Case::Fold));
    }

    proptest! {
        #[test]
        fn preparing_twice_is_preparing_once(text in "\\PC{0,24}") {
            for case in [Case::Fold, Case::Keep] {
                let once = whole(&text, case);
                prop_assert_eq!(&whole(&once, case), &once);
            }
        }
    }
}
