//! What the interpreter says of itself.

use protocol::{Answer, Facts};
use pyo3::ffi;
use pyo3::prelude::*;

/// The answer to hello. `stdlib` is where the caller knows the standard library to be, or empty.
pub(crate) fn facts(py: Python<'_>, stdlib: &str) -> PyResult<Answer> {
    let sys = py.import("sys")?;
    let version_info: (u8, u8, u8, String, u32) = sys.getattr("version_info")?.extract()?;
    let gil = match sys.getattr_opt("_is_gil_enabled")? {
        Some(enabled) => enabled.call0()?.extract()?,
        None => true,
    };
    Ok(Answer::Facts(Box::new(Facts {
        protocol: protocol::VERSION,
        driver: "embedded".into(),
        implementation: sys.getattr("implementation")?.getattr("name")?.extract::<String>()?.to_lowercase(),
        version: version(&version_info),
        implementation_version: version(&version_info),
        version_info,
        magic: magic().map(|byte| format!("{byte:02x}")).concat(),
        marshal_version: py.import("marshal")?.getattr("version")?.extract()?,
        pointer_bits: if size_of::<usize>() == 8 { 64 } else { 32 },
        unicode_max: sys.getattr("maxunicode")?.extract()?,
        debug: sys.hasattr("gettotalrefcount")?,
        gil,
        // The host refuses such builds.
        free_threaded: false,
        // Whatever sys.executable says here was guessed from the search path: no executable is involved.
        executable: String::new(),
        prefix: sys.getattr("base_prefix")?.extract()?,
        stdlib: if stdlib.is_empty() { find_stdlib(py)? } else { stdlib.into() },
        platform: sys.getattr("platform")?.extract()?,
        optimize: vec![0, 1, 2],
        build: sys.getattr("version")?.extract::<String>()?.replace('\n', " "),
        interned_elsewhere: interned_elsewhere(py)?,
        quiets_nans: quiets_nans(py)?,
    })))
}

/// Whether a signalling NaN is quiet once it was read, as on an x87.
fn quiets_nans(py: Python<'_>) -> PyResult<bool> {
    const SIGNALLING: &[u8] = b"g\x01\0\0\0\0\0\xf0\x7f";
    let marshal = py.import("marshal")?;
    let nan = marshal.getattr("loads")?.call1((SIGNALLING,))?;
    Ok(marshal.getattr("dumps")?.call1((nan, 2))?.extract::<&[u8]>()? != SIGNALLING)
}

/// The characters whose interned string is not the one that the interpreter keeps for them.
fn interned_elsewhere(py: Python<'_>) -> PyResult<Vec<u8>> {
    let intern = py.import("sys")?.getattr("intern")?;
    let chr = py.import("builtins")?.getattr("chr")?;
    let mut elsewhere = Vec::new();
    for c in 0..=u8::MAX {
        let kept = chr.call1((c,))?;
        if !intern.call1((&kept,))?.is(&kept) {
            elsewhere.push(c);
        }
    }
    Ok(elsewhere)
}

/// The four bytes that a .pyc file of this interpreter begins with.
pub(crate) fn magic() -> [u8; 4] {
    // SAFETY: the function only reads a constant of the interpreter.
    let [a, b, c, d, ..] = unsafe { ffi::PyImport_GetMagicNumber() }.to_le_bytes();
    [a, b, c, d]
}

fn version((major, minor, micro, level, serial): &(u8, u8, u8, String, u32)) -> String {
    let suffix = match level.as_str() {
        "final" => String::new(),
        "alpha" => format!("a{serial}"),
        "beta" => format!("b{serial}"),
        _ => format!("rc{serial}"),
    };
    format!("{major}.{minor}.{micro}{suffix}")
}

fn find_stdlib(py: Python<'_>) -> PyResult<String> {
    let Some(file) = py.import("os")?.getattr_opt("__file__")? else { return Ok(String::new()) };
    let file: String = file.extract()?;
    Ok(file.rsplit_once('/').map(|(directory, _)| directory.to_owned()).unwrap_or_default())
}
