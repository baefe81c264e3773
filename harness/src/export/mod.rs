//! The corpus for somebody else's reader: streams, and what interpreters answered to them.
//!
//! Nothing here is said by the model. An answer is one of `corpus/golden`; where that has only the hash of a long text, the
//! text is taken from the model if it has that very hash, and left out if not.

pub mod plain;
mod python;
mod rust;

use crate::case::{hex, sha256_hex};
use crate::corpus::{Answers, Fixture, Kind, all, golden};
use crate::golden::{Dumped, Entry, Head, Text, lengthen};
use crate::observation::{Accepted, Canon, Dump, Observation};
use crate::subjects::core::Core;
use anyhow::{Context, Result, ensure};
use pyc_core::{Profile, Release};
use std::collections::BTreeSet;
use std::path::Path;

/// For whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A crate with a trait of three methods
    Rust,
    /// Tests for pytest and unittest
    Pytest,
    /// One line of JSON for each case, a schema, and a program that compares
    Jsonl,
    /// A folder of seeds, and a dictionary
    Libfuzzer,
}

/// A recorded answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It built a value.
    Accepted {
        /// How many bytes it takes.
        consumed: u64,
        /// The canon.
        canon: Option<String>,
        /// Its hash, where the text is not known.
        canon_sha256: Option<String>,
        /// The value as compact plain JSON.
        value: Option<String>,
        /// What it was dumped as, for each version of the format.
        dumps: Vec<Dumped>,
    },
    /// It raised this exception.
    Rejected(String, String),
    /// It crashes, hangs or corrupts its memory: the cause, and what it was seen to die of.
    Undefined(String, Option<String>),
}

/// A stream and all that was answered to it.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its name in the corpus.
    pub name: String,
    /// Why it is there.
    pub kind: Kind,
    /// What it is.
    pub what: String,
    /// The bytes.
    pub stream: Vec<u8>,
    /// Interpreters by number, and what they said; equal answers together.
    pub answers: Vec<(Vec<usize>, Said)>,
    /// The versions of which no release gave an answer that can be compared with.
    pub unasked: Vec<String>,
}

/// The corpus and what is known of it.
#[derive(Debug)]
pub struct Export {
    /// Who was asked, oldest release first.
    pub interpreters: Vec<Head>,
    /// The streams.
    pub cases: Vec<Case>,
}

/// The core under the profile of an interpreter of the golden corpus.
///
/// # Errors
/// When there is no profile for its version.
pub fn core(head: &Head) -> Result<Core> {
    let release = Release::parse(&head.version).with_context(|| format!("{} is no release", head.version))?;
    let profile = Profile::for_release(&release).with_context(|| format!("no profile for {}", head.version))?;
    let profile = profile.with_pointer_bits(head.pointer_bits).with_max_depth(head.max_depth);
    let profile = profile.with_interned_elsewhere(&head.interned_elsewhere).with_quiet_nans(head.quiets_nans);
    Ok(Core::with(profile.with_assertions(head.debug).with_free_threading(head.free_threaded)))
}

impl Export {
    /// What is in the corpus.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(corpus: &Path) -> Result<Export> {
        let golden = golden(corpus)?;
        let cores: Vec<Core> = golden.iter().map(|(head, _)| core(head)).collect::<Result<_>>()?;
        let mut seen = BTreeSet::new();
        let fixtures = all(corpus)?.into_iter().filter(|fixture| seen.insert(fixture.stream()));
        let cases = fixtures.map(|fixture| case(&fixture, &golden, &cores)).collect();
        Ok(Export { interpreters: golden.into_iter().map(|(head, _)| head).collect(), cases })
    }

    /// Writes the corpus into a folder that is not there yet, or is empty.
    ///
    /// # Errors
    /// When it cannot be written, or the folder has something in it.
    pub fn write(&self, format: Format, folder: &Path) -> Result<()> {
        let is_empty = !folder.exists() || folder.read_dir()?.next().is_none();
        ensure!(is_empty, "{} is not empty", folder.display());
        let files = match format {
            Format::Rust => rust::files(self),
            Format::Pytest => python::pytest(self),
            Format::Jsonl => python::jsonl(self),
            Format::Libfuzzer => libfuzzer(self),
        };
        for (name, bytes) in files {
            let path = folder.join(name);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
            }
            std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    /// Who was asked, as a table.
    fn table(&self) -> String {
        let row = |head: &Head| {
            let Head { implementation, version, platform, pointer_bits, max_depth, .. } = head;
            format!("| {version} | {implementation} | {platform} | {pointer_bits} | {max_depth} |\n")
        };
        let rows: String = self.interpreters.iter().map(row).collect();
        format!("| release | implementation | platform | pointer_bits | max_depth |\n|---|---|---|---|---|\n{rows}")
    }

    /// A README: the part that all formats share goes where the format's own says.
    fn readme(&self, own: &str) -> String {
        own.replace("{ABOUT}", include_str!("about.md").trim_end())
            .replace("{INTERPRETERS}", self.table().trim_end())
            .replace("{VALUES}", plain::SPECIFICATION.trim_end())
            .replace("{CASES}", &self.cases.len().to_string())
    }
}

