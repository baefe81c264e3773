//! A table of objects by content, for interning and for the keys of dicts and sets.
//!
//! The standard library's maps would store a key for each entry, which the graph has already, and are not there without
//! `std`. This one stores object numbers and asks its user what is equal. Whoever makes streams knows this code, so where
//! an operating system gives a seed, he cannot know which keys collide; nothing but time depends on it.

use super::Object;
use crate::prelude::*;

/// An open-addressing table of objects.
#[derive(Default)]
pub(super) struct Table {
    /// Hash and object; the object is `FREE` where there is none.
    slots: Vec<(u32, Object)>,
    used: usize,
    seed: u64,
}

const FREE: Object = u32::MAX;

impl Table {
    /// The object that `equal` accepts among those with this hash; if there is none, `object` is added and returned.
    pub(super) fn find_or_add(&mut self, hash: u64, object: Object, equal: impl FnMut(Object) -> bool) -> Object {
        match self.find(hash, equal) {
            Ok(found) => found,
            Err(place) => {
                self.add(place, hash, object);
                object
            }
        }
    }

    /// The object that `equal` accepts among those with this hash, or where it can be added.
    pub(super) fn find(&self, hash: u64, mut equal: impl FnMut(Object) -> bool) -> Result<Object, usize> {
        let hash = folded(hash);
        let mask = self.slots.len().wrapping_sub(1);
        let mut place = hash as usize & mask;
        // The table is never full, so this ends.
        while let Some(&(other, object)) = self.slots.get(place) {
            if object == FREE {
                break;
            }
            if other == hash && equal(object) {
                return Ok(object);
            }
            place = (place + 1) & mask;
        }
        Err(place)
    }

    /// Adds an object at the place that `find` has told.
    pub(super) fn add(&mut self, mut place: usize, hash: u64, object: Object) {
        let hash = folded(hash);
        if (self.used + 1) * 2 > self.slots.len() {
            self.grow();
            place = self.free_place(hash);
        }
        self.slots[place] = (hash, object);
        self.used += 1;
    }

    fn free_place(&self, hash: u32) -> usize {
        let mask = self.slots.len() - 1;
        let mut place = hash as usize & mask;
        while self.slots[place].1 != FREE {
            place = (place + 1) & mask;
        }
        place
    }

    fn grow(&mut self) {
        let size = (2 * self.slots.len()).max(16);
        let old = core::mem::replace(&mut self.slots, alloc::vec![(0, FREE); size]);
        for (hash, object) in old.into_iter().filter(|(_, object)| *object != FREE) {
            let place = self.free_place(hash);
            self.slots[place] = (hash, object);
        }
    }

    /// The hash of some bytes in this table.
    pub(super) fn hash(&mut self, bytes: &[u8]) -> u64 {
        if self.seed == 0 {
            self.seed = seed();
        }
        let mut hash = self.seed ^ bytes.len() as u64;
        let chunks = bytes.chunks_exact(8);
        let mut last = [0; 8];
        last[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
        for chunk in chunks {
            let mut eight = [0; 8];
            eight.copy_from_slice(chunk);
            hash = mixed(hash, u64::from_le_bytes(eight));
        }
        mixed(hash, u64::from_le_bytes(last))
    }
}

fn mixed(hash: u64, word: u64) -> u64 {
    let product = u128::from(hash ^ word ^ 0x9E37_79B9_7F4A_7C15) * 0xD6E8_FEB8_6659_FD93;
    #[allow(clippy::cast_possible_truncation)] // both halves are used
    let folded = product as u64 ^ (product >> 64) as u64;
    folded
}

#[allow(clippy::cast_possible_truncation)] // all bits count already
fn folded(hash: u64) -> u32 {
    (hash ^ hash >> 32) as u32
}

#[cfg(feature = "std")]
fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0) | 1
}

/// Without an operating system there is no seed: then who makes a stream can make it slow.
#[cfg(not(feature = "std"))]
fn seed() -> u64 {
    1
}
