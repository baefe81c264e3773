//! Reads a marshal stream into a [`Graph`], accepting and refusing exactly what the profile's interpreter does.
//!
//! CPython's reader is recursive and its errors depend on the order in which it looks at things (`Python/marshal.c`,
//! `r_object`), so this one walks in the same order, with a stack of its own: an object's type byte and sizes, its
//! children, then the checks made when the object is built (hashing of members, [`validate`](crate::validate) for code).
//! No allocation is made for a size that the input only claims.

mod common;
mod deliver;
mod python2;

use crate::aftermath::Aftermath;
use crate::code::CodeInts;
use crate::error::{Cause, Error, ErrorKind};
use crate::graph::{FLAG_REF, Graph, Node, NodeId, bit, kind, small, u64_at};
use crate::model::Spare;
use crate::prelude::*;
use crate::profile::{CodeLayout, Profile, Wording};
use crate::{code, text};
use common::Run;
use core::mem::take;

/// Reads the first object of a stream; [`Graph::consumed`] tells how many bytes it takes.
///
/// # Errors
/// When the profile's interpreter would refuse the stream, or crash on it ([`Error::cause`]).
///
/// ```
/// use pyc_core::{Profile, Version, read};
/// let profile = Profile::of(Version::new(3, 13)).unwrap();
/// let graph = read(b"[\x01\0\0\0Ntrailing", profile).unwrap();
/// assert_eq!(graph.consumed(), 6);
///
/// let error = read(b"[\x02\0\0\0N", profile).unwrap_err();
/// assert_eq!(error.offset, 6);
/// assert_eq!(error.exception(profile).to_string(), "EOFError: EOF read where object expected");
/// ```
pub fn read<'a>(input: &'a [u8], profile: &Profile) -> Result<Graph<'a>, Error> {
    read_with(input, profile, &mut Scratch::default())
}

/// Memory that reading and loading need and that the next stream can use again: as much as the largest one took so far.
#[derive(Default)]
pub struct Scratch {
    slots: Vec<Slot>,
    frames: Vec<Frame>,
    pending: Vec<NodeId>,
    path: Vec<(NodeId, u32)>,
    nodes: Vec<Node>,
    edges: Vec<NodeId>,
    ints: Vec<CodeInts>,
    pub(crate) model: Spare,
}

impl Graph<'_> {
    /// Leaves the graph's memory to the next one that is read with this scratch.
    pub fn recycle(self, scratch: &mut Scratch) {
        let Graph { mut nodes, mut edges, mut ints, .. } = self;
        nodes.clear();
        edges.clear();
        ints.clear();
        (scratch.nodes, scratch.edges, scratch.ints) = (nodes, edges, ints);
    }
}

/// As [`read`], for who reads many small streams: the same memory serves all of them.
///
/// # Errors
/// As [`read`].
///
/// ```
/// use pyc_core::{Profile, Scratch, Version, model::Loaded, read_with};
/// let profile = Profile::of(Version::new(3, 13)).unwrap();
/// let mut scratch = Scratch::default();
/// for (stream, canon) in [(&b")\x01N"[..], "tuple 1\nnone\n"), (b"[\0\0\0\0", "list 0\n")] {
///     let graph = read_with(stream, profile, &mut scratch).unwrap();
///     let loaded = Loaded::new_with(&graph, profile, &mut scratch);
///     assert_eq!(loaded.canon(), canon);
///     loaded.recycle(&mut scratch);
///     graph.recycle(&mut scratch);
/// }
/// ```
pub fn read_with<'a>(input: &'a [u8], profile: &Profile, scratch: &mut Scratch) -> Result<Graph<'a>, Error> {
    read_as(input, profile, scratch, false)
}

