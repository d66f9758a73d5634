//! The values of one attribute: written down, or made of names one at a time as they are looked
//! at, so that a group of fifty thousand never stands in memory as fifty thousand names of entries.

use std::ops::Range;
use std::sync::Arc;

use doorward_domain::names::{Members, NameList};

/// The values of one attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueSet {
    /// Each as it is.
    Listed(Vec<Vec<u8>>),
    /// Made of names.
    Made(Vec<Run>),
}

/// No values.
pub(crate) static NONE: ValueSet = ValueSet::Listed(Vec::new());

/// Values that differ in a name and have the same around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    names: Names,
    before: String,
    after: String,
}

/// Whose names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// Those of a list.
    Of(Arc<NameList>),
    /// The users of a group.
    Users(Arc<Members>),
    /// The groups in a group.
    Groups(Arc<Members>),
}

impl Names {
    fn list(&self) -> &NameList {
        match self {
            Self::Of(list) => list,
            Self::Users(members) => &members.users,
            Self::Groups(members) => &members.groups,
        }
    }
}

impl Run {
    /// The names, each between `before` and `after`.
    pub const fn new(names: Names, before: String, after: String) -> Self {
        Self {
            names,
            before,
            after,
        }
    }

    fn len(&self) -> usize {
        self.names.list().len()
    }

    const fn around(&self) -> usize {
        self.before.len().saturating_add(self.after.len())
    }
}

impl ValueSet {
    /// How many values.
    pub fn len(&self) -> usize {
        match self {
            Self::Listed(values) => values.len(),
            Self::Made(runs) => runs.iter().map(Run::len).sum(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One value; `scratch` is where it is made, if it must be.
    pub fn get<'a>(&'a self, index: usize, scratch: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        match self {
            Self::Listed(values) => values.get(index).map(Vec::as_slice),
            Self::Made(runs) => {
                let mut index = index;
                let run = runs.iter().find(|run| {
                    let here = index < run.len();
                    if !here {
                        index -= run.len();
                    }
                    here
                })?;
                scratch.clear();
                scratch.extend_from_slice(run.before.as_bytes());
                scratch.extend_from_slice(run.names.list().get(index)?.as_bytes());
                scratch.extend_from_slice(run.after.as_bytes());
                Some(scratch)
            }
        }
    }

    /// How long each value is, in order.
    pub(crate) fn lengths(&self) -> impl Iterator<Item = usize> {
        let (listed, runs): (&[Vec<u8>], &[Run]) = match self {
            Self::Listed(values) => (values, &[]),
            Self::Made(runs) => (&[], runs),
        };
        let made = runs.iter().flat_map(|run| {
            let around = run.around();
            run.names.list().iter().map(move |name| around + name.len())
        });
        listed.iter().map(Vec::len).chain(made)
    }

    /// How many bytes of memory they hold alone; names are shared.
    pub(crate) fn held(&self) -> usize {
        match self {
            Self::Listed(values) => values.iter().map(|value| value.len() + VALUE_ROOM).sum(),
            Self::Made(runs) => runs.iter().map(|run| run.around() + VALUE_ROOM).sum(),
        }
    }

    /// The values of a range, each copied out: for those that are few.
    pub(crate) fn copied(&self, range: Range<usize>) -> Vec<Vec<u8>> {
        let mut scratch = Vec::new();
        range
            .map_while(|index| self.get(index, &mut scratch).map(<[u8]>::to_vec))
            .collect()
    }
}

/// What a value costs in memory besides its bytes.
const VALUE_ROOM: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_made_run_by_run() {
        let members = Arc::new(Members {
            users: NameList::sorted(["bob", "alice"]),
            groups: NameList::sorted(["staff"]),
        });
        let run = |names, before: &str| Run::new(names, before.to_owned(), ",dc=x".to_owned());
        let set = ValueSet::Made(vec![
            run(Names::Users(Arc::clone(&members)), "uid="),
            run(Names::Groups(Arc::clone(&members)), "cn="),
        ]);
        let expected = ["uid=alice,dc=x", "uid=bob,dc=x", "cn=staff,dc=x"];
        let expected: Vec<Vec<u8>> = expected.map(|text| text.as_bytes().to_vec()).to_vec();
        assert_eq!(set.copied(0..9), expected);
        assert_eq!(set.len(), 3);
        let lengths: Vec<usize> = expected.iter().map(Vec::len).collect();
        assert_eq!(set.lengths().collect::<Vec<_>>(), lengths);
        assert_eq!(set.get(3, &mut Vec::new()), None);
        assert!(ValueSet::Made(Vec::new()).is_empty() && NONE.is_empty());
    }
}
