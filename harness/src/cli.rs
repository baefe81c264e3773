//! The command line: what every subcommand shares.
//!
//! Exit status: 0 all is well; 1 something diverges, or a file is bad; 2 the command was wrong, or something is broken.

mod adapter;
mod asm;
mod bench;
mod bytecode;
mod check;
mod clean;
mod compile;
mod corpus;
mod diff;
mod dis;
mod doctor;
mod export;
mod faults;
mod fuzz;
mod generate;
mod golden;
mod hunt;
mod identify;
mod info;
mod merge;
mod minimize;
mod mutants;
mod normalize;
mod promote;
mod readers;
mod repair;
mod replay;
mod report;
mod smallest;
mod subjects;
mod sync;
mod verifier;
mod verify;

use crate::faults::Fault;
use crate::toolbox::input::LARGEST;
use anyhow::{Context, Result};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use interpreters::{
    Driver, Found, Interpreter, Limits, Options, Unusable, Workspace, adapters, discover_with, selects,
};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// Property-based fuzzing and differential testing of Python's marshal format and .pyc files.
#[derive(Debug, Parser)]
#[command(name = "provost", version, max_term_width = 120)]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

/// What an exit status means of a command that does not say it itself.
const STATUS: &str = "Exit status: 0 all is well; 1 something differs, is bad or is missing; 2 the command was wrong, or could not do \
                      its work.";

/// Every command tells in its help what its exit status means.
fn with_status(command: clap::Command) -> clap::Command {
    command.mut_subcommands(|command| {
        let mut command = with_status(command);
        let texts = [command.get_after_help(), command.get_after_long_help()].map(|text| text.map(ToString::to_string));
        let [short, long] = texts;
        let told = |text: &String| text.contains("Exit status");
        if let Some(long) = long.filter(|text| !told(text)) {
            command = command.after_long_help(format!("{long}\n\n{STATUS}"));
        }
        match short {
            Some(short) if told(&short) => command,
            Some(short) => command.after_help(format!("{short}\n\n{STATUS}")),
            None => command.after_help(STATUS),
        }
    })
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Compare pyc-core with every Python interpreter found, and write a report
    Hunt(hunt::Hunt),
    /// Say which interpreters there are, how they are driven, and which cannot be used and why
    Doctor(doctor::Doctor),
    /// Look at .pyc files and marshal streams; needs no Python
    Check(check::Check),
    /// Show what is in .pyc files: code objects, attributes, instructions by opcode, names; needs no Python
    Info(info::Info),
    /// Say whether .pyc files are valid, stale, and would be imported, as importlib decides; needs no Python
    Verify(verify::Verify),
    /// Say which Python wrote what is in a file, also without a header or inside of another file; needs no Python
    Identify(identify::Identify),
    /// Show the instructions of the code objects in .pyc files and marshal streams; needs no Python
    Dis(dis::Dis),
    /// Assemble a .pyc file from text, such as the output of dis --style asm; needs no Python
    Asm(asm::Asm),
    /// Say why two .pyc files, or two trees of them, differ; needs no Python
    Diff(diff::DiffArguments),
    /// Rewrite .pyc files in place to a form that depends only on the program; needs no Python
    Normalize(normalize::Normalize),
    /// Repair damaged .pyc files: headers, text conversions, what is complete of a cut stream; needs no Python
    Repair(repair::Repair),
    /// Compile source files with the interpreters found, where these look for .pyc files
    Compile(compile::CompileArguments),
    /// Remove .pyc files that can be made again; needs no Python
    Clean(clean::Clean),
    /// Show what every subject does with one case, and the first difference
    Replay(replay::Replay),
    /// Make one run of several: of the shards of a run, or of the runs of several nights or machines
    Merge(merge::Merge),
    /// Cut a case on which a subject diverges down to the simplest one that shows the same
    Minimize(minimize::Minimize),
    /// Print a case of a generator: a program, or a stream in hexadecimal; needs no Python
    Generate(generate::Generate),
    /// Measure pyc-core beside CPython and other readers, and write docs/PERFORMANCE.md
    Bench(bench::Bench),
    /// Compare what pyc-core says of instructions with what every interpreter says, and write docs/BYTECODE.md
    Bytecode(bytecode::Bytecode),
    /// Execute what the bytecode verifier passes, and some of what it refuses, and write docs/VERIFIER.md
    Verifier(verifier::Verifier),
    /// Plant faults into pyc-core and count the cases that the generators need to find each; writes docs/FAULTS.md
    Faults(faults::Faults),
    /// Fuzz pyc-core guided by coverage, with cargo-fuzz; needs no Python
    Fuzz(fuzz::Fuzz),
    /// Write corpus/golden anew: what every interpreter found answers
    Golden(golden::Golden),
    /// Say which rules have no fixture, write fixtures for them, and write the tables of the corpus
    Corpus(corpus::Corpus),
    /// Make a finding of a run a fixture of corpus/regressions
    Promote(promote::Promote),
    /// Tell CI systems, trackers and people what came of runs: JUnit, SARIF, annotations, issues, and a page of all nights
    Report(report::Report),
    /// Ask other readers about everything, and write docs/READERS.md and docs/FOUND.md
    Readers(readers::Readers),
    /// For a reader of your own: write the skeleton of an adapter, or ask one what it does
    Adapter(adapter::Adapter),
    /// Write the corpus, with the answers of interpreters, for tests of another reader; needs no Python
    Export(export::ExportTo),
}