/// As [`read_with`]; `for_looks` is for who does not load what was read: then instructions that end the interpreter when it loads
/// them are no error.
pub(crate) fn read_as<'a>(
    input: &'a [u8],
    profile: &Profile,
    scratch: &mut Scratch,
    for_looks: bool,
) -> Result<Graph<'a>, Error> {
    let mut reader = Reader::new(input, profile, scratch)?;
    reader.for_looks = for_looks;
    let root = reader.root();
    let Reader { mut graph, at, filename, .. } = reader;
    match root {
        Ok(root) => {
            graph.root = root;
            graph.consumed = at;
            graph.pristine = true;
            Ok(graph)
        }
        Err(mut fault) => {
            graph.recycle(scratch);
            // Whether the interpreter came as far as this error is not known.
            if filename == Filename::Used && fault.cause().is_none() {
                fault.kind = ErrorKind::Undefined(Cause::FilenameFreed);
            }
            Err(*fault)
        }
    }
}

/// What is left of a stream that is refused.
#[derive(Debug, Clone)]
pub struct Salvaged<'a> {
    /// Its value is a tuple of the code objects that were read to their end and are in no other that was.
    pub graph: Graph<'a>,
    /// These code objects.
    pub codes: Vec<NodeId>,
    /// Why the stream is refused.
    pub error: Error,
}

/// Reads as far as the stream goes and keeps the code objects that are complete; what they refer to comes with them. `None` if
/// the stream is accepted, or no code object is complete.
///
/// ```
/// use pyc_core::{Profile, Version, read, salvage};
/// let profile = Profile::of(Version::new(3, 12)).unwrap();
/// let cut = [b"\xa9\x03\xda\x03key", pyc_core::code::EXAMPLE_312, b"r\x01\0"].concat();
/// let salvaged = salvage(&cut, profile).unwrap();
/// assert_eq!(salvaged.error.offset, cut.len());
/// assert_eq!(salvaged.codes.len(), 1);
/// let stream = salvaged.graph.write().unwrap();
/// assert!(read(&stream, profile).is_ok());
/// ```
#[must_use]
pub fn salvage<'a>(input: &'a [u8], profile: &Profile) -> Option<Salvaged<'a>> {
    let mut scratch = Scratch::default();
    let mut reader = Reader::new(input, profile, &mut scratch).ok()?;
    reader.stays = true;
    let error = *reader.root().err()?;
    let Reader { mut graph, frames, pending, .. } = reader;
    // What is not finished has no parts to look for; a reference to it is one to nothing.
    let open: Vec<NodeId> = frames.iter().map(|frame| frame.node).collect();
    graph.forget_unfinished(&open);
    let mut codes = Vec::new();
    for id in pending.iter() {
        let mut path = vec![*id];
        while let Some(id) = path.pop() {
            match graph.node(id).code {
                b'c' => codes.push(id),
                _ => path.extend(graph.children(id).iter().rev()),
            }
        }
    }
    if codes.is_empty() {
        return None;
    }
    let root = graph.tuple_of(&codes);
    graph.set_root(root);
    graph.settle().then_some(Salvaged { graph, codes, error })
}

/// An error on its way out: behind a pointer, because errors are rare and large.
pub(crate) type Fault = Box<Error>;

/// The container takes no slot, or has it already.
const NO_SLOT: u32 = u32::MAX;

/// A size for which there may not be the memory.
const PLENTY: u32 = 1 << 23;

/// A container whose children are being read.
pub(crate) struct Frame {
    pub(crate) node: NodeId,
    /// How many children are still to come: of a dict, more than there can be; of a code object, before firstlineno.
    remaining: u32,
    /// Where this frame's children start in `pending`.
    pub(crate) base: u32,
    /// Where the type byte is.
    at: u32,
    /// The slot that is filled when the object is finished.
    slot: u32,
    code: u8,
    /// The kinds of the children so far.
    parts: u8,
}

impl Frame {
    /// Whether the children are hashed: those of a set, and each first of two of a dict.
    fn hashes(&self) -> bool {
        matches!(self.code, b'<' | b'>' | b'{' | b'}')
    }

    fn is_dict(&self) -> bool {
        matches!(self.code, b'{' | b'}')
    }

