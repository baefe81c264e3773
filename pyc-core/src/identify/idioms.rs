//! What the compilers of neighbouring versions write differently although each could run what the other wrote.

use super::weigh::Doubt;
use crate::bytecode::{Argument, Body, Instruction, Operand};
use crate::code::{Code, Field};
use crate::graph::{Graph, NodeId, Value};
use crate::prelude::*;
use crate::profile::{Profile, TableFormat};

/// So many constants are compared with each other.
const MOST: usize = 100;

/// A code object, as its compiler would have written it or not.
pub(super) struct Written<'w, 'g> {
    pub(super) graph: &'g Graph<'g>,
    pub(super) code: &'w Code<'g>,
    pub(super) body: &'w Body<'g>,
    pub(super) instructions: &'w [Instruction<'g>],
    pub(super) profile: &'w Profile,
}

impl Written<'_, '_> {
    /// What this version's compiler would not have written so.
    pub(super) fn doubts(&self, doubt: &mut dyn FnMut(Doubt)) {
        self.order(doubt);
        if self.profile.raises_assertions() {
            self.assertions(doubt);
        }
        let line_table = self.code.object(if self.profile.has_positions() { Field::Linetable } else { Field::Lnotab });
        if let Some(id) = line_table
            && self.body.line_table.is_empty()
            && let Value::Bytes(_) = self.graph.value(id)
            && !self.profile.is_python2()
            && self.graph.is_flagged(id) != self.profile.caches_empty_tables()
        {
            doubt(Doubt::Idiom);
        }
        if self.profile.line_table() == TableFormat::Lnotab && self.profile.merges_lines() {
            let pairs = self.body.line_table.as_chunks::<2>().0;
            // Behind 255 bytes of code, or before 127 lines, a pair is for a part of the way.
            let goes_on = |place: usize| pairs.get(place + 1).is_some_and(|[ahead, _]| *ahead == 0);
            if pairs.iter().enumerate().any(|(place, pair)| matches!(pair, [1..=254, 0]) && !goes_on(place)) {
                doubt(Doubt::Idiom);
            }
        }
        if self.profile.repeats_lines() {
            let pairs = self.body.line_table.as_chunks::<2>().0;
            let begins = self.instructions.first().is_some_and(|it| it.name() == "SETUP_ANNOTATIONS");
            if pairs.iter().any(|[ahead, lines]| *ahead >= 8 && *lines >= 0x80)
                || begins && pairs.first() != Some(&[2, 0])
            {
                doubt(Doubt::Hint);
            }
        }
        if self.profile.repeats_lines() && self.body.line_table.is_empty() {
            // A comprehension comes back to its own line.
            let name = self.code.object(Field::Name).map(|id| self.graph.text(id)).unwrap_or_default();
            if name.ends_with("comp>") || name == "<genexpr>" {
                doubt(Doubt::Idiom);
            }
        }
        if self.profile.folds_early() {
            self.constants(doubt);
        } else if !self.profile.is_python2() {
            self.folded(doubt);
        }
    }

    /// Instructions in an order that the compiler does not write.
    fn order(&self, doubt: &mut dyn FnMut(Doubt)) {
        let mut targets = vec![false; self.body.code.len() + 1];
        for it in self.instructions {
            if let Some(place) = it.target().and_then(|target| targets.get_mut(usize::try_from(target).ok()?)) {
                *place = true;
            }
        }
        let mut stack: Vec<&str> = Vec::new();
        let mut before = "";
        for it in self.instructions {
            let name = it.name();
            if targets[it.offset] {
                stack.clear();
                before = "";
            }
            if self.profile.returns_constants() && before == "LOAD_CONST" && name == "RETURN_VALUE" {
                doubt(Doubt::Idiom);
            }
            let count = it.operand.unwrap_or(0) as usize;
            if self.profile.loads_methods() && name == "CALL_FUNCTION" {
                let callee = stack.len().checked_sub(count + 1).map(|place| stack[place]);
                // Decorators are called in this way.
                let decorates = count == 1 && stack.last() == Some(&"MAKE_FUNCTION");
                if callee == Some("LOAD_ATTR") && !decorates {
                    doubt(Doubt::Idiom);
                }
            }
            if self.profile.extends_lists() && name == "BUILD_LIST" && count >= 3 {
                let first = stack.len().checked_sub(count);
                if first.is_some_and(|first| stack[first..].iter().all(|name| *name == "LOAD_CONST")) {
                    doubt(Doubt::Idiom);
                }
            }
            advance(&mut stack, it);
            if !it.is_prefix() {
                before = name;
            }
        }
    }

