//! `provost verifier`: what the bytecode verifier says, beside what becomes of interpreters that execute it.
//!
//! Reviewed for Python 3.15.

mod fixtures;

use super::hunt::executing;
use super::{Places, root, select, target_dir};
use crate::case::hex;
use crate::execution::fixtures::{FOLDER, Fixture, ONLY_DOUBTED, read as read_fixtures};
use crate::execution::{FORGOTTEN, Refusal, Verified, Written, verify, written};
use crate::generators::execution::{Base, OF_EACH, program};
use crate::minimize::halves;
use crate::observation::{Fault, Observation};
use crate::oracle::assertion;
use crate::stdlib::{Cache, Library};
use crate::subjects::core::{Core, payload};
use crate::subjects::{Compiled, Reality, Subject};
use anyhow::{Context, Result, bail};
use clap::Args;
use interpreters::{Interpreter, Limits};
use pyc_core::bytecode::safety::{Certainty, Kind as ViolationKind, Violation};
use pyc_core::{Profile, Version, read};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Instant;

/// How many streams are executed in a batch.
const BATCH: usize = 256;

/// How many deaths of an interpreter are told in full.
const TOLD: u64 = 20;

/// So many of each kind are executed in any case.
const FIRST: u64 = 8;

/// So many mutants that a verifier without a check passes are executed until one ends the process.
const ENOUGH: u64 = 1_000;

/// Arguments of `verifier`.
#[derive(Debug, Args)]
pub(crate) struct Verifier {
    /// Only these subjects, such as cpython:3.12 (repeatable)
    #[arg(long, value_name = "ID")]
    subject: Vec<String>,
    /// How many code objects that the verifier passes are executed by each interpreter
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    cases: u64,
    /// Of what the verifier refuses for one kind of violation, each Nth is executed
    #[arg(long, value_name = "N", default_value_t = 32)]
    every: u64,
    /// Only make the fixtures that corpus/unsafe lacks: for each kind of violation a small code object that ends an interpreter
    #[arg(long)]
    fixtures: bool,
    /// Begin with this case, such as one that an earlier run told of
    #[arg(long, default_value_t = 0, value_name = "INDEX")]
    from: u64,
    /// Decides the code objects
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only so many files of each library, chosen at random but always the same
    #[arg(long, value_name = "N")]
    files: Option<usize>,
    /// Where to write the document [default: docs/VERIFIER.md if nothing is left out]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Where compiled standard libraries are kept
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    #[command(flatten)]
    places: Places,
}

/// What came of one interpreter.
#[derive(Debug, Default)]
struct Tally {
    python: String,
    /// Code objects of the standard library that are safe, and all of them.
    library: [usize; 2],
    /// The same of the programs that the mutants are made of.
    programs: [usize; 2],
    /// Those of them that are refused for a bug of the compiler.
    miscompiled: usize,
    /// Mutants.
    made: u64,
    unloadable: u64,
    /// Executions of what was passed, by how they ended.
    passed: BTreeMap<String, u64>,
    /// Signals among them.
    deaths: u64,
    /// Signals in a batch that did not come again.
    unsettled: u64,
    /// By kind, and whether the verifier is certain.
    refused: BTreeMap<(&'static str, bool), Kind>,
    seconds: f64,
    /// What the verifier would pass without one of its checks, in the order of [`FORGOTTEN`].
    missed: Vec<Missed>,
}

/// What came of the mutants that a verifier without one of its checks passes, and the whole one does not.
#[derive(Debug, Clone, Default)]
struct Missed {
    mutants: u64,
    /// How many such mutants and others that are passed it had before one ended the process, and the signal.
    found: Option<(u64, String)>,
}

/// What came of the mutants that were refused for one kind of violation.
#[derive(Debug, Default)]
struct Kind {
    mutants: u64,
    executed: u64,
    died: u64,
}

/// A mutant that waits to be executed.
struct Waiting {
    index: u64,
    stream: Vec<u8>,
    refusal: Option<Refusal>,
    /// Whether it is one of the share of the refused that is executed; otherwise a planted fault passes it.
    is_counted: bool,
}

impl Verifier {
    /// Exit status 1 if the verifier passes what ends a process, or refuses what a compiler wrote.
    pub(crate) fn run(&self) -> Result<u8> {
        let discovery = self.places.scripts().whole()?;
        let selected = select(&discovery.found.interpreters, &self.subject)?.into_iter().cloned().collect();
        let model = |one: Interpreter| {
            let core = Core::of(&one.facts).ok().filter(Core::is_model)?;
            Some((one, core))
        };
        let selected: Vec<(Interpreter, Core)> = executing(selected)?.into_iter().filter_map(model).collect();
        if self.fixtures {
            fixtures::write(&selected, self.seed, self.cases)?;
            return Ok(0);
        }
        let mut tallies = Vec::new();
        for (interpreter, core) in &selected {
            let mut tally = Tally { python: interpreter.id.replace("cpython:", ""), ..Tally::default() };
            self.library(&mut tally, interpreter, core.profile())?;
            self.execute(&mut tally, interpreter, core)?;
            println!("{}", tally.line());
            tallies.push(tally);
        }
        if tallies.is_empty() {
            bail!("no CPython was found; {}", super::MORE);
        }
        let is_whole = self.subject.is_empty() && self.files.is_none() && self.from == 0;
        let out = self.out.clone().or_else(|| is_whole.then(|| root().join("docs").join("VERIFIER.md")));
        if let Some(out) = out {
            let fixtures = read_fixtures(&root().join("corpus").join(FOLDER))?;
            std::fs::write(&out, document(&tallies, &fixtures, self.seed, self.files))
                .with_context(|| format!("cannot write {}", out.display()))?;
            println!("{}", out.display());
        }
        Ok(u8::from(tallies.iter().any(Tally::is_bad)))
    }

