//! What of all that happens one watcher wants to see.
//!
//! Who a conversation is about may be known at its end only: in EAP the name is said inside the
//! tunnel. Its lines are therefore kept, in bounds, until one of them fits, and shown all together.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::{Line, Name, Thread};

/// How many conversations are remembered, and how much memory their lines may take, in octets.
const MAX_THREADS: usize = 1024;
const MAX_OCTETS: usize = 1 << 20;

/// Whom somebody wants to watch; everybody where nothing is given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// A user, by any name that is the account's, or by what was typed.
    pub user: Option<String>,
    /// A client: its entry, its address, its resource, its service account.
    pub client: Option<String>,
}

/// Lets through what is wanted.
#[derive(Debug)]
pub struct Sieve {
    wanted: Wanted,
    threads: HashMap<Thread, Seen>,
    order: VecDeque<Thread>,
    octets: usize,
}

#[derive(Debug, Default)]
struct Seen {
    user: bool,
    client: bool,
    kept: Vec<Arc<Line>>,
}

impl Sieve {
    /// A sieve that has seen nothing.
    pub fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            threads: HashMap::new(),
            order: VecDeque::new(),
            octets: 0,
        }
    }

    /// Takes a line; what is to be shown now. `account` gives the username of the account that a
    /// name belongs to.
    pub fn take<'a>(
        &mut self,
        line: Arc<Line>,
        account: impl Fn(&Name) -> Option<&'a str>,
    ) -> Vec<Arc<Line>> {
        let Wanted { user, client } = &self.wanted;
        if user.is_none() && client.is_none() {
            return vec![line];
        }
        let is_user = user.as_ref().is_none_or(|user| {
            line.names().any(|name| {
                same(&name.typed, user) || account(name).is_some_and(|known| same(known, user))
            })
        });
        let is_client = client
            .as_ref()
            .is_none_or(|wanted| line.clients.iter().any(|client| same(client, wanted)));
        let thread = line.thread;
        let seen = self.threads.entry(thread).or_insert_with(|| {
            self.order.push_back(thread);
            Seen::default()
        });
        seen.user |= is_user;
        seen.client |= is_client;
        if seen.user && seen.client {
            let mut shown = std::mem::take(&mut seen.kept);
            let octets: usize = shown.iter().map(|line| line.size()).sum();
            self.octets = self.octets.saturating_sub(octets);
            shown.push(line);
            self.forget();
            return shown;
        }
        self.octets += line.size();
        seen.kept.push(line);
        self.forget();
        Vec::new()
    }

    /// How much memory the lines kept take, in octets.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.octets
    }

    /// Keeps to the bounds: the oldest conversations go.
    fn forget(&mut self) {
        while self.order.len() > MAX_THREADS || self.octets > MAX_OCTETS {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            if let Some(seen) = self.threads.remove(&oldest) {
                let octets: usize = seen.kept.iter().map(|line| line.size()).sum();
                self.octets = self.octets.saturating_sub(octets);
            }
        }
    }
}

fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}
