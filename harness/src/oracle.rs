//! Oracles: pure functions from observations to verdicts. They do no I/O and read neither clock nor environment.
//!
//! Eight relations are owed, each for a reason of its own:
//!
//! * **model**: under an interpreter's own profile pyc-core must predict that interpreter: acceptance, exception class and
//!   message, bytes consumed, canon, and each dump's bytes. The profile is a specification that runs; a difference is a
//!   mistake in it, or in the interpreter.
//! * **preserve**: `write(read(b))` is the consumed prefix of `b`. The graph keeps every choice that the stream made, so
//!   nothing may get lost.
//! * **reread**: what an interpreter dumps reads back to the same canon, as far as that format version can say it.
//! * **[value]**: an interpreter that is not CPython builds the same value of what CPython accepts.
//! * **[reader]**: a reader of somebody else does what it declares to do.
//! * **[header]**: the core says of a .pyc file's header what the interpreter's import says of it.
//! * **[safe]**: what the verifier passes does not end the process that executes it.
//! * **[bytecode]**: the core says of the instructions of a code object what `dis` and the code object itself say; and it puts
//!   together what it takes apart.
//!
//! What the surroundings decide (memory, time, kills, the size of a pointer) is *inconclusive*: neither agreement nor
//! divergence. Where the model says that an interpreter's behaviour is undefined, nothing can be compared: *refused*.

mod bytecode;
mod header;
mod reader;
mod safe;
mod tree;
mod value;

pub use bytecode::{bytecode, reassembled};
pub use header::header;
pub use reader::{Came, reader};
pub use safe::{assertion, safe};
pub use value::value;

use crate::canon::{Difference, first_difference};
use crate::case::hex;
use crate::observation::{Accepted, Canon, Dump, Observation};
use protocol::Exception;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// What two subjects owe each other on a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Relation {
    /// The core predicts the interpreter.
    Model,
    /// The core writes what it read.
    Preserve,
    /// A dump reads back to the same canon.
    Reread,
    /// Another implementation builds the same value.
    Value,
    /// A reader of somebody else does what it declares.
    Reader,
    /// The core says of a .pyc file's header what an import says, and writes it back.
    Header,
    /// What the verifier passes does not end the process that executes it.
    Safe,
    /// The core says of instructions what the interpreter says, and puts together what it takes apart.
    Bytecode,
    /// The core keeps what it owes to itself on any bytes: [`properties`](crate::properties).
    Property,
}

/// What makes two divergences the same finding. No hashes and no message texts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Signature {
    /// The relation that does not hold.
    pub relation: Relation,
    /// The other subject without its version: `cpython`, `pypy`; `core` where the core was asked alone.
    pub family: String,
    /// The outcome class of the core.
    pub core: String,
    /// The outcome class of the subject.
    pub subject: String,
    /// What differs first: `outcome`, `message`, `consumed`, `canon.flags:int`, `dump[4].flag` ...
    pub path: String,
}

/// A relation that does not hold on a case, with both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// Which finding this belongs to.
    pub signature: Signature,
    /// Where exactly, with indexes.
    pub at: String,
    /// What the core says there.
    pub core: String,
    /// What the subject says there.
    pub subject: String,
    /// The marshal version of the dump that it is about.
    pub dump: Option<u8>,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Divergence { signature, at, core, subject, .. } = self;
        write!(f, "{signature} (at {at})\n  core:    {core}\n  subject: {subject}")
    }
}

/// What an oracle says of one relation on one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The relation holds.
    Agree,
    /// The model says that the interpreter's behaviour is undefined here; the text names the cause.
    Refused(String),
    /// Nothing can be said, and why.
    Inconclusive(String),
    /// The relation does not hold.
    Diverge(Box<Divergence>),
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Relation::Model => "model",
            Relation::Preserve => "preserve",
            Relation::Reread => "reread",
            Relation::Value => "value",
            Relation::Reader => "reader",
            Relation::Header => "header",
            Relation::Safe => "safe",
            Relation::Bytecode => "bytecode",
            Relation::Property => "property",
        })
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Signature { relation, family, core, subject, path } = self;
        write!(f, "{relation} at {path}: core {core}, {family} {subject}")
    }
}

/// The two sides of a relation: their names and outcome classes.
#[derive(Clone)]
struct Sides<'a> {
    relation: Relation,
    family: &'a str,
    core: String,
    subject: String,
    /// The dump that is compared.
    dump: Option<u8>,
}

