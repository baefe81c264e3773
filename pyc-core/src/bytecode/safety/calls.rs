//! Calls, and the functions that are called.

use super::frame::{begins_generator, free_variables, trusts};
use super::machine::{Checked, Machine, small};
use super::rules::{Act, Count, Rule};
use super::value::{BUILT, Is, Value};
use super::violation::{Detail, Kind};
use crate::graph::{self, NodeId};

/// What the names of a call have to be.
const NAMES: &str = "a tuple of the names of its arguments";

impl Machine<'_, '_> {
    /// The names of arguments: a tuple of the constants, no longer than there are arguments.
    pub(super) fn check_names(&self, names: Value, arguments: usize) -> Checked<()> {
        let index = if names.is() == Is::Tuple { names.data().checked_sub(1) } else { None };
        let Some(graph::Value::Tuple(items)) = index.and_then(|index| self.frame.constant(index)) else {
            return Err(self.unclear(Kind::ValueKind, Detail::Words(NAMES, names.name())));
        };
        let found = match () {
            () if items.len() > arguments => "a longer tuple",
            () if !items.iter().all(|id| self.is_string(*id)) => "a tuple of something else",
            () => return Ok(()),
        };
        Err(self.wrong(Kind::ValueKind, Detail::Words(NAMES, found)))
    }

    /// The keys of a dict: a tuple of the constants, as long as there are values.
    pub(super) fn check_keys(&self, keys: Value, values: usize) -> Checked<()> {
        let index = if keys.is() == Is::Tuple { keys.data().checked_sub(1) } else { None };
        match index.and_then(|index| self.frame.constant(index)) {
            Some(graph::Value::Tuple(items)) if items.len() == values => Ok(()),
            _ => Err(self.wrong(Kind::ValueKind, Detail::Words("a tuple of as many keys", keys.name()))),
        }
    }

    /// How long a tuple is, if that is known.
    pub(super) fn tuple_length(&self, tuple: Value) -> Option<usize> {
        match (tuple.is(), tuple.data()) {
            (Is::Cells | Is::Interpolations, length) => Some(length as usize),
            (Is::Alias, _) => Some(3),
            (Is::Tuple, data) if data & BUILT != 0 => Some((data & !BUILT) as usize),
            (Is::Tuple, data) => match data.checked_sub(1).and_then(|index| self.frame.constant(index)) {
                Some(graph::Value::Tuple(items)) => Some(items.len()),
                _ => None,
            },
            _ => None,
        }
    }

    /// Annotations: names and what they stand for, by turns.
    fn check_pairs(&self, tuple: Value) -> Checked<()> {
        const PAIRS: &str = "a tuple of pairs";
        match self.tuple_length(tuple) {
            Some(length) if length.is_multiple_of(2) => Ok(()),
            Some(_) => Err(self.wrong(Kind::ValueKind, Detail::Words(PAIRS, "a tuple of odd length"))),
            None => Err(self.unclear(Kind::ValueKind, Detail::Words(PAIRS, tuple.name()))),
        }
    }

    /// A tuple of the constants: so many strings.
    pub(super) fn check_strings(&self, strings: Value, count: usize) -> Checked<()> {
        let index = if strings.is() == Is::Tuple { strings.data().checked_sub(1) } else { None };
        match index.and_then(|index| self.frame.constant(index)) {
            Some(graph::Value::Tuple(items)) if items.len() == count && items.iter().all(|id| self.is_string(*id)) => {
                Ok(())
            }
            _ => Err(self.unclear(Kind::ValueKind, Detail::Words("a tuple of one more strings", strings.name()))),
        }
    }

    fn is_string(&self, id: NodeId) -> bool {
        let graph = self.frame.graph;
        matches!(graph.value(graph.resolve(id)), graph::Value::Str(_))
    }

