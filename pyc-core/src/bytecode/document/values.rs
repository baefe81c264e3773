//! The values of a document: each is there once, however often it is used.

use super::Slot;
use crate::build::string_code;
use crate::prelude::*;
use crate::profile::Profile;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;

/// A value of a document. Two that are equal, and written alike, are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(u32);

impl ValueId {
    pub(crate) fn at(self) -> usize {
        self.0 as usize
    }
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Item {
    /// One without parts: its type byte, and what follows it but lengths.
    Leaf(u8, Vec<u8>),
    /// One with parts; a dict has its terminator for the last.
    List(u8, Vec<ValueId>),
    /// A code object: the block with this number.
    Code(usize),
    /// Another value, which [`Item::Again`] can name.
    Anchor(u32, ValueId),
    /// The value of an anchor, again.
    Again(u32),
}

/// The values of a document.
#[derive(Debug, Clone)]
pub struct Values {
    pub(crate) profile: Profile,
    items: Vec<Arc<Item>>,
    /// How much there is to write, references written out.
    sizes: Vec<usize>,
    known: BTreeMap<Arc<Item>, ValueId>,
    /// The values of the anchors.
    anchors: BTreeMap<u32, ValueId>,
}

impl Values {
    pub(super) fn new(profile: Profile) -> Values {
        Values { profile, items: Vec::new(), sizes: Vec::new(), known: BTreeMap::new(), anchors: BTreeMap::new() }
    }