impl Sides<'_> {
    fn diverge(
        &self,
        path: &str,
        at: impl Into<String>,
        core: impl fmt::Display,
        subject: impl fmt::Display,
    ) -> Verdict {
        let signature = Signature {
            relation: self.relation,
            family: self.family.into(),
            core: self.core.clone(),
            subject: self.subject.clone(),
            path: path.into(),
        };
        let (core, subject) = (core.to_string(), subject.to_string());
        Verdict::Diverge(Box::new(Divergence { signature, at: at.into(), core, subject, dump: self.dump }))
    }
}

/// The verdict where one side gave no answer, for the relations between a prediction and a subject.
fn unanswered(predicted: &Observation, observed: &Observation, outcome: impl FnOnce() -> Verdict) -> Option<Verdict> {
    Some(match (predicted, observed) {
        // A panic of the core is always a finding, whatever the interpreter does.
        (Observation::Faulted(_), _) => outcome(),
        (_, Observation::Skipped(reason)) => Verdict::Inconclusive(format!("skipped: {reason}")),
        (Observation::Skipped(reason), _) => Verdict::Inconclusive(format!("not predicted: {reason}")),
        (Observation::Undefined(cause), _) => Verdict::Refused(cause.clone()),
        // Nobody owes a stream an end of the process.
        (_, Observation::Faulted(fault)) => fault.environment().map_or_else(outcome, Verdict::Inconclusive),
        _ => return None,
    })
}

/// The `model` relation: what was predicted of an interpreter against what was observed of it.
///
/// `family` is the subject's id without its version, `pointer_bits` the size of its pointers, and `read` what the core
/// reads from a stream under the same profile, with the canon as a text or a hash: it decides about dumps whose bytes
/// cannot be predicted.
pub fn model(
    family: &str,
    pointer_bits: u8,
    predicted: &Observation,
    observed: &Observation,
    read: &dyn Fn(&[u8]) -> Observation,
) -> Verdict {
    let sides = Sides { relation: Relation::Model, family, ..classes(predicted, observed) };
    let outcome = || sides.diverge("outcome", "outcome", predicted, observed);
    if let Some(verdict) = unanswered(predicted, observed, outcome) {
        return verdict;
    }
    match (predicted, observed) {
        (Observation::Rejected(e), Observation::Rejected(o)) if e == o => Verdict::Agree,
        (_, Observation::Rejected(o)) if is_environment(o, pointer_bits) => Verdict::Inconclusive(o.class.clone()),
        (Observation::Rejected(e), Observation::Rejected(o)) if e.class != o.class => {
            sides.diverge("class", "exception class", predicted, observed)
        }
        (Observation::Rejected(e), Observation::Rejected(o)) => match mask(e) == mask(o) {
            true => Verdict::Agree,
            false => sides.diverge("message", "exception message", predicted, observed),
        },
        (Observation::Accepted(e), Observation::Accepted(o)) => accepted(&sides, pointer_bits, e, o, read),
        _ => sides.diverge("outcome", "outcome", predicted, observed),
    }
}

fn accepted(
    sides: &Sides,
    pointer_bits: u8,
    predicted: &Accepted,
    observed: &Accepted,
    read: &dyn Fn(&[u8]) -> Observation,
) -> Verdict {
    if let (Some(e), Some(o)) = (predicted.consumed, observed.consumed)
        && e != o
    {
        return sides.diverge("consumed", "bytes consumed", e, o);
    }
    match (&predicted.canon, &observed.canon) {
        (Canon::Text(e), Canon::Text(o)) => {
            if let Some(d) = first_difference(e, o) {
                let Difference { path, general, left, right } = d;
                return sides.diverge(&format!("canon{general}"), format!("canon{path}"), left, right);
            }
        }
        (Canon::Text(e), Canon::Hash(o)) if sha256(e) != *o => {
            return sides.diverge("canon", "canon", hex(&sha256(e)), hex(o));
        }
        (Canon::Hash(e), Canon::Hash(o)) if e != o => return sides.diverge("canon", "canon", hex(e), hex(o)),
        (_, Canon::Failed(reason)) => return Verdict::Inconclusive(format!("the canon's printer failed: {reason}")),
        _ => {}
    }
    let canon = &predicted.canon;
    // The highest version is the one that everybody writes; its difference says the most.
    for (version, observed) in observed.dumps.iter().rev() {
        let Some((_, predicted)) = predicted.dumps.iter().find(|(v, _)| v == version) else { continue };
        match dump(sides, *version, pointer_bits, canon, predicted, observed, read) {
            Verdict::Agree => {}
            other => return other,
        }
    }
    Verdict::Agree
}

