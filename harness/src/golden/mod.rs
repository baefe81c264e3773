//! The golden corpus: what real interpreters answered, kept as text.
//!
//! Whether a reader is right can be asked of an interpreter, but not everybody has thirteen of them, and a test that
//! needs them is not run after every change. So their answers to some thousands of small streams are checked in
//! (`corpus/golden`, which documents the format), and the test of a reader is a comparison with a file. An answer is
//! kept only if the interpreter really gave it, twice, in two processes with different histories.
//!
//! Most streams say nothing that another one has not said. [`Novelty`] takes, shortest first, those in which something
//! happens that did not happen before: a message, a type inside another one, a flag in a dump. What most versions do in the
//! same way is asked of a few of them.

mod ask;

pub use ask::{Outcome, ask};

use crate::case::hex;
use crate::observation::{Accepted, Canon, Dump, Observation};
use crate::oracle::mask;
use anyhow::{Context, Result, ensure};
use protocol::{Exception, Facts};
use pyc_core::model::{self, Loaded};
use pyc_core::{Graph, NodeId, Profile, Value, Version, read};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::fmt::Write;
use std::ops::RangeInclusive;
use std::path::Path;

/// Texts and dumps longer than this, as they are written, are kept as a hash.
const LONGEST: usize = 400;

/// A thing that can happen in every version is looked at in every n-th one. Which one depends on nothing but its name, so
/// that a corpus does not change with the interpreters that happen to be there.
const TURNS: u8 = 8;

/// The first line of a file: what a reader needs to know of the interpreter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The version of this format.
    pub golden: u32,
    /// `cpython`
    pub implementation: String,
    /// `3.12.1`
    pub version: String,
    /// `sys.platform`
    pub platform: String,
    /// `marshal.version`: dumps are given for 0 to this.
    pub marshal_version: u8,
    /// 64 or 32.
    pub pointer_bits: u8,
    /// The deepest nesting that the interpreter reads and writes, in objects.
    pub max_depth: u32,
    /// The characters whose interned string is not the cached one (interpreters/PROTOCOL.md).
    pub interned_elsewhere: Vec<u8>,
    /// Whether NaNs become quiet when they are loaded; not written where they do not. So are the two that follow.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub quiets_nans: bool,
    /// Whether it is a debug build, which dies of its assertions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub debug: bool,
    /// Whether it is a free-threaded build, which shares constants otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub free_threaded: bool,
}

/// One stream and the interpreter's answer: one of `rejected`, `undefined` and `canon`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The bytes ([`shorten`]).
    pub stream: String,
    /// Class and message of the exception.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<(String, String)>,
    /// Why there is no answer: the interpreter crashes, hangs or corrupts its memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undefined: Option<String>,
    /// What it was seen to die of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub died: Option<String>,
    /// Length of the first object in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumed: Option<u64>,
    /// The value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canon: Option<Text>,
    /// `marshal.dumps(value, v)` for each marshal version v.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dumps: Vec<Dumped>,
    /// The versions whose dump the interpreter itself reads as another value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loses: Vec<u8>,
    /// Where the stream came from.
    pub from: String,
}

/// A text, or its SHA-256 where it is long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Text {
    /// The hash.
    Sha256(String),
    /// The text itself.
    #[serde(untagged)]
    Text(String),
}

/// A dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dumped {
    /// An exception.
    Raises(String, String),
    /// No answer, as for a stream.
    Undefined(String),
    /// It would take the interpreter a second or much longer, so it was not asked: why.
    Slow(String),
    /// The bytes depend on more than the value: on what.
    Varies(String),
    /// The hash of bytes that are many.
    Sha256(String),
    /// The bytes, or `=`: the same as at the version before.
    #[serde(untagged)]
    Bytes(String),
}

/// Writes bytes as hexadecimal words, in which `*` repeats: `5b01000000*1999 4e`.
#[must_use]
pub fn shorten(bytes: &[u8]) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut plain = 0;
    let mut at = 0;
    while at < bytes.len() {
        let repeats = |width: usize| {
            let unit = bytes.get(at..at + width)?;
            let times = bytes[at..].chunks_exact(width).take_while(|chunk| *chunk == unit).count();
            (times > 3 && times * width >= 20).then_some((times * width, width))
        };
        let Some((length, width)) = (1..=12).filter_map(repeats).max_by_key(|(length, width)| (*length, 12 - width))
        else {
            at += 1;
            continue;
        };
        words.extend((plain < at).then(|| hex(&bytes[plain..at])));
        words.push(format!("{}*{}", hex(&bytes[at..at + width]), length / width));
        at += length;
        plain = at;
    }
    words.extend((plain < at).then(|| hex(&bytes[plain..])));
    words.join(" ")
}