/// Where interpreters are looked for.
#[derive(Debug, Clone, Args)]
pub(crate) struct Places {
    /// Add an interpreter: an executable, a script that starts one, a prefix, a shared libpython, or a folder of these
    /// (repeatable). PROVOST_PYTHONS adds a list of paths
    #[arg(long, value_name = "PATH")]
    python: Vec<PathBuf>,
    /// Do not search PATH and the usual folders
    #[arg(long)]
    no_search: bool,
}

/// How interpreters are looked for.
#[derive(Debug, Clone, Args)]
pub(crate) struct Search {
    #[command(flatten)]
    places: Places,
    /// Leave the Pyodide releases out
    #[arg(long)]
    no_pyodide: bool,
    /// Use only this driver [default: embedded where possible, else script]
    #[arg(long)]
    driver: Option<DriverName>,
    /// Use a reader with this known bug instead of interpreters. docs/FAULTS.md lists the bugs; the ids are planted:X.Y
    #[arg(long, value_name = "FAULT", value_parser = subjects::fault)]
    plant: Option<&'static Fault>,
    /// Use this reader instead of interpreters: a program or a quoted command line that speaks interpreters/EXEC.md, the name of
    /// a reader that comes with Provost, or `all` (repeatable)
    #[arg(long, value_name = "PROGRAM", conflicts_with = "plant")]
    adapter: Vec<String>,
}

