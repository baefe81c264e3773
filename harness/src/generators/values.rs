//! Random value graphs, valid for their target: no interpreter of the target's version may refuse one.
//!
//! What a stream *means* is where readers differ quietly: which objects are one object, what a set keeps of equal
//! members, where a small int comes from a cache. So these graphs are dense in sharing, in members that are equal but not
//! the same (`1`, `1.0`, `True`; `b"x"` and `"x"` in 2.7; NaNs), and in sizes at which an encoding changes. They are
//! encoded as a writer of a randomly chosen format version would (0 to the target's), so that every difference is about
//! the value. Encodings that no writer chooses are the business of [`super::streams`].

use super::Target;
use super::emit::{Emitter, Facts, Kind, Place, State, Style};
use super::luck::Luck;
use super::swarm::Container;
use arbitrary::Unstructured;

/// So deep are sets in sets where nothing is [large](super::swarm::Swarm::large).
const SETS: u32 = 2;

/// A stream that the target accepts.
#[must_use]
pub fn generate(u: &mut Unstructured<'_>, target: Target) -> Vec<u8> {
    let top = target.marshal_version;
    let format = if u.below(2) == 0 { top } else { u.below(u32::from(top) + 1).try_into().unwrap_or(top) };
    compose(u, target, Style::Writer(format))
}

/// A valid stream in the given style.
pub(super) fn compose(u: &mut Unstructured<'_>, target: Target, style: Style) -> Vec<u8> {
    let mut e = Emitter::new(u, target, style);
    if e.u.one_in(128) {
        e.chain();
    } else {
        e.value(Place::Free, 1);
    }
    e.out
}

impl Emitter<'_, '_> {
    /// Writes one value; the object itself is at nesting depth `level`, the outermost at 1.
    pub(super) fn value(&mut self, place: Place, level: u32) -> Facts {
        if self.u.chance(self.swarm.references)
            && let Some(facts) = self.reference(place, None)
        {
            return facts;
        }
        // At the top a container is what makes a graph.
        let leaf = self.u.below(16) < 6 && (level > 1 || self.nodes < 3);
        if leaf || self.nodes == 0 || level >= self.deepest {
            return self.leaf();
        }
        self.nodes -= 1;
        let menu = if place == Place::Hashed { &self.swarm.hashed } else { &self.swarm.containers };
        let mut container = menu.pick(self.u);
        if self.sets >= SETS && container == Container::Frozenset && !self.swarm.large {
            container = Container::Tuple;
        }
        let n = self.length();
        match container {
            Container::List => self.list(n, place, level),
            Container::Dict => self.dict(b'{', n, place, level),
            Container::Set => self.set(b'<', n, level),
            Container::Frozenset => self.set(b'>', n, level),
            Container::Slice => self.slice(place, level),
            Container::Frozendict => self.dict(b'}', n, place, level),
            Container::Code if self.codes > 0 && level + 2 <= self.target.max_depth => self.code(place, level),
            Container::Code | Container::Tuple => self.tuple(n, place, level),
        }
    }

    /// Number of items of a container.
    fn length(&mut self) -> usize {
        match self.u.below(64) {
            0..=6 => 0,
            7..=15 => 1,
            16..=56 => 2 + self.u.index(4),
            57..=62 => self.u.index(12),
            _ if !self.swarm.large => 3,
            _ => self.u.pick(&[17, 255, 256, 257]),
        }
    }

    fn items(&mut self, n: usize, place: Place, level: u32) -> Facts {
        if n >= 255 {
            return self.ramp(n);
        }
        (0..n).fold(Facts::PURE, |facts, _| facts.and(self.value(place, level)))
    }

    /// Many cheap items, different from each other.
    fn ramp(&mut self, n: usize) -> Facts {
        let strings = self.u.one_in(3);
        for i in 0..u32::try_from(n).unwrap_or(u32::MAX) {
            if strings {
                self.text(&[u32::from(b'k'), 0x60 + i]);
            } else {
                self.int(i128::from(i) + 100);
            }
        }
        Facts::PURE
    }

    pub(super) fn tuple(&mut self, n: usize, place: Place, level: u32) -> Facts {
        let code = self.tuple_code(n);
        let kind = if n == 0 { Kind::NoItems } else { Kind::Other };
        let slot = self.open(code, kind, State::Open);
        self.tuple_size(code, n);
        let facts = self.items(n, place, level + 1);
        self.close(slot, facts);
        facts
    }

