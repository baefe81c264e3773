//! `provost promote`: a finding becomes a regression fixture.

use super::{MORE, Search, root, select};
use crate::comparison::{Compared, Pair};
use crate::corpus::promote::{Tried, Words, look_up};
use crate::corpus::tables;
use crate::oracle::{Relation, Verdict};
use crate::repro::summary;
use crate::roundtrip::roundtrip;
use crate::subjects::Reality;
use crate::subjects::core::Core;
use anyhow::{Context, Result, ensure};
use clap::Args;
use interpreters::{Interpreter, Limits};
use protocol::Import;
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
    #[command(flatten)]
    search: Search,
}

impl Promote {
    pub(crate) fn run(&self) -> Result<u8> {
        let case = look_up(&self.finding, self.number)?;
        let discovery = self.search.run().whole()?;
        let interpreters = select(&discovery.found.interpreters, &self.subject)?;
        let is_of_core = |relation: Relation| case.finding.relation == relation.to_string();
        ensure!(
            !interpreters.is_empty() || is_of_core(Relation::Preserve) || is_of_core(Relation::Reread),
            "no interpreter was found, and without one nothing fails\n{MORE}"
        );
        let corpus = root().join("corpus");
        let words = Words { name: self.name.clone(), what: self.what.clone(), root_cause: self.root_cause.clone() };
        let name = case.promote(&corpus, &words, &mut |path| try_all(path, &interpreters))?;
        tables::write(&corpus)?;
        case.tell(&name)?;
        println!(
            "written corpus/{name}; mend what is wrong, then `cargo provost golden` keeps what the interpreters answer"
        );
        Ok(0)
    }
}

/// What every subject does with a file, and whether it is what it owes.
fn try_all(path: &Path, interpreters: &[&Interpreter]) -> Result<Vec<Tried>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let is_file = path.extension().is_some_and(|extension| extension == "pyc");
    let mut tried = Vec::new();
    for interpreter in interpreters {
        let Ok(core) = Core::of(&interpreter.facts) else { continue };
        let subject = Box::new(Reality::new(interpreter, Limits::default()));
        let mut pair = Pair::new(&interpreter.facts.implementation, core, subject);
        let (observed, verdict) = if is_file {
            let ask = Import { file: bytes.clone(), source: None };
            let observed = pair.ask_headers(std::slice::from_ref(&ask))?.swap_remove(0);
            let verdict = pair.judge_header(&pair.core().import(&ask), &observed);
            (observed, verdict)
        } else {
            let Compared { observation, verdict, .. } = pair.compare(&bytes)?;
            (observation, verdict)
        };
        let broken = match verdict {
            Verdict::Diverge(divergence) => Some(divergence.signature.relation),
            _ => None,
        };
        tried.push(Tried { subject: interpreter.id.clone(), says: summary(&observed), broken });
    }
    if !is_file {
        tried.extend(Core::all().filter_map(|core| {
            let says = roundtrip(&core, &bytes).err()?;
            let broken = if says.contains("reread") { Relation::Reread } else { Relation::Preserve };
            Some(Tried { subject: format!("core:{}", core.profile().version), says, broken: Some(broken) })
        }));
    }
    Ok(tried)
}