    /// `if not x: raise AssertionError`, which is what others write for `assert x`.
    fn assertions(&self, doubt: &mut dyn FnMut(Doubt)) {
        let mut over = None;
        for (place, it) in self.instructions.iter().enumerate() {
            if it.name() == "POP_JUMP_IF_TRUE"
                && let Some(next) = self.instructions.get(place + 1)
                && next.name() == "LOAD_GLOBAL"
                && let Argument::Name(id) = self.body.argument(next)
                && self.graph.text(id) == "AssertionError"
            {
                over = it.target();
            }
            if it.name() == "RAISE_VARARGS" && over == i64::try_from(it.end()).ok() {
                doubt(Doubt::Hint);
            }
        }
    }

    /// Constants that are left over from expressions that were computed late, and functions of nothing but a docstring.
    fn constants(&self, doubt: &mut dyn FnMut(Doubt)) {
        let mut used = vec![false; self.body.consts.len()];
        let numbers = self.instructions.iter().filter(|it| it.opcode().operand == Operand::Const);
        for place in numbers.filter_map(|it| it.operand) {
            if let Some(used) = used.get_mut(place as usize) {
                *used = true;
            }
        }
        // The first one may be the docstring, or None in its place; and None stays from an end that nothing reaches.
        let value = |id: &NodeId| self.graph.value(self.graph.resolve(*id));
        let has_defaults = self
            .instructions
            .iter()
            .any(|it| it.name() == "MAKE_FUNCTION" && it.operand.is_some_and(|flags| flags & 3 != 0));
        let left_over = used.iter().zip(self.body.consts).skip(1).filter(|(used, _)| !**used);
        for (_, id) in left_over.filter(|(_, id)| value(id) != Value::None).take(MOST) {
            // Defaults become a tuple late.
            let is_in = |tuple: &NodeId| matches!(value(tuple), Value::Tuple(items) if items.iter().any(|it| value(it) == value(id)));
            if !has_defaults || !self.body.consts.iter().take(MOST).any(is_in) {
                doubt(Doubt::Hint);
            }
        }
        let is_docstring = self.body.consts.len() == 2 && !used.first().is_none_or(|used| *used);
        if is_docstring && self.instructions.len() == 2 && self.body.line_table.is_empty() {
            doubt(Doubt::Hint);
        }
    }

    /// Whether a tuple is loaded whose members are no constants. The names of imports and keywords never were.
    fn is_folded_tuple(&self, load: &Instruction<'_>, next: &Instruction<'_>) -> bool {
        if load.name() != "LOAD_CONST"
            || ["IMPORT_NAME", "CALL_FUNCTION_KW", "BUILD_CONST_KEY_MAP"].contains(&next.name())
        {
            return false;
        }
        let value = |id: &NodeId| self.graph.value(self.graph.resolve(*id));
        let Argument::Const(id) = self.body.argument(load) else { return false };
        let Value::Tuple(items) = value(&id) else { return false };
        let is_plain = |it: &Value<'_>| matches!(it, Value::Int(_) | Value::Str(_));
        let is_missing = |item: &Value<'_>| !self.body.consts.iter().take(MOST).any(|id| value(id) == *item);
        self.body.consts.len() <= MOST
            && items.iter().take(MOST).map(value).filter(is_plain).any(|item| is_missing(&item))
    }

