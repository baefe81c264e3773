//! The `reader` relation: what a reader of somebody else owes, which it declares itself (interpreters/EXEC.md).
//!
//! CPython has the last word on every stream, and pyc-core says what that is. A reader may know less (types that it does not
//! claim), say less (fields of code objects that it leaves out) and mean less (no sharing); what it does say is compared. Its
//! messages are its own, but they tell its bugs apart, so they go into signatures without numbers and names.

use super::tree::{Difference, Terms, difference, tree};
use super::{Relation, Sides, Verdict};
use crate::matrix::{Reached, Rule};
use crate::observation::{Accepted, Canon, Dump, Fault, Observation};
use interpreters::exec::{Declaration, Owed, PANIC, UNSUPPORTED};
use std::fmt;

/// How much of a message is kept in a signature.
const MESSAGE: usize = 60;

/// What a value that breaks the rules of EXEC.md is called.
const GARBLED: &str = "its value is not as EXEC.md says";

/// What came of one case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Came {
    /// As CPython does it.
    Right,
    /// Read, as another value.
    Wrong,
    /// Refused, and CPython reads it.
    Refused,
    /// Read, and CPython refuses it.
    FalseAccept,
    /// It panicked, or its process ended.
    Crashed,
    /// It took too long.
    Hung,
    /// It took too much memory.
    Hungry,
    /// Nothing was claimed, or nothing can be said.
    NotClaimed,
    /// The adapter's answer is not as EXEC.md says, so that nothing can be said of the reader.
    Garbled,
}

impl Came {
    /// All of them, in the order of tables.
    pub const ALL: [Came; 9] = [
        Came::Right,
        Came::Wrong,
        Came::Refused,
        Came::FalseAccept,
        Came::Crashed,
        Came::Hung,
        Came::Hungry,
        Came::NotClaimed,
        Came::Garbled,
    ];

    /// Whether it is the reader that is wrong.
    #[must_use]
    pub fn is_fault(self) -> bool {
        !matches!(self, Came::Right | Came::NotClaimed | Came::Garbled)
    }

    /// What came of a case of which this was observed, and judged.
    #[must_use]
    pub fn of(observed: &Observation, verdict: &Verdict) -> Came {
        match (verdict, observed) {
            (Verdict::Agree, _) => Came::Right,
            (Verdict::Inconclusive(why), Observation::Accepted(_)) if why.starts_with(GARBLED) => Came::Garbled,
            (Verdict::Inconclusive(_), Observation::Faulted(Fault::Worker(interpreters::Fault::Protocol { .. }))) => {
                Came::Garbled
            }
            (Verdict::Refused(_) | Verdict::Inconclusive(_), _) => Came::NotClaimed,
            (_, Observation::Faulted(fault)) => match fault.kind().as_str() {
                "timeout" => Came::Hung,
                "memory" | "out of memory" => Came::Hungry,
                _ => Came::Crashed,
            },
            (_, Observation::Rejected(exception)) if exception.class == PANIC => Came::Crashed,
            (_, Observation::Rejected(_)) => Came::Refused,
            (Verdict::Diverge(divergence), _) if divergence.signature.core.starts_with("rejected") => Came::FalseAccept,
            _ => Came::Wrong,
        }
    }
}

impl fmt::Display for Came {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Came::Right => "right",
            Came::Wrong => "wrong",
            Came::Refused => "refused",
            Came::FalseAccept => "false accept",
            Came::Crashed => "crashed",
            Came::Hung => "hung",
            Came::Hungry => "memory",
            Came::NotClaimed => "not claimed",
            Came::Garbled => "garbled",
        })
    }
}

