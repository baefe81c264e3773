//! Blind mutations: bytes, wherever they are.

use super::STOCK;
use crate::generators::luck::Luck;
use arbitrary::Unstructured;

const INTERESTING: [u8; 12] = [0, 1, 2, 0x7f, 0x80, 0xff, 0xfe, b'0', b'N', b'r', b'(', 0xe9];

pub(super) fn mutate(u: &mut Unstructured<'_>, bytes: &mut Vec<u8>, other: &[u8]) {
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