    /// Constants that come from computing with others, which would have been left over; and what was written otherwise.
    fn folded(&self, doubt: &mut dyn FnMut(Doubt)) {
        let consts = || self.body.consts.iter().map(|id| self.graph.value(self.graph.resolve(*id)));
        let ints: Vec<i32> =
            consts().filter_map(|it| if let Value::Int(int) = it { Some(int) } else { None }).collect();
        let has = |int: i32| ints.contains(&int);
        let is_folded = consts().any(|it| match it {
            Value::Int(int) => int < 0 && int.checked_neg().is_some_and(|positive| !has(positive)),
            Value::Tuple([]) => true,
            _ => false,
        });
        let is_folded = is_folded || self.instructions.windows(2).any(|two| self.is_folded_tuple(&two[0], &two[1]));
        let has = |name: &str| self.instructions.iter().any(|it| it.name() == name);
        if is_folded || has("SETUP_ANNOTATIONS") && !has("STORE_ANNOTATION") {
            doubt(Doubt::Idiom);
        }
    }
}

/// How many names are not shared that the compiler itself holds a reference to, so that it writes them with a flag. (That one
/// is shared says nothing: others may hold it.)
pub(super) fn unshared_names(graph: &Graph, profile: &Profile) -> usize {
    if !profile.holds_field_names() || profile.line_table() != TableFormat::Lnotab {
        return 0;
    }
    let is_odd = |id: &NodeId| match graph.value(*id) {
        Value::Str(text) if text.interned && !graph.is_flagged(*id) => {
            FIELD_NAMES.binary_search_by(|name| name.as_bytes().cmp(text.bytes)).is_ok()
        }
        _ => false,
    };
    graph.ids().filter(is_odd).count()
}

/// Fields of the nodes of syntax trees that nothing else of 3.8 or 3.9 has interned; the compiler of 3.9 has, when it starts.
/// Sorted.
static FIELD_NAMES: [&str; 30] = [
    "annotation",
    "argtypes",
    "attr",
    "body",
    "cause",
    "col_offset",
    "conversion",
    "ctx",
    "defaults",
    "elt",
    "elts",
    "format_spec",
    "generators",
    "handlers",
    "ifs",
    "keywords",
    "kind",
    "kw_defaults",
    "kwarg",
    "left",
    "op",
    "ops",
    "posonlyargs",
    "returns",
    "right",
    "simple",
    "targets",
    "test",
    "type_ignores",
    "vararg",
];

/// What an instruction does to the values on the stack that are known, each as the name of what pushed it.
fn advance<'n>(stack: &mut Vec<&'n str>, it: &Instruction<'n>) {
    if it.is_prefix() {
        return;
    }
    let pops = match (it.opcode().operand, it.name()) {
        (Operand::Const | Operand::Local | Operand::Free, name) if name.starts_with("LOAD_") => 0,
        (_, "LOAD_NAME" | "LOAD_GLOBAL" | "LOAD_BUILD_CLASS") => 0,
        (_, "LOAD_ATTR") => 1,
        (_, "CALL_FUNCTION") => it.operand.unwrap_or(0) as usize + 1,
        (_, "CALL_FUNCTION_KW") => it.operand.unwrap_or(0) as usize + 2,
        (_, "BUILD_CONST_KEY_MAP") => it.operand.unwrap_or(0) as usize + 1,
        (_, "BUILD_MAP") => 2 * it.operand.unwrap_or(0) as usize,
        (_, "FORMAT_VALUE") => 1 + usize::from(it.operand.unwrap_or(0) & 4 != 0),
        (_, "BUILD_TUPLE" | "BUILD_LIST" | "BUILD_SET" | "BUILD_STRING") => it.operand.unwrap_or(0) as usize,
        (_, name) if name.starts_with("BINARY_") => 2,
        (_, name) if name.starts_with("UNARY_") => 1,
        (_, "MAKE_FUNCTION") => 2 + it.operand.unwrap_or(0).count_ones() as usize,
        (Operand::Compare, "COMPARE_OP") => 2,
        _ => return stack.clear(),
    };
    if pops > stack.len() {
        stack.clear();
        return;
    }
    let taken = stack.split_off(stack.len() - pops);
    // What decorates a function or class is one for the next decorator.
    let is_made = it.name() == "CALL_FUNCTION" && matches!(taken[..], ["LOAD_BUILD_CLASS", ..] | [_, "MAKE_FUNCTION"]);
    stack.push(if is_made { "MAKE_FUNCTION" } else { it.name() });
}
