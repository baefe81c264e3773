//! What single instructions do, one function for those of a kind.

use super::frame::{Frame, GENERATORS};
use super::machine::{Checked, Flow, Machine, NOWHERE, small};
use super::rules::{Act, Rule};
use super::value::{BUILT, EXCEPTIONS, Is, Value};
use super::violation::{Detail, Kind, Violation};
use crate::code::flag;
use crate::prelude::*;

impl Machine<'_, '_> {
    /// Follows one instruction.
    pub(super) fn step(&mut self) -> Checked<Flow> {
        let Some(step) = self.steps.get(self.now) else { return self.run_off() };
        let (argument, target) = (step.argument, step.target);
        if step.is_odd {
            self.check_alone(step)?;
        }
        let was_copy = core::mem::replace(&mut self.is_copy, false);
        let rule = self.rule(self.now);
        if self.frame.trusts_cells() {
            self.guard_cells(rule)?;
        }
        match rule.act {
            Act::Plain => {
                self.take(rule)?;
                self.give(rule)?;
            }
            Act::LoadConst => self.load_constant(argument)?,
            Act::CallFunction | Act::Call => self.call(rule.act, argument as usize)?,
            Act::Jump => {
                if !rule.quiet {
                    self.raise()?;
                }
                self.go(target, |_| {})?;
                return Ok(Flow::Stop);
            }
            Act::Branch => {
                self.take(rule)?;
                self.go(target, |_| {})?;
            }
            Act::BranchOrPop => {
                let top = self.peek(1);
                self.take(rule)?;
                self.go(target, |state| state.slots.push(top))?;
            }
            Act::BranchOnNone(jumps) => self.branch_on_none(rule, was_copy, jumps, target)?,
            // It is taken for a specialized instruction of number 0 there, which ends the interpreter.
            Act::Unassigned if self.frame.profile.deoptimizes_behind_prefixes() && self.is_prefixed() => {
                return Err(self.wrong(Kind::InternalOpcode, Detail::None));
            }
            Act::Unassigned => {
                self.raise()?;
                return Ok(Flow::Stop);
            }
            Act::Internal => return Err(self.wrong(Kind::InternalOpcode, Detail::None)),
            Act::Return | Act::ReturnConst => {
                self.take(rule)?;
                return self.leave(rule.act);
            }
            Act::Raise => {
                self.raise_varargs(argument)?;
                return Ok(Flow::Stop);
            }
            Act::ReraiseLasti => {
                self.reraise(rule, argument as usize)?;
                return Ok(Flow::Stop);
            }
            Act::ForIter => self.for_iter(target)?,
            Act::Send => self.send(argument, target)?,
            Act::LoadFast => self.load(argument as usize, false)?,
            Act::LoadBorrow => self.load(argument as usize, true)?,
            Act::LoadFastCheck => return self.load_checked(argument as usize),
            Act::StoreFast => {
                self.take(rule)?;
                self.store(argument as usize, self.taken[0])?;
            }
            Act::LoadFastAndClear
            | Act::DeleteFast
            | Act::LoadPair
            | Act::BorrowPair
            | Act::StoreLoad
            | Act::StorePair => {
                return self.variable(rule, argument);
            }
            _ if self.compute(rule, argument)? => {}
            _ => return self.block(rule, argument, target),
        }
        Ok(Flow::Next)
    }

