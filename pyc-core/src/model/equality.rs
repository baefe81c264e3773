//! Python's `==` among hashable values, as far as sets and dicts need it: `1 == 1.0 == True`, `nan is nan`.
//!
//! Code objects are equal when they would do the same, and then `1` and `True` are not the same any more: their constants
//! are compared with their types (`Objects/codeobject.c`, `code_richcompare` and `_PyCode_ConstantKey`).

mod glance;

use super::table::Table;
use super::{INTERNED, Loaded, NONE, Object};
use crate::code::{Field, fields};
use crate::error::Cause;
use crate::graph::{Value, index};
use crate::prelude::*;
use crate::text;
use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use core::ops::Range;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum As {
    /// A value.
    Value,
    /// A constant of a code object.
    Constant,
}

/// Equal objects get equal numbers.
#[derive(Default)]
struct Classes {
    of: BTreeMap<(Object, As), u32>,
    /// How deep an object nests, for those that nest at all.
    depths: BTreeMap<(Object, As), u32>,
    by_content: BTreeMap<Vec<u8>, u32>,
}

/// What most keys are: the singletons, strings, bytes and numbers that are easy to compare. They are only equal to their
/// like; what 2.7 takes for text is text here.
#[derive(PartialEq, Eq)]
enum Plain<'l> {
    /// A singleton that is no number, as its type byte.
    One(u8),
    Int(i64),
    /// A float that is no whole number, as its bits.
    Fraction(u64),
    /// A complex number that is no float, as the bits of its parts.
    Complex(u64, u64),
    /// NaN, or a complex number with one: only equal to itself.
    Nan(Object),
    Bytes(&'l [u8]),
    Str(Cow<'l, [u8]>),
}

impl Plain<'_> {
    fn of<'l>(loaded: &'l Loaded, object: Object) -> Option<Plain<'l>> {
        let node = loaded.node(object);
        let python2 = loaded.profile.is_python2();
        match node.code {
            b'N' | b'.' | b'S' => Some(Plain::One(node.code)),
            b'T' => Some(Plain::Int(1)),
            b'F' => Some(Plain::Int(0)),
            b'i' => Some(Plain::Int(node.extra.cast_signed().into())),
            b's' | b't' if python2 && loaded.payload(object).is_ascii() => {
                Some(Plain::Str(Cow::Borrowed(loaded.payload(object))))
            }
            b's' => Some(Plain::Bytes(loaded.payload(object))),
            b't' if python2 => Some(Plain::Bytes(loaded.payload(object))),
            b't' | b'u' | b'a' | b'A' | b'z' | b'Z' => Some(Plain::Str(loaded.text(object))),
            b'I' | b'l' | b'f' | b'g' | b'x' | b'y' => match loaded.value(object) {
                Value::Int64(value) => Some(Plain::Int(value)),
                Value::Long(long) => long.to_i64().map(Plain::Int),
                Value::Float(bits) => Plain::float(bits, object),
                Value::FloatText(text) => Plain::float(text::parse_float(text, python2)?, object),
                Value::Complex(real, imaginary) => Plain::complex(real, imaginary, object),
                Value::ComplexText(real, imaginary) => {
                    Plain::complex(text::parse_float(real, python2)?, text::parse_float(imaginary, python2)?, object)
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn complex(real: u64, imaginary: u64, object: Object) -> Option<Plain<'static>> {
        let [re, im] = [real, imaginary].map(f64::from_bits);
        if im == 0.0 {
            Plain::float(real, object)
        } else if re.is_nan() || im.is_nan() {
            Some(Plain::Nan(object))
        } else {
            Some(Plain::Complex(if re == 0.0 { 0 } else { real }, imaginary))
        }
    }

    /// `None` for what no 64 bits hold.
    fn float(bits: u64, object: Object) -> Option<Plain<'static>> {
        const MOST: f64 = (1_u64 << 63) as f64;
        let value = f64::from_bits(bits);
        if value.is_nan() {
            Some(Plain::Nan(object))
        } else if !text::is_whole(value) || value.is_infinite() {
            Some(Plain::Fraction(bits))
        } else {
            #[allow(clippy::cast_possible_truncation)] // a whole number, and it fits
            (-MOST..MOST).contains(&value).then_some(Plain::Int(value as i64))
        }
    }

    fn hash(&self, table: &mut Table) -> u64 {
        match self {
            Plain::One(code) => table.hash(&[*code]),
            Plain::Int(value) => table.hash(&value.to_le_bytes()),
            Plain::Fraction(bits) => table.hash(&bits.to_le_bytes()),
            Plain::Complex(real, imaginary) => table.hash(&(real ^ imaginary.rotate_left(1)).to_le_bytes()),
            Plain::Nan(object) => table.hash(&object.to_le_bytes()),
            Plain::Bytes(bytes) => table.hash(bytes),
            Plain::Str(text) => table.hash(text),
        }
    }
}

