//! `provost minimize`: cuts a case on which a subject diverges down to the simplest one that shows the same.

use super::hunt::duration;
use super::{MORE, Search};
use crate::case::{Case, Form, hex};
use crate::comparison::Pair;
use crate::input::Content;
use crate::minimize::{Minimized, Outcome};
use crate::oracle::{Divergence, Relation, Signature};
use crate::subjects::core::Core;
use crate::toolbox::replace::create;
use anyhow::{Context, Result, bail};
use clap::Args;
use indicatif::ProgressBar;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Arguments of `minimize`.
#[derive(Debug, Args)]
pub(crate) struct Minimize {
    /// A marshal stream, or a .pyc file
    case: PathBuf,
    /// Only these subjects, such as cpython:3.12 (repeatable)
    #[arg(long, value_name = "ID")]
    subject: Vec<String>,
    /// Only this relation
    #[arg(long, value_enum)]
    relation: Option<Relation>,
    /// How long each divergence may take, such as 30s or 2m
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = duration)]
    minimize_for: Duration,
    /// Where to write the simplest case [default: beside CASE, with the ending .min.marshal or .min.pyc]
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    search: Search,
}

impl Minimize {
    /// Exit status 1 if a subject diverges, and its case was minimized; 0 if none does.
    pub(crate) fn run(&self) -> Result<u8> {
        let cases = Content::read(&self.case, None)?.cases(&self.case);
        let mut done: Vec<Signature> = Vec::new();
        for (id, mut pair) in self.pairs()? {
            for case in &cases {
                for (divergence, _) in pair.divergences(case)? {
                    let wanted = self.relation.is_none_or(|relation| relation == divergence.signature.relation);
                    // Another subject may have shown it.
                    if wanted && !done.contains(&divergence.signature) {
                        self.minimize(&id, &mut pair, case, &divergence, done.len())?;
                        done.push(divergence.signature);
                    }
                }
            }
        }
        if done.is_empty() {
            println!("{}: no subject diverges on it; nothing was written", self.case.display());
        }
        Ok(u8::from(!done.is_empty()))
    }

    /// The interpreters that are wanted, each with the core; the core under every profile where there is none.
    fn pairs(&self) -> Result<Vec<(String, Pair)>> {
        let chosen = self.search.subjects(&self.subject)?;
        let mut pairs: Vec<(String, Pair)> = chosen.into_iter().map(|one| (one.id, one.pair)).collect();
        if pairs.is_empty() {
            eprintln!("No interpreter that can be used was found; pyc-core is compared with itself.\n{MORE}");
            pairs.extend(Core::all().map(|core| (format!("core:{}", core.profile().version), Pair::alone(core))));
        }
        Ok(pairs)
    }

    fn minimize(&self, id: &str, pair: &mut Pair, case: &Case, divergence: &Divergence, nth: usize) -> Result<()> {
        let signature = &divergence.signature;
        println!("{id}: {signature}");
        let bar = ProgressBar::new_spinner();
        let end = Instant::now() + self.minimize_for;
        let mut goes_on = |tries| {
            bar.set_message(format!("{tries} candidates"));
            bar.tick();
            Instant::now() < end
        };
        let outcome = pair.minimize(case, signature, &mut goes_on)?;
        bar.finish_and_clear();
        let Minimized { bytes, tries, complete, .. } = match outcome {
            Outcome::Minimized(minimized) => minimized,
            Outcome::Flaky => bail!("it is flaky: the same case diverges at one time and not at another"),
            Outcome::NotInteresting => bail!("it did not diverge when it was asked again"),
            Outcome::TrivialToo => {
                bail!("the simplest case of all diverges in the same way, so nothing can be left out")
            }
        };
        let out = self.out(case, nth);
        create(&out, &bytes).with_context(|| format!("cannot write {}", out.display()))?;
        let how =
            if complete { "no single step makes it simpler" } else { "the time was up; --minimize-for gives more" };
        println!("  {} -> {} bytes, {tries} candidates; {how}", case.bytes.len(), bytes.len());
        println!("  {}", crate::repro::excerpt(&hex(&bytes)));
        println!("  written to {}", out.display());
        Ok(())
    }

    /// Where the simplest case of a divergence goes: further ones are numbered.
    fn out(&self, case: &Case, nth: usize) -> PathBuf {
        let extension = if case.form == Form::Stream { "marshal" } else { "pyc" };
        let number = if nth == 0 { String::new() } else { format!("-{}", nth + 1) };
        match &self.out {
            Some(out) if nth == 0 => out.clone(),
            Some(out) => numbered(out, &number),
            None => self.case.with_extension(format!("min{number}.{extension}")),
        }
    }
}

/// `a/b.marshal`, `-2` -> `a/b-2.marshal`
fn numbered(path: &Path, number: &str) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map(|extension| format!(".{}", extension.to_string_lossy())).unwrap_or_default();
    path.with_file_name(format!("{stem}{number}{extension}"))
}
