//! Many names in little room: what a large group has in it, and what of that a read brings along.
//!
//! A list is one piece of text with the places where its names end, so that fifty thousand names
//! are two allocations. Nothing here knows where names come from or what they are written into.

use std::sync::Arc;

/// Names in one piece of text, in an order of their own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameList {
    text: String,
    ends: Vec<u32>,
}

impl NameList {
    /// The bytes that a name takes up besides its text.
    const OVERHEAD: usize = size_of::<u32>();

    /// The names, sorted.
    pub fn sorted(names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut unsorted = Self::default();
        for name in names {
            unsorted.push(name.as_ref());
        }
        unsorted.sort()
    }

    /// Adds a name behind the others. What would not fit into four gigabytes of text is left out.
    pub fn push(&mut self, name: &str) {
        let Ok(end) = u32::try_from(self.text.len().saturating_add(name.len())) else {
            return;
        };
        self.text.push_str(name);
        self.ends.push(end);
    }

    /// The same names, sorted by their bytes, in no more room than they need.
    #[must_use]
    pub fn sort(self) -> Self {
        let mut order: Vec<&str> = self.iter().collect();
        order.sort_unstable();
        let mut sorted = Self {
            text: String::with_capacity(self.text.len()),
            ends: Vec::with_capacity(self.ends.len()),
        };
        for name in order {
            sorted.push(name);
        }
        sorted
    }

    /// Adds the names of another list behind these.
    pub fn append(&mut self, other: &Self) {
        for name in other.iter() {
            self.push(name);
        }
    }

    /// The same names, sorted, each of them once.
    #[must_use]
    pub fn distinct(self) -> Self {
        let mut order: Vec<&str> = self.iter().collect();
        order.sort_unstable();
        order.dedup();
        let mut distinct = Self::default();
        for name in order {
            distinct.push(name);
        }
        distinct
    }

    /// How many names.
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many bytes of text all names have together.
    pub const fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// One name.
    pub fn get(&self, index: usize) -> Option<&str> {
        let end = usize::try_from(*self.ends.get(index)?).ok()?;
        let before = index.checked_sub(1).and_then(|last| self.ends.get(last));
        let start = before.map_or(Some(0), |end| usize::try_from(*end).ok())?;
        self.text.get(start..end)
    }

    /// The names, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// How many bytes so many names take up at most, if none is longer than `longest`.
    pub const fn room(names: usize, longest: usize) -> usize {
        names.saturating_mul(longest.saturating_add(Self::OVERHEAD))
    }
}

/// What is in a group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Members {
    /// Users in it, directly or through other groups.
    pub users: NameList,
    /// Groups in it directly.
    pub groups: NameList,
}

/// What a read brings along of a list that may be long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part<T> {
    /// Nobody asked for it.
    Unasked,
    /// The list.
    Here(Arc<T>),
    /// It is too long to come along with others, and is to be read by itself.
    Apart {
        /// How many bytes it takes up at most.
        bytes: usize,
    },
}

impl<T> Part<T> {
    /// The list, where it came along.
    pub const fn here(&self) -> Option<&Arc<T>> {
        match self {
            Self::Here(list) => Some(list),
            Self::Unasked | Self::Apart { .. } => None,
        }
    }
}

/// Whether a read brings lists of names along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lists {
    /// None.
    Unasked,
    /// Those that have so many names together; what is longer stands apart.
    UpTo(usize),
}

/// How much one read returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Portion {
    /// The most records.
    pub records: usize,
    /// The lists of names in them.
    pub lists: Lists,
}

impl Portion {
    /// So many records at most, with all that is in them.
    pub const fn whole(records: usize) -> Self {
        Self {
            records,
            lists: Lists::UpTo(usize::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_come_back_sorted() {
        let list = NameList::sorted(["b", "", "a.c", "B", "ab"]);
        assert_eq!(list.iter().collect::<Vec<_>>(), ["", "B", "a.c", "ab", "b"]);
        assert_eq!((list.len(), list.text_bytes()), (5, 7));
        assert_eq!(list.get(5), None);
        assert!(NameList::default().is_empty());
    }

    proptest! {
        #[test]
        fn a_list_holds_what_a_sorted_vector_holds(names in prop::collection::vec("\\PC{0,12}", 0..40)) {
            let list = NameList::sorted(&names);
            let mut sorted = names;
            sorted.sort();
            prop_assert_eq!(list.iter().collect::<Vec<_>>(), sorted.clone());
            let mut twice = list.clone();
            twice.append(&list);
            sorted.dedup();
            let once = twice.distinct();
            prop_assert_eq!(once.iter().collect::<Vec<_>>(), sorted);
        }
    }
}
