//! Exception tables of 3.11 and later (`Objects/exception_handling_notes.txt`): entries of four numbers, each in groups of six
//! bits, most significant first.

/// A range of instructions and where an exception in it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Handler {
    /// The first byte of `co_code` that it covers.
    pub start: u64,
    /// The first byte behind those.
    pub end: u64,
    /// Where the handler begins.
    pub target: u64,
    /// How many values stay on the stack.
    pub depth: u64,
    /// Whether the offset of the instruction that raised is pushed as well.
    pub lasti: bool,
}

/// The entries of `co_exceptiontable`. They end where the table does; an entry that the end cuts short is left out, as by
/// `dis`.
#[derive(Debug, Clone)]
pub struct Handlers<'t> {
    table: &'t [u8],
}

impl<'t> Handlers<'t> {
    /// Of an exception table.
    #[must_use]
    pub fn new(table: &'t [u8]) -> Self {
        Handlers { table }
    }

    /// What was not read: behind the last entry, bytes that are no whole one.
    #[must_use]
    pub fn rest(&self) -> &'t [u8] {
        self.table
    }
}

/// Whether entries are marked where they begin, and nothing else is. Who looks for an entry by halves goes back to such a mark.
pub(super) fn is_marked(table: &[u8]) -> bool {
    let (mut numbers, mut begins) = (0_usize, true);
    table.iter().all(|byte| {
        let is_first = begins && numbers.is_multiple_of(4);
        begins = byte & 64 == 0;
        numbers += usize::from(begins);
        (byte & 128 != 0) == is_first
    })
}

/// A number, and what is behind it. More than 60 bits are not kept.
fn number(mut table: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    loop {
        let (&byte, rest) = table.split_first()?;
        value = value << 6 | u64::from(byte & 63);
        table = rest;
        if byte & 64 == 0 {
            return Some((value & ((1 << 60) - 1), table));
        }
    }
}

impl Iterator for Handlers<'_> {
    type Item = Handler;

    fn next(&mut self) -> Option<Handler> {
        let (start, rest) = number(self.table)?;
        let (length, rest) = number(rest)?;
        let (target, rest) = number(rest)?;
        let (depth, rest) = number(rest)?;
        self.table = rest;
        let (start, target) = (2 * start, 2 * target);
        Some(Handler { start, end: start + 2 * length, target, depth: depth >> 1, lasti: depth & 1 != 0 })
    }
}
