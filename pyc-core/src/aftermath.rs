//! 2.7 after an exception in a dict.
//!
//! 2.7's dict reader looks for exceptions only at the dict's end: when a value or its insertion fails it reads on with the
//! exception pending, and whatever looks for an exception then finds one that is not its own. A float of -1.0 is taken for
//! a failure (`Python/marshal.c`, `x == -1.0 && PyErr_Occurred()`); two ints that are compared in a hash table are taken to
//! be incomparable (`Objects/object.c`, `adjust_tp_compare`); and a unicode string that is compared with what is neither
//! ASCII nor unicode raises an exception of its own and clears it, and the pending one with it
//! (`Objects/unicodeobject.c`, `PyUnicode_RichCompare`), as does a code object with a frozenset constant. Objects are compared when their hashes are the same, so the
//! hashes are here too.

use crate::error::Error;
use crate::graph::{Graph, Long, NodeId, Value, bit};
use crate::model::equality::scalar_content;
use crate::prelude::*;
use crate::text;
use alloc::collections::BTreeMap;

/// What comparing two objects does while an exception is pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Nothing,
    /// The comparison fails, and the exception stays.
    Fails,
    /// The exception is cleared.
    Forgets,
    /// One of these, or nothing: it depends on the order in which a hash table was filled, or is not modelled.
    Unknown,
}

/// What comes of storing a set's member or a dict's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    Yes,
    No,
    Unknown,
}

/// Keys by hash, in the order in which they came.
type Table = BTreeMap<i64, Vec<NodeId>>;

/// Nested frozensets and tuples that are compared at most this deep; so much recursion is harmless.
const MAX_DEPTH: u32 = 64;

/// A table that grows is filled again in the order of its slots; until then the order is that of the stream.
const FIRST_GROWTH: usize = 5;

/// The state of a reader of 2.7.
#[derive(Debug, Default)]
pub(crate) struct Aftermath {
    /// The exception that is pending.
    pub(crate) exception: Option<Error>,
    /// An exception was cleared unseen: what failed is missing from the value.
    pub(crate) forgot: bool,
    hashes: BTreeMap<NodeId, i64>,
    /// What the open sets and dicts hold that were filled while an exception was pending.
    tables: BTreeMap<NodeId, Table>,
}

impl Aftermath {
    /// Whether it is known what an open set or dict holds.
    pub(crate) fn knows(&self, open: NodeId) -> bool {
        self.tables.contains_key(&open)
    }

    /// Stores one more key in an open set or dict; `before` are those that it holds already, where that is not known.
    pub(crate) fn store(&mut self, graph: &Graph, open: NodeId, before: &[NodeId], new: NodeId) -> Stored {
        let new = graph.resolve(new);
        let mut table = match self.tables.remove(&open) {
            Some(table) => table,
            None => self.table(graph, before),
        };
        let hash = self.hash(graph, new);
        let chain = table.get(&hash).map_or(&[][..], |chain| chain);
        let reordered = chain.len() > 1 && table.values().map(Vec::len).sum::<usize>() > FIRST_GROWTH;
        let harmless = |key: &NodeId| self.compare(graph, *key, new, 0).1 == Effect::Nothing;
        if reordered && !chain.iter().all(harmless) {
            return Stored::Unknown;
        }
        for &key in chain {
            let (equal, effect) = self.compare(graph, key, new, 0);
            match effect {
                Effect::Nothing if equal => break,
                Effect::Nothing => {}
                Effect::Unknown => return Stored::Unknown,
                Effect::Fails => {
                    self.tables.insert(open, table);
                    return Stored::No;
                }
                Effect::Forgets => {
                    self.forget();
                    return Stored::Yes;
                }
            }
        }
        self.put(graph, &mut table, hash, new);
        self.tables.insert(open, table);
        Stored::Yes
    }

