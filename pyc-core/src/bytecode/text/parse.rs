//! Reads documents from text.

use super::super::document::{Block, Container, Document, Extra, Mark, Op, Slot, Symbol, ValueId};
use super::super::{InstructionSet, Label, Operand, Place, Region};
use super::TextError;
use super::lex::{Lexer, Token};
use super::print::first_place;
use super::value;
use super::words::{FLAGS, arguments, bit_words};
use crate::code;
use crate::prelude::*;
use crate::profile::{HeaderLayout, Profile, Release};
use crate::pyc::Header;
use alloc::collections::BTreeMap;

/// Where a block is in the text.
#[derive(Debug, Clone, Default)]
pub(super) struct Lines {
    pub(super) start: (usize, usize),
    pub(super) ops: Vec<(usize, usize)>,
}

/// The labels of a block.
#[derive(Default)]
struct Labels<'t> {
    names: BTreeMap<&'t str, Label>,
    /// Where each is, and where it is used first.
    placed: BTreeMap<Label, (usize, usize)>,
    used: BTreeMap<Label, (usize, usize)>,
    /// The labels of what comes next.
    next: Option<Label>,
    count: u32,
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    document: Document,
    codes: BTreeMap<&'t str, usize>,
    set: &'static InstructionSet,
    labels: Labels<'t>,
    /// What an instruction that says nothing comes from.
    place: Option<Place>,
    flags: (i32, i32),
    lines: Vec<Lines>,
}

pub(super) fn parse(text: &str) -> Result<(Document, Vec<Lines>), TextError> {
    let mut lexer = Lexer::new(text);
    while lexer.take(Token::Line)? {}
    let profile = python(&mut lexer)?;
    let mut parser = Parser {
        lexer,
        document: Document::new(profile),
        codes: codes(text)?,
        set: InstructionSet::of(profile),
        labels: Labels::default(),
        place: None,
        flags: (0, 0),
        lines: Vec::new(),
    };
    parser.run()?;
    Ok((parser.document, parser.lines))
}

/// The code objects by their labels, which may be used before they are there.
fn codes(text: &str) -> Result<BTreeMap<&str, usize>, TextError> {
    let mut codes = BTreeMap::new();
    for (number, line) in text.split('\n').enumerate() {
        let Some(rest) = line.trim_start().strip_prefix(".code") else { continue };
        let Some(label) = rest.strip_prefix([' ', '\t']).and_then(|rest| rest.split_whitespace().next()) else {
            continue;
        };
        let next = codes.len();
        if codes.insert(label, next).is_some() {
            let message = format!("there is a .code {label} already");
            return Err(TextError { line: number + 1, column: 1, message });
        }
    }
    Ok(codes)
}

