//! `info`: what is in a .pyc file, for people who want to look at it: code objects, their attributes, instructions by opcode.

use super::answer::Answer;
use super::identify::{View as Identity, is_inside};
use super::safe::Safety;
use super::{Trouble, counted};
use crate::check::{HeaderReport, header, salvageable};
use crate::dis::one_line;
use crate::subjects::core::{Core, guard};
use pyc_core::bytecode::Body;
use pyc_core::code::{Code, Field, kind};
use pyc_core::identify::payload_offset;
use pyc_core::magic::Magic;
use pyc_core::{Graph, NodeId, Profile, Pyc, Value, read};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// So many names and strings are shown to people in a line.
const SHOWN: usize = 12;

/// A nested attribute is cut behind so many characters.
const LONGEST: usize = 100_000;

/// What is shown of a file besides its code objects.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// Every attribute of each code object.
    pub attributes: bool,
    /// Names, strings and file names.
    pub names: bool,
}

/// What is in a file.
#[derive(Debug, Serialize)]
pub struct View {
    /// `3.12`
    pub python: String,
    /// How sure that is, in percent.
    pub confidence: u8,
    /// Who else it looks like, if that is likelier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caution: Option<String>,
    /// Where the stream is.
    pub offset: usize,
    /// How many bytes it has.
    pub length: usize,
    /// The header, if it has one.
    pub header: Option<HeaderReport>,
    /// How many instructions it has, prefixes included and caches not.
    pub instructions: usize,
    /// How often each opcode occurs.
    pub opcodes: BTreeMap<&'static str, usize>,
    /// `co_filename` of all code objects.
    pub filenames: BTreeSet<String>,
    /// The names that its code objects refer to.
    pub names: BTreeSet<String>,
    /// The strings among its constants.
    pub strings: BTreeSet<String>,
    /// Its code objects, outer ones first.
    pub codes: Vec<CodeView>,
    /// Whether they can crash that Python.
    pub safety: Safety,
}

/// A code object.
#[derive(Debug, Serialize)]
pub struct CodeView {
    /// How many others it is in.
    pub depth: usize,
    /// `co_qualname`, or the names of the code objects around it and its own.
    pub name: String,
    /// `co_firstlineno`
    pub line: i32,
    /// `co_argcount` and what other arguments there are.
    pub arguments: i32,
    /// `co_stacksize`
    pub stacksize: i32,
    /// `co_flags` by name.
    pub flags: Vec<String>,
    /// The size of `co_code` in bytes.
    pub bytes: usize,
    /// How many instructions it has.
    pub instructions: usize,
    /// Every attribute, if they were asked for: its name without `co_`, and what it shows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<(&'static str, String)>,
}

impl View {
    /// Looks at a file; `asked` is who wrote it, if its magic number does not tell.
    ///
    /// # Errors
    /// When no Python reads a stream in it.
    pub fn of(bytes: &[u8], asked: Option<&Core>, wanted: Wanted) -> Result<View, Trouble> {
        let (profile, offset, graph) = open(bytes, asked)?;
        let (python, identity) = (profile.version.to_string(), Identity::of(bytes));
        let mut view = View {
            confidence: identity.confidence(&python, offset),
            caution: identity.other_than(&python, offset),
            python,
            offset,
            length: graph.consumed(),
            header: Pyc::parse(bytes).ok().map(|pyc| header(&pyc)),
            instructions: 0,
            opcodes: BTreeMap::new(),
            filenames: BTreeSet::new(),
            names: BTreeSet::new(),
            strings: BTreeSet::new(),
            codes: Vec::new(),
            safety: Safety::of(&graph, &profile),
        };
        view.walk(&graph, &profile, wanted);
        Ok(view)
    }

