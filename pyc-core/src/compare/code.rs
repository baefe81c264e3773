//! Two code objects: what their instructions mean, not by which index they say it.

use super::{Kind, Walk};
use crate::bytecode::{Argument, Body, Handler, Instruction};
use crate::code::{Code, CodeInts, Field, flag};
use crate::graph::{Graph, NodeId, Value};
use crate::prelude::*;
use crate::profile::Profile;
use alloc::collections::{BTreeMap, BTreeSet};

/// What an instruction means; objects by what they are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Nothing,
    Number(u32),
    /// Any constant: these are met with each other.
    Constant,
    Object(u32, &'static str),
    Objects(u32, u32),
    /// The place of an instruction among the others.
    Place(usize),
    /// The first line of a class, which 3.13 and later store.
    FirstLine,
}

/// An instruction without its prefixes.
#[derive(Debug, Clone, Copy)]
struct Step {
    opcode: u8,
    meaning: Meaning,
    constant: Option<NodeId>,
}

/// A code object of one side.
struct Side<'g> {
    body: Body<'g>,
    steps: Vec<Step>,
    /// The node of its docstring.
    docstring: Option<NodeId>,
    /// What a class stores as `__firstlineno__`.
    line: Option<NodeId>,
    /// How many instructions do nothing.
    nops: usize,
    /// The exception table: places of steps in the place of offsets.
    handlers: Vec<Handler>,
    ints: CodeInts,
}

/// Instructions that mean something to the compiler.
struct Special {
    docstring: Option<NodeId>,
    line: Option<NodeId>,
    /// Those that are not compared: which store a docstring, or do nothing.
    dropped: BTreeSet<usize>,
    nops: usize,
}

impl Special {
    fn of(graph: &Graph<'_>, code: &Code<'_>, body: &Body<'_>, profile: &Profile, all: &[Instruction<'_>]) -> Special {
        let docstring = function_docstring(graph, code, body, profile);
        let mut found = Special { docstring, line: None, dropped: BTreeSet::new(), nops: 0 };
        for (at, it) in all.iter().enumerate() {
            // It is there for its line, or for the docstring that was.
            if it.name() == "NOP" {
                found.dropped.insert(at);
                found.nops += 1;
            }
            let Argument::Const(id) = body.argument(it) else { continue };
            let next = all.get(at + 1);
            if stores(graph, body, next, "__firstlineno__") {
                found.line = Some(id);
            }
            let is_text = is_text(graph, id);
            let is_none = graph.value(graph.resolve(id)) == Value::None;
            if (is_text || is_none) && stores(graph, body, next, "__doc__") {
                if is_text {
                    found.docstring.get_or_insert(id);
                }
                found.dropped.extend([at, at + 1]);
            }
        }
        found
    }
}

/// Whether an instruction stores into this name.
fn stores(graph: &Graph<'_>, body: &Body<'_>, it: Option<&Instruction<'_>>, name: &str) -> bool {
    let it = it.filter(|it| it.name() == "STORE_NAME");
    it.is_some_and(|it| matches!(body.argument(it), Argument::Name(id) if graph.text(id) == name))
}

impl<'g> Side<'g> {
    fn new(graph: &'g Graph<'_>, code: &Code<'g>, profile: &'g Profile, worth: &[u32]) -> Side<'g> {
        let body = Body::new(graph, code, profile);
        let ints = code.ints();
        let mut starts = BTreeMap::new();
        let mut all: Vec<Instruction<'_>> = Vec::new();
        for it in body.instructions() {
            // What jumps to a prefix jumps to what follows it.
            starts.entry(it.offset).or_insert(all.len());
            if !it.is_prefix() {
                all.push(it);
            }
        }
        starts.insert(body.code.len(), all.len());
        let Special { docstring, line, dropped, nops } = Special::of(graph, code, &body, profile, &all);
        let stores = |at: usize, name: &str| stores(graph, &body, all.get(at + 1), name);
        let loads = |at: usize| matches!(all[at].name(), "LOAD_CONST" | "LOAD_SMALL_INT");
        let kept = |ordinal: usize| ordinal - dropped.range(..ordinal).count();
        let worth = |id: NodeId| worth.get(graph.resolve(id).at()).copied().unwrap_or(u32::MAX);
        let step = |(at, it): (usize, &Instruction<'_>)| {
            let argument = body.argument(it);
            let meaning = match argument {
                _ if loads(at) && stores(at, "__firstlineno__") => Meaning::FirstLine,
                Argument::None => Meaning::Nothing,
                Argument::Number(number) | Argument::OutOfRange(number) => Meaning::Number(number),
                Argument::Const(_) => Meaning::Constant,
                Argument::Name(id) | Argument::Variable(id) => Meaning::Object(worth(id), ""),
                Argument::NameAnd(id, what) => Meaning::Object(worth(id), what),
                Argument::Variables(first, second) => Meaning::Objects(worth(first), worth(second)),
                Argument::Target(target) => {
                    let place = usize::try_from(target).ok().and_then(|target| starts.get(&target));
                    place.map_or(Meaning::Number(u32::MAX), |place| Meaning::Place(kept(*place)))
                }
                Argument::Named(_) => Meaning::Number(it.operand.unwrap_or(0)),
            };
            let constant = match argument {
                Argument::Const(id) if meaning == Meaning::Constant => Some(id),
                _ => None,
            };
            // The two ways to load a line are one.
            Step { opcode: if meaning == Meaning::FirstLine { 0 } else { it.code }, meaning, constant }
        };
        let place = |offset: u64| {
            let next = starts.range(usize::try_from(offset).unwrap_or(usize::MAX)..).next();
            next.map_or(u64::MAX, |(_, at)| kept(*at) as u64)
        };
        let handlers = handlers(body.handlers().map(|it| Handler {
            start: place(it.start),
            end: place(it.end),
            target: place(it.target),
            ..it
        }));
        let steps = all.iter().enumerate().filter(|(at, _)| !dropped.contains(at)).map(step).collect();
        Side { steps, docstring, line, nops, handlers, ints, body }
    }
}

