//! Documents as text, and back: `docs/PYASM.md` describes the form.
//!
//! ```
//! use pyc_core::bytecode::text;
//! let text = "
//! .python 3.12
//! .code module
//!     RESUME 0
//!     PUSH_NULL
//!     LOAD_NAME print
//!     LOAD_CONST \"hello\"
//!     CALL 1
//!     POP_TOP
//!     RETURN_CONST None
//! ";
//! let file = text::assemble(text)?;
//! assert!(file.starts_with(b"\xcb\x0d\r\n"));
//! let again = text::print(&text::disassemble(&file, None).unwrap());
//! assert_eq!(text::assemble(&again)?, file);
//! # Ok::<(), text::TextError>(())
//! ```

mod lex;
mod parse;
mod print;
mod value;
mod words;

use super::document::{Document, DocumentError};
use crate::prelude::*;
use crate::profile::Profile;
use crate::pyc::{Pyc, PycError};
use core::fmt;

/// Why a text is none of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextError {
    /// The line, counted from 1 on.
    pub line: usize,
    /// The column in bytes, counted from 1 on.
    pub column: usize,
    /// What is wrong, and what was expected.
    pub message: String,
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl core::error::Error for TextError {}

/// Why a file has no text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileError {
    /// It is no .pyc file.
    Header(PycError),
    /// Its stream is refused; the offset is that in the file.
    Stream(crate::Error),
}

/// Takes a file apart: a .pyc file, or with a profile any stream.
///
/// # Errors
/// When it is no such file, or the profile's interpreter refuses the stream.
pub fn disassemble(file: &[u8], profile: Option<&Profile>) -> Result<Document, FileError> {
    let (profile, start) = match (Pyc::parse(file), profile) {
        (Ok(pyc), None) => (pyc.profile(), pyc.payload_offset()),
        (Ok(pyc), Some(asked)) => (asked, pyc.payload_offset()),
        (Err(_), Some(asked)) => (asked, 0),
        (Err(error), None) => return Err(FileError::Header(error)),
    };
    let (header, stream) = file.split_at(start);
    let graph = crate::read(stream, profile)
        .map_err(|error| FileError::Stream(crate::Error { offset: start + error.offset, ..error }))?;
    Ok(Document::of(header, &graph, &stream[graph.consumed()..], profile))
}

/// The text of a document.
#[must_use]
pub fn print(document: &Document) -> String {
    print::Printer::new(document).print()
}

/// The document of a text.
///
/// # Errors
/// When it is no such text.
pub fn parse(text: &str) -> Result<Document, TextError> {
    parse::parse(text).map(|(document, _)| document)
}

/// The bytes of the file that a text describes.
///
/// # Errors
/// When it is no such text, or what it says contradicts itself.
pub fn assemble(text: &str) -> Result<Vec<u8>, TextError> {
    let (document, lines) = parse::parse(text)?;
    document.write().map_err(|error| {
        let (block, op) = match error {
            DocumentError::Argument(block, op) | DocumentError::NotInList(block, op) => (Some(block), Some(op)),
            DocumentError::Assemble(block, ref error) => (Some(block), error.step()),
            DocumentError::Stack(block, ref error) => (Some(block), Some(error.step())),
            DocumentError::NoSuchBlock(block) | DocumentError::Twice(block) => (Some(block), None),
            DocumentError::Empty | DocumentError::Anchor(_) | DocumentError::Marks => (None, None),
        };
        let lines = block.and_then(|block| lines.get(block));
        let at = lines.and_then(|lines| op.and_then(|op| lines.ops.get(op)).or(Some(&lines.start)));
        let (line, column) = at.copied().unwrap_or((1, 1));
        TextError { line, column, message: error.to_string() }
    })
}
