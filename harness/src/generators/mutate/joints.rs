//! Mutations of one object in place: what surrounds it stays as it was, and so may be wrong afterwards.

use super::STOCK;
use crate::generators::luck::Luck;
use crate::generators::skim::{Item, Skim};
use arbitrary::Unstructured;
use std::ops::Range;

/// What is done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Joint {
    /// Its flag is toggled; references behind it mean other objects.
    Flag,
    /// A byte of its payload or of its size is another one.
    Content,
    /// Its type is another one with the same shape.
    Type,
    /// It is gone.
    Lose,
    /// Something stands before it.
    Insert,
    /// It is a reference, and names some slot.
    Index,
}

impl Joint {
    pub(super) const ALL: [Joint; 6] =
        [Joint::Flag, Joint::Content, Joint::Type, Joint::Lose, Joint::Insert, Joint::Index];
}

/// Type bytes whose objects have the same shape, so that one can be written over the other.
const ALIKE: [&[u8]; 8] = [b"stuaA", b"zZ", b"([<>", b"NTF.S0", b"{}", b"Ig", b"irR", b"fz"];

/// `None` when the stream has no object for it.
pub(super) fn apply(joint: Joint, u: &mut Unstructured<'_>, bytes: &mut Vec<u8>, skimmed: &Skim) -> Option<()> {
    let item = find(u, skimmed, |item| joint != Joint::Type || ALIKE.iter().any(|alike| alike.contains(&item.code)))?;
    match joint {
        Joint::Flag => bytes[item.at] ^= 0x80,
        Joint::Content => {
            let at = (item.at + 1 + u.index(item.end - item.at)).min(bytes.len() - 1);
            // Interpreters make room for what a size claims: a gigabyte takes them longer than a thousand cases.
            let makes_room = b"([".contains(&item.code) && (item.at + 4..item.at + 5).contains(&at);
            bytes[at] = if makes_room && !u.one_in(16) { 0xff } else { u.byte() };
        }
        Joint::Type => {
            let alike = ALIKE.iter().find(|alike| alike.contains(&item.code))?;
            bytes[item.at] = u.pick(alike) | (bytes[item.at] & 0x80);
        }
        Joint::Lose => replace(bytes, item.at..item.end, b""),
        Joint::Insert => replace(bytes, item.at..item.at, u.pick(&STOCK)),
        Joint::Index => {
            let index = i32::try_from(u.below(item.slots + 2)).unwrap_or(0);
            replace(bytes, item.at..item.end, &reference(index));
        }
    }
    Some(())
}

/// An object that `wanted` likes; each has the same chance when all are liked.
pub(super) fn find(u: &mut Unstructured<'_>, skimmed: &Skim, wanted: impl Fn(&Item) -> bool) -> Option<Item> {
    if skimmed.items.is_empty() {
        return None;
    }
    let start = u.index(skimmed.items.len());
    let (before, after) = skimmed.items.split_at(start);
    after.iter().chain(before).find(|i| wanted(i)).copied()
}

pub(in crate::generators) fn replace(bytes: &mut Vec<u8>, span: Range<usize>, by: &[u8]) {
    bytes.splice(span, by.iter().copied());
}

pub(in crate::generators) fn reference(index: i32) -> Vec<u8> {
    [&b"r"[..], &index.to_le_bytes()].concat()
}

/// Writes a 32-bit number over what is there.
pub(in crate::generators) fn put(bytes: &mut [u8], at: usize, n: i32) -> Option<()> {
    bytes.get_mut(at..at + 4)?.copy_from_slice(&n.to_le_bytes());
    Some(())
}
