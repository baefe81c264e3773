//! The instructions of a file's code objects, for people and for programs.
//!
//! Files are hostile: what is printed on a terminal has no control characters and nothing that turns the direction of text.

use crate::repro::excerpt;
use crate::toolbox::safe::{Found, found};
use pyc_core::bytecode::safety::verify;
use pyc_core::bytecode::text::FileError;
use pyc_core::bytecode::{Argument, Assembly, Body, Flaw, Handler, Instruction, InstructionSet, Raised, listing};
use pyc_core::code::{Code, Field};
use pyc_core::identify::payload_offset;
use pyc_core::magic::Magic;
use pyc_core::pyc::PycError;
use pyc_core::{Graph, NodeId, Profile, Pyc, Release, Value, read};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::{self, Write};

/// The longest text of a constant in a listing, in bytes.
const LONGEST: usize = 1000;

/// A file that cannot be disassembled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not a .pyc file, or of an unknown Python.
    #[error("{0} (at byte {offset:#x} of the file); --as X.Y names the Python that wrote a stream", offset = .0.offset())]
    Header(PycError),
    /// The stream is refused.
    #[error("{kind} (at byte {offset:#x} of the file); `provost check` tells more")]
    Stream {
        /// What is wrong.
        kind: String,
        /// Where.
        offset: usize,
    },
    /// There is nothing to show.
    #[error("there is no code object in it")]
    NoCode,
    /// No code object has the name that was asked for.
    #[error("no code object is named {0}; there are: {1}")]
    NoFunction(String, String),
    /// The module `dis` of that Python raises an exception.
    #[error("dis.dis raises {}: {} there", .0.class, .0.message)]
    Raised(Raised),
    /// It is too long to be shown as it is.
    #[error("a number of more than 128 bits or a text of more than a megabyte is not shown as that Python shows it")]
    Cut,
    /// That Python does not survive it.
    #[error("that Python does not survive looking at co_code: {0}")]
    Undefined(&'static str),
}

impl From<FileError> for Error {
    fn from(error: FileError) -> Error {
        match error {
            FileError::Header(error) => Error::Header(error),
            FileError::Stream(error) => Error::Stream { kind: error.kind.to_string(), offset: error.offset },
        }
    }
}

/// A file's stream, and who is to look at it.
pub struct File<'a> {
    graph: Graph<'a>,
    profile: Profile,
    start: usize,
}

/// A code object, and what it is made of.
pub struct Taken<'f> {
    /// As it is.
    pub body: Body<'f>,
    /// Taken apart.
    pub assembly: Assembly<'f>,
    /// `co_stacksize`
    pub stacksize: i32,
}

/// A code object of a file.
#[derive(Debug, Clone, Serialize)]
pub struct CodeView {
    /// The names of the code objects around it and its own, with dots between.
    pub path: String,
    /// `co_filename`
    pub filename: String,
    /// `co_firstlineno`
    pub first_line: i32,
    /// `co_flags`
    pub flags: i32,
    /// `co_stacksize`
    pub stacksize: i32,
    /// Its instructions.
    pub instructions: Vec<InstructionView>,
    /// Its exception handlers (3.11 and later).
    pub handlers: Vec<HandlerView>,
    /// What in it may crash the interpreter; nothing if it is safe.
    pub violations: Vec<Found>,
}

/// An instruction.
#[derive(Debug, Clone, Serialize)]
pub struct InstructionView {
    /// In bytes of `co_code`.
    pub offset: usize,
    /// Its opcode.
    pub opcode: u8,
    /// The name of it; empty if there is no such opcode.
    pub name: &'static str,
    /// Its argument, prefixes included.
    pub operand: Option<u32>,
    /// What that stands for, if it is more than a number.
    pub argument: Option<String>,
    /// Where it jumps to.
    pub target: Option<i64>,
    /// Whether another one jumps here, or an exception leads here.
    pub is_target: bool,
    /// The line that it comes from.
    pub line: Option<i32>,
    /// The last line.
    pub end_line: Option<i32>,
    /// The first column.
    pub column: Option<i32>,
    /// The first column behind.
    pub end_column: Option<i32>,
    /// Its inline caches, in hexadecimal.
    pub caches: String,
    /// What is wrong with it.
    pub flaw: Option<&'static str>,
}