    fn list(&mut self, n: usize, place: Place, level: u32) -> Facts {
        let slot = self.open(b'[', Kind::Other, State::Open);
        self.size(n);
        let facts = self.items(n, place, level + 1).unhashable();
        self.close(slot, facts);
        facts
    }

    /// A set or a frozenset: everything below is hashed when it is added.
    fn set(&mut self, code: u8, n: usize, level: u32) -> Facts {
        let during = if code == b'<' { State::Open } else { State::Sealed };
        let slot = self.open(code, Kind::Other, during);
        self.size(n);
        self.sets += 1;
        self.items(n, Place::Hashed, level + 1);
        self.sets -= 1;
        let facts = if code == b'<' { Facts::PURE.unhashable() } else { Facts::PURE };
        self.close(slot, facts);
        facts
    }

    /// A dict or a frozendict. In 3.15.0 a flagged frozendict takes a slot that nothing can ever name, and no writer's stream
    /// that refers to one can be loaded, so only odd encodings have flagged ones.
    fn dict(&mut self, code: u8, n: usize, place: Place, level: u32) -> Facts {
        let slot = if code == b'{' {
            self.open(code, Kind::Other, State::Open)
        } else if self.target.frozendict_references {
            self.open(code, Kind::Other, State::Sealed)
        } else {
            let flagged = self.style == Style::Any && self.u.one_in(8);
            self.open_flagged(code, flagged, Kind::Other, State::Sealed);
            None
        };
        let mut facts = Facts::PURE;
        if n >= 255 {
            for i in 0..i128::try_from(n).unwrap_or_default() {
                self.int(i * 3);
                self.int(i - 10);
            }
        } else {
            for _ in 0..n {
                self.value(Place::Hashed, level + 1);
                facts = facts.and(self.value(place, level + 1));
            }
        }
        // Nobody looks at the flag of what ends a dict.
        let flagged = self.style == Style::Any && self.allows(3) && self.u.one_in(8);
        self.out.push(if flagged { b'0' | 0x80 } else { b'0' });
        if code == b'{' {
            facts = facts.unhashable();
        }
        self.close(slot, facts);
        facts
    }

    fn slice(&mut self, place: Place, level: u32) -> Facts {
        let slot = self.open(b':', Kind::Other, State::Sealed);
        let facts = (0..3).fold(Facts::PURE, |facts, _| facts.and(self.slice_part(place, level + 1)));
        self.close(slot, facts);
        facts
    }

    /// What a program puts into a slice, or anything.
    fn slice_part(&mut self, place: Place, level: u32) -> Facts {
        match self.u.below(4) {
            0 => self.out.push(b'N'),
            1 => {
                let small = i128::from(self.u.below(5)) - 1;
                self.int(small);
            }
            _ => return self.value(place, level),
        }
        Facts::PURE
    }

    /// A value near the nesting limit: containers of one item each, then whatever still fits. Sets are not among them:
    /// their writer sorts members by their dumps, which doubles the work at every level.
    fn chain(&mut self) {
        let limit = self.target.max_depth;
        let containers = match self.u.below(3) {
            0 => limit - 1,
            1 => limit - 1 - self.u.below(limit.min(4)),
            _ => self.u.below(limit),
        };
        let shapes: Vec<u32> = (0..1 + self.u.below(4)).map(|_| self.u.below(4)).collect();
        let mut opened = Vec::new();
        for (&shape, _) in shapes.iter().cycle().zip(0..containers) {
            let slot = match shape {
                0 => {
                    let slot = self.open(b'[', Kind::Other, State::Open);
                    self.size(1);
                    slot
                }
                1 => {
                    let slot = self.open(b'{', Kind::Other, State::Open);
                    self.int(7);
                    slot
                }
                2 if self.allows(5) => {
                    let slot = self.open(b':', Kind::Other, State::Sealed);
                    self.out.extend(b"NN");
                    slot
                }
                _ => {
                    let code = self.tuple_code(1);
                    let slot = self.open(code, Kind::Other, State::Open);
                    self.tuple_size(code, 1);
                    slot
                }
            };
            opened.push((shape, slot));
        }
        self.deepest = limit.min(containers + 8);
        let facts = self.value(Place::Free, containers + 1);
        for (shape, slot) in opened.into_iter().rev() {
            if shape == 1 {
                self.out.push(b'0');
            }
            self.close(slot, facts.unhashable());
        }
    }
}
