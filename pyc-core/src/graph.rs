//! The value graph: what a marshal stream says, and how it says it.
//!
//! Python values share and contain themselves, and the same value has many encodings, so a tree of values would lose both.
//! The graph keeps the stream's own structure: one 16-byte [`Node`] for each type byte, children as indexes, payloads as
//! ranges of the input. References stay nodes of their own ([`Value::Ref`]), so writing a graph that was read gives the
//! input back, byte for byte ([`Graph::write`]). What an *interpreter* makes of it (caches, interning, identities) is
//! [`crate::model`]'s business.
//!
//! A graph is also how a stream is built from nothing or changed:
//!
//! ```
//! use pyc_core::{Graph, Profile, Release, Value};
//! let profile = Profile::for_release(&Release::parse("3.12").unwrap()).unwrap();
//! let mut graph = Graph::new(&profile);
//! let name = graph.str("x");
//! let again = graph.reference(name);
//! let tuple = graph.tuple(&[name, again]);
//! graph.set_root(tuple);
//! assert_eq!(graph.write().unwrap(), b")\x02\xda\x01xr\0\0\0\0");
//!
//! let bytes = graph.write().unwrap();
//! let graph = pyc_core::read(&bytes, &profile).unwrap();
//! let Value::Tuple(items) = graph.value(graph.root()) else { panic!() };
//! assert_eq!(graph.resolve(items[1]), items[0]);
//! ```

mod walk;

use crate::code::{Code, CodeInts};
use crate::prelude::*;
use crate::profile::{CodeLayout, Profile};

/// The index of a node in its graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    pub(crate) fn at(self) -> usize {
        self.0 as usize
    }

    /// Its place among [`Graph::ids`].
    #[must_use]
    pub fn index(self) -> usize {
        self.at()
    }
}

/// Set in a type byte: the object takes a slot in the table that `r` refers to.
pub(crate) const FLAG_REF: u8 = 0x80;

/// Facts about a node that the type byte does not tell.
pub(crate) mod bit {
    /// The type byte carried FLAG_REF.
    pub(crate) const FLAG: u8 = 1;
    /// The payload is in the graph's own bytes, not in the input.
    pub(crate) const OWNED: u8 = 2;
    /// Not (yet) a value: still being read, or ended by NULL (code objects and slices).
    pub(crate) const UNFINISHED: u8 = 4;
    /// A finished tuple, known to be hashable.
    pub(crate) const HASHABLE: u8 = 8;
    /// A finished tuple, known to hold no unfinished tuple and not itself.
    pub(crate) const FINITE: u8 = 16;
    /// A string's payload is all ASCII.
    pub(crate) const ASCII: u8 = 32;
    /// A code object or slice that a NULL field cut short: its last edge is that NULL, nothing follows.
    pub(crate) const CUT: u8 = 64;
    /// A node that was built is in a container. (Of nodes that are being read the reader knows that: there it is ON_PATH.)
    pub(crate) const PLACED: u8 = 128;
}

/// What an object is, as far as the containers around it ask while they are read; several in one byte: what is in a container.
pub(crate) mod kind {
    /// `str` (2.7: `unicode`).
    pub(crate) const TEXT: u8 = 1;
    /// `bytes` (2.7: `str`).
    pub(crate) const BYTES: u8 = 2;
    /// Anything else without parts.
    pub(crate) const SCALAR: u8 = 4;
    /// A finished tuple that holds only the above.
    pub(crate) const FLAT_TUPLE: u8 = 8;
    /// Any other tuple.
    pub(crate) const TUPLE: u8 = 16;
    pub(crate) const FROZENSET: u8 = 32;
    /// A list, set, dict, frozendict, slice or code object.
    pub(crate) const OTHER: u8 = 64;
    /// Without parts.
    pub(crate) const LEAF: u8 = TEXT | BYTES | SCALAR;
    /// Certainly hashable.
    pub(crate) const HASHABLE: u8 = LEAF | FLAT_TUPLE | FROZENSET;
}

/// One object of the stream. What the fields mean depends on the type byte:
///
/// | type | start, len | extra |
/// |---|---|---|
/// | `i` | – | the value |
/// | `I g f x y s t u a A z Z l` | payload (without its length fields; `f`, `x`: with them) | `l`: 1 if negative |
/// | `( ) [ < > { } :` | edges | – |
/// | `c` | edges | index of its integers |
/// | `r` `R` | start: the node meant | the index as written |
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node {
    pub(crate) code: u8,
    pub(crate) bits: u8,
    /// One of [`kind`]; a reference has none. The reader's own.
    pub(crate) kind: u8,
    /// The kinds of the parts that a container has so far. The reader's own.
    pub(crate) parts: u8,
    pub(crate) start: u32,
    pub(crate) len: u32,
    pub(crate) extra: u32,
}

