//! Which construct exists in which versions, where it may stand, and who writes it.
//!
//! The first row of each part is the one that an empty tape ends with: it fits everywhere and contains nothing else.
//!
//! Reviewed for Python 3.15.

use super::{Author, Context, DEEPEST_SUITE, MOST_BLOCKS};

pub(super) struct Row<T> {
    pub(super) name: &'static str,
    versions: Versions,
    pub(super) fits: fn(&Context) -> bool,
    pub(super) make: T,
}

/// The first and the last version.
type Versions = ((u8, u8), (u8, u8));
pub(super) type Text = fn(&mut Author) -> String;
pub(super) type Lines = fn(&mut Author);

const ALWAYS: Versions = ((2, 7), (9, 0));
const PYTHON2: Versions = ((2, 7), (2, 7));
const PYTHON3: Versions = since(3, 0);

const fn since(major: u8, minor: u8) -> Versions {
    ((major, minor), (9, 0))
}

const fn until(major: u8, minor: u8) -> Versions {
    ((2, 7), (major, minor))
}

const fn row<T>(name: &'static str, versions: Versions, fits: fn(&Context) -> bool, make: T) -> Row<T> {
    Row { name, versions, fits, make }
}

const fn detail(name: &'static str, versions: Versions) -> Row<()> {
    row(name, versions, anywhere, ())
}

impl<T> Row<T> {
    pub(super) fn exists(&self, version: (u8, u8)) -> bool {
        (self.versions.0..=self.versions.1).contains(&version)
    }
}

fn anywhere(_: &Context) -> bool {
    true
}

fn in_module(c: &Context) -> bool {
    !c.function && !c.class
}

fn at_the_top(c: &Context) -> bool {
    in_module(c) && c.suites == 0
}

/// For what has a suite.
fn shallow(c: &Context) -> bool {
    c.suites < DEEPEST_SUITE
}

/// For what takes one of the blocks of its function.
fn in_block(c: &Context) -> bool {
    shallow(c) && c.blocks < MOST_BLOCKS
}

fn in_coroutine(c: &Context) -> bool {
    c.asynchronous && in_block(c)
}

fn in_loop(c: &Context) -> bool {
    c.looping
}

fn may_continue(c: &Context) -> bool {
    c.may_continue
}

fn may_return(c: &Context) -> bool {
    c.may_return
}

fn may_return_value(c: &Context) -> bool {
    c.may_return && c.may_return_value
}

/// Not in a comprehension of the class itself, which ends the process of early 3.12.
fn in_method(c: &Context) -> bool {
    c.method
}

fn may_bind(c: &Context) -> bool {
    !(c.annotation || c.class && c.comprehensions > 0)
}

fn may_yield(c: &Context) -> bool {
    c.generator && c.comprehensions == 0 && !c.annotation
}

fn may_delegate(c: &Context) -> bool {
    may_yield(c) && !c.asynchronous
}

fn may_await(c: &Context) -> bool {
    c.asynchronous && !c.annotation
}

pub(super) static ATOMS: &[Row<Text>] = &[
    row("name", ALWAYS, anywhere, |a| a.name()),
    row("small int", ALWAYS, anywhere, |a| a.small_int()),
    row("string", ALWAYS, anywhere, |a| a.string()),
    row("bytes", ALWAYS, anywhere, |a| a.bytes()),
    row("singleton", ALWAYS, anywhere, |a| a.singleton()),
    row("int", ALWAYS, anywhere, |a| a.int()),
    row("float", ALWAYS, anywhere, |a| a.float()),
    row("complex", ALWAYS, anywhere, |a| a.complex()),
    row("constant tuple", ALWAYS, anywhere, |a| a.constant_tuple()),
    row("folded constant", ALWAYS, anywhere, |a| a.folded()),
    row("membership of constants", ALWAYS, anywhere, |a| a.membership()),
    row("dotted name", ALWAYS, anywhere, |a| a.dotted()),
    row("class cell", PYTHON3, in_method, |a| a.class_cell()),
];

