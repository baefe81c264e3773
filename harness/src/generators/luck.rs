//! Decisions from a tape.
//!
//! A tape that has run out answers every question with 0. Generators therefore put their cheapest, ending alternative
//! first, and a rare event never at 0.
//!
//! Most questions have few answers, and each is asked a few times for every object. So a question takes one byte where one
//! will do, and a multiplication instead of a division makes it an answer.

use arbitrary::Unstructured;

pub(super) trait Luck {
    /// A number below `n`, which is not 0.
    fn below(&mut self, n: u32) -> u32;

    fn byte(&mut self) -> u8;

    /// True once in `n` times; never when the tape is empty.
    fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == n - 1
    }

    /// True so many times in 256.
    fn chance(&mut self, times: u16) -> bool {
        u16::from(self.byte()) + times >= 256
    }

    fn index(&mut self, length: usize) -> usize {
        self.below(u32::try_from(length).unwrap_or(u32::MAX)) as usize
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.index(choices.len())]
    }

    /// One of the choices, each as often as its weight says in comparison with the others.
    fn weighted<T: Copy>(&mut self, choices: &[(u32, T)]) -> Option<T> {
        let mut ticket = self.below(choices.iter().map(|(weight, _)| weight).sum());
        let chosen = choices.iter().find(|(weight, _)| match ticket.checked_sub(*weight) {
            Some(rest) => {
                ticket = rest;
                false
            }
            None => true,
        });
        chosen.map(|(_, choice)| *choice)
    }

    fn octets(&mut self, n: usize) -> Vec<u8>;
}

impl Luck for Unstructured<'_> {
    #[inline]
    fn below(&mut self, n: u32) -> u32 {
        debug_assert!(n > 0, "there is no such number");
        match n {
            0..=1 => 0,
            2..=0x100 => (u32::from(self.byte()) * n) >> 8,
            0x101..=0x1_0000 => (u32::from(self.int_in_range(0..=u16::MAX).unwrap_or(0)) * n) >> 16,
            _ => self.int_in_range(0..=n - 1).unwrap_or(0),
        }
    }

    #[inline]
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
