//! Code objects from nothing: instructions by name, constants by value, names and variables by text, jumps by label.
//!
//! ```
//! use pyc_core::bytecode::{Builder, Given};
//! use pyc_core::{Graph, Profile, Version};
//! let profile = Profile::of(Version::new(3, 12)).unwrap();
//! let mut graph = Graph::new(profile);
//! let one = graph.int(1);
//! let mut builder = Builder::new(profile, 1);
//! builder.op("RESUME", Given::Number(0))?;
//! builder.op("LOAD_CONST", Given::Const(one))?;
//! builder.op("RETURN_VALUE", Given::None)?;
//! let code = builder.finish(&mut graph, "f", "f.py", 0)?;
//! graph.set_root(code);
//! assert_eq!(pyc_core::bytecode::listing(&graph, code, profile).text.lines().count(), 3);
//! # Ok::<(), pyc_core::bytecode::BuildError>(())
//! ```

use super::assembly::{AssembleError, Assembled, Assembly, Label, Place, Step, StepArgument};
use super::{InstructionSet, Operand, StackError};
use crate::code::{CodeInts, Field, fields, kind};
use crate::graph::{Graph, NodeId};
use crate::prelude::*;
use crate::profile::Profile;
use core::fmt;

/// The argument of an instruction, as it is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given<'a> {
    /// None.
    None,
    /// This number.
    Number(u32),
    /// This constant.
    Const(NodeId),
    /// This name.
    Name(&'a str),
    /// This name, with the lowest bit set: `LOAD_GLOBAL` pushes a NULL, `LOAD_ATTR` loads a method.
    NameAnd(&'a str),
    /// This local variable.
    Local(&'a str),
    /// This place.
    Jump(Label),
}

/// Why a code object cannot be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildError {
    /// The version has no opcode of this name.
    NoSuchOpcode(String),
    /// The opcode of this name takes another kind of argument: this one.
    Argument(String, Operand),
    /// The instructions cannot be written.
    Assemble(AssembleError),
    /// The stack has no size.
    Stack(StackError),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::NoSuchOpcode(name) => write!(f, "there is no opcode {name} in this version"),
            BuildError::Argument(name, operand) => write!(f, "{name} takes another argument: {operand:?}"),
            BuildError::Assemble(error) => error.fmt(f),
            BuildError::Stack(error) => write!(f, "the stack has no size: {error:?}"),
        }
    }
}

impl core::error::Error for BuildError {}

impl From<AssembleError> for BuildError {
    fn from(error: AssembleError) -> Self {
        BuildError::Assemble(error)
    }
}

/// A code object that is being built.
#[derive(Debug, Clone)]
pub struct Builder<'p> {
    assembly: Assembly<'p>,
    consts: Vec<NodeId>,
    names: Vec<String>,
    locals: Vec<String>,
    line: i32,
    labels: u32,
    /// The label of the next instruction.
    next: Option<Label>,
}

impl<'p> Builder<'p> {
    /// An empty code object, defined in this line.
    #[must_use]
    pub fn new(profile: &'p Profile, line: i32) -> Self {
        let (consts, names, locals) = (Vec::new(), Vec::new(), Vec::new());
        Builder { assembly: Assembly::new(profile, line), consts, names, locals, line, labels: 0, next: None }
    }

    /// What is next comes from this line.
    pub fn line(&mut self, line: i32) {
        self.line = line;
    }

