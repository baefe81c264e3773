//! Files that a person names: which cases they are.

use crate::case::{Case, Form, Origin};
use crate::generators::pyc::Source;
use crate::subjects::core::guard;
use crate::toolbox::input::is_pyc_name;
use crate::toolbox::source::source;
use anyhow::{Context, Result};
use protocol::Import;
use pyc_core::Profile;
use pyc_core::identify::payload_offset;
use pyc_core::magic::Magic;
use std::io::Read;
use std::path::Path;

/// What a file holds that somebody named: a marshal stream, or a .pyc file.
pub struct Content {
    /// What an import is asked, if it is a .pyc file.
    pub import: Option<Import>,
    /// The stream, unless the file is a .pyc file without one.
    pub stream: Option<Vec<u8>>,
}

impl Content {
    /// Reads a file, and the source that importlib finds for it; `-` is standard input. A .pyc file is one by its first bytes, or
    /// by its name; what is called `.marshal` is a stream whatever it begins with. `python` is who wrote the stream, if the
    /// magic number does not tell.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn read(case: &Path, python: Option<&Profile>) -> Result<Content> {
        let bytes = if case == Path::new("-") {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).context("cannot read standard input")?;
            bytes
        } else {
            std::fs::read(case).with_context(|| format!("cannot read {}", case.display()))?
        };
        let magic = Magic::at_start(&bytes);
        let is_stream = case.extension().is_some_and(|extension| extension == "marshal");
        let name = case.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        if is_stream || magic.is_none() && !is_pyc_name(&name) {
            let start = python.filter(|_| !is_stream).map_or(0, |python| payload_offset(&bytes, python));
            return Ok(Content { import: None, stream: Some(bytes[start..].to_vec()) });
        }
        let found = source(case).with_context(|| format!("cannot read the source of {}", case.display()))?;
        let profile = python.or_else(|| magic.and_then(Magic::family));
        let stream = profile.and_then(|profile| {
            let start = guard(|| payload_offset(&bytes, profile)).ok()?;
            bytes.get(start..).filter(|stream| !stream.is_empty()).map(<[u8]>::to_vec)
        });
        Ok(Content { stream, import: Some(Import { source: found.map(|it| (it.bytes, it.mtime)), file: bytes }) })
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
