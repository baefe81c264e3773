//! The program that compares mutants. It is built with the copy in place of pyc-core, and has [`run`] for its `main`.

use super::super::{Column, Member, columns, members, take_turns};
use super::said::Said;
use crate::comparison::Question;
use crate::generators::{Generator, fnv, generate};
use crate::subjects::core::Core;
use anyhow::{Context, Result};
use clap::Parser;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

/// Cases that a worker takes at a time.
const RUN: u64 = 200;

/// Not found.
const NEVER: u64 = u64::MAX;

/// A mutant may take so many times the steps of what is right, and [`MORE`].
const TIMES: u64 = 1_000;
const MORE: u64 = 1_000_000;

/// The cases that tell whether the copy is one.
const SAMPLE: u64 = 600;

/// Where the copy of pyc-core is told which mutant is on, in this thread.
#[derive(Debug)]
pub struct Switch {
    /// Switches this one on, for so many steps; 0 is none.
    pub choose: fn(u32, u64),
    /// Switches all off, and notes whose places are come by.
    pub watch: fn(),
    /// Those, and the steps that were done.
    pub seen: fn() -> (Vec<u32>, u64),
}

/// Compares mutants of pyc-core with what they are mutants of.
#[derive(Debug, Parser)]
struct Arguments {
    /// The folder with the corpus
    corpus: PathBuf,
    #[arg(long, value_delimiter = ',')]
    seeds: Vec<u64>,
    #[arg(long)]
    cases: u64,
    #[arg(long)]
    threads: usize,
    /// A file with the numbers of the mutants to look for, as JSON
    #[arg(long)]
    mutants: PathBuf,
}

/// What the program tells.
#[derive(Debug, Serialize, Deserialize)]
pub struct Found {
    /// Of the answers with all mutants off.
    pub fingerprint: u64,
    /// For each mutant that was looked for and each seed: the number of the first case that shows it.
    pub first: BTreeMap<u32, Vec<Option<u64>>>,
}

/// Other builds of what the profiles are of, which a hunt may meet as well.
fn builds(members: &[Member]) -> Vec<Member> {
    let free_threaded = members.iter().filter_map(|member| {
        let profile = member.core.profile().clone().with_free_threading(true);
        profile.free_threaded.then(|| member.built_as(profile))
    });
    let oldest = members
        .first()
        .map(|member| member.built_as(member.core.profile().clone().with_pointer_bits(32).with_quiet_nans(true)));
    let newest = members.last().map(|member| {
        let letters = b"abcdefghijklmnopqrstuvwxyz";
        member.built_as(member.core.profile().clone().with_assertions(true).with_interned_elsewhere(letters))
    });
    free_threaded.chain(oldest).chain(newest).collect()
}

/// The `main` of the program.
#[must_use]
pub fn run(switch: &Switch) -> ExitCode {
    match compare(switch, Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e:#}");
            ExitCode::from(2)
        }
    }
}

fn compare(switch: &Switch, arguments: Arguments) -> Result<()> {
    let Arguments { corpus, seeds, cases, threads, mutants } = arguments;
    let mutants: Vec<u32> = serde_json::from_slice(&std::fs::read(&mutants)?).context("the numbers of mutants")?;
    let contest = Contest::new(&corpus, seeds, cases)?;
    let (fingerprint, first) = (contest.fingerprint(), contest.run(switch, &mutants, threads));
    Ok(serde_json::to_writer(std::io::stdout().lock(), &Found { fingerprint, first })?)
}

/// Of what pyc-core says of the first cases: the same in the copy, unless it is none.
///
/// # Errors
/// When the seeds cannot be read.
pub fn fingerprint(corpus: &Path, seeds: &[u64], cases: u64) -> Result<u64> {
    Ok(Contest::new(corpus, seeds.to_vec(), cases)?.fingerprint())
}

/// For each mutant and seed the number of the first case that shows it, as far as it is known.
type First = HashMap<u32, Vec<AtomicU64>>;

struct Contest {
    seeds: Vec<u64>,
    cases: u64,
    generators: Vec<Generator>,
    members: Vec<Member>,
}

