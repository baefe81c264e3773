//! The abstract interpreter: every way through the instructions, with what is known of the stack and of the variables.
//!
//! A way is followed instruction by instruction. Where another way may lead (a jump, a handler), what is known there is kept, and
//! joined with what comes along later; it is followed again if that told less. Stacks of different depth, and values that must not
//! be joined, make another [`Shape`] of the same place.

use super::frame::{Frame, GENERATORS};
use super::operands::Limits;
use super::rules::{Act, Item, Rule};
use super::value::{EXCEPTIONS, Is, Need, Needs, Value, given};
use super::violation::{Certainty, Detail, Kind, Sink, Violation};
use crate::bytecode::Handler;
use crate::prelude::*;
use crate::profile::Profile;
use alloc::collections::BinaryHeap;
use core::cmp::Reverse;
use core::mem;

/// The steps that are taken for each instruction are at most this, or the number of variables and values of the frame if that is
/// smaller.
pub const STEPS_PER_INSTRUCTION: usize = 256;

/// The steps of so many instructions are granted to every code object.
const SPARE: usize = 16;

/// So many different stacks may lead to one place.
const SHAPES: usize = 32;

/// No instruction.
pub(super) const NOWHERE: u32 = u32::MAX;
/// One behind a prefix that is not executed.
const BEHIND_PREFIX: u32 = u32::MAX - 1;

/// A number that fits: larger code is not looked at ([`Frame::check_fields`]).
pub(super) fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(NOWHERE)
}

/// A violation is rare and large.
pub(super) type Wrong = Box<Violation>;
pub(super) type Checked<T> = Result<T, Wrong>;

/// Whether the way goes on with the next instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Stop,
}

pub(super) struct Step {
    pub(super) offset: u32,
    pub(super) argument: u32,
    /// The instruction that it jumps to.
    pub(super) target: u32,
    pub(super) opcode: u8,
    pub(super) is_prefix: bool,
    pub(super) is_cut: bool,
    /// Something may be wrong with the instruction by itself: most need no closer look.
    pub(super) is_odd: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlockKind {
    Loop,
    Except,
    Finally,
    /// In it an exception is handled; it begins with what was handled before.
    Handler,
}

/// A block of a frame (up to 3.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) kind: BlockKind,
    pub(super) handler: u32,
    /// How deep the stack was.
    pub(super) level: usize,
}

/// What is known at a place: variables, then the stack.
#[derive(Default)]
pub(super) struct State {
    pub(super) slots: Vec<Value>,
    pub(super) blocks: Vec<Block>,
    pub(super) is_generator: bool,
}

impl State {
    /// Becomes the other one, in the memory that it has.
    pub(super) fn become_like(&mut self, other: &State) {
        self.slots.clone_from(&other.slots);
        self.blocks.clone_from(&other.blocks);
        self.is_generator = other.is_generator;
    }
}

/// What was known when a place was reached.
struct Shape {
    state: State,
    place: u32,
    is_queued: bool,
    /// Another one of the same place, as in [`Machine::places`].
    next: u32,
}

/// Where an exception goes that is raised within these offsets.
#[derive(Clone, Copy)]
struct Region {
    start: u64,
    end: u64,
    /// Target, depth, and whether the place is pushed.
    handler: Option<(u32, usize, bool)>,
}

/// What is kept from one code object to the next, so that memory is not asked for again, and the same for all.
pub(in crate::bytecode) struct Memory {
    needs: Needs,
    steps: Vec<Step>,
    jumps: Vec<(u32, i64)>,
    starts: Vec<u32>,
    places: Vec<u32>,
    shapes: Vec<Shape>,
    spare: Vec<State>,
    queue: BinaryHeap<Reverse<(u32, u32)>>,
    state: State,
}

impl Memory {
    pub(super) fn new(profile: &Profile) -> Memory {
        Memory {
            needs: Needs::of(profile),
            steps: Vec::new(),
            jumps: Vec::new(),
            starts: Vec::new(),
            places: Vec::new(),
            shapes: Vec::new(),
            spare: Vec::new(),
            queue: BinaryHeap::new(),
            state: State::default(),
        }
    }
}

