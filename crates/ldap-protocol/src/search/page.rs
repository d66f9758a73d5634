//! What of a search's entries is sent: those its filter is true of, up to its limits, a page at a
//! time (RFC 2696) or all at once, in the walk's order or another.

use std::sync::Arc;

use super::cost::HEAVY_BYTES;
use super::sort::Sorted;
use super::walk::{Position, Visit, Walk, entry_at};
use super::{Found, Shown, Stop, Taken, View};
use crate::attribute::Selection;
use crate::controls::{Sort, SortKey, SortOutcome};
use crate::decode::Search;
use crate::filter::{Matcher, Progress};
use crate::result::{LdapResult, ResultCode};
use doorward_frontend_api::Undecided;

/// A search, and how its client wants it.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What is searched for.
    pub search: Search,
    /// The page of it that is wanted; none for all of it.
    pub page: Option<Page>,
    /// In which order.
    pub sort: Sort,
}

impl Wanted {
    /// All of a search, in no particular order.
    pub const fn all(search: Search) -> Self {
        Self {
            search,
            page: None,
            sort: Sort::Unasked,
        }
    }
}

/// What all requests for pages of one search have in common, as a digest.
pub type Fingerprint = [u8; 32];

/// A page of a search.
#[derive(Debug, Clone)]
pub struct Page {
    /// The most entries of it.
    pub size: u32,
    /// Of which search.
    pub request: Fingerprint,
    /// Where it begins.
    pub rest: Rest,
    /// How many entries the pages before it had.
    pub sent: u32,
}

/// What of a search is yet to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rest {
    /// What the walk finds behind an entry, or all of it.
    Behind(Option<Position>),
    /// What is left of a sorted list.
    Sorted(Sorted),
}

impl Rest {
    /// How many identifiers it keeps in memory.
    pub fn kept(&self) -> usize {
        match self {
            Self::Behind(_) => 1,
            Self::Sorted(sorted) => sorted.list.len(),
        }
    }
}

/// How a search ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its result.
    pub result: LdapResult,
    /// Where a page was asked for and sent: what comes next.
    pub turned: Option<Turned>,
    /// Whether it was sorted; none where nobody asked, or nothing was found (RFC 2891 section 2).
    pub sorted: Option<SortOutcome>,
}

impl From<LdapResult> for Ended {
    fn from(result: LdapResult) -> Self {
        Self {
            result,
            turned: None,
            sorted: None,
        }
    }
}

impl From<ResultCode> for Ended {
    fn from(code: ResultCode) -> Self {
        LdapResult::new(code).into()
    }
}

/// A page that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turned {
    /// Of which search.
    pub request: Fingerprint,
    /// What is left of it, and how many entries were sent before that; none at its end.
    pub rest: Option<(Rest, u32)>,
}

/// Sends what the filter is true of, and counts.
pub(super) struct Sender<'a, F> {
    view: &'a View<'a>,
    wanted: &'a Wanted,
    found: &'a F,
    matcher: Matcher,
    progress: Progress,
    selection: Selection,
    tally: &'a mut Tally,
}

/// How far a search has come.
pub(super) struct Tally {
    /// How many entries the size limit leaves.
    left: u32,
    /// How many entries the page leaves.
    page_left: Option<u32>,
    sent: u32,
    rest: Rest,
}

impl Tally {
    /// Nothing is sent yet; `own` is the most entries that the listener sends.
    pub(super) fn new(wanted: &Wanted, own: u32) -> Self {
        let asked = wanted.search.size_limit;
        let limit = asked.map_or(own, |wanted| wanted.get().min(own));
        let page = wanted.page.as_ref();
        Self {
            // The limit is on the search, not on each page of it.
            left: limit.saturating_sub(page.map_or(0, |page| page.sent)),
            page_left: page.map(|page| page.size),
            sent: 0,
            rest: page.map_or(Rest::Behind(None), |page| page.rest.clone()),
        }
    }
}

impl<'a, F: Found> Sender<'a, F> {
    /// Goes on from a tally.
    pub(super) const fn new(
        wanted: &'a Wanted,
        view: &'a View<'a>,
        found: &'a F,
        matcher: Matcher,
        selection: Selection,
        tally: &'a mut Tally,
    ) -> Self {
        Self {
            view,
            wanted,
            found,
            matcher,
            progress: Progress::new(),
            selection,
            tally,
        }
    }

