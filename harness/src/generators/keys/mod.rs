//! Keys: small containers whose members are equal, nearly equal, or of equal hash.
//!
//! Which members a set keeps, and which object a constant becomes, is decided by comparisons, and random values hardly ever
//! are equal without being the same: `1`, `1.0`, `True` and `1+0j`; two spellings of one string; tuples, frozensets, slices
//! and code objects of such. So a case draws a few values, each with everything that is equal to it or nearly so
//! (`members`), and puts several spellings of them into sets, dicts, constants of code objects, and containers of those. The
//! sizes are around those at which pyc-core compares in another way.
//!
//! 2.7 goes on reading after an exception in a dict, and then comparing keys of one hash has effects: `failed` makes keys for
//! that, with hashes that it computes itself (`hash`). And one case in sixteen has instructions that end interpreters
//! of some versions, in code whose size and place decide whether anybody looks (`deadly`).
//!
//! Reviewed for Python 3.15.

mod deadly;
mod failed;
mod hash;
mod members;

use super::luck::Luck;
use super::skim::FLAG_REF;
use super::{Generated, Target};
use arbitrary::Unstructured;
use members::Family;

/// A stream about keys.
#[must_use]
pub fn generate(u: &mut Unstructured<'_>, target: Target) -> Generated {
    let mut maker = Maker { u, target, codes: target.code_objects() };
    let valid = |bytes| Generated { bytes, valid: true };
    let form = maker.u.below(16);
    match form {
        8..=15 if target.is_python2() => Generated { bytes: maker.after_exception(), valid: false },
        14 if target.codes && matches!(target.version, (3, 12 | 13)) => {
            Generated { bytes: maker.deadly_code(), valid: false }
        }
        15 if target.codes && target.version >= (3, 11) => Generated { bytes: maker.deadly_code(), valid: false },
        // Some are hashed that have no hash.
        12..=14 if target.marshal_version >= 6 => Generated { bytes: maker.frozen_dicts(), valid: false },
        0..=3 if target.codes => valid(maker.constants()),
        _ => {
            let bytes = maker.container();
            let around = maker.u.below(8);
            valid(match around {
                0 => [&b"[\x01\0\0\0"[..], &bytes].concat(),
                1 => [&b"{N"[..], &bytes, b"0"].concat(),
                // It matters that a set or a dict is one.
                3 if !maker.target.is_python2() && b"<{[".contains(&bytes[0]) && !shares(&bytes) => {
                    let shared = [&[bytes[0] | FLAG_REF], &bytes[1..]].concat();
                    maker.tuple(&[shared, b"r\0\0\0\0".to_vec()])
                }
                // How deep comparisons may go depends on who loads it.
                4 if !maker.target.is_python2() && maker.u.one_in(12) => {
                    return Generated { bytes: maker.deep(), valid: false };
                }
                2 => {
                    let other = maker.container();
                    maker.tuple(&[bytes, other])
                }
                _ => bytes,
            })
        }
    }
}

impl Target {
    /// How many code objects a stream may have: the loader of 3.6 reads freed memory at the second one.
    fn code_objects(self) -> u32 {
        match self.version {
            _ if !self.codes => 0,
            (3, ..7) => 1,
            _ => 8,
        }
    }
}

/// Who makes a stream. What it makes are whole objects, as bytes.
struct Maker<'u, 'd> {
    u: &'u mut Unstructured<'d>,
    target: Target,
    /// How many more code objects there may be.
    codes: u32,
}

/// Whether a stream may have a reference already.
fn shares(bytes: &[u8]) -> bool {
    bytes.contains(&b'r')
}

/// A size as it stands in streams.
fn size(n: usize) -> [u8; 4] {
    u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes()
}

/// A container with its size, of type `code`.
fn sized(code: u8, items: &[Vec<u8>]) -> Vec<u8> {
    [&[code][..], &size(items.len()), &items.concat()].concat()
}

impl Maker<'_, '_> {
    fn tuple(&mut self, items: &[Vec<u8>]) -> Vec<u8> {
        match u8::try_from(items.len()) {
            Ok(n) if !self.target.is_python2() && !self.u.one_in(8) => [&[b')', n][..], &items.concat()].concat(),
            _ => sized(b'(', items),
        }
    }

    /// How many members: mostly a few, now and then more than are compared one with another, or many.
    fn length(&mut self) -> usize {
        match self.u.below(16) {
            0..=8 => 2 + self.u.index(3),
            9..=11 => 4 + self.u.index(5),
            12 | 13 => 8 + self.u.index(3),
            14 => 9 + self.u.index(12),
            _ => self.u.index(2),
        }
    }

    /// Members of a few families, in the same wrapping or not; often one object in several places.
    fn members(&mut self) -> Vec<Vec<u8>> {
        let n = self.length();
        self.members_of(n)
    }

    fn members_of(&mut self, n: usize) -> Vec<Vec<u8>> {
        let families: Vec<Family> = (0..1 + self.u.index(3)).map(|_| self.family()).collect();
        let wrapping = self.wrapping();
        let mut members: Vec<Vec<u8>> = (0..n)
            .map(|_| {
                let other = if self.u.one_in(6) { Some(self.wrapping()) } else { None };
                self.wrapped(other.unwrap_or(wrapping), &families)
            })
            .collect();
        if self.u.one_in(4) && members.len() > 2 {
            // Members that are like nothing else, between those.
            let other = self.constant();
            let at = self.u.index(members.len());
            members.insert(at, other);
        }
        if self.u.below(4) == 1 {
            self.share(&mut members);
        }
        members
    }

