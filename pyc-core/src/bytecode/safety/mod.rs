//! The verifier: can running this code object corrupt or end the interpreter?
//!
//! CPython trusts bytecode. What its compiler never writes it does not check: an operand beyond a table, a stack that runs empty,
//! a NULL where an object is needed. [`verify`] follows every way through the instructions with the kinds of values that are on the
//! stack (an abstract interpretation), and refuses what breaks a rule that the interpreter's memory depends on. It says nothing of
//! what the code does.
//!
//! ```
//! use pyc_core::{Profile, Version, bytecode::safety, bytecode::text};
//! let profile = Profile::of(Version::new(3, 12)).unwrap();
//! let check = |code: &str| {
//!     let stream = text::assemble(&format!(".python 3.12\n.bare\n.code f\n{code}")).unwrap();
//!     let graph = pyc_core::read(&stream, profile).unwrap();
//!     safety::verify(&graph, graph.root(), profile).map_err(|violations| violations.iter().next().unwrap().to_string())
//! };
//! assert!(check("RESUME 0\n RETURN_CONST None").is_ok());
//! assert_eq!(check("RESUME 0\n LOAD_CONST #7\n RETURN_VALUE").unwrap_err(), "LOAD_CONST takes constant 7 of 1");
//! ```

mod acts;
mod blocks;
mod calls;
mod frame;
mod machine;
mod operands;
mod rules;
mod value;
mod variables;
mod violation;

use crate::code::Field;
use crate::graph::{Graph, NodeId, Value};
use crate::prelude::*;
use crate::profile::Profile;
use core::mem;
use frame::Frame;
use machine::{Machine, Memory};
use violation::{Detail, Sink};

#[cfg(test)]
mod tests;

pub use frame::LARGEST_FRAME;
pub use machine::STEPS_PER_INSTRUCTION;
pub(in crate::bytecode) use rules::Rule;
pub use violation::{About, Certainty, KINDS, Kind, Violation, Violations};

/// What is known of a code object that is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts {
    /// How many instructions it has, prefixes included.
    pub instructions: usize,
    /// How deep the stack gets.
    pub depth: usize,
    /// How many steps the verifier took: instructions that it followed, and values that it compared where ways meet.
    pub steps: usize,
    /// How many cells it takes from its closure. It is safe only as the code of a function that has them.
    pub free_variables: usize,
}

/// The answer about one code object of a graph.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The code object.
    pub code: NodeId,
    /// What was found.
    pub result: Result<Facts, Violations>,
}

/// Whether a code object is safe, whatever becomes of the code objects among its constants.
///
/// # Errors
/// When it is not, or the verifier cannot tell. What is no code object is safe.
pub fn verify(graph: &Graph<'_>, code: NodeId, profile: &Profile) -> Result<Facts, Violations> {
    verify_in(graph, code, profile, &mut Memory::new(profile))
}

fn verify_in(graph: &Graph<'_>, code: NodeId, profile: &Profile, memory: &mut Memory) -> Result<Facts, Violations> {
    let Value::Code(code) = graph.value(graph.resolve(code)) else { return Ok(Facts::default()) };
    let frame = Frame::new(graph, &code, profile);
    let mut sink = Sink::default();
    let mut facts = Facts { free_variables: frame.frees, ..Facts::default() };
    // Where fields contradict each other, nothing can be said of instructions.
    if frame.check_fields(&code, &mut sink) {
        let machine = Machine::new(&frame, memory);
        facts.instructions = machine.instructions();
        (facts.depth, facts.steps) = machine.run(&mut sink);
    }
    sink.finish().map_or(Ok(facts), Err)
}

/// Whether all code objects of a graph are safe, each before those among its constants. One that is not among the constants of
/// another is run without a closure, so it may have no free variables.
#[must_use]
pub fn verify_all(graph: &Graph<'_>, profile: &Profile) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    let mut memory = Memory::new(profile);
    let mut seen = vec![false; graph.len()];
    let mut work = vec![(graph.root(), false)];
    while let Some((id, is_constant)) = work.pop() {
        let id = graph.resolve(id);
        if seen.get_mut(id.index()).is_none_or(|seen| mem::replace(seen, true)) {
            continue;
        }
        match graph.value(id) {
            Value::Code(code) => {
                let mut result = verify_in(graph, id, profile, &mut memory);
                if let (false, Ok(facts)) = (is_constant, &result)
                    && facts.free_variables > 0
                {
                    result = Err(closure_missing(facts.free_variables));
                }
                verdicts.push(Verdict { code: id, result });
                let constants = frame::tuple(graph, &code, Field::Consts);
                work.extend(containers(graph, constants).map(|id| (id, true)));
            }
            Value::Tuple(items) | Value::List(items) | Value::Set(items) | Value::FrozenSet(items) => {
                work.extend(containers(graph, items).map(|id| (id, is_constant)));
            }
            Value::Dict(items) | Value::FrozenDict(items) | Value::Slice(items) => {
                work.extend(containers(graph, items).map(|id| (id, is_constant)));
            }
            _ => {}
        }
    }
    verdicts
}

/// Those that hold other values, which most do not; the last comes first, so that the first is taken first.
fn containers<'g>(graph: &'g Graph<'_>, items: &'g [NodeId]) -> impl Iterator<Item = NodeId> + 'g {
    let holds =
        |id: &NodeId| matches!(graph.type_byte(*id), b'c' | b'(' | b')' | b'[' | b'<' | b'>' | b'{' | b'}' | b':');
    items.iter().rev().map(|id| graph.resolve(*id)).filter(holds)
}

fn closure_missing(frees: usize) -> Violations {
    let detail = Detail::Numbers(i64::try_from(frees).unwrap_or(i64::MAX), 0);
    Violations::one(Violation { kind: Kind::Closure, offset: None, certainty: Certainty::Crash, opcode: "", detail })
}
