//! Common rewrites of code objects: file names, names, constants, docstrings, lines.
//!
//! Strings and tuples are shared all over a stream, so a rewrite puts new objects into the places that are meant and leaves the
//! old ones to the others; [`Editor::finish`] sees to references and flags.
//!
//! ```
//! use pyc_core::{Profile, Version, Value, read};
//! let profile = Profile::of(Version::new(3, 12)).unwrap();
//! let mut graph = read(pyc_core::code::EXAMPLE_312, profile).unwrap();
//! let mut editor = graph.edit(profile);
//! assert_eq!(editor.filenames(|name| (name == b"f.py").then(|| b"/src/f.py".to_vec())), 1);
//! assert_eq!(editor.rename("x", "value"), 1);
//! editor.shift_lines(10);
//! assert!(editor.finish());
//! let stream = graph.write().unwrap();
//! let graph = read(&stream, profile).unwrap();
//! let Value::Code(code) = graph.value(graph.root()) else { panic!() };
//! assert_eq!(code.ints().firstlineno, 11);
//! assert_eq!(graph.text(code.locals(&graph)[0]), "value");
//! ```

use crate::bytecode::{AssembleError, Assembly, Body, InstructionSet, Operand, Place, Residue, StepArgument};
use crate::code::{Field, flag, place};
use crate::graph::{Graph, NodeId, Value};
use crate::prelude::*;
use crate::profile::Profile;
use alloc::collections::BTreeMap;

/// Rewrites the code objects of a graph.
#[derive(Debug)]
pub struct Editor<'e, 'a> {
    graph: &'e mut Graph<'a>,
    profile: &'e Profile,
}

/// The fields that hold tuples of names.
const NAMES: [Field; 5] = [Field::Names, Field::Varnames, Field::Freevars, Field::Cellvars, Field::Localsplusnames];

impl<'a> Graph<'a> {
    /// Rewrites code objects of a stream that was read, or built, for this profile.
    pub fn edit<'e>(&'e mut self, profile: &'e Profile) -> Editor<'e, 'a> {
        Editor { graph: self, profile }
    }
}

