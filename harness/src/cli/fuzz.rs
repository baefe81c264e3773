//! `provost fuzz`: cargo-fuzz with the options that make a target fast.

use super::{root, target_dir};
use crate::roundtrip::stream_of;
use crate::subjects::core::{Core, guard};
use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folders of the corpus with which targets begin that take streams.
const SEEDS: [&str; 3] = ["seeds", "regressions", "coverage"];

/// The target whose inputs are tapes of the generator of values, and no streams.
const OF_TAPES: &str = "marshal_value";

/// Arguments of `fuzz`.
#[derive(Debug, Args)]
pub(crate) struct Fuzz {
    /// What to fuzz: a file of fuzz/fuzz_targets
    pub(super) target: String,
    /// What else is watched; it takes several times as long
    #[arg(long, value_enum, default_value_t = Sanitizer::None)]
    pub(super) sanitizer: Sanitizer,
    /// The folder that the fuzzer keeps its inputs in [default: fuzz/corpus/TARGET]
    #[arg(long, value_name = "DIR")]
    pub(super) corpus: Option<PathBuf>,
    /// A folder of inputs to begin with, which is only read (repeatable) [default: all streams of the corpus]
    #[arg(long, value_name = "DIR")]
    pub(super) seeds: Vec<PathBuf>,
    /// Options of libFuzzer, such as -max_total_time=60
    #[arg(last = true)]
    pub(super) options: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Sanitizer {
    /// The assertions of the target alone
    None,
    /// Every access to memory: for the `unsafe` code of dependencies and of the standard library
    Address,
}

impl Fuzz {
    /// Exit status 1 if an input breaks the property.
    pub(crate) fn run(&self) -> Result<u8> {
        let folder = root().join("fuzz");
        let target = &self.target;
        let options = options(&folder, target)?;
        let has_cargo_fuzz = cargo().args(["fuzz", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        ensure!(
            has_cargo_fuzz.is_ok_and(|status| status.success()),
            "cargo-fuzz is missing; `cargo install cargo-fuzz --locked` installs it"
        );
        let built = self.cargo_fuzz(&folder, "build").status().context("cargo fuzz build")?;
        ensure!(built.success(), "cargo fuzz build {target} failed ({built})");
        let grown = self.corpus.clone().unwrap_or_else(|| folder.join("corpus").join(target));
        fs::create_dir_all(&grown).with_context(|| grown.display().to_string())?;
        let seeds = match &self.seeds[..] {
            // A tape of a generator is no stream, and there are no words for it.
            [] if !options.iter().any(|option| option.starts_with("-dict=")) => Vec::new(),
            [] => SEEDS.map(|kind| root().join("corpus").join(kind)).to_vec(),
            seeds => seeds.to_vec(),
        };
        let mut run = self.cargo_fuzz(&folder, "run");
        // What is said later wins.
        run.arg(grown).args(seeds).arg("--").args(options).args(&self.options);
        let is_good = run.status().context("cargo fuzz run")?.success();
        if !is_good && target == OF_TAPES {
            match write_streams(&self.artifact_prefix(&folder)) {
                Ok(streams) => {
                    streams
                        .iter()
                        .for_each(|it| eprintln!("written {}: the stream that the input makes", it.display()));
                }
                Err(e) => eprintln!("the streams that the inputs make could not be written: {e:#}"),
            }
        }
        Ok(u8::from(!is_good))
    }

    /// What the paths begin with at which libFuzzer leaves the inputs that break the property.
    fn artifact_prefix(&self, folder: &Path) -> String {
        let named = self.options.iter().rev().find_map(|option| option.strip_prefix("-artifact_prefix="));
        let usual = || folder.join("artifacts").join(&self.target).join("");
        // cargo-fuzz runs the target in the root of the repository.
        named.map_or_else(usual, |prefix| root().join(prefix)).display().to_string()
    }

    fn cargo_fuzz(&self, folder: &Path, task: &str) -> Command {
        let mut command = cargo();
        let name = self.sanitizer.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        // The tracing of comparisons takes two thirds of the time and finds little: the mutators know the format.
        command.args(["fuzz", task, "--no-trace-compares", "--sanitizer", &name, "--target-dir"]);
        // The wrapper makes other programs of the same flags, so they have a folder of their own.
        command.arg(target_dir().join("fuzz")).arg(&self.target).current_dir(root());
        // The instrumentation needs unstable flags, and the stable compiler takes them then.
        command.env("RUSTC_BOOTSTRAP", "1").env("RUSTC_WRAPPER", folder.join("rustc-wrapper"));
        command
    }
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The options of a target, as arguments of libFuzzer.
fn options(folder: &Path, target: &str) -> Result<Vec<String>> {
    let Ok(text) = fs::read_to_string(folder.join(target).with_extension("options")) else {
        bail!("{target} is no fuzz target; there are: {}", targets(folder)?.join(", "));
    };
    let argument = |line: &str| {
        let (name, value) = line.split_once(" = ")?;
        let value = if name == "dict" { folder.join(value).display().to_string() } else { value.to_owned() };
        Some(format!("-{name}={value}"))
    };
    Ok(text.lines().filter_map(argument).collect())
}

/// Beside each tape whose path begins so the stream that it makes: what hunts, `check` and `minimize` take.
fn write_streams(prefix: &str) -> Result<Vec<PathBuf>> {
    let cores: Vec<Core> = Core::all().collect();
    let mut written = Vec::new();
    let (folder, begin) = prefix.rsplit_once('/').unwrap_or((".", prefix));
    for entry in fs::read_dir(folder).with_context(|| folder.to_owned())? {
        let entry = entry?;
        let (tape, is_meant) = (entry.path(), entry.file_name().to_string_lossy().starts_with(begin));
        let stream = tape.with_extension("marshal");
        if is_meant && tape.is_file() && tape.extension().is_none() && !stream.exists() {
            let bytes = fs::read(&tape).with_context(|| tape.display().to_string())?;
            // It may be the generator that panics.
            let Ok(made) = guard(|| stream_of(&cores, &bytes).1) else { continue };
            fs::write(&stream, made).with_context(|| stream.display().to_string())?;
            written.push(stream);
        }
    }
    Ok(written)
}

pub(super) fn targets(folder: &Path) -> Result<Vec<String>> {
    let folder = folder.join("fuzz_targets");
    let files = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut names: Vec<String> =
        files.filter_map(|file| Some(file.ok()?.path().file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tapes_get_their_streams() {
        let folder = tempfile::tempdir().unwrap();
        let tape: Vec<u8> = (0..=255).collect();
        for name in ["crash-1", "LICENSE"] {
            fs::write(folder.path().join(name), &tape).unwrap();
        }
        let prefix = folder.path().join("crash").display().to_string();
        assert_eq!(write_streams(&prefix).unwrap(), [folder.path().join("crash-1.marshal")]);
        let stream = fs::read(folder.path().join("crash-1.marshal")).unwrap();
        let cores: Vec<Core> = Core::all().collect();
        let (core, expected) = stream_of(&cores, &tape);
        assert_eq!(stream, expected);
        assert!(core.read(&stream).canon_text().is_some(), "the Python that it is for reads it");
        assert!(write_streams(&prefix).unwrap().is_empty(), "they are there");
    }

    #[test]
    fn every_target_has_options() {
        let folder = root().join("fuzz");
        let targets = targets(&folder).unwrap();
        assert!(targets.len() > 5, "{targets:?}");
        for target in &targets {
            let options = options(&folder, target).unwrap();
            for name in ["-max_len=", "-timeout="] {
                assert!(options.iter().any(|option| option.starts_with(name)), "{target}: {options:?}");
            }
            for dictionary in options.iter().filter_map(|option| option.strip_prefix("-dict=")) {
                assert!(Path::new(dictionary).is_file(), "{target}: {dictionary}");
            }
        }
        let error = options(&folder, "marshal_write").unwrap_err().to_string();
        assert!(error.contains("marshal_read, marshal_roundtrip"), "{error}");
    }
}