pub(super) static COMPOUNDS: &[Row<Text>] = &[
    row("parentheses", ALWAYS, anywhere, |a| a.parentheses()),
    row("unary operator", ALWAYS, anywhere, |a| a.unary()),
    row("binary operator", ALWAYS, anywhere, |a| a.binary()),
    row("boolean operator", ALWAYS, anywhere, |a| a.boolean()),
    row("comparison", ALWAYS, anywhere, |a| a.comparison()),
    row("conditional expression", ALWAYS, anywhere, |a| a.conditional()),
    row("call", ALWAYS, anywhere, |a| a.call()),
    row("attribute", ALWAYS, anywhere, |a| a.attribute()),
    row("subscript", ALWAYS, anywhere, |a| a.subscript()),
    row("slice", ALWAYS, anywhere, |a| a.slice()),
    row("tuple", ALWAYS, anywhere, |a| a.tuple()),
    row("list", ALWAYS, anywhere, |a| a.list()),
    row("set", ALWAYS, anywhere, |a| a.set()),
    row("dict", ALWAYS, anywhere, |a| a.dict()),
    row("lambda", ALWAYS, anywhere, |a| a.lambda()),
    row("list comprehension", ALWAYS, anywhere, |a| a.list_comprehension()),
    row("set comprehension", ALWAYS, anywhere, |a| a.set_comprehension()),
    row("dict comprehension", ALWAYS, anywhere, |a| a.dict_comprehension()),
    row("generator expression", ALWAYS, anywhere, |a| a.generator_expression()),
    row("yield", ALWAYS, may_yield, |a| a.yields()),
    row("yield from", PYTHON3, may_delegate, |a| a.delegation()),
    row("await", PYTHON3, may_await, |a| a.awaits()),
    row("assignment expression", since(3, 8), may_bind, |a| a.walrus()),
    row("f-string", since(3, 6), anywhere, |a| a.f_string()),
    row("template string", since(3, 14), anywhere, |a| a.t_string()),
    row("back quotes", PYTHON2, anywhere, |a| a.back_quotes()),
    row("<>", PYTHON2, anywhere, |a| a.old_inequality()),
    row("matrix product", PYTHON3, anywhere, |a| a.matrix_product()),
];

/// Patterns that do not match everything.
pub(super) static PATTERNS: &[Row<Text>] = &[
    row("literal pattern", since(3, 10), anywhere, |a| a.literal_pattern()),
    row("value pattern", since(3, 10), anywhere, |a| a.value_pattern()),
    row("sequence pattern", since(3, 10), anywhere, |a| a.sequence_pattern()),
    row("mapping pattern", since(3, 10), anywhere, |a| a.mapping_pattern()),
    row("class pattern", since(3, 10), anywhere, |a| a.class_pattern()),
    row("or pattern", since(3, 10), anywhere, |a| a.or_pattern()),
    row("as pattern", since(3, 10), anywhere, |a| a.as_pattern()),
];

pub(super) static STATEMENTS: &[Row<Lines>] = &[
    row("pass", ALWAYS, anywhere, |a| a.pass()),
    row("expression", ALWAYS, anywhere, |a| a.expression_statement()),
    row("assignment", ALWAYS, anywhere, |a| a.assignment()),
    row("chained assignment", ALWAYS, anywhere, |a| a.chained_assignment()),
    row("augmented assignment", ALWAYS, anywhere, |a| a.augmented_assignment()),
    row("annotated assignment", since(3, 6), anywhere, |a| a.annotated_assignment()),
    row("unpacking", ALWAYS, anywhere, |a| a.unpacking()),
    row("del", ALWAYS, anywhere, |a| a.del()),
    row("assert", ALWAYS, anywhere, |a| a.assert()),
    row("raise", ALWAYS, anywhere, |a| a.raise()),
    row("raise from", PYTHON3, anywhere, |a| a.raise_from()),
    row("raise with a traceback", PYTHON2, anywhere, |a| a.raise_old()),
    row("if", ALWAYS, shallow, |a| a.ifs()),
    row("constant condition", ALWAYS, in_block, |a| a.constant_condition()),
    row("while", ALWAYS, in_block, |a| a.whiles()),
    row("for", ALWAYS, in_block, |a| a.fors()),
    row("async for", PYTHON3, in_coroutine, |a| a.async_for()),
    row("break", ALWAYS, in_loop, |a| a.breaks()),
    row("continue", ALWAYS, may_continue, |a| a.continues()),
    row("return", ALWAYS, may_return, |a| a.returns()),
    row("return a value", ALWAYS, may_return_value, |a| a.returns_value()),
    row("try except", ALWAYS, in_block, |a| a.try_except()),
    row("try finally", ALWAYS, in_block, |a| a.try_finally()),
    row("try except*", since(3, 11), in_block, |a| a.try_group()),
    row("with", ALWAYS, in_block, |a| a.with()),
    row("async with", PYTHON3, in_coroutine, |a| a.async_with()),
    row("match", since(3, 10), shallow, |a| a.matches()),
    row("function", ALWAYS, shallow, |a| a.function()),
    row("coroutine", PYTHON3, shallow, |a| a.coroutine()),
    row("class", ALWAYS, shallow, |a| a.class()),
    row("type alias", since(3, 12), anywhere, |a| a.type_alias()),
    row("global", ALWAYS, anywhere, |a| a.global()),
    row("import", ALWAYS, anywhere, |a| a.import()),
    row("import from", ALWAYS, anywhere, |a| a.import_from()),
    row("import *", ALWAYS, in_module, |a| a.import_star()),
    row("lazy import", since(3, 15), at_the_top, |a| a.lazy_import()),
    row("semicolons", ALWAYS, anywhere, |a| a.semicolons()),
    row("continuation line", ALWAYS, anywhere, |a| a.continuation_line()),
    row("blank lines", ALWAYS, anywhere, |a| a.blank_lines()),
    row("print", PYTHON2, anywhere, |a| a.print()),
    row("exec", PYTHON2, anywhere, |a| a.exec()),
];

