//! A workspace with the copy of pyc-core and all that compares it, in a folder of its own.

use crate::list::Mutant;
use crate::schemata::Schemata;
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the harness needs, and pyc-core's tests.
const COPIED: [&str; 8] =
    ["Cargo.toml", "Cargo.lock", "pyc-core", "interpreters", "reports", "harness", "fuzz/marshal.dict", "corpus"];

/// The file that says what was built.
pub const BUILT: &str = "mutants.json";

/// What was built.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Built {
    /// A hash of what it was built from.
    pub of: u64,
    /// What came of each mutant.
    pub mutants: Vec<Outcome>,
    /// The programs with pyc-core's tests.
    pub tests: Vec<PathBuf>,
}

/// What a mutant came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The number that switches it on.
    pub id: u32,
    /// What cargo-mutants calls it.
    pub name: String,
    /// The function that it is in, if it is in one.
    pub function: Option<String>,
    /// Whether it can be switched on.
    pub state: State,
}

/// Whether a mutant can be switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It can.
    Built,
    /// It does not compile.
    Unviable,
    /// No switch is known for it.
    Homeless,
}

/// Writes the workspace of `root` with these mutants to `out`, and builds the program that compares them, into `target`:
/// `release/contest`; and the tests of pyc-core that `.cargo/mutants.toml` names. Gives what came of each mutant, and the programs
/// of the tests.
///
/// # Errors
/// When a file cannot be read or written, or the compiler complains about what is no mutant.
pub fn build(root: &Path, out: &Path, target: &Path, mutants: &[Mutant]) -> Result<Built> {
    // What is no longer there is not to be tested.
    let _ = fs::remove_dir_all(out.join("corpus"));
    for name in COPIED {
        copy(&root.join(name), &out.join(name)).with_context(|| name.to_owned())?;
    }
    put(&out.join("pyc-core/src/switch.rs"), include_str!("switch.rs"))?;
    put(&out.join("contest/Cargo.toml"), CONTEST)?;
    put(&out.join("contest/src/main.rs"), MAIN)?;
    put(&out.join("Cargo.toml"), &workspace(&fs::read_to_string(root.join("Cargo.toml"))?)?)?;
    let sources = sources(root)?;
    let of = fingerprint(&sources, mutants)?;
    let schemata = Schemata::new(sources, mutants)?;
    let mut dropped = refused(&out.join(BUILT), of);
    let mut homeless = Vec::new();
    let options = tests(root)?;
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let tests = [&["test", "--release", "--no-run", "-p", "pyc-core"], &options[..]].concat();
    let mut programs = Vec::new();
    for task in [&["check", "-p", "pyc-core"][..], &["build", "--release", "-p", "pyc-core"], BUILD, &tests] {
        loop {
            let (texts, without) = schemata.write(&mut dropped);
            homeless = without;
            for (file, text) in &texts {
                let is_root = file.ends_with("pyc-core/src/lib.rs");
                let text = if is_root { &format!("{text}\n#[allow(missing_docs)]\npub mod switch;\n") } else { text };
                put(&out.join(file), text)?;
            }
            let (complaints, built) = compile(out, target, task, &texts)?;
            programs = built;
            if complaints.is_empty() {
                break;
            }
            eprintln!("the compiler does not take {} mutants", complaints.len());
            dropped.extend(complaints);
        }
    }
    let state = |id: u32| match id {
        _ if dropped.contains(&id) => State::Unviable,
        _ if homeless.contains(&id) => State::Homeless,
        _ => State::Built,
    };
    let outcome = |(mutant, id): (&Mutant, u32)| Outcome {
        id,
        name: mutant.name.clone(),
        function: mutant.function.as_ref().map(|function| function.function_name.clone()),
        state: state(id),
    };
    Ok(Built { of, mutants: mutants.iter().zip(1..).map(outcome).collect(), tests: programs })
}

/// The mutants that the compiler did not take the last time, if all is as it was: they are not tried again.
fn refused(built: &Path, of: u64) -> BTreeSet<u32> {
    let before = fs::read(built).ok().and_then(|text| serde_json::from_slice::<Built>(&text).ok());
    let of_before = before.filter(|built| built.of == of).into_iter().flat_map(|built| built.mutants);
    of_before.filter(|it| it.state == State::Unviable).map(|it| it.id).collect()
}

/// Of the sources, the mutants and the compiler.
fn fingerprint(sources: &[(String, String)], mutants: &[Mutant]) -> Result<u64> {
    let compiler =
        Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("-vV").output()?.stdout;
    let names: Vec<&String> = mutants.iter().map(|mutant| &mutant.name).collect();
    let mut hasher = DefaultHasher::new();
    (sources, names, compiler).hash(&mut hasher);
    Ok(hasher.finish())
}

/// The options of `cargo test` with which cargo-mutants runs pyc-core's tests.
fn tests(root: &Path) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Configured {
        additional_cargo_test_args: Vec<String>,
    }
    let path = root.join(".cargo/mutants.toml");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let Configured { additional_cargo_test_args } =
        toml::from_str(&text).with_context(|| path.display().to_string())?;
    Ok(additional_cargo_test_args)
}

const BUILD: &[&str] = &["build", "--release", "-p", "contest"];

const CONTEST: &str = "\
[package]
name = \"contest\"
version.workspace = true
edition.workspace = true
publish = false

[dependencies]
harness.workspace = true
pyc-core.workspace = true
";

