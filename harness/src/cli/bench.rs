//! `provost bench`: ratios, measured side by side.

use super::{MORE, Places, root, select, target_dir, write_document};
use crate::bench::inputs::Input;
use crate::bench::report::{self, Part, Place, Row, document, table};
use crate::bench::run::{Runner, Target};
use crate::bench::{Name, Race, campaign, toolbox};
use crate::record::rfc3339;
use crate::subjects::core::Core;
use anyhow::{Context, Result};
use clap::Args;
use interpreters::Interpreter;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// Arguments of `bench`.
#[derive(Debug, Args)]
#[command(after_help = Name::list())]
pub(crate) struct Bench {
    /// Only these rows, such as read or read/stdlib (repeatable); see below
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Only these interpreters, such as cpython:3.12 (repeatable) [default: every native CPython]
    #[arg(long, value_name = "ID")]
    subject: Vec<String>,
    /// Rounds of each side, as long as they take no longer than a few seconds
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// One JSON object for each row, as soon as it is measured
    #[arg(long)]
    json: bool,
    /// Where to write the table, as Markdown [default: docs/PERFORMANCE.md, unless --only is given; its section about the verifier with --only verify alone]
    #[arg(long, value_name = "PATH", conflicts_with = "no_write")]
    out: Option<PathBuf>,
    /// Write no file
    #[arg(long)]
    no_write: bool,
    /// The folder that keeps compiled standard libraries [default: in the target folder]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// With toolbox: how many files the tree has
    #[arg(long, value_name = "N", default_value_t = toolbox::FILES)]
    files: usize,
    /// With campaign: also a minute of hunting of another build of this program, such as one of an older commit
    #[arg(long, value_name = "PROVOST")]
    beside: Option<PathBuf>,
    /// What that is called
    #[arg(long, value_name = "NAME", requires = "beside", default_value = "the other build")]
    beside_name: String,
    #[command(flatten)]
    places: Places,
}

/// The word for the rows about hunts, which are no race.
const CAMPAIGN: &str = "campaign";

/// The word for the rows about commands on a large tree.
const TOOLBOX: &str = "toolbox";

impl Bench {
    /// Exit status 0, whatever the ratios are; 2 if a name is wrong, or an interpreter that was named cannot be used.
    pub(crate) fn run(&self) -> Result<u8> {
        if self.only == [TOOLBOX] {
            return self.toolbox();
        }
        let (campaigns, races): (Vec<String>, Vec<String>) =
            self.only.iter().cloned().partition(|word| word == CAMPAIGN);
        if !campaigns.is_empty() && races.is_empty() {
            return self.campaigns();
        }
        let names = Name::choose(&races).map_err(|e| anyhow::anyhow!("--only: {e}"))?;
        let discovery = self.places.scripts().whole()?;
        let mut selected = select(&discovery.found.interpreters, &self.subject)?;
        if self.subject.is_empty() {
            selected.retain(|interpreter| interpreter.facts.implementation == "cpython");
        }
        let targets = targets(&selected)?;
        if selected.is_empty() {
            eprintln!("Nothing is compared with a CPython: no interpreter that can be used was found.\n{MORE}");
        }
        let cache = self.cache.clone().unwrap_or_else(|| target_dir().join("provost").join("stdlib"));
        let mut runner = Runner::new(root(), target_dir(), cache, self.rounds.into());
        let mut rows = Vec::new();
        for (index, target) in targets.iter().enumerate() {
            eprintln!("measuring {}", target.id);
            // What crafted streams make a reader allocate is the same in every version, and a fuzzer tries all of them.
            let is_newest = index + 1 == targets.len();
            let wanted = |name: &&Name| is_newest || !matches!(name.input, Input::Crafted | Input::Seeds);
            let names: Vec<Name> = names.iter().filter(wanted).copied().collect();
            runner.run(target, &names, |row| self.keep(row, &mut rows))?;
        }
        if !self.json {
            write!(std::io::stdout(), "{}", table(&rows))?;
        }
        if let Some(path) = self.file() {
            if self.is_verifier() {
                write_part(&path, Part::Verifier, &report::verifier(&rows, &self.made()))?;
            } else {
                write_part(&path, Part::Races, &document(&rows, &self.command(), &place(&targets)))?;
            }
        }
        Ok(0)
    }

    /// Commands on a large tree, beside the newest interpreter.
    fn toolbox(&self) -> Result<u8> {
        let found = self.places.scripts().whole()?.found.interpreters;
        let mut selected = select(&found, &self.subject)?;
        selected.retain(|one| one.facts.implementation == "cpython" && one.executable().is_some());
        let interpreter = selected.last().with_context(|| format!("no CPython was found; {MORE}"))?;
        let cache = self.cache.clone().unwrap_or_else(|| target_dir().join("provost").join("stdlib"));
        let provost = std::env::current_exe()?;
        let rows = toolbox::measure(&root(), &provost, interpreter, &cache, self.files)?;
        let mut out = std::io::stdout().lock();
        if self.json {
            for row in &rows {
                writeln!(out, "{}", serde_json::to_string(row)?)?;
            }
        } else {
            write!(out, "{}: {}\n{}", interpreter.id, interpreter.facts.version, toolbox::shown(&rows))?;
        }
        if !self.no_write && self.files == toolbox::FILES {
            let path = self.document();
            let beside = format!("{} ({})", interpreter.id, interpreter.facts.version);
            write_part(&path, Part::Toolbox, &toolbox::section(&rows, &beside, &self.made()))?;
        }
        Ok(0)
    }