/// What was predicted of CPython against what a reader was observed to do.
///
/// `rewritten` is what the core writes for what it read, and `read` what it reads from a stream under the same profile.
pub fn reader(
    declaration: &Declaration,
    python2: bool,
    reached: Reached,
    predicted: &Observation,
    rewritten: Option<&Result<Vec<u8>, String>>,
    observed: &Observation,
    read: &dyn Fn(&[u8]) -> Observation,
) -> Verdict {
    let family = declaration.name.as_str();
    let sides = Sides { relation: Relation::Reader, family, ..super::classes(predicted, observed) };
    let diverge = |path: &str| sides.diverge(path, "outcome", predicted, observed);
    // Nobody may crash, whatever the stream is.
    let died =
        |path: &str| Sides { core: "anything".into(), ..sides.clone() }.diverge(path, "outcome", predicted, observed);
    match (predicted, observed) {
        (Observation::Faulted(_), _) => diverge("outcome"),
        (_, Observation::Skipped(reason)) => Verdict::Inconclusive(format!("skipped: {reason}")),
        (_, Observation::Faulted(fault)) if is_outside(fault) => Verdict::Inconclusive(fault.to_string()),
        (_, Observation::Faulted(fault)) => died(&format!("outcome:{}", masked(&fault.to_string()))),
        (_, Observation::Rejected(e)) if e.class == PANIC => died(&format!("outcome:panic: {}", masked(&e.message))),
        (_, Observation::Rejected(e)) if e.class == UNSUPPORTED => {
            Verdict::Inconclusive(format!("not claimed: {}", e.message))
        }
        (Observation::Undefined(cause), _) => Verdict::Refused(cause.clone()),
        (Observation::Accepted(e), _) => match unclaimed(declaration, reached) {
            Some(why) => Verdict::Inconclusive(format!("not claimed: {why}")),
            None => match observed {
                Observation::Accepted(o) => accepted(declaration, &sides, python2, e, o, rewritten, read),
                Observation::Rejected(_) if !declaration.owes(Owed::Accept) => not_owed("to read what CPython reads"),
                Observation::Rejected(exception) => diverge(&format!("outcome:{}", masked(&exception.message))),
                _ => diverge("outcome"),
            },
        },
        (Observation::Rejected(_), Observation::Rejected(_)) => Verdict::Agree,
        (Observation::Rejected(_), _) if !declaration.owes(Owed::Refuse) => not_owed("to refuse what CPython refuses"),
        (Observation::Rejected(exception), _) => {
            diverge(&format!("outcome:{}: {}", exception.class, masked(&exception.message)))
        }
        (Observation::Skipped(reason), _) => Verdict::Inconclusive(format!("not predicted: {reason}")),
    }
}

fn not_owed(what: &str) -> Verdict {
    Verdict::Inconclusive(format!("not claimed: {what}"))
}

/// Whether a fault says nothing of the reader: its adapter talks nonsense, does nothing, or was killed.
fn is_outside(fault: &Fault) -> bool {
    use interpreters::{Fault as Worker, TimeLimit};
    match fault {
        Fault::Worker(Worker::Timeout { limit, .. }) => *limit == TimeLimit::Silence,
        Fault::Worker(Worker::Protocol { .. }) => true,
        Fault::Worker(Worker::OutOfMemory { .. } | Worker::Memory { .. }) => false,
        other => other.environment().is_some(),
    }
}

/// A type in the stream that the reader does not claim to know.
fn unclaimed(declaration: &Declaration, reached: Reached) -> Option<String> {
    let is_there = |code: u8| reached.has(Rule::Plain(code)) || reached.has(Rule::Flagged(code));
    let code = |unknown: &String| unknown.bytes().next().filter(|code| is_there(*code));
    declaration.unknown.iter().find_map(code).map(|code| format!("the type {:?}", char::from(code)))
}

/// A message without what differs from case to case: numbers, and what is quoted.
fn masked(message: &str) -> String {
    let mut text = String::new();
    let mut quote = None;
    for c in message.lines().next().unwrap_or_default().chars() {
        match (quote, c) {
            (Some(open), c) if c == open => {
                quote = None;
                text.push(c);
            }
            (Some(_), _) => {}
            (None, '\'' | '"' | '`') => {
                quote = Some(c);
                text.push(c);
            }
            (None, c) if c.is_ascii_digit() => {
                if !text.ends_with('#') {
                    text.push('#');
                }
            }
            (None, c) => text.push(c),
        }
    }
    text.chars().take(MESSAGE).collect()
}