/// The bytes that [`shorten`] wrote; `None` if it did not.
#[must_use]
pub fn lengthen(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let (digits, times) = word.split_once('*').unwrap_or((word, "1"));
        let unit: Option<Vec<u8>> =
            (0..digits.len()).step_by(2).map(|i| u8::from_str_radix(digits.get(i..i + 2)?, 16).ok()).collect();
        bytes.extend(unit?.repeat(times.parse().ok()?));
    }
    Some(bytes)
}

impl Head {
    /// What is written of an interpreter.
    #[must_use]
    pub fn of(facts: &Facts, profile: &Profile) -> Head {
        Head {
            golden: 1,
            implementation: facts.implementation.clone(),
            version: facts.version.clone(),
            platform: facts.platform.clone(),
            marshal_version: facts.marshal_version,
            pointer_bits: facts.pointer_bits,
            max_depth: profile.max_depth,
            interned_elsewhere: facts.interned_elsewhere.clone(),
            quiets_nans: profile.quiets_nans,
            debug: profile.debug,
            free_threaded: profile.free_threaded,
        }
    }
}

impl Entry {
    /// What is kept of an answer that the model predicted: from the interpreter what it said, from the model only what
    /// cannot be said. `lost` are the versions whose dump came back as another value.
    #[must_use]
    pub fn of(stream: &[u8], from: String, predicted: &Observation, observed: &Observation, lost: Vec<u8>) -> Entry {
        let mut entry = Entry {
            stream: shorten(stream),
            rejected: None,
            undefined: None,
            died: None,
            consumed: None,
            canon: None,
            dumps: Vec::new(),
            loses: lost,
            from,
        };
        match (predicted, observed) {
            (Observation::Undefined(cause), _) => {
                entry.undefined = Some(cause.clone());
                if let Observation::Faulted(fault) = observed {
                    entry.died = fault.environment().is_none().then(|| fault.kind());
                }
            }
            (_, Observation::Rejected(e)) => entry.rejected = Some(text_of(e)),
            (Observation::Accepted(expected), Observation::Accepted(Accepted { consumed, canon, dumps })) => {
                entry.consumed = *consumed;
                entry.canon = match canon {
                    Canon::Text(text) if text.len() <= LONGEST => Some(Text::Text(text.clone())),
                    Canon::Text(text) => Some(Text::Sha256(hex(&Sha256::digest(text)))),
                    _ => None,
                };
                let mut last = None;
                for (version, expected) in &expected.dumps {
                    let real = dumps.iter().find(|(v, _)| v == version).map(|(_, dump)| dump);
                    let dump = dumped(expected, real);
                    let same = matches!(dump, Dumped::Bytes(_) | Dumped::Sha256(_)) && last.as_ref() == Some(&dump);
                    entry.dumps.push(if same { Dumped::Bytes("=".into()) } else { dump.clone() });
                    last = Some(dump);
                }
            }
            _ => {}
        }
        entry
    }

    /// The stream's bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        lengthen(&self.stream).unwrap_or_default()
    }
}

fn text_of(exception: &Exception) -> (String, String) {
    let (class, message) = mask(exception);
    (class.into(), message.into())
}

fn dumped(predicted: &Dump, real: Option<&Dump>) -> Dumped {
    match (predicted, real) {
        (Dump::Undefined(cause), _) => Dumped::Undefined(cause.clone()),
        (Dump::Slow { reason, .. }, _) => Dumped::Slow(reason.clone()),
        (_, Some(Dump::Raises(e))) => {
            let (class, message) = text_of(e);
            Dumped::Raises(class, message)
        }
        (Dump::Bytes { unpredictable: Some(aspect), .. }, _) => Dumped::Varies(aspect.clone()),
        (_, Some(Dump::Bytes { bytes, .. })) => {
            let text = shorten(bytes);
            if text.len() <= LONGEST { Dumped::Bytes(text) } else { Dumped::Sha256(hex(&Sha256::digest(bytes))) }
        }
        _ => Dumped::Undefined("not asked".into()),
    }
}

/// A whole file, shortest stream first, so that a new one moves no other line.
///
/// # Errors
/// When something cannot be written as JSON.
pub fn print(head: &Head, entries: &mut [Entry]) -> Result<String> {
    entries.sort_by_cached_key(|entry| {
        let bytes = entry.bytes();
        (bytes.len(), bytes)
    });
    let mut text = serde_json::to_string(head)?;
    text.push('\n');
    for entry in entries {
        writeln!(text, "{}", serde_json::to_string(entry)?)?;
    }
    Ok(text)
}

