//! `provost normalize`: .pyc files that depend on nothing but the program.

use super::Places;
use crate::dis::{one_line, visible};
use crate::toolbox::answer::Line;
use crate::toolbox::normalize::{FORM, Normal, Options, Verifier, normalize};
use crate::toolbox::{Archives, Entry, Paths, Trouble, each, places, replace, wheel};
use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::io::Write;
use std::path::Path;

/// Arguments of `normalize`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 all files are in the normal form; 1 a file is refused, or with --check is in another \
form; 2 the command was wrong.\n\nThe form is defined in docs/NORMALFORM.md. A wheel that is named is rewritten with its RECORD. \
Standard input is written to standard output. Links in folders are skipped; one that is named is followed."
)]
pub(crate) struct Normalize {
    #[command(flatten)]
    paths: Paths,
    #[command(flatten)]
    places: Places,
    /// Change nothing; say which files would change
    #[arg(long)]
    check: bool,
    /// In file names of code objects, NEW in the place of OLD at the beginning; OLD ends where a part of the path does
    /// (repeatable; the first that fits is taken)
    #[arg(long, value_name = "OLD=NEW", value_parser = pair)]
    remap: Vec<(String, String)>,
    /// Write this time of the source file into headers, in seconds since 1970: an import takes such a file only if the source has
    /// that time. Files with a hash are refused
    #[arg(long, value_name = "SECONDS", conflicts_with = "hash")]
    mtime: Option<u32>,
    /// Write the hash of the source file into headers (3.7 and later)
    #[arg(long, value_enum)]
    hash: Option<Hash>,
    /// The version of the normal form
    #[arg(long, value_name = "N", default_value_t = FORM, value_parser = clap::value_parser!(u32).range(1..=i64::from(FORM)))]
    form: u32,
    /// Print only what is wrong
    #[arg(long, short)]
    quiet: bool,
    /// One JSON object for each file
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Hash {
    /// Imports compare it with the source file
    Checked,
    /// Imports believe it
    Unchecked,
}

/// `OLD=NEW`, parted at the first `=`.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    let (old, new) = text.split_once('=').ok_or("it has no =")?;
    if old.is_empty() {
        return Err("there is nothing before the =".into());
    }
    Ok((old.into(), new.into()))
}

/// What became of a file.
#[derive(Debug, Serialize)]
struct Done {
    /// `normal`, `changed`, or with --check `other`.
    status: &'static str,
    form: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    python: Option<String>,
    before: usize,
    after: usize,
    /// Code objects with another file name.
    filenames: usize,
    /// Whether the archive has a RECORD.
    #[serde(skip)]
    has_record: bool,
    /// Members of an archive that changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<usize>,
    /// The interpreters that say that the value is the same, besides the model.
    verified: Vec<String>,
    #[serde(skip)]
    output: Option<Vec<u8>>,
}

impl Normalize {
    /// Exit status 1 if a file is refused, or would change.
    pub(crate) fn run(&self) -> Result<u8> {
        let is_stdin = self.paths.paths.iter().any(|path| path == Path::new("-"));
        ensure!(
            !is_stdin || self.paths.paths.len() == 1 && !self.json,
            "the result of - is written to standard output, so that nothing else can be: name - alone, without --json"
        );
        let discovery = self.places.scripts().whole()?;
        let verifier = Verifier::new(&discovery.found.interpreters);
        let options =
            Options { remap: self.remap.clone(), mtime: self.mtime, hash: self.hash.map(|hash| hash == Hash::Checked) };
        let mut out = std::io::stdout().lock();
        let (mut counts, mut refused) = (std::collections::BTreeMap::<&str, usize>::new(), 0);
        let mut verified = std::collections::BTreeSet::new();
        let work = |entry: &Entry, bytes: Result<Vec<u8>, Trouble>| self.one(entry, bytes?, &options, &verifier);
        let summary = each(&self.paths, Archives::Keep, work, |entry, done| {
            let (error, done) = match &done {
                Ok(done) => (None, Some(done)),
                Err(trouble) => (Some(trouble), None),
            };
            refused += usize::from(error.is_some());
            if let Some(done) = done {
                *counts.entry(done.status).or_default() += 1;
                verified.extend(done.verified.iter().cloned());
                if let Some(bytes) = &done.output {
                    out.write_all(bytes)?;
                    return Ok(());
                }
            }
            if self.json {
                Line { name: entry.into(), error, answer: done }.write(&mut out)?;
            } else if let Some(trouble) = error {
                out.flush()?;
                eprintln!("{}: {}", one_line(&entry.name), visible(&trouble.to_string()));
            } else if let Some(done) = done.filter(|done| !self.quiet && done.status != "normal") {
                writeln!(out, "{}: {}", one_line(&entry.name), done.text())?;
            }
            Ok(())
        })?;
        let count = |status: &str| counts.get(status).copied().unwrap_or(0);
        let (changed, other) = (count("changed"), count("other"));
        if !self.json && !self.quiet && summary.files > 1 {
            // Who said that a value is the same. What does not change needs nobody.
            let who = match changed + other {
                0 => String::new(),
                _ => {
                    let names = verified.iter().map(|name| format!(", {name}"));
                    format!(" (verified by the model{})", names.collect::<String>())
                }
            };
            let (normal, files) = (count("normal"), summary.files);
            writeln!(
                out,
                "{files} files: {changed} changed, {other} would change, {normal} normal, {refused} refused{who}"
            )?;
        }
        Ok(u8::from(refused > 0 || other > 0))
    }

