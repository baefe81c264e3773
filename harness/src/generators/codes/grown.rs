//! Code objects grown from compiled ones: real surroundings with some fields replaced.
//!
//! The references of a stream count its flags. So no edit adds or removes a flag: what is replaced keeps its type or its
//! class, what is added has none, and the rest of the stream keeps its meaning.
//!
//! Reviewed for Python 3.15.

use super::super::Target;
use super::super::code::{CELL, LOCAL};
use super::super::emit::{Emitter, Kind, Style};
use super::super::luck::Luck;
use super::super::mutate::{put, replace};
use super::super::skim::{BEFORE_LINE, FLAG_REF, Item, SLOTLESS, Skim, layout, long, skim_for};
use super::super::swarm::LARGE;
use super::bytecode::{Names, instructions};
use super::object::{HIDDEN, VARARGS, VARKEYWORDS, small};
use super::opcodes::Opcodes;
use super::tables;
use arbitrary::Unstructured;

/// The objects of a code object whose places are the same in every version.
pub(super) const CODE: usize = 0;
pub(super) const CONSTS: usize = 1;
pub(super) const LINES: usize = BEFORE_LINE;

/// Types of strings, each with a size of one byte or of four.
const TEXTS: &[u8] = b"zZaAut";
/// Types of constants without items that are no strings.
const SCALARS: &[u8] = b"iIlgyfxs";

/// A code object of a stream: where its parts are.
pub(super) struct Parts {
    pub(super) item: Item,
    /// Its objects, in order.
    pub(super) fields: Vec<Item>,
    pub(super) skimmed: Skim,
}

impl Parts {
    /// One of the code objects of a stream that is understood to its end.
    pub(super) fn pick(u: &mut Unstructured<'_>, target: Target, bytes: &[u8]) -> Option<Parts> {
        let skimmed = skim_for(target, bytes);
        let codes: Vec<usize> = (0..skimmed.items.len()).filter(|&i| skimmed.items[i].code == b'c').collect();
        if !skimmed.complete || codes.first() != Some(&0) {
            return None;
        }
        let index = u.pick(&codes);
        let fields: Vec<Item> = skimmed.items.iter().filter(|i| i.parent == Some(index)).copied().collect();
        (fields.len() == BEFORE_LINE + layout(target).1).then(|| Parts { item: skimmed.items[index], fields, skimmed })
    }

    /// The items of one of the objects.
    pub(super) fn items_of(&self, field: Item) -> Vec<Item> {
        let index = self.skimmed.items.iter().position(|i| i.at == field.at);
        self.skimmed.items.iter().filter(|i| i.parent.is_some() && i.parent == index).copied().collect()
    }

    /// Where an integer before the objects is.
    pub(super) fn integer(&self, index: usize) -> usize {
        self.item.at + 1 + 4 * index
    }

    pub(super) fn line(&self) -> usize {
        self.fields[BEFORE_LINE - 1].end
    }
}

/// Places of the integers at the beginning of a code object, by version.
pub(super) struct Integers {
    pub(super) positional_only: Option<usize>,
    pub(super) keyword_only: Option<usize>,
    pub(super) locals: Option<usize>,
    pub(super) stack: usize,
    pub(super) flags: usize,
}

impl Integers {
    pub(super) fn of(version: (u8, u8)) -> Self {
        let (positional_only, keyword_only, locals, stack) = match version {
            (3, 11..) => (Some(1), Some(2), None, 3),
            (3, 8..) => (Some(1), Some(2), Some(3), 4),
            (3, _) => (None, Some(1), Some(2), 3),
            _ => (None, None, Some(1), 2),
        };
        Integers { positional_only, keyword_only, locals, stack, flags: stack + 1 }
    }
}

/// `base` with one to four fields replaced; `None` if it is no compiled code of the target.
pub(super) fn generate(u: &mut Unstructured<'_>, target: Target, base: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = base.to_vec();
    Parts::pick(u, target, &bytes)?;
    for _ in 0..1 + u.below(4) {
        // What the code object has no place for is tried elsewhere.
        for _ in 0..4 {
            let parts = Parts::pick(u, target, &bytes)?;
            if edit(u, target, &mut bytes, &parts).is_some() {
                break;
            }
        }
    }
    Some(bytes)
}

