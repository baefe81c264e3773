//! Compiles source text to a .pyc file.

use crate::facts::magic;
use crate::raised::exception;
use protocol::{Answer, Compile};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// The answer to a compile request; the code is never executed.
pub(crate) fn compile(py: Python<'_>, ask: &Compile) -> PyResult<Answer> {
    py.import("warnings")?.call_method1("simplefilter", ("ignore",))?;
    Ok(match marshalled_code(py, ask) {
        Ok(code) => Answer::Compiled([&header(ask.source.len()), code.as_bytes()].concat()),
        Err(raised) => Answer::NotCompiled(exception(py, raised)?),
    })
}

fn marshalled_code<'py>(py: Python<'py>, ask: &Compile) -> PyResult<Bound<'py, PyBytes>> {
    let (flags, dont_inherit) = (0, true);
    let source = PyBytes::new(py, &ask.source);
    let arguments = (source, &ask.filename, "exec", flags, dont_inherit, ask.optimize);
    let code = py.import("builtins")?.getattr("compile")?.call1(arguments)?;
    let marshal = py.import("marshal")?;
    // As when a stream is dumped: every interned string has a second owner, whatever else this process has seen.
    let keep = marshal.call_method1("loads", (marshal.call_method1("dumps", (&code,))?,))?;
    let dumped = marshal.call_method1("dumps", (code,))?;
    drop(keep);
    Ok(dumped.cast_into()?)
}

/// Magic, flags 0, mtime 0, length of the source modulo 2^32: the layout since 3.7.
fn header(source_length: usize) -> [u8; 16] {
    let mut header = [0; 16];
    header[..4].copy_from_slice(&magic());
    header[12..].copy_from_slice(&source_length.to_le_bytes()[..4]);
    header
}