impl Search {
    /// The options that look in the same way again, wherever the command is given.
    fn arguments(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        for python in self.places.pythons() {
            // What has no folder is a command on PATH.
            let is_command = python.components().count() == 1 && !python.exists();
            let path = if is_command { python } else { std::path::absolute(&python).unwrap_or(python) };
            arguments.extend(["--python".to_owned(), path.display().to_string()]);
        }
        arguments.extend(self.places.no_search.then(|| "--no-search".to_owned()));
        arguments.extend(self.no_pyodide.then(|| "--no-pyodide".to_owned()));
        if let Some(driver) = self.driver.and_then(|driver| driver.to_possible_value()) {
            arguments.extend(["--driver".to_owned(), driver.get_name().to_owned()]);
        }
        for adapter in &self.adapter {
            arguments.extend(["--adapter".to_owned(), adapter.clone()]);
        }
        if let Some(fault) = self.plant {
            arguments.extend(["--plant".to_owned(), fault.name.to_owned()]);
        }
        arguments
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DriverName {
    Embedded,
    Script,
    Pyodide,
}

/// What a search came to.
#[derive(Default)]
pub(crate) struct Discovery {
    pub(crate) found: Found,
    /// Why the embedded worker is missing, if it is.
    pub(crate) not_built: Option<String>,
}

impl Discovery {
    /// What cannot be used although the user named it.
    pub(crate) fn missed(&self) -> impl Iterator<Item = &Unusable> {
        self.found.unusable.iter().filter(|unusable| unusable.named)
    }

    /// The same, unless something that the user named cannot be used; the error says what and why.
    pub(crate) fn whole(self) -> Result<Discovery> {
        let line = |one: &Unusable| format!("\n{}: {}; {}", one.what, one.reason, one.advice);
        let lines: String = self.missed().map(line).collect();
        anyhow::ensure!(lines.is_empty(), "an interpreter that was named cannot be used:{lines}");
        Ok(self)
    }
}

impl Places {
    /// What the user named, on the command line and in the environment.
    fn pythons(&self) -> Vec<PathBuf> {
        let mut pythons = self.python.clone();
        pythons.extend(std::env::var_os("PROVOST_PYTHONS").iter().flat_map(std::env::split_paths));
        pythons.retain(|path| !path.as_os_str().is_empty());
        let mut seen = BTreeSet::new();
        pythons.retain(|path| seen.insert(std::path::absolute(path).unwrap_or_else(|_| path.clone())));
        pythons
    }

    /// Finds the interpreters that are processes of this machine, each with its usual driver.
    pub(crate) fn natives(&self) -> Discovery {
        Search { places: self.clone(), no_pyodide: true, driver: None, plant: None, adapter: Vec::new() }.run()
    }

    /// Finds the interpreters that can run a script.
    pub(crate) fn scripts(&self) -> Discovery {
        let driver = Some(DriverName::Script);
        Search { places: self.clone(), no_pyodide: true, driver, plant: None, adapter: Vec::new() }.run()
    }
}

impl Search {
    /// The same search for interpreters that can run a script.
    fn of_scripts(&self) -> Search {
        Search { driver: Some(DriverName::Script), no_pyodide: true, ..self.clone() }
    }

    /// A reader that is not there.
    fn missing(&self, error: &anyhow::Error) -> Unusable {
        let advice = "`cargo provost doctor --adapters` lists those that there are";
        Unusable { what: self.adapter.join(" "), reason: format!("{error:#}"), advice: advice.into(), named: true }
    }

    /// Builds the embedded worker and finds the interpreters.
    pub(crate) fn run(&self) -> Discovery {
        let driver = self.driver.map(|driver| match driver {
            DriverName::Embedded => Driver::Embedded,
            DriverName::Script => Driver::Script,
            DriverName::Pyodide => Driver::Pyodide,
        });
        if !self.adapter.is_empty() {
            let (home, not_built) = workspace(true);
            let found = match adapter::commands(&self.adapter) {
                Ok(commands) => adapters(&commands, &home, &Limits::default()),
                Err(e) => Found { unusable: vec![self.missing(&e)], ..Found::default() },
            };
            return Discovery { found, not_built };
        }
        let needs_worker = !matches!(driver, Some(Driver::Script | Driver::Pyodide));
        let (home, not_built) = workspace(needs_worker);
        let options = Options {
            pythons: self.places.pythons(),
            search: !self.places.no_search,
            driver,
            pyodide: !self.no_pyodide,
            home,
            limits: Limits::default(),
        };
        let found = discover_with(&options, &|message| eprintln!("{message}"));
        Discovery { found, not_built }
    }
}

/// The bytes of a file; `-` is standard input.
fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    if file == Path::new("-") {
        return read_all(std::io::stdin().lock());
    }
    let opened = std::fs::File::open(file)?;
    let size = opened.metadata()?.len();
    // A device has no size, and may never end.
    if size > LARGEST { Err(too_large()) } else { read_all(opened) }
}

fn read_all(reader: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST { Err(too_large()) } else { Ok(bytes) }
}

fn too_large() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::FileTooLarge, format!("it has more than {LARGEST} bytes"))
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// The folder of this repository.
pub(crate) fn root() -> PathBuf {
    real(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
}

/// Writes a document; its folder is made.
fn write_document(path: &Path, text: &str) -> Result<()> {
    let write = || {
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        std::fs::write(path, text)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// The folder of the corpus: the one that was named, or that of the repository.
fn corpus(named: Option<&Path>) -> PathBuf {
    named.map_or_else(|| root().join("corpus"), Path::to_owned)
}

/// The folder that cargo builds this workspace in: that of the running program, if cargo made it.
fn target_dir() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let made_by_cargo = |folder: &&Path| folder.join("CACHEDIR.TAG").is_file();
    program.ancestors().skip(1).take(3).find(made_by_cargo).map_or_else(|| root().join("target"), Path::to_owned)
}

/// The files that workers are made of; builds the embedded worker if it is wanted. The text says why it is not there, or not
/// the newest.
fn workspace(build: bool) -> (Workspace, Option<String>) {
    let target = target_dir();
    let home = Workspace::at(&root().join("interpreters"), &target.join("release"));
    if !build {
        return (home, None);
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let result = Command::new(&cargo)
        .args(["build", "--quiet", "--release", "-p", "worker", "-p", "host", "--target-dir"])
        .arg(&target)
        .current_dir(root())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    let why = match result {
        Ok(status) if status.success() => None,
        Ok(status) => Some(format!("cargo build -p worker -p host failed ({status})")),
        // Who has only the programs has nothing to build them from.
        Err(_) if home.host.is_file() && home.worker.is_file() => None,
        Err(e) => Some(format!("{} cannot be run: {e}", cargo.display())),
    };
    (home, why.map(|why| format!("{why}; going on with the other drivers")))
}

/// The interpreters that the selectors select: all of them if there is no selector. The error names a selector that
/// selects nothing.
pub(crate) fn select<'a>(found: &'a [Interpreter], selectors: &[String]) -> Result<Vec<&'a Interpreter>> {
    for selector in selectors {
        if !found.iter().any(|one| selects(selector, &one.id, &one.facts)) {
            let ids: Vec<&str> = found.iter().map(|one| one.id.as_str()).collect();
            let ids = if ids.is_empty() { "none".into() } else { ids.join(", ") };
            anyhow::bail!("--subject {selector} selects nothing; there are: {ids}");
        }
    }
    let chosen = |one: &&Interpreter| {
        selectors.is_empty() || selectors.iter().any(|selector| selects(selector, &one.id, &one.facts))
    };
    Ok(found.iter().filter(chosen).collect())
}

/// How to get an interpreter, for people who have none or want more.
pub(crate) const MORE: &str = "more interpreters: `uv python install 3.13` or `pyenv install 3.13` (with \
    PYTHON_CONFIGURE_OPTS=--enable-shared for the fastest driver), your system's packages, --python PATH or \
    PROVOST_PYTHONS for one that is somewhere else; with Node.js and npm on PATH, CPython 3.14 and 3.15 as Pyodide";

/// The exit status when nobody reads what is written any more: that of programs that a signal told so.
const UNREAD: u8 = 141;

/// A message that cannot be written ends the program, without a panic.
fn end_where_nobody_reads() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let message = panic.payload().downcast_ref::<String>().filter(|it| it.starts_with("failed printing to std"));
        let Some(message) = message else { return usual(panic) };
        let status = if message.contains("Broken pipe") { UNREAD } else { 2 };
        let _ = writeln!(std::io::stderr(), "provost: {message}");
        std::process::exit(status.into());
    }));
}