fn accepted(
    declaration: &Declaration,
    sides: &Sides,
    python2: bool,
    predicted: &Accepted,
    observed: &Accepted,
    rewritten: Option<&Result<Vec<u8>, String>>,
    read: &dyn Fn(&[u8]) -> Observation,
) -> Verdict {
    if declaration.owes(Owed::Consumed)
        && let (Some(e), Some(o)) = (predicted.consumed, observed.consumed)
        && e != o
    {
        return sides.diverge("consumed", "bytes consumed", e, o);
    }
    if declaration.owes(Owed::Value)
        && let (Canon::Text(e), Canon::Text(o)) = (&predicted.canon, &observed.canon)
    {
        let verdict = same(declaration, sides, python2, "value", e, o);
        if verdict != Verdict::Agree {
            return verdict;
        }
    }
    for (_, dump) in &observed.dumps {
        let verdict = match (dump, rewritten, &predicted.canon) {
            (Dump::Raises(e), ..) if declaration.owes(Owed::Rewrite) || declaration.owes(Owed::Reread) => {
                sides.diverge(&format!("rewrite:{}", masked(&e.message)), "rewrite", "bytes", &e.message)
            }
            (Dump::Bytes { bytes, .. }, Some(Ok(right)), _) if declaration.owes(Owed::Rewrite) && bytes != right => {
                let offset = bytes.iter().zip(right).take_while(|(a, b)| a == b).count();
                let (right, wrong) = (super::window(right, offset), super::window(bytes, offset));
                sides.diverge("rewrite:bytes", format!("rewrite, byte {offset}"), right, wrong)
            }
            (Dump::Bytes { bytes, .. }, _, Canon::Text(e)) if declaration.owes(Owed::Reread) => match read(bytes) {
                Observation::Accepted(Accepted { canon: Canon::Text(o), .. }) => {
                    same(declaration, sides, python2, "rewrite", e, &o)
                }
                Observation::Rejected(refused) => sides.diverge(
                    &format!("rewrite:{}", masked(&refused.message)),
                    "rewrite",
                    "the same value",
                    refused.message,
                ),
                _ => Verdict::Agree,
            },
            _ => Verdict::Agree,
        };
        if verdict != Verdict::Agree {
            return verdict;
        }
    }
    Verdict::Agree
}

