//! Makes the objects of a graph's nodes, in the order in which the interpreter makes them, and counts who owns them.

use super::table::Table;
use super::{ASCII, Around, CACHED, FINISHED, INTERNED, Loaded, NONE, Object, PLAIN, SHRUNK, equality, intern};
use crate::aftermath::is_kept_pair;
use crate::code::{Field, place};
use crate::error::Cause;
use crate::graph::{Node, NodeId, Value, bit, index, pairs};
use crate::opcode;
use crate::prelude::*;
use crate::text;
use alloc::collections::{BTreeMap, BTreeSet};
use core::ops::Range;

/// What loading needs and what is of no use after it, but for its memory.
#[derive(Default)]
pub(super) struct Making {
    caches: Caches,
    path: Vec<Visit>,
}

/// The objects that the interpreter keeps, as far as they were met.
#[derive(Default)]
pub(super) struct Caches {
    /// The small ints, from the least one; up to the largest that there was.
    ints: Vec<Object>,
    /// The one-character strings and bytes objects.
    latin1: Vec<Object>,
    one_byte: Vec<Object>,
    empty: Empty,
    pub(super) interned: Table,
    /// The path of a walk through constants, kept for its memory.
    pub(super) path: Vec<intern::Visit>,
    /// The constants that a free-threaded build keeps, by what makes them equal; and what it has in the place of others.
    pub(super) constants: BTreeMap<Vec<u8>, Kept>,
    pub(super) replaced: BTreeMap<Object, Object>,
    /// The tuples among one code object's constants that stay.
    pub(super) staying: BTreeSet<Object>,
    /// 3.6: the file name that later code objects get, and whether the reader's pointer to it may be stale.
    filename: Option<Object>,
    filename_at_risk: bool,
}

/// A constant that a free-threaded build keeps.
pub(super) struct Kept {
    pub(super) object: Object,
    /// Whether it was rebuilt, which decides about the order of a frozenset's hash table.
    pub(super) is_rebuilt: bool,
}

/// The empty objects that there is only one of.
#[derive(Default)]
struct Empty {
    bytes: Option<Object>,
    str: Option<Object>,
    tuple: Option<Object>,
    frozenset: Option<Object>,
}

impl Caches {
    /// Forgets all objects, and makes ready for so many interned strings.
    fn begin(&mut self, interned: usize) {
        let Caches { ints, latin1, one_byte, empty, interned: table, path: _, .. } = self;
        let Caches { constants, replaced, filename, filename_at_risk, .. } = self;
        for cache in [ints, latin1, one_byte] {
            cache.clear();
        }
        table.begin(interned);
        (*empty, *filename, *filename_at_risk) = (Empty::default(), None, false);
        // These are cheaper to look at than to clear, and hardly ever used.
        if !constants.is_empty() || !replaced.is_empty() {
            constants.clear();
            replaced.clear();
        }
    }
}

/// What a cache holds at a place; an object takes an empty one.
fn kept(cache: &mut Vec<Object>, at: usize, object: Object) -> Object {
    if cache.len() <= at {
        cache.resize(at + 1, NONE);
    }
    if cache[at] == NONE {
        cache[at] = object;
    }
    cache[at]
}

/// The least int that interpreters keep.
const LEAST_INT: i64 = -5;

/// For each type byte: how long the payload of an object is at least that needs no closer look.
static SIMPLE: [u32; 256] = {
    let mut table = [u32::MAX; 256];
    let mut i = 0;
    while i < b"NTF.Sgyr".len() {
        table[b"NTF.Sgyr"[i] as usize] = 0;
        i += 1;
    }
    // Shorter ones may be cached.
    table[b's' as usize] = 2;
    table
};

/// Whether a dict's last node is a NULL that nothing was cut short for; no object is made of it.
fn is_end(node: Node) -> bool {
    node.code == b'0'
}

/// A container whose parts are being made: the edges that are left.
struct Visit {
    container: NodeId,
    next: usize,
    end: usize,
}

impl Loaded<'_, '_> {
    /// Visits all nodes in stream order; containers are finished after their children.
    pub(super) fn load(&mut self, making: &mut Making) {
        let graph = self.graph;
        let Making { caches, path } = making;
        // In code, one of eight nodes is a name.
        caches.begin(graph.len() / 8);
        // The call that loads is an owner of the root.
        let root = self.begin(graph.root, caches, path);
        self.owners[root as usize] += 1;
        while let Some(visit) = path.last_mut() {
            visit.next = self.simple(visit.next, visit.end);
            if visit.next < visit.end {
                let place = visit.next;
                visit.next += 1;
                let object = self.begin(graph.edges[place], caches, path);
                self.parts[place] = object;
                self.owners[object as usize] += 1;
            } else {
                let container = visit.container;
                path.pop();
                self.finish(container, graph.node(container), caches);
            }
        }
        if self.garbage {
            self.free_garbage();
        }
    }

