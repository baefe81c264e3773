//! What a code object gives its instructions: how many constants, names, variables and values there are.

use super::machine::small;
use super::value::BUILT;
use super::violation::{Certainty, Detail, Kind, Sink, Violation};
use crate::bytecode::handlers::is_marked;
use crate::bytecode::{Handler, Handlers, Instruction, InstructionSet, Instructions, Lines, Positions};
use crate::code::{Code, Field, flag, kind};
use crate::graph::{Graph, NodeId, Value};
use crate::prelude::*;
use crate::profile::Profile;

/// The largest frame that is looked at, in variables and values. CPython's own limit is above 100 million; it makes room for a
/// frame before it runs.
pub const LARGEST_FRAME: i64 = 1 << 20;

/// A code object, as far as its instructions depend on it.
pub(super) struct Frame<'g> {
    pub(super) graph: &'g Graph<'g>,
    pub(super) profile: &'g Profile,
    pub(super) set: &'static InstructionSet,
    pub(super) code: &'g [u8],
    pub(super) consts: &'g [NodeId],
    pub(super) names: usize,
    /// How many variables LOAD_FAST counts.
    pub(super) fast: usize,
    /// How many cells there are before the free variables, where those are counted apart (up to 3.10).
    pub(super) cells: usize,
    /// How many cells the code takes from its closure.
    pub(super) frees: usize,
    pub(super) stack: usize,
    pub(super) flags: i32,
    /// How many variables are arguments.
    pub(super) arguments: usize,
    /// The first argument is a cell (3.11 and later).
    pub(super) is_boxed: bool,
    /// What the first arguments are trusted to be.
    pub(super) trusts: [u8; 2],
    /// The variable `.type_params` of a generic class: only a tuple is stored there.
    pub(super) type_params: Option<u32>,
    /// The set of the annotations that were reached (3.15): as a variable, and as a name.
    pub(super) reached: [Option<u32>; 2],
    pub(super) handlers: Vec<Handler>,
}

/// The flags of code whose frame is a generator's.
pub(super) const GENERATORS: i32 = flag::GENERATOR | flag::COROUTINE | flag::ASYNC_GENERATOR;

fn bytes<'g>(graph: &'g Graph<'_>, code: &Code<'g>, field: Field) -> &'g [u8] {
    code.object(field).and_then(|id| graph.bytes_at(graph.resolve(id))).unwrap_or_default()
}

pub(super) fn tuple<'g>(graph: &'g Graph<'_>, code: &Code<'g>, field: Field) -> &'g [NodeId] {
    code.object(field).and_then(|id| graph.tuple_at(graph.resolve(id))).unwrap_or_default()
}

/// How many cells a code object takes from its closure.
pub(super) fn free_variables(graph: &Graph<'_>, code: &Code<'_>, profile: &Profile) -> usize {
    if profile.has_localsplus() {
        bytes(graph, code, Field::Localspluskinds).iter().filter(|kinds| kind::is_free(**kinds)).count()
    } else {
        tuple(graph, code, Field::Freevars).len()
    }
}

/// The text of a name.
fn text<'g>(graph: &'g Graph<'_>, id: NodeId) -> &'g [u8] {
    graph.text_at(graph.resolve(id)).unwrap_or_default()
}

/// What the code trusts its first arguments to be, by the letters of the rules (0: nothing). The compiler makes such code for
/// itself alone: comprehensions, which take an iterator, and what evaluates type parameters, which takes the defaults of a
/// function.
pub(super) fn trusts(graph: &Graph<'_>, code: &Code<'_>, profile: &Profile) -> [u8; 2] {
    let field = if profile.has_localsplus() { Field::Localsplusnames } else { Field::Varnames };
    let names = tuple(graph, code, field);
    let count = usize::try_from(code.ints().argcount).unwrap_or(0);
    let mut letters = [0; 2];
    for (letter, id) in letters.iter_mut().zip(names.iter().take(count)) {
        *letter = match text(graph, *id) {
            b".0" if begins_with_iteration(graph, code, profile) => b'i',
            b".defaults" => b't',
            _ => 0,
        };
    }
    letters
}

/// Whether it iterates at once, and does not ask for an iterator.
fn begins_with_iteration(graph: &Graph<'_>, code: &Code<'_>, profile: &Profile) -> bool {
    let next = ["FOR_ITER", "GET_ANEXT", "GET_ITER", "GET_AITER"];
    let mut instructions = Instructions::new(bytes(graph, code, Field::Code), profile);
    instructions.find(|it| next.contains(&it.name())).is_some_and(|it| it.name() == "FOR_ITER")
}

