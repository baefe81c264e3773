//! Lines that a person pastes into a terminal to see one side of a divergence with their own eyes.

use crate::case::hex;
use crate::observation::Observation;

/// Longer cases are read from their file: a terminal takes a hundred times as much, a reader does not.
const INLINE: usize = 200;

/// A command that shows what a subject (`cpython:3.12`) of this version ("3.12.1") does with a case: its value, or its dump
/// at a version. `file` is the path of the case, for cases that are too long to be pasted.
#[must_use]
pub fn python(subject: &str, version: &str, case: &[u8], dump: Option<u8>, file: &str) -> String {
    let mut numbers = version.split('.');
    let (major, minor) = (numbers.next().unwrap_or("3"), numbers.next().unwrap_or_default());
    let old = major == "2";
    let stream = match (case.len() <= INLINE, old) {
        (true, false) => format!("bytes.fromhex('{}')", hex(case)),
        (true, true) => format!("'{}'.decode('hex')", hex(case)),
        (false, _) => format!("open({}, 'rb').read()", python_string(file)),
    };
    let shown = match (dump, old) {
        (None, _) => format!("marshal.loads({stream})"),
        (Some(v), false) => format!("marshal.dumps(*(marshal.loads({stream}), {v})).hex()"),
        (Some(v), true) => format!("marshal.dumps(*(marshal.loads({stream}), {v})).encode('hex')"),
    };
    let program = if subject.starts_with("pypy") { "pypy" } else { "python" };
    format!("{program}{major}.{minor} -c {}", shell(&format!("import marshal; print({shown})")))
}

/// One line of Rust that shows what pyc-core does with a case under the profile of this version.
#[must_use]
pub fn rust(version: &str, case: &[u8], dump: Option<u8>, file: &str) -> String {
    let stream = match case.len() <= INLINE {
        true => format!(
            "b\"{}\"",
            case.iter().flat_map(|b| std::ascii::escape_default(*b)).map(char::from).collect::<String>()
        ),
        false => format!("&std::fs::read({file:?}).unwrap()"),
    };
    let profile = format!("pyc_core::Profile::for_release(&pyc_core::Release::parse({version:?}).unwrap()).unwrap()");
    let shown = match dump {
        None => "pyc_core::model::Loaded::new(&g, &p).canon()".to_owned(),
        Some(v) => format!("pyc_core::model::Loaded::new(&g, &p).dump({v})"),
    };
    format!("let p = {profile}; println!(\"{{:?}}\", pyc_core::read({stream}, &p).map(|g| {shown}));")
}

/// The dump that a signature's path is about: `dump[4].flag` -> 4.
#[must_use]
pub fn dump_version(path: &str) -> Option<u8> {
    path.strip_prefix("dump[")?.split_once(']')?.0.parse().ok()
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
fn shell(text: &str) -> String {
    let plain = !text.contains(['"', '\\', '$', '`', '!']);
    if plain { format!("\"{text}\"") } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_words_of_a_shell_and_of_the_right_python() {
        assert_eq!(
            python("cpython", "3.12.1", b"N", None, "x"),
            r#"python3.12 -c "import marshal; print(marshal.loads(bytes.fromhex('4e')))""#
        );
        assert_eq!(
            python("cpython", "2.7.18", b"N", Some(2), "x"),
            r#"python2.7 -c "import marshal; print(marshal.dumps(*(marshal.loads('4e'.decode('hex')), 2)).encode('hex'))""#
        );
        let pypy = python("pypy:3.9", "3.9.16", b"N", None, "x");
        assert!(pypy.starts_with("pypy3.9 -c "), "{pypy}");
        let long = python("cpython", "3.9.1", &[b'N'; 2000], None, "a'b$c");
        assert_eq!(
            long,
            r"python3.9 -c 'import marshal; print(marshal.loads(open('\''a\'\''b$c'\'', '\''rb'\'').read()))'"
        );
    }

    #[test]
    fn the_line_of_rust_is_a_byte_string() {
        let line = rust("3.12", b"\"\\\x80N", Some(4), "x");
        assert!(line.contains(r#"read(b"\"\\\x80N", &p)"#) && line.contains("dump(4)"), "{line}");
        for (path, version) in [("dump[4].flag", Some(4)), ("dump[0]:bytes/ValueError", Some(0)), ("canon", None)] {
            assert_eq!(dump_version(path), version);
        }
    }
}
