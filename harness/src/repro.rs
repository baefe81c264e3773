//! Lines that a person pastes into a terminal to see one side of a divergence with their own eyes.
//!
//! Reviewed for Python 3.15.

use crate::case::hex;
use crate::generators::pyc::Source;
use crate::observation::Observation;
use crate::oracle::{Divergence, Relation};

/// Longer cases are read from their file: a terminal takes a hundred times as much, a reader does not.
const INLINE: usize = 200;

/// Where a case is that is too long to be pasted: it is the end of a file, from an offset on.
#[derive(Debug, Clone, Copy)]
pub struct Kept<'a> {
    /// The file.
    pub path: &'a str,
    /// Bytes before the case, such as the header of a .pyc file.
    pub from: usize,
}

impl<'a> Kept<'a> {
    /// The case is the file.
    #[must_use]
    pub fn whole(path: &'a str) -> Kept<'a> {
        Kept { path, from: 0 }
    }
}

/// The command that mostly starts a subject (`cpython:3.12`) of this version ("3.12.1"), where nobody knows its executable.
#[must_use]
pub fn program(subject: &str, version: &str) -> String {
    let program = if subject.starts_with("pypy") { "pypy" } else { "python" };
    let (major, minor) = numbers(version);
    format!("{program}{major}.{minor}")
}

/// An executable as a word of a POSIX shell.
#[must_use]
pub fn shell_path(path: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+".contains(c);
    if path.chars().all(is_plain) { path.to_owned() } else { shell(path) }
}

/// Major and minor of "3.12.1".
fn numbers(version: &str) -> (u8, u8) {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(3), numbers.next().unwrap_or(0))
}

/// What a command shows of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Its value.
    Value,
    /// Its dump at a version.
    Dump(u8),
    /// Its instructions, and where they come from.
    Instructions,
}

impl Shown {
    /// What a divergence is about.
    #[must_use]
    pub fn of(divergence: &Divergence) -> Shown {
        match divergence.dump {
            Some(version) => Shown::Dump(version),
            None if divergence.signature.relation == Relation::Bytecode => Shown::Instructions,
            None => Shown::Value,
        }
    }
}

/// A command that shows what a program of this version ("3.12.1") does with a case.
#[must_use]
pub fn python(program: &str, version: &str, case: &[u8], shown: Shown, kept: Kept<'_>) -> String {
    let old = numbers(version) < (3, 0);
    let stream = python_bytes(case, old, kept);
    let shown = match (shown, old) {
        (Shown::Value, _) => format!("print(marshal.loads({stream}))"),
        (Shown::Dump(v), false) => format!("print(marshal.dumps(*(marshal.loads({stream}), {v})).hex())"),
        (Shown::Dump(v), true) => format!("print(marshal.dumps(*(marshal.loads({stream}), {v})).encode('hex'))"),
        (Shown::Instructions, _) => {
            let places = match numbers(version) {
                (3, 11..) => "; print(*c.co_lines(), *c.co_positions())",
                (3, 10) => "; print(*c.co_lines())",
                _ => "",
            };
            format!("import dis; c = marshal.loads({stream}); dis.dis(c){places}")
        }
    };
    format!("{program} -c {}", shell(&format!("import marshal; {shown}")))
}

