//! Makes the bytes of a document.

use super::share::Walk;
use super::symbols::{Index, default_name, name_bits};
use super::{Block, Container, Document, Item, Op, Slot, Symbol, ValueId, Values};
use crate::bytecode::{AssembleError, Assembled, Assembly, InstructionSet, Operand, StackError, Step, StepArgument};
use crate::code::{self, CodeInts, Field, flag};
use crate::prelude::*;
use crate::pyc::Pyc;
use core::fmt;

/// Why a document cannot be written. Blocks and instructions are counted from 0 on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentError {
    /// There is no code object, and no other value.
    Empty,
    /// The instruction of the block cannot have this argument.
    Argument(usize, usize),
    /// The instruction of the block names what is not in its fixed list of names, constants or variables, or a variable that
    /// is neither a cell nor free.
    NotInList(usize, usize),
    /// The instructions of the block cannot be written.
    Assemble(usize, AssembleError),
    /// The stack of the block has no size that follows from the instructions.
    Stack(usize, StackError),
    /// The document has no such block.
    NoSuchBlock(usize),
    /// The block would be written twice.
    Twice(usize),
    /// An anchor is referred to before it is there.
    Anchor(u32),
    /// What is said of references belongs to other objects.
    Marks,
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DocumentError::Empty => f.write_str("there is nothing in it"),
            DocumentError::Argument(..) => f.write_str("the instruction takes another kind of argument"),
            DocumentError::NotInList(..) => f.write_str("the argument is not in the list that it is an index of"),
            DocumentError::Assemble(_, error) => error.fmt(f),
            DocumentError::Stack(_, error) => {
                let why = match error {
                    StackError::Unknown(step) => format!("nobody says what instruction {step} does to it"),
                    StackError::Underflow(step) => format!("instruction {step} takes more values than there are"),
                    StackError::Endless(step) => format!("it grows each time that instruction {step} is reached"),
                    StackError::NoSuchLabel(step) => format!("instruction {step} goes to a label that is not there"),
                };
                write!(f, "the stack has no size that follows ({why}); .stacksize says one")
            }
            DocumentError::NoSuchBlock(block) => write!(f, "there is no code object number {block}"),
            DocumentError::Twice(_) => f.write_str("the code object is in two places, and one of them is no reference"),
            DocumentError::Anchor(name) => write!(f, "*{name} comes before &{name}"),
            DocumentError::Marks => {
                f.write_str("a directive .refs is about other objects; without it the usual ones are written")
            }
        }
    }
}

impl core::error::Error for DocumentError {}

/// The fields of a code object.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    pub(super) ints: CodeInts,
    pub(super) parts: Vec<ValueId>,
}

/// What follows from the other blocks.
pub(super) struct Context {
    /// The block that refers to each block first.
    parents: Vec<Option<usize>>,
    qualnames: Vec<Option<String>>,
}

impl Context {
    pub(super) fn new(document: &Document) -> Context {
        let mut parents = vec![None; document.blocks.len()];
        for (place, block) in document.blocks.iter().enumerate() {
            let used = block.ops.iter().filter_map(|op| match op.operand {
                Symbol::Const(value) => Some(value),
                _ => None,
            });
            let said = block.consts.iter().flatten().copied();
            let field = block.field(Field::Consts).map(|field| super::symbols::parts(&document.values, field));
            for value in said.chain(field.into_iter().flatten()).chain(used) {
                if let Item::Code(inner) = *document.values.item(value)
                    && inner != place
                    && let Some(parent) = parents.get_mut(inner)
                {
                    parent.get_or_insert(place);
                }
            }
        }
        Context { parents, qualnames: vec![None; document.blocks.len()] }
    }

    pub(super) fn name(&self, document: &mut Document, place: usize) -> ValueId {
        let block = &document.blocks[place];
        match block.name {
            Some(name) => name,
            None => document.values.text_of(&default_name(&block.label), Slot::Name),
        }
    }

    pub(super) fn filename(&self, document: &mut Document) -> ValueId {
        match document.blocks.first().and_then(|first| first.filename) {
            Some(name) => name,
            None => document.values.text_of("<asm>", Slot::Filename),
        }
    }

