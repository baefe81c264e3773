//! What speaks for a version and what against it: the code objects of a stream, looked at as that version's.

use super::idioms::{Written, unshared_names};
use crate::bytecode::stack::{self, Covering, Flow};
use crate::bytecode::{Argument, Body, Flaw, Instruction};
use crate::code::{Code, Field, flag};
use crate::graph::{Graph, Value};
use crate::prelude::*;
use crate::profile::{Profile, TableFormat};

/// What can speak against a version, heaviest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // each has a sentence in `said`
pub enum Doubt {
    Opcode,
    Argument,
    Caches,
    Start,
    Lines,
    Handlers,
    Variables,
    Idiom,
    Unused,
    Hint,
    Stack,
}

/// All of them, with what one weighs, and what it says.
pub(super) static DOUBTS: [(Doubt, u64, &str); 11] = [
    (Doubt::Opcode, 1000, "instructions do not exist or are cut short"),
    (Doubt::Argument, 500, "arguments are out of range"),
    (Doubt::Caches, 500, "inline caches are not empty"),
    (Doubt::Start, 500, "code objects do not begin with RESUME"),
    (Doubt::Lines, 500, "line tables do not cover their code"),
    (Doubt::Handlers, 500, "exception tables name places that are none"),
    (Doubt::Variables, 500, "code objects contradict themselves about their variables"),
    (Doubt::Idiom, 100, "instructions are in an order that its compiler does not write"),
    (Doubt::Unused, 10, "instructions without an argument have one"),
    (Doubt::Hint, 3, "parts are more likely another compiler's"),
    (Doubt::Stack, 1, "stack sizes are not what the instructions need"),
];

/// So many of each kind of doubt there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Weighed {
    pub(super) codes: usize,
    pub(super) instructions: usize,
    /// Instructions that PyPy has and no CPython of that version.
    pub(super) pypy: usize,
    doubts: [usize; DOUBTS.len()],
}

impl Weighed {
    pub(super) fn count(&self, doubt: Doubt) -> usize {
        self.doubts[doubt as usize]
    }

    /// How much there is against the version.
    pub(super) fn weight(&self) -> u64 {
        self.doubts.iter().zip(&DOUBTS).map(|(count, (_, weight, _))| *count as u64 * weight).sum()
    }

    fn doubt(&mut self, doubt: Doubt) {
        self.doubts[doubt as usize] += 1;
    }
}

/// Whether PyPy of this version has an opcode that CPython has not: 201 to 205, as BUILD_LIST_FROM_ARG, in all up to 3.10, and
/// in 3.9 SETUP_EXCEPT, DICT_MERGE and DICT_UPDATE behind CPython's numbers (PyPy's lib-python/3/opcode.py).
fn is_pypys(opcode: u8, profile: &Profile) -> bool {
    let version = (profile.version.major, profile.version.minor);
    !profile.has_positions() && (matches!(opcode, 201..=205) || version == (3, 9) && matches!(opcode, 120 | 166 | 167))
}

/// Looks at every code object once.
pub(super) fn weigh(graph: &Graph, profile: &Profile) -> Weighed {
    let mut weighed = Weighed::default();
    for id in graph.ids() {
        if let Value::Code(code) = graph.value(id) {
            weigh_code(graph, &code, profile, &mut weighed);
        }
    }
    weighed.doubts[Doubt::Idiom as usize] += unshared_names(graph, profile);
    weighed
}