    /// What the container is when it is finished.
    #[inline(always)]
    fn finished_kind(&self, nodes: &[Node]) -> u8 {
        let kind = nodes[self.node.at()].kind;
        if kind == kind::TUPLE && self.parts & !kind::LEAF == 0 { kind::FLAT_TUPLE } else { kind }
    }

    /// Whether a child of this kind, which follows these, is added without a closer look.
    #[inline(always)]
    fn takes(&self, kind: u8, pending: &[NodeId], nodes: &[Node], shares_filename: bool) -> bool {
        match self.code {
            b'<' | b'>' => kind & kind::HASHABLE != 0,
            // The key is hashed when there is a value.
            b'{' | b'}' if self.awaits_value(pending.len()) => {
                let key = nodes[pending[pending.len() - 1].at()];
                let kind = if key.kind == 0 { nodes[key.start as usize].kind } else { key.kind };
                kind & kind::HASHABLE != 0
            }
            b'c' => !shares_filename,
            _ => true,
        }
    }

    /// Whether this is a dict with a key that has no value yet; `pending` is how many children all frames have so far.
    fn awaits_value(&self, pending: usize) -> bool {
        self.is_dict() && (pending - self.base as usize) % 2 == 1
    }
}

/// What `r` finds in the table of references.
#[derive(Clone, Copy)]
struct Slot {
    node: NodeId,
    /// One of [`kind`]; 0 while the object cannot be referred to.
    kind: u8,
}

/// What reading an object came to.
enum Step {
    /// A container: its children come next.
    Open,
    /// A value.
    Value(NodeId),
    /// NULL: the marker, or a code object or slice that holds one.
    Null(NodeId),
}

pub(crate) struct Reader<'a, 'p> {
    pub(crate) profile: &'p Profile,
    pub(crate) graph: Graph<'a>,
    at: usize,
    /// What `r` refers to (2.7: `R`).
    slots: &'p mut Vec<Slot>,
    pub(crate) frames: &'p mut Vec<Frame>,
    /// The children of all frames, innermost last.
    pub(crate) pending: &'p mut Vec<NodeId>,
    /// The path of the last walk, kept for its memory.
    pub(crate) path: &'p mut Vec<(NodeId, u32)>,
    /// 2.7: a dict reads on after a failed value and fails at its end. Hardly ever needed, so it is elsewhere.
    aftermath: Option<Box<Aftermath>>,
    filename: Filename,
    /// Whether an error leaves everything where it is.
    stays: bool,
    /// Whether nobody loads the code, so that it may end an interpreter.
    pub(crate) for_looks: bool,
}

/// 3.6: the reader's pointer to the first file name, to which it holds no reference.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Filename {
    Unread,
    /// Owned by a code object that stays.
    Kept,
    /// Owned by something in a dict or set, which may have dropped it.
    AtRisk,
    /// Compared with another name when it may have been freed.
    Used,
}

/// Room for so many more nodes, or twice as many as there are, but for no more than the input that is left can hold: each
/// takes a byte at least.
#[cold]
fn make_room(nodes: &mut Vec<Node>, wanted: usize, bytes_left: usize) {
    nodes.reserve_exact(nodes.len().max(wanted).min(bytes_left + 1));
}

/// How many objects a code object still has that has those before firstlineno; none if it has all.
#[inline]
fn rest_of_code(frame: &Frame, nodes: &[Node], pending: &[NodeId]) -> Option<u32> {
    let rest = nodes[frame.node.at()].len - small(pending.len() - frame.base as usize);
    (frame.code == b'c' && rest > 0).then_some(rest)
}

