//! `provost check`: pyc-core's answer about files, without any Python.

use crate::check::{Report, Shown, check, hex_dump};
use crate::subjects::core::Core;
use crate::toolbox::annotate::{Part, annotate};
use crate::toolbox::answer::{Answer, Output, answer};
use crate::toolbox::{Archives, Paths};
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::fmt;

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 all files are good; 1 some file is bad or cannot be read; 2 the command was wrong. \
    Schema of --json: harness/schema/check.schema.json."
)]
pub(crate) struct Check {
    #[command(flatten)]
    paths: Paths,
    /// Read the file as this Python's, such as 3.14 or 3.14.2. Overrides the magic number; required for streams without a .pyc
    /// header
    #[arg(long = "as", value_name = "X.Y[.Z]")]
    python: Option<String>,
    /// Also show all bytes of the file
    #[arg(long)]
    hex: bool,
    /// Also show the file item by item: offset, bytes, and what they mean; of a damaged file as far as it is understood
    #[arg(long)]
    annotate: bool,
    /// Show the value in the normal form that interpreters are compared in (corpus/CANON.md), not as a tree
    #[arg(long)]
    canon: bool,
    /// Show the whole tree
    #[arg(long, conflicts_with = "canon")]
    all: bool,
    #[command(flatten)]
    output: Output,
}

/// A report, and the parts and the bytes if they are to be shown.
#[derive(Serialize)]
struct Checked {
    #[serde(flatten)]
    report: Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<Vec<Part>>,
    #[serde(skip)]
    dump: String,
}

impl Answer for Checked {
    fn verdict(&self) -> (&'static str, bool) {
        self.report.verdict()
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.report)?;
        if let Some(parts) = &self.parts {
            writeln!(
                f,
                "  parts     offset, bytes, what they mean; #N is the slot that an object takes, by which references name it"
            )?;
            parts.iter().try_for_each(|part| write!(f, "{part}"))?;
        }
        write!(f, "{}", self.dump)
    }
}

impl Check {
    /// Exit status 1 if any file is bad.
    pub(crate) fn run(&self) -> Result<u8> {
        let python = self.python.as_deref();
        python.map(Core::named).transpose().map_err(anyhow::Error::msg)?;
        let shown = match () {
            () if self.output.json => Shown::Json,
            () if self.canon => Shown::Canon,
            () if self.all => Shown::Whole,
            () => Shown::Tree,
        };
        answer(&self.paths, Archives::Read, self.output, |_, bytes| {
            let report =
                check(&bytes, python, shown).unwrap_or_else(|e| unreachable!("the version was looked up: {e}"));
            let dump = if self.hex { hex_dump(&bytes) } else { String::new() };
            let read_as =
                report.python.as_deref().filter(|_| self.annotate).and_then(|python| Core::named(python).ok());
            let parts = read_as.map(|core| annotate(&report, &bytes, core.profile()));
            Ok(Checked { report, parts, dump })
        })
    }
}
