//! `provost report`: what came of runs, for continuous integration and for the one who looks in the morning.

use super::hunt::ending::tell;
use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use reports::{FILE_NAME, Finding, Issue, Night, RunLog, fingerprint};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// An issue is closed when so many runs, and none of them, had its finding: a hunt is not sure to find the same each night. Each has
/// to be whole, and to have compared a subject in which the finding was seen.
const ABSENT: usize = 3;

/// The label of tracking issues.
const LABEL: &str = "provost";

/// Arguments of `report`.
#[derive(Debug, Args)]
pub(crate) struct Report {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Tell a CI system what came of a run; the exit status is that of the run
    Ci(Ci),
    /// All runs on one page: what was compared and found when, how fast, and what became worse
    Trend(Trend),
    /// One tracking issue for each new finding, opened and closed with GitHub's `gh`
    Issues(Issues),
}

#[derive(Debug, Args)]
struct Ci {
    /// The folder of the run
    run: PathBuf,
    /// Write JUnit XML: a suite for each subject, a failed test for each new finding
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write SARIF 2.1.0: a result for each finding, those that are expected as suppressed
    #[arg(long, value_name = "FILE")]
    sarif: Option<PathBuf>,
    /// Add a page in Markdown to this file, such as "$GITHUB_STEP_SUMMARY"
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
    /// Print annotations as GitHub reads them from the output of a step
    #[arg(long)]
    annotations: bool,
    /// Earlier runs: a finding that one of them had is not called new in the summary (repeatable)
    #[arg(long, value_name = "RUN")]
    known: Vec<PathBuf>,
}

#[derive(Debug, Args)]
struct Trend {
    /// The folders of the runs; `bench.jsonl` and `faults.jsonl` beside a log are what `cargo provost bench --json` and
    /// `cargo provost faults --json` printed in that night
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Where to write the page
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Debug, Args)]
struct Issues {
    /// The folders of the runs, oldest first. Opens an issue for each finding of the last run. Closes an issue after three whole
    /// runs without its finding, if each compared a subject in which it was seen
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Only print what would be opened; asks nobody
    #[arg(long)]
    dry_run: bool,
}

impl Report {
    pub(crate) fn run(&self) -> Result<u8> {
        match &self.what {
            What::Ci(ci) => ci.run(),
            What::Trend(trend) => trend.run(),
            What::Issues(issues) => issues.run(),
        }
    }
}

fn read(run: &Path) -> Result<RunLog> {
    reports::read(&run.join(FILE_NAME))
        .with_context(|| format!("{} holds no run; a run is a folder with {FILE_NAME} in it", run.display()))
}

/// The runs among these folders. One that holds none, as when a merge was killed, must not hide all others.
fn those_there<'a>(runs: &'a [PathBuf], kind: &str) -> Result<Vec<(&'a Path, RunLog)>> {
    let mut there = Vec::new();
    for run in runs {
        match read(run) {
            Ok(log) => there.push((run.as_path(), log)),
            Err(error) if run.is_dir() => eprintln!("left out of the {kind}: {error:#}"),
            Err(error) => return Err(error),
        }
    }
    Ok(there)
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    eprintln!("written {}", path.display());
    Ok(())
}

