//! What the module `dis` of a version prints of a code object (`Lib/dis.py` of that version), line for line.
//!
//! Only what depends on the process is other: addresses are 0, and the members of sets are in the order of the stream.

use super::{Body, Handler, InstructionSet, Lines, Operand};
use crate::code::{Code, Field};
use crate::error::Cause;
use crate::graph::{Graph, NodeId, Value};
use crate::opcode;
use crate::prelude::*;
use crate::profile::Profile;
use alloc::collections::{BTreeMap, BTreeSet};
use core::cell::Cell;
use core::fmt::Write;

/// What `dis.dis(code)` comes to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// What it prints.
    pub text: String,
    /// The exception that ends it, if one does.
    pub raised: Option<Raised>,
    /// Something is not as it is printed: a text of more than a megabyte was cut, an argument with 16 prefixes and more is a
    /// number of more than 128 bits (up to 3.10), or `co_code` has characters that are no bytes (2.7).
    pub is_cut: bool,
    /// The interpreter does not survive what it would have to print next.
    pub undefined: Option<Cause>,
}

/// An exception of the module `dis`: the code is not what a compiler makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// Its class.
    pub class: &'static str,
    /// Its text.
    pub message: &'static str,
}

const OUT_OF_TUPLE: Raised = Raised { class: "IndexError", message: "tuple index out of range" };
const OUT_OF_LIST: Raised = Raised { class: "IndexError", message: "list index out of range" };
const OUT_OF_BYTES: Raised = Raised { class: "IndexError", message: "index out of range" };
const OUT_OF_STRING: Raised = Raised { class: "IndexError", message: "string index out of range" };
const NO_INDEX: Raised = Raised { class: "IndexError", message: "cannot fit 'int' into an index-sized integer" };
const NO_INDEX_OF_2: Raised = Raised { class: "IndexError", message: "cannot fit 'long' into an index-sized integer" };
/// Since 3.11; the older releases that have the limit too say it without `digits`.
const TOO_LONG: Raised = Raised {
    class: "ValueError",
    message: "Exceeds the limit (4300 digits) for integer string conversion; use sys.set_int_max_str_digits() to increase the \
              limit",
};
const TOO_LONG_BEFORE: Raised = Raised {
    class: "ValueError",
    message: "Exceeds the limit (4300) for integer string conversion; use sys.set_int_max_str_digits() to increase the limit",
};
const NO_C_INT: Raised = Raised { class: "OverflowError", message: "Python int too large to convert to C int" };

/// No constant is shown with more bytes: parts that are shared are written again and again.
const LONGEST: usize = 1 << 20;

/// What `dis.dis(code)` prints in the profile's interpreter after it loaded the stream; since 3.7 that is also the code objects
/// among the constants, and theirs. A node that is no code object gives an empty text.
#[must_use]
pub fn listing(graph: &Graph<'_>, id: NodeId, profile: &Profile) -> Listing {
    let mut out = Listing::default();
    let mut stack = vec![(id, false)];
    while let Some((id, nested)) = stack.pop() {
        let Value::Code(code) = graph.value(graph.resolve(id)) else { continue };
        if nested {
            let _ = writeln!(out.text, "\nDisassembly of {}:", graph.repr(id, profile, LONGEST));
        }
        let dis = match Dis::new(graph, &code, profile) {
            Ok(dis) => dis,
            Err(cause) => {
                out.undefined = Some(cause);
                break;
            }
        };
        out.raised = dis.print(&mut out.text).err();
        out.is_cut |= dis.is_cut.get();
        if out.raised.is_some() || !profile.dis_goes_into_nested_code() || out.text.len() > LONGEST << 6 {
            break;
        }
        stack.extend(dis.body.consts.iter().rev().map(|id| (*id, true)));
    }
    out
}

/// An instruction as `dis` takes it from the code. Its arguments are Python's ints, which do not overflow.
struct Item {
    offset: usize,
    end: usize,
    code: u8,
    argument: Option<i128>,
    /// 2.7: a `long`, because of a prefix.
    long: bool,
}

