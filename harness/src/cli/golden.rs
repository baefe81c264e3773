//! `provost golden`: asks every interpreter found and writes `corpus/golden` anew.

use super::{Search, corpus, select};
use crate::case::{Case, Origin};
use crate::comparison::Pair;
use crate::corpus::{Kind, tables};
use crate::generators::{Generator, generate, seeds};
use crate::golden::{self, ByHand, Entry, Head, Novelty, Outcome, open, print};
use crate::subjects::Reality;
use crate::subjects::core::{Core, payload};
use anyhow::{Context, Result};
use clap::Args;
use interpreters::Limits;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Longer streams make a corpus that nobody reads; those of a folder are taken whatever their length is.
const LONGEST: usize = 300;

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
    /// Drop streams that were added by earlier runs and are no longer needed
    #[arg(long)]
    anew: bool,
    /// Where to write [default: the folder golden of the corpus]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The folder of the corpus [default: that of the repository]
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// Only these subjects, such as cpython:3.12 (repeatable)
    #[arg(long, value_name = "ID")]
    subject: Vec<String>,
    #[command(flatten)]
    search: Search,
}

impl Golden {
    /// Exit status 1 if an interpreter disagrees with the core, 2 if one that was named cannot be used.
    pub(crate) fn run(&self) -> Result<u8> {
        let discovery = self.search.run().whole()?;
        let corpus = corpus(self.corpus.as_deref());
        let out = self.out.clone().unwrap_or_else(|| corpus.join("golden"));
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
            let cases = self.cases(&corpus, &core, before)?;
            let head = Head::of(facts, core.profile());
            let subject = Box::new(Reality::new(interpreter, Limits::default()));
            let Outcome { mut entries, dropped, disagreements } =
                golden::ask(&mut Pair::new(&facts.implementation, core, subject), &cases)?;
            let text = print(&head, &mut entries)?;
            fs::write(&file, &text).with_context(|| format!("cannot write {}", file.display()))?;
            println!("{}: {} streams, {} KiB", interpreter.id, entries.len(), text.len() >> 10);
            dropped.iter().for_each(|(reason, n)| println!("  {n} left out: {reason}"));
            disagreements.iter().for_each(|line| println!("  DIVERGE {line}"));
            disagreed |= !disagreements.is_empty();
        }
        if self.out.is_none() {
            // The fixtures tell in short what was answered.
            tables::write(&corpus)?;
        }
        Ok(u8::from(disagreed))
    }

    /// Chooses the cases of one interpreter: all that people chose, and what is new of the others, shortest first.
    fn cases(&self, corpus: &Path, core: &Core, before: Vec<Entry>) -> Result<Vec<Case>> {
        let mut chosen = Vec::new();
        for folder in Kind::ALL.map(|kind| corpus.join(kind.folder())).iter().chain(&self.add) {
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
}
