//! `provost compile`: .pyc files through the interpreters that are found.

use super::Places;
use super::normalize::pair;
use crate::dis::{one_line, visible};
use crate::toolbox::answer::Line;
use crate::toolbox::compile::{Compiler, Made, Mode, Options, sources};
use crate::toolbox::{in_order, places};
use anyhow::{Result, bail, ensure};
use clap::{ArgAction, Args, ValueEnum};
use interpreters::{Interpreter, Supervisor, selects};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// Arguments of `compile`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 all is well; 1 a source has an error, or a file cannot be read or written; 2 the command was \
wrong, or there is no such Python.\n\nFiles are written where the Python looks for them: __pycache__/x.cpython-312.pyc, below \
PYTHONPYCACHEPREFIX if that is set (3.8 and later), and x.pyc or x.pyo for 2.7, whose -O and \
-OO share a file that is always made anew. Of the Pythons that write the same files the \
newest one does. Standard input is not read."
)]
pub(crate) struct CompileArguments {
    /// Source files, or folders with .py files in them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// These Pythons: X.Y, an id of `provost doctor`, `all`, or the path of an interpreter [default: the newest CPython found]
    #[arg(long, value_name = "PYTHON,...", value_delimiter = ',')]
    python: Vec<String>,
    /// Without assertions; twice, also without docstrings
    #[arg(short = 'O', action = ArgAction::Count)]
    optimize: u8,
    /// What the header says of the source [default: timestamp, or checked-hash if SOURCE_DATE_EPOCH is set]
    #[arg(long, value_enum)]
    invalidation_mode: Option<ModeName>,
    /// In file names of code objects, NEW in the place of OLD at the beginning (repeatable; the first that fits is taken)
    #[arg(long, value_name = "OLD=NEW", value_parser = pair)]
    prefix_map: Vec<(String, String)>,
    /// Also what is up to date
    #[arg(long, short)]
    force: bool,
    /// So many files at the same time [default: one for each processor]
    #[arg(long, short, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Print only what is wrong
    #[arg(long, short)]
    quiet: bool,
    /// One JSON object for each file that is written, up to date, or wrong
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ModeName {
    Timestamp,
    CheckedHash,
    UncheckedHash,
}

#[derive(Serialize)]
struct Told<'a> {
    python: &'a str,
    /// `compiled` or `fresh`
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pyc: Option<String>,
}

impl CompileArguments {
    /// Exit status 1 if something was not compiled.
    pub(crate) fn run(&self) -> Result<u8> {
        let is_stdin = self.paths.iter().any(|path| path == Path::new("-"));
        ensure!(!is_stdin, "compile reads no standard input: name source files, or folders (a file called - is ./-)");
        let compilers = self.compilers()?;
        let mode = match self.invalidation_mode {
            Some(ModeName::Timestamp) => Mode::Timestamp,
            Some(ModeName::UncheckedHash) => Mode::UncheckedHash,
            Some(ModeName::CheckedHash) => Mode::CheckedHash,
            None if std::env::var_os("SOURCE_DATE_EPOCH").is_some() => Mode::CheckedHash,
            None => Mode::Timestamp,
        };
        ensure!(self.optimize <= 2, "-O can be given twice");
        let prefix = places::prefix();
        let (prefix_map, force) = (self.prefix_map.clone(), self.force);
        let is_mode_asked = self.invalidation_mode.is_some();
        let options = Options { optimize: self.optimize, mode, is_mode_asked, prefix_map, force, prefix };
        let files = sources(&self.paths);
        ensure!(!files.is_empty(), "there is no .py file in these folders");
        let count = files.len() * compilers.len();
        let place = |place: usize| (&files[place / compilers.len()], &compilers[place % compilers.len()]);
        let mut out = std::io::stdout().lock();
        let (mut compiled, mut fresh, mut failed) = (0, 0, 0);
        let work = |at: usize, supervisors: &mut BTreeMap<String, Supervisor>| {
            let ((source, trouble), compiler) = place(at);
            Some(match trouble {
                Some(trouble) => Err(trouble.clone()),
                None => compiler.compile(source, &options, supervisors),
            })
        };
        in_order(count, self.jobs, work, |at, made| {
            let ((source, _), compiler) = place(at);
            let mut told = Told { python: compiler.id(), status: None, pyc: None };
            match &made {
                Ok((pyc, made)) => {
                    let is_new = *made == Made::Compiled;
                    *(if is_new { &mut compiled } else { &mut fresh }) += 1;
                    told.pyc = Some(pyc.display().to_string());
                    told.status = Some(if is_new { "compiled" } else { "fresh" });
                    if !self.json && is_new && !self.quiet {
                        writeln!(out, "{}", one_line(&pyc.display().to_string()))?;
                    }
                }
                Err(trouble) => {
                    failed += 1;
                    if !self.json {
                        out.flush()?;
                        eprintln!("{}: {}", one_line(&source.display().to_string()), visible(&trouble.to_string()));
                    }
                }
            }
            if self.json {
                Line { name: source.as_path().into(), error: made.as_ref().err(), answer: Some(told) }
                    .write(&mut out)?;
            }
            Ok(())
        })?;
        if !self.json && !self.quiet {
            let names: Vec<&str> = compilers.iter().map(Compiler::id).collect();
            writeln!(out, "{compiled} compiled, {fresh} up to date, {failed} failed ({})", names.join(", "))?;
        }
        Ok(u8::from(failed > 0))
    }

