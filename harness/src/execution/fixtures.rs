//! The corpus of code objects that end an interpreter: one for each kind of violation and verdict.
//!
//! Each is a mutant of Provost's own programs, cut down as long as the verifier refuses it for nothing else and the interpreter
//! dies of it.

use super::{Verified, verify};
use crate::generators::Target;
use crate::minimize::{Form, Minimizer};
use crate::observation::{Fault, Observation};
use crate::subjects::{Broken, Reality, Subject};
use anyhow::{Context, Result, ensure};
use pyc_core::Profile;
use pyc_core::bytecode::safety::{Certainty, Kind};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The folder in `corpus`.
pub const FOLDER: &str = "unsafe";

/// So many candidates are executed at a time.
const BATCH: usize = 16;

/// So many processes that have seen nothing else have to die.
const PROCESSES: usize = 12;

/// Kinds of which the verifier never says that they do crash, and why.
pub static ONLY_DOUBTED: [(Kind, &str); 4] = [
    (
        Kind::StackMismatch,
        "ways with stacks of different depth are followed apart, and one goes wrong by itself if it does; only above 32 of them is it said",
    ),
    (Kind::HandlerTable, "an entry is looked for by halves, and may be found in a table that is not in order"),
    (
        Kind::LineTable,
        "a traceback reads a few bytes behind the table: a wrong line number, as long as that memory is there; no execution died",
    ),
    (Kind::TooComplex, "the verifier gives up; such code need not be wrong"),
];

/// What the text beside a fixture says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// The kind of the violation.
    pub kind: String,
    /// What the verifier says: `crash` or `cannot-tell`.
    pub verdict: String,
    /// The interpreter that it ends, such as `cpython:3.12`.
    pub subject: String,
    /// The release of that interpreter.
    pub release: String,
    /// The signal.
    pub signal: String,
    /// What is wrong.
    pub sentence: String,
    /// The mutant that it was made of.
    pub seed: u64,
    /// Its number.
    pub index: u64,
}

/// A code object that ends an interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixture {
    /// The stream.
    pub stream: Vec<u8>,
    /// The text beside it.
    pub about: About,
}

impl Fixture {
    /// The name of its files.
    #[must_use]
    pub fn name(&self) -> String {
        name(&self.about.kind, &self.about.verdict)
    }

    /// Writes it into a folder.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(format!("{}.marshal", self.name()));
        std::fs::write(&path, &self.stream).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(std::fs::write(folder.join(format!("{}.toml", self.name())), toml::to_string(&self.about)?)?)
    }
}

/// What the fixture of a kind and a verdict is called.
#[must_use]
pub fn name(kind: &str, verdict: &str) -> String {
    format!("{kind}.{verdict}")
}

/// All fixtures, by name.
///
/// # Errors
/// When one lacks its text, or a text its fixture, or is called otherwise than it says.
pub fn read(folder: &Path) -> Result<Vec<Fixture>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut paths: Vec<_> = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.sort();
    let mut fixtures = Vec::new();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "toml")) {
        let text = std::fs::read_to_string(path)?;
        let about: About =
            toml::from_str(&text).with_context(|| format!("{} is not as it should be", path.display()))?;
        let stream = path.with_extension("marshal");
        let stream = std::fs::read(&stream).with_context(|| format!("cannot read {}", stream.display()))?;
        let fixture = Fixture { stream, about };
        ensure!(path.file_stem().is_some_and(|stem| *stem == *fixture.name()), "{} says another name", path.display());
        fixtures.push(fixture);
    }
    ensure!(paths.len() == 2 * fixtures.len(), "{} has a file that belongs to none", folder.display());
    Ok(fixtures)
}

/// Kind and verdict, if the verifier refuses a stream for one kind and nothing else.
#[must_use]
pub fn only(stream: &[u8], profile: &Profile) -> Option<(Kind, Certainty)> {
    let Verified::Refused(refusal) = verify(stream, profile) else { return None };
    let of = |violation: &pyc_core::bytecode::safety::Violation| (violation.kind, violation.certainty);
    let first = of(refusal.first());
    (!refusal.has_more && refusal.violations.iter().all(|violation| of(violation) == first)).then_some(first)
}

/// The signal that ended the process, if one did.
#[must_use]
pub fn signal(observation: &Observation) -> Option<&str> {
    match observation {
        Observation::Faulted(Fault::Worker(interpreters::Fault::Crash { signal, .. })) => Some(signal),
        _ => None,
    }
}

/// Cuts a stream down that ends the process: the smallest one of which every process dies, and the signal.
///
/// # Errors
/// When the interpreter can no longer be asked anything.
pub fn reduce(
    stream: &[u8],
    target: Target,
    profile: &Profile,
    subject: &mut Reality,
) -> Result<Option<(Vec<u8>, String)>, Broken> {
    let wanted = only(stream, profile);
    let mut minimizer = Minimizer::trusting(Form::Stream(Some(target)), stream.to_vec());
    let mut ways = vec![stream.to_vec()];
    loop {
        let batch = minimizer.batch(BATCH);
        if batch.is_empty() {
            break;
        }
        let is_same: Vec<bool> = batch.iter().map(|candidate| only(candidate, profile) == wanted).collect();
        let asked: Vec<Vec<u8>> =
            batch.iter().zip(&is_same).filter(|(_, same)| **same).map(|(candidate, _)| candidate.clone()).collect();
        let mut endings = subject.execute(&asked)?.into_iter();
        let mut dies = |same: bool| same && endings.next().is_some_and(|ending| signal(&ending).is_some());
        let answers: Vec<bool> = is_same.into_iter().map(&mut dies).collect();
        minimizer.answer(&answers);
        if ways.last().is_some_and(|last| last != minimizer.best()) {
            ways.push(minimizer.best().to_vec());
        }
    }
    for way in ways.into_iter().rev() {
        if let Some(signal) = ends_each(&way, subject)? {
            return Ok(Some((way, signal)));
        }
    }
    Ok(None)
}

/// The signal that ends each of some new processes, if the same does.
fn ends_each(stream: &[u8], subject: &Reality) -> Result<Option<String>, Broken> {
    let mut found: Option<String> = None;
    for _ in 0..PROCESSES {
        let observed = subject.fresh().execute(&[stream.to_vec()])?;
        let Some(signal) = observed.first().and_then(signal) else { return Ok(None) };
        if found.get_or_insert_with(|| signal.to_owned()) != signal {
            return Ok(None);
        }
    }
    Ok(found)
}
