//! What an interpreter makes of a stream: the objects, their identities, their canon and their dumps.
//!
//! Two streams can load as equal values and still be dumped as different bytes, because `marshal.dumps` writes flags and
//! references by *reference counts*: small integers and one-character strings come from caches, names are interned, code
//! objects replace strings in their constants, sets drop duplicates. [`Loaded`] redoes that for the profile's interpreter,
//! in stream order, on top of the graph. From it follow the canon ([`Loaded::canon`], `corpus/CANON.md`) and the bytes of
//! `marshal.dumps(marshal.loads(stream), version)` ([`Loaded::dump`]).
//!
//! The model assumes what a careful caller arranges (see `interpreters/PROTOCOL.md`): every interned string has another
//! owner, the one-character Latin-1 strings are interned, no garbage is collected meanwhile, and the call's argument tuple is
//! the only owner of the root.
//!
//! ```
//! use pyc_core::{Profile, Version, model::{Dump, Loaded}, read};
//! let profile = Profile::of(Version::new(3, 12)).unwrap();
//! let graph = read(b"[\x02\0\0\0i\x05\0\0\0\xda\x02ab", profile).unwrap();
//! let loaded = Loaded::new(&graph, profile);
//! assert_eq!(loaded.canon(), "list 2\nint 5\nstr \"ab\"\n");
//! let Dump::Bytes { bytes, .. } = loaded.dump(4) else { panic!() };
//! assert_eq!(bytes, b"[\x02\0\0\0\xe9\x05\0\0\0\xda\x02ab"); // the 5 is cached, so it is shared, so it is flagged
//! ```

mod canon;
mod dump;
pub(crate) mod equality;
mod form;
mod intern;
mod load;
mod loss;
mod table;

pub use dump::{Aspect, Dump, SLOW_COST, Slow};
pub(crate) use form::{Form, FormError, Sharing, stream as form_stream};
pub use loss::Loss;
pub(crate) use table::Contents;

use crate::code::{CodeInts, Field, flag, place};
use crate::error::Cause;
use crate::graph::{Graph, Node, NodeId, Value, index};
use crate::opcode;
use crate::prelude::*;
use crate::profile::Profile;
use crate::read::Scratch;
use alloc::borrow::Cow;
use core::ops::Range;

/// An object of the interpreter: the number of the node that it was made from.
pub(crate) type Object = u32;

/// The object is one that the interpreter keeps anyway (a small int, the empty tuple), or a code object of a free-threaded
/// build: it never has a single owner.
const CACHED: u8 = 1;
/// The object is an interned string.
const INTERNED: u8 = 2;
/// A tuple whose strings were interned by a code object; in a free-threaded build: one that was among its constants.
const WALKED: u8 = 4;
/// A string of ASCII characters.
const ASCII: u8 = 8;
/// A code object whose instructions are shown as they were read.
const PLAIN: u8 = 16;
/// A container that has all its parts.
const FINISHED: u8 = 32;
/// A container that has fewer parts than its node has: duplicates are gone, and what NULL took with it. How many it has is in
/// the last place of those that its node has.
const SHRUNK: u8 = 64;
/// A constant that a free-threaded build keeps, and that no load before this one has made.
const FRESH: u8 = 128;

/// The objects that an interpreter makes of a graph.
pub struct Loaded<'g, 'a> {
    graph: &'g Graph<'a>,
    profile: &'g Profile,
    /// For each node: the object that it came to.
    objects: Vec<Object>,
    /// For each object: CACHED, INTERNED ...
    bits: Vec<u8>,
    /// For each object: how many references to it are held by objects that are alive, and by the caller for the root.
    owners: Vec<u32>,
    /// The parts of containers, each in the place of the edge that it comes from; those of copies follow.
    parts: Vec<Object>,
    /// Objects that code objects make (interned strings, rebuilt frozensets). Their numbers follow those of the nodes.
    copies: Vec<CopyOf>,
    /// Sets and frozensets (2.7: dicts too), as they are made: inner ones before outer ones, unless a code object made them.
    unordered: Vec<Object>,
    /// Whether an object may have lost its last owner.
    garbage: bool,
    around: Around,
    /// What the identities of objects depend on besides the stream.
    varies: Option<Aspect>,
    hazard: Option<Cause>,
    /// What is shared whoever holds it here: CACHED, and INTERNED if something else in the process holds every interned string.
    held: u8,
}

/// What there is in the process besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Around {
    /// A caller who keeps a first load of the same stream, and has interned all strings of one character.
    Caller,
    /// The same, and types of strings do not ask for interning: only code objects do.
    CallerOfUntyped,
    /// None of the strings.
    NewProcess,
}

/// An object that was made from another one.
struct CopyOf {
    /// The node of the original.
    origin: u32,
    /// Its own parts.
    parts: Range<usize>,
}

/// No object.
const NONE: Object = u32::MAX;