impl<'a> Editor<'_, 'a> {
    /// The graph, to make the objects that are put into it.
    pub fn graph(&mut self) -> &mut Graph<'a> {
        self.graph
    }

    /// Gives every `co_filename` the name that `change` has for it: bytes of UTF-8 in which surrogates are encoded, too; in 2.7
    /// any. How many code objects have another name then.
    pub fn filenames(&mut self, mut change: impl FnMut(&[u8]) -> Option<Vec<u8>>) -> usize {
        let mut known: BTreeMap<NodeId, Option<NodeId>> = BTreeMap::new();
        let mut changed = 0;
        for code in self.graph.code_objects() {
            let Some(name) = self.object(code, Field::Filename) else { continue };
            let new = match known.get(&name) {
                Some(new) => *new,
                None => {
                    let (bytes, interned) = self.text(name);
                    let new = bytes.and_then(|bytes| change(&bytes)).map(|bytes| self.graph.text_of(&bytes, interned));
                    *known.entry(name).or_insert(new)
                }
            };
            if let Some(new) = new {
                changed += usize::from(self.put(code, Field::Filename, new));
            }
        }
        changed
    }

    /// Gives another name to all variables, attributes and functions of a name. Strings that are used for names otherwise, such
    /// as keywords of calls, stay. How many places changed.
    pub fn rename(&mut self, old: &str, new: &str) -> usize {
        let node = self.graph.str(new);
        let mut changed = 0;
        for code in self.graph.code_objects() {
            for field in NAMES {
                let Some(names) = self.object(code, field) else { continue };
                let mut items = self.graph.children(names).to_vec();
                let mut found = 0;
                for item in &mut items {
                    if self.graph.text(*item) == old {
                        *item = node;
                        found += 1;
                    }
                }
                if found > 0 {
                    changed += found;
                    self.put_tuple(code, field, &items);
                }
            }
            if self.object(code, Field::Name).is_some_and(|name| self.graph.text(name) == old) {
                changed += usize::from(self.put(code, Field::Name, node));
            }
            if let Some(name) = self.object(code, Field::Qualname) {
                let text = self.graph.text(name);
                if text.split('.').any(|part| part == old) {
                    let parts: Vec<&str> = text.split('.').map(|part| if part == old { new } else { part }).collect();
                    let name = self.graph.str(&parts.join("."));
                    changed += usize::from(self.put(code, Field::Qualname, name));
                }
            }
        }
        changed
    }

    /// Puts an object in the place of a constant; `false` if there is no such place.
    pub fn constant(&mut self, code: NodeId, index: usize, constant: NodeId) -> bool {
        let code = self.graph.resolve(code);
        let Some(consts) = self.object(code, Field::Consts) else { return false };
        let mut items = self.graph.children(consts).to_vec();
        let Some(item) = items.get_mut(index) else { return false };
        *item = constant;
        self.put_tuple(code, Field::Consts, &items)
    }

    /// Gives a function, class or module that has a docstring another one, or `None` in its place. Instructions that load the same
    /// string for another purpose go on to do so.
    ///
    /// # Errors
    /// When the instructions had to change and cannot be put together: those of no compiler.
    pub fn docstring(&mut self, code: NodeId, text: Option<&str>) -> Result<bool, AssembleError> {
        let code = self.graph.resolve(code);
        let Some(old) = self.graph.docstring(code, self.profile) else { return Ok(false) };
        let Some(consts) = self.object(code, Field::Consts) else { return Ok(false) };
        let mut items = self.graph.children(consts).to_vec();
        let Some(index) = items.iter().position(|item| *item == old) else { return Ok(false) };
        let new = match text {
            Some(text) => self.graph.plain_str(text),
            None => self.graph.none(),
        };
        items[index] = new;
        let last = u32::try_from(items.len()).unwrap_or(u32::MAX);
        let set = InstructionSet::of(self.profile);
        let mut others = false;
        self.reassemble(code, |assembly, names| {
            for at in 0..assembly.steps.len() {
                let step = assembly.steps[at];
                let loads = set.opcode(step.opcode).operand == Operand::Const;
                let is_it = u32::try_from(index).is_ok_and(|index| step.argument == StepArgument::Number(index));
                let next = assembly.steps.get(at + 1);
                if loads && is_it && !next.is_some_and(|next| stores(set, next, names, "__doc__")) {
                    assembly.steps[at].argument = StepArgument::Number(last);
                    others = true;
                }
            }
            others
        })?;
        if others {
            items.push(old);
        }
        self.put_tuple(code, Field::Consts, &items);
        if text.is_none() && self.profile.flags_docstrings() {
            let ints = &mut self.graph.ints[self.graph.nodes[code.at()].extra as usize];
            ints.flags &= !flag::HAS_DOCSTRING;
        }
        Ok(true)
    }

    /// Moves all code objects by so many lines: their tables count from the first one. 3.13 and later also keep that of a class
    /// in a constant. How many code objects moved.
    pub fn shift_lines(&mut self, by: i32) -> usize {
        let codes = self.graph.code_objects();
        for code in &codes {
            let ints = &mut self.graph.ints[self.graph.nodes[code.at()].extra as usize];
            let first = ints.firstlineno;
            ints.firstlineno = first.wrapping_add(by);
            self.shift_class_line(*code, first, by);
        }
        self.graph.pristine = false;
        codes.len()
    }

    /// What a class stores as `__firstlineno__`, which is also its own first line.
    fn shift_class_line(&mut self, code: NodeId, first: i32, by: i32) {
        let set = InstructionSet::of(self.profile);
        let Some(consts) = self.object(code, Field::Consts) else { return };
        let mut items = self.graph.children(consts).to_vec();
        let line = i64::from(first.wrapping_add(by));
        let last = u32::try_from(items.len()).unwrap_or(u32::MAX);
        let mut is_constant = false;
        let done = self.reassemble(code, |assembly, names| {
            let steps = &mut assembly.steps;
            let found = (1..steps.len()).find(|at| stores(set, &steps[*at], names, "__firstlineno__"));
            let Some(at) = found.map(|at| at - 1) else { return false };
            let small = set.named("LOAD_SMALL_INT").zip(u8::try_from(line).ok());
            match (small, set.named("LOAD_CONST")) {
                (Some((opcode, line)), _) => {
                    (steps[at].opcode, steps[at].argument) = (opcode, StepArgument::Number(line.into()));
                }
                (None, Some(opcode)) => {
                    (steps[at].opcode, steps[at].argument) = (opcode, StepArgument::Number(last));
                    is_constant = true;
                }
                _ => return false,
            }
            true
        });
        if is_constant && done.is_ok() {
            items.push(self.graph.int(line));
            self.put_tuple(code, Field::Consts, &items);
        }
    }

    /// Lets all instructions come from the first line of their code object, without columns.
    ///
    /// # Errors
    /// When instructions cannot be put together: those of no compiler.
    pub fn erase_lines(&mut self) -> Result<usize, AssembleError> {
        let codes = self.graph.code_objects();
        let has_lines = self.profile.has_lines();
        let has_positions = self.profile.has_positions();
        for code in &codes {
            self.reassemble(*code, |assembly, _| {
                let first = assembly.first_line;
                for step in &mut assembly.steps {
                    // Up to 3.9 a line is where it begins, and the first one begins by itself.
                    let line = has_lines.then_some(first);
                    step.place =
                        Place { line, end_line: line.filter(|_| has_positions), column: None, end_column: None };
                }
                let Residue { line_pairs, last_line_pairs, line_table, .. } = &mut assembly.residue;
                line_pairs.clear();
                last_line_pairs.clear();
                *line_table = None;
                true
            })?;
        }
        Ok(codes.len())
    }

    /// Puts references and flags where they have to be. `false` if an object would hold itself where nothing can refer to it.
    #[must_use]
    pub fn finish(self) -> bool {
        self.graph.settle()
    }

    /// Takes a code object apart and, if it was changed, puts it together.
    fn reassemble(
        &mut self,
        code: NodeId,
        change: impl FnOnce(&mut Assembly<'_>, &[String]) -> bool,
    ) -> Result<(), AssembleError> {
        let Some(object) = self.graph.code_of(code) else { return Ok(()) };
        let body = Body::new(self.graph, &object, self.profile);
        let mut assembly = Assembly::of(&body, self.profile);
        let names: Vec<String> = body.names.iter().map(|name| self.graph.text(*name)).collect();
        if !change(&mut assembly, &names) {
            return Ok(());
        }
        let assembled = assembly.assemble()?;
        let table = if object.object(Field::Linetable).is_some() { Field::Linetable } else { Field::Lnotab };
        let fields = [
            (Field::Code, body.code != assembled.code, assembled.code),
            (table, body.line_table != assembled.line_table, assembled.line_table),
            (Field::Exceptiontable, body.exception_table != assembled.exception_table, assembled.exception_table),
        ];
        for (field, is_new, bytes) in fields {
            if is_new {
                let node = self.graph.bytes(&bytes);
                self.put(code, field, node);
            }
        }
        Ok(())
    }

    /// The object in a field.
    fn object(&self, code: NodeId, field: Field) -> Option<NodeId> {
        Some(self.graph.resolve(self.graph.code_of(code)?.object(field)?))
    }

    fn put(&mut self, code: NodeId, field: Field, object: NodeId) -> bool {
        place(self.graph.layout, field).is_some_and(|place| self.graph.set_child(code, place, object))
    }

    /// A new tuple in the place of one that may be elsewhere, too.
    fn put_tuple(&mut self, code: NodeId, field: Field, items: &[NodeId]) -> bool {
        let tuple = self.graph.tuple_of(items);
        self.put(code, field, tuple)
    }

    /// A string as UTF-8 with surrogates, or what it is in 2.7, and whether it is interned.
    fn text(&self, id: NodeId) -> (Option<Vec<u8>>, bool) {
        match self.graph.value(id) {
            Value::Str(text) if text.latin1 && !text.is_ascii() => {
                (Some(text.to_string_lossy().into_bytes()), text.interned)
            }
            Value::Str(text) => (Some(text.bytes.to_vec()), text.interned),
            Value::Bytes(bytes) => (Some(bytes.to_vec()), false),
            Value::InternedBytes(bytes) => (Some(bytes.to_vec()), true),
            _ => (None, false),
        }
    }
}

/// Whether a step stores into a name.
fn stores(set: &InstructionSet, step: &crate::bytecode::Step, names: &[String], name: &str) -> bool {
    let StepArgument::Number(place) = step.argument else { return false };
    set.named("STORE_NAME") == Some(step.opcode) && names.get(place as usize).is_some_and(|it| it == name)
}