    /// Sends the entry if the filter is true of it; whether it did.
    pub(super) async fn offer(&mut self, shown: Shown) -> Result<bool, Stop> {
        let Shown { entry, held } = shown;
        let pace = self.view.pace;
        if !pace
            .matches(&self.matcher, &entry, &mut self.progress)
            .await
        {
            return Ok(false);
        }
        let left = self.tally.left.checked_sub(1).ok_or(Stop::SizeLimit)?;
        let page_left = match self.tally.page_left {
            Some(page_left) => Some(page_left.checked_sub(1).ok_or(Stop::PageFull)?),
            None => None,
        };
        let selected = self.selection.apply(entry, self.wanted.search.types_only);
        match self.found.take(selected, held, pace).await {
            Taken::Yes => {}
            Taken::NotYet => return Err(Stop::NotYet),
            Taken::Never => return Err(Stop::Gone),
        }
        self.tally.left = left;
        self.tally.page_left = page_left;
        self.tally.sent += 1;
        Ok(true)
    }

    /// Sends what the walk finds from where the last page ended.
    pub(super) async fn send_all(&mut self, walk: Walk<'_>) -> Result<(), Stop> {
        let behind = match &self.tally.rest {
            Rest::Behind(position) => *position,
            Rest::Sorted(_) => None,
        };
        let wanted = self.tally.page_left.unwrap_or(u32::MAX);
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        walk.behind(behind, wanted).run(self).await
    }

    /// Sends what the walk finds in the order of the keys, from where the last page ended. The
    /// list is of identifiers: each entry is read again, and left out where it is gone.
    pub(super) async fn send_sorted(
        &mut self,
        walk: &Walk<'_>,
        keys: &[SortKey],
    ) -> Result<(), Stop> {
        let pace = self.view.pace;
        let mut sorted = match &self.tally.rest {
            Rest::Sorted(sorted) => sorted.clone(),
            Rest::Behind(_) => {
                let limit = usize::try_from(self.tally.left).unwrap_or(usize::MAX);
                Sorted::gather(walk, pace, &self.matcher, keys, limit).await?
            }
        };
        // What was gathered to be sorted is gone.
        pace.keep(HEAVY_BYTES);
        let list = Arc::clone(&sorted.list);
        for position in list.iter().skip(sorted.next) {
            let sent = match entry_at(walk.view(), *position).await? {
                Some(entry) => self.offer(entry).await.map(drop),
                None => Ok(()),
            };
            if let Err(stop) = sent {
                self.tally.rest = Rest::Sorted(sorted);
                return Err(stop);
            }
            sorted.next += 1;
        }
        if sorted.cut {
            return Err(Stop::SizeLimit);
        }
        Ok(())
    }
}

impl Tally {
    /// How the search ended.
    pub(super) fn end(
        self,
        wanted: &Wanted,
        outcome: Result<(), Stop>,
    ) -> Result<Ended, Undecided> {
        let code = match outcome {
            Ok(()) | Err(Stop::PageFull) => ResultCode::Success,
            Err(Stop::SizeLimit) => ResultCode::SizeLimitExceeded,
            Err(Stop::Gone | Stop::NotYet) => ResultCode::Other,
            Err(Stop::Refused(refusal)) => return Ok(refusal.into()),
            Err(Stop::Undecided(undecided)) => return Err(undecided),
        };
        let more = matches!(outcome, Err(Stop::PageFull));
        let before = |page: &Page| page.sent.saturating_add(self.sent);
        let turned = wanted.page.as_ref().map(|page| Turned {
            request: page.request,
            rest: more.then(|| (self.rest.clone(), before(page))),
        });
        Ok(Ended {
            result: code.into(),
            turned: turned.filter(|_| code == ResultCode::Success),
            sorted: wanted.sort.outcome().filter(|_| self.sent > 0),
        })
    }
}

impl<F: Found> Visit for Sender<'_, F> {
    async fn visit(&mut self, position: Position, entry: Shown) -> Result<(), Stop> {
        if self.offer(entry).await? {
            self.tally.rest = Rest::Behind(Some(position));
        }
        Ok(())
    }
}
