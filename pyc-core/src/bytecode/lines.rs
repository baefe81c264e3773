//! Which line, and which columns, each instruction comes from.
//!
//! Up to 3.9 that is `co_lnotab`: pairs of bytes, how far to go in the code and how many lines (`Objects/lnotab_notes.txt`; line
//! deltas have a sign since 3.6). 3.10 has pairs for ranges, -128 for no line. Since 3.11 entries have columns, too
//! (`Objects/locations.md`; `Objects/codeobject.c`, `advance` and `advance_with_locations`).

use crate::profile::{Profile, TableFormat};

/// Instructions and their line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LineRange {
    /// The first byte of `co_code`.
    pub start: usize,
    /// The first byte behind.
    pub end: usize,
    /// The line, if they have one.
    pub line: Option<i32>,
}

/// Instructions and where in the source they come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// The first byte of `co_code`.
    pub start: usize,
    /// The first byte behind.
    pub end: usize,
    /// The first line.
    pub line: Option<i32>,
    /// The last line.
    pub end_line: Option<i32>,
    /// The first column, in bytes of UTF-8.
    pub column: Option<i32>,
    /// The first column behind.
    pub end_column: Option<i32>,
}

/// The lines of a code object, in the order of its table: since 3.10 what `co_lines()` gives.
#[derive(Debug, Clone)]
pub struct Lines<'t> {
    format: TableFormat,
    table: &'t [u8],
    line: i32,
    at: usize,
    length: usize,
    /// A range that was read too far: it has another line.
    next: Option<LineRange>,
    /// Ranges in a row that have one line are one.
    merges: bool,
    is_cut: bool,
    ended: bool,
}

impl<'t> Lines<'t> {
    /// Of `co_lnotab` or `co_linetable`, for code of `length` bytes.
    #[must_use]
    pub fn new(table: &'t [u8], firstlineno: i32, length: usize, profile: &Profile) -> Self {
        let format = profile.line_table();
        let merges = profile.merges_locations();
        Lines { format, table, line: firstlineno, at: 0, length, next: None, merges, is_cut: false, ended: false }
    }

    /// Whether the table ends where the interpreter reads on behind it. Known at the end.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    fn of_lnotab(&mut self, signed: bool) -> Option<LineRange> {
        while let Some(([ahead, lines], rest)) = self.table.split_first_chunk() {
            let (start, line) = (self.at, self.line);
            self.table = rest;
            self.at += usize::from(*ahead);
            let lines = if signed { i32::from(lines.cast_signed()) } else { i32::from(*lines) };
            self.line = self.line.wrapping_add(lines);
            if *ahead > 0 {
                return Some(LineRange { start, end: self.at, line: Some(line) });
            }
        }
        if core::mem::replace(&mut self.ended, true) {
            return None;
        }
        Some(LineRange { start: self.at, end: self.length.max(self.at), line: Some(self.line) })
    }

    fn of_ranges(&mut self) -> Option<LineRange> {
        let mut is_empty = false;
        loop {
            // Behind an odd byte the interpreter reads the NUL at the end of the bytes object.
            let (ahead, lines, rest) = match self.table {
                [] => {
                    self.is_cut |= is_empty;
                    return None;
                }
                [ahead] => (ahead, &0, &[][..]),
                [ahead, lines, rest @ ..] => (ahead, lines, rest),
            };
            let start = self.at;
            self.table = rest;
            self.at += usize::from(*ahead);
            let has_line = *lines != 0x80;
            if has_line {
                self.line = self.line.wrapping_add(i32::from(lines.cast_signed()));
            }
            if self.at > start {
                let line = Some(self.line).filter(|line| has_line && *line >= 0);
                return Some(LineRange { start, end: self.at, line });
            }
            is_empty = true;
        }
    }

    fn of_entries(&mut self) -> Option<LineRange> {
        let mut range = self.next.take();
        while let Some(entry) = self.entry() {
            match &mut range {
                None if !self.merges => return Some(entry),
                None => range = Some(entry),
                Some(range) if range.line == entry.line => range.end = entry.end,
                Some(_) => {
                    self.next = Some(entry);
                    break;
                }
            }
        }
        range
    }

    #[inline]
    fn entry(&mut self) -> Option<LineRange> {
        let (&first, rest) = self.table.split_first()?;
        let kind = first >> 3 & 15;
        let lines = match kind {
            LONG | NO_COLUMNS => {
                let lines = signed(&mut Table { bytes: rest.iter(), ended: false });
                self.is_cut |= lines.is_none();
                lines.unwrap_or(0)
            }
            ONE_LINE_1 | ONE_LINE_2 => i32::from(kind - ONE_LINE_0),
            _ => 0,
        };
        self.table = next_entry(rest);
        self.line = self.line.wrapping_add(lines);
        let start = self.at;
        self.at += usize::from((first & 7) + 1) * 2;
        // An entry that does not begin as it should is none without a line here, though it has no position.
        let has_line = first < 0x80 | NONE << 3;
        // 3.11 shows no line below zero, later versions all but -1.
        let is_one = |line: &i32| if self.merges { *line != -1 } else { *line >= 0 };
        let line = Some(self.line).filter(|line| has_line && is_one(line));
        Some(LineRange { start, end: self.at, line })
    }
}

