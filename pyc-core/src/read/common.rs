//! What most streams consist of: references, strings, ints, and tuples of them.
//!
//! A processor that cannot foresee the next type byte loses more time on the branch than on the object, so the common
//! objects without children are read by one table look-up. Everything else stops the run: what is rare, wrong or needs a
//! closer look is the general reader's business, and so is every error.

use super::{Frame, NO_SLOT, Reader, Slot, rest_of_code};
use crate::graph::{FLAG_REF, Graph, Node, NodeId, bit, kind, small};
use crate::prelude::*;

/// How to read an object that is one of the common ones without children: most of a stream's objects. One table look-up
/// for them all saves the branches that a processor cannot foresee. (References are so common that they have one.)
#[derive(Clone, Copy)]
struct Leaf {
    /// The node, but for its numbers; its kind is 0 if this is not such an object at all.
    node: Node,
    /// Which bits of the four bytes after the type byte are the payload's length.
    length_mask: u32,
    /// Which of them are a value that the node keeps.
    value_mask: u32,
    /// How many bytes the length takes.
    prefix: u8,
    /// The payload's length, if it is always the same.
    fixed: u8,
    /// Whether the object takes a slot.
    takes_slot: bool,
}

/// How many bytes of the input are looked at: the type byte and the longest prefix.
const WINDOW: usize = 5;

/// For each type byte how to read it. It is made by the compiler.
struct Leaves<const PYTHON2: bool>;

impl<const PYTHON2: bool> Leaves<PYTHON2> {
    const TABLE: &[Leaf; 256] = &{
        let node = Node { code: 0, bits: 0, kind: 0, parts: 0, start: 0, len: 0, extra: 0 };
        let unknown = Leaf { node, length_mask: 0, value_mask: 0, prefix: 0, fixed: 0, takes_slot: false };
        let mut table = [unknown; 256];
        let mut byte = 0;
        while byte < 256 {
            #[allow(clippy::cast_possible_truncation)] // below 256
            let code = if PYTHON2 { byte } else { byte & !(FLAG_REF as usize) } as u8;
            let flagged = code as usize != byte;
            let bits = if flagged { bit::FLAG } else { 0 };
            let scalar = Leaf { node: Node { code, bits, kind: kind::SCALAR, ..node }, takes_slot: flagged, ..unknown };
            let bytes = Leaf { node: Node { kind: kind::BYTES, ..scalar.node }, ..scalar };
            let text = Leaf { node: Node { kind: kind::TEXT, ..scalar.node }, ..scalar };
            table[byte] = match code {
                b'N' | b'T' | b'F' | b'.' | b'S' => Leaf { takes_slot: false, ..scalar },
                b'i' => Leaf { value_mask: u32::MAX, fixed: 4, ..scalar },
                b'g' => Leaf { fixed: 8, ..scalar },
                b'y' => Leaf { fixed: 16, ..scalar },
                b's' => Leaf { length_mask: u32::MAX, prefix: 4, ..bytes },
                b'a' | b'A' if !PYTHON2 => Leaf { length_mask: u32::MAX, prefix: 4, ..text },
                b'z' | b'Z' if !PYTHON2 => Leaf { length_mask: 0xFF, prefix: 1, ..text },
                _ => unknown,
            };
            byte += 1;
        }
        table
    };
}

/// Reads at most so many common leaves; returns the kinds of them all. Stops where there is no room for a node.
#[inline(always)]
fn run_of_leaves(
    input: &[u8],
    place: &mut usize,
    nodes: &mut Vec<Node>,
    slots: &mut Vec<Slot>,
    most: u32,
    table: &[Leaf; 256],
    references: bool,
) -> u8 {
    let last = nodes.len() + (most as usize).min(nodes.capacity() - nodes.len());
    let mut at = *place;
    let mut parts = 0;
    while nodes.len() < last {
        let Some(window) = input.get(at..).and_then(|rest| rest.first_chunk::<WINDOW>()) else { break };
        let word = u32::from_le_bytes([window[1], window[2], window[3], window[4]]);
        if window[0] & !FLAG_REF == b'r' && references {
            let Some(slot) = slots.get(word as usize).filter(|slot| slot.kind != 0) else { break };
            parts |= slot.kind;
            let bits = window[0] >> 7;
            nodes.push(Node { code: b'r', bits, kind: 0, parts: 0, start: slot.node.0, len: 4, extra: word });
            at += WINDOW;
            continue;
        }
        let leaf = &table[usize::from(window[0])];
        let start = at + 1 + usize::from(leaf.prefix);
        let len = (word & leaf.length_mask) + u32::from(leaf.fixed);
        if (leaf.node.kind == 0) | (len as usize > input.len() - start) {
            break;
        }
        parts |= leaf.node.kind;
        if leaf.takes_slot {
            slots.push(Slot { node: NodeId(small(nodes.len())), kind: leaf.node.kind });
        }
        let mut node = leaf.node;
        node.start = small(start);
        node.len = len;
        node.extra = word & leaf.value_mask;
        nodes.push(node);
        at = start + len as usize;
    }
    *place = at;
    parts
}