impl Ci {
    fn run(&self) -> Result<u8> {
        let log = read(&self.run)?;
        if let Some(path) = &self.junit {
            write(path, &reports::junit(&log))?;
        }
        if let Some(path) = &self.sarif {
            write(path, &format!("{:#}\n", reports::sarif(&log)))?;
        }
        let earlier = those_there(&self.known, "earlier runs")?;
        let signatures = |finding: Finding| std::iter::once(finding.signature).chain(finding.also);
        let known: Vec<String> = earlier.into_iter().flat_map(|(_, log)| log.findings).flat_map(signatures).collect();
        let page = reports::summary(&log, &known);
        if let Some(path) = &self.summary {
            let file = OpenOptions::new().append(true).create(true).open(path);
            file.and_then(|mut file| file.write_all(page.as_bytes()))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        if self.annotations {
            tell(&reports::annotations(&log))?;
        }
        let asked = self.junit.is_some() || self.sarif.is_some() || self.summary.is_some() || self.annotations;
        if !asked {
            tell(&page)?;
        }
        // A run that was killed says nothing.
        Ok(log.end.and_then(|end| u8::try_from(end.exit_code).ok()).unwrap_or(2))
    }
}

impl Trend {
    fn run(&self) -> Result<u8> {
        let runs = those_there(&self.runs, "trend")?;
        ensure!(!runs.is_empty(), "there is no run; a run is a folder with {FILE_NAME} in it");
        let nights = runs.into_iter().map(|(run, log)| night(run, log)).collect::<Result<Vec<Night>>>()?;
        write(&self.out, &reports::trend(&nights))?;
        for reports::Regression(line) in reports::regressions(&nights) {
            tell(&format!("worse: {line}\n"))?;
        }
        Ok(0)
    }
}

/// A run, and what was measured in the same night.
fn night(run: &Path, log: RunLog) -> Result<Night> {
    let lines = |name: &str| -> Result<Vec<Value>> {
        let path = run.join(name);
        let Ok(text) = std::fs::read_to_string(&path) else { return Ok(Vec::new()) };
        let read = |(number, line): (usize, &str)| {
            serde_json::from_str(line).with_context(|| format!("{}, line {}: not JSON", path.display(), number + 1))
        };
        text.lines().enumerate().filter(|(_, line)| !line.is_empty()).map(read).collect()
    };
    let ratio = |row: &Value| {
        let name = format!("{} {}", row["bench"].as_str()?, row["subject"].as_str()?);
        let is_cpython = row["reference"].as_str()?.contains("cpython");
        is_cpython.then_some((name, row["ratio"].as_f64()?))
    };
    let bench: BTreeMap<String, f64> = lines("bench.jsonl")?.iter().filter_map(ratio).collect();
    let faults = lines("faults.jsonl")?;
    let is_found = |row: &&Value| {
        row["found"]["combined"].as_array().is_some_and(|seeds| seeds.iter().all(|first| !first.is_null()))
    };
    let found = faults.iter().filter(is_found).count() as u64;
    Ok(Night { log, bench, faults: (!faults.is_empty()).then_some((found, faults.len() as u64)) })
}

impl Issues {
    fn run(&self) -> Result<u8> {
        // What is to be opened is that of the last one, so that has to be there.
        let (last, before) = self.runs.split_last().context("there is no run")?;
        let before = those_there(before, "earlier runs")?.into_iter().map(|(_, log)| log);
        let logs: Vec<RunLog> = before.chain([read(last)?]).collect();
        let wanted = logs.last().map(reports::issues).unwrap_or_default();
        if self.dry_run {
            for Issue { title, body, .. } in &wanted {
                tell(&format!("{title}\n\n{body}\n\n"))?;
            }
            let s = if wanted.len() == 1 { "" } else { "s" };
            eprintln!("{} issue{s}; nobody was asked which of them are open", wanted.len());
            return Ok(0);
        }
        let listed =
            gh(&["issue", "list", "--label", LABEL, "--state", "open", "--limit", "1000", "--json", "number,body"])?;
        let listed: Vec<Value> = serde_json::from_str(&listed).context("gh did not list the issues as JSON")?;
        // The number of each issue that is Provost's, with its fingerprints and the subjects in which its finding was seen.
        let ours: Vec<_> = listed
            .iter()
            .filter_map(|open| Some((open["number"].as_u64()?, reports::marks(open["body"].as_str()?)?)))
            .collect();
        let is_open = |issue: &Issue| {
            let has = |name: &String| ours.iter().any(|(_, (names, _))| names.contains(&name.as_str()));
            issue.fingerprints.iter().any(has)
        };
        for issue in wanted.iter().filter(|issue| !is_open(issue)) {
            let Issue { title, body, .. } = issue;
            tell(&gh(&["issue", "create", "--label", LABEL, "--title", title, "--body", body])?)?;
        }
        let seen: BTreeSet<String> =
            logs.iter().flat_map(|log| &log.findings).map(|finding| fingerprint(&finding.signature)).collect();
        // A run that was killed, or that had none of the subjects, says nothing about the finding.
        let could_have = |log: &RunLog, subjects: &[&str]| {
            log.is_whole() && subjects.iter().any(|subject| log.has_compared(subject))
        };
        for (number, (names, subjects)) in &ours {
            let is_seen = names.iter().any(|name| seen.contains(*name));
            if is_seen || logs.len() < ABSENT || !logs.iter().all(|log| could_have(log, subjects)) {
                continue;
            }
            let comment = format!("None of the last {} runs had this finding.", logs.len());
            tell(&gh(&["issue", "close", &number.to_string(), "--comment", &comment])?)?;
        }
        Ok(0)
    }
}

/// What GitHub's command line says.
fn gh(arguments: &[&str]) -> Result<String> {
    let output = Command::new("gh").args(arguments).stdin(Stdio::null()).output();
    let Ok(output) = output else {
        bail!("gh, GitHub's command line, is not on PATH; install it and log in, or print the issues with --dry-run")
    };
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "gh {} failed: {}", arguments[..2].join(" "), said.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