    /// Makes the object of a node; of a container, its parts come next.
    #[inline]
    fn begin(&mut self, id: NodeId, caches: &mut Caches, path: &mut Vec<Visit>) -> Object {
        let node = self.graph.node(id);
        if !node.has_edges() {
            let object = self.scalar(id, node, caches);
            self.objects[id.at()] = object;
            return object;
        }
        self.objects[id.at()] = id.0;
        if node.len == 0 {
            self.finish(id, node, caches);
        } else {
            let Range { start, end } = node.range();
            let ended = matches!(node.code, b'{' | b'}') && is_end(self.graph.node(self.graph.edges[end - 1]));
            path.push(Visit { container: id, next: start, end: end - usize::from(ended) });
        }
        self.objects[id.at()]
    }

    /// Makes the objects of nodes that need no closer look: references, and what is always an object of its own. Returns
    /// where these edges end.
    #[inline]
    fn simple(&mut self, first: usize, end: usize) -> usize {
        let Loaded { graph, objects, owners, parts, .. } = self;
        let edges = graph.edges[first..end].iter().zip(&mut parts[first..end]);
        let mut done = first;
        for (&id, part) in edges {
            let Some(node) = graph.nodes.get(id.at()) else { break };
            if node.len < SIMPLE[usize::from(node.code)] {
                break;
            }
            // Which of the two it is cannot be foreseen, so there is no branch.
            objects[id.at()] = id.0;
            let object = objects[if node.code == b'r' { node.start as usize } else { id.at() }];
            owners[object as usize] += 1;
            *part = object;
            done += 1;
        }
        done
    }

