//! Mutations that break exactly one rule of the format, so that the error it causes is not hidden by another one.
//!
//! Reviewed for Python 3.15.

use super::joints::{find, put, reference, replace};
use super::{STOCK, Target};
use crate::generators::luck::Luck;
use crate::generators::skim::{Item, Skim, long, skim_for};
use arbitrary::Unstructured;

/// Containers of one item: what comes before it and after it.
const WRAPPERS: [(&[u8], &[u8]); 7] = [
    (b"[\x01\0\0\0", b""),
    (b"\xdb\x01\0\0\0", b""),
    (b"(\x01\0\0\0", b""),
    (b")\x01", b""),
    (b"\xa9\x01", b""),
    (b"{N", b"0"),
    (b"{", b"N0"),
];

/// Breaks one rule of the format in a stream that follows them all.
///
/// Each rule has its own error in some interpreter. Where the rule asks for an object that the stream does not have,
/// another rule is tried; the last resort is to cut the stream.
pub(in crate::generators) fn break_rule(u: &mut Unstructured<'_>, target: Target, bytes: &[u8]) -> Vec<u8> {
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
            let (before, after) = u.pick(&WRAPPERS);
            let wrapped = [&before.repeat(containers), &bytes[..], &after.repeat(containers)].concat();
            *bytes = wrapped;
        }
    }
    Some(())
}