impl<'a, 'p> Reader<'a, 'p> {
    fn new(input: &'a [u8], profile: &'p Profile, scratch: &'p mut Scratch) -> Result<Self, Error> {
        if u32::try_from(input.len()).is_err() {
            return Err(Error::new(ErrorKind::InputTooLong, 0));
        }
        let Scratch { slots, frames, pending, path, nodes, edges, ints, .. } = scratch;
        slots.clear();
        frames.clear();
        pending.clear();
        let mut reader = Reader {
            profile,
            graph: Graph { input, nodes: take(nodes), edges: take(edges), ints: take(ints), ..Graph::new(profile) },
            at: 0,
            slots,
            frames,
            pending,
            path,
            aftermath: None,
            filename: Filename::Unread,
            stays: false,
            for_looks: false,
        };
        // Most streams have no more than a node for each 16 bytes, unless they are tiny; more room is made where they have.
        reader.graph.nodes.reserve_exact(input.len() / 16 + input.len().min(16));
        Ok(reader)
    }

    fn root(&mut self) -> Result<NodeId, Fault> {
        if self.profile.is_python2() { self.run::<true>() } else { self.run::<false>() }
    }
}

impl Reader<'_, '_> {
    fn run<const PYTHON2: bool>(&mut self) -> Result<NodeId, Fault> {
        loop {
            let step = match self.common::<PYTHON2>() {
                Run::Whole(root) => Ok(Some(root)),
                Run::Full => self.finish::<PYTHON2>(),
                Run::Rare | Run::Leaves | Run::Container => {
                    let at = self.at;
                    match self.object::<PYTHON2>(at) {
                        Ok(step) => self.deliver::<PYTHON2>(step, at),
                        Err(fault) => Err(fault),
                    }
                }
            };
            match step {
                Ok(None) => {}
                Ok(Some(_)) if PYTHON2 && self.aftermath.as_ref().is_some_and(|it| it.forgot) => {
                    return self.undefined(Cause::ForgottenException, 0);
                }
                Ok(Some(root)) => return Ok(root),
                Err(fault) if PYTHON2 && !self.stays && fault.cause().is_none() => self.unwind_to_dict_value(fault)?,
                Err(fault) => return Err(fault),
            }
        }
    }

    #[cold]
    pub(crate) fn fail<T>(&self, kind: ErrorKind, offset: usize) -> Result<T, Fault> {
        debug_assert!(offset <= self.graph.input.len());
        Err(Box::new(Error::new(kind, offset)))
    }

    #[inline]
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.graph.input.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// The next bytes, as the place where they start.
    #[inline]
    fn bytes(&mut self, length: usize) -> Result<usize, Fault> {
        let start = self.at;
        if self.graph.input.len() - start < length {
            // 2.7 may read on after an error, from where this one has left it.
            self.at = self.graph.input.len();
            return self.fail(ErrorKind::EndInside, self.graph.input.len());
        }
        self.at += length;
        Ok(start)
    }

    #[inline]
    fn long<const PYTHON2: bool>(&mut self) -> Result<i32, Fault> {
        match self.graph.input[self.at..].first_chunk() {
            Some(bytes) => {
                self.at += 4;
                Ok(i32::from_le_bytes(*bytes))
            }
            None if PYTHON2 => Ok(i32::from_le_bytes(self.lenient().0)),
            None => self.fail(ErrorKind::EndInside, self.graph.input.len()),
        }
    }

    #[inline]
    fn size<const PYTHON2: bool>(&mut self, what: &'static str) -> Result<u32, Fault> {
        let at = self.at;
        let n = self.long::<PYTHON2>()?;
        if PYTHON2 && what != "set" && n > 0 {
            self.allocate(n, at)?;
        }
        u32::try_from(n).or_else(|_| self.fail(ErrorKind::Size(what), at))
    }

    #[inline]
    fn length(&mut self) -> Result<u8, Fault> {
        match self.byte() {
            Some(length) => Ok(length),
            None => self.fail(ErrorKind::EndAtLength, self.at),
        }
    }

    #[inline]
    fn push(&mut self, node: Node) -> NodeId {
        let id = NodeId(small(self.graph.nodes.len()));
        if self.graph.nodes.len() == self.graph.nodes.capacity() {
            make_room(&mut self.graph.nodes, 1, self.graph.input.len() - self.at);
        }
        self.graph.nodes.push(node);
        id
    }