/// Reads a file of the golden corpus.
///
/// # Errors
/// When it cannot be read or is not one.
pub fn open(path: &Path) -> Result<(Head, Vec<Entry>)> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let parse = || -> Result<(Head, Vec<Entry>)> {
        let mut lines = text.lines();
        let head: Head = serde_json::from_str(lines.next().unwrap_or_default())?;
        ensure!(head.golden == 1, "its format is {}, not 1", head.golden);
        let entries = lines.map(serde_json::from_str).collect::<Result<Vec<Entry>, _>>()?;
        Ok((head, entries))
    };
    parse().with_context(|| format!("{} is not a file of the golden corpus", path.display()))
}

/// A line of `corpus/golden/by-hand.txt`: `3.6..3.10 4e What there is to see`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByHand {
    /// Who is asked.
    pub versions: RangeInclusive<Version>,
    /// The stream.
    pub bytes: Vec<u8>,
    /// What there is to see.
    pub what: String,
}

impl ByHand {
    /// Reads a line.
    #[must_use]
    pub fn parse(line: &str) -> Option<ByHand> {
        let mut words = line.splitn(3, ' ');
        let version = |text: &str| {
            let (major, minor) = text.split_once('.')?;
            Some(Version::new(major.parse().ok()?, minor.parse().ok()?))
        };
        let (first, last) = words.next()?.split_once("..")?;
        let bytes = lengthen(words.next()?)?;
        Some(ByHand { versions: version(first)?..=version(last)?, bytes, what: words.next()?.into() })
    }
}

/// What has happened in the streams that were taken, for one interpreter.
#[derive(Debug, Default)]
pub struct Novelty {
    seen: HashSet<String>,
}

impl Novelty {
    /// Whether something happens in this stream that has not happened before; remembers it.
    pub fn is_new(&mut self, stream: &[u8], profile: &Profile) -> bool {
        let mut new = false;
        let turn = profile.version.minor % TURNS;
        // Exceptions differ from version to version; slices, frozendicts and 2.7 have no other version to be seen in.
        let own = |what: &str| {
            what.starts_with("error ")
                || !what.starts_with("dump") && (what.contains([':', '}']) || profile.is_python2())
        };
        let mut happens = |what: String| {
            let name = what.bytes().fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
            new |= (own(&what) || name % TURNS == turn) && self.seen.insert(what);
        };
        let graph = match read(stream, profile) {
            Ok(graph) => graph,
            Err(error) => {
                // Where a text is wrong matters, but not to the byte.
                let message = error.exception(profile).to_string();
                let place = stream.get(error.offset).copied();
                let short: String = message.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect();
                happens(format!("error {short}"));
                happens(format!("place {:?} {place:x?}", std::mem::discriminant(&error.kind)));
                return new;
            }
        };
        shape(&graph, "", &mut happens);
        let loaded = Loaded::new(&graph, profile);
        if let Some(cause) = loaded.hazard() {
            happens(format!("hazard {}", cause.name()));
            return new;
        }
        let canon = loaded.canon();
        let kinds: Vec<&str> = canon.lines().map(|line| line.rsplit('=').next().unwrap_or_default()).collect();
        for pair in kinds.windows(2) {
            let kind = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
            happens(format!("canon {} {}", kind(pair[0]), kind(pair[1])));
        }
        let mut before: Option<model::Dump> = None;
        for version in 0..=profile.marshal_version {
            let dump = loaded.dump(version);
            match &dump {
                model::Dump::Bytes { bytes, unpredictable } => {
                    if let Some(aspect) = unpredictable {
                        happens(format!("dump {version} {}", aspect.name()));
                    }
                    if let Some(loss) = loaded.loss(version) {
                        happens(format!("dump {version} loses {}", loss.name()));
                    }
                    if before.as_ref() != Some(&dump)
                        && let Ok(again) = read(bytes, profile)
                    {
                        shape(&again, &format!("dump {version} "), &mut happens);
                    }
                }
                model::Dump::Raises(e) => happens(format!("dump {version} {e}")),
                model::Dump::Undefined(cause) => happens(format!("dump {version} {}", cause.name())),
                model::Dump::Slow(slow) => happens(format!("dump {version} slow {}", slow.name())),
            }
            before = Some(dump);
        }
        new
    }
}