    pub(super) fn qualname(&mut self, document: &mut Document, place: usize) -> ValueId {
        // Up to the first that is known, and down again.
        let mut chain = vec![place];
        let mut outer = None;
        while let Some(parent) = self.parents[*chain.last().unwrap_or(&place)] {
            let block = &document.blocks[parent];
            let said = block.qualname.map(|name| document.values.text(name).unwrap_or_default());
            outer = said.or_else(|| self.qualnames[parent].clone());
            if outer.is_some() || chain.contains(&parent) {
                break;
            }
            chain.push(parent);
        }
        for &place in chain.iter().rev() {
            let name = document.blocks[place].name_text(&document.values);
            let parent = self.parents[place].map(|parent| &document.blocks[parent]);
            let path = match (outer, parent) {
                (Some(outer), Some(parent)) if parent.name_text(&document.values) != "<module>" => {
                    let flags = parent.flags.unwrap_or_else(|| parent.default_flags(&document.values));
                    let between = if flags & flag::OPTIMIZED != 0 { ".<locals>." } else { "." };
                    format!("{outer}{between}{name}")
                }
                _ => name,
            };
            self.qualnames[place] = Some(path.clone());
            outer = Some(path);
        }
        document.values.text_of(&outer.unwrap_or_default(), Slot::Qualname)
    }
}

/// The lists of a block, and what its instructions count in them.
struct Lists {
    consts: Index<ValueId>,
    names: Index<String>,
    locals: Index<String>,
    /// Cells and free variables; since 3.11 all variables.
    free: Index<String>,
    /// The arguments, or the instruction that cannot have its own.
    arguments: Result<Vec<StepArgument>, DocumentError>,
}

impl Document {
    /// The bytes of the file.
    ///
    /// # Errors
    /// When what the blocks say contradicts itself.
    pub fn write(&self) -> Result<Vec<u8>, DocumentError> {
        let mut copy = self.clone();
        let mut out = match &self.container {
            Container::Bare => Vec::new(),
            Container::Pyc(header) => Pyc::new(self.profile(), *header, &[]).to_bytes(),
            Container::Other(bytes) => bytes.clone(),
        };
        match &self.stream {
            Some(stream) => out.extend_from_slice(stream),
            None => out.extend(copy.stream()?),
        }
        out.extend_from_slice(&self.trailing);
        Ok(out)
    }

    fn stream(&mut self) -> Result<Vec<u8>, DocumentError> {
        let root = match self.root {
            Some(root) => root,
            None if self.blocks.is_empty() => return Err(DocumentError::Empty),
            None => self.code(0),
        };
        let mut context = Context::new(self);
        let mut fields = Vec::with_capacity(self.blocks.len());
        for place in 0..self.blocks.len() {
            fields.push(self.assemble_block(place, &mut context)?);
        }
        let walk = Walk::new(&self.values, &fields, &self.marks, &self.blocks, None);
        Ok(walk.run(root)?.0)
    }