fn dump(
    sides: &Sides,
    version: u8,
    pointer_bits: u8,
    canon: &Canon,
    predicted: &Dump,
    observed: &Dump,
    read: &dyn Fn(&[u8]) -> Observation,
) -> Verdict {
    let at = format!("dump[{version}]");
    let sides = &Sides { dump: Some(version), ..sides.clone() };
    match (predicted, observed) {
        _ if !predicted.can_be_asked() || !observed.can_be_asked() => Verdict::Agree,
        (Dump::Raises(e), Dump::Raises(o)) if mask(e) == mask(o) => Verdict::Agree,
        (_, Dump::Raises(o)) if is_environment(o, pointer_bits) => {
            Verdict::Inconclusive(format!("{} in dumps", o.class))
        }
        (Dump::Bytes { bytes: e, unpredictable, loss }, Dump::Bytes { bytes: o, .. }) => {
            if e == o {
                return Verdict::Agree;
            }
            if unpredictable.is_some() {
                // What loses nothing reads back as the value that was dumped.
                let value = || Accepted { consumed: None, canon: canon.clone(), dumps: Vec::new() };
                let is_known = loss.is_none() && *canon != Canon::Unasked;
                let e = if is_known { Observation::Accepted(value()) } else { read(e) };
                let o = read(o);
                let varies =
                    |o: &Observation| matches!(o, Observation::Accepted(Accepted { canon: Canon::Varies(..), .. }));
                if varies(&e) && varies(&o) {
                    // Nobody knows the value either: it must not be luck, which bytes came, that decides.
                    return Verdict::Agree;
                }
                let sides =
                    Sides { relation: sides.relation, family: sides.family, dump: sides.dump, ..classes(&e, &o) };
                return same_value(&sides, "dump.", &at, &e, &o);
            }
            let offset = e.iter().zip(o).take_while(|(a, b)| a == b).count();
            let what = match (e.get(offset), o.get(offset)) {
                (Some(a), Some(b)) if a ^ b == 0x80 => "flag",
                (Some(_), Some(_)) => "bytes",
                _ => "length",
            };
            sides.diverge(&format!("{at}.{what}"), format!("{at} byte {offset}"), window(e, offset), window(o, offset))
        }
        _ => {
            let class = |dump: &Dump| match dump {
                Dump::Bytes { .. } => "bytes".to_owned(),
                Dump::Raises(e) => e.class.clone(),
                Dump::Undefined(_) => "undefined".to_owned(),
                Dump::Slow { .. } => "slow".to_owned(),
            };
            let show = |dump: &Dump| match dump {
                Dump::Bytes { bytes, .. } => format!("{} bytes: {}", bytes.len(), window(bytes, 0)),
                Dump::Raises(e) => format!("{}: {}", e.class, e.message),
                Dump::Undefined(cause) => cause.clone(),
                Dump::Slow { reason, .. } => reason.clone(),
            };
            let path = match (predicted, observed) {
                (Dump::Raises(e), Dump::Raises(o)) if e.class == o.class => format!("{at}.message"),
                _ => format!("{at}:{}/{}", class(predicted), class(observed)),
            };
            sides.diverge(&path, at, show(predicted), show(observed))
        }
    }
}

/// The `preserve` relation: what the core wrote in preserve mode against the part of the case that it consumed.
pub fn preserve(case: &[u8], consumed: usize, rewritten: &Result<Vec<u8>, String>) -> Verdict {
    let sides = |core: &str| Sides {
        relation: Relation::Preserve,
        family: "core",
        core: core.into(),
        subject: "accepted".into(),
        dump: None,
    };
    let Some(expected) = case.get(..consumed) else {
        let at = "bytes consumed";
        return sides("accepted").diverge("consumed", at, consumed, format!("the case has {} bytes", case.len()));
    };
    match rewritten {
        Ok(bytes) if bytes == expected => Verdict::Agree,
        Ok(bytes) => {
            let offset = bytes.iter().zip(expected).take_while(|(a, b)| a == b).count();
            let at = format!("byte {offset}");
            sides("accepted").diverge("bytes", at, window(bytes, offset), window(expected, offset))
        }
        Err(reason) => sides("rejected").diverge("outcome", "outcome", reason, "it was read without an error"),
    }
}