type Files = Vec<(String, Vec<u8>)>;

fn case(fixture: &Fixture, golden: &[Answers], cores: &[Core]) -> Case {
    let stream = fixture.stream();
    let mut answers: Vec<(Vec<usize>, Said)> = Vec::new();
    let mut asked = BTreeSet::new();
    for (number, ((_, entries), core)) in golden.iter().zip(cores).enumerate() {
        let Some(said) = entries.get(&stream).and_then(|entry| said(entry, &stream, core)) else { continue };
        asked.insert(core.profile().version);
        match answers.iter_mut().find(|(_, other)| *other == said) {
            Some((by, _)) => by.push(number),
            None => answers.push((vec![number], said)),
        }
    }
    let unasked = Profile::all().map(|profile| profile.version).filter(|version| !asked.contains(version));
    Case {
        name: fixture.name.clone(),
        kind: fixture.about.kind,
        what: fixture.about.what.clone(),
        stream,
        answers,
        unasked: unasked.map(|version| version.to_string()).collect(),
    }
}

fn said(entry: &Entry, stream: &[u8], core: &Core) -> Option<Said> {
    if let Some((class, message)) = &entry.rejected {
        return Some(Said::Rejected(class.clone(), message.clone()));
    }
    if let Some(cause) = &entry.undefined {
        return Some(Said::Undefined(cause.clone(), entry.died.clone()));
    }
    // Only asked for what was kept as a hash.
    let model = || match core.observe(stream) {
        Observation::Accepted(accepted) => Some(accepted),
        _ => None,
    };
    let (canon, canon_sha256) = match entry.canon.as_ref()? {
        Text::Text(text) => (Some(text.clone()), None),
        Text::Sha256(hash) => match model() {
            Some(Accepted { canon: Canon::Text(text), .. }) if sha256_hex(text.as_bytes()) == *hash => {
                (Some(text), None)
            }
            _ => (None, Some(hash.clone())),
        },
    };
    let mut dumps: Vec<Dumped> = Vec::new();
    for (version, dump) in entry.dumps.iter().enumerate() {
        dumps.push(match dump {
            Dumped::Bytes(same) if same == "=" => dumps.last()?.clone(),
            Dumped::Bytes(text) => Dumped::Bytes(hex(&lengthen(text)?)),
            Dumped::Sha256(hash) => {
                let dumps = model().map(|accepted| accepted.dumps).unwrap_or_default();
                match dumps.get(version) {
                    Some((_, Dump::Bytes { bytes, .. })) if sha256_hex(bytes) == *hash => Dumped::Bytes(hex(bytes)),
                    _ => dump.clone(),
                }
            }
            other => other.clone(),
        });
    }
    let value = canon.as_ref().and_then(|canon| plain::plain(canon, core.profile().is_python2()));
    Some(Said::Accepted { consumed: entry.consumed?, canon, canon_sha256, value, dumps })
}

/// Every stream as a file, and the dictionary of the fuzz targets.
fn libfuzzer(export: &Export) -> Files {
    let seeds = export.cases.iter().map(|case| (format!("seeds/{}", sha256_hex(&case.stream)), case.stream.clone()));
    let dictionary = include_str!("../../../fuzz/marshal.dict");
    let readme = export.readme(include_str!("libfuzzer.md"));
    let others = [("README.md", readme.as_str()), ("marshal.dict", dictionary), ("replay.c", include_str!("replay.c"))];
    let others = others.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
    seeds.chain(others).collect()
}