struct Dis<'g> {
    graph: &'g Graph<'g>,
    profile: &'g Profile,
    set: &'static InstructionSet,
    body: Body<'g>,
    /// What `co_code` shows.
    code: Vec<u8>,
    /// The lines that begin at offsets.
    starts: BTreeMap<usize, Option<i64>>,
    handlers: Vec<Handler>,
    is_cut: Cell<bool>,
}

impl<'g> Dis<'g> {
    fn new(graph: &'g Graph<'g>, code: &Code<'g>, profile: &'g Profile) -> Result<Self, Cause> {
        let body = Body::new(graph, code, profile);
        // 2.7 takes any buffer for code, and `dis` the characters of a string of them.
        let characters = match code.object(Field::Code).map(|id| graph.value(graph.resolve(id))) {
            Some(Value::Str(text)) if profile.is_python2() => text.code_points().map(u8::try_from).collect(),
            _ => Vec::new(),
        };
        let bytes: Vec<u8> = characters.iter().copied().map(Result::unwrap_or_default).collect();
        let shown = if bytes.is_empty() { opcode::shown(body.code, body.flags, profile)? } else { bytes };
        Ok(Dis {
            graph,
            profile,
            set: InstructionSet::of(profile),
            starts: starts(body.lines(), body.first_line, shown.len(), profile),
            handlers: body.handlers().collect(),
            code: shown,
            is_cut: Cell::new(characters.iter().any(Result::is_err)),
            body,
        })
    }

    fn print(&self, out: &mut String) -> Result<(), Raised> {
        let items = self.items()?;
        if self.profile.dis_has_labels() {
            self.print_with_labels(&items, out)
        } else {
            self.print_with_offsets(&items, out)
        }
    }

    fn items(&self) -> Result<Vec<Item>, Raised> {
        let (profile, code) = (self.profile, &self.code[..]);
        let words = profile.has_wordcode();
        let mut items = Vec::with_capacity(code.len() / 2);
        let (mut prefix, mut offset) = (None, 0);
        while let Some(&opcode) = code.get(offset) {
            let takes = self.set.opcode(opcode).operand != Operand::None;
            let long = prefix.is_some();
            let (low, head) = match (words, &code[offset..]) {
                (true, [_, low, ..]) => (i128::from(*low), 2),
                (true, _) if takes => return Err(OUT_OF_BYTES),
                (true, _) => (0, 2),
                (false, _) if !takes => (0, 1),
                (false, [_, low, high, ..]) => (i128::from(u16::from_le_bytes([*low, *high])), 3),
                (false, _) => return Err(OUT_OF_STRING),
            };
            let argument = takes.then(|| if words { low | prefix.unwrap_or(0) } else { low + prefix.unwrap_or(0) });
            if let Some(argument) = argument {
                prefix = (opcode == self.set.extended_arg).then(|| self.prefix(argument));
            } else if profile.dis_forgets_prefix() {
                prefix = None;
            }
            let end = offset + head + 2 * usize::from(self.set.caches(opcode));
            items.push(Item { offset, end, code: opcode, argument, long: long && !words });
            offset = end;
        }
        Ok(items)
    }

    /// What a prefix adds to the argument of the next instruction.
    fn prefix(&self, argument: i128) -> i128 {
        if argument.checked_mul(1 << 16).is_none() {
            self.is_cut.set(true);
        }
        if !self.profile.has_wordcode() {
            return argument.wrapping_mul(1 << 16);
        }
        let prefix = argument.wrapping_mul(1 << 8);
        let overflows = self.profile.dis_shows_handlers() && prefix >= 1 << 31;
        if overflows { prefix - (1 << 32) } else { prefix }
    }

    /// Where an instruction jumps to, as `dis` computes it.
    fn target(&self, item: &Item) -> Option<i128> {
        let argument = item.argument? * if self.profile.jumps_in_units() { 2 } else { 1 };
        let end = item.end as i128;
        match self.set.opcode(item.code).operand {
            Operand::Forward => Some(end + argument),
            Operand::Backward => Some(end - argument),
            Operand::Absolute => Some(argument),
            _ => None,
        }
    }

    /// The targets of all jumps. 2.7's `findlabels` knows no prefixes.
    fn targets(&self, items: &[Item]) -> BTreeSet<i128> {
        let target = |item: &Item| {
            let argument = if item.long { item.argument.map(|argument| argument & 0xFFFF) } else { item.argument };
            self.target(&Item { argument, ..*item })
        };
        items.iter().filter_map(target).collect()
    }