/// So many keys are compared with each other faster than a table is made.
const FEW: usize = 8;

/// Drops duplicates among these parts, which are members, or keys and values, and returns where they end now; `None`, and
/// nothing is done, if there are others than plain keys.
fn drop_plain_duplicates(loaded: &mut Loaded, all: Range<usize>, width: usize) -> Option<usize> {
    let mut places = all.clone().step_by(width);
    if !places.all(|at| Plain::of(loaded, loaded.parts[at]).is_some()) {
        return None;
    }
    let mut table = Table::default();
    let mut end = all.start;
    for at in all.clone().step_by(width) {
        let key = loaded.parts[at];
        let plain = Plain::of(loaded, key)?;
        let hash = plain.hash(&mut table);
        let is_equal = |place: u32| {
            let other = loaded.parts[place as usize];
            other == key || Plain::of(loaded, other).as_ref() == Some(&plain)
        };
        let place = table.find_or_add(hash, index(end), is_equal) as usize;
        end = keep(loaded, at, place, end, width);
    }
    Some(end)
}

/// As [`drop_plain_duplicates`], of a few keys, which may be tuples too; `None`, and nothing is done, if it takes a closer
/// look to see which are equal.
fn drop_few_duplicates(loaded: &mut Loaded, all: Range<usize>, width: usize) -> Option<usize> {
    let mut keys = [NONE; FEW];
    let count = all.len() / width;
    for (key, group) in keys.iter_mut().zip(loaded.parts[all.clone()].chunks(width)) {
        *key = group[0];
    }
    let firsts = first_equals(loaded, &keys[..count])?;
    let mut end = all.start;
    let mut kept = [0; FEW];
    for (i, at) in all.step_by(width).enumerate() {
        let first = firsts[i];
        if first == i {
            kept[i] = end;
        }
        end = keep(loaded, at, kept[first], end, width);
    }
    Some(end)
}

/// For each of a few keys, the first one that it is equal to.
fn first_equals(loaded: &Loaded, keys: &[Object]) -> Option<[usize; FEW]> {
    let mut firsts = core::array::from_fn(|i| i);
    if keys.iter().all(|key| loaded.has(*key, INTERNED)) {
        // Strings, and those that are equal are one object.
        for (i, key) in keys.iter().enumerate() {
            firsts[i] = keys[..i].iter().position(|other| other == key).unwrap_or(i);
        }
        return Some(firsts);
    }
    let mut few = [const { (NONE, None) }; FEW];
    for (i, key) in keys.iter().enumerate() {
        few[i] = (*key, Plain::of(loaded, *key));
        for (j, other) in few[..i].iter().enumerate() {
            if are_equal(loaded, other, &few[i])? {
                firsts[i] = j;
                break;
            }
        }
    }
    Some(firsts)
}

/// Whether two objects are equal, if that is seen at once.
fn are_equal(loaded: &Loaded, left: &(Object, Option<Plain>), right: &(Object, Option<Plain>)) -> Option<bool> {
    if let (Some(a), Some(b)) = (&left.1, &right.1) {
        return Some(a == b);
    }
    let family = family(loaded, left.0);
    if left.0 == right.0 || family != self::family(loaded, right.0) {
        return Some(left.0 == right.0);
    }
    if family == b'i' {
        return match (loaded.value(left.0), loaded.value(right.0)) {
            (Value::Long(a), Value::Long(b)) => Some(a == b),
            // A number that 64 bits hold is never equal to one that they do not.
            _ => (left.1.is_some() || right.1.is_some()).then_some(false),
        };
    }
    let (a, b) = (loaded.parts(left.0), loaded.parts(right.0));
    if matches!(family, b'(' | b'>') && a.len() != b.len() {
        return Some(false);
    }
    if family != b'(' {
        return None;
    }
    // One pair of leaves that differ is enough, whatever the others are.
    let mut all_known = true;
    for (a, b) in a.iter().zip(b).filter(|(a, b)| a != b) {
        match (Plain::of(loaded, *a), Plain::of(loaded, *b)) {
            (Some(a), Some(b)) if a != b => return Some(false),
            (Some(_), Some(_)) => {}
            _ => all_known = false,
        }
    }
    all_known.then_some(true)
}

