//! Blocks: how frames of 3.10 and earlier handle exceptions, and up to 3.7 everything that leaves a `try` or a loop.

use super::machine::{Block, BlockKind, Checked, Flow, Machine, State};
use super::rules::{Act, Rule};
use super::value::{Is, Value, third, why};
use super::violation::{Detail, Kind};
use core::mem;

/// `CO_MAXBLOCKS`
const MOST: usize = 20;

/// What a handler keeps of what was handled before, from below.
const SAVED: [u32; 3] = [third::TRACEBACK, third::VALUE, third::TYPE];

/// Why blocks are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    Exception,
    Return,
    Break,
    /// It goes on with this instruction.
    Continue(u32),
}

impl Machine<'_, '_> {
    pub(super) fn raise_by_blocks(&mut self) -> Checked<()> {
        if self.is_clean() { Ok(()) } else { self.unwind(Reason::Exception) }
    }

    /// Leaves blocks until one takes what left them.
    pub(super) fn unwind(&mut self, reason: Reason) -> Checked<()> {
        let mut state = self.copy();
        let mut floor = 0;
        let mut target = None;
        while let Some(block) = state.blocks.last().copied() {
            if let (Reason::Continue(place), BlockKind::Loop) = (reason, block.kind) {
                target = Some(place);
                break;
            }
            state.blocks.pop();
            if block.kind == BlockKind::Handler {
                floor = floor.max(block.level.saturating_add(3));
                self.leave_handler(&mut state, block)?;
                continue;
            }
            floor = floor.max(block.level);
            let depth = state.slots.len() - self.base;
            if depth < block.level {
                return Err(self.wrong(Kind::HandlerDepth, Detail::Numbers(block.level as i64, depth as i64)));
            }
            state.slots.truncate(self.base + block.level);
            let takes = match block.kind {
                BlockKind::Loop => reason == Reason::Break,
                BlockKind::Except => reason == Reason::Exception,
                _ => true,
            };
            if takes {
                if block.kind != BlockKind::Loop {
                    self.tell(&mut state, reason, block.level);
                }
                target = Some(block.handler);
                break;
            }
        }
        if reason == Reason::Exception {
            self.keep_clean(floor);
        }
        match target {
            Some(target) => self.arrive(target, state),
            None => {
                self.spare(state);
                match reason {
                    Reason::Break | Reason::Continue(_) => {
                        Err(self.wrong(Kind::BlockStack, Detail::Word("it leaves a loop where none is")))
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    /// What a handler finds on the stack.
    fn tell(&self, state: &mut State, reason: Reason, level: usize) {
        let put = |state: &mut State, all: &[Is]| state.slots.extend(all.iter().map(|is| Value::of(*is)));
        match reason {
            Reason::Exception => {
                if self.frame.profile.saves_handled() {
                    state.blocks.push(Block { kind: BlockKind::Handler, handler: 0, level });
                    state.slots.extend(SAVED.map(|third| Value::new(Is::Previous, third)));
                }
                put(state, &[Is::Traceback, Is::Value, Is::Type]);
            }
            Reason::Return => {
                put(state, &[Is::Object]);
                state.slots.push(Value::new(Is::Why, why::RETURN));
            }
            Reason::Break => state.slots.push(Value::new(Is::Why, why::BREAK)),
            Reason::Continue(place) => state.slots.extend([Value::new(Is::Why, why::CONTINUE + place); 2]),
        }
    }

    /// What was handled before is handled again.
    fn leave_handler(&self, state: &mut State, block: Block) -> Checked<()> {
        let start = self.base + block.level;
        let kept = state.slots.get(start..start.saturating_add(3)).unwrap_or_default();
        if kept.len() < 3 || kept.iter().any(|it| it.is() != Is::Previous) {
            return Err(
                self.wrong(Kind::BlockStack, Detail::Word("the stack lacks what was handled before the exception"))
            );
        }
        let in_order = kept.iter().zip(SAVED).all(|(it, third)| it.data() == third);
        state.slots.truncate(start);
        self.is_saved(in_order)
    }

    /// The interpreter trusts a value that is handled to be an exception. Where nothing was handled before, all thirds are None.
    fn is_saved(&self, in_order: bool) -> Checked<()> {
        match in_order {
            true => Ok(()),
            false => Err(self.unclear(Kind::BlockStack, Detail::Word("what was handled before is in another order"))),
        }
    }

    /// Pops what was handled before.
    fn pop_saved(&mut self) -> Checked<()> {
        let mut in_order = true;
        for third in SAVED.into_iter().rev() {
            in_order &= self.pop(b'p')?.data() == third;
        }
        self.is_saved(in_order)
    }

    fn setup(&mut self, kind: BlockKind, target: u32) -> Checked<()> {
        let handler = self.checked_target(target)?;
        if self.state.blocks.len() >= MOST {
            return Err(self.wrong(Kind::BlockStack, Detail::Word("a frame has room for 20 blocks")));
        }
        let level = self.depth();
        self.state.blocks.push(Block { kind, handler, level });
        self.soil();
        Ok(())
    }

    fn pop_block(&mut self) -> Checked<Block> {
        self.soil();
        let block = self.state.blocks.pop();
        block.ok_or_else(|| self.wrong(Kind::BlockStack, Detail::Word("no block is there to leave")))
    }

    /// Pops the block of a handler; `None` if it is another one, which raises an exception.
    fn pop_handler(&mut self) -> Checked<Option<Block>> {
        let block = self.pop_block()?;
        if block.kind == BlockKind::Handler {
            return Ok(Some(block));
        }
        self.raise()?;
        Ok(None)
    }

    /// Leaves the innermost handler, which has to be one.
    fn end_handler(&mut self) -> Checked<()> {
        let block = self.pop_block()?;
        if block.kind != BlockKind::Handler {
            return Err(self.wrong(Kind::BlockStack, Detail::Word("the innermost block is no handler")));
        }
        let mut state = mem::take(self.state);
        let left = self.leave_handler(&mut state, block);
        *self.state = state;
        left
    }

    pub(super) fn block(&mut self, rule: &Rule, argument: u32, target: u32) -> Checked<Flow> {
        match rule.act {
            Act::SetupLoop => self.setup(BlockKind::Loop, target)?,
            Act::SetupExcept => self.setup(BlockKind::Except, target)?,
            Act::SetupFinally => self.setup(BlockKind::Finally, target)?,
            Act::SetupWith => {
                self.take(rule)?;
                self.push(Value::of(Is::Object))?;
                self.setup(BlockKind::Finally, target)?;
                self.push(Value::of(Is::Object))?;
            }
            Act::SetupAsyncWith => {
                self.take(rule)?;
                self.setup(BlockKind::Finally, target)?;
                self.push(Value::of(Is::Object))?;
            }
            Act::PopBlock => {
                let block = self.pop_block()?;
                if self.frame.profile.unwinds_by_reasons() {
                    let length = self.base + block.level;
                    self.state.slots.truncate(length);
                }
            }
            Act::PopExcept(unwinds) => {
                let Some(block) = self.pop_handler()? else { return Ok(Flow::Stop) };
                if unwinds {
                    self.state.blocks.push(block);
                    self.end_handler()?;
                } else {
                    self.pop_saved()?;
                }
            }
            Act::BreakLoop => {
                self.unwind(Reason::Break)?;
                return Ok(Flow::Stop);
            }
            Act::ContinueLoop => {
                let place = self.checked_target(target)?;
                self.unwind(Reason::Continue(place))?;
                return Ok(Flow::Stop);
            }
            Act::CallFinally => {
                let value = Value::new(Is::Place, self.mark_next());
                self.go(target, |state| state.slots.push(value))?;
                return Ok(Flow::Stop);
            }
            Act::Reraise => {
                self.take(rule)?;
                self.raise()?;
                return Ok(Flow::Stop);
            }
            Act::EndAsyncFor => {
                // It jumps as far as the byte says that belongs to no argument.
                let at = self.steps.get(self.now).map_or(0, |step| step.offset as usize);
                if self.is_prefixed() || self.frame.code.get(at + 1).is_none_or(|byte| *byte != 0) {
                    return Err(self.unclear(Kind::Operand, Detail::Number(1)));
                }
                self.take(rule)?;
                self.end_handler()?;
                self.pop(b'o')?;
            }
            Act::PopFinally => self.pop_finally(argument)?,
            Act::EndFinally => return self.end_finally(),
            Act::WithCleanup => self.with_cleanup()?,
            Act::WithCleanupStart => self.with_cleanup_start()?,
            Act::WithCleanupFinish => self.with_cleanup_finish()?,
            _ => {}
        }
        Ok(Flow::Next)
    }

    fn pop_finally(&mut self, argument: u32) -> Checked<()> {
        let result = if argument == 0 { None } else { Some(self.pop(b'n')?) };
        self.has(1)?;
        match self.peek(1).is() {
            Is::Null | Is::Place => {
                self.state.slots.pop();
                self.touch(self.depth());
            }
            _ => {
                for letter in *b"evy" {
                    self.pop(letter)?;
                }
                if self.pop_handler()?.is_none() {
                    return Ok(());
                }
                self.pop_saved()?;
            }
        }
        result.map_or(Ok(()), |value| self.push(value))
    }

    fn end_finally(&mut self) -> Checked<Flow> {
        self.has(1)?;
        let top = self.peek(1);
        let by_reasons = self.frame.profile.unwinds_by_reasons();
        match top.is() {
            Is::Type => {
                for letter in *b"evy" {
                    self.pop(letter)?;
                }
                self.raise()?;
                return Ok(Flow::Stop);
            }
            Is::None if by_reasons => {}
            Is::Null if !by_reasons => {}
            Is::Place if !by_reasons => {
                self.go(top.data(), |state| {
                    state.slots.pop();
                })?;
                return Ok(Flow::Stop);
            }
            Is::Why => {
                self.state.slots.pop();
                self.touch(self.depth());
                let reason = match top.data() {
                    why::SILENCED => {
                        self.end_handler()?;
                        return Ok(Flow::Next);
                    }
                    why::BREAK => Reason::Break,
                    why::RETURN => {
                        self.pop(b'o')?;
                        Reason::Return
                    }
                    place => {
                        self.has(1)?;
                        if self.peek(1) != top {
                            return Err(
                                self.wrong(Kind::ValueKind, Detail::Words("a place to go on", self.peek(1).name()))
                            );
                        }
                        self.state.slots.pop();
                        Reason::Continue(place - why::CONTINUE)
                    }
                };
                self.unwind(reason)?;
                return Ok(Flow::Stop);
            }
            is => {
                let words = Detail::Words("what a finally ends with", top.name());
                return Err(match is {
                    Is::Object => self.unclear(Kind::ValueKind, words),
                    _ => self.wrong(Kind::ValueKind, words),
                });
            }
        }
        self.state.slots.pop();
        self.touch(self.depth());
        Ok(Flow::Next)
    }

    /// How many values are above `__exit__`, by the top one.
    fn above_exit(&self) -> Checked<usize> {
        self.has(2)?;
        let top = self.peek(1);
        let by_reasons = self.frame.profile.unwinds_by_reasons();
        Ok(match top.is() {
            Is::None if by_reasons => 1,
            Is::Null if !by_reasons => 1,
            Is::Why if top.data() == why::BREAK => 1,
            Is::Why if top.data() != why::SILENCED => 2,
            Is::Type if self.frame.profile.saves_handled() => 6,
            Is::Type => 3,
            Is::Null => return Err(self.wrong(Kind::NullValue, Detail::None)),
            _ => return Err(self.unclear(Kind::ValueKind, Detail::Words("why a with ends", top.name()))),
        })
    }

    /// Takes `__exit__` from below what is above it.
    fn take_exit(&mut self, above: usize) -> Checked<()> {
        self.has(above + 1)?;
        self.demand(self.peek(above + 1), self.need(b'o'))?;
        let place = self.state.slots.len() - above - 1;
        self.state.slots.remove(place);
        self.touch(place - self.base);
        Ok(())
    }

    fn with_cleanup(&mut self) -> Checked<()> {
        let above = self.above_exit()?;
        self.take_exit(above)?;
        if above == 3 {
            for (deep, letter) in (1..).zip(*b"evy") {
                self.demand(self.peek(deep), self.need(letter))?;
            }
        }
        self.raise()?;
        if above == 3 {
            let next = self.mark_next();
            let length = self.state.slots.len() - 3;
            self.go(next, |state| {
                state.slots.truncate(length);
                state.slots.push(Value::of(Is::None));
            })?;
        }
        Ok(())
    }

    fn with_cleanup_start(&mut self) -> Checked<()> {
        let above = self.above_exit()?;
        let mut exception = Value::of(Is::None);
        if above == 6 {
            for (deep, letter) in (1..).zip(*b"evyppp") {
                self.demand(self.peek(deep), self.need(letter))?;
            }
            exception = self.peek(1);
            let level = self.depth() - 6;
            let handler = self.state.blocks.last_mut().filter(|it| it.kind == BlockKind::Handler && it.level == level);
            let Some(handler) = handler.filter(|it| it.level > 0) else {
                return Err(self.wrong(Kind::BlockStack, Detail::Word("the innermost block is not this handler")));
            };
            handler.level -= 1;
            self.take_exit(6)?;
            // In its place, but above what was handled before, NULL makes the block as large as it was.
            let place = self.state.slots.len() - 3;
            self.state.slots.insert(place, Value::of(Is::Null));
        } else {
            self.take_exit(above)?;
        }
        self.soil();
        self.raise()?;
        self.push(exception)?;
        self.push(Value::of(Is::Object))
    }

    fn with_cleanup_finish(&mut self) -> Checked<()> {
        self.has(2)?;
        self.pop(b'o')?;
        let exception = self.peek(1);
        self.state.slots.pop();
        self.touch(self.depth());
        match exception.is() {
            Is::None => return Ok(()),
            Is::Type => {}
            _ => {
                return Err(
                    self.unclear(Kind::ValueKind, Detail::Words("an exception's type or None", exception.name()))
                );
            }
        }
        self.raise()?;
        let next = self.mark_next();
        if self.frame.profile.unwinds_by_reasons() {
            return self.go(next, |state| state.slots.push(Value::new(Is::Why, why::SILENCED)));
        }
        let kept = self.copy();
        self.end_handler()?;
        self.push(Value::of(Is::Null))?;
        self.go(next, |_| {})?;
        *self.state = kept;
        self.soil();
        Ok(())
    }
}
