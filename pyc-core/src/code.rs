//! Code objects: fields by name, in every layout.
//!
//! The four layouts order and name their fields differently, and 3.11 replaced varnames, freevars and cellvars by one list
//! of names with kinds. [`Code`] gives every field under the name of the attribute (`co_` left out) and derives what the
//! layout does not store.
//!
//! ```
//! use pyc_core::{code::Field, Value, Profile, Release};
//! let profile = Profile::for_release(&Release::parse("3.12").unwrap()).unwrap();
//! # let stream = pyc_core::code::EXAMPLE_312;
//! let graph = pyc_core::read(stream, &profile).unwrap();
//! let Value::Code(code) = graph.value(graph.root()) else { panic!() };
//! assert_eq!(code.ints().argcount, 1);
//! let name = graph.resolve(code.object(Field::Name).unwrap());
//! let Value::Str(name) = graph.value(name) else { panic!() };
//! assert_eq!(name.to_string_lossy(), "f");
//! let arguments = code.locals(&graph);
//! assert_eq!(arguments.len(), 1);
//! ```

use crate::graph::{Graph, NodeId, Value};
use crate::prelude::*;
use crate::profile::CodeLayout;

/// A small code object (`def f(x): return x`) in 3.12's layout, for the examples in this documentation.
#[doc(hidden)]
pub const EXAMPLE_312: &[u8] = b"c\x01\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x03\0\0\0s\x06\0\0\0\x97\0|\0S\0\
)\x01N)\0)\x01\xda\x01xs\x01\0\0\0 \xda\x04f.py\xda\x01fr\x02\0\0\0\x01\0\0\0s\x02\0\0\0\x80\0s\0\0\0\0";

/// The integers of a code object. A layout that lacks a field has 0 there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CodeInts {
    /// Positional arguments, positional-only ones included.
    pub argcount: i32,
    /// Positional-only arguments (3.8).
    pub posonlyargcount: i32,
    /// Keyword-only arguments (3.0).
    pub kwonlyargcount: i32,
    /// Local variables (stored up to 3.10; see [`Code::locals`]).
    pub nlocals: i32,
    /// Deepest evaluation stack.
    pub stacksize: i32,
    /// `CO_*` bits.
    pub flags: i32,
    /// Line of the definition.
    pub firstlineno: i32,
}

/// The integers before the objects, in stream order: the first so many of these; a layout has no use for the others.
pub(crate) fn leading_ints(layout: CodeLayout, ints: &mut CodeInts) -> ([&mut i32; 6], usize) {
    let CodeInts { argcount, posonlyargcount, kwonlyargcount, nlocals, stacksize, flags, .. } = ints;
    match layout {
        CodeLayout::Python27 => ([argcount, nlocals, stacksize, flags, posonlyargcount, kwonlyargcount], 4),
        CodeLayout::Python30 => ([argcount, kwonlyargcount, nlocals, stacksize, flags, posonlyargcount], 5),
        CodeLayout::Python38 => ([argcount, posonlyargcount, kwonlyargcount, nlocals, stacksize, flags], 6),
        CodeLayout::Python311 => ([argcount, posonlyargcount, kwonlyargcount, stacksize, flags, nlocals], 5),
    }
}

/// The names of the integers before the objects of a layout, in stream order.
#[must_use]
pub fn integers(layout: CodeLayout) -> &'static [&'static str] {
    match layout {
        CodeLayout::Python27 => &["argcount", "nlocals", "stacksize", "flags"],
        CodeLayout::Python30 => &["argcount", "kwonlyargcount", "nlocals", "stacksize", "flags"],
        CodeLayout::Python38 => &["argcount", "posonlyargcount", "kwonlyargcount", "nlocals", "stacksize", "flags"],
        CodeLayout::Python311 => &["argcount", "posonlyargcount", "kwonlyargcount", "stacksize", "flags"],
    }
}

/// An object field of a code object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // each is the attribute co_<name>
pub enum Field {
    Code,
    Consts,
    Names,
    Varnames,
    Freevars,
    Cellvars,
    Localsplusnames,
    Localspluskinds,
    Filename,
    Name,
    Qualname,
    Lnotab,
    /// lnotab's successor (3.10); 3.10 and later have this and not [`Field::Lnotab`], except that the layout of 3.8 and
    /// 3.9 is also 3.10's, so that its last field is [`Field::Lnotab`] in all three.
    Linetable,
    Exceptiontable,
}

