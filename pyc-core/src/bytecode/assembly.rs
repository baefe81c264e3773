//! Code objects taken apart and put together again.
//!
//! An [`Assembly`] has the instructions with labels in place of offsets: prefixes, jumps, inline caches and tables follow from
//! them. What does not follow is its [`Residue`], kind by kind, so that [`Assembly::assemble`] gives back the very bytes.

use super::encode::{self, Pair, Span};
use super::lines::Position;
use super::{Body, Handler, Instruction, InstructionSet, Instructions, Operand};
use crate::prelude::*;
use crate::profile::{Profile, TableFormat};
use alloc::collections::BTreeMap;

/// A place in the code that is jumped to, or where a handler begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label(pub u32);

/// Where an instruction comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Place {
    /// The first line. Up to 3.9: the line that begins here, if the table has an entry for it.
    pub line: Option<i32>,
    /// The last line (3.11 and later, as what follows).
    pub end_line: Option<i32>,
    /// The first column, in bytes of UTF-8.
    pub column: Option<i32>,
    /// The first column behind.
    pub end_column: Option<i32>,
}

/// The argument of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepArgument {
    /// None.
    None,
    /// A number, without the parts that are in prefixes being counted apart.
    Number(u32),
    /// Where it jumps to.
    Jump(Label),
}

/// An instruction with its prefixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What others call this place.
    pub label: Option<Label>,
    /// The opcode.
    pub opcode: u8,
    /// Its argument.
    pub argument: StepArgument,
    /// Where it comes from.
    pub place: Place,
}

/// An exception handler: a region and where exceptions in it go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// The first instruction that it covers.
    pub start: Label,
    /// The first behind those.
    pub end: Label,
    /// The handler.
    pub target: Label,
    /// How many values stay on the stack.
    pub depth: u64,
    /// Whether the offset of the instruction that raised is pushed as well.
    pub lasti: bool,
}

/// What does not follow from the instructions. Steps are counted from 0 on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Residue {
    /// Steps with more prefixes than their arguments need, and how many they have.
    pub prefixes: BTreeMap<usize, usize>,
    /// Steps whose opcode takes no argument, and the byte in the place of one.
    pub unused: BTreeMap<usize, u8>,
    /// Steps whose inline caches are not all zeros, or cut short, and these.
    pub caches: BTreeMap<usize, Vec<u8>>,
    /// Steps before which `co_lnotab` has other pairs than a compiler writes for going there, and these.
    pub line_pairs: BTreeMap<usize, Vec<Pair>>,
    /// Pairs of `co_lnotab` behind those that lead to an instruction.
    pub last_line_pairs: Vec<u8>,
    /// The whole line table, where no compiler writes such a one.
    pub line_table: Option<Vec<u8>>,
    /// The whole exception table, where no compiler writes such a one.
    pub exception_table: Option<Vec<u8>>,
    /// Bytes behind the last instruction.
    pub tail: Vec<u8>,
    /// The whole code, where nothing else does: jumps of such code decide about each other's prefixes in circles.
    pub code: Option<Vec<u8>>,
}

impl Residue {
    /// The kinds that there are, by name.
    #[must_use]
    pub fn kinds(&self) -> Vec<&'static str> {
        let all = [
            ("prefixes", !self.prefixes.is_empty()),
            ("unused arguments", !self.unused.is_empty()),
            ("caches", !self.caches.is_empty()),
            ("line pairs", !self.line_pairs.is_empty()),
            ("last line pairs", !self.last_line_pairs.is_empty()),
            ("line table", self.line_table.is_some()),
            ("exception table", self.exception_table.is_some()),
            ("tail", !self.tail.is_empty()),
            ("code", self.code.is_some()),
        ];
        all.into_iter().filter(|(_, is_there)| *is_there).map(|(kind, _)| kind).collect()
    }
}

