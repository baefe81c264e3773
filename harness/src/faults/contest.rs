//! Which generator finds which fault, and after how many cases.
//!
//! All faults see the same cases, so that a case is made and predicted once for all that are still unknown. Case number
//! `index` is for profile number `index` modulo their number: every count is one of a hunt over all versions. Workers take
//! runs of cases in turn and keep the least count, so the result does not depend on how many there are.

use super::{Fault, types};
use crate::generators::{Generator, generate, seeds, tape, value_bases};
use crate::subjects::core::{Core, payload};
use arbitrary::Unstructured;
use pyc_core::Profile;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Cases that a worker takes at a time.
const RUN: u64 = 500;

/// Lets so many threads take runs of so many cases in turn, on each track. `look` hears the track, which of how many runs it is,
/// and its cases.
pub(super) fn take_turns(
    threads: usize,
    tracks: usize,
    cases: u64,
    length: u64,
    look: &(dyn Fn(usize, (usize, usize), Range<u64>) + Sync),
) {
    let runs = usize::try_from(cases.div_ceil(length)).unwrap_or(usize::MAX);
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let job = next.fetch_add(1, Ordering::Relaxed);
            let (run, track) = (job / tracks, job % tracks);
            if run >= runs {
                break;
            }
            let first = run as u64 * length;
            look(track, (run, runs), first..cases.min(first + length));
        }
    };
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
}

/// Not found.
const NEVER: u64 = u64::MAX;

/// Where cases come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// A generator that needs no interpreter.
    Generator(Generator),
    /// Mutations of single bytes of compiled files.
    Baseline,
}

impl Column {
    /// The column's heading.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Column::Generator(generator) => generator.name(),
            Column::Baseline => "baseline",
        }
    }
}

/// The generators of streams that need no interpreter, then the baseline.
#[must_use]
pub fn columns() -> Vec<Column> {
    // The streams of `pyc` are those of `codes`, and no fault is one of headers.
    let others = [Generator::Stdlib, Generator::Programs, Generator::Pyc, Generator::Execution];
    let contestants = Generator::ALL.into_iter().filter(|generator| !others.contains(generator));
    contestants.map(Column::Generator).chain([Column::Baseline]).collect()
}

/// A profile and the streams that are mutated under it.
#[derive(Debug, Clone)]
pub struct Member {
    pub(super) core: Core,
    /// What `streams` starts from.
    bases: Vec<Vec<u8>>,
    /// What this version compiled of the corpus, from which `codes` starts.
    own: Vec<Vec<u8>>,
    /// What the baseline mutates.
    files: Vec<Vec<u8>>,
}

impl Member {
    /// Another build of the same version.
    pub(super) fn built_as(&self, profile: Profile) -> Member {
        Member { core: Core::with(profile), ..self.clone() }
    }

    /// The streams that a generator starts from.
    pub(super) fn bases_of(&self, generator: Generator) -> &[Vec<u8>] {
        if generator == Generator::Codes { &self.own } else { &self.bases }
    }
}

/// All profiles; `corpus` is the folder with the seeds, and `files` are the compiled files of a version; where there are
/// none, the one of the seeds is mutated.
///
/// # Errors
/// When the seeds cannot be read.
pub fn members(corpus: &Path, files: &mut dyn FnMut(&Profile) -> Vec<Vec<u8>>) -> std::io::Result<Vec<Member>> {
    let corpus = seeds(&corpus.join("seeds"))?;
    let streams: Vec<(String, Vec<u8>)> =
        corpus.into_iter().map(|(name, bytes)| (name, payload(&bytes).unwrap_or(bytes))).collect();
    let members = Core::all().map(|core| {
        let values = value_bases(core.target(), 0);
        let bases = streams.iter().map(|(_, stream)| stream.clone()).chain(values).collect();
        let ending = format!("-{}.pyc", core.profile().version);
        let own = streams.iter().filter(|(name, _)| name.ends_with(&ending)).map(|(_, stream)| stream.clone());
        let own: Vec<_> = own.collect();
        let files = Some(files(core.profile())).filter(|files| !files.is_empty()).unwrap_or_else(|| own.clone());
        Member { core, bases, own, files }
    });
    Ok(members.collect())
}

/// Faults, and who looks for them.
#[derive(Debug)]
pub struct Contest {
    faults: Vec<&'static Fault>,
    seeds: Vec<u64>,
    cases: u64,
    members: Vec<Member>,
}

