//! Spellings: the encodings of one value.
//!
//! `i`, `I` and `l` are one int in Python 3, and two types in 2.7; a float has two forms, a text six. Readers must not
//! care, and [`normal`] says how much they must not: a stream in its normal form is the same value, and is dumped as the
//! same bytes. Nothing here is shared with pyc-core, whose model is what the normal form is held against.

use super::Target;
use super::draft::{Draft, Node, is_dict};
use std::borrow::Cow;

/// A type byte and what follows it (strings and containers: without their size).
pub(crate) type Spelling<'b> = (u8, Cow<'b, [u8]>);

/// All spellings of an object, as far as they are known to be equal; the one that a writer of format version 4 (2.7: of
/// its own) chooses comes first. What is interned stays interned.
pub(crate) fn spellings<'b>(python2: bool, node: &Node<'b>) -> Vec<Spelling<'b>> {
    let found = match node.code {
        b'i' | b'I' | b'l' => integers(python2, node),
        b'f' | b'g' | b'x' | b'y' => floats(node),
        b'u' | b't' | b'a' | b'A' | b'z' | b'Z' if !python2 => texts(node),
        b'(' | b')' if !python2 => {
            let short = (node.items.len() < 256).then_some((b')', Cow::default()));
            Some(short.into_iter().chain([(b'(', Cow::default())]).collect())
        }
        _ => None,
    };
    found.unwrap_or_else(|| vec![(node.code, node.payload.clone())])
}

fn integers<'b>(python2: bool, node: &Node<'b>) -> Option<Vec<Spelling<'b>>> {
    // 2.7's long is another type.
    let n = integer(node).filter(|_| !python2 || node.code != b'l')?;
    let short = i32::try_from(n).ok().map(|n| (b'i', n.to_le_bytes().to_vec().into()));
    let digits = (b'l', to_digits(n.into()).into());
    let wide = (b'I', n.to_le_bytes().to_vec().into());
    let rest = if python2 { vec![wide] } else { vec![digits, wide] };
    Some(short.into_iter().chain(rest).collect())
}

/// The number that an int says, if it follows the rules and fits.
fn integer(node: &Node<'_>) -> Option<i64> {
    match node.code {
        b'i' => Some(i32::from_le_bytes(*node.payload.first_chunk()?).into()),
        b'I' => Some(i64::from_le_bytes(*node.payload.first_chunk()?)),
        b'l' => from_digits(&node.payload),
        _ => None,
    }
}

fn from_digits(payload: &[u8]) -> Option<i64> {
    let (count, digits) = payload.split_first_chunk()?;
    let digits: Vec<u16> = digits.chunks_exact(2).map(|d| u16::from_le_bytes([d[0], d[1]])).collect();
    if digits.len() > 5 || digits.last() == Some(&0) || digits.iter().any(|d| *d > 0x7fff) {
        return None;
    }
    let magnitude = digits.iter().rev().fold(0_i128, |sum, digit| sum << 15 | i128::from(*digit));
    i64::try_from(magnitude * i128::from(i32::from_le_bytes(*count).signum())).ok()
}

/// The payload of an `l`: how many digits of 15 bits, with the sign, and the digits from the lowest on.
pub(super) fn to_digits(n: i128) -> Vec<u8> {
    let mut rest = n.unsigned_abs();
    let mut digits = Vec::new();
    let mut count = 0;
    while rest > 0 {
        digits.extend(&(rest & 0x7fff).to_le_bytes()[..2]);
        rest >>= 15;
        count += if n < 0 { -1 } else { 1 };
    }
    [&i32::to_le_bytes(count)[..], &digits].concat()
}

