//! `provost corpus`: which rules have no fixture, fixtures that reach them, and the tables of the corpus.

use super::root;
use super::sync::Sync;
use crate::corpus::cover::Cover;
use crate::corpus::{Fixture, Kind, all, folder, tables, write as write_fixture};
use anyhow::Result;
use clap::{Args, Subcommand};
use std::io::Write;

/// Arguments of `corpus`.
#[derive(Debug, Args)]
pub(crate) struct Corpus {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Print the rules of the format, and the planted faults, that no fixture reaches
    Cover {
        /// Write fixtures for them
        #[arg(long)]
        write: bool,
        /// Decides the generated cases
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Write the tables of the READMEs from the .toml files, and the answers of corpus/golden into these
    Tables,
    /// Share what fuzzing found with other machines and nights: deduplicated, minimized by coverage, bounded; needs cargo-fuzz
    Sync(Sync),
}

impl Corpus {
    /// Exit status 1 if something has no fixture.
    pub(crate) fn run(&self) -> Result<u8> {
        let corpus = root().join("corpus");
        match &self.task {
            Task::Sync(sync) => sync.run(),
            Task::Tables => tables::write(&corpus).map(|()| 0),
            &Task::Cover { write, seed } => {
                let there = all(&corpus)?;
                let cover = Cover::of(&there);
                if !write || cover.is_whole() {
                    return report(&cover);
                }
                let chosen: Vec<Fixture> = folder(&corpus, Kind::Coverage)?;
                let fixtures = Cover::of(&chosen).fill(seed, &|message| eprintln!("{message}"));
                // What a person wrote may be what a generator comes to.
                let is_new = |new: &&Fixture| there.iter().all(|old| old.bytes != new.bytes);
                let mut written = 0;
                for fixture in fixtures.iter().filter(is_new) {
                    write_fixture(&corpus, fixture)?;
                    written += 1;
                }
                tables::write(&corpus)?;
                println!("{written} fixtures written; `cargo provost golden` asks the interpreters about them");
                report(&Cover::of(&all(&corpus)?))
            }
        }
    }
}

fn report(cover: &Cover) -> Result<u8> {
    let mut out = std::io::stdout().lock();
    let (rules, faults) = (cover.missing(), cover.faults());
    for (rule, versions) in &rules {
        writeln!(out, "no fixture reaches: {rule} ({versions})")?;
    }
    for fault in &faults {
        writeln!(out, "no fixture shows the planted fault {fault}")?;
    }
    if cover.is_whole() {
        writeln!(out, "each of {} pairs of a rule and a version has a fixture, and each planted fault", cover.pairs())?;
    }
    Ok(u8::from(!cover.is_whole()))
}
