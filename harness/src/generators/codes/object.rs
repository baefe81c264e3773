//! A code object from nothing: every field in every form that the target's version has.
//!
//! Reviewed for Python 3.15.

use super::super::Target;
use super::super::code::{CELL, FREE, LOCAL};
use super::super::emit::{Emitter, Facts, Kind, Place, State, Style};
use super::super::luck::Luck;
use super::bytecode::{Names, instructions};
use super::opcodes::Opcodes;
use super::tables;
use arbitrary::Unstructured;

/// The kind of a variable of an inlined comprehension, 3.12+.
pub(super) const HIDDEN: u8 = 0x10;
/// How an argument can be given, 3.14+: by position, by keyword, as one of any number.
const BY_POSITION: u8 = 0x02;
const BY_KEYWORD: u8 = 0x04;
const STARRED: u8 = 0x08;

pub(super) const VARARGS: i32 = 0x4;
pub(super) const VARKEYWORDS: i32 = 0x8;

/// How many items a tuple has when it is a large one: around the sizes at which the encoding changes.
const MANY: [u32; 4] = [255, 256, 257, 300];

/// The variables of a code object: counts, and the flags that belong to them.
struct Variables {
    /// Positional-only arguments, then those that are positional or keywords, keyword-only ones, `*args`, `**kwargs`.
    arguments: [u32; 5],
    /// Locals that are no arguments.
    others: u32,
    cells: u32,
    frees: u32,
}

impl Variables {
    fn new(u: &mut Unstructured<'_>, version: (u8, u8), large: bool) -> Self {
        let some = |u: &mut Unstructured<'_>| u.pick(&[0, 0, 1, 1, 2, 3]);
        let mut arguments = [some(u), some(u), some(u), u.below(2), u.below(2)];
        if version < (3, 8) {
            arguments[0] = 0;
        }
        if version < (3, 0) {
            arguments[2] = 0;
        }
        let mut variables = Variables { arguments, others: some(u), cells: some(u), frees: some(u) };
        if large && u.one_in(4) {
            let many = u.pick(&MANY);
            // So many in one of the tuples.
            match u.below(3) {
                0 if version >= (3, 11) => variables.others += many - variables.all(),
                0 => variables.others += many - variables.locals(),
                1 => variables.cells = many,
                _ => variables.frees = many,
            }
        }
        variables
    }

    fn locals(&self) -> u32 {
        self.arguments.iter().sum::<u32>() + self.others
    }

    fn all(&self) -> u32 {
        self.locals() + self.cells + self.frees
    }

    fn flags(&self) -> i32 {
        let starred = |i: usize, flag| if self.arguments[i] > 0 { flag } else { 0 };
        starred(3, VARARGS) | starred(4, VARKEYWORDS)
    }

    /// One kind for each variable, in the compiler's order.
    fn kinds(&self, u: &mut Unstructured<'_>, version: (u8, u8)) -> Vec<u8> {
        let ways = [BY_POSITION, BY_POSITION | BY_KEYWORD, BY_KEYWORD, STARRED | BY_POSITION, STARRED | BY_KEYWORD];
        let mut kinds = Vec::new();
        for (n, way) in self.arguments.iter().zip(ways) {
            for _ in 0..*n {
                let cell = if u.one_in(4) { CELL } else { 0 };
                kinds.push(LOCAL | cell | if version >= (3, 14) { way } else { 0 });
            }
        }
        for _ in 0..self.others {
            kinds.push(LOCAL | if version >= (3, 12) && u.one_in(6) { HIDDEN } else { 0 });
        }
        kinds.extend((0..self.cells).map(|_| CELL));
        kinds.extend((0..self.frees).map(|_| FREE));
        kinds
    }
}

/// A stream of one code object, with others among its constants.
pub(super) fn generate(u: &mut Unstructured<'_>, target: Target, style: Style) -> Vec<u8> {
    let depth = u.pick(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 4]);
    let mut e = Emitter::new(u, target, style);
    // Those in other places are made by `values`. Before 3.7 only what is alive to the end may have a file name.
    e.codes = 0;
    e.object(depth, 1);
    e.out
}

/// A code object of few bytes, as an object to be put into another stream: it takes no slot and has no references.
pub(super) fn small(u: &mut Unstructured<'_>, target: Target) -> Vec<u8> {
    let mut e = Emitter::new(u, target, Style::Writer(0));
    e.codes = 0;
    e.nodes = 0;
    e.object(0, 5);
    e.out
}

