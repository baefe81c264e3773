//! Code objects as people think of them: constants by value, names by text, jumps by label.
//!
//! A [`Document`] is a whole file. Each of its code objects is a [`Block`], in which everything is left out that follows from
//! the rest as the compiler of that version would have it. So a block can be changed, or written from nothing, and what
//! follows is worked out anew; and what was read and not changed is written as the very bytes that it was.

mod apart;
mod builder;
mod edit;
mod flow;
mod share;
mod symbols;
mod together;
mod values;

use super::{Label, Place, Region};
use crate::code::Field;
use crate::prelude::*;
use crate::profile::Profile;
use crate::pyc::Header;
use alloc::collections::BTreeMap;

pub(crate) use share::Mark;
pub(crate) use values::{Item, bytes_code, digits_of, encode, text_code, tuple_code};

pub use builder::Builder;
pub use edit::OpError;
pub use flow::BasicBlock;
pub use together::DocumentError;
pub use values::{ValueId, Values};

/// What is in front of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Container {
    /// Nothing.
    Bare,
    /// The header of a .pyc file.
    Pyc(Header),
    /// These bytes.
    Other(Vec<u8>),
}

/// A file: code objects and what is around them.
#[derive(Debug, Clone)]
pub struct Document {
    /// What is in front of the stream.
    pub container: Container,
    /// The code objects. The first one is the whole value, unless [`Document::root`] says otherwise.
    pub blocks: Vec<Block>,
    /// The whole value, if it is not the first block.
    pub root: Option<ValueId>,
    /// What follows the stream.
    pub trailing: Vec<u8>,
    /// The values that blocks refer to.
    pub values: Values,
    /// How the objects outside of blocks are written, where that is not as usual.
    pub(crate) marks: BTreeMap<usize, Mark>,
    /// The stream as it is, where it has objects that are cut short.
    pub(crate) stream: Option<Vec<u8>>,
}

/// A code object.
#[derive(Debug, Clone)]
pub struct Block {
    /// What other blocks call it.
    pub label: String,
    /// `co_name`; follows from the label.
    pub name: Option<ValueId>,
    /// `co_qualname`; follows from the name and from who refers to the block.
    pub qualname: Option<ValueId>,
    /// `co_filename`; follows from the first block, and there is `"<asm>"`.
    pub filename: Option<ValueId>,
    /// `co_firstlineno`
    pub line: i32,
    /// The arguments.
    pub signature: Signature,
    /// Numbers of arguments that do not follow from the signature: positional, of these positional-only, keyword-only.
    pub counts: Option<[i32; 3]>,
    /// Local variables that come first, after the arguments. Others follow in the order of their first use.
    pub locals: Vec<String>,
    /// Variables that inner functions use.
    pub cells: Vec<String>,
    /// Variables of outer functions.
    pub free: Vec<String>,
    /// Local variables of inlined comprehensions outside of functions (3.12 and later).
    pub hidden: Vec<String>,
    /// The docstring, as the first constant.
    pub doc: Option<ValueId>,
    /// Constants that come first; other ones follow in the order of their first use. Without a list: None where the version
    /// has it in the place of a docstring.
    pub consts: Option<Vec<ValueId>>,
    /// Names that come first.
    pub names: Vec<String>,
    /// `co_flags`; follows from the name, the signature and the variables.
    pub flags: Option<i32>,
    /// `co_stacksize`; follows from the instructions.
    pub stacksize: Option<i32>,
    /// `co_nlocals`; follows from the variables.
    pub nlocals: Option<i32>,
    /// Fields that are not what follows.
    pub fields: Vec<(Field, ValueId)>,
    /// The instructions.
    pub ops: Vec<Op>,
    /// What the end of the code is called.
    pub end: Option<Label>,
    /// The exception handlers (3.11 and later).
    pub regions: Vec<Region>,
    /// Bytes behind the last instruction.
    pub tail: Vec<u8>,
    /// Pairs of `co_lnotab` behind those that lead to an instruction.
    pub last_line_pairs: Vec<u8>,
    /// How its objects are written, where that is not as usual.
    pub(crate) marks: BTreeMap<usize, Mark>,
}

/// The arguments of a function.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signature {
    /// Those that may be given by place.
    pub positional: Vec<String>,
    /// So many of these may not be given by name.
    pub positional_only: usize,
    /// `*args`
    pub rest: Option<String>,
    /// Those that must be given by name.
    pub keyword_only: Vec<String>,
    /// `**kwargs`
    pub keywords: Option<String>,
}

/// An instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Op {
    /// What others call this place.
    pub label: Option<Label>,
    /// Its number.
    pub opcode: u8,
    /// Its argument.
    pub operand: Symbol,
    /// Where it comes from.
    pub place: Place,
    /// What compilers do not write.
    pub extra: Option<Box<Extra>>,
}