    /// The interpreters that were asked for.
    fn compilers(&self) -> Result<Vec<Compiler>> {
        let (paths, selectors): (Vec<&String>, Vec<&String>) =
            self.python.iter().partition(|python| python.contains(std::path::MAIN_SEPARATOR));
        let no_search = selectors.is_empty() && !paths.is_empty();
        let named: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
        let found = Places { python: named.clone(), no_search }.scripts().whole()?.found.interpreters;
        let mut compilers: Vec<Compiler> = Vec::new();
        for selector in selectors {
            let is_all = selector == "all";
            let version = selector.trim_start_matches("python");
            let is_it = |one: &&Interpreter| is_all || selects(version, &one.id, &one.facts);
            compilers.extend(usable(found.iter().filter(is_it), is_all, || {
                let ids: Vec<&str> = found.iter().map(|one| one.id.as_str()).collect();
                let ids = if ids.is_empty() { "none".into() } else { ids.join(", ") };
                format!("--python {selector} selects nothing; there are: {ids}")
            })?);
        }
        if !named.is_empty() {
            let is_named =
                |one: &&Interpreter| no_search || named.iter().any(|path| super::real(path) == super::real(&one.path));
            for one in found.iter().filter(is_named) {
                compilers.extend(usable([one].into_iter(), false, String::new)?);
            }
        }
        if self.python.is_empty() {
            let ordinary = found.iter().filter(|one| !one.facts.free_threaded && !one.facts.debug);
            compilers.extend(ordinary.filter_map(Compiler::of).next_back());
        }
        ensure!(!compilers.is_empty(), "no CPython was found that compiles; `provost doctor` tells why");
        Ok(self.one_for_each_tag(compilers))
    }

    /// Who writes the same file as a newer one is left out.
    fn one_for_each_tag(&self, mut compilers: Vec<Compiler>) -> Vec<Compiler> {
        compilers.sort_by(|a, b| (a.tag(), b.rank(), a.id()).cmp(&(b.tag(), a.rank(), b.id())));
        compilers.dedup_by(|next, kept| {
            let is_same = next.tag() == kept.tag();
            if is_same && next.id() != kept.id() && !self.quiet {
                eprintln!("{} is left out: {} writes the same files", next.id(), kept.id());
            }
            is_same
        });
        compilers.sort_by_key(Compiler::rank);
        compilers
    }
}

/// Those that compile. Where there is none at all, what was asked for is wrong; others may only be beside one that does, or among
/// all.
fn usable<'i>(
    wanted: impl Iterator<Item = &'i Interpreter>,
    may_be_none: bool,
    nothing: impl FnOnce() -> String,
) -> Result<Vec<Compiler>> {
    let wanted: Vec<&Interpreter> = wanted.collect();
    let compilers: Vec<Compiler> = wanted.iter().filter_map(|one| Compiler::of(one)).collect();
    match wanted.first() {
        _ if may_be_none || !compilers.is_empty() => Ok(compilers),
        None => bail!(nothing()),
        Some(one) => bail!("{} is no CPython whose .pyc files are known", one.id),
    }
}
