//! Variables, cells, and names whose values are trusted.

use super::frame::Frame;
use super::machine::{Checked, Flow, Machine, small};
use super::rules::{Act, Rule};
use super::value::{Is, Value, cell, given};
use super::violation::{Detail, Kind};
use crate::code::flag;

/// So many cells in each other can be freed.
const CELLS: usize = 1024;

impl Machine<'_, '_> {
    /// A variable: what is known of it, if anything is.
    pub(super) fn local(&self, index: usize) -> Option<Value> {
        if index < self.base { self.state.slots.get(index).copied() } else { None }
    }

    pub(super) fn set_local(&mut self, index: usize, value: Value) -> Checked<()> {
        if self.frame.profile.borrows_references() {
            let stack = self.state.slots.get(self.base..).unwrap_or_default();
            if stack.iter().any(|it| it.lender() == Some(small(index))) {
                return Err(self.wrong(Kind::BorrowedReference, Detail::Number(index as i64)));
            }
        }
        // `super` without arguments takes the first argument out of this cell. Only a comprehension has a variable of its own there
        // for a while: it takes the cell away before.
        let is_cell = |value: Value| value.is() == Is::Cell;
        if index == 0
            && self.frame.is_boxed
            && !matches!(value.is(), Is::Cell | Is::Null)
            && self.local(0).is_some_and(is_cell)
        {
            return Err(self.wrong(Kind::ValueKind, Detail::Words("a cell", value.name())));
        }
        if index < self.base
            && let Some(slot) = self.state.slots.get_mut(index)
            && *slot != value
        {
            *slot = value;
            self.soil();
        }
        Ok(())
    }

    pub(super) fn load(&mut self, index: usize, borrows: bool) -> Checked<()> {
        let Some(value) = self.local(index) else { return self.push(Value::of(Is::Object)) };
        if matches!(value.is(), Is::Null | Is::Maybe) {
            return Err(self.wrong(Kind::UnboundLocal, Detail::Number(index as i64)));
        }
        let value = self.hand_out(index, value)?;
        self.push(if borrows { value.borrowed(small(index)) } else { value })
    }

    pub(super) fn store(&mut self, index: usize, value: Value) -> Checked<()> {
        if value.lender().is_some() {
            return Err(self.unclear(Kind::BorrowedReference, Detail::None));
        }
        let kept = matches!(value.is(), Is::Null | Is::Maybe | Is::Cell);
        debug_assert!(
            value.is() != Is::Cell || value.data() == 0,
            "what is on the stack is not known to hold anything"
        );
        self.set_local(index, if kept { value } else { Value::of(Is::Object) })
    }

    pub(super) fn load_checked(&mut self, index: usize) -> Checked<Flow> {
        let value = self.local(index).unwrap_or(Value::of(Is::Maybe));
        if !matches!(value.is(), Is::Null | Is::Maybe) {
            let value = self.hand_out(index, value)?;
            self.push(value)?;
            return Ok(Flow::Next);
        }
        self.raise()?;
        if value.is() == Is::Null {
            return Ok(Flow::Stop);
        }
        // It has a value, else it would not go on.
        self.set_local(index, Value::of(Is::Object))?;
        self.push(Value::of(Is::Object))?;
        Ok(Flow::Next)
    }

    pub(super) fn variable(&mut self, rule: &Rule, argument: u32) -> Checked<Flow> {
        let index = argument as usize;
        let (first, second) = (index >> 4, index & 15);
        match rule.act {
            Act::LoadPair | Act::BorrowPair => {
                self.load(first, rule.act == Act::BorrowPair)?;
                self.load(second, rule.act == Act::BorrowPair)?;
            }
            Act::LoadFastAndClear => {
                let value = self.local(index).unwrap_or(Value::of(Is::Maybe));
                let value = self.hand_out(index, value)?;
                self.set_local(index, Value::of(Is::Null))?;
                self.push(value)?;
            }
            Act::DeleteFast => {
                let value = self.local(index).unwrap_or(Value::of(Is::Maybe));
                if matches!(value.is(), Is::Null | Is::Maybe) {
                    self.raise()?;
                }
                if value.is() == Is::Null {
                    return Ok(Flow::Stop);
                }
                self.set_local(index, Value::of(Is::Null))?;
            }
            Act::StoreLoad => {
                self.take(rule)?;
                self.store(first, self.taken[0])?;
                self.load(second, false)?;
            }
            Act::StorePair => {
                self.take(rule)?;
                let [top, below, ..] = self.taken;
                self.store(first, top)?;
                self.store(second, below)?;
            }
            _ => {}
        }
        Ok(Flow::Next)
    }

