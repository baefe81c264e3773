//! Loads marshal streams and dumps what came out, the way PROTOCOL.md prescribes.
//!
//! `marshal.dumps` writes an object differently when somebody else holds a reference to it, so who holds what here is
//! part of the observation: see [`Loader::dump`].

use crate::canon::{CanonError, Printer};
use crate::raised::exception;
use protocol::{Answer, CanonMode, Load, Loaded};
use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use sha2::{Digest, Sha256};

/// Cyclic garbage of this many cases may pile up.
const CASES_BETWEEN_COLLECTIONS: usize = 256;

/// The functions of the interpreter that every case needs, looked up once.
pub(crate) struct Loader<'py> {
    py: Python<'py>,
    load: Bound<'py, PyAny>,
    loads: Bound<'py, PyAny>,
    dumps: Bound<'py, PyAny>,
    bytes_io: Bound<'py, PyAny>,
    collect: Bound<'py, PyAny>,
    freeze: Bound<'py, PyAny>,
    printer: Printer<'py>,
    cases: usize,
    /// Until 3.12 a one-character string is written as interned only when somebody happens to have interned it.
    _interned: Vec<Bound<'py, PyAny>>,
}

impl<'py> Loader<'py> {
    pub(crate) fn new(py: Python<'py>) -> PyResult<Self> {
        let marshal = py.import("marshal")?;
        let intern = py.import("sys")?.getattr("intern")?;
        let gc = py.import("gc")?;
        // An object that garbage refers to is written as shared. A collection between `loads` and `dumps` would make
        // that depend on how many objects the cases before have created.
        gc.call_method0("disable")?;
        let loader = Loader {
            py,
            load: marshal.getattr("load")?,
            loads: marshal.getattr("loads")?,
            dumps: marshal.getattr("dumps")?,
            bytes_io: py.import("io")?.getattr("BytesIO")?,
            collect: gc.getattr("collect")?,
            freeze: gc.getattr("freeze")?,
            printer: Printer::new(py)?,
            cases: 0,
            _interned: ('\0'..='\u{ff}').map(|c| intern.call1((c,))).collect::<PyResult<_>>()?,
        };
        loader.freeze.call0()?;
        Ok(loader)
    }

    /// The answer for one case.
    pub(crate) fn load(&mut self, case: &[u8], ask: &Load) -> PyResult<Answer> {
        self.cases += 1;
        if self.cases.is_multiple_of(CASES_BETWEEN_COLLECTIONS) {
            self.collect.call0()?;
            // What is left stays: cycles through code objects, which no collection sees. The next need not look at it.
            self.freeze.call0()?;
        }
        let stream = PyBytes::new_with(self.py, case.len(), |bytes| {
            bytes.copy_from_slice(case);
            Ok(())
        })?;
        let stream = PyTuple::new(self.py, [stream])?;
        let keep = match self.first_load(&stream) {
            Ok(value) => value,
            Err(raised) => return Ok(Answer::Rejected(exception(self.py, raised)?)),
        };
        let canon = self.canon(&stream, ask.canon).map_err(|e| e.to_string());
        let mut dumps = Vec::with_capacity(ask.versions.len());
        for &version in &ask.versions {
            dumps.push(match self.dump(&stream, version) {
                Ok(bytes) => Ok(bytes),
                Err(raised) => Err(exception(self.py, raised)?),
            });
        }
        let consumed = if ask.consumed { self.consumed(&stream, case) } else { None };
        drop(keep);
        Ok(Answer::Accepted(Loaded { consumed, canon, dumps }))
    }

    /// Loads; a MemoryError counts only when it is not the fault of garbage from other cases.
    fn first_load(&self, stream: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        match self.loads.call1(stream) {
            Err(raised) if raised.is_instance_of::<PyMemoryError>(self.py) => {
                self.collect.call0()?;
                self.loads.call1(stream)
            }
            loaded => loaded,
        }
    }

    fn canon(&mut self, stream: &Bound<'py, PyTuple>, mode: CanonMode) -> Result<Vec<u8>, CanonError> {
        if mode == CanonMode::None {
            return Ok(Vec::new());
        }
        let value = self.loads.call1(stream)?;
        let canon = self.printer.print(&value)?;
        Ok(if mode == CanonMode::Hash { Sha256::digest(canon).to_vec() } else { canon.to_vec() })
    }

    /// Dumps a fresh load. The root is *moved* into the argument tuple: a second reference to it, from a variable or
    /// from another way of calling, would flag it.
    fn dump(&self, stream: &Bound<'py, PyTuple>, version: u8) -> PyResult<Vec<u8>> {
        let root = self.loads.call1(stream)?;
        let version = version.into_pyobject(self.py)?.into_any();
        let bytes = self.dumps.call1(PyTuple::new(self.py, [root, version])?)?;
        Ok(bytes.cast::<PyBytes>()?.as_bytes().to_vec())
    }

    /// How many bytes of the stream the value is. Nearly always all of them: then it does not load without the last one. A file
    /// tells it, too, but costs several calls of Python for each object.
    fn consumed(&self, stream: &Bound<'py, PyTuple>, case: &[u8]) -> Option<u32> {
        let (_, shorter) = case.split_last()?;
        match self.loads.call1((PyBytes::new(self.py, shorter),)) {
            Err(raised) if !raised.is_instance_of::<PyMemoryError>(self.py) => return u32::try_from(case.len()).ok(),
            _ => {}
        }
        let file = self.bytes_io.call1(stream).ok()?;
        self.load.call1((&file,)).ok()?;
        file.call_method0("tell").ok()?.extract().ok()
    }
}
