//! How deep the evaluation stack gets: `co_stacksize` by flow analysis, as the compilers do it.

use super::InstructionSet;
use super::assembly::{Assembly, Label, StepArgument};
use crate::code::flag;
use crate::prelude::*;
use alloc::collections::BTreeMap;

/// So many times the depth at one step may grow: in a loop that piles up values it would for ever.
const ROUNDS: u32 = 64;

/// Why there is no stack size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StackError {
    /// Nobody says what the instruction of this step does to the stack.
    Unknown(usize),
    /// The instruction of this step takes more values than there are.
    Underflow(usize),
    /// The stack grows each time that this step is reached.
    Endless(usize),
    /// The step goes to a label that no step has.
    NoSuchLabel(usize),
}

impl Assembly<'_> {
    /// The depth that the stack reaches, and at each step the largest depth before it (`None` where nothing leads).
    ///
    /// # Errors
    /// When the instructions are not what a compiler makes; the steps are counted from 0 on.
    pub fn stack(&self, flags: i32) -> Result<(u32, Vec<Option<u32>>), StackError> {
        let set = InstructionSet::of(self.profile);
        let places = self.places();
        let regions = self.covering();
        let mut depths: Vec<Option<i64>> = vec![None; self.steps.len()];
        let mut rounds = vec![0; self.steps.len()];
        let start = if self.profile.generators_begin_with_value() && flags & GENERATORS != 0 { 1 } else { 0 };
        let mut deepest = start;
        let mut work = vec![(0, start)];
        while let Some((place, depth)) = work.pop() {
            let Some(step) = self.steps.get(place) else { continue };
            if depths[place].is_some_and(|known| known >= depth) {
                continue;
            }
            rounds[place] += 1;
            if rounds[place] > ROUNDS {
                return Err(StackError::Endless(place));
            }
            depths[place] = Some(depth);
            let opcode = set.opcode(step.opcode);
            let argument = match step.argument {
                StepArgument::Number(number) => number,
                StepArgument::None | StepArgument::Jump(_) => 0,
            };
            let after = |jump| {
                let effect = opcode.stack_effect(argument, jump).ok_or(StackError::Unknown(place))?;
                Ok(depth + effect)
                    .and_then(|depth| if depth < 0 { Err(StackError::Underflow(place)) } else { Ok(depth) })
            };
            let mut go = |to: Option<usize>, depth: i64| {
                deepest = deepest.max(depth);
                work.push((to.ok_or(StackError::NoSuchLabel(place))?, depth));
                Ok(())
            };
            if !self.profile.ends_block(opcode.name) {
                go(Some(place + 1), after(false)?)?;
            }
            if let StepArgument::Jump(label) = step.argument
                && opcode.jumps()
            {
                go(places.get(&label).copied(), after(true)?)?;
            }
            for (target, depth) in regions.get(&place).into_iter().flatten() {
                go(places.get(target).copied(), *depth)?;
            }
        }
        let depths = depths.into_iter().map(|depth| depth.and_then(|depth| u32::try_from(depth).ok())).collect();
        let deepest = deepest.max(self.profile.least_stacksize().into());
        Ok((u32::try_from(deepest).unwrap_or(u32::MAX), depths))
    }

    /// The steps by their labels.
    fn places(&self) -> BTreeMap<Label, usize> {
        let labels = self.steps.iter().map(|step| step.label).chain([self.end]);
        labels.enumerate().filter_map(|(place, label)| Some((label?, place))).collect()
    }

    /// The handlers that exceptions go to, by the first step of each region: whatever the step is, it may raise.
    fn covering(&self) -> BTreeMap<usize, Vec<(Label, i64)>> {
        let places = self.places();
        let mut covering: BTreeMap<usize, Vec<(Label, i64)>> = BTreeMap::new();
        for region in &self.regions {
            let Some(start) = places.get(&region.start) else { continue };
            let depth = i64::try_from(region.depth).unwrap_or(i64::MAX / 2) + 1 + i64::from(region.lasti);
            covering.entry(*start).or_default().push((region.target, depth));
        }
        covering
    }
}

const GENERATORS: i32 = flag::GENERATOR | flag::COROUTINE | flag::ASYNC_GENERATOR;