    /// What hunts cost. Its section takes the place of the one that is there.
    fn campaigns(&self) -> Result<u8> {
        let scripts = self.places.scripts().whole()?.found.interpreters;
        let found = self.places.natives().whole()?.found.interpreters;
        let mut selected = select(&found, &self.subject)?;
        selected.retain(|interpreter| campaign::is_native(interpreter));
        let cache = self.cache.clone().unwrap_or_else(|| target_dir().join("provost").join("stdlib"));
        let root = root();
        let runner = campaign::Runner { root: &root, cache };
        let beside =
            self.beside.as_deref().map(|other| runner.beside(other, &self.beside_name, &selected)).transpose()?;
        let whole = runner.whole(&selected)?;
        let mut rows = Vec::new();
        for interpreter in &selected {
            eprintln!("measuring {}", interpreter.id);
            let script = scripts.iter().find(|script| script.facts.build == interpreter.facts.build);
            rows.extend(runner.rows(interpreter, script.unwrap_or(interpreter))?);
        }
        let mut out = std::io::stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::json!({"rows": rows, "hunt": whole, "beside": beside}))?;
        } else {
            write!(out, "{}", campaign::table(&rows, &whole, beside.as_ref()))?;
        }
        let path = self.document();
        if !self.no_write {
            write_part(&path, Part::Hunts, &campaign::section(&rows, &whole, beside.as_ref(), &self.made()))?;
        }
        Ok(0)
    }

    fn keep(&self, row: Row, rows: &mut Vec<Row>) -> Result<()> {
        if self.json {
            let mut out = std::io::stdout().lock();
            serde_json::to_writer(&mut out, &row)?;
            writeln!(out)?;
        }
        rows.push(row);
        Ok(())
    }

    fn file(&self) -> Option<PathBuf> {
        // A few rows must not take the place of a whole table; those of the verifier have a section of their own.
        let writes = !self.no_write && (self.only.is_empty() || self.is_verifier());
        (writes || self.out.is_some()).then(|| self.document())
    }

    /// The document that is written: the one that was named, or that of the repository.
    fn document(&self) -> PathBuf {
        self.out.clone().unwrap_or_else(|| root().join("docs").join("PERFORMANCE.md"))
    }

    /// Where a section comes from.
    fn made(&self) -> String {
        let Place { machine, date, .. } = place(&[]);
        format!("Written by `{}`, {date}, {machine}.", self.command())
    }

    fn is_verifier(&self) -> bool {
        self.only == [Race::Verify.name()] && self.out.is_none()
    }

    fn command(&self) -> String {
        let words = |option: &'static str, values: &[String]| -> String {
            values.iter().map(|value| format!(" {option} {value}")).collect()
        };
        format!("cargo provost bench{}{}", words("--only", &self.only), words("--subject", &self.subject))
    }
}

/// Puts a part of docs/PERFORMANCE.md in the place of the one that is there. The others, which are measured by themselves, stay.
fn write_part(path: &Path, part: Part, text: &str) -> Result<()> {
    let old = std::fs::read_to_string(path).unwrap_or_default();
    write_document(path, &part.replace(&old, text))?;
    eprintln!("written {}", path.display());
    Ok(())
}

/// One for each CPython that pyc-core knows; pyc-core as the newest of them if there is none.
fn targets<'a>(interpreters: &[&'a Interpreter]) -> Result<Vec<Target<'a>>> {
    let mut targets = Vec::new();
    for interpreter in interpreters {
        match Core::of(&interpreter.facts) {
            Ok(core) => {
                let version = interpreter.id.split_once(':').map_or(interpreter.id.as_str(), |(_, version)| version);
                let (id, profile) = (format!("core:{version}"), core.profile().clone());
                targets.push(Target { id, profile, interpreter: Some(interpreter) });
            }
            Err(reason) => eprintln!("{}: left out: {reason}", interpreter.id),
        }
    }
    if targets.is_empty() {
        let core = Core::all().last().context("pyc-core has no profile")?;
        let profile = core.profile().clone();
        targets.push(Target { id: format!("core:{}", profile.version), profile, interpreter: None });
    }
    Ok(targets)
}

/// What a reader of the numbers needs to know of the machine, and nothing that tells whose it is.
fn place(targets: &[Target]) -> Place {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let interpreters = targets.iter().filter_map(|target| target.interpreter);
    Place {
        machine: format!("{}, {cpus} processors, {os} {arch}", processor().as_deref().unwrap_or("unknown processor")),
        date: rfc3339(SystemTime::now())[..10].to_owned(),
        compiler: says(&rustc, &["--version"]).unwrap_or_else(|| "unknown compiler".into()),
        interpreters: interpreters.map(|one| (one.id.clone(), one.facts.build.clone())).collect(),
    }
}

fn processor() -> Option<String> {
    let linux = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    linux.or_else(|| says(Path::new("sysctl").as_os_str(), &["-n", "machdep.cpu.brand_string"]))
}

fn says(program: &std::ffi::OsStr, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
