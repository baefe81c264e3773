//! Writes documents as text.

use super::super::document::{Block, Container, Document, Mark, Op, Slot, Symbol, ValueId};
use super::super::{InstructionSet, Label, Operand, Place, Region};
use super::lex::{quote_bytes, quote_name};
use super::value;
use super::words::{FLAGS, arguments, bit_words};
use crate::prelude::*;
use crate::pyc::Header;
use alloc::collections::BTreeMap;
use core::fmt::Write;

/// Where operands begin.
const OPERANDS: usize = 28;
/// Where places begin.
const PLACES: usize = 56;

pub(super) struct Printer<'d> {
    document: &'d Document,
    labels: Vec<&'d str>,
    set: &'static InstructionSet,
    out: String,
}

impl<'d> Printer<'d> {
    pub(super) fn new(document: &'d Document) -> Self {
        let labels = document.blocks.iter().map(|block| block.label.as_str()).collect();
        let set = InstructionSet::of(document.profile());
        Printer { document, labels, set, out: String::new() }
    }

    pub(super) fn print(mut self) -> String {
        let document = self.document;
        let _ = writeln!(self.out, ".python {}", document.profile().version);
        self.container();
        if let Some(stream) = &document.stream {
            self.bytes("stream", stream);
        }
        if let Some(root) = document.root {
            self.value("root", root, Slot::Root);
        }
        self.marks(&document.marks);
        if !document.trailing.is_empty() {
            self.bytes("trailing", &document.trailing);
        }
        for block in &document.blocks {
            self.block(block);
        }
        self.out
    }

    fn container(&mut self) {
        let _ = match &self.document.container {
            Container::Bare => writeln!(self.out, ".bare"),
            Container::Pyc(Header::Mtime { mtime }) => writeln!(self.out, ".pyc mtime {mtime}"),
            Container::Pyc(Header::MtimeSize { flags, mtime, size }) => {
                let _ = write!(self.out, ".pyc mtime {mtime} size {size}");
                if *flags != 0 {
                    let _ = write!(self.out, " flags {flags}");
                }
                writeln!(self.out)
            }
            Container::Pyc(Header::Hash { flags, hash }) => {
                let hash = u64::from_be_bytes(*hash);
                writeln!(self.out, ".pyc hash {hash:#018x} flags {flags}")
            }
            Container::Other(bytes) => {
                let bytes = bytes.clone();
                self.bytes("header", &bytes);
                Ok(())
            }
        };
    }

    fn bytes(&mut self, name: &str, bytes: &[u8]) {
        let _ = write!(self.out, ".{name} b");
        quote_bytes(bytes, &mut self.out);
        self.out.push('\n');
    }

    fn value(&mut self, name: &str, id: ValueId, slot: Slot) {
        let _ = write!(self.out, ".{name} ");
        value::print(&self.document.values, id, slot, &self.labels, &mut self.out);
        self.out.push('\n');
    }

    fn names(&mut self, name: &str, names: &[String]) {
        if names.is_empty() {
            return;
        }
        let _ = write!(self.out, ".{name} ");
        for (place, name) in names.iter().enumerate() {
            if place > 0 {
                self.out.push_str(", ");
            }
            quote_name(name, &mut self.out);
        }
        self.out.push('\n');
    }

    fn marks(&mut self, marks: &BTreeMap<usize, Mark>) {
        if marks.is_empty() {
            return;
        }
        self.out.push_str(".refs");
        let mut rest = marks.iter().peekable();
        while let Some((first, mark)) = rest.next() {
            let mut last = *first;
            while let Some((next, _)) = rest.next_if(|(next, other)| **next == last + 1 && *other == mark) {
                last = *next;
            }
            let _ = write!(self.out, " {first}");
            if last > *first {
                let _ = write!(self.out, "-{last}");
            }
            if let Some(other) = mark.other {
                let _ = write!(self.out, "={other}");
            }
            if mark.anew {
                self.out.push('!');
            }
            if mark.toggled && (mark.anew || mark.other.is_some()) {
                self.out.push('~');
            }
        }
        self.out.push('\n');
    }

