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
mod equality;
mod intern;
mod loss;

pub use dump::{Aspect, Dump};
pub use loss::Loss;

use crate::code::{CodeInts, Field, fields, flag};
use crate::error::Cause;
use crate::graph::{Graph, Node, NodeId, Value, bit, index};
use crate::opcode;
use crate::profile::{CodeLayout, Profile};
use std::borrow::Cow;
use std::collections::HashMap;

/// An object of the interpreter: the number of the node that it was made from.
pub(crate) type Object = u32;

/// The object is one that the interpreter keeps anyway (a small int, the empty tuple): it never has a single owner.
const CACHED: u8 = 1;
/// The object is an interned string.
const INTERNED: u8 = 2;
/// A tuple whose strings were interned by a code object.
const WALKED: u8 = 4;

/// The objects that an interpreter makes of a graph.
pub struct Loaded<'g, 'a> {
    graph: &'g Graph<'a>,
    profile: &'g Profile,
    /// For each node: the object that it came to.
    objects: Vec<Object>,
    /// For each object: CACHED, INTERNED, WALKED.
    bits: Vec<u8>,
    /// For each container: its parts in `parts`, as start and length. Duplicates are gone, NULL is gone.
    spans: Vec<(u32, u32)>,
    parts: Vec<Object>,
    /// For objects that code objects make (interned strings, rebuilt frozensets): the node of the original. Their numbers
    /// follow those of the nodes.
    copies: Vec<u32>,
    /// Sets and frozensets (2.7: dicts too), inner ones before outer ones.
    unordered: Vec<Object>,
    /// For each object: how many references to it are held by objects that are alive, and by the caller for the root.
    owners: Vec<u32>,
    hazard: Option<Cause>,
}

/// The tables that loading needs and that are dropped after it.
#[derive(Default)]
struct Caches<'g> {
    ints: HashMap<i64, Object>,
    latin1: HashMap<u8, Object>,
    one_byte: HashMap<u8, Object>,
    empty: HashMap<u8, Object>,
    interned: HashMap<Cow<'g, [u8]>, Object>,
    /// 3.6: the file name that later code objects get, and whether the reader's pointer to it may be stale.
    filename: Option<Object>,
    filename_at_risk: bool,
}