/// From the next byte on that has its highest bit set: there an entry begins.
#[inline]
fn next_entry(table: &[u8]) -> &[u8] {
    // Entries are short, and how long they are cannot be foreseen: eight bytes are looked at in one step.
    let marks = table.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes) & 0x8080_8080_8080_8080);
    let ahead = match marks {
        0 => table.iter().position(|byte| *byte >= 128).unwrap_or(table.len()),
        marks => marks.trailing_zeros() as usize / 8,
    };
    &table[ahead..]
}

impl Iterator for Lines<'_> {
    type Item = LineRange;

    #[inline(always)]
    fn next(&mut self) -> Option<LineRange> {
        match self.format {
            TableFormat::UnsignedLnotab => self.of_lnotab(false),
            TableFormat::Lnotab => self.of_lnotab(true),
            TableFormat::LineTable => self.of_ranges(),
            TableFormat::LocationTable => self.of_entries(),
        }
    }
}

/// Kinds of entries in the location table.
pub(super) const ONE_LINE_0: u8 = 10;
const ONE_LINE_1: u8 = 11;
const ONE_LINE_2: u8 = 12;
pub(super) const NO_COLUMNS: u8 = 13;
pub(super) const LONG: u8 = 14;
pub(super) const NONE: u8 = 15;

/// A number in groups of six bits, least significant first. `None` if the table ends inside it.
fn unsigned<'t>(bytes: &mut impl Iterator<Item = &'t u8>) -> Option<u32> {
    let (mut value, mut shift) = (0_u32, 0_u32);
    loop {
        let byte = *bytes.next()?;
        // The interpreter shifts a 32-bit number, however far. C leaves it open what comes of more than 31; processors look at
        // the lowest five bits.
        value |= u32::from(byte & 63).wrapping_shl(shift);
        shift = shift.wrapping_add(6);
        if byte & 64 == 0 {
            return Some(value);
        }
    }
}

fn signed<'t>(bytes: &mut impl Iterator<Item = &'t u8>) -> Option<i32> {
    let value = unsigned(bytes)?;
    let magnitude = (value >> 1).cast_signed();
    Some(if value & 1 == 0 { magnitude } else { magnitude.wrapping_neg() })
}

/// The positions of a code object of 3.11 or later, entry by entry: what `co_positions()` gives for each unit of two bytes.
/// Nothing for earlier versions. An entry that the end of the table cuts short goes on with the NUL that ends the bytes object;
/// where that is not enough, the interpreter reads what is not its own, and here is the end.
#[derive(Debug, Clone)]
pub struct Positions<'t> {
    table: Table<'t>,
    is_cut: bool,
    line: i32,
    at: usize,
}

/// The bytes of a location table, and once the NUL behind them.
#[derive(Debug, Clone)]
struct Table<'t> {
    bytes: core::slice::Iter<'t, u8>,
    ended: bool,
}

impl<'t> Iterator for Table<'t> {
    type Item = &'t u8;

    #[inline(always)]
    fn next(&mut self) -> Option<&'t u8> {
        self.bytes.next().or_else(|| if core::mem::replace(&mut self.ended, true) { None } else { Some(&0) })
    }
}

impl<'t> Positions<'t> {
    /// Whether the table ends inside an entry, so that the interpreter reads on behind it. Known at the end.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Of `co_linetable`.
    #[must_use]
    pub fn new(table: &'t [u8], firstlineno: i32, profile: &Profile) -> Self {
        let table = if profile.line_table() == TableFormat::LocationTable { table } else { &[] };
        Positions { table: Table { bytes: table.iter(), ended: false }, is_cut: false, line: firstlineno, at: 0 }
    }

    /// Lines and columns of an entry of this kind.
    #[inline(always)]
    fn fields(&mut self, kind: u8) -> Option<[i32; 4]> {
        let table = &mut self.table;
        Some(match kind {
            NONE => [-1; 4],
            LONG => {
                self.line = self.line.wrapping_add(signed(table)?);
                let end_line = self.line.wrapping_add(unsigned(table)?.cast_signed());
                let mut column = || Some(unsigned(table)?.cast_signed().wrapping_sub(1));
                [self.line, end_line, column()?, column()?]
            }
            NO_COLUMNS => {
                self.line = self.line.wrapping_add(signed(table)?);
                [self.line, self.line, -1, -1]
            }
            ONE_LINE_0..=ONE_LINE_2 => {
                self.line = self.line.wrapping_add(i32::from(kind - ONE_LINE_0));
                [self.line, self.line, i32::from(*table.next()?), i32::from(*table.next()?)]
            }
            _ => {
                let second = i32::from(*table.next()?);
                let column = i32::from(kind) << 3 | second >> 4;
                [self.line, self.line, column, column + (second & 15)]
            }
        })
    }
}

impl Iterator for Positions<'_> {
    type Item = Position;

    #[inline(always)]
    fn next(&mut self) -> Option<Position> {
        let first = *self.table.bytes.next()?;
        let Some(fields) = self.fields(first >> 3 & 15) else {
            self.is_cut = true;
            return None;
        };
        let [line, end_line, column, end_column] = fields.map(|field| Some(field).filter(|field| *field != -1));
        let start = self.at;
        self.at += usize::from((first & 7) + 1) * 2;
        Some(Position { start, end: self.at, line, end_line, column, end_column })
    }
}
