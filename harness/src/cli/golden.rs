//! `provost golden`: asks every interpreter found and writes `corpus/golden` anew.

use super::{Search, root, select};
use crate::case::{Case, Origin};
use crate::generators::{Generator, generate, seeds};
use crate::golden::{ByHand, Entry, Head, Novelty, open, print};
use crate::hunter::question;
use crate::observation::{Accepted, Canon, Dump, Observation};
use crate::oracle::{self, Verdict};
use crate::subjects::core::{Core, payload};
use crate::subjects::{Reality, Subject};
use anyhow::{Context, Result};
use clap::Args;
use interpreters::{Interpreter, Limits};
use protocol::{CanonMode, Load};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

/// Longer streams make a corpus that nobody reads; those of a folder are taken whatever their length is.
const LONGEST: usize = 300;

/// How many streams an interpreter is asked at once.
const BATCH: usize = 64;

/// Arguments of `golden`.
#[derive(Debug, Args)]
pub(crate) struct Golden {
    /// How many cases of each generator are looked at; only what is new is kept
    #[arg(long, default_value_t = 4000)]
    cases: u64,
    /// Decides the generated cases
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Also all streams in this folder (repeatable)
    #[arg(long, value_name = "DIR")]
    add: Vec<PathBuf>,
    /// Forget the streams that are in the corpus only because they were before
    #[arg(long)]
    anew: bool,
    /// Where to write [default: corpus/golden]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Only these subjects, such as cpython:3.12 (repeatable)
    #[arg(long, value_name = "ID")]
    subject: Vec<String>,
    #[command(flatten)]
    search: Search,
}

/// What came of one interpreter.
#[derive(Default)]
struct Outcome {
    entries: Vec<Entry>,
    /// How many answers were not kept, by reason.
    dropped: BTreeMap<String, u32>,
    disagreements: Vec<String>,
}

impl Golden {
    /// Exit status 1 if an interpreter disagrees with the core, 2 if one that was named cannot be used.
    pub(crate) fn run(&self) -> Result<u8> {
        let discovery = self.search.run().whole()?;
        let out = self.out.clone().unwrap_or_else(|| root().join("corpus").join("golden"));
        fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
        let mut written = BTreeSet::new();
        let mut disagreed = false;
        for interpreter in select(&discovery.found.interpreters, &self.subject)? {
            // Others have relations of their own; the corpus is what the model owes.
            if interpreter.facts.implementation != "cpython" {
                continue;
            }
            let facts = &interpreter.facts;
            let core = match Core::of(facts) {
                // Of several builds of one version the first speaks.
                Ok(core) if written.insert(facts.version.clone()) => core,
                Ok(_) => continue,
                Err(reason) => {
                    eprintln!("{}: skipped: {reason}", interpreter.id);
                    continue;
                }
            };
            let file = out.join(format!("{}.jsonl", facts.version));
            let before = if self.anew || !file.exists() { Vec::new() } else { open(&file)?.1 };
            let Outcome { mut entries, dropped, disagreements } = self.ask(interpreter, &core, before)?;
            let text = print(&Head::of(facts, core.profile()), &mut entries)?;
            fs::write(&file, &text).with_context(|| format!("cannot write {}", file.display()))?;
            println!("{}: {} streams, {} KiB", interpreter.id, entries.len(), text.len() >> 10);
            dropped.iter().for_each(|(reason, n)| println!("  {n} left out: {reason}"));
            disagreements.iter().for_each(|line| println!("  DIVERGE {line}"));
            disagreed |= !disagreements.is_empty();
        }
        Ok(u8::from(disagreed))
    }

