//! Which source's strangers are the first to go: of the network that holds most of them, and there
//! of the source that does, the one that has the oldest.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use super::{PlaceId, SourceNumber};
use doorward_domain::origin::{PeerUser, Source};

/// The addresses among which one subscriber may choose: an IPv6 /48, an IPv4 /24.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Network {
    V4(u32),
    V6(u128),
    Local(PeerUser),
}

impl Network {
    pub(super) fn of(source: &Source) -> Self {
        match source {
            Source::Address(IpAddr::V4(address)) => Self::V4(address.to_bits() >> 8),
            Source::Address(IpAddr::V6(address)) => Self::V6(address.to_bits() >> 80),
            Source::Local(user) => Self::Local(user.clone()),
        }
    }
}

/// Where somebody stands among others: who has most strangers is the last, of several who has the
/// oldest one.
pub(super) type Rank<T> = (usize, Reverse<PlaceId>, T);

/// The strangers of all sources of one standing.
#[derive(Default)]
pub(super) struct Strangers {
    pub(super) count: usize,
    pub(super) networks: HashMap<Network, Neighbours>,
    pub(super) ranks: BTreeSet<Rank<Network>>,
}

/// Those of one network.
#[derive(Default)]
pub(super) struct Neighbours {
    pub(super) count: usize,
    pub(super) ranks: BTreeSet<Rank<SourceNumber>>,
}

impl Neighbours {
    fn rank(&self, network: &Network) -> Option<Rank<Network>> {
        let (_, oldest, _) = self.ranks.last()?;
        Some((self.count, *oldest, network.clone()))
    }
}

impl Strangers {
    /// Puts one rank of a source in the place of another.
    pub(super) fn rerank(
        &mut self,
        network: &Network,
        before: Option<Rank<SourceNumber>>,
        after: Option<Rank<SourceNumber>>,
    ) {
        let neighbours = self.networks.entry(network.clone()).or_default();
        if let Some(rank) = neighbours.rank(network) {
            self.ranks.remove(&rank);
        }
        if let Some(before) = before {
            neighbours.ranks.remove(&before);
            neighbours.count = neighbours.count.saturating_sub(before.0);
            self.count = self.count.saturating_sub(before.0);
        }
        if let Some(after) = after {
            neighbours.count += after.0;
            self.count += after.0;
            neighbours.ranks.insert(after);
        }
        match neighbours.rank(network) {
            Some(rank) => {
                self.ranks.insert(rank);
            }
            None => {
                self.networks.remove(network);
            }
        }
    }

    /// The source whose oldest stranger is the first to go.
    pub(super) fn heaviest(&self) -> Option<SourceNumber> {
        let (.., network) = self.ranks.last()?;
        let (.., number) = self.networks.get(network)?.ranks.last()?;
        Some(*number)
    }
}
