//! One to three changes of the code objects in a stream, most of which keep the places of all other instructions.
//!
//! A change that moves instructions without moving the jumps over them makes a code object that a verifier refuses at once.
//! So most changes put something in the place of something of the same length.
//!
//! Reviewed for Python 3.15.

use super::LONGEST;
use crate::generators::Target;
use crate::generators::codes::opcodes::Opcodes;
use crate::generators::draft::{Draft, Node};
use crate::generators::luck::Luck;
use crate::generators::skim::BEFORE_LINE;
use arbitrary::Unstructured;
use std::ops::Range;

/// The fields of a code object among its items.
const CODE: usize = 0;
const CONSTS: usize = 1;
const LOCALS: usize = 3;

/// Opcodes that stand in code that a compiler wrote, in the letters of [`Opcodes`].
const LEGAL: &[u8] = b"-cnlfaro";

/// A stream with some changes; `None` if it cannot be taken apart, or becomes too long.
pub(super) fn mutate(u: &mut Unstructured<'_>, target: Target, stream: &[u8], other: &[u8]) -> Option<Vec<u8>> {
    let draft = Draft::read(stream, Some(target))?;
    let other = Draft::read(other, Some(target))?;
    let codes: Vec<usize> = (0..draft.nodes.len()).filter(|id| draft.nodes[*id].code == b'c').collect();
    let opcodes = Opcodes::of(target.version);
    let mut mutator = Mutator { u, target, draft, other, opcodes };
    for _ in 0..1 + mutator.u.below(5) / 2 {
        let id = codes[mutator.u.index(codes.len())];
        let change = mutator.u.weighted(&Mutator::CHANGES)?;
        change(&mut mutator, id);
    }
    mutator.draft.write(LONGEST)
}

/// Ways to change a code object, each with how often it is taken.
type Changes<M> = [(u32, fn(&mut M, usize)); 18];

struct Mutator<'u, 't, 'b> {
    u: &'u mut Unstructured<'t>,
    target: Target,
    draft: Draft<'b>,
    other: Draft<'b>,
    opcodes: &'static Opcodes,
}

impl<'u, 't, 'b> Mutator<'u, 't, 'b> {
    /// The changes, each as often as it is to be made in comparison with the others.
    const CHANGES: Changes<Self> = [
        (24, Self::opcode),
        (24, Self::argument),
        (12, Self::jump),
        (8, Self::swap),
        (6, Self::erase),
        (6, Self::repeat),
        (3, Self::insert),
        (3, Self::prefix),
        (2, Self::cut),
        (4, Self::splice),
        (4, Self::integer),
        (4, Self::flag),
        (4, Self::stacksize),
        (10, Self::constant),
        (4, Self::list),
        (5, Self::kinds),
        (6, Self::handlers),
        (3, Self::lines),
    ];

    /// An item of a code object, or what that refers to.
    fn item(draft: &Draft<'_>, id: usize, place: usize) -> Option<usize> {
        let item = *draft.nodes[id].items.get(place)?;
        Some(draft.nodes[item].target.unwrap_or(item))
    }

    fn bytes_of(draft: &Draft<'_>, id: usize, place: usize) -> Option<Vec<u8>> {
        let item = &draft.nodes[Self::item(draft, id, place)?];
        item.is_string().then(|| item.payload.to_vec())
    }

    fn bytes(&self, id: usize, place: usize) -> Option<Vec<u8>> {
        Self::bytes_of(&self.draft, id, place)
    }

    fn put_bytes(&mut self, id: usize, place: usize, bytes: Vec<u8>) {
        let new = self.draft.add(Node::leaf(b's', bytes));
        self.draft.nodes[id].items[place] = new;
    }

    fn has_handlers(&self) -> bool {
        self.target.version >= (3, 11)
    }

