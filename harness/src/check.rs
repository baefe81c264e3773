//! What pyc-core says of one file, without any Python.
//!
//! Whoever checks a file has one that something choked on. So the answer to garbage is as careful as the answer to a good
//! file: what it is, at which byte it goes wrong, what Python would say there, and what to do.

use crate::case::{hex, sha256_hex};
use crate::observation::{Accepted, Canon, Dump, Fault, Observation};
use crate::subjects::core::{Core, guard};
use pyc_core::Pyc;
use pyc_core::pyc::{Header, PycError};
use serde::Serialize;
use std::fmt::{self, Write};

/// How much of the canon is shown to people, in lines; JSON has all of it.
const CANON_LINES: usize = 40;

/// The answer for one file.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Whether it loads.
    pub ok: bool,
    /// Length in bytes.
    pub length: usize,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// The Python that is meant: from the magic number, or as asked for.
    pub python: Option<String>,
    /// The .pyc header; none for a marshal stream without one.
    pub header: Option<HeaderReport>,
    /// What is wrong, if something is.
    pub problem: Option<Problem>,
    /// The value, if there is one.
    pub value: Option<Value>,
}

/// A .pyc header.
#[derive(Debug, Clone, Serialize)]
pub struct HeaderReport {
    /// The magic number.
    pub magic: u16,
    /// Length in bytes.
    pub length: usize,
    /// Its other fields in words.
    pub fields: String,
    /// What is odd about it.
    pub warning: Option<String>,
}

/// What is wrong with a file.
#[derive(Debug, Clone, Serialize)]
pub struct Problem {
    /// Byte offset in the file.
    pub offset: usize,
    /// What is wrong there.
    pub what: String,
    /// The exception that `marshal.loads` of that Python raises.
    pub exception: Option<String>,
    /// What to do about it.
    pub advice: String,
    /// The bytes around the offset, as a dump.
    pub context: String,
}

/// A value that was loaded.
#[derive(Debug, Clone, Serialize)]
pub struct Value {
    /// Bytes of the stream that it takes.
    pub consumed: u64,
    /// Bytes of the file behind it, which Python ignores.
    pub trailing: u64,
    /// The canon (corpus/CANON.md); none where looking at the value is undefined.
    pub canon: Option<String>,
    /// Whether pyc-core writes the same bytes again.
    pub preserved: bool,
    /// What `marshal.dumps` makes of it, by marshal version.
    pub dumps: Vec<DumpReport>,
}

/// A predicted dump.
#[derive(Debug, Clone, Serialize)]
pub struct DumpReport {
    /// The marshal version.
    pub version: u8,
    /// What comes out, in words.
    pub outcome: String,
    /// The bytes in hexadecimal.
    pub hex: Option<String>,
    /// Whether the bytes are those of the file.
    pub same: bool,
}

/// Looks at the bytes of a file. `python` is the version that is meant ("3.12"): needed for streams without a header, and
/// overrides the magic number of those with one. Never panics, whatever the bytes are.
///
/// # Errors
/// When `python` is no version that pyc-core knows.
pub fn check(bytes: &[u8], python: Option<&str>) -> Result<Report, String> {
    let asked = python.map(Core::named).transpose()?;
    let mut report = Report {
        ok: false,
        length: bytes.len(),
        sha256: sha256_hex(bytes),
        python: asked.as_ref().map(|core| core.profile().version.to_string()),
        header: None,
        problem: None,
        value: None,
    };
    let parsed = guard(|| Pyc::parse(bytes)).map_err(|panic| panicked(&panic));
    let (core, start) = match (parsed, asked) {
        (Err(what), _) => {
            report.problem = Some(problem(bytes, 0, what, None, "report it with the file: this is a bug".into()));
            return Ok(report);
        }
        (Ok(Ok(pyc)), asked) => {
            let from_magic = Core::named(&pyc.profile().version.to_string())?;
            report.header = Some(header(&pyc));
            report.python.get_or_insert(pyc.profile().version.to_string());
            (asked.unwrap_or(from_magic), pyc.payload_offset())
        }
        (Ok(Err(PycError::Empty)), _) => {
            let advice = "delete it: Python writes it again when it imports the source".into();
            report.problem = Some(problem(bytes, 0, PycError::Empty.to_string(), None, advice));
            return Ok(report);
        }
        (Ok(Err(_)), Some(core)) => (core, 0),
        (Ok(Err(e)), None) => {
            report.problem = Some(problem(bytes, e.offset(), e.to_string(), None, advice(&e)));
            return Ok(report);
        }
    };
    look(&mut report, &core, bytes, start);
    Ok(report)
}