/// An entry of the exception table.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)] // as in pyc_core::bytecode::Handler
pub struct HandlerView {
    pub start: u64,
    pub end: u64,
    pub target: u64,
    pub depth: u64,
    pub lasti: bool,
}

impl<'a> File<'a> {
    /// Reads a .pyc file, or with `profile` any stream. The stream of a pre-release is read as that of the final release.
    ///
    /// # Errors
    /// When it is no such file, or the stream is bad.
    pub fn read(bytes: &'a [u8], profile: Option<&Profile>) -> Result<File<'a>, Error> {
        let (profile, start) = match (Pyc::parse(bytes), profile) {
            (Ok(pyc), None) => (pyc.profile().clone(), pyc.payload_offset()),
            (_, Some(asked)) => (asked.clone(), payload_offset(bytes, asked)),
            (Err(e), None) => match Magic::at_start(bytes).and_then(Magic::family) {
                Some(family) if matches!(e, PycError::UnknownFormat { .. }) => {
                    (family.clone(), payload_offset(bytes, family))
                }
                _ => return Err(Error::Header(e)),
            },
        };
        match File::stream(&bytes[start..], &profile) {
            Ok(file) => Ok(File { start, ..file }),
            Err(Error::Stream { kind, offset }) => Err(Error::Stream { kind, offset: start + offset }),
            Err(other) => Err(other),
        }
    }

    /// A stream without a header.
    ///
    /// # Errors
    /// When it is bad.
    pub fn stream(bytes: &'a [u8], profile: &Profile) -> Result<File<'a>, Error> {
        let error = |e: pyc_core::Error| Error::Stream { kind: e.kind.to_string(), offset: e.offset };
        Ok(File { graph: read(bytes, profile).map_err(error)?, profile: profile.clone(), start: 0 })
    }

    /// What the stream says.
    #[must_use]
    pub fn graph(&self) -> &Graph<'a> {
        &self.graph
    }

    /// Where the stream begins in the file.
    #[must_use]
    pub fn start(&self) -> usize {
        self.start
    }

    /// Who is to look at it.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The release of Python that is meant.
    #[must_use]
    pub fn python(&self) -> Release {
        self.profile.release
    }

    /// The code objects with their paths, outer ones first; each once.
    ///
    /// # Errors
    /// When there is none, or none with that name.
    pub fn codes(&self, function: Option<&str>) -> Result<Vec<(String, NodeId)>, Error> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        let mut stack: Vec<(String, NodeId)> = match self.graph.value(self.graph.root()) {
            Value::Code(_) => vec![(String::new(), self.graph.root())],
            _ => self.graph.ids().rev().map(|id| (String::new(), id)).collect(),
        };
        while let Some((outer, id)) = stack.pop() {
            let id = self.graph.resolve(id);
            let Value::Code(code) = self.graph.value(id) else { continue };
            if !seen.insert(id) {
                continue;
            }
            let name = self.text(&code, Field::Name);
            let path = if outer.is_empty() || outer == "<module>" { name } else { format!("{outer}.{name}") };
            let consts = Body::new(&self.graph, &code, &self.profile).consts;
            stack.extend(consts.iter().rev().map(|id| (path.clone(), *id)));
            found.push((path, id));
        }
        if found.is_empty() {
            return Err(Error::NoCode);
        }
        let Some(function) = function else { return Ok(found) };
        let is_wanted = |path: &str| {
            let inside = path.strip_prefix(function).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            inside || path.ends_with(function) && path[..path.len() - function.len()].ends_with('.')
        };
        let wanted: Vec<_> = found.iter().filter(|(path, _)| is_wanted(path)).cloned().collect();
        if wanted.is_empty() {
            let names: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
            return Err(Error::NoFunction(function.into(), excerpt(&names.join(", "))));
        }
        Ok(wanted)
    }

    fn text(&self, code: &Code<'_>, field: Field) -> String {
        code.object(field).map(|id| self.graph.text(id)).unwrap_or_default()
    }

