//! Writes a graph as it is: the exact inverse of reading.
//!
//! A tool that changes one constant must not change anything else, so the writer uses the encoding that each node has.
//! Only the numbers of references are worked out anew, from the order in which flagged objects are written: for a graph
//! that was read they come out as they were, and for a graph that was changed they come out right.

mod pyc;

pub use pyc::{
    HeaderError, HeaderKind, Interning, PycWriteConfig, PycWriteError, PycWriter, References, SetOrder, StreamError,
};

use crate::code::{OBJECTS_BEFORE_LINE, leading_ints};
use crate::graph::{FLAG_REF, Graph, NodeId, bit};
use crate::prelude::*;
use core::ops::Range;

/// Why a graph cannot be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteError {
    /// A reference to an object that is not written before it, or is not flagged.
    DanglingReference {
        /// The reference.
        reference: NodeId,
        /// What it stands for.
        target: NodeId,
    },
    /// A node of another graph.
    Foreign(NodeId),
    /// A container holds itself other than through a reference.
    Cycle(NodeId),
    /// A node is in two places, and would be two objects for who reads it.
    Twice(NodeId),
    /// The graph has no nodes.
    Empty,
}

impl core::fmt::Display for WriteError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            WriteError::DanglingReference { reference, target } => write!(
                f,
                "node {} refers to node {}, which is not written before it with its flag set",
                reference.0, target.0
            ),
            WriteError::Foreign(id) => write!(f, "node {} is not of this graph", id.0),
            WriteError::Cycle(id) => write!(f, "node {} contains itself without a reference", id.0),
            WriteError::Twice(id) => {
                write!(f, "node {} is in two places; Graph::reference gives a node for the second one", id.0)
            }
            WriteError::Empty => f.write_str("the graph is empty"),
        }
    }
}

impl core::error::Error for WriteError {}

impl WriteError {
    /// The node at fault.
    #[must_use]
    pub fn node(&self) -> Option<NodeId> {
        match self {
            WriteError::DanglingReference { reference: node, .. }
            | WriteError::Foreign(node)
            | WriteError::Cycle(node)
            | WriteError::Twice(node) => Some(*node),
            WriteError::Empty => None,
        }
    }
}

const UNWRITTEN: u32 = u32::MAX;
/// Written, and no reference can be to it.
const SLOTLESS: u32 = u32::MAX - 1;

impl Graph<'_> {
    /// The stream of this graph. For a graph that was read: exactly the bytes that were consumed.
    ///
    /// # Errors
    /// Never for a graph that was read. A graph that was built or changed may refer to an object that is not written
    /// earlier, contain itself, or have a node in two places.
    ///
    /// ```
    /// use pyc_core::{Profile, Version, read};
    /// let profile = Profile::of(Version::new(3, 8)).unwrap();
    /// let stream = b"\xa9\x02l\x01\0\0\0\x05\0r\0\0\0\0"; // a tuple that contains itself, and 5 in an odd encoding
    /// assert_eq!(read(stream, profile).unwrap().write().unwrap(), stream);
    /// ```
    pub fn write(&self) -> Result<Vec<u8>, WriteError> {
        if self.pristine {
            return Ok(self.input[..self.consumed].to_vec());
        }
        self.write_anew()
    }

    /// The same, node by node, also where [`Graph::write`] knows that nothing has changed since the graph was read.
    ///
    /// # Errors
    /// As [`Graph::write`].
    pub fn write_anew(&self) -> Result<Vec<u8>, WriteError> {
        let mut writer = Writer::new(self)?;
        writer.run()?;
        Ok(writer.out)
    }

    /// Where the nodes are in the stream that [`Graph::write`] gives: for each node the range of its bytes, parts included;
    /// empty for a node that is not written.
    ///
    /// # Errors
    /// As [`Graph::write`].
    ///
    /// ```
    /// use pyc_core::{Profile, Version, read};
    /// let graph = read(b")\x02Ni\x05\0\0\0", Profile::of(Version::new(3, 8)).unwrap()).unwrap();
    /// assert_eq!(graph.byte_ranges().unwrap(), [0..8, 2..3, 3..8]);
    /// ```
    pub fn byte_ranges(&self) -> Result<Vec<Range<usize>>, WriteError> {
        let mut writer = Writer::new(self)?;
        writer.ranges = vec![0..0; self.nodes.len()];
        writer.run()?;
        Ok(writer.ranges)
    }

    /// Where a node is in the stream that [`Graph::write`] gives; `None` if it is not in it.
    #[must_use]
    pub fn byte_range(&self, id: NodeId) -> Option<Range<usize>> {
        let range = self.byte_ranges().ok()?.get(id.at())?.clone();
        (!range.is_empty()).then_some(range)
    }

    /// The innermost node whose bytes an offset is among.
    #[must_use]
    pub fn node_at(&self, offset: usize) -> Option<NodeId> {
        let ranges = self.byte_ranges().ok()?;
        let around = self.ids().filter(|id| ranges[id.at()].contains(&offset));
        around.min_by_key(|id| ranges[id.at()].len())
    }
}

