//! A run that is continued: what its log says it was, and whether it can go on as that.

use super::Hunt;
use crate::cli::Discovery;
use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::Parser;
use interpreters::Interpreter;
use reports::{Log, Run, RunLog, Verdict};
use std::path::{Path, PathBuf};

/// A run, and its log to write to.
pub(super) struct Past {
    pub(super) folder: PathBuf,
    pub(super) log: Log,
    pub(super) run: RunLog,
}

/// The command line of a hunt.
#[derive(Parser)]
struct Command {
    #[command(flatten)]
    hunt: Hunt,
}

impl Past {
    /// Opens the log of a run that was stopped or killed.
    pub(super) fn open(folder: &Path) -> Result<Past> {
        let (log, run) = Log::resume(folder).map_err(|e| anyhow!("{} cannot be continued: {e}", folder.display()))?;
        ensure!(
            run.run.parts.is_empty(),
            "the run in {} was merged from others; continue those, and merge them again",
            folder.display()
        );
        let is_open = |end: &reports::End| end.interrupted || end.verdict == Verdict::Broken;
        ensure!(
            run.end.as_ref().is_none_or(is_open),
            "the run in {} came to its end; begin a new one",
            folder.display()
        );
        Ok(Past { folder: folder.to_owned(), log, run })
    }

    /// What was to be done, with what decides no case from `now`.
    pub(super) fn hunt(&self, now: &Hunt) -> Result<Hunt> {
        let arguments = self.run.run.arguments.iter().map(String::as_str);
        let Command { hunt } = Command::try_parse_from(std::iter::once("hunt").chain(arguments))
            .with_context(|| format!("the arguments in {} are not those of a hunt", self.log.path().display()))?;
        let Hunt { jobs, save_every, cache, .. } = now.clone();
        Ok(Hunt { jobs, save_every, cache, ..hunt })
    }

    /// Refuses when the same arguments would now give other cases or verdicts; `now` is what the header would be.
    pub(super) fn check(&self, now: &Run) -> Result<()> {
        let Run { provost_version, generator_version, arguments, corpus, .. } = &self.run.run;
        let folder = self.folder.display();
        let (was, is) = ((provost_version, generator_version), (&now.provost_version, &now.generator_version));
        ensure!(
            was == is,
            "the run in {folder} is one of Provost {} with generators {}, and this is Provost {} with generators {}: \
             continue it with the program that began it",
            was.0,
            was.1,
            is.0,
            is.1
        );
        ensure!(
            *arguments == now.arguments,
            "the run in {folder} was begun with {arguments:?}, which now means {:?}: begin a new one",
            now.arguments
        );
        ensure!(
            *corpus == now.corpus,
            "the corpus, or what is expected, is not what it was when the run in {folder} began, and the cases would be \
             others: bring it back, or begin a new run"
        );
        Ok(())
    }

    /// Whether something was written down before the run ended, so that the subjects are known.
    pub(super) fn is_begun(&self) -> bool {
        !self.run.subjects.is_empty()
    }

    /// Whether only the core took part, or faults that are planted into it.
    pub(super) fn needs_no_interpreter(&self) -> bool {
        self.is_begun() && !self.run.subjects.iter().any(|subject| subject.usable && subject.facts.is_some())
    }

    /// The interpreters that took part, in their order and under their names.
    pub(super) fn interpreters(&self, discovery: &Discovery) -> Result<Vec<Interpreter>> {
        let mut chosen = Vec::new();
        for subject in self.run.subjects.iter().filter(|subject| subject.usable) {
            let Some(facts) = &subject.facts else { continue };
            let is_it =
                |one: &&Interpreter| one.facts == **facts && Some(one.driver.name()) == subject.driver.as_deref();
            let Some(interpreter) = discovery.found.interpreters.iter().find(is_it) else {
                bail!(
                    "{} took part in the run in {} as {:?} ({}), and that is not here any more: bring it back, or begin a \
                     new run",
                    subject.id,
                    self.folder.display(),
                    facts.build,
                    subject.driver.as_deref().unwrap_or_default()
                );
            };
            let mut interpreter = interpreter.clone();
            interpreter.id.clone_from(&subject.id);
            chosen.push(interpreter);
        }
        Ok(chosen)
    }
}