    /// What the verifier says of the standard library, of which nothing is executed.
    fn library(&self, tally: &mut Tally, interpreter: &Interpreter, profile: &Profile) -> Result<()> {
        let mut library = Library::open(&interpreter.facts.stdlib).context(interpreter.id.clone())?;
        let folder = self.cache.clone().unwrap_or_else(|| target_dir().join("provost").join("stdlib"));
        let cache = Cache::new(&folder, &interpreter.facts);
        let mut subject = Reality::new(interpreter, Limits::default());
        let level = interpreter.facts.optimize.first().copied().unwrap_or_default();
        for item in library.items(&[level], 0).into_iter().take(self.files.unwrap_or(usize::MAX)) {
            let source = library.read(&item.path)?;
            // The library has files that are not meant to compile.
            let Compiled::Pyc(pyc) = cache.compile(&mut subject, &item, source)? else { continue };
            let stream = payload(&pyc).map_err(anyhow::Error::msg)?;
            let (counts, _) = written_by(&tally.python, &stream, profile, &item.path);
            add(&mut tally.library, counts);
        }
        Ok(())
    }

    /// Executes mutants.
    fn execute(&self, tally: &mut Tally, interpreter: &Interpreter, core: &Core) -> Result<()> {
        let (target, profile) = (core.target(), core.profile());
        let mut subject = Reality::new(interpreter, Limits::default());
        let begin = Instant::now();
        let mut donor: Option<Vec<u8>> = None;
        // Apart, so that what is broken by the one is not taken for the other's.
        let (mut safe, mut refused) = (Vec::new(), Vec::new());
        let mut left = self.cases;
        for number in self.from / OF_EACH.. {
            let stream = match subject.compile(&program(target, self.seed, number))? {
                Compiled::Pyc(pyc) => payload(&pyc).map_err(anyhow::Error::msg)?,
                other => bail!("{}: program {number} does not compile: {other:?}", interpreter.id),
            };
            let (counts, miscompiled) = written_by(&tally.python, &stream, profile, &format!("program {number}"));
            add(&mut tally.programs, counts);
            tally.miscompiled += miscompiled;
            let other = donor.replace(stream.clone()).unwrap_or_else(|| stream.clone());
            let base = Base::new(target, stream);
            for index in number * OF_EACH..(number + 1) * OF_EACH {
                let Some(stream) = base.case(self.seed, index, &other) else { continue };
                tally.made += 1;
                match verify(&stream, profile) {
                    Verified::Safe => safe.push(Waiting { index, stream, refusal: None, is_counted: true }),
                    Verified::Refused(refusal) => {
                        let kind = tally.refused.entry((refusal.first().kind.name(), refusal.crashes())).or_default();
                        // The first of each kind, so that there is an example of what is rare.
                        let is_counted = kind.mutants < FIRST || kind.mutants.is_multiple_of(self.every);
                        kind.mutants += 1;
                        if tally.miss(&refusal) || is_counted {
                            refused.push(Waiting { index, stream, refusal: Some(refusal), is_counted });
                        }
                    }
                    Verified::Unloadable => tally.unloadable += 1,
                    Verified::Panicked(message) => bail!("the verifier panicked at case {index}: {message}"),
                }
            }
            safe.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            let is_last = safe.len() as u64 >= left;
            for waiting in [&mut safe, &mut refused] {
                if waiting.len() >= BATCH || is_last {
                    let batch = std::mem::take(waiting);
                    left -= batch.iter().filter(|one| one.refusal.is_none()).count() as u64;
                    tally.execute(&mut subject, &batch)?;
                }
            }
            if is_last {
                break;
            }
        }
        tally.seconds = begin.elapsed().as_secs_f64();
        Ok(())
    }
}

impl Tally {
    /// Executes a batch, and counts how each ended.
    fn execute(&mut self, subject: &mut Reality, batch: &[Waiting]) -> Result<()> {
        let streams: Vec<Vec<u8>> = batch.iter().map(|one| one.stream.clone()).collect();
        for (place, (one, observation)) in batch.iter().zip(subject.execute(&streams)?).enumerate() {
            let died = match &observation {
                Observation::Faulted(Fault::Worker(interpreters::Fault::Crash { signal, stderr })) => {
                    let place = assertion(stderr).map(|assertion| format!(" ({assertion})"));
                    Some(format!("{signal}{}", place.unwrap_or_default()))
                }
                _ => None,
            };
            let Waiting { index, stream, refusal, is_counted } = one;
            if let Some(refusal) = refusal {
                if let Some(fault) = &died {
                    self.find(refusal, fault);
                }
                if !is_counted {
                    continue;
                }
                let kind = self.refused.entry((refusal.first().kind.name(), refusal.crashes())).or_default();
                kind.executed += 1;
                kind.died += u64::from(died.is_some());
                continue;
            }
            *self.passed.entry(ending(&observation)).or_default() += 1;
            if let Some(fault) = died {
                self.deaths += 1;
                if self.deaths <= TOLD {
                    println!("UNSOUND {} case {index}: {fault}: {}", self.python, hex(stream));
                }
            } else if let Observation::Skipped(why) = &observation {
                self.unsettled += 1;
                let of = batch.first().map_or(0, |first| first.index);
                println!("UNSETTLED {} case {index} of a batch from {of} on: {why}", self.python);
                let all = &streams[..=place];
                for stream in together(all, |some| Ok(is_unsettled(subject.execute(some)?.last())))? {
                    println!("  {}", hex(&stream));
                }
            }
        }
        Ok(())
    }

