//! A reader of marshal streams behind a trait, so that Provost can compare it with CPython.
//!
//! [`serve`] makes a program of it that speaks interpreters/EXEC.md: hangs, aborts and memory are caught there, and it runs in
//! the sandbox of the workers. In one process with Provost it is `harness::subjects::InProcess`. Panics are caught in both.
//! This crate depends on nothing.

use std::fmt::Write as _;
use std::io::{BufRead, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

/// A reader, as somebody who wants it compared sees it.
pub trait Reader {
    /// The answer to `hello`: a JSON object in one line, with the keys of EXEC.md.
    fn declaration(&self) -> String;

    /// What the reader makes of a stream of this Python.
    ///
    /// # Errors
    /// When it does not read it.
    fn load(&mut self, stream: &[u8], python: (u8, u8), rewrite: bool) -> Result<Read, Refusal>;

    /// The flags in the header of a .pyc file.
    ///
    /// # Errors
    /// When it does not read it.
    fn header(&mut self, _file: &[u8], _python: (u8, u8)) -> Result<u32, Refusal> {
        Err(Refusal::Unsupported("headers".into()))
    }
}

/// What was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// The value.
    pub value: Value,
    /// How many bytes it took, if the reader tells.
    pub consumed: Option<usize>,
    /// What the reader writes for it, if that was asked.
    pub rewritten: Option<Result<Vec<u8>, String>>,
}

impl From<Value> for Read {
    fn from(value: Value) -> Read {
        Read { value, consumed: None, rewritten: None }
    }
}

/// Why nothing was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The reader's error.
    Error(String),
    /// The reader does not claim to know what is there.
    Unsupported(String),
    /// The reader panicked.
    Panic(String),
}

impl Refusal {
    /// An error that can be shown.
    pub fn error(error: impl std::fmt::Display) -> Refusal {
        Refusal::Error(error.to_string())
    }
}

