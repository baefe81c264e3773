//! Which objects are written once and referred to, and which carry a flag: marshal's accidents.
//!
//! `marshal.dumps` flags what more than one reference holds, so its output shows what the compiler and the whole process
//! had in common. [`Values::sharing`] has what is usual in the output of each version's compiler; what differs is a [`Mark`]
//! at the object's number among the objects of its block.

use super::together::Fields;
use super::{Block, DocumentError, Item, Slot, ValueId, Values};
use crate::code::{self, OBJECTS_BEFORE_LINE};
use crate::graph::{FLAG_REF, Graph, NodeId, Value};
use crate::prelude::*;
use alloc::collections::BTreeMap;

/// How an object is written, where that is not as usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Mark {
    /// It has a flag where it should have none, or the other way round.
    pub(crate) toggled: bool,
    /// It is written once more.
    pub(crate) anew: bool,
    /// It is the one with this number among the equal ones, and not the last one.
    pub(crate) other: Option<usize>,
}

/// How a value is usually written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sharing {
    /// With a flag, if flags there are, and referred to from then on.
    Always,
    /// So if it is there more than once.
    Merged,
    /// Each time anew, with a flag or without.
    Never(bool),
}

impl Values {
    fn sharing(&self, id: ValueId, slot: Slot) -> Sharing {
        let profile = &self.profile;
        let merged = if profile.merges_constants() { Sharing::Merged } else { Sharing::Never(false) };
        let (code, payload) = match self.item(id) {
            Item::Leaf(code, payload) => (*code, &payload[..]),
            Item::List(b'(' | b')', parts) if parts.is_empty() && !profile.is_python2() => return Sharing::Always,
            Item::List(b'>', _) => return Sharing::Never(false),
            Item::List(..) => return merged,
            Item::Code(_) if slot == Slot::Root && profile.flags_root() => return Sharing::Always,
            Item::Code(_) => return Sharing::Merged,
            Item::Anchor(..) | Item::Again(_) => return Sharing::Always,
        };
        match (code, slot) {
            (b'N' | b'T' | b'F' | b'.' | b'S' | b'0', _) => Sharing::Never(false),
            (b't', _) if profile.is_python2() => Sharing::Always,
            _ if profile.is_python2() => Sharing::Never(false),
            (b't' | b'A' | b'Z', _) | (_, Slot::Filename | Slot::Name) => Sharing::Always,
            (b'i', _) if self.is_small_int(payload) => Sharing::Always,
            (b's', _) if payload.is_empty() => Sharing::Always,
            (_, Slot::Kinds) => Sharing::Never(false),
            (_, Slot::Code) => match () {
                () if profile.copies_code() => Sharing::Never(true),
                () if profile.merges_tables() => Sharing::Merged,
                () => Sharing::Never(false),
            },
            (b's', _) if payload.len() == 1 => Sharing::Always,
            (_, Slot::Lines) if !profile.merges_tables() => Sharing::Never(false),
            (_, Slot::Qualname) => Sharing::Never(false),
            (b'z' | b'a' | b'u', _) if is_one_of_256(payload) => Sharing::Always,
            _ => merged,
        }
    }

    fn is_small_int(&self, payload: &[u8]) -> bool {
        let value = payload.first_chunk().map(|bytes| i64::from(i32::from_le_bytes(*bytes)));
        value.is_some_and(|value| (-5..=self.profile.largest_small_int()).contains(&value))
    }
}

/// Whether the string is empty, or one character below 256, of which there is one object.
fn is_one_of_256(payload: &[u8]) -> bool {
    payload.len() < 2 || matches!(payload, [0xC2 | 0xC3, _])
}

/// A container that is being written.
struct Frame {
    item: ValueId,
    /// Where it is in the graph that is compared with.
    node: Option<NodeId>,
    done: usize,
    slot: Slot,
    /// The block whose objects these are.
    owner: Option<usize>,
}

/// Writes a document, or finds what is unusual in the graph that it was made of.
pub(super) struct Walk<'d, 'a> {
    values: &'d Values,
    fields: &'d [Fields],
    graph: Option<&'d Graph<'a>>,
    counts: Vec<u32>,
    out: Vec<u8>,
    slots: u32,
    /// The numbers of the values that can be referred to.
    flagged: BTreeMap<ValueId, Vec<u32>>,
    anchors: BTreeMap<u32, u32>,
    /// The numbers of the nodes of the graph.
    nodes: BTreeMap<NodeId, u32>,
    written: Vec<bool>,
    /// For what is outside of blocks, and for each block: how many objects there are so far, and what is unusual.
    marks: Vec<(usize, BTreeMap<usize, Mark>)>,
}