/// The argument of an instruction, as it is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Symbol {
    /// None.
    None,
    /// A number; where others are meant, the one that is written.
    Number(u32),
    /// A constant.
    Const(ValueId),
    /// A name, and the bits that are below its index.
    Name(String, u32),
    /// A variable.
    Variable(String),
    /// Two variables.
    Variables(String, String),
    /// A place.
    Jump(Label),
}

/// What compilers do not write, or only by accident.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extra {
    /// So many prefixes, which are more than needed.
    pub prefixes: Option<usize>,
    /// The byte in the place of an argument, where the opcode takes none.
    pub unused: Option<u8>,
    /// Inline caches that are not all zeros, or cut short.
    pub caches: Option<Vec<u8>>,
    /// The pairs of `co_lnotab` that lead here, where a compiler writes others.
    pub line_pairs: Option<Vec<u8>>,
}

/// Where a value is, which decides how compilers' output has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    Root,
    Code,
    Consts,
    Names,
    Kinds,
    Filename,
    Name,
    Qualname,
    Lines,
    Handlers,
}

impl Slot {
    pub(crate) fn of(field: Field) -> Slot {
        match field {
            Field::Code => Slot::Code,
            Field::Consts => Slot::Consts,
            Field::Names | Field::Varnames | Field::Freevars | Field::Cellvars | Field::Localsplusnames => Slot::Names,
            Field::Localspluskinds => Slot::Kinds,
            Field::Filename => Slot::Filename,
            Field::Name => Slot::Name,
            Field::Qualname => Slot::Qualname,
            Field::Lnotab | Field::Linetable => Slot::Lines,
            Field::Exceptiontable => Slot::Handlers,
        }
    }
}

impl Document {
    /// A .pyc file without code objects.
    #[must_use]
    pub fn new(profile: &Profile) -> Document {
        Document {
            container: Container::Pyc(Header::MtimeSize { flags: 0, mtime: 0, size: 0 }),
            blocks: Vec::new(),
            root: None,
            trailing: Vec::new(),
            values: Values::new(profile.clone()),
            marks: BTreeMap::new(),
            stream: None,
        }
    }

    /// Who the file is for.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.values.profile
    }

    /// Forgets what is said of references: objects are then shared and flagged as compilers' output has them.
    pub fn clear_marks(&mut self) {
        self.marks.clear();
        self.blocks.iter_mut().for_each(|block| block.marks.clear());
    }

    /// The value that is the code object of this block.
    pub fn code(&mut self, block: usize) -> ValueId {
        self.values.add(Item::Code(block))
    }
}

impl Block {
    /// A code object without instructions.
    #[must_use]
    pub fn new(label: &str) -> Block {
        Block {
            label: label.into(),
            name: None,
            qualname: None,
            filename: None,
            line: 1,
            signature: Signature::default(),
            counts: None,
            locals: Vec::new(),
            cells: Vec::new(),
            free: Vec::new(),
            hidden: Vec::new(),
            doc: None,
            consts: None,
            names: Vec::new(),
            flags: None,
            stacksize: None,
            nlocals: None,
            fields: Vec::new(),
            ops: Vec::new(),
            end: None,
            regions: Vec::new(),
            tail: Vec::new(),
            last_line_pairs: Vec::new(),
            marks: BTreeMap::new(),
        }
    }

    /// What does not follow from the instructions, the signature and the variables, by name; what an instruction says itself is
    /// [`Residue::kinds`](super::Residue::kinds).
    #[must_use]
    pub fn residue(&self) -> Vec<&'static str> {
        let all = [
            ("constants", self.consts.is_some()),
            ("names", !self.names.is_empty()),
            ("locals", !self.locals.is_empty()),
            ("qualname", self.qualname.is_some()),
            ("stack size", self.stacksize.is_some()),
            ("nlocals", self.nlocals.is_some()),
            ("counts", self.counts.is_some()),
            ("fields", !self.fields.is_empty()),
            ("references", !self.marks.is_empty()),
        ];
        all.into_iter().filter(|(_, is_there)| *is_there).map(|(kind, _)| kind).collect()
    }

    pub(crate) fn field(&self, field: Field) -> Option<ValueId> {
        self.fields.iter().find(|(known, _)| *known == field).map(|(_, id)| *id)
    }
}

impl Signature {
    /// How many are positional, of these positional-only, keyword-only.
    pub(crate) fn counts(&self) -> [i32; 3] {
        let counts = [self.positional.len(), self.positional_only, self.keyword_only.len()];
        counts.map(|count| i32::try_from(count).unwrap_or(i32::MAX))
    }

    /// All arguments in the order of their variables.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.positional.iter().chain(&self.keyword_only).chain(&self.rest).chain(&self.keywords)
    }
}
