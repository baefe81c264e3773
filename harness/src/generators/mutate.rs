//! Mutations: streams near a given one.
//!
//! Blind mutations of a binary format die at its first length field, and mutations that only ever build valid streams
//! never see an error path. So there are three families: bytes (blind), joints (whole objects are moved, counts are kept
//! right), and [`break_rule`], which breaks exactly one rule of the format, so that the error it causes is not hidden by
//! another one.

use super::Target;
use super::luck::Luck;
use super::skim::{Item, Skim, long, skim, skim_for};
use arbitrary::Unstructured;
use std::ops::Range;

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

/// Containers of one item: what comes before it and after it.
const WRAPPERS: [(&[u8], &[u8]); 11] = [
    (b"[\x01\0\0\0", b""),
    (b"\xdb\x01\0\0\0", b""),
    (b"(\x01\0\0\0", b""),
    (b")\x01", b""),
    (b"\xa9\x01", b""),
    (b"{N", b"0"),
    (b"{", b"N0"),
    (b"<\x01\0\0\0", b""),
    (b">\x01\0\0\0", b""),
    (b":", b"NN"),
    (b"\xfbN", b"0"),
];

/// Type bytes whose objects have the same shape, so that one can be written over the other.
const ALIKE: [&[u8]; 8] = [b"stuaA", b"zZ", b"([<>", b"NTF.S0", b"{}", b"Ig", b"irR", b"fz"];

/// A stream near `base`, with parts of `other`; both may be anything. Shape-aware, without being told the version.
///
/// The cost is a few passes over `base`; bases of more than some 10 KiB make slow cases.
pub fn mutate(u: &mut Unstructured<'_>, base: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = base.to_vec();
    for _ in 0..u.pick(&[1, 1, 1, 1, 2, 2, 3, 5]) {
        if u.one_in(4) || !mutate_joint(u, &mut bytes, other) {
            mutate_bytes(u, &mut bytes, other);
        }
    }
    bytes
}

fn mutate_bytes(u: &mut Unstructured<'_>, bytes: &mut Vec<u8>, other: &[u8]) {
    const INTERESTING: [u8; 12] = [0, 1, 2, 0x7f, 0x80, 0xff, 0xfe, b'0', b'N', b'r', b'(', 0xe9];
    if bytes.is_empty() {
        bytes.extend(u.pick(&STOCK));
        return;
    }
    let at = u.index(bytes.len());
    let some = at..bytes.len().min(at + 1 + u.index(8));
    match u.below(7) {
        0 => bytes[at] ^= 1 << u.below(8),
        1 => bytes[at] = u.byte(),
        2 => bytes[at] = u.pick(&INTERESTING),
        3 => bytes.truncate(at),
        4 => drop(bytes.drain(some)),
        5 => {
            let copy = bytes[some].to_vec();
            bytes.splice(at..at, copy);
        }
        _ => {
            let from = u.index(other.len() + 1);
            let copy = &other[from..other.len().min(from + 1 + u.index(16))];
            bytes.splice(some, copy.iter().copied());
        }
    }
}

/// Moves whole objects; `false` when there is none.
fn mutate_joint(u: &mut Unstructured<'_>, bytes: &mut Vec<u8>, other: &[u8]) -> bool {
    let skimmed = skim(bytes);
    let Some(item) = find(u, &skimmed, |_| true) else { return false };
    let span = item.at..item.end;
    match u.below(12) {
        0 => {
            let donor = skim(other);
            let Some(gift) = find(u, &donor, |_| true) else { return false };
            replace(bytes, span, &other[gift.at..gift.end]);
        }
        1 => {
            let Some(gift) = find(u, &skimmed, |_| true) else { return false };
            let gift = bytes[gift.at..gift.end].to_vec();
            replace(bytes, span, &gift);
        }
        2 => replace(bytes, span, u.pick(&STOCK)),
        3 => {
            let copy = bytes[span.clone()].to_vec();
            replace(bytes, span.end..span.end, &copy);
            recount(bytes, &skimmed, item, 1);
        }
        4 => {
            replace(bytes, span, b"");
            recount(bytes, &skimmed, item, -1);
        }
        5 => {
            let Some(later) = find(u, &skimmed, |i| i.at >= item.end) else { return false };
            let (first, second) = (bytes[span.clone()].to_vec(), bytes[later.at..later.end].to_vec());
            replace(bytes, later.at..later.end, &first);
            replace(bytes, span, &second);
        }
        6 | 7 => bytes[item.at] ^= 0x80,
        8 => {
            let index = i32::try_from(u.below(item.slots + 1)).unwrap_or(0);
            replace(bytes, span, &reference(index));
        }
        9 => {
            let (before, after) = u.pick(&WRAPPERS);
            replace(bytes, span.end..span.end, after);
            replace(bytes, span.start..span.start, before);
        }
        10 => {
            let Some(family) = ALIKE.iter().find(|f| f.contains(&item.code)) else { return false };
            bytes[item.at] = u.pick(family) | (bytes[item.at] & 0x80);
        }
        _ => {
            // A byte of the payload, or of the header of a container.
            let at = (item.at + 1 + u.index(item.end - item.at)).min(bytes.len() - 1);
            // Interpreters make room for what a size claims: a gigabyte takes them longer than a thousand cases.
            let makes_room = b"([".contains(&item.code) && (item.at + 4..item.at + 5).contains(&at);
            bytes[at] = if makes_room && !u.one_in(16) { 0xff } else { u.byte() };
        }
    }
    true
}