impl<'d, 'a> Walk<'d, 'a> {
    pub(super) fn new(
        values: &'d Values,
        fields: &'d [Fields],
        outside: &BTreeMap<usize, Mark>,
        blocks: &[Block],
        graph: Option<&'d Graph<'a>>,
    ) -> Self {
        let marks = core::iter::once(outside).chain(blocks.iter().map(|block| &block.marks));
        Walk {
            values,
            fields,
            graph,
            counts: Vec::new(),
            out: Vec::new(),
            slots: 0,
            flagged: BTreeMap::new(),
            anchors: BTreeMap::new(),
            nodes: BTreeMap::new(),
            written: vec![false; fields.len()],
            marks: marks.map(|marks| (0, marks.clone())).collect(),
        }
    }

    /// The stream; with a graph also the marks.
    #[allow(clippy::type_complexity)]
    pub(super) fn run(mut self, root: ValueId) -> Result<(Vec<u8>, Vec<BTreeMap<usize, Mark>>), DocumentError> {
        self.count(root);
        let mut frames = Vec::new();
        let node = self.graph.map(Graph::root);
        self.object(root, node, Slot::Root, None, &mut frames)?;
        while let Some(frame) = frames.last_mut() {
            let Frame { item, node, done, slot, owner } = *frame;
            let (parts, slot) = match self.values.item(item) {
                Item::List(_, parts) => (&parts[..], slot),
                Item::Code(block) => {
                    let fields = &self.fields[*block];
                    if done == OBJECTS_BEFORE_LINE {
                        self.out.extend_from_slice(&fields.ints.firstlineno.to_le_bytes());
                    }
                    let field = code::fields(self.values.profile.code_layout).get(done);
                    (&fields.parts[..], field.map_or(slot, |field| Slot::of(*field)))
                }
                _ => (&[][..], slot),
            };
            let Some(part) = parts.get(done) else {
                frames.pop();
                continue;
            };
            frame.done += 1;
            let node =
                node.zip(self.graph).and_then(|(node, graph)| graph.edges_of(graph.node(node)).get(done).copied());
            self.object(*part, node, slot, owner, &mut frames)?;
        }
        let left =
            self.graph.is_none() && self.marks.iter().any(|(count, marks)| marks.range(count..).next().is_some());
        if left {
            return Err(DocumentError::Marks);
        }
        Ok((self.out, self.marks.into_iter().map(|(_, marks)| marks).collect()))
    }

    /// How often each value is there that is usually merged, parts of equal ones once.
    fn count(&mut self, root: ValueId) {
        self.counts = vec![0; self.values.len()];
        let mut seen = vec![false; self.values.len()];
        let mut stack = vec![(root, Slot::Root)];
        while let Some((id, slot)) = stack.pop() {
            if self.values.sharing(id, slot) == Sharing::Merged {
                self.counts[id.at()] += 1;
            }
            if core::mem::replace(&mut seen[id.at()], true) {
                continue;
            }
            match self.values.item(id) {
                Item::List(_, parts) => stack.extend(parts.iter().map(|part| (*part, slot))),
                Item::Code(block) => {
                    let fields = code::fields(self.values.profile.code_layout);
                    let slots = fields.iter().map(|field| Slot::of(*field));
                    stack.extend(self.fields[*block].parts.iter().copied().zip(slots));
                }
                Item::Anchor(_, inner) => stack.push((*inner, slot)),
                Item::Leaf(..) | Item::Again(_) => {}
            }
        }
    }

    fn object(
        &mut self,
        id: ValueId,
        node: Option<NodeId>,
        slot: Slot,
        owner: Option<usize>,
        frames: &mut Vec<Frame>,
    ) -> Result<(), DocumentError> {
        let place = owner.map_or(0, |block| block + 1);
        let number = self.marks[place].0;
        self.marks[place].0 += 1;
        let (mut value, mut anchor) = (id, None);
        while let Item::Anchor(name, inner) = self.values.item(value) {
            (value, anchor) = (*inner, Some(*name));
        }
        let item = self.values.item(value);
        // What is usual.
        let sharing = self.values.sharing(value, slot);
        let known = self.flagged.get(&value);
        let usual_flag = !self.values.profile.is_python2()
            && match sharing {
                _ if anchor.is_some() => true,
                Sharing::Always => true,
                Sharing::Merged => self.counts[value.at()] > 1,
                Sharing::Never(flag) => flag,
            };
        let usual = match (item, sharing) {
            (Item::Again(name), _) => Some(*self.anchors.get(name).ok_or(DocumentError::Anchor(*name))?),
            (_, Sharing::Never(_)) => None,
            _ => known.and_then(|slots| slots.last().copied()),
        };
        let mark = match (self.graph, node) {
            (Some(graph), Some(node)) => {
                let mark = self.mark(graph, node, usual, usual_flag, known);
                if mark != Mark::default() {
                    self.marks[place].1.insert(number, mark);
                }
                mark
            }
            _ => self.marks[place].1.get(&number).copied().unwrap_or_default(),
        };
        let reference = match (mark.other, usual) {
            (Some(other), _) => Some(known.and_then(|slots| slots.get(other)).copied().ok_or(DocumentError::Marks)?),
            (None, Some(_)) if mark.anew => None,
            (None, usual) => usual,
        };
        if let Some(reference) = reference {
            let code = if self.values.profile.is_python2() { b'R' } else { b'r' };
            self.out.push(code | if mark.toggled { FLAG_REF } else { 0 });
            self.out.extend_from_slice(&reference.to_le_bytes());
            return Ok(());
        }
        let is_flagged = usual_flag != mark.toggled;
        self.write(value, node, slot, owner, is_flagged, frames)?;
        if let Some(name) = anchor {
            self.anchors.insert(name, self.slots.checked_sub(1).ok_or(DocumentError::Anchor(name))?);
        }
        Ok(())
    }

