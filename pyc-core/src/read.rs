//! Reads a marshal stream into a [`Graph`], accepting and refusing exactly what the profile's interpreter does.
//!
//! CPython's reader is recursive and its errors depend on the order in which it looks at things (`Python/marshal.c`,
//! `r_object`), so this one walks in the same order, with a stack of its own: an object's type byte and sizes, its
//! children, then the checks made when the object is built (hashing of members, [`validate`](crate::validate) for code).
//! No allocation is made for a size that the input only claims.

use crate::error::{Cause, Error, ErrorKind};
use crate::graph::{FLAG_REF, Graph, Node, NodeId, bit, index};
use crate::profile::{CodeLayout, Profile, Wording};
use crate::{code, text, validate};

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
    if u32::try_from(input.len()).is_err() {
        return Err(Error::new(ErrorKind::InputTooLong, 0));
    }
    let mut graph = Graph::new(profile);
    graph.input = input;
    let mut reader = Reader {
        profile,
        wording: profile.wording(),
        graph,
        at: 0,
        slots: Vec::new(),
        frames: Vec::new(),
        pending: Vec::new(),
        exception: None,
    };
    let root = reader.run()?;
    let Reader { mut graph, at, .. } = reader;
    graph.root = root;
    graph.consumed = at;
    Ok(graph)
}

/// A container whose children are being read.
pub(crate) struct Frame {
    pub(crate) node: NodeId,
    code: u8,
    /// How many children are still to come; not used for dicts.
    remaining: u32,
    /// Where this frame's children start in `pending`.
    pub(crate) base: usize,
    /// Where the child that is being read starts in the input.
    child_at: usize,
    /// Where the type byte is.
    at: usize,
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
    wording: Wording,
    pub(crate) graph: Graph<'a>,
    at: usize,
    /// What `r` refers to (2.7: `R`).
    slots: Vec<NodeId>,
    pub(crate) frames: Vec<Frame>,
    /// The children of all frames, innermost last.
    pub(crate) pending: Vec<NodeId>,
    /// 2.7's pending exception: a dict reads on after a failed value and fails at its end.
    exception: Option<Error>,
}

