//! Who goes ahead in the hashing queue (CONTRACT.md 3.7): whoever was let in from there lately, as
//! long as what went ahead from there did not fail too often.
//!
//! Whoever is where accounts are known can name them all, and would be hashed for before everybody
//! else. A pass is taken before a comparison, of the account and of its origin, and comes back
//! with a grant or where there was no verdict; without one a guess waits with the strangers.

use std::sync::{Mutex, MutexGuard, PoisonError};

use doorward_domain::origin::OriginKey;
use doorward_domain::policy::buckets::{AHEAD_OF_ACCOUNT, AHEAD_OF_ORIGIN, Buckets};
use doorward_domain::time::Monotonic;

use super::throttle::Whom;

/// How many accounts at their origins, and how many origins, are kept at most.
const BOUND: usize = 100_000;

/// Somebody at an origin.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct There {
    pub(super) whom: Whom,
    pub(super) origin: OriginKey,
}

/// The passes that are left.
pub(super) struct Ahead(Mutex<Left>);

struct Left {
    accounts: Buckets<There>,
    origins: Buckets<OriginKey>,
}

/// That one comparison goes ahead.
#[must_use]
#[derive(Debug)]
pub(super) struct Pass(There);

impl Ahead {
    /// Nothing went ahead yet.
    pub(super) fn new() -> Self {
        Self(Mutex::new(Left {
            accounts: Buckets::new(BOUND),
            origins: Buckets::new(BOUND),
        }))
    }

    /// A pass for a comparison, for somebody who is known at an origin; none where they or the origin
    /// have none left. One that is kept is spent.
    pub(super) fn pass(&self, there: &There, now: Monotonic) -> Option<Pass> {
        let mut left = self.held();
        if !left.accounts.take(there.clone(), AHEAD_OF_ACCOUNT, now) {
            return None;
        }
        if !left
            .origins
            .take(there.origin.clone(), AHEAD_OF_ORIGIN, now)
        {
            left.accounts.give_back(there, AHEAD_OF_ACCOUNT, now);
            return None;
        }
        Some(Pass(there.clone()))
    }

    /// Gives the pass of a comparison back that led to no verdict.
    pub(super) fn undecided(&self, pass: Option<Pass>, now: Monotonic) {
        let Some(Pass(there)) = pass else { return };
        let mut left = self.held();
        left.accounts.give_back(&there, AHEAD_OF_ACCOUNT, now);
        left.origins.give_back(&there.origin, AHEAD_OF_ORIGIN, now);
    }

    /// Gives the pass of a comparison back that led to a grant, and to who was let in all that they
    /// have there; not so the origin, which they may share with whoever guesses.
    pub(super) fn granted(&self, there: &There, pass: Option<Pass>, now: Monotonic) {
        self.undecided(pass, now);
        self.held().accounts.forget(there);
    }

    fn held(&self) -> MutexGuard<'_, Left> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_secs(seconds))
    }

    fn there(whom: u32, origin: u32) -> There {
        There {
            whom: Whom::Nobody(format!("user{whom}")),
            origin: OriginKey::new(format!("192.0.2.1|{origin}")),
        }
    }

    /// Takes all passes that somebody has at an origin, and counts them.
    fn passes(ahead: &Ahead, whom: u32, origin: u32, now: Monotonic) -> usize {
        std::iter::from_fn(|| ahead.pass(&there(whom, origin), now))
            .take(1000)
            .count()
    }

    #[test]
    fn contract_3_7_an_account_has_a_few_passes_at_each_origin_and_all_again_once_let_in() {
        let ahead = Ahead::new();
        assert_eq!(passes(&ahead, 1, 1, at(0)), 3);
        assert_eq!(passes(&ahead, 1, 2, at(0)), 3, "elsewhere");
        assert_eq!(passes(&ahead, 2, 1, at(0)), 3, "somebody else");
        assert_eq!(passes(&ahead, 1, 1, at(299)), 0);
        assert_eq!(passes(&ahead, 1, 1, at(300)), 1);
        ahead.granted(&there(1, 1), None, at(300));
        assert_eq!(passes(&ahead, 1, 1, at(300)), 3);
    }

    #[test]
    fn contract_3_7_all_accounts_of_an_origin_share_its_passes() {
        let ahead = Ahead::new();
        let all = |origin, now| {
            let each = (0..1000).map(|whom| passes(&ahead, whom, origin, now));
            each.sum::<usize>()
        };
        assert_eq!(all(1, at(0)), 60);
        assert_eq!(all(2, at(0)), 60);
        assert_eq!(all(1, at(1)), 0);
        assert_eq!(all(1, at(20)), 10);
        ahead.granted(&there(1, 1), None, at(20));
        assert_eq!(all(1, at(20)), 0, "who is let in lets nobody else ahead");
    }

    #[test]
    fn what_comes_back_is_there_for_the_next() {
        let ahead = Ahead::new();
        for number in 0..1000 {
            let pass = ahead.pass(&there(number % 2, 1), at(0));
            assert!(pass.is_some());
            ahead.undecided(pass, at(0));
        }
        assert_eq!(passes(&ahead, 1, 1, at(0)), 3);
    }

    #[test]
    fn an_account_loses_nothing_where_its_origin_has_no_pass_left() {
        let ahead = Ahead::new();
        let spent: usize = (0..20).map(|whom| passes(&ahead, whom, 1, at(0))).sum();
        assert_eq!(spent, 60);
        assert_eq!(passes(&ahead, 99, 1, at(0)), 0);
        assert_eq!(passes(&ahead, 99, 1, at(6)), 3);
    }
}