    /// Up to 3.12.
    fn print_with_offsets(&self, items: &[Item], out: &mut String) -> Result<(), Raised> {
        let (profile, words) = (self.profile, self.profile.has_wordcode());
        let mut targets = self.targets(items);
        targets.extend(self.handlers.iter().filter(|it| it.start < it.end).map(|it| i128::from(it.target)));
        let grows = profile.dis_goes_into_nested_code();
        let has_lines = !self.starts.is_empty() || !profile.dis_shows_absolute_targets();
        let last_line = self.starts.values().flatten().max().copied().unwrap_or(0);
        let line_width = if grows && last_line >= 1000 { last_line.to_string().len() } else { 3 };
        let last_offset = self.code.len().saturating_sub(2);
        let offset_width = if grows && last_offset >= 10000 { last_offset.to_string().len() } else { 4 };
        for item in items {
            let start = self.starts.get(&item.offset).copied().flatten();
            if start.is_some() && item.offset > 0 {
                out.push('\n');
            }
            if has_lines {
                let text = start.map(|line| line.to_string()).unwrap_or_default();
                let _ = write!(out, "{text:>line_width$} ");
            }
            let mark = if targets.contains(&(item.offset as i128)) { ">>" } else { "  " };
            let _ = write!(out, "    {mark} {:>offset_width$} {:<20}", item.offset, self.name(item.code));
            if let Some(argument) = item.argument {
                let suffix = if item.long { "L" } else { "" };
                let _ = write!(out, " {:>5}", format!("{argument}{suffix}"));
                // 2.7 prints part by part, so what it printed before an exception stays.
                let written = if words { out.len() - out.rfind('\n').map_or(0, |at| at + 1) } else { 0 };
                match self.argument(item, argument) {
                    Ok(Some(text)) if !text.is_empty() || !words => {
                        let _ = write!(out, " ({text})");
                    }
                    Ok(_) => {}
                    Err(raised) => {
                        out.truncate(out.len() - written);
                        if words && start.is_some() && item.offset > 0 {
                            // The empty line is printed with the instruction's own.
                            out.pop();
                        }
                        return Err(raised);
                    }
                }
            }
            if words {
                out.truncate(out.trim_end_matches(' ').len());
            }
            out.push('\n');
        }
        if !self.handlers.is_empty() && profile.dis_shows_handlers() {
            out.push_str("ExceptionTable:\n");
            for Handler { start, end, target, depth, lasti } in &self.handlers {
                let (end, lasti) = (i128::from(*end) - 2, if *lasti { " lasti" } else { "" });
                let _ = writeln!(out, "  {start} to {end} -> {target} [{depth}]{lasti}");
            }
        }
        Ok(())
    }

