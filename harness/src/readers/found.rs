//! The bugs that Provost found: corpus/found, and docs/FOUND.md made of it.
//!
//! Each is a fixture of the simplest bytes that show it, with a text beside it that explains it. A case of the generators, from
//! which it was minimized, is named and can be made again.

use crate::case::{hex, sha256_hex};
use crate::generators::{self, Generator, Target};
use anyhow::{Context, Result, bail, ensure};
use protocol::Facts;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// What is known of a bug.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// One line.
    pub title: String,
    /// Who has it: a reader, `cpython` or `pypy`.
    pub reader: String,
    /// The releases that were seen to have it.
    pub versions: Vec<String>,
    /// Whose stream it is: `3.11`.
    pub python: String,
    /// What comes of it: `wrong`, `refused`, `false accept`, `crashed`, `hung`, `memory`.
    pub came: String,
    /// The path of its signature.
    pub path: String,
    /// The cause; what is right and why.
    pub cause: String,
    /// What the interpreter answered when it was asked by hand; of a bug of an interpreter, what shows it.
    pub right: String,
    /// The generator that it was found with.
    pub generator: String,
    /// The seed of its case; a case of `execution` needs an interpreter to be made again, and is not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// The hash of that case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// A bug.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The name of its files.
    pub name: String,
    /// The simplest case.
    pub bytes: Vec<u8>,
    /// The text beside it.
    pub about: About,
}

impl Found {
    /// Whether it is a bug of the interpreter, or the reader of this Python, that says this of itself.
    #[must_use]
    pub fn is_about(&self, facts: &Facts) -> bool {
        let About { reader, versions, python, .. } = &self.about;
        let is_version = |version: &String| *version == facts.implementation_version;
        let is_python = facts.version == *python || facts.version.starts_with(&format!("{python}."));
        *reader == facts.implementation && is_python && versions.iter().any(is_version)
    }

    /// The case of the generators that it was found with.
    ///
    /// # Errors
    /// When no generator is called so.
    pub fn case(&self, target: Target) -> Result<Vec<u8>> {
        let About { generator, seed, index, .. } = &self.about;
        let generator: Generator = generator.parse().map_err(anyhow::Error::msg)?;
        let (Some(seed), Some(index)) = (seed, index) else { bail!("{}: no case is named", self.name) };
        let bases: Vec<Vec<u8>> = match generator {
            Generator::Streams => generators::value_bases(target, *seed).collect(),
            _ => Vec::new(),
        };
        Ok(generators::generate(generator, target, *seed, *index, &bases).bytes)
    }

    /// Whether that is the case that was written down.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn is_made_again(&self, target: Target) -> Result<bool> {
        Ok(Some(sha256_hex(&self.case(target)?)) == self.about.sha256)
    }

    /// Whether executing it shows the bug, not reading it.
    #[must_use]
    pub fn is_executed(&self) -> bool {
        self.about.generator == Generator::Execution.name()
    }
}

/// All bugs, by reader and name.
///
/// # Errors
/// When a fixture has no text, or a text has no fixture or says nothing.
pub fn read(folder: &Path) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut paths: Vec<_> = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.sort();
    for path in &paths {
        let Some(extension) = path.extension() else { continue };
        let (case, text) = (path.with_extension("marshal"), path.with_extension("toml"));
        ensure!(case.is_file() && text.is_file(), "{} lacks the other half: .marshal and .toml", path.display());
        if extension == "toml" {
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            let about: About =
                toml::from_str(&text).with_context(|| format!("{} is not as it should be", path.display()))?;
            ensure!(about.cause.split_whitespace().count() >= 15, "{} explains nothing", path.display());
            let bytes = std::fs::read(&case).with_context(|| format!("cannot read {}", case.display()))?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            found.push(Found { name, bytes, about });
        }
    }
    found.sort_by(|a, b| (&a.about.reader, &a.name).cmp(&(&b.about.reader, &b.name)));
    Ok(found)
}