    /// Chooses the cases of one interpreter: all that people chose, and what is new of the others, shortest first.
    fn cases(&self, core: &Core, before: Vec<Entry>) -> Result<Vec<Case>> {
        let corpus = root().join("corpus");
        let mut chosen = Vec::new();
        for folder in [corpus.join("seeds"), corpus.join("regressions")].iter().chain(&self.add) {
            for (name, bytes) in seeds(folder).with_context(|| format!("cannot read {}", folder.display()))? {
                let origin = Origin::File(name.clone());
                if !name.ends_with(".pyc") {
                    chosen.push(Case::stream(bytes, origin));
                } else if name.contains(&format!("-{}.pyc", core.profile().version))
                    && let Ok(bytes) = payload(&bytes)
                {
                    chosen.push(Case::stream(bytes, origin));
                }
            }
        }
        let by_hand = corpus.join("golden").join("by-hand.txt");
        let text = fs::read_to_string(&by_hand).with_context(|| format!("cannot read {}", by_hand.display()))?;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let written =
                ByHand::parse(line).with_context(|| format!("{} has the line {line:?}", by_hand.display()))?;
            if written.versions.contains(&core.profile().version) {
                chosen.push(Case::stream(written.bytes, Origin::File(format!("by hand: {}", written.what))));
            }
        }
        chosen.extend(before.iter().map(|e| Case::stream(e.bytes(), Origin::File(e.from.clone()))));
        let bases: Vec<Vec<u8>> = chosen.iter().map(|case| case.bytes.clone()).collect();
        let mut others = Vec::new();
        for generator in [Generator::Values, Generator::Streams] {
            others.extend((0..self.cases).map(|index| {
                let made = generate(generator, core.target(), self.seed, index, &bases);
                Case::stream(made.bytes, Origin::generated(generator, self.seed, index))
            }));
        }
        others.sort_by(|a, b| (a.bytes.len(), &a.bytes).cmp(&(b.bytes.len(), &b.bytes)));
        let mut seen = BTreeSet::new();
        let mut novelty = Novelty::default();
        chosen.retain(|case| seen.insert(case.bytes.clone()));
        for case in &chosen {
            novelty.is_new(&case.bytes, core.profile());
        }
        others.retain(|case| case.bytes.len() <= LONGEST && novelty.is_new(&case.bytes, core.profile()));
        chosen.extend(others);
        Ok(chosen)
    }

    /// Asks twice: the second process sees the cases in the opposite order.
    fn ask(&self, interpreter: &Interpreter, core: &Core, before: Vec<Entry>) -> Result<Outcome> {
        let cases = self.cases(core, before)?;
        let predicted: Vec<Observation> = cases.iter().map(|case| core.predict(&case.bytes).observation).collect();
        let mut first = Reality::new(interpreter, Limits::default());
        let mut second = first.fresh();
        let forth: Vec<usize> = (0..cases.len()).collect();
        let back: Vec<usize> = forth.iter().rev().copied().collect();
        let once = answers(&mut first, &cases, &predicted, &forth)?;
        let twice = answers(second.as_mut(), &cases, &predicted, &back)?;
        let mut outcome = Outcome::default();
        let (family, bits) = (&interpreter.facts.implementation, interpreter.facts.pointer_bits);
        let mut kept = Vec::new();
        for (index, case) in cases.iter().enumerate() {
            let (real, again) = (&once[&index], &twice[&index]);
            let verdict = oracle::model(family, bits, &predicted[index], real, &|stream| core.read(stream));
            let varies = varies(&predicted[index]);
            let reason = match verdict {
                // Two processes may agree by chance.
                Verdict::Agree if varies.is_some() => varies,
                Verdict::Agree if settled(&predicted[index], real) == settled(&predicted[index], again) => None,
                Verdict::Refused(_) if dies_alike(real, again) => None,
                Verdict::Agree | Verdict::Refused(_) => Some("not the same in another process".to_owned()),
                Verdict::Inconclusive(reason) => Some(reason),
                Verdict::Diverge(divergence) => {
                    let line = format!("{} at {}: {}", divergence.signature, divergence.at, case.origin);
                    outcome.disagreements.push(line);
                    Some("diverges".to_owned())
                }
            };
            match reason {
                None => kept.push(index),
                Some(reason) => *outcome.dropped.entry(reason).or_default() += 1,
            }
        }
        let mut lost = self.lost(&mut first, &once, &kept)?;
        for index in kept {
            let from = cases[index].origin.to_string();
            let lost = lost.remove(&index).unwrap_or_default();
            outcome.entries.push(Entry::of(&cases[index].bytes, from, &predicted[index], &once[&index], lost));
        }
        Ok(outcome)
    }

    /// The marshal versions whose dump the interpreter itself reads as another value, by case.
    fn lost(
        &self,
        subject: &mut dyn Subject,
        answers: &BTreeMap<usize, Observation>,
        kept: &[usize],
    ) -> Result<BTreeMap<usize, Vec<u8>>> {
        let mut lost: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
        let mut dumps = Vec::new();
        for &index in kept {
            if let Observation::Accepted(Accepted { canon, dumps: all, .. }) = &answers[&index] {
                let bytes = all.iter().filter_map(|(version, dump)| match dump {
                    Dump::Bytes { bytes, .. } => Some((index, canon, *version, bytes)),
                    _ => None,
                });
                dumps.extend(bytes);
            }
        }
        for batch in dumps.chunks(BATCH) {
            let cases = batch.iter().map(|(_, _, _, bytes)| (*bytes).clone()).collect();
            let load = Load { canon: CanonMode::Text, consumed: false, versions: Vec::new(), cases };
            for ((index, canon, version, _), read) in batch.iter().zip(subject.load(&load)?) {
                if !matches!(&read, Observation::Accepted(read) if read.canon == **canon) {
                    lost.entry(*index).or_default().push(*version);
                }
            }
        }
        Ok(lost)
    }
}

