//! The source file of a .pyc file and the module that it is, as importlib finds them.

use super::places::{CACHE, source_of};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// A source file, and when it was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// What is in it.
    pub bytes: Vec<u8>,
    /// In seconds since 1970, modulo 2^32, as in a header.
    pub mtime: u32,
}

/// Whether the file is where Python 3 keeps compiled files: it is imported only together with its source.
#[must_use]
pub fn is_cached(pyc: &Path) -> bool {
    pyc.parent().and_then(Path::file_name).is_some_and(|name| name == CACHE)
}

/// The module that the file is imported as.
#[must_use]
pub fn module(pyc: &Path) -> String {
    let source = source_of(pyc).unwrap_or_else(|| pyc.to_owned());
    source.file_stem().map_or("module".into(), |stem| stem.to_string_lossy().into_owned())
}

/// The source of a .pyc file, if there is one.
///
/// # Errors
/// When it is there and cannot be read.
pub fn source(pyc: &Path) -> std::io::Result<Option<Source>> {
    let Some(path) = source_of(pyc).filter(|path| path.is_file()) else { return Ok(None) };
    let changed = path.metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mtime = u32::try_from(changed.as_secs() & u64::from(u32::MAX)).unwrap_or(0);
    Ok(Some(Source { bytes: std::fs::read(&path)?, path, mtime }))
}