    /// The code object of a block.
    pub(super) fn assemble_block(&mut self, place: usize, context: &mut Context) -> Result<Fields, DocumentError> {
        let lists = self.lists(place);
        let arguments = lists.arguments.clone()?;
        let (name, filename) = (context.name(self, place), context.filename(self));
        let qualname = match self.blocks[place].qualname {
            Some(name) => name,
            None if self.profile().has_localsplus() => context.qualname(self, place),
            None => name,
        };
        let profile = self.values.profile.clone();
        let block = &self.blocks[place];
        let flags = block.flags.unwrap_or_else(|| block.default_flags(&self.values));
        let assembly = block.assembly(&arguments, &self.values, &profile);
        let error = |error| DocumentError::Assemble(place, error);
        let Assembled { code, line_table, exception_table } = assembly.assemble().map_err(error)?;
        let stacksize = match block.stacksize {
            Some(size) => size,
            None => {
                let (size, _) = assembly.stack(flags).map_err(|error| DocumentError::Stack(place, error))?;
                i32::try_from(size).unwrap_or(i32::MAX)
            }
        };
        let count = |names: usize| i32::try_from(names).unwrap_or(i32::MAX);
        let [argcount, posonlyargcount, kwonlyargcount] = block.counts.unwrap_or_else(|| block.signature.counts());
        let nlocals = if profile.has_localsplus() { 0 } else { count(lists.locals.items.len()) };
        let nlocals = block.nlocals.unwrap_or(nlocals);
        let firstlineno = block.line;
        let ints = CodeInts { argcount, posonlyargcount, kwonlyargcount, nlocals, stacksize, flags, firstlineno };
        let block_filename = block.filename.unwrap_or(filename);
        let (cells, free) = (block.cells.clone(), block.free.clone());
        let kinds = block.kinds(lists.locals.items.len(), &lists.free.items, &profile);
        let parts = code::fields(profile.code_layout)
            .iter()
            .map(|field| {
                if let Some(value) = self.blocks[place].field(*field) {
                    return value;
                }
                let values = &mut self.values;
                match field {
                    Field::Code => values.bytes_in(&code, Slot::Code),
                    Field::Consts => values.tuple(&lists.consts.known()),
                    Field::Names => values.names(&lists.names.known()),
                    Field::Varnames => values.names(&lists.locals.known()),
                    Field::Localsplusnames => values.names(&lists.free.known()),
                    Field::Freevars => values.names(&free),
                    Field::Cellvars => values.names(&cells),
                    Field::Localspluskinds => values.bytes_in(&kinds, Slot::Kinds),
                    Field::Filename => block_filename,
                    Field::Name => name,
                    Field::Qualname => qualname,
                    Field::Lnotab | Field::Linetable => values.bytes_in(&line_table, Slot::Lines),
                    Field::Exceptiontable => values.bytes_in(&exception_table, Slot::Handlers),
                }
            })
            .collect();
        Ok(Fields { ints, parts })
    }

    /// How deep the stack is before each instruction; nothing where nothing leads.
    pub(super) fn depths(&mut self, place: usize) -> Result<Vec<Option<u32>>, DocumentError> {
        if self.blocks.len() <= place {
            return Err(DocumentError::NoSuchBlock(place));
        }
        let arguments = self.lists(place).arguments?;
        let profile = self.values.profile.clone();
        let block = &self.blocks[place];
        let flags = block.flags.unwrap_or_else(|| block.default_flags(&self.values));
        let assembly = block.assembly(&arguments, &self.values, &profile);
        let (_, depths) = assembly.stack(flags).map_err(|error| DocumentError::Stack(place, error))?;
        Ok(depths)
    }

    /// A field that is a list, as it follows.
    pub(super) fn list(&mut self, place: usize, field: Field) -> Option<ValueId> {
        let lists = self.lists(place);
        let block = &self.blocks[place];
        let names = match field {
            Field::Consts => return Some(self.values.tuple(&lists.consts.known())),
            Field::Names => lists.names.known(),
            Field::Varnames => lists.locals.known(),
            Field::Cellvars => block.cells.clone(),
            Field::Freevars => block.free.clone(),
            _ => return None,
        };
        Some(self.values.names(&names))
    }

    /// The variables and their kinds, as they follow (3.11 and later).
    pub(super) fn localsplus(&mut self, place: usize) -> Option<(ValueId, ValueId)> {
        let lists = self.lists(place);
        let block = &self.blocks[place];
        let kinds = block.kinds(lists.locals.items.len(), &lists.free.items, &self.values.profile);
        let names = self.values.names(&lists.free.known());
        Some((names, self.values.bytes_in(&kinds, Slot::Kinds)))
    }