impl<'a> Reader<'a, '_> {
    fn run(&mut self) -> Result<NodeId, Error> {
        loop {
            let mut step = self.object();
            loop {
                match step {
                    Ok(Step::Open) => break,
                    Ok(done) => match self.deliver(done) {
                        Ok(Some(Step::Value(root))) if self.frames.is_empty() => return Ok(root),
                        Ok(Some(next)) => step = Ok(next),
                        Ok(None) => break,
                        Err(error) => step = Err(error),
                    },
                    Err(error) if self.wording == Wording::Python27 && error.cause().is_none() => {
                        self.unwind_to_dict_value(error)?;
                        break;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
    }

    /// 2.7: an exception inside a dict's value only drops that pair; the dict fails when it ends.
    fn unwind_to_dict_value(&mut self, error: Error) -> Result<(), Error> {
        while let Some(frame) = self.frames.last() {
            if frame.code == b'{' && (self.pending.len() - frame.base) % 2 == 1 {
                self.pending.pop();
                self.exception = Some(error);
                return Ok(());
            }
            self.pending.truncate(frame.base);
            self.frames.pop();
        }
        Err(error)
    }

    fn fail<T>(&self, kind: ErrorKind, offset: usize) -> Result<T, Error> {
        debug_assert!(offset <= self.graph.input.len());
        Err(Error::new(kind, offset))
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.graph.input.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn bytes(&mut self, length: usize) -> Result<std::ops::Range<usize>, Error> {
        let range = self.at..self.at + length;
        if self.graph.input.len() - self.at < length {
            // 2.7 may read on after an error, from where this one has left it.
            self.at = self.graph.input.len();
            return self.fail(ErrorKind::EndInside, self.graph.input.len());
        }
        self.at = range.end;
        Ok(range)
    }

    /// Up to `width` little-endian bytes; in 2.7 missing ones read as all ones, elsewhere they are an error.
    fn little_endian(&mut self, width: usize) -> Result<(u64, usize), Error> {
        let rest = &self.graph.input[self.at..];
        let have = rest.len().min(width);
        if have < width && self.wording != Wording::Python27 {
            return self.fail(ErrorKind::EndInside, self.graph.input.len());
        }
        let mut eight = [0xFF; 8];
        eight[..have].copy_from_slice(&rest[..have]);
        self.at += have;
        Ok((u64::from_le_bytes(eight), have))
    }

    fn long(&mut self) -> Result<i32, Error> {
        #[allow(clippy::cast_possible_truncation)] // the low four bytes are what is meant
        Ok((self.little_endian(4)?.0 as u32).cast_signed())
    }

    fn size(&mut self, what: &'static str) -> Result<u32, Error> {
        let at = self.at;
        let n = self.long()?;
        u32::try_from(n).or_else(|_| self.fail(ErrorKind::Size(what), at))
    }

    fn length(&mut self) -> Result<u8, Error> {
        let at = self.at;
        self.byte().map_or_else(|| self.fail(ErrorKind::EndAtLength, at), Ok)
    }

    fn push(&mut self, code: u8, bits: u8, start: usize, len: usize, extra: u32) -> NodeId {
        let id = NodeId(index(self.graph.nodes.len()));
        self.graph.nodes.push(Node { code, bits, start: index(start), len: index(len), extra });
        id
    }

    /// A node with a payload; takes a slot if flagged.
    fn leaf(&mut self, code: u8, bits: u8, payload: std::ops::Range<usize>, extra: u32) -> Step {
        let id = self.push(code, bits, payload.start, payload.len(), extra);
        if bits & bit::FLAG != 0 {
            self.slots.push(id);
        }
        Step::Value(id)
    }

    /// A node whose children come next; takes its slot now, before theirs.
    fn open(&mut self, code: u8, bits: u8, at: usize, n: u32, extra: u32) -> Step {
        // While the node is unfinished its length is the one that the stream claims: an unfinished tuple has that size.
        let id = self.push(code, bits | bit::UNFINISHED, 0, 0, extra);
        self.graph.nodes[id.at()].len = n;
        if bits & bit::FLAG != 0 {
            self.slots.push(id);
        }
        self.frames.push(Frame { node: id, code, remaining: n, base: self.pending.len(), child_at: self.at, at });
        if n == 0 && code != b'{' && code != b'}' {
            self.frames.pop();
            self.graph.nodes[id.at()].bits &= !bit::UNFINISHED;
            return Step::Value(id);
        }
        Step::Open
    }

    fn object(&mut self) -> Result<Step, Error> {
        let at = self.at;
        if let Some(frame) = self.frames.last_mut() {
            frame.child_at = at;
        }
        let too_deep = self.frames.len() >= self.profile.max_depth as usize;
        let python2 = self.wording == Wording::Python27;
        let byte = self.byte();
        if python2 && too_deep {
            return self.fail(ErrorKind::TooDeep, at);
        }
        let Some(byte) = byte else {
            return self.fail(ErrorKind::EndAtObject, at);
        };
        if too_deep {
            return self.fail(ErrorKind::TooDeep, at);
        }
        let code = if python2 { byte } else { byte & !FLAG_REF };
        let bits = if byte == code { 0 } else { bit::FLAG };
        if !self.profile.reads(code) {
            return self.fail(ErrorKind::UnknownType(byte), at);
        }
        match code {
            b'0' => {
                let id = self.push(code, bits, 0, 0, 0);
                Ok(Step::Null(id))
            }
            // Singletons: the flag is ignored, no slot.
            b'N' | b'T' | b'F' | b'.' | b'S' => Ok(Step::Value(self.push(code, bits, 0, 0, 0))),
            b'i' => {
                let start = self.at;
                let value = self.long()?;
                Ok(self.leaf(code, bits, start..self.at, value.cast_unsigned()))
            }
            b'I' => {
                let start = self.at;
                self.little_endian(8)?;
                Ok(self.leaf(code, bits, start..self.at, 0))
            }
            b'l' => self.digits(bits),
            b'g' | b'y' => {
                let range = self.bytes(if code == b'g' { 8 } else { 16 })?;
                Ok(self.leaf(code, bits, range, 0))
            }
            b'f' | b'x' => {
                let start = self.at;
                for _ in 0..if code == b'f' { 1 } else { 2 } {
                    let n = self.length()?;
                    let range = self.bytes(usize::from(n))?;
                    let bytes = &self.graph.input[range.clone()];
                    if text::parse_float(bytes, python2).is_none() {
                        let text = bytes.split(|&b| b == 0).next().unwrap_or_default().into();
                        return self.fail(ErrorKind::FloatText(text), range.start);
                    }
                }
                Ok(self.leaf(code, bits, start..self.at, 0))
            }
            b's' | b't' | b'u' | b'a' | b'A' | b'z' | b'Z' => self.string(code, bits),
            b'r' | b'R' => {
                let index_at = self.at;
                let n = self.long()?;
                let target = usize::try_from(n).ok().and_then(|n| self.slots.get(n)).copied();
                let target = target.filter(|t| {
                    let node = self.graph.node(*t);
                    let reserved = matches!(node.code, b'>' | b':' | b'c') && node.is(bit::UNFINISHED);
                    !reserved && node.code != b'}'
                });
                let kind = if python2 { ErrorKind::StringReference } else { ErrorKind::Reference };
                let Some(target) = target else {
                    return self.fail(kind, index_at);
                };
                Ok(Step::Value(self.push(code, bits, target.at(), 0, n.cast_unsigned())))
            }
            b')' => {
                let n = match self.byte() {
                    Some(n) => n,
                    // Before 3.11.5 the end of the stream reads as 255, and the first item is missing.
                    None if self.wording == Wording::Python34 => return self.fail(ErrorKind::EndAtObject, self.at),
                    None => return self.fail(ErrorKind::EndAtLength, self.at),
                };
                Ok(self.open(code, bits, at, u32::from(n), 0))
            }
            b'(' | b'[' | b'<' | b'>' => {
                let what = match code {
                    b'(' => "tuple",
                    b'[' => "list",
                    _ => "set",
                };
                let n = self.size(what)?;
                Ok(self.open(code, bits, at, n, 0))
            }
            b'{' | b'}' => Ok(self.open(code, bits, at, 0, 0)),
            b':' => Ok(self.open(code, bits, at, 3, 0)),
            _ => self.code(bits, at),
        }
    }

    fn digits(&mut self, bits: u8) -> Result<Step, Error> {
        let at = self.at;
        let n = self.long()?;
        if n == i32::MIN {
            return self.fail(ErrorKind::Size("long"), at);
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
            let kind = if self.wording == Wording::Python27 { ErrorKind::Digit } else { ErrorKind::EndInside };
            return self.fail(kind, self.graph.input.len());
        }
        if count > 0 && rest[2 * count - 2..2 * count] == [0, 0] {
            self.at = start + 2 * count;
            return self.fail(ErrorKind::Unnormalized, start + 2 * count - 2);
        }
        self.at += 2 * count;
        Ok(self.leaf(b'l', bits, start..self.at, u32::from(n < 0)))
    }

    fn string(&mut self, code: u8, mut bits: u8) -> Result<Step, Error> {
        let python2 = self.wording == Wording::Python27;
        let n = match code {
            b'z' | b'Z' => u32::from(self.length()?),
            b's' => self.size(if python2 { "string" } else { "bytes object" })?,
            b'u' if python2 => self.size("unicode")?,
            _ => self.size("string")?,
        };
        let range = self.bytes(n as usize)?;
        let bytes = &self.graph.input[range.clone()];
        let is_text = code != b's' && !(python2 && code == b't');
        if is_text {
            if bytes.is_ascii() {
                bits |= bit::ASCII;
            } else if matches!(code, b'u' | b't')
                && let Err(error) = text::check_utf8(bytes, python2)
            {
                let offset = range.start + error.start;
                return self.fail(ErrorKind::Unicode(error), offset);
            }
        }
        let step = self.leaf(code, bits, range, 0);
        if python2
            && code == b't'
            && let Step::Value(id) = step
        {
            self.slots.push(id);
        }
        Ok(step)
    }

    fn code(&mut self, bits: u8, at: usize) -> Result<Step, Error> {
        let mut ints = code::CodeInts::default();
        for field in code::leading_ints(self.profile.code_layout, &mut ints) {
            *field = self.long()?;
        }
        let extra = index(self.graph.ints.len());
        self.graph.ints.push(ints);
        let n = code::fields(self.profile.code_layout).len();
        Ok(self.open(b'c', bits, at, index(n), extra))
    }

    /// Hands a finished object to the container around it. `Some` is that container, if this finished it.
    fn deliver(&mut self, done: Step) -> Result<Option<Step>, Error> {
        let (child, null) = match done {
            Step::Value(id) => (id, false),
            Step::Null(id) => (id, true),
            Step::Open => return Ok(None),
        };
        let Some(frame) = self.frames.last_mut() else {
            return if null { self.fail(ErrorKind::Null("object"), 0) } else { Ok(Some(Step::Value(child))) };
        };
        let (code, base, child_at, at) = (frame.code, frame.base, frame.child_at, frame.at);
        if code == b'{' || code == b'}' {
            return self.deliver_to_dict(child, null, base, child_at);
        }
        if null {
            let container = match code {
                b'(' | b')' => "tuple",
                b'[' => "list",
                b'<' | b'>' => "set",
                b'c' if self.wording == Wording::Python3115 => "code object",
                _ => {
                    // No exception is set: the code object or slice is NULL itself, right here.
                    self.pending.push(child);
                    let node = self.close(bit::CUT | bit::UNFINISHED);
                    return Ok(Some(Step::Null(node)));
                }
            };
            return self.fail(ErrorKind::Null(container), child_at);
        }
        if code == b'<' || code == b'>' {
            validate::hashable(self, child, false, child_at)?;
        }
        self.pending.push(child);
        let Some(frame) = self.frames.last_mut() else { return Ok(None) };
        frame.remaining -= 1;
        let remaining = frame.remaining;
        if code == b'c' && self.pending.len() - base == code::OBJECTS_BEFORE_LINE {
            let line = self.long()?;
            let extra = self.frames.last().map_or(0, |f| self.graph.node(f.node).extra);
            self.graph.ints[extra as usize].firstlineno = line;
        }
        if remaining > 0 {
            return Ok(None);
        }
        if code == b'c' {
            validate::code(self, base, at)?;
        }
        let node = self.close(0);
        Ok(Some(Step::Value(node)))
    }

    fn deliver_to_dict(
        &mut self,
        child: NodeId,
        null: bool,
        base: usize,
        child_at: usize,
    ) -> Result<Option<Step>, Error> {
        let is_value = (self.pending.len() - base) % 2 == 1;
        let python2 = self.wording == Wording::Python27;
        if !null || python2 && is_value {
            self.pending.push(child);
            // The key is hashed when the pair is stored, after the value was read.
            if is_value && !null {
                let key = self.pending[self.pending.len() - 2];
                if let Err(error) = validate::hashable(self, key, true, child_at) {
                    if python2 && error.cause().is_none() {
                        self.exception = Some(error);
                    } else {
                        return Err(error);
                    }
                }
            }
            return Ok(None);
        }
        // A NULL key ends the dict; since 3.0 a NULL value does too, and its key is dropped.
        if let Some(error) = self.exception.clone() {
            return Err(error);
        }
        self.pending.push(child);
        let node = self.close(0);
        Ok(Some(Step::Value(node)))
    }

    /// Finishes the innermost container: its pending children become its edges.
    fn close(&mut self, bits: u8) -> NodeId {
        let Some(frame) = self.frames.pop() else { unreachable!("close() is called with an open frame") };
        let start = self.graph.edges.len();
        self.graph.edges.extend_from_slice(&self.pending[frame.base..]);
        self.pending.truncate(frame.base);
        let node = &mut self.graph.nodes[frame.node.at()];
        node.start = index(start);
        node.len = index(self.graph.edges.len() - start);
        node.bits = node.bits & !bit::UNFINISHED | bits;
        frame.node
    }

    /// The children that a node has so far, and how many it will have.
    pub(crate) fn children(&self, id: NodeId) -> (&[NodeId], usize) {
        let node = self.graph.node(id);
        if !node.has_edges() {
            return (&[], 0);
        }
        if !node.is(bit::UNFINISHED) {
            let edges = self.graph.edges_of(node);
            return (edges, edges.len());
        }
        // Frames are in the order of their nodes.
        match self.frames.binary_search_by_key(&id, |f| f.node) {
            Ok(i) => {
                let end = self.frames.get(i + 1).map_or(self.pending.len(), |f| f.base);
                (&self.pending[self.frames[i].base..end], node.len as usize)
            }
            Err(_) => (&[], node.len as usize),
        }
    }

    pub(crate) fn undefined<T>(&self, cause: Cause, offset: usize) -> Result<T, Error> {
        self.fail(ErrorKind::Undefined(cause), offset)
    }

    pub(crate) fn layout(&self) -> CodeLayout {
        self.profile.code_layout
    }
}
