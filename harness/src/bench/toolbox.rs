//! How fast the commands of the toolbox are on a large tree, beside a loop of an interpreter that does the same.

use crate::progress::table;
use crate::stdlib::{Cache, Library};
use crate::subjects::{Compiled, Reality};
use anyhow::{Context, Result, ensure};
use interpreters::{Interpreter, Limits};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Files in the tree.
pub const FILES: usize = 30_000;

/// The interpreter does as many, and the time is taken for all: it is that slow.
const SAMPLE: usize = 1_000;

/// How the section of docs/PERFORMANCE.md begins.
pub const TITLE: &str = "## Commands on a large tree\n";

const HOW: &str = "\
`cargo provost bench --only toolbox` measures this table and replaces this section. The tree has the compiled standard library of the
interpreter as often as it takes, with sources. The program does all files, once, with a thread for each processor; the interpreter
does the first 1,000 in one thread, and its time is taken for all (`bench/toolbox_loop.py`). Memory is the most that was resident.

| row | what is compared |
|---|---|
| `info` | with `dis.get_instructions` over all code objects, counted by opcode |
| `verify` | with what importlib asks of header and source, and `marshal.loads` |
| `identify` | with `marshal.loads`: Python has nothing that tells who wrote a stream |
| `normalize` | with `marshal.dumps(marshal.loads(...))` and a file that is written; ours compares both values, has the interpreter confirm it, and puts the result in the place of the file as a whole |
| `diff` | the tree and its normal form, with two `marshal.loads` and a comparison, which does not say what differs |
";

/// The commands that are measured, in this order: `diff` compares the tree with the copy that `normalize` changed.
const COMMANDS: [&str; 5] = ["info", "verify", "identify", "normalize", "diff"];

/// What came of a command.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// `toolbox/info`
    pub bench: String,
    /// Files in the tree.
    pub files: usize,
    /// The interpreter's time for so many files by ours.
    pub ratio: f64,
    /// The most memory that ours had, in MB.
    pub megabytes: f64,
}

/// Makes the tree and measures all commands on it. `provost` is our program.
///
/// # Errors
/// When the tree cannot be made, or a program does not end well.
pub fn measure(
    root: &Path,
    provost: &Path,
    interpreter: &Interpreter,
    cache: &Path,
    files: usize,
) -> Result<Vec<Measured>> {
    let python = interpreter.executable().context("the interpreter has no executable")?;
    let folder = tempfile::tempdir()?;
    let [tree, copy] = ["tree", "copy"].map(|name| folder.path().join(name));
    let compiled = compiled(interpreter, cache)?;
    for place in [&tree, &copy] {
        plant(place, interpreter, &compiled, files)?;
    }
    let mut rows = Vec::new();
    for command in COMMANDS {
        let trees = match command {
            "normalize" => vec![&copy],
            "diff" => vec![&tree, &copy],
            _ => vec![&tree],
        };
        let sample = SAMPLE.min(files);
        // What it does with files must find them as ours does.
        let theirs = theirs(root, python, command, &trees, sample)?;
        let (ours, megabytes) = ours(provost, command, &trees)?;
        let ratio = theirs / sample as f64 / (ours.as_secs_f64() / files as f64);
        rows.push(Measured { bench: format!("toolbox/{command}"), files, ratio, megabytes });
    }
    Ok(rows)
}

/// The compiled files of a standard library, with their sources.
fn compiled(interpreter: &Interpreter, cache: &Path) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut library = Library::open(&interpreter.facts.stdlib)?;
    let cache = Cache::new(cache, &interpreter.facts);
    let mut subject = Reality::new(interpreter, Limits::default());
    let mut compiled = Vec::new();
    for item in library.items(&[0], 0) {
        let source = library.read(&item.path)?;
        if let Compiled::Pyc(pyc) = cache.compile(&mut subject, &item, source.clone())? {
            compiled.push((source, pyc));
        }
    }
    ensure!(!compiled.is_empty(), "the interpreter compiles nothing");
    Ok(compiled)
}

/// Fills a folder with packages of compiled files and their sources, until there are enough.
fn plant(folder: &Path, interpreter: &Interpreter, compiled: &[(Vec<u8>, Vec<u8>)], files: usize) -> Result<()> {
    let tag = interpreter.facts.version.split('.').take(2).collect::<String>();
    for (number, (source, pyc)) in compiled.iter().cycle().take(files).enumerate() {
        let package = folder.join(format!("package{:03}", number / 200));
        let cached = package.join("__pycache__");
        std::fs::create_dir_all(&cached)?;
        let path = package.join(format!("m{number}.py"));
        std::fs::write(&path, source)?;
        let changed = path.metadata()?.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut pyc = pyc.clone();
        // Of its time and size, so that it is not stale.
        pyc[4..8].fill(0);
        pyc[8..12].copy_from_slice(&u32::try_from(changed & 0xFFFF_FFFF)?.to_le_bytes());
        pyc[12..16].copy_from_slice(&u32::try_from(source.len())?.to_le_bytes());
        std::fs::write(cached.join(format!("m{number}.cpython-{tag}.pyc")), pyc)?;
    }
    Ok(())
}

/// The seconds that the interpreter takes for so many files.
fn theirs(root: &Path, python: &Path, command: &str, trees: &[&PathBuf], sample: usize) -> Result<f64> {
    let output = Command::new(python)
        .arg(root.join("bench").join("toolbox_loop.py"))
        .args([command, &sample.to_string()])
        .args(trees)
        .stdin(Stdio::null())
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
}

/// The time that our program takes, and the most memory that it had.
fn ours(provost: &Path, command: &str, trees: &[&PathBuf]) -> Result<(Duration, f64)> {
    let begin = Instant::now();
    let mut child = Command::new(provost)
        .args([command, "--json"])
        .args(trees)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let status: PathBuf = ["/proc", &child.id().to_string(), "status"].iter().collect();
    let mut kilobytes = 0.0_f64;
    let ended = loop {
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let most = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().split(' ').next()?.parse().ok());
        kilobytes = kilobytes.max(most.unwrap_or(0.0));
        std::thread::sleep(Duration::from_millis(20));
    };
    let time = begin.elapsed();
    ensure!(ended.code().is_some_and(|code| code < 2), "provost {command} ended with {ended}");
    Ok((time, kilobytes / 1024.0))
}

const HEADING: [&str; 4] = ["row", "files", "times as fast", "MB"];

impl Measured {
    /// What is below [`HEADING`].
    fn cells(&self) -> [String; 4] {
        let Measured { bench, files, ratio, megabytes } = self;
        [bench.clone(), files.to_string(), format!("{ratio:.2}"), format!("{megabytes:.0}")]
    }
}

/// The rows for people.
#[must_use]
pub fn shown(rows: &[Measured]) -> String {
    let mut cells = vec![HEADING.map(String::from).to_vec()];
    cells.extend(rows.iter().map(|row| row.cells().to_vec()));
    table(&cells)
}

/// The section of docs/PERFORMANCE.md.
#[must_use]
pub fn section(rows: &[Measured], beside: &str, made: &str) -> String {
    let line = |row: &Measured| {
        let [bench, rest @ ..] = row.cells();
        format!("| `{bench}` | {} |\n", rest.join(" | "))
    };
    let (heading, rows) = (HEADING.join(" | "), rows.iter().map(line).collect::<String>());
    format!("{TITLE}\n{HOW}\n{made} Beside {beside}.\n\n| {heading} |\n|---|--:|--:|--:|\n{rows}")
}
