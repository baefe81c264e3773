//! The toolbox: commands that answer a question about .pyc files each. They share what a person can name ([`input`]), how
//! files are gone through ([`each`]), and what is said of one that cannot be read ([`Trouble`]).
//!
//! Conventions. Plain text by default; `--json` prints one object for each file on a line of its own, with `file` first (and
//! `file_hex`, the bytes of a path that is no UTF-8), and `error` in place of an answer (`harness/schema` has a schema for each
//! command, which the tests hold the output to). `--quiet` prints no more than what is wrong. After more than one file there is
//! a summary line. Exit status: 0 all is well; 1 some file is bad, or the answer is no; 2 the command was wrong, or something is
//! broken.

pub mod annotate;
pub mod answer;
mod archive;
pub mod clean;
pub mod compile;
pub mod diff;
mod each;
pub mod identify;
pub mod info;
pub mod input;
pub mod measure;
pub mod normalize;
pub mod places;
pub mod repair;
pub mod replace;
pub mod safe;
pub mod source;
pub mod tree;
pub mod trees;
pub mod verify;
pub mod wheel;

pub use each::{Summary, each, in_order};
pub use input::{Archives, Beside, Entry, Paths};

use serde::Serialize;
use std::fmt;

/// Why there is no answer about a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// For programs: `io`, `too-large`, `archive`, `outside`, or what a command adds.
    pub kind: &'static str,
    /// Byte offset in the file, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub advice: String,
}

impl Trouble {
    /// One that is about the file as a whole.
    #[must_use]
    pub fn new(kind: &'static str, what: impl Into<String>, advice: impl Into<String>) -> Trouble {
        Trouble { kind, offset: None, what: what.into(), advice: advice.into() }
    }

    /// The same at a byte of the file.
    #[must_use]
    pub fn at(self, offset: usize) -> Trouble {
        Trouble { offset: Some(offset as u64), ..self }
    }

    /// The same about something that belongs to the file.
    #[must_use]
    pub fn about(self, part: &str) -> Trouble {
        Trouble { what: format!("{part} {}", self.what), ..self }
    }

    fn io(error: &std::io::Error) -> Trouble {
        Trouble::new("io", format!("cannot be read: {error}"), "check the path and its permissions")
    }
}

/// So many of something: `1 code object`, `2 code objects`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// What follows the name of the file and a colon.
impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(offset) = self.offset {
            write!(f, " (at byte {offset:#x})")?;
        }
        write!(f, "; {}", self.advice)
    }
}

impl std::error::Error for Trouble {}

#[cfg(test)]
mod tests;
