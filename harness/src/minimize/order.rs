//! Which of two cases is the simpler one.
//!
//! 1. The shorter one.
//! 2. Of two of one length: their bytes are compared from the first to the last, and the first that differ decide. Type
//!    bytes have the order of [`TYPES`], without a flag before with one, and those of no type come last; all other bytes
//!    are compared as numbers. Of source text, and of what stands behind an unknown type, every byte is a number.
//!
//! What is a type byte follows from the bytes before it, so two cases that were equal up to here agree about it. The order
//! is total and has no endless way down: whoever only goes to simpler cases comes to an end, and two ways to one
//! smallest case end in the same bytes.

use super::Form;
use crate::generators::skim::{FLAG_REF, skim, skim_for};
use std::cmp::Ordering;

/// The types from the simplest on: what has no payload, then by how little is needed to write one.
pub const TYPES: &[u8] = b"NTF.S0)z(sautZA{<>[}:irRgIlfxyc";

/// The place of a type byte in the order.
pub(super) fn rank(byte: u8) -> u8 {
    let code = byte & !FLAG_REF;
    let place = TYPES.iter().position(|known| *known == code);
    let unknown = || {
        let before = (0..code).filter(|other| !TYPES.contains(other)).count();
        TYPES.len() + before
    };
    u8::try_from(place.unwrap_or_else(unknown)).unwrap_or(0) | byte & FLAG_REF
}

/// What two cases of one length are compared by, byte by byte.
pub(super) fn key(form: Form, case: &[u8]) -> Vec<u8> {
    let mut key = case.to_vec();
    for at in types(form, case) {
        key[at] = rank(case[at]);
    }
    key
}

/// The offsets of the type bytes, as far as the stream is understood.
pub(super) fn types(form: Form, case: &[u8]) -> Vec<usize> {
    let header = form.header(case);
    let stream = &case[header..];
    let skimmed = match form {
        Form::Source => return Vec::new(),
        Form::Stream(None) => skim(stream),
        Form::Stream(Some(target)) | Form::Pyc(target) => skim_for(target, stream),
    };
    let cut = skimmed.cut.filter(|cut| skimmed.items.last().is_none_or(|last| cut.at > last.at));
    skimmed.items.iter().chain(&cut).map(|item| header + item.at).collect()
}

/// Simpler is less.
#[must_use]
pub fn compare(form: Form, a: &[u8], b: &[u8]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| if a == b { Ordering::Equal } else { key(form, a).cmp(&key(form, b)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_a_rank_of_its_own() {
        let mut ranks: Vec<u8> = (0..=255).map(rank).collect();
        ranks.sort_unstable();
        assert_eq!(ranks, (0..=255).collect::<Vec<u8>>());
    }

    #[test]
    fn simpler_is_shorter_then_by_types_then_by_numbers() {
        let check = |simpler: &[u8], other: &[u8]| {
            assert_eq!(compare(Form::Stream(None), simpler, other), Ordering::Less, "{simpler:02x?} {other:02x?}");
            assert_eq!(compare(Form::Stream(None), other, simpler), Ordering::Greater);
        };
        check(b"?", b"NN");
        check(b"N", b"T");
        check(b"N", b"\0");
        check(b"N", b"\xce");
        check(b")\x01N", b")\x01T");
        check(b")\0", b"z\0");
        check(b"i\0\0\0\0", b"i\x01\0\0\0");
        check(b"i\0\0\0N", b"i\x01\0\0\0");
        check(b"i\xff\xff\xff\xff", b"l\0\0\0\0");
        check(b"[", b"\xdb");
    }
}