    /// All code objects, depth first, each once.
    fn walk(&mut self, graph: &Graph<'_>, profile: &Profile, wanted: Wanted) {
        let mut counts = [0_usize; 256];
        let mut set = None;
        let mut seen = BTreeSet::new();
        let mut stack: Vec<(NodeId, usize, String)> = match graph.value(graph.root()) {
            Value::Code(_) => vec![(graph.root(), 0, String::new())],
            _ => graph.ids().rev().map(|id| (id, 0, String::new())).collect(),
        };
        while let Some((id, depth, outer)) = stack.pop() {
            let id = graph.resolve(id);
            let Value::Code(code) = graph.value(id) else { continue };
            if !seen.insert(id) {
                continue;
            }
            let body = Body::new(graph, &code, profile);
            let mut instructions = 0;
            let mut all = body.instructions();
            set = Some(all.set());
            for it in all.by_ref() {
                instructions += 1;
                counts[usize::from(it.code)] += 1;
            }
            self.instructions += instructions;
            let text = |field| code.object(field).map(|id| graph.text(id)).unwrap_or_default();
            let own = text(Field::Name);
            let name = match code.object(Field::Qualname) {
                Some(id) => graph.text(id),
                None if outer.is_empty() || outer == "<module>" => own,
                None => format!("{outer}.{own}"),
            };
            let ints = code.ints();
            if wanted.names {
                self.filenames.insert(text(Field::Filename));
                self.names.extend(body.names.iter().map(|id| graph.text(*id)));
                let strings = body.consts.iter().filter(|id| matches!(graph.value(graph.resolve(**id)), Value::Str(_)));
                self.strings.extend(strings.map(|id| graph.text(*id)));
            }
            stack.extend(body.consts.iter().rev().map(|id| (*id, depth + 1, name.clone())));
            self.codes.push(CodeView {
                depth,
                name,
                line: ints.firstlineno,
                arguments: ints.argcount.saturating_add(ints.kwonlyargcount),
                stacksize: ints.stacksize,
                flags: profile.flag_names(ints.flags),
                bytes: body.code.len(),
                instructions,
                attributes: if wanted.attributes { attributes(graph, &code, profile) } else { Vec::new() },
            });
        }
        if let Some(set) = set {
            let named = counts.iter().zip(0_u8..=255).filter(|(count, _)| **count > 0);
            for (count, opcode) in named {
                let name = set.opcode(opcode).name;
                *self.opcodes.entry(if name.is_empty() { "(not assigned)" } else { name }).or_default() += count;
            }
        }
    }
}

/// The stream of a file, who wrote it, and where it is.
pub(super) fn open<'a>(bytes: &'a [u8], asked: Option<&Core>) -> Result<(Profile, usize, Graph<'a>), Trouble> {
    let advice = "`provost check` tells more";
    let own = Magic::at_start(bytes).and_then(Magic::profile);
    let at = |profile: &Profile, offset: usize| {
        let stream = bytes.get(offset..).unwrap_or_default();
        match guard(|| read(stream, profile)) {
            Ok(Ok(graph)) => Ok(graph),
            Ok(Err(e)) => Err(Trouble::new("stream", e.kind.to_string(), advice).at(offset + e.offset)),
            Err(panic) => Err(Trouble::new("panic", panic, "report it with the file: this is a bug")),
        }
    };
    if let Some(core) = asked {
        let offset = payload_offset(bytes, core.profile());
        return at(core.profile(), offset).map(|graph| (core.profile().clone(), offset, graph));
    }
    // What nearly all files are is not looked at twice.
    let refused = match own.map(|profile| (profile, at(profile, profile.header.length()))) {
        Some((profile, Ok(graph))) => return Ok((profile.clone(), profile.header.length(), graph)),
        Some((profile, Err(trouble))) => Some((profile, trouble)),
        None => None,
    };
    let found = Identity::of(bytes);
    if found.restored {
        let what = format!("it is {}", found.what);
        return Err(Trouble::new("stream", what, "`provost repair` computes the original bytes"));
    }
    let best = found.candidates.first();
    if let Some((profile, trouble)) = refused
        && best.is_none_or(|best| is_inside(best.offset, profile.header.length(), trouble.offset))
    {
        let kept = salvageable(bytes.get(profile.header.length()..).unwrap_or_default(), profile);
        return Err(Trouble { advice: trouble.advice + &kept, ..trouble });
    }
    let nothing = || Trouble::new("stream", format!("no Python's stream is in it: {}", found.what), advice);
    let best = best.ok_or_else(nothing)?;
    let core = Core::named(&best.python).map_err(|_| nothing())?;
    at(core.profile(), best.offset).map(|graph| (core.profile().clone(), best.offset, graph))
}

/// The attributes of a code object as that Python has them, in the order of their names.
fn attributes(graph: &Graph<'_>, code: &Code<'_>, profile: &Profile) -> Vec<(&'static str, String)> {
    // What is nested may be in itself many times; what is not is shown whole.
    let show = |id: NodeId| match graph.value(graph.resolve(id)) {
        Value::Bytes(_) | Value::InternedBytes(_) | Value::Str(_) => graph.repr(id, profile, usize::MAX),
        _ => graph.repr(id, profile, LONGEST),
    };
    let mut all: BTreeMap<&'static str, String> = BTreeMap::new();
    let ints = code.ints();
    for (field, id) in code.objects() {
        all.insert(field.name(), show(id));
    }
    // What 3.11 and later derive from one list of variables.
    for (name, wanted) in [("varnames", kind::LOCAL), ("cellvars", kind::CELL), ("freevars", kind::FREE)] {
        let names: Vec<String> =
            code.variables(graph).into_iter().filter(|(_, kind)| kind & wanted != 0).map(|(id, _)| show(id)).collect();
        let comma = if names.len() == 1 { "," } else { "" };
        all.insert(name, format!("({}{comma})", names.join(", ")));
    }
    // The interpreter does not show these.
    all.remove("localsplusnames");
    all.remove("localspluskinds");
    if profile.has_lines() {
        if let Some(lines) = all.remove("lnotab") {
            all.insert("linetable", lines);
        }
        let body = Body::new(graph, code, profile);
        if profile.shows_lnotab() {
            all.insert("lnotab", shown_bytes(&lnotab(&body, ints.firstlineno)));
        }
    }
    let locals = code.locals(graph).len();
    let numbers = [
        ("argcount", ints.argcount),
        ("kwonlyargcount", ints.kwonlyargcount),
        ("posonlyargcount", ints.posonlyargcount),
        ("nlocals", i32::try_from(locals).unwrap_or(i32::MAX)),
        ("stacksize", ints.stacksize),
        ("flags", ints.flags),
        ("firstlineno", ints.firstlineno),
    ];
    let has = |name: &str| match name {
        "kwonlyargcount" => !profile.is_python2(),
        "posonlyargcount" => code.layout() >= pyc_core::CodeLayout::Python38,
        _ => true,
    };
    all.extend(numbers.into_iter().filter(|(name, _)| has(name)).map(|(name, number)| (name, number.to_string())));
    all.into_iter().collect()
}