/// Without entries that cover nothing; two that an instruction has parted that is left out are one.
fn handlers(entries: impl Iterator<Item = Handler>) -> Vec<Handler> {
    let mut whole: Vec<Handler> = Vec::new();
    for it in entries.filter(|it| it.start < it.end) {
        match whole.last_mut() {
            Some(last) if *last == (Handler { start: last.start, end: it.start, ..it }) => last.end = it.end,
            _ => whole.push(it),
        }
    }
    whole
}

fn is_text(graph: &Graph<'_>, id: NodeId) -> bool {
    let value = graph.value(graph.resolve(id));
    matches!(value, Value::Str(_)) || graph.python2 && matches!(value, Value::Bytes(_) | Value::InternedBytes(_))
}

/// The first constant, where that is a docstring.
fn function_docstring(graph: &Graph<'_>, code: &Code<'_>, body: &Body<'_>, profile: &Profile) -> Option<NodeId> {
    let name = code.object(Field::Name).map(|name| graph.text(name)).unwrap_or_default();
    let is_function = code.ints().flags & flag::NEWLOCALS != 0 && code.ints().flags & flag::OPTIMIZED != 0;
    let says_so = !profile.flags_docstrings() || code.ints().flags & flag::HAS_DOCSTRING != 0;
    let first = body.consts.first().copied().filter(|id| is_text(graph, *id));
    first.filter(|_| is_function && says_so && !name.starts_with('<'))
}

impl Graph<'_> {
    /// The node of a code object's docstring: a function's first constant, or what a module or class stores as `__doc__`.
    #[must_use]
    pub fn docstring(&self, code: NodeId, profile: &Profile) -> Option<NodeId> {
        let code = self.code_of(code)?;
        Side::new(self, &code, profile, &[]).docstring
    }
}

