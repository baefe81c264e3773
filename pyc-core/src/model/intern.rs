//! Interning: one object for one text, where types and code objects ask for it.

use super::load::Caches;
use super::{ASCII, CopyOf, FINISHED, INTERNED, Loaded, Object, WALKED};
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
    /// For a frozenset: its members so far, once one of them has been replaced.
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

    /// The interned object with this object's text. It is another object unless this one is interned already, because an
    /// equal string was interned before: in the value that the caller keeps.
    fn intern(&mut self, object: Object, caches: &mut Caches) -> Object {
        if self.has(object, INTERNED) {
            return object;
        }
        let key = self.text(object);
        let hash = caches.interned.hash(&key);
        match caches.interned.find(hash, |other| self.text(other) == key) {
            Ok(interned) => interned,
            Err(place) => {
                let interned = self.copy(object, &[]);
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
    /// a frozenset with a replaced member is rebuilt (`Objects/codeobject.c`, `intern_constants`).
    pub(super) fn intern_constants(&mut self, code: Object, caches: &mut Caches) {
        let Some(consts) = self.field(code, Field::Consts) else { return };
        let mut path = core::mem::take(&mut caches.path);
        self.enter(consts, &mut path);
        while let Some(visit) = path.last_mut() {
            let rest = &self.parts[visit.start..visit.start + visit.left];
            let Some(place) = rest.iter().rposition(|item| self.is_touched(*item)) else {
                let Visit { object, members, .. } = visit;
                let rebuilt = members.take().map(|members| self.copy(*object, &members));
                path.pop();
                if let Some(rebuilt) = rebuilt {
                    self.unordered.push(rebuilt);
                    self.put(&mut path, rebuilt);
                }
                continue;
            };
            visit.left = place;
            let item = rest[place];
            if matches!(self.node(item).code, b'(' | b')' | b'>') {
                self.enter(item, &mut path);
            } else {
                let interned = self.intern(item, caches);
                if interned != item {
                    self.put(&mut path, interned);
                }
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
            b's' => self.profile.is_python2() && is_name(self.graph.payload(node)),
            b't' | b'u' | b'a' | b'A' | b'z' | b'Z' => bits & ASCII != 0 && is_name(self.graph.payload(node)),
            _ => false,
        }
    }

    fn enter(&mut self, object: Object, path: &mut Vec<Visit>) {
        if self.node(object).code != b'>' {
            self.bits[object as usize] |= WALKED;
        }
        let parts = self.span(object);
        path.push(Visit { object, start: parts.start, left: parts.len(), members: None });
    }

    /// Puts an object in the place that the innermost visited container is at.
    fn put(&mut self, path: &mut [Visit], object: Object) {
        let Some(visit) = path.last_mut() else { return };
        let range = visit.start..self.span(visit.object).end;
        if self.node(visit.object).code == b'>' {
            visit.members.get_or_insert_with(|| self.parts[range].to_vec())[visit.left] = object;
        } else {
            self.replace_part(visit.start + visit.left, object);
        }
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

fn is_name(text: &[u8]) -> bool {
    text.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
}