const MAIN: &str = "\
use harness::faults::mutants::{Switch, run};
use pyc_core::switch::{choose, seen, watch};

fn main() -> std::process::ExitCode {
    run(&Switch { choose, watch, seen })
}
";

/// The manifest with other members. What a right pyc-core never comes to has to be noticed, as in tests.
pub(crate) fn workspace(manifest: &str) -> Result<String> {
    const PROFILE: &str = "[profile.release.package.pyc-core]\n";
    let (before, after) = manifest.split_once("\nmembers = [").context("Cargo.toml has no members")?;
    let (_, after) = after.split_once("]\n").context("Cargo.toml has no end of its members")?;
    let (middle, after) = after.split_once(PROFILE).with_context(|| format!("Cargo.toml has no {PROFILE}"))?;
    let members = "\"pyc-core\", \"interpreters\", \"interpreters/protocol\", \"reports\", \"harness\", \"contest\"";
    let checks = "overflow-checks = true\ndebug-assertions = true\n";
    Ok(format!("{before}\nmembers = [{members}]\n{middle}{PROFILE}{checks}{after}"))
}

/// The sources of pyc-core, but for tables.
fn sources(root: &Path) -> Result<Vec<(String, String)>> {
    let mut folders = vec![PathBuf::from("pyc-core/src")];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder)).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(root.join(&path)).with_context(|| path.display().to_string())?;
                sources.push((path.to_str().context("a name in UTF-8")?.replace('\\', "/"), text));
            }
        }
    }
    sources.sort();
    Ok(sources)
}

/// Writes a file, unless it is there already: what has not changed need not be compiled again.
fn put(path: &Path, text: &str) -> Result<()> {
    if fs::read(path).is_ok_and(|before| before == text.as_bytes()) {
        return Ok(());
    }
    fs::create_dir_all(path.parent().context("a folder")?)?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        fs::create_dir_all(to.parent().context("a folder")?)?;
        let text = fs::read(from)?;
        return match fs::read(to).is_ok_and(|before| before == text) {
            true => Ok(()),
            false => Ok(fs::write(to, text)?),
        };
    }
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        // What was built or installed there is not part of the source.
        if name != "target" && name != "node_modules" && name != "__pycache__" {
            copy(&from.join(&name), &to.join(&name))?;
        }
    }
    Ok(())
}

/// A line of `cargo --message-format=json`.
#[derive(Deserialize)]
struct Line {
    message: Option<Message>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Message {
    level: String,
    rendered: Option<String>,
    #[serde(default)]
    spans: Vec<Span>,
    #[serde(default)]
    children: Vec<Message>,
}

#[derive(Deserialize)]
struct Span {
    file_name: String,
    byte_start: usize,
    is_primary: bool,
    expansion: Option<Box<Expansion>>,
}

#[derive(Deserialize)]
struct Expansion {
    span: Span,
}

/// Compiles; the mutants that the compiler complains about, and the programs that were built.
fn compile(
    out: &Path,
    target: &Path,
    task: &[&str],
    texts: &[(&str, String)],
) -> Result<(BTreeSet<u32>, Vec<PathBuf>)> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(task).args(["--quiet", "--message-format=json"]).current_dir(out);
    // What both need is built once.
    command.env("CARGO_TARGET_DIR", target).stderr(Stdio::piped());
    let output = command.output().with_context(|| format!("cargo {}", task.join(" ")))?;
    let (mut complaints, mut programs) = (BTreeSet::new(), Vec::new());
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(Line { message, executable }) = serde_json::from_str(line) else { continue };
        programs.extend(executable);
        let Some(message) = message else { continue };
        if message.level != "error" || message.all_spans().is_empty() {
            continue;
        }
        let about = message.all_spans().into_iter().find_map(|span| mutants_at(texts, span));
        let Some(about) = about else {
            bail!("the compiler complains about what is no mutant:\n{}", message.rendered.unwrap_or_default());
        };
        complaints.extend(about);
    }
    ensure!(
        output.status.success() || !complaints.is_empty(),
        "cargo {} failed: {}",
        task.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok((complaints, programs))
}

impl Message {
    /// The places that it is about, the first ones first.
    fn all_spans(&self) -> Vec<&Span> {
        let (mut primary, others): (Vec<&Span>, Vec<&Span>) = self.spans.iter().partition(|span| span.is_primary);
        primary.extend(others);
        primary.extend(self.children.iter().flat_map(Message::all_spans));
        let expanded: Vec<&Span> =
            primary.iter().filter_map(|span| span.expansion.as_deref().map(|it| &it.span)).collect();
        primary.extend(expanded);
        primary
    }
}

/// The mutants of the smallest part with this place that was put in.
fn mutants_at(texts: &[(&str, String)], span: &Span) -> Option<Vec<u32>> {
    let (_, text) = texts.iter().find(|(file, _)| *file == span.file_name)?;
    let mut smallest: Option<(usize, &str)> = None;
    for (begin, _) in text.match_indices("/*[") {
        if begin > span.byte_start {
            break;
        }
        let Some((ids, after)) = text[begin + 3..].split_once("*/") else { continue };
        let Some(length) = after.find(&format!("/*{ids}]*/")) else { continue };
        let end = text.len() - after.len() + length;
        if span.byte_start < end && smallest.is_none_or(|(size, _)| end - begin < size) {
            smallest = Some((end - begin, ids));
        }
    }
    smallest?.1.split(',').map(|id| id.parse().ok()).collect()
}
