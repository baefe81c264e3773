//! `provost check`: pyc-core's answer about files, without any Python.

use crate::check::{Report, check, hex_dump};
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Arguments of `check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// .pyc files, or marshal streams with --as; - reads standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Which Python is meant, such as 3.14 or 3.14.2: needed for streams without a .pyc header, overrides the magic number
    #[arg(long = "as", value_name = "X.Y[.Z]")]
    python: Option<String>,
    /// Also show all bytes of the file
    #[arg(long)]
    hex: bool,
    /// One JSON object for each file, with everything in it
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    file: &'a Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<String>,
    #[serde(flatten)]
    report: Option<Report>,
}

impl Check {
    /// Exit status 1 if any file is bad.
    pub(crate) fn run(&self) -> Result<u8> {
        let mut out = std::io::stdout().lock();
        let mut status = 0;
        for file in &self.files {
            let bytes = match super::read(file) {
                Ok(bytes) => bytes,
                Err(e) => {
                    status = 1;
                    let unreadable = Some(e.to_string());
                    if self.json {
                        serde_json::to_writer(&mut out, &Line { file, unreadable, report: None })?;
                        writeln!(out)?;
                    } else {
                        writeln!(out, "{}: cannot be read: {e}", file.display())?;
                    }
                    continue;
                }
            };
            let report = check(&bytes, self.python.as_deref()).map_err(anyhow::Error::msg)?;
            status |= u8::from(!report.ok);
            if self.json {
                serde_json::to_writer(&mut out, &Line { file, unreadable: None, report: Some(report) })?;
                writeln!(out)?;
            } else {
                let word = if report.ok { "good" } else { "BAD" };
                write!(out, "{}: {word}, {} bytes\n{report}", file.display(), report.length)?;
                if self.hex {
                    write!(out, "{}", hex_dump(&bytes))?;
                }
            }
        }
        Ok(status)
    }
}