    fn one(&self, entry: &Entry, bytes: Vec<u8>, options: &Options, verifier: &Verifier) -> Result<Done, Trouble> {
        let before = bytes.len();
        let done = if wheel::is_archive(&bytes) {
            self.archive(entry, &bytes, options, verifier)?
        } else {
            let source = || std::fs::read(places::source_of(entry.path()?)?).ok();
            let Normal { bytes: new, release, filenames, verified } = normalize(&bytes, options, source, verifier)?;
            let (python, verified) = (Some(release.version.to_string()), verified.into_iter().collect());
            let output = (new != bytes).then_some(new);
            Done {
                status: "",
                form: self.form,
                python,
                before,
                after: 0,
                filenames,
                has_record: false,
                members: None,
                verified,
                output,
            }
        };
        let Done { output: new, .. } = &done;
        let after = new.as_ref().map_or(before, Vec::len);
        let status = match new {
            None => "normal",
            Some(_) if self.check => "other",
            Some(_) => "changed",
        };
        let output = match (entry.path(), done.output) {
            (Some(path), Some(new)) if !self.check => {
                replace::replace_unchanged(path, &bytes, &new)?;
                None
            }
            // Standard input is copied, whether it changes or not.
            (None, new) if !self.check => Some(new.unwrap_or(bytes)),
            _ => None,
        };
        Ok(Done { status, after, output, ..done })
    }

    fn archive(&self, entry: &Entry, bytes: &[u8], options: &Options, verifier: &Verifier) -> Result<Done, Trouble> {
        let is_wheel =
            Path::new(&entry.name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("whl"));
        let (mut filenames, mut verified) = (0, Vec::new());
        let new = wheel::rewrite(bytes, is_wheel, |name, old, other| {
            let source = || other(places::source_of(Path::new(name))?.to_str()?);
            let normal = normalize(old, options, source, verifier)?;
            filenames += normal.filenames;
            verified.extend(normal.verified);
            Ok(normal.bytes)
        })?;
        verified.sort();
        verified.dedup();
        let has_record = new.as_ref().is_some_and(|new| new.has_record);
        let (output, members) = new.map_or((None, 0), |new| (Some(new.bytes), new.members));
        let (form, before, members) = (self.form, bytes.len(), Some(members));
        Ok(Done { status: "", form, python: None, before, after: 0, filenames, has_record, members, verified, output })
    }
}

impl Done {
    fn text(&self) -> String {
        let Done { status, before, after, filenames, has_record, members, .. } = self;
        let verb = if *status == "other" { "would change" } else { "changed" };
        let mut text = format!("{verb}, {before} -> {after} bytes");
        if let Some(members) = members {
            let plural = if *members == 1 { "" } else { "s" };
            let record = if *has_record { " and RECORD" } else { "" };
            text += &format!(", {members} member{plural}{record}");
        }
        if *filenames > 0 {
            text += &format!(", {filenames} file names");
        }
        text
    }
}