impl Walk<'_, '_, '_> {
    pub(super) fn codes(&mut self, left: NodeId, right: NodeId) {
        let (of_left, of_right) = (self.left, self.right);
        let (Some(a), Some(b)) = (of_left.code_of(left), of_right.code_of(right)) else { return };
        let x = Side::new(of_left, &a, self.profile, &self.of_left);
        let y = Side::new(of_right, &b, self.profile, &self.of_right);
        let drops_docstring = x.docstring.is_some() != y.docstring.is_some();
        if x.ints.firstlineno != y.ints.firstlineno || !drops_docstring && x.nops != y.nops {
            self.tell(Kind::Lines, left, right);
        }
        let aligned = x.steps.len() == y.steps.len()
            && x.steps.iter().zip(&y.steps).all(|(a, b)| a.opcode == b.opcode && a.meaning == b.meaning);
        if !aligned || x.handlers != y.handlers || !have_same_ints(x.ints, y.ints, drops_docstring) {
            self.tell(Kind::Code, left, right);
        }
        if drops_docstring {
            self.tell(Kind::Docstring, left, right);
        }
        // Pairs are taken from the end.
        let mut pairs: Vec<(NodeId, NodeId, Kind)> = Vec::new();
        for ((field, l), (_, r)) in a.objects().zip(b.objects()) {
            let is_equal = self.are_equal(l, r);
            match field {
                Field::Consts if is_equal => pairs.push((l, r, Kind::Constant)),
                Field::Consts => self.constants(left, right, &x, &y, aligned, &mut pairs),
                Field::Filename => pairs.push((l, r, Kind::Filename)),
                Field::Lnotab | Field::Linetable if is_equal => pairs.push((l, r, Kind::Lines)),
                // Other instructions, or one less for a docstring, come with another table.
                Field::Lnotab | Field::Linetable if aligned && !drops_docstring => self.tell(Kind::Lines, l, r),
                _ if is_equal => pairs.push((l, r, Kind::Code)),
                Field::Names | Field::Varnames | Field::Freevars | Field::Cellvars => {
                    self.names(left, right, l, r, aligned);
                }
                Field::Lnotab | Field::Linetable | Field::Code | Field::Exceptiontable => {}
                _ if aligned => pairs.push((l, r, Kind::Code)),
                _ => {}
            }
        }
        self.open.extend(pairs.into_iter().rev());
    }

    /// Names that the instructions use by another index.
    fn names(&mut self, left: NodeId, right: NodeId, l: NodeId, r: NodeId, aligned: bool) {
        let names = |graph: &Graph<'_>, id: NodeId| {
            let mut names: Vec<String> = graph.children(graph.resolve(id)).iter().map(|id| graph.text(*id)).collect();
            // That of the docstring may be left out with it.
            names.retain(|name| name != "__doc__");
            names
        };
        let (mut x, mut y) = (names(self.left, l), names(self.right, r));
        if !aligned || x == y {
            return;
        }
        x.sort_unstable();
        y.sort_unstable();
        self.tell(if x == y { Kind::ConstantOrder } else { Kind::Code }, left, right);
    }

    /// Constants that instructions in the same places load are met with each other; then those in the same places; then code
    /// objects of the same name.
    fn constants(
        &mut self,
        left: NodeId,
        right: NodeId,
        x: &Side<'_>,
        y: &Side<'_>,
        aligned: bool,
        pairs: &mut Vec<(NodeId, NodeId, Kind)>,
    ) {
        let (of_left, of_right) = (self.left, self.right);
        if let (Some(a), Some(b)) = (x.docstring, y.docstring) {
            pairs.push((a, b, Kind::Docstring));
        }
        if let (Some(a), Some(b)) = (x.line, y.line) {
            pairs.push((a, b, Kind::Lines));
        }
        // Those are met above, if instructions do not load them for something else as well.
        let is_special = |id: &NodeId, side: &Side<'_>| side.docstring == Some(*id) || side.line == Some(*id);
        let mut met: BTreeSet<(NodeId, NodeId)> = BTreeSet::new();
        let mut moved = false;
        let place = |list: &[NodeId], id: NodeId| list.iter().position(|it| *it == id);
        if aligned {
            for (a, b) in x.steps.iter().zip(&y.steps) {
                let (Some(a), Some(b)) = (a.constant, b.constant) else { continue };
                if met.insert((a, b)) {
                    moved |= place(x.body.consts, a) != place(y.body.consts, b);
                    pairs.push((a, b, Kind::Constant));
                }
            }
            // Another docstring may be equal to a constant, or not any more.
            let same_docstring = match (x.docstring, y.docstring) {
                (Some(a), Some(b)) => self.are_equal(a, b),
                (a, b) => a.is_none() && b.is_none(),
            };
            if moved && same_docstring {
                let mut all = x.body.consts.iter().map(|id| self.worth(*id, right).0).collect::<Vec<u32>>();
                let mut others = y.body.consts.iter().map(|id| self.worth(left, *id).1).collect::<Vec<u32>>();
                all.sort_unstable();
                others.sort_unstable();
                let same = all == others;
                let has_codes = x.body.consts.iter().any(|id| of_left.code_of(*id).is_some());
                self.tell(if same || has_codes { Kind::ConstantOrder } else { Kind::Constant }, left, right);
            }
        }
        if x.body.consts.len() == y.body.consts.len() && aligned && !moved {
            for (a, b) in x.body.consts.iter().zip(y.body.consts) {
                if !is_special(a, x) && !is_special(b, y) && met.insert((*a, *b)) {
                    pairs.push((*a, *b, Kind::Constant));
                }
            }
        } else if !aligned {
            let codes = |graph: &Graph<'_>, ids: &[NodeId]| -> Vec<(String, NodeId)> {
                ids.iter().filter_map(|id| Some((code_name(graph, *id)?, *id))).collect()
            };
            let mut rest = codes(of_right, y.body.consts);
            for (name, a) in codes(of_left, x.body.consts) {
                if let Some(place) = rest.iter().position(|(other, _)| *other == name) {
                    pairs.push((a, rest.remove(place).1, Kind::Code));
                }
            }
        }
    }
}

fn code_name(graph: &Graph<'_>, id: NodeId) -> Option<String> {
    graph.code_of(id)?.object(Field::Name).map(|name| graph.text(name))
}

fn have_same_ints(a: CodeInts, b: CodeInts, drops_docstring: bool) -> bool {
    let rest = |ints: CodeInts| {
        let stacksize = if drops_docstring { 0 } else { ints.stacksize };
        CodeInts { firstlineno: 0, stacksize, flags: ints.flags & !flag::HAS_DOCSTRING, ..ints }
    };
    rest(a) == rest(b)
}
