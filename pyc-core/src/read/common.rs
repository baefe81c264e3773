//! What most streams consist of: references, strings, numbers, and containers of them.
//!
//! A processor that cannot foresee the next type byte loses more time on the branch than on the object, so the common
//! objects without children are read by one table look-up. A container that holds nothing else is read without a frame of
//! its own. Everything else stops the run: what is rare, wrong or needs a closer look is the general reader's business, and
//! so is every error.

use super::{Frame, NO_SLOT, PLENTY, Reader, Slot, rest_of_code};
use crate::graph::{FLAG_REF, Graph, Node, NodeId, bit, kind, small};
use crate::prelude::*;
use crate::text;

/// How to read an object that is one of the common ones without children: most of a stream's objects. One table look-up
/// for them all saves the branches that a processor cannot foresee. (References are so common that they have one.)
#[derive(Clone, Copy)]
#[repr(align(32))]
struct Leaf {
    /// The node, but for its numbers.
    node: Node,
    /// Which bits of the four bytes after the type byte are the payload's length.
    length_mask: u32,
    /// Which of them are a value that the node keeps.
    value_mask: u32,
    /// How many bytes the type byte and the length take.
    prefix: u8,
    /// The payload's length, if it is always the same.
    fixed: u8,
    /// What else there is to do: one of [`more`] or several. Most have nothing.
    more: u8,
}

/// What there is to do about an object besides making its node.
mod more {
    /// It takes a slot.
    pub(super) const SLOT: u8 = 1;
    /// The payload must be UTF-8.
    pub(super) const UTF8: u8 = 2;
    /// It is a long integer, whose digits are looked at.
    pub(super) const LONG: u8 = 4;
    /// It is not such an object at all.
    pub(super) const OTHER: u8 = 8;
}

/// A type byte and the longest prefix.
const WINDOW: usize = 5;

/// For each type byte how to read it. It is made by the compiler.
struct Leaves<const PYTHON2: bool>;

impl<const PYTHON2: bool> Leaves<PYTHON2> {
    const TABLE: &[Leaf; 256] = &{
        let node = Node { code: 0, ..Node::NONE };
        let other = Leaf { node, length_mask: 0, value_mask: 0, prefix: 1, fixed: 0, more: more::OTHER };
        let mut table = [other; 256];
        let mut byte = 0;
        while byte < 256 {
            #[allow(clippy::cast_possible_truncation)] // below 256
            let code = if PYTHON2 { byte } else { byte & !(FLAG_REF as usize) } as u8;
            let flagged = code as usize != byte;
            let bits = if flagged { bit::FLAG } else { 0 };
            let node = Node { code, bits, kind: kind::SCALAR, ..Node::NONE };
            let scalar = Leaf { node, more: if flagged { more::SLOT } else { 0 }, ..other };
            let bytes = Leaf { node: Node { kind: kind::BYTES, ..node }, length_mask: u32::MAX, prefix: 5, ..scalar };
            let text = Leaf { node: Node { kind: kind::TEXT, ..node }, ..bytes };
            table[byte] = match code {
                b'N' | b'T' | b'F' | b'.' | b'S' => Leaf { more: 0, ..scalar },
                b'i' => Leaf { value_mask: u32::MAX, fixed: 4, ..scalar },
                b'I' if PYTHON2 => Leaf { fixed: 8, ..scalar },
                b'g' => Leaf { fixed: 8, ..scalar },
                b'y' => Leaf { fixed: 16, ..scalar },
                b'l' => Leaf { prefix: 5, more: scalar.more | more::LONG, ..scalar },
                b's' => bytes,
                // `R` counts all of them.
                b't' if PYTHON2 => Leaf { more: more::SLOT, ..bytes },
                b't' | b'u' => Leaf { more: text.more | more::UTF8, ..text },
                b'a' | b'A' if !PYTHON2 => text,
                b'z' | b'Z' if !PYTHON2 => Leaf { length_mask: 0xFF, prefix: 2, ..text },
                _ => other,
            };
            byte += 1;
        }
        table
    };
}

