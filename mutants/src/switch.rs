//! Which mutant is switched on, in this thread. The copy has this file as a module of its own.
//!
//! A thread begins with the mutant that [`VARIABLE`] names, so that tests, which know nothing of this, can be run with one.
//!
//! Each place that was mutated asks [`on`]; each loop, function and closure calls [`step`], and what takes room asks [`room`]:
//! so that a mutant that does not end, or that fills the memory, panics.

use std::cell::{Cell, RefCell};
use std::sync::OnceLock;

/// The variable of the environment that names the first mutant of each thread.
const VARIABLE: &str = "PROVOST_MUTANT";

/// No mutant: the places are noted that ask.
const WATCH: u32 = u32::MAX;

/// A number that is none.
const NONE: u32 = u32::MAX - 1;

/// What no right reader asks for at once: elements of a vector.
const ROOM: usize = 1 << 24;

thread_local! {
    static CHOSEN: Cell<u32> = Cell::new(first());
    static STEPS: Cell<u64> = const { Cell::new(u64::MAX) };
    static SEEN: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

fn first() -> u32 {
    static FIRST: OnceLock<u32> = OnceLock::new();
    let named = || std::env::var(VARIABLE).ok()?.parse().ok();
    *FIRST.get_or_init(|| named().unwrap_or(0))
}

/// Whether this mutant is switched on.
#[inline]
pub fn on(mutant: u32) -> bool {
    let chosen = CHOSEN.get();
    chosen == mutant || (chosen == WATCH && note(mutant))
}

/// The same, where the mutant makes no difference unless `differs` says so: then nobody needs to try it.
#[inline]
pub fn on_if(mutant: u32, differs: impl FnOnce() -> bool) -> bool {
    let chosen = CHOSEN.get();
    chosen == mutant || (chosen == WATCH && differs() && note(mutant))
}

/// A guard with its mutants that are always true and never true; a number that is none stands for one that is not there.
#[inline]
#[must_use]
pub fn guard(right: bool, always: u32, never: u32) -> bool {
    let chosen = CHOSEN.get();
    if chosen == WATCH {
        let differs = if right { never } else { always };
        _ = differs != NONE && note(differs);
    }
    (right || chosen == always) && chosen != never
}

/// The one of these that is switched on; else any other number.
#[inline]
#[must_use]
pub fn one_of(mutants: &[u32]) -> u32 {
    let chosen = CHOSEN.get();
    if chosen == WATCH {
        mutants.iter().for_each(|mutant| _ = note(*mutant));
    }
    chosen
}

#[cold]
fn note(mutant: u32) -> bool {
    let (word, bit) = (mutant as usize / 64, mutant % 64);
    SEEN.with_borrow_mut(|seen| {
        if seen.len() <= word {
            seen.resize(word + 1, 0);
        }
        seen[word] |= 1 << bit;
    });
    false
}

/// One step is done.
///
/// # Panics
/// When there have been as many as were granted.
#[inline]
pub fn step() {
    let left = STEPS.get();
    assert!(left != 0, "it does not come to an end");
    STEPS.set(left - 1);
}

/// A number of elements.
///
/// # Panics
/// When nobody needs so many.
#[inline]
#[must_use]
pub fn room(elements: usize) -> usize {
    assert!(elements <= ROOM, "it takes room for {elements}");
    elements
}

/// Switches one mutant on, and all others off; 0 is none of them.
pub fn choose(mutant: u32, steps: u64) {
    CHOSEN.set(mutant);
    STEPS.set(steps);
}

/// Switches all mutants off, and notes from now on whose places are come by.
pub fn watch() {
    SEEN.with_borrow_mut(|seen| seen.fill(0));
    choose(WATCH, u64::MAX);
}

/// Ends [`watch`]: the mutants whose places were come by, and the steps that were done.
#[must_use]
pub fn seen() -> (Vec<u32>, u64) {
    let steps = u64::MAX - STEPS.get();
    choose(0, u64::MAX);
    let bits = |(word, bits): (usize, &u64)| {
        let bits = *bits;
        (0..64).filter(move |bit| bits & 1 << bit != 0).map(move |bit| word as u32 * 64 + bit)
    };
    (SEEN.with_borrow(|seen| seen.iter().enumerate().flat_map(bits).collect()), steps)
}

/// One of two iterators over the same.
pub enum Either<A, B> {
    Left(A),
    Right(B),
}

impl<A: Iterator<Item = B::Item>, B: Iterator> Iterator for Either<A, B> {
    type Item = B::Item;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Either::Left(one) => one.next(),
            Either::Right(other) => other.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Either::Left(one) => one.size_hint(),
            Either::Right(other) => other.size_hint(),
        }
    }
}

impl<A: DoubleEndedIterator<Item = B::Item>, B: DoubleEndedIterator> DoubleEndedIterator for Either<A, B> {
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Either::Left(one) => one.next_back(),
            Either::Right(other) => other.next_back(),
        }
    }
}

impl<A: ExactSizeIterator<Item = B::Item>, B: ExactSizeIterator> ExactSizeIterator for Either<A, B> {}
