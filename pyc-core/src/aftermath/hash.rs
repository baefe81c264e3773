//! `hash()` of 2.7, which decides what is compared.

use super::{Aftermath, Table};
use crate::graph::{Graph, Long, NodeId, Value};
use crate::prelude::*;
use crate::text;

impl Aftermath {
    /// `hash()`, as 64-bit builds compute it. Nested values first, so that nothing recurses.
    pub(super) fn hash(&mut self, graph: &Graph, id: NodeId) -> i64 {
        let mut open = vec![graph.resolve(id)];
        while let Some(&id) = open.last() {
            if self.hashes.contains_key(&id) {
                open.pop();
                continue;
            }
            let node = graph.node(id);
            let before = open.len();
            if node.has_edges() {
                let parts = graph.edges_of(node).iter().map(|part| graph.resolve(*part));
                open.extend(parts.filter(|part| !self.hashes.contains_key(part)));
            }
            if open.len() == before {
                let hash = self.hash_of(graph, id);
                self.hashes.insert(id, if hash == -1 { -2 } else { hash });
                open.pop();
            }
        }
        self.hashes[&graph.resolve(id)]
    }

    fn hash_of(&self, graph: &Graph, id: NodeId) -> i64 {
        let part = |id: &NodeId| self.hashes.get(&graph.resolve(*id)).copied().unwrap_or_default();
        let float = |text: &[u8]| hash_float(f64::from_bits(text::parse_float(text, true).unwrap_or(0)));
        let complex = |real: i64, imaginary: i64| real.wrapping_add(imaginary.wrapping_mul(1_000_003));
        match graph.value(id) {
            Value::True => 1,
            Value::False => 0,
            Value::Int(value) => i64::from(value),
            Value::Int64(value) => value,
            Value::Long(long) => hash_long(long),
            Value::Float(bits) => hash_float(f64::from_bits(bits)),
            Value::FloatText(text) => float(text),
            Value::Complex(real, imaginary) => {
                complex(hash_float(f64::from_bits(real)), hash_float(f64::from_bits(imaginary)))
            }
            Value::ComplexText(real, imaginary) => complex(float(real), float(imaginary)),
            Value::Bytes(bytes) | Value::InternedBytes(bytes) => hash_text(bytes.iter().copied().map(u32::from)),
            Value::Str(text) => hash_text(text.code_points()),
            Value::Tuple(items) => {
                let mut left = i64::try_from(items.len()).unwrap_or(i64::MAX);
                let (mut hash, mut factor) = (0x0034_5678_i64, 1_000_003_i64);
                for item in items {
                    left -= 1;
                    hash = (hash ^ part(item)).wrapping_mul(factor);
                    factor = factor.wrapping_add(82_520 + 2 * left);
                }
                hash.wrapping_add(97_531)
            }
            Value::FrozenSet(items) => {
                let mut table = Table::new();
                items.iter().for_each(|item| self.put(graph, &mut table, part(item), graph.resolve(*item), 0));
                let size = i64::try_from(table.values().map(Vec::len).sum::<usize>()).unwrap_or(i64::MAX);
                let mut hash = 1_927_868_237_i64.wrapping_mul(size.wrapping_add(1));
                for (&member, chain) in &table {
                    let spread = (member ^ member << 16 ^ 89_869_747).wrapping_mul(3_644_798_167);
                    chain.iter().for_each(|_| hash ^= spread);
                }
                let hash = hash.wrapping_mul(69_069).wrapping_add(907_133_923);
                if hash == -1 { 590_923_713 } else { hash }
            }
            Value::Code(code) => {
                let ints = code.ints();
                let objects = graph.edges_of(graph.node(id));
                // Not the file name, and not the line table.
                let hashed = objects.iter().take(6).chain(objects.get(7)).map(part).fold(0, |sum, hash| sum ^ hash);
                hashed ^ i64::from(ints.argcount) ^ i64::from(ints.nlocals) ^ i64::from(ints.flags)
            }
            // None, Ellipsis and StopIteration are hashed by address, which no other hash is likely to be.
            _ => i64::MIN + i64::from(graph.node(id).code),
        }
    }
}

/// The remainder of a division by 2^64 - 1, which is 0 only for 0.
fn hash_long(long: Long) -> i64 {
    let magnitude = long.digits().rev().fold(0_u64, |sum, digit| {
        let (sum, carry) = sum.rotate_left(15).overflowing_add(u64::from(digit));
        sum.wrapping_add(u64::from(carry))
    });
    let hash = magnitude.cast_signed();
    if long.negative { hash.wrapping_neg() } else { hash }
}

fn hash_float(value: f64) -> i64 {
    if value.is_nan() {
        return 0;
    }
    if value.is_infinite() {
        return if value < 0.0 { -271_828 } else { 314_159 };
    }
    if value == 0.0 {
        return 0;
    }
    let (mantissa, exponent) = split(value);
    let sign = if value < 0.0 { -1 } else { 1 };
    let hash = if text::is_whole(value) {
        // As the equal integer. A mantissa has 53 bits; below 2^52 the lower ones are zero.
        let magnitude = match u32::try_from(exponent) {
            Ok(up) => mantissa.rotate_left(up % 64),
            Err(_) => mantissa >> exponent.unsigned_abs(),
        };
        magnitude.cast_signed().wrapping_mul(sign)
    } else {
        // The fraction's upper 31 bits, its lower 22 moved up to 31, and the exponent that makes the fraction less than 1.
        let upper = (mantissa >> 22).cast_signed() * sign;
        let lower = ((mantissa & 0x3F_FFFF) << 9).cast_signed() * sign;
        upper + lower + (i64::from(exponent + 53) << 15)
    };
    if hash == -1 { -2 } else { hash }
}

/// A finite number that is not 0, as a mantissa of exactly 53 bits and a power of two.
fn split(value: f64) -> (u64, i32) {
    let bits = value.to_bits();
    let exponent = i32::try_from(bits >> 52 & 0x7FF).unwrap_or(0);
    let fraction = bits & 0x000F_FFFF_FFFF_FFFF;
    if exponent == 0 {
        let shift = fraction.leading_zeros() - 11;
        (fraction << shift, -1074 - i32::try_from(shift).unwrap_or(0))
    } else {
        (fraction | 0x0010_0000_0000_0000, exponent - 1075)
    }
}

fn hash_text(characters: impl Iterator<Item = u32>) -> i64 {
    let mut characters = characters.map(i64::from).peekable();
    let Some(first) = characters.peek().copied() else { return 0 };
    let step = |(hash, length): (i64, i64), c: i64| (hash.wrapping_mul(1_000_003) ^ c, length + 1);
    let (hash, length) = characters.fold((first << 7, 0), step);
    hash ^ length
}
