//! Prints the canon of a loaded value, as corpus/CANON.md specifies it.
//!
//! Values come from hostile streams: 2,000 levels deep, cyclic, shared a million times. So there is no recursion, and
//! what is still to be printed waits on a stack. Buffers are kept from value to value, because most values are tiny.

use pyo3::exceptions::{PyIndexError, PyStopIteration};
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyBytes, PyComplex, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet, PySlice, PyString, PyTuple, PyType,
};
use pyo3::{CastError, ffi, intern};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fmt::{self, Write};

/// The longest canon that is printed, in bytes. One stream can refer to a long string many thousand times.
const LONGEST: usize = 256 << 20;

/// The buffers of a longer canon are given back before the next one.
const LONGEST_KEPT: usize = 1 << 20;

/// Why a value has no canon.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CanonError {
    #[error("an object of type {0} has no canon")]
    Type(String),
    #[error("the canon is longer than {LONGEST} bytes")]
    TooLong,
    #[error("{0}")]
    Python(#[from] PyErr),
}

impl From<CastError<'_, '_>> for CanonError {
    fn from(e: CastError<'_, '_>) -> Self {
        CanonError::Python(e.into())
    }
}

type Result<T = ()> = std::result::Result<T, CanonError>;

/// What an object is, by its exact type.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    None,
    Bool,
    Ellipsis,
    StopIteration,
    Int,
    Float,
    Complex,
    Bytes,
    Str,
    Tuple,
    List,
    Set,
    FrozenSet,
    Dict,
    FrozenDict,
    Slice,
    Code,
}

impl Kind {
    fn is_set(self) -> bool {
        matches!(self, Kind::Set | Kind::FrozenSet)
    }

    /// Whether other objects hang on it.
    fn is_container(self) -> bool {
        use Kind::{Code, Dict, FrozenDict, FrozenSet, List, Set, Slice, Tuple};
        matches!(self, Tuple | List | Set | FrozenSet | Dict | FrozenDict | Slice | Code)
    }
}

