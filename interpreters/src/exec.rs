//! The protocol for readers of other people: one JSON object a line. See EXEC.md.
//!
//! Lines are put into the requests and answers of the worker protocol here, so that an adapter is one more driver: whoever
//! hunts, replays or minimizes does not know that there are two protocols.

use protocol::{Answer, Exception, Facts, Import, Load, Loaded, Request, VERSION};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The version of EXEC.md.
const EXEC: u32 = 1;

/// No answer is longer, in bytes.
pub(crate) const LONGEST: usize = 64 << 20;

/// How much memory beyond what it has when it is idle a reader may always take, in bytes: garbage is not always collected.
const MEMORY: u64 = 64 << 20;

/// The class of what an adapter does not claim to read.
pub const UNSUPPORTED: &str = "unsupported";

/// The class of a panic that an adapter caught.
pub const PANIC: &str = "panic";

/// Names that are taken: subjects are called by them.
const TAKEN: [&str; 4] = ["cpython", "pypy", "core", "planted"];

/// What a reader says of itself: the keys are those of EXEC.md.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // EXEC.md documents each key, once
pub struct Declaration {
    pub exec: u32,
    pub name: String,
    pub version: String,
    pub pythons: Vec<String>,
    #[serde(default = "only_load")]
    pub operations: Vec<Operation>,
    #[serde(default)]
    pub unknown: Vec<String>,
    #[serde(default = "usual")]
    pub owes: Vec<Owed>,
    #[serde(default)]
    pub merges: BTreeMap<String, String>,
    #[serde(default = "thousand")]
    pub memory: u64,
}

/// What an adapter can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// What a stream is.
    Load,
    /// What it writes for what it read.
    Rewrite,
    /// What the header of a .pyc file says.
    Header,
}

/// What a reader owes to CPython.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Owed {
    /// It reads what CPython reads.
    Accept,
    /// It refuses what CPython refuses.
    Refuse,
    /// It stops where CPython stops.
    Consumed,
    /// The same value.
    Value,
    /// With the same objects shared.
    Sharing,
    /// With the keys of dicts in the same order.
    Order,
    /// What it writes is what it read, byte for byte.
    Rewrite,
    /// What it writes reads back to the same value.
    Reread,
}

fn only_load() -> Vec<Operation> {
    vec![Operation::Load]
}

fn usual() -> Vec<Owed> {
    vec![Owed::Accept, Owed::Refuse, Owed::Value]
}

fn thousand() -> u64 {
    1000
}

impl Declaration {
    /// Reads the answer to hello.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(line: &[u8]) -> Result<Declaration, String> {
        let declaration: Declaration =
            serde_json::from_slice(line).map_err(|e| format!("its answer to hello is not as EXEC.md says: {e}"))?;
        let Declaration { exec, name, pythons, operations, .. } = &declaration;
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
        if *exec != EXEC {
            return Err(format!("it speaks version {exec} of EXEC.md, this program speaks {EXEC}"));
        }
        if name.is_empty() || !name.chars().all(is_name) || TAKEN.contains(&name.as_str()) {
            return Err(format!("its name {name:?} is taken, or has other characters than a-z 0-9 - _ ."));
        }
        if pythons.is_empty() || !operations.contains(&Operation::Load) {
            return Err("it declares no Python, or not the operation load".into());
        }
        if let Some(wrong) = pythons.iter().find(|python| version(python).is_none()) {
            return Err(format!("the Python {wrong:?} is no version such as 3.12"));
        }
        Ok(declaration)
    }

    /// Whether it can be asked for this.
    #[must_use]
    pub fn can(&self, operation: Operation) -> bool {
        self.operations.contains(&operation)
    }

    /// Whether it owes this.
    #[must_use]
    pub fn owes(&self, owed: Owed) -> bool {
        self.owes.contains(&owed)
    }

    /// How much memory it may take for so many bytes.
    pub(crate) fn memory_for(&self, length: usize) -> u64 {
        self.memory.saturating_mul(length as u64).max(MEMORY)
    }

    /// It as a reader of one Python, in the terms of the worker protocol.
    pub(crate) fn facts(&self, python: &str) -> Facts {
        let (major, minor) = version(python).unwrap_or_default();
        Facts {
            protocol: VERSION,
            driver: "adapter".into(),
            implementation: self.name.clone(),
            version: python.into(),
            version_info: (major, minor, 0, "final".into(), 0),
            implementation_version: self.version.clone(),
            magic: String::new(),
            marshal_version: 0,
            pointer_bits: 64,
            unicode_max: 0x10_ffff,
            debug: false,
            gil: true,
            free_threaded: false,
            executable: String::new(),
            prefix: String::new(),
            stdlib: String::new(),
            platform: "linux".into(),
            optimize: Vec::new(),
            build: format!("{} {} as a reader of {python}", self.name, self.version),
            interned_elsewhere: Vec::new(),
            quiets_nans: false,
        }
    }
}