    /// 2.7 tells of a keyword that comes twice by its name, and does not look whether that is a string (`update_keyword_args` of
    /// Python/ceval.c). `above` values are above the keywords; a dict among them may have the same ones.
    pub(super) fn check_keywords(&self, argument: u32, above: usize, has_dict: bool) -> Checked<()> {
        let pairs = (argument >> 8 & 255) as usize;
        if pairs + usize::from(has_dict) < 2 {
            return Ok(());
        }
        self.has(above + 2 * pairs)?;
        match (1..=pairs).map(|pair| self.peek(above + 2 * pair)).find(|name| name.is() != Is::Str) {
            Some(name) => Err(self.unclear(Kind::ValueKind, Detail::Words("a string", name.name()))),
            None => Ok(()),
        }
    }

    pub(super) fn call(&mut self, act: Act, count: usize) -> Checked<()> {
        let is_old = self.frame.profile.is_python2();
        if is_old {
            self.check_keywords(small(count), 0, false)?;
        }
        let count = if is_old { Count::Old.of(small(count)) } else { count };
        let has_self = self.frame.profile.loads_methods()
            && act != Act::CallFunction
            && (act != Act::CallKw || self.frame.profile.calls_below_self());
        let below = self.frame.profile.calls_below_self();
        let names = usize::from(act == Act::CallKw);
        self.has(count.saturating_add(1 + usize::from(has_self) + names))?;
        if act == Act::CallNames {
            return self.prepare_call(count);
        }
        if act == Act::CallKw {
            let value = self.peek(1);
            self.demand(value, self.need(b't'))?;
            self.check_names(value, count)?;
            self.pop(b't')?;
        }
        let first = [0, 1].map(|place| if count > place { self.peek(count - place) } else { Value::of(Is::Null) });
        for _ in 0..count {
            self.pop(b'o')?;
        }
        let (callable, own) = if !has_self {
            (self.peek(1), None)
        } else if below {
            (self.peek(2), Some(self.peek(1)))
        } else if self.peek(2).is() == Is::Null {
            (self.peek(1), None)
        } else {
            (self.peek(2), Some(self.peek(1)))
        };
        if callable.is() == Is::Comprehension {
            let own = own.filter(|own| own.is() != Is::Null);
            let arguments = [own.unwrap_or(first[0]), if own.is_some() { first[0] } else { first[1] }];
            for (letter, argument) in self.trusted(callable).into_iter().zip(arguments) {
                if letter != 0 {
                    self.demand(argument, self.need(letter))?;
                }
            }
        } else {
            let mut letters = [b'o', b'n'];
            if !below {
                letters.reverse();
            }
            if has_self {
                self.demand(self.peek(2), self.need(letters[0]))?;
                self.demand(self.peek(1), self.need(letters[1]))?;
            } else {
                self.demand(self.peek(1), self.need(b'o'))?;
            }
        }
        for _ in 0..1 + usize::from(has_self) {
            self.state.slots.pop();
        }
        self.touch(self.depth());
        self.raise()?;
        self.push(Value::of(if self.gives_generator(callable) { Is::Iterator } else { Is::Object }))
    }

    /// Whether a call of this gives a generator, which a loop may go on with at once (3.14 and later).
    pub(super) fn gives_generator(&self, callable: Value) -> bool {
        if !matches!(callable.is(), Is::Function | Is::Comprehension) || !self.frame.profile.borrows_references() {
            return false;
        }
        match self.frame.constant(callable.data()) {
            Some(graph::Value::Code(code)) => begins_generator(self.frame.graph, &code, self.frame.profile),
            _ => false,
        }
    }

    /// PRECALL replaces a bound method by its function and its object.
    pub(super) fn prepare_call(&mut self, count: usize) -> Checked<()> {
        let is_next = |place: &usize| self.steps.get(*place).is_some_and(|step| !step.is_prefix);
        let next = (self.now + 1..self.steps.len()).find(is_next).unwrap_or(self.steps.len());
        let is_call = self.rule(next).act == Act::Call
            && self.steps.get(next).is_some_and(|step| step.argument as usize == count);
        // It may do the whole call, and go on behind that.
        if !is_call {
            return Err(self.wrong(Kind::Sequence, Detail::Word("before a CALL of as many arguments")));
        }
        let (method, callable) = (self.peek(count + 2), self.peek(count + 1));
        if method.is() == Is::Null && callable.is() == Is::Object {
            self.put(count + 2, Value::of(Is::Maybe));
        }
        Ok(())
    }