    /// Makes a code object with these constants: a frozenset among them is made a tuple, to intern the strings in it; that
    /// fails for the pending exception, and is forgiven (`Objects/codeobject.c`, `intern_string_constants`).
    pub(crate) fn make_code(&mut self, graph: &Graph, consts: NodeId) {
        let mut open = if self.exception.is_some() { vec![consts] } else { Vec::new() };
        while let Some(id) = open.pop() {
            match graph.value(graph.resolve(id)) {
                Value::FrozenSet(_) => return self.forget(),
                Value::Tuple(items) => open.extend(items),
                _ => {}
            }
        }
    }

    fn forget(&mut self) {
        self.exception = None;
        self.forgot = true;
        self.tables.clear();
    }

    fn table(&mut self, graph: &Graph, keys: &[NodeId]) -> Table {
        let mut table = Table::new();
        for &key in keys {
            let key = graph.resolve(key);
            let hash = self.hash(graph, key);
            self.put(graph, &mut table, hash, key);
        }
        table
    }

    /// Keeps the first of equal keys.
    fn put(&self, graph: &Graph, table: &mut Table, hash: i64, key: NodeId) {
        let chain = table.entry(hash).or_default();
        if !chain.iter().any(|&other| self.compare(graph, other, key, 0).0) {
            chain.push(key);
        }
    }

    /// Whether two objects are equal that have the same hash, and what finding out does to a pending exception.
    fn compare(&self, graph: &Graph, left: NodeId, right: NodeId, depth: u32) -> (bool, Effect) {
        let (left, right) = (graph.resolve(left), graph.resolve(right));
        if left == right {
            return (true, Effect::Nothing);
        }
        let values = (graph.value(left), graph.value(right));
        let equal = || {
            let [left, right] = [values.0, values.1].map(|value| scalar_content(value, true));
            left.is_some() && left == right
        };
        match values {
            (Value::Tuple(a), Value::Tuple(b)) if depth < MAX_DEPTH => self.compare_items(graph, a, b, depth),
            (Value::FrozenSet(a), Value::FrozenSet(b)) if depth < MAX_DEPTH => self.compare_sets(graph, a, b, depth),
            (Value::Tuple(_), Value::Tuple(_))
            | (Value::FrozenSet(_), Value::FrozenSet(_))
            | (Value::Code(_), Value::Code(_)) => (true, Effect::Unknown),
            (Value::Str(_), Value::Str(_)) => (equal(), Effect::Nothing),
            (Value::Str(_), Value::Bytes(bytes) | Value::InternedBytes(bytes))
            | (Value::Bytes(bytes) | Value::InternedBytes(bytes), Value::Str(_))
                if bytes.is_ascii() =>
            {
                (equal(), Effect::Nothing)
            }
            (Value::Str(_), _) | (_, Value::Str(_)) => (false, Effect::Forgets),
            (a, b) if is_integer(a) && is_integer(b) => {
                let same = is_kept(a)
                    && is_kept(b)
                    && matches!(a, Value::True | Value::False) == matches!(b, Value::True | Value::False);
                let equal = equal();
                (equal, if same && equal { Effect::Nothing } else { Effect::Fails })
            }
            (a, b) => {
                let close = match (real(a), real(b)) {
                    (Some(float), None) if is_integer(b) => digit_by_digit(float, b),
                    (None, Some(float)) if is_integer(a) => digit_by_digit(float, a),
                    _ => false,
                };
                (equal(), if close { Effect::Fails } else { Effect::Nothing })
            }
        }
    }

    fn compare_items(&self, graph: &Graph, left: &[NodeId], right: &[NodeId], depth: u32) -> (bool, Effect) {
        let mut effect = Effect::Nothing;
        for (&a, &b) in left.iter().zip(right) {
            match self.compare(graph, a, b, depth + 1) {
                (equal, Effect::Forgets) => {
                    effect = Effect::Forgets;
                    if !equal {
                        return (false, effect);
                    }
                }
                (equal, other) if effect == Effect::Nothing && (!equal || other != Effect::Nothing) => {
                    return (equal && other == Effect::Nothing, other);
                }
                (false, _) => return (false, effect),
                _ => {}
            }
        }
        (left.len() == right.len(), effect)
    }

