//! What the verifier says of code objects, beside what becomes of an interpreter that executes them.

pub mod fixtures;
mod forgotten;

pub use forgotten::{FORGOTTEN, Forgotten};

use crate::observation::{Accepted, Canon, Fault, Observation};
use crate::subjects::core::guard;
use protocol::{Ending, Exception};
use pyc_core::bytecode::safety::{Certainty, Verdict, Violation, verify_all};
use pyc_core::code::Field;
use pyc_core::model::Loaded;
use pyc_core::{Graph, Profile, Value, read};
use std::fmt;
use std::time::Duration;

/// What is known before a stream is executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verified {
    /// All code objects are safe.
    Safe,
    /// One is not.
    Refused(Refusal),
    /// The interpreter does not load it, or should not be asked to.
    Unloadable,
    /// pyc-core panicked.
    Panicked(String),
}

/// What a stream is refused for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// All violations that the verifier keeps, of all code objects. The first is what it is counted by: the first that does
    /// crash, or else the first of all.
    pub violations: Vec<Violation>,
    /// Whether there are more.
    pub has_more: bool,
    /// The code object of the first.
    pub function: String,
}

/// What the verifier says of all code objects of a stream under a profile.
#[must_use]
pub fn verify(stream: &[u8], profile: &Profile) -> Verified {
    guard(|| {
        let Ok(graph) = read(stream, profile) else { return Verified::Unloadable };
        if Loaded::new(&graph, profile).hazard().is_some() {
            return Verified::Unloadable;
        }
        match written(&graph, profile).refusals.into_iter().reduce(Refusal::and) {
            Some(refusal) => Verified::Refused(refusal),
            None => Verified::Safe,
        }
    })
    .unwrap_or_else(Verified::Panicked)
}

/// What the verifier says of the code objects that a compiler wrote.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// How many there are.
    pub codes: usize,
    /// One for each of them that is not safe.
    pub refusals: Vec<Refusal>,
}

/// What the verifier says of each code object of a graph.
#[must_use]
pub fn written(graph: &Graph<'_>, profile: &Profile) -> Written {
    let name = |id| match graph.value(id) {
        Value::Code(code) => code.object(Field::Name).map(|name| graph.text(name)).unwrap_or_default(),
        _ => String::new(),
    };
    let refused = |Verdict { code, result }: Verdict| {
        let found = result.err()?;
        let mut violations: Vec<Violation> = found.iter().copied().collect();
        violations.sort_by_key(|violation| violation.certainty);
        Some(Refusal { violations, has_more: found.more() > 0, function: name(code) })
    };
    let verdicts = verify_all(graph, profile);
    Written { codes: verdicts.len(), refusals: verdicts.into_iter().filter_map(refused).collect() }
}

impl Refusal {
    /// What is counted.
    ///
    /// # Panics
    /// Never: whatever is refused has a violation.
    #[must_use]
    pub fn first(&self) -> &Violation {
        self.violations.first().expect("what is refused has a violation")
    }

    /// What is counted, with its place.
    #[must_use]
    pub fn sentence(&self) -> String {
        let violation = self.first();
        violation.offset.map_or_else(|| violation.to_string(), |offset| format!("at {offset}: {violation}"))
    }

    /// Whether the verifier says that it does crash; otherwise it cannot tell.
    #[must_use]
    pub fn crashes(&self) -> bool {
        self.first().certainty == Certainty::Crash
    }

    /// Two code objects of one stream.
    fn and(self, other: Refusal) -> Refusal {
        let (mut first, second) = if other.crashes() && !self.crashes() { (other, self) } else { (self, other) };
        first.violations.extend(second.violations);
        first.has_more |= second.has_more;
        first
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let violation = self.first();
        let place = violation.offset.map_or(String::new(), |offset| format!(" at {offset}"));
        write!(f, "{}{place}: {violation} ({})", self.function, violation.kind.name())
    }
}

impl Verified {
    /// As a prediction: what is safe ends in some way, what is not is undefined.
    #[must_use]
    pub fn predicted(&self) -> Observation {
        match self {
            Verified::Safe => ended(),
            Verified::Refused(refusal) => Observation::Undefined(refusal.first().kind.name().into()),
            Verified::Unloadable => Observation::Skipped("it does not load".into()),
            Verified::Panicked(message) => Observation::Faulted(Fault::Panic(message.clone())),
        }
    }
}

/// It ran to its end.
#[must_use]
pub fn ended() -> Observation {
    Observation::Accepted(Accepted { consumed: None, canon: Canon::Unasked, dumps: Vec::new() })
}

/// How an execution ended, as an observation.
#[must_use]
pub fn observed(ending: Ending) -> Observation {
    let raised = |class: &str| Observation::Rejected(Exception { class: class.into(), message: String::new() });
    let worker = |fault| Observation::Faulted(Fault::Worker(fault));
    match ending {
        Ending::Returned => ended(),
        Ending::Raised(class) => raised(&class),
        Ending::Recursion => raised("RecursionError"),
        Ending::Memory => worker(interpreters::Fault::OutOfMemory { stderr: String::new() }),
        Ending::Time => worker(interpreters::Fault::Timeout {
            after: Duration::from_millis(50),
            limit: interpreters::TimeLimit::Cpu,
        }),
        Ending::Died(words) => {
            let (signal, stderr) = words.split_once('\n').unwrap_or((&words, ""));
            worker(interpreters::Fault::Crash { signal: signal.into(), stderr: stderr.into() })
        }
        Ending::Refused(why) => Observation::Skipped(format!("it does not load: {why}")),
        Ending::Unsettled(signal) => Observation::Skipped(format!("{signal} in a batch, and not alone")),
    }
}