/// The four bytes behind a type byte, little-endian; zeros where the stream has ended.
#[inline(always)]
fn word_behind(rest: &[u8]) -> u32 {
    match *rest {
        [_, a, b, c, d, ..] => u32::from_le_bytes([a, b, c, d]),
        [_, a, b, c] => u32::from_le_bytes([a, b, c, 0]),
        [_, a, b] => u32::from_le_bytes([a, b, 0, 0]),
        [_, a] => a.into(),
        _ => 0,
    }
}

/// How many bytes the digits of a long integer take, if nothing is wrong with them.
fn digits(rest: &[u8]) -> Option<u32> {
    let count = i32::from_le_bytes(*rest.get(1..)?.first_chunk()?).unsigned_abs();
    if count > PLENTY {
        return None;
    }
    let digits = rest.get(WINDOW..WINDOW + 2 * count as usize)?;
    let is_good = digits.chunks_exact(2).all(|digit| digit[1] < 0x80) && !digits.ends_with(&[0, 0]);
    is_good.then_some(2 * count)
}

/// Reads at most so many common leaves; returns the kinds of them all. Stops where there is no room for a node, and at a
/// reference to what is of none of these kinds.
#[inline(always)]
fn run_of_leaves<const PYTHON2: bool>(
    input: &[u8],
    place: &mut usize,
    nodes: &mut Vec<Node>,
    slots: &mut Vec<Slot>,
    most: u32,
    referable: u8,
) -> u8 {
    let last = nodes.len() + (most as usize).min(nodes.capacity() - nodes.len());
    let mut at = *place;
    let mut parts = 0;
    while nodes.len() < last {
        let Some(rest @ &[byte, ..]) = input.get(at..) else { break };
        let word = word_behind(rest);
        if PYTHON2 && byte == b'R' || !PYTHON2 && byte & !FLAG_REF == b'r' {
            let Some(slot) = slots.get(word as usize).filter(|slot| slot.kind & referable != 0) else { break };
            if rest.len() < WINDOW {
                break;
            }
            let (code, bits) = if PYTHON2 { (b'R', 0) } else { (b'r', byte >> 7) };
            parts |= slot.kind;
            nodes.push(Node { code, bits, kind: 0, parts: 0, start: slot.node.0, len: 4, extra: word });
            at += WINDOW;
            continue;
        }
        let leaf = &Leaves::<PYTHON2>::TABLE[usize::from(byte)];
        let start = at + usize::from(leaf.prefix);
        let mut len = (word & leaf.length_mask) + u32::from(leaf.fixed);
        let mut extra = word & leaf.value_mask;
        if leaf.more & (more::LONG | more::OTHER) != 0 {
            let Some(length) = (leaf.more & more::LONG != 0).then(|| digits(rest)).flatten() else { break };
            (len, extra) = (length, word >> 31);
        }
        let Some(payload) = input.get(start..).and_then(|rest| rest.get(..len as usize)) else { break };
        if PYTHON2 && len > PLENTY {
            break;
        }
        let node = Node { start: small(start), len, extra, ..leaf.node };
        // Pushed as it is, its first bytes are copied at once.
        let id = NodeId(small(nodes.len()));
        nodes.push(node);
        if leaf.more != 0 {
            if leaf.more & more::UTF8 != 0 {
                if text::is_ascii(payload) {
                    nodes[id.at()].bits |= bit::ASCII;
                } else if core::str::from_utf8(payload).is_err() {
                    nodes.pop();
                    break;
                }
            }
            if leaf.more & more::SLOT != 0 {
                slots.push(Slot { node: id, kind: node.kind });
            }
        }
        parts |= node.kind;
        at = start + len as usize;
    }
    *place = at;
    parts
}

/// How far the common objects went.
pub(super) enum Run {
    /// Into a container, where leaves may come next.
    Leaves,
    /// To what may be a container.
    Container,
    /// To the end of the innermost container, which needs a closer look.
    Full,
    /// To what is not common.
    Rare,
    /// To the end of the whole value.
    Whole(NodeId),
}