fn weigh_code<'g>(graph: &'g Graph<'g>, code: &Code<'g>, profile: &'g Profile, weighed: &mut Weighed) {
    let body = Body::new(graph, code, profile);
    let instructions: Vec<Instruction> = body.instructions().collect();
    weighed.codes += 1;
    weighed.instructions += instructions.len();
    // Which instruction begins where, plus one; 0 where none does.
    let mut places = vec![0_u32; body.code.len() + 1];
    for (place, it) in instructions.iter().enumerate() {
        places[it.offset] = crate::graph::small(place + 1);
    }
    places[body.code.len()] = crate::graph::small(instructions.len() + 1);
    let place_at = |offset: u64| {
        let place = usize::try_from(offset).ok().and_then(|offset| places.get(offset).copied()).unwrap_or(0);
        (place as usize).checked_sub(1)
    };
    for it in &instructions {
        let out_of_code = |target: i64| u64::try_from(target).ok().and_then(place_at).is_none();
        match body.argument(it) {
            _ if matches!(it.flaw, Some(Flaw::Truncated | Flaw::Unassigned | Flaw::CachesPastEnd)) => {
                weighed.doubt(Doubt::Opcode);
                let is_pypy = it.flaw == Some(Flaw::Unassigned) && is_pypys(it.code, profile);
                weighed.pypy += usize::from(is_pypy);
            }
            Argument::OutOfRange(_) => weighed.doubt(Doubt::Argument),
            Argument::Target(target) if out_of_code(target) => weighed.doubt(Doubt::Argument),
            Argument::None if profile.has_wordcode() && it.bytes.get(1).is_some_and(|unused| *unused != 0) => {
                weighed.doubt(Doubt::Unused);
            }
            _ => {}
        }
        if it.caches().iter().any(|byte| *byte != 0) {
            weighed.doubt(Doubt::Caches);
        }
    }
    let written = Written { graph, code, body: &body, instructions: &instructions, profile };
    written.doubts(&mut |doubt| weighed.doubt(doubt));
    if profile.has_positions()
        && !instructions.iter().take(PROLOGUE + body.variables.len()).any(|it| it.name() == "RESUME")
    {
        weighed.doubt(Doubt::Start);
    }
    if !lines_cover(&body, profile) {
        weighed.doubt(Doubt::Lines);
    }
    let mut handlers = body.handlers();
    let is_whole = handlers
        .by_ref()
        .all(|it| it.start < it.end && [it.start, it.end, it.target].iter().all(|at| place_at(*at).is_some()));
    if !is_whole || !handlers.rest().is_empty() {
        weighed.doubt(Doubt::Handlers);
    }
    if !variables_agree(graph, code, &body) {
        weighed.doubt(Doubt::Variables);
    }
    if !stack_suffices(code, &body, &instructions, &place_at, profile) {
        weighed.doubt(Doubt::Stack);
    }
}

/// So many instructions, and one for each variable, may come before RESUME.
const PROLOGUE: usize = 4;

/// Whether the line table is one for code of this length.
fn lines_cover(body: &Body<'_>, profile: &Profile) -> bool {
    let length = body.code.len();
    let table = body.line_table;
    match profile.line_table() {
        TableFormat::UnsignedLnotab | TableFormat::Lnotab => {
            // Each pair says where another line begins.
            let sum: usize = table.iter().step_by(2).map(|ahead| usize::from(*ahead)).sum();
            table.len().is_multiple_of(2) && (sum < length || table.is_empty())
        }
        TableFormat::LineTable => {
            let sum: usize = table.iter().step_by(2).map(|ahead| usize::from(*ahead)).sum();
            table.len().is_multiple_of(2) && sum == length
        }
        TableFormat::LocationTable => {
            let mut positions = body.positions();
            let end = positions.by_ref().last().map_or(0, |place| place.end);
            end == length && !positions.is_cut() && table.first().is_none_or(|first| *first >= 0x80)
        }
    }
}

/// What a code object says twice about its variables.
fn variables_agree(graph: &Graph, code: &Code<'_>, body: &Body<'_>) -> bool {
    let ints = code.ints();
    let length = |field| match code.object(field).map(|id| graph.value(graph.resolve(id))) {
        Some(Value::Tuple(items)) => Some(items.len()),
        _ => None,
    };
    let Some(locals) = length(Field::Varnames) else { return true };
    let counts = usize::try_from(ints.nlocals) == Ok(locals);
    let no_free = body.free.is_empty() == (ints.flags & flag::NOFREE != 0);
    counts && no_free
}

/// Whether `co_stacksize` is what the instructions need.
fn stack_suffices(
    code: &Code<'_>,
    body: &Body<'_>,
    instructions: &[Instruction<'_>],
    place_at: &dyn Fn(u64) -> Option<usize>,
    profile: &Profile,
) -> bool {
    let flow = |it: &Instruction<'_>| {
        let target = it.target().and_then(|target| place_at(u64::try_from(target).ok()?));
        Flow { opcode: it.code, argument: it.operand.unwrap_or(0), is_jump: it.target().is_some(), target }
    };
    let flows: Vec<Flow> = instructions.iter().map(flow).collect();
    let mut covering = Covering::new();
    for handler in body.handlers() {
        if let Some(start) = place_at(handler.start) {
            let depth = stack::handler_depth(handler.depth, handler.lasti);
            covering.entry(start).or_default().push((place_at(handler.target), depth));
        }
    }
    let deepest = stack::depths(&flows, &covering, body.flags, profile);
    deepest.is_ok_and(|(deepest, _)| i64::from(deepest) == i64::from(code.ints().stacksize))
}
