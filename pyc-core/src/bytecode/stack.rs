//! How deep the evaluation stack gets: `co_stacksize` by flow analysis, as the compilers do it.

use super::InstructionSet;
use super::assembly::{Assembly, Label, StepArgument};
use crate::code::flag;
use crate::prelude::*;
use crate::profile::Profile;
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

impl StackError {
    /// The step that it is about, counted from 0 on.
    #[must_use]
    pub fn step(&self) -> usize {
        match self {
            StackError::Unknown(step)
            | StackError::Underflow(step)
            | StackError::Endless(step)
            | StackError::NoSuchLabel(step) => *step,
        }
    }
}

/// An instruction, as far as the stack is concerned: whatever is around it.
pub(crate) struct Flow {
    pub(crate) opcode: u8,
    /// With its prefixes.
    pub(crate) argument: u32,
    /// Whether its argument is a place.
    pub(crate) is_jump: bool,
    /// That place, if there is such a one.
    pub(crate) target: Option<usize>,
}

/// Where exceptions go that are raised from a place on, and how deep the stack is there; by that first place.
pub(crate) type Covering = BTreeMap<usize, Vec<(Option<usize>, i64)>>;

/// The depth that the stack reaches, and at each place the largest depth before it (`None` where nothing leads).
pub(crate) fn depths(
    flows: &[Flow],
    covering: &Covering,
    flags: i32,
    profile: &Profile,
) -> Result<(u32, Vec<Option<u32>>), StackError> {
    let set = InstructionSet::of(profile);
    let mut depths: Vec<Option<i64>> = vec![None; flows.len()];
    let mut rounds = vec![0; flows.len()];
    let start = if profile.generators_begin_with_value() && flags & GENERATORS != 0 { 1 } else { 0 };
    let mut deepest = start;
    let mut work = vec![(0, start)];
    while let Some((place, depth)) = work.pop() {
        let Some(flow) = flows.get(place) else { continue };
        if depths[place].is_some_and(|known| known >= depth) {
            continue;
        }
        rounds[place] += 1;
        if rounds[place] > ROUNDS {
            return Err(StackError::Endless(place));
        }
        depths[place] = Some(depth);
        let opcode = set.opcode(flow.opcode);
        let after = |jump| {
            let effect = opcode.stack_effect(flow.argument, jump).ok_or(StackError::Unknown(place))?;
            Ok(depth + effect).and_then(|depth| if depth < 0 { Err(StackError::Underflow(place)) } else { Ok(depth) })
        };
        let mut go = |to: Option<usize>, depth: i64| {
            deepest = deepest.max(depth);
            work.push((to.ok_or(StackError::NoSuchLabel(place))?, depth));
            Ok(())
        };
        if !profile.ends_block(opcode.name) {
            go(Some(place + 1), after(false)?)?;
        }
        if flow.is_jump && opcode.jumps() {
            go(flow.target, after(true)?)?;
        }
        for (target, depth) in covering.get(&place).into_iter().flatten() {
            go(*target, *depth)?;
        }
    }
    let depths = depths.into_iter().map(|depth| depth.and_then(|depth| u32::try_from(depth).ok())).collect();
    let deepest = deepest.max(profile.least_stacksize().into());
    Ok((u32::try_from(deepest).unwrap_or(u32::MAX), depths))
}

impl Assembly<'_> {
    /// The depth that the stack reaches, and at each step the largest depth before it (`None` where nothing leads).
    ///
    /// # Errors
    /// When the instructions are not what a compiler makes; the steps are counted from 0 on.
    pub fn stack(&self, flags: i32) -> Result<(u32, Vec<Option<u32>>), StackError> {
        let places = self.places();
        let flow = |step: &super::Step| {
            let (argument, is_jump, target) = match step.argument {
                StepArgument::None => (0, false, None),
                StepArgument::Number(number) => (number, false, None),
                StepArgument::Jump(label) => (0, true, places.get(&label).copied()),
            };
            Flow { opcode: step.opcode, argument, is_jump, target }
        };
        let flows: Vec<Flow> = self.steps.iter().map(flow).collect();
        let mut covering = Covering::new();
        for region in &self.regions {
            let Some(start) = places.get(&region.start) else { continue };
            let target = places.get(&region.target).copied();
            covering.entry(*start).or_default().push((target, handler_depth(region.depth, region.lasti)));
        }
        depths(&flows, &covering, flags, self.profile)
    }

    /// The steps by their labels.
    fn places(&self) -> BTreeMap<Label, usize> {
        let labels = self.steps.iter().map(|step| step.label).chain([self.end]);
        labels.enumerate().filter_map(|(place, label)| Some((label?, place))).collect()
    }
}

/// How deep the stack is where a handler begins: whatever raises, the exception is on it, and perhaps where it was raised.
pub(crate) fn handler_depth(depth: u64, lasti: bool) -> i64 {
    i64::try_from(depth).unwrap_or(i64::MAX / 2) + 1 + i64::from(lasti)
}

const GENERATORS: i32 = flag::GENERATOR | flag::COROUTINE | flag::ASYNC_GENERATOR;