/// The memory of a value that is not needed any more, for the next one.
#[derive(Default)]
pub(crate) struct Spare {
    objects: Vec<Object>,
    bits: Vec<u8>,
    owners: Vec<u32>,
    parts: Vec<Object>,
    copies: Vec<CopyOf>,
    unordered: Vec<Object>,
    making: load::Making,
}

/// As many zeros, in this memory; where there are few, allocators are faster than when they are asked for zeros.
fn zeros<T: Default + Clone>(memory: &mut Vec<T>, count: usize) -> Vec<T> {
    let mut zeros = core::mem::take(memory);
    zeros.reserve_exact(count);
    zeros.resize(count, T::default());
    zeros
}

impl<'g, 'a> Loaded<'g, 'a> {
    /// Loads a graph that was read under this profile. One that was built or changed is written and read once to see whether
    /// the interpreter would take it; if it cannot be written or is refused, it has no value ([`Cause::UnsoundGraph`]).
    #[must_use]
    pub fn new(graph: &'g Graph<'a>, profile: &'g Profile) -> Self {
        Self::new_with(graph, profile, &mut Scratch::default())
    }

    /// As [`Loaded::new`], for who loads many small streams: the same memory serves all of them, if each is
    /// [recycled](Loaded::recycle).
    #[must_use]
    pub fn new_with(graph: &'g Graph<'a>, profile: &'g Profile, scratch: &mut Scratch) -> Self {
        Self::made(graph, profile, scratch, Around::Caller)
    }

    /// The value in a process that has interned none of its strings before: what a call of `marshal.dumps(marshal.loads(s))` in a
    /// new process comes to, but for the strings that the process happens to hold. Returns how many those may be: up to 3.10
    /// each that is interned, and up to 3.12 each of one character below 256 that the stream does not intern. Since 3.13 nothing
    /// depends on that.
    #[must_use]
    pub fn alone(graph: &'g Graph<'a>, profile: &'g Profile) -> (Self, usize) {
        let mut loaded = Self::made(graph, profile, &mut Scratch::default(), Around::NewProcess);
        if !profile.flags_interned() {
            loaded.held = CACHED;
        }
        if loaded.is_unsound() {
            return (loaded, 0);
        }
        let root = loaded.root() as usize;
        if let Some(owners) = loaded.owners.get_mut(root).filter(|_| profile.packs_arguments()) {
            *owners += 1;
        }
        let is_open = |object: &usize| match loaded.bits[*object] & (INTERNED | CACHED) {
            INTERNED => loaded.held == CACHED && loaded.owners[*object] == 1,
            CACHED => loaded.is_character(index(*object)),
            _ => false,
        };
        let open = (0..loaded.bits.len()).filter(is_open).count();
        (loaded, open)
    }

    fn made(graph: &'g Graph<'a>, profile: &'g Profile, scratch: &mut Scratch, around: Around) -> Self {
        let nodes = graph.len();
        let spare = &mut scratch.model;
        let mut loaded = Loaded {
            graph,
            profile,
            objects: zeros(&mut spare.objects, nodes),
            bits: zeros(&mut spare.bits, nodes),
            owners: zeros(&mut spare.owners, nodes),
            parts: zeros(&mut spare.parts, graph.edges.len()),
            copies: core::mem::take(&mut spare.copies),
            unordered: core::mem::take(&mut spare.unordered),
            garbage: false,
            around,
            varies: None,
            hazard: None,
            held: CACHED | INTERNED,
        };
        let is_readable = || graph.write_anew().is_ok_and(|stream| crate::read(&stream, profile).is_ok());
        if graph.pristine || is_readable() {
            loaded.load(&mut spare.making);
        } else {
            loaded.hazard = Some(Cause::UnsoundGraph);
        }
        loaded
    }

    /// Leaves the value's memory to the next one that is loaded with this scratch.
    pub fn recycle(self, scratch: &mut Scratch) {
        let Loaded { mut objects, mut bits, mut owners, mut parts, mut copies, mut unordered, .. } = self;
        objects.clear();
        bits.clear();
        owners.clear();
        parts.clear();
        copies.clear();
        unordered.clear();
        let spare = &mut scratch.model;
        (spare.objects, spare.bits, spare.owners, spare.parts) = (objects, bits, owners, parts);
        (spare.copies, spare.unordered) = (copies, unordered);
    }

    /// What the interpreter does instead, if printing or dumping this value crashes it or corrupts its memory.
    #[must_use]
    pub fn hazard(&self) -> Option<Cause> {
        self.hazard
    }

    /// Whether an object is a string of Python 3 of one character, of those that the interpreter keeps.
    fn is_character(&self, object: Object) -> bool {
        let is_text = matches!(self.node(object).code, b't' | b'u' | b'a' | b'A' | b'z' | b'Z');
        is_text && !self.profile.is_python2() && !self.text(object).is_empty()
    }

    fn root(&self) -> Object {
        self.objects[self.graph.root.at()]
    }

    /// Whether there is no value at all.
    fn is_unsound(&self) -> bool {
        self.hazard == Some(Cause::UnsoundGraph)
    }

