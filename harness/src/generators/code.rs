//! Small valid code objects in the target's layout.
//!
//! The loader checks little of a code object, and what it does not check can kill the interpreter later. So these are
//! valid where somebody looks (counts, types, matching lengths) and random elsewhere (line tables, constants).
//!
//! Reviewed for Python 3.15.

use super::emit::{Emitter, Facts, Kind, Place, State, Style};
use super::luck::Luck;
use super::{Target, codes};
use arbitrary::Unstructured;

/// Opcodes that crash some 3.11+ interpreter when it loads or dumps them: the instrumented ones and ENTER_EXECUTOR.
pub(super) const DEADLY: [u8; 7] = [70, 237, 238, 247, 253, 254, 255];

/// More than the most inline cache units that any instruction has.
pub(super) const CACHE_UNITS: usize = 10;

/// Kinds of variables, 3.11+. An argument is a local, and a cell if inner functions use it.
pub(super) const LOCAL: u8 = 0x20;
pub(super) const CELL: u8 = 0x40;
pub(super) const FREE: u8 = 0x80;

/// Argument counts and the flags that belong to them.
struct Signature {
    positional: u32,
    positional_only: u32,
    keyword_only: u32,
    /// Locals, arguments first.
    locals: u32,
    flags: u32,
}

/// A stream of one code object.
pub(super) fn alone(u: &mut Unstructured<'_>, target: Target, style: Style) -> Vec<u8> {
    let mut e = Emitter::new(u, target, style);
    e.code(Place::Free, 1);
    e.out
}

impl Emitter<'_, '_> {
    /// A code object; its fields are at `level + 1`, their items at `level + 2`.
    pub(super) fn code(&mut self, place: Place, level: u32) -> Facts {
        let version = self.target.version;
        self.codes -= 1;
        let slot = self.open(b'c', Kind::Other, State::Sealed);
        let signature = self.signature();
        self.count(signature.positional);
        if version >= (3, 8) {
            self.count(signature.positional_only);
        }
        if version >= (3, 0) {
            self.count(signature.keyword_only);
        }
        if version < (3, 11) {
            self.count(signature.locals);
        }
        let stack = self.u.pick(&[0, 1, 2, 10, 255, 1000]);
        self.count(stack);
        self.count(signature.flags);

        if !self.u.one_in(6) || self.reference(Place::Closed, Some(Kind::NoBytes)).is_none() {
            let instructions = self.instructions();
            self.bytes_or_reference(&instructions, Kind::Other);
        }
        let facts = self.constants(place, level + 1);
        if self.u.below(4) < 3 || self.reference(Place::Closed, Some(Kind::Names)).is_none() {
            let n = self.u.below(4);
            self.names(n);
        }
        let (cells, frees) = (self.u.pick(&[0, 0, 0, 1, 2]), self.u.pick(&[0, 0, 0, 1, 2]));
        if version >= (3, 11) {
            self.names(signature.locals + cells + frees);
            let kinds = self.kinds(signature.locals, cells, frees);
            self.bytes_or_reference(&kinds, Kind::Bytes);
        } else {
            for n in [signature.locals, frees, cells] {
                self.names(n);
            }
        }
        for _ in 0..if version >= (3, 11) { 3 } else { 2 } {
            self.name();
        }
        let line = self.u.pick(&[1, 0, 2, 1000, 0x7fff_ffff, -1]);
        self.long(line);
        for _ in 0..if version >= (3, 11) { 2 } else { 1 } {
            if self.u.below(4) < 3 || self.reference(Place::Closed, Some(Kind::Bytes)).is_none() {
                let table = self.random_bytes();
                self.bytes(&table, Kind::Bytes);
            }
        }
        self.close(slot, facts);
        facts
    }

    fn count(&mut self, n: u32) {
        self.size(n as usize);
    }

    fn signature(&mut self) -> Signature {
        let locals = self.u.below(6);
        let positional = self.u.below(locals + 1);
        let positional_only = self.u.below(positional + 1);
        let keyword_only = self.u.below(locals - positional + 1);
        let mut flags = self.u.pick(&[0, 0x40, 0x43, 0x3, 0x13, 0x23, 0x83, 0x100_0003, 0x2_0040]);
        let rest = locals - positional - keyword_only;
        let starred = self.u.below(rest.min(2) + 1);
        flags |= self.u.pick(&[[0, 0x4, 0xc], [0, 0x8, 0xc]])[starred as usize];
        Signature { positional, positional_only, keyword_only, locals, flags }
    }

    /// Any bytes up to 3.10, which looks at none. Later versions rewrite instructions while loading and dumping.
    fn instructions(&mut self) -> Vec<u8> {
        let n = self.u.index(12);
        let mut code = self.u.octets(n * 2);
        if self.target.version < (3, 11) {
            return code;
        }
        let Target { version, asserts_opcodes, .. } = self.target;
        let kills = |op: u8| DEADLY.contains(&op) || asserts_opcodes && !codes::is_opcode(version, op);
        for instruction in code.chunks_mut(2) {
            if kills(instruction[0]) {
                instruction[0] = 0;
            }
        }
        if n > 0 {
            // Caches that reach beyond the end are written there by dumps.
            code.extend([0; 2 * CACHE_UNITS]);
        }
        code
    }

    fn constants(&mut self, place: Place, level: u32) -> Facts {
        let place = if place == Place::Hashed { Place::Hashed } else { Place::Closed };
        let n = self.u.index(4);
        if n == 0 && self.refers(Kind::NoItems) {
            return Facts::PURE;
        }
        self.tuple(n, place, level)
    }

    /// Writes a reference to something empty that is there already, every other time if there is one.
    fn refers(&mut self, kind: Kind) -> bool {
        self.u.below(2) == 1 && self.reference(Place::Closed, Some(kind)).is_some()
    }

    fn bytes_or_reference(&mut self, bytes: &[u8], kind: Kind) {
        if !bytes.is_empty() {
            self.bytes(bytes, kind);
        } else if !self.refers(Kind::NoBytes) {
            self.bytes(bytes, Kind::NoBytes);
        }
    }

    fn names(&mut self, n: u32) {
        if n == 0 && self.refers(Kind::NoItems) {
            return;
        }
        let kind = if n == 0 { Kind::NoItems } else { Kind::Names };
        let code = self.tuple_code(n as usize);
        let slot = self.open(code, kind, State::Open);
        self.tuple_size(code, n as usize);
        for _ in 0..n {
            self.name();
        }
        self.close(slot, Facts::PURE);
    }

    fn kinds(&mut self, locals: u32, cells: u32, frees: u32) -> Vec<u8> {
        let local = |u: &mut Unstructured<'_>| LOCAL | u.pick(&[0, 0, 0, CELL]);
        let mut kinds: Vec<u8> = (0..locals).map(|_| local(self.u)).collect();
        kinds.extend((0..cells).map(|_| CELL));
        kinds.extend((0..frees).map(|_| FREE));
        kinds
    }

    /// `)` or `(` for a tuple of `n` items.
    pub(super) fn tuple_code(&mut self, n: usize) -> u8 {
        let short = n < 256
            && match self.style {
                Style::Writer(version) => version >= 4,
                Style::Any => self.allows(3) && !self.odd(),
            };
        if short { b')' } else { b'(' }
    }

    pub(super) fn tuple_size(&mut self, code: u8, n: usize) {
        match u8::try_from(n) {
            Ok(n) if code == b')' => self.out.push(n),
            _ => self.size(n),
        }
    }
}