impl<'g, 'a> Loaded<'g, 'a> {
    /// Loads a graph that was read under this profile.
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
            owners: Vec::new(),
            hazard: None,
        };
        loaded.load(&mut Caches::default());
        loaded.count_owners();
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

    /// The node that an object was made from.
    fn node(&self, object: Object) -> Node {
        self.graph.node(self.origin(object))
    }

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
        fields(self.graph.layout).iter().position(|f| *f == field).and_then(|i| self.parts(code).get(i)).copied()
    }

    fn payload(&self, object: Object) -> &[u8] {
        self.graph.payload(self.node(object))
    }

    /// Visits all nodes in stream order; containers are finished after their children.
    fn load(&mut self, caches: &mut Caches<'g>) {
        let mut path: Vec<(NodeId, usize)> = Vec::new();
        let mut next = Some(self.graph.root);
        loop {
            if let Some(id) = next {
                let node = self.graph.node(id);
                if node.has_edges() {
                    self.objects[id.at()] = id.0;
                    path.push((id, 0));
                } else {
                    self.objects[id.at()] = self.scalar(id, node, caches);
                }
            }
            let Some((id, place)) = path.last_mut() else { return };
            let node = self.graph.node(*id);
            next = self.graph.edges_of(node).get(*place).copied();
            *place += 1;
            if next.is_none() {
                let id = *id;
                path.pop();
                self.finish(id, node, caches);
            }
        }
    }

    /// The object that a node without children becomes.
    fn scalar(&mut self, id: NodeId, node: Node, caches: &mut Caches<'g>) -> Object {
        let graph = self.graph;
        let profile = self.profile;
        match graph.value(id) {
            Value::Ref(target) => self.objects[target.at()],
            Value::Int(value) => self.int(id.0, Some(i64::from(value)), true, caches),
            Value::Int64(value) => self.int(id.0, Some(value), profile.caches_int64(), caches),
            Value::Long(long) => self.int(id.0, long.to_i64(), profile.caches_long(), caches),
            Value::Bytes([]) => {
                let object = self.cached(*caches.empty.entry(b's').or_insert(id.0));
                if profile.is_python2() { self.intern_new(object, caches) } else { object }
            }
            Value::Bytes([byte]) if profile.caches_one_byte() => {
                self.cached(*caches.one_byte.entry(*byte).or_insert(id.0))
            }
            Value::InternedBytes(_) => self.intern_new(id.0, caches),
            Value::Str(text) if !profile.is_python2() => {
                let mut characters = text.code_points();
                let kept = match (characters.next(), characters.next()) {
                    (None, _) => Some(caches.empty.entry(b'u')),
                    (Some(c), None) => match u8::try_from(c) {
                        Ok(c) if text.interned && profile.interns_elsewhere(c) => None,
                        Ok(c) => Some(caches.latin1.entry(c)),
                        Err(_) => None,
                    },
                    _ => None,
                };
                match kept {
                    Some(kept) => {
                        let elsewhere = !text.bytes.is_empty() && profile.interns_elsewhere(*kept.key());
                        let kept = *kept.or_insert(id.0);
                        // The caller has seen to it that the others are interned.
                        if !elsewhere {
                            self.bits[kept as usize] |= INTERNED;
                        }
                        self.cached(kept)
                    }
                    None if text.interned => self.intern_new(id.0, caches),
                    None => id.0,
                }
            }
            _ => {
                debug_assert!(!node.has_edges());
                id.0
            }
        }
    }

    fn int(&mut self, id: Object, value: Option<i64>, caching: bool, caches: &mut Caches) -> Object {
        match value {
            Some(value) if caching && (-5..=self.profile.largest_small_int()).contains(&value) => {
                self.cached(*caches.ints.entry(value).or_insert(id))
            }
            _ => id,
        }
    }

    fn cached(&mut self, kept: Object) -> Object {
        self.bits[kept as usize] |= CACHED;
        kept
    }

    /// Builds a container from the objects that its children became.
    fn finish(&mut self, id: NodeId, node: Node, caches: &mut Caches<'g>) {
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
            self.parts.extend(edges.iter().map(|e| self.objects[e.at()]));
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
            b'(' | b')' if edges.is_empty() => self.objects[id as usize] = self.empty(id, b'(', caches),
            b'>' if edges.is_empty() && self.profile.caches_empty_frozenset() => {
                self.objects[id as usize] = self.empty(id, b'>', caches);
            }
            b'<' | b'>' => self.unordered.push(id),
            b'{' if self.profile.is_python2() => self.unordered.push(id),
            b'c' if !node.is(bit::CUT) => self.finish_code(id, caches),
            _ => {}
        }
    }

    fn empty(&mut self, id: Object, kind: u8, caches: &mut Caches) -> Object {
        self.cached(*caches.empty.entry(kind).or_insert(id))
    }

    /// The changes that a code object's constructor makes to its parts.
    fn finish_code(&mut self, id: Object, caches: &mut Caches<'g>) {
        let start = self.spans[id as usize].0 as usize;
        let place = |field| fields(self.graph.layout).iter().position(|f| *f == field).map(|i| start + i);
        let filename = place(Field::Filename);
        let own_names = [filename, place(Field::Name), place(Field::Qualname)];
        if self.profile.shares_filename()
            && let Some(at) = filename
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
        let (consts_first, names): (bool, &[Field]) = match self.graph.layout {
            CodeLayout::Python311 => (true, &[Field::Names, Field::Localsplusnames]),
            _ => (false, &[Field::Names, Field::Varnames, Field::Freevars, Field::Cellvars]),
        };
        for (i, &field) in names.iter().enumerate() {
            if consts_first && i == 1 {
                self.intern_constants(id, caches);
            }
            if let Some(names) = self.field(id, field) {
                self.intern_all(names, caches);
            }
        }
        if !consts_first {
            self.intern_constants(id, caches);
        }
        if self.profile.interns_code_names() {
            for at in own_names.into_iter().flatten() {
                self.intern_part(at, caches);
            }
        }
        if let Err(cause) = self.shown_code(id) {
            self.hazard.get_or_insert(cause);
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
        let made = |object: usize| self.objects.get(object).is_none_or(|made| *made as usize == object);
        let owned = |object: Object| {
            // The code object keeps a copy of its co_code.
            let skip = usize::from(self.node(object).code == b'c' && self.profile.rebuilds_code());
            self.parts(object).iter().skip(skip)
        };
        for object in (0..total).filter(|object| made(*object)) {
            owned(index(object)).for_each(|part| owners[*part as usize] += 1);
        }
        owners[self.root() as usize] += 1;
        let mut freed: Vec<Object> = (0..total).filter(|o| owners[*o] == 0 && made(*o)).map(index).collect();
        while let Some(object) = freed.pop() {
            for &part in owned(object) {
                owners[part as usize] -= 1;
                if owners[part as usize] == 0 {
                    freed.push(part);
                }
            }
        }
        self.owners = owners;
    }

    /// A string's characters as UTF-8 with surrogates; bytes as they are.
    fn text(&self, object: Object) -> Cow<'_, [u8]> {
        match self.value(object) {
            Value::Str(text) if text.latin1 && !text.is_ascii() => Cow::Owned(text.to_string_lossy().into_bytes()),
            _ => Cow::Borrowed(self.payload(object)),
        }
    }
}