/// Of an instruction that only the one before it leads to.
const NO_PLACE: u32 = 0;
/// Of one that others may lead to, too. What is larger is a shape's number and one more.
const PLACE: u32 = 1;

pub(super) struct Machine<'f, 'g> {
    pub(super) frame: &'f Frame<'g>,
    needs: &'f Needs,
    pub(super) limits: Limits,
    pub(super) steps: &'f mut Vec<Step>,
    /// The instructions that jump, and to which offsets.
    jumps: &'f mut Vec<(u32, i64)>,
    /// The instruction that begins at each unit.
    starts: &'f mut Vec<u32>,
    /// For each instruction the shape that was found last.
    places: &'f mut Vec<u32>,
    shapes: &'f mut Vec<Shape>,
    /// States that are not used at present.
    spare: &'f mut Vec<State>,
    queue: &'f mut BinaryHeap<Reverse<(u32, u32)>>,
    /// The state of the way that is followed.
    pub(super) state: &'f mut State,
    /// How many variables are before the stack.
    pub(super) base: usize,
    pub(super) now: usize,
    /// What the instruction took, the top first.
    pub(super) taken: [Value; 8],
    region: Region,
    /// Nothing that an exception handler sees has changed since its state was kept ...
    is_clean: bool,
    /// ... as long as nothing below this depth does.
    floor: usize,
    /// The top was copied by the last instruction.
    pub(super) is_copy: bool,
    count: usize,
    limit: usize,
    deepest: usize,
}

impl<'f, 'g> Machine<'f, 'g> {
    pub(super) fn new(frame: &'f Frame<'g>, memory: &'f mut Memory) -> Machine<'f, 'g> {
        let Memory { needs, steps, jumps, starts, places, shapes, spare, queue, state } = memory;
        steps.clear();
        jumps.clear();
        queue.clear();
        spare.extend(shapes.drain(..).map(|shape| shape.state));
        let plus = frame.profile.has_localsplus();
        let base = if plus { frame.fast } else { usize::from(frame.trusts[0] == b'i') };
        let mut machine = Machine {
            frame,
            needs,
            limits: Limits::of(frame),
            steps,
            jumps,
            starts,
            places,
            shapes,
            spare,
            queue,
            state,
            base,
            now: 0,
            taken: [Value::of(Is::Null); 8],
            region: Region { start: 1, end: 0, handler: None },
            is_clean: false,
            floor: 0,
            is_copy: false,
            count: 0,
            limit: 0,
            deepest: 0,
        };
        machine.decode();
        let slots = (base + frame.stack + 8).min(STEPS_PER_INSTRUCTION);
        machine.limit = (machine.steps.len() + SPARE).saturating_mul(slots);
        machine
    }

    pub(super) fn instructions(&self) -> usize {
        self.steps.len()
    }

    fn decode(&mut self) {
        let (frame, shift) = (self.frame, self.shift());
        let units = frame.code.len() >> shift;
        self.starts.clear();
        self.starts.resize(units + 1, NOWHERE);
        self.steps.reserve(units);
        let (mut place, mut is_prefixed) = (0, false);
        for it in frame.instructions() {
            if let Some(start) = self.starts.get_mut(it.offset >> shift) {
                *start = if is_prefixed { BEHIND_PREFIX } else { place };
            }
            if let Some(target) = it.target() {
                self.jumps.push((place, target));
            }
            let (is_cut, is_prefix) = (it.is_cut(), it.is_prefix());
            let (offset, argument) = (small(it.offset), it.operand.unwrap_or(0));
            let is_odd = is_cut | is_prefix | is_prefixed | !self.limits.allow(it.opcode().operand, argument);
            let target = NOWHERE;
            self.steps.push(Step { offset, argument, target, opcode: it.code, is_prefix, is_cut, is_odd });
            (place, is_prefixed) = (place + 1, is_prefix);
        }
        if frame.code.len() == units << shift
            && let Some(start) = self.starts.last_mut()
        {
            *start = place;
        }
        self.mark_places();
    }