impl Reader<'_, '_> {
    /// Reads what most streams consist of, common leaves and containers of them, and stops before anything else: what is
    /// rare, wrong, or needs a closer look is the business of [`Reader::object`] and [`Reader::deliver`].
    pub(super) fn common<const PYTHON2: bool>(&mut self) -> Run {
        // Nothing is common in the wake of an exception.
        if self.frames.len() >= self.profile.max_depth as usize || PYTHON2 && self.exception().is_some() {
            return Run::Rare;
        }
        loop {
            let mut run = self.leaves::<PYTHON2>();
            while matches!(run, Run::Container) {
                run = self.container::<PYTHON2>();
            }
            if matches!(run, Run::Full) {
                run = self.close_common();
            }
            if !matches!(run, Run::Leaves) {
                return run;
            }
        }
    }

    /// Reads leaves into the innermost container.
    #[inline(always)]
    fn leaves<const PYTHON2: bool>(&mut self) -> Run {
        let shares_filename = self.profile.shares_filename();
        let Reader { graph: Graph { input, nodes, ints, .. }, slots, pending, frames, at, .. } = self;
        let Some(frame) = frames.last_mut() else {
            run_of_leaves::<PYTHON2>(input, at, nodes, slots, 1, u8::MAX);
            return nodes.first().map_or(Run::Container, |_| Run::Whole(NodeId(0)));
        };
        if !frame.takes(kind::SCALAR, pending, nodes, shares_filename) {
            return Run::Rare;
        }
        // What a set or dict hashes may be referred to and have no hash.
        let referable = if frame.hashes() { kind::HASHABLE } else { u8::MAX };
        loop {
            let first = nodes.len();
            frame.parts |= run_of_leaves::<PYTHON2>(input, at, nodes, slots, frame.remaining, referable);
            frame.remaining -= small(nodes.len() - first);
            pending.extend((small(first)..small(nodes.len())).map(NodeId));
            if frame.remaining > 0 {
                return Run::Container;
            }
            let Some(rest) = rest_of_code(frame, nodes, pending) else { return Run::Full };
            let Some(line) = input.get(*at..).and_then(|rest| rest.first_chunk()) else { return Run::Full };
            ints[nodes[frame.node.at()].extra as usize].firstlineno = i32::from_le_bytes(*line);
            *at += 4;
            frame.remaining = rest;
        }
    }

    /// Reads a container, without a frame if it holds nothing but leaves; or the end of a dict.
    #[inline(always)]
    fn container<const PYTHON2: bool>(&mut self) -> Run {
        let begin = self.at;
        let is_deepest = self.frames.len() + 1 >= self.profile.max_depth as usize;
        let Reader { graph: Graph { input, nodes, .. }, slots, at, .. } = self;
        let Some(rest @ &[byte, ..]) = input.get(begin..) else { return Run::Rare };
        let code = if PYTHON2 { byte } else { byte & !FLAG_REF };
        let (n, header, kind) = match code {
            b')' if !PYTHON2 && rest.len() > 1 => (rest[1].into(), 2, kind::TUPLE),
            b'(' if rest.len() >= WINDOW => (word_behind(rest), WINDOW, kind::TUPLE),
            b'>' if rest.len() >= WINDOW => (word_behind(rest), WINDOW, kind::FROZENSET),
            b'[' | b'<' if rest.len() >= WINDOW => (word_behind(rest), WINDOW, kind::OTHER),
            b'{' => (0, 1, kind::OTHER),
            b'0' => return self.end_of_dict(u8::from(byte != code)),
            _ => return Run::Rare,
        };
        if n > PLENTY || is_deepest || nodes.len() == nodes.capacity() {
            return Run::Rare;
        }
        let node = NodeId(small(nodes.len()));
        nodes.push(Node { code, bits: u8::from(byte != code), kind, parts: 0, start: 0, len: n, extra: 0 });
        let mut slot = NO_SLOT;
        if byte != code {
            slot = small(slots.len());
            slots.push(Slot { node, kind: if code == b'>' { 0 } else { kind } });
        }
        *at += header;
        let (most, referable) = match code {
            b'{' => (u32::MAX, kind::HASHABLE),
            b'<' | b'>' => (n, kind::HASHABLE),
            _ => (n, u8::MAX),
        };
        let parts = run_of_leaves::<PYTHON2>(input, at, nodes, slots, most, referable);
        let base = small(self.pending.len());
        let frame = Frame { node, remaining: most, base, at: small(begin), slot, code, parts };
        self.leave::<PYTHON2>(frame)
    }

