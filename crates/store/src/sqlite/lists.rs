//! How many names one read may bring along: what is longer is left to a read of its own, so that a
//! batch of large groups never stands in memory at once.

use std::sync::Arc;

use doorward_domain::names::{Lists, Members, NameList, Part};

use super::fault::Fault;

/// A list of names, as its length is counted.
pub(super) trait Names {
    /// How many names.
    fn count(&self) -> usize;
}

impl Names for NameList {
    fn count(&self) -> usize {
        self.len()
    }
}

impl Names for Members {
    fn count(&self) -> usize {
        self.users.len().saturating_add(self.groups.len())
    }
}

/// What is left of a read's names.
pub(super) struct Allowance(Option<usize>);

impl Allowance {
    pub(super) fn new(lists: Lists) -> Self {
        match lists {
            Lists::Unasked => Self(None),
            Lists::UpTo(most) => Self(Some(most)),
        }
    }

    /// A list, read with at most so many names; where there are more than are left, how much room
    /// it takes by itself.
    pub(super) fn part<T: Names>(
        &mut self,
        read: impl FnOnce(i64) -> Result<T, Fault>,
        room: impl FnOnce() -> Result<usize, Fault>,
    ) -> Result<Part<T>, Fault> {
        let Some(left) = &mut self.0 else {
            return Ok(Part::Unasked);
        };
        // One more than is left tells whether there are more.
        let most = i64::try_from(left.saturating_add(1)).unwrap_or(i64::MAX);
        let list = read(most)?;
        if let Some(rest) = left.checked_sub(list.count()) {
            *left = rest;
            return Ok(Part::Here(Arc::new(list)));
        }
        Ok(Part::Apart { bytes: room()? })
    }
}

/// The room for so many names, as a statement counted them.
pub(super) fn room(names: i64, longest: usize) -> usize {
    NameList::room(usize::try_from(names).unwrap_or(usize::MAX), longest)
}