    /// What is unusual in how the graph has it.
    fn mark(
        &self,
        graph: &Graph<'_>,
        node: NodeId,
        usual: Option<u32>,
        usual_flag: bool,
        known: Option<&Vec<u32>>,
    ) -> Mark {
        let is_flagged = graph.is_flagged(node);
        match (graph.value(node), usual) {
            (Value::Ref(target), _) => {
                let slot = self.nodes.get(&target).copied();
                let place = known.and_then(|slots| slots.iter().position(|known| Some(*known) == slot));
                Mark { toggled: is_flagged, anew: false, other: place.filter(|_| slot != usual) }
            }
            (_, usual) => Mark { toggled: is_flagged != usual_flag, anew: usual.is_some(), other: None },
        }
    }

    fn write(
        &mut self,
        value: ValueId,
        node: Option<NodeId>,
        slot: Slot,
        owner: Option<usize>,
        is_flagged: bool,
        frames: &mut Vec<Frame>,
    ) -> Result<(), DocumentError> {
        let values = self.values;
        let item = values.item(value);
        let code = match item {
            Item::Leaf(code, _) | Item::List(code, _) => *code,
            _ => b'c',
        };
        self.out.push(code | if is_flagged { FLAG_REF } else { 0 });
        let takes_slot = is_flagged && !matches!(code, b'0' | b'N' | b'T' | b'F' | b'.' | b'S')
            || values.profile.is_python2() && code == b't';
        if takes_slot {
            self.flagged.entry(value).or_default().push(self.slots);
            if let Some(node) = node {
                self.nodes.insert(node, self.slots);
            }
            self.slots += 1;
        }
        let owner = match item {
            Item::Leaf(_, payload) => {
                leaf(code, payload, &mut self.out);
                return Ok(());
            }
            Item::List(code, parts) => {
                match code {
                    b')' => self.out.push(parts.len().to_le_bytes()[0]),
                    b'(' | b'[' | b'<' | b'>' => {
                        self.out.extend_from_slice(&crate::graph::index(parts.len()).to_le_bytes());
                    }
                    _ => {}
                }
                owner
            }
            Item::Code(block) => {
                if core::mem::replace(&mut self.written[*block], true) {
                    return Err(DocumentError::Twice(*block));
                }
                let mut ints = self.fields[*block].ints;
                let (numbers, count) = code::leading_ints(values.profile.code_layout, &mut ints);
                for number in numbers.into_iter().take(count) {
                    self.out.extend_from_slice(&number.to_le_bytes());
                }
                Some(*block)
            }
            Item::Anchor(..) | Item::Again(_) => return Ok(()),
        };
        frames.push(Frame { item: value, node, done: 0, slot, owner });
        Ok(())
    }
}

fn leaf(code: u8, payload: &[u8], out: &mut Vec<u8>) {
    match code {
        b'l' => {
            let (sign, digits) = payload.split_first().unwrap_or((&0, &[]));
            let count = crate::graph::index(digits.len() / 2).cast_signed();
            out.extend_from_slice(&(if *sign == 0 { count } else { count.wrapping_neg() }).to_le_bytes());
            out.extend_from_slice(digits);
        }
        b's' | b't' | b'u' | b'a' | b'A' => {
            out.extend_from_slice(&crate::graph::index(payload.len()).to_le_bytes());
            out.extend_from_slice(payload);
        }
        b'z' | b'Z' => {
            out.push(payload.len().to_le_bytes()[0]);
            out.extend_from_slice(payload);
        }
        _ => out.extend_from_slice(payload),
    }
}
