//! Interning: one object for one text, where types and code objects ask for it.

use super::{ASCII, Caches, INTERNED, Loaded, Object, WALKED};
use crate::code::Field;
use crate::graph::index;
use crate::prelude::*;

/// A container on the way from a code object's constants to a string.
pub(super) struct Visit {
    object: Object,
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
    pub(super) fn intern_part(&mut self, at: usize, caches: &mut Caches) {
        self.parts[at] = self.intern(self.parts[at], caches);
    }

    /// Interns all items of the tuple of names that is a code object's field, in place.
    pub(super) fn intern_all(&mut self, code: Object, field: Field, caches: &mut Caches) {
        let Some(names) = self.field(code, field) else { return };
        let (start, len) = self.spans[names as usize];
        for at in start as usize..(start + len) as usize {
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
            let object = visit.object;
            if visit.left == 0 {
                let members = visit.members.take();
                path.pop();
                if let Some(members) = members {
                    let rebuilt = self.copy(object, &members);
                    self.unordered.push(rebuilt);
                    self.put(&mut path, rebuilt);
                }
                continue;
            }
            visit.left -= 1;
            let item = self.parts(object)[visit.left];
            match self.node(item).code {
                b'(' | b')' if !self.has(item, WALKED) => self.enter(item, &mut path),
                b'>' => self.enter(item, &mut path),
                _ => {
                    if !self.has(item, INTERNED) && self.looks_like_a_name(item) {
                        let interned = self.intern(item, caches);
                        if interned != item {
                            self.put(&mut path, interned);
                        }
                    }
                }
            }
        }
        caches.path = path;
    }

    fn enter(&mut self, object: Object, path: &mut Vec<Visit>) {
        if self.node(object).code != b'>' {
            self.bits[object as usize] |= WALKED;
        }
        path.push(Visit { object, left: self.parts(object).len(), members: None });
    }

    /// Puts an object in the place that the innermost visited container is at.
    fn put(&mut self, path: &mut [Visit], object: Object) {
        let Some(visit) = path.last_mut() else { return };
        let (start, len) = self.spans[visit.object as usize];
        let range = start as usize..(start + len) as usize;
        if self.node(visit.object).code == b'>' {
            visit.members.get_or_insert_with(|| self.parts[range].to_vec())[visit.left] = object;
        } else {
            self.parts[range][visit.left] = object;
        }
    }

    /// A new object like another one, with these parts.
    fn copy(&mut self, original: Object, parts: &[Object]) -> Object {
        let object = index(self.graph.len() + self.copies.len());
        self.copies.push(self.origin(original).0);
        self.spans.push((index(self.parts.len()), index(parts.len())));
        self.parts.extend_from_slice(parts);
        self.bits.push(0);
        object
    }

    fn looks_like_a_name(&self, object: Object) -> bool {
        let node = self.node(object);
        let is_string = match node.code {
            b's' => self.profile.is_python2(),
            b't' | b'u' | b'a' | b'A' | b'z' | b'Z' => self.has(object, ASCII),
            _ => false,
        };
        is_string && self.graph.payload(node).iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
    }
}