    /// A node with a payload; takes a slot if flagged.
    #[inline]
    fn leaf(&mut self, code: u8, bits: u8, kind: u8, start: usize, extra: u32) -> Step {
        let len = small(self.at - start);
        let id = self.push(Node { code, bits, kind, parts: 0, start: small(start), len, extra });
        if bits & bit::FLAG != 0 {
            self.slots.push(Slot { node: id, kind });
        }
        Step::Value(id)
    }

    /// A node whose children come next; takes its slot now, before theirs.
    #[inline]
    fn open(&mut self, code: u8, bits: u8, at: usize, n: u32, extra: u32) -> Step {
        let kind = match code {
            b'(' | b')' => kind::TUPLE,
            b'>' => kind::FROZENSET,
            _ => kind::OTHER,
        };
        let is_dict = matches!(code, b'{' | b'}');
        // While the node is unfinished its length is the one that the stream claims: an unfinished tuple has that size.
        let mut node = Node { code, bits: bits | bit::UNFINISHED, kind, parts: 0, start: 0, len: n, extra };
        let is_empty = n == 0 && !is_dict;
        if is_empty {
            node.bits = bits;
            if kind == kind::TUPLE {
                node.kind = kind::FLAT_TUPLE;
            }
        }
        let id = self.push(node);
        let mut slot = NO_SLOT;
        if bits & bit::FLAG != 0 {
            let is_late = !is_empty && matches!(code, b'>' | b':' | b'c' | b'}');
            slot = small(self.slots.len());
            self.slots.push(Slot { node: id, kind: if is_late { 0 } else { node.kind } });
            if code == b'}' && !self.profile.refers_to_frozendicts() {
                // Its slot is never filled.
                slot = NO_SLOT;
            }
        }
        if is_empty {
            return Step::Value(id);
        }
        let remaining = match code {
            b'c' => small(code::OBJECTS_BEFORE_LINE),
            _ if is_dict => u32::MAX,
            _ => n,
        };
        let base = small(self.pending.len());
        self.frames.push(Frame { node: id, remaining, base, at: small(at), slot, code, parts: 0 });
        Step::Open
    }

