//! The corpus as fixtures: real bytes, and beside each file of them a `.toml` of the same name that says what it is.
//!
//! ```text
//! corpus/seeds        written by hand, each for one reason
//! corpus/regressions  findings that were promoted
//! corpus/coverage     chosen by a command, so that every rule and every planted fault has a fixture
//! corpus/golden       what interpreters answered to all of them
//! ```
//!
//! corpus/README.md says for people who reads which and when to add where.

pub mod cover;
pub mod promote;
pub mod tables;

use crate::case::hex;
use crate::generators::seeds;
use crate::golden::{Entry, Head, open};
use crate::oracle::Relation;
use crate::subjects::core::payload;
use anyhow::{Context, Result};
use pyc_core::Release;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Why a fixture is there; each kind has a folder of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Written by hand.
    Seed,
    /// A finding that was promoted.
    Regression,
    /// Chosen for the rules that it reaches.
    Coverage,
}

impl Kind {
    /// All kinds, in the order of the documents.
    pub const ALL: [Kind; 3] = [Kind::Seed, Kind::Regression, Kind::Coverage];

    /// The folder in `corpus`.
    #[must_use]
    pub const fn folder(self) -> &'static str {
        match self {
            Kind::Seed => "seeds",
            Kind::Regression => "regressions",
            Kind::Coverage => "coverage",
        }
    }
}

/// What the `.toml` beside the bytes says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sidecar {
    /// Why it is there.
    pub kind: Kind,
    /// What it is, in one line.
    pub what: String,
    /// Seeds: the heading under which the table lists it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Seeds: what it does to an interpreter that loads or dumps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kills: Option<String>,
    /// Regressions: the relation that did not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relation: Option<Relation>,
    /// The versions that it is about; none: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
    /// Regressions: why it went wrong, told by a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_cause: Option<String>,
    /// Where it came from; none: nobody wrote it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Found>,
    /// Coverage: what it was chosen for, each with the versions in which nothing chosen before did: `3.6-3.13`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reaches: BTreeMap<String, String>,
    /// What every subject answered, equal answers together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answer: Vec<Answer>,
}

/// How a fixture was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// The generator, or `hand`.
    pub by: String,
    /// The version of the generators, the seed and the index that make the case again, where they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generators: Option<u32>,
    /// See above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// See above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// The version that it was made for, or the subject that answered otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Bytes before it was minimized.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<u64>,
    /// Bytes of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimized: Option<u64>,
}

/// An answer that several subjects gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// What they said, in one line.
    pub says: String,
    /// Who.
    pub by: Vec<String>,
}

/// A file of the corpus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixture {
    /// `coverage/types-3.12-0a1b2c3d.marshal`: its path in `corpus`.
    pub name: String,
    /// The bytes of the file.
    pub bytes: Vec<u8>,
    /// What is said of it.
    pub about: Sidecar,
}

impl Fixture {
    /// The file's name.
    #[must_use]
    pub fn file(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }

    /// The marshal stream: of a .pyc file what follows its header.
    #[must_use]
    pub fn stream(&self) -> Vec<u8> {
        match self.file().ends_with(".pyc") {
            true => payload(&self.bytes).unwrap_or_else(|_| self.bytes.clone()),
            false => self.bytes.clone(),
        }
    }
}

/// The `.toml` beside a file.
#[must_use]
pub fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".toml");
    name.into()
}

/// All fixtures of one kind, by name.
///
/// # Errors
/// When a file cannot be read, or has no `.toml`, or one that is wrong.
pub fn folder(corpus: &Path, kind: Kind) -> Result<Vec<Fixture>> {
    let folder = corpus.join(kind.folder());
    // A folder that is not there yet is an empty one.
    let files = if folder.exists() { seeds(&folder)? } else { Vec::new() };
    let fixtures = files.into_iter().map(|(file, bytes)| {
        let path = beside(&folder.join(&file));
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let about = toml::from_str(&text).with_context(|| format!("{} is wrong", path.display()))?;
        Ok(Fixture { name: format!("{}/{file}", kind.folder()), bytes, about })
    });
    fixtures.collect()
}

/// The whole corpus: seeds, regressions, coverage.
///
/// # Errors
/// As [`folder`].
pub fn all(corpus: &Path) -> Result<Vec<Fixture>> {
    let folders: Vec<Vec<Fixture>> = Kind::ALL.into_iter().map(|kind| folder(corpus, kind)).collect::<Result<_>>()?;
    Ok(folders.into_iter().flatten().collect())
}

/// The answers of an interpreter, by stream.
pub type Answers = (Head, BTreeMap<Vec<u8>, Entry>);

/// The golden corpus, oldest release first.
///
/// # Errors
/// When a file of it cannot be read.
pub fn golden(corpus: &Path) -> Result<Vec<Answers>> {
    let folder = corpus.join("golden");
    let mut files: Vec<Answers> = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            let (head, entries) = open(&path)?;
            files.push((head, entries.into_iter().map(|entry| (entry.bytes(), entry)).collect()));
        }
    }
    files.sort_by_cached_key(|(head, _)| (Release::parse(&head.version), head.version.clone(), head.pointer_bits));
    Ok(files)
}