    /// Finds out which instructions are reached from elsewhere.
    fn mark_places(&mut self) {
        let rules = &self.frame.set.rules;
        self.places.clear();
        self.places.resize(self.steps.len() + 2, NO_PLACE);
        for number in 0..self.jumps.len() {
            let Some((place, target)) = self.jumps.get(number).copied() else { break };
            let target = self.at_offset(target);
            self.mark(target);
            if let Some(step) = self.steps.get_mut(place as usize) {
                step.target = target;
                // It may go on behind its target.
                if rules[usize::from(step.opcode)].act == Act::ForIter {
                    self.mark(target.saturating_add(1));
                    self.mark(target.saturating_add(2));
                }
            }
        }
        for handler in &self.frame.handlers {
            let target = self.at_offset(handler.target.cast_signed());
            self.mark(target);
        }
    }

    /// Other ways lead to this instruction, too.
    fn mark(&mut self, place: u32) {
        if let Some(place) = self.places.get_mut(place as usize) {
            *place = (*place).max(PLACE);
        }
    }

    /// Nothing leads from here or from behind to this instruction, or to one before it.
    pub(super) fn comes_once(&self) -> bool {
        let now = self.now;
        let Some(offset) = self.steps.get(now).map(|step| step.offset) else { return true };
        let is_jump = |(place, target): &(u32, i64)| *place as usize >= now && *target <= offset.into();
        let is_handler = |it: &Handler| it.end > offset.into() && it.target <= offset.into();
        !self.jumps.iter().any(is_jump) && !self.frame.handlers.iter().any(is_handler)
    }

    /// The next instruction is reached in another way, too; until now only this one led to it.
    pub(super) fn mark_next(&mut self) -> u32 {
        let next = small(self.now) + 1;
        self.mark(next);
        next
    }

    /// Instructions are as long as one unit or more, which is two bytes or one.
    fn shift(&self) -> u32 {
        u32::from(self.frame.profile.has_wordcode())
    }

    /// The instruction that begins at an offset, or at the one before an odd offset: 3.6 to 3.9 jump in units, too, and drop
    /// the rest.
    fn at_offset(&self, offset: i64) -> u32 {
        let unit = usize::try_from(offset).ok().and_then(|offset| self.starts.get(offset >> self.shift()));
        unit.copied().unwrap_or(NOWHERE)
    }