    /// Counts what each verifier without a check passes; whether one of them has not been found and might be now.
    fn miss(&mut self, refusal: &Refusal) -> bool {
        self.missed.resize(FORGOTTEN.len(), Missed::default());
        let mut is_wanted = false;
        for (missed, _) in self.missed.iter_mut().zip(&FORGOTTEN).filter(|(_, fault)| fault.passes(refusal)) {
            missed.mutants += 1;
            is_wanted |= missed.found.is_none() && missed.mutants <= ENOUGH;
        }
        is_wanted
    }

    /// A mutant has ended the process.
    fn find(&mut self, refusal: &Refusal, fault: &str) {
        let passed = self.executed();
        for (missed, _) in self.missed.iter_mut().zip(&FORGOTTEN).filter(|(_, fault)| fault.passes(refusal)) {
            let cases = passed + missed.mutants;
            missed.found.get_or_insert_with(|| (cases, fault.to_owned()));
        }
    }

    fn executed(&self) -> u64 {
        self.passed.values().sum()
    }

    /// Of what was refused with certainty, or without: how many mutants, how many of them were executed, and died. A share
    /// of kinds that were sampled alike is a share of all.
    fn sums(&self, crashes: bool) -> [u64; 3] {
        let of = self.refused.iter().filter(|((_, certain), _)| *certain == crashes).map(|(_, kind)| kind);
        of.fold([0; 3], |[a, b, c], kind| [a + kind.mutants, b + kind.executed, c + kind.died])
    }

    /// The share of what was refused with this certainty that ends the process, if each kind counts by its mutants.
    fn share(&self, crashes: bool) -> f64 {
        let of = self.refused.iter().filter(|((_, certain), kind)| *certain == crashes && kind.executed > 0);
        let (mut all, mut dying) = (0.0, 0.0);
        for (_, kind) in of {
            all += kind.mutants as f64;
            dying += kind.mutants as f64 * kind.died as f64 / kind.executed as f64;
        }
        if all > 0.0 { dying / all } else { 0.0 }
    }

    fn is_bad(&self) -> bool {
        self.deaths > 0 || self.library[0] < self.library[1] || self.programs[0] + self.miscompiled < self.programs[1]
    }