    /// The container of this frame has so far the leaves that follow its node. Finishes it without the frame, if these are
    /// all.
    #[inline(always)]
    fn leave<const PYTHON2: bool>(&mut self, mut frame: Frame) -> Run {
        let first = frame.node.0 + 1;
        let mut end = small(self.graph.nodes.len());
        frame.remaining -= end - first;
        let kind = frame.finished_kind(&self.graph.nodes);
        let shares_filename = self.profile.shares_filename();
        let Reader { graph: Graph { input, nodes, edges, .. }, pending, frames, slots, at, .. } = self;
        let mut is_whole = frame.remaining == 0;
        if frame.is_dict()
            && (end - first).is_multiple_of(2)
            && nodes.len() < nodes.capacity()
            && let Some(&byte) = input.get(*at)
        {
            let bits = if PYTHON2 { 0 } else { byte >> 7 };
            is_whole = byte & !(bits << 7) == b'0';
        }
        let parent = frames.last_mut();
        if !is_whole || parent.as_ref().is_some_and(|parent| !parent.takes(kind, pending, nodes, shares_filename)) {
            nodes[frame.node.at()].bits |= bit::UNFINISHED;
            pending.extend((first..end).map(NodeId));
            let is_full = frame.remaining == 0;
            frames.push(frame);
            return if is_full { Run::Full } else { Run::Container };
        }
        if frame.is_dict() {
            let bits = if PYTHON2 { 0 } else { input[*at] >> 7 };
            nodes.push(Node { bits, ..Node::NONE });
            *at += 1;
            end += 1;
        }
        let node = &mut nodes[frame.node.at()];
        (node.start, node.len, node.kind, node.parts) = (small(edges.len()), end - first, kind, frame.parts);
        if frame.slot != NO_SLOT {
            slots[frame.slot as usize].kind = kind;
        }
        edges.extend((first..end).map(NodeId));
        self.hand_over(frame.node, kind)
    }

    /// NULL ends a dict.
    fn end_of_dict(&mut self, bits: u8) -> Run {
        let Some(frame) = self.frames.last() else { return Run::Rare };
        if frame.code != b'{' || frame.awaits_value(self.pending.len()) || !self.is_taken(kind::OTHER) {
            return Run::Rare;
        }
        self.at += 1;
        let null = self.push(Node { bits, ..Node::NONE });
        self.pending.push(null);
        let (dict, _) = self.close(0);
        self.hand_over(dict, kind::OTHER)
    }

    /// Finishes the innermost container, which is full.
    #[inline(always)]
    fn close_common(&mut self) -> Run {
        let Some(frame) = self.frames.last() else { return Run::Rare };
        let kind = frame.finished_kind(&self.graph.nodes);
        if frame.code == b'c' || !self.is_taken(kind) {
            return Run::Full;
        }
        let (container, _) = self.close(0);
        self.hand_over(container, kind)
    }

    /// Whether the container around the innermost one takes that without a closer look.
    #[inline(always)]
    fn is_taken(&self, kind: u8) -> bool {
        let [.., parent, frame] = &self.frames[..] else { return true };
        parent.takes(kind, &self.pending[..frame.base as usize], &self.graph.nodes, self.profile.shares_filename())
    }

    /// Gives a finished container to the one around it, which takes it without a closer look.
    #[inline(always)]
    fn hand_over(&mut self, container: NodeId, kind: u8) -> Run {
        let Some(parent) = self.frames.last_mut() else { return Run::Whole(container) };
        parent.parts |= kind;
        parent.remaining -= 1;
        self.pending.push(container);
        Run::Leaves
    }
}