fn edit(u: &mut Unstructured<'_>, target: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Option<()> {
    let version = target.version;
    let integers = Integers::of(version);
    let length = |field: usize| -> usize { (parts.fields[field].end - parts.fields[field].at).saturating_sub(5) };
    match u.below(12) {
        0 => {
            let line = u.pick(&[1, 0, i32::MAX, -1, i32::MIN, 65536]);
            put(bytes, parts.line(), line)
        }
        1 => {
            let at = parts.integer(integers.flags);
            let flags = long(bytes, at)? ^ (1 << u.below(31)) & !(VARARGS | VARKEYWORDS);
            put(bytes, at, flags)
        }
        2 => {
            let stack = u.pick(&[0, 1, 255, 256, 65536]);
            put(bytes, parts.integer(integers.stack), stack)
        }
        // Fewer arguments than there are names for is always legal.
        3 => {
            let fewer = |u: &mut Unstructured<'_>, bytes: &[u8], index: usize, most: i32| -> Option<i32> {
                let n = long(bytes, parts.integer(index))?.min(most);
                i32::try_from(u.below(u32::try_from(n).ok()? + 1)).ok()
            };
            let positional = fewer(u, bytes, 0, i32::MAX)?;
            put(bytes, parts.integer(0), positional)?;
            if let Some(index) = integers.positional_only {
                let n = fewer(u, bytes, index, positional)?;
                put(bytes, parts.integer(index), n)?;
            }
            if let Some(index) = integers.keyword_only {
                let n = fewer(u, bytes, index, i32::MAX)?;
                put(bytes, parts.integer(index), n)?;
            }
            Some(())
        }
        4 => {
            let count = |field: usize| u32::try_from(parts.items_of(parts.fields[field]).len()).unwrap_or(0);
            let named = Names { consts: count(CONSTS), names: count(2), locals: count(3) };
            let large = u.one_in(LARGE);
            let code = instructions(u, Opcodes::of(version), named, large);
            put_bytes(bytes, parts.fields[CODE], &code)
        }
        5 | 6 => {
            let lines = tables::lines(u, version, length(CODE));
            put_bytes(bytes, parts.fields[LINES], &lines)
        }
        7 if version >= (3, 11) => {
            let exceptions = tables::exceptions(u, length(CODE));
            put_bytes(bytes, parts.fields[LINES + 1], &exceptions)
        }
        // A cell argument more; a hidden local more.
        8 if version >= (3, 11) => {
            let field = parts.fields[4];
            let n = field.end.checked_sub(field.at + 5).filter(|n| *n > 0 && field.code == b's')?;
            let kind = bytes.get_mut(field.at + 5 + u.index(n))?;
            if *kind & LOCAL != 0 {
                *kind |= if version >= (3, 12) { u.pick(&[CELL, HIDDEN]) } else { CELL };
            }
            Some(())
        }
        9 => {
            let first = if version >= (3, 11) { 5 } else { 6 };
            let field = parts.fields[first + u.index(8 - first)];
            put_leaf(u, target, bytes, field)
        }
        10 => {
            let consts = parts.items_of(parts.fields[CONSTS]);
            let item = *consts.get(u.index(consts.len().max(1)))?;
            put_leaf(u, target, bytes, item)
        }
        _ => {
            let field = parts.fields[CONSTS];
            // 3.11's compiler makes one tuple of constants and names that are equal, and names stay strings.
            if bytes[field.at] & FLAG_REF != 0 {
                return None;
            }
            let added = small(u, target);
            match field.code {
                b')' if bytes[field.at + 1] < 255 => bytes[field.at + 1] += 1,
                b'(' => {
                    let n = long(bytes, field.at + 1)?;
                    put(bytes, field.at + 1, n.checked_add(1)?)?;
                }
                _ => return None,
            }
            replace(bytes, field.end..field.end, &added);
            Some(())
        }
    }
}

/// Replaces the bytes of a field. An empty or a short object may stand for one of another use, so it is left alone where
/// something can refer to it.
pub(super) fn put_bytes(bytes: &mut Vec<u8>, field: Item, payload: &[u8]) -> Option<()> {
    let size = i32::try_from(payload.len()).ok()?.to_le_bytes();
    let code = match field.code {
        b's' | b't' if bytes[field.at] & FLAG_REF == 0 || field.end > field.at + 6 => bytes[field.at],
        b'r' | b'R' => b's',
        _ => return None,
    };
    replace(bytes, field.at..field.end, &[&[code][..], &size, payload].concat());
    Some(())
}

/// Replaces a string by a string, another scalar by another scalar.
fn put_leaf(u: &mut Unstructured<'_>, target: Target, bytes: &mut Vec<u8>, item: Item) -> Option<()> {
    let is_text = TEXTS.contains(&item.code);
    if !is_text && !SCALARS.contains(&item.code) || target.version < (3, 0) && b"st".contains(&item.code) {
        // 2.7's `t` takes a place in the table of strings, and its `s` takes none.
        return if item.code == b't' { put_bytes(bytes, item, b"grown") } else { None };
    }
    let flag = bytes[item.at] & FLAG_REF;
    if flag != 0 && item.code == b's' {
        return None;
    }
    let style = if target.version < (3, 0) { Style::Writer(0) } else { Style::Any };
    let mut e = Emitter::new(u, target, style);
    let mut leaf = loop {
        e.out.clear();
        if is_text {
            if e.target.version < (3, 0) {
                e.text(&[0xe9]);
            } else {
                e.name();
            }
        } else {
            let n = i128::from(e.u.byte()) << e.u.below(80);
            match e.u.below(3) {
                0 => e.int(n),
                1 => e.bytes(b"grown", Kind::Bytes),
                _ => drop(e.leaf()),
            }
        }
        // Those constants that never take a slot are no substitute for what has one.
        let code = e.out[0] & !FLAG_REF;
        let plain = TEXTS.contains(&code) == is_text && !SLOTLESS.contains(&code);
        if plain {
            break e.out;
        }
    };
    leaf[0] = leaf[0] & !FLAG_REF | flag;
    replace(bytes, item.at..item.end, &leaf);
    Some(())
}
