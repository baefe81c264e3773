//! Random *encodings*: legal ones that no writer chooses, and streams that break a rule.
//!
//! A reader is more than the inverse of its writer. It must take long forms of short things, flags that nobody needs,
//! references from anywhere, odd spellings of floats, Latin-1 bytes in "ASCII" strings, bytes after the end; and where it
//! refuses, it must refuse for the right reason. Three in eight of these streams are legal (those of
//! [`super::values`] in any spelling), two are made for one rule (`corners`), one breaks one, and two are mutations of
//! streams that exist.

use super::corners;
use super::emit::Style;
use super::luck::Luck;
use super::mutate::{break_rule, curb, mutate};
use super::values::compose;
use super::{Generated, Target};
use arbitrary::Unstructured;
use std::borrow::Cow;

/// Mutations can double a stream, and there are several.
const MAX_MUTANT: usize = 1 << 20;

/// A stream for the target's reader to accept or to refuse.
#[must_use]
pub fn generate(u: &mut Unstructured<'_>, target: Target, bases: &[Vec<u8>]) -> Generated {
    let form = u.below(8);
    let bytes = match form {
        0..=2 => legal(u, target),
        3 | 4 => corners::generate(u, target),
        5 => {
            let stream = compose(u, target, Style::Any);
            let mut broken = break_rule(u, target, &stream);
            curb(u, target, &mut broken);
            broken
        }
        _ => {
            let stream = base(u, target, bases);
            let other = if bases.is_empty() { &stream } else { &bases[u.index(bases.len())][..] };
            let mut mutant = mutate(u, Some(target), &stream, other, MAX_MUTANT);
            curb(u, target, &mut mutant);
            mutant
        }
    };
    Generated { bytes, valid: form < 3 }
}

/// A stream that the target accepts, in any spelling, now and then with a few bytes after its end.
#[must_use]
pub fn legal(u: &mut Unstructured<'_>, target: Target) -> Vec<u8> {
    let mut stream = compose(u, target, Style::Any);
    if u.one_in(8) {
        let n = u.index(9);
        stream.extend(u.octets(n));
    }
    stream
}

/// One of the bases, or a stream of our own.
fn base<'a>(u: &mut Unstructured<'_>, target: Target, bases: &'a [Vec<u8>]) -> Cow<'a, [u8]> {
    if bases.is_empty() || u.one_in(4) {
        Cow::Owned(compose(u, target, Style::Any))
    } else {
        Cow::Borrowed(&bases[u.index(bases.len())])
    }
}
