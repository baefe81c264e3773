//! Writes line tables and exception tables as the compiler of each version does.

use super::lines::{LONG, NO_COLUMNS, NONE, ONE_LINE_0};
use super::{Handler, Place};
use crate::prelude::*;
use crate::profile::{Profile, TableFormat};

/// A pair of `co_lnotab` or of 3.10's `co_linetable`.
pub(super) type Pair = [u8; 2];

/// How far a step reaches, and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) units: usize,
    pub(super) place: Place,
}

/// The pairs of `co_lnotab` for going `ahead` bytes and `lines` lines (`Python/compile.c`, `assemble_lnotab`).
pub(super) fn lnotab_pairs(mut ahead: usize, mut lines: i32, profile: &Profile) -> Vec<Pair> {
    let mut pairs = Vec::new();
    let signed = profile.line_table() != TableFormat::UnsignedLnotab;
    while ahead > 255 {
        pairs.push([255, 0]);
        ahead -= 255;
    }
    let step = match (signed, lines < 0) {
        (false, _) => 255,
        (true, false) => 127,
        (true, true) => -128,
    };
    let fits = if signed { (-128..=127).contains(&lines) } else { lines <= 255 };
    if !fits {
        for _ in 0..lines / step {
            pairs.push([low_byte(ahead), low_byte(step)]);
            ahead = 0;
            lines -= step;
        }
    }
    pairs.push([low_byte(ahead), low_byte(lines)]);
    pairs
}

fn low_byte<T: TryInto<i64>>(number: T) -> u8 {
    number.try_into().map_or(0, |number| number.to_le_bytes()[0])
}

/// 3.10's `co_linetable` (`Python/compile.c`, `assemble_line_range`).
pub(super) fn line_ranges(spans: &[Span], first_line: i32) -> Vec<u8> {
    let mut table = Vec::new();
    let mut previous = first_line;
    for run in spans.chunk_by(|a, b| a.place.line == b.place.line) {
        let mut bytes: usize = run.iter().map(|span| 2 * span.units).sum();
        if bytes == 0 {
            continue;
        }
        let mut lines = -128;
        if let Some(line) = run[0].place.line {
            lines = line.wrapping_sub(previous);
            previous = line;
            while lines > 127 {
                table.extend([0, 127]);
                lines -= 127;
            }
            while lines < -127 {
                table.extend([0, low_byte(-127)]);
                lines += 127;
            }
        }
        while bytes > 254 {
            table.extend([254, low_byte(lines)]);
            lines = if run[0].place.line.is_none() { -128 } else { 0 };
            bytes -= 254;
        }
        table.extend([low_byte(bytes), low_byte(lines)]);
    }
    table
}

/// The location table of 3.11 and later (`Python/assemble.c`, `assemble_location_info`; 3.11: `Python/compile.c`). 3.11 writes
/// an entry for each instruction, later versions one for all in a row that come from the same place.
pub(super) fn locations(spans: &[Span], first_line: i32, profile: &Profile) -> Vec<u8> {
    let mut table = Vec::new();
    let mut line = first_line;
    let merges = profile.merges_locations();
    for run in spans.chunk_by(|a, b| merges && a.place == b.place) {
        let mut units: usize = run.iter().map(|span| span.units).sum();
        while units > 0 {
            let length = units.min(8);
            location(&mut table, length, run[0].place, &mut line);
            units -= length;
        }
    }
    table
}

fn location(table: &mut Vec<u8>, length: usize, place: Place, previous: &mut i32) {
    let first = |table: &mut Vec<u8>, kind: u8| table.push(0x80 | kind << 3 | low_byte(length - 1));
    let Some(line) = place.line else { return first(table, NONE) };
    let lines = line.wrapping_sub(*previous);
    *previous = line;
    let byte = |column: Option<i32>| column.and_then(|column| u8::try_from(column).ok()).filter(|byte| *byte < 128);
    let lacks_columns = place.column.is_none() || place.end_column.is_none();
    match (place.end_line, byte(place.column), byte(place.end_column)) {
        (end, _, _) if lacks_columns && end.is_none_or(|end| end == line) => {
            first(table, NO_COLUMNS);
            return signed(table, lines);
        }
        (Some(end), Some(column), Some(end_column)) if end == line => {
            if lines == 0 && column < 80 && (column..column + 16).contains(&end_column) {
                first(table, column >> 3);
                return table.push((column & 7) << 4 | (end_column - column));
            }
            if (0..3).contains(&lines) {
                first(table, ONE_LINE_0 + low_byte(lines));
                return table.extend([column, end_column]);
            }
        }
        _ => {}
    }
    first(table, LONG);
    signed(table, lines);
    unsigned(table, place.end_line.unwrap_or(-1).wrapping_sub(line).cast_unsigned());
    unsigned(table, place.column.map_or(0, |column| column.wrapping_add(1)).cast_unsigned());
    unsigned(table, place.end_column.map_or(0, |column| column.wrapping_add(1)).cast_unsigned());
}

fn unsigned(table: &mut Vec<u8>, mut number: u32) {
    while number > 63 {
        table.push(64 | low_byte(number & 63));
        number >>= 6;
    }
    table.push(low_byte(number));
}

fn signed(table: &mut Vec<u8>, number: i32) {
    let magnitude = number.unsigned_abs() << 1;
    unsigned(table, if number < 0 { magnitude | 1 } else { magnitude });
}

/// An exception table (`Python/assemble.c`, `assemble_emit_exception_table_entry`).
pub(super) fn handlers(entries: impl Iterator<Item = Handler>) -> Vec<u8> {
    let mut table = Vec::new();
    for Handler { start, end, target, depth, lasti } in entries {
        let depth = depth << 1 | u64::from(lasti);
        let mut begins = 128;
        for number in [start / 2, end.saturating_sub(start) / 2, target / 2, depth] {
            let groups = (64 - number.leading_zeros()).div_ceil(6).max(1);
            for group in (0..groups).rev() {
                let more = if group > 0 { 64 } else { 0 };
                table.push(begins | more | low_byte(number >> (6 * group) & 63));
                begins = 0;
            }
        }
    }
    table
}
