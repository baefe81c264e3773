//! `provost replay`: one case, every subject, side by side.

use super::{MORE, Search, select};
use crate::case::sha256_hex;
use crate::observation::{Accepted, Canon, Dump, Observation};
use crate::oracle::Verdict;
use crate::progress::table;
use crate::repro;
use crate::subjects::core::{Core, payload};
use crate::subjects::{Reality, Subject};
use anyhow::{Context, Result};
use clap::Args;
use interpreters::Limits;
use protocol::{CanonMode, Load};
use std::io::Write;
use std::path::PathBuf;

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// A marshal stream, or a .pyc file (its header is cut off)
    case: PathBuf,
    /// Only these subjects, such as cpython:3.12 (repeatable)
    #[arg(long, value_name = "ID")]
    subject: Vec<String>,
    #[command(flatten)]
    search: Search,
}

/// What core and interpreter say.
struct Answer {
    id: String,
    version: String,
    predicted: Observation,
    observed: Observation,
    verdict: Verdict,
}

impl Replay {
    /// Exit status 1 if a subject diverges from the core.
    pub(crate) fn run(&self) -> Result<u8> {
        let bytes = std::fs::read(&self.case).with_context(|| format!("cannot read {}", self.case.display()))?;
        let is_pyc = self.case.extension().is_some_and(|extension| extension == "pyc");
        let case = if is_pyc { payload(&bytes).unwrap_or(bytes) } else { bytes };
        let discovery = self.search.run();
        let interpreters = select(&discovery.found.interpreters, &self.subject)?;
        let mut answers = Vec::new();
        for interpreter in interpreters {
            let core = match Core::of(&interpreter.facts) {
                Ok(core) => core,
                Err(reason) => {
                    eprintln!("{}: skipped: {reason}", interpreter.id);
                    continue;
                }
            };
            let prediction = core.predict(&case);
            let mut subject = Reality::new(interpreter, Limits::default());
            let observed = ask(&mut subject, &case, &prediction.observation)?;
            let family = &interpreter.facts.implementation;
            let verdict = core.judge(family, &prediction, &observed);
            let predicted = prediction.observation;
            let (id, version) = (interpreter.id.clone(), interpreter.facts.version.clone());
            answers.push(Answer { id, version, predicted, observed, verdict });
        }
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}: {} bytes, sha256 {}\n", self.case.display(), case.len(), sha256_hex(&case))?;
        if answers.is_empty() {
            self.alone(&mut out, &case)?;
            return Ok(0);
        }
        show(&mut out, &answers)?;
        let file = std::path::absolute(&self.case)?.display().to_string();
        differences(&mut out, &answers, &case, &file)?;
        Ok(u8::from(answers.iter().any(|answer| matches!(answer.verdict, Verdict::Diverge(_)))))
    }

    fn alone(&self, out: &mut impl Write, case: &[u8]) -> Result<()> {
        writeln!(out, "No interpreter that can be used was found; this is what pyc-core predicts of each.\n{MORE}\n")?;
        let mut rows = vec![["core", "predicts"].map(String::from).to_vec()];
        for core in Core::all() {
            rows.push(vec![core.profile().version.to_string(), repro::summary(&core.predict(case).observation)]);
        }
        write!(out, "{}", table(&rows))?;
        Ok(())
    }
}

/// Asks in full, also for what the model calls undefined: whoever replays a killer wants to see it.
fn ask(subject: &mut dyn Subject, case: &[u8], predicted: &Observation) -> Result<Observation> {
    let (canon, versions) = match predicted {
        Observation::Accepted(Accepted { canon: Canon::Undefined(_), .. }) => (CanonMode::None, Vec::new()),
        Observation::Accepted(accepted) => {
            let finite = |(version, dump): &(u8, Dump)| (!matches!(dump, Dump::Undefined(_))).then_some(*version);
            (CanonMode::Text, accepted.dumps.iter().filter_map(finite).collect())
        }
        _ => (CanonMode::None, Vec::new()),
    };
    let load = Load { canon, consumed: true, versions, cases: vec![case.to_vec()] };
    let observation = subject.load(&load)?.pop();
    observation.context("the subject gave no answer")
}

fn show(out: &mut impl Write, answers: &[Answer]) -> Result<()> {
    let mut rows = vec![["subject", "verdict", "the interpreter", "the core"].map(String::from).to_vec()];
    for answer in answers {
        let verdict = match &answer.verdict {
            Verdict::Agree => "agree".into(),
            Verdict::Refused(cause) => format!("undefined ({cause})"),
            Verdict::Inconclusive(why) => format!("inconclusive ({why})"),
            Verdict::Diverge(_) => "DIVERGE".to_owned(),
        };
        let short = |observation: &Observation| repro::summary(observation);
        let predicted = if answer.predicted.to_string() == answer.observed.to_string() {
            "the same".to_owned()
        } else {
            short(&answer.predicted)
        };
        rows.push(vec![answer.id.clone(), verdict, short(&answer.observed), predicted]);
    }
    write!(out, "{}", table(&rows))?;
    Ok(())
}

/// The first difference of each kind with the commands that show it; without one, the commands for the newest subject.
fn differences(out: &mut impl Write, answers: &[Answer], case: &[u8], file: &str) -> Result<()> {
    let mut seen = Vec::new();
    for answer in answers {
        let Verdict::Diverge(divergence) = &answer.verdict else { continue };
        if seen.contains(&&divergence.signature) {
            continue;
        }
        seen.push(&divergence.signature);
        let dump = repro::dump_version(&divergence.signature.path);
        writeln!(out, "\n{}: {}", answer.id, divergence.signature)?;
        writeln!(out, "  first difference  {}", divergence.at)?;
        writeln!(out, "  the core          {}", repro::excerpt(&divergence.core))?;
        writeln!(out, "  the interpreter   {}", repro::excerpt(&divergence.subject))?;
        writeln!(out, "  Python  {}", repro::python(&answer.id, &answer.version, case, dump, file))?;
        writeln!(out, "  Rust    {}", repro::rust(&answer.version, case, dump, file))?;
    }
    if let (true, Some(answer)) = (seen.is_empty(), answers.last()) {
        writeln!(out, "\nto see it yourself ({}):", answer.id)?;
        writeln!(out, "  Python  {}", repro::python(&answer.id, &answer.version, case, None, file))?;
        writeln!(out, "  Rust    {}", repro::rust(&answer.version, case, None, file))?;
    }
    Ok(())
}
