//! Shares of what all clients have together, handed out to sources in turn.
//!
//! Whoever waits, waits behind others of its own source alone; a source is served once before
//! any is served again. What is counted, places or bytes, is up to whoever asks.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use atomic_waker::AtomicWaker;

use doorward_domain::origin::Source;

/// Something of which there is so much for all, and so much for each source.
#[derive(Debug)]
pub struct Shares {
    ledger: Mutex<Ledger<Source, Arc<Call>>>,
}

/// What somebody has of it, until this is dropped.
#[derive(Debug)]
pub struct Share {
    shares: Arc<Shares>,
    source: Source,
    weight: usize,
}

impl Shares {
    /// So much for all, and so much of that for each source at most.
    pub fn new(total: usize, each: usize) -> Arc<Self> {
        Arc::new(Self {
            ledger: Mutex::new(Ledger::new(total, each)),
        })
    }

    /// Takes a share, or what there is at most where that is less; waits for its source's turn.
    pub async fn take(self: &Arc<Self>, source: &Source, weight: usize) -> Share {
        let waiting = {
            let mut ledger = self.lock();
            let weight = ledger.clamp(weight);
            if ledger.take_at_once(source, weight) {
                return self.share(source, weight);
            }
            let call = Arc::<Call>::default();
            let ticket = ledger.wait(source.clone(), weight, Arc::clone(&call));
            let waiting = Waiting {
                shares: Arc::clone(self),
                source: source.clone(),
                ticket,
                weight,
                called: Some(call),
            };
            // It may be its turn already, where those before it are held back.
            Self::call(&mut ledger);
            waiting
        };
        waiting.turn().await
    }

    #[cfg(test)]
    fn is_waited_for(&self) -> bool {
        !self.lock().round.is_empty()
    }

    #[cfg(test)]
    fn used(&self) -> usize {
        self.lock().used
    }

