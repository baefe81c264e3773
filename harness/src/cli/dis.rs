//! `provost dis`: the instructions of code objects, without any Python.

use crate::dis::{CodeView, Error, File, colored, visible};
use crate::subjects::core::Core;
use anyhow::Result;
use clap::{Args, ValueEnum};
use pyc_core::Profile;
use pyc_core::bytecode::text;
use serde::Serialize;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Arguments of `dis`.
#[derive(Debug, Args)]
pub(crate) struct Dis {
    /// .pyc files, or marshal streams with --as; - reads standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Read the file as this Python's, such as 3.14 or 3.14.2. Overrides the magic number; required for streams without a .pyc
    /// header
    #[arg(long = "as", value_name = "X.Y[.Z]")]
    python: Option<String>,
    /// Only code objects of this name, such as f or Class.f, and those inside of them
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
    /// The form of the output
    #[arg(long, value_enum, default_value_t)]
    style: Style,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Style {
    /// One form for all versions, with columns and exception handlers
    #[default]
    Plain,
    /// Text from which `provost asm` makes the same bytes again
    Asm,
    /// What dis.dis of the Python that is meant prints, line for line; addresses are 0
    Python,
    /// One JSON object for each file
    Json,
}

#[derive(Serialize)]
struct Line {
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    python: Option<String>,
    codes: Vec<CodeView>,
}

impl Dis {
    /// Exit status 1 if any file is bad.
    pub(crate) fn run(&self) -> Result<u8> {
        anyhow::ensure!(
            self.style != Style::Asm || self.function.is_none() && self.files.len() == 1,
            "--style asm shows one file, and all of it"
        );
        let asked = self.python.as_deref().map(Core::named).transpose().map_err(anyhow::Error::msg)?;
        let mut out = std::io::stdout().lock();
        let is_terminal = out.is_terminal();
        let has_colors = is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let mut status = 0;
        for path in &self.files {
            let bytes = match super::read(path) {
                Ok(bytes) => bytes,
                Err(e) => {
                    status = 1;
                    self.tell(&mut out, path, format!("cannot be read: {e}"))?;
                    continue;
                }
            };
            match self.show(&bytes, asked.as_ref(), path) {
                Ok((text, profile, error)) => {
                    let text = if is_terminal { visible(&text) } else { text };
                    let text = if has_colors && self.style != Style::Json { colored(&text, &profile) } else { text };
                    out.write_all(text.as_bytes())?;
                    if let Some(error) = error {
                        status = 1;
                        out.flush()?;
                        eprintln!("{}: {error}", path.display());
                    }
                }
                Err(e) => {
                    status = 1;
                    self.tell(&mut out, path, e.to_string())?;
                }
            }
        }
        Ok(status)
    }

    fn tell(&self, out: &mut impl Write, path: &Path, error: String) -> Result<()> {
        if self.style == Style::Json {
            let line = Line { file: path.display().to_string(), error: Some(error), python: None, codes: Vec::new() };
            writeln!(out, "{}", serde_json::to_string(&line)?)?;
        } else {
            out.flush()?;
            eprintln!("{}: {error}", path.display());
        }
        Ok(())
    }

    /// The text, whose instructions they are, and what ended it.
    fn show(&self, bytes: &[u8], asked: Option<&Core>, path: &Path) -> Result<(String, Profile, Option<Error>), Error> {
        let asked = asked.map(Core::profile);
        if self.style == Style::Asm {
            let document = text::disassemble(bytes, asked)?;
            return Ok((text::print(&document), document.profile().clone(), None));
        }
        let file = File::read(bytes, asked)?;
        let function = self.function.as_deref();
        if self.style == Style::Python {
            let (text, error) = file.python_listing(function);
            return Ok((text, file.profile().clone(), error));
        }
        let codes = file.codes(function)?;
        let views = codes.into_iter().filter_map(|(path, id)| file.view(path, id));
        if self.style == Style::Plain {
            let text = views.map(|view| view.plain()).collect::<Vec<_>>().join("\n");
            return Ok((text, file.profile().clone(), None));
        }
        let codes = views.collect();
        let line =
            Line { file: path.display().to_string(), error: None, python: Some(file.python().to_string()), codes };
        let text = serde_json::to_string(&line).expect("texts and numbers are JSON");
        Ok((text + "\n", file.profile().clone(), None))
    }
}