/// `co_lnotab` as 3.10 and later make it of their table when it is asked for (`Objects/codeobject.c`, `decode_linetable`).
fn lnotab(body: &Body<'_>, first_line: i32) -> Vec<u8> {
    let mut table = Vec::new();
    let (mut at, mut line) = (0, first_line);
    for range in body.lines() {
        let Some(now) = range.line.filter(|now| *now != line) else { continue };
        let (mut ahead, mut lines) = (range.start - at, i64::from(now) - i64::from(line));
        while ahead > 255 {
            table.extend([255, 0]);
            ahead -= 255;
        }
        loop {
            let step = lines.clamp(-128, 127);
            table.extend([ahead.to_le_bytes()[0], step.to_le_bytes()[0]]);
            (ahead, lines) = (0, lines - step);
            // A hostile table goes far: nobody needs that.
            if lines == 0 || table.len() > LONGEST {
                break;
            }
        }
        (at, line) = (range.start, now);
    }
    table
}

/// Bytes as Python shows them.
fn shown_bytes(bytes: &[u8]) -> String {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { '"' } else { '\'' };
    let mut text = format!("b{quote}");
    for byte in bytes {
        match byte {
            b'\t' => text.push_str("\\t"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\\' => text.push_str("\\\\"),
            32..127 if char::from(*byte) == quote => text.extend(['\\', quote]),
            32..127 => text.push(char::from(*byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text.push(quote);
    text
}

impl Answer for View {
    fn verdict(&self) -> (&'static str, bool) {
        ("read", true)
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let View { python, confidence, codes, instructions, length, offset, .. } = self;
        writeln!(
            f,
            "Python {python} ({confidence} % sure), {}, {}, {} at byte {offset:#x}",
            counted(codes.len(), "code object"),
            counted(*instructions, "instruction"),
            counted(*length, "byte")
        )?;
        if let Some(caution) = &self.caution {
            writeln!(f, "  caution   {caution}")?;
        }
        if let Some(header) = &self.header {
            writeln!(f, "  header    magic {}, {}", header.magic, header.fields)?;
        }
        for code in codes {
            let pad = "  ".repeat(code.depth + 1);
            writeln!(
                f,
                "{pad}code {}, line {}: {} arguments, {} instructions, {} bytes, stack {}{}",
                one_line(&code.name),
                code.line,
                code.arguments,
                code.instructions,
                code.bytes,
                code.stacksize,
                code.flags.iter().map(|flag| format!(" {flag}")).collect::<String>()
            )?;
            code.attributes.iter().try_for_each(|(name, value)| writeln!(f, "{pad}  co_{name:<15} {value}"))?;
        }
        let mut counts: Vec<(&str, usize)> = self.opcodes.iter().map(|(name, count)| (*name, *count)).collect();
        counts.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
        let counts: Vec<String> = counts.into_iter().map(|(name, count)| format!("{name} {count}")).collect();
        if !counts.is_empty() {
            writeln!(f, "  opcodes   {}", counts.join(", "))?;
        }
        writeln!(f, "  safety    {}", self.safety)?;
        self.safety.violations.iter().try_for_each(|it| writeln!(f, "    {it}"))?;
        for (label, set) in [("files", &self.filenames), ("names", &self.names), ("strings", &self.strings)] {
            if !set.is_empty() {
                let shown: Vec<String> =
                    set.iter().take(SHOWN).map(|text| crate::repro::excerpt(&format!("{text:?}"))).collect();
                let more = set.len().saturating_sub(SHOWN);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                writeln!(f, "  {label:<9} {}{more}", shown.join(", "))?;
            }
        }
        Ok(())
    }
}
