//! `provost replay`: one case, every subject, side by side.

use super::subjects::Chosen;
use super::{MORE, Search};
use crate::case::{Case, Origin, sha256_hex};
use crate::comparison::Compared;
use crate::generators::pyc::Source;
use crate::input::Content;
use crate::observation::{Dump, Observation, explained};
use crate::oracle::{Relation, Verdict};
use crate::progress::table;
use crate::properties;
use crate::repro::{self, Kept};
use crate::subjects::core::Core;
use crate::toolbox::identify::View;
use crate::toolbox::places::source_of;
use crate::toolbox::source::module;
use anyhow::Result;
use clap::Args;
use pyc_core::magic::Magic;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Arguments of `replay`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 nothing diverges; 1 a subject diverges from the core; 2 the command was wrong, or a subject \
    that was named cannot be used."
)]
pub(crate) struct Replay {
    /// A .pyc file or a marshal stream, recognized by content; - reads standard input. A .pyc file's header is compared with its
    /// source, if there is one
    case: PathBuf,
    /// Read the file as this Python's, such as 3.14. Overrides the magic number; required for streams without a .pyc header
    #[arg(long = "as", value_name = "X.Y[.Z]")]
    writer: Option<String>,
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
    /// The command line, if it is a reader behind an adapter.
    adapter: Option<String>,
    predicted: Observation,
    observed: Observation,
    verdict: Verdict,
}

impl Replay {
    /// Exit status 1 if a subject diverges from the core, 2 if one that was named cannot be used.
    pub(crate) fn run(&self) -> Result<u8> {
        let asked = self.writer.as_deref().map(Core::named).transpose().map_err(anyhow::Error::msg)?;
        let Content { import, stream } = Content::read(&self.case, asked.as_ref().map(Core::profile))?;
        let (mut headers, mut answers, mut broken) = (Vec::new(), Vec::new(), Vec::new());
        for Chosen { id, version, program, adapter, mut pair } in self.search.subjects(&self.subject)? {
            let program = program.as_deref().map_or_else(|| repro::program(&id, &version), repro::shell_path);
            let answer = |predicted, observed, verdict| {
                let (id, version, program, adapter) = (id.clone(), version.clone(), program.clone(), adapter.clone());
                Answer { id, version, program, adapter, predicted, observed, verdict }
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
                let case = Case::stream(stream.clone(), Origin::File(self.case.display().to_string()));
                let family = pair.family().to_owned();
                // They are told only if they differ.
                for one in pair.compare_in(Relation::Bytecode, &family, &[case])? {
                    if matches!(one.verdict, Verdict::Diverge(_)) {
                        answers.push(answer(one.prediction.observation, one.observation, one.verdict));
                    }
                }
                if let Some((property, says)) = properties::broken(pair.core(), stream) {
                    broken.push(format!("pyc-core as {version} does not keep {property}: {says}"));
                }
            }
        }
        // What pyc-core promises by itself needs no interpreter.
        for core in Core::all().filter(|_| answers.is_empty()) {
            let told = stream.as_ref().and_then(|stream| properties::broken(&core, stream));
            let version = core.profile().version;
            broken
                .extend(told.map(|(property, says)| format!("pyc-core as {version} does not keep {property}: {says}")));
        }
        let mut out = std::io::stdout().lock();
        let is_stdin = self.case == Path::new("-");
        let file =
            if is_stdin { "/dev/stdin".to_owned() } else { std::path::absolute(&self.case)?.display().to_string() };
        let name = module(&self.case);
        let magic = import.as_ref().and_then(|import| Magic::at_start(&import.file)).and_then(Magic::family);
        let own = asked.as_ref().map(Core::profile).or(magic).map(|profile| profile.version.to_string());
        let shown = Shown { module: &name, own: own.as_deref() };
        if headers.is_empty() && answers.is_empty() {
            writeln!(
                out,
                "No interpreter that can be used was found; this is what pyc-core predicts of each.\n{MORE}\n"
            )?;
        }
        if let Some(import) = &import {
            writeln!(out, "{}: the header, {}", self.case.display(), described(&import.file))?;
            match (&import.source, source_of(&self.case)) {
                (Some(_), Some(path)) => writeln!(out, "compared with its source, {}\n", path.display())?,
                (_, path) => {
                    let place = path.map_or(String::new(), |path| format!(" at {}", path.display()));
                    writeln!(out, "compared with no source: there is none{place}\n")?;
                }
            }
            let commands = |answer: &Answer| {
                let source = import.source.clone().map(|(bytes, mtime)| Source { bytes, mtime });
                let [python, rust] =
                    repro::import(&answer.program, &answer.version, &import.file, source.as_ref(), &file, &name);
                vec![("Python", python), ("Rust", rust)]
            };
            show(&mut out, &headers, &|core| core.import(import), &commands, &shown)?;
        }
        if let Some(stream) = &stream {
            let gap = if import.is_some() { "\n" } else { "" };
            let header = import.as_ref().map_or(0, |import| import.file.len() - stream.len());
            let kept = Kept { path: &file, from: header };
            writeln!(out, "{gap}{}: {}\n", self.case.display(), described(stream))?;
            let commands = |answer: &Answer| {
                let shown = match &answer.verdict {
                    Verdict::Diverge(divergence) => repro::Shown::of(divergence),
                    _ => repro::Shown::Value,
                };
                let python = ("Python", repro::python(&answer.program, &answer.version, stream, shown, kept));
                match &answer.adapter {
                    Some(adapter) => {
                        let asked = repro::adapter(adapter, &answer.version, stream);
                        asked.map(|asked| ("Reader", asked)).into_iter().chain([python]).collect()
                    }
                    None => vec![python, ("Rust", repro::rust(&answer.version, stream, shown, kept))],
                }
            };
            show(&mut out, &answers, &|core| core.predict(stream).observation, &commands, &shown)?;
            looks_like(&mut out, import.as_ref().map_or(stream, |import| &import.file))?;
        }
        let file = import.as_ref().and_then(|import| properties::broken_file(&import.file));
        broken.extend(file.map(|(property, says)| format!("pyc-core does not keep {property}: {says}")));
        broken.iter().try_for_each(|line| writeln!(out, "\n{line}"))?;
        let diverges = |answer: &Answer| matches!(answer.verdict, Verdict::Diverge(_));
        Ok(u8::from(!broken.is_empty() || headers.iter().chain(&answers).any(diverges)))
    }
}