impl Reader<'_, '_> {
    /// Reads what most streams consist of, common leaves and tuples of them, and stops before anything else: what is rare,
    /// wrong, or needs a closer look is the business of [`Reader::object`] and [`Reader::deliver`]. Returns whether the
    /// innermost container has all its children.
    pub(super) fn common<const PYTHON2: bool>(&mut self) -> bool {
        let room = self.profile.max_depth as usize;
        let room = room.saturating_sub(self.frames.len());
        let Reader { graph: Graph { input, nodes, edges, ints, .. }, slots, pending, frames, at, aftermath, .. } = self;
        let Some(frame) = frames.last_mut().filter(|_| room > 0) else { return false };
        let is_value = frame.awaits_value(pending.len());
        let sees_filename = frame.code == b'c' && self.profile.shares_filename();
        if is_value || sees_filename || PYTHON2 && aftermath.exception.is_some() {
            // The key of a value may have no hash; and nothing is common in the wake of an exception.
            return false;
        }
        // What a set or dict hashes may be referred to and have no hash.
        let references = !PYTHON2 && !frame.hashes();
        let table = Leaves::<PYTHON2>::TABLE;
        loop {
            let first = nodes.len();
            frame.parts |= run_of_leaves(input, at, nodes, slots, frame.remaining, table, references);
            frame.remaining -= small(nodes.len() - first);
            pending.extend((small(first)..small(nodes.len())).map(NodeId));
            if frame.remaining == 0 {
                let Some(rest) = rest_of_code(frame, nodes, pending) else { return true };
                let Some(line) = input.get(*at..).and_then(|rest| rest.first_chunk()) else { return true };
                ints[nodes[frame.node.at()].extra as usize].firstlineno = i32::from_le_bytes(*line);
                *at += 4;
                frame.remaining = rest;
                continue;
            }
            // Here may come a tuple. Most have leaves only, so it is tried without a frame of its own.
            let Some(&[byte, n]) = input.get(*at..).and_then(|rest| rest.first_chunk()) else { return false };
            if !references || room == 1 || byte & !FLAG_REF != b')' || n == 0 || nodes.len() == nodes.capacity() {
                return false;
            }
            let node = NodeId(small(nodes.len()));
            nodes.push(Node {
                code: b')',
                bits: byte >> 7,
                kind: kind::TUPLE,
                parts: 0,
                start: 0,
                len: n.into(),
                extra: 0,
            });
            let slot = if byte & FLAG_REF == 0 { NO_SLOT } else { small(slots.len()) };
            if slot != NO_SLOT {
                slots.push(Slot { node, kind: kind::TUPLE });
            }
            let tuple_at = *at;
            *at += 2;
            let parts = run_of_leaves(input, at, nodes, slots, n.into(), table, references);
            let (first, end) = (node.0 + 1, small(nodes.len()));
            if end - first < u32::from(n) || parts & !kind::LEAF != 0 {
                nodes[node.at()].bits |= bit::UNFINISHED;
                let remaining = u32::from(n) - (end - first);
                let base = small(pending.len());
                pending.extend((first..end).map(NodeId));
                frames.push(Frame { node, remaining, base, at: small(tuple_at), slot, code: b')', parts });
                return remaining == 0;
            }
            let tuple = &mut nodes[node.at()];
            tuple.start = small(edges.len());
            tuple.kind = kind::FLAT_TUPLE;
            tuple.parts = parts;
            if slot != NO_SLOT {
                slots[slot as usize].kind = kind::FLAT_TUPLE;
            }
            edges.extend((first..end).map(NodeId));
            pending.push(node);
            frame.parts |= kind::FLAT_TUPLE;
            frame.remaining -= 1;
        }
    }
}
