//! Puts code objects together: prefixes, jumps, inline caches and tables follow from the instructions.

use super::assembly::{AssembleError, Assembled, Assembly, Label, Region, Residue, Step, StepArgument};
use super::encode::{self, Span};
use super::{Handler, InstructionSet, Operand};
use crate::prelude::*;
use crate::profile::TableFormat;
use alloc::collections::BTreeMap;

impl Assembly<'_> {
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
    pub(super) fn layout(&self) -> Result<Layout, AssembleError> {
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
pub(super) struct Layout {
    /// Of each step, and the end.
    offsets: Vec<usize>,
    pub(super) prefixes: Vec<usize>,
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