    fn line(&self) -> String {
        let [certain, executed, _] = self.sums(true);
        let [doubtful, executed_too, _] = self.sums(false);
        let endings: Vec<String> = self.passed.iter().map(|(ending, count)| format!("{ending} {count}")).collect();
        format!(
            "{}: safe: {} of {} code objects of the library, {} of {} of programs ({} of the others are miscompiled); {} mutants, {} passed and executed \
             ({}), {} deaths, {} unsettled; {certain} refused as crashing, {executed} executed, {:.1} % die; {doubtful} \
             refused in doubt ({:.1} % of the refused), {executed_too} executed, {:.1} % die; {} not loaded; {:.0} executions a second",
            self.python,
            self.library[0],
            self.library[1],
            self.programs[0],
            self.programs[1],
            self.miscompiled,
            self.made,
            self.executed(),
            endings.join(", "),
            self.deaths,
            self.unsettled,
            100.0 * self.share(true),
            percent(doubtful, certain + doubtful),
            100.0 * self.share(false),
            self.unloadable,
            (self.executed() + executed + executed_too) as f64 / self.seconds,
        )
    }
}

/// Of streams the last one of which ends a process that executed the others: those without which it does not.
fn together(streams: &[Vec<u8>], mut ends: impl FnMut(&[Vec<u8>]) -> Result<bool>) -> Result<Vec<Vec<u8>>> {
    let these = |places: &[usize]| -> Vec<Vec<u8>> { places.iter().map(|place| streams[*place].clone()).collect() };
    let mut needed: Vec<usize> = (0..streams.len()).collect();
    for part in halves(streams.len().saturating_sub(1), 1) {
        let fewer: Vec<usize> = needed.iter().copied().filter(|place| !part.contains(place)).collect();
        if fewer.len() < needed.len() && ends(&these(&fewer))? {
            needed = fewer;
        }
    }
    Ok(these(&needed))
}

/// Whether it ended a process, but not alone.
fn is_unsettled(observation: Option<&Observation>) -> bool {
    matches!(observation, Some(Observation::Skipped(_)))
}

/// How many code objects that a compiler wrote are safe, how many there are, and how many it got wrong; tells what is refused.
fn written_by(python: &str, stream: &[u8], profile: &Profile, name: &str) -> ([usize; 2], usize) {
    let Written { codes, refusals } = read(stream, profile).map(|graph| written(&graph, profile)).unwrap_or_default();
    let mut miscompiled = 0;
    for refusal in &refusals {
        let is_wrong = is_miscompiled(refusal, profile);
        miscompiled += usize::from(is_wrong);
        println!("{} {python} {name}: {refusal}", if is_wrong { "MISCOMPILED" } else { "INCOMPLETE" });
    }
    ([codes - refusals.len(), codes], miscompiled)
}

/// Whether the compiler is to blame: 3.14 and 3.15 let `return b` borrow its value although a `finally` behind it changes `b`
/// first (corpus/found/cpython-borrowed-return).
fn is_miscompiled(refusal: &Refusal, profile: &Profile) -> bool {
    let is_it = |violation: &Violation| violation.kind == ViolationKind::BorrowedReference;
    profile.version >= Version::new(3, 14) && !refusal.has_more && refusal.violations.iter().all(is_it)
}

fn add(sum: &mut [usize; 2], [safe, all]: [usize; 2]) {
    sum[0] += safe;
    sum[1] += all;
}

fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

/// What an execution is counted by.
fn ending(observation: &Observation) -> String {
    match observation {
        Observation::Accepted(_) => "returned".into(),
        Observation::Rejected(exception) if exception.class == "RecursionError" => "recursion".into(),
        Observation::Rejected(exception) if exception.class == "MemoryError" => "memory".into(),
        Observation::Rejected(_) => "raised".into(),
        Observation::Faulted(fault) => match fault.kind().as_str() {
            "timeout" => "time".into(),
            "out of memory" => "memory".into(),
            _ => "died".into(),
        },
        _ => "unsettled".into(),
    }
}

fn document(tallies: &[Tally], fixtures: &[Fixture], seed: u64, files: Option<usize>) -> String {
    let files = files.map_or("all files".to_owned(), |files| format!("{files} files of each"));
    let row = |tally: &Tally| {
        let share = |[part, whole]: [usize; 2]| format!("{:.2} %", percent(part as u64, whole as u64));
        let [certain, executed, _] = tally.sums(true);
        let [doubtful, executed_too, _] = tally.sums(false);
        let miscompiled = match tally.miscompiled {
            0 => String::new(),
            count => format!(", {count} miscompiled"),
        };
        let count = |ending: &str| tally.passed.get(ending).copied().unwrap_or_default();
        format!(
            "| {} | {} | {} | {}{miscompiled} | {} | {} | {} | {} | {} | {certain} | {executed} | {:.0} % | {:.1} % | {executed_too} | {:.0} % |\n",
            tally.python,
            tally.library[1],
            share(tally.library),
            share(tally.programs),
            tally.executed(),
            tally.deaths,
            count("time"),
            count("memory"),
            count("recursion"),
            100.0 * tally.share(true),
            percent(doubtful, certain + doubtful),
            100.0 * tally.share(false),
        )
    };
    let rows: String = tallies.iter().map(row).collect();
    include_str!("verifier.md")
        .replace("ROWS\n", &rows)
        .replace("KINDS\n", &kinds(tallies, fixtures))
        .replace("FAULTS\n", &faults(tallies))
        .replace("SEED", &seed.to_string())
        .replace("FILES", &files)
}

/// A row for each planted fault: in how many versions it was found, and after how many executions at best and at worst.
fn faults(tallies: &[Tally]) -> String {
    let row = |(place, name): (usize, &str)| {
        let missed: Vec<&Missed> = tallies.iter().filter_map(|tally| tally.missed.get(place)).collect();
        let some = missed.iter().filter(|missed| missed.mutants > 0).count();
        let found: Vec<u64> = missed.iter().filter_map(|missed| Some(missed.found.as_ref()?.0)).collect();
        let number = |number: Option<&u64>| number.map_or("-".into(), u64::to_string);
        let mutants: u64 = missed.iter().map(|missed| missed.mutants).sum();
        let (first, last) = (number(found.iter().min()), number(found.iter().max()));
        format!("| `{name}` | {mutants} | {some} | {} | {first} | {last} |\n", found.len())
    };
    FORGOTTEN.iter().map(|fault| fault.name).enumerate().map(row).collect()
}

/// A row for each kind and verdict, with the fixture that ends a process or the reason why there is none.
fn kinds(tallies: &[Tally], fixtures: &[Fixture]) -> String {
    let mut names: BTreeSet<(&str, bool)> = tallies.iter().flat_map(|tally| tally.refused.keys().copied()).collect();
    names.extend(ONLY_DOUBTED.iter().map(|(kind, _)| (kind.name(), false)));
    let row = |(name, crashes): (&str, bool)| {
        let of =
            |tally: &Tally| tally.refused.get(&(name, crashes)).map(|kind| [kind.mutants, kind.executed, kind.died]);
        let [mutants, executed, died] =
            tallies.iter().filter_map(of).fold([0; 3], |[a, b, c], [x, y, z]| [a + x, b + y, c + z]);
        let certainty = if crashes { Certainty::Crash } else { Certainty::CannotTell };
        let reason = ONLY_DOUBTED.iter().find(|(kind, _)| kind.name() == name).map(|(_, reason)| (*reason).to_owned());
        let shown = fixtures.iter().find(|it| it.about.kind == name && it.about.verdict == certainty.name()).map(link);
        let told: Vec<String> = reason.into_iter().chain(shown).collect();
        let told = if told.is_empty() { "-".into() } else { told.join("; ") };
        let verdict = if crashes { "does crash" } else { "cannot tell" };
        format!("| {name} | {verdict} | {mutants} | {executed} | {:.0} % | {told} |\n", percent(died, executed))
    };
    names.into_iter().map(row).collect()
}

fn link(fixture: &Fixture) -> String {
    let (name, about) = (fixture.name(), &fixture.about);
    let python = about.subject.replace("cpython:", "");
    let sentence = about.sentence.replace('|', "\\|");
    let length = fixture.stream.len();
    format!("[{name}](../corpus/{FOLDER}/{name}.marshal), {length} bytes, {python}: {sentence}: {}", about.signal)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a process does not need to die is left out, wherever it stands.
    #[test]
    fn only_what_is_needed_is_left() {
        let check = |count: u8, needed: &[u8]| {
            let streams: Vec<Vec<u8>> = (0..count).map(|n| vec![n]).collect();
            let all: Vec<Vec<u8>> = needed.iter().map(|n| vec![*n]).collect();
            let ends = |some: &[Vec<u8>]| Ok(all.iter().all(|one| some.contains(one)));
            assert_eq!(together(&streams, ends).unwrap(), all, "{count}");
        };
        check(1, &[0]);
        check(9, &[8]);
        check(9, &[2, 5, 8]);
        check(65, &[0, 1, 63, 64]);
    }
}