    pub(super) fn rule(&self, place: usize) -> &'static Rule {
        let opcode = self.steps.get(place).map_or(0, |step| step.opcode);
        &self.frame.set.rules[usize::from(opcode)]
    }

    pub(super) fn name(&self, place: usize) -> &'static str {
        self.steps.get(place).map_or("", |step| self.frame.set.opcode(step.opcode).name)
    }

    pub(super) fn argument(&self) -> u32 {
        self.steps.get(self.now).map_or(0, |step| step.argument)
    }

    /// Follows all ways; what is known then: how deep the stack gets, and the steps taken.
    pub(super) fn run(mut self, sink: &mut Sink) -> (usize, usize) {
        self.first_slots();
        self.state.blocks.clear();
        self.state.is_generator = !self.frame.profile.makes_generators() && self.frame.flags & GENERATORS != 0;
        self.deepest = self.depth();
        let first = self.steps.iter().position(|step| !step.is_prefix).unwrap_or(0);
        let copies = self.rule(first).act == Act::CopyFreeVars || !self.frame.profile.has_localsplus();
        if self.frame.frees > 0 && !copies {
            // Who asks for the variables of the frame trusts that its cells are there.
            sink.put(*self.unclear(Kind::Closure, Detail::Word("the first instruction has to be COPY_FREE_VARS")));
        }
        if self.frame.is_boxed && !self.begins_with_cell() {
            sink.put(
                *self.wrong(
                    Kind::Closure,
                    Detail::Word("the first instructions have to be MAKE_CELL for variable 0, too"),
                ),
            );
        }
        self.follow(0, sink);
        while let Some(Reverse((place, shape))) = self.queue.pop() {
            if self.count > self.limit {
                let detail = Detail::Number(self.limit as i64);
                let certainty = Certainty::CannotTell;
                sink.put(Violation { kind: Kind::TooComplex, offset: None, certainty, opcode: "", detail });
                break;
            }
            let Some(shape) = self.shapes.get_mut(shape as usize) else { continue };
            shape.is_queued = false;
            self.state.become_like(&shape.state);
            self.follow(place as usize, sink);
        }
        (self.deepest, self.count)
    }

    /// Whether a cell is made of the first argument before anything else.
    fn begins_with_cell(&self) -> bool {
        let is_first = |place: &usize| matches!(self.rule(*place).act, Act::CopyFreeVars | Act::MakeCell);
        let mut first = (0..self.steps.len()).take_while(is_first);
        first.any(|place| {
            self.rule(place).act == Act::MakeCell && self.steps.get(place).is_some_and(|it| it.argument == 0)
        })
    }

    fn first_slots(&mut self) {
        let frame = self.frame;
        let slots = &mut self.state.slots;
        slots.clear();
        slots.resize(frame.arguments.min(self.base), Value::of(Is::Object));
        slots.resize(self.base, Value::of(Is::Null));
        for (slot, letter) in slots.iter_mut().zip(frame.trusts) {
            if letter != 0 {
                *slot = given(letter);
            }
        }
        let begins_with_value = frame.profile.generators_begin_with_value() && !frame.profile.makes_generators();
        if begins_with_value && frame.flags & GENERATORS != 0 {
            slots.push(Value::of(Is::Object));
        }
    }

    fn follow(&mut self, place: usize, sink: &mut Sink) {
        (self.now, self.is_clean, self.is_copy) = (place, false, false);
        loop {
            self.count += 1;
            match self.step() {
                Ok(Flow::Next) => self.now += 1,
                Ok(Flow::Stop) => return,
                Err(violation) => return sink.put(*violation),
            }
            if self.places.get(self.now).is_some_and(|place| *place != NO_PLACE) {
                let state = self.copy();
                if let Err(violation) = self.arrive(small(self.now), state) {
                    sink.put(*violation);
                }
                return;
            }
        }
    }

    /// Keeps what is known where another way comes to an instruction.
    pub(super) fn arrive(&mut self, place: u32, state: State) -> Checked<()> {
        let depth = state.slots.len() - self.base;
        if depth > self.frame.stack {
            return Err(self.wrong(Kind::StackOverflow, Detail::Numbers(depth as i64, self.frame.stack as i64)));
        }
        self.deepest = self.deepest.max(depth);
        let head = self.places.get(place as usize).copied().unwrap_or(NO_PLACE);
        if head == NO_PLACE {
            let to = self.target_offset();
            // Other instructions begin inside of one; but caches are none.
            let is_inside = usize::try_from(to).is_ok_and(|to| to < self.frame.code.len());
            let is_odd = is_inside && !self.frame.profile.has_localsplus();
            let (kind, to) = (Kind::JumpTarget, Detail::Number(to));
            return Err(if is_odd || place == BEHIND_PREFIX { self.unclear(kind, to) } else { self.wrong(kind, to) });
        }
        let (mut number, mut found, mut known_depth) = (head, 0, depth);
        while let Some(shape) = number.checked_sub(PLACE + 1).and_then(|id| self.shapes.get_mut(id as usize)) {
            (self.count, found) = (self.count + 1, found + 1);
            let known = &mut shape.state;
            known_depth = known.slots.len() - self.base;
            if known_depth != depth || known.is_generator != state.is_generator || known.blocks != state.blocks {
                number = shape.next;
                continue;
            }
            self.count += state.slots.len() / 16;
            if known.slots == state.slots {
                self.spare.push(state);
                return Ok(());
            }
            if known.slots.iter().zip(&state.slots).any(|(one, other)| one.join(*other).is_none()) {
                number = shape.next;
                continue;
            }
            let mut changed = false;
            for (one, other) in known.slots.iter_mut().zip(&state.slots) {
                let joined = one.join(*other).unwrap_or(*one);
                changed |= joined != *one;
                *one = joined;
            }
            if changed && !mem::replace(&mut shape.is_queued, true) {
                self.queue.push(Reverse((shape.place, number - PLACE - 1)));
            }
            self.spare.push(state);
            return Ok(());
        }
        if found >= SHAPES {
            return Err(self.unclear(Kind::StackMismatch, Detail::Numbers(known_depth as i64, depth as i64)));
        }
        let id = small(self.shapes.len());
        self.count += state.slots.len() / 4;
        self.shapes.push(Shape { state, place, is_queued: true, next: head });
        if let Some(head) = self.places.get_mut(place as usize) {
            *head = id.saturating_add(PLACE + 1);
        }
        self.queue.push(Reverse((place, id)));
        Ok(())
    }

    /// The memory of a state can be used again.
    pub(super) fn spare(&mut self, state: State) {
        self.spare.push(state);
    }

    /// The present state once more.
    pub(super) fn copy(&mut self) -> State {
        let mut state = self.spare.pop().unwrap_or_default();
        state.become_like(self.state);
        state
    }

    /// Where the instruction jumps to, as a sentence tells it.
    fn target_offset(&self) -> i64 {
        let offset = self.steps.get(self.now).map_or(0, |step| step.offset as usize);
        let jump = self.frame.instructions().find(|it| it.offset == offset).and_then(|it| it.target());
        jump.or(self
            .region
            .handler
            .and_then(|_| self.frame.handler_of(offset as u64))
            .map(|it| it.target.cast_signed()))
            .unwrap_or(-1)
    }

    /// Goes on at an instruction with the present state, changed so.
    pub(super) fn go(&mut self, place: u32, change: impl FnOnce(&mut State)) -> Checked<()> {
        let mut state = self.copy();
        change(&mut state);
        self.arrive(place, state)
    }

    /// An exception goes from here to its handler, or to one of two.
    pub(super) fn raise(&mut self) -> Checked<()> {
        if !self.frame.profile.has_localsplus() {
            return self.raise_by_blocks();
        }
        let offset = self.steps.get(self.now).map_or(0, |step| u64::from(step.offset));
        let next = self.steps.get(self.now + 1).map_or(self.frame.code.len() as u64, |step| u64::from(step.offset));
        let (before, last) = (offset.saturating_sub(2), next.saturating_sub(2));
        let Region { start, end, .. } = self.region;
        if start <= before && last < end {
            return self.raise_at(offset);
        }
        // The table is asked about the unit before that where the interpreter goes on (`exception_unwind` of ceval.c). Up to 3.12
        // it passes the caches when it is done, or enters a frame; since then at once, but an exception that comes from the frame
        // finds it at the instruction. So does an opcode that nothing is known of.
        let rule = self.rule(self.now);
        let behind = (offset > 0).then_some(before);
        let (usual, other) = match self.frame.profile.passes_caches_first() {
            _ if rule.act == Act::Unassigned => (offset, behind),
            true => (last, behind.filter(|_| rule.enters)),
            false => (offset, rule.enters.then_some(last)),
        };
        self.raise_at(usual)?;
        other.filter(|other| *other != usual).map_or(Ok(()), |other| self.raise_at(other))
    }

    /// An exception goes from here to the handler that the table has for an offset.
    fn raise_at(&mut self, offset: u64) -> Checked<()> {
        if offset < self.region.start || offset >= self.region.end {
            self.region = self.region_of(offset);
            self.is_clean = false;
        }
        let Some((target, depth, lasti)) = self.region.handler else { return Ok(()) };
        if depth > self.depth() {
            return Err(self.wrong(Kind::HandlerDepth, Detail::Numbers(depth as i64, self.depth() as i64)));
        }
        if self.is_clean {
            return Ok(());
        }
        let kept = self.base + depth;
        (self.is_clean, self.floor) = (true, depth);
        let mut state = self.spare.pop().unwrap_or_default();
        state.slots.clear();
        state.slots.extend_from_slice(&self.state.slots[..kept]);
        state.blocks.clear();
        state.is_generator = self.state.is_generator;
        state.slots.extend(lasti.then_some(Value::of(Is::Lasti)));
        state.slots.push(Value::of(Is::Exception));
        self.arrive(target, state)
    }

    pub(super) fn is_clean(&self) -> bool {
        self.is_clean
    }

    pub(super) fn keep_clean(&mut self, floor: usize) {
        (self.is_clean, self.floor) = (true, floor);
    }

    fn region_of(&self, offset: u64) -> Region {
        let handlers = &self.frame.handlers;
        let next = handlers.partition_point(|it| it.start <= offset);
        let before = next.checked_sub(1).and_then(|place| handlers.get(place));
        match before {
            Some(it) if offset < it.end => {
                let depth = usize::try_from(it.depth).unwrap_or(usize::MAX / 4);
                let target = self.at_offset(it.target.cast_signed());
                Region { start: it.start, end: it.end, handler: Some((target, depth, it.lasti)) }
            }
            _ => {
                let start = before.map_or(0, |it| it.end);
                let end = handlers.get(next).map_or(u64::MAX, |it| it.start);
                Region { start, end, handler: None }
            }
        }
    }

    pub(super) fn depth(&self) -> usize {
        self.state.slots.len() - self.base
    }

    /// What a handler sees may have changed from this depth on.
    pub(super) fn touch(&mut self, depth: usize) {
        if depth < self.floor {
            self.is_clean = false;
        }
    }

    pub(super) fn soil(&mut self) {
        self.is_clean = false;
    }

    pub(super) fn push(&mut self, value: Value) -> Checked<()> {
        self.state.slots.push(value);
        let depth = self.depth();
        self.deepest = self.deepest.max(depth);
        if depth > self.frame.stack {
            return Err(self.wrong(Kind::StackOverflow, Detail::Numbers(depth as i64, self.frame.stack as i64)));
        }
        Ok(())
    }

    /// Takes the top if it is what the rules call so.
    pub(super) fn pop(&mut self, letter: u8) -> Checked<Value> {
        self.has(1)?;
        let value = self.peek(1);
        self.demand(value, self.needs.get(letter))?;
        self.state.slots.pop();
        self.touch(self.depth());
        Ok(value)
    }

    /// The value that is so deep, 1 being the top.
    pub(super) fn peek(&self, deep: usize) -> Value {
        let place = self.state.slots.len().checked_sub(deep);
        place.and_then(|place| self.state.slots.get(place)).copied().unwrap_or(Value::of(Is::Null))
    }

    pub(super) fn put(&mut self, deep: usize, value: Value) {
        let place = self.state.slots.len().checked_sub(deep);
        if let Some(slot) = place.and_then(|place| self.state.slots.get_mut(place)) {
            *slot = value;
        }
        self.touch(self.depth().saturating_sub(deep));
    }

    /// Something else may refer to the value from now on, and change it.
    pub(super) fn share(&mut self, deep: usize) {
        if self.peek(deep) == Value::new(Is::List, EXCEPTIONS) {
            self.put(deep, Value::of(Is::List));
        }
    }

    /// Whether so many values are there.
    pub(super) fn has(&self, count: usize) -> Checked<()> {
        if self.depth() < count {
            return Err(self.wrong(Kind::StackUnderflow, Detail::Numbers(count as i64, self.depth() as i64)));
        }
        Ok(())
    }

    pub(super) fn need(&self, letter: u8) -> Need {
        self.needs.get(letter)
    }

    pub(super) fn demand(&self, value: Value, need: Need) -> Checked<()> {
        if value.bit() & need.mask != 0 {
            return Ok(());
        }
        Err(match value.is() {
            Is::Null => self.wrong(Kind::NullValue, Detail::None),
            Is::Maybe => self.unclear(Kind::NullValue, Detail::None),
            Is::Object => self.unclear(Kind::ValueKind, Detail::Words(need.name, value.name())),
            _ => self.wrong(Kind::ValueKind, Detail::Words(need.name, value.name())),
        })
    }

    /// Takes what a rule takes; an exception may come from there.
    pub(super) fn take(&mut self, rule: &Rule) -> Checked<()> {
        if rule.is_fixed {
            self.take_fixed(rule)?;
        } else {
            self.take_counted(rule)?;
        }
        if rule.quiet { Ok(()) } else { self.raise() }
    }

    /// The same for a rule that takes each value once.
    fn take_fixed(&mut self, rule: &Rule) -> Checked<()> {
        let [keeps, takes, _] = rule.sizes.map(usize::from);
        self.has(takes + keeps)?;
        let letters = rule.letters.get(..takes + keeps).unwrap_or_default();
        for (&letter, &value) in letters.iter().zip(self.state.slots.iter().rev()) {
            if !self.needs.allow(letter, value) {
                self.demand(value, self.needs.get(letter))?;
            }
        }
        let rest = self.state.slots.len() - takes;
        for (taken, value) in self.taken.iter_mut().zip(self.state.slots.drain(rest..).rev()) {
            *taken = value;
        }
        self.touch(self.depth());
        (1..=keeps).for_each(|deep| self.share(deep));
        Ok(())
    }

    /// The same for one whose argument tells how often.
    fn take_counted(&mut self, rule: &Rule) -> Checked<()> {
        let argument = self.argument();
        let size =
            |items: &[Item]| Rule::items(items).fold(0_usize, |sum, (_, count)| sum.saturating_add(count.of(argument)));
        let (takes, keeps) = (size(&rule.takes), size(&rule.keeps));
        self.has(takes.saturating_add(keeps))?;
        let mut number = 0;
        for (letter, count) in Rule::items(&rule.takes).rev() {
            let need = self.needs.get(letter);
            for _ in 0..count.of(argument) {
                let value = self.peek(1);
                self.demand(value, need)?;
                self.state.slots.pop();
                if let Some(taken) = self.taken.get_mut(number) {
                    *taken = value;
                }
                number += 1;
            }
        }
        self.touch(self.depth());
        let mut deep = 0;
        for (letter, count) in Rule::items(&rule.keeps).rev() {
            for _ in 0..count.of(argument) {
                deep += 1;
                self.demand(self.peek(deep), self.needs.get(letter))?;
                self.share(deep);
            }
        }
        Ok(())
    }

    pub(super) fn give(&mut self, rule: &Rule) -> Checked<()> {
        let results = rule.results.iter().zip(&rule.gives).take(rule.sizes[2].into());
        if rule.is_fixed {
            for (value, _) in results {
                self.push(*value)?;
            }
            return Ok(());
        }
        let argument = self.argument();
        for (value, (_, count)) in results {
            let count = count.of(argument);
            let depth = self.depth().saturating_add(count);
            if depth > self.frame.stack {
                return Err(self.wrong(Kind::StackOverflow, Detail::Numbers(depth as i64, self.frame.stack as i64)));
            }
            for _ in 0..count {
                self.push(*value)?;
            }
        }
        Ok(())
    }

    /// It breaks a rule.
    #[cold]
    pub(super) fn wrong(&self, kind: Kind, detail: Detail) -> Box<Violation> {
        let offset = self.steps.get(self.now).map_or(self.frame.code.len(), |step| step.offset as usize);
        let opcode = self.name(self.now);
        Box::new(Violation { kind, offset: Some(offset), certainty: Certainty::Crash, opcode, detail })
    }

    /// It may break a rule.
    #[cold]
    pub(super) fn unclear(&self, kind: Kind, detail: Detail) -> Box<Violation> {
        Box::new(Violation { certainty: Certainty::CannotTell, ..*self.wrong(kind, detail) })
    }
}