impl Contest {
    fn new(corpus: &Path, seeds: Vec<u64>, cases: u64) -> Result<Contest> {
        let generators = columns().into_iter().filter_map(|column| match column {
            Column::Generator(generator) => Some(generator),
            Column::Baseline => None,
        });
        let mut members = members(corpus, &mut |_| Vec::new()).context("cannot read corpus/seeds")?;
        members.extend(builds(&members));
        Ok(Contest { seeds, cases, generators: generators.collect(), members })
    }

    /// A case, whose it is, and what is asked.
    fn case(&self, seed: u64, turn: u64) -> (&Core, Vec<u8>, Question) {
        let generators = self.generators.len() as u64;
        let at = |number: u64, of: usize| usize::try_from(number % of as u64).unwrap_or(0);
        let (generator, index) = (self.generators[at(turn, self.generators.len())], turn / generators);
        let member = &self.members[at(index, self.members.len())];
        let core = &member.core;
        let case = generate(generator, core.target(), seed, index, member.bases_of(generator)).bytes;
        let question = core.sample(&case);
        (core, case, question)
    }

    fn fingerprint(&self) -> u64 {
        let cases = (0..self.cases.min(SAMPLE)).map(|turn| self.case(self.seeds[0], turn));
        let told = cases.map(|(core, case, question)| format!("{:?}", Said::about(core, &case, &question)));
        fnv(told.flat_map(String::into_bytes))
    }

    /// For each mutant and seed the first case that shows it.
    fn run(&self, switch: &Switch, mutants: &[u32], threads: usize) -> BTreeMap<u32, Vec<Option<u64>>> {
        let never = |_: &u64| AtomicU64::new(NEVER);
        let first: First = mutants.iter().map(|&id| (id, self.seeds.iter().map(never).collect())).collect();
        take_turns(threads, self.seeds.len(), self.cases, RUN, &|seed, (run, runs), turns| {
            if seed == 0 && run.is_multiple_of(runs.div_ceil(20)) {
                eprintln!("{} % of the cases", 100 * run / runs);
            }
            turns.for_each(|turn| self.look(switch, seed, turn, &first));
        });
        let told = |first: AtomicU64| Some(first.into_inner()).filter(|first| *first != NEVER);
        first.into_iter().map(|(id, seeds)| (id, seeds.into_iter().map(told).collect())).collect()
    }

    /// Tries the mutants whose places a case comes by, but for those that an earlier one has shown.
    fn look(&self, switch: &Switch, seed: usize, turn: u64, first: &First) {
        let (core, case, question) = self.case(self.seeds[seed], turn);
        (switch.watch)();
        let right = Said::about(core, &case, &question);
        let (places, steps) = (switch.seen)();
        let pending = places.into_iter().filter_map(|mutant| {
            let first = &first.get(&mutant)?[seed];
            (first.load(Ordering::Relaxed) > turn).then_some((mutant, first))
        });
        for (mutant, first) in pending {
            (switch.choose)(mutant, MORE + TIMES * steps);
            let is_shown = right.differs(core, &case, &question);
            (switch.choose)(0, u64::MAX);
            if is_shown {
                first.fetch_min(turn + 1, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contest(seeds: &[u64]) -> Contest {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus");
        Contest::new(&corpus, seeds.to_vec(), 60).unwrap()
    }

    /// What is there twice does not differ from itself, whatever the case and the build; and only what is looked for is told.
    #[test]
    fn what_changes_nothing_is_not_found() {
        let switch = Switch { choose: |_, _| {}, watch: || {}, seen: || (vec![7, 8], 0) };
        let found = contest(&[1, 2]).run(&switch, &[7], 2);
        assert_eq!(found, BTreeMap::from([(7, vec![None, None])]));
    }

    #[test]
    fn each_build_has_its_turn_and_each_seed_its_cases() {
        let one = contest(&[1]);
        let targets: Vec<_> = one.members.iter().map(|member| member.core.target()).collect();
        let each = one.generators.len();
        let turns = (0..(each * targets.len()) as u64).map(|turn| one.case(1, turn).0.target());
        let wanted = targets.iter().flat_map(|it| std::iter::repeat_n(*it, each));
        assert_eq!(turns.collect::<Vec<_>>(), wanted.collect::<Vec<_>>());
        assert_eq!(one.fingerprint(), contest(&[1]).fingerprint());
        assert_ne!(one.fingerprint(), contest(&[2]).fingerprint());
    }
}
