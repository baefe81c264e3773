//! Python exceptions as the protocol's class and text.

use protocol::Exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use pyo3::{ffi, intern};

/// Class and text of what was raised; an error when it is not an `Exception` (as KeyboardInterrupt) or cannot be shown.
pub(crate) fn exception(py: Python<'_>, raised: PyErr) -> PyResult<Exception> {
    if !raised.is_instance_of::<PyException>(py) {
        return Err(raised);
    }
    let class = raised.get_type(py).getattr(intern!(py, "__name__"))?.str()?;
    Ok(Exception { class: text(&class)?, message: text(&raised.value(py).str()?)? })
}

/// The text as UTF-8, with lone surrogates written as `\udXXX`.
fn text(string: &Bound<'_, PyString>) -> PyResult<String> {
    let (encoding, errors) = (c"utf-8".as_ptr(), c"backslashreplace".as_ptr());
    // SAFETY: `string` is a str, both names end in NUL, and the result is a new reference or NULL with an error set.
    let bytes = unsafe {
        let bytes = ffi::PyUnicode_AsEncodedString(string.as_ptr(), encoding, errors);
        Bound::from_owned_ptr_or_err(string.py(), bytes)?
    };
    Ok(String::from_utf8_lossy(bytes.cast::<PyBytes>()?.as_bytes()).into_owned())
}
