//! How many of each there may be at once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// Places that are taken, by whom.
pub(super) struct Places<K>(Mutex<HashMap<K, usize>>);

impl<K> Default for Places<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq + Clone> Places<K> {
    /// Takes a place, where fewer than `most` are taken by the same.
    pub(super) fn enter(self: &Arc<Self>, key: K, most: usize) -> Option<Place<K>> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.entry(key.clone()).or_default();
        if *own >= most {
            if *own == 0 {
                taken.remove(&key);
            }
            return None;
        }
        *own += 1;
        Some(Place {
            places: Arc::clone(self),
            key,
        })
    }
}

/// A place; given back when dropped.
pub(super) struct Place<K: Hash + Eq> {
    places: Arc<Places<K>>,
    key: K,
}

impl<K: Hash + Eq> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.key) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_by_whom_and_given_back() {
        let places: Arc<Places<&str>> = Arc::default();
        let first = places.enter("a", 2).unwrap();
        let _second = places.enter("a", 2).unwrap();
        assert!(places.enter("a", 2).is_none());
        let _other = places.enter("b", 1).unwrap();
        drop(first);
        assert!(places.enter("a", 2).is_some());
        assert!(places.enter("c", 0).is_none());
        assert_eq!(places.0.lock().unwrap().len(), 2);
    }
}