/// Breaks one rule of the format in a stream that follows them all.
///
/// Each rule has its own error in some interpreter. Where the rule asks for an object that the stream does not have,
/// another rule is tried; the last resort is to cut the stream.
pub(super) fn break_rule(u: &mut Unstructured<'_>, target: Target, bytes: &[u8]) -> Vec<u8> {
    let skimmed = skim_for(target, bytes);
    let mut broken = bytes.to_vec();
    for _ in 0..8 {
        if break_some_rule(u, target, &mut broken, &skimmed).is_some() {
            return broken;
        }
    }
    broken.truncate(u.index(bytes.len()));
    broken
}

fn break_some_rule(u: &mut Unstructured<'_>, target: Target, bytes: &mut Vec<u8>, skimmed: &Skim) -> Option<()> {
    let parent = |i: &Item| i.parent.map_or(0, |p| skimmed.items[p].code);
    match u.below(16) {
        // Every read needs its bytes.
        0 => {
            let item = find(u, skimmed, |_| true)?;
            bytes.truncate(item.at + u.index(6));
        }
        // Every object has a known type.
        1 => {
            let item = find(u, skimmed, |_| true)?;
            bytes[item.at] = u.pick(b"?\0 \x7fR:}r)z\xffQ");
        }
        // NULL ends dicts and is nothing else.
        2 => {
            let item = find(u, skimmed, |_| true)?;
            replace(bytes, item.at..item.end, b"0");
        }
        // Sizes are not negative and end inside the stream.
        3 | 4 => {
            let item = find(u, skimmed, |i| b"stuaA([<>l".contains(&i.code))?;
            let n = long(bytes, item.at + 1)?;
            let huge = if u.one_in(32) { i32::MAX } else { 100_000 };
            let n = u.pick(&[-1, i32::MIN, n.wrapping_add(1), n.wrapping_sub(1), n.wrapping_neg(), huge]);
            put(bytes, item.at + 1, n)?;
        }
        // Digits have 15 bits, and the last is not 0.
        5 => {
            let item = find(u, skimmed, |i| i.code == b'l' && i.end > i.at + 5)?;
            let (from, digits) = (item.at + 5, (item.end - item.at - 5) / 2);
            let digit = if u.below(2) == 0 { digits - 1 } else { u.index(digits) };
            let bad = u.pick(&[[0, 0], [0, 0x80], [0xff, 0xff]]);
            bytes.get_mut(from + 2 * digit..from + 2 * digit + 2)?.copy_from_slice(&bad);
        }
        // References name a finished, existing object.
        6 | 7 => {
            let item = find(u, skimmed, |_| true)?;
            let slots = i32::try_from(item.slots).ok()?;
            let index = u.pick(&[slots, slots - 1, slots + 1, -1, i32::MIN, i32::MAX, 0]);
            replace(bytes, item.at..item.end, &reference(index));
        }
        // Text is UTF-8.
        8 => {
            let item = find(u, skimmed, |i| b"ut".contains(&i.code) && i.end > i.at + 5)?;
            let at = item.at + 5 + u.index(item.end - item.at - 5);
            *bytes.get_mut(at)? = u.pick(&[0x80, 0xc0, 0xc3, 0xe0, 0xed, 0xf0, 0xf4, 0xf8, 0xff]);
        }
        // Float texts are numbers.
        9 => {
            let item = find(u, skimmed, |_| true)?;
            let text = u
                .pick(&["", " 1", "1 ", "1_0", "0x1p3", "1e", ".", "--1", "infinit", "nan(1)", "\0", "1,5", "\u{661}"]);
            let mut float = vec![b'f', u8::try_from(text.len()).ok()?];
            float.extend(text.as_bytes());
            replace(bytes, item.at..item.end, &float);
        }
        // Keys and members are hashable.
        10 => {
            let item = find(u, skimmed, |i| {
                b"<>".contains(&parent(i)) || b"{}".contains(&parent(i)) && i.position.is_multiple_of(2)
            })?;
            replace(
                bytes,
                item.at..item.end,
                u.pick(&[&b"[\0\0\0\0"[..], b"{0", b"<\0\0\0\0", b"(\x01\0\0\0[\0\0\0\0"]),
            );
        }
        // Counts of code objects are not negative and agree with each other.
        11 => {
            let item = find(u, skimmed, |i| i.code == b'c')?;
            let n = u.pick(&[-1, i32::MIN, i32::MAX, 0, 1, 3, 255]);
            put(bytes, item.at + 1 + 4 * u.index(6), n)?;
        }
        // The fields of code objects have their types.
        12 => {
            let item = find(u, skimmed, |i| parent(i) == b'c')?;
            replace(bytes, item.at..item.end, u.pick(&STOCK));
        }
        // Instructions are pairs of bytes, and every local has a kind.
        13 => {
            let item = find(u, skimmed, |i| parent(i) == b'c' && i.code == b's' && i.end > i.at + 5)?;
            let n = long(bytes, item.at + 1)?;
            put(bytes, item.at + 1, n.checked_sub(1)?)?;
            bytes.remove(item.end - 1);
        }
        // Names are strings. Before 3.9 a name that is none ends the process, which is slow to learn often.
        14 if target.version >= (3, 9) || u.one_in(16) => {
            let item = find(u, skimmed, |i| {
                i.parent.is_some_and(|p| parent(&skimmed.items[p]) == b'c' && skimmed.items[p].position >= 2)
            })?;
            replace(bytes, item.at..item.end, u.pick(&STOCK));
        }
        14 => return None,
        // Nesting has a limit.
        _ => {
            let limit = target.max_depth as usize;
            let containers = u.pick(&[limit, limit - 1, limit + 1, limit.saturating_sub(3)]);
            let (before, after) = u.pick(&WRAPPERS[..7]);
            let wrapped = [&before.repeat(containers), &bytes[..], &after.repeat(containers)].concat();
            *bytes = wrapped;
        }
    }
    Some(())
}

