//! What can be wrong with a code object, and how it is said.

use crate::prelude::*;
use core::fmt;

/// A way in which code can end an interpreter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // each is explained by a row of KINDS
pub enum Kind {
    StackUnderflow,
    StackOverflow,
    StackMismatch,
    JumpTarget,
    RunsOff,
    CutInstruction,
    InternalOpcode,
    ConstantIndex,
    NameIndex,
    VariableIndex,
    Operand,
    UnboundLocal,
    NullValue,
    ValueKind,
    BorrowedReference,
    GeneratorOnly,
    BlockStack,
    HandlerTable,
    HandlerDepth,
    LineTable,
    Closure,
    Counts,
    StackSize,
    Sequence,
    LeftOver,
    TooComplex,
}

/// What is told of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// The kind.
    pub kind: Kind,
    /// Its name in reports and JSON.
    pub name: &'static str,
    /// What goes wrong.
    pub explanation: &'static str,
}

const fn about(kind: Kind, name: &'static str, explanation: &'static str) -> About {
    About { kind, name, explanation }
}

/// All kinds, in the order of their variants.
#[rustfmt::skip]
pub static KINDS: [About; 26] = [
    about(Kind::StackUnderflow, "stack-underflow", "An instruction takes more values than the stack has; it takes local variables or what lies before them."),
    about(Kind::StackOverflow, "stack-overflow", "The stack gets deeper than co_stacksize; values are written behind the frame."),
    about(Kind::StackMismatch, "stack-mismatch", "Two ways lead to one instruction with stacks of different depth, so that one of them goes wrong later."),
    about(Kind::JumpTarget, "jump-target", "A jump or handler goes to where no instruction begins: outside of the code, into an instruction or into its caches."),
    about(Kind::RunsOff, "runs-off", "The code goes on behind its end, where other memory is executed."),
    about(Kind::CutInstruction, "cut-instruction", "The code ends inside an instruction or its caches."),
    about(Kind::InternalOpcode, "internal-opcode", "Only the interpreter writes this instruction, into its own copy, and trusts what it wrote: specialized, instrumented, executors, caches."),
    about(Kind::ConstantIndex, "constant-index", "An operand counts beyond co_consts."),
    about(Kind::NameIndex, "name-index", "An operand counts beyond co_names."),
    about(Kind::VariableIndex, "variable-index", "An operand counts beyond the variables, or names one of another kind."),
    about(Kind::Operand, "operand", "An operand is outside of the interpreter's own table, or of what the instruction can do."),
    about(Kind::UnboundLocal, "unbound-local", "A variable is read that may have no value, by an instruction that does not look."),
    about(Kind::NullValue, "null-value", "An instruction takes a NULL where it needs an object."),
    about(Kind::ValueKind, "value-kind", "An instruction trusts the type of a value without a check, and the value may have another one."),
    about(Kind::BorrowedReference, "borrowed-reference", "A value is borrowed from a variable that changes while it is in use."),
    about(Kind::GeneratorOnly, "generator-only", "An instruction for generators is reached where the frame is none, or one that makes a generator where it is one."),
    about(Kind::BlockStack, "block-stack", "The blocks of a frame (up to 3.10) do not fit: none to pop, one of another kind, more than 20, or others on another way."),
    about(Kind::HandlerTable, "handler-table", "The exception table is cut short, out of order, outside of the code, or its entries are not marked where they begin."),
    about(Kind::HandlerDepth, "handler-depth", "An exception handler counts on more values than the stack has where the exception comes from."),
    about(Kind::LineTable, "line-table", "The line table ends inside an entry; tracebacks read behind it."),
    about(Kind::Closure, "closure", "A function is made or run without the cells that its code takes from its closure."),
    about(Kind::Counts, "counts", "The numbers of arguments and variables contradict each other."),
    about(Kind::StackSize, "stack-size", "co_stacksize is negative, or so large that no frame can be made."),
    about(Kind::Sequence, "sequence", "An instruction has to stand before or behind a certain other one."),
    about(Kind::LeftOver, "left-over", "A frame is left while values are on its stack; only debug builds (of 3.9 and later) end there."),
    about(Kind::TooComplex, "too-complex", "The code needs more steps than the verifier takes."),
];

impl Kind {
    /// Its row of the table.
    #[must_use]
    pub fn about(self) -> &'static About {
        &KINDS[self as usize]
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.about().name
    }
}

/// What the verifier knows of a violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Certainty {
    /// An interpreter that executes it breaks a rule that its memory depends on.
    Crash,
    /// It may be harmless; the verifier does not follow it.
    CannotTell,
}

impl Certainty {
    /// Its name in reports and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Certainty::Crash => "crash",
            Certainty::CannotTell => "cannot-tell",
        }
    }
}

/// What a sentence needs besides the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    None,
    Number(i64),
    /// What is there, and what may be there or is needed.
    Numbers(i64, i64),
    /// What is needed.
    Word(&'static str),
    /// What is needed, and what is there.
    Words(&'static str, &'static str),
}