/// The text of docs/FOUND.md.
#[must_use]
pub fn document(found: &[Found]) -> String {
    let mut readers: BTreeMap<&str, Vec<&Found>> = BTreeMap::new();
    for one in found {
        readers.entry(&one.about.reader).or_default().push(one);
    }
    let is_python = |reader: &str| matches!(reader, "cpython" | "pypy");
    let pythons = found.iter().filter(|one| is_python(&one.about.reader)).count();
    let others = readers.keys().filter(|reader| !is_python(reader)).count();
    let mut text = format!(
        "# What Provost found

{} bugs in {others} readers of other people, and {pythons} in CPython and PyPy. Written by `cargo provost readers` from the texts in \
         [corpus/found](../corpus/found);\nnobody edits it. Each bug has another cause than every other; all types that a reader does not \
         know are one. Each was found by a\ngenerator, whose case is named, and cut down to the bytes that are shown. `cargo provost \
         readers` asks every reader again and\nsays which bug is gone.\n",
        found.len() - pythons,
    );
    text.push_str("\n| reader | bugs |\n|---|---:|\n");
    for (reader, bugs) in &readers {
        let _ = writeln!(text, "| [{reader}](#{}) | {} |", reader.replace('.', ""), bugs.len());
    }
    for (reader, bugs) in readers {
        let _ = writeln!(text, "\n## {reader}");
        for Found { name, bytes, about } in bugs {
            let About { title, reader, versions, python, came, cause, right, generator, seed, index, .. } = about;
            let (cause, right) = (cause.trim(), right.trim());
            let asked = match is_python(reader) {
                true => format!("--subject {reader}:{python}"),
                false => format!("--adapter {reader} --subject {reader}:{python}"),
            };
            let case = match (seed, index) {
                (Some(seed), Some(index)) => format!(
                    "```console\n$ cargo provost replay corpus/found/{name}.marshal {asked}\n```\n\n\
                     Found as `{generator}` seed {seed} index {index}.\n"
                ),
                _ => format!("Found by a hunt with `--generators {generator}`: it shows when it is executed.\n"),
            };
            let _ = write!(
                text,
                "\n### {title}\n\n`{}`: {came} ({reader} {}, of Python {python})\n\n{cause}\n\n```console\n$ {right}\n```\n\n{case}",
                short(bytes),
                versions.join(", "),
            );
        }
    }
    text
}

/// The bytes in hexadecimal digits; of many the first, and how many there are.
fn short(bytes: &[u8]) -> String {
    const SHOWN: usize = 80;
    match bytes.get(..SHOWN) {
        None => hex(bytes),
        Some(first) => format!("{}... {} bytes", hex(first), bytes.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subjects::core::Core;
    use std::collections::BTreeSet;

    fn all() -> Vec<Found> {
        read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/found")).unwrap()
    }

    #[test]
    fn every_bug_is_made_again_by_its_generator() {
        for found in all() {
            assert_eq!(found.about.sha256.is_none(), found.is_executed(), "{}", found.name);
            if found.is_executed() {
                continue;
            }
            let core = Core::named(&found.about.python).unwrap();
            if std::env::var_os("BLESS").is_some() {
                let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../corpus/found/{}.toml", found.name));
                let text = std::fs::read_to_string(&path).unwrap();
                let hash = sha256_hex(&found.case(core.target()).unwrap());
                std::fs::write(&path, text.replace(found.about.sha256.as_deref().unwrap_or_default(), &hash)).unwrap();
                continue;
            }
            assert!(found.is_made_again(core.target()).unwrap(), "{}: the generator makes another case", found.name);
        }
    }

    #[test]
    fn no_two_bugs_have_the_same_title_and_no_reader_counts_too_much() {
        let all = all();
        let mut titles = BTreeSet::new();
        let mut readers: BTreeMap<&str, usize> = BTreeMap::new();
        for found in &all {
            assert!(titles.insert((&found.about.reader, &found.about.title)), "{}", found.name);
            *readers.entry(&found.about.reader).or_default() += 1;
        }
        for (reader, count) in readers {
            assert!(count <= 8 || matches!(reader, "cpython" | "pypy"), "{reader} has {count}");
        }
    }

    #[test]
    fn the_document_is_what_the_texts_make() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/FOUND.md");
        assert!(std::fs::read_to_string(path).unwrap() == document(&all()), "cargo provost readers --found writes it");
    }
}