    /// Each member of the one is looked up in the other, in the order of the hash table.
    fn compare_sets(&self, graph: &Graph, left: &[NodeId], right: &[NodeId], depth: u32) -> (bool, Effect) {
        let hash = |id: &NodeId| self.hashes.get(&graph.resolve(*id)).copied().unwrap_or_default();
        let mut effects = Vec::new();
        let mut all = true;
        for member in left {
            let mut found = false;
            for other in right.iter().filter(|other| hash(other) == hash(member)) {
                let (equal, effect) = self.compare(graph, *other, *member, depth + 1);
                effects.push(effect);
                found |= equal;
            }
            all &= found;
        }
        let first = effects.iter().copied().find(|effect| *effect != Effect::Nothing).unwrap_or(Effect::Nothing);
        let certain = effects.len() < 2 || all && effects.iter().all(|e| *e == first || *e == Effect::Nothing);
        (all, if certain || first == Effect::Nothing { first } else { Effect::Unknown })
    }

    /// `hash()`, as 64-bit builds compute it. Nested values first, so that nothing recurses.
    fn hash(&mut self, graph: &Graph, id: NodeId) -> i64 {
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
                items.iter().for_each(|item| self.put(graph, &mut table, part(item), graph.resolve(*item)));
                let size = i64::try_from(table.values().map(Vec::len).sum::<usize>()).unwrap_or(i64::MAX);
                let mut hash = 1_927_868_237_i64.wrapping_mul(size.wrapping_add(1));
                for (&member, chain) in &table {
                    let spread = (member ^ member << 16 ^ 89_869_747).wrapping_mul(3_644_798_167);
                    chain.iter().for_each(|_| hash ^= spread);
                }
                match hash.wrapping_mul(69_069).wrapping_add(907_133_923) {
                    -1 => 590_923_713,
                    hash => hash,
                }
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

fn is_integer(value: Value) -> bool {
    matches!(value, Value::True | Value::False | Value::Int(_) | Value::Int64(_) | Value::Long(_))
}

/// Whether equal values of this kind are one object.
fn is_kept(value: Value) -> bool {
    match value {
        Value::True | Value::False => true,
        Value::Int(value) => (-5..=256).contains(&value),
        Value::Int64(value) => (-5..=256).contains(&value),
        _ => false,
    }
}

/// The number that a float, or a complex number without an imaginary part, is compared with an integer as.
fn real(value: Value) -> Option<f64> {
    let parsed = |text| text::parse_float(text, true).map(f64::from_bits);
    let (real, imaginary) = match value {
        Value::Float(bits) => (f64::from_bits(bits), 0.0),
        Value::FloatText(text) => (parsed(text)?, 0.0),
        Value::Complex(real, imaginary) => (f64::from_bits(real), f64::from_bits(imaginary)),
        Value::ComplexText(real, imaginary) => (parsed(real)?, parsed(imaginary)?),
        _ => return None,
    };
    (imaginary == 0.0).then_some(real)
}

/// Whether a float is made an int for the comparison: both have the same sign and the same number of bits, and more than 48.
fn digit_by_digit(float: f64, integer: Value) -> bool {
    let (negative, bits) = match integer {
        Value::Int64(value) => (value < 0, u64::BITS - value.unsigned_abs().leading_zeros()),
        Value::Long(long) => {
            let Some(top) = long.digits().next_back() else { return false };
            let lower = u32::try_from(long.digits().len() - 1).unwrap_or(u32::MAX / 16);
            (long.negative, 15 * lower + (u16::BITS - top.leading_zeros()))
        }
        _ => return false,
    };
    let exponent = i64::try_from(float.to_bits() >> 52 & 0x7FF).unwrap_or(0) - 1022;
    float.is_finite() && (float < 0.0) == negative && bits > 48 && exponent == i64::from(bits)
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

/// Whether a dict keeps the key of a pair: not one whose value is NULL.
pub(crate) fn is_kept_pair(graph: &Graph, pair: &[NodeId]) -> bool {
    let value = graph.node(pair[1]);
    value.code != b'0' && !value.is(bit::CUT)
}