/// The answers to all cases, asked in this order as far as their questions are alike.
fn answers(
    subject: &mut dyn Subject,
    cases: &[Case],
    predicted: &[Observation],
    order: &[usize],
) -> Result<BTreeMap<usize, Observation>> {
    let mut answers = BTreeMap::new();
    let mut alike: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for &index in order {
        match question(&predicted[index]) {
            Ok(question) => alike.entry(question).or_default().push(index),
            Err(_) => {
                let case = cases[index].bytes.clone();
                let load = Load { canon: CanonMode::None, consumed: false, versions: Vec::new(), cases: vec![case] };
                answers.extend(subject.load(&load)?.into_iter().map(|observation| (index, observation)));
            }
        }
    }
    for (question, indexes) in alike {
        for batch in indexes.chunks(BATCH) {
            let streams: Vec<&Case> = batch.iter().map(|&index| &cases[index]).collect();
            answers.extend(batch.iter().copied().zip(subject.load(&question.about(&streams, CanonMode::Text))?));
        }
    }
    Ok(answers)
}

/// An answer without the bytes that depend on more than the value.
fn settled(predicted: &Observation, real: &Observation) -> Observation {
    let mut real = real.clone();
    if let (Observation::Accepted(expected), Observation::Accepted(real)) = (predicted, &mut real) {
        for (version, dump) in &mut real.dumps {
            let varies =
                |(v, dump): &(u8, Dump)| v == version && matches!(dump, Dump::Bytes { unpredictable: Some(_), .. });
            if let (true, Dump::Bytes { bytes, .. }) = (expected.dumps.iter().any(varies), dump) {
                bytes.clear();
            }
        }
        if let Canon::Failed(reason) = &mut real.canon {
            reason.clear();
        }
    }
    real
}

/// Why nobody can tell the canon, if so.
fn varies(predicted: &Observation) -> Option<String> {
    match predicted {
        Observation::Accepted(Accepted { canon: Canon::Varies(aspect, _), .. }) => {
            Some(format!("the canon varies: {aspect}"))
        }
        _ => None,
    }
}

/// Whether both processes came to the same kind of end.
fn dies_alike(one: &Observation, other: &Observation) -> bool {
    one.class() == other.class()
}
