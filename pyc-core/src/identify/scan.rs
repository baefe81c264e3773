//! Streams inside of other files: frozen programs, dumps, images of memory.

use super::{Candidate, Finder};
use crate::graph::FLAG_REF;
use crate::prelude::*;
use crate::profile::{CodeLayout, Profile};

/// So many bytes may be read for each byte of the file, before the search is ended.
const EFFORT: usize = 8;

/// In small files, so many bytes may be read.
const LEAST: usize = 1 << 20;

/// More streams are not looked for.
const MOST: usize = 10_000;

pub(super) struct Found {
    pub(super) candidates: Vec<Candidate>,
    pub(super) is_cut: bool,
}

/// Looks for code objects at every byte, and goes on behind each that it finds.
pub(super) fn scan(finder: &mut Finder<'_>) -> Found {
    let bytes = finder.bytes;
    let mut left = bytes.len().saturating_mul(EFFORT).max(LEAST);
    let mut found = Found { candidates: Vec::new(), is_cut: false };
    let mut at = 0;
    while at < bytes.len() {
        let mut best: Vec<Candidate> = Vec::new();
        if bytes[at] & !FLAG_REF == b'c' {
            for profile in Profile::all().filter(|profile| begins(&bytes[at..], profile)) {
                let (candidate, cost) = match finder.try_at(at, profile, None) {
                    Ok(candidate) => (Some(candidate), 2),
                    Err(cost) => (None, cost),
                };
                left = left.saturating_sub(cost.max(candidate.as_ref().map_or(0, |it| it.length)));
                best.extend(candidate);
            }
        }
        if left == 0 || found.candidates.len() >= MOST {
            found.is_cut = true;
            break;
        }
        best.sort_by_key(Candidate::weight);
        let least = best.first().map(Candidate::weight);
        best.retain(|it| Some(it.weight()) == least);
        at += best.first().map_or(1, |it| it.length.max(1));
        found.candidates.extend(best);
    }
    found
}

/// Whether a code object of this version may begin here: a few small numbers, and bytes that are its instructions.
fn begins(bytes: &[u8], profile: &Profile) -> bool {
    let ints = match profile.code_layout {
        CodeLayout::Python27 => 4,
        CodeLayout::Python30 | CodeLayout::Python311 => 5,
        CodeLayout::Python38 => 6,
    };
    let word = |at: usize| bytes.get(at..at + 4)?.first_chunk().map(|word| u32::from_le_bytes(*word));
    let code = 1 + 4 * ints;
    let is_code = bytes.get(code).is_some_and(|byte| byte & !FLAG_REF == b's');
    let fits = word(code + 1).is_some_and(|length| length > 0 && (length as usize) < bytes.len());
    is_code
        && fits
        && (0..ints).all(|place| word(1 + 4 * place).is_some_and(|number| number < 1 << 28))
        && word(1).is_some_and(|arguments| arguments < 1 << 16)
}