fn version(python: &str) -> Option<(u8, u8)> {
    let (major, minor) = python.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The line that asks who it is.
pub(crate) fn hello() -> Vec<u8> {
    br#"{"op":"hello"}"#.to_vec()
}

/// The line of a request about one case. Adapters are asked nothing else.
pub(crate) fn encode(request: &Request, python: &str, id: u64) -> Vec<u8> {
    let (op, extra, data) = match request {
        Request::Load(Load { cases, versions, .. }) => {
            ("load", if versions.is_empty() { "" } else { r#","rewrite":true"# }, cases.first().map(Vec::as_slice))
        }
        Request::Import(files) => ("header", "", files.first().map(|Import { file, .. }| file.as_slice())),
        Request::Hello | Request::Compile(_) | Request::Disassemble(_) | Request::Execute(_) => return hello(),
    };
    let data = data.unwrap_or_default();
    let mut line = format!(r#"{{"id":{id},"op":"{op}","python":"{python}"{extra},"data":""#);
    line.reserve(2 * data.len() + 2);
    data.iter().for_each(|byte| write!(line, "{byte:02x}").expect("writing to a string cannot fail"));
    line.push_str("\"}");
    line.into_bytes()
}

/// Reads the answer to the request with this number, which asked for so many dumps.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn decode(line: &[u8], id: u64, dumps: usize) -> Result<Answer, String> {
    let shown = || String::from_utf8_lossy(&line[..line.len().min(80)]).into_owned();
    let text = std::str::from_utf8(line).map_err(|_| format!("a line that is not UTF-8: {:?}", shown()))?;
    let mut said: BTreeMap<String, &RawValue> =
        serde_json::from_str(text).map_err(|e| format!("a line that is no JSON object ({e}): {:?}", shown()))?;
    let answered: u64 = field(&mut said, "id")?.ok_or("an answer without the key id")?;
    if answered != id {
        return Err(format!("an answer to request {answered}, when {id} was asked"));
    }
    let class: Option<String> = field(&mut said, "class")?;
    let answer = if let Some(message) = field(&mut said, "error")? {
        Answer::Rejected(Exception { class: class.unwrap_or_else(|| "error".into()), message })
    } else if let Some(message) = field(&mut said, UNSUPPORTED)? {
        Answer::Rejected(Exception { class: UNSUPPORTED.into(), message })
    } else if let Some(message) = field(&mut said, PANIC)? {
        Answer::Rejected(Exception { class: PANIC.into(), message })
    } else if let Some(flags) = field(&mut said, "flags")? {
        Answer::Imported(flags)
    } else {
        let value = said.remove("value").map(|value| value.get().as_bytes().to_vec());
        let canon: Option<String> = field(&mut said, "canon")?;
        let value = value.or_else(|| canon.map(String::into_bytes));
        let value = value.ok_or("an answer with none of the keys value, canon, error, unsupported, panic, flags")?;
        let refused: Option<String> = field(&mut said, "rewrite_error")?;
        let rewritten = match field::<String>(&mut said, "rewritten")? {
            Some(text) => Some(Ok(unhex(&text).ok_or("its key rewritten is not hexadecimal")?)),
            None => refused.map(|message| Err(Exception { class: "error".into(), message })),
        };
        if dumps > 0 && rewritten.is_none() {
            return Err("an answer without the key rewritten, or rewrite_error, though that was asked".into());
        }
        Answer::Accepted(Loaded {
            consumed: field(&mut said, "consumed")?,
            canon: Ok(value),
            dumps: rewritten.into_iter().cycle().take(dumps).collect(),
        })
    };
    match said.keys().next() {
        Some(key) => Err(format!("an answer with the key {key}, which does not belong there")),
        None => Ok(answer),
    }
}

/// The value of a key, which is removed; `None` if it is not there.
fn field<'a, T: Deserialize<'a>>(said: &mut BTreeMap<String, &'a RawValue>, key: &str) -> Result<Option<T>, String> {
    let parse = |raw: &'a RawValue| serde_json::from_str(raw.get()).map_err(|e| format!("its key {key}: {e}"));
    said.remove(key).map(parse).transpose()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::CanonMode;

    #[test]
    fn requests_are_one_line() {
        let load = |versions| Load { canon: CanonMode::Text, consumed: true, versions, cases: vec![b"N\xff".to_vec()] };
        #[track_caller]
        fn check(request: &Request, expected: &str) {
            assert_eq!(String::from_utf8(encode(request, "3.11", 7)).unwrap(), expected);
        }
        check(&Request::Load(load(vec![])), r#"{"id":7,"op":"load","python":"3.11","data":"4eff"}"#);
        check(&Request::Load(load(vec![4])), r#"{"id":7,"op":"load","python":"3.11","rewrite":true,"data":"4eff"}"#);
        let file = Import { file: b"\0".to_vec(), source: None };
        check(&Request::Import(vec![file]), r#"{"id":7,"op":"header","python":"3.11","data":"00"}"#);
    }

    #[test]
    fn answers_are_what_they_say_and_nothing_else() {
        #[track_caller]
        fn check(line: &str, dumps: usize, expected: Result<Answer, &str>) {
            match (decode(line.as_bytes(), 7, dumps), expected) {
                (Ok(answer), Ok(expected)) => assert_eq!(answer, expected),
                (Err(e), Err(expected)) => assert!(e.contains(expected), "{e}"),
                (answer, expected) => panic!("{answer:?} is not {expected:?}"),
            }
        }
        let loaded = |consumed, canon: &str, dumps| {
            Ok(Answer::Accepted(Loaded { consumed, canon: Ok(canon.as_bytes().to_vec()), dumps }))
        };
        let rejected = |class: &str, message: &str| {
            Ok(Answer::Rejected(Exception { class: class.into(), message: message.into() }))
        };
        check(r#"{"id":7,"value":null}"#, 0, loaded(None, "null", vec![]));
        check(r#"{"id":7,"value":{"int":"5"},"consumed":5}"#, 0, loaded(Some(5), r#"{"int":"5"}"#, vec![]));
        check(r#"{"id":7,"canon":"none\n","rewritten":"4e"}"#, 1, loaded(None, "none\n", vec![Ok(b"N".to_vec())]));
        check(r#"{"id":7,"error":"no","class":"ValueError"}"#, 0, rejected("ValueError", "no"));
        check(r#"{"id":7,"unsupported":"'x'"}"#, 0, rejected(UNSUPPORTED, "'x'"));
        check(r#"{"id":7,"panic":"oh"}"#, 0, rejected(PANIC, "oh"));
        check(r#"{"id":7,"flags":3}"#, 0, Ok(Answer::Imported(3)));
        check(r#"{"id":8,"value":null}"#, 0, Err("an answer to request 8, when 7 was asked"));
        check(r#"{"value":null}"#, 0, Err("without the key id"));
        check(r#"{"id":7}"#, 0, Err("with none of the keys"));
        check(r#"{"id":7,"value":null,"valeu":1}"#, 0, Err("the key valeu"));
        check(r#"{"id":7,"value":null}"#, 1, Err("without the key rewritten"));
        check(r#"{"id":7,"value":null,"rewritten":"4"}"#, 1, Err("not hexadecimal"));
        check("Hello, world!", 0, Err("no JSON object"));
        check("[]", 0, Err("no JSON object"));
    }

    #[test]
    fn declarations_are_checked() {
        #[track_caller]
        fn check(line: &str, expected: Result<(), &str>) {
            match (Declaration::read(line.as_bytes()), expected) {
                (Ok(_), Ok(())) => {}
                (Err(e), Err(expected)) => assert!(e.contains(expected), "{e}"),
                (declaration, _) => panic!("{line}: {declaration:?}"),
            }
        }
        let line = r#"{"exec":1,"name":"mine","version":"0.1","pythons":["3.11"]}"#;
        check(line, Ok(()));
        check(&line.replace(r#""exec":1"#, r#""exec":9"#), Err("version 9"));
        check(&line.replace("mine", "cpython"), Err("is taken"));
        check(&line.replace("mine", "My Reader"), Err("other characters"));
        check(&line.replace(r#"["3.11"]"#, "[]"), Err("no Python"));
        check(&line.replace("3.11", "three"), Err("no version"));
        check(&line.replace("version", "versoin"), Err("unknown field"));
        check(&line.replace("}", r#","operations":["rewrite"]}"#), Err("not the operation load"));
    }
}
