//! `verify --safe`, and what other commands say of it: can the code objects of a file crash the interpreter of their version?
//!
//! `pyc_core::bytecode::safety` decides; docs/SAFE.md says what that promises.

use super::answer::Answer;
use super::info::open;
use super::{Trouble, counted};
use crate::subjects::core::{Core, guard};
use pyc_core::bytecode::safety::{Certainty, Verdict, Violations, verify_all};
use pyc_core::code::Field;
use pyc_core::{Graph, NodeId, Profile, Value};
use serde::Serialize;
use std::fmt;

/// A violation, as it is told.
#[derive(Debug, Clone, Serialize)]
pub struct Found {
    /// `co_qualname`, or `co_name` where there is none.
    pub function: String,
    /// The instruction, in bytes of `co_code`; none if it is about the code object as a whole.
    pub offset: Option<usize>,
    /// Its name.
    pub instruction: &'static str,
    /// `stack-underflow` ...
    pub kind: &'static str,
    /// `crash` or `cannot-tell`
    pub certainty: &'static str,
    /// A sentence.
    pub what: String,
}

/// What is known of the code objects of a file.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Safety {
    /// Whether all are safe.
    pub safe: bool,
    /// How many there are.
    pub codes: usize,
    /// How many of them are not safe.
    #[serde(rename = "unsafe")]
    pub refused: usize,
    /// What is wrong with those.
    pub violations: Vec<Found>,
}

/// The name of a code object.
fn name(graph: &Graph<'_>, id: NodeId) -> String {
    let Value::Code(code) = graph.value(id) else { return String::new() };
    let id = code.object(Field::Qualname).or(code.object(Field::Name));
    id.map(|id| graph.text(id)).unwrap_or_default()
}

/// The violations of a code object, as they are told.
#[must_use]
pub fn found(function: &str, violations: &Violations) -> Vec<Found> {
    let told = violations.iter().map(|it| Found {
        function: function.to_owned(),
        offset: it.offset,
        instruction: it.opcode,
        kind: it.kind.name(),
        certainty: it.certainty.name(),
        what: it.to_string(),
    });
    told.collect()
}

impl Safety {
    /// Looks at all code objects of a graph.
    #[must_use]
    pub fn of(graph: &Graph<'_>, profile: &Profile) -> Safety {
        let verdicts = verify_all(graph, profile);
        let mut safety = Safety { safe: true, codes: verdicts.len(), ..Safety::default() };
        for Verdict { code, result } in &verdicts {
            let Err(violations) = result else { continue };
            safety.safe = false;
            safety.refused += 1;
            safety.violations.extend(found(&name(graph, *code), violations));
        }
        safety
    }

    /// `safe`, `unsafe`, or `unclear` if nothing is known to crash.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self.violations.iter().any(Found::is_certain) {
            _ if self.safe => "safe",
            true => "unsafe",
            false => "unclear",
        }
    }
}

impl Found {
    /// Whether it does crash; else nobody can tell.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.certainty == Certainty::Crash.name()
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let certainty = if self.is_certain() { "" } else { ", which may be harmless" };
        match self.offset {
            Some(offset) => write!(f, "{} at {offset}", crate::dis::one_line(&self.function))?,
            None => f.write_str(&crate::dis::one_line(&self.function))?,
        }
        write!(f, ": {} ({}{certainty})", self.what, self.kind)
    }
}

impl fmt::Display for Safety {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.safe {
            true => write!(f, "safe, {}", counted(self.codes, "code object")),
            false => write!(f, "{}, {} of {}", self.word(), self.refused, counted(self.codes, "code object")),
        }
    }
}

/// The answer about a file.
#[derive(Debug, Clone, Serialize)]
pub struct View {
    /// `3.12`
    pub python: String,
    /// What is known of its code objects.
    #[serde(flatten)]
    pub safety: Safety,
}

impl View {
    /// Looks at a file; `asked` is who wrote it, if its magic number does not tell.
    ///
    /// # Errors
    /// When no Python reads a stream in it.
    pub fn of(bytes: &[u8], asked: Option<&Core>) -> Result<View, Trouble> {
        let (profile, _, graph) = open(bytes, asked)?;
        let safety = guard(|| Safety::of(&graph, &profile))
            .map_err(|panic| Trouble::new("panic", panic, "report it with the file: this is a bug"))?;
        Ok(View { python: profile.version.to_string(), safety })
    }
}

impl Answer for View {
    fn verdict(&self) -> (&'static str, bool) {
        (self.safety.word(), self.safety.safe)
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, Python {}", self.safety, self.python)?;
        self.safety.violations.iter().try_for_each(|it| writeln!(f, "  {it}"))
    }
}