    #[inline]
    fn object<const PYTHON2: bool>(&mut self, at: usize) -> Result<Step, Fault> {
        let too_deep = self.frames.len() >= self.profile.max_depth as usize;
        let byte = self.byte();
        if PYTHON2 && too_deep {
            return self.fail(ErrorKind::TooDeep, at);
        }
        let Some(byte) = byte else {
            return self.fail(ErrorKind::EndAtObject, at);
        };
        if too_deep {
            return self.fail(ErrorKind::TooDeep, at);
        }
        // 2.7 has no flags: a byte with the high bit is an unknown type.
        let code = if PYTHON2 { byte } else { byte & !FLAG_REF };
        let bits = if byte == code { 0 } else { bit::FLAG };
        match code {
            // Singletons: the flag is ignored, no slot.
            b'N' | b'T' | b'F' | b'.' | b'S' => Ok(Step::Value(self.push(Node {
                code,
                bits,
                kind: kind::SCALAR,
                parts: 0,
                start: 0,
                len: 0,
                extra: 0,
            }))),
            b'0' => Ok(Step::Null(self.push(Node { code, bits, kind: 0, parts: 0, start: 0, len: 0, extra: 0 }))),
            b'i' => {
                let start = self.at;
                let value = self.long::<PYTHON2>()?;
                Ok(self.leaf(code, bits, kind::SCALAR, start, value.cast_unsigned()))
            }
            b'r' if !PYTHON2 => self.reference::<PYTHON2>(code, bits, ErrorKind::Reference),
            b'z' | b'Z' if !PYTHON2 => {
                let n = self.length()?;
                let start = self.bytes(usize::from(n))?;
                self.text::<PYTHON2>(code, bits, start)
            }
            b'a' | b'A' if !PYTHON2 => {
                let n = self.size::<PYTHON2>("string")?;
                let start = self.bytes(n as usize)?;
                self.text::<PYTHON2>(code, bits, start)
            }
            b'u' | b't' => {
                let n = self.size::<PYTHON2>(if PYTHON2 && code == b'u' { "unicode" } else { "string" })?;
                let start = self.bytes(n as usize)?;
                self.text::<PYTHON2>(code, bits, start)
            }
            b's' => {
                let n = self.size::<PYTHON2>(if PYTHON2 { "string" } else { "bytes object" })?;
                let start = self.bytes(n as usize)?;
                Ok(self.leaf(code, bits, kind::BYTES, start, 0))
            }
            b')' if !PYTHON2 => {
                let n = match self.byte() {
                    Some(n) => n,
                    // Before 3.11.5 the end of the stream reads as 255, and the first item is missing.
                    None if self.profile.wording() == Wording::Python34 => {
                        return self.fail(ErrorKind::EndAtObject, self.at);
                    }
                    None => return self.fail(ErrorKind::EndAtLength, self.at),
                };
                Ok(self.open(code, bits, at, u32::from(n), 0))
            }
            b'(' | b'[' | b'<' | b'>' => {
                let n = self.size::<PYTHON2>(match code {
                    b'(' => "tuple",
                    b'[' => "list",
                    _ => "set",
                })?;
                if n > PLENTY
                    && code == b'['
                    && self.profile.free_threaded
                    && self.graph.input.len() - self.at < n as usize
                {
                    return self.undefined(Cause::MemoryForList, at);
                }
                Ok(self.open(code, bits, at, n, 0))
            }
            b'{' => Ok(self.open(code, bits, at, 0, 0)),
            b'c' => self.code::<PYTHON2>(bits, at),
            b'g' | b'y' => {
                let first = self.at;
                for _ in 0..if code == b'g' { 1 } else { 2 } {
                    let start = self.bytes(8)?;
                    self.taken_for_failure(f64::from_bits(u64_at(self.graph.input, start)))?;
                }
                Ok(self.leaf(code, bits, kind::SCALAR, first, 0))
            }
            b'l' => self.digits::<PYTHON2>(bits),
            b'f' | b'x' => self.float_text::<PYTHON2>(code, bits),
            b'I' if self.profile.reads(code) => {
                let start = if PYTHON2 {
                    let start = self.at;
                    self.lenient::<8>();
                    start
                } else {
                    self.bytes(8)?
                };
                Ok(self.leaf(code, bits, kind::SCALAR, start, 0))
            }
            b'R' if PYTHON2 => self.reference::<PYTHON2>(code, bits, ErrorKind::StringReference),
            b'}' if self.profile.reads(code) => Ok(self.open(code, bits, at, 0, 0)),
            b':' if self.profile.reads(code) => Ok(self.open(code, bits, at, 3, 0)),
            _ => self.fail(ErrorKind::UnknownType(byte), at),
        }
    }

    #[inline]
    fn reference<const PYTHON2: bool>(&mut self, code: u8, bits: u8, kind: ErrorKind) -> Result<Step, Fault> {
        let index_at = self.at;
        let n = self.long::<PYTHON2>()?.cast_unsigned();
        // A negative index is a large one here.
        match self.slots.get(n as usize) {
            Some(slot) if slot.kind != 0 => {
                let start = slot.node.0;
                Ok(Step::Value(self.push(Node { code, bits, kind: 0, parts: 0, start, len: 4, extra: n })))
            }
            _ => self.fail(kind, index_at),
        }
    }

    fn float_text<const PYTHON2: bool>(&mut self, code: u8, bits: u8) -> Result<Step, Fault> {
        let start = self.at;
        for _ in 0..if code == b'f' { 1 } else { 2 } {
            let n = self.length()?;
            let text_at = self.bytes(usize::from(n))?;
            let text = &self.graph.input[text_at..self.at];
            let Some(value) = text::parse_float(text, PYTHON2) else {
                let text = text.split(|&b| b == 0).next().unwrap_or_default().into();
                return self.fail(ErrorKind::FloatText(text), text_at);
            };
            self.taken_for_failure(f64::from_bits(value))?;
        }
        Ok(self.leaf(code, bits, kind::SCALAR, start, 0))
    }