/// Runs the command line.
#[must_use]
pub fn main() -> ExitCode {
    end_where_nobody_reads();
    let parsed = Cli::from_arg_matches(&with_status(Cli::command()).get_matches());
    let result = match parsed.unwrap_or_else(|error| error.exit()).command {
        Task::Hunt(hunt) => hunt.run(),
        Task::Doctor(doctor) => doctor.run(),
        Task::Check(check) => check.run(),
        Task::Info(info) => info.run(),
        Task::Verify(verify) => verify.run(),
        Task::Identify(identify) => identify.run(),
        Task::Dis(dis) => dis.run(),
        Task::Asm(asm) => asm.run(),
        Task::Repair(repair) => repair.run(),
        Task::Compile(compile) => compile.run(),
        Task::Clean(clean) => clean.run(),
        Task::Diff(diff) => diff.run(),
        Task::Normalize(normalize) => normalize.run(),
        Task::Replay(replay) => replay.run(),
        Task::Merge(merge) => merge.run(),
        Task::Report(report) => report.run(),
        Task::Minimize(minimize) => minimize.run(),
        Task::Generate(generate) => generate.run(),
        Task::Bench(bench) => bench.run(),
        Task::Bytecode(bytecode) => bytecode.run(),
        Task::Verifier(verifier) => verifier.run(),
        Task::Faults(faults) => faults.run(),
        Task::Fuzz(fuzz) => fuzz.run(),
        Task::Golden(golden) => golden.run(),
        Task::Corpus(corpus) => corpus.run(),
        Task::Promote(promote) => promote.run(),
        Task::Readers(readers) => readers.run(),
        Task::Adapter(adapter) => adapter.run(),
        Task::Export(export) => export.run(),
    };
    match result {
        Ok(status) => ExitCode::from(status),
        // Whoever reads us has read enough; the work is not done.
        Err(e) if is_broken_pipe(&e) => ExitCode::from(UNREAD),
        Err(e) => {
            eprintln!("provost: {e:#}");
            ExitCode::from(2)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |e: &std::io::Error| e.kind() == std::io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref().is_some_and(broken))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_root_is_the_workspace() {
        assert!(root().join("interpreters/PROTOCOL.md").is_file() && root().join("corpus/CANON.md").is_file());
    }
}
