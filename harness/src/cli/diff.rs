//! `provost diff`: why two .pyc files, or two trees of them, differ.

use crate::dis::{one_line, visible};
use crate::subjects::core::Core;
use crate::toolbox::answer::Line;
use crate::toolbox::diff::{Diff, causes, diff};
use crate::toolbox::trees::{Tree, is_tree, relative};
use crate::toolbox::{Archives, Entry, Paths, Trouble, each};
use anyhow::{Result, bail, ensure};
use clap::Args;
use pyc_core::Profile;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// Arguments of `diff`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 nothing differs that is not ignored; 1 something does; 2 a file cannot be compared, or the \
command was wrong."
)]
pub(crate) struct DiffArguments {
    /// A .pyc file, a directory, a wheel or a zip; one of the two may be -, standard input
    left: PathBuf,
    /// What it is compared with; in trees, files of the same relative name are
    right: PathBuf,
    /// Read the files as this Python's, such as 3.14 or 3.14.2. Overrides the magic number; required for streams without a .pyc
    /// header
    #[arg(long = "as", value_name = "X.Y[.Z]")]
    python: Option<String>,
    /// Ignore this cause (repeatable)
    #[arg(long, value_name = "KIND", value_parser = kinds())]
    ignore: Vec<String>,
    /// In trees, so many files at the same time [default: one for each processor]
    #[arg(long, short, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Print the verdict alone; of trees, the table
    #[arg(long, short)]
    quiet: bool,
    /// One JSON object; of trees, one for each file that differs
    #[arg(long)]
    json: bool,
}

fn kinds() -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(causes())
}

/// One file of a tree, or the two files.
#[derive(Default, Serialize)]
struct Told<'a> {
    /// `left` or `right`, if only one tree has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    only: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    diff: Option<&'a Diff>,
}

/// What became of a file of the first tree.
enum Pair {
    Compared(Diff),
    Only,
    Trouble(Trouble),
}

impl DiffArguments {
    /// Exit status 0, 1 or 2, as that of `diff`.
    pub(crate) fn run(&self) -> Result<u8> {
        let asked = self.python.as_deref().map(Core::named).transpose().map_err(anyhow::Error::msg)?;
        let asked = asked.as_ref().map(Core::profile);
        let ignored: BTreeSet<String> = self.ignore.iter().cloned().collect();
        match (is_tree(&self.left), is_tree(&self.right)) {
            (true, true) => self.trees(asked, &ignored),
            (false, false) => self.files(asked, &ignored),
            _ => bail!("{} and {}: a tree and a file", self.left.display(), self.right.display()),
        }
    }

    fn files(&self, asked: Option<&Profile>, ignored: &BTreeSet<String>) -> Result<u8> {
        let is_stdin = |path: &Path| path == Path::new("-");
        ensure!(
            !(is_stdin(&self.left) && is_stdin(&self.right)),
            "- and -: standard input is one file: name another one (a file called - is ./-)"
        );
        let mut contents = Vec::new();
        for path in [&self.left, &self.right] {
            match super::read(path) {
                Ok(bytes) => contents.push(bytes),
                Err(e) => bail!("{}: cannot be read: {e}", path.display()),
            }
        }
        let mut out = std::io::stdout().lock();
        match diff(&contents[0], &contents[1], asked, ignored) {
            Ok(diff) => {
                if self.json {
                    let answer = Some(Told { diff: Some(&diff), ..Told::default() });
                    Line { name: self.left.as_path().into(), error: None, answer }.write(&mut out)?;
                } else {
                    writeln!(out, "{}", diff.verdict)?;
                    if !self.quiet {
                        write!(out, "{}", diff.detail())?;
                    }
                }
                Ok(u8::from(!diff.same))
            }
            Err((is_right, trouble)) => {
                let file = if is_right { &self.right } else { &self.left };
                if self.json {
                    Line { name: file.as_path().into(), error: Some(&trouble), answer: None::<Told<'_>> }
                        .write(&mut out)?;
                } else {
                    eprintln!("{}: {trouble}", file.display());
                }
                Ok(2)
            }
        }
    }

    /// A line about a file of a tree.
    fn tell(&self, out: &mut impl Write, line: &Line<'_, Told<'_>>, text: &str) -> Result<()> {
        if self.json {
            line.write(out)?;
        } else if !self.quiet {
            writeln!(out, "{}: {}", one_line(&line.name.file), visible(text))?;
        }
        Ok(())
    }

    fn trees(&self, asked: Option<&Profile>, ignored: &BTreeSet<String>) -> Result<u8> {
        let other = Tree::open(&self.right);
        let paths = Paths { paths: vec![self.left.clone()], jobs: self.jobs };
        let mut seen = BTreeSet::new();
        let mut table: BTreeMap<&'static str, usize> = BTreeMap::new();
        let mut out = std::io::stdout().lock();
        let (mut same, mut troubles, mut only) = (0, 0, [0, 0]);
        let work = |entry: &Entry, bytes: Result<Vec<u8>, Trouble>| {
            let pair = || -> Result<Pair, Trouble> {
                let bytes = bytes?;
                let Some(right) = other.read(relative(&entry.name, &self.left))? else { return Ok(Pair::Only) };
                diff(&bytes, &right, asked, ignored).map(Pair::Compared).map_err(|(_, trouble)| trouble)
            };
            pair().unwrap_or_else(Pair::Trouble)
        };
        let summary = each(&paths, Archives::Read, work, |entry, pair| {
            let file = match relative(&entry.name, &self.left) {
                // The archive itself cannot be read.
                "" => entry.name.as_str(),
                file => file,
            };
            seen.insert(file.to_owned());
            let (mut error, mut told) = (None, Told::default());
            let text = match &pair {
                Pair::Compared(diff) if diff.same => {
                    same += 1;
                    return Ok(());
                }
                Pair::Compared(diff) => {
                    *table.entry(diff.cause().unwrap_or("python")).or_default() += 1;
                    told.diff = Some(diff);
                    diff.verdict.clone()
                }
                Pair::Only => {
                    only[0] += 1;
                    told.only = Some("left");
                    format!("only in {}", self.left.display())
                }
                Pair::Trouble(trouble) => {
                    troubles += 1;
                    error = Some(trouble);
                    trouble.to_string()
                }
            };
            self.tell(&mut out, &Line { name: file.into(), error, answer: Some(told) }, &text)
        })?;
        for file in other.others(&seen) {
            only[1] += 1;
            let line = Line { name: file.into(), error: None, answer: Some(Told { only: Some("right"), diff: None }) };
            self.tell(&mut out, &line, &format!("only in {}", self.right.display()))?;
        }
        if !self.json {
            let left = format!("only in {}", self.left.display());
            let right = format!("only in {}", self.right.display());
            let rows = table.iter().map(|(cause, count)| (*cause, *count));
            let ends = [("cannot be compared", troubles), (left.as_str(), only[0]), (right.as_str(), only[1])];
            // Each row counts other ones.
            writeln!(out, "{:>7}  cause, of {} files", "files", summary.files + only[1])?;
            for (cause, count) in [("the same", same)].into_iter().chain(rows).chain(ends).filter(|row| row.1 > 0) {
                writeln!(out, "{count:>7}  {cause}")?;
            }
        }
        Ok(match (troubles, table.is_empty() && only == [0, 0]) {
            (0, true) => 0,
            (0, false) => 1,
            _ => 2,
        })
    }
}