    /// A new label, for a place that may come later.
    pub fn label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels)
    }

    /// The label for what is next: this one, or the one that what is next has already.
    pub fn here(&mut self, label: Label) -> Label {
        *self.next.get_or_insert(label)
    }

    /// Adds an instruction.
    ///
    /// # Errors
    /// When the version has no such opcode, or it takes another kind of argument.
    pub fn op(&mut self, name: &str, given: Given<'_>) -> Result<(), BuildError> {
        let set = InstructionSet::of(self.assembly.profile);
        let opcode = set.named(name).ok_or_else(|| BuildError::NoSuchOpcode(name.into()))?;
        let operand = set.opcode(opcode).operand;
        let argument = match (given, operand) {
            (Given::None, Operand::None) => StepArgument::None,
            (Given::Number(number), operand) if operand != Operand::None => StepArgument::Number(number),
            (Given::Const(id), Operand::Const) => StepArgument::Number(place(&mut self.consts, id)),
            (Given::Name(text) | Given::NameAnd(text), _) if name_bits(operand).is_some() => {
                let bit = u32::from(matches!(given, Given::NameAnd(_)));
                let bits = name_bits(operand).unwrap_or(0);
                StepArgument::Number(place(&mut self.names, text.into()) << bits | bit)
            }
            (Given::Local(text), Operand::Local) => StepArgument::Number(place(&mut self.locals, text.into())),
            (Given::Jump(label), operand) if operand.is_place() => StepArgument::Jump(label),
            _ => return Err(BuildError::Argument(name.into(), operand)),
        };
        let is_new = self.assembly.steps.last().is_none_or(|last| last.place.line != Some(self.line));
        // Up to 3.9 a line is where it begins.
        let line = (is_new || self.assembly.profile.has_lines()).then_some(self.line);
        let end_line = self.assembly.profile.has_positions().then_some(self.line);
        let place = Place { line, end_line, column: None, end_column: None };
        self.assembly.steps.push(Step { label: self.next.take(), opcode, argument, place });
        Ok(())
    }

    /// The code object, with all that follows from its instructions: prefixes, jumps, caches, tables, the depth of the stack.
    /// It takes no arguments; its variables are those that were named.
    ///
    /// # Errors
    /// When a label is missing, a jump cannot be written, or the stack has no size.
    pub fn finish(mut self, graph: &mut Graph<'_>, name: &str, file: &str, flags: i32) -> Result<NodeId, BuildError> {
        self.assembly.end = self.next;
        let Assembled { code, line_table, exception_table } = self.assembly.assemble()?;
        let (stacksize, _) = self.assembly.stack(flags).map_err(BuildError::Stack)?;
        let mut texts = |texts: &[String]| {
            let ids: Vec<NodeId> = texts.iter().map(|text| graph.str(text)).collect();
            graph.tuple(&ids)
        };
        let (names, locals) = (texts(&self.names), texts(&self.locals));
        let kinds = vec![kind::LOCAL; self.locals.len()];
        let object = |field: &Field| match field {
            Field::Code => graph.bytes(&code),
            Field::Consts => graph.tuple(&self.consts),
            Field::Names => names,
            Field::Varnames | Field::Localsplusnames => locals,
            Field::Freevars | Field::Cellvars => graph.tuple(&[]),
            Field::Localspluskinds => graph.bytes(&kinds),
            Field::Filename => graph.str(file),
            Field::Name | Field::Qualname => graph.str(name),
            Field::Lnotab | Field::Linetable => graph.bytes(&line_table),
            Field::Exceptiontable => graph.bytes(&exception_table),
        };
        let layout = self.assembly.profile.code_layout;
        let objects: Vec<NodeId> = fields(layout).iter().map(object).collect();
        let ints = CodeInts {
            nlocals: i32::try_from(self.locals.len()).unwrap_or(i32::MAX),
            stacksize: i32::try_from(stacksize).unwrap_or(i32::MAX),
            flags,
            firstlineno: self.assembly.first_line,
            ..CodeInts::default()
        };
        // Every field of the layout is there.
        Ok(graph.code(ints, &objects).unwrap_or_else(|| graph.none()))
    }
}

/// How many bits of an argument are below the index of a name; `None` if there is no name in it.
fn name_bits(operand: Operand) -> Option<u32> {
    match operand {
        Operand::Name => Some(0),
        Operand::NameAndNull | Operand::NameAndSelf => Some(1),
        Operand::SuperName | Operand::ImportName => Some(2),
        _ => None,
    }
}

/// The place of an item in a list, at whose end it is put if it is new.
fn place<T: PartialEq>(list: &mut Vec<T>, item: T) -> u32 {
    let at = list.iter().position(|known| *known == item).unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    });
    u32::try_from(at).unwrap_or(u32::MAX)
}
