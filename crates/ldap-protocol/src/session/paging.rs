//! Searches that are read in pages (RFC 2696): what of each is left, and the cookie that asks for
//! it.
//!
//! A cookie is a number that counts this connection's pages. It means nothing on another
//! connection, and here only together with the request it was given for. What is kept is bounded
//! in number and size; the oldest is forgotten first.

use std::collections::VecDeque;

use sha2::{Digest as _, Sha256};

use crate::controls::{PAGED_RESULTS, PagedRequest};
use crate::decode::{Control, Search};
use crate::search::{Fingerprint, Page, Rest};

/// How many searches one connection may read in pages at once.
pub(super) const OPEN_PAGED_SEARCHES: usize = 8;

/// The searches that a connection reads in pages.
#[derive(Debug, Default)]
pub(super) struct PagedSearches {
    open: VecDeque<Open>,
    pages: u64,
}

#[derive(Debug)]
struct Open {
    cookie: u64,
    request: Fingerprint,
    rest: Rest,
    sent: u32,
}

/// What a request for a page amounts to.
#[derive(Debug)]
pub(super) enum Turn {
    /// This page.
    Page(Page),
    /// Nothing more is wanted: the search was forgotten.
    Abandoned,
    /// The cookie belongs to no search that is read in pages, or to another one.
    Unknown,
}

impl PagedSearches {
    /// Takes a request for a page.
    pub(super) fn turn(
        &mut self,
        asked: &PagedRequest,
        search: &Search,
        controls: &[Control],
    ) -> Turn {
        let request = fingerprint(search, controls);
        if asked.cookie.is_empty() {
            return Turn::Page(Page {
                size: asked.size,
                request,
                rest: Rest::Behind(None),
                sent: 0,
            });
        }
        let is_it =
            |open: &Open| asked.cookie == open.cookie.to_be_bytes() && open.request == request;
        let found = self.open.iter().position(is_it);
        let Some(open) = found.and_then(|index| self.open.remove(index)) else {
            return Turn::Unknown;
        };
        if asked.size == 0 {
            return Turn::Abandoned;
        }
        Turn::Page(Page {
            size: asked.size,
            request,
            rest: open.rest,
            sent: open.sent,
        })
    }

    /// Keeps what is left of a search, and gives the cookie for it. Sorted lists of more than
    /// `identifiers` entries in all push out the oldest.
    pub(super) fn keep(
        &mut self,
        request: Fingerprint,
        rest: Rest,
        sent: u32,
        identifiers: usize,
    ) -> [u8; 8] {
        self.pages += 1;
        self.open.push_back(Open {
            cookie: self.pages,
            request,
            rest,
            sent,
        });
        let kept = |open: &VecDeque<Open>| open.iter().map(|open| open.rest.kept()).sum::<usize>();
        while self.open.len() > OPEN_PAGED_SEARCHES
            || (self.open.len() > 1 && kept(&self.open) > identifiers)
        {
            self.open.pop_front();
        }
        self.pages.to_be_bytes()
    }

    /// A cookie that belongs to nothing, for a search whose session is over.
    pub(super) const fn unknown(&mut self) -> [u8; 8] {
        self.pages += 1;
        self.pages.to_be_bytes()
    }

    /// Forgets all of them: another session begins.
    pub(super) fn clear(&mut self) {
        self.open.clear();
    }
}

/// Everything of a request that must stay the same from page to page (RFC 2696 section 3): all but
/// the message id and the paged results control itself.
fn fingerprint(search: &Search, controls: &[Control]) -> Fingerprint {
    let mut digest = Sha256::new();
    // Each part goes in with its length, so that no two lists of parts read alike.
    let mut add = |part: &[u8]| {
        digest.update(part.len().to_be_bytes());
        digest.update(part);
    };
    add(search.base.as_bytes());
    add(&[
        search.scope as u8,
        search.deref as u8,
        u8::from(search.types_only),
    ]);
    for limit in [search.size_limit, search.time_limit] {
        add(&limit.map_or(0, u32::from).to_be_bytes());
    }
    add(&search.filter.to_ber());
    add(&search.attributes.len().to_be_bytes());
    for attribute in &search.attributes {
        add(attribute.as_bytes());
    }
    for control in controls.iter().filter(|own| own.oid != PAGED_RESULTS) {
        add(control.oid.as_bytes());
        add(&[u8::from(control.critical)]);
        add(control.value.as_deref().unwrap_or_default());
    }
    digest.finalize().into()
}