impl Field {
    /// The attribute's name without `co_`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Field::Code => "code",
            Field::Consts => "consts",
            Field::Names => "names",
            Field::Varnames => "varnames",
            Field::Freevars => "freevars",
            Field::Cellvars => "cellvars",
            Field::Localsplusnames => "localsplusnames",
            Field::Localspluskinds => "localspluskinds",
            Field::Filename => "filename",
            Field::Name => "name",
            Field::Qualname => "qualname",
            Field::Lnotab => "lnotab",
            Field::Linetable => "linetable",
            Field::Exceptiontable => "exceptiontable",
        }
    }
}

/// How many objects precede firstlineno, in every layout.
pub(crate) const OBJECTS_BEFORE_LINE: usize = 8;

/// The object fields of a layout, in stream order.
#[must_use]
pub fn fields(layout: CodeLayout) -> &'static [Field] {
    use Field::*;
    match layout {
        CodeLayout::Python27 | CodeLayout::Python30 | CodeLayout::Python38 => {
            &[Code, Consts, Names, Varnames, Freevars, Cellvars, Filename, Name, Lnotab]
        }
        CodeLayout::Python311 => &[
            Code,
            Consts,
            Names,
            Localsplusnames,
            Localspluskinds,
            Filename,
            Name,
            Qualname,
            Linetable,
            Exceptiontable,
        ],
    }
}

/// The place of a field among the objects of a layout.
pub(crate) fn place(layout: CodeLayout, field: Field) -> Option<usize> {
    fields(layout).iter().position(|f| *f == field)
}

/// Bits of localspluskinds (3.11 and later).
pub mod kind {
    /// Inlined comprehension variable (3.12).
    pub const HIDDEN: u8 = 0x10;
    /// Local variable.
    pub const LOCAL: u8 = 0x20;
    /// Variable shared with an inner function.
    pub const CELL: u8 = 0x40;
    /// Variable of an outer function.
    pub const FREE: u8 = 0x80;
    /// An argument that may be given by place, or `*args` (3.14, as what follows).
    pub const POSITIONAL: u8 = 0x02;
    /// An argument that may be given by name, or `**kwargs`.
    pub const KEYWORD: u8 = 0x04;
    /// `*args` or `**kwargs`.
    pub const VARIABLE: u8 = 0x08;

    /// Whether a variable is counted as a free one: only if it is nothing else (`get_localsplus_counts` of codeobject.c, 3.11).
    #[must_use]
    pub const fn is_free(kind: u8) -> bool {
        kind & (FREE | CELL | LOCAL) == FREE
    }
}

/// Bits of co_flags that the format itself depends on.
pub mod flag {
    /// Local variables are in an array: a function, or what is in one.
    pub const OPTIMIZED: i32 = 0x1;
    /// Local variables are new for each call.
    pub const NEWLOCALS: i32 = 0x2;
    /// `*args`
    pub const VARARGS: i32 = 0x4;
    /// `**kwargs`
    pub const VARKEYWORDS: i32 = 0x8;
    /// A generator.
    pub const GENERATOR: i32 = 0x20;
    /// No free or cell variables (up to 3.10).
    pub const NOFREE: i32 = 0x40;
    /// A coroutine.
    pub const COROUTINE: i32 = 0x80;
    /// A generator that is also a coroutine.
    pub const ITERABLE_COROUTINE: i32 = 0x100;
    /// An asynchronous generator.
    pub const ASYNC_GENERATOR: i32 = 0x200;
    /// The first constant is the docstring (3.14 and later).
    pub const HAS_DOCSTRING: i32 = 0x400_0000;
}

/// A code object in a graph.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Code<'g> {
    layout: CodeLayout,
    ints: CodeInts,
    edges: &'g [NodeId],
}

impl<'g> Code<'g> {
    pub(crate) fn new(layout: CodeLayout, ints: CodeInts, edges: &'g [NodeId]) -> Self {
        Code { layout, ints, edges }
    }

    /// Which fields there are.
    #[must_use]
    pub fn layout(&self) -> CodeLayout {
        self.layout
    }

