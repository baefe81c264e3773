//! What the minimizer is known not to reach, and why. Whoever reaches it takes the entry away: one that is no longer true is
//! an error as much as one that is missing.

use super::smallest::{MOST, Pair, Row};

/// Of each fault at most so many findings are wanted.
const FINDINGS: usize = 2;

/// Faults of which more findings stay: how many there are of the cases that `provost faults --minimize` takes by itself.
const MANY: [(&str, usize, &str); 5] = [
    (
        "argcount-of-all",
        4,
        "the wrong sum shows as a value, where it runs over, and by which of two refusals comes first: beside \
         posonlyargcount, or beside a name that is no string",
    ),
    (
        "tuple-slot-after",
        3,
        "a reference in a field of a code object: there two objects have to have their types, one because of the number and one \
         because of the field, and the rule that knows numbers is about one",
    ),
    ("code-slot-after", 3, "as tuple-slot-after: a reference to bytes in a field of a code object"),
    (
        "caches-kept",
        3,
        "an opcode that is none, a specialized one, and one with caches that not all versions know: each is shown as another, and \
         no instruction is all of them",
    ),
    (
        "eight-units-are-seven",
        3,
        "entries of three kinds, which have zero, one and two bytes behind the first: nothing between them is a location \
         table, so none becomes another in single steps",
    ),
];

/// So many pairs are drawn where the next table counts.
const PAIRS: usize = 100;

/// Pairs of faults that become one finding, among the first [`PAIRS`].
const ONE: [([&str; 2], &str); 1] = [(
    ["flags-everywhere", "version-4-as-3"],
    "a case is told by its first difference, and flags differ first where anything is dumped that has none: so in each case \
     that generators make; the other fault shows as soon as the flags are mended",
)];

/// What is not as it should be, or as it is known to be. `exactly`: the cases are those that the table is about.
#[must_use]
pub fn complaints(rows: &[Row], pairs: &[Pair], exactly: bool) -> Vec<String> {
    let of_rows = rows.iter().filter_map(|row| of_fault(row.fault.name, row.ratio(), row.findings.len(), exactly));
    let of_pairs = pairs.iter().filter_map(|pair| of_pair(names(pair), pair.findings.len()));
    let is_drawn = |faults: &[&str; 2]| pairs.len() < PAIRS || pairs.iter().any(|pair| are(faults, names(pair)));
    let lost = ONE.iter().filter(|(faults, _)| exactly && !is_drawn(faults));
    let lost = lost.map(|([a, b], _)| format!("{a} and {b}: in the table of exceptions, and not drawn"));
    of_rows.chain(of_pairs).chain(lost).collect()
}

fn of_fault(name: &str, ratio: f64, found: usize, exactly: bool) -> Option<String> {
    let known = MANY.iter().find(|(fault, ..)| *fault == name);
    let most = known.map_or(FINDINGS, |(_, many, _)| *many);
    if !(1.0..=MOST).contains(&ratio) {
        return Some(format!("{name}: {ratio:.2} times the stated minimum"));
    }
    if !(1..=most).contains(&found) {
        return Some(format!("{name}: {found} findings, where there should be 1 to {most}"));
    }
    let is_stale = exactly && known.is_some() && found < most;
    is_stale.then(|| format!("{name}: {found} findings, and {most} in the table of exceptions"))
}

fn of_pair([one, other]: [&str; 2], found: usize) -> Option<String> {
    match (found > 1, ONE.iter().any(|(faults, _)| are(faults, [one, other]))) {
        (false, false) => Some(format!("{one} and {other}: became one finding")),
        (true, true) => Some(format!("{one} and {other}: {found} findings, and one in the table of exceptions")),
        _ => None,
    }
}

fn names(pair: &Pair) -> [&'static str; 2] {
    pair.faults.map(|fault| fault.name)
}

fn are(faults: &[&str; 2], [one, other]: [&str; 2]) -> bool {
    *faults == [one, other] || *faults == [other, one]
}

/// What is known not to be as it should be, as far as it is about these: in each line a reason.
#[must_use]
pub fn reasons(rows: &[Row], pairs: &[Pair]) -> Vec<String> {
    let is_here = |name: &str| rows.iter().any(|row| row.fault.name == name);
    let many = MANY.iter().filter(|(name, ..)| is_here(name));
    let many = many.map(|(name, most, why)| format!("{name} has {most} findings: {why}."));
    let one = ONE.iter().filter(|(faults, _)| pairs.iter().any(|pair| are(faults, names(pair))));
    many.chain(one.map(|([a, b], why)| format!("{a} and {b} become one finding: {why}."))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Fault;

    #[test]
    fn exceptions_are_about_faults_that_there_are() {
        let named = MANY.iter().map(|(name, ..)| *name).chain(ONE.iter().flat_map(|(names, _)| *names));
        let unknown: Vec<&str> = named.filter(|name| !Fault::all().any(|fault| fault.name == *name)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    #[test]
    fn what_is_worse_than_known_is_told_and_so_is_what_is_better() {
        let (fault, most, _) = MANY[0];
        let check = |name, ratio, found, exactly, is_told: bool| {
            assert_eq!(of_fault(name, ratio, found, exactly).is_some(), is_told, "{name} {ratio} {found} {exactly}");
        };
        check("another", 1.0, FINDINGS, true, false);
        check("another", 1.0, FINDINGS + 1, true, true);
        check("another", 1.0, 0, true, true);
        check("another", MOST + 0.01, 1, true, true);
        check("another", 0.99, 1, true, true);
        check(fault, 1.0, most, true, false);
        check(fault, 1.0, most + 1, true, true);
        check(fault, 1.0, most - 1, true, true);
        check(fault, 1.0, most - 1, false, false);
        let ([one, other], _) = ONE[0];
        let check =
            |names, found, is_told: bool| assert_eq!(of_pair(names, found).is_some(), is_told, "{names:?} {found}");
        check([one, "another"], 2, false);
        check([one, "another"], 1, true);
        check([other, one], 1, false);
        check([one, other], 2, true);
    }
}