/// One thing that is wrong. Its text is a sentence without the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation {
    /// What kind of thing.
    pub kind: Kind,
    /// The instruction, by its offset in `co_code` in bytes; `None` if it is about the code object as a whole.
    pub offset: Option<usize>,
    /// Whether it does crash.
    pub certainty: Certainty,
    /// The name of the instruction's opcode; empty if it is about none.
    pub opcode: &'static str,
    pub(super) detail: Detail,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let op = if self.opcode.is_empty() { "it" } else { self.opcode };
        match (self.kind, self.detail) {
            (Kind::StackUnderflow, Detail::Numbers(takes, has)) => {
                write!(f, "{op} takes {takes} values of {has}")
            }
            (Kind::StackOverflow, Detail::Numbers(deep, most)) => {
                write!(f, "the stack gets {deep} deep, and co_stacksize is {most}")
            }
            (Kind::StackMismatch, Detail::Numbers(one, other)) => {
                write!(f, "the stack is {one} deep on one way to here and {other} on another")
            }
            (Kind::JumpTarget, Detail::Number(to)) => write!(f, "{op} goes to {to}, where no instruction begins"),
            (Kind::RunsOff, _) => write!(f, "the code goes on behind its end"),
            (Kind::CutInstruction, _) => write!(f, "the code ends inside {op}"),
            (Kind::InternalOpcode, _) => write!(f, "only the interpreter itself writes {op}"),
            (Kind::ConstantIndex, Detail::Numbers(index, most)) => {
                write!(f, "{op} takes constant {index} of {most}")
            }
            (Kind::NameIndex, Detail::Numbers(index, most)) => {
                write!(f, "{op} takes name {index} of {most}")
            }
            (Kind::VariableIndex, Detail::Numbers(index, most)) => {
                write!(f, "{op} takes variable {index} of {most}")
            }
            (Kind::Operand, Detail::Number(operand)) => write!(f, "{op} cannot have the operand {operand}"),
            (Kind::UnboundLocal, Detail::Number(index)) => {
                write!(f, "{op} does not check that variable {index} has a value, and it may have none")
            }
            (Kind::NullValue, _) => write!(f, "{op} takes an object, and there may be NULL"),
            (Kind::ValueKind, Detail::Words(wanted, found)) => write!(f, "{op} trusts that {found} is {wanted}"),
            (Kind::BorrowedReference, Detail::Number(index)) => {
                write!(f, "{op} changes variable {index} while its value is borrowed")
            }
            (Kind::BorrowedReference, _) => write!(f, "{op} keeps a value that is borrowed"),
            (Kind::GeneratorOnly, Detail::Word(word)) => write!(f, "{op} is reached in {word}"),
            (Kind::HandlerDepth, Detail::Numbers(depth, has)) => {
                write!(f, "the exception handler keeps {depth} values, and {op} leaves {has}")
            }
            (Kind::Counts, Detail::Numbers(arguments, variables)) => {
                write!(f, "there are {arguments} arguments and {variables} variables")
            }
            (Kind::StackSize, Detail::Number(size)) => write!(f, "co_stacksize is {size}"),
            (Kind::Closure, Detail::Numbers(takes, has)) => {
                write!(f, "the code takes {takes} cells from its closure, and {op} gives {has}")
            }
            (Kind::Sequence, Detail::Word(word)) => write!(f, "{op} has to stand {word}"),
            (Kind::LeftOver, Detail::Number(count)) => write!(f, "{op} leaves {count} values on the stack"),
            (Kind::TooComplex, Detail::Number(steps)) => write!(f, "more than {steps} steps are needed"),
            (_, Detail::Word(word)) => f.write_str(word),
            (kind, _) => f.write_str(kind.about().explanation),
        }
    }
}

/// Why a code object is not safe: at least one violation, by their offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violations {
    all: Vec<Violation>,
    more: usize,
}

/// So many are kept of one code object.
const MOST: usize = 32;

impl Violations {
    /// Of what was found; `None` if that is nothing.
    pub(super) fn of(mut all: Vec<Violation>, more: usize) -> Option<Violations> {
        all.sort_by_key(|it| (it.offset, it.kind, it.certainty));
        all.dedup();
        (!all.is_empty()).then_some(Violations { all, more })
    }

    pub(super) fn one(violation: Violation) -> Violations {
        Violations { all: vec![violation], more: 0 }
    }

    /// All that are kept.
    pub fn iter(&self) -> impl Iterator<Item = &Violation> {
        self.all.iter()
    }

    /// How many more there are that are not kept.
    #[must_use]
    pub fn more(&self) -> usize {
        self.more
    }

    /// [`Certainty::Crash`] if one of them does crash.
    #[must_use]
    pub fn certainty(&self) -> Certainty {
        self.iter().map(|it| it.certainty).min().unwrap_or(Certainty::CannotTell)
    }
}

/// Collects violations.
#[derive(Default)]
pub(super) struct Sink {
    all: Vec<Violation>,
    more: usize,
}

impl Sink {
    pub(super) fn put(&mut self, violation: Violation) {
        if self.all.contains(&violation) {
            return;
        }
        if self.all.len() < MOST {
            self.all.push(violation);
        } else {
            self.more += 1;
        }
    }

    pub(super) fn finish(self) -> Option<Violations> {
        Violations::of(self.all, self.more)
    }
}