/// Whether a call of this code gives a generator whatever else it does (3.14 and later).
pub(super) fn begins_generator(graph: &Graph<'_>, code: &Code<'_>, profile: &Profile) -> bool {
    let before = ["COPY_FREE_VARS", "MAKE_CELL", "RESUME", "LOAD_FAST", "GET_ITER"];
    let mut instructions = Instructions::new(bytes(graph, code, Field::Code), profile);
    code.ints().flags & GENERATORS == flag::GENERATOR
        && instructions.find(|it| !before.contains(&it.name())).is_some_and(|it| it.name() == "RETURN_GENERATOR")
}

impl<'g> Frame<'g> {
    pub(super) fn new(graph: &'g Graph<'g>, code: &Code<'g>, profile: &'g Profile) -> Frame<'g> {
        let ints = code.ints();
        let size = |number: i32| usize::try_from(number).unwrap_or(0);
        let plus = profile.has_localsplus();
        let kinds = bytes(graph, code, Field::Localspluskinds);
        let fast =
            if plus { tuple(graph, code, Field::Localsplusnames).len().min(kinds.len()) } else { size(ints.nlocals) };
        let rest = [flag::VARARGS, flag::VARKEYWORDS].into_iter().filter(|bit| ints.flags & bit != 0).count();
        let is_cell = |place: &usize| kinds.get(*place).is_some_and(|kinds| kinds & kind::CELL != 0);
        let variables = if profile.has_localsplus() { tuple(graph, code, Field::Localsplusnames) } else { &[] };
        let find = |ids: &[NodeId], name: &[u8]| ids.iter().position(|id| text(graph, *id) == name);
        let cell = |name| find(variables, name).filter(is_cell).map(small);
        let has_cells = kinds.iter().any(|kinds| kinds & kind::CELL != 0);
        let type_params = if has_cells { cell(b".type_params") } else { None };
        let mut reached = [None; 2];
        if profile.counts_iterations() {
            let name = b"__conditional_annotations__";
            reached = [cell(name), find(tuple(graph, code, Field::Names), name).map(small)];
        }
        Frame {
            graph,
            profile,
            set: InstructionSet::of(profile),
            code: bytes(graph, code, Field::Code),
            consts: tuple(graph, code, Field::Consts),
            names: tuple(graph, code, Field::Names).len(),
            fast,
            cells: tuple(graph, code, Field::Cellvars).len(),
            frees: free_variables(graph, code, profile),
            stack: size(ints.stacksize),
            flags: ints.flags,
            arguments: size(ints.argcount).saturating_add(size(ints.kwonlyargcount)).saturating_add(rest),
            is_boxed: plus && ints.argcount > 0 && is_cell(&0),
            trusts: trusts(graph, code, profile),
            type_params,
            reached,
            handlers: if plus {
                Handlers::new(bytes(graph, code, Field::Exceptiontable)).collect()
            } else {
                Vec::new()
            },
        }
    }

    /// Whether what is in some cell is trusted to be of a type.
    pub(super) fn trusts_cells(&self) -> bool {
        self.type_params.is_some() || self.reached[0].is_some()
    }

    /// What the fields say of each other, whatever the instructions are; whether these can be followed.
    pub(super) fn check_fields(&self, code: &Code<'_>, sink: &mut Sink) -> bool {
        let ints = code.ints();
        let mut is_sound = true;
        let mut put = |kind, certainty, detail| {
            is_sound &= kind == Kind::LineTable;
            sink.put(Violation { kind, offset: None, certainty, opcode: "", detail });
        };
        let cells = if self.profile.has_localsplus() { 0 } else { self.cells + self.frees };
        let size = i64::from(ints.stacksize) + (self.fast + cells) as i64;
        if ints.stacksize < 0 {
            put(Kind::StackSize, Certainty::Crash, Detail::Number(ints.stacksize.into()));
        } else if size > LARGEST_FRAME {
            put(Kind::StackSize, Certainty::CannotTell, Detail::Number(ints.stacksize.into()));
        }
        let largest = [self.code.len(), self.consts.len(), self.fast].into_iter().max().unwrap_or(0);
        if largest >= BUILT as usize {
            put(Kind::TooComplex, Certainty::CannotTell, Detail::Number(BUILT.into()));
        }
        let named = if self.profile.has_localsplus() {
            self.fast
        } else {
            self.fast.min(tuple(self.graph, code, Field::Varnames).len())
        };
        let negative =
            [ints.argcount, ints.posonlyargcount, ints.kwonlyargcount, ints.nlocals].into_iter().any(|n| n < 0);
        if self.arguments > named || ints.posonlyargcount > ints.argcount || negative {
            put(Kind::Counts, Certainty::Crash, Detail::Numbers(self.arguments as i64, named as i64));
        }
        let kinds = bytes(self.graph, code, Field::Localspluskinds);
        let last = kinds.len().saturating_sub(self.frees);
        if self.profile.has_localsplus()
            && kinds.iter().enumerate().any(|(place, it)| it & kind::FREE != 0 && (place < last || !kind::is_free(*it)))
        {
            let word = "a free variable is another one as well, or not behind all others";
            put(Kind::Closure, Certainty::Crash, Detail::Word(word));
        }
        if self.profile.has_localsplus() && kinds.iter().any(|it| it & (kind::FREE | kind::CELL | kind::LOCAL) == 0) {
            put(Kind::Closure, Certainty::Crash, Detail::Word("a variable is none of local, cell and free"));
        }
        if ints.flags & flag::HAS_DOCSTRING != 0 && self.consts.is_empty() && self.profile.borrows_references() {
            put(
                Kind::ConstantIndex,
                Certainty::Crash,
                Detail::Word("a flag says that the first constant is the docstring, and there is none"),
            );
        }
        let outer = self.cells + self.frees;
        if outer > 0 && ints.flags & flag::NOFREE != 0 && self.profile.has_nofree() && !self.profile.recomputes_nofree()
        {
            put(
                Kind::Closure,
                Certainty::Crash,
                Detail::Word("a flag says that there are no cells, and there are some"),
            );
        }
        let table = [Field::Linetable, Field::Lnotab].into_iter().find(|field| code.object(*field).is_some());
        let table = table.map_or(&[][..], |field| bytes(self.graph, code, field));
        if self.reads_behind(table, ints.firstlineno) {
            put(Kind::LineTable, Certainty::CannotTell, Detail::None);
        }
        self.check_handlers(bytes(self.graph, code, Field::Exceptiontable), &mut put);
        is_sound
    }

    /// Whether the interpreter reads on behind the line table. Up to 3.9 it looks at whole pairs only. A debug build asserts that an
    /// entry begins where the table does (`advance` of codeobject.c).
    fn reads_behind(&self, table: &[u8], first_line: i32) -> bool {
        if self.profile.has_positions() {
            if self.profile.debug && table.first().is_some_and(|byte| *byte < 128) {
                return true;
            }
            let mut positions = Positions::new(table, first_line, self.profile);
            positions.by_ref().for_each(drop);
            return positions.is_cut();
        }
        let mut lines = Lines::new(table, first_line, self.code.len(), self.profile);
        if self.profile.has_lines() {
            lines.by_ref().for_each(drop);
        }
        lines.is_cut()
    }

    /// An interpreter looks for the entry of an instruction by halves, so the table has to be in order.
    fn check_handlers(&self, table: &[u8], put: &mut impl FnMut(Kind, Certainty, Detail)) {
        if !self.profile.has_localsplus() {
            return;
        }
        let mut handlers = Handlers::new(table);
        let mut end = 0;
        for handler in handlers.by_ref() {
            let length = self.code.len() as u64;
            if handler.start < end || handler.end <= handler.start || handler.end > length {
                put(
                    Kind::HandlerTable,
                    Certainty::CannotTell,
                    Detail::Word("the exception table is not in order, or covers what is no code"),
                );
            }
            end = handler.end;
        }
        if !is_marked(table) {
            let word = "the exception table has a mark where no entry begins, or none where one does";
            put(Kind::HandlerTable, Certainty::CannotTell, Detail::Word(word));
        }
        if !handlers.rest().is_empty() {
            put(Kind::HandlerTable, Certainty::CannotTell, Detail::Word("the exception table ends inside an entry"));
        }
    }

    /// Where exceptions go that are raised at this offset.
    pub(super) fn handler_of(&self, offset: u64) -> Option<&Handler> {
        self.handlers.iter().find(|it| it.start <= offset && offset < it.end)
    }

    pub(super) fn instructions(&self) -> impl Iterator<Item = Instruction<'g>> + use<'g> {
        Instructions::new(self.code, self.profile)
    }

    /// The type byte of the constant with this index.
    pub(super) fn constant_type(&self, index: u32) -> u8 {
        self.consts.get(index as usize).map_or(0, |id| self.graph.type_byte(self.graph.resolve(*id)))
    }

    /// The constant with this index.
    pub(super) fn constant(&self, index: u32) -> Option<Value<'g>> {
        self.consts.get(index as usize).map(|id| self.graph.value(self.graph.resolve(*id)))
    }
}
