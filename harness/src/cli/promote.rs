//! `provost promote`: a finding becomes a regression fixture.

use super::replay::Content;
use super::subjects::Chosen;
use super::{MORE, Search, corpus};
use crate::case::Form;
use crate::comparison::Pair;
use crate::corpus::promote::{Tried, Words, look_up};
use crate::corpus::tables;
use crate::oracle::{Relation, Verdict};
use crate::repro::summary;
use crate::subjects::core::Core;
use anyhow::{Context, Result, ensure};
use clap::Args;
use std::path::{Path, PathBuf};

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

impl Promote {
    pub(crate) fn run(&self) -> Result<u8> {
        let case = look_up(&self.finding, self.number)?;
        let mut subjects = self.search.subjects(&self.subject)?;
        let is_of_core = |relation: Relation| case.finding.relation == relation.to_string();
        ensure!(
            !subjects.is_empty() || is_of_core(Relation::Preserve) || is_of_core(Relation::Reread),
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

/// What every subject does with a file, and whether it is what it owes; then what pyc-core does otherwise than it owes to
/// itself.
fn try_all(path: &Path, subjects: &mut [Chosen]) -> Result<Vec<Tried>> {
    let cases = Content::read(path)?.cases(path);
    // Of a .pyc file, the header is the case.
    let case = cases.first().with_context(|| format!("{} holds no case", path.display()))?;
    let relation_of = |verdict: &Verdict| match verdict {
        Verdict::Diverge(divergence) => Some(divergence.signature.relation),
        _ => None,
    };
    let mut tried = Vec::new();
    for Chosen { id, pair, .. } in subjects {
        // In a new process, as what was asked before can leave something behind.
        let mut pair = pair.fresh();
        let family = pair.family().to_owned();
        let owed = if case.form == Form::Stream { pair.core().owed() } else { Relation::Header };
        let mut compared = pair.compare_in(owed, &family, std::slice::from_ref(case))?;
        if owed != Relation::Header {
            // What the core dumped is read by the subject, too.
            let reread = pair.compare_in(Relation::Reread, &family, std::slice::from_ref(case))?;
            compared.extend(reread.into_iter().filter(|one| relation_of(&one.verdict).is_some()));
        }
        tried.extend(compared.iter().map(|one| Tried {
            subject: id.clone(),
            says: summary(&one.observation),
            broken: relation_of(&one.verdict),
        }));
    }
    for core in Core::all() {
        let subject = format!("core:{}", core.profile().version);
        for (divergence, _) in Pair::alone(core).divergences(case)? {
            let broken = Some(divergence.signature.relation);
            tried.push(Tried { subject: subject.clone(), says: divergence.to_string(), broken });
        }
    }
    Ok(tried)
}
