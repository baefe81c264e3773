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
mod intern;
mod loss;
mod table;

pub use dump::{Aspect, Dump};
pub use loss::Loss;

use crate::code::{CodeInts, Field, flag, place};
use crate::error::Cause;
use crate::graph::{Graph, Node, NodeId, Value, bit, index};
use crate::opcode;
use crate::prelude::*;
use crate::profile::Profile;
use alloc::borrow::Cow;
use table::Table;

/// An object of the interpreter: the number of the node that it was made from.
pub(crate) type Object = u32;

/// The object is one that the interpreter keeps anyway (a small int, the empty tuple): it never has a single owner.
const CACHED: u8 = 1;
/// The object is an interned string.
const INTERNED: u8 = 2;
/// A tuple whose strings were interned by a code object.
const WALKED: u8 = 4;
/// A string of ASCII characters.
const ASCII: u8 = 8;
/// A code object whose instructions are shown as they were read.
const PLAIN: u8 = 16;

/// An object with several owners.
const SHARED: u8 = 32;

/// The objects that an interpreter makes of a graph.
pub struct Loaded<'g, 'a> {
    graph: &'g Graph<'a>,
    profile: &'g Profile,
    /// For each node: the object that it came to.
    objects: Vec<Object>,
    /// For each object: CACHED, INTERNED ...
    bits: Vec<u8>,
    /// For each container: its parts in `parts`, as start and length. Duplicates are gone, NULL is gone.
    spans: Vec<(u32, u32)>,
    parts: Vec<Object>,
    /// For objects that code objects make (interned strings, rebuilt frozensets): the node of the original. Their numbers
    /// follow those of the nodes.
    copies: Vec<u32>,
    /// Sets and frozensets (2.7: dicts too), as they are made: inner ones before outer ones, unless a code object made them.
    unordered: Vec<Object>,
    /// The code objects whose co_code is an object of their own.
    codes: Vec<Object>,
    /// For each object: how many references to it are held by objects that are alive, and by the caller for the root.
    owners: Vec<u32>,
    hazard: Option<Cause>,
}

/// No object.
const NONE: Object = u32::MAX;

/// The tables that loading needs and that are dropped after it.
#[derive(Default)]
struct Caches {
    /// The small ints, from the least one; empty until there is one.
    ints: Vec<Object>,
    /// The one-character strings and bytes objects; empty until there is one.
    latin1: Vec<Object>,
    one_byte: Vec<Object>,
    empty_bytes: Option<Object>,
    empty_str: Option<Object>,
    empty_tuple: Option<Object>,
    empty_frozenset: Option<Object>,
    interned: Table,
    /// The path of a walk through constants, kept for its memory.
    path: Vec<intern::Visit>,
    /// 3.6: the file name that later code objects get, and whether the reader's pointer to it may be stale.
    filename: Option<Object>,
    filename_at_risk: bool,
}

/// What a cache holds at a place; an object takes an empty one.
fn kept(cache: &mut Vec<Object>, size: usize, at: usize, object: Object) -> Object {
    if cache.is_empty() {
        cache.resize(size, NONE);
    }
    if cache[at] == NONE {
        cache[at] = object;
    }
    cache[at]
}

/// The least int that interpreters keep.
const LEAST_INT: i64 = -5;

impl<'g, 'a> Loaded<'g, 'a> {
    /// Loads a graph that was read under this profile. Of one that was built or changed, the checks that reading makes are
    /// not made again; one that cannot be written has no value ([`Cause::UnsoundGraph`]).
    #[must_use]
    pub fn new(graph: &'g Graph<'a>, profile: &'g Profile) -> Self {
        let nodes = graph.len();
        let mut loaded = Loaded {
            graph,
            profile,
            objects: vec![0; nodes],
            bits: vec![0; nodes],
            spans: vec![(0, 0); nodes],
            parts: Vec::with_capacity(graph.edges.len()),
            copies: Vec::new(),
            unordered: Vec::new(),
            codes: Vec::new(),
            owners: Vec::new(),
            hazard: None,
        };
        if graph.pristine || graph.write_anew().is_ok() {
            loaded.load(&mut Caches::default());
            loaded.count_owners();
        } else {
            loaded.hazard = Some(Cause::UnsoundGraph);
        }
        loaded
    }