/// Fills in what the stream that starts at `start` holds.
fn look(report: &mut Report, core: &Core, bytes: &[u8], start: usize) {
    let stream = &bytes[start.min(bytes.len())..];
    let prediction = core.predict(stream);
    let error = || guard(|| pyc_core::read(stream, core.profile()).err()).ok().flatten();
    match prediction.observation {
        Observation::Accepted(Accepted { consumed, canon, dumps }) => {
            let consumed = consumed.unwrap_or_default();
            let length = usize::try_from(consumed).unwrap_or(usize::MAX).min(stream.len());
            let preserved = matches!(&prediction.rewritten, Some(Ok(again)) if *again == stream[..length]);
            let undefined = match &canon {
                Canon::Undefined(cause) => Some(cause.clone()),
                _ => None,
            };
            report.ok = undefined.is_none() && preserved;
            report.problem = match undefined {
                Some(cause) => {
                    let what = format!("it loads, but Python crashes when it looks at the value: {cause}");
                    Some(problem(bytes, start, what, None, "do not load this file".into()))
                }
                None if !preserved => {
                    let advice = "report it with the file: this is a bug".into();
                    Some(problem(bytes, start, "pyc-core does not write the same bytes again".into(), None, advice))
                }
                None => None,
            };
            report.value = Some(Value {
                consumed,
                trailing: stream.len() as u64 - length as u64,
                canon: match canon {
                    Canon::Text(text) | Canon::Varies(_, text) => Some(text),
                    _ => None,
                },
                preserved,
                dumps: dumps.into_iter().map(|(version, dump)| describe(version, dump, &stream[..length])).collect(),
            });
        }
        Observation::Rejected(exception) => {
            let error = error();
            let offset = start + error.as_ref().map_or(0, |e| e.offset);
            let what = error.map_or_else(String::new, |e| without_offset(&e.to_string()));
            let exception = format!("{}: {}", exception.class, exception.message);
            let version = core.profile().version;
            let advice = if offset >= bytes.len() {
                "it is cut short: get a whole copy, or delete it so that Python writes it again".to_owned()
            } else {
                format!("it is damaged, or was not written by Python {version}: try another --as, or make it anew")
            };
            report.problem = Some(problem(bytes, offset, what, Some(exception), advice));
        }
        Observation::Undefined(cause) => {
            let error = error();
            let offset = start + error.as_ref().map_or(0, |e| e.offset);
            let what = error.map_or(cause, |e| without_offset(&e.to_string()));
            report.problem = Some(problem(bytes, offset, what, None, "do not load this file".into()));
        }
        Observation::Faulted(Fault::Panic(message)) => {
            let advice = "report it with the file: this is a bug".into();
            report.problem = Some(problem(bytes, start, panicked(&message), None, advice));
        }
        other @ (Observation::Skipped(_) | Observation::Faulted(_)) => {
            report.problem = Some(problem(bytes, start, other.to_string(), None, "try again".into()));
        }
    }
}

fn panicked(message: &str) -> String {
    format!("pyc-core panicked: {message}")
}

/// The offset of the stream would be another one than that of the file, which is shown.
fn without_offset(message: &str) -> String {
    message.split(" (at offset").next().unwrap_or(message).to_owned()
}

fn advice(error: &PycError) -> String {
    match error {
        PycError::Empty | PycError::Truncated { .. } => {
            "it is cut short: get a whole copy, or delete it so that Python writes it again"
        }
        PycError::Headerless { .. } => "say which Python wrote the stream: --as X.Y, for example --as 3.12",
        PycError::UnknownFormat { .. } => {
            "use a newer Provost, or name a Python with the same format: --as X.Y takes the file as a bare stream"
        }
        PycError::NotPyc { .. } => "if it is a marshal stream without a header, say which Python wrote it: --as X.Y",
    }
    .into()
}

fn header(pyc: &Pyc) -> HeaderReport {
    let fields = match pyc.header {
        Header::Mtime { mtime } => format!("source changed at {}", moment(mtime)),
        Header::MtimeSize { mtime, size, .. } => format!("source changed at {}, {size} bytes", moment(mtime)),
        header @ Header::Hash { hash, .. } => {
            let checked = if header.checks_source() { "checked" } else { "unchecked" };
            format!("hash of the source {} ({checked})", hex(&hash))
        }
    };
    let flags = |flags| format!("flags {flags:#x}: Python refuses to import it (invalid flags)");
    let magic = pyc.profile().magic;
    HeaderReport { magic, length: pyc.payload_offset(), fields, warning: pyc.invalid_flags().map(flags) }
}

