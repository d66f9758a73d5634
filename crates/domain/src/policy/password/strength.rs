//! How easily a password is guessed, by what guessers try first: common words in any case and
//! with letters written as digits, sequences, keyboard rows, years, repetitions.
//!
//! The password is cut into such pieces and single characters so that the sum of their costs is
//! least; a password that costs too little is common. Written for the gateway because the
//! estimators there are read a clock and leave copies of the password behind unwiped.

use zeroize::Zeroizing;

use super::words::COMMON_WORDS;

/// Below this many guesses, as a power of two, a password is common: a guesser who may try a
/// hundred a day for years, and one with a stolen hash for a minute, both find it.
const LEAST_BITS: u32 = 30;

/// A word of the list, in any case and spelling.
const WORD_BITS: u32 = 10;
/// A sequence, a keyboard row or a repetition, of any length.
const RUN_BITS: u32 = 7;
/// A year between 1900 and 2099.
const YEAR_BITS: u32 = 7;
/// One more copy of what went before.
const COPY_BITS: u32 = 2;

/// Rows along which fingers run; digits and the alphabet count as sequences by themselves.
const KEYBOARD_ROWS: [&str; 12] = [
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "yxcvbnm",
    "azertyuiop",
    "qsdfghjklm",
    "wxcvbn",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "qazwsxedcrfvtgbyhnujm",
    "1q2w3e4r5t6y7u8i9o0p",
    "!@#$%^&*()",
];

/// Lower case, for comparing.
pub(super) fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// Whether the password is common or easily guessed.
pub(super) fn is_common(text: &str) -> bool {
    let folded: Zeroizing<Vec<char>> =
        Zeroizing::new(text.chars().flat_map(char::to_lowercase).collect());
    bits(&folded) < LEAST_BITS
}

/// The cost of the cheapest way to make the text, as a power of two.
fn bits(text: &[char]) -> u32 {
    if let Some(block) = repeated_block(text) {
        return bits(block).saturating_add(COPY_BITS);
    }
    let plain: Zeroizing<Vec<char>> = Zeroizing::new(text.iter().copied().map(unleet).collect());
    // `best` at a place is the least cost of everything before it; pieces only ever lead onward.
    let mut best = vec![u32::MAX; text.len() + 1];
    let improve = |best: &mut Vec<u32>, place: usize, cost: u32| {
        if let Some(known) = best.get_mut(place) {
            *known = cost.min(*known);
        }
    };
    improve(&mut best, 0, 0);
    for start in 0..text.len() {
        let before = best.get(start).copied().unwrap_or(u32::MAX);
        let (Some(rest), Some(plain)) = (text.get(start..), plain.get(start..)) else {
            break;
        };
        let mut reach = |length: usize, cost: u32| {
            improve(&mut best, start + length, before.saturating_add(cost));
        };
        if let Some(first) = rest.first() {
            reach(1, character_bits(*first));
        }
        for length in 3..=run_length(rest) {
            reach(length, RUN_BITS);
        }
        if is_year(rest) {
            reach(4, YEAR_BITS);
        }
        for word in COMMON_WORDS {
            if starts_with(rest, word) || starts_with(plain, word) {
                reach(word.chars().count(), WORD_BITS);
            }
        }
    }
    best.last().copied().unwrap_or(0)
}

/// The cost of a character nothing else explains.
fn character_bits(character: char) -> u32 {
    if character.is_ascii_digit() {
        3
    } else if character.is_ascii_lowercase() || character == ' ' {
        4
    } else if character.is_ascii() {
        5
    } else {
        7
    }
}

/// Undoes the letters that are written as digits and signs.
fn unleet(character: char) -> char {
    match character {
        '0' => 'o',
        '1' | '!' | '|' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' | '+' => 't',
        '8' => 'b',
        '9' => 'g',
        other => other,
    }
}

fn starts_with(text: &[char], word: &str) -> bool {
    let mut text = text.iter();
    word.chars().all(|letter| text.next() == Some(&letter))
}

/// The block of which the whole text is made, its last copy perhaps cut short.
fn repeated_block(text: &[char]) -> Option<&[char]> {
    (1..=text.len() / 2).find_map(|period| {
        let shifted = text.get(period..)?;
        shifted
            .iter()
            .zip(text)
            .all(|(later, earlier)| later == earlier)
            .then(|| text.get(..period))?
    })
}

/// How far one character repeats, a sequence counts up or down, or fingers run along a row.
fn run_length(text: &[char]) -> usize {
    let step = |one: char, other: char| i64::from(u32::from(other)) - i64::from(u32::from(one));
    let steps = text
        .iter()
        .zip(text.iter().skip(1))
        .map(|(one, other)| step(*one, *other));
    let first = steps.clone().next();
    let counted = match first {
        Some(first) if (-1..=1).contains(&first) => 1 + steps.take_while(|s| *s == first).count(),
        _ => 1,
    };
    KEYBOARD_ROWS
        .iter()
        .flat_map(|row| [along(text, row.chars()), along(text, row.chars().rev())])
        .fold(counted, usize::max)
}

/// How many characters of the text follow the row, from wherever in it the text begins.
fn along(text: &[char], row: impl Iterator<Item = char>) -> usize {
    let Some(first) = text.first() else {
        return 0;
    };
    row.skip_while(|key| key != first)
        .zip(text)
        .take_while(|(key, typed)| key == *typed)
        .count()
}

fn is_year(text: &[char]) -> bool {
    let Some(&[first, second, third, fourth]) = text.first_chunk() else {
        return false;
    };
    matches!((first, second), ('1', '9') | ('2', '0'))
        && third.is_ascii_digit()
        && fourth.is_ascii_digit()
}