/// Commands that show what a subject does, and whose they are.
type Commands = Vec<(&'static str, String)>;

/// What people are shown of what subjects say.
struct Shown<'s> {
    /// The module that the file is imported as; the workers call it `case`.
    module: &'s str,
    /// The version that wrote the file, if that is known.
    own: Option<&'s str>,
}

impl Shown<'_> {
    fn text(&self, observation: &Observation) -> String {
        let text = repro::summary(observation).replace("'case'", &format!("'{}'", self.module));
        // The core does not know the line of a C file, which depends on the build.
        text.replace("Bad magic number in case", &format!("Bad magic number in {}", self.module))
            .replace(".c:0: ", ".c: ")
    }
}

/// Says so if another Python wrote it than its header tells.
fn looks_like(out: &mut impl Write, file: &[u8]) -> Result<()> {
    let own = Magic::at_start(file).and_then(Magic::family);
    let (python, offset) = own.map_or((String::new(), 0), |own| (own.version.to_string(), own.header.length()));
    match View::of(file).other_than(&python, offset) {
        Some(looks) => Ok(writeln!(out, "\n{looks}")?),
        None => Ok(()),
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
    commands: &dyn Fn(&Answer) -> Commands,
    shown: &Shown,
) -> Result<()> {
    if answers.is_empty() {
        let mut rows = vec![["core", "predicts"].map(String::from).to_vec()];
        let predicted = |core: Core| vec![core.profile().version.to_string(), shown.text(&predict(&core))];
        rows.extend(Core::all().map(predicted));
        return Ok(write!(out, "{}", table(&rows))?);
    }
    let mut rows = vec![["subject", "verdict", "what it says", "what pyc-core predicts"].map(String::from).to_vec()];
    for answer in answers {
        let verdict = match &answer.verdict {
            Verdict::Agree => format!("agree{}", left_out(&answer.predicted)),
            Verdict::Refused(cause) => format!("undefined: {}", explained(cause)),
            Verdict::Inconclusive(why) => format!("inconclusive ({why})"),
            Verdict::Diverge(_) => "DIVERGE".to_owned(),
        };
        let short = |observation: &Observation| shown.text(observation);
        let predicted = if answer.predicted.to_string() == answer.observed.to_string() {
            "the same".to_owned()
        } else {
            short(&answer.predicted)
        };
        rows.push(vec![answer.id.clone(), verdict, short(&answer.observed), predicted]);
    }
    write!(out, "{}", table(&rows))?;
    differences(out, answers, commands, shown)
}

/// Which dumps an agreement is not about, and why.
fn left_out(predicted: &Observation) -> String {
    let Observation::Accepted(accepted) = predicted else { return String::new() };
    let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (version, dump) in &accepted.dumps {
        let reason = match dump {
            Dump::Undefined(cause) => format!("are undefined ({})", explained(cause)),
            Dump::Slow { reason, .. } => format!("are slow ({})", explained(reason)),
            Dump::Bytes { .. } | Dump::Raises(_) => continue,
        };
        reasons.entry(reason).or_default().push(version.to_string());
    }
    let text =
        |(reason, versions): (&String, &Vec<String>)| format!("; dumps {} {reason}, not compared", versions.join(" "));
    reasons.iter().map(text).collect()
}

/// The first difference of each kind with the commands that show it; without one, the commands for the newest subject.
fn differences(
    out: &mut impl Write,
    answers: &[Answer],
    commands: &dyn Fn(&Answer) -> Commands,
    shown: &Shown,
) -> Result<()> {
    let mut seen = Vec::new();
    for answer in answers {
        let Verdict::Diverge(divergence) = &answer.verdict else { continue };
        if seen.contains(&&divergence.signature) {
            continue;
        }
        seen.push(&divergence.signature);
        writeln!(out, "\n{}: {}", answer.id, divergence.signature)?;
        writeln!(out, "  first difference  {}", divergence.at)?;
        let width = answer.id.len().max(16);
        writeln!(out, "  {:width$}  {}", "predicted", repro::excerpt(&divergence.core))?;
        writeln!(out, "  {:width$}  {}", answer.id, repro::excerpt(&divergence.subject))?;
        told(out, commands(answer))?;
    }
    // The Python that wrote it matters most.
    let matters = |answer: &&Answer| shown.own.is_some_and(|own| answer.version.starts_with(&format!("{own}.")));
    let answer = answers.iter().find(matters).or(answers.last());
    if let (true, Some(answer)) = (seen.is_empty(), answer) {
        writeln!(out, "\nto see it yourself ({}):", answer.id)?;
        told(out, commands(answer))?;
    }
    Ok(())
}

/// The commands that show it.
fn told(out: &mut impl Write, commands: Commands) -> Result<()> {
    for (who, command) in commands {
        writeln!(out, "  {who:<7} {command}")?;
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
        check(
            "3.12",
            &nested,
            "; dumps 0 1 2 3 4 are slow (it sorts the members of sets in sets again at every level), not compared",
        );
        check("3.10", &nested, "");
        // A chain of pairs of the same thing doubles with every link, before there are references.
        let link = |slot: u8| [&b"\xdb\x02\0\0\0"[..], &[b'r', slot, 0, 0, 0].repeat(2)].concat();
        let bomb = [b"[\x1e\0\0\0\xdb\0\0\0\0".to_vec(), (0..29).flat_map(link).collect()].concat();
        check(
            "3.12",
            &bomb,
            "; dumps 0 1 2 are undefined (the interpreter repeats shared parts without end), not compared",
        );
    }
}