/// An object that `wanted` likes; each has the same chance when all are liked.
fn find(u: &mut Unstructured<'_>, skimmed: &Skim, wanted: impl Fn(&Item) -> bool) -> Option<Item> {
    if skimmed.items.is_empty() {
        return None;
    }
    let start = u.index(skimmed.items.len());
    let (before, after) = skimmed.items.split_at(start);
    after.iter().chain(before).find(|i| wanted(i)).copied()
}

pub(super) fn replace(bytes: &mut Vec<u8>, span: Range<usize>, by: &[u8]) {
    bytes.splice(span, by.iter().copied());
}

pub(super) fn reference(index: i32) -> Vec<u8> {
    [&b"r"[..], &index.to_le_bytes()].concat()
}

/// Writes a 32-bit number over what is there.
pub(super) fn put(bytes: &mut [u8], at: usize, n: i32) -> Option<()> {
    bytes.get_mut(at..at + 4)?.copy_from_slice(&n.to_le_bytes());
    Some(())
}

/// Keeps the item count of `item`'s parent right. Dicts and code objects have none.
fn recount(bytes: &mut [u8], skimmed: &Skim, item: Item, change: i32) {
    let Some(parent) = item.parent.map(|p| skimmed.items[p]) else { return };
    if b"([<>".contains(&parent.code) {
        if let Some(n) = long(bytes, parent.at + 1) {
            put(bytes, parent.at + 1, n.wrapping_add(change));
        }
    } else if parent.code == b')' {
        bytes[parent.at + 1] = bytes[parent.at + 1].wrapping_add_signed(if change < 0 { -1 } else { 1 });
    }
}