/// One part of `f` and `g`, two of `x` and `y`.
fn floats<'b>(node: &Node<'b>) -> Option<Vec<Spelling<'b>>> {
    let complex = b"xy".contains(&node.code);
    let parts: Vec<f64> = if b"gy".contains(&node.code) {
        node.payload.chunks_exact(8).map(|bits| f64::from_le_bytes(bits.try_into().unwrap_or_default())).collect()
    } else {
        let mut rest = &*node.payload;
        let mut parts = Vec::new();
        while let Some((&n, text)) = rest.split_first() {
            let (text, more) = text.split_at_checked(usize::from(n))?;
            parts.push(from_text(text)?);
            rest = more;
        }
        parts
    };
    if parts.len() != 1 + usize::from(complex) {
        return None;
    }
    let binary: Vec<u8> = parts.iter().flat_map(|part| part.to_le_bytes()).collect();
    let mut spellings: Vec<Spelling> = vec![(if complex { b'y' } else { b'g' }, binary.into())];
    // A text cannot say the bits of a NaN.
    if !parts.iter().any(|part| part.is_nan()) {
        let texts = parts.iter().map(|part| format!("{part:e}"));
        let texts: Option<Vec<Vec<u8>>> =
            texts.map(|text| Some([&[u8::try_from(text.len()).ok()?], text.as_bytes()].concat())).collect();
        spellings.push((if complex { b'x' } else { b'f' }, texts?.concat().into()));
    }
    Some(spellings)
}

/// The number that a text says, up to its first NUL, as in C. NaNs are left alone: their sign is a matter of the version.
fn from_text(text: &[u8]) -> Option<f64> {
    let text = text.split(|byte| *byte == 0).next()?;
    str::from_utf8(text).ok()?.parse().ok().filter(|number: &f64| !number.is_nan())
}

/// The spellings of a `str` in Python 3.
fn texts<'b>(node: &Node<'b>) -> Option<Vec<Spelling<'b>>> {
    let interned = b"tAZ".contains(&node.code);
    let (short, long, wide) = if interned { (b'Z', b'A', b't') } else { (b'z', b'a', b'u') };
    let (utf8, latin1): (Cow<[u8]>, Option<Cow<[u8]>>) = if b"ut".contains(&node.code) {
        // Surrogates are left alone: they are text in Python and not in Rust.
        let text = str::from_utf8(&node.payload).ok()?;
        let latin1 = if text.is_ascii() {
            Some(node.payload.clone())
        } else {
            text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect::<Option<Vec<u8>>>().map(Cow::Owned)
        };
        (node.payload.clone(), latin1)
    } else if node.payload.is_ascii() {
        (node.payload.clone(), Some(node.payload.clone()))
    } else {
        let text: String = node.payload.iter().copied().map(char::from).collect();
        (text.into_bytes().into(), Some(node.payload.clone()))
    };
    let ascii = utf8.is_ascii();
    let mut spellings = Vec::new();
    if let Some(latin1) = latin1 {
        if latin1.len() < 256 {
            spellings.push((short, latin1.clone()));
        }
        spellings.push((long, latin1));
    }
    spellings.insert(if ascii { spellings.len() } else { 0 }, (wide, utf8));
    Some(spellings)
}

/// Interpreters keep one object for each of these ints (the largest such range), and Python 3 gives it out for `i` alone;
/// that shows in a dump.
const KEPT: std::ops::RangeInclusive<i64> = -5..=1024;

/// The stream in its normal form: every object in the spelling of a writer, no flag that no reference needs, nothing after
/// the end; a small int that is not `i` stays what it is. `None` when the stream breaks off, or has a NULL where only some
/// interpreters go on.
#[must_use]
pub fn normal(target: Target, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut draft = Draft::read(bytes, Some(target))?;
    if draft.nodes.iter().any(|node| node.code == b'0' || is_dict(node.code) && node.items.len() % 2 != 0) {
        return None;
    }
    let meant = draft.meant();
    for (node, meant) in draft.nodes.iter_mut().zip(meant) {
        node.flag &= meant && node.can_have_slot();
        if is_dict(node.code) {
            node.trailer = b"0";
        }
        let number = integer(node).filter(|_| node.code != b'i' && !draft.python2);
        if number.is_some_and(|n| KEPT.contains(&n)) {
            continue;
        }
        let (code, payload) = spellings(draft.python2, node).swap_remove(0);
        (node.code, node.payload) = (code, payload);
    }
    draft.rest = Cow::default();
    draft.write(usize::MAX)
}

#[cfg(test)]
#[path = "spell_tests.rs"]
mod tests;
