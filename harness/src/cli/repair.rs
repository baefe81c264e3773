//! `provost repair`: damaged .pyc files.

use crate::dis::{one_line, visible};
use crate::subjects::core::Core;
use crate::toolbox::answer::Line;
use crate::toolbox::repair::{Options, Repaired, repair};
use crate::toolbox::replace::{create, replace};
use crate::toolbox::{Archives, Entry, Paths, Trouble, each};
use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Arguments of `repair`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 all files are good now, or would be; 1 one cannot be repaired; 2 the command was wrong.\n\n\
Without --in-place and --output nothing is written: what would be done is said. Links in folders are skipped; one that is named \
is followed."
)]
pub(crate) struct Repair {
    #[command(flatten)]
    paths: Paths,
    /// The Python that wrote them, such as 3.12
    #[arg(long = "as", value_name = "X.Y[.Z]")]
    python: Option<String>,
    /// Of a stream that is cut or damaged keep the code objects that are complete
    #[arg(long)]
    salvage: bool,
    /// Write the repaired file here; - is standard output
    #[arg(long, short, value_name = "FILE", conflicts_with = "in_place")]
    output: Option<PathBuf>,
    /// Put repaired files in the place of the damaged ones
    #[arg(long)]
    in_place: bool,
    /// Print only what cannot be repaired
    #[arg(long, short)]
    quiet: bool,
    /// One JSON object for each file
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Told<'a> {
    /// `good`, `repaired`, or `repairable` if nothing was written.
    status: &'static str,
    #[serde(flatten)]
    repaired: &'a Repaired,
}

impl Repair {
    /// Exit status 1 if a file cannot be repaired.
    pub(crate) fn run(&self) -> Result<u8> {
        let python = self.python.as_deref().map(Core::named).transpose().map_err(anyhow::Error::msg)?;
        let options = Options { python: python.map(|core| core.profile().clone()), salvage: self.salvage };
        let is_one = self.paths.paths.len() == 1 && !self.paths.paths[0].is_dir();
        ensure!(self.output.is_none() || is_one, "--output is for one file");
        let to_stdout = self.output.as_deref() == Some(Path::new("-"));
        let mut out = std::io::stdout().lock();
        let mut status = 0;
        let work = |_: &Entry, bytes: Result<Vec<u8>, Trouble>| repair(&bytes?, &options);
        each(&self.paths, Archives::Keep, work, |entry, repaired| {
            let written = repaired.and_then(|repaired| {
                let is_good = repaired.steps.is_empty();
                match (&self.output, entry.path()) {
                    (Some(_), _) if to_stdout => {}
                    (Some(file), _) => create(file, &repaired.bytes)?,
                    (None, Some(path)) if self.in_place && !is_good => replace(path, &repaired.bytes)?,
                    (None, None) if self.in_place => {
                        let what = "is standard input, which has no place";
                        return Err(Trouble::new(
                            "not-written",
                            what,
                            "name a file with -o, or -o - for standard output",
                        ));
                    }
                    _ => return Ok((repaired, if is_good { "good" } else { "repairable" })),
                }
                Ok((repaired, if is_good { "good" } else { "repaired" }))
            });
            status |= u8::from(written.is_err());
            if let (Ok((repaired, _)), true) = (&written, to_stdout) {
                out.write_all(&repaired.bytes)?;
                return Ok(());
            }
            let (error, done) = (written.as_ref().err(), written.as_ref().ok());
            if self.json {
                let answer = done.map(|(repaired, status)| Told { status, repaired });
                Line { name: entry.into(), error, answer }.write(&mut out)?;
            } else if let Some(trouble) = error {
                out.flush()?;
                eprintln!("{}: {}", one_line(&entry.name), visible(&trouble.to_string()));
            } else if let Some((repaired, status)) = done.filter(|_| !self.quiet) {
                let Repaired { python, confidence, or, steps, .. } = repaired;
                let or = if or.is_empty() { String::new() } else { format!(", or as well {}", or.join(", ")) };
                writeln!(out, "{}: {status}, Python {python} ({confidence} %{or})", one_line(&entry.name))?;
                for step in steps {
                    writeln!(out, "  {}", one_line(step))?;
                }
            }
            Ok(())
        })?;
        Ok(status)
    }
}