    fn lists(&mut self, block_place: usize) -> Lists {
        let block = &self.blocks[block_place];
        let values = &mut self.values;
        let set = InstructionSet::of(&values.profile);
        let mut consts = block.first_consts(values);
        let mut names = block.first_names(values);
        let mut locals = block.first_locals(values);
        let is_new = values.profile.has_localsplus();
        if is_new && locals.is_open {
            let is_other = |name: &String| block.cells.contains(name) || block.free.contains(name);
            for op in &block.ops {
                let operand = set.opcode(op.opcode).operand;
                let used = match (&op.operand, operand) {
                    (Symbol::Variable(name), Operand::Local) => [Some(name), None],
                    (Symbol::Variables(first, second), Operand::LocalPair) => [Some(first), Some(second)],
                    _ => [None, None],
                };
                for name in used.into_iter().flatten().filter(|name| !is_other(name)) {
                    locals.place_or_push(name);
                }
            }
        }
        let mut free = match (is_new, locals.is_open) {
            (true, true) => block.all_variables(&locals),
            (true, false) => locals.clone(),
            (false, _) => block.cells_and_free(values),
        };
        let mut argument = |number: usize, op: &Op| -> Result<StepArgument, DocumentError> {
            let operand = set.opcode(op.opcode).operand;
            let locals = if is_new { &mut free } else { &mut locals };
            let place = match (&op.operand, operand) {
                (Symbol::None, _) => return Ok(StepArgument::None),
                (Symbol::Number(number), _) => return Ok(StepArgument::Number(*number)),
                (Symbol::Jump(label), operand) if operand.is_place() => return Ok(StepArgument::Jump(*label)),
                (Symbol::Const(value), Operand::Const) => consts.place_or_push(value),
                (Symbol::Name(name, low), operand) if name_bits(operand).is_some() => {
                    let bits = name_bits(operand).unwrap_or_default();
                    names.place_or_push(name).map(|place| place << bits | *low as usize)
                }
                (Symbol::Variable(name), Operand::Local) => locals.place_or_push(name),
                (Symbol::Variable(name), Operand::Free) => free.place(name),
                (Symbol::Variables(first, second), Operand::LocalPair) => {
                    let (first, second) = (locals.place_or_push(first), locals.place_or_push(second));
                    first.zip(second).filter(|(_, second)| *second < 16).map(|(a, b)| a << 4 | b)
                }
                _ => return Err(DocumentError::Argument(block_place, number)),
            };
            let place_of = place.and_then(|place| u32::try_from(place).ok());
            place_of.map(StepArgument::Number).ok_or(DocumentError::NotInList(block_place, number))
        };
        let arguments = block.ops.iter().enumerate().map(|(number, op)| argument(number, op)).collect();
        Lists { consts, names, locals, free, arguments }
    }
}

impl Block {
    fn assembly<'p>(
        &self,
        arguments: &[StepArgument],
        values: &Values,
        profile: &'p crate::profile::Profile,
    ) -> Assembly<'p> {
        let mut assembly = Assembly::new(profile, self.line);
        let residue = &mut assembly.residue;
        for (place, op) in self.ops.iter().enumerate() {
            let Some(extra) = &op.extra else { continue };
            if let Some(prefixes) = extra.prefixes {
                residue.prefixes.insert(place, prefixes);
            }
            if let Some(unused) = extra.unused {
                residue.unused.insert(place, unused);
            }
            if let Some(caches) = &extra.caches {
                residue.caches.insert(place, caches.clone());
            }
            if let Some(pairs) = &extra.line_pairs {
                residue.line_pairs.insert(place, pairs.as_chunks::<2>().0.to_vec());
            }
        }
        let bytes = |field| self.field(field).and_then(|id| values.payload(id)).map(<[u8]>::to_vec);
        residue.tail.clone_from(&self.tail);
        residue.last_line_pairs.clone_from(&self.last_line_pairs);
        residue.code = bytes(Field::Code);
        residue.line_table = bytes(Field::Linetable).or_else(|| bytes(Field::Lnotab));
        residue.exception_table = bytes(Field::Exceptiontable);
        let steps = self.ops.iter().zip(arguments).map(|(op, argument)| Step {
            label: op.label,
            opcode: op.opcode,
            argument: *argument,
            place: op.place,
        });
        assembly.steps = steps.collect();
        assembly.end = self.end;
        assembly.regions.clone_from(&self.regions);
        assembly
    }
}