    /// What goes on with the next instruction in any case; whether it is such a one.
    fn compute(&mut self, rule: &Rule, argument: u32) -> Checked<bool> {
        match rule.act {
            Act::CallSpread(above, has_dict) => {
                self.check_keywords(argument, above.into(), has_dict)?;
                self.take(rule)?;
                self.give(rule)?;
            }
            Act::KeyMap => {
                self.has(1)?;
                self.check_keys(self.peek(1), argument as usize)?;
                self.take(rule)?;
                self.give(rule)?;
            }
            Act::CallUnpacked => {
                if argument > 1 {
                    return Err(self.operand(argument));
                }
                self.take(rule)?;
                self.give(rule)?;
            }
            Act::EndAsyncIteration => {
                self.take(rule)?;
                self.pop(b'o')?;
            }
            Act::BuildSlice => {
                if !(2..=3).contains(&argument) {
                    return Err(self.operand(argument));
                }
                self.take(rule)?;
                self.give(rule)?;
            }
            Act::Into | Act::Merge(_) => self.add_to_container(rule, argument as usize)?,
            Act::Copy | Act::Swap | Act::Rotate(_) | Act::Duplicate(_) => self.shuffle(rule.act, argument as usize)?,
            Act::Compare => {
                self.take(rule)?;
                let profile = self.frame.profile;
                if profile.debug && !profile.is_comparison(argument) {
                    return Err(self.operand(argument));
                }
                // A compiler trusts that ints give one, too; only an assertion would know.
                let is_bool = profile.comparison_shift() == 5 && (argument & 16 != 0 || profile.debug);
                self.push(Value::of(if is_bool { Is::Bool } else { Is::Object }))?;
            }
            Act::GetIter => {
                self.take(rule)?;
                let data = small(self.now) + 1;
                self.push(Value::new(if argument == 0 { Is::Iterator } else { Is::Awaitable }, data))?;
                self.push(Value::new(Is::Index, data))?;
            }
            Act::Yield | Act::YieldFrom | Act::ReturnGenerator | Act::Resume => self.generate(rule, argument)?,
            Act::KwNames => self.name_arguments(argument)?,
            Act::LoadCommon => self.load_common(argument)?,
            Act::BuildTuple => self.build_tuple(argument as usize)?,
            Act::BuildList => {
                self.take(rule)?;
                self.push(Value::new(Is::List, if argument == 0 { EXCEPTIONS } else { 0 }))?;
            }
            Act::PrepareReraise => self.exchange(rule)?,
            Act::BuildTemplate => self.build_template(rule)?,
            Act::CallKw | Act::CallNames => self.call(rule.act, argument as usize)?,
            Act::MakeFunction => self.make_function(rule)?,
            Act::SetAttribute => self.set_attribute(argument)?,
            Act::Intrinsic1 | Act::Intrinsic2 => {
                let table = &self.frame.set.intrinsics[usize::from(rule.act == Act::Intrinsic2)];
                if let Some(rule) = table.get(argument as usize) {
                    self.exchange(rule)?;
                }
            }
            Act::Named => {
                let is_reached = self.frame.reached[1] == Some(argument);
                self.trusted_name(rule, is_reached.then_some(b's'))?;
            }
            Act::Deref | Act::ClassDeref | Act::LoadClosure | Act::MakeCell | Act::CopyFreeVars => {
                self.cell(rule, argument)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Up to 3.10 a NUL is behind the code, which is no opcode.
    fn run_off(&mut self) -> Checked<Flow> {
        if self.frame.profile.has_localsplus() {
            return Err(self.wrong(Kind::RunsOff, Detail::None));
        }
        self.raise()?;
        Ok(Flow::Stop)
    }

    /// Whether the instruction is behind a prefix.
    pub(super) fn is_prefixed(&self) -> bool {
        self.now.checked_sub(1).and_then(|place| self.steps.get(place)).is_some_and(|step| step.is_prefix)
    }

    pub(super) fn operand(&self, argument: u32) -> Box<Violation> {
        self.wrong(Kind::Operand, Detail::Number(argument.into()))
    }

    fn branch_on_none(&mut self, rule: &Rule, was_copy: bool, jumps: bool, target: u32) -> Checked<()> {
        self.take(rule)?;
        // A copy was looked at: what is left is known, too.
        let top = self.peek(1);
        let known = was_copy && top.is() == Is::MaybeException;
        let [none, exception] = [Is::None, Is::Exception].map(|is| if known { Value::of(is) } else { top });
        let (there, here) = if jumps { (none, exception) } else { (exception, none) };
        self.go(target, |state| {
            if let (true, Some(top)) = (known, state.slots.last_mut()) {
                *top = there;
            }
        })?;
        if known {
            self.put(1, here);
        }
        Ok(())
    }

    fn raise_varargs(&mut self, argument: u32) -> Checked<()> {
        let most = if self.frame.profile.is_python2() { 3 } else { 2 };
        // Since 3.12 it takes as many as the argument says before it raises.
        if argument > most && self.frame.profile.skips_end_for() {
            return Err(self.operand(argument));
        }
        if argument <= most {
            for _ in 0..argument {
                self.pop(b'o')?;
            }
        }
        self.raise()
    }

    fn reraise(&mut self, rule: &Rule, deep: usize) -> Checked<()> {
        self.has(deep.saturating_add(1))?;
        if deep > 0 {
            self.demand(self.peek(deep.saturating_add(1)), self.need(b'k'))?;
        }
        self.take(rule)
    }

    /// Takes and gives. What prepares a reraise trusts that everything in its list is an exception or None.
    fn exchange(&mut self, rule: &Rule) -> Checked<()> {
        self.take(rule)?;
        if rule.act == Act::PrepareReraise && self.taken[0].data() != EXCEPTIONS {
            return Err(self.unclear(Kind::ValueKind, Detail::Words("a list of exceptions", self.taken[0].name())));
        }
        self.give(rule)
    }

    fn add_to_container(&mut self, rule: &Rule, deep: usize) -> Checked<()> {
        if deep == 0 {
            return Err(self.operand(0));
        }
        let takes = Rule::items(&rule.takes).count();
        let below = if let Act::Merge(below) = rule.act { usize::from(below) } else { 0 };
        self.has(deep.saturating_add(takes + below))?;
        let mut keeps_kind = self.name(self.now) == "LIST_APPEND";
        for _ in 0..takes {
            keeps_kind &= self.pop(b'o')?.is_exception_or_none();
        }
        if below > 0 {
            self.demand(self.peek(deep + below), self.need(b'o'))?;
        }
        let letter = rule.keeps.first().map_or(b'o', |item| item.0);
        self.demand(self.peek(deep), self.need(letter))?;
        if !keeps_kind {
            self.share(deep);
        }
        self.raise()
    }

    fn shuffle(&mut self, act: Act, argument: usize) -> Checked<()> {
        match act {
            Act::Copy => {
                if argument == 0 {
                    return Err(self.operand(0));
                }
                self.has(argument)?;
                self.share(argument);
                let value = self.peek(argument);
                self.demand(value, self.need(b'z'))?;
                self.is_copy = argument == 1;
                self.push(value)
            }
            Act::Swap => {
                if argument == 0 || argument == 1 && self.frame.profile.debug {
                    return Err(self.operand(0));
                }
                self.has(argument)?;
                let (top, deep) = (self.peek(1), self.peek(argument));
                self.put(1, deep);
                self.put(argument, top);
                Ok(())
            }
            Act::Rotate(count) => {
                let count = if count == 0 { argument } else { count.into() };
                if count == 0 {
                    return Err(self.operand(0));
                }
                self.has(count)?;
                let start = self.state.slots.len() - count;
                self.state.slots[start..].rotate_right(1);
                self.touch(self.depth() - count);
                Ok(())
            }
            Act::Duplicate(count) => {
                let count = if count == 0 { argument } else { count.into() };
                if argument == 1 || !(1..=3).contains(&count) {
                    return Err(self.operand(small(argument)));
                }
                self.has(count)?;
                for _ in 0..count {
                    self.share(count);
                    let value = self.peek(count);
                    self.demand(value, self.need(b'z'))?;
                    self.push(value)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn for_iter(&mut self, target: u32) -> Checked<()> {
        let profile = self.frame.profile;
        let counts = profile.counts_iterations();
        self.has(1 + usize::from(counts))?;
        if counts {
            let (iterator, index) = (self.peek(2), self.peek(1));
            let is_own = match index.is() {
                Is::Index => iterator.data() == index.data(),
                // An iterator that is none of GET_ITER.
                is => is == Is::Null && iterator.data() == 0,
            };
            if !is_own {
                return Err(self.wrong(Kind::ValueKind, Detail::Words("the state of this iteration", index.name())));
            }
        }
        self.demand(self.peek(1 + usize::from(counts)), self.need(b'i'))?;
        self.raise()?;
        let mut end = target;
        if profile.skips_end_for() {
            if self.name(target as usize) != "END_FOR" {
                return Err(self.wrong(Kind::Sequence, Detail::Word("before an END_FOR, where it goes in the end")));
            }
            end = target.saturating_add(1);
            if profile.skips_pop_top() {
                if self.name(end as usize) != "POP_TOP" {
                    return Err(self
                        .wrong(Kind::Sequence, Detail::Word("before END_FOR and POP_TOP, where it goes in the end")));
                }
                end = end.saturating_add(1);
            }
        }
        self.go(end, |state| {
            if !profile.keeps_exhausted_iterator() {
                state.slots.pop();
            }
        })?;
        self.push(Value::of(Is::Object))
    }

    fn send(&mut self, argument: u32, target: u32) -> Checked<()> {
        let profile = self.frame.profile;
        let counts = profile.counts_iterations();
        self.has(2 + usize::from(counts))?;
        self.pop(b'o')?;
        if counts {
            let (iterator, index) = (self.peek(2), self.peek(1));
            match index.is() {
                Is::Null => self.demand(iterator, self.need(b'o'))?,
                Is::Index if index.data() == iterator.data() => self.demand(iterator, self.need(b'w'))?,
                _ => {
                    return Err(self.wrong(Kind::ValueKind, Detail::Words("the state of this iteration", index.name())));
                }
            }
        } else {
            self.demand(self.peek(1), self.need(b'o'))?;
        }
        if profile.skips_end_for() && argument > 65_000 {
            return Err(self.operand(argument));
        }
        self.raise()?;
        self.go(target, |state| {
            if !profile.skips_end_for() {
                state.slots.pop();
            }
            state.slots.push(Value::of(Is::Object));
        })?;
        self.push(Value::of(Is::Object))
    }

    fn generate(&mut self, rule: &Rule, argument: u32) -> Checked<()> {
        let profile = self.frame.profile;
        let (makes, is_generator) = (profile.makes_generators(), self.state.is_generator);
        match rule.act {
            Act::ReturnGenerator => {
                let flags = self.frame.flags & GENERATORS;
                if is_generator || profile.debug && flags.count_ones() != 1 {
                    let word = if is_generator { "a generator" } else { "code whose flags tell of none" };
                    return Err(self.wrong(Kind::GeneratorOnly, Detail::Word(word)));
                }
                if profile.makes_generators_first() && !self.is_at_the_beginning() {
                    return Err(self.unclear(Kind::GeneratorOnly, Detail::Word("code that did something before")));
                }
                self.state.is_generator = true;
                self.soil();
            }
            Act::Resume => {
                // Who throws into the generator, or closes it, looks at what it waits for: it is below what is sent.
                let before = |back: usize| self.now.checked_sub(back).map_or("", |place| self.name(place));
                let waits = argument >= 2 && !profile.calls_below_self() && before(1) == "YIELD_VALUE";
                if waits && is_generator {
                    self.has(2)?;
                    self.demand(self.peek(2), self.need(b'o'))?;
                    if !profile.skips_end_for() && before(2) != "SEND" {
                        return Err(self.wrong(Kind::Sequence, Detail::Word("behind SEND and YIELD_VALUE")));
                    }
                }
            }
            _ if !is_generator => {
                let place = Detail::Word("code that is no generator");
                return Err(if makes {
                    self.wrong(Kind::GeneratorOnly, place)
                } else {
                    self.unclear(Kind::GeneratorOnly, place)
                });
            }
            Act::Yield if profile.calls_below_self() => {
                if argument > 1 {
                    return Err(self.operand(argument));
                }
                self.has(1)?;
                if argument == 1 {
                    // Who throws into the generator, or closes it, looks at what it waits for: it is below what is yielded.
                    let place = 1 + profile.depth_of_what_is_awaited();
                    self.has(place)?;
                    self.demand(self.peek(place), self.need(b'o'))?;
                    if profile.asserts_what_is_awaited() && !self.waits_behind() {
                        return Err(self.wrong(Kind::Sequence, Detail::Word("before a RESUME that waits")));
                    }
                }
            }
            _ => {}
        }
        self.take(rule)?;
        self.give(rule)?;
        // Who throws into a generator pushes a value before.
        self.raise()
    }

    /// Whether nothing comes before but what makes cells.
    fn is_at_the_beginning(&self) -> bool {
        (0..self.now).all(|place| matches!(self.name(place), "MAKE_CELL" | "COPY_FREE_VARS" | "NOP" | "EXTENDED_ARG"))
    }

    /// Whether the next instruction is the RESUME of a generator that waits for another one.
    fn waits_behind(&self) -> bool {
        let next = self.now + 1;
        self.rule(next).act == Act::Resume && self.steps.get(next).is_some_and(|step| step.argument & 3 >= 2)
    }

    fn load_constant(&mut self, argument: u32) -> Checked<()> {
        let value = self.constant(argument);
        self.push(value)
    }

    /// One of the interpreter's own constants.
    fn load_common(&mut self, argument: u32) -> Checked<()> {
        self.push(Value::of(match self.frame.set.data.common.get(argument as usize) {
            Some(&"None") => Is::None,
            Some(&("True" | "False")) => Is::Bool,
            Some(&"''") => Is::Str,
            _ => Is::Object,
        }))
    }

    fn constant(&self, argument: u32) -> Value {
        let frame: &Frame<'_> = self.frame;
        match frame.constant_type(argument) {
            b'N' => Value::of(Is::None),
            b'T' | b'F' => Value::of(Is::Bool),
            b't' | b'u' | b'a' | b'A' | b'z' | b'Z' if !frame.profile.is_python2() => Value::of(Is::Str),
            b's' | b't' if frame.profile.is_python2() => Value::of(Is::Str),
            b'(' | b')' => Value::new(Is::Tuple, argument + 1),
            b'c' => Value::new(Is::Code, argument),
            _ => Value::of(Is::Object),
        }
    }

    fn name_arguments(&mut self, argument: u32) -> Checked<()> {
        let value = self.constant(argument);
        if value.is() != Is::Tuple {
            return Err(self.wrong(Kind::ValueKind, Detail::Words("a tuple", value.name())));
        }
        // The names hold for the next call, wherever that is.
        let mut place = self.now;
        loop {
            place += 1;
            let Some(step) = self.steps.get(place) else { break };
            match self.rule(place).act {
                _ if step.is_prefix => {}
                Act::CallNames => {}
                Act::Call => return self.check_names(value, step.argument as usize),
                _ => break,
            }
        }
        Err(self.wrong(Kind::Sequence, Detail::Word("before a call")))
    }

    /// A template string trusts what is between its strings.
    fn build_template(&mut self, rule: &Rule) -> Checked<()> {
        self.take(rule)?;
        let [parts, strings, ..] = self.taken;
        let count = self.tuple_length(parts).filter(|count| *count == 0 || parts.is() == Is::Interpolations);
        let Some(count) = count else {
            return Err(self.unclear(Kind::ValueKind, Detail::Words("a tuple of interpolations", parts.name())));
        };
        self.check_strings(strings, count + 1)?;
        self.give(rule)
    }

    fn build_tuple(&mut self, count: usize) -> Checked<()> {
        // The empty tuple is one object for all, and an assertion says that this one is not.
        if count == 0 && self.frame.profile.debug && self.frame.profile.borrows_references() {
            return Err(self.operand(0));
        }
        self.has(count)?;
        let items = &self.state.slots[self.state.slots.len() - count..];
        let is = match items {
            [first, second, third]
                if first.is() == Is::Str
                    && matches!(second.is(), Is::Tuple | Is::Cells | Is::None)
                    && (matches!(third.is(), Is::Function | Is::Comprehension)
                        || !self.frame.profile.trusts_values_of_aliases()) =>
            {
                Is::Alias
            }
            [_, ..] if items.iter().all(|it| it.is() == Is::Cell) => Is::Cells,
            [_, ..] if items.iter().all(|it| it.is() == Is::Interpolation) => Is::Interpolations,
            _ => Is::Tuple,
        };
        for _ in 0..count {
            self.pop(b'o')?;
        }
        self.raise()?;
        self.push(match is {
            Is::Cells | Is::Interpolations => Value::new(is, small(count)),
            Is::Tuple => Value::new(is, BUILT | small(count)),
            _ => Value::of(is),
        })
    }

    /// Leaves the frame with a value.
    fn leave(&mut self, act: Act) -> Checked<Flow> {
        if self.frame.profile.debug && self.frame.profile.makes_generators() {
            self.check_returned(act)?;
        }
        if self.frame.profile.unwinds_by_reasons() {
            self.unwind(super::blocks::Reason::Return)?;
        } else if self.frame.profile.debug && self.frame.profile.asserts_empty_stack() && self.depth() > 0 {
            return Err(self.wrong(Kind::LeftOver, Detail::Number(self.depth() as i64)));
        }
        Ok(Flow::Stop)
    }

    /// An asynchronous generator returns None; only an assertion would know.
    fn check_returned(&self, act: Act) -> Checked<()> {
        let returned = match act {
            Act::Return => self.taken[0],
            _ if self.frame.constant_type(self.argument()) == b'N' => Value::of(Is::None),
            _ => Value::of(Is::Object),
        };
        if self.frame.flags & flag::ASYNC_GENERATOR != 0 && self.state.is_generator && returned.is() != Is::None {
            return Err(self.wrong(Kind::ValueKind, Detail::Words("None", returned.name())));
        }
        Ok(())
    }

    /// The target of an instruction, if there is such a place.
    pub(super) fn checked_target(&self, target: u32) -> Checked<u32> {
        if target >= NOWHERE - 1 {
            return Err(self.wrong(Kind::JumpTarget, Detail::Number(-1)));
        }
        Ok(target)
    }
}
