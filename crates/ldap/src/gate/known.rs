//! The sources where somebody has bound lately. Kept in memory alone, bounded, and written to
//! only after a bind that succeeded: whoever has no password cannot make itself known.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use doorward_domain::origin::Source;
use doorward_domain::time::Monotonic;

/// How long a source is known after a bind.
const REMEMBERED_FOR: Duration = Duration::from_hours(24);
/// How many sources are known at a time; the one longest without a bind is forgotten first.
const MOST: usize = 16_384;

/// Them, and when somebody last bound there.
#[derive(Default)]
pub(super) struct KnownSources {
    next: u64,
    last: HashMap<Source, (Monotonic, u64)>,
    by_age: BTreeMap<(Monotonic, u64), Source>,
}

impl KnownSources {
    /// Notes a bind.
    pub(super) fn note(&mut self, source: &Source, now: Monotonic) {
        self.next += 1;
        let key = (now, self.next);
        if let Some(before) = self.last.insert(source.clone(), key) {
            self.by_age.remove(&before);
        }
        self.by_age.insert(key, source.clone());
        while let Some(oldest) = self.by_age.first_entry() {
            let lapsed = oldest.key().0.plus(REMEMBERED_FOR) <= now;
            if !lapsed && self.last.len() <= MOST {
                break;
            }
            self.last.remove(&oldest.remove());
        }
    }

    /// Whether somebody has bound there lately.
    pub(super) fn include(&self, source: &Source, now: Monotonic) -> bool {
        self.last
            .get(source)
            .is_some_and(|(then, _)| then.plus(REMEMBERED_FOR) > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(number: usize) -> Source {
        let [.., high, middle, low] = number.to_be_bytes();
        format!("10.{high}.{middle}.{low}").parse().unwrap()
    }

    fn hours(hours: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_hours(hours))
    }

    #[test]
    fn a_source_is_known_for_a_day_after_its_last_bind() {
        let mut known = KnownSources::default();
        known.note(&at(1), hours(0));
        known.note(&at(2), hours(0));
        known.note(&at(1), hours(20));
        assert!(known.include(&at(2), hours(23)));
        assert!(!known.include(&at(2), hours(24)));
        assert!(known.include(&at(1), hours(43)));
        known.note(&at(3), hours(30));
        assert_eq!(known.last.len(), 2, "what has lapsed is let go");
    }

    #[test]
    fn no_more_are_kept_than_the_bound() {
        let mut known = KnownSources::default();
        for number in 0..=MOST {
            known.note(&at(number), hours(0));
        }
        assert_eq!((known.last.len(), known.by_age.len()), (MOST, MOST));
        assert!(!known.include(&at(0), hours(0)));
        assert!(known.include(&at(MOST), hours(0)));
    }
}