    /// The integer fields that a stream of this layout has, in its order, by their names without `co_`.
    pub fn named_ints(&self) -> impl Iterator<Item = (&'static str, i32)> + use<> {
        let (ints, layout) = (self.ints(), self.layout);
        let all = [
            ("argcount", ints.argcount, true),
            ("posonlyargcount", ints.posonlyargcount, layout >= CodeLayout::Python38),
            ("kwonlyargcount", ints.kwonlyargcount, layout != CodeLayout::Python27),
            ("nlocals", ints.nlocals, layout < CodeLayout::Python311),
            ("stacksize", ints.stacksize, true),
            ("flags", ints.flags, true),
            ("firstlineno", ints.firstlineno, true),
        ];
        all.into_iter().filter(|(.., is_there)| *is_there).map(|(name, number, _)| (name, number))
    }

    /// The integer fields.
    #[must_use]
    pub fn ints(&self) -> CodeInts {
        self.ints
    }

    /// The object fields and their nodes, in stream order.
    pub fn objects(&self) -> impl Iterator<Item = (Field, NodeId)> + 'g {
        fields(self.layout).iter().copied().zip(self.edges.iter().copied())
    }

    /// The node of a field; `None` when the layout has no such field.
    #[must_use]
    pub fn object(&self, field: Field) -> Option<NodeId> {
        self.objects().find(|(f, _)| *f == field).map(|(_, id)| id)
    }

    /// Names (resolved nodes) of all variables with their kinds, as `LOCAL`, `CELL`, `FREE` bits; before 3.11 put together
    /// from varnames, cellvars and freevars.
    #[must_use]
    pub fn variables<'a>(&self, graph: &'g Graph<'a>) -> Vec<(NodeId, u8)> {
        let names = |field| -> &'g [NodeId] {
            match self.object(field).map(|id| graph.value(graph.resolve(id))) {
                Some(Value::Tuple(items)) => items,
                _ => &[],
            }
        };
        let resolved = |items: &[NodeId], kind: u8| -> Vec<(NodeId, u8)> {
            items.iter().map(|&id| (graph.resolve(id), kind)).collect()
        };
        if self.layout < CodeLayout::Python311 {
            return [
                resolved(names(Field::Varnames), kind::LOCAL),
                resolved(names(Field::Cellvars), kind::CELL),
                resolved(names(Field::Freevars), kind::FREE),
            ]
            .concat();
        }
        let kinds = match self.object(Field::Localspluskinds).map(|id| graph.value(graph.resolve(id))) {
            Some(Value::Bytes(kinds)) => kinds,
            _ => &[],
        };
        names(Field::Localsplusnames).iter().zip(kinds).map(|(&id, &kind)| (graph.resolve(id), kind)).collect()
    }

    /// co_varnames: the names of the local variables, arguments first.
    #[must_use]
    pub fn locals<'a>(&self, graph: &'g Graph<'a>) -> Vec<NodeId> {
        self.of_kind(graph, kind::LOCAL)
    }

    /// co_cellvars: the names of the variables that inner functions use.
    #[must_use]
    pub fn cells<'a>(&self, graph: &'g Graph<'a>) -> Vec<NodeId> {
        self.of_kind(graph, kind::CELL)
    }

    /// co_freevars: the names of the variables of outer functions.
    #[must_use]
    pub fn frees<'a>(&self, graph: &'g Graph<'a>) -> Vec<NodeId> {
        self.of_kind(graph, kind::FREE)
    }

    fn of_kind<'a>(&self, graph: &'g Graph<'a>, wanted: u8) -> Vec<NodeId> {
        self.variables(graph).into_iter().filter(|(_, kind)| kind & wanted != 0).map(|(id, _)| id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_named_in_the_order_in_which_they_are_read() {
        use CodeLayout::{Python27, Python30, Python38, Python311};
        for layout in [Python27, Python30, Python38, Python311] {
            let mut ints = CodeInts::default();
            let (places, count) = leading_ints(layout, &mut ints);
            places.into_iter().zip(1..).for_each(|(place, number)| *place = number);
            let CodeInts { argcount, posonlyargcount, kwonlyargcount, nlocals, stacksize, flags, .. } = ints;
            let mut named = [
                (argcount, "argcount"),
                (posonlyargcount, "posonlyargcount"),
                (kwonlyargcount, "kwonlyargcount"),
                (nlocals, "nlocals"),
                (stacksize, "stacksize"),
                (flags, "flags"),
            ];
            named.sort_unstable();
            let names: Vec<&str> = named[..count].iter().map(|(_, name)| *name).collect();
            assert_eq!(names, integers(layout));
        }
    }
}
