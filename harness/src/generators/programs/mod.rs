//! Random *programs*: Python source text that every interpreter of a version accepts.
//!
//! The standard library is code that people write by hand: it has no function with 300 cells, no type parameter with a
//! default, no jump over 70,000 instructions, and nothing newer than itself. Compilers write code objects for these all the
//! same. So this generator writes source text from a grammar, and the interpreter itself makes the case of it.
//!
//! A program is only worth something if it compiles, so nothing is tried and thrown away: what may stand where is known
//! when it is written. `table` says which construct exists in which version and in which `Context`; the scopes say which
//! names may be declared. Programs are compiled and never executed, so no name needs a value.
//!
//! What cannot be reached: what compilers never emit, and whatever depends on the file's name or on compiler flags.
//!
//! Reviewed for Python 3.15.

mod atoms;
mod bulk;
mod expressions;
mod functions;
mod statements;
mod table;

use super::luck::Luck;
use arbitrary::Unstructured;
use protocol::Compile;
use std::collections::BTreeSet;
use table::{DETAILS, Row};

/// A program ends when it is this long, even if the tape is not at its end.
const LONGEST: usize = 48 << 10;

/// Suites inside of suites; `bulk` goes deeper on its own.
const DEEPEST_SUITE: usize = 8;

/// CPython has 20 for loops, `with` and `try` in one function; a comprehension needs some, too.
const MOST_BLOCKS: u32 = 15;

/// The text of a program that an interpreter of this version compiles, the same on every machine.
#[must_use]
pub fn generate(u: &mut Unstructured<'_>, version: (u8, u8)) -> String {
    write(u, version).0
}

/// The optimization level that program number `index` of a campaign is compiled at.
#[must_use]
pub fn level(index: u64) -> u8 {
    (index % 3) as u8
}

/// What a compiler is asked about the program with this index.
#[must_use]
pub fn compile(source: Vec<u8>, index: u64) -> Compile {
    Compile { source, filename: "program.py".into(), optimize: level(index) }
}

/// A program and the names of the constructs in it.
fn write(u: &mut Unstructured<'_>, version: (u8, u8)) -> (String, BTreeSet<&'static str>) {
    let mut author = Author {
        u,
        version,
        out: String::new(),
        indent: 0,
        context: Context::default(),
        scopes: vec![Scope::default()],
        print_statement: version < (3, 0),
        fresh: 0,
        used: BTreeSet::new(),
    };
    author.program();
    (author.out, author.used)
}

/// What is allowed at the place where the author writes.
#[derive(Debug, Clone, Copy, Default)]
struct Context {
    /// Inside of a function, directly.
    function: bool,
    /// Inside of a class, directly.
    class: bool,
    /// Inside of a function in a class, and in no lambda.
    method: bool,
    /// Inside of `async def`, directly.
    asynchronous: bool,
    /// The function is a generator.
    generator: bool,
    /// Inside of a loop of this function.
    looping: bool,
    /// `continue` may stand here.
    may_continue: bool,
    /// `return` may stand here: in a function, and not in `except*`.
    may_return: bool,
    /// The value that it returns, too.
    may_return_value: bool,
    /// In an annotation, a type parameter or a type alias, which may not suspend and bind nothing.
    annotation: bool,
    /// Suites around this place.
    suites: usize,
    /// Loops, `with` and `try` around this place.
    blocks: u32,
    /// Comprehensions around this place.
    comprehensions: u32,
    /// Expressions around this place.
    level: u32,
    /// Part of something that is written hundreds of times.
    bulk: bool,
}

/// The names of a module, class or function.
#[derive(Debug, Default)]
struct Scope {
    /// Whether nested functions see its names.
    function: bool,
    parameters: Vec<String>,
    bound: BTreeSet<String>,
    /// Declared `nonlocal`.
    declared: BTreeSet<String>,
}

/// Writes one program.
struct Author<'a, 'b> {
    u: &'a mut Unstructured<'b>,
    version: (u8, u8),
    out: String,
    indent: usize,
    context: Context,
    scopes: Vec<Scope>,
    /// Whether `print` is a keyword.
    print_statement: bool,
    /// How many names were made that occur nowhere else.
    fresh: u32,
    used: BTreeSet<&'static str>,
}

impl Author<'_, '_> {
    fn program(&mut self) {
        if self.is_python2() || self.u.one_in(16) {
            self.line("# -*- coding: utf-8 -*-");
        }
        self.docstring();
        self.future();
        for _ in 0..64 {
            self.statement();
            if self.u.is_empty() || self.out.len() > LONGEST {
                break;
            }
        }
        if self.u.one_in(32) {
            self.out = self.out.replace('\n', "\r\n");
        }
    }

    fn is_python2(&self) -> bool {
        self.version < (3, 0)
    }

    /// Whether this version has a detail of the table.
    fn has(&self, detail: &str) -> bool {
        let row = DETAILS.iter().find(|row| row.name == detail).expect("the table has every detail");
        row.exists(self.version)
    }

    /// Has it and takes it, once in `n` times.
    fn may(&mut self, detail: &'static str, n: u32) -> bool {
        let takes = self.has(detail) && self.u.one_in(n);
        if takes {
            self.used.insert(detail);
        }
        takes
    }

    /// One of the rows that fit here. The first always does.
    fn choose<T: Copy>(&mut self, rows: &'static [Row<T>]) -> T {
        let fitting: Vec<&Row<T>> =
            rows.iter().filter(|row| row.exists(self.version) && (row.fits)(&self.context)).collect();
        let row = fitting[self.u.index(fitting.len())];
        self.used.insert(row.name);
        row.make
    }

    /// Writes with something of the context changed.
    fn within<T>(&mut self, change: impl FnOnce(&mut Context), write: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.context;
        change(&mut self.context);
        let text = write(self);
        self.context = outer;
        text
    }

    /// Writes what belongs to a scope of its own.
    fn scoped<T>(&mut self, scope: Scope, context: Context, write: impl FnOnce(&mut Self) -> T) -> T {
        self.scopes.push(scope);
        let Context { level, suites, bulk, .. } = self.context;
        let text = self.within(|c| *c = Context { level, suites, bulk, ..context }, write);
        self.scopes.pop();
        text
    }

    fn line(&mut self, text: &str) {
        self.out.extend(std::iter::repeat_n(' ', self.indent));
        self.out += text;
        self.out.push('\n');
    }

    fn fresh_name(&mut self, prefix: &str) -> String {
        self.fresh += 1;
        format!("{prefix}{}", self.fresh)
    }

    /// A name for something that is bound here.
    fn binding(&mut self) -> String {
        let name = self.any_local();
        self.bind(&name);
        name
    }

    fn bind(&mut self, name: &str) {
        // What a comprehension or a lambda binds with `:=` belongs to a scope around it, or to nobody else.
        self.scope().bound.insert(name.into());
    }

    fn scope(&mut self) -> &mut Scope {
        self.scopes.last_mut().expect("the module's scope stays")
    }

    /// The names that a function or class with these parameters may declare `nonlocal`; not those that mean something else
    /// in each class.
    fn free_names(&self, parameters: &[String]) -> Vec<String> {
        let seen = self.scopes.iter().filter(|scope| scope.function).flat_map(|scope| &scope.bound);
        let names: BTreeSet<&String> =
            seen.filter(|name| !parameters.contains(name) && !name.starts_with("__")).collect();
        names.into_iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests;
