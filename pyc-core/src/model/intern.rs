//! Interning: one object for one text, where types and code objects ask for it.

use super::load::{Caches, Kept};
use super::{ASCII, Around, Aspect, CACHED, CopyOf, FINISHED, FRESH, INTERNED, Loaded, NONE, Object, WALKED, equality};
use crate::code::Field;
use crate::graph::index;
use crate::prelude::*;

/// A container on the way from a code object's constants to a string.
pub(super) struct Visit {
    object: Object,
    /// Where its items are.
    start: usize,
    /// Items still to be looked at; the last one first.
    left: usize,
    /// For what is rebuilt: its members so far, once one of them has been replaced.
    members: Option<Vec<Object>>,
}

impl Loaded<'_, '_> {
    /// The interned object with the text of a string that has just been made and that nobody else holds yet.
    pub(super) fn intern_new(&mut self, object: Object, caches: &mut Caches) -> Object {
        let key = self.text(object);
        let hash = caches.interned.hash(&key);
        let interned = caches.interned.find_or_add(hash, object, |other| self.text(other) == key);
        self.bits[interned as usize] |= INTERNED;
        interned
    }

    /// The interned object with this object's text. If a caller keeps the value of a first load, an equal string was interned
    /// there, so it is another object unless this one is interned already.
    fn intern(&mut self, object: Object, caches: &mut Caches) -> Object {
        if self.has(object, INTERNED) {
            return object;
        }
        let key = self.text(object);
        let hash = caches.interned.hash(&key);
        match caches.interned.find(hash, |other| self.text(other) == key) {
            Ok(interned) => interned,
            Err(place) => {
                let interned = if self.around == Around::NewProcess { object } else { self.copy(object, &[]) };
                self.bits[interned as usize] |= INTERNED | self.bits[object as usize] & ASCII;
                caches.interned.add(place, hash, interned);
                interned
            }
        }
    }

    /// Interns one part of an object, in place.
    #[inline]
    pub(super) fn intern_part(&mut self, at: usize, caches: &mut Caches) {
        let part = self.parts[at];
        if !self.has(part, INTERNED) {
            let interned = self.intern(part, caches);
            self.replace_part(at, interned);
        }
    }

    /// Interns all items of the tuple of names that is a code object's field, in place.
    pub(super) fn intern_all(&mut self, code: Object, field: Field, caches: &mut Caches) {
        let Some(names) = self.field(code, field) else { return };
        for at in self.span(names) {
            self.intern_part(at, caches);
        }
    }

    /// Interns the strings among a code object's constants that look like names: last item first, tuples in place;
    /// a frozenset with a replaced member is rebuilt (`Objects/codeobject.c`, `intern_constants`). A free-threaded build
    /// interns the other constants as well.
    pub(super) fn intern_constants(&mut self, code: Object, caches: &mut Caches) {
        let Some(consts) = self.field(code, Field::Consts) else { return };
        if self.profile.free_threaded {
            self.walk_constants::<true>(consts, caches);
        } else {
            self.walk_constants::<false>(consts, caches);
        }
    }

    fn walk_constants<const INTERNS_ALL: bool>(&mut self, consts: Object, caches: &mut Caches) {
        let mut path = core::mem::take(&mut caches.path);
        // The names of another code object may have been interned meanwhile, in a tuple that is a constant of this one.
        caches.staying.clear();
        if INTERNS_ALL {
            self.visit(consts, &mut path);
        } else {
            self.enter(consts, &mut path);
        }
        while let Some(visit) = path.last_mut() {
            let rest = &self.parts[visit.start..visit.start + visit.left];
            let is_touched =
                |item: &Object| if INTERNS_ALL { self.is_interned_later(*item) } else { self.is_touched(*item) };
            let Some(place) = rest.iter().rposition(is_touched) else {
                let object = visit.object;
                let members = visit.members.take();
                path.pop();
                let mut now = members.map_or(object, |members| self.rebuild(object, &members));
                if INTERNS_ALL && !path.is_empty() {
                    now = self.intern_constant(now, caches);
                    if self.has(now, CACHED) {
                        caches.replaced.insert(object, now);
                    } else if now == object {
                        caches.staying.insert(object);
                    }
                }
                if now != object {
                    self.put(&mut path, now);
                }
                continue;
            };
            visit.left = place;
            let item = rest[place];
            let now = match self.node(item).code {
                b'(' | b')' | b'>' | b':' => match caches.replaced.get(&item).or(caches.staying.get(&item)) {
                    Some(now) => *now,
                    None => {
                        self.enter(item, &mut path);
                        continue;
                    }
                },
                b's' if INTERNS_ALL => self.intern_constant(item, caches),
                b's' | b't' | b'u' | b'a' | b'A' | b'z' | b'Z' => self.intern(item, caches),
                _ => self.intern_constant(item, caches),
            };
            if now != item {
                self.put(&mut path, now);
            }
        }
        caches.path = path;
    }

    /// Whether a constant is a string that is interned now, or may hold one.
    #[inline]
    fn is_touched(&self, item: Object) -> bool {
        let bits = self.bits[item as usize];
        if bits & (INTERNED | WALKED) != 0 {
            return false;
        }
        let node = self.node(item);
        match node.code {
            b'(' | b')' | b'>' => true,
            b's' | b't' if self.profile.is_python2() => is_name(self.graph.payload(node)),
            b't' | b'u' | b'a' | b'A' | b'z' | b'Z' => bits & ASCII != 0 && is_name(self.graph.payload(node)),
            _ => false,
        }
    }