/// A command that asks the reader behind an adapter, which is this command line; `None` for a case that is too long to be pasted.
#[must_use]
pub fn adapter(command: &str, version: &str, case: &[u8]) -> Option<String> {
    let (major, minor) = numbers(version);
    let request = format!(r#"{{"id":1,"op":"load","python":"{major}.{minor}","data":"{}"}}"#, hex(case));
    (case.len() <= INLINE).then(|| format!("echo '{request}' | {command}"))
}

/// One line of Rust that shows what pyc-core does with a case under the profile of this version.
#[must_use]
pub fn rust(version: &str, case: &[u8], shown: Shown, kept: Kept<'_>) -> String {
    let stream = rust_bytes(case, kept);
    let shown = match shown {
        Shown::Value => "pyc_core::model::Loaded::new(&g, &p).canon()".to_owned(),
        Shown::Dump(v) => format!("pyc_core::model::Loaded::new(&g, &p).dump({v})"),
        Shown::Instructions => "pyc_core::bytecode::listing(&g, g.root(), &p)".to_owned(),
    };
    format!("let p = {}; println!(\"{{:?}}\", pyc_core::read({stream}, &p).map(|g| {shown}));", profile(version))
}

/// Commands in Python and Rust that show what an import by a program of this version ("3.12.1") says of the header of a .pyc file, next
/// to which there may be its source. `path` is that of the file, `name` that of the module.
#[must_use]
pub fn import(
    program: &str,
    version: &str,
    file: &[u8],
    source: Option<&Source>,
    path: &str,
    name: &str,
) -> [String; 2] {
    let name = python_string(name);
    let python = numbers(version);
    let read = python_bytes(file, python < (3, 0), Kept::whole(path));
    let compared = match (source, file.get(4).map_or(0, |flags| flags & 3)) {
        (None, _) | (_, 1) => String::new(),
        (Some(source), 3) => {
            let source = hex(&source.bytes);
            format!("; e._validate_hash_pyc(f, u.source_hash(bytes.fromhex('{source}')), {name}, {{}})")
        }
        (Some(source), _) => {
            format!("; e._validate_timestamp_pyc(f, {}, {}, {name}, {{}})", source.mtime, source.bytes.len())
        }
    };
    let stats = source.map_or("None".to_owned(), |s| format!("{{'mtime': {}, 'size': {}}}", s.mtime, s.bytes.len()));
    let said = match python {
        (2, _) => format!("import imp; print({read}[:4] == imp.get_magic())"),
        (3, ..=6) => format!(
            "from importlib import _bootstrap_external as e; print(e._validate_bytecode_header({read}, {stats}, {name}))"
        ),
        _ => format!(
            "from importlib import _bootstrap_external as e, util as u; f = {read}; print(e._classify_pyc(f, {name}, {{}}))\
             {compared}"
        ),
    };
    let source = source.map(|source| {
        format!("Some(pyc_core::pyc::SourceFile {{ bytes: {}, mtime: {} }})", literal(&source.bytes), source.mtime)
    });
    let rust = format!(
        "let p = {}; println!(\"{{:?}}\", pyc_core::pyc::import({}, &p, {}, {:?}));",
        profile(version),
        rust_bytes(file, Kept::whole(path)),
        source.unwrap_or_else(|| "None".into()),
        name.trim_matches('\''),
    );
    [format!("{program} -c {}", shell(&said)), rust]
}

fn profile(version: &str) -> String {
    format!("pyc_core::Profile::for_release(&pyc_core::Release::parse({version:?}).unwrap()).unwrap()")
}

/// An expression of Python (an old one has no `bytes.fromhex`) that is these bytes.
fn python_bytes(bytes: &[u8], old: bool, kept: Kept<'_>) -> String {
    match (bytes.len() <= INLINE, old, kept.from) {
        (true, false, _) => format!("bytes.fromhex('{}')", hex(bytes)),
        (true, true, _) => format!("'{}'.decode('hex')", hex(bytes)),
        (false, _, 0) => format!("open({}, 'rb').read()", python_string(kept.path)),
        (false, _, from) => format!("open({}, 'rb').read()[{from}:]", python_string(kept.path)),
    }
}

/// The same in Rust.
fn rust_bytes(bytes: &[u8], Kept { path, from }: Kept<'_>) -> String {
    match (bytes.len() <= INLINE, from) {
        (true, _) => literal(bytes),
        (false, 0) => format!("&std::fs::read({path:?}).unwrap()"),
        (false, _) => format!("&std::fs::read({path:?}).unwrap()[{from}..]"),
    }
}

/// The bytes as a literal of Rust.
fn literal(bytes: &[u8]) -> String {
    format!("b\"{}\"", bytes.escape_ascii())
}

/// The bytes of an observation or its text, short enough for one line.
#[must_use]
pub fn excerpt(text: &str) -> String {
    const LONGEST: usize = 600;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} ...", &text[..end]),
        None => text.to_owned(),
    }
}