    /// What `dis.dis` of that Python prints of a code object, nested ones included; 2.7 and 3.6 print those one by one.
    ///
    /// # Errors
    /// When that Python raises an exception, or does not survive it; the text is what it prints before.
    pub fn python_listing(&self, function: Option<&str>) -> (String, Option<Error>) {
        let codes = match self.codes(function) {
            Ok(codes) => codes,
            Err(e) => return (String::new(), Some(e)),
        };
        let mut text = String::new();
        let mut shown = BTreeSet::new();
        let mut is_first = true;
        for (_, id) in codes {
            if shown.contains(&id) {
                continue;
            }
            if !std::mem::take(&mut is_first) {
                let heading = self.graph.repr(id, &self.profile, usize::MAX);
                writeln!(text, "\nDisassembly of {heading}:").expect("a String takes everything");
            }
            if self.profile.dis_goes_into_nested_code() {
                shown.extend(self.inside(id));
            }
            let listing = listing(&self.graph, id, &self.profile);
            text.push_str(&listing.text);
            if let Some(cause) = listing.undefined {
                return (text, Some(Error::Undefined(cause.name())));
            }
            if listing.is_cut {
                return (text, Some(Error::Cut));
            }
            if let Some(raised) = listing.raised {
                return (text, Some(Error::Raised(raised)));
            }
        }
        (text, None)
    }

    /// The code objects inside of one.
    fn inside(&self, id: NodeId) -> BTreeSet<NodeId> {
        let mut found = BTreeSet::new();
        let mut stack = vec![id];
        while let Some(id) = stack.pop() {
            let Value::Code(code) = self.graph.value(id) else { continue };
            let consts = Body::new(&self.graph, &code, &self.profile).consts;
            stack.extend(consts.iter().map(|id| self.graph.resolve(*id)).filter(|id| found.insert(*id)));
        }
        found
    }

    /// A code object, taken apart.
    #[must_use]
    pub fn taken(&self, id: NodeId) -> Option<Taken<'_>> {
        let Value::Code(code) = self.graph.value(id) else { return None };
        let body = Body::new(&self.graph, &code, &self.profile);
        Some(Taken { assembly: Assembly::of(&body, &self.profile), body, stacksize: code.ints().stacksize })
    }

    /// A code object for people and programs, whatever is wrong with it.
    #[must_use]
    pub fn view(&self, path: String, id: NodeId) -> Option<CodeView> {
        let Value::Code(code) = self.graph.value(id) else { return None };
        let body = Body::new(&self.graph, &code, &self.profile);
        let (targets, mut cursor) = (body.targets(), body.cursor());
        let instruction = |it: Instruction<'_>| {
            let covering = cursor.at(it.offset);
            let place = covering.position;
            InstructionView {
                offset: it.offset,
                opcode: it.code,
                name: it.name(),
                operand: it.operand,
                argument: self.argument(&body.argument(&it)),
                target: it.target(),
                is_target: targets.contains(it.offset),
                line: place.map_or_else(|| covering.line.and_then(|range| range.line), |place| place.line),
                end_line: place.and_then(|place| place.end_line),
                column: place.and_then(|place| place.column),
                end_column: place.and_then(|place| place.end_column),
                caches: crate::case::hex(it.caches()),
                flaw: it.flaw.map(what),
            }
        };
        let handler = |it: Handler| {
            let Handler { start, end, target, depth, lasti } = it;
            HandlerView { start, end, target, depth, lasti }
        };
        let violations = verify(&self.graph, id, &self.profile).err();
        Some(CodeView {
            violations: violations.map(|it| found(&path, &it)).unwrap_or_default(),
            path,
            filename: self.text(&code, Field::Filename),
            first_line: body.first_line,
            flags: body.flags,
            stacksize: code.ints().stacksize,
            instructions: body.instructions().map(instruction).collect(),
            handlers: body.handlers().map(handler).collect(),
        })
    }

    fn argument(&self, argument: &Argument) -> Option<String> {
        match *argument {
            Argument::None | Argument::Number(_) => None,
            Argument::Const(id) => Some(self.graph.repr(id, &self.profile, LONGEST)),
            Argument::Name(id) | Argument::Variable(id) => Some(self.graph.text(id)),
            Argument::NameAnd(id, what) => Some(format!("{} + {what}", self.graph.text(id))),
            Argument::Variables(first, second) => {
                Some(format!("{}, {}", self.graph.text(first), self.graph.text(second)))
            }
            Argument::Target(target) => Some(format!("to {target}")),
            Argument::Named(name) => Some(name.to_owned()),
            Argument::OutOfRange(_) => Some("out of range".into()),
        }
    }
}

