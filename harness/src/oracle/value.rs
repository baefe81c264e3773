//! The `value` relation: what an interpreter that is not CPython owes.
//!
//! PyPy has a marshal of its own (`pypy/module/marshal/interp_marshal.py`), which reads and writes the same format without
//! reference counts, without interned strings that anybody sees, and with exceptions in words of its own. So its bytes and
//! messages are nobody's business, and a stream that CPython refuses it may take. What remains is what users rely on: a
//! stream that CPython of the same version accepts is accepted, as many bytes of it, as the same value; and what is dumped
//! of the value reads back to it. Code objects are outside: theirs are another format with another magic number.
//!
//! Where a stream does what no writer does, a difference is known by the [rule](crate::matrix) that it uses: the
//! signature's path begins with the rule's name here, so that an entry of corpus/expected excuses that rule alone.

use super::{Relation, Sides, Verdict, is_environment, same_value};
use crate::canon::{Difference, first_difference};
use crate::case::hex;
use crate::matrix::{Reached, Rule};
use crate::observation::{Accepted, Canon, Dump, Observation};
use std::collections::BTreeSet;

/// Rules that other readers may well have overlooked, and what they are called in signatures.
const RARE: [(&str, &[Rule]); 6] = [
    // An error is why the whole stream is refused, so it comes first.
    ("no-float", &[Rule::FloatText(b'f'), Rule::FloatText(b'x')]),
    ("slotless", &SLOTLESS),
    ("null-value", &[Rule::NullValue]),
    ("self-tuple", &[Rule::SelfReference(b'(')]),
    ("latin-1", &[Rule::Latin1(b'a'), Rule::Latin1(b'A'), Rule::Latin1(b'z'), Rule::Latin1(b'Z')]),
    ("text-nul", &[Rule::TextCutAtNul]),
];

/// Flags that take no slot in CPython's table of references.
const SLOTLESS: [Rule; 7] = [
    Rule::Flagged(b'0'),
    Rule::Flagged(b'N'),
    Rule::Flagged(b'T'),
    Rule::Flagged(b'F'),
    Rule::Flagged(b'.'),
    Rule::Flagged(b'S'),
    Rule::Flagged(b'r'),
];

/// What was predicted of CPython against what another implementation was observed to do.
///
/// `reached` are the rules that the case reaches, and `read` is what the core reads from a stream under the same profile.
pub fn value(
    family: &str,
    reached: Reached,
    predicted: &Observation,
    observed: &Observation,
    read: &dyn Fn(&[u8]) -> Observation,
) -> Verdict {
    let sides = Sides { relation: Relation::Value, family, core: predicted.class(), subject: observed.class() };
    let rare = rare(reached, predicted).map(|name| format!("{name}.")).unwrap_or_default();
    let outcome = || sides.diverge(&format!("{rare}outcome"), "outcome", predicted, observed);
    if let Some(verdict) = super::unanswered(predicted, observed, outcome) {
        return verdict;
    }
    match (predicted, observed) {
        (Observation::Rejected(_), _) => Verdict::Inconclusive(format!("CPython refuses it, {family} need not")),
        _ if reached.has_code => Verdict::Inconclusive(format!("the code objects of {family} are its own")),
        (_, Observation::Rejected(exception)) if is_environment(exception, 64) => {
            Verdict::Inconclusive(exception.class.clone())
        }
        (Observation::Accepted(e), Observation::Accepted(o)) => accepted(&sides, &rare, predicted, e, o, read),
        _ => outcome(),
    }
}

fn rare(reached: Reached, predicted: &Observation) -> Option<&'static str> {
    // These may still not end the process.
    if reached.has_code {
        return Some("code");
    }
    let found = RARE.iter().find(|(_, rules)| rules.iter().any(|&rule| reached.has(rule)));
    found.map(|(name, _)| *name).or_else(|| has_equal_nans(predicted).then_some("equal-nans"))
}

/// Whether a value holds two NaNs of the same bits: different objects, but nothing shows that where floats have no identity.
fn has_equal_nans(value: &Observation) -> bool {
    let is_nan = |bits: &str| u64::from_str_radix(bits, 16).is_ok_and(|bits| f64::from_bits(bits).is_nan());
    let mut seen = BTreeSet::new();
    value.canon_text().unwrap_or_default().lines().any(|line| {
        let (kind, bits) = line.split_once(' ').unwrap_or_default();
        matches!(kind, "float" | "complex") && bits.split(' ').any(is_nan) && !seen.insert(line)
    })
}

fn accepted(
    sides: &Sides,
    rare: &str,
    original: &Observation,
    predicted: &Accepted,
    observed: &Accepted,
    read: &dyn Fn(&[u8]) -> Observation,
) -> Verdict {
    if let (Some(e), Some(o)) = (predicted.consumed, observed.consumed)
        && e != o
    {
        return sides.diverge(&format!("{rare}consumed"), "bytes consumed", e, o);
    }
    match (&predicted.canon, &observed.canon) {
        (Canon::Text(e), Canon::Text(o)) => {
            if let Some(Difference { path, general, left, right }) = first_difference(e, o) {
                return sides.diverge(&format!("{rare}canon{general}"), format!("canon{path}"), left, right);
            }
        }
        (Canon::Text(e), Canon::Hash(o)) if super::sha256(e) != *o => {
            return sides.diverge(&format!("{rare}canon"), "canon", hex(&super::sha256(e)), hex(o));
        }
        (_, Canon::Failed(reason)) => return Verdict::Inconclusive(format!("the canon's printer failed: {reason}")),
        _ => {}
    }
    for (version, observed) in observed.dumps.iter().rev() {
        let predicted = predicted.dumps.iter().find(|(v, _)| v == version).map(|(_, dump)| dump);
        // What CPython cannot dump, or not without a loss, nobody need.
        let Some(Dump::Bytes { loss: None, .. }) = predicted else { continue };
        let at = format!("dump[{version}]");
        let verdict = match observed {
            Dump::Bytes { bytes, .. } => same_value(sides, &format!("{rare}dump."), &at, original, &read(bytes)),
            Dump::Raises(e) if is_environment(e, 64) => Verdict::Inconclusive(format!("{} in dumps", e.class)),
            Dump::Raises(e) => sides.diverge(
                &format!("{rare}dump:bytes/{}", e.class),
                at,
                "bytes",
                format!("{}: {}", e.class, e.message),
            ),
            Dump::Undefined(_) | Dump::Slow { .. } => Verdict::Agree,
        };
        if verdict != Verdict::Agree {
            return verdict;
        }
    }
    Verdict::Agree
}

#[cfg(test)]
#[path = "value_tests.rs"]
mod tests;