    /// Since 3.13.
    fn print_with_labels(&self, items: &[Item], out: &mut String) -> Result<(), Raised> {
        let mut targets = self.targets(items);
        targets.extend(self.handlers.iter().flat_map(|it| [it.start, it.end, it.target]).map(i128::from));
        let labels: BTreeMap<i128, usize> = targets.into_iter().zip(1..).collect();
        let label_width = 4 + labels.len().to_string().len();
        // Line 0 is not looked at here (`filter(None, ...)`).
        let last_line = self.starts.values().flatten().filter(|line| **line != 0).max();
        let line_width = match last_line.map(|line| line.to_string().len().max(3)) {
            // The largest is -1: as if there was none.
            None => 0,
            Some(_) if last_line == Some(&-1) => 0,
            Some(3) if self.starts.values().any(Option::is_none) => 4,
            Some(width) => width,
        };
        for item in items {
            let start = self.starts.get(&item.offset);
            let mut line = String::new();
            if line_width > 0 {
                if start.is_some() && item.offset > 0 {
                    line.push('\n');
                }
                let text = start.map(|line| line.map_or("--".to_string(), |line| line.to_string()));
                let _ = write!(line, "{:>line_width$} ", text.unwrap_or_default());
            }
            let label = labels.get(&(item.offset as i128)).map(|label| format!("L{label}:"));
            let name = self.name(item.code);
            let _ = write!(line, "{:>label_width$}     {name:<20}", label.unwrap_or_default());
            if let Some(argument) = item.argument {
                let width = 5_usize.saturating_sub(name.chars().count().saturating_sub(20));
                let _ = write!(line, " {argument:>width$}");
                let text = match (self.target(item), self.set.opcode(item.code).operand) {
                    (Some(target), Operand::Backward) if self.comes_from(&name) => format!("from L{}", labels[&target]),
                    (Some(target), _) => format!("to L{}", labels[&target]),
                    (None, _) => self.argument(item, argument)?.unwrap_or_default(),
                };
                if !text.is_empty() {
                    let _ = write!(line, " ({text})");
                }
            }
            out.push_str(line.trim_end_matches(' '));
            out.push('\n');
        }
        if !self.handlers.is_empty() {
            out.push_str("ExceptionTable:\n");
            for Handler { start, end, target, depth, lasti } in &self.handlers {
                let [start, end, target] = [start, end, target].map(|offset| labels[&i128::from(*offset)]);
                let lasti = if *lasti { " lasti" } else { "" };
                let _ = writeln!(out, "  L{start} to L{end} -> L{target} [{depth}]{lasti}");
            }
        }
        Ok(())
    }

    fn comes_from(&self, name: &str) -> bool {
        self.profile.dis_shows_end_of_async_for() && name == "END_ASYNC_FOR"
    }

    fn name(&self, opcode: u8) -> String {
        match self.set.opcode(opcode).name {
            "" => format!("<{opcode}>"),
            name => name.to_string(),
        }
    }

    /// What is shown of an argument; nothing if the number says it all. (2.7 shows an empty name.)
    fn argument(&self, item: &Item, argument: i128) -> Result<Option<String>, Raised> {
        let data = self.set.data;
        let low = |bits: u32| argument & ((1 << bits) - 1);
        let index = |list: &[&str], out| Ok(list[self.index(argument, list.len(), out)?].to_string());
        let newer = self.profile.dis_has_labels();
        Ok(Some(match self.set.opcode(item.code).operand {
            Operand::None | Operand::Number | Operand::SmallInt => return Ok(None),
            Operand::Const if !self.profile.dis_shows_constant(self.set.opcode(item.code).name) => return Ok(None),
            Operand::Function if !self.profile.dis_stops_at_end() => return Ok(None),
            Operand::Const => {
                let constant = self.index(argument, self.body.consts.len(), OUT_OF_TUPLE)?;
                let (text, too_long) = self.graph.repr_or_refusal(self.body.consts[constant], self.profile, LONGEST);
                if too_long {
                    return Err(if self.profile.names_digits() { TOO_LONG } else { TOO_LONG_BEFORE });
                }
                self.is_cut.set(self.is_cut.get() || text.len() > LONGEST);
                text
            }
            Operand::Name => self.text(self.body.names, argument)?,
            Operand::NameAndNull => self.name_and(argument >> 1, argument & 1, "NULL")?,
            Operand::NameAndSelf => self.name_and(argument >> 1, argument & 1, "NULL|self")?,
            Operand::SuperName => self.name_and(argument >> 2, argument & 1, "NULL|self")?,
            Operand::ImportName => {
                let mode = if argument & 1 != 0 { "lazy" } else { "eager" };
                self.name_and(argument >> 2, low(2), mode)?
            }
            Operand::Local => self.variable(self.body.variables, argument)?,
            Operand::Free => self.variable(&self.body.free, argument)?,
            Operand::LocalPair => {
                let first = self.variable(self.body.variables, argument >> 4)?;
                format!("{first}, {}", self.variable(self.body.variables, low(4))?)
            }
            Operand::Absolute if !self.profile.dis_shows_absolute_targets() => return Ok(None),
            Operand::Forward | Operand::Backward | Operand::Absolute => {
                let suffix = if item.long { "L" } else { "" };
                format!("to {}{suffix}", self.target(item).unwrap_or_default())
            }
            Operand::Compare => {
                let place = argument >> self.profile.comparison_shift();
                let name = data.compare[self.index(place, data.compare.len(), OUT_OF_TUPLE)?].to_string();
                if newer && argument & 16 != 0 { format!("bool({name})") } else { name }
            }
            Operand::Format => {
                let format = if argument & 4 == 0 { None } else { Some("with format") };
                let conversion = [None, Some("str"), Some("repr"), Some("ascii")][low(2) as usize];
                conversion.into_iter().chain(format).collect::<Vec<_>>().join(", ")
            }
            Operand::Convert => index(&["", "str", "repr", "ascii"], OUT_OF_TUPLE)?,
            Operand::Function => {
                let kinds = ["defaults", "kwdefaults", "annotations", "closure", "annotate"];
                let kinds = &kinds[..if self.profile.dis_shows_end_of_async_for() { 5 } else { 4 }];
                let given = kinds.iter().enumerate().filter(|(bit, _)| argument >> bit & 1 != 0);
                given.map(|(_, kind)| *kind).collect::<Vec<_>>().join(", ")
            }
            Operand::Binary => index(data.binary, OUT_OF_LIST)?,
            Operand::Intrinsic1 => index(data.intrinsics_1, OUT_OF_LIST)?,
            Operand::Intrinsic2 => index(data.intrinsics_2, OUT_OF_LIST)?,
            Operand::Special => index(data.special, OUT_OF_LIST)?,
            Operand::Common => index(data.common, OUT_OF_LIST)?,
            Operand::Is => if argument == 0 { "is" } else { "is not" }.to_string(),
            Operand::Contains => if argument == 0 { "in" } else { "not in" }.to_string(),
        }))
    }