    pub(super) fn cell(&mut self, rule: &Rule, argument: u32) -> Checked<()> {
        let frame: &Frame<'_> = self.frame;
        let index = argument as usize;
        let value = self.local(index);
        let own = [(frame.type_params, b't'), (frame.reached[0], b's')];
        let letter = own.into_iter().find(|(variable, _)| *variable == Some(argument)).map(|(_, letter)| letter);
        match rule.act {
            Act::MakeCell => {
                // The value that was there is in the cell then.
                if letter.is_some() && value.is_some_and(|value| value.is() != Is::Null) {
                    return Err(self.wrong(Kind::ValueKind, Detail::Words("a tuple or a set", "a cell")));
                }
                // A loop would put the cell into another one, and so on: freeing such a chain takes more stack than there is.
                let is_fine = match value.map(Value::is) {
                    Some(Is::Null) => true,
                    // Compilers since 3.12 do so themselves, for comprehensions in bounds of type parameters.
                    _ => self.now < CELLS && self.comes_once(),
                };
                if !is_fine {
                    return Err(
                        self.unclear(Kind::Closure, Detail::Word("a cell may be put into another one, in a loop"))
                    );
                }
                self.raise()?;
                return self.set_local(index, Value::new(Is::Cell, if letter.is_some() { cell::MADE } else { 0 }));
            }
            Act::CopyFreeVars => {
                if index != frame.frees {
                    return Err(self.wrong(Kind::Closure, Detail::Numbers(index as i64, frame.frees as i64)));
                }
                for place in self.base.saturating_sub(index)..self.base {
                    self.set_local(place, Value::of(Is::Cell))?;
                }
                return Ok(());
            }
            Act::LoadClosure if !frame.profile.has_localsplus() => return self.push(Value::of(Is::Cell)),
            Act::LoadClosure => {
                self.raise()?;
                let value = value.unwrap_or(Value::of(Is::Maybe));
                let is_bound = !matches!(value.is(), Is::Null | Is::Maybe);
                let value = self.hand_out(index, value)?;
                return self.push(if is_bound { value } else { Value::of(Is::Object) });
            }
            Act::ClassDeref => {
                let function = flag::OPTIMIZED | if frame.profile.has_localsplus() { 0 } else { flag::NEWLOCALS };
                if frame.flags & function == function {
                    return Err(self.wrong(Kind::ValueKind, Detail::Words("a namespace", "NULL")));
                }
                if !frame.profile.has_localsplus() && index < frame.cells {
                    return Err(self.wrong(Kind::VariableIndex, Detail::Numbers(argument.into(), frame.frees as i64)));
                }
            }
            _ => {}
        }
        if let Some(value) = value.filter(|value| frame.profile.has_localsplus() && value.is() != Is::Cell) {
            return Err(self.wrong(Kind::ValueKind, Detail::Words("a cell", value.name())));
        }
        let Some((letter, value)) = letter.zip(value) else { return self.trusted_name(rule, None) };
        let is_load = Rule::items(&rule.gives).count() > 0;
        // A class asks its namespace before; that nobody has such a name there is believed.
        let is_known = value.data() & cell::HOLDS != 0;
        self.trusted_name(rule, (is_known || !is_load).then_some(letter))?;
        if !is_load && Rule::items(&rule.takes).count() == 1 && value.data() & cell::MADE != 0 {
            self.set_local(index, Value::new(Is::Cell, value.data() | cell::HOLDS))?;
        }
        Ok(())
    }

    /// What is on the stack when a variable was loaded, which has this value.
    fn hand_out(&mut self, index: usize, value: Value) -> Checked<Value> {
        if value.is() != Is::Cell {
            return Ok(value);
        }
        if value.data() & cell::MADE != 0 {
            self.set_local(index, Value::new(Is::Cell, value.data() | cell::OUT))?;
        }
        Ok(Value::of(Is::Cell))
    }

    /// Forgets what is in cells that are on the stack, if the instruction may give them to anybody: who has a cell can change it.
    pub(super) fn guard_cells(&mut self, rule: &Rule) -> Checked<()> {
        let count = |items| Rule::items(items).count();
        let keeps_them = match rule.act {
            Act::BuildTuple | Act::MakeFunction | Act::SetAttribute | Act::Copy | Act::Swap => true,
            // A namespace may be asked before, which cannot have them.
            Act::Deref => count(&rule.gives) > 0,
            Act::Plain
            | Act::LoadConst
            | Act::LoadCommon
            | Act::Named
            | Act::LoadFast
            | Act::LoadFastCheck
            | Act::LoadBorrow
            | Act::LoadPair
            | Act::BorrowPair
            | Act::LoadClosure => count(&rule.takes) + count(&rule.keeps) == 0,
            _ => false,
        };
        if keeps_them {
            return Ok(());
        }
        for variable in [self.frame.type_params, self.frame.reached[0]].into_iter().flatten() {
            let variable = variable as usize;
            if self.local(variable).is_some_and(|value| value.is() == Is::Cell && value.data() & cell::OUT != 0) {
                self.set_local(variable, Value::of(Is::Cell))?;
            }
        }
        Ok(())
    }

    /// Loads from or stores to a variable whose value is trusted to be so.
    pub(super) fn trusted_name(&mut self, rule: &Rule, letter: Option<u8>) -> Checked<()> {
        self.take(rule)?;
        let Some(letter) = letter else { return self.give(rule) };
        if Rule::items(&rule.takes).count() == 1 && Rule::items(&rule.gives).count() == 0 {
            return self.demand(self.taken[0], self.need(letter));
        }
        for _ in Rule::items(&rule.gives) {
            self.push(given(letter))?;
        }
        Ok(())
    }
}