/// One line for what a subject did.
#[must_use]
pub fn summary(observation: &Observation) -> String {
    excerpt(&observation.to_string().replace('\n', " "))
}

fn python_string(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars() {
        match c {
            '\\' | '\'' => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    out + "'"
}

/// The text as one word of a POSIX shell.
pub(crate) fn shell(text: &str) -> String {
    let plain = !text.contains(['"', '\\', '$', '`', '!']);
    if plain { format!("\"{text}\"") } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_words_of_a_shell_and_of_the_right_python() {
        let x = Kept::whole("x");
        assert_eq!(
            python(&program("cpython:3.12", "3.12.1"), "3.12.1", b"N", Shown::Value, x),
            r#"python3.12 -c "import marshal; print(marshal.loads(bytes.fromhex('4e')))""#
        );
        assert_eq!(
            python("python2.7", "2.7.18", b"N", Shown::Dump(2), x),
            r#"python2.7 -c "import marshal; print(marshal.dumps(*(marshal.loads('4e'.decode('hex')), 2)).encode('hex'))""#
        );
        let shown = python("python3.10", "3.10.1", b"N", Shown::Instructions, x);
        assert!(shown.ends_with("('4e')); dis.dis(c); print(*c.co_lines())\""), "{shown}");
        assert_eq!(program("pypy:3.9", "3.9.16"), "pypy3.9");
        assert_eq!(["/opt/py-3.9/bin/python", "/a b/$c"].map(shell_path), ["/opt/py-3.9/bin/python", "'/a b/$c'"]);
        let kept = Kept { path: "a'b$c", from: 16 };
        let long = python("python3.9", "3.9.1", &[b'N'; 2000], Shown::Value, kept);
        assert_eq!(
            long,
            r"python3.9 -c 'import marshal; print(marshal.loads(open('\''a\'\''b$c'\'', '\''rb'\'').read()[16:]))'"
        );
    }

    #[test]
    fn headers_are_shown_as_importlib_sees_them() {
        let check = |version, file: &[u8], with_source: bool, said: &str| {
            let source = with_source.then(|| Source { bytes: b"x=1".to_vec(), mtime: 7 });
            let [python, rust] = import("python3", version, file, source.as_ref(), "x", "case");
            assert!(python.contains(said), "{python}");
            assert_eq!(rust.contains("SourceFile { bytes: b\"x=1\", mtime: 7 }"), with_source, "{rust}");
        };
        check("3.12.1", b"\xcb\r\r\n\0\0\0\0", true, "'case', {})); e._validate_timestamp_pyc(f, 7, 3, 'case', {})\"");
        check("3.12.1", b"\xcb\r\r\n\x03\0\0\0", true, "_validate_hash_pyc(f, u.source_hash(bytes.fromhex('783d31'))");
        check("3.12.1", b"\xcb\r\r\n\x03\0\0\0", false, "print(e._classify_pyc(f, 'case', {}))\"");
        check("3.12.1", b"\xcb\r\r\n\x01\0\0\0", true, "print(e._classify_pyc(f, 'case', {}))\"");
        check("3.6.15", b"3\r\r\n", true, "(bytes.fromhex('330d0d0a'), {'mtime': 7, 'size': 3}, 'case')");
        check("2.7.18", b"\x03\xf3\r\n", false, "print('03f30d0a'.decode('hex')[:4] == imp.get_magic())");
    }

    #[test]
    fn the_line_of_rust_is_a_byte_string() {
        let line = rust("3.12", b"\"\\\x80N", Shown::Dump(4), Kept::whole("x"));
        assert!(line.contains(r#"read(b"\"\\\x80N", &p)"#) && line.contains("dump(4)"), "{line}");
        let line = rust("3.12", &[b'N'; 2000], Shown::Value, Kept { path: "x", from: 16 });
        assert!(line.contains(r#"read(&std::fs::read("x").unwrap()[16..], &p)"#), "{line}");
    }
}
