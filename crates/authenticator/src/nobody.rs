//! Names that belong to no account, and accounts that are not looked at, as far as guesses at them
//! go: they have places and a threshold as other accounts have, so that neither an answer nor a count tells that there is none
//! (CONTRACT.md 5.2). In this process's memory alone; nothing rests on it but likeness.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::sync::Cache;

use doorward_domain::rules::PolicySettings;
use doorward_domain::time::Monotonic;

/// How many names are kept at most.
const CAPACITY: u64 = 50_000;

/// What is charged to names that nobody has.
pub(super) struct Nobodies(Cache<String, Arc<Mutex<Charged>>>);

/// What is charged to one name.
#[derive(Default)]
struct Charged {
    /// When wrong passwords were counted, oldest first.
    failures: VecDeque<Monotonic>,
    /// Guesses under way.
    open: u32,
    /// Since when an account would be locked.
    locked: Option<Monotonic>,
}

/// What an account would answer to a guess.
pub(super) enum Place {
    /// A place; given back or settled.
    Taken(Guessing),
    /// It would be locked: nothing is looked at.
    Locked,
    /// Failures and open places have reached the threshold.
    Full,
}

/// A guess that holds a place.
#[must_use]
pub(super) struct Guessing(Arc<Mutex<Charged>>);

impl Nobodies {
    /// No name was guessed at yet.
    pub(super) fn new() -> Self {
        Self(Cache::new(CAPACITY))
    }

    /// Takes a place for a guess at a name, where failures count toward a lock.
    pub(super) fn take(&self, name: &str, policy: &PolicySettings, now: Monotonic) -> Place {
        let charged = self.0.get_with_by_ref(name, Arc::default);
        let mut state = held(&charged);
        state.forget_old(policy, now);
        // The threshold may have been lowered since.
        state.lock_at_threshold(policy, now);
        if state.locked.is_some() {
            return Place::Locked;
        }
        let failures = u32::try_from(state.failures.len()).unwrap_or(u32::MAX);
        if failures.saturating_add(state.open) >= policy.lockout.threshold {
            return Place::Full;
        }
        state.open = state.open.saturating_add(1);
        drop(state);
        Place::Taken(Guessing(charged))
    }

    /// Counts a wrong password that was looked at: the account may be locked by it.
    pub(super) fn count(&self, name: &str, policy: &PolicySettings, now: Monotonic) {
        held(&self.0.get_with_by_ref(name, Arc::default)).count(policy, now);
    }
}

impl Guessing {
    /// Counts the guess as a wrong password.
    pub(super) fn settle(self, policy: &PolicySettings, now: Monotonic) {
        held(&self.0).count(policy, now);
    }
}

impl Drop for Guessing {
    fn drop(&mut self) {
        let mut state = held(&self.0);
        state.open = state.open.saturating_sub(1);
    }
}

impl Charged {
    fn count(&mut self, policy: &PolicySettings, now: Monotonic) {
        self.forget_old(policy, now);
        self.failures.push_back(now);
        self.lock_at_threshold(policy, now);
    }

    fn lock_at_threshold(&mut self, policy: &PolicySettings, now: Monotonic) {
        let threshold = usize::try_from(policy.lockout.threshold).unwrap_or(usize::MAX);
        if self.failures.len() >= threshold {
            self.failures.clear();
            self.locked = Some(now);
        }
    }

    fn forget_old(&mut self, policy: &PolicySettings, now: Monotonic) {
        let over = |since: Monotonic, span: Duration| now.since(since) >= span;
        let window = policy.lockout.window;
        while self.failures.front().is_some_and(|at| over(*at, window)) {
            self.failures.pop_front();
        }
        if let (Some(since), Some(span)) = (self.locked, policy.lockout.unlock_after)
            && over(since, span)
        {
            self.locked = None;
        }
    }
}

fn held(charged: &Mutex<Charged>) -> MutexGuard<'_, Charged> {
    charged.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_mins(minutes))
    }

    fn guess(nobodies: &Nobodies, policy: &PolicySettings, minutes: u64) -> &'static str {
        match nobodies.take("mallory", policy, at(minutes)) {
            Place::Taken(guessing) => {
                guessing.settle(policy, at(minutes));
                "taken"
            }
            Place::Locked => "locked",
            Place::Full => "full",
        }
    }

    #[test]
    fn a_name_that_nobody_has_is_locked_by_as_many_guesses_as_an_account() {
        let (nobodies, policy) = (Nobodies::new(), PolicySettings::default());
        let threshold = policy.lockout.threshold;
        for _ in 0..threshold {
            assert_eq!(guess(&nobodies, &policy, 1), "taken");
        }
        assert_eq!(guess(&nobodies, &policy, 2), "locked");
        let slowly = Nobodies::new();
        for number in 0..100 {
            assert_eq!(guess(&slowly, &policy, 31 * number), "taken");
        }
    }

    #[test]
    fn a_threshold_that_is_lowered_locks_at_the_next_guess() {
        let (nobodies, mut policy) = (Nobodies::new(), PolicySettings::default());
        for _ in 0..5 {
            assert_eq!(guess(&nobodies, &policy, 1), "taken");
        }
        policy.lockout.threshold = 5;
        assert_eq!(guess(&nobodies, &policy, 1), "locked");
    }

    #[test]
    fn no_more_guesses_are_under_way_than_an_account_would_have_places_for() {
        let (nobodies, policy) = (Nobodies::new(), PolicySettings::default());
        let take = || nobodies.take("mallory", &policy, at(1));
        let mut open: Vec<Place> = (0..policy.lockout.threshold).map(|_| take()).collect();
        assert!(open.iter().all(|place| matches!(place, Place::Taken(_))));
        assert!(matches!(take(), Place::Full));
        drop(open.pop());
        assert!(matches!(take(), Place::Taken(_)));
    }
}
