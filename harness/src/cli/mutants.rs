//! `provost faults --mutants`: whether the generators find what cargo-mutants makes of pyc-core.

use super::{root, target_dir};
use crate::faults::mutants::report::{Built, Outcome, Row, SECTION, State, Terms};
use crate::faults::mutants::{Found, Tests, fingerprint};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What is wanted.
pub(super) struct Arguments<'a> {
    pub(super) seeds: &'a [u64],
    pub(super) cases: u64,
    pub(super) json: bool,
    /// Whether it is what the table of survivors is about.
    pub(super) is_whole: bool,
    /// The file whose section about it is written.
    pub(super) document: Option<PathBuf>,
}

/// Exit status 1 if the table of survivors is not what came out. Fewer cases find less.
pub(super) fn run(arguments: &Arguments) -> Result<u8> {
    let Arguments { seeds, cases, json, is_whole, ref document } = *arguments;
    let (root, target) = (root(), target_dir());
    let out = target.join("provost").join("mutants");
    // Not with what cargo builds of this workspace: it takes the members of the copy for them.
    let target = target.join("provost").join("mutants-target");
    let corpus = root.join("corpus");
    let Built { mutants, tests } = build(&root, &out, &target)?;
    let seeds_text: Vec<String> = seeds.iter().map(u64::to_string).collect();
    let seeds_text = seeds_text.join(",");
    let wanted = || mutants.iter().filter(|mutant| mutant.state == State::Built);
    let numbers = out.join("wanted.json");
    let ids: Vec<u32> = wanted().map(|mutant| mutant.id).collect();
    fs::write(&numbers, serde_json::to_vec(&ids)?).with_context(|| numbers.display().to_string())?;
    let mut contest = Command::new(target.join("release/contest"));
    contest.arg(&corpus).args(["--seeds", &seeds_text, "--cases", &cases.to_string()]);
    contest.arg("--mutants").arg(&numbers);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    contest.args(["--threads", &threads.to_string()]);
    let output = contest.stderr(Stdio::inherit()).output().context("the program that compares mutants")?;
    ensure!(output.status.success(), "the program that compares mutants ended with {}", output.status);
    let mut found: Found = serde_json::from_slice(&output.stdout).context("the program that compares mutants")?;
    ensure!(
        found.fingerprint == fingerprint(&corpus, seeds, cases)?,
        "with all mutants off the copy does not say what pyc-core says"
    );
    let terms = Terms { seeds: seeds.to_vec(), cases };
    let mut rows = Vec::new();
    for mutant in wanted() {
        let found = found.first.remove(&mutant.id).context("a mutant that was not looked for")?;
        rows.push(Row { mutant, found, is_tested: None });
    }
    Tests { programs: tests, folder: out.join("pyc-core") }.run(&mut rows, threads)?;
    let outcome = Outcome::new(&rows);
    tell(&rows, &outcome, &terms, json)?;
    if let Some(path) = document {
        let command = format!("cargo provost faults --mutants --seeds {seeds_text} --cases {cases}");
        let old = fs::read_to_string(path).unwrap_or_default();
        let before = old.find(SECTION).map_or(&*old, |at| &old[..at]).trim_end();
        fs::write(path, format!("{before}\n\n{}", outcome.section(&terms, &command)).trim_start())
            .with_context(|| format!("cannot write {}", path.display()))?;
        eprintln!("written {}", path.display());
    }
    let complaints = if is_whole { outcome.complaints() } else { Vec::new() };
    complaints.iter().for_each(|complaint| eprintln!("{complaint}"));
    Ok(u8::from(!complaints.is_empty()))
}

fn tell(rows: &[Row], outcome: &Outcome, terms: &Terms, json: bool) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        for row in rows {
            writeln!(out, "{}", serde_json::to_string(row)?)?;
        }
        return Ok(());
    }
    writeln!(out, "{}\n{}\n", outcome.table(), outcome.summary(terms))?;
    Ok(write!(out, "{}", outcome.lost())?)
}

/// Writes the copy with all mutants to `out` and builds it.
fn build(root: &Path, out: &Path, target: &Path) -> Result<Built> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["run", "--quiet", "-p", "mutants", "--"]).args([root, out, target]).current_dir(root);
    let status = command.status().context("cargo run -p mutants")?;
    ensure!(status.success(), "the mutants could not be built ({status})");
    let path = out.join("mutants.json");
    let text = fs::read(&path).with_context(|| path.display().to_string())?;
    serde_json::from_slice(&text).with_context(|| path.display().to_string())
}