/// A value of plain JSON.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// None.
    None,
    /// True or False.
    Bool(bool),
    /// `Ellipsis` or `StopIteration`.
    Singleton(&'static str),
    /// Decimal digits, with a sign if it is negative.
    Int(String),
    /// An int of Python 2 that is a long.
    Long(String),
    /// A float.
    Float(f64),
    /// Real and imaginary part.
    Complex(f64, f64),
    /// Bytes; a str of Python 2.
    Bytes(Vec<u8>),
    /// Text, in code points: there may be surrogates.
    Str(Vec<u32>),
    /// `tuple`, `list`, `set`, `frozenset`, `slice` or `names`.
    Items(&'static str, Vec<Value>),
    /// `dict` or `frozendict`.
    Pairs(&'static str, Vec<(Value, Value)>),
    /// The fields of a code object, as far as they are known.
    Code(Vec<(&'static str, Value)>),
    /// An object with a number, to which there are references.
    Shared(usize, Box<Value>),
    /// The object with this number.
    Reference(usize),
}

impl Value {
    /// A text.
    #[must_use]
    pub fn text(text: &str) -> Value {
        Value::Str(text.chars().map(u32::from).collect())
    }

    /// UTF-8 in which surrogates may be encoded as well; `None` if it is none.
    #[must_use]
    pub fn utf8(bytes: &[u8]) -> Option<Value> {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Some(Value::text(text));
        }
        let mut points = Vec::new();
        let mut rest = bytes;
        while let Some(&first) = rest.first() {
            let length = match first {
                0..=0x7F => 1,
                0xC2..=0xDF => 2,
                0xE0..=0xEF => 3,
                0xF0..=0xF4 => 4,
                _ => return None,
            };
            let (one, after) = rest.split_at_checked(length)?;
            let point = match (std::str::from_utf8(one), one) {
                (Ok(text), _) => text.chars().next()?.into(),
                (Err(_), &[0xED, second @ 0xA0..=0xBF, third @ 0x80..=0xBF]) => {
                    0xD000 | u32::from(second & 0x3F) << 6 | u32::from(third & 0x3F)
                }
                (Err(_), _) => return None,
            };
            points.push(point);
            rest = after;
        }
        Some(Value::Str(points))
    }

    /// The text in plain JSON.
    #[must_use]
    pub fn json(&self) -> String {
        let mut text = String::new();
        self.put(&mut text).expect("writing to a string cannot fail");
        text
    }

    fn put(&self, out: &mut String) -> std::fmt::Result {
        let float = |value: &f64| format!("{:016x}", value.to_bits());
        match self {
            Value::None => out.write_str("null"),
            Value::Bool(value) => write!(out, "{value}"),
            Value::Singleton(name) => write!(out, r#"{{"singleton":"{name}"}}"#),
            Value::Int(digits) => write!(out, r#"{{"int":"{digits}"}}"#),
            Value::Long(digits) => write!(out, r#"{{"long":"{digits}"}}"#),
            Value::Float(value) => write!(out, r#"{{"float":"{}"}}"#, float(value)),
            Value::Complex(real, imaginary) => {
                write!(out, r#"{{"complex":["{}","{}"]}}"#, float(real), float(imaginary))
            }
            Value::Bytes(bytes) => {
                out.push_str(r#"{"bytes":""#);
                bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))?;
                out.write_str(r#""}"#)
            }
            Value::Str(points) => {
                match points.iter().map(|&point| char::from_u32(point)).collect::<Option<String>>() {
                    Some(text) => out.push_str(&quoted(&text)),
                    None => {
                        let points: Vec<String> = points.iter().map(u32::to_string).collect();
                        write!(out, r#"{{"code_points":[{}]}}"#, points.join(","))?;
                    }
                }
                Ok(())
            }
            Value::Reference(number) => write!(out, r#"{{"$ref":{number}}}"#),
            // A scalar is no object that has a number.
            Value::Shared(number, value) => match &**value {
                Value::Items(..) | Value::Pairs(..) | Value::Code(_) => {
                    write!(out, r#"{{"$id":{number},"#)?;
                    value.put_inside(out)
                }
                scalar => scalar.put(out),
            },
            Value::Items(..) | Value::Pairs(..) | Value::Code(_) => {
                out.push('{');
                self.put_inside(out)
            }
        }
    }

    /// A container without the brace that opens it.
    fn put_inside(&self, out: &mut String) -> std::fmt::Result {
        match self {
            Value::Items(kind, items) => {
                write!(out, r#""{kind}":["#)?;
                each(items, out, |item, out| item.put(out))?;
                out.write_str("]}")
            }
            Value::Pairs(kind, pairs) => {
                write!(out, r#""{kind}":["#)?;
                each(pairs, out, |(key, value), out| {
                    out.push('[');
                    key.put(out)?;
                    out.push(',');
                    value.put(out)?;
                    out.write_str("]")
                })?;
                out.write_str("]}")
            }
            Value::Code(fields) => {
                out.push_str(r#""code":{"#);
                each(fields, out, |(name, value), out| {
                    write!(out, r#""{name}":"#)?;
                    value.put(out)
                })?;
                out.write_str("}}")
            }
            scalar => scalar.put(out),
        }
    }
}

/// Each item, with commas between them.
fn each<T>(
    items: &[T],
    out: &mut String,
    mut put: impl FnMut(&T, &mut String) -> std::fmt::Result,
) -> std::fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        put(item, out)?;
    }
    Ok(())
}

/// A text as a string of JSON.
fn quoted(text: &str) -> String {
    let mut json = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            ' '..='~' => json.push(c),
            _ => {
                let mut units = [0; 2];
                c.encode_utf16(&mut units).iter().for_each(|unit| json.push_str(&format!("\\u{unit:04x}")));
            }
        }
    }
    json.push('"');
    json
}

/// How large the stack of a reader is.
const STACK: usize = 512 << 20;

/// What the last panic said.
static LAST: Mutex<String> = Mutex::new(String::new());

/// Asks a reader, and makes a panic a refusal.
///
/// # Errors
/// Those of the reader.
pub fn caught<T>(ask: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
    catch_unwind(AssertUnwindSafe(ask)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let place = LAST.lock().map(|place| place.clone()).unwrap_or_default();
        Err(Refusal::Panic(format!("{}{place}", text.unwrap_or_else(|| "no message".into()))))
    })
}

/// Answers on standard output what is asked on standard input, until that ends.
///
/// # Panics
/// When standard input or output fails.
pub fn serve(reader: impl Reader + Send) {
    // What recurses for each level of a stream shall end by its own limit; what recurses for ever ends all the same.
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || converse(reader));
        thread.expect("a thread can be started");
    });
}

fn converse(mut reader: impl Reader) {
    std::panic::set_hook(Box::new(|info| {
        let file = |place: &std::panic::Location| place.file().rsplit('/').next().unwrap_or_default().to_owned();
        if let (Ok(mut last), Some(place)) = (LAST.lock(), info.location()) {
            *last = format!(" ({})", file(place));
        }
    }));
    let mut out = std::io::stdout();
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("standard input can be read");
        let answer = match field(&line, "op") {
            Some("load" | "header") => answer(&mut reader, &line),
            _ => reader.declaration(),
        };
        writeln!(out, "{answer}").expect("standard output can be written");
        out.flush().expect("standard output can be written");
    }
}

fn answer(reader: &mut impl Reader, line: &str) -> String {
    let id = field(line, "id").unwrap_or("0");
    let (major, minor) = field(line, "python").and_then(|python| python.split_once('.')).unwrap_or(("0", "0"));
    let python = (major.parse().unwrap_or(0), minor.parse().unwrap_or(0));
    let data = unhex(field(line, "data").unwrap_or_default());
    let came = caught(|| match field(line, "op") {
        Some("header") => reader.header(&data, python).map(|flags| format!(r#""flags":{flags}"#)),
        _ => reader.load(&data, python, field(line, "rewrite") == Some("true")).map(|read| told(&read)),
    });
    let body = match came {
        Ok(body) => body,
        Err(Refusal::Error(message)) => format!(r#""error":{}"#, quoted(&message)),
        Err(Refusal::Unsupported(message)) => format!(r#""unsupported":{}"#, quoted(&message)),
        Err(Refusal::Panic(message)) => format!(r#""panic":{}"#, quoted(&message)),
    };
    format!(r#"{{"id":{id},{body}}}"#)
}

fn told(read: &Read) -> String {
    let mut body = format!(r#""value":{}"#, read.value.json());
    if let Some(consumed) = read.consumed {
        body.push_str(&format!(r#","consumed":{consumed}"#));
    }
    match &read.rewritten {
        None => {}
        Some(Ok(bytes)) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            body.push_str(&format!(r#","rewritten":"{digits}""#));
        }
        Some(Err(message)) => body.push_str(&format!(r#","rewrite_error":{}"#, quoted(message))),
    }
    body
}

/// A field of a request: requests have neither spaces nor escapes.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!(r#""{name}":"#))?;
    match rest.strip_prefix('"') {
        Some(text) => text.split('"').next(),
        None => rest.split([',', '}']).next(),
    }
}

fn unhex(digits: &str) -> Vec<u8> {
    let (pairs, _) = digits.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        _ => 0,
    };
    pairs.iter().map(|&[high, low]| digit(high) << 4 | digit(low)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Echo;

    impl Reader for Echo {
        fn declaration(&self) -> String {
            "{}".into()
        }

        fn load(&mut self, stream: &[u8], python: (u8, u8), rewrite: bool) -> Result<Read, Refusal> {
            match stream {
                b"panic" => panic!("index {}", stream.len()),
                b"" => Err(Refusal::error("a \"quoted\" error")),
                _ => Ok(Read {
                    value: Value::Bytes(stream.to_vec()),
                    consumed: Some(python.1.into()),
                    rewritten: rewrite.then(|| Ok(stream.to_vec())),
                }),
            }
        }
    }

    #[test]
    fn requests_are_answered_in_one_line() {
        #[track_caller]
        fn check(line: &str, expected: &str) {
            assert_eq!(answer(&mut Echo, line), expected);
        }
        check(
            r#"{"id":7,"op":"load","python":"3.11","data":"00ff"}"#,
            r#"{"id":7,"value":{"bytes":"00ff"},"consumed":11}"#,
        );
        let rewrite = r#"{"id":7,"op":"load","python":"3.9","rewrite":true,"data":"4e"}"#;
        check(rewrite, r#"{"id":7,"value":{"bytes":"4e"},"consumed":9,"rewritten":"4e"}"#);
        check(r#"{"id":8,"op":"load","python":"3.11","data":""}"#, r#"{"id":8,"error":"a \"quoted\" error"}"#);
        check(r#"{"id":9,"op":"load","python":"3.11","data":"70616e6963"}"#, r#"{"id":9,"panic":"index 5"}"#);
        check(r#"{"id":9,"op":"header","python":"3.11","data":""}"#, r#"{"id":9,"unsupported":"headers"}"#);
    }

    #[test]
    fn values_are_plain_json() {
        #[track_caller]
        fn check(value: &Value, expected: &str) {
            assert_eq!(value.json(), expected);
        }
        check(&Value::text("\u{e9}\"\u{1f600}"), r#""\u00e9\"\ud83d\ude00""#);
        check(&Value::utf8(b"\xed\xa0\x80a").unwrap(), r#"{"code_points":[55296,97]}"#);
        check(&Value::Float(1.0), r#"{"float":"3ff0000000000000"}"#);
        let list = Value::Items("list", vec![Value::None, Value::Reference(1)]);
        check(&Value::Shared(1, Box::new(list)), r#"{"$id":1,"list":[null,{"$ref":1}]}"#);
        check(&Value::Shared(1, Box::new(Value::Bool(true))), "true");
        let dict = Value::Pairs("dict", vec![(Value::Int("-5".into()), Value::Items("tuple", vec![]))]);
        check(&Value::Code(vec![("consts", dict)]), r#"{"code":{"consts":{"dict":[[{"int":"-5"},{"tuple":[]}]]}}}"#);
        assert_eq!(Value::utf8(b"\xff"), None);
    }
}
