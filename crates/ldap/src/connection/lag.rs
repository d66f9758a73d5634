//! How far a client may fall behind while a long entry is written to it.
//!
//! Each piece of one has a time of its own, but what the entry holds of the daemon's memory is held
//! until its last piece is taken.

use std::time::Duration;

/// How many bytes of a long entry a client has to take in a second, in the long run: half of what
/// a line of 64 kbit/s carries.
const SLOWEST: u32 = 4 * 1024;

/// How far a client is behind the slowest line that is waited for. Who was faster before has no
/// time to spare because of it.
#[derive(Debug, Default)]
pub(super) struct Lag(Duration);

impl Lag {
    /// How long the next piece may take, where a client may be behind by no more than `limit`.
    pub(super) const fn left(&self, limit: Duration) -> Duration {
        limit.saturating_sub(self.0)
    }

    /// Notes that the client took a piece, and how long that took.
    pub(super) fn note(&mut self, bytes: usize, span: Duration) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let due = Duration::from_secs(1).saturating_mul(bytes) / SLOWEST;
        self.0 = self.0.saturating_add(span).saturating_sub(due);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);
    const PIECE: usize = 32 * 1024;

    /// How many pieces are taken until there is no time left for one that takes so long.
    fn pieces(span: Duration) -> usize {
        let mut lag = Lag::default();
        let mut taken = 0;
        while taken < 1000 && lag.left(LIMIT) >= span {
            lag.note(PIECE, span);
            taken += 1;
        }
        taken
    }

    #[test]
    fn a_piece_just_in_time_is_followed_by_none() {
        assert_eq!(pieces(LIMIT), 1);
        assert_eq!(pieces(Duration::from_secs(9)), 22);
        assert_eq!(pieces(Duration::from_secs(8)), 1000);
    }

    #[test]
    fn who_was_fast_at_first_has_no_more_time_later() {
        let mut lag = Lag::default();
        for _ in 0..100 {
            lag.note(PIECE, Duration::ZERO);
        }
        assert_eq!(lag.left(LIMIT), LIMIT);
    }

    proptest! {
        #[test]
        fn nobody_takes_longer_than_the_slowest_line_and_the_limit(
            steps in prop::collection::vec((0_usize..2 * PIECE, 0_u64..60_000), 0..100),
        ) {
            let mut lag = Lag::default();
            let (mut bytes, mut whole) = (0, Duration::ZERO);
            for (piece, span) in steps {
                let span = Duration::from_millis(span);
                if span > lag.left(LIMIT) {
                    break;
                }
                lag.note(piece, span);
                bytes += piece;
                whole += span;
                let due = Duration::from_secs(1) * u32::try_from(bytes).unwrap() / SLOWEST;
                // Each piece's due is a whole number of nanoseconds.
                prop_assert!(whole <= due + LIMIT + Duration::from_micros(1));
            }
        }
    }
}