    fn name_and(&self, place: i128, flag: i128, what: &str) -> Result<String, Raised> {
        let name = self.text(self.body.names, place)?;
        Ok(match (flag, self.profile.dis_has_labels()) {
            (0, _) => name,
            _ if name.is_empty() => name,
            (_, true) => format!("{name} + {what}"),
            (_, false) => format!("{what} + {name}"),
        })
    }

    /// Since 3.11 a function in C gives the name, and an index below zero is none.
    fn variable(&self, names: &[NodeId], place: i128) -> Result<String, Raised> {
        match i32::try_from(place) {
            Err(_) if self.profile.dis_shows_handlers() => Err(NO_C_INT),
            Ok(..0) if self.profile.dis_shows_handlers() => Err(OUT_OF_TUPLE),
            _ => self.text(names, place),
        }
    }

    fn text(&self, names: &[NodeId], place: i128) -> Result<String, Raised> {
        Ok(self.graph.text(names[self.index(place, names.len(), OUT_OF_TUPLE)?]))
    }

    /// Python's index of a sequence: below zero it counts from the end. It must fit into a `Py_ssize_t`.
    fn index(&self, index: i128, length: usize, out: Raised) -> Result<usize, Raised> {
        let most = 1 << (self.profile.pointer_bits - 1);
        if !(-most..most).contains(&index) {
            return Err(if self.profile.is_python2() { NO_INDEX_OF_2 } else { NO_INDEX });
        }
        let index = if index < 0 { index + length as i128 } else { index };
        usize::try_from(index).ok().filter(|index| *index < length).ok_or(out)
    }
}

/// Which lines begin where (`dis.findlinestarts`). Up to 3.9 `dis` adds the lines up by itself, and its numbers do not run over.
fn starts(lines: Lines<'_>, first_line: i32, length: usize, profile: &Profile) -> BTreeMap<usize, Option<i64>> {
    let mut starts = BTreeMap::new();
    let mut last = None;
    let (mut seen, mut sum) = (first_line, i64::from(first_line));
    for range in lines {
        let is_outside = range.start > 0 && range.start >= length && profile.dis_stops_at_end();
        let is_outside = is_outside && !profile.has_lines();
        let counts = range.line.is_some() || profile.dis_has_labels();
        if let (Some(line), false) = (range.line, profile.has_lines()) {
            sum += i64::from(line.wrapping_sub(seen));
            seen = line;
        }
        let line = if profile.has_lines() { range.line.map(i64::from) } else { Some(sum) };
        if counts && !is_outside && last != Some(line) {
            last = Some(line);
            starts.insert(range.start, line);
        }
    }
    starts
}
