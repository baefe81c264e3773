//! `provost asm`: .pyc files from text, without any Python.

use crate::toolbox::replace::create;
use anyhow::{Context, Result, bail};
use clap::Args;
use pyc_core::Pyc;
use pyc_core::bytecode::text;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Arguments of `asm`.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER)]
pub(crate) struct Asm {
    /// The text; - reads standard input
    #[arg(value_name = "FILE.pyasm")]
    file: PathBuf,
    /// Where to write the file; - is standard output [default: FILE.pyc beside it]
    #[arg(short, long, value_name = "FILE.pyc")]
    out: Option<PathBuf>,
}

const AFTER: &str = include_str!("asm.txt");

impl Asm {
    /// Exit status 1 if the text is bad.
    pub(crate) fn run(&self) -> Result<u8> {
        let given = super::read(&self.file).with_context(|| format!("cannot read {}", self.file.display()))?;
        let Ok(given) = String::from_utf8(given) else {
            eprintln!("{}: the text is not UTF-8", self.file.display());
            return Ok(1);
        };
        let bytes = match text::assemble(&given) {
            Ok(bytes) => bytes,
            Err(error) => {
                eprintln!("{}:{error}", self.file.display());
                return Ok(1);
            }
        };
        let is_standard = self.file == Path::new("-");
        let out = match &self.out {
            Some(out) => out.clone(),
            None if is_standard => PathBuf::from("-"),
            None => self.file.with_extension("pyc"),
        };
        if !is_standard && out == self.file {
            bail!("{} is the text itself: name another file with -o", out.display());
        }
        if let Some(why) = refused(&bytes) {
            eprintln!("{}: the Python that it is for would refuse it: {why}; nothing is written", self.file.display());
            return Ok(1);
        }
        if out == Path::new("-") {
            std::io::stdout().lock().write_all(&bytes)?;
        } else {
            create(&out, &bytes).with_context(|| format!("cannot write {}", out.display()))?;
        }
        Ok(0)
    }
}

/// Why its Python would not load a file, if that is so.
fn refused(file: &[u8]) -> Option<String> {
    let pyc = Pyc::parse(file).ok()?;
    pyc_core::read(pyc.payload, pyc.profile()).err().map(|error| error.kind.to_string())
}
