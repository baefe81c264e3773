//! Files that a person names: which cases they are.

use crate::case::{Case, Form, Origin};
use crate::generators::pyc::Source;
use crate::subjects::core::payload;
use anyhow::{Context, Result};
use protocol::Import;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// What a file holds that somebody named: a marshal stream, or a .pyc file.
pub struct Content {
    /// What an import is asked, if it is a .pyc file.
    pub import: Option<Import>,
    /// The stream, unless the file is a .pyc file without one.
    pub stream: Option<Vec<u8>>,
}

impl Content {
    /// Reads a file, and the source beside it.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn read(case: &Path) -> Result<Content> {
        let read = |path: &Path| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
        let bytes = read(case)?;
        if case.extension().is_none_or(|extension| extension != "pyc") {
            return Ok(Content { import: None, stream: Some(bytes) });
        }
        let path = case.with_extension("py");
        let source = if path.exists() {
            let changed = path.metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
            // As in a header: modulo 2^32.
            Some((read(&path)?, u32::try_from(changed.as_secs() & u64::from(u32::MAX)).unwrap_or(0)))
        } else {
            None
        };
        Ok(Content { stream: payload(&bytes).ok(), import: Some(Import { file: bytes, source }) })
    }

    /// The cases in it, the header first.
    #[must_use]
    pub fn cases(self, path: &Path) -> Vec<Case> {
        let origin = || Origin::File(path.display().to_string());
        let file = self.import.map(|import| {
            let source = import.source.map(|(bytes, mtime)| Source { bytes, mtime });
            Case { form: Form::Pyc(source), ..Case::stream(import.file, origin()) }
        });
        file.into_iter().chain(self.stream.map(|stream| Case::stream(stream, origin()))).collect()
    }
}