/// Whether two values are the same, as far as that is owed.
fn same(declaration: &Declaration, sides: &Sides, python2: bool, path: &str, e: &str, o: &str) -> Verdict {
    // What is nested too deep for JSON is not compared.
    let Ok(expected) = tree(e, python2) else { return Verdict::Agree };
    let terms = Terms {
        sharing: declaration.owes(Owed::Sharing),
        order: declaration.owes(Owed::Order),
        merges: &declaration.merges,
    };
    match tree(o, python2).and_then(|observed| difference(&expected, &observed, &terms)) {
        Ok(None) => Verdict::Agree,
        Ok(Some(Difference { at, what, expected, observed })) => {
            sides.diverge(&format!("{path}:{what}"), format!("{path}{at}"), expected, observed)
        }
        Err(reason) => Verdict::Inconclusive(format!("{GARBLED}: {reason}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subjects::core::Core;
    use protocol::Exception;

    fn declaration(more: &str) -> Declaration {
        let line = format!(r#"{{"exec":1,"name":"mine","version":"1","pythons":["3.11"]{more}}}"#);
        Declaration::read(line.as_bytes()).unwrap()
    }

    /// What comes of a stream in 3.11, if the reader does this.
    #[track_caller]
    fn check(more: &str, stream: &[u8], observed: &Observation, came: Came, path: Option<&str>) {
        let core = Core::named("3.11").unwrap();
        let p = core.predict(stream);
        let read = |stream: &[u8]| core.read(stream);
        let verdict =
            reader(&declaration(more), false, p.reached, &p.observation, p.rewritten.as_ref(), observed, &read);
        assert_eq!(Came::of(observed, &verdict), came, "{verdict:?}");
        let shown = if let Verdict::Diverge(divergence) = verdict { Some(divergence.signature.path) } else { None };
        assert_eq!(shown.as_deref(), path);
    }

    fn value(json: &str, rewritten: Option<&[u8]>) -> Observation {
        let dump = |bytes: &[u8]| (4, Dump::Bytes { bytes: bytes.to_vec(), unpredictable: None, loss: None });
        let dumps = rewritten.map(dump).into_iter().collect();
        Observation::Accepted(Accepted { consumed: Some(1), canon: Canon::Text(json.into()), dumps })
    }

    fn refusal(class: &str, message: &str) -> Observation {
        Observation::Rejected(Exception { class: class.into(), message: message.into() })
    }

    #[test]
    fn each_case_comes_to_one_end() {
        let timeout = |limit| {
            let after = std::time::Duration::from_secs(1);
            Observation::Faulted(Fault::Worker(interpreters::Fault::Timeout { after, limit }))
        };
        check("", b"N", &value("null", None), Came::Right, None);
        check("", b"N", &value("true", None), Came::Wrong, Some("value:none/bool"));
        check("", b"N", &value("5", None), Came::Garbled, None);
        let surrogate = b"u\x04\0\0\0\xed\xa0\x80a";
        check("", surrogate, &value(r#"{"code_points":[55296,97]}"#, None), Came::Right, None);
        check("", surrogate, &value(r#"{"code_points":[55297,97]}"#, None), Came::Wrong, Some("value:str"));
        check("", surrogate, &value(r#"{"code_points":[55296]}"#, None), Came::Wrong, Some("value:str"));
        let nonsense = Observation::Faulted(Fault::Worker(interpreters::Fault::Protocol { reason: "no JSON".into() }));
        check("", b"N", &nonsense, Came::Garbled, None);
        check("", b"N", &refusal("error", "no 'N' at 17"), Came::Refused, Some("outcome:no '' at #"));
        check("", b"?", &refusal("error", "no"), Came::Right, None);
        let unknown = "outcome:ValueError: bad marshal data (unknown type code)";
        check("", b"?", &value("null", None), Came::FalseAccept, Some(unknown));
        check("", b"?", &refusal(PANIC, "index 5"), Came::Crashed, Some("outcome:panic: index #"));
        check("", b"N", &refusal(UNSUPPORTED, "N"), Came::NotClaimed, None);
        let hung = Some("outcome:it did not answer within #s of CPU time");
        check("", b"N", &timeout(interpreters::TimeLimit::Cpu), Came::Hung, hung);
        check("", b"N", &timeout(interpreters::TimeLimit::Silence), Came::NotClaimed, None);
        let hungry =
            Observation::Faulted(Fault::Worker(interpreters::Fault::Memory { taken: 3 << 30, allowed: 1 << 20 }));
        check("", b"N", &hungry, Came::Hungry, Some("outcome:it took # MiB of memory and may take #"));
    }

    #[test]
    fn only_what_is_owed_is_asked() {
        check(r#","owes":["refuse"]"#, b"N", &refusal("error", "no"), Came::NotClaimed, None);
        check(r#","owes":["accept"]"#, b"?", &value("null", None), Came::NotClaimed, None);
        check(r#","owes":["accept"]"#, b"N", &value("true", None), Came::Right, None);
        check(r#","unknown":["T"]"#, b"T", &value("null", None), Came::NotClaimed, None);
        check(r#","owes":["consumed"]"#, b")\0", &value("null", None), Came::Wrong, Some("consumed"));
        let rewrites = r#","owes":["rewrite"]"#;
        check(rewrites, b"N", &value("null", Some(b"N")), Came::Right, None);
        check(rewrites, b"N", &value("null", Some(b"T")), Came::Wrong, Some("rewrite:bytes"));
        let rereads = r#","owes":["reread"]"#;
        check(rereads, b"(\0\0\0\0", &value("null", Some(b")\0")), Came::Right, None);
        check(rereads, b"N", &value("null", Some(b"T")), Came::Wrong, Some("rewrite:none/bool"));
        check(rereads, b"N", &value("null", Some(b"")), Came::Wrong, Some("rewrite:EOF read where object expected"));
    }
}