/// What there is in a graph: every type in every other one, flagged or not, and its size or kind.
fn shape(graph: &Graph, place: &str, happens: &mut dyn FnMut(String)) {
    let byte = |id: NodeId| char::from(graph.type_byte(id));
    for id in graph.ids() {
        let flag = if graph.is_flagged(id) { "!" } else { "" };
        let code = byte(id);
        let value = graph.value(id);
        happens(format!("{place}{code}{flag}{}", size(graph, value)));
        let inside = |children: &[NodeId], period: usize| -> Vec<String> {
            let each = children.iter().enumerate();
            each.map(|(i, &child)| {
                let flag = if graph.is_flagged(child) { "!" } else { "" };
                format!("{place}{code}{} {}{flag}", i % period, byte(child))
            })
            .collect()
        };
        let found = match value {
            Value::Tuple(items) | Value::List(items) | Value::Set(items) | Value::FrozenSet(items) => inside(items, 1),
            Value::Dict(items) | Value::FrozenDict(items) => inside(items, 2),
            Value::Slice(items) => inside(items, 3),
            Value::Ref(target) => vec![format!("{place}{code} to {}", byte(target))],
            Value::Code(code) => inside(&code.objects().map(|(_, id)| id).collect::<Vec<_>>(), usize::MAX),
            _ => Vec::new(),
        };
        found.into_iter().for_each(&mut *happens);
    }
}

/// The size or kind of a value, as coarse as it matters.
fn size(graph: &Graph, value: Value) -> String {
    let length = |n: usize| match n {
        0..=3 => n.to_string(),
        4..255 => "some".into(),
        255 | 256 => n.to_string(),
        _ => "many".to_owned(),
    };
    let small = |value: i64| match value {
        i64::MIN..-0x8000_0000 | 0x8000_0000.. => "large",
        -5 | -6 | 256 | 257 | 1024 | 1025 => "limit",
        -4..256 => "small",
        _ => "middle",
    };
    let float = |bits: u64| {
        let value = f64::from_bits(bits);
        let whole = if value.fract() == 0.0 { "whole" } else { "" };
        format!("{:?}{whole}{}{}", value.classify(), value.is_sign_negative(), (bits >> 52 & 0x7FF) / 32)
    };
    match value {
        Value::Int(value) => small(value.into()).into(),
        Value::Int64(value) => small(value).into(),
        Value::Long(long) => format!("{}{}{:?}", length(long.digits().len()), long.negative, long.to_i64().map(small)),
        Value::Float(bits) => float(bits),
        Value::Complex(real, imaginary) => format!("{} {}", float(real).len(), float(imaginary).len()),
        Value::FloatText(text) => length(text.len()),
        Value::Bytes(bytes) | Value::InternedBytes(bytes) => length(bytes.len()),
        Value::Str(text) => {
            let highest = text.code_points().max().unwrap_or(0);
            format!("{} {}", length(text.bytes.len()), u32::BITS - highest.leading_zeros())
        }
        Value::Tuple(items) | Value::List(items) | Value::Set(items) | Value::FrozenSet(items) => length(items.len()),
        Value::Dict(items) | Value::FrozenDict(items) => length(items.len() / 2),
        Value::Ref(target) => format!("{}", graph.type_byte(target)),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_from_their_short_form() {
        #[track_caller]
        fn check(bytes: &[u8], short: &str) {
            assert_eq!(shorten(bytes), short);
            assert_eq!(lengthen(short).as_deref(), Some(bytes));
        }
        check(b"", "");
        check(b"N", "4e");
        check(&[&b"[\x01\0\0\0".repeat(1999)[..], b"N"].concat(), "5b01000000*1999 4e");
        check(&[b"s\xff", &[7; 255][..]].concat(), "73ff 07*255");
        check(&[7; 12], "070707070707070707070707");
        for bad in ["4", "4g", "4e*", "4e*x", "é"] {
            assert_eq!(lengthen(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_happened_before_is_not_new() {
        let profile = Profile::all().next().unwrap();
        let mut novelty = Novelty::default();
        for (stream, expected) in [
            (&b"N"[..], true),
            (b"N", false),
            (b"[\x01\0\0\0N", true),
            (b"[\x01\0\0\0T", true),
            (b"[\x02\0\0\0TN", true),
            (b"[\x02\0\0\0TN trailing", false),
            (b"?", true),
            (b"?", false),
        ] {
            assert_eq!(novelty.is_new(stream, profile), expected, "{stream:x?}");
        }
    }
}