/// The SHA-256, in hexadecimal, of all that cases are made of and verdicts depend on: the fixtures, the golden corpus and
/// what is expected.
///
/// # Errors
/// When a file cannot be read.
pub fn fingerprint(corpus: &Path, inputs: Option<&Path>) -> Result<String> {
    let mut hash = Sha256::new();
    let folders = Kind::ALL.map(Kind::folder).into_iter().chain(["golden", "expected"]);
    let folders = folders.map(|folder| (folder, corpus.join(folder)));
    for (folder, path) in folders.chain(inputs.map(|inputs| ("inputs", inputs.to_owned()))) {
        // A folder that is not there is an empty one.
        let listing = std::fs::read_dir(path).into_iter().flatten();
        let mut files: Vec<PathBuf> = listing.map(|file| file.map(|f| f.path())).collect::<std::io::Result<_>>()?;
        files.retain(|file| file.is_file());
        files.sort();
        for file in files {
            let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let name = format!("{folder}/{}", file.file_name().unwrap_or_default().display());
            hash.update(format!("{name}\0{}\0", bytes.len()));
            hash.update(bytes);
        }
    }
    Ok(hex(&hash.finalize()))
}

/// Writes the `.toml` of a fixture.
///
/// # Errors
/// When it cannot be written.
pub fn write_about(corpus: &Path, name: &str, about: &Sidecar) -> Result<()> {
    let path = beside(&corpus.join(name));
    let text = toml::to_string(about).with_context(|| format!("{name} cannot be described"))?;
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Writes a fixture: the bytes and what is said of them.
///
/// # Errors
/// When one of the files cannot be written.
pub fn write(corpus: &Path, fixture: &Fixture) -> Result<()> {
    let path = corpus.join(&fixture.name);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    std::fs::write(&path, &fixture.bytes).with_context(|| format!("cannot write {}", path.display()))?;
    write_about(corpus, &fixture.name, &fixture.about)
}

/// A name of lower-case letters, digits and single hyphens.
#[must_use]
pub fn slug(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

/// Versions as people write them, of indexes into the list of all: `2.7, 3.6-3.10`.
#[must_use]
fn span(versions: &[String], chosen: &[usize]) -> String {
    let mut text = String::new();
    let mut rest = chosen;
    while let Some(&first) = rest.first() {
        let run = rest.iter().zip(first..).take_while(|(a, b)| **a == *b).count();
        let gap = if text.is_empty() { "" } else { ", " };
        let last = if run > 1 { format!("-{}", versions[first + run - 1]) } else { String::new() };
        write!(text, "{gap}{}{last}", versions[first]).expect("writing to a string cannot fail");
        rest = &rest[run..];
    }
    text
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::generators::Generator;

    pub(crate) fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus")
    }

    /// What is said of a file agrees with the file and with the folder that it is in.
    #[test]
    fn every_file_says_what_it_is() {
        for Fixture { name, bytes, about } in all(&root()).unwrap() {
            assert!(name.starts_with(about.kind.folder()) && !about.what.trim().is_empty(), "{name}");
            let found = about.found.as_ref();
            if let Some(minimized) = found.and_then(|found| found.minimized) {
                assert_eq!(minimized, bytes.len() as u64, "{name}");
            }
            match about.kind {
                Kind::Seed => assert!(about.group.is_some(), "{name} has no group"),
                Kind::Regression => {
                    assert!(about.root_cause.is_some_and(|cause| !cause.trim().is_empty()), "{name} has no root cause");
                    assert!(about.relation.is_some(), "{name} has no relation");
                }
                Kind::Coverage => {
                    let found = found.unwrap_or_else(|| panic!("{name}: found by whom?"));
                    let whole = found.seed.is_some() && found.index.is_some() && found.original.is_some();
                    assert!(whole && found.by.parse::<Generator>().is_ok(), "{name}: {found:?}");
                    assert!(!about.reaches.is_empty(), "{name} was chosen for nothing");
                }
            }
        }
    }

    /// No `.toml` is left behind by a file that went away.
    #[test]
    fn nothing_is_described_that_is_not_there() {
        for kind in Kind::ALL {
            for entry in std::fs::read_dir(root().join(kind.folder())).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|extension| extension == "toml") {
                    assert!(path.with_extension("").is_file(), "{}", path.display());
                }
            }
        }
    }

    #[test]
    fn no_bytes_are_there_twice() {
        let mut seen = BTreeMap::new();
        for fixture in all(&root()).unwrap() {
            if let Some(other) = seen.insert(fixture.bytes, fixture.name.clone()) {
                panic!("{} is {other} again", fixture.name);
            }
        }
    }

    #[test]
    fn a_sidecar_comes_back_from_its_text() {
        let about = Sidecar {
            kind: Kind::Coverage,
            what: "i; \"quoted\"".into(),
            group: None,
            kills: None,
            relation: Some(Relation::Model),
            versions: vec!["3.12".into()],
            root_cause: Some("a\nb".into()),
            found: Some(Found {
                by: "streams".into(),
                generators: Some(5),
                seed: Some(1),
                index: Some(2),
                subject: None,
                original: Some(100),
                minimized: Some(3),
            }),
            reaches: BTreeMap::from([("( as top".into(), "3.6".into())]),
            answer: vec![Answer { says: "none".into(), by: vec!["3.12.1".into()] }],
        };
        let text = toml::to_string(&about).unwrap();
        assert_eq!(toml::from_str::<Sidecar>(&text).unwrap(), about, "{text}");
        assert!(toml::from_str::<Sidecar>(&format!("{text}\n[other]\n")).is_err());
    }

    #[test]
    fn names_and_spans() {
        assert_eq!(slug("Dump[4].flag: int/long"), "dump-4-flag-int-long");
        let versions: Vec<String> = ["2.7", "3.6", "3.7", "3.8"].map(String::from).to_vec();
        for (chosen, expected) in
            [(&[0][..], "2.7"), (&[0, 2, 3], "2.7, 3.7-3.8"), (&[0, 1, 2, 3], "2.7-3.8"), (&[], "")]
        {
            assert_eq!(span(&versions, chosen), expected);
        }
    }
}
