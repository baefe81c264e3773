//! `provost promote`: a finding becomes a regression fixture.

use super::{MORE, Search, corpus};
use crate::comparison::Pair;
use crate::corpus::promote::{Words, look_up, try_all};
use crate::corpus::tables;
use crate::oracle::Relation;
use anyhow::{Result, ensure};
use clap::Args;
use std::path::PathBuf;

/// Arguments of `promote`.
#[derive(Debug, Args)]
pub(crate) struct Promote {
    /// The file of a case in a run's folder, or the run's folder
    finding: PathBuf,
    /// The number of the finding, if a folder with several was named
    number: Option<usize>,
    /// The name of the file, without its version and ending [default: made of --what]
    #[arg(long, value_name = "SLUG")]
    name: Option<String>,
    /// What it is, in one line
    #[arg(long, value_name = "TEXT")]
    what: Option<String>,
    /// Why it went wrong; without it a draft is written in which to say it
    #[arg(long, value_name = "TEXT")]
    root_cause: Option<String>,
    /// Only these subjects, such as cpython:3.12 (repeatable)
    #[arg(long, value_name = "ID")]
    subject: Vec<String>,
    /// The folder of the corpus [default: that of the repository]
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    #[command(flatten)]
    search: Search,
}

/// What the core can break by itself.
const OF_CORE: [Relation; 4] = [Relation::Preserve, Relation::Reread, Relation::Bytecode, Relation::Property];

impl Promote {
    pub(crate) fn run(&self) -> Result<u8> {
        let case = look_up(&self.finding, self.number)?;
        let chosen = self.search.subjects(&self.subject)?;
        let mut subjects: Vec<(String, Pair)> = chosen.into_iter().map(|one| (one.id, one.pair)).collect();
        let is_of_core = |relation: Relation| case.finding.relation == relation.to_string();
        ensure!(
            !subjects.is_empty() || OF_CORE.into_iter().any(is_of_core),
            "no interpreter was found, and without one nothing fails\n{MORE}"
        );
        let corpus = corpus(self.corpus.as_deref());
        let words = Words { name: self.name.clone(), what: self.what.clone(), root_cause: self.root_cause.clone() };
        let name = case.promote(&corpus, &words, &mut |path| try_all(path, &mut subjects))?;
        tables::write(&corpus)?;
        case.tell(&name)?;
        println!(
            "written {}; mend what is wrong, then `cargo provost golden` keeps what the interpreters answer",
            corpus.join(&name).display()
        );
        Ok(0)
    }
}
