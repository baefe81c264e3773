//! `provost clean`: removes .pyc files that can be made again.

use crate::dis::one_line;
use crate::toolbox::answer::Line;
use crate::toolbox::clean::{Fate, Filter, clean, span};
use crate::toolbox::places;
use anyhow::{Result, ensure};
use clap::Args;
use pyc_core::{Profile, Release, Version};
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Arguments of `clean`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 all is well; 1 something cannot be removed; 2 the command was wrong.\n\nA .pyc file outside \
of __pycache__ without a source is all that there is of its program: it is kept unless --orphans asks for it. Links are not \
followed. Copies such as x.pyc.backup are no .pyc files here. Sources of files below PYTHONPYCACHEPREFIX are found. Standard input \
is not read."
)]
pub(crate) struct Clean {
    /// Folders, or .pyc files
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only files that were changed so long ago: 30d, 12h, 90m, 45s
    #[arg(long, value_name = "TIME", value_parser = span)]
    older_than: Option<Duration>,
    /// Only files of these Pythons, by their magic numbers
    #[arg(long, value_name = "X.Y,...", value_delimiter = ',', value_parser = version)]
    python: Vec<Version>,
    /// Only files without a source file
    #[arg(long)]
    orphans: bool,
    /// Remove nothing; say what would be removed
    #[arg(long)]
    dry_run: bool,
    /// Print only what is wrong
    #[arg(long, short)]
    quiet: bool,
    /// One JSON object for each path
    #[arg(long)]
    json: bool,
}

fn version(text: &str) -> Result<Version, String> {
    let release = Release::parse(text).filter(|release| Profile::of(release.version).is_some());
    release.map(|release| release.version).ok_or_else(|| "it is no version such as 3.12 that pyc-core knows".into())
}

#[derive(Serialize)]
struct Told {
    /// `removed`, `would-remove`, `kept`
    action: &'static str,
}

impl Clean {
    /// Exit status 1 if something cannot be removed.
    pub(crate) fn run(&self) -> Result<u8> {
        let is_stdin = self.paths.iter().any(|path| path == Path::new("-"));
        ensure!(!is_stdin, "clean reads no standard input: name folders, or .pyc files (a file called - is ./-)");
        let now = SystemTime::now();
        let before = self.older_than.map(|age| now.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH));
        let pythons = self.python.iter().copied().collect();
        let filter = Filter { before, pythons, orphans: self.orphans, prefix: places::prefix() };
        let mut out = std::io::stdout().lock();
        let (mut files, mut bytes, mut folders, mut kept, mut failed) = (0, 0, 0, 0, 0);
        let mut written = Ok(());
        let (verb, action) = if self.dry_run { ("would remove", "would-remove") } else { ("removed", "removed") };
        let mut tell = |path: &Path, fate: Fate| {
            let (text, answer) = match &fate {
                Fate::Removed { bytes: length } => {
                    (files, bytes) = (files + 1, bytes + length);
                    (format!("{verb} {}", path.display()), Ok(Told { action }))
                }
                Fate::Emptied => {
                    folders += 1;
                    (format!("{verb} {}/", path.display()), Ok(Told { action }))
                }
                Fate::Kept => {
                    kept += 1;
                    let text = format!("kept {}: there is no source to make it again from", path.display());
                    (text, Ok(Told { action: "kept" }))
                }
                Fate::Failed(trouble) => {
                    failed += 1;
                    (String::new(), Err(trouble))
                }
            };
            let mut write = || -> Result<()> {
                if self.json {
                    let (error, answer) = (answer.as_ref().err().copied(), answer.as_ref().ok());
                    Line { name: path.into(), error, answer }.write(&mut out)?;
                } else if let Err(trouble) = &answer {
                    out.flush()?;
                    eprintln!("{}: {trouble}", one_line(&path.display().to_string()));
                } else if !self.quiet {
                    writeln!(out, "{}", one_line(&text))?;
                }
                Ok(())
            };
            if let (Err(e), true) = (write(), written.is_ok()) {
                written = Err(e);
            }
        };
        for path in &self.paths {
            clean(path, &filter, self.dry_run, &mut tell);
        }
        written?;
        if !self.json && !self.quiet {
            let kept = if kept == 0 { String::new() } else { format!("; {kept} kept") };
            writeln!(out, "{verb} {files} files ({bytes} bytes) and {folders} folders{kept}")?;
        }
        Ok(u8::from(failed > 0))
    }
}
