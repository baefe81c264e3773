//! `provost identify`: which Python wrote what is in a file.

use super::{Search, select, target_dir};
use crate::subjects::core::Core;
use crate::toolbox::answer::{Output, answer};
use crate::toolbox::identify::View;
use crate::toolbox::measure::{Compiler, measure};
use crate::toolbox::{Archives, Paths};
use anyhow::Result;
use clap::Args;
use std::collections::BTreeSet;

/// Arguments of `identify`.
///
/// Exit status: 0 a stream was found in every file; 1 in some there is none; 2 the command was wrong.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 a stream was found in every file; 1 in some file there is none, or --measure found less \
    than 99 %; 2 the command was wrong. Schema of --json: harness/schema/identify.schema.json."
)]
pub(crate) struct Identify {
    #[command(flatten)]
    paths: Option<Paths>,
    #[command(flatten)]
    output: Output,
    /// In place of files: measure it on the standard library of every interpreter found, without headers. Needs Python
    #[arg(long, conflicts_with_all = ["paths", "json"])]
    measure: bool,
    /// With --measure, only so many files of each library, chosen at random but always the same
    #[arg(long, value_name = "N", requires = "measure")]
    files: Option<usize>,
    /// With --measure, only the libraries of these subjects, such as cpython:3.12 (repeatable)
    #[arg(long, value_name = "ID", requires = "measure")]
    subject: Vec<String>,
    #[command(flatten)]
    search: Search,
}

/// The least share that is good enough, in percent.
const LEAST: f64 = 99.0;

impl Identify {
    pub(crate) fn run(&self) -> Result<u8> {
        if self.measure {
            return self.libraries();
        }
        let Some(paths) = &self.paths else { anyhow::bail!("no file is named; see provost identify --help") };
        answer(paths, Archives::Read, self.output, |_, bytes| Ok(View::of(&bytes)))
    }

    fn libraries(&self) -> Result<u8> {
        let discovery = self.search.run().whole()?;
        let chosen = select(&discovery.found.interpreters, &self.subject)?;
        let folder = target_dir().join("provost").join("stdlib");
        let (mut seen, mut compilers) = (BTreeSet::new(), Vec::new());
        for interpreter in &discovery.found.interpreters {
            let core = Core::of(&interpreter.facts).ok().filter(Core::is_model);
            let Some(core) = core.filter(|core| seen.insert(core.profile().version)) else { continue };
            compilers.push(Compiler::of(interpreter, core.profile(), &folder)?);
        }
        anyhow::ensure!(!compilers.is_empty(), "no CPython was found; {}", super::MORE);
        let mut status = 0;
        for which in 0..compilers.len() {
            if !chosen.iter().any(|one| one.id == compilers[which].id) {
                continue;
            }
            let tally = measure(&mut compilers, which, self.files)?;
            let (id, share) = (&compilers[which].id, tally.share());
            println!(
                "{id}: {} files, {} first, {} tied with the same bytes, {} tied but for flags, {share:.2} %",
                tally.files, tally.first, tally.tied, tally.flags
            );
            if !self.output.quiet {
                tally.missed.iter().for_each(|missed| println!("  {missed}"));
            }
            status |= u8::from(share < LEAST);
        }
        Ok(status)
    }
}