fn moment(mtime: u32) -> String {
    let since = std::time::Duration::from_secs(u64::from(mtime));
    crate::record::rfc3339(std::time::UNIX_EPOCH + since)
}

fn describe(version: u8, dump: Dump, stream: &[u8]) -> DumpReport {
    let (outcome, bytes) = match dump {
        Dump::Bytes { bytes, unpredictable: None, .. } => (format!("{} bytes", bytes.len()), Some(bytes)),
        Dump::Bytes { bytes, unpredictable: Some(aspect), .. } => {
            (format!("{} bytes, one of several possible forms ({aspect})", bytes.len()), Some(bytes))
        }
        Dump::Raises(e) => (format!("{}: {}", e.class, e.message), None),
        Dump::Undefined(cause) => (format!("undefined in that Python ({cause}), not compared"), None),
        Dump::Slow { reason, bytes } => {
            let what = bytes.as_ref().map_or(String::new(), |bytes| format!(": {} bytes", bytes.len()));
            (format!("slow in that Python ({reason}), not compared{what}"), bytes)
        }
    };
    DumpReport { version, outcome, same: bytes.as_deref() == Some(stream), hex: bytes.map(|bytes| hex(&bytes)) }
}

fn problem(bytes: &[u8], offset: usize, what: String, exception: Option<String>, advice: String) -> Problem {
    Problem { offset, what, exception, advice, context: context(bytes, offset) }
}

/// Three lines of sixteen bytes with a mark under the one at fault.
fn context(bytes: &[u8], offset: usize) -> String {
    let first = (offset / 16).saturating_sub(1) * 16;
    let mut text = String::new();
    for start in (first..first + 48).step_by(16) {
        let line = &bytes[start.min(bytes.len())..bytes.len().min(start + 16)];
        let at_fault = (start..start + 16).contains(&offset);
        if line.is_empty() && !at_fault {
            continue;
        }
        write_line(&mut text, start, line);
        if at_fault {
            let column = 10 + 3 * (offset - start);
            let what = if offset < bytes.len() { "here" } else { "the file ends here" };
            writeln!(text, "{:column$}^^ {what}", "").expect("writing to a string cannot fail");
        }
    }
    text
}

fn write_line(text: &mut String, start: usize, line: &[u8]) {
    let digits: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
    let shown: String = line.iter().map(|&b| if (32..127).contains(&b) { char::from(b) } else { '.' }).collect();
    writeln!(text, "{start:08x}  {:<47}  {shown}", digits.join(" ")).expect("writing to a string cannot fail");
}

/// All bytes, sixteen in a line.
#[must_use]
pub fn hex_dump(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (index, line) in bytes.chunks(16).enumerate() {
        write_line(&mut text, index * 16, line);
    }
    text
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(header) = &self.header {
            writeln!(f, "  header    magic {}, {} bytes, {}", header.magic, header.length, header.fields)?;
            if let Some(warning) = &header.warning {
                writeln!(f, "  warning   {warning}")?;
            }
        }
        if let Some(python) = &self.python {
            writeln!(f, "  python    {python}")?;
        }
        if let Some(value) = &self.value {
            let trailing = match value.trailing {
                0 => String::new(),
                n => format!(", {n} more behind it, which Python ignores"),
            };
            writeln!(f, "  loads     {} bytes{trailing}", value.consumed)?;
            let preserved = if value.preserved { "the same bytes" } else { "OTHER BYTES" };
            writeln!(f, "  rewritten {preserved}")?;
            for dump in &value.dumps {
                let same = if dump.same { ", the same as in the file" } else { "" };
                writeln!(f, "  dumps {}   {}{same}", dump.version, dump.outcome)?;
            }
            if let Some(canon) = &value.canon {
                let lines = canon.lines().count();
                writeln!(f, "  canon     {lines} lines")?;
                canon
                    .lines()
                    .take(CANON_LINES)
                    .try_for_each(|line| writeln!(f, "    {}", crate::repro::excerpt(line)))?;
                if lines > CANON_LINES {
                    writeln!(f, "    ... ({} more; --json has all of them)", lines - CANON_LINES)?;
                }
            }
        }
        if let Some(problem) = &self.problem {
            writeln!(f, "  error     {} (at byte {:#x} of the file)", problem.what, problem.offset)?;
            if let Some(exception) = &problem.exception {
                writeln!(f, "  Python    raises {exception}")?;
            }
            problem.context.lines().try_for_each(|line| writeln!(f, "    {line}"))?;
            writeln!(f, "  do        {}", problem.advice)?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