/// The `property` relation: the property that does not hold on a case, if there is one, and what it says.
pub fn property(broken: Option<(&'static str, String)>) -> Verdict {
    let (core, subject) = ("broken".to_owned(), "owed".to_owned());
    let sides = Sides { relation: Relation::Property, family: "core", core, subject, dump: None };
    broken.map_or(Verdict::Agree, |(name, says)| sides.diverge(name, name, says, "the property holds"))
}

/// The `reread` relation: what is read from a dump at some format version against the value that was dumped. Both
/// observations carry the canon in the same form. `subject` did the reading: `core` or an interpreter's family.
pub fn reread(subject: &str, version: u8, original: &Observation, read: &Observation) -> Verdict {
    if let Some(loss) = loss(original, version) {
        return Verdict::Inconclusive(format!("the dump loses {loss}"));
    }
    if let Observation::Undefined(cause) = read {
        return Verdict::Refused(cause.clone());
    }
    let sides = Sides { relation: Relation::Reread, family: subject, ..classes(original, read) };
    same_value(&sides, "", &format!("dump[{version}]"), original, read)
}

/// What the model says that the dump at this version loses.
fn loss(original: &Observation, version: u8) -> Option<&str> {
    let Observation::Accepted(accepted) = original else { return None };
    accepted.dumps.iter().find_map(|(v, dump)| match dump {
        Dump::Bytes { loss, .. } if *v == version => loss.as_deref(),
        _ => None,
    })
}

fn classes<'a>(core: &Observation, subject: &Observation) -> Sides<'a> {
    Sides { relation: Relation::Model, family: "", core: core.class(), subject: subject.class(), dump: None }
}

/// Whether two observations hold the same value. `path` begins the signature's path, which leaves out the version: what
/// does not come back at one of them does not come back at others either. `at` tells it.
fn same_value(sides: &Sides, path: &str, at: &str, original: &Observation, read: &Observation) -> Verdict {
    match (original, read) {
        (Observation::Accepted(a), Observation::Accepted(b)) => match (&a.canon, &b.canon) {
            (Canon::Text(x), Canon::Text(y)) => match first_difference(x, y) {
                None => Verdict::Agree,
                Some(d) => {
                    let path = format!("{path}canon{}", d.general);
                    sides.diverge(&path, format!("{at}.canon{}", d.path), d.left, d.right)
                }
            },
            (Canon::Text(text), Canon::Hash(hash)) | (Canon::Hash(hash), Canon::Text(text)) => {
                let other = sha256(text);
                if other == *hash {
                    return Verdict::Agree;
                }
                sides.diverge(&format!("{path}canon"), at, hex(&other), hex(hash))
            }
            (Canon::Undefined(cause), _) | (_, Canon::Undefined(cause)) => Verdict::Refused(cause.clone()),
            (Canon::Failed(reason), _) | (_, Canon::Failed(reason)) => {
                Verdict::Inconclusive(format!("the canon's printer failed: {reason}"))
            }
            (Canon::Varies(aspect, _), _) | (_, Canon::Varies(aspect, _)) => {
                Verdict::Inconclusive(format!("the canon varies: {aspect}"))
            }
            (x, y) if x == y => Verdict::Agree,
            (x, y) => sides.diverge(&format!("{path}canon"), at, format!("{x:?}"), format!("{y:?}")),
        },
        (_, Observation::Faulted(fault)) if fault.environment().is_some() => {
            Verdict::Inconclusive(fault.environment().unwrap_or_default())
        }
        (_, Observation::Rejected(e)) if e.class == "MemoryError" => Verdict::Inconclusive(e.class.clone()),
        (_, Observation::Skipped(reason)) => Verdict::Inconclusive(format!("skipped: {reason}")),
        _ => sides.diverge(&format!("{path}outcome"), at, original, read),
    }
}

fn sha256(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// Exceptions that say how much memory there is, or how large an object this build can have, and nothing of the stream.
fn is_environment(exception: &Exception, pointer_bits: u8) -> bool {
    exception.class == "MemoryError" || exception.class == "OverflowError" && pointer_bits == 32
}

/// The exception without what depends on the build: a SystemError begins with a C file's path and a line number; that the
/// stack is full is said with its size, and with what was to be put on it.
pub(crate) fn mask(exception: &Exception) -> (&str, &str) {
    let message = exception.message.as_str();
    let tail = || {
        let (_, rest) = message.split_once(".c:")?;
        let (line, tail) = rest.split_once(": ")?;
        line.bytes().all(|b| b.is_ascii_digit()).then_some(tail)
    };
    let message = match exception.class.as_str() {
        "SystemError" => tail().unwrap_or(message),
        "RecursionError" => message.split_once(" (used ").map_or(message, |(head, _)| head),
        _ => message,
    };
    (&exception.class, message)
}

/// A few bytes around an offset, in hexadecimal.
fn window(bytes: &[u8], offset: usize) -> String {
    const BEFORE: usize = 8;
    const AFTER: usize = 24;
    let start = offset.saturating_sub(BEFORE).min(bytes.len());
    let end = offset.saturating_add(AFTER).min(bytes.len());
    let (head, tail) = bytes[start..end].split_at(offset.min(end) - start);
    format!(
        "{}{}[{}]{}",
        if start > 0 { ".." } else { "" },
        hex(head),
        hex(tail),
        if end < bytes.len() { ".." } else { "" }
    )
}

#[cfg(test)]
#[path = "oracle_tests.rs"]
mod tests;