impl Node {
    /// What a graph says of a node that it has not.
    pub(crate) const NONE: Node = Node { code: b'0', bits: 0, kind: 0, parts: 0, start: 0, len: 0, extra: 0 };

    #[inline]
    pub(crate) fn is(self, bit: u8) -> bool {
        self.bits & bit != 0
    }

    #[inline]
    pub(crate) fn range(self) -> core::ops::Range<usize> {
        self.start as usize..self.start as usize + self.len as usize
    }

    /// Whether it matters which object this is: a singleton, NULL and a reference are what they are wherever they are.
    #[inline]
    pub(crate) fn has_identity(self) -> bool {
        !matches!(self.code, b'0' | b'N' | b'T' | b'F' | b'.' | b'S' | b'r' | b'R')
    }

    /// Whether start and len are a range of edges.
    #[inline]
    pub(crate) fn has_edges(self) -> bool {
        matches!(self.code, b'(' | b')' | b'[' | b'<' | b'>' | b'{' | b'}' | b':' | b'c')
    }
}

/// A value graph, read from a stream or built from nothing; borrows the stream's bytes.
#[derive(Debug, Clone)]
pub struct Graph<'a> {
    pub(crate) input: &'a [u8],
    /// Payloads of nodes that were not read.
    pub(crate) owned: Vec<u8>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) edges: Vec<NodeId>,
    pub(crate) ints: Vec<CodeInts>,
    pub(crate) root: NodeId,
    pub(crate) consumed: usize,
    /// Read, and not changed since.
    pub(crate) pristine: bool,
    pub(crate) layout: CodeLayout,
    pub(crate) python2: bool,
}

