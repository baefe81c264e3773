//! The `bytecode` relation: what the core says of the instructions of a code object against what the interpreter says of them.

use super::{Relation, Sides, Verdict, classes, is_environment, unanswered};
use crate::bytecode::{Lost, Sets, around, difference};
use crate::observation::Observation;

/// Exceptions of `dis` that tell how much room there was, and nothing of the code.
const OF_ROOM: [&str; 2] = ["RecursionError", "MemoryError"];

/// What was predicted of `dis`, of lines and of positions against what was observed; both are texts.
#[must_use]
pub fn bytecode(family: &str, pointer_bits: u8, predicted: &Observation, observed: &Observation) -> Verdict {
    let sides = Sides { relation: Relation::Bytecode, family, ..classes(predicted, observed) };
    let outcome = || sides.diverge("outcome", "outcome", predicted, observed);
    if let Some(verdict) = unanswered(predicted, observed, outcome) {
        return verdict;
    }
    if let Observation::Rejected(exception) = observed
        && is_environment(exception, pointer_bits)
    {
        return Verdict::Inconclusive(exception.class.clone());
    }
    let (Some(ours), Some(theirs)) = (predicted.canon_text(), observed.canon_text()) else { return outcome() };
    let raised = theirs.lines().find_map(|line| line.strip_prefix("raised ")).unwrap_or_default();
    if let Some(class) = OF_ROOM.iter().find(|class| raised.starts_with(**class)) {
        return Verdict::Inconclusive((*class).into());
    }
    match difference(ours, theirs, Sets::Ignored) {
        None => Verdict::Agree,
        Some((line, ours, theirs)) => {
            let path = [ours, theirs].into_iter().find_map(part).unwrap_or_else(|| "dis".into());
            let [ours, theirs] = around(ours, theirs);
            sides.diverge(&path, format!("line {line}"), ours, theirs)
        }
    }
}

/// What a line is about: an opcode, or one of the lines behind the listing.
fn part(line: &str) -> Option<String> {
    let first = line.split(' ').next().unwrap_or_default();
    if ["lines", "positions", "replaced", "raised"].contains(&first) {
        return Some(first.into());
    }
    let is_name = |word: &&str| {
        word.starts_with(|c: char| c.is_ascii_uppercase())
            && word.len() > 2
            && word.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || b"_+".contains(&c))
    };
    line.split_whitespace().find(is_name).map(|name| format!("dis.{name}"))
}

/// What came of taking the code objects of a stream apart and putting them together.
#[must_use]
pub fn reassembled(came: Result<(), Lost>) -> Verdict {
    let class = || "accepted".to_owned();
    let sides = Sides { relation: Relation::Bytecode, family: "core", core: class(), subject: class(), dump: None };
    match came {
        Ok(()) => Verdict::Agree,
        Err((path, how)) => sides.diverge(&format!("apart.{path}"), path, how, "the same bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytecode::said;
    use protocol::Exception;

    #[test]
    fn the_first_line_that_differs_names_the_finding() {
        let check = |ours: &str, theirs: &str, expected: &str| {
            let verdict = bytecode("cpython", 64, &said(ours.into()), &said(theirs.into()));
            let found = match verdict {
                Verdict::Diverge(divergence) => divergence.signature.path,
                other => format!("{other:?}"),
            };
            assert_eq!(found, expected, "{ours} {theirs}");
        };
        let listing = "  7           0 NOP\n        >>    2 LOAD_CONST 1 ('AB')\n";
        let with = |line: &str| format!("{listing}{line}\n");
        check(listing, listing, "Agree");
        check(listing, &listing.replace("1 ('AB')", "2"), "dis.LOAD_CONST");
        check(listing, &listing.replace("NOP", "POP"), "dis.NOP");
        check(&with("lines 0,2,7*1"), &with("lines 0,4,7*1"), "lines");
        check(&with("positions 7,7,0,1*2"), &with("positions 7,7,0,2*2"), "positions");
        check(listing, &with("raised IndexError: tuple index out of range"), "raised");
        check(listing, &with("raised RecursionError: maximum"), "Inconclusive(\"RecursionError\")");
        check(&with("1 (frozenset({1, 2}))"), &with("1 (frozenset({2, 1}))"), "Agree");
        let refused =
            |class: &str| Observation::Rejected(Exception { class: class.into(), message: "not a code object".into() });
        let path = |observed| match bytecode("cpython", 64, &said(listing.into()), &observed) {
            Verdict::Diverge(divergence) => divergence.signature.to_string(),
            other => format!("{other:?}"),
        };
        let told = "bytecode at outcome: core accepted, cpython rejected:TypeError";
        assert_eq!(path(refused("TypeError")), told);
        assert_eq!(path(refused("MemoryError")), "Inconclusive(\"MemoryError\")");
    }

    #[test]
    fn what_gets_lost_is_a_finding_of_the_core() {
        assert_eq!(reassembled(Ok(())), Verdict::Agree);
        let Verdict::Diverge(divergence) = reassembled(Err(("code", "f".into()))) else { panic!("it is lost") };
        assert_eq!(divergence.signature.to_string(), "bytecode at apart.code: core accepted, core accepted");
    }
}