struct Writer<'g, 'a> {
    graph: &'g Graph<'a>,
    out: Vec<u8>,
    /// For each node: the number that references to it get, or whether it is written at all.
    slot: Vec<u32>,
    slots: u32,
    /// Containers that are being written, and how many of their children are.
    frames: Vec<(NodeId, u32)>,
    /// For each node where its bytes are, if somebody asks.
    ranges: Vec<Range<usize>>,
}

impl<'g, 'a> Writer<'g, 'a> {
    fn new(graph: &'g Graph<'a>) -> Result<Self, WriteError> {
        if graph.is_empty() {
            return Err(WriteError::Empty);
        }
        Ok(Writer {
            graph,
            out: Vec::with_capacity(graph.consumed.max(16)),
            slot: vec![UNWRITTEN; graph.nodes.len()],
            slots: 0,
            frames: Vec::new(),
            ranges: Vec::new(),
        })
    }

    fn run(&mut self) -> Result<(), WriteError> {
        self.object(self.graph.root)?;
        while let Some(&(id, done)) = self.frames.last() {
            let node = self.graph.node(id);
            if node.code == b'c' && done as usize == OBJECTS_BEFORE_LINE && done < node.len {
                let line = self.graph.ints[node.extra as usize].firstlineno;
                self.out.extend_from_slice(&line.to_le_bytes());
            }
            if done == node.len {
                self.end(id);
                self.frames.pop();
                continue;
            }
            if let Some(frame) = self.frames.last_mut() {
                frame.1 += 1;
            }
            self.object(self.graph.edges[(node.start + done) as usize])?;
        }
        Ok(())
    }

    fn object(&mut self, id: NodeId) -> Result<(), WriteError> {
        if id.at() >= self.graph.nodes.len() {
            return Err(WriteError::Foreign(id));
        }
        let node = self.graph.node(id);
        let flag = if node.is(bit::FLAG) { FLAG_REF } else { 0 };
        if let Some(range) = self.ranges.get_mut(id.at()) {
            range.start = self.out.len();
        }
        self.out.push(node.code | flag);
        if node.has_identity() {
            let slot = &mut self.slot[id.at()];
            if *slot != UNWRITTEN {
                let is_open = self.frames.iter().any(|(open, _)| *open == id);
                return Err(if is_open { WriteError::Cycle(id) } else { WriteError::Twice(id) });
            }
            let takes_slot = flag != 0 || self.graph.python2 && node.code == b't';
            *slot = if takes_slot { self.slots } else { SLOTLESS };
            self.slots += u32::from(takes_slot);
        }
        let payload = || self.graph.payload(node);
        match node.code {
            b'i' => self.out.extend_from_slice(&node.extra.to_le_bytes()[..node.len as usize]),
            b'I' | b'g' | b'y' | b'f' | b'x' => self.out.extend_from_slice(payload()),
            b'l' => {
                let count = (node.len / 2).cast_signed();
                let count = if node.extra != 0 { -count } else { count };
                self.out.extend_from_slice(&count.to_le_bytes());
                self.out.extend_from_slice(payload());
            }
            b's' | b't' | b'u' | b'a' | b'A' => {
                self.out.extend_from_slice(&node.len.to_le_bytes());
                self.out.extend_from_slice(payload());
            }
            b'z' | b'Z' => {
                self.out.push(node.len.to_le_bytes()[0]);
                self.out.extend_from_slice(payload());
            }
            b'r' | b'R' => {
                let target = NodeId(node.start);
                let slot = self.slot.get(target.at()).copied().filter(|slot| *slot < SLOTLESS);
                let Some(slot) = slot else {
                    return Err(WriteError::DanglingReference { reference: id, target });
                };
                self.out.extend_from_slice(&slot.to_le_bytes());
            }
            b'(' | b'[' | b'<' | b'>' => self.out.extend_from_slice(&node.len.to_le_bytes()),
            b')' => self.out.push(node.len.to_le_bytes()[0]),
            b'c' => {
                let mut ints = self.graph.ints[node.extra as usize];
                let (fields, n) = leading_ints(self.graph.layout, &mut ints);
                for int in fields.into_iter().take(n) {
                    self.out.extend_from_slice(&int.to_le_bytes());
                }
            }
            _ => {}
        }
        if node.has_edges() {
            self.frames.push((id, 0));
        } else {
            self.end(id);
        }
        Ok(())
    }

    fn end(&mut self, id: NodeId) {
        if let Some(range) = self.ranges.get_mut(id.at()) {
            range.end = self.out.len();
        }
    }
}
