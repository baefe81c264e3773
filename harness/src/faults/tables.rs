//! Line tables and exception tables: decoders and encoders that can be wrong.
//!
//! marshal hands these tables on as bytes, so a reader is right about them without understanding a bit. Whoever shows or
//! changes code objects decodes them and encodes them again, and that is where the faults are. A table that does not come
//! back as it was is left alone: a decoder would refuse it.

pub(super) use crate::generators::codes::tables::{exception_varint, varint};

/// An entry of the location table of 3.11 and later: so many code units have this location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    /// 0 to 9: short; 10 to 12: one line; 13: no columns; 14: all; 15: nowhere.
    pub(super) kind: u8,
    /// Code units: 1 to 8.
    pub(super) units: u8,
    /// How much later the line is.
    pub(super) line: i64,
    /// How much later than that it ends.
    pub(super) end_line: u64,
    /// Columns: start and end; of kind 14 with one added, so that 0 is none.
    pub(super) columns: [u64; 2],
}

/// How variable-length numbers are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers {
    pub(super) write: fn(u64, &mut Vec<u8>),
    pub(super) write_signed: fn(i64, &mut Vec<u8>),
}

impl Numbers {
    pub(super) const RIGHT: Numbers = Numbers { write: varint, write_signed: svarint };
}

/// The sign is the lowest bit.
pub(super) fn svarint(number: i64, out: &mut Vec<u8>) {
    varint(number.unsigned_abs() << 1 | u64::from(number < 0), out);
}

/// Reads bytes one by one.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for group in 0..6 {
            let byte = self.byte().filter(|byte| byte & 128 == 0)?;
            number |= u64::from(byte & 63) << (6 * group);
            if byte & 64 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn svarint(&mut self) -> Option<i64> {
        let number = self.varint()?;
        let size = i64::try_from(number >> 1).ok()?;
        Some(if number & 1 == 1 { -size } else { size })
    }

    fn exception_varint(&mut self, is_first: bool) -> Option<u64> {
        let mut number = 0;
        for group in 0..6 {
            let byte = self.byte()?;
            if (byte & 128 != 0) != (is_first && group == 0) {
                return None;
            }
            number = number << 6 | u64::from(byte & 63);
            if byte & 64 == 0 {
                return Some(number);
            }
        }
        None
    }
}

fn decode_locations(table: &[u8]) -> Option<Vec<Location>> {
    let mut bytes = Bytes(table);
    let mut locations = Vec::new();
    while let Some(first) = bytes.byte() {
        if first & 128 == 0 {
            return None;
        }
        let kind = first >> 3 & 15;
        let mut location = Location { kind, units: (first & 7) + 1, line: 0, end_line: 0, columns: [0, 0] };
        match kind {
            0..=9 => {
                let byte = u64::from(bytes.byte()?);
                let start = u64::from(kind) * 8 + (byte >> 4);
                location.columns = [start, start + (byte & 15)];
            }
            10..=12 => {
                location.line = i64::from(kind) - 10;
                location.columns = [u64::from(bytes.byte()?), u64::from(bytes.byte()?)];
            }
            13 => location.line = bytes.svarint()?,
            14 => {
                location.line = bytes.svarint()?;
                location.end_line = bytes.varint()?;
                location.columns = [bytes.varint()?, bytes.varint()?];
            }
            _ => {}
        }
        locations.push(location);
    }
    Some(locations)
}

fn encode_locations(locations: &[Location], numbers: Numbers) -> Vec<u8> {
    let mut out = Vec::new();
    for Location { kind, units, line, end_line, columns: [start, end] } in locations {
        out.push(128 | kind << 3 | units.wrapping_sub(1) & 7);
        let byte = |number: u64| number.to_le_bytes()[0];
        match kind {
            0..=9 => out.push(byte((start & 7) << 4 | end.wrapping_sub(*start) & 15)),
            10..=12 => out.extend([byte(*start), byte(*end)]),
            13 => (numbers.write_signed)(*line, &mut out),
            14 => {
                (numbers.write_signed)(*line, &mut out);
                for number in [end_line, start, end] {
                    (numbers.write)(*number, &mut out);
                }
            }
            _ => {}
        }
    }
    out
}

/// A location table that was decoded, changed, and encoded again.
pub(super) fn locations(table: &[u8], wrong: impl Fn(&mut Location), numbers: Numbers) -> Option<Vec<u8>> {
    let mut locations = decode_locations(table)?;
    if encode_locations(&locations, Numbers::RIGHT) != table {
        return None;
    }
    locations.iter_mut().for_each(wrong);
    Some(encode_locations(&locations, numbers))
}

/// An entry of the exception table: start, length, target, depth and whether the last instruction is pushed.
pub(super) type Handler = [u64; 4];

fn encode_handlers(handlers: &[Handler], write: fn(u64, &mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    for handler in handlers {
        let start = out.len();
        handler.iter().for_each(|number| write(*number, &mut out));
        out[start] |= 128;
    }
    out
}

/// An exception table that was decoded, changed, and encoded again.
pub(super) fn handlers(
    table: &[u8],
    wrong: impl Fn(&mut Vec<Handler>),
    write: fn(u64, &mut Vec<u8>),
) -> Option<Vec<u8>> {
    let mut bytes = Bytes(table);
    let mut handlers = Vec::new();
    while !bytes.0.is_empty() {
        let mut handler = [0; 4];
        for (index, number) in handler.iter_mut().enumerate() {
            *number = bytes.exception_varint(index == 0)?;
        }
        handlers.push(handler);
    }
    if encode_handlers(&handlers, exception_varint) != table {
        return None;
    }
    wrong(&mut handlers);
    Some(encode_handlers(&handlers, write))
}

/// A table of 3.10 or before: pairs of bytes and lines, each of which may become several.
pub(super) fn pairs(table: &[u8], wrong: impl Fn(u8, i8) -> Vec<[u8; 2]>) -> Option<Vec<u8>> {
    let pairs = table.chunks(2).map(|pair| Some((*pair.first()?, i8::from_le_bytes([*pair.get(1)?]))));
    let pairs: Option<Vec<(u8, i8)>> = pairs.collect();
    Some(pairs?.into_iter().flat_map(|(bytes, lines)| wrong(bytes, lines)).flatten().collect())
}