    fn share(self: &Arc<Self>, source: &Source, weight: usize) -> Share {
        Share {
            shares: Arc::clone(self),
            source: source.clone(),
            weight,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ledger<Source, Arc<Call>>> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls whoever has a turn now. Whoever is called and has gone gives its share back itself.
    fn call(ledger: &mut Ledger<Source, Arc<Call>>) {
        while let Some(call) = ledger.next() {
            call.make();
        }
    }

    fn give_back(&self, source: &Source, weight: usize) {
        let mut ledger = self.lock();
        ledger.give_back(source, weight);
        Self::call(&mut ledger);
    }
}

impl Share {
    /// Gives back what is more than so much.
    pub(super) fn shrink(&mut self, weight: usize) {
        if let Some(more) = self.weight.checked_sub(weight).filter(|more| *more > 0) {
            self.weight = weight;
            self.shares.give_back(&self.source, more);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shares.give_back(&self.source, self.weight);
    }
}

/// Says to one who waits that it has its turn.
#[derive(Debug, Default)]
struct Call {
    made: AtomicBool,
    waker: AtomicWaker,
}

impl Call {
    fn make(&self) {
        self.made.store(true, Ordering::Release);
        self.waker.wake();
    }

    async fn heard(&self) {
        poll_fn(|context| {
            // Before it is looked at, or a call in between would wake nobody.
            self.waker.register(context.waker());
            if self.made.load(Ordering::Acquire) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

/// Somebody who waits. Dropped before its turn it leaves; dropped after, it gives back.
struct Waiting {
    shares: Arc<Shares>,
    source: Source,
    ticket: u64,
    weight: usize,
    /// None once it has become a share.
    called: Option<Arc<Call>>,
}

impl Waiting {
    async fn turn(mut self) -> Share {
        if let Some(call) = &self.called {
            call.heard().await;
        }
        self.called = None;
        self.shares.share(&self.source, self.weight)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.called.is_none() {
            return;
        }
        let mut ledger = self.shares.lock();
        if !ledger.leave(&self.source, self.ticket) {
            ledger.give_back(&self.source, self.weight);
        }
        Shares::call(&mut ledger);
    }
}

/// Who has how much, and who waits: pure, so that its fairness can be tested.
#[derive(Debug)]
struct Ledger<K, W> {
    total: usize,
    each: usize,
    used: usize,
    tickets: u64,
    sources: HashMap<K, Account<W>>,
    /// Sources with somebody waiting, the next to be served first.
    round: VecDeque<K>,
}

#[derive(Debug)]
struct Account<W> {
    held: usize,
    waiting: VecDeque<Claim<W>>,
}

#[derive(Debug)]
struct Claim<W> {
    ticket: u64,
    weight: usize,
    who: W,
}

impl<K: Clone + Eq + std::hash::Hash, W> Ledger<K, W> {
    fn new(total: usize, each: usize) -> Self {
        Self {
            total,
            each: each.min(total),
            used: 0,
            tickets: 0,
            sources: HashMap::new(),
            round: VecDeque::new(),
        }
    }

    /// No share is larger than what one source may have, or it would wait for ever.
    fn clamp(&self, weight: usize) -> usize {
        weight.min(self.each)
    }

    fn fits(&self, source: &K, weight: usize) -> bool {
        let held = self.sources.get(source).map_or(0, |account| account.held);
        held.saturating_add(weight) <= self.each
    }

    /// Takes a share where nobody waits and there is enough.
    fn take_at_once(&mut self, source: &K, weight: usize) -> bool {
        let enough = self.used.saturating_add(weight) <= self.total && self.fits(source, weight);
        if !self.round.is_empty() || !enough {
            return false;
        }
        self.hand_out(source, weight);
        true
    }

    fn hand_out(&mut self, source: &K, weight: usize) {
        self.used = self.used.saturating_add(weight);
        match self.sources.get_mut(source) {
            Some(account) => account.held = account.held.saturating_add(weight),
            None => drop(self.sources.insert(
                source.clone(),
                Account {
                    held: weight,
                    waiting: VecDeque::new(),
                },
            )),
        }
    }

    fn wait(&mut self, source: K, weight: usize, who: W) -> u64 {
        let ticket = self.tickets;
        self.tickets += 1;
        let account = self.sources.entry(source.clone()).or_insert(Account {
            held: 0,
            waiting: VecDeque::new(),
        });
        if account.waiting.is_empty() {
            self.round.push_back(source);
        }
        account.waiting.push_back(Claim {
            ticket,
            weight,
            who,
        });
        ticket
    }

    /// Hands out the next share: to the first source of the round that may have more, if there is
    /// enough for what it waits for. A large share is not overtaken by smaller ones for ever.
    fn next(&mut self) -> Option<W> {
        let first = |account: &Account<W>| account.waiting.front().map(|claim| claim.weight);
        let (index, weight) = self.round.iter().enumerate().find_map(|(index, source)| {
            let weight = self.sources.get(source).and_then(first)?;
            self.fits(source, weight).then_some((index, weight))
        })?;
        if self.used.saturating_add(weight) > self.total {
            return None;
        }
        let source = self.round.remove(index)?;
        let account = self.sources.get_mut(&source)?;
        let claim = account.waiting.pop_front()?;
        let more = !account.waiting.is_empty();
        self.hand_out(&source, weight);
        if more {
            self.round.push_back(source);
        }
        Some(claim.who)
    }

    /// Takes a claim away; false where it is not there, having been served.
    fn leave(&mut self, source: &K, ticket: u64) -> bool {
        let Some(account) = self.sources.get_mut(source) else {
            return false;
        };
        let Some(index) = account.waiting.iter().position(|own| own.ticket == ticket) else {
            return false;
        };
        account.waiting.remove(index);
        if account.waiting.is_empty() {
            self.round.retain(|own| own != source);
        }
        self.forget_idle(source);
        true
    }

    fn give_back(&mut self, source: &K, weight: usize) {
        self.used = self.used.saturating_sub(weight);
        if let Some(account) = self.sources.get_mut(source) {
            account.held = account.held.saturating_sub(weight);
        }
        self.forget_idle(source);
    }

    fn forget_idle(&mut self, source: &K) {
        let idle = |account: &Account<W>| account.held == 0 && account.waiting.is_empty();
        if self.sources.get(source).is_some_and(idle) {
            self.sources.remove(source);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use doorward_fixtures::{block_on, waits_for};

    use super::*;

    fn source(last: u8) -> Source {
        Source::Address(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn sources_are_served_in_turn_however_many_of_one_wait() {
        let mut ledger = Ledger::new(1, 1);
        assert!(ledger.take_at_once(&'a', 1));
        for number in 0..100 {
            ledger.wait('a', 1, ('a', number));
        }
        ledger.wait('b', 1, ('b', 0));
        ledger.wait('b', 1, ('b', 1));
        ledger.wait('c', 1, ('c', 0));
        assert!(ledger.next().is_none(), "the only place is taken");
        let mut served = Vec::new();
        let mut holder = 'a';
        for _ in 0..6 {
            ledger.give_back(&holder, 1);
            let who = ledger.next().unwrap();
            assert!(ledger.next().is_none());
            holder = who.0;
            served.push(who);
        }
        assert_eq!(
            served,
            [('a', 0), ('b', 0), ('c', 0), ('a', 1), ('b', 1), ('a', 2)]
        );
    }

    #[test]
    fn a_source_that_has_its_share_holds_up_no_other() {
        let mut ledger = Ledger::new(10, 4);
        assert!(ledger.take_at_once(&'a', 4));
        assert!(!ledger.take_at_once(&'a', 1));
        ledger.wait('a', 1, 'a');
        ledger.wait('b', 4, 'b');
        assert_eq!(ledger.next(), Some('b'));
        assert_eq!(ledger.next(), None);
        ledger.give_back(&'a', 4);
        assert_eq!(ledger.next(), Some('a'));
        assert_eq!(ledger.used, 5);
    }

    #[test]
    fn a_large_share_is_not_overtaken_by_small_ones() {
        let mut ledger = Ledger::new(10, 10);
        assert!(ledger.take_at_once(&'a', 8));
        ledger.wait('b', 6, 'b');
        assert!(!ledger.take_at_once(&'c', 1));
        ledger.wait('c', 1, 'c');
        assert_eq!(ledger.next(), None);
        ledger.give_back(&'a', 8);
        assert_eq!((ledger.next(), ledger.next()), (Some('b'), Some('c')));
    }

    #[test]
    fn what_is_no_longer_needed_is_given_back() {
        block_on(async {
            let shares = Shares::new(10, 10);
            let mut share = shares.take(&source(1), 8).await;
            let second = source(2);
            let mut waits = Box::pin(shares.take(&second, 7));
            assert!(waits_for(&mut waits));
            share.shrink(9);
            assert_eq!(shares.used(), 8);
            share.shrink(3);
            assert_eq!(shares.used(), 10);
            let other = waits.await;
            drop(share);
            assert_eq!(shares.used(), 7);
            drop(other);
        });
    }

    #[test]
    fn who_hangs_up_while_waiting_leaves_nothing_behind() {
        block_on(async {
            let shares = Shares::new(1, 1);
            let second = source(2);
            let held = shares.take(&source(1), 1).await;
            let mut waits = Box::pin(shares.take(&second, 1));
            assert!(waits_for(&mut waits) && shares.is_waited_for());
            // Called, and gone before it looks.
            drop(held);
            drop(waits);
            assert_eq!((shares.used(), shares.is_waited_for()), (0, false));
            let held = shares.take(&source(1), 1).await;
            let mut waits = Box::pin(shares.take(&second, 1));
            assert!(waits_for(&mut waits));
            drop(waits);
            assert!(!shares.is_waited_for());
            drop(held);
            assert_eq!(shares.used(), 0);
            assert!(shares.lock().sources.is_empty());
        });
    }

    proptest! {
        #[test]
        fn no_more_is_handed_out_than_there_is(
            steps in prop::collection::vec((0_u8..4, 1_usize..6, any::<bool>()), 0..200),
        ) {
            let mut ledger = Ledger::new(10, 6);
            let mut held: Vec<(u8, usize)> = Vec::new();
            for (source, weight, takes) in steps {
                if takes {
                    let weight = ledger.clamp(weight);
                    if ledger.take_at_once(&source, weight) {
                        held.push((source, weight));
                    } else {
                        ledger.wait(source, weight, (source, weight));
                    }
                } else if let Some((source, weight)) = held.pop() {
                    ledger.give_back(&source, weight);
                }
                while let Some(who) = ledger.next() {
                    held.push(who);
                }
                let sum = |of: Option<u8>| {
                    let own = held.iter().filter(|(own, _)| of.is_none_or(|of| of == *own));
                    own.map(|(_, weight)| weight).sum::<usize>()
                };
                prop_assert!(ledger.used == sum(None) && ledger.used <= 10);
                prop_assert!((0..4).all(|source| sum(Some(source)) <= 6));
            }
            // Whatever waits is served once all is given back.
            while let Some((source, weight)) = held.pop() {
                ledger.give_back(&source, weight);
                while let Some(who) = ledger.next() {
                    held.push(who);
                }
            }
            prop_assert!(ledger.round.is_empty() && ledger.sources.is_empty());
        }
    }
}