fn python(lexer: &mut Lexer<'_>) -> Result<&'static Profile, TextError> {
    let expected = "the first directive is .python with a version, such as .python 3.12";
    if lexer.next()? != Token::Directive("python") {
        return Err(lexer.error(expected));
    }
    let Token::Number(version) = lexer.next()? else { return Err(lexer.error(expected)) };
    let profile = Release::parse(version).and_then(|release| Profile::of(release.version));
    profile.ok_or_else(|| lexer.error(format!("Python {version} is not supported; 2.7 or 3.6 to 3.15 expected")))
}

impl<'t> Parser<'t> {
    fn run(&mut self) -> Result<(), TextError> {
        self.end_line()?;
        loop {
            match self.lexer.next()? {
                Token::End => break,
                Token::Line => {}
                Token::Directive("code") => {
                    self.finish_block()?;
                    self.begin_block()?;
                }
                Token::Directive(name) if self.document.blocks.is_empty() => self.outside(name)?,
                Token::Directive(name) => self.inside(name)?,
                Token::Word(name) if !self.document.blocks.is_empty() => {
                    let at = self.lexer.at;
                    if self.lexer.take(Token::Sign(':'))? {
                        self.lexer.at = at;
                        self.place_label(name)?;
                    } else {
                        // 2.7 has names such as SLICE+1.
                        let mut name = name.to_string();
                        if self.set.named(&name).is_none() && self.lexer.take(Token::Sign('+'))? {
                            name = format!("{name}+{}", self.number::<u8>()?);
                        }
                        let opcode = self.set.named(&name).ok_or_else(|| {
                            let version = self.document.profile().version;
                            self.lexer.error(format!("{version} has no instruction {name}"))
                        })?;
                        self.op(opcode)?;
                    }
                }
                Token::Raw(number) if !self.document.blocks.is_empty() => {
                    let opcode = number.parse().map_err(|_| self.lexer.error("an opcode below 256 expected"))?;
                    self.op(opcode)?;
                }
                _ if self.document.blocks.is_empty() => {
                    return Err(self.lexer.error("a directive expected, such as .code"));
                }
                _ => return Err(self.lexer.error("an instruction, a label or a directive expected")),
            }
        }
        self.finish_block()
    }

    fn end_line(&mut self) -> Result<(), TextError> {
        match self.lexer.next()? {
            Token::Line | Token::End => Ok(()),
            _ => Err(self.lexer.error("the end of the line expected")),
        }
    }

    fn at_end_of_line(&mut self) -> Result<bool, TextError> {
        Ok(matches!(self.lexer.peek()?, Token::Line | Token::End))
    }

    fn block(&mut self) -> &mut Block {
        // Who calls this has seen that there is one.
        let last = self.document.blocks.len() - 1;
        &mut self.document.blocks[last]
    }

    fn begin_block(&mut self) -> Result<(), TextError> {
        let start = self.lexer.at;
        let Token::Word(label) = self.lexer.next()? else {
            return Err(self.lexer.error("a label expected behind .code"));
        };
        // The labels were found line by line.
        if self.codes.get(label) != Some(&self.document.blocks.len()) {
            return Err(self.lexer.error("a space expected behind the label, and .code at the beginning of a line"));
        }
        let mut block = Block::new(label);
        if !self.at_end_of_line()? {
            block.name = Some(self.value(Slot::Name)?);
        }
        self.end_line()?;
        self.document.blocks.push(block);
        self.lines.push(Lines { start, ops: Vec::new() });
        self.labels = Labels::default();
        self.place = None;
        self.flags = (0, 0);
        Ok(())
    }

    fn finish_block(&mut self) -> Result<(), TextError> {
        if self.document.blocks.is_empty() {
            return Ok(());
        }
        for (label, (line, column)) in &self.labels.used {
            if !self.labels.placed.contains_key(label) && self.labels.next != Some(*label) {
                let name = self.labels.names.iter().find(|(_, known)| *known == label).map_or("", |(name, _)| name);
                let message = format!("the code object has no label {name}");
                return Err(TextError { line: *line, column: *column, message });
            }
        }
        self.block().end = self.labels.next.take();
        if self.flags != (0, 0) {
            let (set, cleared) = self.flags;
            let last = self.document.blocks.len() - 1;
            let usual = self.document.blocks[last].default_flags(&self.document.values);
            self.block().flags = Some(usual & !cleared | set);
        }
        Ok(())
    }

    fn value(&mut self, slot: Slot) -> Result<ValueId, TextError> {
        value::parse(&mut self.lexer, &mut self.document.values, slot, &self.codes)
    }

    fn bytes(&mut self) -> Result<Vec<u8>, TextError> {
        match self.lexer.next()? {
            Token::Text(Some('b'), text) => self.lexer.bytes(text),
            _ => Err(self.lexer.error("bytes expected, such as b\"\\x00\"")),
        }
    }

    /// A number, in decimal or hexadecimal.
    fn number<T: TryFrom<i64>>(&mut self) -> Result<T, TextError> {
        let number = match self.lexer.next()? {
            Token::Number(text) => integer(text).and_then(|number| T::try_from(number).ok()),
            _ => None,
        };
        number.ok_or_else(|| self.lexer.error("a number expected that fits in here"))
    }

    fn name(&mut self) -> Result<String, TextError> {
        match self.lexer.next()? {
            Token::Word(name) => Ok(name.into()),
            Token::Text(None, text) => {
                let points = self.lexer.points(text)?;
                let name: Option<String> = points.into_iter().map(char::from_u32).collect();
                name.ok_or_else(|| self.lexer.error("a name without surrogates expected"))
            }
            _ => Err(self.lexer.error("a name expected, in quotes if it is no word")),
        }
    }

    fn names(&mut self) -> Result<Vec<String>, TextError> {
        let mut names = Vec::new();
        while !self.at_end_of_line()? {
            names.push(self.name()?);
            self.lexer.take(Token::Sign(','))?;
        }
        Ok(names)
    }

    /// A directive in front of the first code object.
    fn outside(&mut self, name: &str) -> Result<(), TextError> {
        match name {
            "bare" => self.document.container = Container::Bare,
            "pyc" => self.document.container = Container::Pyc(self.header()?),
            "header" => self.document.container = Container::Other(self.bytes()?),
            "stream" => self.document.stream = Some(self.bytes()?),
            "trailing" => self.document.trailing = self.bytes()?,
            "root" => self.document.root = Some(self.value(Slot::Root)?),
            "refs" => self.document.marks = self.marks()?,
            _ => {
                return Err(self.lexer.error(format!(
                    "there is no .{name} in front of the first .code; .bare, .pyc, .header, .stream, .trailing, .root or .refs expected"
                )));
            }
        }
        self.end_line()
    }

    fn header(&mut self) -> Result<Header, TextError> {
        let (mut hash, mut flags, mut mtime, mut size) = (None, 0, 0, 0);
        while !self.at_end_of_line()? {
            match self.lexer.next()? {
                Token::Word("mtime") => mtime = self.number()?,
                Token::Word("size") => size = self.number()?,
                Token::Word("flags") => flags = self.number()?,
                Token::Word("hash") => {
                    let digits = match self.lexer.next()? {
                        Token::Number(text) => text.strip_prefix("0x").filter(|digits| digits.len() == 16),
                        _ => None,
                    };
                    let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
                    hash = Some(number.ok_or_else(|| self.lexer.error("0x and 16 hexadecimal digits expected"))?);
                }
                _ => return Err(self.lexer.error("mtime, size, hash or flags expected")),
            }
        }
        Ok(match (hash, self.document.profile().header) {
            (Some(hash), _) => Header::Hash { flags, hash: hash.to_be_bytes() },
            (None, HeaderLayout::Mtime) => Header::Mtime { mtime },
            (None, _) => Header::MtimeSize { flags, mtime, size },
        })
    }

    fn marks(&mut self) -> Result<BTreeMap<usize, Mark>, TextError> {
        let mut marks = BTreeMap::new();
        while !self.at_end_of_line()? {
            let first: usize = self.number()?;
            let last = match self.lexer.peek()? {
                Token::Number(text) if text.starts_with('-') => {
                    self.lexer.next()?;
                    text[1..].parse().map_err(|_| self.lexer.error("the number of an object expected"))?
                }
                _ => first,
            };
            let other = if self.lexer.take(Token::Sign('='))? { Some(self.number()?) } else { None };
            let anew = self.lexer.take(Token::Sign('!'))?;
            let toggled = self.lexer.take(Token::Sign('~'))? || !anew && other.is_none();
            // A range is of objects that are there, and each takes some bytes of text.
            if last < first || last - first > 1 << 24 {
                return Err(self.lexer.error("a range of objects expected"));
            }
            marks.extend((first..=last).map(|number| (number, Mark { toggled, anew, other })));
        }
        Ok(marks)
    }

    /// A directive of a code object.
    fn inside(&mut self, name: &str) -> Result<(), TextError> {
        match name {
            "qualname" => self.block().qualname = Some(self.value(Slot::Qualname)?),
            "filename" => self.block().filename = Some(self.value(Slot::Filename)?),
            "line" => self.block().line = self.number()?,
            "args" => self.signature()?,
            "counts" => self.block().counts = Some([self.number()?, self.number()?, self.number()?]),
            "locals" => self.block().locals = self.names()?,
            "cells" => self.block().cells = self.names()?,
            "free" => self.block().free = self.names()?,
            "hidden" => self.block().hidden = self.names()?,
            "doc" => self.block().doc = Some(self.value(Slot::Consts)?),
            "consts" => self.consts()?,
            "names" => self.block().names = self.names()?,
            "flags" => self.flags()?,
            "stacksize" => self.block().stacksize = Some(self.number()?),
            "nlocals" => self.block().nlocals = Some(self.number()?),
            "field" => self.field()?,
            "refs" => self.block().marks = self.marks()?,
            "try" => self.region()?,
            "tail" => self.block().tail = self.bytes()?,
            "last-pairs" => self.block().last_line_pairs = self.bytes()?,
            _ => {
                return Err(self.lexer.error(format!(
                    "there is no .{name}; .code, .qualname, .filename, .line, .args, .counts, .locals, .cells, .free, .hidden, \
                     .doc, .consts, .names, .flags, .stacksize, .nlocals, .field, .refs, .try, .tail or .last-pairs expected"
                )));
            }
        }
        self.end_line()
    }

    fn consts(&mut self) -> Result<(), TextError> {
        let mut consts = Vec::new();
        while !self.at_end_of_line()? {
            consts.push(self.value(Slot::Consts)?);
            self.lexer.take(Token::Sign(','))?;
        }
        self.block().consts = Some(consts);
        Ok(())
    }

    fn field(&mut self) -> Result<(), TextError> {
        let layout = code::fields(self.document.profile().code_layout);
        let name = self.lexer.next()?;
        let field = layout.iter().find(|field| name == Token::Word(field.name()));
        let Some(&field) = field else {
            let names: Vec<&str> = layout.iter().map(|field| field.name()).collect();
            return Err(self.lexer.error(format!("a field expected: {}", names.join(", "))));
        };
        let value = self.value(Slot::of(field))?;
        self.block().fields.push((field, value));
        Ok(())
    }

    fn flags(&mut self) -> Result<(), TextError> {
        while !self.at_end_of_line()? {
            let mut token = self.lexer.next()?;
            let is_cleared = token == Token::Sign('-');
            if is_cleared {
                token = self.lexer.next()?;
            }
            let (bits, is_cleared) = match token {
                Token::Word(word) => (FLAGS.iter().find(|(name, _)| *name == word).map(|(_, bit)| *bit), is_cleared),
                Token::Number(text) => {
                    let bits = integer(text.trim_start_matches('-')).and_then(|bits| u32::try_from(bits).ok());
                    (bits.map(u32::cast_signed), is_cleared || text.starts_with('-'))
                }
                _ => (None, false),
            };
            let Some(bits) = bits else {
                let names = FLAGS.map(|(name, _)| name).join(", ");
                return Err(self.lexer.error(format!("a flag expected: {names}, or a number; - in front clears it")));
            };
            if is_cleared {
                self.flags.1 |= bits;
            } else {
                self.flags.0 |= bits;
            }
        }
        Ok(())
    }

    fn signature(&mut self) -> Result<(), TextError> {
        let mut signature = core::mem::take(&mut self.block().signature);
        let mut is_keyword_only = false;
        while !self.at_end_of_line()? {
            if self.lexer.take(Token::Sign('/'))? {
                signature.positional_only = signature.positional.len();
            } else if self.lexer.take(Token::Sign('*'))? {
                is_keyword_only = true;
                if self.lexer.take(Token::Sign('*'))? {
                    signature.keywords = Some(self.name()?);
                } else if matches!(self.lexer.peek()?, Token::Word(_) | Token::Text(..)) {
                    signature.rest = Some(self.name()?);
                }
            } else {
                let name = self.name()?;
                let list = if is_keyword_only { &mut signature.keyword_only } else { &mut signature.positional };
                list.push(name);
            }
            self.lexer.take(Token::Sign(','))?;
        }
        self.block().signature = signature;
        Ok(())
    }

    fn region(&mut self) -> Result<(), TextError> {
        let [start, end, target] = [self.label()?, self.label()?, self.label()?];
        let (mut depth, mut lasti) = (0, false);
        while !self.at_end_of_line()? {
            match self.lexer.next()? {
                Token::Word("depth") => depth = self.unsigned()?,
                Token::Word("lasti") => lasti = true,
                _ => return Err(self.lexer.error("depth, lasti or the end of the line expected")),
            }
        }
        self.block().regions.push(Region { start, end, target, depth, lasti });
        Ok(())
    }

    /// A number of 64 bits.
    fn unsigned(&mut self) -> Result<u64, TextError> {
        match self.lexer.next()? {
            Token::Number(text) => text.parse().map_err(|_| self.lexer.error("a number expected")),
            _ => Err(self.lexer.error("a number expected")),
        }
    }

    fn label_of(&mut self, name: &'t str) -> Label {
        let labels = &mut self.labels;
        if let Some(label) = labels.names.get(name) {
            return *label;
        }
        labels.count += 1;
        let label = Label(labels.count);
        labels.names.insert(name, label);
        label
    }

    /// A label that is referred to.
    fn label(&mut self) -> Result<Label, TextError> {
        let Token::Word(name) = self.lexer.next()? else { return Err(self.lexer.error("a label expected")) };
        let at = self.lexer.at;
        let label = self.label_of(name);
        self.labels.used.entry(label).or_insert(at);
        Ok(label)
    }

    fn place_label(&mut self, name: &'t str) -> Result<(), TextError> {
        let at = self.lexer.at;
        let known = self.labels.names.get(name).copied();
        if known.is_some_and(|label| self.labels.placed.contains_key(&label)) {
            return Err(self.lexer.error(format!("there is a label {name} already")));
        }
        match (self.labels.next, known) {
            // Two labels of one place are one label.
            (Some(next), None) => {
                self.labels.names.insert(name, next);
            }
            (Some(_), Some(_)) => {
                let message = format!("{name} was used above, and another label is here already: one label expected");
                return Err(self.lexer.error(message));
            }
            (None, _) => {
                let label = self.label_of(name);
                self.labels.placed.insert(label, at);
                self.labels.next = Some(label);
            }
        }
        Ok(())
    }

    fn op(&mut self, opcode: u8) -> Result<(), TextError> {
        let start = self.lexer.at;
        let kind = self.set.opcode(opcode).operand;
        let operand = self.operand(kind)?;
        let profile = self.document.profile();
        let (has_lines, has_positions) = (profile.has_lines(), profile.has_positions());
        if self.block().ops.is_empty() {
            self.place = first_place(self.block(), has_lines, has_positions);
        }
        let mut place = self.place.unwrap_or_default();
        if let Token::At(text) = self.lexer.peek()? {
            self.lexer.next()?;
            place = parse_place(text, has_positions).ok_or_else(|| {
                self.lexer.error("a place expected, such as @3, @3:4..9, @3:4..5:9 or @-, and a space behind it")
            })?;
            if has_lines {
                self.place = Some(place);
            }
        }
        let extra = if self.lexer.take(Token::Sign('{'))? { Some(Box::new(self.extra()?)) } else { None };
        self.end_line()?;
        let label = self.labels.next.take();
        self.block().ops.push(Op { label, opcode, operand, place, extra });
        if let Some(lines) = self.lines.last_mut() {
            lines.ops.push(start);
        }
        Ok(())
    }

    fn operand(&mut self, kind: Operand) -> Result<Symbol, TextError> {
        if kind == Operand::None {
            return Ok(Symbol::None);
        }
        if let Token::Raw(number) = self.lexer.peek()? {
            self.lexer.next()?;
            let number = number.parse().map_err(|_| self.lexer.error("a number of 32 bits expected"))?;
            return Ok(Symbol::Number(number));
        }
        match kind {
            Operand::Const => Ok(Symbol::Const(self.value(Slot::Consts)?)),
            Operand::Name | Operand::NameAndNull | Operand::NameAndSelf | Operand::SuperName | Operand::ImportName => {
                let name = self.name()?;
                let mut bits = 0;
                while self.lexer.take(Token::Sign('+'))? {
                    let words = bit_words(kind);
                    let word = self.lexer.next()?;
                    let Some(bit) = words.iter().position(|known| word == Token::Word(known)) else {
                        let expected = if words.is_empty() { "the end of the line" } else { &words.join(" or ") };
                        return Err(self.lexer.error(format!("{expected} expected")));
                    };
                    bits |= 1 << bit;
                }
                Ok(Symbol::Name(name, bits))
            }
            Operand::Local | Operand::Free => Ok(Symbol::Variable(self.name()?)),
            Operand::LocalPair => {
                let first = self.name()?;
                if !self.lexer.take(Token::Sign(','))? {
                    self.lexer.next()?;
                    return Err(self.lexer.error(", and a second variable expected"));
                }
                Ok(Symbol::Variables(first, self.name()?))
            }
            Operand::Forward | Operand::Backward | Operand::Absolute => Ok(Symbol::Jump(self.label()?)),
            _ => self.word_or_number(kind),
        }
    }

    fn word_or_number(&mut self, kind: Operand) -> Result<Symbol, TextError> {
        let all = arguments(self.set, kind, self.document.profile());
        let word = match self.lexer.peek()? {
            Token::Number(_) => {
                let number = self.number::<u32>()?;
                return Ok(Symbol::Number(number));
            }
            Token::Word(_) | Token::Text(None, _) if !all.is_empty() => self.name()?,
            _ => String::new(),
        };
        match all.iter().find(|(_, known)| *known == word && !word.is_empty()) {
            Some((number, _)) => Ok(Symbol::Number(*number)),
            None if all.is_empty() => {
                self.lexer.next()?;
                Err(self.lexer.error("a number expected"))
            }
            None => {
                if word.is_empty() {
                    self.lexer.next()?;
                }
                let words: Vec<String> =
                    all.into_iter().map(|(_, word)| word).filter(|word| !word.is_empty()).collect();
                Err(self.lexer.error(format!("one of these expected: \"{}\"", words.join("\", \""))))
            }
        }
    }

    fn extra(&mut self) -> Result<Extra, TextError> {
        let mut extra = Extra::default();
        loop {
            match self.lexer.next()? {
                Token::Word("prefixes") => {
                    // An argument has 32 bits; what is in front of more prefixes is an instruction of its own.
                    let prefixes = self.number::<usize>()?;
                    if prefixes > 3 {
                        return Err(self.lexer.error("at most 3 prefixes expected"));
                    }
                    extra.prefixes = Some(prefixes);
                }
                Token::Word("unused") => extra.unused = Some(self.number()?),
                Token::Word("caches") => extra.caches = Some(self.bytes()?),
                Token::Word("pairs") => {
                    let pairs = self.bytes()?;
                    if pairs.len() % 2 != 0 {
                        return Err(self.lexer.error("pairs of bytes expected"));
                    }
                    extra.line_pairs = Some(pairs);
                }
                _ => return Err(self.lexer.error("prefixes, unused, caches or pairs expected")),
            }
            match self.lexer.next()? {
                Token::Sign(',') => {}
                Token::Sign('}') => return Ok(extra),
                _ => return Err(self.lexer.error(", or } expected")),
            }
        }
    }
}

fn integer(text: &str) -> Option<i64> {
    match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// `-`, `L`, `L:C..C`, `L:C..L:C`; `?` is what is not known.
fn parse_place(text: &str, has_positions: bool) -> Option<Place> {
    if text == "-" {
        return Some(Place::default());
    }
    let number = |text: &str| match text {
        "?" => Some(None),
        text => text.parse::<i32>().ok().map(Some),
    };
    let Some((first, last)) = text.split_once("..") else {
        let line = number(text)??;
        return Some(Place {
            line: Some(line),
            end_line: has_positions.then_some(line),
            column: None,
            end_column: None,
        });
    };
    let (line, column) = first.split_once(':')?;
    let line = number(line)?;
    let (end_line, end_column) = match last.split_once(':') {
        Some((end_line, end_column)) => (number(end_line)?, end_column),
        None => (line, last),
    };
    Some(Place { line, end_line, column: number(column)?, end_column: number(end_column)? })
}