    /// The object that a node without children becomes.
    #[inline]
    fn scalar(&mut self, id: NodeId, node: Node, caches: &mut Caches) -> Object {
        let graph = self.graph;
        let profile = self.profile;
        match node.code {
            b'r' | b'R' => self.objects[node.start as usize],
            b't' | b'u' | b'a' | b'A' | b'z' | b'Z' if !profile.is_python2() => self.str(id, node, caches),
            b't' if self.around != Around::CallerOfUntyped => self.intern_new(id.0, caches),
            b'i' => self.int(id.0, Some(i64::from(node.extra.cast_signed())), true, caches),
            b's' | b't' if node.len == 0 => {
                let object = self.cached(*caches.empty.bytes.get_or_insert(id.0));
                if profile.is_python2() { self.intern_new(object, caches) } else { object }
            }
            b's' if node.len == 1 && profile.caches_one_byte() => {
                let byte = usize::from(graph.payload(node)[0]);
                self.cached(kept(&mut caches.one_byte, byte, id.0))
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
        let is_ascii = text::is_ascii(bytes);
        if is_ascii {
            self.bits[id.at()] |= ASCII;
        }
        let is_latin1 = is_ascii || matches!(node.code, b'a' | b'A' | b'z' | b'Z');
        let interned = matches!(node.code, b't' | b'A' | b'Z') && self.around != Around::CallerOfUntyped;
        let character = match *bytes {
            [] => {
                let empty = self.cached(*caches.empty.str.get_or_insert(id.0));
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
                let kept = self.cached(kept(&mut caches.latin1, usize::from(c), id.0));
                // The caller has seen to it that the others are interned; since 3.13 the interpreter does.
                let is_arranged = self.around != Around::NewProcess || self.profile.interns_characters();
                if is_arranged && !self.profile.interns_elsewhere(c) {
                    self.bits[kept as usize] |= INTERNED;
                } else if interned {
                    return self.intern_new(kept, caches);
                }
                kept
            }
            None if interned => self.intern_new(id.0, caches),
            None => id.0,
        }
    }

    fn int(&mut self, id: Object, value: Option<i64>, caching: bool, caches: &mut Caches) -> Object {
        let most = self.profile.largest_small_int();
        match value.filter(|value| caching && *value <= most).map(|value| usize::try_from(value - LEAST_INT)) {
            Some(Ok(at)) => self.cached(kept(&mut caches.ints, at, id)),
            _ => id,
        }
    }

    fn cached(&mut self, kept: Object) -> Object {
        self.bits[kept as usize] |= CACHED;
        kept
    }

    /// Finishes a container whose parts are made.
    fn finish(&mut self, id: NodeId, node: Node, caches: &mut Caches) {
        let object = id.0;
        self.bits[id.at()] |= FINISHED;
        // What NULL has cut short is nobody's.
        self.garbage |= node.is(bit::CUT);
        match node.code {
            b'(' | b')' if node.len == 0 => {
                self.objects[id.at()] = self.cached(*caches.empty.tuple.get_or_insert(object));
            }
            b'>' if node.len == 0 && self.profile.caches_empty_frozenset() => {
                self.objects[id.at()] = self.cached(*caches.empty.frozenset.get_or_insert(object));
            }
            b'<' | b'>' => {
                let end = equality::drop_duplicate_members(self, node.range());
                self.shrink(object, node.range().end, end, caches);
                self.unordered.push(object);
            }
            b'{' | b'}' => {
                let Node { start, len, .. } = node;
                let all = self.drop_null_pairs(node);
                let end = equality::drop_duplicate_keys(self, all);
                // The NULL at the end is no part.
                self.shrink(object, (start + len.saturating_sub(1)) as usize, end, caches);
                if node.code == b'{' && self.profile.is_python2() {
                    self.unordered.push(object);
                }
            }
            b'c' if !node.is(bit::CUT) => self.finish_code(object, caches),
            b'c' if self.profile.shares_filename() => {
                // The reader keeps the name of a code object that was never made, and that nobody owns.
                if let Some(name) = self.field(object, Field::Filename) {
                    caches.filename.get_or_insert(name);
                    caches.filename_at_risk = true;
                }
            }
            _ => {}
        }
    }

    /// The parts of a container end before `full`, where they would end if none was dropped.
    fn shrink(&mut self, object: Object, full: usize, end: usize, caches: &mut Caches) {
        if end < full {
            let Range { start, end: last } = self.graph.node(NodeId(object)).range();
            self.bits[object as usize] |= SHRUNK;
            self.parts[last - 1] = index(end - start);
            caches.filename_at_risk |= caches.filename.is_some();
        }
    }

    /// Moves the keys and values of a dict together, without what NULL ends. Returns where they are.
    fn drop_null_pairs(&mut self, node: Node) -> Range<usize> {
        let graph = self.graph;
        let edges = graph.edges_of(node);
        let all = pairs(edges);
        let start = node.start as usize;
        for (at, id) in edges.iter().enumerate().skip(all.len()) {
            if !is_end(graph.node(*id)) {
                self.disown(self.parts[start + at]);
            }
        }
        let is_kept = |pair: &[NodeId]| is_kept_pair(graph, pair);
        if all.chunks_exact(2).all(is_kept) {
            return start..start + all.len();
        }
        let mut end = start;
        for (place, pair) in all.chunks_exact(2).enumerate() {
            let from = start + 2 * place;
            if is_kept(pair) {
                self.parts.copy_within(from..from + 2, end);
                end += 2;
            } else {
                self.disown(self.parts[from]);
                self.disown(self.parts[from + 1]);
            }
        }
        start..end
    }

    /// A reference to an object is gone.
    pub(super) fn disown(&mut self, object: Object) {
        self.owners[object as usize] -= 1;
        self.garbage = true;
    }

    /// Puts another object in the place of a part.
    pub(super) fn replace_part(&mut self, at: usize, object: Object) {
        let old = core::mem::replace(&mut self.parts[at], object);
        if old != object {
            self.owners[object as usize] += 1;
            self.disown(old);
        }
    }

    /// The changes that a code object's constructor makes to its parts.
    fn finish_code(&mut self, id: Object, caches: &mut Caches) {
        let layout = self.graph.layout;
        let start = self.span(id).start;
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
                Some(first) if self.text(first) == self.text(name) => self.replace_part(at, first),
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
        if self.profile.free_threaded {
            self.bits[id as usize] |= CACHED;
        }
        if rebuilds {
            let Some(code) = self.field(id, Field::Code) else { return };
            // The code object keeps a copy of its co_code.
            self.owners[code as usize] -= 1;
            if opcode::is_plain(self.payload(code), self.profile) {
                self.bits[id as usize] |= PLAIN;
            } else if let Err(cause) = self.shown_code(id) {
                self.hazard.get_or_insert(cause);
            }
        }
    }

    /// Takes away what is owned only by objects that nobody owns: what was dropped while loading (a value that a duplicate
    /// key replaced) owns nothing any more, unless it is part of a cycle: that stays until a collection, and the caller has
    /// switched those off. What the interpreter keeps anyway is kept.
    fn free_garbage(&mut self) {
        let is_free = |(object, owners): (usize, &u32)| {
            (*owners == 0 && self.objects.get(object).is_none_or(|made| *made as usize == object))
                .then(|| index(object))
        };
        let mut freed: Vec<Object> = self.owners.iter().enumerate().filter_map(is_free).collect();
        while let Some(object) = freed.pop() {
            if self.has(object, CACHED) {
                continue;
            }
            let has_own_code = self.profile.rebuilds_code() && self.node(object).code == b'c';
            for at in self.span(object).skip(usize::from(has_own_code)) {
                let part = self.parts[at] as usize;
                self.owners[part] -= 1;
                if self.owners[part] == 0 {
                    freed.push(self.parts[at]);
                }
            }
        }
    }
}
