//! Steps that know nothing of objects: bytes go away, or become simpler ones.

use super::Form;
use super::order::{rank, types};
use std::ops::Range;

/// Up to this length every run of up to [`RUN`] bytes is tried at every place.
const SHORT: usize = 96;
const RUN: usize = 8;

/// Up to this length each byte is tried as every simpler one; in a longer case, as 0.
const EXHAUSTIVE: usize = 256;

/// Up to this length single bytes are tried at all; a longer case has so many parts.
const MANY: usize = 1024;
const PARTS: usize = 64;

/// The least number of bytes that are tried together.
fn least(n: usize) -> usize {
    if n <= MANY { 1 } else { n / PARTS }
}

/// How far what a byte says is moved.
const REACH: usize = 12;

/// Ranges of `0..n` that cover it: the whole, then halves, quarters ..., then parts of `least`.
pub(crate) fn halves(n: usize, least: usize) -> impl Iterator<Item = Range<usize>> {
    let sizes = std::iter::successors((n > 0).then_some(n), move |size| {
        (*size > least).then(|| (size / 2).next_multiple_of(least))
    });
    sizes.flat_map(move |size| (0..n).step_by(size).map(move |from| from..n.min(from + size)))
}

/// Bytes that go away, the most first; at the end every single one, in a case of up to [`MANY`] bytes.
pub(super) fn cuts(case: &[u8]) -> Vec<Range<usize>> {
    let n = case.len();
    let runs = (2..=RUN.min(n)).rev().flat_map(|run| (0..=n - run).map(move |from| from..from + run));
    let runs = runs.filter(|_| n <= SHORT);
    let (many, single): (Vec<_>, Vec<_>) = halves(n, least(n)).partition(|range| range.len() > 1);
    many.into_iter().chain(runs).chain(single).collect()
}

/// Bytes, and what may stand in their place: the simplest first.
pub(super) fn simpler(form: Form, case: &[u8]) -> Vec<(Range<usize>, Vec<u8>)> {
    if case.len() > EXHAUSTIVE {
        let many = halves(case.len(), least(case.len()));
        return many.map(|range| (range.clone(), vec![0; range.len()])).collect();
    }
    let types = types(form, case);
    let (mut steps, mut later) = (Vec::new(), Vec::new());
    for (at, &byte) in case.iter().enumerate() {
        if types.binary_search(&at).is_ok() {
            let mut lower: Vec<u8> = (0..=255).filter(|other| rank(*other) < rank(byte)).collect();
            lower.sort_by_key(|other| rank(*other));
            steps.extend(lower.into_iter().map(|other| (at..at + 1, vec![other])));
        } else {
            steps.extend((0..byte).map(|other| (at..at + 1, vec![other])));
            later.extend((at + 1..case.len().min(at + REACH)).flat_map(|to| moved(case, at, to)));
        }
    }
    steps.extend(later);
    steps
}

/// What a byte says, said by a later one: the bytes from the one to the other.
fn moved(case: &[u8], at: usize, to: usize) -> Vec<(Range<usize>, Vec<u8>)> {
    let byte = case[at];
    let mut steps = Vec::new();
    for left in [0, byte & 0x80, byte.saturating_sub(1)].into_iter().filter(|left| *left < byte) {
        for other in [1, 0x80, byte, byte & 0x7f, case[to] ^ 0x10, case[to].wrapping_add(1)] {
            let mut bytes = case[at..=to].to_vec();
            (bytes[0], bytes[to - at]) = (left, other);
            steps.push((at..to + 1, bytes));
        }
    }
    steps
}