/// A code object, taken apart.
#[derive(Debug, Clone)]
pub struct Assembly<'p> {
    /// The instructions.
    pub steps: Vec<Step>,
    /// What the end of the code is called.
    pub end: Option<Label>,
    /// The exception handlers, in the order of their table.
    pub regions: Vec<Region>,
    /// What else there is.
    pub residue: Residue,
    /// `co_firstlineno`
    pub first_line: i32,
    pub(super) profile: &'p Profile,
}

/// What an [`Assembly`] comes to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Assembled {
    /// `co_code`
    pub code: Vec<u8>,
    /// `co_lnotab` or `co_linetable`
    pub line_table: Vec<u8>,
    /// `co_exceptiontable`
    pub exception_table: Vec<u8>,
}

/// Why an [`Assembly`] cannot be put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AssembleError {
    /// No step has this label.
    NoSuchLabel(Label),
    /// The step, counted from 0 on, jumps in the direction that its opcode cannot go.
    Direction(usize),
    /// The jump of the step is not a number of 32 bits, or not a whole number of units.
    TooFar(usize),
}

impl core::fmt::Display for AssembleError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            AssembleError::NoSuchLabel(Label(label)) => write!(f, "no step has the label {label}"),
            AssembleError::Direction(step) => write!(f, "step {step} jumps where its opcode cannot go"),
            AssembleError::TooFar(step) => write!(f, "step {step} jumps too far"),
        }
    }
}

impl core::error::Error for AssembleError {}

/// A step in the code: where it begins, and its parts.
struct Part<'c> {
    start: usize,
    prefixes: usize,
    instruction: Instruction<'c>,
}

impl Part<'_> {
    /// Its argument, as far as its own prefixes make it; and whether that is all.
    fn argument(&self, words: bool) -> Option<(u32, bool)> {
        let operand = self.instruction.operand?;
        let width = (self.prefixes + 1) * if words { 8 } else { 16 };
        let mask = u32::MAX >> 32_usize.saturating_sub(width);
        Some((operand & mask, operand & mask == operand))
    }
}

/// The instructions with the prefixes that belong to them: not more than 32 bits of an argument have. Others are steps of
/// their own.
fn parts<'c>(code: &'c [u8], profile: &Profile) -> Vec<Part<'c>> {
    let mut parts = Vec::new();
    let mut prefixes: Vec<Instruction<'c>> = Vec::new();
    let most = if profile.has_wordcode() { 3 } else { 1 };
    for instruction in Instructions::new(code, profile) {
        let takes = instruction.operand.is_some();
        if instruction.is_prefix() && takes {
            if prefixes.len() == most {
                parts.push(alone(prefixes.remove(0)));
            }
            prefixes.push(instruction);
            continue;
        }
        if !takes {
            parts.extend(prefixes.drain(..).map(alone));
        }
        let start = prefixes.first().map_or(instruction.offset, |first| first.offset);
        parts.push(Part { start, prefixes: prefixes.len(), instruction });
        prefixes.clear();
    }
    parts.extend(prefixes.into_iter().map(alone));
    parts
}

