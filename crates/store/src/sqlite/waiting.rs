//! Where work waits for the threads of the store.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::Unavailable;
use doorward_domain::id::AccountId;
use doorward_domain::name::ClientName;

use super::turns::{Bounds, InTurns, NoRoom};

/// How many probes may wait; a further one takes the place of the oldest, for which nobody waits
/// any more. Whoever may ask for one has far fewer under way.
const PROBES: usize = 1024;

/// In which line something waits.
#[derive(Debug, Clone)]
pub(super) enum Line {
    /// Whether the store answers: before all else, and never kept out by it.
    Probe,
    /// With all that is asked by whoever.
    Common,
    /// In turns with what others ask.
    Of(Asker),
    /// A report of a client's: in turns with those of others, and apart from all else.
    Report(ClientName),
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Asker {
    /// An account.
    Account(AccountId),
    /// The service account of this folded name.
    Service(String),
    /// An attempt that has a place, which is taken until this is done.
    Placed,
}

/// Why a thread that waited was woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Woken {
    /// There is work.
    Work,
    /// Somebody rang.
    Rung,
    /// Neither, in the time that was given.
    Late,
    /// It is closed and there is no work left.
    Over,
}

/// Work, and the threads that wait for it.
pub(super) struct Waiting<T> {
    state: Mutex<State<T>>,
    came: Condvar,
}

struct State<T> {
    probes: VecDeque<T>,
    common: InTurns<Option<Asker>, T>,
    reports: InTurns<ClientName, T>,
    rung: bool,
    open: bool,
}

impl<T> Waiting<T> {
    /// Room for so much.
    pub(super) fn new(common: Bounds, reports: Bounds) -> Self {
        Self {
            state: Mutex::new(State {
                probes: VecDeque::new(),
                common: InTurns::new(common),
                reports: InTurns::new(reports),
                rung: false,
                open: true,
            }),
            came: Condvar::new(),
        }
    }

    /// Each operation leaves the state whole.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts work into its line. What has no room, or loses it, is dropped.
    pub(super) fn put(&self, line: Line, work: T) -> Result<(), Unavailable> {
        let mut state = self.state();
        if !state.open {
            return Err(Unavailable::closed());
        }
        let put = match line {
            Line::Probe => {
                if state.probes.len() >= PROBES {
                    state.probes.pop_front();
                }
                state.probes.push_back(work);
                Ok(())
            }
            Line::Common => state.common.put(None, work),
            Line::Of(asker) => state.common.put(Some(asker), work),
            Line::Report(client) => state.reports.put(client, work),
        };
        drop(state);
        put.map_err(|NoRoom| Unavailable::Busy)?;
        self.came.notify_one();
        Ok(())
    }

    /// Wakes a thread though there is no work.
    pub(super) fn ring(&self) {
        self.state().rung = true;
        self.came.notify_one();
    }

    /// Takes nothing more; what waits is still worked off.
    pub(super) fn close(&self) {
        self.state().open = false;
        self.came.notify_all();
    }

    /// Waits for work, and takes it; none once it is closed and nothing is left.
    pub(super) fn next(&self) -> Option<T> {
        let idle = |state: &mut State<T>| state.has_no_work() && state.open;
        let state = self.came.wait_while(self.state(), idle);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        let probe = state.probes.pop_front();
        probe
            .or_else(|| state.common.take())
            .or_else(|| state.reports.take())
    }

    /// Waits for work or a ring, so long at most where that is said, and takes nothing.
    pub(super) fn wait(&self, patience: Option<Duration>) -> Woken {
        let idle = |state: &mut State<T>| state.has_no_work() && !state.rung && state.open;
        let state = self.state();
        let mut state = match patience {
            None => self
                .came
                .wait_while(state, idle)
                .unwrap_or_else(PoisonError::into_inner),
            Some(patience) => {
                let waited = self.came.wait_timeout_while(state, patience, idle);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        if !state.has_no_work() {
            Woken::Work
        } else if std::mem::take(&mut state.rung) {
            Woken::Rung
        } else if state.open {
            Woken::Late
        } else {
            Woken::Over
        }
    }

    /// Takes what is there: every probe, and at most so much of all else and so many reports, in
    /// this order.
    pub(super) fn group(&self, most: usize, reports: usize) -> Vec<T> {
        let mut state = self.state();
        let state = &mut *state;
        // Whoever rang is served by this.
        state.rung = false;
        let mut group: Vec<T> = state.probes.drain(..).collect();
        group.extend(std::iter::from_fn(|| state.common.take()).take(most));
        group.extend(std::iter::from_fn(|| state.reports.take()).take(reports));
        group
    }

    /// How much waits: probes, reports, and all else.
    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        let state = self.state();
        let reports = state.reports.waiting();
        (state.probes.len(), reports, state.common.waiting())
    }
}

impl<T> State<T> {
    fn has_no_work(&self) -> bool {
        self.probes.is_empty() && self.common.is_empty() && self.reports.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(name: &str) -> Line {
        Line::Report(ClientName::parse(name).unwrap())
    }

    fn waiting() -> Waiting<u32> {
        let reports = Bounds { each: 4, in_all: 8 };
        Waiting::new(Bounds::of_all(4), reports)
    }

    #[test]
    fn a_group_takes_a_part_of_the_reports_and_those_in_turns() {
        let waiting = waiting();
        for number in 0..4 {
            waiting.put(client("loud"), number).unwrap();
        }
        assert_eq!(waiting.put(client("loud"), 4), Err(Unavailable::Busy));
        waiting.put(client("quiet"), 10).unwrap();
        waiting.put(Line::Common, 20).unwrap();
        waiting.put(Line::Probe, 30).unwrap();
        assert_eq!(waiting.group(4, 2), [30, 20, 0, 10]);
        assert_eq!(waiting.group(4, 2), [1, 2]);
    }

    #[test]
    fn a_probe_is_never_kept_out() {
        let waiting = waiting();
        for number in 0..4 {
            waiting.put(Line::Common, number).unwrap();
        }
        assert_eq!(waiting.put(Line::Common, 4), Err(Unavailable::Busy));
        for number in 0..2000 {
            waiting.put(Line::Probe, 100 + number).unwrap();
        }
        let (probes, reports, common) = waiting.counts();
        assert_eq!((probes, reports, common), (PROBES, 0, 4));
        let group = waiting.group(0, 0);
        assert_eq!(group.last(), Some(&2099), "the newest is there");
        assert_eq!(waiting.next(), Some(0));
    }

    #[test]
    fn what_waits_is_worked_off_after_the_end() {
        let waiting = waiting();
        waiting.put(Line::Common, 1).unwrap();
        waiting.ring();
        waiting.close();
        assert!(matches!(
            waiting.put(Line::Common, 2),
            Err(Unavailable::Broken(_))
        ));
        assert_eq!(waiting.wait(None), Woken::Work);
        assert_eq!(waiting.next(), Some(1));
        assert_eq!(waiting.wait(None), Woken::Rung);
        assert_eq!(waiting.wait(None), Woken::Over);
        assert_eq!(waiting.next(), None);
    }
}