/// Objects of different families are never equal.
fn family(loaded: &Loaded, object: Object) -> u8 {
    match loaded.node(object).code {
        b'T' | b'F' | b'i' | b'I' | b'l' | b'f' | b'g' | b'x' | b'y' => b'i',
        b't' | b'u' | b'a' | b'A' | b'z' | b'Z' => b't',
        b'(' | b')' => b'(',
        other => other,
    }
}

/// Moves a member, or a key and its value, to the end of those that are kept; or, where an equal one is kept at `place`
/// already, drops it and replaces that one's value. Returns where the kept ones end then.
fn keep(loaded: &mut Loaded, at: usize, place: usize, end: usize, width: usize) -> usize {
    if place == end {
        loaded.parts.copy_within(at..at + width, end);
        return end + width;
    }
    if width == 2 {
        loaded.parts.swap(place + 1, at + 1);
    }
    (at..at + width).for_each(|dropped| loaded.disown(loaded.parts[dropped]));
    end
}

/// Keeps the first of equal members among these parts; returns where they end now.
pub(super) fn drop_duplicate_members(loaded: &mut Loaded, all: Range<usize>) -> usize {
    drop_duplicates(loaded, all, 1)
}

/// Keeps the first of equal keys and the last of their values among these pairs; returns where they end now.
pub(super) fn drop_duplicate_keys(loaded: &mut Loaded, all: Range<usize>) -> usize {
    drop_duplicates(loaded, all, 2)
}

fn drop_duplicates(loaded: &mut Loaded, all: Range<usize>, width: usize) -> usize {
    if all.len() <= width {
        return all.end;
    }
    let few = all.len() / width <= FEW;
    if few && glance::are_distinct(loaded, all.clone(), width) {
        return all.end;
    }
    let drop_duplicates = if few { drop_few_duplicates } else { drop_plain_duplicates };
    if let Some(end) = drop_duplicates(loaded, all.clone(), width) {
        return end;
    }
    let mut classes = Classes::default();
    let mut seen: BTreeMap<u32, usize> = BTreeMap::new();
    let mut end = all.start;
    for at in all.step_by(width) {
        let key = loaded.parts[at];
        let place = *seen.entry(classes.class(loaded, key)).or_insert(end);
        if place != end {
            classes.compare(loaded, loaded.parts[place], key);
        }
        end = keep(loaded, at, place, end, width);
    }
    end
}

/// Whether `<` works between two objects of which neither is equal to the other.
pub(super) fn have_order(loaded: &Loaded, left: Object, right: Object) -> bool {
    let mut classes = Classes::default();
    let (mut left, mut right) = (left, right);
    loop {
        match loaded.node(left).code {
            b'x' | b'y' | b'c' | b'}' => return false,
            b'(' | b')' | b':' => {}
            _ => return true,
        }
        // The first items that differ decide.
        let mut items = loaded.parts(left).iter().zip(loaded.parts(right));
        match items.find(|(a, b)| classes.class(loaded, **a) != classes.class(loaded, **b)) {
            Some((a, b)) => (left, right) = (*a, *b),
            None => return true,
        }
    }
}

impl Classes {
    /// The number of an object's class. Nested values first, so that nothing recurses.
    fn class(&mut self, loaded: &Loaded, object: Object) -> u32 {
        let root = (object, As::Value);
        let mut open = vec![root];
        while let Some(&one) = open.last() {
            if self.of.contains_key(&one) {
                open.pop();
                continue;
            }
            let before = open.len();
            open.extend(parts(loaded, one).filter(|part| !self.of.contains_key(part)));
            if open.len() > before {
                continue;
            }
            let content = self.content(loaded, one);
            let next = u32::try_from(self.by_content.len()).unwrap_or(u32::MAX);
            let class = *self.by_content.entry(content).or_insert(next);
            let depth = parts(loaded, one).map(|part| 1 + self.depths.get(&part).copied().unwrap_or(0)).max();
            self.depths.extend(depth.map(|depth| (one, depth)));
            self.of.insert(one, class);
            open.pop();
        }
        self.of[&root]
    }

