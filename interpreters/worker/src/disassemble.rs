//! Says what the module `dis` prints of a code object.

use crate::raised::exception;
use protocol::{Answer, Exception};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyModule};

/// The part of the script worker that does it: `dis` is a module of Python, and so is what asks it.
const SCRIPT: &std::ffi::CStr =
    match std::ffi::CStr::from_bytes_with_nul(concat!(include_str!("../../script/disassembly.py"), "\0").as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("the script has a NUL"),
    };

static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

/// The answer about one stream.
pub(crate) fn disassemble(py: Python<'_>, stream: &[u8]) -> PyResult<Answer> {
    let make = || PyModule::from_code(py, SCRIPT, c"disassembly.py", c"disassembly").map(Bound::unbind);
    let module = MODULE.get_or_try_init(py, make)?.bind(py);
    let stream = PyBytes::new(py, stream);
    let code = match py.import("marshal")?.getattr("loads")?.call1((&stream,)) {
        Ok(code) => code,
        Err(raised) => return Ok(Answer::Rejected(exception(py, raised)?)),
    };
    if !code.is_instance(&py.import("types")?.getattr("CodeType")?)? {
        return Ok(Answer::Rejected(Exception { class: "TypeError".into(), message: "not a code object".into() }));
    }
    let text = module.getattr("disassembly")?.call1((code, stream))?;
    Ok(Answer::Disassembled(text.cast_into::<PyBytes>()?.as_bytes().to_vec()))
}
