//! A code object, seen as instructions and the tables that they refer to.

use super::{Cursor, Handlers, Instruction, InstructionSet, Instructions, Lines, Operand, Positions};
use crate::code::{Code, Field};
use crate::graph::{Graph, NodeId, Value};
use crate::prelude::*;
use crate::profile::Profile;
use alloc::borrow::Cow;

/// What an argument stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// Nothing: the opcode takes none.
    None,
    /// A number.
    Number(u32),
    /// A constant.
    Const(NodeId),
    /// A name.
    Name(NodeId),
    /// A name, and what else the lowest bits of the argument ask for.
    NameAnd(NodeId, &'static str),
    /// A variable.
    Variable(NodeId),
    /// Two variables.
    Variables(NodeId, NodeId),
    /// Where to go on, in bytes of `co_code`.
    Target(i64),
    /// Something that has a name in the interpreter: an operator, a conversion ...
    Named(&'static str),
    /// An index of a table that is shorter.
    OutOfRange(u32),
}

/// What the instructions of a code object refer to. A field that has not the type that it should have counts as empty.
#[derive(Debug, Clone)]
pub struct Body<'g> {
    /// `co_code`, as the stream has it.
    pub code: &'g [u8],
    /// `co_consts`
    pub consts: &'g [NodeId],
    /// `co_names`
    pub names: &'g [NodeId],
    /// What [`Operand::Local`] counts: the local variables; since 3.11 all variables.
    pub variables: &'g [NodeId],
    /// What [`Operand::Free`] counts: cells and free variables; since 3.11 all variables.
    pub free: Cow<'g, [NodeId]>,
    /// `co_lnotab` or `co_linetable`
    pub line_table: &'g [u8],
    /// `co_exceptiontable`; empty before 3.11.
    pub exception_table: &'g [u8],
    /// `co_firstlineno`
    pub first_line: i32,
    /// `co_flags`
    pub flags: i32,
    set: &'static InstructionSet,
    profile: &'g Profile,
}

impl<'g> Body<'g> {
    /// Of a code object.
    #[must_use]
    pub fn new(graph: &'g Graph<'_>, code: &Code<'g>, profile: &'g Profile) -> Self {
        let bytes = |field| match code.object(field).map(|id| graph.value(graph.resolve(id))) {
            Some(Value::Bytes(bytes) | Value::InternedBytes(bytes)) => bytes,
            _ => &[][..],
        };
        let tuple = |field| match code.object(field).map(|id| graph.value(graph.resolve(id))) {
            Some(Value::Tuple(items)) => items,
            _ => &[][..],
        };
        let has = |field| code.object(field).is_some();
        let table = if has(Field::Linetable) { Field::Linetable } else { Field::Lnotab };
        let (variables, free) = if has(Field::Localsplusnames) {
            let all = tuple(Field::Localsplusnames);
            (all, Cow::Borrowed(all))
        } else {
            let free = match (tuple(Field::Cellvars), tuple(Field::Freevars)) {
                (cells, []) => Cow::Borrowed(cells),
                ([], free) => Cow::Borrowed(free),
                (cells, free) => Cow::Owned([cells, free].concat()),
            };
            (tuple(Field::Varnames), free)
        };
        Body {
            code: bytes(Field::Code),
            consts: tuple(Field::Consts),
            names: tuple(Field::Names),
            variables,
            free,
            line_table: bytes(table),
            exception_table: bytes(Field::Exceptiontable),
            first_line: code.ints().firstlineno,
            flags: code.ints().flags,
            set: InstructionSet::of(profile),
            profile,
        }
    }