    /// Comparing equal objects is a recursion in C, whose limit depends on how deep the caller is.
    fn compare(&self, loaded: &mut Loaded, first: Object, second: Object) {
        const CERTAIN: u32 = 900;
        let depth = self.depths.get(&(second, As::Value)).copied().unwrap_or(0);
        if first != second && depth > CERTAIN && loaded.profile.limits_comparisons() {
            loaded.hazard.get_or_insert(Cause::DeepComparison);
        }
    }

    /// A text that equal objects share. Its first byte tells kinds apart that are never equal.
    fn content(&self, loaded: &Loaded, (object, r#as): (Object, As)) -> Vec<u8> {
        let classes = |tag: u8, sorted: bool, width: usize| {
            let classes: Vec<u32> = parts(loaded, (object, r#as)).map(|part| self.of[&part]).collect();
            let mut groups: Vec<&[u32]> = classes.chunks(width).collect();
            if sorted {
                groups.sort_unstable();
            }
            tagged(tag, &groups.concat().iter().flat_map(|c| c.to_le_bytes()).collect::<Vec<_>>())
        };
        let content = match (loaded.value(object), r#as) {
            (Value::Str(_), _) => Some(tagged(b's', &loaded.text(object))),
            (Value::Tuple(_), _) => Some(classes(b'(', false, 1)),
            (Value::Slice(_), _) => Some(classes(b':', false, 1)),
            (Value::FrozenSet(_), _) => Some(classes(b'>', true, 1)),
            (Value::FrozenDict(_), As::Value) => Some(classes(b'}', true, 2)),
            (Value::Code(_), _) => {
                let ints = loaded.ints(object);
                let counts = [ints.argcount, ints.posonlyargcount, ints.kwonlyargcount, ints.nlocals, ints.flags];
                let numbers = counts.into_iter().chain([ints.firstlineno]).flat_map(i32::to_le_bytes);
                let fields = [classes(b'c', false, 1), numbers.collect()].concat();
                // A hazard of co_code is the whole value's.
                let derived = loaded.profile.rebuilds_code();
                Some(if derived { [fields, loaded.shown_code(object).unwrap_or_default()].concat() } else { fields })
            }
            (value, As::Value) => scalar_content(value, loaded.profile.is_python2()),
            (value, As::Constant) => constant_content(value, loaded.profile.is_python2()),
        };
        // The same bytes may be a value and a constant, which are not compared.
        let content = content.unwrap_or_else(|| tagged(b'@', &object.to_le_bytes()));
        tagged(r#as as u8, &content)
    }
}

/// The parts of an object that decide about its equality, and what they are compared as.
fn parts<'l>(loaded: &'l Loaded, (object, r#as): (Object, As)) -> impl Iterator<Item = (Object, As)> + 'l {
    let parts = loaded.parts(object);
    let code = loaded.node(object).code;
    let derived = loaded.profile.rebuilds_code();
    let places = fields(loaded.graph.layout).iter().map(Some).chain(core::iter::repeat(None));
    parts.iter().zip(places).filter_map(move |(&part, field)| match (code, field) {
        (b'(' | b')' | b'>' | b':', _) => Some((part, r#as)),
        (b'}', _) => (r#as == As::Value).then_some((part, As::Value)),
        (b'c', Some(Field::Code)) if !derived => Some((part, As::Value)),
        (b'c', Some(field)) => compared_as(*field).map(|r#as| (part, r#as)),
        _ => None,
    })
}

/// What the field of a code object is compared as, if it decides about its equality. (The instructions are apart: what counts is
/// what `co_code` shows.)
pub(crate) fn compared_as(field: Field) -> Option<As> {
    match field {
        Field::Code | Field::Localspluskinds | Field::Filename | Field::Qualname | Field::Lnotab => None,
        Field::Consts => Some(As::Constant),
        _ => Some(As::Value),
    }
}

/// A text that equal constants share: with the type, and with the signs of zeros.
pub(crate) fn constant_content(value: Value, python2: bool) -> Option<Vec<u8>> {
    let float = |text| text::parse_float(text, python2);
    let floats = |tag: u8, parts: &[u64]| {
        let is_nan = parts.iter().any(|bits| f64::from_bits(*bits).is_nan());
        (!is_nan).then(|| tagged(tag, &parts.iter().flat_map(|bits| bits.to_le_bytes()).collect::<Vec<_>>()))
    };
    match value {
        Value::True => Some(vec![b'T']),
        Value::False => Some(vec![b'F']),
        Value::Float(bits) => floats(b'f', &[bits]),
        Value::FloatText(text) => floats(b'f', &[float(text)?]),
        Value::Complex(real, imaginary) => floats(b'y', &[real, imaginary]),
        Value::ComplexText(real, imaginary) => floats(b'y', &[float(real)?, float(imaginary)?]),
        Value::Bytes(bytes) | Value::InternedBytes(bytes) => Some(tagged(b'b', bytes)),
        Value::Long(_) if python2 => scalar_content(value, python2).map(|content| tagged(b'l', &content)),
        _ => scalar_content(value, python2),
    }
}

fn tagged(tag: u8, rest: &[u8]) -> Vec<u8> {
    [&[tag], rest].concat()
}

/// A text that equal scalars share; `None` for what is only equal to itself (NaN, and all that is no scalar).
pub(crate) fn scalar_content(value: Value, python2: bool) -> Option<Vec<u8>> {
    Some(match value {
        Value::True => integer(false, &[1]),
        Value::False => integer(false, &[]),
        Value::Int(value) => integer(value < 0, &value.unsigned_abs().to_le_bytes()),
        Value::Int64(value) => integer(value < 0, &value.unsigned_abs().to_le_bytes()),
        Value::Long(long) => {
            let mut bytes = Vec::new();
            let (mut sum, mut width) = (0_u32, 0);
            for digit in long.digits() {
                sum |= u32::from(digit) << width;
                width += 15;
                while width >= 8 {
                    bytes.push(sum.to_le_bytes()[0]);
                    sum >>= 8;
                    width -= 8;
                }
            }
            bytes.push(sum.to_le_bytes()[0]);
            integer(long.negative, &bytes)
        }
        Value::Float(bits) => return float(bits),
        Value::FloatText(text) => return text::parse_float(text, python2).and_then(float),
        Value::Complex(real, imaginary) => return complex(real, imaginary),
        Value::ComplexText(real, imaginary) => {
            return text::parse_float(real, python2)
                .zip(text::parse_float(imaginary, python2))
                .and_then(|(real, imaginary)| complex(real, imaginary));
        }
        // 2.7: 'a' == u'a', but other bytes are never equal to text.
        Value::Bytes(bytes) | Value::InternedBytes(bytes) if python2 && bytes.is_ascii() => tagged(b's', bytes),
        Value::Bytes(bytes) | Value::InternedBytes(bytes) => tagged(b'b', bytes),
        Value::Str(text) => tagged(b's', text.bytes),
        Value::None => vec![b'N'],
        Value::Ellipsis => vec![b'.'],
        Value::StopIteration => vec![b'S'],
        _ => return None,
    })
}

fn integer(negative: bool, magnitude: &[u8]) -> Vec<u8> {
    let significant = magnitude.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
    let sign = if negative { b'-' } else { b'+' };
    [&[b'i', sign], &magnitude[..significant]].concat()
}

/// `None` for NaN, which is only equal to itself by identity.
fn float(bits: u64) -> Option<Vec<u8>> {
    let value = f64::from_bits(bits);
    if value.is_nan() {
        return None;
    }
    if value.is_infinite() || !text::is_whole(value) {
        return Some([&b"f"[..], &bits.to_le_bytes()].concat());
    }
    // A whole number: mantissa times a power of two.
    let exponent = i32::try_from(bits >> 52 & 0x7FF).unwrap_or(0) - 1075;
    let mantissa = if value == 0.0 { 0 } else { bits & 0x000F_FFFF_FFFF_FFFF | 0x0010_0000_0000_0000 };
    let magnitude = if exponent <= 0 {
        (mantissa >> (-exponent).min(63)).to_le_bytes().to_vec()
    } else {
        let exponent = exponent.unsigned_abs() as usize;
        let shifted = u128::from(mantissa) << (exponent % 8);
        [vec![0; exponent / 8], shifted.to_le_bytes().to_vec()].concat()
    };
    Some(integer(value < 0.0, &magnitude))
}

fn complex(real: u64, imaginary: u64) -> Option<Vec<u8>> {
    let zero = |bits: u64| f64::from_bits(bits) == 0.0;
    if zero(imaginary) {
        return float(real);
    }
    let plain = |bits: u64| if zero(bits) { 0 } else { bits };
    let is_nan = f64::from_bits(real).is_nan() || f64::from_bits(imaginary).is_nan();
    (!is_nan).then(|| [&b"c"[..], &plain(real).to_le_bytes(), &imaginary.to_le_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::{Plain, Table, are_equal};
    use crate::{Profile, Version, model::Loaded, read};
    use alloc::collections::BTreeSet;

    /// 2 ** 70, as is the float 4450000000000000, ...
    const LARGE: &[u8] = b"l\x05\0\0\0\0\0\0\0\0\0\0\0\0\x04";
    /// ... and -(2 ** 70).
    const NEGATIVE: &[u8] = b"l\xfb\xff\xff\xff\0\0\0\0\0\0\0\0\0\x04";

    fn container(code: u8, items: &[&[u8]]) -> Vec<u8> {
        [&[code][..], &u32::try_from(items.len()).unwrap().to_le_bytes(), &items.concat()].concat()
    }

    /// The number of members left in a set of these items, on 3.13 and 2.7.
    fn check(items: &[&[u8]], expected: usize) {
        for version in [Version::new(3, 13), Version::new(2, 7)] {
            let profile = Profile::of(version).unwrap();
            let stream = container(b'<', items);
            let graph = read(&stream, profile).unwrap();
            let loaded = Loaded::new(&graph, profile);
            assert!(
                loaded.canon().starts_with(&format!("set {expected}\n")),
                "{version} {items:x?}: {}",
                loaded.canon()
            );
        }
    }

    #[test]
    fn numbers_are_equal_across_types() {
        let one_float = &[b"g".as_slice(), &1f64.to_le_bytes()].concat();
        let one_complex = &[b"y".as_slice(), &1f64.to_le_bytes(), &(-0f64).to_le_bytes()].concat();
        check(&[b"T", b"i\x01\0\0\0", b"l\x01\0\0\0\x01\0", one_float, one_complex], 1);
        let big = &[b"g".as_slice(), &2f64.powi(70).to_le_bytes()].concat();
        check(&[b"l\x05\0\0\0\0\0\0\0\0\0\0\0\0\x04", big], 1);
        check(&[b"l\x05\0\0\0\x01\0\0\0\0\0\0\0\0\x04", big], 2);
        let minus_zero = &[b"g".as_slice(), &(-0f64).to_le_bytes()].concat();
        check(&[b"F", minus_zero, b"l\0\0\0\0", b"x\x02-0\x010"], 1);
        let half = &[b"g".as_slice(), &0.5f64.to_le_bytes()].concat();
        check(&[half, b"f\x03.50", b"f\x010"], 2);
        let complex =
            |real: f64, imaginary: f64| [b"y".as_slice(), &real.to_le_bytes(), &imaginary.to_le_bytes()].concat();
        check(&[&complex(0.0, 2.0), &complex(-0.0, 2.0), b"x\x010\x012"], 1);
        check(&[&complex(0.0, 2.0), &complex(2.0, 0.0), &complex(2.0, 2.0), b"x\x012\x010"], 3);
    }

    /// 2.7: bytes are equal to text if both are ASCII; among few keys and among many.
    #[test]
    fn ascii_is_equal_to_text_in_python2() {
        let profile = Profile::of(Version::new(2, 7)).unwrap();
        let words = [&b"s\x02\0\0\0ab"[..], b"t\x02\0\0\0ab", b"u\x02\0\0\0ab"];
        let others = [&b"s\x02\0\0\0\xc3\xa9"[..], b"t\x02\0\0\0\xc3\xa9", b"u\x02\0\0\0\xc3\xa9"];
        let numbers: Vec<Vec<u8>> = (0..9_u8).map(|n| vec![b'i', n, 0, 0, 0]).collect();
        for more in [0, 9] {
            let numbers = numbers[..more].iter().map(Vec::as_slice);
            let items: Vec<&[u8]> = words.into_iter().chain(others).chain(numbers).collect();
            let stream = container(b'<', &items);
            let graph = read(&stream, profile).unwrap();
            let canon = Loaded::new(&graph, profile).canon();
            assert!(canon.starts_with(&format!("set {}\n", 3 + more)), "{canon}");
        }
    }

    /// NaN is equal to itself by identity only, which shows on its own and in tuples.
    #[test]
    fn nan_is_itself() {
        let mut nans = Vec::new();
        for (code, parts) in [(b'g', [f64::NAN, f64::NAN]), (b'y', [f64::NAN, 0.0]), (b'y', [1.0, f64::NAN])] {
            let bytes = parts.map(f64::to_le_bytes).concat();
            nans.push([&[code], &bytes[..if code == b'g' { 8 } else { 16 }]].concat());
        }
        nans.push(b"f\x03nan".to_vec());
        for nan in &nans {
            let tuple = |item: &[u8]| container(b'(', &[item]);
            check(&[nan, nan], 2);
            check(&[&tuple(nan), &tuple(nan)], 2);
            let flagged = [&[nan[0] | 0x80], &nan[1..]].concat();
            let profile = Profile::of(Version::new(3, 13)).unwrap();
            for items in [[&flagged[..], b"r\0\0\0\0"], [&tuple(&flagged), &tuple(b"r\0\0\0\0")]] {
                let stream = container(b'<', &items);
                let graph = read(&stream, profile).unwrap();
                let canon = Loaded::new(&graph, profile).canon();
                assert!(canon.starts_with("set 1\n"), "{stream:x?}: {canon}");
            }
        }
    }

    /// What most keys are is compared without a text of it, and their hashes tell them apart.
    #[test]
    fn plain_keys_need_no_closer_look() {
        let rows: &[(&[u8], bool)] = &[
            (b"N", true),
            (b".", true),
            (b"S", true),
            (b"T", true),
            (b"F", true),
            (b"i\x07\0\0\0", true),
            (b"I\x08\0\0\0\0\0\0\0", true),
            (b"l\x01\0\0\0\x09\0", true),
            (b"g\0\0\0\0\0\0\xe0\x3f", true),
            (b"g\0\0\0\0\0\0\x24\x40", true),
            (b"g\0\0\0\0\0\0\xd0\xc3", true),
            (b"g\0\0\0\0\0\0\xf0\x7f", true),
            (b"g\0\0\0\0\0\0\xf8\x7f", true),
            (b"f\x042.25", true),
            (b"y\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\xf0\x3f", true),
            (b"y\0\0\0\0\0\0\0\x40\0\0\0\0\0\0\0\xc0", true),
            (b"x\x043.25\x011", true),
            (b"x\x043.25\x010", true),
            (b"s\x01\0\0\0a", true),
            (b"u\x01\0\0\0b", true),
            (b"l\x05\0\0\0\0\0\0\0\0\0\0\0\0\x04", false),
            // 2^62 and 2^63.
            (b"g\0\0\0\0\0\0\xd0\x43", true),
            (b"g\0\0\0\0\0\0\xe0\x43", false),
            (b")\x01N", false),
        ];
        let profile = Profile::of(Version::new(3, 13)).unwrap();
        let items: Vec<&[u8]> = rows.iter().map(|(item, _)| *item).collect();
        let stream = container(b'[', &items);
        let graph = read(&stream, profile).unwrap();
        let loaded = Loaded::new(&graph, profile);
        let mut table = Table::default();
        let mut hashes = BTreeSet::new();
        for (&object, (item, plain)) in loaded.parts(loaded.root()).iter().zip(rows) {
            let key = Plain::of(&loaded, object);
            assert_eq!(key.is_some(), *plain, "{item:x?}");
            assert!(key.is_none_or(|key| hashes.insert(key.hash(&mut table))), "{item:x?}");
        }
    }

    /// Whether two objects are equal is seen at once, or not at all.
    #[test]
    fn tuples_of_plain_items_need_no_closer_look() {
        let rows: &[(&[u8], &[u8], Option<bool>)] = &[
            (b")\x02NT", b")\x02NT", Some(true)),
            (b")\x02NT", b")\x02Ni\x01\0\0\0", Some(true)),
            (b")\x02NT", b")\x02NF", Some(false)),
            (b")\x02NT", b")\x01N", Some(false)),
            (b")\x02)\0T", b")\x02)\x01NF", Some(false)),
            (b")\x02)\x01NT", b")\x02)\x01NT", None),
            (b">\x01\0\0\0N", b">\x01\0\0\0N", None),
            (b">\x01\0\0\0N", b">\x02\0\0\0NT", Some(false)),
            (b">\x01\0\0\0N", b")\x01N", Some(false)),
            (b"T", b")\x01N", Some(false)),
            (b"T", b"i\x01\0\0\0", Some(true)),
            (b"T", LARGE, Some(false)),
            (b"g\0\0\0\0\0\0\xe0\x3f", LARGE, Some(false)),
            (LARGE, LARGE, Some(true)),
            (LARGE, NEGATIVE, Some(false)),
            (LARGE, b"g\0\0\0\0\0\0\x50\x44", None),
        ];
        let profile = Profile::of(Version::new(3, 13)).unwrap();
        for (left, right, expected) in rows {
            let stream = container(b'[', &[left, right]);
            let graph = read(&stream, profile).unwrap();
            let loaded = Loaded::new(&graph, profile);
            let [left, right] = [0, 1].map(|i| loaded.parts(loaded.root())[i]).map(|it| (it, Plain::of(&loaded, it)));
            assert_eq!(are_equal(&loaded, &left, &right), *expected, "{stream:x?}");
            assert_eq!(are_equal(&loaded, &right, &left), *expected, "{stream:x?}");
            assert_eq!(are_equal(&loaded, &left, &left), Some(true), "{stream:x?}");
        }
    }

    #[test]
    fn containers_are_equal_by_content() {
        check(&[b"(\x01\0\0\0T", b"(\x01\0\0\0i\x01\0\0\0", b"(\0\0\0\0"], 2);
        check(&[b">\x02\0\0\0TN", b">\x02\0\0\0NT", b">\x01\0\0\0N"], 2);
        check(&[b"N", b".", b"S", b"N"], 3);
        check(&[b"u\x02\0\0\0ab", b"u\x02\0\0\0ab", b"u\x02\0\0\0\xc3\xa9"], 2);
    }

    /// Few and many keys are compared in different ways, and so are those that need a closer look.
    #[test]
    fn it_does_not_matter_how_many_keys_there_are() {
        let float = |value: f64| [b"g".as_slice(), &value.to_le_bytes()].concat();
        let floats = [1.0, 0.5, -0.0, f64::INFINITY, 2f64.powi(53), 2f64.powi(70), f64::NAN].map(float);
        let complexes = [[0.0, 1.0], [1.0, 1.0], [1.0, -1.0], [0.5, f64::INFINITY]];
        let complexes = complexes.map(|parts| [b"y".as_slice(), &parts.map(f64::to_le_bytes).concat()].concat());
        let different: Vec<&[u8]> = [
            &[&b"N"[..], b".", b"S", b"(\0\0\0\0", b"(\x01\0\0\0N", b"(\x01\0\0\0F", b"(\x02\0\0\0FF"][..],
            &[b"s\x01\0\0\0\xe9", b"u\x01\0\0\0b", b"i\x07\0\0\0", b"l\x01\0\0\0\x08\0", b">\0\0\0\0", b">\x01\0\0\0N"],
            &[b"f\x042.25", b"x\x011\x012", NEGATIVE, b">\x02\0\0\0NF", b"(\x02\0\0\0F>\0\0\0\0"],
            &floats.iter().chain(&complexes).map(Vec::as_slice).collect::<Vec<_>>(),
        ]
        .concat();
        for first in 0..different.len() {
            for count in 2..=different.len() {
                let mut items: Vec<&[u8]> = different.iter().cycle().skip(first).take(count).copied().collect();
                check(&items, count);
                for (again, new) in [
                    (&b"T"[..], &floats[0][..]),
                    (b"F", &floats[2]),
                    (b"i\x08\0\0\0", b"l\x01\0\0\0\x08\0"),
                    (LARGE, &floats[5]),
                ] {
                    let is_there = items.contains(&new);
                    items.push(again);
                    check(&items, count + usize::from(!is_there));
                    items.pop();
                }
            }
        }
    }
}