fn what(flaw: Flaw) -> &'static str {
    match flaw {
        Flaw::Truncated => "the code ends inside it",
        Flaw::CachesPastEnd => "the code ends inside its inline caches",
        Flaw::Unassigned => "there is no such opcode",
    }
}

impl CodeView {
    /// One format for all versions: line (and columns), offset, instruction, argument.
    #[must_use]
    pub fn plain(&self) -> String {
        let Self { path, filename, first_line, stacksize, .. } = self;
        let mut text = one_line(&format!("{path}  ({filename}, line {first_line}, stack {stacksize})")) + "\n";
        let mut last = None;
        for it in &self.instructions {
            let place = (it.line, it.end_line, it.column, it.end_column);
            let shown = if last.replace(place) == Some(place) { String::new() } else { it.place() };
            let mark = if it.is_target { '>' } else { ' ' };
            let name = if it.name.is_empty() { format!("<{}>", it.opcode) } else { it.name.to_owned() };
            let operand = it.operand.map(|operand| operand.to_string()).unwrap_or_default();
            let mut line = format!("  {shown:>14} {mark} {:>5}  {name:<22} {operand:>6}", it.offset);
            if let Some(argument) = &it.argument {
                write!(line, "  {argument}").expect("a String takes everything");
            }
            if let Some(target) = it.target {
                let is_ahead = i64::try_from(it.offset).is_ok_and(|offset| target > offset);
                line.push_str(if is_ahead { " ↓" } else { " ↑" });
            }
            if let Some(flaw) = it.flaw {
                write!(line, "  ({flaw})").expect("a String takes everything");
            }
            text.push_str(visible(&line).trim_end());
            text.push('\n');
        }
        for handler in &self.handlers {
            writeln!(text, "  {handler}").expect("a String takes everything");
        }
        for it in &self.violations {
            let word = if it.is_certain() { "not safe" } else { "unclear" };
            text.push_str(&one_line(&format!("  {word}: {it}")));
            text.push('\n');
        }
        text
    }
}

impl fmt::Display for HandlerView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HandlerView { start, end, target, depth, lasti } = self;
        let lasti = if *lasti { ", pushes the offset" } else { "" };
        write!(f, "handler: {start} to {end} goes to {target}, depth {depth}{lasti}")
    }
}

impl InstructionView {
    /// Lines and columns: `3`, `3:4-9`, `3:4-5:1`; `--` if there is none.
    fn place(&self) -> String {
        let Some(line) = self.line else { return "--".into() };
        match (self.column, self.end_line, self.end_column) {
            (Some(column), Some(end), Some(end_column)) if end == line => format!("{line}:{column}-{end_column}"),
            (Some(column), Some(end), Some(end_column)) => format!("{line}:{column}-{end}:{end_column}"),
            _ => line.to_string(),
        }
    }
}

/// The text with colors for a terminal: the names of instructions, and what their arguments stand for.
#[must_use]
pub fn colored(text: &str, profile: &Profile) -> String {
    const NAME: &str = "\x1b[36m";
    const MEANING: &str = "\x1b[32m";
    const PLAIN: &str = "\x1b[0m";
    let set = InstructionSet::of(profile);
    let mut out = String::with_capacity(text.len() * 2);
    for line in text.split_inclusive('\n') {
        let name = line.split_ascii_whitespace().take(6).find(|word| set.named(word).is_some());
        let Some((before, name, after)) = name.and_then(|name| {
            let (before, after) = line.split_once(name)?;
            Some((before, name, after))
        }) else {
            out.push_str(line);
            continue;
        };
        // Behind the number, or where the number would be.
        let meaning = after.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit());
        let number = &after[..after.len() - meaning.len()];
        let end = meaning.trim_end();
        out.extend([before, NAME, name, PLAIN, number]);
        if !end.is_empty() {
            out.extend([MEANING, end, PLAIN]);
        }
        out.push_str(&meaning[end.len()..]);
    }
    out
}

/// The same for a name, which is to stay in its line.
#[must_use]
pub fn one_line(text: &str) -> String {
    visible(text).replace('\n', "\\u{a}")
}

/// The text with control characters, and those that turn its direction, written as `\u{202e}`. Line feeds stay.
#[must_use]
pub fn visible(text: &str) -> String {
    let turns =
        |c: char| matches!(c, '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character != '\n' && (character.is_control() || turns(character)) {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out
}