    fn digits<const PYTHON2: bool>(&mut self, bits: u8) -> Result<Step, Fault> {
        let at = self.at;
        let n = self.long::<PYTHON2>()?;
        if n == i32::MIN {
            return self.fail(ErrorKind::Size("long"), at);
        }
        if PYTHON2 {
            self.allocate(n, at)?;
        }
        let count = n.unsigned_abs() as usize;
        let start = self.at;
        let rest = &self.graph.input[start..];
        let have = (rest.len() / 2).min(count);
        // In stream order: a bad digit is seen before the end of the stream is.
        if let Some(bad) = rest[..2 * have].chunks_exact(2).position(|d| d[1] >= 0x80) {
            self.at = start + 2 * bad + 2;
            return self.fail(ErrorKind::Digit, start + 2 * bad);
        }
        if have < count {
            self.at = self.graph.input.len();
            // 2.7 reads missing bytes as all ones: a negative digit.
            let kind = if PYTHON2 { ErrorKind::Digit } else { ErrorKind::EndInside };
            return self.fail(kind, self.graph.input.len());
        }
        if count > 0 && rest[2 * count - 2..2 * count] == [0, 0] {
            self.at = start + 2 * count;
            return self.fail(ErrorKind::Unnormalized, start + 2 * count - 2);
        }
        self.at += 2 * count;
        Ok(self.leaf(b'l', bits, kind::SCALAR, start, u32::from(n < 0)))
    }

    /// A string, whose payload has just been passed.
    #[inline]
    fn text<const PYTHON2: bool>(&mut self, code: u8, mut bits: u8, start: usize) -> Result<Step, Fault> {
        let bytes = &self.graph.input[start..self.at];
        let mut kind = kind::TEXT;
        if PYTHON2 && code == b't' {
            // Any bytes, and `R` counts all of them.
            kind = kind::BYTES;
            self.slots.push(Slot { node: NodeId(small(self.graph.nodes.len())), kind });
        } else if matches!(code, b'u' | b't') {
            if bytes.is_ascii() {
                bits |= bit::ASCII;
            } else if let Err(error) = text::check_utf8(bytes, PYTHON2) {
                let offset = start + error.start;
                return self.fail(ErrorKind::Unicode(error), offset);
            }
        }
        Ok(self.leaf(code, bits, kind, start, 0))
    }

    fn code<const PYTHON2: bool>(&mut self, bits: u8, at: usize) -> Result<Step, Fault> {
        let layout = self.profile.code_layout;
        let mut ints = code::CodeInts::default();
        let (fields, n) = code::leading_ints(layout, &mut ints);
        for field in fields.into_iter().take(n) {
            *field = self.long::<PYTHON2>()?;
        }
        let extra = small(self.graph.ints.len());
        self.graph.ints.push(ints);
        Ok(self.open(b'c', bits, at, small(code::fields(layout).len()), extra))
    }

    /// The children that a container has so far, and how many it will have.
    pub(crate) fn children(&self, container: NodeId) -> (&[NodeId], usize) {
        let node = self.graph.node(container);
        if !node.is(bit::UNFINISHED) {
            let edges = self.graph.edges_of(node);
            return (edges, edges.len());
        }
        // An unfinished one has a frame, and frames are in the order of their nodes.
        let place = self.frames.partition_point(|frame| frame.node < container);
        let start = |place: usize| self.frames.get(place).map_or(self.pending.len(), |frame| frame.base as usize);
        (&self.pending[start(place)..start(place + 1)], node.len as usize)
    }

    pub(crate) fn undefined<T>(&self, cause: Cause, offset: usize) -> Result<T, Fault> {
        self.fail(ErrorKind::Undefined(cause), offset)
    }

    pub(crate) fn layout(&self) -> CodeLayout {
        self.profile.code_layout
    }
}