    /// As [`Loaded::is_touched`], in a free-threaded build.
    fn is_interned_later(&self, item: Object) -> bool {
        if self.has(item, CACHED | INTERNED) {
            return false;
        }
        match self.node(item).code {
            b'(' | b')' | b'>' | b':' | b'i' | b'I' | b'l' | b'f' | b'g' | b'x' | b'y' | b's' => true,
            b't' | b'u' | b'a' | b'A' | b'z' | b'Z' => self.profile.interns_all_strings() || self.is_touched(item),
            _ => false,
        }
    }

    /// What a free-threaded build has in the place of a constant that is no string: one immortal object for all that are
    /// equal, of one type and with the same items, unless they hold something that is not immortal. Mostly it is an object
    /// that another load has made, of the value that the caller keeps. But the hash of a NaN is its address, so none is
    /// found for what holds one.
    fn intern_constant(&mut self, object: Object, caches: &mut Caches) -> Object {
        let parts = self.parts(object).to_vec();
        if !parts.iter().all(|part| self.is_immortal(*part)) {
            return object;
        }
        let code = self.node(object).code;
        let content = match code {
            b'(' | b')' | b'>' | b':' => {
                let mut items: Vec<Object> = self.identities(&parts).collect();
                if code == b'>' {
                    items.sort_unstable();
                }
                let tag = if code == b')' { b'(' } else { code };
                Some(core::iter::once(tag).chain(items.into_iter().flat_map(u32::to_le_bytes)).collect())
            }
            _ => equality::constant_content(self.value(object), false),
        };
        let is_fresh = content.is_none() || parts.iter().any(|part| self.has(*part, FRESH));
        let is_rebuilt = object as usize >= self.graph.len();
        if let Some(kept) = content.as_ref().and_then(|content| caches.constants.get(content)) {
            // Members are compared in the order of the hash tables, which is the same after the same history.
            let same = self.identities(self.parts(kept.object)).eq(self.identities(&parts));
            if code == b'>' && parts.len() > 1 && !(same && kept.is_rebuilt == is_rebuilt) {
                self.varies = Some(Aspect::KeptFrozensets);
            }
            return kept.object;
        }
        let kept = if is_fresh || is_rebuilt { object } else { self.rebuild(object, &parts) };
        self.bits[kept as usize] |= if is_fresh { CACHED | FRESH } else { CACHED };
        caches.constants.extend(content.map(|content| (content, Kept { object: kept, is_rebuilt })));
        kept
    }

    /// Objects by their numbers; of a singleton, each node is one here, but not in the interpreter.
    fn identities(&self, objects: &[Object]) -> impl Iterator<Item = Object> {
        objects.iter().map(|object| match self.node(*object).code {
            code @ (b'N' | b'T' | b'F' | b'.' | b'S') => NONE - u32::from(code),
            _ => *object,
        })
    }

    /// Whether no reference to an object is counted in a free-threaded build, code objects aside.
    pub(super) fn is_immortal(&self, object: Object) -> bool {
        match self.node(object).code {
            b'N' | b'T' | b'F' | b'.' | b'S' => true,
            code => code != b'c' && self.has(object, CACHED | INTERNED),
        }
    }

    fn enter(&mut self, object: Object, path: &mut Vec<Visit>) {
        if !is_rebuilt(self.node(object).code) {
            self.bits[object as usize] |= WALKED;
        }
        self.visit(object, path);
    }

    fn visit(&self, object: Object, path: &mut Vec<Visit>) {
        let parts = self.span(object);
        path.push(Visit { object, start: parts.start, left: parts.len(), members: None });
    }

    /// Puts an object in the place that the innermost visited container is at.
    fn put(&mut self, path: &mut [Visit], object: Object) {
        let Some(visit) = path.last_mut() else { return };
        let range = visit.start..self.span(visit.object).end;
        if is_rebuilt(self.node(visit.object).code) {
            visit.members.get_or_insert_with(|| self.parts[range].to_vec())[visit.left] = object;
        } else {
            self.replace_part(visit.start + visit.left, object);
        }
    }

    /// A constant like another one, with these parts.
    fn rebuild(&mut self, original: Object, parts: &[Object]) -> Object {
        let rebuilt = self.copy(original, parts);
        if self.node(original).code == b'>' {
            self.unordered.push(rebuilt);
        }
        rebuilt
    }

    /// A new object like another one, with these parts.
    fn copy(&mut self, original: Object, parts: &[Object]) -> Object {
        let object = index(self.graph.len() + self.copies.len());
        let start = self.parts.len();
        self.parts.extend_from_slice(parts);
        self.copies.push(CopyOf { origin: self.origin(original).0, parts: start..self.parts.len() });
        self.bits.push(FINISHED);
        self.owners.push(0);
        parts.iter().for_each(|part| self.owners[*part as usize] += 1);
        object
    }
}

/// Whether a constant is not changed in place.
fn is_rebuilt(code: u8) -> bool {
    matches!(code, b'>' | b':')
}

fn is_name(text: &[u8]) -> bool {
    text.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
}