impl Emitter<'_, '_> {
    /// A code object at nesting depth `level`, with code objects in its constants to this depth.
    fn object(&mut self, depth: u32, level: u32) -> Facts {
        let version = self.target.version;
        let variables = Variables::new(self.u, version, self.swarm.large);
        let [positional_only, either, keyword_only, ..] = variables.arguments;
        let consts = self.how_many();
        let names = self.how_many();
        let named = Names { consts, names, locals: variables.all() };
        let code = instructions(self.u, Opcodes::of(version), named, self.swarm.large);

        let slot = self.open(b'c', Kind::Other, State::Sealed);
        self.number(positional_only + either);
        if version >= (3, 8) {
            self.number(positional_only);
        }
        if version >= (3, 0) {
            self.number(keyword_only);
        }
        if version < (3, 11) {
            self.number(variables.locals());
        }
        let stack = self.u.pick(&[0, 1, 2, 10, 255, 256, 65536]);
        self.number(stack);
        let flags = variables.flags() | self.flags();
        self.long(flags);

        self.bytes(&code, Kind::Other);
        let facts = self.consts(consts, depth, level + 1);
        self.some_names(names);
        if version >= (3, 11) {
            self.fresh_names(named.locals);
            let kinds = variables.kinds(self.u, version);
            self.bytes(&kinds, Kind::Other);
        } else {
            self.fresh_names(variables.locals());
            self.some_names(variables.frees);
            self.some_names(variables.cells);
        }
        for _ in 0..if version >= (3, 11) { 3 } else { 2 } {
            self.name();
        }
        let line = self.u.pick(&[1, 0, 2, 1000, 70_000, i32::MAX, -1, -1000, i32::MIN]);
        self.long(line);
        let lines = tables::lines(self.u, version, code.len());
        self.bytes(&lines, Kind::Other);
        if version >= (3, 11) {
            let exceptions = tables::exceptions(self.u, code.len());
            self.bytes(&exceptions, Kind::Other);
        }
        self.close(slot, facts);
        facts
    }

    /// How many constants or names: few, now and then as many as change the encoding.
    fn how_many(&mut self) -> u32 {
        if self.swarm.large && self.u.one_in(8) { self.u.pick(&MANY) } else { self.u.below(5) }
    }

    fn number(&mut self, n: u32) {
        self.size(n as usize);
    }

    /// Flags that have nothing to do with arguments; up to 3.7 the sign is one of them.
    fn flags(&mut self) -> i32 {
        let mut flags = self.u.pick(&[0x43, 0, 0x40, 0x3, 0x13, 0x23, 0x83, 0x103, 0x203, 0x1000]);
        if self.u.below(4) == 3 {
            let future = if self.target.version < (3, 8) { 13 } else { 17 };
            flags |= 1 << (future + self.u.below(11));
        }
        if self.target.version < (3, 8) && self.u.one_in(16) { flags | i32::MIN } else { flags }
    }

    /// The constants: a docstring, values of all types, code objects, and tuples and frozensets that share members.
    fn consts(&mut self, n: u32, depth: u32, level: u32) -> Facts {
        let n = n.max(depth.min(1));
        let code = self.tuple_code(n as usize);
        let slot = self.open(code, Kind::Other, State::Open);
        self.tuple_size(code, n as usize);
        let mut facts = Facts::PURE;
        // 3.6 remembers the first code object's file name and does not own it. Nothing may be dropped while there are
        // others, and sets and dicts drop what is equal.
        let flat = self.target.version < (3, 7) && !self.target.is_python2() && (depth > 0 || level > 2);
        for i in 0..n {
            if i + 1 == n && depth > 0 {
                facts = facts.and(self.object(depth - 1, level + 1));
                continue;
            }
            facts = facts.and(match self.u.below(8) {
                0 if i == 0 => {
                    let text = self.random_text();
                    self.text(&text);
                    Facts::PURE
                }
                _ if n > 16 => {
                    self.int(i128::from(i) * 3);
                    Facts::PURE
                }
                1 | 2 if !flat => self.sharers(),
                3 if depth > 0 => self.object(0, level + 1),
                4.. if self.nodes > 0 && !flat => self.value(Place::Closed, level + 1),
                _ => self.leaf(),
            });
        }
        self.close(slot, facts);
        facts
    }

    /// A tuple of a tuple and a frozenset of the same strings.
    fn sharers(&mut self) -> Facts {
        let outer = self.tuple_code(2);
        let slot = self.open(outer, Kind::Other, State::Open);
        self.tuple_size(outer, 2);
        let n = self.u.index(4);
        let tuple = self.tuple_code(n);
        let inner = self.open(tuple, Kind::Names, State::Open);
        self.tuple_size(tuple, n);
        for _ in 0..n {
            self.name();
        }
        self.close(inner, Facts::PURE);
        let set = self.open(b'>', Kind::Other, State::Sealed);
        self.size(n);
        for _ in 0..n {
            if self.reference(Place::Hashed, Some(Kind::Text)).is_none() {
                self.name();
            }
        }
        self.close(set, Facts::PURE);
        self.close(slot, Facts::PURE);
        Facts::PURE
    }

    /// A tuple of this many names, or another code object's.
    fn some_names(&mut self, n: u32) {
        if self.u.below(4) < 3 || self.reference(Place::Closed, Some(Kind::Names)).is_none() {
            self.fresh_names(n);
        }
    }

    fn fresh_names(&mut self, n: u32) {
        let code = self.tuple_code(n as usize);
        let slot = self.open(code, Kind::Names, State::Open);
        self.tuple_size(code, n as usize);
        for i in 0..n {
            if n < 200 {
                self.name();
            } else if self.target.version < (3, 0) {
                self.bytes(format!("k{i}").as_bytes(), Kind::Text);
            } else {
                self.text(&[u32::from(b'k'), 0x60 + i]);
            }
        }
        self.close(slot, Facts::PURE);
    }
}