/// What is too large to be written often.
pub(super) static BULK: &[Row<Lines>] = &[
    row("many statements", ALWAYS, anywhere, |a| a.many_statements()),
    row("many locals", ALWAYS, anywhere, |a| a.many_locals()),
    row("many cells", ALWAYS, anywhere, |a| a.many_cells()),
    row("many names", ALWAYS, anywhere, |a| a.many_names()),
    row("many constants", ALWAYS, anywhere, |a| a.many_constants()),
    row("many parameters", ALWAYS, anywhere, |a| a.many_parameters()),
    row("many arguments", ALWAYS, anywhere, |a| a.many_arguments()),
    row("many functions", ALWAYS, anywhere, |a| a.many_functions()),
    row("many handlers", ALWAYS, in_block, |a| a.many_handlers()),
    row("long jumps", ALWAYS, in_block, |a| a.long_jumps()),
    row("long display", ALWAYS, anywhere, |a| a.long_display()),
    row("long chain", ALWAYS, anywhere, |a| a.long_chain()),
    row("long literal", ALWAYS, anywhere, |a| a.long_literal()),
    row("deep suites", ALWAYS, in_block, |a| a.deep_suites()),
    row("deep blocks", ALWAYS, anywhere, |a| a.deep_blocks()),
    row("deep functions", ALWAYS, anywhere, |a| a.deep_functions()),
    row("deep brackets", ALWAYS, anywhere, |a| a.deep_brackets()),
    row("deep comprehensions", ALWAYS, anywhere, |a| a.deep_comprehensions()),
    row("far lines", ALWAYS, anywhere, |a| a.far_lines()),
    row("far columns", ALWAYS, anywhere, |a| a.far_columns()),
    row("long match", since(3, 10), anywhere, |a| a.long_match()),
];

/// Parts of constructs that came or went on their own.
pub(super) static DETAILS: &[Row<()>] = &[
    detail("docstring", ALWAYS),
    detail("future import", ALWAYS),
    detail("future annotations", since(3, 7)),
    detail("decorator", ALWAYS),
    detail("any decorator", since(3, 9)),
    detail("defaults", ALWAYS),
    detail("tuple parameter", PYTHON2),
    detail("variable arguments", ALWAYS),
    detail("more than 255 parameters", since(3, 7)),
    detail("positional-only parameters", since(3, 8)),
    detail("keyword-only parameters", PYTHON3),
    detail("annotations", PYTHON3),
    detail("starred annotation", since(3, 11)),
    detail("type parameters", since(3, 12)),
    detail("defaults of type parameters", since(3, 13)),
    detail("nested scopes of annotations in classes", since(3, 13)),
    detail("nonlocal", PYTHON3),
    detail("class keywords", PYTHON3),
    detail("several unpackings", PYTHON3),
    detail("starred target", PYTHON3),
    detail("starred index", since(3, 11)),
    detail("starred return", since(3, 8)),
    detail("unpacking in a comprehension", since(3, 15)),
    detail("async comprehension", PYTHON3),
    detail("nested async comprehension", since(3, 11)),
    detail("continue in finally", since(3, 8)),
    detail("except A, B", since(3, 14)),
    detail("except A, name", PYTHON2),
    detail("with in parentheses", since(3, 10)),
    detail("f-string with =", since(3, 8)),
    detail("anything in an f-string", since(3, 12)),
    detail("await in an f-string", since(3, 7)),
    detail("non-ASCII names", PYTHON3),
    detail("surrogate", ALWAYS),
    detail("surrogate in a docstring", until(3, 12)),
    detail("underscores in numbers", since(3, 6)),
    detail("long", PYTHON2),
    detail("ellipsis", PYTHON3),
    detail("line break in brackets", ALWAYS),
];