    /// What the interpreter does instead, if printing or dumping this value crashes it or corrupts its memory.
    #[must_use]
    pub fn hazard(&self) -> Option<Cause> {
        self.hazard
    }

    fn root(&self) -> Object {
        self.objects[self.graph.root.at()]
    }

    /// Whether there is no value at all.
    fn is_unsound(&self) -> bool {
        self.hazard == Some(Cause::UnsoundGraph)
    }

    /// The node that an object was made from.
    fn node(&self, object: Object) -> Node {
        self.graph.node(self.origin(object))
    }

    #[inline]
    fn origin(&self, object: Object) -> NodeId {
        NodeId(match (object as usize).checked_sub(self.graph.len()) {
            Some(i) => self.copies[i],
            None => object,
        })
    }

    fn value(&self, object: Object) -> Value<'_> {
        self.graph.value(self.origin(object))
    }

    fn parts(&self, object: Object) -> &[Object] {
        let (start, len) = self.spans[object as usize];
        &self.parts[start as usize..(start + len) as usize]
    }

    fn has(&self, object: Object, bit: u8) -> bool {
        self.bits[object as usize] & bit != 0
    }

    /// The part of a code object that holds a field.
    fn field(&self, code: Object, field: Field) -> Option<Object> {
        self.parts(code).get(place(self.graph.layout, field)?).copied()
    }

    fn payload(&self, object: Object) -> &[u8] {
        self.graph.payload(self.node(object))
    }

    /// Visits all nodes in stream order; containers are finished after their children.
    fn load(&mut self, caches: &mut Caches) {
        let graph = self.graph;
        let mut path: Vec<(NodeId, u32, u32)> = Vec::new();
        let root = graph.node(graph.root);
        if !root.has_edges() {
            self.objects[graph.root.at()] = self.scalar(graph.root, root, caches);
            return;
        }
        self.objects[graph.root.at()] = graph.root.0;
        path.push((graph.root, root.start, root.start + root.len));
        while let Some((container, next, end)) = path.last_mut() {
            if next == end {
                let container = *container;
                path.pop();
                self.finish(container, graph.node(container), caches);
                continue;
            }
            let id = graph.edges[*next as usize];
            *next += 1;
            let node = graph.node(id);
            if node.has_edges() {
                self.objects[id.at()] = id.0;
                path.push((id, node.start, node.start + node.len));
            } else {
                self.objects[id.at()] = self.scalar(id, node, caches);
            }
        }
    }

    /// The object that a node without children becomes.
    #[inline]
    fn scalar(&mut self, id: NodeId, node: Node, caches: &mut Caches) -> Object {
        let graph = self.graph;
        let profile = self.profile;
        match node.code {
            b'r' | b'R' => self.objects[node.start as usize],
            b't' | b'u' | b'a' | b'A' | b'z' | b'Z' if !profile.is_python2() => self.str(id, node, caches),
            b't' => self.intern_new(id.0, caches),
            b'i' => self.int(id.0, Some(i64::from(node.extra.cast_signed())), true, caches),
            b's' if node.len == 0 => {
                let object = self.cached(*caches.empty_bytes.get_or_insert(id.0));
                if profile.is_python2() { self.intern_new(object, caches) } else { object }
            }
            b's' if node.len == 1 && profile.caches_one_byte() => {
                let byte = usize::from(graph.payload(node)[0]);
                self.cached(kept(&mut caches.one_byte, 256, byte, id.0))
            }
            b'I' | b'l' => match graph.value(id) {
                Value::Int64(value) => self.int(id.0, Some(value), profile.caches_int64(), caches),
                Value::Long(long) => self.int(id.0, long.to_i64(), profile.caches_long(), caches),
                _ => id.0,
            },
            _ => id.0,
        }
    }

    /// A `str` of Python 3.
    #[inline]
    fn str(&mut self, id: NodeId, node: Node, caches: &mut Caches) -> Object {
        let bytes = self.graph.payload(node);
        let is_ascii = bytes.is_ascii();
        if is_ascii {
            self.bits[id.at()] |= ASCII;
        }
        let is_latin1 = is_ascii || matches!(node.code, b'a' | b'A' | b'z' | b'Z');
        let interned = matches!(node.code, b't' | b'A' | b'Z');
        let character = match *bytes {
            [] => {
                let empty = self.cached(*caches.empty_str.get_or_insert(id.0));
                self.bits[empty as usize] |= INTERNED;
                return empty;
            }
            [c] if is_latin1 => Some(c),
            [lead @ (0xC2 | 0xC3), tail] if !is_latin1 => Some(lead << 6 | tail & 0x3F),
            _ => None,
        };
        match character {
            Some(c) if interned && self.profile.interns_elsewhere(c) => self.intern_new(id.0, caches),
            Some(c) => {
                let kept = self.cached(kept(&mut caches.latin1, 256, usize::from(c), id.0));
                // The caller has seen to it that the others are interned.
                if !self.profile.interns_elsewhere(c) {
                    self.bits[kept as usize] |= INTERNED;
                }
                kept
            }
            None if interned => self.intern_new(id.0, caches),
            None => id.0,
        }
    }

    fn int(&mut self, id: Object, value: Option<i64>, caching: bool, caches: &mut Caches) -> Object {
        let most = self.profile.largest_small_int();
        let size = usize::try_from(most - LEAST_INT + 1).unwrap_or(0);
        match value.filter(|value| caching && *value <= most).map(|value| usize::try_from(value - LEAST_INT)) {
            Some(Ok(at)) => self.cached(kept(&mut caches.ints, size, at, id)),
            _ => id,
        }
    }

    fn cached(&mut self, kept: Object) -> Object {
        self.bits[kept as usize] |= CACHED;
        kept
    }

    /// Builds a container from the objects that its children became.
    fn finish(&mut self, id: NodeId, node: Node, caches: &mut Caches) {
        let edges = self.graph.edges_of(node);
        let start = self.parts.len();
        let is_dict = matches!(node.code, b'{' | b'}');
        if is_dict {
            for pair in edges[..edges.len().saturating_sub(1)].chunks_exact(2) {
                // 2.7 drops a pair whose value is NULL and reads on.
                let value = self.graph.node(pair[1]);
                if value.code != b'0' && !value.is(bit::CUT) {
                    let pair = [self.objects[pair[0].at()], self.objects[pair[1].at()]];
                    self.parts.extend(pair);
                }
            }
        } else {
            let Loaded { parts, objects, .. } = self;
            parts.extend(edges.iter().map(|e| objects[e.at()]));
        }
        let id = id.0;
        let made = self.parts.len();
        match node.code {
            b'{' | b'}' => equality::drop_duplicate_keys(self, start),
            b'<' | b'>' => equality::drop_duplicate_members(self, start),
            _ => {}
        }
        // A key whose value is NULL is dropped as well.
        let dropped = self.parts.len() < made || is_dict && made - start + 1 < edges.len();
        caches.filename_at_risk |= dropped && caches.filename.is_some();
        self.spans[id as usize] = (index(start), index(self.parts.len() - start));
        match node.code {
            b'(' | b')' if edges.is_empty() => {
                self.objects[id as usize] = self.cached(*caches.empty_tuple.get_or_insert(id));
            }
            b'>' if edges.is_empty() && self.profile.caches_empty_frozenset() => {
                self.objects[id as usize] = self.cached(*caches.empty_frozenset.get_or_insert(id));
            }
            b'<' | b'>' => self.unordered.push(id),
            b'{' if self.profile.is_python2() => self.unordered.push(id),
            b'c' if !node.is(bit::CUT) => self.finish_code(id, caches),
            b'c' if self.profile.shares_filename() => {
                // The reader keeps the name of a code object that was never made, and that nobody owns.
                if let Some(name) = self.field(id, Field::Filename) {
                    caches.filename.get_or_insert(name);
                    caches.filename_at_risk = true;
                }
            }
            _ => {}
        }
    }

    /// The changes that a code object's constructor makes to its parts.
    fn finish_code(&mut self, id: Object, caches: &mut Caches) {
        let layout = self.graph.layout;
        let start = self.spans[id as usize].0 as usize;
        let at = |field| place(layout, field).map(|place| start + place);
        if self.profile.shares_filename()
            && let Some(at) = at(Field::Filename)
        {
            let name = self.parts[at];
            // The reader holds no reference: if the first code object is gone, so may be its name.
            if caches.filename_at_risk {
                self.hazard.get_or_insert(Cause::FilenameFreed);
            }
            match caches.filename {
                Some(first) if self.text(first) == self.text(name) => self.parts[at] = first,
                Some(_) => {}
                None => caches.filename = Some(name),
            }
        }
        let rebuilds = self.profile.rebuilds_code();
        if rebuilds {
            self.intern_all(id, Field::Names, caches);
            self.intern_constants(id, caches);
            self.intern_all(id, Field::Localsplusnames, caches);
        } else {
            for field in [Field::Names, Field::Varnames, Field::Freevars, Field::Cellvars] {
                self.intern_all(id, field, caches);
            }
            self.intern_constants(id, caches);
        }
        if self.profile.interns_code_names() {
            for at in [at(Field::Filename), at(Field::Name), at(Field::Qualname)].into_iter().flatten() {
                self.intern_part(at, caches);
            }
        }
        if rebuilds {
            self.codes.push(id);
            if self.field(id, Field::Code).is_some_and(|code| opcode::is_plain(self.payload(code), self.profile)) {
                self.bits[id as usize] |= PLAIN;
            } else if let Err(cause) = self.shown_code(id) {
                self.hazard.get_or_insert(cause);
            }
        }
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

    /// Counts each object's owners. What was dropped while loading (a value that a duplicate key replaced) owns nothing any
    /// more, unless it is part of a cycle: that stays until a collection, and the caller has switched those off.
    fn count_owners(&mut self) {
        let total = self.graph.len() + self.copies.len();
        let mut owners = vec![0_u32; total];
        for &part in &self.parts {
            owners[part as usize] += 1;
        }
        for &code in &self.codes {
            // The code object keeps a copy of its co_code.
            owners[self.parts(code)[0] as usize] -= 1;
        }
        owners[self.root() as usize] += 1;
        let is_free = |(object, owners): (usize, &u32)| {
            (*owners == 0 && self.objects.get(object).is_none_or(|made| *made as usize == object))
                .then(|| index(object))
        };
        let mut freed: Vec<Object> = owners.iter().enumerate().filter_map(is_free).collect();
        while let Some(object) = freed.pop() {
            let has_own_code = self.profile.rebuilds_code() && self.node(object).code == b'c';
            for &part in self.parts(object).iter().skip(usize::from(has_own_code)) {
                owners[part as usize] -= 1;
                if owners[part as usize] == 0 {
                    freed.push(part);
                }
            }
        }
        for (bits, owners) in self.bits.iter_mut().zip(&owners) {
            if *owners != 1 {
                *bits |= SHARED;
            }
        }
        self.owners = owners;
    }

    /// Whether the writer sees more than one owner.
    fn is_shared(&self, object: Object) -> bool {
        self.bits[object as usize] & (SHARED | CACHED | INTERNED) != 0
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
