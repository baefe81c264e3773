//! Takes code objects apart.

use super::assembly::{Assembly, Label, Place, Region, Residue, Step, StepArgument};
use super::encode::{self, Pair};
use super::lines::Position;
use super::{Body, Handler, Instruction, Instructions};
use crate::prelude::*;
use crate::profile::{Profile, TableFormat};
use alloc::collections::BTreeMap;

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
        assembly.find_places(body, &parts, &starts);
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

    fn find_places(&mut self, body: &Body<'_>, parts: &[Part<'_>], starts: &BTreeMap<usize, usize>) {
        match self.profile.line_table() {
            TableFormat::UnsignedLnotab | TableFormat::Lnotab => self.find_lines(body, starts),
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

    /// The lines that begin at steps, from the pairs of `co_lnotab`. `starts`: the steps by where they are.
    fn find_lines(&mut self, body: &Body<'_>, starts: &BTreeMap<usize, usize>) {
        let (pairs, odd) = body.line_table.as_chunks::<2>();
        let signed = self.profile.line_table() == TableFormat::Lnotab;
        let (mut at, mut line) = (0, self.first_line);
        // Where the last step with a line is, and that line.
        let (mut from, mut before) = (at, line);
        let mut group: Vec<Pair> = Vec::new();
        let mut done = 0;
        for (place, pair) in pairs.iter().enumerate() {
            group.push(*pair);
            at += usize::from(pair[0]);
            line = line.wrapping_add(if signed { i32::from(pair[1].cast_signed()) } else { i32::from(pair[1]) });
            let goes_on = pairs.get(place + 1).is_some_and(|next| next[0] == 0);
            let Some(&step) = starts.get(&at) else { continue };
            if goes_on {
                continue;
            }
            let canonical = encode::lnotab_pairs(at - from, line.wrapping_sub(before), self.profile);
            self.steps[step].place.line = Some(line);
            if canonical != group {
                self.residue.line_pairs.insert(step, group.clone());
            }
            group.clear();
            (from, before) = (at, line);
            done = place + 1;
        }
        self.residue.last_line_pairs = [pairs[done..].as_flattened(), odd].concat();
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
