//! Mutations: streams near a given one.
//!
//! Blind mutations of a binary format die at its first length field, and mutations that only ever build whole streams
//! never see an error path. So there are families, and each has its reason:
//!
//! | family | what it changes | what it is for |
//! |---|---|---|
//! | `bytes` | bytes anywhere, blindly | errors that nobody thought of |
//! | `joints` | one object in place; counts and references around it stay as they were | errors at joints, references that shift |
//! | `moves` | whole objects, with counts and references kept right | other values, other encodings, other sharing |
//! | `rules` | what exactly one rule asks for | each error of the format by itself |
//!
//! The first three take anything, and do better if they know which Python is meant; [`break_rule`] starts from a valid stream. What
//! they cannot reach is what needs several changes that only make sense together, such as a code object's name in two lists.

mod bytes;
mod joints;
mod moves;
mod rules;

pub(super) use joints::{put, reference, replace};
pub(super) use rules::break_rule;

use super::Target;
use super::draft::{Donor, Draft};
use super::luck::Luck;
use super::skim::{long, skim, skim_for};
use super::swarm::LARGE;
use arbitrary::Unstructured;
use joints::Joint;
use moves::Move;

/// Small objects of every kind.
const STOCK: [&[u8]; 26] = [
    b"N",
    b"T",
    b"0",
    b".",
    b"S",
    b"\xce",
    b"i\x01\0\0\0",
    b"\xe9\xe8\x03\0\0",
    b"I\0\0\0\0\x01\0\0\0",
    b"l\0\0\0\0",
    b"l\xfe\xff\xff\xff\x01\0\x01\0",
    b"g\0\0\0\0\0\0\xf8\x7f",
    b"f\x031.5",
    b"x\x010\x02-0",
    b"s\0\0\0\0",
    b"\xf3\x01\0\0\0x",
    b"z\x01x",
    b"\xda\x01x",
    b"u\x02\0\0\0\xc3\xa9",
    b"t\x01\0\0\0x",
    b"(\0\0\0\0",
    b"\xa9\0",
    b"[\0\0\0\0",
    b"{0",
    b">\0\0\0\0",
    b":NNN",
];

/// One mutation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Bytes,
    Joint(Joint),
    Move(Move),
}

/// A stream of at most `limit` bytes near `base`, with parts of `other`; both may be anything.
///
/// The cost is a few passes over `base`; bases of more than some 10 KiB make slow cases.
#[must_use]
pub fn mutate(u: &mut Unstructured<'_>, target: Option<Target>, base: &[u8], other: &[u8], limit: usize) -> Vec<u8> {
    let mut bytes = base.to_vec();
    for _ in 0..u.pick(&[1, 1, 1, 1, 1, 2, 2, 3]) {
        mutate_once(u, target, &mut bytes, other, limit);
    }
    bytes.truncate(limit);
    bytes
}

/// A stream of at most `limit` bytes that is `base` with objects of `other` in it.
#[must_use]
pub fn crossover(u: &mut Unstructured<'_>, target: Option<Target>, base: &[u8], other: &[u8], limit: usize) -> Vec<u8> {
    if let Some(child) = spliced(u, target, base, other, limit).filter(|child| child != base) {
        return child;
    }
    let mut bytes = base.to_vec();
    bytes::mutate(u, &mut bytes, other);
    bytes.truncate(limit);
    bytes
}

fn spliced(
    u: &mut Unstructured<'_>,
    target: Option<Target>,
    base: &[u8],
    other: &[u8],
    limit: usize,
) -> Option<Vec<u8>> {
    let mut draft = Draft::read(base, target)?;
    let donor = Donor::read(other)?;
    for _ in 0..u.pick(&[1, 1, 2, 3]) {
        moves::splice(u, &mut draft, &donor)?;
    }
    draft.write(limit)
}

/// Mutates once, and says how.
fn mutate_once(
    u: &mut Unstructured<'_>,
    target: Option<Target>,
    bytes: &mut Vec<u8>,
    other: &[u8],
    limit: usize,
) -> Kind {
    for _ in 0..4 {
        let kind = match u.below(8) {
            0 | 1 => break,
            2 | 3 => Kind::Joint(u.pick(&Joint::ALL)),
            _ => Kind::Move(u.pick(&Move::ALL)),
        };
        if let Some(mutant) = apply(kind, u, target, bytes, other, limit) {
            *bytes = mutant;
            return kind;
        }
    }
    bytes::mutate(u, bytes, other);
    Kind::Bytes
}

/// `None` when the stream has nothing that this could be done to, or too much comes of it.
fn apply(
    kind: Kind,
    u: &mut Unstructured<'_>,
    target: Option<Target>,
    base: &[u8],
    other: &[u8],
    limit: usize,
) -> Option<Vec<u8>> {
    let mutant = match kind {
        Kind::Bytes => {
            let mut mutant = base.to_vec();
            bytes::mutate(u, &mut mutant, other);
            mutant
        }
        Kind::Joint(joint) => {
            let mut mutant = base.to_vec();
            joints::apply(joint, u, &mut mutant, &target.map_or_else(|| skim(base), |target| skim_for(target, base)))?;
            mutant
        }
        Kind::Move(of) => {
            let mut draft = Draft::read(base, target)?;
            moves::apply(of, u, &mut draft, other)?;
            draft.write(limit)?
        }
    };
    (mutant.len() <= limit && mutant != base).then_some(mutant)
}

/// The most items that a broken stream claims to have, where nothing is large.
const CLAIM: i32 = 1 << 12;

/// Interpreters make room for what a size claims before they find that it is not there: a hundred million items take them
/// longer than a thousand cases. So most of the sizes that go far beyond the end are made smaller.
pub(super) fn curb(u: &mut Unstructured<'_>, target: Target, bytes: &mut [u8]) {
    if u.one_in(8 * LARGE) {
        return;
    }
    let skimmed = skim_for(target, bytes);
    if skimmed.complete {
        return;
    }
    for item in skimmed.items.iter().filter(|item| b"([".contains(&item.code)) {
        let claim = long(bytes, item.at + 1).unwrap_or(0);
        // No interpreter tries to make room for the largest.
        if (2 * CLAIM..i32::MAX / 2).contains(&claim) && claim as usize > bytes.len() {
            put(bytes, item.at + 1, CLAIM | (claim % CLAIM));
        }
    }
}

#[cfg(test)]
mod tests;
