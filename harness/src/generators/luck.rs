//! Decisions from a tape.
//!
//! A tape that has run out answers every question with 0. Generators therefore put their cheapest, ending alternative
//! first, and a rare event never at 0.

use arbitrary::Unstructured;

pub(super) trait Luck {
    /// A number below `n`, which is not 0.
    fn below(&mut self, n: u32) -> u32;

    fn byte(&mut self) -> u8;

    /// True once in `n` times; never when the tape is empty.
    fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == n - 1
    }

    fn index(&mut self, length: usize) -> usize {
        self.below(u32::try_from(length).unwrap_or(u32::MAX)) as usize
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.index(choices.len())]
    }

    fn octets(&mut self, n: usize) -> Vec<u8>;
}

impl Luck for Unstructured<'_> {
    fn below(&mut self, n: u32) -> u32 {
        self.int_in_range(0..=n - 1).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.int_in_range(0..=u8::MAX).unwrap_or(0)
    }

    fn octets(&mut self, n: usize) -> Vec<u8> {
        let mut bytes = vec![0; n];
        // Cannot fail: what the tape lacks stays 0.
        let _ = self.fill_buffer(&mut bytes);
        bytes
    }
}