    /// Makes one member several: the same object, by references.
    fn share(&mut self, members: &mut [Vec<u8>]) {
        if self.target.is_python2() {
            return share_interned(members);
        }
        let can_be_named = |member: &Vec<u8>| {
            !b"NTF.S".contains(&member[0]) && (member[0] != b'}' || self.target.frozendict_references)
        };
        let Some(first) = members.iter().position(can_be_named) else { return };
        let original = members[first].clone();
        let one_more = first + 1 + self.u.index(members.len() - first);
        for (at, member) in members.iter_mut().enumerate().skip(first + 1) {
            if *member == original || at == one_more {
                *member = b"r\0\0\0\0".to_vec();
            }
        }
        members[first][0] |= FLAG_REF;
    }

    /// A container of members.
    fn container(&mut self) -> Vec<u8> {
        let members = self.members();
        self.holding(&members)
    }

    fn holding(&mut self, members: &[Vec<u8>]) -> Vec<u8> {
        match self.u.below(8) {
            0..=2 => sized(b'<', members),
            3 | 4 => sized(b'>', members),
            5 if self.target.marshal_version >= 6 => self.dict(b'}', members),
            _ => self.dict(b'{', members),
        }
    }

    /// A dict with these keys, whose values tell which of them is there.
    fn dict(&mut self, code: u8, keys: &[Vec<u8>]) -> Vec<u8> {
        let shared = self.u.below(4) == 1;
        let mut out = vec![code];
        for (place, key) in keys.iter().enumerate() {
            out.extend_from_slice(key);
            let place = if shared { 0 } else { u8::try_from(place).unwrap_or(0) };
            let values: &[&[u8]] = &[&[b'i', place, 1, 0, 0], &[b's', 1, 0, 0, 0, place], b"N", b"[\0\0\0\0", b"0"];
            // 2.7 drops a pair whose value is NULL.
            let value = self.u.pick(&values[..if self.target.is_python2() { 5 } else { 4 }]);
            out.extend_from_slice(value);
        }
        out.push(b'0');
        out
    }

    /// A set of two members that are alike, so deep that an interpreter may give up comparing them.
    fn deep(&mut self) -> Vec<u8> {
        let levels = (897 + self.u.index(6)).min(self.target.max_depth as usize - 8);
        let families = [self.family()];
        let members: Vec<Vec<u8>> =
            (0..2).map(|_| [&b")\x01".repeat(levels)[..], &self.spelled(&families[0])].concat()).collect();
        sized(b'<', &members)
    }

    /// A set of frozendicts: they have a hash if all values have one that no later equal key replaces.
    fn frozen_dicts(&mut self) -> Vec<u8> {
        let unhashable: [&[u8]; 3] = [b"[\0\0\0\0", b"{0", b")\x01[\0\0\0\0"];
        let n = 1 + self.u.index(2);
        let dicts: Vec<Vec<u8>> = (0..n)
            .map(|_| {
                let n = 1 + self.u.index(4);
                let families: Vec<Family> = (0..1 + self.u.index(2)).map(|_| self.family()).collect();
                let wrapping = self.wrapping();
                let keys: Vec<Vec<u8>> = (0..n).map(|_| self.wrapped(wrapping, &families)).collect();
                let mut out = vec![b'}'];
                for key in &keys {
                    out.extend_from_slice(key);
                    let plain = self.u.below(2) == 0;
                    let value: &[u8] = if plain { b"N" } else { self.u.pick(&unhashable) };
                    out.extend_from_slice(value);
                }
                out.push(b'0');
                out
            })
            .collect();
        let holder = self.u.pick(b"<>");
        sized(holder, &dicts)
    }

    /// Code objects with such constants: alone, as members of a set, or several in a tuple.
    fn constants(&mut self) -> Vec<u8> {
        let n = 1 + self.u.index(3);
        let codes: Vec<Vec<u8>> = (0..n).filter_map(|_| self.code_of_members()).collect();
        match (codes.len(), self.u.below(4)) {
            (1, _) => codes.concat(),
            (_, 0) => sized(b'<', &codes),
            _ => self.tuple(&codes),
        }
    }

    fn code_of_members(&mut self) -> Option<Vec<u8>> {
        let members = if self.u.below(2) == 0 {
            self.members()
        } else {
            let n = 1 + self.u.index(3);
            (0..n).map(|_| self.frozen()).collect()
        };
        self.code(&members)
    }

    /// A constant that holds others.
    fn frozen(&mut self) -> Vec<u8> {
        let n = 1 + self.u.index(4);
        let members = self.members_of(n);
        if self.u.below(3) == 0 { self.tuple(&members) } else { sized(b'>', &members) }
    }
}

/// Puts references in the place of what is like the first interned string of 2.7.
fn share_interned(members: &mut [Vec<u8>]) {
    let Some(first) = members.iter().position(|member| member.contains(&b't')) else { return };
    let original = members[first].clone();
    if original[0] == b't' {
        let again = members[first + 1..].iter_mut().filter(|member| **member == original);
        again.for_each(|member| *member = b"R\0\0\0\0".to_vec());
    }
}

#[cfg(test)]
mod tests;