    pub(super) fn make_function(&mut self, rule: &Rule) -> Checked<()> {
        self.take(rule)?;
        let taken = self.taken;
        let letters = Rule::items(&rule.takes)
            .rev()
            .filter(|(_, count)| count.of(self.argument()) == 1)
            .map(|(letter, _)| letter);
        let (mut code, mut cells) = (taken[0], None);
        for (value, letter) in taken.into_iter().zip(letters) {
            match letter {
                b'c' => code = value,
                b'q' => cells = Some(value.data() as usize),
                b'A' => self.check_pairs(value)?,
                _ => {}
            }
        }
        let frees = self.frees(code);
        let function = match cells {
            None if frees > 0 && self.frame.profile.calls_below_self() => Value::new(Is::Open, code.data()),
            _ if cells.unwrap_or(0) < frees => {
                return Err(self.wrong(Kind::Closure, Detail::Numbers(frees as i64, cells.unwrap_or(0) as i64)));
            }
            _ => self.function(code),
        };
        self.push(function)
    }

    /// Each attribute is set once, behind the instruction that makes the function; only an assertion would know.
    fn check_attributes(&self, argument: u32) -> Checked<()> {
        let before = (0..self.now).rev().take_while(|place| self.rule(*place).act == Act::SetAttribute);
        let others = before.clone().filter_map(|place| self.steps.get(place)).any(|step| step.argument == argument);
        let first = self.now - before.count();
        if others || first == 0 || self.rule(first - 1).act != Act::MakeFunction {
            return Err(self.wrong(Kind::Sequence, Detail::Word("once, behind MAKE_FUNCTION")));
        }
        Ok(())
    }

    /// How many cells the code takes of this code object or function.
    pub(super) fn frees(&self, code: Value) -> usize {
        match self.frame.constant(code.data()) {
            Some(graph::Value::Code(code)) => free_variables(self.frame.graph, &code, self.frame.profile),
            _ => 0,
        }
    }

    pub(super) fn function(&self, code: Value) -> Value {
        let trusts = self.trusted(code) != [0; 2];
        Value::new(if trusts { Is::Comprehension } else { Is::Function }, code.data())
    }

    /// What the code of this code object or function trusts its arguments to be.
    pub(super) fn trusted(&self, code: Value) -> [u8; 2] {
        match self.frame.constant(code.data()) {
            Some(graph::Value::Code(code)) => trusts(self.frame.graph, &code, self.frame.profile),
            _ => [0; 2],
        }
    }

    pub(super) fn set_attribute(&mut self, argument: u32) -> Checked<()> {
        self.has(2)?;
        let function = self.peek(1);
        if !matches!(function.is(), Is::Function | Is::Open | Is::Comprehension) {
            self.demand(function, self.need(b'f'))?;
        }
        let letter = match argument {
            1 => b't',
            2 => b'K',
            4 => b'A',
            8 => b'q',
            16 if self.frame.profile.borrows_references() => b'o',
            _ => return Err(self.operand(argument)),
        };
        if self.frame.profile.debug {
            self.check_attributes(argument)?;
        }
        self.state.slots.pop();
        let attribute = self.pop(letter)?;
        if argument == 4 {
            self.check_pairs(attribute)?;
        }
        let mut result = function;
        if argument == 8 {
            let (frees, cells) = (self.frees(function), attribute.data() as usize);
            if cells < frees {
                return Err(self.wrong(Kind::Closure, Detail::Numbers(frees as i64, cells as i64)));
            }
            result = self.function(function);
        }
        self.push(result)
    }
}
