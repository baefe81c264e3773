//! How answers are told: to people, one after the other and a summary; to programs, one JSON object in a line.

use super::each::each_beside;
use super::{Archives, Beside, Entry, Paths, Trouble};
use crate::dis::one_line;
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How answers are told.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Output {
    /// One JSON object for each file, in a line of its own
    #[arg(long)]
    pub json: bool,
    /// Only what is wrong, and no summary
    #[arg(long, short)]
    pub quiet: bool,
}

/// An answer about one file. As a text it begins in the line of the file's name, and ends with a line feed.
pub trait Answer: Serialize + Display + Send {
    /// One word for the summary, such as `good`; and whether all is well.
    fn verdict(&self) -> (&'static str, bool);
}

/// What programs are told that a file is called.
#[derive(Serialize)]
pub struct Name<'a> {
    /// As people see it.
    pub file: Cow<'a, str>,
    /// The bytes of a path that is no text, in hexadecimal digits: such a path cannot be had back from what people see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_hex: Option<String>,
}

impl<'a> From<&'a str> for Name<'a> {
    fn from(file: &'a str) -> Name<'a> {
        Name { file: file.into(), file_hex: None }
    }
}

impl<'a> From<&'a Path> for Name<'a> {
    fn from(path: &'a Path) -> Name<'a> {
        let file_hex = path.to_str().is_none().then(|| crate::case::hex(path.as_os_str().as_bytes()));
        Name { file: path.to_string_lossy(), file_hex }
    }
}

impl<'a> From<&'a Entry> for Name<'a> {
    fn from(entry: &'a Entry) -> Name<'a> {
        entry.path().map_or_else(|| entry.name.as_str().into(), Name::from)
    }
}

/// What programs are told of one file.
#[derive(Serialize)]
pub struct Line<'a, T> {
    /// What it is called.
    #[serde(flatten)]
    pub name: Name<'a>,
    /// Why there is no answer, or none that is whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'a Trouble>,
    /// The fields of the answer.
    #[serde(flatten)]
    pub answer: Option<T>,
}

impl<T: Serialize> Line<'_, T> {
    /// Writes it as one object on a line of its own.
    ///
    /// # Errors
    /// When nobody can be told.
    pub fn write(&self, mut out: impl Write) -> Result<()> {
        serde_json::to_writer(&mut out, self)?;
        Ok(writeln!(out)?)
    }
}

/// Answers about every file, and tells the answers. The status that the command ends with: 1 if something is not well.
///
/// # Errors
/// When there is no file, or nobody can be told.
pub fn answer<T: Answer>(
    paths: &Paths,
    archives: Archives,
    output: Output,
    work: impl Fn(&Entry, Vec<u8>) -> Result<T, Trouble> + Sync,
) -> Result<u8> {
    answer_beside(paths, archives, output, |entry, bytes, _| work(entry, bytes))
}

/// The same, for who looks at what is in the same archive, too.
///
/// # Errors
/// As [`answer`].
pub fn answer_beside<T: Answer>(
    paths: &Paths,
    archives: Archives,
    output: Output,
    work: impl Fn(&Entry, Vec<u8>, &mut Beside<'_>) -> Result<T, Trouble> + Sync,
) -> Result<u8> {
    let stdout = std::io::stdout();
    let is_terminal = stdout.is_terminal();
    let mut out = std::io::BufWriter::new(stdout.lock());
    let mut verdicts: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut status = 0;
    let tell = |entry: &Entry, answer: Result<T, Trouble>| -> Result<()> {
        let (verdict, is_well) = answer.as_ref().map_or(("unreadable", false), Answer::verdict);
        *verdicts.entry(verdict).or_default() += 1;
        status |= u8::from(!is_well);
        if output.json {
            let line = Line { name: entry.into(), error: answer.as_ref().err(), answer: answer.as_ref().ok() };
            line.write(&mut out)?;
        } else if !(output.quiet && is_well) {
            let text = match answer {
                Ok(answer) => format!("{}: {answer}", one_line(&entry.name)),
                Err(trouble) => format!("{}: {trouble}\n", one_line(&entry.name)),
            };
            // Names and texts of files are not to be trusted.
            out.write_all(crate::dis::visible(&text).as_bytes())?;
        }
        if is_terminal {
            out.flush()?;
        }
        Ok(())
    };
    let work = |entry: &Entry, bytes: Result<Vec<u8>, Trouble>, beside: &mut Beside<'_>| work(entry, bytes?, beside);
    let summary = each_beside(paths, archives, work, tell)?;
    if summary.files > 1 && !output.json && !output.quiet {
        let counts: Vec<String> = verdicts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
        writeln!(out, "{} files: {}", summary.files, counts.join(", "))?;
    }
    out.flush()?;
    Ok(status)
}
