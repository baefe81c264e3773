//! Says what importlib says of the header of a .pyc file.

use crate::raised::exception;
use protocol::{Answer, Import};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

/// The name of the module that would be imported.
const NAME: &str = "case";

const HASH_BASED: u32 = 1;
const CHECK_SOURCE: u32 = 2;

/// The answer about one file; its stream is not looked at.
pub(crate) fn import(py: Python<'_>, ask: &Import) -> PyResult<Answer> {
    Ok(match flags(py, ask) {
        Ok(flags) => Answer::Imported(flags),
        Err(raised) => Answer::Rejected(exception(py, raised)?),
    })
}

/// What `SourceFileLoader.get_code` does before it loads, since 3.7.
fn flags(py: Python<'_>, ask: &Import) -> PyResult<u32> {
    let external = py.import("importlib._bootstrap_external")?;
    let (file, details) = (PyBytes::new(py, &ask.file), PyDict::new(py));
    let flags: u32 = external.getattr("_classify_pyc")?.call1((&file, NAME, &details))?.extract()?;
    let Some((source, mtime)) = &ask.source else { return Ok(flags) };
    if flags & HASH_BASED == 0 {
        external.getattr("_validate_timestamp_pyc")?.call1((&file, *mtime, source.len(), NAME, &details))?;
    } else if flags & CHECK_SOURCE != 0 {
        let hash = py.import("importlib.util")?.getattr("source_hash")?.call1((PyBytes::new(py, source),))?;
        external.getattr("_validate_hash_pyc")?.call1((&file, hash, NAME, &details))?;
    }
    Ok(flags)
}