/// How many cases it took to find a fault.
#[derive(Debug, Clone)]
pub struct Row {
    /// The fault.
    pub fault: &'static Fault,
    /// For each column: for each seed, the number of the first case that shows it.
    pub found: Vec<Vec<Option<u64>>>,
    /// The same of all generators in turn.
    pub combined: Vec<Option<u64>>,
}

impl Contest {
    /// A contest under all profiles, from the same as [`members`].
    ///
    /// # Errors
    /// When the seeds cannot be read.
    pub fn new(
        faults: Vec<&'static Fault>,
        seeds: Vec<u64>,
        cases: u64,
        corpus: &Path,
        mut files: impl FnMut(&Profile) -> Vec<Vec<u8>>,
    ) -> std::io::Result<Contest> {
        let members = members(corpus, &mut files)?;
        Ok(Contest { faults, seeds, cases, members })
    }

    /// Lets everybody look, in so many threads; `tell` hears now and then how many of how many runs of
    /// cases are through.
    #[must_use]
    pub fn run(&self, threads: usize, tell: &(dyn Fn(usize, usize) + Sync)) -> Vec<Row> {
        let columns = columns();
        let tracks: Vec<(Column, u64)> =
            self.seeds.iter().flat_map(|&seed| columns.iter().map(move |&column| (column, seed))).collect();
        let found: Vec<Vec<AtomicU64>> =
            tracks.iter().map(|_| self.faults.iter().map(|_| AtomicU64::new(NEVER)).collect()).collect();
        take_turns(threads, tracks.len(), self.cases, RUN, &|track, (run, runs), turns| {
            let (column, seed) = tracks[track];
            self.look(column, seed, turns, &found[track]);
            if track == 0 {
                tell(run, runs);
            }
        });
        let rows = self.faults.iter().enumerate().map(|(index, fault)| {
            let of = |column: usize, seed: usize| {
                let count = found[seed * columns.len() + column][index].load(Ordering::Relaxed);
                (count != NEVER).then_some(count)
            };
            let each_seed = 0..self.seeds.len();
            let found = (0..columns.len()).map(|column| each_seed.clone().map(|seed| of(column, seed)).collect());
            let generators = columns.len() - 1;
            let combined = each_seed.clone().map(|seed| {
                let turns = (0..generators).filter_map(|g| Some((of(g, seed)? - 1) * generators as u64 + g as u64 + 1));
                turns.min().filter(|turn| *turn <= self.cases)
            });
            Row { fault, found: found.collect(), combined: combined.collect() }
        });
        rows.collect()
    }

    /// Looks for what is not found before these cases.
    fn look(&self, column: Column, seed: u64, cases: Range<u64>, found: &[AtomicU64]) {
        for index in cases {
            let turn = usize::try_from(index % self.members.len() as u64).unwrap_or(0);
            let member = &self.members[turn];
            let profile = member.core.profile();
            let pending =
                |fault: &&(&Fault, &AtomicU64)| fault.0.concerns(profile) && fault.1.load(Ordering::Relaxed) > index;
            let all: Vec<(&Fault, &AtomicU64)> = self.faults.iter().copied().zip(found).collect();
            let mut pending = all.iter().filter(pending).peekable();
            if pending.peek().is_none() {
                continue;
            }
            let case = match column {
                Column::Generator(generator) => {
                    generate(generator, member.core.target(), seed, index, member.bases_of(generator)).bytes
                }
                Column::Baseline => baseline(seed, index, &member.files),
            };
            let right = member.core.observe_about(&case, &member.core.sample(&case));
            let types = types(&case, member.core.target());
            for (fault, found) in pending {
                if fault.shows_among(types, &member.core, &case, &right) {
                    found.fetch_min(index + 1, Ordering::Relaxed);
                }
            }
        }
    }
}

/// One of the files with one to four changes of single bytes, made without any knowledge of what the bytes are.
fn baseline(seed: u64, index: u64, files: &[Vec<u8>]) -> Vec<u8> {
    let tape = tape(seed, Column::Baseline.name(), index);
    let mut u = Unstructured::new(&tape);
    let mut below = |n: usize| u.int_in_range(0..=n.max(1) - 1).unwrap_or(0);
    let Some(file) = files.get(below(files.len())) else { return Vec::new() };
    let mut bytes = file.clone();
    for _ in 0..=below(4) {
        let at = below(bytes.len());
        match below(4) {
            _ if bytes.is_empty() => {}
            0 => bytes[at] ^= 1 << below(8),
            1 => bytes[at] = u8::try_from(below(256)).unwrap_or(0),
            2 => drop(bytes.remove(at)),
            _ => bytes.insert(at, u8::try_from(below(256)).unwrap_or(0)),
        }
    }
    bytes
}