    pub(crate) fn item(&self, id: ValueId) -> &Item {
        &self.items[id.at()]
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// The parts of a container, in order; of a dict keys and values in turn. Nothing else has parts.
    #[must_use]
    pub fn parts(&self, mut id: ValueId) -> &[ValueId] {
        loop {
            match self.item(id) {
                Item::List(_, parts) => return parts,
                Item::Anchor(_, inner) => id = *inner,
                Item::Leaf(..) | Item::Code(_) | Item::Again(_) => return &[],
            }
        }
    }

    /// How many bytes the value takes if nothing in it is a reference; a code object counts as one.
    pub(crate) fn size(&self, id: ValueId) -> usize {
        self.sizes[id.at()]
    }

    pub(crate) fn add(&mut self, item: Item) -> ValueId {
        if let Some(known) = self.known.get(&item) {
            return *known;
        }
        let size = match &item {
            Item::Leaf(_, payload) => payload.len() + 1,
            Item::List(_, parts) => parts.iter().fold(1, |sum: usize, part| sum.saturating_add(self.size(*part))),
            Item::Anchor(_, inner) => self.size(*inner),
            Item::Code(_) | Item::Again(_) => 1,
        };
        if let Item::Anchor(name, inner) = &item {
            self.anchors.insert(*name, *inner);
        }
        let id = ValueId(crate::graph::index(self.items.len()));
        let item = Arc::new(item);
        self.items.push(item.clone());
        self.sizes.push(size);
        self.known.insert(item, id);
        id
    }

    /// The value itself, where it is named or an anchor's.
    pub(super) fn itself(&self, id: ValueId) -> &Item {
        match self.item(id) {
            Item::Anchor(_, inner) => self.item(*inner),
            Item::Again(name) => self.anchors.get(name).map_or(self.item(id), |inner| self.item(*inner)),
            item => item,
        }
    }

    fn leaf(&mut self, code: u8, payload: &[u8]) -> ValueId {
        self.add(Item::Leaf(code, payload.to_vec()))
    }

    /// `None`
    pub fn none(&mut self) -> ValueId {
        self.leaf(b'N', &[])
    }

    /// `True` or `False`
    pub fn bool(&mut self, value: bool) -> ValueId {
        self.leaf(if value { b'T' } else { b'F' }, &[])
    }

    /// An int (2.7: an `int` if it fits 64 bits).
    pub fn int(&mut self, value: i64) -> ValueId {
        match i32::try_from(value) {
            Ok(small) => self.leaf(b'i', &small.to_le_bytes()),
            Err(_) if self.profile.is_python2() => self.leaf(b'I', &value.to_le_bytes()),
            Err(_) => self.long(value < 0, &digits_of(value.unsigned_abs())),
        }
    }

    /// An int in digits of 15 bits, least significant first, without leading zeros (2.7: a `long`).
    pub(crate) fn long(&mut self, is_negative: bool, digits: &[u16]) -> ValueId {
        let mut payload = vec![u8::from(is_negative)];
        payload.extend(digits.iter().flat_map(|digit| digit.to_le_bytes()));
        self.leaf(b'l', &payload)
    }

    /// A float.
    pub fn float(&mut self, value: f64) -> ValueId {
        self.leaf(b'g', &value.to_bits().to_le_bytes())
    }

    /// A complex number.
    pub fn complex(&mut self, real: f64, imaginary: f64) -> ValueId {
        self.leaf(b'y', &[real.to_bits().to_le_bytes(), imaginary.to_bits().to_le_bytes()].concat())
    }

    /// `bytes`, as a constant; for 2.7 see [`Values::str`].
    pub fn bytes(&mut self, value: &[u8]) -> ValueId {
        self.bytes_in(value, Slot::Consts)
    }

    /// The text, as a constant: interned if it looks like a name (2.7: a `str` in UTF-8).
    pub fn str(&mut self, value: &str) -> ValueId {
        self.text_of(value, Slot::Consts)
    }

    /// A tuple.
    pub fn tuple(&mut self, items: &[ValueId]) -> ValueId {
        let code = tuple_code(items.len(), &self.profile);
        self.add(Item::List(code, items.to_vec()))
    }

    pub(crate) fn bytes_in(&mut self, value: &[u8], slot: Slot) -> ValueId {
        let code = bytes_code(value, slot, &self.profile);
        self.leaf(code, value)
    }

    /// The code points; 2.7: of a `str` in UTF-8.
    pub(crate) fn text_in(&mut self, text: &[u32], slot: Slot) -> ValueId {
        let bytes = encode(text);
        let code = if self.profile.is_python2() {
            bytes_code(&bytes, slot, &self.profile)
        } else {
            text_code(text, slot, &self.profile)
        };
        self.leaf(code, &bytes)
    }

    pub(super) fn text_of(&mut self, text: &str, slot: Slot) -> ValueId {
        self.text_in(&text.chars().map(u32::from).collect::<Vec<_>>(), slot)
    }

    pub(super) fn names(&mut self, names: &[String]) -> ValueId {
        let ids: Vec<ValueId> = names.iter().map(|name| self.text_of(name, Slot::Names)).collect();
        self.tuple(&ids)
    }

    /// The bytes of a value without parts.
    pub(super) fn payload(&self, id: ValueId) -> Option<&[u8]> {
        match self.itself(id) {
            Item::Leaf(_, payload) => Some(payload),
            _ => None,
        }
    }

    /// Whether it can be a docstring.
    pub(super) fn is_text(&self, id: ValueId) -> bool {
        match self.item(id) {
            Item::Leaf(code, _) => is_text(*code) || self.profile.is_python2() && *code == b's',
            _ => false,
        }
    }

    /// The text of a name; `None` if it is none, or not Unicode.
    pub(crate) fn text(&self, id: ValueId) -> Option<String> {
        match self.item(id) {
            Item::Leaf(code, payload) if is_text(*code) => core::str::from_utf8(payload).ok().map(String::from),
            Item::Leaf(b's', payload) if self.profile.is_python2() => {
                core::str::from_utf8(payload).ok().map(String::from)
            }
            Item::Anchor(_, inner) => self.text(*inner),
            _ => None,
        }
    }
}

fn is_text(code: u8) -> bool {
    matches!(code, b't' | b'u' | b'a' | b'A' | b'z' | b'Z')
}

pub(crate) fn digits_of(mut value: u64) -> Vec<u16> {
    let mut digits = Vec::new();
    while value != 0 {
        digits.push(u16::from_le_bytes([value.to_le_bytes()[0], value.to_le_bytes()[1]]) & 0x7FFF);
        value >>= 15;
    }
    digits
}

/// UTF-8, in which surrogates are encoded as well.
pub(crate) fn encode(text: &[u32]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &point in text {
        match char::from_u32(point) {
            Some(character) => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            None => {
                let byte = |shift: u32, mark: u32| (mark | point >> shift & 0x3F).to_le_bytes()[0];
                out.extend([byte(12, 0xE0), byte(6, 0x80), byte(0, 0x80)]);
            }
        }
    }
    out
}

/// What compilers intern because it could be a name.
fn looks_like_name(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The type of a tuple.
pub(crate) fn tuple_code(length: usize, profile: &Profile) -> u8 {
    if !profile.is_python2() && length < 256 { b')' } else { b'(' }
}

/// The type that compilers' output has for such bytes in such a place.
pub(crate) fn bytes_code(value: &[u8], slot: Slot, profile: &Profile) -> u8 {
    let is_interned = match slot {
        Slot::Names | Slot::Name => true,
        Slot::Consts => looks_like_name(value),
        Slot::Lines => value.is_empty(),
        _ => false,
    };
    if profile.is_python2() && is_interned { b't' } else { b's' }
}

/// The type that compilers' output has for such a string in such a place.
pub(crate) fn text_code(text: &[u32], slot: Slot, profile: &Profile) -> u8 {
    let is_ascii = text.iter().all(|point| *point < 128);
    let looks = is_ascii && text.iter().all(|point| looks_like_name(&[point.to_le_bytes()[0]]));
    let is_interned = match slot {
        Slot::Names => true,
        Slot::Name => {
            looks
                || profile.interns_odd_name(&text.iter().filter_map(|point| char::from_u32(*point)).collect::<String>())
        }
        Slot::Filename | Slot::Qualname => profile.interns_paths() || slot == Slot::Qualname && looks,
        _ => looks || profile.interns_paths() && matches!(text, [0..256]),
    };
    string_code(is_ascii, text.len(), is_interned)
}