fn alone(instruction: Instruction<'_>) -> Part<'_> {
    Part { start: instruction.offset, prefixes: 0, instruction }
}

impl<'p> Assembly<'p> {
    /// No instructions.
    #[must_use]
    pub fn new(profile: &'p Profile, first_line: i32) -> Self {
        let (steps, regions, residue) = (Vec::new(), Vec::new(), Residue::default());
        Assembly { steps, end: None, regions, residue, first_line, profile }
    }

    /// Takes a code object apart.
    #[must_use]
    pub fn of(body: &Body<'_>, profile: &'p Profile) -> Self {
        let code = body.code;
        let mut parts = parts(code, profile);
        let tail = match parts.last() {
            Some(last) if last.instruction.is_truncated() => {
                let start = last.start;
                // Its prefixes go with it.
                parts.pop();
                code[start..].to_vec()
            }
            _ => Vec::new(),
        };
        let starts: BTreeMap<usize, usize> = parts.iter().enumerate().map(|(step, part)| (part.start, step)).collect();
        let end = code.len() - tail.len();
        let mut labels = Labels { starts: &starts, end, steps: parts.len(), known: BTreeMap::new() };
        let mut steps = Vec::with_capacity(parts.len());
        let mut residue = Residue { tail, ..Residue::default() };
        for (step, part) in parts.iter().enumerate() {
            let it = &part.instruction;
            let argument = match part.argument(profile.has_wordcode()) {
                None => StepArgument::None,
                Some((number, is_all)) => {
                    let target = it.target().filter(|_| is_all).and_then(|target| labels.at(target));
                    target.map_or(StepArgument::Number(number), StepArgument::Jump)
                }
            };
            if let (None, Some(&unused @ 1..)) = (it.operand, it.head().get(1)) {
                residue.unused.insert(step, unused);
            }
            if it.caches().iter().any(|byte| *byte != 0) || !it.caches_are_whole() {
                residue.caches.insert(step, it.caches().to_vec());
            }
            steps.push(Step { label: None, opcode: it.code, argument, place: Place::default() });
        }
        let regions = regions(body, &mut labels);
        let known = labels.known;
        let mut assembly = Assembly {
            end: known.get(&steps.len()).copied(),
            steps,
            regions: regions.unwrap_or_default(),
            residue,
            first_line: body.first_line,
            profile,
        };
        for (step, label) in known {
            if let Some(step) = assembly.steps.get_mut(step) {
                step.label = Some(label);
            }
        }
        assembly.find_prefixes(&parts);
        assembly.find_places(body, &parts);
        assembly.find_tables(body);
        assembly
    }

    /// Steps that have more prefixes than they need.
    fn find_prefixes(&mut self, parts: &[Part<'_>]) {
        // What one needs depends on how long others are: a few rounds suffice for what compilers write.
        for _ in 0..8 {
            let Ok(layout) = self.layout() else { return };
            let mut is_new = false;
            for (step, part) in parts.iter().enumerate() {
                if part.prefixes != layout.prefixes[step] {
                    is_new |= self.residue.prefixes.insert(step, part.prefixes) != Some(part.prefixes);
                }
            }
            if !is_new {
                return;
            }
        }
    }

    fn find_places(&mut self, body: &Body<'_>, parts: &[Part<'_>]) {
        match self.profile.line_table() {
            TableFormat::UnsignedLnotab | TableFormat::Lnotab => self.find_lines(body, parts),
            TableFormat::LineTable => {
                let mut ranges = body.lines().peekable();
                for (step, part) in self.steps.iter_mut().zip(parts) {
                    while ranges.next_if(|range| range.end <= part.start).is_some() {}
                    step.place.line = ranges.peek().and_then(|range| range.line);
                }
            }
            TableFormat::LocationTable => {
                let mut places = body.positions().peekable();
                for (step, part) in self.steps.iter_mut().zip(parts) {
                    while places.next_if(|place| place.end <= part.start).is_some() {}
                    step.place = places.peek().map_or(Place::default(), Place::of);
                }
            }
        }
    }

    /// The lines that begin at steps, from the pairs of `co_lnotab`.
    fn find_lines(&mut self, body: &Body<'_>, parts: &[Part<'_>]) {
        let (pairs, odd) = body.line_table.as_chunks::<2>();
        let signed = self.profile.line_table() == TableFormat::Lnotab;
        let steps: BTreeMap<usize, usize> = parts.iter().enumerate().map(|(step, part)| (part.start, step)).collect();
        let (mut at, mut line, mut from) = (0, self.first_line, 0);
        let mut group: Vec<Pair> = Vec::new();
        let mut done = 0;
        for (place, pair) in pairs.iter().enumerate() {
            group.push(*pair);
            at += usize::from(pair[0]);
            line = line.wrapping_add(if signed { i32::from(pair[1].cast_signed()) } else { i32::from(pair[1]) });
            let goes_on = pairs.get(place + 1).is_some_and(|next| next[0] == 0);
            let Some(&step) = steps.get(&at) else { continue };
            if goes_on {
                continue;
            }
            let before = self.line_before(step);
            let canonical = encode::lnotab_pairs(at - from, line.wrapping_sub(before), self.profile);
            self.steps[step].place.line = Some(line);
            if canonical != group {
                self.residue.line_pairs.insert(step, group.clone());
            }
            group.clear();
            from = at;
            done = place + 1;
        }
        self.residue.last_line_pairs = [pairs[done..].as_flattened(), odd].concat();
    }

    /// The line that the table is at before a step.
    fn line_before(&self, step: usize) -> i32 {
        self.steps[..step].iter().rev().find_map(|step| step.place.line).unwrap_or(self.first_line)
    }

    /// Tables that no compiler writes.
    fn find_tables(&mut self, body: &Body<'_>) {
        let Ok(assembled) = self.assemble() else {
            self.residue.code = Some(body.code.to_vec());
            self.residue.line_table = Some(body.line_table.to_vec());
            self.residue.exception_table = Some(body.exception_table.to_vec());
            return;
        };
        if assembled.code != body.code {
            self.residue.code = Some(body.code.to_vec());
        }
        if assembled.line_table != body.line_table {
            self.residue.line_table = Some(body.line_table.to_vec());
        }
        if assembled.exception_table != body.exception_table {
            self.residue.exception_table = Some(body.exception_table.to_vec());
        }
    }

    /// The bytes, with the residue.
    ///
    /// # Errors
    /// When a label is missing, or a jump cannot be written.
    pub fn assemble(&self) -> Result<Assembled, AssembleError> {
        if let Residue { code: Some(code), line_table: Some(lines), exception_table: Some(handlers), .. } =
            &self.residue
        {
            let (code, line_table, exception_table) = (code.clone(), lines.clone(), handlers.clone());
            return Ok(Assembled { code, line_table, exception_table });
        }
        let layout = self.layout()?;
        Ok(Assembled {
            code: self.residue.code.clone().unwrap_or_else(|| self.code(&layout)),
            line_table: self.residue.line_table.clone().unwrap_or_else(|| self.line_table(&layout)),
            exception_table: match &self.residue.exception_table {
                Some(table) => table.clone(),
                None => self.exception_table(&layout)?,
            },
        })
    }

    /// The bytes that a compiler would write for these instructions: without the residue.
    ///
    /// # Errors
    /// As for [`Assembly::assemble`].
    pub fn assemble_tight(&self) -> Result<Assembled, AssembleError> {
        Assembly { residue: Residue::default(), ..self.clone() }.assemble()
    }

    /// Where the steps are, to a fixed point: how many prefixes a jump has depends on how far it goes, and that on them.
    ///
    /// Up to 3.12 compilers begin with no prefixes. Later ones take the number of the target's instruction for a first guess
    /// (`Python/assemble.c`, `resolve_jump_offsets`), from which a jump can keep a prefix that it would not need without.
    fn layout(&self) -> Result<Layout, AssembleError> {
        let set = InstructionSet::of(self.profile);
        let words = self.profile.has_wordcode();
        let asked = |step: usize| self.residue.prefixes.get(&step).copied().unwrap_or(0);
        let labels = self.steps.iter().map(|step| step.label).chain([self.end]);
        let numbers: BTreeMap<Label, usize> =
            labels.enumerate().filter_map(|(number, label)| Some((label?, number))).collect();
        let guess = |(place, step): (usize, &Step)| {
            let number = match step.argument {
                StepArgument::Jump(label) if self.profile.guesses_jumps() => numbers.get(&label).copied(),
                _ => None,
            };
            let guessed = number.and_then(|number| u32::try_from(number).ok());
            guessed.map_or(0, |number| prefixes_for(number, words)).max(asked(place))
        };
        let prefixes = self.steps.iter().enumerate().map(guess).collect();
        let mut layout = Layout { offsets: Vec::new(), prefixes, arguments: Vec::new() };
        for round in 0.. {
            self.place_steps(&mut layout, set, words);
            let mut changed = false;
            layout.arguments.clear();
            for (place, step) in self.steps.iter().enumerate() {
                let argument = match step.argument {
                    StepArgument::None => None,
                    StepArgument::Number(number) => Some(number),
                    StepArgument::Jump(label) => {
                        let target = *numbers.get(&label).ok_or(AssembleError::NoSuchLabel(label))?;
                        Some(self.distance(place, layout.offsets[target], &layout)?)
                    }
                };
                layout.arguments.push(argument);
                let needed = argument.map_or(0, |argument| prefixes_for(argument, words)).max(asked(place));
                let prefixes = &mut layout.prefixes[place];
                // What shrinks and grows in circles only grows in the end.
                if needed > *prefixes || needed < *prefixes && round < SHRINKING {
                    *prefixes = needed;
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        Ok(layout)
    }

    fn place_steps(&self, layout: &mut Layout, set: &InstructionSet, words: bool) {
        layout.offsets.clear();
        let mut at = 0;
        for (place, step) in self.steps.iter().enumerate() {
            layout.offsets.push(at);
            let takes = set.opcode(step.opcode).operand != Operand::None;
            let width = if words { 2 } else { 3 };
            let head = if words || takes { width } else { 1 };
            let caches = 2 * usize::from(set.caches(step.opcode));
            let caches = self.residue.caches.get(&place).map_or(caches, Vec::len);
            at += layout.prefixes[place] * width + head + caches;
        }
        layout.offsets.push(at);
    }

    fn offsets(&self, layout: &Layout) -> BTreeMap<Label, usize> {
        let labels = self.steps.iter().map(|step| step.label).chain([self.end]);
        labels.zip(&layout.offsets).filter_map(|(label, offset)| Some((label?, *offset))).collect()
    }

    /// The argument of a jump.
    fn distance(&self, place: usize, target: usize, layout: &Layout) -> Result<u32, AssembleError> {
        let set = InstructionSet::of(self.profile);
        let opcode = self.steps[place].opcode;
        // Jumps count from behind the caches that there should be.
        let missing =
            self.residue.caches.get(&place).map_or(0, |caches| 2 * usize::from(set.caches(opcode)) - caches.len());
        let end = (layout.offsets[place + 1] + missing) as i64;
        let target = target as i64;
        let bytes = match set.opcode(opcode).operand {
            Operand::Forward => target - end,
            Operand::Backward => end - target,
            _ => target,
        };
        // While it is laid out, a jump may seem to go the other way: the label is as far as its own prefixes.
        let unit = if self.profile.jumps_in_units() { 2 } else { 1 };
        if bytes < 0 {
            return Err(AssembleError::Direction(place));
        }
        u32::try_from(bytes / unit).ok().filter(|_| bytes % unit == 0).ok_or(AssembleError::TooFar(place))
    }

    fn code(&self, layout: &Layout) -> Vec<u8> {
        let set = InstructionSet::of(self.profile);
        let words = self.profile.has_wordcode();
        let mut code = Vec::with_capacity(layout.offsets.last().copied().unwrap_or(0) + self.residue.tail.len());
        for (place, step) in self.steps.iter().enumerate() {
            let argument = layout.arguments[place];
            let number = argument.unwrap_or(0);
            for prefix in (1..=layout.prefixes[place]).rev() {
                let shift = prefix * if words { 8 } else { 16 };
                let part = u32::try_from(shift).ok().and_then(|shift| number.checked_shr(shift)).unwrap_or(0);
                put(&mut code, set.extended_arg, Some(part), words);
            }
            put(&mut code, step.opcode, argument, words);
            if let (Some(unused), true) = (self.residue.unused.get(&place), words)
                && let Some(last) = code.last_mut()
            {
                *last = *unused;
            }
            match self.residue.caches.get(&place) {
                Some(caches) => code.extend(caches),
                None => code.extend(core::iter::repeat_n(0, 2 * usize::from(set.caches(step.opcode)))),
            }
        }
        code.extend(&self.residue.tail);
        code
    }

    fn line_table(&self, layout: &Layout) -> Vec<u8> {
        let span = |(place, step): (usize, &Step)| {
            let bytes = layout.offsets[place + 1] - layout.offsets[place];
            Span { units: bytes / 2, place: step.place }
        };
        match self.profile.line_table() {
            TableFormat::UnsignedLnotab | TableFormat::Lnotab => self.lnotab(layout),
            TableFormat::LineTable => {
                let spans: Vec<Span> = self.steps.iter().enumerate().map(span).collect();
                encode::line_ranges(&spans, self.first_line)
            }
            TableFormat::LocationTable => {
                let spans: Vec<Span> = self.steps.iter().enumerate().map(span).collect();
                encode::locations(&spans, self.first_line, self.profile)
            }
        }
    }

    fn lnotab(&self, layout: &Layout) -> Vec<u8> {
        let mut table: Vec<u8> = Vec::new();
        let (mut from, mut line) = (0, self.first_line);
        for (place, step) in self.steps.iter().enumerate() {
            let Some(next) = step.place.line else { continue };
            match self.residue.line_pairs.get(&place) {
                Some(pairs) => table.extend(pairs.as_flattened()),
                None => {
                    let pairs =
                        encode::lnotab_pairs(layout.offsets[place] - from, next.wrapping_sub(line), self.profile);
                    table.extend(pairs.as_flattened());
                }
            }
            from = layout.offsets[place];
            line = next;
        }
        table.extend(&self.residue.last_line_pairs);
        table
    }

    fn exception_table(&self, layout: &Layout) -> Result<Vec<u8>, AssembleError> {
        let offsets = self.offsets(layout);
        let at = |label: Label| offsets.get(&label).map(|at| *at as u64).ok_or(AssembleError::NoSuchLabel(label));
        let mut entries = Vec::with_capacity(self.regions.len());
        for region in &self.regions {
            let Region { start, end, target, depth, lasti } = *region;
            entries.push(Handler { start: at(start)?, end: at(end)?, target: at(target)?, depth, lasti });
        }
        Ok(encode::handlers(entries.into_iter()))
    }
}

/// So many rounds of the layout may take prefixes away.
const SHRINKING: usize = 20;

/// Where the steps are.
struct Layout {
    /// Of each step, and the end.
    offsets: Vec<usize>,
    prefixes: Vec<usize>,
    arguments: Vec<Option<u32>>,
}

/// How many prefixes an argument needs.
fn prefixes_for(argument: u32, words: bool) -> usize {
    let bits = (32 - argument.leading_zeros()) as usize;
    bits.div_ceil(if words { 8 } else { 16 }).saturating_sub(1)
}

fn put(code: &mut Vec<u8>, opcode: u8, argument: Option<u32>, words: bool) {
    code.push(opcode);
    let [low, high, ..] = argument.unwrap_or(0).to_le_bytes();
    match (words, argument) {
        (true, _) => code.push(low),
        (false, Some(_)) => code.extend([low, high]),
        (false, None) => {}
    }
}

/// Names for the places that are referred to.
struct Labels<'s> {
    starts: &'s BTreeMap<usize, usize>,
    end: usize,
    steps: usize,
    known: BTreeMap<usize, Label>,
}

impl Labels<'_> {
    /// The label of the step that begins there.
    fn at(&mut self, offset: i64) -> Option<Label> {
        let offset = usize::try_from(offset).ok()?;
        let step = if offset == self.end { self.steps } else { *self.starts.get(&offset)? };
        let next = u32::try_from(self.known.len()).ok()?;
        Some(*self.known.entry(step).or_insert(Label(next)))
    }
}

/// The exception table with labels; `None` where it has a place that is none of an instruction.
fn regions(body: &Body<'_>, labels: &mut Labels<'_>) -> Option<Vec<Region>> {
    let mut at = |offset: u64| labels.at(i64::try_from(offset).ok()?);
    let region = |entry: Handler| {
        let Handler { start, end, target, depth, lasti } = entry;
        Some(Region { start: at(start)?, end: at(end)?, target: at(target)?, depth, lasti })
    };
    body.handlers().map(region).collect()
}

impl Place {
    fn of(position: &Position) -> Place {
        let Position { line, end_line, column, end_column, .. } = *position;
        Place { line, end_line, column, end_column }
    }
}
