//! Building a graph from nothing, or adding to one.
//!
//! Each call adds one node in the encoding that a current CPython would choose and returns its id. What has no parts may be
//! put into several places, and is an equal object in each: there are nodes for all of them. A container has one place. To
//! be the *same* object in a second place takes [`Graph::reference`], which also sets its flag.

use crate::code::{CodeInts, fields};
use crate::graph::{Graph, Node, NodeId, bit, index};
use crate::prelude::*;

/// The type that Python 3.4 and later write for a string with so many characters.
pub(crate) fn string_code(is_ascii: bool, length: usize, is_interned: bool) -> u8 {
    match (is_ascii, length, is_interned) {
        (true, 0..256, true) => b'Z',
        (true, 0..256, false) => b'z',
        (true, _, true) => b'A',
        (true, _, false) => b'a',
        (false, _, true) => b't',
        (false, _, false) => b'u',
    }
}

impl Graph<'_> {
    fn add(&mut self, code: u8, bits: u8, start: u32, len: u32, extra: u32) -> NodeId {
        let id = NodeId(index(self.nodes.len()));
        self.nodes.push(Node { code, bits, kind: 0, parts: 0, start, len, extra });
        id
    }

    fn add_payload(&mut self, code: u8, bits: u8, payload: &[u8], extra: u32) -> NodeId {
        let start = index(self.owned.len());
        self.owned.extend_from_slice(payload);
        self.add(code, bits | bit::OWNED, start, index(payload.len()), extra)
    }

    fn add_edges(&mut self, code: u8, bits: u8, items: &[NodeId], extra: u32) -> NodeId {
        let start = index(self.edges.len());
        for &item in items {
            let item = self.placed(item);
            self.edges.push(item);
        }
        self.add(code, bits, start, index(items.len()), extra)
    }

    /// The node for one more place of an object: another one if it has a place already, and no parts.
    fn placed(&mut self, id: NodeId) -> NodeId {
        match self.nodes.get_mut(id.at()) {
            Some(node) if node.is(bit::PLACED) && node.has_identity() && !node.has_edges() => {
                let Node { code, bits, start, len, extra, .. } = *node;
                self.add(code, bits & !bit::FLAG, start, len, extra)
            }
            Some(node) => {
                node.bits |= bit::PLACED;
                id
            }
            None => id,
        }
    }

    /// `None`
    pub fn none(&mut self) -> NodeId {
        self.add(b'N', 0, 0, 0, 0)
    }

    /// `True` or `False`
    pub fn bool(&mut self, value: bool) -> NodeId {
        self.add(if value { b'T' } else { b'F' }, 0, 0, 0, 0)
    }

    /// `...`
    pub fn ellipsis(&mut self) -> NodeId {
        self.add(b'.', 0, 0, 0, 0)
    }

    /// An int (2.7: an `int` if it fits 32 bits, else a `long`).
    pub fn int(&mut self, value: i64) -> NodeId {
        if let Ok(small) = i32::try_from(value) {
            return self.add(b'i', 0, 0, 4, small.cast_unsigned());
        }
        let mut digits = Vec::new();
        let mut rest = value.unsigned_abs();
        while rest != 0 {
            digits.extend_from_slice(&(rest & 0x7FFF).to_le_bytes()[..2]);
            rest >>= 15;
        }
        self.add_payload(b'l', 0, &digits, u32::from(value < 0))
    }

    /// A float.
    pub fn float(&mut self, value: f64) -> NodeId {
        self.add_payload(b'g', 0, &value.to_bits().to_le_bytes(), 0)
    }

    /// A complex number.
    pub fn complex(&mut self, real: f64, imaginary: f64) -> NodeId {
        let parts = [real.to_bits().to_le_bytes(), imaginary.to_bits().to_le_bytes()].concat();
        self.add_payload(b'y', 0, &parts, 0)
    }

    /// `bytes` (2.7: `str`).
    pub fn bytes(&mut self, value: &[u8]) -> NodeId {
        self.add_payload(b's', 0, value, 0)
    }

    /// An interned string, as names are: `str`, in 2.7 too.
    pub fn str(&mut self, value: &str) -> NodeId {
        self.text_of(value.as_bytes(), true)
    }

    /// A string that is not interned.
    pub fn plain_str(&mut self, value: &str) -> NodeId {
        self.text_of(value.as_bytes(), false)
    }

    /// A string with these bytes: UTF-8 in which surrogates are encoded, too; in 2.7 any.
    pub(crate) fn text_of(&mut self, bytes: &[u8], interned: bool) -> NodeId {
        if self.python2 {
            return self.add_payload(if interned { b't' } else { b's' }, 0, bytes, 0);
        }
        let is_ascii = bytes.is_ascii();
        self.add_payload(string_code(is_ascii, bytes.len(), interned), if is_ascii { bit::ASCII } else { 0 }, bytes, 0)
    }

    /// tuple
    pub fn tuple(&mut self, items: &[NodeId]) -> NodeId {
        let short = !self.python2 && items.len() < 256;
        self.add_edges(if short { b')' } else { b'(' }, 0, items, 0)
    }

    /// A tuple of objects that may be elsewhere, too: [`Graph::settle`] sees to that.
    pub(crate) fn tuple_of(&mut self, items: &[NodeId]) -> NodeId {
        let start = index(self.edges.len());
        self.edges.extend_from_slice(items);
        let short = !self.python2 && items.len() < 256;
        self.add(if short { b')' } else { b'(' }, 0, start, index(items.len()), 0)
    }

    /// list
    pub fn list(&mut self, items: &[NodeId]) -> NodeId {
        self.add_edges(b'[', 0, items, 0)
    }

    /// set
    pub fn set(&mut self, members: &[NodeId]) -> NodeId {
        self.add_edges(b'<', 0, members, 0)
    }

    /// frozenset
    pub fn frozenset(&mut self, members: &[NodeId]) -> NodeId {
        self.add_edges(b'>', 0, members, 0)
    }

    /// dict
    pub fn dict(&mut self, pairs: &[(NodeId, NodeId)]) -> NodeId {
        let null = self.add(b'0', 0, 0, 0, 0);
        let items: Vec<NodeId> = pairs.iter().flat_map(|&(key, value)| [key, value]).chain([null]).collect();
        self.add_edges(b'{', 0, &items, 0)
    }

    /// slice (3.14 and later).
    pub fn slice(&mut self, start: NodeId, stop: NodeId, step: NodeId) -> NodeId {
        self.add_edges(b':', 0, &[start, stop, step], 0)
    }

    /// A code object: its integers, and its objects in the order of [`fields`]. Nothing is checked here; reading the
    /// written stream checks everything that the interpreter checks.
    /// `None` when the number of objects is not the layout's.
    pub fn code(&mut self, ints: CodeInts, objects: &[NodeId]) -> Option<NodeId> {
        if objects.len() != fields(self.layout).len() {
            return None;
        }
        let extra = index(self.ints.len());
        self.ints.push(ints);
        Some(self.add_edges(b'c', 0, objects, extra))
    }

    /// The same object again: sets the object's flag and returns a node that refers to it. Python 2 can only refer to
    /// interned strings.
    pub fn reference(&mut self, object: NodeId) -> NodeId {
        let target = self.resolve(object);
        if self.python2 {
            return self.add(b'R', 0, target.0, 0, 0);
        }
        if let Some(node) = self.nodes.get_mut(target.at()) {
            node.bits |= bit::FLAG;
        }
        self.pristine = false;
        self.add(b'r', 0, target.0, 0, 0)
    }
}