/// Where a field of a code object comes from.
enum Field<'py> {
    /// An object that the code object holds.
    Held(Bound<'py, PyString>),
    /// A tuple of strings that the interpreter builds when it is asked.
    Built(Bound<'py, PyString>),
    /// The strings that `_varname_from_oparg` gives for 0, 1, ...
    LocalsPlus,
}

/// What is still to be printed.
enum Work<'py> {
    Node(Bound<'py, PyAny>),
    /// The name of a code object's field, which is next.
    Field(&'static str),
    /// Strings that the code object does not hold as a tuple.
    Names(Vec<Bound<'py, PyAny>>),
}

/// A text, and the numbers of the compound objects in it by their addresses.
#[derive(Default)]
struct Page<'py> {
    text: String,
    work: Vec<Work<'py>>,
    numbers: HashMap<usize, usize>,
}

/// Prints canons. One printer serves all the values of an interpreter.
pub(crate) struct Printer<'py> {
    py: Python<'py>,
    kinds: Vec<(*mut ffi::PyTypeObject, Kind)>,
    fields: Vec<(&'static str, Field<'py>)>,
    page: Page<'py>,
    /// Members in canonical order, by the address of their set.
    orders: HashMap<usize, Vec<Bound<'py, PyAny>>>,
    code_points: Vec<u32>,
}

impl<'py> Printer<'py> {
    pub(crate) fn new(py: Python<'py>) -> PyResult<Self> {
        let builtins = py.import("builtins")?;
        let code = builtins.getattr("compile")?.call1(("0", "", "eval"))?.get_type();
        // The commonest first.
        let mut kinds = vec![
            (py.get_type::<PyInt>(), Kind::Int),
            (py.get_type::<PyString>(), Kind::Str),
            (py.get_type::<PyTuple>(), Kind::Tuple),
            (py.get_type::<PyBytes>(), Kind::Bytes),
            (py.None().bind(py).get_type(), Kind::None),
            (py.get_type::<PyBool>(), Kind::Bool),
            (py.get_type::<PyFloat>(), Kind::Float),
            (code.clone(), Kind::Code),
            (py.get_type::<PyList>(), Kind::List),
            (py.get_type::<PyDict>(), Kind::Dict),
            (py.get_type::<PySet>(), Kind::Set),
            (py.get_type::<PyFrozenSet>(), Kind::FrozenSet),
            (py.get_type::<PyComplex>(), Kind::Complex),
            (py.get_type::<PySlice>(), Kind::Slice),
            (py.Ellipsis().bind(py).get_type(), Kind::Ellipsis),
        ];
        if let Some(frozendict) = builtins.getattr_opt("frozendict")? {
            kinds.push((frozendict.cast_into()?, Kind::FrozenDict));
        }
        Ok(Printer {
            py,
            // These types live as long as the interpreter, so their addresses stay good.
            kinds: kinds.into_iter().map(|(class, kind)| (class.as_type_ptr(), kind)).collect(),
            fields: code_fields(&code)?,
            page: Page::default(),
            orders: HashMap::new(),
            code_points: Vec::new(),
        })
    }

    /// The canon of `value`.
    pub(crate) fn print(&mut self, value: &Bound<'py, PyAny>) -> Result<&[u8]> {
        let mut page = std::mem::take(&mut self.page);
        if page.text.capacity() > LONGEST_KEPT {
            page = Page::default();
            self.code_points = Vec::new();
        }
        let printed = self.print_on(&mut page, value);
        self.orders.clear();
        if printed.is_ok() {
            self.page = page;
        }
        printed.map(|()| self.page.text.as_bytes())
    }

    /// Makes the page's text the canon of `root`, which keeps all that is below it alive: addresses identify objects.
    fn print_on(&mut self, page: &mut Page<'py>, root: &Bound<'py, PyAny>) -> Result {
        page.text.clear();
        page.numbers.clear();
        page.work.push(Work::Node(root.clone()));
        while let Some(work) = page.work.pop() {
            match work {
                Work::Node(value) => self.print_node(page, &value)?,
                Work::Field(name) => {
                    page.text.push_str(name);
                    page.text.push('=');
                }
                Work::Names(names) => {
                    line(page, format_args!("names {}", names.len()));
                    page.work.extend(names.into_iter().rev().map(Work::Node));
                }
            }
            if page.text.len() > LONGEST {
                return Err(CanonError::TooLong);
            }
        }
        Ok(())
    }

    fn print_node(&mut self, page: &mut Page<'py>, value: &Bound<'py, PyAny>) -> Result {
        match self.kind(value)? {
            Kind::None => line(page, format_args!("none")),
            Kind::Bool => line(page, format_args!("{}", value.cast::<PyBool>()?.is_true())),
            Kind::Ellipsis => line(page, format_args!("ellipsis")),
            Kind::StopIteration => line(page, format_args!("stopiteration")),
            Kind::Int => print_int(page, value)?,
            Kind::Float => line(page, format_args!("float {:016x}", value.cast::<PyFloat>()?.value().to_bits())),
            Kind::Complex => {
                let value = value.cast::<PyComplex>()?;
                line(page, format_args!("complex {:016x} {:016x}", value.real().to_bits(), value.imag().to_bits()));
            }
            Kind::Bytes => print_bytes(page, value.cast::<PyBytes>()?.as_bytes()),
            Kind::Str => self.print_str(page, value)?,
            Kind::Tuple => self.print_compound(page, value, Kind::Tuple, "tuple")?,
            Kind::List => self.print_compound(page, value, Kind::List, "list")?,
            Kind::Set => self.print_compound(page, value, Kind::Set, "set")?,
            Kind::FrozenSet => self.print_compound(page, value, Kind::FrozenSet, "frozenset")?,
            Kind::Dict => self.print_compound(page, value, Kind::Dict, "dict")?,
            Kind::FrozenDict => self.print_compound(page, value, Kind::FrozenDict, "frozendict")?,
            Kind::Slice => self.print_compound(page, value, Kind::Slice, "slice")?,
            Kind::Code => self.print_compound(page, value, Kind::Code, "code")?,
        }
        Ok(())
    }

    fn kind(&self, value: &Bound<'py, PyAny>) -> Result<Kind> {
        let class = value.get_type_ptr();
        match self.kinds.iter().find(|&&(known, _)| known == class) {
            Some(&(_, kind)) => Ok(kind),
            None if value.is(self.py.get_type::<PyStopIteration>()) => Ok(Kind::StopIteration),
            None => Err(CanonError::Type(value.get_type().name()?.to_string())),
        }
    }

    fn print_str(&mut self, page: &mut Page<'py>, value: &Bound<'py, PyAny>) -> Result {
        // SAFETY: `value` is a str.
        let length = unsafe { ffi::PyUnicode_GetLength(value.as_ptr()) }.unsigned_abs();
        if length > LONGEST {
            return Err(CanonError::TooLong);
        }
        if self.code_points.len() < length {
            self.code_points.resize(length, 0);
        }
        let buffer = &mut self.code_points[..length];
        // SAFETY: `value` is a str of `length` code points, for which the buffer has room, as no NUL is asked for.
        if unsafe { ffi::PyUnicode_AsUCS4(value.as_ptr(), buffer.as_mut_ptr(), length.cast_signed(), 0) }.is_null() {
            return Err(PyErr::fetch(self.py).into());
        }
        page.text.push_str("str \"");
        for &mut c in buffer {
            match u8::try_from(c) {
                Ok(c @ b' '..=b'~') if c != b'"' && c != b'\\' => page.text.push(char::from(c)),
                _ => write!(page.text, "\\{{{c:x}}}").expect("a String takes everything"),
            }
        }
        page.text.push_str("\"\n");
        Ok(())
    }

    fn print_compound(&mut self, page: &mut Page<'py>, value: &Bound<'py, PyAny>, kind: Kind, word: &str) -> Result {
        let size = match kind {
            Kind::Slice => None,
            Kind::Code => Some(self.fields.len()),
            _ => Some(value.len()?),
        };
        // Whether two empty tuples are one object is an accident; so they have no number.
        if size != Some(0) || !matches!(kind, Kind::Tuple | Kind::FrozenSet) {
            let next = page.numbers.len();
            match page.numbers.entry(address(value)) {
                Entry::Vacant(entry) => entry.insert(next),
                Entry::Occupied(entry) => {
                    let number = *entry.get();
                    line(page, format_args!("ref {number}"));
                    return Ok(());
                }
            };
        }
        match size {
            Some(size) => line(page, format_args!("{word} {size}")),
            None => line(page, format_args!("{word}")),
        }
        if kind.is_set() && size > Some(1) && !self.orders.contains_key(&address(value)) {
            self.settle(value)?;
        }
        self.push_children(&mut page.work, value, kind)
    }

    /// Pushes what hangs on `value`, the first on top. The members of a set are in canonical order once it is settled.
    fn push_children(&self, work: &mut Vec<Work<'py>>, value: &Bound<'py, PyAny>, kind: Kind) -> Result {
        let start = work.len();
        match kind {
            Kind::Tuple => {
                work.extend(value.cast::<PyTuple>()?.iter_borrowed().map(|item| Work::Node(item.to_owned())))
            }
            Kind::List => work.extend(value.cast::<PyList>()?.iter().map(Work::Node)),
            Kind::Dict => work.extend(value.cast::<PyDict>()?.iter().flat_map(|(k, v)| [Work::Node(k), Work::Node(v)])),
            Kind::FrozenDict => {
                for item in value.call_method0(intern!(self.py, "items"))?.try_iter()? {
                    let (k, v) = item?.extract()?;
                    work.extend([Work::Node(k), Work::Node(v)]);
                }
            }
            Kind::Set | Kind::FrozenSet => match self.orders.get(&address(value)) {
                Some(members) => work.extend(members.iter().cloned().map(Work::Node)),
                None => {
                    for member in value.try_iter()? {
                        work.push(Work::Node(member?));
                    }
                }
            },
            Kind::Slice => {
                for attribute in [intern!(self.py, "start"), intern!(self.py, "stop"), intern!(self.py, "step")] {
                    work.push(Work::Node(value.getattr(attribute)?));
                }
            }
            Kind::Code => self.push_fields(work, value)?,
            _ => {}
        }
        work[start..].reverse();
        Ok(())
    }

    fn push_fields(&self, work: &mut Vec<Work<'py>>, code: &Bound<'py, PyAny>) -> Result {
        for (name, field) in &self.fields {
            work.push(Work::Field(name));
            work.push(match field {
                Field::Held(attribute) => Work::Node(code.getattr(attribute)?),
                Field::Built(attribute) => Work::Names(code.getattr(attribute)?.cast::<PyTuple>()?.iter().collect()),
                Field::LocalsPlus => Work::Names(self.locals_plus(code)?),
            });
        }
        Ok(())
    }

    fn locals_plus(&self, code: &Bound<'py, PyAny>) -> Result<Vec<Bound<'py, PyAny>>> {
        let name_of = code.getattr(intern!(self.py, "_varname_from_oparg"))?;
        let mut names = Vec::new();
        loop {
            match name_of.call1((names.len(),)) {
                Ok(name) => names.push(name),
                Err(e) if e.is_instance_of::<PyIndexError>(self.py) => return Ok(names),
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Puts the members of `set`, and of every set below it, in order: the innermost first, so that printing a member
    /// never has to settle another set. What is below a set is hashable, so nothing there contains the set.
    fn settle(&mut self, set: &Bound<'py, PyAny>) -> Result {
        let mut page = Page::default();
        let mut seen = HashSet::new();
        // The flag: everything below has been visited.
        let mut visits = vec![(set.clone(), false)];
        while let Some((value, done)) = visits.pop() {
            let kind = self.kind(&value)?;
            if done {
                self.order_members(&mut page, &value)?;
            } else if kind.is_container() && seen.insert(address(&value)) {
                if kind.is_set() && value.len()? > 1 {
                    visits.push((value.clone(), true));
                }
                self.push_children(&mut page.work, &value, kind)?;
                visits.extend(page.work.drain(..).filter_map(|work| match work {
                    Work::Node(child) => Some((child, false)),
                    Work::Field(_) | Work::Names(_) => None,
                }));
            }
        }
        Ok(())
    }

    /// Sorts the members of a set by the canon that each has alone.
    fn order_members(&mut self, page: &mut Page<'py>, set: &Bound<'py, PyAny>) -> Result {
        let mut members = Vec::new();
        let mut size = 0;
        for member in set.try_iter()? {
            let member = member?;
            self.print_on(page, &member)?;
            size += page.text.len();
            if size > LONGEST {
                return Err(CanonError::TooLong);
            }
            members.push((page.text.clone(), member));
        }
        members.sort_by(|(a, _), (b, _)| a.cmp(b));
        self.orders.insert(address(set), members.into_iter().map(|(_, member)| member).collect());
        Ok(())
    }
}

/// The fields of a code object, in order. Which layout it is shows in the attributes of its type.
fn code_fields<'py>(code: &Bound<'py, PyType>) -> PyResult<Vec<(&'static str, Field<'py>)>> {
    const HEAD: &str = "argcount posonlyargcount kwonlyargcount nlocals stacksize flags code consts names";
    let py = code.py();
    let flat_locals = code.hasattr("_varname_from_oparg")?;
    let tail = if flat_locals {
        "localsplusnames varnames cellvars filename name qualname firstlineno linetable exceptiontable"
    } else if code.hasattr("co_linetable")? {
        "varnames freevars cellvars filename name firstlineno linetable"
    } else {
        "varnames freevars cellvars filename name firstlineno lnotab"
    };
    let field = |name: &'static str| {
        let attribute = PyString::intern(py, &format!("co_{name}"));
        let field = match name {
            "localsplusnames" => Field::LocalsPlus,
            "varnames" | "cellvars" if flat_locals => Field::Built(attribute),
            _ => Field::Held(attribute),
        };
        (name, field)
    };
    Ok(HEAD.split(' ').chain(tail.split(' ')).map(field).collect())
}

fn address(value: &Bound<'_, PyAny>) -> usize {
    value.as_ptr() as usize
}

fn line(page: &mut Page<'_>, text: fmt::Arguments<'_>) {
    writeln!(page.text, "{text}").expect("a String takes everything");
}

fn print_int(page: &mut Page<'_>, value: &Bound<'_, PyAny>) -> Result {
    match value.extract::<i64>() {
        Ok(small) => {
            let sign = if small < 0 { "-" } else { "" };
            line(page, format_args!("int {sign}{:x}", small.unsigned_abs()));
        }
        // The only way to fail is to be too large.
        Err(_) => {
            let digits = value.call_method1(intern!(value.py(), "__format__"), ("x",))?;
            line(page, format_args!("int {}", digits.cast::<PyString>()?.to_cow()?));
        }
    }
    Ok(())
}

fn print_bytes(page: &mut Page<'_>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    page.text.push_str("bytes \"");
    for &byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            page.text.push(char::from(DIGITS[usize::from(digit)]));
        }
    }
    page.text.push_str("\"\n");
}