    fn block(&mut self, block: &Block) {
        let values = &self.document.values;
        let _ = write!(self.out, "\n.code {}", block.label);
        if let Some(name) = block.name {
            self.out.push(' ');
            value::print(values, name, Slot::Name, &self.labels, &mut self.out);
        }
        self.out.push('\n');
        for (name, field, slot) in
            [("qualname", block.qualname, Slot::Qualname), ("filename", block.filename, Slot::Filename)]
        {
            if let Some(field) = field {
                self.value(name, field, slot);
            }
        }
        if block.line != 1 {
            let _ = writeln!(self.out, ".line {}", block.line);
        }
        self.signature(block);
        if let Some([positional, only, keyword]) = block.counts {
            let _ = writeln!(self.out, ".counts {positional} {only} {keyword}");
        }
        self.names("locals", &block.locals);
        self.names("cells", &block.cells);
        self.names("free", &block.free);
        self.names("hidden", &block.hidden);
        if let Some(doc) = block.doc {
            self.value("doc", doc, Slot::Consts);
        }
        if let Some(consts) = &block.consts {
            self.out.push_str(".consts");
            for (place, id) in consts.iter().enumerate() {
                self.out.push_str(if place > 0 { ", " } else { " " });
                value::print(values, *id, Slot::Consts, &self.labels, &mut self.out);
            }
            self.out.push('\n');
        }
        self.names("names", &block.names);
        self.flags(block);
        if let Some(size) = block.stacksize {
            let _ = writeln!(self.out, ".stacksize {size}");
        }
        if let Some(count) = block.nlocals {
            let _ = writeln!(self.out, ".nlocals {count}");
        }
        for (field, id) in &block.fields {
            let _ = write!(self.out, ".field {} ", field.name());
            value::print(values, *id, Slot::of(*field), &self.labels, &mut self.out);
            self.out.push('\n');
        }
        self.marks(&block.marks);
        self.code(block);
    }

    fn signature(&mut self, block: &Block) {
        let signature = &block.signature;
        if signature.names().next().is_none() {
            return;
        }
        let mut parts: Vec<(&str, Option<&String>)> = Vec::new();
        for (place, name) in signature.positional.iter().enumerate() {
            parts.push(("", Some(name)));
            if place + 1 == signature.positional_only {
                parts.push(("/", None));
            }
        }
        match &signature.rest {
            Some(rest) => parts.push(("*", Some(rest))),
            None if !signature.keyword_only.is_empty() => parts.push(("*", None)),
            None => {}
        }
        parts.extend(signature.keyword_only.iter().map(|name| ("", Some(name))));
        parts.extend(signature.keywords.iter().map(|name| ("**", Some(name))));
        self.out.push_str(".args ");
        for (place, (sign, name)) in parts.into_iter().enumerate() {
            if place > 0 {
                self.out.push_str(", ");
            }
            self.out.push_str(sign);
            if let Some(name) = name {
                quote_name(name, &mut self.out);
            }
        }
        self.out.push('\n');
    }

    fn flags(&mut self, block: &Block) {
        let Some(flags) = block.flags else { return };
        let usual = block.default_flags(&self.document.values);
        self.out.push_str(".flags");
        for (sign, mut bits) in [("", flags & !usual), ("-", usual & !flags)] {
            for (name, bit) in FLAGS {
                if bits & bit != 0 {
                    let _ = write!(self.out, " {sign}{name}");
                    bits &= !bit;
                }
            }
            if bits != 0 {
                let _ = write!(self.out, " {sign}{bits:#x}");
            }
        }
        self.out.push('\n');
    }

    fn code(&mut self, block: &Block) {
        let mut names: BTreeMap<Label, usize> = BTreeMap::new();
        let labels = block.ops.iter().map(|op| op.label).chain([block.end]);
        for label in labels.flatten() {
            let next = names.len() + 1;
            names.entry(label).or_insert(next);
        }
        let mut place =
            first_place(block, self.document.profile().has_lines(), self.document.profile().has_positions());
        for op in &block.ops {
            if let Some(label) = op.label {
                let _ = writeln!(self.out, "L{}:", names[&label]);
            }
            self.op(op, &names, &mut place);
        }
        if let Some(label) = block.end {
            let _ = writeln!(self.out, "L{}:", names[&label]);
        }
        for Region { start, end, target, depth, lasti } in &block.regions {
            let [start, end, target] = [start, end, target].map(|label| names.get(label).copied().unwrap_or(0));
            let _ = write!(self.out, ".try L{start} L{end} L{target}");
            if *depth != 0 {
                let _ = write!(self.out, " depth {depth}");
            }
            self.out.push_str(if *lasti { " lasti\n" } else { "\n" });
        }
        if !block.tail.is_empty() {
            self.bytes("tail", &block.tail);
        }
        if !block.last_line_pairs.is_empty() {
            self.bytes("last-pairs", &block.last_line_pairs);
        }
    }