    /// The node that an object was made from.
    #[inline]
    fn node(&self, object: Object) -> Node {
        self.graph.node(self.origin(object))
    }

    #[inline]
    fn origin(&self, object: Object) -> NodeId {
        NodeId(match (object as usize).checked_sub(self.graph.len()) {
            Some(i) => self.copies[i].origin,
            None => object,
        })
    }

    fn value(&self, object: Object) -> Value<'_> {
        self.graph.value(self.origin(object))
    }

    /// Where an object's parts are; there are none before it is finished.
    #[inline]
    fn span(&self, object: Object) -> Range<usize> {
        let bits = self.bits[object as usize];
        if bits & FINISHED == 0 {
            return 0..0;
        }
        if let Some(i) = (object as usize).checked_sub(self.graph.len()) {
            return self.copies[i].parts.clone();
        }
        let node = self.graph.node(NodeId(object));
        let start = node.start as usize;
        let len = if bits & SHRUNK != 0 {
            self.parts[node.range().end - 1]
        } else {
            // A dict ends with a NULL that is no part.
            node.len.saturating_sub(u32::from(matches!(node.code, b'{' | b'}')))
        };
        start..start + len as usize
    }

    #[inline]
    fn parts(&self, object: Object) -> &[Object] {
        &self.parts[self.span(object)]
    }

    #[inline]
    fn has(&self, object: Object, bit: u8) -> bool {
        self.bits[object as usize] & bit != 0
    }

    /// The part of a code object that holds a field.
    #[inline]
    fn field(&self, code: Object, field: Field) -> Option<Object> {
        self.parts(code).get(place(self.graph.layout, field)?).copied()
    }

    #[inline]
    fn payload(&self, object: Object) -> &[u8] {
        self.graph.payload(self.node(object))
    }

    /// co_code as the interpreter shows it.
    fn shown_code(&self, code: Object) -> Result<Vec<u8>, Cause> {
        let Some(bytes) = self.field(code, Field::Code) else { return Ok(Vec::new()) };
        opcode::shown(self.payload(bytes), self.ints(code).flags, self.profile)
    }

    /// The integers as the constructor leaves them.
    fn ints(&self, code: Object) -> CodeInts {
        let mut ints = self.graph.ints[self.node(code).extra as usize];
        ints.stacksize = ints.stacksize.max(self.profile.least_stacksize());
        if self.profile.recomputes_nofree() {
            let none = |field| self.field(code, field).is_none_or(|t| self.parts(t).is_empty());
            ints.flags &= !flag::NOFREE;
            if none(Field::Cellvars) && none(Field::Freevars) {
                ints.flags |= flag::NOFREE;
            }
        }
        ints
    }

    /// Whether the writer sees more than one owner.
    #[inline]
    fn is_shared(&self, object: Object) -> bool {
        (self.owners[object as usize] != 1) | self.has(object, self.held)
    }

    /// A string's characters as UTF-8 with surrogates; bytes as they are.
    fn text(&self, object: Object) -> Cow<'g, [u8]> {
        let graph = self.graph;
        let node = self.node(object);
        let bytes = graph.payload(node);
        if self.has(object, ASCII) || !matches!(node.code, b'a' | b'A' | b'z' | b'Z') {
            return Cow::Borrowed(bytes);
        }
        match graph.value(self.origin(object)) {
            Value::Str(text) => Cow::Owned(text.to_string_lossy().into_bytes()),
            _ => Cow::Borrowed(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Version;

    /// What `python -c 'print(marshal.dumps(marshal.loads(...)))'` prints.
    #[test]
    fn a_plain_call_in_a_new_process() {
        let stream = b")\x02Z\x04zqxdZ\x04zqxe";
        let flagged = b")\x02\xda\x04zqxd\xda\x04zqxe";
        let of_36 = b"\xa9\x02Z\x04zqxdZ\x04zqxe";
        for (minor, expected, open) in [
            (6, of_36, 2),
            (7, stream, 2),
            (9, stream, 2),
            (10, stream, 2),
            (11, flagged, 0),
            (12, flagged, 0),
            (13, flagged, 0),
        ] {
            let profile = Profile::of(Version::new(3, minor)).unwrap();
            let graph = crate::read(stream, profile).unwrap();
            let (alone, told) = Loaded::alone(&graph, profile);
            let Dump::Bytes { bytes, .. } = alone.dump(4) else { panic!("3.{minor}") };
            assert_eq!((&bytes[..], told), (&expected[..], open), "3.{minor}");
            // Of one character: whether that is interned is up to the process until 3.12.
            let graph = crate::read(b"\xfa\x01~", profile).unwrap();
            let (alone, told) = Loaded::alone(&graph, profile);
            let expected: (&[u8], _) = if minor < 13 { (b"\xfa\x01~", 1) } else { (b"\xda\x01~", 0) };
            assert!(matches!(alone.dump(4), Dump::Bytes { bytes, .. } if (&bytes[..], told) == expected), "3.{minor}");
        }
    }
}
