//! Telling keys apart without comparing them.
//!
//! Most keys differ, and mostly it shows in a few of their bytes. So each key is looked at once; only if two look alike they
//! are compared.

use super::FEW;
use crate::graph::Value;
use crate::model::{ASCII, Loaded, Object};
use crate::text;
use core::ops::Range;

/// Whether a glance at each of a few keys shows that no two of them are equal.
pub(super) fn are_distinct(loaded: &Loaded, all: Range<usize>, width: usize) -> bool {
    let mut seen = [0; FEW];
    for (i, group) in loaded.parts[all].chunks(width).enumerate() {
        seen[i] = glance(loaded, group[0]);
        if seen[..i].contains(&seen[i]) {
            return false;
        }
    }
    true
}

/// A number that equal objects share, and few others do.
fn glance(loaded: &Loaded, object: Object) -> u64 {
    let python2 = loaded.profile.is_python2();
    let node = loaded.node(object);
    let tag = |code: u8| u64::from(code) << 48;
    match node.code {
        b'T' => 1,
        b'F' => 0,
        b'i' => glance_at_int(node.extra.cast_signed().into()),
        b's' => glance_at_text(loaded.payload(object)),
        // What is not ASCII may be written in two ways.
        b't' | b'u' | b'a' | b'A' | b'z' | b'Z' if python2 || loaded.has(object, ASCII) => {
            glance_at_text(loaded.payload(object))
        }
        b't' | b'u' | b'a' | b'A' | b'z' | b'Z' => tag(b't'),
        b'(' | b')' => tag(b'(') + loaded.parts(object).len() as u64,
        b'I' | b'l' | b'f' | b'g' | b'x' | b'y' => {
            let float = |text| text::parse_float(text, python2).map_or(LARGE, glance_at_float);
            match loaded.value(object) {
                Value::Int64(value) => glance_at_int(value),
                Value::Long(long) => long.to_i64().map_or(LARGE, glance_at_int),
                Value::Float(bits) => glance_at_float(bits),
                Value::FloatText(text) => float(text),
                // Without an imaginary part it may be equal to a float.
                Value::Complex(real, _) => glance_at_float(real),
                Value::ComplexText(real, _) => float(real),
                _ => LARGE,
            }
        }
        code => tag(code),
    }
}

/// What all large numbers share: as a float, a number may be written in another way.
const LARGE: u64 = 1 << 63;

fn glance_at_int(value: i64) -> u64 {
    if value.unsigned_abs() < 1 << 52 { value.cast_unsigned() } else { LARGE }
}

fn glance_at_float(bits: u64) -> u64 {
    let value = f64::from_bits(bits);
    if value.is_nan() || !text::is_whole(value) {
        return bits;
    }
    #[allow(clippy::cast_possible_truncation)] // what does not fit is large in any case
    glance_at_int(value as i64)
}

fn glance_at_text(bytes: &[u8]) -> u64 {
    let ends = match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(29),
        _ => bytes.iter().fold(1, |sum, byte| sum << 8 | u64::from(*byte)),
    };
    ends ^ (bytes.len() as u64).rotate_left(56)
}