    fn op(&mut self, op: &Op, names: &BTreeMap<Label, usize>, place: &mut Option<Place>) {
        let start = self.out.len();
        let opcode = self.set.opcode(op.opcode);
        self.out.push_str("    ");
        match opcode.name {
            name if self.set.named(name) == Some(op.opcode) => self.out.push_str(name),
            _ => {
                let _ = write!(self.out, "#{}", op.opcode);
            }
        }
        if op.operand != Symbol::None {
            self.pad(start, OPERANDS);
            self.operand(&op.operand, opcode.operand, names);
        }
        let is_shown = match place {
            // Up to 3.9 an instruction has a line where the table has an entry.
            None => op.place.line.is_some(),
            Some(before) => *before != op.place,
        };
        if is_shown {
            self.pad(start, PLACES);
            self.out.push_str(&place_text(op.place, self.document.profile().has_positions()));
            if place.is_some() {
                *place = Some(op.place);
            }
        }
        if let Some(extra) = &op.extra {
            self.pad(start, PLACES);
            let mut parts: Vec<String> = Vec::new();
            let number = |name: &str, number: usize| format!("{name} {number}");
            let bytes = |name: &str, bytes: &[u8]| {
                let mut text = format!("{name} b");
                quote_bytes(bytes, &mut text);
                text
            };
            parts.extend(extra.prefixes.map(|prefixes| number("prefixes", prefixes)));
            parts.extend(extra.unused.map(|unused| number("unused", unused.into())));
            parts.extend(extra.caches.as_ref().map(|caches| bytes("caches", caches)));
            parts.extend(extra.line_pairs.as_ref().map(|pairs| bytes("pairs", pairs)));
            let _ = write!(self.out, "{{{}}}", parts.join(", "));
        }
        self.out.push('\n');
    }

    /// Spaces up to a column, and one at least.
    fn pad(&mut self, start: usize, column: usize) {
        let have = self.out.len() - start;
        for _ in have..column.max(have + 1) {
            self.out.push(' ');
        }
    }

    fn operand(&mut self, symbol: &Symbol, operand: Operand, names: &BTreeMap<Label, usize>) {
        match symbol {
            Symbol::None => {}
            Symbol::Number(number) => {
                let profile = self.document.profile();
                let all = arguments(self.set, operand, profile);
                let word = all.iter().find(|(known, _)| known == number).map(|(_, word)| word);
                // The first of a word counts.
                let word = word.filter(|word| {
                    !word.is_empty()
                        && all.iter().find(|(_, other)| other == *word).is_some_and(|(first, _)| first == number)
                });
                let is_plain = matches!(
                    operand,
                    Operand::None | Operand::Number | Operand::SmallInt | Operand::Function | Operand::Format
                );
                let _ = match word {
                    Some(word) => {
                        quote_name(word, &mut self.out);
                        Ok(())
                    }
                    None if is_plain => write!(self.out, "{number}"),
                    None => write!(self.out, "#{number}"),
                };
            }
            Symbol::Const(id) => {
                value::print(&self.document.values, *id, Slot::Consts, &self.labels, &mut self.out);
            }
            Symbol::Name(name, bits) => {
                quote_name(name, &mut self.out);
                for (bit, word) in bit_words(operand).iter().enumerate() {
                    if bits >> bit & 1 != 0 {
                        let _ = write!(self.out, " + {word}");
                    }
                }
            }
            Symbol::Variable(name) => quote_name(name, &mut self.out),
            Symbol::Variables(first, second) => {
                quote_name(first, &mut self.out);
                self.out.push_str(", ");
                quote_name(second, &mut self.out);
            }
            Symbol::Jump(label) => {
                let _ = write!(self.out, "L{}", names.get(label).copied().unwrap_or(0));
            }
        }
    }
}

/// Where instructions come from that do not say it: since 3.10 the first line.
pub(super) fn first_place(block: &Block, has_lines: bool, has_positions: bool) -> Option<Place> {
    let line = Some(block.line);
    let end_line = line.filter(|_| has_positions);
    has_lines.then_some(Place { line, end_line, column: None, end_column: None })
}

fn place_text(place: Place, has_positions: bool) -> String {
    let Place { line, end_line, column, end_column } = place;
    let show = |number: Option<i32>| number.map_or("?".to_string(), |number| number.to_string());
    match (line, end_line, column, end_column) {
        (None, None, None, None) => "@-".to_string(),
        (Some(line), end, None, None) if end == Some(line).filter(|_| has_positions) => format!("@{line}"),
        (_, end, _, _) if end == line => format!("@{}:{}..{}", show(line), show(column), show(end_column)),
        _ => format!("@{}:{}..{}:{}", show(line), show(column), show(end_line), show(end_column)),
    }
}
