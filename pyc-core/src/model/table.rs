//! A table of objects by content, for interning and for the keys of dicts and sets.
//!
//! The standard library's maps would store a key for each entry, which the graph has already, and are not there without
//! `std`. This one stores object numbers and asks its user what is equal. Whoever makes streams knows this code, so where
//! an operating system gives a seed, he cannot know which keys collide; nothing but time depends on it.

use super::Object;
use crate::graph::index;
use crate::prelude::*;

/// An open-addressing table of objects.
#[derive(Default)]
pub(super) struct Table {
    /// Hash and object; the object is `FREE` where there is none.
    slots: Vec<(u32, Object)>,
    used: usize,
    seed: u64,
    /// How many slots there are as soon as there are any.
    first: usize,
}

const FREE: Object = u32::MAX;

impl Table {
    /// Forgets all objects. The table need not grow for so many new ones, and takes no memory before the first comes.
    pub(super) fn begin(&mut self, objects: usize) {
        self.slots.clear();
        self.used = 0;
        self.first = (2 * objects).next_power_of_two();
    }

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
        let size = (2 * self.slots.len()).max(self.first).max(16);
        if self.slots.is_empty() {
            self.slots.resize(size, (0, FREE));
            return;
        }
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

/// Numbers for contents: the same number for the same bytes.
#[derive(Default)]
pub(crate) struct Contents {
    table: Table,
    /// All contents, one after the other. A new one is written at the end, before it is numbered.
    pub(crate) bytes: Vec<u8>,
    /// For each number: where its content is. What is like nothing else has none.
    spans: Vec<(usize, usize)>,
}

impl Contents {
    /// Room for so many of them.
    pub(super) fn with_room(contents: usize) -> Contents {
        let mut all = Contents::default();
        all.table.begin(contents);
        all
    }

    /// The number of the content that begins there and ends with the bytes; if it is a new one, as many as there were before.
    pub(crate) fn number(&mut self, start: usize) -> u32 {
        let Contents { table, bytes, spans } = self;
        let last = &bytes[start..];
        let hash = table.hash(last);
        let next = index(spans.len());
        let number = table.find_or_add(hash, next, |other| {
            let (start, end) = spans[other as usize];
            bytes[start..end] == *last
        });
        if number == next {
            spans.push((start, bytes.len()));
        } else {
            bytes.truncate(start);
        }
        number
    }

    /// The number of what is like nothing else.
    pub(crate) fn fresh(&mut self) -> u32 {
        self.spans.push((0, 0));
        index(self.spans.len() - 1)
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

#[cfg(test)]
mod tests {
    use super::{FREE, Table, folded, mixed};

    /// Hashes that fall into one place, and tables that grow.
    #[test]
    fn objects_are_found_by_hash_and_content() {
        for step in [1, 64, 0, 1 << 40] {
            let mut table = Table::default();
            for object in 0..1000 {
                let hash = u64::from(object) * step + 61;
                assert_eq!(table.find_or_add(hash, object, |other| other == object), object);
                assert_eq!(table.find_or_add(hash, FREE - 1, |other| other == object), object);
                assert!(2 * table.used <= table.slots.len() && table.used == object as usize + 1);
                assert!(table.slots.len().is_power_of_two() && table.slots.len() < (4 * table.used).max(17));
            }
            for object in 0..1000 {
                let hash = u64::from(object) * step + 61;
                assert_eq!(table.find(hash, |other| other == object), Ok(object));
                // An object with the same hash is another one if its content is.
                assert!(table.find(hash, |_| false).is_err());
            }
        }
    }

    #[test]
    fn a_table_has_room_for_as_many_objects_as_it_was_told() {
        let mut table = Table::default();
        for objects in [100, 5] {
            table.begin(objects as usize);
            assert!(table.slots.is_empty());
            for object in 0..objects {
                table.find_or_add(object.into(), object, |_| false);
                assert_eq!(table.slots.len(), if objects == 100 { 256 } else { 16 });
            }
        }
    }

    /// What has another hash is not even asked for its content.
    #[test]
    fn hashes_save_comparisons() {
        let mut table = Table::default();
        for object in 0..100 {
            table.find_or_add(u64::from(object), object, |_| panic!("all hashes differ"));
        }
    }

    #[test]
    fn hashes_depend_on_all_bytes_their_order_and_their_number() {
        let mut table = Table { seed: 1, ..Table::default() };
        let mut texts: Vec<Vec<u8>> = (0..40).map(|length| vec![0; length]).collect();
        for place in 0..40 {
            for bit in 0..8 {
                let mut text = vec![0; 40];
                text[place] = 1 << bit;
                texts.push(text);
            }
        }
        let mut hashes: Vec<u32> = texts.iter().map(|text| folded(table.hash(text))).collect();
        assert_eq!(table.hash(b"name"), table.hash(b"name"));
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), texts.len());
        // Any bit of the seed and of a word changes about half of the bits.
        for bit in 0..64 {
            for changed in [mixed(1 << bit, 0), mixed(0, 1 << bit)] {
                let bits = (changed ^ mixed(0, 0)).count_ones();
                assert!((16..=48).contains(&bits), "{bit}: {bits}");
            }
        }
        assert_eq!(folded(0x0000_0001_0000_0000), 1);
        assert_eq!(folded(0x0000_0001_0000_0001), 0);
    }

    /// Other keys collide in each table, where there is a seed.
    #[test]
    fn tables_have_seeds() {
        let (mut one, mut other) = (Table::default(), Table::default());
        one.hash(b"");
        other.hash(b"");
        assert!(one.seed != 0 && (!cfg!(feature = "std") || one.seed != other.seed));
        assert_ne!(one.seed, 0);
        assert_eq!(one.seed & 1, 1);
    }
}
