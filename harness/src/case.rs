//! Cases: real bytes, and where they came from.
//!
//! A divergence is worth nothing when it cannot be had again, so a case never travels without its origin: the generator,
//! the seed and the index that make it anew, or the interpreter, the file and the level that it was compiled from.

use crate::generators::pyc::Source;
use crate::generators::{Generator, programs};
use protocol::Import;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fmt;

/// Where a case came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// `generate(generator, target, seed, index, bases)` made it.
    Generated {
        /// Its name.
        generator: &'static str,
        /// The seed of the run.
        seed: u64,
        /// The number of the case in this generator's sequence.
        index: u64,
    },
    /// An interpreter compiled a file of its standard library.
    Compiled {
        /// The interpreter's id.
        interpreter: String,
        /// Path of the .py file below the standard library, with `/`.
        path: String,
        /// 0, 1 or 2.
        optimize: u8,
    },
    /// An interpreter dumped what another case holds.
    Dumped {
        /// The marshal version it was dumped with.
        version: u8,
        /// That other case.
        of: Box<Origin>,
    },
    /// A file, named by a person or by the corpus.
    File(String),
}

impl Origin {
    /// A case made by a generator.
    #[must_use]
    pub fn generated(generator: Generator, seed: u64, index: u64) -> Origin {
        Origin::Generated { generator: generator.name(), seed, index }
    }

    /// The origin that a log tells in words, with what made the case if that is told.
    #[must_use]
    pub fn told(words: &str, generator: &str, made: Option<(u64, u64)>) -> Origin {
        let dumped = words.strip_prefix("the dump at version ").and_then(|rest| rest.split_once(" of "));
        let known = Generator::ALL.into_iter().find(|known| known.name() == generator);
        match (dumped.and_then(|(version, of)| Some((version.parse().ok()?, of))), made, known) {
            (Some((version, of)), ..) => Origin::Dumped { version, of: Box::new(Origin::told(of, generator, made)) },
            (None, Some((seed, index)), Some(generator)) => Origin::generated(generator, seed, index),
            _ => Origin::compiled(words).unwrap_or_else(|| Origin::File(words.into())),
        }
    }

    fn compiled(words: &str) -> Option<Origin> {
        let (path, rest) = words.split_once(" compiled by ")?;
        let (interpreter, optimize) = rest.split_once(" at optimization ")?;
        let (path, interpreter) = (path.to_owned(), interpreter.to_owned());
        Some(Origin::Compiled { interpreter, path, optimize: optimize.parse().ok()? })
    }

    /// The seed and the index that make it again, or the case that it was made of.
    #[must_use]
    pub fn made(&self) -> Option<(u64, u64)> {
        match self {
            Origin::Generated { seed, index, .. } => Some((*seed, *index)),
            Origin::Dumped { of, .. } => of.made(),
            Origin::Compiled { .. } | Origin::File(_) => None,
        }
    }

    /// The generator's name, for counters; files count as streams.
    #[must_use]
    pub fn generator(&self) -> &'static str {
        match self {
            Origin::Generated { generator, .. } => generator,
            Origin::Compiled { .. } => Generator::Stdlib.name(),
            Origin::Dumped { of, .. } => of.generator(),
            Origin::File(_) => Generator::Streams.name(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Generated { generator, seed, index } => {
                write!(f, "{generator} seed {seed} index {index}")?;
                if *generator == Generator::Programs.name() {
                    write!(f, " at optimization {}", programs::level(*index))?;
                }
                Ok(())
            }
            Origin::Compiled { interpreter, path, optimize } => {
                write!(f, "{path} compiled by {interpreter} at optimization {optimize}")
            }
            Origin::Dumped { version, of } => write!(f, "the dump at version {version} of {of}"),
            Origin::File(path) => f.write_str(path),
        }
    }
}

/// What the bytes of a case are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// A marshal stream.
    Stream,
    /// A .pyc file, of which only the header is asked about; with the source file next to it, if there is one.
    Pyc(Option<Source>),
}

/// One input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// A marshal stream or a .pyc file.
    pub bytes: Vec<u8>,
    /// Which of them.
    pub form: Form,
    /// Where it came from.
    pub origin: Origin,
    /// Whether whoever made it means the subject to accept it.
    pub valid: bool,
}

impl Case {
    /// A marshal stream of which nothing was promised.
    #[must_use]
    pub fn stream(bytes: Vec<u8>, origin: Origin) -> Case {
        Case { bytes, form: Form::Stream, origin, valid: false }
    }

    /// What an import is asked about it.
    #[must_use]
    pub fn import(&self) -> Import {
        let source = match &self.form {
            Form::Pyc(Some(source)) => Some((source.bytes.clone(), source.mtime)),
            _ => None,
        };
        Import { file: self.bytes.clone(), source }
    }
}

/// The SHA-256 of some bytes in hexadecimal: the name of a case's file.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_its_words_say() {
        let compiled = Origin::Compiled { interpreter: "cpython:3.12".into(), path: "a/b.py".into(), optimize: 2 };
        let file = Origin::File("corpus/seeds/a compiled by b.marshal".into());
        for of in [Origin::generated(Generator::Programs, 7, 9), compiled, file] {
            for origin in [of.clone(), Origin::Dumped { version: 4, of: Box::new(of.clone()) }] {
                assert_eq!(Origin::told(&origin.to_string(), origin.generator(), origin.made()), origin);
            }
        }
    }
}
