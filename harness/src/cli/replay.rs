//! `provost replay`: one case, every subject, side by side.

use super::subjects::Chosen;
use super::{MORE, Search};
use crate::case::sha256_hex;
use crate::comparison::Compared;
use crate::generators::pyc::Source;
use crate::input::Content;
use crate::observation::{Dump, Observation};
use crate::oracle::Verdict;
use crate::progress::table;
use crate::repro::{self, Kept};
use crate::subjects::core::Core;
use anyhow::Result;
use clap::Args;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// A marshal stream, or a .pyc file: its header, compared with the .py file of the same name if there is one, and its
    /// stream
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
    /// What a person types to ask the same interpreter.
    program: String,
    predicted: Observation,
    observed: Observation,
    verdict: Verdict,
}

impl Replay {
    /// Exit status 1 if a subject diverges from the core, 2 if one that was named cannot be used.
    pub(crate) fn run(&self) -> Result<u8> {
        let Content { import, stream } = Content::read(&self.case)?;
        let (mut headers, mut answers) = (Vec::new(), Vec::new());
        for Chosen { id, version, program, mut pair } in self.search.subjects(&self.subject)? {
            let program = program.as_deref().map_or_else(|| repro::program(&id, &version), repro::shell_path);
            let answer = |predicted, observed, verdict| {
                let (id, version, program) = (id.clone(), version.clone(), program.clone());
                Answer { id, version, program, predicted, observed, verdict }
            };
            if let Some(import) = import.as_ref().filter(|_| pair.core().is_model()) {
                let predicted = pair.core().import(import);
                let observed = pair.ask_headers(std::slice::from_ref(import))?.swap_remove(0);
                let verdict = pair.judge_header(&predicted, &observed);
                headers.push(answer(predicted, observed, verdict));
            }
            if let Some(stream) = &stream {
                let Compared { prediction, observation, verdict } = pair.compare(stream)?;
                answers.push(answer(prediction.observation, observation, verdict));
            }
        }
        let mut out = std::io::stdout().lock();
        let file = std::path::absolute(&self.case)?.display().to_string();
        if headers.is_empty() && answers.is_empty() {
            writeln!(
                out,
                "No interpreter that can be used was found; this is what pyc-core predicts of each.\n{MORE}\n"
            )?;
        }
        if let Some(import) = &import {
            writeln!(out, "{}: the header, {}\n", self.case.display(), described(&import.file))?;
            let commands = |answer: &Answer| {
                let source = import.source.clone().map(|(bytes, mtime)| Source { bytes, mtime });
                repro::import(&answer.program, &answer.version, &import.file, source.as_ref(), &file)
            };
            show(&mut out, &headers, &|core| core.import(import), &commands)?;
        }
        if let Some(stream) = &stream {
            let gap = if import.is_some() { "\n" } else { "" };
            let header = import.as_ref().map_or(0, |import| import.file.len() - stream.len());
            let kept = Kept { path: &file, from: header };
            writeln!(out, "{gap}{}: {}\n", self.case.display(), described(stream))?;
            let commands = |answer: &Answer| {
                let dump = match &answer.verdict {
                    Verdict::Diverge(divergence) => divergence.dump,
                    _ => None,
                };
                [
                    repro::python(&answer.program, &answer.version, stream, dump, kept),
                    repro::rust(&answer.version, stream, dump, kept),
                ]
            };
            show(&mut out, &answers, &|core| core.predict(stream).observation, &commands)?;
        }
        let diverges = |answer: &Answer| matches!(answer.verdict, Verdict::Diverge(_));
        Ok(u8::from(headers.iter().chain(&answers).any(diverges)))
    }
}

fn described(bytes: &[u8]) -> String {
    format!("{} bytes, sha256 {}", bytes.len(), sha256_hex(bytes))
}

/// What each interpreter says, and the first difference of each kind with the commands that show it; without interpreters,
/// what is predicted.
fn show(
    out: &mut impl Write,
    answers: &[Answer],
    predict: &dyn Fn(&Core) -> Observation,
    commands: &dyn Fn(&Answer) -> [String; 2],
) -> Result<()> {
    if answers.is_empty() {
        let mut rows = vec![["core", "predicts"].map(String::from).to_vec()];
        let predicted = |core: Core| vec![core.profile().version.to_string(), repro::summary(&predict(&core))];
        rows.extend(Core::all().map(predicted));
        return Ok(write!(out, "{}", table(&rows))?);
    }
    let mut rows = vec![["subject", "verdict", "the interpreter", "the core"].map(String::from).to_vec()];
    for answer in answers {
        let verdict = match &answer.verdict {
            Verdict::Agree => format!("agree{}", left_out(&answer.predicted)),
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
    differences(out, answers, commands)
}

/// Which dumps an agreement is not about, and why.
fn left_out(predicted: &Observation) -> String {
    let Observation::Accepted(accepted) = predicted else { return String::new() };
    let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (version, dump) in &accepted.dumps {
        let reason = match dump {
            Dump::Undefined(cause) => format!("undefined ({cause})"),
            Dump::Slow { reason, .. } => format!("slow ({reason})"),
            Dump::Bytes { .. } | Dump::Raises(_) => continue,
        };
        reasons.entry(reason).or_default().push(version.to_string());
    }
    let text =
        |(reason, versions): (&String, &Vec<String>)| format!("; dumps {} {reason}, not compared", versions.join(" "));
    reasons.iter().map(text).collect()
}

/// The first difference of each kind with the commands that show it; without one, the commands for the newest subject.
fn differences(out: &mut impl Write, answers: &[Answer], commands: &dyn Fn(&Answer) -> [String; 2]) -> Result<()> {
    let mut seen = Vec::new();
    for answer in answers {
        let Verdict::Diverge(divergence) = &answer.verdict else { continue };
        if seen.contains(&&divergence.signature) {
            continue;
        }
        seen.push(&divergence.signature);
        writeln!(out, "\n{}: {}", answer.id, divergence.signature)?;
        writeln!(out, "  first difference  {}", divergence.at)?;
        writeln!(out, "  the core          {}", repro::excerpt(&divergence.core))?;
        writeln!(out, "  the interpreter   {}", repro::excerpt(&divergence.subject))?;
        let [python, rust] = commands(answer);
        writeln!(out, "  Python  {python}\n  Rust    {rust}")?;
    }
    if let (true, Some(answer)) = (seen.is_empty(), answers.last()) {
        writeln!(out, "\nto see it yourself ({}):", answer.id)?;
        let [python, rust] = commands(answer);
        writeln!(out, "  Python  {python}\n  Rust    {rust}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agreement_names_the_dumps_that_it_is_not_about() {
        let check = |version: &str, stream: &[u8], expected: &str| {
            let predicted = Core::named(version).unwrap().predict(stream).observation;
            assert_eq!(left_out(&predicted), expected, "{version}");
        };
        let nested = [b">\x01\0\0\0".repeat(22), b"N".to_vec()].concat();
        check("3.12", &nested, "; dumps 0 1 2 3 4 slow (sorting-sets), not compared");
        check("3.10", &nested, "");
        // A chain of pairs of the same thing doubles with every link, before there are references.
        let link = |slot: u8| [&b"\xdb\x02\0\0\0"[..], &[b'r', slot, 0, 0, 0].repeat(2)].concat();
        let bomb = [b"[\x1e\0\0\0\xdb\0\0\0\0".to_vec(), (0..29).flat_map(link).collect()].concat();
        check("3.12", &bomb, "; dumps 0 1 2 undefined (expansion), not compared");
    }
}