    /// The instructions: their places, with the caches behind them.
    fn instructions(&self, code: &[u8]) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < code.len() {
            let end = (at + self.length(code[at])).min(code.len());
            found.push(at..end);
            at = end;
        }
        found
    }

    /// Of an instruction with its caches, in bytes.
    fn length(&self, opcode: u8) -> usize {
        match self.target.version {
            (2, _) if opcode < self.opcodes.have_argument => 1,
            (2, _) => 3,
            _ => 2 + 2 * self.opcodes.caches(opcode),
        }
    }

    /// Changes one instruction of a code object, or what is around it.
    fn at_instruction(&mut self, id: usize, change: impl FnOnce(&mut Self, &mut Vec<u8>, &[Range<usize>], usize)) {
        let Some(mut code) = self.bytes(id, CODE) else { return };
        let places = self.instructions(&code);
        if places.is_empty() {
            return;
        }
        let place = self.u.index(places.len());
        change(self, &mut code, &places, place);
        self.put_bytes(id, CODE, code);
    }

    /// An opcode of this length; most often one that a compiler writes.
    fn opcode_of_length(&mut self, length: usize, letters: &[u8]) -> Option<u8> {
        let start = self.u.byte();
        (0..=255_u8).map(|step| start.wrapping_add(step)).find(|opcode| {
            letters.contains(&self.opcodes.letters[usize::from(*opcode)]) && self.length(*opcode) == length
        })
    }

    fn opcode(&mut self, id: usize) {
        self.at_instruction(id, |this, code, places, place| {
            let at = places[place].start;
            let same = [this.opcodes.letters[usize::from(code[at])]];
            let letters = match this.u.below(16) {
                0..=7 => LEGAL,
                8..=14 => &same,
                _ => b"-cnlfarosi.",
            };
            if let Some(opcode) = this.opcode_of_length(places[place].len(), letters) {
                code[at] = opcode;
            }
        });
    }

    /// A number near another one, or at an end of the range.
    fn near(&mut self, number: u8) -> u8 {
        match self.u.below(10) {
            0 | 1 => number.wrapping_add(1),
            2 | 3 => number.wrapping_sub(1),
            4 => number ^ (1 << self.u.below(8)),
            5 => 255,
            6 => self.u.byte(),
            _ => u8::try_from(self.u.below(6)).unwrap_or(0),
        }
    }

    /// Changes the argument of an instruction that has one and these letters.
    fn argument_of(&mut self, id: usize, letters: &[u8]) {
        self.at_instruction(id, |this, code, places, place| {
            let has = |range: &&Range<usize>| {
                range.len() > 1 && letters.contains(&this.opcodes.letters[usize::from(code[range.start])])
            };
            let Some(range) = places[place..].iter().chain(&places[..place]).find(has) else { return };
            code[range.start + 1] = this.near(code[range.start + 1]);
        });
    }

    fn argument(&mut self, id: usize) {
        self.argument_of(id, b"cnlfaro");
    }

    fn jump(&mut self, id: usize) {
        self.argument_of(id, b"ar");
    }

    /// Two instructions of one length change their places.
    fn swap(&mut self, id: usize) {
        self.at_instruction(id, |this, code, places, place| {
            let other = if this.u.one_in(4) { this.u.index(places.len()) } else { (place + 1) % places.len() };
            let (a, b) = (places[place].clone(), places[other].clone());
            if a.len() == b.len() {
                let kept = code[a.clone()].to_vec();
                code.copy_within(b.clone(), a.start);
                code[b].copy_from_slice(&kept);
            }
        });
    }

    /// An instruction becomes one that does nothing.
    fn erase(&mut self, id: usize) {
        let nop = if self.target.version >= (3, 13) { self.nop() } else { 9 };
        self.at_instruction(id, |this, code, places, place| {
            let step = if this.target.version.0 == 2 { 1 } else { 2 };
            for at in places[place].clone().step_by(step) {
                code[at] = nop;
            }
        });
    }

    /// NOP, whose number changes with every version since 3.13.
    fn nop(&self) -> u8 {
        match self.target.version {
            (3, 13) => 30,
            (3, 14) => 27,
            _ => 25,
        }
    }

    /// An instruction is there twice: in its place and in that of another one.
    fn repeat(&mut self, id: usize) {
        self.at_instruction(id, |this, code, places, place| {
            let (from, to) = (places[place].clone(), places[this.u.index(places.len())].clone());
            if from.len() == to.len() {
                code.copy_within(from, to.start);
            }
        });
    }

    /// A copy of an instruction between two; what is behind it moves.
    fn insert(&mut self, id: usize) {
        self.at_instruction(id, |this, code, places, place| {
            let copy = code[places[this.u.index(places.len())].clone()].to_vec();
            let at = places[place].start;
            code.splice(at..at, copy);
        });
    }

    /// An instruction becomes a prefix of the next one.
    fn prefix(&mut self, id: usize) {
        self.at_instruction(id, |this, code, places, place| {
            if places[place].len() > 1 {
                code[places[place].start] = this.opcodes.extended_arg;
                code[places[place].start + 1] = this.u.pick(&[0, 0, 1, 255]);
            }
        });
    }

    /// The code ends earlier.
    fn cut(&mut self, id: usize) {
        self.at_instruction(id, |_, code, places, place| code.truncate(places[place].start));
    }

    /// A piece of the code of another program in the place of one of the same length.
    fn splice(&mut self, id: usize) {
        let codes: Vec<usize> = (0..self.other.nodes.len()).filter(|id| self.other.nodes[*id].code == b'c').collect();
        let donor = codes[self.u.index(codes.len())];
        let Some(gift) = Self::bytes_of(&self.other, donor, CODE) else { return };
        self.at_instruction(id, |this, code, places, place| {
            let at = places[place].start;
            let theirs = this.instructions(&gift);
            let from = theirs[this.u.index(theirs.len())].start;
            let most = (code.len() - at).min(gift.len() - from).min(2 + 2 * this.u.index(12));
            code[at..at + most].copy_from_slice(&gift[from..from + most]);
        });
    }

    /// Where among the integers of a code object the stack size is, and how many there are; the flags are the last.
    fn integers(&self) -> (usize, usize) {
        match self.target.version {
            (2, _) => (2, 4),
            (3, 6 | 7) => (3, 5),
            (3, 8..=10) => (4, 6),
            _ => (3, 5),
        }
    }

    fn change_integer(&mut self, id: usize, place: usize, change: impl FnOnce(&mut Self, i32) -> i32) {
        let mut payload = self.draft.nodes[id].payload.to_vec();
        let Some(field) = payload.get(4 * place..4 * place + 4).and_then(|field| field.try_into().ok()) else { return };
        let changed = change(self, i32::from_le_bytes(field));
        payload[4 * place..4 * place + 4].copy_from_slice(&changed.to_le_bytes());
        self.draft.nodes[id].payload = payload.into();
    }

    /// A number of arguments or of variables.
    fn integer(&mut self, id: usize) {
        let place = self.u.index(self.integers().0);
        self.change_integer(id, place, |this, number| match this.u.below(8) {
            0..=2 => number + 1,
            3..=5 => number - 1,
            6 => i32::from(this.u.byte()),
            _ => this.u.pick(&[-1, i32::MAX, i32::MIN, 0]),
        });
    }

    fn flag(&mut self, id: usize) {
        let place = self.integers().1 - 1;
        self.change_integer(id, place, |this, flags| {
            flags ^ (1 << this.u.pick(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 5, 7, 9, 2, 3, 26]))
        });
    }

    fn stacksize(&mut self, id: usize) {
        let place = self.integers().0;
        self.change_integer(id, place, |this, size| match this.u.below(8) {
            0..=3 => size - 1,
            4 => size - 2,
            5 => size + 1,
            6 => 0,
            _ => this.u.pick(&[-1, i32::MAX, 1 << 20, 1]),
        });
    }

    /// The items of a tuple of a code object.
    fn tuple(&self, id: usize, place: usize) -> Option<Vec<usize>> {
        let tuple = &self.draft.nodes[Self::item(&self.draft, id, place)?];
        matches!(tuple.code, b'(' | b')').then(|| tuple.items.clone())
    }

    fn put_tuple(&mut self, id: usize, place: usize, items: Vec<usize>) {
        let new = self.draft.add(Node::container(b'(', items));
        self.draft.nodes[id].items[place] = new;
    }

    /// A constant becomes another one: of another type, or the next one.
    fn constant(&mut self, id: usize) {
        let Some(mut items) = self.tuple(id, CONSTS).filter(|items| !items.is_empty()) else { return };
        let (place, next) = (self.u.index(items.len()), self.u.index(items.len()));
        match self.u.below(3) {
            0 => items.swap(place, next),
            1 => items[place] = items[next],
            _ => items[place] = self.any_constant(),
        }
        self.put_tuple(id, CONSTS, items);
    }

    fn any_constant(&mut self) -> usize {
        let word = if self.draft.python2 { b't' } else { b'u' };
        let leaf = |code, payload: &'static [u8]| Node::leaf(code, payload);
        match self.u.below(10) {
            0 => self.draft.add(leaf(b'N', b"")),
            1 => self.draft.add(leaf(b'i', b"\x03\0\0\0")),
            2 => self.draft.add(leaf(b's', b"bytes")),
            3 => self.draft.add(leaf(word, b"a")),
            4 => self.draft.add(Node::container(b'(', Vec::new())),
            5 => {
                let items = vec![self.draft.add(leaf(word, b"a")), self.draft.add(leaf(b'i', b"\x01\0\0\0"))];
                self.draft.add(Node::container(b'(', items))
            }
            6 => self.draft.add(leaf(b'T', b"")),
            7 => self.draft.add(leaf(b'.', b"")),
            8 => self.draft.add(leaf(b'g', b"\0\0\0\0\0\0\xf8\x3f")),
            _ => self.draft.add(Node::container(b'>', Vec::new())),
        }
    }

    /// A list of constants, names or variables is shorter, longer, or in another order.
    fn list(&mut self, id: usize) {
        let last = if self.has_handlers() { LOCALS } else { LOCALS + 2 };
        let field = CONSTS + self.u.index(last);
        let Some(mut items) = self.tuple(id, field).filter(|items| !items.is_empty()) else { return };
        let place = self.u.index(items.len());
        match self.u.below(4) {
            0 => drop(items.pop()),
            1 => drop(items.remove(place)),
            2 => items.push(items[place]),
            _ => items.swap(0, place),
        }
        self.put_tuple(id, field, items);
    }

    /// What kind of variable something is; up to 3.10 a variable moves from one list to another.
    fn kinds(&mut self, id: usize) {
        if self.has_handlers() {
            let Some(mut kinds) = self.bytes(id, LOCALS + 1).filter(|kinds| !kinds.is_empty()) else { return };
            let place = self.u.index(kinds.len());
            kinds[place] = match self.u.below(4) {
                0 => self.u.byte(),
                1 => kinds[place] ^ (1 << self.u.below(8)),
                _ => self.u.pick(&[0x20, 0x40, 0x80, 0x60]),
            };
            return self.put_bytes(id, LOCALS + 1, kinds);
        }
        let (from, to) = (LOCALS + self.u.index(3), LOCALS + self.u.index(3));
        let (Some(mut giver), Some(mut taker)) = (self.tuple(id, from), self.tuple(id, to)) else { return };
        if from != to && !giver.is_empty() {
            taker.push(giver.remove(self.u.index(giver.len())));
            self.put_tuple(id, from, giver);
            self.put_tuple(id, to, taker);
        }
    }

    /// A byte of a table is another number.
    fn table(&mut self, id: usize, place: usize, kept: u8) {
        let Some(mut table) = self.bytes(id, place).filter(|table| !table.is_empty()) else { return };
        let at = self.u.index(table.len());
        table[at] = match self.u.below(8) {
            0 => self.u.byte(),
            _ => table[at] & kept | self.near(table[at]) & !kept,
        };
        if self.u.one_in(12) {
            table.truncate(at);
        }
        self.put_bytes(id, place, table);
    }

    /// Of the table of handlers; up to 3.10 there is none, and what sets them up is a jump.
    fn handlers(&mut self, id: usize) {
        let last = self.draft.nodes[id].items.len().saturating_sub(1);
        if self.has_handlers() { self.table(id, last, 0x80) } else { self.argument_of(id, b"r") }
    }

    fn lines(&mut self, id: usize) {
        self.table(id, BEFORE_LINE, 0x80);
    }
}
