//! Handshakes under way: bounded in all and by source.
//!
//! Who is at the other end is not known yet, so whoever holds many gives way to whoever needs one:
//! at the bound of a source its own oldest handshake, else the oldest of the source that holds most.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use doorward_domain::origin::Source;

/// How many handshakes there may be at once, and how many with one source.
const HANDSHAKES: usize = 256;
const PER_SOURCE: usize = 32;

/// All of them, on all listeners together.
#[derive(Default)]
pub(super) struct Handshakes(Mutex<UnderWay>);

#[derive(Default)]
struct UnderWay {
    next: u64,
    count: usize,
    /// The oldest first.
    by_source: HashMap<Source, VecDeque<(u64, CancellationToken)>>,
}

impl UnderWay {
    /// The source that has to give one up for another of `source`.
    fn heaviest(&self, source: &Source) -> Option<Source> {
        if self.by_source.get(source).map_or(0, VecDeque::len) >= PER_SOURCE {
            return Some(source.clone());
        }
        if self.count < HANDSHAKES {
            return None;
        }
        // No more sources than there are handshakes, and only where there is no room.
        let oldest = |own: &VecDeque<(u64, _)>| own.front().map(|(number, _)| Reverse(*number));
        self.by_source
            .iter()
            .max_by_key(|(_, own)| (own.len(), oldest(own)))
            .map(|(source, _)| source.clone())
    }

    fn remove(&mut self, source: &Source, number: u64) -> Option<CancellationToken> {
        let own = self.by_source.get_mut(source)?;
        let place = own.iter().position(|(other, _)| *other == number)?;
        let (_, lost) = own.remove(place)?;
        if own.is_empty() {
            self.by_source.remove(source);
        }
        self.count = self.count.saturating_sub(1);
        Some(lost)
    }
}

impl Handshakes {
    /// Begins one, at the price of another where there is no room.
    pub(super) fn begin(self: &Arc<Self>, source: Source) -> Handshake {
        let mut under_way = self.under_way();
        if let Some(heaviest) = under_way.heaviest(&source)
            && let Some((oldest, _)) = under_way.by_source.get(&heaviest).and_then(VecDeque::front)
        {
            let oldest = *oldest;
            if let Some(lost) = under_way.remove(&heaviest, oldest) {
                lost.cancel();
            }
        }
        let number = under_way.next;
        under_way.next += 1;
        under_way.count += 1;
        let lost = CancellationToken::new();
        let own = under_way.by_source.entry(source.clone()).or_default();
        own.push_back((number, lost.clone()));
        drop(under_way);
        Handshake {
            all: Arc::clone(self),
            source,
            number,
            lost,
        }
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One handshake; over when dropped.
pub(super) struct Handshake {
    all: Arc<Handshakes>,
    source: Source,
    number: u64,
    lost: CancellationToken,
}

impl Handshake {
    /// Waits until another needs its place.
    pub(super) async fn lost(&self) {
        self.lost.cancelled().await;
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.all.under_way().remove(&self.source, self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(all: &Arc<Handshakes>, network: u8, last: usize) -> Handshake {
        all.begin(format!("192.0.{network}.{last}").parse().unwrap())
    }

    #[test]
    fn who_holds_most_gives_way_and_nobody_else() {
        let all = Arc::<Handshakes>::default();
        let alone = begin(&all, 1, 1);
        let many: Vec<_> = (0..HANDSHAKES - 1)
            .map(|number| begin(&all, 2, number / PER_SOURCE))
            .collect();
        assert!(many.iter().all(|handshake| !handshake.lost.is_cancelled()));
        let next: Vec<_> = (0..100).map(|last| begin(&all, 3, last)).collect();
        assert_eq!(all.under_way().count, HANDSHAKES);
        assert!(!alone.lost.is_cancelled());
        assert!(next.iter().all(|handshake| !handshake.lost.is_cancelled()));
        assert!(many[0].lost.is_cancelled());
        drop((alone, many, next));
        let under_way = all.under_way();
        assert_eq!((under_way.count, under_way.by_source.len()), (0, 0));
    }

    #[test]
    fn a_source_at_its_own_bound_loses_its_own() {
        let all = Arc::<Handshakes>::default();
        let other = begin(&all, 1, 1);
        let own: Vec<_> = (0..=PER_SOURCE).map(|_| begin(&all, 1, 2)).collect();
        assert!(own[0].lost.is_cancelled() && !own[1].lost.is_cancelled());
        assert!(!other.lost.is_cancelled());
    }
}