/// One node, seen as a value of the stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'g> {
    /// The NULL marker: ends a dict, cuts a code object or slice short.
    Null,
    /// `None`
    None,
    /// `True`
    True,
    /// `False`
    False,
    /// `...`
    Ellipsis,
    /// The class `StopIteration`.
    StopIteration,
    /// An int written as 32 bits.
    Int(i32),
    /// An int written as 64 bits.
    Int64(i64),
    /// An int written in digits of 15 bits.
    Long(Long<'g>),
    /// A float, as its bits.
    Float(u64),
    /// A float, as its text.
    FloatText(&'g [u8]),
    /// A complex number, as the bits of its parts.
    Complex(u64, u64),
    /// A complex number, as the texts of its parts.
    ComplexText(&'g [u8], &'g [u8]),
    /// bytes (2.7: `str`, not interned).
    Bytes(&'g [u8]),
    /// An interned `str` of 2.7.
    InternedBytes(&'g [u8]),
    /// `str` (2.7: `unicode`).
    Str(Text<'g>),
    /// tuple
    Tuple(&'g [NodeId]),
    /// list
    List(&'g [NodeId]),
    /// set
    Set(&'g [NodeId]),
    /// frozenset
    FrozenSet(&'g [NodeId]),
    /// dict: key, value, key, value ..., without the terminator.
    Dict(&'g [NodeId]),
    /// frozendict (3.15)
    FrozenDict(&'g [NodeId]),
    /// slice: start, stop, step (3.14).
    Slice(&'g [NodeId]),
    /// A code object.
    Code(Code<'g>),
    /// The object that the other node stands for, again.
    Ref(NodeId),
}

/// An integer in digits of 15 bits, least significant first, two bytes each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Long<'g> {
    /// Whether it is below zero.
    pub negative: bool,
    pub(crate) digits: &'g [u8],
}

impl<'g> Long<'g> {
    /// The digits of base 2^15, least significant first.
    pub fn digits(self) -> impl DoubleEndedIterator<Item = u16> + ExactSizeIterator + 'g {
        self.digits.chunks_exact(2).map(|d| u16::from_le_bytes([d[0], d[1]]))
    }

    /// The value, if it fits.
    #[must_use]
    pub fn to_i64(self) -> Option<i64> {
        if self.digits.len() > 2 * 5 {
            return None;
        }
        let magnitude = self.digits().rev().fold(0_i128, |sum, digit| sum << 15 | i128::from(digit));
        i64::try_from(if self.negative { -magnitude } else { magnitude }).ok()
    }
}

/// A string, with the bytes it is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<'g> {
    /// The payload.
    pub bytes: &'g [u8],
    /// Latin-1 (one byte a character; `a A z Z`), else UTF-8 in which surrogates are encoded too.
    pub latin1: bool,
    /// Whether the type asks for interning (`A Z t`).
    pub interned: bool,
    pub(crate) ascii: bool,
}

impl<'g> Text<'g> {
    /// Whether all characters are below 128.
    #[must_use]
    pub fn is_ascii(self) -> bool {
        self.ascii
    }

    /// The code points; surrogates stay what they are.
    pub fn code_points(self) -> impl Iterator<Item = u32> + 'g {
        let mut rest = self.bytes;
        let latin1 = self.latin1 || self.ascii;
        core::iter::from_fn(move || {
            let (&first, tail) = rest.split_first()?;
            let length = match first {
                _ if latin1 => 1,
                0..0x80 => 1,
                0x80..0xE0 => 2,
                0xE0..0xF0 => 3,
                _ => 4,
            };
            // The reader has validated the payload; a short tail can only come from a hand-made Text.
            let (more, left) = tail.split_at_checked(length - 1)?;
            rest = left;
            let lead = if length == 1 { u32::from(first) } else { u32::from(first) & (0x7F >> length) };
            Some(more.iter().fold(lead, |sum, &b| sum << 6 | u32::from(b & 0x3F)))
        })
    }

    /// The string, with U+FFFD in place of surrogates.
    #[must_use]
    pub fn to_string_lossy(self) -> String {
        self.code_points().map(|c| char::from_u32(c).unwrap_or('\u{FFFD}')).collect()
    }
}

impl<'a> Graph<'a> {
    /// An empty graph, to build a stream for the profile's interpreter.
    #[must_use]
    pub fn new(profile: &Profile) -> Graph<'static> {
        Graph {
            input: &[],
            owned: Vec::new(),
            nodes: Vec::new(),
            edges: Vec::new(),
            ints: Vec::new(),
            root: NodeId(0),
            consumed: 0,
            pristine: false,
            layout: profile.code_layout,
            python2: profile.is_python2(),
        }
    }

    /// The node of the whole value.
    #[must_use]
    pub fn root(&self) -> NodeId {
        self.root
    }

    /// Makes a node the whole value.
    pub fn set_root(&mut self, root: NodeId) {
        self.root = root;
        self.pristine = false;
    }

    /// How many bytes of the input the value takes; what follows them is not looked at.
    #[must_use]
    pub fn consumed(&self) -> usize {
        self.consumed
    }

    /// Number of nodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nothing was read or built yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// All nodes, in the order of their type bytes.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<> {
        (0..self.nodes.len()).map(|i| NodeId(index(i)))
    }

    #[inline]
    pub(crate) fn node(&self, id: NodeId) -> Node {
        // A node of another graph is none of this one.
        self.nodes.get(id.at()).copied().unwrap_or(Node::NONE)
    }

    #[inline]
    pub(crate) fn payload(&self, node: Node) -> &[u8] {
        let bytes = if node.is(bit::OWNED) { &self.owned[..] } else { self.input };
        &bytes[node.range()]
    }

    /// The nodes below a node, NULL markers included.
    #[inline]
    pub(crate) fn edges_of(&self, node: Node) -> &[NodeId] {
        &self.edges[node.range()]
    }

    /// Whether the type byte carries `FLAG_REF`.
    #[must_use]
    pub fn is_flagged(&self, id: NodeId) -> bool {
        self.node(id).is(bit::FLAG)
    }

    /// The type byte, without its flag.
    #[must_use]
    pub fn type_byte(&self, id: NodeId) -> u8 {
        self.node(id).code
    }

    /// Follows a reference to the node that it stands for; other nodes stand for themselves.
    #[must_use]
    pub fn resolve(&self, id: NodeId) -> NodeId {
        match self.node(id) {
            Node { code: b'r' | b'R', start, .. } => NodeId(start),
            _ => id,
        }
    }

    /// The items of a tuple.
    pub(crate) fn tuple_at(&self, id: NodeId) -> Option<&[NodeId]> {
        let node = self.node(id);
        matches!(node.code, b'(' | b')').then(|| self.edges_of(node))
    }

    /// The bytes of a bytes object.
    pub(crate) fn bytes_at(&self, id: NodeId) -> Option<&[u8]> {
        let node = self.node(id);
        (node.code == b's' || node.code == b't' && self.python2).then(|| self.payload(node))
    }

    /// The bytes of what can be a name.
    pub(crate) fn text_at(&self, id: NodeId) -> Option<&[u8]> {
        let node = self.node(id);
        matches!(node.code, b's' | b't' | b'u' | b'a' | b'A' | b'z' | b'Z').then(|| self.payload(node))
    }

    /// What a node says; of a node of another graph, that it is NULL.
    #[must_use]
    pub fn value(&self, id: NodeId) -> Value<'_> {
        let node = self.node(id);
        match node.code {
            b'N' => Value::None,
            b'T' => Value::True,
            b'F' => Value::False,
            b'.' => Value::Ellipsis,
            b'S' => Value::StopIteration,
            b'i' => Value::Int(node.extra.cast_signed()),
            b'I' => {
                // 2.7 reads missing bytes as all ones.
                let payload = self.payload(node);
                let mut eight = [0xFF; 8];
                eight[..payload.len()].copy_from_slice(payload);
                Value::Int64(i64::from_le_bytes(eight))
            }
            b'l' => Value::Long(Long { negative: node.extra != 0, digits: self.payload(node) }),
            b'f' => Value::FloatText(counted(self.payload(node)).0),
            b'g' => Value::Float(u64_at(self.payload(node), 0)),
            b'x' => {
                let (real, rest) = counted(self.payload(node));
                Value::ComplexText(real, counted(rest).0)
            }
            b'y' => Value::Complex(u64_at(self.payload(node), 0), u64_at(self.payload(node), 8)),
            b's' => Value::Bytes(self.payload(node)),
            b't' if self.python2 => Value::InternedBytes(self.payload(node)),
            b't' | b'u' | b'a' | b'A' | b'z' | b'Z' => Value::Str(Text {
                bytes: self.payload(node),
                latin1: matches!(node.code, b'a' | b'A' | b'z' | b'Z'),
                interned: matches!(node.code, b't' | b'A' | b'Z'),
                ascii: node.is(bit::ASCII)
                    || matches!(node.code, b'a' | b'A' | b'z' | b'Z') && self.payload(node).is_ascii(),
            }),
            b'(' | b')' => Value::Tuple(self.edges_of(node)),
            b'[' => Value::List(self.edges_of(node)),
            b'<' => Value::Set(self.edges_of(node)),
            b'>' => Value::FrozenSet(self.edges_of(node)),
            b'{' => Value::Dict(pairs(self.edges_of(node))),
            b'}' => Value::FrozenDict(pairs(self.edges_of(node))),
            b':' => Value::Slice(self.edges_of(node)),
            b'c' => Value::Code(Code::new(self.layout, self.ints[node.extra as usize], self.edges_of(node))),
            b'r' | b'R' => Value::Ref(NodeId(node.start)),
            _ => Value::Null,
        }
    }

    /// Puts `child` in place of the `place`-th node below `parent`; the old child stays in the graph, unreachable.
    /// For a code object the places are the objects in stream order ([`crate::code::Field`]).
    /// Returns false, and changes nothing, when there is no such place.
    pub fn set_child(&mut self, parent: NodeId, place: usize, child: NodeId) -> bool {
        let node = self.node(parent);
        let found = node.has_edges() && place < node.len as usize;
        if found {
            self.edges[node.start as usize + place] = child;
            self.pristine = false;
        }
        found
    }
}

/// The key, value, key, value ... part of a dict's edges: all but the terminator and a key that it left without a value.
pub(crate) fn pairs(edges: &[NodeId]) -> &[NodeId] {
    let items = edges.len().saturating_sub(1);
    &edges[..items - items % 2]
}

/// Splits a payload into a text behind its one-byte length, and the rest.
pub(crate) fn counted(payload: &[u8]) -> (&[u8], &[u8]) {
    match payload.split_first() {
        Some((&n, rest)) => rest.split_at(rest.len().min(usize::from(n))),
        None => (&[], &[]),
    }
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(eight)
}

/// An index of the reader's as the graph stores it: at most the length of the input, which was checked.
#[inline]
#[allow(clippy::cast_possible_truncation)]
pub(crate) fn small(i: usize) -> u32 {
    debug_assert!(u32::try_from(i).is_ok());
    i as u32
}

/// An index as the graph stores it. Inputs are limited to 4 GiB, and every node takes at least a byte.
pub(crate) fn index(i: usize) -> u32 {
    u32::try_from(i).expect("a graph has fewer than 2^32 nodes, edges and bytes")
}