    /// The instructions, one after the other.
    #[must_use]
    pub fn instructions(&self) -> Instructions<'g> {
        Instructions::new(self.code, self.profile)
    }

    /// The lines.
    #[must_use]
    pub fn lines(&self) -> Lines<'g> {
        Lines::new(self.line_table, self.first_line, self.code.len(), self.profile)
    }

    /// Lines and columns (3.11 and later).
    #[must_use]
    pub fn positions(&self) -> Positions<'g> {
        Positions::new(self.line_table, self.first_line, self.profile)
    }

    /// The exception handlers (3.11 and later).
    #[must_use]
    pub fn handlers(&self) -> Handlers<'g> {
        Handlers::new(self.exception_table)
    }

    /// What the tables say of one instruction after the other.
    #[must_use]
    pub fn cursor(&self) -> Cursor<'g> {
        Cursor::new(self)
    }

    /// The targets of all jumps and of the exception table.
    #[must_use]
    pub fn targets(&self) -> Targets {
        let mut targets = Targets { words: vec![0; self.code.len().div_ceil(64)] };
        self.instructions().filter_map(|it| it.target()).for_each(|target| targets.add(target));
        self.handlers().for_each(|handler| targets.add(handler.target as i64));
        targets
    }

    /// What the argument of one of these instructions stands for.
    #[must_use]
    #[inline]
    pub fn argument(&self, instruction: &Instruction<'_>) -> Argument {
        let Some(argument) = instruction.operand else { return Argument::None };
        let data = self.set.data;
        let out = Argument::OutOfRange(argument);
        let at = |list: &[NodeId], place: u32| list.get(place as usize).copied();
        let named =
            |list: &[&'static str], place: u32| list.get(place as usize).map_or(out, |name| Argument::Named(name));
        let name = |place| at(self.names, place).map_or(out, Argument::Name);
        let name_and = |place, what: Option<&'static str>| match (at(self.names, place), what) {
            (Some(id), Some(what)) => Argument::NameAnd(id, what),
            (Some(id), None) => Argument::Name(id),
            (None, _) => out,
        };
        let method = (argument & 1 != 0).then_some("NULL|self");
        match instruction.opcode().operand {
            Operand::None => Argument::None,
            Operand::Number | Operand::SmallInt | Operand::Function => Argument::Number(argument),
            Operand::Const => at(self.consts, argument).map_or(out, Argument::Const),
            Operand::Name => name(argument),
            Operand::NameAndNull => name_and(argument >> 1, (argument & 1 != 0).then_some("NULL")),
            Operand::NameAndSelf => name_and(argument >> 1, method),
            Operand::SuperName => name_and(argument >> 2, method),
            Operand::ImportName => {
                name_and(argument >> 2, [None, Some("lazy"), Some("eager"), Some("lazy")][argument as usize & 3])
            }
            Operand::Local => at(self.variables, argument).map_or(out, Argument::Variable),
            Operand::Free => at(&self.free, argument).map_or(out, Argument::Variable),
            Operand::LocalPair => match (at(self.variables, argument >> 4), at(self.variables, argument & 15)) {
                (Some(first), Some(second)) => Argument::Variables(first, second),
                _ => out,
            },
            Operand::Forward | Operand::Backward | Operand::Absolute => {
                instruction.target().map_or(out, Argument::Target)
            }
            Operand::Compare => named(data.compare, argument >> self.profile.comparison_shift()),
            Operand::Format => named(&["", "str", "repr", "ascii"], argument & 3),
            Operand::Convert => named(&["", "str", "repr", "ascii"], argument),
            Operand::Binary => named(data.binary, argument),
            Operand::Intrinsic1 => named(data.intrinsics_1, argument),
            Operand::Intrinsic2 => named(data.intrinsics_2, argument),
            Operand::Special => named(data.special, argument),
            Operand::Common => named(data.common, argument),
            Operand::Is => Argument::Named(if argument == 0 { "is" } else { "is not" }),
            Operand::Contains => Argument::Named(if argument == 0 { "in" } else { "not in" }),
        }
    }
}

/// A set of places in `co_code`.
#[derive(Debug, Clone)]
pub struct Targets {
    words: Vec<u64>,
}

impl Targets {
    /// Places outside of the code are left out.
    #[inline]
    fn add(&mut self, offset: i64) {
        if let Ok(offset) = usize::try_from(offset)
            && let Some(word) = self.words.get_mut(offset / 64)
        {
            *word |= 1 << (offset % 64);
        }
    }

    /// Whether this byte is one of them.
    #[inline]
    #[must_use]
    pub fn contains(&self, offset: usize) -> bool {
        self.words.get(offset / 64).is_some_and(|word| word >> (offset % 64) & 1 != 0)
    }
}
